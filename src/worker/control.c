/*
 * control.c
 *		SQL functions by which operators and tests see and steer the workers.
 *
 * All of them read and write the slots of shared.h and run no SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/arguments.h"
#include "base/compat.h"
#include "base/fault.h"
#include "tenancy/tenancy.h"
#include "worker/shared.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_drain_workers);
PG_FUNCTION_INFO_V1(laras_pause_workers);
PG_FUNCTION_INFO_V1(laras_resume_workers);
PG_FUNCTION_INFO_V1(laras_list_workers);

/* The slot of this database; raises when the launcher does not know it. */
static LarasDatabaseSlot *
slot_or_raise(void)
{
	LarasDatabaseSlot *database = laras_database_slot(MyDatabaseId);

	if (database == NULL)
	{
		LWLockRelease(laras_workers->lock);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("laras has no workers in this database"),
				 errhint("Name the database in laras.databases, and reload the configuration.")));
	}
	return database;
}

/*
 * The kinds that an argument means, one bit each.  None given: all but the
 * vault, without which every session would stall that wants a new key.
 */
static uint32
kinds_of_argument(FunctionCallInfo fcinfo)
{
	uint32 kinds = 0;
	const char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		if (name == NULL ? spec->kind != LARAS_WORK_VAULT : strcmp(name, spec->name) == 0)
			kinds |= 1U << spec->kind;
	}
	if (kinds == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no laras worker of that name"),
						errhint("The view laras.worker_status lists the workers.")));
	return kinds;
}

/* ------------------------------------------------------------------------
 * drain
 * ------------------------------------------------------------------------
 */

/*
 * Whether nothing is queued or begun.  The requests are read before and after
 * what was served: a worker queues work for the next one before it says that
 * it is done itself, so nothing can be on its way between two of them.
 */
static bool
all_served(LarasDatabaseSlot *database)
{
	uint64 requested[LARAS_WORK_KINDS];

	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
		requested[spec->kind] = pg_atomic_read_u64(&database->worker[spec->kind].requested);
	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		LarasWorkerSlot *slot = &database->worker[spec->kind];

		if (slot->state != LARAS_WORKER_RUNNING ||
			pg_atomic_read_u64(&slot->served) != requested[spec->kind] ||
			pg_atomic_read_u64(&slot->pending) != 0)
			return false;
	}
	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		if (pg_atomic_read_u64(&database->worker[spec->kind].requested) != requested[spec->kind])
			return false;
	}
	return true;
}

static const char *
shown_state(const LarasDatabaseSlot *database, const LarasWorkerSlot *slot, int64 now);

/* The workers of this database as they are, without holding the lock; NULL: there are none. */
static LarasDatabaseSlot *
copy_of_workers(void)
{
	LarasDatabaseSlot *copy = palloc(sizeof(LarasDatabaseSlot));
	LarasDatabaseSlot *database;

	LWLockAcquire(laras_workers->lock, LW_SHARED);
	database = laras_database_slot(MyDatabaseId);
	if (database != NULL)
		memcpy(copy, database, sizeof(LarasDatabaseSlot));
	LWLockRelease(laras_workers->lock);
	return database != NULL ? copy : NULL;
}

/* A drain that came to no end says which worker it waited for. */
static void
tell_why(void)
{
	LarasDatabaseSlot *database = copy_of_workers();
	StringInfoData states;

	initStringInfo(&states);
	for (const LarasWorkerSpec *spec = laras_worker_specs; database && spec->name; spec++)
		appendStringInfo(&states, "%s%s is %s", states.len > 0 ? ", " : "Worker ", spec->name,
						 shown_state(database, &database->worker[spec->kind],
									 laras_monotonic_ms()));
	ereport(NOTICE, (errmsg("not all work was done in time"),
					 database != NULL ? errdetail("%s.", states.data)
									  : errdetail("This database has no workers."),
					 errhint("The view laras.worker_status shows each worker's last error.")));
}

/*
 * laras.drain(timeout interval) -> boolean
 *
 * Asks every worker for a turn, and the keeper for all its duties, then waits
 * until none has anything left.  False when that did not come in time, also
 * because a worker is paused, failing or not there.
 */
Datum
laras_drain_workers(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	Interval *timeout = PG_GETARG_INTERVAL_P(0);
	int64 began = laras_monotonic_ms();
	int64 limit;
	bool asked = false;
	bool drained = false;

	laras_require_preload();
	if (timeout->month != 0 || timeout->day < 0 || timeout->day > 1000 || timeout->time < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("timeout must be a positive interval in days, hours or less")));
	limit = timeout->day * (int64) 86400000 + timeout->time / 1000;

	ConditionVariablePrepareToSleep(&laras_workers->changed);
	for (;;)
	{
		LarasDatabaseSlot *database;
		int64 left;

		LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
		database = laras_database_slot(MyDatabaseId);
		if (database != NULL && !asked)
		{
			for (int k = 0; k < LARAS_WORK_KINDS; k++)
			{
				LarasWorkerSlot *slot = &database->worker[k];

				slot->all_duties = true;
				pg_atomic_fetch_add_u64(&slot->requested, 1);
				if (slot->latch != NULL)
					SetLatch(slot->latch);
			}
			asked = true;
		}
		drained = database != NULL && all_served(database);
		LWLockRelease(laras_workers->lock);

		left = began + limit - laras_monotonic_ms();
		if (drained || left <= 0)
			break;
		ConditionVariableTimedSleep(&laras_workers->changed, (long) Min(left, 1000),
									LARAS_WAIT_EVENT("LarasDrain"));
	}
	ConditionVariableCancelSleep();
	if (!drained)
		tell_why();
	PG_RETURN_BOOL(drained);
}

/* ------------------------------------------------------------------------
 * pause and resume
 * ------------------------------------------------------------------------
 */

/*
 * laras.pause_workers(worker text) -> void
 *
 * The workers run no further turn; returns when those under way have ended.
 * Lasts until resume_workers or the end of the server.
 */
Datum
laras_pause_workers(PG_FUNCTION_ARGS)
{
	uint32 kinds;
	bool busy;

	laras_require_preload();
	kinds = kinds_of_argument(fcinfo);
	ConditionVariablePrepareToSleep(&laras_workers->changed);
	for (;;)
	{
		LarasDatabaseSlot *database;

		busy = false;
		LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
		database = slot_or_raise();
		for (int k = 0; k < LARAS_WORK_KINDS; k++)
		{
			if ((kinds & (1U << k)) == 0)
				continue;
			database->worker[k].paused = true;
			busy |= database->worker[k].in_turn;
		}
		LWLockRelease(laras_workers->lock);
		if (!busy)
			break;
		ConditionVariableTimedSleep(&laras_workers->changed, 1000, LARAS_WAIT_EVENT("LarasPause"));
	}
	ConditionVariableCancelSleep();
	PG_RETURN_VOID();
}

/*
 * laras.resume_workers(worker text) -> void
 *
 * Ends a pause, and forgives: what waits because of failures or crashes may
 * start at once.
 */
Datum
laras_resume_workers(PG_FUNCTION_ARGS)
{
	uint32 kinds;
	LarasDatabaseSlot *database;

	laras_require_preload();
	kinds = kinds_of_argument(fcinfo);
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	database = slot_or_raise();
	for (int k = 0; k < LARAS_WORK_KINDS; k++)
	{
		LarasWorkerSlot *slot = &database->worker[k];

		if ((kinds & (1U << k)) == 0)
			continue;
		slot->paused = false;
		slot->exits = 0;
		slot->crashes = 0;
		slot->not_before = 0;
		slot->forgiven++;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	laras_workers->launcher_waits_until = 0;
	laras_workers->launcher_exits = 0;
	laras_wake_launcher();
	LWLockRelease(laras_workers->lock);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * worker_status
 * ------------------------------------------------------------------------
 */

/* A monotonic deadline as a time of day, for show. */
static TimestampTz
shown_deadline(int64 deadline, int64 now)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), deadline - now);
}

static const char *
shown_state(const LarasDatabaseSlot *database, const LarasWorkerSlot *slot, int64 now)
{
	switch (slot->state)
	{
		case LARAS_WORKER_STARTING:
			return "starting";
		case LARAS_WORKER_RUNNING:
			if (slot->stop)
				return "stopping";
			if (slot->in_turn)
				return "working";
			if (slot->paused)
				return "paused";
			return slot->next_attempt > now ? "backing off" : "idle";
		case LARAS_WORKER_EMPTY:
			break;
	}
	if (database->holds > 0)
		return "held";
	if (database->extension == LARAS_EXTENSION_ABSENT)
		return "no extension";
	if (database->extension == LARAS_EXTENSION_OTHER_VERSION)
		return "other version";
	return slot->not_before > now ? "backing off" : "stopped";
}

/* Its rows of laras.doctor(): a worker that does nothing is seen by nobody else. */
void
laras_doctor_workers(LarasDoctorSink *sink)
{
	LarasDatabaseSlot *database = laras_is_preloaded() ? copy_of_workers() : NULL;
	int64 now = laras_monotonic_ms();

	if (database == NULL)
	{
		laras_doctor_row(sink, "workers", "fail", "this database has no workers",
						 "Name the database in laras.databases, and reload the configuration.");
		return;
	}
	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		const char *state = shown_state(database, &database->worker[spec->kind], now);
		bool works = strcmp(state, "idle") == 0 || strcmp(state, "working") == 0;
		bool paused = strcmp(state, "paused") == 0;

		laras_doctor_row(sink, psprintf("worker %s", spec->name),
						 works ? "ok" : (paused ? "warn" : "fail"), works ? NULL : state,
						 works    ? NULL
						 : paused ? "Call laras.resume_workers()."
								  : "The view laras.worker_status shows its last error.");
	}
}

#define STATUS_COLUMNS 18

static void
put_time(Datum *values, bool *nulls, int column, TimestampTz time)
{
	values[column] = TimestampTzGetDatum(time);
	nulls[column] = (time == 0);
}

static void
put_worker(ReturnSetInfo *result, const LarasDatabaseSlot *database, const LarasWorkerSpec *spec,
		   const LarasWorkerSlot *slot, int64 now)
{
	Datum values[STATUS_COLUMNS];
	bool nulls[STATUS_COLUMNS] = {false};
	uint64 requested = pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->requested));
	uint64 served = pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->served));
	int64 again = slot->state == LARAS_WORKER_EMPTY ? slot->not_before : slot->next_attempt;
	int column = 0;

	values[column++] = NameGetDatum(&database->name);
	values[column++] = CStringGetTextDatum(spec->name);
	nulls[column] = (slot->pid == 0);
	values[column++] = Int32GetDatum(slot->pid);
	values[column++] = CStringGetTextDatum(shown_state(database, slot, now));
	put_time(values, nulls, column++, slot->started_at);
	put_time(values, nulls, column++, slot->last_turn_at);
	put_time(values, nulls, column++, slot->last_success_at);
	values[column++] = Int64GetDatum(slot->turns);
	values[column++] = Int64GetDatum((int64) (requested - served));
	values[column++] =
		Int64GetDatum((int64) pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->pending)));
	put_time(values, nulls, column++,
			 (TimestampTz) pg_atomic_read_u64(
				 unconstify(pg_atomic_uint64 *, &slot->waiting_since)));
	values[column++] = Int64GetDatum(slot->failures);
	values[column++] = Int32GetDatum(slot->failures_in_a_row);
	values[column++] = Int32GetDatum(slot->crashes);
	put_time(values, nulls, column++, again > now ? shown_deadline(again, now) : 0);
	nulls[column] = nulls[column + 1] = (slot->last_error_at == 0);
	values[column++] = CStringGetTextDatum(unpack_sql_state(slot->last_error_code));
	values[column++] = CStringGetTextDatum(slot->last_error);
	put_time(values, nulls, column++, slot->last_error_at);
	Assert(column == STATUS_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_launcher(ReturnSetInfo *result, const LarasWorkers *workers, int64 now)
{
	Datum values[STATUS_COLUMNS];
	bool nulls[STATUS_COLUMNS];
	bool waits = workers->launcher_waits_until > now;

	memset(nulls, true, sizeof(nulls));
	memset(values, 0, sizeof(values));
	nulls[1] = nulls[3] = nulls[13] = false;
	values[1] = CStringGetTextDatum("launcher");
	nulls[2] = (workers->launcher_pid == 0);
	values[2] = Int32GetDatum(workers->launcher_pid);
	values[3] = CStringGetTextDatum(workers->launcher_pid == 0 ? "stopped"
									: waits                    ? "backing off"
															   : "idle");
	put_time(values, nulls, 4, workers->launcher_started_at);
	values[13] = Int32GetDatum(workers->launcher_crashes);
	put_time(values, nulls, 14, waits ? shown_deadline(workers->launcher_waits_until, now) : 0);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* laras.list_workers() -> the rows of laras.worker_status */
Datum
laras_list_workers(PG_FUNCTION_ARGS)
{
	LarasWorkers *copy;
	int64 now = laras_monotonic_ms();

	laras_require_preload();
	InitMaterializedSRF(fcinfo, 0);

	/* A copy, so that nothing that may raise is done under the lock. */
	copy = palloc(sizeof(LarasWorkers));
	LWLockAcquire(laras_workers->lock, LW_SHARED);
	memcpy(copy, laras_workers, sizeof(LarasWorkers));
	LWLockRelease(laras_workers->lock);

	put_launcher((ReturnSetInfo *) fcinfo->resultinfo, copy, now);
	for (int d = 0; d < LARAS_MAX_DATABASES; d++)
	{
		if (!OidIsValid(copy->database[d].database))
			continue;
		for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
			put_worker((ReturnSetInfo *) fcinfo->resultinfo, &copy->database[d], spec,
					   &copy->database[d].worker[spec->kind], now);
	}
	PG_RETURN_VOID();
}

#ifdef LARAS_FAULTS
/* ------------------------------------------------------------------------
 * For tests only
 * ------------------------------------------------------------------------
 */

PG_FUNCTION_INFO_V1(laras_test_queue_work);

/* Queues work for the worker of that kind, as a room's function would. */
Datum
laras_test_queue_work(PG_FUNCTION_ARGS)
{
	laras_work_queued((LarasWork) PG_GETARG_INT32(0));
	PG_RETURN_VOID();
}

/* A duty that does what laras.fault says. */
LarasTurn
laras_test_duty(void)
{
	LARAS_FAULT("duty_test");
	return LARAS_TURN_IDLE;
}
#endif
