/*
 * keyring_fixture.h
 *		A keyring of two mirrors, "a" and "b", in the directory of a test program,
 *		and what its tests do to files. One program, one inclusion.
 */
#ifndef LARAS_TEST_KEYRING_FIXTURE_H
#define LARAS_TEST_KEYRING_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "vault/files.h"
#include "vault/masterkey.h"
#include "vault/mirror.h"

#define NUMBER 5

static char root[512]; /* the directory of this run */
static char setting[2100];
static uint8_t master[32];
static LarasKeyring keyring;
static LarasWrapSet wraps;
static LarasMirrors mirrors;

static inline const char *
path(const char *format, ...)
{
	static char out[4][1024];
	static int next = 0;
	char *p = out[next++ % 4];
	int n = snprintf(p, 1024, "%s/", root);
	va_list args;

	va_start(args, format);
	vsnprintf(p + n, 1024 - (size_t) n, format, args);
	va_end(args);
	return p;
}

static inline void
must(bool good)
{
	if (!good)
	{
		printf("not ok - a step that has to work, errno %d\n", errno);
		exit(1);
	}
}

/* Overwrite n bytes of a file in place. */
static inline void
poke(const char *file, off_t at, const void *p, size_t n)
{
	int fd = open(file, O_WRONLY);

	must(fd >= 0 && laras_pwrite_all(fd, p, n, at));
	close(fd);
}

static inline void
peek(const char *file, off_t at, void *p, size_t n)
{
	int fd = open(file, O_RDONLY);

	must(fd >= 0 && laras_pread_all(fd, p, n, at));
	close(fd);
}

static inline bool
same_files(const char *a, const char *b)
{
	uint8_t x[65536];
	uint8_t y[65536];
	int fa = open(a, O_RDONLY);
	int fb = open(b, O_RDONLY);
	bool same = fa >= 0 && fb >= 0;
	ssize_t n;

	while (same && (n = read(fa, x, sizeof(x))) > 0)
		same = read(fb, y, sizeof(y)) == n && memcmp(x, y, (size_t) n) == 0;
	same = same && read(fb, y, 1) == 0;
	close(fa);
	close(fb);
	return same;
}

static inline const char *
slab_file(char mirror, uint32_t number)
{
	return path("%c/%d/slab-%08x", mirror, NUMBER, (unsigned int) number);
}

static inline const char *
journal_file(char mirror, uint32_t number)
{
	return path("%c/%d/journal-%08x", mirror, NUMBER, (unsigned int) number);
}

static inline LarasSlotState
read_slot(LarasMirrorMask mask, uint32_t slot, uint8_t *secret, LarasMirrorMask *repair,
		  LarasKeyError *err)
{
	uint8_t own[32];
	LarasMirrorMask ignored;

	return laras_mirrors_read(&mirrors, mask, slot, &wraps, LARAS_DOMAIN_CONTENT,
							  secret != NULL ? secret : own, repair != NULL ? repair : &ignored,
							  err);
}

static inline void
write_file(const char *name, const void *p, size_t n)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	must(fd >= 0 && laras_pwrite_all(fd, p, n, 0));
	close(fd);
}

/* The keyring's directories, master key and wrapping keys, before it is made. */
static inline void
make_directories(void)
{
	static const char line[] =
		"1 0101010101010101010101010101010101010101010101010101010101010101\n";

	memset(master, 0x01, sizeof(master));
	must(mkdir(path("a"), 0700) == 0 && mkdir(path("b"), 0700) == 0);
	write_file(path("master"), line, sizeof(line) - 1);
	must(chmod(path("master"), 0400) == 0);
	snprintf(setting, sizeof(setting), "first=%s, second=%s/", path("a"), path("b"));
}

/* Make it in both mirrors. */
static inline bool
make_keyring(LarasKeyError *err)
{
	const char *paths[2] = {path("a"), path("b")};
	LarasKeyringPlan plan = {.number = NUMBER,
							 .owner_system = 42,
							 .owner_database = 5,
							 .epoch = 1,
							 .master = master,
							 .slabs = 16,
							 .now = 1};

	return laras_keyring_create(paths, 2, &plan, &keyring, err);
}

/* Open both mirrors and get the wrapping keys. */
static inline bool
open_keyring(void)
{
	LarasMirrorMask opened;
	LarasMasterKeys keys = {.n = 1};

	keys.master[0].epoch = 1;
	memcpy(keys.master[0].key, master, 32);
	return laras_mirrors_parse(setting, &mirrors, NULL) &&
		   laras_mirrors_open(&mirrors, NUMBER, &keyring, &opened, NULL) && opened == 3 &&
		   laras_masterkey_wraps(&keys, &keyring, LARAS_DOMAIN_CONTENT, &wraps);
}

#endif /* LARAS_TEST_KEYRING_FIXTURE_H */
