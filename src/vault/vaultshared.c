/*
 * vaultshared.c
 *		The vault's shared memory: slot bits, lease, orphans, journal tail; and
 *		the key page, a mapping of its own.
 *
 * Invariant: K_wrap(content) exists in the key page and nowhere else in the
 * server, and the page is in no core file and on no swap device. The main
 * segment holds no secret, so that huge pages and dumps of it do no harm.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/compat.h"
#include "base/errors.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

#define KEY_PAGE_LEN 4096
#define LOCKS_OF_VAULT (3 + LARAS_MAX_MIRRORS)
#define VAULT_TRANCHE "laras_vault"

StaticAssertDecl(sizeof(LarasKeyPage) <= KEY_PAGE_LEN, "the key page outgrew its page");

typedef struct VaultDirectory
{
	int n;
	LarasVault vault[FLEXIBLE_ARRAY_MEMBER];
} VaultDirectory;

static VaultDirectory *directory = NULL;
static LarasVault *here = NULL;

/* made once by the postmaster and kept over crash restarts */
static char *key_pages = NULL;
static Size key_pages_len = 0;

static Size
bits_size(void)
{
	return (Size) laras_keyring_max_slots / 8;
}

static uint32
max_slabs(void)
{
	return (uint32) laras_keyring_max_slots / LARAS_SLOTS_PER_SLAB;
}

static Size
directory_size(int n)
{
	Size one = 0;

	one = add_size(one, 2 * MAXALIGN(bits_size()));
	one = add_size(one, MAXALIGN(mul_size(max_slabs(), sizeof(LarasSlabInfo))));
	one = add_size(one, MAXALIGN(LARAS_VAULT_ORPHANS * sizeof(uint32)));
	one = add_size(one, MAXALIGN(LARAS_VAULT_RING * LARAS_JOURNAL_RECORD_LEN));
	one = add_size(one, sizeof(LarasVault));
	return add_size(MAXALIGN(offsetof(VaultDirectory, vault) + sizeof(LarasVault) * n),
					mul_size(one, n));
}

void
laras_vault_shmem_request(void)
{
	int n = laras_vault_ndatabases();

	RequestAddinShmemSpace(directory_size(n));
	RequestNamedLWLockTranche(VAULT_TRANCHE, n * LOCKS_OF_VAULT);
}

/*
 * Make the key mapping, in the postmaster, before any child exists. Its
 * content does not survive a crash restart: it is wiped here each time.
 */
static void
make_key_pages(int n)
{
	Size len = (Size) KEY_PAGE_LEN * n;

	if (key_pages == NULL)
	{
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY),
							errmsg("could not map the vault's key page: %m")));
		if (madvise(p, len, MADV_DONTDUMP) != 0)
			ereport(WARNING, (errcode(ERRCODE_SYSTEM_ERROR),
							  errmsg("could not keep the vault's key page out of core files: %m")));
		if (mlock(p, len) != 0)
			ereport(
				WARNING,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not lock the vault's key page into memory: %m"),
				 errhint(
					 "Raise the limit of locked memory (ulimit -l, LimitMEMLOCK), or run without swap.")));
		key_pages = p;
		key_pages_len = len;
	}
	laras_wipe(key_pages, key_pages_len);
}

static void
init_vault(LarasVault *v, int index, LWLockPadded *locks, char **space)
{
	uint32 words = (uint32) laras_keyring_max_slots / 32;

	memset(v, 0, sizeof(*v));
	v->index = index;
	pg_atomic_init_u32(&v->database, InvalidOid);
	v->lock = &locks[0].lock;
	v->orphan_lock = &locks[1].lock;
	v->journal_lock = &locks[2].lock;
	for (int i = 0; i < LARAS_MAX_MIRRORS; i++)
		v->flush_lock[i] = &locks[3 + i].lock;
	pg_atomic_init_u32(&v->known, 0);
	pg_atomic_init_u32(&v->owned, 0);
	v->why = LARAS_KEYERR_CLOSED;
	strlcpy(v->why_text, "the vault worker has not opened the keyring yet", sizeof(v->why_text));

	v->page = (LarasKeyPage *) (key_pages + (Size) KEY_PAGE_LEN * index);
	pg_atomic_init_u32(&v->page->phase, LARAS_VAULT_CLOSED);
	pg_atomic_init_u64(&v->page->generation, 1);

	v->max_slots = (uint32) laras_keyring_max_slots;
	v->destroyed = (pg_atomic_uint32 *) *space;
	*space += MAXALIGN(bits_size());
	v->damaged = (pg_atomic_uint32 *) *space;
	*space += MAXALIGN(bits_size());
	for (uint32 i = 0; i < words; i++)
	{
		pg_atomic_init_u32(&v->destroyed[i], 0);
		pg_atomic_init_u32(&v->damaged[i], 0);
	}
	v->slabs = (LarasSlabInfo *) *space;
	*space += MAXALIGN(max_slabs() * sizeof(LarasSlabInfo));
	for (uint32 i = 0; i < max_slabs(); i++)
		pg_atomic_init_u32(&v->slabs[i].present, 0);
	v->orphans = (uint32 *) *space;
	*space += MAXALIGN(LARAS_VAULT_ORPHANS * sizeof(uint32));
	v->ring = (uint8(*)[LARAS_JOURNAL_RECORD_LEN]) * space;
	*space += MAXALIGN(LARAS_VAULT_RING * LARAS_JOURNAL_RECORD_LEN);

	SpinLockInit(&v->lease_lock);
	ConditionVariableInit(&v->lease_moved);
	ConditionVariableInit(&v->adopt_moved);
	pg_atomic_init_u64(&v->journal_last, 0);
	pg_atomic_init_u64(&v->rotate_done, 0);
	pg_atomic_init_u32(&v->rotate_waits, 0);
	pg_atomic_init_u64(&v->rotate_total, 0);
	pg_atomic_init_u32(&v->scrub_asked, 0);
	pg_atomic_init_u32(&v->witness_compared, 0);
	memset(v->standby, 0, sizeof(v->standby));
	pg_atomic_init_u32(&v->scrub_running, 0);
	pg_atomic_init_u64(&v->scrub_started, 0);
	pg_atomic_init_u64(&v->scrub_done, 0);
	pg_atomic_init_u64(&v->scrub_total, 0);
	for (int i = 0; i < LARAS_SCRUB_COUNTS; i++)
		pg_atomic_init_u64(&v->scrub_count[i], 0);
	for (int i = 0; i < LARAS_MAX_MIRRORS; i++)
	{
		LarasMirrorInfo *m = &v->mirror[i];

		pg_atomic_init_u32(&m->state, LARAS_MIRROR_NONE);
		pg_atomic_init_u64(&m->applied, 0);
		pg_atomic_init_u32(&m->was_in_sync, 0);
		pg_atomic_init_u32(&m->failures, 0);
		pg_atomic_init_u32(&m->direct, 0);
		ConditionVariableInit(&m->moved);
	}
	pg_atomic_init_u64(&v->pending_orders, 0);
	pg_atomic_init_u64(&v->swept, 0);
	pg_atomic_init_u64(&v->left_over, 0);
	pg_atomic_init_u32(&v->sweep_off, LARAS_SWEEP_NOT_YET);
	pg_atomic_init_u32(&v->slabs_made, 0);
}

void
laras_vault_shmem_startup(void)
{
	bool found;
	int n = laras_vault_ndatabases();
	LWLockPadded *locks;
	char *space;

	if (!IsUnderPostmaster)
		make_key_pages(n);
	here = NULL;
	directory = ShmemInitStruct("laras vault", directory_size(n), &found);
	if (found)
		return;
	directory->n = n;
	locks = GetNamedLWLockTranche(VAULT_TRANCHE);
	space = (char *) directory + MAXALIGN(offsetof(VaultDirectory, vault) + sizeof(LarasVault) * n);
	for (int i = 0; i < n; i++)
		init_vault(&directory->vault[i], i, locks + i * LOCKS_OF_VAULT, &space);
}

LarasVault *
laras_vault_at(int index)
{
	if (directory == NULL || index < 0 || index >= directory->n)
		return NULL;
	return &directory->vault[index];
}

LarasVault *
laras_vault_here(void)
{
	if (here != NULL && pg_atomic_read_u32(&here->database) == MyDatabaseId)
		return here;
	here = NULL;
	if (directory == NULL || !OidIsValid(MyDatabaseId))
		return NULL;
	for (int i = 0; i < directory->n; i++)
	{
		if (pg_atomic_read_u32(&directory->vault[i].database) == MyDatabaseId)
		{
			here = &directory->vault[i];
			return here;
		}
	}
	return NULL;
}

bool
laras_vault_is_open(void)
{
	LarasVault *v = laras_vault_here();

	return v != NULL && laras_vault_phase(v) == LARAS_VAULT_OPEN;
}

bool
laras_keyring_is_ours(void)
{
	LarasVault *v = laras_vault_here();

	return v != NULL && pg_atomic_read_u32(&v->known) != 0 && pg_atomic_read_u32(&v->owned) != 0;
}

bool
laras_keyring_is_of_other_contents(void)
{
	LarasVault *v = laras_vault_here();
	bool other;

	if (v == NULL)
		return false;
	LWLockAcquire(v->lock, LW_SHARED);
	other = v->why == LARAS_KEYERR_FOREIGN_CONTENT;
	LWLockRelease(v->lock);
	return other;
}

uint64
laras_vault_generation(void)
{
	LarasVault *v = laras_vault_here();

	return v == NULL ? 0 : pg_atomic_read_u64(&v->page->generation);
}

void
laras_vault_require_open(void)
{
	LarasVault *v = laras_vault_here();

	if (v == NULL || laras_vault_phase(v) != LARAS_VAULT_OPEN)
		laras_vault_raise_closed(v);
}

static int
sqlstate_of(LarasKeyErrorCode code)
{
	switch (code)
	{
		case LARAS_KEYERR_CLOSED:
			return LARAS_ERRCODE_VAULT_CLOSED;
		case LARAS_KEYERR_MASTER_KEY:
			return LARAS_ERRCODE_WRONG_MASTER_KEY;
		case LARAS_KEYERR_DAMAGED:
			return LARAS_ERRCODE_KEY_DAMAGED;
		case LARAS_KEYERR_ABSENT:
			return LARAS_ERRCODE_SLAB_ABSENT;
		case LARAS_KEYERR_FOREIGN_VALUE:
			return LARAS_ERRCODE_VALUE_MISPLACED;
		case LARAS_KEYERR_FOREIGN_OWNER:
		case LARAS_KEYERR_FOREIGN_CONTENT:
			return LARAS_ERRCODE_KEYRING_FOREIGN;
		case LARAS_KEYERR_OLDER:
			return LARAS_ERRCODE_KEYRING_OLD;
		case LARAS_KEYERR_HELD:
			return LARAS_ERRCODE_DESTRUCTION_HELD;
		case LARAS_KEYERR_NO_SLOT:
			return LARAS_ERRCODE_NO_SLOT;
		case LARAS_KEYERR_DISAGREE:
			return LARAS_ERRCODE_MIRRORS_DISAGREE;
		case LARAS_KEYERR_MAINTENANCE:
			return LARAS_ERRCODE_REVEAL_IN_MAINTENANCE;
		case LARAS_KEYERR_UNSAFE:
			return LARAS_ERRCODE_KEY_FILE_UNSAFE;
		case LARAS_KEYERR_MIRROR:
			return LARAS_ERRCODE_MIRROR_UNWRITABLE;
		case LARAS_KEYERR_COMMAND:
			return LARAS_ERRCODE_KEY_COMMAND_FAILED;
		case LARAS_KEYERR_NONE:
		case LARAS_KEYERR_CRYPTO:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

static const char *
message_of(LarasKeyErrorCode code)
{
	switch (code)
	{
		case LARAS_KEYERR_CLOSED:
			return "the vault is closed";
		case LARAS_KEYERR_MASTER_KEY:
			return "the master key is wrong";
		case LARAS_KEYERR_DAMAGED:
			return "the key is damaged";
		case LARAS_KEYERR_ABSENT:
			return "the key's slab is absent";
		case LARAS_KEYERR_FOREIGN_VALUE:
			return "the sealed value does not belong here";
		case LARAS_KEYERR_FOREIGN_OWNER:
			return "the keyring belongs to another cluster or database";
		case LARAS_KEYERR_FOREIGN_CONTENT:
			return "the contents of this database belong to another keyring";
		case LARAS_KEYERR_OLDER:
			return "the keyring is older than its witness";
		case LARAS_KEYERR_HELD:
			return "the destruction waits for a hold";
		case LARAS_KEYERR_NO_SLOT:
			return "no free key slot is in sync";
		case LARAS_KEYERR_DISAGREE:
			return "the keyring's mirrors disagree";
		case LARAS_KEYERR_MAINTENANCE:
			return "sealed content is not revealed to maintenance commands";
		case LARAS_KEYERR_UNSAFE:
			return "the master key or the keyring directory is unsafe";
		case LARAS_KEYERR_MIRROR:
			return "a mirror of the keyring cannot be read or written";
		case LARAS_KEYERR_COMMAND:
			return "the master key command failed";
		case LARAS_KEYERR_NONE:
		case LARAS_KEYERR_CRYPTO:
			break;
	}
	return "the cryptographic library failed";
}

static const char *
hint_of(LarasKeyErrorCode code)
{
	switch (code)
	{
		case LARAS_KEYERR_CLOSED:
			return "See laras.keyring_status and the log of the vault worker; check laras.keyring_directory, laras.master_key_file and laras.master_key_command.";
		case LARAS_KEYERR_MASTER_KEY:
			return "Provide the master keys of the epochs that laras.keyring_status names, and for a rotation that of the next one: a line for each, the lowest epoch first.";
		case LARAS_KEYERR_DAMAGED:
			return "The vault worker repairs the key from another mirror; without one, restore the keyring from a copy. Nothing was erased.";
		case LARAS_KEYERR_ABSENT:
			return "Mount or restore the keyring's missing slab. Nothing was erased.";
		case LARAS_KEYERR_FOREIGN_VALUE:
			return "A sealed value opens only in the row, column and workspace that it was sealed for.";
		case LARAS_KEYERR_FOREIGN_OWNER:
			return "If this database took the place of the keyring's owner, call laras.adopt_keyring().";
		case LARAS_KEYERR_FOREIGN_CONTENT:
			return "To read them, put the mirrors of that keyring into laras.keyring_directory and restart. A clone that is to have no content stays as it is.";
		case LARAS_KEYERR_OLDER:
			return "Put back the newest mirrors of the keyring, the old primary's after a failover. Where none is newer, and only then, take this copy: docs/how-to/restore.md and failover.md say how, and what of it is lost.";
		case LARAS_KEYERR_NO_SLOT:
			return "Check that the vault worker runs and that the mirrors have room.";
		case LARAS_KEYERR_DISAGREE:
			return "Two mirrors hold different live keys for one slot; a person must decide which copy is true.";
		case LARAS_KEYERR_UNSAFE:
			return "The key file must have mode 0400 or 0600 and belong to the server's user; key and keyring must lie outside the data directory, in directories that only that user can enter.";
		case LARAS_KEYERR_MIRROR:
			return "Check that the mirror's directory exists, has room, and is writable by the server's user.";
		case LARAS_KEYERR_COMMAND:
			return "Run laras.master_key_command by hand as the server's user; it must end within 30 seconds.";
		default:
			return NULL;
	}
}

void
laras_vault_raise_closed(LarasVault *v)
{
	LarasKeyErrorCode why = LARAS_KEYERR_CLOSED;
	char text[sizeof(v->why_text)];
	const char *hint;

	if (v == NULL)
	{
		if (!laras_is_preloaded())
			laras_require_preload();
		strlcpy(text, "no vault worker has started for this database", sizeof(text));
	}
	else
	{
		LWLockAcquire(v->lock, LW_SHARED);
		if (laras_vault_phase(v) == LARAS_VAULT_REPLAYING)
			strlcpy(text, "pending destructions are being applied first", sizeof(text));
		else
		{
			why = v->why;
			strlcpy(text, v->why_text, sizeof(text));
		}
		LWLockRelease(v->lock);
	}
	hint = hint_of(why);
	ereport(ERROR, (errcode(sqlstate_of(why)), errmsg("%s", message_of(why)),
					text[0] ? errdetail("The vault is closed: %s.", text) : 0,
					hint ? errhint("%s", hint) : 0));
}

static void
report(int elevel, const LarasKeyError *err, const char *doing)
{
	const char *hint = hint_of(err->code);
	char text[LARAS_KEYERROR_TEXT];

	ereport(elevel,
			(errcode(sqlstate_of(err->code)), errmsg("%s", message_of(err->code)),
			 err->what == NULL ? 0
			 : doing != NULL   ? errdetail("While %s: %s.", doing, laras_keyerror_text(err, text))
							   : errdetail("Reason: %s.", laras_keyerror_text(err, text)),
			 hint != NULL ? errhint("%s", hint) : 0, errhidestmt(true)));
}

void
laras_vault_raise(const LarasKeyError *err)
{
	report(ERROR, err, NULL);
	pg_unreachable();
}

void
laras_vault_log(int elevel, const LarasKeyError *err, const char *doing)
{
	Assert(elevel < ERROR);
	report(elevel, err, doing);
}
