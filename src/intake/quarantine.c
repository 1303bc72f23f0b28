/*
 * quarantine.c
 *		What could not be applied is set aside, sealed, with its reason; and can
 *		be replayed.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "intake/intake.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_replay_quarantined);

static void
write_evidence(int64 workspace_id, LarasAction action, int64 event_id, const char *channel)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel)};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = action,
		.subject_kind = LARAS_SUBJECT_EVENT,
		.subject_id = event_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

LARAS_PLAN(
	set_aside,
	"INSERT INTO laras.quarantined_event "
	"(workspace_id, id, connection_id, channel, received_at, quarantined_at, sqlstate, reason, body) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	INT8OID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID,
	LARAS_SEALED);

LARAS_PLAN(
	set_body_aside,
	"INSERT INTO laras.quarantined_body (id, channel, received_at, reason, body) VALUES ($1, $2, $3, $4, $5)",
	INT8OID, TEXTOID, TIMESTAMPTZOID, TEXTOID, LARAS_SEALED);

LARAS_PLAN(
	take_aside,
	"SELECT q.channel, q.connection_id, q.body, q.replayed_at FROM laras.quarantined_event q "
	"WHERE q.workspace_id OPERATOR(pg_catalog.=) $1 AND q.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
	INT8OID, INT8OID);

LARAS_PLAN(store_again,
		   "INSERT INTO laras.webhook_event "
		   "(ring_day, workspace_id, id, connection_id, channel, received_at, digest, body) "
		   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		   INT2OID, INT8OID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID, BYTEAOID, LARAS_SEALED);

LARAS_PLAN(mark_replayed,
		   "UPDATE laras.quarantined_event SET replayed_at = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TIMESTAMPTZOID);

void
laras_quarantine_event(int64 workspace_id, int64 connection_id, const char *channel,
					   TimestampTz received_at, const char *sqlstate, const char *reason,
					   const char *body, size_t n)
{
	TimestampTz now = laras_now();
	uint32 week = laras_time_slot(LARAS_TIME_SLOT_WEEK, now);
	int64 id = laras_new_id();
	bytea *sealed = laras_seal(laras_workspace_slot(workspace_id), week,
							   LARAS_FIELD_quarantined_event_body, workspace_id, id, body, n);

	laras_spi_open();
	laras_spi_run_one(&set_aside,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								Int64GetDatum(connection_id), CStringGetTextDatum(channel),
								TimestampTzGetDatum(received_at), TimestampTzGetDatum(now),
								CStringGetTextDatum(sqlstate), CStringGetTextDatum(reason),
								PointerGetDatum(sealed)},
					  NULL);
	laras_spi_close();
	write_evidence(workspace_id, LARAS_ACT_EVENT_QUARANTINED, id, channel);
}

void
laras_quarantine_body(const char *channel, const char *reason, const char *body, size_t n)
{
	TimestampTz now = laras_now();
	uint32 week = laras_time_slot(LARAS_TIME_SLOT_WEEK, now);
	int64 id = laras_new_id();
	bytea *sealed =
		laras_seal(LARAS_SLOT_PLATFORM, week, LARAS_FIELD_quarantined_body_body, 0, id, body, n);

	laras_spi_open();
	laras_spi_run_one(&set_body_aside,
					  (Datum[]){Int64GetDatum(id), CStringGetTextDatum(channel),
								TimestampTzGetDatum(now), CStringGetTextDatum(reason),
								PointerGetDatum(sealed)},
					  NULL);
	laras_spi_close();
}

LARAS_PLAN(
	find_waiting,
	"SELECT q.id FROM laras.quarantined_event q WHERE q.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND q.connection_id OPERATOR(pg_catalog.=) $2 AND q.reason OPERATOR(pg_catalog.=) $3 "
	"AND q.replayed_at IS NULL ORDER BY q.received_at, q.id",
	INT8OID, INT8OID, TEXTOID);

/*
 * The event that take_aside has just locked comes again. Returns its new id; 0
 * where its key was destroyed. Inside SPI.
 */
static int64
replay(int64 workspace_id, int64 id)
{
	TimestampTz now = laras_now();
	uint32 slot = laras_workspace_slot(workspace_id);
	char *channel = laras_spi_cstring(0, 1);
	int64 connection_id = laras_spi_int8(0, 2);
	int64 event_id;
	uint32 hour;
	char *body;
	size_t n;
	bytea *sealed;
	LarasPiece pieces[2];
	uint8 digest[LARAS_HASH_LEN];

	if (laras_open(laras_spi_bytes(0, 3), workspace_id, id, LARAS_FIELD_quarantined_event_body,
				   &body, &n) != LARAS_OPENED)
		return 0;
	hour = laras_time_slot(LARAS_TIME_SLOT_HOUR, now);
	event_id = laras_new_id();
	sealed =
		laras_seal(slot, hour, LARAS_FIELD_webhook_event_body, workspace_id, event_id, body, n);
	/* the digest of a replay is its own: a same-day repeat must not drop it */
	pieces[0] = (LarasPiece){body, n};
	pieces[1] = (LarasPiece){&event_id, sizeof(event_id)};
	if (!laras_sha256(pieces, 2, digest))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a body")));
	laras_spi_run_one(
		&store_again,
		(Datum[]){Int16GetDatum((int16) laras_ring_day(now)), Int64GetDatum(workspace_id),
				  Int64GetDatum(event_id), Int64GetDatum(connection_id),
				  CStringGetTextDatum(channel), TimestampTzGetDatum(now),
				  PointerGetDatum(laras_index_bytea(slot, LARAS_INDEX_PROVIDER_EVENT, channel,
													(const char *) digest, sizeof(digest))),
				  PointerGetDatum(sealed)},
		NULL);
	laras_spi_run_one(&mark_replayed,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								TimestampTzGetDatum(now)},
					  NULL);
	write_evidence(workspace_id, LARAS_ACT_EVENT_REPLAYED, id, channel);
	laras_work_queued(LARAS_WORK_INTAKE);
	return event_id;
}

void
laras_quarantine_return(int64 workspace_id, int64 connection_id, const char *reason)
{
	uint64 found;
	int64 *ids;

	laras_spi_open();
	found = laras_spi_run(&find_waiting,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
									CStringGetTextDatum(reason)},
						  NULL);
	ids = palloc(sizeof(int64) * (found + 1));
	for (uint64 i = 0; i < found; i++)
		ids[i] = laras_spi_int8(i, 1);
	for (uint64 i = 0; i < found; i++)
		if (laras_spi_run(&take_aside,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(ids[i])}, NULL) > 0)
		{
			if (laras_spi_isnull(0, 4))
				replay(workspace_id, ids[i]);
		}
	laras_spi_close();
}

/*
 * laras.replay_quarantined(id bigint) returns bigint
 *
 * Stores the piece as a new event, to be applied by the worker like any other;
 * what was already applied of it changes nothing. Returns the event's id.
 */
Datum
laras_replay_quarantined(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 workspace_id;
	int64 id = PG_GETARG_INT64(0);
	int64 event_id;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ADMIN);
	laras_vault_require_open();
	workspace_id = laras_bound_workspace();
	laras_spi_open();
	if (laras_spi_run(&take_aside, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such quarantined event")));
	if (!laras_spi_isnull(0, 4))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the quarantined event was replayed already")));
	event_id = replay(workspace_id, id);
	if (event_id == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the quarantined event is no longer readable"),
						errdetail("Its key was destroyed when its term ended.")));
	laras_spi_close();
	PG_RETURN_INT64(event_id);
}
