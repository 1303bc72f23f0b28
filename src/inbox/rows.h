/*
 * rows.h
 *		Columns of values that become the array parameters of a set-based
 *		statement.
 */
#ifndef LARAS_ROWS_H
#define LARAS_ROWS_H

#include "postgres.h"

typedef struct LarasColumn
{
	Datum *values;
	bool *nulls; /* NULL: none is null */
} LarasColumn;

/* n columns with room for rows values each, in CurrentMemoryContext */
extern void laras_columns_init(LarasColumn *columns, int n, int rows);

/* the first rows values as an array; type is boolean, int2/4/8, float8, timestamptz, text, bytea or sealed */
extern Datum laras_column_array(const LarasColumn *column, int rows, Oid type);

/* a text; a null s gives datum 0 */
extern Datum laras_text_datum(const char *s, size_t n);

#endif /* LARAS_ROWS_H */
