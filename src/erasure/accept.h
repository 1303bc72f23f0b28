/*
 * accept.h
 *		The acceptance of an erasure, which is the erasure: a subject unlinked,
 *		its keys ordered destroyed, the request on record. For files of
 *		src/erasure only.
 *
 * Everything runs inside laras_spi_open(), as laras_owner with the subject's
 * workspace bound, in the transaction whose commit destroys the keys. Nothing
 * here needs a key.
 */
#ifndef LARAS_ERASURE_ACCEPT_H
#define LARAS_ERASURE_ACCEPT_H

#include "datatype/timestamp.h"
#include "erasure/erasure.h"
#include "evidence/evidence.h"

/* what is written about a request when it is accepted */
typedef struct LarasAcceptance
{
	int64 id;
	bytea *code_hash; /* SHA-256 of the code, or what stands for it after a restore */
	bytea *request_digest;
	int64 workspace_id; /* 0: none */
	const char *scope;
	int64 subject_id; /* 0: none */
	const char *path;
	const char *channel;
	const char *state;
	const char *requested_by;
	TimestampTz at; /* when it was asked: now, or the time in the keyring */
	bytea *subject;
	int connections;
	int slots;
	bytea *slot_digest;
	uint8 order[16]; /* the first half of the code's hash */
} LarasAcceptance;

/* SHA-256 as bytea */
extern bytea *laras_erasure_digest(const void *p, size_t n);

/*
 * The order under which a code's keys are destroyed is the first half of the
 * code's hash: the keyring's journal can so tell after a restore which code an
 * erasure had. Fills code_hash and order.
 */
extern void laras_erasure_name(LarasAcceptance *a, const char *code);

/* The same of a new code, which is written there. */
extern void laras_erasure_code(LarasAcceptance *a, char code[LARAS_CODE_LENGTH + 1]);

/*
 * Unlink a contact: what waits for it is cancelled, its identities go, its row
 * becomes a tombstone, its keys are ordered destroyed. False: no such contact.
 */
extern bool laras_erase_contact(LarasAcceptance *a);

/* Close a workspace: connections cut, sessions, keys and log-ins ended, its key destroyed. */
extern void laras_erase_workspace(LarasAcceptance *a);

/* Write the request. */
extern void laras_erasure_store(const LarasAcceptance *a);

/* Write an act about it; of the provider where it asked, of who is bound else. */
extern void laras_erasure_evidence(const LarasAcceptance *a, LarasAction action);

#endif /* LARAS_ERASURE_ACCEPT_H */
