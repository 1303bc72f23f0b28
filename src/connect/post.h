/*
 * post.h
 *		Whose a post is that people comment on.
 */
#ifndef LARAS_POST_H
#define LARAS_POST_H

#include "channel/channel.h"
#include "courier/task.h"

/* the reason with which events wait for the answer in quarantine */
#define LARAS_POST_UNKNOWN_YET "post_unknown"

typedef enum LarasPostState
{
	LARAS_POST_IS_OWN,
	LARAS_POST_IS_FOREIGN,
	LARAS_POST_IS_ASKED /* by now: events about it come again with the answer */
} LarasPostState;

/*
 * What is known of a post; own: the event itself says that it is the account's.
 * Keeps a row of it, and asks the provider where nobody has, or not for an hour.
 * As laras_worker.
 */
extern LarasPostState
laras_post_state(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
				 const LarasChannelDriver *driver, LarasText post, bool own);

extern const LarasTaskKind laras_post_task;

#endif /* LARAS_POST_H */
