/*
 * settle.c
 *		What a person decides of a message of which nobody knows whether it was
 *		sent, where its provider keeps silent.
 *
 * A word of the provider's that comes later counts for more, and where it says
 * otherwise the owner is told (reconcile.c): so what is decided here is written
 * down as a person's, in send_attempt.resolved_by.
 *
 * Locks: the connection, then the row of the outbox, then the message, as the
 * courier, a status and a disconnect take them.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "courier/courier.h"
#include "courier/reconcile.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(laras_settle_message);

LARAS_PLAN(
	lock_connection,
	"SELECT c.state FROM laras.outbox o JOIN laras.connection c "
	"ON c.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND c.id OPERATOR(pg_catalog.=) o.connection_id "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.message_id OPERATOR(pg_catalog.=) $2 FOR SHARE OF c",
	INT8OID, INT8OID);

/* waits for whatever else settles it */
LARAS_PLAN(
	lock_row,
	"SELECT o.id, o.state, o.resent, o.purpose, o.kind, t.category IS NOT DISTINCT FROM 'marketing', m.channel "
	"FROM laras.outbox o JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"AND t.id OPERATOR(pg_catalog.=) o.template_id "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.message_id OPERATOR(pg_catalog.=) $2 FOR UPDATE OF o",
	INT8OID, INT8OID);

/* of several hand-overs, the one that was not refused; the last, of several of these */
LARAS_PLAN(
	take_as_sent,
	"UPDATE laras.send_attempt a SET outcome = 'sent', resolved_by = 'member' "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 AND a.id OPERATOR(pg_catalog.=) (SELECT x.id FROM laras.send_attempt x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.outbox_id OPERATOR(pg_catalog.=) $2 "
	"AND x.outcome OPERATOR(pg_catalog.=) 'uncertain' ORDER BY x.started_at DESC, x.id DESC LIMIT 1)",
	INT8OID, INT8OID);

LARAS_PLAN(
	take_as_not_sent,
	"UPDATE laras.send_attempt a SET outcome = 'not_sent', resolved_by = 'member' "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 AND a.outbox_id OPERATOR(pg_catalog.=) $2 "
	"AND a.outcome OPERATOR(pg_catalog.=) 'uncertain'",
	INT8OID, INT8OID);

LARAS_PLAN(
	end_row,
	"UPDATE laras.outbox SET state = 'refused', reason = 'settled_not_sent', finished_at = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	send_again,
	"UPDATE laras.outbox SET state = 'queued', reason = 'resend', resent = true, uncertain_policy = 'resend_once', "
	"not_before = laras.now(), finished_at = NULL "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* what the owner was told of it asks for nothing any more */
LARAS_PLAN(
	see_notices,
	"UPDATE laras.notice SET seen_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND message_id OPERATOR(pg_catalog.=) $2 AND kind OPERATOR(pg_catalog.=) 'uncertain' AND seen_at IS NULL",
	INT8OID, INT8OID);

/* the row that is locked */
typedef struct Row
{
	int64 id;
	const char *state;
	bool resent;
	const char *purpose;
	const char *kind;
	bool marketing;
	const char *channel;
} Row;

static void
refuse(const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the message cannot be sent a second time"), errdetail("%s", why)));
}

/* The same bounds as where it was chosen beforehand: resend.c. */
static void
require_resendable(const Row *row, const char *connection_state)
{
	if (strcmp(row->purpose, LARAS_PURPOSE_SERVICE) != 0 || row->marketing)
		refuse("What sells is sent once.");
	if (strcmp(row->kind, "private_reply") == 0)
		refuse("Providers allow one private reply to a comment.");
	if (row->resent)
		refuse("It was sent a second time before.");
	if (strcmp(connection_state, "disconnected") == 0)
		refuse("Its account was disconnected.");
}

static void
read_row(const Datum key[2], Row *row)
{
	if (laras_spi_run(&lock_row, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such outbound message")));
	row->id = laras_spi_int8(0, 1);
	row->state = laras_spi_cstring(0, 2);
	row->resent = laras_spi_bool(0, 3);
	row->purpose = laras_spi_cstring(0, 4);
	row->kind = laras_spi_cstring(0, 5);
	row->marketing = laras_spi_bool(0, 6);
	row->channel = laras_spi_cstring(0, 7);
}

/*
 * laras.settle_message(message_id bigint, outcome text) returns boolean
 */
Datum
laras_settle_message(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 message_id = PG_GETARG_INT64(0);
	char *outcome = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool resend = strcmp(outcome, "resend") == 0;
	bool sent = strcmp(outcome, "sent") == 0;
	char *connection_state;
	Datum key[2];
	Datum of_row[2];
	Row row;
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_STATUS, outcome)};
	LarasEvidence act = {
		.action = LARAS_ACT_MESSAGE_SETTLED,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = message_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	if (!resend && !sent && strcmp(outcome, "not_sent") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the outcome must be sent, not_sent or resend")));
	act.workspace_id = laras_bound_workspace();
	key[0] = of_row[0] = Int64GetDatum(act.workspace_id);
	key[1] = Int64GetDatum(message_id);
	laras_spi_open();
	if (laras_spi_run(&lock_connection, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such outbound message")));
	connection_state = laras_spi_cstring(0, 1);
	read_row(key, &row);
	if (strcmp(row.state, "uncertain") != 0)
	{
		laras_spi_close();
		PG_RETURN_BOOL(false);
	}
	of_row[1] = Int64GetDatum(row.id);
	if (resend)
	{
		require_resendable(&row, connection_state);
		laras_spi_run_one(&send_again, of_row, NULL);
		laras_work_queued(LARAS_WORK_COURIER);
	}
	else if (sent)
	{
		laras_spi_run(&take_as_sent, of_row, NULL);
		laras_outbox_known_sent(act.workspace_id, row.id);
		laras_message_sent(act.workspace_id, message_id, row.channel, NULL, 0, laras_now());
	}
	else
	{
		laras_spi_run(&take_as_not_sent, of_row, NULL);
		laras_spi_run_one(&end_row, of_row, NULL);
		laras_message_set_status(act.workspace_id, message_id, "failed", 0);
	}
	laras_spi_run(&see_notices, key, NULL);
	laras_spi_close();
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
	PG_RETURN_BOOL(true);
}
