/*
 * order.h
 *		Does a customer order, or take back what they ordered?
 *
 *		Such a message asks nothing that a row could answer: somebody has to
 *		write the order down, or strike it out.
 */
#ifndef LARAS_ANSWER_ORDER_H
#define LARAS_ANSWER_ORDER_H

#include "answer/question.h"

/* Each after the cues of the question were found. */
extern bool laras_orders(const LarasQuestion *question);
extern bool laras_cancels(const LarasQuestion *question);

#endif /* LARAS_ANSWER_ORDER_H */
