/*
 * steer.c
 *		What people set about sending.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/arguments.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_set_send_rate);
PG_FUNCTION_INFO_V1(laras_cancel_message);

#define FASTEST 100000

LARAS_PLAN(set_rate,
		   "UPDATE laras.connection SET send_rate = nullif($3, 0) "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
		   "AND state OPERATOR(pg_catalog.<>) 'disconnected'",
		   INT8OID, INT8OID, INT4OID);

/* waits for the courier, which holds the row while it decides: then it is too late, or not */
LARAS_PLAN(
	lock_row,
	"SELECT o.state, o.id, coalesce(o.draft_id, 0) FROM laras.outbox o WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND o.message_id OPERATOR(pg_catalog.=) $2 FOR UPDATE OF o",
	INT8OID, INT8OID);

LARAS_PLAN(
	withdraw,
	"UPDATE laras.outbox SET " LARAS_OUTBOX_WITHDRAWN(
		"'withdrawn'") ", finished_at = laras.now() "
					   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/*
 * laras.set_send_rate(connection_id bigint, per_second integer) returns void
 */
Datum
laras_set_send_rate(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	int32 rate = PG_GETARG_INT32(1);

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (rate < 0 || rate > FASTEST)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("messages a second must be from 1 to %d, or 0", FASTEST),
						errhint("0 stands for what laras.limit_rules says of the channel.")));
	laras_connection_set(connection_id, &set_rate, Int32GetDatum(rate), LARAS_ACT_SEND_RATE_SET,
						 (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_COUNT, rate));
	PG_RETURN_VOID();
}

/*
 * laras.cancel_message(message_id bigint) returns boolean
 */
Datum
laras_cancel_message(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 message_id = PG_GETARG_INT64(0);
	int64 workspace_id;
	int64 draft_id;
	char *state;
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_REASON, "withdrawn")};
	LarasEvidence act = {
		.action = LARAS_ACT_MESSAGE_CANCELLED,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = message_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	act.workspace_id = workspace_id = laras_bound_workspace();
	laras_spi_open();
	if (laras_spi_run(&lock_row, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such outbound message")));
	state = laras_spi_cstring(0, 1);
	draft_id = laras_spi_int8(0, 3);
	if (strcmp(state, "queued") != 0 && strcmp(state, "parked") != 0)
	{
		laras_spi_close();
		PG_RETURN_BOOL(false);
	}
	laras_spi_run_one(&withdraw,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(laras_spi_int8(0, 2))},
					  NULL);
	laras_message_set_status(workspace_id, message_id, "cancelled", 0);
	if (draft_id != 0)
		laras_drafts_refused(&workspace_id, &draft_id, 1, laras_principal_text(laras_principal()));
	laras_spi_close();
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
	PG_RETURN_BOOL(true);
}
