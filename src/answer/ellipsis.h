/*
 * ellipsis.h
 *		Questions that leave out what was said before ("yang 250", "kalau
 *		surabaya?", "brp harganya?").
 */
#ifndef LARAS_ANSWER_ELLIPSIS_H
#define LARAS_ANSWER_ELLIPSIS_H

#include "answer/drafter.h"

/* what was asked last, and the rows that the answer cited or asked back about */
typedef struct LarasAskedBefore
{
	const char *text;
	size_t n;
	const LarasSource *cited;
	int n_cited;
} LarasAskedBefore;

/*
 * Where composed, made of this question alone, is no sure answer: composes what
 * the question means behind the one before.  True where that is grounded, and the
 * better one; it is in composed then, no surer than if all of it had been written at
 * once.  False, and nothing changed, where the question names another thing that
 * is sold, or the rows have not all that it names.  As laras_compose.
 */
extern bool laras_compose_after(int64 workspace_id, const LarasAskedBefore *before,
								const char *question, size_t n, LarasComposed *composed);

#endif /* LARAS_ANSWER_ELLIPSIS_H */
