/*
 * resume.c
 *		laras.resume(): takes the contents of a restored database into use.
 *
 * Invariant: laras.installation names this place only after every foreign key
 * was found whole, the vault is open (so the keyring accepts this database and
 * its destructions are applied), what was erased since is erased again, and
 * the event cursor speaks of this cluster's transactions. All of it commits
 * together or not at all.
 *
 * Re-basing. Transaction numbers of another cluster mean nothing here, but the
 * restored cursor and the restored events come from one snapshot of the source
 * and still tell each other which events were applied. With T this
 * transaction's number, an event that was not applied gets txid T; one that was
 * applied and whose number this cluster has yet to reach gets the first number
 * there is, so that it is not applied again when the cluster comes there; the
 * others keep theirs. The cursor then stands at T:T:, which holds everything
 * before T and nothing from T on. No event can be stored under a lower number
 * meanwhile, because receive_webhooks is closed until this commits. That is the
 * one update that raw events ever see: their bodies are left alone.
 *
 * An applied event is not applied again on purpose: what was made of it may
 * have been erased since, and nothing then would tell that it is a repeat.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/xid8.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/spi.h"
#include "courier/promotion.h"
#include "erasure/replay.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/installation.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_resume);

/* The two sides of every foreign key between tables of laras, column by column. */
LARAS_PLAN(
	foreign_key_columns,
	"SELECT c.oid, c.conname::text, r.relname::text, f.relname::text, a.attname::text, b.attname::text,"
	" c.confmatchtype = 'f'"
	" FROM pg_catalog.pg_constraint c"
	" JOIN pg_catalog.pg_class r ON r.oid = c.conrelid"
	" JOIN pg_catalog.pg_class f ON f.oid = c.confrelid,"
	" ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) WITH ORDINALITY AS k (own, other, n)"
	" JOIN pg_catalog.pg_attribute a ON true JOIN pg_catalog.pg_attribute b ON true"
	" WHERE c.contype = 'f' AND c.conparentid = 0"
	" AND r.relnamespace = 'laras'::pg_catalog.regnamespace"
	" AND f.relnamespace = 'laras'::pg_catalog.regnamespace"
	" AND a.attrelid = c.conrelid AND a.attnum = k.own"
	" AND b.attrelid = c.confrelid AND b.attnum = k.other"
	" ORDER BY r.relname, c.conname, c.oid, k.n");

LARAS_PLAN(lock_installation, "LOCK TABLE laras.installation IN EXCLUSIVE MODE");

/* Keys that these contents have and this keyring never gave out; and those it cannot read. */
LARAS_PLAN(strange_keys, "SELECT pg_catalog.count(*) FILTER (WHERE s.state = 'unused'),"
						 " pg_catalog.count(*) FILTER (WHERE s.state IN ('damaged', 'absent'))"
						 " FROM (SELECT laras.key_state(k.slot) FROM laras.key_owner k"
						 " WHERE k.slot >= 65536) s (state)");

LARAS_PLAN(read_cursor, "SELECT c.position::text, c.target::text, c.last_txid::text, c.last_id"
						" FROM laras.event_cursor c WHERE c.name = 'intake' FOR UPDATE");

/* $1 T, $2 position, $3 target, $4 last_txid, $5 last_id: what the cursor says was applied */
#define APPLIED                                                                  \
	"(pg_catalog.pg_visible_in_snapshot(e.txid, $2::pg_catalog.pg_snapshot)"     \
	" OR ($3 IS NOT NULL AND $4 IS NOT NULL"                                     \
	" AND pg_catalog.pg_visible_in_snapshot(e.txid, $3::pg_catalog.pg_snapshot)" \
	" AND ROW(e.txid, e.id) <= ROW($4::pg_catalog.xid8, $5)))"

/* 3 is the first transaction number there is. */
LARAS_PLAN(restamp_events,
		   "WITH changed AS (UPDATE laras.webhook_event e"
		   " SET txid = CASE WHEN " APPLIED " THEN '3'::pg_catalog.xid8 ELSE $1 END"
		   " WHERE NOT " APPLIED " OR e.txid >= $1 RETURNING e.txid)"
		   " SELECT pg_catalog.count(*) FROM changed c WHERE c.txid = $1",
		   XID8OID, TEXTOID, TEXTOID, TEXTOID, INT8OID);

LARAS_PLAN(
	rebase_cursor,
	"INSERT INTO laras.event_cursor (name, position) VALUES ('intake', $1::pg_catalog.pg_snapshot)"
	" ON CONFLICT (name) DO UPDATE SET position = EXCLUDED.position, target = NULL,"
	" last_txid = NULL, last_id = NULL, moved_at = laras.now()",
	TEXTOID);

/* To the keeper this is a cursor of another place, which looks for entries without a position. */
LARAS_PLAN(sweep_evidence,
		   "UPDATE laras.evidence_cursor SET system_identifier = 0, database_oid = 0");

LARAS_PLAN(forget_places, "DELETE FROM laras.installation");

LARAS_PLAN(record_place,
		   "INSERT INTO laras.installation (system_identifier, database_oid, timeline) "
		   "VALUES ($1, $2, $3)",
		   INT8OID, INT8OID, INT8OID);

static void
report(ReturnSetInfo *result, const char *check, const char *state, const char *detail)
{
	Datum values[3];
	bool nulls[3] = {false, false, false};

	values[0] = CStringGetTextDatum(check);
	values[1] = CStringGetTextDatum(state);
	values[2] = CStringGetTextDatum(detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Go on as that role; the caller has saved its own by laras_run_as_owner. */
static void
become(const char *role, const LarasRunAs *saved)
{
	SetUserIdAndSecContext(get_role_oid(role, false),
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

/* ------------------------------------------------------------ foreign keys */

typedef struct ForeignKey
{
	Oid oid;
	char *name;
	char *table;
	char *parent;
	char *query; /* counts the rows that have no parent */
} ForeignKey;

/*
 * All foreign keys with the anti-join that checks each. A row whose columns
 * are null has no parent to look for: with MATCH SIMPLE when any of them is,
 * with MATCH FULL when all are.
 */
static int
list_foreign_keys(ForeignKey **keys)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64 n;
	int count = 0;

	laras_spi_open();
	n = laras_spi_read(&foreign_key_columns, NULL, NULL);
	*keys = MemoryContextAllocZero(caller, sizeof(ForeignKey) * (n + 1));
	for (uint64 i = 0; i < n;)
	{
		ForeignKey *key = &(*keys)[count++];
		bool isnull;
		bool full = laras_spi_bool(i, 7);
		StringInfoData query;
		StringInfoData set;
		StringInfoData same;

		key->oid = DatumGetObjectId(laras_spi_value(i, 1, &isnull));
		key->name = laras_spi_cstring(i, 2);
		key->table = laras_spi_cstring(i, 3);
		key->parent = laras_spi_cstring(i, 4);
		initStringInfo(&query);
		initStringInfo(&set);
		initStringInfo(&same);
		for (; i < n && DatumGetObjectId(laras_spi_value(i, 1, &isnull)) == key->oid; i++)
		{
			char *own = laras_spi_cstring(i, 5);
			char *other = laras_spi_cstring(i, 6);

			appendStringInfo(&set, "%sc.%s IS NOT NULL",
							 set.len == 0 ? ""
							 : full       ? " OR "
										  : " AND ",
							 quote_identifier(own));
			appendStringInfo(&same, "%sp.%s = c.%s", same.len == 0 ? "" : " AND ",
							 quote_identifier(other), quote_identifier(own));
		}
		appendStringInfo(&query, "SELECT pg_catalog.count(*) FROM laras.%s c WHERE (%s)",
						 quote_identifier(key->table), set.data);
		appendStringInfo(&query, " AND NOT EXISTS (SELECT FROM laras.%s p WHERE %s)",
						 quote_identifier(key->parent), same.data);
		key->query = MemoryContextStrdup(caller, query.data);
	}
	laras_spi_close();
	return count;
}

/* As a role that sees every row. Says whether all are whole. */
static bool
check_foreign_keys(ReturnSetInfo *result)
{
	ForeignKey *keys;
	int n = list_foreign_keys(&keys);
	bool whole = true;

	for (int i = 0; i < n; i++)
	{
		int64 orphans;

		CHECK_FOR_INTERRUPTS();
		laras_spi_open();
		if (SPI_execute(keys[i].query, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "could not check a foreign key");
		orphans = laras_spi_int8(0, 1);
		laras_spi_close();
		if (orphans == 0)
			continue;
		whole = false;
		report(result, psprintf("foreign key %s", keys[i].name), "fail",
			   psprintf(INT64_FORMAT " rows of laras.%s name a row of laras.%s that is not there",
						orphans, keys[i].table, keys[i].parent));
	}
	if (whole)
		report(result, "foreign keys", "ok", psprintf("%d checked, every row has its parent", n));
	return whole;
}

/* ------------------------------------------------------------- the keyring */

/* As laras_worker. */
static bool
check_keyring(ReturnSetInfo *result)
{
	int64 never;
	int64 lost;

	if (!laras_vault_is_open())
	{
		report(result, "keyring", "fail",
			   laras_keyring_is_ours() ? "the vault is shut; see laras.keyring_status"
			   : laras_keyring_is_of_other_contents()
				   ? "these contents belong to another keyring: put its mirrors into "
					 "laras.keyring_directory and restart"
				   : "the keyring is not this database's own; call laras.adopt_keyring() first");
		return false;
	}
	laras_spi_open();
	(void) laras_spi_read(&strange_keys, NULL, NULL);
	never = laras_spi_int8(0, 1);
	lost = laras_spi_int8(0, 2);
	laras_spi_close();
	if (never > 0)
	{
		report(result, "keyring", "fail",
			   psprintf(INT64_FORMAT " keys of these contents were never given out by it: it is "
									 "another keyring, or one older than the contents",
						never));
		return false;
	}
	report(result, "keyring", "ok", "it is this database's own and the vault is open");
	if (lost > 0)
		report(result, "keys", "warn",
			   psprintf(INT64_FORMAT " keys are damaged or absent: what they sealed does not open "
									 "until a mirror that holds them is back",
						lost));
	return true;
}

/* Erasures younger than the contents, done again. As laras_worker. */
static void
replay(ReturnSetInfo *result, const LarasRunAs *saved)
{
	LarasReplay done;

	laras_replay_destructions(saved, &done);
	if (done.keys == 0)
	{
		report(result, "destroyed keys", "ok", "the database knows every order to destroy");
		return;
	}
	report(result, "destroyed keys", "ok",
		   psprintf(INT64_FORMAT " keys were destroyed after these contents were written; erased "
								 "again: " INT64_FORMAT " contacts, " INT64_FORMAT
								 " connections, " INT64_FORMAT " workspaces; the keeper removes "
								 "their rows, laras.erasure_request tells how far it is",
					done.keys, done.contacts, done.connections, done.workspaces));
	if (done.others > 0)
		report(result, "keys of others", "warn",
			   psprintf(INT64_FORMAT " of them belong to neither: their rows stay, unreadable",
						done.others));
}

/* -------------------------------------------------------------- the cursor */

/* As laras_worker, with every workspace in its set. Returns the events to apply. */
static int64
rebase(void)
{
	FullTransactionId self = GetTopFullTransactionId();
	Datum args[5] = {FullTransactionIdGetDatum(self), CStringGetTextDatum("1:1:"), (Datum) 0,
					 (Datum) 0, (Datum) 0};
	char nulls[] = "  nnn";
	int64 again;

	laras_spi_open();
	if (laras_spi_run(&read_cursor, NULL, NULL) > 0)
	{
		for (int i = 0; i < 4; i++)
		{
			bool isnull;
			Datum value = laras_spi_value(0, i + 1, &isnull);

			nulls[i + 1] = isnull ? 'n' : ' ';
			args[i + 1] = value;
		}
	}
	laras_spi_run_one(&restamp_events, args, nulls);
	again = laras_spi_int8(0, 1);
	laras_spi_run_one(&rebase_cursor,
					  (Datum[]){CStringGetTextDatum(psprintf(UINT64_FORMAT ":" UINT64_FORMAT ":",
															 U64FromFullTransactionId(self),
															 U64FromFullTransactionId(self)))},
					  NULL);
	laras_spi_close();
	return again;
}

static void
take_over(int64 again)
{
	LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, again)};
	LarasEvidence evidence = {.action = LARAS_ACT_DATABASE_RESUMED, .nfields = 1, .fields = fields};

	laras_spi_open();
	(void) laras_spi_run(&sweep_evidence, NULL, NULL);
	(void) laras_spi_run(&forget_places, NULL, NULL);
	laras_spi_run_one(&record_place,
					  (Datum[]){Int64GetDatum((int64) GetSystemIdentifier()),
								Int64GetDatum((int64) MyDatabaseId),
								Int64GetDatum((int64) GetWALInsertionTimeLine())},
					  NULL);
	laras_spi_close();
	laras_evidence_actor(&evidence);
	laras_evidence_append(&evidence);
	laras_work_queued(LARAS_WORK_INTAKE);
	laras_work_queued(LARAS_WORK_COURIER);
	laras_work_queued(LARAS_WORK_KEEPER);
}

/*
 * Messages that waited when the dump was made, or when this server was promoted.
 * Another server may have sent them after: they are parked, until somebody who knows
 * says that it did not.
 */
static void
settle_sends(ReturnSetInfo *result, bool taken_over, bool send_waiting)
{
	uint64 n;

	laras_spi_open();
	if (send_waiting)
		n = laras_sends_release();
	else
	{
		n = (uint64) laras_parked_sends();
		if (taken_over)
			n += laras_sends_park("restored", laras_now());
	}
	laras_spi_close();
	if (send_waiting)
		laras_work_queued(LARAS_WORK_COURIER);
	if (n == 0)
		report(result, "sends", "ok", send_waiting ? "what waits is sent" : "nothing is parked");
	else if (send_waiting)
		report(result, "sends", "ok", psprintf(UINT64_FORMAT " parked messages are sent", n));
	else
		report(result, "sends", "warn",
			   psprintf(UINT64_FORMAT
						" messages waited when these contents were taken over and are "
						"parked: resume(true) sends them, if no other server did",
						n));
}

/* ------------------------------------------------------------------- entry */

static void
resume(ReturnSetInfo *result, const LarasRunAs *saved, bool send_waiting)
{
	bool needed;
	bool good;

	become("laras_worker", saved);
	laras_spi_open();
	(void) laras_spi_run(&lock_installation, NULL, NULL);
	laras_spi_close();
	needed = laras_resume_needed();
	report(
		result, "origin", "ok",
		needed
			? "these contents came from another cluster or database, or are older than the keyring"
			: "these contents are this database's own");
	good = check_keyring(result);

	become("laras_backup", saved);
	good &= check_foreign_keys(result);
	become("laras_worker", saved);

	if (good)
		replay(result, saved);
	if (!needed)
		report(result, "event cursor", "ok", "it is left as it is");
	else if (!good)
		report(result, "event cursor", "fail",
			   "laras stays closed; nothing was changed: put right what fails above, and call "
			   "laras.resume() again");
	else
	{
		int64 again = rebase();

		take_over(again);
		report(result, "event cursor", "ok",
			   psprintf("it stands at this cluster's transactions, " INT64_FORMAT
						" events are still to be applied",
						again));
	}
	if (good)
		settle_sends(result, needed, send_waiting);
}

/* laras.resume(send_waiting boolean, out check, out state, out detail) */
Datum
laras_resume(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	LarasRunAs saved;

	PreventCommandIfReadOnly("laras.resume()");
	PreventCommandDuringRecovery("laras.resume()");
	laras_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	laras_run_as_owner(&saved);
	laras_worker_bind_all();
	PG_TRY();
	{
		resume((ReturnSetInfo *) fcinfo->resultinfo, &saved, PG_GETARG_BOOL(0));
	}
	PG_FINALLY();
	{
		laras_worker_bind(NULL, 0);
	}
	PG_END_TRY();
	laras_run_as_end(&saved);
	return (Datum) 0;
}
