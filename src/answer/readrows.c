/*
 * readrows.c
 *		What rows of knowledge say now, see retrieve.h.
 *
 * Invariant: rows are read through row security, by ids that a search found.
 */
#include "postgres.h"

#include "answer/retrieve.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"

/*
 * One row a statement: of scalars the server keeps one plan, of an array it
 * makes one each time.
 */
LARAS_PLAN(read_item,
		   "SELECT i.version, CASE WHEN i.language = $3 THEN i.name "
		   "ELSE coalesce(nullif(i.translations -> $3 ->> 'name', ''), i.name) END, "
		   "left(CASE WHEN i.language = $3 THEN i.description ELSE coalesce(nullif("
		   "i.translations -> $3 ->> 'description', ''), i.description) END, 2000), "
		   "(SELECT left(string_agg(e.key || ': ' || left(CASE "
		   "WHEN jsonb_typeof(e.value) IN ('array', 'object') "
		   "THEN translate(e.value::text, '[]{}\"', '') ELSE e.value #>> '{}' END, 200), "
		   "'; ' ORDER BY e.key), 600) FROM jsonb_each(CASE "
		   "WHEN jsonb_typeof(i.attributes) = 'object' THEN i.attributes ELSE '{}' END) AS e), "
		   "i.price::text, i.currency, i.stock FROM laras.catalog_item i "
		   "WHERE i.workspace_id = $1 AND i.id = $2 AND i.state = 'active'",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(read_policy,
		   "SELECT p.version, p.topic, left(p.body, 8000) FROM laras.policy_text p "
		   "WHERE p.workspace_id = $1 AND p.id = $2",
		   INT8OID, INT8OID);

LARAS_PLAN(read_faq,
		   "SELECT f.version, f.question, left(f.answer, 8000) FROM laras.faq f "
		   "WHERE f.workspace_id = $1 AND f.id = $2",
		   INT8OID, INT8OID);

bool
laras_read_items(int64 workspace_id, bool english, LarasFound *const *rows, int n)
{
	int found = 0;

	if (n == 0)
		return true;
	laras_spi_open();
	for (int i = 0; i < n; i++)
	{
		LarasFound *row = rows[i];
		bool isnull;
		Datum stock;

		if (laras_spi_read(&read_item,
						   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->source.id),
									 CStringGetTextDatum(english ? "en" : "id")},
						   NULL) == 0)
			continue;
		found++;
		stock = laras_spi_value(0, 7, &isnull);
		row->source.version = laras_spi_int8(0, 1);
		row->heading = laras_spi_cstring(0, 2);
		row->body = laras_spi_cstring(0, 3);
		row->attributes = laras_spi_cstring(0, 4);
		row->price = laras_spi_cstring(0, 5);
		row->currency = laras_spi_cstring(0, 6);
		row->stock = isnull ? -1 : DatumGetInt32(stock);
	}
	laras_spi_close();
	return found == n;
}

bool
laras_read_text(int64 workspace_id, LarasFound *row)
{
	bool policy = strcmp(row->source.table, "policy_text") == 0;
	bool found;

	laras_spi_open();
	found = laras_spi_read(policy ? &read_policy : &read_faq,
						   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->source.id)},
						   NULL) == 1;
	if (found)
	{
		row->source.version = laras_spi_int8(0, 1);
		row->heading = laras_spi_cstring(0, 2);
		row->body = laras_spi_cstring(0, 3);
	}
	laras_spi_close();
	return found;
}
