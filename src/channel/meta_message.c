/*
 * meta_message.c
 *		One messaging event of Instagram or Messenger.
 *
 * Sources: "Instagram Platform Webhook Notification Examples" (Nov 2025),
 * "Webhook events reference" of the Messenger Platform. An event has one member
 * that says what it is; several reuse the id of a message (edits, deletions,
 * reactions, reads), and some have none: those are told apart by who, when and
 * what. An event of a person that is not known is `unsupported` and kept.
 */
#include "channel/meta_message.h"

#include <string.h>

/* the event at hand */
typedef struct Event
{
	LarasReader *r;
	const LarasMetaChannel *channel;
	const json_t *element;
	LarasText person;
	int64_t time;     /* seconds */
	LarasText moment; /* as given, for keys */
	bool outbound;
	unsigned live; /* flags of what the person says */
} Event;

/* A message record of this event, from its person. */
static LarasRecord *
message(const Event *e, const char *kind)
{
	LarasRecord *record = laras_reader_next(e->r, LARAS_RECORD_MESSAGE, e->element);

	record->message_kind = kind;
	record->provider_time = e->time;
	record->flags = e->outbound ? LARAS_OUTBOUND : e->live;
	laras_record_identity(record, e->channel->person, e->person);
	return record;
}

/* Of an event that has no id of its own. */
static void
set_key(const Event *e, LarasRecord *record, const char *what, LarasText id, LarasText more)
{
	record->unnamed = true;
	record->event_key =
		laras_reader_print(e->r, "%s|%.*s|%.*s|%.*s|%.*s", what, id.s ? (int) id.n : 0,
						   id.s ? id.s : "", (int) e->person.n, e->person.s,
						   e->moment.s ? (int) e->moment.n : 0, e->moment.s ? e->moment.s : "",
						   more.s ? (int) more.n : 0, more.s ? more.s : "");
}

/* ------------------------------------------------------------- attachments */

/* what attachments are called, here and there; text is not all of such a message */
static const struct
{
	const char *type;
	const char *kind;
} attachment_kinds[] = {
	{"image", "image"},         {"video", "video"},       {"audio", "audio"},
	{"file", "document"},       {"location", "location"}, {"sticker", "sticker"},
	{"share", "share"},         {"ig_post", "share"},     {"ig_reel", "share"},
	{"reel", "share"},          {"post", "share"},        {"story_mention", "story_mention"},
	{"ephemeral", "ephemeral"}, {"like_heart", "like"},   {"template", "template"},
	{"fallback", "link"},
};

static const char *
attachment_kind(const json_t *attachment)
{
	LarasText type = laras_json_text_at(attachment, "type");
	const json_t *payload = laras_json_get(attachment, "payload");

	/* stickers came as images until August 2026 */
	if (laras_text_is(type, "image") && laras_json_get(payload, "sticker_id") != NULL)
		return "sticker";
	for (size_t i = 0; i < sizeof(attachment_kinds) / sizeof(attachment_kinds[0]); i++)
		if (laras_text_is(type, attachment_kinds[i].type))
			return attachment_kinds[i].kind;
	return NULL;
}

/*
 * Every attachment a part. Returns the kind of the message: that of the first
 * attachment that is more than a preview of a link; NULL where nothing among
 * them is known.
 */
static const char *
read_attachments(LarasReader *r, LarasRecord *record, const json_t *attachments)
{
	const char *kind = NULL;
	json_t *attachment;
	size_t i;

	json_array_foreach(attachments, i, attachment)
	{
		const char *own = attachment_kind(attachment);

		laras_record_part(r, record, own != NULL ? own : "extra", attachment);
		if (own != NULL && (kind == NULL || strcmp(kind, "link") == 0))
			kind = own;
	}
	return kind;
}

/* ----------------------------------------------------------------- message */

/* the members of a message that are read here, or of no interest */
static bool
is_known(const char *member)
{
	static const char *const members[] = {"mid",           "text",        "attachments", "is_echo",
										  "isEcho",        "is_self",     "is_deleted",  "app_id",
										  "appId",         "metadata",    "seq",         "nlp",
										  "sticker_id",    "quick_reply", "reply_to",    "referral",
										  "is_unsupported"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(members[i], member) == 0)
			return true;
	return false;
}

static void
read_surroundings(const Event *e, LarasRecord *record, const json_t *body)
{
	const json_t *reply = laras_json_get(body, "reply_to");
	json_t *extra = NULL;
	const char *key;
	json_t *value;

	record->about = laras_json_text_at(reply, "mid");
	if (!laras_text_given(record->about))
		record->about.s = NULL;
	laras_record_part(e->r, record, "story", laras_json_get(reply, "story"));
	laras_record_part(e->r, record, "choice", laras_json_get(body, "quick_reply"));
	laras_record_part(e->r, record, "referral", laras_json_get(body, "referral"));
	laras_record_part(e->r, record, "context", laras_json_get(e->element, "prior_message"));
	json_object_foreach((json_t *) body, key, value)
	{
		if (is_known(key))
			continue;
		if (extra == NULL && (extra = laras_json_object()) == NULL)
			break;
		json_object_set(extra, key, value);
	}
	laras_record_new_part(e->r, record, "extra", extra);
}

static void
read_message(const Event *e, const json_t *body)
{
	LarasText mid = laras_json_text_at(body, "mid");
	LarasText none = {NULL, 0};
	LarasRecord *record;
	const char *kind;

	if (!laras_text_given(mid) || mid.n > 1024)
	{
		laras_reader_fault(e->r, e->element, "message_without_id");
		return;
	}
	if (laras_json_true(laras_json_get(body, "is_deleted")))
	{
		record = message(e, "unsend");
		record->about = mid;
		record->effect = LARAS_EFFECT_UNSEND;
		record->flags &= ~(unsigned) LARAS_LIVE;
		set_key(e, record, "unsend", mid, none);
		return;
	}
	record = message(e, NULL);
	record->provider_id = mid;
	record->event_key = laras_reader_print(e->r, "message|%.*s", (int) mid.n, mid.s);
	record->text = laras_json_text_at(body, "text");
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	if (e->outbound)
		record->callback_data = laras_json_text_at(body, "metadata");
	kind = read_attachments(e->r, record, laras_json_get(body, "attachments"));
	read_surroundings(e, record, body);
	if (laras_json_get(laras_json_get(body, "reply_to"), "story") != NULL && record->text.s != NULL)
		record->message_kind = "story_reply";
	else if (laras_json_get(body, "quick_reply") != NULL && record->text.s != NULL)
		record->message_kind = "button";
	else if (record->text.s != NULL && (kind == NULL || strcmp(kind, "link") == 0))
		record->message_kind = "text";
	else
		record->message_kind = kind;
	if (record->message_kind == NULL || laras_json_true(laras_json_get(body, "is_unsupported")))
		laras_record_unsupported(record);
}

/* ------------------------------------------------------------ other events */

static void
read_edit(const Event *e, const json_t *body)
{
	LarasText mid = laras_json_text_at(body, "mid");
	LarasText text = laras_json_text_at(body, "text");
	LarasRecord *record;

	if (!laras_text_given(mid) || mid.n > 1024 || text.s == NULL)
	{
		laras_reader_fault(e->r, e->element, "edit_without_message");
		return;
	}
	record = message(e, "edit");
	record->about = mid;
	record->text = text;
	record->effect = LARAS_EFFECT_EDIT;
	record->flags &= ~(unsigned) (LARAS_OPENS_WINDOW | LARAS_COUNTS);
	set_key(e, record, "edit", mid, laras_reader_id(e->r, laras_json_get(body, "num_edit")));
}

static void
read_reaction(const Event *e, const json_t *body)
{
	LarasText mid = laras_json_text_at(body, "mid");
	LarasText action = laras_json_text_at(body, "action");
	LarasRecord *record;

	if (!laras_text_given(mid) || mid.n > 1024)
	{
		laras_reader_fault(e->r, e->element, "reaction_without_message");
		return;
	}
	record = message(e, "reaction");
	record->about = mid;
	/* a reaction opens the window here, and is not a message to be read */
	record->flags &= ~(unsigned) (LARAS_COUNTS | LARAS_WANTS_ANSWER);
	if (laras_text_is(action, "unreact"))
		record->flags &= ~(unsigned) LARAS_OPENS_WINDOW;
	else
	{
		record->text = laras_json_text_at(body, "emoji");
		if (!laras_text_given(record->text))
			record->text = laras_json_text_at(body, "reaction");
		if (!laras_text_given(record->text))
			record->text.s = NULL;
	}
	set_key(e, record, "reaction", mid, action);
}

static void
read_postback(const Event *e, const json_t *body)
{
	LarasText mid = laras_json_text_at(body, "mid");
	LarasText payload = laras_json_text_at(body, "payload");
	LarasRecord *record = message(e, "postback");

	record->text = laras_json_text_at(body, "title");
	if (!laras_text_given(record->text))
		record->text.s = NULL;
	if (laras_text_given(mid) && mid.n <= 1024)
	{
		record->provider_id = mid;
		record->event_key = laras_reader_print(e->r, "message|%.*s", (int) mid.n, mid.s);
	}
	else
		set_key(e, record, "postback", (LarasText){NULL, 0}, payload);
	laras_record_new_part(e->r, record, "choice", laras_json_without(body, "referral"));
	laras_record_part(e->r, record, "referral", laras_json_get(body, "referral"));
	laras_record_part(e->r, record, "context", laras_json_get(e->element, "prior_message"));
}

static void
read_referral(const Event *e, const json_t *body)
{
	LarasRecord *record = message(e, "referral");

	record->flags &= ~(unsigned) (LARAS_COUNTS | LARAS_WANTS_ANSWER);
	laras_record_part(e->r, record, "referral", body);
	set_key(e, record, "referral", (LarasText){NULL, 0}, laras_json_text_at(body, "ref"));
}

static void
read_optin(const Event *e, const json_t *body)
{
	LarasRecord *record = message(e, "optin");

	record->flags &= ~(unsigned) (LARAS_COUNTS | LARAS_WANTS_ANSWER);
	laras_record_part(e->r, record, "optin", body);
	set_key(e, record, "optin", (LarasText){NULL, 0}, laras_json_text_at(body, "ref"));
}

/* The code is a secret of another service: it is not kept. */
static void
read_account_linking(const Event *e, const json_t *body)
{
	LarasRecord *record = message(e, "account_linking");

	record->flags &= ~(unsigned) LARAS_LIVE;
	laras_record_new_part(e->r, record, "account_linking",
						  laras_json_without(body, "authorization_code"));
	set_key(e, record, "account_linking", (LarasText){NULL, 0}, laras_json_text_at(body, "status"));
}

static void
read_handover(const Event *e, const json_t *body, const char *member)
{
	LarasRecord *record = message(e, "handover");
	json_t *part = json_pack("{s:O}", member, body);

	record->flags &= ~(unsigned) LARAS_LIVE;
	laras_record_new_part(e->r, record, "handover", part);
	set_key(e, record, member, (LarasText){NULL, 0}, (LarasText){NULL, 0});
}

/* A message of ours was delivered or read. */
static void
add_status(const Event *e, const char *word, LarasText mid, int64_t time)
{
	LarasRecord *record = laras_reader_next(e->r, LARAS_RECORD_STATUS, e->element);

	record->status = word;
	record->provider_id = mid;
	record->provider_time = time;
	record->event_key = laras_reader_print(e->r, "status|%.*s|%s|%.*s", (int) mid.n, mid.s, word,
										   (int) e->person.n, e->person.s);
	laras_record_identity(record, e->channel->person, e->person);
}

/* All that was sent up to a moment. */
static void
add_watermark(const Event *e, const char *word, const json_t *watermark)
{
	int64_t time = laras_record_milliseconds(watermark);
	LarasRecord *record;

	if (time == 0)
	{
		laras_reader_fault(e->r, e->element, "watermark_without_time");
		return;
	}
	record = laras_reader_next(e->r, LARAS_RECORD_WATERMARK, e->element);
	record->status = word;
	record->provider_time = time;
	laras_record_identity(record, e->channel->person, e->person);
}

static void
read_delivery(const Event *e, const json_t *body)
{
	const json_t *mids = laras_json_get(body, "mids");
	json_t *mid;
	size_t i;

	if (json_array_size(mids) == 0)
	{
		add_watermark(e, "delivered", laras_json_get(body, "watermark"));
		return;
	}
	json_array_foreach(mids, i, mid)
	{
		LarasText id = laras_json_text(mid);

		if (laras_text_given(id) && id.n <= 1024)
			add_status(e, "delivered", id,
					   laras_record_milliseconds(laras_json_get(body, "watermark")));
		else
			laras_reader_fault(e->r, mid, "status_without_id");
	}
}

static void
read_read(const Event *e, const json_t *body)
{
	LarasText mid = laras_json_text_at(body, "mid");

	if (laras_text_given(mid) && mid.n <= 1024)
		add_status(e, "read", mid, e->time);
	else
		add_watermark(e, "read", laras_json_get(body, "watermark"));
}

/* Said about the page, by nobody. Returns false where it is no such event. */
static bool
read_pageless(LarasReader *r, const json_t *event)
{
	/* older bodies spell the first with a hyphen */
	static const char *const members[] = {"policy_enforcement", "policy-enforcement", "app_roles"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
	{
		const json_t *body = laras_json_get(event, members[i]);
		LarasText field = {i < 2 ? members[0] : members[i],
						   strlen(i < 2 ? members[0] : members[i])};
		json_t *entry;

		if (body == NULL)
			continue;
		entry = json_pack("{s:O*}", "time", laras_json_get(event, "timestamp"));
		laras_meta_account(r, "account_event", entry, field, laras_json_text_at(body, "action"),
						   body);
		json_decref(entry);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------- event */

/* who said it, and to whom; echoes have the two swapped, but not in every fixture */
static bool
find_person(Event *e, LarasText account, const json_t *body)
{
	LarasText sender =
		laras_reader_id(e->r, laras_json_get(laras_json_get(e->element, "sender"), "id"));
	LarasText recipient =
		laras_reader_id(e->r, laras_json_get(laras_json_get(e->element, "recipient"), "id"));

	e->outbound = laras_json_true(laras_json_get(body, "is_echo")) ||
				  laras_json_true(laras_json_get(body, "isEcho")) ||
				  (laras_text_same(sender, account) && recipient.s != NULL &&
				   !laras_text_same(recipient, account));
	e->person = sender;
	if (e->outbound && recipient.s != NULL && !laras_text_same(recipient, account))
		e->person = recipient;
	return e->person.s != NULL;
}

/* Is there more than who, to whom and when? */
static bool
says_something(const json_t *event)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *) event, key, value)
		if (strcmp(key, "sender") != 0 && strcmp(key, "recipient") != 0 &&
			strcmp(key, "timestamp") != 0)
			return true;
	return false;
}

void
laras_meta_event(LarasReader *r, const LarasMetaChannel *channel, LarasText account,
				 const json_t *event, bool standby)
{
	static const struct
	{
		const char *member;
		void (*read)(const Event *e, const json_t *body);
	} readers[] = {
		{"message", read_message},
		{"message_edit", read_edit},
		{"reaction", read_reaction},
		{"postback", read_postback},
		{"read", read_read},
		{"delivery", read_delivery},
		{"referral", read_referral},
		{"optin", read_optin},
		{"account_linking", read_account_linking},
	};
	static const char *const handovers[] = {"pass_thread_control", "take_thread_control",
											"request_thread_control"};
	const json_t *body = laras_json_get(event, "message");
	Event e = {.r = r, .channel = channel, .element = event};
	LarasRecord *record;

	if (!json_is_object(event))
	{
		laras_reader_fault(r, event, "event_not_an_object");
		return;
	}
	if (read_pageless(r, event))
		return;
	if (!find_person(&e, account, body))
	{
		laras_reader_fault(r, event, "event_without_sender");
		return;
	}
	if (laras_json_true(laras_json_get(body, "is_self")))
	{
		laras_reader_other(r, event, "message_to_oneself");
		return;
	}
	e.time = laras_record_moment(laras_json_get(event, "timestamp"));
	e.moment = laras_reader_dump(r, laras_json_get(event, "timestamp"));
	e.live = standby ? LARAS_OPENS_WINDOW : LARAS_LIVE;
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
	{
		body = laras_json_get(event, readers[i].member);
		if (json_is_object(body))
		{
			readers[i].read(&e, body);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(handovers) / sizeof(handovers[0]); i++)
	{
		body = laras_json_get(event, handovers[i]);
		if (json_is_object(body))
		{
			read_handover(&e, body, handovers[i]);
			return;
		}
	}
	if (!says_something(event))
	{
		laras_reader_fault(r, event, "event_without_content");
		return;
	}
	/* something of the person that is not known yet */
	record = message(&e, NULL);
	record->flags &= ~(unsigned) LARAS_OPENS_WINDOW;
	laras_record_unsupported(record);
	set_key(&e, record, "event", (LarasText){NULL, 0}, laras_reader_dump(r, event));
}
