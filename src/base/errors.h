/*
 * errors.h
 *		The one table of laras's own SQLSTATE class, LR.
 *
 * Standard codes come first: a wrong argument is 22023, a missing right is
 * 42501, a failed log-in is 28P01.  A code of class LR exists only where a
 * caller has to tell the case apart and PostgreSQL has no code for it.
 *
 * Errors of this library carry its text domain, the server's own carry another:
 * laras_error_is_own() tells them apart.  spi.h and arguments.h bring this
 * header; a file that raises without it counts as the server.
 *
 * Use as  ereport(ERROR, (errcode(LARAS_ERRCODE_VAULT_CLOSED), ...)).
 * To add one, append a line under your room's letter: name, the three
 * characters after LR, the sentence shown in docs/reference and by
 * laras.error_codes().  A published code is never given a new meaning.
 */
#ifndef LARAS_BASE_ERRORS_H
#define LARAS_BASE_ERRORS_H

#include "utils/elog.h"

#undef TEXTDOMAIN
#define TEXTDOMAIN "laras"

#define LARAS_ERRORS(X)                                                                     \
	/* B: base */                                                                           \
	X(NOT_PRELOADED, 'B', '0', '1', "laras is not in shared_preload_libraries")             \
	X(NOT_TEST_MODE, 'B', '0', '2', "the clock moves in test mode only")                    \
	X(ID_HIGH_WATER, 'B', '0', '3', "the high-water mark of ids cannot be written")         \
	/* T: tenancy */                                                                        \
	X(NOT_BOUND, 'T', '0', '1', "no workspace is bound in this transaction")                \
	X(BOUND_ELSEWHERE, 'T', '0', '2',                                                       \
	  "the transaction is bound to another workspace or principal")                         \
	X(BINDING_FORGED, 'T', '0', '3', "the binding is set by laras itself only")             \
	X(HELD_CURSOR, 'T', '0', '4',                                                           \
	  "a cursor that outlives its transaction and a bound workspace exclude each other")    \
	X(WORKSPACES_EXIST, 'T', '0', '5',                                                      \
	  "workspaces exist, so nothing of laras is dropped or truncated")                      \
	X(RESERVED_ROLE, 'T', '0', '6', "the role belongs to laras")                            \
	X(LAST_OWNER, 'T', '0', '7', "a workspace keeps at least one owner")                    \
	/* K: keys, design/keys.md section 12 */                                                \
	X(VAULT_CLOSED, 'K', '0', '1', "the vault is closed")                                   \
	X(WRONG_MASTER_KEY, 'K', '0', '2', "the master key is wrong")                           \
	X(KEY_DAMAGED, 'K', '0', '3', "the key is damaged")                                     \
	X(SLAB_ABSENT, 'K', '0', '4', "the slab is absent")                                     \
	X(VALUE_MISPLACED, 'K', '0', '5', "the value does not belong here")                     \
	X(KEYRING_FOREIGN, 'K', '0', '6', "the keyring belongs to another cluster or database") \
	X(KEYRING_OLD, 'K', '0', '7', "the keyring is older than its witness")                  \
	X(DESTRUCTION_HELD, 'K', '0', '8', "the destruction waits for a hold")                  \
	X(NO_SLOT, 'K', '0', '9', "no free slot in sync")                                       \
	X(MIRRORS_DISAGREE, 'K', '1', '0', "the mirrors disagree")                              \
	X(REVEAL_IN_MAINTENANCE, 'K', '1', '1',                                                 \
	  "sealed content is not revealed to maintenance commands")                             \
	X(KEY_FILE_UNSAFE, 'K', '1', '2', "the master key file or directory is unsafe")         \
	X(MIRROR_UNWRITABLE, 'K', '1', '3', "a mirror cannot be written")                       \
	X(KEY_COMMAND_FAILED, 'K', '1', '4', "the key command failed or timed out")             \
	/* A: answers */                                                                        \
	X(DRAFT_STALE, 'A', '0', '1', "a row that the draft cites has changed")                 \
	X(DRAFT_CLOSED, 'A', '0', '2', "the draft no longer waits for a decision")              \
	X(CLASSIFIER_OFF, 'A', '0', '3', "the safety classifier is unavailable")

enum LarasErrcode
{
#define LARAS_ERROR_ENUM(name, c3, c4, c5, text) \
	LARAS_ERRCODE_##name = MAKE_SQLSTATE('L', 'R', c3, c4, c5),
	LARAS_ERRORS(LARAS_ERROR_ENUM)
#undef LARAS_ERROR_ENUM
};

/*
 * May what an error says be shown to who asked?  Ours may: no message, detail or
 * hint of this library quotes a secret, a personal value or input.  Of the
 * server's, those about data may quote them.
 */
extern bool laras_error_is_own(const ErrorData *error);
extern bool laras_error_may_quote_data(const ErrorData *error);

#endif /* LARAS_BASE_ERRORS_H */
