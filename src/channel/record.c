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
	LarasText text;
	va_list arguments;

	va_start(arguments, format);
	text = laras_text_vprint(r->allocator, format, arguments);
	va_end(arguments);
	if (text.s == NULL)
		r->short_of_memory = true;
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

void
laras_record_unsupported(LarasRecord *record)
{
	record->message_kind = "unsupported";
	record->keep_element = true;
	record->text.s = NULL;
	record->text.n = 0;
	record->about.s = NULL;
	record->part_count = 0;
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

/* Reads digits of exactly that number; -1 where there are others. */
static int
digits_at(const char *s, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++)
	{
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

/* Days from 1970-01-01 of a date of the Gregorian calendar. */
static int64_t
days_of(int year, int month, int day)
{
	/* years from March, eras of 400 years: H. Hinnant, "chrono-compatible low-level date algorithms" */
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400;
	int of_era = y - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int64_t) era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "2021-09-08T06:34:04+0000": with Z, +hhmm or +hh:mm, and with a fraction. */
static int64_t
iso_seconds(LarasText t)
{
	int year, month, day, hour, minute, second;
	int offset = 0;
	size_t at = 19;

	if (t.n < 20 || t.n > 40 || t.s[4] != '-' || t.s[7] != '-' ||
		(t.s[10] != 'T' && t.s[10] != ' ') || t.s[13] != ':' || t.s[16] != ':')
		return 0;
	year = digits_at(t.s, 4);
	month = digits_at(t.s + 5, 2);
	day = digits_at(t.s + 8, 2);
	hour = digits_at(t.s + 11, 2);
	minute = digits_at(t.s + 14, 2);
	second = digits_at(t.s + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 60)
		return 0;
	if (t.s[at] == '.')
		for (at++; at < t.n && t.s[at] >= '0' && t.s[at] <= '9';)
			at++;
	if (at < t.n && (t.s[at] == '+' || t.s[at] == '-'))
	{
		size_t colon = at + 3 < t.n && t.s[at + 3] == ':';
		int hours = at + 3 <= t.n ? digits_at(t.s + at + 1, 2) : -1;
		int minutes = at + 5 + colon <= t.n ? digits_at(t.s + at + 3 + colon, 2) : -1;

		if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59 || at + 5 + colon != t.n)
			return 0;
		offset = (hours * 60 + minutes) * (t.s[at] == '-' ? -60 : 60);
	}
	else if (at + 1 != t.n || t.s[at] != 'Z')
		return 0;
	return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
}

int64_t
laras_record_moment(const json_t *j)
{
	int64_t t;

	if (laras_json_integer(j, &t))
		/* twelve digits and more are milliseconds: seconds of the year 5138 */
		return within_reason(t >= INT64_C(100000000000) ? t / 1000 : t);
	return within_reason(iso_seconds(laras_json_text(j)));
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
