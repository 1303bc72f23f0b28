/*
 * left.h
 *		What a question says that the answer's rows do not.
 *
 *		An answer to a part of what was written seems to agree to the rest, and
 *		what it passes over may be what matters: then a person looks at it, or
 *		answers.
 */
#ifndef LARAS_ANSWER_LEFT_H
#define LARAS_ANSWER_LEFT_H

#include "answer/clause.h"
#include "answer/said.h"

/* Questions in one message that are answered one by one, at most. */
#define LARAS_CLAUSES 4

/* Words that were looked for, by their bits; both searches have them in one order. */
typedef struct LarasLookedFor
{
	const LarasWord **word;
	int words;
	uint64 elsewhere; /* those that stand in the heading of some policy or FAQ */
	uint64 unknown;   /* those that no row has */
	uint64 asides;    /* those that tell why somebody asks */
} LarasLookedFor;

/* What was said to a question, and what was looked for. */
typedef struct LarasLeft
{
	const LarasSaid *said;
	const LarasLookedFor *looked;
} LarasLeft;

typedef enum LarasLeftBy
{
	LARAS_LEAVES_NOTHING,
	LARAS_LEAVES_SOMETHING, /* somebody should look */
	LARAS_LEAVES_STRANGE    /* of which the business has not a word */
} LarasLeftBy;

/* Is a word one that the answer's rows have, or that told their topic? context: a LarasLeft. */
extern bool laras_is_covered(const void *context, const LarasWord *word);

/* What of the clauses of a question its answer leaves aside. */
extern LarasLeftBy laras_leaves(const LarasLeft *left);

/* Is something asked that an answer without it would seem to say ("halal", "gratis", a colour)? */
extern bool laras_passes_over(const LarasLeft *left);

/* Does a word that no cue told stand in no row of the answer, but above a rule of the business? */
extern bool laras_points_elsewhere(const LarasLeft *left);

/* Is something asked for sale that the heading of a policy or FAQ does not name? */
extern bool laras_asks_to_buy_other(const LarasQuestion *question, const LarasFindings *texts,
									const LarasFound *text);

#endif /* LARAS_ANSWER_LEFT_H */
