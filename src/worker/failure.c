/*
 * failure.c
 *		Errors of turns: how often in a row, when it is tried again, and what of
 *		them is shown.
 */
#include "postgres.h"

#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/monotonic.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define FAILURE_BASE_MS 100
#define FAILURE_CAP_MS (60 * 1000)

/* What may be kept of an error; of one that may quote data, the code alone. */
static const char *
presentable_message(const ErrorData *error)
{
	if (error->message == NULL || laras_error_may_quote_data(error))
		return "(message withheld: it may quote data)";
	return error->message;
}

void
laras_failure_note(LarasFailures *run, const LarasDatabaseSlot *database, const ErrorData *error)
{
	int64 delay;
	const char *message = presentable_message(error);
	bool first = (run->in_a_row == 0 || run->last_code != error->sqlerrcode);

	run->in_a_row++;
	run->last_code = error->sqlerrcode;
	delay = laras_backoff_ms(run->in_a_row, FAILURE_BASE_MS, FAILURE_CAP_MS);
	run->not_before = laras_monotonic_ms() + delay;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	run->forgiven = laras_my_worker->forgiven;
	laras_my_worker->failures++;
	laras_my_worker->failures_in_a_row = run->in_a_row;
	laras_my_worker->next_attempt = run->not_before;
	laras_my_worker->last_error_at = GetCurrentTimestamp();
	laras_my_worker->last_error_code = error->sqlerrcode;
	strlcpy(laras_my_worker->last_error, message, LARAS_ERROR_TEXT_SIZE);
	LWLockRelease(laras_workers->lock);

	/* A condition that lasts is said once, at its beginning. */
	ereport(
		first ? LOG : DEBUG1,
		(errcode(error->sqlerrcode),
		 errmsg("laras %s in database \"%s\" failed: %s", run->what, NameStr(database->name),
				message),
		 errdetail(
			 "SQLSTATE %s, failure %d in a row; it is tried again in %d ms, then less and less often.",
			 unpack_sql_state(error->sqlerrcode), run->in_a_row, (int) delay),
		 errhidestmt(true), errhidecontext(true)));
}

void
laras_failure_over(LarasFailures *run, const LarasDatabaseSlot *database)
{
	if (run->in_a_row == 0)
		return;
	ereport(LOG, (errmsg("laras %s in database \"%s\" works again after %d failures", run->what,
						 NameStr(database->name), run->in_a_row),
				  errhidestmt(true)));
	run->in_a_row = 0;
	run->not_before = 0;
	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	laras_my_worker->failures_in_a_row = 0;
	laras_my_worker->next_attempt = 0;
	LWLockRelease(laras_workers->lock);
}

int64
laras_worker_not_before(const LarasFailures *run)
{
	return run->forgiven == laras_my_worker->forgiven ? run->not_before : 0;
}
