/*
 * reconcile.h
 *		What a status webhook tells about a send whose outcome is not known.
 */
#ifndef LARAS_RECONCILE_H
#define LARAS_RECONCILE_H

#include "channel/channel.h"

/* a status that carried callback data */
typedef struct LarasMark
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
	const char *channel;
	LarasText callback_data;
	LarasText provider_id;
	const char *status;
} LarasMark;

/*
 * Statuses that carried callback data. Where it is ours (attempt id and MAC
 * hold) and the attempt has no provider id yet, the message is known to have
 * been sent: the attempt is resolved by 'status', the outbox row ends 'sent'
 * (whatever it was: sending, uncertain), and the message gets its provider id. So
 * too where a person had decided of it; where they had decided otherwise the owner
 * has a notice settled_otherwise.
 * Anything else changes nothing: callback data that we did not make (which is
 * counted as ignored, reason wrong_mark), an attempt that was settled before.
 *
 * In the intake worker's transaction, as laras_worker with the workspaces in
 * its set, before any message is locked: rows of the outbox are locked in the
 * order in which the courier records, of whom one would else wait for the
 * other. Never raises for what the data holds.
 */
extern void laras_reconcile_statuses(const LarasMark *marks, int n);

/*
 * The same of marks whose attempts are known: attempt[i], 0 where a mark is of
 * none. by: the word of send_attempt.resolved_by. Inside SPI or not.
 */
extern void
laras_reconcile_attempts(const LarasMark *marks, const int64 *attempt, int n, const char *by);

/* The provider, asked, says that what this attempt was of has been sent. As laras_worker, SPI open. */
extern void laras_reconcile_checked(const LarasMark *mark, int64_t attempt_id);

/*
 * The row of the outbox ends 'sent', and so does the draft that it came from.
 * Inside SPI, the row locked; as laras_worker, or laras_owner with the workspace
 * bound.
 */
extern void laras_outbox_known_sent(int64 workspace_id, int64 outbox_id);

#endif /* LARAS_RECONCILE_H */
