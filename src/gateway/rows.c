/*
 * rows.c
 *		Rows of a query as JSON, and long lists in pages.
 *
 * A page ends where the next one begins: the last row's time and id, by which
 * the list is ordered, are its cursor. So a list that grows or shrinks meanwhile
 * repeats nothing and passes over nothing, and no page costs more than the first.
 */
#include "postgres.h"

#include <float.h>

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define USUAL_LIMIT 50
#define HIGHEST_LIMIT 200

bool
laras_http_id(LarasText t, int64 *id)
{
	int64_t value = 0;

	if (t.s == NULL || t.n == 0 || t.n > 19)
		return false;
	for (size_t i = 0; i < t.n; i++)
	{
		if (t.s[i] < '0' || t.s[i] > '9')
			return false;
		if (value > (INT64_MAX - (t.s[i] - '0')) / 10)
			return false;
		value = value * 10 + (t.s[i] - '0');
	}
	*id = value;
	return true;
}

static json_t *
words_json(Datum value)
{
	json_t *list = laras_json_own(json_array());
	Datum *words;
	bool *nulls;
	int n;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls,
					  &n);
	for (int i = 0; i < n; i++)
		json_array_append_new(list,
							  nulls[i] ? json_null() : json_string(TextDatumGetCString(words[i])));
	return json_incref(list);
}

static json_t *
value_json(uint64 row, int col)
{
	Oid type = SPI_gettypeid(SPI_tuptable->tupdesc, col);
	bool isnull;
	Datum value = laras_spi_value(row, col, &isnull);
	char *text;

	if (isnull)
		return json_null();
	switch (type)
	{
		case BOOLOID:
			return json_boolean(DatumGetBool(value));
		case INT4OID:
			return json_integer(DatumGetInt32(value));
		case TIMESTAMPTZOID:
			return json_string(timestamptz_to_str(DatumGetTimestampTz(value)));
		case TEXTARRAYOID:
			return words_json(value);
		case FLOAT4OID:
			/* the digits that four bytes hold: 0.8 and not 0.800000011920929 */
			return json_real(strtod(psprintf("%.*g", FLT_DIG, DatumGetFloat4(value)), NULL));
		case JSONBOID:
			text = laras_spi_cstring(row, col);
			return json_incref(laras_json_own(laras_json_parse(text, strlen(text), NULL)));
		default:
			return json_string(laras_spi_cstring(row, col));
	}
}

json_t *
laras_http_row(uint64 row)
{
	json_t *object = laras_json_own(laras_json_object());

	for (int col = 1; col <= SPI_tuptable->tupdesc->natts; col++)
		json_object_set_new(object, SPI_fname(SPI_tuptable->tupdesc, col), value_json(row, col));
	return object;
}

/* A cursor is the time in microseconds, a dot, and the id. */
static bool
read_cursor(LarasText cursor, LarasPage *page)
{
	const char *dot = memchr(cursor.s, '.', cursor.n);
	LarasText at = {cursor.s, dot == NULL ? 0 : (size_t) (dot - cursor.s)};
	LarasText id = {dot == NULL ? NULL : dot + 1, dot == NULL ? 0 : cursor.n - at.n - 1};
	int64 time;

	if (!laras_http_id(at, &time) || !laras_http_id(id, &page->id) || !IS_VALID_TIMESTAMP(time))
		return false;
	page->at = time;
	return true;
}

bool
laras_http_page(LarasHttp *h, bool newest_first, LarasPage *page)
{
	LarasText after = laras_http_parameter(h->query, "after");
	LarasText limit = laras_http_parameter(h->query, "limit");
	int64 asked = USUAL_LIMIT;

	page->at = newest_first ? DT_NOEND : DT_NOBEGIN;
	page->id = newest_first ? PG_INT64_MAX : PG_INT64_MIN;
	if ((limit.s != NULL && (!laras_http_id(limit, &asked) || asked < 1)) ||
		(after.s != NULL && !read_cursor(after, page)))
	{
		laras_http_error(h, 422, "bad_page",
						 "limit must be a number, and after what an earlier page gave as next");
		return false;
	}
	page->limit = (int) Min(asked, HIGHEST_LIMIT);
	return true;
}

void
laras_http_rows(LarasHttp *h, const char *name, uint64 found, const LarasPage *page)
{
	json_t *list = laras_json_own(json_array());
	uint64 shown = Min(found, (uint64) page->limit);
	json_t *next = json_null();

	for (uint64 i = 0; i < shown; i++)
		json_array_append(list, laras_http_row(i));
	if (found > shown)
	{
		bool isnull;
		Datum at = laras_spi_value(shown - 1, 2, &isnull);

		next = laras_json_own(json_sprintf("%lld.%lld", (long long) DatumGetTimestampTz(at),
										   (long long) laras_spi_int8(shown - 1, 1)));
		json_incref(next);
	}
	laras_http_json(h, 200, json_pack("{s:O, s:o}", name, list, "next", next));
}

void
laras_http_list(LarasHttp *h, LarasPlan *plan, uint32 scope, bool newest_first, const char *name)
{
	LarasPage page;

	laras_require_scope(scope);
	if (!laras_http_page(h, newest_first, &page))
		return;
	laras_spi_open();
	laras_http_rows(h, name,
					laras_spi_read(plan,
								   (Datum[]){TimestampTzGetDatum(page.at), Int64GetDatum(page.id),
											 Int32GetDatum(page.limit + 1)},
								   NULL),
					&page);
	laras_spi_close();
}

void
laras_http_found(LarasHttp *h, uint64 found, const char *what)
{
	if (found > 0)
		laras_http_json(h, 200, json_incref(laras_http_row(0)));
	else
		laras_http_error(h, 404, "not_found", what);
}
