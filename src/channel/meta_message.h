/*
 * meta_message.h
 *		One messaging event of Instagram or Messenger.
 */
#ifndef LARAS_META_MESSAGE_H
#define LARAS_META_MESSAGE_H

#include "channel/meta.h"

/*
 * account is the id of the entry. In standby another app has the conversation:
 * what is said is kept, and we stay silent.
 */
extern void laras_meta_event(LarasReader *r, const LarasMetaChannel *channel, LarasText account,
							 const json_t *event, bool standby);

#endif /* LARAS_META_MESSAGE_H */
