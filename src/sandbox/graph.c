/*
 * graph.c
 *		The Graph API's routes: who asks, for which object, and to which handler.
 */
#include "sandbox/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sandbox/account.h"
#include "sandbox/media.h"
#include "sandbox/refusal.h"

void
sb_answer_success(SbCall *call)
{
	call->status = 200;
	sb_clear(&call->answer);
	sb_adds(&call->answer, "{\"success\":true}");
}

char *
sb_wire_text(const json_t *value)
{
	char *text =
		json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH | JSON_ENCODE_ANY);

	if (text == NULL)
		abort();
	sb_lower_escapes(text);
	return text;
}

void
sb_answer_json(SbCall *call, int status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (text == NULL)
		abort();
	json_decref(value);
	call->status = status;
	sb_clear(&call->answer);
	sb_adds(&call->answer, text);
	free(text);
}

const char *
sb_param(const SbCall *call, const char *name)
{
	for (int i = 0; i < call->nparams; i++)
		if (strcmp(call->params[i].name, name) == 0)
			return call->params[i].value;
	return NULL;
}

const char *
sb_bearer(const SbCall *call)
{
	const char *a = call->authorization;

	if (a != NULL && strncasecmp(a, "Bearer ", 7) == 0)
		return a + 7;
	if (a != NULL && strncasecmp(a, "OAuth ", 6) == 0)
		return a + 6;
	return sb_param(call, "access_token");
}

/* appsecret_proof = hex HMAC-SHA256(app secret, token), demanded by some apps */
static bool
proof_holds(const SbCall *call, const SbToken *t)
{
	const char *proof = sb_param(call, "appsecret_proof");
	unsigned char mac[32];
	unsigned n = 32;
	SbBuffer hex = {0};
	bool good;

	if (proof == NULL)
		return !t->app->require_proof;
	HMAC(EVP_sha256(), t->app->secret, (int) strlen(t->app->secret),
		 (const unsigned char *) t->token, strlen(t->token), mac, &n);
	sb_add_hex(&hex, mac, sizeof(mac));
	good = strlen(proof) == 64 && CRYPTO_memcmp(proof, hex.data, 64) == 0;
	sb_release(&hex);
	return good;
}

SbToken *
sb_live_token(SbCall *call)
{
	const char *text = sb_bearer(call);
	SbToken *t;

	if (text == NULL || text[0] == '\0')
	{
		sb_refuse(call, 104, 0, NULL, NULL);
		return NULL;
	}
	t = sb_token(text);
	if (t == NULL)
	{
		sb_refuse(call, 190, 0, NULL, NULL);
		return NULL;
	}
	call->note.token = t->label;
	if (t->dead != 0)
	{
		sb_refuse(call, 190, t->dead, NULL, NULL);
		return NULL;
	}
	if (t->expires != 0 && t->expires <= sb_now())
	{
		sb_refuse(call, 190, 463, NULL, NULL);
		return NULL;
	}
	if (!proof_holds(call, t))
	{
		sb_refuse(call, 100, 0, "API calls from the server require an appsecret_proof argument",
				  NULL);
		return NULL;
	}
	return t;
}

void
sb_refuse_object(SbCall *call, const char *id)
{
	char message[320];

	snprintf(
		message, sizeof(message),
		"Unsupported %s request. Object with ID '%.64s' does not exist, cannot be loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api",
		strcmp(call->method, "GET") == 0      ? "get"
		: strcmp(call->method, "DELETE") == 0 ? "delete"
											  : "post",
		id);
	sb_refuse(call, 100, 33, message, NULL);
}

/* DELETE /{user}/permissions: the user takes the app's access away. */
static void
delete_permissions(SbCall *call, const char *user)
{
	SbToken *t = sb_live_token(call);
	SbApp *app;

	if (t == NULL)
		return;
	if (strcmp(user, "me") != 0 && strcmp(user, t->user_id) != 0)
	{
		sb_refuse_object(call, user);
		return;
	}
	app = t->app;
	if (call->nparts == 3)
	{
		uint32_t scope = sb_scope(call->parts[2]);

		if (scope == 0)
		{
			sb_refuse(call, 100, 0, "(#100) Param permission is not valid.", NULL);
			return;
		}
		t->scopes &= ~scope;
	}
	else
		sb_revoke_user(app, t->user_id);
	sb_answer_success(call);
}

/* GET /me */
static void
get_me(SbCall *call)
{
	SbToken *t = sb_live_token(call);

	if (t != NULL)
		sb_answer_json(call, 200, json_pack("{s:s,s:s}", "id", t->user_id, "name", "Sandbox User"));
}

void
sb_graph(SbCall *call)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *second = call->nparts > 1 ? call->parts[1] : NULL;
	bool get = strcmp(call->method, "GET") == 0;
	SbNumber *number;
	SbWaba *waba;
	SbApp *app;

	if (sb_account_call(call) || sb_media_call(call))
		return;
	if (second != NULL && strcmp(first, "oauth") == 0 && strcmp(second, "access_token") == 0)
		sb_oauth_access_token(call);
	else if (second != NULL && strcmp(first, "dialog") == 0 && strcmp(second, "oauth") == 0 && get)
		sb_oauth_dialog(call);
	else if (strcmp(first, "debug_token") == 0 && second == NULL && get)
		sb_debug_token(call);
	else if (strcmp(first, "me") == 0 && second == NULL && get)
		get_me(call);
	else if (second != NULL && strcmp(second, "permissions") == 0 &&
			 strcmp(call->method, "DELETE") == 0)
		delete_permissions(call, first);
	else if ((number = sb_number(first)) != NULL)
		sb_number_call(call, number);
	else if ((waba = sb_waba(first)) != NULL)
		sb_waba_call(call, waba);
	else if ((app = sb_app(first)) != NULL)
		sb_app_call(call, app);
	else if (sb_bearer(call) == NULL || sb_live_token(call) != NULL)
		sb_refuse_object(call, first);
}
