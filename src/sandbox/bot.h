/*
 * bot.h
 *		The pretended Bot API of Telegram: bots, the chats they have, their
 *		webhooks.
 */
#ifndef LARAS_SANDBOX_BOT_H
#define LARAS_SANDBOX_BOT_H

#include "sandbox/sandbox.h"

/* Is this a call of the Bot API, /bot{token}/{method}? */
extern bool sb_is_bot_call(const SbCall *call);

/* Handles one. */
extern void sb_bot_call(SbCall *call);

/* Says in the ledger's terms whom a send that nobody looked at was for. */
extern void sb_bot_note(SbCall *call);

/* The Bot API's error body; description may be NULL. retry_after 0: none. */
extern void sb_bot_refuse(SbCall *call, int code, const char *description, int retry_after);

/* Control calls: POST bot, bot/chat, bot/message, bot/update. */
extern void sb_put_bot(SbCall *call);
extern void sb_put_chat(SbCall *call);
extern void sb_play_bot_message(SbCall *call);
extern void sb_play_bot_update(SbCall *call);

extern void sb_bots_reset(void);

#endif
