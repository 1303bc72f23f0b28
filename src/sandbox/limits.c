/*
 * limits.c
 *		The provider's sending limits.
 *
 * Number: never more than `rate` messages within any one second, exactly, by
 * a ring of the last `rate` acceptances. Pair: a bucket of `burst` messages
 * that refills by one each interval (kept as a theoretical arrival time).
 * Accounts of other products: so many within any second, hour or day, exactly
 * as well.
 * All grant sb_settings.tolerance, because a client that keeps the limit to
 * the microsecond is seen here through a network that jitters.
 */
#include "sandbox/limits.h"

#include <stdlib.h>

#include "sandbox/buffer.h"

void
sb_limits_set(SbNumber *number, int rate, int pair_burst, int pair_interval_ms)
{
	if (rate != number->rate || number->recent == NULL)
	{
		free(number->recent);
		number->recent = sb_alloc((size_t) rate * sizeof(int64_t));
		number->recent_at = 0;
		number->rate = rate;
	}
	number->pair_burst = pair_burst;
	number->pair_interval = (int64_t) pair_interval_ms * 1000;
}

bool
sb_over_rate(const SbNumber *number, int64_t now)
{
	int64_t oldest = number->recent[number->recent_at];

	return oldest != 0 && now - oldest < SB_SECOND - (int64_t) sb_settings.tolerance * 1000;
}

bool
sb_over_pair(const SbNumber *number, const SbPair *pair, int64_t now)
{
	int64_t reach = number->pair_interval * (number->pair_burst - 1);

	if (pair == NULL || number->pair_interval == 0)
		return false;
	return pair->tat > now + reach + (int64_t) sb_settings.tolerance * 1000;
}

void
sb_count_send(SbNumber *number, SbPair *pair, int64_t now)
{
	number->recent[number->recent_at] = now;
	if (++number->recent_at == (uint32_t) number->rate)
		number->recent_at = 0;
	number->accepted++;
	if (pair != NULL)
	{
		pair->tat = (pair->tat > now ? pair->tat : now) + number->pair_interval;
		pair->outbound++;
	}
}

void
sb_rolling_set(SbRolling *rolling, int most, int64_t period)
{
	if (most != rolling->most)
	{
		free(rolling->recent);
		rolling->recent = most > 0 ? sb_alloc((size_t) most * sizeof(int64_t)) : NULL;
		rolling->at = 0;
		rolling->most = most;
	}
	rolling->period = period;
}

bool
sb_over_rolling(const SbRolling *rolling, int64_t now)
{
	int64_t oldest = rolling->most > 0 ? rolling->recent[rolling->at] : 0;

	return oldest != 0 && now - oldest < rolling->period - (int64_t) sb_settings.tolerance * 1000;
}

void
sb_rolling_count(SbRolling *rolling, int64_t now)
{
	if (rolling->most == 0)
		return;
	rolling->recent[rolling->at] = now;
	rolling->at = (rolling->at + 1) % (uint32_t) rolling->most;
}
