/*
 * files.c
 *		Whole reads and writes, and putting a file in place.
 */
#include "vault/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

bool
laras_pread_all(int fd, void *p, size_t n, off_t at)
{
	char *to = p;

	if (LARAS_FAULT_FAILS("keyring.read", fd))
		return false;
	while (n > 0)
	{
		ssize_t got = pread(fd, to, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = 0;
		if (got <= 0)
			return false;
		to += got;
		at += got;
		n -= (size_t) got;
	}
	return true;
}

bool
laras_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const char *from = p;

	if (LARAS_FAULT_FAILS("keyring.write", fd))
		return false;
	while (n > 0)
	{
		ssize_t put = pwrite(fd, from, n, at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = ENOSPC;
		if (put <= 0)
			return false;
		from += put;
		at += put;
		n -= (size_t) put;
	}
	return true;
}

bool
laras_sync_data(int fd)
{
	return !LARAS_FAULT_FAILS("keyring.sync", fd) && fdatasync(fd) == 0;
}

bool
laras_file_exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
laras_directory_sync(int dirfd, LarasKeyError *err)
{
	if (fsync(dirfd) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "sync of a keyring directory");
	return true;
}

bool
laras_file_install(int dirfd, const char *name, const void *p, size_t n, LarasKeyError *err)
{
	char temp[64];
	int fd;
	int saved;

	snprintf(temp, sizeof(temp), "%s.tmp", name);
	if (unlinkat(dirfd, temp, 0) != 0 && errno != ENOENT)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "removing a left-over file");
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "creating a keyring file");
	if (!laras_pwrite_all(fd, p, n, 0) || LARAS_FAULT_FAILS("keyring.sync", fd) || fsync(fd) != 0)
	{
		saved = errno;
		close(fd);
		(void) unlinkat(dirfd, temp, 0);
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, saved, "writing a keyring file");
	}
	if (close(fd) != 0 || renameat(dirfd, temp, dirfd, name) != 0)
	{
		saved = errno;
		(void) unlinkat(dirfd, temp, 0);
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, saved, "naming a keyring file");
	}
	return laras_directory_sync(dirfd, err);
}
