/*
 * presence.c
 *		What is shown to a person beside messages: that theirs was read, that
 *		somebody is typing.
 *
 * Sources: Cloud API, "Mark messages as read" and "Typing indicators" (one
 * request, which may show both; the indicator ends with the answer, or after 25
 * seconds); Messenger Platform and Instagram, "Sender actions" (one a request);
 * core.telegram.org/bots/api, "sendChatAction" (for five seconds; a bot cannot
 * mark a private chat as read).
 */
#include "channel/presence.h"
#include "channel/telegram.h"
#include "vault/numbers.h"

#include <stdlib.h>

/* The body, which is released; false when memory is short. */
static bool
put_body(json_t *body, const LarasAllocator *allocator, LarasProviderRequest *request)
{
	char *dumped = body == NULL ? NULL : laras_json_dump(body, &request->body.n);

	json_decref(body);
	if (dumped == NULL)
		return false;
	request->method = "POST";
	request->body = laras_text_print(allocator, "%.*s", (int) request->body.n, dumped);
	free(dumped);
	return request->body.s != NULL;
}

/* The edge that takes messages takes these too. */
static bool
put_graph_url(const LarasSendText *send, const LarasAllocator *allocator,
			  LarasProviderRequest *request)
{
	request->url = laras_text_print(allocator, "%s/%s/%.*s/messages", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	return request->url.s != NULL;
}

unsigned
laras_whatsapp_presence(const LarasSendText *send, unsigned what, const LarasAllocator *allocator,
						LarasProviderRequest *request)
{
	json_t *body;

	if (send->answers.s == NULL)
		return 0;
	body = json_pack("{s:s, s:s, s:s%}", "messaging_product", "whatsapp", "status", "read",
					 "message_id", send->answers.s, send->answers.n);
	if (body != NULL && (what & LARAS_SHOWS_TYPING) != 0)
		json_object_set_new(body, "typing_indicator", json_pack("{s:s}", "type", "text"));
	return put_body(body, allocator, request) && put_graph_url(send, allocator, request)
			   ? what | LARAS_SHOWS_READ
			   : 0;
}

unsigned
laras_meta_presence(const LarasSendText *send, unsigned what, const LarasAllocator *allocator,
					LarasProviderRequest *request)
{
	unsigned shown = (what & LARAS_SHOWS_READ) != 0 ? LARAS_SHOWS_READ : LARAS_SHOWS_TYPING;

	if (send->to.kind != LARAS_INDEX_IGSID && send->to.kind != LARAS_INDEX_PSID)
		return 0;
	return put_body(json_pack("{s:{s:s%}, s:s}", "recipient", "id", send->to.value.s,
							  send->to.value.n, "sender_action",
							  shown == LARAS_SHOWS_READ ? "mark_seen" : "typing_on"),
					allocator, request) &&
				   put_graph_url(send, allocator, request)
			   ? shown
			   : 0;
}

unsigned
laras_telegram_presence(const LarasSendText *send, unsigned what, const LarasAllocator *allocator,
						LarasProviderRequest *request)
{
	if (send->to.kind != LARAS_INDEX_TELEGRAM_ID ||
		!put_body(json_pack("{s:s%, s:s}", "chat_id", send->to.value.s, send->to.value.n, "action",
							"typing"),
				  allocator, request))
		return 0;
	request->url =
		laras_telegram_url(allocator, send->base_url, "sendChatAction", &request->token_at);
	return request->url.s != NULL ? LARAS_SHOWS_TYPING : 0;
}
