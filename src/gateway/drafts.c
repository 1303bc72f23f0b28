/*
 * drafts.c
 *		Drafts over HTTP: what waits for a person, what it rests on, what the
 *		person decides.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"

/* the longest waiting first */
LARAS_PLAN(
	read_queue,
	"SELECT q.id, q.created_at, q.conversation_id, q.contact_id, q.channel, q.question, "
	"q.body, q.intent, q.confidence, q.hold_reasons, q.words_en, q.words_id, q.sources_changed, "
	"q.last_inbound_at, "
	"q.purpose, q.template_id, q.window_closes_at, q.needs_template "
	"FROM laras.approval_queue q "
	"WHERE ROW(q.created_at, q.id) OPERATOR(pg_catalog.>) ROW($1, $2) "
	"ORDER BY q.created_at, q.id LIMIT $3",
	TIMESTAMPTZOID, INT8OID, INT4OID);

LARAS_PLAN(
	read_draft,
	"SELECT d.id, d.conversation_id, d.contact_id, d.inbound_message_id, d.message_id, "
	"d.state, d.body, d.intent, d.confidence, d.verdict, d.verdict_reasons, d.hold_reasons, "
	"d.words_en, d.words_id, d.sources, d.sources_changed, d.drafter, d.created_at, d.decided_at, d.decided_by, "
	"d.purpose, d.template_id FROM laras.drafts d WHERE d.id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(approve, "SELECT laras.approve_draft($1, $2) AS message_id", INT8OID, TEXTOID);

LARAS_PLAN(reject, "SELECT 'rejected' AS state, NOT laras.reject_draft($1, $2) AS already", INT8OID,
		   TEXTOID);

void
laras_http_drafts(LarasHttp *h)
{
	laras_http_list(h, &read_queue, LARAS_SCOPE_INBOX, false, "drafts");
}

void
laras_http_draft(LarasHttp *h)
{
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	laras_http_found(h,
					 laras_http_id(h->capture[0], &id)
						 ? laras_spi_read(&read_draft, (Datum[]){Int64GetDatum(id)}, NULL)
						 : 0,
					 "no such draft");
	laras_spi_close();
}

/* A decision on the path's draft, with a text that may be left out. */
static void
decide(LarasHttp *h, LarasPlan *plan, const char *member)
{
	LarasText text = laras_json_text_at(h->document, member);
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	laras_http_found(
		h,
		laras_http_id(h->capture[0], &id)
			? laras_spi_run(plan, (Datum[]){Int64GetDatum(id), laras_text_datum(text.s, text.n)},
							text.s == NULL ? " n" : NULL)
			: 0,
		"no such draft");
	laras_spi_close();
}

void
laras_http_approve_draft(LarasHttp *h)
{
	decide(h, &approve, "body");
}

void
laras_http_reject_draft(LarasHttp *h)
{
	decide(h, &reject, "reason");
}
