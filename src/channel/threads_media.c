/*
 * threads_media.c
 *		Media of Threads.
 *
 * Source: "Retrieve and manage replies", "Media": a webhook says of what kind a
 * reply is (media_type) and not where its bytes are; the reply is asked for
 * media_url by its id, with the account's token. That leads to hosts of Meta's
 * own and takes no token. An album names its pictures nowhere in the webhook, and a GIF
 * lies with somebody else: of both the element is kept, and no bytes.
 */
#include "channel/media.h"

static bool
read(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source)
{
	(void) allocator;
	source->size = -1;
	source->id = laras_json_text_at(part, "id");
	return source->id.s != NULL && source->id.n > 0 && source->id.n <= 64;
}

static bool
build_locate(const LarasAccountRequest *about, LarasText number, const LarasMediaSource *source,
			 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	(void) number;
	for (size_t i = 0; i < source->id.n; i++)
		if (source->id.s[i] < '0' || source->id.s[i] > '9')
			return false;
	request->method = "GET";
	request->url =
		laras_text_print(allocator, "%s/%s/%.*s?fields=media_type,media_url", about->base_url,
						 about->api_version, (int) source->id.n, source->id.s);
	return request->url.s != NULL;
}

static bool
read_locate(const LarasAccountRequest *about, const json_t *answer, const LarasAllocator *allocator,
			LarasMediaSource *source)
{
	(void) about;
	(void) allocator;
	source->url = laras_json_text_at(answer, "media_url");
	return source->url.s != NULL && source->url.n > 0;
}

static const char *const kinds[] = {"image", "video", "audio", NULL};
static const char *const hosts[] = {".cdninstagram.com", ".fbcdn.net", NULL};

const LarasMediaDriver laras_threads_media = {
	.kinds = kinds,
	.hosts = hosts,
	.most = INT64_C(100) * 1024 * 1024,
	.read = read,
	.build_locate = build_locate,
	.read_locate = read_locate,
};
