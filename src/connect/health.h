/*
 * health.h
 *		Do the events of connected accounts still come, and may we still speak for
 *		them?
 */
#ifndef LARAS_HEALTH_H
#define LARAS_HEALTH_H

#include "channel/connect.h"
#include "courier/task.h"
#include "worker/worker.h"

/*
 * What an error of a provider says of the token, done: one that is dead stops the
 * connection, an access that its owner took away ends it. False where it says
 * nothing of the token. As laras_worker.
 */
extern bool laras_token_refused(int64 workspace_id, int64 connection_id,
								const LarasChannelDriver *driver, int code, int subcode);

/* Defines laras.reauth_grace. */
extern void laras_health_init(void);

/* Keeper duty: asks for each connected account, once an hour, whether its events come. */
extern LarasTurn laras_health_duty(void);

/*
 * Keeper duty: cuts connections whose owner took the access away at the provider,
 * or has not logged in again for laras.reauth_grace.
 */
extern LarasTurn laras_lost_duty(void);

extern const LarasTaskKind laras_health_task;

#endif /* LARAS_HEALTH_H */
