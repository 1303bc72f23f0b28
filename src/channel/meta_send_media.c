/*
 * meta_send_media.c
 *		Sending media over Messenger and Instagram.
 *
 * Source: "Send API", attachments by URL; sizes and types of the Instagram
 * Messaging API. Both fetch an attachment from where it lies; Instagram with its
 * own log-in documents no upload. A message has a text or an attachment, and
 * not both.
 */
#include "channel/meta_send.h"
#include "channel/sendmedia.h"
#include "vault/numbers.h"

#include <string.h>

#define MB (INT64_C(1024) * 1024)

static const LarasMediaLimit limits[] = {
	{"image/jpeg", "image", 8 * MB, false},
	{"image/png", "image", 8 * MB, false},
	{"audio/aac", "audio", 25 * MB, false},
	{"audio/mp4", "audio", 25 * MB, false},
	{"audio/wav", "audio", 25 * MB, false},
	{"video/mp4", "video", 25 * MB, false},
	{"video/ogg", "video", 25 * MB, false},
	{"video/quicktime", "video", 25 * MB, false},
	{"video/webm", "video", 25 * MB, false},
	{"application/pdf", "document", 25 * MB, false},
	{NULL, NULL, 0, false},
};

static json_t *
attachment(const LarasSendMedia *media)
{
	const char *type = strcmp(media->kind, "document") == 0 ? "file" : media->kind;

	return json_pack("{s:{s:s, s:{s:s%}}}", "attachment", "type", type, "payload", "url",
					 media->url.s, media->url.n);
}

static bool
build_instagram(const LarasSendText *send, const LarasSendMedia *media,
				const LarasAllocator *allocator, LarasProviderRequest *request)
{
	return send->to.kind == LARAS_INDEX_IGSID && send->text.n == 0 &&
		   laras_meta_build_content(send, attachment(media), laras_meta_human_agent(send),
									allocator, request);
}

static bool
build_messenger(const LarasSendText *send, const LarasSendMedia *media,
				const LarasAllocator *allocator, LarasProviderRequest *request)
{
	return send->to.kind == LARAS_INDEX_PSID && send->text.n == 0 &&
		   laras_meta_build_content(send, attachment(media), laras_messenger_frame(send), allocator,
									request);
}

const LarasSendMediaDriver laras_instagram_send_media = {
	.limits = limits,
	.way = LARAS_MEDIA_LINKED,
	.build = build_instagram,
};

const LarasSendMediaDriver laras_messenger_send_media = {
	.limits = limits,
	.way = LARAS_MEDIA_LINKED,
	.build = build_messenger,
};
