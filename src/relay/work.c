/*
 * work.c
 *		Requests that wait: for a batch, for a connection, or for their next turn.
 */
#include "relay/work.h"

#include <stdlib.h>
#include <string.h>

void
laras_queue_add(Queue *queue, Work *work)
{
	work->next = NULL;
	*(queue->last ? &queue->last->next : &queue->first) = work;
	queue->last = work;
	queue->items++;
}

Work *
laras_queue_take(Queue *queue)
{
	Work *work = queue->first;

	queue->first = work->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->items--;
	return work;
}

Work *
laras_work_new(LarasPipe *pipe, LarasHttpExchange *exchange)
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

void
laras_work_free(Work *work)
{
	LarasPipe *pipe = work->pipe;

	free(work->ticket);
	work->next = pipe->free_works;
	pipe->free_works = work;
}

void
laras_work_answer(Work *work, int status)
{
	LarasHttpExchange *exchange = work->exchange;

	if (status == 503)
		work->pipe->stats.unavailable++;
	laras_work_free(work);
	laras_http_answer_status(exchange, status);
}

/*
 * The client has gone, or the work has waited too long: not worth a statement.
 * (A ticket has a limit of its own.)
 */
bool
laras_work_is_stale(Work *work)
{
	return laras_http_peer_is_gone(work->exchange) ||
		   (work->ticket == NULL &&
			laras_http_now(work->pipe->server) - work->since > work->pipe->config.wait_ms);
}

void
laras_queue_refuse_stale(Queue *queue)
{
	while (queue->first && laras_work_is_stale(queue->first))
		laras_work_answer(laras_queue_take(queue), 503);
}

void
laras_queue_refuse(Queue *queue)
{
	while (queue->first)
		laras_work_answer(laras_queue_take(queue), 503);
}
