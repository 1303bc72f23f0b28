/*
 * model_disk.c
 *		The disk under the model test: the calls that write, of which a crash may
 *		take back what was not synced, and which a sick mirror refuses.
 *
 * These functions stand in front of the C library's, so that the vault's own
 * files write through them. A crash of the machine keeps any subset of the
 * writes in place that no sync has confirmed; a sync that fails leaves them in
 * doubt for good, whatever a later one answers, until they are written again.
 * Whole new files are synced before they get their name and are not tracked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vault_model.h"

#define UNIT 64          /* slots, journal records, leases: all are multiples */
#define SECTOR 512       /* is written whole or not at all */
#define TRACKED_LEN 4096 /* longer writes are whole new files */
#define MAX_UNITS 65536
#define MAX_FILES 1024

/* 64 bytes written and not synced */
typedef struct Unit
{
	int file;
	off_t at;
	uint64_t sector; /* of one write: units that fall together */
	bool doubtful;   /* a sync of it failed */
	bool kept;       /* when the power went */
	uint8_t medium[UNIT];
} Unit;

static Unit units[MAX_UNITS];
static int nunits = 0;
static int ndoubtful = 0;
static uint64_t nwrites = 0;

/* files that were written in this life, each with a descriptor of its own */
static struct
{
	ino_t ino;
	int fd;
} files[MAX_FILES];
static int nfiles = 0;

/* The number of a file; -1 where it is not known and fd < 0. */
static int
file_of(ino_t ino, int fd)
{
	static int last = 0;

	if (last < nfiles && files[last].ino == ino)
		return last;
	for (last = 0; last < nfiles; last++)
		if (files[last].ino == ino)
			return last;
	if (fd < 0)
		return -1;
	if (nfiles == MAX_FILES || (files[nfiles].fd = dup(fd)) < 0)
		model_fatal("too many files are written");
	files[nfiles].ino = ino;
	return nfiles++;
}

static void
forget(int i)
{
	memmove(&units[i], &units[i + 1], sizeof(Unit) * (size_t) (nunits - i - 1));
	nunits--;
}

/* What the medium holds where fd is about to be written. */
static void
track(int fd, size_t n, off_t at)
{
	struct stat st;

	int file;

	if (n > TRACKED_LEN)
		return;
	if (fstat(fd, &st) != 0 || n % UNIT != 0 || at % UNIT != 0)
		model_fatal("a write that the disk does not know");
	file = file_of(st.st_ino, -1);
	if (file < 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return; /* a new file, without its name yet */
	if (file < 0)
		file = file_of(st.st_ino, fd);
	nwrites++;
	for (size_t done = 0; done < n; done += UNIT)
	{
		Unit u = {.file = file, .at = at + (off_t) done};

		u.sector =
			nwrites * (TRACKED_LEN / SECTOR + 1) + (uint64_t) (u.at % SECTOR + done) / SECTOR;
		if (pread(fd, u.medium, UNIT, u.at) != UNIT)
			memset(u.medium, 0, UNIT);
		/* written again: the medium still holds what it held before the first time */
		for (int i = nunits - 1; i >= 0 && ndoubtful > 0; i--)
		{
			if (units[i].file != file || units[i].at != u.at || !units[i].doubtful)
				continue;
			memcpy(u.medium, units[i].medium, UNIT);
			forget(i);
			ndoubtful--;
		}
		if (nunits == MAX_UNITS)
			model_fatal("too much is written without a sync");
		units[nunits++] = u;
	}
}

static void
synced(int fd, bool failed)
{
	struct stat st;

	int file;
	int kept = 0;

	if (nunits == 0 || fstat(fd, &st) != 0 || (file = file_of(st.st_ino, -1)) < 0)
		return;
	for (int i = 0; i < nunits; i++)
	{
		if (units[i].file == file && failed && !units[i].doubtful)
		{
			units[i].doubtful = true;
			ndoubtful++;
		}
		if (units[i].file != file || units[i].doubtful)
			units[kept++] = units[i];
	}
	nunits = kept;
}

void
disk_lose_power(void)
{
	for (int i = nunits - 1; i >= 0; i--)
	{
		Unit *u = &units[i];
		bool covered = false;

		u->kept = i + 1 < nunits && units[i + 1].sector == u->sector ? units[i + 1].kept
																	 : model_random(2) == 0;
		for (int j = i + 1; j < nunits; j++)
			covered |= units[j].kept && units[j].file == u->file && units[j].at == u->at;
		if (u->kept || covered)
			continue;
		model_count(COUNT_WRITES_LOST, 1);
		(void) syscall(SYS_pwrite64, files[u->file].fd, u->medium, (size_t) UNIT, u->at);
	}
}

/* ---- in front of the C library */

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	model_crash_point("a write");
	track(fd, n, at);
	return syscall(SYS_pwrite64, fd, p, n, at);
}

int
fdatasync(int fd)
{
	model_crash_point("a sync");
	synced(fd, false);
	return 0;
}

int
fsync(int fd)
{
	synced(fd, false);
	return 0;
}

/* The page cache is the medium here; nothing is read around it. */
int
openat(int dirfd, const char *name, int flags, ...)
{
	int mode = 0;

	if (flags & O_CREAT)
	{
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return (int) syscall(SYS_openat, dirfd, name, flags & ~O_DIRECT, mode);
}

int
__openat_2(int dirfd, const char *name, int flags)
{
	return openat(dirfd, name, flags);
}

/* LARAS_FAULT_FAILS: every call on a mirror that is sick. */
bool
laras_fault_fails(const char *name, int fd)
{
	char link[64];
	char path[1024];
	ssize_t n;
	bool sick;

	if (model_sick_mirrors() == 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	sick = (model_sick_mirrors() & 1 && strstr(path, "/a/") != NULL) ||
		   (model_sick_mirrors() & 2 && strstr(path, "/b/") != NULL);
	if (!sick || strcmp(name, "keyring.read") == 0)
		return false;
	if (strcmp(name, "keyring.sync") == 0)
		synced(fd, true);
	errno = EIO;
	return true;
}
