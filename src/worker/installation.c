/*
 * installation.c
 *		Whose contents these are, read from laras.installation.
 *
 * Invariant: the install script writes one row that names this cluster and
 * database. A dump brings the source's row along, beside it; a copy of the
 * whole database keeps a row that names another one. So the contents are this
 * database's own if and only if there is exactly one row and it names this
 * place. Only resume() brings that about again. The vault worker takes the row
 * away when it finds the contents older than the keyring.
 *
 * A cursor that lies in the future of this cluster's transactions says the
 * same where the row cannot (transaction numbers set back by pg_resetwal).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "utils/snapmgr.h"
#include "vault/vault.h"
#include "worker/installation.h"

LARAS_PLAN(
	came_from_elsewhere,
	"SELECT pg_catalog.count(*) <> 1"
	" OR NOT pg_catalog.bool_and(i.system_identifier = $1 AND i.database_oid = $2)"
	" OR EXISTS (SELECT FROM laras.event_cursor c WHERE pg_catalog.pg_snapshot_xmax(c.position)"
	" > pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()))"
	" FROM laras.installation i",
	INT8OID, INT8OID);

LARAS_PLAN(parked_sends, "SELECT coalesce(pg_catalog.sum(i.parked_sends), 0)::pg_catalog.int8"
						 " FROM laras.installation i");

LARAS_PLAN(any_contents, "SELECT EXISTS (SELECT FROM laras.evidence_entry)"
						 " OR EXISTS (SELECT FROM laras.workspace)"
						 " OR EXISTS (SELECT FROM laras.webhook_event)");

bool
laras_resume_needed(void)
{
	LarasRunAs saved;
	bool needed;

	laras_run_as_owner(&saved);
	laras_spi_open();
	(void) laras_spi_read(&came_from_elsewhere,
						  (Datum[]){Int64GetDatum((int64) GetSystemIdentifier()),
									Int64GetDatum((int64) MyDatabaseId)},
						  NULL);
	needed = laras_spi_bool(0, 1);
	laras_spi_close();
	laras_run_as_end(&saved);
	return needed;
}

bool
laras_keeper_must_wait(void)
{
	bool wait;

	/* what has been committed by now, not by the beginning of the transaction */
	PushActiveSnapshot(GetTransactionSnapshot());
	wait = laras_resume_needed();
	if (!wait && !laras_keyring_is_ours())
	{
		laras_worker_bind_all();
		laras_spi_open();
		(void) laras_spi_read(&any_contents, NULL, NULL);
		wait = laras_spi_bool(0, 1);
		laras_spi_close();
	}
	PopActiveSnapshot();
	return wait;
}

int64
laras_parked_sends(void)
{
	LarasRunAs saved;
	int64 n;

	laras_run_as_owner(&saved);
	laras_spi_open();
	(void) laras_spi_read(&parked_sends, NULL, NULL);
	n = laras_spi_int8(0, 1);
	laras_spi_close();
	laras_run_as_end(&saved);
	return n;
}

void
laras_doctor_resume(LarasDoctorSink *sink)
{
	bool needed = laras_resume_needed();
	int64 parked = laras_parked_sends();

	laras_doctor_row(
		sink, "contents", needed ? "fail" : "ok",
		needed ? "these contents came from another cluster or database, or are older than the "
				 "keyring"
			   : NULL,
		needed ? "Call laras.adopt_keyring() and then laras.resume()." : NULL);
	laras_doctor_row(sink, "parked sends", parked > 0 ? "warn" : "ok",
					 parked > 0 ? psprintf(INT64_FORMAT
										   " messages waited at a restore or a promotion, and "
										   "another server may have sent them",
										   parked)
								: NULL,
					 parked > 0 ? "Call laras.resume(true) where it did not." : NULL);
}
