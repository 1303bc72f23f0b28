/*
 * again.c
 *		When something that the courier put off is due.
 *
 * What others queue wakes the courier with their commit. What it queues again
 * itself, for a moment or for hours, is due while nobody commits anything, and
 * would wait for the poll. The rows say when; so that nobody asks them in between,
 * the moments are memory too, a list that is short: those close to each other are
 * one, and the latest of very many, as what an earlier run put off, is the poll's.
 */
#include "postgres.h"

#include "base/monotonic.h"
#include "common/pg_prng.h"
#include "courier/again.h"
#include "worker/worker.h"

/* microseconds; moments within one step are one */
#define STEP 16384

#define MOST 128

/* ascending */
static int64 due[MOST];
static int count = 0;

void
laras_again_in(int delay_ms)
{
	int64 at = ((laras_monotonic_us() + (int64) delay_ms * 1000) / STEP + 1) * STEP;
	int place = count;

	while (place > 0 && due[place - 1] > at)
		place--;
	if (place == MOST || (place > 0 && due[place - 1] == at))
		return;
	if (count == MOST)
		count--;
	memmove(&due[place + 1], &due[place], sizeof(int64) * (count - place));
	due[place] = at;
	count++;
}

void
laras_again_looks(void)
{
	int64 now = laras_monotonic_us();
	int past = 0;

	while (past < count && due[past] <= now)
		past++;
	count -= past;
	memmove(due, &due[past], sizeof(int64) * count);
}

void
laras_again_waits(void)
{
	int64 left;

	if (count == 0)
		return;
	left = Max(due[0] - laras_monotonic_us(), 0);
	laras_worker_wake_in((int) Min((left + 999) / 1000, PG_INT32_MAX));
}

int64_t
laras_again_jitter(int64_t first, int nth, int64_t longest)
{
	int64 bound = first;

	while (nth-- > 0 && bound < longest)
		bound *= 2;
	return (int64) (pg_prng_double(&pg_global_prng_state) * Min(bound, longest)) + 1;
}
