/*
 * wanted.h
 *		Which messages that wait for a draft come next; of duty.c.
 */
#ifndef LARAS_ANSWER_WANTED_H
#define LARAS_ANSWER_WANTED_H

#include "inbox/rows.h"

/*
 * The next of them, at most limit: the oldest of each workspace, workspaces in
 * turns, behind what was passed over. Their workspaces and messages go into the
 * columns. Returns how many; 0 where a round is over. Inside SPI, as laras_worker.
 */
extern int laras_wanted_next(LarasColumn *workspace, LarasColumn *message, int limit);

/* Some of the last ones stay where they are: the next look begins behind all of them. */
extern void laras_wanted_pass(void);

/* The next look begins with the oldest again. */
extern void laras_wanted_again(void);

/* Was the last look one at everything that waits? */
extern bool laras_wanted_is_all(void);

#endif /* LARAS_ANSWER_WANTED_H */
