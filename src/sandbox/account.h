/*
 * account.h
 *		The pretended accounts of Instagram, Facebook Pages and profiles of
 *		Threads: their log-in, their tokens, their messages, their comments.
 */
#ifndef LARAS_SANDBOX_ACCOUNT_H
#define LARAS_SANDBOX_ACCOUNT_H

#include "sandbox/graph.h"

/* Handles a call that is about an account, its app or its token; false: it is about none. */
extern bool sb_account_call(SbCall *call);

/*
 * Control calls: POST account, account/code, account/token, account/message,
 * account/event, account/post, account/comment, account/mention.
 */
extern void sb_put_account(SbCall *call);
extern void sb_put_account_code(SbCall *call);
extern void sb_put_account_token(SbCall *call);
extern void sb_play_account_message(SbCall *call);
extern void sb_play_account_event(SbCall *call);
extern void sb_put_post(SbCall *call);
extern void sb_play_comment(SbCall *call);
extern void sb_play_mention(SbCall *call);

extern void sb_accounts_reset(void);

#endif
