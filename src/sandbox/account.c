/*
 * account.c
 *		Accounts of Instagram (by Instagram Login), Facebook Pages (by their
 *		owner's log-in) and profiles of Threads, as they answer an app: who they
 *		are, subscriptions, changes; which call goes where; and the control call
 *		that makes an account.
 *
 * Sources: "Business Login for Instagram", "Webhook notification examples";
 * Threads "Webhooks".
 */
#include "sandbox/account_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/control.h"
#include "sandbox/deliver.h"
#include "sandbox/refusal.h"

static SbTable accounts;
static SbAccount *at_the_browser; /* the one named last by a control call */

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
	free(a->messages.recent);
	free(a->media.recent);
	free(a->private_replies.recent);
	free(a->replies.recent);
	free(a->id);
	free(a->username);
	free(a->name);
	free(a->type);
	free(a);
}

void
sb_accounts_reset(void)
{
	sb_comments_reset();
	sb_mentions_reset();
	sb_grants_reset();
	sb_table_clear(&accounts, drop_account);
	at_the_browser = NULL;
}

SbAccount *
sb_account(const char *id)
{
	return id == NULL ? NULL : sb_table_get(&accounts, id);
}

SbAccount *
sb_account_of_app(const SbApp *app)
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

bool
sb_account_may_send(SbCall *call, SbAccount *a, SbRolling *kind)
{
	int64_t now = sb_now();
	bool over_all = sb_over_rolling(&a->messages, now);
	bool over_kind = kind != NULL && sb_over_rolling(kind, now);

	a->messages.over += over_all;
	if (over_kind)
		kind->over++;
	call->note.over_account = over_all || over_kind;
	if (call->note.over_account && sb_settings.enforce_limits)
	{
		sb_refuse(call, 613, 0, NULL, NULL);
		return false;
	}
	sb_rolling_count(&a->messages, now);
	if (kind != NULL)
		sb_rolling_count(kind, now);
	return true;
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

/* ---------- the call ---------- */

bool
sb_account_call(SbCall *call)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *second = call->nparts > 1 ? call->parts[1] : "";
	bool get = strcmp(call->method, "GET") == 0;
	SbApp *app = sb_app(sb_param(call, "client_id"));
	SbAccount *of_app = app ? sb_account_of_app(app) : NULL;
	SbAccount *a;
	SbGrant *g;

	if (sb_log_in_call(call, app, of_app) || sb_comment_call(call))
		return true;
	if (sb_comment_call(call))
		return true;
	a = sb_account(first);
	g = sb_grant(sb_bearer(call));
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
		sb_get_permissions(call, g);
	else if (strcmp(second, "accounts") == 0 && get)
		sb_get_pages(call, g);
	else if (strcmp(second, "subscribed_apps") == 0)
		subscriptions(call, g);
	else if (strcmp(second, "threads") == 0 && !get && g->account->threads)
		sb_make_container(call, g);
	else if (strcmp(second, "threads_publish") == 0 && !get && g->account->threads)
		sb_publish_container(call, g);
	else if (strcmp(second, "mentions") == 0 && !get && !g->account->page && !g->account->threads)
		sb_answer_mention(call, g);
	else if (strcmp(second, "messages") == 0 && !get && !g->account->threads)
		sb_send_direct(call, g);
	else
		sb_refuse_object(call, first);
	return true;
}

/* ---------- control calls ---------- */

/* What is documented of an account's kind, unless the call says otherwise; false after an answer. */
static bool
set_limits(SbCall *call, SbAccount *a, bool made)
{
	bool direct = !a->threads;
	bool instagram = direct && !a->page;
	int rate = sb_int_of(call, "rate",
						 !made     ? a->messages.most
						 : !direct ? 0
						 : a->page ? 300
								   : 100);
	int media = sb_int_of(call, "media_rate", !made ? a->media.most : direct ? 10 : 0);
	int in_private = sb_int_of(call, "private_replies",
							   !made       ? a->private_replies.most
							   : instagram ? 750
										   : 0);
	int in_public = sb_int_of(call, "replies", !made ? a->replies.most : a->threads ? 1000 : 0);
	int private_s = sb_int_of(call, "private_replies_s",
							  made ? 3600 : (int) (a->private_replies.period / SB_SECOND));
	int public_s =
		sb_int_of(call, "replies_s", made ? 24 * 3600 : (int) (a->replies.period / SB_SECOND));

	if (rate < 0 || media < 0 || in_private < 0 || in_public < 0 || rate > 1000000 ||
		media > 1000000 || in_private > 1000000 || in_public > 1000000 || private_s < 1 ||
		public_s < 1)
	{
		sb_wrong(call, "a limit is 0 (none) to 1000000, its period at least a second");
		return false;
	}
	sb_rolling_set(&a->messages, rate, SB_SECOND);
	sb_rolling_set(&a->media, media, SB_SECOND);
	sb_rolling_set(&a->private_replies, in_private, private_s * SB_SECOND);
	sb_rolling_set(&a->replies, in_public, public_s * SB_SECOND);
	return true;
}

void
sb_put_account(SbCall *call)
{
	static const char *const names[] = {"id",
										"app_id",
										"kind",
										"username",
										"name",
										"account_type",
										"subscribed",
										"echoes",
										"rate",
										"media_rate",
										"private_replies",
										"private_replies_s",
										"replies",
										"replies_s",
										NULL};
	SbAccount *a = sb_account(sb_text_of(call, "id"));
	SbApp *app = sb_app(sb_text_of(call, "app_id"));
	bool made = a == NULL;

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
	if (!set_limits(call, a, made))
		return;
	if (sb_text_of(call, "username") != NULL)
		sb_replace(&a->username, sb_text_of(call, "username"));
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&a->name, sb_text_of(call, "name"));
	if (sb_text_of(call, "account_type") != NULL)
		sb_replace(&a->type, sb_text_of(call, "account_type"));
	sb_update_flag(call, "subscribed", &a->subscribed);
	sb_update_flag(call, "echoes", &a->echoes);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:s,s:b,s:I,s:{s:I,s:I,s:I,s:I}}", "id", a->id, "app_id",
							 a->app->id, "username", a->username, "account_type", a->type,
							 "subscribed", a->subscribed, "accepted", (json_int_t) a->accepted,
							 "violations", "messages", (json_int_t) a->messages.over, "media",
							 (json_int_t) a->media.over, "private_replies",
							 (json_int_t) a->private_replies.over, "replies",
							 (json_int_t) a->replies.over));
}
