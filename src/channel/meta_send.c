/*
 * meta_send.c
 *		The error object of the Graph API, and the direct message of Instagram and
 *		Messenger.
 *
 * Sources: "Send API" of the Messenger Platform; Instagram API with Instagram
 * Login, "Send a message" (text of 1,000 bytes); "Common error codes"; "Rate
 * limits". Decisions stand on error.code and error_subcode, never on text; HTTP
 * status is no guide (a throttle may come as 400, 403 or 429).
 */
#include "channel/instagram_mention.h"
#include "channel/meta_send.h"
#include "channel/login.h"
#include "channel/presence.h"
#include "channel/sendmedia.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

/* message.text of Instagram, in bytes of UTF-8 */
#define INSTAGRAM_LIMIT 1000
/* message.text of Messenger, in characters */
#define MESSENGER_LIMIT 2000

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

void
laras_meta_read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
					   LarasSendAnswer *answer, LarasAnswer (*meaning)(int code, int subcode),
					   LarasText (*id_of)(const json_t *document))
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
		answer->answer = http_status >= 500 ? LARAS_ANSWER_UNCERTAIN
											: meaning((int) code, answer->error_subcode);
	}
	else if (http_status == 200)
	{
		LarasText id = id_of(document);

		if (id.s != NULL && id.n > 0 && id.n <= 1024)
		{
			answer->provider_id = copied(id, allocator);
			if (answer->provider_id.s != NULL)
				answer->answer = LARAS_ANSWER_SENT;
		}
	}
	else if (http_status == 429)
		answer->answer = LARAS_ANSWER_THROTTLED;
	if (answer->answer == LARAS_ANSWER_THROTTLED)
		answer->throttle = answer->error_code == LARAS_META_APP_LIMIT ? LARAS_THROTTLE_APP
																	  : LARAS_THROTTLE_ACCOUNT;
	json_decref(document);
}

LarasAnswer
laras_meta_meaning(int code, int subcode)
{
	switch (code)
	{
		/* unknown, service down, a send that failed for the moment */
		case 1:
		case 2:
		case 1200:
			return LARAS_ANSWER_RETRY;
		/* application, user, page and custom limits, and those by use case */
		case LARAS_META_APP_LIMIT:
		case 17:
		case 32:
		case 613:
		case 80001:
		case 80002:
		case 80006:
		case 80007:
			return LARAS_ANSWER_THROTTLED;
		/* outside the window, worded as a missing permission */
		case 10:
			if (subcode == 2018278 || subcode == 2534022)
				return LARAS_ANSWER_WINDOW;
			if (subcode == 2018108)
				return LARAS_ANSWER_REFUSED;
			return LARAS_ANSWER_ACCOUNT;
		case 3:
		case 102:
		case 190:
		case 368:
			return LARAS_ANSWER_ACCOUNT;
		/* the person cannot be reached, while the permission stands */
		case 200:
			if (subcode == 2018108)
				return LARAS_ANSWER_REFUSED;
			break;
		/* of all that is between 200 and 299 the one that is about the person's profile */
		case 230:
			return LARAS_ANSWER_REFUSED;
	}
	return code >= 200 && code <= 299 ? LARAS_ANSWER_ACCOUNT : LARAS_ANSWER_REFUSED;
}

bool
laras_meta_build_content(const LarasSendText *send, json_t *content, json_t *body,
						 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	bool private_reply = send->kind == LARAS_SEND_PRIVATE_REPLY;
	LarasText to = private_reply ? send->target : send->to.value;
	json_t *message = content == NULL ? NULL
									  : json_pack("{s:{s:s%}, s:O}", "recipient",
												  private_reply ? "comment_id" : "id", to.s, to.n,
												  "message", content);
	char *dumped = NULL;

	json_decref(content);
	if (message != NULL && body != NULL)
		json_object_update_recursive(message, body);
	json_decref(body);
	if (message != NULL)
		dumped = laras_json_dump(message, &request->body.n);
	json_decref(message);
	request->method = "POST";
	request->url = laras_text_print(allocator, "%s/%s/%.*s/messages", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	if (dumped != NULL)
		request->body = copied((LarasText){dumped, request->body.n}, allocator);
	free(dumped);
	return request->url.s != NULL && request->body.s != NULL;
}

bool
laras_meta_build_message(const LarasSendText *send, json_t *body, const LarasAllocator *allocator,
						 LarasProviderRequest *request)
{
	return laras_meta_build_content(send, json_pack("{s:s%}", "text", send->text.s, send->text.n),
									body, allocator, request);
}

bool
laras_meta_build_edge(const LarasSendText *send, LarasText object, const char *edge, json_t *body,
					  const LarasAllocator *allocator, LarasProviderRequest *request)
{
	LarasText id = laras_text_encoded(allocator, object);
	char *dumped = body == NULL ? NULL : laras_json_dump(body, &request->body.n);

	json_decref(body);
	request->method = "POST";
	if (id.s != NULL)
		request->url = laras_text_print(allocator, "%s/%s/%.*s/%s", send->base_url,
										send->api_version, (int) id.n, id.s, edge);
	if (dumped != NULL)
		request->body = copied((LarasText){dumped, request->body.n}, allocator);
	free(dumped);
	return request->url.s != NULL && request->body.s != NULL;
}

bool
laras_meta_build_comment(const LarasSendText *send, const char *edge,
						 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	return laras_meta_build_edge(send, send->target, edge,
								 json_pack("{s:s%}", "message", send->text.s, send->text.n),
								 allocator, request);
}

/* of a message; of a comment there is no other */
static LarasText
message_id(const json_t *document)
{
	LarasText id = laras_json_text_at(document, "message_id");

	return id.s != NULL ? id : laras_json_text_at(document, "id");
}

void
laras_meta_read_message(int http_status, const char *body, size_t n,
						const LarasAllocator *allocator, LarasSendAnswer *answer)
{
	laras_meta_read_answer(http_status, body, n, allocator, answer, laras_meta_meaning, message_id);
}

/* What marks the words of a person that leave after the window of replies; NULL: nothing does. */
json_t *
laras_meta_human_agent(const LarasSendText *send)
{
	return send->human_agent
			   ? json_pack("{s:s, s:s}", "messaging_type", "MESSAGE_TAG", "tag", "HUMAN_AGENT")
			   : NULL;
}

static bool
build_instagram(const LarasSendText *send, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	if (laras_instagram_answers_mention(send))
		return laras_instagram_build_answer(send, allocator, request);
	if (send->kind == LARAS_SEND_COMMENT)
		return laras_meta_build_comment(send, "replies", allocator, request);
	return (send->kind == LARAS_SEND_PRIVATE_REPLY || send->to.kind == LARAS_INDEX_IGSID) &&
		   laras_meta_build_message(send, laras_meta_human_agent(send), allocator, request);
}

const struct LarasSendDriver laras_instagram_send = {
	.also = LARAS_ALSO_COMMENTS | LARAS_ALSO_PRIVATE_REPLIES,
	.build_text = build_instagram,
	.wants_thread = true,
	.read_answer = laras_meta_read_message,
	.text_limit = INSTAGRAM_LIMIT,
	.text_unit = LARAS_TEXT_BYTES,
	.shows = LARAS_SHOWS_READ | LARAS_SHOWS_TYPING,
	.build_presence = laras_meta_presence,
	.media = &laras_instagram_send_media,
};

/* What is given as metadata comes back with the message's echo. */
json_t *
laras_messenger_frame(const LarasSendText *send)
{
	json_t *body = json_pack("{s:s, s:{s:o*}}", "messaging_type", "RESPONSE", "message", "metadata",
							 send->callback_data.s == NULL
								 ? NULL
								 : json_stringn(send->callback_data.s, send->callback_data.n));

	if (body != NULL && send->human_agent)
	{
		json_t *tag = laras_meta_human_agent(send);

		json_object_update(body, tag);
		json_decref(tag);
	}
	return body;
}

static bool
build_messenger(const LarasSendText *send, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	json_t *body;

	if (send->kind == LARAS_SEND_COMMENT)
		return laras_meta_build_comment(send, "comments", allocator, request);
	if (send->kind == LARAS_SEND_MESSAGE && send->to.kind != LARAS_INDEX_PSID)
		return false;
	body = laras_messenger_frame(send);
	return body != NULL && laras_meta_build_message(send, body, allocator, request);
}

const struct LarasSendDriver laras_messenger_send = {
	.also = LARAS_ALSO_COMMENTS | LARAS_ALSO_PRIVATE_REPLIES,
	.build_text = build_messenger,
	.read_answer = laras_meta_read_message,
	.text_limit = MESSENGER_LIMIT,
	.text_unit = LARAS_TEXT_CHARACTERS,
	.shows = LARAS_SHOWS_READ | LARAS_SHOWS_TYPING,
	.build_presence = laras_meta_presence,
	.media = &laras_messenger_send_media,
};
