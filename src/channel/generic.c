/*
 * generic.c
 *		Any system that can post signed JSON: a CRM, a support desk, a shop. What
 *		its members mean is said by configuration alone.
 *
 * The options of its provider app hold a mapping, JSON Pointers (RFC 6901) into
 * the body:
 *
 *	{"mapping": {"items": "/data", "id": "/id", "from": "/author/id",
 *				 "identity": "email", "phone": "/author/phone", "name": "/author/name", "text": "/body",
 *				 "time": "/created_at", "about": "/in_reply_to",
 *				 "event": "/type", "messages": ["comment.created"],
 *				 "edits": ["comment.updated"], "removals": ["comment.deleted"],
 *				 "outbound": {"at": "/author/role", "is": ["agent", "bot"]},
 *				 "parts": {"image": "/picture", "link": "/url"},
 *				 "media": {"list": "/files", "url": "/href", "type": "/mime", "name": "/title"}},
 *	 "media_hosts": ["files.crm.example", ".cdn.example"]}
 *
 * items names the list of events (absent: the body is one, or is the list); the
 * other pointers start at an event. id and from are needed. Without event
 * every item is a message. An id of from is unique within its system, which the
 * account's own id keeps apart from others; identity email or phone says that it
 * is an address or a number, which is one everywhere. phone and email name such
 * beside it. media names files that are fetched, from media_hosts alone; its list
 * starts at the event (absent: the event is the one file), its other pointers at
 * a file: size, in bytes, and sha256 may be among them.
 */
#include "channel/connect.h"
#include "channel/generic.h"
#include "channel/media.h"
#include "channel/record.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>

/* ids, addresses, numbers of a person */
#define LONGEST_IDENTITY 256
#define LONGEST_NUMBER 64

/* files of one item */
#define MOST_FILES 32

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	LarasBodyPart *piece = NULL;

	*nameless = 0;
	*pieces = NULL;
	*reason = NULL;
	if (!json_is_object(body) && !json_is_array(body))
		*reason = "not_an_object";
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

/* ----------------------------------------------------------------- pointers */

/* One step of a pointer: a member, or an element by its number. */
static const json_t *
step(const json_t *at, const char *token, size_t n)
{
	char name[LARAS_LONGEST_POINTER + 1];
	size_t length = 0;

	for (size_t i = 0; i < n; i++)
	{
		char c = token[i];

		/* ~1 is a slash and ~0 a tilde */
		if (c == '~' && i + 1 < n && (token[i + 1] == '0' || token[i + 1] == '1'))
			c = token[++i] == '0' ? '~' : '/';
		if (c == '\0')
			return NULL;
		name[length++] = c;
	}
	name[length] = '\0';
	if (json_is_array(at))
	{
		size_t index = 0;

		if (length == 0 || length > 9 || strspn(name, "0123456789") != length ||
			(length > 1 && name[0] == '0'))
			return NULL;
		for (size_t i = 0; i < length; i++)
			index = index * 10 + (size_t) (name[i] - '0');
		return json_array_get(at, index);
	}
	return json_object_get(at, name);
}

/* What a pointer finds; NULL where it finds nothing or is none. */
static const json_t *
follow(const json_t *from, LarasText pointer)
{
	const char *p = pointer.s;
	const char *end;

	if (p == NULL || pointer.n > LARAS_LONGEST_POINTER)
		return NULL;
	end = p + pointer.n;
	while (p < end && from != NULL)
	{
		const char *next;

		if (*p++ != '/')
			return NULL;
		next = memchr(p, '/', (size_t) (end - p));
		if (next == NULL)
			next = end;
		from = step(from, p, (size_t) (next - p));
		p = next;
	}
	return from;
}

static const json_t *
mapped(const json_t *mapping, const char *what, const json_t *item)
{
	return follow(item, laras_json_text_at(mapping, what));
}

/* A text, or a number as its digits. */
static LarasText
mapped_text(LarasReader *r, const json_t *mapping, const char *what, const json_t *item)
{
	const json_t *value = mapped(mapping, what, item);

	if (json_is_integer(value))
		return laras_reader_print(r, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return laras_json_text(value);
}

/* Is the value one of those words? */
static bool
is_one_of(const json_t *value, const json_t *words)
{
	LarasText given = laras_json_text(value);
	json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
		if (laras_text_same(given, laras_json_text(word)) ||
			(given.s == NULL && json_equal(value, word)))
			return true;
	return false;
}

/* -------------------------------------------------------------------- items */

typedef enum ItemKind
{
	ITEM_MESSAGE,
	ITEM_EDIT,
	ITEM_REMOVAL,
	ITEM_UNKNOWN
} ItemKind;

static ItemKind
kind_of(const json_t *mapping, const json_t *item)
{
	const json_t *event = mapped(mapping, "event", item);

	if (laras_json_get(mapping, "event") == NULL)
		return ITEM_MESSAGE;
	if (is_one_of(event, laras_json_get(mapping, "messages")))
		return ITEM_MESSAGE;
	if (is_one_of(event, laras_json_get(mapping, "edits")))
		return ITEM_EDIT;
	if (is_one_of(event, laras_json_get(mapping, "removals")))
		return ITEM_REMOVAL;
	return ITEM_UNKNOWN;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static void
read_address(LarasReader *r, LarasRecord *record, LarasText given)
{
	LarasText address;

	if (!laras_text_given(given) || given.n > LONGEST_IDENTITY ||
		memchr(given.s, '@', given.n) == NULL)
		return;
	address = laras_reader_copy(r, given.s, given.n);
	for (size_t i = 0; i < address.n; i++)
		((char *) address.s)[i] = lower(address.s[i]);
	laras_record_identity(record, LARAS_INDEX_EMAIL, address);
}

/* A number as it is written there: what it is, the workspace's region decides. */
static void
read_number(LarasRecord *record, LarasText given)
{
	int digits = 0;

	if (!laras_text_given(given) || given.n > LONGEST_NUMBER)
		return;
	for (size_t i = 0; i < given.n; i++)
		if (given.s[i] >= '0' && given.s[i] <= '9')
			digits++;
	if (digits >= 5)
		laras_record_identity(record, LARAS_INDEX_PHONE, given);
}

/* Who it is from: an address or a number everywhere, or an id within that system. */
static void
read_person(LarasReader *r, LarasRecord *record, const json_t *mapping, LarasText account,
			LarasText id)
{
	LarasText identity = laras_json_text_at(mapping, "identity");

	if (!laras_text_given(id) || id.n > LONGEST_IDENTITY)
		return;
	if (laras_text_is(identity, "email"))
		read_address(r, record, id);
	else if (laras_text_is(identity, "phone"))
		read_number(record, id);
	else
		laras_record_identity(record, LARAS_INDEX_EXTERNAL,
							  laras_reader_print(r, "%.*s:%.*s", (int) account.n,
												 account.s ? account.s : "", (int) id.n, id.s));
}

static void
read_parts(LarasReader *r, LarasRecord *record, const json_t *mapping, const json_t *item)
{
	const json_t *parts = laras_json_get(mapping, "parts");

	for (int i = 0; i < LARAS_GENERIC_PARTS; i++)
	{
		const json_t *value = mapped(parts, laras_generic_parts[i], item);

		if (value != NULL && !json_is_null(value))
		{
			int before = record->part_count;

			laras_record_part(r, record, laras_generic_parts[i], value);
			if (record->part_count > before)
				record->parts[before].untold = true;
			if (record->text.s == NULL && strcmp(record->message_kind, "unsupported") == 0 && i < 9)
				record->message_kind = laras_generic_parts[i];
		}
	}
}

/* As what a file of that type is shown. */
static const char *
kind_of_file(LarasText type)
{
	static const char *const kinds[] = {"image", "video", "audio"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		size_t n = strlen(kinds[i]);

		if (type.s != NULL && type.n > n && memcmp(type.s, kinds[i], n) == 0 && type.s[n] == '/')
			return kinds[i];
	}
	return "document";
}

/* A file: where it is in members that laras_generic_media reads, beside its own. */
static void
read_file(LarasReader *r, LarasRecord *record, const json_t *media, const json_t *file)
{
	LarasText url = laras_json_text(mapped(media, "url", file));
	LarasText type = laras_json_text(mapped(media, "type", file));
	LarasText name = laras_json_text(mapped(media, "name", file));
	LarasText sha256 = laras_json_text(mapped(media, "sha256", file));
	json_t *part;

	if (!laras_text_given(url))
		return;
	part = json_pack("{s:s%, s:O}", "url", url.s, url.n, "element", file);
	if (part != NULL && type.s != NULL)
		json_object_set_new(part, "mime_type", json_stringn(type.s, type.n));
	if (part != NULL && name.s != NULL)
		json_object_set_new(part, "filename", json_stringn(name.s, name.n));
	if (part != NULL && sha256.s != NULL)
		json_object_set_new(part, "sha256", json_stringn(sha256.s, sha256.n));
	if (part != NULL)
		json_object_set(part, "file_size", (json_t *) mapped(media, "size", file));
	if (part == NULL)
		r->short_of_memory = true;
	else
		laras_record_new_part(r, record, kind_of_file(type), part);
}

static void
read_files(LarasReader *r, LarasRecord *record, const json_t *mapping, const json_t *item)
{
	const json_t *media = laras_json_get(mapping, "media");
	const json_t *list =
		laras_json_text_at(media, "list").s != NULL ? mapped(media, "list", item) : item;
	int before = record->part_count;
	json_t *file;
	size_t i;

	if (media == NULL)
		return;
	if (json_is_array(list))
	{
		json_array_foreach((json_t *) list, i, file)
			if (i < MOST_FILES)
				read_file(r, record, media, file);
	}
	else if (json_is_object(list) || json_is_string(list))
		read_file(r, record, media, list);
	if (record->part_count > before && record->text.s == NULL &&
		strcmp(record->message_kind, "unsupported") == 0)
		record->message_kind = record->parts[before].kind;
}

static void
read_item(LarasReader *r, const json_t *mapping, LarasText account, const json_t *item)
{
	LarasText id = mapped_text(r, mapping, "id", item);
	const json_t *outbound = laras_json_get(mapping, "outbound");
	ItemKind kind = kind_of(mapping, item);
	LarasRecord *record;

	if (kind == ITEM_UNKNOWN)
	{
		laras_reader_other(r, item, "unmapped_event");
		return;
	}
	if (!laras_text_given(id) || id.n > 1024)
	{
		laras_reader_fault(r, item, "message_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, item);
	record->flags = LARAS_LIVE;
	if (outbound != NULL && is_one_of(mapped(outbound, "at", item), laras_json_get(outbound, "is")))
		record->flags = LARAS_OUTBOUND;
	record->provider_time = laras_record_moment(mapped(mapping, "time", item));
	record->name = laras_json_text(mapped(mapping, "name", item));
	record->text = laras_json_text(mapped(mapping, "text", item));
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	read_person(r, record, mapping, account, mapped_text(r, mapping, "from", item));
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "message_without_sender";
		return;
	}
	read_number(record, mapped_text(r, mapping, "phone", item));
	read_address(r, record, mapped_text(r, mapping, "email", item));
	record->message_kind = record->text.s != NULL ? "text" : "unsupported";
	if (kind == ITEM_MESSAGE)
	{
		record->provider_id = id;
		record->event_key = laras_reader_print(r, "message|%.*s|%.*s", (int) account.n,
											   account.s ? account.s : "", (int) id.n, id.s);
		record->about = mapped_text(r, mapping, "about", item);
		if (!laras_text_given(record->about))
			record->about.s = NULL;
		read_parts(r, record, mapping, item);
		read_files(r, record, mapping, item);
		record->keep_element = strcmp(record->message_kind, "unsupported") == 0;
		return;
	}
	record->message_kind = kind == ITEM_EDIT ? "edit" : "unsend";
	record->effect = kind == ITEM_EDIT ? LARAS_EFFECT_EDIT : LARAS_EFFECT_UNSEND;
	record->about = id;
	record->unnamed = true;
	record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_COUNTS);
	if (kind == ITEM_REMOVAL)
	{
		record->flags &= ~(unsigned) LARAS_WANTS_ANSWER;
		record->text.s = NULL;
	}
	else
	{
		read_parts(r, record, mapping, item);
		read_files(r, record, mapping, item);
	}
	record->event_key = laras_reader_print(r, "%s|%.*s|%.*s|%lld", record->message_kind,
										   (int) account.n, account.s ? account.s : "", (int) id.n,
										   id.s, (long long) record->provider_time);
	/* an edit to nothing at all would empty what it is about */
	if (kind == ITEM_EDIT && record->text.s == NULL && record->part_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "edit_without_text";
	}
}

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};
	const json_t *mapping = laras_json_get(source->options, "mapping");
	LarasText items = laras_json_text_at(mapping, "items");
	const json_t *list = items.s != NULL ? follow(piece, items) : piece;
	json_t *item;
	size_t i;

	*records = NULL;
	if (!json_is_object(mapping))
	{
		*reason = "no_mapping";
		return -1;
	}
	if (json_is_array(list))
		json_array_foreach(list, i, item)
			read_item(&r, mapping, source->account, item);
	else if (json_is_object(list))
		read_item(&r, mapping, source->account, list);
	else
		laras_reader_fault(&r, piece, "no_items");
	return laras_reader_end(&r, records, reason);
}

static const LarasConnectDriver connect_driver = {
	.accounts = {{"source_id", LARAS_ACCOUNT_NUMBER}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.example = "{\"source_id\": \"...\"}, the app_id under which its secret is registered",
	.check_options = laras_generic_check,
};

const LarasChannelDriver laras_generic_driver = {
	.channel = "generic",
	.path = "generic",
	.account_in_path = true,
	.app_of_account = true,
	.wants_source = true,
	.split = split,
	.parse = parse,
	.version = 1,
	.connect = &connect_driver,
	.media = &laras_generic_media,
};
