/*
 * whatsapp_message.c
 *		WhatsApp Cloud API: reading one message of any kind, and calls.
 *
 * Shapes: Meta's openapi description (business-messaging-api v23) and its
 * "messages webhook reference"; business-scoped user ids, edits and unsends
 * since 2026. What has a kind of its own becomes text and parts; a type that is
 * not known, or not shaped as it should be, is `unsupported` and kept whole;
 * members that are not known become the part `extra`.
 */
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <string.h>

/* the members that every message may have and that are read here */
static const char *const common_members[] = {
	"from",       "from_user_id",     "from_parent_user_id",
	"id",         "timestamp",        "type",
	"context",    "referral",         "identity",
	"group_id",   "history_context",  "to",
	"to_user_id", "to_parent_user_id"};

/* ---------------------------------------------------------------- persons */

/* The business-scoped id form: two capitals, a dot, letters, digits and dots. */
static bool
is_scoped_id(LarasText t)
{
	if (t.s == NULL || t.n < 4 || t.n > 160 || t.s[2] != '.')
		return false;
	for (size_t i = 0; i < t.n; i++)
	{
		char c = t.s[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool digit = c >= '0' && c <= '9';

		if (i < 2 ? !(c >= 'A' && c <= 'Z') : !(letter || digit || c == '.'))
			return false;
	}
	return true;
}

/* What kind of id this is by its form, and its text. */
static uint8_t
kind_of(LarasReader *r, const json_t *j, LarasText *value)
{
	*value = laras_json_text(j);
	if (is_scoped_id(*value))
		return LARAS_INDEX_BSUID;
	*value = laras_reader_id(r, j);
	return LARAS_INDEX_WA_ID;
}

void
laras_whatsapp_person(LarasReader *r, LarasRecord *record, const json_t *j)
{
	LarasText value;
	uint8_t kind = kind_of(r, j, &value);

	laras_record_identity(record, kind, value);
}

void
laras_whatsapp_scoped(LarasRecord *record, const json_t *j)
{
	LarasText t = laras_json_text(j);

	if (is_scoped_id(t) || laras_text_plain(t))
		laras_record_identity(record, LARAS_INDEX_BSUID, t);
}

void
laras_whatsapp_profile(LarasReader *r, LarasRecord *record, const json_t *contact)
{
	laras_whatsapp_scoped(record, laras_json_get(contact, "user_id"));
	laras_whatsapp_person(r, record, laras_json_get(contact, "wa_id"));
	record->name = laras_json_text_at(laras_json_get(contact, "profile"), "name");
}

/* The element of contacts[] that speaks of the sender of a message. */
static const json_t *
profile_of(const json_t *value, const json_t *message)
{
	const json_t *contacts = laras_json_get(value, "contacts");
	LarasText from = laras_json_text_at(message, "from");
	LarasText scoped = laras_json_text_at(message, "from_user_id");
	size_t i;
	json_t *contact;

	json_array_foreach(contacts, i, contact)
	{
		LarasText wa_id = laras_json_text_at(contact, "wa_id");
		LarasText user_id = laras_json_text_at(contact, "user_id");

		if (laras_text_same(from, wa_id) || laras_text_same(from, user_id) ||
			laras_text_same(scoped, user_id))
			return contact;
	}
	/* one message and one contact belong together although no id says so */
	if (json_array_size(contacts) == 1 && json_array_size(laras_json_get(value, "messages")) == 1 &&
		(!laras_text_given(from) || scoped.s == NULL))
		return laras_json_first(contacts);
	return NULL;
}

/*
 * Who wrote. The scoped id comes first: it stays when the phone is hidden; and
 * of ids of one kind the message's own comes before the profile's.
 */
static void
read_sender(LarasReader *r, LarasRecord *record, const json_t *value, const json_t *message)
{
	const json_t *contact = profile_of(value, message);

	laras_whatsapp_scoped(record, laras_json_get(message, "from_user_id"));
	if (contact != NULL)
		laras_whatsapp_scoped(record, laras_json_get(contact, "user_id"));
	laras_whatsapp_person(r, record, laras_json_get(message, "from"));
	if (contact != NULL)
		laras_whatsapp_profile(r, record, contact);
}

/* Is this the business's own number, however it is written? */
static bool
is_display_number(const json_t *value, LarasText t)
{
	LarasText own = laras_json_text_at(laras_json_get(value, "metadata"), "display_phone_number");
	size_t k = 0;

	if (!laras_text_given(own) || !laras_text_given(t))
		return false;
	for (size_t i = 0; i < own.n; i++)
	{
		if (own.s[i] < '0' || own.s[i] > '9')
			continue;
		if (k == t.n || t.s[k] != own.s[i])
			return false;
		k++;
	}
	return k > 0 && k == t.n;
}

/* To whom the business wrote. */
static void
read_recipient(LarasReader *r, LarasRecord *record, const json_t *value, const json_t *message)
{
	laras_whatsapp_scoped(record, laras_json_get(message, "to_user_id"));
	if (!is_display_number(value, laras_json_text_at(message, "to")))
		laras_whatsapp_person(r, record, laras_json_get(message, "to"));
	else
		laras_whatsapp_person(r, record, laras_json_get(message, "from"));
}

/* ------------------------------------------------------------------- kinds */

/*
 * Each reads the member that the type names, and returns false where that is
 * not shaped as it should be: then the message is unsupported.
 */
typedef bool (*ReadKind)(LarasReader *r, LarasRecord *record, const json_t *body);

static bool
read_text(LarasReader *r, LarasRecord *record, const json_t *body)
{
	(void) r;
	record->text = laras_json_text_at(body, "body");
	record->message_kind = "text";
	return record->text.s != NULL;
}

/* What has a caption says it as text; the rest is the part. */
static bool
read_media(LarasReader *r, LarasRecord *record, const json_t *body, const char *kind)
{
	if (!json_is_object(body))
		return false;
	record->message_kind = kind;
	record->text = laras_json_text_at(body, "caption");
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	laras_record_new_part(r, record, kind, laras_json_without(body, "caption"));
	return true;
}

static bool
read_image(LarasReader *r, LarasRecord *record, const json_t *body)
{
	return read_media(r, record, body, "image");
}

static bool
read_video(LarasReader *r, LarasRecord *record, const json_t *body)
{
	return read_media(r, record, body, "video");
}

static bool
read_audio(LarasReader *r, LarasRecord *record, const json_t *body)
{
	return read_media(r, record, body,
					  laras_json_true(laras_json_get(body, "voice")) ? "voice" : "audio");
}

static bool
read_document(LarasReader *r, LarasRecord *record, const json_t *body)
{
	return read_media(r, record, body, "document");
}

static bool
read_sticker(LarasReader *r, LarasRecord *record, const json_t *body)
{
	return read_media(r, record, body, "sticker");
}

static bool
read_location(LarasReader *r, LarasRecord *record, const json_t *body)
{
	if (laras_json_get(body, "latitude") == NULL || laras_json_get(body, "longitude") == NULL)
		return false;
	record->message_kind = "location";
	laras_record_part(r, record, "location", body);
	return true;
}

static bool
read_contacts(LarasReader *r, LarasRecord *record, const json_t *body)
{
	size_t i;
	json_t *card;

	if (json_array_size(body) == 0)
		return false;
	record->message_kind = "contacts";
	json_array_foreach(body, i, card)
		laras_record_part(r, record, "contact", card);
	return true;
}

static bool
read_button(LarasReader *r, LarasRecord *record, const json_t *body)
{
	record->text = laras_json_text_at(body, "text");
	if (record->text.s == NULL)
		return false;
	record->message_kind = "button";
	laras_record_part(r, record, "choice", body);
	return true;
}

/* The tap on a button or a line of a list that we had sent. */
static bool
read_choice(LarasReader *r, LarasRecord *record, const json_t *choice, const char *kind)
{
	record->text = laras_json_text_at(choice, "title");
	if (record->text.s == NULL)
		return false;
	record->message_kind = kind;
	laras_record_part(r, record, "choice", choice);
	return true;
}

/* A finished flow; its answers come as JSON inside a string. */
static bool
read_flow(LarasReader *r, LarasRecord *record, const json_t *reply)
{
	LarasText answers = laras_json_text_at(reply, "response_json");
	json_t *parsed;
	json_t *part;

	if (!json_is_object(reply))
		return false;
	record->message_kind = "flow";
	record->text = laras_json_text_at(reply, "body");
	parsed = answers.s != NULL ? laras_json_parse(answers.s, answers.n, NULL) : NULL;
	if (parsed == NULL)
	{
		laras_record_part(r, record, "flow", reply);
		return true;
	}
	part = laras_json_without(reply, "response_json");
	if (part != NULL)
		json_object_set(part, "response", parsed);
	json_decref(parsed);
	laras_record_new_part(r, record, "flow", part);
	return true;
}

static bool
read_interactive(LarasReader *r, LarasRecord *record, const json_t *body)
{
	LarasText type = laras_json_text_at(body, "type");

	if (laras_text_is(type, "button_reply"))
		return read_choice(r, record, laras_json_get(body, "button_reply"), "button");
	if (laras_text_is(type, "list_reply"))
		return read_choice(r, record, laras_json_get(body, "list_reply"), "list");
	if (laras_text_is(type, "nfm_reply"))
		return read_flow(r, record, laras_json_get(body, "nfm_reply"));
	if (laras_text_is(type, "call_permission_reply") &&
		json_is_object(laras_json_get(body, "call_permission_reply")))
	{
		record->message_kind = "call_permission";
		record->flags &= ~(unsigned) LARAS_WANTS_ANSWER;
		laras_record_part(r, record, "call_permission",
						  laras_json_get(body, "call_permission_reply"));
		return true;
	}
	return false;
}

/* On a message of ours or of theirs; without an emoji the reaction is taken back. */
static bool
read_reaction(LarasReader *r, LarasRecord *record, const json_t *body)
{
	(void) r;
	record->about = laras_json_text_at(body, "message_id");
	if (!laras_text_given(record->about))
		return false;
	record->message_kind = "reaction";
	record->text = laras_json_text_at(body, "emoji");
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	record->flags &= ~(unsigned) LARAS_LIVE;
	return true;
}

static bool
read_order(LarasReader *r, LarasRecord *record, const json_t *body)
{
	if (!json_is_object(body))
		return false;
	record->message_kind = "order";
	record->text = laras_json_text_at(body, "text");
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	laras_record_new_part(r, record, "order", laras_json_without(body, "text"));
	return true;
}

/*
 * "User Sari changed from US.1 to US.2": the id that was stands nowhere else.
 */
static void
retire_named(LarasReader *r, LarasRecord *record, LarasText said)
{
	size_t i = 0;

	while (said.s != NULL && i < said.n)
	{
		size_t end = i;
		LarasText word;

		while (end < said.n && said.s[end] != ' ')
			end++;
		word = (LarasText){said.s + i, end - i};
		if (is_scoped_id(word) && record->identity_count == 0)
			laras_record_identity(record, LARAS_INDEX_BSUID, laras_reader_copy(r, word.s, word.n));
		i = end + 1;
	}
}

/* The person has a new number or id, or another device. */
static bool
read_system(LarasReader *r, LarasRecord *record, const json_t *body)
{
	LarasText type = laras_json_text_at(body, "type");
	LarasText value;
	uint8_t kind;

	if (!json_is_object(body))
		return false;
	record->message_kind = "system";
	record->text = laras_json_text_at(body, "body");
	record->flags &= ~(unsigned) LARAS_LIVE;
	laras_record_part(r, record, "system", body);
	if (laras_text_is(type, "user_changed_number") ||
		laras_text_is(type, "customer_changed_number"))
	{
		kind = kind_of(r, laras_json_get(body, "wa_id"), &value);
		if (!laras_text_given(value))
			kind = kind_of(r, laras_json_get(body, "new_wa_id"), &value);
		laras_record_renewal(record, kind, value);
		kind = kind_of(r, laras_json_get(body, "user_id"), &value);
		laras_record_renewal(record, kind, value);
	}
	else if (laras_text_is(type, "user_changed_user_id"))
	{
		if (record->identity_count == 0)
			retire_named(r, record, record->text);
		kind = kind_of(r, laras_json_get(body, "user_id"), &value);
		laras_record_renewal(record, kind, value);
	}
	return true;
}

static bool
read_revoke(LarasReader *r, LarasRecord *record, const json_t *body)
{
	(void) r;
	record->about = laras_json_text_at(body, "original_message_id");
	if (!laras_text_given(record->about))
		return false;
	record->message_kind = "unsend";
	record->effect = LARAS_EFFECT_UNSEND;
	record->flags &= ~(unsigned) LARAS_LIVE;
	return true;
}

/* the person opened the chat for the first time */
static bool
read_welcome(LarasReader *r, LarasRecord *record, const json_t *body)
{
	(void) r;
	(void) body;
	record->message_kind = "welcome";
	record->flags &= ~(unsigned) (LARAS_COUNTS | LARAS_WANTS_ANSWER);
	return true;
}

static bool read_edit(LarasReader *r, LarasRecord *record, const json_t *body);

static const struct
{
	const char *type;
	ReadKind read;
} kinds[] = {
	{"text", read_text},         {"image", read_image},
	{"video", read_video},       {"audio", read_audio},
	{"document", read_document}, {"sticker", read_sticker},
	{"location", read_location}, {"contacts", read_contacts},
	{"button", read_button},     {"interactive", read_interactive},
	{"reaction", read_reaction}, {"order", read_order},
	{"system", read_system},     {"edit", read_edit},
	{"revoke", read_revoke},     {"request_welcome", read_welcome},
};

#define KIND_COUNT ((int) (sizeof(kinds) / sizeof(kinds[0])))

/* The kind of a message; by the member it has, where no type is given. -1: none. */
static int
find_kind(const json_t *message)
{
	LarasText type = laras_json_text_at(message, "type");

	for (int i = 0; i < KIND_COUNT; i++)
		if (type.s != NULL ? laras_text_is(type, kinds[i].type)
						   : laras_json_get(message, kinds[i].type) != NULL)
			return i;
	return -1;
}

/* The message as it reads now, of any kind that can be edited. */
static bool
read_edit(LarasReader *r, LarasRecord *record, const json_t *body)
{
	const json_t *message = laras_json_get(body, "message");
	LarasText about = laras_json_text_at(body, "original_message_id");
	int kind = find_kind(message);

	if (!laras_text_given(about) || kind < 0 || kinds[kind].read == read_edit ||
		kinds[kind].read == read_system || kinds[kind].read == read_revoke ||
		!kinds[kind].read(r, record, laras_json_get(message, kinds[kind].type)))
		return false;
	record->about = about;
	record->message_kind = "edit";
	record->effect = LARAS_EFFECT_EDIT;
	/* a draft to what was said before is overtaken by one to what is said now */
	record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_COUNTS);
	return true;
}

/* ----------------------------------------------------------------- message */

static bool
is_common(const char *member)
{
	for (size_t i = 0; i < sizeof(common_members) / sizeof(common_members[0]); i++)
		if (strcmp(common_members[i], member) == 0)
			return true;
	return false;
}

/* What stands beside the kind: what it answers, where it came from, and the unknown. */
static void
read_surroundings(LarasReader *r, LarasRecord *record, const json_t *message, const char *type)
{
	const json_t *context = laras_json_get(message, "context");
	json_t *extra = NULL;
	const char *key;
	json_t *value;

	if (context != NULL)
	{
		size_t known =
			(laras_json_get(context, "from") != NULL) + (laras_json_get(context, "id") != NULL);

		if (record->about.s == NULL)
			record->about = laras_json_text_at(context, "id");
		if (!laras_text_given(record->about))
			record->about.s = NULL;
		/* forwarded, the product it asks about, and whatever else */
		if (json_object_size(context) > known)
			laras_record_part(r, record, "context", context);
	}
	laras_record_part(r, record, "referral", laras_json_get(message, "referral"));
	laras_record_part(r, record, "identity", laras_json_get(message, "identity"));
	json_object_foreach((json_t *) message, key, value)
	{
		if (strcmp(key, type) == 0 || is_common(key))
			continue;
		if (extra == NULL && (extra = laras_json_object()) == NULL)
			break;
		json_object_set(extra, key, value);
	}
	laras_record_new_part(r, record, "extra", extra);
	value = laras_json_get(message, "group_id");
	if (value != NULL)
	{
		/* what is said in a group is not said to the business alone */
		json_t *group = json_pack("{s:O}", "id", value);

		laras_record_new_part(r, record, "group", group);
		record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_WANTS_ANSWER);
	}
}

/* The status a message of the past had, in our words. */
static const char *
history_status(const json_t *message)
{
	static const struct
	{
		const char *given;
		const char *word;
	} words[] = {{"DELIVERED", "delivered"},
				 {"READ", "read"},
				 {"PLAYED", "played"},
				 {"ERROR", "failed"}};
	LarasText status = laras_json_text_at(laras_json_get(message, "history_context"), "status");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (laras_text_is(status, words[i].given))
			return words[i].word;
	return NULL;
}

void
laras_whatsapp_message(LarasReader *r, LarasWhatsAppPlace place, const json_t *value,
					   const json_t *thread, const json_t *message)
{
	LarasText id = laras_json_text_at(message, "id");
	LarasRecord *record;
	int kind;

	if (!json_is_object(message))
	{
		laras_reader_fault(r, message, "message_not_an_object");
		return;
	}
	if (!laras_text_given(id) || id.n > 1024)
	{
		laras_reader_fault(r, message, "message_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, message);
	record->provider_id = id;
	record->event_key = laras_reader_print(r, "message|%.*s", (int) id.n, id.s);
	record->provider_time = laras_record_seconds(laras_json_get(message, "timestamp"));
	record->flags = place == LARAS_WHATSAPP_INBOUND ? LARAS_LIVE
					: place == LARAS_WHATSAPP_ECHO  ? LARAS_OUTBOUND
													: LARAS_HISTORICAL;
	if (thread != NULL)
	{
		LarasText person = laras_json_text(thread);

		laras_whatsapp_person(r, record, thread);
		if (!laras_text_same(person, laras_json_text_at(message, "from")) &&
			!laras_text_same(person, laras_json_text_at(message, "from_user_id")))
			record->flags |= LARAS_OUTBOUND;
	}
	else if (place == LARAS_WHATSAPP_HISTORY &&
			 is_display_number(value, laras_json_text_at(message, "from")))
	{
		record->flags |= LARAS_OUTBOUND;
		read_recipient(r, record, value, message);
	}
	else if (place == LARAS_WHATSAPP_ECHO)
		read_recipient(r, record, value, message);
	else
		read_sender(r, record, value, message);
	if (place == LARAS_WHATSAPP_HISTORY && (record->flags & LARAS_OUTBOUND))
		record->status = history_status(message);

	kind = find_kind(message);
	if (kind >= 0 && kinds[kind].read(r, record, laras_json_get(message, kinds[kind].type)))
		read_surroundings(r, record, message, kinds[kind].type);
	else
	{
		laras_record_unsupported(record);
		record->effect = LARAS_EFFECT_NONE;
		record->flags |= place == LARAS_WHATSAPP_INBOUND ? LARAS_LIVE : 0;
		laras_whatsapp_error(record, laras_json_get(message, "errors"));
	}
	/* what is said by the business, or was said long ago, asks for no answer */
	if (place != LARAS_WHATSAPP_INBOUND)
		record->flags &= ~(unsigned) LARAS_LIVE;
	if (record->identity_count == 0 && value != NULL)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
	}
}

int
laras_whatsapp_parse_element(const json_t *element, const LarasAllocator *allocator,
							 LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};

	laras_whatsapp_message(&r, LARAS_WHATSAPP_INBOUND, NULL, NULL, element);
	return laras_reader_end(&r, records, reason);
}

/* ------------------------------------------------------------------- calls */

/*
 * A call rings, is taken and ends under one id: each of these is an entry in
 * the conversation, and none is found by that id.
 */
void
laras_whatsapp_call(LarasReader *r, const json_t *value, const json_t *call)
{
	LarasText id = laras_json_text_at(call, "id");
	LarasText event = laras_json_text_at(call, "event");
	LarasText from = laras_json_text_at(call, "from");
	const json_t *contacts = laras_json_get(value, "contacts");
	LarasRecord *record;

	if (!json_is_object(call) || !laras_text_given(id) || id.n > 1024 || !laras_text_word(event))
	{
		laras_reader_fault(r, call, "call_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, call);
	record->provider_id = id;
	record->unnamed = true;
	record->event_key =
		laras_reader_print(r, "call|%.*s|%.*s", (int) id.n, id.s, (int) event.n, event.s);
	record->provider_time = laras_record_seconds(laras_json_get(call, "timestamp"));
	record->message_kind = "call";
	record->flags = LARAS_OPENS_WINDOW | LARAS_COUNTS;
	if (laras_text_is(laras_json_text_at(call, "direction"), "BUSINESS_INITIATED"))
		record->flags = LARAS_OUTBOUND;
	else if (!laras_text_is(event, "connect"))
		record->flags = 0;
	if (json_array_size(contacts) == 1)
		laras_whatsapp_profile(r, record, laras_json_first(contacts));
	else if (is_display_number(value, from))
		laras_whatsapp_person(r, record, laras_json_get(call, "to"));
	else
		laras_whatsapp_person(r, record, laras_json_get(call, "from"));
	/* the session description is of no use once the call has rung */
	laras_record_new_part(r, record, "call", laras_json_without(call, "session"));
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
	}
}
