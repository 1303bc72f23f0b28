/*
 * whatsapp_send.c
 *		WhatsApp Cloud API: building a send and reading its answer.
 *
 * Sources: "Messages" of the Cloud API reference; "Error codes" (May 2026);
 * throughput and pair limits of the Cloud API overview. Decisions stand on
 * error.code and error_subcode, never on text; HTTP status is no guide (a
 * throttle may come as 400, 403 or 429).
 */
#include "channel/meta_send.h"
#include "channel/presence.h"
#include "channel/sendmedia.h"
#include "channel/template.h"
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

/* text.body of the Cloud API */
#define TEXT_LIMIT 4096

/* the person stopped what is sent unasked: "marketing messages", as their switch is called */
#define OPTED_OUT 131050

bool
laras_whatsapp_build_message(const LarasSendText *send, const char *type, json_t *content,
							 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	const char *key = send->to.kind == LARAS_INDEX_BSUID ? "recipient" : "to";
	json_t *body = NULL;
	char *dumped;
	bool done = false;

	if (send->to.kind == LARAS_INDEX_BSUID || send->to.kind == LARAS_INDEX_WA_ID ||
		send->to.kind == LARAS_INDEX_PHONE)
		body = json_pack("{s:s, s:s, s:s%, s:s, s:O}", "messaging_product", "whatsapp",
						 "recipient_type", "individual", key, send->to.value.s, send->to.value.n,
						 "type", type, type, content);
	json_decref(content);
	if (body == NULL)
		return false;
	if (send->callback_data.s != NULL)
		json_object_set_new(body, "biz_opaque_callback_data",
							json_stringn(send->callback_data.s, send->callback_data.n));
	dumped = laras_json_dump(body, &request->body.n);
	json_decref(body);
	if (dumped == NULL)
		return false;
	request->method = "POST";
	request->url = laras_text_print(allocator, "%s/%s/%.*s/messages", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	request->body.s = laras_allocate(allocator, request->body.n + 1);
	if (request->body.s != NULL)
	{
		memcpy((char *) request->body.s, dumped, request->body.n + 1);
		done = request->url.s != NULL;
	}
	free(dumped);
	return done;
}

static bool
build_text(const LarasSendText *send, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	json_t *content =
		json_pack("{s:s%, s:b}", "body", send->text.s, send->text.n, "preview_url", 0);

	return content != NULL &&
		   laras_whatsapp_build_message(send, "text", content, allocator, request);
}

/* What an error code means for the message; see the file's header for sources. */
LarasAnswer
laras_whatsapp_meaning(int code, int subcode)
{
	switch (code)
	{
		/* unknown, service down, maintenance, a flow that is used too often */
		case 131000:
		case 131016:
		case 131057:
		case 132069:
		case 135000:
			return LARAS_ANSWER_RETRY;
		/* number and pair limits */
		case 130429:
		case 131048:
		case 131056:
		case 131064:
			return LARAS_ANSWER_THROTTLED;
		case 131047:
			return LARAS_ANSWER_WINDOW;
		/* permission, lock, registration, payment */
		case 130497:
		case 131005:
		case 131031:
		case 131037:
		case 131042:
		case 131045:
		case 133010:
			return LARAS_ANSWER_ACCOUNT;
	}
	return laras_meta_meaning(code, subcode);
}

/* Whom a throttle is about. */
static LarasThrottle
throttle(LarasAnswer answer, int code)
{
	if (answer != LARAS_ANSWER_THROTTLED)
		return LARAS_THROTTLE_NONE;
	if (code == 131056)
		return LARAS_THROTTLE_PAIR;
	if (code == 80007)
		return LARAS_THROTTLE_BUSINESS;
	if (code == LARAS_META_APP_LIMIT)
		return LARAS_THROTTLE_APP;
	return code == 130429 ? LARAS_THROTTLE_NUMBER : LARAS_THROTTLE_ACCOUNT;
}

static LarasText
message_id(const json_t *document)
{
	return laras_json_text_at(laras_json_first(laras_json_get(document, "messages")), "id");
}

static void
read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	laras_meta_read_answer(http_status, body, n, allocator, answer, laras_whatsapp_meaning,
						   message_id);
	answer->throttle = throttle(answer->answer, answer->error_code);
}

const struct LarasSendDriver laras_whatsapp_send = {
	.build_text = build_text,
	.read_answer = read_answer,
	.opted_out_code = OPTED_OUT,
	.text_limit = TEXT_LIMIT,
	.templates = &laras_whatsapp_templates,
	.shows = LARAS_SHOWS_READ | LARAS_SHOWS_TYPING,
	.build_presence = laras_whatsapp_presence,
	.media = &laras_whatsapp_send_media,
};
