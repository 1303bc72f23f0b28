/*
 * merkle.h
 *		RFC 6962 trees: hashes, an append-only right edge, roots.
 *
 * Knows nothing of PostgreSQL. A tree of n leaves is a list of perfect
 * subtrees, one for every bit set in n, the largest first. A node is named by
 * its level (0 = leaf) and its index in the level. Appending leaf i completes
 * the nodes (1, i >> 1), (2, i >> 2) ... for as many levels as i has trailing
 * ones; who keeps these beside the leaf has every node of the tree, and finds
 * node (k, j) beside leaf ((j + 1) << k) - 1.
 *
 * Functions that hash return false only when the crypto library does.
 */
#ifndef LARAS_EVIDENCE_MERKLE_H
#define LARAS_EVIDENCE_MERKLE_H

#include "vault/crypto.h"

#define LARAS_MERKLE_LEVELS 63 /* leaf indexes fit int64 */

typedef struct LarasHash
{
	uint8_t b[LARAS_HASH_LEN];
} LarasHash;

/* SHA-256(0x00 || leaf) and SHA-256(0x01 || left || right) */
extern bool laras_merkle_leaf(const void *leaf, size_t n, LarasHash *out);
extern bool laras_merkle_node(const LarasHash *left, const LarasHash *right, LarasHash *out);

/* The right edge: peak[k] is meaningful where bit k of size is set. */
typedef struct LarasMerkleEdge
{
	uint64_t size;
	LarasHash peak[LARAS_MERKLE_LEVELS];
} LarasMerkleEdge;

/*
 * Appends a leaf. The nodes that it completes go to completed[0 .. *n-1], from
 * level 1 upwards; there is room for LARAS_MERKLE_LEVELS of them.
 */
extern bool
laras_merkle_append(LarasMerkleEdge *edge, const LarasHash *leaf, LarasHash *completed, int *n);

/* The root; of an empty tree SHA-256 of nothing. */
extern bool laras_merkle_root(const LarasMerkleEdge *edge, LarasHash *root);

/* The number of nodes that leaf i completes. */
extern int laras_merkle_completes(uint64_t leaf_index);

/*
 * The edge as bytes, peaks from the largest subtree to the smallest:
 * 32 bytes for every bit set in size. Read is false on another length.
 */
extern size_t laras_merkle_edge_write(const LarasMerkleEdge *edge, uint8_t *out);
extern bool
laras_merkle_edge_read(LarasMerkleEdge *edge, uint64_t size, const uint8_t *p, size_t n);

/*
 * The leaves beside which the peaks of a tree of this size are kept, largest
 * subtree first, and the level of each; returns their number.
 */
extern int laras_merkle_peaks(uint64_t size, uint64_t *leaf_index, int *level);

#endif /* LARAS_EVIDENCE_MERKLE_H */
