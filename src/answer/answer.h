/*
 * answer.h
 *		What leaves in the name of the business, judged before it may.
 *
 * digest.c		binds a verdict to one exact text.
 * ground.c		does a text state only what the cited rows state?
 * scope.c		is it about the rows that it cites?
 * others.c		does it name another customer?
 * manner.c		promises, days, tone, marks of obeyed orders (manner.def).
 * rule.c		which review rule fits.
 * classify.c	the safety classifier.
 * reply.c		a person's own reply: judged, stored, queued.
 * template.c	a template with its values: the same.
 * followup.c	drafts where a customer was answered and said no more.
 * followrule.c	its rules; followvalues.c what they say for the person.
 * wanted.c		which of them come next.
 * earlier.c	what the customer wrote before and nobody answered.
 * duty.c		drafts for messages that came.
 * store.c		their rows.
 * draft.c		the end of drafts that wait.
 * decide.c		a person approves or rejects; auto-send is switched.
 */
#ifndef LARAS_ANSWER_H
#define LARAS_ANSWER_H

#include "answer/drafter.h"
#include "base/json.h"
#include "worker/worker.h"

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

#define LARAS_MAX_REASONS 12

/* What the classifier says of a text. */
typedef struct LarasJudgement
{
	LarasOutcomeOfText outcome;
	int n_reasons;
	const char *reasons[LARAS_MAX_REASONS];
} LarasJudgement;

typedef struct LarasTextVerdict
{
	int64 id; /* row of laras.verdict, where it passed; 0: there is none */
	LarasJudgement judgement;
	uint8 digest[LARAS_TEXT_DIGEST];
} LarasTextVerdict;

/* A text that somebody of the business sends: theirs, or one that they approved. */
typedef struct LarasOutgoing
{
	const char *channel;
	uint32 contact_slot;
	int64 message_id;
	int64 contact_id;
	const char *purpose; /* of connect/handling.h; what the verdict is for */
	const char *text;
	size_t n;
	bool own_words; /* a person's, not those of a template */
} LarasOutgoing;

/* Has the phrase nothing left once it is compared without case and white space? */
extern bool laras_phrase_is_blank(const char *text, size_t n);

/*
 * Judge a text that a person wrote. Blocks what the channel cannot carry
 * (longer than its limit) and what holds a forbidden phrase of the workspace;
 * where own_words, and a rule of the workspace asks for it, holds what a draft
 * would be held for: against the rows that the search finds for the text, and
 * the language and topic of what the customer wrote last. Stores the verdict of
 * a text that passes; another raises (laras_require_let_through), which would
 * take the row along, so that the error with all reasons is what remains of it.
 * As laras_owner with the workspace bound, or laras_worker. Raises LRA03 while
 * the classifier is off, and what the vault raises.
 */
extern void
laras_judge_text(int64 workspace_id, const LarasOutgoing *out, LarasTextVerdict *verdict);

/*
 * Raises 22023 with the reasons unless it passed; 0A000 where the channel carries
 * no answers at all.
 */
extern void laras_require_let_through(const char *channel, const LarasTextVerdict *verdict);

/*
 * What passed when it was drafted is held to the phrases that the business forbids,
 * and demands for the topic (NULL: it cites nothing, and none is demanded), as
 * they are now. Raises 22023 with the reasons. Inside SPI.
 */
extern void laras_require_phrases(int64 workspace_id, const char *channel, const char *topic,
								  const char *text, size_t n);

/* The reasons as an error's detail has them: "off_scope", "tone". palloc'd. */
extern char *laras_reasons_quoted(const LarasJudgement *judgement);

/* Raises LRA03 while the classifier is off: nothing new is sent then, judged before or not. */
extern void laras_classifier_require(void);

/*
 * Judge a text against the rows it cites, as they now stand: blocked like a
 * person's text; held where it states what stands in none of them (a number,
 * price, link, phone number, promise or day), is not about them or answers what is
 * off the business's scope, names another
 * contact than contact_id (0: it is for nobody), speaks in the wrong tone or language, shows marks of obeyed orders, lacks a phrase that the
 * topic demands, where a cited row changed or went, and while the classifier is
 * off.  Of a model nothing is trusted: its text must be in the language of the
 * question, too, and hold a word of its rows.  Stores nothing.
 * Role as above. Made in the caller's memory context.
 */
extern void
laras_judge_draft(int64 workspace_id, int64 contact_id, const char *channel,
				  const LarasComposed *composed, bool by_model, LarasJudgement *judgement);

/*
 * For a batch of the keeper, which writes none of it: from here to the end of
 * the transaction the phrases and the voice of a workspace, and whether it has review
 * rules at all, are read once.  laras_judging_batch: is this such a transaction?
 */
extern void laras_judge_batch(void);
extern bool laras_judging_batch(void);

/*
 * The rule that decides on a draft: "review" or "allow", NULL where none fits. By
 * priority, and of two alike the one that asks a person.  As laras_worker.
 */
extern const char *laras_review_rule(int64 workspace_id, const char *channel, const char *topic,
									 float confidence, const LarasSource *sources, int n_sources);

/*
 * Why a person decides on a draft that is sure of itself or not: review_rule, or
 * low_confidence where no rule fits; NULL: it may leave as far as that goes.
 */
extern const char *
laras_review_reason(int64 workspace_id, const char *channel, const LarasComposed *composed);

/* Does a rule ask that what people write on the channel is judged like a draft, now? */
extern bool laras_people_rule(int64 workspace_id, const char *channel);

/* "pass", "hold", "block" */
extern const char *laras_outcome_name(LarasOutcomeOfText outcome);

#define LARAS_CLASSIFIER_DRAFTS "laras-1 drafts"

/*
 * Close the drafts of a conversation that wait, because a person replied.
 * Writes decisions and evidence. As laras_owner with the workspace bound.
 */
extern void laras_drafts_superseded(int64 workspace_id, int64 conversation_id);

/* a template as a message: whose, and what for */
typedef struct LarasTemplateMessage
{
	int64 message_id; /* 0: made */
	int64 draft_id;   /* 0: none */
	const char *approved_by;
	const char *author_kind;
	int64 author_id;
	const char *purpose; /* NULL: by the template's category */
	/* set by laras_template_queue: what it was judged by */
	int64 verdict_id;
	uint8 digest[LARAS_TEXT_DIGEST];
} LarasTemplateMessage;

/*
 * Judge and queue a template of the conversation's account with its values. As
 * laras_owner with the workspace bound. Raises what send_template says.
 */
extern void laras_template_queue(int64 workspace_id, int64 conversation_id, int64 template_id,
								 const json_t *values, LarasTemplateMessage *as);

/* keeper's duties, for the table in worker/rooms.c */
extern LarasTurn laras_answer_duty(void);    /* drafts for the messages that wait for one */
extern LarasTurn laras_stale_duty(void);     /* drafts of which a cited row changed */
extern LarasTurn laras_follow_up_duty(void); /* drafts for silences */

/* settings, in _PG_init */
extern void laras_answer_init(void);

#endif /* LARAS_ANSWER_H */
