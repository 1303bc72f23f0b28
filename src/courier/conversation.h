/*
 * conversation.h
 *		Of each conversation one message at a time, in their order, and no faster
 *		than the provider lets one person be written to.
 *
 * Memory of the one process that sends for this database, as limit.h. All moments
 * are microseconds of laras_monotonic_us().
 */
#ifndef LARAS_CONVERSATION_H
#define LARAS_CONVERSATION_H

#include "courier/limit.h"

/*
 * Take the place of a row of the outbox. False where it must wait, and *again is
 * lowered to when it need not, where that is known. Given back by
 * laras_conversation_free.
 */
extern bool laras_conversation_take(const LarasLaneLimits *limits, int64_t workspace_id,
									int64_t conversation_id, int64_t row, int16_t priority,
									int64_t now, int64_t *again);
extern void laras_conversation_free(int64_t workspace_id, int64_t conversation_id);

/*
 * A row goes back to the queue for so long: what was written after it, and is not
 * more urgent, waits for it; 0: it does not go back. One that has to wait for longer
 * than a minute loses its turn.
 */
extern void laras_conversation_hold(const LarasFlight *flight, int delay_ms);

/*
 * A message of it has left and its request has ended; refused: because this person
 * was written to too often.
 */
extern void laras_conversation_spend(const LarasFlight *flight, const LarasLaneLimits *limits,
									 bool refused, int64_t now);

/* Forget those that nothing holds, once there are many more. */
extern void laras_conversation_sweep(int64_t now);

/* Of laras_limit_inherit. */
extern void laras_conversation_inherit(int64_t began);

#endif /* LARAS_CONVERSATION_H */
