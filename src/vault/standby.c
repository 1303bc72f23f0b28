/*
 * standby.c
 *		The vault worker of a standby: pulls the keyring of its primary into
 *		mirrors of its own, and carries out what the replayed database orders.
 *
 * Only where laras.keyring_source is set. It lives from the first consistent
 * state to the promotion; then it looks at every replayed order once more and
 * leaves the mirrors to the vault worker proper, which opens them as after any
 * start.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/files.h"
#include "vault/masterkey.h"
#include "vault/standby.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define PERIOD_MS 1000
#define KEY_MS 5000
#define ALL_ORDERS_MS 60000
#define RESTART_S 5

char *laras_keyring_source = NULL;

PGDLLEXPORT void laras_standby_main(Datum arg);

LARAS_PLAN(replayed_pending, "SELECT d.slot, d.order_id, d.reason FROM laras.key_destruction d"
							 " WHERE d.verified_at IS NULL LIMIT 10000");

LARAS_PLAN(replayed_all,
		   "SELECT d.slot, d.order_id, d.reason, d.workspace_id FROM laras.key_destruction d"
		   " WHERE (d.workspace_id, d.order_id, d.slot) > ($1, $2, $3)"
		   " ORDER BY d.workspace_id, d.order_id, d.slot LIMIT 10000",
		   INT8OID, BYTEAOID, INT8OID);

static const LarasWorkerSpec standby_spec = {.name = "standby"};

static TimestampTz last_key = 0;
static TimestampTz last_all = 0;

/* This process ends: whoever opens the keyring next reads it anew. */
static void
unpublish(int code, Datum arg)
{
	LarasVaultWork *w = &laras_vault_work;

	if (w->v == NULL)
		return;
	LWLockReleaseAll();
	laras_vault_forget();
}

/* ------------------------------------------------------------------------
 * What the replayed database orders
 * ------------------------------------------------------------------------
 */

/* The rows of the last query: each slot marked in every mirror. */
static void
carry_out(uint64 rows, int64 *workspace, uint8 *order, int64 *slot)
{
	LarasVaultWork *w = &laras_vault_work;
	uint32 *slots = SPI_palloc(sizeof(uint32) * Max(rows, 1));
	LarasTomb *tombs = SPI_palloc(sizeof(LarasTomb) * Max(rows, 1));
	uint32 n = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		int64 number = laras_spi_int8(i, 1);
		bytea *id = laras_spi_bytes(i, 2);

		if (workspace != NULL && i == rows - 1)
		{
			*slot = number;
			memcpy(order, VARDATA_ANY(id), LARAS_ORDER_LEN);
			*workspace = laras_spi_int8(i, 4);
		}
		if (number >= w->v->max_slots || laras_bit_test(w->v->destroyed, (uint32) number))
			continue;
		slots[n] = (uint32) number;
		tombs[n].reason = (uint8) laras_spi_int2(i, 3);
		tombs[n].time = laras_unix_now();
		memcpy(tombs[n++].order, VARDATA_ANY(id), LARAS_ORDER_LEN);
	}
	laras_spi_close();
	laras_worker_commit();
	for (uint32 i = 0; i < n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		LarasMirrorMask done;

		laras_bit_set(w->v->destroyed, slots[i]);
		done = laras_mirrors_destroy(&w->m, w->opened, slots[i], &tombs[i], &err);
		LARAS_EACH_MIRROR(k)
		{
			if ((done & ((LarasMirrorMask) 1 << k)) == 0 && err.code != LARAS_KEYERR_ABSENT)
				laras_copy_drop_mirror(k, &err);
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(slots);
	pfree(tombs);
}

static void
apply_replayed(bool all)
{
	int64 workspace = PG_INT64_MIN;
	uint8 order[LARAS_ORDER_LEN] = {0};
	int64 slot = -1;
	uint64 rows;

	do
	{
		laras_vault_begin("applying replayed key destructions");
		laras_spi_open();
		rows = all ? laras_spi_read(&replayed_all,
									(Datum[]){Int64GetDatum(workspace),
											  laras_bytea_datum(order, LARAS_ORDER_LEN),
											  Int64GetDatum(slot)},
									NULL)
				   : laras_spi_read(&replayed_pending, NULL, NULL);
		carry_out(rows, all ? &workspace : NULL, order, &slot);
	} while (all && rows == 10000);
}

/* ------------------------------------------------------------------------
 * Reading on a standby
 * ------------------------------------------------------------------------
 */

static void
set_phase(LarasVaultPhase phase, const LarasWrapSet *wraps)
{
	LarasVault *v = laras_vault_work.v;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	if (wraps != NULL)
		v->page->wraps = *wraps;
	else
		laras_wipe(&v->page->wraps, sizeof(v->page->wraps));
	pg_atomic_write_u32(&v->page->phase, phase);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	if (phase == LARAS_VAULT_OPEN)
	{
		v->why = LARAS_KEYERR_NONE;
		v->why_text[0] = '\0';
	}
	LWLockRelease(v->lock);
}

/* Open or shut, as laras.standby_reveal wants it. */
static void
settle_phase(void)
{
	LarasVault *v = laras_vault_work.v;
	bool open = laras_vault_phase(v) == LARAS_VAULT_OPEN;
	LarasMasterKeys keys;
	LarasWrapSet wraps;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	static uint16 epoch = 0;

	if (open && (!laras_standby_reveal || epoch != laras_copy.keyring.current_epoch))
	{
		set_phase(LARAS_VAULT_CLOSED, NULL);
		laras_copy_say_why("this server is a standby; it pulls its keys");
		open = false;
	}
	if (open || !laras_standby_reveal || !laras_due(&last_key, KEY_MS))
		return;
	if (!laras_fetch_master_keys("content", &keys, &err))
	{
		laras_copy_say_why(err.what);
		return;
	}
	if (laras_masterkey_check(&keys, &laras_copy.keyring, false, &err) &&
		laras_masterkey_wraps(&keys, &laras_copy.keyring, LARAS_DOMAIN_CONTENT, &wraps))
	{
		epoch = laras_copy.keyring.current_epoch;
		set_phase(LARAS_VAULT_OPEN, &wraps);
		laras_wipe(&wraps, sizeof(wraps));
	}
	else
		laras_copy_say_why("the master key is wrong");
	laras_masterkey_wipe(&keys);
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

/* The name at that place of laras.databases, or NULL. */
static char *
database_at(int place)
{
	const char *setting = GetConfigOption("laras.databases", true, false);
	char *copy = pstrdup(setting == NULL ? "" : setting);
	List *names = NIL;

	return SplitIdentifierString(copy, ',', &names) && place < list_length(names)
			   ? (char *) list_nth(names, place)
			   : NULL;
}

void
laras_standby_main(Datum arg)
{
	char *database;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!RecoveryInProgress())
		proc_exit(0); /* a primary, for good */
	database = database_at(DatumGetInt32(arg));
	if (database == NULL)
		proc_exit(0);
	laras_copy.database = MemoryContextStrdup(TopMemoryContext, database);
	BackgroundWorkerInitializeConnection(database, "laras_worker", 0);
	laras_worker_prepare(&standby_spec);
	before_shmem_exit(unpublish, (Datum) 0);
	laras_copy_open();
	for (;;)
	{
		bool promoted = !RecoveryInProgress();
		bool more = false;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (!promoted)
			more = laras_copy_pull();
		if (laras_copy.known && !laras_copy.building)
		{
			if (!laras_copy.published)
				laras_copy_publish();
			apply_replayed(promoted || laras_due(&last_all, ALL_ORDERS_MS));
			if (!promoted)
				settle_phase();
		}
		if (promoted)
			proc_exit(0);
		laras_worker_rest(more ? 0 : PERIOD_MS);
	}
}

void
laras_standby_init(void)
{
	BackgroundWorker worker;

	if (!laras_is_preloaded() || laras_keyring_source == NULL || laras_keyring_source[0] == '\0')
		return;
	for (int place = 0; place < laras_vault_ndatabases(); place++)
	{
		memset(&worker, 0, sizeof(worker));
		snprintf(worker.bgw_name, BGW_MAXLEN, "laras standby %d", place);
		strlcpy(worker.bgw_type, "laras standby", BGW_MAXLEN);
		worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
		worker.bgw_start_time = BgWorkerStart_ConsistentState;
		worker.bgw_restart_time = RESTART_S;
		strlcpy(worker.bgw_library_name, "laras", sizeof(worker.bgw_library_name));
		strlcpy(worker.bgw_function_name, "laras_standby_main", sizeof(worker.bgw_function_name));
		worker.bgw_main_arg = Int32GetDatum(place);
		RegisterBackgroundWorker(&worker);
	}
}
