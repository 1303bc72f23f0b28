/*
 * keyfile.h
 *		The signing key's file, read by the keeper alone, and the public key
 *		beside it, which anybody may read.
 *
 * Knows nothing of PostgreSQL. The file holds 64 hexadecimal digits (the
 * Ed25519 seed) and a newline, mode 0400, owner the server's account; beside
 * it lies <file>.pub, a PEM public key as openssl reads it.
 */
#ifndef LARAS_EVIDENCE_KEYFILE_H
#define LARAS_EVIDENCE_KEYFILE_H

#include "evidence/note.h"

typedef enum LarasKeyFileState
{
	LARAS_KEY_FILE_READ,
	LARAS_KEY_FILE_ABSENT,
	LARAS_KEY_FILE_UNSAFE, /* others may read it, or it is not ours */
	LARAS_KEY_FILE_MALFORMED,
	LARAS_KEY_FILE_FAILED /* errno says why; 0: the crypto library */
} LarasKeyFileState;

/* Read the key; *key is the caller's to free. */
extern LarasKeyFileState laras_key_file_read(const char *path, EVP_PKEY **key);

/*
 * Make a key file with a fresh seed, synced; never replaces one. Returns
 * ABSENT never, FAILED with errno EEXIST when somebody was faster.
 */
extern LarasKeyFileState laras_key_file_create(const char *path);

/*
 * Write <path>.pub unless it holds this key already. A .pub with another key
 * is left alone and answered with MALFORMED: a key is exchanged by a person.
 */
extern LarasKeyFileState laras_key_file_publish(const char *path, EVP_PKEY *key);

/* Read <path>.pub. */
extern LarasKeyFileState laras_key_file_public(const char *path, uint8_t out[LARAS_NOTE_PUBLIC]);

#endif /* LARAS_EVIDENCE_KEYFILE_H */
