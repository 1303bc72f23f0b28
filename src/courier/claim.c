/*
 * claim.c
 *		Takes messages that are due, decides which may leave, marks those
 *		`sending` in one committed transaction, and begins their requests.
 *
 * What a request needs to be known by is had before its row is marked: where memory
 * is short, a message stays in the queue, and is not `sending` while nothing is.
 *
 * What is taken is chosen by lane.c: one message of a conversation at a time, so
 * that what a person reads comes in the order it was written, and no more than
 * the provider's limits allow.
 *
 * Locks: connections FOR SHARE and contacts FOR KEY SHARE come before the rows
 * of the outbox, as whoever cuts a connection or erases a contact takes them;
 * the other way round each would wait for the other. Held until the commit
 * that marks, they make a disconnect or an erasure come wholly before or
 * wholly after; and the destroyed bits of the keys are asked once more right
 * before the request.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/contain.h"
#include "base/durable.h"
#include "base/fault.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/courier.h"
#include "courier/defer.h"
#include "courier/egress.h"
#include "courier/lane.h"
#include "courier/limit.h"
#include "courier/prepare.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* microseconds */
#define REFRESH_EVERY 10000

/* a message that could not be judged for an error stands back this long */
#define STAND_BACK_MS (5 * 60 * 1000)

LARAS_PLAN(lock_contacts,
		   "SELECT 1 FROM unnest($1, $2) AS u (w, p) CROSS JOIN LATERAL (SELECT 1 FROM "
		   "laras.contact x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND x.id OPERATOR(pg_catalog.=) u.p FOR KEY SHARE OF x) AS p",
		   INT8ARRAYOID, INT8ARRAYOID);

/*
 * Drafts of which a cited row changed, or went, since they were made; and those
 * that were to go by themselves and that somebody came before with an answer. The
 * index on times of conversations has the provider's, which may be behind ours.
 */
LARAS_PLAN(
	find_stale,
	"SELECT s.workspace_id, s.draft_id, false FROM unnest($1, $2) AS u (w, d) "
	"JOIN laras.draft_source s ON s.workspace_id OPERATOR(pg_catalog.=) u.w AND s.draft_id OPERATOR(pg_catalog.=) u.d " LARAS_CITED_ROWS
	"WHERE " LARAS_NO_LONGER_HOLDS
	" UNION SELECT d.workspace_id, d.id, true FROM unnest($1, $2) AS u (w, d) "
	"JOIN laras.draft d ON d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.id OPERATOR(pg_catalog.=) u.d "
	"WHERE d.decided_by OPERATOR(pg_catalog.=) 'auto' AND EXISTS (SELECT 1 FROM laras.message o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND o.conversation_id OPERATOR(pg_catalog.=) d.conversation_id "
	"AND (CASE WHEN o.provider_timestamp IS NULL THEN o.created_at ELSE o.provider_timestamp END) OPERATOR(pg_catalog.>) "
	"(d.decided_at OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval) AND o.created_at OPERATOR(pg_catalog.>) d.decided_at "
	"AND o.direction OPERATOR(pg_catalog.=) 'out' AND o.author_kind OPERATOR(pg_catalog.=) ANY ('{member,key,app}'::pg_catalog.text[]) AND NOT o.historical "
	"AND o.status OPERATOR(pg_catalog.<>) ALL ('{cancelled,failed}'::pg_catalog.text[]))",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(mark_sending,
		   "UPDATE laras.outbox o SET state = 'sending', attempt_id = u.a, incarnation = $4, "
		   "attempts = o.attempts OPERATOR(pg_catalog.+) 1 FROM unnest($1, $2, $3) AS u (w, i, a) "
		   "WHERE o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8OID);

LARAS_PLAN(add_attempts,
		   "INSERT INTO laras.send_attempt (workspace_id, id, outbox_id, contact_id) "
		   "SELECT u.w, u.a, u.o, u.c FROM unnest($1, $2, $3, $4) AS u (w, a, o, c)",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* the same where there are some of which providers take less: their kinds, and through what they leave */
LARAS_PLAN(
	add_limited_attempts,
	"INSERT INTO laras.send_attempt (workspace_id, id, outbox_id, contact_id, connection_id, limit_kind) "
	"SELECT u.w, u.a, u.o, u.c, u.n, u.k FROM unnest($1, $2, $3, $4, $5, $6) AS u (w, a, o, c, n, k)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID);

static int
compare_pair(const void *a, const void *b)
{
	const int64 *x = a;
	const int64 *y = b;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* In the order of their ids, as everybody who locks several. */
static void
lock_all_contacts(const LarasChoice *c)
{
	int64 *pair = palloc(sizeof(int64) * 2 * c->count);
	LarasColumn column[2];

	for (int i = 0; i < c->count; i++)
	{
		pair[2 * i] = DatumGetInt64(c->workspace[i]);
		pair[2 * i + 1] = DatumGetInt64(c->contact[i]);
	}
	qsort(pair, c->count, sizeof(int64) * 2, compare_pair);
	laras_columns_init(column, 2, c->count);
	for (int i = 0; i < c->count; i++)
	{
		column[0].values[i] = Int64GetDatum(pair[2 * i]);
		column[1].values[i] = Int64GetDatum(pair[2 * i + 1]);
	}
	laras_spi_run(&lock_contacts,
				  (Datum[]){laras_column_array(&column[0], c->count, INT8OID),
							laras_column_array(&column[1], c->count, INT8OID)},
				  NULL);
}

/* ------------------------------------------------------------------- judging */

/* A draft that is no answer any more. compare_pair reads the first two. */
typedef struct Stale
{
	int64 workspace_id;
	int64 draft_id;
	bool overtaken; /* by somebody's answer; else by a row that changed */
} Stale;

/* sorted */
static Stale *
find_stale_drafts(const LarasDeparture *list, int n, int *count)
{
	LarasColumn c[2];
	int drafts = 0;
	Stale *stale;

	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		if (list[i].flight.draft_id == 0)
			continue;
		c[0].values[drafts] = Int64GetDatum(list[i].flight.workspace_id);
		c[1].values[drafts++] = Int64GetDatum(list[i].flight.draft_id);
	}
	*count = 0;
	if (drafts == 0)
		return NULL;
	*count = (int) laras_spi_run(&find_stale,
								 (Datum[]){laras_column_array(&c[0], drafts, INT8OID),
										   laras_column_array(&c[1], drafts, INT8OID)},
								 NULL);
	stale = palloc(sizeof(Stale) * (*count + 1));
	for (int i = 0; i < *count; i++)
		stale[i] = (Stale){laras_spi_int8(i, 1), laras_spi_int8(i, 2), laras_spi_bool(i, 3)};
	qsort(stale, *count, sizeof(Stale), compare_pair);
	return stale;
}

/* What laras_departure_judge is asked. */
typedef struct Judgement
{
	uint64 row;
	LarasDeparture *departure;
	LarasRoutes *routes;
	MemoryContext context;
	LarasOutcome *outcome;
	bool leaves;
} Judgement;

static void
judge(void *arg)
{
	Judgement *j = arg;

	j->leaves = laras_departure_judge(j->row, j->departure, j->routes, j->context, j->outcome);
}

/*
 * The same where a batch has failed before: a message that cannot be judged
 * stands back, and the others do not wait for it.
 */
static bool
judge_apart(uint64 row, LarasDeparture *d, LarasRoutes *routes, MemoryContext context,
			LarasOutcome *outcome)
{
	Judgement j = {row, d, routes, context, outcome, false};
	SPITupleTable *rows = SPI_tuptable;
	ErrorData *error = laras_contain(judge, &j, laras_any_error);

	SPI_tuptable = rows;
	if (error == NULL)
		return j.leaves;
	ereport(LOG,
			(errcode(error->sqlerrcode), errmsg("a message could not be judged and stands back"),
			 errdetail("The error was SQLSTATE %s.", unpack_sql_state(error->sqlerrcode))));
	d->flight.attempt_id = 0;
	*outcome = laras_departure_stays(&d->flight, "queued", "error", NULL, NULL);
	outcome->delay_ms = STAND_BACK_MS;
	return false;
}

static void
mark(const LarasDeparture *list, int n)
{
	LarasColumn c[6];
	Datum workspaces;
	Datum rows;
	Datum attempts;
	Datum contacts;
	bool *no_kind = palloc(sizeof(bool) * n);
	int limited = 0;

	laras_columns_init(c, 6, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(list[i].flight.workspace_id);
		c[1].values[i] = Int64GetDatum(list[i].flight.outbox_id);
		c[2].values[i] = Int64GetDatum(list[i].flight.attempt_id);
		c[3].values[i] = Int64GetDatum(list[i].flight.contact_id);
		no_kind[i] = list[i].flight.limit_kind == LARAS_LIMIT_NONE;
		c[4].values[i] = Int64GetDatum(list[i].flight.connection_id);
		c[5].values[i] = no_kind[i] ? (Datum) 0
									: CStringGetTextDatum(laras_limit_kind_name(
										  (LarasLimitKind) list[i].flight.limit_kind));
		limited += !no_kind[i];
	}
	c[4].nulls = c[5].nulls = no_kind;
	workspaces = laras_column_array(&c[0], n, INT8OID);
	rows = laras_column_array(&c[1], n, INT8OID);
	attempts = laras_column_array(&c[2], n, INT8OID);
	contacts = laras_column_array(&c[3], n, INT8OID);
	/* a request may begin that must not begin again after a crash or a failover */
	laras_commit_durably();
	laras_spi_run(&mark_sending,
				  (Datum[]){workspaces, rows, attempts, Int64GetDatum(laras_courier_run)}, NULL);
	if (limited == 0)
		laras_spi_run(&add_attempts, (Datum[]){workspaces, attempts, rows, contacts}, NULL);
	else
		laras_spi_run(&add_limited_attempts,
					  (Datum[]){workspaces, attempts, rows, contacts,
								laras_column_array(&c[4], n, INT8OID),
								laras_column_array(&c[5], n, TEXTOID)},
					  NULL);
}

/* flights of the messages that leave, in their order; NULL once begun */
typedef struct Reserve
{
	int count;
	LarasFlight *flight[FLEXIBLE_ARRAY_MEMBER];
} Reserve;

static LarasFlight *
reserve_flight(void)
{
	return LARAS_FAULT_FAILS("courier_flight", -1) ? NULL : laras_http_memory(sizeof(LarasFlight));
}

static void
give_back(Reserve *reserve)
{
	for (int i = 0; i < reserve->count; i++)
		if (reserve->flight[i] != NULL)
			laras_http_give_back(reserve->flight[i], sizeof(LarasFlight));
}

/*
 * Judge the chosen rows that are still there and mark those that leave, each with
 * a flight. Returns how many leave: the first of *list.
 */
static int
judge_all(const LarasChoice *c, LarasDeparture *list, Reserve *reserve, MemoryContext context,
		  bool apart)
{
	LarasRoutes *routes = laras_routes_read(context, c->workspace, c->connection, c->count);
	LarasOutcome *outcomes = palloc(sizeof(LarasOutcome) * c->count);
	LarasFlight *stayers = palloc(sizeof(LarasFlight) * c->count);
	int leaving = 0;
	int staying = 0;
	int found;
	Stale *stale;
	int stale_count;
	SPITupleTable *rows;

	lock_all_contacts(c);
	found = laras_departures_read(list, c->workspace, c->row, c->count);
	LARAS_FAULT("courier_after_claim");
	rows = SPI_tuptable;
	stale = find_stale_drafts(list, found, &stale_count);
	SPI_tuptable = rows;
	for (int i = 0; i < found; i++)
	{
		LarasDeparture d = list[i];
		int64 key[2] = {d.flight.workspace_id, d.flight.draft_id};
		const Stale *late;
		LarasOutcome *outcome = &outcomes[staying];
		bool leaves = false;

		late =
			stale_count == 0 ? NULL : bsearch(key, stale, stale_count, sizeof(Stale), compare_pair);
		if (late != NULL)
		{
			d.flight.workspace_slot = laras_workspace_slot(d.flight.workspace_id);
			/* whoever answered knows that they did */
			*outcome =
				late->overtaken
					? laras_departure_stays(&d.flight, "cancelled", "overtaken", "cancelled", NULL)
					: laras_departure_stays(&d.flight, "cancelled", "draft_stale", "cancelled",
											"draft_stale");
		}
		else
			leaves = apart ? judge_apart(i, &d, routes, context, outcome)
						   : laras_departure_judge(i, &d, routes, context, outcome);
		if (leaves)
		{
			reserve->flight[leaving] = reserve_flight();
			if (reserve->flight[leaving] == NULL)
			{
				leaves = false;
				d.flight.attempt_id = 0;
				*outcome = laras_departure_waits(&d.flight);
			}
		}
		if (leaves)
		{
			list[leaving++] = d;
			reserve->count = leaving;
		}
		else
		{
			stayers[staying] = d.flight;
			outcome->flight = &stayers[staying++];
		}
	}
	if (leaving > 0)
		mark(list, leaving);
	if (staying > 0)
		laras_courier_settle(outcomes, staying);
	return leaving;
}

/* ------------------------------------------------------------------- departing */

/*
 * Begin the requests. A connection cut since the commit is noticed by its
 * destroyed bit, which is set before a disconnect returns to its caller.
 */
static void
depart(const LarasDeparture *list, Reserve *reserve)
{
	for (int i = 0; i < reserve->count; i++)
	{
		const LarasDeparture *d = &list[i];
		LarasFlight *flight = reserve->flight[i];

		reserve->flight[i] = NULL;
		*flight = d->flight;
		if (laras_flight_is_cut(flight))
			flight->call = NULL;
		else if (d->request.envelope != NULL)
			flight->call = laras_http_start_mail(d->request.url.s, d->request.url.n,
												 d->request.envelope, d->request.body.s,
												 d->request.body.n, d->token, d->token_n, flight);
		else
			flight->call = laras_http_start(d->request.method, d->request.url.s, d->request.url.n,
											d->request.type, d->request.body.s, d->request.body.n,
											d->token, d->token_n, d->request.token_at, flight);
		/* never begun: the record says so, and the row is queued again or cancelled */
		if (flight->call == NULL)
			laras_courier_ended(&flight, 1);
		LARAS_FAULT("courier_after_start");
	}
}

/* The places of what was chosen and does not leave are free again. */
static void
free_stayers(const LarasChoice *c, const LarasDeparture *list, int leaving)
{
	for (int i = 0; i < c->count; i++)
	{
		bool leaves = false;

		for (int k = 0; k < leaving && !leaves; k++)
			leaves = list[k].flight.outbox_id == DatumGetInt64(c->row[i]);
		if (!leaves)
			laras_choice_back(c, i);
	}
}

/* What every judgement goes by; in a burst of batches it is read now and then. */
static void
refresh(void)
{
	static int64 refreshed_at = 0;
	int64 now = laras_monotonic_us();

	if (refreshed_at != 0 && now - refreshed_at < REFRESH_EVERY)
		return;
	laras_egress_refresh();
	laras_window_refresh();
	refreshed_at = now;
}

int
laras_courier_dispatch(int n)
{
	static bool failed_before = false;
	bool apart = failed_before;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "laras departures", ALLOCSET_DEFAULT_SIZES);
	LarasDeparture *list;
	Reserve *reserve;
	LarasChoice *volatile chosen = NULL;
	int leaving = 0;
	int found;
	volatile int left = 0;
	volatile int deferred = 0;

	MemoryContextSwitchTo(context);
	list = palloc(sizeof(LarasDeparture) * (n + 1));
	reserve = palloc(offsetof(Reserve, flight) + sizeof(LarasFlight *) * (n + 1));
	reserve->count = 0;
	failed_before = true;
	PG_TRY();
	{
		laras_worker_begin("handing off messages");
		laras_worker_bind_all();
		laras_spi_open();
		chosen = laras_choose(n, context);
		if (chosen->count > 0)
		{
			refresh();
			leaving = judge_all(chosen, list, reserve, context, apart);
		}
		laras_spi_close();
		LARAS_FAULT("courier_before_mark_commit");
		laras_worker_commit();
		LARAS_FAULT("courier_after_mark_commit");
		failed_before = false;
		left = leaving;
		MemoryContextSwitchTo(context);
		depart(list, reserve);
		deferred = laras_defer_write();
	}
	PG_FINALLY();
	{
		laras_defer_drop();
		if (chosen != NULL)
			free_stayers(chosen, list, left);
		give_back(reserve);
		found = chosen != NULL ? chosen->count : 0;
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	return found + deferred;
}
