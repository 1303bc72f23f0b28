/*
 * threads.c
 *		Threads: replies to our posts and mentions of us.
 *
 * Source: "Webhooks for Threads". The envelope is flat, without object and
 * entry, and speaks of one event; `values` is an object in the documentation
 * and a list in the wild. There are no direct messages. Of the person only the
 * user name is given.
 */
#include "channel/media.h"
#include "channel/meta_connect.h"
#include "channel/record.h"
#include "channel/threads.h"
#include "vault/numbers.h"

#include <string.h>

/* The values of a body, however they are wrapped: the i-th, or NULL. */
static const json_t *
nth_value(const json_t *body, size_t i)
{
	const json_t *values = laras_json_get(body, "values");

	if (json_is_array(values))
		return json_array_get(values, i);
	return i == 0 ? values : NULL;
}

/*
 * Whose event it is: the owner that the value names, else the target. The
 * documentation says that the target may be a post; such a body finds no route.
 */
static LarasText
account_of(const json_t *body, const json_t *value, const LarasAllocator *allocator)
{
	const json_t *candidates[3];
	LarasText none = {NULL, 0};

	candidates[0] = laras_json_get(laras_json_get(value, "root_post"), "owner_id");
	candidates[1] = laras_json_get(laras_json_get(value, "owner"), "owner_id");
	candidates[2] = laras_json_get(body, "target_id");
	for (int i = 0; i < 3; i++)
	{
		LarasText t = laras_account_id(allocator, candidates[i]);

		if (t.s != NULL)
			return t;
	}
	return none;
}

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	LarasBodyPart *piece;
	LarasText account;

	*nameless = 0;
	*pieces = NULL;
	*reason = NULL;
	if (!json_is_object(body))
		*reason = "not_an_object";
	else if (laras_json_get(body, "values") == NULL)
		*reason = "unknown_object";
	if (*reason != NULL)
		return -1;
	account = account_of(body, laras_json_get(nth_value(body, 0), "value"), allocator);
	if (account.s == NULL)
	{
		*nameless = 1;
		return 0;
	}
	piece = laras_allocate(allocator, sizeof(LarasBodyPart));
	if (piece == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	piece->account = account;
	piece->role = LARAS_ACCOUNT_NUMBER;
	piece->document = body;
	piece->whole = true;
	*pieces = piece;
	return 1;
}

/* Whose post a value stands below: its root's owner, or of what was deleted the owner itself. */
static LarasPostOwner
owner_of(LarasReader *r, LarasText account, const json_t *root, const json_t *value)
{
	const json_t *owner = laras_json_get(root, "owner_id");
	LarasText id;

	if (owner == NULL)
		owner = laras_json_get(laras_json_get(value, "owner"), "owner_id");
	id = laras_reader_id(r, owner);
	if (!laras_text_given(id))
		return LARAS_POST_UNKNOWN;
	return laras_text_same(id, account) ? LARAS_POST_OWN : LARAS_POST_FOREIGN;
}

/* What is to be seen or heard: a picture by itself, or what no bytes are fetched of. */
static void
read_media(LarasReader *r, LarasRecord *record, const json_t *value)
{
	static const char *const types[][2] = {{"IMAGE", "image"},
										   {"VIDEO", "video"},
										   {"AUDIO", "audio"}};
	LarasText type = laras_json_text_at(value, "media_type");
	const char *kind = "media";

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (laras_text_is(type, types[i][0]))
			kind = types[i][1];
	if (!laras_text_is(type, "TEXT_POST") || laras_json_get(value, "gif_url") != NULL)
		laras_record_part(r, record, kind, value);
}

static void
read_post(LarasReader *r, LarasText account, LarasText field, const json_t *value)
{
	LarasText id = laras_reader_id(r, laras_json_get(value, "id"));
	LarasText user = laras_json_text_at(value, "username");
	const json_t *root = laras_json_get(value, "root_post");
	bool deleted = laras_text_is(field, "delete");
	LarasRecord *record;

	if (!laras_text_given(id))
	{
		laras_reader_fault(r, value, "comment_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_COMMENT, value);
	record->message_kind = laras_text_is(field, "mentions") ? "mention" : "comment";
	record->provider_id = id;
	record->post = laras_reader_id(r, laras_json_get(root, "id"));
	record->about = laras_reader_id(r, laras_json_get(laras_json_get(value, "replied_to"), "id"));
	if (laras_text_same(record->about, record->post))
		record->about.s = NULL;
	record->text = laras_json_text_at(value, "text");
	record->name = user;
	record->provider_time = laras_record_moment(laras_json_get(value, "timestamp"));
	record->flags = LARAS_COUNTS;
	if (laras_text_same(user, laras_json_text_at(root, "username")))
		record->flags = LARAS_OUTBOUND;
	record->owner = owner_of(r, account, root, value);
	if (deleted)
	{
		record->effect = LARAS_EFFECT_UNSEND;
		record->provider_time = laras_record_moment(laras_json_get(value, "deleted_at"));
	}
	if (laras_text_plain(user))
		laras_record_identity(record, LARAS_INDEX_USERNAME, user);
	record->event_key =
		laras_reader_print(r, "%.*s|%.*s", (int) field.n, field.s, (int) id.n, id.s);
	if (!deleted)
		read_media(r, record, value);
}

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};
	const json_t *item;
	LarasText account = account_of(piece, laras_json_get(nth_value(piece, 0), "value"), allocator);

	for (size_t i = 0; (item = nth_value(piece, i)) != NULL; i++)
	{
		LarasText field = laras_json_text_at(item, "field");
		const json_t *value = laras_json_get(item, "value");

		if (!json_is_object(item))
			laras_reader_fault(&r, item, "value_not_an_object");
		else if (laras_text_is(field, "replies") || laras_text_is(field, "mentions") ||
				 laras_text_is(field, "delete"))
			read_post(&r, account, field, value);
		/* our own post went out: nothing to keep */
		else if (!laras_text_is(field, "publish"))
			laras_reader_other(&r, item, "unsupported_field");
	}
	return laras_reader_end(&r, records, reason);
}

const LarasChannelDriver laras_threads_driver = {
	.channel = "threads",
	.path = "threads",
	.base_url = "https://graph.threads.net",
	.api_version = "v1.0",
	.split = split,
	.parse = parse,
	.version = 1,
	.token_prefix = "THAA",
	.token_least = 24,
	.deauthorize_path = "/api/meta/threads/deauthorize",
	.deletion_path = "/api/meta/threads/data-deletion",
	.scopes = {[LARAS_SURFACE_COMMENT] = {"threads_read_replies", "threads_manage_replies"},
			   [LARAS_SURFACE_MENTION] = {"threads_manage_mentions", "threads_manage_mentions"}},
	.send = &laras_threads_send,
	.connect = &laras_threads_connect,
	.media = &laras_threads_media,
};
