/*
 * arguments.h
 *		Arguments of functions that do something: null is an error, not silence.
 *
 * A STRICT function answers null without being called. That suits one that
 * computes a value; one that was asked to act must say that it did not.
 */
#ifndef LARAS_BASE_ARGUMENTS_H
#define LARAS_BASE_ARGUMENTS_H

#include "fmgr.h"

/*
 * Raises 22004 and names the argument if any is null. A declaration: the first
 * of the function, before those that read arguments.
 */
#define LARAS_NO_NULLS(fcinfo) bool no_nulls pg_attribute_unused() = laras_refuse_nulls(fcinfo)

extern bool laras_refuse_nulls(FunctionCallInfo fcinfo);

/* the same of one argument, counted from 0, where others may be null */
extern void laras_refuse_null(FunctionCallInfo fcinfo, int number);

#endif /* LARAS_BASE_ARGUMENTS_H */
