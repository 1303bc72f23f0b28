/*
 * clause.h
 *		The clauses of a question: what is asked, what is told beside it, and what
 *		belongs together.
 *
 *		Pure: by the words and their cues alone.
 */
#ifndef LARAS_ANSWER_CLAUSE_H
#define LARAS_ANSWER_CLAUSE_H

#include "answer/question.h"

/* What a clause is made of. */
typedef struct LarasClause
{
	int from;
	int to;
	bool matter; /* names something, or asks about a topic */
	bool joined; /* by a word such as "and" */
} LarasClause;

/*
 * The clauses, at most max; one that names nothing of its own ("halo kak", "brp
 * ya") belongs to the one before, the first to the next.
 */
extern int laras_find_clauses(const LarasQuestion *question, LarasClause *clause, int max);

/* Does the clause ask at all, or does it tell? */
extern bool laras_clause_asks(const LarasQuestion *question, const LarasClause *clause);

/* Does a part of a question ask, though no cue says what about ("bisa digiling?")? */
extern bool laras_asks_by_itself(const LarasQuestion *part);

/* Does the word say that something opens or closes? */
extern bool laras_word_opens(const LarasWord *word);

/* Is nothing asked by any cue ("casing iphone 15")? */
extern bool laras_says_name_alone(const LarasQuestion *question);

/* Is it asked what there is of a kind ("sambal apa saja", "which tours")? */
extern bool laras_wants_list(const LarasQuestion *question);

#endif /* LARAS_ANSWER_CLAUSE_H */
