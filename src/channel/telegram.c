/*
 * telegram.c
 *		Telegram: updates of the Bot API.
 *
 * Source: core.telegram.org/bots/api, "Getting updates" and "Available types"
 * (Bot API 8). A body is one update and does not name the bot, so the account
 * stands in the path; the header X-Telegram-Bot-Api-Secret-Token carries what
 * setWebhook was given. Ids of messages count within a chat. In a private chat
 * the chat is the person.
 */
#include "channel/media.h"
#include "channel/telegram.h"
#include "vault/numbers.h"

#include <string.h>

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	LarasBodyPart *piece = NULL;

	*nameless = 0;
	*pieces = NULL;
	*reason = NULL;
	if (!json_is_object(body))
		*reason = "not_an_object";
	else if (!json_is_integer(json_object_get(body, "update_id")))
		*reason = "unknown_object";
	else if ((piece = laras_allocate(allocator, sizeof(LarasBodyPart))) == NULL)
		*reason = "out_of_memory";
	if (*reason != NULL)
		return -1;
	piece->role = LARAS_ACCOUNT_NUMBER;
	piece->document = body;
	piece->whole = true;
	*pieces = piece;
	return 1;
}

/* ------------------------------------------------------------------ persons */

static void
read_person(LarasReader *r, LarasRecord *record, const json_t *user)
{
	LarasText first = laras_json_text_at(user, "first_name");
	LarasText last = laras_json_text_at(user, "last_name");

	laras_record_identity(record, LARAS_INDEX_TELEGRAM_ID,
						  laras_reader_id(r, laras_json_get(user, "id")));
	if (laras_text_given(first) && laras_text_given(last))
		record->name =
			laras_reader_print(r, "%.*s %.*s", (int) first.n, first.s, (int) last.n, last.s);
	else
		record->name = first;
}

LarasText
laras_telegram_message_id(const LarasAllocator *allocator, const json_t *chat, const json_t *id)
{
	const json_t *chat_id = laras_json_get(chat, "id");
	LarasText none = {NULL, 0};

	if (!json_is_integer(chat_id) || !json_is_integer(id))
		return none;
	return laras_text_print(allocator, "%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
							json_integer_value(chat_id), json_integer_value(id));
}

/* The same in the reader's memory; that memory is short is noted. */
static LarasText
message_id(LarasReader *r, const json_t *chat, const json_t *id)
{
	LarasText t = laras_telegram_message_id(r->allocator, chat, id);

	if (t.s == NULL && json_is_integer(laras_json_get(chat, "id")) && json_is_integer(id))
		r->short_of_memory = true;
	return t;
}

static bool
is_private(const json_t *chat)
{
	return laras_text_is(laras_json_text_at(chat, "type"), "private");
}

/* What is said in a group is not said to the business alone. */
static void
read_chat(LarasReader *r, LarasRecord *record, const json_t *chat)
{
	if (is_private(chat))
		return;
	laras_record_part(r, record, "group", chat);
	record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_WANTS_ANSWER);
}

/* ----------------------------------------------------------------- messages */

/* what a message may consist of, in the order in which it is looked for */
static const struct
{
	const char *member;
	const char *kind;
} contents[] = {
	{"animation", "video"}, /* before document, which it has too */
	{"photo", "image"},       {"video", "video"},       {"video_note", "video"},
	{"voice", "voice"},       {"audio", "audio"},       {"document", "document"},
	{"sticker", "sticker"},   {"venue", "location"}, /* before location, which it has too */
	{"location", "location"}, {"contact", "contacts"},  {"dice", "dice"},
	{"poll", "poll"},         {"web_app_data", "flow"}, {"successful_payment", "payment"},
};

/* what happens in a chat and is nobody's word to us */
static const char *const services[] = {
	"new_chat_members",        "left_chat_member",     "new_chat_title",
	"new_chat_photo",          "delete_chat_photo",    "group_chat_created",
	"supergroup_chat_created", "channel_chat_created", "migrate_to_chat_id",
	"migrate_from_chat_id",    "pinned_message",       "message_auto_delete_timer_changed"};

/* stands with any message and says nothing that is kept apart */
static bool
is_common(const char *member)
{
	static const char *const members[] = {"message_id",
										  "from",
										  "sender_chat",
										  "chat",
										  "date",
										  "edit_date",
										  "text",
										  "entities",
										  "caption",
										  "caption_entities",
										  "reply_to_message",
										  "forward_origin",
										  "quote",
										  "business_connection_id",
										  "document",
										  "location",
										  "link_preview_options"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(members[i], member) == 0)
			return true;
	return false;
}

/* Text, content and what stands beside it. Returns false where nothing is known. */
static bool
read_content(LarasReader *r, LarasRecord *record, const json_t *message)
{
	const json_t *chat = laras_json_get(message, "chat");
	const json_t *reply = laras_json_get(message, "reply_to_message");
	const char *member = NULL;
	json_t *extra = NULL;
	const char *key;
	json_t *value;

	record->text = laras_json_text_at(message, "text");
	if (record->text.s != NULL)
		record->message_kind = "text";
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]) && record->message_kind == NULL;
		 i++)
	{
		const json_t *content = laras_json_get(message, contents[i].member);

		if (content == NULL)
			continue;
		member = contents[i].member;
		record->message_kind = contents[i].kind;
		record->text = laras_json_text_at(message, "caption");
		laras_record_part(r, record,
						  strcmp(contents[i].kind, "contacts") == 0 ? "contact" : contents[i].kind,
						  content);
	}
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]) && record->message_kind == NULL;
		 i++)
	{
		const json_t *content = laras_json_get(message, services[i]);

		if (content == NULL)
			continue;
		member = services[i];
		record->message_kind = "system";
		record->flags &= ~(unsigned) LARAS_LIVE;
		laras_record_part(r, record, "system", content);
	}
	if (record->message_kind == NULL)
		return false;
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	if (reply != NULL)
		record->about =
			message_id(r, laras_json_get(reply, "chat") ? laras_json_get(reply, "chat") : chat,
					   laras_json_get(reply, "message_id"));
	laras_record_part(r, record, "context", laras_json_get(message, "forward_origin"));
	json_object_foreach((json_t *) message, key, value)
	{
		if (is_common(key) || (member != NULL && strcmp(key, member) == 0))
			continue;
		if (extra == NULL && (extra = laras_json_object()) == NULL)
			break;
		json_object_set(extra, key, value);
	}
	laras_record_new_part(r, record, "extra", extra);
	return true;
}

static void
read_message(LarasReader *r, const json_t *message, bool edited)
{
	const json_t *chat = laras_json_get(message, "chat");
	LarasText id = message_id(r, chat, laras_json_get(message, "message_id"));
	LarasRecord *record;
	int64_t edit_date = 0;

	if (!json_is_object(message))
	{
		laras_reader_fault(r, message, "message_not_an_object");
		return;
	}
	if (id.s == NULL)
	{
		laras_reader_fault(r, message, "message_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, message);
	record->flags = LARAS_LIVE;
	read_person(r, record, laras_json_get(message, "from"));
	record->provider_time =
		laras_record_seconds(laras_json_get(message, edited ? "edit_date" : "date"));
	if (!read_content(r, record, message))
	{
		if (edited)
		{
			/* what it was must not be replaced by nothing */
			record->kind = LARAS_RECORD_OTHER;
			record->reason = "unsupported_update";
			return;
		}
		record->message_kind = "unsupported";
		record->keep_element = true;
		record->text.s = NULL;
	}
	read_chat(r, record, chat);
	if (edited)
	{
		laras_json_integer(laras_json_get(message, "edit_date"), &edit_date);
		record->message_kind = "edit";
		record->effect = LARAS_EFFECT_EDIT;
		record->about = id;
		record->unnamed = true;
		record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_COUNTS);
		record->event_key =
			laras_reader_print(r, "edit|%.*s|%lld", (int) id.n, id.s, (long long) edit_date);
	}
	else
	{
		record->provider_id = id;
		record->event_key = laras_reader_print(r, "message|%.*s", (int) id.n, id.s);
	}
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
	}
}

/* ------------------------------------------------------------ other updates */

/* A tap on a button below a message of ours; the callback has an id of its own. */
static void
read_callback(LarasReader *r, const json_t *callback)
{
	const json_t *message = laras_json_get(callback, "message");
	LarasText id = laras_json_text_at(callback, "id");
	LarasRecord *record;

	if (!laras_text_given(id) || id.n > 64)
	{
		laras_reader_fault(r, callback, "message_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, callback);
	record->flags = LARAS_LIVE;
	record->message_kind = "postback";
	record->provider_id = laras_reader_print(r, "callback:%.*s", (int) id.n, id.s);
	record->event_key = laras_reader_print(r, "callback|%.*s", (int) id.n, id.s);
	read_person(r, record, laras_json_get(callback, "from"));
	record->about =
		message_id(r, laras_json_get(message, "chat"), laras_json_get(message, "message_id"));
	laras_record_new_part(r, record, "choice", laras_json_without(callback, "message"));
	if (message != NULL)
		read_chat(r, record, laras_json_get(message, "chat"));
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
	}
}

/* The reactions that a person now has on a message; none: taken back. */
static void
read_reaction(LarasReader *r, const json_t *reaction)
{
	const json_t *chat = laras_json_get(reaction, "chat");
	const json_t *first = laras_json_first(laras_json_get(reaction, "new_reaction"));
	LarasText about = message_id(r, chat, laras_json_get(reaction, "message_id"));
	LarasRecord *record;

	if (about.s == NULL)
	{
		laras_reader_fault(r, reaction, "reaction_without_message");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, reaction);
	record->message_kind = "reaction";
	record->unnamed = true;
	record->about = about;
	record->provider_time = laras_record_seconds(laras_json_get(reaction, "date"));
	record->text = laras_json_text_at(first, "emoji");
	read_person(r, record, laras_json_get(reaction, "user"));
	/* a picture of one's own making has no emoji */
	if (first != NULL && record->text.s == NULL)
		laras_record_part(r, record, "reaction", first);
	if (!is_private(chat))
		laras_record_part(r, record, "group", chat);
	record->event_key =
		laras_reader_print(r, "reaction|%.*s|%lld|%.*s", (int) about.n, about.s,
						   (long long) record->provider_time,
						   record->identity_count ? (int) record->identities[0].value.n : 0,
						   record->identity_count ? record->identities[0].value.s : "");
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
	}
}

/* A person stopped the bot, or took it back: in a private chat alone it is about them. */
static void
read_membership(LarasReader *r, const json_t *change)
{
	LarasText status = laras_json_text_at(laras_json_get(change, "new_chat_member"), "status");
	LarasRecord *record;

	if (!is_private(laras_json_get(change, "chat")))
	{
		laras_reader_other(r, change, "unsupported_update");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_PERSON, change);
	read_person(r, record, laras_json_get(change, "from"));
	record->provider_time = laras_record_seconds(laras_json_get(change, "date"));
	record->preference =
		laras_text_is(status, "kicked") ? LARAS_PREFERENCE_STOP : LARAS_PREFERENCE_RESUME;
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "person_without_id";
	}
}

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};
	const json_t *body;

	if ((body = laras_json_get(piece, "message")) != NULL ||
		(body = laras_json_get(piece, "business_message")) != NULL)
		read_message(&r, body, false);
	else if ((body = laras_json_get(piece, "edited_message")) != NULL ||
			 (body = laras_json_get(piece, "edited_business_message")) != NULL)
		read_message(&r, body, true);
	else if ((body = laras_json_get(piece, "callback_query")) != NULL)
		read_callback(&r, body);
	else if ((body = laras_json_get(piece, "message_reaction")) != NULL)
		read_reaction(&r, body);
	else if ((body = laras_json_get(piece, "my_chat_member")) != NULL)
		read_membership(&r, body);
	else
		laras_reader_other(&r, piece, "unsupported_update");
	return laras_reader_end(&r, records, reason);
}

static int
parse_element(const json_t *element, const LarasAllocator *allocator, LarasRecord **records,
			  const char **reason)
{
	LarasReader r = {.allocator = allocator};

	read_message(&r, element, false);
	return laras_reader_end(&r, records, reason);
}

const LarasChannelDriver laras_telegram_driver = {
	.channel = "telegram",
	.path = "telegram",
	.base_url = "https://api.telegram.org",
	.account_in_path = true,
	.signed_by_token = true,
	.split = split,
	.parse = parse,
	.parse_element = parse_element,
	.version = 1,
	/* what stands behind the digits and the colon of a token has begun so for all that were seen */
	.token_prefix = ":AA",
	.token_least = 24,
	.send = &laras_telegram_send,
	.connect = &laras_telegram_connect,
	.media = &laras_telegram_media,
};
