/*
 * durable.h
 *		Commits that something outside the database relies on.
 */
#ifndef LARAS_BASE_DURABLE_H
#define LARAS_BASE_DURABLE_H

/*
 * The commit of the transaction under way is on disk, and on a synchronous standby
 * where there is one, before it returns, whatever synchronous_commit says.
 */
extern void laras_commit_durably(void);

#endif /* LARAS_BASE_DURABLE_H */
