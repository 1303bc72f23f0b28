/*
 * knowledgetext.h
 *		Records of a file of knowledge: CSV or JSON as an array of objects.
 */
#ifndef LARAS_KNOWLEDGETEXT_H
#define LARAS_KNOWLEDGETEXT_H

#include "base/json.h"

/* One record: its members, and where in the file it begins. */
typedef struct LarasKnowledgeRecord
{
	int line;       /* of CSV, from 1, the header's included; of JSON the element, from 1 */
	json_t *values; /* an object; NULL: problem says what is wrong with it */
	const char *problem;
} LarasKnowledgeRecord;

/*
 * The records of a text in the server's encoding, in CurrentMemoryContext.
 * CSV has a header; its separator is a comma, or a semicolon or tab where the
 * header has these and no comma; an empty field without quotes is null. JSON is
 * an array of objects. *named: does the header have the column needed? A record
 * with fewer fields than the header has a problem where one is needed; else it ends
 * in fields that are null. One with more fields and an object with a key twice have a problem. More than limit records, a text that is no CSV or JSON, and a
 * header without names raise 54000, 22P04, 22P02 and 22023.
 */
extern LarasKnowledgeRecord *laras_knowledge_csv(const char *text, size_t n, int limit,
												 const char *needed, bool *named, int *count);
extern LarasKnowledgeRecord *
laras_knowledge_json(const char *text, size_t n, int limit, int *count);

#endif /* LARAS_KNOWLEDGETEXT_H */
