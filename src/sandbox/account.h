/*
 * account.h
 *		The pretended accounts of Instagram: their log-in, their tokens, their
 *		direct messages.
 */
#ifndef LARAS_SANDBOX_ACCOUNT_H
#define LARAS_SANDBOX_ACCOUNT_H

#include "sandbox/graph.h"

/* Handles a call that is about an account, its app or its token; false: it is about none. */
extern bool sb_account_call(SbCall *call);

/* Control calls: POST account, account/code, account/token, account/message, account/event. */
extern void sb_put_account(SbCall *call);
extern void sb_put_account_code(SbCall *call);
extern void sb_put_account_token(SbCall *call);
extern void sb_play_account_message(SbCall *call);
extern void sb_play_account_event(SbCall *call);

extern void sb_accounts_reset(void);

#endif
