/*
 * written.c
 *		What people write into tables and arguments says what is wrong with it
 *		before it is stored.
 *
 * The check constraints of the knowledge tables call these for every row. They
 * raise where a plain check would give nothing but its name, and never repeat
 * what was written.
 */
#include "postgres.h"

#include "answer/written.h"
#include "base/compat.h"
#include "base/lower.h"
#include "catalog/pg_collation_d.h"
#include "channel/send.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(laras_check_catalog_item);
PG_FUNCTION_INFO_V1(laras_check_attributes);
PG_FUNCTION_INFO_V1(laras_check_brand_voice);
PG_FUNCTION_INFO_V1(laras_check_written);
PG_FUNCTION_INFO_V1(laras_check_channel);
PG_FUNCTION_INFO_V1(laras_check_chat_spelling);

#define LONGEST_NAME 500
#define PRICES_BELOW INT64CONST(1000000000000000)
#define MOST_STOCK 999999999

static LarasText
text_of(FunctionCallInfo fcinfo, int argument)
{
	LarasText t = {NULL, 0};

	if (!PG_ARGISNULL(argument))
	{
		text *given = PG_GETARG_TEXT_PP(argument);

		t = (LarasText){VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given)};
	}
	return t;
}

static void
refuse(const char *message, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
					errdetail("%s", detail), errhint("%s", hint)));
}

void
laras_require_shown(LarasText t, const char *what)
{
	if (laras_text_shows(t))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", what),
					t.n == 0 ? 0 : errdetail("It consists of characters that show nothing.")));
}

/* A column of a relation that must show something; an absent text is its own matter. */
static void
check_column(const char *relation, const char *column, LarasText t)
{
	if (t.s == NULL || laras_text_shows(t))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s of %s must not be empty", column, relation),
					errdetail("A text of blanks or of characters that show nothing is empty, too."),
					errhint("Write what customers would read.")));
}

void
laras_require_short(const char *relation, const char *column, LarasText t, size_t limit)
{
	if (t.n > limit)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of %s is too long", column, relation),
						errdetail("It has at most %zu bytes.", limit)));
}

/* What customers read shows all that it holds. */
static void
require_plain(const char *relation, const char *column, LarasText t)
{
	if (laras_text_has_control(t))
		refuse(psprintf("%s of %s holds a control character", column, relation),
			   "Those that turn the direction of writing are not taken either.",
			   "Write it by hand: what was copied from elsewhere may hold what nobody sees.");
}

static bool
is_language(LarasText t)
{
	return laras_text_is(t, "id") || laras_text_is(t, "en");
}

static void
check_language(const char *relation, LarasText language)
{
	if (language.s == NULL || is_language(language))
		return;
	refuse(psprintf("language of %s has no such value", relation), "It is id or en.",
		   "Write id for Indonesian, en for English.");
}

/* Is it an object of which each member is a language with an object of its own? */
static bool
are_translations(Jsonb *written)
{
	JsonbIterator *it = JsonbIteratorInit(&written->root);
	JsonbIteratorToken token;
	JsonbValue value;

	if (!JB_ROOT_IS_OBJECT(written))
		return false;
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY &&
			!is_language((LarasText){value.val.string.val, value.val.string.len}))
			return false;
		if (token == WJB_VALUE &&
			!(value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data)))
			return false;
	}
	return true;
}

/* The limits are those of laras.import_knowledge. */
static void
check_price(Numeric price)
{
	Datum below = NumericGetDatum(int64_to_numeric(PRICES_BELOW));
	Datum zero = NumericGetDatum(int64_to_numeric(0));
	Datum given = NumericGetDatum(price);
	const char *why = NULL;

	if (numeric_is_nan(price))
		why = "price of catalog_item is no number";
	else if (DatumGetBool(DirectFunctionCall2(numeric_lt, given, zero)))
		why = "price of catalog_item is negative";
	else if (DatumGetBool(DirectFunctionCall2(numeric_ge, given, below)))
		why = "price of catalog_item is too high";
	if (why != NULL)
		refuse(why, "It must be 0 to 999999999999999.99.",
			   "Leave it null where no price is to be told.");
}

/*
 * laras.check_catalog_item(name text, price numeric, currency text, stock integer,
 *		state text, language text, translations jsonb) returns boolean
 *
 * True or an error; nulls where the columns have them.
 */
Datum
laras_check_catalog_item(PG_FUNCTION_ARGS)
{
	LarasText name = text_of(fcinfo, 0);
	LarasText currency = text_of(fcinfo, 2);
	LarasText state = text_of(fcinfo, 4);

	check_column("catalog_item", "name", name);
	if (name.n > LONGEST_NAME)
		refuse("name of catalog_item is too long", "It has at most 500 bytes.",
			   "Write in the description what need not be said each time.");
	if (!PG_ARGISNULL(1))
		check_price(PG_GETARG_NUMERIC(1));
	if (currency.s != NULL && (currency.n != 3 || strspn(pnstrdup(currency.s, currency.n),
														 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
		refuse("currency of catalog_item is no currency",
			   "It is a code of ISO 4217: three capital letters.", "Write IDR for rupiah.");
	if (!PG_ARGISNULL(3) && (PG_GETARG_INT32(3) < 0 || PG_GETARG_INT32(3) > MOST_STOCK))
		refuse(PG_GETARG_INT32(3) < 0 ? "stock of catalog_item is negative"
									  : "stock of catalog_item is too high",
			   psprintf("It must be 0 to %d.", MOST_STOCK), "Leave it null where nobody counts.");
	if (state.s != NULL && !laras_text_is(state, "active") && !laras_text_is(state, "hidden"))
		refuse("state of catalog_item has no such value", "It is active or hidden.",
			   "Hidden items are not spoken of.");
	check_language("catalog_item", text_of(fcinfo, 5));
	if (!PG_ARGISNULL(6) && !are_translations(PG_GETARG_JSONB_P(6)))
		refuse("translations of catalog_item cannot be read",
			   "They are an object with members id and en alone, each an object.",
			   "Write {\"en\": {\"name\": \"Toraja coffee\", \"description\": \"Dark roast.\"}}.");
	PG_RETURN_BOOL(true);
}

/*
 * laras.check_brand_voice(language text, address text, greeting text,
 *		sign_off text, manner text) returns boolean
 *
 * The same of laras.brand_voice.
 */
Datum
laras_check_brand_voice(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"language", "address", "greeting", "sign_off", "manner"};

	check_language("brand_voice", text_of(fcinfo, 0));
	laras_require_short("brand_voice", "address", text_of(fcinfo, 1), 50);
	laras_require_short("brand_voice", "greeting", text_of(fcinfo, 2), 300);
	laras_require_short("brand_voice", "sign_off", text_of(fcinfo, 3), 300);
	laras_require_short("brand_voice", "manner", text_of(fcinfo, 4), 1000);
	for (int i = 1; i < 5; i++)
		require_plain("brand_voice", columns[i], text_of(fcinfo, i));
	PG_RETURN_BOOL(true);
}

/*
 * laras.check_attributes(attributes jsonb) returns boolean
 *
 * True or an error: names with texts, numbers, true and false, or lists of these.
 * What has a price or a stock of its own is an item of its own, whose price a draft
 * can say: of a price that lies deeper nobody would know whose it is.
 */
Datum
laras_check_attributes(PG_FUNCTION_ARGS)
{
	static const char form[] =
		"They are a JSON object of names with texts, numbers or lists of them.";
	JsonbIterator *it = JsonbIteratorInit(&PG_GETARG_JSONB_P(0)->root);
	JsonbIteratorToken token;
	JsonbValue v;
	int depth = 0;

	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		depth += token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY;
		depth -= token == WJB_END_OBJECT || token == WJB_END_ARRAY;
		if (depth == 1 && token == WJB_BEGIN_ARRAY)
			refuse("attributes of catalog_item are no object", form,
				   "Write {\"ukuran\": [\"S\", \"M\"], \"warna\": \"biru\"}.");
		if (depth > 2 || (depth == 2 && token == WJB_BEGIN_OBJECT))
			refuse("attributes of catalog_item are nested", form,
				   "A variant with a price or a stock of its own is a row of its own.");
	}
	PG_RETURN_BOOL(true);
}

/* A body is sent as it is written: who put {name} into it would write that to customers. */
static void
check_braces(LarasText body)
{
	if (body.s != NULL &&
		(memchr(body.s, '{', body.n) != NULL || memchr(body.s, '}', body.n) != NULL))
		refuse("body of follow_up_rule holds a brace",
			   "Placeholders such as {name} stand in template_values alone.",
			   "Write what fits everybody, or follow up with a template.");
}

/*
 * laras.check_written(relation text, name text, body text, language text)
 *		returns boolean
 *
 * The same of laras.policy_text and laras.faq, and of follow_up_rule.body alone.
 */
Datum
laras_check_written(PG_FUNCTION_ARGS)
{
	LarasText relation = text_of(fcinfo, 0);
	bool policy = laras_text_is(relation, "policy_text");
	const char *table = policy                           ? "policy_text"
						: laras_text_is(relation, "faq") ? "faq"
														 : "follow_up_rule";

	check_column(table, policy ? "topic" : "question", text_of(fcinfo, 1));
	check_column(table, strcmp(table, "faq") == 0 ? "answer" : "body", text_of(fcinfo, 2));
	check_language(table, text_of(fcinfo, 3));
	if (strcmp(table, "follow_up_rule") == 0)
		check_braces(text_of(fcinfo, 2));
	PG_RETURN_BOOL(true);
}

static void
check_spelling(const char *column, LarasText t, size_t most, bool lower, const char *rule)
{
	const char *wrong = NULL;
	const char *low;

	if (t.s == NULL)
		return;
	low = laras_lower(t.s, t.n);
	if (t.n == 0)
		wrong = "must not be empty";
	else if (t.n > most)
		wrong = "is too long";
	else if (lower && (strlen(low) != t.n || memcmp(low, t.s, t.n) != 0))
		wrong = "has a capital letter";
	if (wrong != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of chat_spelling %s", column, wrong), errdetail("%s", rule)));
}

/*
 * laras.check_chat_spelling(word text, language text, meaning text, reason text)
 *		returns boolean
 *
 * The same of laras.chat_spelling.
 */
Datum
laras_check_chat_spelling(PG_FUNCTION_ARGS)
{
	static const char word_rule[] = "It is one word in lower case, of 1 to 45 bytes.";
	LarasText word = text_of(fcinfo, 0);

	check_language("chat_spelling", text_of(fcinfo, 1));
	check_spelling("word", word, 45, true, word_rule);
	if (word.s != NULL &&
		DatumGetBool(DirectFunctionCall2Coll(textregexeq, DEFAULT_COLLATION_OID, PG_GETARG_DATUM(0),
											 CStringGetTextDatum("\\s"))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("word of chat_spelling holds a blank"), errdetail("%s", word_rule)));
	check_spelling("meaning", text_of(fcinfo, 2), 200, true,
				   "It is one or more words in lower case, of 1 to 200 bytes.");
	check_spelling("reason", text_of(fcinfo, 3), 500, false,
				   "It says why the row is here, in 1 to 500 bytes.");
	PG_RETURN_BOOL(true);
}

void
laras_require_channel_named(LarasText channel)
{
	StringInfoData known;

	initStringInfo(&known);
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
	{
		if (laras_text_is(channel, laras_channel_nth(i)->channel))
			return;
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", laras_channel_nth(i)->channel);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such channel"),
					errhint("The channels are %s.", known.data)));
}

/*
 * laras.check_channel(channel text) returns boolean
 *
 * True, null for null, or 22023 with the channels that there are.
 */
Datum
laras_check_channel(PG_FUNCTION_ARGS)
{
	laras_require_channel_named(text_of(fcinfo, 0));
	PG_RETURN_BOOL(true);
}
