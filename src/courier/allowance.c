/*
 * allowance.c
 *		What is used of the limits of one kind of message; see allowance.h.
 *
 * A limit is so many within any period, as the provider counts. It is counted in
 * slots, a 240th of the period each: what was sent in one is given back when the
 * whole slot is over by a period, so that a quota of any size takes a kilobyte and
 * is never exceeded; it costs half a percent of it. As in limit.c, a message counts
 * from when the provider may have taken it at the latest, and one under way holds
 * its place.
 *
 * What may not leave is put off to when it may (defer.c), each to its own moment,
 * so that a thousand that wait are not looked at again and again. These moments are
 * reckoned from how many wait before; where some of those are withdrawn, others are
 * brought forward.
 */
#include "postgres.h"

#include "base/kept.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/again.h"
#include "courier/allowance.h"
#include "courier/courier.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define SECOND INT64CONST(1000000)

/* of a period, and of those that may not be over: a few more, for what is granted to two clocks */
#define SLOTS 240
#define RING 256

/* granted on top of a period, for the difference of two clocks */
#define LEAST_SLACK (SECOND / 100)

#define FIRST_REST (5 * SECOND)
#define LONGEST_REST (15 * 60 * SECOND)

/* longer than any request takes: seconds */
#define LONGEST_REQUEST 330

/* those that wait are brought forward so often */
#define BRING_EVERY SECOND
#define BRING_MOST 500

#define SWEEP_AFTER 1024

/* what was sent may be older than the clock that tells the moments: longer than any period */
#define BEFORE (30 * 24 * 3600 * SECOND)

typedef struct Key
{
	int64 workspace_id;
	int64 connection_id;
	int64 kind;
} Key;

/* at most so many within any period */
typedef struct Window
{
	int most; /* 0: no limit */
	int64 period;
	int64 width;  /* of a slot */
	int64 oldest; /* slot in which any was sent that is not given back */
	int used;
	int32 *count; /* ring by slot; NULL: nothing was sent yet */
} Window;

#define WINDOWS 2

struct LarasAllowance
{
	Key key;
	LarasKindLimits limits;
	Window window[WINDOWS]; /* a second's, and the quota's */
	int under_way;
	int64 quickest; /* answer */
	int waiting[2]; /* put off: answers, bulk */
	int64 rests_until;
	int rests;
	int64 brought_at;
	int64 used_at;
	/* of one look: */
	int64 look;
	int again; /* put off that waited before */
	bool due;  /* there was one that could leave, or was put off */
};

static LarasKept allowances = LARAS_KEPT("laras limits by kind", LarasAllowance, key);

LARAS_PLAN(
	read_sent,
	"SELECT (EXTRACT(epoch FROM laras.now() OPERATOR(pg_catalog.-) coalesce(a.finished_at, laras.now())) "
	"OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 FROM laras.send_attempt a "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 AND a.connection_id OPERATOR(pg_catalog.=) $2 "
	"AND a.limit_kind OPERATOR(pg_catalog.=) $3 AND a.started_at OPERATOR(pg_catalog.>) "
	"(laras.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $4)) "
	"AND a.outcome OPERATOR(pg_catalog.<>) ALL ('{sending,staged,not_sent}'::pg_catalog.text[])",
	INT8OID, INT8OID, TEXTOID, FLOAT8OID);

static LarasAllowance *
find(int64 workspace_id, int64 connection_id, LarasLimitKind kind, HASHACTION action)
{
	return laras_kept_entry(&allowances, &(Key){workspace_id, connection_id, kind}, action);
}

/* -------------------------------------------------------------------- windows */

/* When what was sent in a slot is given back. */
static int64
returns(const Window *w, int64 slot)
{
	return (slot + 1) * w->width - BEFORE + w->period + Max(w->period / 1000, LEAST_SLACK);
}

static int64
slot_of(const Window *w, int64 at)
{
	return (at + BEFORE) / w->width;
}

static void
set_window(Window *w, int most, int64 period)
{
	w->most = most;
	w->period = period;
	w->width = (period + SLOTS - 1) / SLOTS;
	w->oldest = 0;
	w->used = 0;
	if (w->count != NULL)
		memset(w->count, 0, sizeof(int32) * RING);
}

/* Give back what is over. */
static void
advance(Window *w, int64 now)
{
	while (w->used > 0 && returns(w, w->oldest) <= now)
	{
		w->used -= w->count[w->oldest % RING];
		w->count[w->oldest % RING] = 0;
		w->oldest++;
	}
	if (w->used == 0)
		w->oldest = slot_of(w, now - w->period) - (RING - SLOTS) / 2;
}

static void
spend(Window *w, int64 at, int64 now)
{
	int64 slot;

	if (w->most == 0)
		return;
	if (w->count == NULL)
		w->count = MemoryContextAllocZero(TopMemoryContext, sizeof(int32) * RING);
	advance(w, now);
	slot = slot_of(w, at);
	if (returns(w, slot) <= now)
		return;
	Assert(slot >= w->oldest && slot < w->oldest + RING);
	w->count[slot % RING]++;
	w->used++;
}

/* When the nth from now on may leave, were all before it to leave as soon as they may. */
static int64
turn_of(Window *w, int under_way, int64 n, int64 now)
{
	int64 whole = w->period + w->width + Max(w->period / 1000, LEAST_SLACK);
	int64 rounds;
	int64 needed;

	if (w->most == 0)
		return now;
	advance(w, now);
	rounds = (n - 1) / w->most;
	needed = (n - 1) % w->most + 1 - (w->most - w->used - under_way);
	if (needed <= 0)
		return now + rounds * whole;
	for (int64 slot = w->oldest, given = 0; given < w->used && slot < w->oldest + RING; slot++)
	{
		given += w->count[slot % RING];
		if (given >= needed)
			return returns(w, slot) + rounds * whole;
	}
	/* those that are under way */
	return now + (rounds + 1) * whole;
}

/* --------------------------------------------------------------------- allowances */

/* What an earlier run sent, or this one before it forgot it. */
static void
inherit(LarasAllowance *allowance, int64 now)
{
	SPITupleTable *rows = SPI_tuptable;
	int seconds = Max(allowance->limits.period_s, 1) + LONGEST_REQUEST;
	uint64 found = laras_spi_read(&read_sent,
								  (Datum[]){Int64GetDatum(allowance->key.workspace_id),
											Int64GetDatum(allowance->key.connection_id),
											CStringGetTextDatum(laras_limit_kind_name(
												(LarasLimitKind) allowance->key.kind)),
											Float8GetDatum((double) seconds)},
								  NULL);

	for (uint64 i = 0; i < found; i++)
		for (int k = 0; k < WINDOWS; k++)
			spend(&allowance->window[k], now - Max(laras_spi_int8(i, 1), 0), now);
	SPI_tuptable = rows;
}

LarasAllowance *
laras_allowance(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind,
				const LarasKindLimits *limits, int64_t now)
{
	LarasAllowance *allowance;
	bool limited = limits->per_second > 0 || limits->quota > 0;

	if (kind == LARAS_LIMIT_NONE)
		return NULL;
	allowance = find(workspace_id, connection_id, kind, HASH_ENTER);
	if (allowance->used_at == 0 || memcmp(&allowance->limits, limits, sizeof(*limits)) != 0)
	{
		allowance->limits = *limits;
		set_window(&allowance->window[0], limits->per_second, SECOND);
		set_window(&allowance->window[1], limits->quota, Max(limits->period_s, 1) * SECOND);
		if (limited)
			inherit(allowance, now);
	}
	allowance->used_at = now;
	if (allowance->look != now)
	{
		allowance->look = now;
		allowance->again = 0;
		allowance->due = false;
	}
	return allowance;
}

/* How many are to leave before one of that priority that did not wait yet. */
static int
before(const LarasAllowance *allowance, int16 priority)
{
	return allowance->waiting[0] + (priority >= LARAS_PRIORITY_BULK ? allowance->waiting[1] : 0);
}

static int
room(LarasAllowance *allowance, int64 now)
{
	int left = INT_MAX;

	if (now < allowance->rests_until)
		return 0;
	for (int k = 0; k < WINDOWS; k++)
	{
		Window *w = &allowance->window[k];

		advance(w, now);
		if (w->most > 0)
			left = Min(left, w->most - w->used - allowance->under_way);
	}
	return Max(left, 0);
}

LarasAllowance *
laras_allowance_known(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind)
{
	return find(workspace_id, connection_id, kind, HASH_FIND);
}

bool
laras_allowance_is_open(const LarasAllowance *allowance, int16_t priority)
{
	return before(allowance, priority) == 0;
}

bool
laras_allowance_allows(LarasAllowance *allowance, bool waited, int16_t priority, int64_t now)
{
	allowance->due = true;
	return (waited || before(allowance, priority) == 0) && room(allowance, now) > 0;
}

void
laras_allowance_take(LarasAllowance *allowance, bool waited, int16_t priority)
{
	int *waiting = &allowance->waiting[priority >= LARAS_PRIORITY_BULK];

	allowance->under_way++;
	if (waited)
		*waiting = Max(*waiting - 1, 0);
}

void
laras_allowance_back(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind)
{
	LarasAllowance *allowance =
		kind == LARAS_LIMIT_NONE ? NULL : find(workspace_id, connection_id, kind, HASH_FIND);

	if (allowance != NULL)
		allowance->under_way = Max(allowance->under_way - 1, 0);
}

int64_t
laras_allowance_turn(LarasAllowance *allowance, bool waited, int16_t priority, int64_t now)
{
	int64 n;
	int64 turn = allowance->rests_until;

	if (waited)
		n = ++allowance->again;
	else
	{
		n = before(allowance, priority) + 1;
		allowance->waiting[priority >= LARAS_PRIORITY_BULK]++;
	}
	for (int k = 0; k < WINDOWS; k++)
		turn = Max(turn, turn_of(&allowance->window[k], allowance->under_way, n, now));
	/* apart, so that they are read in their order */
	return Max(turn, now) + n;
}

int
laras_allowance_idle(LarasAllowance *allowance, int64_t now, int64_t *again)
{
	int waiting = before(allowance, LARAS_PRIORITY_BULK);
	int left = room(allowance, now);
	int64 turn = allowance->rests_until;

	if (waiting == 0)
		return 0;
	if (left > 0 && allowance->due)
		return 0;
	if (left > 0 && now - allowance->brought_at >= BRING_EVERY)
	{
		allowance->brought_at = now;
		return Min(Min(left, waiting), BRING_MOST);
	}
	if (left > 0)
		turn = allowance->brought_at + BRING_EVERY;
	else
		for (int k = 0; k < WINDOWS; k++)
			turn = Max(turn, turn_of(&allowance->window[k], allowance->under_way, 1, now));
	*again = Min(*again, Max(turn, now + SECOND / 100));
	return 0;
}

void
laras_allowance_waiting(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind,
						int answers, int bulk)
{
	LarasAllowance *allowance = find(workspace_id, connection_id, kind, HASH_FIND);

	if (allowance == NULL)
		return;
	allowance->waiting[0] = answers;
	allowance->waiting[1] = bulk;
}

bool
laras_allowance_ended(const LarasFlight *flight, const LarasOutcome *outcome, bool answered,
					  int64_t now)
{
	LarasAllowance *allowance = flight->limit_kind == LARAS_LIMIT_NONE
									? NULL
									: find(flight->workspace_id, flight->connection_id,
										   (LarasLimitKind) flight->limit_kind, HASH_FIND);
	int64 took = flight->departed_at == 0 ? 0 : Max(now - flight->departed_at, 0);

	if (allowance == NULL)
		return false;
	allowance->under_way = Max(allowance->under_way - 1, 0);
	allowance->used_at = now;
	if (flight->departed_at != 0 && !flight->first_step)
	{
		if (answered && (allowance->quickest == 0 || took < allowance->quickest))
			allowance->quickest = took;
		for (int k = 0; k < WINDOWS; k++)
			spend(&allowance->window[k], now - Min(took, answered ? allowance->quickest : 0), now);
	}
	if (outcome->throttle == LARAS_THROTTLE_NONE)
	{
		if (answered)
			allowance->rests = 0;
		return false;
	}
	if ((outcome->throttle != LARAS_THROTTLE_NUMBER &&
		 outcome->throttle != LARAS_THROTTLE_ACCOUNT) ||
		(allowance->limits.per_second == 0 && allowance->limits.quota == 0))
		return false;
	allowance->rests_until =
		Max(allowance->rests_until,
			now + laras_again_jitter(FIRST_REST, allowance->rests, LONGEST_REST));
	allowance->rests++;
	return true;
}

/* What was sent is read again where it is asked for again (inherit). */
static bool
is_idle(const void *entry, int64 now)
{
	const LarasAllowance *allowance = entry;

	return allowance->under_way == 0 && allowance->used_at < now - 60 * SECOND &&
		   allowance->rests_until < now;
}

static void
release(void *entry)
{
	LarasAllowance *allowance = entry;

	for (int k = 0; k < WINDOWS; k++)
		if (allowance->window[k].count != NULL)
			pfree(allowance->window[k].count);
}

void
laras_allowance_sweep(int64_t now)
{
	laras_kept_sweep(&allowances, SWEEP_AFTER, now, is_idle, release);
}
