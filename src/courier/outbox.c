/*
 * outbox.c
 *		Rows of the outbox, as other rooms make and cancel them.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "courier/courier.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * Who opted out is written to only in answer to what they wrote since, and by no
 * template: such a row has ended as it begins. $17: not the transaction's time, of
 * which several of one transaction would have the same and no order. $18: its priority.
 */
LARAS_PLAN(
	add_row,
	"INSERT INTO laras.outbox (workspace_id, id, connection_id, conversation_id, contact_id, message_id, "
	"draft_id, verdict_id, text_digest, approved_by, kind, target_id, purpose, template_id, media_id, uncertain_policy, not_before, created_at, priority, state, reason, finished_at) "
	"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, nullif($12, 0), $13, nullif($14, 0), nullif($15, 0), "
	"CASE WHEN $13 OPERATOR(pg_catalog.=) 'service' AND $11 OPERATOR(pg_catalog.<>) 'private_reply' THEN coalesce($16, (SELECT c.uncertain_policy "
	"FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $3)) ELSE 'hold' END, $17, $17, $18, "
	"CASE WHEN s.it THEN 'cancelled' ELSE 'queued' END, "
	"CASE WHEN s.it THEN 'opted_out' END, CASE WHEN s.it THEN laras.now() END FROM (SELECT EXISTS (SELECT 1 "
	"FROM laras.contact p WHERE p.workspace_id OPERATOR(pg_catalog.=) $1 AND p.id OPERATOR(pg_catalog.=) $5 "
	"AND p.opt_out_at IS NOT NULL AND ($11 OPERATOR(pg_catalog.=) 'template' OR NOT EXISTS (SELECT 1 "
	"FROM laras.conversation v WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND (v.id OPERATOR(pg_catalog.=) $4 OR v.id OPERATOR(pg_catalog.=) (SELECT t.conversation_id FROM laras.message t "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $12)) AND v.last_inbound_at OPERATOR(pg_catalog.>) p.opt_out_at)))) AS s (it) "
	"RETURNING state",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID, TEXTOID,
	TEXTOID, INT8OID, TEXTOID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT2OID);

/* What is said in public answers a comment: the one named, the one the draft is for, or the last. */
LARAS_PLAN(
	find_target,
	"SELECT m.id FROM laras.conversation v JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.conversation_id OPERATOR(pg_catalog.=) v.id "
	"AND m.kind OPERATOR(pg_catalog.=) ANY ('{comment,live_comment,mention}'::pg_catalog.text[]) "
	"AND m.direction OPERATOR(pg_catalog.=) 'in' "
	"WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $2 "
	"AND v.surface OPERATOR(pg_catalog.=) 'comment' "
	"ORDER BY m.id OPERATOR(pg_catalog.=) $3 DESC, m.id OPERATOR(pg_catalog.=) (SELECT d.inbound_message_id FROM laras.draft d "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $4) DESC NULLS LAST, "
	"m.unsent_at IS NULL DESC, m.provider_timestamp DESC NULLS LAST, m.id DESC LIMIT 1",
	INT8OID, INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	answer_comment,
	"UPDATE laras.message m SET kind = $4, about_index = t.provider_message_index FROM laras.message t "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
	"AND t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	cancel_connection,
	"UPDATE laras.outbox SET " LARAS_OUTBOX_WITHDRAWN(
		"$3") ", finished_at = laras.now() "
			  "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND connection_id OPERATOR(pg_catalog.=) $2 "
			  "AND state OPERATOR(pg_catalog.=) ANY ('{queued,parked}'::pg_catalog.text[]) "
			  "RETURNING message_id",
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	cancel_contact,
	"UPDATE laras.outbox SET " LARAS_OUTBOX_WITHDRAWN(
		"$3") ", finished_at = laras.now() "
			  "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND contact_id OPERATOR(pg_catalog.=) $2 "
			  "AND state OPERATOR(pg_catalog.=) ANY ('{queued,parked}'::pg_catalog.text[]) "
			  "RETURNING message_id",
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(cancel_messages,
		   "UPDATE laras.message m SET status = 'cancelled' FROM unnest($2) AS u (i) "
		   "WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) u.i "
		   "AND m.status OPERATOR(pg_catalog.=) 'queued'",
		   INT8OID, INT8ARRAYOID);

/* Makes the row of a text in public one that answers a comment. Inside SPI. */
static void
aim(int64 workspace_id, LarasOutboxRow *row)
{
	if (strcmp(row->kind, "text") == 0 &&
		laras_spi_run(&find_target,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->conversation_id),
								Int64GetDatum(row->target_id), Int64GetDatum(row->draft_id)},
					  NULL) > 0)
	{
		row->kind = "comment";
		row->target_id = laras_spi_int8(0, 1);
	}
	if (row->target_id != 0)
		laras_spi_run_one(&answer_comment,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->message_id),
									Int64GetDatum(row->target_id), CStringGetTextDatum(row->kind)},
						  NULL);
}

/*
 * Somebody who wrote waits for an answer; nobody does for what sells, nor for a
 * template, which is what one may still send when they wrote long ago. So these
 * leave behind every answer, whoever approved them.
 */
static int16
priority_of(const LarasOutboxRow *row)
{
	return strcmp(row->purpose, LARAS_PURPOSE_SALES) == 0 || strcmp(row->kind, "template") == 0
			   ? LARAS_PRIORITY_BULK
			   : LARAS_PRIORITY_REPLY;
}

int64
laras_outbox_add(int64 workspace_id, const LarasOutboxRow *given)
{
	LarasOutboxRow aimed = *given;
	const LarasOutboxRow *row = &aimed;
	int64 id = laras_new_id();
	bytea *digest = palloc(VARHDRSZ + sizeof(row->text_digest));
	LarasEvidenceField fields[] = {
		LARAS_EV_NUMBER(LARAS_EVF_CONNECTION_ID, row->connection_id),
		LARAS_EV_CODE(LARAS_EVF_KIND, row->kind),
	};
	char nulls[] = "                  ";
	bool suppressed;
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = row->message_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	SET_VARSIZE(digest, VARHDRSZ + sizeof(row->text_digest));
	memcpy(VARDATA(digest), row->text_digest, sizeof(row->text_digest));
	nulls[6] = row->draft_id == 0 ? 'n' : ' ';
	nulls[15] = row->uncertain_policy == NULL ? 'n' : ' ';
	laras_spi_open();
	aim(workspace_id, &aimed);
	fields[1] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, row->kind);
	laras_spi_run_one(
		&add_row,
		(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id), Int64GetDatum(row->connection_id),
				  Int64GetDatum(row->conversation_id), Int64GetDatum(row->contact_id),
				  Int64GetDatum(row->message_id), Int64GetDatum(row->draft_id),
				  Int64GetDatum(row->verdict_id), PointerGetDatum(digest),
				  CStringGetTextDatum(row->approved_by), CStringGetTextDatum(row->kind),
				  Int64GetDatum(row->target_id), CStringGetTextDatum(row->purpose),
				  Int64GetDatum(row->template_id), Int64GetDatum(row->media_id),
				  row->uncertain_policy == NULL ? (Datum) 0
												: CStringGetTextDatum(row->uncertain_policy),
				  TimestampTzGetDatum(laras_clock()), Int16GetDatum(priority_of(row))},
		nulls);
	suppressed = strcmp(laras_spi_cstring(0, 1), "queued") != 0;
	if (suppressed)
	{
		laras_message_set_status(workspace_id, row->message_id, "cancelled", 0);
		laras_send_notice(workspace_id, "send_refused", row->connection_id, row->conversation_id,
						  row->message_id, 0, "opted_out");
	}
	laras_spi_close();
	act.action = suppressed ? LARAS_ACT_SEND_SUPPRESSED : LARAS_ACT_MESSAGE_QUEUED;
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
	if (!suppressed)
		laras_work_queued(LARAS_WORK_COURIER);
	return id;
}

static uint64
cancel(LarasPlan *plan, int64 workspace_id, int64 subject, const char *reason)
{
	LarasColumn messages;
	uint64 n;

	laras_spi_open();
	n = laras_spi_run(plan,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(subject),
								CStringGetTextDatum(reason)},
					  NULL);
	laras_columns_init(&messages, 1, (int) n);
	for (uint64 i = 0; i < n; i++)
		messages.values[i] = Int64GetDatum(laras_spi_int8(i, 1));
	if (n > 0)
		laras_spi_run(&cancel_messages,
					  (Datum[]){Int64GetDatum(workspace_id),
								laras_column_array(&messages, (int) n, INT8OID)},
					  NULL);
	laras_spi_close();
	return n;
}

uint64
laras_outbox_cancel_connection(int64 workspace_id, int64 connection_id, const char *reason)
{
	return cancel(&cancel_connection, workspace_id, connection_id, reason);
}

uint64
laras_outbox_cancel_contact(int64 workspace_id, int64 contact_id, const char *reason)
{
	return cancel(&cancel_contact, workspace_id, contact_id, reason);
}
