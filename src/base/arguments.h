/*
 * arguments.h
 *		Arguments of functions that do something: null is an error, not silence.
 *
 * A STRICT function answers null without being called. That suits one that
 * computes a value; one that was asked to act must say that it did not.
 */
#ifndef LARAS_BASE_ARGUMENTS_H
#define LARAS_BASE_ARGUMENTS_H

#include "base/errors.h"
#include "base/json.h"
#include "fmgr.h"

/*
 * Raises 22004 and names the argument if any is null. A declaration: the first
 * of the function, before those that read arguments.
 */
#define LARAS_NO_NULLS(fcinfo) bool no_nulls pg_attribute_unused() = laras_refuse_nulls(fcinfo)

extern bool laras_refuse_nulls(FunctionCallInfo fcinfo);

/* the same of one argument, counted from 0, where others may be null */
extern void laras_refuse_null(FunctionCallInfo fcinfo, int number);

/*
 * Is that value of the type that the letter stands for? b: boolean, i: integer, s: string,
 * a: array, o: object, n: id, a number or a string, l: list, as members or as the text of a file.
 */
extern bool laras_json_is_of_type(const json_t *value, char type);

/* An option that a function takes, and what its value is in JSON. */
typedef struct LarasOption
{
	const char *name;
	char type; /* a letter of laras_json_is_of_type */
} LarasOption;

/*
 * The options that a function was given (a jsonb): an object, each member known
 * and of its type, or 22023: what is misspelled would be off in silence. The
 * message names it, the hint those there are. Belongs to CurrentMemoryContext.
 */
extern json_t *laras_options_read(Datum options, const LarasOption *known, int n);

#endif /* LARAS_BASE_ARGUMENTS_H */
