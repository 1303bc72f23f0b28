/*
 * webhooks.c
 *		Webhooks in batches: one call, one commit, many answers.
 *
 * They gather while the database works and go out together. A call that failed
 * was rolled back whole and is sent again in halves, until the culprit stands
 * alone.
 */
#include "relay/work.h"

#include <stdlib.h>
#include <string.h>

#define WEBHOOKS "/api/webhooks/"
#define GATHER_ITEMS 64 /* for each call under way, before another begins beside them */
#define GATHER_MS 5     /* but nobody waits longer than this for company */

static const char *const signature_fields[] = {"x-hub-signature-256",
											   "x-telegram-bot-api-secret-token",
											   "x-laras-signature", NULL};

const char *
laras_webhook_channel(const LarasHttpReader *request)
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
		laras_work_answer(batch->work[i], status);
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
		const char *channel = laras_webhook_channel(request);
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
	laras_link_send(link, &laras_statements[RECEIVE_WEBHOOKS], values, lengths, formats, batch_done,
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
	uint16_t statuses[LARAS_BATCH_ITEMS] = {0};
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

		laras_work_free(batch->work[i]);
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
		if (laras_work_is_stale(queue->first))
			laras_work_answer(laras_queue_take(queue), 503);
		else
			batch_add(batch, laras_queue_take(queue));
	}
	if (batch->items == 0)
	{
		free(batch);
		return NULL;
	}
	return batch;
}

void
laras_webhooks_gathered(void *arg)
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

void
laras_webhooks_send(LarasPipe *pipe, int most)
{
	LarasDatabase *database = pipe->database;
	LarasLink *link;
	Batch *batch;

	while (pipe->halves && pipe->batches_out < most &&
		   (link = laras_database_free_link(database, pipe->halves->bytes > LARAS_LARGE_BATCH)))
	{
		batch = pipe->halves;
		pipe->halves = batch->next;
		if (laras_work_is_stale(batch->work[0]))
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
		   (batch = batch_gather(pipe, &pipe->webhooks, LARAS_LARGE_BATCH)))
		batch_send(link, batch);
}

void
laras_webhooks_refuse_halves(LarasPipe *pipe)
{
	while (pipe->halves)
	{
		Batch *batch = pipe->halves;

		pipe->halves = batch->next;
		batch_refuse(batch, 503);
	}
}
