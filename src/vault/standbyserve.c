/*
 * standbyserve.c
 *		laras.pull_keyring(): what a standby's vault worker asks its primary for,
 *		and how far each standby has come.
 *
 * A keyring goes to a standby as a result set and never through WAL, which
 * backups hold on to. What is served is wrapped as it lies in the mirrors; and
 * no journal record is served before its mark stands on the medium of every
 * mirror in sync, so that a slab served later bears it.
 */
#include "postgres.h"

#include <unistd.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/spi.h"
#include "vault/files.h"
#include "vault/standby.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"

PG_FUNCTION_INFO_V1(laras_pull_keyring);
PG_FUNCTION_INFO_V1(laras_list_keyring_standbys);

static void
put(ReturnSetInfo *rsinfo, const char *piece, uint64 number, const void *bytes, size_t n)
{
	Datum values[3];
	bool nulls[3] = {false, false, bytes == NULL};

	values[0] = CStringGetTextDatum(piece);
	values[1] = Int64GetDatum((int64) number);
	values[2] = bytes == NULL ? (Datum) 0 : laras_bytea_datum(bytes, n);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Records after seq up to end, those of one file. */
static void
put_records(ReturnSetInfo *rsinfo, int dirfd, uint64 seq, uint64 end)
{
	uint64 first = seq + 1;
	uint64 last = Min(end, ((uint64) LARAS_JOURNAL_FILE_OF(first) + 1) * LARAS_JOURNAL_PER_FILE);
	uint32 n;
	uint8 *raw;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	int fd;
	bool ok;

	if (first > end)
		return;
	last = Min(last, seq + LARAS_PULL_RECORDS);
	n = (uint32) (last - seq);
	fd = laras_journal_open(dirfd, LARAS_JOURNAL_FILE_OF(first), &err);
	if (fd < 0)
		laras_vault_raise(&err);
	raw = palloc((size_t) n * LARAS_JOURNAL_RECORD_LEN);
	ok = laras_pread_all(fd, raw, (size_t) n * LARAS_JOURNAL_RECORD_LEN,
						 (off_t) (seq % LARAS_JOURNAL_PER_FILE) * LARAS_JOURNAL_RECORD_LEN);
	if (!ok)
		laras_keyerror(&err, LARAS_KEYERR_MIRROR, errno, "reading the journal");
	close(fd);
	if (!ok)
		laras_vault_raise(&err);
	put(rsinfo, "journal", first, raw, (size_t) n * LARAS_JOURNAL_RECORD_LEN);
	pfree(raw);
}

/* One slab file, or NULL where this mirror lacks it. */
static uint8 *
read_slab(LarasVault *v, int dirfd, uint32 number, uint8 *image)
{
	LarasSlab slab = LARAS_SLAB_CLOSED;
	bool ok;

	if (!laras_slab_open(dirfd, v->keyring.uuid, v->keyring.number, number, false, &slab, NULL))
		return NULL;
	ok = laras_pread_all(slab.fd, image, LARAS_SLAB_LEN, 0);
	laras_slab_close(&slab);
	return ok ? image : NULL;
}

/* A standby that holds nothing does not know whose keyring it asks for. */
static bool
begins_anew(uint64 journal, const bytea *chain)
{
	static const uint8 none[LARAS_CHAIN_LEN] = {0};

	return journal == 0 && memcmp(VARDATA_ANY(chain), none, LARAS_CHAIN_LEN) == 0;
}

/* Who has come how far, for laras.keyring_standbys. */
static void
note_standby(LarasVault *v, const char *name, uint64 journal, uint32 slabs)
{
	TimestampTz now = GetCurrentTimestamp();
	int place = 0;

	LWLockAcquire(v->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LARAS_VAULT_STANDBYS; i++)
	{
		if (strcmp(v->standby[i].name, name) == 0)
		{
			place = i;
			break;
		}
		if (v->standby[i].seen_at < v->standby[place].seen_at)
			place = i; /* the one that was silent longest makes room */
	}
	strlcpy(v->standby[place].name, name, sizeof(v->standby[place].name));
	v->standby[place].journal = journal;
	v->standby[place].slabs = slabs;
	v->standby[place].seen_at = now;
	LWLockRelease(v->lock);
}

/* Slabs of this keyring: slab 0 and the leased ones. */
static uint32
slabs_of(LarasVault *v)
{
	return 1 + pg_atomic_read_u32(&v->slabs_made);
}

/* pull_keyring(standby, journal, chain, first_slab, slabs, held) */
Datum
laras_pull_keyring(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LarasVault *v = laras_vault_here();
	LarasMirrors *m;
	LarasMirrorMask usable;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint64 position;
	uint64 journal;
	uint8 uuid[LARAS_UUID_LEN];
	uint8 end_chain[LARAS_CHAIN_LEN];
	uint8 chain[LARAS_CHAIN_LEN];
	uint8 raw[LARAS_KEYRING_LEN];
	uint8 *image;
	bytea *claimed;
	ArrayType *wanted;
	Datum *numbers;
	int nnumbers;
	uint32 end;
	int first;
	int held;
	int mirror = 0;
	int dirfd;
	char name[LARAS_MIRROR_NAME];
	uint32 files = 0;

	LARAS_NO_NULLS(fcinfo);
	strlcpy(name, text_to_cstring(PG_GETARG_TEXT_PP(0)), sizeof(name));
	journal = (uint64) PG_GETARG_INT64(1);
	claimed = PG_GETARG_BYTEA_PP(2);
	first = PG_GETARG_INT32(3);
	wanted = PG_GETARG_ARRAYTYPE_P(4);
	held = PG_GETARG_INT32(5);
	deconstruct_array(wanted, INT4OID, 4, true, TYPALIGN_INT, &numbers, NULL, &nnumbers);
	if (name[0] == '\0' || first < 0 || held < 0 || nnumbers > LARAS_PULL_SLABS ||
		array_contains_nulls(wanted) || VARSIZE_ANY_EXHDR(claimed) != LARAS_CHAIN_LEN ||
		PG_GETARG_INT64(1) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no standby's vault worker asks like that")));

	InitMaterializedSRF(fcinfo, 0);
	if (v == NULL || !laras_vault_journal_position(uuid, &position, end_chain))
		laras_vault_raise_closed(v);
	m = laras_vault_mirrors(v, &usable);
	usable &= laras_vault_in_sync(v);
	if (usable == 0)
		laras_vault_raise_closed(v);
	while ((usable & ((LarasMirrorMask) 1 << mirror)) == 0)
		mirror++;
	dirfd = m->mirror[mirror].dirfd;

	/* is what the standby has the beginning of this journal? */
	if (journal <= position)
	{
		if (!laras_journal_chain(dirfd, v->keyring.uuid, journal, chain, &err))
			laras_vault_raise(&err);
	}
	if (journal > position || (memcmp(chain, VARDATA_ANY(claimed), LARAS_CHAIN_LEN) != 0 &&
							   !begins_anew(journal, claimed)))
		ereport(ERROR,
				(errcode(LARAS_ERRCODE_MIRRORS_DISAGREE),
				 errmsg("the standby's keyring is not a copy of this one"),
				 errdetail("It has %llu journal records, which are not the first of this one's.",
						   (unsigned long long) journal),
				 errhint("Where this server's keyring is the right one, move the standby's mirrors "
						 "away; they are filled again.")));

	LWLockAcquire(v->lock, LW_SHARED);
	if (!laras_keyring_encode(&v->keyring, raw))
		laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "encoding the keyring");
	LWLockRelease(v->lock);
	if (err.code != LARAS_KEYERR_NONE)
		laras_vault_raise(&err);
	put(rsinfo, "keyring", v->keyring.number, raw, LARAS_KEYRING_LEN);
	if (laras_lease_bytes(dirfd, raw, &err))
		put(rsinfo, "lease", 0, raw, LARAS_LEASE_LEN);
	for (;; files++)
	{
		char file[LARAS_JOURNAL_NAME_LEN];

		laras_journal_name(files, file);
		if (!laras_file_exists(dirfd, file))
			break;
	}
	put(rsinfo, "files", files, NULL, 0);
	put(rsinfo, "end", position, NULL, 0);

	/* slabs before records: a mark that the journal tells of is then in them or comes after */
	end = LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB + pg_atomic_read_u32(&v->slabs_made);
	put(rsinfo, "slabs", end, NULL, 0);
	image = palloc(LARAS_SLAB_LEN);
	for (int i = 0; i < nnumbers; i++)
	{
		uint32 number = (uint32) DatumGetInt32(numbers[i]);

		CHECK_FOR_INTERRUPTS();
		if (number < end && read_slab(v, dirfd, number, image) != NULL)
			put(rsinfo, "slab", number, image, LARAS_SLAB_LEN);
	}
	for (uint32 number = (uint32) first, n = 0; number < end && n < LARAS_PULL_HASHES; number++)
	{
		uint8 hash[LARAS_HASH_LEN];
		LarasPiece piece = {image, LARAS_SLAB_LEN};

		/* between slab 0 and the first leased one there is none */
		if (number > 0 && number < LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)
			continue;
		CHECK_FOR_INTERRUPTS();
		n++;
		if (read_slab(v, dirfd, number, image) != NULL && laras_sha256(&piece, 1, hash))
			put(rsinfo, "hash", number, hash, LARAS_HASH_LEN);
		else
			put(rsinfo, "hash", number, NULL, 0);
	}
	put_records(rsinfo, dirfd, journal, position);
	note_standby(v, name, journal, (uint32) held);
	return (Datum) 0;
}

Datum
laras_list_keyring_standbys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LarasVault *v = laras_vault_here();

	InitMaterializedSRF(fcinfo, 0);
	if (v == NULL)
		return (Datum) 0;
	LWLockAcquire(v->lock, LW_SHARED);
	for (int i = 0; i < LARAS_VAULT_STANDBYS; i++)
	{
		uint64 last = pg_atomic_read_u64(&v->journal_last);
		uint32 slabs = slabs_of(v);
		Datum values[5];
		bool nulls[5] = {false};

		if (v->standby[i].name[0] == '\0')
			continue;
		values[0] = CStringGetTextDatum(v->standby[i].name);
		values[1] = Int64GetDatum((int64) v->standby[i].journal);
		values[2] = Int64GetDatum((int64) (last - Min(last, v->standby[i].journal)));
		values[3] = Int32GetDatum((int32) (slabs - Min(slabs, v->standby[i].slabs)));
		values[4] = TimestampTzGetDatum(v->standby[i].seen_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	LWLockRelease(v->lock);
	return (Datum) 0;
}
