/*
 * repeated.h
 *		Answers that give a message the id of another.
 */
#ifndef LARAS_REPEATED_H
#define LARAS_REPEATED_H

#include "courier/carry.h"

/* Nobody knows whether it was sent. */
extern void laras_outcome_doubt(LarasOutcome *o);

/*
 * Of outcomes that are about to be settled: those that are sent by an id that
 * another message of ours has, or an earlier one of them, are in doubt. In a
 * transaction as laras_worker bound to all.
 */
extern void laras_doubt_repeated(LarasOutcome *outcomes, int n);

#endif /* LARAS_REPEATED_H */
