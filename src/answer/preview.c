/*
 * preview.c
 *		laras.preview_reply: a look at what the built-in drafter would answer.
 *		Reads as whoever calls, stores nothing.
 */
#include "postgres.h"

#include "answer/drafter.h"
#include "answer/question.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(laras_preview_reply);

/* [{"table": "faq", "id": "1", "version": "1"}]; ids are strings, as in all JSON of laras. */
static Datum
sources_json(const LarasComposed *composed)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < composed->n_sources; i++)
	{
		const LarasSource *source = &composed->sources[i];

		appendStringInfo(&json,
						 "%s{\"table\": \"%s\", \"id\": \"" INT64_FORMAT
						 "\", \"version\": \"" INT64_FORMAT "\"}",
						 i > 0 ? ", " : "", source->table, source->id, source->version);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/*
 * laras.preview_reply(question text)
 *		returns (intent, language, confidence, hand_over, body, sources jsonb)
 */
Datum
laras_preview_reply(PG_FUNCTION_ARGS)
{
	/* No more is read of a long text, and no more is unpacked. */
	text *question = PG_GETARG_TEXT_P_SLICE(0, 0, LARAS_QUESTION_BYTES + MAX_MULTIBYTE_CHAR_LEN);
	LarasComposed composed;
	TupleDesc desc;
	Datum value[6];
	bool null[6] = {false};

	laras_require_workspace();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "preview_reply must return a row");
	laras_compose(laras_bound_workspace(), VARDATA_ANY(question), VARSIZE_ANY_EXHDR(question),
				  &composed);
	value[0] = CStringGetTextDatum(composed.intent);
	value[1] = CStringGetTextDatum(composed.language);
	value[2] = Float4GetDatum(composed.confidence);
	value[3] = BoolGetDatum(composed.hand_over);
	null[4] = composed.text == NULL;
	value[4] = null[4] ? (Datum) 0 : CStringGetTextDatum(composed.text);
	value[5] = sources_json(&composed);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), value, null)));
}
