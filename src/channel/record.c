/*
 * record.c
 *		A growing list of records, and the small things that every provider has.
 */
#include "channel/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* later than this (year 2100) a time is absurd */
#define LATEST_TIME INT64_C(4102444800)

LarasRecord *
laras_reader_next(LarasReader *r, LarasRecordKind kind, const json_t *element)
{
	/* where records go when there is no memory for them; nobody looks at it */
	static LarasRecord nowhere;
	LarasRecord *record = &nowhere;

	if (r->count == r->room && !r->short_of_memory)
	{
		int room = r->room == 0 ? 4 : r->room * 2;
		LarasRecord *records =
			r->room > 100 * 1000 * 1000
				? NULL
				: laras_allocate(r->allocator, sizeof(LarasRecord) * (size_t) room);

		if (records == NULL)
			r->short_of_memory = true;
		else
		{
			if (r->count > 0)
				memcpy(records, r->records, sizeof(LarasRecord) * (size_t) r->count);
			r->records = records;
			r->room = room;
		}
	}
	if (r->short_of_memory)
		memset(&nowhere, 0, sizeof(nowhere));
	else
		record = &r->records[r->count++];
	record->kind = kind;
	record->element = element;
	record->billable = -1;
	return record;
}

void
laras_reader_fault(LarasReader *r, const json_t *element, const char *reason)
{
	laras_reader_next(r, LARAS_RECORD_FAULT, element)->reason = reason;
}

void
laras_reader_other(LarasReader *r, const json_t *element, const char *reason)
{
	laras_reader_next(r, LARAS_RECORD_OTHER, element)->reason = reason;
}

int
laras_reader_end(LarasReader *r, LarasRecord **records, const char **reason)
{
	*records = r->records;
	if (!r->short_of_memory)
		return r->count;
	*reason = "out_of_memory";
	return -1;
}

LarasText
laras_reader_print(LarasReader *r, const char *format, ...)
{
	LarasText text = {NULL, 0};
	va_list arguments;
	char small[512];
	int n;
	char *buffer;

	va_start(arguments, format);
	n = vsnprintf(small, sizeof(small), format, arguments);
	va_end(arguments);
	if (n < 0 || (buffer = laras_allocate(r->allocator, (size_t) n + 1)) == NULL)
	{
		r->short_of_memory = true;
		return text;
	}
	if ((size_t) n < sizeof(small))
		memcpy(buffer, small, (size_t) n + 1);
	else
	{
		va_start(arguments, format);
		vsnprintf(buffer, (size_t) n + 1, format, arguments);
		va_end(arguments);
	}
	text.s = buffer;
	text.n = (size_t) n;
	return text;
}

LarasText
laras_reader_copy(LarasReader *r, const char *s, size_t n)
{
	LarasText text = {NULL, 0};
	char *copy = laras_allocate(r->allocator, n + 1);

	if (copy == NULL)
	{
		r->short_of_memory = true;
		return text;
	}
	memcpy(copy, s, n);
	copy[n] = '\0';
	text.s = copy;
	text.n = n;
	return text;
}

LarasText
laras_reader_dump(LarasReader *r, const json_t *value)
{
	LarasText text = {NULL, 0};
	size_t n;
	char *dumped;

	if (value == NULL)
		return text;
	dumped = laras_json_dump(value, &n);
	if (dumped == NULL)
	{
		r->short_of_memory = true;
		return text;
	}
	text = laras_reader_copy(r, dumped, n);
	free(dumped);
	return text;
}

LarasText
laras_reader_id(LarasReader *r, const json_t *j)
{
	LarasText t = laras_json_text(j);

	if (json_is_integer(j) && json_integer_value(j) > 0)
		t = laras_reader_print(r, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	if (!laras_text_plain(t))
		t.s = NULL;
	return t;
}

static void
append_identity(LarasRecord *record, uint8_t kind, LarasText value)
{
	if (record->identity_count == LARAS_MAX_IDENTITIES)
		return;
	record->identities[record->identity_count].kind = kind;
	record->identities[record->identity_count].value = value;
	record->identities[record->identity_count].retired = false;
	record->identity_count++;
}

void
laras_record_identity(LarasRecord *record, uint8_t kind, LarasText value)
{
	if (!laras_text_given(value))
		return;
	for (int i = 0; i < record->identity_count; i++)
		if (record->identities[i].kind == kind)
			return;
	append_identity(record, kind, value);
}

void
laras_record_renewal(LarasRecord *record, uint8_t kind, LarasText value)
{
	bool there = false;

	if (!laras_text_given(value))
		return;
	for (int i = 0; i < record->identity_count; i++)
		if (record->identities[i].kind == kind)
		{
			bool same = laras_text_same(record->identities[i].value, value);

			record->identities[i].retired = !same;
			there |= same;
		}
	if (!there)
		append_identity(record, kind, value);
}

void
laras_record_part(LarasReader *r, LarasRecord *record, const char *kind, const json_t *value)
{
	/* room grows by doubling: at 1, 2, 4, 8 ... the array is full */
	if (value == NULL)
		return;
	if ((record->part_count & (record->part_count - 1)) == 0)
	{
		size_t room = record->part_count == 0 ? 1 : (size_t) record->part_count * 2;
		LarasRecordPart *parts = laras_allocate(r->allocator, sizeof(LarasRecordPart) * room);

		if (parts == NULL)
		{
			r->short_of_memory = true;
			return;
		}
		if (record->part_count > 0)
			memcpy(parts, record->parts, sizeof(LarasRecordPart) * (size_t) record->part_count);
		record->parts = parts;
	}
	record->parts[record->part_count].kind = kind;
	record->parts[record->part_count].content = laras_reader_dump(r, value);
	if (record->parts[record->part_count].content.s != NULL)
		record->part_count++;
}

void
laras_record_new_part(LarasReader *r, LarasRecord *record, const char *kind, json_t *value)
{
	laras_record_part(r, record, kind, value);
	json_decref(value);
}

json_t *
laras_json_without(const json_t *object, const char *member)
{
	json_t *copy;
	const char *key;
	json_t *value;

	if (!json_is_object(object) || (copy = laras_json_object()) == NULL)
		return NULL;
	json_object_foreach((json_t *) object, key, value)
		if (strcmp(key, member) != 0)
			json_object_set(copy, key, value);
	return copy;
}

static int64_t
within_reason(int64_t t)
{
	return t <= 0 || t > LATEST_TIME ? 0 : t;
}

int64_t
laras_record_seconds(const json_t *j)
{
	int64_t t;

	return laras_json_integer(j, &t) ? within_reason(t) : 0;
}

int64_t
laras_record_milliseconds(const json_t *j)
{
	int64_t t;

	return laras_json_integer(j, &t) ? within_reason(t / 1000) : 0;
}

bool
laras_text_given(LarasText t)
{
	return t.s != NULL && t.n > 0;
}

bool
laras_text_same(LarasText a, LarasText b)
{
	return a.s != NULL && b.s != NULL && a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

bool
laras_text_plain(LarasText t)
{
	if (t.s == NULL || t.n == 0 || t.n > 64)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] <= ' ' || (unsigned char) t.s[i] >= 0x7f)
			return false;
	return true;
}

bool
laras_text_word(LarasText t)
{
	if (t.s == NULL || t.n == 0 || t.n > 64)
		return false;
	for (size_t i = 0; i < t.n; i++)
	{
		char c = t.s[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool digit = c >= '0' && c <= '9';

		if (!letter && (i == 0 || !(digit || c == '_')))
			return false;
	}
	return true;
}
