/*
 * arrays.c
 *		Arrays in PostgreSQL's binary form; see arrays.h.
 *
 *		int32 dimensions, int32 has-null, int32 element type,
 *		int32 count, int32 lower bound, then int32 length and bytes each
 */
#include "relay/arrays.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#define HEADER 20
#define KEEP_BYTES (1 << 20)

static bool
room(LarasArray *array, size_t n)
{
	size_t capacity = array->capacity ? array->capacity : 8192;
	char *grown;

	if (array->failed)
		return false;
	if (array->length + n <= array->capacity)
		return true;
	while (capacity < array->length + n)
		capacity += capacity / 2;
	grown = realloc(array->data, capacity);
	if (grown == NULL)
	{
		array->failed = true;
		return false;
	}
	array->data = grown;
	array->capacity = capacity;
	return true;
}

static void
put_int32(char *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, 4);
}

uint32_t
laras_read_int32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return ntohl(value);
}

void
laras_array_begin(LarasArray *array, uint32_t element_oid)
{
	if (array->capacity > KEEP_BYTES)
		laras_array_free(array);
	array->length = 0;
	array->items = 0;
	array->failed = false;
	if (!room(array, HEADER))
		return;
	put_int32(array->data + 4, 0);
	put_int32(array->data + 8, element_oid);
	put_int32(array->data + 16, 1);
	array->length = HEADER;
}

void
laras_array_add(LarasArray *array, const char *bytes, size_t length)
{
	if (!room(array, 4 + length))
		return;
	put_int32(array->data + array->length, (uint32_t) length);
	memcpy(array->data + array->length + 4, bytes, length);
	array->length += 4 + length;
	array->items++;
}

bool
laras_array_end(LarasArray *array)
{
	if (array->failed)
		return false;
	put_int32(array->data, array->items ? 1 : 0);
	put_int32(array->data + 12, array->items);
	if (array->items == 0)
		array->length = 12;
	return true;
}

void
laras_array_free(LarasArray *array)
{
	free(array->data);
	memset(array, 0, sizeof(*array));
}

int
laras_array_open(const char *data, int length, const char **at)
{
	uint32_t count;

	if (length < 12)
		return -1;
	if (laras_read_int32(data) == 0)
		return 0;
	if (laras_read_int32(data) != 1 || laras_read_int32(data + 4) != 0 || length < HEADER)
		return -1;
	count = laras_read_int32(data + 12);
	*at = data + HEADER;
	return count > (uint32_t) length / 4 ? -1 : (int) count;
}

bool
laras_array_next(const char **at, const char *end, const char **bytes, size_t *length)
{
	uint32_t n;

	if (end - *at < 4)
		return false;
	n = laras_read_int32(*at);
	if (n > (size_t) (end - *at - 4))
		return false;
	*bytes = *at + 4;
	*length = n;
	*at += 4 + n;
	return true;
}
