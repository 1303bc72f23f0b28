/*
 * verify.c
 *		verify_evidence(): reads a whole log and names what is not as it was
 *		written.
 *
 * One pass over leaves and entries in order, one over the checkpoints beside
 * it, in one snapshot; memory is one fetch of rows and one edge, whatever the
 * log's length.
 *
 * The tree is checked locally: every node kept beside a leaf must be the hash
 * of its two children as they are kept. If all nodes fit, the root made of
 * them is the root of the leaves; if one does not, the smallest range around
 * the fault is named once, and the nodes above it are none the wiser. Whoever
 * rewrites leaves and nodes consistently meets the signed roots, and whoever
 * takes away checkpoints too meets the high-water file.
 */
#include "postgres.h"

#include <unistd.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/spi.h"
#include "evidence/evidence.h"
#include "evidence/keyfile.h"
#include "evidence/leaf.h"
#include "evidence/log.h"
#include "evidence/note.h"
#include "tenancy/tenancy.h"

PG_FUNCTION_INFO_V1(laras_verify_evidence);
PG_FUNCTION_INFO_V1(laras_verify_platform_evidence);

#define FETCH 1000

LARAS_PLAN(read_tree,
		   "SELECT t.log_id, t.origin, t.size, t.signed_size FROM laras.evidence_tree AS t"
		   " WHERE t.workspace_id = $1",
		   INT8OID);
LARAS_PLAN(read_end,
		   "SELECT coalesce(pg_catalog.max(l.leaf_index), -1) + 1 FROM laras.evidence_leaf AS l"
		   " WHERE l.workspace_id = $1",
		   INT8OID);
LARAS_PLAN(read_left_out,
		   "SELECT e.entry_id FROM laras.evidence_cursor AS c, laras.evidence_entry AS e"
		   " WHERE e.workspace_id = $1 AND c.mode = 'tail'"
		   " AND c.system_identifier = $2 AND c.database_oid = $3"
		   " AND (pg_catalog.pg_visible_in_snapshot(e.txid, c.base)"
		   "  OR e.txid >= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()))"
		   " AND e.txid IS DISTINCT FROM pg_catalog.pg_current_xact_id_if_assigned()"
		   " AND NOT EXISTS (SELECT 1 FROM laras.evidence_leaf AS l"
		   "  WHERE l.workspace_id = e.workspace_id AND l.entry_id = e.entry_id)"
		   " ORDER BY e.entry_id LIMIT 1000",
		   INT8OID, INT8OID, INT8OID);

static const char leaves_query[] =
	"SELECT l.leaf_index, l.entry_id, l.leaf_hash, l.nodes, e.entry_id IS NOT NULL,"
	" e.at, e.action, e.actor_kind, e.actor_id, e.subject_kind, e.subject_id,"
	" e.workspace_slot, e.fields, e.leaf_hash"
	" FROM laras.evidence_leaf AS l LEFT JOIN laras.evidence_entry AS e"
	" ON e.workspace_id = l.workspace_id AND e.entry_id = l.entry_id"
	" WHERE l.workspace_id = $1 ORDER BY l.leaf_index";
static const char checkpoints_query[] =
	"SELECT c.tree_size, c.root, c.note, c.public_key"
	" FROM laras.evidence_checkpoint AS c WHERE c.workspace_id = $1"
	" ORDER BY c.tree_size, c.hour";

typedef struct Verifier
{
	ReturnSetInfo *out;
	int64 workspace_id;

	/* the log as the table describes it */
	bool has_tree;
	char *origin;
	pg_uuid_t log_id;
	uint64 size;
	uint64 signed_size;

	/* the pass over the leaves: the edge as kept, and which peaks are known */
	LarasMerkleEdge edge;
	uint64 known;
	uint64 sound_size; /* up to the last checkpoint that fits */

	/* checkpoints, read one ahead */
	Portal checkpoints;
	bool has_checkpoint;
	uint64 checkpoint_size;
	LarasHash checkpoint_root;
	uint64 last_checkpoint;
	bool has_public; /* the .pub file */
	uint8 public_key[LARAS_NOTE_PUBLIC];

	/* the high-water file's record */
	bool has_mark;
	LarasHighWaterMark mark;
	bool mark_checked;
} Verifier;

static void problem(Verifier *v, int64 position, const char *fmt, ...) pg_attribute_printf(3, 4);

/* One row of the answer; position -1 for none. */
static void
problem(Verifier *v, int64 position, const char *fmt, ...)
{
	StringInfoData text;
	Datum values[2];
	bool nulls[2] = {false, false};

	initStringInfo(&text);
	for (;;)
	{
		va_list args;
		int needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&text, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	values[0] = Int64GetDatum(position);
	nulls[0] = position < 0;
	values[1] = CStringGetTextDatum(text.data);
	tuplestore_putvalues(v->out->setResult, v->out->setDesc, values, nulls);
	pfree(text.data);
}

static Datum
column(HeapTuple tuple, TupleDesc desc, int number, bool *isnull)
{
	return SPI_getbinval(tuple, desc, number, isnull);
}

/* A hash column; false where it is null or has another length. */
static bool
hash_column(HeapTuple tuple, TupleDesc desc, int number, LarasHash *out)
{
	bool isnull;
	Datum value = column(tuple, desc, number, &isnull);
	bytea *bytes;

	if (isnull)
		return false;
	bytes = DatumGetByteaPP(value);
	if (VARSIZE_ANY_EXHDR(bytes) != LARAS_HASH_LEN)
		return false;
	memcpy(out->b, VARDATA_ANY(bytes), LARAS_HASH_LEN);
	return true;
}

static bool
same_hash(const LarasHash *a, const LarasHash *b)
{
	return memcmp(a->b, b->b, LARAS_HASH_LEN) == 0;
}

/* ----------------------------------------------------------- checkpoints */

/* Reads the next checkpoint that is sound by itself; complains of the others. */
static void
next_checkpoint(Verifier *v)
{
	for (;;)
	{
		HeapTuple tuple;
		TupleDesc desc;
		LarasCheckpoint note;
		LarasHash root;
		LarasHash key;
		char *text;
		int64 size;
		bool isnull;

		SPI_cursor_fetch(v->checkpoints, true, 1);
		v->has_checkpoint = SPI_processed == 1;
		if (!v->has_checkpoint)
			return;
		tuple = SPI_tuptable->vals[0];
		desc = SPI_tuptable->tupdesc;
		size = DatumGetInt64(column(tuple, desc, 1, &isnull));
		text = SPI_getvalue(tuple, desc, 3);

		if (text == NULL || !hash_column(tuple, desc, 2, &root) ||
			!hash_column(tuple, desc, 4, &key) ||
			!laras_note_verify(text, strlen(text), key.b, &note))
			problem(v, size - 1, "the checkpoint of %lld leaves has no sound signature",
					(long long) size);
		else if (note.size != (uint64) size || !same_hash(&note.root, &root))
			problem(
				v, size - 1,
				"the checkpoint of %lld leaves is kept under another size or root than it was signed for",
				(long long) size);
		else if (v->origin == NULL || note.origin_length != strlen(v->origin) ||
				 memcmp(note.origin, v->origin, note.origin_length) != 0)
			problem(v, size - 1, "the checkpoint of %lld leaves is of another log",
					(long long) size);
		else if (v->has_public && memcmp(key.b, v->public_key, LARAS_NOTE_PUBLIC) != 0)
			problem(
				v, size - 1,
				"the checkpoint of %lld leaves is signed by another key than that of the key file",
				(long long) size);
		else
		{
			v->checkpoint_size = (uint64) size;
			v->checkpoint_root = root;
			v->last_checkpoint = Max(v->last_checkpoint, v->checkpoint_size);
			SPI_freetuptable(SPI_tuptable);
			return;
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

/* The root of the edge as kept; false where a leaf row that holds a peak is gone. */
static bool
kept_root(Verifier *v, LarasHash *root)
{
	if ((v->known & v->edge.size) != v->edge.size)
		return false;
	if (!laras_merkle_root(&v->edge, root))
		laras_evidence_hash_failed();
	return true;
}

/* Compares with what was signed at the size that the pass has reached. */
static void
compare_signed(Verifier *v)
{
	LarasHash root;
	bool known = false;
	bool computed = false;

	while (v->has_checkpoint && v->checkpoint_size <= v->edge.size)
	{
		if (v->checkpoint_size == v->edge.size)
		{
			if (!computed)
				known = kept_root(v, &root);
			computed = true;
			if (known && same_hash(&root, &v->checkpoint_root))
				v->sound_size = v->edge.size;
			else if (known)
				problem(v, (int64) v->sound_size,
						"positions %llu to %llu are not what was signed at %llu leaves",
						(unsigned long long) v->sound_size, (unsigned long long) v->edge.size - 1,
						(unsigned long long) v->edge.size);
		}
		next_checkpoint(v);
	}
	if (v->has_mark && v->mark.size == v->edge.size && !v->mark_checked)
	{
		v->mark_checked = true;
		if (!computed)
			known = kept_root(v, &root);
		if (known && !same_hash(&root, &v->mark.root))
			problem(v, (int64) v->sound_size,
					"positions %llu to %llu are not what the high-water file says was signed",
					(unsigned long long) v->sound_size, (unsigned long long) v->edge.size - 1);
	}
}

/* ---------------------------------------------------------------- leaves */

/* The entry must give the leaf hash, by its columns and by its own account. */
static void
check_entry(Verifier *v, HeapTuple tuple, TupleDesc desc, int64 position,
			const LarasHash *leaf_hash)
{
	LarasLeafHeader header = {0};
	LarasHash computed;
	LarasHash stated;
	bytea *fields;
	int nfields;
	bool nulls[9];
	int c;

	if (!DatumGetBool(column(tuple, desc, 5, &nulls[0])))
	{
		problem(v, position, "the entry is missing");
		return;
	}
	header.workspace_id = v->workspace_id;
	header.entry_id = DatumGetInt64(column(tuple, desc, 2, &nulls[0]));
	header.time = laras_evidence_time(DatumGetTimestampTz(column(tuple, desc, 6, &nulls[1])));
	header.action = (uint16) DatumGetInt16(column(tuple, desc, 7, &nulls[2]));
	header.actor_kind = (uint8) DatumGetInt16(column(tuple, desc, 8, &nulls[3]));
	header.actor_id = DatumGetInt64(column(tuple, desc, 9, &nulls[4]));
	header.subject_kind = (uint8) DatumGetInt16(column(tuple, desc, 10, &nulls[5]));
	header.subject_id = DatumGetInt64(column(tuple, desc, 11, &nulls[6]));
	header.workspace_slot = (uint32) DatumGetInt64(column(tuple, desc, 12, &nulls[7]));
	(void) column(tuple, desc, 13, &nulls[8]);
	for (c = 0; c < 9; c++)
		if (nulls[c])
		{
			problem(v, position, "the entry was edited");
			return;
		}
	/* what the columns hold beyond the leaf's width would not change the hash */
	if (DatumGetInt16(column(tuple, desc, 8, &nulls[0])) != header.actor_kind ||
		DatumGetInt16(column(tuple, desc, 10, &nulls[0])) != header.subject_kind ||
		DatumGetInt64(column(tuple, desc, 12, &nulls[0])) != (int64) header.workspace_slot)
	{
		problem(v, position, "the entry was edited");
		return;
	}

	fields = DatumGetByteaPP(column(tuple, desc, 13, &nulls[0]));
	nfields =
		laras_leaf_count_fields((const uint8 *) VARDATA_ANY(fields), VARSIZE_ANY_EXHDR(fields));
	if (nfields >= 0 && !laras_leaf_hash(&header, (uint16) nfields, VARDATA_ANY(fields),
										 VARSIZE_ANY_EXHDR(fields), &computed))
		laras_evidence_hash_failed();
	if (nfields < 0 || !same_hash(&computed, leaf_hash) || !hash_column(tuple, desc, 14, &stated) ||
		!same_hash(&stated, &computed))
		problem(v, position, "the entry was edited");
}

/*
 * Puts a leaf on the edge as kept, checking each node it completes against
 * its two children. A child that is not known (its row is gone) leaves the
 * node unchecked but known again.
 */
static void
check_nodes(Verifier *v, uint64 position, const LarasHash *leaf_hash, const uint8 *nodes, size_t n)
{
	int levels = laras_merkle_completes(position);
	LarasHash right = *leaf_hash;
	bool right_known = true;
	int level;

	if (n != (size_t) levels * LARAS_HASH_LEN)
	{
		problem(v, (int64) position, "the leaf's nodes are not those of its position");
		nodes = NULL;
	}
	for (level = 0; level < levels; level++)
	{
		bool left_known = (v->known >> level & 1) != 0;
		LarasHash kept = {{0}};

		if (nodes != NULL)
			memcpy(kept.b, nodes + (size_t) level * LARAS_HASH_LEN, LARAS_HASH_LEN);
		if (nodes != NULL && left_known && right_known)
		{
			LarasHash computed;
			uint64 first = position + 1 - (UINT64CONST(2) << level);

			if (!laras_merkle_node(&v->edge.peak[level], &right, &computed))
				laras_evidence_hash_failed();
			if (!same_hash(&computed, &kept))
				problem(v, (int64) first,
						"positions %llu to %llu do not give the node kept for them",
						(unsigned long long) first, (unsigned long long) position);
		}
		right = kept;
		right_known = nodes != NULL;
	}
	v->edge.peak[levels] = right;
	if (right_known)
		v->known |= UINT64CONST(1) << levels;
	else
		v->known &= ~(UINT64CONST(1) << levels);
	v->edge.size = position + 1;
}

/*
 * The pass goes on at `last`: peaks of subtrees that reach into the gap are
 * not known, those that end before it are.
 */
static void
skip_missing(Verifier *v, uint64 first, uint64 last)
{
	int level;

	if (last - first == 1)
		problem(v, (int64) first, "the leaf is missing");
	else
		problem(v, (int64) first, "the leaves at positions %llu to %llu are missing",
				(unsigned long long) first, (unsigned long long) last - 1);
	for (level = 0; level < LARAS_MERKLE_LEVELS; level++)
		if (first >> level != last >> level)
			v->known &= ~(UINT64CONST(1) << level);
	v->edge.size = last;
	compare_signed(v);
}

static void
check_leaf(Verifier *v, HeapTuple tuple, TupleDesc desc)
{
	bool isnull;
	int64 position = DatumGetInt64(column(tuple, desc, 1, &isnull));
	LarasHash leaf_hash;
	bytea *nodes;

	if ((uint64) position < v->edge.size)
	{
		problem(v, position, "the position is taken twice");
		return;
	}
	if ((uint64) position > v->edge.size)
		skip_missing(v, v->edge.size, (uint64) position);

	if (!hash_column(tuple, desc, 3, &leaf_hash))
	{
		problem(v, position, "the leaf hash is malformed");
		memset(&leaf_hash, 0, sizeof(leaf_hash));
	}
	check_entry(v, tuple, desc, position, &leaf_hash);
	nodes = DatumGetByteaPP(column(tuple, desc, 4, &isnull));
	check_nodes(v, (uint64) position, &leaf_hash, (const uint8 *) VARDATA_ANY(nodes),
				VARSIZE_ANY_EXHDR(nodes));
	compare_signed(v);
}

static void
pass(Verifier *v)
{
	Oid type = INT8OID;
	Datum workspace = Int64GetDatum(v->workspace_id);
	Portal leaves;
	MemoryContext scratch;

	v->checkpoints =
		SPI_cursor_open_with_args(NULL, checkpoints_query, 1, &type, &workspace, NULL, true, 0);
	leaves = SPI_cursor_open_with_args(NULL, leaves_query, 1, &type, &workspace, NULL, true, 0);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "evidence row", ALLOCSET_DEFAULT_SIZES);
	next_checkpoint(v);
	for (;;)
	{
		SPITupleTable *table;
		uint64 n;
		uint64 i;

		SPI_cursor_fetch(leaves, true, FETCH);
		n = SPI_processed;
		table = SPI_tuptable;
		for (i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(scratch);

			CHECK_FOR_INTERRUPTS();
			check_leaf(v, table->vals[i], table->tupdesc);
			MemoryContextSwitchTo(before);
			MemoryContextReset(scratch);
		}
		SPI_freetuptable(table);
		if (n == 0)
			break;
	}
	if (v->edge.size < v->size)
		skip_missing(v, v->edge.size, v->size);
	SPI_cursor_close(leaves);
}

/* ----------------------------------------------------------- the outside */

/*
 * The record of this log in the high-water file, which backends may read (it
 * holds no secret). Read before the snapshot would be ideal; it is not
 * possible, so a record that is ahead of the snapshot is looked at again below.
 */
static void
read_mark(Verifier *v)
{
	int64 count;
	int64 number;
	int fd;

	if (laras_evidence_key_file[0] == '\0')
		return;
	v->has_public =
		laras_key_file_public(laras_evidence_key_file, v->public_key) == LARAS_KEY_FILE_READ;
	fd = laras_high_water_open(laras_evidence_mark_file(), false, false);
	if (fd < 0)
	{
		if (errno != ENOENT || v->signed_size > 0)
			problem(v, -1, "the high-water file is missing or cannot be read");
		return;
	}
	count = laras_high_water_count(fd);
	for (number = 0; number < count && !v->has_mark; number++)
	{
		LarasMarkState state = LARAS_MARK_DAMAGED;
		int tries;

		CHECK_FOR_INTERRUPTS();
		/* one that is being replaced may be read half */
		for (tries = 0; tries < 3 && state == LARAS_MARK_DAMAGED; tries++)
			state = laras_high_water_read(fd, number, &v->mark);
		v->has_mark = state == LARAS_MARK_FOUND &&
					  laras_high_water_is_of(&v->mark, v->workspace_id, v->log_id.data);
	}
	close(fd);
	if (!v->has_mark && v->signed_size > 0)
		problem(v, -1, "the high-water file has no sound record of this log");
}

/* The log's size as committed by now, beyond this statement's snapshot. */
static uint64
latest_size(Verifier *v)
{
	uint64 size = 0;

	PushActiveSnapshot(GetLatestSnapshot());
	if (laras_spi_read(&read_tree, (Datum[]){Int64GetDatum(v->workspace_id)}, NULL) == 1)
		size = (uint64) laras_spi_int8(0, 3);
	PopActiveSnapshot();
	return size;
}

static void
check_ends(Verifier *v)
{
	uint64 n;
	uint64 i;

	while (v->has_checkpoint)
	{
		problem(v, (int64) v->size,
				"a checkpoint was signed for %llu leaves, of which %llu are here",
				(unsigned long long) v->checkpoint_size, (unsigned long long) v->size);
		next_checkpoint(v);
	}
	SPI_cursor_close(v->checkpoints);
	if (v->last_checkpoint < v->signed_size)
		problem(v, (int64) v->signed_size - 1, "the checkpoint of %llu leaves is missing",
				(unsigned long long) v->signed_size);
	if (v->has_mark && v->mark.size > v->size && latest_size(v) < v->mark.size)
		problem(v, (int64) v->size, "the log was signed up to %llu leaves, of which %llu are here",
				(unsigned long long) v->mark.size, (unsigned long long) v->size);
	if (v->has_mark && v->has_tree && memcmp(v->mark.log_id, v->log_id.data, LARAS_LOG_ID_LEN) != 0)
		problem(v, -1, "the log has another name than the one that was signed");

	n = laras_spi_read(&read_left_out,
					   (Datum[]){Int64GetDatum(v->workspace_id),
								 Int64GetDatum((int64) GetSystemIdentifier()),
								 Int64GetDatum((int64) MyDatabaseId)},
					   NULL);
	for (i = 0; i < n; i++)
		problem(v, -1, "entry %lld was kept out of the tree", (long long) laras_spi_int8(i, 1));
}

static void
verify(FunctionCallInfo fcinfo, int64 workspace_id)
{
	Verifier *v = palloc0(sizeof(Verifier));

	InitMaterializedSRF(fcinfo, 0);
	v->out = (ReturnSetInfo *) fcinfo->resultinfo;
	v->workspace_id = workspace_id;

	laras_spi_open();
	if (laras_spi_read(&read_tree, (Datum[]){Int64GetDatum(workspace_id)}, NULL) == 1)
	{
		bool isnull;

		v->has_tree = true;
		v->log_id = *DatumGetUUIDP(laras_spi_value(0, 1, &isnull));
		v->origin = laras_spi_cstring(0, 2);
		v->size = (uint64) laras_spi_int8(0, 3);
		v->signed_size = (uint64) laras_spi_int8(0, 4);
	}
	laras_spi_read(&read_end, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	if ((uint64) laras_spi_int8(0, 1) > v->size)
	{
		problem(v, (int64) v->size, "there are leaves beyond the end of the log");
		v->size = (uint64) laras_spi_int8(0, 1);
	}
	read_mark(v);
	pass(v);
	check_ends(v);
	laras_spi_close();
}

Datum
laras_verify_evidence(PG_FUNCTION_ARGS)
{
	laras_require_workspace();
	verify(fcinfo, laras_bound_workspace());
	return (Datum) 0;
}

Datum
laras_verify_platform_evidence(PG_FUNCTION_ARGS)
{
	LarasRunAs saved;

	laras_evidence_act_for(0, &saved);
	verify(fcinfo, 0);
	laras_run_as_end(&saved);
	return (Datum) 0;
}
