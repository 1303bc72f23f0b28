/*
 * journalring.c
 *		Appending to the journal's tail and writing it to the mirrors.
 *
 * Everything from laras_ring_append on may run in a commit callback: no
 * ereport above LOG, no palloc, no lock wait that an error could break.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "worker/worker.h"

#define KEPT_GRAVES 256 /* slab descriptors opened ahead, per process */
#define PASS_GRAVES 64  /* slabs written before they are synced */

/* journal files of each mirror that this process holds open */
typedef struct OpenJournal
{
	int fd[2]; /* of file number and number + 1; -1: not open */
	uint32 number;
	int dirfd; /* of the directory they were opened in */
} OpenJournal;

static OpenJournal journals[LARAS_MAX_MIRRORS] = {{{-1, -1}, 0, -1},
												  {{-1, -1}, 0, -1},
												  {{-1, -1}, 0, -1},
												  {{-1, -1}, 0, -1}};

static LarasGrave kept[KEPT_GRAVES];
static int nkept = 0;

void
laras_mirror_failed(LarasVault *v, int mirror, const LarasKeyError *err)
{
	LarasMirrorInfo *info = &v->mirror[mirror];
	uint32 expected = LARAS_MIRROR_IN_SYNC;
	char text[LARAS_KEYERROR_TEXT];

	pg_atomic_fetch_add_u32(&info->failures, 1);
	if (!pg_atomic_compare_exchange_u32(&info->state, &expected, LARAS_MIRROR_BEHIND))
		return;
	ereport(LOG, (errmsg("keyring mirror \"%s\" is out of sync: %s", info->name,
						 laras_keyerror_text(err, text))));
	ConditionVariableBroadcast(&info->moved);
	laras_work_now(LARAS_WORK_VAULT);
}

/* ------------------------------------------------------------------------
 * The tail
 * ------------------------------------------------------------------------
 */

/* journal_lock held: records that some mirror in sync has not had yet */
static uint64
ring_used(LarasVault *v, int *slowest)
{
	uint64 last = pg_atomic_read_u64(&v->journal_last);
	uint64 least = last;

	*slowest = -1;
	for (int i = 0; i < v->nmirrors; i++)
	{
		uint64 applied;

		if (pg_atomic_read_u32(&v->mirror[i].state) != LARAS_MIRROR_IN_SYNC)
			continue;
		applied = pg_atomic_read_u64(&v->mirror[i].applied);
		if (*slowest < 0 || applied < least)
		{
			*slowest = i;
			least = Min(least, applied);
		}
	}
	return last - least;
}

bool
laras_ring_reserve(LarasVault *v, uint32 n)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	int slowest;

	laras_keyerror(&err, LARAS_KEYERR_MIRROR, 0, "it is too far behind the journal");
	for (;;)
	{
		LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
		if (ring_used(v, &slowest) + v->ring_reserved + n <= LARAS_VAULT_RING)
		{
			v->ring_reserved += n;
			LWLockRelease(v->journal_lock);
			return true;
		}
		LWLockRelease(v->journal_lock);
		if (slowest < 0)
			return false;
		laras_mirror_failed(v, slowest, &err);
		if (laras_vault_in_sync(v) == 0)
			return false;
	}
}

void
laras_ring_unreserve(LarasVault *v, uint32 n)
{
	LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
	v->ring_reserved -= Min(n, v->ring_reserved);
	LWLockRelease(v->journal_lock);
}

uint64
laras_ring_append(LarasVault *v, LarasJournalRecord *recs, uint32 n)
{
	LarasJournalTail tail;

	LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
	tail.seq = pg_atomic_read_u64(&v->journal_last);
	memcpy(tail.chain, v->chain, LARAS_CHAIN_LEN);
	for (uint32 i = 0; i < n; i++)
	{
		uint64 seq = tail.seq + 1;

		/* fails only where SHA-256 does; the order stays pending in its table */
		if (!laras_journal_encode(&tail, &recs[i], v->ring[seq % LARAS_VAULT_RING]))
			break;
	}
	memcpy(v->chain, tail.chain, LARAS_CHAIN_LEN);
	pg_atomic_write_u64(&v->journal_last, tail.seq);
	v->ring_reserved -= Min(n, v->ring_reserved);
	LWLockRelease(v->journal_lock);
	return tail.seq;
}

/* ------------------------------------------------------------------------
 * Descriptors
 * ------------------------------------------------------------------------
 */

static void
close_journal(OpenJournal *j)
{
	for (int i = 0; i < 2; i++)
	{
		if (j->fd[i] >= 0)
			close(j->fd[i]);
		j->fd[i] = -1;
	}
}

/* The descriptor of a journal file; -1 with err. */
static int
journal_fd(LarasMirrors *m, int mirror, uint32 number, LarasKeyError *err)
{
	OpenJournal *j = &journals[mirror];
	int place;

	if (j->dirfd != m->mirror[mirror].dirfd || number < j->number || number > j->number + 1)
	{
		close_journal(j);
		j->dirfd = m->mirror[mirror].dirfd;
		j->number = number;
	}
	place = (int) (number - j->number);
	if (j->fd[place] < 0)
		j->fd[place] = laras_journal_open(j->dirfd, number, err);
	return j->fd[place];
}

bool
laras_ring_open(LarasVault *v, LarasMirrors *m, int mirror, LarasKeyError *err)
{
	uint32 number = LARAS_JOURNAL_FILE_OF(pg_atomic_read_u64(&v->journal_last) + 1);

	/* a flush also writes what earlier committers appended */
	uint32 first = LARAS_JOURNAL_FILE_OF(pg_atomic_read_u64(&v->mirror[mirror].applied) + 1);

	/* others may commit before us; a full disk may have kept the next file from being made */
	uint64 furthest = pg_atomic_read_u64(&v->journal_last) + v->ring_reserved + LARAS_VAULT_ORDERS;
	bool next = LARAS_JOURNAL_FILE_OF(furthest) > number && number == first;

	return journal_fd(m, mirror, first, err) >= 0 && journal_fd(m, mirror, number, err) >= 0 &&
		   (!next || journal_fd(m, mirror, number + 1, err) >= 0);
}

bool
laras_ring_open_slab(LarasMirrors *m, int mirror, uint32 slot, LarasKeyError *err)
{
	for (int i = 0; i < nkept; i++)
	{
		if (kept[i].mirror == mirror && kept[i].slab.number == LARAS_SLAB_OF(slot))
			return true;
	}
	if (nkept == KEPT_GRAVES)
		return true;
	if (!laras_mirrors_prepare(m, mirror, LARAS_SLAB_OF(slot), &kept[nkept], err))
		return false;
	nkept++;
	return true;
}

void
laras_ring_close_slabs(void)
{
	for (int i = 0; i < nkept; i++)
		laras_mirrors_release(&kept[i]);
	nkept = 0;
}

/* ------------------------------------------------------------------------
 * Flushing
 * ------------------------------------------------------------------------
 */

/* Write journal records first..last of the ring to one mirror and sync. */
static bool
write_journal(LarasVault *v, LarasMirrors *m, int mirror, uint64 first, uint64 last,
			  LarasKeyError *err)
{
	uint64 seq = first;

	while (seq <= last)
	{
		uint32 number = LARAS_JOURNAL_FILE_OF(seq);
		uint64 end = Min(last, (uint64) (number + 1) * LARAS_JOURNAL_PER_FILE);
		uint32 place = (uint32) (seq % LARAS_VAULT_RING);
		uint32 n = (uint32) Min(end - seq + 1, (uint64) (LARAS_VAULT_RING - place));
		int fd = journal_fd(m, mirror, number, err);

		if (fd < 0 || !laras_journal_write(fd, seq, v->ring[place], n, err))
			return false;
		seq += n;
		if (seq > last || LARAS_JOURNAL_FILE_OF(seq) != number)
		{
			LARAS_FAULT("destroy.journal_written");
			if (!laras_sync_data(fd))
				return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "syncing the journal");
		}
	}
	return true;
}

/* a slab of the pass below: one of kept[] or one opened for it */
typedef struct PassGrave
{
	LarasGrave *grave;
	LarasGrave own;
} PassGrave;

static bool
sync_graves(PassGrave *graves, int n, LarasKeyError *err)
{
	bool ok = true;

	for (int i = 0; i < n; i++)
	{
		if (ok && !laras_mirrors_sync(graves[i].grave, err))
			ok = false;
		if (graves[i].grave == &graves[i].own)
			laras_mirrors_release(&graves[i].own);
	}
	return ok;
}

/* Overwrite the slots that records first..last of the ring destroy, and sync. */
static bool
write_slots(LarasVault *v, LarasMirrors *m, int mirror, uint64 first, uint64 last,
			LarasKeyError *err)
{
	static PassGrave graves[PASS_GRAVES];
	int n = 0;

	for (uint64 seq = first; seq <= last; seq++)
	{
		LarasJournalRecord rec;
		LarasTomb tomb;
		PassGrave *found = NULL;
		bool missing = false;

		if (!laras_journal_decode(v->ring[seq % LARAS_VAULT_RING], &rec) ||
			(rec.kind != LARAS_JOURNAL_DESTROY && rec.kind != LARAS_JOURNAL_RANGE))
			continue;
		tomb.reason = rec.reason;
		tomb.time = rec.time;
		memcpy(tomb.order, rec.order, LARAS_ORDER_LEN);
		for (uint32 i = 0; i < Max(rec.count, 1); i++)
		{
			uint32 slot = rec.first + i;

			if (found == NULL || found->grave->slab.number != LARAS_SLAB_OF(slot))
			{
				found = NULL;
				for (int g = 0; g < n; g++)
				{
					if (graves[g].grave->slab.number == LARAS_SLAB_OF(slot))
						found = &graves[g];
				}
			}
			if (found == NULL)
			{
				if (n == PASS_GRAVES)
				{
					if (!sync_graves(graves, n, err))
						return false;
					n = 0;
				}
				found = &graves[n];
				found->grave = NULL;
				for (int k = 0; k < nkept; k++)
				{
					if (kept[k].mirror == mirror && kept[k].slab.number == LARAS_SLAB_OF(slot))
						found->grave = &kept[k];
				}
				if (found->grave == NULL)
				{
					if (!laras_mirrors_prepare(m, mirror, LARAS_SLAB_OF(slot), &found->own, err))
					{
						if (err->code != LARAS_KEYERR_ABSENT)
						{
							(void) sync_graves(graves, n, err);
							return false;
						}
						missing = true;
					}
					else
						found->grave = &found->own;
				}
				if (missing)
				{
					found = NULL;
					break;
				}
				n++;
			}
			if (!laras_mirrors_bury(m, found->grave, slot, &tomb, err) &&
				err->code != LARAS_KEYERR_ABSENT)
			{
				LarasKeyError ignored = LARAS_KEYERROR_INIT;

				(void) sync_graves(graves, n, &ignored);
				return false;
			}
			LARAS_FAULT("destroy.slot_written");
		}
	}
	return sync_graves(graves, n, err);
}

bool
laras_ring_flush(LarasVault *v, LarasMirrors *m, int mirror, uint64 seq, LarasKeyError *err)
{
	LarasMirrorInfo *info = &v->mirror[mirror];
	uint64 applied;
	uint64 last;
	bool ok;

	if (pg_atomic_read_u64(&info->applied) >= seq)
		return true;
	LWLockAcquire(v->flush_lock[mirror], LW_EXCLUSIVE);
	applied = pg_atomic_read_u64(&info->applied);
	last = pg_atomic_read_u64(&v->journal_last);
	if (applied >= seq || last <= applied)
	{
		LWLockRelease(v->flush_lock[mirror]);
		return true;
	}
	if (last - applied > LARAS_VAULT_RING)
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "it is too far behind the journal");
	else
		ok = write_journal(v, m, mirror, applied + 1, last, err) &&
			 write_slots(v, m, mirror, applied + 1, last, err);
	if (ok)
		pg_atomic_write_u64(&info->applied, last);
	LWLockRelease(v->flush_lock[mirror]);
	if (ok)
		ConditionVariableBroadcast(&info->moved);
	else
		laras_mirror_failed(v, mirror, err);
	return ok;
}
