/*
 * lacks.h
 *		What a question asks of an item that the item's row does not say.
 *
 *		A row that was found by some of the words is no answer to the others:
 *		"lapis legit pakai rum ga" is not answered by what lapis legit costs.
 */
#ifndef LARAS_ANSWER_LACKS_H
#define LARAS_ANSWER_LACKS_H

#include "answer/retrieve.h"

/*
 * Does the row, as read, leave open what is asked?  unknown: words of the search
 * that no row of the workspace has.  Then a person answers.
 */
extern bool laras_row_lacks(const LarasQuestion *question, const LarasFindings *items,
							uint64 unknown, const LarasFound *row);

/*
 * The same of a policy or FAQ that was found by one word alone and is of no topic
 * that was asked for.
 */
extern bool laras_text_lacks(const LarasQuestion *question, const LarasFindings *texts,
							 uint64 unknown, const LarasFound *text);

/* Does a text on the topic stand beside a word that neither it nor any other row has? Then nobody can be sure. */
extern bool laras_text_may_miss(const LarasQuestion *question, const LarasFindings *texts,
								uint64 unknown, const LarasFound *text);

#endif /* LARAS_ANSWER_LACKS_H */
