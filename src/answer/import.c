/*
 * import.c
 *		laras.import_knowledge: a file of items, policies, FAQs, opening hours or
 *		the voice becomes rows, and the caller learns what became of each of its lines.
 *
 * A record finds its row by what a person would know it by: an item's name, a
 * policy's topic or a FAQ's question with the language, a day. What the file does not
 * name stays as it is. A record with a mistake is left out and told; the others
 * go in, all in the caller's transaction and under the caller's rights.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "answer/knowledgetext.h"
#include "answer/span.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_collation_d.h"
#include "channel/send.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* what is wrong with attributes that laras.check_attributes refuses */
#define NESTED \
	"an attribute is nested: a variant with a price or a stock of its own is a row of its own"

PG_FUNCTION_INFO_V1(laras_import_knowledge);

#define MOST_RECORDS 50000
#define MOST_BYTES (16 * 1024 * 1024)

/* $1: [{"n": 0, "name": ..., ...}] */
#define RECORDS "pg_catalog.jsonb_array_elements($1) AS e (r)"
#define FIELD(name) "(e.r ->> '" name "')"
#define GIVEN(name) "CASE WHEN e.r ? '" name "' THEN "

/* of a record onto those that stand: what it names, and what it empties goes */
#define TRANSLATED(old, language)                                                       \
	"nullif(pg_catalog.jsonb_strip_nulls(coalesce(" old " -> '" language "', '{}') || " \
	"coalesce(e.r -> 'translations' -> '" language "', '{}')), '{}')"
#define TRANSLATIONS(old)                                                           \
	"pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('id', " TRANSLATED( \
		old, "id") ", 'en', " TRANSLATED(old, "en") "))"

/* which row a record is about: its number, how many rows match, the row */
#define FIND(relation, condition)                                                          \
	"SELECT (e.r ->> 'n')::pg_catalog.int4, pg_catalog.count(x.id), pg_catalog.min(x.id) " \
	"FROM " RECORDS " JOIN laras." relation " x "                                          \
	"ON x.workspace_id = (SELECT laras.current_workspace()) AND " condition " GROUP BY 1"

LARAS_PLAN(find_items,
		   FIND("catalog_item", "pg_catalog.lower(x.name) = pg_catalog.lower(" FIELD("name") ")"),
		   JSONBOID);
LARAS_PLAN(find_policies,
		   FIND("policy_text",
				"pg_catalog.lower(x.topic) = pg_catalog.lower(" FIELD(
					"topic") ") AND x.language = coalesce(" FIELD("language") ", 'id')"),
		   JSONBOID);
LARAS_PLAN(find_faqs,
		   FIND("faq", "pg_catalog.lower(x.question) = pg_catalog.lower(" FIELD(
						   "question") ") AND x.language = coalesce(" FIELD("language") ", 'id')"),
		   JSONBOID);
/* a day is a weekday's name or a date as it is stored here */
LARAS_PLAN(find_hours,
		   FIND("opening_hours",
				"coalesce(x.weekday, pg_catalog.to_char(x.on_date, 'YYYY-MM-DD')) = " FIELD("day")),
		   JSONBOID);
LARAS_PLAN(find_voices, FIND("brand_voice", "x.language = coalesce(" FIELD("language") ", 'id')"),
		   JSONBOID);

LARAS_PLAN(
	add_items,
	"INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, currency, stock, attributes, state, language, translations) "
	"SELECT laras.current_workspace(), " FIELD("id") "::pg_catalog.int8, " FIELD("name") ", coalesce(" FIELD("description") ", ''), " FIELD("price") "::pg_catalog.numeric, coalesce(" FIELD(
		"currency") ", 'IDR'), " FIELD("stock") "::pg_catalog.int4, "
												"pg_catalog.jsonb_strip_nulls(coalesce(e.r -> 'attributes', '{}')), coalesce(" FIELD(
													"state") ", 'active'), coalesce(" FIELD("language") ", 'id'), " TRANSLATIONS("'{}'::pg_catalog.jsonb") " FROM " RECORDS,
	JSONBOID);
LARAS_PLAN(add_policies,
		   "INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) "
		   "SELECT laras.current_workspace(), " FIELD("id") "::pg_catalog.int8, " FIELD(
			   "topic") ", coalesce(" FIELD("language") ", 'id'), " FIELD("body") " FROM " RECORDS,
		   JSONBOID);
LARAS_PLAN(
	add_faqs,
	"INSERT INTO laras.faq (workspace_id, id, question, answer, language) "
	"SELECT laras.current_workspace(), " FIELD("id") "::pg_catalog.int8, " FIELD(
		"question") ", " FIELD("answer") ", coalesce(" FIELD("language") ", 'id') FROM " RECORDS,
	JSONBOID);
LARAS_PLAN(
	add_hours,
	"INSERT INTO laras.opening_hours (workspace_id, id, weekday, on_date, hours, note) "
	"SELECT laras.current_workspace(), " FIELD(
		"id") "::pg_catalog.int8, "
			  "CASE WHEN " FIELD("day") " >= 'a' THEN " FIELD(
				  "day") " END, "
						 "CASE WHEN " FIELD("day") " < 'a' THEN pg_catalog.to_date(" FIELD(
							 "day") ", 'YYYY-MM-DD') END, " FIELD("hours") ", coalesce(" FIELD("note") ", '') FROM " RECORDS,
	JSONBOID);
LARAS_PLAN(
	add_voices,
	"INSERT INTO laras.brand_voice (workspace_id, id, language, address, greeting, sign_off, emoji, manner) "
	"SELECT laras.current_workspace(), " FIELD("id") "::pg_catalog.int8, coalesce(" FIELD(
		"language") ", 'id'), "
					"coalesce(" FIELD("address") ", ''), coalesce(" FIELD("greeting") ", ''), coalesce(" FIELD(
						"sign_off") ", ''), "
									"coalesce(" FIELD("emoji") "::pg_catalog.bool, true), coalesce(" FIELD(
										"manner") ", '') FROM " RECORDS,
	JSONBOID);

/* the numbers of the records that changed something */
LARAS_PLAN(
	change_items,
	"UPDATE laras.catalog_item x SET description = v.d, price = v.p, currency = v.c, stock = v.s, attributes = v.a, state = v.st, language = v.l, translations = v.t, "
	"updated_at = laras.now() FROM (SELECT (e.r ->> 'n')::pg_catalog.int4 AS n, c.workspace_id AS w, c.id AS i, " GIVEN(
		"description") "coalesce(" FIELD("description") ", '') ELSE c.description END AS d, " GIVEN("price")
		FIELD(
			"price") "::pg_catalog.numeric(18,2) ELSE c.price END AS p, "
					 "coalesce(" FIELD("currency") ", c.currency) AS c, " GIVEN("stock") FIELD(
						 "stock") "::pg_catalog.int4 ELSE c.stock END AS s, "
								  "pg_catalog.jsonb_strip_nulls(c.attributes || coalesce(e.r -> 'attributes', '{}')) AS a, "
								  "coalesce(" FIELD("state") ", c.state) AS st, coalesce(" FIELD("language") ", c.language) AS l, " TRANSLATIONS(
									  "c.translations") " AS t FROM " RECORDS
														" JOIN laras.catalog_item c ON c.workspace_id = (SELECT laras.current_workspace()) AND c.id = " FIELD(
															"id") "::pg_catalog.int8) v "
																  "WHERE x.workspace_id = v.w AND x.id = v.i AND (x.description, x.price, x.currency, x.stock, x.attributes, x.state, x.language, x.translations) "
																  "IS DISTINCT FROM (v.d, v.p, v.c, v.s, v.a, v.st, v.l, v.t) RETURNING v.n",
	JSONBOID);
LARAS_PLAN(
	change_policies,
	"UPDATE laras.policy_text x SET body = " FIELD(
		"body") ", updated_at = laras.now() FROM " RECORDS
				" WHERE x.workspace_id = (SELECT laras.current_workspace()) AND x.id = " FIELD(
					"id") "::pg_catalog.int8 "
						  "AND x.body <> " FIELD(
							  "body") " RETURNING (e.r ->> 'n')::pg_catalog.int4",
	JSONBOID);
LARAS_PLAN(
	change_faqs,
	"UPDATE laras.faq x SET answer = " FIELD(
		"answer") ", updated_at = laras.now() FROM " RECORDS
				  " WHERE x.workspace_id = (SELECT laras.current_workspace()) AND x.id = " FIELD(
					  "id") "::pg_catalog.int8 "
							"AND x.answer <> " FIELD(
								"answer") " RETURNING (e.r ->> 'n')::pg_catalog.int4",
	JSONBOID);
LARAS_PLAN(
	change_hours,
	"UPDATE laras.opening_hours x SET hours = v.h, note = v.o, updated_at = laras.now() FROM ("
	"SELECT (e.r ->> 'n')::pg_catalog.int4 AS n, c.workspace_id AS w, c.id AS i, " FIELD("hours") " AS h, " GIVEN(
		"note") "coalesce(" FIELD("note") ", '') ELSE c.note END AS o "
										  "FROM " RECORDS
										  " JOIN laras.opening_hours c ON c.workspace_id = (SELECT laras.current_workspace()) "
										  "AND c.id = " FIELD(
											  "id") "::pg_catalog.int8) v WHERE x.workspace_id = v.w AND x.id = v.i "
													"AND (x.hours, x.note) IS DISTINCT FROM (v.h, v.o) RETURNING v.n",
	JSONBOID);
LARAS_PLAN(
	change_voices,
	"UPDATE laras.brand_voice x SET address = v.a, greeting = v.g, sign_off = v.s, emoji = v.e, manner = v.m, updated_at = laras.now() FROM ("
	"SELECT (e.r ->> 'n')::pg_catalog.int4 AS n, c.workspace_id AS w, c.id AS i, " GIVEN("address") "coalesce(" FIELD("address") ", '') ELSE c.address END AS a, " GIVEN("greeting") "coalesce(" FIELD("greeting") ", '') ELSE c.greeting END AS g, " GIVEN(
		"sign_off") "coalesce(" FIELD("sign_off") ", '') ELSE c.sign_off END AS s, "
												  "coalesce(" FIELD("emoji") "::pg_catalog.bool, c.emoji) AS e, " GIVEN("manner") "coalesce(" FIELD(
													  "manner") ", '') ELSE c.manner END AS m FROM " RECORDS
																" JOIN laras.brand_voice c ON c.workspace_id = (SELECT laras.current_workspace()) "
																"AND c.id = " FIELD(
																	"id") "::pg_catalog.int8) v WHERE x.workspace_id = v.w AND x.id = v.i "
																		  "AND (x.address, x.greeting, x.sign_off, x.emoji, x.manner) IS DISTINCT FROM (v.a, v.g, v.s, v.e, v.m) RETURNING v.n",
	JSONBOID);

/* ------------------------------------------------------------------ columns */

typedef enum ColumnKind
{
	COLUMN_NAME, /* what the row is known by: never empty */
	COLUMN_TEXT,
	COLUMN_BODY, /* text that may not be empty */
	COLUMN_PRICE,
	COLUMN_CURRENCY,
	COLUMN_STOCK,
	COLUMN_STATE,
	COLUMN_LANGUAGE,
	COLUMN_ATTRIBUTES,
	COLUMN_DAY,   /* what the row is known by, too */
	COLUMN_HOURS, /* may not be empty */
	COLUMN_YES_NO,
	COLUMN_TRANSLATED /* a name or description in a language */
} ColumnKind;

typedef struct Column
{
	const char *name;
	ColumnKind kind;
	size_t limit; /* bytes of a text; 0: as many as there are */
} Column;

#define NESTED \
	"an attribute is nested: a variant with a price or a stock of its own is a row of its own"

typedef struct Kind
{
	const char *name;
	const Column *columns;
	bool takes_attributes; /* other columns are attributes rather than mistakes */
	LarasPlan *find;
	LarasPlan *add;
	LarasPlan *change;
} Kind;

static const Column item_columns[] = {{"name", COLUMN_NAME},
									  {"description", COLUMN_TEXT},
									  {"price", COLUMN_PRICE},
									  {"currency", COLUMN_CURRENCY},
									  {"stock", COLUMN_STOCK},
									  {"state", COLUMN_STATE},
									  {"language", COLUMN_LANGUAGE},
									  {"name_en", COLUMN_TRANSLATED, 500},
									  {"description_en", COLUMN_TRANSLATED},
									  {"name_id", COLUMN_TRANSLATED, 500},
									  {"description_id", COLUMN_TRANSLATED},
									  {"attributes", COLUMN_ATTRIBUTES},
									  {NULL, 0}};
static const Column policy_columns[] = {{"topic", COLUMN_NAME},
										{"language", COLUMN_LANGUAGE},
										{"body", COLUMN_BODY},
										{NULL, 0}};
static const Column faq_columns[] = {{"question", COLUMN_NAME},
									 {"language", COLUMN_LANGUAGE},
									 {"answer", COLUMN_BODY},
									 {NULL, 0}};
static const Column hours_columns[] = {{"day", COLUMN_DAY},
									   {"hours", COLUMN_HOURS},
									   {"note", COLUMN_TEXT, 200},
									   {NULL, 0}};
static const Column voice_columns[] = {{"language", COLUMN_LANGUAGE},
									   {"address", COLUMN_TEXT, 50},
									   {"greeting", COLUMN_TEXT, 300},
									   {"sign_off", COLUMN_TEXT, 300},
									   {"emoji", COLUMN_YES_NO},
									   {"manner", COLUMN_TEXT, 1000},
									   {NULL, 0}};

static const Kind kinds[] = {
	{"catalog", item_columns, true, &find_items, &add_items, &change_items},
	{"policies", policy_columns, false, &find_policies, &add_policies, &change_policies},
	{"faqs", faq_columns, false, &find_faqs, &add_faqs, &change_faqs},
	{"hours", hours_columns, false, &find_hours, &add_hours, &change_hours},
	{"voice", voice_columns, false, &find_voices, &add_voices, &change_voices},
};

/* A record on its way. */
typedef struct Line
{
	const LarasKnowledgeRecord *record;
	json_t *row; /* what is stored */
	const char *act;
	int64 id;
	const char *problem; /* a column's name may be repeated, what stands in it is not */
} Line;

/* ----------------------------------------------------------------- checking */

static const Column *
column_named(const Kind *kind, const char *name)
{
	for (const Column *c = kind->columns; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Is one word the other but for a slip: a letter too many, too few, another, or two in turn? */
static bool
is_slip(const char *a, const char *b)
{
	size_t n = strlen(a);
	size_t m = strlen(b);
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	if (n == m)
		return strcmp(a + i + 1, b + i + 1) == 0 ||
			   (i + 1 < n && a[i] == b[i + 1] && a[i + 1] == b[i] &&
				strcmp(a + i + 2, b + i + 2) == 0);
	return n + 1 == m   ? strcmp(a + i, b + i + 1) == 0
		   : m + 1 == n ? strcmp(a + i + 1, b + i) == 0
						: false;
}

/* The column whose name that is but for a slip; NULL: none. */
static const Column *
column_meant(const Kind *kind, const char *name)
{
	for (const Column *c = kind->columns; c->name != NULL; c++)
		if (is_slip(name, c->name))
			return c;
	return NULL;
}

static const char *
unknown_column(const char *name, const Column *meant)
{
	size_t n = strlen(name);
	bool plain =
		laras_text_shows((LarasText){name, n}) && !laras_text_has_control((LarasText){name, n});
	char *shown = pnstrdup(name, pg_mbcliplen(name, (int) n, 63));

	if (!plain)
		return "has a column that is not known";
	return meant == NULL ? psprintf("has a column that is not known: \"%s\"", shown)
						 : psprintf("has a column that is not known: \"%s\"; is \"%s\" meant?",
									shown, meant->name);
}

/* Digits, and where decimals is not 0 a point and at most that many more. */
static bool
is_number(LarasText t, size_t digits, size_t decimals)
{
	size_t whole = strspn(t.s, "0123456789");
	size_t fraction = 0;

	if (whole == 0 || whole > digits)
		return false;
	if (whole < t.n)
	{
		if (decimals == 0 || t.s[whole] != '.')
			return false;
		fraction = strspn(t.s + whole + 1, "0123456789");
		if (fraction == 0 || fraction > decimals)
			return false;
		fraction++;
	}
	return whole + fraction == t.n;
}

/* A value as text: strings without the blanks around them, numbers as written. */
static LarasText
trimmed(const json_t *value)
{
	LarasText t = laras_json_text(value);

	if (json_is_number(value))
	{
		char *digits = json_is_integer(value)
						   ? psprintf("%lld", (long long) json_integer_value(value))
						   : psprintf("%.15g", json_real_value(value));

		return laras_text(digits);
	}
	if (t.s == NULL)
		return t;
	while (t.n > 0 && strchr(" \t\r\n", t.s[0]) != NULL)
		t.s++, t.n--;
	while (t.n > 0 && strchr(" \t\r\n", t.s[t.n - 1]) != NULL)
		t.n--;
	return (LarasText){pnstrdup(t.s, t.n), t.n};
}

/* The weekday or date that a value names, as it is stored; NULL: none. */
static const char *
day_named(LarasText t)
{
	static const char *const names[] = {"senin", "selasa", "rabu",  "kamis",
										"jumat", "sabtu",  "minggu"};
	char *low = t.s == NULL ? NULL : pnstrdup(t.s, t.n);
	int year;
	int month;
	int day;

	if (low == NULL)
		return NULL;
	for (char *p = low; *p; p++)
		*p = pg_tolower((unsigned char) *p);
	if (laras_weekday(low) >= 0)
		return low;
	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(low, names[i]) == 0)
			return laras_weekday_name(i);
	if (t.n != 10 || low[4] != '-' || low[7] != '-' || strspn(low, "0123456789-") != 10 ||
		sscanf(low, "%4d-%2d-%2d", &year, &month, &day) != 3 || year < 2000 || month < 1 ||
		month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1])
		return NULL;
	return low;
}

/* Hours as people write them, in the form that is stored; NULL: they cannot be read. */
static const char *
hours_written(LarasText t)
{
	static const char *const shut[] = {"closed", "tutup", "libur"};
	static const char *const all_day[] = {"24 jam", "24 hours"};
	LarasOpenDay day;
	char *text = palloc0(2 * t.n + 1);
	char *to = text;

	for (int i = 0; i < lengthof(shut); i++)
		if (pg_strncasecmp(t.s, shut[i], Max(t.n, strlen(shut[i]))) == 0)
			return "closed";
	for (int i = 0; i < lengthof(all_day); i++)
		if (pg_strncasecmp(t.s, all_day[i], Max(t.n, strlen(all_day[i]))) == 0)
			return "00:00-24:00";
	for (size_t i = 0; i < t.n; i++)
	{
		bool begins = to == text || to[-1] == '-' || to[-1] == ' ';

		if (t.s[i] == ' ')
			continue;
		/* 8:00 for 08:00, 08.00 for 08:00, a long dash for a short one */
		if (begins && i + 1 < t.n && (t.s[i + 1] == ':' || t.s[i + 1] == '.'))
			*to++ = '0';
		if (strncmp(t.s + i, "\xe2\x80\x93", Min(t.n - i, 3)) == 0)
		{
			*to++ = '-';
			i += 2;
			continue;
		}
		*to++ = t.s[i] == '.' ? ':' : t.s[i];
		if (t.s[i] == ',')
			*to++ = ' ';
	}
	return laras_read_spans(text, &day) == NULL ? text : NULL;
}

/* "true" or "false"; NULL: neither is meant. */
static const char *
yes_or_no(LarasText t)
{
	static const char *const words[][2] = {{"yes", "true"},    {"ya", "true"},  {"true", "true"},
										   {"1", "true"},      {"no", "false"}, {"tidak", "false"},
										   {"false", "false"}, {"0", "false"}};

	for (int i = 0; i < lengthof(words); i++)
		if (t.n == strlen(words[i][0]) && pg_strncasecmp(t.s, words[i][0], t.n) == 0)
			return words[i][1];
	return NULL;
}

/* NULL, or what is wrong with what a row is known by. */
static const char *
check_name(const char *column, LarasText t)
{
	if (!laras_text_shows(t))
		return psprintf("its %s is missing", column);
	if (t.n > 500)
		return psprintf("its %s is longer than 500 bytes", column);
	if (laras_text_has_control(t))
		return psprintf("its %s holds control characters or such as turn the direction of writing",
						column);
	return laras_text_has_letter(t) ? NULL : psprintf("its %s has no letter", column);
}

/* NULL, or what is wrong with a value; an absent t is null. */
static const char *
check(const Column *column, LarasText t)
{
	bool empty = t.s == NULL || t.n == 0;

	switch (column->kind)
	{
		case COLUMN_NAME:
			return check_name(column->name, t);
		case COLUMN_BODY:
			return laras_text_shows(t) ? NULL : psprintf("its %s is missing", column->name);
		case COLUMN_PRICE:
			return empty || is_number(t, 15, 2) ? NULL
												: "the price must be 0 to 999999999999999.99, "
												  "a plain number: write 45000 or 45000.50";
		case COLUMN_STOCK:
			return empty || is_number(t, 9, 0) ? NULL
											   : "the stock must be 0 to 999999999, a whole number";
		case COLUMN_CURRENCY:
			return empty || (t.n == 3 && strspn(t.s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3)
					   ? NULL
					   : "the currency is no ISO 4217 code: three capital letters, as IDR";
		case COLUMN_STATE:
			return empty || laras_text_is(t, "active") || laras_text_is(t, "hidden")
					   ? NULL
					   : "the state is neither active nor hidden";
		case COLUMN_LANGUAGE:
			return empty || laras_text_is(t, "id") || laras_text_is(t, "en")
					   ? NULL
					   : "the language is neither id nor en";
		case COLUMN_DAY:
			return empty                  ? "its day is missing"
				   : day_named(t) == NULL ? "the day is no weekday and no date as 2026-12-25"
										  : NULL;
		case COLUMN_HOURS:
			return empty ? "its hours are missing"
				   : hours_written(t) == NULL
					   ? "the hours cannot be read: write closed, or 08:00-12:00, 13:00-17:00"
					   : NULL;
		case COLUMN_YES_NO:
			return empty || yes_or_no(t) != NULL ? NULL : "a value is neither yes nor no";
		case COLUMN_TEXT:
		case COLUMN_TRANSLATED:
		case COLUMN_ATTRIBUTES:
			break;
	}
	return NULL;
}

static void
put(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

/* "name_en" becomes translations.en.name; an empty one null, by which it goes. */
static void
put_translated(json_t *row, const char *column, LarasText t)
{
	const char *language = strrchr(column, '_') + 1;
	char *member = pnstrdup(column, language - 1 - column);
	json_t *translations = laras_json_get(row, "translations");
	json_t *of;

	if (translations == NULL)
	{
		put(row, "translations", laras_json_object());
		translations = laras_json_get(row, "translations");
	}
	of = laras_json_get(translations, language);
	if (of == NULL)
	{
		put(translations, language, laras_json_object());
		of = laras_json_get(translations, language);
	}
	put(of, member, t.s == NULL || t.n == 0 ? json_null() : json_stringn(t.s, t.n));
}

/* As laras.check_attributes has it: a text, a number or a list of them. */
static bool
is_attribute(const json_t *value)
{
	const json_t *e;
	size_t i;

	json_array_foreach((json_t *) value, i, e)
	{
		if (json_is_object(e) || json_is_array(e))
			return false;
	}
	return !json_is_object(value);
}

static const char *
take_attributes(json_t *attributes, json_t *values)
{
	const char *name;
	json_t *value;

	json_object_foreach(values, name, value)
	{
		if (!is_attribute(value))
			return NESTED;
		put(attributes, name, json_incref(value));
	}
	return NULL;
}

/* One member of a record into the row; what is wrong with it, or NULL. */
static const char *
take_member(const Kind *kind, json_t *row, const char *name, json_t *value)
{
	const Column *column = column_named(kind, name);
	json_t *attributes = laras_json_get(row, "attributes");
	const Column *meant;
	LarasText t;
	const char *problem;

	if (column != NULL && column->kind == COLUMN_ATTRIBUTES && json_is_object(value))
		return take_attributes(attributes, value);
	if (column == NULL || column->kind == COLUMN_ATTRIBUTES)
	{
		if (column != NULL)
			return json_is_null(value) ? NULL : "the attributes are no object";
		meant = column_meant(kind, name);
		if (!kind->takes_attributes || meant != NULL)
			return unknown_column(name, meant);
		if (!is_attribute(value))
			return NESTED;
		put(attributes, name, json_incref(value));
		return NULL;
	}
	t = json_is_boolean(value) ? laras_text(json_is_true(value) ? "true" : "false")
							   : trimmed(value);
	if (t.s == NULL && !json_is_null(value))
		return "a value is neither text nor number";
	problem = check(column, t);
	if (problem == NULL && column->limit > 0 && t.n > column->limit)
		problem = psprintf("its %s is longer than %zu bytes", column->name, column->limit);
	if (problem == NULL && column->kind == COLUMN_TRANSLATED)
		put_translated(row, column->name, t);
	else if (problem == NULL && column->kind == COLUMN_DAY)
		put(row, column->name, json_string(day_named(t)));
	else if (problem == NULL && column->kind == COLUMN_HOURS)
		put(row, column->name, json_string(hours_written(t)));
	else if (problem == NULL && column->kind == COLUMN_YES_NO && t.n > 0)
		put(row, column->name, json_string(yes_or_no(t)));
	else if (problem == NULL)
		put(row, column->name,
			t.s == NULL || (t.n == 0 && column->kind != COLUMN_TEXT) ? json_null()
																	 : json_stringn(t.s, t.n));
	return problem;
}

/* The row that a record stands for. */
static void
read_record(const Kind *kind, Line *line, int n)
{
	const char *name;
	json_t *value;

	line->act = "refused";
	line->problem = line->record->problem;
	if (line->problem != NULL)
		return;
	line->row = laras_json_own(laras_json_object());
	put(line->row, "n", json_integer(n));
	if (kind->takes_attributes)
		put(line->row, "attributes", laras_json_object());
	json_object_foreach(line->record->values, name, value)
	{
		if (line->problem == NULL)
			line->problem = take_member(kind, line->row, name, value);
	}
	for (const Column *c = kind->columns; c->name != NULL && line->problem == NULL; c++)
		if (c->kind == COLUMN_NAME || c->kind == COLUMN_DAY)
			line->problem = check(c, laras_json_text_at(line->row, c->name));
	if (line->problem == NULL)
		line->act = NULL;
}

/* -------------------------------------------------------------------- storing */

/* The rows of lines with this act (NULL: none yet), as $1 of a plan. */
static Datum
rows_of(Line *lines, int n, const char *act, int *count)
{
	json_t *array = laras_json_own(json_array());
	char *text;

	*count = 0;
	for (int i = 0; i < n; i++)
	{
		bool same = act == NULL ? lines[i].act == NULL
								: lines[i].act != NULL && strcmp(lines[i].act, act) == 0;

		if (!same)
			continue;
		if (lines[i].id != 0)
			put(lines[i].row, "id", json_string(psprintf(INT64_FORMAT, lines[i].id)));
		if (json_array_append(array, lines[i].row) != 0)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		(*count)++;
	}
	text = laras_json_text_of(array, NULL);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

/* What a row is known by, as the plans compare it. */
static Datum
known_by(const Kind *kind, const json_t *row)
{
	StringInfoData key;

	initStringInfo(&key);
	for (const Column *c = kind->columns; c->name != NULL; c++)
	{
		LarasText t = laras_json_text_at(row, c->name);

		if (c->kind == COLUMN_NAME || c->kind == COLUMN_DAY)
			appendBinaryStringInfo(&key, t.s, (int) t.n);
		else if (c->kind == COLUMN_LANGUAGE && !kind->takes_attributes)
			appendStringInfo(&key, "\n%s", t.s == NULL ? "id" : t.s);
	}
	return DirectFunctionCall1Coll(lower, DEFAULT_COLLATION_OID, CStringGetTextDatum(key.data));
}

/* Of records about one row all are refused: nobody can say which is meant. */
static void
refuse_repeats(const Kind *kind, Line *lines, int n)
{
	typedef struct Seen
	{
		uint64 hash;
		int first;
	} Seen;
	HASHCTL control = {.keysize = sizeof(uint64),
					   .entrysize = sizeof(Seen),
					   .hcxt = CurrentMemoryContext};
	HTAB *table =
		hash_create("laras records", n + 1, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	for (int i = 0; i < n; i++)
	{
		uint64 hash;
		Seen *seen;
		bool found;

		if (lines[i].act != NULL)
			continue;
		hash =
			DatumGetUInt64(DirectFunctionCall2Coll(hashtextextended, DEFAULT_COLLATION_OID,
												   known_by(kind, lines[i].row), Int64GetDatum(0)));
		seen = hash_search(table, &hash, HASH_ENTER, &found);
		if (!found)
		{
			seen->first = i;
			continue;
		}
		lines[i].act = lines[seen->first].act = "refused";
		lines[i].problem = lines[seen->first].problem = "the file names it twice";
	}
}

static void
find_rows(const Kind *kind, Line *lines, int n)
{
	int count;
	Datum rows = rows_of(lines, n, NULL, &count);
	uint64 found = laras_spi_run(kind->find, (Datum[]){rows}, NULL);

	for (uint64 i = 0; i < found; i++)
	{
		Line *line = &lines[laras_spi_int4(i, 1)];

		line->act = "same";
		line->id = laras_spi_int8(i, 3);
		if (laras_spi_int8(i, 2) > 1)
		{
			line->act = "refused";
			line->id = 0;
			line->problem = "several rows of the workspace have its name";
		}
	}
	for (int i = 0; i < n; i++)
		if (lines[i].act == NULL)
		{
			lines[i].act = "added";
			lines[i].id = laras_new_id();
		}
}

/* What a new row cannot do without. */
static void
refuse_incomplete(const Kind *kind, Line *lines, int n)
{
	for (int i = 0; i < n; i++)
		for (const Column *c = kind->columns; lines[i].act == NULL && c->name != NULL; c++)
			if ((c->kind == COLUMN_BODY || c->kind == COLUMN_HOURS) &&
				laras_json_text_at(lines[i].row, c->name).s == NULL)
			{
				lines[i].act = "refused";
				lines[i].problem = check(c, (LarasText){NULL, 0});
			}
}

/* A file whose records say nowhere what they are about has another header than it should. */
static void
require_names(const Kind *kind, const LarasKnowledgeRecord *records, int n, bool named)
{
	StringInfoData names;

	for (int i = 0; i < n && !named; i++)
		named = laras_json_get(records[i].values, kind->columns[0].name) != NULL;
	if (named)
		return;
	initStringInfo(&names);
	for (const Column *c = kind->columns; c->name != NULL; c++)
		appendStringInfo(&names, "%s%s", c == kind->columns ? "" : ", ", c->name);
	ereport(
		ERROR,
		(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		 errmsg("the file has no column \"%s\"", kind->columns[0].name),
		 errhint(
			 "The first line of csv names the columns, in json they are members of each object: %s.",
			 names.data)));
}

static void
store(const Kind *kind, Line *lines, int n)
{
	Datum rows;
	uint64 changed;
	int count;

	refuse_repeats(kind, lines, n);
	refuse_incomplete(kind, lines, n);
	find_rows(kind, lines, n);
	rows = rows_of(lines, n, "same", &count);
	changed = count == 0 ? 0 : laras_spi_run(kind->change, (Datum[]){rows}, NULL);
	for (uint64 i = 0; i < changed; i++)
		lines[laras_spi_int4(i, 1)].act = "changed";
	rows = rows_of(lines, n, "added", &count);
	if (count > 0)
		laras_spi_run(kind->add, (Datum[]){rows}, NULL);
}

/*
 * laras.import_knowledge(kind text, format text, data text)
 *		returns setof (line int, act text, id bigint, problem text)
 */
Datum
laras_import_knowledge(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *kind_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *format = text_to_cstring(PG_GETARG_TEXT_PP(1));
	text *data;
	const Kind *kind = NULL;
	LarasKnowledgeRecord *records;
	Line *lines;
	bool named = false;
	bool objects = false;
	int n;

	laras_require_workspace();
	for (size_t i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i].name, kind_name) == 0)
			kind = &kinds[i];
	if (kind == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such kind of knowledge"),
				 errhint("Kinds are catalog, policies, faqs, hours and voice.")));
	if (strcmp(format, "csv") != 0 && strcmp(format, "json") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such format"),
						errhint("Formats are csv and json.")));
	if (toast_raw_datum_size(PG_GETARG_DATUM(2)) > MOST_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the file is too large"),
				 errdetail("At most 16 MB are read by one call."),
				 errhint("Import the file in parts: what stands already is not added twice.")));
	data = PG_GETARG_TEXT_PP(2);
	InitMaterializedSRF(fcinfo, 0);
	if (strcmp(format, "csv") == 0)
		records = laras_knowledge_csv(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), MOST_RECORDS,
									  kind->columns[0].name, &named, &n);
	else
	{
		records =
			laras_knowledge_json(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), MOST_RECORDS, &n);
		/* records that are no objects are told one by one */
		for (int i = 0; i < n && !named; i++)
			objects |= records[i].values != NULL;
		named = !objects;
	}
	require_names(kind, records, n, named);
	lines = palloc0(sizeof(Line) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		lines[i].record = &records[i];
		read_record(kind, &lines[i], i);
	}
	laras_spi_open();
	store(kind, lines, n);
	laras_spi_close();
	for (int i = 0; i < n; i++)
	{
		Datum values[4] = {Int32GetDatum(lines[i].record->line), CStringGetTextDatum(lines[i].act),
						   Int64GetDatum(lines[i].id), (Datum) 0};
		bool isnull[4] = {false, false, lines[i].id == 0, lines[i].problem == NULL};

		if (!isnull[3])
			values[3] = CStringGetTextDatum(lines[i].problem);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}
