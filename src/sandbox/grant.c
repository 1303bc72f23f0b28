/*
 * grant.c
 *		What persons granted to an app for their accounts: log-in page, codes,
 *		tokens of hours and of sixty days, the Pages and permissions that go with
 *		them; and the control calls that make codes and tokens.
 *
 * Sources: "Business Login for Instagram"; "Manually Build a Login Flow";
 * Threads "Get access tokens", "Long-lived tokens".
 */
#include "sandbox/account_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "sandbox/control.h"
#include "sandbox/refusal.h"

#define SHORT_LIFE (3600 * SB_SECOND)
#define LONG_LIFE (60 * 24 * 3600 * SB_SECOND)
#define CODE_LIFE (3600 * SB_SECOND)
#define YOUNGEST_REFRESH (24 * 3600 * SB_SECOND)

static SbTable grants;

static void
drop_grant(void *p)
{
	SbGrant *g = p;

	free(g->text);
	free(g->label);
	free(g->user_id);
	free(g->redirect_uri);
	free(g->permissions);
	free(g->pages);
	free(g);
}

void
sb_grants_reset(void)
{
	sb_table_clear(&grants, drop_grant);
}

SbGrant *
sb_grant(const char *text)
{
	return text == NULL ? NULL : sb_table_get(&grants, text);
}

static SbGrant *
new_grant(SbAccount *account, const char *user_id, const char *permissions, bool token)
{
	SbGrant *g = sb_alloc(sizeof(SbGrant));
	char random[128];
	char label[32];
	static unsigned made;

	snprintf(random, sizeof(random), "%s",
			 !token             ? "AQ"
			 : account->page    ? "EAAP"
			 : account->threads ? "THAA"
								: "IGAA");
	sb_random_text(random + strlen(random), 100, SB_LETTERS);
	g->text = sb_strdup(random);
	snprintf(label, sizeof(label), "account-token-%u", ++made);
	g->label = token ? sb_strdup(label) : NULL;
	g->user_id = sb_strdup(user_id);
	g->permissions = sb_strdup(permissions);
	g->account = account;
	g->issued = sb_now();
	sb_table_put(&grants, g->text, g);
	return g;
}

bool
sb_granted(const SbGrant *g, const char *word)
{
	const char *p = strstr(g->permissions, word);

	return p != NULL && (p[strlen(word)] == '\0' || p[strlen(word)] == ',');
}

/* ---------- log-in and tokens ---------- */

static bool
same(const char *a, const char *b)
{
	return a != NULL && strlen(a) == strlen(b) && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

/* GET /oauth/authorize: the person consents at once to what is asked; the browser is sent back. */
static void
authorize(SbCall *call, SbAccount *account)
{
	const char *uri = sb_param(call, "redirect_uri");
	const char *scope = sb_param(call, "scope");
	const char *state = sb_param(call, "state");
	char user[40];
	SbGrant *code;

	if (uri == NULL || scope == NULL)
	{
		sb_refuse(call, 100, 0, "(#100) redirect_uri and scope are required.", NULL);
		return;
	}
	snprintf(user, sizeof(user), "9%s", account->id);
	code = new_grant(account, user, scope, false);
	code->redirect_uri = sb_strdup(uri);
	call->status = 302;
	call->extra_name = "Location";
	sb_addf(&call->extra_value, "%s?code=%s", uri, code->text);
	if (state != NULL)
	{
		sb_adds(&call->extra_value, "&state=");
		sb_add_urlencoded(&call->extra_value, state);
	}
	sb_adds(&call->extra_value, "#_");
}

static json_t *
words(const char *list)
{
	json_t *a = json_array();
	char *copy = sb_strdup(list);
	char *rest;

	for (char *w = strtok_r(copy, ",", &rest); w != NULL; w = strtok_r(NULL, ",", &rest))
		json_array_append_new(a, json_string(w));
	free(copy);
	return a;
}

/* A person's token of sixty days for one of hours, or what is left of them. */
static void
exchange_person(SbCall *call, SbApp *app, const char *text)
{
	SbGrant *old = sb_grant(text);
	SbGrant *token;

	if (old == NULL || old->label == NULL || old->pages == NULL || old->account->app != app)
	{
		sb_refuse(call, 190, 0, NULL, NULL);
		return;
	}
	token = new_grant(old->account, old->user_id, old->permissions, true);
	token->pages = sb_strdup(old->pages);
	token->expires = sb_now() + LONG_LIFE;
	call->note.token = token->label;
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:I}", "access_token", token->text, "token_type", "bearer",
							 "expires_in", (json_int_t) (LONG_LIFE / SB_SECOND)));
}

/* POST /oauth/access_token, a form; of Facebook's a GET too, without a kind of grant */
static void
exchange(SbCall *call, SbApp *app)
{
	SbGrant *code = sb_grant(sb_param(call, "code"));
	const char *grant = sb_param(call, "grant_type");
	const char *uri = sb_param(call, "redirect_uri");
	bool page = sb_account_of_app(app)->page;
	SbGrant *token;

	call->note.route = "access_token";
	if (page && grant != NULL && strcmp(grant, "fb_exchange_token") == 0 &&
		same(sb_param(call, "client_secret"), app->secret))
		exchange_person(call, app, sb_param(call, "fb_exchange_token"));
	else if (page ? grant != NULL
				  : strcmp(call->method, "POST") != 0 || grant == NULL ||
						strcmp(grant, "authorization_code") != 0)
		sb_refuse(call, 100, 0, "(#100) grant_type is authorization_code, in a POST.", NULL);
	else if (!same(sb_param(call, "client_secret"), app->secret))
		sb_refuse(call, 101, 0, "Error validating client secret.", NULL);
	else if (code == NULL || code->label != NULL || code->account->app != app)
		sb_refuse(call, 100, 0, "Invalid authorization code", NULL);
	else if (code->used)
		sb_refuse(call, 100, 36009, "This authorization code has been used", NULL);
	else if (sb_now() - code->issued > CODE_LIFE)
		sb_refuse(call, 100, 36007, "This authorization code has expired", NULL);
	else if (!same(uri, code->redirect_uri))
		sb_refuse(call, 100, 36008, "Error validating verification code: redirect_uri differs",
				  NULL);
	else
	{
		code->used = true;
		token = new_grant(code->account, code->user_id, code->permissions, true);
		token->expires = sb_now() + SHORT_LIFE;
		call->note.token = token->label;
		if (page)
		{
			token->pages = sb_strdup(code->pages ? code->pages : code->account->id);
			sb_answer_json(call, 200,
						   json_pack("{s:s,s:s,s:i}", "access_token", token->text, "token_type",
									 "bearer", "expires_in", 5000));
			return;
		}
		/* Threads says nothing of what was granted */
		if (code->account->threads)
		{
			sb_answer_json(call, 200,
						   json_pack("{s:s,s:s}", "access_token", token->text, "user_id",
									 token->user_id));
			return;
		}
		sb_answer_json(call, 200,
					   json_pack("{s:[{s:s,s:s,s:o}]}", "data", "access_token", token->text,
								 "user_id", token->user_id, "permissions",
								 words(token->permissions)));
	}
}

SbGrant *
sb_account_token(SbCall *call)
{
	SbGrant *g = sb_grant(sb_bearer(call));

	if (g == NULL || g->label == NULL)
	{
		sb_refuse(call, 190, 0, NULL, NULL);
		return NULL;
	}
	call->note.token = g->label;
	if (g->dead != 0 || (g->expires != 0 && g->expires <= sb_now()))
	{
		sb_refuse(call, 190, g->dead ? g->dead : 463, NULL, NULL);
		return NULL;
	}
	return g;
}

static void
answer_long(SbCall *call, SbGrant *token)
{
	token->expires = sb_now() + LONG_LIFE;
	token->is_long = true;
	call->note.token = token->label;
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:I}", "access_token", token->text, "token_type", "bearer",
							 "expires_in", (json_int_t) (LONG_LIFE / SB_SECOND)));
}

/* GET /access_token: a token of an hour for one of sixty days */
static void
extend(SbCall *call)
{
	SbGrant *g = sb_account_token(call);
	const char *grant = sb_param(call, "grant_type");

	call->note.route = "extend";
	if (g == NULL)
		return;
	if (grant == NULL ||
		strcmp(grant, g->account->threads ? "th_exchange_token" : "ig_exchange_token") != 0 ||
		g->is_long)
		sb_refuse(call, 100, 0, "(#100) a short-lived token is exchanged by ig_exchange_token",
				  NULL);
	else if (!same(sb_param(call, "client_secret"), g->account->app->secret))
		sb_refuse(call, 101, 0, "Error validating client secret.", NULL);
	else
		answer_long(call, new_grant(g->account, g->user_id, g->permissions, true));
}

/* GET /refresh_access_token: sixty days more, for one that is a day old */
static void
refresh(SbCall *call)
{
	SbGrant *g = sb_account_token(call);
	const char *grant = sb_param(call, "grant_type");
	SbGrant *next;

	call->note.route = "refresh";
	if (g == NULL)
		return;
	if (grant == NULL ||
		strcmp(grant, g->account->threads ? "th_refresh_token" : "ig_refresh_token") != 0 ||
		!g->is_long)
		sb_refuse(call, 100, 0, "(#100) a long-lived token is refreshed by ig_refresh_token", NULL);
	else if (sb_now() - g->issued < YOUNGEST_REFRESH)
		sb_refuse(call, 100, 0, "(#100) the token is younger than 24 hours", NULL);
	else
	{
		next = new_grant(g->account, g->user_id, g->permissions, true);
		answer_long(call, next);
	}
}

/* ---------- what was granted ---------- */

/* GET /me/permissions: what the person granted */
void
sb_get_permissions(SbCall *call, SbGrant *g)
{
	json_t *granted = words(g->permissions);
	json_t *list = json_array();
	size_t i;
	json_t *one;

	json_array_foreach(granted, i, one)
		json_array_append_new(list, json_pack("{s:O,s:s}", "permission", one, "status", "granted"));
	json_decref(granted);
	sb_answer_json(call, 200, json_pack("{s:o}", "data", list));
}

/* GET /me/accounts: the Pages that the person granted, each with a token of its own */
void
sb_get_pages(SbCall *call, SbGrant *g)
{
	json_t *list = json_array();
	char *copy = sb_strdup(g->pages ? g->pages : "");
	char *rest;

	for (char *id = strtok_r(copy, ",", &rest); id != NULL; id = strtok_r(NULL, ",", &rest))
	{
		SbAccount *a = sb_account(id);
		SbGrant *token;

		if (a == NULL || !a->page)
			continue;
		token = new_grant(a, g->user_id, g->permissions, true);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "id", a->id, "name", a->name,
											  "access_token", token->text, "tasks",
											  words(strcmp(a->type, "ANALYST") == 0
														? "ANALYZE"
														: "ANALYZE,MESSAGING,MODERATE")));
	}
	free(copy);
	sb_answer_json(call, 200, json_pack("{s:o}", "data", list));
}

/* ---------- the call ---------- */

bool
sb_log_in_call(SbCall *call, SbApp *app, SbAccount *of_app)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *second = call->nparts > 1 ? call->parts[1] : "";
	bool get = strcmp(call->method, "GET") == 0;

	if (strcmp(first, "dialog") == 0 && strcmp(second, "oauth") == 0 && of_app != NULL && get)
	{
		authorize(call, of_app);
		return true;
	}
	/* an app with Pages may have numbers too, whose codes are others */
	if (strcmp(first, "oauth") == 0 && of_app != NULL && of_app->page &&
		sb_grant(sb_param(call, "code")) == NULL &&
		sb_grant(sb_param(call, "fb_exchange_token")) == NULL)
		return false;
	if (strcmp(first, "oauth") == 0 && of_app != NULL)
	{
		if (strcmp(second, "access_token") == 0)
			exchange(call, app);
		else if (strcmp(second, "authorize") == 0 && get)
			authorize(call, of_app);
		else
			return false;
		return true;
	}
	if (call->nparts == 1 && get && strcmp(first, "access_token") == 0)
	{
		extend(call);
		return true;
	}
	if (call->nparts == 1 && get && strcmp(first, "refresh_access_token") == 0)
	{
		refresh(call);
		return true;
	}
	return false;
}

/* ---------- control calls ---------- */

/* The account and the person of a control call that makes a grant; false after an answer. */
static bool
read_grant(SbCall *call, SbAccount **a, const char **user, const char **permissions)
{
	*a = sb_account(sb_text_of(call, "account"));
	*user = sb_text_of(call, "user_id");
	*permissions = sb_text_of(call, "permissions");
	if (*permissions == NULL)
		*permissions =
			*a == NULL || (!(*a)->page && !(*a)->threads) ? SB_IG_BASIC "," SB_IG_MESSAGES
																		"," SB_IG_COMMENTS
			: (*a)->page
				? SB_PAGE_MESSAGES
				: "threads_basic,threads_read_replies,threads_manage_replies,threads_manage_mentions";
	if (*a == NULL)
		sb_unknown(call, "account");
	else if (*user == NULL)
		sb_wrong(call, "user_id is missing");
	else
		return true;
	return false;
}

/* A code as the log-in page gives it. */
void
sb_put_account_code(SbCall *call)
{
	static const char *const names[] = {"account",     "user_id",      "pages",
										"permissions", "redirect_uri", NULL};
	const char *uri = sb_text_of(call, "redirect_uri");
	const char *user;
	const char *permissions;
	SbAccount *a;
	SbGrant *g;

	if (!sb_only(call, names) || !read_grant(call, &a, &user, &permissions))
		return;
	if (uri == NULL)
	{
		sb_wrong(call, "redirect_uri is missing");
		return;
	}
	if (json_object_get(call->json, "pages") != NULL && sb_text_of(call, "pages") == NULL)
	{
		sb_wrong(call, "pages must be ids with commas between them, as one text");
		return;
	}
	g = new_grant(a, user, permissions, false);
	g->redirect_uri = sb_strdup(uri);
	sb_update_text(call, "pages", &g->pages);
	sb_answer_json(call, 200, json_pack("{s:s,s:s}", "code", g->text, "user_id", g->user_id));
}

/* A token of sixty days, or the state of one. */
void
sb_put_account_token(SbCall *call)
{
	static const char *const names[] = {"token", "account", "user_id", "permissions", "dead", NULL};
	SbGrant *g = sb_grant(sb_text_of(call, "token"));
	const char *user;
	const char *permissions;
	SbAccount *a;

	if (!sb_only(call, names))
		return;
	if (g == NULL)
	{
		if (!read_grant(call, &a, &user, &permissions))
			return;
		g = new_grant(a, user, permissions, true);
		g->expires = sb_now() + LONG_LIFE;
		g->is_long = true;
	}
	sb_update_int(call, "dead", &g->dead);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s?,s:s,s:i}", "token", g->text, "label", g->label, "user_id",
							 g->user_id, "dead", g->dead));
}
