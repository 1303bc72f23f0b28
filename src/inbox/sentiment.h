/*
 * sentiment.h
 *		How a customer sounds, as a number sealed with the message.
 */
#ifndef LARAS_SENTIMENT_H
#define LARAS_SENTIMENT_H

#include "channel/channel.h"

/*
 * The sentiment of a text, -1 to 1 as a decimal number, sealed under the
 * message's slot. NULL for a text without words. Raises what laras_seal raises.
 */
extern bytea *laras_sentiment_seal(uint32 w, uint32 s, int64 workspace_id, int64 message_id,
								   const char *text, size_t n);

#endif /* LARAS_SENTIMENT_H */
