/*
 * prepare.c
 *		At hand-off: may this message leave now, and as what request?
 *
 * Everything is decided here and not when the message was queued: the window
 * by the provider's time of the person's last message, opt-out, the state of
 * the connection, the rows a draft cited, the keys, and whether the text is
 * still the one that was judged. The connection is locked
 * FOR SHARE and the contact FOR KEY SHARE until the row is marked `sending`, so
 * that a disconnect or an erasure comes wholly before or wholly after; and the
 * connection's destroyed bit is asked once more right before the request.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/carry.h"
#include "courier/courier.h"
#include "courier/egress.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define DEFAULT_GRAPH_URL "https://graph.facebook.com"
#define DEFAULT_API_VERSION "v23.0"

/* how long a claim is good for; a courier that lives longer renews nothing, it marks at once */
#define LEASE "'1 minute'::pg_catalog.interval"

/* rows looked at for one batch */
#define HEAD "1000"

/* what a claim returns: workspace, row, connection, contact */
#define CLAIMED 4

/*
 * One message a conversation at a time: the first of those that are due,
 * unless one is under way.
 */
LARAS_PLAN(
	claim_rows,
	"WITH head AS (SELECT o.workspace_id, o.id, o.conversation_id, o.priority, o.not_before "
	"FROM laras.outbox o WHERE o.state OPERATOR(pg_catalog.=) 'queued' "
	"AND o.not_before OPERATOR(pg_catalog.<=) laras.now() "
	"AND NOT EXISTS (SELECT 1 FROM laras.outbox b WHERE b.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"AND b.conversation_id OPERATOR(pg_catalog.=) o.conversation_id "
	"AND b.state OPERATOR(pg_catalog.=) ANY ('{claimed,sending}'::pg_catalog.text[])) "
	"ORDER BY o.priority, o.not_before, o.workspace_id, o.id LIMIT " HEAD "), "
	"chosen AS (SELECT DISTINCT ON (h.workspace_id, h.conversation_id) h.workspace_id, h.id, h.priority, h.not_before "
	"FROM head h ORDER BY h.workspace_id, h.conversation_id, h.priority, h.not_before, h.id), "
	"locked AS (SELECT o.workspace_id, o.id FROM laras.outbox o JOIN chosen c "
	"ON c.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND c.id OPERATOR(pg_catalog.=) o.id "
	"WHERE o.state OPERATOR(pg_catalog.=) 'queued' ORDER BY c.priority, c.not_before, o.id LIMIT $1 "
	"FOR UPDATE OF o SKIP LOCKED) "
	"UPDATE laras.outbox o SET state = 'claimed', incarnation = $2, "
	"lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) " LEASE " FROM locked l "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) l.workspace_id AND o.id OPERATOR(pg_catalog.=) l.id "
	"RETURNING o.workspace_id, o.id, o.connection_id, o.contact_id",
	INT4OID, INT8OID);

/*
 * Before the rows of the outbox, as whoever cuts a connection or erases a
 * contact does: the other way round each would wait for the other.
 */
LARAS_PLAN(
	lock_connections,
	"SELECT 1 FROM laras.connection c WHERE ROW(c.workspace_id, c.id) IN "
	"(SELECT u.w, u.c FROM unnest($1, $2) AS u (w, c)) ORDER BY c.workspace_id, c.id FOR SHARE OF c",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	lock_contacts,
	"SELECT 1 FROM laras.contact p WHERE ROW(p.workspace_id, p.id) IN "
	"(SELECT u.w, u.p FROM unnest($1, $2) AS u (w, p)) ORDER BY p.workspace_id, p.id FOR KEY SHARE OF p",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	read_claimed,
	"SELECT o.workspace_id, o.id, o.message_id, o.conversation_id, o.contact_id, o.connection_id, "
	"coalesce(o.draft_id, 0), o.attempts, m.body, m.slot, c.channel, c.state, c.slot, c.account_ids, "
	"t.token, a.options, v.last_inbound_at, p.opt_out_at, i.id, i.kind, i.value, p.state, o.kind, o.text_digest "
	"FROM laras.outbox o "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND c.id OPERATOR(pg_catalog.=) o.connection_id "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND v.id OPERATOR(pg_catalog.=) o.conversation_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND p.id OPERATOR(pg_catalog.=) o.contact_id "
	"LEFT JOIN laras.channel_token t ON t.workspace_id OPERATOR(pg_catalog.=) c.workspace_id AND t.connection_id OPERATOR(pg_catalog.=) c.id "
	"LEFT JOIN laras.provider_app a ON a.id OPERATOR(pg_catalog.=) c.provider_app_id "
	"LEFT JOIN LATERAL (SELECT x.id, x.kind, x.value FROM laras.contact_identity x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND x.contact_id OPERATOR(pg_catalog.=) o.contact_id "
	"AND x.channel OPERATOR(pg_catalog.=) c.channel ORDER BY x.kind, x.id LIMIT 1) i ON true "
	"JOIN unnest($1, $2) AS u (w, i) ON o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i "
	"WHERE o.state OPERATOR(pg_catalog.=) 'claimed' AND o.incarnation OPERATOR(pg_catalog.=) $3 "
	"FOR UPDATE OF o",
	INT8ARRAYOID, INT8ARRAYOID, INT8OID);

/* drafts of which a cited row changed, or went, since they were made */
LARAS_PLAN(
	find_stale,
	"SELECT DISTINCT s.workspace_id, s.draft_id FROM unnest($1, $2) AS u (w, d) "
	"JOIN laras.draft_source s ON s.workspace_id OPERATOR(pg_catalog.=) u.w AND s.draft_id OPERATOR(pg_catalog.=) u.d "
	"LEFT JOIN laras.catalog_item c ON s.source_table OPERATOR(pg_catalog.=) 'catalog_item' "
	"AND c.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND c.id OPERATOR(pg_catalog.=) s.source_id "
	"LEFT JOIN laras.policy_text t ON s.source_table OPERATOR(pg_catalog.=) 'policy_text' "
	"AND t.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND t.id OPERATOR(pg_catalog.=) s.source_id "
	"LEFT JOIN laras.faq f ON s.source_table OPERATOR(pg_catalog.=) 'faq' "
	"AND f.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND f.id OPERATOR(pg_catalog.=) s.source_id "
	"WHERE coalesce(c.version, t.version, f.version) IS DISTINCT FROM s.source_version",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(mark_sending,
		   "UPDATE laras.outbox o SET state = 'sending', attempt_id = u.a, "
		   "attempts = o.attempts OPERATOR(pg_catalog.+) 1, "
		   "lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) " LEASE " "
		   "FROM unnest($1, $2, $3) AS u (w, i, a) "
		   "WHERE o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(add_attempts,
		   "INSERT INTO laras.send_attempt (workspace_id, id, outbox_id, contact_id) "
		   "SELECT u.w, u.a, u.o, u.c FROM unnest($1, $2, $3, $4) AS u (w, a, o, c)",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* a message that may leave, until its request begins */
typedef struct Departure
{
	LarasFlight flight;
	LarasProviderRequest request;
	const char *token; /* of the batch's tokens */
	size_t token_n;
} Departure;

typedef struct TokenOf
{
	int64 connection_id;
	char *token;
	size_t n;
	LarasText account;
	char *base_url;
	char *api_version;
} TokenOf;

/* What a batch sends with; wiped when its context goes, after an error too. */
typedef struct Tokens
{
	int count;
	TokenOf list[FLEXIBLE_ARRAY_MEMBER];
} Tokens;

static void
wipe_tokens(void *arg)
{
	Tokens *tokens = arg;

	for (int i = 0; i < tokens->count; i++)
		if (tokens->list[i].token != NULL)
			laras_wipe(tokens->list[i].token, tokens->list[i].n);
	tokens->count = 0;
}

static Tokens *
tokens_new(MemoryContext context, int n)
{
	Tokens *tokens =
		MemoryContextAllocZero(context, offsetof(Tokens, list) + sizeof(TokenOf) * (n + 1));
	MemoryContextCallback *wiping = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	wiping->func = wipe_tokens;
	wiping->arg = tokens;
	MemoryContextRegisterResetCallback(context, wiping);
	return tokens;
}

static void *
allocate(void *context, size_t n)
{
	return MemoryContextAllocExtended(context, n, MCXT_ALLOC_ZERO | MCXT_ALLOC_NO_OOM);
}

/* What the connection sends with; opened once a batch. NULL: it cannot be had. */
static TokenOf *
token_of(Tokens *tokens, MemoryContext context, int64 workspace_id, int64 connection_id,
		 bytea *token, bytea *account_ids, Datum options, bool no_options)
{
	TokenOf *t;
	char *opened;
	size_t n;
	json_t *document;

	for (int i = 0; i < tokens->count; i++)
		if (tokens->list[i].connection_id == connection_id)
			return tokens->list[i].token == NULL ? NULL : &tokens->list[i];
	t = &tokens->list[tokens->count++];
	t->connection_id = connection_id;
	if (token == NULL || account_ids == NULL)
		return NULL;
	if (laras_try_open(account_ids, workspace_id, connection_id, LARAS_FIELD_connection_account_ids,
					   &opened, &n) != LARAS_OPENED)
		return NULL;
	document = laras_json_own(laras_json_parse(opened, n, NULL));
	t->account = laras_json_text_at(document, "phone_number_id");
	if (t->account.s == NULL)
		return NULL;
	t->base_url = DEFAULT_GRAPH_URL;
	t->api_version = DEFAULT_API_VERSION;
	if (!no_options)
	{
		char *text = DatumGetCString(DirectFunctionCall1(jsonb_out, options));
		json_t *settings = laras_json_own(laras_json_parse(text, strlen(text), NULL));
		LarasText url = laras_json_text_at(settings, "graph_url");
		LarasText version = laras_json_text_at(settings, "api_version");

		if (url.s != NULL)
			t->base_url = pstrdup(url.s);
		if (version.s != NULL)
			t->api_version = pstrdup(version.s);
	}
	if (laras_try_open_token(token, workspace_id, connection_id, LARAS_FIELD_channel_token_token,
							 &opened, &n) != LARAS_OPENED)
		return NULL;
	/* nothing raises until the one copy that stays is where it will be wiped */
	t->token = MemoryContextAllocExtended(context, n + 1, MCXT_ALLOC_NO_OOM);
	t->n = n;
	if (t->token != NULL)
		memcpy(t->token, opened, n + 1);
	laras_wipe(opened, n);
	return t->token == NULL ? NULL : t;
}

static LarasOutcome
stays(Departure *d, const char *state, const char *reason, const char *message_status,
	  const char *notice)
{
	LarasOutcome outcome = {
		.flight = &d->flight,
		.outbox_state = state,
		.reason = reason,
		.message_status = message_status,
		.notice = notice,
	};

	return outcome;
}

/* Is the draft in the list of stale ones? */
static bool
is_stale(const int64 *stale, int n, int64 workspace_id, int64 draft_id)
{
	for (int i = 0; i < n; i++)
		if (stale[2 * i] == workspace_id && stale[2 * i + 1] == draft_id)
			return true;
	return false;
}

static int64 *
find_stale_drafts(const Departure *list, int n, int *count)
{
	LarasColumn c[2];
	int drafts = 0;
	int64 *stale;

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
	stale = palloc(sizeof(int64) * 2 * (*count + 1));
	for (int i = 0; i < *count; i++)
	{
		stale[2 * i] = laras_spi_int8(i, 1);
		stale[2 * i + 1] = laras_spi_int8(i, 2);
	}
	return stale;
}

/*
 * Is the text, byte for byte, the one that the row's verdict is about? Between
 * the verdict and now somebody with rights on the tables may have been at work.
 */
static bool
is_judged_text(uint64 row, const LarasFlight *f, const char *text, size_t n)
{
	uint8 digest[LARAS_TEXT_DIGEST];
	bool isnull;
	Datum judged = laras_spi_value(row, 24, &isnull);

	laras_text_digest(f->workspace_slot, f->contact_slot, f->message_id, text, n, digest);
	return !isnull && VARSIZE_ANY_EXHDR(DatumGetByteaPP(judged)) == sizeof(digest) &&
		   memcmp(VARDATA_ANY(DatumGetByteaPP(judged)), digest, sizeof(digest)) == 0;
}

/* one row of read_claimed, judged; false: it stays, and *outcome says why */
static bool
judge(uint64 row, Departure *d, Tokens *tokens, MemoryContext context, LarasOutcome *outcome)
{
	LarasAllocator allocator = {allocate, context};
	LarasFlight *f = &d->flight;
	bool isnull;
	bool no_options;
	Datum options;
	char *state = laras_spi_cstring(row, 12);
	char *contact_state = laras_spi_cstring(row, 22);
	char *kind = laras_spi_cstring(row, 23);
	TimestampTz last_inbound;
	TimestampTz opt_out;
	TokenOf *token;
	Datum value;
	LarasOpen opened;
	char *text;
	char *address;
	char callback[LARAS_CALLBACK_DATA];
	LarasSendText send = {0};

	f->driver = laras_channel_driver(laras_spi_cstring(row, 11));
	d->flight.connection_slot = (uint32) laras_spi_int8(row, 13);
	last_inbound = DatumGetTimestampTz(laras_spi_value(row, 17, &isnull));
	if (isnull)
		last_inbound = 0;
	opt_out = DatumGetTimestampTz(laras_spi_value(row, 18, &isnull));
	if (isnull)
		opt_out = 0;

	if (strcmp(state, "disconnected") == 0 || laras_slot_is_destroyed(d->flight.connection_slot))
	{
		*outcome = stays(d, "cancelled", "disconnected", "cancelled", NULL);
		return false;
	}
	if (f->driver == NULL || f->driver->send == NULL || strcmp(kind, "text") != 0)
	{
		*outcome = stays(d, "refused", "unsupported_kind", "failed", "send_refused");
		return false;
	}
	if (strcmp(contact_state, "active") != 0)
	{
		*outcome = stays(d, "cancelled", "contact_restricted", "cancelled", NULL);
		return false;
	}
	/* somebody who writes again after opting out wants an answer to that */
	if (opt_out != 0 && last_inbound <= opt_out)
	{
		*outcome = stays(d, "cancelled", "opted_out", "cancelled", "send_refused");
		return false;
	}
	{
		LarasWindowState window = laras_window(f->driver, last_inbound, laras_now());

		if (window != LARAS_WINDOW_OPEN)
		{
			*outcome = stays(d, "refused", laras_window_reason(window), "failed", "window_closed");
			return false;
		}
	}
	value = laras_spi_value(row, 9, &isnull);
	opened = isnull ? LARAS_OPEN_DESTROYED
					: laras_try_open(DatumGetByteaPP(value), f->workspace_id, f->message_id,
									 LARAS_FIELD_message_body, &text, &send.text.n);
	if (opened == LARAS_OPEN_DESTROYED)
	{
		*outcome = stays(d, "cancelled", "erased", "cancelled", NULL);
		return false;
	}
	if (opened == LARAS_OPEN_DAMAGED || !is_judged_text(row, f, text, send.text.n))
	{
		*outcome = stays(d, "refused", "text_differs", "failed", "send_refused");
		return false;
	}
	send.text.s = text;
	value = laras_spi_value(row, 21, &isnull);
	if (isnull || laras_try_open(DatumGetByteaPP(value), f->workspace_id, laras_spi_int8(row, 19),
								 LARAS_FIELD_contact_identity_value, &address,
								 &send.to.value.n) != LARAS_OPENED)
	{
		*outcome = stays(d, "refused", "no_address", "failed", "send_refused");
		return false;
	}
	send.to.value.s = address;
	send.to.kind = (uint8) DatumGetInt16(laras_spi_value(row, 20, &isnull));
	{
		Datum ids;
		Datum sealed;
		bool no_ids;
		bool no_token;

		ids = laras_spi_value(row, 14, &no_ids);
		sealed = laras_spi_value(row, 15, &no_token);
		options = laras_spi_value(row, 16, &no_options);
		token = token_of(tokens, context, f->workspace_id, f->connection_id,
						 no_token ? NULL : DatumGetByteaPP(sealed),
						 no_ids ? NULL : DatumGetByteaPP(ids), options, no_options);
	}
	if (token == NULL || strcmp(state, "connected") != 0)
	{
		*outcome = stays(d, "parked", "needs_reauth", NULL, NULL);
		return false;
	}
	f->attempt_id = laras_new_id();
	laras_callback_data(f->workspace_slot, f->attempt_id, callback);
	send.base_url = token->base_url;
	send.api_version = token->api_version;
	send.account = token->account;
	send.callback_data.s = callback;
	send.callback_data.n = strlen(callback);
	if (!f->driver->send->build_text(&send, &allocator, &d->request))
	{
		*outcome = stays(d, "refused", "no_address", "failed", "send_refused");
		return false;
	}
	d->token = token->token;
	d->token_n = token->n;
	return true;
}

static int
claim(int n, LarasColumn *claimed)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64 found;

	laras_worker_begin("claiming messages");
	laras_worker_bind_all();
	laras_spi_open();
	found = laras_spi_run(&claim_rows,
						  (Datum[]){Int32GetDatum(n), Int64GetDatum(laras_courier_run)}, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		for (int k = 0; k < CLAIMED; k++)
			claimed[k].values[i] = Int64GetDatum(laras_spi_int8(i, k + 1));
	}
	laras_spi_close();
	if (found > 0)
		laras_egress_refresh();
	laras_worker_commit();
	MemoryContextSwitchTo(caller);
	return (int) found;
}

/* Judge the claimed rows and mark those that leave. Returns how many leave. */
static int
mark(LarasColumn *claimed, int n, Departure *list, MemoryContext context)
{
	LarasOutcome *outcomes;
	Tokens *tokens;
	int leaving = 0;
	int staying = 0;
	uint64 found;
	int64 *stale;
	int stale_count;
	LarasColumn c[4];

	laras_worker_begin("handing off messages");
	laras_worker_bind_all();
	laras_spi_open();
	outcomes = palloc0(sizeof(LarasOutcome) * n);
	tokens = tokens_new(context, n);
	laras_spi_run(&lock_connections,
				  (Datum[]){laras_column_array(&claimed[0], n, INT8OID),
							laras_column_array(&claimed[2], n, INT8OID)},
				  NULL);
	laras_spi_run(&lock_contacts,
				  (Datum[]){laras_column_array(&claimed[0], n, INT8OID),
							laras_column_array(&claimed[3], n, INT8OID)},
				  NULL);
	found = laras_spi_run(&read_claimed,
						  (Datum[]){laras_column_array(&claimed[0], n, INT8OID),
									laras_column_array(&claimed[1], n, INT8OID),
									Int64GetDatum(laras_courier_run)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		LarasFlight *f = &list[i].flight;

		memset(&list[i], 0, sizeof(Departure));
		f->kind = LARAS_FLIGHT_SEND;
		f->workspace_id = laras_spi_int8(i, 1);
		f->outbox_id = laras_spi_int8(i, 2);
		f->message_id = laras_spi_int8(i, 3);
		f->conversation_id = laras_spi_int8(i, 4);
		f->contact_id = laras_spi_int8(i, 5);
		f->connection_id = laras_spi_int8(i, 6);
		f->draft_id = laras_spi_int8(i, 7);
		f->attempts = laras_spi_int4(i, 8) + 1;
		f->contact_slot = (uint32) laras_spi_int8(i, 10);
		f->workspace_slot = laras_workspace_slot(f->workspace_id);
	}
	{
		SPITupleTable *claimed_rows = SPI_tuptable;
		uint64 processed = SPI_processed;

		stale = find_stale_drafts(list, (int) found, &stale_count);
		SPI_tuptable = claimed_rows;
		SPI_processed = processed;
	}
	for (uint64 i = 0; i < found; i++)
	{
		Departure d = list[i];

		if (is_stale(stale, stale_count, d.flight.workspace_id, d.flight.draft_id))
		{
			outcomes[staying] =
				stays(&list[i], "cancelled", "draft_stale", "cancelled", "draft_stale");
			outcomes[staying].flight = palloc(sizeof(LarasFlight));
			*outcomes[staying++].flight = d.flight;
		}
		else if (judge(i, &d, tokens, context, &outcomes[staying]))
			list[leaving++] = d;
		else
		{
			outcomes[staying].flight = palloc(sizeof(LarasFlight));
			*outcomes[staying++].flight = d.flight;
		}
	}
	if (leaving > 0)
	{
		laras_columns_init(c, 4, leaving);
		for (int i = 0; i < leaving; i++)
		{
			c[0].values[i] = Int64GetDatum(list[i].flight.workspace_id);
			c[1].values[i] = Int64GetDatum(list[i].flight.outbox_id);
			c[2].values[i] = Int64GetDatum(list[i].flight.attempt_id);
			c[3].values[i] = Int64GetDatum(list[i].flight.contact_id);
		}
		laras_spi_run(&mark_sending,
					  (Datum[]){laras_column_array(&c[0], leaving, INT8OID),
								laras_column_array(&c[1], leaving, INT8OID),
								laras_column_array(&c[2], leaving, INT8OID)},
					  NULL);
		laras_spi_run(&add_attempts,
					  (Datum[]){laras_column_array(&c[0], leaving, INT8OID),
								laras_column_array(&c[2], leaving, INT8OID),
								laras_column_array(&c[1], leaving, INT8OID),
								laras_column_array(&c[3], leaving, INT8OID)},
					  NULL);
	}
	if (staying > 0)
		laras_courier_settle(outcomes, staying);
	laras_spi_close();
	LARAS_FAULT("courier_before_mark_commit");
	laras_worker_commit();
	LARAS_FAULT("courier_after_mark_commit");
	return leaving;
}

/*
 * Begin the requests. A connection cut since the commit is noticed by its
 * destroyed bit, which is set before a disconnect returns to its caller.
 */
static void
depart(Departure *list, int n)
{
	LarasFlight **failed = palloc(sizeof(LarasFlight *) * (n + 1));
	int failures = 0;

	for (int i = 0; i < n; i++)
	{
		Departure *d = &list[i];
		LarasFlight *flight = laras_http_memory(sizeof(LarasFlight));

		if (flight != NULL)
		{
			*flight = d->flight;
			if (!laras_flight_is_cut(flight))
				flight->call = laras_http_start(d->request.method, d->request.url.s,
												d->request.url.n, NULL, d->request.body.s,
												d->request.body.n, d->token, d->token_n, flight);
			if (flight->call == NULL)
				failed[failures++] = flight;
		}
		LARAS_FAULT("courier_after_start");
	}
	/* never begun: the record says so, and the row is queued again or cancelled */
	if (failures > 0)
		laras_courier_record(failed, failures);
}

int
laras_courier_dispatch(int n)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "laras departures", ALLOCSET_DEFAULT_SIZES);
	LarasColumn claimed[CLAIMED];
	Departure *list;
	volatile int found = 0;

	MemoryContextSwitchTo(context);
	laras_columns_init(claimed, CLAIMED, n);
	list = palloc(sizeof(Departure) * (n + 1));
	PG_TRY();
	{
		found = claim(n, claimed);
		MemoryContextSwitchTo(context);
		LARAS_FAULT("courier_after_claim");
		if (found > 0)
		{
			int leaving = mark(claimed, found, list, context);

			MemoryContextSwitchTo(context);
			depart(list, leaving);
		}
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	return found;
}
