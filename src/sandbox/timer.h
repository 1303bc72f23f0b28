/*
 * timer.h
 *		The sandbox's clock, and timers on it.
 *
 * Two clocks: sandbox time (microseconds since 1970), which control calls
 * move forward, rules everything the provider would do; the real monotonic
 * clock rules scripted slowness, so that moving the day does not cut it short.
 */
#ifndef LARAS_SANDBOX_TIMER_H
#define LARAS_SANDBOX_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_SECOND INT64_C(1000000)

typedef struct SbTimer SbTimer;
struct SbTimer
{
	int64_t due;
	size_t place; /* 1-based place in its heap; 0: not set */
	bool real;    /* runs on the monotonic clock */
	void (*fire)(SbTimer *timer);
};

extern int64_t sb_now(void);
extern int64_t sb_real(void);
extern int64_t sb_clock_shift(void);
extern void sb_clock_advance(int64_t us);

/* (Re)sets a timer to fire in `after` microseconds of its clock. */
extern void sb_timer_set(SbTimer *timer, int64_t after);
extern void sb_timer_cancel(SbTimer *timer);

/* Called when the soonest timer may have changed: the loop has to ask again. */
extern void (*sb_timer_changed)(void);

/* Milliseconds until the next timer, at most `most`. */
extern int sb_timer_wait(int most);

/* Fires what is due. A fired timer is unset before its function runs. */
extern void sb_timer_run(void);

#endif
