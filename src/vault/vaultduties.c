/*
 * vaultduties.c
 *		What the vault worker does again and again, outside of transactions:
 *		mirrors brought up to the journal's end, slots leased and slabs made
 *		ahead, slots of rolled-back transactions destroyed, bad slots repaired.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define SLABS_OF_WINDOW 16
#define SLOTS_OF_WINDOW 65536
#define LEASES_IN_STOCK (2 * LARAS_LEASE_STEP)
#define ORPHANS_AT_ONCE 1024
#define MAKE_AGAIN_US (5 * USECS_PER_SEC) /* after a file could not be made */
#define SAY_AGAIN_US (600 * USECS_PER_SEC)

void
laras_vault_flush_mirrors(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask usable;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrors *m;
	uint64 last = pg_atomic_read_u64(&v->journal_last);
	bool behind = false;

	for (int i = 0; i < v->nmirrors; i++)
	{
		if (pg_atomic_read_u32(&v->mirror[i].state) == LARAS_MIRROR_IN_SYNC &&
			pg_atomic_read_u64(&v->mirror[i].applied) < last)
			behind = true;
	}
	if (!behind)
		return;
	m = laras_vault_mirrors_noraise(v, &usable, &err);
	if (m == NULL)
		return;
	usable &= laras_vault_in_sync(v);
	/* the last first: whoever commits writes the first mirror meanwhile */
	for (int i = m->n - 1; i >= 0; i--)
	{
		if (pg_atomic_read_u32(&v->mirror[i].state) != LARAS_MIRROR_IN_SYNC)
			continue;
		if ((usable & ((LarasMirrorMask) 1 << i)) == 0)
		{
			laras_keyerror(&err, LARAS_KEYERR_MIRROR, 0, "it cannot be opened");
			laras_mirror_failed(v, i, &err);
			continue;
		}
		LARAS_FAULT("mirror.flush");
		(void) laras_ring_flush(v, m, i, pg_atomic_read_u64(&v->journal_last), &err);
	}
}

bool
laras_keep_in_sync(LarasVaultWork *w, LarasMirrorMask wanted, LarasMirrorMask done,
				   const LarasKeyError *err)
{
	for (int i = 0; i < w->m.n; i++)
	{
		if ((wanted & ~done & ((LarasMirrorMask) 1 << i)) != 0)
			laras_mirror_failed(w->v, i, err);
	}
	return done != 0;
}

bool
laras_vault_lease_ahead(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask done;
	LarasLease lease = w->lease;
	uint64 stock;
	uint64 capacity =
		(uint64) (pg_atomic_read_u32(&v->slabs_made) / SLABS_OF_WINDOW) * SLOTS_OF_WINDOW;
	uint64 steps;

	SpinLockAcquire(&v->lease_lock);
	stock = v->lease_until - v->lease_next;
	SpinLockRelease(&v->lease_lock);
	if (stock >= LARAS_LEASE_STEP)
		return true;
	steps = (LEASES_IN_STOCK - stock + LARAS_LEASE_STEP - 1) / LARAS_LEASE_STEP;
	if (lease.next_position + steps * LARAS_LEASE_STEP > capacity)
		return laras_keyerror(err, LARAS_KEYERR_NO_SLOT, 0, "no slab is ready");
	lease.next_position += steps * LARAS_LEASE_STEP;
	/* never less: an older database is noticed by it, by the sweep, which comes later */
	lease.wal_position = Max(lease.wal_position, GetFlushRecPtr(NULL));
	LARAS_FAULT("lease.before_write");
	done = laras_mirrors_lease(&w->m, mask, &lease, err);
	if (!laras_keep_in_sync(w, mask, done, err))
		return false;
	LARAS_FAULT("lease.written");
	w->lease = lease;
	/* a database restored without these mirrors still knows how far they were */
	laras_vault_note_lease(lease.next_position);
	LARAS_FAULT("lease.noted");
	SpinLockAcquire(&v->lease_lock);
	v->lease_until = lease.next_position;
	SpinLockRelease(&v->lease_lock);
	ConditionVariableBroadcast(&v->lease_moved);
	LARAS_FAULT("lease.published");
	return true;
}

/* Is another mirror in sync beside this one? */
static bool
others_in_sync(LarasVaultWork *w, int mirror)
{
	return (laras_vault_in_sync(w->v) & w->opened & ~((LarasMirrorMask) 1 << mirror)) != 0;
}

/*
 * A file could not be made ahead: its mirror is full, say. It holds everything
 * that it must until the file is needed, so it is put aside only then, and
 * never as the last one.
 */
static void
not_made(LarasVaultWork *w, int mirror, bool needed, const LarasKeyError *err, const char *doing)
{
	static TimestampTz said = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (needed && mirror >= 0 && others_in_sync(w, mirror))
	{
		laras_mirror_failed(w->v, mirror, err);
		return;
	}
	if (said == 0 || now - said > SAY_AGAIN_US || now < said)
	{
		laras_vault_log(WARNING, err, doing);
		said = now;
	}
}

/*
 * One more slab, when fewer than wanted are unused. A slab takes a few
 * milliseconds, so that a destruction never waits long for this worker.
 */
bool
laras_vault_slabs_ahead(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	uint32 made = pg_atomic_read_u32(&v->slabs_made);
	uint32 limit =
		v->max_slots / LARAS_SLOTS_PER_SLAB - LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB;
	uint32 used = (uint32) (w->lease.next_position / SLOTS_OF_WINDOW) * SLABS_OF_WINDOW;
	uint32 wanted = used + Max(Max(laras_keyring_slabs_ahead, SLABS_OF_WINDOW), w->growth);
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasWrapSet wraps;
	const uint8 *wrap;
	uint16 epoch = v->keyring.current_epoch;
	int dirfds[LARAS_MAX_MIRRORS];
	int places[LARAS_MAX_MIRRORS];
	int n = 0;
	uint32 number = LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + made;
	static TimestampTz failed_at = 0;
	bool ok;

	wanted = Min((wanted + SLABS_OF_WINDOW - 1) / SLABS_OF_WINDOW * SLABS_OF_WINDOW, limit);
	if (made >= wanted || laras_vault_phase(v) == LARAS_VAULT_CLOSED)
		return false;
	if (failed_at != 0 && GetCurrentTimestamp() >= failed_at &&
		GetCurrentTimestamp() < failed_at + MAKE_AGAIN_US)
		return false;
	failed_at = 0;
	for (int i = 0; i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		places[n] = i;
		dirfds[n++] = w->m.mirror[i].dirfd;
	}
	if (n == 0)
		return false;
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	wrap = laras_wrap_find(&wraps, LARAS_DOMAIN_CONTENT, epoch);
	if (wrap == NULL)
	{
		laras_wipe(&wraps, sizeof(wraps));
		return false;
	}
	LARAS_FAULT("slab.before");
	/* the window's first slab and all up to this one: those that exist are left alone */
	ok = laras_keyring_grow(dirfds, n, &v->keyring, epoch, wrap, number - number % SLABS_OF_WINDOW,
							number % SLABS_OF_WINDOW + 1, laras_unix_now(), err);
	laras_wipe(&wraps, sizeof(wraps));
	if (!ok)
	{
		uint64 capacity = (uint64) (made / SLABS_OF_WINDOW) * SLOTS_OF_WINDOW;

		not_made(w, err->mirror >= 0 && err->mirror < n ? places[err->mirror] : -1,
				 w->lease.next_position + LEASES_IN_STOCK > capacity, err, "making a slab");
		failed_at = GetCurrentTimestamp();
		return false;
	}
	for (int i = 0; i < n; i++)
	{
		LarasSlab slab = LARAS_SLAB_CLOSED;

		if (laras_slab_open(dirfds[i], w->m.keyring, w->number, number, false, &slab, err))
		{
			memcpy(v->slabs[number].uuid, slab.slab, LARAS_UUID_LEN);
			pg_write_barrier();
			pg_atomic_write_u32(&v->slabs[number].present, 1);
			laras_slab_close(&slab);
			break;
		}
	}
	pg_atomic_write_u32(&v->slabs_made, made + 1);
	return made + 1 < wanted;
}

bool
laras_vault_journal(uint8 kind, const uint8 order[LARAS_ORDER_LEN])
{
	LarasVault *v = laras_vault_work.v;
	LarasJournalRecord rec;

	memset(&rec, 0, sizeof(rec));
	rec.kind = kind;
	rec.time = laras_unix_now();
	memcpy(rec.order, order, LARAS_ORDER_LEN);
	if (!laras_ring_reserve(v, 1))
		return false;
	(void) laras_ring_append(v, &rec, 1);
	laras_vault_flush_mirrors();
	return true;
}

bool
laras_vault_journal_ahead(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	uint32 number = LARAS_JOURNAL_FILE_OF(pg_atomic_read_u64(&w->v->journal_last) + 1);
	static TimestampTz failed_at = 0;
	bool ok = true;

	if (failed_at != 0 && GetCurrentTimestamp() >= failed_at &&
		GetCurrentTimestamp() < failed_at + MAKE_AGAIN_US)
		return true;
	failed_at = 0;

	for (int i = 0; i < w->m.n; i++)
	{
		if ((laras_vault_in_sync(w->v) & w->opened & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		for (uint32 n = number; n <= number + 1; n++)
		{
			char name[LARAS_JOURNAL_NAME_LEN];

			laras_journal_name(n, name);
			if (!laras_file_exists(w->m.mirror[i].dirfd, name) &&
				!laras_journal_make(w->m.mirror[i].dirfd, n, err))
			{
				not_made(w, i, n == number, err, "making a journal file");
				failed_at = GetCurrentTimestamp();
				ok = false;
				break;
			}
		}
	}
	return ok;
}

bool
laras_vault_destroy_now(const uint32 *slots, const uint8 (*orders)[LARAS_ORDER_LEN],
						const uint8 *reasons, uint32 n, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask usable;
	LarasMirrors *m;
	LarasJournalRecord *recs;
	uint32 todo = 0;
	uint64 seq;
	int64 now = laras_unix_now();
	bool written = false;

	recs = palloc0(sizeof(LarasJournalRecord) * Max(n, 1));
	for (uint32 i = 0; i < n; i++)
	{
		LarasJournalRecord *rec = &recs[todo];

		if (slots[i] >= v->max_slots || laras_bit_test(v->destroyed, slots[i]))
			continue;
		rec->kind = LARAS_JOURNAL_DESTROY;
		rec->reason = reasons[i];
		rec->first = slots[i];
		rec->count = 1;
		rec->time = now;
		memcpy(rec->order, orders[i], LARAS_ORDER_LEN);
		todo++;
	}
	if (todo == 0)
	{
		pfree(recs);
		return true;
	}
	m = laras_vault_mirrors_noraise(v, &usable, err);
	if (m != NULL)
		usable &= laras_vault_in_sync(v);
	if (m == NULL || !laras_ring_reserve(v, todo))
	{
		pfree(recs);
		return m == NULL ? false
						 : laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror is in sync");
	}
	for (uint32 i = 0; i < todo; i++)
		laras_bit_set(v->destroyed, recs[i].first);
	seq = laras_ring_append(v, recs, todo);
	for (int i = 0; i < m->n; i++)
	{
		if ((usable & ((LarasMirrorMask) 1 << i)) != 0 && laras_ring_flush(v, m, i, seq, err))
			written = true;
	}
	pfree(recs);
	return written;
}

void
laras_vault_destroy_orphans(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	uint32 *slots;
	uint8(*orders)[LARAS_ORDER_LEN];
	uint8 *reasons;
	uint32 n;
	uint8 order[LARAS_ORDER_LEN];
	LarasKeyError err = LARAS_KEYERROR_INIT;

	LWLockAcquire(v->orphan_lock, LW_SHARED);
	n = Min(v->norphans, ORPHANS_AT_ONCE);
	LWLockRelease(v->orphan_lock);
	if (n == 0)
		return;
	slots = palloc(sizeof(uint32) * n);
	orders = palloc(LARAS_ORDER_LEN * n);
	reasons = palloc(n);
	LWLockAcquire(v->orphan_lock, LW_SHARED);
	memcpy(slots, v->orphans, sizeof(uint32) * n);
	LWLockRelease(v->orphan_lock);
	laras_new_order(order);
	for (uint32 i = 0; i < n; i++)
	{
		memcpy(orders[i], order, LARAS_ORDER_LEN);
		reasons[i] = LARAS_REASON_ROLLED_BACK;
	}
	LARAS_FAULT("orphan.before");
	if (laras_vault_destroy_now(slots, (const uint8(*)[LARAS_ORDER_LEN]) orders, reasons, n, &err))
	{
		/* only this worker takes from the list, the others append to it */
		LWLockAcquire(v->orphan_lock, LW_EXCLUSIVE);
		v->norphans -= n;
		memmove(v->orphans, v->orphans + n, sizeof(uint32) * v->norphans);
		LWLockRelease(v->orphan_lock);
		pg_atomic_fetch_add_u64(&v->swept, n);
	}
	else
		laras_vault_log(WARNING, &err, "destroying keys of rolled-back transactions");
	pfree(slots);
	pfree(orders);
	pfree(reasons);
}

void
laras_vault_repair_slots(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasWrapSet wraps;
	static uint32 said = LARAS_KEYERR_NO_SLOT_ID; /* logged last, not to be said again */
	uint32 slots[LARAS_VAULT_REPAIRS];
	uint32 n;

	SpinLockAcquire(&v->lease_lock);
	n = v->nrepairs;
	memcpy(slots, v->repairs, sizeof(uint32) * n);
	v->nrepairs = 0;
	SpinLockRelease(&v->lease_lock);
	if (n == 0)
		return;
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	for (uint32 i = 0; i < n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		LarasSlotState state;

		if (laras_bit_test(v->destroyed, slots[i]))
			continue;
		laras_mirrors_forget(&w->m);
		state = laras_mirrors_repair(&w->m, mask, slots[i], &wraps, NULL, &err);
		if (err.code == LARAS_KEYERR_ABSENT && state != LARAS_SLOT_ABSENT)
			laras_vault_settle_slab(LARAS_SLAB_OF(slots[i]));
		if (state == LARAS_SLOT_LIVE)
		{
			laras_bit_clear(v->damaged, slots[i]);
			ereport(LOG, (errmsg("keyring slot %u is whole again", slots[i])));
		}
		else if (state == LARAS_SLOT_DESTROYED)
			laras_bit_set(v->destroyed, slots[i]);
		else
		{
			if (err.code == LARAS_KEYERR_NONE)
				laras_keyerror(&err, LARAS_KEYERR_DAMAGED, 0, "no mirror holds a good copy");
			laras_vault_log(said == slots[i] ? DEBUG1 : WARNING, &err, "repairing a key");
			said = slots[i];
		}
	}
	laras_wipe(&wraps, sizeof(wraps));
}
