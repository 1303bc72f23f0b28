/*
 * lease.c
 *		The lease file: two records written in turn.
 */
#include "vault/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/bytes.h"
#include "vault/files.h"

#define SECOND_AT 512

bool
laras_lease_encode(const LarasLease *lease, uint8_t out[LARAS_LEASE_RECORD_LEN])
{
	LarasPiece piece = {out, 32};

	memcpy(out, "LEAS", 4);
	laras_put32(out + 4, 0);
	laras_put64(out + 8, lease->generation);
	laras_put64(out + 16, lease->next_position);
	laras_put64(out + 24, lease->wal_position);
	return laras_sha256(&piece, 1, out + 32);
}

bool
laras_lease_decode(const uint8_t in[LARAS_LEASE_RECORD_LEN], LarasLease *lease)
{
	LarasPiece piece = {in, 32};
	uint8_t sum[LARAS_HASH_LEN];

	if (memcmp(in, "LEAS", 4) != 0 || laras_get32(in + 4) != 0 || laras_get64(in + 8) == 0 ||
		!laras_sha256(&piece, 1, sum) || memcmp(sum, in + 32, LARAS_HASH_LEN) != 0)
		return false;
	lease->generation = laras_get64(in + 8);
	lease->next_position = laras_get64(in + 16);
	lease->wal_position = laras_get64(in + 24);
	return true;
}

/*
 * Read both records through an open descriptor and pick the one that counts;
 * *other_at is the place of the other one, which the next write may take.
 */
static bool
read_lease(int fd, LarasLease *lease, off_t *other_at, LarasKeyError *err)
{
	uint8_t buf[LARAS_LEASE_LEN];
	LarasLease other;
	bool one;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "lease size");
	if (!S_ISREG(st.st_mode) || st.st_size != LARAS_LEASE_LEN)
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "lease length");
	if (!laras_pread_all(fd, buf, sizeof(buf), 0))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading the lease");
	if (!laras_crypto_init())
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	memset(lease, 0, sizeof(*lease));
	*other_at = SECOND_AT;
	one = laras_lease_decode(buf, lease);
	if (laras_lease_decode(buf + SECOND_AT, &other) &&
		(!one || other.generation > lease->generation))
	{
		*lease = other;
		*other_at = 0;
		one = true;
	}
	if (!one)
		return laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "no valid lease record");
	return true;
}

static int
open_lease(int dirfd, int flags, LarasKeyError *err)
{
	int fd = openat(dirfd, LARAS_LEASE_FILE, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		laras_keyerror(err, errno == ENOENT ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, errno,
					   "opening the lease");
	return fd;
}

bool
laras_lease_read(int dirfd, LarasLease *lease, LarasKeyError *err)
{
	int fd = open_lease(dirfd, O_RDONLY, err);
	off_t other_at;
	bool ok;

	if (fd < 0)
		return false;
	ok = read_lease(fd, lease, &other_at, err);
	close(fd);
	return ok;
}

bool
laras_lease_write(int dirfd, LarasLease *lease, LarasKeyError *err)
{
	LarasLease stored;
	LarasLease next;
	uint8_t raw[LARAS_LEASE_RECORD_LEN];
	int fd = open_lease(dirfd, O_RDWR, err);
	off_t at;
	bool ok = false;

	if (fd < 0)
		return false;
	if (read_lease(fd, &stored, &at, err))
	{
		next = *lease;
		if (next.generation < stored.generation)
			next.generation = stored.generation;
		next.generation++;
		if (next.next_position < stored.next_position)
			laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "lease would go back");
		else if (!laras_lease_encode(&next, raw))
			laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
		else if (!laras_pwrite_all(fd, raw, sizeof(raw), at) || !laras_sync_data(fd))
			laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "writing the lease");
		else
		{
			*lease = next;
			ok = true;
		}
	}
	close(fd);
	return ok;
}

bool
laras_lease_create(int dirfd, const LarasLease *lease, LarasKeyError *err)
{
	uint8_t buf[LARAS_LEASE_LEN] = {0};
	LarasLease first = *lease;

	if (first.generation == 0)
		first.generation = 1;
	if (!laras_lease_encode(&first, buf))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	return laras_file_install(dirfd, LARAS_LEASE_FILE, buf, sizeof(buf), err);
}

bool
laras_lease_bytes(int dirfd, uint8_t out[LARAS_LEASE_LEN], LarasKeyError *err)
{
	int fd = open_lease(dirfd, O_RDONLY, err);
	bool ok;

	if (fd < 0)
		return false;
	ok = laras_pread_all(fd, out, LARAS_LEASE_LEN, 0);
	if (!ok)
		laras_keyerror(err, errno == 0 ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, errno,
					   "reading the lease");
	close(fd);
	return ok;
}

bool
laras_lease_copy(int dirfd, const uint8_t bytes[LARAS_LEASE_LEN], LarasKeyError *err)
{
	return laras_file_install(dirfd, LARAS_LEASE_FILE, bytes, LARAS_LEASE_LEN, err);
}

LarasLease
laras_lease_merge(const LarasLease *a, const LarasLease *b)
{
	LarasLease m = *a;

	if (b->generation > m.generation)
		m.generation = b->generation;
	if (b->next_position > m.next_position)
		m.next_position = b->next_position;
	if (b->wal_position > m.wal_position)
		m.wal_position = b->wal_position;
	return m;
}
