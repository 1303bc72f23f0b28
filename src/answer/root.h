/*
 * root.h
 *		What a word may be made from: Indonesian prefixes and endings, also those of
 *		the spoken language, and the endings of English.
 *
 *		Pure.  A form that is proposed need be no word: whoever asks looks whether
 *		it is one that somebody knows.
 */
#ifndef LARAS_ANSWER_ROOT_H
#define LARAS_ANSWER_ROOT_H

#include "answer/lexicon.h"

/* Forms proposed for one word, at most. */
#define LARAS_ROOTS 48

typedef struct LarasRoots
{
	int n;
	char form[LARAS_ROOTS][LARAS_WORD_BYTES]; /* the likelier first */
} LarasRoots;

/* The word itself is none of them. */
extern void laras_find_roots(const char *word, bool is_english, LarasRoots *roots);

#endif /* LARAS_ANSWER_ROOT_H */
