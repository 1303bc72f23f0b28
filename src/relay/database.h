/*
 * database.h
 *		The relay's connections to PostgreSQL: asynchronous libpq on the server's
 *		loop, one statement at a time on each, reconnecting by themselves.
 *
 * A statement's outcome is known only at ReadyForQuery: in the extended
 * protocol the commit happens at Sync, after CommandComplete, so a result that
 * has arrived is not yet durable. done() is therefore called when the server
 * says that it is idle again, outside any transaction.
 */
#ifndef LARAS_RELAY_DATABASE_H
#define LARAS_RELAY_DATABASE_H

#include <libpq-fe.h>

#include "relay/http_server.h"

typedef struct LarasDatabase LarasDatabase;
typedef struct LarasLink LarasLink;

typedef enum LarasOutcome
{
	LARAS_COMMITTED,  /* result holds the rows */
	LARAS_FAILED,     /* rolled back; sqlstate says why */
	LARAS_UNAVAILABLE /* rolled back, and the next statement would fare no
								 * better; or the connection was lost and nobody knows */
} LarasOutcome;

/* Called exactly once a statement. Whoever is called owns result (may be NULL). */
typedef void (*LarasDone)(LarasOutcome outcome, PGresult *result, const char *sqlstate, void *arg);

typedef struct LarasStatement
{
	const char *name; /* of the prepared statement */
	const char *text;
	int nparams;
	const Oid *types;
} LarasStatement;

typedef struct LarasDatabaseStats
{
	uint64_t connects;
	uint64_t losses;   /* connections lost or given up while a statement ran */
	uint64_t failures; /* attempts to connect that failed */
} LarasDatabaseStats;

/*
 * Starts connecting; never blocks (but for name resolution: use a socket
 * directory or hostaddr). statements: prepared on every connection, ended by a
 * NULL name. A statement longer than statement_ms costs its connection.
 * Connections become free within a turn of the loop: look in on_turn.
 */
extern LarasDatabase *
laras_database_open(LarasHttpServer *server, const char *conninfo, int connections,
					int statement_ms, const LarasStatement *statements);

/* Gives up all connections; statements under way end as unavailable. */
extern void laras_database_close(LarasDatabase *database);

/* True when at least one connection is up. */
extern bool laras_database_is_up(const LarasDatabase *database);

/* Connections that are up: all, and those with nothing to do. */
extern int laras_database_links(const LarasDatabase *database);
extern const LarasDatabaseStats *laras_database_stats(const LarasDatabase *database);

/*
 * A connection with nothing to do, or NULL. The first one is the only one for
 * large statements (libpq never gives back a buffer that has grown).
 */
extern LarasLink *laras_database_free_link(LarasDatabase *database, bool large);
extern bool laras_link_takes_large(const LarasLink *link);

/*
 * Sends a prepared statement with parameters in the formats given; rows come
 * back in binary. done is called later, from the loop, or before this returns
 * when the connection turns out to be lost. The parameters are copied.
 */
extern void
laras_link_send(LarasLink *link, const LarasStatement *statement, const char *const *values,
				const int *lengths, const int *formats, LarasDone done, void *arg);

#endif /* LARAS_RELAY_DATABASE_H */
