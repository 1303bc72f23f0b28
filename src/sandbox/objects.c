/*
 * objects.c
 *		The control calls that make the pretended provider's objects. Naming an
 *		id that exists changes that object, and only what is named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/control.h"
#include "sandbox/deliver.h"
#include "sandbox/limits.h"

/* ---------- helpers ---------- */

void
sb_wrong(SbCall *call, const char *why)
{
	sb_answer_json(call, 400, json_pack("{s:s}", "error", why));
}

void
sb_unknown(SbCall *call, const char *what)
{
	sb_answer_json(call, 404, json_pack("{s:s+}", "error", "no such ", what));
}

const char *
sb_text_of(const SbCall *call, const char *name)
{
	return json_string_value(json_object_get(call->json, name));
}

bool
sb_flag_of(const SbCall *call, const char *name, bool otherwise)
{
	const json_t *v = json_object_get(call->json, name);

	return v ? json_is_true(v) : otherwise;
}

int
sb_int_of(const SbCall *call, const char *name, int otherwise)
{
	const json_t *v = json_object_get(call->json, name);

	return json_is_integer(v) ? (int) json_integer_value(v) : otherwise;
}

/* Every key of the body must be one of names: a misspelt one is told. */
bool
sb_only(SbCall *call, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(call->json, key, value)
	{
		int i;

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
void
sb_update_text(const SbCall *call, const char *name, char **field)
{
	if (json_object_get(call->json, name) != NULL)
		sb_replace(field, sb_text_of(call, name));
}

void
sb_update_flag(const SbCall *call, const char *name, bool *field)
{
	*field = sb_flag_of(call, name, *field);
}

void
sb_update_int(const SbCall *call, const char *name, int *field)
{
	*field = sb_int_of(call, name, *field);
}

/* ---------- objects ---------- */

static json_t *
app_json(const SbApp *a)
{
	return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s?,s:s?}", "id", a->id, "secret", a->secret, "name",
					 a->name, "callback_url", a->callback_url, "verify_token", a->verify_token,
					 "deauthorize_url", a->deauthorize_url, "deletion_url", a->deletion_url);
}

typedef struct AppVerify
{
	SbCall *call;
	char *id;
} AppVerify;

static void
app_verified(void *arg, int status, const char *body, const char *error)
{
	AppVerify *v = arg;
	SbCall *call = v->call;
	SbApp *app = sb_app(v->id);
	json_t *o = app ? app_json(app) : json_object();

	(void) body;
	json_object_set_new(o, "verified", json_boolean(status == 200));
	if (status != 200)
		json_object_set_new(o, "verify_error",
							status ? json_sprintf("HTTP status %d", status) : json_string(error));
	sb_answer_json(call, 200, o);
	free(v->id);
	free(v);
	sb_call_finish(call);
}

void
sb_put_app(SbCall *call)
{
	static const char *const names[] = {"id",           "secret",
										"name",         "callback_url",
										"verify_token", "deauthorize_url",
										"deletion_url", "require_proof",
										"verify",       NULL};
	SbApp *a = sb_app(sb_text_of(call, "id"));

	if (!sb_only(call, names))
		return;
	if (a == NULL)
	{
		char secret[33];

		a = sb_alloc(sizeof(SbApp));
		a->id = sb_text_of(call, "id") ? sb_strdup(sb_text_of(call, "id")) : sb_new_id();
		sb_random_text(secret, 32, "0123456789abcdef");
		a->secret = sb_strdup(secret);
		a->name = sb_strdup("Sandbox app");
		sb_table_put(&sb_world.apps, a->id, a);
	}
	if (sb_text_of(call, "secret") != NULL)
		sb_replace(&a->secret, sb_text_of(call, "secret"));
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&a->name, sb_text_of(call, "name"));
	sb_update_text(call, "callback_url", &a->callback_url);
	sb_update_text(call, "verify_token", &a->verify_token);
	sb_update_text(call, "deauthorize_url", &a->deauthorize_url);
	sb_update_text(call, "deletion_url", &a->deletion_url);
	sb_update_flag(call, "require_proof", &a->require_proof);
	if (sb_flag_of(call, "verify", false))
	{
		AppVerify *v;

		if (a->callback_url == NULL || a->verify_token == NULL)
		{
			sb_wrong(call, "verify needs callback_url and verify_token");
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

void
sb_put_waba(SbCall *call)
{
	static const char *const names[] = {"id", "name", "business_id", "subscribe", "refuse", NULL};
	SbWaba *w = sb_waba(sb_text_of(call, "id"));
	const json_t *subscribe = json_object_get(call->json, "subscribe");
	json_t *list;
	size_t i;
	json_t *one;

	if (!sb_only(call, names))
		return;
	json_array_foreach(subscribe, i, one)
		if (sb_app(json_string_value(one)) == NULL)
		{
			sb_unknown(call, "app");
			return;
		}
	if (w == NULL)
	{
		w = sb_alloc(sizeof(SbWaba));
		w->id = sb_text_of(call, "id") ? sb_strdup(sb_text_of(call, "id")) : sb_new_id();
		w->business_id = sb_new_id();
		w->name = sb_strdup("Sandbox business");
		sb_table_put(&sb_world.wabas, w->id, w);
	}
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&w->name, sb_text_of(call, "name"));
	if (sb_text_of(call, "business_id") != NULL)
		sb_replace(&w->business_id, sb_text_of(call, "business_id"));
	sb_update_int(call, "refuse", &w->refuse);
	if (subscribe != NULL)
	{
		for (int k = 0; k < w->nsubs; k++)
			free(w->subs[k].url);
		w->nsubs = 0;
		json_array_foreach(subscribe, i, one)
			if (w->nsubs < SB_MAX_TARGETS)
				w->subs[w->nsubs++] = (SbSubscription){.app = sb_app(json_string_value(one))};
	}
	list = json_array();
	for (int k = 0; k < w->nsubs; k++)
		json_array_append_new(list, json_string(w->subs[k].app->id));
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:o}", "id", w->id, "name", w->name, "business_id",
							 w->business_id, "subscribed", list));
}

json_t *
sb_number_state(const SbNumber *n)
{
	json_t *o = sb_number_json(n);

	json_object_set_new(o, "waba_id", json_string(n->waba->id));
	json_object_set_new(o, "accepted", json_integer((json_int_t) n->accepted));
	json_object_set_new(o, "violations",
						json_pack("{s:I,s:I,s:I}", "number_limit", (json_int_t) n->over_rate,
								  "pair_limit", (json_int_t) n->over_pair, "outside_window",
								  (json_int_t) n->outside_window));
	return o;
}

void
sb_put_number(SbCall *call)
{
	static const char *const names[] = {"id",
										"waba_id",
										"display_phone_number",
										"verified_name",
										"quality_rating",
										"registered",
										"deleted",
										"coexistence",
										"pin",
										"test",
										"allowed",
										"late",
										"refuse",
										"rate",
										"pair_burst",
										"pair_interval_ms",
										NULL};
	SbNumber *n = sb_number(sb_text_of(call, "id"));
	SbWaba *w = sb_waba(sb_text_of(call, "waba_id"));
	const char *display = sb_text_of(call, "display_phone_number");
	const json_t *allowed = json_object_get(call->json, "allowed");
	char digits[16];
	bool beside_app;
	int rate;
	int burst;
	int interval;
	size_t i;
	json_t *one;

	if (!sb_only(call, names))
		return;
	if (display != NULL && !sb_digits(display, digits))
	{
		sb_wrong(call, "display_phone_number is no phone number");
		return;
	}
	if (w == NULL && (n == NULL || json_object_get(call->json, "waba_id") != NULL))
	{
		sb_unknown(call, "waba_id");
		return;
	}
	if (n == NULL && display == NULL)
	{
		sb_wrong(call, "a new number needs display_phone_number");
		return;
	}
	beside_app = sb_flag_of(call, "coexistence", n ? n->coexistence : false);
	/* what is documented, unless it is said otherwise */
	rate = sb_int_of(call, "rate",
					 n && n->coexistence == beside_app ? n->rate
					 : beside_app                      ? 20
													   : 80);
	burst = sb_int_of(call, "pair_burst", n ? n->pair_burst : 45);
	interval = sb_int_of(call, "pair_interval_ms", n ? (int) (n->pair_interval / 1000) : 6000);
	if (rate < 1 || rate > 1000000 || burst < 1 || interval < 0)
	{
		sb_wrong(call, "rate is 1 to 1000000, pair_burst at least 1, pair_interval_ms at least 0");
		return;
	}
	if (n == NULL)
	{
		n = sb_alloc(sizeof(SbNumber));
		n->id = sb_text_of(call, "id") ? sb_strdup(sb_text_of(call, "id")) : sb_new_id();
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
	if (sb_text_of(call, "verified_name") != NULL)
		sb_replace(&n->verified_name, sb_text_of(call, "verified_name"));
	if (sb_text_of(call, "quality_rating") != NULL)
		sb_replace(&n->quality, sb_text_of(call, "quality_rating"));
	sb_update_text(call, "pin", &n->pin);
	sb_update_flag(call, "registered", &n->registered);
	sb_update_flag(call, "deleted", &n->deleted);
	sb_update_flag(call, "coexistence", &n->coexistence);
	sb_update_flag(call, "test", &n->test);
	sb_update_flag(call, "late", &n->late);
	sb_update_int(call, "refuse", &n->refuse);
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
	sb_answer_json(call, 200, sb_number_state(n));
}

/* What the provider tells of a template, in the one form of all its fields. */
static void
tell_template(SbWaba *w, const SbTemplate *t, const char *field, json_t *value)
{
	char *text;

	json_object_set_new(value, "message_template_id", json_integer(atoll(t->id)));
	json_object_set_new(value, "message_template_name", json_string(t->name));
	json_object_set_new(value, "message_template_language", json_string(t->language));
	text = sb_wire_text(value);
	json_decref(value);
	sb_webhook(w, NULL, field, text, NULL);
	free(text);
}

/* A template that is there is judged: status, quality or category, each with its webhook. */
static void
judge_template(SbCall *call, SbWaba *w, SbTemplate *t)
{
	const char *status = sb_text_of(call, "status");
	const char *quality = sb_text_of(call, "quality");
	const char *category = sb_text_of(call, "category");
	const char *reason = sb_text_of(call, "reason");

	if (status != NULL)
	{
		sb_replace(&t->status, strcmp(status, "REINSTATED") == 0 ? "APPROVED" : status);
		tell_template(w, t, "message_template_status_update",
					  json_pack("{s:s,s:s}", "event", status, "reason", reason ? reason : "NONE"));
	}
	if (quality != NULL)
		tell_template(w, t, "message_template_quality_update",
					  json_pack("{s:s,s:s}", "previous_quality_score", "UNKNOWN",
								"new_quality_score", quality));
	if (category != NULL && strcmp(category, t->category) != 0)
	{
		tell_template(w, t, "template_category_update",
					  json_pack("{s:s,s:s}", "previous_category", t->category, "new_category",
								category));
		sb_replace(&t->category, category);
	}
	sb_answer_json(call, 200, sb_template_json(t));
}

void
sb_put_template_call(SbCall *call)
{
	static const char *const names[] = {"waba_id", "name",       "language", "category",
										"status",  "components", "header",   "header_format",
										"body",    "button_url", "quality",  "reason",
										NULL};
	SbWaba *w = sb_waba(sb_text_of(call, "waba_id"));
	const char *status = sb_text_of(call, "status");
	const char *why = NULL;
	SbTemplate *t;

	if (!sb_only(call, names))
		return;
	if (w == NULL)
	{
		sb_unknown(call, "waba_id");
		return;
	}
	t = sb_template(w, sb_text_of(call, "name"), sb_text_of(call, "language"));
	if (t != NULL && sb_text_of(call, "body") == NULL &&
		json_object_get(call->json, "components") == NULL)
	{
		judge_template(call, w, t);
		return;
	}
	t = sb_put_template(w, call->json, status ? status : "APPROVED", &why);
	if (t == NULL)
		sb_wrong(call, why);
	else
		sb_answer_json(call, 200, sb_template_json(t));
}

/* Reads "waba_ids" (or "waba_id") into an array of targets; -1 after a wrong one. */
static int
read_targets(SbCall *call, SbWaba *wabas[SB_MAX_TARGETS])
{
	const json_t *list = json_object_get(call->json, "waba_ids");
	const char *single = sb_text_of(call, "waba_id");
	int n = 0;
	size_t i;
	json_t *one;

	if (single != NULL && (wabas[n++] = sb_waba(single)) == NULL)
	{
		sb_unknown(call, "waba_id");
		return -1;
	}
	json_array_foreach(list, i, one)
	{
		SbWaba *w = sb_waba(json_string_value(one));

		if (w == NULL || n == SB_MAX_TARGETS)
		{
			sb_unknown(call, "waba_id");
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
	uint32_t scopes = 0;
	size_t i;
	json_t *one;

	if (list == NULL)
		return SB_SCOPE_MESSAGING | SB_SCOPE_MANAGEMENT;
	json_array_foreach(list, i, one)
	{
		uint32_t bit = json_is_string(one) ? sb_scope(json_string_value(one)) : 0;

		if (bit == 0)
		{
			sb_wrong(call, "unknown scope");
			return -1;
		}
		scopes |= bit;
	}
	return scopes;
}

/* A new token, or (with one that exists) a change of its state. */
void
sb_put_token(SbCall *call)
{
	static const char *const names[] = {"token",  "app_id",     "user_id", "waba_id", "waba_ids",
										"scopes", "expires_in", "dead",    NULL};
	SbToken *t = sb_token(sb_text_of(call, "token"));
	SbApp *app = sb_app(sb_text_of(call, "app_id"));
	SbWaba *wabas[SB_MAX_TARGETS];
	int nwabas;
	int64_t scopes;

	if (!sb_only(call, names) || (nwabas = read_targets(call, wabas)) < 0 ||
		(scopes = read_scopes(call)) < 0)
		return;
	if (t == NULL && app == NULL)
	{
		sb_unknown(call, "app_id");
		return;
	}
	if (t == NULL)
	{
		t = sb_new_token(app, sb_text_of(call, "user_id"), sb_text_of(call, "token"));
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
		int seconds = sb_int_of(call, "expires_in", 0);

		t->expires = seconds ? sb_now() + seconds * SB_SECOND : 0;
	}
	sb_update_int(call, "dead", &t->dead);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:s,s:i}", "token", t->token, "label", t->label,
							 "app_id", t->app->id, "user_id", t->user_id, "dead", t->dead));
}

/* A code, and the browser's message event, as after an Embedded Signup. */
void
sb_put_code(SbCall *call)
{
	static const char *const names[] = {"app_id", "user_id", "waba_id",      "waba_ids",
										"number", "scopes",  "redirect_uri", NULL};
	SbApp *app = sb_app(sb_text_of(call, "app_id"));
	SbNumber *number = sb_number_any(sb_text_of(call, "number"));
	SbWaba *wabas[SB_MAX_TARGETS];
	int nwabas;
	int64_t scopes;
	SbCode *code;
	json_t *data;

	if (!sb_only(call, names) || (nwabas = read_targets(call, wabas)) < 0 ||
		(scopes = read_scopes(call)) < 0)
		return;
	if (app == NULL)
	{
		sb_unknown(call, "app_id");
		return;
	}
	if (nwabas == 0 && number != NULL)
		wabas[nwabas++] = number->waba;
	code = sb_new_code(app, sb_text_of(call, "user_id"), sb_text_of(call, "redirect_uri"));
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
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:{s:s,s:s,s:o}}", "code", code->code, "user_id",
							 code->user_id, "event", "type", "WA_EMBEDDED_SIGNUP", "event",
							 number ? "FINISH" : "FINISH_ONLY_WABA", "data", data));
}

SbCustomer *
sb_make_customer(const char *digits)
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

void
sb_put_customer(SbCall *call)
{
	static const char *const names[] = {"phone",         "name",        "username", "user_id",
										"identity_hash", "on_whatsapp", "hidden",   "stopped",
										"reads",         "refuse",      NULL};
	const char *phone = sb_text_of(call, "phone");
	char digits[16];
	char derived[64];
	SbCustomer *c;

	if (!sb_only(call, names))
		return;
	if (phone == NULL || !sb_digits(phone, digits))
	{
		sb_wrong(call, "a customer has a phone");
		return;
	}
	c = sb_make_customer(digits);
	sb_update_text(call, "name", &c->name);
	sb_update_text(call, "username", &c->username);
	sb_update_text(call, "identity_hash", &c->identity_hash);
	if (json_object_get(call->json, "user_id") != NULL)
	{
		if (c->user_id != NULL)
			sb_table_remove(&sb_world.user_ids, c->user_id);
		sb_replace(&c->user_id, sb_text_of(call, "user_id"));
		if (c->user_id != NULL)
			sb_table_put(&sb_world.user_ids, c->user_id, c);
	}
	sb_update_flag(call, "on_whatsapp", &c->on_whatsapp);
	sb_update_flag(call, "hidden", &c->hidden);
	sb_update_flag(call, "stopped", &c->stopped);
	sb_update_flag(call, "reads", &c->reads);
	sb_update_int(call, "refuse", &c->refuse);
	sb_user_id(c->phone, "", derived);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s?,s:s,s:b}", "phone", c->phone, "name", c->name, "user_id",
							 c->user_id ? c->user_id : derived, "on_whatsapp", c->on_whatsapp));
}
