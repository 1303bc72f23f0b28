/*
 * login.h
 *		The task kind that connects accounts, for the table in
 *		courier/task_kinds.c.
 */
#ifndef LARAS_CONNECT_LOGIN_H
#define LARAS_CONNECT_LOGIN_H

#include "courier/task.h"

extern const LarasTaskKind laras_login_task;

#endif /* LARAS_CONNECT_LOGIN_H */
