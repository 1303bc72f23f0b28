/*
 * control.c
 *		The control calls under /_sandbox: make and change the pretended
 *		provider's objects, play its customers and its own callbacks, script
 *		faults, read the ledger, move the clock.
 *
 * Calls are answered with JSON; a wrong one with {"error": "..."} and 400 or
 * 404. Naming an id that exists changes that object, and only what is named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/deliver.h"
#include "sandbox/fault.h"
#include "sandbox/graph.h"
#include "sandbox/ledger.h"
#include "sandbox/limits.h"
#include "sandbox/refusal.h"
#include "sandbox/server.h"
#include "sandbox/traffic.h"

#define MAX_REPEAT	100000

/* ---------- helpers ---------- */

static void
wrong(SbCall *call, const char *why)
{
	sb_answer_json(call, 400, json_pack("{s:s}", "error", why));
}

static void
unknown(SbCall *call, const char *what)
{
	sb_answer_json(call, 404, json_pack("{s:s+}", "error", "no such ", what));
}

static const char *
text_of(const SbCall *call, const char *name)
{
	return json_string_value(json_object_get(call->json, name));
}

static bool
flag_of(const SbCall *call, const char *name, bool otherwise)
{
	const json_t *v = json_object_get(call->json, name);

	return v ? json_is_true(v) : otherwise;
}

static int
int_of(const SbCall *call, const char *name, int otherwise)
{
	const json_t *v = json_object_get(call->json, name);

	return json_is_integer(v) ? (int) json_integer_value(v) : otherwise;
}

/* Every key of the body must be one of names: a misspelt one is told. */
static bool
only(SbCall *call, const char *const *names)
{
	const char *key;
	json_t	   *value;

	json_object_foreach(call->json, key, value)
	{
		int			i;

		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] == NULL)
		{
			sb_answer_json(call, 400, json_pack("{s:s+}", "error", "unknown key ", key));
			return false;
		}
	}
	return true;
}

/* Sets *field from the body if it is named there (null empties it). */
static void
update_text(const SbCall *call, const char *name, char **field)
{
	if (json_object_get(call->json, name) != NULL)
		sb_replace(field, text_of(call, name));
}

static void
update_flag(const SbCall *call, const char *name, bool *field)
{
	*field = flag_of(call, name, *field);
}

static void
update_int(const SbCall *call, const char *name, int *field)
{
	*field = int_of(call, name, *field);
}

/* ---------- objects ---------- */

static json_t *
app_json(const SbApp *a)
{
	return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s?,s:s?}", "id", a->id, "secret", a->secret, "name", a->name,
					 "callback_url", a->callback_url, "verify_token", a->verify_token,
					 "deauthorize_url", a->deauthorize_url, "deletion_url", a->deletion_url);
}

typedef struct AppVerify
{
	SbCall	   *call;
	char	   *id;
} AppVerify;

static void
app_verified(void *arg, int status, const char *body, const char *error)
{
	AppVerify  *v = arg;
	SbCall	   *call = v->call;
	SbApp	   *app = sb_app(v->id);
	json_t	   *o = app ? app_json(app) : json_object();

	(void) body;
	json_object_set_new(o, "verified", json_boolean(status == 200));
	if (status != 200)
		json_object_set_new(o, "verify_error", status ? json_sprintf("HTTP status %d", status) : json_string(error));
	sb_answer_json(call, 200, o);
	free(v->id);
	free(v);
	sb_call_finish(call);
}

static void
put_app(SbCall *call)
{
	static const char *const names[] = {
		"id", "secret", "name", "callback_url", "verify_token", "deauthorize_url", "deletion_url", "require_proof", "verify",
		NULL
	};
	SbApp	   *a = sb_app(text_of(call, "id"));

	if (!only(call, names))
		return;
	if (a == NULL)
	{
		char		secret[33];

		a = sb_alloc(sizeof(SbApp));
		a->id = text_of(call, "id") ? sb_strdup(text_of(call, "id")) : sb_new_id();
		sb_random_text(secret, 32, "0123456789abcdef");
		a->secret = sb_strdup(secret);
		a->name = sb_strdup("Sandbox app");
		sb_table_put(&sb_world.apps, a->id, a);
	}
	if (text_of(call, "secret") != NULL)
		sb_replace(&a->secret, text_of(call, "secret"));
	if (text_of(call, "name") != NULL)
		sb_replace(&a->name, text_of(call, "name"));
	update_text(call, "callback_url", &a->callback_url);
	update_text(call, "verify_token", &a->verify_token);
	update_text(call, "deauthorize_url", &a->deauthorize_url);
	update_text(call, "deletion_url", &a->deletion_url);
	update_flag(call, "require_proof", &a->require_proof);
	if (flag_of(call, "verify", false))
	{
		AppVerify  *v;

		if (a->callback_url == NULL || a->verify_token == NULL)
		{
			wrong(call, "verify needs callback_url and verify_token");
			return;
		}
		v = sb_alloc(sizeof(AppVerify));
		v->call = call;
		v->id = sb_strdup(a->id);
		call->held = true;
		sb_handshake(a->callback_url, a->verify_token, app_verified, v);
		return;
	}
	sb_answer_json(call, 200, app_json(a));
}

static void
put_waba(SbCall *call)
{
	static const char *const names[] = {"id", "name", "business_id", "subscribe", "refuse", NULL};
	SbWaba	   *w = sb_waba(text_of(call, "id"));
	const json_t *subscribe = json_object_get(call->json, "subscribe");
	json_t	   *list;
	size_t		i;
	json_t	   *one;

	if (!only(call, names))
		return;
	json_array_foreach(subscribe, i, one)
		if (sb_app(json_string_value(one)) == NULL)
	{
		unknown(call, "app");
		return;
	}
	if (w == NULL)
	{
		w = sb_alloc(sizeof(SbWaba));
		w->id = text_of(call, "id") ? sb_strdup(text_of(call, "id")) : sb_new_id();
		w->business_id = sb_new_id();
		w->name = sb_strdup("Sandbox business");
		sb_table_put(&sb_world.wabas, w->id, w);
	}
	if (text_of(call, "name") != NULL)
		sb_replace(&w->name, text_of(call, "name"));
	if (text_of(call, "business_id") != NULL)
		sb_replace(&w->business_id, text_of(call, "business_id"));
	update_int(call, "refuse", &w->refuse);
	if (subscribe != NULL)
	{
		for (int k = 0; k < w->nsubs; k++)
			free(w->subs[k].url);
		w->nsubs = 0;
		json_array_foreach(subscribe, i, one)
			if (w->nsubs < SB_MAX_TARGETS)
			w->subs[w->nsubs++] = (SbSubscription)
		{
			.app = sb_app(json_string_value(one))
		};
	}
	list = json_array();
	for (int k = 0; k < w->nsubs; k++)
		json_array_append_new(list, json_string(w->subs[k].app->id));
	sb_answer_json(call, 200, json_pack("{s:s,s:s,s:s,s:o}", "id", w->id, "name", w->name, "business_id", w->business_id,
										"subscribed", list));
}

static json_t *
number_json(const SbNumber *n)
{
	json_t	   *o = sb_number_json(n);

	json_object_set_new(o, "waba_id", json_string(n->waba->id));
	json_object_set_new(o, "accepted", json_integer((json_int_t) n->accepted));
	json_object_set_new(o, "violations", json_pack("{s:I,s:I,s:I}", "number_limit", (json_int_t) n->over_rate,
												   "pair_limit", (json_int_t) n->over_pair,
												   "outside_window", (json_int_t) n->outside_window));
	return o;
}

static void
put_number(SbCall *call)
{
	static const char *const names[] = {
		"id", "waba_id", "display_phone_number", "verified_name", "quality_rating", "registered", "deleted", "coexistence",
		"pin", "test", "allowed", "late", "refuse", "rate", "pair_burst", "pair_interval_ms", NULL
	};
	SbNumber   *n = sb_number(text_of(call, "id"));
	SbWaba	   *w = sb_waba(text_of(call, "waba_id"));
	const char *display = text_of(call, "display_phone_number");
	const json_t *allowed = json_object_get(call->json, "allowed");
	char		digits[16];
	int			rate;
	int			burst;
	int			interval;
	size_t		i;
	json_t	   *one;

	if (!only(call, names))
		return;
	if (display != NULL && !sb_digits(display, digits))
	{
		wrong(call, "display_phone_number is no phone number");
		return;
	}
	if (w == NULL && (n == NULL || json_object_get(call->json, "waba_id") != NULL))
	{
		unknown(call, "waba_id");
		return;
	}
	if (n == NULL && display == NULL)
	{
		wrong(call, "a new number needs display_phone_number");
		return;
	}
	rate = int_of(call, "rate", n ? n->rate : 80);
	burst = int_of(call, "pair_burst", n ? n->pair_burst : 45);
	interval = int_of(call, "pair_interval_ms", n ? (int) (n->pair_interval / 1000) : 6000);
	if (rate < 1 || rate > 1000000 || burst < 1 || interval < 0)
	{
		wrong(call, "rate is 1 to 1000000, pair_burst at least 1, pair_interval_ms at least 0");
		return;
	}
	if (n == NULL)
	{
		n = sb_alloc(sizeof(SbNumber));
		n->id = text_of(call, "id") ? sb_strdup(text_of(call, "id")) : sb_new_id();
		n->verified_name = sb_strdup("Sandbox shop");
		n->quality = sb_strdup("GREEN");
		n->registered = true;
		sb_table_put(&sb_world.numbers, n->id, n);
	}
	if (w != NULL)
		n->waba = w;
	if (display != NULL)
	{
		sb_replace(&n->display, display);
		sb_replace(&n->digits, digits);
	}
	if (text_of(call, "verified_name") != NULL)
		sb_replace(&n->verified_name, text_of(call, "verified_name"));
	if (text_of(call, "quality_rating") != NULL)
		sb_replace(&n->quality, text_of(call, "quality_rating"));
	update_text(call, "pin", &n->pin);
	update_flag(call, "registered", &n->registered);
	update_flag(call, "deleted", &n->deleted);
	update_flag(call, "coexistence", &n->coexistence);
	update_flag(call, "test", &n->test);
	update_flag(call, "late", &n->late);
	update_int(call, "refuse", &n->refuse);
	sb_limits_set(n, rate, burst, interval);
	if (allowed != NULL)
	{
		while (n->nallowed > 0)
			free(n->allowed[--n->nallowed]);
		free(n->allowed);
		n->allowed = sb_alloc(json_array_size(allowed) * sizeof(char *));
		json_array_foreach(allowed, i, one)
			if (json_is_string(one) && sb_digits(json_string_value(one), digits))
			n->allowed[n->nallowed++] = sb_strdup(digits);
	}
	sb_answer_json(call, 200, number_json(n));
}

static void
put_template(SbCall *call)
{
	static const char *const names[] = {
		"waba_id", "name", "language", "category", "status", "components", "header", "header_format", "body", "button_url", NULL
	};
	SbWaba	   *w = sb_waba(text_of(call, "waba_id"));
	const char *status = text_of(call, "status");
	const char *why = NULL;
	SbTemplate *t;

	if (!only(call, names))
		return;
	if (w == NULL)
	{
		unknown(call, "waba_id");
		return;
	}
	t = sb_put_template(w, call->json, status ? status : "APPROVED", &why);
	if (t == NULL)
		wrong(call, why);
	else
		sb_answer_json(call, 200, sb_template_json(t));
}

/* Reads "waba_ids" (or "waba_id") into an array of targets; -1 after a wrong one. */
static int
read_targets(SbCall *call, SbWaba *wabas[SB_MAX_TARGETS])
{
	const json_t *list = json_object_get(call->json, "waba_ids");
	const char *single = text_of(call, "waba_id");
	int			n = 0;
	size_t		i;
	json_t	   *one;

	if (single != NULL && (wabas[n++] = sb_waba(single)) == NULL)
	{
		unknown(call, "waba_id");
		return -1;
	}
	json_array_foreach(list, i, one)
	{
		SbWaba	   *w = sb_waba(json_string_value(one));

		if (w == NULL || n == SB_MAX_TARGETS)
		{
			unknown(call, "waba_id");
			return -1;
		}
		wabas[n++] = w;
	}
	return n;
}

/* Reads "scopes": names as Meta's; -1 after an unknown one. */
static int64_t
read_scopes(SbCall *call)
{
	const json_t *list = json_object_get(call->json, "scopes");
	uint32_t	scopes = 0;
	size_t		i;
	json_t	   *one;

	if (list == NULL)
		return SB_SCOPE_MESSAGING | SB_SCOPE_MANAGEMENT;
	json_array_foreach(list, i, one)
	{
		uint32_t	bit = json_is_string(one) ? sb_scope(json_string_value(one)) : 0;

		if (bit == 0)
		{
			wrong(call, "unknown scope");
			return -1;
		}
		scopes |= bit;
	}
	return scopes;
}

/* A new token, or (with one that exists) a change of its state. */
static void
put_token(SbCall *call)
{
	static const char *const names[] = {
		"token", "app_id", "user_id", "waba_id", "waba_ids", "scopes", "expires_in", "dead", NULL
	};
	SbToken    *t = sb_token(text_of(call, "token"));
	SbApp	   *app = sb_app(text_of(call, "app_id"));
	SbWaba	   *wabas[SB_MAX_TARGETS];
	int			nwabas;
	int64_t		scopes;

	if (!only(call, names) || (nwabas = read_targets(call, wabas)) < 0 || (scopes = read_scopes(call)) < 0)
		return;
	if (t == NULL && app == NULL)
	{
		unknown(call, "app_id");
		return;
	}
	if (t == NULL)
	{
		t = sb_new_token(app, text_of(call, "user_id"), text_of(call, "token"));
		t->scopes = (uint32_t) scopes;
	}
	else if (json_object_get(call->json, "scopes") != NULL)
		t->scopes = (uint32_t) scopes;
	if (nwabas > 0)
	{
		memcpy(t->wabas, wabas, sizeof(wabas[0]) * (size_t) nwabas);
		t->nwabas = nwabas;
	}
	if (json_object_get(call->json, "expires_in") != NULL)
	{
		int			seconds = int_of(call, "expires_in", 0);

		t->expires = seconds ? sb_now() + seconds * SB_SECOND : 0;
	}
	update_int(call, "dead", &t->dead);
	sb_answer_json(call, 200, json_pack("{s:s,s:s,s:s,s:s,s:i}", "token", t->token, "label", t->label, "app_id", t->app->id,
										"user_id", t->user_id, "dead", t->dead));
}

/* A code, and the browser's message event, as after an Embedded Signup. */
static void
put_code(SbCall *call)
{
	static const char *const names[] = {"app_id", "user_id", "waba_id", "waba_ids", "number", "scopes", "redirect_uri", NULL};
	SbApp	   *app = sb_app(text_of(call, "app_id"));
	SbNumber   *number = sb_number_any(text_of(call, "number"));
	SbWaba	   *wabas[SB_MAX_TARGETS];
	int			nwabas;
	int64_t		scopes;
	SbCode	   *code;
	json_t	   *data;

	if (!only(call, names) || (nwabas = read_targets(call, wabas)) < 0 || (scopes = read_scopes(call)) < 0)
		return;
	if (app == NULL)
	{
		unknown(call, "app_id");
		return;
	}
	if (nwabas == 0 && number != NULL)
		wabas[nwabas++] = number->waba;
	code = sb_new_code(app, text_of(call, "user_id"), text_of(call, "redirect_uri"));
	code->scopes = (uint32_t) scopes;
	code->nwabas = nwabas;
	memcpy(code->wabas, wabas, sizeof(wabas[0]) * (size_t) nwabas);
	data = json_object();
	if (number != NULL)
		json_object_set_new(data, "phone_number_id", json_string(number->id));
	if (nwabas > 0)
	{
		json_object_set_new(data, "waba_id", json_string(wabas[0]->id));
		json_object_set_new(data, "business_id", json_string(wabas[0]->business_id));
	}
	sb_answer_json(call, 200, json_pack("{s:s,s:s,s:{s:s,s:s,s:o}}", "code", code->code, "user_id", code->user_id,
										"event", "type", "WA_EMBEDDED_SIGNUP", "event", number ? "FINISH" : "FINISH_ONLY_WABA",
										"data", data));
}

static SbCustomer *
make_customer(const char *digits)
{
	SbCustomer *c = sb_customer(digits);

	if (c == NULL)
	{
		c = sb_alloc(sizeof(SbCustomer));
		c->phone = sb_strdup(digits);
		c->on_whatsapp = true;
		c->reads = true;
		sb_table_put(&sb_world.customers, c->phone, c);
	}
	return c;
}

static void
put_customer(SbCall *call)
{
	static const char *const names[] = {
		"phone", "name", "username", "user_id", "identity_hash", "on_whatsapp", "hidden", "stopped", "reads", "refuse", NULL
	};
	const char *phone = text_of(call, "phone");
	char		digits[16];
	char		derived[64];
	SbCustomer *c;

	if (!only(call, names))
		return;
	if (phone == NULL || !sb_digits(phone, digits))
	{
		wrong(call, "a customer has a phone");
		return;
	}
	c = make_customer(digits);
	update_text(call, "name", &c->name);
	update_text(call, "username", &c->username);
	update_text(call, "identity_hash", &c->identity_hash);
	if (json_object_get(call->json, "user_id") != NULL)
	{
		if (c->user_id != NULL)
			sb_table_remove(&sb_world.user_ids, c->user_id);
		sb_replace(&c->user_id, text_of(call, "user_id"));
		if (c->user_id != NULL)
			sb_table_put(&sb_world.user_ids, c->user_id, c);
	}
	update_flag(call, "on_whatsapp", &c->on_whatsapp);
	update_flag(call, "hidden", &c->hidden);
	update_flag(call, "stopped", &c->stopped);
	update_flag(call, "reads", &c->reads);
	update_int(call, "refuse", &c->refuse);
	sb_user_id(c->phone, "", derived);
	sb_answer_json(call, 200, json_pack("{s:s,s:s?,s:s,s:b}", "phone", c->phone, "name", c->name, "user_id",
										c->user_id ? c->user_id : derived, "on_whatsapp", c->on_whatsapp));
}

/* ---------- customers' acts ---------- */

typedef struct Play
{
	SbWait		wait;			/* first */
	SbCall	   *call;
	json_t	   *answer;
} Play;

static void
play_delivered(SbWait *wait)
{
	Play	   *p = (Play *) wait;

	json_object_set_new(p->answer, "status", json_integer(wait->status));
	sb_answer_json(p->call, 200, p->answer);
	sb_call_finish(p->call);
	free(p);
}

/* Finds number and customer of an act; false after an answer. */
static bool
read_actors(SbCall *call, SbNumber **number, char digits[16])
{
	const char *from = text_of(call, "from");

	*number = sb_number_any(text_of(call, "number"));
	if (*number == NULL)
		unknown(call, "number");
	else if (from == NULL || !sb_digits(from, digits))
		wrong(call, "from is no phone number");
	else
		return true;
	return false;
}

static void
play_message(SbCall *call)
{
	static const char *const names[] = {"number", "from", "name", "text", "message", "reply_to", "count", "wait", NULL};
	const char *text = text_of(call, "text");
	json_t	   *body = json_object_get(call->json, "message");
	int			count = int_of(call, "count", 1);
	SbNumber   *number;
	char		digits[16];
	char		wamid[128];
	Play	   *play = NULL;
	int			told = 0;

	if (!only(call, names) || !read_actors(call, &number, digits))
		return;
	if ((text == NULL) == !json_is_object(body) || count < 1 || count > MAX_REPEAT)
	{
		wrong(call, "give text, or message as an object; count is 1 to 100000");
		return;
	}
	if (text_of(call, "name") != NULL)
		sb_replace(&make_customer(digits)->name, text_of(call, "name"));
	if (text != NULL)
		body = json_pack("{s:s,s:{s:s}}", "type", "text", "text", "body", text);
	else
		json_incref(body);
	if (text_of(call, "reply_to") != NULL)
		json_object_set_new(body, "context", json_pack("{s:s,s:s}", "from", number->digits, "id", text_of(call, "reply_to")));
	if (flag_of(call, "wait", false))
	{
		play = sb_alloc(sizeof(Play));
		play->wait.done = play_delivered;
		play->wait.pending = 1;
		play->call = call;
	}
	for (int i = 0; i < count; i++)
		told = sb_inbound(number, digits, body, play ? &play->wait : NULL, wamid);
	json_decref(body);
	if (play != NULL && --play->wait.pending > 0)
	{
		play->answer = json_pack("{s:s,s:i}", "id", wamid, "apps", told);
		call->held = true;
		return;
	}
	free(play);
	sb_answer_json(call, 200, json_pack("{s:s,s:i}", "id", wamid, "apps", told));
}

/* The customer stops or resumes marketing messages. */
static void
play_preference(SbCall *call)
{
	static const char *const names[] = {"number", "from", "value", NULL};
	const char *value = text_of(call, "value");
	SbNumber   *number;
	SbBuffer	b = {0};
	char		digits[16];
	long long	now = (long long) (sb_now() / SB_SECOND);
	int			told;

	if (!only(call, names) || !read_actors(call, &number, digits))
		return;
	if (value == NULL || (strcmp(value, "stop") != 0 && strcmp(value, "resume") != 0))
	{
		wrong(call, "value is stop or resume");
		return;
	}
	make_customer(digits)->stopped = strcmp(value, "stop") == 0;
	sb_value_head(&b, number);
	sb_addf(&b, ",\"contacts\":[{\"profile\":{\"name\":\"%s\"},\"wa_id\":\"%s\"}],\"user_preferences\":[{\"wa_id\":\"%s\",\"detail\":\"User requested to %s marketing messages\","
			"\"category\":\"marketing_messages\",\"value\":\"%s\",\"timestamp\":%lld}]}", digits, digits, digits, value, value, now);
	told = sb_webhook(number->waba, number, "user_preferences", b.data, NULL);
	sb_release(&b);
	sb_answer_json(call, 200, json_pack("{s:i}", "apps", told));
}

/* ---------- the provider's own acts ---------- */

static void
posted(void *arg, int status, const char *body, const char *error)
{
	SbCall	   *call = arg;
	json_t	   *o = json_pack("{s:i}", "status", status);
	json_t	   *parsed = json_loads(body, 0, NULL);
	json_t	   *text = json_string(body);

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
	SbApp	   *app = sb_app(text_of(call, "app_id"));
	const json_t *body = json_object_get(call->json, "body");
	const char *url = text_of(call, "url");
	char	   *text;

	if (!only(call, names))
		return;
	if (app == NULL)
	{
		unknown(call, "app_id");
		return;
	}
	if (url == NULL)
		url = app->callback_url;
	if (url == NULL || body == NULL)
	{
		wrong(call, "body is missing, or the app has no callback_url");
		return;
	}
	text = json_is_string(body) ? sb_strdup(json_string_value(body)) :
		json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH);
	call->held = true;
	sb_webhook_raw(url, app->secret, text_of(call, "signature"), text, strlen(text), posted, call);
	free(text);
}

/* Any update of a WABA, such as account_update, to whom it is subscribed. */
static void
post_event(SbCall *call)
{
	static const char *const names[] = {"waba_id", "number", "field", "value", NULL};
	SbNumber   *number = sb_number_any(text_of(call, "number"));
	SbWaba	   *w = number ? number->waba : sb_waba(text_of(call, "waba_id"));
	const char *field = text_of(call, "field");
	const json_t *value = json_object_get(call->json, "value");
	char	   *text;
	int			told;

	if (!only(call, names))
		return;
	if (w == NULL)
	{
		unknown(call, "waba_id or number");
		return;
	}
	if (field == NULL || value == NULL || strspn(field, "abcdefghijklmnopqrstuvwxyz_") != strlen(field))
	{
		wrong(call, "field and value are needed");
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH | JSON_ENCODE_ANY);
	told = sb_webhook(w, number, field, text, NULL);
	free(text);
	sb_answer_json(call, 200, json_pack("{s:i}", "apps", told));
}

/* A person removes the app, or asks to delete their data. */
static void
post_callback(SbCall *call, bool deletion)
{
	static const char *const names[] = {"app_id", "user_id", "keep_token", NULL};
	SbApp	   *app = sb_app(text_of(call, "app_id"));
	const char *user = text_of(call, "user_id");
	const char *url;

	if (!only(call, names))
		return;
	if (app == NULL)
	{
		unknown(call, "app_id");
		return;
	}
	url = deletion ? app->deletion_url : app->deauthorize_url;
	if (user == NULL || url == NULL)
	{
		wrong(call, deletion ? "user_id is missing, or the app has no deletion_url" :
			  "user_id is missing, or the app has no deauthorize_url");
		return;
	}
	if (!flag_of(call, "keep_token", false))
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

		if (!sb_fault_remove(id ? atoi(id) : 0))
			unknown(call, "fault");
		else
			sb_answer_success(call);
	}
	else
	{
		SbFault    *f = sb_fault_add(call->json, &why);

		if (f == NULL)
			wrong(call, why);
		else
			sb_answer_json(call, 200, json_pack("{s:i,s:s}", "id", f->id, "action", sb_fault_name(f)));
	}
}

static json_t *
settings_json(void)
{
	const SbSettings *s = &sb_settings;

	return json_pack("{s:i,s:i,s:i,s:b,s:b,s:b,s:i,s:i,s:i,s:i,s:i,s:I,s:i,s:I}",
					 "sent_after_ms", s->sent_after, "delivered_after_ms", s->delivered_after, "read_after_ms", s->read_after,
					 "enforce_limits", s->enforce_limits, "strangers", s->strangers, "user_ids", s->user_ids,
					 "tolerance_ms", s->tolerance, "retry_first_ms", s->retry_first, "webhook_timeout_ms", s->webhook_timeout,
					 "webhook_flights", s->webhook_flights, "webhook_batch", s->webhook_batch,
					 "queue_bytes", (json_int_t) s->queue_bytes, "ledger_entries", s->ledger_entries,
					 "ledger_bytes", (json_int_t) s->ledger_bytes);
}

static void
settings(SbCall *call)
{
	static const char *const names[] = {
		"sent_after_ms", "delivered_after_ms", "read_after_ms", "enforce_limits", "strangers", "user_ids", "tolerance_ms",
		"retry_first_ms", "webhook_timeout_ms", "webhook_flights", "webhook_batch", "queue_bytes", "ledger_entries",
		"ledger_bytes", NULL
	};
	SbSettings	s = sb_settings;
	const json_t *v;

	if (!only(call, names))
		return;
	update_int(call, "sent_after_ms", &s.sent_after);
	update_int(call, "delivered_after_ms", &s.delivered_after);
	update_int(call, "read_after_ms", &s.read_after);
	update_flag(call, "enforce_limits", &s.enforce_limits);
	update_flag(call, "strangers", &s.strangers);
	update_flag(call, "user_ids", &s.user_ids);
	update_int(call, "tolerance_ms", &s.tolerance);
	update_int(call, "retry_first_ms", &s.retry_first);
	update_int(call, "webhook_timeout_ms", &s.webhook_timeout);
	update_int(call, "webhook_flights", &s.webhook_flights);
	update_int(call, "webhook_batch", &s.webhook_batch);
	update_int(call, "ledger_entries", &s.ledger_entries);
	if (json_is_integer(v = json_object_get(call->json, "queue_bytes")))
		s.queue_bytes = json_integer_value(v);
	if (json_is_integer(v = json_object_get(call->json, "ledger_bytes")))
		s.ledger_bytes = json_integer_value(v);
	if (s.tolerance < 0 || s.tolerance > 900 || s.retry_first < 1 || s.webhook_timeout < 1 || s.webhook_flights < 1 ||
		s.webhook_flights > 64 || s.webhook_batch < 1 || s.webhook_batch > 1000 || s.ledger_entries < 0 ||
		s.ledger_entries > 10000000 || s.ledger_bytes < 0 || s.queue_bytes < 0)
	{
		wrong(call, "a setting is out of range");
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

	if (!only(call, names))
		return;
	if (json_is_number(s))
		sb_clock_advance((int64_t) (json_number_value(s) * 1e6));
	if (json_is_number(ms))
		sb_clock_advance((int64_t) (json_number_value(ms) * 1e3));
	sb_answer_json(call, 200, json_pack("{s:I,s:I}", "now_ms", (json_int_t) (sb_now() / 1000),
										"shift_ms", (json_int_t) (sb_clock_shift() / 1000)));
}

static void
status_call(SbCall *call)
{
	json_t	   *numbers = json_array();
	size_t		pos = 0;
	SbNumber   *n;

	while ((n = sb_table_next(&sb_world.numbers, &pos)) != NULL)
		json_array_append_new(numbers, number_json(n));
	sb_answer_json(call, 200,
				   json_pack("{s:I,s:I,s:o,s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:i},s:{s:I,s:I}}",
							 "apps", (json_int_t) sb_world.apps.count, "customers", (json_int_t) sb_world.customers.count,
							 "numbers", numbers,
							 "webhooks", "events", (json_int_t) sb_delivery.events, "delivered", (json_int_t) sb_delivery.delivered,
							 "bodies", (json_int_t) sb_delivery.bodies, "failures", (json_int_t) sb_delivery.failures,
							 "dropped", (json_int_t) sb_delivery.dropped, "nowhere", (json_int_t) sb_delivery.nowhere,
							 "waiting_bytes", (json_int_t) sb_delivery.waiting_bytes,
							 "in_flight", sb_delivery.in_flight, "retrying", sb_delivery.retrying,
							 "statuses", "waiting", (json_int_t) sb_statuses_waiting(), "lost", (json_int_t) sb_statuses_lost()));
}

static void
refusals(SbCall *call)
{
	json_t	   *list = json_array();

	for (int i = 0; i < sb_nrefusals; i++)
	{
		const SbRefusal *r = &sb_refusals[i];

		json_array_append_new(list, json_pack("{s:i,s:i,s:i,s:s,s:b}", "code", r->code, "subcode", r->subcode,
											  "status", r->status, "title", r->title, "transient", r->transient));
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
	const char *method;			/* NULL: any */
	const char *first;
	const char *second;
	void		(*handle) (SbCall *call);
}			routes[] = {
	{"POST", "app", NULL, put_app},
	{"POST", "waba", NULL, put_waba},
	{"POST", "number", NULL, put_number},
	{"POST", "template", NULL, put_template},
	{"POST", "token", NULL, put_token},
	{"POST", "code", NULL, put_code},
	{"POST", "customer", NULL, put_customer},
	{"POST", "customer", "message", play_message},
	{"POST", "customer", "preference", play_preference},
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
		wrong(call, "the body is no JSON object");
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && call->nparts <= 3; i++)
	{
		if (strcmp(routes[i].first, first) == 0 &&
			(routes[i].method == NULL || strcmp(routes[i].method, call->method) == 0) &&
			(second ? routes[i].second != NULL && strcmp(routes[i].second, second) == 0 : routes[i].second == NULL))
		{
			routes[i].handle(call);
			return;
		}
	}
	unknown(call, "control call");
}
