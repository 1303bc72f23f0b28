/*
 * wanted.h
 *		The messages that wait for a draft, and which of them come next.
 */
#ifndef LARAS_ANSWER_WANTED_H
#define LARAS_ANSWER_WANTED_H

#include "inbox/rows.h"

/*
 * n messages want a draft: columns of their workspaces, ids and contacts. One that
 * waits already stays where it is. Inside SPI; the keeper is woken at commit.
 */
extern void laras_wanted_add(const LarasColumn wanted[3], int n);

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
