/*
 * vault.h
 *		What the rest of laras may ask of the vault: slots, sealed values, blind
 *		indexes, destruction.
 *
 * The words. A *slot* is 32 random secret bytes in the keyring, named by a
 * u32. W is the slot of a workspace (0 = the platform, P), S the slot of a
 * subject (a contact, a connection, an hour of raw events, ...). A value is
 * sealed under the pair (W, S): destroying either slot is enough to make it
 * unreadable for ever. How it works: docs/explanation/vault.md.
 *
 * Rules that hold for every function here, unless its comment says otherwise:
 * - called in a backend or a database worker that is attached to a database,
 *   inside a transaction, never in the postmaster and never in an xact
 *   callback;
 * - "raises" means ereport(ERROR): LRK01 vault closed, LRK03 key damaged,
 *   LRK04 slab absent, LRK05 value does not belong here, LRK06 keyring belongs
 *   to another cluster, LRK09 no free slot. No message ever quotes a value;
 * - results are palloc'd in CurrentMemoryContext; the vault keeps no pointer to
 *   what the caller passes in;
 * - no lock is held on return. An LWLock is never held by the caller on entry;
 * - parallel workers may open and index, but neither lease nor destroy.
 *
 * Layout: page.c holds the key page and shmem.c the bits, the lease and the
 * orphan list; access.c reads slots; sealed.c is the SQL type; destroy.c the
 * destruction; vaultworker.c the worker's duties.
 *
 */
#ifndef LARAS_VAULT_H
#define LARAS_VAULT_H

#include "datatype/timestamp.h"
#include "vault/numbers.h" /* fields, index kinds, LARAS_REASON_... */
#include "worker/worker.h"

/* the platform's own slots, never leased and never swept */
#define LARAS_SLOT_PLATFORM 0 /* P */
#define LARAS_SLOT_COURIER 1  /* the courier's private seed */

/* length of every blind index and of every keyed hash in this header */
#define LARAS_INDEX_BYTES 16

/* what became of an attempt to open a value */
typedef enum LarasOpen
{
	LARAS_OPENED,         /* *out and *n are set */
	LARAS_OPEN_DESTROYED, /* W or S is destroyed: *out NULL, *n 0 */
	LARAS_OPEN_DAMAGED    /* of the try functions: not what was sealed for this place; the same */
} LarasOpen;

/* what a slot is; the names of SQL's laras.key_state() in the same order */
typedef enum LarasKeyState
{
	LARAS_KEY_UNUSED, /* made, not leased yet */
	LARAS_KEY_LIVE,
	LARAS_KEY_DESTROYED,
	LARAS_KEY_DAMAGED, /* neither opens nor is a valid mark */
	LARAS_KEY_ABSENT   /* no slab holds this number */
} LarasKeyState;

typedef enum LarasTimeSlotKind
{
	LARAS_TIME_SLOT_HOUR, /* raw webhook bodies */
	LARAS_TIME_SLOT_WEEK  /* quarantined bodies */
} LarasTimeSlotKind;

/* ------------------------------------------------------------------ state */

/*
 * May content be sealed and opened in this database now? Raises nothing, may
 * be called anywhere after shared memory exists (also outside a transaction).
 * A true answer may be stale by the time it is used; the functions below test
 * again for themselves.
 */
extern bool laras_vault_is_open(void);

/*
 * Was a keyring found that names this cluster and database as its owner?
 * Also true while it is shut for want of the master key. Raises nothing, may
 * be called anywhere after shared memory exists.
 */
extern bool laras_keyring_is_ours(void);

/* Is it shut because these contents were sealed under another keyring? Raises nothing. */
extern bool laras_keyring_is_of_other_contents(void);

/*
 * Does the key file or command give the master key of that epoch? Fetches and
 * wipes it; raises where it cannot be fetched.
 */
extern bool laras_master_key_is_given(int epoch);

/*
 * Raise LRK01 (or LRK06, LRK02, LRK12, LRK14, when that is why it is shut)
 * with its HINT unless the vault is open. For functions that want to fail
 * before they do any work.
 */
extern void laras_vault_require_open(void);

/*
 * The state of a slot. With the vault shut, "live" and "damaged" cannot be
 * told apart: the answer is then what the shared bits know. Raises LRK01 only
 * when the keyring was never found.
 */
extern LarasKeyState laras_key_state(uint32 slot);

/* "unused", "live", "destroyed", "damaged", "absent"; a static string */
extern const char *laras_key_state_name(LarasKeyState state);

/* is the slot's destroyed bit set? One memory read; raises nothing */
extern bool laras_slot_is_destroyed(uint32 slot);

/* ------------------------------------------------------------------ slots */

/*
 * Take a fresh slot, which nobody was given before and nobody will be given
 * again, not even after a restore of the database. The caller owes it a
 * laras_key_owner_add() in this same transaction. If the (sub)transaction
 * rolls back, the slot is destroyed by the vault worker. Assigns a
 * transaction id. May wait for the vault worker (10 s, then LRK09); raises
 * LRK01 and LRK09. Refused in parallel workers and during recovery.
 */
extern uint32 laras_slot_lease(void);

/*
 * Record who owns a slot: the only list from which an erasure takes its slots.
 * kind: workspace, member, connection, contact, group, application, hour,
 * week, billing, hold, export. workspace_id 0 where no single workspace owns it (hour, week, and
 * platform things). Runs SQL as the current role, which must be laras_owner
 * (a definer function), laras_worker or laras_intake: row security applies,
 * so the workspace must be bound (or in the worker set), or be 0. For the
 * slot of a workspace that is just being made, bind it first.
 * A slot that two persons share has one row each ("group"; rule any).
 */
extern void laras_key_owner_add(int64 workspace_id, uint32 slot, const char *kind, int64 owner_id);

/* the same for many slots of one kind by one statement */
typedef struct LarasKeyOwner
{
	int64 workspace_id;
	int64 owner_id;
	uint32 slot;
} LarasKeyOwner;

extern void laras_key_owners_add(const char *kind, const LarasKeyOwner *owners, int n);

/*
 * The hour or week slot of that moment (by the product's clock, usually
 * laras_now()), made if there is none. Its key_owner row has workspace_id 0
 * and owner_id = hours or weeks since 1970. Cached per backend and period.
 * Same roles as laras_key_owner_add. Hours die after
 * laras.intake_key_horizon, weeks after 30 days; the duty is the vault's.
 */
extern uint32 laras_time_slot(LarasTimeSlotKind kind, TimestampTz at);

/*
 * Set once at start-up by the intake room: does that hour (since 1970) still
 * have events that are not applied? Such an hour is spared, up to 7 days.
 * Called by the vault worker in a transaction as laras_worker, bound to all.
 */
extern bool (*laras_hour_in_use)(int64 hour);

/*
 * Set once at start-up by the courier's room: the destroyed bits of a commit
 * are set, and whatever still acts on an earlier look at them has to end
 * before the commit returns. In the commit callback: must not raise.
 */
extern void (*laras_keys_destroyed)(void);

/* ---------------------------------------------------------- sealed values */

/*
 * Seal n bytes under (w, s) in suite 1. field: LARAS_FIELD_... of
 * vault/numbers.h. workspace_id and row_id are bound into the value, and
 * whoever opens it must state the same ones: seal with the id the row will
 * have. workspace_id is 0 exactly where the row belongs to no workspace.
 * p may be NULL when n is 0. At most 16 MB. Raises LRK01, LRK03, LRK04;
 * 55000 (object_not_in_prerequisite_state) when w or s is destroyed, which a
 * writer that lost a race with an erasure must expect; 54000 above 16 MB.
 */
extern bytea *laras_seal(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id,
						 const void *p, size_t n);

/* laras_seal of a C string */
extern bytea *laras_seal_cstring(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id,
								 const char *text);

/*
 * Open a suite-1 value. The workspace must be the bound one or in the worker
 * set; 0 is allowed to C callers for platform rows. The W that the value
 * names must be the workspace's slot, or 0 for what is sealed under P.
 * On LARAS_OPENED *out is palloc'd with a terminating zero that *n does not
 * count. Destroyed is an answer, never an error; damage and displacement are
 * errors, never an answer: raises LRK01, LRK03, LRK04, LRK05, and LRK11 in a
 * maintenance command. v may be toasted. Suite-2 values are refused with
 * LRK05: use laras_open_token in the courier.
 */
extern LarasOpen
laras_open(const bytea *v, int64 workspace_id, int64 row_id, uint16 field, char **out, size_t *n);

/*
 * The same for a batch of many workspaces, which one bad value must not stop:
 * what laras_open refuses with LRK05 because of the value is an answer.
 */
extern LarasOpen laras_try_open(const bytea *v, int64 workspace_id, int64 row_id, uint16 field,
								char **out, size_t *n);

/* the subject slot that a value names, to find who owns it; raises LRK05 on a malformed value */
extern uint32 laras_sealed_subject(const bytea *v);
/* the W slot that a value names */
extern uint32 laras_sealed_workspace_slot(const bytea *v);

/*
 * Seal a token (or any credential that only the courier needs) in suite 2:
 * everybody can seal, only the courier opens. Same arguments and errors as
 * laras_seal.
 */
extern bytea *laras_seal_token(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id,
							   const void *p, size_t n);

/*
 * In the courier only: run the key command (or read the key file) for
 * K_wrap(courier) and keep the courier's private seed in this process. Called
 * before every batch of laras_open_token: cheap while nothing has changed.
 * Returns false, with a warning logged once, while the vault is not open or
 * the key cannot be had: try again later. May take 30 s. Raises nothing else.
 */
extern bool laras_courier_unlock(void);

/* changes whenever the vault opened, shut or changed epoch */
extern uint64 laras_vault_generation(void);

/*
 * Open a suite-2 value; only after laras_courier_unlock() in this process
 * (else LRK01). A value that holds a transport box ("laras-box:" from a
 * client, see public_key()) has both layers opened. Same answers and errors
 * as laras_open. The caller wipes *out with OPENSSL_cleanse.
 */
extern LarasOpen laras_open_token(const bytea *v, int64 workspace_id, int64 row_id, uint16 field,
								  char **out, size_t *n);

/* To laras_open_token what laras_try_open is to laras_open. */
extern LarasOpen laras_try_open_token(const bytea *v, int64 workspace_id, int64 row_id,
									  uint16 field, char **out, size_t *n);

/*
 * The bytes of a live slot as they lie in the keyring, wrapped: what a
 * disconnect hands to the courier, so that the provider can be told with a
 * token whose key is destroyed by then. False when the slot is not live or no
 * mirror can be read. Raises nothing.
 */
extern bool laras_slot_copy(uint32 slot, uint8 out[64]);

/*
 * laras_open_token with such a copy in place of the subject's slot. In the
 * courier only. False where it does not open. Raises nothing but out of memory.
 */
extern bool
laras_open_token_from_copy(const bytea *v, int64 workspace_id, int64 row_id, uint16 field,
						   const uint8 slot_copy[64], char **out, size_t *n);

/* ------------------------------------------------- blind indexes and hashes */

/*
 * HMAC over the already normalised value under the workspace's index key.
 * kind: LARAS_INDEX_... of vault/numbers.h. channel is required for kinds 10
 * to 12, 32 and 34 (a provider's ids are unique only there) and must be NULL
 * for the others. Raises LRK01, LRK03, LRK04, and 55000 if w is destroyed.
 */
extern void laras_blind_index(uint32 w, uint8 kind, const char *channel, const char *value,
							  size_t n, uint8 out[LARAS_INDEX_BYTES]);
/* the same as a palloc'd bytea, ready as a parameter */
extern bytea *
laras_index_bytea(uint32 w, uint8 kind, const char *channel, const char *value, size_t n);

/*
 * Hashes under the platform's secret, for look-ups made before a workspace is
 * known: routing of webhooks by account id, log-in by email, the person who
 * authorised a connection. Same form and errors as a blind index.
 */
extern void laras_route_hash(uint8 kind, const char *channel, const char *value, size_t n,
							 uint8 out[LARAS_INDEX_BYTES]);
extern void laras_login_hash(uint8 kind, const char *channel, const char *value, size_t n,
							 uint8 out[LARAS_INDEX_BYTES]);
extern void laras_authorizer_hash(uint8 kind, const char *channel, const char *value, size_t n,
								  uint8 out[LARAS_INDEX_BYTES]);
extern bytea *laras_route_bytea(uint8 kind, const char *channel, const char *value, size_t n);
extern bytea *laras_login_bytea(uint8 kind, const char *channel, const char *value, size_t n);
extern bytea *laras_authorizer_bytea(uint8 kind, const char *channel, const char *value, size_t n);

/* the suppression list: survives the contact, dies with the workspace */
extern void laras_optout_hash(uint32 w, uint8 kind, const char *channel, const char *value,
							  size_t n, uint8 out[LARAS_INDEX_BYTES]);
extern bytea *
laras_optout_bytea(uint32 w, uint8 kind, const char *channel, const char *value, size_t n);

/*
 * MAC over n bytes under K_callback(W): what a provider echoes in
 * biz_opaque_callback_data proves that we wrote it. The first 8 bytes go out.
 * Compare with CRYPTO_memcmp.
 */
extern void laras_callback_mac(uint32 w, const void *p, size_t n, uint8 out[32]);

/* the salt of one committed evidence field (keys, section 11) */
extern void laras_evidence_salt(uint32 w, uint32 s, int64 entry_id, uint16 fieldno, uint8 out[32]);

/* ------------------------------------------------------------- destruction */

/*
 * Order the destruction of a slot as part of this transaction: writes the
 * key_destruction row now (as the current role: laras_owner or laras_worker)
 * and forces a synchronous commit; when the commit has returned the slot is
 * unreadable. A rolled-back (sub)transaction drops its orders. order groups
 * the slots of one act and may be NULL for a random one. The same slot twice
 * is one order; a slot that is already destroyed is recorded all the same.
 * Works while the vault is shut. Does not touch key_owner: remove or keep
 * that row as the act demands (a row whose slot is destroyed is harmless).
 * Raises 0A000 with PREPARE TRANSACTION, 22023 for the platform's slots 0 and
 * 1 and for numbers no keyring can hold, 54000 above 8,192 slots in one
 * transaction, LRK06 when the keyring is not this database's, LRK13 at commit
 * when no mirror can be written (nothing is committed then). A slot whose slab
 * is lost is journalled all the same, so that a slab that comes back dies.
 */
extern void laras_destroy_slot(int64 workspace_id, uint32 slot, LarasDestroyReason reason,
							   const uint8 order[16]);

/* what the mark of a destroyed slot says */
typedef struct LarasSlotMark
{
	uint8 reason; /* LarasDestroyReason */
	TimestampTz at;
	uint8 order[16];
} LarasSlotMark;

/*
 * Read the mark of a slot that is destroyed. Where no mirror shows one (its
 * slab is lost, the journal alone knows) the mark says "repeated from journal",
 * now, and a random order. Raises as laras_key_state.
 */
extern void laras_slot_read_mark(uint32 slot, LarasSlotMark *mark);

/*
 * Record in key_destruction a destruction that the keyring has carried out and
 * this database does not know of: it was restored from before it. In the roles
 * of laras_destroy_slot. Destroys nothing by itself; the vault worker reads the
 * slot back from every mirror as it does for any order.
 */
extern void laras_record_destruction(int64 workspace_id, uint32 slot, const LarasSlotMark *mark);

/* 16 random bytes for the order argument above */
extern void laras_new_order(uint8 order[16]);

/* ---------------------------------------------------------------- witness */

/*
 * How far the journal of this database's keyring is: the last record that
 * every mirror in sync holds on its medium, and its chain. False where the
 * keyring is out of reach. Raises nothing; outside a transaction too.
 */
extern bool laras_vault_journal_position(uint8 keyring[16], uint64 *seq, uint8 chain[16]);

/* A record of such a position that was kept outside, and the note that bears it. */
#define LARAS_WITNESS_NOTE 2048
#define LARAS_WITNESS_PATIENCE_MS 10000 /* at the start */
typedef struct LarasWitness
{
	uint64 seq;
	uint8 chain[16];
	char note[LARAS_WITNESS_NOTE]; /* NUL-terminated */
} LarasWitness;

typedef enum LarasWitnessState
{
	LARAS_WITNESS_NOT_KEPT, /* nothing is kept outside */
	LARAS_WITNESS_NONE,     /* nothing yet of this keyring */
	LARAS_WITNESS_FOUND,
	LARAS_WITNESS_UNREADABLE, /* *trouble, a constant, says why */
	LARAS_WITNESS_AWAITED     /* asked, and no answer yet; *trouble says so */
} LarasWitnessState;

/*
 * Set once at start-up by the evidence's room. The first reads the newest
 * position kept outside for this keyring; anywhere, raises nothing but out of
 * memory; it waits for an answer for at most patience_ms, and where one comes
 * later the next call has it. The second tells whether this database holds that very note, and so
 * every order to destroy from before it; in a worker, a transaction of its own.
 */
extern LarasWitnessState (*laras_witness_read)(const uint8 keyring[16], int patience_ms,
											   LarasWitness *witness, const char **trouble);
extern bool (*laras_witness_known)(const LarasWitness *witness);

/*
 * Has the vault held its keyring against the witness since it was opened? Until
 * then nobody may replace what is kept outside: it may be all that shows that
 * this machine was set back.
 */
extern bool laras_vault_witness_compared(void);

/* ----------------------------------------------------------------- mirrors */

/*
 * Take the mirror of that name out of use for good, from this transaction's
 * commit on; the vault worker carries it out. False where it was removed
 * before. *pending: destructions that not every mirror has confirmed. Raises
 * 22023 for an unknown name or a statement too short or long, 55000 for the last
 * mirror in sync, LRK01.
 */
extern bool laras_vault_remove_mirror(const char *name, const char *statement, int64 *pending);

/*
 * Begin to wrap every key under the next epoch of the master key; the vault
 * worker does it and may be watched in laras.progress_rotation. Not undone by a
 * rollback. False where a rotation is under way. *epoch: the current one
 * afterwards. Raises LRK01, LRK02 (no key of the next epoch), LRK12, LRK13, LRK14.
 */
extern bool laras_vault_rotate_key(int *epoch);

/*
 * May a copy of the keyring be written to this directory of the server? Raises
 * 22023 for a path that is not absolute or lies in a mirror, LRK01, LRK10 where
 * a keyring of this number lies there, LRK12. *oldest and *epoch: the epochs
 * whose keys it will hold.
 */
extern void laras_vault_check_copy(const char *directory, int *oldest, int *epoch);

/* The epochs of the master key in use; raises LRK01. */
extern void laras_vault_epochs(int *oldest, int *epoch);

/* ------------------------------------- wiring, for src/laras.c and rooms.c */

/* settings; in _PG_init */
extern void laras_vault_init(void);

/* the parts of LarasSharedRoom */
extern void laras_vault_shmem_request(void);
extern void laras_vault_shmem_startup(void);

/* the part of LarasHookRoom: refuses what would store revealed text */
extern void laras_vault_before_utility(const LarasUtility *utility);

/* the vault worker's turn and end (LarasWorkerSpec); it runs outside transactions */
extern LarasTurn laras_vault_turn(void);
extern void laras_vault_stop(int code);

/* the vault worker of a standby; after the worker room's settings, in _PG_init */
extern void laras_standby_init(void);

/* the vault's rows of laras.doctor() */
struct LarasDoctorSink;
extern void laras_doctor_vault(struct LarasDoctorSink *sink);

#endif /* LARAS_VAULT_H */
