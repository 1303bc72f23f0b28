/*
 * answer.h
 *		What leaves in the name of the business, judged before it may.
 *
 * digest.c		binds a verdict to one exact text.
 * classify.c	the safety classifier.
 * reply.c		a person's own reply: judged, stored, queued.
 */
#ifndef LARAS_ANSWER_H
#define LARAS_ANSWER_H

#include "datatype/timestamp.h"

#define LARAS_TEXT_DIGEST 32

/*
 * The commitment (keys, section 11) of a text under the contact's salt, with
 * the message's id as entry and message.body as field: equal for equal texts of
 * one message, unlinkable once the contact's key is destroyed.
 */
extern void laras_text_digest(uint32 w, uint32 s, int64 message_id, const char *text, size_t n,
							  uint8 out[LARAS_TEXT_DIGEST]);

typedef enum LarasOutcomeOfText
{
	LARAS_VERDICT_PASS,
	LARAS_VERDICT_HOLD,
	LARAS_VERDICT_BLOCK
} LarasOutcomeOfText;

typedef struct LarasTextVerdict
{
	int64 id; /* row of laras.verdict */
	LarasOutcomeOfText outcome;
	const char *reason; /* the first; NULL when it passed */
	uint8 digest[LARAS_TEXT_DIGEST];
} LarasTextVerdict;

/*
 * Judge a text that a person wrote, and store the verdict. Blocks what the
 * channel cannot carry (longer than its limit) and what holds a forbidden
 * phrase of the workspace. As laras_owner with the workspace bound, or
 * laras_worker. Raises what the vault raises.
 */
extern void
laras_judge_text(int64 workspace_id, const char *channel, uint32 contact_slot, int64 message_id,
				 int64 contact_id, const char *text, size_t n, LarasTextVerdict *verdict);

#endif /* LARAS_ANSWER_H */
