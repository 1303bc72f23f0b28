/*
 * conversation.c
 *		Whose turn it is within a conversation; see conversation.h.
 *
 * The provider's limit for a pair is a bucket of `pair_burst` that refills by one
 * each interval, kept as a theoretical arrival time and moved at the answer, which
 * comes after the provider counted.
 *
 * A message that has to be tried again keeps its turn for up to a minute, so
 * that what a person reads comes in the order in which it was written. A crash
 * ends the memory of that, and not of the pair's limit, which is read back from
 * the attempts.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/kept.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/conversation.h"
#include "utils/timestamp.h"

#define SECOND INT64CONST(1000000)

/* how far back an earlier run's messages may still be counted: 45 at one each 6 s, and the longest request */
#define MEMORY_MS (10 * 60 * 1000)

/* how long others wait for a message that is tried again */
#define LONGEST_HOLD_MS (60 * 1000)
/* and for one that does not come when it is due, because it was cancelled */
#define GRACE (2 * SECOND)

/* they are looked through for forgotten ones when there are so many more */
#define SWEEP_AFTER 8192

typedef struct Key
{
	int64 workspace_id;
	int64 conversation_id;
} Key;

typedef struct Conversation
{
	Key key;
	int64 arrival; /* of the pair's next message, were the bucket kept exactly */
	bool busy;
	int16 priority; /* of the row taken last */
	/* a row that is to come first; 0: none */
	int64 first;
	int64 first_due;
} Conversation;

static LarasKept conversations = LARAS_KEPT("laras conversations", Conversation, key);

/*
 * Of each conversation how long after $3, our beginning, the theoretical arrival
 * time lies, and a whole bucket; microseconds. One message of it was under way at a
 * time, so each was counted before the next was claimed, and the last before $3.
 */
LARAS_PLAN(
	inherit_pairs,
	"SELECT s.workspace_id, s.conversation_id, (EXTRACT(epoch FROM pg_catalog.max(s.counted OPERATOR(pg_catalog.+) "
	"(pg_catalog.float8(s.nth OPERATOR(pg_catalog.*) r.pair_interval) OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval)) "
	"OPERATOR(pg_catalog.-) $3) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8, "
	"pg_catalog.max(pg_catalog.int8(r.pair_burst) OPERATOR(pg_catalog.*) r.pair_interval) OPERATOR(pg_catalog.*) 1000 "
	"FROM (SELECT w.workspace_id, o.connection_id, "
	"o.conversation_id, pg_catalog.lead(a.started_at, 1, $3) OVER (later) AS counted, "
	"pg_catalog.row_number() OVER (PARTITION BY w.workspace_id, o.conversation_id ORDER BY a.started_at DESC, a.id DESC) AS nth " LARAS_RECENT_SENDS
	"WINDOW later AS (PARTITION BY w.workspace_id, o.conversation_id ORDER BY a.started_at, a.id)) AS s "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) s.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) s.connection_id "
	"JOIN laras.limit_rules r ON r.channel OPERATOR(pg_catalog.=) c.channel AND r.kind OPERATOR(pg_catalog.=) 'message' "
	"WHERE r.pair_interval IS NOT NULL GROUP BY s.workspace_id, s.conversation_id",
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static Conversation *
find(int64 workspace_id, int64 conversation_id, HASHACTION action)
{
	return laras_kept_entry(&conversations, &(Key){workspace_id, conversation_id}, action);
}

static bool
is_idle(const void *entry, int64 now)
{
	const Conversation *c = entry;

	return !c->busy && c->arrival <= now && (c->first == 0 || c->first_due + GRACE <= now);
}

void
laras_conversation_sweep(int64_t now)
{
	laras_kept_sweep(&conversations, SWEEP_AFTER, now, is_idle, NULL);
}

/* Does another row come first? */
static bool
waits_for_first(Conversation *c, int64 row, int16 priority, int64 now, int64_t *again)
{
	if (c->first == 0 || c->first == row || priority < c->priority)
		return false;
	if (now >= c->first_due + GRACE)
	{
		c->first = 0;
		return false;
	}
	*again = Min(*again, now < c->first_due ? c->first_due : c->first_due + GRACE);
	return true;
}

bool
laras_conversation_take(const LarasLaneLimits *limits, int64_t workspace_id,
						int64_t conversation_id, int64_t row, int16_t priority, int64_t now,
						int64_t *again)
{
	Conversation *c = find(workspace_id, conversation_id, HASH_ENTER);

	if (c->busy || waits_for_first(c, row, priority, now, again))
		return false;
	if (limits->pair_interval_ms > 0)
	{
		int64 reach = (int64) limits->pair_interval_ms * 1000 * (Max(limits->pair_burst, 1) - 1);

		if (c->arrival > now + reach)
		{
			*again = Min(*again, c->arrival - reach);
			return false;
		}
	}
	c->busy = true;
	/* one that passes the first leaves its priority as it is */
	if (c->first == 0 || c->first == row)
		c->priority = priority;
	return true;
}

void
laras_conversation_free(int64_t workspace_id, int64_t conversation_id)
{
	Conversation *c = find(workspace_id, conversation_id, HASH_FIND);

	if (c == NULL)
		return;
	c->busy = false;
	if (c->arrival == 0 && c->first == 0)
		(void) laras_kept_entry(&conversations, &c->key, HASH_REMOVE);
}

void
laras_conversation_hold(const LarasFlight *flight, int delay_ms)
{
	Conversation *c;

	c = find(flight->workspace_id, flight->conversation_id, HASH_FIND);
	if (c == NULL)
		return;
	if (delay_ms > 0 && delay_ms <= LONGEST_HOLD_MS)
	{
		c->first = flight->outbox_id;
		c->first_due = laras_monotonic_us() + (int64) delay_ms * 1000;
	}
	else if (c->first == flight->outbox_id)
		c->first = 0;
}

void
laras_conversation_spend(const LarasFlight *flight, const LarasLaneLimits *limits, bool refused,
						 int64_t now)
{
	int64 interval = (int64) limits->pair_interval_ms * 1000;
	Conversation *c;

	if (interval == 0)
		return;
	c = find(flight->workspace_id, flight->conversation_id, HASH_ENTER);
	c->arrival = Max(c->arrival, now) + interval;
	/* the provider counts otherwise than we do: 4, 16, 64 ... seconds for one more */
	if (refused)
		c->arrival = now + interval * (Max(limits->pair_burst, 1) - 1) +
					 (SECOND << (2 * Min(Max(flight->attempts, 1), 6)));
}

void
laras_conversation_inherit(int64_t began)
{
	Datum values[3];
	uint64 found;

	laras_recent_sends(MEMORY_MS, values);
	values[2] = TimestampTzGetDatum(laras_now());
	found = laras_spi_run(&inherit_pairs, values, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		/* at most a whole bucket's, wherever the clock stood when it was sent */
		int64 left = Min(laras_spi_int8(i, 3), laras_spi_int8(i, 4));

		if (left > 0)
			find(laras_spi_int8(i, 1), laras_spi_int8(i, 2), HASH_ENTER)->arrival = began + left;
	}
}
