/*
 * pages.c
 *		What anybody may ask: the verification handshake, the deletion pages,
 *		health and metrics.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "erasure/erasure.h"
#include "gateway/gateway.h"
#include "lib/stringinfo.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/installation.h"

LARAS_PLAN(find_verify_token,
		   "SELECT 1 FROM laras.provider_app a WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) "
		   "AND a.verify_token_hash OPERATOR(pg_catalog.=) $2",
		   TEXTOID, BYTEAOID);

LARAS_PLAN(read_ignored,
		   "SELECT e.channel, e.reason, pg_catalog.sum(e.count)::bigint FROM laras.ignored_event e "
		   "GROUP BY 1, 2 ORDER BY 1, 2",
		   INT4OID);

void
laras_http_handshake(LarasHttp *h)
{
	LarasText account;
	const LarasChannelDriver *driver =
		laras_channel_by_path(h->capture[0].s, h->capture[0].n, &account);
	LarasText mode = laras_http_parameter(h->query, "hub.mode");
	LarasText token = laras_http_parameter(h->query, "hub.verify_token");
	LarasText challenge = laras_http_parameter(h->query, "hub.challenge");
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);
	LarasPiece piece = {token.s ? token.s : "", token.n};
	bool known;

	if (driver == NULL)
	{
		laras_http_error(h, 404, "not_found", "there is nothing at this path");
		return;
	}
	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a token")));
	laras_spi_open();
	known = laras_spi_read(&find_verify_token,
						   (Datum[]){CStringGetTextDatum(driver->channel), PointerGetDatum(hash)},
						   NULL) > 0;
	laras_spi_close();
	if (!known || !laras_text_is(mode, "subscribe") || challenge.s == NULL || challenge.n > 256)
	{
		laras_http_error(h, 403, "refused", "the verification token is not the registered one");
		return;
	}
	/* exactly as received: the challenge is opaque text */
	laras_http_text(h, 200, "text/plain; charset=utf-8", challenge.s);
}

static void
begin_page(StringInfo page, const char *title)
{
	initStringInfo(page);
	appendStringInfo(
		page,
		"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		"content=\"width=device-width\"><title>%s</title><style>body{font:16px/1.5 system-ui;max-width:40rem;"
		"margin:2rem auto;padding:0 1rem}dt{font-weight:600}</style></head><body><h1>%s</h1>",
		title, title);
}

static void
end_page(LarasHttp *h, int status, StringInfo page)
{
	appendStringInfoString(page, "</body></html>");
	laras_http_text(h, status, "text/html; charset=utf-8", page->data);
}

static void
put_paragraph(StringInfo page, const char *text)
{
	appendStringInfoString(page, "<p>");
	for (const char *p = text; *p != '\0'; p++)
		switch (*p)
		{
			case '&':
				appendStringInfoString(page, "&amp;");
				break;
			case '<':
				appendStringInfoString(page, "&lt;");
				break;
			default:
				appendStringInfoChar(page, p == text ? pg_toupper((unsigned char) *p) : *p);
		}
	appendStringInfoString(page, "</p>");
}

void
laras_http_notice(LarasHttp *h, int status, const char *heading, const char *text, const char *more)
{
	StringInfoData page;

	begin_page(&page, heading);
	put_paragraph(&page, text);
	if (more != NULL)
		put_paragraph(&page, more);
	put_paragraph(&page, "You may close this window.");
	end_page(h, status, &page);
}

void
laras_http_deletion_page(LarasHttp *h)
{
	StringInfoData page;

	if (!laras_http_wants_html(h))
	{
		laras_http_json(h, 200,
						json_pack("{s:[s, s, s], s:s, s:s}", "options",
								  "disconnect a channel under Settings, Integrations",
								  "remove the app in the settings of your Meta account",
								  "ask the business you wrote to: it decides about your messages",
								  "status", "/data-deletion/status/{code}", "policy_version",
								  "laras-1"));
		return;
	}
	begin_page(&page, "Data deletion");
	appendStringInfoString(
		&page,
		"<ul><li>Workspace owners disconnect a channel under Settings, Integrations: its token and account "
		"references are removed in the same request.</li>"
		"<li>Removing the app in the settings of your Meta account has the same result; Meta shows you a "
		"confirmation code.</li>"
		"<li>If you wrote to a business, ask that business: it decides about your messages and can erase "
		"them here.</li></ul>"
		"<p>With a confirmation code, see its status at /data-deletion/status/<em>code</em>.</p>"
		"<p>Policy laras-1.</p>");
	end_page(h, 200, &page);
}

static void
row(StringInfo page, const char *name, const json_t *value)
{
	if (json_is_string(value))
		appendStringInfo(page, "<dt>%s</dt><dd>%s</dd>", name, json_string_value(value));
	else if (json_is_integer(value))
		appendStringInfo(page, "<dt>%s</dt><dd>%lld</dd>", name,
						 (long long) json_integer_value(value));
}

void
laras_http_deletion_status(LarasHttp *h)
{
	int wait = laras_limiter_wait(h);
	json_t *status;
	StringInfoData page;
	json_t *kept;
	size_t i;

	/* before the code is looked up, so that who guesses does not learn it from the limit */
	if (wait > 0)
	{
		laras_http_error(h, 429, "too_many", "too many codes that do not exist; try again later");
		laras_http_add_header(h, "retry-after", psprintf("%d", wait));
		return;
	}
	status = laras_json_own(laras_erasure_status_json(h->capture[0].s, h->capture[0].n));
	if (status == NULL)
	{
		laras_limiter_charge(h);
		laras_http_error(h, 404, "not_found", "no such code");
		return;
	}
	if (!laras_http_wants_html(h))
	{
		laras_http_json(h, 200, json_incref(status));
		return;
	}
	/* every value is a word, a time or a number of our own: nothing to escape */
	begin_page(&page, "Data deletion");
	appendStringInfo(&page, "<p>%s</p><dl>", json_string_value(laras_json_get(status, "summary")));
	row(&page, "State", laras_json_get(status, "state"));
	row(&page, "Received", laras_json_get(status, "received_at"));
	row(&page, "Unreadable since", laras_json_get(status, "unreadable_at"));
	row(&page, "Removed", laras_json_get(status, "removed_at"));
	row(&page, "Raw events until", laras_json_get(status, "raw_events_until"));
	row(&page, "Connections cut", laras_json_get(status, "connections_cut"));
	row(&page, "Keys destroyed", laras_json_get(status, "keys_destroyed"));
	appendStringInfoString(&page, "</dl><h2>What stays</h2><ul>");
	json_array_foreach(laras_json_get(status, "retained"), i, kept)
		appendStringInfo(&page, "<li>%s (basis: %s)</li>",
						 json_string_value(laras_json_get(kept, "what")),
						 json_string_value(laras_json_get(kept, "basis")));
	appendStringInfoString(&page, "</ul>");
	end_page(h, 200, &page);
}

void
laras_http_health(LarasHttp *h)
{
	bool open = laras_vault_is_open();
	bool resumed = !laras_resume_needed();

	laras_http_json(h, open && resumed ? 200 : 503,
					json_pack("{s:s, s:s, s:s}", "state", open && resumed ? "ok" : "shut", "vault",
							  open ? "open" : "closed", "database",
							  resumed ? "own" : "to be resumed"));
}

void
laras_http_metrics(LarasHttp *h)
{
	StringInfoData text;
	uint64 found;

	initStringInfo(&text);
	appendStringInfo(&text, "# TYPE laras_vault_open gauge\nlaras_vault_open %d\n",
					 laras_vault_is_open() ? 1 : 0);
	appendStringInfo(&text,
					 "# TYPE laras_refused_tokens_total counter\nlaras_refused_tokens_total %llu\n",
					 (unsigned long long) laras_refused_tokens());
	appendStringInfo(&text,
					 "# TYPE laras_failed_logins_total counter\nlaras_failed_logins_total %llu\n",
					 (unsigned long long) laras_failed_logins());
	appendStringInfoString(&text, "# TYPE laras_ignored_events_total counter\n");
	laras_spi_open();
	found = laras_spi_read(&read_ignored, (Datum[]){Int32GetDatum(0)}, NULL);
	for (uint64 i = 0; i < found; i++)
		appendStringInfo(&text, "laras_ignored_events_total{channel=\"%s\",reason=\"%s\"} %lld\n",
						 laras_spi_cstring(i, 1), laras_spi_cstring(i, 2),
						 (long long) laras_spi_int8(i, 3));
	laras_spi_close();
	laras_http_text(h, 200, "text/plain; version=0.0.4; charset=utf-8", text.data);
}
