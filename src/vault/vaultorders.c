/*
 * vaultorders.c
 *		The database's orders to destroy, as the vault worker sees them: carried
 *		out before the vault opens, read back from every mirror, repeated.
 *
 * Invariant: an order that committed ends destroyed whatever died in between.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define ORDERS_AT_ONCE 1000
#define GRACE_US (2 * USECS_PER_SEC)

LARAS_PLAN(all_orders,
		   "SELECT d.slot, d.order_id, d.reason, d.workspace_id, d.overwritten_at IS NOT NULL"
		   " FROM laras.key_destruction d WHERE (d.workspace_id, d.order_id, d.slot) > ($1, $2, $3)"
		   " ORDER BY d.workspace_id, d.order_id, d.slot LIMIT 10000",
		   INT8OID, BYTEAOID, INT8OID);

LARAS_PLAN(
	pending_orders,
	"SELECT d.slot, d.order_id, d.reason, d.workspace_id,"
	" pg_catalog.cardinality(d.verified_mirrors) FROM laras.key_destruction d"
	" WHERE d.verified_at IS NULL ORDER BY pg_catalog.cardinality(d.verified_mirrors) NULLS FIRST, d.ordered_at LIMIT 1000");

LARAS_PLAN(count_pending,
		   "SELECT pg_catalog.count(*) FROM laras.key_destruction d WHERE d.verified_at IS NULL");

LARAS_PLAN(mark_order,
		   "UPDATE laras.key_destruction SET"
		   " overwritten_at = COALESCE(overwritten_at, laras.now()),"
		   " verified_at = CASE WHEN $5 THEN laras.now() END,"
		   " verified_mirrors = $4"
		   " WHERE workspace_id = $1 AND order_id = $2 AND slot = $3",
		   INT8OID, BYTEAOID, INT8OID, TEXTARRAYOID, BOOLOID);

LARAS_PLAN(any_key, "SELECT 1 FROM laras.key_owner LIMIT 1");

LARAS_PLAN(any_unknown_owner,
		   "SELECT 1 FROM laras.key_owner k WHERE laras.key_state(k.slot) = 'destroyed'"
		   " AND NOT EXISTS (SELECT FROM laras.key_destruction d WHERE d.slot = k.slot) LIMIT 1");

/* No row that names this place: the same as contents from elsewhere. */
LARAS_PLAN(await_resume, "DELETE FROM laras.installation");

/* the timeline of the last sweep */
LARAS_PLAN(read_timeline, "SELECT k.timeline FROM laras.keyring_mark k WHERE k.id = 1");

LARAS_PLAN(read_keyring, "SELECT k.keyring FROM laras.keyring_mark k WHERE k.id = 1");

void
laras_vault_begin(const char *activity)
{
	laras_worker_begin(activity);
	laras_worker_bind_all();
}

bool
laras_database_has_keys(void)
{
	bool any;

	laras_vault_begin("looking for keys");
	laras_spi_open();
	any = laras_spi_read(&any_key, NULL, NULL) > 0;
	laras_spi_close();
	laras_worker_commit();
	return any;
}

bool
laras_database_keyring(uint8 uuid[LARAS_UUID_LEN])
{
	bool known;
	bool isnull;

	laras_vault_begin("looking for the keyring's mark");
	laras_spi_open();
	known = laras_spi_read(&read_keyring, NULL, NULL) > 0;
	if (known)
		memcpy(uuid, DatumGetUUIDP(laras_spi_value(0, 1, &isnull))->data, LARAS_UUID_LEN);
	laras_spi_close();
	laras_worker_commit();
	return known;
}

/* ------------------------------------------------------------------------
 * Before the vault opens
 * ------------------------------------------------------------------------
 */

/*
 * A database that was set back (a base backup, a failover that lost commits)
 * has rows again that were erased. Nothing opens to traffic before resume()
 * has erased them once more. Looking at every owner is for the rare case that
 * the journal has orders the database does not know.
 */
static void
close_if_set_back(LarasVaultWork *w)
{
	bool set_back = false;

	laras_vault_begin("comparing the database with the journal");
	if (!laras_database_knows_journal(w))
	{
		laras_spi_open();
		set_back = laras_spi_read(&any_unknown_owner, NULL, NULL) > 0 &&
				   laras_spi_run(&await_resume, NULL, NULL) > 0;
		laras_spi_close();
	}
	laras_worker_commit();
	if (set_back)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("this database is older than its keyring: what was erased since has its "
						"rows again, unreadable"),
				 errhint("Call laras.resume(), which erases them once more; until then laras stays "
						 "closed to traffic.")));
}

/* Where reading all orders of the database has come to. */
typedef struct OrderPlace
{
	int64 workspace;
	uint8 order[LARAS_ORDER_LEN];
	int64 slot;
} OrderPlace;

#define BEFORE_ALL_ORDERS     \
	{                         \
		PG_INT64_MIN, {0}, -1 \
	}

/* The next 10,000 at most; within SPI. */
static uint64
read_orders(const OrderPlace *at)
{
	return laras_spi_read(&all_orders,
						  (Datum[]){Int64GetDatum(at->workspace),
									laras_bytea_datum(at->order, LARAS_ORDER_LEN),
									Int64GetDatum(at->slot)},
						  NULL);
}

static void
order_at(uint64 row, OrderPlace *at)
{
	bytea *id = laras_spi_bytes(row, 2);

	at->slot = laras_spi_int8(row, 1);
	memcpy(at->order, VARDATA_ANY(id), LARAS_ORDER_LEN);
	at->workspace = laras_spi_int8(row, 4);
}

/*
 * Promoted, or recovered to a point in time: an order that the primary's vault
 * saw carried out stands in its journal. Where one does not in this keyring,
 * this is an old copy, and some other server or mirror has a newer one.
 */
bool
laras_vault_reaches_replayed(LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	OrderPlace at = BEFORE_ALL_ORDERS;
	uint64 missing = 0;
	uint64 rows;
	bool same;

	laras_vault_begin("comparing the keyring with replayed orders");
	laras_spi_open();
	same = laras_spi_read(&read_timeline, NULL, NULL) == 0 ||
		   laras_spi_int8(0, 1) == (int64) GetWALInsertionTimeLine();
	laras_spi_close();
	laras_worker_commit();
	if (same)
		return true;
	do
	{
		laras_vault_begin("comparing the keyring with replayed orders");
		laras_spi_open();
		rows = read_orders(&at);
		for (uint64 i = 0; i < rows; i++)
		{
			order_at(i, &at);
			if (laras_spi_bool(i, 5) && at.slot < w->v->max_slots &&
				!laras_bit_test(w->v->destroyed, (uint32) at.slot))
				missing++;
		}
		laras_spi_close();
		laras_worker_commit();
	} while (rows == 10000);
	if (missing == 0)
		return true;
	return laras_keyerror(
		err, LARAS_KEYERR_OLDER, 0,
		"this server was promoted, and orders that it replayed as carried out are "
		"not in its keyring");
}

/*
 * Every order the database knows, verified or not: the mirrors may have been
 * restored from a copy that is older than it.
 */
void
laras_vault_apply_database(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	OrderPlace at = BEFORE_ALL_ORDERS;
	uint64 repeated = 0;

	for (;;)
	{
		uint32 *slots = palloc(sizeof(uint32) * 10000);
		uint8(*orders)[LARAS_ORDER_LEN] = palloc(LARAS_ORDER_LEN * 10000);
		uint8 *reasons = palloc(10000);
		uint32 n = 0;
		uint64 rows;
		LarasKeyError err = LARAS_KEYERROR_INIT;

		laras_vault_begin("applying key destructions");
		laras_spi_open();
		rows = read_orders(&at);
		for (uint64 i = 0; i < rows; i++)
		{
			order_at(i, &at);
			if (at.slot < v->max_slots && !laras_bit_test(v->destroyed, (uint32) at.slot))
			{
				slots[n] = (uint32) at.slot;
				memcpy(orders[n], at.order, LARAS_ORDER_LEN);
				reasons[n] = (uint8) laras_spi_int2(i, 3);
				n++;
			}
		}
		laras_spi_close();
		laras_worker_commit();
		/* in pieces that the ring takes without putting a slower mirror aside */
		for (uint32 done = 0; done < n; done += 4096)
		{
			if (!laras_vault_destroy_now(slots + done,
										 (const uint8(*)[LARAS_ORDER_LEN]) orders + done,
										 reasons + done, Min(4096, n - done), &err))
				laras_vault_raise(&err);
			if (!laras_vault_journal_ahead(&err))
				laras_vault_raise(&err);
		}
		repeated += n;
		pfree(slots);
		pfree(orders);
		pfree(reasons);
		if (rows < 10000)
			break;
	}
	if (repeated > 0)
		ereport(LOG, (errmsg("laras vault: " UINT64_FORMAT
							 " orders of the database were carried out again",
							 repeated)));
	laras_vault_raise_lease();
	close_if_set_back(w);
	w->database_applied = true;
}

/* ------------------------------------------------------------------------
 * Reading back
 * ------------------------------------------------------------------------
 */

typedef struct Pending
{
	uint32 slot;
	uint8 order[LARAS_ORDER_LEN];
	uint8 reason;
	int64 workspace;
	int verified;         /* mirrors it was read back from before */
	LarasMirrorMask mask; /* and now */
} Pending;

static int
by_slab(const void *a, const void *b)
{
	uint32 x = ((const Pending *) a)->slot;
	uint32 y = ((const Pending *) b)->slot;

	return x < y ? -1 : x > y;
}

/* A slab to read back from; one that the mirror lost is copied from another first. */
static bool
open_grave(LarasVaultWork *w, int mirror, uint32 number, LarasGrave *grave)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (laras_mirrors_prepare(&w->m, mirror, number, grave, &err))
		return true;
	if (err.code != LARAS_KEYERR_ABSENT)
		return false;
	laras_vault_settle_slab(number);
	return laras_mirrors_prepare(&w->m, mirror, number, grave, &err);
}

/* Read the marks of rows back from one mirror. */
static void
read_back(LarasVaultWork *w, int mirror, Pending *rows, uint32 n)
{
	LarasGrave grave = {mirror, LARAS_SLAB_CLOSED};
	LarasMirrorInfo *info = &w->v->mirror[mirror];

	for (uint32 i = 0; i < n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		bool direct = false;

		if (!laras_bit_test(w->v->destroyed, rows[i].slot))
			continue;
		if (grave.slab.fd < 0 || grave.slab.number != LARAS_SLAB_OF(rows[i].slot))
		{
			laras_mirrors_release(&grave);
			if (!open_grave(w, mirror, LARAS_SLAB_OF(rows[i].slot), &grave))
				continue;
		}
		if (laras_mirrors_verify(&w->m, &grave, rows[i].slot, &direct, &err))
			rows[i].mask |= (LarasMirrorMask) 1 << mirror;
		else
		{
			/* no mark on the medium: write it again */
			LarasTomb tomb;

			tomb.reason = rows[i].reason;
			tomb.time = laras_unix_now();
			memcpy(tomb.order, rows[i].order, LARAS_ORDER_LEN);
			for (int other = 0; other < w->m.n; other++)
			{
				uint8 raw[LARAS_SLOT_LEN];
				LarasTomb there;

				if ((w->opened & ((LarasMirrorMask) 1 << other)) != 0 &&
					laras_mirrors_look(&w->m, other, rows[i].slot, raw, &there, &err) ==
						LARAS_SLOT_DESTROYED)
				{
					tomb = there;
					break;
				}
			}
			if (laras_mirrors_bury(&w->m, &grave, rows[i].slot, &tomb, &err) &&
				laras_mirrors_sync(&grave, &err) &&
				laras_mirrors_verify(&w->m, &grave, rows[i].slot, &direct, &err))
				rows[i].mask |= (LarasMirrorMask) 1 << mirror;
			else
				laras_mirror_failed(w->v, mirror, &err);
		}
		pg_atomic_write_u32(&info->direct, direct ? 1 : 2);
	}
	laras_mirrors_release(&grave);
}

static Datum
mirror_names(LarasVaultWork *w, LarasMirrorMask mask)
{
	Datum names[LARAS_MAX_MIRRORS];
	int n = 0;

	for (int i = 0; i < w->m.n; i++)
	{
		if (mask & ((LarasMirrorMask) 1 << i))
			names[n++] = CStringGetTextDatum(w->v->mirror[i].name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

uint64
laras_vault_verify_orders(void)
{
	static TimestampTz first_unset = 0;
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask all = 0;
	LarasMirrorMask in_sync;
	Pending *rows;
	uint64 n;
	uint32 kept = 0;
	uint32 unset = 0;
	uint64 left;
	bool complete;

	laras_vault_begin("verifying key destructions");
	laras_spi_open();
	n = laras_spi_read(&pending_orders, NULL, NULL);
	rows = SPI_palloc(sizeof(Pending) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		Pending *row = &rows[kept];
		bool isnull;
		bytea *id = laras_spi_bytes(i, 2);
		int64 slot = laras_spi_int8(i, 1);
		Datum verified;

		if (slot >= v->max_slots)
			continue;
		row->slot = (uint32) slot;
		memcpy(row->order, VARDATA_ANY(id), LARAS_ORDER_LEN);
		row->reason = (uint8) laras_spi_int2(i, 3);
		row->workspace = laras_spi_int8(i, 4);
		verified = laras_spi_value(i, 5, &isnull);
		row->verified = isnull ? 0 : DatumGetInt32(verified);
		row->mask = 0;
		if (!laras_bit_test(v->destroyed, row->slot))
			unset++;
		kept++;
	}
	laras_spi_close();
	laras_worker_commit();
	if (kept == 0)
	{
		first_unset = 0;
		pg_atomic_write_u64(&v->pending_orders, 0);
		return 0;
	}

	/*
	 * A row without its bit is that of a committer who is about to set it, or
	 * of one who could not. Give the first a moment.
	 */
	if (unset > 0 && first_unset == 0)
		first_unset = GetCurrentTimestamp();
	if (unset == 0)
		first_unset = 0;
	else if (GetCurrentTimestamp() - first_unset > GRACE_US)
	{
		for (uint32 i = 0; i < kept; i++)
		{
			LarasKeyError err = LARAS_KEYERROR_INIT;

			if (!laras_bit_test(v->destroyed, rows[i].slot) &&
				!laras_vault_destroy_now(&rows[i].slot,
										 (const uint8(*)[LARAS_ORDER_LEN]) & rows[i].order,
										 &rows[i].reason, 1, &err))
				laras_vault_log(WARNING, &err, "repeating a key destruction");
		}
		first_unset = 0;
	}

	laras_vault_flush_mirrors();
	qsort(rows, kept, sizeof(Pending), by_slab);
	in_sync = laras_vault_in_sync(v) & w->opened;
	for (int i = 0; i < w->m.n; i++)
	{
		if (pg_atomic_read_u32(&v->mirror[i].state) != LARAS_MIRROR_REMOVED)
			all |= (LarasMirrorMask) 1 << i;
		if (in_sync & ((LarasMirrorMask) 1 << i))
			read_back(w, i, rows, kept);
	}
	LARAS_FAULT("destroy.verified");

	laras_vault_begin("verifying key destructions");
	laras_spi_open();
	for (uint32 i = 0; i < kept; i++)
	{
		complete = (rows[i].mask & all) == all;
		if (rows[i].mask == 0 || (!complete && pg_popcount32(rows[i].mask) <= rows[i].verified))
			continue;
		(void) laras_spi_run(&mark_order,
							 (Datum[]){Int64GetDatum(rows[i].workspace),
									   laras_bytea_datum(rows[i].order, LARAS_ORDER_LEN),
									   Int64GetDatum((int64) rows[i].slot),
									   mirror_names(w, rows[i].mask), BoolGetDatum(complete)},
							 NULL);
	}
	(void) laras_spi_run(&count_pending, NULL, NULL);
	left = (uint64) laras_spi_int8(0, 1);
	laras_spi_close();
	laras_worker_commit();
	pg_atomic_write_u64(&v->pending_orders, left);
	return left;
}
