/*
 * erasure.h
 *		Erasing: a request, its keys in the same transaction, its rows after.
 *
 * request.c	request_erasure, explain_erasure, a provider's callback.
 * accept.c		the acceptance: subjects unlinked, keys ordered destroyed.
 * plan.c		which rows of which tables, in which order; the one plan that is
 *				shown and executed.
 * remove.c		the keeper's batches, and the end: removed.
 * list.c		lists of ids, taken; listwork.c, worked off.
 * expire.c		what goes by itself when its term is over.
 * replay.c		erasures that a restore has undone, done again.
 * resume.c		laras.resume(): a restored database is taken into use.
 * keyring.c	what a person states about copies of keys.
 * status.c		what the confirmation code shows, to anybody who holds it.
 *
 * The three words. unreadable: the commit that accepted the request destroyed
 * the keys. removed: the rows are gone. final: no old copy of the keyring opens
 * either (comes with key rotation).
 */
#ifndef LARAS_ERASURE_H
#define LARAS_ERASURE_H

#include "base/json.h"
#include "datatype/timestamp.h"
#include "worker/worker.h"

/* 32 hex digits: 128 random bits, or keyed bits where a provider may repeat its request */
#define LARAS_CODE_LENGTH 32

/*
 * A provider's deletion callback for an app-scoped user id, already verified.
 * Every connection that the person authorised through that app is cut in this
 * transaction; the code's status says what was done, or that nothing was held.
 * The same signed_request gives the same code and changes nothing again.
 * As laras_owner, unbound. code gets LARAS_CODE_LENGTH characters and a zero.
 */
extern void laras_erasure_from_callback(const char *channel, int64 app_id, LarasText user_id,
										LarasText signed_request, bool deletion, char *code);

/* Was this signed_request answered before, on this path? In the same role; changes nothing. */
extern bool laras_erasure_answered(const char *channel, bool deletion, LarasText signed_request);

/* The public status of a code; NULL when there is no such code. No personal data, no workspace. */
extern json_t *laras_erasure_status_json(const char *code, size_t n);

/* Keeper duty: removes what has outlived its own term. */
extern LarasTurn laras_expiry_duty(void);

/* Keeper duty: works off lists of ids (list.c, listwork.c). */
extern LarasTurn laras_list_duty(void);

/* Keeper duty: removes rows of accepted requests in bounded batches. */
extern LarasTurn laras_erasure_duty(void);

#endif /* LARAS_ERASURE_H */
