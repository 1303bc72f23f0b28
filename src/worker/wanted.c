/*
 * wanted.c
 *		Which databases are to have workers, as far as the shared catalogues tell.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "worker/shared.h"

static char *laras_databases = NULL;

static bool
check_databases(char **value, void **extra, GucSource source)
{
	char *copy = pstrdup(*value);
	List *names = NIL;
	bool good = true;

	if (!SplitIdentifierString(copy, ',', &names))
	{
		GUC_check_errdetail("List syntax is invalid.");
		good = false;
	}
	else if (list_length(names) > LARAS_MAX_DATABASES)
	{
		GUC_check_errdetail("At most %d databases can be named.", LARAS_MAX_DATABASES);
		good = false;
	}
	list_free(names);
	pfree(copy);
	return good;
}

int
laras_wanted_named(void)
{
	char *list = pstrdup(laras_databases);
	List *names;
	int n = SplitIdentifierString(list, ',', &names) ? list_length(names) : 0;

	list_free(names);
	pfree(list);
	return n;
}

/*
 * The role the workers connect as, or InvalidOid.  Reads the catalogue itself:
 * the launcher is woken by commit callbacks, and these come before the
 * invalidations that would make a cache forget that there was no such role.
 * And reads it without its index, which a process without a database may be
 * unable to open after a crash restart.
 */
static Oid
look_for_role(void)
{
	Relation catalog = table_open(AuthIdRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;
	Oid role = InvalidOid;

	ScanKeyInit(&key, Anum_pg_authid_rolname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("laras_worker"));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin)
		role = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return role;
}

int
laras_wanted_databases(LarasWanted *wanted, Oid *role)
{
	MemoryContext scratch = CurrentMemoryContext;
	char *list = pstrdup(laras_databases);
	List *names;
	int n = 0;

	if (!SplitIdentifierString(list, ',', &names))
		names = NIL; /* the check hook does not let it come here */

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	*role = look_for_role();
	if (OidIsValid(*role) && names != NIL)
	{
		Relation catalog = table_open(DatabaseRelationId, AccessShareLock);
		TableScanDesc scan = table_beginscan_catalog(catalog, 0, NULL);
		HeapTuple tuple;

		while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		{
			Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
			ListCell *cell;

			if (row->datistemplate || !row->datallowconn || row->datconnlimit < -1)
				continue;
			foreach(cell, names)
			{
				if (strcmp(lfirst(cell), NameStr(row->datname)) == 0 && n < LARAS_MAX_DATABASES)
				{
					wanted[n].database = row->oid;
					wanted[n].name = row->datname;
					n++;
					break;
				}
			}
		}
		table_endscan(scan);
		table_close(catalog, AccessShareLock);
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(scratch);
	return n;
}

void
laras_wanted_init(void)
{
	DefineCustomStringVariable("laras.databases", "Databases that have laras's background workers.",
							   "A list of names, separated by commas.", &laras_databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL, NULL);
}
