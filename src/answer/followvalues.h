/*
 * followvalues.h
 *		What stands in the values of a follow-up rule for what laras knows of the
 *		person: {name}, {name|Kak} and {business}.
 */
#ifndef LARAS_ANSWER_FOLLOWVALUES_H
#define LARAS_ANSWER_FOLLOWVALUES_H

#include "base/json.h"

/* what a rule's values may name; absent where nothing is known */
typedef struct LarasFollowNames
{
	LarasText name;     /* of the person */
	LarasText business; /* of the workspace */
} LarasFollowNames;

/*
 * The values with each placeholder replaced, owned by the memory context; NULL
 * where one of them stands for what is not known and has no fallback.
 */
extern json_t *laras_follow_values(const json_t *values, const LarasFollowNames *names);

/* Is there a brace in them that is none of a placeholder? */
extern bool laras_follow_has_stray(const json_t *values);

#endif /* LARAS_ANSWER_FOLLOWVALUES_H */
