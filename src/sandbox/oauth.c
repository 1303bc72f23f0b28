/*
 * oauth.c
 *		Log-in dialog, code exchange, tokens, debug_token.
 *
 * A code lives 30 seconds of sandbox time and is good for one attempt that
 * names the right app and secret.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "sandbox/graph.h"
#include "sandbox/refusal.h"

#define CODE_LIFE (30 * SB_SECOND)

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool
same(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

SbApp *
sb_app_token(const char *token)
{
	const char *bar = token ? strchr(token, '|') : NULL;
	char id[32];
	SbApp *app;

	if (bar == NULL || bar - token >= (int) sizeof(id))
		return NULL;
	memcpy(id, token, (size_t) (bar - token));
	id[bar - token] = '\0';
	app = sb_app(id);
	return app && same(app->secret, bar + 1) ? app : NULL;
}

SbToken *
sb_new_token(SbApp *app, const char *user_id, const char *text)
{
	SbToken *t = sb_alloc(sizeof(SbToken));
	char random[96];
	char label[32];
	static uint64_t made;

	if (text == NULL)
	{
		memcpy(random, "EAAG", 4);
		sb_random_text(random + 4, 80, letters);
		text = random;
	}
	t->token = sb_strdup(text);
	snprintf(label, sizeof(label), "token-%llu", (unsigned long long) ++made);
	t->label = sb_strdup(label);
	t->app = app;
	t->user_id = user_id ? sb_strdup(user_id) : sb_new_id();
	t->issued = sb_now();
	sb_table_put(&sb_world.tokens, t->token, t);
	return t;
}

SbCode *
sb_new_code(SbApp *app, const char *user_id, const char *redirect_uri)
{
	SbCode *c = sb_alloc(sizeof(SbCode));
	char random[128];

	memcpy(random, "AQ", 2);
	sb_random_text(random + 2, 110, letters);
	c->code = sb_strdup(random);
	c->app = app;
	c->user_id = user_id ? sb_strdup(user_id) : sb_new_id();
	c->redirect_uri = sb_strdup(redirect_uri);
	c->scopes = SB_SCOPE_MESSAGING | SB_SCOPE_MANAGEMENT;
	c->issued = sb_now();
	sb_table_put(&sb_world.codes, c->code, c);
	return c;
}

int
sb_revoke_user(SbApp *app, const char *user_id)
{
	size_t pos = 0;
	SbToken *t;
	int n = 0;

	while ((t = sb_table_next(&sb_world.tokens, &pos)) != NULL)
	{
		if (t->app == app && strcmp(t->user_id, user_id) == 0 && t->dead == 0)
		{
			t->dead = 458;
			n++;
		}
	}
	return n;
}

/* GET /dialog/oauth: the person consents at once; the browser is sent back. */
void
sb_oauth_dialog(SbCall *call)
{
	SbApp *app = sb_app(sb_param(call, "client_id"));
	const char *uri = sb_param(call, "redirect_uri");
	const char *state = sb_param(call, "state");
	SbCode *code;
	size_t pos = 0;
	SbWaba *w;

	if (app == NULL)
	{
		sb_refuse(call, 101, 0, NULL, NULL);
		return;
	}
	if (uri == NULL ||
		(strncmp(uri, "https://", 8) != 0 && strncmp(uri, "http://127.0.0.1", 16) != 0 &&
		 strncmp(uri, "http://localhost", 16) != 0))
	{
		sb_refuse(call, 100, 0, "(#100) The parameter redirect_uri is required.", NULL);
		return;
	}
	code = sb_new_code(app, NULL, uri);
	while ((w = sb_table_next(&sb_world.wabas, &pos)) != NULL && code->nwabas < SB_MAX_TARGETS)
		code->wabas[code->nwabas++] = w;
	call->status = 302;
	call->extra_name = "Location";
	sb_addf(&call->extra_value, "%s%ccode=%s", uri, strchr(uri, '?') ? '&' : '?', code->code);
	if (state != NULL)
	{
		sb_adds(&call->extra_value, "&state=");
		sb_add_urlencoded(&call->extra_value, state);
	}
}

static void
answer_token(SbCall *call, const SbToken *t)
{
	json_t *o = json_pack("{s:s,s:s}", "access_token", t->token, "token_type", "bearer");

	if (t->expires != 0)
		json_object_set_new(o, "expires_in", json_integer((t->expires - sb_now()) / SB_SECOND));
	call->note.token = t->label;
	sb_answer_json(call, 200, o);
}

static void
bad_code(SbCall *call, int subcode, const char *message)
{
	sb_refuse(call, 100, subcode, message, NULL);
}

/* GET or POST /oauth/access_token */
void
sb_oauth_access_token(SbCall *call)
{
	SbApp *app = sb_app(sb_param(call, "client_id"));
	const char *secret = sb_param(call, "client_secret");
	const char *grant = sb_param(call, "grant_type");
	const char *text = sb_param(call, "code");
	const char *uri = sb_param(call, "redirect_uri");
	SbCode *code;
	SbToken *t;

	call->note.route = "access_token";
	if (app == NULL)
	{
		sb_refuse(call, 101, 0, NULL, NULL);
		return;
	}
	if (secret == NULL || !same(app->secret, secret))
	{
		sb_refuse(call, 1, 0, "Error validating client secret.", NULL);
		call->status = 400;
		return;
	}
	if (grant != NULL && strcmp(grant, "client_credentials") == 0)
	{
		json_t *o = json_object();

		json_object_set_new(o, "access_token", json_sprintf("%s|%s", app->id, app->secret));
		json_object_set_new(o, "token_type", json_string("bearer"));
		sb_answer_json(call, 200, o);
		return;
	}
	if (grant != NULL && strcmp(grant, "fb_exchange_token") == 0)
	{
		t = sb_token(sb_param(call, "fb_exchange_token"));
		if (t == NULL || t->app != app || t->dead)
		{
			sb_refuse(call, 190, t ? t->dead : 0, NULL, NULL);
			return;
		}
		t->expires = sb_now() + 60 * 24 * 3600 * SB_SECOND;
		answer_token(call, t);
		return;
	}
	if (grant != NULL && strcmp(grant, "authorization_code") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) Param grant_type is not valid.", NULL);
		return;
	}
	if (text == NULL)
	{
		sb_refuse(call, 100, 0, "Missing authorization code", NULL);
		return;
	}
	code = sb_table_get(&sb_world.codes, text);
	if (code == NULL || code->app != app)
		bad_code(call, 0, "Invalid verification code format.");
	else if (code->used)
		bad_code(call, 36009, "This authorization code has been used.");
	else if (sb_now() - code->issued > CODE_LIFE)
		bad_code(call, 36007, "This authorization code has expired.");
	else if (code->redirect_uri != NULL && (uri == NULL || strcmp(uri, code->redirect_uri) != 0))
		bad_code(
			call, 36008,
			"Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request");
	else
	{
		code->used = true;
		t = sb_new_token(app, code->user_id, NULL);
		t->scopes = code->scopes;
		t->nwabas = code->nwabas;
		memcpy(t->wabas, code->wabas, sizeof(t->wabas));
		answer_token(call, t);
	}
}

static bool
expired(const SbToken *t)
{
	return t->expires != 0 && t->expires <= sb_now();
}

static json_t *
scope_list(uint32_t scopes)
{
	json_t *list = json_array();

	for (uint32_t bit = 1; bit <= SB_SCOPE_BUSINESS; bit <<= 1)
		if (scopes & bit)
			json_array_append_new(list, json_string(sb_scope_name(bit)));
	return list;
}

/* GET /debug_token?input_token=... with the app's own token */
void
sb_debug_token(SbCall *call)
{
	SbApp *app = sb_app_token(sb_bearer(call));
	const char *text = sb_param(call, "input_token");
	SbToken *t = sb_token(text);
	json_t *data;
	json_t *granular;
	int dead;

	call->note.route = "debug_token";
	if (app == NULL)
	{
		SbToken *own = sb_live_token(call); /* or a token of the same app */

		if (own == NULL)
			return;
		app = own->app;
	}
	if (text == NULL)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter input_token is required.", NULL);
		return;
	}
	if (t == NULL || t->app != app)
	{
		sb_answer_json(call, 200,
					   json_pack("{s:{s:{s:i,s:s},s:b,s:[]}}", "data", "error", "code", 190,
								 "message",
								 "Invalid OAuth access token - Cannot parse access token",
								 "is_valid", 0, "scopes"));
		return;
	}
	call->note.token = t->label;
	dead = t->dead ? t->dead : expired(t) ? 463 : 0;
	data = json_pack("{s:s,s:s,s:s,s:I,s:I,s:b,s:o,s:s}", "app_id", app->id, "type", "SYSTEM_USER",
					 "application", app->name, "expires_at", (json_int_t) (t->expires / SB_SECOND),
					 "data_access_expires_at", (json_int_t) 0, "is_valid", dead == 0, "scopes",
					 scope_list(t->scopes), "user_id", t->user_id);
	json_object_set_new(data, "issued_at", json_integer(t->issued / SB_SECOND));
	if (dead != 0)
	{
		const SbRefusal *r = sb_refusal(190, dead);

		json_object_set_new(data, "error",
							json_pack("{s:i,s:i,s:s}", "code", 190, "subcode", dead, "message",
									  r->title));
	}
	granular = json_array();
	for (uint32_t bit = 1; bit <= SB_SCOPE_MANAGEMENT; bit <<= 1)
	{
		json_t *targets;

		if (!(t->scopes & bit))
			continue;
		targets = json_array();
		for (int i = 0; i < t->nwabas; i++)
			json_array_append_new(targets, json_string(t->wabas[i]->id));
		json_array_append_new(granular, json_pack("{s:s,s:o}", "scope", sb_scope_name(bit),
												  "target_ids", targets));
	}
	json_object_set_new(data, "granular_scopes", granular);
	sb_answer_json(call, 200, json_pack("{s:o}", "data", data));
}
