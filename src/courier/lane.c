/*
 * lane.c
 *		A fair choice: every connection has a lane, and lanes take turns.
 *
 * The queue is read lane by lane, each only as far as its tokens reach, so that
 * a hundred thousand messages through one number keep nobody else waiting and
 * cost nothing while they wait. Of more lanes than fit a look, the next look
 * begins behind the last.
 *
 * Of some kinds the provider takes less than of others. Such a row is put off
 * (defer.c) to when it may leave, so that what is behind it need not wait; within
 * its conversation nothing passes it that is not more urgent.
 */
#include "postgres.h"

#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/conversation.h"
#include "courier/courier.h"
#include "courier/defer.h"
#include "courier/lane.h"
#include "courier/limit.h"
#include "inbox/rows.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* lanes of one look */
#define LANES 64

/* in a burst of choices, lanes are looked for so often: microseconds */
#define LOOK_EVERY 10000

/* rows looked at for one choice: behind what cannot leave, others may */
#define LONGEST_LOOK 10000

/*
 * The connections behind ($1, $2) that have something queued, each found by one
 * probe of the index, and their limits.
 */
LARAS_PLAN(
	read_lanes,
	"WITH RECURSIVE lane (w, c) AS ((SELECT o.workspace_id, o.connection_id FROM laras.outbox o "
	"WHERE o.state OPERATOR(pg_catalog.=) 'queued' "
	"AND ROW(o.workspace_id, o.connection_id) OPERATOR(pg_catalog.>) ROW($1, $2) "
	"ORDER BY o.workspace_id, o.connection_id LIMIT 1) UNION ALL SELECT n.w, n.c FROM lane l CROSS JOIN LATERAL "
	"(SELECT o.workspace_id AS w, o.connection_id AS c FROM laras.outbox o "
	"WHERE o.state OPERATOR(pg_catalog.=) 'queued' "
	"AND ROW(o.workspace_id, o.connection_id) OPERATOR(pg_catalog.>) ROW(l.w, l.c) "
	"ORDER BY o.workspace_id, o.connection_id LIMIT 1) n) "
	"SELECT l.w, l.c, coalesce(x.send_rate, 0), x.channel, "
	"coalesce(p.app, 0), p.business, coalesce(x.beside_app, false) FROM (SELECT w, c FROM lane LIMIT $3) l "
	"CROSS JOIN LATERAL (SELECT y.channel, y.send_rate, y.beside_app FROM laras.connection y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) l.w AND y.id OPERATOR(pg_catalog.=) l.c LIMIT 1) x " LARAS_LANE_ABOVE(
		"l.w", "l.c") "ORDER BY l.w, l.c",
	INT8OID, INT8OID, INT4OID);

/*
 * The rows of these lanes that are due, each from a place on: ordered as the index
 * outbox_lane is. $8: whose messages are limited by kind; only of theirs it is asked
 * what they are, whether they were put off for that, and whether another of their
 * conversation was that was queued before.
 */
LARAS_PLAN(
	read_due,
	"SELECT u.n, o.id, o.conversation_id, o.contact_id, o.priority, o.not_before, o.kind, o.reason, o.live, o.behind "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS u (n, w, c, k, p, t, i, q) CROSS JOIN LATERAL "
	"(SELECT x.id, x.conversation_id, x.contact_id, x.priority, x.not_before, CASE WHEN u.q THEN x.kind END AS kind, "
	"CASE WHEN u.q AND x.stage IS NOT NULL THEN 'staged' WHEN u.q THEN x.reason END AS reason, "
	"CASE WHEN u.q AND x.kind OPERATOR(pg_catalog.=) 'private_reply' THEN EXISTS (SELECT 1 FROM laras.message m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) u.w AND m.id OPERATOR(pg_catalog.=) x.target_id "
	"AND m.kind OPERATOR(pg_catalog.=) 'live_comment') ELSE false END AS live, "
	"CASE WHEN u.q THEN EXISTS (SELECT 1 FROM laras.outbox b WHERE " LARAS_WAITS_FOR_LIMIT(
		"b") " AND b.workspace_id OPERATOR(pg_catalog.=) u.w AND b.connection_id OPERATOR(pg_catalog.=) u.c "
			 "AND b.conversation_id OPERATOR(pg_catalog.=) x.conversation_id AND b.priority OPERATOR(pg_catalog.<=) x.priority "
			 "AND b.created_at OPERATOR(pg_catalog.<) x.created_at) ELSE false END AS behind FROM laras.outbox x "
			 "WHERE x.state OPERATOR(pg_catalog.=) 'queued' AND x.workspace_id OPERATOR(pg_catalog.=) u.w "
			 "AND x.connection_id OPERATOR(pg_catalog.=) u.c AND x.not_before OPERATOR(pg_catalog.<=) laras.now() "
			 "AND ROW(x.priority, x.not_before, x.id) OPERATOR(pg_catalog.>) ROW(u.p, u.t, u.i) "
			 "ORDER BY x.priority, x.not_before, x.id LIMIT u.k) AS o",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID,
	INT8ARRAYOID, BOOLARRAYOID);

typedef struct Look
{
	int64 workspace_id;
	int64 connection_id;
	LarasLane *lane;
	const LarasRules *rules;
	int wanted; /* at most so many rows */
	int got;
	int asked; /* rows of the last page; 0: nothing more to be had */
	int read;
	/* the last row read */
	int16 priority;
	TimestampTz not_before;
	int64 id;
	int turn; /* of the next row of this lane among those of its workspace */
} Look;

typedef struct Candidate
{
	int look;
	int64 row;
	int64 conversation;
	int64 contact;
	int16 priority;
	int turn;
	LarasLimitKind limit_kind;
} Candidate;

/* where the next look begins */
static Look last_seen = {0};
static bool waits = false;

bool
laras_choice_waits(void)
{
	return waits;
}

/* The lanes behind a place, added to those there are; stops at one that is there. */
static int
add_lanes(Look *list, int n, int64 workspace_id, int64 connection_id)
{
	uint64 found = laras_spi_read(&read_lanes,
								  (Datum[]){Int64GetDatum(workspace_id),
											Int64GetDatum(connection_id), Int32GetDatum(LANES - n)},
								  NULL);

	for (uint64 i = 0; i < found; i++)
	{
		const LarasRules *rules = laras_rules_of(laras_spi_cstring(i, 4));
		LarasLaneLimits limits = rules->lane;
		LarasLaneAbove above = {laras_spi_int8(i, 5), laras_lane_business(laras_spi_bytes(i, 6))};
		Look *look = &list[n];

		memset(look, 0, sizeof(Look));
		look->workspace_id = laras_spi_int8(i, 1);
		look->connection_id = laras_spi_int8(i, 2);
		if (n > 0 && look->workspace_id == list[0].workspace_id &&
			look->connection_id == list[0].connection_id)
			break;
		if (laras_spi_int4(i, 3) > 0)
			limits.per_second = laras_spi_int4(i, 3);
		else if (laras_spi_bool(i, 7) && rules->beside_app > 0)
			limits.per_second = rules->beside_app;
		look->lane = laras_lane(look->workspace_id, look->connection_id, &limits, &above);
		look->rules = rules;
		look->priority = PG_INT16_MIN;
		look->not_before = DT_NOBEGIN;
		n++;
	}
	return n;
}

/* How much waits of those whose messages are limited by kind. */
static void
count_limited(const Look *list, int n, int64 now)
{
	LarasLimited limited[LANES];
	int count = 0;

	for (int i = 0; i < n; i++)
		if (list[i].rules->by_kind)
			limited[count++] =
				(LarasLimited){list[i].workspace_id, list[i].connection_id, list[i].rules};
	if (count > 0)
		laras_defer_count(limited, count, now);
}

/* The lanes of this look; those of the last one where that has just been. */
static int
read_all_lanes(Look *list, int64 now, bool *fresh)
{
	static Look seen[LANES];
	static int n = 0;
	static int64 seen_at = 0;

	*fresh = *fresh || n == 0 || n == LANES || now - seen_at >= LOOK_EVERY;
	if (*fresh)
	{
		int found;

		laras_rules_read();
		found = add_lanes(seen, 0, last_seen.workspace_id, last_seen.connection_id);

		if (found < LANES && last_seen.workspace_id != 0)
			found = add_lanes(seen, found, 0, 0);
		memset(&last_seen, 0, sizeof(last_seen));
		if (found == LANES)
			last_seen = seen[found - 1];
		n = found;
		seen_at = now;
		count_limited(seen, n, now);
	}
	memcpy(list, seen, sizeof(Look) * n);
	return n;
}

/*
 * The same as laras_conversation_take for the i-th row of SPI's result, of a lane
 * whose messages are limited by kind: one that may not leave for that is put off.
 */
static bool
take_limited(const Look *look, uint64 i, int64 conversation, LarasLimitKind *limit_kind, int64 now,
			 int64 *again)
{
	LarasLimitKind kind = laras_limit_kind(laras_spi_cstring(i, 7), laras_spi_bool(i, 9));
	const char *reason = laras_spi_cstring(i, 8);
	bool behind = laras_spi_bool(i, 10);
	LarasAllowance *allowance = laras_allowance(look->workspace_id, look->connection_id, kind,
												&look->rules->kind[kind], now);
	/* what was begun is ended before anything else is begun */
	bool waited =
		reason != NULL && (strcmp(reason, "staged") == 0 || laras_limit_of_reason(reason) == kind);
	bool allowed =
		allowance == NULL ||
		(behind && !waited ? laras_allowance_is_open(allowance, look->priority)
						   : laras_allowance_allows(allowance, waited, look->priority, now));
	bool held;

	if (behind && (allowed || waited))
		return false;
	if (!allowed && !laras_defer_has_room())
		return false;
	held = laras_conversation_take(laras_lane_limits(look->lane), look->workspace_id, conversation,
								   look->id, look->priority, now, again);
	if (!allowed)
	{
		laras_defer(look->workspace_id, look->id, conversation, held, kind,
					laras_allowance_turn(allowance, waited, look->priority, now), now);
		return false;
	}
	if (!held)
		return false;
	*limit_kind = kind;
	if (allowance != NULL)
		laras_allowance_take(allowance, waited, look->priority);
	return true;
}

/* One more page of every lane that wants one. Returns how many rows it brought. */
static int
read_page(Look *looks, int n, Candidate *candidates, int *count, int room, int64 now, int64 *again)
{
	LarasColumn c[8];
	int asking = 0;
	uint64 found;

	laras_columns_init(c, 8, n);
	for (int i = 0; i < n; i++)
	{
		Look *look = &looks[i];

		if (look->asked == 0)
			continue;
		c[0].values[asking] = Int32GetDatum(i);
		c[1].values[asking] = Int64GetDatum(look->workspace_id);
		c[2].values[asking] = Int64GetDatum(look->connection_id);
		c[3].values[asking] = Int32GetDatum(look->asked);
		c[4].values[asking] = Int16GetDatum(look->priority);
		c[5].values[asking] = TimestampTzGetDatum(look->not_before);
		c[6].values[asking] = Int64GetDatum(look->id);
		c[7].values[asking++] = BoolGetDatum(look->rules->by_kind);
		look->read = 0;
	}
	if (asking == 0)
		return 0;
	found = laras_spi_read(&read_due,
						   (Datum[]){laras_column_array(&c[0], asking, INT4OID),
									 laras_column_array(&c[1], asking, INT8OID),
									 laras_column_array(&c[2], asking, INT8OID),
									 laras_column_array(&c[3], asking, INT4OID),
									 laras_column_array(&c[4], asking, INT2OID),
									 laras_column_array(&c[5], asking, TIMESTAMPTZOID),
									 laras_column_array(&c[6], asking, INT8OID),
									 laras_column_array(&c[7], asking, BOOLOID)},
						   NULL);
	for (uint64 i = 0; i < found; i++)
	{
		int at = laras_spi_int4(i, 1);
		Look *look = &looks[at];
		int64 conversation = laras_spi_int8(i, 3);
		LarasLimitKind limit_kind = LARAS_LIMIT_NONE;

		look->read++;
		look->id = laras_spi_int8(i, 2);
		look->priority = laras_spi_int2(i, 5);
		look->not_before = laras_spi_time(i, 6);
		if (look->got >= look->wanted || *count >= room)
			continue;
		if (look->rules->by_kind
				? !take_limited(look, i, conversation, &limit_kind, now, again)
				: !laras_conversation_take(laras_lane_limits(look->lane), look->workspace_id,
										   conversation, look->id, look->priority, now, again))
			continue;
		candidates[(*count)++] = (Candidate){
			.look = at,
			.row = look->id,
			.conversation = conversation,
			.contact = laras_spi_int8(i, 4),
			.priority = look->priority,
			.limit_kind = limit_kind,
		};
		look->got++;
	}
	for (int i = 0; i < n; i++)
		if (looks[i].asked > 0 &&
			(looks[i].read < looks[i].asked || looks[i].got >= looks[i].wanted))
			looks[i].asked = 0;
	return (int) found;
}

static int
compare_turn(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	return x->look - y->look;
}

/*
 * In turns: the first rows of all workspaces, then the second ones, those of a
 * workspace from its lanes in turn; replies of all before the bulk of any.
 */
static void
take_turns(Look *looks, int n, Candidate *candidates, int count)
{
	for (int i = 0; i < n;)
	{
		int lanes = 1;

		while (i + lanes < n && looks[i + lanes].workspace_id == looks[i].workspace_id)
			lanes++;
		for (int k = 0; k < lanes; k++)
			looks[i + k].turn = k;
		for (int k = 0; k < count; k++)
			if (candidates[k].look >= i && candidates[k].look < i + lanes)
			{
				candidates[k].turn = looks[candidates[k].look].turn;
				looks[candidates[k].look].turn += lanes;
			}
		i += lanes;
	}
	qsort(candidates, count, sizeof(Candidate), compare_turn);
}

static LarasChoice *
choice_of(const Look *looks, const Candidate *candidates, int count, int64 now,
		  MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	LarasChoice *choice = palloc0(sizeof(LarasChoice));

	choice->workspace = palloc(sizeof(Datum) * (count + 1));
	choice->row = palloc(sizeof(Datum) * (count + 1));
	choice->conversation = palloc(sizeof(Datum) * (count + 1));
	choice->connection = palloc(sizeof(Datum) * (count + 1));
	choice->contact = palloc(sizeof(Datum) * (count + 1));
	choice->limit_kind = palloc(sizeof(int) * (count + 1));
	MemoryContextSwitchTo(before);
	for (int i = 0; i < count; i++)
	{
		const Look *look = &looks[candidates[i].look];

		choice->workspace[i] = Int64GetDatum(look->workspace_id);
		choice->row[i] = Int64GetDatum(candidates[i].row);
		choice->conversation[i] = Int64GetDatum(candidates[i].conversation);
		choice->connection[i] = Int64GetDatum(look->connection_id);
		choice->contact[i] = Int64GetDatum(candidates[i].contact);
		choice->limit_kind[i] = candidates[i].limit_kind;
		laras_lane_take(look->lane, now);
		choice->count++;
	}
	return choice;
}

/* Rows of these lanes, at most n and at most what their tokens allow. */
static int
choose_from(Look *looks, int lanes, int n, int64 now, int64 *again, int64 *seconds,
			Candidate **candidates, int *count)
{
	int room = 0;
	int looked = 0;
	int found;

	for (int i = 0; i < lanes; i++)
	{
		int tokens = laras_lane_tokens(looks[i].lane, now, seconds);

		/* each a few more than its share: another may have less */
		looks[i].wanted = Min(tokens, lanes == 1 ? n : Max(4, 4 * n / lanes));
		looks[i].asked = looks[i].wanted == 0 ? 0 : looks[i].wanted + looks[i].wanted / 4 + 8;
		room += looks[i].wanted;
	}
	*candidates = palloc(sizeof(Candidate) * (room + 1));
	do
	{
		found = read_page(looks, lanes, *candidates, count, room, now, again);
		looked += found;
	} while (found > 0 && looked < LONGEST_LOOK);
	return *count;
}

/* The places of a row that was read and is not chosen. */
static void
give_back(const Look *look, const Candidate *c)
{
	laras_conversation_free(look->workspace_id, c->conversation);
	laras_allowance_back(look->workspace_id, look->connection_id, c->limit_kind);
}

/* What waits for a limit of its kind, and need not any more, is to be brought forward. */
static void
look_after_limited(const Look *look, int64 now, int64 *again)
{
	for (int k = LARAS_LIMIT_NONE + 1; k < LARAS_LIMIT_KINDS; k++)
	{
		LarasAllowance *allowance =
			laras_allowance_known(look->workspace_id, look->connection_id, (LarasLimitKind) k);
		int n = allowance == NULL ? 0 : laras_allowance_idle(allowance, now, again);

		if (n > 0)
			laras_defer_bring(look->workspace_id, look->connection_id, (LarasLimitKind) k, n);
	}
}

/*
 * The same; where a page cannot be read, what earlier ones brought gives its
 * conversations back, or nobody would be written to in them until a restart.
 */
static int
choose_or_free(Look *looks, int lanes, int n, int64 now, int64 *again, int64 *seconds,
			   Candidate **candidates)
{
	/* static: they are read after a jump */
	static Candidate *taken;
	static int count;

	taken = NULL;
	count = 0;
	PG_TRY();
	{
		choose_from(looks, lanes, n, now, again, seconds, &taken, &count);
	}
	PG_CATCH();
	{
		for (int i = 0; i < count; i++)
			give_back(&looks[taken[i].look], &taken[i]);
		PG_RE_THROW();
	}
	PG_END_TRY();
	*candidates = taken;
	return count;
}

LarasChoice *
laras_choose(int n, MemoryContext context)
{
	int64 now = laras_monotonic_us();
	int64 again = PG_INT64_MAX;
	int64 seconds = PG_INT64_MAX;
	Look looks[LANES];
	Candidate *candidates;
	LarasChoice *choice;
	bool fresh = false;
	int lanes = read_all_lanes(looks, now, &fresh);
	int count = choose_or_free(looks, lanes, n, now, &again, &seconds, &candidates);

	if (count == 0 && !fresh)
	{
		fresh = true;
		lanes = read_all_lanes(looks, now, &fresh);
		count = choose_or_free(looks, lanes, n, now, &again, &seconds, &candidates);
	}
	if (count > n)
	{
		take_turns(looks, lanes, candidates, count);
		for (int i = n; i < count; i++)
			give_back(&looks[candidates[i].look], &candidates[i]);
		count = n;
	}
	choice = choice_of(looks, candidates, count, now, context);
	for (int i = 0; i < lanes; i++)
	{
		if (looks[i].got > 0 && looks[i].got >= looks[i].wanted)
			(void) laras_lane_tokens(looks[i].lane, now, &seconds);
		if (looks[i].rules->by_kind)
			look_after_limited(&looks[i], now, &again);
	}
	waits = seconds != PG_INT64_MAX && seconds - now <= USECS_PER_SEC * 2;
	again = Min(again, seconds);
	if (again != PG_INT64_MAX)
		laras_worker_wake_in((int) Min((Max(again - now, 0) + 999) / 1000, 60 * 1000));
	return choice;
}

void
laras_choice_back(const LarasChoice *choice, int i)
{
	int64 workspace_id = DatumGetInt64(choice->workspace[i]);

	laras_conversation_free(workspace_id, DatumGetInt64(choice->conversation[i]));
	laras_lane_back(workspace_id, DatumGetInt64(choice->connection[i]));
	laras_allowance_back(workspace_id, DatumGetInt64(choice->connection[i]),
						 (LarasLimitKind) choice->limit_kind[i]);
}
