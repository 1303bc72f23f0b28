/*
 * search.h
 *		One search of a shelf, between those who mark its rows (retrieve.c) and who
 *		rank them (rank.c); for these two alone.
 */
#ifndef LARAS_ANSWER_SEARCH_H
#define LARAS_ANSWER_SEARCH_H

#include "answer/retrieve.h"
#include "answer/shelf.h"

/* A word that no row has, beside 1 for one that a single row has. */
#define LARAS_ABSENT_WEIGHT 0.8

typedef struct LarasSearch
{
	int n;
	const LarasWord *word[LARAS_SEARCH_WORDS];
	const char *instead[LARAS_SEARCH_WORDS];   /* spelled alike, or NULL */
	const char *made_from[LARAS_SEARCH_WORDS]; /* what it is made from, where only that is known */
	int before[LARAS_SEARCH_WORDS]; /* numbers of the words that stand beside it, or -1 */
	int behind[LARAS_SEARCH_WORDS];
	bool named[LARAS_SEARCH_WORDS];      /* a heading has it */
	bool as_written[LARAS_SEARCH_WORDS]; /* so, and no English word is meant by it */
	bool absent[LARAS_SEARCH_WORDS];     /* no row has it */
	bool optional[LARAS_SEARCH_WORDS];   /* told an intent: helps a row that it names */
	bool texts;                          /* policies and FAQs are searched */
	bool english;                        /* is the question */
	double weight[LARAS_SEARCH_WORDS];
	int *touched; /* numbers of the rows that have a word */
	int touched_count;
} LarasSearch;

/* Is the word a number? */
extern bool laras_is_digits(const LarasWord *word);

/* A row without what a search marked in it. */
extern void laras_clear_marks(LarasShelfRow *row);

/* The best of the rows that were marked, and the marks gone. */
extern LarasFindings *laras_rank_found(LarasShelf *shelf, const LarasSearch *search);

#endif /* LARAS_ANSWER_SEARCH_H */
