/*
 * standbyanswer.c
 *		What a primary answers, taken into the mirrors of a standby piece by
 *		piece.
 *
 * Invariants: nothing is brought back by what is pulled: a mark that stands
 * here stays, and a journal that does not begin as the primary's is refused.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/fault.h"
#include "vault/files.h"
#include "vault/standby.h"
#include "vault/vault.h"
#include "worker/worker.h"

#define FIRST_LEASED_SLAB (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)

/* A place for the first copy, without a name until it is whole. */
static void
begin_copy(const LarasKeyring *k)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_copy_take_vault(k);
	for (laras_copy.first = 0; laras_copy.first < w->m.n; laras_copy.first++)
	{
		int fd = laras_keyring_new_directory(w->m.mirror[laras_copy.first].path, k->number, &err);

		if (fd < 0)
			continue;
		w->m.mirror[laras_copy.first].dirfd = fd;
		w->opened = (LarasMirrorMask) 1 << laras_copy.first;
		laras_journal_start(w->m.keyring, &laras_copy.tail[laras_copy.first]);
		laras_copy.building = true;
		return;
	}
	laras_copy.known = false;
	laras_vault_raise(&err);
}

static void
take_keyring(const uint8 *bytes, size_t n)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasKeyring k;

	if (n != LARAS_KEYRING_LEN || !laras_keyring_decode(bytes, &k))
		elog(ERROR, "unexpected answer of the keyring's source");
	if (!laras_vault_is_owner(&k))
		ereport(ERROR,
				(errcode(LARAS_ERRCODE_KEYRING_FOREIGN),
				 errmsg("the keyring of laras.keyring_source is not that of this database"),
				 errhint("Name the primary that this server follows, and the same database.")));
	if (!laras_copy.known)
		begin_copy(&k);
	if (memcmp(k.uuid, w->m.keyring, LARAS_UUID_LEN) != 0)
		ereport(ERROR, (errcode(LARAS_ERRCODE_MIRRORS_DISAGREE),
						errmsg("this standby holds a copy of another keyring"),
						errhint("Move its mirrors away; they are filled from the primary.")));
	/* an epoch that went away may still be in slabs here: a whole pass first */
	if (!laras_keyring_same(&k, &laras_copy.offered))
		laras_copy.whole = laras_copy.pass_counts = false;
	/* another keyring file than here: what it says of its slabs is not known before they are compared */
	if (!laras_keyring_same(&k, &laras_copy.offered) &&
		!laras_keyring_same(&k, &laras_copy.keyring))
		memset(laras_copy.held, 0, w->v->max_slots / LARAS_SLOTS_PER_SLAB * sizeof(bool));
	laras_copy.offered = k;
}

/* The slab as the primary has it, but for marks that only this copy bears yet. */
static void
take_slab(uint32 number, const uint8 *bytes, size_t n)
{
	LarasVaultWork *w = &laras_vault_work;
	uint8 *image = palloc(LARAS_SLAB_LEN);
	uint8 *here = palloc(LARAS_SLAB_LEN);
	uint8 uuid[LARAS_UUID_LEN];
	bool noted = false;

	if (n != LARAS_SLAB_LEN || number >= w->v->max_slots / LARAS_SLOTS_PER_SLAB)
		elog(ERROR, "unexpected answer of the keyring's source");
	LARAS_EACH_MIRROR(i)
	{
		LarasKeyError err = LARAS_KEYERROR_INIT;

		memcpy(image, bytes, LARAS_SLAB_LEN);
		if (laras_read_slab(w, i, number, here, uuid, NULL))
		{
			if (memcmp(here, image, LARAS_SLAB_LEN) == 0)
				continue;
			for (uint32 index = 0; index < LARAS_SLOTS_PER_SLAB; index++)
			{
				size_t at = LARAS_SLAB_HEADER_LEN + (size_t) index * LARAS_SLOT_LEN;
				LarasSlotPlace place = {w->m.keyring, uuid, number * LARAS_SLOTS_PER_SLAB + index};

				if (laras_slot_look(&place, here + at, NULL) == LARAS_SLOT_DESTROYED &&
					laras_slot_look(&place, image + at, NULL) != LARAS_SLOT_DESTROYED)
					memcpy(image + at, here + at, LARAS_SLOT_LEN);
			}
		}
		laras_mirrors_forget(&w->m);
		if (!laras_slab_install(w->m.mirror[i].dirfd, number, image, true, &err))
		{
			laras_copy_drop_mirror(i, &err);
			continue;
		}
		if (!laras_read_slab(w, i, number, here, uuid, &err))
			ereport(ERROR,
					(errcode(LARAS_ERRCODE_MIRRORS_DISAGREE),
					 errmsg("the primary's keyring slab %u is not of this keyring", number)));
		if (!noted)
			laras_copy_note_slab(number, here, uuid);
		noted = laras_copy.changed = true;
	}
	laras_copy.held[number] = true;
	pfree(image);
	pfree(here);
}

/* To be asked for next, where there is room; else the comparison finds it again. */
static void
want(uint32 number)
{
	if (laras_copy.nwanted < LARAS_PULL_SLABS)
		laras_copy.wanted[laras_copy.nwanted++] = number;
}

/* Is the slab here what it is there? */
static void
take_hash(uint32 number, const uint8 *bytes, size_t n)
{
	LarasVaultWork *w = &laras_vault_work;
	uint8 *here;

	if (number >= laras_copy.end_slab)
		return;
	here = palloc(LARAS_SLAB_LEN);
	if (number == 0)
	{
		laras_copy.pass_clean = true;
		laras_copy.pass_counts = true;
	}
	if (bytes != NULL && n == LARAS_HASH_LEN)
	{
		bool same = true;
		bool readable = true;

		LARAS_EACH_MIRROR(i)
		{
			uint8 hash[LARAS_HASH_LEN];
			LarasPiece piece = {here, LARAS_SLAB_LEN};
			uint8 uuid[LARAS_UUID_LEN];

			readable = readable && laras_read_slab(w, i, number, here, uuid, NULL);
			same = same && readable && laras_sha256(&piece, 1, hash) &&
				   memcmp(hash, bytes, LARAS_HASH_LEN) == 0;
		}
		laras_copy.held[number] = same || (readable && laras_copy.held[number]);
		if (!same)
		{
			laras_copy.pass_clean = false;
			want(number);
		}
	}
	pfree(here);
	laras_copy.next_hash = number + 1;
	if (laras_copy.next_hash >= laras_copy.end_slab)
	{
		laras_copy.whole = laras_copy.pass_counts && laras_copy.pass_clean;
		laras_copy.next_hash = 0;
	}
}

void
laras_copy_heed(const LarasJournalRecord *rec)
{
	LarasVault *v = laras_vault_work.v;

	if (rec->kind != LARAS_JOURNAL_DESTROY && rec->kind != LARAS_JOURNAL_RANGE)
		return;
	for (uint32 k = 0; k < Max(rec->count, 1); k++)
	{
		if (rec->first + k < v->max_slots)
			laras_bit_set(v->destroyed, rec->first + k);
	}
}

/* Records first.. of the primary's journal: compared, written, their marks made. */
static void
take_records(uint64 first, const uint8 *bytes, size_t n)
{
	LarasVaultWork *w = &laras_vault_work;
	uint32 count = (uint32) (n / LARAS_JOURNAL_RECORD_LEN);
	uint64 last = first + count - 1;

	if (n == 0 || n % LARAS_JOURNAL_RECORD_LEN != 0 || count > LARAS_PULL_RECORDS)
		elog(ERROR, "unexpected answer of the keyring's source");
	for (uint32 r = 0; r < count; r++)
	{
		LarasJournalRecord rec;

		if (!laras_journal_decode(bytes + (size_t) r * LARAS_JOURNAL_RECORD_LEN, &rec))
			elog(ERROR, "unexpected answer of the keyring's source");
		laras_copy_heed(&rec);
	}
	LARAS_EACH_MIRROR(i)
	{
		LarasJournalTail tail = laras_copy.tail[i];
		LarasKeyError err = LARAS_KEYERROR_INIT;
		uint32 skip;
		bool follows = true;

		if (last <= tail.seq || first > tail.seq + 1)
			continue;
		skip = (uint32) (tail.seq + 1 - first);
		if (skip > 0)
		{
			/* what both have must be the same */
			follows = memcmp(bytes + (size_t) skip * LARAS_JOURNAL_RECORD_LEN - LARAS_CHAIN_LEN,
							 tail.chain, LARAS_CHAIN_LEN) == 0;
		}
		for (uint32 r = skip; follows && r < count; r++)
		{
			const uint8 *raw = bytes + (size_t) r * LARAS_JOURNAL_RECORD_LEN;

			follows = laras_journal_follows(&tail, raw);
			tail.seq = first + r;
			memcpy(tail.chain, raw + LARAS_JOURNAL_RECORD_LEN - LARAS_CHAIN_LEN, LARAS_CHAIN_LEN);
		}
		if (!follows)
			ereport(ERROR,
					(errcode(LARAS_ERRCODE_MIRRORS_DISAGREE),
					 errmsg(
						 "the journal of a mirror of this standby is not a copy of the primary's"),
					 errhint("Move that mirror away; it is filled again.")));
		if (!laras_write_records(w->m.mirror[i].dirfd, first + skip, count - skip,
								 bytes + (size_t) skip * LARAS_JOURNAL_RECORD_LEN, &err))
		{
			laras_copy_drop_mirror(i, &err);
			continue;
		}
		LARAS_FAULT("standby.journalled");
		if (!laras_bury_again(w, i, i, first + skip, last, &err))
		{
			laras_copy_drop_mirror(i, &err);
			continue;
		}
		laras_copy.tail[i] = tail;
	}
}

void
laras_copy_take(const char *piece, uint64 number, const uint8 *bytes, size_t n, void *arg)
{
	LarasVaultWork *w = &laras_vault_work;

	CHECK_FOR_INTERRUPTS();
	if (strcmp(piece, "keyring") == 0)
		take_keyring(bytes, n);
	else if (strcmp(piece, "lease") == 0 && n == LARAS_LEASE_LEN)
	{
		memcpy(laras_copy.lease, bytes, LARAS_LEASE_LEN);
		laras_copy.lease_offered = true;
	}
	else if (strcmp(piece, "end") == 0)
		laras_copy.end = number;
	else if (strcmp(piece, "slabs") == 0)
	{
		uint32 before = laras_copy.end_slab;

		laras_copy.end_slab = (uint32) Min(number, w->v->max_slots / LARAS_SLOTS_PER_SLAB);
		/* those made since the last answer: long before the comparison comes to them */
		for (uint32 made = before; before > 0 && made < laras_copy.end_slab; made++)
			want(made);
		if (laras_copy.end_slab > FIRST_LEASED_SLAB)
			pg_atomic_write_u32(&w->v->slabs_made, laras_copy.end_slab - FIRST_LEASED_SLAB);
	}
	else if (strcmp(piece, "files") == 0)
	{
		LARAS_EACH_MIRROR(i)
		{
			LarasKeyError err = LARAS_KEYERROR_INIT;
			char name[LARAS_JOURNAL_NAME_LEN];

			for (uint32 file = 0; file < number && file < 65536; file++)
			{
				laras_journal_name(file, name);
				if (!laras_file_exists(w->m.mirror[i].dirfd, name) &&
					!laras_journal_make(w->m.mirror[i].dirfd, file, &err))
				{
					laras_copy_drop_mirror(i, &err);
					break;
				}
			}
		}
	}
	else if (strcmp(piece, "slab") == 0)
		take_slab((uint32) number, bytes, n);
	else if (strcmp(piece, "hash") == 0)
		take_hash((uint32) number, bytes, n);
	else if (strcmp(piece, "journal") == 0)
		take_records(number, bytes, n);
}
