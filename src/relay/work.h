/*
 * work.h
 *		What the parts of the pipe share: the requests that wait, and the pipe.
 *
 * For pipe.c, work.c, webhooks.c and requests.c alone.
 */
#ifndef LARAS_RELAY_WORK_H
#define LARAS_RELAY_WORK_H

#include "relay/arrays.h"
#include "relay/pipe.h"

#define LARAS_BATCH_ITEMS 512       /* at most, of one call */
#define LARAS_LARGE_BATCH (1 << 19) /* bytes; a connection of its own above this */

/* the prepared statements of each connection, by their place in laras_statements */
enum
{
	RECEIVE_WEBHOOKS,
	HTTP_REQUEST,
	HTTP_CONTINUE
};

extern const LarasStatement laras_statements[];

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
/* ---- work.c ---- */

extern void laras_queue_add(Queue *queue, Work *work);
extern Work *laras_queue_take(Queue *queue);
/* answers 503 to those at its head that nobody waits for any more */
extern void laras_queue_refuse_stale(Queue *queue);
extern void laras_queue_refuse(Queue *queue);

/* NULL when memory is short */
extern Work *laras_work_new(LarasPipe *pipe, LarasHttpExchange *exchange);
extern void laras_work_free(Work *work);
/* answers with a status alone, and frees it */
extern void laras_work_answer(Work *work, int status);
extern bool laras_work_is_stale(Work *work);

/* ---- webhooks.c ---- */

/* what follows the prefix of webhooks; NULL: another kind of request */
extern const char *laras_webhook_channel(const LarasHttpReader *request);
/* sends what has gathered while fewer than most calls are under way */
extern void laras_webhooks_send(LarasPipe *pipe, int most);
/* fires when the first has waited for company long enough; arg is the pipe */
extern void laras_webhooks_gathered(void *arg);
/* halves of failed calls: 503 */
extern void laras_webhooks_refuse_halves(LarasPipe *pipe);

/* ---- requests.c ---- */

extern void laras_requests_send(LarasPipe *pipe, int most);
/* fires when a ticket's next turn has come; arg is the pipe */
extern void laras_tickets_due(void *arg);

#endif /* LARAS_RELAY_WORK_H */
