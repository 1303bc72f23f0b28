/*
 * subject.h
 *		Of which goods a policy or FAQ speaks.
 *
 *		"Monstera disiram berapa kali?" shares a word with a question about how a
 *		cactus is watered, and another with an order of a Monstera, and answers
 *		neither. Words of a heading that are names of items tell what it is of.
 */
#ifndef LARAS_ANSWER_SUBJECT_H
#define LARAS_ANSWER_SUBJECT_H

#include "answer/choose.h"

typedef enum LarasSubject
{
	LARAS_SUBJECT_ALL,    /* it names no item, or one that the question names */
	LARAS_SUBJECT_UNTOLD, /* it names one, and the question none */
	LARAS_SUBJECT_OTHER   /* the question names another one */
} LarasSubject;

/*
 * Of which items a policy or FAQ is, as read, beside those that a question means.
 * unknown: words of the search that no row of the workspace has. Names that many
 * items share are of all of them. Runs SQL as whoever calls: the workspace is bound.
 */
extern LarasSubject
laras_subject_of(int64 workspace_id, const LarasQuestion *question, const LarasFindings *items,
				 const LarasChoice *choice, uint64 unknown, const LarasFound *text);

/*
 * Does the body of a text list goods, and not those that the question names? It
 * may be a rule for some of them alone.
 */
extern bool
laras_lists_others(int64 workspace_id, const LarasQuestion *question, const LarasFindings *items,
				   const LarasChoice *choice, const LarasFound *text);

#endif /* LARAS_ANSWER_SUBJECT_H */
