/*
 * drafting.h
 *		A draft on its way from a message to its rows; of duty.c and store.c.
 */
#ifndef LARAS_ANSWER_DRAFTING_H
#define LARAS_ANSWER_DRAFTING_H

#include "answer/answer.h"
#include "lib/stringinfo.h"

/* one conversation that gets a draft, by its newest message */
typedef struct LarasDrafting
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 inbound_id;
	int64 conversation_id;
	int64 contact_id;
	int64 connection_id;
	uint32 slot; /* the contact's */
	char *channel;
	bool auto_send;
	bool shows; /* the connection shows persons more than messages */
	StringInfoData question;
	bool not_text;   /* a message among them is a picture, a place, ...: nobody read it */
	bool damaged;    /* or does not open */
	bool unanswered; /* an earlier message has no answer: a draft for it was left to a person */
	StringInfoData before; /* what was asked before, and answered by itself a short while ago */
	LarasSource *cited;    /* by that answer; n_cited of them */
	int n_cited;

	LarasComposed composed;
	bool is_composed;
	const char *drafter;    /* who made it */
	bool waits;             /* a model is asked: another turn comes back to it */
	const char *llm_reason; /* why a person must decide, after a model was asked; or NULL */
	LarasJudgement judgement;
	bool judged; /* there is a text, and a verdict on it */
	int64 draft_id;
	int64 message_id;
	int64 verdict_id;
	uint8 digest[LARAS_TEXT_DIGEST];
	const char *state; /* held, withheld or approved */
	StringInfoData reasons;
} LarasDrafting;

/*
 * Store n of them, and queue what is approved; of the same conversations, the
 * drafts that wait are closed.  Inside SPI, as laras_worker, every workspace
 * in reach, the conversations locked.
 */
extern void laras_drafting_store(LarasDrafting *list, int n);

#endif /* LARAS_ANSWER_DRAFTING_H */
