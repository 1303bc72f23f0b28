/*
 * consume.c
 *		The intake worker: reads events by cursor and applies them in chunks.
 *
 * The cursor is a pair of snapshots. A batch is what became visible between
 * `position` (everything visible in it was applied) and `target`: transactions
 * that were running in position, and those that began after it, as far as
 * target sees them. A batch is read in chunks in the order (txid, id); the
 * last event applied is kept beside target, so that a restart goes on in the
 * middle. The cursor row is written in the transaction that applies a chunk:
 * an event is applied exactly once, or again with no effect.
 *
 * A chunk that fails is halved, in subtransactions, until the bad event stands
 * alone; that one goes to quarantine. An error that speaks of the server and
 * not of the event (no memory, no key, shutting down) is not the event's
 * fault: the chunk is tried again later.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "base/contain.h"
#include "base/errors.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "inbox/inbox.h"
#include "intake/admit.h"
#include "intake/intake.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/installation.h"

/* events of one chunk, and the bytes of their bodies */
#define CHUNK_EVENTS 500
#define CHUNK_BYTES (8 * 1024 * 1024)

/* a pg_snapshot, which no header names */
#define PG_SNAPSHOT_OID 5038

LARAS_PLAN(
	read_cursor,
	"SELECT c.position::pg_catalog.text, c.target::pg_catalog.text, c.last_txid, c.last_id, "
	"c.moved_at OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval) "
	"FROM laras.event_cursor c WHERE c.name OPERATOR(pg_catalog.=) 'intake' FOR UPDATE",
	INT4OID);

/* Before everything: transaction ids begin at 3. */
LARAS_PLAN(
	make_cursor,
	"INSERT INTO laras.event_cursor (name, position) VALUES ('intake', '1:1:') ON CONFLICT DO NOTHING",
	INT4OID);

LARAS_PLAN(begin_batch, "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text", INT4OID);

/*
 * The events of a batch after (last_txid, last_id). Two ranges of one index:
 * what ran in position, and what began after it.
 */
LARAS_PLAN(
	read_events,
	"SELECT e.workspace_id, e.id, e.connection_id, e.channel, e.received_at, e.body, e.txid FROM ("
	"(SELECT * FROM laras.webhook_event w "
	"WHERE w.txid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT pg_catalog.pg_snapshot_xip($1::pg_catalog.pg_snapshot))) "
	"AND pg_catalog.pg_visible_in_snapshot(w.txid, $2::pg_catalog.pg_snapshot) "
	"AND ROW(w.txid, w.id) OPERATOR(pg_catalog.>) ROW($3, $4) "
	"ORDER BY w.txid, w.id LIMIT $5) "
	"UNION ALL "
	"(SELECT * FROM laras.webhook_event w "
	"WHERE w.txid OPERATOR(pg_catalog.>=) pg_catalog.pg_snapshot_xmax($1::pg_catalog.pg_snapshot) "
	"AND w.txid OPERATOR(pg_catalog.<) pg_catalog.pg_snapshot_xmax($2::pg_catalog.pg_snapshot) "
	"AND pg_catalog.pg_visible_in_snapshot(w.txid, $2::pg_catalog.pg_snapshot) "
	"AND ROW(w.txid, w.id) OPERATOR(pg_catalog.>) ROW($3, $4) "
	"ORDER BY w.txid, w.id LIMIT $5)"
	") e ORDER BY e.txid, e.id LIMIT $5",
	TEXTOID, TEXTOID, XID8OID, INT8OID, INT4OID);

LARAS_PLAN(
	step_batch,
	"UPDATE laras.event_cursor SET last_txid = $1, last_id = $2, "
	"events = events OPERATOR(pg_catalog.+) $3, moved_at = laras.now(), target = $4::pg_catalog.pg_snapshot "
	"WHERE name OPERATOR(pg_catalog.=) 'intake'",
	XID8OID, INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	end_batch,
	"UPDATE laras.event_cursor SET position = $2::pg_catalog.pg_snapshot, target = NULL, last_txid = NULL, last_id = NULL, "
	"events = events OPERATOR(pg_catalog.+) $1, moved_at = laras.now() "
	"WHERE name OPERATOR(pg_catalog.=) 'intake'",
	INT8OID, TEXTOID);

LARAS_PLAN(
	lock_connections,
	"SELECT c.workspace_id, c.id, c.state FROM laras.connection c "
	"JOIN unnest($1, $2) AS u (w, i) "
	"ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i FOR SHARE OF c",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(find_source,
		   "SELECT a.app_id, a.options::pg_catalog.text, c.account_ids FROM laras.connection c "
		   "JOIN laras.provider_app a ON a.id OPERATOR(pg_catalog.=) c.provider_app_id "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* a raw event read from the ring */
typedef struct Event
{
	int64 workspace_id;
	int64 id;
	int64 connection_id;
	const LarasChannelDriver *driver;
	char *channel;
	TimestampTz received_at;
	bytea *body;
	FullTransactionId txid;
	size_t bytes;
} Event;

/*
 * Does an error speak of the server, and not of the event it met?
 */
static bool
is_of_the_server(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
		case ERRCODE_TO_CATEGORY(ERRCODE_CONNECTION_EXCEPTION):
			return true;
	}
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == LARAS_ERRCODE_VAULT_CLOSED ||
		   sqlstate == LARAS_ERRCODE_WRONG_MASTER_KEY || sqlstate == LARAS_ERRCODE_SLAB_ABSENT ||
		   sqlstate == LARAS_ERRCODE_KEYRING_FOREIGN || sqlstate == LARAS_ERRCODE_KEYRING_OLD ||
		   sqlstate == LARAS_ERRCODE_NO_SLOT || sqlstate == LARAS_ERRCODE_MIRROR_UNWRITABLE;
}

/* Which connections of these events still stand; locks them against a disconnect. */
static void
drop_inert(Event *events, int *n)
{
	Datum *workspaces = palloc(sizeof(Datum) * *n);
	Datum *connections = palloc(sizeof(Datum) * *n);
	uint64 found;
	int kept = 0;
	int pairs = 0;
	LarasIgnored *ignored = palloc(sizeof(LarasIgnored) * *n);
	int ignored_count = 0;

	for (int i = 0; i < *n; i++)
	{
		int k = 0;

		while (k < pairs && (DatumGetInt64(connections[k]) != events[i].connection_id ||
							 DatumGetInt64(workspaces[k]) != events[i].workspace_id))
			k++;
		if (k < pairs)
			continue;
		workspaces[pairs] = Int64GetDatum(events[i].workspace_id);
		connections[pairs++] = Int64GetDatum(events[i].connection_id);
	}
	laras_spi_open();
	found =
		laras_spi_run(&lock_connections,
					  (Datum[]){PointerGetDatum(construct_array(workspaces, pairs, INT8OID, 8,
																FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
								PointerGetDatum(construct_array(connections, pairs, INT8OID, 8,
																FLOAT8PASSBYVAL, TYPALIGN_DOUBLE))},
					  NULL);
	for (int i = 0; i < *n; i++)
	{
		const char *why = "disconnected";

		for (uint64 k = 0; k < found; k++)
			if (laras_spi_int8(k, 1) == events[i].workspace_id &&
				laras_spi_int8(k, 2) == events[i].connection_id)
			{
				bool isnull;
				char *state = TextDatumGetCString(laras_spi_value(k, 3, &isnull));

				if (strcmp(state, "disconnected") != 0)
					why = NULL;
				break;
			}
		if (why == NULL)
			events[kept++] = events[i];
		else
			ignored[ignored_count++] = (LarasIgnored){events[i].channel, why, 1};
	}
	laras_spi_close();
	laras_count_ignored(ignored, ignored_count);
	*n = kept;
}

/* The name under which the provider knows the account; absent where the key is gone. */
static LarasText
account_of(const Event *event, const bytea *account_ids)
{
	LarasText none = {NULL, 0};
	char *opened;
	size_t n;

	if (account_ids == NULL ||
		laras_try_open(account_ids, event->workspace_id, event->connection_id,
					   LARAS_FIELD_connection_account_ids, &opened, &n) != LARAS_OPENED)
		return none;
	return laras_json_text_at(laras_json_own(laras_json_parse(opened, n, NULL)),
							  laras_account_member(event->driver, LARAS_ACCOUNT_NUMBER));
}

/* Which account an event came to, and what its app's options say. */
static void
read_source(const Event *event, LarasPieceSource *source)
{
	char *app_id = NULL;
	char *options = NULL;
	bytea *account_ids = NULL;

	laras_spi_open();
	if (laras_spi_read(&find_source,
					   (Datum[]){Int64GetDatum(event->workspace_id),
								 Int64GetDatum(event->connection_id)},
					   NULL) > 0)
	{
		app_id = laras_spi_cstring(0, 1);
		options = laras_spi_cstring(0, 2);
		if (!event->driver->app_of_account)
			account_ids = (bytea *) laras_spi_varlena(0, 3);
	}
	laras_spi_close();
	if (app_id == NULL || options == NULL)
		return;
	/* one app an account, under one id */
	source->account =
		event->driver->app_of_account ? laras_text(app_id) : account_of(event, account_ids);
	source->options = laras_json_own(laras_json_parse(options, strlen(options), NULL));
}

/* What a stored body says; NULL with *reason. */
static json_t *
read_document(const Event *event, const char *text, size_t n, const char **reason)
{
	json_t *document;

	if (event->driver == NULL || event->driver->read == NULL)
		return laras_json_read(text, n, reason);
	document = event->driver->read(text, n, reason);
	return document == NULL ? NULL : laras_json_own(document);
}

/* Open, read and apply events; raises on the first that cannot be. */
static void
apply(Event *events, int n)
{
	LarasInboxEvent *inbox = palloc0(sizeof(LarasInboxEvent) * (n + 1));
	LarasCommented *commented = palloc(sizeof(LarasCommented) * (n + 1));
	LarasIgnored *ignored = palloc(sizeof(LarasIgnored) * (n + 1));
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	int count = 0;
	LarasPieceSource source = {{NULL, 0}, NULL};
	int64 source_of = 0; /* connection; many events in a row come to one */
	int commented_count = 0;
	int ignored_count = 0;

	for (int i = 0; i < n; i++)
	{
		Event *event = &events[i];
		LarasInboxEvent *in = &inbox[count];
		const char *reason = NULL;
		const char *aside = NULL;
		bool comments = false;
		char *text;
		size_t length;
		json_t *document;

		CHECK_FOR_INTERRUPTS();
		if (laras_open(event->body, event->workspace_id, event->id, LARAS_FIELD_webhook_event_body,
					   &text, &length) != LARAS_OPENED)
		{
			ignored[ignored_count++] = (LarasIgnored){event->channel, "key_destroyed", 1};
			continue;
		}
		in->workspace_id = event->workspace_id;
		in->workspace_slot = laras_workspace_slot(event->workspace_id);
		in->connection_id = event->connection_id;
		in->driver = event->driver;
		in->received_at = event->received_at;
		in->body = (LarasText){text, length};
		document = read_document(event, text, length, &reason);
		if (document != NULL && event->driver != NULL)
		{
			const LarasPieceSource none = {{NULL, 0}, NULL};

			if (event->driver->wants_source && source_of != event->connection_id)
			{
				source = none;
				read_source(event, &source);
				source_of = event->connection_id;
			}
			in->record_count =
				event->driver->parse(document, event->driver->wants_source ? &source : &none,
									 &allocator, &in->records, &reason);
			if (in->record_count > 0)
				count++;
		}
		else if (reason == NULL)
			reason = "no_driver";
		if (document == NULL || event->driver == NULL || in->record_count < 0)
			aside = reason;
		for (int k = 0; k < in->record_count; k++)
		{
			if (aside == NULL && (in->records[k].kind == LARAS_RECORD_FAULT ||
								  in->records[k].kind == LARAS_RECORD_OTHER))
				aside = in->records[k].reason;
			comments = comments || in->records[k].kind == LARAS_RECORD_COMMENT;
		}
		if (comments)
			commented[commented_count++] = (LarasCommented){in, event->channel, text, length};
		if (aside != NULL)
			laras_quarantine_event(event->workspace_id, event->connection_id, event->channel,
								   event->received_at, "00000", aside, text, length);
	}
	laras_count_ignored(ignored, ignored_count);
	if (commented_count > 0)
		laras_comments_admit(commented, commented_count);
	laras_inbox_apply(inbox, count);
}

/* Set the one bad event aside with the error it raised. */
static void
quarantine_failed(const Event *event, int sqlstate)
{
	char *text;
	size_t length;
	LarasOpen opened = LARAS_OPEN_DESTROYED;

	if (sqlstate != LARAS_ERRCODE_VALUE_MISPLACED && sqlstate != LARAS_ERRCODE_KEY_DAMAGED)
		opened = laras_open(event->body, event->workspace_id, event->id,
							LARAS_FIELD_webhook_event_body, &text, &length);
	if (opened == LARAS_OPENED)
		laras_quarantine_event(event->workspace_id, event->connection_id, event->channel,
							   event->received_at, unpack_sql_state(sqlstate), "failed", text,
							   length);
	else
	{
		/* it cannot even be opened: nothing is left that could be kept */
		LarasIgnored ignored = {event->channel, "unreadable", 1};

		laras_count_ignored(&ignored, 1);
	}
}

typedef struct Events
{
	Event *events;
	int n;
} Events;

static void
apply_all(void *arg)
{
	Events *all = arg;

	apply(all->events, all->n);
}

static bool
is_of_the_events(int sqlstate)
{
	return !is_of_the_server(sqlstate);
}

/*
 * Apply events[0..n); halve on error. Runs in subtransactions, so that a
 * failure leaves no trace of the half that failed.
 */
static void
apply_halving(Event *events, int n)
{
	Events all = {events, n};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch;
	ErrorData *error;
	int failure = 0;

	if (n == 0)
		return;
	scratch = AllocSetContextCreate(caller, "laras intake chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	error = laras_contain(apply_all, &all, is_of_the_events);
	if (error != NULL)
	{
		failure = error->sqlerrcode;
		if (n == 1)
			ereport(LOG, (errcode(failure),
						  errmsg("an event of channel %s could not be applied and was set aside",
								 events[0].channel),
						  errdetail("The error was SQLSTATE %s, raised in %s.",
									unpack_sql_state(failure),
									error->funcname ? error->funcname : "an unknown function")));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	if (failure == 0)
		return;
	if (n == 1)
	{
		quarantine_failed(&events[0], failure);
		return;
	}
	apply_halving(events, n / 2);
	apply_halving(events + n / 2, n - n / 2);
}

/*
 * Read a chunk. Everything is copied into CurrentMemoryContext. The statement
 * takes a snapshot of its own, which is no older than target: with that of the
 * turn's beginning, what committed between the two would be counted as read and
 * never be seen.
 */
static int
read_chunk(const char *position, const char *target, bool resumed, FullTransactionId last_txid,
		   int64 last_id, Event **events, bool *full)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64 found;
	size_t bytes = 0;
	int n = 0;

	laras_spi_open();
	found =
		laras_spi_run(&read_events,
					  (Datum[]){CStringGetTextDatum(position), CStringGetTextDatum(target),
								FullTransactionIdGetDatum(resumed ? last_txid
																  : FullTransactionIdFromU64(0)),
								Int64GetDatum(resumed ? last_id : 0), Int32GetDatum(CHUNK_EVENTS)},
					  NULL);
	*events = MemoryContextAlloc(caller, sizeof(Event) * (found + 1));
	*full = found == CHUNK_EVENTS;
	for (uint64 i = 0; i < found; i++)
	{
		Event *event = &(*events)[n];
		bool isnull;

		event->bytes = toast_raw_datum_size(laras_spi_value(i, 6, &isnull));
		if (n > 0 && bytes + event->bytes > CHUNK_BYTES)
		{
			*full = true;
			break;
		}
		bytes += event->bytes;
		event->workspace_id = laras_spi_int8(i, 1);
		event->id = laras_spi_int8(i, 2);
		event->connection_id = laras_spi_int8(i, 3);
		event->channel = laras_spi_cstring(i, 4);
		event->driver = laras_channel_driver(event->channel);
		event->received_at = laras_spi_time(i, 5);
		event->body = (bytea *) laras_spi_varlena(i, 6);
		event->txid = DatumGetFullTransactionId(laras_spi_value(i, 7, &isnull));
		n++;
	}
	laras_spi_close();
	return n;
}

/*
 * One chunk a turn. In the loop's transaction.
 */
LarasTurn
laras_intake_turn(void)
{
	char *position;
	char *target;
	bool resumed;
	FullTransactionId last_txid = FullTransactionIdFromU64(0);
	int64 last_id = 0;
	Event *events;
	int n;
	int applied = 0;
	bool stale;
	bool full;
	bool isnull;

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	if (laras_spi_run(&read_cursor, (Datum[]){Int32GetDatum(0)}, NULL) == 0)
	{
		laras_spi_run(&make_cursor, (Datum[]){Int32GetDatum(0)}, NULL);
		laras_spi_close();
		return LARAS_TURN_MORE;
	}
	position = laras_spi_cstring(0, 1);
	target = laras_spi_cstring(0, 2);
	resumed = target != NULL && !laras_spi_isnull(0, 3);
	stale = laras_spi_bool(0, 5);
	if (resumed)
	{
		last_txid = DatumGetFullTransactionId(laras_spi_value(0, 3, &isnull));
		last_id = laras_spi_int8(0, 4);
	}
	if (target == NULL)
	{
		laras_spi_run_one(&begin_batch, (Datum[]){Int32GetDatum(0)}, NULL);
		target = laras_spi_cstring(0, 1);
	}
	laras_spi_close();

	n = read_chunk(position, target, resumed, last_txid, last_id, &events, &full);
	if (n > 0)
	{
		Event last = events[n - 1];

		applied = n;
		drop_inert(events, &n);
		apply_halving(events, n);
		if (full)
		{
			laras_spi_open();
			laras_spi_run_one(&step_batch,
							  (Datum[]){FullTransactionIdGetDatum(last.txid),
										Int64GetDatum(last.id), Int64GetDatum(applied),
										CStringGetTextDatum(target)},
							  NULL);
			laras_spi_close();
			return LARAS_TURN_MORE;
		}
	}
	/* an idle cursor moves now and then, so that its list of transactions stays short */
	if (applied > 0 || resumed || stale)
	{
		laras_spi_open();
		laras_spi_run_one(&end_batch,
						  (Datum[]){Int64GetDatum(applied), CStringGetTextDatum(target)}, NULL);
		laras_spi_close();
	}
	return applied > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
