/*
 * manner.h
 *		What a text promises, and how it speaks: what is no number and may still
 *		not leave in the name of the business.
 */
#ifndef LARAS_ANSWER_MANNER_H
#define LARAS_ANSWER_MANNER_H

#include "answer/ground.h"

#define LARAS_MANNER_REASONS 7

/*
 * Writes the reasons against a text, each once: ungrounded_promise (a warranty,
 * a discount, a cure, what was done already), ungrounded_date and ungrounded_link
 * (a day, another place of sale) that stand in no fact, ungrounded_stock (an
 * item is there, or gone, that the fact's stock says otherwise of), asks_secret
 * (one-time codes, passwords), tone (rude, shouted, fond), injection_symptom (it
 * speaks of its orders, or is no text for a customer).  Returns how many.
 * Works in the caller's memory context.
 */
extern int laras_manner(const char *text, size_t n, const LarasFact *facts, int n_facts,
						LarasAuthorOfText author, const char *reasons[LARAS_MANNER_REASONS]);

/* Is all of the text, but for signs and case, a part of what was written before it? */
extern bool laras_says_again(const char *text, size_t n, const char *before, size_t before_n);

/* Is a text of some length surely in the other language? */
extern bool laras_other_language(const char *text, size_t n, bool english);

#endif /* LARAS_ANSWER_MANNER_H */
