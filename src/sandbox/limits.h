/*
 * limits.h
 *		The provider's sending limits: messages a second of a number, and
 *		messages to one customer; of an account so many within any period.
 */
#ifndef LARAS_SANDBOX_LIMITS_H
#define LARAS_SANDBOX_LIMITS_H

#include "sandbox/world.h"

/* Sets the number's limits: rate a second, and the pair limit. */
extern void sb_limits_set(SbNumber *number, int rate, int pair_burst, int pair_interval_ms);

/* Would one more message now exceed the limit? */
extern bool sb_over_rate(const SbNumber *number, int64_t now);
extern bool sb_over_pair(const SbNumber *number, const SbPair *pair, int64_t now);

/* Counts a message that was taken. */
extern void sb_count_send(SbNumber *number, SbPair *pair, int64_t now);

/* at most so many within any such period; 0: any number */
typedef struct SbRolling
{
	int most;
	int64_t period;  /* microseconds */
	int64_t *recent; /* ring of the last `most` */
	uint32_t at;
	uint64_t over; /* how often it was exceeded */
} SbRolling;

extern void sb_rolling_set(SbRolling *rolling, int most, int64_t period);
extern bool sb_over_rolling(const SbRolling *rolling, int64_t now);
extern void sb_rolling_count(SbRolling *rolling, int64_t now);

#endif
