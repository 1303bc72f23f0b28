/*
 * vaultsettings.c
 *		The vault's settings, and where its mirrors lie.
 *
 * No setting ever holds a secret: the master key comes from a file or from a
 * command's output. Paths and the command are shown to superusers alone.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "vault/vault.h"
#include "vault/standby.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

char *laras_keyring_mirrors = NULL;
int laras_keyring_max_slots = 16 * 1024 * 1024;
int laras_keyring_slabs_ahead = 64;
bool laras_single_mirror = false;
char *laras_master_key_file = NULL;
char *laras_master_key_command = NULL;
int laras_mirror_timeout = 2000;
int laras_intake_key_horizon = 72 * 60;
bool laras_standby_reveal = false;
int laras_keyring_scrub_hour = 3;
int laras_master_key_max_age = 21;

static bool
check_keyring_directory(char **newval, void **extra, GucSource source)
{
	LarasMirrors *m;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool ok;

	if (*newval == NULL || **newval == '\0')
		return true;
	m = palloc(sizeof(LarasMirrors));
	ok = laras_mirrors_parse(*newval, m, &err);
	pfree(m);
	if (!ok)
		GUC_check_errdetail("The list must look like \"name=/path, name=/path\": %s.",
							err.what ? err.what : "it does not");
	return ok;
}

int
laras_vault_ndatabases(void)
{
	const char *list = GetConfigOption("laras.databases", true, false);
	char *copy;
	List *names = NIL;
	int n;

	if (list == NULL || *list == '\0')
		return 1;
	copy = pstrdup(list);
	if (!SplitIdentifierString(copy, ',', &names))
		n = 1;
	else
		n = Max(1, list_length(names));
	list_free(names);
	pfree(copy);
	return n;
}

void
laras_vault_init(void)
{
	DefineCustomIntVariable("laras.intake_key_horizon",
							"Age at which the key of an hour's raw webhook bodies is destroyed.",
							"By the product's clock; at most 7 days.", &laras_intake_key_horizon,
							72 * 60, 60, 7 * 24 * 60, PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"laras.keyring_directory",
		"Directories of the keyring's mirrors, as \"name=path, name=path\".",
		"Each holds one numbered directory for every database. They must lie outside the data directory, on different failure domains.",
		&laras_keyring_mirrors, "", laras_guc_context(PGC_POSTMASTER), GUC_SUPERUSER_ONLY,
		check_keyring_directory, NULL, NULL);
	DefineCustomIntVariable("laras.keyring_max_slots",
							"Slots a keyring can hold; sets the size of the shared bits.",
							"Two bits of shared memory for each slot and database.",
							&laras_keyring_max_slots, 16 * 1024 * 1024, 4 * LARAS_SLOT_FIRST_LEASED,
							1024 * 1024 * 1024, laras_guc_context(PGC_POSTMASTER), 0, NULL, NULL,
							NULL);
	DefineCustomIntVariable(
		"laras.keyring_scrub_hour",
		"Hour of the day at which every key in every mirror is looked at; -1: never by itself.",
		"In the server's time zone. See laras.progress_scrub and laras.scrub_keyring().",
		&laras_keyring_scrub_hour, 3, -1, 23, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"laras.keyring_slabs_ahead",
		"Slabs of unused slots that the vault worker keeps ready at least.",
		"A slab holds 4,096 slots in 260 kB a mirror; sixteen slabs make one window of the lease.",
		&laras_keyring_slabs_ahead, 64, 16, 65536, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"laras.keyring_source",
		"Connection string of the primary from which a standby pulls the keyring.",
		"As laras_standby, over TLS, for each database by its own name; passwords belong into a password file. Empty: a standby pulls none. Ignored on a primary.",
		&laras_keyring_source, "", laras_guc_context(PGC_POSTMASTER), GUC_SUPERUSER_ONLY, NULL,
		NULL, NULL);
	DefineCustomStringVariable(
		"laras.master_key_command",
		"Shell command that prints the master key's lines; %p is content, courier or rotate.",
		"Run by the vault worker, by the courier, and at most every 15 minutes for doctor(); it has 30 seconds.",
		&laras_master_key_command, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"laras.master_key_file",
		"File that holds the master key: one line \"<epoch> <64 hex digits>\" for each epoch.",
		"Mode 0400, outside the data directory. Ignored where laras.master_key_command is set.",
		&laras_master_key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("laras.master_key_max_age",
							"Days after which doctor() asks for a new epoch of the master key.",
							"With the delay of the key store together at most 30.",
							&laras_master_key_max_age, 21, 1, 3650, PGC_SIGHUP, 0, NULL, NULL,
							NULL);
	DefineCustomIntVariable(
		"laras.mirror_timeout",
		"How long a commit that destroys keys waits for the mirrors beyond the first.",
		"After it the order stays pending for that mirror and is repeated by the vault worker.",
		&laras_mirror_timeout, 2000, 0, 60000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("laras.single_mirror", "Accept a keyring with one mirror only.",
							 "Without it the vault stays closed unless two mirrors are configured.",
							 &laras_single_mirror, false, laras_guc_context(PGC_POSTMASTER), 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("laras.standby_reveal",
							 "Allow sealed values to be revealed on a standby.", NULL,
							 &laras_standby_reveal, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
}
