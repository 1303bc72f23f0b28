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
