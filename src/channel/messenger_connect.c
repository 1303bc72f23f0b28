/*
 * messenger_connect.c
 *		Messenger: connecting a Facebook Page by its owner's log-in, or by a token
 *		of the Page, and cutting it.
 *
 *		exchange	code -> token of the person
 *		extend		-> one of sixty days, so that the Page's does not expire
 *		who			the person's app-scoped id
 *		granted		what the person granted of what was asked for
 *		pages		the Page that was granted, with its own token
 *		page		a token that was given is that Page's
 *		subscribe	events of the Page come to this app
 *
 * The token of the person is forgotten once the Page's is there. It is never
 * given back: that would end what the same person granted for other Pages.
 * Sources: "Manually Build a Login Flow"; "Long-Lived Access Tokens"; "Page
 * subscribed_apps"; Messenger Platform, "Webhooks".
 */
#include "channel/connect.h"
#include "channel/messenger.h"
#include "channel/meta_connect.h"
#include "channel/record.h"

#include <stdlib.h>
#include <string.h>

enum
{
	STEP_START,
	STEP_EXCHANGE,
	STEP_EXTEND,
	STEP_WHO,
	STEP_GRANTED,
	STEP_PAGES,
	STEP_PAGE,
	STEP_KNOWN,
	STEP_SUBSCRIBE
};

static const char *const scopes[] = {"pages_show_list", "pages_messaging", "pages_manage_metadata",
									 "pages_read_engagement", NULL};

static bool
build(const char *method, const char *fields, const LarasAccountRequest *about,
	  const LarasAllocator *allocator, LarasProviderRequest *request)
{
	request->method = method;
	request->url =
		laras_text_print(allocator, "%s/%s/%.*s/subscribed_apps%s", about->base_url,
						 about->api_version, (int) about->account.n, about->account.s, fields);
	return request->url.s != NULL;
}

static bool
build_subscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	request->body = (LarasText){"{}", 2};
	return build("POST",
				 "?subscribed_fields=messages,message_echoes,message_deliveries,message_reads,"
				 "message_edits,message_reactions,messaging_postbacks,messaging_optins,"
				 "messaging_referrals,standby,feed",
				 about, allocator, request);
}

static bool
build_unsubscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				  LarasProviderRequest *request)
{
	return build("DELETE", "", about, allocator, request);
}

static bool
build_read_subscription(const LarasAccountRequest *about, const LarasAllocator *allocator,
						LarasProviderRequest *request)
{
	return build("GET", "", about, allocator, request);
}

static bool
build_read_post(const LarasAccountRequest *about, LarasText post, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	return laras_meta_build_read_post("from", about, post, allocator, request);
}

static LarasPostOwner
read_post(const json_t *answer, LarasText account)
{
	return laras_meta_read_post("from", answer, account);
}

/* A request for a token: what follows client_id and client_secret; the token at hand at its end, where with says so. */
static LarasLoginNext
ask_token(LarasLogin *login, int step, const char *purpose, LarasText more, LarasLoginWith with)
{
	LarasText id = laras_login_encoded(login, laras_text(login->app_id));
	LarasText secret = laras_login_encoded(login, login->secret);
	LarasText url = {NULL, 0};

	if (id.s != NULL && secret.s != NULL && more.s != NULL)
		url = laras_text_print(login->allocator,
							   "%s/%s/oauth/access_token?client_id=%.*s&client_secret=%.*s&%.*s",
							   login->base_url, login->api_version, (int) id.n, id.s,
							   (int) secret.n, secret.s, (int) more.n, more.s);
	if (with == LARAS_WITH_TOKEN)
		login->request.token_at = url.n;
	return laras_login_ask(login, step, purpose, "GET", url, with);
}

static LarasLoginNext
ask_exchange(LarasLogin *login)
{
	LarasText code = laras_login_encoded(login, login->code);
	LarasText callback = laras_login_encoded(login, login->callback);
	LarasText more = {NULL, 0};

	if (login->callback.s == NULL)
		return laras_login_fail(login, 500, "no_public_url");
	if (code.s != NULL && callback.s != NULL)
		more = laras_text_print(login->allocator, "redirect_uri=%.*s&code=%.*s", (int) callback.n,
								callback.s, (int) code.n, code.s);
	return ask_token(login, STEP_EXCHANGE, "exchange_code", more, LARAS_WITH_NOTHING);
}

static LarasLoginNext
ask(LarasLogin *login, int step, const char *purpose, const char *edge)
{
	return laras_login_ask(login, step, purpose, "GET",
						   laras_text_print(login->allocator, "%s/%s/%s", login->base_url,
											login->api_version, edge),
						   LARAS_WITH_TOKEN);
}

/* May whoever granted this Page answer for it? Tasks are not always told. */
static bool
is_eligible(const json_t *page)
{
	const json_t *tasks = laras_json_get(page, "tasks");
	json_t *task;
	size_t i;

	json_array_foreach(tasks, i, task)
		if (laras_text_is(laras_json_text(task), "MESSAGING"))
			return true;
	return tasks == NULL;
}

/* The words of /me/permissions whose status is granted. False: the answer has no list. */
static bool
take_granted(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	const json_t *list = laras_json_get(login->answer, "data");
	size_t at = 0;
	size_t i;
	json_t *one;

	if (!login->ok || !json_is_array(list))
		return false;
	json_array_foreach(list, i, one)
	{
		LarasText word = laras_json_text_at(one, "permission");

		if (!laras_text_is(laras_json_text_at(one, "status"), "granted") ||
			!laras_text_word(word) || at + word.n + 2 > sizeof(m->granted))
			continue;
		if (at > 0)
			m->granted[at++] = ',';
		memcpy(m->granted + at, word.s, word.n);
		at += word.n;
		m->granted[at] = '\0';
	}
	return true;
}

/* The Page becomes the account: its id and name, and where it has one its token. */
static LarasLoginNext
take_page(LarasLogin *login, const json_t *page)
{
	LarasLoginMemory *m = login->memory;
	char buffer[32];
	LarasText id = laras_json_id(laras_json_get(page, "id"), buffer, sizeof(buffer));
	LarasText token = laras_json_text_at(page, "access_token");
	LarasText named = laras_login_named(login, "page_id");

	if (!laras_text_plain(id) || (named.s != NULL && !laras_text_same(named, id)))
		return laras_login_fail(login, 422, "token_not_for_account");
	if (token.s != NULL)
	{
		if (token.n == 0 || token.n > sizeof(m->token))
			return laras_login_fail(login, 502, "exchange_refused");
		/* nothing of the person's token is left behind a shorter one */
		memset(m->token, 0, sizeof(m->token));
		memcpy(m->token, token.s, token.n);
		m->token_n = token.n;
	}
	laras_login_keep(m->display, sizeof(m->display), laras_json_text_at(page, "name"));
	if (!laras_login_keep(m->account, sizeof(m->account), id))
		return laras_login_fail(login, 422, "token_not_for_account");
	m->step = STEP_KNOWN;
	return LARAS_LOGIN_KNOWN;
}

/* Of the Pages that were granted: one, for there is one consent. */
static LarasLoginNext
take_pages(LarasLogin *login)
{
	const json_t *list = laras_json_get(login->answer, "data");
	json_t *page;
	size_t i;
	const json_t *only = NULL;
	int eligible = 0;

	if (!login->ok || !json_is_array(list))
		return laras_login_fail(login, 502, "exchange_refused");
	json_array_foreach(list, i, page)
	{
		if (!is_eligible(page) || laras_json_text_at(page, "access_token").s == NULL)
			continue;
		eligible++;
		only = page;
	}
	if (eligible == 0)
		return laras_login_fail(login, 422, "account_not_eligible");
	if (eligible > 1)
		return laras_login_fail(login, 422, "several_accounts");
	return take_page(login, only);
}

static LarasLoginNext
login_step(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	char buffer[32];
	LarasAccountRequest about = laras_login_about(login);

	switch (m->step)
	{
		case STEP_START:
			return login->code.s != NULL
					   ? ask_exchange(login)
					   : ask(login, STEP_PAGE, "read_account", "me?fields=id,name");
		case STEP_EXCHANGE:
			if (!login->ok || !laras_login_take_token(login))
				return laras_login_fail(login, 502, "exchange_refused");
			return ask_token(login, STEP_EXTEND, "extend_token",
							 (LarasText){"grant_type=fb_exchange_token&fb_exchange_token=",
										 strlen("grant_type=fb_exchange_token&fb_exchange_token=")},
							 LARAS_WITH_TOKEN);
		case STEP_EXTEND:
			if (!login->ok || !laras_login_take_token(login))
				return laras_login_fail(login, 502, "exchange_refused");
			return ask(login, STEP_WHO, "read_person", "me?fields=id");
		case STEP_WHO:
			if (!login->ok || !laras_login_keep(m->user, sizeof(m->user),
												laras_json_id(laras_json_get(login->answer, "id"),
															  buffer, sizeof(buffer))))
				return laras_login_fail(login, 502, "exchange_refused");
			return ask(login, STEP_GRANTED, "read_granted", "me/permissions");
		case STEP_GRANTED:
			if (!take_granted(login))
				return laras_login_fail(login, 502, "exchange_refused");
			return ask(login, STEP_PAGES, "read_account",
					   "me/accounts?fields=id,name,access_token,tasks&limit=100");
		case STEP_PAGES:
			return take_pages(login);
		case STEP_PAGE:
			if (!login->ok)
				return laras_login_fail(login, 422, "token_not_for_account");
			return take_page(login, login->answer);
		case STEP_KNOWN:
			if (!build_subscribe(&about, login->allocator, &login->request))
				return laras_login_fail(login, 500, "out_of_memory");
			return laras_login_ask(login, STEP_SUBSCRIBE, "subscribe", login->request.method,
								   login->request.url, LARAS_WITH_TOKEN);
		case STEP_SUBSCRIBE:
			if (!login->ok || !laras_json_true(laras_json_get(login->answer, "success")))
				return laras_login_fail(login, 502, "subscribe_refused");
			m->subscribed = true;
			login->scopes = scopes;
			login->accounts = json_pack("{s:s}", "page_id", m->account);
			return LARAS_LOGIN_DONE;
	}
	return laras_login_fail(login, 500, "unknown_step");
}

static bool
undo(LarasLogin *login)
{
	LarasAccountRequest about = laras_login_about(login);

	return login->memory->subscribed && !laras_login_in_use(login) &&
		   build_unsubscribe(&about, login->allocator, &login->request);
}

const struct LarasConnectDriver laras_messenger_connect = {
	.accounts = {{"page_id", LARAS_ACCOUNT_NUMBER}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.example = "{\"page_id\": \"...\"}",
	.login = login_step,
	.undo = undo,
	.by_code = "page_login",
	.scopes = scopes,
	.segment = "messenger",
	.finish_path = "/api/messenger/callback",
	.dialog_url = "https://www.facebook.com",
	.dialog_path = "/dialog/oauth",
	.build_subscribe = build_subscribe,
	.build_unsubscribe = build_unsubscribe,
	.build_read_subscription = build_read_subscription,
	.is_subscribed = laras_meta_is_subscribed,
	.read_token = laras_meta_read_token,
	.build_read_post = build_read_post,
	.read_post = read_post,
};
