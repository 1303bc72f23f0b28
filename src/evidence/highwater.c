/*
 * highwater.c
 *		The high-water file. Invariant: every record is either wholly as it was
 *		written last or fails its checksum.
 */
#include "evidence/highwater.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vault/bytes.h"

static const char file_magic[8] = {'L', 'A', 'R', 'A', 'S', 'H', 'W', 'M'};
static const char record_magic[4] = {'L', 'H', 'W', 'M'};

static bool
seal_block(uint8_t block[LARAS_HIGH_WATER_RECORD])
{
	LarasPiece piece = {block, 96};

	return laras_sha256(&piece, 1, block + 96);
}

static bool
block_holds(const uint8_t block[LARAS_HIGH_WATER_RECORD])
{
	LarasPiece piece = {block, 96};
	uint8_t hash[LARAS_HASH_LEN];

	return laras_sha256(&piece, 1, hash) && memcmp(hash, block + 96, LARAS_HASH_LEN) == 0;
}

/* All of a block or false with errno; a short read at the end reads as zeros. */
static bool
read_block(int fd, off_t offset, uint8_t block[LARAS_HIGH_WATER_RECORD])
{
	size_t done = 0;

	memset(block, 0, LARAS_HIGH_WATER_RECORD);
	while (done < LARAS_HIGH_WATER_RECORD)
	{
		ssize_t n = pread(fd, block + done, LARAS_HIGH_WATER_RECORD - done, offset + (off_t) done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		done += n;
	}
	return true;
}

static bool
write_block(int fd, off_t offset, const uint8_t block[LARAS_HIGH_WATER_RECORD])
{
	size_t done = 0;

	while (done < LARAS_HIGH_WATER_RECORD)
	{
		ssize_t n = pwrite(fd, block + done, LARAS_HIGH_WATER_RECORD - done, offset + (off_t) done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			if (n == 0)
				errno = ENOSPC;
			return false;
		}
		done += n;
	}
	return true;
}

/* The name must survive a crash as the record does. */
static bool
sync_directory_of(const char *path)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 1 : slash == path ? 1 : (size_t) (slash - path);
	bool ok;
	int fd;

	if (n >= sizeof(directory))
	{
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(directory, slash == NULL ? "." : path, n);
	directory[n] = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

static bool
lock_within_a_second(int fd)
{
	struct timespec pause = {0, 10 * 1000 * 1000};
	int tries;

	for (tries = 0; tries < 100; tries++)
	{
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&pause, NULL);
	}
	errno = EWOULDBLOCK;
	return false;
}

int
laras_high_water_open(const char *path, bool writable, bool create)
{
	uint8_t block[LARAS_HIGH_WATER_RECORD];
	struct stat st;
	int saved;
	int fd;

	fd = open(path,
			  (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW |
				  (writable && create ? O_CREAT : 0),
			  0600);
	if (fd < 0)
		return -1;
	if (writable && !lock_within_a_second(fd))
		goto failed;
	if (fstat(fd, &st) != 0)
		goto failed;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
	{
		errno = EINVAL;
		goto failed;
	}

	if (st.st_size == 0 && writable && create)
	{
		memset(block, 0, sizeof(block));
		memcpy(block, file_magic, sizeof(file_magic));
		laras_put32(block + 8, 1);
		if (!seal_block(block) || !write_block(fd, 0, block) || fsync(fd) != 0 ||
			!sync_directory_of(path))
			goto failed;
		return fd;
	}

	if (!read_block(fd, 0, block))
		goto failed;
	if (memcmp(block, file_magic, sizeof(file_magic)) != 0 || laras_get32(block + 8) != 1 ||
		!block_holds(block))
	{
		errno = EINVAL;
		goto failed;
	}
	return fd;

failed:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int64_t
laras_high_water_count(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	/* a record that was cut off counts: it reads as damaged */
	return st.st_size <= LARAS_HIGH_WATER_RECORD ? 0 : (st.st_size - 1) / LARAS_HIGH_WATER_RECORD;
}

LarasMarkState
laras_high_water_read(int fd, int64_t number, LarasHighWaterMark *mark)
{
	uint8_t block[LARAS_HIGH_WATER_RECORD];
	int64_t count = laras_high_water_count(fd);

	memset(mark, 0, sizeof(*mark));
	if (count < 0)
		return LARAS_MARK_UNREADABLE;
	if (number < 0 || number >= count)
		return LARAS_MARK_NONE;
	if (!read_block(fd, (number + 1) * LARAS_HIGH_WATER_RECORD, block))
		return LARAS_MARK_UNREADABLE;
	if (memcmp(block, record_magic, sizeof(record_magic)) != 0 || !block_holds(block))
		return LARAS_MARK_DAMAGED;

	mark->workspace_id = (int64_t) laras_get64(block + 8);
	memcpy(mark->log_id, block + 16, LARAS_LOG_ID_LEN);
	mark->system_identifier = laras_get64(block + 32);
	mark->database = laras_get32(block + 40);
	mark->size = laras_get64(block + 56);
	memcpy(mark->root.b, block + 64, LARAS_HASH_LEN);
	return LARAS_MARK_FOUND;
}

bool
laras_high_water_write(int fd, int64_t number, const LarasHighWaterMark *mark)
{
	uint8_t block[LARAS_HIGH_WATER_RECORD];

	memset(block, 0, sizeof(block));
	memcpy(block, record_magic, sizeof(record_magic));
	laras_put64(block + 8, (uint64_t) mark->workspace_id);
	memcpy(block + 16, mark->log_id, LARAS_LOG_ID_LEN);
	laras_put64(block + 32, mark->system_identifier);
	laras_put32(block + 40, mark->database);
	laras_put64(block + 56, mark->size);
	memcpy(block + 64, mark->root.b, LARAS_HASH_LEN);
	return seal_block(block) && write_block(fd, (number + 1) * LARAS_HIGH_WATER_RECORD, block);
}

bool
laras_high_water_sync(int fd)
{
	return fdatasync(fd) == 0;
}

bool
laras_high_water_is_of(const LarasHighWaterMark *mark, int64_t workspace_id,
					   const uint8_t log_id[LARAS_LOG_ID_LEN])
{
	return mark->workspace_id == workspace_id &&
		   (workspace_id != 0 || memcmp(mark->log_id, log_id, LARAS_LOG_ID_LEN) == 0);
}
