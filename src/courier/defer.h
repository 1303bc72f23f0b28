/*
 * defer.h
 *		Messages that wait for a limit of their kind, as rows: put off to when they
 *		may leave, and brought forward when they may sooner.
 */
#ifndef LARAS_DEFER_H
#define LARAS_DEFER_H

#include "courier/allowance.h"

/* a connection whose messages are limited by kind */
typedef struct LarasLimited
{
	int64_t workspace_id;
	int64_t connection_id;
	const LarasRules *rules;
} LarasLimited;

/*
 * Ask how many of theirs wait, where that was not asked within the last second. In a
 * transaction as laras_worker bound to all, SPI open; its last result is gone.
 */
extern void laras_defer_count(const LarasLimited *list, int n, int64_t now);

/* Is there room to put one more off before they are written? */
extern bool laras_defer_has_room(void);

/*
 * A due row that may not leave, to be put off until then. held: the place of its
 * conversation was taken for it, so that nothing passes it, and is given back once
 * that is written.
 */
extern void laras_defer(int64_t workspace_id, int64_t row, int64_t conversation_id, bool held,
						LarasLimitKind kind, int64_t until, int64_t now);

/* So many of those that wait are to be brought forward. */
extern void
laras_defer_bring(int64_t workspace_id, int64_t connection_id, LarasLimitKind kind, int n);

/* Write all of it, in a transaction of its own. Returns how many rows it was about. */
extern int laras_defer_write(void);

/* Forget what was not written: it is found again. */
extern void laras_defer_drop(void);

#endif /* LARAS_DEFER_H */
