/*
 * check.h
 *		Asking a provider what became of a send whose answer was lost.
 */
#ifndef LARAS_CHECK_H
#define LARAS_CHECK_H

#include "courier/carry.h"
#include "courier/task.h"

/*
 * These sends are uncertain: of those whose provider can be asked, ask it soon.
 * As laras_worker.
 */
extern void laras_check_uncertain(const LarasOutcome *outcomes, int n, const bool *changed);

extern const LarasTaskKind laras_check_task;

#endif /* LARAS_CHECK_H */
