/*
 * keyerror.h
 *		Errors of the keyring as values.
 *
 * The file-and-crypto half of the vault never raises: it runs in commit
 * callbacks, in the vault worker, in small programs and under a fuzzer.  Every
 * function that can fail returns false (or a state) and fills a
 * LarasKeyError; the server half turns it into an ereport with SQLSTATE
 * LRK<code>, where an ereport is allowed.
 *
 * An error holds numbers and one constant string.  It never holds a path, a
 * key or a byte that was read.
 */
#ifndef LARAS_VAULT_KEYERROR_H
#define LARAS_VAULT_KEYERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number is the two digits of LRKxx (design: keys.md, section 12). */
typedef enum LarasKeyErrorCode
{
	LARAS_KEYERR_NONE = 0,
	LARAS_KEYERR_CLOSED = 1,           /* vault closed */
	LARAS_KEYERR_MASTER_KEY = 2,       /* wrong, missing, short or surplus line */
	LARAS_KEYERR_DAMAGED = 3,          /* slot, header, lease or journal damaged */
	LARAS_KEYERR_ABSENT = 4,           /* slab or keyring file not there */
	LARAS_KEYERR_FOREIGN_VALUE = 5,    /* value does not belong here */
	LARAS_KEYERR_FOREIGN_OWNER = 6,    /* keyring of another cluster or database */
	LARAS_KEYERR_OLDER = 7,            /* keyring older than its witness */
	LARAS_KEYERR_HELD = 8,             /* destruction waits for a hold */
	LARAS_KEYERR_NO_SLOT = 9,          /* no free slot in sync */
	LARAS_KEYERR_DISAGREE = 10,        /* mirrors disagree */
	LARAS_KEYERR_MAINTENANCE = 11,     /* not revealed to maintenance commands */
	LARAS_KEYERR_UNSAFE = 12,          /* key file or directory unsafe */
	LARAS_KEYERR_MIRROR = 13,          /* mirror cannot be read or written */
	LARAS_KEYERR_COMMAND = 14,         /* key command failed or timed out */
	LARAS_KEYERR_FOREIGN_CONTENT = 98, /* the contents are of another keyring: report LRK06 */
	LARAS_KEYERR_CRYPTO = 99           /* the crypto library refused (out of memory);
									 * not an LRK code: report XX000 */
} LarasKeyErrorCode;

#define LARAS_KEYERR_NO_MIRROR (-1)
#define LARAS_KEYERR_NO_SLOT_ID UINT32_MAX

typedef struct LarasKeyError
{
	LarasKeyErrorCode code;
	int mirror;       /* index in the set, or LARAS_KEYERR_NO_MIRROR */
	uint32_t slot;    /* slot id, or LARAS_KEYERR_NO_SLOT_ID */
	int sys_errno;    /* errno of the failed call, or 0 */
	uint32_t line;    /* of the key file, from 1, or 0 */
	uint32_t epoch;   /* of the master key, or 0 */
	const char *what; /* constant English, e.g. "slab header checksum" */
} LarasKeyError;

/* Start value: no error. */
#define LARAS_KEYERROR_INIT                                                               \
	{                                                                                     \
		LARAS_KEYERR_NONE, LARAS_KEYERR_NO_MIRROR, LARAS_KEYERR_NO_SLOT_ID, 0, 0, 0, NULL \
	}

/*
 * Fill an error; always returns false, so that callers may
 * "return laras_keyerror(...)".  err may be NULL.  sys_errno is stored as
 * given: pass errno where a system call failed, 0 elsewhere.
 */
static inline bool
laras_keyerror(LarasKeyError *err, LarasKeyErrorCode code, int sys_errno, const char *what)
{
	if (err != NULL)
	{
		err->code = code;
		err->mirror = LARAS_KEYERR_NO_MIRROR;
		err->slot = LARAS_KEYERR_NO_SLOT_ID;
		err->sys_errno = sys_errno;
		err->line = 0;
		err->epoch = 0;
		err->what = what;
	}
	return false;
}

/* The same, about the master key of an epoch (0: none) or a line of the key file (0: none). */
static inline bool
laras_keyerror_of_key(LarasKeyError *err, const char *what, uint32_t line, uint32_t epoch)
{
	laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0, what);
	if (err != NULL)
	{
		err->line = line;
		err->epoch = epoch;
	}
	return false;
}

#define LARAS_KEYERROR_TEXT 192

/* What it says, with its numbers, for a detail or a log: into text, which is returned. */
extern const char *laras_keyerror_text(const LarasKeyError *err, char text[LARAS_KEYERROR_TEXT]);

#endif /* LARAS_VAULT_KEYERROR_H */
