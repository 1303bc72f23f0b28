/*
 * standbycopy.c
 *		The copy of the primary's keyring in a standby's own mirrors: found,
 *		begun, caught up, shown to the server's backends.
 *
 * Invariants: the keyring file, which makes a directory a keyring, comes last.
 * Nothing is journalled here but the primary's own records, so mirrors here
 * and there become the same bytes.
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/standby.h"
#include "vault/vault.h"
#include "worker/worker.h"

#define JOIN_MS 5000
#define FIRST_LEASED_SLAB (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)

LarasStandbyCopy laras_copy;

static TimestampTz last_join = 0;
static const char *said = NULL; /* "": what the connection said last was told */

/* Say once why nothing is pulled. */
static void
tell(const char *kind, const char *text)
{
	if (kind != NULL && kind != said)
		ereport(LOG, (errmsg("laras standby: the keyring is not pulled: %s", text)));
	said = kind;
}

void
laras_copy_say_why(const char *text)
{
	LarasVault *v = laras_vault_work.v;

	if (v == NULL)
		return;
	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	v->why = LARAS_KEYERR_CLOSED;
	strlcpy(v->why_text, text, sizeof(v->why_text));
	LWLockRelease(v->lock);
}

/* A mirror that cannot be written is left out until it is opened again. */
void
laras_copy_drop_mirror(int i, const LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;

	laras_vault_log(WARNING, err, "copying the keyring to a mirror");
	laras_mirrors_forget(&w->m);
	close(w->m.mirror[i].dirfd);
	w->m.mirror[i].dirfd = -1;
	w->opened &= ~((LarasMirrorMask) 1 << i);
	if (w->opened == 0)
		ereport(ERROR,
				(errcode(LARAS_ERRCODE_MIRROR_UNWRITABLE),
				 errmsg("no mirror of this standby can be written"),
				 errhint("Check the directories of laras.keyring_directory on this server.")));
}

/* Shared memory of the slab: who it is, which of its slots are destroyed. */
void
laras_copy_note_slab(uint32 number, const uint8 *image, const uint8 uuid[LARAS_UUID_LEN])
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;

	if (number >= v->max_slots / LARAS_SLOTS_PER_SLAB)
		return;
	memcpy(v->slabs[number].uuid, uuid, LARAS_UUID_LEN);
	pg_write_barrier();
	pg_atomic_write_u32(&v->slabs[number].present, 1);
	for (uint32 index = 0; index < LARAS_SLOTS_PER_SLAB; index++)
	{
		uint32 slot = number * LARAS_SLOTS_PER_SLAB + index;
		LarasSlotPlace place = {w->m.keyring, v->slabs[number].uuid, slot};

		if (laras_slot_look(&place, image + LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN,
							NULL) == LARAS_SLOT_DESTROYED)
			laras_bit_set(v->destroyed, slot);
	}
}

/* Which vault of shared memory the keyring's is. */
void
laras_copy_take_vault(const LarasKeyring *k)
{
	LarasVaultWork *w = &laras_vault_work;

	w->v = laras_vault_at(k->number);
	if (w->v == NULL)
		ereport(ERROR, (errcode(LARAS_ERRCODE_KEYRING_FOREIGN),
						errmsg("this server has no place for keyring %u", k->number),
						errhint("Set laras.databases as on the primary and restart this server.")));
	w->number = w->m.number = k->number;
	memcpy(w->m.keyring, k->uuid, LARAS_UUID_LEN);
	pg_atomic_write_u32(&w->v->database, MyDatabaseId);
	if (laras_copy.held == NULL)
		laras_copy.held =
			MemoryContextAllocZero(TopMemoryContext,
								   w->v->max_slots / LARAS_SLOTS_PER_SLAB * sizeof(bool));
	laras_copy.known = true;
	laras_copy_say_why("this server is a standby; it pulls its keys");
}

/* A crash may have come between a record and its mark: readers here go by the bit. */
static bool
heed_record(const LarasJournalRecord *rec, void *arg)
{
	laras_copy_heed(rec);
	return true;
}

/* A mirror was opened: how far is its journal? */
static void
read_tail(int i)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasJournalScan scan;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (laras_journal_scan(w->m.mirror[i].dirfd, w->m.keyring, NULL, heed_record, NULL, NULL, &scan,
						   &err) == LARAS_JOURNAL_FAILED)
		laras_copy_drop_mirror(i, &err);
	else
		laras_copy.tail[i] = scan.tail;
}

/* Find the keyring that was pulled before, if there is one; all that it holds is marked. */
void
laras_copy_open(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasKeyring k;
	LarasMirrorMask opened;
	uint8 *image;
	uint32 end = 0;
	int number;

	if (!laras_vault_parse_mirrors(w, &err))
		laras_vault_raise(&err);
	number = laras_vault_owned_number();
	if (number < 0)
		return;
	if (!laras_mirrors_open(&w->m, (uint16) number, &k, &opened, &err))
		return;
	laras_mirrors_close(&w->m);
	if (!laras_vault_parse_mirrors(w, &err))
		laras_vault_raise(&err);
	laras_copy_take_vault(&k);
	laras_copy.keyring = k;
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError one = LARAS_KEYERROR_INIT;

		if (laras_open_and_lock(w, i, &one))
			read_tail(i);
		else if (one.code == LARAS_KEYERR_FOREIGN_OWNER)
			laras_vault_raise(&one);
	}
	if (w->opened == 0)
		ereport(ERROR, (errcode(LARAS_ERRCODE_MIRROR_UNWRITABLE),
						errmsg("no mirror of this standby can be opened")));
	image = palloc(LARAS_SLAB_LEN);
	LARAS_EACH_MIRROR(i) end = Max(end, laras_keyring_slab_end(w->m.mirror[i].dirfd));
	end = Min(end, w->v->max_slots / LARAS_SLOTS_PER_SLAB);
	for (uint32 slab = 0; slab < end; slab++)
	{
		laras_copy.held[slab] = true;
		LARAS_EACH_MIRROR(i)
		{
			uint8 uuid[LARAS_UUID_LEN];

			if (laras_read_slab(w, i, slab, image, uuid, NULL))
				laras_copy_note_slab(slab, image, uuid);
			else
				laras_copy.held[slab] = false;
			CHECK_FOR_INTERRUPTS();
		}
	}
	pg_atomic_write_u32(&w->v->slabs_made, Max(end, FIRST_LEASED_SLAB) - FIRST_LEASED_SLAB);
	pfree(image);
}

/* Tell the backends of this server of the copy, or of how far it has come. */
void
laras_copy_publish(void)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasVault *v = w->v;
	LarasJournalTail tail = {0};
	LarasMirrorMask level = 0;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint32 slabs = pg_atomic_read_u32(&v->slabs_made);

	LARAS_EACH_MIRROR(i)
	{
		if (laras_copy.tail[i].seq >= tail.seq)
			tail = laras_copy.tail[i];
	}
	LARAS_EACH_MIRROR(i)
	{
		if (laras_copy.tail[i].seq == tail.seq)
			level |= (LarasMirrorMask) 1 << i;
	}
	if (!laras_copy.published || laras_copy.changed ||
		!laras_keyring_same(&v->keyring, &laras_copy.keyring))
	{
		if (!laras_mirrors_read_lease(&w->m, w->opened, &w->lease, &err))
			laras_vault_raise(&err);
		laras_vault_publish(w, &laras_copy.keyring, level, &tail, slabs);
		laras_copy.published = true;
		laras_copy.changed = false;
		return;
	}
	LWLockAcquire(v->journal_lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&v->journal_last, tail.seq);
	memcpy(v->chain, tail.chain, LARAS_CHAIN_LEN);
	LWLockRelease(v->journal_lock);
	for (int i = 0; i < w->m.n; i++)
	{
		bool good = (level & ((LarasMirrorMask) 1 << i)) != 0;

		pg_atomic_write_u32(&v->mirror[i].state, good ? LARAS_MIRROR_IN_SYNC : LARAS_MIRROR_BEHIND);
		if (good)
			pg_atomic_write_u64(&v->mirror[i].applied, tail.seq);
	}
}

/* Lease and keyring file come after what they speak of. */
static void
finish_answer(void)
{
	LarasVaultWork *w = &laras_vault_work;

	LARAS_EACH_MIRROR(i)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;
		uint8 here[LARAS_LEASE_LEN];
		LarasLease mine;
		bool have = laras_lease_bytes(w->m.mirror[i].dirfd, here, NULL);

		if (laras_copy.lease_offered &&
			(!have || memcmp(here, laras_copy.lease, LARAS_LEASE_LEN) != 0))
		{
			LarasLease a;
			LarasLease b;
			bool one = laras_lease_decode(laras_copy.lease, &a);
			bool two = laras_lease_decode(laras_copy.lease + LARAS_LEASE_LEN / 2, &b);

			/* read beside a write: one of the records may be torn */
			if (!one && !two)
				continue;
			if (have && laras_lease_read(w->m.mirror[i].dirfd, &mine, NULL) &&
				Max(one ? a.next_position : 0, two ? b.next_position : 0) < mine.next_position)
				continue;
			if (!laras_lease_copy(w->m.mirror[i].dirfd, laras_copy.lease, &err))
			{
				laras_copy_drop_mirror(i, &err);
				continue;
			}
		}
	}
	laras_copy.lease_offered = false;
	if (laras_keyring_same(&laras_copy.offered, &laras_copy.keyring) && !laras_copy.building)
		return;
	if (!laras_copy.whole &&
		(laras_copy.building || laras_copy.offered.oldest_epoch != laras_copy.keyring.oldest_epoch))
		return;
	if (laras_copy.building && laras_copy.tail[laras_copy.first].seq < laras_copy.end)
		return;
	LARAS_EACH_MIRROR(i)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if (!laras_keyring_replace(w->m.mirror[i].dirfd, &laras_copy.offered, &err))
			laras_copy_drop_mirror(i, &err);
	}
	laras_copy.keyring = laras_copy.offered;
	if (laras_copy.building)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		LARAS_FAULT("standby.copied");
		laras_mirrors_forget(&w->m);
		close(w->m.mirror[laras_copy.first].dirfd);
		w->m.mirror[laras_copy.first].dirfd = -1;
		w->opened = 0;
		if (!laras_keyring_name_directory(w->m.mirror[laras_copy.first].path, w->number, &err) ||
			!laras_open_and_lock(w, laras_copy.first, &err))
			laras_vault_raise(&err);
		laras_copy.building = false;
		ereport(LOG, (errmsg("laras standby: the keyring was copied from the primary")));
	}
}

/* Mirrors that are empty, or came back. */
static void
join_mirrors(void)
{
	LarasVaultWork *w = &laras_vault_work;

	if (laras_copy.building || !laras_copy.known || !laras_due(&last_join, JOIN_MS))
		return;
	for (int i = 0; i < w->m.n; i++)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		if ((w->opened & ((LarasMirrorMask) 1 << i)) == 0 && laras_open_and_lock(w, i, &err))
		{
			read_tail(i);
			laras_copy.changed = true;
		}
	}
	for (int i = 0; i < w->m.n; i++)
	{
		LarasMirrorMask before = w->opened;

		if ((before & ((LarasMirrorMask) 1 << i)) != 0)
			continue;
		laras_fill_empty_mirrors(w);
		LARAS_EACH_MIRROR(j)
		{
			if ((before & ((LarasMirrorMask) 1 << j)) == 0)
			{
				read_tail(j);
				laras_copy.changed = true;
			}
		}
		break;
	}
}

/* Slabs whose keys a promotion of this server would find: none in a copy without a name. */
static uint32
slabs_held(void)
{
	uint32 n = 0;

	if (!laras_copy.known || laras_copy.building)
		return 0;
	/* the keyring file here still wants a master key that may be destroyed by now */
	if (laras_copy.offered.current_epoch != 0 &&
		laras_copy.offered.oldest_epoch != laras_copy.keyring.oldest_epoch)
		return 0;
	for (uint32 slab = 0; slab < laras_vault_work.v->max_slots / LARAS_SLOTS_PER_SLAB; slab++)
		n += laras_copy.held[slab];
	return n;
}

/* Ask once. True: there is more to ask for at once. */
bool
laras_copy_pull(void)
{
	LarasVaultWork *w = &laras_vault_work;
	const char *why;
	uint8 chain[LARAS_CHAIN_LEN] = {0};
	uint64 from = 0;
	bool any = false;
	uint32 wanted[LARAS_PULL_SLABS];
	int nwanted = laras_copy.nwanted;

	LARAS_EACH_MIRROR(i)
	{
		if (!any || laras_copy.tail[i].seq < from)
		{
			from = laras_copy.tail[i].seq;
			memcpy(chain, laras_copy.tail[i].chain, LARAS_CHAIN_LEN);
		}
		any = true;
	}
	if (!any)
	{
		/* nothing is here: the first question is whose keyring it is */
		from = 0;
	}
	memcpy(wanted, laras_copy.wanted, sizeof(wanted));
	laras_copy.nwanted = 0;
	if (!laras_pull(cluster_name[0] != '\0' ? cluster_name : "standby", from, chain,
					any ? laras_copy.next_hash : 0, wanted, nwanted, slabs_held(), laras_copy_take,
					NULL, &why))
	{
		laras_copy.nwanted = nwanted;
		tell("", why);
		return false;
	}
	tell(NULL, NULL);
	if (w->opened == 0)
		return false;
	finish_answer();
	if (!laras_copy.building)
	{
		join_mirrors();
		laras_copy_publish();
	}
	from = PG_UINT64_MAX;
	LARAS_EACH_MIRROR(i) from = Min(from, laras_copy.tail[i].seq);
	return laras_copy.building || laras_copy.nwanted > 0 || from < laras_copy.end;
}
