/*
 * email_connect.c
 *		Email: connecting an address by the credentials of its mail server.
 *
 *		try			the server takes user and password
 *
 * The operator's app lists the servers that may be used (option "smtp"), so that
 * nobody has the courier knock at doors of their choosing. What comes in needs
 * no consent of a provider: whoever connected is given a secret, and has their
 * mail server's pipe sign with it.
 */
#include "channel/email.h"

#include <stdlib.h>
#include <string.h>

enum
{
	STEP_START,
	STEP_TRY,
	STEP_KNOWN
};

/* The server that was named, where it is one of the app's; the only one where none was named. */
static LarasText
server_of(const LarasLogin *login)
{
	const json_t *servers = laras_json_get(login->options, "smtp");
	LarasText named = laras_login_named(login, "server");
	LarasText none = {NULL, 0};
	json_t *server;
	size_t i;

	if (named.s == NULL)
		return json_array_size(servers) == 1 ? laras_json_text(json_array_get(servers, 0)) : none;
	json_array_foreach((json_t *) servers, i, server)
	{
		LarasText one = laras_json_text(server);

		if (one.s != NULL && one.n == named.n && memcmp(one.s, named.s, one.n) == 0)
			return one;
	}
	return none;
}

/* Short, on one line: what may stand in a command of SMTP. */
static bool
is_plain(LarasText t)
{
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] < ' ' || t.s[i] == 0x7F)
			return false;
	return t.n > 0 && t.n < sizeof(((LarasEnvelope *) NULL)->user);
}

static LarasLoginNext
ask_server(LarasLogin *login, LarasText server, LarasText user)
{
	LarasEnvelope *envelope = laras_allocate(login->allocator, sizeof(LarasEnvelope));

	if (envelope == NULL)
		return laras_login_fail(login, 500, "out_of_memory");
	memcpy(envelope->user, user.s, user.n);
	login->request.envelope = envelope;
	return laras_login_ask(login, STEP_TRY, "read_account", "AUTH",
						   laras_text_print(login->allocator, "%.*s", (int) server.n, server.s),
						   LARAS_WITH_TOKEN);
}

/* User and password were taken: what is kept of the account. */
static bool
keep(LarasLogin *login, LarasText address, LarasText server, LarasText user)
{
	LarasLoginMemory *m = login->memory;
	json_t *profile =
		json_pack("{s:s%, s:s%}", "server", server.s, server.n, "user", user.s, user.n);
	size_t n = 0;
	char *text = profile == NULL ? NULL : laras_json_dump(profile, &n);

	laras_login_keep(m->profile, sizeof(m->profile), (LarasText){text, n});
	free(text);
	json_decref(profile);
	return laras_login_keep(m->display, sizeof(m->display), address) &&
		   laras_login_keep(m->account, sizeof(m->account), address);
}

static LarasLoginNext
login_step(LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	LarasText address =
		laras_mail_address(login->allocator, laras_login_named(login, "address"), true);
	LarasText server = server_of(login);
	LarasText user = laras_login_named(login, "user");
	LarasText name = laras_login_named(login, "name");

	if (user.s == NULL)
		user = address;
	if (address.s == NULL || address.n >= sizeof(m->account))
		return laras_login_fail(login, 422, "bad_address");
	if (server.s == NULL)
		return laras_login_fail(login, 422, "unknown_server");
	if (!is_plain(user) || (name.s != NULL && name.n > 0 && !is_plain(name)))
		return laras_login_fail(login, 422, "bad_address");
	switch (m->step)
	{
		case STEP_START:
			return login->code.s != NULL ? laras_login_fail(login, 422, "bad_token")
										 : ask_server(login, server, user);
		case STEP_TRY:
			if (login->status == 530 || login->status == 534 || login->status == 535 ||
				login->status == 538)
				return laras_login_fail(login, 422, "credentials_refused");
			if (login->status < 200 || login->status > 299)
				return laras_login_fail(login, 502, "server_unreachable");
			if (!keep(login, address, server, user))
				return laras_login_fail(login, 422, "bad_address");
			m->step = STEP_KNOWN;
			return LARAS_LOGIN_KNOWN;
		case STEP_KNOWN:
			login->accounts = json_pack("{s:s, s:s%, s:s%}", "address", m->account, "server",
										server.s, server.n, "user", user.s, user.n);
			if (name.s != NULL && name.n > 0)
				json_object_set_new(login->accounts, "name", json_stringn(name.s, name.n));
			return LARAS_LOGIN_DONE;
	}
	return laras_login_fail(login, 500, "unknown_step");
}

static const char *const asked[] = {"server", "user", "name", NULL};

const struct LarasConnectDriver laras_email_connect = {
	.accounts = {{"address", LARAS_ACCOUNT_NUMBER, .address = true}},
	.subscribed = LARAS_ACCOUNT_NUMBER,
	.asked = asked,
	.example =
		"{\"address\": \"...\", \"server\": \"...\"}, and user or name where they differ; the token is the password",
	.login = login_step,
	.segment = "email",
};
