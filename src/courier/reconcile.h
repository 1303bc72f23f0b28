/*
 * reconcile.h
 *		What a status webhook tells about a send whose outcome is not known.
 */
#ifndef LARAS_RECONCILE_H
#define LARAS_RECONCILE_H

/*
 * A status carried callback data. If it is ours (attempt id and MAC hold) and
 * the attempt has no provider id yet, the message is known to have been sent:
 * the attempt is resolved by 'status', the outbox row ends 'sent' (whatever it
 * was: sending, uncertain), and the message gets its provider id. Anything
 * else changes nothing: callback data that we did not make (which is counted as
 * ignored, reason wrong_mark), an attempt that was settled before. In the intake worker's transaction, as laras_worker with
 * the workspace in its set. Never raises for what the data holds.
 */
extern void
laras_reconcile_status(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
					   const char *channel, const char *callback_data, size_t callback_n,
					   const char *provider_id, size_t provider_n, const char *status);

#endif /* LARAS_RECONCILE_H */
