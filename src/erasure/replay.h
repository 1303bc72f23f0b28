/*
 * replay.h
 *		What the keyring knows and an older dump has undone, done again.
 */
#ifndef LARAS_ERASURE_REPLAY_H
#define LARAS_ERASURE_REPLAY_H

#include "base/spi.h"

typedef struct LarasReplay
{
	int64 keys; /* destroyed in the keyring, unknown to this database */
	int64 contacts;
	int64 connections;
	int64 workspaces;
	int64 periods; /* hours and weeks of webhooks as they came */
	int64 others;  /* of things whose rows are nobody's to remove by themselves */
} LarasReplay;

/*
 * In resume()'s transaction, as laras_worker with every workspace in its set;
 * saved is what laras_run_as_owner() kept, for the parts that run as the
 * tables' owner. On return nothing that the keyring destroyed is linked any
 * more, every destruction is on record, and the keeper has the rows to remove.
 */
extern void laras_replay_destructions(const LarasRunAs *saved, LarasReplay *replay);

#endif /* LARAS_ERASURE_REPLAY_H */
