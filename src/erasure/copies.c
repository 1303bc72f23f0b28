/*
 * copies.c
 *		Copies of the keyring on record: escrow copies, those made outside, and
 *		what became of them. Each is an act of the evidence.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_escrow_keyring);
PG_FUNCTION_INFO_V1(laras_register_keyring_copy);
PG_FUNCTION_INFO_V1(laras_confirm_keyring_copy_destroyed);

#define LABEL_MIN 3
#define LABEL_MAX 200
#define STATEMENT_MIN 10
#define STATEMENT_MAX 1000

LARAS_PLAN(time_fits,
		   "SELECT laras.now() + $1 > laras.now()"
		   " AND laras.now() + $1 <= laras.now() + pg_catalog.make_interval(days => 30)",
		   INTERVALOID);

LARAS_PLAN(add_copy,
		   "INSERT INTO laras.keyring_copy (copy_id, kind, label, directory, oldest_epoch, epoch,"
		   " registered_at, expires_at, made_at) SELECT $1, CASE WHEN $3 IS NULL THEN 'other' ELSE"
		   " 'escrow' END, $2, $3, $4, $5, n.now, n.now + $6, CASE WHEN $3 IS NULL THEN n.now END"
		   " FROM (SELECT laras.now() AS now) n",
		   INT8OID, TEXTOID, TEXTOID, INT4OID, INT4OID, INTERVALOID);

LARAS_PLAN(lock_copy,
		   "SELECT c.destroyed_at IS NOT NULL, c.epoch FROM laras.keyring_copy c"
		   " WHERE c.copy_id = $1 FOR UPDATE",
		   INT8OID);

LARAS_PLAN(destroy_copy,
		   "UPDATE laras.keyring_copy SET destroyed_at = laras.now(), statement = $2"
		   " WHERE copy_id = $1",
		   INT8OID, TEXTOID);

static void
write_act(LarasAction action, int64 copy, int epoch)
{
	LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, epoch)};
	LarasEvidence act = {.action = action,
						 .subject_kind = LARAS_SUBJECT_KEYRING,
						 .subject_id = copy,
						 .nfields = lengthof(fields),
						 .fields = fields};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

/* Put a copy on record; directory NULL: it was made outside. Returns its id. */
static int64
register_copy(text *label, text *directory, Interval *expires, int oldest, int epoch)
{
	int length = pg_mbstrlen_with_len(VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
	int64 copy = laras_new_id();
	char nulls[] = "      ";
	LarasRunAs saved;

	if (length < LABEL_MIN || length > LABEL_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a copy of the keyring needs a label of %d to %d characters",
							   LABEL_MIN, LABEL_MAX),
						errhint("Say where the copy is kept.")));
	laras_run_as_owner(&saved);
	laras_spi_open();
	(void) laras_spi_read(&time_fits, (Datum[]){IntervalPGetDatum(expires)}, NULL);
	if (!laras_spi_bool(0, 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a copy of the keyring is kept for at most 30 days"),
						errdetail("What is erased meanwhile opens from it until then.")));
	if (directory == NULL)
		nulls[2] = 'n';
	laras_spi_run_one(&add_copy,
					  (Datum[]){Int64GetDatum(copy), PointerGetDatum(label),
								PointerGetDatum(directory), Int32GetDatum(oldest),
								Int32GetDatum(epoch), IntervalPGetDatum(expires)},
					  nulls);
	laras_spi_close();
	laras_run_as_end(&saved);
	write_act(LARAS_ACT_KEYRING_ESCROWED, copy, epoch);
	return copy;
}

/* laras.escrow_keyring(directory text, label text, expires interval) returns bigint */
Datum
laras_escrow_keyring(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	text *directory = PG_GETARG_TEXT_PP(0);
	int oldest;
	int epoch;
	int64 copy;

	PreventCommandIfReadOnly("laras.escrow_keyring()");
	PreventCommandDuringRecovery("laras.escrow_keyring()");
	laras_require_preload();
	laras_vault_check_copy(text_to_cstring(directory), &oldest, &epoch);
	copy = register_copy(PG_GETARG_TEXT_PP(1), directory, PG_GETARG_INTERVAL_P(2), oldest, epoch);
	laras_work_queued(LARAS_WORK_VAULT);
	PG_RETURN_INT64(copy);
}

/* laras.register_keyring_copy(label text, expires interval) returns bigint */
Datum
laras_register_keyring_copy(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int oldest;
	int epoch;

	PreventCommandIfReadOnly("laras.register_keyring_copy()");
	PreventCommandDuringRecovery("laras.register_keyring_copy()");
	laras_require_preload();
	laras_vault_epochs(&oldest, &epoch);
	PG_RETURN_INT64(
		register_copy(PG_GETARG_TEXT_PP(0), NULL, PG_GETARG_INTERVAL_P(1), oldest, epoch));
}

/* laras.confirm_keyring_copy_destroyed(copy bigint, statement text) returns boolean */
Datum
laras_confirm_keyring_copy_destroyed(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 copy = PG_GETARG_INT64(0);
	text *statement = PG_GETARG_TEXT_PP(1);
	int length = pg_mbstrlen_with_len(VARDATA_ANY(statement), VARSIZE_ANY_EXHDR(statement));
	bool destroyed;
	int epoch;
	LarasRunAs saved;

	PreventCommandIfReadOnly("laras.confirm_keyring_copy_destroyed()");
	PreventCommandDuringRecovery("laras.confirm_keyring_copy_destroyed()");
	laras_require_preload();
	if (length < STATEMENT_MIN || length > STATEMENT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the end of a copy is confirmed by a statement of what became of it"),
				 errhint("Say in %d to %d characters how it was destroyed.", STATEMENT_MIN,
						 STATEMENT_MAX)));
	laras_run_as_owner(&saved);
	laras_spi_open();
	if (laras_spi_run(&lock_copy, (Datum[]){Int64GetDatum(copy)}, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no such copy of the keyring"),
						errhint("See laras.keyring_copies.")));
	destroyed = laras_spi_bool(0, 1);
	epoch = laras_spi_int4(0, 2);
	if (!destroyed)
		laras_spi_run_one(&destroy_copy, (Datum[]){Int64GetDatum(copy), PointerGetDatum(statement)},
						  NULL);
	laras_spi_close();
	laras_run_as_end(&saved);
	if (destroyed)
		PG_RETURN_BOOL(false);
	write_act(LARAS_ACT_KEYRING_COPY_DESTROYED, copy, epoch);
	PG_RETURN_BOOL(true);
}
