/*
 * keyringfile.c
 *		The keyring file and the directory it lies in.  Making and copying whole
 *		keyrings is in keyringmake.c.
 */
#include "vault/keyringfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/bytes.h"
#include "vault/files.h"

#define CHECKSUM_AT 4064

bool
laras_keyring_encode(const LarasKeyring *k, uint8_t out[LARAS_KEYRING_LEN])
{
	LarasPiece piece = {out, CHECKSUM_AT};

	memset(out, 0, LARAS_KEYRING_LEN);
	memcpy(out, "LARASKEY", 8);
	laras_put16(out + 8, LARAS_KEYRING_VERSION);
	laras_put16(out + 10, k->number);
	memcpy(out + 16, k->uuid, LARAS_UUID_LEN);
	laras_put64(out + 32, k->owner_system);
	laras_put64(out + 40, k->adoptions);
	memcpy(out + 48, k->courier_public, LARAS_KEY_LEN);
	laras_put16(out + 80, k->current_epoch);
	laras_put16(out + 82, k->oldest_epoch);
	memcpy(out + 88, k->check_current, LARAS_CHECK_LEN);
	memcpy(out + 96, k->check_oldest, LARAS_CHECK_LEN);
	laras_put32(out + 104, k->owner_database);
	return laras_sha256(&piece, 1, out + CHECKSUM_AT);
}

bool
laras_keyring_decode(const uint8_t in[LARAS_KEYRING_LEN], LarasKeyring *k)
{
	LarasPiece piece = {in, CHECKSUM_AT};
	uint8_t sum[LARAS_HASH_LEN];

	if (memcmp(in, "LARASKEY", 8) != 0 || laras_get16(in + 8) != LARAS_KEYRING_VERSION ||
		!laras_sha256(&piece, 1, sum) || memcmp(sum, in + CHECKSUM_AT, LARAS_HASH_LEN) != 0)
		return false;
	k->number = laras_get16(in + 10);
	memcpy(k->uuid, in + 16, LARAS_UUID_LEN);
	k->owner_system = laras_get64(in + 32);
	k->adoptions = laras_get64(in + 40);
	memcpy(k->courier_public, in + 48, LARAS_KEY_LEN);
	k->current_epoch = laras_get16(in + 80);
	k->oldest_epoch = laras_get16(in + 82);
	memcpy(k->check_current, in + 88, LARAS_CHECK_LEN);
	memcpy(k->check_oldest, in + 96, LARAS_CHECK_LEN);
	k->owner_database = laras_get32(in + 104);
	return true;
}

bool
laras_keyring_same(const LarasKeyring *a, const LarasKeyring *b)
{
	/* field by field: what lies between them is anything */
	return a->number == b->number && memcmp(a->uuid, b->uuid, LARAS_UUID_LEN) == 0 &&
		   a->owner_system == b->owner_system && a->owner_database == b->owner_database &&
		   a->adoptions == b->adoptions &&
		   memcmp(a->courier_public, b->courier_public, LARAS_KEY_LEN) == 0 &&
		   a->current_epoch == b->current_epoch && a->oldest_epoch == b->oldest_epoch &&
		   memcmp(a->check_current, b->check_current, LARAS_CHECK_LEN) == 0 &&
		   memcmp(a->check_oldest, b->check_oldest, LARAS_CHECK_LEN) == 0;
}

bool
laras_keyring_read(int dirfd, LarasKeyring *k, LarasKeyError *err)
{
	uint8_t buf[LARAS_KEYRING_LEN];
	struct stat st;
	int fd = openat(dirfd, LARAS_KEYRING_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int saved;

	if (fd < 0)
		return laras_keyerror(err, errno == ENOENT ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR,
							  errno, "opening the keyring file");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != LARAS_KEYRING_LEN)
	{
		close(fd);
		return laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "keyring file length");
	}
	if (!laras_pread_all(fd, buf, sizeof(buf), 0))
	{
		saved = errno;
		close(fd);
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, saved, "reading the keyring file");
	}
	close(fd);
	if (!laras_crypto_init())
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	if (!laras_keyring_decode(buf, k))
		return laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "keyring file checksum");
	return true;
}

bool
laras_keyring_replace(int dirfd, const LarasKeyring *k, LarasKeyError *err)
{
	uint8_t buf[LARAS_KEYRING_LEN];

	if (!laras_keyring_encode(k, buf))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	return laras_file_install(dirfd, LARAS_KEYRING_FILE, buf, sizeof(buf), err);
}

/* The checks that files and directories of a keyring share. */
static bool
is_private(const struct stat *st)
{
	return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

bool
laras_directory_check(const char *path, LarasKeyError *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return laras_keyerror(err, errno == ENOENT ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_UNSAFE,
							  errno, "keyring directory");
	if (!S_ISDIR(st.st_mode))
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "keyring directory is not a directory");
	if (st.st_uid != geteuid())
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0,
							  "keyring directory belongs to another user");
	if (!is_private(&st))
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0,
							  "keyring directory is open to group or others");
	return true;
}

/* realpath of path, or of its nearest ancestor that exists. */
static bool
resolve(const char *path, char out[PATH_MAX])
{
	char work[PATH_MAX];
	size_t n = strlen(path);

	if (path[0] != '/' || n >= sizeof(work))
		return false;
	memcpy(work, path, n + 1);
	while (realpath(work, out) == NULL)
	{
		char *slash = strrchr(work, '/');

		if (slash == NULL || work[1] == '\0')
			return false;
		if (slash == work)
			slash++;
		*slash = '\0';
	}
	return true;
}

bool
laras_path_is_inside(const char *path, const char *parent)
{
	char inner[PATH_MAX];
	char outer[PATH_MAX];
	size_t n;

	if (!resolve(path, inner) || realpath(parent, outer) == NULL)
		return false;
	n = strlen(outer);
	if (n == 1)
		return true;
	return strncmp(inner, outer, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

int
laras_keyring_directory(const char *path, uint16_t number, LarasKeyError *err)
{
	static const char *const files[] = {LARAS_KEYRING_FILE, LARAS_LEASE_FILE};
	char name[PATH_MAX];
	struct stat st;
	int fd;

	if (!laras_directory_check(path, err))
		return -1;
	if ((size_t) snprintf(name, sizeof(name), "%s/%u", path, (unsigned int) number) >= sizeof(name))
	{
		laras_keyerror(err, LARAS_KEYERR_UNSAFE, ENAMETOOLONG, "keyring directory");
		return -1;
	}
	if (!laras_directory_check(name, err))
		return -1;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
	{
		laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "opening a keyring directory");
		return -1;
	}
	for (int i = 0; i < 2; i++)
	{
		if (fstatat(fd, files[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue; /* reading it says what is wrong */
		if (!S_ISREG(st.st_mode) || !is_private(&st))
		{
			close(fd);
			laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "keyring file is open to others");
			return -1;
		}
	}
	return fd;
}

bool
laras_keyring_lock(int dirfd, LarasKeyError *err)
{
	if (flock(dirfd, LOCK_EX | LOCK_NB) != 0)
		return laras_keyerror(err,
							  errno == EWOULDBLOCK ? LARAS_KEYERR_FOREIGN_OWNER
												   : LARAS_KEYERR_MIRROR,
							  errno, "keyring is in use by another server");
	return true;
}
