/*
 * preview.c
 *		laras.preview_reply and laras.preview_draft: a look at what the built-in
 *		drafter would answer, and at what the classifier would say of it.
 *		Both draft as whoever calls and store nothing.
 */
#include "postgres.h"

#include <float.h>

#include "answer/answer.h"
#include "answer/holdreason.h"
#include "answer/question.h"
#include "answer/written.h"
#include "base/arguments.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "channel/channel.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(laras_preview_reply);
PG_FUNCTION_INFO_V1(laras_preview_draft);

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

/* The digits that four bytes hold: 0.85, not what is nearest to it. */
static json_t *
shortest_real(float value)
{
	return json_real(strtod(psprintf("%.*g", FLT_DIG, value), NULL));
}

static json_t *
id_text(int64 id)
{
	char text[32];

	snprintf(text, sizeof(text), INT64_FORMAT, id);
	return json_string(text);
}

static json_t *
sources_array(const LarasComposed *composed)
{
	json_t *array = laras_json_own(json_array());

	for (int i = 0; i < composed->n_sources; i++)
	{
		json_t *source = laras_json_own(laras_json_object());

		laras_json_put(source, "table", json_string(composed->sources[i].table));
		laras_json_put(source, "id", id_text(composed->sources[i].id));
		laras_json_put(source, "version", id_text(composed->sources[i].version));
		json_array_append(array, source);
	}
	return array;
}

/*
 * laras.preview_draft(question text, channel text) returns jsonb
 */
Datum
laras_preview_draft(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	text *question = PG_GETARG_TEXT_P_SLICE(0, 0, LARAS_QUESTION_BYTES + MAX_MULTIBYTE_CHAR_LEN);
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *rule = NULL;
	int64 workspace_id;
	LarasComposed composed;
	LarasJudgement judgement = {0};
	json_t *draft;
	json_t *reasons;
	json_t *holds;
	char *written;

	laras_require_workspace();
	laras_require_channel_named(laras_text(channel));
	workspace_id = laras_bound_workspace();
	laras_compose(workspace_id, VARDATA_ANY(question), VARSIZE_ANY_EXHDR(question), &composed);
	draft = laras_json_own(laras_json_object());
	laras_json_put(draft, "intent", json_string(composed.intent));
	laras_json_put(draft, "language", json_string(composed.language));
	laras_json_put(draft, "confidence", shortest_real(composed.confidence));
	laras_json_put(draft, "hand_over", json_boolean(composed.hand_over));
	laras_json_put(draft, "body", composed.text != NULL ? json_string(composed.text) : json_null());
	laras_json_put(draft, "sources", json_incref(sources_array(&composed)));
	if (composed.text != NULL)
	{
		LarasRunAs caller;

		/* the classifier sees names of contacts, which whoever asks does not */
		laras_run_as_owner(&caller);
		laras_judge_draft(workspace_id, 0, channel, &composed, false, &judgement);
		rule = laras_review_reason(workspace_id, channel, &composed);
		laras_run_as_end(&caller);
	}
	laras_json_put(draft, "verdict",
				   composed.text != NULL ? json_string(laras_outcome_name(judgement.outcome))
										 : json_null());
	reasons = laras_json_own(json_array());
	for (int i = 0; i < judgement.n_reasons; i++)
		json_array_append_new(reasons, json_string(judgement.reasons[i]));
	laras_json_put(draft, "reasons", json_incref(reasons));
	/* in the order in which a draft's own hold_reasons would have them */
	holds = laras_json_own(json_array());
	if (composed.text == NULL)
		json_array_append_new(holds, json_string(LARAS_HOLD_NO_GROUND));
	else if (composed.hand_over)
		json_array_append_new(holds, json_string(composed.namesakes ? LARAS_HOLD_NAMESAKES
																	: LARAS_HOLD_HAND_OVER));
	json_array_extend(holds, reasons);
	if (rule != NULL)
		json_array_append_new(holds, json_string(rule));
	laras_json_put(draft, "would_send", json_boolean(json_array_size(holds) == 0));
	laras_json_put(draft, "hold_reasons", json_incref(holds));
	written = laras_json_text_of(draft, NULL);
	laras_json_shorten_reals(written);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(written)));
}
