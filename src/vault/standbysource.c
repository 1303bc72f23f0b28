/*
 * standbysource.c
 *		The connection of a standby's vault worker to the primary.
 *
 * Never blocks in libpq: every wait is on a latch, serves interrupts, and ends
 * when this server is promoted, since the primary may be gone for good.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "libpq-fe.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "vault/standby.h"
#include "worker/worker.h"

#define ANSWER_MS 60000
#define CONNECT_MS 15000

static PGconn *source = NULL;
static char problem[256];

static const char ask[] = "SELECT p.piece, p.number, p.bytes FROM laras.pull_keyring("
						  "$1::pg_catalog.text, $2::pg_catalog.int8, $3::pg_catalog.bytea,"
						  " $4::pg_catalog.int4, $5::pg_catalog.int4[], $6::pg_catalog.int4) AS p";

static void
hang_up(const char *message)
{
	char *end;

	strlcpy(problem, message, sizeof(problem));
	end = strchr(problem, '\n');
	if (end != NULL)
		*end = '\0';
	if (source != NULL)
		PQfinish(source);
	source = NULL;
}

/* Wait for the socket; false: promoted, or the time is up. */
static bool
wait_for_socket(int events, TimestampTz until)
{
	if (!RecoveryInProgress() || GetCurrentTimestamp() >= until)
		return false;
	(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | events,
							 PQsocket(source), 200, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

static bool
connect_to_source(void)
{
	/* the first dbname is a connection string, the second a name that overrides it */
	const char *keywords[] = {"dbname", "dbname", "application_name", "client_encoding", NULL};
	const char *values[] = {laras_keyring_source, laras_copy.database, "laras standby", "UTF8",
							NULL};
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONNECT_MS);
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	if (source != NULL && PQstatus(source) == CONNECTION_OK)
		return true;
	if (source != NULL)
		PQfinish(source);
	source = PQconnectStartParams(keywords, values, 1);
	if (source == NULL || PQstatus(source) == CONNECTION_BAD)
	{
		hang_up(source == NULL ? "out of memory" : PQerrorMessage(source));
		return false;
	}
	while (state != PGRES_POLLING_OK)
	{
		if (state == PGRES_POLLING_FAILED)
		{
			hang_up(PQerrorMessage(source));
			return false;
		}
		if (!wait_for_socket(state == PGRES_POLLING_READING ? WL_SOCKET_READABLE
															: WL_SOCKET_WRITEABLE,
							 until))
		{
			hang_up("no answer");
			return false;
		}
		state = PQconnectPoll(source);
	}
	return true;
}

/* The whole answer, or NULL. */
static PGresult *
fetch(const char *const *values)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWER_MS);
	PGresult *last = NULL;

	if (PQsendQueryParams(source, ask, 6, NULL, values, NULL, NULL, 1) == 0)
	{
		hang_up(PQerrorMessage(source));
		return NULL;
	}
	for (;;)
	{
		PGresult *result;

		while (PQisBusy(source))
		{
			if (!wait_for_socket(WL_SOCKET_READABLE, until))
			{
				PQclear(last);
				hang_up("no answer");
				return NULL;
			}
			if (PQconsumeInput(source) == 0)
			{
				PQclear(last);
				hang_up(PQerrorMessage(source));
				return NULL;
			}
		}
		result = PQgetResult(source);
		if (result == NULL)
			return last;
		PQclear(last);
		last = result;
	}
}

bool
laras_pull(const char *standby, uint64 journal, const uint8 chain[LARAS_CHAIN_LEN],
		   uint32 first_slab, const uint32 *slabs, int nslabs, uint32 held, LarasPullVisit visit,
		   void *arg, const char **why)
{
	char number[32];
	char first[16];
	char hex[2 * LARAS_CHAIN_LEN + 3] = "\\x";
	char list[LARAS_PULL_SLABS * 12 + 3];
	char slabs_here[16];
	const char *values[6] = {standby, number, hex, first, list, slabs_here};
	PGresult *volatile result;
	int at = 0;

	*why = problem;
	if (!connect_to_source())
		return false;
	snprintf(number, sizeof(number), UINT64_FORMAT, journal);
	snprintf(first, sizeof(first), "%u", first_slab);
	snprintf(slabs_here, sizeof(slabs_here), "%u", held);
	for (int i = 0; i < LARAS_CHAIN_LEN; i++)
		snprintf(hex + 2 + 2 * i, 3, "%02x", chain[i]);
	list[at++] = '{';
	for (int i = 0; i < nslabs; i++)
		at += snprintf(list + at, sizeof(list) - at, "%s%u", i > 0 ? "," : "", slabs[i]);
	snprintf(list + at, sizeof(list) - at, "}");

	result = fetch(values);
	if (result == NULL)
		return false;
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != 3)
	{
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

		snprintf(problem, sizeof(problem), "%s (%s)", text ? text : "no result",
				 state ? state : "none");
		PQclear(result);
		return false;
	}
	PG_TRY();
	{
		for (int row = 0; row < PQntuples(result); row++)
		{
			char *piece = pnstrdup(PQgetvalue(result, row, 0), PQgetlength(result, row, 0));
			uint64 n;

			if (PQgetlength(result, row, 1) != sizeof(n))
				elog(ERROR, "unexpected answer of the keyring's source");
			memcpy(&n, PQgetvalue(result, row, 1), sizeof(n));
			visit(piece, pg_ntoh64(n),
				  PQgetisnull(result, row, 2) ? NULL : (const uint8 *) PQgetvalue(result, row, 2),
				  PQgetlength(result, row, 2), arg);
			pfree(piece);
		}
	}
	PG_FINALLY();
	{
		PQclear(result);
	}
	PG_END_TRY();
	return true;
}
