/*
 * mirrorjoin.c
 *		A mirror that was away and comes back into sync: its journal first, then
 *		its slabs, then the lease and the keyring file.
 *
 * Invariant: nothing is read from it, and nothing counts as written there,
 * before it holds what the mirrors in sync hold; and an order that only it
 * carries is carried out everywhere. Everything here runs in the vault worker.
 */
#include "postgres.h"

#include <unistd.h>

#include "base/compat.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"

bool
laras_vault_join(int mirror, LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasMirrorInfo *info = &v->mirror[mirror];
	LarasMirrorMask in_sync = laras_vault_in_sync(v) & w->opened;
	LarasMirrorMask both;
	uint64 applied;
	int first = -1;

	for (int i = 0; i < w->m.n && first < 0; i++)
	{
		if (i != mirror && (in_sync & ((LarasMirrorMask) 1 << i)) != 0)
			first = i;
	}
	laras_mirrors_forget(&w->m);
	if ((w->opened & ((LarasMirrorMask) 1 << mirror)) != 0)
	{
		close(w->m.mirror[mirror].dirfd);
		w->m.mirror[mirror].dirfd = -1;
		w->opened &= ~((LarasMirrorMask) 1 << mirror);
	}
	if (!laras_open_and_lock(w, mirror, err))
	{
		if (err->code != LARAS_KEYERR_ABSENT || first < 0)
			return false;
		laras_fill_empty_mirrors(w);
		if ((w->opened & ((LarasMirrorMask) 1 << mirror)) == 0)
			return false;
	}
	if (first < 0)
	{
		/*
		 * The only mirror there is: what the ring holds is written again, once
		 * it shows that it can be written.
		 */
		both = (LarasMirrorMask) 1 << mirror;
		if (laras_mirrors_lease(&w->m, both, &w->lease, err) != both)
			return false;
		LWLockAcquire(v->lock, LW_EXCLUSIVE);
		pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
		pg_atomic_write_u32(&info->was_in_sync, 1);
		pg_atomic_fetch_add_u64(&v->page->generation, 1);
		LWLockRelease(v->lock);
		return true;
	}

	/*
	 * The journal up to what the other mirror has on disk; what comes after it
	 * stands in the ring. Records that a failed sync left in doubt are written
	 * again, since applied was not moved.
	 */
	applied = pg_atomic_read_u64(&v->mirror[first].applied);
	if (!laras_settle_joining(w, first, mirror, pg_atomic_read_u64(&info->applied), applied, err))
		return false;

	LARAS_FAULT("join.journalled");
	/* slots: whatever differs is merged, and a mark always wins */
	both = ((LarasMirrorMask) 1 << first) | ((LarasMirrorMask) 1 << mirror);
	if (!laras_settle_two(w, first, mirror))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "its slabs cannot be brought into sync");

	LARAS_FAULT("join.merged");
	/* the lease as it is, and the keyring file */
	if (laras_mirrors_lease(&w->m, both, &w->lease, err) != both ||
		!laras_settle_keyring_files(w, &v->keyring, both, err))
		return false;

	LARAS_FAULT("join.leased");
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&info->applied, applied);
	pg_atomic_write_u32(&info->state, LARAS_MIRROR_IN_SYNC);
	pg_atomic_write_u32(&info->was_in_sync, 1);
	pg_atomic_fetch_add_u64(&v->page->generation, 1);
	LWLockRelease(v->lock);
	ereport(LOG, (errmsg("keyring mirror \"%s\" is in sync again", info->name)));
	laras_vault_settle_courier();
	return true;
}
