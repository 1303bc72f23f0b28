/*
 * forms.h
 *		Ways in which one word may be written: itself, its stems by PostgreSQL's
 *		dictionaries, words that the lexicon finds for it.
 *
 *		What stands in a list lives in the memory context that was current when
 *		it was added, or as long as the process.
 */
#ifndef LARAS_ANSWER_FORMS_H
#define LARAS_ANSWER_FORMS_H

/* Of one word, at most; more are left out. */
#define LARAS_FORMS 96

typedef struct LarasForms
{
	const char *form[LARAS_FORMS];
	int n;
} LarasForms;

/* Adds a form that is not yet there; NULL and an empty one are none. */
extern void laras_forms_add(LarasForms *forms, const char *form);

/* The word itself and its stems in Indonesian and, where wanted, in English. */
extern void laras_forms_add_stems(LarasForms *forms, const char *word, bool in_english);

/* The same in both languages; NULL: none. */
extern void laras_forms_add_word(LarasForms *forms, const char *word);

/* A list of the lexicon (laras_lexicon_next reads it); NULL: none. */
extern void laras_forms_add_list(LarasForms *forms, const char *list);

/* Has one a form of the other? */
extern bool laras_forms_meet(const LarasForms *a, const LarasForms *b);

#endif /* LARAS_ANSWER_FORMS_H */
