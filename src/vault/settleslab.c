/*
 * settleslab.c
 *		Bringing the slabs of several mirrors of one keyring to the same bytes.
 *
 * Invariant: a mark in any mirror ends in all of them; damage never spreads.
 * Everything here runs in the vault worker.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "base/compat.h"
#include "vault/files.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"

bool
laras_read_slab(LarasVaultWork *w, int mirror, uint32 number, uint8 *image,
				uint8 uuid[LARAS_UUID_LEN], LarasKeyError *err)
{
	LarasSlab slab = LARAS_SLAB_CLOSED;
	bool ok;

	if (!laras_slab_open(w->m.mirror[mirror].dirfd, w->m.keyring, w->number, number, false, &slab,
						 err))
		return false;
	memcpy(uuid, slab.slab, LARAS_UUID_LEN);
	ok = laras_slab_read_all(&slab, image + LARAS_SLAB_HEADER_LEN, err) &&
		 laras_pread_all(slab.fd, image, LARAS_SLAB_HEADER_LEN, 0);
	laras_slab_close(&slab);
	return ok;
}

/* memory for the slabs of one number in every mirror */
typedef struct SlabSet
{
	uint8 *image[LARAS_MAX_MIRRORS];
	uint8 uuid[LARAS_MAX_MIRRORS][LARAS_UUID_LEN];
	bool there[LARAS_MAX_MIRRORS];
} SlabSet;

/* One slot of several mirrors brought to its best live bytes; no sync. True: it is. */
static bool
merge_live(LarasVaultWork *w, LarasMirrorMask mask, const LarasGrave *graves, uint32 slot,
		   const LarasWrapSet *wraps, uint8 won[LARAS_SLOT_LEN])
{
	LarasSlotPlace place = {w->m.keyring, w->v->slabs[LARAS_SLAB_OF(slot)].uuid, slot};
	LarasSlotState state = LARAS_SLOT_DAMAGED;
	uint8 raw[LARAS_MAX_MIRRORS][LARAS_SLOT_LEN];
	bool have = false;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasMerge merge;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!laras_slab_read(&graves[i].slab, slot, raw[i], NULL))
			return false;
		merge = laras_slot_merge(&place, have ? won : NULL, raw[i], wraps, &state);
		if (merge == LARAS_MERGE_CONFLICT || merge == LARAS_MERGE_NEITHER)
			return false;
		if (!have || merge == LARAS_MERGE_TAKE_B)
			memcpy(won, raw[i], LARAS_SLOT_LEN);
		have = true;
	}
	if (state != LARAS_SLOT_LIVE || laras_slot_open(&place, won, wraps, 0, NULL) != LARAS_SLOT_LIVE)
		return false;
	for (int i = 0; i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) != 0 && memcmp(raw[i], won, LARAS_SLOT_LEN) != 0 &&
			!laras_slab_write(&graves[i].slab, slot, won, NULL))
			return false;
	}
	return true;
}

/*
 * Live slots that differ, of which a mirror that was away while the master key
 * was rotated has thousands: written one by one, under the locks of who
 * destroys, and synced together. What is not so simple is left to be repaired
 * by itself.
 */
static void
merge_slab(LarasVaultWork *w, LarasMirrorMask *mask, uint32 number, SlabSet *set, int have,
		   const LarasWrapSet *wraps)
{
	LarasVault *v = w->v;
	LarasMirrorMask there = 0;
	LarasGrave graves[LARAS_MAX_MIRRORS];
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool ok = true;

	for (int i = 0; i < w->m.n; i++)
	{
		graves[i].slab.fd = -1;
		if (!set->there[i] || (*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		there |= (LarasMirrorMask) 1 << i;
		ok = ok && laras_mirrors_prepare(&w->m, i, number, &graves[i], &err);
	}
	for (uint32 index = 0; ok && index < LARAS_SLOTS_PER_SLAB; index++)
	{
		uint32 slot = number * LARAS_SLOTS_PER_SLAB + index;
		size_t at = LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN;
		uint8 won[LARAS_SLOT_LEN];
		bool differs = false;
		bool merged = false;

		for (int i = 0; i < w->m.n; i++)
			differs |= (there & ((LarasMirrorMask) 1 << i)) != 0 &&
					   memcmp(set->image[i] + at, set->image[have] + at, LARAS_SLOT_LEN) != 0;
		if (!differs || slot == LARAS_SLOT_COURIER)
			continue;
		for (int i = 0; i < w->m.n; i++)
			LWLockAcquire(v->flush_lock[i], LW_EXCLUSIVE);
		if (!laras_bit_test(v->destroyed, slot))
			merged = merge_live(w, there, graves, slot, wraps, won);
		for (int i = w->m.n - 1; i >= 0; i--)
			LWLockRelease(v->flush_lock[i]);
		for (int i = 0; merged && i < w->m.n; i++)
		{
			if ((there & ((LarasMirrorMask) 1 << i)) != 0)
				memcpy(set->image[i] + at, won, LARAS_SLOT_LEN);
		}
		if (index % 256 == 255)
			laras_vault_flush_mirrors();
	}
	for (int i = 0; i < w->m.n; i++)
	{
		if (graves[i].slab.fd < 0)
			continue;
		if (!laras_mirrors_sync(&graves[i], &err))
			*mask &= ~((LarasMirrorMask) 1 << i);
		laras_mirrors_release(&graves[i]);
	}
}

/*
 * The courier's seed cannot be opened here. A copy under a retired epoch is void
 * all the same, and takes the bytes of the one under the current epoch.
 */
static void
renew_courier(LarasVaultWork *w, LarasMirrorMask mask, bool *differs)
{
	uint8 current[LARAS_SLOT_LEN];
	bool have = false;
	bool others = false;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		uint8 here[LARAS_SLOT_LEN];
		uint8 domain;
		uint16 epoch;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (laras_mirrors_look(&w->m, i, LARAS_SLOT_COURIER, here, NULL, &err) !=
				LARAS_SLOT_WRAPPED ||
			!laras_slot_epoch(here, &domain, &epoch))
			return;
		if (epoch == w->v->keyring.current_epoch)
		{
			others |= have && memcmp(current, here, LARAS_SLOT_LEN) != 0;
			memcpy(current, here, LARAS_SLOT_LEN);
			have = true;
		}
		else if (epoch >= w->v->keyring.oldest_epoch)
			others = true;
	}
	if (have && !others)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if (laras_mirrors_write(&w->m, mask, LARAS_SLOT_COURIER, current, &err) == mask)
			*differs = false;
	}
}

/*
 * Read slab number in every mirror of mask, copy it to those that lack it, set
 * the bits of its slots, and bring differing slots to one state. first is the
 * mirror whose copy counts where births differ. A mirror that cannot take its
 * part leaves *mask.
 */
static void
settle_slab(LarasVaultWork *w, LarasMirrorMask *mask, int first, uint32 number, SlabSet *set)
{
	LarasVault *v = w->v;
	LarasSlabInfo *info = &v->slabs[number];
	LarasWrapSet wraps;
	int have = -1;
	bool several = false; /* copies that differ */

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		set->there[i] = (*mask & ((LarasMirrorMask) 1 << i)) != 0 &&
						laras_read_slab(w, i, number, set->image[i], set->uuid[i], &err);
		if (set->there[i] && (have < 0 || i == first))
			have = i;
	}
	if (have < 0)
		return;
	memcpy(info->uuid, set->uuid[have], LARAS_UUID_LEN);
	pg_write_barrier();
	pg_atomic_write_u32(&info->present, 1);

	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if (i == have || (*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!set->there[i])
		{
			/* missing, short or with a broken header: the other copy replaces it */
			laras_mirrors_forget(&w->m);
			if (!laras_slab_install(w->m.mirror[i].dirfd, number, set->image[have], true, &err))
			{
				laras_vault_log(WARNING, &err, "copying a slab to a mirror");
				*mask &= ~((LarasMirrorMask) 1 << i);
				continue;
			}
			ereport(LOG, (errmsg("keyring slab %u was copied to mirror \"%s\", which lacked it",
								 number, v->mirror[i].name)));
			memcpy(set->image[i], set->image[have], LARAS_SLAB_LEN);
			set->there[i] = true;
		}
		else if (memcmp(set->uuid[i], set->uuid[have], LARAS_UUID_LEN) != 0)
		{
			laras_keyerror(&err, LARAS_KEYERR_DISAGREE, 0, "slabs of two births");
			laras_vault_log(WARNING, &err, "comparing mirrors");
			*mask &= ~((LarasMirrorMask) 1 << i);
			set->there[i] = false;
		}
	}

	for (int i = 0; i < w->m.n; i++)
		several |=
			i != have && set->there[i] &&
			memcmp(set->image[i] + LARAS_SLAB_HEADER_LEN, set->image[have] + LARAS_SLAB_HEADER_LEN,
				   LARAS_SLAB_LEN - LARAS_SLAB_HEADER_LEN) != 0;
	if (several && wraps.n > 0)
		merge_slab(w, mask, number, set, have, &wraps);
	for (uint32 index = 0; index < LARAS_SLOTS_PER_SLAB; index++)
	{
		uint32 slot = number * LARAS_SLOTS_PER_SLAB + index;
		size_t at = LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN;
		const uint8 *raw = set->image[have] + at;
		LarasSlotPlace place = {w->m.keyring, info->uuid, slot};
		LarasSlotState state = laras_slot_look(&place, raw, NULL);
		bool differs = false;

		for (int i = 0; i < w->m.n; i++)
		{
			if (i != have && set->there[i] && memcmp(set->image[i] + at, raw, LARAS_SLOT_LEN) != 0)
				differs = true;
		}
		if (differs && slot == LARAS_SLOT_COURIER)
			renew_courier(w, *mask, &differs);
		if (differs)
		{
			LarasKeyError err = LARAS_KEYERROR_INIT;

			state = laras_mirrors_repair(&w->m, *mask, slot, &wraps, NULL, &err);
			if (err.code == LARAS_KEYERR_DISAGREE)
				laras_vault_log(WARNING, &err, "comparing mirrors");
			else if (err.code == LARAS_KEYERR_MASTER_KEY)
			{
				/* told apart once the key is there */
				state = LARAS_SLOT_WRAPPED;
				w->unsettled = true;
			}
		}
		if (state == LARAS_SLOT_DESTROYED)
			laras_bit_set(v->destroyed, slot);
		else if (state == LARAS_SLOT_DAMAGED)
			laras_bit_set(v->damaged, slot);
		else if (state == LARAS_SLOT_LIVE)
			laras_bit_clear(v->damaged, slot);
	}
	laras_wipe(&wraps, sizeof(wraps));
}

/* All slabs of the mirrors in mask; returns how many leased slabs there are. */
uint32
laras_settle_slabs(LarasVaultWork *w, LarasMirrorMask *mask, int first)
{
	SlabSet *set = palloc0(sizeof(SlabSet));
	uint32 end = LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB;
	uint32 limit = w->v->max_slots / LARAS_SLOTS_PER_SLAB;
	LarasLease lease;

	/* a slab that every mirror lost is absent: nothing may be made in its place */
	for (int i = 0; i < w->m.n; i++)
	{
		set->image[i] = palloc(LARAS_SLAB_LEN);
		if (*mask & ((LarasMirrorMask) 1 << i))
			end = Max(end, laras_keyring_slab_end(w->m.mirror[i].dirfd));
	}
	if (laras_mirrors_read_lease(&w->m, *mask, &lease, NULL) && lease.next_position > 0)
		end = Max(end, (uint32) Min(((lease.next_position - 1) / LARAS_SLOT_FIRST_LEASED + 2) *
										(LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB),
									limit));
	end = Min(end, limit);
	settle_slab(w, mask, first, 0, set);
	for (uint32 number = LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB; number < end; number++)
	{
		settle_slab(w, mask, first, number, set);
		CHECK_FOR_INTERRUPTS();
	}
	for (int i = 0; i < w->m.n; i++)
		pfree(set->image[i]);
	pfree(set);
	return end - LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB;
}

void
laras_vault_settle_slab(uint32 number)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasMirrorMask mask = laras_vault_in_sync(w->v) & w->opened;
	LarasMirrorMask before = mask;
	SlabSet *set = palloc0(sizeof(SlabSet));
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_keyerror(&err, LARAS_KEYERR_MIRROR, 0, "a slab cannot be brought into sync");
	laras_mirrors_forget(&w->m);
	for (int i = 0; i < w->m.n; i++)
		set->image[i] = palloc(LARAS_SLAB_LEN);
	settle_slab(w, &mask, 0, number, set);
	for (int i = 0; i < w->m.n; i++)
	{
		pfree(set->image[i]);
		if ((before & ~mask & ((LarasMirrorMask) 1 << i)) != 0)
			laras_mirror_failed(w->v, i, &err);
	}
	pfree(set);
}

bool
laras_settle_two(LarasVaultWork *w, int first, int mirror)
{
	LarasMirrorMask one = (LarasMirrorMask) 1 << first;
	LarasMirrorMask both = one | (LarasMirrorMask) 1 << mirror;
	SlabSet *set = palloc0(sizeof(SlabSet));

	for (int i = 0; i < w->m.n; i++)
		set->image[i] = palloc(LARAS_SLAB_LEN);
	settle_slab(w, &both, first, 0, set);
	for (uint32 i = 0; i < pg_atomic_read_u32(&w->v->slabs_made) && both != one; i++)
	{
		settle_slab(w, &both, first, LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + i, set);
		laras_vault_flush_mirrors();
	}
	for (int i = 0; i < w->m.n; i++)
		pfree(set->image[i]);
	pfree(set);
	return both != one;
}
