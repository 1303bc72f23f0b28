/*
 * vaultworker.c
 *		The vault worker of a database: closed → replaying → open, and then its
 *		duties, turn after turn.
 *
 *		files		directories opened and locked, mirrors in one state, bits set;
 *					needs no key: destroying works from here on
 *		key			fetched, held against the keyring, K_wrap into the page, wiped
 *		replaying	every order of the database carried out, slots leased
 *		open
 *
 * A failure leaves the vault closed with its reason in shared memory and is
 * tried again; it never ends the process.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/fault.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/keyowner.h"
#include "vault/masterkey.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define PERIOD_MS 1000
#define RETRY_MS 1000
#define JOIN_EVERY_MS 5000
#define WATCH_EVERY_MS 5000
#define EXPIRE_EVERY_MS 1000
#define VERIFY_EVERY_MS 100
#define LOOK_EVERY_MS 1000
#define REMOVALS_EVERY_MS 500
#define WITNESS_EVERY_MS 2000 /* while it cannot be read */
#define SCRUB_PAUSE_MS 5      /* between two slabs, so that a scrub is not felt */
#define LEASE_STAMP_MS 10000  /* the lease's WAL position is renewed that often */

static TimestampTz last_key_attempt = 0;
static TimestampTz last_watch = 0;
static TimestampTz last_join = 0;
static TimestampTz last_stamp = 0;
static TimestampTz last_expiry = 0;
static TimestampTz last_removals = 0;
static TimestampTz last_witness = 0;
static LarasKeyErrorCode logged_why = LARAS_KEYERR_NONE;

/* Say why the vault is shut: for those who ask, and once in the log. */
static void
shut(const LarasKeyError *err)
{
	LarasVault *v = laras_vault_work.v;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->why = err->code;
	(void) laras_keyerror_text(err, v->why_text);
	LWLockRelease(v->lock);
	if (logged_why != err->code)
	{
		laras_vault_log(WARNING, err, "opening the vault");
		logged_why = err->code;
	}
	laras_worker_wake_in(RETRY_MS);
}

/* ------------------------------------------------------------------------
 * Which keyring
 * ------------------------------------------------------------------------
 */

/* The database's place in laras.databases, or -1. */
static int
place_in_list(void)
{
	const char *setting = GetConfigOption("laras.databases", true, false);
	char *name;
	char *copy;
	List *names = NIL;
	ListCell *cell;
	int place = -1;
	int i = 0;

	laras_worker_begin("starting");
	name = get_database_name(MyDatabaseId);
	copy = pstrdup(setting == NULL ? "" : setting);
	if (name != NULL && SplitIdentifierString(copy, ',', &names))
	{
		foreach(cell, names)
		{
			if (place < 0 && strcmp((char *) lfirst(cell), name) == 0)
				place = i;
			i++;
		}
	}
	laras_worker_commit();
	return place;
}

int
laras_vault_owned_number(void)
{
	LarasMirrors *m;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	int number = -1;

	if (laras_keyring_mirrors == NULL || laras_keyring_mirrors[0] == '\0')
		return -1;
	m = palloc(sizeof(LarasMirrors));
	for (int n = 0; number < 0 && laras_vault_at(n) != NULL; n++)
	{
		LarasKeyring k;
		LarasMirrorMask opened;

		if (!laras_mirrors_parse(laras_keyring_mirrors, m, &err))
			break;
		if (laras_mirrors_open(m, (uint16) n, &k, &opened, &err) && laras_vault_is_owner(&k))
			number = n;
		laras_mirrors_close(m);
	}
	pfree(m);
	return number;
}

/* Find this database's vault; false when there is none for it. */
static bool
attach(void)
{
	LarasVaultWork *w = &laras_vault_work;
	int number;

	if (w->v != NULL)
		return true;
	number = laras_vault_owned_number();
	if (number < 0)
		number = place_in_list();
	if (number < 0 || laras_vault_at(number) == NULL)
	{
		static bool said = false;

		if (!said)
			ereport(
				LOG,
				(errmsg("laras vault: no keyring can be given to this database"),
				 errhint(
					 "Databases added to laras.databases get their vault when the server is restarted.")));
		said = true;
		return false;
	}
	w->v = laras_vault_at(number);
	w->number = (uint16) number;

	/* of a database that was dropped and made again, or of another one */
	if (pg_atomic_read_u32(&w->v->known) != 0 &&
		pg_atomic_read_u32(&w->v->database) != MyDatabaseId)
	{
		LWLockAcquire(w->v->lock, LW_EXCLUSIVE);
		pg_atomic_write_u32(&w->v->page->phase, LARAS_VAULT_CLOSED);
		laras_wipe(&w->v->page->wraps, sizeof(w->v->page->wraps));
		pg_atomic_write_u32(&w->v->known, 0);
		pg_atomic_write_u32(&w->v->owned, 0);
		pg_atomic_fetch_add_u64(&w->v->page->generation, 1);
		LWLockRelease(w->v->lock);
		LWLockAcquire(w->v->orphan_lock, LW_EXCLUSIVE);
		w->v->norphans = 0; /* of the other keyring; its own start sweeps them */
		LWLockRelease(w->v->orphan_lock);
		for (uint32 i = 0; i < w->v->max_slots / 32; i++)
		{
			pg_atomic_write_u32(&w->v->destroyed[i], 0);
			pg_atomic_write_u32(&w->v->damaged[i], 0);
		}
	}
	pg_atomic_write_u32(&w->v->database, MyDatabaseId);
	return true;
}

/* ------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------
 */

static bool
open_files(bool adopt)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8 wanted[LARAS_UUID_LEN];
	bool known;

	if (pg_atomic_read_u32(&w->v->known) != 0)
	{
		if (laras_vault_reopen_files(&err))
			return true;
		shut(&err);
		return false;
	}
	known = laras_database_keyring(wanted);
	laras_vault_work.removed = laras_vault_removed_mirrors();
	switch (laras_vault_open_files(adopt, known ? wanted : NULL, &err))
	{
		case LARAS_FILES_OPEN:
			return true;
		case LARAS_FILES_FAILED:
		case LARAS_FILES_FOREIGN:
			break;
		case LARAS_FILES_NONE:
			if (laras_database_has_keys())
				laras_keyerror(&err, LARAS_KEYERR_ABSENT, 0,
							   "the database has keys, and no mirror holds their keyring");
			else
			{
				err.code = LARAS_KEYERR_NONE;
				if (laras_vault_create(&err))
				{
					laras_worker_wake_in(0);
					return false; /* opened in the next turn */
				}
			}
			break;
	}
	shut(&err);
	return false;
}

/* Fetch the master key and put what may be known of it into the page. */
static bool
take_key(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMasterKeys keys;
	LarasWrapSet wraps;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool ok;

	if (!laras_due(&last_key_attempt, RETRY_MS))
		return false;
	if (!laras_fetch_master_keys("content", &keys, &err))
	{
		shut(&err);
		return false;
	}
	ok = laras_masterkey_check(&keys, &v->keyring, false, &err);
	if (ok && !laras_masterkey_wraps(&keys, &v->keyring, LARAS_DOMAIN_CONTENT, &wraps))
		ok = laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "deriving the wrapping key");
	/* a rotation was cut short: the courier's seed is wrapped by who has both keys */
	if (ok && v->keyring.oldest_epoch != v->keyring.current_epoch &&
		!laras_vault_wrap_courier(&keys, &err))
		laras_vault_log(WARNING, &err, "wrapping the courier's seed anew");
	laras_masterkey_wipe(&keys);
	if (!ok)
	{
		shut(&err);
		return false;
	}
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->page->wraps = wraps;
	pg_atomic_write_u32(&v->page->phase, LARAS_VAULT_REPLAYING);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	laras_wipe(&wraps, sizeof(wraps));
	LARAS_FAULT("open.replaying");
	return true;
}

/* From replaying to open. */
static bool
finish_opening(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (w->unsettled)
	{
		/* what differed between mirrors can now be told apart */
		laras_vault_settle_slab(0);
		for (uint32 i = 0; i < pg_atomic_read_u32(&v->slabs_made); i++)
			laras_vault_settle_slab(LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + i);
		w->unsettled = false;
	}
	if (!laras_vault_lease_ahead(&err) && err.code != LARAS_KEYERR_NO_SLOT)
	{
		shut(&err);
		return false;
	}
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&v->page->phase, LARAS_VAULT_OPEN);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	v->why = LARAS_KEYERR_NONE;
	v->why_text[0] = '\0';
	LWLockRelease(v->lock);
	logged_why = LARAS_KEYERR_NONE;
	laras_vault_note_epoch();
	laras_vault_settle_courier();
	ereport(LOG, (errmsg("laras vault: keyring %u is open", w->number)));
	return true;
}

/* Answer who waits in rotate_master_key(). */
static void
answer_rotation(void)
{
	LarasVault *v = laras_vault_work.v;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint64 asked;

	LWLockAcquire(v->lock, LW_SHARED);
	asked = v->rotate_asked;
	LWLockRelease(v->lock);
	if (asked == v->rotate_answered)
		return;
	if (laras_vault_begin_rotation(&err))
		err.code = LARAS_KEYERR_NONE;
	else
		laras_vault_log(WARNING, &err, "beginning to rotate the master key");
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->rotate_answered = asked;
	v->rotate_result = err;
	LWLockRelease(v->lock);
	ConditionVariableBroadcast(&v->adopt_moved);
}

/* Answer who waits in adopt_keyring(). */
static void
answer_adoption(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	uint64 asked;
	LarasKeyErrorCode result = LARAS_KEYERR_NONE;

	LWLockAcquire(v->lock, LW_SHARED);
	asked = v->adopt_asked;
	LWLockRelease(v->lock);
	if (asked == v->adopt_answered)
		return;
	if (!w->files_open)
	{
		if (open_files(true))
			laras_vault_mark_adopted();
		else
		{
			LWLockAcquire(v->lock, LW_SHARED);
			result = v->why == LARAS_KEYERR_NONE ? LARAS_KEYERR_CLOSED : v->why;
			LWLockRelease(v->lock);
		}
	}
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->adopt_answered = asked;
	v->adopt_result = result;
	LWLockRelease(v->lock);
	ConditionVariableBroadcast(&v->adopt_moved);
}

/* ------------------------------------------------------------------------
 * Turns
 * ------------------------------------------------------------------------
 */

/*
 * A mirror whose directory was moved or replaced is written on through what is
 * open, where nobody looks for it: it is put aside, but never as the last.
 */
static void
watch_mirrors(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;

	if (!laras_due(&last_watch, WATCH_EVERY_MS))
		return;
	for (int i = 0; i < w->m.n; i++)
	{
		LarasMirrorMask one = (LarasMirrorMask) 1 << i;
		LarasMirrorMask in_sync = laras_vault_in_sync(v) & w->opened;
		LarasKeyError err = LARAS_KEYERROR_INIT;
		char path[MAXPGPATH];
		struct stat open_one;
		struct stat named;

		if ((in_sync & one) == 0 || in_sync == one || fstat(w->m.mirror[i].dirfd, &open_one) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%u", w->m.mirror[i].path, (unsigned int) w->number);
		if (stat(path, &named) == 0
				? named.st_dev == open_one.st_dev && named.st_ino == open_one.st_ino
				: errno != ENOENT && errno != ENOTDIR)
			continue;
		laras_keyerror(&err, LARAS_KEYERR_MIRROR, 0, "its directory was moved or replaced");
		laras_mirror_failed(v, i, &err);
	}
}

static void
rejoin_mirrors(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	bool none = laras_vault_in_sync(v) == 0;

	if (!laras_due(&last_join, none ? RETRY_MS : JOIN_EVERY_MS))
		return;
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if (pg_atomic_read_u32(&v->mirror[i].state) != LARAS_MIRROR_BEHIND)
			continue;
		if (!laras_vault_join(i, &err))
			ereport(DEBUG1, (errmsg("keyring mirror \"%s\" cannot join: %s", v->mirror[i].name,
									err.what ? err.what : "unknown failure")));
	}
}

/*
 * What is kept outside could not be read when the keyring was opened: try
 * again. A keyring that turns out to be older is shut until it is put right;
 * destroying goes on.
 */
static void
look_at_witness(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasJournalTail tail;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrorMask in_sync = laras_vault_in_sync(v) & w->opened;
	int mirror = 0;

	if (pg_atomic_read_u32(&v->witness_compared) != 0 || in_sync == 0 ||
		!laras_due(&last_witness, WITNESS_EVERY_MS))
		return;
	laras_vault_flush_mirrors();
	while ((in_sync & ((LarasMirrorMask) 1 << mirror)) == 0)
		mirror++;
	LWLockAcquire(v->journal_lock, LW_SHARED);
	tail.seq = pg_atomic_read_u64(&v->journal_last);
	memcpy(tail.chain, v->chain, LARAS_CHAIN_LEN);
	LWLockRelease(v->journal_lock);
	if (laras_vault_compare_witness(mirror, &tail, 0, &err))
	{
		w->older = false;
		return;
	}
	if (err.code != LARAS_KEYERR_OLDER)
		return;
	w->older = true;
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&v->page->phase, LARAS_VAULT_CLOSED);
	laras_wipe(&v->page->wraps, sizeof(v->page->wraps));
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	shut(&err);
}

static void
expire_time_slots(void)
{
	int n;

	if (!laras_due(&last_expiry, EXPIRE_EVERY_MS))
		return;
	laras_vault_begin("destroying keys of hours that are over");
	n = laras_expire_time_slots();
	laras_worker_commit();
	if (n > 0)
		laras_vault_flush_mirrors();
}

/* Renew the lease's WAL position, by which an older database is noticed. */
static void
stamp_lease(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	static uint64 stamped_next = 0;
	uint64 next;
	LarasLease lease = w->lease;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask done;

	SpinLockAcquire(&v->lease_lock);
	next = v->lease_next;
	SpinLockRelease(&v->lease_lock);
	if (next == stamped_next || !laras_due(&last_stamp, LEASE_STAMP_MS))
		return;
	stamped_next = next;
	lease.wal_position = Max(lease.wal_position, GetFlushRecPtr(NULL));
	done = laras_mirrors_lease(&w->m, mask, &lease, &err);
	/* where no mirror took it nobody is worse off: who needs one will see */
	if (done != 0 && laras_keep_in_sync(w, mask, done, &err))
		w->lease = lease;
}

/*
 * Reading back is not what a committer waits for, so it is done for many at
 * once. Returns how many orders are not verified, as far as known.
 */
static uint64
verify_orders(void)
{
	static TimestampTz last = 0;
	static uint64 verified_to = 0;
	static uint64 pending = 0;
	LarasVault *v = laras_vault_work.v;
	uint64 journal = pg_atomic_read_u64(&v->journal_last);
	bool fresh = journal != verified_to;

	/* rows may also come from elsewhere: a restore, a crash before the journal */
	if (!laras_due(&last, fresh ? VERIFY_EVERY_MS : LOOK_EVERY_MS))
	{
		if (fresh)
			laras_worker_wake_in(VERIFY_EVERY_MS);
		return Max(pending, fresh ? 1 : 0);
	}
	pending = laras_vault_verify_orders();
	verified_to = journal;
	return pending;
}

LarasTurn
laras_vault_turn(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasVaultPhase phase;
	uint64 pending;
	bool more;

	if (!attach())
	{
		laras_worker_wake_in(60000);
		return LARAS_TURN_IDLE;
	}
	answer_adoption();
	if (!w->files_open && !open_files(false))
		return LARAS_TURN_IDLE;

	laras_vault_flush_mirrors();
	(void) laras_vault_journal_ahead(&err);
	answer_rotation();
	if (laras_due(&last_removals, REMOVALS_EVERY_MS))
	{
		laras_vault_apply_removals();
		laras_vault_journal_epochs();
		laras_vault_make_copies();
	}
	watch_mirrors();
	rejoin_mirrors();
	look_at_witness();
	phase = laras_vault_phase(w->v);
	if (phase == LARAS_VAULT_CLOSED)
	{
		/* erasing works without a key: carry out what the database orders */
		if (!w->database_applied)
			laras_vault_apply_database();
		if (!w->older && take_key())
			phase = LARAS_VAULT_REPLAYING;
	}
	if (phase == LARAS_VAULT_REPLAYING)
	{
		if (!w->database_applied)
			laras_vault_apply_database();
		if (finish_opening())
			phase = LARAS_VAULT_OPEN;
	}
	if (phase == LARAS_VAULT_OPEN && !laras_vault_lease_ahead(&err))
		laras_worker_wake_in(50); /* a slab is being made, or a mirror comes back */
	if (!w->swept)
		laras_vault_sweep();
	laras_vault_destroy_orphans();
	laras_vault_repair_slots();
	expire_time_slots();
	pending = verify_orders();
	stamp_lease();
	if (phase == LARAS_VAULT_OPEN && laras_vault_rotate())
		laras_worker_wake_in(0);
	else if (phase == LARAS_VAULT_OPEN && laras_vault_scrub())
		laras_worker_wake_in(SCRUB_PAUSE_MS);
	more = laras_vault_slabs_ahead(&err);
	laras_worker_set_pending(pending + w->v->norphans);
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}

void
laras_vault_stop(int code)
{
	laras_vault_close_files();
}
