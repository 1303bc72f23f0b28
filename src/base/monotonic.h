/*
 * monotonic.h
 *		The clock that nobody sets, for timeouts and waits. Plain C: programs use
 *		it too, and its moments mean the same in every process of a machine.
 */
#ifndef LARAS_MONOTONIC_H
#define LARAS_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline int64_t
laras_monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t
laras_monotonic_ms(void)
{
	return laras_monotonic_us() / 1000;
}

#endif /* LARAS_MONOTONIC_H */
