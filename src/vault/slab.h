/*
 * slab.h
 *		Slab files: a header and 4,096 slots.
 *
 * Files are read with pread and never mapped.  A slab that is missing, short,
 * or whose header does not hold or names another keyring or number is ABSENT,
 * whatever its slots say.  A file has exactly LARAS_SLAB_LEN bytes from the
 * moment it has its name; it never grows.
 */
#ifndef LARAS_VAULT_SLAB_H
#define LARAS_VAULT_SLAB_H

#include "vault/slot.h"

#define LARAS_SLAB_HEADER_LEN 4096
#define LARAS_SLAB_LEN (LARAS_SLAB_HEADER_LEN + LARAS_SLOTS_PER_SLAB * LARAS_SLOT_LEN)
#define LARAS_SLAB_NAME_LEN 16 /* "slab-%08x" and its NUL */

typedef struct LarasSlabHeader
{
	uint16_t keyring_number;
	uint32_t number;
	uint8_t keyring[LARAS_UUID_LEN];
	uint8_t slab[LARAS_UUID_LEN];
	int64_t created; /* microseconds since 1970 UTC */
	uint16_t epoch;  /* at birth */
} LarasSlabHeader;

/* An open slab.  Plain data: may be copied, lives in the caller's memory. */
typedef struct LarasSlab
{
	int fd; /* -1: not open */
	uint32_t number;
	uint8_t slab[LARAS_UUID_LEN];
} LarasSlab;

#define LARAS_SLAB_CLOSED \
	{                     \
		-1, 0,            \
		{                 \
			0             \
		}                 \
	}

extern void laras_slab_name(uint32_t number, char out[LARAS_SLAB_NAME_LEN]);
extern bool laras_slab_header_encode(const LarasSlabHeader *h, uint8_t out[LARAS_SLAB_HEADER_LEN]);

/* False where magic, version, count or checksum does not hold. */
extern bool laras_slab_header_decode(const uint8_t in[LARAS_SLAB_HEADER_LEN], LarasSlabHeader *h);

/*
 * Fill an image of LARAS_SLAB_LEN bytes: header h (h->slab random when all
 * zeros), every slot live with a fresh secret.  Slot 1 of slab 0 takes
 * courier_wrap and its secret is returned in courier_seed (both NULL for every
 * other slab; slab 0 needs them).  Wipe nothing: the image holds no clear secret.
 */
extern bool laras_slab_build(LarasSlabHeader *h, const uint8_t content_wrap[LARAS_KEY_LEN],
							 const uint8_t *courier_wrap, uint8_t *courier_seed, uint8_t *image);

/*
 * Put an image into a keyring directory: written under a temporary name,
 * synced, renamed, directory synced.  Never replaces a slab that exists
 * (LARAS_KEYERR_DISAGREE) unless replace.
 */
extern bool laras_slab_install(int dirfd, uint32_t number, const uint8_t *image, bool replace,
							   LarasKeyError *err);

/*
 * Open and check the header against keyring uuid and numbers.  ABSENT errors:
 * missing, short, foreign.  MIRROR errors: any other failing call.
 */
extern bool
laras_slab_open(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], uint16_t keyring_number,
				uint32_t number, bool writable, LarasSlab *slab, LarasKeyError *err);
extern void laras_slab_close(LarasSlab *slab);

/* One slot.  A short read is ABSENT, a failing one MIRROR. */
extern bool laras_slab_read(const LarasSlab *slab, uint32_t slot, uint8_t raw[LARAS_SLOT_LEN],
							LarasKeyError *err);

/*
 * One slot, 64 aligned bytes in place.  No sync.  Allocates nothing and does
 * not extend the file: refuses (ABSENT) one that has been truncated.
 */
extern bool laras_slab_write(const LarasSlab *slab, uint32_t slot,
							 const uint8_t raw[LARAS_SLOT_LEN], LarasKeyError *err);

/* n slots from first on, all in this slab, in one piece; the same otherwise. */
extern bool laras_slab_write_some(const LarasSlab *slab, uint32_t first, uint32_t n,
								  const uint8_t *raw, LarasKeyError *err);
extern bool laras_slab_read_some(const LarasSlab *slab, uint32_t first, uint32_t n, uint8_t *buf,
								 LarasKeyError *err);

/* fdatasync.  After a failure rewrite before syncing again. */
extern bool laras_slab_sync(const LarasSlab *slab, LarasKeyError *err);

/* All 4,096 slots at once (buf of 4,096 x 64 bytes): scrub, start, merge. */
extern bool laras_slab_read_all(const LarasSlab *slab, uint8_t *buf, LarasKeyError *err);

/*
 * Read a slot back from the medium: O_DIRECT through an aligned block of a
 * second descriptor; where the file system refuses it, after
 * POSIX_FADV_DONTNEED.  *direct says which way it was.
 */
extern bool laras_slab_read_back(int dirfd, const LarasSlab *slab, uint32_t slot,
								 uint8_t raw[LARAS_SLOT_LEN], bool *direct, LarasKeyError *err);

/*
 * The slot id of a lease position: four Feistel rounds inside each window of
 * 65,536 (design section 7).  False where the position lies beyond 2^32 slots
 * or the crypto library failed.  laras_slot_position is the inverse, for
 * "unused above the lease" (false for slots below 65,536).
 */
extern bool
laras_position_slot(const uint8_t keyring[LARAS_UUID_LEN], uint64_t position, uint32_t *slot);
extern bool
laras_slot_position(const uint8_t keyring[LARAS_UUID_LEN], uint32_t slot, uint64_t *position);

#endif /* LARAS_VAULT_SLAB_H */
