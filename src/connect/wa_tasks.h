/*
 * wa_tasks.h
 *		The task kinds of WhatsApp, for the table in courier/task_kinds.c.
 */
#ifndef LARAS_WA_TASKS_H
#define LARAS_WA_TASKS_H

#include "courier/task.h"

extern const LarasTaskKind laras_wa_connect_task;

#endif /* LARAS_WA_TASKS_H */
