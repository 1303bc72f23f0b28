/*
 * record.h
 *		What drivers share in reading a piece: a growing list of records, and the
 *		small things that every provider has.
 *
 * Plain C: nothing raises. Where memory is short the reader notes it and the
 * list is worth nothing: laras_reader_end says so.
 */
#ifndef LARAS_RECORD_H
#define LARAS_RECORD_H

#include "channel/channel.h"

typedef struct LarasReader
{
	const LarasAllocator *allocator;
	LarasRecord *records;
	int count;
	int room;
	bool short_of_memory;
} LarasReader;

/* A new record, good until the next is asked for; never NULL. */
extern LarasRecord *laras_reader_next(LarasReader *r, LarasRecordKind kind, const json_t *element);

/* A FAULT or OTHER record. */
extern void laras_reader_fault(LarasReader *r, const json_t *element, const char *reason);
extern void laras_reader_other(LarasReader *r, const json_t *element, const char *reason);

/* What parse returns: how many records, or -1 with *reason. */
extern int laras_reader_end(LarasReader *r, LarasRecord **records, const char **reason);

/* Printed into the reader's memory; absent, and noted, when it is short. */
extern LarasText
laras_reader_print(LarasReader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A copy of these bytes in the reader's memory. */
extern LarasText laras_reader_copy(LarasReader *r, const char *s, size_t n);

/* The JSON text of a value in the reader's memory; absent where it is NULL or memory is short. */
extern LarasText laras_reader_dump(LarasReader *r, const json_t *value);

/* An id, a string or a number, where it is short and plain; absent for all else. */
extern LarasText laras_reader_id(LarasReader *r, const json_t *j);

/* Give the record an identity, unless it is absent or one of its kind is there already. */
extern void laras_record_identity(LarasRecord *record, uint8_t kind, LarasText value);

/* The person has a new id of this kind: what they had of it before is retired. */
extern void laras_record_renewal(LarasRecord *record, uint8_t kind, LarasText value);

/* Give the record a part; a NULL value gives none. The value stays the caller's. */
extern void
laras_record_part(LarasReader *r, LarasRecord *record, const char *kind, const json_t *value);

/* The same of a value that is released here. */
extern void
laras_record_new_part(LarasReader *r, LarasRecord *record, const char *kind, json_t *value);

/* The message could not be read for what it is: its element is kept instead of what was read so far. */
extern void laras_record_unsupported(LarasRecord *record);

/* A shallow copy of an object without one member; NULL for what is no object. */
extern json_t *laras_json_without(const json_t *object, const char *member);

/* Seconds since 1970 of a number or a string of digits; 0 where it is absurd. */
extern int64_t laras_record_seconds(const json_t *j);
/* The same of milliseconds. */
extern int64_t laras_record_milliseconds(const json_t *j);
/*
 * The same of whatever a provider may mean by a moment: seconds, milliseconds,
 * or the text form of ISO 8601 with an offset.
 */
extern int64_t laras_record_moment(const json_t *j);

/* Present and not empty. */
extern bool laras_text_given(LarasText t);
extern bool laras_text_same(LarasText a, LarasText b);

/* Short, and of printable ASCII without space. */
extern bool laras_text_plain(LarasText t);

/* A word as codes have them: a letter, then letters, digits and underscores, at most 64. */
extern bool laras_text_word(LarasText t);

#endif /* LARAS_RECORD_H */
