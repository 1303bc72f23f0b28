/*
 * threads_send.c
 *		Threads: a reply below a post or another reply, in two requests.
 *
 *		container	the text, and what it answers -> an id
 *		publish		of that id -> the reply's
 *
 * The first may be repeated: a container that is never published is nothing. The
 * second is never repeated before the container says that it was not published.
 * Sources: "Create replies"; "Publishing", "Media containers: status". There are
 * no direct messages.
 */
#include "channel/login.h"
#include "channel/meta_send.h"
#include "channel/threads.h"

#include <string.h>

/* of a text, in characters */
#define THREADS_LIMIT 500

static bool
build_container(const LarasSendText *send, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	LarasText text = laras_text_encoded(allocator, send->text);
	LarasText target = laras_text_encoded(allocator, send->target);

	request->url = laras_text_print(allocator, "%s/%s/%.*s/threads", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	if (text.s != NULL && target.s != NULL)
		request->body = laras_text_print(allocator, "media_type=TEXT&reply_to_id=%.*s&text=%.*s",
										 (int) target.n, target.s, (int) text.n, text.s);
	return request->url.s != NULL && request->body.s != NULL;
}

static bool
build_publish(const LarasSendText *send, const LarasAllocator *allocator,
			  LarasProviderRequest *request)
{
	LarasText container = laras_text_encoded(allocator, send->stage);

	request->url = laras_text_print(allocator, "%s/%s/%.*s/threads_publish", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	if (container.s != NULL)
		request->body =
			laras_text_print(allocator, "creation_id=%.*s", (int) container.n, container.s);
	return request->url.s != NULL && request->body.s != NULL;
}

static bool
build_text(const LarasSendText *send, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	if (send->kind != LARAS_SEND_COMMENT)
		return false;
	request->method = "POST";
	request->type = "application/x-www-form-urlencoded";
	return send->stage.s != NULL ? build_publish(send, allocator, request)
								 : build_container(send, allocator, request);
}

static LarasText
id_of(const json_t *document)
{
	return laras_json_text_at(document, "id");
}

static LarasAnswer
meaning(int code, int subcode)
{
	/* the container is not ready to be published yet */
	return code == 24 ? LARAS_ANSWER_RETRY : laras_meta_meaning(code, subcode);
}

static void
read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	laras_meta_read_answer(http_status, body, n, allocator, answer, meaning, id_of);
}

static bool
build_check(const LarasSendText *send, const LarasAllocator *allocator,
			LarasProviderRequest *request)
{
	LarasText container = laras_text_encoded(allocator, send->stage);

	request->method = "GET";
	if (container.s != NULL)
		request->url =
			laras_text_print(allocator, "%s/%s/%.*s?fields=status,error_message", send->base_url,
							 send->api_version, (int) container.n, container.s);
	return request->url.s != NULL;
}

static LarasCheck
read_check(const json_t *answer)
{
	LarasText status = laras_json_text_at(answer, "status");

	if (laras_text_is(status, "PUBLISHED"))
		return LARAS_CHECK_SENT;
	if (laras_text_is(status, "FINISHED"))
		return LARAS_CHECK_NOT_SENT;
	if (laras_text_is(status, "ERROR") || laras_text_is(status, "EXPIRED"))
		return LARAS_CHECK_LOST;
	return LARAS_CHECK_UNKNOWN;
}

const struct LarasSendDriver laras_threads_send = {
	.also = LARAS_ALSO_COMMENTS,
	.two_steps = true,
	.build_text = build_text,
	.read_answer = read_answer,
	.build_check = build_check,
	.read_check = read_check,
	.text_limit = THREADS_LIMIT,
	.text_unit = LARAS_TEXT_CHARACTERS,
};
