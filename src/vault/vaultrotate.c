/*
 * vaultrotate.c
 *		A new master key: every live slot wrapped anew, slab by slab, between the
 *		vault worker's other work.
 *
 * Invariant: the keyring file names the new epoch before the first slot is
 * wrapped under it, and the old one until no slot of it is left in any mirror;
 * so every state that a crash can leave is read with the keys that the file
 * names. A slot is wrapped under the locks that a destruction takes to write
 * it, after its destroyed bit was asked: a mark is never overwritten.
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/fault.h"
#include "vault/journalring.h"
#include "vault/masterkey.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define FIRST_LEASED_SLAB (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)
#define SLOTS_AT_ONCE 32 /* wrapped while a destruction may have to wait */
#define PASS_PAUSE_US (2 * USECS_PER_SEC)

/* ------------------------------------------------------------------------
 * The keyring file
 * ------------------------------------------------------------------------
 */

/*
 * Write it to every mirror in sync and to shared memory, with the keys it names.
 * Where all must take it and one does not, the others get the old one back.
 */
static bool
publish_keyring(LarasVaultWork *w, const LarasKeyring *k, const LarasWrapSet *wraps, bool all,
				LarasKeyError *err)
{
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask written = 0;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (laras_keyring_replace(w->m.mirror[i].dirfd, k, &one))
			written |= (LarasMirrorMask) 1 << i;
		else
		{
			*err = one;
			laras_mirror_failed(v, i, &one);
		}
		LARAS_FAULT("rotate.keyring");
	}
	if (all && written != mask)
	{
		for (int i = 0; i < w->m.n; i++)
		{
			LarasKeyError one = LARAS_KEYERROR_INIT;

			if ((written & ((LarasMirrorMask) 1 << i)) != 0 &&
				!laras_keyring_replace(w->m.mirror[i].dirfd, &v->keyring, &one))
				laras_mirror_failed(v, i, &one);
		}
		return false;
	}
	if (written == 0)
		return err->code != LARAS_KEYERR_NONE
				   ? false
				   : laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror is in sync");
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->keyring = *k;
	v->page->wraps = *wraps;
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	return true;
}

bool
laras_vault_wrap_courier(const LarasMasterKeys *keys, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask repair;
	LarasWrapSet wraps;
	uint8 secret[LARAS_KEY_LEN];
	uint8 raw[LARAS_SLOT_LEN];
	uint8 first[LARAS_SLOT_LEN];
	LarasSlotPlace place = {w->m.keyring, v->slabs[0].uuid, LARAS_SLOT_COURIER};
	LarasSlotState state;
	uint8 domain;
	uint16 epoch;
	bool have = false;
	bool same = true; /* the same bytes everywhere, under the current epoch */
	bool ok = true;

	laras_mirrors_forget(&w->m);
	if (!laras_masterkey_wraps(keys, &v->keyring, LARAS_DOMAIN_COURIER, &wraps))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "deriving the courier's wrapping key");
	state = laras_mirrors_read(&w->m, mask, LARAS_SLOT_COURIER, &wraps, LARAS_DOMAIN_COURIER,
							   secret, &repair, err);
	if (state != LARAS_SLOT_LIVE)
		ok = laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "the courier's seed");
	for (int i = 0; ok && i < w->m.n; i++)
	{
		LarasSlotState own;
		uint8 seen[LARAS_KEY_LEN];

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (laras_mirrors_look(&w->m, i, LARAS_SLOT_COURIER, raw, NULL, err) != LARAS_SLOT_WRAPPED)
		{
			same = false;
			continue;
		}
		own = laras_slot_open(&place, raw, &wraps, LARAS_DOMAIN_COURIER, seen);
		if (own == LARAS_SLOT_LIVE && !laras_same_bytes(seen, secret, LARAS_KEY_LEN))
			ok = laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "two seeds of the courier");
		if (own != LARAS_SLOT_LIVE || !laras_slot_epoch(raw, &domain, &epoch) ||
			epoch != v->keyring.current_epoch || (have && memcmp(raw, first, LARAS_SLOT_LEN) != 0))
			same = false;
		memcpy(first, raw, LARAS_SLOT_LEN);
		have = true;
		laras_wipe(seen, sizeof(seen));
	}
	if (ok && !same)
	{
		ok =
			laras_slot_seal(&place, LARAS_DOMAIN_COURIER, v->keyring.current_epoch,
							laras_wrap_find(&wraps, LARAS_DOMAIN_COURIER, v->keyring.current_epoch),
							NULL, secret, raw);
		if (!ok)
			laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "wrapping the courier's seed");
		else
			ok = laras_mirrors_write(&w->m, mask, LARAS_SLOT_COURIER, raw, err) == mask;
	}
	laras_wipe(secret, sizeof(secret));
	laras_wipe(&wraps, sizeof(wraps));
	return ok;
}

void
laras_vault_settle_courier(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasMirrorMask mask = laras_vault_in_sync(w->v) & w->opened;
	uint8 first[LARAS_SLOT_LEN];
	bool have = false;
	bool same = true;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMasterKeys keys;

	laras_mirrors_forget(&w->m);
	for (int i = 0; i < w->m.n; i++)
	{
		uint8 raw[LARAS_SLOT_LEN] = {0};

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (laras_mirrors_look(&w->m, i, LARAS_SLOT_COURIER, raw, NULL, &err) !=
				LARAS_SLOT_WRAPPED ||
			(have && memcmp(raw, first, LARAS_SLOT_LEN) != 0))
			same = false;
		memcpy(first, raw, LARAS_SLOT_LEN);
		have = true;
	}
	if (same)
		return;
	if (!laras_fetch_master_keys("courier", &keys, &err))
	{
		laras_vault_log(WARNING, &err, "comparing the courier's seed");
		return;
	}
	if (!laras_masterkey_check(&keys, &w->v->keyring, false, &err) ||
		!laras_vault_wrap_courier(&keys, &err))
		laras_vault_log(WARNING, &err, "comparing the courier's seed");
	laras_masterkey_wipe(&keys);
}

bool
laras_vault_begin_rotation(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasKeyring k = v->keyring;
	LarasMasterKeys keys;
	LarasWrapSet wraps;
	const uint8 *next;
	bool ok;

	if (laras_vault_phase(v) != LARAS_VAULT_OPEN)
		return laras_keyerror(err, LARAS_KEYERR_CLOSED, 0, "the vault is not open");
	if (k.oldest_epoch != k.current_epoch)
		return true; /* one is under way */
	if (!laras_fetch_master_keys("rotate", &keys, err))
		return false;
	ok = laras_masterkey_check(&keys, &k, true, err);
	next = ok ? laras_masterkey_find(&keys, (uint16) (k.current_epoch + 1)) : NULL;
	if (ok && laras_same_bytes(next, laras_masterkey_find(&keys, k.current_epoch), LARAS_KEY_LEN))
		ok = laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0,
							"the next epoch's master key is the current one");
	if (ok)
	{
		k.current_epoch++;
		if (!laras_derive_check(next, k.uuid, k.current_epoch, k.check_current) ||
			!laras_masterkey_wraps(&keys, &k, LARAS_DOMAIN_CONTENT, &wraps))
			ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "deriving the wrapping key");
	}
	pg_atomic_write_u32(&v->rotate_waits, 0);
	ok = ok && publish_keyring(w, &k, &wraps, false, err);
	LARAS_FAULT("rotate.begun");
	ok = ok && laras_vault_wrap_courier(&keys, err);
	laras_masterkey_wipe(&keys);
	laras_wipe(&wraps, sizeof(wraps));
	if (ok)
		laras_vault_note_epoch();
	return ok;
}

/* ------------------------------------------------------------------------
 * Slots
 * ------------------------------------------------------------------------
 */

/* What a pass has found; it may retire the old epoch when nothing hinders. */
static uint32 next_slab = 0;
static uint32 hindered = 0; /* LarasRotationWait */
static TimestampTz pass_ended = 0;
static uint64 pass_generation = 0; /* of the page; moves when a mirror joins */

/*
 * Wrap slots first..first+n-1 of a slab anew in all mirrors of mask. In no
 * transaction; raises nothing. Slots to be repaired first go to repair.
 */
static bool
wrap_slots(LarasVaultWork *w, LarasGrave *graves, LarasMirrorMask mask, uint32 first, uint32 n,
		   const LarasWrapSet *wraps, uint32 *repair, uint32 *nrepair, LarasKeyError *err)
{
	LarasVault *v = w->v;
	uint16 current = v->keyring.current_epoch;
	const uint8 *wrap = laras_wrap_find(wraps, LARAS_DOMAIN_CONTENT, current);
	uint8 raw[LARAS_MAX_MIRRORS][SLOTS_AT_ONCE][LARAS_SLOT_LEN];
	uint8 secret[LARAS_KEY_LEN];
	int have = -1;
	bool wrapped = false;
	bool ok = wrap != NULL;

	for (int i = 0; i < w->m.n; i++)
		LWLockAcquire(v->flush_lock[i], LW_EXCLUSIVE);
	for (int i = 0; ok && i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		ok = laras_slab_read_some(&graves[i].slab, first, n, raw[i][0], err);
		if (!ok)
			err->mirror = i;
		if (have < 0)
			have = i;
	}
	for (uint32 k = 0; ok && have >= 0 && k < n; k++)
	{
		uint32 slot = first + k;
		LarasSlotPlace place = {w->m.keyring, v->slabs[LARAS_SLAB_OF(slot)].uuid, slot};
		uint8 fresh[LARAS_SLOT_LEN];
		bool same = true;
		uint8 domain;
		uint16 epoch;

		if (slot == LARAS_SLOT_COURIER || laras_bit_test(v->destroyed, slot))
			continue;
		for (int i = have + 1; i < w->m.n; i++)
		{
			if ((mask & ((LarasMirrorMask) 1 << i)) != 0 &&
				memcmp(raw[i][k], raw[have][k], LARAS_SLOT_LEN) != 0)
				same = false;
		}
		if (!same || !laras_slot_epoch(raw[have][k], &domain, &epoch))
		{
			repair[(*nrepair)++] = slot;
			continue;
		}
		if (epoch == current)
			continue;
		if (laras_slot_open(&place, raw[have][k], wraps, LARAS_DOMAIN_CONTENT, secret) !=
			LARAS_SLOT_LIVE)
		{
			repair[(*nrepair)++] = slot;
			continue;
		}
		ok = laras_slot_seal(&place, LARAS_DOMAIN_CONTENT, current, wrap, NULL, secret, fresh);
		if (!ok)
			laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "wrapping a key");
		for (int i = 0; i < w->m.n; i++)
			memcpy(raw[i][k], fresh, LARAS_SLOT_LEN);
		wrapped = true;
		LARAS_FAULT("rotate.slot");
	}
	/* a sector holds whole slots: of a write that is cut each is old or new */
	for (int i = 0; ok && wrapped && i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		ok = laras_slab_write_some(&graves[i].slab, first, n, raw[i][0], err);
		if (!ok)
			err->mirror = i;
		LARAS_FAULT("rotate.written");
	}
	laras_wipe(secret, sizeof(secret));
	for (int i = w->m.n - 1; i >= 0; i--)
		LWLockRelease(v->flush_lock[i]);
	return ok;
}

/* A whole slab; counts what hinders the old epoch's end. */
static void
wrap_slab(LarasVaultWork *w, uint32 number, const LarasWrapSet *wraps)
{
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasGrave graves[LARAS_MAX_MIRRORS];
	uint32 *repair = palloc(sizeof(uint32) * LARAS_SLOTS_PER_SLAB);
	uint32 nrepair = 0;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool ok = mask != 0;

	for (int i = 0; i < LARAS_MAX_MIRRORS; i++)
		graves[i].slab.fd = -1;
	laras_mirrors_forget(&w->m);
	for (int i = 0; ok && i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		ok = laras_mirrors_prepare(&w->m, i, number, &graves[i], &err);
	}
	for (uint32 at = 0; ok && at < LARAS_SLOTS_PER_SLAB; at += SLOTS_AT_ONCE)
	{
		ok = wrap_slots(w, graves, mask, number * LARAS_SLOTS_PER_SLAB + at, SLOTS_AT_ONCE, wraps,
						repair, &nrepair, &err);
		/* committers wait for this worker to write the other mirrors */
		laras_vault_flush_mirrors();
	}
	for (int i = 0; i < w->m.n; i++)
	{
		if (graves[i].slab.fd < 0)
			continue;
		if (ok && !laras_mirrors_sync(&graves[i], &err))
		{
			laras_mirror_failed(v, i, &err);
			hindered |= LARAS_ROTATION_MIRROR;
		}
		laras_mirrors_release(&graves[i]);
	}
	LARAS_FAULT("rotate.slab");
	if (!ok)
	{
		/* a slab that is lost may come back with keys of the old epoch */
		hindered |= LARAS_ROTATION_SLAB;
		if (err.code == LARAS_KEYERR_MIRROR && err.mirror >= 0)
			laras_mirror_failed(v, err.mirror, &err);
		else if (err.code == LARAS_KEYERR_ABSENT)
			laras_vault_settle_slab(number);
	}
	for (uint32 i = 0; i < nrepair; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;
		LarasSlotState state;

		if (laras_bit_test(v->destroyed, repair[i]))
			continue;
		state = laras_mirrors_repair(&w->m, mask, repair[i], wraps, NULL, &one);
		/* what no mirror can give back does not hinder: nothing opens it anyway */
		if (state != LARAS_SLOT_DAMAGED || one.code == LARAS_KEYERR_DISAGREE)
			hindered |= LARAS_ROTATION_KEY;
	}
	pfree(repair);
}

/* No slot of the old epoch is left in any mirror: it is needed no more. */
static void
retire(LarasVaultWork *w)
{
	LarasVault *v = w->v;
	LarasKeyring k = v->keyring;
	LarasWrapSet wraps;
	LarasWrapSet left;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (!laras_vault_journal_epoch(LARAS_JOURNAL_EPOCH_RETIRED, k.oldest_epoch))
		return;
	LARAS_FAULT("rotate.journalled");
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	memset(&left, 0, sizeof(left));
	for (int i = 0; i < wraps.n; i++)
	{
		if (wraps.wrap[i].epoch == k.current_epoch)
			left.wrap[left.n++] = wraps.wrap[i];
	}
	k.oldest_epoch = k.current_epoch;
	memcpy(k.check_oldest, k.check_current, LARAS_CHECK_LEN);
	if (publish_keyring(w, &k, &left, true, &err))
	{
		laras_vault_note_epoch();
		ereport(LOG, (errmsg("laras vault: every key is wrapped under epoch %u of the master key",
							 k.current_epoch)));
	}
	else
		laras_vault_log(WARNING, &err, "retiring a master key");
	laras_wipe(&wraps, sizeof(wraps));
	laras_wipe(&left, sizeof(left));
}

/*
 * Is the courier's seed under the current epoch in every mirror? Where it is
 * not (a mirror that joined again brought the old one) it is now for the next
 * pass.
 */
static bool
courier_is_wrapped(LarasVaultWork *w)
{
	LarasMirrorMask mask = laras_vault_in_sync(w->v) & w->opened;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMasterKeys keys;
	bool wrapped = true;

	laras_mirrors_forget(&w->m);
	for (int i = 0; i < w->m.n; i++)
	{
		uint8 raw[LARAS_SLOT_LEN];
		uint8 domain;
		uint16 epoch;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (laras_mirrors_look(&w->m, i, LARAS_SLOT_COURIER, raw, NULL, &err) !=
				LARAS_SLOT_WRAPPED ||
			!laras_slot_epoch(raw, &domain, &epoch) || epoch != w->v->keyring.current_epoch)
			wrapped = false;
	}
	if (wrapped)
		return true;
	if (!laras_fetch_master_keys("rotate", &keys, &err) ||
		!laras_masterkey_check(&keys, &w->v->keyring, false, &err) ||
		!laras_vault_wrap_courier(&keys, &err))
		laras_vault_log(WARNING, &err, "wrapping the courier's seed anew");
	laras_masterkey_wipe(&keys);
	return false;
}

bool
laras_vault_rotate(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	TimestampTz now = GetCurrentTimestamp();
	LarasWrapSet wraps;
	uint64 total = 1 + (uint64) pg_atomic_read_u32(&v->slabs_made);

	if (v->keyring.oldest_epoch == v->keyring.current_epoch)
	{
		next_slab = 0;
		hindered = 0;
		pass_ended = 0;
		return false;
	}
	if (pass_ended != 0 && now >= pass_ended && now - pass_ended < PASS_PAUSE_US)
		return false;
	pass_ended = 0;
	if (next_slab == 0)
	{
		hindered = 0;
		pass_generation = pg_atomic_read_u64(&v->page->generation);
		pg_atomic_write_u64(&v->rotate_done, 0);
	}
	pg_atomic_write_u64(&v->rotate_total, total);
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	wrap_slab(w, next_slab, &wraps);
	laras_wipe(&wraps, sizeof(wraps));
	next_slab = next_slab == 0 ? FIRST_LEASED_SLAB : next_slab + 1;
	if (pg_atomic_fetch_add_u64(&v->rotate_done, 1) + 1 < total)
		return true;

	if (!courier_is_wrapped(w))
		hindered |= LARAS_ROTATION_COURIER;
	/*
	 * A mirror that joined meanwhile may have given back a key that nobody had
	 * when its slab was passed, as it was wrapped then.
	 */
	if (pg_atomic_read_u64(&v->page->generation) != pass_generation)
		hindered |= LARAS_ROTATION_JOINED;
	/* the pass is over; a mirror that is away may hold slots of the old epoch */
	next_slab = 0;
	for (int i = 0; i < v->nmirrors; i++)
	{
		uint32 state = pg_atomic_read_u32(&v->mirror[i].state);

		if (state != LARAS_MIRROR_IN_SYNC && state != LARAS_MIRROR_REMOVED)
			hindered |= LARAS_ROTATION_MIRROR;
	}
	pg_atomic_write_u32(&v->rotate_waits, hindered);
	if (hindered == 0)
		retire(w);
	else
		pass_ended = GetCurrentTimestamp();
	return false;
}
