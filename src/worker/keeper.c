/*
 * keeper.c
 *		The keeper's turn: every duty that is due, each in a transaction of its
 *		own, none stopped by the failure of another.
 *
 * A duty is owed from the moment it was due (its period passed, or work was
 * queued) until it has ended without error and with nothing left; so one that
 * is held back after a failure is not forgotten.  The number of duties owed
 * is what the keeper shows as pending.
 *
 * A stream of commits that queue work would make the keeper spin, so a duty
 * that is woken runs REST_MS after its last end at the earliest.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

#include "vault/vault.h"
#include "worker/installation.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define REST_MS 20

typedef struct DutyState
{
	bool owed;
	bool at_once;   /* left something, or drain() asked */
	int64 last_end; /* 0: not yet since the process started */
	LarasFailures failures;
} DutyState;

static DutyState *states = NULL;
static int n_duties = 0;

typedef struct DutyRun
{
	const LarasKeeperDuty *duty;
	LarasTurn left;
} DutyRun;

static void
run_duty(void *arg)
{
	DutyRun *run = arg;
	bool ours = laras_keyring_is_ours();

	run->left = LARAS_TURN_IDLE;
	if (laras_keeper_must_wait())
		return;
	run->left = run->duty->run();
	/* rows of a dump may have come in since the question was asked */
	if (!ours && laras_keeper_must_wait())
	{
		AbortOutOfAnyTransaction();
		laras_worker_begin(run->duty->name);
		run->left = LARAS_TURN_IDLE;
	}
}

static void
make_states(void)
{
	while (laras_keeper_duties[n_duties].name != NULL)
		n_duties++;
	states = MemoryContextAllocZero(TopMemoryContext, sizeof(DutyState) * (n_duties + 1));
	for (int i = 0; i < n_duties; i++)
		states[i].failures.what = psprintf("keeper duty %s", laras_keeper_duties[i].name);
}

/* When an owed duty may run: after its backoff, and after a rest. */
static int64
may_run_at(const DutyState *state)
{
	int64 backoff = laras_worker_not_before(&state->failures);

	if (state->at_once || state->last_end == 0)
		return backoff;
	return Max(backoff, state->last_end + REST_MS);
}

/* Whether drain() asked for everything; the question is answered once. */
static bool
all_asked(void)
{
	bool result;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	result = laras_my_worker->all_duties;
	laras_my_worker->all_duties = false;
	LWLockRelease(laras_workers->lock);
	return result;
}

LarasTurn
laras_keeper_turn(void)
{
	bool woken = laras_worker_was_woken();
	bool all;
	bool more = false;
	uint64 owed = 0;
	int64 now;

	if (states == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);

		make_states();
		MemoryContextSwitchTo(before);
	}

	all = all_asked();
	now = laras_monotonic_ms();
	for (int i = 0; i < n_duties; i++)
	{
		const LarasKeeperDuty *duty = &laras_keeper_duties[i];

		if (all || (woken && duty->on_wake) || states[i].last_end == 0 ||
			now >= states[i].last_end + duty->period_ms)
			states[i].owed = true;
		states[i].at_once |= all;
	}

	for (int i = 0; i < n_duties; i++)
	{
		DutyState *state = &states[i];
		DutyRun run = {&laras_keeper_duties[i], LARAS_TURN_IDLE};

		if (!state->owed || laras_worker_should_yield() || laras_monotonic_ms() < may_run_at(state))
			continue;
		if (laras_worker_contain(&state->failures, true, run_duty, &run))
		{
			state->last_end = laras_monotonic_ms();
			state->owed = state->at_once = (run.left == LARAS_TURN_MORE);
			more |= state->owed;
		}
	}

	now = laras_monotonic_ms();
	for (int i = 0; i < n_duties; i++)
	{
		int64 due = states[i].last_end + laras_keeper_duties[i].period_ms;

		if (states[i].owed)
		{
			owed++;
			due = Max(may_run_at(&states[i]), now);
		}
		laras_worker_wake_in((int) Max(Min(due - now, INT_MAX), 0));
	}
	laras_worker_set_pending(owed);
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
