/*
 * knowledgerow.c
 *		Kinds of knowledge that can be imported: their columns, what each takes, and
 *		the row that a record of a file stands for.
 *
 * A value is checked before the table sees it, so that one mistake costs one record,
 * and is brought into the form in which it is stored: weekdays in either language,
 * hours as people write them, yes and no.
 */
#include "postgres.h"

#include "answer/knowledgerow.h"
#include "answer/span.h"
#include "base/json_owner.h"
#include "channel/send.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"

typedef LarasKnowledgeKind Kind;

typedef enum ColumnKind
{
	COLUMN_NAME, /* what the row is known by: never empty */
	COLUMN_TEXT,
	COLUMN_SAID, /* text that stands in what customers read: no control characters */
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

typedef struct LarasKnowledgeColumn
{
	const char *name;
	ColumnKind kind;
	size_t limit; /* bytes of a text; 0: as many as there are */
} Column;

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
									   {"address", COLUMN_SAID, 50},
									   {"greeting", COLUMN_SAID, 300},
									   {"sign_off", COLUMN_SAID, 300},
									   {"emoji", COLUMN_YES_NO},
									   {"manner", COLUMN_SAID, 1000},
									   {NULL, 0}};

const Kind laras_knowledge_kinds[LARAS_KNOWLEDGE_KINDS] = {
	[LARAS_KNOWLEDGE_CATALOG] = {"catalog", item_columns, true},
	[LARAS_KNOWLEDGE_POLICIES] = {"policies", policy_columns, false},
	[LARAS_KNOWLEDGE_FAQS] = {"faqs", faq_columns, false},
	[LARAS_KNOWLEDGE_HOURS] = {"hours", hours_columns, false},
	[LARAS_KNOWLEDGE_VOICE] = {"voice", voice_columns, false},
};

/* ----------------------------------------------------------------- one value */

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

/* The Indonesian names of columns, as shops write them into their files. */
static const struct
{
	const char *word;
	const char *column;
} indonesian[] = {
	{"nama", "name"},
	{"harga", "price"},
	{"stok", "stock"},
	{"deskripsi", "description"},
	{"keterangan", "description"},
	{"mata uang", "currency"},
	{"mata_uang", "currency"},
	{"bahasa", "language"},
	{"topik", "topic"},
	{"isi", "body"},
	{"pertanyaan", "question"},
	{"jawaban", "answer"},
	{"hari", "day"},
	{"jam", "hours"},
	{"catatan", "note"},
	{"sapaan", "address"},
	{"salam", "greeting"},
	{"penutup", "sign_off"},
};

/* The column whose name that is but for a slip, or in Indonesian; NULL: none. */
static const Column *
column_meant(const Kind *kind, const char *name)
{
	for (size_t i = 0; i < lengthof(indonesian); i++)
		if (pg_strcasecmp(name, indonesian[i].word) == 0 &&
			column_named(kind, indonesian[i].column) != NULL)
			return column_named(kind, indonesian[i].column);
	for (const Column *c = kind->columns; c->name != NULL; c++)
		if (is_slip(name, c->name))
			return c;
	return NULL;
}

/* A column's name as a message may repeat it; NULL: it may not. */
static const char *
shown(const char *name)
{
	LarasText t = laras_text(name);

	return laras_text_shows(t) && !laras_text_has_control(t)
			   ? pnstrdup(name, pg_mbcliplen(name, (int) t.n, 63))
			   : NULL;
}

static const char *
unknown_column(const char *name, const Column *meant)
{
	if (shown(name) == NULL)
		return "has a column that is not known";
	return meant == NULL ? psprintf("has a column that is not known: \"%s\"", shown(name))
						 : psprintf("has a column that is not known: \"%s\"; is \"%s\" meant?",
									shown(name), meant->name);
}

/* what is wrong with attributes that laras.check_attributes refuses */
static const char *
nested(const char *name)
{
	return psprintf(
		"the attribute%s is nested: a variant with a price or a stock of its own is a row of its own",
		shown(name) == NULL ? "" : psprintf(" \"%s\"", shown(name)));
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

static const char *
holds_control(const char *column)
{
	return psprintf("its %s holds control characters or such as turn the direction of writing",
					column);
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
		return holds_control(column);
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
			return empty || yes_or_no(t) != NULL
					   ? NULL
					   : psprintf("its %s is neither yes nor no", column->name);
		case COLUMN_SAID:
			return laras_text_has_control(t) ? holds_control(column->name) : NULL;
		case COLUMN_TEXT:
		case COLUMN_TRANSLATED:
		case COLUMN_ATTRIBUTES:
			break;
	}
	return NULL;
}

/* ------------------------------------------------------------------- the row */

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
		laras_json_put(row, "translations", laras_json_object());
		translations = laras_json_get(row, "translations");
	}
	of = laras_json_get(translations, language);
	if (of == NULL)
	{
		laras_json_put(translations, language, laras_json_object());
		of = laras_json_get(translations, language);
	}
	laras_json_put(of, member, t.s == NULL || t.n == 0 ? json_null() : json_stringn(t.s, t.n));
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
			return nested(name);
		laras_json_put(attributes, name, json_incref(value));
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
			return nested(name);
		laras_json_put(attributes, name, json_incref(value));
		return NULL;
	}
	t = json_is_boolean(value) ? laras_text(json_is_true(value) ? "true" : "false")
							   : trimmed(value);
	if (t.s == NULL && !json_is_null(value))
		return psprintf("its %s is neither text nor number", column->name);
	problem = check(column, t);
	if (problem == NULL && column->limit > 0 && t.n > column->limit)
		problem = psprintf("its %s is longer than %zu bytes", column->name, column->limit);
	if (problem == NULL && column->kind == COLUMN_TRANSLATED)
		put_translated(row, column->name, t);
	else if (problem == NULL && column->kind == COLUMN_DAY)
		laras_json_put(row, column->name, json_string(day_named(t)));
	else if (problem == NULL && column->kind == COLUMN_HOURS)
		laras_json_put(row, column->name, json_string(hours_written(t)));
	else if (problem == NULL && column->kind == COLUMN_YES_NO && t.n > 0)
		laras_json_put(row, column->name, json_string(yes_or_no(t)));
	else if (problem == NULL)
		laras_json_put(row, column->name,
					   t.s == NULL || (t.n == 0 && column->kind != COLUMN_TEXT &&
									   column->kind != COLUMN_SAID)
						   ? json_null()
						   : json_stringn(t.s, t.n));
	return problem;
}

json_t *
laras_knowledge_row(const Kind *kind, const LarasKnowledgeRecord *record, int n,
					const char **problem)
{
	json_t *row;
	const char *name;
	json_t *value;

	*problem = record->problem;
	if (*problem != NULL)
		return NULL;
	row = laras_json_own(laras_json_object());
	laras_json_put(row, "n", json_integer(n));
	if (kind->takes_attributes)
		laras_json_put(row, "attributes", laras_json_object());
	json_object_foreach(record->values, name, value)
	{
		if (*problem == NULL)
			*problem = take_member(kind, row, name, value);
	}
	for (const Column *c = kind->columns; c->name != NULL && *problem == NULL; c++)
		if (c->kind == COLUMN_NAME || c->kind == COLUMN_DAY)
			*problem = check(c, laras_json_text_at(row, c->name));
	return *problem == NULL ? row : NULL;
}

const char *
laras_knowledge_lacks(const Kind *kind, const json_t *row)
{
	for (const Column *c = kind->columns; c->name != NULL; c++)
		if ((c->kind == COLUMN_BODY || c->kind == COLUMN_HOURS) &&
			laras_json_text_at(row, c->name).s == NULL)
			return check(c, (LarasText){NULL, 0});
	return NULL;
}

char *
laras_knowledge_known_by(const Kind *kind, const json_t *row)
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
	return key.data;
}

const char *
laras_knowledge_first_column(const Kind *kind)
{
	return kind->columns[0].name;
}

bool
laras_knowledge_means_first(const Kind *kind, const char *name)
{
	return column_meant(kind, name) == kind->columns;
}

char *
laras_knowledge_columns(const Kind *kind)
{
	StringInfoData names;

	initStringInfo(&names);
	for (const Column *c = kind->columns; c->name != NULL; c++)
		appendStringInfo(&names, "%s%s", c == kind->columns ? "" : ", ", c->name);
	return names.data;
}
