/*
 * loop.c
 *		The life of a database worker: attach, connect, look for the extension,
 *		then turn after turn until somebody ends it.
 *
 * Invariants: no transaction is open while the process waits; every wait
 * serves interrupts and ends when the postmaster dies; an error in a turn
 * never ends the process; a process that ends gives its slot back after it
 * has left the list of backends, so that who waits for the slot may drop the
 * database.
 *
 * Exit codes: 0 is an end that somebody asked for or that will last (stop
 * asked, extension absent), and is followed by a start when the reason is
 * gone.  Anything else is followed by a start after a delay.  The postmaster
 * restarts none of them; the launcher does.
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
#include "base/fault.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define EXIT_BASE_MS 1000
#define EXIT_CAP_MS (60 * 1000)
#define STEADY_MS (60 * 1000) /* who lives so long has his crashes forgotten */

LarasWorkerSlot *laras_my_worker = NULL;

static LarasDatabaseSlot *my_database = NULL;
static const LarasWorkerSpec *my_spec = NULL;
static int my_index; /* among all workers */
static int recorded_crashes;
static MemoryContext turn_context = NULL;
static LarasFailures failures;

static int watched = -1;           /* descriptor, or -1 */
static int wake_in = -1;           /* what the running turn asked for, or -1 */
static uint64 seen = 0;            /* requests that the running turn will see */
static bool turn_finished = false; /* the last turn left nothing to do */

static uint32 wait_event = 0;

bool
laras_in_worker(void)
{
	return my_spec != NULL;
}

const LarasWorkerSpec *
laras_worker_spec(void)
{
	return my_spec;
}

void
laras_worker_wake_in(int ms)
{
	if (wake_in < 0 || ms < wake_in)
		wake_in = Max(ms, 0);
}

bool
laras_worker_was_woken(void)
{
	return pg_atomic_read_u64(&laras_my_worker->served) != seen;
}

void
laras_worker_watch(int fd)
{
	watched = fd;
}

void
laras_worker_set_pending(uint64 n)
{
	if (laras_my_worker != NULL && pg_atomic_exchange_u64(&laras_my_worker->pending, n) != n &&
		n == 0)
		ConditionVariableBroadcast(&laras_workers->changed);
}

bool
laras_worker_should_yield(void)
{
	/* Read without the lock: a stale answer is corrected by the next call. */
	volatile LarasWorkerSlot *slot = laras_my_worker;

	return slot != NULL && (slot->stop || slot->paused);
}

/* ------------------------------------------------------------------------
 * Transactions of a turn
 * ------------------------------------------------------------------------
 */

void
laras_worker_begin(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	MemoryContextSwitchTo(turn_context);
}

void
laras_worker_commit(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(turn_context);
}

void
laras_worker_next_transaction(void)
{
	laras_worker_commit();
	CHECK_FOR_INTERRUPTS();
	laras_worker_begin(my_spec->name);
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */

bool
laras_worker_contain(LarasFailures *run, bool transaction, void (*work)(void *arg), void *arg)
{
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		if (transaction)
			laras_worker_begin(run->what);
		work(arg);
		if (transaction)
			laras_worker_commit();
		else if (IsTransactionState())
			elog(ERROR, "laras %s left a transaction open", run->what);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(turn_context);
		error = CopyErrorData();
		FlushErrorState();

		/* What a transaction's abort would release, when there was none. */
		AbortOutOfAnyTransaction();
		LWLockReleaseAll();
		ConditionVariableCancelSleep();
		pgstat_report_wait_end();
		pgstat_report_activity(STATE_IDLE, NULL);
		MemoryContextSwitchTo(turn_context);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();

	if (error == NULL)
	{
		laras_failure_over(run, my_database);
		return true;
	}

	/* An error because the extension is gone or changed is none. */
	laras_extension_check(my_database);
	laras_failure_note(run, my_database, error);
	FreeErrorData(error);
	return false;
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

/*
 * The work until now is over: publish what it has served, unless it failed or
 * says there is more.
 */
static void
end_turn(void)
{
	LarasWorkerSlot *slot = laras_my_worker;
	bool in_turn;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	in_turn = slot->in_turn;
	slot->in_turn = false;
	if (in_turn && turn_finished)
	{
		pg_atomic_write_u64(&slot->served, seen);
		if (pg_atomic_read_u64(&slot->requested) == seen)
			pg_atomic_write_u64(&slot->waiting_since, 0);
	}
	LWLockRelease(laras_workers->lock);
	if (in_turn)
		ConditionVariableBroadcast(&laras_workers->changed);
}

/* Writes down that this process lives, and after how many crashes in a row. */
static void
record_crashes(void)
{
	recorded_crashes = laras_my_worker->crashes;
	laras_crash_alive(my_database->database, my_spec->kind, my_index, recorded_crashes);
}

/* Answers false when the worker is paused. */
static bool
begin_turn(void)
{
	LarasWorkerSlot *slot = laras_my_worker;
	bool paused;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	paused = slot->paused;
	if (!paused)
	{
		slot->in_turn = true;
		slot->last_turn_at = GetCurrentTimestamp();
		slot->turns++;

		/*
		 * A worker that has been well for so long has not crashed because of
		 * what made it crash then.
		 */
		if (slot->crashes > 0 && laras_monotonic_ms() > slot->started_ms + STEADY_MS)
		{
			slot->crashes = 0;
			record_crashes();
		}
		seen = pg_atomic_read_u64(&slot->requested);
	}
	LWLockRelease(laras_workers->lock);
	return !paused;
}

static void
serve_interrupts(void)
{
	QueryCancelPending = false; /* between turns there is nothing to cancel */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	if (laras_my_worker->stop || RecoveryInProgress())
		proc_exit(0); /* asked for: the launcher knows why */
}

/*
 * The wait itself: until deadline (0: none), but neither while a backoff
 * lasts nor while paused.
 */
static void
wait_for_work(int64 deadline)
{
	for (;;)
	{
		LarasWorkerSlot *slot = laras_my_worker;
		int64 now;
		int64 until = deadline;
		int64 not_before = laras_worker_not_before(&failures);
		bool held;
		long ms = -1;
		int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
		int happened;

		serve_interrupts();
		/* Those that resume_workers() forgave, the file of crash.c would still count. */
		if (slot->crashes != recorded_crashes)
			record_crashes();

		now = laras_monotonic_ms();
		held = slot->paused || now < not_before;
		if (!held)
		{
			if ((deadline != 0 && now >= deadline) || pg_atomic_read_u64(&slot->requested) != seen)
			{
				if (begin_turn())
					return;
				continue;
			}
		}
		else if (!slot->paused && (deadline == 0 || deadline < not_before))
			until = not_before;

		if (until != 0 && !slot->paused)
		{
			ms = (long) Min(Max(until - now, 0), INT_MAX);
			events |= WL_TIMEOUT;
		}
		if (watched >= 0 && !held)
			events |= WL_SOCKET_READABLE;
		happened = WaitLatchOrSocket(MyLatch, events, watched, ms, wait_event);
		if (happened & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (happened & WL_SOCKET_READABLE)
		{
			serve_interrupts();
			if (begin_turn())
				return;
		}
	}
}

static void
wait_ms(long ms)
{
	int64 deadline = 0;

	Assert(!IsTransactionState());
	end_turn();
	if (ms != 0)
	{
		/* Counters that were held back to save work are shown before a rest. */
		pgstat_report_stat(ms < 0 || ms >= 1000);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	if (ms >= 0)
		deadline = laras_monotonic_ms() + ms;
	wait_for_work(deadline);
}

static void
note_turn_done(void)
{
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	laras_my_worker->last_success_at = GetCurrentTimestamp();
	LWLockRelease(laras_workers->lock);
}

/* A piece of work of a main function is over, and well. */
void
laras_worker_wait(long ms)
{
	laras_failure_over(&failures, my_database);
	note_turn_done();
	turn_finished = true;
	wait_ms(ms);
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */

/* Stop points of crash tests, one for each kind: keeper_start, keeper_turn ... */
#ifdef LARAS_FAULTS
static void
fault_point(const char *point)
{
	char name[NAMEDATALEN];

	snprintf(name, sizeof(name), "%s_%s", my_spec->name, point);
	LARAS_FAULT(name);
}
#else
#define fault_point(point) ((void) 0)
#endif

static void
one_turn(void *arg)
{
	fault_point("turn");
	*(LarasTurn *) arg = my_spec->turn();
}

static void
one_main(void *arg)
{
	fault_point("turn");
	*(int *) arg =
		my_spec->main(NameStr(my_database->name), (int) (my_database - laras_workers->database));
}

static void
run_turns(void)
{
	wait_ms(0);
	for (;;)
	{
		LarasTurn left = LARAS_TURN_IDLE;
		bool succeeded;
		long ms;

		wake_in = -1;
		succeeded = laras_worker_contain(&failures, my_spec->in_transaction, one_turn, &left);
		MemoryContextReset(turn_context);
		if (succeeded)
			note_turn_done();

		turn_finished = succeeded && left == LARAS_TURN_IDLE;
		ms = my_spec->period_ms > 0 ? my_spec->period_ms : laras_poll_interval;
		if (!succeeded || left == LARAS_TURN_MORE)
			ms = 0;
		else if (wake_in >= 0)
			ms = Min(ms, wake_in);
		wait_ms(ms);
	}
}

static void
run_main(void)
{
	wait_ms(0);
	for (;;)
	{
		int code = 0;

		if (laras_worker_contain(&failures, false, one_main, &code))
			proc_exit(code);
		MemoryContextReset(turn_context);
		turn_finished = false;
		wait_ms(0);
	}
}

/* ------------------------------------------------------------------------
 * Beginning and end
 * ------------------------------------------------------------------------
 */

/* Runs while the process is a backend still: the room's own good-bye. */
static void
stop_room(int code, Datum arg)
{
	if (my_spec->stop != NULL)
		my_spec->stop(code);
}

/*
 * Gives the slot back.  Registered before the process joined the list of
 * backends, and so run after it has left it.
 */
static void
leave_slot(int code, Datum arg)
{
	LarasWorkerSlot *slot = laras_my_worker;
	int64 now = laras_monotonic_ms();

	/* an exit by FATAL may come from anywhere */
	LWLockReleaseAll();

	laras_crash_gone();
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	slot->state = LARAS_WORKER_EMPTY;
	slot->pid = 0;
	slot->latch = NULL;
	slot->in_turn = false;
	pg_atomic_write_u64(&slot->pending, 0);
	if (code != 0 && !slot->stop)
	{
		/* A process that lived well for a while begins anew. */
		if (now > slot->started_ms + EXIT_CAP_MS)
			slot->exits = 0;
		slot->exits++;
		slot->not_before = now + laras_backoff_ms(slot->exits, EXIT_BASE_MS, EXIT_CAP_MS);
	}
	else
	{
		slot->exits = 0;
		slot->not_before = now;
	}
	slot->stop = false;
	laras_wake_launcher();
	LWLockRelease(laras_workers->lock);
	ConditionVariableBroadcast(&laras_workers->changed);
	laras_my_worker = NULL;
}

/*
 * Takes the slot the launcher made ready.  Ends quietly when it was given to
 * somebody else meanwhile, or when the database is to be left alone.
 */
static void
attach_slot(int index, const LarasWorkerStart *start)
{
	LarasWorkerSlot *slot;
	bool mine;

	my_index = index;
	my_database = &laras_workers->database[index / LARAS_WORK_KINDS];
	slot = &my_database->worker[index % LARAS_WORK_KINDS];
	my_spec = laras_find_worker((LarasWork) (index % LARAS_WORK_KINDS));

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	mine = my_spec != NULL && my_database->database == start->database &&
		   slot->state == LARAS_WORKER_STARTING && slot->incarnation == start->incarnation;
	if (mine)
	{
		laras_my_worker = slot;
		slot->state = LARAS_WORKER_RUNNING;
		slot->pid = MyProcPid;
		slot->latch = MyLatch;
		slot->in_turn = false;
		slot->started_at = GetCurrentTimestamp();
		slot->started_ms = laras_monotonic_ms();
		slot->failures_in_a_row = 0;
		slot->next_attempt = 0;
	}
	LWLockRelease(laras_workers->lock);
	if (!mine)
		proc_exit(0); /* superseded: nothing to give back */

	on_shmem_exit(leave_slot, (Datum) 0);
	record_crashes();
	ConditionVariableBroadcast(&laras_workers->changed);
	if (slot->stop || my_database->holds > 0)
		proc_exit(0); /* asked for before it began */
}

/*
 * Settings that the database or the role may carry and that are meant for
 * sessions: a worker is no session.
 */
static void
settle_settings(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"row_security", "on"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"jit", "off"},
		{"client_min_messages", "error"},
	};
	char name[NAMEDATALEN];

	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_SESSION);
	snprintf(name, sizeof(name), "laras %s", my_spec->name);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
}

void
laras_worker_prepare(const LarasWorkerSpec *spec)
{
	my_spec = spec;
	settle_settings();
	wait_event = LARAS_WAIT_EVENT("LarasWorker");
	failures.what = my_spec->name;
	turn_context = AllocSetContextCreate(TopMemoryContext, "laras turn", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(turn_context);
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
laras_worker_rest(int ms)
{
	MemoryContextReset(turn_context);
	if (ms > 0)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
laras_worker_main(Datum arg)
{
	LarasWorkerStart start;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGQUIT, laras_crash_quit);
	BackgroundWorkerUnblockSignals();

	attach_slot(DatumGetInt32(arg), &start);
	fault_point("start");

	BackgroundWorkerInitializeConnectionByOid(start.database, start.role, 0);
	if (RecoveryInProgress())
		proc_exit(0); /* a standby has no workers */
	settle_settings();
	wait_event = LARAS_WAIT_EVENT("LarasWorker");
	failures.what = my_spec->name;
	laras_extension_check(my_database);

	turn_context = AllocSetContextCreate(TopMemoryContext, "laras turn", ALLOCSET_DEFAULT_SIZES);
	before_shmem_exit(stop_room, (Datum) 0);
	MemoryContextSwitchTo(TopMemoryContext);
	if (my_spec->start != NULL)
		my_spec->start();
	MemoryContextSwitchTo(turn_context);
	pgstat_report_activity(STATE_IDLE, NULL);

	if (my_spec->main != NULL)
		run_main();
	else
		run_turns();
}
