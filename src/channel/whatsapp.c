/*
 * whatsapp.c
 *		WhatsApp Cloud API webhooks: splitting a body by account and reading its
 *		messages and statuses.
 *
 * Shapes: Meta's openapi description (business-messaging-api v23) and its
 * "messages webhook reference"; business-scoped user ids since 2026. Unknown
 * fields, types and keys are normal: what is not read here is kept whole.
 */
#include "channel/channel.h"
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <string.h>

/* later than this (year 2100) a timestamp is absurd */
#define LATEST_TIME INT64_C(4102444800)

/* ------------------------------------------------------------- splitting */

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

/* An account id fit for routing: short and plain. */
static bool
is_account_id(LarasText t)
{
	if (t.s == NULL || t.n == 0 || t.n > 64)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] <= ' ' || (unsigned char) t.s[i] >= 0x7f)
			return false;
	return true;
}

static LarasText
allocated_id(const json_t *j, const LarasAllocator *allocator)
{
	LarasText t = laras_json_text(j);

	if (json_is_integer(j))
		t = laras_text_print(allocator, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	if (!is_account_id(t))
		t.s = NULL;
	return t;
}

/* Find or add the piece of an account; NULL when there are too many. */
static LarasBodyPart *
piece_of(LarasBodyPart *pieces, int *count, int room, LarasText account, LarasAccountRole role,
		 LarasText above)
{
	LarasBodyPart *piece;

	for (int i = *count - 1; i >= 0; i--)
		if (pieces[i].role == role && pieces[i].account.n == account.n &&
			memcmp(pieces[i].account.s, account.s, account.n) == 0 &&
			pieces[i].above.n == above.n &&
			(above.n == 0 || memcmp(pieces[i].above.s, above.s, above.n) == 0))
			return &pieces[i];
	if (*count == room)
		return NULL;
	piece = &pieces[(*count)++];
	piece->account = account;
	piece->role = role;
	piece->above = above;
	return piece;
}

/*
 * One change of an entry goes into the piece of its account. Returns false
 * when memory or room is short.
 */
static bool
add_change(json_t *body, json_t *entry, json_t *change, LarasBodyPart *piece)
{
	json_t *entries;
	json_t *last;

	if (piece->document == NULL)
	{
		piece->document = laras_json_object();
		if (piece->document == NULL)
			return false;
		json_object_set(piece->document, "object", json_object_get(body, "object"));
		json_object_set_new(piece->document, "entry", json_array());
	}
	entries = json_object_get(piece->document, "entry");
	last = json_array_get(entries, json_array_size(entries) - 1);
	if (last == NULL || json_object_get(last, "laras_entry") != entry)
	{
		const char *key;
		json_t *value;

		/* the marker keeps the source entry recognisable; dropped below */
		last = laras_json_object();
		json_object_foreach(entry, key, value)
			if (strcmp(key, "changes") != 0)
				json_object_set(last, key, value);
		json_object_set(last, "laras_entry", entry);
		json_object_set_new(last, "changes", json_array());
		if (json_array_append_new(entries, last) != 0)
			return false;
	}
	return json_array_append(json_object_get(last, "changes"), change) == 0;
}

static void
drop_markers(LarasBodyPart *piece)
{
	size_t i;
	json_t *entry;

	json_array_foreach(json_object_get(piece->document, "entry"), i, entry)
		json_object_del(entry, "laras_entry");
}

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	json_t *entries = json_object_get(body, "entry");
	json_t *entry;
	size_t i;
	size_t changes = 0;
	size_t routed = 0;
	int count = 0;
	int room;
	LarasBodyPart *found;

	*nameless = 0;
	*pieces = NULL;
	if (!json_is_object(body))
	{
		*reason = "not_an_object";
		return -1;
	}
	if (!laras_text_is(laras_json_text_at(body, "object"), "whatsapp_business_account"))
	{
		*reason = "unknown_object";
		return -1;
	}
	json_array_foreach(entries, i, entry)
		changes += json_array_size(json_object_get(entry, "changes"));
	room = changes < LARAS_MAX_PARTS ? (int) changes : LARAS_MAX_PARTS;
	if (room == 0)
		return 0;
	found = laras_allocate(allocator, sizeof(LarasBodyPart) * (size_t) room);
	if (found == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	json_array_foreach(entries, i, entry)
	{
		LarasText business = allocated_id(json_object_get(entry, "id"), allocator);
		json_t *change;
		size_t k;

		json_array_foreach(json_object_get(entry, "changes"), k, change)
		{
			json_t *metadata = laras_json_get(laras_json_get(change, "value"), "metadata");
			LarasText number = allocated_id(laras_json_get(metadata, "phone_number_id"), allocator);
			LarasText absent = {NULL, 0};
			LarasBodyPart *piece;

			if (number.s == NULL && business.s == NULL)
			{
				(*nameless)++;
				continue;
			}
			if (number.s != NULL)
				piece = piece_of(found, &count, room, number, LARAS_ACCOUNT_NUMBER,
								 business.s != NULL ? business : absent);
			else
				piece = piece_of(found, &count, room, business, LARAS_ACCOUNT_BUSINESS, absent);
			/* a lone change needs no body made for it */
			if (piece == NULL || (changes > 1 && !add_change(body, entry, change, piece)))
			{
				for (int p = 0; p < count; p++)
					json_decref(found[p].document);
				*reason = piece == NULL ? "too_many_accounts" : "out_of_memory";
				return -1;
			}
			routed++;
		}
	}
	for (int p = 0; p < count; p++)
		drop_markers(&found[p]);
	if (count == 1 && routed == changes)
	{
		/* the usual case: the bytes as received are the piece */
		json_decref(found[0].document);
		found[0].document = body;
		found[0].whole = true;
	}
	*pieces = found;
	return count;
}

/* --------------------------------------------------------------- parsing */

typedef struct Reader
{
	const LarasAllocator *allocator;
	LarasRecord *records;
	int count;
	int room;
} Reader;

static LarasRecord *
next_record(Reader *r, LarasRecordKind kind, const json_t *element)
{
	LarasRecord *record;

	if (r->count == r->room)
		return NULL;
	record = &r->records[r->count++];
	record->kind = kind;
	record->element = element;
	return record;
}

static void
fault(Reader *r, const json_t *element, const char *reason)
{
	LarasRecord *record = next_record(r, LARAS_RECORD_FAULT, element);

	if (record != NULL)
		record->reason = reason;
}

static int64_t
time_of(const json_t *j)
{
	int64_t t;

	if (!laras_json_integer(j, &t) || t <= 0 || t > LATEST_TIME)
		return 0;
	return t;
}

static void
add_identity(LarasRecord *record, uint8_t kind, LarasText value)
{
	for (int i = 0; i < record->identity_count; i++)
		if (record->identities[i].kind == kind)
			return;
	if (record->identity_count < LARAS_MAX_IDENTITIES)
	{
		record->identities[record->identity_count].kind = kind;
		record->identities[record->identity_count].value = value;
		record->identity_count++;
	}
}

/*
 * An id of a person, wherever it stood: the business-scoped form is that,
 * whatever the key's name (integrators report scoped ids in from and wa_id);
 * any other short plain word is a WhatsApp id, normally digits.
 */
static void
add_person(LarasRecord *record, const json_t *j, const LarasAllocator *allocator)
{
	LarasText t = laras_json_text(j);

	if (json_is_integer(j) && json_integer_value(j) > 0)
		t = laras_text_print(allocator, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	if (is_scoped_id(t))
		add_identity(record, LARAS_INDEX_BSUID, t);
	else if (is_account_id(t))
		add_identity(record, LARAS_INDEX_WA_ID, t);
}

static bool
same_text(LarasText a, LarasText b)
{
	return a.s != NULL && b.s != NULL && a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
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

		if (same_text(from, wa_id) || same_text(from, user_id) || same_text(scoped, user_id))
			return contact;
	}
	/* one message and one contact belong together although no id says so */
	if (json_array_size(contacts) == 1 && json_array_size(laras_json_get(value, "messages")) == 1 &&
		(from.s == NULL || from.n == 0 || scoped.s == NULL))
		return laras_json_first(contacts);
	return NULL;
}

static void
read_message(Reader *r, const json_t *value, const json_t *message)
{
	LarasText id = laras_json_text_at(message, "id");
	LarasRecord *record;
	const json_t *contact;
	const json_t *system;

	if (!json_is_object(message))
	{
		fault(r, message, "message_not_an_object");
		return;
	}
	if (id.s == NULL || id.n == 0 || id.n > 1024)
	{
		fault(r, message, "message_without_id");
		return;
	}
	record = next_record(r, LARAS_RECORD_MESSAGE, message);
	if (record == NULL)
		return;
	record->provider_id = id;
	record->event_key = laras_text_print(r->allocator, "message|%.*s", (int) id.n, id.s);
	record->provider_time = time_of(laras_json_get(message, "timestamp"));

	contact = profile_of(value, message);
	/* the scoped id first: it stays when the phone is hidden */
	add_person(record, laras_json_get(message, "from_user_id"), r->allocator);
	if (contact != NULL)
		add_person(record, laras_json_get(contact, "user_id"), r->allocator);
	add_person(record, laras_json_get(message, "from"), r->allocator);
	if (contact != NULL)
	{
		add_person(record, laras_json_get(contact, "wa_id"), r->allocator);
		record->name = laras_json_text_at(laras_json_get(contact, "profile"), "name");
	}
	system = laras_json_get(message, "system");
	if (record->identity_count == 0)
		add_person(record, laras_json_get(system, "wa_id"), r->allocator);
	if (record->identity_count == 0)
		add_person(record, laras_json_get(system, "user_id"), r->allocator);
	if (record->event_key.s == NULL)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "out_of_memory";
		return;
	}
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
		return;
	}
	record->text = laras_json_text_at(laras_json_get(message, "text"), "body");
	if (laras_text_is(laras_json_text_at(message, "type"), "text") && record->text.s != NULL)
		record->message_kind = "text";
	else
	{
		record->message_kind = "unsupported";
		record->text.s = NULL;
		record->text.n = 0;
		record->keep_element = true;
	}
}

/* The status words that the inbox knows; anything else is kept as unread. */
static const char *
status_word(LarasText t)
{
	static const char *const words[] = {"sent", "delivered", "read", "played", "failed", "deleted"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (laras_text_is(t, words[i]))
			return words[i];
	return NULL;
}

static void
read_status(Reader *r, const json_t *status)
{
	LarasText id = laras_json_text_at(status, "id");
	LarasText recipient = laras_json_text_at(status, "recipient_id");
	const char *word = status_word(laras_json_text_at(status, "status"));
	const json_t *error;
	LarasRecord *record;
	int64_t code;

	if (!json_is_object(status))
	{
		fault(r, status, "status_not_an_object");
		return;
	}
	if (id.s == NULL || id.n == 0 || id.n > 1024)
	{
		fault(r, status, "status_without_id");
		return;
	}
	if (word == NULL)
	{
		record = next_record(r, LARAS_RECORD_OTHER, status);
		if (record != NULL)
			record->reason = "unknown_status";
		return;
	}
	if (recipient.s == NULL || recipient.n == 0)
		recipient = laras_json_text_at(status, "recipient_user_id");
	record = next_record(r, LARAS_RECORD_STATUS, status);
	if (record == NULL)
		return;
	record->status = word;
	record->provider_id = id;
	record->provider_time = time_of(laras_json_get(status, "timestamp"));
	record->event_key =
		laras_text_print(r->allocator, "status|%.*s|%s|%.*s", (int) id.n, id.s, word,
						 recipient.s ? (int) recipient.n : 0, recipient.s ? recipient.s : "");
	add_person(record, laras_json_get(status, "recipient_id"), r->allocator);
	add_person(record, laras_json_get(status, "recipient_user_id"), r->allocator);
	record->callback_data = laras_json_text_at(status, "biz_opaque_callback_data");
	error = laras_json_first(laras_json_get(status, "errors"));
	if (laras_json_integer(laras_json_get(error, "code"), &code) && code > 0 && code < INT32_MAX)
		record->error_code = (int) code;
	record->error_details = laras_json_text_at(laras_json_get(error, "error_data"), "details");
	if (record->error_details.s == NULL)
		record->error_details = laras_json_text_at(error, "title");
	if (record->event_key.s == NULL)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "out_of_memory";
	}
}

static void
read_change(Reader *r, const json_t *change)
{
	const json_t *value = laras_json_get(change, "value");
	const json_t *messages = laras_json_get(value, "messages");
	const json_t *statuses = laras_json_get(value, "statuses");
	json_t *element;
	size_t i;

	if (!laras_text_is(laras_json_text_at(change, "field"), "messages") ||
		(messages == NULL && statuses == NULL))
	{
		LarasRecord *record = next_record(r, LARAS_RECORD_OTHER, change);

		if (record != NULL)
			record->reason = "unsupported_field";
		return;
	}
	if (messages != NULL && !json_is_array(messages))
		fault(r, messages, "messages_not_an_array");
	if (statuses != NULL && !json_is_array(statuses))
		fault(r, statuses, "statuses_not_an_array");
	json_array_foreach(messages, i, element)
		read_message(r, value, element);
	json_array_foreach(statuses, i, element)
		read_status(r, element);
}

static int
parse(const json_t *piece, const LarasAllocator *allocator, LarasRecord **records,
	  const char **reason)
{
	Reader r = {.allocator = allocator};
	json_t *entry;
	json_t *change;
	size_t i, k;
	size_t room = 0;

	*records = NULL;
	json_array_foreach(laras_json_get(piece, "entry"), i, entry)
		json_array_foreach(laras_json_get(entry, "changes"), k, change)
		{
			const json_t *value = laras_json_get(change, "value");

			room += 2 + json_array_size(laras_json_get(value, "messages")) +
					json_array_size(laras_json_get(value, "statuses"));
		}
	if (room == 0)
		return 0;
	if (room > INT32_MAX / sizeof(LarasRecord) ||
		(r.records = laras_allocate(allocator, room * sizeof(LarasRecord))) == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	r.room = (int) room;
	json_array_foreach(laras_json_get(piece, "entry"), i, entry)
		json_array_foreach(laras_json_get(entry, "changes"), k, change)
			read_change(&r, change);
	*records = r.records;
	return r.count;
}

const LarasChannelDriver laras_whatsapp_driver = {
	.channel = "whatsapp",
	.path = "wa",
	.split = split,
	.parse = parse,
	/* every token of the Graph API begins so and has a hundred and more */
	.token_prefix = "EAA",
	.token_least = 24,
	.window_seconds = 24 * 60 * 60,
	.send = &laras_whatsapp_send,
};
