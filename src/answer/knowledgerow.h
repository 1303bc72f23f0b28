/*
 * knowledgerow.h
 *		Kinds of knowledge that can be imported, and what a record of one stands for.
 */
#ifndef LARAS_KNOWLEDGEROW_H
#define LARAS_KNOWLEDGEROW_H

#include "answer/knowledgetext.h"

typedef struct LarasKnowledgeColumn LarasKnowledgeColumn;

/* what a file of that kind has in its records */
typedef struct LarasKnowledgeKind
{
	const char *name;
	const LarasKnowledgeColumn *columns;
	bool takes_attributes; /* other columns are attributes rather than mistakes */
} LarasKnowledgeKind;

/* in the order of this list */
typedef enum LarasKnowledgeOf
{
	LARAS_KNOWLEDGE_CATALOG,
	LARAS_KNOWLEDGE_POLICIES,
	LARAS_KNOWLEDGE_FAQS,
	LARAS_KNOWLEDGE_HOURS,
	LARAS_KNOWLEDGE_VOICE,
	LARAS_KNOWLEDGE_KINDS
} LarasKnowledgeOf;

extern const LarasKnowledgeKind laras_knowledge_kinds[LARAS_KNOWLEDGE_KINDS];

/* The column that names what a record is about, and all of them as a list for people. */
extern const char *laras_knowledge_first_column(const LarasKnowledgeKind *kind);
extern char *laras_knowledge_columns(const LarasKnowledgeKind *kind);

/* Is that first column meant by the name, misspelt or in Indonesian? */
extern bool laras_knowledge_means_first(const LarasKnowledgeKind *kind, const char *name);

/*
 * The row that a record stands for, each value checked and in the form in which it is
 * stored, with n as its number; NULL where *problem says what is wrong with it. What
 * was written is not repeated there, but for the name of a column. Owned by
 * CurrentMemoryContext.
 */
extern json_t *laras_knowledge_row(const LarasKnowledgeKind *kind,
								   const LarasKnowledgeRecord *record, int n, const char **problem);

/* What a new row cannot do without and this one lacks; NULL: nothing. */
extern const char *laras_knowledge_lacks(const LarasKnowledgeKind *kind, const json_t *row);

/* What a row is known by, for comparing without case: two of one text are one row. */
extern char *laras_knowledge_known_by(const LarasKnowledgeKind *kind, const json_t *row);

#endif /* LARAS_KNOWLEDGEROW_H */
