/*
 * earlier.h
 *		What stands in a conversation before the messages that are drafted for.
 */
#ifndef LARAS_ANSWER_EARLIER_H
#define LARAS_ANSWER_EARLIER_H

#include "answer/drafting.h"

/*
 * Of each of n conversations: what the customer wrote since the business last
 * answered joins the question, and unanswered says whether one of those messages
 * waits for a person, or waited until the customer wrote again; before and cited
 * are what was asked and answered by itself a short while ago.  Inside SPI, as
 * laras_worker, the workspaces in reach, sorted by workspace and conversation.
 */
extern void laras_read_earlier(LarasDrafting *list, int n);

#endif /* LARAS_ANSWER_EARLIER_H */
