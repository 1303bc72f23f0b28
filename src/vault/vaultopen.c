/*
 * vaultopen.c
 *		From directories to an open keyring: finding it or making it, bringing
 *		its mirrors to one state, filling shared memory.
 *
 * Invariant: nothing is published before every mirror that counts as in sync
 * has every journal record that any mirror has, with its slots overwritten.
 * A mark or an order always wins; damage never does.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/journalring.h"
#include "vault/masterkey.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

LarasVaultWork laras_vault_work;

int64
laras_unix_now(void)
{
	return GetCurrentTimestamp() +
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

bool
laras_vault_is_owner(const LarasKeyring *k)
{
	return k->owner_system == GetSystemIdentifier() && k->owner_database == MyDatabaseId;
}

/* ------------------------------------------------------------------------
 * Journals of two mirrors
 * ------------------------------------------------------------------------
 */

/* Raw records first..first+n-1 of one journal file; false where it is missing. */
static bool
read_records(int dirfd, uint64 first, uint32 n, uint8 *raw, LarasKeyError *err)
{
	int			fd = laras_journal_open(dirfd, LARAS_JOURNAL_FILE_OF(first), err);
	bool		ok;

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
	uint64		end = ((uint64) LARAS_JOURNAL_FILE_OF(first) + 1) * LARAS_JOURNAL_PER_FILE;

	return (uint32) (Min(end, last) - first + 1);
}

/* The last record that both journals hold with the same bytes, up to last. */
static bool
common_records(int a, int b, uint64 last, uint64 *common, LarasKeyError *err)
{
	uint8	   *ra = palloc(LARAS_JOURNAL_FILE_LEN);
	uint8	   *rb = palloc(LARAS_JOURNAL_FILE_LEN);
	bool		ok = true;

	*common = 0;
	while (ok && *common < last)
	{
		uint64		first = *common + 1;
		uint32		n = records_in_file(first, last);

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

/* Write raw records, making the files they need, and sync. */
static bool
write_records(int dirfd, uint64 first, uint32 n, const uint8 *raw, LarasKeyError *err)
{
	uint32		number = LARAS_JOURNAL_FILE_OF(first);
	char		name[LARAS_JOURNAL_NAME_LEN];
	int			fd;
	bool		ok;

	laras_journal_name(number, name);
	if (!laras_file_exists(dirfd, name) && !laras_journal_make(dirfd, number, err))
		return false;
	fd = laras_journal_open(dirfd, number, err);
	if (fd < 0)
		return false;
	ok = laras_journal_write(fd, first, raw, n, err);
	if (ok && fdatasync(fd) != 0)
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "syncing the journal");
	close(fd);
	return ok;
}

/* Copy records first..last from one journal to another. */
static bool
copy_records(int from, int to, uint64 first, uint64 last, LarasKeyError *err)
{
	uint8	   *raw = palloc(LARAS_JOURNAL_FILE_LEN);
	bool		ok = true;

	while (ok && first <= last)
	{
		uint32		n = records_in_file(first, last);

		ok = read_records(from, first, n, raw, err) && write_records(to, first, n, raw, err);
		first += n;
	}
	pfree(raw);
	return ok;
}

/* Encode a record after the tail and write it. */
static bool
append_record(int dirfd, LarasJournalTail *tail, LarasJournalRecord *rec, LarasKeyError *err)
{
	uint8		raw[LARAS_JOURNAL_RECORD_LEN];
	LarasJournalTail next = *tail;

	if (!laras_journal_encode(&next, rec, raw))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "the journal's chain");
	if (!write_records(dirfd, rec->seq, 1, raw, err))
		return false;
	*tail = next;
	return true;
}

/* destroying records found where the chain does not reach */
typedef struct Stray
{
	LarasJournalRecord *rec;
	uint32		n;
	uint32		size;
} Stray;

static bool
keep_stray(const LarasJournalRecord *rec, void *arg)
{
	Stray	   *stray = arg;

	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return true;
	if (stray->n == stray->size)
	{
		stray->size = Max(64, stray->size * 2);
		stray->rec = stray->rec == NULL ? palloc(sizeof(*stray->rec) * stray->size) :
			repalloc(stray->rec, sizeof(*stray->rec) * stray->size);
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

/* Whole slab file; false where it is absent, short or not this keyring's. */
static bool
read_slab(LarasVaultWork *w, int mirror, uint32 number, uint8 *image, uint8 uuid[LARAS_UUID_LEN],
		  LarasKeyError *err)
{
	LarasSlab	slab = LARAS_SLAB_CLOSED;
	bool		ok;

	if (!laras_slab_open(w->m.mirror[mirror].dirfd, w->m.keyring, w->number, number, false, &slab, err))
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
	uint8	   *image[LARAS_MAX_MIRRORS];
	uint8		uuid[LARAS_MAX_MIRRORS][LARAS_UUID_LEN];
	bool		there[LARAS_MAX_MIRRORS];
} SlabSet;

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
	int			have = -1;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		set->there[i] = (*mask & ((LarasMirrorMask) 1 << i)) != 0 &&
			read_slab(w, i, number, set->image[i], set->uuid[i], &err);
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

	for (uint32 index = 0; index < LARAS_SLOTS_PER_SLAB; index++)
	{
		uint32		slot = number * LARAS_SLOTS_PER_SLAB + index;
		size_t		at = LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN;
		const uint8 *raw = set->image[have] + at;
		LarasSlotPlace place = {w->m.keyring, info->uuid, slot};
		LarasSlotState state = laras_slot_look(&place, raw, NULL);
		bool		differs = false;

		for (int i = 0; i < w->m.n; i++)
		{
			if (i != have && set->there[i] && memcmp(set->image[i] + at, raw, LARAS_SLOT_LEN) != 0)
				differs = true;
		}
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
static uint32
settle_slabs(LarasVaultWork *w, LarasMirrorMask *mask, int first)
{
	SlabSet    *set = palloc0(sizeof(SlabSet));
	uint32		end = LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB;
	uint32		limit = w->v->max_slots / LARAS_SLOTS_PER_SLAB;

	for (int i = 0; i < w->m.n; i++)
	{
		set->image[i] = palloc(LARAS_SLAB_LEN);
		if (*mask & ((LarasMirrorMask) 1 << i))
			end = Max(end, laras_keyring_next_slab(w->m.mirror[i].dirfd));
	}
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

/* ------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------
 */

void
laras_vault_settle_slab(uint32 number)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasMirrorMask mask = laras_vault_in_sync(w->v) & w->opened;
	LarasMirrorMask before = mask;
	SlabSet    *set = palloc0(sizeof(SlabSet));
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

typedef struct Replay
{
	LarasVaultWork *w;
	LarasMirrorMask mask;
	uint64		repeated;
	bool		failed;
	LarasKeyError err;
} Replay;

/* Every order of the journal whose slot does not bear its mark. */
static bool
replay_record(const LarasJournalRecord *rec, void *arg)
{
	Replay	   *replay = arg;
	LarasVault *v = replay->w->v;

	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return true;
	for (uint32 i = 0; i < Max(rec->count, 1); i++)
	{
		uint32		slot = rec->first + i;
		LarasTomb	tomb;

		if (slot >= v->max_slots || laras_bit_test(v->destroyed, slot))
			continue;
		laras_bit_set(v->destroyed, slot);
		tomb.reason = rec->reason;
		tomb.time = rec->time;
		memcpy(tomb.order, rec->order, LARAS_ORDER_LEN);
		if (laras_mirrors_destroy(&replay->w->m, replay->mask, slot, &tomb, &replay->err) != replay->mask &&
			replay->err.code != LARAS_KEYERR_ABSENT)
			replay->failed = true;
		replay->repeated++;
	}
	return true;
}

/* Open a mirror's directory and lock it. */
static bool
open_and_lock(LarasVaultWork *w, int mirror, LarasKeyError *err)
{
	LarasKeyring k;
	int			fd = laras_keyring_directory(w->m.mirror[mirror].path, w->number, err);

	if (fd < 0)
		return false;
	if (!laras_keyring_read(fd, &k, err) || !laras_keyring_lock(fd, err))
	{
		close(fd);
		return false;
	}
	if (memcmp(k.uuid, w->m.keyring, LARAS_UUID_LEN) != 0 || k.number != w->number)
	{
		close(fd);
		return laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "mirror of another keyring");
	}
	w->m.mirror[mirror].dirfd = fd;
	w->opened |= (LarasMirrorMask) 1 << mirror;
	return true;
}

/* Parse the setting and refuse what may hold no keys. */
static bool
parse_mirrors(LarasVaultWork *w, LarasKeyError *err)
{
	laras_mirrors_close(&w->m);
	w->opened = 0;
	if (laras_keyring_mirrors == NULL || laras_keyring_mirrors[0] == '\0')
		return laras_keyerror(err, LARAS_KEYERR_CLOSED, 0, "laras.keyring_directory is not set");
	if (!laras_mirrors_parse(laras_keyring_mirrors, &w->m, err))
		return false;
	w->m.number = w->number;
	if (w->m.n < 2 && !laras_single_mirror)
		return laras_keyerror(err, LARAS_KEYERR_CLOSED, 0,
							  "laras.keyring_directory names one mirror, and laras.single_mirror is off");
	for (int i = 0; i < w->m.n; i++)
	{
		if (!laras_vault_path_check(w->m.mirror[i].path, err))
			return false;
	}
	return true;
}

void
laras_vault_close_files(void)
{
	laras_mirrors_close(&laras_vault_work.m);
	laras_vault_work.opened = 0;
	laras_vault_work.files_open = false;
}

bool
laras_vault_reopen_files(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;

	if (!parse_mirrors(w, err))
		return false;
	memcpy(w->m.keyring, w->v->keyring.uuid, LARAS_UUID_LEN);
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (pg_atomic_read_u32(&w->v->mirror[i].state) == LARAS_MIRROR_IN_SYNC &&
			!open_and_lock(w, i, &one))
			laras_mirror_failed(w->v, i, &one);
	}
	if (w->opened == 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror can be opened");
	if (!laras_mirrors_read_lease(&w->m, w->opened, &w->lease, err))
		return false;
	w->files_open = true;
	w->database_applied = true;
	w->swept = true;			/* the orphan list has lived on */
	return true;
}

/* How the mirrors answer before anything is opened for good. */
static LarasOpenFiles
look_for_keyring(LarasVaultWork *w, LarasKeyring *k, LarasKeyError *err)
{
	int			found = 0;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;
		LarasKeyring own;
		int			fd = laras_keyring_directory(w->m.mirror[i].path, w->number, &one);

		if (fd >= 0)
		{
			bool		ok = laras_keyring_read(fd, &own, &one);

			close(fd);
			if (ok)
			{
				if (found > 0 && memcmp(own.uuid, k->uuid, LARAS_UUID_LEN) != 0)
				{
					laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "the mirrors hold different keyrings");
					return LARAS_FILES_FAILED;
				}
				/* the owner who came last counts: an adoption may have been cut short */
				if (found == 0 || own.adoptions > k->adoptions)
					*k = own;
				found++;
				continue;
			}
		}
		if (err->code == LARAS_KEYERR_NONE)
			*err = one;
		if (one.code != LARAS_KEYERR_ABSENT)
			*err = one;
		if (one.code == LARAS_KEYERR_ABSENT)
		{
			LarasKeyError base = LARAS_KEYERROR_INIT;

			/* "no such number" is an empty mirror; "no such directory" is not */
			if (!laras_directory_check(w->m.mirror[i].path, &base))
				laras_keyerror(err, LARAS_KEYERR_UNSAFE, base.sys_errno, base.what);
		}
	}
	if (found > 0)
		return LARAS_FILES_OPEN;
	return err->code == LARAS_KEYERR_ABSENT ? LARAS_FILES_NONE : LARAS_FILES_FAILED;
}

/* Fill a mirror that is there and empty from one that is open. */
static void
fill_empty_mirrors(LarasVaultWork *w)
{
	int			from = -1;

	for (int i = 0; i < w->m.n && from < 0; i++)
	{
		if (w->opened & ((LarasMirrorMask) 1 << i))
			from = i;
	}
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		int			fd;

		if (w->opened & ((LarasMirrorMask) 1 << i))
			continue;
		if (!laras_directory_check(w->m.mirror[i].path, &err))
			continue;
		fd = laras_keyring_directory(w->m.mirror[i].path, w->number, &err);
		if (fd >= 0)
		{
			close(fd);
			continue;
		}
		if (err.code != LARAS_KEYERR_ABSENT)
			continue;
		if (laras_keyring_copy(w->m.mirror[from].dirfd, w->m.mirror[i].path, w->number, &err) &&
			open_and_lock(w, i, &err))
			ereport(LOG, (errmsg("keyring mirror \"%s\" was empty and has been filled",
								 w->m.mirror[i].name)));
		else
			laras_vault_log(WARNING, &err, "filling an empty mirror");
	}
}

/*
 * Bring the journals of all open mirrors to one end. Mirrors that cannot take
 * part leave *mask. Returns the mirror whose journal was longest, or -1.
 */
static int
settle_journals(LarasVaultWork *w, LarasMirrorMask *mask, LarasJournalTail *tail, LarasKeyError *err)
{
	LarasJournalScan scans[LARAS_MAX_MIRRORS];
	Stray		stray = {NULL, 0, 0};
	int			first = -1;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasJournalEnd end;
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if ((*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		end = laras_journal_scan(w->m.mirror[i].dirfd, w->m.keyring, NULL,
								 ignore_record, keep_stray, &stray, &scans[i], &one);
		if (end == LARAS_JOURNAL_FAILED)
		{
			laras_vault_log(WARNING, &one, "reading the journal");
			*err = one;
			*mask &= ~((LarasMirrorMask) 1 << i);
			continue;
		}
		if (end == LARAS_JOURNAL_BROKEN)
			ereport(WARNING,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the journal of keyring mirror \"%s\" is broken after record " UINT64_FORMAT,
							w->m.mirror[i].name, scans[i].tail.seq),
					 errdetail(UINT64_FORMAT " later records are readable; their orders are carried out.",
							   scans[i].beyond)));
		if (first < 0 || scans[i].tail.seq > scans[first].tail.seq)
			first = i;
	}
	if (first < 0)
		return -1;
	*tail = scans[first].tail;

	/* what another mirror has and this one has not is appended to it */
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;
		uint64		common;
		uint64		end;

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
			uint8		raw[LARAS_JOURNAL_RECORD_LEN];
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
		if (!append_record(w->m.mirror[first].dirfd, tail, &stray.rec[s], err))
			return -1;
	}
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (i == first || (*mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!copy_records(w->m.mirror[first].dirfd, w->m.mirror[i].dirfd,
						  scans[i].tail.seq + 1, tail->seq, &one))
		{
			laras_vault_log(WARNING, &one, "copying the journal");
			*mask &= ~((LarasMirrorMask) 1 << i);
		}
	}
	if (stray.rec != NULL)
		pfree(stray.rec);
	return first;
}

/* Tell shared memory who the keyring is. */
static void
publish(LarasVaultWork *w, const LarasKeyring *k, LarasMirrorMask in_sync,
		const LarasJournalTail *tail, uint32 slabs)
{
	LarasVault *v = w->v;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->keyring = *k;
	v->nmirrors = w->m.n;
	LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&v->journal_last, tail->seq);
	memcpy(v->chain, tail->chain, LARAS_CHAIN_LEN);
	LWLockRelease(v->journal_lock);
	for (int i = 0; i < w->m.n; i++)
	{
		bool		good = (in_sync & ((LarasMirrorMask) 1 << i)) != 0;

		strlcpy(v->mirror[i].name, w->m.mirror[i].name, sizeof(v->mirror[i].name));
		pg_atomic_write_u64(&v->mirror[i].applied, good ? tail->seq : 0);
		pg_atomic_write_u32(&v->mirror[i].state, good ? LARAS_MIRROR_IN_SYNC : LARAS_MIRROR_BEHIND);
	}
	SpinLockAcquire(&v->lease_lock);
	v->lease_next = v->lease_until = w->lease.next_position;
	SpinLockRelease(&v->lease_lock);
	pg_atomic_write_u32(&v->slabs_made, slabs);
	pg_atomic_write_u32(&v->owned, 1);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	pg_write_barrier();
	pg_atomic_write_u32(&v->known, 1);
	LWLockRelease(v->lock);
}

/* Journal the new owner, then write it to every mirror. */
static bool
take_over(LarasVaultWork *w, LarasKeyring *k, LarasMirrorMask mask, LarasJournalTail *tail,
		  LarasKeyError *err)
{
	LarasJournalRecord rec;
	LarasJournalTail before = *tail;

	k->owner_system = GetSystemIdentifier();
	k->owner_database = MyDatabaseId;
	k->adoptions++;
	memset(&rec, 0, sizeof(rec));
	rec.kind = LARAS_JOURNAL_ADOPTED;
	rec.time = laras_unix_now();
	for (int b = 0; b < 8; b++)
		rec.order[b] = (uint8) (k->owner_system >> (56 - 8 * b));
	for (int b = 0; b < 4; b++)
		rec.order[8 + b] = (uint8) (k->owner_database >> (24 - 8 * b));
	for (int i = 0; i < w->m.n; i++)
	{
		LarasJournalTail here = before;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!append_record(w->m.mirror[i].dirfd, &here, &rec, err))
			return false;
		*tail = here;
	}
	LARAS_FAULT("adopt.journalled");
	for (int i = 0; i < w->m.n; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) != 0 &&
			!laras_keyring_replace(w->m.mirror[i].dirfd, k, err))
			return false;
	}
	return true;
}

/* A keyring file that is behind the others (an adoption cut short) is renewed. */
static bool
settle_keyring_files(LarasVaultWork *w, const LarasKeyring *k, LarasMirrorMask mask, LarasKeyError *err)
{
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyring own;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!laras_keyring_read(w->m.mirror[i].dirfd, &own, err))
			return false;
		if (own.adoptions != k->adoptions &&
			!laras_keyring_replace(w->m.mirror[i].dirfd, k, err))
			return false;
	}
	return true;
}

LarasOpenFiles
laras_vault_open_files(bool adopt, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyring k;
	LarasJournalTail tail;
	LarasJournalScan scan;
	LarasMirrorMask mask;
	LarasOpenFiles found;
	Replay		replay;
	int			first;
	uint32		slabs;
	bool		foreign;

	if (!parse_mirrors(w, err))
		return LARAS_FILES_FAILED;
	found = look_for_keyring(w, &k, err);
	if (found != LARAS_FILES_OPEN)
		return found;
	err->code = LARAS_KEYERR_NONE;
	foreign = !laras_vault_is_owner(&k);
	if (foreign && !adopt)
	{
		laras_keyerror(err, LARAS_KEYERR_FOREIGN_OWNER, 0,
					   "the keyring names another cluster or database as its owner");
		return LARAS_FILES_FOREIGN;
	}

	memcpy(w->m.keyring, k.uuid, LARAS_UUID_LEN);
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (!open_and_lock(w, i, &one))
		{
			if (one.code == LARAS_KEYERR_FOREIGN_OWNER)
			{
				*err = one;
				laras_vault_close_files();
				return LARAS_FILES_FAILED;
			}
			if (one.code != LARAS_KEYERR_ABSENT)
				laras_vault_log(WARNING, &one, "opening a mirror");
		}
	}
	if (w->opened == 0)
	{
		laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror can be opened");
		return LARAS_FILES_FAILED;
	}
	fill_empty_mirrors(w);

	mask = w->opened;
	first = settle_journals(w, &mask, &tail, err);
	if (first < 0 || !settle_keyring_files(w, &k, mask, err))
	{
		if (err->code == LARAS_KEYERR_NONE)
			laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no journal can be read");
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	w->unsettled = false;
	slabs = settle_slabs(w, &mask, first);

	/* every order of the journal, before anybody may read */
	memset(&replay, 0, sizeof(replay));
	replay.w = w;
	replay.mask = mask;
	if (laras_journal_scan(w->m.mirror[first].dirfd, w->m.keyring, NULL, replay_record,
						   NULL, &replay, &scan, err) == LARAS_JOURNAL_FAILED || replay.failed)
	{
		if (replay.failed)
			*err = replay.err;
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	if (replay.repeated > 0)
		ereport(LOG, (errmsg("laras vault: " UINT64_FORMAT " orders of the journal were carried out again",
							 replay.repeated)));

	if (!laras_mirrors_read_lease(&w->m, mask, &w->lease, err))
	{
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	if (foreign && !take_over(w, &k, mask, &tail, err))
	{
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	w->lease_at_open = w->lease.next_position;
	w->database_applied = false;
	w->swept = false;
	publish(w, &k, mask, &tail, slabs);
	w->files_open = true;
	return LARAS_FILES_OPEN;
}

bool
laras_vault_create(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasMasterKeys keys;
	LarasKeyringPlan plan;
	LarasKeyring made;
	const char *paths[LARAS_MAX_MIRRORS];
	bool		ok;

	if (!laras_fetch_master_keys("content", &keys, err))
		return false;
	memset(&plan, 0, sizeof(plan));
	plan.number = w->number;
	plan.owner_system = GetSystemIdentifier();
	plan.owner_database = MyDatabaseId;
	plan.epoch = keys.master[0].epoch;
	plan.master = keys.master[0].key;
	plan.slabs = 16;			/* the rest is made ahead while the vault is open */
	plan.now = laras_unix_now();
	for (int i = 0; i < w->m.n; i++)
		paths[i] = w->m.mirror[i].path;
	LARAS_FAULT("create.begin");
	ok = laras_keyring_create(paths, w->m.n, &plan, &made, err);
	laras_masterkey_wipe(&keys);
	if (ok)
		ereport(LOG, (errmsg("laras vault: made keyring %u in %d mirrors", w->number, w->m.n)));
	return ok;
}

/*
 * Write the marks of records first..last again, whatever stands there: after a
 * failed sync the cache may show what the medium does not hold.
 */
static bool
bury_again(LarasVaultWork *w, int from, int mirror, uint64 first, uint64 last, LarasKeyError *err)
{
	for (uint64 seq = first; seq <= last; seq++)
	{
		uint8		raw[LARAS_JOURNAL_RECORD_LEN];
		LarasJournalRecord rec;
		LarasTomb	tomb;

		if (!read_records(w->m.mirror[from].dirfd, seq, 1, raw, err))
			return false;
		if (!laras_journal_decode(raw, &rec) ||
			(rec.kind != LARAS_JOURNAL_DESTROY && rec.kind != LARAS_JOURNAL_RANGE))
			continue;
		tomb.reason = rec.reason;
		tomb.time = rec.time;
		memcpy(tomb.order, rec.order, LARAS_ORDER_LEN);
		for (uint32 i = 0; i < Max(rec.count, 1); i++)
		{
			LarasGrave	grave;
			bool		ok;

			if (!laras_mirrors_prepare(&w->m, mirror, LARAS_SLAB_OF(rec.first + i), &grave, err))
			{
				if (err->code == LARAS_KEYERR_ABSENT)
					continue;	/* copied whole below */
				return false;
			}
			ok = laras_mirrors_bury(&w->m, &grave, rec.first + i, &tomb, err) &&
				laras_mirrors_sync(&grave, err);
			laras_mirrors_release(&grave);
			if (!ok)
				return false;
		}
	}
	return true;
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
	SlabSet    *set;
	uint64		applied;
	uint64		common = 0;
	int			first = -1;
	bool		ok;

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
	if (!open_and_lock(w, mirror, err))
	{
		if (err->code != LARAS_KEYERR_ABSENT || first < 0)
			return false;
		fill_empty_mirrors(w);
		if ((w->opened & ((LarasMirrorMask) 1 << mirror)) == 0)
			return false;
	}
	if (first < 0)
	{
		/* the only mirror there is: what the ring holds is written again */
		LWLockAcquire(v->lock, LW_EXCLUSIVE);
		pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
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
	if (laras_journal_scan(w->m.mirror[mirror].dirfd, w->m.keyring, NULL, ignore_record,
						   NULL, NULL, &scan, err) == LARAS_JOURNAL_FAILED)
		return false;
	ok = common_records(w->m.mirror[first].dirfd, w->m.mirror[mirror].dirfd,
						Min(scan.tail.seq, applied), &common, err);
	if (ok)
	{
		common = Min(common, pg_atomic_read_u64(&info->applied));
		ok = copy_records(w->m.mirror[first].dirfd, w->m.mirror[mirror].dirfd,
						  common + 1, applied, err) &&
			bury_again(w, first, mirror, common + 1, applied, err);
	}
	if (!ok)
		return false;

	/* slots: whatever differs is merged, and a mark always wins */
	both = ((LarasMirrorMask) 1 << first) | ((LarasMirrorMask) 1 << mirror);
	set = palloc0(sizeof(SlabSet));
	for (int i = 0; i < w->m.n; i++)
		set->image[i] = palloc(LARAS_SLAB_LEN);
	settle_slab(w, &both, first, 0, set);
	for (uint32 i = 0; i < pg_atomic_read_u32(&v->slabs_made) && both != ((LarasMirrorMask) 1 << first); i++)
	{
		settle_slab(w, &both, first, LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + i, set);
		laras_vault_flush_mirrors();
	}
	for (int i = 0; i < w->m.n; i++)
		pfree(set->image[i]);
	pfree(set);
	if ((both & ((LarasMirrorMask) 1 << mirror)) == 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "its slabs cannot be brought into sync");

	/* the lease as it is, and the keyring file */
	if (laras_mirrors_lease(&w->m, both, &w->lease, err) != both ||
		!settle_keyring_files(w, &v->keyring, both, err))
		return false;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&info->applied, applied);
	pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	ereport(LOG, (errmsg("keyring mirror \"%s\" is in sync again", info->name)));
	return true;
}
