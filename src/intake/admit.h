/*
 * admit.h
 *		Which comments are processed at all: those below the account's own posts,
 *		where its owner granted that.
 */
#ifndef LARAS_ADMIT_H
#define LARAS_ADMIT_H

#include "inbox/inbox.h"

/* an event with comments among its records, and its body */
typedef struct LarasCommented
{
	LarasInboxEvent *event;
	const char *channel;
	const char *body;
	size_t n;
} LarasCommented;

/*
 * Records of comments that may not be kept become OTHER, and are counted by
 * reason. Where nobody knows yet whose post one stands below, the event is set
 * aside and the provider is asked; it comes again with the answer. A mention
 * that names nobody, and whose words nobody can be asked for, becomes news of the account. As laras_worker, the
 * connections locked.
 */
extern void laras_comments_admit(LarasCommented *list, int n);

#endif /* LARAS_ADMIT_H */
