/*
 * compare.h
 *		What a question compares: the cheapest, a smaller one, which of two.
 *
 *		An order is told of rows only where it is certain: all that are meant are
 *		known, each has a price of one currency, or a size of one unit in a name
 *		that is otherwise the same, and one of them is the first.
 */
#ifndef LARAS_ANSWER_COMPARE_H
#define LARAS_ANSWER_COMPARE_H

#include "answer/choose.h"

typedef enum LarasOrder
{
	LARAS_ORDER_NONE,
	LARAS_ORDER_CHEAPEST,
	LARAS_ORDER_DEAREST,
	LARAS_ORDER_SMALLEST,
	LARAS_ORDER_LARGEST,
	LARAS_ORDER_OTHER /* of what no row tells: the best, the strongest */
} LarasOrder;

typedef struct LarasCompared
{
	LarasOrder order;
	bool more;    /* than another one, which need not be named */
	bool denied;  /* not so */
	uint64 words; /* of a search, those that ask for the order */
} LarasCompared;

/* What is compared; the words are those of this search. */
extern void laras_read_compared(const LarasQuestion *question, const LarasFindings *items,
								LarasCompared *compared);

/*
 * The items of which the order is asked, at most LARAS_NAMED_ITEMS: all that have
 * the rest of the question in their names. None where others may be meant too.
 */
extern int
laras_compared_items(const LarasFindings *items, const LarasCompared *compared, LarasFound **row);

/* Of n items, as read, the first in that order; NULL where it is not certain. */
extern LarasFound *laras_first_of(LarasFound *const *row, int n, LarasOrder order);

/* Has the name of a row, as read, the words by which what is compared is called, and not just their stem? */
extern bool laras_is_called_so(const LarasFindings *items, const LarasCompared *compared,
							   const LarasFound *row);

#endif /* LARAS_ANSWER_COMPARE_H */
