/*
 * play.h
 *		Control calls that play somebody, answered at once or, where they ask to
 *		wait, when what they caused was delivered.
 */
#ifndef LARAS_SANDBOX_PLAY_H
#define LARAS_SANDBOX_PLAY_H

#include "sandbox/deliver.h"
#include "sandbox/sandbox.h"

/* What deliveries are given; NULL where the call does not ask to wait. */
extern SbWait *sb_play_begin(SbCall *call);

/*
 * Answers the call, which takes over answer: now, or with the status once
 * everything that was given the wait has been attempted.
 */
extern void sb_play_end(SbCall *call, SbWait *wait, json_t *answer);

#endif /* LARAS_SANDBOX_PLAY_H */
