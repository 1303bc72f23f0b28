/*
 * assets.c
 *		Graph calls on business accounts, numbers, templates and apps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/deliver.h"
#include "sandbox/graph.h"
#include "sandbox/media.h"
#include "sandbox/refusal.h"

#define PIN_TRIES 10
#define PIN_SPAN (72 * 3600 * SB_SECOND)

/*
 * The token, if it may do this with objects of waba. Whoever was not granted
 * the account does not get to know whether the object exists (100/33);
 * whoever was, but without the permission, is told so (10, or 200 to send).
 */
static SbToken *
allowed(SbCall *call, SbWaba *waba, const char *id, uint32_t scope)
{
	SbToken *t = sb_live_token(call);

	if (t == NULL)
		return NULL;
	if (!sb_token_reaches(t, waba))
	{
		sb_refuse_object(call, id);
		return NULL;
	}
	if (!(t->scopes & scope))
	{
		sb_refuse(call, t->scopes == 0 ? 200 : 10, 0, NULL, NULL);
		return NULL;
	}
	return t;
}

/* Keeps of o only what ?fields= asks for, and the id. */
static json_t *
only_fields(const SbCall *call, json_t *o)
{
	const char *fields = sb_param(call, "fields");
	json_t *some;
	char *copy, *next, *name;

	if (fields == NULL)
		return o;
	some = json_object();
	copy = sb_strdup(fields);
	for (name = strtok_r(copy, ",", &next); name != NULL; name = strtok_r(NULL, ",", &next))
		if (json_object_get(o, name) != NULL)
			json_object_set(some, name, json_object_get(o, name));
	json_object_set(some, "id", json_object_get(o, "id"));
	free(copy);
	json_decref(o);
	return some;
}

static json_t *
page(json_t *list)
{
	return json_pack("{s:o,s:{s:{s:s,s:s}}}", "data", list, "paging", "cursors", "before", "QVFI",
					 "after", "QVFI");
}

/* ---------- subscriptions ---------- */

/* Subscribes an app that is not yet, or changes its override (NULL: none). */
static bool
subscribe(SbWaba *waba, SbApp *app, const char *url)
{
	int i;

	for (i = 0; i < waba->nsubs && waba->subs[i].app != app; i++)
		;
	if (i == waba->nsubs)
	{
		if (i == SB_MAX_TARGETS)
			return false;
		waba->subs[waba->nsubs++] = (SbSubscription){.app = app};
	}
	sb_replace(&waba->subs[i].url, url);
	return true;
}

static void
unsubscribe(SbWaba *waba, SbApp *app)
{
	for (int i = 0; i < waba->nsubs; i++)
		if (waba->subs[i].app == app)
		{
			free(waba->subs[i].url);
			memmove(&waba->subs[i], &waba->subs[i + 1],
					(size_t) (waba->nsubs - i - 1) * sizeof(SbSubscription));
			waba->nsubs--;
			return;
		}
}

/*
 * A callback address that a Graph call wants to set. It is set once the
 * verification handshake succeeded; the objects are found again by id then,
 * because the world may have changed meanwhile.
 */
typedef struct Handshake
{
	SbCall *call;
	char *waba; /* one of these three */
	char *number;
	char *app;
	char *by_app; /* whose subscription of the WABA */
	char *url;
	char *verify_token;
} Handshake;

static void
handshake_done(void *arg, int status, const char *body, const char *error)
{
	Handshake *h = arg;
	SbCall *call = h->call;
	SbWaba *waba = sb_waba(h->waba);
	SbNumber *number = sb_number(h->number);
	SbApp *app = sb_app(h->app);
	SbApp *by = sb_app(h->by_app);

	(void) body;
	if (status != 200)
	{
		char message[300];

		snprintf(
			message, sizeof(message),
			"(#2200) Callback verification failed with the following errors: HTTP Status Code = %d; %.150s",
			status, error ? error : "");
		sb_refuse(call, 2200, 0, message, NULL);
	}
	else
	{
		if (waba != NULL && by != NULL)
			subscribe(waba, by, h->url);
		if (number != NULL)
			sb_replace(&number->override_url, h->url);
		if (app != NULL)
		{
			sb_replace(&app->callback_url, h->url);
			sb_replace(&app->verify_token, h->verify_token);
		}
		sb_answer_success(call);
	}
	call->waiting = NULL;
	free(h->waba);
	free(h->number);
	free(h->app);
	free(h->by_app);
	free(h->url);
	free(h->verify_token);
	free(h);
	sb_call_finish(call);
}

static void
begin_handshake(SbCall *call, Handshake h)
{
	Handshake *copy = sb_alloc(sizeof(Handshake));

	*copy = h;
	copy->call = call;
	copy->waba = sb_strdup(h.waba);
	copy->number = sb_strdup(h.number);
	copy->app = sb_strdup(h.app);
	copy->by_app = sb_strdup(h.by_app);
	copy->url = sb_strdup(h.url);
	copy->verify_token = sb_strdup(h.verify_token);
	call->held = true;
	call->waiting = copy;
	sb_handshake(copy->url, copy->verify_token, handshake_done, copy);
}

/* A value of the JSON body, or else of the form. */
static const char *
given(const SbCall *call, const char *name)
{
	const char *s = call->json ? json_string_value(json_object_get(call->json, name)) : NULL;

	return s ? s : sb_param(call, name);
}

static bool
web_address(const char *url)
{
	return url != NULL && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0);
}

static void
subscribed_apps(SbCall *call, SbWaba *waba)
{
	SbToken *t = allowed(call, waba, waba->id, SB_SCOPE_MANAGEMENT);

	call->note.route = "subscribed_apps";
	if (t == NULL)
		return;
	if (strcmp(call->method, "GET") == 0)
	{
		json_t *list = json_array();

		for (int i = 0; i < waba->nsubs; i++)
		{
			json_t *one =
				json_pack("{s:{s:s,s:s,s:s}}", "whatsapp_business_api_data", "id",
						  waba->subs[i].app->id, "link", "https://www.facebook.com/games/?app_id=0",
						  "name", waba->subs[i].app->name);

			if (waba->subs[i].url != NULL)
				json_object_set_new(one, "override_callback_uri", json_string(waba->subs[i].url));
			json_array_append_new(list, one);
		}
		sb_answer_json(call, 200, json_pack("{s:o}", "data", list));
	}
	else if (strcmp(call->method, "DELETE") == 0)
	{
		unsubscribe(waba, t->app);
		sb_answer_success(call);
	}
	else
	{
		const char *url = given(call, "override_callback_uri");
		const char *verify = given(call, "verify_token");

		if (url == NULL)
		{
			subscribe(waba, t->app, NULL);
			sb_answer_success(call);
		}
		else if (!web_address(url) || verify == NULL)
			sb_refuse(call, 100, 0,
					  "(#100) override_callback_uri needs a web address and verify_token.", NULL);
		else
			begin_handshake(call, (Handshake){.waba = waba->id,
											  .by_app = t->app->id,
											  .url = (char *) url,
											  .verify_token = (char *) verify});
	}
}

/* ---------- WABA ---------- */

json_t *
sb_template_json(const SbTemplate *t)
{
	json_t *components = json_array();

	if (t->header_format != NULL)
	{
		json_t *header = json_pack("{s:s,s:s}", "type", "HEADER", "format", t->header_format);

		if (t->header_text != NULL)
			json_object_set_new(header, "text", json_string(t->header_text));
		json_array_append_new(components, header);
	}
	json_array_append_new(components, json_pack("{s:s,s:s}", "type", "BODY", "text", t->body));
	if (t->button_url != NULL)
		json_array_append_new(components,
							  json_pack("{s:s,s:[{s:s,s:s,s:s}]}", "type", "BUTTONS", "buttons",
										"type", "URL", "text", "Open", "url", t->button_url));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "id", t->id, "name", t->name, "language",
					 t->language, "status", t->status, "category", t->category, "parameter_format",
					 t->named ? "NAMED" : "POSITIONAL", "components", components);
}

static bool
upper_case_of(const char *s, const char *const *names)
{
	for (int i = 0; names[i] != NULL; i++)
		if (s != NULL && strcmp(names[i], s) == 0)
			return true;
	return false;
}

SbTemplate *
sb_put_template(SbWaba *waba, const json_t *spec, const char *status, const char **why)
{
	static const char *const categories[] = {"MARKETING", "UTILITY", "AUTHENTICATION", NULL};
	const char *name = json_string_value(json_object_get(spec, "name"));
	const char *language = json_string_value(json_object_get(spec, "language"));
	const char *category = json_string_value(json_object_get(spec, "category"));
	const char *body = json_string_value(json_object_get(spec, "body"));
	const char *header_format = json_string_value(json_object_get(spec, "header_format"));
	const char *header_text = json_string_value(json_object_get(spec, "header"));
	const char *button_url = json_string_value(json_object_get(spec, "button_url"));
	bool header_named;
	bool button_named;
	SbTemplate *t;
	size_t i;
	json_t *one;
	char key[600];

	json_array_foreach(json_object_get(spec, "components"), i, one)
	{
		const char *type = json_string_value(json_object_get(one, "type"));
		const char *text = json_string_value(json_object_get(one, "text"));

		if (type == NULL)
			continue;
		if (strcasecmp(type, "BODY") == 0)
			body = text;
		else if (strcasecmp(type, "HEADER") == 0)
		{
			header_text = text;
			header_format = json_string_value(json_object_get(one, "format"));
		}
		else if (strcasecmp(type, "BUTTONS") == 0)
			button_url = json_string_value(
				json_object_get(json_array_get(json_object_get(one, "buttons"), 0), "url"));
	}
	if (name == NULL || strlen(name) > 512 || name[0] == '\0' ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		*why = "name consists of a-z, 0-9 and _, at most 512";
	else if (language == NULL || strlen(language) > 16 || language[0] == '\0')
		*why = "language is missing";
	else if (!upper_case_of(category, categories))
		*why = "category is MARKETING, UTILITY or AUTHENTICATION";
	else if (body == NULL || body[0] == '\0')
		*why = "a template has a body";
	else
		*why = NULL;
	if (*why != NULL)
		return NULL;
	t = sb_template(waba, name, language);
	if (t == NULL)
	{
		t = sb_alloc(sizeof(SbTemplate));
		snprintf(key, sizeof(key), "%s\n%s", name, language);
		t->key = sb_strdup(key);
		t->name = sb_strdup(name);
		t->language = sb_strdup(language);
		t->id = sb_new_id();
		sb_table_put(&waba->templates, t->key, t);
	}
	if (header_text != NULL && header_format == NULL)
		header_format = "TEXT";
	sb_replace(&t->category, category);
	sb_replace(&t->status, status);
	sb_replace(&t->body, body);
	sb_replace(&t->header_format, header_format);
	sb_replace(&t->header_text, header_text);
	sb_replace(&t->button_url, button_url);
	t->header_params = sb_count_params(header_text, &header_named);
	t->body_params = sb_count_params(body, &t->named);
	t->button_params = sb_count_params(button_url, &button_named);
	return t;
}

static void
message_templates(SbCall *call, SbWaba *waba)
{
	const char *name = sb_param(call, "name");
	size_t pos = 0;
	SbTemplate *t;

	call->note.route = "message_templates";
	if (allowed(call, waba, waba->id, SB_SCOPE_MANAGEMENT) == NULL)
		return;
	if (strcmp(call->method, "GET") == 0)
	{
		json_t *list = json_array();
		const char *status = sb_param(call, "status");

		while ((t = sb_table_next(&waba->templates, &pos)) != NULL)
			if ((name == NULL || strcmp(name, t->name) == 0) &&
				(status == NULL || strcmp(status, t->status) == 0))
				json_array_append_new(list, sb_template_json(t));
		sb_answer_json(call, 200, page(list));
	}
	else if (strcmp(call->method, "DELETE") == 0)
	{
		bool found = false;

		while ((t = sb_table_next(&waba->templates, &pos)) != NULL)
			if (name != NULL && strcmp(name, t->name) == 0)
			{
				sb_replace(&t->status, "DELETED");
				found = true;
			}
		if (found)
			sb_answer_success(call);
		else
			sb_refuse(call, 100, 2593002, "(#100) Message template could not be found", NULL);
	}
	else
	{
		const char *why = NULL;

		t = sb_put_template(waba, call->json, "PENDING", &why);
		if (t == NULL)
			sb_refuse(call, 100, 0, NULL, why);
		else
			sb_answer_json(call, 200,
						   json_pack("{s:s,s:s,s:s}", "id", t->id, "status", t->status, "category",
									 t->category));
	}
}

void
sb_waba_call(SbCall *call, SbWaba *waba)
{
	const char *edge = call->nparts > 1 ? call->parts[1] : NULL;
	bool get = strcmp(call->method, "GET") == 0;

	if (call->nparts > 2)
		sb_refuse_object(call, call->parts[2]);
	else if (edge == NULL && get)
	{
		if (allowed(call, waba, waba->id, SB_SCOPE_MANAGEMENT) != NULL)
			sb_answer_json(call, 200,
						   only_fields(call, json_pack("{s:s,s:s,s:s,s:s}", "id", waba->id, "name",
													   waba->name, "currency", "IDR", "timezone_id",
													   "1")));
	}
	else if (edge != NULL && strcmp(edge, "phone_numbers") == 0 && get)
	{
		json_t *list;
		size_t pos = 0;
		SbNumber *n;

		call->note.route = "phone_numbers";
		if (allowed(call, waba, waba->id, SB_SCOPE_MANAGEMENT) == NULL)
			return;
		list = json_array();
		while ((n = sb_table_next(&sb_world.numbers, &pos)) != NULL)
			if (n->waba == waba && !n->deleted)
				json_array_append_new(list, only_fields(call, sb_number_json(n)));
		sb_answer_json(call, 200, page(list));
	}
	else if (edge != NULL && strcmp(edge, "subscribed_apps") == 0)
		subscribed_apps(call, waba);
	else if (edge != NULL && strcmp(edge, "message_templates") == 0)
		message_templates(call, waba);
	else
		sb_refuse_object(call, edge ? edge : waba->id);
}

/* ---------- number ---------- */

json_t *
sb_number_json(const SbNumber *n)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:{s:s}}", "id", n->id,
					 "display_phone_number", n->display, "verified_name", n->verified_name,
					 "quality_rating", n->quality, "code_verification_status", "VERIFIED",
					 "platform_type", n->registered ? "CLOUD_API" : "NOT_APPLICABLE", "status",
					 n->registered ? "CONNECTED" : "DISCONNECTED", "is_on_biz_app", n->coexistence,
					 "throughput", "level", n->rate > 80 ? "HIGH" : "STANDARD");
}

/* POST /{number}/register with the two-step PIN */
static void
register_number(SbCall *call, SbNumber *n)
{
	const char *product = given(call, "messaging_product");
	const char *pin = given(call, "pin");
	int64_t now = sb_now();

	call->note.route = "register";
	if (product == NULL || strcmp(product, "whatsapp") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter messaging_product is required.", NULL);
		return;
	}
	if (pin == NULL)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter pin is required.", NULL);
		return;
	}
	if (strlen(pin) != 6 || strspn(pin, "0123456789") != 6)
	{
		sb_refuse(call, 100, 0, "(#100) Param pin must be 6 characters long.", NULL);
		return;
	}
	if (n->npins == PIN_TRIES && now - n->pins[0] < PIN_SPAN)
	{
		sb_refuse(call, 133016, 0, NULL, NULL);
		return;
	}
	if (n->npins == PIN_TRIES)
		memmove(n->pins, n->pins + 1, (size_t) --n->npins * sizeof(n->pins[0]));
	n->pins[n->npins++] = now;
	if (n->coexistence)
	{
		sb_refuse(
			call, 133015, 0, NULL,
			"The number is in use with the WhatsApp Business app and is not registered here.");
		return;
	}
	if (n->pin != NULL && strcmp(n->pin, pin) != 0)
	{
		sb_refuse(call, 133005, 0, NULL, NULL);
		return;
	}
	sb_replace(&n->pin, pin);
	n->registered = true;
	sb_answer_success(call);
}

/* POST /{number} with webhook_configuration: the number's own callback */
static void
configure_number(SbCall *call, SbNumber *n)
{
	const json_t *c = json_object_get(call->json, "webhook_configuration");
	const char *url = json_string_value(json_object_get(c, "override_callback_uri"));
	const char *verify = json_string_value(json_object_get(c, "verify_token"));

	if (!json_is_object(c))
		sb_refuse(call, 100, 0, NULL, "nothing known to change");
	else if (url == NULL || url[0] == '\0')
	{
		sb_replace(&n->override_url, NULL);
		sb_answer_success(call);
	}
	else if (!web_address(url) || verify == NULL)
		sb_refuse(call, 100, 0,
				  "(#100) override_callback_uri needs a web address and verify_token.", NULL);
	else
		begin_handshake(call, (Handshake){.number = n->id,
										  .url = (char *) url,
										  .verify_token = (char *) verify});
}

void
sb_number_call(SbCall *call, SbNumber *n)
{
	const char *edge = call->nparts > 1 ? call->parts[1] : NULL;
	bool get = strcmp(call->method, "GET") == 0;
	bool post = strcmp(call->method, "POST") == 0;

	call->note.number = n->id;
	if (call->nparts > 2)
		sb_refuse_object(call, call->parts[2]);
	else if (edge != NULL && strcmp(edge, "messages") == 0 && post)
	{
		if (allowed(call, n->waba, n->id, SB_SCOPE_MESSAGING) != NULL)
			sb_send_message(call, n);
	}
	else if (edge != NULL && strcmp(edge, "media") == 0 && post)
	{
		if (allowed(call, n->waba, n->id, SB_SCOPE_MESSAGING) != NULL)
			sb_upload_media(call, n);
	}
	else if (allowed(call, n->waba, n->id, SB_SCOPE_MANAGEMENT) == NULL)
		return;
	else if (edge == NULL && get)
		sb_answer_json(call, 200, only_fields(call, sb_number_json(n)));
	else if (edge == NULL && post)
		configure_number(call, n);
	else if (edge != NULL && strcmp(edge, "register") == 0 && post)
		register_number(call, n);
	else if (edge != NULL && strcmp(edge, "deregister") == 0 && post)
	{
		call->note.route = "deregister";
		n->registered = false;
		sb_answer_success(call);
	}
	else if (edge != NULL && strcmp(edge, "smb_app_data") == 0 && post && n->coexistence)
		sb_answer_json(call, 200,
					   json_pack("{s:s,s:s}", "messaging_product", "whatsapp", "request_id",
								 "sandbox"));
	else
		sb_refuse_object(call, edge ? edge : n->id);
}

/* ---------- app ---------- */

/* /{app-id}/subscriptions with the app's own token */
void
sb_app_call(SbCall *call, SbApp *app)
{
	const char *edge = call->nparts > 1 ? call->parts[1] : NULL;
	const char *object = given(call, "object");
	const char *url = given(call, "callback_url");
	const char *verify = given(call, "verify_token");

	if (sb_app_token(sb_bearer(call)) != app)
	{
		if (sb_live_token(call) != NULL)
			sb_refuse(call, 10, 0, NULL, NULL);
		return;
	}
	if (edge == NULL && strcmp(call->method, "GET") == 0)
		sb_answer_json(call, 200, json_pack("{s:s,s:s}", "id", app->id, "name", app->name));
	else if (edge == NULL || strcmp(edge, "subscriptions") != 0)
		sb_refuse_object(call, edge ? edge : app->id);
	else if (strcmp(call->method, "GET") == 0)
	{
		json_t *list = json_array();

		if (app->callback_url != NULL)
			json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:[{s:s,s:s}]}", "object",
												  "whatsapp_business_account", "callback_url",
												  app->callback_url, "active", 1, "fields", "name",
												  "messages", "version",
												  call->version ? call->version : "v23.0"));
		sb_answer_json(call, 200, json_pack("{s:o}", "data", list));
	}
	else if (strcmp(call->method, "DELETE") == 0)
	{
		sb_replace(&app->callback_url, NULL);
		sb_answer_success(call);
	}
	else if (object == NULL || strcmp(object, "whatsapp_business_account") != 0)
		sb_refuse(call, 100, 0, "(#100) Param object must be one of {whatsapp_business_account}.",
				  NULL);
	else if (!web_address(url) || verify == NULL)
		sb_refuse(call, 100, 0, "(#100) callback_url and verify_token are required.", NULL);
	else
		begin_handshake(call, (Handshake){.app = app->id,
										  .url = (char *) url,
										  .verify_token = (char *) verify});
}
