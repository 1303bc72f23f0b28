/*
 * whatsapp_connect.c
 *		WhatsApp: how accounts are named, the steps of Embedded Signup and of
 *		pairing, and the subscription of an app to a business account's events.
 *
 *		exchange	code -> token (Embedded Signup alone; the code lives 30 s)
 *		debug		the token is ours and reaches the WABA
 *		numbers		the WABA lists the number; its display data
 *		subscribe	webhooks of the WABA come to this app
 *
 * Ids from the browser are believed only once the provider has confirmed them.
 * Sources: Embedded Signup v4, "Implementation"; debug_token; WABA edges.
 */
#include "channel/connect.h"
#include "channel/meta_connect.h"
#include "channel/whatsapp.h"

#include <stdlib.h>
#include <string.h>

enum
{
	STEP_START,
	STEP_EXCHANGE,
	STEP_DEBUG,
	STEP_NUMBERS,
	STEP_KNOWN,
	STEP_SUBSCRIBE
};

static const char *const scopes[] = {"whatsapp_business_management", "whatsapp_business_messaging",
									 NULL};

static bool
build(const char *method, const LarasAccountRequest *about, const LarasAllocator *allocator,
	  LarasProviderRequest *request)
{
	request->method = method;
	request->url = laras_text_print(allocator, "%s/%s/%.*s/subscribed_apps", about->base_url,
									about->api_version, (int) about->account.n, about->account.s);
	return request->url.s != NULL;
}

static bool
build_subscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	/* an empty body: the app's own callback, no override */
	request->body = (LarasText){"{}", 2};
	return build("POST", about, allocator, request);
}

static bool
build_unsubscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				  LarasProviderRequest *request)
{
	request->body = (LarasText){NULL, 0};
	return build("DELETE", about, allocator, request);
}

static bool
build_read_subscription(const LarasAccountRequest *about, const LarasAllocator *allocator,
						LarasProviderRequest *request)
{
	return build("GET", about, allocator, request);
}

/*
 * A number that is used in the WhatsApp Business app too ("coexistence") says so by
 * these two; it may send less ("Throughput").
 */
#define BESIDE_APP "is_on_biz_app,platform_type"

static bool
build_read_number(const LarasAccountRequest *about, LarasText number,
				  const LarasAllocator *allocator, LarasProviderRequest *request)
{
	request->method = "GET";
	request->url = laras_text_print(allocator, "%s/%s/%.*s?fields=" BESIDE_APP, about->base_url,
									about->api_version, (int) number.n, number.s);
	return request->url.s != NULL;
}

static LarasBesideApp
read_number(const json_t *answer)
{
	const json_t *on_app = laras_json_get(answer, "is_on_biz_app");
	LarasText platform = laras_json_text_at(answer, "platform_type");

	if (!json_is_boolean(on_app))
		return LARAS_BESIDE_APP_UNKNOWN;
	return json_is_true(on_app) && (platform.s == NULL || laras_text_is(platform, "CLOUD_API"))
			   ? LARAS_BESIDE_APP_YES
			   : LARAS_BESIDE_APP_NO;
}

/* ------------------------------------------------------------------- log-in */

static LarasLoginNext
ask_exchange(LarasLogin *login)
{
	LarasText id = laras_login_encoded(login, laras_text(login->app_id));
	LarasText secret = laras_login_encoded(login, login->secret);
	LarasText code = laras_login_encoded(login, login->code);
	LarasText url = {NULL, 0};

	if (id.s != NULL && secret.s != NULL && code.s != NULL)
		url =
			laras_text_print(login->allocator,
							 "%s/%s/oauth/access_token?client_id=%.*s&client_secret=%.*s&code=%.*s",
							 login->base_url, login->api_version, (int) id.n, id.s, (int) secret.n,
							 secret.s, (int) code.n, code.s);
	return laras_login_ask(login, STEP_EXCHANGE, "exchange_code", "GET", url, LARAS_WITH_NOTHING);
}

static LarasLoginNext
ask_debug(LarasLogin *login)
{
	LarasText token =
		laras_login_encoded(login, (LarasText){login->memory->token, login->memory->token_n});
	LarasText url = {NULL, 0};

	if (token.s != NULL)
		url = laras_text_print(login->allocator, "%s/%s/debug_token?input_token=%.*s",
							   login->base_url, login->api_version, (int) token.n, token.s);
	return laras_login_ask(login, STEP_DEBUG, "debug_token", "GET", url, LARAS_WITH_APP);
}

static LarasLoginNext
ask_numbers(LarasLogin *login)
{
	LarasText waba = laras_login_named(login, "waba_id");

	return laras_login_ask(
		login, STEP_NUMBERS, "read_numbers", "GET",
		laras_text_print(
			login->allocator,
			"%s/%s/%.*s/phone_numbers?fields=id,display_phone_number,verified_name,quality_rating," BESIDE_APP,
			login->base_url, login->api_version, (int) waba.n, waba.s),
		LARAS_WITH_TOKEN);
}

/* Our app is to hear of the business account. */
static LarasLoginNext
ask_to_subscribe(LarasLogin *login)
{
	LarasAccountRequest about = {.base_url = login->base_url,
								 .api_version = login->api_version,
								 .account = laras_login_named(login, "waba_id")};

	if (!build_subscribe(&about, login->allocator, &login->request))
		return laras_login_fail(login, 500, "out_of_memory");
	return laras_login_ask(login, STEP_SUBSCRIBE, "subscribe", login->request.method,
						   login->request.url, LARAS_WITH_TOKEN);
}

/* Does the token's grant reach that WABA? Granular targets may be absent (then it reaches all). */
static bool
reaches(const json_t *data, LarasText waba)
{
	const json_t *granular = laras_json_get(data, "granular_scopes");
	json_t *scope;
	size_t i;

	if (json_array_size(granular) == 0)
		return true;
	json_array_foreach(granular, i, scope)
	{
		const json_t *targets = laras_json_get(scope, "target_ids");
		json_t *target;
		size_t k;

		if (!laras_text_is(laras_json_text_at(scope, "scope"), "whatsapp_business_management"))
			continue;
		if (targets == NULL)
			return true;
		json_array_foreach(targets, k, target)
		{
			char buffer[32];

			if (laras_text_same(laras_json_id(target, buffer, sizeof(buffer)), waba))
				return true;
		}
	}
	return false;
}

static bool
check_debug(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	const json_t *data = laras_json_get(login->answer, "data");
	char app_buffer[32];
	char user_buffer[32];
	LarasText app_id =
		laras_json_id(laras_json_get(data, "app_id"), app_buffer, sizeof(app_buffer));
	int64_t expires = 0;

	if (!laras_json_true(laras_json_get(data, "is_valid")) ||
		!laras_text_is(app_id, login->app_id) ||
		!reaches(data, laras_login_named(login, "waba_id")))
		return false;
	if (laras_json_integer(laras_json_get(data, "expires_at"), &expires) && expires > 0)
		m->expires_at = expires;
	laras_login_keep(m->user, sizeof(m->user),
					 laras_json_id(laras_json_get(data, "user_id"), user_buffer,
								   sizeof(user_buffer)));
	return true;
}

static bool
find_number(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	LarasText wanted = laras_login_named(login, "phone_number_id");
	json_t *number;
	size_t i;

	json_array_foreach(laras_json_get(login->answer, "data"), i, number)
	{
		char buffer[32];
		json_t *profile;
		char *text;
		size_t n = 0;

		if (!laras_text_same(laras_json_id(laras_json_get(number, "id"), buffer, sizeof(buffer)),
							 wanted))
			continue;
		laras_login_keep(m->display, sizeof(m->display),
						 laras_json_text_at(number, "display_phone_number"));
		m->beside_app = read_number(number);
		profile = laras_json_without(number, "id");
		/* what the account may do is no part of what it is recognised by */
		json_object_del(profile, "is_on_biz_app");
		json_object_del(profile, "platform_type");
		text = laras_json_dump(profile, &n);
		laras_login_keep(m->profile, sizeof(m->profile), (LarasText){text, n});
		free(text);
		json_decref(profile);
		return laras_login_keep(m->account, sizeof(m->account), wanted);
	}
	return false;
}

static LarasLoginNext
finish(LarasLogin *login)
{
	LarasText number = laras_login_named(login, "phone_number_id");
	LarasText waba = laras_login_named(login, "waba_id");

	login->scopes = scopes;
	login->accounts =
		json_pack("{s:s%, s:s%, s:s}", "phone_number_id", number.s, number.n, "waba_id", waba.s,
				  waba.n, "display_phone_number", login->memory->display);
	return LARAS_LOGIN_DONE;
}

static LarasLoginNext
login_step(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;

	switch (m->step)
	{
		case STEP_START:
			return login->code.s != NULL ? ask_exchange(login) : ask_debug(login);
		case STEP_EXCHANGE:
			if (!login->ok || !laras_login_take_token(login))
				return laras_login_fail(login, 502, "exchange_refused");
			return ask_debug(login);
		case STEP_DEBUG:
			if (!login->ok || !check_debug(login))
				return laras_login_fail(login, 422, "token_not_for_account");
			return ask_numbers(login);
		case STEP_NUMBERS:
			if (!login->ok || !find_number(login))
				return laras_login_fail(login, 422, "number_not_of_account");
			m->step = STEP_KNOWN;
			return LARAS_LOGIN_KNOWN;
		case STEP_KNOWN:
			return ask_to_subscribe(login);
		case STEP_SUBSCRIBE:
			if (!login->ok || !laras_json_true(laras_json_get(login->answer, "success")))
				return laras_login_fail(login, 502, "subscribe_refused");
			m->subscribed = true;
			return finish(login);
	}
	return laras_login_fail(login, 500, "unknown_step");
}

/*
 * A token that was made for us is given back; one that somebody had is theirs.
 * Giving back ends all that the person granted to the app: where the account is
 * connected already, that connection would lose its token too.
 */
static bool
undo(LarasLogin *login)
{
	if (!login->memory->exchanged || laras_login_in_use(login))
		return false;
	login->request.method = "DELETE";
	login->request.url = laras_text_print(login->allocator, "%s/%s/me/permissions", login->base_url,
										  login->api_version);
	return login->request.url.s != NULL;
}

const struct LarasConnectDriver laras_whatsapp_connect = {
	.accounts = {{"phone_number_id", LARAS_ACCOUNT_NUMBER}, {"waba_id", LARAS_ACCOUNT_BUSINESS}},
	.subscribed = LARAS_ACCOUNT_BUSINESS,
	.example = "{\"phone_number_id\": \"...\", \"waba_id\": \"...\"}",
	.login = login_step,
	.undo = undo,
	.by_code = "embedded_signup",
	.scopes = scopes,
	.segment = "wa",
	.finish_path = "/api/wa/embedded-signup-callback",
	.build_subscribe = build_subscribe,
	.build_unsubscribe = build_unsubscribe,
	.build_read_subscription = build_read_subscription,
	.is_subscribed = laras_meta_is_subscribed,
	.build_read_account = build_read_number,
	.read_account = read_number,
	.read_token = laras_meta_read_token,
};
