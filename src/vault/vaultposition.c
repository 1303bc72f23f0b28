/*
 * vaultposition.c
 *		How far the journal is: what signed checkpoints carry to the outside, and
 *		what the outside says of a keyring that comes from an older copy.
 *
 * Invariant: a position that was given out is synced in every mirror in sync.
 * So a witness that names a later one, or one on another chain, means that the
 * keyring was set back; nothing inside the machine could tell.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/compat.h"
#include "base/errors.h"
#include "vault/journalring.h"
#include "vault/vault.h"
#include "vault/vaultwork.h"

#define CHAIN_AT 48 /* of a record */

LarasWitnessState (*laras_witness_read)(const uint8 keyring[16], int patience_ms,
										LarasWitness *witness, const char **trouble) = NULL;
bool (*laras_witness_known)(const LarasWitness *witness) = NULL;

bool
laras_vault_journal_position(uint8 keyring[16], uint64 *seq, uint8 chain[16])
{
	LarasVault *v = laras_vault_here();
	LarasMirrorMask in_sync;
	uint64 last;

	if (v == NULL || !laras_keyring_is_ours() || pg_atomic_read_u32(&v->known) == 0)
		return false;
	in_sync = laras_vault_in_sync(v);
	if (in_sync == 0)
		return false;
	LWLockAcquire(v->journal_lock, LW_SHARED);
	last = *seq = pg_atomic_read_u64(&v->journal_last);
	for (int i = 0; i < v->nmirrors; i++)
	{
		if ((in_sync & ((LarasMirrorMask) 1 << i)) != 0)
			*seq = Min(*seq, pg_atomic_read_u64(&v->mirror[i].applied));
	}
	if (last - *seq >= LARAS_VAULT_RING)
	{
		LWLockRelease(v->journal_lock);
		return false;
	}
	memcpy(keyring, v->keyring.uuid, LARAS_UUID_LEN);
	if (*seq == 0)
		memcpy(chain, v->keyring.uuid, LARAS_CHAIN_LEN);
	else if (*seq == last)
		memcpy(chain, v->chain, LARAS_CHAIN_LEN);
	else
		memcpy(chain, v->ring[*seq % LARAS_VAULT_RING] + CHAIN_AT, LARAS_CHAIN_LEN);
	LWLockRelease(v->journal_lock);
	return true;
}

bool
laras_vault_witness_compared(void)
{
	LarasVault *v = laras_vault_here();

	return v != NULL && pg_atomic_read_u32(&v->witness_compared) != 0;
}

/* Does the journal of that mirror have this chain at this place? */
static bool
has_chain(LarasVaultWork *w, int mirror, const LarasJournalTail *tail, const LarasWitness *witness,
		  bool *has, LarasKeyError *err)
{
	uint8 chain[LARAS_CHAIN_LEN];

	if (witness->seq == tail->seq)
		memcpy(chain, tail->chain, LARAS_CHAIN_LEN);
	else if (!laras_journal_chain(w->m.mirror[mirror].dirfd, w->m.keyring, witness->seq, chain,
								  err))
		return false;
	*has = memcmp(chain, witness->chain, LARAS_CHAIN_LEN) == 0;
	return true;
}

bool
laras_vault_compare_witness(int mirror, const LarasJournalTail *tail, int patience_ms,
							LarasKeyError *err)
{
	LarasVaultWork *w = &laras_vault_work;
	LarasWitness *witness = palloc0(sizeof(LarasWitness));
	const char *trouble = NULL;
	bool has = false;
	LarasWitnessState state =
		laras_witness_read == NULL
			? LARAS_WITNESS_NOT_KEPT
			: laras_witness_read(w->m.keyring, patience_ms, witness, &trouble);

	pg_atomic_write_u32(&w->v->witness_compared, trouble == NULL ? 1 : 0);
	if (trouble != NULL && (state == LARAS_WITNESS_UNREADABLE || patience_ms > 0))
	{
		static const char *told = NULL;

		if (told != trouble)
			ereport(WARNING,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("the keyring is not compared with laras.checkpoint_directory: %s",
							trouble),
					 errhint("A machine that was set back as a whole is not noticed until it is. "
							 "It is tried again.")));
		told = trouble;
	}
	if (state != LARAS_WITNESS_FOUND)
	{
		pfree(witness);
		return true;
	}
	if (witness->seq <= tail->seq && !has_chain(w, mirror, tail, witness, &has, err))
	{
		pfree(witness);
		return false;
	}
	if (!has)
	{
		/* mirrors alone were set back: the database has every order of before that note */
		if (laras_witness_known != NULL && laras_witness_known(witness))
			ereport(LOG,
					(errmsg("laras vault: the keyring is older than its last checkpoint, which "
							"this database holds; its orders are carried out")));
		else
		{
			laras_keyerror(err, LARAS_KEYERR_OLDER, 0,
						   witness->seq > tail->seq
							   ? "its journal ends before the position of a signed checkpoint"
							   : "its journal is another than the one a signed checkpoint names");
			pg_atomic_write_u32(&w->v->witness_compared, 0);
		}
	}
	pfree(witness);
	return err->code != LARAS_KEYERR_OLDER;
}
