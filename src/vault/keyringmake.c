/*
 * keyringmake.c
 *		Making a keyring, filling an empty mirror, adding slabs.
 *
 * Everything new is written under another name, synced and renamed: a crash
 * leaves either nothing or something whole.
 */
#include "vault/keyringfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/files.h"
#include "vault/journal.h"
#include "vault/slab.h"

#define SLABS_PER_WINDOW 16
#define FIRST_LEASED_SLAB 16
#define MAX_MIRRORS 16

/* A file that belongs to a keyring directory? */
static bool
is_keyring_name(const char *name)
{
	const char *digits;

	if (strcmp(name, LARAS_KEYRING_FILE) == 0 || strcmp(name, LARAS_LEASE_FILE) == 0)
		return true;
	if (strncmp(name, "slab-", 5) == 0)
		digits = name + 5;
	else if (strncmp(name, "journal-", 8) == 0)
		digits = name + 8;
	else
		return false;
	return strlen(digits) == 8 && strspn(digits, "0123456789abcdef") == 8;
}

static bool
directory_path(char out[PATH_MAX], const char *path, uint16_t number, const char *suffix)
{
	return (size_t) snprintf(out, PATH_MAX, "%s/%u%s", path, (unsigned int) number, suffix) <
		   PATH_MAX;
}

/* Remove "<number>.new" and the plain files in it, where it is left over. */
static bool
remove_leftover(const char *name, LarasKeyError *err)
{
	DIR *dir = opendir(name);
	struct dirent *entry;

	if (dir == NULL)
		return errno == ENOENT
				   ? true
				   : laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "left-over keyring directory");
	while ((entry = readdir(dir)) != NULL)
	{
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void) unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	if (rmdir(name) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "left-over keyring directory");
	return true;
}

/* Make "<path>/<number>.new" and open it; -1 on failure. */
int
laras_keyring_new_directory(const char *path, uint16_t number, LarasKeyError *err)
{
	char name[PATH_MAX];
	struct stat st;
	int fd;

	if (!laras_directory_check(path, err))
		return -1;
	if (!directory_path(name, path, number, ""))
	{
		laras_keyerror(err, LARAS_KEYERR_UNSAFE, ENAMETOOLONG, "keyring directory");
		return -1;
	}
	if (lstat(name, &st) == 0)
	{
		laras_keyerror(err, LARAS_KEYERR_DISAGREE, EEXIST, "keyring exists");
		return -1;
	}
	if (!directory_path(name, path, number, ".new") || !remove_leftover(name, err))
		return -1;
	if (mkdir(name, 0700) != 0)
	{
		laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "making a keyring directory");
		return -1;
	}
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "opening a keyring directory");
	return fd;
}

bool
laras_keyring_name_directory(const char *path, uint16_t number, LarasKeyError *err)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	int fd;
	bool ok;

	if (!directory_path(from, path, number, ".new") || !directory_path(to, path, number, ""))
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, ENAMETOOLONG, "keyring directory");
	if (rename(from, to) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "naming a keyring directory");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "opening a mirror");
	ok = laras_directory_sync(fd, err);
	close(fd);
	return ok;
}

static bool
read_slab_image(int dirfd, uint32_t number, const LarasKeyring *k, uint8_t *image,
				LarasKeyError *err)
{
	LarasSlab slab;
	bool ok = true;

	if (!laras_slab_open(dirfd, k->uuid, k->number, number, false, &slab, err))
		return false;
	if (!laras_pread_all(slab.fd, image, LARAS_SLAB_LEN, 0))
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading a slab");
	laras_slab_close(&slab);
	return ok;
}

bool
laras_keyring_grow(const int *dirfds, int n, const LarasKeyring *k, uint16_t epoch,
				   const uint8_t content_wrap[LARAS_KEY_LEN], uint32_t first, uint32_t count,
				   int64_t now, LarasKeyError *err)
{
	uint8_t *image;
	bool ok = true;

	if (first < FIRST_LEASED_SLAB || first % SLABS_PER_WINDOW != 0 ||
		(uint64_t) first + count > UINT32_MAX / LARAS_SLOTS_PER_SLAB)
		return laras_keyerror(err, LARAS_KEYERR_NO_SLOT, 0, "slab number out of range");
	image = malloc(LARAS_SLAB_LEN);
	if (image == NULL)
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, ENOMEM, "making a slab");
	for (uint32_t number = first; ok && number < first + count; number++)
	{
		char name[LARAS_SLAB_NAME_LEN];
		int have = -1;
		int lack = 0;

		laras_slab_name(number, name);
		for (int i = 0; i < n; i++)
		{
			if (laras_file_exists(dirfds[i], name))
				have = have < 0 ? i : have;
			else
				lack++;
		}
		if (lack == 0)
			continue;
		if (have >= 0)
			ok = read_slab_image(dirfds[have], number, k, image, err);
		else
		{
			LarasSlabHeader h = {.keyring_number = k->number,
								 .number = number,
								 .created = now,
								 .epoch = epoch};

			memcpy(h.keyring, k->uuid, LARAS_UUID_LEN);
			if (!laras_slab_build(&h, content_wrap, NULL, NULL, image))
				ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "making a slab");
		}
		for (int i = 0; ok && i < n; i++)
		{
			if (laras_file_exists(dirfds[i], name))
				continue;
			ok = laras_slab_install(dirfds[i], number, image, false, err);
			if (!ok && err != NULL)
				err->mirror = i;
		}
	}
	free(image);
	return ok;
}

uint32_t
laras_keyring_next_slab(int dirfd)
{
	uint32_t number = FIRST_LEASED_SLAB;
	char name[LARAS_SLAB_NAME_LEN];

	for (;; number++)
	{
		laras_slab_name(number, name);
		if (!laras_file_exists(dirfd, name))
			return number;
	}
}

/* To read through an open directory from its beginning; NULL with errno. */
static DIR *
list_directory(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

uint32_t
laras_keyring_slab_end(int dirfd)
{
	uint32_t end = FIRST_LEASED_SLAB;
	DIR *dir = list_directory(dirfd);
	struct dirent *entry;

	if (dir == NULL)
		return end;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] == 's' && is_keyring_name(entry->d_name))
		{
			uint32_t number = (uint32_t) strtoul(entry->d_name + 5, NULL, 16);

			if (number < UINT32_MAX && number + 1 > end)
				end = number + 1;
		}
	closedir(dir);
	return end;
}

void
laras_keyring_tidy(int dirfd)
{
	DIR *dir = list_directory(dirfd);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
	{
		char name[LARAS_JOURNAL_NAME_LEN];
		size_t n = strlen(entry->d_name);

		if (n <= 4 || n - 4 >= sizeof(name) || strcmp(entry->d_name + n - 4, ".tmp") != 0)
			continue;
		memcpy(name, entry->d_name, n - 4);
		name[n - 4] = '\0';
		if (is_keyring_name(name))
			(void) unlinkat(dirfd, entry->d_name, 0);
	}
	closedir(dir);
}

/* Slab 0 and what follows from it: built once, put into every mirror. */
static bool
make_first_slab(const int *dirfds, int n, const LarasKeyringPlan *plan, LarasKeyring *k,
				const uint8_t *content_wrap, LarasKeyError *err)
{
	LarasSlabHeader h = {.keyring_number = plan->number,
						 .number = 0,
						 .created = plan->now,
						 .epoch = plan->epoch};
	uint8_t courier_wrap[LARAS_KEY_LEN];
	uint8_t seed[LARAS_KEY_LEN];
	uint8_t *image = malloc(LARAS_SLAB_LEN);
	bool ok;

	if (image == NULL)
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, ENOMEM, "making a slab");
	memcpy(h.keyring, k->uuid, LARAS_UUID_LEN);
	ok =
		laras_derive_wrap(plan->master, LARAS_DOMAIN_COURIER, k->uuid, plan->epoch, courier_wrap) &&
		laras_slab_build(&h, content_wrap, courier_wrap, seed, image) &&
		laras_x25519_public(seed, k->courier_public);
	laras_wipe(courier_wrap, sizeof(courier_wrap));
	laras_wipe(seed, sizeof(seed));
	if (!ok)
		laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "making a slab");
	for (int i = 0; ok && i < n; i++)
		ok = laras_slab_install(dirfds[i], 0, image, false, err);
	free(image);
	return ok;
}

bool
laras_keyring_create(const char *const *paths, int n, const LarasKeyringPlan *plan,
					 LarasKeyring *made, LarasKeyError *err)
{
	LarasKeyring k = {.number = plan->number,
					  .owner_system = plan->owner_system,
					  .owner_database = plan->owner_database,
					  .current_epoch = plan->epoch,
					  .oldest_epoch = plan->epoch};
	LarasLease lease = {.generation = 1};
	uint8_t content_wrap[LARAS_KEY_LEN];
	int dirfds[MAX_MIRRORS];
	int opened = 0;
	uint32_t slabs = (plan->slabs + SLABS_PER_WINDOW - 1) / SLABS_PER_WINDOW * SLABS_PER_WINDOW;
	bool ok = true;

	if (n < 1 || n > MAX_MIRRORS)
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "number of mirrors");
	if (slabs == 0)
		slabs = SLABS_PER_WINDOW;
	for (; ok && opened < n; opened++)
	{
		dirfds[opened] = laras_keyring_new_directory(paths[opened], plan->number, err);
		ok = dirfds[opened] >= 0;
		if (!ok)
		{
			if (err != NULL)
				err->mirror = opened;
			break;
		}
	}
	if (ok &&
		!(laras_random_bytes(k.uuid, LARAS_UUID_LEN) &&
		  laras_derive_check(plan->master, k.uuid, plan->epoch, k.check_current) &&
		  laras_derive_wrap(plan->master, LARAS_DOMAIN_CONTENT, k.uuid, plan->epoch, content_wrap)))
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	memcpy(k.check_oldest, k.check_current, LARAS_CHECK_LEN);
	ok = ok && make_first_slab(dirfds, n, plan, &k, content_wrap, err) &&
		 laras_keyring_grow(dirfds, n, &k, plan->epoch, content_wrap, FIRST_LEASED_SLAB, slabs,
							plan->now, err);
	for (int i = 0; ok && i < n; i++)
	{
		ok = laras_lease_create(dirfds[i], &lease, err) && laras_journal_make(dirfds[i], 0, err) &&
			 laras_journal_make(dirfds[i], 1, err) && laras_keyring_replace(dirfds[i], &k, err);
		if (!ok && err != NULL)
			err->mirror = i;
	}
	for (int i = 0; i < opened; i++)
		close(dirfds[i]);
	for (int i = 0; ok && i < n; i++)
	{
		ok = laras_keyring_name_directory(paths[i], plan->number, err);
		if (!ok && err != NULL)
			err->mirror = i;
	}
	laras_wipe(content_wrap, sizeof(content_wrap));
	if (ok)
		*made = k;
	return ok;
}

/* Copy one file of at most a slab or journal file. */
static bool
copy_file(int from, int to, const char *name, LarasKeyError *err)
{
	struct stat st;
	uint8_t *buf;
	int fd = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "opening a keyring file");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > LARAS_JOURNAL_FILE_LEN)
	{
		close(fd);
		return laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "keyring file length");
	}
	buf = malloc((size_t) st.st_size + 1);
	if (buf == NULL)
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, ENOMEM, "copying a keyring file");
	else if (!laras_pread_all(fd, buf, (size_t) st.st_size, 0))
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading a keyring file");
	else
		ok = laras_file_install(to, name, buf, (size_t) st.st_size, err);
	free(buf);
	close(fd);
	return ok;
}

bool
laras_keyring_copy(int from_dirfd, const char *to_path, uint16_t number, void (*between)(void),
				   LarasKeyError *err)
{
	int to = laras_keyring_new_directory(to_path, number, err);
	DIR *dir;
	struct dirent *entry;
	char left[PATH_MAX];
	bool ok = true;

	if (to < 0)
		return false;
	dir = list_directory(from_dirfd);
	if (dir == NULL)
	{
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading a keyring directory");
		close(to);
		return ok;
	}
	errno = 0;
	while (ok && (entry = readdir(dir)) != NULL)
	{
		if (is_keyring_name(entry->d_name))
			ok = copy_file(from_dirfd, to, entry->d_name, err);
		if (between != NULL)
			between();
		errno = 0;
	}
	if (ok && errno != 0)
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "reading a keyring directory");
	closedir(dir);
	close(to);
	if (ok)
		return laras_keyring_name_directory(to_path, number, err);
	/* what was copied are keys: they are not left lying about */
	if (directory_path(left, to_path, number, ".new"))
		(void) remove_leftover(left, NULL);
	return false;
}
