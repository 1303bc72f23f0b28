/*
 * signin.c
 *		Signing in and out over HTTP: a session is a cookie.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "gateway/gateway.h"
#include "tenancy/tenancy.h"
#include "vault/crypto.h"
#include "vault/vault.h"

/* one text for every way a sign-in can fail */
#define REFUSED "e-mail address or password is wrong"

void
laras_http_login(LarasHttp *h)
{
	json_t *body = h->document;
	LarasText email = laras_json_text_at(body, "email");
	LarasText password = laras_json_text_at(body, "password");
	int wait;
	char *token;
	char *cookie;

	if (body == NULL)
	{
		email = laras_http_parameter(h->body, "email");
		password = laras_http_parameter(h->body, "password");
	}
	if (email.s == NULL || password.s == NULL)
	{
		laras_http_error(h, 422, "missing", "give email and password");
		return;
	}
	/* before the password is looked at, so that who guesses does not learn it from the limit */
	wait = laras_limiter_wait(h);
	if (wait > 0)
	{
		laras_http_error(h, 429, "too_many", "too many log-ins that failed; try again later");
		laras_http_add_header(h, "retry-after", psprintf("%d", wait));
		return;
	}
	laras_vault_require_open();
	token = laras_log_in(email.s, password.s);
	if (token == NULL)
	{
		laras_limiter_charge(h);
		laras_http_error(h, 401, "wrong_credentials", REFUSED);
		return;
	}
	cookie = psprintf("laras_session=%s; Path=/; HttpOnly; Secure; SameSite=Lax", token);
	laras_http_json(h, 200, json_pack("{s:s}", "state", "signed_in"));
	laras_http_add_header(h, "set-cookie", cookie);
	laras_wipe(cookie, strlen(cookie));
	laras_wipe(token, strlen(token));
}

void
laras_http_logout(LarasHttp *h)
{
	if (!laras_log_out())
	{
		laras_http_error(h, 409, "no_session", "this request did not come with a session");
		return;
	}
	laras_http_json(h, 200, json_pack("{s:s}", "state", "signed_out"));
	laras_http_add_header(h, "set-cookie",
						  "laras_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
}
