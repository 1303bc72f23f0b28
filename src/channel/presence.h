/*
 * presence.h
 *		Read marks and typing indicators of the channels that have them.
 *
 * Each builds a request for some of `what` (bits of LARAS_SHOWS_...) and returns
 * which; 0 when memory is short or the person cannot be addressed. They take
 * the person (send->to) and the message that is answered (send->answers).
 */
#ifndef LARAS_PRESENCE_CHANNEL_H
#define LARAS_PRESENCE_CHANNEL_H

#include "channel/send.h"

extern unsigned
laras_whatsapp_presence(const LarasSendText *send, unsigned what, const LarasAllocator *allocator,
						LarasProviderRequest *request);
extern unsigned laras_meta_presence(const LarasSendText *send, unsigned what,
									const LarasAllocator *allocator, LarasProviderRequest *request);
extern unsigned
laras_telegram_presence(const LarasSendText *send, unsigned what, const LarasAllocator *allocator,
						LarasProviderRequest *request);

#endif /* LARAS_PRESENCE_CHANNEL_H */
