/*
 * enclosed.c
 *		A message with media, at hand-off.
 *
 * The bytes are opened here and travel in the request, or the provider is given
 * a link to them. What all requests under way hold of them is bounded: where
 * that much is held, a message waits, unless it is alone.
 */
#include "postgres.h"

#include "base/spi.h"
#include "courier/enclosed.h"
#include "courier/http.h"
#include "media/link.h"
#include "media/media.h"
#include "vault/crypto.h"

/* of bodies under way */
#define MOST_HELD (INT64CONST(64) * 1024 * 1024)

bool
laras_enclosed_two_steps(const LarasChannelDriver *driver)
{
	return driver->send->media != NULL && driver->send->media->way == LARAS_MEDIA_UPLOADED;
}

/* The request, from bytes or a link that are there by now. */
static bool
build(LarasFlight *flight, const LarasSendText *send, const LarasSendMedia *media,
	  const LarasAllocator *allocator, LarasProviderRequest *request)
{
	const LarasSendMediaDriver *driver = flight->driver->send->media;

	return flight->first_step ? driver->build_upload(send, media, allocator, request)
							  : driver->build(send, media, allocator, request);
}

/* Inside SPI. */
static LarasEnclosed
enclose(LarasDeparture *departure, const LarasSendText *send, const LarasAllocator *allocator,
		int64 *held, const char **reason)
{
	LarasFlight *flight = &departure->flight;
	const LarasSendMediaDriver *driver = flight->driver->send->media;
	const LarasMediaLimit *limit;
	LarasMedia media;
	LarasSendMedia given = {0};
	int64 n = 0;
	char *bytes = NULL;
	char *url = NULL;
	bool built;

	*reason = "media_gone";
	if (!laras_media_load(flight->workspace_id, departure->media_id, &media) ||
		strcmp(media.state, "stored") != 0 || media.contact_id != flight->contact_id ||
		media.mime == NULL)
		return LARAS_ENCLOSED_STAYS;
	given.mime = laras_text(media.mime);
	if (media.filename != NULL)
		given.filename = laras_text(media.filename);
	limit = laras_media_limit(driver, given.mime);
	*reason = "media_not_taken";
	if (limit == NULL || media.size > limit->most || (send->text.n > 0 && !limit->captioned))
		return LARAS_ENCLOSED_STAYS;
	given.kind = limit->kind;
	flight->first_step = flight->uploads =
		laras_enclosed_two_steps(flight->driver) && !flight->staged;
	if (driver->way == LARAS_MEDIA_WITHIN || flight->first_step)
	{
		if (laras_http_held() + *held > 0 && laras_http_held() + *held + media.size > MOST_HELD)
			return LARAS_ENCLOSED_WAITS;
		bytes = laras_media_bytes(&media, 0, media.size, &n);
		*reason = "media_gone";
		if (bytes == NULL)
			return LARAS_ENCLOSED_STAYS;
		given.bytes = (LarasText){bytes, (size_t) n};
	}
	else if (driver->way == LARAS_MEDIA_LINKED)
	{
		url = laras_media_link(&media);
		*reason = "no_public_url";
		if (url == NULL)
			return LARAS_ENCLOSED_STAYS;
		given.url = laras_text(url);
	}
	built = build(flight, send, &given, allocator, &departure->request);
	if (bytes != NULL)
		laras_wipe(bytes, (size_t) n);
	*reason = "no_address";
	if (!built)
		return LARAS_ENCLOSED_STAYS;
	*held += n;
	return LARAS_ENCLOSED_GOES;
}

LarasEnclosed
laras_enclosed_build(LarasDeparture *departure, const LarasSendText *send,
					 const LarasAllocator *allocator, int64 *held, const char **reason)
{
	LarasEnclosed what;

	laras_spi_open();
	what = enclose(departure, send, allocator, held, reason);
	laras_spi_close();
	return what;
}
