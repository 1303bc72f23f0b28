/*
 * defer.c
 *		Rows of the outbox that wait for a limit of their kind; see defer.h.
 *
 * Such a row stays queued, with a reason that says which limit, and not before the
 * moment at which it may leave: so it is not read until then, and its owner can see
 * both. What was written after it in its conversation waits behind it (lane.c).
 *
 * Locks: a transaction that waits for no other; a row that somebody holds is looked
 * at again.
 */
#include "postgres.h"

#include "base/kept.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/again.h"
#include "courier/conversation.h"
#include "courier/courier.h"
#include "courier/defer.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "worker/worker.h"

/* rows put off at once */
#define MOST 1000

/* kinds of connections that are brought forward at once */
#define MOST_BROUGHT 64

/* microseconds: how often it is counted what waits of a connection */
#define COUNT_EVERY INT64CONST(1000000)
#define SWEEP_AFTER 4096

typedef struct Deferred
{
	int64 workspace_id;
	int64 row;
	int64 conversation_id;
	bool held;
	LarasLimitKind kind;
	int64 delay; /* microseconds */
} Deferred;

typedef struct Brought
{
	int64 workspace_id;
	int64 connection_id;
	LarasLimitKind kind;
	int n;
} Brought;

typedef struct Counted
{
	struct
	{
		int64 workspace_id;
		int64 connection_id;
	} key;
	int64 at;
	const LarasRules *rules;
} Counted;

static Deferred deferred[MOST];
static int deferred_count = 0;
static Brought brought[MOST_BROUGHT];
static int brought_count = 0;
static LarasKept counted = LARAS_KEPT("laras connections limited by kind", Counted, key);

LARAS_PLAN(
	count_waiting,
	"SELECT u.w, u.c, k.reason, k.answers, k.bulk FROM unnest($1, $2) AS u (w, c) CROSS JOIN LATERAL "
	"(SELECT o.reason, pg_catalog.count(*) FILTER (WHERE o.priority OPERATOR(pg_catalog.<) $3) AS answers, "
	"pg_catalog.count(*) FILTER (WHERE o.priority OPERATOR(pg_catalog.>=) $3) AS bulk FROM laras.outbox o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.connection_id OPERATOR(pg_catalog.=) u.c "
	"AND " LARAS_WAITS_FOR_LIMIT("o") " GROUP BY o.reason) AS k",
	INT8ARRAYOID, INT8ARRAYOID, INT2OID);

/* CASE, because a plain condition on the state would offer the partial indexes of the queue */
LARAS_PLAN(
	put_off,
	"UPDATE laras.outbox o SET not_before = laras.now() OPERATOR(pg_catalog.+) "
	"(u.d OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval), reason = u.r, error_code = NULL "
	"FROM (SELECT x.workspace_id, x.id, v.d, v.r FROM unnest($1, $2, $3, $4) AS v (w, i, d, r) "
	"CROSS JOIN LATERAL (SELECT y.workspace_id, y.id FROM laras.outbox y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) v.w AND y.id OPERATOR(pg_catalog.=) v.i "
	"AND CASE WHEN y.state OPERATOR(pg_catalog.=) 'queued' THEN true ELSE false END "
	"FOR UPDATE OF y SKIP LOCKED) AS x) AS u "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) u.workspace_id AND o.id OPERATOR(pg_catalog.=) u.id",
	INT8ARRAYOID, INT8ARRAYOID, FLOAT8ARRAYOID, TEXTARRAYOID);

/* in the order in which they would have left */
LARAS_PLAN(
	bring_forward,
	"UPDATE laras.outbox o SET not_before = laras.now() OPERATOR(pg_catalog.-) "
	"(pg_catalog.float8(u.back) OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval) "
	"FROM (SELECT w.id, pg_catalog.row_number() OVER (ORDER BY w.priority DESC, w.not_before DESC, w.id DESC) AS back "
	"FROM (SELECT x.id, x.priority, x.not_before FROM laras.outbox x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.connection_id OPERATOR(pg_catalog.=) $2 "
	"AND " LARAS_WAITS_FOR_LIMIT(
		"x") " AND x.reason OPERATOR(pg_catalog.=) $3 AND x.not_before OPERATOR(pg_catalog.>) laras.now() "
			 "ORDER BY x.priority, x.not_before, x.id LIMIT $4 FOR UPDATE OF x SKIP LOCKED) AS w) AS u "
			 "WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) u.id",
	INT8OID, INT8OID, TEXTOID, INT4OID);

/* ------------------------------------------------------------------- counting */

static Counted *
find_counted(int64 workspace_id, int64 connection_id, HASHACTION action)
{
	Counted of = {.key = {workspace_id, connection_id}};

	return laras_kept_entry(&counted, &of.key, action);
}

/* What was asked long ago is asked again when it is wanted. */
static bool
is_idle(const void *entry, int64 now)
{
	return ((const Counted *) entry)->at < now - COUNT_EVERY;
}

void
laras_defer_count(const LarasLimited *list, int n, int64_t now)
{
	LarasColumn c[2];
	SPITupleTable *rows;
	int asking = 0;
	uint64 found;

	laras_kept_sweep(&counted, SWEEP_AFTER, now, is_idle, NULL);
	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		Counted *of = find_counted(list[i].workspace_id, list[i].connection_id, HASH_ENTER);

		of->rules = list[i].rules;
		if (of->at != 0 && now - of->at < COUNT_EVERY)
			continue;
		of->at = now;
		/* of what is not found below none waits */
		for (int k = LARAS_LIMIT_NONE + 1; k < LARAS_LIMIT_KINDS; k++)
			laras_allowance_waiting(list[i].workspace_id, list[i].connection_id, (LarasLimitKind) k,
									0, 0);
		c[0].values[asking] = Int64GetDatum(list[i].workspace_id);
		c[1].values[asking++] = Int64GetDatum(list[i].connection_id);
	}
	if (asking == 0)
		return;
	found = laras_spi_read(&count_waiting,
						   (Datum[]){laras_column_array(&c[0], asking, INT8OID),
									 laras_column_array(&c[1], asking, INT8OID),
									 Int16GetDatum(LARAS_PRIORITY_BULK)},
						   NULL);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < found; i++)
	{
		int64 workspace_id = laras_spi_int8(i, 1);
		int64 connection_id = laras_spi_int8(i, 2);
		LarasLimitKind kind = laras_limit_of_reason(laras_spi_cstring(i, 3));
		Counted *of = find_counted(workspace_id, connection_id, HASH_FIND);

		(void) laras_allowance(workspace_id, connection_id, kind, &of->rules->kind[kind], now);
		SPI_tuptable = rows;
		laras_allowance_waiting(workspace_id, connection_id, kind,
								(int) Min(laras_spi_int8(i, 4), INT_MAX / 4),
								(int) Min(laras_spi_int8(i, 5), INT_MAX / 4));
	}
}

/* ------------------------------------------------------------------ putting off */

bool
laras_defer_has_room(void)
{
	return deferred_count < MOST;
}

void
laras_defer(int64_t workspace_id, int64_t row, int64_t conversation_id, bool held,
			LarasLimitKind kind, int64_t until, int64_t now)
{
	Assert(laras_defer_has_room());
	deferred[deferred_count++] =
		(Deferred){workspace_id, row, conversation_id, held, kind, Max(until - now, 1)};
}

void
laras_defer_bring(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind, int n)
{
	/* those for which there is no room are found again */
	if (brought_count < MOST_BROUGHT)
		brought[brought_count++] = (Brought){workspace_id, connection_id, kind, n};
}

void
laras_defer_drop(void)
{
	for (int i = 0; i < deferred_count; i++)
		if (deferred[i].held)
			laras_conversation_free(deferred[i].workspace_id, deferred[i].conversation_id);
	deferred_count = 0;
	brought_count = 0;
}

static void
write_put_off(void)
{
	LarasColumn c[4];

	laras_columns_init(c, 4, deferred_count);
	for (int i = 0; i < deferred_count; i++)
	{
		c[0].values[i] = Int64GetDatum(deferred[i].workspace_id);
		c[1].values[i] = Int64GetDatum(deferred[i].row);
		c[2].values[i] = Float8GetDatum((double) deferred[i].delay);
		c[3].values[i] = CStringGetTextDatum(laras_limit_reason(deferred[i].kind));
	}
	laras_spi_run(&put_off,
				  (Datum[]){laras_column_array(&c[0], deferred_count, INT8OID),
							laras_column_array(&c[1], deferred_count, INT8OID),
							laras_column_array(&c[2], deferred_count, FLOAT8OID),
							laras_column_array(&c[3], deferred_count, TEXTOID)},
				  NULL);
}

int
laras_defer_write(void)
{
	int n = deferred_count + brought_count;

	if (n == 0)
		return 0;
	laras_worker_begin("putting off what waits for a limit");
	laras_worker_bind_all();
	laras_spi_open();
	if (deferred_count > 0)
		write_put_off();
	for (int i = 0; i < brought_count; i++)
		laras_spi_run(&bring_forward,
					  (Datum[]){Int64GetDatum(brought[i].workspace_id),
								Int64GetDatum(brought[i].connection_id),
								CStringGetTextDatum(laras_limit_reason(brought[i].kind)),
								Int32GetDatum(brought[i].n)},
					  NULL);
	laras_spi_close();
	laras_worker_commit();
	for (int i = 0; i < deferred_count; i++)
		laras_again_in((int) Min(deferred[i].delay / 1000 + 1, PG_INT32_MAX / 2));
	laras_defer_drop();
	return n;
}
