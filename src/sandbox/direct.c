/*
 * direct.c
 *		Direct messages of accounts of Instagram and Facebook Pages: sends with
 *		their windows and limits, attachments that are fetched from a link,
 *		echoes; and the control calls that play the people who write.
 *
 * Sources: Instagram "Send messages" (text of 1,000 bytes, 24 hours), "Webhook
 * notification examples"; Messenger Platform, "Send API". Echoes of what an
 * account sends come on the same field, as they do there.
 */
#include "sandbox/account_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/content.h"
#include "sandbox/control.h"
#include "sandbox/fault.h"
#include "sandbox/media.h"
#include "sandbox/play.h"
#include "sandbox/refusal.h"

#define LONGEST_TEXT 1000
#define LONGEST_PAGE_TEXT 2000

/* ---------- messages ---------- */

/* Sends one messaging event to the app; false where it goes nowhere. */
static bool
deliver(SbAccount *a, json_t *event, SbWait *wait)
{
	json_t *entry;
	char *text;
	bool queued;

	if (!a->subscribed || a->app->callback_url == NULL)
	{
		json_decref(event);
		return false;
	}
	entry = json_pack("{s:I,s:s,s:[o]}", "time", (json_int_t) (sb_now() / 1000), "id", a->id,
					  "messaging", event);
	text = sb_wire_text(entry);
	json_decref(entry);
	queued =
		sb_entry(a->app->callback_url, a->app->secret, a->page ? "page" : "instagram", text, wait);
	free(text);
	return queued;
}

static json_t *
messaging(const char *from, const char *to, json_t *message)
{
	return json_pack("{s:{s:s},s:{s:s},s:I,s:o}", "sender", "id", from, "recipient", "id", to,
					 "timestamp", (json_int_t) (sb_now() / 1000), "message", message);
}

static void
new_mid(char out[64])
{
	memcpy(out, "m_df", 4);
	sb_random_text(out + 4, 48, SB_LETTERS);
	out[52] = '\0';
}

/* Is it a person's answer, which may come for seven days? */
static bool
is_human_agent(const SbCall *call)
{
	const char *type = json_string_value(json_object_get(call->json, "messaging_type"));
	const char *tag = json_string_value(json_object_get(call->json, "tag"));

	return type != NULL && tag != NULL && strcmp(type, "MESSAGE_TAG") == 0 &&
		   strcmp(tag, "HUMAN_AGENT") == 0;
}

/* Did the person write lately enough? False after a refusal. */
static bool
may_write(SbCall *call, SbAccount *a, const char *to)
{
	SbPerson *p = sb_person(a, to, false);

	if (p == NULL)
	{
		sb_refuse(call, 100, a->page ? 2018001 : 2534014, "(#100) No matching user found", NULL);
		return false;
	}
	if (p->last_inbound != 0 &&
		sb_now() - p->last_inbound < (is_human_agent(call) ? 7 * SB_WINDOW : SB_WINDOW))
		return true;
	call->note.outside_window = true;
	sb_refuse(call, 10, a->page ? 2018278 : 2534022,
			  "(#10) This message is sent outside of allowed window.", NULL);
	return false;
}

/* What is shown beside messages: a request of its own. */
static void
show_action(SbCall *call, SbAccount *a, const char *to, const char *action)
{
	if (json_object_get(call->json, "message") != NULL)
		sb_refuse(call, 100, 0, "(#100) Param sender_action must stand alone.", NULL);
	else if (strcmp(action, "typing_on") != 0 && strcmp(action, "typing_off") != 0 &&
			 strcmp(action, "mark_seen") != 0)
		sb_refuse(call, 100, 0,
				  "(#100) Param sender_action must be one of {MARK_SEEN, TYPING_OFF, TYPING_ON}.",
				  NULL);
	else if (may_write(call, a, to))
		sb_answer_json(call, 200, json_pack("{s:s}", "recipient_id", to));
}

/* The message is taken: it gets an id, and comes back where the account wants that. */
static void
take_message(SbCall *call, SbAccount *a, const char *to, json_t *message, const char *said,
			 size_t n)
{
	char mid[64];

	new_mid(mid);
	a->accepted++;
	call->note.accepted = true;
	call->note.content =
		sb_hash(said, n) ^ sb_hash(to, strlen(to)) * 3 ^ sb_hash(a->id, strlen(a->id)) * 5;
	snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", mid);
	sb_answer_json(call, 200,
				   call->fault != NULL && call->fault->action == SB_FAULT_NO_ID
					   ? json_pack("{s:s}", "recipient_id", to)
					   : json_pack("{s:s,s:s}", "recipient_id", to, "message_id", mid));
	json_object_set_new(message, "mid", json_string(mid));
	json_object_set_new(message, "is_echo", json_true());
	if (json_object_get(json_object_get(call->json, "message"), "metadata") != NULL)
		json_object_set(message, "metadata",
						json_object_get(json_object_get(call->json, "message"), "metadata"));
	if (a->echoes && (call->fault == NULL || call->fault->statuses != SB_STATUS_NEVER))
		deliver(a, messaging(a->id, to, message), NULL);
	else
		json_decref(message);
}

/* ---------- attachments ---------- */

/* what each type of attachment may be, and how long */
static const struct
{
	const char *type;
	const char *mime; /* the beginning of it */
	size_t most;
} attachments[] = {
	{"image", "image/", 8 << 20},
	{"video", "video/", 25 << 20},
	{"audio", "audio/", 25 << 20},
	{"file", "application/pdf", 25 << 20},
};

static void
fetched_attachment(void *arg, int status, const char *mime, const char *bytes, size_t n)
{
	SbCall *call = arg;
	const char *to =
		json_string_value(json_object_get(json_object_get(call->json, "recipient"), "id"));
	const json_t *given = json_object_get(json_object_get(call->json, "message"), "attachment");
	const char *type = json_string_value(json_object_get(given, "type"));
	SbAccount *a = sb_account(call->note.number);
	bool fits = false;

	for (size_t i = 0; i < sizeof(attachments) / sizeof(attachments[0]); i++)
		fits = fits || (strcmp(attachments[i].type, type) == 0 && mime != NULL &&
						strncmp(mime, attachments[i].mime, strlen(attachments[i].mime)) == 0 &&
						n > 0 && n <= attachments[i].most);
	if (a == NULL || status != 200)
		sb_refuse(call, 100, 2018047, "(#100) Upload attachment failure.", NULL);
	else if (!fits)
		sb_refuse(call, 100, 2018047,
				  "(#100) Upload attachment failure: type or size does not match.", NULL);
	else
	{
		SbMedia *m = sb_new_media(mime, bytes, n);

		take_message(call, a, to,
					 json_pack("{s:[{s:s,s:{s:o}}]}", "attachments", "type", type, "payload", "url",
							   sb_media_open_link(call, m)),
					 bytes, n);
	}
	sb_call_finish(call);
}

/* Is it an attachment by URL? Then it is fetched before the message is taken. */
static bool
send_attachment(SbCall *call)
{
	const json_t *given = json_object_get(json_object_get(call->json, "message"), "attachment");
	const char *type = json_string_value(json_object_get(given, "type"));
	const char *url = json_string_value(json_object_get(json_object_get(given, "payload"), "url"));

	if (type == NULL || url == NULL)
		return false;
	snprintf(call->note.type, sizeof(call->note.type), "%s", type);
	call->held = true;
	sb_fetch(url, fetched_attachment, call);
	return true;
}

void
sb_send_direct(SbCall *call, SbGrant *g)
{
	SbAccount *a = g->account;
	const char *to =
		json_string_value(json_object_get(json_object_get(call->json, "recipient"), "id"));
	const char *comment =
		json_string_value(json_object_get(json_object_get(call->json, "recipient"), "comment_id"));
	const char *text =
		json_string_value(json_object_get(json_object_get(call->json, "message"), "text"));
	const char *action = json_string_value(json_object_get(call->json, "sender_action"));
	bool attached = json_object_get(json_object_get(call->json, "message"), "attachment") != NULL;

	call->note.route = "messages";
	call->note.number = a->id;
	snprintf(call->note.type, sizeof(call->note.type), "%.16s", action ? action : "text");
	if (to != NULL)
		snprintf(call->note.to, sizeof(call->note.to), "%s", to);
	if (!sb_granted(g, a->page ? SB_PAGE_MESSAGES : SB_IG_MESSAGES))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (to == NULL && (comment == NULL || action != NULL))
		sb_refuse(call, 100, 0, "(#100) The parameter recipient is required.", NULL);
	else if (action != NULL)
		show_action(call, a, to, action);
	else if (attached ? text != NULL || comment != NULL : text == NULL || text[0] == '\0')
		sb_refuse(call, 100, 0, "(#100) The parameter message is required.", NULL);
	else if (a->page && json_object_get(call->json, "messaging_type") == NULL)
		sb_refuse(call, 100, 0, "(#100) The parameter messaging_type is required.", NULL);
	else if (a->page && text != NULL &&
			 sb_characters(json_object_get(json_object_get(call->json, "message"), "text")) >
				 LONGEST_PAGE_TEXT)
		sb_refuse(call, 100, 0,
				  "(#100) Length of param message[text] must be less than or equal to 2000", NULL);
	else if (!a->page && text != NULL && strlen(text) > LONGEST_TEXT)
		sb_refuse(call, 100, 0,
				  "(#100) Length of param message[text] must be less than or equal to 1000", NULL);
	else if (to == NULL)
		sb_private_reply(call, g, comment, text);
	else if (may_write(call, a, to) && sb_account_may_send(call, a, attached ? &a->media : NULL))
	{
		if (!attached)
			take_message(call, a, to, json_pack("{s:s}", "text", text), text, strlen(text));
		else if (!send_attachment(call))
			sb_refuse(call, 100, 0, "(#100) The parameter attachment is required.", NULL);
	}
}

/* ---------- control calls ---------- */

/* Delivers, and answers the control call: at once, or once it was delivered. */
static void
play(SbCall *call, SbAccount *a, json_t *event, json_t *answer)
{
	SbWait *wait = sb_play_begin(call);

	json_object_set_new(answer, "told", json_boolean(deliver(a, event, wait)));
	sb_play_end(call, wait, answer);
}

/* A person writes to the account. */
void
sb_play_account_message(SbCall *call)
{
	static const char *const names[] = {"account", "from", "text", "message", "wait", NULL};
	SbAccount *a = sb_account(sb_text_of(call, "account"));
	const char *from = sb_text_of(call, "from");
	const char *text = sb_text_of(call, "text");
	json_t *body = json_object_get(call->json, "message");
	json_t *message;
	char mid[64];

	if (!sb_only(call, names))
		return;
	if (a == NULL)
	{
		sb_unknown(call, "account");
		return;
	}
	if (from == NULL || (text == NULL) == !json_is_object(body))
	{
		sb_wrong(call, "give from, and text, or message as an object");
		return;
	}
	sb_person(a, from, true)->last_inbound = sb_now();
	new_mid(mid);
	message = json_pack("{s:s}", "mid", mid);
	if (text != NULL)
		json_object_set_new(message, "text", json_string(text));
	else
		json_object_update(message, body);
	play(call, a, messaging(from, a->id, message), json_pack("{s:s}", "id", mid));
}

/* Any messaging event of the account, as it stands in an entry. */
void
sb_play_account_event(SbCall *call)
{
	static const char *const names[] = {"account", "event", "wait", NULL};
	SbAccount *a = sb_account(sb_text_of(call, "account"));
	const json_t *event = json_object_get(call->json, "event");

	if (!sb_only(call, names))
		return;
	if (a == NULL)
		sb_unknown(call, "account");
	else if (!json_is_object(event))
		sb_wrong(call, "event is an object");
	else
		play(call, a, json_deep_copy(event), json_object());
}
