/*
 * requests.c
 *		All requests but webhooks, one by one, and those that come back with a
 *		ticket.
 */
#include "relay/work.h"

#include <stdlib.h>
#include <string.h>

#define CONTINUE_STATUS 102
#define MAX_TICKET 4096
#define MAX_FIELDS 100 /* of an answer */

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
		laras_link_send(link, &laras_statements[HTTP_CONTINUE], values, lengths, binary,
						request_done, work);
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
		laras_work_answer(work, 503);
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
	laras_link_send(link, &laras_statements[HTTP_REQUEST], values, lengths, formats, request_done,
					work);
}

void
laras_tickets_due(void *arg)
{
	LarasPipe *pipe = arg;
	int64_t now = laras_http_now(pipe->server);

	while (pipe->tickets.first && pipe->tickets.first->due <= now)
	{
		Work *work = laras_queue_take(&pipe->tickets);

		if (laras_http_peer_is_gone(work->exchange) ||
			now - work->since >= pipe->config.ticket_total_ms)
			laras_work_answer(work, 504);
		else
			laras_queue_add(&pipe->requests, work);
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
		laras_work_answer(work, 502);
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
	laras_queue_add(&pipe->tickets, work);
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
		laras_work_answer(work, 502);
		PQclear(result);
		return;
	}
	work->pipe->stats.requests++;
	laras_work_free(work);
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
		laras_work_answer(work, 503);
	else
	{
		laras_http_log("http_request: failed (SQLSTATE %s)", sqlstate);
		work->pipe->stats.request_errors++;
		laras_work_answer(work, 500);
	}
}

void
laras_requests_send(LarasPipe *pipe, int most)
{
	LarasLink *link;

	while (pipe->requests.first && pipe->requests_out < most)
	{
		Work *work = pipe->requests.first;
		bool large = laras_http_request(work->exchange)->body_length > LARAS_LARGE_BATCH;

		link = laras_database_free_link(pipe->database, large);
		if (link == NULL)
			break;
		laras_queue_take(&pipe->requests);
		if (laras_work_is_stale(work))
			laras_work_answer(work, 503);
		else
			request_send(link, work);
	}
}
