/*
 * sign.c
 *		The keeper signs what grew.
 *
 * Invariants: a checkpoint is signed only for a tree that extends what was
 * signed last, as recomputed from its leaves on top of the edge that gave the
 * last root; the high-water file says so before the checkpoint is committed,
 * and is never behind it; the key is in this process alone.
 */
#include "postgres.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/fault.h"
#include "base/spi.h"
#include "evidence/duty.h"
#include "evidence/keyfile.h"
#include "evidence/log.h"
#include "evidence/note.h"
#include "evidence/sink.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"

/* trees signed in one transaction */
#define ROUND 256

LARAS_PLAN(grown_trees,
		   "SELECT t.workspace_id, t.log_id, t.origin, t.size, t.signed_size,"
		   " coalesce(t.mark, -1), t.refused FROM laras.evidence_tree AS t"
		   " WHERE t.size > t.signed_size"
		   " ORDER BY t.refused IS NOT NULL, t.workspace_id LIMIT $1",
		   INT4OID);
LARAS_PLAN(leaves_between,
		   "SELECT l.leaf_index, l.leaf_hash FROM laras.evidence_leaf AS l"
		   " WHERE l.workspace_id = $1 AND l.leaf_index >= $2 AND l.leaf_index < $3"
		   " ORDER BY l.leaf_index LIMIT 4096",
		   INT8OID, INT8OID, INT8OID);
LARAS_PLAN(anything_signed,
		   "SELECT EXISTS (SELECT 1 FROM laras.evidence_checkpoint AS c WHERE c.tree_size >= $1)",
		   INT8OID);
LARAS_PLAN(remember_key,
		   "INSERT INTO laras.evidence_key (public_key, first_used)"
		   " VALUES ($1, pg_catalog.clock_timestamp()) ON CONFLICT (public_key) DO NOTHING",
		   BYTEAOID);
LARAS_PLAN(
	publish,
	"INSERT INTO laras.evidence_checkpoint"
	" (workspace_id, hour, tree_size, root, note, public_key, signed_at)"
	" SELECT u.w, pg_catalog.date_trunc('hour', pg_catalog.clock_timestamp()), u.s, u.r, u.n,"
	" $5, pg_catalog.clock_timestamp()"
	" FROM unnest($1, $2, $3, $4) AS u (w, s, r, n)"
	" ON CONFLICT (workspace_id, hour) DO UPDATE SET tree_size = EXCLUDED.tree_size,"
	" root = EXCLUDED.root, note = EXCLUDED.note, public_key = EXCLUDED.public_key,"
	" signed_at = EXCLUDED.signed_at",
	INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, BYTEAOID);
LARAS_PLAN(mark_signed,
		   "UPDATE laras.evidence_tree AS t SET signed_size = u.s, mark = u.m, refused = NULL"
		   " FROM unnest($1, $2, $3) AS u (w, s, m) WHERE t.workspace_id = u.w",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);
LARAS_PLAN(mark_refused, "UPDATE laras.evidence_tree SET refused = $2 WHERE workspace_id = $1",
		   INT8OID, TEXTOID);

/* One tree that grew. */
typedef struct Grown
{
	int64 workspace_id;
	pg_uuid_t log_id;
	char *origin;
	uint64 size;
	uint64 signed_size;
	int64 record;            /* in the high-water file, -1: none found */
	LarasHighWaterMark mark; /* where record >= 0 */
	char *refused;           /* as stored */
	const char *refusal;     /* as found now; NULL: sign */
	LarasHash root;
	char *note;
} Grown;

static EVP_PKEY *signing_key = NULL;
static uint8 public_key[LARAS_NOTE_PUBLIC];

/* Logs a state once, when it begins; NULL when it is over. */
static void
tell_once(const char *problem, const char *hint)
{
	static char *told = NULL;

	if (problem != NULL && told != NULL && strcmp(problem, told) == 0)
		return;
	if (told != NULL)
		pfree(told);
	told = problem == NULL ? NULL : MemoryContextStrdup(TopMemoryContext, problem);
	if (problem != NULL)
		ereport(WARNING, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						  errmsg("evidence is not signed: %s", problem), errhint("%s", hint)));
}

char *
laras_evidence_mark_file(void)
{
	return psprintf("%s.high-water", laras_evidence_key_file);
}

bool
laras_evidence_in_data_directory(const char *path)
{
	char data[PATH_MAX];
	char directory[MAXPGPATH];
	char real[PATH_MAX];
	size_t n;

	if (!is_absolute_path(path) || realpath(DataDir, data) == NULL)
		return true;
	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	/* a directory that is not there has no key either, which is told apart */
	if (realpath(directory, real) == NULL)
		return false;
	n = strlen(data);
	return strncmp(real, data, n) == 0 && (real[n] == '/' || real[n] == '\0');
}

/*
 * The key, read once for the life of the process, made where this database
 * has never signed. False when there is none to use; the reason was told.
 */
static bool
have_key(bool ever_signed)
{
	const char *path = laras_evidence_key_file;
	LarasKeyFileState state;

	if (signing_key != NULL)
		return true;
	if (path[0] == '\0')
	{
		tell_once("laras.evidence_key_file is not set",
				  "Name a file outside the data directory; it is made with a fresh key.");
		return false;
	}
	if (laras_evidence_in_data_directory(path))
	{
		tell_once("laras.evidence_key_file lies in the data directory",
				  "Name a file with an absolute path outside of it.");
		return false;
	}

	state = laras_key_file_read(path, &signing_key);
	if (state == LARAS_KEY_FILE_ABSENT && ever_signed)
	{
		tell_once("the key file is gone, though this database has signed before",
				  "Put the key back from its safe copy; a new key must be a decision.");
		return false;
	}
	if (state == LARAS_KEY_FILE_ABSENT)
	{
		state = laras_key_file_create(path);
		if (state == LARAS_KEY_FILE_READ)
			ereport(LOG, (errmsg("made an evidence key in \"%s\"", path)));
		/* somebody else's keeper may have been faster */
		if (state == LARAS_KEY_FILE_READ || errno == EEXIST)
			state = laras_key_file_read(path, &signing_key);
	}
	if (state == LARAS_KEY_FILE_READ)
	{
		state = laras_key_file_publish(path, signing_key);
		if (state == LARAS_KEY_FILE_FAILED && errno == EEXIST)
			state = laras_key_file_publish(path, signing_key);
		if (state == LARAS_KEY_FILE_READ && laras_note_public(signing_key, public_key))
		{
			tell_once(NULL, NULL);
			return true;
		}
		EVP_PKEY_free(signing_key);
		signing_key = NULL;
		tell_once("the public key beside the key file is not readable or not of this key",
				  "Compare the two files; remove the .pub file only when the new key is intended.");
		return false;
	}
	tell_once(state == LARAS_KEY_FILE_UNSAFE
				  ? "others than the server's account may read the key file"
			  : state == LARAS_KEY_FILE_MALFORMED
				  ? "the key file does not hold 64 hexadecimal digits"
				  : "the key file cannot be read",
			  "Its owner is the server's account, its mode 0400.");
	return false;
}

/*
 * Finds the records of these logs: by the hint first, the rest in one pass
 * over the file. *damaged counts records that tell nothing.
 */
static bool
find_marks(int fd, Grown *trees, int n, int64 *count, int64 *damaged)
{
	int unfound = 0;
	int64 number;
	int i;

	*damaged = 0;
	*count = laras_high_water_count(fd);
	if (*count < 0)
		return false;
	for (i = 0; i < n; i++)
	{
		if (trees[i].record >= 0 &&
			laras_high_water_read(fd, trees[i].record, &trees[i].mark) == LARAS_MARK_FOUND &&
			laras_high_water_is_of(&trees[i].mark, trees[i].workspace_id, trees[i].log_id.data))
			continue;
		trees[i].record = -1;
		unfound++;
	}
	for (number = 0; number < *count && unfound > 0; number++)
	{
		LarasHighWaterMark mark;

		CHECK_FOR_INTERRUPTS();
		switch (laras_high_water_read(fd, number, &mark))
		{
			case LARAS_MARK_FOUND:
				break;
			case LARAS_MARK_UNREADABLE:
				return false;
			default:
				(*damaged)++;
				continue;
		}
		for (i = 0; i < n; i++)
			if (trees[i].record < 0 &&
				laras_high_water_is_of(&mark, trees[i].workspace_id, trees[i].log_id.data))
			{
				trees[i].record = number;
				trees[i].mark = mark;
				unfound--;
				break;
			}
	}
	return true;
}

/*
 * The root of the tree as it is now, built from its leaves on the edge that
 * was signed. Sets refusal where the two do not fit.
 */
static void
extend(Grown *tree, LarasTreeAt *at)
{
	LarasMerkleEdge *edge = &at->edge;
	LarasHash root;

	if (!at->present)
	{
		tree->refusal = "leaves that were signed are missing";
		return;
	}
	if (!laras_merkle_root(edge, &root))
		laras_evidence_hash_failed();
	if (tree->record >= 0 && memcmp(root.b, tree->mark.root.b, LARAS_HASH_LEN) != 0)
	{
		tree->refusal = "its first leaves are not those that were signed";
		return;
	}

	while (edge->size < tree->size)
	{
		uint64 n;
		uint64 i;

		CHECK_FOR_INTERRUPTS();
		n = laras_spi_run(&leaves_between,
						  (Datum[]){Int64GetDatum(tree->workspace_id),
									Int64GetDatum((int64) edge->size),
									Int64GetDatum((int64) tree->size)},
						  NULL);
		if (n == 0)
		{
			tree->refusal = "leaves are missing";
			return;
		}
		for (i = 0; i < n; i++)
		{
			LarasHash leaf;
			LarasHash completed[LARAS_MERKLE_LEVELS];
			int ncompleted;
			bytea *hash = laras_spi_bytes(i, 2);

			if ((uint64) laras_spi_int8(i, 1) != edge->size ||
				VARSIZE_ANY_EXHDR(hash) != LARAS_HASH_LEN)
			{
				tree->refusal = "leaves are missing";
				return;
			}
			memcpy(leaf.b, VARDATA_ANY(hash), LARAS_HASH_LEN);
			if (!laras_merkle_append(edge, &leaf, completed, &ncompleted))
				laras_evidence_hash_failed();
		}
		SPI_freetuptable(SPI_tuptable);
	}
	if (!laras_merkle_root(edge, &tree->root))
		laras_evidence_hash_failed();
}

/* May this tree be signed on top of that mark? */
static const char *
refusal_by_mark(const Grown *tree, bool marks_complete)
{
	if (tree->record < 0)
	{
		if (tree->signed_size > 0)
			return "it was signed before, but the high-water file has no sound record of it";
		if (!marks_complete)
			return "the high-water file has damaged records, of which one may be its own";
		return NULL;
	}
	if (tree->size < tree->mark.size)
		return "it is shorter than what was signed";
	if (memcmp(tree->mark.log_id, tree->log_id.data, LARAS_LOG_ID_LEN) != 0)
		return "it has another name than the log that was signed";
	if ((tree->mark.system_identifier != GetSystemIdentifier() ||
		 tree->mark.database != MyDatabaseId) &&
		!laras_vault_is_open())
		return "another cluster or database signed it, and the keyring does not accept this one";
	return NULL;
}

static void
sign_tree(Grown *tree, const LarasSinkPosition *position)
{
	char note[LARAS_NOTE_MAX];
	LarasCheckpoint checkpoint = {
		.origin = tree->origin,
		.origin_length = strlen(tree->origin),
		.size = tree->size,
		.root = tree->root,
		.extensions = position->line,
		.extensions_length = strlen(position->line),
	};

	if (laras_note_sign(&checkpoint, signing_key, note) == 0)
		tree->refusal = "its checkpoint cannot be made";
	else
		tree->note = pstrdup(note);
}

static void
refuse(Grown *tree)
{
	if (tree->refused != NULL && strcmp(tree->refused, tree->refusal) == 0)
		return;
	ereport(
		WARNING,
		(errcode(ERRCODE_DATA_CORRUPTED),
		 errmsg("evidence log of workspace " INT64_FORMAT " is not signed: %s", tree->workspace_id,
				tree->refusal),
		 errdetail("It has " UINT64_FORMAT " leaves; " UINT64_FORMAT " were signed.", tree->size,
				   tree->record >= 0 ? tree->mark.size : tree->signed_size),
		 errhint(
			 "A database restored to an earlier state, or tables edited by hand, look like this. Call laras.verify_evidence() in that workspace.")));
	laras_spi_run_one(&mark_refused,
					  (Datum[]){Int64GetDatum(tree->workspace_id),
								CStringGetTextDatum(tree->refusal)},
					  NULL);
}

/* The records first, synced; then the checkpoints, outside and here. */
static bool
record_and_publish(int fd, Grown *trees, int n, int64 count, const LarasSinkPosition *position)
{
	const char **logs = palloc(sizeof(char *) * n);
	const char **notes = palloc(sizeof(char *) * n);
	Datum *column[5];
	int signed_trees = 0;
	int i;

	for (i = 0; i < 5; i++)
		column[i] = palloc(sizeof(Datum) * n);
	for (i = 0; i < n; i++)
	{
		Grown *tree = &trees[i];

		if (tree->refusal != NULL)
			continue;
		if (tree->record < 0)
			tree->record = count++;
		tree->mark.workspace_id = tree->workspace_id;
		memcpy(tree->mark.log_id, tree->log_id.data, LARAS_LOG_ID_LEN);
		tree->mark.system_identifier = GetSystemIdentifier();
		tree->mark.database = MyDatabaseId;
		tree->mark.size = tree->size;
		tree->mark.root = tree->root;
		if (!laras_high_water_write(fd, tree->record, &tree->mark))
			return false;

		column[0][signed_trees] = Int64GetDatum(tree->workspace_id);
		column[1][signed_trees] = Int64GetDatum((int64) tree->size);
		column[2][signed_trees] = laras_bytea_datum(tree->root.b, LARAS_HASH_LEN);
		column[3][signed_trees] = CStringGetTextDatum(tree->note);
		column[4][signed_trees] = Int64GetDatum(tree->record);
		logs[signed_trees] =
			DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tree->log_id)));
		notes[signed_trees] = tree->note;
		signed_trees++;
	}
	if (signed_trees == 0)
		return true;
	LARAS_FAULT("evidence_mark_written");
	if (!laras_high_water_sync(fd))
		return false;
	LARAS_FAULT("evidence_mark_synced");
	laras_sink_write(position, logs, notes, signed_trees);

	laras_spi_run(&remember_key, (Datum[]){laras_bytea_datum(public_key, LARAS_NOTE_PUBLIC)}, NULL);
	laras_spi_run(&publish,
				  (Datum[]){PointerGetDatum(construct_array(column[0], signed_trees, INT8OID, 8,
															FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
							PointerGetDatum(construct_array(column[1], signed_trees, INT8OID, 8,
															FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
							PointerGetDatum(construct_array(column[2], signed_trees, BYTEAOID, -1,
															false, TYPALIGN_INT)),
							PointerGetDatum(construct_array(column[3], signed_trees, TEXTOID, -1,
															false, TYPALIGN_INT)),
							laras_bytea_datum(public_key, LARAS_NOTE_PUBLIC)},
				  NULL);
	laras_spi_run(&mark_signed,
				  (Datum[]){PointerGetDatum(construct_array(column[0], signed_trees, INT8OID, 8,
															FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
							PointerGetDatum(construct_array(column[1], signed_trees, INT8OID, 8,
															FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
							PointerGetDatum(construct_array(column[4], signed_trees, INT8OID, 8,
															FLOAT8PASSBYVAL, TYPALIGN_DOUBLE))},
				  NULL);
	return true;
}

/* Reads the trees that grew since they were signed; returns their number. */
static int
read_grown(Grown **trees)
{
	uint64 n = laras_spi_run(&grown_trees, (Datum[]){Int32GetDatum(ROUND)}, NULL);
	uint64 i;

	*trees = palloc0(sizeof(Grown) * Max(n, 1));
	for (i = 0; i < n; i++)
	{
		Grown *tree = &(*trees)[i];
		bool isnull;

		tree->workspace_id = laras_spi_int8(i, 1);
		tree->log_id = *DatumGetUUIDP(laras_spi_value(i, 2, &isnull));
		tree->origin = laras_spi_cstring(i, 3);
		tree->size = (uint64) laras_spi_int8(i, 4);
		tree->signed_size = (uint64) laras_spi_int8(i, 5);
		tree->record = laras_spi_int8(i, 6);
		tree->refused = laras_spi_cstring(i, 7);
	}
	return (int) n;
}

/* Everything between opening the high-water file and closing it. */
static void
sign_trees(int fd, Grown *trees, int n)
{
	LarasTreeAt *at = palloc0(sizeof(LarasTreeAt) * n);
	LarasSinkPosition position;
	int64 count;
	int64 damaged;
	int i;

	if (!find_marks(fd, trees, n, &count, &damaged))
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not read the evidence high-water file: %m")));
	for (i = 0; i < n; i++)
	{
		trees[i].refusal = refusal_by_mark(&trees[i], damaged == 0);
		at[i].workspace_id = trees[i].workspace_id;
		/* nothing signed: the whole tree is recomputed */
		at[i].size = trees[i].refusal == NULL && trees[i].record >= 0 ? trees[i].mark.size : 0;
	}
	laras_evidence_load_edges(at, n);
	laras_sink_position(&position);
	for (i = 0; i < n; i++)
	{
		if (trees[i].refusal == NULL)
			extend(&trees[i], &at[i]);
		if (trees[i].refusal == NULL)
			sign_tree(&trees[i], &position);
		if (trees[i].refusal != NULL)
			refuse(&trees[i]);
	}
	if (!record_and_publish(fd, trees, n, count, &position))
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not write the evidence high-water file: %m")));
}

bool
laras_evidence_sign(void)
{
	Grown *trees;
	bool ever_signed;
	bool more;
	int n;
	int fd;

	laras_spi_open();
	n = read_grown(&trees);
	if (n == 0)
	{
		laras_spi_close();
		return false;
	}
	laras_spi_run(&anything_signed, (Datum[]){Int64GetDatum(1)}, NULL);
	ever_signed = laras_spi_bool(0, 1);
	if (!have_key(ever_signed))
	{
		laras_spi_close();
		return false;
	}

	fd = laras_high_water_open(laras_evidence_mark_file(), true, !ever_signed);
	if (fd < 0)
	{
		tell_once(
			errno == ENOENT ? "the high-water file is gone, though this database has signed before"
			: errno == EWOULDBLOCK ? "another database holds the high-water file"
								   : "the high-water file cannot be used",
			"It lies beside the key, with .high-water after its name, and belongs to the server's account.");
		laras_spi_close();
		return false;
	}
	tell_once(NULL, NULL);
	PG_TRY();
	{
		sign_trees(fd, trees, n);
	}
	PG_FINALLY();
	{
		close(fd);
	}
	PG_END_TRY();
	/* those refused come last, so the first tells whether another round helps */
	more = n == ROUND && trees[0].refusal == NULL;
	laras_spi_close();
	return more;
}
