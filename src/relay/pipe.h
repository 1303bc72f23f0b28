/*
 * pipe.h
 *		What the relay does with a request: webhooks in batches, all else one by
 *		one, to the three functions it knows. The whole of its knowledge: one path
 *		prefix and three names of signature headers (webhooks.c), the status 102
 *		(requests.c).
 */
#ifndef LARAS_RELAY_PIPE_H
#define LARAS_RELAY_PIPE_H

#include "relay/database.h"

typedef struct LarasPipe LarasPipe;

typedef struct LarasPipeConfig
{
	const char *conninfo;
	int connections;     /* to the database */
	int statement_ms;    /* a statement without outcome for so long costs its connection */
	int batch_items;     /* of one call, at most 512 */
	int batch_bytes;     /* bodies of one call; one larger body goes alone */
	int queue_items;     /* waiting requests; beyond it: 503 */
	int wait_ms;         /* a request not given to the database by then: 503 */
	int ticket_ms;       /* between two calls of http_continue */
	int ticket_total_ms; /* then 504 */
} LarasPipeConfig;

typedef struct LarasPipeStats
{
	uint64_t webhooks;       /* answered with the status the database gave */
	uint64_t batches;        /* committed calls of receive_webhooks */
	uint64_t halved;         /* failed calls that were sent again in two */
	uint64_t failed;         /* single items whose call failed: 503 */
	uint64_t unavailable;    /* answered 503 without outcome, or for want of a database */
	uint64_t requests;       /* answers of http_request and http_continue */
	uint64_t request_errors; /* of which raised or were no answer: 500, 502 */
} LarasPipeStats;

extern void laras_pipe_defaults(LarasPipeConfig *config);

/* Fills the callbacks of the server's configuration. */
extern void laras_pipe_hook(LarasPipe *pipe, LarasHttpConfig *http);

/* NULL when memory is out. Start it when the server exists. */
extern LarasPipe *laras_pipe_create(const LarasPipeConfig *config);
extern bool laras_pipe_start(LarasPipe *pipe, LarasHttpServer *server);

/* After laras_http_run(): what is still under way ends as 503. */
extern void laras_pipe_stop(LarasPipe *pipe);
extern void laras_pipe_free(LarasPipe *pipe);

extern const LarasPipeStats *laras_pipe_stats(const LarasPipe *pipe);

#endif /* LARAS_RELAY_PIPE_H */
