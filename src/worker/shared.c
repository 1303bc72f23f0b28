/*
 * shared.c
 *		Shared memory of the worker room, and wake-ups.
 *
 * Invariant of a wake-up: the rows are visible before `requested` grows, and
 * `requested` grows before the latch is set.  A worker reads `requested`
 * before it takes the snapshot of its turn, so what it then declares served
 * was seen by that turn.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "worker/shared.h"
#include "worker/worker.h"

#define TRANCHE "laras_workers"

LarasWorkers *laras_workers = NULL;

/* Kinds queued by the running transaction, one bit each. */
static uint32 queued_kinds = 0;

void
laras_workers_shmem_request(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(LarasWorkers)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

void
laras_workers_shmem_startup(void)
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	laras_workers = ShmemInitStruct("laras workers", sizeof(LarasWorkers), &found);
	if (!found)
	{
		memset(laras_workers, 0, sizeof(LarasWorkers));
		laras_workers->lock = &(GetNamedLWLockTranche(TRANCHE))->lock;
		ConditionVariableInit(&laras_workers->changed);
		for (int d = 0; d < LARAS_MAX_DATABASES; d++)
		{
			for (int k = 0; k < LARAS_WORK_KINDS; k++)
			{
				LarasWorkerSlot *slot = &laras_workers->database[d].worker[k];

				pg_atomic_init_u64(&slot->requested, 0);
				pg_atomic_init_u64(&slot->served, 0);
				pg_atomic_init_u64(&slot->pending, 0);
				pg_atomic_init_u64(&slot->waiting_since, 0);
			}
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

LarasDatabaseSlot *
laras_database_slot(Oid database)
{
	if (!OidIsValid(database))
		return NULL;
	for (int d = 0; d < LARAS_MAX_DATABASES; d++)
	{
		if (laras_workers->database[d].database == database)
			return &laras_workers->database[d];
	}
	return NULL;
}

void
laras_wake_launcher(void)
{
	if (laras_workers->launcher_latch != NULL)
		SetLatch(laras_workers->launcher_latch);
}

const LarasWorkerSpec *
laras_find_worker(LarasWork kind)
{
	for (const LarasWorkerSpec *spec = laras_worker_specs; spec->name != NULL; spec++)
	{
		if (spec->kind == kind)
			return spec;
	}
	return NULL;
}

int64
laras_backoff_ms(int attempt, int64 base_ms, int64 cap_ms)
{
	int64 delay = base_ms;

	for (int i = 1; i < attempt && delay < cap_ms; i++)
		delay *= 2;
	delay = Min(delay, cap_ms);
	return (int64) (delay * (0.75 + 0.5 * pg_prng_double(&pg_global_prng_state)));
}

/*
 * Counts the kinds of work as requested in this database and wakes their
 * workers.  Runs after a commit: it neither allocates nor raises.
 */
static void
wake(uint32 kinds)
{
	LarasDatabaseSlot *database;

	LWLockAcquire(laras_workers->lock, LW_SHARED);
	database = laras_database_slot(MyDatabaseId);
	for (int k = 0; database != NULL && k < LARAS_WORK_KINDS; k++)
	{
		LarasWorkerSlot *slot = &database->worker[k];
		uint64 nobody = 0;

		if ((kinds & (1U << k)) == 0)
			continue;
		if (pg_atomic_read_u64(&slot->waiting_since) == 0)
			pg_atomic_compare_exchange_u64(&slot->waiting_since, &nobody,
										   (uint64) GetCurrentTimestamp());
		pg_atomic_fetch_add_u64(&slot->requested, 1);
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	LWLockRelease(laras_workers->lock);
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	uint32 kinds = queued_kinds;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
			queued_kinds = 0;
			if (kinds != 0)
				wake(kinds);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			queued_kinds = 0;
			break;
		default:
			break;
	}
}

void
laras_work_queued(LarasWork kind)
{
	if (laras_workers != NULL)
		queued_kinds |= 1U << kind;
}

/* Called once by laras_worker_init. */
void
laras_wakeups_init(void)
{
	RegisterXactCallback(end_of_transaction, NULL);
}

void
laras_work_now(LarasWork kind)
{
	if (laras_workers != NULL)
		wake(1U << kind);
}
