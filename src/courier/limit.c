/*
 * limit.c
 *		Token buckets of numbers, pauses, and the breaker.
 *
 * Number: at most `per_second` messages within any second, as the provider
 * sees it. We know neither when it takes a message nor how the way there
 * jitters, only that it lies between our sending and its answer. So a token
 * comes back one second after the message left, plus what its answer took
 * longer than the quickest; a message under way holds its token. Tokens are
 * also spread over the second, so that a number sends evenly.
 *
 * Breaker: after FAILURES requests in a row without an answer that says
 * anything, the lane rests, with full jitter and doubling; then one message
 * goes as a probe, and its end decides.
 *
 * What a provider says of more than one connection rests them all: of its app,
 * or of the business account above it. It is kept beside the lanes, so that those
 * obey too that are made later.
 *
 * Pauses and breaker are written down where they last (pause.c), so that a successor goes on
 * with the open breaker and its one probe.
 *
 * A clock that nobody sets, never the product's: these are timeouts, and a
 * clock that is put back a day must not silence a number for one.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/kept.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/again.h"
#include "courier/allowance.h"
#include "courier/conversation.h"
#include "courier/limit.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define SECOND INT64CONST(1000000)

/* granted on top of a second, for the ticks of two clocks */
#define SLACK (SECOND / 100)

/* tokens are saved up for this part of a second, and not handed out more often than that */
#define SPREAD 8
#define TICK (40 * 1000)

/* in a row, before the breaker opens */
#define FAILURES 5

#define FIRST_REST SECOND
#define LONGEST_REST (60 * SECOND)
#define LONGEST_THROTTLE (15 * 60 * SECOND)

/* a shorter pause is over before a successor has begun */
#define WORTH_KEEPING (2 * SECOND)

/* how long before its start a message of an earlier run may have been claimed that left within its last second */
#define CLAIM_MS (10 * 1000)

/* lanes are looked through for forgotten ones when there are so many more */
#define SWEEP_AFTER 8192

typedef struct Key
{
	int64 workspace_id;
	int64 connection_id;
} Key;

struct LarasLane
{
	Key key;
	LarasLaneLimits limits;
	LarasLaneAbove above;
	/* when tokens come back, `per_second` of them, the oldest at front */
	int64 *back;
	int front;
	int under_way;
	int64 pace;     /* when the next would leave, were all evenly spread */
	int64 quickest; /* answer */
	int inherited;  /* sent by an earlier run, perhaps just before we began */
	int64 began;    /* and when that was */
	/* breaker and pauses */
	int64 rests_until;
	int rests;
	int failures;
	bool open;    /* from FAILURES on until an answer comes */
	bool kept;    /* there is a row that says so */
	bool written; /* or will be with the commit */
	bool changed;
	LarasLane *next_changed;
	int64 used_at;
};

/* an app or a business account that is left alone with all its lanes, or was lately */
typedef struct Above
{
	struct
	{
		int64 kind; /* LARAS_THROTTLE_APP or LARAS_THROTTLE_BUSINESS */
		int64 id;
	} key;
	int64 rests_until;
	int rests;
	int64 rested_at; /* when the last pause began that an error asked for */
} Above;

static LarasKept lanes = LARAS_KEPT("laras lanes", LarasLane, key);
static LarasKept aboves = LARAS_KEPT("laras apps and business accounts that rest", Above, key);
static LarasLane *changed_lanes = NULL;

LARAS_PLAN(inherit_lanes,
		   "SELECT w.workspace_id, o.connection_id, pg_catalog.count(*) " LARAS_RECENT_SENDS
		   "GROUP BY w.workspace_id, o.connection_id",
		   INT8OID, TIMESTAMPTZOID);

/* --------------------------------------------------------------------- lanes */

/* Was nothing sent through it for a while, and does nothing wait to be written of it? */
static bool
lane_is_idle(const void *entry, int64 now)
{
	const LarasLane *lane = entry;

	return lane->under_way == 0 && lane->used_at < now - 60 * SECOND && lane->rests_until < now &&
		   !lane->changed && (!lane->kept || lane->used_at < now - 24 * 3600 * SECOND);
}

static void
release_lane(void *entry)
{
	LarasLane *lane = entry;

	if (lane->back != NULL)
		pfree(lane->back);
}

static LarasLane *
find_lane(int64 workspace_id, int64 connection_id, HASHACTION action)
{
	return laras_kept_entry(&lanes, &(Key){workspace_id, connection_id}, action);
}

/* Between two messages of a lane that sends evenly; 0: nothing limits it. */
static int64
interval_of(const LarasLane *lane)
{
	return lane->limits.per_second > 0 ? (SECOND + SLACK) / lane->limits.per_second : 0;
}

/* Another number of tokens; those that are out stay out. */
static void
set_rate(LarasLane *lane, int rate, int64 now)
{
	int64 *back = rate > 0 ? MemoryContextAllocZero(TopMemoryContext, sizeof(int64) * rate) : NULL;
	int out = lane->inherited;

	for (int i = 0; i < lane->limits.per_second; i++)
		out += lane->back[i] > now;
	for (int i = 0; i < Min(out, rate); i++)
		back[rate - 1 - i] = (lane->inherited > 0 ? lane->began : now) + SECOND + SLACK;
	if (lane->back != NULL)
		pfree(lane->back);
	lane->back = back;
	lane->front = 0;
	lane->inherited = 0;
	lane->limits.per_second = rate;
}

static Above *
find_above(int64 kind, int64 id, HASHACTION action)
{
	Above of = {.key = {kind, id}};

	return id == 0 ? NULL : laras_kept_entry(&aboves, &of.key, action);
}

/* What is above a lane, of that kind; NULL: none is known, or (HASH_FIND) none rests. */
static Above *
above_of(const LarasLane *lane, LarasThrottle kind, HASHACTION action)
{
	return find_above(kind, kind == LARAS_THROTTLE_APP ? lane->above.app : lane->above.business,
					  action);
}

int64_t
laras_lane_business(const bytea *route_hash)
{
	int64 id = 0;

	/* half of a keyed hash tells as many apart as there will ever be */
	if (route_hash != NULL && VARSIZE_ANY_EXHDR(route_hash) >= sizeof(id))
		memcpy(&id, VARDATA_ANY(route_hash), sizeof(id));
	return id;
}

LarasLane *
laras_lane(int64_t workspace_id, int64_t connection_id, const LarasLaneLimits *limits,
		   const LarasLaneAbove *above)
{
	int64 now = laras_monotonic_us();
	LarasLane *lane = find_lane(workspace_id, connection_id, HASH_ENTER);

	if (lane->limits.per_second != limits->per_second ||
		(limits->per_second > 0 && lane->back == NULL))
		set_rate(lane, limits->per_second, now);
	lane->limits = *limits;
	lane->above = *above;
	lane->used_at = now;
	return lane;
}

const LarasLaneLimits *
laras_lane_limits(const LarasLane *lane)
{
	return &lane->limits;
}

static void
sooner(int64 *again, int64 to)
{
	*again = Min(*again, to);
}

/* Until when it is left alone, by itself or with others. */
static int64
rests_until(const LarasLane *lane)
{
	Above *app = above_of(lane, LARAS_THROTTLE_APP, HASH_FIND);
	Above *business = above_of(lane, LARAS_THROTTLE_BUSINESS, HASH_FIND);
	int64 until = lane->rests_until;

	if (app != NULL)
		until = Max(until, app->rests_until);
	if (business != NULL)
		until = Max(until, business->rests_until);
	return until;
}

int
laras_lane_tokens(LarasLane *lane, int64 now, int64 *again)
{
	int64 until = rests_until(lane);
	int rate = lane->limits.per_second;
	int64 interval;
	int64 spread;
	int most;
	int tokens = 0;

	if (now < until)
	{
		sooner(again, until);
		return 0;
	}
	if (lane->open)
		return lane->under_way > 0 ? 0 : 1;
	if (rate == 0)
		return INT_MAX;
	interval = interval_of(lane);
	spread = Max(SECOND / SPREAD, interval);
	/* no more than can be taken at once: a number may be allowed very many */
	most = Min(rate, lane->under_way + LARAS_COURIER_FLIGHTS);
	while (tokens < most && lane->back[(lane->front + tokens) % rate] <= now)
		tokens++;
	if (tokens <= lane->under_way)
	{
		/* those under way give theirs back at their end, and that wakes us */
		if (tokens < rate)
			sooner(again, Max(lane->back[(lane->front + tokens) % rate], now + TICK));
		return 0;
	}
	tokens -= lane->under_way;
	if (lane->pace > now)
	{
		int64 saved = spread - (lane->pace - now);

		if (saved < interval)
		{
			sooner(again, Max(now + interval - saved, now + TICK));
			return 0;
		}
		tokens = Min(tokens, saved / interval);
	}
	else
		tokens = Min(tokens, spread / interval);
	return tokens;
}

void
laras_lane_take(LarasLane *lane, int64 now)
{
	lane->under_way++;
	if (lane->limits.per_second > 0)
		lane->pace = Max(lane->pace, now) + interval_of(lane);
}

void
laras_lane_back(int64_t workspace_id, int64_t connection_id)
{
	LarasLane *lane = find_lane(workspace_id, connection_id, HASH_FIND);

	if (lane == NULL || lane->under_way == 0)
		return;
	lane->under_way--;
	lane->pace -= interval_of(lane);
}

/* A token that comes back then; the oldest has come back long ago, or it could not have been taken. */
static void
spend(LarasLane *lane, int64 until)
{
	if (lane->limits.per_second == 0)
		return;
	lane->back[lane->front] = until;
	lane->front = (lane->front + 1) % lane->limits.per_second;
}

/* --------------------------------------------------------------- how it ended */

static void
rest(LarasLane *lane, int64 now, int64 first, int64 longest)
{
	lane->rests_until =
		Max(lane->rests_until, now + laras_again_jitter(first, lane->rests, longest));
	lane->rests++;
}

/*
 * The same for all below what is above the lane. Of requests that were under way
 * when they began to rest none says anything new: there may be hundreds. What
 * nobody knows to be above it rests as the lane alone.
 */
static void
rest_with_others(LarasLane *lane, LarasThrottle kind, int64 departed_at, int64 now)
{
	Above *above = above_of(lane, kind, HASH_ENTER);

	if (above == NULL)
	{
		rest(lane, now, 5 * FIRST_REST, LONGEST_THROTTLE);
		return;
	}
	if (departed_at > above->rested_at)
	{
		above->rests_until =
			Max(above->rests_until,
				now + laras_again_jitter(5 * FIRST_REST, above->rests, LONGEST_THROTTLE));
		above->rests++;
		above->rested_at = now;
	}
	lane->rests_until = Max(lane->rests_until, above->rests_until);
}

/* A quota that is nearly used up: who shares it rests for a while after each answer. */
static void
spare_quota(LarasLane *lane, LarasThrottle kind, const LarasQuota *quota, int64 now)
{
	int ms = laras_usage_rest(quota);
	Above *above = ms > 0 ? above_of(lane, kind, HASH_ENTER) : NULL;
	int64 until = now + (int64) ms * 1000;

	if (above != NULL)
		above->rests_until = until = Max(above->rests_until, until);
	if (ms > 0)
		lane->rests_until = Max(lane->rests_until, until);
}

/* A good answer: whoever is above it and no longer rests has nothing behind it. */
static void
end_rests_above(const LarasLane *lane, int64 now)
{
	static const LarasThrottle kinds[] = {LARAS_THROTTLE_APP, LARAS_THROTTLE_BUSINESS};

	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		Above *above = above_of(lane, kinds[i], HASH_FIND);

		if (above != NULL && above->rests_until <= now)
			(void) laras_kept_entry(&aboves, &above->key, HASH_REMOVE);
	}
}

/* Who rests as long as the lane does. */
static LarasThrottle
reach_of(const LarasLane *lane)
{
	Above *app = above_of(lane, LARAS_THROTTLE_APP, HASH_FIND);
	Above *business = above_of(lane, LARAS_THROTTLE_BUSINESS, HASH_FIND);

	if (app != NULL && app->rests_until >= lane->rests_until)
		return LARAS_THROTTLE_APP;
	return business != NULL && business->rests_until >= lane->rests_until ? LARAS_THROTTLE_BUSINESS
																		  : LARAS_THROTTLE_ACCOUNT;
}

/* Is it to be left alone for so long that a successor should know? */
static bool
is_worth_keeping(const LarasLane *lane, int64 now)
{
	return lane->open || lane->rests_until > now + WORTH_KEEPING;
}

/* Its row, or that there is none, is not what it was; before is the lane as it was written. */
static void
note_change(LarasLane *lane, const LarasLane *before, int64 now)
{
	bool keep = is_worth_keeping(lane, now);

	if (lane->changed ||
		!(keep ? !lane->kept || lane->open != before->open || lane->rests != before->rests ||
					 lane->rests_until != before->rests_until
			   : lane->kept))
		return;
	lane->changed = true;
	lane->next_changed = changed_lanes;
	changed_lanes = lane;
}

bool
laras_limit_ended(const LarasFlight *flight, const LarasOutcome *outcome)
{
	int64 now = laras_monotonic_us();
	LarasLane *lane = find_lane(flight->workspace_id, flight->connection_id, HASH_FIND);
	bool left = flight->departed_at != 0;
	bool answered = flight->call != NULL && flight->call->end == LARAS_HTTP_ANSWERED &&
					flight->call->http_status < 500;
	bool opens = false;
	bool of_kind = laras_allowance_ended(flight, outcome, answered, now);
	LarasLane before;

	if (lane == NULL)
		return false;
	before = *lane;
	lane->under_way = Max(lane->under_way - 1, 0);
	/* the first of two requests is no message yet, to nobody */
	if (left && flight->first_step)
	{
		lane->pace -= interval_of(lane);
	}
	else if (left)
	{
		int64 took = Max(now - flight->departed_at, 0);

		if (answered && (lane->quickest == 0 || took < lane->quickest))
			lane->quickest = took;
		spend(lane, now - Min(took, answered ? lane->quickest : 0) + SECOND + SLACK);
		laras_conversation_spend(flight, &lane->limits, outcome->throttle == LARAS_THROTTLE_PAIR,
								 now);
	}
	switch (of_kind ? LARAS_THROTTLE_NONE : outcome->throttle)
	{
		case LARAS_THROTTLE_NONE:
		case LARAS_THROTTLE_PAIR:
			break;
		case LARAS_THROTTLE_NUMBER:
			rest(lane, now, FIRST_REST, LONGEST_REST);
			break;
		case LARAS_THROTTLE_ACCOUNT:
			rest(lane, now, 5 * FIRST_REST, LONGEST_THROTTLE);
			break;
		case LARAS_THROTTLE_BUSINESS:
		case LARAS_THROTTLE_APP:
			rest_with_others(lane, outcome->throttle, flight->departed_at, now);
			break;
	}
	if (flight->call != NULL)
	{
		spare_quota(lane, LARAS_THROTTLE_APP, &flight->call->usage.app, now);
		spare_quota(lane, LARAS_THROTTLE_BUSINESS, &flight->call->usage.business, now);
	}
	if (answered)
	{
		lane->failures = 0;
		lane->open = false;
		if (outcome->throttle == LARAS_THROTTLE_NONE)
		{
			lane->rests = 0;
			end_rests_above(lane, now);
		}
	}
	else if (flight->call != NULL && !laras_flight_is_cut(flight) &&
			 (++lane->failures >= FAILURES || lane->open))
	{
		/* those that were under way when it opened say nothing new */
		if (!lane->open || lane->under_way == 0)
			rest(lane, now, FIRST_REST, LONGEST_REST);
		opens = !lane->open;
		lane->open = true;
	}
	note_change(lane, &before, now);
	laras_kept_sweep(&lanes, SWEEP_AFTER, now, lane_is_idle, release_lane);
	laras_conversation_sweep(now);
	laras_allowance_sweep(now);
	return opens;
}

/* ----------------------------------------------------------- an earlier run's */

int
laras_limit_changed(LarasPause *list, int room)
{
	int64 now = laras_monotonic_us();
	int n = 0;

	for (LarasLane *lane = changed_lanes; lane != NULL; lane = lane->next_changed, n++)
		if (n < room)
		{
			LarasThrottle reach = reach_of(lane);
			Above *above =
				reach == LARAS_THROTTLE_ACCOUNT ? NULL : above_of(lane, reach, HASH_FIND);

			lane->written = is_worth_keeping(lane, now);
			list[n] = (LarasPause){
				.workspace_id = lane->key.workspace_id,
				.connection_id = lane->key.connection_id,
				.rests_on = lane->written,
				.open = lane->open,
				.rests = above == NULL ? lane->rests : above->rests,
				.left = Max(lane->rests_until - now, 0),
				.reach = reach == LARAS_THROTTLE_APP        ? "app"
						 : reach == LARAS_THROTTLE_BUSINESS ? "business"
															: "connection",
			};
		}
	return n;
}

void
laras_limit_written(void)
{
	LarasLane *next;

	for (LarasLane *lane = changed_lanes; lane != NULL; lane = next)
	{
		next = lane->next_changed;
		lane->changed = false;
		lane->next_changed = NULL;
		lane->kept = lane->written;
	}
	changed_lanes = NULL;
}

void
laras_limit_resume(const LarasPause *pause)
{
	LarasLane *lane = find_lane(pause->workspace_id, pause->connection_id, HASH_ENTER);
	Above *above = NULL;

	lane->above = pause->above;
	if (strcmp(pause->reach, "app") == 0)
		above = above_of(lane, LARAS_THROTTLE_APP, HASH_ENTER);
	else if (strcmp(pause->reach, "business") == 0)
		above = above_of(lane, LARAS_THROTTLE_BUSINESS, HASH_ENTER);
	lane->open = pause->open;
	lane->failures = pause->open ? FAILURES : 0;
	lane->rests = above == NULL ? pause->rests : 0;
	lane->rests_until = laras_monotonic_us() + pause->left;
	if (above != NULL)
	{
		above->rests = Max(above->rests, pause->rests);
		above->rests_until = Max(above->rests_until, lane->rests_until);
	}
	lane->kept = true;
	lane->used_at = laras_monotonic_us();
}

void
laras_recent_sends(int ms, Datum values[2])
{
	values[0] = Int64GetDatum(laras_id_since(GetCurrentTimestamp() - INT64CONST(1000) * ms));
	values[1] = TimestampTzGetDatum(laras_now() - INT64CONST(1000) * ms);
}

void
laras_limit_inherit(void)
{
	int64 began = laras_monotonic_us();
	Datum since[2];
	uint64 found;

	laras_recent_sends(CLAIM_MS, since);
	found = laras_spi_run(&inherit_lanes, since, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		LarasLane *lane = find_lane(laras_spi_int8(i, 1), laras_spi_int8(i, 2), HASH_ENTER);

		lane->inherited = (int) Min(laras_spi_int8(i, 3), INT_MAX / 2);
		lane->began = began;
		lane->used_at = began;
	}
	laras_conversation_inherit(began);
}
