/*
 * limits.h
 *		The provider's sending limits: messages a second of a number, and
 *		messages to one customer.
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

#endif
