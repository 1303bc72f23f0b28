/*
 * whatsapp_parse.c
 *		WhatsApp Cloud API: reading the pieces of a webhook, field by field.
 *
 * Everything is read element by element, so that one that is malformed loses
 * no sibling, wherever it stands. Fields that are not known are left to
 * quarantine, whole.
 */
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <string.h>

void
laras_whatsapp_error(LarasRecord *record, const json_t *errors)
{
	const json_t *error = laras_json_first(errors);
	int64_t code;

	if (laras_json_integer(laras_json_get(error, "code"), &code) && code > 0 && code < INT32_MAX)
		record->error_code = (int) code;
	record->error_details = laras_json_text_at(laras_json_get(error, "error_data"), "details");
	if (record->error_details.s == NULL)
		record->error_details = laras_json_text_at(error, "title");
}

/* ---------------------------------------------------------------- statuses */

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

/* A word of the price list; absent where it is none. */
static LarasText
price_word(const json_t *pricing, const char *member)
{
	LarasText word = laras_json_text_at(pricing, member);

	if (!laras_text_word(word))
		word.s = NULL;
	return word;
}

static void
read_status(LarasReader *r, const json_t *status)
{
	LarasText id = laras_json_text_at(status, "id");
	/* in a group, each who took part has a status of their own */
	LarasText recipient = laras_json_text_at(status, "recipient_participant_id");
	const char *word = status_word(laras_json_text_at(status, "status"));
	const json_t *pricing = laras_json_get(status, "pricing");
	const json_t *billable = laras_json_get(pricing, "billable");
	LarasRecord *record;

	if (!json_is_object(status))
	{
		laras_reader_fault(r, status, "status_not_an_object");
		return;
	}
	if (!laras_text_given(id) || id.n > 1024)
	{
		laras_reader_fault(r, status, "status_without_id");
		return;
	}
	if (word == NULL)
	{
		laras_reader_other(r, status, "unknown_status");
		return;
	}
	if (!laras_text_given(recipient))
		recipient = laras_json_text_at(status, "recipient_id");
	if (!laras_text_given(recipient))
		recipient = laras_json_text_at(status, "recipient_user_id");
	record = laras_reader_next(r, LARAS_RECORD_STATUS, status);
	record->status = word;
	record->provider_id = id;
	record->provider_time = laras_record_seconds(laras_json_get(status, "timestamp"));
	record->event_key =
		laras_reader_print(r, "status|%.*s|%s|%.*s", (int) id.n, id.s, word,
						   recipient.s ? (int) recipient.n : 0, recipient.s ? recipient.s : "");
	if (laras_text_is(laras_json_text_at(status, "recipient_type"), "group"))
	{
		laras_whatsapp_scoped(record, laras_json_get(status, "recipient_participant_user_id"));
		laras_whatsapp_person(r, record, laras_json_get(status, "recipient_participant_id"));
	}
	else
	{
		laras_whatsapp_scoped(record, laras_json_get(status, "recipient_user_id"));
		laras_whatsapp_person(r, record, laras_json_get(status, "recipient_id"));
	}
	record->callback_data = laras_json_text_at(status, "biz_opaque_callback_data");
	if (json_is_boolean(billable))
		record->billable = json_is_true(billable);
	record->pricing_category = price_word(pricing, "category");
	record->pricing_type = price_word(pricing, "type");
	laras_whatsapp_error(record, laras_json_get(status, "errors"));
}

/* ----------------------------------------------------------------- persons */

static void
read_preference(LarasReader *r, const json_t *value, const json_t *preference)
{
	const json_t *contacts = laras_json_get(value, "contacts");
	LarasText word = laras_json_text_at(preference, "value");
	LarasText category = laras_json_text_at(preference, "category");
	LarasRecord *record;

	if (!json_is_object(preference))
	{
		laras_reader_fault(r, preference, "preference_not_an_object");
		return;
	}
	if (!laras_text_is(category, "marketing_messages") ||
		!(laras_text_is(word, "stop") || laras_text_is(word, "resume") ||
		  laras_text_is(word, "signup")))
	{
		laras_reader_other(r, preference, "unknown_preference");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_PERSON, preference);
	laras_whatsapp_scoped(record, laras_json_get(preference, "user_id"));
	laras_whatsapp_person(r, record, laras_json_get(preference, "wa_id"));
	if (record->identity_count == 0 && json_array_size(contacts) == 1)
		laras_whatsapp_profile(r, record, laras_json_first(contacts));
	record->provider_time = laras_record_seconds(laras_json_get(preference, "timestamp"));
	record->preference =
		laras_text_is(word, "stop") ? LARAS_PREFERENCE_STOP : LARAS_PREFERENCE_RESUME;
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "person_without_id";
	}
}

/* A person has another business-scoped id. */
static void
read_user_id_update(LarasReader *r, const json_t *value, const json_t *update)
{
	const json_t *user_id = laras_json_get(update, "user_id");
	LarasText current = laras_json_text_at(user_id, "current");
	LarasRecord *record;

	(void) value;
	if (!json_is_object(update) || !laras_text_given(current))
	{
		laras_reader_fault(r, update, "person_without_id");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_PERSON, update);
	laras_whatsapp_scoped(record, laras_json_get(user_id, "previous"));
	laras_whatsapp_person(r, record, laras_json_get(update, "wa_id"));
	laras_record_renewal(record, LARAS_INDEX_BSUID, current);
	record->provider_time = laras_record_seconds(laras_json_get(update, "timestamp"));
}

/* The address book of the business's own app: a name for a person who may be known. */
static void
read_state_sync(LarasReader *r, const json_t *value, const json_t *state)
{
	const json_t *contact = laras_json_get(state, "contact");
	LarasText action = laras_json_text_at(state, "action");
	LarasRecord *record;

	(void) value;
	if (!json_is_object(state))
	{
		laras_reader_fault(r, state, "state_not_an_object");
		return;
	}
	if (!laras_text_is(laras_json_text_at(state, "type"), "contact"))
	{
		laras_reader_other(r, state, "unknown_state");
		return;
	}
	record = laras_reader_next(r, LARAS_RECORD_PERSON, state);
	laras_whatsapp_scoped(record, laras_json_get(contact, "user_id"));
	laras_whatsapp_person(r, record, laras_json_get(contact, "phone_number"));
	record->provider_time =
		laras_record_seconds(laras_json_get(laras_json_get(state, "metadata"), "timestamp"));
	if (!laras_text_is(action, "remove"))
		record->name = laras_json_text_at(contact, "full_name");
	if (record->identity_count == 0)
	{
		record->kind = LARAS_RECORD_FAULT;
		record->reason = "person_without_id";
	}
}

/* ----------------------------------------------------------------- account */

/* the fields that speak of the account, and what the owner's notice is called */
static const struct
{
	const char *field;
	const char *topic;
} account_fields[] = {
	{"account_update", "account_event"},
	{"account_review_update", "account_event"},
	{"account_alerts", "account_event"},
	{"account_settings_update", "account_event"},
	{"automatic_events", "account_event"},
	{"partner_solutions", "account_event"},
	{"payment_configuration_update", "account_event"},
	{"security", "account_event"},
	{"business_capability_update", "limit_event"},
	{"business_username_update", "name_event"},
	{"phone_number_name_update", "name_event"},
	{"phone_number_quality_update", "quality_event"},
	{"flows", "flow_event"},
	{"message_template_components_update", "template_event"},
	{"message_template_quality_update", "template_event"},
	{"message_template_status_update", "template_event"},
	{"template_category_update", "template_event"},
};

static const char *
account_topic(LarasText field)
{
	for (size_t i = 0; i < sizeof(account_fields) / sizeof(account_fields[0]); i++)
		if (laras_text_is(field, account_fields[i].field))
			return account_fields[i].topic;
	return NULL;
}

/* The word that says what happened, wherever this field has it. */
static LarasText
event_word(const json_t *value)
{
	static const char *const members[] = {"event",        "decision",
										  "alert_type",   "new_quality_score",
										  "new_category", "status",
										  "type"};
	LarasText none = {NULL, 0};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
	{
		LarasText word = laras_json_text_at(value, members[i]);

		if (laras_text_word(word))
			return word;
	}
	return none;
}

/* details is released here; the same details at the same time are one event */
static void
add_account_event(LarasReader *r, const char *topic, const json_t *element, int64_t time,
				  json_t *details)
{
	LarasRecord *record = laras_reader_next(r, LARAS_RECORD_ACCOUNT, element);

	record->topic = topic;
	record->provider_time = time;
	record->details = laras_reader_dump(r, details);
	if (details == NULL)
		r->short_of_memory = true;
	json_decref(details);
	if (record->details.s != NULL)
		record->event_key = laras_reader_print(r, "account|%lld|%.*s", (long long) time,
											   (int) record->details.n, record->details.s);
}

static json_t *
named_event(LarasText field, LarasText event)
{
	json_t *details = laras_json_object();

	if (details != NULL && field.s != NULL)
		json_object_set_new(details, "field", json_stringn(field.s, field.n));
	if (details != NULL && event.s != NULL)
		json_object_set_new(details, "event", json_stringn(event.s, event.n));
	return details;
}

/* Of account_update: the events after which nothing may be sent or heard any more. */
static bool
ends_access(LarasText field, LarasText event)
{
	static const char *const events[] = {"PARTNER_REMOVED", "PARTNER_APP_UNINSTALLED",
										 "ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED"};

	if (!laras_text_is(field, "account_update"))
		return false;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (laras_text_is(event, events[i]))
			return true;
	return false;
}

static void
read_account(LarasReader *r, const char *topic, const json_t *entry, const json_t *change)
{
	const json_t *value = laras_json_get(change, "value");
	json_t *details = named_event(laras_json_text_at(change, "field"), event_word(value));

	if (details != NULL && value != NULL)
		json_object_set(details, "value", (json_t *) value);
	add_account_event(r, topic, change, laras_record_seconds(laras_json_get(entry, "time")),
					  details);
	if (r->count > 0)
		r->records[r->count - 1].lost =
			ends_access(laras_json_text_at(change, "field"), event_word(value));
}

/*
 * A group was made, changed or closed, or people came and went: told without
 * naming them, since a notice is not erased with a person.
 */
static void
read_group(LarasReader *r, LarasText field, const json_t *group)
{
	LarasText id = laras_json_text_at(group, "group_id");
	size_t people = json_array_size(laras_json_get(group, "added_participants")) +
					json_array_size(laras_json_get(group, "removed_participants"));
	json_t *details;

	if (!json_is_object(group) || !laras_text_given(id))
	{
		laras_reader_fault(r, group, "group_without_id");
		return;
	}
	details = named_event(field, event_word(group));
	if (details != NULL)
	{
		json_object_set_new(details, "group_id", json_stringn(id.s, id.n));
		if (people > 0)
			json_object_set_new(details, "participants", json_integer((json_int_t) people));
	}
	add_account_event(r, "group_event", group,
					  laras_record_seconds(laras_json_get(group, "timestamp")), details);
}

/* An error of the account that concerns no message. */
static void
read_error(LarasReader *r, LarasText field, const json_t *entry, const json_t *error)
{
	json_t *details = named_event(field, (LarasText){"error", 5});
	int64_t code;

	if (details != NULL && error != NULL)
		json_object_set(details, "error", (json_t *) error);
	add_account_event(r, "account_error", error,
					  laras_record_seconds(laras_json_get(entry, "time")), details);
	if (laras_json_integer(laras_json_get(error, "code"), &code) && code > 0 && code < INT32_MAX &&
		r->count > 0)
		r->records[r->count - 1].error_code = (int) code;
}

/* The state of a call we placed; the person it names is left out, as in read_group. */
static void
read_call_status(LarasReader *r, const json_t *status)
{
	if (!json_is_object(status))
		laras_reader_fault(r, status, "status_not_an_object");
	else
		add_account_event(r, "call_event", status,
						  laras_record_seconds(laras_json_get(status, "timestamp")),
						  named_event((LarasText){"calls", 5}, event_word(status)));
}

/* ----------------------------------------------------------------- history */

static void
read_history(LarasReader *r, const json_t *value, const json_t *entry)
{
	const json_t *chunks = laras_json_get(value, "history");
	LarasText field = {"history", 7};
	json_t *chunk, *thread, *message, *error;
	size_t i, k, m;

	json_array_foreach(chunks, i, chunk)
	{
		const json_t *threads = laras_json_get(chunk, "threads");
		const json_t *errors = laras_json_get(chunk, "errors");

		if (!json_is_object(chunk))
			laras_reader_fault(r, chunk, "history_not_an_object");
		json_array_foreach(errors, k, error)
			read_error(r, field, entry, error);
		json_array_foreach(threads, k, thread)
		{
			if (!json_is_object(thread))
				laras_reader_fault(r, thread, "thread_not_an_object");
			json_array_foreach(laras_json_get(thread, "messages"), m, message)
				laras_whatsapp_message(r, LARAS_WHATSAPP_HISTORY, value,
									   laras_json_get(thread, "id"), message);
		}
	}
}

/* ------------------------------------------------------------------- piece */

typedef void (*ReadElement)(LarasReader *r, const json_t *value, const json_t *element);

/* Every element of a list that should be an array. */
static bool
read_list(LarasReader *r, const json_t *value, const char *member, ReadElement read,
		  const char *not_an_array)
{
	const json_t *list = laras_json_get(value, member);
	json_t *element;
	size_t i;

	if (list == NULL)
		return false;
	if (!json_is_array(list))
		laras_reader_fault(r, list, not_an_array);
	json_array_foreach(list, i, element)
		read(r, value, element);
	return true;
}

static void
read_inbound(LarasReader *r, const json_t *value, const json_t *message)
{
	laras_whatsapp_message(r, LARAS_WHATSAPP_INBOUND, value, NULL, message);
}

static void
read_echo(LarasReader *r, const json_t *value, const json_t *message)
{
	laras_whatsapp_message(r, LARAS_WHATSAPP_ECHO, value, NULL, message);
}

static void
read_past(LarasReader *r, const json_t *value, const json_t *message)
{
	laras_whatsapp_message(r, LARAS_WHATSAPP_HISTORY, value, NULL, message);
}

static void
read_status_of(LarasReader *r, const json_t *value, const json_t *status)
{
	(void) value;
	read_status(r, status);
}

static void
read_call_status_of(LarasReader *r, const json_t *value, const json_t *status)
{
	(void) value;
	read_call_status(r, status);
}

static void
read_change(LarasReader *r, const json_t *entry, const json_t *change)
{
	const json_t *value = laras_json_get(change, "value");
	const json_t *errors = laras_json_get(value, "errors");
	LarasText field = laras_json_text_at(change, "field");
	const char *topic = account_topic(field);
	json_t *element;
	size_t i;
	bool known = false;

	if (!json_is_object(change))
	{
		laras_reader_fault(r, change, "change_not_an_object");
		return;
	}
	if (topic != NULL)
	{
		read_account(r, topic, entry, change);
		return;
	}
	if (laras_text_is(field, "messages"))
	{
		known |= read_list(r, value, "messages", read_inbound, "messages_not_an_array");
		known |= read_list(r, value, "statuses", read_status_of, "statuses_not_an_array");
	}
	else if (laras_text_is(field, "smb_message_echoes"))
	{
		known |= read_list(r, value, "message_echoes", read_echo, "messages_not_an_array");
		known |= read_list(r, value, "messages", read_echo, "messages_not_an_array");
	}
	else if (laras_text_is(field, "history"))
	{
		if (json_is_array(laras_json_get(value, "history")))
		{
			read_history(r, value, entry);
			known = true;
		}
		known |= read_list(r, value, "messages", read_past, "messages_not_an_array");
	}
	else if (laras_text_is(field, "user_preferences"))
		known =
			read_list(r, value, "user_preferences", read_preference, "preferences_not_an_array");
	else if (laras_text_is(field, "user_id_update"))
		known = read_list(r, value, "user_id_update", read_user_id_update, "updates_not_an_array");
	else if (laras_text_is(field, "smb_app_state_sync"))
		known = read_list(r, value, "state_sync", read_state_sync, "states_not_an_array");
	else if (laras_text_is(field, "calls"))
	{
		known |= read_list(r, value, "calls", laras_whatsapp_call, "calls_not_an_array");
		known |= read_list(r, value, "statuses", read_call_status_of, "statuses_not_an_array");
	}
	else if (laras_text_is(field, "group_lifecycle_update") ||
			 laras_text_is(field, "group_participants_update") ||
			 laras_text_is(field, "group_settings_update") ||
			 laras_text_is(field, "group_status_update"))
	{
		json_array_foreach(laras_json_get(value, "groups"), i, element)
		{
			read_group(r, field, element);
			known = true;
		}
	}
	else
	{
		laras_reader_other(r, change, "unsupported_field");
		return;
	}
	json_array_foreach(errors, i, element)
	{
		read_error(r, field, entry, element);
		known = true;
	}
	if (!known)
		laras_reader_other(r, change, "unsupported_field");
}

int
laras_whatsapp_parse(const json_t *piece, const LarasPieceSource *source,
					 const LarasAllocator *allocator, LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};
	json_t *entry;
	json_t *change;
	size_t i, k;

	json_array_foreach(laras_json_get(piece, "entry"), i, entry)
		json_array_foreach(laras_json_get(entry, "changes"), k, change)
			read_change(&r, entry, change);
	return laras_reader_end(&r, records, reason);
}
