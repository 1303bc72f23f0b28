/*
 * telegram.h
 *		Joins the parts of the Telegram driver: telegram.c reads updates,
 *		telegram_send.c sends, telegram_connect.c connects and cuts a bot.
 */
#ifndef LARAS_TELEGRAM_H
#define LARAS_TELEGRAM_H

#include "channel/login.h"
#include "channel/record.h"

struct LarasConnectDriver;

extern const struct LarasSendDriver laras_telegram_send;
extern const struct LarasConnectDriver laras_telegram_connect;

/*
 * The URL of a method of the Bot API, which has the bot's token in its path:
 * *token_at is where. Absent when memory is short.
 */
extern LarasText laras_telegram_url(const LarasAllocator *allocator, const char *base_url,
									const char *method, size_t *token_at);

/* "chat:message": what a message is called outside its chat; absent where an id is no number. */
extern LarasText
laras_telegram_message_id(const LarasAllocator *allocator, const json_t *chat, const json_t *id);

#endif /* LARAS_TELEGRAM_H */
