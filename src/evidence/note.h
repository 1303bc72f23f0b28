/*
 * note.h
 *		Checkpoints as C2SP signed notes (signed-note, tlog-checkpoint) with
 *		Ed25519 (signature type 0x01).
 *
 * Knows nothing of PostgreSQL.
 *
 *		<origin>\n<size>\n<root, base64>\n[<extension line>\n ...]\n
 *		— <key name> <base64 of key id[4] || signature[64]>\n
 *
 * The key name is the origin, as tlog-checkpoint advises; one key pair signs
 * for every log of the installation.
 */
#ifndef LARAS_EVIDENCE_NOTE_H
#define LARAS_EVIDENCE_NOTE_H

#include <openssl/evp.h>

#include "evidence/merkle.h"

#define LARAS_NOTE_MAX 2048 /* bytes of a note we make or read */
#define LARAS_NOTE_ORIGIN 512
#define LARAS_NOTE_PUBLIC 32

typedef struct LarasCheckpoint
{
	const char *origin; /* not terminated when parsed */
	size_t origin_length;
	uint64_t size;
	LarasHash root;
	const char *extensions; /* lines, each ended by \n; may be empty */
	size_t extensions_length;
} LarasCheckpoint;

/* May this stand as an origin and key name? No space, plus, control, newline. */
extern bool laras_note_is_origin(const char *origin, size_t n);

/* SHA-256(name || 0x0A || 0x01 || public key)[0..3] */
extern bool laras_note_key_id(const char *name, size_t n,
							  const uint8_t public_key[LARAS_NOTE_PUBLIC], uint8_t id[4]);

/*
 * Write the checkpoint, signed, NUL-terminated, into out (LARAS_NOTE_MAX
 * bytes); returns its length, 0 when it is not well formed, too long, or
 * OpenSSL fails.
 */
extern size_t laras_note_sign(const LarasCheckpoint *checkpoint, EVP_PKEY *key, char *out);

/*
 * Read a note strictly: the text into *checkpoint (pointing into the note),
 * its length with the last newline into *text_length. False when malformed.
 */
extern bool
laras_note_parse(const char *note, size_t n, LarasCheckpoint *checkpoint, size_t *text_length);

/* Parse, and demand a right signature of this key under the origin's name. */
extern bool
laras_note_verify(const char *note, size_t n, const uint8_t public_key[LARAS_NOTE_PUBLIC],
				  LarasCheckpoint *checkpoint);

/* The 32 public bytes of an Ed25519 pair. */
extern bool laras_note_public(EVP_PKEY *key, uint8_t out[LARAS_NOTE_PUBLIC]);

/* Standard base64 with padding; out has room for 4 * ((n + 2) / 3) + 1. */
extern size_t laras_base64_write(const uint8_t *p, size_t n, char *out);
/* Strict and canonical; returns bytes written or -1. out: 3 * n / 4 bytes. */
extern int laras_base64_read(const char *p, size_t n, uint8_t *out);

#endif /* LARAS_EVIDENCE_NOTE_H */
