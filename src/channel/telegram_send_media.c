/*
 * telegram_send_media.c
 *		Sending media over Telegram.
 *
 * Source: core.telegram.org/bots/api, "Sending files", "sendPhoto",
 * "sendDocument" and its kin: up to 10 MB of a photo and 50 MB of all else, in
 * the request itself. What has no method of its own is a document.
 */
#include "channel/sendmedia.h"
#include "channel/telegram.h"
#include "vault/numbers.h"

#include <string.h>

#define MB (INT64_C(1024) * 1024)

static const LarasMediaLimit limits[] = {
	{"image/jpeg", "image", 10 * MB, true}, {"image/png", "image", 10 * MB, true},
	{"video/mp4", "video", 50 * MB, true},  {"audio/mpeg", "audio", 50 * MB, true},
	{"audio/mp4", "audio", 50 * MB, true},  {"audio/ogg", "voice", 50 * MB, true},
	{"", "document", 50 * MB, true},        {NULL, NULL, 0, false},
};

static const struct
{
	const char *kind;
	const char *method;
	const char *field;
} methods[] = {
	{"image", "sendPhoto", "photo"},          {"video", "sendVideo", "video"},
	{"audio", "sendAudio", "audio"},          {"voice", "sendVoice", "voice"},
	{"document", "sendDocument", "document"},
};

static bool
build(const LarasSendText *send, const LarasSendMedia *media, const LarasAllocator *allocator,
	  LarasProviderRequest *request)
{
	const LarasFormField fields[] = {{"chat_id", send->to.value},
									 {"caption",
									  send->text.n > 0 ? send->text : (LarasText){NULL, 0}},
									 {NULL, {NULL, 0}}};

	if (send->to.kind != LARAS_INDEX_TELEGRAM_ID)
		return false;
	for (size_t i = 0; i < send->to.value.n; i++)
		if (send->to.value.s[i] < '0' || send->to.value.s[i] > '9')
			return false;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
	{
		if (strcmp(methods[i].kind, media->kind) != 0)
			continue;
		request->url =
			laras_telegram_url(allocator, send->base_url, methods[i].method, &request->token_at);
		return request->url.s != NULL &&
			   laras_build_form(fields, methods[i].field, media, allocator, request);
	}
	return false;
}

const LarasSendMediaDriver laras_telegram_send_media = {
	.limits = limits,
	.way = LARAS_MEDIA_WITHIN,
	.caption_limit = 1024,
	.build = build,
};
