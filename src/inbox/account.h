/*
 * account.h
 *		What a provider says about the connected account, as notices.
 */
#ifndef LARAS_ACCOUNT_H
#define LARAS_ACCOUNT_H

#include "inbox/status.h"

/*
 * Tell the owner: one notice an event, however often it comes; details are
 * sealed under the connection's slot. As laras_worker.
 */
extern void laras_apply_account_events(const LarasStatusEvent *events, int n);

#endif /* LARAS_ACCOUNT_H */
