/*
 * slotlease.c
 *		Handing out fresh slots, and getting back those of rolled-back
 *		transactions.
 *
 * Positions are leased by the vault worker (synced in every mirror in sync
 * before a backend may take one) and taken here under a spinlock. Invariant: a
 * slot that was handed out is either named by a committed key_owner row or on
 * the orphan list, whose room was reserved before the slot was taken; what a
 * crash takes from the list, the sweep at the next start finds.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

#define LEASE_WAIT_MS 10000

typedef struct Leased
{
	uint32 slot;
	SubTransactionId subid;
} Leased;

/* this transaction's slots, in TopTransactionContext */
static Leased *leased = NULL;
static uint32 nleased = 0;
static uint32 leased_size = 0;
static LarasVault *leased_vault = NULL;
static bool callbacks_registered = false;

/* Room for one more slot on the orphan list, or an error. */
static void
reserve_orphan(LarasVault *v)
{
	bool room;

	LWLockAcquire(v->orphan_lock, LW_EXCLUSIVE);
	room = v->orphans_reserved + v->norphans < LARAS_VAULT_ORPHANS;
	if (room)
		v->orphans_reserved++;
	LWLockRelease(v->orphan_lock);
	if (!room)
		ereport(ERROR, (errcode(LARAS_ERRCODE_NO_SLOT), errmsg("no free key slot is in sync"),
						errdetail("Open transactions hold %d key slots.", LARAS_VAULT_ORPHANS),
						errhint("Commit in smaller batches.")));
}

/* The first n reserved slots of the list become orphans, or are let go. */
static void
settle(LarasVault *v, const uint32 *slots, uint32 n, bool orphaned)
{
	LWLockAcquire(v->orphan_lock, LW_EXCLUSIVE);
	v->orphans_reserved -= Min(n, v->orphans_reserved);
	for (uint32 i = 0; orphaned && i < n && v->norphans < LARAS_VAULT_ORPHANS; i++)
		v->orphans[v->norphans++] = slots[i];
	LWLockRelease(v->orphan_lock);
	if (orphaned)
		laras_work_now(LARAS_WORK_VAULT);
}

static void
transaction_event(XactEvent event, void *arg)
{
	if (nleased == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			settle(leased_vault, NULL, nleased, false);
			break;
		case XACT_EVENT_ABORT:
			LARAS_FAULT("lease.abort");
			for (uint32 i = 0; i < nleased; i++)
				settle(leased_vault, &leased[i].slot, 1, true);
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("cannot PREPARE a transaction that makes keys")));
			break;
		default:
			return;
	}
	leased = NULL; /* went with TopTransactionContext */
	nleased = leased_size = 0;
	leased_vault = NULL;
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	uint32 n = 0;

	if (nleased == 0 || (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	for (uint32 i = 0; i < nleased; i++)
	{
		if (leased[i].subid == mine && event == SUBXACT_EVENT_ABORT_SUB)
		{
			settle(leased_vault, &leased[i].slot, 1, true);
			continue;
		}
		if (leased[i].subid == mine)
			leased[i].subid = parent;
		leased[n++] = leased[i];
	}
	nleased = n;
}

/* Room for one more entry, so that nothing can fail once a slot is taken. */
static void
make_room(void)
{
	if (!callbacks_registered)
	{
		RegisterXactCallback(transaction_event, NULL);
		RegisterSubXactCallback(subtransaction_event, NULL);
		callbacks_registered = true;
	}
	if (nleased == 0)
	{
		/* what an emptied list left behind is in the same transaction or gone */
		leased_size = 64;
		leased = MemoryContextAlloc(TopTransactionContext, sizeof(Leased) * leased_size);
	}
	else if (nleased == leased_size)
	{
		leased = repalloc(leased, sizeof(Leased) * leased_size * 2);
		leased_size *= 2;
	}
}

/* Take the next leased position; false when there is none. */
static bool
take_position(LarasVault *v, uint64 *position, bool *low)
{
	bool taken = false;

	SpinLockAcquire(&v->lease_lock);
	if (v->lease_next < v->lease_until)
	{
		*position = v->lease_next++;
		taken = true;
	}
	*low = v->lease_until - v->lease_next < LARAS_LEASE_STEP / 2;
	SpinLockRelease(&v->lease_lock);
	return taken;
}

uint32
laras_slot_lease(void)
{
	LarasVault *v = laras_vault_here();
	TimestampTz until;
	uint64 position;
	uint32 slot;
	bool low;
	bool asked = false;

	if (IsInParallelMode())
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
						errmsg("cannot make a key during a parallel operation")));
	PreventCommandIfReadOnly("making a key");
	PreventCommandDuringRecovery("making a key");
	laras_vault_require_open();
	(void) GetCurrentTransactionId();
	make_room();
	reserve_orphan(v);

	until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LEASE_WAIT_MS);
	PG_TRY();
	{
		while (!take_position(v, &position, &low))
		{
			laras_work_now(LARAS_WORK_VAULT);
			if (ConditionVariableTimedSleep(&v->lease_moved, 100, PG_WAIT_EXTENSION) &&
				GetCurrentTimestamp() >= until)
				ereport(ERROR,
						(errcode(LARAS_ERRCODE_NO_SLOT), errmsg("no free key slot is in sync"),
						 errdetail("The vault worker has leased none within %d seconds.",
								   LEASE_WAIT_MS / 1000),
						 errhint(
							 "Check that the vault worker runs and that the mirrors have room.")));
			if (laras_vault_phase(v) != LARAS_VAULT_OPEN)
				laras_vault_raise_closed(v);
			asked = true;
		}
		if (asked)
			ConditionVariableCancelSleep();
	}
	PG_CATCH();
	{
		settle(v, NULL, 1, false);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (low && !asked)
		laras_work_now(LARAS_WORK_VAULT);

	if (!laras_position_slot(v->keyring.uuid, position, &slot))
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		settle(v, NULL, 1, false);
		laras_keyerror(&err, LARAS_KEYERR_NO_SLOT, 0, "the keyring has handed out every slot");
		laras_vault_raise(&err);
	}
	leased[nleased].slot = slot;
	leased[nleased].subid = GetCurrentSubTransactionId();
	nleased++;
	leased_vault = v;
	LARAS_FAULT("lease.taken");
	return slot;
}

void
laras_slot_discard(uint32 slot)
{
	for (uint32 i = 0; i < nleased; i++)
	{
		if (leased[i].slot == slot)
		{
			settle(leased_vault, &slot, 1, true);
			leased[i] = leased[--nleased];
			return;
		}
	}
}
