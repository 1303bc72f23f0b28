/*
 * resend.h
 *		A second sending of messages of which nobody knows whether they were sent.
 *
 * Only where that was chosen, for the connection or the message, only after the
 * provider had laras.uncertain_wait to tell, and only once. What was handed over
 * twice is sent or uncertain: that its second hand-over was refused, or never
 * began, says nothing of its first.
 */
#ifndef LARAS_RESEND_H
#define LARAS_RESEND_H

#include "courier/carry.h"
#include "worker/worker.h"

/* Raises 22023 unless it is "hold" or "resend_once". */
extern void laras_uncertain_policy_check(const char *policy);

/* An outcome of a message that was resent: what is no proof leaves it uncertain. */
extern void laras_resend_keep_doubt(LarasOutcome *outcome);

/*
 * An attempt of a message that was resent turned out to be sent. Where another
 * one was as well, the owner is told, once. Inside SPI, the row of the outbox
 * locked.
 */
extern void laras_resend_settled(int64_t workspace_id, int64_t outbox_id, int64_t message_id,
								 int64_t connection_id);

/* Duty of the keeper: queues again what has been uncertain for long enough. */
extern LarasTurn laras_resend_duty(void);

extern void laras_resend_init(void);

#endif /* LARAS_RESEND_H */
