/*
 * intake.h
 *		From a signed body to rows of webhook_event, and from there to the
 *		inbox.
 *
 * receive.c	the relay's call: check the signature, split, route, seal, store.
 * consume.c	the intake worker: reads events by cursor, in bounded chunks.
 * quarantine.c	sets aside what cannot be applied; replays it.
 * ring.c		the ring of daily partitions and its purge.
 */
#ifndef LARAS_INTAKE_H
#define LARAS_INTAKE_H

#include "channel/channel.h"
#include "worker/worker.h"

/* partitions of webhook_event: day number modulo this */
#define LARAS_RING_DAYS 10

/* the ring day of a moment by the product's clock */
extern int laras_ring_day(TimestampTz at);

/* The intake worker's turn: applies what has become visible. See worker.h. */
extern LarasTurn laras_intake_turn(void);

/* In _PG_init: tells the vault how to see that an hour is still needed. */
extern void laras_intake_init(void);

/* Keeper duty: truncates partitions whose events are applied and expired. */
extern LarasTurn laras_intake_purge(void);

/*
 * Add to the counters of what was acknowledged and dropped. In a transaction,
 * as laras_intake, laras_worker or laras_owner. Rows are taken in one order,
 * so concurrent callers cannot deadlock.
 */
typedef struct LarasIgnored
{
	const char *channel;
	const char *reason;
	int64 count;
} LarasIgnored;

extern void laras_count_ignored(LarasIgnored *ignored, int n);

/*
 * Set a piece of a workspace aside: sealed under (workspace, week slot). In a
 * transaction as laras_worker with the workspace in its set. Raises like
 * laras_seal.
 */
extern void laras_quarantine_event(int64 workspace_id, int64 connection_id, const char *channel,
								   TimestampTz received_at, const char *sqlstate,
								   const char *reason, const char *body, size_t n);

/*
 * What was set aside of a connection for that reason, and not come back yet,
 * comes again as events. As laras_worker. What is no longer readable stays.
 */
extern void laras_quarantine_return(int64 workspace_id, int64 connection_id, const char *reason);

/*
 * Set a body aside that names no workspace: sealed under (platform, week
 * slot). As laras_intake or laras_worker.
 */
extern void
laras_quarantine_body(const char *channel, const char *reason, const char *body, size_t n);

#endif /* LARAS_INTAKE_H */
