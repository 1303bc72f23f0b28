/*
 * clock.c
 *		The product's clock and the two functions that read and move it.
 *
 * Invariant: outside test mode the offset is 0 and nothing can change it.
 * Test mode is fixed when the server starts (laras.test_mode is
 * PGC_POSTMASTER), so the offset lives in shared memory: every backend and
 * worker sees the same time at once, and a restart forgets it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "worker/worker.h" /* lint allows worker: whether the library is preloaded */

PG_FUNCTION_INFO_V1(laras_now_sql);
PG_FUNCTION_INFO_V1(laras_advance_clock);

bool laras_test_mode = false;

/* microseconds; NULL when the library was not preloaded */
static pg_atomic_uint64 *offset_shared = NULL;

void
laras_clock_init(void)
{
	DefineCustomBoolVariable("laras.test_mode", "Lets a superuser move the product's clock.",
							 "For tests; never set it on a server that holds real customers.",
							 &laras_test_mode, false, laras_guc_context(PGC_POSTMASTER), 0, NULL,
							 NULL, NULL);
}

void
laras_clock_shmem_request(void)
{
	RequestAddinShmemSpace(sizeof(pg_atomic_uint64));
}

void
laras_clock_shmem_startup(void)
{
	bool found;

	offset_shared = ShmemInitStruct("laras clock", sizeof(pg_atomic_uint64), &found);
	if (!found)
		pg_atomic_init_u64(offset_shared, 0);
}

int64
laras_clock_offset(void)
{
	if (!laras_test_mode || offset_shared == NULL)
		return 0;
	return (int64) pg_atomic_read_u64(offset_shared);
}

TimestampTz
laras_now(void)
{
	if (!IsTransactionState())
		return laras_clock();
	return GetCurrentTransactionStartTimestamp() + laras_clock_offset();
}

TimestampTz
laras_clock(void)
{
	return GetCurrentTimestamp() + laras_clock_offset();
}

/* laras.now() */
Datum
laras_now_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(laras_now());
}

/*
 * laras.advance_clock(interval) returns timestamptz: moves the clock for the
 * whole server at once, also backwards; not undone by a rollback.  Returns the
 * new time.
 */
Datum
laras_advance_clock(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	Interval *step = PG_GETARG_INTERVAL_P(0);
	TimestampTz before;
	TimestampTz after;

	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to move the clock"),
						errhint("Only a superuser moves the clock, and only in test mode.")));
	if (!laras_test_mode || offset_shared == NULL)
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_NOT_TEST_MODE), errmsg("the clock does not move on this server"),
			 errdetail("It was started without laras.test_mode."),
			 errhint(
				 "Set laras.test_mode = on in a test server's configuration file and restart it.")));

	before = laras_clock();
	after = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													TimestampTzGetDatum(before),
													IntervalPGetDatum(step)));
	pg_atomic_fetch_add_u64(offset_shared, (int64) (after - before));
	PG_RETURN_TIMESTAMPTZ(laras_now());
}
