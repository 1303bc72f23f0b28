/*
 * vaultsweep.c
 *		The sweep of slots that nobody names, and whether there may be one.
 *
 * Invariant: a slot is only swept where this database is known to be as new as
 * the keyring, since a surviving orphan is a leftover and a swept live key is
 * lost data.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define RECENT_ORDERS 256 /* journal records that the database must know */

LARAS_PLAN(order_known,
		   "SELECT 1 FROM laras.key_destruction d WHERE d.order_id = $1 AND d.slot = $2", BYTEAOID,
		   INT8OID);

LARAS_PLAN(read_mark, "SELECT k.timeline, k.sweep_from FROM laras.keyring_mark k WHERE k.id = 1");

LARAS_PLAN(
	write_mark,
	"INSERT INTO laras.keyring_mark AS k (id, keyring, timeline, sweep_from, reason, marked_at, leased)"
	" VALUES (1, $4, $1, $2, $3, pg_catalog.clock_timestamp(), 0)"
	" ON CONFLICT (id) DO UPDATE SET timeline = $1, sweep_from = $2, reason = $3,"
	" marked_at = pg_catalog.clock_timestamp()",
	INT8OID, INT8OID, TEXTOID, UUIDOID);

LARAS_PLAN(all_owners, "SELECT k.slot FROM laras.key_owner k");

typedef struct Recent
{
	LarasJournalRecord rec[RECENT_ORDERS];
	uint64 n; /* seen so far; the ring holds the last ones */
} Recent;

static bool
keep_recent(const LarasJournalRecord *rec, void *arg)
{
	Recent *recent = arg;

	if (rec->kind == LARAS_JOURNAL_DESTROY && rec->reason != LARAS_REASON_ROLLED_BACK &&
		rec->reason != LARAS_REASON_REPEATED)
		recent->rec[recent->n++ % RECENT_ORDERS] = *rec;
	return true;
}

bool
laras_database_knows_journal(LarasVaultWork *w)
{
	Recent *recent = palloc0(sizeof(Recent));
	LarasJournalScan scan;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool known = true;
	int mirror = 0;

	while (mirror < w->m.n - 1 &&
		   (w->opened & laras_vault_in_sync(w->v) & ((LarasMirrorMask) 1 << mirror)) == 0)
		mirror++;
	(void) laras_journal_scan(w->m.mirror[mirror].dirfd, w->m.keyring, NULL, keep_recent, NULL,
							  recent, &scan, &err);
	laras_spi_open();
	for (uint64 i = 0; known && i < Min(recent->n, RECENT_ORDERS); i++)
		known = laras_spi_read(&order_known,
							   (Datum[]){laras_bytea_datum(recent->rec[i].order, LARAS_ORDER_LEN),
										 Int64GetDatum((int64) recent->rec[i].first)},
							   NULL) > 0;
	laras_spi_close();
	pfree(recent);
	return known;
}

static void
write_sweep_mark(uint64 from, const char *reason)
{
	pg_uuid_t keyring;

	memcpy(keyring.data, laras_vault_work.v->keyring.uuid, UUID_LEN);
	laras_spi_open();
	(void) laras_spi_run(&write_mark,
						 (Datum[]){Int64GetDatum((int64) GetWALInsertionTimeLine()),
								   Int64GetDatum((int64) from), CStringGetTextDatum(reason),
								   UUIDPGetDatum(&keyring)},
						 NULL);
	laras_spi_close();
}

void
laras_vault_mark_adopted(void)
{
	LarasVaultWork *w = &laras_vault_work;

	/* positions of the log it came from say nothing of this one */
	w->lease.wal_position = 0;
	laras_vault_begin("marking the adopted keyring");
	write_sweep_mark(w->lease.next_position, "adopted");
	laras_worker_commit();
	pg_atomic_write_u32(&w->v->sweep_off, LARAS_SWEEP_ON);
}

/*
 * Where orphans may be taken for orphans: positions from *from on. Anything
 * that says that the database may be older than the keyring moves the mark to
 * the lease's end, for good.
 */
static LarasSweepOff
read_sweep_mark(LarasVaultWork *w, uint64 *from)
{
	LarasSweepOff why = LARAS_SWEEP_ON;
	bool first;
	int64 timeline = 0;

	*from = 0;
	laras_spi_open();
	first = laras_spi_read(&read_mark, NULL, NULL) == 0;
	if (!first)
	{
		timeline = laras_spi_int8(0, 1);
		*from = (uint64) laras_spi_int8(0, 2);
	}
	laras_spi_close();

	if (w->lease.wal_position > GetFlushRecPtr(NULL))
		why = LARAS_SWEEP_OLDER_WAL;
	else if (!first && timeline != (int64) GetWALInsertionTimeLine())
		why = LARAS_SWEEP_TIMELINE;
	else if (!laras_database_knows_journal(w))
		why = LARAS_SWEEP_UNKNOWN_RECORD;
	if (why != LARAS_SWEEP_ON)
	{
		*from = w->lease_at_open;
		write_sweep_mark(*from, why == LARAS_SWEEP_OLDER_WAL  ? "older database"
								: why == LARAS_SWEEP_TIMELINE ? "timeline"
															  : "unknown order");
	}
	else if (first)
		write_sweep_mark(0, "start");
	return why;
}

void
laras_vault_sweep(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	uint64 end = w->lease_at_open;
	uint64 from;
	uint8 *named;
	uint32 *slots;
	uint8(*orders)[LARAS_ORDER_LEN];
	uint8 *reasons;
	uint8 order[LARAS_ORDER_LEN];
	uint32 n = 0;
	uint64 left_over = 0;
	SPIPlanPtr plan;
	Portal portal;
	LarasSweepOff why;

	/* one bit for each leased position */
	named = palloc0((Size) (end / 8) + 1);
	laras_vault_begin("looking for keys that nobody names");
	why = read_sweep_mark(w, &from);
	laras_spi_open();
	plan = SPI_prepare(all_owners.sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the sweep");
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 10000);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			uint64 position;
			int64 slot = laras_spi_int8(i, 1);

			if (slot >= LARAS_SLOT_FIRST_LEASED &&
				laras_slot_position(v->keyring.uuid, (uint32) slot, &position) && position < end)
				named[position / 8] |= (uint8) (1 << (position % 8));
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	laras_spi_close();
	laras_worker_commit();

	slots = palloc(sizeof(uint32) * 4096);
	orders = palloc(LARAS_ORDER_LEN * 4096);
	reasons = palloc(4096);
	laras_new_order(order);
	for (uint64 position = 0; position < end; position++)
	{
		uint32 slot;
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if ((named[position / 8] & (1 << (position % 8))) == 0 &&
			laras_position_slot(v->keyring.uuid, position, &slot) && slot < v->max_slots &&
			!laras_bit_test(v->destroyed, slot))
		{
			if (position < from)
				left_over++;
			else
			{
				slots[n] = slot;
				memcpy(orders[n], order, LARAS_ORDER_LEN);
				reasons[n++] = LARAS_REASON_ROLLED_BACK;
			}
		}
		if (n == 4096 || (n > 0 && position == end - 1))
		{
			LARAS_FAULT("sweep.before");
			if (!laras_vault_destroy_now(slots, (const uint8(*)[LARAS_ORDER_LEN]) orders, reasons,
										 n, &err))
				laras_vault_raise(&err);
			(void) laras_vault_journal_ahead(&err);
			pg_atomic_fetch_add_u64(&v->swept, n);
			n = 0;
		}
	}
	pfree(named);
	pfree(slots);
	pfree(orders);
	pfree(reasons);
	pg_atomic_write_u64(&v->left_over, left_over);
	pg_atomic_write_u32(&v->sweep_off, why);
	w->swept = true;
}
