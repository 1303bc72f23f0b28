/*
 * meta_media.c
 *		Media of Messenger and Instagram.
 *
 * Attachments come as URLs of Meta's own hosts, good for a while that nobody
 * states and asked without a token; there is no way to ask again by id. What a
 * story shows is its author's: of mentions and replies to a story the URL may
 * be kept and the bytes may not, so those kinds have none here; neither have
 * shared posts and what is to be seen once.
 */
#include "channel/media.h"

static bool
read(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source)
{
	const json_t *payload = laras_json_get(part, "payload");

	(void) allocator;
	source->size = -1;
	source->url = laras_json_text_at(payload, "url");
	source->filename = laras_json_text_at(payload, "name");
	return source->url.s != NULL && source->url.n > 0;
}

static const char *const kinds[] = {"image", "video", "audio", "document", "sticker", NULL};
static const char *const hosts[] = {"lookaside.fbsbx.com", ".fbcdn.net", NULL};

const LarasMediaDriver laras_meta_media = {
	.kinds = kinds,
	.hosts = hosts,
	.most = INT64_C(25) * 1024 * 1024,
	.read = read,
};
