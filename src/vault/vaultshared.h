/*
 * vaultshared.h
 *		What the processes of one server share about a keyring. For files of
 *		src/vault only.
 *
 * One LarasVault stands for one database of laras.databases (its place in the
 * list is the keyring's number). Ownership of the fields:
 * - phase, generation and wrapping keys live in the key page, a mapping of its
 *   own that the postmaster made (locked into memory, kept out of core files);
 *   written by the vault worker alone, under lock;
 * - slot bits are atomics: a destroyed bit is set by whoever commits a
 *   destruction, before anything is written, and is never cleared while the
 *   server runs; a damaged bit is set and cleared by readers and the worker;
 * - everything else is written under the lock its comment names.
 *
 * Lock order: lock, then journal_lock, then flush_lock[0..]; orphan_lock and
 * the spinlock are leaves.
 */
#ifndef LARAS_VAULT_SHARED_H
#define LARAS_VAULT_SHARED_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#include "base/compat.h"
#include "vault/journal.h"
#include "vault/keyerror.h"
#include "vault/mirror.h"

#define LARAS_VAULT_RING 16384  /* journal records not yet in every mirror */
#define LARAS_VAULT_ORDERS 8192 /* slots destroyed by one transaction */
#define LARAS_VAULT_REPAIRS 64  /* slots readers ask to be repaired at once */
#define LARAS_VAULT_STANDBYS 8
#define LARAS_VAULT_ORPHANS 65536 /* slots handed out and not yet committed */

typedef enum LarasVaultPhase
{
	LARAS_VAULT_CLOSED,
	LARAS_VAULT_REPLAYING,
	LARAS_VAULT_OPEN
} LarasVaultPhase;

typedef enum LarasMirrorState
{
	LARAS_MIRROR_NONE, /* no mirror configured at this place */
	LARAS_MIRROR_IN_SYNC,
	LARAS_MIRROR_BEHIND, /* to be joined again before it counts */
	LARAS_MIRROR_REMOVED
} LarasMirrorState;

/* 4 kB of the key mapping */
typedef struct LarasKeyPage
{
	pg_atomic_uint32 phase;      /* LarasVaultPhase */
	pg_atomic_uint64 generation; /* moves with every change of this page */
	LarasWrapSet wraps;          /* K_wrap(content) of at most two epochs (lock) */
} LarasKeyPage;

typedef struct LarasSlabInfo
{
	pg_atomic_uint32 present; /* its uuid below is valid */
	uint8 uuid[LARAS_UUID_LEN];
} LarasSlabInfo;

typedef struct LarasMirrorInfo
{
	char name[LARAS_MIRROR_NAME];
	pg_atomic_uint32 state;       /* LarasMirrorState */
	pg_atomic_uint64 applied;     /* journal records 1..applied are synced here,
								 * their slots overwritten */
	pg_atomic_uint32 was_in_sync; /* since the server started: fit to be read
									 * where no mirror is in sync */
	pg_atomic_uint32 failures;    /* writes that failed since it last was in sync */
	pg_atomic_uint32 direct;      /* read-back by O_DIRECT works: 1, refused: 2 */
	ConditionVariable moved;      /* broadcast when applied or state moved */
} LarasMirrorInfo;

/* what a scrub counts, once for each slot */
typedef enum LarasScrubCount
{
	LARAS_SCRUB_LIVE,
	LARAS_SCRUB_DESTROYED,
	LARAS_SCRUB_DAMAGED,
	LARAS_SCRUB_ABSENT,
	LARAS_SCRUB_REPAIRED, /* and now one of the first two */
	LARAS_SCRUB_COUNTS
} LarasScrubCount;

/* what kept the last pass of a rotation from being the last, as bits */
typedef enum LarasRotationWait
{
	LARAS_ROTATION_MIRROR = 1, /* a mirror is out of sync, or could not be synced */
	LARAS_ROTATION_SLAB = 2,   /* a slab could not be read or written */
	LARAS_ROTATION_KEY = 4,    /* a key had to be repaired first */
	LARAS_ROTATION_COURIER = 8,
	LARAS_ROTATION_JOINED = 16 /* a mirror joined meanwhile */
} LarasRotationWait;

typedef struct LarasVault
{
	pg_atomic_uint32 database; /* Oid, once its worker has started */
	int index;                 /* place in laras.databases = keyring number */

	/* who the keyring is (lock; constant while known is 1) */
	LWLock *lock;
	pg_atomic_uint32 known; /* keyring found, fields below valid */
	LarasKeyring keyring;   /* the file's content */
	pg_atomic_uint32 owned; /* the owner is this cluster and database */

	/* why it is shut (lock) */
	LarasKeyErrorCode why;
	char why_text[LARAS_KEYERROR_TEXT];

	LarasKeyPage *page; /* in the key mapping */
	uint32 max_slots;
	pg_atomic_uint32 *destroyed; /* one bit per slot */
	pg_atomic_uint32 *damaged;
	LarasSlabInfo *slabs; /* max_slots / 4096 */

	/* lease (spinlock): positions next .. until-1 may be handed out */
	slock_t lease_lock;
	uint64 lease_next;
	uint64 lease_until;
	ConditionVariable lease_moved;

	/* slots of open and of rolled-back transactions (orphan_lock) */
	LWLock *orphan_lock;
	uint32 orphans_reserved;
	uint32 norphans;
	uint32 *orphans; /* LARAS_VAULT_ORPHANS */

	/* the journal's tail (journal_lock) */
	LWLock *journal_lock;
	pg_atomic_uint64 journal_last;           /* seq of the newest record, 0: none */
	uint8 chain[LARAS_CHAIN_LEN];            /* of that record */
	uint32 ring_reserved;                    /* records promised to committers */
	uint8 (*ring)[LARAS_JOURNAL_RECORD_LEN]; /* seq at seq % LARAS_VAULT_RING */

	LarasMirrorInfo mirror[LARAS_MAX_MIRRORS];
	LWLock *flush_lock[LARAS_MAX_MIRRORS];
	int nmirrors;

	/* adopt_keyring(): asked and answered (lock) */
	uint64 adopt_asked;
	uint64 adopt_answered;
	LarasKeyErrorCode adopt_result;
	ConditionVariable adopt_moved;

	/* rotate_master_key(): the same (lock), with adopt_moved; and how far it is */
	uint64 rotate_asked;
	uint64 rotate_answered;
	LarasKeyError rotate_result;
	pg_atomic_uint32 rotate_waits; /* LarasRotationWait of the last pass */
	pg_atomic_uint64 rotate_done;  /* slabs of this pass, of rotate_total */
	pg_atomic_uint64 rotate_total;

	/* what the key command gave when laras.doctor() last asked it (lock) */
	TimestampTz source_at;
	LarasKeyError source;

	/* slots that a reader found bad in some mirror (lease_lock) */
	uint32 nrepairs;
	uint32 repairs[LARAS_VAULT_REPAIRS];

	/* the scrub; written by the vault worker, but asked by whoever asks */
	pg_atomic_uint32 scrub_asked;
	pg_atomic_uint32 scrub_running;
	pg_atomic_uint64 scrub_started; /* TimestampTz of the product's clock */
	pg_atomic_uint64 scrub_done;    /* slabs, of scrub_total */
	pg_atomic_uint64 scrub_total;
	pg_atomic_uint64 scrub_count[LARAS_SCRUB_COUNTS];

	/* standbys that pull this keyring (lock); the name empty: none */
	struct
	{
		char name[LARAS_MIRROR_NAME];
		uint64 journal; /* records it said it has */
		uint32 slabs;   /* and slabs */
		TimestampTz seen_at;
	} standby[LARAS_VAULT_STANDBYS];

	/* the journal was held against what is kept outside; vault worker */
	pg_atomic_uint32 witness_compared;

	/* for keyring_status */
	pg_atomic_uint64 pending_orders; /* rows not verified in every mirror */
	pg_atomic_uint64 swept;          /* orphans destroyed since the start */
	pg_atomic_uint64 left_over;      /* orphans only counted, see sweep.c */
	pg_atomic_uint32 sweep_off;      /* LarasSweepOff */
	pg_atomic_uint32 slabs_made;     /* slabs that exist, slab 0 apart */
} LarasVault;

/* why orphans are counted and not destroyed */
typedef enum LarasSweepOff
{
	LARAS_SWEEP_ON,
	LARAS_SWEEP_NOT_OWNER,
	LARAS_SWEEP_OLDER_WAL, /* recovery ended below the lease's position */
	LARAS_SWEEP_TIMELINE,
	LARAS_SWEEP_UNKNOWN_RECORD, /* the journal has orders the database lacks */
	LARAS_SWEEP_NOT_YET         /* the start's checks have not run */
} LarasSweepOff;

/* settings (settings of the vault, vaultsettings.c) */
extern char *laras_keyring_mirrors;
extern int laras_keyring_max_slots;
extern int laras_keyring_slabs_ahead;
extern bool laras_single_mirror;
extern char *laras_master_key_file;
extern char *laras_master_key_command;
extern int laras_mirror_timeout;     /* ms */
extern int laras_intake_key_horizon; /* minutes */
extern bool laras_standby_reveal;
extern int laras_master_key_max_age; /* days */
extern int laras_keyring_scrub_hour; /* -1: no scrub by itself */

/* databases named in laras.databases, in the order of the setting */
extern int laras_vault_ndatabases(void);

/*
 * This database's vault, or NULL: not preloaded, database not listed, or its
 * worker not started yet. Raises nothing.
 */
extern LarasVault *laras_vault_here(void);

/* the vault at a place of the list, for the worker; NULL without preload */
extern LarasVault *laras_vault_at(int index);

/*
 * This process's descriptors on the keyring of v, opened at first use and
 * again when the generation moved; *usable is the mask of mirrors that may be
 * read and could be opened: those in sync, or, where none is, those that were
 * since the server started (a mirror that cannot be written any more holds no
 * key too many, since the destroyed bits are asked before it). Who writes takes
 * laras_vault_in_sync() of it. Raises LRK13 and its kin where none could.
 */
extern LarasMirrors *laras_vault_mirrors(LarasVault *v, LarasMirrorMask *usable);
/* the same, answering NULL and filling err instead of raising */
extern LarasMirrors *
laras_vault_mirrors_noraise(LarasVault *v, LarasMirrorMask *usable, LarasKeyError *err);

/* mask of the mirrors whose shared state is in sync */
extern LarasMirrorMask laras_vault_in_sync(LarasVault *v);

/*
 * The 32 secret bytes of a slot into out. False: destroyed (out untouched).
 * Raises closed, damaged, absent. The caller wipes out.
 */
extern bool laras_slot_secret(LarasVault *v, uint32 slot, uint8 out[LARAS_KEY_LEN]);

/* give a slot of this transaction back: it is destroyed like a rolled-back one */
extern void laras_slot_discard(uint32 slot);

/* which working key; the second slot is 0 where the key has one only */
typedef enum LarasKeyUse
{
	LARAS_USE_SECRET = 1, /* a W or P slot itself */
	LARAS_USE_SEAL,       /* (W, S) */
	LARAS_USE_SALT,       /* (W, S) */
	LARAS_USE_INDEX,      /* W */
	LARAS_USE_OPTOUT,     /* W */
	LARAS_USE_CALLBACK,   /* W */
	LARAS_USE_ROUTE,      /* P from here on */
	LARAS_USE_LOGIN,
	LARAS_USE_AUTHORIZER
} LarasKeyUse;

/*
 * A derived key from the cache, derived on a miss. NULL: a slot it comes from
 * is destroyed. Raises like laras_slot_secret. The pointer is good until the
 * next call or the end of the transaction, when the cache is wiped.
 */
extern const uint8 *laras_derived_key(LarasVault *v, LarasKeyUse use, uint32 w, uint32 s);

/* the courier's private seed in this process; raises LRK01 before laras_courier_unlock() */
extern const uint8 *laras_courier_seed(LarasVault *v);

/*
 * The master key's lines, from the command or the file. purpose: content,
 * courier or rotate. False with err; wipes nothing of *keys on success.
 * May take 30 s, serving interrupts by giving up (err COMMAND).
 */
struct LarasMasterKeys;

/* UNSAFE when a path lies inside the data directory or a tablespace */
extern bool laras_vault_path_check(const char *path, LarasKeyError *err);

extern bool
laras_fetch_master_keys(const char *purpose, struct LarasMasterKeys *keys, LarasKeyError *err);

/*
 * Would what the key file or command gives now open the keyring? False with
 * err. A command is asked at most every 15 minutes, whoever asks.
 */
extern bool laras_master_key_check_source(LarasVault *v, LarasKeyError *err);

/* raise the error that says why this vault is shut; v may be NULL */
pg_noreturn extern void laras_vault_raise_closed(LarasVault *v);

/* raise a LarasKeyError; never shows a path or a byte that was read */
pg_noreturn extern void laras_vault_raise(const LarasKeyError *err);
/* the same as a WARNING to the log, where raising is forbidden */
extern void laras_vault_log(int elevel, const LarasKeyError *err, const char *doing);

static inline LarasVaultPhase
laras_vault_phase(const LarasVault *v)
{
	return (LarasVaultPhase) pg_atomic_read_u32(&v->page->phase);
}

static inline bool
laras_bit_test(pg_atomic_uint32 *bits, uint32 slot)
{
	return (pg_atomic_read_u32(&bits[slot / 32]) & ((uint32) 1 << (slot % 32))) != 0;
}

static inline void
laras_bit_set(pg_atomic_uint32 *bits, uint32 slot)
{
	pg_atomic_fetch_or_u32(&bits[slot / 32], (uint32) 1 << (slot % 32));
}

static inline void
laras_bit_clear(pg_atomic_uint32 *bits, uint32 slot)
{
	pg_atomic_fetch_and_u32(&bits[slot / 32], ~((uint32) 1 << (slot % 32)));
}

#endif /* LARAS_VAULT_SHARED_H */
