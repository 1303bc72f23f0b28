/*
 * rows.c
 *		Array parameters for set-based statements.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "inbox/rows.h"
#include "utils/array.h"
#include "utils/builtins.h"

void
laras_columns_init(LarasColumn *columns, int n, int rows)
{
	for (int i = 0; i < n; i++)
	{
		columns[i].values = palloc0(sizeof(Datum) * (rows + 1));
		columns[i].nulls = NULL;
	}
}

Datum
laras_column_array(const LarasColumn *column, int rows, Oid type)
{
	int dims[1] = {rows};
	int lower[1] = {1};
	int16 length = -1;
	bool by_value = false;
	char align = TYPALIGN_INT;

	switch (type)
	{
		case BOOLOID:
			length = 1;
			by_value = true;
			align = TYPALIGN_CHAR;
			break;
		case INT2OID:
			length = 2;
			by_value = true;
			align = TYPALIGN_SHORT;
			break;
		case INT4OID:
		case DATEOID:
			length = 4;
			by_value = true;
			break;
		case INT8OID:
		case FLOAT8OID:
		case TIMESTAMPTZOID:
			length = 8;
			by_value = FLOAT8PASSBYVAL;
			align = TYPALIGN_DOUBLE;
			break;
	}
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, dims, lower, type,
											  length, by_value, align));
}

Datum
laras_text_datum(const char *s, size_t n)
{
	return s == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(s, (int) n));
}
