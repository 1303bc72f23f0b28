/*
 * merkle.c
 *		RFC 6962 trees. Invariant: an edge always equals the one that appending
 *		its leaves one by one to an empty edge gives.
 */
#include "evidence/merkle.h"

#include <string.h>

bool
laras_merkle_leaf(const void *leaf, size_t n, LarasHash *out)
{
	LarasPiece pieces[] = {{"\x00", 1}, {leaf, n}};

	return laras_sha256(pieces, 2, out->b);
}

bool
laras_merkle_node(const LarasHash *left, const LarasHash *right, LarasHash *out)
{
	LarasPiece pieces[] = {{"\x01", 1}, {left->b, LARAS_HASH_LEN}, {right->b, LARAS_HASH_LEN}};

	return laras_sha256(pieces, 3, out->b);
}

int
laras_merkle_completes(uint64_t leaf_index)
{
	int n = 0;

	for (; (leaf_index & 1) != 0; leaf_index >>= 1)
		n++;
	return n;
}

bool
laras_merkle_append(LarasMerkleEdge *edge, const LarasHash *leaf, LarasHash *completed, int *n)
{
	LarasHash hash = *leaf;
	int level = 0;

	for (; (edge->size >> level & 1) != 0; level++)
	{
		LarasHash parent;

		if (!laras_merkle_node(&edge->peak[level], &hash, &parent))
			return false;
		hash = parent;
		completed[level] = hash;
	}
	edge->peak[level] = hash;
	edge->size++;
	*n = level;
	return true;
}

bool
laras_merkle_root(const LarasMerkleEdge *edge, LarasHash *root)
{
	bool started = false;
	int level;

	if (edge->size == 0)
		return laras_sha256(NULL, 0, root->b);

	for (level = 0; level < LARAS_MERKLE_LEVELS; level++)
	{
		LarasHash parent;

		if ((edge->size >> level & 1) == 0)
			continue;
		if (!started)
		{
			*root = edge->peak[level];
			started = true;
			continue;
		}
		if (!laras_merkle_node(&edge->peak[level], root, &parent))
			return false;
		*root = parent;
	}
	return true;
}

size_t
laras_merkle_edge_write(const LarasMerkleEdge *edge, uint8_t *out)
{
	size_t n = 0;
	int level;

	for (level = LARAS_MERKLE_LEVELS - 1; level >= 0; level--)
		if ((edge->size >> level & 1) != 0)
		{
			memcpy(out + n, edge->peak[level].b, LARAS_HASH_LEN);
			n += LARAS_HASH_LEN;
		}
	return n;
}

bool
laras_merkle_edge_read(LarasMerkleEdge *edge, uint64_t size, const uint8_t *p, size_t n)
{
	size_t used = 0;
	int level;

	if (size >> LARAS_MERKLE_LEVELS != 0)
		return false;
	memset(edge, 0, sizeof(*edge));
	edge->size = size;
	for (level = LARAS_MERKLE_LEVELS - 1; level >= 0; level--)
		if ((size >> level & 1) != 0)
		{
			if (n - used < LARAS_HASH_LEN)
				return false;
			memcpy(edge->peak[level].b, p + used, LARAS_HASH_LEN);
			used += LARAS_HASH_LEN;
		}
	return used == n;
}

int
laras_merkle_peaks(uint64_t size, uint64_t *leaf_index, int *level)
{
	int n = 0;
	int k;

	for (k = LARAS_MERKLE_LEVELS - 1; k >= 0; k--)
		if ((size >> k & 1) != 0)
		{
			leaf_index[n] = (size >> k << k) - 1;
			level[n] = k;
			n++;
		}
	return n;
}
