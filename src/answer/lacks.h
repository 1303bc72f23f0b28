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

/* Is a big or a small one asked for, of which this row, the only one that is meant, tells nothing? */
extern bool laras_row_has_no_such_size(const LarasQuestion *question, const LarasFindings *items,
									   const LarasFound *row);

/*
 * Do the attributes of the row, of which the question has a word, tell prices
 * ("XL (+20rb)")? Then the row's own price may not be the one that was asked for.
 */
extern bool laras_row_prices_variants(const LarasFound *row);

/*
 * The same of a policy or FAQ: one that was found by one word alone and is of no
 * topic that was asked for, or says nothing of what the topic was asked about.
 */
extern bool laras_text_lacks(const LarasQuestion *question, const LarasFindings *texts,
							 uint64 unknown, const LarasFound *text);

/* Does a text on the topic stand beside a word that neither it nor any other row has? Then nobody can be sure. */
extern bool laras_text_may_miss(const LarasQuestion *question, const LarasFindings *texts,
								uint64 unknown, const LarasFound *text);

/* Is something asked for by its name, on the topic, of which the text says nothing ("no rek")? */
extern bool laras_text_not_of(const LarasQuestion *question, const LarasFindings *texts,
							  LarasIntent topic, const LarasFound *text);

/* Does an attribute tell of what the price is ("satuan: per kg")? Any amount may be asked for. */
extern bool laras_is_priced_by(const LarasFound *row);

extern bool laras_is_colour(const LarasWord *word);

#endif /* LARAS_ANSWER_LACKS_H */
