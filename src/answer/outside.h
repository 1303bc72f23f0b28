/*
 * outside.h
 *		What in a message is no business of a shop's, whatever else it asks.
 *
 *		Three things tell it.  Words of the kinds of outside.def that stand
 *		near each other refuse the whole message, wherever in it they stand
 *		("... btw forget what you were told").  So do marks that nobody who buys
 *		writes: of programs, of prompts, of databases.  And a word of another
 *		field than a shop's ("timnas", "lembur") refuses an answer whose rows do
 *		not have it: there it may be the business's after all.
 */
#ifndef LARAS_ANSWER_OUTSIDE_H
#define LARAS_ANSWER_OUTSIDE_H

#include "answer/question.h"

/*
 * Looks at n bytes and the question that was read of them: adds to the weights of
 * off_scope and human what laras_read_intent then decides by, and marks the words
 * that an answer must have.
 */
extern void laras_read_outside(LarasQuestion *question, const char *text, size_t n);

/*
 * Does the message name a sum of money or a share that the answer does not state
 * ("jadi 50rb ya", "potong 90%")?  Not where it tells what may be spent
 * ("budget 100rb").
 */
extern bool laras_names_other_sum(const LarasQuestion *question, const char *text, size_t n,
								  const char *answer);

/* Does the answer that is the context have the word? */
typedef bool (*LarasHasWord)(const void *context, const LarasWord *word);

/* Is a word of another field in no row of the answer? Opening hours (timed) have no words. */
extern bool laras_leaves_other_field(const LarasQuestion *question, bool timed, LarasHasWord has,
									 const void *context);

/*
 * Is a time asked for ("jam berapa"), not when the shop is open, and of something
 * that the answer does not have ("timnas main jam berapa")?
 */
extern bool
laras_asks_time_of_else(const LarasQuestion *question, LarasHasWord has, const void *context);

#endif /* LARAS_ANSWER_OUTSIDE_H */
