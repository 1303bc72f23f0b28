/*
 * telegram_media.c
 *		Media of Telegram.
 *
 * Source: core.telegram.org/bots/api, "File", "getFile", "PhotoSize". A bot may
 * have files of up to 20 MB; getFile leads to a path that is good for an hour at
 * least, below /file/bot<token>/. A photo comes in several sizes, of which the
 * largest is the photo.
 */
#include "channel/media.h"

#include "channel/telegram.h"

#include <string.h>

static const json_t *
largest(const json_t *sizes)
{
	const json_t *best = NULL;
	int64_t most = -1;
	size_t i;
	json_t *one;

	json_array_foreach(sizes, i, one)
	{
		int64_t width = 0;
		int64_t height = 0;

		laras_json_integer(laras_json_get(one, "width"), &width);
		laras_json_integer(laras_json_get(one, "height"), &height);
		if (width >= 0 && height >= 0 && width < 100000 && height < 100000 && width * height > most)
		{
			best = one;
			most = width * height;
		}
	}
	return best;
}

static bool
read(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source)
{
	(void) allocator;
	if (json_is_array(part))
		part = largest(part);
	source->id = laras_json_text_at(part, "file_id");
	source->mime = laras_json_text_at(part, "mime_type");
	source->filename = laras_json_text_at(part, "file_name");
	source->size = laras_media_read_size(laras_json_get(part, "file_size"));
	return source->id.s != NULL && source->id.n > 0 && source->id.n <= 256;
}

/* Letters, digits and what else ids and paths of files are made of. */
static bool
is_plain(LarasText t, const char *also)
{
	for (size_t i = 0; i < t.n; i++)
	{
		char c = t.s[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  (c != '\0' && strchr(also, c) != NULL)))
			return false;
	}
	return t.n > 0;
}

static bool
build_locate(const LarasAccountRequest *about, LarasText number, const LarasMediaSource *source,
			 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	(void) number;
	if (!is_plain(source->id, "-_"))
		return false;
	request->method = "POST";
	request->url = laras_telegram_url(allocator, about->base_url, "getFile", &request->token_at);
	request->body =
		laras_text_print(allocator, "{\"file_id\":\"%.*s\"}", (int) source->id.n, source->id.s);
	return request->url.s != NULL && request->body.s != NULL;
}

static size_t
token_at(const LarasAccountRequest *about)
{
	return strlen(about->base_url) + strlen("/file/bot");
}

static bool
read_locate(const LarasAccountRequest *about, const json_t *answer, const LarasAllocator *allocator,
			LarasMediaSource *source)
{
	const json_t *result = laras_json_get(answer, "result");
	LarasText path = laras_json_text_at(result, "file_path");
	int64_t size = laras_media_read_size(laras_json_get(result, "file_size"));

	/* no way out of the directory that the path is below */
	if (path.s == NULL || path.n > 512 || !is_plain(path, "-_./") || strstr(path.s, "..") != NULL)
		return false;
	if (size >= 0)
		source->size = size;
	source->url =
		laras_text_print(allocator, "%s/file/bot/%.*s", about->base_url, (int) path.n, path.s);
	return source->url.s != NULL;
}

static const char *const kinds[] = {"image",    "video",   "audio", "voice",
									"document", "sticker", NULL};
static const char *const hosts[] = {NULL};

const LarasMediaDriver laras_telegram_media = {
	.kinds = kinds,
	.hosts = hosts,
	.most = INT64_C(20) * 1024 * 1024,
	.read = read,
	.build_locate = build_locate,
	.read_locate = read_locate,
	.with_token = true,
	.token_at = token_at,
};
