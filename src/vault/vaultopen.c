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
laras_due(TimestampTz *last, int period_ms)
{
	TimestampTz now = GetCurrentTimestamp();

	if (*last != 0 && now >= *last && now < TimestampTzPlusMilliseconds(*last, period_ms))
		return false;
	*last = now;
	return true;
}

bool
laras_vault_is_owner(const LarasKeyring *k)
{
	return k->owner_system == GetSystemIdentifier() && k->owner_database == MyDatabaseId;
}

/* ------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------
 */

typedef struct Replay
{
	LarasVaultWork *w;
	LarasMirrorMask mask;
	uint64 repeated;
	bool failed;
	LarasKeyError err;
} Replay;

/* Every order of the journal whose slot does not bear its mark; and what it says of master keys. */
static bool
replay_record(const LarasJournalRecord *rec, void *arg)
{
	Replay *replay = arg;
	LarasVault *v = replay->w->v;

	if (rec->kind == LARAS_JOURNAL_EPOCH_DESTROYED)
		laras_vault_epoch_ended(rec);
	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return true;
	for (uint32 i = 0; i < Max(rec->count, 1); i++)
	{
		uint32 slot = rec->first + i;
		LarasTomb tomb;

		if (slot >= v->max_slots || laras_bit_test(v->destroyed, slot))
			continue;
		laras_bit_set(v->destroyed, slot);
		tomb.reason = rec->reason;
		tomb.time = rec->time;
		memcpy(tomb.order, rec->order, LARAS_ORDER_LEN);
		if (laras_mirrors_destroy(&replay->w->m, replay->mask, slot, &tomb, &replay->err) !=
				replay->mask &&
			replay->err.code != LARAS_KEYERR_ABSENT)
			replay->failed = true;
		replay->repeated++;
	}
	return true;
}

/* Open a mirror's directory and lock it. */
bool
laras_open_and_lock(LarasVaultWork *w, int mirror, LarasKeyError *err)
{
	LarasKeyring k;
	int fd = laras_keyring_directory(w->m.mirror[mirror].path, w->number, err);

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
	laras_keyring_tidy(fd);
	w->m.mirror[mirror].dirfd = fd;
	w->opened |= (LarasMirrorMask) 1 << mirror;
	return true;
}

bool
laras_vault_parse_mirrors(LarasVaultWork *w, LarasKeyError *err)
{
	laras_mirrors_close(&w->m);
	w->opened = 0;
	if (laras_keyring_mirrors == NULL || laras_keyring_mirrors[0] == '\0')
		return laras_keyerror(err, LARAS_KEYERR_CLOSED, 0, "laras.keyring_directory is not set");
	if (!laras_mirrors_parse(laras_keyring_mirrors, &w->m, err))
		return false;
	w->m.number = w->number;
	if (w->m.n < 2 && !laras_single_mirror)
		return laras_keyerror(
			err, LARAS_KEYERR_CLOSED, 0,
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

	if (!laras_vault_parse_mirrors(w, err))
		return false;
	memcpy(w->m.keyring, w->v->keyring.uuid, LARAS_UUID_LEN);
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (pg_atomic_read_u32(&w->v->mirror[i].state) == LARAS_MIRROR_IN_SYNC &&
			!laras_open_and_lock(w, i, &one))
			laras_mirror_failed(w->v, i, &one);
	}
	if (w->opened == 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror can be opened");
	if (!laras_mirrors_read_lease(&w->m, w->opened, &w->lease, err))
		return false;
	w->files_open = true;
	w->database_applied = true;
	w->swept = true; /* the orphan list has lived on */
	return true;
}

void
laras_vault_forget(void)
{
	LarasVault *v = laras_vault_work.v;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&v->page->phase, LARAS_VAULT_CLOSED);
	laras_wipe(&v->page->wraps, sizeof(v->page->wraps));
	pg_atomic_write_u32(&v->known, 0);
	pg_atomic_write_u32(&v->owned, 0);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	laras_vault_close_files();
}

/* How often the file was replaced: an older one has taken fewer of the same steps. */
static uint64
steps_of(const LarasKeyring *k)
{
	return k->adoptions + k->current_epoch + k->oldest_epoch;
}

/* How the mirrors answer before anything is opened for good. */
static LarasOpenFiles
look_for_keyring(LarasVaultWork *w, LarasKeyring *k, LarasKeyError *err)
{
	int found = 0;

	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;
		LarasKeyring own;
		int fd;

		if ((w->removed & ((LarasMirrorMask) 1 << i)) != 0)
			continue;
		fd = laras_keyring_directory(w->m.mirror[i].path, w->number, &one);
		if (fd >= 0)
		{
			bool ok = laras_keyring_read(fd, &own, &one);

			close(fd);
			if (ok)
			{
				if (found > 0 && memcmp(own.uuid, k->uuid, LARAS_UUID_LEN) != 0)
				{
					laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0,
								   "the mirrors hold different keyrings");
					return LARAS_FILES_FAILED;
				}
				/* the last one counts: an adoption or a rotation may have been cut short */
				if (found == 0 || steps_of(&own) > steps_of(k))
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
void
laras_fill_empty_mirrors(LarasVaultWork *w)
{
	int from = -1;

	for (int i = 0; i < w->m.n && from < 0; i++)
	{
		if (w->opened & ((LarasMirrorMask) 1 << i))
			from = i;
	}
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		int fd;

		if ((w->opened | w->removed) & ((LarasMirrorMask) 1 << i))
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
		if (laras_keyring_copy(w->m.mirror[from].dirfd, w->m.mirror[i].path, w->number, NULL,
							   &err) &&
			laras_open_and_lock(w, i, &err))
			ereport(LOG, (errmsg("keyring mirror \"%s\" was empty and has been filled",
								 w->m.mirror[i].name)));
		else
			laras_vault_log(WARNING, &err, "filling an empty mirror");
	}
}

void
laras_vault_publish(LarasVaultWork *w, const LarasKeyring *k, LarasMirrorMask in_sync,
					const LarasJournalTail *tail, uint32 slabs)
{
	LarasVault *v = w->v;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->keyring = *k;
	v->nmirrors = w->m.n;
	LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&v->journal_last, tail->seq);
	memcpy(v->chain, tail->chain, LARAS_CHAIN_LEN);
	/* where laras_vault_journal_position looks until other records are synced */
	memcpy(v->ring[tail->seq % LARAS_VAULT_RING] + LARAS_JOURNAL_RECORD_LEN - LARAS_CHAIN_LEN,
		   tail->chain, LARAS_CHAIN_LEN);
	LWLockRelease(v->journal_lock);
	for (int i = 0; i < w->m.n; i++)
	{
		bool good = (in_sync & ((LarasMirrorMask) 1 << i)) != 0;

		strlcpy(v->mirror[i].name, w->m.mirror[i].name, sizeof(v->mirror[i].name));
		pg_atomic_write_u64(&v->mirror[i].applied, good ? tail->seq : 0);
		pg_atomic_write_u32(&v->mirror[i].state, (w->removed & ((LarasMirrorMask) 1 << i)) != 0
													 ? LARAS_MIRROR_REMOVED
												 : good ? LARAS_MIRROR_IN_SYNC
														: LARAS_MIRROR_BEHIND);
		pg_atomic_write_u32(&v->mirror[i].was_in_sync, good ? 1 : 0);
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
		if (!laras_append_record(w->m.mirror[i].dirfd, &here, &rec, err))
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

/* A keyring file that is behind the others (an adoption or rotation cut short) is renewed. */
bool
laras_settle_keyring_files(LarasVaultWork *w, const LarasKeyring *k, LarasMirrorMask mask,
						   LarasKeyError *err)
{
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyring own;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		if (!laras_keyring_read(w->m.mirror[i].dirfd, &own, err))
			return false;
		if (steps_of(&own) != steps_of(k) && !laras_keyring_replace(w->m.mirror[i].dirfd, k, err))
			return false;
	}
	return true;
}

LarasOpenFiles
laras_vault_open_files(bool adopt, const uint8 *wanted, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyring k;
	LarasJournalTail tail;
	LarasJournalScan scan;
	LarasMirrorMask mask;
	LarasOpenFiles found;
	Replay replay;
	int first;
	uint32 slabs;
	bool foreign;
	bool older;

	if (!laras_vault_parse_mirrors(w, err))
		return LARAS_FILES_FAILED;
	found = look_for_keyring(w, &k, err);
	if (found != LARAS_FILES_OPEN)
		return found;
	err->code = LARAS_KEYERR_NONE;
	if (wanted != NULL && memcmp(wanted, k.uuid, LARAS_UUID_LEN) != 0)
	{
		laras_keyerror(err, LARAS_KEYERR_FOREIGN_CONTENT, 0,
					   "the contents of this database were sealed under another keyring");
		return LARAS_FILES_FOREIGN;
	}
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

		if ((w->removed & ((LarasMirrorMask) 1 << i)) != 0)
			continue;
		if (!laras_open_and_lock(w, i, &one))
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
	laras_fill_empty_mirrors(w);

	mask = w->opened;
	first = laras_settle_journals(w, &mask, &tail, err);
	if (first < 0 || !laras_settle_keyring_files(w, &k, mask, err))
	{
		if (err->code == LARAS_KEYERR_NONE)
			laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no journal can be read");
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	if (!laras_vault_compare_witness(first, &tail, LARAS_WITNESS_PATIENCE_MS, err))
	{
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	w->older = false;
	w->unsettled = false;
	slabs = laras_settle_slabs(w, &mask, first);

	/* every order of the journal, before anybody may read */
	memset(&replay, 0, sizeof(replay));
	w->nended = 0;
	replay.w = w;
	replay.mask = mask;
	if (laras_journal_scan(w->m.mirror[first].dirfd, w->m.keyring, NULL, replay_record, NULL,
						   &replay, &scan, err) == LARAS_JOURNAL_FAILED ||
		replay.failed)
	{
		if (replay.failed)
			*err = replay.err;
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	if (replay.repeated > 0)
		ereport(LOG, (errmsg("laras vault: " UINT64_FORMAT
							 " orders of the journal were carried out again",
							 replay.repeated)));

	/* a person may take an older keyring, knowing that it is one */
	older = !laras_vault_reaches_replayed(err);
	if (older && adopt)
		err->code = LARAS_KEYERR_NONE;
	if ((older && !adopt) || !laras_mirrors_read_lease(&w->m, mask, &w->lease, err))
	{
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	if ((foreign || older) && !take_over(w, &k, mask, &tail, err))
	{
		laras_vault_close_files();
		return LARAS_FILES_FAILED;
	}
	w->lease_at_open = w->lease.next_position;
	w->database_applied = false;
	w->swept = false;
	laras_vault_publish(w, &k, mask, &tail, slabs);
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
	bool ok;

	if (!laras_fetch_master_keys("content", &keys, err))
		return false;
	memset(&plan, 0, sizeof(plan));
	plan.number = w->number;
	plan.owner_system = GetSystemIdentifier();
	plan.owner_database = MyDatabaseId;
	plan.epoch = keys.master[0].epoch;
	plan.master = keys.master[0].key;
	plan.slabs = 16; /* the rest is made ahead while the vault is open */
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
