/*
 * allowance.h
 *		How much of one kind may leave now through a connection: so many within
 *		any second, and within any hour or day.
 *
 * Memory of the one process that sends for this database, as limit.h, made for a
 * kind that is sent and forgotten when it is not; what was sent is read back from
 * the attempts. All moments are microseconds of laras_monotonic_us().
 */
#ifndef LARAS_ALLOWANCE_H
#define LARAS_ALLOWANCE_H

#include "courier/carry.h"
#include "courier/rule.h"

typedef struct LarasAllowance LarasAllowance;

/*
 * What is used of these limits; NULL: the kind has none. What is not known yet is
 * read from the attempts: in a transaction as laras_worker bound to all, SPI
 * open, whose last result stays.
 */
extern LarasAllowance *
laras_allowance(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind,
				const LarasKindLimits *limits, int64_t now);

/* The same where it is known; else NULL. */
extern LarasAllowance *
laras_allowance_known(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind);

/*
 * May a message of that priority leave? waited: it was put off before, and comes
 * before those that were not; so does the second of two requests.
 */
extern bool
laras_allowance_allows(LarasAllowance *allowance, bool waited, int16_t priority, int64_t now);

/* Is there none before one of that priority that has not waited, whatever is used? */
extern bool laras_allowance_is_open(const LarasAllowance *allowance, int16_t priority);

/* Take the place of one; given back by laras_allowance_back or laras_allowance_ended. */
extern void laras_allowance_take(LarasAllowance *allowance, bool waited, int16_t priority);
/* It did not leave after all. */
extern void laras_allowance_back(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind);

/* When one that may not leave will be allowed to, behind all that wait already; it waits from now on. */
extern int64_t
laras_allowance_turn(LarasAllowance *allowance, bool waited, int16_t priority, int64_t now);

/*
 * How many of those that wait could leave and are not due: some were withdrawn, or
 * more is allowed than was. Else 0, and *again is lowered to when to ask.
 */
extern int laras_allowance_idle(LarasAllowance *allowance, int64_t now, int64_t *again);

/* So many of that kind wait: answers, and bulk. */
extern void laras_allowance_waiting(int64_t workspace_id, int64_t connection_id,
									LarasLimitKind kind, int answers, int bulk);

/*
 * The request of a flight of that kind has ended. True when the throttle that it met
 * is a matter of the kind alone: it rests, and the account does not.
 */
extern bool laras_allowance_ended(const LarasFlight *flight, const LarasOutcome *outcome,
								  bool answered, int64_t now);

/* Forget those through which nothing was sent for a while. */
extern void laras_allowance_sweep(int64_t now);

#endif /* LARAS_ALLOWANCE_H */
