/*
 * lane.h
 *		Which messages are next: a fair choice from what is due.
 */
#ifndef LARAS_LANE_H
#define LARAS_LANE_H

#include "courier/carry.h"

/* rows of the queue, as columns; a place is taken for each (limit.h) */
typedef struct LarasChoice
{
	int count;
	Datum *workspace;
	Datum *row;
	Datum *conversation;
	Datum *connection;
	Datum *contact;
	int *limit_kind; /* of rule.h */
} LarasChoice;

/*
 * Up to n rows that are due and may leave by the provider's limits, one a
 * conversation, in turns of their workspaces, replies before what is sent in
 * bulk. What waits for a limit wakes the courier when it need not wait longer; what
 * waits for one of its kind is to be put off (defer.h).
 * Allocated in context, since it outlives SPI. In a transaction as laras_worker bound to
 * all, SPI open.
 */
extern LarasChoice *laras_choose(int n, MemoryContext context);

/* Give back the place of a row that does not leave. */
extern void laras_choice_back(const LarasChoice *choice, int i);

/* Do rows that are due wait for nothing but a number's next second? */
extern bool laras_choice_waits(void);

#endif /* LARAS_LANE_H */
