/*
 * generic_media.c
 *		Media of systems that post JSON.
 *
 * The mapping says where the body names files (generic.c makes parts of them, in
 * the members read here), and the app's options which hosts they may be fetched
 * from. No token goes with such a request.
 */
#include "channel/media.h"

static bool
read(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source)
{
	(void) allocator;
	source->url = laras_json_text_at(part, "url");
	source->mime = laras_json_text_at(part, "mime_type");
	source->filename = laras_json_text_at(part, "filename");
	source->size = laras_media_read_size(laras_json_get(part, "file_size"));
	laras_media_read_sha256(laras_json_text_at(part, "sha256"), source);
	return source->url.s != NULL && source->url.n > 0;
}

static const char *const kinds[] = {"image", "video", "audio", "voice", "document", NULL};
static const char *const hosts[] = {NULL};

const LarasMediaDriver laras_generic_media = {
	.kinds = kinds,
	.hosts = hosts,
	.hosts_of_app = true,
	.most = INT64_C(100) * 1024 * 1024,
	.read = read,
};
