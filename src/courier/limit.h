/*
 * limit.h
 *		How much may leave now: the provider's limits for a number, pauses after
 *		refusals, and the breaker of an account; for one person: conversation.h.
 *
 * All of it is memory of the one process that sends for this database. What a
 * restart must not forget is read back from the attempts in the database, and
 * from the pauses kept there (pause.h).
 */
#ifndef LARAS_LIMIT_H
#define LARAS_LIMIT_H

#include "courier/carry.h"
#include "courier/rule.h"

/* All moments below are microseconds of laras_monotonic_us(). */

/* what leaves through one connection */
typedef struct LarasLane LarasLane;

/* with whom a connection is left alone, where the provider means them all; 0: with nobody */
typedef struct LarasLaneAbove
{
	int64_t app;      /* provider_app.id */
	int64_t business; /* laras_lane_business */
} LarasLaneAbove;

/* The business account above a connection, from the hash of its route; NULL: 0. */
extern int64_t laras_lane_business(const bytea *route_hash);

/*
 * What LarasLaneAbove is read from: p, app and route of the connection with these
 * ids; FROM and joins of a statement come before it.
 */
#define LARAS_LANE_ABOVE(workspace, connection)                                                      \
	"CROSS JOIN LATERAL (SELECT (SELECT v.provider_app_id FROM laras.connection v "                  \
	"WHERE v.workspace_id OPERATOR(pg_catalog.=) " workspace                                         \
	" AND v.id OPERATOR(pg_catalog.=) " connection "), "                                             \
	"(SELECT e.route_hash FROM laras.route e WHERE e.workspace_id OPERATOR(pg_catalog.=) " workspace \
	" AND e.connection_id OPERATOR(pg_catalog.=) " connection                                        \
	" AND e.role OPERATOR(pg_catalog.=) 'business' LIMIT 1)) AS p (app, business) "

/* The lane of a connection, made where there is none; it obeys these limits from now on. */
extern LarasLane *laras_lane(int64_t workspace_id, int64_t connection_id,
							 const LarasLaneLimits *limits, const LarasLaneAbove *above);
extern const LarasLaneLimits *laras_lane_limits(const LarasLane *lane);

/*
 * How many messages may leave through it at that moment. Where that is none,
 * *again is lowered to the moment at which it is worth asking.
 */
extern int laras_lane_tokens(LarasLane *lane, int64_t now, int64_t *again);

/* Take one of the tokens; given back by laras_lane_back or laras_limit_ended. */
extern void laras_lane_take(LarasLane *lane, int64_t now);
/* It did not leave after all. */
extern void laras_lane_back(int64_t workspace_id, int64_t connection_id);

/*
 * The request of this flight has ended as *outcome says: what the provider
 * counts, and whether the account is to be left alone for a while. True when
 * the breaker has just opened.
 */
extern bool laras_limit_ended(const LarasFlight *flight, const LarasOutcome *outcome);

/*
 * Once at the start: take over what an earlier run sent and the provider may
 * still count. In a transaction as laras_worker bound to all, SPI open.
 */
extern void laras_limit_inherit(void);

/*
 * FROM of what was sent of late: a, the attempts, and o, of their rows; w, their
 * workspaces. $1 and $2 are given by laras_recent_sends, $1 for the index: an id
 * may be ahead of its time, never behind. What certainly was no message that
 * reached anybody does not count.
 */
#define LARAS_RECENT_SENDS                                                                   \
	"FROM laras.workspace w CROSS JOIN LATERAL (SELECT x.id, x.outbox_id, x.started_at "     \
	"FROM laras.send_attempt x WHERE x.workspace_id OPERATOR(pg_catalog.=) w.workspace_id "  \
	"AND x.id OPERATOR(pg_catalog.>) $1 AND x.started_at OPERATOR(pg_catalog.>) $2 "         \
	"AND x.outcome OPERATOR(pg_catalog.<>) ALL ('{staged,not_sent}'::pg_catalog.text[])) a " \
	"CROSS JOIN LATERAL (SELECT y.connection_id, y.conversation_id FROM laras.outbox y "     \
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) w.workspace_id "                            \
	"AND y.id OPERATOR(pg_catalog.=) a.outbox_id) o "

/* Of what began within so many milliseconds. In a transaction. */
extern void laras_recent_sends(int ms, Datum values[2]);

/* what is to be known of a connection that is left alone */
typedef struct LarasPause
{
	int64_t workspace_id;
	int64_t connection_id;
	bool rests_on;        /* false: there is nothing to be known any more */
	bool open;            /* the breaker: one message goes as a probe when the time is over */
	int rests;            /* in a row */
	int64_t left;         /* microseconds from now */
	const char *reach;    /* "connection", or who rests with it as long: "business", "app" */
	LarasLaneAbove above; /* set for laras_limit_resume */
} LarasPause;

/*
 * How many connections there are of which that has changed since it was written
 * last; up to room of them in list, which may be NULL.
 */
extern int laras_limit_changed(LarasPause *list, int room);
/* They are written as they are now. */
extern void laras_limit_written(void);
/* Once at the start: what an earlier run had written of one. */
extern void laras_limit_resume(const LarasPause *pause);

#endif /* LARAS_LIMIT_H */
