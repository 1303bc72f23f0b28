/*
 * settlejournal.c
 *		Bringing the journals of several mirrors of one keyring to one end.
 *
 * Invariant: an order in any mirror ends in all of them, and afterwards the
 * mirrors hold the same bytes. Everything here runs in the vault worker.
 */
#include "postgres.h"

#include <unistd.h>

#include "base/compat.h"
#include "vault/files.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"

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
			 errdetail("Of the records after it " UINT64_FORMAT
					   " are readable and their orders are carried out; " UINT64_FORMAT
					   " are damaged and say nothing.",
					   scan->beyond, scan->damaged)));
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
	/* all of them hold every order now: what is left behind the end is garbage */
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if ((*mask & ((LarasMirrorMask) 1 << i)) != 0 &&
			!laras_journal_clear(w->m.mirror[i].dirfd, tail->seq, &one))
		{
			laras_vault_log(WARNING, &one, "clearing the journal's end");
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

/* The slots of an order, appended to a list. */
typedef struct Reburials
{
	Reburial *all;
	uint32 n;
	uint32 size;
} Reburials;

static void
add_reburials(LarasVaultWork *w, Reburials *list, const LarasJournalRecord *rec)
{
	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return;
	for (uint64 k = 0; k < Max(rec->count, 1) && rec->first + k < w->v->max_slots; k++)
	{
		Reburial *b;

		if (list->n == list->size)
		{
			list->size = Max(1024, list->size * 2);
			list->all = list->all == NULL ? palloc(sizeof(Reburial) * list->size)
										  : repalloc(list->all, sizeof(Reburial) * list->size);
		}
		b = &list->all[list->n++];
		b->slot = (uint32) (rec->first + k);
		b->tomb.reason = rec->reason;
		b->tomb.time = rec->time;
		memcpy(b->tomb.order, rec->order, LARAS_ORDER_LEN);
	}
}

static bool
bury_list(LarasVaultWork *w, int mirror, Reburials *list, LarasKeyError *err)
{
	bool ok = true;

	if (list->n > 0)
	{
		qsort(list->all, list->n, sizeof(*list->all), by_slot);
		ok = bury_sorted(w, mirror, list->all, list->n, err);
	}
	if (list->all != NULL)
		pfree(list->all);
	memset(list, 0, sizeof(*list));
	return ok;
}

bool
laras_bury_again(LarasVaultWork *w, int from, int mirror, uint64 first, uint64 last,
				 LarasKeyError *err)
{
	uint8 *raw = palloc(LARAS_JOURNAL_FILE_LEN);
	bool ok = true;

	while (ok && first <= last)
	{
		uint32 records = records_in_file(first, last);
		Reburials list = {NULL, 0, 0};

		ok = read_records(w->m.mirror[from].dirfd, first, records, raw, err);
		for (uint32 i = 0; ok && i < records; i++)
		{
			LarasJournalRecord rec;

			if (laras_journal_decode(raw + (size_t) i * LARAS_JOURNAL_RECORD_LEN, &rec))
				add_reburials(w, &list, &rec);
		}
		ok = ok && bury_list(w, mirror, &list, err);
		first += records;
	}
	pfree(raw);
	return ok;
}

/* The journal of a mirror that joins, read once more where files of it were cut or lost. */
static bool
scan_joining(LarasVaultWork *w, int mirror, uint64 applied, Stray *stray, LarasJournalScan *scan,
			 LarasKeyError *err)
{
	if (scan_mirror(w, mirror, stray, scan, err))
		return true;
	return err->code == LARAS_KEYERR_ABSENT &&
		   laras_journal_mend(w->m.mirror[mirror].dirfd, LARAS_JOURNAL_FILE_OF(applied + 1) + 1,
							  err) &&
		   scan_mirror(w, mirror, stray, scan, err);
}

bool
laras_settle_joining(LarasVaultWork *w, int from, int mirror, uint64 known, uint64 applied,
					 LarasKeyError *err)
{
	int dirfd = w->m.mirror[mirror].dirfd;
	Stray stray = {NULL, 0, 0};
	Reburials own = {NULL, 0, 0};
	LarasJournalScan scan;
	uint64 common = 0;
	bool ok =
		scan_joining(w, mirror, applied, &stray, &scan, err) &&
		common_records(w->m.mirror[from].dirfd, dirfd, Min(scan.tail.seq, applied), &common, err);

	if (ok)
	{
		/* orders that only this mirror carries */
		for (uint32 i = 0; i < stray.n; i++)
			add_reburials(w, &own, &stray.rec[i]);
		ok = bury_list(w, mirror, &own, err) &&
			 laras_bury_again(w, mirror, mirror, common + 1, scan.tail.seq, err);
	}
	if (ok)
	{
		common = Min(common, known);
		ok = copy_records(w->m.mirror[from].dirfd, dirfd, common + 1, applied, err) &&
			 laras_journal_clear(dirfd, applied, err) &&
			 laras_bury_again(w, from, mirror, common + 1, applied, err);
	}
	if (stray.rec != NULL)
		pfree(stray.rec);
	return ok;
}
