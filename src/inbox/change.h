/*
 * change.h
 *		Edits and unsends: what a message does to the one it is about.
 */
#ifndef LARAS_CHANGE_H
#define LARAS_CHANGE_H

#include "inbox/part.h"

/*
 * Let these messages, which are rows already, change those they are about; and
 * let changes that came before their message meet it now. A message is changed
 * only by who said it. As laras_worker.
 */
extern void laras_apply_changes(const LarasStoredMessage *messages, int n);

#endif /* LARAS_CHANGE_H */
