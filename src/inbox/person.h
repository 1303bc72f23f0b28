/*
 * person.h
 *		What is new about persons: other ids, a name, a wish.
 */
#ifndef LARAS_PERSON_H
#define LARAS_PERSON_H

#include "inbox/identity.h"

/*
 * For senders whose contacts laras_find_contacts has found: retire the ids that
 * are no longer theirs, note what they want or no longer want, and the name of
 * somebody who had none. As laras_worker.
 */
extern void laras_follow_persons(const LarasSender *senders, int n);

#endif /* LARAS_PERSON_H */
