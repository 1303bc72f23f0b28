/*
 * id.c
 *		Ids: 42 bits of milliseconds since 1970, 9 bits of node, 12 bits of a
 *		counter that starts anew each millisecond, permuted.
 *
 * Invariant: the shared state (millisecond << 12 | counter) only grows, so no
 * id is given twice by a running server, whatever the clock does; and no id is
 * given above the high-water mark that stands on disk beside the keyring, so
 * that a server which starts after a step back of its clock begins above all
 * it gave before.
 *
 * What is reserved and not used is lost at each start, so ids begin ahead of the
 * clock, after many crashes in a row by minutes, and wait for it there. What must
 * know the time reads a column of its own.
 *
 * A plain counter would tell one tenant how many ids the others took in the
 * same millisecond.  So the twelve bits are sent through a bijection keyed by
 * a secret that is drawn at each server start and by the millisecond: four
 * Feistel rounds on six bits, SipHash-2-4 as the round function.  The key need
 * not outlive the server, since two servers' milliseconds never overlap.
 *
 * High-water file: <mirror>/ids in every directory of
 * laras.keyring_directory, 32 bytes: "LARASIDS", u64 millisecond, u64 its
 * complement, u64 zero.  Written to a temporary name, synced, renamed.  The
 * highest valid one counts.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/id.h"
#include "worker/worker.h" /* lint allows worker: whether the library is preloaded */

PG_FUNCTION_INFO_V1(laras_new_id_sql);
PG_FUNCTION_INFO_V1(laras_id_time_sql);

#define COUNTER_BITS 12
#define NODE_BITS 9
#define COUNTER_MASK ((UINT64CONST(1) << COUNTER_BITS) - 1)
#define MILLIS_MASK ((UINT64CONST(1) << 42) - 1)

/* how far ahead of use the high-water mark is written */
#define RESERVE_MS 10000

#define FILE_NAME "ids"
#define FILE_MAGIC "LARASIDS"
#define FILE_BYTES 32

typedef struct IdShared
{
	pg_atomic_uint64 state;   /* millisecond << 12 | counter, last given */
	pg_atomic_uint64 ceiling; /* milliseconds below this may be given */
	uint64 key[2];
	LWLock *lock; /* held while the files are written */
} IdShared;

static IdShared *shared = NULL;
static int node = 0;

void
laras_id_init(void)
{
	DefineCustomIntVariable("laras.node", "Number of this server among all that share ids.",
							"Two servers whose data may ever meet need different numbers.", &node,
							0, 0, (1 << NODE_BITS) - 1, laras_guc_context(PGC_POSTMASTER), 0, NULL,
							NULL, NULL);
}

void
laras_id_shmem_request(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(IdShared)));
	RequestNamedLWLockTranche("laras_id", 1);
}

void
laras_id_shmem_startup(void)
{
	bool found;

	shared = ShmemInitStruct("laras ids", sizeof(IdShared), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->state, 0);
	pg_atomic_init_u64(&shared->ceiling, 0);
	if (!pg_strong_random(shared->key, sizeof(shared->key)))
		ereport(FATAL,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not draw random bytes for ids")));
	shared->lock = &GetNamedLWLockTranche("laras_id")->lock;
}

static uint64
real_millis(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

/* ---------------------------------------------------------- high water */

/*
 * The next directory of a list "name=path, name=path".  Advances *list; copies
 * the path to dir.  False at the end.  Parts that make no sense are skipped:
 * the vault, whose setting this is, reports them.
 */
static bool
next_directory(const char **list, char dir[MAXPGPATH])
{
	while (**list)
	{
		const char *end = strchrnul(*list, ',');
		const char *eq = memchr(*list, '=', end - *list);
		const char *from = eq ? eq + 1 : *list;
		const char *to = end;

		*list = *end ? end + 1 : end;
		while (from < to && (*from == ' ' || *from == '"'))
			from++;
		while (to > from && (to[-1] == ' ' || to[-1] == '"'))
			to--;
		if (to > from && to - from < MAXPGPATH - 32)
		{
			memcpy(dir, from, to - from);
			dir[to - from] = '\0';
			return true;
		}
	}
	return false;
}

/* 0 when there is no valid file */
static uint64
read_mark(const char *dir)
{
	char path[MAXPGPATH];
	uint8 buf[FILE_BYTES];
	uint64 mark;
	uint64 complement;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return 0;
	n = pg_pread(fd, buf, sizeof(buf), 0);
	CloseTransientFile(fd);
	if (n != sizeof(buf) || memcmp(buf, FILE_MAGIC, 8) != 0)
		return 0;
	memcpy(&mark, buf + 8, 8);
	memcpy(&complement, buf + 16, 8);
	mark = pg_ntoh64(mark);
	return mark == ~pg_ntoh64(complement) ? mark : 0;
}

/* false, with errno set, when the file could not be made durable */
static bool
write_mark(const char *dir, uint64 mark)
{
	char path[MAXPGPATH];
	char temp[MAXPGPATH];
	uint8 buf[FILE_BYTES] = {0};
	uint64 be = pg_hton64(mark);
	uint64 complement = pg_hton64(~mark);
	int fd;
	bool good;

	memcpy(buf, FILE_MAGIC, 8);
	memcpy(buf + 8, &be, 8);
	memcpy(buf + 16, &complement, 8);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	snprintf(temp, sizeof(temp), "%s/" FILE_NAME ".new", dir);

	fd = OpenTransientFilePerm(temp, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return false;
	good = pg_pwrite(fd, buf, sizeof(buf), 0) == sizeof(buf) && pg_fsync(fd) == 0;
	if (CloseTransientFile(fd) != 0)
		good = false;
	return good && durable_rename(temp, path, LOG) == 0;
}

/*
 * Raises the ceiling above wanted, on disk first.  One mirror that takes the
 * mark is enough: the highest counts at the next start, and the vault reports
 * a mirror that is out of reach.  Without any keyring directory nothing can be
 * kept; ids are then only as good as the clock, which doctor() says.
 */
static void
raise_ceiling(uint64 wanted)
{
	const char *setting = GetConfigOption("laras.keyring_directory", true, false);
	const char *list;
	char dir[MAXPGPATH];
	int directories = 0;
	int written = 0;
	int save_errno = 0;
	uint64 mark;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (pg_atomic_read_u64(&shared->ceiling) > wanted)
	{
		LWLockRelease(shared->lock);
		return;
	}

	/* the first time since the start: begin above what was ever given */
	mark = wanted;
	if (pg_atomic_read_u64(&shared->ceiling) == 0)
	{
		for (list = setting ? setting : ""; next_directory(&list, dir);)
			mark = Max(mark, read_mark(dir));
		if (mark > wanted)
		{
			uint64 old = pg_atomic_read_u64(&shared->state);

			while (old < (mark << COUNTER_BITS) &&
				   !pg_atomic_compare_exchange_u64(&shared->state, &old, mark << COUNTER_BITS))
				;
		}
	}

	mark += RESERVE_MS;
	for (list = setting ? setting : ""; next_directory(&list, dir);)
	{
		directories++;
		if (write_mark(dir, mark))
			written++;
		else
			save_errno = errno;
	}
	if (directories > 0 && written == 0)
	{
		LWLockRelease(shared->lock);
		errno = save_errno;
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_ID_HIGH_WATER),
			 errmsg("could not write the high-water mark of ids: %m"),
			 errdetail("No directory of laras.keyring_directory takes the file \"%s\".", FILE_NAME),
			 errhint(
				 "Without it a clock that steps back could repeat an id. Make a mirror writable for the server.")));
	}
	pg_atomic_write_u64(&shared->ceiling, mark);
	LWLockRelease(shared->lock);
}

/* ----------------------------------------------------------- bijection */

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND           \
	do                     \
	{                      \
		v0 += v1;          \
		v1 = ROTL(v1, 13); \
		v1 ^= v0;          \
		v0 = ROTL(v0, 32); \
		v2 += v3;          \
		v3 = ROTL(v3, 16); \
		v3 ^= v2;          \
		v0 += v3;          \
		v3 = ROTL(v3, 21); \
		v3 ^= v0;          \
		v2 += v1;          \
		v1 = ROTL(v1, 17); \
		v1 ^= v2;          \
		v2 = ROTL(v2, 32); \
	} while (0)

/* SipHash-2-4 of one eight-byte word */
static uint64
siphash_word(uint64 m)
{
	uint64 v0 = shared->key[0] ^ UINT64CONST(0x736f6d6570736575);
	uint64 v1 = shared->key[1] ^ UINT64CONST(0x646f72616e646f6d);
	uint64 v2 = shared->key[0] ^ UINT64CONST(0x6c7967656e657261);
	uint64 v3 = shared->key[1] ^ UINT64CONST(0x7465646279746573);
	uint64 last = UINT64CONST(8) << 56;

	v3 ^= m;
	SIPROUND;
	SIPROUND;
	v0 ^= m;
	v3 ^= last;
	SIPROUND;
	SIPROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* millis has 42 bits, so that round and half fit above it */
static uint64
permute(uint64 millis, uint64 counter)
{
	uint64 left = counter >> 6;
	uint64 right = counter & 63;

	for (uint64 round = 0; round < 4; round++)
	{
		uint64 next = left ^ (siphash_word(millis | round << 42 | right << 48) & 63);

		left = right;
		right = next;
	}
	return left << 6 | right;
}

/* -------------------------------------------------------------- callers */

int64
laras_new_id(void)
{
	uint64 old;
	uint64 state;
	uint64 millis;

	if (shared == NULL)
		laras_require_preload();
	Assert(shared != NULL);

	for (;;)
	{
		uint64 floor = real_millis() << COUNTER_BITS;

		old = pg_atomic_read_u64(&shared->state);
		state = Max(old + 1, floor);
		millis = state >> COUNTER_BITS;
		if (millis >= pg_atomic_read_u64(&shared->ceiling))
		{
			raise_ceiling(millis);
			continue;
		}
		if (pg_atomic_compare_exchange_u64(&shared->state, &old, state))
			break;
	}
	return (int64) ((millis & MILLIS_MASK) << (NODE_BITS + COUNTER_BITS) |
					(uint64) node << COUNTER_BITS |
					permute(millis & MILLIS_MASK, state & COUNTER_MASK));
}

/* between 1970 and PostgreSQL's epoch: microseconds */
#define EPOCHS ((TimestampTz) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

int64
laras_id_since(TimestampTz time)
{
	int64 millis = (time + EPOCHS) / 1000 - 1;

	return (int64) ((uint64) Max(millis, 0) << (NODE_BITS + COUNTER_BITS));
}

/* laras.new_id() */
Datum
laras_new_id_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(laras_new_id());
}

/* laras.id_time(bigint) */
Datum
laras_id_time_sql(PG_FUNCTION_ARGS)
{
	int64 id = PG_GETARG_INT64(0);

	if (id <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("an id is greater than zero")));
	PG_RETURN_TIMESTAMPTZ((int64) ((uint64) id >> (NODE_BITS + COUNTER_BITS)) * 1000 - EPOCHS);
}
