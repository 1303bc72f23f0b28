/*
 * arrays.h
 *		One-dimensional arrays in PostgreSQL's binary form, written into buffers
 *		that are used again, and read in place.
 */
#ifndef LARAS_RELAY_ARRAYS_H
#define LARAS_RELAY_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LARAS_OID_BYTEA 17
#define LARAS_OID_TEXT 25
#define LARAS_OID_INET 869
#define LARAS_OID_BYTEA_ARRAY 1001
#define LARAS_OID_TEXT_ARRAY 1009

typedef struct LarasArray
{
	char *data;
	size_t length;
	size_t capacity;
	uint32_t items;
	bool failed; /* memory was out; data is not to be used */
} LarasArray;

/* Empties the array; a buffer above a megabyte is given back first. */
extern void laras_array_begin(LarasArray *array, uint32_t element_oid);
extern void laras_array_add(LarasArray *array, const char *bytes, size_t length);

/* Writes the header's count. False when memory was out. */
extern bool laras_array_end(LarasArray *array);
extern void laras_array_free(LarasArray *array);

/*
 * Reads a text[] as PostgreSQL sent it: number of elements, or -1 when it is no
 * one-dimensional array without NULLs. *at is then the first element.
 */
extern int laras_array_open(const char *data, int length, const char **at);

/* The next element; its bytes are not ended by NUL. False when data is short. */
extern bool laras_array_next(const char **at, const char *end, const char **bytes, size_t *length);

extern uint32_t laras_read_int32(const char *at);

#endif /* LARAS_RELAY_ARRAYS_H */
