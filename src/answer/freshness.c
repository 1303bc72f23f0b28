/*
 * freshness.c
 *		Stamps of knowledge, see freshness.h.
 *
 * A stamp is the sum of two counters in shared memory, one of a bucket into
 * which the workspace's id falls and one of everything.  Both only grow, so the
 * sum does.  Two workspaces in one bucket make each other read again, which
 * costs time and nothing else.
 *
 * The trigger is one of statements and writes nothing: a restore may fire it
 * without harm, also where the library has no shared memory.
 */
#include "postgres.h"

#include "access/xact.h"
#include "answer/freshness.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "tenancy/tenancy.h"

PG_FUNCTION_INFO_V1(laras_knowledge_changed);

#define BUCKETS 1024
/* workspaces that a transaction may change before it counts as all of them */
#define CHANGED 8

typedef struct Freshness
{
	pg_atomic_uint64 all;
	pg_atomic_uint64 bucket[BUCKETS];
} Freshness;

static Freshness *freshness = NULL;

/* of this transaction */
static int64 changed[CHANGED];
static int changed_count = 0;
static bool changed_all = false;
static bool registered = false;

void
laras_freshness_shmem_request(void)
{
	RequestAddinShmemSpace(sizeof(Freshness));
}

void
laras_freshness_shmem_startup(void)
{
	bool found;

	freshness = ShmemInitStruct("laras freshness", sizeof(Freshness), &found);
	if (found)
		return;
	pg_atomic_init_u64(&freshness->all, 1);
	for (int i = 0; i < BUCKETS; i++)
		pg_atomic_init_u64(&freshness->bucket[i], 0);
}

static int
bucket_of(int64 workspace_id)
{
	return (int) (hash_bytes((const unsigned char *) &workspace_id, sizeof(workspace_id)) %
				  BUCKETS);
}

/* Has this transaction changed the knowledge itself? */
static bool
changed_here(int64 workspace_id)
{
	if (changed_all)
		return true;
	for (int i = 0; i < changed_count; i++)
		if (changed[i] == workspace_id)
			return true;
	return false;
}

uint64
laras_knowledge_stamp(int64 workspace_id)
{
	uint64 stamp;

	if (freshness == NULL || changed_here(workspace_id))
		return 0;
	stamp = pg_atomic_read_u64(&freshness->all);
	if (workspace_id != LARAS_PLATFORM_KNOWLEDGE)
		stamp += pg_atomic_read_u64(&freshness->bucket[bucket_of(workspace_id)]);
	/* what is read next is not older than the stamp */
	pg_read_barrier();
	return stamp;
}

/*
 * After the commit is seen by everybody's snapshots; a prepared transaction is
 * counted when it is prepared, and again by whatever changes next.
 */
static void
at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
	{
		if (changed_all)
			pg_atomic_fetch_add_u64(&freshness->all, 1);
		for (int i = 0; i < changed_count; i++)
			pg_atomic_fetch_add_u64(&freshness->bucket[bucket_of(changed[i])], 1);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT)
	{
		changed_count = 0;
		changed_all = false;
	}
}

static void
note_change(int64 workspace_id)
{
	if (freshness == NULL || changed_here(workspace_id))
		return;
	if (!registered)
	{
		RegisterXactCallback(at_end, NULL);
		registered = true;
	}
	if (workspace_id == 0 || changed_count == CHANGED)
		changed_all = true;
	else
		changed[changed_count++] = workspace_id;
}

/*
 * laras.knowledge_changed(): statement trigger of the tables of knowledge.
 *
 * Who is bound reaches no other workspace's rows.  Whoever else writes (a
 * superuser, a worker, a restore) may have changed any.
 */
Datum
laras_knowledge_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_STATEMENT(((TriggerData *) fcinfo->context)->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("laras.knowledge_changed is a statement trigger")));
	note_change(superuser() ? 0 : laras_bound_workspace());
	PG_RETURN_POINTER(NULL);
}
