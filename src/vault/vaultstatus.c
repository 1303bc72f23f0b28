/*
 * vaultstatus.c
 *		The SQL functions behind laras.keyring_status, and adopt_keyring().
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/errors.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

#define ADOPT_WAIT_MS 60000

PG_FUNCTION_INFO_V1(laras_list_keyring_mirrors);
PG_FUNCTION_INFO_V1(laras_show_keyring);
PG_FUNCTION_INFO_V1(laras_adopt_keyring);
PG_FUNCTION_INFO_V1(laras_show_rotation);

static const char *
mirror_state_name(uint32 state)
{
	switch ((LarasMirrorState) state)
	{
		case LARAS_MIRROR_IN_SYNC:
			return "in sync";
		case LARAS_MIRROR_BEHIND:
			return "behind";
		case LARAS_MIRROR_REMOVED:
			return "removed";
		case LARAS_MIRROR_NONE:
			break;
	}
	return "none";
}

static const char *
sweep_name(uint32 why)
{
	switch ((LarasSweepOff) why)
	{
		case LARAS_SWEEP_ON:
			return "on";
		case LARAS_SWEEP_NOT_OWNER:
			return "off: the keyring has another owner";
		case LARAS_SWEEP_OLDER_WAL:
			return "off below the mark: the database is older than the keyring";
		case LARAS_SWEEP_TIMELINE:
			return "off below the mark: the database changed its timeline";
		case LARAS_SWEEP_UNKNOWN_RECORD:
			return "off below the mark: the journal has orders that the database lacks";
		case LARAS_SWEEP_NOT_YET:
			break;
	}
	return "not yet";
}

Datum
laras_list_keyring_mirrors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LarasVault *v = laras_vault_here();

	InitMaterializedSRF(fcinfo, 0);
	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		return (Datum) 0;
	for (int i = 0; i < v->nmirrors; i++)
	{
		LarasMirrorInfo *m = &v->mirror[i];
		uint32 direct = pg_atomic_read_u32(&m->direct);
		Datum values[6];
		bool nulls[6] = {false};

		values[0] = CStringGetTextDatum(m->name);
		values[1] = CStringGetTextDatum(mirror_state_name(pg_atomic_read_u32(&m->state)));
		values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&v->journal_last));
		values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&m->applied));
		values[4] = Int64GetDatum((int64) pg_atomic_read_u32(&m->failures));
		nulls[5] = direct == 0;
		values[5] =
			direct == 0 ? (Datum) 0 : CStringGetTextDatum(direct == 1 ? "direct" : "cached");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
laras_show_keyring(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();
	TupleDesc desc;
	Datum values[13] = {0};
	bool nulls[13];
	LarasVaultPhase phase = LARAS_VAULT_CLOSED;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (v != NULL)
	{
		LWLockAcquire(v->lock, LW_SHARED);
		phase = laras_vault_phase(v);
		if (v->why_text[0] != '\0')
		{
			values[1] = CStringGetTextDatum(v->why_text);
			nulls[1] = false;
		}
		if (pg_atomic_read_u32(&v->known) != 0)
		{
			pg_uuid_t *uuid = palloc(sizeof(pg_uuid_t));

			memcpy(uuid->data, v->keyring.uuid, UUID_LEN);
			values[2] = Int32GetDatum(v->index);
			values[3] = UUIDPGetDatum(uuid);
			values[4] = Int32GetDatum(v->keyring.current_epoch);
			values[5] = Int32GetDatum(v->keyring.oldest_epoch);
			values[6] = Int64GetDatum((int64) v->keyring.adoptions);
			values[7] = Int32GetDatum((int32) pg_atomic_read_u32(&v->slabs_made));
			SpinLockAcquire(&v->lease_lock);
			values[8] = Int64GetDatum((int64) v->lease_until);
			SpinLockRelease(&v->lease_lock);
			values[9] = Int64GetDatum((int64) pg_atomic_read_u64(&v->pending_orders));
			values[10] = Int64GetDatum((int64) pg_atomic_read_u64(&v->swept));
			values[11] = Int64GetDatum((int64) pg_atomic_read_u64(&v->left_over));
			values[12] = CStringGetTextDatum(sweep_name(pg_atomic_read_u32(&v->sweep_off)));
			memset(nulls + 2, false, sizeof(bool) * 11);
		}
		LWLockRelease(v->lock);
	}
	else
	{
		values[1] = CStringGetTextDatum("no vault worker has started for this database");
		nulls[1] = false;
	}
	values[0] = CStringGetTextDatum(phase == LARAS_VAULT_OPEN        ? "open"
									: phase == LARAS_VAULT_REPLAYING ? "replaying"
																	 : "closed");
	nulls[0] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * Wait until the vault worker, which alone writes the keyring file, has
 * answered what was asked of it as number mine. Returns holding v->lock shared,
 * so that the answer can be read; raises when the worker does not come.
 */
static void
await_answer(LarasVault *v, const uint64 *answered, uint64 mine)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ADOPT_WAIT_MS);

	laras_work_now(LARAS_WORK_VAULT);
	ConditionVariablePrepareToSleep(&v->adopt_moved);
	for (;;)
	{
		LWLockAcquire(v->lock, LW_SHARED);
		if (*answered >= mine)
			break;
		LWLockRelease(v->lock);
		if (ConditionVariableTimedSleep(&v->adopt_moved, 1000, PG_WAIT_EXTENSION) &&
			GetCurrentTimestamp() >= until)
		{
			ConditionVariableCancelSleep();
			ereport(ERROR,
					(errcode(LARAS_ERRCODE_VAULT_CLOSED), errmsg("the vault worker did not answer"),
					 errhint("See laras.worker_status.")));
		}
	}
	ConditionVariableCancelSleep();
}

/* Ask for it, and wait. */
Datum
laras_adopt_keyring(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();
	uint64 mine;
	LarasKeyErrorCode result;

	PreventCommandDuringRecovery("laras.adopt_keyring()");
	if (v == NULL)
		laras_vault_raise_closed(v);
	if (pg_atomic_read_u32(&v->owned) != 0)
		PG_RETURN_BOOL(false);
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	mine = ++v->adopt_asked;
	LWLockRelease(v->lock);
	await_answer(v, &v->adopt_answered, mine);
	result = v->adopt_result;
	LWLockRelease(v->lock);
	if (result != LARAS_KEYERR_NONE)
		laras_vault_raise_closed(v);
	PG_RETURN_BOOL(true);
}

bool
laras_vault_rotate_key(int *epoch)
{
	LarasVault *v = laras_vault_here();
	uint64 mine;
	LarasKeyError result;

	if (v == NULL || laras_vault_phase(v) != LARAS_VAULT_OPEN)
		laras_vault_raise_closed(v);
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	*epoch = v->keyring.current_epoch;
	if (v->keyring.oldest_epoch != v->keyring.current_epoch)
	{
		LWLockRelease(v->lock);
		return false;
	}
	mine = ++v->rotate_asked;
	LWLockRelease(v->lock);
	await_answer(v, &v->rotate_answered, mine);
	result = v->rotate_result;
	*epoch = v->keyring.current_epoch;
	LWLockRelease(v->lock);
	if (result.code != LARAS_KEYERR_NONE)
		laras_vault_raise(&result);
	return true;
}

/* What keeps the old epoch in use; NULL: nothing but the keys still to be wrapped. */
static const char *
rotation_waits_for(LarasVault *v)
{
	uint32 waits = pg_atomic_read_u32(&v->rotate_waits);

	for (int i = 0; i < v->nmirrors; i++)
		if (pg_atomic_read_u32(&v->mirror[i].state) == LARAS_MIRROR_BEHIND)
			return psprintf("mirror \"%s\" is out of sync and may hold keys of the old epoch",
							v->mirror[i].name);
	if (waits & LARAS_ROTATION_SLAB)
		return "a slab is absent or cannot be written, and may hold keys of the old epoch";
	if (waits & LARAS_ROTATION_KEY)
		return "keys that differ between mirrors are repaired first";
	if (waits & LARAS_ROTATION_COURIER)
		return "the courier's key is not wrapped under the new epoch in every mirror";
	if (waits & (LARAS_ROTATION_MIRROR | LARAS_ROTATION_JOINED))
		return "one more pass, since a mirror came back meanwhile";
	return NULL;
}

/* laras.keyring_rotation(): one row */
Datum
laras_show_rotation(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();
	TupleDesc desc;
	Datum values[6] = {0};
	bool nulls[6] = {false, true, true, true, true, true};
	bool running = false;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (v != NULL && pg_atomic_read_u32(&v->known) != 0)
	{
		LWLockAcquire(v->lock, LW_SHARED);
		running = v->keyring.oldest_epoch != v->keyring.current_epoch;
		values[1] = Int32GetDatum((int32) v->keyring.oldest_epoch);
		values[2] = Int32GetDatum((int32) v->keyring.current_epoch);
		LWLockRelease(v->lock);
		nulls[1] = nulls[2] = false;
		values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&v->rotate_done));
		values[4] = Int64GetDatum((int64) pg_atomic_read_u64(&v->rotate_total));
		nulls[3] = nulls[4] = !running;
		if (running)
		{
			const char *waits = rotation_waits_for(v);

			nulls[5] = waits == NULL;
			values[5] = waits == NULL ? (Datum) 0 : CStringGetTextDatum(waits);
		}
	}
	values[0] = BoolGetDatum(running);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
