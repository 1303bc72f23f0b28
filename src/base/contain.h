/*
 * contain.h
 *		A step whose error costs itself alone.
 */
#ifndef LARAS_BASE_CONTAIN_H
#define LARAS_BASE_CONTAIN_H

#include "utils/elog.h"

/*
 * Run step(arg) in a subtransaction. NULL when it went through; else its error,
 * copied into CurrentMemoryContext, when all that the step did in the database
 * has been rolled back. answers says of an SQLSTATE whether the caller can deal
 * with it; any other goes on up. The step runs in CurrentMemoryContext, which is
 * the caller's again afterwards, as is the resource owner; what SPI holds of
 * results from before (SPI_tuptable) is the caller's to keep.
 */
extern ErrorData *laras_contain(void (*step)(void *arg), void *arg, bool (*answers)(int sqlstate));

/* Whatever the step raised. */
extern bool laras_any_error(int sqlstate);

/* All but the wish that this process stop: cancelled, shutting down. */
extern bool laras_no_wish_to_stop(int sqlstate);

#endif /* LARAS_BASE_CONTAIN_H */
