/*
 * control.c
 *		The control calls under /_sandbox: play the provider's customers and its
 *		own callbacks, script faults, read the ledger, move the clock. Those that
 *		make objects are in objects.c.
 *
 * Calls are answered with JSON; a wrong one with {"error": "..."} and 400 or
 * 404.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/account.h"
#include "sandbox/bot.h"
#include "sandbox/fault.h"
#include "sandbox/control.h"
#include "sandbox/deliver.h"
#include "sandbox/ledger.h"
#include "sandbox/media.h"
#include "sandbox/play.h"
#include "sandbox/refusal.h"
#include "sandbox/server.h"
#include "sandbox/smtp.h"
#include "sandbox/traffic.h"

#define MAX_REPEAT 100000

/* ---------- customers' acts ---------- */

/* Finds number and customer of an act; false after an answer. */
static bool
read_actors(SbCall *call, SbNumber **number, char digits[16])
{
	const char *from = sb_text_of(call, "from");

	*number = sb_number_any(sb_text_of(call, "number"));
	if (*number == NULL)
		sb_unknown(call, "number");
	else if (from == NULL || !sb_digits(from, digits))
		sb_wrong(call, "from is no phone number");
	else if (digits[0] == '0')
		sb_wrong(call, "from needs its country code: ids of WhatsApp begin with it");
	else
		return true;
	return false;
}

static void
play_message(SbCall *call)
{
	static const char *const names[] = {"number",   "from",  "name", "text", "message",
										"reply_to", "count", "wait", NULL};
	const char *text = sb_text_of(call, "text");
	json_t *body = json_object_get(call->json, "message");
	int count = sb_int_of(call, "count", 1);
	SbNumber *number;
	char digits[16];
	char wamid[128];
	SbWait *wait;
	int told = 0;

	if (!sb_only(call, names) || !read_actors(call, &number, digits))
		return;
	if ((text == NULL) == !json_is_object(body) || count < 1 || count > MAX_REPEAT)
	{
		sb_wrong(call, "give text, or message as an object; count is 1 to 100000");
		return;
	}
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&sb_make_customer(digits)->name, sb_text_of(call, "name"));
	if (text != NULL)
		body = json_pack("{s:s,s:{s:s}}", "type", "text", "text", "body", text);
	else
		json_incref(body);
	if (sb_text_of(call, "reply_to") != NULL)
		json_object_set_new(body, "context",
							json_pack("{s:s,s:s}", "from", number->digits, "id",
									  sb_text_of(call, "reply_to")));
	wait = sb_play_begin(call);
	for (int i = 0; i < count; i++)
		told = sb_inbound(number, digits, body, wait, wamid);
	json_decref(body);
	sb_play_end(call, wait, json_pack("{s:s,s:i}", "id", wamid, "apps", told));
}

/* The customer stops or resumes marketing messages. */
static void
play_preference(SbCall *call)
{
	static const char *const names[] = {"number", "from", "value", NULL};
	const char *value = sb_text_of(call, "value");
	SbNumber *number;
	SbBuffer b = {0};
	char digits[16];
	long long now = (long long) (sb_now() / SB_SECOND);
	int told;

	if (!sb_only(call, names) || !read_actors(call, &number, digits))
		return;
	if (value == NULL || (strcmp(value, "stop") != 0 && strcmp(value, "resume") != 0))
	{
		sb_wrong(call, "value is stop or resume");
		return;
	}
	sb_make_customer(digits)->stopped = strcmp(value, "stop") == 0;
	sb_value_head(&b, number);
	sb_addf(
		&b,
		",\"contacts\":[{\"profile\":{\"name\":\"%s\"},\"wa_id\":\"%s\"}],\"user_preferences\":[{\"wa_id\":\"%s\",\"detail\":\"User requested to %s marketing messages\","
		"\"category\":\"marketing_messages\",\"value\":\"%s\",\"timestamp\":%lld}]}",
		digits, digits, digits, value, value, now);
	told = sb_webhook(number->waba, number, "user_preferences", b.data, NULL);
	sb_release(&b);
	sb_answer_json(call, 200, json_pack("{s:i}", "apps", told));
}

/* ---------- the provider's own acts ---------- */

static void
posted(void *arg, int status, const char *body, const char *error)
{
	SbCall *call = arg;
	json_t *o = json_pack("{s:i}", "status", status);
	json_t *parsed = json_loads(body, 0, NULL);
	json_t *text = json_string(body);

	if (error != NULL)
		json_object_set_new(o, "error", json_string(error));
	json_object_set_new(o, "body", text ? text : json_null());
	if (parsed != NULL)
		json_object_set_new(o, "json", parsed);
	sb_answer_json(call, 200, o);
	sb_call_finish(call);
}

/* Any body to an app's callback, with a right, wrong or no signature. */
static void
post_webhook(SbCall *call)
{
	static const char *const names[] = {"app_id", "url", "body", "signature", NULL};
	SbApp *app = sb_app(sb_text_of(call, "app_id"));
	const json_t *body = json_object_get(call->json, "body");
	const char *url = sb_text_of(call, "url");
	char *text;

	if (!sb_only(call, names))
		return;
	if (app == NULL)
	{
		sb_unknown(call, "app_id");
		return;
	}
	if (url == NULL)
		url = app->callback_url;
	if (url == NULL || body == NULL)
	{
		sb_wrong(call, "body is missing, or the app has no callback_url");
		return;
	}
	text = json_is_string(body) ? sb_strdup(json_string_value(body)) : sb_wire_text(body);
	call->held = true;
	sb_webhook_raw(url, app->secret, sb_text_of(call, "signature"), text, strlen(text), posted,
				   call);
	free(text);
}

/* Any update of a WABA, such as account_update, to whom it is subscribed. */
static void
post_event(SbCall *call)
{
	static const char *const names[] = {"waba_id", "number", "field", "value", NULL};
	SbNumber *number = sb_number_any(sb_text_of(call, "number"));
	SbWaba *w = number ? number->waba : sb_waba(sb_text_of(call, "waba_id"));
	const char *field = sb_text_of(call, "field");
	const json_t *value = json_object_get(call->json, "value");
	char *text;
	int told;

	if (!sb_only(call, names))
		return;
	if (w == NULL)
	{
		sb_unknown(call, "waba_id or number");
		return;
	}
	if (field == NULL || value == NULL ||
		strspn(field, "abcdefghijklmnopqrstuvwxyz_") != strlen(field))
	{
		sb_wrong(call, "field and value are needed");
		return;
	}
	text = sb_wire_text(value);
	told = sb_webhook(w, number, field, text, NULL);
	free(text);
	sb_answer_json(call, 200, json_pack("{s:i}", "apps", told));
}

/* A person removes the app, or asks to delete their data. */
static void
post_callback(SbCall *call, bool deletion)
{
	static const char *const names[] = {"app_id", "user_id", "keep_token", NULL};
	SbApp *app = sb_app(sb_text_of(call, "app_id"));
	const char *user = sb_text_of(call, "user_id");
	const char *url;

	if (!sb_only(call, names))
		return;
	if (app == NULL)
	{
		sb_unknown(call, "app_id");
		return;
	}
	url = deletion ? app->deletion_url : app->deauthorize_url;
	if (user == NULL || url == NULL)
	{
		sb_wrong(call, deletion ? "user_id is missing, or the app has no deletion_url"
								: "user_id is missing, or the app has no deauthorize_url");
		return;
	}
	if (!sb_flag_of(call, "keep_token", false))
		sb_revoke_user(app, user);
	call->held = true;
	sb_signed_request(url, app->secret, user, posted, call);
}

/* ---------- faults, settings, clock, state ---------- */

static void
faults(SbCall *call)
{
	const char *why = NULL;

	if (strcmp(call->method, "GET") == 0)
		sb_answer_json(call, 200, json_pack("{s:o}", "faults", sb_fault_list()));
	else if (strcmp(call->method, "DELETE") == 0)
	{
		const char *id = sb_param(call, "id");

		if (!sb_fault_remove(id ? (int) strtol(id, NULL, 10) : 0))
			sb_unknown(call, "fault");
		else
			sb_answer_success(call);
	}
	else
	{
		SbFault *f = sb_fault_add(call->json, &why);

		if (f == NULL)
			sb_wrong(call, why);
		else
			sb_answer_json(call, 200,
						   json_pack("{s:i,s:s}", "id", f->id, "action", sb_fault_name(f)));
	}
}

static json_t *
settings_json(void)
{
	const SbSettings *s = &sb_settings;

	return json_pack("{s:i,s:i,s:i,s:i,s:b,s:b,s:b,s:i,s:i,s:i,s:i,s:i,s:I,s:i,s:I}",
					 "usage_percent", s->usage, "sent_after_ms", s->sent_after,
					 "delivered_after_ms", s->delivered_after, "read_after_ms", s->read_after,
					 "enforce_limits", s->enforce_limits, "strangers", s->strangers, "user_ids",
					 s->user_ids, "tolerance_ms", s->tolerance, "retry_first_ms", s->retry_first,
					 "webhook_timeout_ms", s->webhook_timeout, "webhook_flights",
					 s->webhook_flights, "webhook_batch", s->webhook_batch, "queue_bytes",
					 (json_int_t) s->queue_bytes, "ledger_entries", s->ledger_entries,
					 "ledger_bytes", (json_int_t) s->ledger_bytes);
}

static void
settings(SbCall *call)
{
	static const char *const names[] = {
		"sent_after_ms",      "delivered_after_ms", "read_after_ms", "enforce_limits",
		"strangers",          "user_ids",           "tolerance_ms",  "retry_first_ms",
		"webhook_timeout_ms", "webhook_flights",    "webhook_batch", "queue_bytes",
		"ledger_entries",     "ledger_bytes",       "usage_percent", NULL};
	SbSettings s = sb_settings;
	const json_t *v;

	if (!sb_only(call, names))
		return;
	sb_update_int(call, "usage_percent", &s.usage);
	sb_update_int(call, "sent_after_ms", &s.sent_after);
	sb_update_int(call, "delivered_after_ms", &s.delivered_after);
	sb_update_int(call, "read_after_ms", &s.read_after);
	sb_update_flag(call, "enforce_limits", &s.enforce_limits);
	sb_update_flag(call, "strangers", &s.strangers);
	sb_update_flag(call, "user_ids", &s.user_ids);
	sb_update_int(call, "tolerance_ms", &s.tolerance);
	sb_update_int(call, "retry_first_ms", &s.retry_first);
	sb_update_int(call, "webhook_timeout_ms", &s.webhook_timeout);
	sb_update_int(call, "webhook_flights", &s.webhook_flights);
	sb_update_int(call, "webhook_batch", &s.webhook_batch);
	sb_update_int(call, "ledger_entries", &s.ledger_entries);
	if (json_is_integer(v = json_object_get(call->json, "queue_bytes")))
		s.queue_bytes = json_integer_value(v);
	if (json_is_integer(v = json_object_get(call->json, "ledger_bytes")))
		s.ledger_bytes = json_integer_value(v);
	if (s.usage < 0 || s.usage > 100 || s.tolerance < 0 || s.tolerance > 900 || s.retry_first < 1 ||
		s.webhook_timeout < 1 || s.webhook_flights < 1 || s.webhook_flights > 64 ||
		s.webhook_batch < 1 || s.webhook_batch > 1000 || s.ledger_entries < 0 ||
		s.ledger_entries > 10000000 || s.ledger_bytes < 0 || s.queue_bytes < 0)
	{
		sb_wrong(call, "a setting is out of range");
		return;
	}
	sb_settings = s;
	sb_answer_json(call, 200, settings_json());
}

static void
clock_call(SbCall *call)
{
	static const char *const names[] = {"advance_s", "advance_ms", NULL};
	const json_t *s = json_object_get(call->json, "advance_s");
	const json_t *ms = json_object_get(call->json, "advance_ms");

	if (!sb_only(call, names))
		return;
	if (json_is_number(s))
		sb_clock_advance((int64_t) (json_number_value(s) * 1e6));
	if (json_is_number(ms))
		sb_clock_advance((int64_t) (json_number_value(ms) * 1e3));
	sb_answer_json(call, 200,
				   json_pack("{s:I,s:I}", "now_ms", (json_int_t) (sb_now() / 1000), "shift_ms",
							 (json_int_t) (sb_clock_shift() / 1000)));
}

static void
status_call(SbCall *call)
{
	json_t *numbers = json_array();
	size_t pos = 0;
	SbNumber *n;

	while ((n = sb_table_next(&sb_world.numbers, &pos)) != NULL)
		json_array_append_new(numbers, sb_number_state(n));
	sb_answer_json(
		call, 200,
		json_pack("{s:I,s:I,s:o,s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:i},s:{s:I,s:I}}", "apps",
				  (json_int_t) sb_world.apps.count, "customers",
				  (json_int_t) sb_world.customers.count, "numbers", numbers, "webhooks", "events",
				  (json_int_t) sb_delivery.events, "delivered", (json_int_t) sb_delivery.delivered,
				  "bodies", (json_int_t) sb_delivery.bodies, "failures",
				  (json_int_t) sb_delivery.failures, "dropped", (json_int_t) sb_delivery.dropped,
				  "nowhere", (json_int_t) sb_delivery.nowhere, "waiting_bytes",
				  (json_int_t) sb_delivery.waiting_bytes, "in_flight", sb_delivery.in_flight,
				  "retrying", sb_delivery.retrying, "statuses", "waiting",
				  (json_int_t) sb_statuses_waiting(), "lost", (json_int_t) sb_statuses_lost()));
}

static void
refusals(SbCall *call)
{
	json_t *list = json_array();

	for (int i = 0; i < sb_nrefusals; i++)
	{
		const SbRefusal *r = &sb_refusals[i];

		json_array_append_new(list, json_pack("{s:i,s:i,s:i,s:s,s:b}", "code", r->code, "subcode",
											  r->subcode, "status", r->status, "title", r->title,
											  "transient", r->transient));
	}
	sb_answer_json(call, 200, json_pack("{s:o}", "refusals", list));
}

static void
reset_call(SbCall *call)
{
	sb_reset_all();
	sb_answer_success(call);
}

static void
ledger_call(SbCall *call)
{
	if (sb_ledger_unknown(call) != NULL)
		sb_wrong(call, "the ledger has no such filter");
	else
		sb_answer_json(call, 200, sb_ledger_list(call));
}

static void
totals_call(SbCall *call)
{
	sb_answer_json(call, 200, sb_ledger_totals());
}

static void
clear_ledger(SbCall *call)
{
	sb_ledger_reset();
	sb_answer_success(call);
}

static void
deauthorize(SbCall *call)
{
	post_callback(call, false);
}

static void
data_deletion(SbCall *call)
{
	post_callback(call, true);
}

static const struct
{
	const char *method; /* NULL: any */
	const char *first;
	const char *second;
	void (*handle)(SbCall *call);
} routes[] = {
	{"POST", "app", NULL, sb_put_app},
	{"POST", "waba", NULL, sb_put_waba},
	{"POST", "number", NULL, sb_put_number},
	{"POST", "template", NULL, sb_put_template_call},
	{"POST", "token", NULL, sb_put_token},
	{"POST", "code", NULL, sb_put_code},
	{"POST", "customer", NULL, sb_put_customer},
	{"POST", "customer", "message", play_message},
	{"POST", "customer", "preference", play_preference},
	{"POST", "account", NULL, sb_put_account},
	{"POST", "account", "code", sb_put_account_code},
	{"POST", "account", "token", sb_put_account_token},
	{"POST", "account", "message", sb_play_account_message},
	{"POST", "account", "event", sb_play_account_event},
	{"POST", "account", "post", sb_put_post},
	{"POST", "account", "comment", sb_play_comment},
	{"POST", "account", "mention", sb_play_mention},
	{"POST", "bot", NULL, sb_put_bot},
	{"POST", "bot", "chat", sb_put_chat},
	{"POST", "bot", "message", sb_play_bot_message},
	{"POST", "bot", "update", sb_play_bot_update},
	{"POST", "mailbox", NULL, sb_put_mailbox},
	{"POST", "media", NULL, sb_put_media},
	{"POST", "webhook", NULL, post_webhook},
	{"POST", "event", NULL, post_event},
	{"POST", "deauthorize", NULL, deauthorize},
	{"POST", "data_deletion", NULL, data_deletion},
	{NULL, "fault", NULL, faults},
	{"GET", "ledger", NULL, ledger_call},
	{"DELETE", "ledger", NULL, clear_ledger},
	{"GET", "totals", NULL, totals_call},
	{"GET", "status", NULL, status_call},
	{"GET", "refusals", NULL, refusals},
	{"GET", "dialogs", NULL, sb_list_dialogs},
	{"GET", "settings", NULL, settings},
	{"POST", "settings", NULL, settings},
	{"GET", "clock", NULL, clock_call},
	{"POST", "clock", NULL, clock_call},
	{"POST", "reset", NULL, reset_call},
};

void
sb_control(SbCall *call)
{
	const char *first = call->nparts > 1 ? call->parts[1] : "";
	const char *second = call->nparts > 2 ? call->parts[2] : NULL;

	if (call->body_length > 0 && !json_is_object(call->json))
	{
		sb_wrong(call, "the body is no JSON object");
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && call->nparts <= 3; i++)
	{
		if (strcmp(routes[i].first, first) == 0 &&
			(routes[i].method == NULL || strcmp(routes[i].method, call->method) == 0) &&
			(second ? routes[i].second != NULL && strcmp(routes[i].second, second) == 0
					: routes[i].second == NULL))
		{
			routes[i].handle(call);
			return;
		}
	}
	sb_unknown(call, "control call");
}
