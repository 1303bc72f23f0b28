/*
 * mirrorsettle.c
 *		Bringing mirrors of one keyring to one state: their journals to one end,
 *		their slabs to the same bytes, a mirror that was away back in.
 *
 * Invariant: a mark or an order in any mirror ends in all of them; damage
 * never spreads. Everything here runs in the vault worker.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

/* ------------------------------------------------------------------------
 * Journals of two mirrors
 * ------------------------------------------------------------------------
 */

/* Raw records first..first+n-1 of one journal file; false where it is missing. */
static bool
read_records(int dirfd, uint64 first, uint32 n, uint8 *raw, LarasKeyError *err)
{
	int fd = laras_journal_open(dirfd, LARAS_JOURNAL_FILE_OF(first), err);
	bool ok;

	if (fd < 0)
		return false;
	ok = laras_pread_all(fd, raw, (size_t) n * LARAS_JOURNAL_RECORD_LEN,
						 (off_t) ((first - 1) % LARAS_JOURNAL_PER_FILE) * LARAS_JOURNAL_RECORD_LEN);
	if (!ok)
		laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading the journal");
	close(fd);
	return ok;
}

/* records from first on that lie in one file, at most up to last */
static uint32
records_in_file(uint64 first, uint64 last)
{
	uint64 end = ((uint64) LARAS_JOURNAL_FILE_OF(first) + 1) * LARAS_JOURNAL_PER_FILE;

	return (uint32) (Min(end, last) - first + 1);
}

/* The last record that both journals hold with the same bytes, up to last. */
static bool
common_records(int a, int b, uint64 last, uint64 *common, LarasKeyError *err)
{
	uint8 *ra = palloc(LARAS_JOURNAL_FILE_LEN);
	uint8 *rb = palloc(LARAS_JOURNAL_FILE_LEN);
	bool ok = true;

	*common = 0;
	while (ok && *common < last)
	{
		uint64 first = *common + 1;
		uint32 n = records_in_file(first, last);

		ok = read_records(a, first, n, ra, err) && read_records(b, first, n, rb, err);
		if (!ok)
			break;
		for (uint32 i = 0; i < n; i++)
		{
			if (memcmp(ra + (size_t) i * LARAS_JOURNAL_RECORD_LEN,
					   rb + (size_t) i * LARAS_JOURNAL_RECORD_LEN, LARAS_JOURNAL_RECORD_LEN) != 0)
			{
				pfree(ra);
				pfree(rb);
				return true;
			}
			(*common)++;
		}
	}
	pfree(ra);
	pfree(rb);
	return ok;
}

bool
laras_write_records(int dirfd, uint64 first, uint32 n, const uint8 *raw, LarasKeyError *err)
{
	uint32 number = LARAS_JOURNAL_FILE_OF(first);
	char name[LARAS_JOURNAL_NAME_LEN];
	int fd;
	bool ok;

	laras_journal_name(number, name);
	if (!laras_file_exists(dirfd, name) && !laras_journal_make(dirfd, number, err))
		return false;
	fd = laras_journal_open(dirfd, number, err);
	if (fd < 0)
		return false;
	ok = laras_journal_write(fd, first, raw, n, err);
	if (ok && !laras_sync_data(fd))
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "syncing the journal");
	close(fd);
	return ok;
}

/* Copy records first..last from one journal to another. */
static bool
copy_records(int from, int to, uint64 first, uint64 last, LarasKeyError *err)
{
	uint8 *raw = palloc(LARAS_JOURNAL_FILE_LEN);
	bool ok = true;

	while (ok && first <= last)
	{
		uint32 n = records_in_file(first, last);

		ok = read_records(from, first, n, raw, err) && laras_write_records(to, first, n, raw, err);
		first += n;
	}
	pfree(raw);
	return ok;
}

/* Encode a record after the tail and write it. */
bool
laras_append_record(int dirfd, LarasJournalTail *tail, LarasJournalRecord *rec, LarasKeyError *err)
{
	uint8 raw[LARAS_JOURNAL_RECORD_LEN];
	LarasJournalTail next = *tail;

	if (!laras_journal_encode(&next, rec, raw))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "the journal's chain");
	if (!laras_write_records(dirfd, rec->seq, 1, raw, err))
		return false;
	*tail = next;
	return true;
}

/* destroying records found where the chain does not reach */
typedef struct Stray
{
	LarasJournalRecord *rec;
	uint32 n;
	uint32 size;
} Stray;

static bool
keep_stray(const LarasJournalRecord *rec, void *arg)
{
	Stray *stray = arg;

	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return true;
	if (stray->n == stray->size)
	{
		stray->size = Max(64, stray->size * 2);
		stray->rec = stray->rec == NULL ? palloc(sizeof(*stray->rec) * stray->size)
										: repalloc(stray->rec, sizeof(*stray->rec) * stray->size);
	}
	stray->rec[stray->n++] = *rec;
	return true;
}

static bool
ignore_record(const LarasJournalRecord *rec, void *arg)
{
	return true;
}

/* ------------------------------------------------------------------------
 * Slabs of two mirrors
 * ------------------------------------------------------------------------
 */

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

/* ------------------------------------------------------------------------
 * All mirrors at the start, and one that comes back
 * ------------------------------------------------------------------------
 */

/* Read one mirror's journal; orders where its chain does not reach go to stray. */
static bool
scan_mirror(LarasVaultWork *w, int mirror, Stray *stray, LarasJournalScan *scan, LarasKeyError *err)
{
	LarasJournalEnd end = laras_journal_scan(w->m.mirror[mirror].dirfd, w->m.keyring, NULL,
											 ignore_record, keep_stray, stray, scan, err);

	if (end == LARAS_JOURNAL_BROKEN)
		ereport(
			WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the journal of keyring mirror \"%s\" is broken after record " UINT64_FORMAT,
					w->m.mirror[mirror].name, scan->tail.seq),
			 errdetail(UINT64_FORMAT " later records are readable; their orders are carried out.",
					   scan->beyond)));
	return end != LARAS_JOURNAL_FAILED;
}

/* Does a journal hold this record at its place? */
static bool
has_record(int dirfd, const LarasJournalTail *tail, const LarasJournalRecord *rec)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8 raw[LARAS_JOURNAL_RECORD_LEN];
	LarasJournalRecord own;

	return rec->seq <= tail->seq && read_records(dirfd, rec->seq, 1, raw, &err) &&
		   laras_journal_decode(raw, &own) && memcmp(own.chain, rec->chain, LARAS_CHAIN_LEN) == 0;
}

/*
 * Bring the journals of all open mirrors to one end. Mirrors that cannot take
 * part leave *mask. Returns the mirror whose journal was longest, or -1.
 */
int
laras_settle_journals(LarasVaultWork *w, LarasMirrorMask *mask, LarasJournalTail *tail,
					  LarasKeyError *err)
{
	LarasJournalScan scans[LARAS_MAX_MIRRORS];
	Stray stray = {NULL, 0, 0};
	LarasMirrorMask cut = 0;
	int first = -1;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if ((*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!scan_mirror(w, i, &stray, &scans[i], &one))
		{
			if (one.code == LARAS_KEYERR_ABSENT)
				cut |= (LarasMirrorMask) 1 << i;
			else
				laras_vault_log(WARNING, &one, "reading the journal");
			*err = one;
			*mask &= ~((LarasMirrorMask) 1 << i);
			continue;
		}
		if (first < 0 || scans[i].tail.seq > scans[first].tail.seq)
			first = i;
	}
	/* a mirror that lost a file of it gets the records of the others */
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if ((cut & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (first >= 0 && laras_journal_mend(w->m.mirror[i].dirfd, scans[first].files, &one) &&
			scan_mirror(w, i, &stray, &scans[i], &one))
			*mask |= (LarasMirrorMask) 1 << i;
		else
			laras_vault_log(WARNING, first >= 0 ? &one : err, "reading the journal");
	}
	if (first < 0)
		return -1;
	*tail = scans[first].tail;

	/* what another mirror has and this one has not is appended to it */
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;
		uint64 common;
		uint64 end;

		if (i == first || (*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		end = Min(scans[i].tail.seq, scans[first].tail.seq);
		if (!common_records(w->m.mirror[first].dirfd, w->m.mirror[i].dirfd, end, &common, &one))
		{
			laras_vault_log(WARNING, &one, "comparing journals");
			*mask &= ~((LarasMirrorMask) 1 << i);
			continue;
		}
		for (uint64 seq = common + 1; seq <= scans[i].tail.seq; seq++)
		{
			uint8 raw[LARAS_JOURNAL_RECORD_LEN];
			LarasJournalRecord rec;

			if (read_records(w->m.mirror[i].dirfd, seq, 1, raw, &one) &&
				laras_journal_decode(raw, &rec))
				keep_stray(&rec, &stray);
		}
		/* remembered for the copy below */
		scans[i].tail.seq = common;
	}
	for (uint32 s = 0; s < stray.n; s++)
	{
		if (!has_record(w->m.mirror[first].dirfd, &scans[first].tail, &stray.rec[s]) &&
			!laras_append_record(w->m.mirror[first].dirfd, tail, &stray.rec[s], err))
			return -1;
	}
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (i == first || (*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!copy_records(w->m.mirror[first].dirfd, w->m.mirror[i].dirfd, scans[i].tail.seq + 1,
						  tail->seq, &one))
		{
			laras_vault_log(WARNING, &one, "copying the journal");
			*mask &= ~((LarasMirrorMask) 1 << i);
		}
	}
	if (stray.rec != NULL)
		pfree(stray.rec);
	return first;
}

/* a slot to be overwritten again */
typedef struct Reburial
{
	uint32 slot;
	LarasTomb tomb;
} Reburial;

static int
by_slot(const void *a, const void *b)
{
	uint32 x = ((const Reburial *) a)->slot;
	uint32 y = ((const Reburial *) b)->slot;

	return x < y ? -1 : x > y;
}

/* Slab by slab, one sync each; a slab that the mirror lacks is copied whole later. */
static bool
bury_sorted(LarasVaultWork *w, int mirror, const Reburial *all, uint32 n, LarasKeyError *err)
{
	uint32 i = 0;

	while (i < n)
	{
		uint32 number = LARAS_SLAB_OF(all[i].slot);
		LarasGrave grave;
		bool there = laras_mirrors_prepare(&w->m, mirror, number, &grave, err);
		bool ok = there || err->code == LARAS_KEYERR_ABSENT;

		for (; ok && i < n && LARAS_SLAB_OF(all[i].slot) == number; i++)
		{
			if (there)
				ok = laras_mirrors_bury(&w->m, &grave, all[i].slot, &all[i].tomb, err);
		}
		if (there)
		{
			ok = ok && laras_mirrors_sync(&grave, err);
			laras_mirrors_release(&grave);
		}
		if (!ok)
			return false;
		laras_vault_flush_mirrors();
	}
	return true;
}

bool
laras_bury_again(LarasVaultWork *w, int from, int mirror, uint64 first, uint64 last,
				 LarasKeyError *err)
{
	uint8 *raw = palloc(LARAS_JOURNAL_FILE_LEN);
	Reburial *all = NULL;
	bool ok = true;

	while (ok && first <= last)
	{
		uint32 records = records_in_file(first, last);
		uint32 n = 0;
		uint32 size = 0;

		ok = read_records(w->m.mirror[from].dirfd, first, records, raw, err);
		for (uint32 i = 0; ok && i < records; i++)
		{
			LarasJournalRecord rec;

			if (!laras_journal_decode(raw + (size_t) i * LARAS_JOURNAL_RECORD_LEN, &rec) ||
				(rec.kind != LARAS_JOURNAL_DESTROY && rec.kind != LARAS_JOURNAL_RANGE))
				continue;
			for (uint32 k = 0; k < Max(rec.count, 1); k++)
			{
				if (n == size)
				{
					size = Max(1024, size * 2);
					all = all == NULL ? palloc(sizeof(*all) * size)
									  : repalloc(all, sizeof(*all) * size);
				}
				all[n].slot = rec.first + k;
				all[n].tomb.reason = rec.reason;
				all[n].tomb.time = rec.time;
				memcpy(all[n].tomb.order, rec.order, LARAS_ORDER_LEN);
				n++;
			}
		}
		if (ok && n > 0)
		{
			qsort(all, n, sizeof(*all), by_slot);
			ok = bury_sorted(w, mirror, all, n, err);
		}
		if (all != NULL)
			pfree(all);
		all = NULL;
		first += records;
	}
	pfree(raw);
	return ok;
}

bool
laras_vault_join(int mirror, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorInfo *info = &v->mirror[mirror];
	LarasMirrorMask in_sync = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask both;
	LarasJournalScan scan;
	SlabSet *set;
	uint64 applied;
	uint64 common = 0;
	int first = -1;
	bool ok;

	for (int i = 0; i < w->m.n && first < 0; i++)
	{
		if (i != mirror && (in_sync & ((LarasMirrorMask) 1 << i)) != 0)
			first = i;
	}
	laras_mirrors_forget(&w->m);
	if ((w->opened & ((LarasMirrorMask) 1 << mirror)) != 0)
	{
		close(w->m.mirror[mirror].dirfd);
		w->m.mirror[mirror].dirfd = -1;
		w->opened &= ~((LarasMirrorMask) 1 << mirror);
	}
	if (!laras_open_and_lock(w, mirror, err))
	{
		if (err->code != LARAS_KEYERR_ABSENT || first < 0)
			return false;
		laras_fill_empty_mirrors(w);
		if ((w->opened & ((LarasMirrorMask) 1 << mirror)) == 0)
			return false;
	}
	if (first < 0)
	{
		/*
		 * The only mirror there is: what the ring holds is written again, once
		 * it shows that it can be written.
		 */
		both = (LarasMirrorMask) 1 << mirror;
		if (laras_mirrors_lease(&w->m, both, &w->lease, err) != both)
			return false;
		LWLockAcquire(v->lock, LW_EXCLUSIVE);
		pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
		pg_atomic_write_u32(&info->was_in_sync, 1);
		pg_atomic_fetch_add_u64(&v->page->generation, 1);
		LWLockRelease(v->lock);
		return true;
	}

	/*
	 * The journal up to what the other mirror has on disk; what comes after it
	 * stands in the ring. Records that a failed sync left in doubt are written
	 * again, since applied was not moved.
	 */
	applied = pg_atomic_read_u64(&v->mirror[first].applied);
	if (laras_journal_scan(w->m.mirror[mirror].dirfd, w->m.keyring, NULL, ignore_record, NULL, NULL,
						   &scan, err) == LARAS_JOURNAL_FAILED &&
		(err->code != LARAS_KEYERR_ABSENT ||
		 !laras_journal_mend(w->m.mirror[mirror].dirfd, LARAS_JOURNAL_FILE_OF(applied + 1) + 1,
							 err) ||
		 laras_journal_scan(w->m.mirror[mirror].dirfd, w->m.keyring, NULL, ignore_record, NULL,
							NULL, &scan, err) == LARAS_JOURNAL_FAILED))
		return false;
	ok = common_records(w->m.mirror[first].dirfd, w->m.mirror[mirror].dirfd,
						Min(scan.tail.seq, applied), &common, err);
	if (ok)
	{
		common = Min(common, pg_atomic_read_u64(&info->applied));
		ok = copy_records(w->m.mirror[first].dirfd, w->m.mirror[mirror].dirfd, common + 1, applied,
						  err) &&
			 laras_bury_again(w, first, mirror, common + 1, applied, err);
	}
	if (!ok)
		return false;

	LARAS_FAULT("join.journalled");
	/* slots: whatever differs is merged, and a mark always wins */
	both = ((LarasMirrorMask) 1 << first) | ((LarasMirrorMask) 1 << mirror);
	set = palloc0(sizeof(SlabSet));
	for (int i = 0; i < w->m.n; i++)
		set->image[i] = palloc(LARAS_SLAB_LEN);
	settle_slab(w, &both, first, 0, set);
	for (uint32 i = 0;
		 i < pg_atomic_read_u32(&v->slabs_made) && both != ((LarasMirrorMask) 1 << first); i++)
	{
		settle_slab(w, &both, first, LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + i, set);
		laras_vault_flush_mirrors();
	}
	for (int i = 0; i < w->m.n; i++)
		pfree(set->image[i]);
	pfree(set);
	if ((both & ((LarasMirrorMask) 1 << mirror)) == 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "its slabs cannot be brought into sync");

	LARAS_FAULT("join.merged");
	/* the lease as it is, and the keyring file */
	if (laras_mirrors_lease(&w->m, both, &w->lease, err) != both ||
		!laras_settle_keyring_files(w, &v->keyring, both, err))
		return false;

	LARAS_FAULT("join.leased");
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&info->applied, applied);
	pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
	pg_atomic_write_u32(&info->was_in_sync, 1);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	ereport(LOG, (errmsg("keyring mirror \"%s\" is in sync again", info->name)));
	laras_vault_settle_courier();
	return true;
}
