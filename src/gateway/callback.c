/*
 * callback.c
 *		Deauthorize and data-deletion callbacks: Meta's signed_request.
 *
 * signed_request = base64url(mac) "." base64url(payload); the MAC is
 * HMAC-SHA-256 over the payload text as sent, under the secret of the app whose
 * path was called. Nothing of the payload is believed before that holds, and a
 * request that fails changes nothing. Source: "Data Deletion Request
 * Callback" (App Dashboard docs).
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "erasure/erasure.h"
#include "gateway/gateway.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"

/* a request is answered within a day of its making, or not at all */
#define OLDEST_SECONDS (24 * 60 * 60)
#define FUTURE_SECONDS (5 * 60)

#define LONGEST_REQUEST 8192

LARAS_PLAN(read_secrets,
		   "SELECT a.id, a.app_secret, a.previous_secret FROM laras.provider_app a "
		   "WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) ORDER BY a.id",
		   TEXTOID);

/* Decode base64url, padded or not. Returns the length, or -1. */
static int
decode(const char *s, size_t n, uint8 *out, size_t room)
{
	uint32 bits = 0;
	int have = 0;
	size_t at = 0;

	while (n > 0 && s[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
	{
		char c = s[i];
		int v;

		if (c >= 'A' && c <= 'Z')
			v = c - 'A';
		else if (c >= 'a' && c <= 'z')
			v = c - 'a' + 26;
		else if (c >= '0' && c <= '9')
			v = c - '0' + 52;
		else if (c == '-')
			v = 62;
		else if (c == '_')
			v = 63;
		else
			return -1;
		bits = bits << 6 | (uint32) v;
		have += 6;
		if (have >= 8)
		{
			have -= 8;
			if (at == room)
				return -1;
			out[at++] = (uint8) (bits >> have);
		}
	}
	return (int) at;
}

/* Which of its callbacks a request came to. */
static bool
has_path(const LarasChannelDriver *driver, const LarasHttp *h, bool deletion)
{
	const char *path = deletion ? driver->deletion_path : driver->deauthorize_path;

	return path != NULL && laras_text_is(h->path, path);
}

/* The app of a channel whose secret signs the payload text; 0: none. Every secret is tried. */
static int64
signer(const char *channel, const uint8 mac[32], const char *payload, size_t n)
{
	static const uint16 fields[] = {LARAS_FIELD_provider_app_app_secret,
									LARAS_FIELD_provider_app_previous_secret};
	int64 app = 0;
	uint64 found;

	laras_spi_open();
	found = laras_spi_read(&read_secrets, (Datum[]){CStringGetTextDatum(channel)}, NULL);
	for (uint64 i = 0; i < found; i++)
		for (int k = 0; k < 2; k++)
		{
			bytea *sealed = laras_spi_bytes(i, 2 + k);
			int64 id = laras_spi_int8(i, 1);
			LarasPiece piece = {payload, n};
			uint8 computed[LARAS_HASH_LEN];
			char *secret;
			size_t length;

			if (sealed == NULL ||
				laras_open(sealed, 0, id, fields[k], &secret, &length) != LARAS_OPENED)
				continue;
			if (laras_hmac(secret, length, &piece, 1, computed) &&
				laras_same_bytes(mac, computed, sizeof(computed)) && app == 0)
				app = id;
			laras_wipe(secret, length);
			laras_wipe(computed, sizeof(computed));
		}
	laras_spi_close();
	return app;
}

/*
 * Verify the form's signed_request. On failure h is answered and false is
 * returned. *stale: everything holds but its time, which is no matter for a
 * request that was answered before.
 */
static bool
verified(LarasHttp *h, bool deletion, const char **channel, int64 *app, LarasText *user,
		 LarasText *request, bool *stale)
{
	LarasText form = laras_http_parameter(h->body, "signed_request");
	const char *dot;
	uint8 mac[33];
	uint8 *payload;
	int n;
	json_t *document;
	int64_t issued = 0;
	int64_t expires = 0;
	int64_t now = (int64_t) timestamptz_to_time_t(laras_now());
	char *buffer = palloc(24);

	*stale = false;
	dot = form.s == NULL ? NULL : memchr(form.s, '.', form.n);
	if (dot == NULL || form.n > LONGEST_REQUEST ||
		decode(form.s, dot - form.s, mac, sizeof(mac)) != 32)
	{
		laras_http_error(h, 400, "bad_request",
						 form.s == NULL ? "a form field signed_request is needed"
										: "signed_request is not a signature, a dot and a payload");
		return false;
	}
	laras_vault_require_open();
	*app = 0;
	for (size_t i = 0; laras_channel_nth(i) != NULL && *app == 0; i++)
		if (has_path(laras_channel_nth(i), h, deletion))
		{
			*channel = laras_channel_nth(i)->channel;
			*app = signer(*channel, mac, dot + 1, form.n - (dot + 1 - form.s));
		}
	if (*app == 0)
	{
		laras_http_error(h, 403, "bad_signature", "the signature does not hold");
		return false;
	}
	payload = palloc(form.n);
	n = decode(dot + 1, form.n - (dot + 1 - form.s), payload, form.n);
	document = n < 0 ? NULL : laras_json_own(laras_json_parse((char *) payload, n, NULL));
	*user = laras_json_id(laras_json_get(document, "user_id"), buffer, 24);
	if (!laras_text_is(laras_json_text_at(document, "algorithm"), "HMAC-SHA256") ||
		user->s == NULL || user->n == 0 || user->n > 64 ||
		!laras_json_integer(laras_json_get(document, "issued_at"), &issued))
	{
		laras_http_error(h, 400, "bad_payload", "the payload is not one this path takes");
		return false;
	}
	if (laras_json_get(document, "expires") != NULL &&
		!laras_json_integer(laras_json_get(document, "expires"), &expires))
	{
		laras_http_error(h, 400, "bad_payload", "the payload is not one this path takes");
		return false;
	}
	*stale = issued < now - OLDEST_SECONDS || issued > now + FUTURE_SECONDS ||
			 (expires > 0 && expires < now);
	*request = form;
	return true;
}

static void
refuse_stale(LarasHttp *h)
{
	laras_http_error(h, 400, "stale", "the request is too old, expired, or from the future");
}

/*
 * Each path verifies with the secrets of its own channels and reaches the
 * connections of that channel.
 */
void
laras_http_deauthorize(LarasHttp *h)
{
	int64 app;
	const char *channel;
	LarasText user;
	LarasText request;
	bool stale;
	char code[LARAS_CODE_LENGTH + 1];

	if (!verified(h, false, &channel, &app, &user, &request, &stale))
		return;
	if (stale && !laras_erasure_answered(channel, false, request))
	{
		refuse_stale(h);
		return;
	}
	laras_erasure_from_callback(channel, app, user, request, false, code);
	laras_http_json(h, 200, json_pack("{s:b}", "success", 1));
}

void
laras_http_confirmation(LarasHttp *h, const char *code)
{
	const char *base = GetConfigOption("laras.public_url", true, false);

	laras_http_json(h, 200,
					json_pack("{s:o, s:s}", "url",
							  json_sprintf("%s/data-deletion/status/%s", base ? base : "", code),
							  "confirmation_code", code));
}

void
laras_http_data_deletion(LarasHttp *h)
{
	int64 app;
	const char *channel;
	LarasText user;
	LarasText request;
	bool stale;
	char code[LARAS_CODE_LENGTH + 1];

	if (!verified(h, true, &channel, &app, &user, &request, &stale))
		return;
	if (stale && !laras_erasure_answered(channel, true, request))
	{
		refuse_stale(h);
		return;
	}
	laras_erasure_from_callback(channel, app, user, request, true, code);
	laras_http_confirmation(h, code);
}
