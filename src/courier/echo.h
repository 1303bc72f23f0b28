/*
 * echo.h
 *		Messages of our own that come back as events of the account.
 */
#ifndef LARAS_ECHO_H
#define LARAS_ECHO_H

#include "channel/channel.h"

/* a message that the account sent, as the provider tells it */
typedef struct LarasEcho
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
	int64 contact_id;
	uint32 contact_slot;
	const char *channel;
	bool comment;            /* said in public */
	LarasText callback_data; /* that came with it; absent: none */
	LarasText provider_id;
	LarasText text;
} LarasEcho;

/*
 * Is it one that we sent, of which no answer has come (or none yet)? Known by
 * its callback data, else by its text, which the outbox holds a digest of: then
 * the one under way, or the latest whose outcome is uncertain. It is settled as
 * sent and gets the provider's id, so that the echo makes no second message.
 * Anything else changes nothing.
 *
 * In the intake worker's transaction, as laras_worker with the workspaces in
 * its set, before any message is locked.
 */
extern void laras_reconcile_echoes(const LarasEcho *echoes, int n);

#endif /* LARAS_ECHO_H */
