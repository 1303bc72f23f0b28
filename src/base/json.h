/*
 * json.h
 *		JSON for every room and program, on jansson: parsing that reports and
 *		never raises, getters that never fail.
 *
 * Plain C, without PostgreSQL headers, so that parsers built on it can be
 * fuzzed and used by the programs. A backend that holds a document across code
 * that may raise gives it to laras_json_own() of json_owner.h.
 */
#ifndef LARAS_JSON_H
#define LARAS_JSON_H

/* jansson's macro json_typeof and the server's function meet in peace only in this order */
#ifdef POSTGRES_H
#include "utils/builtins.h"
#endif

/*
 * The server exports a function json_object of its own, and the dynamic linker
 * would give us that one: the library's is never called by this name.
 */
#define json_object laras_json_object_of_jansson
#include <jansson.h>
#undef json_object
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* deeper documents are refused; the deepest body known has 12 levels */
#define LARAS_JSON_DEPTH 64

/* a string inside a document or a buffer of the caller; s may hold zero bytes */
typedef struct LarasText
{
	const char *s; /* NULL: absent */
	size_t n;
} LarasText;

/* A C string as one; NULL: absent. */
static inline LarasText
laras_text(const char *s)
{
	return (LarasText){s, s == NULL ? 0 : strlen(s)};
}

/*
 * Parse n bytes. On failure NULL, and *reason (may be NULL) is a word for logs
 * and tables: invalid_json, too_deep, bad_encoding, null_character,
 * number_out_of_range, out_of_memory. The input is never quoted. Integers
 * beyond 64 bits do not fail a body: in such a document integers of 19 digits
 * and more are read as strings of their digits. The caller owns the result (json_decref).
 */
extern json_t *laras_json_parse(const char *bytes, size_t n, const char **reason);

/* The same of a file that a person wrote: on failure *line is where, from 1. */
extern json_t *laras_json_parse_file(const char *bytes, size_t n, const char **reason, int *line);

/*
 * The same, of a document in which no object has a key twice: else NULL and
 * repeated_key. For what a person or a program of theirs wrote to us.
 */
extern json_t *laras_json_parse_once(const char *bytes, size_t n, const char **reason);

/* Bytes of the value that a text begins with, what stands before it included; 0: none. */
extern size_t laras_json_length(const char *bytes, size_t n);

/* A new empty object; NULL when memory is short. */
extern json_t *laras_json_object(void);

/* A member of an object, or NULL: for any j, NULL included. */
extern json_t *laras_json_get(const json_t *j, const char *key);

/* The first element of an array, or NULL. */
extern json_t *laras_json_first(const json_t *j);

/* The text of a string value; absent (s NULL) for anything else. */
extern LarasText laras_json_text(const json_t *j);
extern LarasText laras_json_text_at(const json_t *j, const char *key);

/*
 * The text of an id, which providers send as a string or as a number; a number
 * is printed into buffer (24 bytes suffice), which must live as long as the
 * result.
 */
extern LarasText laras_json_id(const json_t *j, char *buffer, size_t size);

/* A number, or a string of decimal digits, as an integer; false if neither. */
extern bool laras_json_integer(const json_t *j, int64_t *out);

/* true and the JSON word true, also as the string "true" */
extern bool laras_json_true(const json_t *j);

/*
 * Compact text of a document, keys in their order. malloc'd, to be freed with
 * free(); NULL when memory is short.
 */
extern char *laras_json_dump(const json_t *j, size_t *n);

/*
 * Real numbers of a dumped text, in place, in as few digits as they need: 0.85
 * rather than 0.84999999999999998. For people; what is hashed stays as it is.
 */
extern void laras_json_shorten_reals(char *text);

/*
 * Is this one word of letters, digits and _, no longer than names are? Then an
 * error may repeat it; anything else may be a secret or a person's words that
 * stand in the wrong place.
 */
extern bool laras_is_name(const char *text);

/* Is this text exactly that word? */
extern bool laras_text_is(LarasText t, const char *word);

#endif /* LARAS_JSON_H */
