/*
 * drafter.h
 *		The built-in drafter: a customer's text in, a proposed answer out,
 *		composed of the rows of one workspace.
 *
 *		It decides nothing: the text goes through the classifier and the
 *		approval rules like any other.  Whatever it states (a price, a number, a
 *		link, a sentence of the business) stands in a row that it cites; without
 *		such a row it hands over to a person.  The question is data: nothing in
 *		it can widen what is read, which row security limits to the workspace.
 *
 * lexicon.c	words it knows by itself (lexicon.def).
 * question.c	a text into words, and its language.
 * spelling.c	chat spellings (laras.chat_spelling), and slips of the finger.
 * outside.c	what is no business of a shop's (outside.def).
 * intent.c		what is wanted, by cues (cues.def).
 * freshness.c	did the knowledge change since it was read?
 * shelf.c		the words of a workspace's knowledge, in memory.
 * retrieve.c	rows that share words with it.
 * voice.c	how the business greets, signs and addresses.
 * span.c	when a day is open.
 * calendar.c	the opening hours, and what time it is.
 * whenasked.c	of which time a question about that asks.
 * hours.c	what the opening hours say to it.
 * drafterrole.c	drafting as laras_drafter.
 * wording.c	phrases around facts, prices, sentences of the business.
 * choose.c	which of the rows it means.
 * compare.c	the cheapest, the smaller: where the order of rows is certain.
 * lacks.c	what is asked that a row does not say.
 * said.c	what they say, in words.
 * clause.c	what of it asks.
 * compose.c	a rule or an item, clause by clause; laras_compose.
 * ellipsis.c	a question that leaves out what was said before.
 * preview.c	laras.preview_reply.
 */
#ifndef LARAS_ANSWER_DRAFTER_H
#define LARAS_ANSWER_DRAFTER_H

#include "datatype/timestamp.h"

#define LARAS_DRAFTER_NAME "built-in 1"

/* A row that the text relies on, in the order of citation. */
typedef struct LarasSource
{
	const char *table; /* catalog_item, policy_text, faq, opening_hours or brand_voice */
	int64 id;
	int64 version; /* as it was read */
	/* of opening hours */
	int32 quoted_for;        /* the date of which a weekday's were told; 0: of none */
	TimestampTz valid_until; /* until when what was told is so; 0: as long as the row is */
} LarasSource;

typedef struct LarasComposed
{
	/*
	 * price, stock, product, hours, delivery, payment, warranty, returns, location,
	 * order_status, complaint, thanks, greeting, human, off_scope or unclear.
	 */
	const char *intent;
	const char *language; /* id or en: of the question, and so of the text */
	float confidence;     /* 0 to 1 */
	bool hand_over;       /* no ground, or a person is wanted: never sent by itself */
	bool namesakes;       /* handed over, since items of one name say different things */
	bool asks;            /* back, which of several rows is meant */
	char *text;           /* proposed text; courteous where handed over; NULL: nothing to say */
	const LarasSource *sources;
	int n_sources;
	const struct LarasVoices *voices; /* how the business speaks, as it was read for this */
} LarasComposed;

/*
 * Composes an answer to the n bytes of the question, which are valid in the
 * server's encoding and otherwise anything at all.  The caller has bound the
 * workspace (laras_owner or laras_worker); only active catalogue items,
 * policies and FAQs of it are read, and nothing is written.  The result is
 * made in the caller's memory context.
 */
extern void
laras_compose(int64 workspace_id, const char *question, size_t n, LarasComposed *composed);

#endif /* LARAS_ANSWER_DRAFTER_H */
