/*
 * keyring.c
 *		What a person states about copies of keys: acts on the keyring that are
 *		evidence.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/spi.h"
#include "evidence/evidence.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_remove_mirror);
PG_FUNCTION_INFO_V1(laras_rotate_master_key);
PG_FUNCTION_INFO_V1(laras_confirm_master_key_destroyed);

#define REFERENCE_MIN 3
#define REFERENCE_MAX 500

LARAS_PLAN(lock_epoch,
		   "SELECT e.retired_at IS NOT NULL, e.destroyed_at IS NOT NULL,"
		   " EXISTS (SELECT FROM laras.master_key_epoch o WHERE o.epoch < e.epoch"
		   " AND o.destroyed_at IS NULL)"
		   " FROM laras.master_key_epoch e WHERE e.epoch = $1 FOR UPDATE",
		   INT4OID);

LARAS_PLAN(destroy_epoch,
		   "UPDATE laras.master_key_epoch SET destroyed_at = laras.now(), reference = $2"
		   " WHERE epoch = $1",
		   INT4OID, TEXTOID);

static void
write_act(LarasAction action, LarasEvidenceField *fields, int n)
{
	LarasEvidence act = {.action = action,
						 .subject_kind = LARAS_SUBJECT_KEYRING,
						 .nfields = n,
						 .fields = fields};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

/* laras.remove_mirror(name text, statement text) returns boolean */
Datum
laras_remove_mirror(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 pending;

	PreventCommandIfReadOnly("laras.remove_mirror()");
	PreventCommandDuringRecovery("laras.remove_mirror()");
	laras_require_preload();
	if (!laras_vault_remove_mirror(text_to_cstring(PG_GETARG_TEXT_PP(0)),
								   text_to_cstring(PG_GETARG_TEXT_PP(1)), &pending))
		PG_RETURN_BOOL(false);
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, pending)};

		write_act(LARAS_ACT_MIRROR_REMOVED, fields, lengthof(fields));
	}
	PG_RETURN_BOOL(true);
}

/* laras.rotate_master_key() returns integer: the new epoch, null where one is under way */
Datum
laras_rotate_master_key(PG_FUNCTION_ARGS)
{
	int epoch;

	PreventCommandIfReadOnly("laras.rotate_master_key()");
	PreventCommandDuringRecovery("laras.rotate_master_key()");
	laras_require_preload();
	if (!laras_vault_rotate_key(&epoch))
		PG_RETURN_NULL();
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, epoch)};

		write_act(LARAS_ACT_MASTER_KEY_ROTATED, fields, lengthof(fields));
	}
	PG_RETURN_INT32(epoch);
}

/*
 * laras.confirm_master_key_destroyed(epoch integer, reference text) returns boolean
 */
Datum
laras_confirm_master_key_destroyed(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int32 epoch = PG_GETARG_INT32(0);
	char *reference = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int length = pg_mbstrlen(reference);
	bool retired;
	bool destroyed;
	bool earlier;
	LarasRunAs saved;

	PreventCommandIfReadOnly("laras.confirm_master_key_destroyed()");
	PreventCommandDuringRecovery("laras.confirm_master_key_destroyed()");
	laras_require_preload();
	if (length < REFERENCE_MIN || length > REFERENCE_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the destruction of a master key is confirmed with a reference"),
						errhint("Name the record of the key store in %d to %d characters.",
								REFERENCE_MIN, REFERENCE_MAX)));
	laras_run_as_owner(&saved);
	laras_spi_open();
	if (laras_spi_run(&lock_epoch, (Datum[]){Int32GetDatum(epoch)}, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no such epoch"),
						errhint("See laras.master_key_epoch.")));
	retired = laras_spi_bool(0, 1);
	destroyed = laras_spi_bool(0, 2);
	earlier = laras_spi_bool(0, 3);
	if (!retired)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("keys are still wrapped under this epoch"),
						errhint("Do not destroy it before laras.progress_rotation has ended.")));
	if (earlier && !destroyed)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("an earlier epoch is not confirmed to be destroyed"),
						errhint("Confirm epochs in their order.")));
	if (!destroyed && laras_master_key_is_given(epoch))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the master key of this epoch is still given to the server"),
				 errhint(
					 "Take its line out of laras.master_key_file, or out of what "
					 "laras.master_key_command gives, and destroy the key in its store first.")));
	if (!destroyed)
		laras_spi_run_one(&destroy_epoch,
						  (Datum[]){Int32GetDatum(epoch), CStringGetTextDatum(reference)}, NULL);
	laras_spi_close();
	laras_run_as_end(&saved);
	if (destroyed)
		PG_RETURN_BOOL(false);
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, epoch)};

		write_act(LARAS_ACT_MASTER_KEY_DESTROYED, fields, lengthof(fields));
	}
	laras_work_queued(LARAS_WORK_VAULT);
	laras_work_queued(LARAS_WORK_KEEPER);
	PG_RETURN_BOOL(true);
}
