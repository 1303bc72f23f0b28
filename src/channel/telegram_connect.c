/*
 * telegram_connect.c
 *		Telegram: connecting a bot by its token, and cutting it.
 *
 *		me			the token is a bot's, and of this one
 *		webhook		updates of the bot come to us, with a secret of its own
 *
 * Source: core.telegram.org/bots/api, "getMe", "setWebhook", "deleteWebhook".
 * There is no log-in: whoever has a bot's token, given by BotFather, is its
 * owner. The digits before the colon of a token are the bot's id.
 */
#include "channel/connect.h"
#include "channel/record.h"
#include "channel/telegram.h"

#include <stdlib.h>
#include <string.h>

enum
{
	STEP_START,
	STEP_ME,
	STEP_KNOWN,
	STEP_WEBHOOK
};

/* the updates that are read; no others are sent */
static const char *const updates[] = {
	"message",        "edited_message",   "callback_query",         "message_reaction",
	"my_chat_member", "business_message", "edited_business_message"};

static LarasLoginNext
ask(LarasLogin *login, int step, const char *purpose, const char *method, const char *call)
{
	return laras_login_ask(login, step, purpose, method,
						   laras_telegram_url(login->allocator, login->base_url, call,
											  &login->request.token_at),
						   LARAS_WITH_TOKEN);
}

/* "digits:letters", as BotFather writes it: anything else would not be a piece of a path. */
static bool
is_token(const LarasLoginMemory *m)
{
	size_t digits = 0;

	while (digits < m->token_n && m->token[digits] >= '0' && m->token[digits] <= '9')
		digits++;
	if (digits == 0 || digits > 20 || digits + 8 > m->token_n || m->token[digits] != ':')
		return false;
	for (size_t i = digits + 1; i < m->token_n; i++)
	{
		char c = m->token[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  c == '-' || c == '_'))
			return false;
	}
	return true;
}

/* The bot is the one that was named, if one was; its name is kept. */
static bool
read_me(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	const json_t *me = laras_json_get(login->answer, "result");
	LarasText named = laras_login_named(login, "bot_id");
	LarasText username = laras_json_text_at(me, "username");
	char buffer[32];
	LarasText id = laras_json_id(laras_json_get(me, "id"), buffer, sizeof(buffer));
	json_t *profile;
	char *text;
	size_t n = 0;

	if (!json_is_true(laras_json_get(login->answer, "ok")) ||
		!json_is_true(laras_json_get(me, "is_bot")) || id.s == NULL ||
		(named.s != NULL && !laras_text_same(named, id)))
		return false;
	profile =
		json_pack("{s:O*, s:O*, s:O*}", "username", laras_json_get(me, "username"), "first_name",
				  laras_json_get(me, "first_name"), "can_read_all_group_messages",
				  laras_json_get(me, "can_read_all_group_messages"));
	text = profile == NULL ? NULL : laras_json_dump(profile, &n);
	laras_login_keep(m->profile, sizeof(m->profile), (LarasText){text, n});
	free(text);
	json_decref(profile);
	if (laras_text_given(username))
		laras_login_keep(m->display, sizeof(m->display),
						 laras_text_print(login->allocator, "@%.*s", (int) username.n, username.s));
	return laras_login_keep(m->account, sizeof(m->account), id);
}

/* What waited while nobody listened is not for us: it was said to whoever had the bot. */
static LarasLoginNext
ask_webhook(LarasLogin *login)
{
	json_t *body = json_pack("{s:s%, s:s%, s:b, s:[]}", "url", login->webhook.s, login->webhook.n,
							 "secret_token", login->webhook_secret.s, login->webhook_secret.n,
							 "drop_pending_updates", 1, "allowed_updates");
	char *text = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
		json_array_append_new(laras_json_get(body, "allowed_updates"), json_string(updates[i]));
	if (body != NULL && (text = laras_json_dump(body, &n)) != NULL)
		login->request.body = laras_text_print(login->allocator, "%.*s", (int) n, text);
	free(text);
	json_decref(body);
	if (login->request.body.s == NULL)
		return laras_login_fail(login, 500, "out_of_memory");
	return ask(login, STEP_WEBHOOK, "subscribe", "POST", "setWebhook");
}

static LarasLoginNext
login_step(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;

	switch (m->step)
	{
		case STEP_START:
			if (login->code.s != NULL || !is_token(m))
				return laras_login_fail(login, 422, "bad_token");
			return ask(login, STEP_ME, "read_account", "GET", "getMe");
		case STEP_ME:
			if (!login->ok || !read_me(login))
				return laras_login_fail(login, 422, "token_not_for_account");
			m->step = STEP_KNOWN;
			return LARAS_LOGIN_KNOWN;
		case STEP_KNOWN:
			return ask_webhook(login);
		case STEP_WEBHOOK:
			if (!login->ok || !json_is_true(laras_json_get(login->answer, "result")))
				return laras_login_fail(login, 502, "subscribe_refused");
			m->subscribed = true;
			login->accounts = json_pack("{s:s}", "bot_id", m->account);
			return LARAS_LOGIN_DONE;
	}
	return laras_login_fail(login, 500, "unknown_step");
}

static bool
build_delete(const LarasAllocator *allocator, const char *base_url, LarasProviderRequest *request)
{
	request->method = "POST";
	request->body = (LarasText){"{\"drop_pending_updates\":true}", 29};
	request->url = laras_telegram_url(allocator, base_url, "deleteWebhook", &request->token_at);
	return request->url.s != NULL;
}

/* Whoever else has connected the bot meanwhile has the same webhook: it stays theirs. */
static bool
undo(LarasLogin *login)
{
	return login->memory->subscribed && !laras_login_in_use(login) &&
		   build_delete(login->allocator, login->base_url, &login->request);
}

static bool
build_unsubscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				  LarasProviderRequest *request)
{
	return build_delete(allocator, about->base_url, request);
}

static bool
build_read_subscription(const LarasAccountRequest *about, const LarasAllocator *allocator,
						LarasProviderRequest *request)
{
	request->method = "POST";
	request->body = (LarasText){"{}", 2};
	request->url =
		laras_telegram_url(allocator, about->base_url, "getWebhookInfo", &request->token_at);
	return request->url.s != NULL;
}

/* A bot has one webhook, ours or none; whoever has its token could take it. */
static bool
is_subscribed(const json_t *answer, LarasText app_id)
{
	return laras_text_given(laras_json_text_at(laras_json_get(answer, "result"), "url"));
}

static LarasTokenState
read_token(int code, int subcode)
{
	return code == 401 ? LARAS_TOKEN_DEAD : LARAS_TOKEN_FINE;
}

const struct LarasConnectDriver laras_telegram_connect = {
	.accounts = {{"bot_id", LARAS_ACCOUNT_NUMBER}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.example = "{\"bot_id\": \"...\"}, the digits before the colon of the bot's token",
	.login = login_step,
	.undo = undo,
	.segment = "telegram",
	.build_unsubscribe = build_unsubscribe,
	.build_read_subscription = build_read_subscription,
	.is_subscribed = is_subscribed,
	.read_token = read_token,
};
