/*
 * arguments.c
 *		Arguments of functions that do something; see arguments.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/arguments.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

static const char *
name_of_argument(Oid function, int number)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid *types;
	char **names;
	char *modes;
	int n;
	int input = 0;
	const char *name = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	n = get_func_arg_info(tuple, &types, &names, &modes);
	for (int i = 0; i < n && names != NULL; i++)
	{
		if (modes != NULL && modes[i] != PROARGMODE_IN && modes[i] != PROARGMODE_INOUT &&
			modes[i] != PROARGMODE_VARIADIC)
			continue;
		if (input++ == number)
			name = names[i];
	}
	ReleaseSysCache(tuple);
	return name;
}

void
laras_refuse_null(FunctionCallInfo fcinfo, int number)
{
	const char *name;

	if (!PG_ARGISNULL(number))
		return;
	name = fcinfo->flinfo != NULL ? name_of_argument(fcinfo->flinfo->fn_oid, number) : NULL;
	if (name != NULL && *name != '\0')
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
	ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument %d must not be null", number + 1)));
}

bool
laras_refuse_nulls(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < PG_NARGS(); i++)
		laras_refuse_null(fcinfo, i);
	return true;
}
