/*
 * launcher.c
 *		The one process that starts the workers of every database.
 *
 * It is attached to no database, so it stands in nobody's way and reads the
 * shared catalogues only: which databases of laras.databases exist, take
 * connections and are no templates, and whether the role laras_worker exists.
 * Whether a database has the extension, the first worker of that database
 * finds out, and says so in its slot; until then it is alone.
 *
 * The launcher keeps no state of its own but the handles of workers that have
 * not attached yet.  What runs is in the slots, so that a launcher that was
 * ended and came back finds its workers and neither starts a second one nor
 * disturbs them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define LOOK_MS (10 * 1000) /* how often without being woken */
#define REFUSED_BASE_MS 1000
#define REFUSED_CAP_MS (60 * 1000)
#define CRASH_BASE_MS 1000
#define CRASH_CAP_MS (60 * 60 * 1000)
#define STEADY_MS (60 * 1000)
#define LAUNCHER_RESTART_S 1

int laras_poll_interval;

/* Of workers in the state STARTING; of the others NULL. */
static BackgroundWorkerHandle *handles[LARAS_MAX_DATABASES][LARAS_WORK_KINDS];

PGDLLEXPORT void laras_launcher_main(Datum arg);

/* ------------------------------------------------------------------------
 * Slots
 * ------------------------------------------------------------------------
 */

static bool
database_is_empty(const LarasDatabaseSlot *database)
{
	for (int k = 0; k < LARAS_WORK_KINDS; k++)
	{
		if (database->worker[k].state != LARAS_WORKER_EMPTY)
			return false;
	}
	return true;
}

static void
stop_workers(LarasDatabaseSlot *database)
{
	for (int k = 0; k < LARAS_WORK_KINDS; k++)
	{
		LarasWorkerSlot *slot = &database->worker[k];

		if (slot->state != LARAS_WORKER_EMPTY)
			slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
}

/* What the crash file says about a worker decides when it may start. */
static void
remember_crashes(const LarasWanted *wanted, const LarasWorkerSpec *spec, LarasWorkerSlot *slot,
				 int64 now)
{
	LarasCrashes crashes = laras_crash_take(wanted->database, spec->kind);
	int64 delay;

	slot->crashes = crashes.in_a_row;
	if (!crashes.just_now)
		return;
	delay = laras_backoff_ms(crashes.in_a_row, CRASH_BASE_MS, CRASH_CAP_MS);
	slot->not_before = now + delay;
	ereport(
		WARNING,
		(errcode(ERRCODE_CRASH_SHUTDOWN),
		 errmsg(
			 "laras %s in database \"%s\" crashed (%d in a row) and took the server down with it",
			 spec->name, NameStr(wanted->name), crashes.in_a_row),
		 errdetail("It is started again in %d ms.", (int) delay),
		 errhint("Call laras.resume_workers() in that database to start it at once.")));
}

/*
 * Gives every wanted database a slot and asks the workers of others to end.
 * Called with the lock held exclusively.
 */
static void
settle_slots(const LarasWanted *wanted, int n, int64 now)
{
	for (int d = 0; d < LARAS_MAX_DATABASES; d++)
	{
		LarasDatabaseSlot *database = &laras_workers->database[d];
		bool is_wanted = false;

		if (!OidIsValid(database->database))
			continue;
		for (int i = 0; i < n; i++)
		{
			if (wanted[i].database == database->database)
			{
				is_wanted = true;
				database->name = wanted[i].name;
			}
		}
		if (is_wanted)
			continue;
		if (!database_is_empty(database))
			stop_workers(database);
		else if (database->holds == 0)
			database->database = InvalidOid;
	}

	for (int i = 0; i < n; i++)
	{
		LarasDatabaseSlot *database = NULL;

		if (laras_database_slot(wanted[i].database) != NULL)
			continue;
		for (int d = 0; d < LARAS_MAX_DATABASES && database == NULL; d++)
		{
			if (!OidIsValid(laras_workers->database[d].database))
				database = &laras_workers->database[d];
		}
		if (database == NULL)
			break; /* freed before long: old ones are ending */
		database->database = wanted[i].database;
		database->name = wanted[i].name;
		database->holds = 0;
		database->extension = LARAS_EXTENSION_UNKNOWN;
		database->probe_at = 0;
		for (int k = 0; k < LARAS_WORK_KINDS; k++)
		{
			LarasWorkerSlot *slot = &database->worker[k];
			const LarasWorkerSpec *spec = laras_find_worker((LarasWork) k);
			uint32 incarnation = slot->incarnation;

			/* Everything but the atomics, which hold plain numbers. */
			memset(slot, 0, sizeof(LarasWorkerSlot));
			pg_atomic_init_u64(&slot->requested, 0);
			pg_atomic_init_u64(&slot->served, 0);
			pg_atomic_init_u64(&slot->pending, 0);
			pg_atomic_init_u64(&slot->waiting_since, 0);
			slot->incarnation = incarnation;
			if (spec != NULL)
				remember_crashes(&wanted[i], spec, slot, now);
		}
	}
}

/* ------------------------------------------------------------------------
 * Starting
 * ------------------------------------------------------------------------
 */

/*
 * Registers one worker whose slot is STARTING already.  False: no process
 * slot was free.
 */
static bool
register_worker(int d, const LarasWorkerSpec *spec, Oid role)
{
	LarasDatabaseSlot *database = &laras_workers->database[d];
	BackgroundWorker worker;
	LarasWorkerStart start;
	MemoryContext scratch;
	bool registered;

	memset(&worker, 0, sizeof(worker));
	snprintf(worker.bgw_name, BGW_MAXLEN, "laras %s for database %s", spec->name,
			 NameStr(database->name));
	snprintf(worker.bgw_type, BGW_MAXLEN, "laras %s", spec->name);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART; /* the launcher restarts */
	strlcpy(worker.bgw_library_name, "laras", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "laras_worker_main", sizeof(worker.bgw_function_name));
	worker.bgw_main_arg = Int32GetDatum(d * LARAS_WORK_KINDS + spec->kind);
	worker.bgw_notify_pid = MyProcPid;
	start.database = database->database;
	start.role = role;
	start.incarnation = database->worker[spec->kind].incarnation;
	memcpy(worker.bgw_extra, &start, sizeof(start));

	if (handles[d][spec->kind] != NULL)
		pfree(handles[d][spec->kind]);
	handles[d][spec->kind] = NULL;

	/* The handle outlives this look. */
	scratch = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[d][spec->kind]);
	MemoryContextSwitchTo(scratch);
	return registered;
}

/*
 * Looks at a worker that was registered and has not attached: one that ended
 * before it could (no memory to fork, database gone) leaves no other trace.
 */
static void
look_after_starting(int d, int kind, int64 now)
{
	LarasWorkerSlot *slot = &laras_workers->database[d].worker[kind];
	pid_t pid;

	if (handles[d][kind] != NULL && GetBackgroundWorkerPid(handles[d][kind], &pid) != BGWH_STOPPED)
		return;
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	if (slot->state == LARAS_WORKER_STARTING)
	{
		slot->state = LARAS_WORKER_EMPTY;
		slot->stop = false;
		slot->exits++;
		slot->not_before = now + laras_backoff_ms(slot->exits, REFUSED_BASE_MS, REFUSED_CAP_MS);
	}
	LWLockRelease(laras_workers->lock);
	ConditionVariableBroadcast(&laras_workers->changed);
}

/*
 * Whether that worker is the one to find out about the extension: the first
 * that is neither held back by a crash nor failing to start.
 */
static bool
is_scout(const LarasDatabaseSlot *database, const LarasWorkerSpec *spec, int64 now)
{
	for (const LarasWorkerSpec *other = laras_worker_specs; other != spec; other++)
	{
		const LarasWorkerSlot *slot = &database->worker[other->kind];

		if (slot->state != LARAS_WORKER_EMPTY || slot->not_before <= now)
			return false;
	}
	return true;
}

/*
 * Whether that worker may start now; if so its slot becomes STARTING.
 * Otherwise lowers *next to when it may.
 */
static bool
claim_start(LarasDatabaseSlot *database, const LarasWorkerSpec *spec, int64 now, int64 *next)
{
	LarasWorkerSlot *slot = &database->worker[spec->kind];
	bool claimed = false;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	if (OidIsValid(database->database) && database->holds == 0 && slot->state == LARAS_WORKER_EMPTY)
	{
		int64 when = slot->not_before;

		if (database->extension != LARAS_EXTENSION_PRESENT)
			when = is_scout(database, spec, now) ? Max(when, database->probe_at) : PG_INT64_MAX;
		if (when <= now)
		{
			slot->state = LARAS_WORKER_STARTING;
			slot->incarnation++;
			slot->stop = false;
			claimed = true;
		}
		else
			*next = Min(*next, when);
	}
	LWLockRelease(laras_workers->lock);
	return claimed;
}

/*
 * No process slot is free.  Says so once, and tries less and less often:
 * laras works with the workers it has got.
 */
static int64
note_refusal(LarasDatabaseSlot *database, const LarasWorkerSpec *spec, int64 now)
{
	int64 delay;
	bool first;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	database->worker[spec->kind].state = LARAS_WORKER_EMPTY;
	first = laras_workers->slots_refused++ == 0;
	delay = laras_backoff_ms(laras_workers->slots_refused, REFUSED_BASE_MS, REFUSED_CAP_MS);
	LWLockRelease(laras_workers->lock);
	if (first)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slot is free for laras %s in database \"%s\"",
						spec->name, NameStr(database->name)),
				 errdetail("The other workers go on without it, and it is tried again later."),
				 errhint("Raise max_worker_processes and restart the server.")));
	return now + delay;
}

/*
 * Looks after every database once.  Returns when to look again at the latest.
 */
static int64
look_after_all(void)
{
	static int64 refused_until = 0;
	static bool role_missing_said = false;
	LarasWanted wanted[LARAS_MAX_DATABASES];
	Oid role;
	int n = laras_wanted_databases(wanted, &role);
	int64 now = laras_monotonic_ms();
	int64 next = now + LOOK_MS;
	bool refused = false;

	if (!OidIsValid(role) && !role_missing_said)
		ereport(DEBUG1, (errmsg("laras waits: there is no role laras_worker in this cluster")));
	role_missing_said = !OidIsValid(role);

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	settle_slots(wanted, n, now);
	LWLockRelease(laras_workers->lock);

	/* A worker kind at a time, so that each database gets its first before others. */
	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		for (int d = 0; d < LARAS_MAX_DATABASES; d++)
		{
			LarasDatabaseSlot *database = &laras_workers->database[d];

			if (!OidIsValid(database->database))
				continue;
			if (database->worker[spec->kind].state == LARAS_WORKER_STARTING)
			{
				look_after_starting(d, spec->kind, now);
				continue;
			}
			if (now < refused_until || refused)
				continue;
			if (!claim_start(database, spec, now, &next))
				continue;
			if (!register_worker(d, spec, role))
			{
				refused_until = note_refusal(database, spec, now);
				refused = true;
			}
		}
	}
	if (now < refused_until)
		next = Min(next, refused_until);
	else if (!refused)
	{
		LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
		laras_workers->slots_refused = 0;
		LWLockRelease(laras_workers->lock);
	}
	return next;
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

static void
leave(int code, Datum arg)
{
	LWLockReleaseAll();
	laras_crash_gone();
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	laras_workers->launcher_pid = 0;
	laras_workers->launcher_latch = NULL;
	if (code != 0)
	{
		int64 now = laras_monotonic_ms();

		/* One end comes back at once; one that keeps ending, less and less often. */
		if (now > laras_workers->launcher_started_ms + STEADY_MS)
			laras_workers->launcher_exits = 0;
		if (++laras_workers->launcher_exits > 1)
			laras_workers->launcher_waits_until =
				now +
				laras_backoff_ms(laras_workers->launcher_exits, REFUSED_BASE_MS, REFUSED_CAP_MS);
	}
	LWLockRelease(laras_workers->lock);
}

/*
 * Takes over from a launcher that ended, or begins anew in fresh shared
 * memory.
 */
static void
take_over(void)
{
	bool first;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	first = !laras_workers->crashes_read;
	laras_workers->crashes_read = true;
	laras_workers->launcher_pid = MyProcPid;
	laras_workers->launcher_latch = MyLatch;
	laras_workers->launcher_started_at = GetCurrentTimestamp();
	laras_workers->launcher_started_ms = laras_monotonic_ms();
	for (int d = 0; d < LARAS_MAX_DATABASES; d++)
	{
		for (int k = 0; k < LARAS_WORK_KINDS; k++)
		{
			LarasWorkerSlot *slot = &laras_workers->database[d].worker[k];

			/* Without its handle it cannot be watched: let it go by. */
			if (slot->state == LARAS_WORKER_STARTING)
				slot->state = LARAS_WORKER_EMPTY;
		}
	}
	LWLockRelease(laras_workers->lock);
	on_shmem_exit(leave, (Datum) 0);

	if (first)
	{
		LarasCrashes own;

		laras_crash_read();
		LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
		own = laras_crash_take(InvalidOid, -1);
		laras_workers->launcher_crashes = own.in_a_row;
		if (own.just_now)
			laras_workers->launcher_waits_until =
				laras_monotonic_ms() + laras_backoff_ms(own.in_a_row, CRASH_BASE_MS, CRASH_CAP_MS);
		LWLockRelease(laras_workers->lock);
	}
	laras_crash_alive(InvalidOid, -1, -1, laras_workers->launcher_crashes);
}

/*
 * Says that the process slots cannot suffice, once for each number needed.
 */
static void
check_budget(void)
{
	static int said = 0;
	int needed;
	int workers = 0;

	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
		workers++;
	needed = 1 + workers * laras_wanted_named();
	if (needed > max_worker_processes && needed != said)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("laras needs %d background workers, max_worker_processes allows %d", needed,
						max_worker_processes),
				 errhint("Raise max_worker_processes and restart the server.")));
	said = needed;
}

/*
 * Older minor releases let a row-security policy be bypassed; on them the
 * workers do not run.
 */
static bool
server_is_new_enough(void)
{
	static const int least[] = {150018, 160014, 170010, 180004};
	const char *text = GetConfigOption("server_version_num", false, false);
	int version = pg_strtoint32(text);

	for (int i = 0; i < lengthof(least); i++)
	{
		if (version / 10000 == least[i] / 10000 && version < least[i])
		{
			ereport(WARNING,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("laras does not run its workers on this minor release of PostgreSQL"),
					 errdetail("Server version number %d; the least is %d.", version, least[i]),
					 errhint("Install the current minor release.")));
			return false;
		}
	}
	return true;
}

void
laras_launcher_main(Datum arg)
{
	MemoryContext context;
	bool new_enough;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGQUIT, laras_crash_quit);
	BackgroundWorkerUnblockSignals();

	take_over();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", "laras launcher", PGC_USERSET, PGC_S_SESSION);
	pgstat_report_activity(STATE_IDLE, NULL);

	context = AllocSetContextCreate(TopMemoryContext, "laras launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	new_enough = server_is_new_enough();
	check_budget();

	for (;;)
	{
		int64 now = laras_monotonic_ms();
		int64 next;
		long ms;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			check_budget();
		}
		if (RecoveryInProgress())
			proc_exit(1); /* not our time: come back after the interval */

		if (!new_enough)
			next = now + LOOK_MS;
		else if (now < laras_workers->launcher_waits_until)
			next = laras_workers->launcher_waits_until;
		else
		{
			next = look_after_all();
			if (laras_workers->launcher_crashes > 0 &&
				now > laras_workers->launcher_started_ms + STEADY_MS)
			{
				laras_workers->launcher_crashes = 0;
				laras_crash_alive(InvalidOid, -1, -1, 0);
			}
		}
		MemoryContextReset(context);

		ms = (long) Min(Max(next - laras_monotonic_ms(), 1), LOOK_MS);
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					  LARAS_WAIT_EVENT("LarasLauncher")) &
			WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}

/* Settings of the room, and the launcher itself while preloading. */
void
laras_launcher_init(void)
{
	BackgroundWorker worker;

	laras_wanted_init();
	DefineCustomIntVariable(
		"laras.poll_interval", "How often a worker looks for work without being woken.",
		"Work queued by a commit wakes its worker at once; this is the safety net.",
		&laras_poll_interval, 5000, 10, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	if (!laras_is_preloaded())
		return;

	memset(&worker, 0, sizeof(worker));
	strlcpy(worker.bgw_name, "laras launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "laras launcher", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = LAUNCHER_RESTART_S;
	strlcpy(worker.bgw_library_name, "laras", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "laras_launcher_main", sizeof(worker.bgw_function_name));
	RegisterBackgroundWorker(&worker);
}

void
laras_worker_init(void)
{
	laras_launcher_init();
	if (laras_is_preloaded())
	{
		laras_wakeups_init();
		laras_database_init();
	}
}
