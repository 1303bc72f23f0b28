/*
 * presence.h
 *		Shows a person that their message was read, and that somebody is typing,
 *		where the connection's owner wants that.
 */
#ifndef LARAS_COURIER_PRESENCE_H
#define LARAS_COURIER_PRESENCE_H

#include "courier/task.h"

/*
 * Queue it for the last message of a conversation. False where the connection
 * is set to show nothing, or its channel has nothing of the kind. Best effort:
 * it waits for nothing, is tried once and forgotten after some seconds. As
 * laras_owner with the workspace bound, or laras_worker.
 */
extern bool laras_presence_show(int64 workspace_id, int64 conversation_id, bool typing);

extern const LarasTaskKind laras_presence_task;

#endif /* LARAS_COURIER_PRESENCE_H */
