/*
 * vaultwitness.c
 *		What the database knows of the lease, and the lease raised to it where
 *		every mirror is older than the database.
 *
 * Invariant: the row of laras.keyring_mark names the end of a lease before a
 * slot of that lease is handed out. Its commit comes before every commit that
 * uses the slot, in the log and in every snapshot, so whatever state a database
 * is restored to, no slot that it knows lies beyond what it witnesses. So the
 * worker's commit need not wait for a disk or a standby.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define SLABS_OF_WINDOW (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)

LARAS_PLAN(read_witness, "SELECT k.leased FROM laras.keyring_mark k WHERE k.id = 1");

LARAS_PLAN(
	write_witness,
	"INSERT INTO laras.keyring_mark AS k (id, keyring, timeline, sweep_from, reason, marked_at, leased)"
	" VALUES (1, $1, $2, 0, 'start', pg_catalog.clock_timestamp(), $3)"
	" ON CONFLICT (id) DO UPDATE SET leased = $3 WHERE k.leased < $3",
	UUIDOID, INT8OID, INT8OID);

/* The last window that any row names, and then the slots of it. */
LARAS_PLAN(last_slot, "SELECT greatest((SELECT pg_catalog.max(k.slot) FROM laras.key_owner k),"
					  " (SELECT pg_catalog.max(d.slot) FROM laras.key_destruction d), 0)");

LARAS_PLAN(slots_from,
		   "SELECT k.slot FROM laras.key_owner k WHERE k.slot >= $1"
		   " UNION SELECT d.slot FROM laras.key_destruction d WHERE d.slot >= $1",
		   INT8OID);

void
laras_vault_note_lease(uint64 next_position)
{
	pg_uuid_t keyring;

	memcpy(keyring.data, laras_vault_work.v->keyring.uuid, UUID_LEN);
	laras_vault_begin("noting the lease");
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	laras_spi_open();
	(void) laras_spi_run(&write_witness,
						 (Datum[]){UUIDPGetDatum(&keyring),
								   Int64GetDatum((int64) GetWALInsertionTimeLine()),
								   Int64GetDatum((int64) next_position)},
						 NULL);
	laras_spi_close();
	laras_worker_commit();
}

/*
 * The first position that no row of the database names: for databases that
 * were written before the lease was noted in them. A transaction is open.
 */
static uint64
named_positions(LarasVault *v)
{
	uint64 end = 0;
	uint64 n;
	int64 last;

	(void) laras_spi_read(&last_slot, NULL, NULL);
	last = laras_spi_int8(0, 1);
	if (last < LARAS_SLOT_FIRST_LEASED)
		return 0;
	n = laras_spi_read(&slots_from,
					   (Datum[]){
						   Int64GetDatum(last / LARAS_SLOT_FIRST_LEASED * LARAS_SLOT_FIRST_LEASED)},
					   NULL);
	for (uint64 i = 0; i < n; i++)
	{
		uint64 position;

		if (laras_slot_position(v->keyring.uuid, (uint32) laras_spi_int8(i, 1), &position))
			end = Max(end, position + 1);
	}
	return end;
}

/* Does some mirror hold every slab of this window? */
static bool
window_is_whole(LarasVault *v, uint64 window)
{
	uint32 first = (uint32) (window + 1) * SLABS_OF_WINDOW;

	for (uint32 number = first; number < first + SLABS_OF_WINDOW; number++)
	{
		if (pg_atomic_read_u32(&v->slabs[number].present) == 0)
			return false;
	}
	return true;
}

/* Write the lease to every mirror; those that fail are put aside. */
static void
write_lease(LarasVaultWork *w, uint64 next_position)
{
	LarasVault *v = w->v;
	LarasMirrorMask mask = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask done;
	LarasLease lease = w->lease;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	lease.next_position = next_position;
	LARAS_FAULT("lease.raise");
	done = laras_mirrors_lease(&w->m, mask, &lease, &err);
	if (!laras_keep_in_sync(w, mask, done, &err))
		laras_vault_raise(&err);
	w->lease = lease;
	w->lease_at_open = next_position;
	SpinLockAcquire(&v->lease_lock);
	v->lease_next = v->lease_until = next_position;
	SpinLockRelease(&v->lease_lock);
}

void
laras_vault_raise_lease(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	uint64 had = w->lease.next_position;
	uint64 known = 0;
	uint64 next;
	uint64 windows;
	uint64 limit = v->max_slots / LARAS_SLOT_FIRST_LEASED - 1;

	laras_vault_begin("comparing the lease with the database");
	laras_spi_open();
	if (laras_spi_read(&read_witness, NULL, NULL) > 0)
		known = (uint64) laras_spi_int8(0, 1);
	if (known == 0)
		known = named_positions(v);
	laras_spi_close();
	laras_worker_commit();

	/* slabs made since the copy are lost: nothing may be made in their place */
	next = Max(known, had);
	windows = Min((next + LARAS_SLOT_FIRST_LEASED - 1) / LARAS_SLOT_FIRST_LEASED, limit);
	if (pg_atomic_read_u32(&v->slabs_made) < windows * SLABS_OF_WINDOW)
		pg_atomic_write_u32(&v->slabs_made, (uint32) windows * SLABS_OF_WINDOW);

	/* nor is a key handed out of a window where some are out of reach */
	windows = pg_atomic_read_u32(&v->slabs_made) / SLABS_OF_WINDOW;
	while (next / LARAS_SLOT_FIRST_LEASED < windows &&
		   !window_is_whole(v, next / LARAS_SLOT_FIRST_LEASED))
		next = (next / LARAS_SLOT_FIRST_LEASED + 1) * LARAS_SLOT_FIRST_LEASED;
	if (next == had)
		return;
	write_lease(w, next);
	if (known > had)
		ereport(WARNING,
				(errcode(LARAS_ERRCODE_KEYRING_OLD),
				 errmsg("every mirror of the keyring is older than this database"),
				 errdetail("Their lease ended at " UINT64_FORMAT
						   "; this database has used keys up to " UINT64_FORMAT ".",
						   had, known),
				 errhint(
					 "What was sealed under keys that the mirrors lack stays out of reach until "
					 "a newer copy of a mirror is put back.")));
	else
		ereport(LOG, (errmsg("laras vault: keys are handed out from position " UINT64_FORMAT
							 " on, since slabs before it are lost",
							 next)));
}
