/*
 * wanted.c
 *		Which messages that wait for a draft come next.
 *
 * Workspaces take turns, each by its oldest messages, so that ten thousand
 * messages to one shop keep the customers of no other waiting. Of each workspace
 * it is kept how far it was looked through, because some messages stay (a model
 * is asked, somebody holds a lock) and keep nobody else waiting: a round goes
 * behind them, and the next one begins at the oldest again. A new process begins
 * a new round.
 */
#include "postgres.h"

#include "answer/wanted.h"
#include "base/kept.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* workspaces of one look: no more than a batch has messages, so that each has its turn */
#define LOOK 50
/* read of each at least */
#define EACH 8

LARAS_PLAN(add_wanted,
		   "INSERT INTO laras.draft_wanted (workspace_id, message_id, contact_id) "
		   "SELECT u.w, u.i, u.c FROM unnest($1, $2, $3) AS u (w, i, c) ON CONFLICT DO NOTHING",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* The workspaces behind $1 for which something waits, each found by one probe of the index. */
LARAS_PLAN(
	read_workspaces,
	"WITH RECURSIVE l (w) AS ((SELECT y.workspace_id FROM laras.draft_wanted y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.>) $1 ORDER BY y.workspace_id LIMIT 1) UNION ALL "
	"SELECT n.w FROM l CROSS JOIN LATERAL (SELECT y.workspace_id AS w FROM laras.draft_wanted y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.>) l.w ORDER BY y.workspace_id LIMIT 1) n) "
	"SELECT l.w FROM l LIMIT $2",
	INT8OID, INT4OID);

/* Of each its oldest, each behind a place; ordered as the index draft_wanted_order is. */
LARAS_PLAN(read_oldest,
		   "SELECT u.n, x.created_at, x.message_id FROM unnest($1, $2, $3, $4) AS u (n, w, t, m) "
		   "CROSS JOIN LATERAL (SELECT y.created_at, y.message_id FROM laras.draft_wanted y "
		   "WHERE y.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND ROW(y.created_at, y.message_id) OPERATOR(pg_catalog.>) ROW(u.t, u.m) "
		   "ORDER BY y.created_at, y.message_id LIMIT $5) AS x",
		   INT4ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT4OID);

/* how far a workspace was looked through */
typedef struct Place
{
	int64 workspace_id;
	TimestampTz created_at;
	int64 message_id;
} Place;

static LarasKept passed = LARAS_KEPT("laras drafting", Place, workspace_id);

/* of the last look: one place for each workspace, and the last that it gave */
static Place last[LOOK];
static int last_count = 0;

/* where the next look begins */
static int64 behind_workspace = PG_INT64_MIN;

/* since the first workspace: may there be more than was given? */
static bool more = false;
static bool all = true;

void
laras_wanted_again(void)
{
	laras_kept_clear(&passed);
	last_count = 0;
	behind_workspace = PG_INT64_MIN;
}

void
laras_wanted_pass(void)
{
	for (int i = 0; i < last_count; i++)
		*(Place *) laras_kept_entry(&passed, &last[i].workspace_id, HASH_ENTER) = last[i];
}

bool
laras_wanted_is_all(void)
{
	return all;
}

static Place
place_of(int64 workspace_id)
{
	Place *found = laras_kept_entry(&passed, &workspace_id, HASH_FIND);

	return found != NULL ? *found : (Place){workspace_id, DT_NOBEGIN, PG_INT64_MIN};
}

/* The next workspaces; to the end where there are fewer than fit a look. */
static void
read_next_workspaces(void)
{
	last_count =
		(int) laras_spi_run(&read_workspaces,
							(Datum[]){Int64GetDatum(behind_workspace), Int32GetDatum(LOOK)}, NULL);
	for (int i = 0; i < last_count; i++)
		last[i] = place_of(laras_spi_int8(i, 1));
}

/* The oldest of each, at most so many; returns how many there are in all. */
static uint64
read_all(int each)
{
	LarasColumn c[4];

	laras_columns_init(c, 4, last_count);
	for (int i = 0; i < last_count; i++)
	{
		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(last[i].workspace_id);
		c[2].values[i] = TimestampTzGetDatum(last[i].created_at);
		c[3].values[i] = Int64GetDatum(last[i].message_id);
	}
	return laras_spi_run(&read_oldest,
						 (Datum[]){laras_column_array(&c[0], last_count, INT4OID),
								   laras_column_array(&c[1], last_count, INT8OID),
								   laras_column_array(&c[2], last_count, TIMESTAMPTZOID),
								   laras_column_array(&c[3], last_count, INT8OID),
								   Int32GetDatum(each)},
						 NULL);
}

/* Gives the first of every workspace, then the second of every one, and so on. */
static int
give_in_turns(uint64 found, int each, LarasColumn *workspace, LarasColumn *message, int limit)
{
	int *had = palloc0(sizeof(int) * last_count);
	int n = 0;

	for (int turn = 1; turn <= each && n < limit; turn++)
	{
		memset(had, 0, sizeof(int) * last_count);
		for (uint64 i = 0; i < found && n < limit; i++)
		{
			int at = laras_spi_int4(i, 1);

			if (++had[at] != turn)
				continue;
			last[at].created_at = laras_spi_time(i, 2);
			last[at].message_id = laras_spi_int8(i, 3);
			workspace->values[n] = Int64GetDatum(last[at].workspace_id);
			message->values[n++] = Int64GetDatum(last[at].message_id);
			more = more || turn == each;
			/* who has not had a first one is the first of the next look */
			if (turn == 1 && n == limit && at < last_count - 1)
				behind_workspace = last[at].workspace_id;
		}
	}
	return n;
}

void
laras_wanted_add(const LarasColumn wanted[3], int n)
{
	if (n == 0)
		return;
	laras_spi_run(&add_wanted,
				  (Datum[]){laras_column_array(&wanted[0], n, INT8OID),
							laras_column_array(&wanted[1], n, INT8OID),
							laras_column_array(&wanted[2], n, INT8OID)},
				  NULL);
	laras_work_queued(LARAS_WORK_KEEPER);
}

int
laras_wanted_next(LarasColumn *workspace, LarasColumn *message, int limit)
{
	bool whole = behind_workspace == PG_INT64_MIN; /* all workspaces in this look */
	uint64 found = 0;
	int each = 0;
	int n = 0;

	if (whole)
		more = false;
	read_next_workspaces();
	whole = whole && last_count < LOOK;
	behind_workspace = last_count == LOOK ? last[LOOK - 1].workspace_id : PG_INT64_MIN;
	if (last_count > 0)
	{
		each = Max(EACH, 2 * limit / last_count);
		found = read_all(each);
		n = give_in_turns(found, each, workspace, message, limit);
	}
	more = more || n < (int) found || (n > 0 && !whole);
	all = behind_workspace == PG_INT64_MIN && !more;
	return n;
}
