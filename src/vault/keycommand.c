/*
 * keycommand.c
 *		Getting the master key: from laras.master_key_command or from
 *		laras.master_key_file; and the courier's private half.
 *
 * Invariant: the master key exists only between fetching and deriving, in this
 * process's stack, and is wiped on every path; settings hold where it is,
 * never what it is. No output of the command reaches a log.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access/xact.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/program.h"
#include "vault/masterkey.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"

#define KEY_COMMAND_TIMEOUT_MS 30000
#define GRACE_MS 2000 /* from closing its output to its end */
/* who looks at doctor() every minute does not run the command every minute */
#define ASK_AGAIN_MS (15 * 60 * 1000)

/* Is the path inside the data directory or a tablespace? */
static bool
path_is_in_database(const char *path)
{
	DIR *dir;
	struct dirent *entry;
	bool inside = laras_path_is_inside(path, DataDir);

	if (inside)
		return true;
	dir = opendir("pg_tblspc");
	if (dir == NULL)
		return false;
	while (!inside && (entry = readdir(dir)) != NULL)
	{
		char tablespace[MAXPGPATH];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(tablespace, sizeof(tablespace), "pg_tblspc/%s", entry->d_name);
		inside = laras_path_is_inside(path, tablespace);
	}
	closedir(dir);
	return inside;
}

bool
laras_vault_path_check(const char *path, LarasKeyError *err)
{
	if (path_is_in_database(path))
		return laras_keyerror(
			err, LARAS_KEYERR_UNSAFE, 0,
			"it lies inside the data directory or a tablespace, so every backup would carry it");
	return true;
}

/* The command with %p replaced and %% halved; false when it does not fit. */
static bool
expand_command(const char *command, const char *purpose, char *out, size_t size)
{
	size_t n = 0;

	for (const char *p = command; *p; p++)
	{
		if (p[0] == '%' && p[1] == 'p')
		{
			if (n + strlen(purpose) >= size)
				return false;
			memcpy(out + n, purpose, strlen(purpose));
			n += strlen(purpose);
			p++;
			continue;
		}
		if (p[0] == '%' && p[1] == '%')
			p++;
		if (n + 1 >= size)
			return false;
		out[n++] = *p;
	}
	out[n] = '\0';
	return true;
}

static bool
interrupted(void *arg)
{
	return ProcDiePending || QueryCancelPending;
}

/*
 * Run the command, read what it prints, and leave no process of it behind. Its
 * standard error goes to the server's.
 */
static bool
run_command(const char *purpose, LarasMasterKeys *keys, LarasKeyError *err)
{
	static LarasProgram program = LARAS_PROGRAM_NONE;
	char command[4096];
	char *const argv[] = {"/bin/sh", "-c", command, NULL};
	bool ok;
	bool cut_short;

	if (!expand_command(laras_master_key_command, purpose, command, sizeof(command)))
		return laras_keyerror(err, LARAS_KEYERR_COMMAND, 0, "the command is too long");
	if (!laras_program_start(&program, argv, false))
		return laras_keyerror(err, LARAS_KEYERR_COMMAND, errno, "starting the command");
	ok = laras_masterkey_read_fd(program.out, KEY_COMMAND_TIMEOUT_MS, interrupted, NULL, keys, err);
	/* it closed its output; give it a moment to end by itself */
	cut_short = !ok && err->code == LARAS_KEYERR_COMMAND;
	if (laras_program_stop(&program, cut_short ? 0 : GRACE_MS) && WIFEXITED(program.status) &&
		WEXITSTATUS(program.status) == 0)
		return ok;
	/* that it failed says more than that what it printed is no key */
	if (!cut_short)
	{
		laras_masterkey_wipe(keys);
		return laras_keyerror(err, LARAS_KEYERR_COMMAND, 0, "the command ended with a failure");
	}
	return ok;
}

bool
laras_fetch_master_keys(const char *purpose, LarasMasterKeys *keys, LarasKeyError *err)
{
	if (laras_master_key_command != NULL && laras_master_key_command[0])
		return run_command(purpose, keys, err);
	if (laras_master_key_file == NULL || laras_master_key_file[0] == '\0')
		return laras_keyerror(err, LARAS_KEYERR_CLOSED, 0,
							  "neither laras.master_key_file nor laras.master_key_command is set");
	if (!laras_vault_path_check(laras_master_key_file, err))
		return false;
	return laras_masterkey_read_file(laras_master_key_file, keys, err);
}

bool
laras_master_key_check_source(LarasVault *v, LarasKeyError *err)
{
	bool command = laras_master_key_command != NULL && laras_master_key_command[0] != '\0';
	LarasMasterKeys keys;
	LarasKeyring k;
	bool known;
	bool ok;

	LWLockAcquire(v->lock, LW_SHARED);
	k = v->keyring;
	known = command && v->source_at != 0 &&
			!TimestampDifferenceExceeds(v->source_at, GetCurrentTimestamp(), ASK_AGAIN_MS);
	*err = v->source;
	LWLockRelease(v->lock);
	if (known)
		return err->code == LARAS_KEYERR_NONE;
	*err = (LarasKeyError) LARAS_KEYERROR_INIT;
	ok = laras_fetch_master_keys("content", &keys, err);
	if (ok)
	{
		ok = laras_masterkey_check(&keys, &k, false, err);
		laras_masterkey_wipe(&keys);
	}
	CHECK_FOR_INTERRUPTS();
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->source_at = command ? GetCurrentTimestamp() : 0;
	v->source = *err;
	LWLockRelease(v->lock);
	return ok;
}

bool
laras_master_key_is_given(int epoch)
{
	LarasMasterKeys keys;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool given;

	if (!laras_fetch_master_keys("content", &keys, &err))
	{
		CHECK_FOR_INTERRUPTS();
		laras_vault_raise(&err);
	}
	given =
		epoch >= 0 && epoch <= PG_UINT16_MAX && laras_masterkey_find(&keys, (uint16) epoch) != NULL;
	laras_masterkey_wipe(&keys);
	return given;
}

/* ------------------------------------------------------------------------
 * The courier's private seed
 * ------------------------------------------------------------------------
 */

/* a page of its own: locked, in no core file, wiped in a forked child */
static uint8 *seed_page = NULL;
static LarasVault *seed_vault = NULL; /* NULL: no seed */
static uint8 seed_keyring[LARAS_UUID_LEN];
static uint16 seed_epoch = 0;
static LarasKeyErrorCode seed_logged = LARAS_KEYERR_NONE;

/* Is the seed in the page that of the open keyring, under its epoch? */
static bool
have_seed(LarasVault *v)
{
	return seed_vault == v && laras_vault_phase(v) == LARAS_VAULT_OPEN &&
		   seed_epoch == v->keyring.current_epoch &&
		   memcmp(seed_keyring, v->keyring.uuid, LARAS_UUID_LEN) == 0;
}

static bool
fail_unlock(const LarasKeyError *err)
{
	if (seed_logged != err->code)
	{
		laras_vault_log(WARNING, err, "unlocking the courier");
		seed_logged = err->code;
	}
	return false;
}

bool
laras_courier_unlock(void)
{
	LarasVault *v = laras_vault_here();
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrors *m;
	LarasMirrorMask usable;
	LarasMirrorMask repair = 0;
	LarasKeyring k;
	LarasMasterKeys keys;
	LarasWrapSet wraps;
	LarasSlotState state;
	bool ok;

	if (v == NULL || laras_vault_phase(v) != LARAS_VAULT_OPEN)
		return false;
	if (have_seed(v))
		return true;
	seed_vault = NULL;
	if (seed_page == NULL)
	{
		seed_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (seed_page == MAP_FAILED)
		{
			seed_page = NULL;
			laras_keyerror(&err, LARAS_KEYERR_CRYPTO, errno, "mapping a page");
			return fail_unlock(&err);
		}
		(void) madvise(seed_page, 4096, MADV_DONTDUMP);
		(void) madvise(seed_page, 4096, MADV_WIPEONFORK);
		(void) mlock(seed_page, 4096);
	}
	m = laras_vault_mirrors_noraise(v, &usable, &err);
	if (m == NULL)
		return fail_unlock(&err);
	LWLockAcquire(v->lock, LW_SHARED);
	k = v->keyring;
	LWLockRelease(v->lock);
	if (!laras_fetch_master_keys("courier", &keys, &err))
		return fail_unlock(&err);
	ok = laras_masterkey_check(&keys, &k, false, &err) &&
		 laras_masterkey_wraps(&keys, &k, LARAS_DOMAIN_COURIER, &wraps);
	laras_masterkey_wipe(&keys);
	if (!ok)
		return fail_unlock(&err);
	state = laras_mirrors_read(m, usable, LARAS_SLOT_COURIER, &wraps, LARAS_DOMAIN_COURIER,
							   seed_page, &repair, &err);
	laras_wipe(&wraps, sizeof(wraps));
	if (state != LARAS_SLOT_LIVE)
	{
		if (err.code == LARAS_KEYERR_NONE)
			laras_keyerror(&err, LARAS_KEYERR_DAMAGED, 0, "the courier's seed");
		return fail_unlock(&err);
	}
	seed_logged = LARAS_KEYERR_NONE;
	memcpy(seed_keyring, k.uuid, LARAS_UUID_LEN);
	seed_epoch = k.current_epoch;
	seed_vault = v;
	return true;
}

const uint8 *
laras_courier_seed(LarasVault *v)
{
	if (!have_seed(v))
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		laras_keyerror(&err, LARAS_KEYERR_CLOSED, 0,
					   "the courier's key is not unlocked in this process");
		laras_vault_raise(&err);
	}
	return seed_page;
}
