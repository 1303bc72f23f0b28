/*
 * vaultwork.h
 *		The vault worker's own state, and the parts of its work. For files of
 *		src/vault only; everything here runs in the vault worker.
 */
#ifndef LARAS_VAULT_WORK_H
#define LARAS_VAULT_WORK_H

#include "vault/vaultshared.h"

/* an epoch whose master key the journal says is destroyed */
typedef struct LarasEnded
{
	uint16 epoch;
	int64 time; /* microseconds since 1970 */
} LarasEnded;

typedef struct LarasVaultWork
{
	LarasVault *v;
	uint16 number;
	LarasMirrors m;          /* descriptors of the directories, locked */
	LarasMirrorMask opened;  /* of those, the ones that are open */
	LarasMirrorMask removed; /* by a person's statement, at the last opening */
	bool files_open;         /* opened, locked; shared memory is filled */
	bool database_applied;   /* its orders are applied since the files opened */
	LarasLease lease;        /* as last written */
	uint64 lease_at_open;    /* position below which nobody alive holds a slot */
	bool swept;              /* the start's sweep is done */
	bool unsettled;          /* slots differ that only the key can tell apart */
	bool older;              /* than its witness, as seen while it was open */
	LarasEnded *ended;       /* as the journal was when it was opened, until it is on record */
	int nended;
	int ended_room;
	uint32 growth; /* slabs used up in 30 days, as the last scrubs saw it */
} LarasVaultWork;

extern LarasVaultWork laras_vault_work;

/* ---- vaultopen.c: finding, making, joining ---- */

typedef enum LarasOpenFiles
{
	LARAS_FILES_OPEN,
	LARAS_FILES_FAILED, /* err says why; try again later */
	LARAS_FILES_NONE,   /* every mirror is there and empty: make a keyring */
	LARAS_FILES_FOREIGN /* the keyring has another owner: LRK06 */
} LarasOpenFiles;

/*
 * Open and lock the mirrors, bring them to one state, and fill shared memory:
 * identity, slabs, bits, journal tail, lease. adopt: take a foreign keyring
 * over, journalled. wanted: the keyring it must be, or NULL. Needs no key. No
 * transaction may be open; raises only on lack of memory.
 */
extern LarasOpenFiles laras_vault_open_files(bool adopt, const uint8 *wanted, LarasKeyError *err);

/* after a restart of the worker alone: shared memory is as it should be */
extern bool laras_vault_reopen_files(LarasKeyError *err);
extern void laras_vault_close_files(void);

/* Close, and let shared memory forget the keyring: it is opened anew, from its files. */
extern void laras_vault_forget(void);

/* Make a keyring where there is none; fetches the master key. */
extern bool laras_vault_create(LarasKeyError *err);

/* Read laras.keyring_directory into w->m, refusing what may hold no keys; nothing is open then. */
extern bool laras_vault_parse_mirrors(LarasVaultWork *w, LarasKeyError *err);

/* The number of the keyring in the mirrors that names this database as its owner, or -1. */
extern int laras_vault_owned_number(void);

/* Tell shared memory who the keyring is and how far these mirrors have come. */
extern void laras_vault_publish(LarasVaultWork *w, const LarasKeyring *k, LarasMirrorMask in_sync,
								const LarasJournalTail *tail, uint32 slabs);

/* Open and lock one mirror's directory; its keyring must be w->m.keyring. */
extern bool laras_open_and_lock(LarasVaultWork *w, int mirror, LarasKeyError *err);

/* Fill mirrors that are there and empty from one that is open. */
extern void laras_fill_empty_mirrors(LarasVaultWork *w);

/* The owner, as this cluster and database would write it. */
extern bool laras_vault_is_owner(const LarasKeyring *k);

/* Renew keyring files that are behind k. */
extern bool laras_settle_keyring_files(LarasVaultWork *w, const LarasKeyring *k,
									   LarasMirrorMask mask, LarasKeyError *err);

/* ---- settlejournal.c: one journal in all mirrors ---- */

/*
 * Bring the journals of all mirrors of *mask to one end, *tail. Mirrors that
 * cannot take part leave *mask. Returns the mirror whose journal was longest,
 * or -1 with err.
 */
extern int laras_settle_journals(LarasVaultWork *w, LarasMirrorMask *mask, LarasJournalTail *tail,
								 LarasKeyError *err);

/* Append one record to one mirror's journal and sync it; fills seq and chain. */
extern bool
laras_append_record(int dirfd, LarasJournalTail *tail, LarasJournalRecord *rec, LarasKeyError *err);

/* Write n raw records from first on, all of one file, which is made where it is not there; synced. */
extern bool
laras_write_records(int dirfd, uint64 first, uint32 n, const uint8 *raw, LarasKeyError *err);

/*
 * Write the marks of records first..last of `from`'s journal into a mirror,
 * whatever stands there: after a failed sync the cache may show what the medium
 * does not hold.
 */
extern bool laras_bury_again(LarasVaultWork *w, int from, int mirror, uint64 first, uint64 last,
							 LarasKeyError *err);

/*
 * Give a mirror that joins the journal of `from` up to record applied, and its
 * slabs the marks of it from record known on (what it is known to hold) and of
 * the orders that only its own journal has; nothing stands behind the end
 * afterwards. Files of it that were cut or lost are made again.
 */
extern bool laras_settle_joining(LarasVaultWork *w, int from, int mirror, uint64 known,
								 uint64 applied, LarasKeyError *err);

/* ---- settleslab.c: the same slabs in all mirrors ---- */

/*
 * All slabs of the mirrors in mask to one state, their slots' bits set;
 * returns how many leased slabs there are. first: whose copy counts where
 * births differ.
 */
extern uint32 laras_settle_slabs(LarasVaultWork *w, LarasMirrorMask *mask, int first);

/* All slabs of a mirror that joins and of one in sync; false where they cannot be. */
extern bool laras_settle_two(LarasVaultWork *w, int first, int mirror);

/*
 * Compare one slab in all mirrors in sync and bring it to one state; copies it
 * to a mirror that lacks it.
 */
extern void laras_vault_settle_slab(uint32 number);

/* Whole slab file of one mirror; false where it is absent, short or not this keyring's. */
extern bool laras_read_slab(LarasVaultWork *w, int mirror, uint32 number, uint8 *image,
							uint8 uuid[LARAS_UUID_LEN], LarasKeyError *err);

/* ---- mirrorjoin.c ---- */

/* Bring one mirror that is behind into sync again, if it can be reached. */
extern bool laras_vault_join(int mirror, LarasKeyError *err);

/* ---- vaultmirrors.c: mirrors that are gone for good; own transactions ---- */

/* The configured mirrors that a statement removed. */
extern LarasMirrorMask laras_vault_removed_mirrors(void);

/* Take removed mirrors out of use, and journal it. */
extern void laras_vault_apply_removals(void);

/* ---- vaultcopies.c: copies of the keyring beside its mirrors; own transactions ---- */

/* Write the copies that are registered and not made. */
extern void laras_vault_make_copies(void);

/* ---- vaultrotate.c: a new master key ---- */

struct LarasMasterKeys;

/* Begin: the next epoch into the keyring file and the page. True also where one is under way. */
extern bool laras_vault_begin_rotation(LarasKeyError *err);

/* The courier's seed under the current epoch, in every mirror in sync. */
extern bool laras_vault_wrap_courier(const struct LarasMasterKeys *keys, LarasKeyError *err);

/*
 * The same bytes of the courier's seed in every mirror in sync, where they
 * differ: no merge can tell them apart without the key, which is fetched then.
 */
extern void laras_vault_settle_courier(void);

/* A slab of it, where one is under way; true: there is more. The vault must be open. */
extern bool laras_vault_rotate(void);

/* ---- vaultepochs.c: epochs on record ---- */

/*
 * The current epoch on record, those that are retired, and those that the
 * journal says are destroyed. Own transaction.
 */
extern void laras_vault_note_epoch(void);

/* Journal the epochs that a person says are destroyed. Own transactions. */
extern void laras_vault_journal_epochs(void);

/* Journal one epoch's end of that kind. False: the ring is full. */
extern bool laras_vault_journal_epoch(uint8 kind, uint16 epoch);

/* A record of that end was met while the journal was read. */
extern void laras_vault_epoch_ended(const LarasJournalRecord *rec);

/* ---- vaultscrub.c ---- */

/*
 * A piece of the nightly scrub, where one is due, asked for or under way; true:
 * it goes on soon. The vault must be open. Own transactions.
 */
extern bool laras_vault_scrub(void);

/* ---- vaultduties.c: what is done again and again ---- */

/* Bring the mirrors beyond the first up to the journal's end. */
extern void laras_vault_flush_mirrors(void);

/* Of the mirrors wanted, those that are not done lose their place; false where none is left. */
extern bool laras_keep_in_sync(LarasVaultWork *w, LarasMirrorMask wanted, LarasMirrorMask done,
							   const LarasKeyError *err);

/* Lease ahead; make slabs ahead (one window's slab at a time; true: more to make). */
extern bool laras_vault_lease_ahead(LarasKeyError *err);
extern bool laras_vault_slabs_ahead(LarasKeyError *err);

/* Keep the journal's current and next file in being. */
extern bool laras_vault_journal_ahead(LarasKeyError *err);

/* Write one record that is no destruction, to every mirror in sync. False: the ring is full. */
extern bool laras_vault_journal(uint8 kind, const uint8 order[LARAS_ORDER_LEN]);

/*
 * Destroy n slots now, outside any transaction's commit: bits, journal, every
 * mirror in sync. For orphans, for orders of the database that were not
 * carried out, for time slots that a crash left.
 */
extern bool laras_vault_destroy_now(const uint32 *slots, const uint8 (*orders)[LARAS_ORDER_LEN],
									const uint8 *reasons, uint32 n, LarasKeyError *err);

/* slots of rolled-back transactions, from the shared list */
extern void laras_vault_destroy_orphans(void);

/* slots that readers found bad in some mirror */
extern void laras_vault_repair_slots(void);

/* ---- vaultorders.c: the database's orders; own transactions ---- */

/*
 * False with err (OLDER) where the timeline is a new one and the keyring lacks
 * orders that the database says were carried out.
 */
extern bool laras_vault_reaches_replayed(LarasKeyError *err);

/* Carry out every order of the database whose slot is not destroyed. */
extern void laras_vault_apply_database(void);

/*
 * Read pending orders back from every mirror and mark them; repeats what a
 * crash or a failure left. Returns how many stay pending.
 */
extern uint64 laras_vault_verify_orders(void);

/* after a crash: destroy what no key_owner row names; see vaultsweep.c */
extern void laras_vault_sweep(void);

/* write the mark after an adoption */
extern void laras_vault_mark_adopted(void);

/* ---- vaultwitness.c: what the database knows of the lease; own transactions ---- */

/* Note in the database that positions below this one may be handed out. */
extern void laras_vault_note_lease(uint64 next_position);

/*
 * Where the database knows of a later lease than every mirror: raise the lease
 * in all of them, before anything is handed out. Raises where none takes it.
 */
extern void laras_vault_raise_lease(void);

/* ---- vaultposition.c ---- */

/*
 * Hold the journal, as that mirror has it up to tail, against the position that
 * is kept outside, for whose answer it waits patience_ms. False with err: OLDER
 * where the keyring was set back. Outside a transaction.
 */
extern bool laras_vault_compare_witness(int mirror, const LarasJournalTail *tail, int patience_ms,
										LarasKeyError *err);

/* Begin a transaction of the vault worker that sees every workspace's rows. */
extern void laras_vault_begin(const char *activity);

/* Does the database know the journal's newest orders? A transaction is open. */
extern bool laras_database_knows_journal(LarasVaultWork *w);

/* has the database keys already? */
extern bool laras_database_has_keys(void);

/* the keyring that its contents were sealed under; false: none yet */
extern bool laras_database_keyring(uint8 uuid[LARAS_UUID_LEN]);

/* Is it so long since *last? Then *last is now. */
extern bool laras_due(TimestampTz *last, int period_ms);

/* microseconds since 1970, real clock */
extern int64 laras_unix_now(void);

#endif /* LARAS_VAULT_WORK_H */
