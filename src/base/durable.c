/*
 * durable.c
 *		Commits that something outside the database relies on; see durable.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

#include "base/durable.h"

void
laras_commit_durably(void)
{
	ForceSyncCommit();
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}
