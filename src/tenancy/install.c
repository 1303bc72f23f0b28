/*
 * install.c
 *		The end of the install script: what every table of the schema gets,
 *		whichever room made it.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/spi.h"

PG_FUNCTION_INFO_V1(laras_close_install);

/*
 * Names come from the catalogue and are quoted by the server.  Partitions have
 * triggers and rights of their own, since TRUNCATE and COPY may name them.
 */
LARAS_PLAN(
	closing_statements,
	"SELECT pg_catalog.format('GRANT SELECT ON laras.%I TO laras_backup', c.relname) "
	"FROM pg_catalog.pg_class c "
	"WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p', 'S') "
	"UNION ALL "
	"SELECT pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.%I "
	"FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate()', c.relname) "
	"FROM pg_catalog.pg_class c "
	"WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid "
	"AND t.tgfoid = 'laras.refuse_truncate'::pg_catalog.regproc)");

LARAS_PLAN(
	trigger_statements,
	"SELECT pg_catalog.format('ALTER TABLE laras.%I ENABLE ALWAYS TRIGGER %I', c.relname, t.tgname) "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid "
	"WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace "
	"AND t.tgfoid = 'laras.refuse_truncate'::pg_catalog.regproc AND t.tgenabled <> 'A'");

static void
run_all(LarasPlan *plan)
{
	/* not laras_spi_read: what the list before made must be seen */
	uint64 n = laras_spi_run(plan, NULL, NULL);
	char **statements = palloc(sizeof(char *) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
		statements[i] = laras_spi_cstring(i, 1);
	for (uint64 i = 0; i < n; i++)
		if (SPI_execute(statements[i], false, 0) < 0)
			elog(ERROR, "could not finish the installation");
}

/* laras.close_install(): last in the install script, dropped after it. */
Datum
laras_close_install(PG_FUNCTION_ARGS)
{
	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only a superuser installs laras")));
	laras_spi_open();
	run_all(&closing_statements);
	run_all(&trigger_statements);
	laras_spi_close();
	PG_RETURN_VOID();
}
