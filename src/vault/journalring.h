/*
 * journalring.h
 *		The way of a destruction from a committer to every mirror. For files of
 *		src/vault only.
 *
 * A record is appended to the journal's tail in shared memory (the ring) under
 * journal_lock, which is held for the copy alone. Flushing a mirror writes
 * every record it has not yet had, journal and slots, and syncs: one pass
 * serves all committers that came before it. The first mirror in sync is
 * flushed by the committer, the others by the vault worker.
 */
#ifndef LARAS_VAULT_JOURNALRING_H
#define LARAS_VAULT_JOURNALRING_H

#include "vault/vaultshared.h"

/*
 * Reserve n places in the ring, so that the commit callback cannot find it
 * full. A mirror that is too far behind loses its place in sync for that.
 * False when all mirrors are. Takes journal_lock.
 */
extern bool laras_ring_reserve(LarasVault *v, uint32 n);
extern void laras_ring_unreserve(LarasVault *v, uint32 n);

/*
 * Append n records (seq and chain are filled in), out of n reserved places.
 * Returns the last seq. Raises and allocates nothing.
 */
extern uint64 laras_ring_append(LarasVault *v, LarasJournalRecord *recs, uint32 n);

/*
 * Open what a flush of that mirror up to n records from now will need: the
 * journal file of the next record and the one after. May raise nothing;
 * false with err.
 */
extern bool laras_ring_open(LarasVault *v, LarasMirrors *m, int mirror, LarasKeyError *err);

/*
 * Keep a writable descriptor on the slab of this slot for the next flush by
 * this process. At most 256 are kept; more are opened when they are needed.
 */
extern bool laras_ring_open_slab(LarasMirrors *m, int mirror, uint32 slot, LarasKeyError *err);
/* close what laras_ring_open_slab kept */
extern void laras_ring_close_slabs(void);

/*
 * Bring a mirror up to record seq at least: written and synced. A failure
 * takes the mirror out of sync (BEHIND) and is returned with err. Raises and
 * allocates nothing, so it may run in a commit callback. A slot whose slab
 * this mirror lacks is skipped: its record stands in the journal.
 */
extern bool
laras_ring_flush(LarasVault *v, LarasMirrors *m, int mirror, uint64 seq, LarasKeyError *err);

/* take a mirror out of sync; wakes who waits for it and the vault worker */
extern void laras_mirror_failed(LarasVault *v, int mirror, const LarasKeyError *err);

#endif /* LARAS_VAULT_JOURNALRING_H */
