/*
 * import.c
 *		laras.import_knowledge: a file of items, policies, FAQs, opening hours or
 *		the voice becomes rows, and the caller learns what became of each of its lines.
 *
 * knowledgetext.c reads the file's records, knowledgerow.c makes rows of them; here
 * it is found which stand already, and what is new or otherwise is written.
 *
 * A record finds its row by what a person would know it by: an item's name, a
 * policy's topic or a FAQ's question with the language, a day. What the file does not
 * name stays as it is. A record with a mistake is left out and told; the others
 * go in, all in the caller's transaction and under the caller's rights.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "answer/knowledgerow.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_collation_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

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

typedef struct Kind
{
	const LarasKnowledgeKind *of;
	LarasPlan *find;
	LarasPlan *add;
	LarasPlan *change;
} Kind;

static const Kind kinds[] = {
	{&laras_knowledge_kinds[LARAS_KNOWLEDGE_CATALOG], &find_items, &add_items, &change_items},
	{&laras_knowledge_kinds[LARAS_KNOWLEDGE_POLICIES], &find_policies, &add_policies,
	 &change_policies},
	{&laras_knowledge_kinds[LARAS_KNOWLEDGE_FAQS], &find_faqs, &add_faqs, &change_faqs},
	{&laras_knowledge_kinds[LARAS_KNOWLEDGE_HOURS], &find_hours, &add_hours, &change_hours},
	{&laras_knowledge_kinds[LARAS_KNOWLEDGE_VOICE], &find_voices, &add_voices, &change_voices},
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
			laras_json_put(lines[i].row, "id", json_string(psprintf(INT64_FORMAT, lines[i].id)));
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
	return DirectFunctionCall1Coll(lower, DEFAULT_COLLATION_OID,
								   CStringGetTextDatum(laras_knowledge_known_by(kind->of, row)));
}

static void
refuse(Line *line, const char *problem)
{
	line->act = "refused";
	line->problem = problem;
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
		refuse(&lines[i], "the file names it twice");
		refuse(&lines[seen->first], "the file names it twice");
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
			line->id = 0;
			refuse(line, "several rows of the workspace have its name");
		}
	}
	for (int i = 0; i < n; i++)
		if (lines[i].act == NULL)
		{
			lines[i].act = "added";
			lines[i].id = laras_new_id();
		}
}

static void
refuse_incomplete(const Kind *kind, Line *lines, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *problem =
			lines[i].act == NULL ? laras_knowledge_lacks(kind->of, lines[i].row) : NULL;

		if (problem != NULL)
			refuse(&lines[i], problem);
	}
}

/* A file whose records say nowhere what they are about has another header than it should. */
static void
require_names(const Kind *kind, const LarasKnowledgeRecord *records, int n, bool named)
{
	const char *first = laras_knowledge_first_column(kind->of);
	const char *meant = NULL;
	const char *column;
	const json_t *value;

	for (int i = 0; i < n && !named; i++)
		named = laras_json_get(records[i].values, first) != NULL;
	if (named)
		return;
	if (n > 0)
		json_object_foreach((json_t *) records[0].values, column, value)
			if (value != NULL && meant == NULL && laras_knowledge_means_first(kind->of, column))
				meant = column;
	ereport(
		ERROR,
		(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the file has no column \"%s\"", first),
		 meant != NULL ? errdetail("Is it meant by \"%s\"?", meant) : 0,
		 errhint(
			 "The first line of csv names the columns, in json they are members of each object: %s.",
			 laras_knowledge_columns(kind->of))));
}

static void
store(const Kind *kind, Line *lines, int n)
{
	Datum rows;
	uint64 changed;
	int count;

	refuse_incomplete(kind, lines, n);
	refuse_repeats(kind, lines, n);
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
		if (strcmp(kinds[i].of->name, kind_name) == 0)
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
									  laras_knowledge_first_column(kind->of), &named, &n);
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
		lines[i].row = laras_knowledge_row(kind->of, &records[i], i, &lines[i].problem);
		if (lines[i].row == NULL)
			lines[i].act = "refused";
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
