/*
 * comment.c
 *		Posts of the pretended accounts and what is said below them: reading a
 *		post, answering a comment in public and in private, and the control calls
 *		that play the people who comment.
 *
 * Sources: Instagram "Private replies", "Comment moderation"; Messenger
 * Platform, "Private replies"; Page "comments". An answer lands under the top
 * comment; a comment that is hidden or live takes none. One private reply a
 * comment, within seven days of its making, to a live one during the broadcast.
 * Threads "Create replies": a container, which its publishing makes a reply.
 * What an account says comes back as an event of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/account_internal.h"
#include "sandbox/content.h"
#include "sandbox/control.h"
#include "sandbox/fault.h"
#include "sandbox/media.h"
#include "sandbox/play.h"
#include "sandbox/refusal.h"

#define PAGE_COMMENTS "pages_manage_engagement"
#define THREADS_REPLIES "threads_manage_replies"
#define PRIVATE_WINDOW (7 * 24 * 3600 * SB_SECOND)
#define LONGEST_COMMENT 2200
#define LONGEST_THREAD 500
#define CONTAINER_LIFE (24 * 3600 * SB_SECOND)

typedef struct Post
{
	char *id;
	SbAccount *account; /* whose readers comment; */
	bool foreign;       /* but it is somebody else's */
	bool live;          /* a broadcast, which may be */
	bool over;
} Post;

typedef struct Comment
{
	char *id;
	Post *post;
	char *top;  /* id of the comment that the thread hangs from */
	char *from; /* a person's id, or the account's */
	char *name;
	char *text;
	char *media; /* of Threads: id of what is to be seen; NULL: nothing */
	int64_t made;
	bool hidden;
	bool deleted;
	bool answered; /* in private */
} Comment;

/* of Threads: a reply that nobody sees yet */
typedef struct Container
{
	char *id;
	SbAccount *account;
	Comment *parent; /* or of the post itself */
	Post *post;
	char *text;
	int64_t made;
	bool published;
} Container;

static SbTable posts;
static SbTable containers;
static SbTable comments;

static void
drop_post(void *p)
{
	free(((Post *) p)->id);
	free(p);
}

static void
drop_comment(void *p)
{
	Comment *c = p;

	free(c->id);
	free(c->top);
	free(c->from);
	free(c->name);
	free(c->text);
	free(c->media);
	free(c);
}

static void
drop_container(void *p)
{
	free(((Container *) p)->id);
	free(((Container *) p)->text);
	free(p);
}

void
sb_comments_reset(void)
{
	sb_table_clear(&containers, drop_container);
	sb_table_clear(&comments, drop_comment);
	sb_table_clear(&posts, drop_post);
}

static Comment *
new_comment(Post *post, const Comment *parent, const char *from, const char *name, const char *text)
{
	Comment *c = sb_alloc(sizeof(Comment));
	char *number = sb_new_id();
	SbBuffer id = {0};

	/* a Page's comments are named with the post */
	if (post->account->page)
		sb_addf(&id, "%s_%s", strchr(post->id, '_') ? strchr(post->id, '_') + 1 : post->id, number);
	else
		sb_adds(&id, number);
	c->id = sb_strdup(id.data);
	sb_release(&id);
	free(number);
	c->post = post;
	c->top = sb_strdup(parent ? parent->top : c->id);
	c->from = sb_strdup(from);
	c->name = sb_strdup(name);
	c->text = sb_strdup(text);
	c->made = sb_now();
	sb_table_put(&comments, c->id, c);
	return c;
}

/* What Threads calls what is to be seen in a reply. */
static const char *
media_type(const Comment *c)
{
	const SbMedia *m = c->media ? sb_media(c->media) : NULL;

	return m == NULL                            ? "TEXT_POST"
		   : strncmp(m->mime, "video/", 6) == 0 ? "VIDEO"
		   : strncmp(m->mime, "audio/", 6) == 0 ? "AUDIO"
												: "IMAGE";
}

/* Tells the app of a comment, in the account's own words; verb is the Page's. */
static bool
tell(const Comment *c, const char *verb, SbWait *wait)
{
	SbAccount *a = c->post->account;
	bool below = strcmp(c->top, c->id) != 0;
	json_t *value;
	char when[40];
	time_t made = (time_t) (c->made / SB_SECOND);
	struct tm tm;

	if (a->page)
	{
		value = json_pack("{s:s,s:s,s:s,s:s,s:s,s:{s:s,s:s},s:I}", "item", "comment", "verb", verb,
						  "comment_id", c->id, "post_id", c->post->id, "parent_id",
						  below ? c->top : c->post->id, "from", "id", c->from, "name", c->name,
						  "created_time", (json_int_t) (sb_now() / SB_SECOND));
		if (strcmp(verb, "remove") != 0)
			json_object_set_new(value, "message", json_string(c->text));
		return sb_account_change(a, "feed", value, wait);
	}
	if (a->threads)
	{
		gmtime_r(&made, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S+0000", &tm);
		if (strcmp(verb, "remove") == 0)
			return sb_account_change(a, "delete",
									 json_pack("{s:s,s:{s:s},s:s,s:s}", "id", c->id, "owner",
											   "owner_id", a->id, "deleted_at", when, "username",
											   c->name),
									 wait);
		return sb_account_change(a, "replies",
								 json_pack("{s:s,s:s,s:s,s:s,s:{s:s},s:{s:s,s:s,s:s},s:s}", "id",
										   c->id, "username", c->name, "text", c->text,
										   "media_type", media_type(c), "replied_to", "id",
										   below ? c->top : c->post->id, "root_post", "id",
										   c->post->id, "owner_id", c->post->foreign ? "1" : a->id,
										   "username", a->username, "timestamp", when),
								 wait);
	}
	value = json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:s,s:s}}", "id", c->id, "text", c->text, "from",
					  "id", c->from, "username", c->name, "media", "id", c->post->id,
					  "media_product_type", c->post->live ? "LIVE" : "FEED");
	if (below)
		json_object_set_new(value, "parent_id", json_string(c->top));
	return sb_account_change(a, c->post->live ? "live_comments" : "comments", value, wait);
}

/* ---------- Graph calls ---------- */

/* GET /{post}: of what others posted the owner is not told. */
static void
get_post(SbCall *call, const Post *p)
{
	SbAccount *a = p->account;

	if (p->foreign)
		sb_answer_json(call, 200, json_pack("{s:s}", "id", p->id));
	else
		sb_answer_json(call, 200,
					   json_pack("{s:s,s:{s:s}}", "id", p->id, a->page ? "from" : "owner", "id",
								 a->id));
}

/* GET /{reply} of Threads: where what is to be seen lies for a while */
static void
get_reply(SbCall *call, const Comment *c)
{
	SbMedia *m = c->media ? sb_media(c->media) : NULL;
	json_t *answer = json_pack("{s:s,s:s}", "id", c->id, "media_type", media_type(c));

	call->note.route = "reply";
	if (m != NULL)
		json_object_set_new(answer, "media_url", sb_media_open_link(call, m));
	sb_answer_json(call, 200, answer);
}

static const char *
permission_of(const SbAccount *a)
{
	return a->page ? PAGE_COMMENTS : a->threads ? THREADS_REPLIES : SB_IG_COMMENTS;
}

static uint64_t
content_of(const Comment *c, const char *text)
{
	return sb_hash(text, strlen(text)) ^ sb_hash(c->id, strlen(c->id)) * 3 ^
		   sb_hash(c->post->account->id, strlen(c->post->account->id)) * 5;
}

/* POST /{comment}/replies of Instagram, /{comment}/comments of a Page */
static void
answer_comment(SbCall *call, SbGrant *g, Comment *c)
{
	SbAccount *a = c->post->account;
	const json_t *message = json_object_get(call->json, "message");
	const char *text = json_string_value(message);
	Comment *made;
	bool unanswered = call->fault != NULL && call->fault->action == SB_FAULT_NO_ID;

	call->note.route = "comments";
	call->note.number = a->id;
	snprintf(call->note.type, sizeof(call->note.type), "comment");
	snprintf(call->note.to, sizeof(call->note.to), "%s", c->from);
	if (!sb_granted(g, permission_of(a)))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (text == NULL || text[0] == '\0')
		sb_refuse(call, 100, 0, "(#100) The parameter message is required.", NULL);
	else if (sb_characters(message) > LONGEST_COMMENT)
		sb_refuse(call, 100, 0, "(#100) The comment is too long.", NULL);
	else if (c->post->foreign || c->deleted)
		sb_refuse_object(call, c->id);
	else if (c->hidden || c->post->live)
		sb_refuse(call, 100, 0, "(#100) This comment cannot be replied to.", NULL);
	else
	{
		made = new_comment(c->post, c, a->id, a->page ? a->name : a->username, text);
		a->accepted++;
		call->note.accepted = true;
		call->note.content = content_of(c, text);
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", made->id);
		sb_answer_json(call, 200, unanswered ? json_object() : json_pack("{s:s}", "id", made->id));
		if (a->echoes && (call->fault == NULL || call->fault->statuses != SB_STATUS_NEVER))
			tell(made, "add", NULL);
	}
}

void
sb_private_reply(SbCall *call, SbGrant *g, const char *id, const char *text)
{
	SbAccount *a = g->account;
	Comment *c = sb_table_get(&comments, id);
	int64_t now = sb_now();
	char mid[64];

	snprintf(call->note.type, sizeof(call->note.type), "private_reply");
	if (c != NULL)
		snprintf(call->note.to, sizeof(call->note.to), "%s", c->from);
	if (!a->page && !sb_granted(g, SB_IG_COMMENTS))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (c == NULL || c->deleted || c->post->account != a || c->post->foreign)
		sb_refuse(call, 100, 33, "(#100) The comment does not exist.", NULL);
	else if (c->answered)
		sb_refuse(call, a->page ? 10900 : 100, a->page ? 0 : 2534014, "Activity already replied to",
				  NULL);
	else if (c->post->live ? c->post->over : now - c->made >= PRIVATE_WINDOW)
	{
		call->note.outside_window = true;
		sb_refuse(call, 10, a->page ? 2018278 : 2534022,
				  "(#10) This message is sent outside of allowed window.", NULL);
	}
	/* during a broadcast it is a message like others */
	else if (sb_account_may_send(call, a, c->post->live ? NULL : &a->private_replies))
	{
		c->answered = true;
		sb_person(a, c->from, true);
		snprintf(mid, sizeof(mid), "m_pr%s", c->id);
		a->accepted++;
		call->note.accepted = true;
		call->note.content = content_of(c, text);
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", mid);
		sb_answer_json(call, 200,
					   call->fault != NULL && call->fault->action == SB_FAULT_NO_ID
						   ? json_pack("{s:s}", "recipient_id", c->from)
						   : json_pack("{s:s,s:s}", "recipient_id", c->from, "message_id", mid));
	}
}

/* ---------- Threads ---------- */

void
sb_make_container(SbCall *call, SbGrant *g)
{
	const char *type = sb_param(call, "media_type");
	const char *text = sb_param(call, "text");
	const char *target = sb_param(call, "reply_to_id");
	Comment *parent = target ? sb_table_get(&comments, target) : NULL;
	Post *post = parent ? parent->post : target ? sb_table_get(&posts, target) : NULL;
	json_t *counted;
	Container *c;
	size_t length = 0;

	call->note.route = "threads";
	call->note.number = g->account->id;
	snprintf(call->note.type, sizeof(call->note.type), "container");
	counted = text ? json_string(text) : NULL;
	if (counted != NULL)
		length = sb_characters(counted);
	json_decref(counted);
	if (!sb_granted(g, THREADS_REPLIES))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (type == NULL || strcmp(type, "TEXT") != 0 || length == 0)
		sb_refuse(call, 100, 0, "(#100) media_type TEXT and text are required.", NULL);
	else if (length > LONGEST_THREAD)
		sb_refuse(call, 100, 0, "(#100) text is longer than 500 characters.", NULL);
	else if (post == NULL || post->account != g->account || post->foreign ||
			 (parent != NULL && (parent->deleted || parent->hidden)))
		sb_refuse(call, 100, 33, "(#100) The post to reply to does not exist.", NULL);
	else
	{
		c = sb_alloc(sizeof(Container));
		c->id = sb_new_id();
		c->account = g->account;
		c->parent = parent;
		c->post = post;
		c->text = sb_strdup(text);
		c->made = sb_now();
		sb_table_put(&containers, c->id, c);
		sb_answer_json(call, 200, json_pack("{s:s}", "id", c->id));
	}
}

void
sb_publish_container(SbCall *call, SbGrant *g)
{
	const char *id = sb_param(call, "creation_id");
	Container *c = id ? sb_table_get(&containers, id) : NULL;
	SbAccount *a = g->account;
	Comment *made;

	call->note.route = "threads_publish";
	call->note.number = a->id;
	snprintf(call->note.type, sizeof(call->note.type), "comment");
	if (c != NULL && c->parent != NULL)
		snprintf(call->note.to, sizeof(call->note.to), "%s", c->parent->from);
	if (c == NULL || c->account != a || c->published || sb_now() - c->made >= CONTAINER_LIFE)
	{
		sb_refuse(call, 24, 4279009, "Media Not Found", NULL);
		return;
	}
	if (!sb_account_may_send(call, a, &a->replies))
		return;
	c->published = true;
	made = new_comment(c->post, c->parent, a->id, a->username, c->text);
	a->accepted++;
	call->note.accepted = true;
	call->note.content = sb_hash(c->id, strlen(c->id));
	snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", made->id);
	sb_answer_json(call, 200,
				   call->fault != NULL && call->fault->action == SB_FAULT_NO_ID
					   ? json_object()
					   : json_pack("{s:s}", "id", made->id));
	if (a->echoes && (call->fault == NULL || call->fault->statuses != SB_STATUS_NEVER))
		tell(made, "add", NULL);
}

static void
get_container(SbCall *call, const Container *c)
{
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s}", "id", c->id, "status",
							 c->published                           ? "PUBLISHED"
							 : sb_now() - c->made >= CONTAINER_LIFE ? "EXPIRED"
																	: "FINISHED"));
}

bool
sb_comment_call(SbCall *call)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *second = call->nparts > 1 ? call->parts[1] : "";
	Post *post = sb_table_get(&posts, first);
	Comment *comment = sb_table_get(&comments, first);
	Container *container = sb_table_get(&containers, first);
	SbAccount *account;
	SbGrant *g;

	if (post == NULL && comment == NULL && container == NULL)
		return false;
	g = sb_account_token(call);
	if (g == NULL)
		return true;
	account = post != NULL      ? post->account
			  : comment != NULL ? comment->post->account
								: container->account;
	if (g->account != account)
		sb_refuse_object(call, first);
	else if (container != NULL && call->nparts == 1 && strcmp(call->method, "GET") == 0)
		get_container(call, container);
	else if (post != NULL && call->nparts == 1 && strcmp(call->method, "GET") == 0)
		get_post(call, post);
	else if (comment != NULL && account->threads && !comment->deleted && call->nparts == 1 &&
			 strcmp(call->method, "GET") == 0)
		get_reply(call, comment);
	else if (comment != NULL && !account->threads && strcmp(call->method, "POST") == 0 &&
			 strcmp(second, account->page ? "comments" : "replies") == 0)
		answer_comment(call, g, comment);
	else
		sb_refuse_object(call, first);
	return true;
}

/* ---------- control calls ---------- */

/* A post below which people may comment. */
void
sb_put_post(SbCall *call)
{
	static const char *const names[] = {"id", "account", "foreign", "live", "over", NULL};
	SbAccount *a = sb_account(sb_text_of(call, "account"));
	Post *p = sb_text_of(call, "id") ? sb_table_get(&posts, sb_text_of(call, "id")) : NULL;
	char *number;
	SbBuffer id = {0};

	if (!sb_only(call, names))
		return;
	if (p == NULL && a == NULL)
	{
		sb_unknown(call, "account");
		return;
	}
	if (p == NULL)
	{
		p = sb_alloc(sizeof(Post));
		number = sb_new_id();
		if (sb_text_of(call, "id") != NULL)
			sb_adds(&id, sb_text_of(call, "id"));
		else if (a->page)
			sb_addf(&id, "%s_%s", sb_flag_of(call, "foreign", false) ? "1" : a->id, number);
		else
			sb_adds(&id, number);
		p->id = sb_strdup(id.data);
		sb_release(&id);
		free(number);
		p->account = a;
		sb_table_put(&posts, p->id, p);
	}
	sb_update_flag(call, "foreign", &p->foreign);
	sb_update_flag(call, "live", &p->live);
	sb_update_flag(call, "over", &p->over);
	sb_answer_json(call, 200, json_pack("{s:s}", "id", p->id));
}

/* Somebody comments, or what becomes of a comment: verb is edited, remove, hide or unhide. */
void
sb_play_comment(SbCall *call)
{
	static const char *const names[] = {"post", "from", "name",  "text", "parent",
										"id",   "verb", "media", "wait", NULL};
	const char *verb = sb_text_of(call, "verb") ? sb_text_of(call, "verb") : "add";
	const char *text = sb_text_of(call, "text");
	const char *from = sb_text_of(call, "from");
	const char *name = sb_text_of(call, "name");
	const char *parent = sb_text_of(call, "parent");
	Post *p = sb_text_of(call, "post") ? sb_table_get(&posts, sb_text_of(call, "post")) : NULL;
	Comment *c = sb_text_of(call, "id") ? sb_table_get(&comments, sb_text_of(call, "id")) : NULL;
	Comment *above = parent ? sb_table_get(&comments, parent) : NULL;
	json_t *answer;
	SbWait *wait;

	if (!sb_only(call, names))
		return;
	if (strcmp(verb, "add") != 0 ? c == NULL : p == NULL || (parent != NULL && above == NULL))
	{
		sb_unknown(call, "post or comment");
		return;
	}
	if (strcmp(verb, "add") == 0)
	{
		if (from == NULL || text == NULL)
		{
			sb_wrong(call, "give from and text");
			return;
		}
		c = new_comment(p, above, from, name ? name : "somebody", text);
		if (sb_text_of(call, "media") != NULL)
			sb_replace(&c->media, sb_text_of(call, "media"));
	}
	else if (text != NULL)
		sb_replace(&c->text, text);
	if (strcmp(verb, "remove") == 0)
		c->deleted = true;
	if (strcmp(verb, "hide") == 0 || strcmp(verb, "unhide") == 0)
		c->hidden = verb[0] == 'h';
	wait = sb_play_begin(call);
	answer = json_pack("{s:s}", "id", c->id);
	json_object_set_new(answer, "told", json_boolean(tell(c, verb, wait)));
	sb_play_end(call, wait, answer);
}
