/*
 * instagram_mention.h
 *		Mentions of an Instagram account: what was said, and an answer to it.
 */
#ifndef LARAS_INSTAGRAM_MENTION_H
#define LARAS_INSTAGRAM_MENTION_H

#include "channel/connect.h"
#include "channel/send.h"

/* See LarasConnectDriver. */
extern bool
laras_instagram_build_read_mention(const LarasAccountRequest *about, LarasText account,
								   const json_t *thread, const LarasAllocator *allocator,
								   LarasProviderRequest *request);
extern bool laras_instagram_read_mention(const json_t *answer, LarasMention *mention);
extern const char *laras_instagram_refused_mention(int http_status, int code);

/* Is the text to answer a mention? */
extern bool laras_instagram_answers_mention(const LarasSendText *send);
extern bool laras_instagram_build_answer(const LarasSendText *send, const LarasAllocator *allocator,
										 LarasProviderRequest *request);

#endif /* LARAS_INSTAGRAM_MENTION_H */
