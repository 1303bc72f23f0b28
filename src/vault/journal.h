/*
 * journal.h
 *		The journal of a keyring: chained 64-byte records in 1 MiB files.
 *
 * Append-only, preallocated with zeros: an append is one pwrite inside an
 * existing file, so that a commit callback may do it.  Each record's chain
 * covers the record and the chain before it, the first the keyring uuid.
 * Record seq stands at a fixed place: file (seq-1)/16384, offset
 * ((seq-1) mod 16384) * 64.
 */
#ifndef LARAS_VAULT_JOURNAL_H
#define LARAS_VAULT_JOURNAL_H

#include "vault/crypto.h"
#include "vault/keyerror.h"

#define LARAS_JOURNAL_FILE_LEN (1024 * 1024)
#define LARAS_JOURNAL_RECORD_LEN 64
#define LARAS_JOURNAL_PER_FILE (LARAS_JOURNAL_FILE_LEN / LARAS_JOURNAL_RECORD_LEN)
#define LARAS_JOURNAL_NAME_LEN 20 /* "journal-%08x" and its NUL */
#define LARAS_CHAIN_LEN 16

#define LARAS_JOURNAL_FILE_OF(seq) ((uint32_t) (((seq) -1) / LARAS_JOURNAL_PER_FILE))

typedef enum LarasJournalKind
{
	LARAS_JOURNAL_DESTROY = 1,
	LARAS_JOURNAL_RANGE = 2,
	LARAS_JOURNAL_MIRROR_REMOVED = 3,
	LARAS_JOURNAL_EPOCH_RETIRED = 4,
	LARAS_JOURNAL_EPOCH_DESTROYED = 5,
	LARAS_JOURNAL_ADOPTED = 6,
	LARAS_JOURNAL_REMOVAL = 7
} LarasJournalKind;

/*
 * A record.  Kind 7 (removal) uses the same places for other things: first =
 * slot of the subject or of W, count = data class or 0, time = cut-off,
 * order = u64 workspace id || u64 conversation id or 0.
 */
typedef struct LarasJournalRecord
{
	uint8_t kind;
	uint8_t reason;
	uint64_t seq;
	uint32_t first;
	uint32_t count;
	int64_t time; /* microseconds since 1970 UTC, real clock */
	uint8_t order[LARAS_ORDER_LEN];
	uint8_t chain[LARAS_CHAIN_LEN]; /* of this record */
} LarasJournalRecord;

/* End of a journal: what the next record needs. */
typedef struct LarasJournalTail
{
	uint64_t seq;                   /* of the last record; 0 = none yet */
	uint8_t chain[LARAS_CHAIN_LEN]; /* of the last record, or keyring uuid */
} LarasJournalTail;

/* Tail of an empty journal. */
extern void laras_journal_start(const uint8_t keyring[LARAS_UUID_LEN], LarasJournalTail *tail);

extern void laras_journal_name(uint32_t number, char out[LARAS_JOURNAL_NAME_LEN]);

/*
 * Encode the next record: fills rec->seq and rec->chain from the tail and
 * advances the tail.  Allocates nothing.
 */
extern bool laras_journal_encode(LarasJournalTail *tail, LarasJournalRecord *rec,
								 uint8_t out[LARAS_JOURNAL_RECORD_LEN]);

/* Decode and check magic, zero bytes and kind; the chain is laras_journal_follows(). */
extern bool
laras_journal_decode(const uint8_t in[LARAS_JOURNAL_RECORD_LEN], LarasJournalRecord *rec);

/* Does this record follow the tail (seq + 1 and chain)? */
extern bool
laras_journal_follows(const LarasJournalTail *tail, const uint8_t in[LARAS_JOURNAL_RECORD_LEN]);

/*
 * Make file number in the directory, if it is not there: all zeros, all blocks
 * written, synced, renamed, directory synced.  The vault worker keeps the
 * current and the next file in being in every mirror.
 */
extern bool laras_journal_make(int dirfd, uint32_t number, LarasKeyError *err);

/*
 * Give the journal its first files files again: a missing one all zeros, a cut
 * one filled up with zeros. For a mirror beside another one that has all the
 * records, which are copied to it then.
 */
extern bool laras_journal_mend(int dirfd, uint32_t files, LarasKeyError *err);

/*
 * Put zeros over whatever stands after record seq, up to the journal's last
 * file, and sync: the rest of an append cut short, or garbage whose orders are
 * carried over. Nobody may append meanwhile.
 */
extern bool laras_journal_clear(int dirfd, uint64_t seq, LarasKeyError *err);

/*
 * Open file number for appending; checks its length.  ABSENT where it is
 * missing or short.  PRE_COMMIT calls it for the file of the next record and
 * the one after, in each mirror, because other committers may fill the first.
 */
extern int laras_journal_open(int dirfd, uint32_t number, LarasKeyError *err);

/*
 * Write n encoded records (n * 64 bytes, made one after the other by
 * laras_journal_encode, the first with seq first_seq) at their place; they must
 * lie within one file, whose descriptor is fd.  No sync, no allocation, the
 * file is never extended.  In a commit callback.
 */
extern bool
laras_journal_write(int fd, uint64_t first_seq, const uint8_t *raw, uint32_t n, LarasKeyError *err);

/* The chain of record seq as it stands in its file (0: what the first one follows). */
extern bool laras_journal_chain(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], uint64_t seq,
								uint8_t chain[LARAS_CHAIN_LEN], LarasKeyError *err);

/* Called for every record of a scan, in order; false stops the scan. */
typedef bool (*LarasJournalVisit)(const LarasJournalRecord *rec, void *arg);

typedef enum LarasJournalEnd
{
	LARAS_JOURNAL_CLEAN,   /* only zeros after the last record */
	LARAS_JOURNAL_TORN,    /* one bad record, only zeros after it: a crash
								 * in the middle of an append; write over it */
	LARAS_JOURNAL_BROKEN,  /* a bad record and others after it: tampering,
								 * damage, or a crash that lost a middle block */
	LARAS_JOURNAL_STOPPED, /* visit said so */
	LARAS_JOURNAL_FAILED   /* a call failed, see err */
} LarasJournalEnd;

typedef struct LarasJournalScan
{
	LarasJournalTail tail; /* of the last good record */
	uint32_t files;        /* files that exist from number 0 on */
	uint64_t beyond;       /* records after a break that decode, stand at their
								 * place and are what was written */
	uint64_t damaged;      /* those that decode and are not */
} LarasJournalScan;

/*
 * Read from record 1 (or, with from not NULL, after that tail), verify the
 * chain, visit each good record.  Records after a break are visited with
 * visit_beyond (may be NULL), those without that were hit themselves: an order
 * whose slots are not what was written would destroy other keys.  The chain up
 * to them cannot be trusted, the caller decides (another mirror may hold the
 * lost one).
 */
extern LarasJournalEnd
laras_journal_scan(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], const LarasJournalTail *from,
				   LarasJournalVisit visit, LarasJournalVisit visit_beyond, void *arg,
				   LarasJournalScan *scan, LarasKeyError *err);

#endif /* LARAS_VAULT_JOURNAL_H */
