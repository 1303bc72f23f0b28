/*
 * standby.h
 *		A standby's copy of the keyring: how much is asked for at a time, and the
 *		connection it is asked over. For files of src/vault only.
 */
#ifndef LARAS_VAULT_STANDBY_H
#define LARAS_VAULT_STANDBY_H

#include "vault/journal.h"
#include "vault/slab.h"
#include "vault/vaultwork.h"

#define LARAS_PULL_RECORDS 4096 /* journal records in one answer */
#define LARAS_PULL_SLABS 16     /* slabs */
#define LARAS_PULL_HASHES 16    /* slabs compared by their hashes */

/* laras.keyring_source; empty: this server pulls no keyring */
extern char *laras_keyring_source;

/* One row of laras.pull_keyring(); bytes NULL where it has none. */
typedef void (*LarasPullVisit)(const char *piece, uint64 number, const uint8 *bytes, size_t n,
							   void *arg);

/*
 * Ask the source once, connecting where need be, and tell it how many slabs are
 * held here. False where it cannot be reached, refused, or this server was
 * promoted meanwhile; *why is then a message of the connection, good until the
 * next call. visit is called for each row in order. Serves interrupts. In the
 * standby's vault worker.
 */
extern bool laras_pull(const char *standby, uint64 journal, const uint8 chain[LARAS_CHAIN_LEN],
					   uint32 first_slab, const uint32 *slabs, int nslabs, uint32 held,
					   LarasPullVisit visit, void *arg, const char **why);

/* ---- standbycopy.c: the copy in this server's mirrors ---- */

/* What the standby's vault worker knows of its copy; beside laras_vault_work. */
typedef struct LarasStandbyCopy
{
	const char *database; /* its name, here and on the primary */
	bool building;        /* mirror `first` is a directory that has no name yet */
	bool known;           /* w->m.keyring and the vault are */
	bool published;
	int first;
	LarasJournalTail tail[LARAS_MAX_MIRRORS];
	LarasKeyring keyring; /* as it is here */

	/* comparing slabs, some in each answer */
	uint32 next_hash;
	bool pass_clean;  /* none differed since the pass began */
	bool whole;       /* a pass that began after the keyring file moved was clean */
	bool pass_counts; /* this pass began at its beginning */
	uint32 wanted[LARAS_PULL_SLABS];
	int nwanted;

	/*
	 * By slab: its keys are in the mirrors here, wrapped as the offered keyring
	 * file says. Marks that only the primary's has yet are the journal's matter.
	 */
	bool *held;

	/* of the answer that is being taken */
	LarasKeyring offered;
	uint8 lease[LARAS_LEASE_LEN];
	bool lease_offered;
	uint32 end_slab;
	uint64 end;
	bool changed; /* slabs were replaced: descriptors elsewhere are old */
} LarasStandbyCopy;

extern LarasStandbyCopy laras_copy;

/* for (each mirror i that is open) */
#define LARAS_EACH_MIRROR(i)                       \
	for (int i = 0; i < laras_vault_work.m.n; i++) \
		if ((laras_vault_work.opened & ((LarasMirrorMask) 1 << i)) != 0)

/* Find the keyring that was pulled before, if there is one; all that it marks is known then. */
extern void laras_copy_open(void);

/* Ask the source once. True: there is more to ask for at once. */
extern bool laras_copy_pull(void);

/* Tell the backends of this server of the copy, or of how far it has come. */
extern void laras_copy_publish(void);

/* Which vault of shared memory this keyring's is. */
extern void laras_copy_take_vault(const LarasKeyring *k);

/* Shared memory of a slab: who it is, which of its slots are destroyed. */
extern void
laras_copy_note_slab(uint32 number, const uint8 *image, const uint8 uuid[LARAS_UUID_LEN]);

/* A mirror that cannot be written is left out until it is opened again; raises for the last. */
extern void laras_copy_drop_mirror(int i, const LarasKeyError *err);

/* Say to whoever asks why the vault is shut. */
extern void laras_copy_say_why(const char *text);

/* ---- standbyanswer.c ---- */

/* The destroyed bits of a journal record. */
extern void laras_copy_heed(const LarasJournalRecord *rec);

/* One piece of an answer (LarasPullVisit). Raises where it cannot be this keyring's. */
extern void
laras_copy_take(const char *piece, uint64 number, const uint8 *bytes, size_t n, void *arg);

#endif /* LARAS_VAULT_STANDBY_H */
