/*
 * destroy.c
 *		Destroying keys with the transaction that orders it.
 *
 * The order of things (keys, section 7):
 *	 in the transaction	key_destruction rows, nothing else is touched;
 *	 PRE_COMMIT			everything that may fail: descriptors opened, ring and
 *						journal places reserved, commit made synchronous;
 *	 COMMIT				bits set first, journal appended, the first mirror in
 *						sync overwritten and synced here, the others by the
 *						vault worker, for whom we wait a while.
 *
 * Invariant: after PRE_COMMIT nothing here raises, allocates or waits without
 * end. What fails then is logged and stays pending in key_destruction, whose
 * rows the vault worker repeats until every mirror has been read back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/durable.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/keyowner.h"
#include "vault/vault.h"
#include "worker/worker.h"

typedef struct Order
{
	uint32 slot;
	uint8 reason;
	uint8 order[LARAS_ORDER_LEN];
	SubTransactionId subid;
} Order;

/* this transaction's orders, in TopTransactionContext */
static Order *orders = NULL;
static uint32 norders = 0;
static uint32 orders_size = 0;
static LarasVault *orders_vault = NULL;

/* made at PRE_COMMIT for the callback */
static LarasJournalRecord *records = NULL;
static uint32 nrecords = 0;
static bool reserved = false;

static bool callbacks_registered = false;

LARAS_PLAN(insert_order,
		   "INSERT INTO laras.key_destruction (workspace_id, order_id, slot, reason, ordered_at)"
		   " VALUES ($1, $2, $3, $4, laras.now()) ON CONFLICT DO NOTHING",
		   INT8OID, BYTEAOID, INT8OID, INT2OID);

LARAS_PLAN(insert_known,
		   "INSERT INTO laras.key_destruction (workspace_id, order_id, slot, reason, ordered_at)"
		   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		   INT8OID, BYTEAOID, INT8OID, INT2OID, TIMESTAMPTZOID);

void
laras_new_order(uint8 order[16])
{
	if (!laras_random_bytes(order, LARAS_ORDER_LEN))
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "random bytes");
		laras_vault_raise(&err);
	}
}

static void
forget_orders(void)
{
	/* the memory went, or goes, with TopTransactionContext */
	orders = NULL;
	norders = orders_size = 0;
	records = NULL;
	nrecords = 0;
	reserved = false;
	orders_vault = NULL;
}

/*
 * PRE_COMMIT: the last place that may fail. The mirrors beyond the first may
 * be out of reach, they are caught up later; one must take the orders now.
 */
static void
prepare_destruction(void)
{
	LarasVault *v = orders_vault;
	LarasMirrors *m;
	LarasMirrorMask usable;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	TimestampTz now = GetCurrentTimestamp();
	int64 unix_now = now + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	bool ready = false;

	LARAS_FAULT("destroy.pre_commit");
	records = MemoryContextAllocZero(TopTransactionContext, sizeof(LarasJournalRecord) * norders);
	nrecords = 0;
	for (uint32 i = 0; i < norders; i++)
	{
		LarasJournalRecord *rec = &records[nrecords];

		if (laras_bit_test(v->destroyed, orders[i].slot))
			continue;
		rec->kind = LARAS_JOURNAL_DESTROY;
		rec->reason = orders[i].reason;
		rec->first = orders[i].slot;
		rec->count = 1;
		rec->time = unix_now;
		memcpy(rec->order, orders[i].order, LARAS_ORDER_LEN);
		nrecords++;
	}

	m = laras_vault_mirrors(v, &usable);
	usable &= laras_vault_in_sync(v);
	for (int i = 0; i < m->n && !ready; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (!(usable & ((LarasMirrorMask) 1 << i)))
			continue;
		ready = laras_ring_open(v, m, i, &one);
		for (uint32 r = 0; ready && r < nrecords; r++)
		{
			/* a slab that is lost does not stop an erasure */
			if (!laras_ring_open_slab(m, i, records[r].first, &one) &&
				one.code != LARAS_KEYERR_ABSENT)
				ready = false;
		}
		if (!ready)
		{
			laras_ring_close_slabs();
			laras_mirror_failed(v, i, &one);
			err = one;
		}
	}
	if (!ready)
	{
		if (err.code == LARAS_KEYERR_NONE || err.code == LARAS_KEYERR_ABSENT)
			laras_keyerror(&err, LARAS_KEYERR_MIRROR, err.sys_errno,
						   "no mirror takes the destruction");
		laras_vault_raise(&err);
	}
	if (!laras_crypto_init())
	{
		laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "preparing the destruction");
		laras_vault_raise(&err);
	}
	if (!laras_ring_reserve(v, nrecords))
	{
		laras_keyerror(&err, LARAS_KEYERR_MIRROR, 0, "no mirror is in sync");
		laras_vault_raise(&err);
	}
	reserved = true;

	/* the client may be told "unreadable" only after a durable commit */
	laras_commit_durably();
	laras_work_queued(LARAS_WORK_VAULT);
	LARAS_FAULT("destroy.prepared");
}

/* Wait for the worker to bring the other mirrors up to seq; gives up in time. */
static void
wait_for_mirrors(LarasVault *v, uint64 seq)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), laras_mirror_timeout);

	for (int i = 0; i < v->nmirrors; i++)
	{
		LarasMirrorInfo *info = &v->mirror[i];

		/*
		 * No latch and no condition variable here: both serve interrupts, and
		 * this must neither raise nor be cut short. The worker answers within
		 * a fraction of a millisecond; the pauses grow to one only where it does not.
		 */
		for (long pause = 20, waited = 0;
			 pg_atomic_read_u32(&info->state) == LARAS_MIRROR_IN_SYNC &&
			 pg_atomic_read_u64(&info->applied) < seq;
			 pause = Min(pause + 10, waited < 50 ? 100 : 1000), waited++)
		{
			if (GetCurrentTimestamp() >= until)
			{
				ereport(
					LOG,
					(errmsg(
						"keyring mirror \"%s\" did not take a destruction in time; it stays pending",
						info->name)));
				return;
			}
			pg_usleep(pause);
		}
	}
}

/*
 * COMMIT: the transaction is durable. From here on every failure is somebody
 * else's to repair, see the file's head.
 */
static void
carry_out(void)
{
	LarasVault *v = orders_vault;
	LarasMirrors *m;
	LarasMirrorMask usable = 0;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint64 seq;
	bool written = false;
	bool alone;

	LARAS_FAULT("destroy.committed");
	for (uint32 i = 0; i < nrecords; i++)
		laras_bit_set(v->destroyed, records[i].first);
	LARAS_FAULT("destroy.bits_set");
	if (laras_keys_destroyed != NULL)
		laras_keys_destroyed();
	if (nrecords > 0)
	{
		seq = laras_ring_append(v, records, nrecords);
		reserved = false;
		LARAS_FAULT("destroy.appended");
		laras_work_now(LARAS_WORK_VAULT);
		m = laras_vault_mirrors_noraise(v, &usable, &err);
		usable &= laras_vault_in_sync(v);
		/* the vault worker has nobody to leave the other mirrors to */
		alone = laras_in_worker() && laras_worker_spec()->kind == LARAS_WORK_VAULT;
		for (int i = 0; m != NULL && i < m->n && (alone || !written); i++)
		{
			if ((usable & ((LarasMirrorMask) 1 << i)) != 0 && laras_ring_flush(v, m, i, seq, &err))
				written = true;
		}
		LARAS_FAULT("destroy.flushed");
		if (!written)
			ereport(LOG,
					(errmsg(
						 "a committed key destruction could not be written yet; it stays pending"),
					 errdetail("Reason: %s.", err.what ? err.what : "no mirror is in sync")));
		if (!alone)
			wait_for_mirrors(v, seq);
	}
	LARAS_FAULT("destroy.done");
	laras_ring_close_slabs();
}

static void
transaction_event(XactEvent event, void *arg)
{
	if (norders == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			prepare_destruction();
			break;
		case XACT_EVENT_COMMIT:
			carry_out();
			forget_orders();
			break;
		case XACT_EVENT_ABORT:
			if (reserved)
				laras_ring_unreserve(orders_vault, nrecords);
			laras_ring_close_slabs();
			forget_orders();
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(
				ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that destroys keys"),
				 errdetail(
					 "Keys are destroyed when the commit returns, by the session that commits.")));
			break;
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (norders == 0)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		uint32 n = 0;

		for (uint32 i = 0; i < norders; i++)
		{
			if (orders[i].subid != mine)
				orders[n++] = orders[i];
		}
		norders = n;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (uint32 i = 0; i < norders; i++)
		{
			if (orders[i].subid == mine)
				orders[i].subid = parent;
		}
	}
}

static void
remember_order(uint32 slot, LarasDestroyReason reason, const uint8 *order)
{
	if (!callbacks_registered)
	{
		RegisterXactCallback(transaction_event, NULL);
		RegisterSubXactCallback(subtransaction_event, NULL);
		callbacks_registered = true;
	}
	if (norders == orders_size)
	{
		uint32 size = orders_size == 0 ? 16 : orders_size * 2;

		if (orders == NULL)
			orders = MemoryContextAlloc(TopTransactionContext, sizeof(Order) * size);
		else
			orders = repalloc(orders, sizeof(Order) * size);
		orders_size = size;
	}
	orders[norders].slot = slot;
	orders[norders].reason = (uint8) reason;
	memcpy(orders[norders].order, order, LARAS_ORDER_LEN);
	orders[norders].subid = GetCurrentSubTransactionId();
	norders++;
}

void
laras_destroy_slot(int64 workspace_id, uint32 slot, LarasDestroyReason reason,
				   const uint8 order[16])
{
	LarasVault *v = laras_vault_here();
	uint8 fresh[LARAS_ORDER_LEN];
	Datum order_id;
	LarasRunAs saved;

	if (IsInParallelMode())
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
						errmsg("cannot destroy a key during a parallel operation")));
	PreventCommandIfReadOnly("destroying a key");
	PreventCommandDuringRecovery("destroying a key");
	if (v == NULL || pg_atomic_read_u32(&v->known) == 0 || pg_atomic_read_u32(&v->owned) == 0)
		laras_vault_raise_closed(v);
	if (slot == LARAS_SLOT_PLATFORM || slot == LARAS_SLOT_COURIER || slot >= v->max_slots)
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this key slot cannot be destroyed"),
			 errdetail(
				 "The platform's own keys and numbers beyond laras.keyring_max_slots are refused.")));
	if (norders >= LARAS_VAULT_ORDERS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many keys are destroyed in one transaction"),
						errhint("Destroy at most %d keys in a transaction.", LARAS_VAULT_ORDERS)));
	if (order == NULL)
	{
		laras_new_order(fresh);
		order = fresh;
	}

	order_id = laras_bytea_datum(order, LARAS_ORDER_LEN);
	laras_vault_run_as(&saved);
	laras_spi_open();
	(void) laras_spi_run(&insert_order,
						 (Datum[]){Int64GetDatum(workspace_id), order_id,
								   Int64GetDatum((int64) slot), Int16GetDatum((int16) reason)},
						 NULL);
	laras_spi_close();
	laras_run_as_end(&saved);
	pfree(DatumGetPointer(order_id));

	/* destroyed before: recorded, and nothing is left to do at the commit */
	if (laras_bit_test(v->destroyed, slot))
		return;
	orders_vault = v;
	remember_order(slot, reason, order);
}

void
laras_slot_read_mark(uint32 slot, LarasSlotMark *mark)
{
	LarasVault *v = laras_vault_here();
	LarasMirrors *m;
	LarasMirrorMask usable;

	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		laras_vault_raise_closed(v);
	m = laras_vault_mirrors(v, &usable);
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		uint8 raw[LARAS_SLOT_LEN];
		LarasTomb tomb;

		if ((usable & ((LarasMirrorMask) 1 << i)) == 0 ||
			laras_mirrors_look(m, i, slot, raw, &tomb, &err) != LARAS_SLOT_DESTROYED)
			continue;
		mark->reason = tomb.reason;
		mark->at = tomb.time - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
		memcpy(mark->order, tomb.order, LARAS_ORDER_LEN);
		return;
	}
	mark->reason = LARAS_REASON_REPEATED;
	mark->at = GetCurrentTimestamp();
	laras_new_order(mark->order);
}

void
laras_record_destruction(int64 workspace_id, uint32 slot, const LarasSlotMark *mark)
{
	LarasRunAs saved;

	laras_vault_run_as(&saved);
	laras_spi_open();
	(void) laras_spi_run(&insert_known,
						 (Datum[]){Int64GetDatum(workspace_id),
								   laras_bytea_datum(mark->order, LARAS_ORDER_LEN),
								   Int64GetDatum((int64) slot), Int16GetDatum((int16) mark->reason),
								   TimestampTzGetDatum(mark->at)},
						 NULL);
	laras_spi_close();
	laras_run_as_end(&saved);
}
