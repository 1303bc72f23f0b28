/*
 * reviewrule.c
 *		A review rule says what it means before it is stored, and so does a phrase
 *		that texts must not, or must, have.
 *
 * Each table's one check constraint calls this for every row, before the row is
 * written. It raises where a plain check would give nothing but its name: whoever
 * writes the rule learns which value is wrong and what would be right.
 */
#include "postgres.h"

#include "base/compat.h"
#include "answer/answer.h"
#include "answer/question.h"
#include "base/contain.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(laras_check_review_rule);
PG_FUNCTION_INFO_V1(laras_check_phrase);

#define PHRASE_BYTES 500

/* arguments, in their order */
enum
{
	TOPIC,
	MINIMUM_CONFIDENCE,
	ACT,
	TEXTS,
	MINIMUM_VALUE,
	MAXIMUM_VALUE,
	FROM_TIME,
	TO_TIME,
	TIME_ZONE
};

/* of: of what it is the topic */
static void
check_topic(const char *topic, const char *of)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < LARAS_INTENTS; i++)
	{
		const char *name = laras_intent_name((LarasIntent) i);

		if (strcmp(topic, name) == 0)
			return;
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the drafter knows no such topic"),
			 errdetail("The topic of %s is null or one of %s.", of, known.data),
			 errhint("What a question is about is told by laras.preview_reply().")));
}

static void
check_confidence(float4 confidence)
{
	if (confidence >= 0 && confidence <= 1)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("minimum_confidence is not between 0 and 1"),
					errdetail("The drafter says from 0 to 1 how sure it is."),
					errhint("Leave it null in a rule that asks nothing of that.")));
}

/* One of two words. */
static void
check_word(const char *column, const char *word, const char *first, const char *second)
{
	if (strcmp(word, first) == 0 || strcmp(word, second) == 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s of a review rule has no such value", column),
					errdetail("It is %s or %s.", first, second)));
}

static void
check_value(const char *column, Datum value)
{
	Datum zero = NumericGetDatum(int64_to_numeric(0));

	if (DatumGetBool(DirectFunctionCall2(numeric_ge, value, zero)))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is negative", column),
					errdetail("It is held against the prices of the items that a draft cites."),
					errhint("Leave it null in a rule for drafts of any value.")));
}

/* A rule that no draft and no time of day could ever fit. */
static void
check_spans(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(MINIMUM_VALUE) && !PG_ARGISNULL(MAXIMUM_VALUE) &&
		!DatumGetBool(DirectFunctionCall2(numeric_le, PG_GETARG_DATUM(MINIMUM_VALUE),
										  PG_GETARG_DATUM(MAXIMUM_VALUE))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("minimum_value is above maximum_value"),
						errdetail("No draft could ever fit such a review rule."),
						errhint("Give the lower price as minimum_value.")));
	if (!PG_ARGISNULL(FROM_TIME) && !PG_ARGISNULL(TO_TIME) &&
		PG_GETARG_TIMEADT(FROM_TIME) == PG_GETARG_TIMEADT(TO_TIME))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("from_time and to_time are the same"),
						errdetail("A rule fits from one time of day until before another, so it "
								  "would never fit."),
						errhint("Leave both null in a rule that fits at any time.")));
}

static void
try_zone(void *arg)
{
	(void) DirectFunctionCall2(timestamptz_zone, PointerGetDatum((text *) arg),
							   TimestampTzGetDatum(0));
}

/* By its name, or as one of the abbreviations, of which the server's own reading knows more. */
static void
check_zone(text *zone)
{
	if (pg_tzset(text_to_cstring(zone)) != NULL ||
		laras_contain(try_zone, zone, laras_no_wish_to_stop) == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the server knows no such time zone"),
			 errhint("Names such as Asia/Jakarta are in pg_timezone_names.")));
}

/*
 * laras.check_review_rule(topic text, minimum_confidence real, act text,
 *		texts text, minimum_value numeric, maximum_value numeric, from_time time,
 *		to_time time, time_zone text) returns boolean
 *
 * True or an error; nulls where the columns have them.
 */
Datum
laras_check_review_rule(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(TOPIC))
		check_topic(text_to_cstring(PG_GETARG_TEXT_PP(TOPIC)), "a review rule");
	if (!PG_ARGISNULL(MINIMUM_CONFIDENCE))
		check_confidence(PG_GETARG_FLOAT4(MINIMUM_CONFIDENCE));
	if (!PG_ARGISNULL(ACT))
		check_word("act", text_to_cstring(PG_GETARG_TEXT_PP(ACT)), "review", "allow");
	if (!PG_ARGISNULL(TEXTS))
		check_word("texts", text_to_cstring(PG_GETARG_TEXT_PP(TEXTS)), "drafts", "people");
	if (!PG_ARGISNULL(MINIMUM_VALUE))
		check_value("minimum_value", PG_GETARG_DATUM(MINIMUM_VALUE));
	if (!PG_ARGISNULL(MAXIMUM_VALUE))
		check_value("maximum_value", PG_GETARG_DATUM(MAXIMUM_VALUE));
	if (PG_ARGISNULL(FROM_TIME) != PG_ARGISNULL(TO_TIME))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a review rule has one of from_time and to_time"),
						errdetail("A rule fits from one time of day until before another."),
						errhint("Give both, or neither for a rule that fits at any time.")));
	check_spans(fcinfo);
	if (!PG_ARGISNULL(TIME_ZONE))
		check_zone(PG_GETARG_TEXT_PP(TIME_ZONE));
	if (!PG_ARGISNULL(TEXTS) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(TEXTS)), "people") == 0 &&
		(!PG_ARGISNULL(TOPIC) || !PG_ARGISNULL(MINIMUM_CONFIDENCE) ||
		 !PG_ARGISNULL(MINIMUM_VALUE) || !PG_ARGISNULL(MAXIMUM_VALUE) ||
		 (!PG_ARGISNULL(ACT) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(ACT)), "review") != 0)))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a review rule about what people write asks for review and nothing else"),
			 errdetail(
				 "What topic, minimum_confidence, minimum_value and maximum_value say is said of drafts."),
			 errhint("Leave them null and act at review; channel and times may be given.")));
	PG_RETURN_BOOL(true);
}

/*
 * laras.check_phrase(phrase text, topic text) returns boolean
 *
 * True or an error. A phrase of blanks would forbid and demand nothing.
 */
Datum
laras_check_phrase(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
	{
		text *phrase = PG_GETARG_TEXT_PP(0);

		if (laras_phrase_is_blank(VARDATA_ANY(phrase), VARSIZE_ANY_EXHDR(phrase)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the phrase is blank"),
							errdetail("White space does not count when texts are compared."),
							errhint("Give the words, and delete the row of a phrase that is not "
									"wanted any more.")));
		if (VARSIZE_ANY_EXHDR(phrase) > PHRASE_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the phrase is too long"),
					 errdetail("It has at most %d bytes.", PHRASE_BYTES)));
	}
	if (!PG_ARGISNULL(1))
		check_topic(text_to_cstring(PG_GETARG_TEXT_PP(1)), "a phrase");
	PG_RETURN_BOOL(true);
}
