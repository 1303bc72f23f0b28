/*
 * integrate.c
 *		The keeper gives entries their positions.
 *
 * Invariants: a workspace's positions have no gap and no entry has two; an
 * entry is never passed over, however late its transaction commits.
 *
 * The cursor is PgQ's: `base` and `target` are snapshots, and a batch is what
 * became visible between them, in chunks by (txid, ordinal). What was still
 * running at `base` is named by its list of transactions in progress, so a
 * transaction that commits late is in a later batch whatever it inserted
 * before. The cursor moves in the transaction that inserts the leaves.
 *
 * Transaction numbers mean nothing in another cluster or database. A cursor
 * that came from one (a restored dump, a clone) starts a sweep: every entry
 * without a leaf, by primary key, after which `base` is the snapshot taken
 * when the sweep began. Since numbers of restored entries may lie anywhere,
 * what has a leaf already is skipped in both modes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/fault.h"
#include "base/spi.h"
#include "evidence/duty.h"
#include "evidence/log.h"
#include "evidence/note.h"
#include "evidence/sink.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/installation.h"

/* entries of one transaction of the keeper */
#define CHUNK 4096

/* how long positions are given before what grew is signed */
#define ROUND_MS 1000

/* "lara" and this room: the advisory lock of who gives positions */
#define LOCK_CLASS 0x6c617261
#define LOCK_OBJECT 25

LARAS_PLAN(make_cursor,
		   "INSERT INTO laras.evidence_cursor (id, mode, base, last_txid, last_ordinal,"
		   " last_workspace, last_entry, system_identifier, database_oid)"
		   " SELECT 1, 'sweep', pg_catalog.pg_current_snapshot(), '0', -1, -1, 0, $1, $2"
		   " ON CONFLICT (id) DO NOTHING",
		   INT8OID, INT8OID);
LARAS_PLAN(read_cursor,
		   "SELECT c.mode = 'sweep', c.target IS NULL, c.base::text, c.target::text,"
		   " c.last_txid::text, c.last_ordinal, c.last_workspace, c.last_entry,"
		   " c.system_identifier = $1 AND c.database_oid = $2"
		   " FROM laras.evidence_cursor AS c WHERE c.id = 1",
		   INT8OID, INT8OID);
LARAS_PLAN(take_turn, "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)", INT4OID, INT4OID);
LARAS_PLAN(begin_sweep,
		   "UPDATE laras.evidence_cursor SET mode = 'sweep',"
		   " base = pg_catalog.pg_current_snapshot(), target = NULL, last_txid = '0',"
		   " last_ordinal = -1, last_workspace = -1, last_entry = 0,"
		   " system_identifier = $1, database_oid = $2 WHERE id = 1",
		   INT8OID, INT8OID);
LARAS_PLAN(move_sweep,
		   "UPDATE laras.evidence_cursor SET last_workspace = $1, last_entry = $2,"
		   " mode = CASE WHEN $3 THEN 'tail' ELSE mode END WHERE id = 1",
		   INT8OID, INT8OID, BOOLOID);
LARAS_PLAN(move_tail,
		   "UPDATE laras.evidence_cursor SET"
		   " base = CASE WHEN $2 THEN $1::pg_catalog.pg_snapshot ELSE base END,"
		   " target = CASE WHEN $2 THEN NULL ELSE $1::pg_catalog.pg_snapshot END,"
		   " last_txid = $3::pg_catalog.xid8, last_ordinal = $4 WHERE id = 1",
		   TEXTOID, BOOLOID, TEXTOID, INT4OID);
LARAS_PLAN(snapshot_now, "SELECT pg_catalog.pg_current_snapshot()::text", INT4OID);

#define NO_LEAF                                           \
	" NOT EXISTS (SELECT 1 FROM laras.evidence_leaf AS l" \
	" WHERE l.workspace_id = e.workspace_id AND l.entry_id = e.entry_id)"
#define ENTRY "e.workspace_id, e.entry_id, e.leaf_hash, e.txid, e.ordinal"

LARAS_PLAN(
	next_tail,
	"SELECT b.workspace_id, b.entry_id, b.leaf_hash, b.txid::text, b.ordinal FROM ("
	"(SELECT " ENTRY " FROM laras.evidence_entry AS e"
	" WHERE e.txid >= pg_catalog.pg_snapshot_xmax($1::pg_catalog.pg_snapshot)"
	" AND e.txid < pg_catalog.pg_snapshot_xmax($2::pg_catalog.pg_snapshot)"
	" AND (e.txid, e.ordinal) > ($3::pg_catalog.xid8, $4)"
	" AND pg_catalog.pg_visible_in_snapshot(e.txid, $2::pg_catalog.pg_snapshot)"
	" AND" NO_LEAF " ORDER BY e.txid, e.ordinal LIMIT $5)"
	" UNION ALL "
	"(SELECT " ENTRY " FROM laras.evidence_entry AS e"
	" WHERE e.txid = ANY (ARRAY (SELECT pg_catalog.pg_snapshot_xip($1::pg_catalog.pg_snapshot)))"
	" AND (e.txid, e.ordinal) > ($3::pg_catalog.xid8, $4)"
	" AND pg_catalog.pg_visible_in_snapshot(e.txid, $2::pg_catalog.pg_snapshot)"
	" AND" NO_LEAF " ORDER BY e.txid, e.ordinal LIMIT $5)"
	") AS b ORDER BY b.txid, b.ordinal LIMIT $5",
	TEXTOID, TEXTOID, TEXTOID, INT4OID, INT4OID);
LARAS_PLAN(next_sweep,
		   "SELECT " ENTRY " FROM laras.evidence_entry AS e"
		   " WHERE (e.workspace_id, e.entry_id) > ($1, $2) AND" NO_LEAF
		   " ORDER BY e.workspace_id, e.entry_id LIMIT $3",
		   INT8OID, INT8OID, INT4OID);
LARAS_PLAN(read_sizes,
		   "SELECT t.workspace_id, t.size FROM laras.evidence_tree AS t"
		   " WHERE t.workspace_id = ANY ($1)",
		   INT8ARRAYOID);
LARAS_PLAN(insert_leaves,
		   "INSERT INTO laras.evidence_leaf (workspace_id, leaf_index, entry_id, leaf_hash, nodes)"
		   " SELECT u.w, u.i, u.e, u.h, u.n FROM unnest($1, $2, $3, $4, $5) AS u (w, i, e, h, n)",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID);
LARAS_PLAN(grow_trees,
		   "INSERT INTO laras.evidence_tree (workspace_id, log_id, origin, size)"
		   " SELECT u.w, u.l::pg_catalog.uuid, $3 || '/laras/' || u.l, u.s"
		   " FROM unnest($1, $2, $4) AS u (w, l, s)"
		   " ON CONFLICT (workspace_id) DO UPDATE SET size = EXCLUDED.size",
		   INT8ARRAYOID, TEXTARRAYOID, TEXTOID, INT8ARRAYOID);

/* The cursor as locked. */
typedef struct Cursor
{
	bool sweep;
	bool fresh; /* no target yet */
	char *base;
	char *target;
	char *last_txid;
	int32 last_ordinal;
	int64 last_workspace;
	int64 last_entry;
} Cursor;

typedef struct Entry
{
	int64 workspace_id;
	int64 entry_id;
	LarasHash leaf_hash;
	int place; /* in the order of the chunk */
} Entry;

static int
by_workspace_and_place(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;

	if (x->workspace_id != y->workspace_id)
		return x->workspace_id < y->workspace_id ? -1 : 1;
	return x->place - y->place;
}

static Datum
int8_array(Datum *values, int n)
{
	return PointerGetDatum(
		construct_array(values, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
bytea_array(Datum *values, int n)
{
	return PointerGetDatum(construct_array(values, n, BYTEAOID, -1, false, TYPALIGN_INT));
}

/*
 * The host of laras.public_url, which begins the origin of a new log; a name
 * that can belong to nobody where no address is set.
 */
static char *
public_host(void)
{
	const char *url = GetConfigOption("laras.public_url", true, false);
	const char *host = url == NULL ? NULL : strstr(url, "://");
	size_t n;

	if (host != NULL)
	{
		host += 3;
		n = strcspn(host, "/?#");
		if (laras_note_is_origin(host, n) && n < 256)
			return pnstrdup(host, n);
	}
	return pstrdup("laras.invalid");
}

/* A random name for a log, as a version 4 uuid. */
static char *
new_log_id(void)
{
	uint8 b[UUID_LEN];

	if (!pg_strong_random(b, sizeof(b)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return psprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
					b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
					b[13], b[14], b[15]);
}

/* Sizes and edges of the trees of these workspaces; absent ones are empty. */
static void
read_trees(LarasTreeAt *trees, int n)
{
	Datum *ids = palloc(sizeof(Datum) * n);
	uint64 found;
	uint64 row;
	int i;

	for (i = 0; i < n; i++)
		ids[i] = Int64GetDatum(trees[i].workspace_id);
	found = laras_spi_run(&read_sizes, (Datum[]){int8_array(ids, n)}, NULL);
	for (row = 0; row < found; row++)
	{
		int64 workspace_id = laras_spi_int8(row, 1);
		int low = 0, high = n - 1;

		/* ascending, as the entries were sorted */
		while (low < high)
		{
			int middle = low + (high - low) / 2;

			if (trees[middle].workspace_id < workspace_id)
				low = middle + 1;
			else
				high = middle;
		}
		trees[low].size = (uint64) laras_spi_int8(row, 2);
	}
	laras_evidence_load_edges(trees, n);
}

/*
 * Appends the entries to their trees. A tree whose edge cannot be read has
 * lost leaves: nothing is put on top of it, and verify_evidence() names both
 * the hole and what was left out.
 */
static void
append_leaves(Entry *entries, int n)
{
	Datum *column[5];
	Datum *tree_column[3];
	LarasTreeAt *trees;
	int ntrees = 0;
	int nleaves = 0;
	int ngrown = 0;
	int t = -1;
	int i;

	qsort(entries, n, sizeof(Entry), by_workspace_and_place);
	for (i = 0; i < n; i++)
		if (i == 0 || entries[i].workspace_id != entries[i - 1].workspace_id)
			ntrees++;
	trees = palloc0(sizeof(LarasTreeAt) * ntrees);
	for (i = 0; i < n; i++)
	{
		if (i == 0 || entries[i].workspace_id != entries[i - 1].workspace_id)
			t++;
		trees[t].workspace_id = entries[i].workspace_id;
	}
	read_trees(trees, ntrees);

	t = -1;
	for (i = 0; i < 5; i++)
		column[i] = palloc(sizeof(Datum) * n);
	for (i = 0; i < 3; i++)
		tree_column[i] = palloc(sizeof(Datum) * ntrees);
	for (i = 0; i < n; i++)
	{
		LarasHash completed[LARAS_MERKLE_LEVELS];
		LarasMerkleEdge *edge;
		int ncompleted;

		if (i == 0 || entries[i].workspace_id != entries[i - 1].workspace_id)
		{
			t++;
			if (!trees[t].present)
				ereport(WARNING,
						(errcode(ERRCODE_DATA_CORRUPTED),
						 errmsg("evidence log of workspace " INT64_FORMAT " has lost leaves",
								trees[t].workspace_id),
						 errhint("Call laras.verify_evidence() in that workspace.")));
		}
		if (!trees[t].present)
			continue;
		edge = &trees[t].edge;
		column[0][nleaves] = Int64GetDatum(entries[i].workspace_id);
		column[1][nleaves] = Int64GetDatum((int64) edge->size);
		column[2][nleaves] = Int64GetDatum(entries[i].entry_id);
		column[3][nleaves] = laras_bytea_datum(entries[i].leaf_hash.b, LARAS_HASH_LEN);
		if (!laras_merkle_append(edge, &entries[i].leaf_hash, completed, &ncompleted))
			laras_evidence_hash_failed();
		column[4][nleaves] = laras_bytea_datum(completed, (size_t) ncompleted * LARAS_HASH_LEN);
		nleaves++;
	}
	for (t = 0; t < ntrees; t++)
	{
		if (!trees[t].present)
			continue;
		tree_column[0][ngrown] = Int64GetDatum(trees[t].workspace_id);
		tree_column[1][ngrown] = CStringGetTextDatum(new_log_id());
		tree_column[2][ngrown] = Int64GetDatum((int64) trees[t].edge.size);
		ngrown++;
	}
	if (nleaves == 0)
		return;

	if (laras_spi_run(&insert_leaves,
					  (Datum[]){int8_array(column[0], nleaves), int8_array(column[1], nleaves),
								int8_array(column[2], nleaves), bytea_array(column[3], nleaves),
								bytea_array(column[4], nleaves)},
					  NULL) != nleaves)
		elog(ERROR, "evidence leaves were not inserted");
	laras_spi_run(&grow_trees,
				  (Datum[]){int8_array(tree_column[0], ngrown),
							PointerGetDatum(construct_array(tree_column[1], ngrown, TEXTOID, -1,
															false, TYPALIGN_INT)),
							CStringGetTextDatum(public_host()), int8_array(tree_column[2], ngrown)},
				  NULL);
	/* what is signed next must not be lost by a crash */
	ForceSyncCommit();
}

/*
 * Reads the cursor under a lock that lasts as long as the transaction; false
 * when another process holds it. An advisory lock, since a locked row would
 * be written to every second in an idle database.
 */
static bool
open_cursor(Cursor *cursor)
{
	Datum here[] = {Int64GetDatum((int64) GetSystemIdentifier()),
					Int64GetDatum((int64) MyDatabaseId)};

	laras_spi_run(&take_turn, (Datum[]){Int32GetDatum(LOCK_CLASS), Int32GetDatum(LOCK_OBJECT)},
				  NULL);
	if (!laras_spi_bool(0, 1))
		return false;
	if (laras_spi_run(&read_cursor, here, NULL) == 0)
	{
		laras_spi_run(&make_cursor, here, NULL);
		if (laras_spi_run(&read_cursor, here, NULL) == 0)
			return false;
	}
	if (!laras_spi_bool(0, 9))
	{
		laras_spi_run_one(&begin_sweep, here, NULL);
		if (laras_spi_run(&read_cursor, here, NULL) == 0)
			return false;
	}
	cursor->sweep = laras_spi_bool(0, 1);
	cursor->fresh = laras_spi_bool(0, 2);
	cursor->base = laras_spi_cstring(0, 3);
	cursor->target = laras_spi_cstring(0, 4);
	cursor->last_txid = laras_spi_cstring(0, 5);
	cursor->last_ordinal = laras_spi_int4(0, 6);
	cursor->last_workspace = laras_spi_int8(0, 7);
	cursor->last_entry = laras_spi_int8(0, 8);
	return true;
}

bool
laras_evidence_integrate(void)
{
	Cursor cursor;
	Entry *entries = NULL;
	char *last_txid = NULL;
	int32 last_ordinal = -1;
	uint64 n;
	uint64 i;
	bool last;

	laras_spi_open();
	if (!open_cursor(&cursor))
	{
		laras_spi_close();
		return false;
	}

	if (cursor.sweep)
		n = laras_spi_run(&next_sweep,
						  (Datum[]){Int64GetDatum(cursor.last_workspace),
									Int64GetDatum(cursor.last_entry), Int32GetDatum(CHUNK)},
						  NULL);
	else
	{
		if (cursor.fresh)
		{
			laras_spi_run(&snapshot_now, (Datum[]){Int32GetDatum(0)}, NULL);
			cursor.target = laras_spi_cstring(0, 1);
			cursor.last_txid = pstrdup("0");
			cursor.last_ordinal = -1;
			if (strcmp(cursor.target, cursor.base) == 0)
			{
				laras_spi_close();
				return false;
			}
		}
		n = laras_spi_run(&next_tail,
						  (Datum[]){CStringGetTextDatum(cursor.base),
									CStringGetTextDatum(cursor.target),
									CStringGetTextDatum(cursor.last_txid),
									Int32GetDatum(cursor.last_ordinal), Int32GetDatum(CHUNK)},
						  NULL);
	}
	last = n < CHUNK;

	/* what just came in with a dump waits for resume(): asked after the rows were seen */
	if (n > 0 && !laras_keyring_is_ours() && laras_keeper_must_wait())
	{
		laras_spi_close();
		return false;
	}
	if (n > 0)
	{
		entries = palloc(sizeof(Entry) * n);
		for (i = 0; i < n; i++)
		{
			bytea *hash = laras_spi_bytes(i, 3);

			entries[i].workspace_id = laras_spi_int8(i, 1);
			entries[i].entry_id = laras_spi_int8(i, 2);
			entries[i].place = (int) i;
			if (VARSIZE_ANY_EXHDR(hash) != LARAS_HASH_LEN)
				elog(ERROR, "evidence entry has a malformed leaf hash");
			memcpy(entries[i].leaf_hash.b, VARDATA_ANY(hash), LARAS_HASH_LEN);
		}
		cursor.last_workspace = entries[n - 1].workspace_id;
		cursor.last_entry = entries[n - 1].entry_id;
		if (!cursor.sweep)
		{
			last_txid = laras_spi_cstring(n - 1, 4);
			last_ordinal = laras_spi_int4(n - 1, 5);
		}
		append_leaves(entries, (int) n);
		LARAS_FAULT("evidence_leaves_inserted");
	}

	if (cursor.sweep)
		laras_spi_run_one(&move_sweep,
						  (Datum[]){Int64GetDatum(cursor.last_workspace),
									Int64GetDatum(cursor.last_entry), BoolGetDatum(last)},
						  NULL);
	/* where nothing came, the old base serves as well: an idle database is not written to */
	else if (n > 0 || !cursor.fresh)
		laras_spi_run_one(&move_tail,
						  (Datum[]){CStringGetTextDatum(cursor.target), BoolGetDatum(last),
									CStringGetTextDatum(last || last_txid == NULL ? "0"
																				  : last_txid),
									Int32GetDatum(last ? -1 : last_ordinal)},
						  NULL);
	laras_spi_close();
	return !last || cursor.sweep;
}

LarasTurn
laras_evidence_duty(void)
{
	TimestampTz started = GetCurrentTimestamp();
	bool more;

	do
	{
		laras_worker_bind_all();
		more = laras_evidence_integrate();
		laras_worker_next_transaction();
		LARAS_FAULT("evidence_integrated");
	} while (more && !laras_worker_should_yield() &&
			 !TimestampDifferenceExceeds(started, GetCurrentTimestamp(), ROUND_MS));

	laras_worker_bind_all();
	more |= laras_evidence_sign();
	if (laras_sink_is_behind())
	{
		laras_worker_next_transaction(); /* which sees what was just signed */
		laras_worker_bind_all();
		laras_sink_catch_up();
	}
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
