/*
 * lease.h
 *		The lease file: how many positions have been handed out.
 *
 * Two records written in turn; the valid one with the higher generation
 * counts, so a torn write leaves the one before it.  The file is kept beside
 * the slabs and never in the database: a restored database cannot hand a slot
 * out twice.
 */
#ifndef LARAS_VAULT_LEASE_H
#define LARAS_VAULT_LEASE_H

#include "vault/crypto.h"
#include "vault/keyerror.h"

#define LARAS_LEASE_LEN 1024
#define LARAS_LEASE_RECORD_LEN 64
#define LARAS_LEASE_STEP 256 /* positions taken at a time */
#define LARAS_LEASE_FILE "lease"

typedef struct LarasLease
{
	uint64_t generation;    /* 0: no valid record */
	uint64_t next_position; /* first position not yet leased */
	uint64_t wal_position;  /* flushed WAL position when written */
} LarasLease;

extern bool laras_lease_encode(const LarasLease *lease, uint8_t out[LARAS_LEASE_RECORD_LEN]);
extern bool laras_lease_decode(const uint8_t in[LARAS_LEASE_RECORD_LEN], LarasLease *lease);

/* Read; DAMAGED where neither record holds, ABSENT where the file is missing or short. */
extern bool laras_lease_read(int dirfd, LarasLease *lease, LarasKeyError *err);

/*
 * Write the next generation and sync it, over the record that does not count.
 * lease->generation becomes one more than the larger of its own and the
 * file's.  Positions never go back: a smaller next_position than the file's is
 * refused (DISAGREE).  For several mirrors use laras_mirrors_lease (mirror.h),
 * which keeps them identical.
 */
extern bool laras_lease_write(int dirfd, LarasLease *lease, LarasKeyError *err);

/*
 * Create or replace the whole file: one record (generation at least 1), the
 * other zero; synced with its directory.
 */
extern bool laras_lease_create(int dirfd, const LarasLease *lease, LarasKeyError *err);

/* The whole file as it is, to compare and to copy between mirrors; ABSENT or MIRROR. */
extern bool laras_lease_bytes(int dirfd, uint8_t out[LARAS_LEASE_LEN], LarasKeyError *err);
extern bool laras_lease_copy(int dirfd, const uint8_t bytes[LARAS_LEASE_LEN], LarasKeyError *err);

/* Merge: the larger position, the larger generation, the larger WAL position. */
extern LarasLease laras_lease_merge(const LarasLease *a, const LarasLease *b);

#endif /* LARAS_VAULT_LEASE_H */
