/*
 * crash.c
 *		Remembers across crash restarts which worker crashed.
 *
 * A process that dies by a fault makes the postmaster end every other process
 * and throw shared memory away, so the memory of it must lie in a file.  Each
 * worker, and the launcher, marks itself alive in a record of its own and
 * takes the mark away when it ends in any orderly way, the postmaster's
 * SIGQUIT and the postmaster's death included.  A mark that is found at the
 * next start therefore belongs to the process that caused the crash, to none
 * of its neighbours.
 *
 * The file lies where PostgreSQL keeps what need not be durable: it is not in
 * base backups, and after a power cut it may be lost or stale, which costs a
 * worker one needless short delay.  Nothing is synced.  If it cannot be
 * written, laras works and only forgets crashes.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"

#include "worker/shared.h"

#define CRASH_FILE PG_STAT_TMP_DIR "/laras_workers"
#define CRASH_MAGIC 0x4c577231 /* version 1 */

/* This process's own record; written from a signal handler too. */
static int own_file = -1;
static off_t own_position;
static LarasCrashRecord own_good_bye;

static int
open_file(void)
{
	int file = BasicOpenFile(CRASH_FILE, O_RDWR | O_CREAT | PG_BINARY);

	if (file < 0)
		ereport(LOG,
				(errcode_for_file_access(), errmsg("laras cannot open file \"%s\": %m", CRASH_FILE),
				 errdetail("Workers that crash will not be held back.")));
	return file;
}

/*
 * Reads the file into shared memory, where the mark of a crashed process stays
 * until it is taken, and writes it back without marks.  Called by the first
 * launcher after shared memory was made; the lock must not be held.
 */
void
laras_crash_read(void)
{
	LarasCrashRecord records[LARAS_CRASH_RECORDS];
	int file = open_file();
	ssize_t size;

	if (file < 0)
		return;
	memset(records, 0, sizeof(records));
	size = pread(file, records, sizeof(records), 0);
	for (int i = 0; i < LARAS_CRASH_RECORDS; i++)
	{
		bool whole = size >= (ssize_t) ((i + 1) * sizeof(LarasCrashRecord));

		if (!whole || records[i].magic != CRASH_MAGIC || records[i].in_a_row < 0)
			memset(&records[i], 0, sizeof(LarasCrashRecord));
		else if (records[i].alive != 0)
			records[i].in_a_row = Min(records[i].in_a_row, 1000) + 1;
	}
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	memcpy(laras_workers->crash, records, sizeof(records));
	LWLockRelease(laras_workers->lock);

	for (int i = 0; i < LARAS_CRASH_RECORDS; i++)
		records[i].alive = 0;
	if (pwrite(file, records, sizeof(records), 0) != sizeof(records))
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("laras cannot write file \"%s\": %m", CRASH_FILE)));
	close(file);
}

/*
 * What was read about that process.  The answer is given once, so that a
 * launcher that lost and regained a database does not count the crash again.
 * The lock must be held exclusively.
 */
LarasCrashes
laras_crash_take(Oid database, int kind)
{
	LarasCrashes result = {0, false};

	for (int i = 0; i < LARAS_CRASH_RECORDS; i++)
	{
		LarasCrashRecord *record = &laras_workers->crash[i];

		if (record->magic == CRASH_MAGIC && record->database == database && record->kind == kind)
		{
			result.in_a_row = record->in_a_row;
			result.just_now = record->alive != 0;
			record->magic = 0;
			break;
		}
	}
	return result;
}

/*
 * This process is alive.  index is its place among all workers, -1 for the
 * launcher.
 */
void
laras_crash_alive(Oid database, int kind, int index, int in_a_row)
{
	LarasCrashRecord record;

	if (own_file < 0)
		own_file = open_file();
	if (own_file < 0)
		return;
	own_position = (off_t) (index + 1) * sizeof(LarasCrashRecord);
	record.magic = CRASH_MAGIC;
	record.database = database;
	record.kind = kind;
	record.alive = 0;
	record.in_a_row = in_a_row;
	own_good_bye = record;
	record.alive = MyProcPid;
	if (pwrite(own_file, &record, sizeof(record), own_position) != sizeof(record))
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("laras cannot write file \"%s\": %m", CRASH_FILE)));
}

/* An orderly end.  Safe in a signal handler. */
void
laras_crash_gone(void)
{
	int saved = errno;

	if (own_file >= 0)
	{
		/* Nothing can be done about a failure; it costs a short delay. */
		ssize_t written = pwrite(own_file, &own_good_bye, sizeof(own_good_bye), own_position);

		(void) written;
	}
	errno = saved;
}

/*
 * SIGQUIT: the postmaster ends everybody, because of somebody else's crash or
 * an immediate shutdown.  As the server's own handler, but with a good-bye.
 */
void
laras_crash_quit(SIGNAL_ARGS)
{
	laras_crash_gone();
	_exit(2);
}
