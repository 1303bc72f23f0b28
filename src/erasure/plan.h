/*
 * plan.h
 *		Which rows of which tables an erasure removes, in which order.
 */
#ifndef LARAS_ERASURE_PLAN_H
#define LARAS_ERASURE_PLAN_H

#include "base/spi.h"

/* rows removed by one statement */
#define LARAS_ERASE_BATCH 1000

/*
 * One table of a plan. $1 is the workspace, $2 the contact (contact plans
 * alone). Children come before their parents.
 */
typedef struct LarasEraseStep
{
	const char *table;
	const char *action; /* delete, null */
	LarasPlan count;
	LarasPlan run; /* at most LARAS_ERASE_BATCH rows */
} LarasEraseStep;

/* end with table NULL */
extern LarasEraseStep laras_contact_steps[];
extern LarasEraseStep laras_workspace_steps[];

#endif /* LARAS_ERASURE_PLAN_H */
