/*
 * messages.c
 *		One message over HTTP: how far it is, and what a person decides of one that
 *		has not left, or of which nobody knows whether it did.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"

LARAS_PLAN(
	read_message,
	"SELECT m.id, m.channel, m.direction, m.kind, m.status, m.error_code, "
	"CASE WHEN o.state OPERATOR(pg_catalog.<>) 'sent' OR m.status OPERATOR(pg_catalog.=) 'failed' THEN o.reason END AS reason, "
	"m.created_at FROM laras.message m LEFT JOIN laras.outbox o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND o.message_id OPERATOR(pg_catalog.=) m.id "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(withdraw, "SELECT laras.cancel_message($1) AS cancelled", INT8OID);

LARAS_PLAN(settle, "SELECT laras.settle_message($1, $2) AS settled", INT8OID, TEXTOID);

void
laras_http_message(LarasHttp *h)
{
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	laras_http_found(h,
					 laras_http_id(h->capture[0], &id)
						 ? laras_spi_read(&read_message,
										  (Datum[]){Int64GetDatum(laras_bound_workspace()),
													Int64GetDatum(id)},
										  NULL)
						 : 0,
					 "no such message");
	laras_spi_close();
}

/* An act on the path's message, by a plan that takes its id and perhaps a word. */
static void
act(LarasHttp *h, LarasPlan *plan, Datum word)
{
	int64 id;

	laras_spi_open();
	laras_http_found(h,
					 laras_http_id(h->capture[0], &id)
						 ? laras_spi_run(plan, (Datum[]){Int64GetDatum(id), word}, NULL)
						 : 0,
					 "no such message");
	laras_spi_close();
}

void
laras_http_cancel_message(LarasHttp *h)
{
	laras_require_scope(LARAS_SCOPE_INBOX);
	act(h, &withdraw, (Datum) 0);
}

void
laras_http_settle_message(LarasHttp *h)
{
	LarasText outcome = laras_json_text_at(h->document, "outcome");

	laras_require_scope(LARAS_SCOPE_INBOX);
	if (outcome.s == NULL)
		laras_http_error(h, 422, "incomplete", "the outcome is needed: sent, not_sent or resend");
	else
		act(h, &settle, laras_text_datum(outcome.s, outcome.n));
}
