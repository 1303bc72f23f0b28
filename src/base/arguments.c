/*
 * arguments.c
 *		Arguments of functions that do something; see arguments.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/arguments.h"
#include "base/json_owner.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
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

bool
laras_json_is_of_type(const json_t *value, char type)
{
	switch (type)
	{
		case 'b':
			return json_is_boolean(value);
		case 'i':
			return json_is_integer(value);
		case 's':
			return json_is_string(value);
		case 'a':
			return json_is_array(value);
		case 'n':
			return json_is_integer(value) || json_is_string(value);
		case 'l':
			return json_is_array(value) || json_is_string(value);
		default:
			return json_is_object(value);
	}
}

static char *
names_of(const LarasOption *known, int n)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < n; i++)
		appendStringInfo(&names, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", known[i].name);
	return names.data;
}

/* What a value of that type is called. */
static const char *
type_word(char type)
{
	switch (type)
	{
		case 'b':
			return "true or false";
		case 'i':
			return "a whole number";
		case 's':
			return "a text";
		case 'a':
			return "a list";
		case 'n':
			return "an id";
		case 'l':
			return "a list";
		default:
			return "an object";
	}
}

json_t *
laras_options_read(Datum options, const LarasOption *known, int n)
{
	char *text = DatumGetCString(DirectFunctionCall1(jsonb_out, options));
	json_t *document = laras_json_own(laras_json_parse(text, strlen(text), NULL));
	const char *name;
	json_t *value;

	if (!json_is_object(document))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options must be a JSON object")));
	json_object_foreach(document, name, value)
	{
		const LarasOption *option = NULL;

		for (int i = 0; i < n && option == NULL; i++)
			if (strcmp(known[i].name, name) == 0)
				option = &known[i];
		if (option == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							laras_is_name(name) ? errmsg("there is no option \"%s\"", name)
												: errmsg("an option is not known"),
							n == 0 ? errhint("The function takes no options yet.")
								   : errhint("The options are %s.", names_of(known, n))));
		if (!laras_json_is_of_type(value, option->type))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"%s\" must be %s", name, type_word(option->type)),
							errhint("The options are %s.", names_of(known, n))));
	}
	return document;
}
