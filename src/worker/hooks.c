/*
 * hooks.c
 *		Owns ProcessUtility_hook, object_access_hook and the two hooks of shared
 *		memory, and hands each call to the rooms of rooms.c.
 *
 * Whoever had a hook before is always called: with ours around the standard
 * work for utility statements, after ours for object access (a refusal comes
 * before anybody acts on it).
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "tcop/utility.h"

#include "base/errors.h"
#include "worker/shared.h"
#include "worker/worker.h"

static ProcessUtility_hook_type previous_utility = NULL;
static object_access_hook_type previous_object_access = NULL;
static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static bool preloaded = false;

bool
laras_is_preloaded(void)
{
	return preloaded;
}

void
laras_require_preload(void)
{
	if (!preloaded)
		ereport(ERROR, (errcode(LARAS_ERRCODE_NOT_PRELOADED), errmsg("laras is not preloaded"),
						errdetail("This needs laras's shared memory and background workers."),
						errhint("Add laras to shared_preload_libraries and restart the server.")));
}

GucContext
laras_guc_context(GucContext wanted)
{
	if (wanted == PGC_POSTMASTER && !preloaded)
		return PGC_SIGHUP;
	return wanted;
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
				DestReceiver *dest, QueryCompletion *completion)
{
	const LarasHookRoom *room;
	LarasUtility utility;
	NodeTag tag = nodeTag(pstmt->utilityStmt);

	utility.pstmt = pstmt;
	utility.statement = pstmt->utilityStmt;
	utility.query = query;
	utility.context = context;
	utility.environment = environment;
	utility.params = params;

	for (room = laras_hook_rooms; room->name != NULL; room++)
	{
		if (room->before_utility != NULL)
			room->before_utility(&utility);
	}

	if (previous_utility != NULL)
		previous_utility(pstmt, query, read_only_tree, context, params, environment, dest,
						 completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest,
								completion);

	/*
	 * The statement may have ended the transaction that its tree lived in
	 * (COMMIT, a procedure), so rooms are only shown the tree again while its
	 * memory is certain to stand.
	 */
	switch (tag)
	{
		case T_TransactionStmt:
		case T_CallStmt:
		case T_DoStmt:
		case T_VacuumStmt:
		case T_ClusterStmt:
		case T_ReindexStmt:
			return;
		default:
			break;
	}
	for (room = laras_hook_rooms; room->name != NULL; room++)
	{
		if (room->after_utility != NULL)
			room->after_utility(&utility);
	}
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	const LarasHookRoom *room;

	for (room = laras_hook_rooms; room->name != NULL; room++)
	{
		if (room->object_access != NULL)
			room->object_access(access, class_id, object_id, sub_id, arg);
	}
	if (previous_object_access != NULL)
		previous_object_access(access, class_id, object_id, sub_id, arg);
}

static void
shmem_request(void)
{
	const LarasSharedRoom *room;

	if (previous_shmem_request != NULL)
		previous_shmem_request();
	for (room = laras_shared_rooms; room->name != NULL; room++)
		room->request();
}

static void
shmem_startup(void)
{
	const LarasSharedRoom *room;

	if (previous_shmem_startup != NULL)
		previous_shmem_startup();
	for (room = laras_shared_rooms; room->name != NULL; room++)
		room->startup();
}

/* Called once by _PG_init, before the rooms define their settings. */
void
laras_hooks_init(void)
{
	preloaded = process_shared_preload_libraries_in_progress;

	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	previous_object_access = object_access_hook;
	object_access_hook = object_access;

	if (preloaded)
	{
		previous_shmem_request = shmem_request_hook;
		shmem_request_hook = shmem_request;
		previous_shmem_startup = shmem_startup_hook;
		shmem_startup_hook = shmem_startup;
	}
}
