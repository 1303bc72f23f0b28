/*
 * whatsapp_send.c
 *		WhatsApp Cloud API: building a send and reading its answer.
 *
 * Sources: "Messages" of the Cloud API reference; "Error codes" (May 2026);
 * throughput and pair limits of the Cloud API overview. Decisions stand on
 * error.code and error_subcode, never on text; HTTP status is no guide (a
 * throttle may come as 400, 403 or 429).
 */
#include "channel/send.h"
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

/* text.body of the Cloud API */
#define TEXT_LIMIT 4096

static bool
build_text(const LarasSendText *send, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	const char *key = send->to.kind == LARAS_INDEX_BSUID ? "recipient" : "to";
	json_t *body;
	char *dumped;
	bool done = false;

	if (send->to.kind != LARAS_INDEX_BSUID && send->to.kind != LARAS_INDEX_WA_ID &&
		send->to.kind != LARAS_INDEX_PHONE)
		return false;
	body = json_pack("{s:s, s:s, s:s%, s:s, s:{s:s%, s:b}}", "messaging_product", "whatsapp",
					 "recipient_type", "individual", key, send->to.value.s, send->to.value.n,
					 "type", "text", "text", "body", send->text.s, send->text.n, "preview_url", 0);
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

/* What an error code means for the message; see the file's header for sources. */
static LarasAnswer
meaning(int code, int subcode)
{
	switch (code)
	{
			/* unknown, service down, maintenance, media fetched again */
		case 1:
		case 2:
		case 131000:
		case 131016:
		case 131057:
		case 135000:
			return LARAS_ANSWER_RETRY;
			/* application, account, number and pair limits */
		case 4:
		case 17:
		case 32:
		case 613:
		case 80001:
		case 80002:
		case 80006:
		case 80007:
		case 130429:
		case 131048:
		case 131056:
		case 131064:
			return LARAS_ANSWER_THROTTLED;
		case 131047:
			return LARAS_ANSWER_WINDOW;
			/* outside the window, worded as a missing permission */
		case 10:
			if (subcode == 2018278 || subcode == 2534022)
				return LARAS_ANSWER_WINDOW;
			return LARAS_ANSWER_ACCOUNT;
			/* token, permission, lock, registration, payment */
		case 3:
		case 102:
		case 190:
		case 368:
		case 130497:
		case 131005:
		case 131031:
		case 131037:
		case 131042:
		case 131045:
		case 133010:
			return LARAS_ANSWER_ACCOUNT;
	}
	if (code >= 200 && code <= 299)
		return LARAS_ANSWER_ACCOUNT;
	return LARAS_ANSWER_REFUSED;
}

/* A copy that outlives the parsed answer. */
static LarasText
copied(LarasText t, const LarasAllocator *allocator)
{
	LarasText copy = {NULL, 0};
	char *bytes = t.s != NULL ? laras_allocate(allocator, t.n + 1) : NULL;

	if (bytes != NULL)
	{
		memcpy(bytes, t.s, t.n);
		copy.s = bytes;
		copy.n = t.n;
	}
	return copy;
}

static void
read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	json_t *document = laras_json_parse(body, n, NULL);
	const json_t *error = laras_json_get(document, "error");
	int64_t code = 0;
	int64_t subcode = 0;

	memset(answer, 0, sizeof(*answer));
	answer->answer = LARAS_ANSWER_UNCERTAIN;
	if (json_is_object(error) && laras_json_integer(laras_json_get(error, "code"), &code) &&
		code > 0 && code < INT32_MAX)
	{
		if (laras_json_integer(laras_json_get(error, "error_subcode"), &subcode) && subcode > 0 &&
			subcode < INT32_MAX)
			answer->error_subcode = (int) subcode;
		answer->error_code = (int) code;
		/* a parsed error object says that nothing was accepted, but not where the server failed */
		answer->answer =
			http_status >= 500 ? LARAS_ANSWER_UNCERTAIN : meaning((int) code, (int) subcode);
	}
	else if (http_status == 200)
	{
		LarasText id =
			laras_json_text_at(laras_json_first(laras_json_get(document, "messages")), "id");

		if (id.s != NULL && id.n > 0 && id.n <= 1024)
		{
			answer->provider_id = copied(id, allocator);
			if (answer->provider_id.s != NULL)
				answer->answer = LARAS_ANSWER_SENT;
		}
	}
	else if (http_status == 429)
		answer->answer = LARAS_ANSWER_THROTTLED;
	json_decref(document);
}

const struct LarasSendDriver laras_whatsapp_send = {
	.build_text = build_text,
	.read_answer = read_answer,
	.text_limit = TEXT_LIMIT,
};
