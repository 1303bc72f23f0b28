/*
 * masterkey.h
 *		Master keys as they come from a file or a command.
 *
 * One line an epoch, "<epoch> <64 hex digits>\n", lowest first.  Everything
 * read is wiped once parsed.  Running the command (fork, exec, pipe) belongs
 * to the vault worker; it hands the reading end of the pipe to
 * laras_masterkey_read_fd.
 */
#ifndef LARAS_VAULT_MASTERKEY_H
#define LARAS_VAULT_MASTERKEY_H

#include "vault/keyringfile.h"

#define LARAS_MAX_MASTERS 8
#define LARAS_MASTER_TEXT (LARAS_MAX_MASTERS * 80)

typedef struct LarasMaster
{
	uint16_t epoch;
	uint8_t key[LARAS_KEY_LEN];
} LarasMaster;

typedef struct LarasMasterKeys
{
	int n;
	LarasMaster master[LARAS_MAX_MASTERS];
} LarasMasterKeys;

/*
 * Parse the text; strict: decimal epoch 1-65535 without leading zeros, one
 * space, 64 hex digits, newline (the last may lack it), ascending, nothing
 * else.  MASTER_KEY where it is not so.  keys is wiped on failure.
 */
extern bool
laras_masterkey_parse(const char *text, size_t n, LarasMasterKeys *keys, LarasKeyError *err);

/*
 * Read a key file.  UNSAFE where it is missing, not a regular file, not this
 * user's (or root's), readable or writable by group or others, or writable by
 * nobody's business at all: mode must be 0400 or 0600.
 */
extern bool laras_masterkey_read_file(const char *path, LarasMasterKeys *keys, LarasKeyError *err);

/*
 * Read from a pipe until end of file, at most timeout_ms.  COMMAND where the
 * time is over or reading fails, MASTER_KEY where the text does not parse (no
 * output included).  wake, if not NULL, is called at least every 100 ms and
 * stops the reading (COMMAND) when it returns true: pending interrupts.
 */
extern bool laras_masterkey_read_fd(int fd, int timeout_ms, bool (*wake)(void *arg), void *arg,
									LarasMasterKeys *keys, LarasKeyError *err);

/*
 * Do these keys fit the keyring?  Every epoch from oldest to current must be
 * there and the check bytes of both must hold; no later line may be, but the
 * next epoch (current + 1), which a key file holds from the moment rotation is
 * prepared; earlier ones are retired, and there until they are destroyed.  want_next: it must be there ("rotate").  MASTER_KEY else.
 */
extern bool laras_masterkey_check(const LarasMasterKeys *keys, const LarasKeyring *keyring,
								  bool want_next, LarasKeyError *err);

/* The check bytes alone: do those of the oldest and the current epoch hold that are there? */
extern bool
laras_masterkey_fits(const LarasMasterKeys *keys, const LarasKeyring *keyring, LarasKeyError *err);

/* The key of an epoch, or NULL. */
extern const uint8_t *laras_masterkey_find(const LarasMasterKeys *keys, uint16_t epoch);

/* Wrapping keys of one domain for all epochs that the keyring still uses. */
extern bool laras_masterkey_wraps(const LarasMasterKeys *keys, const LarasKeyring *keyring,
								  uint8_t domain, LarasWrapSet *wraps);

extern void laras_masterkey_wipe(LarasMasterKeys *keys);

#endif /* LARAS_VAULT_MASTERKEY_H */
