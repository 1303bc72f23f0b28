/*
 * meta.c
 *		What Instagram and Messenger have in common: the envelope by account and
 *		what is no conversation.
 *
 * An entry belongs to the account whose id it has, and comes in three shapes:
 * messaging[] (with standby[] beside it), changes[], or a field and value of
 * its own. All three are read, also together.
 */
#include "channel/meta.h"
#include "channel/meta_message.h"

#include <string.h>

/* ------------------------------------------------------------- splitting */

static bool
add_entry(json_t *body, json_t *entry, LarasBodyPart *piece)
{
	if (piece->document == NULL)
	{
		piece->document = laras_json_object();
		if (piece->document == NULL)
			return false;
		json_object_set(piece->document, "object", json_object_get(body, "object"));
		json_object_set_new(piece->document, "entry", json_array());
	}
	return json_array_append(json_object_get(piece->document, "entry"), entry) == 0;
}

int
laras_meta_split(const LarasMetaChannel *channel, json_t *body, const LarasAllocator *allocator,
				 LarasBodyPart **pieces, int *nameless, const char **reason)
{
	json_t *entries = json_object_get(body, "entry");
	size_t room = json_array_size(entries);
	LarasBodyPart *found;
	json_t *entry;
	size_t i;
	int count = 0;

	*nameless = 0;
	*pieces = NULL;
	*reason = NULL;
	if (!json_is_object(body))
		*reason = "not_an_object";
	else if (!laras_text_is(laras_json_text_at(body, "object"), channel->object))
		*reason = "unknown_object";
	if (*reason != NULL)
		return -1;
	if (room > LARAS_MAX_PARTS)
		room = LARAS_MAX_PARTS;
	if (room == 0)
		return 0;
	found = laras_allocate(allocator, sizeof(LarasBodyPart) * room);
	if (found == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	json_array_foreach(entries, i, entry)
	{
		LarasText account = laras_account_id(allocator, laras_json_get(entry, "id"));
		int k = 0;

		if (account.s == NULL)
		{
			(*nameless)++;
			continue;
		}
		while (k < count && !laras_text_same(found[k].account, account))
			k++;
		if (k == count && count == (int) room)
			*reason = "too_many_accounts";
		else
		{
			if (k == count)
			{
				found[count].account = account;
				found[count++].role = LARAS_ACCOUNT_NUMBER;
			}
			/* a lone entry needs no body made for it */
			if (json_array_size(entries) > 1 && !add_entry(body, entry, &found[k]))
				*reason = "out_of_memory";
		}
		if (*reason != NULL)
		{
			for (int p = 0; p < count; p++)
				json_decref(found[p].document);
			return -1;
		}
	}
	if (count == 1 && *nameless == 0)
	{
		/* the usual case: the bytes as received are the piece */
		json_decref(found[0].document);
		found[0].document = body;
		found[0].whole = true;
	}
	*pieces = found;
	return count;
}

/* --------------------------------------------------------------- comments */

void
laras_meta_comment(LarasReader *r, const LarasMetaChannel *channel, const json_t *element,
				   const LarasMetaComment *comment)
{
	LarasText verb = comment->verb;
	LarasRecord *record;

	if (!laras_text_given(comment->id) || comment->id.n > 1024)
	{
		laras_reader_fault(r, element, "comment_without_id");
		return;
	}
	if (verb.s == NULL)
		verb = (LarasText){"add", 3};
	record = laras_reader_next(r, LARAS_RECORD_COMMENT, element);
	record->message_kind = comment->kind;
	record->provider_id = comment->id;
	if (laras_text_given(comment->parent) && !laras_text_same(comment->parent, comment->post))
		record->about = comment->parent;
	record->post = comment->post;
	record->text = comment->text;
	record->name = comment->name;
	record->provider_time = comment->time;
	if (laras_text_plain(comment->person))
		laras_record_identity(record, channel->person, comment->person);
	record->owner = comment->owner;
	record->flags = comment->own ? LARAS_OUTBOUND : LARAS_COUNTS;
	/* both spellings are seen */
	if (laras_text_is(verb, "edited") || laras_text_is(verb, "edit"))
		record->effect = LARAS_EFFECT_EDIT;
	else if (laras_text_is(verb, "remove") || laras_text_is(verb, "delete"))
		record->effect = LARAS_EFFECT_UNSEND;
	else if (laras_text_is(verb, "hide"))
		record->effect = LARAS_EFFECT_HIDE;
	else if (laras_text_is(verb, "unhide"))
		record->effect = LARAS_EFFECT_SHOW;
	else if (!laras_text_is(verb, "add"))
	{
		record->kind = LARAS_RECORD_OTHER;
		record->reason = "unknown_verb";
		return;
	}
	record->event_key =
		laras_reader_print(r, "comment|%.*s|%.*s|%lld", (int) comment->id.n, comment->id.s,
						   (int) verb.n, verb.s, (long long) comment->time);
	laras_record_part(r, record, "media", comment->media);
	laras_record_part(r, record, "thread", comment->thread);
}

/* ---------------------------------------------------------------- account */

void
laras_meta_account(LarasReader *r, const char *topic, const json_t *entry, LarasText field,
				   LarasText event, const json_t *value)
{
	LarasRecord *record = laras_reader_next(r, LARAS_RECORD_ACCOUNT, value);
	json_t *details = laras_json_object();

	record->topic = topic;
	record->provider_time = laras_record_moment(laras_json_get(entry, "time"));
	if (details != NULL && field.s != NULL)
		json_object_set_new(details, "field", json_stringn(field.s, field.n));
	if (details != NULL && laras_text_word(event))
		json_object_set_new(details, "event", json_stringn(event.s, event.n));
	if (details != NULL && value != NULL)
		json_object_set(details, "value", (json_t *) value);
	if (details == NULL)
		r->short_of_memory = true;
	record->details = laras_reader_dump(r, details);
	json_decref(details);
	record->event_key =
		laras_reader_print(r, "account|%lld|%.*s", (long long) record->provider_time,
						   (int) record->details.n, record->details.s ? record->details.s : "");
}

/* ------------------------------------------------------------------- piece */

/*
 * The fields that bring a messaging event as a change: with webhook versions,
 * and from the dashboard's test button.
 */
static bool
is_messaging_field(LarasText field)
{
	static const char *const fields[] = {"messages",
										 "message_edit",
										 "message_edits",
										 "message_reactions",
										 "messaging_postbacks",
										 "messaging_referral",
										 "messaging_referrals",
										 "messaging_seen",
										 "messaging_optins",
										 "messaging_handover",
										 "messaging_handovers",
										 "message_deliveries",
										 "message_reads",
										 "message_echoes"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (laras_text_is(field, fields[i]))
			return true;
	return false;
}

static void
read_change(LarasReader *r, const LarasMetaChannel *channel, LarasText account, const json_t *entry,
			const json_t *change)
{
	LarasText field = laras_json_text_at(change, "field");
	const json_t *value = laras_json_get(change, "value");

	if (!json_is_object(change))
		laras_reader_fault(r, change, "change_not_an_object");
	else if (is_messaging_field(field))
		laras_meta_event(r, channel, account, value, false);
	else if (laras_text_is(field, "standby"))
		laras_meta_event(r, channel, account, value, true);
	else if (!channel->read_change(r, entry, field, value))
		laras_reader_other(r, change, "unsupported_field");
}

static void
read_entry(LarasReader *r, const LarasMetaChannel *channel, const json_t *entry)
{
	const json_t *messaging = laras_json_get(entry, "messaging");
	const json_t *standby = laras_json_get(entry, "standby");
	const json_t *changes = laras_json_get(entry, "changes");
	LarasText account = laras_reader_id(r, laras_json_get(entry, "id"));
	json_t *element;
	size_t i;

	if (messaging != NULL && !json_is_array(messaging))
		laras_reader_fault(r, messaging, "messaging_not_an_array");
	if (standby != NULL && !json_is_array(standby))
		laras_reader_fault(r, standby, "messaging_not_an_array");
	if (changes != NULL && !json_is_array(changes))
		laras_reader_fault(r, changes, "changes_not_an_array");
	json_array_foreach(messaging, i, element)
		laras_meta_event(r, channel, account, element, false);
	json_array_foreach(standby, i, element)
		laras_meta_event(r, channel, account, element, true);
	json_array_foreach(changes, i, element)
		read_change(r, channel, account, entry, element);
	if (laras_json_get(entry, "field") != NULL)
		read_change(r, channel, account, entry, entry);
	else if (messaging == NULL && standby == NULL && changes == NULL)
		laras_reader_other(r, entry, "unknown_entry");
}

int
laras_meta_parse(const LarasMetaChannel *channel, const json_t *piece,
				 const LarasAllocator *allocator, LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};
	json_t *entry;
	size_t i;

	json_array_foreach(laras_json_get(piece, "entry"), i, entry)
		read_entry(&r, channel, entry);
	return laras_reader_end(&r, records, reason);
}

int
laras_meta_parse_element(const LarasMetaChannel *channel, const json_t *element,
						 const LarasAllocator *allocator, LarasRecord **records,
						 const char **reason)
{
	LarasReader r = {.allocator = allocator};
	LarasText nobody = {NULL, 0};

	laras_meta_event(&r, channel, nobody, element, false);
	return laras_reader_end(&r, records, reason);
}
