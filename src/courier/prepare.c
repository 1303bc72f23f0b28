/*
 * prepare.c
 *		At hand-off: may this message leave now, and as what request?
 *
 * Everything is decided here and not when the message was queued: the window
 * by the provider's time of the person's last message, opt-out, the state of
 * the connection, the text that the verdict is bound to, the keys.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "courier/enclosed.h"
#include "courier/prepare.h"
#include "courier/rule.h"
#include "courier/templated.h"
#include "courier/thread.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/*
 * The rows that a statement of the courier means are always given by key, as
 * arrays, and each is looked up by itself (LATERAL with a lock, which the
 * planner cannot turn round). What the statistics say of a queue is wrong most
 * of the time, and a plan that believes them reads all of it for each batch.
 */
LARAS_PLAN(lock_connections,
		   "SELECT 1 FROM unnest($1, $2) AS u (w, c) CROSS JOIN LATERAL (SELECT 1 FROM "
		   "laras.connection x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND x.id OPERATOR(pg_catalog.=) u.c FOR SHARE OF x) AS c",
		   INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(read_connections,
		   "SELECT u.w, u.c, c.channel, c.state, c.slot, c.account_ids, t.token, a.options, "
		   "pg_catalog.array_to_string(c.scopes, ',') "
		   "FROM unnest($1, $2) AS u (w, c) JOIN laras.connection c "
		   "ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.c "
		   "LEFT JOIN laras.channel_token t ON t.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND t.connection_id OPERATOR(pg_catalog.=) u.c "
		   "LEFT JOIN laras.provider_app a ON a.id OPERATOR(pg_catalog.=) c.provider_app_id",
		   INT8ARRAYOID, INT8ARRAYOID);

/* CASE, because a plain condition on the state would offer the partial indexes of the queue */
LARAS_PLAN(
	read_rows,
	"SELECT o.workspace_id, o.id, o.message_id, o.conversation_id, o.contact_id, o.connection_id, "
	"coalesce(o.draft_id, 0), o.attempts, m.body, m.slot, v.last_inbound_at, p.opt_out_at, i.id, i.kind, i.value, "
	"p.state, o.kind, o.text_digest, t.id, t.provider_message_id, coalesce(t.provider_timestamp, t.created_at), "
	"t.kind, t.unsent_at IS NOT NULL, t.hidden_at IS NOT NULL, laras.processes(o.workspace_id, m.channel, o.purpose), o.approved_by, o.stage, o.resent, coalesce(o.media_id, 0), " LARAS_TEMPLATED_COLUMNS
	"FROM unnest($1, $2) AS u (w, i) CROSS JOIN LATERAL (SELECT x.* FROM laras.outbox x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w AND x.id OPERATOR(pg_catalog.=) u.i "
	"AND CASE WHEN x.state OPERATOR(pg_catalog.=) 'queued' THEN true ELSE false END "
	"FOR UPDATE OF x SKIP LOCKED) AS o "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND v.id OPERATOR(pg_catalog.=) o.conversation_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND p.id OPERATOR(pg_catalog.=) o.contact_id "
	"LEFT JOIN laras.message t ON t.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND t.id OPERATOR(pg_catalog.=) o.target_id " LARAS_TEMPLATED_JOIN
	"LEFT JOIN LATERAL (SELECT y.id, y.kind, y.value FROM laras.contact_identity y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND y.contact_id OPERATOR(pg_catalog.=) o.contact_id "
	"AND y.channel OPERATOR(pg_catalog.=) m.channel ORDER BY y.kind, y.id LIMIT 1) AS i ON true",
	INT8ARRAYOID, INT8ARRAYOID);

/* one connection */
typedef struct Route
{
	int64 workspace_id;
	int64 connection_id;
	const LarasChannelDriver *driver; /* NULL: a channel that cannot send */
	char *state;
	uint32 slot;
	bytea *account_ids; /* sealed, or NULL */
	bytea *sealed;      /* the token, or NULL */
	char *options;      /* JSON of the app, or NULL */
	char *scopes;       /* granted, words between commas */
	bool tried;         /* what follows was made, or could not be */
	char *token;        /* NULL: it cannot be had */
	size_t token_n;
	LarasText account;
	const json_t *accounts;
	const char *base_url;
	const char *api_version;
} Route;

struct LarasRoutes
{
	int64 held; /* bytes of media in requests of this batch */
	int count;
	Route list[FLEXIBLE_ARRAY_MEMBER]; /* by workspace and id */
};

static void
wipe_routes(void *arg)
{
	LarasRoutes *routes = arg;

	for (int i = 0; i < routes->count; i++)
		if (routes->list[i].token != NULL)
			laras_wipe(routes->list[i].token, routes->list[i].token_n);
	routes->count = 0;
}

static int
compare_route(const void *a, const void *b)
{
	const Route *x = a;
	const Route *y = b;

	if (x->workspace_id != y->workspace_id)
		return x->workspace_id < y->workspace_id ? -1 : 1;
	if (x->connection_id != y->connection_id)
		return x->connection_id < y->connection_id ? -1 : 1;
	return 0;
}

LarasRoutes *
laras_routes_read(MemoryContext context, const Datum *workspaces, const Datum *connections, int n)
{
	LarasRoutes *routes =
		MemoryContextAllocZero(context, offsetof(LarasRoutes, list) + sizeof(Route) * (n + 1));
	MemoryContextCallback *wiping = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	Route *key = palloc0(sizeof(Route) * (n + 1));
	LarasColumn c[2];
	Datum arrays[2];
	int distinct = 0;
	uint64 found;

	wiping->func = wipe_routes;
	wiping->arg = routes;
	MemoryContextRegisterResetCallback(context, wiping);
	for (int i = 0; i < n; i++)
	{
		key[i].workspace_id = DatumGetInt64(workspaces[i]);
		key[i].connection_id = DatumGetInt64(connections[i]);
	}
	qsort(key, n, sizeof(Route), compare_route);
	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && compare_route(&key[i], &key[i - 1]) == 0)
			continue;
		c[0].values[distinct] = Int64GetDatum(key[i].workspace_id);
		c[1].values[distinct++] = Int64GetDatum(key[i].connection_id);
	}
	arrays[0] = laras_column_array(&c[0], distinct, INT8OID);
	arrays[1] = laras_column_array(&c[1], distinct, INT8OID);
	/* first the lock, then a look: what was changed while we waited is seen */
	laras_spi_run(&lock_connections, arrays, NULL);
	found = laras_spi_run(&read_connections, arrays, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		Route *r = &routes->list[i];
		bool no_options;
		Datum options = laras_spi_value(i, 8, &no_options);

		r->workspace_id = laras_spi_int8(i, 1);
		r->connection_id = laras_spi_int8(i, 2);
		r->driver = laras_channel_driver(laras_spi_cstring(i, 3));
		r->state = laras_spi_cstring(i, 4);
		r->slot = (uint32) laras_spi_int8(i, 5);
		r->account_ids = laras_spi_bytes(i, 6);
		r->sealed = laras_spi_bytes(i, 7);
		r->options = no_options ? NULL : DatumGetCString(DirectFunctionCall1(jsonb_out, options));
		r->scopes = laras_spi_cstring(i, 9);
	}
	routes->count = (int) found;
	qsort(routes->list, found, sizeof(Route), compare_route);
	return routes;
}

/* Open what the connection sends with, once a batch. False: it cannot be had. */
static bool
open_route(Route *r, MemoryContext context)
{
	char *opened;
	size_t n;
	json_t *document;

	if (r->tried)
		return r->token != NULL;
	r->tried = true;
	if (r->sealed == NULL || r->account_ids == NULL || strcmp(r->state, "connected") != 0)
		return false;
	if (laras_try_open(r->account_ids, r->workspace_id, r->connection_id,
					   LARAS_FIELD_connection_account_ids, &opened, &n) != LARAS_OPENED)
		return false;
	document = laras_json_own(laras_json_parse(opened, n, NULL));
	if (r->driver == NULL)
		return false;
	r->account =
		laras_json_text_at(document, laras_account_member(r->driver, LARAS_ACCOUNT_NUMBER));
	if (r->account.s == NULL)
		return false;
	r->accounts = document;
	r->base_url = r->driver->base_url;
	r->api_version = r->driver->api_version;
	if (r->options != NULL)
	{
		json_t *settings = laras_json_own(laras_json_parse(r->options, strlen(r->options), NULL));
		LarasText url = laras_json_text_at(settings, "graph_url");
		LarasText version = laras_json_text_at(settings, "api_version");

		if (url.s != NULL)
			r->base_url = url.s;
		if (version.s != NULL)
			r->api_version = version.s;
	}
	if (laras_try_open_token(r->sealed, r->workspace_id, r->connection_id,
							 LARAS_FIELD_channel_token_token, &opened, &n) != LARAS_OPENED)
		return false;
	/* nothing raises until the one copy that stays is where it will be wiped */
	r->token = MemoryContextAllocExtended(context, n + 1, MCXT_ALLOC_NO_OOM);
	r->token_n = n;
	if (r->token != NULL)
		memcpy(r->token, opened, n + 1);
	laras_wipe(opened, n);
	return r->token != NULL;
}

/* Does the row answer a comment on a broadcast? */
static bool
is_live(uint64 row)
{
	char *kind = laras_spi_cstring(row, 22);

	return kind != NULL && strcmp(kind, "live_comment") == 0;
}

int
laras_departures_read(LarasDeparture *list, const Datum *workspaces, const Datum *rows, int n)
{
	LarasColumn c[2] = {{.values = (Datum *) workspaces}, {.values = (Datum *) rows}};
	int found = (int) laras_spi_run(&read_rows,
									(Datum[]){laras_column_array(&c[0], n, INT8OID),
											  laras_column_array(&c[1], n, INT8OID)},
									NULL);

	for (int i = 0; i < found; i++)
	{
		LarasFlight *f = &list[i].flight;

		memset(&list[i], 0, sizeof(LarasDeparture));
		laras_flight_of_row(i, f);
		f->attempts = laras_spi_int4(i, 8) + 1;
		f->contact_slot = (uint32) laras_spi_int8(i, 10);
		f->resent = laras_spi_bool(i, 28);
		list[i].media_id = laras_spi_int8(i, 29);
		f->limit_kind = laras_limit_kind(laras_spi_cstring(i, 17), is_live(i));
	}
	return found;
}

LarasOutcome
laras_departure_stays(LarasFlight *flight, const char *state, const char *reason,
					  const char *message_status, const char *notice)
{
	LarasOutcome outcome = {
		.flight = flight,
		.outbox_state = state,
		.reason = reason,
		.message_status = message_status,
		.notice = notice,
	};

	return outcome;
}

/* until there may be memory for it */
#define MEMORY_WAIT_MS 250

LarasOutcome
laras_departure_waits(LarasFlight *flight)
{
	LarasOutcome outcome = laras_departure_stays(flight, "queued", NULL, NULL, NULL);

	outcome.delay_ms = MEMORY_WAIT_MS;
	return outcome;
}

/*
 * Is the text, byte for byte, the one that the row's verdict is about? Between
 * the verdict and now somebody with rights on the tables may have been at work.
 */
static bool
is_judged_text(uint64 row, const LarasFlight *f, const char *text, size_t n)
{
	bytea *judged = laras_spi_bytes(row, 18);
	uint8 digest[LARAS_TEXT_DIGEST];

	laras_text_digest(f->workspace_slot, f->contact_slot, f->message_id, text, n, digest);
	return VARSIZE_ANY_EXHDR(judged) == sizeof(digest) &&
		   memcmp(VARDATA_ANY(judged), digest, sizeof(digest)) == 0;
}

/* the comment that a message answers */
typedef struct Answered
{
	int64 id; /* 0: none */
	TimestampTz at;
	bool live;
	bool mention;
	bool gone;
	bool hidden;
} Answered;

static Answered
read_answered(uint64 row)
{
	Answered a = {0};
	bool isnull;
	Datum id = laras_spi_value(row, 19, &isnull);
	char *kind;

	if (isnull)
		return a;
	a.id = DatumGetInt64(id);
	a.at = laras_spi_time(row, 21);
	kind = laras_spi_cstring(row, 22);
	a.live = strcmp(kind, "live_comment") == 0;
	a.mention = strcmp(kind, "mention") == 0;
	a.gone = laras_spi_bool(row, 23);
	a.hidden = laras_spi_bool(row, 24);
	return a;
}

/* Can the channel carry what the row is? */
static bool
is_carried(const LarasChannelDriver *driver, const char *kind, LarasSendKind *as, bool *media)
{
	*as = LARAS_SEND_MESSAGE;
	*media = false;
	if (driver->send == NULL)
		return false;
	if (strcmp(kind, "comment") == 0)
	{
		*as = LARAS_SEND_COMMENT;
		return (driver->send->also & LARAS_ALSO_COMMENTS) != 0;
	}
	if (strcmp(kind, "private_reply") == 0)
	{
		*as = LARAS_SEND_PRIVATE_REPLY;
		return (driver->send->also & LARAS_ALSO_PRIVATE_REPLIES) != 0;
	}
	if (strcmp(kind, "template") == 0)
	{
		*as = LARAS_SEND_TEMPLATE;
		return driver->send->templates != NULL;
	}
	*media = strcmp(kind, "media") == 0;
	return *media ? driver->send->media != NULL : strcmp(kind, "text") == 0;
}

static bool
has_scope(const char *scopes, const char *scope)
{
	size_t n = scope == NULL ? 0 : strlen(scope);

	if (n == 0)
		return true;
	for (const char *p = scopes; p != NULL; p = strchr(p, ','))
	{
		p += *p == ',';
		if (strncmp(p, scope, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/*
 * Did the owner grant the surface it goes out on? A private reply needs both.
 * Of connections that were migrated nobody recorded what was granted: they speak
 * with persons, and nowhere in public.
 */
static bool
is_granted(const Route *route, const Answered *answered, LarasSendKind kind)
{
	const LarasSurfaceScopes *scopes = route->driver->scopes;
	const char *public =
		scopes[answered->mention ? LARAS_SURFACE_MENTION : LARAS_SURFACE_COMMENT].speak;
	bool recorded = route->scopes != NULL && route->scopes[0] != '\0';

	if (kind != LARAS_SEND_COMMENT && recorded &&
		!has_scope(route->scopes, scopes[LARAS_SURFACE_MESSAGE].speak))
		return false;
	return kind == LARAS_SEND_MESSAGE || kind == LARAS_SEND_TEMPLATE ||
		   (public != NULL && recorded && has_scope(route->scopes, public));
}

static const char *
purpose_of(LarasSendKind kind, const Answered *answered)
{
	switch (kind)
	{
		case LARAS_SEND_COMMENT:
			/* the provider takes no public answer to a live comment */
			return answered->live ? "" : LARAS_WINDOW_PUBLIC_REPLY;
		case LARAS_SEND_PRIVATE_REPLY:
			return answered->live ? LARAS_WINDOW_LIVE_PRIVATE_REPLY : LARAS_WINDOW_PRIVATE_REPLY;
		case LARAS_SEND_MESSAGE:
		case LARAS_SEND_TEMPLATE:
			break;
	}
	return LARAS_WINDOW_REPLY;
}

/* The id of the comment at the provider. */
static bool
open_target(uint64 row, const LarasFlight *f, const Answered *answered, LarasText *target)
{
	bytea *sealed = laras_spi_bytes(row, 20);
	char *opened;

	if (sealed == NULL || laras_try_open(sealed, f->workspace_id, answered->id,
										 LARAS_FIELD_message_provider_message_id, &opened,
										 &target->n) != LARAS_OPENED)
		return false;
	target->s = opened;
	return true;
}

/* Did a person who is a member approve it? */
static bool
is_of_member(uint64 row)
{
	char *approved_by = laras_spi_cstring(row, 26);

	return approved_by != NULL && strncmp(approved_by, "member:", strlen("member:")) == 0;
}

bool
laras_departure_judge(uint64 row, LarasDeparture *d, LarasRoutes *routes, MemoryContext context,
					  LarasOutcome *outcome)
{
	LarasAllocator allocator = {laras_context_alloc, context};
	LarasFlight *f = &d->flight;
	Route key = {.workspace_id = f->workspace_id, .connection_id = f->connection_id};
	Route *route = bsearch(&key, routes->list, routes->count, sizeof(Route), compare_route);
	Answered answered = read_answered(row);
	TimestampTz last_inbound = laras_spi_time(row, 11);
	TimestampTz opt_out = laras_spi_time(row, 12);
	LarasWindow window;
	LarasOpen opened;
	bytea *sealed;
	char *text;
	char *address;
	char callback[LARAS_CALLBACK_DATA];
	LarasSendText send = {0};
	LarasTemplated templated;
	bool is_answer; /* to a comment */
	bool media;
	const char *why;

	if (route == NULL || strcmp(route->state, "disconnected") == 0 ||
		laras_slot_is_destroyed(route->slot))
	{
		*outcome = laras_departure_stays(f, "cancelled", "disconnected", "cancelled", NULL);
		return false;
	}
	f->workspace_slot = laras_workspace_slot(f->workspace_id);
	f->driver = route->driver;
	f->connection_slot = route->slot;
	if (f->driver == NULL || !is_carried(f->driver, laras_spi_cstring(row, 17), &send.kind, &media))
	{
		*outcome =
			laras_departure_stays(f, "refused", "unsupported_kind", "failed", "send_refused");
		return false;
	}
	is_answer = send.kind == LARAS_SEND_COMMENT || send.kind == LARAS_SEND_PRIVATE_REPLY;
	if (!is_granted(route, &answered, send.kind))
	{
		*outcome = laras_departure_stays(f, "refused", "scope_missing", "failed", "send_refused");
		return false;
	}
	if (is_answer && (answered.id == 0 || answered.gone))
	{
		*outcome = laras_departure_stays(f, "cancelled", "comment_gone", "cancelled", NULL);
		return false;
	}
	if (send.kind == LARAS_SEND_COMMENT && answered.hidden)
	{
		*outcome = laras_departure_stays(f, "refused", "comment_hidden", "failed", "send_refused");
		return false;
	}
	if (strcmp(laras_spi_cstring(row, 16), "active") != 0)
	{
		*outcome = laras_departure_stays(f, "cancelled", "contact_restricted", "cancelled", NULL);
		return false;
	}
	if (!laras_spi_bool(row, 25))
	{
		*outcome =
			laras_departure_stays(f, "cancelled", "not_configured", "cancelled", "send_refused");
		return false;
	}
	/* somebody who writes again after opting out wants an answer to that, and nothing else */
	if (is_answer)
		last_inbound = answered.at;
	if (opt_out != 0 && (last_inbound <= opt_out || send.kind == LARAS_SEND_TEMPLATE))
	{
		*outcome = laras_departure_stays(f, "cancelled", "opted_out", "cancelled", "send_refused");
		return false;
	}
	if (send.kind == LARAS_SEND_TEMPLATE)
	{
		why = laras_templated_read(row, 30, f, last_inbound, &templated);
		if (why != NULL)
		{
			*outcome = laras_departure_stays(f, "refused", why, "failed", "send_refused");
			return false;
		}
	}
	else
	{
		window = laras_window(f->driver->channel, purpose_of(send.kind, &answered), last_inbound, 0,
							  laras_now());
		/* what a member wrote, and no drafter, may leave for longer where the provider allows it */
		if (window.state == LARAS_WINDOW_CLOSED && send.kind == LARAS_SEND_MESSAGE &&
			f->draft_id == 0 && is_of_member(row))
		{
			LarasWindow longer = laras_window(f->driver->channel, LARAS_WINDOW_HUMAN_AGENT,
											  last_inbound, 0, laras_now());

			send.human_agent = longer.state == LARAS_WINDOW_OPEN;
			if (send.human_agent)
				window = longer;
		}
		if (window.state != LARAS_WINDOW_OPEN)
		{
			*outcome = laras_departure_stays(f, "refused", laras_window_reason(window.state),
											 "failed", "window_closed");
			return false;
		}
	}
	sealed = laras_spi_bytes(row, 9);
	opened = sealed == NULL ? LARAS_OPEN_DESTROYED
							: laras_try_open(sealed, f->workspace_id, f->message_id,
											 LARAS_FIELD_message_body, &text, &send.text.n);
	if (opened == LARAS_OPEN_DESTROYED)
	{
		*outcome = laras_departure_stays(f, "cancelled", "erased", "cancelled", NULL);
		return false;
	}
	if (opened == LARAS_OPEN_DAMAGED || !is_judged_text(row, f, text, send.text.n))
	{
		*outcome = laras_departure_stays(f, "refused", "text_differs", "failed", "send_refused");
		return false;
	}
	send.text.s = text;
	if (send.kind == LARAS_SEND_TEMPLATE &&
		!laras_templated_gives(&templated, f->driver, &allocator, send.text))
	{
		*outcome = laras_departure_stays(f, "refused", "text_differs", "failed", "send_refused");
		return false;
	}
	if (is_answer && !open_target(row, f, &answered, &send.target))
	{
		*outcome = laras_departure_stays(f, "refused", "no_address", "failed", "send_refused");
		return false;
	}
	sealed = laras_spi_bytes(row, 15);
	if (is_answer)
		send.to.kind = 0;
	else if (sealed == NULL || laras_try_open(sealed, f->workspace_id, laras_spi_int8(row, 13),
											  LARAS_FIELD_contact_identity_value, &address,
											  &send.to.value.n) != LARAS_OPENED)
	{
		*outcome = laras_departure_stays(f, "refused", "no_address", "failed", "send_refused");
		return false;
	}
	else
	{
		send.to.value.s = address;
		send.to.kind = (uint8) laras_spi_int2(row, 14);
	}
	if (!open_route(route, context))
	{
		*outcome = laras_departure_stays(f, "parked", "needs_reauth", NULL, NULL);
		return false;
	}
	sealed = laras_spi_bytes(row, 27);
	if (sealed != NULL &&
		laras_try_open(sealed, f->workspace_id, f->outbox_id, LARAS_FIELD_outbox_stage, &address,
					   &send.stage.n) == LARAS_OPENED)
		send.stage.s = address;
	f->staged = send.stage.s != NULL;
	f->attempt_id = laras_new_id();
	laras_callback_data(f->workspace_slot, f->attempt_id, callback);
	send.base_url = route->base_url;
	send.api_version = route->api_version;
	send.account = route->account;
	send.callback_data.s = callback;
	send.callback_data.n = strlen(callback);
	send.accounts = route->accounts;
	send.now = (int64) timestamptz_to_time_t(laras_now());
	if (f->driver->send->wants_thread)
	{
		char *approved_by = laras_spi_cstring(row, 26);

		send.automatic = approved_by != NULL && strcmp(approved_by, "auto") == 0;
		laras_thread_read(f, &send);
	}
	f->first_step = f->driver->send->two_steps && !f->staged;
	switch (media ? laras_enclosed_build(d, &send, &allocator, &routes->held, &why)
				  : LARAS_ENCLOSED_GOES)
	{
		case LARAS_ENCLOSED_GOES:
			break;
		case LARAS_ENCLOSED_WAITS:
			f->attempt_id = 0;
			*outcome = laras_departure_waits(f);
			return false;
		case LARAS_ENCLOSED_STAYS:
			f->attempt_id = 0;
			*outcome = laras_departure_stays(f, "refused", why, "failed", "send_refused");
			return false;
	}
	if (!media &&
		(send.kind == LARAS_SEND_TEMPLATE
			 ? !f->driver->send->templates->build_send(&send, &templated.template, templated.values,
													   &allocator, &d->request)
			 : !f->driver->send->build_text(&send, &allocator, &d->request)))
	{
		f->attempt_id = 0;
		*outcome = laras_departure_stays(f, "refused", "no_address", "failed", "send_refused");
		return false;
	}
	d->token = route->token;
	d->token_n = route->token_n;
	return true;
}
