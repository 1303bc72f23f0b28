/*
 * database.c
 *		Connections to PostgreSQL for the relay; see database.h.
 *
 *	down --timer--> connecting --ok--> setting up --all prepared--> free <--> busy
 *	  ^-----------------+------------------+------- error, loss ------+--------+
 */
#include "relay/database.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define CONNECT_MS 5000
#define LARGE_RESULT (1 << 20) /* a connection that has received this is replaced */

typedef enum LinkState
{
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_SETTING_UP,
	LINK_FREE,
	LINK_BUSY
} LinkState;

struct LarasLink
{
	LarasDatabase *database;
	LinkState state;
	PGconn *conn;
	LarasHttpWatch *watch;
	LarasHttpTimer timer; /* reconnect, connect deadline or statement deadline */
	int backoff_ms;
	int prepared;     /* while setting up */
	PGresult *result; /* first result of the statement */
	bool failed;
	bool grown; /* received so much that its buffer is to be dropped */
	char sqlstate[6];
	LarasDone done;
	void *arg;
};

struct LarasDatabase
{
	LarasHttpServer *server;
	const char *conninfo;
	const LarasStatement *statements;
	unsigned jitter; /* where waiting times come from; no secret hangs on it */
	int statement_ms;
	bool closing;
	bool was_up; /* what the log said last */
	bool told_failure;
	LarasDatabaseStats stats;
	int nlinks;
	LarasLink links[];
};

static void link_ready(int fd, int ready, void *arg);

/*
 * Weaker than "on" would answer 200 before the commit is on disk; stronger
 * settings of the role are left alone.
 */
static const char durable[] = "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
							  " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

/* Conditions of the server, not of the statement: another try now is no use. */
static bool
is_unavailable(const char *sqlstate)
{
	return strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "53", 2) == 0 ||
		   strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "58", 2) == 0 ||
		   strcmp(sqlstate, "25006") == 0;
}

static void
log_state(LarasDatabase *database, const char *sqlstate)
{
	bool up = laras_database_is_up(database);

	if (up)
		database->told_failure = false;
	if (up && !database->was_up)
		laras_http_log("database: connected");
	else if (!up && (database->was_up || !database->told_failure))
	{
		/* never libpq's message: it may quote what the server was told */
		laras_http_log("database: not connected (SQLSTATE %s), trying again",
					   sqlstate[0] ? sqlstate : "none");
		database->told_failure = true;
	}
	database->was_up = up;
}

/* Drops the connection; what it was doing ends as unavailable. */
static void
link_down(LarasLink *link)
{
	LarasDatabase *database = link->database;
	LinkState was = link->state;
	LarasDone done = link->done;
	unsigned jitter;

	laras_http_timer_clear(database->server, &link->timer);
	if (link->watch)
		laras_http_unwatch(link->watch);
	link->watch = NULL;
	if (link->conn)
		PQfinish(link->conn);
	link->conn = NULL;
	PQclear(link->result);
	link->result = NULL;
	link->done = NULL;
	link->state = LINK_DOWN;
	if (was == LINK_CONNECTING || was == LINK_SETTING_UP)
		database->stats.failures++;
	if (was == LINK_BUSY)
		database->stats.losses++;
	if (!database->closing)
	{
		/* half of the wait is random, so that relays do not return in step */
		link->backoff_ms = link->backoff_ms ? link->backoff_ms * 2 : BACKOFF_MIN_MS;
		if (link->backoff_ms > BACKOFF_MAX_MS)
			link->backoff_ms = BACKOFF_MAX_MS;
		database->jitter = database->jitter * 1103515245u + 12345u;
		jitter = (database->jitter >> 8) % (unsigned) (link->backoff_ms / 2 + 1);
		laras_http_timer_set(database->server, &link->timer, link->backoff_ms / 2 + (int) jitter);
		log_state(database, link->sqlstate);
	}
	if (done)
		done(LARAS_UNAVAILABLE, NULL, link->sqlstate[0] ? link->sqlstate : "08006", link->arg);
}

static bool
rewatch(LarasLink *link, int want)
{
	/* while connecting, libpq may have closed one socket and opened another */
	if (link->watch)
		laras_http_unwatch(link->watch);
	link->watch =
		laras_http_watch(link->database->server, PQsocket(link->conn), want, link_ready, link);
	return link->watch != NULL;
}

/* Notices may quote data, and libpq would print them. */
static void
quiet_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

static void
link_connect(LarasLink *link)
{
	static const char *const keywords[] = {"dbname", "client_encoding", "fallback_application_name",
										   NULL};
	const char *values[] = {link->database->conninfo, "UTF8", "laras-relay", NULL};

	link->sqlstate[0] = '\0';
	link->failed = false; /* a set-up that failed must not spoil the next one */
	link->state = LINK_CONNECTING;
	link->conn = PQconnectStartParams(keywords, values, 1);
	if (link->conn)
		PQsetNoticeReceiver(link->conn, quiet_notice, NULL);
	laras_http_timer_set(link->database->server, &link->timer, CONNECT_MS);
	if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD ||
		!rewatch(link, LARAS_HTTP_WRITABLE))
		link_down(link);
}

/* Reconnect time, or a deadline. */
static void
link_timer(void *arg)
{
	LarasLink *link = arg;

	if (link->state == LINK_DOWN)
		link_connect(link);
	else
	{
		if (link->state == LINK_BUSY)
			laras_http_log("database: no answer in time, connection given up");
		link_down(link);
	}
}

/* Sends what libpq still holds; false when the connection is lost. */
static bool
flush(LarasLink *link)
{
	int left = PQflush(link->conn);

	return left >= 0 &&
		   laras_http_rewatch(link->watch, LARAS_HTTP_READABLE | (left ? LARAS_HTTP_WRITABLE : 0));
}

/* Next step of setting up, after the one before succeeded. */
static void
set_up(LarasLink *link)
{
	LarasDatabase *database = link->database;
	const LarasStatement *statement = &database->statements[link->prepared];
	bool sent;

	if (link->prepared < 0)
		sent = PQsendQuery(link->conn, durable);
	else if (statement->name)
		sent = PQsendPrepare(link->conn, statement->name, statement->text, statement->nparams,
							 statement->types);
	else
	{
		laras_http_timer_clear(database->server, &link->timer);
		link->state = LINK_FREE;
		link->backoff_ms = 0;
		database->stats.connects++;
		log_state(database, "");
		return;
	}
	if (!sent || !flush(link))
		link_down(link);
}

static void
connect_step(LarasLink *link)
{
	switch (PQconnectPoll(link->conn))
	{
		case PGRES_POLLING_READING:
			if (!rewatch(link, LARAS_HTTP_READABLE))
				link_down(link);
			break;
		case PGRES_POLLING_WRITING:
			if (!rewatch(link, LARAS_HTTP_WRITABLE))
				link_down(link);
			break;
		case PGRES_POLLING_OK:
			if (PQsetnonblocking(link->conn, 1) != 0 || !rewatch(link, LARAS_HTTP_READABLE))
			{
				link_down(link);
				break;
			}
			link->state = LINK_SETTING_UP;
			link->prepared = -1;
			set_up(link);
			break;
		default:
			link_down(link);
	}
}

static void
keep_result(LarasLink *link, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

		/* an error after a result comes from the commit and decides */
		link->failed = true;
		memcpy(link->sqlstate, sqlstate && strlen(sqlstate) == 5 ? sqlstate : "08006", 6);
		PQclear(result);
	}
	else if (link->result == NULL)
		link->result = result;
	else
		PQclear(result);
}

/* ReadyForQuery came: the outcome is known. */
static void
statement_ended(LarasLink *link)
{
	PGresult *result = link->result;
	LarasDone done = link->done;
	bool failed = link->failed;
	char sqlstate[6];

	link->result = NULL;
	if (link->state == LINK_SETTING_UP)
	{
		PQclear(result);
		link->prepared++;
		if (failed)
			link_down(link);
		else
			set_up(link);
		return;
	}
	laras_http_timer_clear(link->database->server, &link->timer);
	memcpy(sqlstate, link->sqlstate, sizeof(sqlstate));
	link->done = NULL;
	if (failed || PQtransactionStatus(link->conn) != PQTRANS_IDLE)
	{
		PQclear(result);
		result = NULL;
		failed = true;
	}
	link->state = LINK_FREE;
	link->grown = result && PQresultMemorySize(result) > LARGE_RESULT;
	if (link->grown || (failed && is_unavailable(sqlstate)))
		link_down(link);
	if (!failed)
		done(LARAS_COMMITTED, result, "00000", link->arg);
	else
		done(is_unavailable(sqlstate) ? LARAS_UNAVAILABLE : LARAS_FAILED, NULL, sqlstate,
			 link->arg);
}

static void
link_ready(int fd, int ready, void *arg)
{
	LarasLink *link = arg;

	(void) fd;
	if (link->state == LINK_CONNECTING)
	{
		connect_step(link);
		return;
	}
	if (((ready & LARAS_HTTP_READABLE) && !PQconsumeInput(link->conn)) ||
		((ready & LARAS_HTTP_WRITABLE) && !flush(link)))
	{
		link_down(link);
		return;
	}
	if (link->state == LINK_FREE)
	{
		/* an unasked word: notices are dropped, a farewell ends the connection */
		PGnotify *notify;

		while ((notify = PQnotifies(link->conn)) != NULL)
			PQfreemem(notify);
		if (PQstatus(link->conn) == CONNECTION_BAD)
			link_down(link);
		return;
	}
	while (link->state == LINK_BUSY || link->state == LINK_SETTING_UP)
	{
		PGresult *result;

		if (PQisBusy(link->conn))
			return;
		result = PQgetResult(link->conn);
		if (result)
		{
			keep_result(link, result);
			if (PQstatus(link->conn) != CONNECTION_BAD)
				continue;
			link_down(link);
			return;
		}
		statement_ended(link);
		return;
	}
}

LarasDatabase *
laras_database_open(LarasHttpServer *server, const char *conninfo, int connections,
					int statement_ms, const LarasStatement *statements)
{
	LarasDatabase *database =
		calloc(1, sizeof(*database) + (size_t) connections * sizeof(LarasLink));

	if (database == NULL)
		return NULL;
	database->server = server;
	database->jitter = (unsigned) laras_http_now(server) ^ (unsigned) getpid();
	database->conninfo = conninfo;
	database->statements = statements;
	database->statement_ms = statement_ms;
	database->nlinks = connections;
	for (int i = 0; i < connections; i++)
	{
		LarasLink *link = &database->links[i];

		link->database = database;
		link->timer.fire = link_timer;
		link->timer.arg = link;
		laras_http_timer_set(server, &link->timer, 1);
	}
	return database;
}

void
laras_database_close(LarasDatabase *database)
{
	database->closing = true;
	for (int i = 0; i < database->nlinks; i++)
		link_down(&database->links[i]);
	free(database);
}

int
laras_database_links(const LarasDatabase *database)
{
	int n = 0;

	for (int i = 0; i < database->nlinks; i++)
		n += database->links[i].state >= LINK_FREE;
	return n;
}

bool
laras_database_is_up(const LarasDatabase *database)
{
	return laras_database_links(database) > 0;
}

const LarasDatabaseStats *
laras_database_stats(const LarasDatabase *database)
{
	return &database->stats;
}

bool
laras_link_takes_large(const LarasLink *link)
{
	return link == &link->database->links[0];
}

LarasLink *
laras_database_free_link(LarasDatabase *database, bool large)
{
	if (large)
		return database->links[0].state == LINK_FREE ? &database->links[0] : NULL;
	/* the first is taken last */
	for (int i = database->nlinks - 1; i >= 0; i--)
		if (database->links[i].state == LINK_FREE)
			return &database->links[i];
	return NULL;
}

void
laras_link_send(LarasLink *link, const LarasStatement *statement, const char *const *values,
				const int *lengths, const int *formats, LarasDone done, void *arg)
{
	link->state = LINK_BUSY;
	link->failed = false;
	link->sqlstate[0] = '\0';
	link->done = done;
	link->arg = arg;
	laras_http_timer_set(link->database->server, &link->timer, link->database->statement_ms);
	if (!PQsendQueryPrepared(link->conn, statement->name, statement->nparams, values, lengths,
							 formats, 1) ||
		!flush(link))
		link_down(link);
}
