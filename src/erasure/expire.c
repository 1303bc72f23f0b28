/*
 * expire.c
 *		Keeper duty: what has a term of its own goes when the term is over,
 *		without anybody asking.
 *
 * Each line is one table with its term; a turn removes at most a batch of each
 * and comes back while something was found. Content under hour and week keys is
 * unreadable before its rows go.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "erasure/erasure.h"
#include "intake/intake.h"
#include "tenancy/tenancy.h"
#include "worker/worker.h"

#define BATCH "1000"

#define EXPIRE(table, condition)                                                                  \
	{                                                                                             \
		"expire_" table,                                                                          \
			"DELETE FROM laras." table                                                            \
			" WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras." table " t " \
			"WHERE " condition " LIMIT " BATCH "))",                                              \
			1,                                                                                    \
		{                                                                                         \
			INT4OID                                                                               \
		}                                                                                         \
	}

#define OLDER(column, term)                                                          \
	"t." column " OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) '" term \
	"'::pg_catalog.interval)"

/* a status that no message ever claimed: providers repeat for seven days */
static LarasPlan expire_unmatched = {
	"expire_unmatched_status",
	"DELETE FROM laras.unmatched_status s WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	"FROM laras.unmatched_status t WHERE " OLDER(
		"received_at",
		"7 days") " LIMIT " BATCH ")) "
				  "RETURNING (SELECT c.channel FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) s.workspace_id "
				  "AND c.id OPERATOR(pg_catalog.=) s.connection_id)",
	0,
	{0}};

static LarasPlan plans[] = {
	/* bodies that name no workspace, for the operator alone */
	EXPIRE("quarantined_body", OLDER("received_at", "7 days")),
	EXPIRE("quarantined_event", OLDER("quarantined_at", "30 days")),
	/* work at a provider that ended, and attempts that led to no connection */
	EXPIRE("courier_task", OLDER("finished_at", "1 day")),
	/* prompts and responses, as long as the workspace keeps them; usage for a year */
	EXPIRE(
		"llm_call",
		"t.created_at OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) (coalesce((SELECT "
		"e.keep_days FROM laras.llm_endpoint e WHERE e.workspace_id OPERATOR(pg_catalog.=) "
		"t.workspace_id), 30) OPERATOR(pg_catalog.*) '1 day'::pg_catalog.interval))"),
	EXPIRE(
		"llm_usage",
		"t.day OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) '400 days'::pg_catalog.interval)"),
	EXPIRE("connection_attempt", OLDER("expires_at", "1 day") " AND t.connection_id IS NULL"),
};

/* They are dropped, and counted. Inside SPI. */
static uint64
drop_unmatched(void)
{
	uint64 n = laras_spi_run(&expire_unmatched, NULL, NULL);
	LarasIgnored *ignored = palloc(sizeof(LarasIgnored) * (n + 1));
	int count = 0;

	for (uint64 i = 0; i < n; i++)
		if (!laras_spi_isnull(i, 1))
			ignored[count++] = (LarasIgnored){laras_spi_cstring(i, 1), "unknown_message", 1};
	laras_count_ignored(ignored, count);
	return n;
}

LarasTurn
laras_expiry_duty(void)
{
	uint64 removed;

	laras_worker_bind_all();
	laras_spi_open();
	removed = drop_unmatched();
	for (int i = 0; i < (int) lengthof(plans); i++)
		removed += laras_spi_run(&plans[i], (Datum[]){Int32GetDatum(0)}, NULL);
	laras_spi_close();
	return removed > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
