/*
 * lookup.c
 *		Reads by exact key before a workspace is known.
 *
 * A session token, an API key and a log-in name no workspace, so whoever
 * presents them cannot be bound yet and row security would show nothing.  A
 * policy for these look-ups would need a role that reads across tenants; here
 * no SQL runs and no such role exists.
 *
 * Invariant: every read here is one index probe for equality with a key of at
 * least 128 bits (or a workspace's id) that the caller had to know, and hands
 * out only the columns its struct names.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/spi.h"
#include "tenancy/permission.h"
#include "tenancy/tenancy_private.h"
#include "vault/vault.h"

Oid
laras_relation(const char *name)
{
	Oid schema = get_namespace_oid("laras", true);

	if (!OidIsValid(schema) || !OidIsValid(get_extension_oid("laras", true)))
		return InvalidOid;
	return get_relname_relid(name, schema);
}

/* One open scan of a table of ours by one of its indexes. */
typedef struct Probe
{
	Relation rel;
	Snapshot snapshot;
	SysScanDesc scan;
	HeapTuple tuple;
} Probe;

static AttrNumber
column(Relation rel, const char *name)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(rel), name);

	if (attnum == InvalidAttrNumber)
		elog(ERROR, "column \"%s\" of \"%s\" is missing", name, RelationGetRelationName(rel));
	return attnum;
}

static bool
probe_open(Probe *probe, const char *table)
{
	Oid relid = laras_relation(table);

	if (!OidIsValid(relid))
		return false;
	probe->rel = table_open(relid, AccessShareLock);
	/* while others help with a query, what is newer than the query may not be looked at */
	probe->snapshot =
		RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
	probe->scan = NULL;
	return true;
}

static void
probe_begin(Probe *probe, const char *index, ScanKey keys, int nkeys)
{
	Oid indexid = laras_relation(index);

	if (!OidIsValid(indexid))
		elog(ERROR, "index \"%s\" is missing", index);
	probe->scan = systable_beginscan(probe->rel, indexid, true, probe->snapshot, nkeys, keys);
}

static bool
probe_next(Probe *probe)
{
	probe->tuple = systable_getnext(probe->scan);
	return HeapTupleIsValid(probe->tuple);
}

static void
probe_close(Probe *probe)
{
	if (probe->scan)
		systable_endscan(probe->scan);
	UnregisterSnapshot(probe->snapshot);
	table_close(probe->rel, AccessShareLock);
}

static Datum
probe_value(Probe *probe, const char *name, bool *isnull)
{
	return heap_getattr(probe->tuple, column(probe->rel, name), RelationGetDescr(probe->rel),
						isnull);
}

static int64
probe_int8(Probe *probe, const char *name)
{
	bool isnull;
	Datum value = probe_value(probe, name, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static char *
probe_text(Probe *probe, const char *name)
{
	bool isnull;
	Datum value = probe_value(probe, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
probe_text_is(Probe *probe, const char *name, const char *wanted)
{
	char *value = probe_text(probe, name);

	return value != NULL && strcmp(value, wanted) == 0;
}

static uint32
scopes_of_array(ArrayType *array)
{
	Datum *elements;
	bool *nulls;
	int n;
	uint32 scopes = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			scopes |= laras_scope_by_name(VARDATA_ANY(DatumGetPointer(elements[i])),
										  VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])));
	return scopes;
}

bool
laras_find_token(LarasTokenKind kind, const uint8 hash[LARAS_HASH_BYTES], LarasTokenRow *row)
{
	const char *table = kind == LARAS_TOKEN_SESSION ? "session" : "api_key";
	const char *index = kind == LARAS_TOKEN_SESSION ? "session_token_hash" : "api_key_token_hash";
	Probe probe;
	ScanKeyData key;
	bool found;

	memset(row, 0, sizeof(*row));
	if (!probe_open(&probe, table))
		return false;
	ScanKeyInit(&key, column(probe.rel, "token_hash"), BTEqualStrategyNumber, F_BYTEAEQ,
				laras_bytea_datum(hash, LARAS_HASH_BYTES));
	probe_begin(&probe, index, &key, 1);
	found = probe_next(&probe);
	if (found)
	{
		bool isnull;
		Datum value;

		row->workspace_id = probe_int8(&probe, "workspace_id");
		row->id = probe_int8(&probe, "id");
		value = probe_value(&probe, "expires_at", &isnull);
		row->expires_at = isnull ? DT_NOEND : DatumGetTimestampTz(value);
		(void) probe_value(&probe, "revoked_at", &isnull);
		row->revoked = !isnull;
		if (kind == LARAS_TOKEN_SESSION)
			row->member_id = probe_int8(&probe, "member_id");
		else
		{
			value = probe_value(&probe, "scopes", &isnull);
			row->scopes = isnull ? 0 : scopes_of_array(DatumGetArrayTypeP(value));
		}
	}
	probe_close(&probe);
	return found;
}

/* The tuple's member, with its password hash copied out. */
static void
read_member(Probe *probe, LarasMemberRow *row)
{
	char *role = probe_text(probe, "role");

	row->workspace_id = probe_int8(probe, "workspace_id");
	row->id = probe_int8(probe, "id");
	row->role = laras_role_by_name(role, strlen(role));
	row->active = probe_text_is(probe, "state", "active");
	row->password_hash = probe_text(probe, "password_hash");
}

bool
laras_find_member(int64 workspace_id, int64 member_id, LarasMemberRow *row)
{
	Probe probe;
	ScanKeyData keys[2];
	bool found;

	if (!probe_open(&probe, "member"))
		return false;
	ScanKeyInit(&keys[0], column(probe.rel, "workspace_id"), BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(workspace_id));
	ScanKeyInit(&keys[1], column(probe.rel, "id"), BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(member_id));
	probe_begin(&probe, "member_pkey", keys, 2);
	found = probe_next(&probe);
	if (found)
		read_member(&probe, row);
	probe_close(&probe);
	return found;
}

static int
by_workspace(const void *a, const void *b)
{
	const LarasMemberRow *x = a;
	const LarasMemberRow *y = b;

	if (x->workspace_id != y->workspace_id)
		return x->workspace_id < y->workspace_id ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int
laras_find_logins(const uint8 login_hash[16], LarasMemberRow **rows)
{
	Probe probe;
	ScanKeyData key;
	int n = 0;
	int room = 4;

	*rows = palloc(room * sizeof(LarasMemberRow));
	if (!probe_open(&probe, "member"))
		return 0;
	ScanKeyInit(&key, column(probe.rel, "login_hash"), BTEqualStrategyNumber, F_BYTEAEQ,
				laras_bytea_datum(login_hash, 16));
	probe_begin(&probe, "member_login_hash", &key, 1);
	while (probe_next(&probe))
	{
		if (n == room)
		{
			room *= 2;
			*rows = repalloc(*rows, room * sizeof(LarasMemberRow));
		}
		read_member(&probe, &(*rows)[n]);
		if ((*rows)[n].active && (*rows)[n].password_hash != NULL)
			n++;
	}
	probe_close(&probe);
	qsort(*rows, n, sizeof(LarasMemberRow), by_workspace);
	return n;
}

bool
laras_find_workspace(int64 workspace_id, LarasWorkspaceRow *row)
{
	Probe probe;
	ScanKeyData key;
	bool found;

	if (!probe_open(&probe, "workspace"))
		return false;
	ScanKeyInit(&key, column(probe.rel, "workspace_id"), BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(workspace_id));
	probe_begin(&probe, "workspace_pkey", &key, 1);
	found = probe_next(&probe);
	if (found)
	{
		row->workspace_id = workspace_id;
		row->slot = (uint32) probe_int8(&probe, "slot");
		row->active = probe_text_is(&probe, "state", "active");
	}
	probe_close(&probe);
	return found;
}

/*
 * By the heap alone: DROP EXTENSION may have removed the indexes by the time
 * the guard asks.
 */
bool
laras_workspaces_exist(void)
{
	Probe probe;
	TableScanDesc scan;
	bool found;

	if (!probe_open(&probe, "workspace"))
		return false;
	scan = table_beginscan(probe.rel, probe.snapshot, 0, NULL);
	found = heap_getnext(scan, ForwardScanDirection) != NULL;
	table_endscan(scan);
	probe_close(&probe);
	return found;
}

/*
 * A workspace's slot never changes and its id is never given again, so what
 * was read once stays true, also when the transaction that made it rolls back.
 */
uint32
laras_workspace_slot(int64 workspace_id)
{
	typedef struct
	{
		int64 workspace_id;
		uint32 slot;
	} Entry;
	static HTAB *cache = NULL;
	Entry *entry;
	LarasWorkspaceRow row;

	if (cache == NULL)
	{
		HASHCTL ctl = {0};

		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(Entry);
		cache = hash_create("laras workspace slots", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(cache, &workspace_id, HASH_FIND, NULL);
	if (entry == NULL)
	{
		if (!laras_find_workspace(workspace_id, &row))
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("workspace does not exist")));
		entry = hash_search(cache, &workspace_id, HASH_ENTER, NULL);
		entry->slot = row.slot;
	}
	return entry->slot;
}

bool
laras_workspace_stands(int64 workspace_id)
{
	LarasWorkspaceRow row;

	return laras_find_workspace(workspace_id, &row) && !laras_slot_is_destroyed(row.slot);
}
