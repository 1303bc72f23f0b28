/*
 * instagram_mention.c
 *		Mentions of an Instagram account: what was said, and an answer to it.
 *
 * A webhook names the post and, where the mention stands in a comment, that
 * comment; both are of somebody else, and neither can be read by its id. The
 * account asks for them as fields of its own (Instagram Platform, "Mentioned
 * Comment", "Mentioned Media"), and answers at an edge of its own ("Mentions").
 */
#include "channel/instagram_mention.h"

#include "channel/meta_send.h"

/* An id as it stands in a URL; absent: there is none. */
static LarasText
id_of(const json_t *thread, const char *member, const LarasAllocator *allocator)
{
	LarasText id = laras_account_id(allocator, laras_json_get(thread, member));

	return id.s == NULL ? id : laras_text_encoded(allocator, id);
}

bool
laras_instagram_build_read_mention(const LarasAccountRequest *about, LarasText account,
								   const json_t *thread, const LarasAllocator *allocator,
								   LarasProviderRequest *request)
{
	LarasText comment = id_of(thread, "comment_id", allocator);
	LarasText media = id_of(thread, "media_id", allocator);
	LarasText id = laras_text_encoded(allocator, account);

	if (id.s == NULL || (comment.s == NULL && media.s == NULL))
		return false;
	request->method = "GET";
	if (comment.s != NULL)
		request->url =
			laras_text_print(allocator,
							 "%s/%s/%.*s?fields=mentioned_comment.comment_id(%.*s)%%7Bid,text%%7D",
							 about->base_url, about->api_version, (int) id.n, id.s, (int) comment.n,
							 comment.s);
	else
		request->url = laras_text_print(
			allocator,
			"%s/%s/%.*s?fields=mentioned_media.media_id(%.*s)%%7Bid,caption,username%%7D",
			about->base_url, about->api_version, (int) id.n, id.s, (int) media.n, media.s);
	return request->url.s != NULL;
}

/* A comment speaks to the account; a caption speaks of it. */
bool
laras_instagram_read_mention(const json_t *answer, LarasMention *mention)
{
	const json_t *comment = laras_json_get(answer, "mentioned_comment");
	const json_t *media = laras_json_get(answer, "mentioned_media");

	if (!json_is_object(comment) && !json_is_object(media))
		return false;
	mention->asks = json_is_object(comment);
	mention->text =
		mention->asks ? laras_json_text_at(comment, "text") : laras_json_text_at(media, "caption");
	mention->name = mention->asks ? (LarasText){NULL, 0} : laras_json_text_at(media, "username");
	return true;
}

const char *
laras_instagram_refused_mention(int http_status, int code)
{
	/* 10, 3 and 200 to 299: what the app or the account may not */
	if (code == 10 || code == 3 || (code >= 200 && code <= 299))
		return "not_allowed";
	/* 100, 24: it was taken back, or its author shows it to nobody any more */
	if (code == 100 || code == 24 || http_status == 404)
		return "gone";
	return NULL;
}

bool
laras_instagram_answers_mention(const LarasSendText *send)
{
	return send->kind == LARAS_SEND_COMMENT && laras_json_get(send->thread, "media_id") != NULL;
}

bool
laras_instagram_build_answer(const LarasSendText *send, const LarasAllocator *allocator,
							 LarasProviderRequest *request)
{
	return laras_meta_build_edge(send, send->account, "mentions",
								 json_pack("{s:s%, s:O, s:O*}", "message", send->text.s,
										   send->text.n, "media_id",
										   laras_json_get(send->thread, "media_id"), "comment_id",
										   laras_json_get(send->thread, "comment_id")),
								 allocator, request);
}
