/*
 * timer.c
 *		Clock and timers: two binary heaps of intrusive timers.
 */
#include "sandbox/timer.h"

#include <stdlib.h>
#include <time.h>

#include "base/monotonic.h"
#include "sandbox/buffer.h"

typedef struct Heap
{
	SbTimer **at; /* at[1] is due first */
	size_t count;
	size_t cap;
} Heap;

void (*sb_timer_changed)(void);

static Heap heaps[2]; /* sandbox time, real time */
static int64_t shift;

int64_t
sb_real(void)
{
	return laras_monotonic_us();
}

int64_t
sb_now(void)
{
	static int64_t base; /* wall clock minus monotonic clock at start */

	if (base == 0)
	{
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		base = (int64_t) ts.tv_sec * SB_SECOND + ts.tv_nsec / 1000 - sb_real();
	}
	return base + sb_real() + shift;
}

int64_t
sb_clock_shift(void)
{
	return shift;
}

void
sb_clock_advance(int64_t us)
{
	shift += us;
	if (sb_timer_changed != NULL)
		sb_timer_changed();
}

static void
set_place(Heap *h, size_t i, SbTimer *t)
{
	h->at[i] = t;
	t->place = i;
}

static void
move_up(Heap *h, size_t i, SbTimer *t)
{
	while (i > 1 && h->at[i / 2]->due > t->due)
	{
		set_place(h, i, h->at[i / 2]);
		i /= 2;
	}
	set_place(h, i, t);
}

static void
move_down(Heap *h, size_t i, SbTimer *t)
{
	for (;;)
	{
		size_t child = i * 2;

		if (child > h->count)
			break;
		if (child < h->count && h->at[child + 1]->due < h->at[child]->due)
			child++;
		if (h->at[child]->due >= t->due)
			break;
		set_place(h, i, h->at[child]);
		i = child;
	}
	set_place(h, i, t);
}

void
sb_timer_cancel(SbTimer *timer)
{
	Heap *h = &heaps[timer->real];
	size_t i = timer->place;
	SbTimer *last;

	if (i == 0)
		return;
	timer->place = 0;
	last = h->at[h->count--];
	if (last == timer)
		return;
	if (i > 1 && h->at[i / 2]->due > last->due)
		move_up(h, i, last);
	else
		move_down(h, i, last);
}

void
sb_timer_set(SbTimer *timer, int64_t after)
{
	Heap *h = &heaps[timer->real];

	sb_timer_cancel(timer);
	timer->due = (timer->real ? sb_real() : sb_now()) + after;
	if (h->count + 2 > h->cap)
	{
		h->cap = h->cap ? h->cap * 2 : 256;
		h->at = realloc(h->at, h->cap * sizeof(SbTimer *));
		if (h->at == NULL)
			abort();
	}
	move_up(h, ++h->count, timer);
	if (timer->place == 1 && sb_timer_changed != NULL)
		sb_timer_changed();
}

int
sb_timer_wait(int most)
{
	for (int i = 0; i < 2; i++)
	{
		int64_t left;

		if (heaps[i].count == 0)
			continue;
		left = heaps[i].at[1]->due - (i ? sb_real() : sb_now());
		if (left <= 0)
			return 0;
		left = (left + 999) / 1000;
		if (left < most)
			most = (int) left;
	}
	return most;
}

void
sb_timer_run(void)
{
	for (int i = 0; i < 2; i++)
	{
		int64_t now = i ? sb_real() : sb_now();

		/* timers set by the functions called here come due after `now` */
		while (heaps[i].count > 0 && heaps[i].at[1]->due <= now)
		{
			SbTimer *t = heaps[i].at[1];

			sb_timer_cancel(t);
			t->fire(t);
		}
	}
}
