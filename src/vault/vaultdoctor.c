/*
 * vaultdoctor.c
 *		What laras.doctor() says about keys: the keyring, its mirrors, and the
 *		places where revealed text could stay behind.
 */
#include "postgres.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"

#define TMPFS 0x01021994
#define DOCTOR_PATIENCE_MS 3000
#define STANDBY_SILENT_MS 60000

LARAS_PLAN(dependents, "SELECT pg_catalog.count(*) FROM laras.reveal_dependents");

LARAS_PLAN(
	last_scrub,
	"SELECT s.damaged + s.absent, s.started_at < laras.now() - '50 hours'::pg_catalog.interval"
	" FROM laras.keyring_scrub s ORDER BY s.started_at DESC LIMIT 1");

LARAS_PLAN(old_epochs,
		   "SELECT pg_catalog.count(*) FILTER (WHERE e.retired_at IS NULL AND e.began_at"
		   " < laras.now() - pg_catalog.make_interval(days => $1)),"
		   " pg_catalog.count(*) FILTER (WHERE e.destroyed_at IS NULL AND e.retired_at"
		   " < laras.now() - pg_catalog.make_interval(days => $1)) FROM laras.master_key_epoch e",
		   INT4OID);

LARAS_PLAN(late_copies,
		   "SELECT pg_catalog.count(*) FROM laras.keyring_copies c WHERE c.state = 'expired'");

/* Copies of the keyring that should be gone. */
static void
check_copies(LarasDoctorSink *sink)
{
	LarasRunAs saved;
	int64 late;

	laras_run_as_owner(&saved);
	laras_spi_open();
	(void) laras_spi_read(&late_copies, NULL, NULL);
	late = laras_spi_int8(0, 1);
	laras_spi_close();
	laras_run_as_end(&saved);
	laras_doctor_row(
		sink, "keyring copies", late > 0 ? "warn" : "ok",
		late > 0
			? psprintf(INT64_FORMAT " are past their time and not confirmed to be destroyed", late)
			: NULL,
		late > 0
			? "Destroy them and call laras.confirm_keyring_copy_destroyed(), or the master key "
			  "of their epoch; see laras.keyring_copies."
			: NULL);
}

/* Epochs that are in use, or undestroyed, for too long. */
static void
check_epochs(LarasDoctorSink *sink)
{
	LarasRunAs saved;
	int64 in_use;
	int64 kept;

	laras_run_as_owner(&saved);
	laras_spi_open();
	(void) laras_spi_read(&old_epochs, (Datum[]){Int32GetDatum(laras_master_key_max_age)}, NULL);
	in_use = laras_spi_int8(0, 1);
	kept = laras_spi_int8(0, 2);
	laras_spi_close();
	laras_run_as_end(&saved);
	if (in_use > 0)
		laras_doctor_row(sink, "master key", "warn",
						 "it is in use for longer than laras.master_key_max_age",
						 "Give the key store a next epoch and call laras.rotate_master_key().");
	else if (kept > 0)
		laras_doctor_row(sink, "master key", "warn",
						 "a retired epoch is not confirmed to be destroyed",
						 "Destroy it in its store and call laras.confirm_master_key_destroyed().");
	else
		laras_doctor_row(sink, "master key", "ok", NULL, NULL);
}

/*
 * The vault is open: would it open again? The key is in memory, and nobody would
 * notice that its line is gone before the next start.
 */
static void
check_source(LarasDoctorSink *sink, LarasVault *v)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	char text[LARAS_KEYERROR_TEXT];

	if (laras_master_key_check_source(v, &err))
		laras_doctor_row(sink, "master key source", "ok", NULL, NULL);
	else
		laras_doctor_row(
			sink, "master key source", "fail",
			psprintf("the vault would not open again: %s", laras_keyerror_text(&err, text)),
			"Put laras.master_key_file or the store behind laras.master_key_command right before the server is restarted.");
}

/* What the last look at every key found. */
static void
check_scrub(LarasDoctorSink *sink)
{
	LarasRunAs saved;
	int64 lost = 0;
	bool old = false;

	laras_run_as_owner(&saved);
	laras_spi_open();
	if (laras_spi_read(&last_scrub, NULL, NULL) > 0)
	{
		lost = laras_spi_int8(0, 1);
		old = laras_spi_bool(0, 2);
	}
	laras_spi_close();
	laras_run_as_end(&saved);
	if (lost > 0)
		laras_doctor_row(sink, "keyring scrub", "fail",
						 psprintf(INT64_FORMAT " keys are damaged or absent in every mirror", lost),
						 "Put back a copy of the mirror that holds them. Nothing was erased.");
	else if (old && laras_keyring_scrub_hour >= 0)
		laras_doctor_row(sink, "keyring scrub", "warn",
						 "no scrub of the keyring has ended for two days",
						 "See laras.progress_scrub and laras.worker_status.");
	else
		laras_doctor_row(sink, "keyring scrub", "ok", NULL, NULL);
}

static void
check_keyring(LarasDoctorSink *sink, LarasVault *v)
{
	char why[sizeof(v->why_text)];

	LWLockAcquire(v->lock, LW_SHARED);
	strlcpy(why, v->why_text, sizeof(why));
	LWLockRelease(v->lock);
	switch (laras_vault_phase(v))
	{
		case LARAS_VAULT_OPEN:
			laras_doctor_row(sink, "keyring", "ok", NULL, NULL);
			break;
		case LARAS_VAULT_REPLAYING:
			laras_doctor_row(sink, "keyring", "warn", "pending destructions are being applied",
							 NULL);
			break;
		case LARAS_VAULT_CLOSED:
			laras_doctor_row(
				sink, "keyring", "fail", psprintf("the vault is closed: %s", why),
				"Check laras.keyring_directory, laras.master_key_file and laras.master_key_command.");
			break;
	}
}

/* Could a machine that is set back as a whole be told from this one? */
static void
check_witness(LarasDoctorSink *sink, LarasVault *v)
{
	LarasWitness *witness = palloc0(sizeof(LarasWitness));
	const char *trouble = NULL;
	LarasWitnessState state =
		laras_witness_read == NULL
			? LARAS_WITNESS_NOT_KEPT
			: laras_witness_read(v->keyring.uuid, DOCTOR_PATIENCE_MS, witness, &trouble);

	switch (state)
	{
		case LARAS_WITNESS_NOT_KEPT:
			laras_doctor_row(
				sink, "checkpoint directory", "warn", "checkpoints are kept in this database alone",
				"Set laras.checkpoint_directory to a place that no backup or snapshot of this machine takes along: only there it shows that all of it was set back.");
			break;
		case LARAS_WITNESS_UNREADABLE:
		case LARAS_WITNESS_AWAITED:
			laras_doctor_row(sink, "checkpoint directory", "fail", trouble,
							 "Put it right; until then nothing is written to it.");
			break;
		case LARAS_WITNESS_NONE:
			laras_doctor_row(sink, "checkpoint directory", "warn",
							 "it holds no checkpoint of this keyring yet",
							 "One is written when the evidence log is next signed.");
			break;
		case LARAS_WITNESS_FOUND:
			if (witness->seq > pg_atomic_read_u64(&v->journal_last))
				laras_doctor_row(
					sink, "checkpoint directory", "fail",
					"its newest checkpoint is ahead of this keyring's journal",
					"The keyring comes from an older copy; see docs/how-to/restore.md.");
			else
				laras_doctor_row(sink, "checkpoint directory", "ok", NULL, NULL);
			break;
	}
	pfree(witness);
}

static void
check_mirrors(LarasDoctorSink *sink, LarasVault *v)
{
	LarasMirrors *m = palloc(sizeof(LarasMirrors));
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint64 pending = pg_atomic_read_u64(&v->pending_orders);
	bool cached = false;
	bool together = false;
	struct stat st[LARAS_MAX_MIRRORS];
	bool there[LARAS_MAX_MIRRORS];
	int in_sync = 0;
	int mirrors = 0; /* that were not removed */

	for (int i = 0; i < v->nmirrors; i++)
	{
		if (pg_atomic_read_u32(&v->mirror[i].state) == LARAS_MIRROR_IN_SYNC)
			in_sync++;
		if (pg_atomic_read_u32(&v->mirror[i].state) != LARAS_MIRROR_REMOVED)
			mirrors++;
		if (pg_atomic_read_u32(&v->mirror[i].direct) == 2)
			cached = true;
	}
	if (in_sync < mirrors)
		laras_doctor_row(sink, "keyring mirrors", "fail",
						 psprintf("%d of %d mirrors are in sync", in_sync, mirrors),
						 "See laras.keyring_status. Destructions stay pending for the others.");
	else if (mirrors < 2)
		laras_doctor_row(sink, "keyring mirrors", laras_single_mirror ? "warn" : "fail",
						 "there is one mirror",
						 "Name a second one on another failure domain in laras.keyring_directory.");
	else
		laras_doctor_row(sink, "keyring mirrors", "ok", NULL, NULL);

	if (laras_keyring_mirrors != NULL && laras_mirrors_parse(laras_keyring_mirrors, m, &err))
	{
		for (int i = 0; i < m->n; i++)
		{
			there[i] = stat(m->mirror[i].path, &st[i]) == 0;
			for (int j = 0; j < i; j++)
			{
				if (there[i] && there[j] && st[i].st_dev == st[j].st_dev)
					together = true;
			}
		}
	}
	laras_doctor_row(sink, "keyring failure domains", together || mirrors < 2 ? "warn" : "ok",
					 mirrors < 2 ? "every key lies on one file system"
					 : together  ? "two mirrors lie on one file system"
								 : NULL,
					 mirrors < 2 || together ? "One broken disk would lose every key." : NULL);
	laras_doctor_row(
		sink, "key destructions", pending > 0 ? "warn" : "ok",
		pending > 0 ? psprintf(UINT64_FORMAT " are not yet read back from every mirror", pending)
					: NULL,
		pending > 0 ? "They are repeated until they are; see laras.key_destruction." : NULL);
	if (cached)
		laras_doctor_row(
			sink, "key read-back", "warn",
			"a mirror's file system refuses O_DIRECT, so marks are read back past the cache only as far as it allows",
			NULL);
	pfree(m);
}

/*
 * A standby that no longer asks holds the keyring as it was: what was destroyed
 * since opens there, and once the master key of its epoch is gone, nothing does.
 */
static void
check_standbys(LarasDoctorSink *sink, LarasVault *v)
{
	TimestampTz now = GetCurrentTimestamp();
	char name[LARAS_MIRROR_NAME] = "";
	TimestampTz since = 0;
	int silent = 0;

	LWLockAcquire(v->lock, LW_SHARED);
	for (int i = 0; i < LARAS_VAULT_STANDBYS; i++)
	{
		if (v->standby[i].name[0] == '\0' ||
			!TimestampDifferenceExceeds(v->standby[i].seen_at, now, STANDBY_SILENT_MS))
			continue;
		if (silent++ == 0 || v->standby[i].seen_at < since)
		{
			strlcpy(name, v->standby[i].name, sizeof(name));
			since = v->standby[i].seen_at;
		}
	}
	LWLockRelease(v->lock);
	laras_doctor_row(
		sink, "keyring standbys", silent > 0 ? "warn" : "ok",
		silent == 0 ? NULL
					: psprintf("%d no longer pull the keyring, \"%s\" since %s", silent, name,
							   timestamptz_to_str(since)),
		silent == 0
			? NULL
			: "Bring it back or remove its mirrors; until then destroy no retired master key. See laras.keyring_standbys and docs/how-to/failover.md.");
}

/* Where text that was revealed could outlive its key. */
static void
check_remains(LarasDoctorSink *sink)
{
	struct rlimit core;
	struct statfs fs;
	FILE *swaps = AllocateFile("/proc/swaps", "r");
	char line[256];
	int lines = 0;
	int64 stored;

	if (swaps != NULL)
	{
		while (fgets(line, sizeof(line), swaps) != NULL)
			lines++;
		FreeFile(swaps);
	}
	laras_doctor_row(sink, "swap", lines > 1 ? "warn" : "ok",
					 lines > 1 ? "revealed text in memory can be swapped out" : NULL,
					 lines > 1 ? "Run without swap, or encrypt it with a throw-away key." : NULL);
	if (getrlimit(RLIMIT_CORE, &core) == 0)
		laras_doctor_row(sink, "core files", core.rlim_cur > 0 ? "warn" : "ok",
						 core.rlim_cur > 0 ? "a crash may write revealed text to a core file"
										   : NULL,
						 core.rlim_cur > 0 ? "Start the server with ulimit -c 0." : NULL);
	PrepareTempTablespaces();
	if (!OidIsValid(GetNextTempTableSpace()) && statfs("base", &fs) == 0 && fs.f_type != TMPFS)
		laras_doctor_row(
			sink, "temporary files", "warn",
			"sorts over revealed text spill into the data directory in clear",
			"Set temp_tablespaces to one on tmpfs or on a volume with a throw-away key.");
	else
		laras_doctor_row(sink, "temporary files", "ok", NULL, NULL);

	laras_spi_open();
	(void) laras_spi_read(&dependents, NULL, NULL);
	stored = laras_spi_int8(0, 1);
	laras_spi_close();
	laras_doctor_row(sink, "stored text", stored > 0 ? "fail" : "ok",
					 stored > 0
						 ? psprintf(INT64_FORMAT " objects store what laras.reveal gives", stored)
						 : NULL,
					 stored > 0 ? "See laras.reveal_dependents." : NULL);
}

void
laras_doctor_vault(LarasDoctorSink *sink)
{
	LarasVault *v = laras_vault_here();

	if (v == NULL)
		laras_doctor_row(sink, "keyring", "fail", "no vault worker has started for this database",
						 "Name the database in laras.databases; see laras.worker_status.");
	else
	{
		check_keyring(sink, v);
		if (laras_vault_phase(v) == LARAS_VAULT_OPEN)
			check_source(sink, v);
		if (pg_atomic_read_u32(&v->known) != 0)
		{
			check_mirrors(sink, v);
			check_witness(sink, v);
			check_standbys(sink, v);
		}
		check_scrub(sink);
		check_epochs(sink);
		check_copies(sink);
	}
	check_remains(sink);
}
