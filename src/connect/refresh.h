/*
 * refresh.h
 *		Tokens that expire are renewed long before.
 */
#ifndef LARAS_REFRESH_H
#define LARAS_REFRESH_H

#include "courier/task.h"
#include "worker/worker.h"

extern const LarasTaskKind laras_refresh_task;

/* The keeper's: begin what is due, stop what has expired. */
extern LarasTurn laras_refresh_duty(void);

#endif /* LARAS_REFRESH_H */
