/*
 * whatsapp_send_media.c
 *		Sending media over the WhatsApp Cloud API.
 *
 * Source: "Media" and "Messages" of the Cloud API reference. The bytes are
 * uploaded to the number that sends, which leads to an id that is good for
 * thirty days; the message names the id.
 */
#include "channel/meta_send.h"
#include "channel/sendmedia.h"
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

#define MB (INT64_C(1024) * 1024)

#define OFFICE "application/vnd.openxmlformats-officedocument."

static const LarasMediaLimit limits[] = {
	{"image/jpeg", "image", 5 * MB, true},
	{"image/png", "image", 5 * MB, true},
	{"image/webp", "sticker", 500 * 1024, false},
	{"video/mp4", "video", 16 * MB, true},
	{"video/3gpp", "video", 16 * MB, true},
	{"audio/aac", "audio", 16 * MB, false},
	{"audio/amr", "audio", 16 * MB, false},
	{"audio/mpeg", "audio", 16 * MB, false},
	{"audio/mp4", "audio", 16 * MB, false},
	{"audio/ogg", "audio", 16 * MB, false},
	{"text/plain", "document", 100 * MB, true},
	{"application/pdf", "document", 100 * MB, true},
	{"application/msword", "document", 100 * MB, true},
	{"application/vnd.ms-excel", "document", 100 * MB, true},
	{"application/vnd.ms-powerpoint", "document", 100 * MB, true},
	{OFFICE "wordprocessingml.document", "document", 100 * MB, true},
	{OFFICE "spreadsheetml.sheet", "document", 100 * MB, true},
	{OFFICE "presentationml.presentation", "document", 100 * MB, true},
	{NULL, NULL, 0, false},
};

static bool
build_upload(const LarasSendText *send, const LarasSendMedia *media,
			 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	const LarasFormField fields[] = {{"messaging_product", {"whatsapp", 8}},
									 {"type", media->mime},
									 {NULL, {NULL, 0}}};

	request->url = laras_text_print(allocator, "%s/%s/%.*s/media", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	return request->url.s != NULL && laras_build_form(fields, "file", media, allocator, request);
}

static LarasText
upload_id(const json_t *document)
{
	return laras_json_text_at(document, "id");
}

static void
read_upload(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	laras_meta_read_answer(http_status, body, n, allocator, answer, laras_whatsapp_meaning,
						   upload_id);
}

static bool
build(const LarasSendText *send, const LarasSendMedia *media, const LarasAllocator *allocator,
	  LarasProviderRequest *request)
{
	json_t *content = json_pack("{s:s%}", "id", send->stage.s, send->stage.n);

	if (content == NULL)
		return false;
	if (send->text.n > 0)
		json_object_set_new(content, "caption", json_stringn(send->text.s, send->text.n));
	if (strcmp(media->kind, "document") == 0 && media->filename.s != NULL)
		json_object_set_new(content, "filename",
							json_stringn(media->filename.s, media->filename.n));
	return laras_whatsapp_build_message(send, media->kind, content, allocator, request);
}

const LarasSendMediaDriver laras_whatsapp_send_media = {
	.limits = limits,
	.way = LARAS_MEDIA_UPLOADED,
	.caption_limit = 1024,
	.build = build,
	.build_upload = build_upload,
	.read_upload = read_upload,
};
