/*
 * log.h
 *		What the files of this room share: reading trees from the tables.
 */
#ifndef LARAS_EVIDENCE_LOG_H
#define LARAS_EVIDENCE_LOG_H

#include "base/compat.h"
#include "base/spi.h"
#include "evidence/highwater.h"
#include "evidence/merkle.h"

/* laras.evidence_key_file; empty when nothing is to be signed */
extern char *laras_evidence_key_file;

/* "<key file>.high-water", palloc'd */
extern char *laras_evidence_mark_file(void);

/* Does this file's directory lie in the data directory, where backups would take it? */
extern bool laras_evidence_in_data_directory(const char *path);

/*
 * Run as the role whose policy reaches this workspace; in a backend. End with
 * laras_run_as_end; an error needs no cleaning.
 */
extern void laras_evidence_act_for(int64 workspace_id, LarasRunAs *saved);

pg_noreturn extern void laras_evidence_hash_failed(void);

/*
 * The right edges of trees at these sizes, from the nodes kept beside the
 * leaves. Within SPI. present[i] is false where a leaf is missing or malformed;
 * then edges[i] is not to be used. Nothing is checked beyond that.
 */
typedef struct LarasTreeAt
{
	int64 workspace_id;
	uint64 size;
	bool present;
	LarasMerkleEdge edge;
} LarasTreeAt;

extern void laras_evidence_load_edges(LarasTreeAt *trees, int n);

/* Gives positions to what was committed; true when there is more. */
extern bool laras_evidence_integrate(void);

/* Signs what grew; true when there is more. Within the keeper's transaction. */
extern bool laras_evidence_sign(void);

#endif /* LARAS_EVIDENCE_LOG_H */
