/*
 * telegram_send.c
 *		Telegram: building a send and reading its answer.
 *
 * Source: core.telegram.org/bots/api, "Making requests", "sendMessage",
 * "ResponseParameters". A bot may write to whoever wrote to it or pressed
 * start, at any time; who stopped it, or never started it, is refused with 403.
 * Decisions stand on error_code; of a text, on none. Nothing of a send is ever
 * told again, so that what was not answered stays uncertain.
 */
#include "channel/sendmedia.h"
#include "channel/telegram.h"
#include "channel/presence.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

/* of a message, after entities were parsed: Telegram counts units of UTF-16 */
#define TEXT_LIMIT 4096

LarasText
laras_telegram_url(const LarasAllocator *allocator, const char *base_url, const char *method,
				   size_t *token_at)
{
	*token_at = strlen(base_url) + strlen("/bot");
	return laras_text_print(allocator, "%s/bot/%s", base_url, method);
}

/* An id of a private chat is the person's: digits that fit into 52 bits. */
static bool
read_chat(LarasText t, json_int_t *id)
{
	char digits[20];

	if (t.n == 0 || t.n >= sizeof(digits) || strspn(t.s, "0123456789") < t.n)
		return false;
	memcpy(digits, t.s, t.n);
	digits[t.n] = '\0';
	*id = strtoll(digits, NULL, 10);
	return true;
}

static bool
build_text(const LarasSendText *send, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	json_int_t chat;
	json_t *body;
	char *dumped;
	bool done = false;

	if (send->to.kind != LARAS_INDEX_TELEGRAM_ID || !read_chat(send->to.value, &chat))
		return false;
	body = json_pack("{s:I, s:s%, s:{s:b}}", "chat_id", chat, "text", send->text.s, send->text.n,
					 "link_preview_options", "is_disabled", 1);
	if (body == NULL)
		return false;
	dumped = laras_json_dump(body, &request->body.n);
	json_decref(body);
	if (dumped == NULL)
		return false;
	request->method = "POST";
	request->url = laras_telegram_url(allocator, send->base_url, "sendMessage", &request->token_at);
	request->body = laras_text_print(allocator, "%.*s", (int) request->body.n, dumped);
	done = request->url.s != NULL && request->body.s != NULL;
	free(dumped);
	return done;
}

static LarasAnswer
meaning(int code)
{
	switch (code)
	{
		/* the token is no bot's, or no longer: a path that begins with it does not exist */
		case 401:
		case 404:
			return LARAS_ANSWER_ACCOUNT;
		case 429:
			return LARAS_ANSWER_THROTTLED;
	}
	/* 400: malformed, chat not found; 403: stopped, never started, deactivated */
	return code >= 400 && code < 500 ? LARAS_ANSWER_REFUSED : LARAS_ANSWER_UNCERTAIN;
}

static void
read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	json_t *document = laras_json_parse(body, n, NULL);
	const json_t *ok = laras_json_get(document, "ok");
	const json_t *result = laras_json_get(document, "result");
	int64_t number = 0;

	memset(answer, 0, sizeof(*answer));
	answer->answer = LARAS_ANSWER_UNCERTAIN;
	if (json_is_false(ok) && laras_json_integer(laras_json_get(document, "error_code"), &number) &&
		number > 0 && number < 1000)
	{
		answer->error_code = (int) number;
		answer->answer = meaning((int) number);
		if (laras_json_integer(laras_json_get(laras_json_get(document, "parameters"),
											  "retry_after"),
							   &number) &&
			number > 0 && number < INT32_MAX)
			answer->retry_after = (int) number;
	}
	else if (json_is_true(ok) && http_status == 200)
	{
		answer->provider_id = laras_telegram_message_id(allocator, laras_json_get(result, "chat"),
														laras_json_get(result, "message_id"));
		if (answer->provider_id.s != NULL)
			answer->answer = LARAS_ANSWER_SENT;
	}
	else if (http_status == 429)
		answer->answer = LARAS_ANSWER_THROTTLED;
	if (answer->answer == LARAS_ANSWER_THROTTLED)
		answer->throttle = LARAS_THROTTLE_NUMBER;
	json_decref(document);
}

const struct LarasSendDriver laras_telegram_send = {
	.media = &laras_telegram_send_media,
	.build_text = build_text,
	.read_answer = read_answer,
	.text_limit = TEXT_LIMIT,
	.text_unit = LARAS_TEXT_UTF16,
	.shows = LARAS_SHOWS_TYPING,
	.build_presence = laras_telegram_presence,
};
