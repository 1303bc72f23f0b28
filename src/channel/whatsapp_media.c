/*
 * whatsapp_media.c
 *		Media of the WhatsApp Cloud API.
 *
 * Source: "Media" of the Cloud API reference. An id of a webhook is good for
 * seven days, the URL that it leads to for five minutes; both are asked with the
 * token. What a customer may send is up to 100 MB. The digest stands in base64
 * in a webhook and in hexadecimal digits in the answer.
 */
#include "channel/media.h"

static bool
read(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source)
{
	(void) allocator;
	source->id = laras_json_text_at(part, "id");
	source->mime = laras_json_text_at(part, "mime_type");
	source->filename = laras_json_text_at(part, "filename");
	source->size = laras_media_read_size(laras_json_get(part, "file_size"));
	laras_media_read_sha256(laras_json_text_at(part, "sha256"), source);
	return source->id.s != NULL && source->id.n > 0 && source->id.n <= 64;
}

static bool
build_locate(const LarasAccountRequest *about, LarasText number, const LarasMediaSource *source,
			 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	for (size_t i = 0; i < source->id.n; i++)
		if (source->id.s[i] < '0' || source->id.s[i] > '9')
			return false;
	request->method = "GET";
	request->url = laras_text_print(allocator, "%s/%s/%.*s?phone_number_id=%.*s", about->base_url,
									about->api_version, (int) source->id.n, source->id.s,
									(int) number.n, number.s);
	return request->url.s != NULL;
}

static bool
read_locate(const LarasAccountRequest *about, const json_t *answer, const LarasAllocator *allocator,
			LarasMediaSource *source)
{
	LarasText mime = laras_json_text_at(answer, "mime_type");
	LarasText sha256 = laras_json_text_at(answer, "sha256");

	(void) about;
	(void) allocator;
	source->url = laras_json_text_at(answer, "url");
	source->size = laras_media_read_size(laras_json_get(answer, "file_size"));
	if (mime.s != NULL)
		source->mime = mime;
	if (sha256.s != NULL)
		laras_media_read_sha256(sha256, source);
	return source->url.s != NULL;
}

static const char *const kinds[] = {"image",    "video",   "audio", "voice",
									"document", "sticker", NULL};
static const char *const hosts[] = {"lookaside.fbsbx.com", NULL};

const LarasMediaDriver laras_whatsapp_media = {
	.kinds = kinds,
	.hosts = hosts,
	.most = INT64_C(100) * 1024 * 1024,
	.read = read,
	.build_locate = build_locate,
	.read_locate = read_locate,
	.with_token = true,
};
