/*
 * vaultepochs.c
 *		Epochs of the master key on record: in the database, and in the keyring's
 *		own journal.
 *
 * That a master key is destroyed is written down by a person in the database,
 * and by the vault worker in the journal. Contents that are older than that, a
 * dump restored beside the keyring, take it from the journal again.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/spi.h"
#include "vault/bytes.h"
#include "vault/journal.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

LARAS_PLAN(epoch_begins,
		   "INSERT INTO laras.master_key_epoch (epoch, began_at) VALUES ($1, laras.now())"
		   " ON CONFLICT (epoch) DO NOTHING",
		   INT4OID);

LARAS_PLAN(epochs_retired,
		   "UPDATE laras.master_key_epoch e SET retired_at = laras.now()"
		   " WHERE e.epoch < $1 AND e.retired_at IS NULL",
		   INT4OID);

LARAS_PLAN(destroyed_epochs,
		   "SELECT e.epoch FROM laras.master_key_epoch e WHERE e.destroyed_at IS NOT NULL"
		   " AND e.journalled_at IS NULL ORDER BY e.epoch");

LARAS_PLAN(epoch_journalled,
		   "UPDATE laras.master_key_epoch e SET journalled_at = pg_catalog.clock_timestamp()"
		   " WHERE e.epoch = $1",
		   INT4OID);

LARAS_PLAN(
	epochs_ended,
	"INSERT INTO laras.master_key_epoch AS e (epoch, began_at, retired_at, destroyed_at, reference, journalled_at)"
	" SELECT u.epoch, u.at, u.at, u.at, 'journal of the keyring', u.at FROM unnest($1, $2) AS u (epoch, at)"
	" ON CONFLICT (epoch) DO UPDATE SET retired_at = coalesce(e.retired_at, excluded.retired_at),"
	" destroyed_at = excluded.destroyed_at, reference = excluded.reference,"
	" journalled_at = excluded.journalled_at WHERE e.destroyed_at IS NULL",
	INT4ARRAYOID, TIMESTAMPTZARRAYOID);

void
laras_vault_epoch_ended(const LarasJournalRecord *rec)
{
	LarasVaultWork *w = &laras_vault_work;

	if (w->nended == w->ended_room)
	{
		w->ended_room = Max(8, 2 * w->ended_room);
		w->ended = w->ended == NULL
					   ? MemoryContextAlloc(TopMemoryContext, sizeof(LarasEnded) * w->ended_room)
					   : repalloc(w->ended, sizeof(LarasEnded) * w->ended_room);
	}
	w->ended[w->nended].epoch = laras_get16(rec->order);
	w->ended[w->nended++].time = rec->time;
}

/* What the journal had when it was opened, where the contents are older. Inside SPI. */
static void
take_from_journal(void)
{
	LarasVaultWork *w = &laras_vault_work;
	Datum *epochs = SPI_palloc(sizeof(Datum) * (w->nended + 1));
	Datum *times = SPI_palloc(sizeof(Datum) * (w->nended + 1));
	int n = 0;

	for (int i = 0; i < w->nended; i++)
	{
		bool again = false;

		for (int k = 0; k < i; k++)
			again |= w->ended[k].epoch == w->ended[i].epoch;
		if (again)
			continue;
		epochs[n] = Int32GetDatum(w->ended[i].epoch);
		times[n++] = TimestampTzGetDatum(
			w->ended[i].time - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	}
	if (n > 0 &&
		laras_spi_run(&epochs_ended,
					  (Datum[]){PointerGetDatum(
									construct_array(epochs, n, INT4OID, 4, true, TYPALIGN_INT)),
								PointerGetDatum(construct_array(times, n, TIMESTAMPTZOID, 8, true,
																TYPALIGN_DOUBLE))},
					  NULL) > 0)
		ereport(LOG, (errmsg("laras vault: the keyring's journal knows of destroyed master keys "
							 "that these contents did not")));
	w->nended = 0;
}

void
laras_vault_note_epoch(void)
{
	LarasVault *v = laras_vault_work.v;

	laras_worker_begin("noting the master key's epoch");
	laras_spi_open();
	(void) laras_spi_run(&epoch_begins, (Datum[]){Int32GetDatum((int32) v->keyring.current_epoch)},
						 NULL);
	(void) laras_spi_run(&epochs_retired, (Datum[]){Int32GetDatum((int32) v->keyring.oldest_epoch)},
						 NULL);
	take_from_journal();
	laras_spi_close();
	laras_worker_commit();
}

bool
laras_vault_journal_epoch(uint8 kind, uint16 epoch)
{
	uint8 order[LARAS_ORDER_LEN] = {0};

	laras_put16(order, epoch);
	return laras_vault_journal(kind, order);
}

void
laras_vault_journal_epochs(void)
{
	uint64 n;
	int32 *epochs;

	laras_worker_begin("looking for destroyed master keys");
	laras_spi_open();
	n = laras_spi_read(&destroyed_epochs, NULL, NULL);
	epochs = SPI_palloc(sizeof(int32) * (n + 1));
	for (uint64 i = 0; i < n; i++)
		epochs[i] = laras_spi_int4(i, 1);
	laras_spi_close();
	laras_worker_commit();
	for (uint64 i = 0; i < n; i++)
	{
		if (!laras_vault_journal_epoch(LARAS_JOURNAL_EPOCH_DESTROYED, (uint16) epochs[i]))
			return;
		laras_worker_begin("noting a destroyed master key");
		laras_spi_open();
		(void) laras_spi_run(&epoch_journalled, (Datum[]){Int32GetDatum(epochs[i])}, NULL);
		laras_spi_close();
		laras_worker_commit();
	}
}
