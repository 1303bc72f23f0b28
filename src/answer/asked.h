/*
 * asked.h
 *		A question beside the rows that were found for it: which of its words a row
 *		has, which clauses name it, what no row knows.
 *
 *		Shared by what items lack (lacks.c) and what texts lack (textlacks.c).
 */
#ifndef LARAS_ANSWER_ASKED_H
#define LARAS_ANSWER_ASKED_H

#include "answer/retrieve.h"

/* A question, and the bit of each of its words in a search; 0: it was not looked for. */
typedef struct LarasAsked
{
	const LarasQuestion *question;
	const LarasFindings *items;
	uint64 *bit;
} LarasAsked;

/* Is it one of n words? */
extern bool laras_is_one_of(const char *word, const char *const *list, int n);
#define LARAS_IS_ONE_OF(word, list) laras_is_one_of(word, list, lengthof(list))

/* The words of a question beside those of a search. */
extern LarasAsked laras_read_asked(const LarasQuestion *question, const LarasFindings *items);

/* Does the row have word i? */
extern bool laras_asked_has(const LarasAsked *a, const LarasFound *row, int i);

/* Does a clause of word i name the row? */
extern bool laras_names_in_clause(const LarasAsked *a, const LarasFound *row, int i);

/* "kulit sapi apa sintetis": one of the two is what the row has. */
extern bool laras_is_other_choice(const LarasAsked *a, const LarasFound *row, int i);

/* How it is put up names nothing beside what is in it. */
extern bool laras_is_pack(const LarasWord *word);

/* "yang besar" says which, where there are several: so does the question back. */
extern bool laras_is_size(const LarasWord *word);

/* "anak saya" tells of a person. */
extern bool laras_is_kin(const LarasQuestion *question, int i);

/* Does word i name something that no row has? */
extern bool laras_is_unknown(const LarasAsked *a, uint64 unknown, int i);

/* A word that no row has, in a clause that names the item. */
extern bool laras_says_unknown(const LarasAsked *a, uint64 unknown, const LarasFound *row);

/* Has the text one of these words, or a number with one of these units behind it? */
extern bool laras_tells_one_of(const char *text, const char *const *list, int n);

/* Has the text a word of a list in blanks? */
extern bool laras_tells_family(const char *text, const char *family);

#endif /* LARAS_ANSWER_ASKED_H */
