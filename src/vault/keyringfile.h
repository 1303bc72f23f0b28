/*
 * keyringfile.h
 *		The keyring file, the directory it lies in, and making a new keyring.
 *
 * One keyring per database, "<mirror path>/<number>/" in every mirror: the
 * files keyring, lease, slab-%08x and journal-%08x, byte-identical in all
 * mirrors that are in sync.  Owner read/write only.
 *
 * The directory itself is locked (flock on its descriptor) by the vault worker
 * of the one cluster and database that uses it; there is no lock file, so that
 * mirrors stay identical.
 */
#ifndef LARAS_VAULT_KEYRINGFILE_H
#define LARAS_VAULT_KEYRINGFILE_H

#include "vault/derive.h"
#include "vault/keyerror.h"
#include "vault/lease.h"
#include "vault/slot.h"

#define LARAS_KEYRING_LEN 4096
#define LARAS_KEYRING_FILE "keyring"
#define LARAS_KEYRING_VERSION 1

typedef struct LarasKeyring
{
	uint16_t number;
	uint8_t uuid[LARAS_UUID_LEN];
	uint64_t owner_system;   /* system identifier of the owning cluster */
	uint32_t owner_database; /* OID of the owning database */
	uint64_t adoptions;
	uint8_t courier_public[LARAS_KEY_LEN];
	uint16_t current_epoch;
	uint16_t oldest_epoch;
	uint8_t check_current[LARAS_CHECK_LEN];
	uint8_t check_oldest[LARAS_CHECK_LEN];
} LarasKeyring;

extern bool laras_keyring_encode(const LarasKeyring *k, uint8_t out[LARAS_KEYRING_LEN]);

/* False where magic, version or checksum does not hold. */
extern bool laras_keyring_decode(const uint8_t in[LARAS_KEYRING_LEN], LarasKeyring *k);

extern bool laras_keyring_same(const LarasKeyring *a, const LarasKeyring *b);

/* ABSENT where there is no file, DAMAGED where it does not decode, MIRROR else. */
extern bool laras_keyring_read(int dirfd, LarasKeyring *k, LarasKeyError *err);

/* Write, sync, rename, sync directory. */
extern bool laras_keyring_replace(int dirfd, const LarasKeyring *k, LarasKeyError *err);

/*
 * Is this directory fit to hold keys?  It must be a directory, not a symbolic
 * link, owned by this user, without any right for group or others; else UNSAFE
 * with the reason in what.  ABSENT where it does not exist.
 */
extern bool laras_directory_check(const char *path, LarasKeyError *err);

/*
 * Is path, links resolved, inside parent (or the same)?  Used for the data
 * directory and every tablespace.  A path that cannot be resolved yet is
 * judged by its nearest existing ancestor.
 */
extern bool laras_path_is_inside(const char *path, const char *parent);

/*
 * Open "<path>/<number>", checking both directories and that the keyring files
 * in it are this user's regular files without rights for group or others.
 * Returns a directory descriptor (close-on-exec) or -1: ABSENT (no such
 * number), UNSAFE, MIRROR.
 */
extern int laras_keyring_directory(const char *path, uint16_t number, LarasKeyError *err);

/*
 * Lock the keyring in this mirror for the life of dirfd (and of the processes
 * that inherit it).  FOREIGN_OWNER where somebody else holds it.
 */
extern bool laras_keyring_lock(int dirfd, LarasKeyError *err);

/* What a new keyring needs. */
typedef struct LarasKeyringPlan
{
	uint16_t number;
	uint64_t owner_system;
	uint32_t owner_database;
	uint16_t epoch;        /* of the master key, usually 1 */
	const uint8_t *master; /* 32 bytes */
	uint32_t slabs;        /* leased slabs to begin with; rounded up to whole
								 * windows of 16, at least one window */
	int64_t now;           /* microseconds since 1970 UTC */
} LarasKeyringPlan;

/*
 * Make a new keyring in n mirror directories (which must exist and be safe),
 * identical in all: slab 0 (platform secret, courier seed, applications), the
 * first windows of leased slabs, lease at 0, journal file 0, and the keyring
 * file last.  Everything is written under "<number>.new", synced, and renamed,
 * so that a crash leaves either nothing or a whole keyring; a left-over
 * "<number>.new" is replaced.  Refused with DISAGREE where any mirror already
 * has the number.  Takes malloc'd scratch of one slab; wipes what was secret.
 * Not atomic across mirrors: after a crash between two renames the mirror that
 * lacks the keyring is filled with laras_keyring_copy.
 */
extern bool laras_keyring_create(const char *const *paths, int n, const LarasKeyringPlan *plan,
								 LarasKeyring *made, LarasKeyError *err);

/*
 * The two halves of making: an empty "<path>/<number>.new" (a left-over one is
 * replaced), opened, or -1 with DISAGREE where the number exists; and its name
 * without ".new", for good.
 */
extern int laras_keyring_new_directory(const char *path, uint16_t number, LarasKeyError *err);
extern bool laras_keyring_name_directory(const char *path, uint16_t number, LarasKeyError *err);

/*
 * Fill an empty mirror: copy every file of an open keyring directory into
 * "<path>/<number>.new", sync, rename.  Refused where "<path>/<number>" exists.
 * The caller holds off writers (it is the vault worker, before the mirror
 * counts as in sync).  between, if not NULL, is called after every file.  What
 * a failure left is removed.
 */
extern bool laras_keyring_copy(int from_dirfd, const char *to_path, uint16_t number,
							   void (*between)(void), LarasKeyError *err);

/*
 * More slabs, identical in n open directories: windows from slab first
 * (a multiple of 16, at least 16) on, count slabs.  Slabs that exist are left
 * alone, or copied to a mirror that lacks them.  content_wrap of epoch.
 */
extern bool laras_keyring_grow(const int *dirfds, int n, const LarasKeyring *k, uint16_t epoch,
							   const uint8_t content_wrap[LARAS_KEY_LEN], uint32_t first,
							   uint32_t count, int64_t now, LarasKeyError *err);

/* First slab number from 16 on that does not exist in dirfd. */
extern uint32_t laras_keyring_next_slab(int dirfd);

/*
 * One more than the highest slab number that any name in dirfd has, at least
 * 16: shows slabs that are missing below it.  16 where it cannot be listed.
 */
extern uint32_t laras_keyring_slab_end(int dirfd);

/* Remove what writing a file of the keyring left behind in a crash. The caller has the lock. */
extern void laras_keyring_tidy(int dirfd);

#endif /* LARAS_VAULT_KEYRINGFILE_H */
