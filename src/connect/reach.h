/*
 * reach.h
 *		A connection as a task of the courier speaks through it: where, as which
 *		account, with which token.
 */
#ifndef LARAS_REACH_H
#define LARAS_REACH_H

#include "channel/connect.h"
#include "courier/task.h"

/* in a task's memory, which the courier wipes */
typedef struct LarasReachToken
{
	char token[LARAS_LONGEST_TOKEN];
	size_t n; /* 0: not opened yet */
} LarasReachToken;

typedef struct LarasReach
{
	const LarasChannelDriver *driver;
	const char *app_id;
	uint32 slot;
	LarasText number;          /* the account that webhooks carry */
	LarasAccountRequest about; /* the account whose events are subscribed to */
	const json_t *options;     /* of the app */
} LarasReach;

/*
 * The connection of a task as it is now, locked FOR SHARE; opens its token at
 * the first call. False where it was cut or stopped meanwhile. As laras_worker,
 * in the courier; everything is made in CurrentMemoryContext.
 */
extern bool laras_reach(const LarasTask *task, LarasReachToken *token, LarasReach *out);

/* The connection's token into such memory, where it is not there yet. False: it cannot be read. */
extern bool
laras_reach_open(const LarasTask *task, const bytea *sealed, char *token, size_t room, size_t *n);

/* A driver's request as the task's next one, with the token where it goes. */
extern LarasTaskNext laras_reach_ask(const LarasProviderRequest *made, LarasReachToken *token,
									 const char *purpose, LarasTaskRequest *request);

/* The end of a task in one word. */
extern LarasTaskNext laras_task_ends(LarasTaskResult *result, LarasTaskNext next, const char *word);

#endif /* LARAS_REACH_H */
