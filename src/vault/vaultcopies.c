/*
 * vaultcopies.c
 *		Copies of the keyring beside its mirrors: what laras.escrow_keyring() asks,
 *		and the vault worker's writing of them.
 *
 * Invariant: a copy is on record, with the day by which it must be gone, before
 * a byte of it is written, and one that could not be made leaves nothing
 * behind. Its keys are wrapped as they are: without the master key of its time
 * it opens nothing, and with it all that was not destroyed by then.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

LARAS_PLAN(next_copy, "SELECT c.copy_id, c.directory FROM laras.keyring_copy c"
					  " WHERE c.made_at IS NULL AND c.trouble IS NULL AND c.destroyed_at IS NULL"
					  " ORDER BY c.registered_at, c.copy_id LIMIT 1");

LARAS_PLAN(copy_made,
		   "UPDATE laras.keyring_copy SET made_at = laras.now(), oldest_epoch = $2, epoch = $3"
		   " WHERE copy_id = $1",
		   INT8OID, INT4OID, INT4OID);

LARAS_PLAN(copy_failed, "UPDATE laras.keyring_copy SET trouble = $2 WHERE copy_id = $1", INT8OID,
		   TEXTOID);

/* ------------------------------------------------------------------------
 * Asking for one
 * ------------------------------------------------------------------------
 */

void
laras_vault_epochs(int *oldest, int *epoch)
{
	LarasVault *v = laras_vault_here();

	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		laras_vault_raise_closed(v);
	LWLockAcquire(v->lock, LW_SHARED);
	*oldest = v->keyring.oldest_epoch;
	*epoch = v->keyring.current_epoch;
	LWLockRelease(v->lock);
}

/* May keys be written there? Also asked by the worker, who finds it as it is then. */
static bool
check_directory(const char *directory, uint16 number, LarasKeyError *err)
{
	char place[MAXPGPATH];
	struct stat st;

	if (!laras_vault_path_check(directory, err) || !laras_directory_check(directory, err))
	{
		if (err->code == LARAS_KEYERR_ABSENT)
			err->code = LARAS_KEYERR_UNSAFE; /* there is none to be safe */
		return false;
	}
	snprintf(place, sizeof(place), "%s/%u", directory, number);
	if (lstat(place, &st) == 0)
		return laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "a keyring lies there");
	return true;
}

static void
refuse_directory(const LarasKeyError *err)
{
	char text[LARAS_KEYERROR_TEXT];
	bool taken = err->code == LARAS_KEYERR_DISAGREE;

	ereport(ERROR,
			(errcode(taken ? LARAS_ERRCODE_MIRRORS_DISAGREE : LARAS_ERRCODE_KEY_FILE_UNSAFE),
			 errmsg("the keyring cannot be copied to this directory"),
			 errdetail("Reason: %s.", laras_keyerror_text(err, text)),
			 taken ? errhint("A copy is not written over: name a directory that holds no keyring.")
				   : errhint("Make one for it, which only the server's user can enter (mode 0700), "
							 "outside the data directory and its tablespaces.")));
}

void
laras_vault_check_copy(const char *directory, int *oldest, int *epoch)
{
	LarasVault *v = laras_vault_here();
	LarasMirrors *m = palloc(sizeof(LarasMirrors));
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_vault_epochs(oldest, epoch);
	if (directory[0] != '/' || strlen(directory) >= LARAS_MIRROR_PATH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a copy of the keyring is written to an absolute path"),
						errhint("Name a directory of this server that only its user can enter.")));
	if (!laras_mirrors_parse(laras_keyring_mirrors, m, &err))
		laras_vault_raise(&err);
	for (int i = 0; i < m->n; i++)
	{
		if (laras_path_is_inside(directory, m->mirror[i].path))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a copy of the keyring cannot lie in one of its mirrors"),
							errhint("Name a directory on a medium that can be taken away.")));
	}
	pfree(m);
	if (!check_directory(directory, (uint16) v->index, &err))
		refuse_directory(&err);
}

/* ------------------------------------------------------------------------
 * Writing it, in the vault worker
 * ------------------------------------------------------------------------
 */

static bool
write_copy(LarasVaultWork *w, const char *directory, LarasKeyError *err)
{
	LarasMirrorMask in_sync = laras_vault_in_sync(w->v) & w->opened;
	int from = 0;

	if (in_sync == 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror is in sync");
	while ((in_sync & ((LarasMirrorMask) 1 << from)) == 0)
		from++;
	laras_vault_flush_mirrors();
	LARAS_FAULT("copy.before");
	return check_directory(directory, w->number, err) &&
		   laras_keyring_copy(w->m.mirror[from].dirfd, directory, w->number,
							  laras_vault_flush_mirrors, err);
}

void
laras_vault_make_copies(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	char *directory = NULL;
	int64 copy = 0;
	bool any;
	bool made;

	laras_worker_begin("looking for copies to be made");
	laras_spi_open();
	any = laras_spi_read(&next_copy, NULL, NULL) > 0;
	if (any)
	{
		copy = laras_spi_int8(0, 1);
		directory = laras_spi_cstring(0, 2);
	}
	laras_spi_close();
	laras_worker_commit();
	if (!any)
		return;

	/* directory lies in the turn's own memory */
	made = write_copy(w, directory, &err);
	if (!made)
		laras_vault_log(WARNING, &err, "copying the keyring");
	LARAS_FAULT("copy.made");
	laras_worker_begin("noting a copy of the keyring");
	laras_spi_open();
	if (made)
		laras_spi_run_one(&copy_made,
						  (Datum[]){Int64GetDatum(copy), Int32GetDatum(w->v->keyring.oldest_epoch),
									Int32GetDatum(w->v->keyring.current_epoch)},
						  NULL);
	else
		laras_spi_run_one(&copy_failed,
						  (Datum[]){Int64GetDatum(copy),
									CStringGetTextDatum(err.what ? err.what : "unknown failure")},
						  NULL);
	laras_spi_close();
	laras_worker_commit();
}
