/*
 * vaultmirrors.c
 *		Mirrors that are gone for good: what laras.remove_mirror() asks, and what
 *		the vault worker makes of it.
 *
 * Invariant: a mirror leaves only by the statement of a person, which stays on
 * record; from then on it is neither read, nor written, nor waited for, also
 * after a restart, whatever lies in its directory. It is known by its name and
 * path together: a new disk gets another of either.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "base/spi.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"
#include "worker/worker.h"

#define STATEMENT_MIN 10
#define STATEMENT_MAX 1000

LARAS_PLAN(add_removal,
		   "INSERT INTO laras.mirror_removal (mirror, place, statement, pending)"
		   " VALUES ($1, $2, $3, $4) ON CONFLICT (place) DO NOTHING",
		   TEXTOID, BYTEAOID, TEXTOID, INT8OID);

LARAS_PLAN(read_removals, "SELECT r.place, r.journalled_at IS NOT NULL FROM laras.mirror_removal r"
						  " ORDER BY r.removed_at, r.place");

LARAS_PLAN(removal_journalled,
		   "UPDATE laras.mirror_removal r SET journalled_at = pg_catalog.clock_timestamp()"
		   " WHERE r.place = $1",
		   BYTEAOID);

/* The name of a mirror's place, which tells no path. */
static bool
place_of(const LarasMirror *mirror, uint8 place[LARAS_ORDER_LEN])
{
	uint8 hash[LARAS_HASH_LEN];
	LarasPiece pieces[3] = {{mirror->name, strlen(mirror->name)},
							{"=", 1},
							{mirror->path, strlen(mirror->path)}};

	if (!laras_crypto_init() || !laras_sha256(pieces, 3, hash))
		return false;
	memcpy(place, hash, LARAS_ORDER_LEN);
	return true;
}

/* ------------------------------------------------------------------------
 * Asking for it
 * ------------------------------------------------------------------------
 */

/*
 * Raises where no mirror in sync would be left besides this one and those that
 * are on record to go, by this transaction too. Two who ask at once wait for
 * each other. Within SPI.
 */
static void
require_another(LarasVault *v, const LarasMirrors *m, int mirror)
{
	LarasMirrorMask left = laras_vault_in_sync(v) & ~((LarasMirrorMask) 1 << mirror);
	uint64 n;

	LockRelationOid(get_relname_relid("mirror_removal", get_namespace_oid("laras", false)),
					ShareRowExclusiveLock);
	n = laras_spi_run(&read_removals, NULL, NULL);
	for (uint64 r = 0; r < n; r++)
	{
		bytea *gone = laras_spi_bytes(r, 1);

		for (int i = 0; i < m->n; i++)
		{
			uint8 place[LARAS_ORDER_LEN];

			if (place_of(&m->mirror[i], place) &&
				memcmp(place, VARDATA_ANY(gone), LARAS_ORDER_LEN) == 0)
				left &= ~((LarasMirrorMask) 1 << i);
		}
	}
	if (left == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("this is the last mirror of the keyring that is in sync"),
						errhint("Bring another mirror into sync first.")));
}

bool
laras_vault_remove_mirror(const char *name, const char *statement, int64 *pending)
{
	LarasVault *v = laras_vault_here();
	LarasMirrors *m = palloc(sizeof(LarasMirrors));
	LarasKeyError err = LARAS_KEYERROR_INIT;
	int length = pg_mbstrlen(statement);
	int mirror = -1;
	uint8 place[LARAS_ORDER_LEN];
	bool added;
	LarasRunAs saved;

	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		laras_vault_raise_closed(v);
	if (!laras_mirrors_parse(laras_keyring_mirrors, m, &err))
		laras_vault_raise(&err);
	for (int i = 0; i < m->n; i++)
	{
		if (strcmp(m->mirror[i].name, name) == 0)
			mirror = i;
	}
	if (mirror < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("laras.keyring_directory names no such mirror"),
						errhint("See the names in laras.keyring_status.")));
	if (length < STATEMENT_MIN || length > STATEMENT_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a mirror is removed by a statement of what became of it"),
						errhint("Say in %d to %d characters where its medium is now, or how it was "
								"destroyed.",
								STATEMENT_MIN, STATEMENT_MAX)));
	if (!place_of(&m->mirror[mirror], place))
	{
		laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "naming the mirror");
		laras_vault_raise(&err);
	}
	*pending = (int64) pg_atomic_read_u64(&v->pending_orders);

	laras_run_as_owner(&saved);
	laras_spi_open();
	require_another(v, m, mirror);
	added = laras_spi_run(&add_removal,
						  (Datum[]){CStringGetTextDatum(name),
									laras_bytea_datum(place, LARAS_ORDER_LEN),
									CStringGetTextDatum(statement), Int64GetDatum(*pending)},
						  NULL) > 0;
	laras_spi_close();
	laras_run_as_end(&saved);
	if (added)
		laras_work_queued(LARAS_WORK_VAULT);
	return added;
}

/* ------------------------------------------------------------------------
 * Carrying it out, in the vault worker
 * ------------------------------------------------------------------------
 */

typedef struct Removal
{
	uint8 place[LARAS_ORDER_LEN];
	bool journalled;
} Removal;

static Removal *
list_removals(uint64 *n)
{
	Removal *all;

	laras_worker_begin("looking for removed mirrors");
	laras_spi_open();
	*n = laras_spi_read(&read_removals, NULL, NULL);
	all = SPI_palloc(sizeof(Removal) * (*n + 1));
	for (uint64 i = 0; i < *n; i++)
	{
		bytea *place = laras_spi_bytes(i, 1);

		memcpy(all[i].place, VARDATA_ANY(place), LARAS_ORDER_LEN);
		all[i].journalled = laras_spi_bool(i, 2);
	}
	laras_spi_close();
	laras_worker_commit();
	return all;
}

/* The mirrors of m that are on the list. */
static LarasMirrorMask
match_removals(const LarasMirrors *m, const Removal *all, uint64 n)
{
	LarasMirrorMask mask = 0;

	for (int i = 0; i < m->n; i++)
	{
		uint8 place[LARAS_ORDER_LEN];

		for (uint64 r = 0; place_of(&m->mirror[i], place) && r < n; r++)
		{
			if (memcmp(place, all[r].place, LARAS_ORDER_LEN) == 0)
				mask |= (LarasMirrorMask) 1 << i;
		}
	}
	return mask;
}

LarasMirrorMask
laras_vault_removed_mirrors(void)
{
	LarasMirrors *m = palloc(sizeof(LarasMirrors));
	LarasMirrorMask mask = 0;
	uint64 n;
	Removal *all = list_removals(&n);

	if (n > 0 && laras_keyring_mirrors != NULL &&
		laras_mirrors_parse(laras_keyring_mirrors, m, NULL))
		mask = match_removals(m, all, n);
	pfree(m);
	return mask;
}

void
laras_vault_apply_removals(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorMask mask;
	uint64 n;
	Removal *all = list_removals(&n);

	if (n == 0)
		return;
	mask = match_removals(&w->m, all, n);
	for (int i = 0; i < w->m.n; i++)
	{
		LarasMirrorInfo *info = &v->mirror[i];

		if ((mask & ((LarasMirrorMask) 1 << i)) == 0 ||
			pg_atomic_read_u32(&info->state) == LARAS_MIRROR_REMOVED)
			continue;
		if ((laras_vault_in_sync(v) & ~mask) == 0)
			continue; /* the others fell behind meanwhile: not before one is back */
		LARAS_FAULT("mirror.removing");
		LWLockAcquire(v->lock, LW_EXCLUSIVE);
		pg_atomic_write_u32(&info->state, LARAS_MIRROR_REMOVED);
		pg_atomic_write_u32(&info->was_in_sync, 0);
		pg_atomic_fetch_add_u64(&v->page->generation, 1);
		LWLockRelease(v->lock);
		ConditionVariableBroadcast(&info->moved);
		laras_mirrors_forget(&w->m);
		if ((w->opened & ((LarasMirrorMask) 1 << i)) != 0)
		{
			close(w->m.mirror[i].dirfd);
			w->m.mirror[i].dirfd = -1;
			w->opened &= ~((LarasMirrorMask) 1 << i);
		}
		ereport(LOG, (errmsg("keyring mirror \"%s\" is removed", info->name)));
	}
	for (uint64 r = 0; r < n; r++)
	{
		/* the journal says so too: whoever holds a copy of it alone can tell */
		if (all[r].journalled || !laras_vault_journal(LARAS_JOURNAL_MIRROR_REMOVED, all[r].place))
			continue;
		laras_worker_begin("noting a removed mirror");
		laras_spi_open();
		(void) laras_spi_run(&removal_journalled,
							 (Datum[]){laras_bytea_datum(all[r].place, LARAS_ORDER_LEN)}, NULL);
		laras_spi_close();
		laras_worker_commit();
	}
}
