/*
 * errors.c
 *		laras.error_codes(): the table of errors.h, for the reference.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "base/errors.h"

PG_FUNCTION_INFO_V1(laras_error_codes);

static const struct
{
	const char sqlstate[6];
	const char *name;
	const char *meaning;
} error_codes[] = {
#define LARAS_ERROR_ROW(name, c3, c4, c5, text) {{'L', 'R', c3, c4, c5, '\0'}, #name, text},
	LARAS_ERRORS(LARAS_ERROR_ROW)
#undef LARAS_ERROR_ROW
};

bool
laras_error_is_own(const ErrorData *error)
{
	return error->domain != NULL && strcmp(error->domain, TEXTDOMAIN) == 0;
}

/* classes 21, 22, 23 and P0 of the server or of somebody's function */
bool
laras_error_may_quote_data(const ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return !laras_error_is_own(error) && (category == MAKE_SQLSTATE('2', '1', '0', '0', '0') ||
										  category == MAKE_SQLSTATE('2', '2', '0', '0', '0') ||
										  category == MAKE_SQLSTATE('2', '3', '0', '0', '0') ||
										  category == MAKE_SQLSTATE('P', '0', '0', '0', '0'));
}

/* laras.error_codes(out sqlstate text, out name text, out meaning text) */
Datum
laras_error_codes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < lengthof(error_codes); i++)
	{
		char *name = asc_tolower(error_codes[i].name, strlen(error_codes[i].name));
		Datum values[3] = {CStringGetTextDatum(error_codes[i].sqlstate), CStringGetTextDatum(name),
						   CStringGetTextDatum(error_codes[i].meaning)};
		bool nulls[3] = {false, false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
