/*
 * slot.h
 *		The 64 bytes of a slot: live, destroyed, damaged; and their merging.
 *
 * The invariant of the whole vault: a fault never reads as an erasure, and an
 * erasure cannot be repaired.  Destroyed needs a checksum that names this
 * keyring, slab and slot; live needs a tag that does; everything else, all
 * zeros included, is damaged.
 */
#ifndef LARAS_VAULT_SLOT_H
#define LARAS_VAULT_SLOT_H

#include "vault/crypto.h"
#include "vault/derive.h"
#include "vault/keyerror.h"

#define LARAS_SLOT_LEN 64
#define LARAS_SLOTS_PER_SLAB 4096
#define LARAS_SLOT_PLATFORM 0  /* the platform secret P */
#define LARAS_SLOT_COURIER 1   /* the courier's private seed, domain 2 */
#define LARAS_SLOT_FIRST_APP 2 /* applications, up to 4095 */
#define LARAS_SLOT_FIRST_LEASED 65536

#define LARAS_SLAB_OF(slot) ((slot) / LARAS_SLOTS_PER_SLAB)
#define LARAS_INDEX_OF(slot) ((slot) % LARAS_SLOTS_PER_SLAB)

typedef enum LarasSlotState
{
	LARAS_SLOT_DAMAGED,  /* nothing that is recognised: LRK03 */
	LARAS_SLOT_ABSENT,   /* no slab to read it from: LRK04 */
	LARAS_SLOT_WRAPPED,  /* has the shape of a live slot, but no wrapping
								 * key of its domain and epoch is at hand */
	LARAS_SLOT_LIVE,     /* opened */
	LARAS_SLOT_DESTROYED /* tomb checksum holds */
} LarasSlotState;

/* Where a slot stands; part of every tag and checksum. */
typedef struct LarasSlotPlace
{
	const uint8_t *keyring; /* keyring uuid[16] */
	const uint8_t *slab;    /* slab uuid[16] */
	uint32_t id;
} LarasSlotPlace;

/*
 * The wrapping keys at hand.  At most one domain-2 process exists (the
 * courier); while an epoch is rotated two epochs are at hand.
 */
#define LARAS_MAX_WRAPS 4

typedef struct LarasWrap
{
	uint8_t domain; /* LARAS_DOMAIN_x; 0 = unused entry */
	uint16_t epoch;
	uint8_t key[LARAS_KEY_LEN];
} LarasWrap;

typedef struct LarasWrapSet
{
	int n;
	LarasWrap wrap[LARAS_MAX_WRAPS];
} LarasWrapSet;

/* The key of (domain, epoch) in the set, or NULL. */
extern const uint8_t *laras_wrap_find(const LarasWrapSet *set, uint8_t domain, uint16_t epoch);

/* What a tomb says. */
typedef struct LarasTomb
{
	uint8_t reason; /* LARAS_REASON_x */
	int64_t time;   /* microseconds since 1970 UTC, real clock */
	uint8_t order[LARAS_ORDER_LEN];
} LarasTomb;

/* Make a live slot.  nonce NULL: random. */
extern bool laras_slot_seal(const LarasSlotPlace *place, uint8_t domain, uint16_t epoch,
							const uint8_t wrap[LARAS_KEY_LEN], const uint8_t *nonce,
							const uint8_t secret[LARAS_KEY_LEN], uint8_t raw[LARAS_SLOT_LEN]);

/* Make a tomb.  Needs no key; allocates nothing (safe in a commit callback). */
extern bool
laras_slot_bury(const LarasSlotPlace *place, const LarasTomb *tomb, uint8_t raw[LARAS_SLOT_LEN]);

/*
 * State without a key: DESTROYED, WRAPPED (shape of a live slot) or DAMAGED.
 * tomb may be NULL; it is filled for DESTROYED.
 */
extern LarasSlotState
laras_slot_look(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN], LarasTomb *tomb);

/*
 * State with keys: DESTROYED, LIVE (secret is filled), WRAPPED (no key of its
 * domain and epoch in the set) or DAMAGED.  domain 0 accepts any, else a slot
 * of another domain is DAMAGED: a courier secret may not stand where a content
 * secret belongs.  secret may be NULL.  A failing crypto library gives WRAPPED,
 * never DAMAGED.
 */
extern LarasSlotState
laras_slot_open(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN],
				const LarasWrapSet *keys, uint8_t domain, uint8_t secret[LARAS_KEY_LEN]);

/* Epoch and domain that a slot of live shape names. */
extern bool laras_slot_epoch(const uint8_t raw[LARAS_SLOT_LEN], uint8_t *domain, uint16_t *epoch);

/*
 * Has the shape of a live slot, and opens with no key that the keyring has in
 * use, all of whose domain are in the set: it names another epoch (damage in
 * four bytes looks so, and so does a copy from before a rotation), or the
 * domain that does not belong at its place. Counts as damaged.
 */
extern bool laras_slot_is_void(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN],
							   const LarasWrapSet *keys);

/*
 * Merging one slot of two mirrors (a or b NULL: absent there).
 */
typedef enum LarasMerge
{
	LARAS_MERGE_SAME, /* identical bytes (also: damaged the same way) */
	LARAS_MERGE_TAKE_A,
	LARAS_MERGE_TAKE_B,
	LARAS_MERGE_NEITHER,   /* no side has anything but damage or absence */
	LARAS_MERGE_NEEDS_KEY, /* cannot be told without a wrapping key */
	LARAS_MERGE_CONFLICT   /* two live slots, two secrets: LRK10, a person */
} LarasMerge;

/*
 * Destroyed wins over everything; of two tombs the earlier, then the smaller
 * bytes, so that every mirror chooses the same one.  Live wins over damaged
 * and absent, and over one of an earlier epoch whose key is gone; of two live
 * ones with the same secret the higher epoch, then the smaller bytes.  Neither the argument order nor repetition changes the
 * outcome.  Whether an order to destroy exists is for the caller: it writes
 * the tomb first and merges after.  Where the result is SAME the bytes may
 * still be damaged on both sides: *state (may be NULL) tells the state of the
 * winning bytes.
 */
extern LarasMerge laras_slot_merge(const LarasSlotPlace *place, const uint8_t *a, const uint8_t *b,
								   const LarasWrapSet *keys, LarasSlotState *state);

#endif /* LARAS_VAULT_SLOT_H */
