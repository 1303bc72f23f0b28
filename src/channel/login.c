/*
 * login.c
 *		What drivers share in connecting an account.
 */
#include "channel/connect.h"

#include <string.h>

LarasLoginNext
laras_login_fail(LarasLogin *login, int status, const char *failure)
{
	login->failure = failure;
	login->failure_status = status;
	return LARAS_LOGIN_FAIL;
}

bool
laras_login_in_use(const LarasLogin *login)
{
	return login->failure != NULL &&
		   strncmp(login->failure, LARAS_LOGIN_IN_USE, strlen(LARAS_LOGIN_IN_USE)) == 0;
}

LarasLoginNext
laras_login_ask(LarasLogin *login, int step, const char *purpose, const char *method, LarasText url,
				LarasLoginWith with)
{
	if (url.s == NULL)
		return laras_login_fail(login, 500, "out_of_memory");
	login->memory->step = step;
	login->purpose = purpose;
	login->request.method = method;
	login->request.url = url;
	login->with = with;
	return LARAS_LOGIN_ASK;
}

bool
laras_login_keep(char *to, size_t room, LarasText t)
{
	to[0] = '\0';
	if (t.s == NULL || t.n >= room || memchr(t.s, '\0', t.n) != NULL)
		return false;
	memcpy(to, t.s, t.n);
	to[t.n] = '\0';
	return true;
}

bool
laras_login_take_token(LarasLogin *login)
{
	LarasText token = laras_json_text_at(login->answer, "access_token");

	if (token.s == NULL || token.n == 0 || token.n > sizeof(login->memory->token))
		return false;
	memcpy(login->memory->token, token.s, token.n);
	login->memory->token_n = token.n;
	login->memory->exchanged = true;
	return true;
}

LarasText
laras_login_encoded(const LarasLogin *login, LarasText t)
{
	return laras_text_encoded(login->allocator, t);
}

LarasAccountRequest
laras_login_about(const LarasLogin *login)
{
	return (LarasAccountRequest){.base_url = login->base_url,
								 .api_version = login->api_version,
								 .account = laras_text(login->memory->account)};
}

LarasText
laras_login_named(const LarasLogin *login, const char *member)
{
	return laras_json_text_at(login->named, member);
}

LarasText
laras_text_encoded(const LarasAllocator *allocator, LarasText t)
{
	static const char hex[] = "0123456789ABCDEF";
	LarasText encoded = {NULL, 0};
	char *out = t.s == NULL ? NULL : laras_allocate(allocator, 3 * t.n + 1);

	if (out == NULL)
		return encoded;
	encoded.s = out;
	for (size_t i = 0; i < t.n; i++)
	{
		unsigned char c = (unsigned char) t.s[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			*out++ = (char) c;
		else
		{
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	encoded.n = (size_t) (out - encoded.s);
	return encoded;
}
