/*
 * extension.c
 *		Does the database have the extension, in this library's version?
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/monotonic.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define PROBE_MS (30 * 1000)

/*
 * The state of the extension in this database, and its version (64 bytes).
 * Reads the catalogue itself: a cache may not know yet of the commit that woke
 * us, since invalidations follow the commit callbacks.
 */
static LarasExtensionState
look_for_extension(char *version, size_t size)
{
	Relation catalog;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;
	LarasExtensionState state = LARAS_EXTENSION_ABSENT;
	MemoryContext caller = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("laras"));
	catalog = table_open(ExtensionRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool null;
		Datum value =
			heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(catalog), &null);

		if (!null)
			text_to_cstring_buffer(DatumGetTextPP(value), version, size);
		state = strcmp(version, LARAS_VERSION) == 0 ? LARAS_EXTENSION_PRESENT
													: LARAS_EXTENSION_OTHER_VERSION;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return state;
}

void
laras_extension_check(LarasDatabaseSlot *database)
{
	LarasExtensionState state;
	LarasExtensionState before;
	char version[64] = "";
	uint32 changes;
	bool settled;

	do
	{
		LWLockAcquire(laras_workers->lock, LW_SHARED);
		changes = database->extension_changes;
		LWLockRelease(laras_workers->lock);

		state = look_for_extension(version, sizeof(version));

		LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
		before = database->extension;

		/* What was changed while we looked may not have been seen: look again. */
		settled = database->extension_changes == changes;
		if (settled)
		{
			database->extension = state;
			database->probe_at = laras_monotonic_ms() + PROBE_MS;
			if (before != state)
				laras_wake_launcher();
		}
		LWLockRelease(laras_workers->lock);
	} while (!settled);

	if (state == LARAS_EXTENSION_PRESENT)
		return;
	if (state == LARAS_EXTENSION_OTHER_VERSION && before != state)
		ereport(
			LOG,
			(errmsg(
				 "laras in database \"%s\" has version \"%s\", the library has \"%s\": its workers wait",
				 NameStr(database->name), version, LARAS_VERSION),
			 errhint("Run ALTER EXTENSION laras UPDATE in that database.")));
	proc_exit(0); /* lasts until the extension changes */
}
