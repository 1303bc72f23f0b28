/*
 * vaultscrub.c
 *		The nightly scrub: every slot of every mirror is read and opened, a slab
 *		at a time between the vault worker's other work.
 *
 * Invariant: a scrub repairs from what is good and destroys what is ordered
 * destroyed; it never turns damage into anything else. What it could not
 * repair it counts, and doctor() tells.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_scrub_keyring);
PG_FUNCTION_INFO_V1(laras_show_scrub);

#define FIRST_LEASED_SLAB (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)
#define LOOK_EVERY_US (10 * USECS_PER_SEC)

/* the last moment at which it was that hour, against the last scrub that began */
LARAS_PLAN(scrub_due,
		   "SELECT COALESCE(pg_catalog.max(s.started_at), $2)"
		   " < pg_catalog.date_trunc('day', laras.now() - pg_catalog.make_interval(hours => $1))"
		   " + pg_catalog.make_interval(hours => $1) FROM laras.keyring_scrub s",
		   INT4OID, TIMESTAMPTZOID);

LARAS_PLAN(
	note_scrub,
	"INSERT INTO laras.keyring_scrub (started_at, finished_at, slabs, live, destroyed, damaged, absent,"
	" repaired, leased) VALUES ($1, laras.now(), $2, $3, $4, $5, $6, $7, $8)"
	" ON CONFLICT (started_at) DO NOTHING",
	TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID);

LARAS_PLAN(forget_scrubs,
		   "DELETE FROM laras.keyring_scrub s"
		   " WHERE s.started_at < laras.now() - pg_catalog.make_interval(years => 1)");

/* Slots leased a day since the oldest scrub of the last thirty days, for thirty days. */
LARAS_PLAN(growth,
		   "SELECT COALESCE(pg_catalog.max(30.0 * ($1 - s.leased) / GREATEST(1.0,"
		   " pg_catalog.date_part('epoch', laras.now() - s.started_at)::numeric / 86400)), 0)::int8"
		   " FROM (SELECT o.leased, o.started_at FROM laras.keyring_scrub o"
		   " WHERE o.started_at > laras.now() - pg_catalog.make_interval(days => 30)"
		   " AND o.leased <= $1 ORDER BY o.started_at LIMIT 1) s",
		   INT8OID);

/* the scrub under way */
static bool running = false;
static uint32 next_slab = 0;
static uint32 asked_seen = 0;
static TimestampTz first_look = 0; /* by the product's clock */

/* ------------------------------------------------------------------------
 * One slab
 * ------------------------------------------------------------------------
 */

typedef struct FindOrder
{
	uint32 slot;
	LarasTomb tomb;
	bool found;
} FindOrder;

static bool
is_its_order(const LarasJournalRecord *rec, void *arg)
{
	FindOrder *find = arg;

	if ((rec->kind == LARAS_JOURNAL_DESTROY || rec->kind == LARAS_JOURNAL_RANGE) &&
		find->slot >= rec->first && find->slot - rec->first < Max(rec->count, 1))
	{
		find->tomb.reason = rec->reason;
		find->tomb.time = rec->time;
		memcpy(find->tomb.order, rec->order, LARAS_ORDER_LEN);
		find->found = true;
	}
	return !find->found;
}

/*
 * A slot that is destroyed has no mark in some mirror: it gets the one of the
 * journal, the same bytes that its committer writes. Where the journal has no
 * record yet the committer is at work.
 */
static bool
bury_as_journalled(LarasVaultWork *w, LarasMirrorMask mask, uint32 slot)
{
	FindOrder find = {slot, {0}, false};
	LarasJournalScan scan;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	for (int i = 0; i < w->m.n && !find.found; i++)
	{
		if ((mask & ((LarasMirrorMask) 1 << i)) != 0)
			(void) laras_journal_scan(w->m.mirror[i].dirfd, w->m.keyring, NULL, is_its_order, NULL,
									  &find, &scan, &err);
	}
	laras_mirrors_forget(&w->m);
	return find.found && laras_mirrors_destroy(&w->m, mask, slot, &find.tomb, &err) == mask;
}

static void
count(LarasVault *v, LarasScrubCount what)
{
	pg_atomic_fetch_add_u64(&v->scrub_count[what], 1);
}

/* Is this slot in this mirror as it should be? */
static bool
is_sound(LarasVaultWork *w, const uint8 *uuid, const uint8 *raw, uint32 slot, bool destroyed,
		 const LarasWrapSet *wraps, LarasSlotState *state)
{
	LarasSlotPlace place = {w->m.keyring, uuid, slot};

	/* the courier's key is not at hand here: its shape must do */
	*state = slot == LARAS_SLOT_COURIER ? laras_slot_look(&place, raw, NULL)
										: laras_slot_open(&place, raw, wraps, 0, NULL);
	if (*state == LARAS_SLOT_WRAPPED)
		*state = slot == LARAS_SLOT_COURIER ? LARAS_SLOT_LIVE : LARAS_SLOT_DAMAGED;
	return destroyed ? *state == LARAS_SLOT_DESTROYED : *state != LARAS_SLOT_DAMAGED;
}

/* Put one slot right, and count what it is now. */
static void
mend(LarasVaultWork *w, LarasMirrorMask mask, uint32 slot, bool destroyed,
	 const LarasWrapSet *wraps)
{
	LarasVault *v = w->v;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasSlotState state;

	if (slot == LARAS_SLOT_COURIER)
		laras_vault_settle_courier();
	laras_mirrors_forget(&w->m);
	state = laras_mirrors_repair(&w->m, mask, slot, wraps, NULL, &err);
	if (slot == LARAS_SLOT_COURIER && state == LARAS_SLOT_WRAPPED)
		state = LARAS_SLOT_LIVE; /* its key is not at hand here: its shape must do */
	if (destroyed)
	{
		count(v, LARAS_SCRUB_DESTROYED);
		if (state == LARAS_SLOT_DESTROYED || bury_as_journalled(w, mask, slot))
			count(v, LARAS_SCRUB_REPAIRED);
	}
	else if (state == LARAS_SLOT_LIVE)
	{
		laras_bit_clear(v->damaged, slot);
		count(v, LARAS_SCRUB_LIVE);
		count(v, LARAS_SCRUB_REPAIRED);
	}
	else if (state == LARAS_SLOT_DESTROYED)
	{
		laras_bit_set(v->destroyed, slot);
		count(v, LARAS_SCRUB_DESTROYED);
		count(v, LARAS_SCRUB_REPAIRED);
	}
	else
	{
		if (state == LARAS_SLOT_DAMAGED)
			laras_bit_set(v->damaged, slot);
		count(v, LARAS_SCRUB_DAMAGED);
	}
}

static void
scrub_slab(LarasVaultWork *w, uint32 number)
{
	LarasVault *v = w->v;
	LarasMirrorMask mask;
	LarasWrapSet wraps;
	uint8 *image[LARAS_MAX_MIRRORS] = {NULL};
	uint8 uuid[LARAS_MAX_MIRRORS][LARAS_UUID_LEN];
	bool destroyed[LARAS_SLOTS_PER_SLAB];
	int have = -1;

	laras_vault_flush_mirrors();
	mask = laras_vault_in_sync(v) & w->opened;
	/* before the slots are read: whatever is set now is on its way to them */
	for (uint32 i = 0; i < LARAS_SLOTS_PER_SLAB; i++)
		destroyed[i] = laras_bit_test(v->destroyed, number * LARAS_SLOTS_PER_SLAB + i);
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0)
			continue;
		image[i] = palloc(LARAS_SLAB_LEN);
		if (laras_read_slab(w, i, number, image[i], uuid[i], &err))
		{
			have = i;
			continue;
		}
		pfree(image[i]);
		image[i] = NULL;
		/* another mirror's copy takes its place, where there is one */
		laras_vault_settle_slab(number);
		image[i] = palloc(LARAS_SLAB_LEN);
		if (laras_read_slab(w, i, number, image[i], uuid[i], &err))
		{
			have = i;
			pg_atomic_fetch_add_u64(&v->scrub_count[LARAS_SCRUB_REPAIRED], LARAS_SLOTS_PER_SLAB);
			continue;
		}
		pfree(image[i]);
		image[i] = NULL;
	}
	if (have < 0)
	{
		if (mask != 0)
			pg_atomic_fetch_add_u64(&v->scrub_count[LARAS_SCRUB_ABSENT], LARAS_SLOTS_PER_SLAB);
		return;
	}
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	for (uint32 index = 0; index < LARAS_SLOTS_PER_SLAB; index++)
	{
		uint32 slot = number * LARAS_SLOTS_PER_SLAB + index;
		size_t at = LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN;
		LarasSlotState state = LARAS_SLOT_DAMAGED;
		bool sound = true;

		for (int i = 0; i < w->m.n; i++)
		{
			if (image[i] == NULL)
				continue;
			if (i != have && memcmp(image[i] + at, image[have] + at, LARAS_SLOT_LEN) != 0)
				sound = false;
			/* the same bytes need opening once */
			if (i == have &&
				!is_sound(w, uuid[i], image[i] + at, slot, destroyed[index], &wraps, &state))
				sound = false;
		}
		/* a destruction came in between: its committer brings the mirrors to one state */
		if (!sound && !destroyed[index] && laras_bit_test(v->destroyed, slot))
		{
			sound = true;
			state = LARAS_SLOT_DESTROYED;
		}
		if (sound && state == LARAS_SLOT_LIVE && laras_bit_test(v->damaged, slot))
			laras_bit_clear(v->damaged, slot); /* put back meanwhile */
		if (!sound)
			mend(w, mask, slot, destroyed[index], &wraps);
		else
			count(v, state == LARAS_SLOT_DESTROYED ? LARAS_SCRUB_DESTROYED : LARAS_SCRUB_LIVE);
	}
	laras_wipe(&wraps, sizeof(wraps));
	for (int i = 0; i < w->m.n; i++)
	{
		if (image[i] != NULL)
			pfree(image[i]);
	}
}

/* ------------------------------------------------------------------------
 * A whole scrub
 * ------------------------------------------------------------------------
 */

/* Is it time? Renews what is known of growth, too. */
static bool
is_due(LarasVaultWork *w)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();
	uint32 asked = pg_atomic_read_u32(&w->v->scrub_asked);
	bool due = false;

	if (asked != asked_seen)
	{
		asked_seen = asked;
		return true;
	}
	if (last != 0 && now >= last && now - last < LOOK_EVERY_US)
		return false;
	last = now;
	laras_worker_begin("looking whether the keys are to be looked at");
	if (first_look == 0)
		first_look = laras_now();
	laras_spi_open();
	if (laras_keyring_scrub_hour >= 0)
	{
		(void) laras_spi_read(&scrub_due,
							  (Datum[]){Int32GetDatum(laras_keyring_scrub_hour),
										TimestampTzGetDatum(first_look)},
							  NULL);
		due = laras_spi_bool(0, 1);
	}
	(void) laras_spi_read(&growth, (Datum[]){Int64GetDatum((int64) w->lease.next_position)}, NULL);
	w->growth = (uint32) Min(laras_spi_int8(0, 1) / LARAS_SLOTS_PER_SLAB + 1, 65536);
	laras_spi_close();
	laras_worker_commit();
	return due;
}

static void
begin_scrub(LarasVaultWork *w)
{
	LarasVault *v = w->v;

	for (int i = 0; i < LARAS_SCRUB_COUNTS; i++)
		pg_atomic_write_u64(&v->scrub_count[i], 0);
	pg_atomic_write_u64(&v->scrub_started, (uint64) laras_now());
	pg_atomic_write_u64(&v->scrub_done, 0);
	pg_atomic_write_u64(&v->scrub_total, 1 + (uint64) pg_atomic_read_u32(&v->slabs_made));
	pg_atomic_write_u32(&v->scrub_running, 1);
	next_slab = 0;
	running = true;
}

static void
end_scrub(LarasVaultWork *w)
{
	LarasVault *v = w->v;
	uint64 n[LARAS_SCRUB_COUNTS];

	for (int i = 0; i < LARAS_SCRUB_COUNTS; i++)
		n[i] = pg_atomic_read_u64(&v->scrub_count[i]);
	laras_worker_begin("noting that the keys were looked at");
	laras_spi_open();
	(void) laras_spi_run(&note_scrub,
						 (Datum[]){TimestampTzGetDatum(
									   (TimestampTz) pg_atomic_read_u64(&v->scrub_started)),
								   Int64GetDatum((int64) pg_atomic_read_u64(&v->scrub_total)),
								   Int64GetDatum((int64) n[LARAS_SCRUB_LIVE]),
								   Int64GetDatum((int64) n[LARAS_SCRUB_DESTROYED]),
								   Int64GetDatum((int64) n[LARAS_SCRUB_DAMAGED]),
								   Int64GetDatum((int64) n[LARAS_SCRUB_ABSENT]),
								   Int64GetDatum((int64) n[LARAS_SCRUB_REPAIRED]),
								   Int64GetDatum((int64) w->lease.next_position)},
						 NULL);
	(void) laras_spi_run(&forget_scrubs, NULL, NULL);
	laras_spi_close();
	laras_worker_commit();
	running = false;
	pg_atomic_write_u32(&v->scrub_running, 0);
	if (n[LARAS_SCRUB_DAMAGED] + n[LARAS_SCRUB_ABSENT] > 0)
		ereport(WARNING,
				(errcode(LARAS_ERRCODE_KEY_DAMAGED),
				 errmsg("the keyring has " UINT64_FORMAT " damaged and " UINT64_FORMAT
						" absent keys that no mirror can give back",
						n[LARAS_SCRUB_DAMAGED], n[LARAS_SCRUB_ABSENT]),
				 errhint("Put back a copy of the mirror that holds them. Nothing was erased.")));
	else if (n[LARAS_SCRUB_REPAIRED] > 0)
		ereport(LOG, (errmsg("laras vault: " UINT64_FORMAT " keys were repaired by the scrub",
							 n[LARAS_SCRUB_REPAIRED])));
}

bool
laras_vault_scrub(void)
{
	LarasVaultWork *w = &laras_vault_work;

	if (!running)
	{
		/* one that another worker process had begun is begun anew */
		if (!is_due(w) && pg_atomic_read_u32(&w->v->scrub_running) == 0)
			return false;
		begin_scrub(w);
	}
	LARAS_FAULT("scrub.slab");
	scrub_slab(w, next_slab);
	next_slab = next_slab == 0 ? FIRST_LEASED_SLAB : next_slab + 1;
	if (pg_atomic_fetch_add_u64(&w->v->scrub_done, 1) + 1 >= pg_atomic_read_u64(&w->v->scrub_total))
		end_scrub(w);
	return running;
}

/* ------------------------------------------------------------------------
 * SQL
 * ------------------------------------------------------------------------
 */

/* laras.scrub_keyring() returns boolean: false where one is under way */
Datum
laras_scrub_keyring(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();

	PreventCommandDuringRecovery("laras.scrub_keyring()");
	if (v == NULL || laras_vault_phase(v) != LARAS_VAULT_OPEN)
		laras_vault_raise_closed(v);
	if (pg_atomic_read_u32(&v->scrub_running) != 0)
		PG_RETURN_BOOL(false);
	pg_atomic_fetch_add_u32(&v->scrub_asked, 1);
	laras_work_now(LARAS_WORK_VAULT);
	PG_RETURN_BOOL(true);
}

/* laras.keyring_scrub_progress(): one row, nulls before the first since the server started */
Datum
laras_show_scrub(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();
	TupleDesc desc;
	Datum values[4 + LARAS_SCRUB_COUNTS] = {0};
	bool nulls[4 + LARAS_SCRUB_COUNTS];
	uint64 started = v == NULL ? 0 : pg_atomic_read_u64(&v->scrub_started);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, started == 0, sizeof(nulls));
	nulls[0] = false;
	values[0] = BoolGetDatum(v != NULL && pg_atomic_read_u32(&v->scrub_running) != 0);
	if (started != 0)
	{
		values[1] = TimestampTzGetDatum((TimestampTz) started);
		values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&v->scrub_done));
		values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&v->scrub_total));
		for (int i = 0; i < LARAS_SCRUB_COUNTS; i++)
			values[4 + i] = Int64GetDatum((int64) pg_atomic_read_u64(&v->scrub_count[i]));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
