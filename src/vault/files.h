/*
 * files.h
 *		Whole reads and writes, and putting a file in place: shared by the
 *		files of the keyring, private to src/vault.
 */
#ifndef LARAS_VAULT_FILES_H
#define LARAS_VAULT_FILES_H

#include <sys/types.h>

#include "vault/keyerror.h"

/* pread/pwrite until n bytes are through; false with errno set (0: end of file). */
extern bool laras_pread_all(int fd, void *p, size_t n, off_t at);
extern bool laras_pwrite_all(int fd, const void *p, size_t n, off_t at);

/* fdatasync; false with errno set. Whoever fails here rewrites before it syncs again. */
extern bool laras_sync_data(int fd);

/* Does name exist in dirfd? */
extern bool laras_file_exists(int dirfd, const char *name);

/*
 * Put n bytes under a name: temporary name, written, synced, renamed over
 * name, directory synced.  MIRROR on failure; the temporary file is gone then.
 */
extern bool
laras_file_install(int dirfd, const char *name, const void *p, size_t n, LarasKeyError *err);

/* fsync of a directory descriptor. */
extern bool laras_directory_sync(int dirfd, LarasKeyError *err);

#endif /* LARAS_VAULT_FILES_H */
