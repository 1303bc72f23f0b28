/*
 * status.h
 *		Statuses of outbound messages, applied a batch at a time.
 */
#ifndef LARAS_STATUS_H
#define LARAS_STATUS_H

#include "inbox/inbox.h"

typedef struct LarasStatusEvent
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
	const char *channel;
	TimestampTz received_at;
	const LarasRecord *record;
} LarasStatusEvent;

/*
 * Keep every status as history, let the message climb, write evidence. A
 * status whose message is not known is kept aside until it is. As
 * laras_worker.
 */
extern void laras_apply_statuses(LarasStatusEvent *events, int n);

/*
 * A person has (delivered) or has seen (read) all that was sent to them over
 * that connection up to a moment; event->record says which. contact_id 0:
 * somebody unknown. As laras_worker.
 */
extern void laras_apply_watermark(const LarasStatusEvent *event, int64 contact_id);

/*
 * The id of a sent message has become known: statuses that came before are
 * joined to it. As laras_worker; a sent message that was erased takes none.
 */
extern void laras_join_unmatched(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
								 int64 message_id, Datum provider_index);

#endif /* LARAS_STATUS_H */
