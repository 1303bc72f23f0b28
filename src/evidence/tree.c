/*
 * tree.c
 *		Trees as the tables hold them. Invariant: node (level k, index j) is
 *		read from one place, beside leaf ((j + 1) << k) - 1.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "base/spi.h"
#include "evidence/log.h"

LARAS_PLAN(nodes_at,
		   "SELECT u.t, u.k, l.leaf_hash, l.nodes"
		   " FROM unnest($1, $2, $3, $4) AS u (w, i, t, k)"
		   " JOIN laras.evidence_leaf AS l ON l.workspace_id = u.w AND l.leaf_index = u.i",
		   INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID);

void
laras_evidence_load_edges(LarasTreeAt *trees, int n)
{
	Datum *column[4];
	int room = 0;
	int wanted = 0;
	uint64 found;
	uint64 row;
	int *missing;
	int t;
	int c;

	for (t = 0; t < n; t++)
		room += LARAS_MERKLE_LEVELS;
	for (c = 0; c < 4; c++)
		column[c] = palloc(sizeof(Datum) * Max(room, 1));
	missing = palloc(sizeof(int) * Max(n, 1));

	for (t = 0; t < n; t++)
	{
		uint64_t at[LARAS_MERKLE_LEVELS];
		int level[LARAS_MERKLE_LEVELS];
		int peaks;
		int i;

		memset(&trees[t].edge, 0, sizeof(trees[t].edge));
		trees[t].edge.size = trees[t].size;
		peaks = laras_merkle_peaks(trees[t].size, at, level);
		missing[t] = peaks;
		for (i = 0; i < peaks; i++)
		{
			column[0][wanted] = Int64GetDatum(trees[t].workspace_id);
			column[1][wanted] = Int64GetDatum((int64) at[i]);
			column[2][wanted] = Int32GetDatum(t);
			column[3][wanted] = Int32GetDatum(level[i]);
			wanted++;
		}
	}

	found = wanted == 0
				? 0
				: laras_spi_run(
					  &nodes_at,
					  (Datum[]){PointerGetDatum(construct_array(column[0], wanted, INT8OID, 8,
																FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
								PointerGetDatum(construct_array(column[1], wanted, INT8OID, 8,
																FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
								PointerGetDatum(construct_array(column[2], wanted, INT4OID, 4, true,
																TYPALIGN_INT)),
								PointerGetDatum(construct_array(column[3], wanted, INT4OID, 4, true,
																TYPALIGN_INT))},
					  NULL);

	for (row = 0; row < found; row++)
	{
		int level = laras_spi_int4(row, 2);
		bytea *value = laras_spi_bytes(row, level == 0 ? 3 : 4);
		size_t offset = level == 0 ? 0 : (size_t) (level - 1) * LARAS_HASH_LEN;

		t = laras_spi_int4(row, 1);
		if (VARSIZE_ANY_EXHDR(value) < offset + LARAS_HASH_LEN)
			continue;
		memcpy(trees[t].edge.peak[level].b, VARDATA_ANY(value) + offset, LARAS_HASH_LEN);
		missing[t]--;
	}
	for (t = 0; t < n; t++)
		trees[t].present = missing[t] == 0;
}
