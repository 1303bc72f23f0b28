/*
 * pipe.c
 *		Requests in, SQL calls, answers out; see pipe.h.
 *
 * Webhooks gather while the database works and go out together as soon as a
 * connection is free: one call, one commit, many answers. Nothing is answered
 * with another status than 503 before its statement's outcome is known.
 */
#include "relay/pipe.h"

#include <stdlib.h>
#include <string.h>

#include "relay/arrays.h"

#define WEBHOOKS "/api/webhooks/"
#define CONTINUE_STATUS 102
#define MAX_ITEMS 512
#define MAX_TICKET 4096
#define MAX_FIELDS 100        /* of an answer */
#define LARGE_BATCH (1 << 19) /* a connection of its own above this */
#define REPORT_MS 60000
#define GATHER_ITEMS 32 /* for each call under way, before another begins beside them */
#define GATHER_MS 5     /* but nobody waits longer than this for company */

static const char *const signature_fields[] = {"x-hub-signature-256",
											   "x-telegram-bot-api-secret-token",
											   "x-laras-signature", NULL};

static const Oid webhook_types[] = {LARAS_OID_TEXT_ARRAY, LARAS_OID_TEXT_ARRAY,
									LARAS_OID_BYTEA_ARRAY};
static const Oid request_types[] = {LARAS_OID_TEXT,       LARAS_OID_TEXT,  LARAS_OID_TEXT,
									LARAS_OID_TEXT_ARRAY, LARAS_OID_BYTEA, LARAS_OID_INET};
static const Oid continue_types[] = {LARAS_OID_BYTEA};

enum
{
	RECEIVE_WEBHOOKS,
	HTTP_REQUEST,
	HTTP_CONTINUE
};

static const LarasStatement statements[] = {
	{"receive_webhooks", "SELECT ordinal, status FROM laras.receive_webhooks($1, $2, $3)", 3,
	 webhook_types},
	{"http_request", "SELECT status, headers, body FROM laras.http_request($1, $2, $3, $4, $5, $6)",
	 6, request_types},
	{"http_continue", "SELECT status, headers, body FROM laras.http_continue($1)", 1,
	 continue_types},
	{NULL, NULL, 0, NULL}};

/* A request that waits: for a batch, for a connection, or for its ticket's next turn. */
typedef struct Work
{
	struct Work *next;
	LarasPipe *pipe;
	LarasHttpExchange *exchange;
	int64_t since;
	char *ticket; /* after a status 102 */
	int ticket_length;
	int64_t due; /* the ticket's next turn */
} Work;

typedef struct Queue
{
	Work *first;
	Work *last;
	int items;
} Queue;

typedef struct Batch
{
	struct Batch *next;
	LarasPipe *pipe;
	int items;
	size_t bytes;
	Work *work[];
} Batch;

struct LarasPipe
{
	LarasPipeConfig config;
	LarasPipeStats stats;
	LarasHttpServer *server;
	LarasDatabase *database;
	Queue webhooks; /* of bodies that any connection takes */
	Queue large;    /* for the connection that takes large ones */
	Queue requests;
	Batch *halves; /* of failed batches: before anything new */
	Queue tickets; /* soonest first: all wait equally long */
	LarasHttpTimer ticket_timer;
	LarasHttpTimer gather_timer;
	bool gathering; /* the timer is set */
	int batches_out;
	int requests_out;
	bool requests_first; /* whose turn a single connection is */
	LarasHttpTimer report_timer;
	uint64_t reported; /* sum of counters at the last report */
	Work *free_works;
	LarasArray channels;
	LarasArray signatures;
	LarasArray bodies;
};

void
laras_pipe_defaults(LarasPipeConfig *config)
{
	config->conninfo = "";
	config->connections = 4;
	config->statement_ms = 15000;
	config->batch_items = MAX_ITEMS;
	config->batch_bytes = 4 << 20;
	config->queue_items = 4096;
	config->wait_ms = 10000;
	config->ticket_ms = 100;
	config->ticket_total_ms = 25000;
}

/* ---- work ---- */

static void
queue_add(Queue *queue, Work *work)
{
	work->next = NULL;
	*(queue->last ? &queue->last->next : &queue->first) = work;
	queue->last = work;
	queue->items++;
}

static Work *
queue_take(Queue *queue)
{
	Work *work = queue->first;

	queue->first = work->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->items--;
	return work;
}

static Work *
work_new(LarasPipe *pipe, LarasHttpExchange *exchange)
{
	Work *work = pipe->free_works;

	if (work)
		pipe->free_works = work->next;
	else if ((work = malloc(sizeof(*work))) == NULL)
		return NULL;
	memset(work, 0, sizeof(*work));
	work->pipe = pipe;
	work->exchange = exchange;
	work->since = laras_http_now(pipe->server);
	laras_http_set_user(exchange, work);
	return work;
}

static void
work_free(Work *work)
{
	LarasPipe *pipe = work->pipe;

	free(work->ticket);
	work->next = pipe->free_works;
	pipe->free_works = work;
}

static void
work_answer(Work *work, int status)
{
	LarasHttpExchange *exchange = work->exchange;

	if (status == 503)
		work->pipe->stats.unavailable++;
	work_free(work);
	laras_http_answer_status(exchange, status);
}

/*
 * The client has gone, or the work has waited too long: not worth a statement.
 * (A ticket has a limit of its own.)
 */
static bool
is_stale(Work *work)
{
	return laras_http_peer_is_gone(work->exchange) ||
		   (work->ticket == NULL &&
			laras_http_now(work->pipe->server) - work->since > work->pipe->config.wait_ms);
}

static void
refuse_stale(Queue *queue)
{
	while (queue->first && is_stale(queue->first))
		work_answer(queue_take(queue), 503);
}

/* ---- webhooks ---- */

static const char *
webhook_channel(const LarasHttpReader *request)
{
	const char *path = laras_http_path(request);

	return strcmp(request->method, "POST") == 0 && strncmp(path, WEBHOOKS, strlen(WEBHOOKS)) == 0
			   ? path + strlen(WEBHOOKS)
			   : NULL;
}

static void batch_done(LarasOutcome outcome, PGresult *result, const char *sqlstate, void *arg);

static Batch *
batch_new(LarasPipe *pipe, int items)
{
	Batch *batch = malloc(sizeof(*batch) + (size_t) items * sizeof(Work *));

	if (batch)
	{
		batch->pipe = pipe;
		batch->next = NULL;
		batch->items = 0;
		batch->bytes = 0;
	}
	return batch;
}

static void
batch_add(Batch *batch, Work *work)
{
	batch->work[batch->items++] = work;
	batch->bytes += laras_http_request(work->exchange)->body_length;
}

/* Answers all items with one status and frees the batch. */
static void
batch_refuse(Batch *batch, int status)
{
	for (int i = 0; i < batch->items; i++)
		work_answer(batch->work[i], status);
	free(batch);
}

static void
batch_send(LarasLink *link, Batch *batch)
{
	LarasPipe *pipe = batch->pipe;
	const char *values[3];
	int lengths[3];
	static const int formats[3] = {1, 1, 1};

	laras_array_begin(&pipe->channels, LARAS_OID_TEXT);
	laras_array_begin(&pipe->signatures, LARAS_OID_TEXT);
	laras_array_begin(&pipe->bodies, LARAS_OID_BYTEA);
	for (int i = 0; i < batch->items; i++)
	{
		const LarasHttpReader *request = laras_http_request(batch->work[i]->exchange);
		const char *channel = webhook_channel(request);
		const char *signature = NULL;

		for (int f = 0; signature == NULL && signature_fields[f]; f++)
			signature = laras_http_field(request, signature_fields[f]);
		if (signature == NULL)
			signature = "";
		laras_array_add(&pipe->channels, channel, strlen(channel));
		laras_array_add(&pipe->signatures, signature, strlen(signature));
		laras_array_add(&pipe->bodies, laras_http_body(request), request->body_length);
	}
	if (!laras_array_end(&pipe->channels) || !laras_array_end(&pipe->signatures) ||
		!laras_array_end(&pipe->bodies))
	{
		batch_refuse(batch, 503);
		return;
	}
	values[0] = pipe->channels.data;
	values[1] = pipe->signatures.data;
	values[2] = pipe->bodies.data;
	lengths[0] = (int) pipe->channels.length;
	lengths[1] = (int) pipe->signatures.length;
	lengths[2] = (int) pipe->bodies.length;
	pipe->batches_out++;
	laras_link_send(link, &statements[RECEIVE_WEBHOOKS], values, lengths, formats, batch_done,
					batch);
}

/* A call failed and was rolled back: once more in halves, until the culprit stands alone. */
static void
batch_halve(Batch *batch)
{
	LarasPipe *pipe = batch->pipe;
	int half = batch->items / 2;
	Batch *halves[2] = {NULL, NULL};

	if (batch->items == 1)
	{
		pipe->stats.failed++;
		batch_refuse(batch, 503);
		return;
	}
	halves[0] = batch_new(pipe, half);
	halves[1] = batch_new(pipe, batch->items - half);
	if (halves[0] == NULL || halves[1] == NULL)
	{
		free(halves[0]);
		free(halves[1]);
		batch_refuse(batch, 503);
		return;
	}
	for (int i = 0; i < batch->items; i++)
		batch_add(halves[i >= half], batch->work[i]);
	pipe->stats.halved++;
	halves[0]->next = halves[1];
	halves[1]->next = pipe->halves;
	pipe->halves = halves[0];
	free(batch);
}

/* The statement is committed: every item gets the status its row says. */
static void
batch_answer(Batch *batch, PGresult *result)
{
	uint16_t statuses[MAX_ITEMS] = {0};
	int rows = PQntuples(result);

	for (int row = 0; row < rows && PQnfields(result) == 2; row++)
	{
		uint32_t ordinal;

		if (PQgetlength(result, row, 0) != 4 || PQgetlength(result, row, 1) != 4)
			continue;
		ordinal = laras_read_int32(PQgetvalue(result, row, 0));
		if (ordinal >= 1 && ordinal <= (uint32_t) batch->items)
			statuses[ordinal - 1] = (uint16_t) laras_read_int32(PQgetvalue(result, row, 1));
	}
	batch->pipe->stats.batches++;
	for (int i = 0; i < batch->items; i++)
	{
		LarasHttpExchange *exchange = batch->work[i]->exchange;
		LarasHttpAnswer answer = {.status = statuses[i]};

		work_free(batch->work[i]);
		if (statuses[i] < 200 || statuses[i] > 599)
		{
			/* a row is missing or no status: the sender has to try again */
			batch->pipe->stats.unavailable++;
			laras_http_answer_status(exchange, 503);
			continue;
		}
		batch->pipe->stats.webhooks++;
		if (statuses[i] == 200)
			laras_http_answer(exchange, &answer);
		else
			laras_http_answer_status(exchange, statuses[i]);
	}
	free(batch);
}

static void
batch_done(LarasOutcome outcome, PGresult *result, const char *sqlstate, void *arg)
{
	Batch *batch = arg;

	batch->pipe->batches_out--;
	if (outcome == LARAS_COMMITTED)
		batch_answer(batch, result);
	else if (outcome == LARAS_FAILED)
	{
		if (batch->items == 1)
			laras_http_log("receive_webhooks: a single item failed (SQLSTATE %s)", sqlstate);
		batch_halve(batch);
	}
	else
		batch_refuse(batch, 503);
	PQclear(result);
}

/* Takes what has gathered, up to the limits of one call. NULL when nothing is left to send. */
static Batch *
batch_gather(LarasPipe *pipe, Queue *queue, size_t most)
{
	int items = queue->items < pipe->config.batch_items ? queue->items : pipe->config.batch_items;
	Batch *batch = batch_new(pipe, items);

	if (batch == NULL)
		return NULL;
	while (queue->first && batch->items < items)
	{
		size_t bytes = laras_http_request(queue->first->exchange)->body_length;

		if (batch->items > 0 && batch->bytes + bytes > most)
			break;
		if (is_stale(queue->first))
			work_answer(queue_take(queue), 503);
		else
			batch_add(batch, queue_take(queue));
	}
	if (batch->items == 0)
	{
		free(batch);
		return NULL;
	}
	return batch;
}

/* ---- all other requests ---- */

static void request_done(LarasOutcome outcome, PGresult *result, const char *sqlstate, void *arg);

static void
request_send(LarasLink *link, Work *work)
{
	LarasPipe *pipe = work->pipe;
	const LarasHttpReader *request = laras_http_request(work->exchange);
	const char *values[6];
	int lengths[6] = {0};
	static const int formats[6] = {0, 0, 0, 1, 1, 0};
	static const int binary[1] = {1};

	pipe->requests_out++;
	if (work->ticket)
	{
		values[0] = work->ticket;
		lengths[0] = work->ticket_length;
		laras_link_send(link, &statements[HTTP_CONTINUE], values, lengths, binary, request_done,
						work);
		return;
	}
	laras_array_begin(&pipe->channels, LARAS_OID_TEXT);
	for (int i = 0; i < request->nfields; i++)
	{
		const char *name = laras_http_field_name(request, i);
		const char *value = laras_http_field_value(request, i);

		if (laras_http_is_hop_by_hop(name))
			continue;
		laras_array_add(&pipe->channels, name, strlen(name));
		laras_array_add(&pipe->channels, value, strlen(value));
	}
	if (!laras_array_end(&pipe->channels))
	{
		pipe->requests_out--;
		work_answer(work, 503);
		return;
	}
	/* a HEAD is a GET whose body the server keeps to itself */
	values[0] = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	values[1] = laras_http_path(request);
	values[2] = laras_http_query(request);
	values[3] = pipe->channels.data;
	values[4] = laras_http_body(request);
	values[5] = laras_http_peer(work->exchange);
	lengths[3] = (int) pipe->channels.length;
	lengths[4] = (int) request->body_length;
	laras_link_send(link, &statements[HTTP_REQUEST], values, lengths, formats, request_done, work);
}

static void
tickets_due(void *arg)
{
	LarasPipe *pipe = arg;
	int64_t now = laras_http_now(pipe->server);

	while (pipe->tickets.first && pipe->tickets.first->due <= now)
	{
		Work *work = queue_take(&pipe->tickets);

		if (laras_http_peer_is_gone(work->exchange) ||
			now - work->since >= pipe->config.ticket_total_ms)
			work_answer(work, 504);
		else
			queue_add(&pipe->requests, work);
	}
	if (pipe->tickets.first)
		laras_http_timer_set(pipe->server, &pipe->ticket_timer,
							 (int) (pipe->tickets.first->due - now));
}

/* Status 102: the body is a ticket, to be shown again a moment later. */
static void
keep_ticket(Work *work, PGresult *result)
{
	LarasPipe *pipe = work->pipe;
	int length = PQgetlength(result, 0, 2);
	char *ticket = length > 0 && length <= MAX_TICKET ? malloc((size_t) length) : NULL;

	if (ticket == NULL)
	{
		pipe->stats.request_errors++;
		work_answer(work, 502);
		return;
	}
	memcpy(ticket, PQgetvalue(result, 0, 2), (size_t) length);
	if (work->ticket == NULL)
		work->since = laras_http_now(pipe->server);
	free(work->ticket);
	work->ticket = ticket;
	work->ticket_length = length;
	work->due = laras_http_now(pipe->server) + pipe->config.ticket_ms;
	if (pipe->tickets.first == NULL)
		laras_http_timer_set(pipe->server, &pipe->ticket_timer, pipe->config.ticket_ms);
	queue_add(&pipe->tickets, work);
}

/*
 * Reads headers (name, value, name, value, ...) into fields, as strings in
 * text. Returns their number or -1.
 */
static int
read_fields(PGresult *result, LarasHttpField *fields, char *text, size_t size)
{
	const char *at = PQgetvalue(result, 0, 1);
	const char *end = at + PQgetlength(result, 0, 1);
	int count;

	if (PQgetisnull(result, 0, 1))
		return 0;
	count = laras_array_open(at, (int) (end - at), &at);
	if (count < 0 || count % 2 != 0 || count > 2 * MAX_FIELDS)
		return -1;
	for (int i = 0; i < count; i++)
	{
		const char *bytes;
		size_t length;

		if (!laras_array_next(&at, end, &bytes, &length) || length + 1 > size ||
			memchr(bytes, '\0', length))
			return -1;
		memcpy(text, bytes, length);
		text[length] = '\0';
		*(i % 2 ? &fields[i / 2].value : &fields[i / 2].name) = text;
		text += length + 1;
		size -= length + 1;
	}
	return count / 2;
}

static void
release_result(void *arg)
{
	PQclear(arg);
}

static void
request_answer(Work *work, PGresult *result)
{
	LarasHttpExchange *exchange = work->exchange;
	LarasHttpField fields[MAX_FIELDS];
	LarasHttpAnswer answer = {.fields = fields};
	static char text[LARAS_HTTP_HEAD_BYTES];
	bool is_row =
		PQntuples(result) == 1 && PQnfields(result) == 3 && PQgetlength(result, 0, 0) == 4;
	int status = is_row ? (int) laras_read_int32(PQgetvalue(result, 0, 0)) : 0;

	if (status == CONTINUE_STATUS)
	{
		keep_ticket(work, result);
		PQclear(result);
		return;
	}
	answer.status = status;
	answer.nfields = is_row ? read_fields(result, fields, text, sizeof(text)) : -1;
	if (status < 200 || status > 599 || answer.nfields < 0)
	{
		laras_http_log("http_request: the result is no answer");
		work->pipe->stats.request_errors++;
		work_answer(work, 502);
		PQclear(result);
		return;
	}
	work->pipe->stats.requests++;
	work_free(work);
	answer.body = PQgetvalue(result, 0, 2);
	answer.body_length = (size_t) PQgetlength(result, 0, 2);
	answer.release = release_result;
	answer.release_arg = result;
	laras_http_answer(exchange, &answer);
}

static void
request_done(LarasOutcome outcome, PGresult *result, const char *sqlstate, void *arg)
{
	Work *work = arg;

	work->pipe->requests_out--;
	if (outcome == LARAS_COMMITTED)
	{
		request_answer(work, result);
		return;
	}
	if (outcome == LARAS_UNAVAILABLE || strncmp(sqlstate, "40", 2) == 0 ||
		strncmp(sqlstate, "55", 2) == 0 || strncmp(sqlstate, "57", 2) == 0)
		work_answer(work, 503);
	else
	{
		laras_http_log("http_request: failed (SQLSTATE %s)", sqlstate);
		work->pipe->stats.request_errors++;
		work_answer(work, 500);
	}
}

/* ---- hooks of the server ---- */

/* Under pressure or without a database: say so before the body is read. */
static int
on_head(LarasHttpExchange *exchange, void *arg)
{
	LarasPipe *pipe = arg;

	(void) exchange;
	if (laras_database_is_up(pipe->database) &&
		pipe->webhooks.items + pipe->large.items + pipe->requests.items + pipe->tickets.items <
			pipe->config.queue_items)
		return 0;
	pipe->stats.unavailable++;
	return 503;
}

static void
on_request(LarasHttpExchange *exchange, void *arg)
{
	LarasPipe *pipe = arg;
	const LarasHttpReader *request = laras_http_request(exchange);
	Work *work = work_new(pipe, exchange);

	if (work == NULL)
		laras_http_answer_status(exchange, 503);
	else if (webhook_channel(request) == NULL)
		queue_add(&pipe->requests, work);
	else
		queue_add(request->body_length > LARGE_BATCH ? &pipe->large : &pipe->webhooks, work);
}

/* Without a connection nothing that waits can be done. */
static void
refuse_waiting(LarasPipe *pipe)
{
	while (pipe->halves)
	{
		Batch *batch = pipe->halves;

		pipe->halves = batch->next;
		batch_refuse(batch, 503);
	}
	while (pipe->webhooks.first)
		work_answer(queue_take(&pipe->webhooks), 503);
	while (pipe->large.first)
		work_answer(queue_take(&pipe->large), 503);
	while (pipe->requests.first)
		work_answer(queue_take(&pipe->requests), 503);
}

static void
gathered(void *arg)
{
	((LarasPipe *) arg)->gathering = false;
}

/*
 * Is another call worth its commit now? With none under way always. Beside
 * others only when enough have gathered, or the first has waited: each call
 * costs about as much as thirty webhooks do, and the end of those under way
 * asks again.
 */
static bool
worth_a_call(LarasPipe *pipe)
{
	int64_t waited;

	if (pipe->batches_out == 0 || pipe->webhooks.items >= GATHER_ITEMS * pipe->batches_out)
		return true;
	waited = laras_http_now(pipe->server) - pipe->webhooks.first->since;
	if (waited >= GATHER_MS)
		return true;
	if (!pipe->gathering)
	{
		pipe->gathering = true;
		laras_http_timer_set(pipe->server, &pipe->gather_timer, (int) (GATHER_MS - waited));
	}
	return false;
}

static void
send_webhooks(LarasPipe *pipe, int most)
{
	LarasDatabase *database = pipe->database;
	LarasLink *link;
	Batch *batch;

	while (pipe->halves && pipe->batches_out < most &&
		   (link = laras_database_free_link(database, pipe->halves->bytes > LARGE_BATCH)))
	{
		batch = pipe->halves;
		pipe->halves = batch->next;
		if (is_stale(batch->work[0]))
			batch_refuse(batch, 503);
		else
			batch_send(link, batch);
	}
	if (pipe->large.first && pipe->batches_out < most &&
		(link = laras_database_free_link(database, true)) &&
		(batch = batch_gather(pipe, &pipe->large, (size_t) pipe->config.batch_bytes)))
		batch_send(link, batch);
	while (pipe->webhooks.first && pipe->batches_out < most && worth_a_call(pipe) &&
		   (link = laras_database_free_link(database, false)) &&
		   (batch = batch_gather(pipe, &pipe->webhooks, LARGE_BATCH)))
		batch_send(link, batch);
}

static void
send_requests(LarasPipe *pipe, int most)
{
	LarasLink *link;

	while (pipe->requests.first && pipe->requests_out < most)
	{
		Work *work = pipe->requests.first;
		bool large = laras_http_request(work->exchange)->body_length > LARGE_BATCH;

		link = laras_database_free_link(pipe->database, large);
		if (link == NULL)
			break;
		queue_take(&pipe->requests);
		if (is_stale(work))
			work_answer(work, 503);
		else
			request_send(link, work);
	}
}

/*
 * Hands out free connections. Neither kind may hold them all: slow pages must
 * not stop webhooks, nor a flood of webhooks the pages. A single connection is
 * taken in turns.
 */
static void
on_turn(void *arg)
{
	LarasPipe *pipe = arg;
	int most = pipe->config.connections > 1 ? pipe->config.connections - 1 : 1;

	if (!laras_database_is_up(pipe->database))
	{
		refuse_waiting(pipe);
		return;
	}
	refuse_stale(&pipe->webhooks);
	refuse_stale(&pipe->large);
	refuse_stale(&pipe->requests);
	if (pipe->requests_first)
		send_requests(pipe, most);
	send_webhooks(pipe, most);
	if (!pipe->requests_first)
		send_requests(pipe, most);
	pipe->requests_first = !pipe->requests_first;
}

/* ---- from start to end ---- */

/* Counters, once a minute while they move, and at the end. */
static void
report(void *arg)
{
	LarasPipe *pipe = arg;
	const LarasPipeStats *stats = &pipe->stats;
	const LarasHttpStats *http = laras_http_stats(pipe->server);
	const LarasDatabaseStats *database = laras_database_stats(pipe->database);
	uint64_t sum = http->accepted + http->answers + stats->unavailable + database->losses;

	if (sum != pipe->reported)
	{
		laras_http_log(
			"connections=%d accepted=%llu requests=%llu refused=%llu timeouts=%llu evicted=%llu"
			" webhooks=%llu batches=%llu halved=%llu failed=%llu unavailable=%llu"
			" answers=%llu errors=%llu database_losses=%llu",
			http->connections, (unsigned long long) http->accepted,
			(unsigned long long) http->requests,
			(unsigned long long) (http->refused + http->refused_address),
			(unsigned long long) http->timeouts, (unsigned long long) http->evicted,
			(unsigned long long) stats->webhooks, (unsigned long long) stats->batches,
			(unsigned long long) stats->halved, (unsigned long long) stats->failed,
			(unsigned long long) stats->unavailable, (unsigned long long) stats->requests,
			(unsigned long long) stats->request_errors, (unsigned long long) database->losses);
		pipe->reported = sum;
	}
	laras_http_timer_set(pipe->server, &pipe->report_timer, REPORT_MS);
}

LarasPipe *
laras_pipe_create(const LarasPipeConfig *config)
{
	LarasPipe *pipe = calloc(1, sizeof(*pipe));

	if (pipe == NULL)
		return NULL;
	pipe->config = *config;
	pipe->ticket_timer.fire = tickets_due;
	pipe->ticket_timer.arg = pipe;
	pipe->gather_timer.fire = gathered;
	pipe->gather_timer.arg = pipe;
	pipe->report_timer.fire = report;
	pipe->report_timer.arg = pipe;
	return pipe;
}

void
laras_pipe_hook(LarasPipe *pipe, LarasHttpConfig *http)
{
	http->on_head = on_head;
	http->on_request = on_request;
	http->on_turn = on_turn;
	http->arg = pipe;
}

bool
laras_pipe_start(LarasPipe *pipe, LarasHttpServer *server)
{
	pipe->server = server;
	pipe->database = laras_database_open(server, pipe->config.conninfo, pipe->config.connections,
										 pipe->config.statement_ms, statements);
	if (pipe->database == NULL)
		return false;
	laras_http_timer_set(server, &pipe->report_timer, REPORT_MS);
	return true;
}

void
laras_pipe_stop(LarasPipe *pipe)
{
	report(pipe);
	laras_database_close(pipe->database);
	refuse_waiting(pipe);
	while (pipe->tickets.first)
		work_answer(queue_take(&pipe->tickets), 503);
}

void
laras_pipe_free(LarasPipe *pipe)
{
	while (pipe->free_works)
	{
		Work *work = pipe->free_works;

		pipe->free_works = work->next;
		free(work);
	}
	laras_array_free(&pipe->channels);
	laras_array_free(&pipe->signatures);
	laras_array_free(&pipe->bodies);
	free(pipe);
}

const LarasPipeStats *
laras_pipe_stats(const LarasPipe *pipe)
{
	return &pipe->stats;
}
