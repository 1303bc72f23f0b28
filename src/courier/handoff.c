/*
 * handoff.c
 *		The places in shared memory; see handoff.h.
 *
 * A place is free, written (by a transaction under way), ready (committed) or
 * being read. Only its writer's transaction callbacks change written; the
 * courier of the database takes ready. One spinlock guards the states; the
 * bytes belong to whoever holds the place.
 */
#include "postgres.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "access/xact.h"
#include "courier/handoff.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "vault/crypto.h"
#include "worker/worker.h"

typedef enum PlaceState
{
	PLACE_FREE,
	PLACE_WRITTEN,
	PLACE_READY,
	PLACE_READ
} PlaceState;

typedef struct Place
{
	PlaceState state;
	Oid database;
	SubTransactionId subid;
	time_t until;
	LarasHandoff handoff;
} Place;

typedef struct Area
{
	slock_t lock;
	Place places[LARAS_HANDOFFS];
} Area;

static Area *area = NULL;

/* places this transaction has written */
static uint32 written = 0;
static bool registered = false;

StaticAssertDecl(LARAS_HANDOFFS <= 32, "written is a 32-bit set");

/* whole pages, so that they can be kept out of core dumps by themselves */
static Size
area_size(void)
{
	Size page = (Size) sysconf(_SC_PAGESIZE);

	return add_size(TYPEALIGN(page, sizeof(Area)), page);
}

void
laras_handoff_shmem_request(void)
{
	RequestAddinShmemSpace(area_size());
}

void
laras_handoff_shmem_startup(void)
{
	bool found;
	Size page = (Size) sysconf(_SC_PAGESIZE);
	char *raw = ShmemInitStruct("laras hand-offs", area_size(), &found);

	area = (Area *) TYPEALIGN(page, raw);
	if (!found)
	{
		memset(area, 0, sizeof(Area));
		SpinLockInit(&area->lock);
	}
	/* best effort: some kinds of shared memory refuse it */
	(void) madvise(area, TYPEALIGN(page, sizeof(Area)), MADV_DONTDUMP);
}

static void
wipe(Place *place)
{
	laras_wipe(&place->handoff, sizeof(place->handoff));
	SpinLockAcquire(&area->lock);
	place->state = PLACE_FREE;
	SpinLockRelease(&area->lock);
}

static void
at_end(XactEvent event, void *arg)
{
	if (written == 0)
		return;
	for (int i = 0; i < LARAS_HANDOFFS; i++)
	{
		if ((written & (UINT32_C(1) << i)) == 0)
			continue;
		if (event == XACT_EVENT_COMMIT)
		{
			SpinLockAcquire(&area->lock);
			area->places[i].state = PLACE_READY;
			SpinLockRelease(&area->lock);
		}
		else if (event == XACT_EVENT_ABORT)
			wipe(&area->places[i]);
	}
	if (event == XACT_EVENT_COMMIT)
		laras_work_now(LARAS_WORK_COURIER);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		written = 0;
}

static void
at_sub_end(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (written == 0)
		return;
	for (int i = 0; i < LARAS_HANDOFFS; i++)
	{
		Place *place = &area->places[i];

		if ((written & (UINT32_C(1) << i)) == 0 || place->subid != subid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			place->subid = parent;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			wipe(place);
			written &= ~(UINT32_C(1) << i);
		}
	}
}

/* a backend that dies leaves no place behind */
static void
at_exit(int code, Datum arg)
{
	at_end(XACT_EVENT_ABORT, NULL);
}

bool
laras_handoff_put(const LarasHandoff *handoff)
{
	int found = -1;

	if (area == NULL)
		return false;
	if (!registered)
	{
		RegisterXactCallback(at_end, NULL);
		RegisterSubXactCallback(at_sub_end, NULL);
		before_shmem_exit(at_exit, (Datum) 0);
		registered = true;
	}
	SpinLockAcquire(&area->lock);
	for (int i = 0; i < LARAS_HANDOFFS && found < 0; i++)
		if (area->places[i].state == PLACE_FREE)
		{
			found = i;
			area->places[i].state = PLACE_WRITTEN;
		}
	SpinLockRelease(&area->lock);
	if (found < 0)
		return false;
	area->places[found].database = MyDatabaseId;
	area->places[found].subid = GetCurrentSubTransactionId();
	area->places[found].until = time(NULL) + LARAS_HANDOFF_SECONDS;
	area->places[found].handoff = *handoff;
	written |= UINT32_C(1) << found;
	return true;
}

bool
laras_handoff_take(LarasHandoff *out)
{
	time_t now = time(NULL);

	if (area == NULL)
		return false;
	for (int i = 0; i < LARAS_HANDOFFS; i++)
	{
		Place *place = &area->places[i];
		bool mine = false;
		bool late = false;

		SpinLockAcquire(&area->lock);
		if (place->state == PLACE_READY && place->database == MyDatabaseId)
		{
			place->state = PLACE_READ;
			mine = true;
			late = place->until < now;
		}
		SpinLockRelease(&area->lock);
		if (!mine)
			continue;
		if (!late)
			*out = place->handoff;
		wipe(place);
		if (!late)
			return true;
	}
	return false;
}
