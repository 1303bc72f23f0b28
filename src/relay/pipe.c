/*
 * pipe.c
 *		Requests in, SQL calls, answers out; see pipe.h.
 *
 * This file ties the server's hooks to the two kinds of work (webhooks.c,
 * requests.c) and hands out the connections. Nothing is answered with another
 * status than 503 before its statement's outcome is known.
 */
#include "relay/work.h"

#include <stdlib.h>
#include <string.h>

#define REPORT_MS 60000

static const Oid webhook_types[] = {LARAS_OID_TEXT_ARRAY, LARAS_OID_TEXT_ARRAY,
									LARAS_OID_BYTEA_ARRAY};
static const Oid request_types[] = {LARAS_OID_TEXT,       LARAS_OID_TEXT,  LARAS_OID_TEXT,
									LARAS_OID_TEXT_ARRAY, LARAS_OID_BYTEA, LARAS_OID_INET};
static const Oid continue_types[] = {LARAS_OID_BYTEA};

const LarasStatement laras_statements[] = {
	{"receive_webhooks", "SELECT ordinal, status FROM laras.receive_webhooks($1, $2, $3)", 3,
	 webhook_types},
	{"http_request", "SELECT status, headers, body FROM laras.http_request($1, $2, $3, $4, $5, $6)",
	 6, request_types},
	{"http_continue", "SELECT status, headers, body FROM laras.http_continue($1)", 1,
	 continue_types},
	{NULL, NULL, 0, NULL}};

void
laras_pipe_defaults(LarasPipeConfig *config)
{
	config->conninfo = "";
	config->connections = 4;
	config->statement_ms = 15000;
	config->batch_items = LARAS_BATCH_ITEMS;
	config->batch_bytes = 4 << 20;
	config->queue_items = 4096;
	config->wait_ms = 10000;
	config->ticket_ms = 100;
	config->ticket_total_ms = 25000;
}

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
	Work *work = laras_work_new(pipe, exchange);

	if (work == NULL)
		laras_http_answer_status(exchange, 503);
	else if (laras_webhook_channel(request) == NULL)
		laras_queue_add(&pipe->requests, work);
	else
		laras_queue_add(request->body_length > LARAS_LARGE_BATCH ? &pipe->large : &pipe->webhooks,
						work);
}

/* Without a connection nothing that waits can be done. */
static void
refuse_waiting(LarasPipe *pipe)
{
	laras_webhooks_refuse_halves(pipe);
	laras_queue_refuse(&pipe->webhooks);
	laras_queue_refuse(&pipe->large);
	laras_queue_refuse(&pipe->requests);
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
	laras_queue_refuse_stale(&pipe->webhooks);
	laras_queue_refuse_stale(&pipe->large);
	laras_queue_refuse_stale(&pipe->requests);
	if (pipe->requests_first)
		laras_requests_send(pipe, most);
	laras_webhooks_send(pipe, most);
	if (!pipe->requests_first)
		laras_requests_send(pipe, most);
	pipe->requests_first = !pipe->requests_first;
}

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
	pipe->ticket_timer.fire = laras_tickets_due;
	pipe->ticket_timer.arg = pipe;
	pipe->gather_timer.fire = laras_webhooks_gathered;
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
										 pipe->config.statement_ms, laras_statements);
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
	laras_queue_refuse(&pipe->tickets);
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
