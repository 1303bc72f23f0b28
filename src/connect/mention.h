/*
 * mention.h
 *		The words of mentions whose events bring ids alone.
 */
#ifndef LARAS_MENTION_H
#define LARAS_MENTION_H

#include "channel/channel.h"
#include "courier/task.h"
#include "worker/worker.h"

/* Can the provider be asked for the words of a mention of which only ids came? */
extern bool laras_mention_is_readable(const LarasChannelDriver *driver, const LarasRecord *record);

/* Ask for them: of a message that has just become a row, with its parts. As laras_worker. */
extern void laras_mention_ask(int64 workspace_id, int64 connection_id, int64 message_id);

/* Keeper duty: ends what nobody asks for any more. */
extern LarasTurn laras_mention_duty(void);

extern const LarasTaskKind laras_mention_task;

#endif /* LARAS_MENTION_H */
