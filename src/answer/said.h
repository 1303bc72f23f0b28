/*
 * said.h
 *		What the drafter says: a text, the rows that it states, and how sure it is.
 *
 *		Which rows those are is chosen before (compose.c); here they are put into
 *		words.  Each function adds a part to the text, cites what the part states
 *		and lowers the confidence to that of the part.
 */
#ifndef LARAS_ANSWER_SAID_H
#define LARAS_ANSWER_SAID_H

#include "answer/choose.h"
#include "answer/drafter.h"
#include "answer/hours.h"
#include "answer/question.h"
#include "answer/retrieve.h"
#include "answer/voice.h"
#include "answer/wording.h"
#include "lib/stringinfo.h"

/* Confidence of what may be right and may be beside the point. */
#define LARAS_UNSURE 0.6f

#define LARAS_SAID_SOURCES 16

typedef struct LarasSaid
{
	const LarasQuestion *question;
	const LarasVoice *voice; /* of the question's language */
	StringInfoData text;
	LarasSource source[LARAS_SAID_SOURCES + 1]; /* and the voice */
	int n_sources;
	LarasIntent intent;
	float confidence;
	bool hand_over;
	bool asks;      /* which of several is meant */
	uint64 covered; /* words of the search that the cited rows have */
} LarasSaid;

/* A blank between parts. */
extern void laras_next_part(LarasSaid *said);

/* A phrase of the drafter's own, which states nothing. */
extern void laras_say(LarasSaid *said, LarasWording wording);

/* That a person answers, in place of all that was said. */
extern void laras_say_hand_over(LarasSaid *said, LarasIntent intent, float confidence);

/*
 * The chosen items, or which of them is meant; false where a row does not hold
 * what was asked.
 */
extern bool laras_say_items(LarasSaid *said, const LarasFindings *items, const LarasChoice *choice,
							LarasIntent intent);

/* A policy or FAQ in the business's own words; false where no sentence of them is short enough. */
extern bool laras_say_text(LarasSaid *said, const LarasFound *row);

/* The opening hours of the rows; false where there are too many to cite. */
extern bool laras_say_hours(LarasSaid *said, const LarasHoursAnswer *hours);

/*
 * Adds what was said of one clause.  False, and nothing added, where it has no
 * row that is not cited yet or too many.
 */
extern bool laras_said_join(LarasSaid *all, const LarasSaid *one);

/* Does the business greet back in words of its own? Not where there is a complaint, or nothing to say. */
extern bool laras_said_greets(const LarasSaid *said);

/* Puts the words of the business around what is said, and cites their row. */
extern void laras_speak(LarasSaid *said);

#endif /* LARAS_ANSWER_SAID_H */
