/*
 * choose.h
 *		Which of the rows that were found a question means.
 *
 *		Pure: by what each row has of the question, no SQL.
 */
#ifndef LARAS_ANSWER_CHOOSE_H
#define LARAS_ANSWER_CHOOSE_H

#include "answer/retrieve.h"

/* Items answered or asked about in one text, at most. */
#define LARAS_NAMED_ITEMS 4

/* A row this near the best one may be meant as well. */
#define LARAS_RIVAL_COVERAGE 0.5f
/* One that has this much of a question has all of it that matters. */
#define LARAS_PLAIN_COVERAGE 0.85f

/* Which items a question means. */
typedef struct LarasChoice
{
	LarasFound *row[LARAS_NAMED_ITEMS];
	int n;
	bool ask;   /* they match alike, or one does in part: which one is meant? */
	bool more;  /* and others do too */
	bool named; /* the customer wrote most of the name */
} LarasChoice;

/* Was the whole name written?  One word alone is a name only where little else was. */
extern bool laras_fully_named(const LarasFound *row);

/*
 * The items that a question means: those whose names it holds whole, each of
 * which is answered; else the best, and which one where several match alike.
 */
extern LarasChoice laras_choose_items(const LarasFindings *items);

/*
 * Several that each have a name of their own in the question, joined by "and" or
 * in clauses of their own, are all meant: nothing need be asked.
 */
extern void
laras_take_joined(LarasChoice *choice, const LarasFindings *items, const LarasQuestion *question);

/*
 * Of items of one name, as read: those that say the same are one, and what was
 * written may part them. False where it does not, and they say different things:
 * nobody but a person knows which is right.
 */
extern bool laras_part_namesakes(LarasChoice *choice);

/*
 * The policy or FAQ that fits best; NULL where none does. names: words of the search
 * that call items; by these alone none is found, unless they are its whole heading.
 */
extern LarasFound *
laras_choose_text(const LarasFindings *texts, const LarasQuestion *question, uint64 names);

/*
 * Is there another policy or FAQ that has all by which this one was found, and
 * about as well?  One in another language says the same, or is no rival.
 */
extern bool laras_text_has_rival(const LarasFindings *texts, const LarasFound *best,
								 const LarasQuestion *question, uint64 names);

#endif /* LARAS_ANSWER_CHOOSE_H */
