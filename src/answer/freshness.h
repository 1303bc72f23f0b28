/*
 * freshness.h
 *		Did the knowledge of a workspace change since it was read?
 *
 *		Processes keep what they made of it (shelf.h, spelling.h) and compare
 *		stamps.  A statement trigger notes a change; the stamp moves when the
 *		transaction has committed, and a transaction with changes of its own is
 *		told that nothing kept is fresh.
 */
#ifndef LARAS_ANSWER_FRESHNESS_H
#define LARAS_ANSWER_FRESHNESS_H

/* What a stamp is of, where it is no workspace's. */
#define LARAS_PLATFORM_KNOWLEDGE INT64CONST(0)

/*
 * The stamp of a workspace's knowledge: take it before the snapshot that reads.
 * Equal to one taken before: nothing that was committed since is missing.
 * Never 0; 0 where nothing may be kept (changes of this very transaction, no
 * shared memory).
 */
extern uint64 laras_knowledge_stamp(int64 workspace_id);

extern void laras_freshness_shmem_request(void);
extern void laras_freshness_shmem_startup(void);

#endif /* LARAS_ANSWER_FRESHNESS_H */
