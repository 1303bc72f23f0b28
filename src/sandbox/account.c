/*
 * account.c
 *		Accounts of Instagram (by Instagram Login) and Facebook Pages (by their
 *		owner's log-in), as they answer an app: log-in page, code, tokens, /me,
 *		subscriptions, direct messages; and the control calls that play the people
 *		who write.
 *
 * Sources: "Business Login for Instagram", "Send messages" (text of 1,000
 * bytes, 24 hours), "Webhook notification examples"; "Manually Build a Login
 * Flow", "Send API". Echoes of what an account sends come on the same field, as
 * they do there.
 */
#include "sandbox/account_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "sandbox/content.h"
#include "sandbox/control.h"
#include "sandbox/deliver.h"
#include "sandbox/fault.h"
#include "sandbox/play.h"
#include "sandbox/media.h"
#include "sandbox/refusal.h"

#define SHORT_LIFE (3600 * SB_SECOND)
#define LONG_LIFE (60 * 24 * 3600 * SB_SECOND)
#define CODE_LIFE (3600 * SB_SECOND)
#define YOUNGEST_REFRESH (24 * 3600 * SB_SECOND)
#define LONGEST_TEXT 1000
#define LONGEST_PAGE_TEXT 2000

#define BASIC "instagram_business_basic"
#define MESSAGES "instagram_business_manage_messages"
#define COMMENTS "instagram_business_manage_comments"
#define PAGE_MESSAGES "pages_messaging"

static SbTable accounts;
static SbAccount *at_the_browser; /* the one named last by a control call */
static SbTable grants;

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* ---------- objects ---------- */

static void
drop_person(void *p)
{
	free(((SbPerson *) p)->id);
	free(p);
}

static void
drop_account(void *p)
{
	SbAccount *a = p;

	sb_table_clear(&a->persons, drop_person);
	free(a->id);
	free(a->username);
	free(a->name);
	free(a->type);
	free(a);
}

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
sb_accounts_reset(void)
{
	sb_comments_reset();
	sb_mentions_reset();
	sb_table_clear(&grants, drop_grant);
	sb_table_clear(&accounts, drop_account);
	at_the_browser = NULL;
}

SbAccount *
sb_account(const char *id)
{
	return id == NULL ? NULL : sb_table_get(&accounts, id);
}

static SbGrant *
grant_of(const char *text)
{
	return text == NULL ? NULL : sb_table_get(&grants, text);
}

/* An account that belongs to the app: whose owner is at the browser, or any; NULL: it is no app of this product. */
static SbAccount *
account_of_app(const SbApp *app)
{
	size_t pos = 0;
	SbAccount *a = at_the_browser;

	if (a != NULL && a->app == app)
		return a;
	while ((a = sb_table_next(&accounts, &pos)) != NULL)
		if (a->app == app)
			return a;
	return NULL;
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
	sb_random_text(random + strlen(random), 100, letters);
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
	SbGrant *old = grant_of(text);
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
	SbGrant *code = grant_of(sb_param(call, "code"));
	const char *grant = sb_param(call, "grant_type");
	const char *uri = sb_param(call, "redirect_uri");
	bool page = account_of_app(app)->page;
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

/* The live token of the call; NULL after a refusal. */
SbGrant *
sb_account_token(SbCall *call)
{
	SbGrant *g = grant_of(sb_bearer(call));

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

/* ---------- the account ---------- */

static void
get_me(SbCall *call, SbGrant *g)
{
	const SbAccount *a = g->account;

	if (g->pages != NULL)
		sb_answer_json(call, 200, json_pack("{s:s}", "id", g->user_id));
	else if (a->page)
		sb_answer_json(call, 200, json_pack("{s:s,s:s}", "id", a->id, "name", a->name));
	else if (a->threads)
		sb_answer_json(call, 200,
					   json_pack("{s:s,s:s,s:s}", "id", a->id, "username", a->username, "name",
								 a->name));
	else
		sb_answer_json(call, 200,
					   json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "id", g->user_id, "user_id", a->id,
								 "username", a->username, "name", a->name, "account_type", a->type,
								 "profile_picture_url",
								 "https://scontent.cdninstagram.example/p.jpg"));
}

/* GET /me/permissions: what the person granted */
static void
get_permissions(SbCall *call, SbGrant *g)
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
static void
get_pages(SbCall *call, SbGrant *g)
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

static void
subscriptions(SbCall *call, SbGrant *g)
{
	SbAccount *a = g->account;

	call->note.route = "subscribed_apps";
	if (strcmp(call->method, "GET") == 0)
	{
		json_t *list = json_array();

		if (a->subscribed)
			json_array_append_new(list, json_pack("{s:s}", "id", a->app->id));
		sb_answer_json(call, 200, json_pack("{s:o}", "data", list));
		return;
	}
	if (strcmp(call->method, "POST") == 0 && sb_param(call, "subscribed_fields") == NULL)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter subscribed_fields is required.", NULL);
		return;
	}
	a->subscribed = strcmp(call->method, "POST") == 0;
	sb_answer_success(call);
}

/* ---------- messages ---------- */

SbPerson *
sb_person(SbAccount *a, const char *id, bool make)
{
	SbPerson *p = sb_table_get(&a->persons, id);

	if (p == NULL && make)
	{
		p = sb_alloc(sizeof(SbPerson));
		p->id = sb_strdup(id);
		sb_table_put(&a->persons, p->id, p);
	}
	return p;
}

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

bool
sb_account_change(SbAccount *a, const char *field, json_t *value, SbWait *wait)
{
	json_t *body;
	char *text;
	bool queued;

	if ((!a->subscribed && !a->threads) || a->app->callback_url == NULL)
	{
		json_decref(value);
		return false;
	}
	if (a->threads)
		body = json_pack("{s:s,s:s,s:s,s:I,s:{s:s,s:o}}", "app_id", a->app->id, "topic",
						 strcmp(field, "mentions") == 0 ? "interaction" : "moderate", "target_id",
						 a->id, "time", (json_int_t) (sb_now() / SB_SECOND), "values", "field",
						 field, "value", value);
	else
		body = json_pack("{s:s,s:I,s:[{s:s,s:o}]}", "id", a->id, "time",
						 (json_int_t) (sb_now() / SB_SECOND), "changes", "field", field, "value",
						 value);
	text = sb_wire_text(body);
	json_decref(body);
	queued = sb_entry(a->app->callback_url, a->app->secret,
					  a->threads ? ""
					  : a->page  ? "page"
								 : "instagram",
					  text, wait);
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
	sb_random_text(out + 4, 48, letters);
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
	SbAccount *a = sb_table_get(&accounts, call->note.number);
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

static void
send_message(SbCall *call, SbGrant *g)
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
	if (!sb_granted(g, a->page ? PAGE_MESSAGES : MESSAGES))
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
	else if (may_write(call, a, to))
	{
		if (!attached)
			take_message(call, a, to, json_pack("{s:s}", "text", text), text, strlen(text));
		else if (!send_attachment(call))
			sb_refuse(call, 100, 0, "(#100) The parameter attachment is required.", NULL);
	}
}

/* ---------- the call ---------- */

bool
sb_account_call(SbCall *call)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *second = call->nparts > 1 ? call->parts[1] : "";
	bool get = strcmp(call->method, "GET") == 0;
	SbApp *app = sb_app(sb_param(call, "client_id"));
	SbAccount *of_app = app ? account_of_app(app) : NULL;
	SbAccount *a;
	SbGrant *g;

	if (strcmp(first, "dialog") == 0 && strcmp(second, "oauth") == 0 && of_app != NULL && get)
	{
		authorize(call, of_app);
		return true;
	}
	/* an app with Pages may have numbers too, whose codes are others */
	if (strcmp(first, "oauth") == 0 && of_app != NULL && of_app->page &&
		grant_of(sb_param(call, "code")) == NULL &&
		grant_of(sb_param(call, "fb_exchange_token")) == NULL)
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
	if (sb_comment_call(call))
		return true;
	a = sb_account(first);
	g = grant_of(sb_bearer(call));
	if (a == NULL && (g == NULL || strcmp(first, "me") != 0))
		return false;
	g = sb_account_token(call);
	if (g == NULL)
		return true;
	if (a != NULL && g->account != a)
		sb_refuse_object(call, first);
	else if (call->nparts == 1 && get && sb_read_mention(call, g))
		return true;
	else if (call->nparts == 1 && get)
		get_me(call, g);
	else if (strcmp(second, "permissions") == 0 && get && g->pages != NULL)
		get_permissions(call, g);
	else if (strcmp(second, "accounts") == 0 && get)
		get_pages(call, g);
	else if (strcmp(second, "subscribed_apps") == 0)
		subscriptions(call, g);
	else if (strcmp(second, "threads") == 0 && !get && g->account->threads)
		sb_make_container(call, g);
	else if (strcmp(second, "threads_publish") == 0 && !get && g->account->threads)
		sb_publish_container(call, g);
	else if (strcmp(second, "mentions") == 0 && !get && !g->account->page && !g->account->threads)
		sb_answer_mention(call, g);
	else if (strcmp(second, "messages") == 0 && !get && !g->account->threads)
		send_message(call, g);
	else
		sb_refuse_object(call, first);
	return true;
}

/* ---------- control calls ---------- */

void
sb_put_account(SbCall *call)
{
	static const char *const names[] = {"id",           "app_id",     "kind",   "username", "name",
										"account_type", "subscribed", "echoes", NULL};
	SbAccount *a = sb_account(sb_text_of(call, "id"));
	SbApp *app = sb_app(sb_text_of(call, "app_id"));

	if (!sb_only(call, names))
		return;
	if (a == NULL && app == NULL)
	{
		sb_unknown(call, "app_id");
		return;
	}
	if (a == NULL)
	{
		a = sb_alloc(sizeof(SbAccount));
		a->id = sb_text_of(call, "id") ? sb_strdup(sb_text_of(call, "id")) : sb_new_id();
		a->username = sb_strdup("sandbox.shop");
		a->name = sb_strdup("Sandbox shop");
		a->type = sb_strdup("BUSINESS");
		a->echoes = true;
		a->page = sb_text_of(call, "kind") != NULL && strcmp(sb_text_of(call, "kind"), "page") == 0;
		a->threads =
			sb_text_of(call, "kind") != NULL && strcmp(sb_text_of(call, "kind"), "threads") == 0;
		sb_table_put(&accounts, a->id, a);
	}
	at_the_browser = a;
	if (app != NULL)
		a->app = app;
	if (sb_text_of(call, "username") != NULL)
		sb_replace(&a->username, sb_text_of(call, "username"));
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&a->name, sb_text_of(call, "name"));
	if (sb_text_of(call, "account_type") != NULL)
		sb_replace(&a->type, sb_text_of(call, "account_type"));
	sb_update_flag(call, "subscribed", &a->subscribed);
	sb_update_flag(call, "echoes", &a->echoes);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:s,s:b,s:I}", "id", a->id, "app_id", a->app->id,
							 "username", a->username, "account_type", a->type, "subscribed",
							 a->subscribed, "accepted", (json_int_t) a->accepted));
}

/* The account and the person of a control call that makes a grant; false after an answer. */
static bool
read_grant(SbCall *call, SbAccount **a, const char **user, const char **permissions)
{
	*a = sb_account(sb_text_of(call, "account"));
	*user = sb_text_of(call, "user_id");
	*permissions = sb_text_of(call, "permissions");
	if (*permissions == NULL)
		*permissions =
			*a == NULL || (!(*a)->page && !(*a)->threads) ? BASIC "," MESSAGES "," COMMENTS
			: (*a)->page
				? PAGE_MESSAGES
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
	SbGrant *g = grant_of(sb_text_of(call, "token"));
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
