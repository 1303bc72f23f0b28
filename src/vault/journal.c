/*
 * journal.c
 *		The journal of a keyring.  See journal.h for where a record stands.
 */
#include "vault/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/bytes.h"
#include "vault/files.h"

#define CHAIN_AT 48

void
laras_journal_start(const uint8_t keyring[LARAS_UUID_LEN], LarasJournalTail *tail)
{
	tail->seq = 0;
	memcpy(tail->chain, keyring, LARAS_CHAIN_LEN);
}

void
laras_journal_name(uint32_t number, char out[LARAS_JOURNAL_NAME_LEN])
{
	snprintf(out, LARAS_JOURNAL_NAME_LEN, "journal-%08x", (unsigned int) number);
}

static bool
all_zeros(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* chain = SHA-256(previous chain || bytes 0-47)[0..15] */
static bool
next_chain(const uint8_t *previous, const uint8_t *raw, uint8_t out[LARAS_CHAIN_LEN])
{
	LarasPiece pieces[2] = {{previous, LARAS_CHAIN_LEN}, {raw, CHAIN_AT}};
	uint8_t full[LARAS_HASH_LEN];

	if (!laras_sha256(pieces, 2, full))
		return false;
	memcpy(out, full, LARAS_CHAIN_LEN);
	return true;
}

bool
laras_journal_encode(LarasJournalTail *tail, LarasJournalRecord *rec,
					 uint8_t out[LARAS_JOURNAL_RECORD_LEN])
{
	memcpy(out, "LJRN", 4);
	out[4] = rec->kind;
	out[5] = rec->reason;
	out[6] = 0;
	out[7] = 0;
	laras_put64(out + 8, tail->seq + 1);
	laras_put32(out + 16, rec->first);
	laras_put32(out + 20, rec->count);
	laras_put64(out + 24, (uint64_t) rec->time);
	memcpy(out + 32, rec->order, LARAS_ORDER_LEN);
	if (!next_chain(tail->chain, out, out + CHAIN_AT))
		return false;
	tail->seq++;
	memcpy(tail->chain, out + CHAIN_AT, LARAS_CHAIN_LEN);
	rec->seq = tail->seq;
	memcpy(rec->chain, tail->chain, LARAS_CHAIN_LEN);
	return true;
}

bool
laras_journal_decode(const uint8_t in[LARAS_JOURNAL_RECORD_LEN], LarasJournalRecord *rec)
{
	if (memcmp(in, "LJRN", 4) != 0 || in[4] < LARAS_JOURNAL_DESTROY ||
		in[4] > LARAS_JOURNAL_REMOVAL || in[6] != 0 || in[7] != 0 || laras_get64(in + 8) == 0)
		return false;
	rec->kind = in[4];
	rec->reason = in[5];
	rec->seq = laras_get64(in + 8);
	rec->first = laras_get32(in + 16);
	rec->count = laras_get32(in + 20);
	rec->time = (int64_t) laras_get64(in + 24);
	memcpy(rec->order, in + 32, LARAS_ORDER_LEN);
	memcpy(rec->chain, in + CHAIN_AT, LARAS_CHAIN_LEN);
	return true;
}

bool
laras_journal_follows(const LarasJournalTail *tail, const uint8_t in[LARAS_JOURNAL_RECORD_LEN])
{
	uint8_t chain[LARAS_CHAIN_LEN];

	return laras_get64(in + 8) == tail->seq + 1 && next_chain(tail->chain, in, chain) &&
		   memcmp(chain, in + CHAIN_AT, LARAS_CHAIN_LEN) == 0;
}

bool
laras_journal_make(int dirfd, uint32_t number, LarasKeyError *err)
{
	char name[LARAS_JOURNAL_NAME_LEN];
	void *zeros;
	bool ok;

	laras_journal_name(number, name);
	if (laras_file_exists(dirfd, name))
		return true;
	zeros = calloc(1, LARAS_JOURNAL_FILE_LEN);
	if (zeros == NULL)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, ENOMEM, "making a journal file");
	ok = laras_file_install(dirfd, name, zeros, LARAS_JOURNAL_FILE_LEN, err);
	free(zeros);
	return ok;
}

static int
open_journal(int dirfd, uint32_t number, int flags, LarasKeyError *err)
{
	char name[LARAS_JOURNAL_NAME_LEN];
	struct stat st;
	int fd;

	laras_journal_name(number, name);
	fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
	{
		laras_keyerror(err, errno == ENOENT ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, errno,
					   "opening a journal file");
		return -1;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != LARAS_JOURNAL_FILE_LEN)
	{
		close(fd);
		laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "journal file length");
		return -1;
	}
	return fd;
}

bool
laras_journal_clear(int dirfd, uint64_t seq, LarasKeyError *err)
{
	uint64_t first = seq % LARAS_JOURNAL_PER_FILE; /* of the first file, the records that stay */
	uint8_t *buf = malloc(LARAS_JOURNAL_FILE_LEN);
	bool ok = true;

	if (buf == NULL)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, ENOMEM, "clearing the journal's end");
	for (uint32_t number = LARAS_JOURNAL_FILE_OF(seq + 1); ok; number++, first = 0)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		int fd = open_journal(dirfd, number, O_RDWR, &why);
		off_t at = (off_t) first * LARAS_JOURNAL_RECORD_LEN;
		size_t n = LARAS_JOURNAL_FILE_LEN - (size_t) at;

		if (fd < 0)
		{
			ok = why.sys_errno == ENOENT;
			if (!ok && err != NULL)
				*err = why;
			break;
		}
		ok = laras_pread_all(fd, buf, n, at);
		if (ok && !all_zeros(buf, n))
		{
			memset(buf, 0, n);
			ok = laras_pwrite_all(fd, buf, n, at) && laras_sync_data(fd);
		}
		if (!ok)
			laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "clearing the journal's end");
		close(fd);
	}
	free(buf);
	return ok;
}

bool
laras_journal_mend(int dirfd, uint32_t files, LarasKeyError *err)
{
	for (uint32_t number = 0; number < files; number++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		char name[LARAS_JOURNAL_NAME_LEN];
		int fd = open_journal(dirfd, number, O_RDONLY, &why);
		bool ok;

		if (fd >= 0)
		{
			close(fd);
			continue;
		}
		if (why.code != LARAS_KEYERR_ABSENT)
		{
			if (err != NULL)
				*err = why;
			return false;
		}
		laras_journal_name(number, name);
		if (why.sys_errno == ENOENT)
		{
			if (!laras_journal_make(dirfd, number, err))
				return false;
			continue;
		}
		fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		ok = fd >= 0 && ftruncate(fd, LARAS_JOURNAL_FILE_LEN) == 0 && fsync(fd) == 0;
		if (!ok)
			laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "mending a journal file");
		if (fd >= 0)
			close(fd);
		if (!ok)
			return false;
	}
	return true;
}

int
laras_journal_open(int dirfd, uint32_t number, LarasKeyError *err)
{
	return open_journal(dirfd, number, O_RDWR, err);
}

bool
laras_journal_write(int fd, uint64_t first_seq, const uint8_t *raw, uint32_t n, LarasKeyError *err)
{
	uint64_t at = (first_seq - 1) % LARAS_JOURNAL_PER_FILE;
	struct stat st;

	if (first_seq == 0 || at + n > LARAS_JOURNAL_PER_FILE)
		return laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "journal records of two files");
	if (fstat(fd, &st) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "journal file size");
	if (st.st_size != LARAS_JOURNAL_FILE_LEN)
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "journal file length");
	if (!laras_pwrite_all(fd, raw, (size_t) n * LARAS_JOURNAL_RECORD_LEN,
						  (off_t) at * LARAS_JOURNAL_RECORD_LEN))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "writing the journal");
	return true;
}

bool
laras_journal_chain(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], uint64_t seq,
					uint8_t chain[LARAS_CHAIN_LEN], LarasKeyError *err)
{
	int fd;
	bool ok;

	if (seq == 0)
	{
		memcpy(chain, keyring, LARAS_CHAIN_LEN);
		return true;
	}
	fd = laras_journal_open(dirfd, LARAS_JOURNAL_FILE_OF(seq), err);
	if (fd < 0)
		return false;
	ok = laras_pread_all(fd, chain, LARAS_CHAIN_LEN,
						 (off_t) ((seq - 1) % LARAS_JOURNAL_PER_FILE) * LARAS_JOURNAL_RECORD_LEN +
							 CHAIN_AT);
	if (!ok)
		laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading the journal");
	close(fd);
	return ok;
}

/* What the record before one beyond a break says about it. */
typedef struct Neighbour
{
	bool readable;
	uint8_t stored[LARAS_CHAIN_LEN]; /* the chain that stands in it */
	uint8_t again[LARAS_CHAIN_LEN];  /* the chain its other bytes give */
} Neighbour;

/*
 * Is a record beyond a break what was written? Its own chain says so, or that
 * of the one after it where its own was hit. One of which neither does was hit
 * where its slots stand: taken for an order it would destroy other keys. After
 * a hole nothing can say so and the record is believed, as one fault at a time
 * leaves it whole.
 */
static bool
vouched_for(const Neighbour *before, const uint8_t *raw, const uint8_t *after)
{
	LarasJournalRecord rec;

	if (!before->readable)
		return true;
	for (int i = 0; i < 2; i++)
	{
		uint8_t chain[LARAS_CHAIN_LEN];
		uint8_t following[LARAS_CHAIN_LEN];

		if (!next_chain(i == 0 ? before->stored : before->again, raw, chain))
			return false;
		if (memcmp(chain, raw + CHAIN_AT, LARAS_CHAIN_LEN) == 0)
			return true;
		if (after != NULL && laras_journal_decode(after, &rec) &&
			next_chain(chain, after, following) &&
			memcmp(following, after + CHAIN_AT, LARAS_CHAIN_LEN) == 0)
			return true;
	}
	return false;
}

LarasJournalEnd
laras_journal_scan(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], const LarasJournalTail *from,
				   LarasJournalVisit visit, LarasJournalVisit visit_beyond, void *arg,
				   LarasJournalScan *scan, LarasKeyError *err)
{
	LarasJournalEnd end = LARAS_JOURNAL_CLEAN;
	bool broken = false;   /* past the last good record */
	bool bad_tail = false; /* the first record after it is not zeros */
	Neighbour before = {0};
	uint32_t number;
	uint8_t *buf;

	memset(scan, 0, sizeof(*scan));
	if (from != NULL)
		scan->tail = *from;
	else
		laras_journal_start(keyring, &scan->tail);
	if (!laras_crypto_init() || (buf = malloc(LARAS_JOURNAL_FILE_LEN)) == NULL)
	{
		laras_keyerror(err, LARAS_KEYERR_CRYPTO, ENOMEM, "reading the journal");
		return LARAS_JOURNAL_FAILED;
	}
	number = LARAS_JOURNAL_FILE_OF(scan->tail.seq + 1);
	scan->files = number;
	for (;; number++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		int fd = open_journal(dirfd, number, O_RDONLY, &why);
		uint32_t i = 0;

		if (fd < 0)
		{
			char next[LARAS_JOURNAL_NAME_LEN];

			/* The end, where neither it nor the next is there; a hole otherwise. */
			laras_journal_name(number + 1, next);
			if (why.sys_errno == ENOENT && number > 0 && !laras_file_exists(dirfd, next))
				break;
			if (err != NULL)
				*err = why;
			end = LARAS_JOURNAL_FAILED;
			break;
		}
		if (!laras_pread_all(fd, buf, LARAS_JOURNAL_FILE_LEN, 0))
		{
			laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading the journal");
			close(fd);
			end = LARAS_JOURNAL_FAILED;
			break;
		}
		close(fd);
		scan->files = number + 1;
		if (number == LARAS_JOURNAL_FILE_OF(scan->tail.seq + 1) && !broken)
			i = (uint32_t) (scan->tail.seq % LARAS_JOURNAL_PER_FILE);
		for (; i < LARAS_JOURNAL_PER_FILE; i++)
		{
			const uint8_t *raw = buf + (size_t) i * LARAS_JOURNAL_RECORD_LEN;
			const uint8_t *after =
				i + 1 < LARAS_JOURNAL_PER_FILE ? raw + LARAS_JOURNAL_RECORD_LEN : NULL;
			Neighbour own = {0};
			LarasJournalRecord rec;

			if (!broken)
			{
				if (laras_journal_decode(raw, &rec) && laras_journal_follows(&scan->tail, raw))
				{
					scan->tail.seq = rec.seq;
					memcpy(scan->tail.chain, rec.chain, LARAS_CHAIN_LEN);
					if (visit != NULL && !visit(&rec, arg))
					{
						free(buf);
						return LARAS_JOURNAL_STOPPED;
					}
					continue;
				}
				broken = true;
				bad_tail = !all_zeros(raw, LARAS_JOURNAL_RECORD_LEN);
				/* It may still be readable: the order in it may be a good one. */
				before.readable = true;
				memcpy(before.stored, scan->tail.chain, LARAS_CHAIN_LEN);
				memcpy(before.again, scan->tail.chain, LARAS_CHAIN_LEN);
			}
			else if (!all_zeros(raw, LARAS_JOURNAL_RECORD_LEN))
				end = LARAS_JOURNAL_BROKEN;
			if (laras_journal_decode(raw, &rec) &&
				rec.seq == (uint64_t) number * LARAS_JOURNAL_PER_FILE + i + 1)
			{
				own.readable = true;
				memcpy(own.stored, raw + CHAIN_AT, LARAS_CHAIN_LEN);
				if (!before.readable || !next_chain(before.stored, raw, own.again))
					memcpy(own.again, own.stored, LARAS_CHAIN_LEN);
				if (!vouched_for(&before, raw, after))
					scan->damaged++;
				else
				{
					scan->beyond++;
					if (visit_beyond != NULL && !visit_beyond(&rec, arg))
					{
						free(buf);
						return LARAS_JOURNAL_STOPPED;
					}
				}
			}
			before = own;
		}
	}
	free(buf);
	if (end == LARAS_JOURNAL_CLEAN && bad_tail)
		end = LARAS_JOURNAL_TORN;
	return end;
}
