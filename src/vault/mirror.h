/*
 * mirror.h
 *		The set of mirrors of one keyring, as one process sees it.
 *
 * A LarasMirrors is plain memory of the caller (static in each backend, a
 * local in a program).  It holds descriptors: it is opened after the fork and
 * never shared.  Which mirrors are in sync is decided by the vault worker and
 * kept by the server half in shared memory; here it is a bit mask that the
 * caller passes in, and a mask of those that failed that comes back.  A failed
 * mirror is "behind" until the caller has caught it up.
 */
#ifndef LARAS_VAULT_MIRROR_H
#define LARAS_VAULT_MIRROR_H

#include "vault/journal.h"
#include "vault/keyringfile.h"
#include "vault/slab.h"

#define LARAS_MAX_MIRRORS 4
#define LARAS_MIRROR_PATH 1024
#define LARAS_MIRROR_NAME 64
#define LARAS_MIRROR_OPEN_SLABS 32 /* read descriptors kept per mirror */

typedef uint32_t LarasMirrorMask; /* bit i = mirror i */

typedef struct LarasMirror
{
	char name[LARAS_MIRROR_NAME];
	char path[LARAS_MIRROR_PATH];
	int dirfd;                               /* of "<path>/<number>", -1: not open */
	LarasSlab open[LARAS_MIRROR_OPEN_SLABS]; /* by slab number modulo */
} LarasMirror;

typedef struct LarasMirrors
{
	int n;
	uint16_t number;
	uint8_t keyring[LARAS_UUID_LEN];
	LarasMirror mirror[LARAS_MAX_MIRRORS];
} LarasMirrors;

/*
 * Parse "name=path, name=path" (laras.keyring_directory) into names and paths,
 * dirfd -1.  Names: letters, digits, '-' and '_'; paths absolute; at least one
 * and at most LARAS_MAX_MIRRORS, no name or path twice.  UNSAFE else.
 */
extern bool laras_mirrors_parse(const char *setting, LarasMirrors *m, LarasKeyError *err);

/*
 * Open the directories of keyring number in every mirror and compare the
 * keyring uuid.  *opened gets the mask of those that could be opened; returns
 * false where none could, with the first mirror's error.  k gets the keyring
 * file of the first that opened; a mirror with another uuid counts as failed.
 */
extern bool laras_mirrors_open(LarasMirrors *m, uint16_t number, LarasKeyring *k,
							   LarasMirrorMask *opened, LarasKeyError *err);
extern void laras_mirrors_close(LarasMirrors *m);

/* Forget slab descriptors (after slabs were replaced or mirrors rejoined). */
extern void laras_mirrors_forget(LarasMirrors *m);

/*
 * Read one secret.  Asks the mirrors of mask in turn until one says LIVE or
 * DESTROYED.  Result: LIVE (secret filled), DESTROYED, WRAPPED (no key of its
 * epoch or domain at hand), DAMAGED or ABSENT: then err tells the first
 * mirror's trouble (DAMAGED, ABSENT or MIRROR; slot and mirror are set).
 * *repair gets the mask of mirrors that had to be passed over (may be non-zero
 * with LIVE: ask the vault worker for repair).
 */
extern LarasSlotState
laras_mirrors_read(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasWrapSet *keys,
				   uint8_t domain, uint8_t secret[LARAS_KEY_LEN], LarasMirrorMask *repair,
				   LarasKeyError *err);

/* The raw bytes of a slot in one mirror, and its state without a key. */
extern LarasSlotState
laras_mirrors_look(LarasMirrors *m, int mirror, uint32_t slot, uint8_t raw[LARAS_SLOT_LEN],
				   LarasTomb *tomb, LarasKeyError *err);

/*
 * Read the lease of every mirror of mask and merge them (false: none could be
 * read); write the next generation, the same bytes, to every mirror of mask
 * and sync.  A mirror whose file differs from that of one that is up to date
 * gets a copy of it, so that they are identical afterwards.  Returns the mask where it stands; only if that mask is what the
 * caller demands may positions below next_position be handed out.
 */
extern bool laras_mirrors_read_lease(const LarasMirrors *m, LarasMirrorMask mask, LarasLease *lease,
									 LarasKeyError *err);
extern LarasMirrorMask laras_mirrors_lease(const LarasMirrors *m, LarasMirrorMask mask,
										   LarasLease *lease, LarasKeyError *err);

/*
 * Destroying, in the three steps of the commit protocol.
 *
 * prepare (PRE_COMMIT, may fail, may open files): opens the slab for writing.
 * Deduplicate by slab: one LarasGrave for each (mirror, slab), many slots.
 * bury (COMMIT): builds the tomb and writes it: no sync, no allocation, no
 * descriptor is opened or closed.
 * sync (COMMIT): fdatasync of that slab.
 * verify (keeper): reads the slot back from the medium and tells whether it is
 * a tomb there.
 * close when the transaction is over.
 */
typedef struct LarasGrave
{
	int mirror;
	LarasSlab slab; /* writable descriptor of its own */
} LarasGrave;

extern bool laras_mirrors_prepare(LarasMirrors *m, int mirror, uint32_t slab, LarasGrave *grave,
								  LarasKeyError *err);
extern bool laras_mirrors_bury(const LarasMirrors *m, const LarasGrave *grave, uint32_t slot,
							   const LarasTomb *tomb, LarasKeyError *err);
extern bool laras_mirrors_sync(const LarasGrave *grave, LarasKeyError *err);
extern bool laras_mirrors_verify(const LarasMirrors *m, const LarasGrave *grave, uint32_t slot,
								 bool *direct, LarasKeyError *err);
extern void laras_mirrors_release(LarasGrave *grave);

/*
 * All steps for one slot in every mirror of mask (keeper repeating an order,
 * sweeping, tests).  An existing tomb is left as it is.  Returns the mask of
 * mirrors where the tomb stands and is synced; err tells the first that failed.
 */
extern LarasMirrorMask laras_mirrors_destroy(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot,
											 const LarasTomb *tomb, LarasKeyError *err);

/*
 * Write one slot's bytes (a live slot: repair, application secret) to every
 * mirror of mask and sync; refuses (DISAGREE) to overwrite a tomb.  Returns
 * the mask where it stands.
 */
extern LarasMirrorMask laras_mirrors_write(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot,
										   const uint8_t raw[LARAS_SLOT_LEN], LarasKeyError *err);

/*
 * Bring one slot to the same bytes in every mirror of mask by the merge rule.
 * order not NULL: an order to destroy it exists, a damaged slot becomes a tomb
 * with it (and so does a live one).  Returns the state afterwards; DAMAGED
 * where nothing could be saved; DISAGREE in err for a conflict.
 */
extern LarasSlotState
laras_mirrors_repair(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasWrapSet *keys,
					 const LarasTomb *order, LarasKeyError *err);

#endif /* LARAS_VAULT_MIRROR_H */
