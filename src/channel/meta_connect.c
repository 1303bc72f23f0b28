/*
 * meta_connect.c
 *		The log-in that Instagram and Threads share.
 *
 *		exchange	code -> token of an hour, who authorised, what was granted
 *		extend		-> token of sixty days
 *		me			the account, its kind and name
 *		subscribe	its events come to this app, where that is asked for each
 *
 * A token that is given begins at `me`. Sources: "Instagram API with Instagram
 * Login: Business Login"; Threads "Get access tokens", "Long-lived tokens".
 */
#include "channel/instagram_mention.h"
#include "channel/meta_connect.h"
#include "channel/record.h"

#include <stdlib.h>
#include <string.h>

enum
{
	STEP_START,
	STEP_EXCHANGE,
	STEP_EXTEND,
	STEP_ME,
	STEP_KNOWN,
	STEP_SUBSCRIBE
};

static LarasLoginNext
ask_exchange(const LarasMetaLogin *channel, LarasLogin *login)
{
	const char *base =
		strcmp(login->base_url, channel->base_url) == 0 ? channel->exchange_url : login->base_url;
	LarasText id = laras_login_encoded(login, laras_text(login->app_id));
	LarasText secret = laras_login_encoded(login, login->secret);
	LarasText code = laras_login_encoded(login, login->code);
	LarasText callback = laras_login_encoded(login, login->callback);

	if (login->callback.s == NULL)
		return laras_login_fail(login, 500, "no_public_url");
	if (id.s != NULL && secret.s != NULL && code.s != NULL && callback.s != NULL)
		login->request.body = laras_text_print(
			login->allocator,
			"client_id=%.*s&client_secret=%.*s&grant_type=authorization_code&redirect_uri=%.*s&code=%.*s",
			(int) id.n, id.s, (int) secret.n, secret.s, (int) callback.n, callback.s, (int) code.n,
			code.s);
	if (login->request.body.s == NULL)
		return laras_login_fail(login, 500, "out_of_memory");
	login->request.type = "application/x-www-form-urlencoded";
	return laras_login_ask(login, STEP_EXCHANGE, "exchange_code", "POST",
						   laras_text_print(login->allocator, "%s/oauth/access_token", base),
						   LARAS_WITH_NOTHING);
}

/* The token goes to the end of the URL, where these two calls want it. */
static LarasLoginNext
ask_extend(const LarasMetaLogin *channel, LarasLogin *login)
{
	LarasText secret = laras_login_encoded(login, login->secret);
	LarasText url = {NULL, 0};

	if (secret.s != NULL)
		url = laras_text_print(
			login->allocator,
			"%s/access_token?grant_type=%s_exchange_token&client_secret=%.*s&access_token=",
			login->base_url, channel->grant, (int) secret.n, secret.s);
	login->request.token_at = url.n;
	return laras_login_ask(login, STEP_EXTEND, "extend_token", "GET", url, LARAS_WITH_TOKEN);
}

static LarasLoginNext
ask_me(const LarasMetaLogin *channel, LarasLogin *login)
{
	return laras_login_ask(login, STEP_ME, "read_account", "GET",
						   laras_text_print(login->allocator, "%s/%s/me?fields=%s", login->base_url,
											login->api_version, channel->fields),
						   LARAS_WITH_TOKEN);
}

static LarasLoginNext
ask_to_subscribe(const LarasMetaLogin *channel, LarasLogin *login)
{
	LarasAccountRequest about = laras_login_about(login);

	if (!channel->driver->build_subscribe(&about, login->allocator, &login->request))
		return laras_login_fail(login, 500, "out_of_memory");
	return laras_login_ask(login, STEP_SUBSCRIBE, "subscribe", login->request.method,
						   login->request.url, LARAS_WITH_TOKEN);
}

/* permissions, a list or words between commas, as words between commas. */
static void
read_granted(LarasLoginMemory *m, const json_t *permissions)
{
	size_t at = 0;
	size_t i;
	json_t *one;

	if (json_is_string(permissions))
	{
		laras_login_keep(m->granted, sizeof(m->granted), laras_json_text(permissions));
		return;
	}
	json_array_foreach(permissions, i, one)
	{
		LarasText word = laras_json_text(one);

		if (!laras_text_word(word) || at + word.n + 2 > sizeof(m->granted))
			continue;
		if (at > 0)
			m->granted[at++] = ',';
		memcpy(m->granted + at, word.s, word.n);
		at += word.n;
		m->granted[at] = '\0';
	}
}

static bool
is_granted(const LarasLoginMemory *m, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = m->granted; p != NULL; p = strchr(p, ','))
	{
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

static LarasLoginNext
take_exchange(const LarasMetaLogin *channel, LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	/* the documents have a list of one, deliveries the object itself */
	const json_t *first = laras_json_first(laras_json_get(login->answer, "data"));
	const json_t *answer = first != NULL ? first : login->answer;
	char buffer[32];

	login->answer = answer;
	if (!login->ok || !laras_login_take_token(login))
		return laras_login_fail(login, 502, "exchange_refused");
	laras_login_keep(m->user, sizeof(m->user),
					 laras_json_id(laras_json_get(answer, "user_id"), buffer, sizeof(buffer)));
	read_granted(m, laras_json_get(answer, "permissions"));
	/* where nothing is said of what was granted, all that was asked for is */
	for (const char *const *word = channel->needed; *word != NULL && m->granted[0] != '\0'; word++)
		if (!is_granted(m, *word))
			return laras_login_fail(login, 422, "permission_missing");
	return ask_extend(channel, login);
}

static LarasLoginNext
take_extended(const LarasMetaLogin *channel, LarasLogin *login)
{
	int64_t lasts = 0;

	if (!login->ok || !laras_login_take_token(login) ||
		!laras_json_integer(laras_json_get(login->answer, "expires_in"), &lasts) || lasts <= 0 ||
		lasts > INT32_MAX)
		return laras_login_fail(login, 502, "exchange_refused");
	login->memory->expires_at = login->now + lasts;
	return ask_me(channel, login);
}

static bool
is_eligible(const LarasMetaLogin *channel, LarasText kind)
{
	for (const char *const *one = channel->eligible; one != NULL && *one != NULL; one++)
		if (laras_text_is(kind, *one))
			return true;
	return channel->eligible == NULL;
}

static LarasLoginNext
take_me(const LarasMetaLogin *channel, LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	const json_t *me = login->answer;
	LarasText named = laras_login_named(login, channel->driver->accounts[0].member);
	LarasText username = laras_json_text_at(me, "username");
	char own_buffer[32];
	char buffer[32];
	LarasText own = laras_json_id(laras_json_get(me, "id"), own_buffer, sizeof(own_buffer));
	LarasText account = laras_json_id(laras_json_get(me, channel->account), buffer, sizeof(buffer));
	json_t *profile;
	char *text;
	size_t n = 0;

	if (!login->ok || !laras_text_plain(account) ||
		(named.s != NULL && !laras_text_same(named, account)))
		return laras_login_fail(login, 422, "token_not_for_account");
	if (!is_eligible(channel, laras_json_text_at(me, "account_type")))
		return laras_login_fail(login, 422, "account_not_eligible");
	/* the app-scoped id: that of the exchange, and of the account itself */
	if (m->user[0] == '\0')
		laras_login_keep(m->user, sizeof(m->user), own);
	profile = laras_json_without(me, channel->account);
	json_object_del(profile, "id");
	text = profile == NULL ? NULL : laras_json_dump(profile, &n);
	laras_login_keep(m->profile, sizeof(m->profile), (LarasText){text, n});
	free(text);
	json_decref(profile);
	if (laras_text_given(username))
		laras_login_keep(m->display, sizeof(m->display),
						 laras_text_print(login->allocator, "@%.*s", (int) username.n, username.s));
	if (!laras_login_keep(m->account, sizeof(m->account), account))
		return laras_login_fail(login, 422, "token_not_for_account");
	m->step = STEP_KNOWN;
	return LARAS_LOGIN_KNOWN;
}

static LarasLoginNext
finish(const LarasMetaLogin *channel, LarasLogin *login)
{
	login->scopes = channel->driver->scopes;
	login->accounts =
		json_pack("{s:s}", channel->driver->accounts[0].member, login->memory->account);
	return LARAS_LOGIN_DONE;
}

LarasLoginNext
laras_meta_login(const LarasMetaLogin *channel, LarasLogin *login)
{
	switch (login->memory->step)
	{
		case STEP_START:
			return login->code.s != NULL ? ask_exchange(channel, login) : ask_me(channel, login);
		case STEP_EXCHANGE:
			return take_exchange(channel, login);
		case STEP_EXTEND:
			return take_extended(channel, login);
		case STEP_ME:
			return take_me(channel, login);
		case STEP_KNOWN:
			return channel->driver->build_subscribe != NULL ? ask_to_subscribe(channel, login)
															: finish(channel, login);
		case STEP_SUBSCRIBE:
			if (!login->ok || !laras_json_true(laras_json_get(login->answer, "success")))
				return laras_login_fail(login, 502, "subscribe_refused");
			login->memory->subscribed = true;
			return finish(channel, login);
	}
	return laras_login_fail(login, 500, "unknown_step");
}

LarasLoginNext
laras_meta_refresh(const LarasMetaLogin *channel, LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	LarasText url;
	int64_t lasts = 0;

	if (m->step == STEP_START)
	{
		url = laras_text_print(login->allocator,
							   "%s/refresh_access_token?grant_type=%s_refresh_token&access_token=",
							   login->base_url, channel->grant);
		login->request.token_at = url.n;
		return laras_login_ask(login, STEP_EXTEND, "refresh", "GET", url, LARAS_WITH_TOKEN);
	}
	if (!login->ok || !laras_login_take_token(login) ||
		!laras_json_integer(laras_json_get(login->answer, "expires_in"), &lasts) || lasts <= 0 ||
		lasts > INT32_MAX)
		return laras_login_fail(login, 502, "not_refreshed");
	m->expires_at = login->now + lasts;
	return LARAS_LOGIN_DONE;
}

bool
laras_meta_is_subscribed(const json_t *answer, LarasText app_id)
{
	size_t i;
	json_t *one;

	json_array_foreach(laras_json_get(answer, "data"), i, one)
	{
		/* of WhatsApp the app stands one deeper */
		const json_t *app = laras_json_get(one, "whatsapp_business_api_data");
		char buffer[32];

		if (laras_text_same(laras_json_id(laras_json_get(app != NULL ? app : one, "id"), buffer,
										  sizeof(buffer)),
							app_id))
			return true;
	}
	return false;
}

LarasTokenState
laras_meta_read_token(int code, int subcode)
{
	if (code == 190 && subcode == 458)
		return LARAS_TOKEN_WITHDRAWN;
	return code == 190 || code == 102 ? LARAS_TOKEN_DEAD : LARAS_TOKEN_FINE;
}

bool
laras_meta_build_read_post(const char *member, const LarasAccountRequest *about, LarasText post,
						   const LarasAllocator *allocator, LarasProviderRequest *request)
{
	LarasText id = laras_text_encoded(allocator, post);

	request->method = "GET";
	if (id.s != NULL)
		request->url = laras_text_print(allocator, "%s/%s/%.*s?fields=id,%s", about->base_url,
										about->api_version, (int) id.n, id.s, member);
	return request->url.s != NULL;
}

/* Of what others posted the owner is not told. */
LarasPostOwner
laras_meta_read_post(const char *member, const json_t *answer, LarasText account)
{
	char buffer[32];
	LarasText owner =
		laras_json_id(laras_json_get(laras_json_get(answer, member), "id"), buffer, sizeof(buffer));

	return laras_text_same(owner, account) ? LARAS_POST_OWN : LARAS_POST_FOREIGN;
}

static bool
build_read_media(const LarasAccountRequest *about, LarasText post, const LarasAllocator *allocator,
				 LarasProviderRequest *request)
{
	return laras_meta_build_read_post("owner", about, post, allocator, request);
}

static LarasPostOwner
read_media(const json_t *answer, LarasText account)
{
	return laras_meta_read_post("owner", answer, account);
}

/* ---------------------------------------------------------------- Instagram */

static const char *const instagram_scopes[] = {"instagram_business_basic",
											   "instagram_business_manage_messages",
											   "instagram_business_manage_comments", NULL};

static const char *const instagram_needed[] = {"instagram_business_basic",
											   "instagram_business_manage_messages", NULL};

static const char *const instagram_kinds[] = {"BUSINESS", "MEDIA_CREATOR", "CREATOR", NULL};

static bool
build(const char *method, const char *fields, const LarasAccountRequest *about,
	  const LarasAllocator *allocator, LarasProviderRequest *request)
{
	request->method = method;
	request->url = laras_text_print(allocator, "%s/%s/me/subscribed_apps%s", about->base_url,
									about->api_version, fields);
	return request->url.s != NULL;
}

static bool
subscribe_instagram(const LarasAccountRequest *about, const LarasAllocator *allocator,
					LarasProviderRequest *request)
{
	request->body = (LarasText){"{}", 2};
	return build("POST",
				 "?subscribed_fields=messages,message_edit,message_reactions,messaging_postbacks,"
				 "messaging_referral,messaging_seen,comments,live_comments,mentions",
				 about, allocator, request);
}

static bool
unsubscribe_instagram(const LarasAccountRequest *about, const LarasAllocator *allocator,
					  LarasProviderRequest *request)
{
	return build("DELETE", "", about, allocator, request);
}

static bool
read_instagram_subscription(const LarasAccountRequest *about, const LarasAllocator *allocator,
							LarasProviderRequest *request)
{
	return build("GET", "", about, allocator, request);
}

/* There is no call that ends a token: it is forgotten, and no events come. */
static bool
undo_instagram(LarasLogin *login)
{
	LarasAccountRequest about = laras_login_about(login);

	return login->memory->subscribed && !laras_login_in_use(login) &&
		   unsubscribe_instagram(&about, login->allocator, &login->request);
}

static const LarasMetaLogin instagram = {
	.driver = &laras_instagram_connect,
	.base_url = "https://graph.instagram.com",
	.exchange_url = "https://api.instagram.com",
	.grant = "ig",
	.fields = "id,user_id,username,name,account_type,profile_picture_url",
	.account = "user_id",
	.eligible = instagram_kinds,
	.needed = instagram_needed,
};

static LarasLoginNext
login_instagram(LarasLogin *login)
{
	return laras_meta_login(&instagram, login);
}

static LarasLoginNext
refresh_instagram(LarasLogin *login)
{
	return laras_meta_refresh(&instagram, login);
}

const struct LarasConnectDriver laras_instagram_connect = {
	.accounts = {{"ig_id", LARAS_ACCOUNT_NUMBER}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.example = "{\"ig_id\": \"...\"}",
	.login = login_instagram,
	.undo = undo_instagram,
	.refresh = refresh_instagram,
	.by_code = "business_login",
	.scopes = instagram_scopes,
	.segment = "ig",
	.finish_path = "/api/ig/callback",
	.dialog_url = "https://www.instagram.com",
	.dialog_path = "/oauth/authorize",
	.build_subscribe = subscribe_instagram,
	.build_unsubscribe = unsubscribe_instagram,
	.build_read_subscription = read_instagram_subscription,
	.is_subscribed = laras_meta_is_subscribed,
	.read_token = laras_meta_read_token,
	.build_read_post = build_read_media,
	.read_post = read_media,
	.build_read_mention = laras_instagram_build_read_mention,
	.read_mention = laras_instagram_read_mention,
	.refused_mention = laras_instagram_refused_mention,
};

/* ------------------------------------------------------------------ Threads */

static const char *const threads_scopes[] = {"threads_basic", "threads_read_replies",
											 "threads_manage_replies", "threads_manage_mentions",
											 NULL};

static const char *const threads_needed[] = {"threads_basic", NULL};

/* Events are subscribed to once, in the app's dashboard; there is no call that ends them for one account. */
static const LarasMetaLogin threads = {
	.driver = &laras_threads_connect,
	.base_url = "https://graph.threads.net",
	.exchange_url = "https://graph.threads.net",
	.grant = "th",
	.fields = "id,username,name,threads_profile_picture_url",
	.account = "id",
	.needed = threads_needed,
};

static LarasLoginNext
login_threads(LarasLogin *login)
{
	return laras_meta_login(&threads, login);
}

static LarasLoginNext
refresh_threads(LarasLogin *login)
{
	return laras_meta_refresh(&threads, login);
}

const struct LarasConnectDriver laras_threads_connect = {
	.accounts = {{"threads_user_id", LARAS_ACCOUNT_NUMBER}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.example = "{\"threads_user_id\": \"...\"}",
	.login = login_threads,
	.refresh = refresh_threads,
	.by_code = "threads_login",
	.scopes = threads_scopes,
	.segment = "threads",
	.finish_path = "/api/threads/callback",
	.dialog_url = "https://threads.net",
	.dialog_path = "/oauth/authorize",
	.read_token = laras_meta_read_token,
	.build_read_post = build_read_media,
	.read_post = read_media,
};
