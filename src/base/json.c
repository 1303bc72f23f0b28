/*
 * json.c
 *		JSON on jansson: parsing that reports, getters that never fail.
 */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The nesting of a text, by counting brackets outside strings: jansson parses
 * recursively and has a limit of its own (2048) that is deeper than the small
 * stacks of fuzzers and workers deserve.
 */
static bool
too_deep(const char *p, size_t n)
{
	int			depth = 0;
	bool		in_string = false;

	for (size_t i = 0; i < n; i++)
	{
		char		c = p[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if (c == '[' || c == '{')
		{
			if (++depth > LARAS_JSON_DEPTH)
				return true;
		}
		else if (c == ']' || c == '}')
			depth--;
	}
	return false;
}

static const char *
word_of(const json_error_t *error)
{
	switch (json_error_code(error))
	{
		case json_error_out_of_memory:
			return "out_of_memory";
		case json_error_stack_overflow:
			return "too_deep";
		case json_error_invalid_utf8:
			return "bad_encoding";
		case json_error_null_character:
		case json_error_null_byte_in_key:
			return "null_character";
		case json_error_numeric_overflow:
			return "number_out_of_range";
		default:
			return "invalid_json";
	}
}

json_t *
laras_json_parse(const char *bytes, size_t n, const char **reason)
{
	json_error_t error;
	json_t	   *document;
	const char *why = NULL;

	if (too_deep(bytes, n))
	{
		if (reason)
			*reason = "too_deep";
		return NULL;
	}
	document = json_loadb(bytes, n, 0, &error);
	if (document == NULL && json_error_code(&error) == json_error_numeric_overflow)
		document = json_loadb(bytes, n, JSON_DECODE_INT_AS_REAL, &error);
	if (document == NULL)
		why = word_of(&error);
	if (reason)
		*reason = why;
	return document;
}

json_t *
laras_json_object(void)
{
	return json_pack("{}");
}

json_t *
laras_json_get(const json_t *j, const char *key)
{
	return json_object_get(j, key);
}

json_t *
laras_json_first(const json_t *j)
{
	return json_array_get(j, 0);
}

LarasText
laras_json_text(const json_t *j)
{
	LarasText	t = {NULL, 0};

	if (json_is_string(j))
	{
		t.s = json_string_value(j);
		t.n = json_string_length(j);
	}
	return t;
}

LarasText
laras_json_text_at(const json_t *j, const char *key)
{
	return laras_json_text(json_object_get(j, key));
}

LarasText
laras_json_id(const json_t *j, char *buffer, size_t size)
{
	LarasText	t = laras_json_text(j);

	if (json_is_integer(j))
	{
		int			n = snprintf(buffer, size, "%" JSON_INTEGER_FORMAT, json_integer_value(j));

		if (n > 0 && (size_t) n < size)
		{
			t.s = buffer;
			t.n = (size_t) n;
		}
	}
	return t;
}

bool
laras_json_integer(const json_t *j, int64_t *out)
{
	if (json_is_integer(j))
	{
		*out = json_integer_value(j);
		return true;
	}
	if (json_is_string(j))
	{
		const char *s = json_string_value(j);
		size_t		n = json_string_length(j);
		int64_t		value = 0;

		if (n == 0 || n > 18)
			return false;
		for (size_t i = 0; i < n; i++)
		{
			if (s[i] < '0' || s[i] > '9')
				return false;
			value = value * 10 + (s[i] - '0');
		}
		*out = value;
		return true;
	}
	return false;
}

bool
laras_json_true(const json_t *j)
{
	return json_is_true(j) || laras_text_is(laras_json_text(j), "true");
}

char *
laras_json_dump(const json_t *j, size_t *n)
{
	char	   *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text != NULL && n != NULL)
		*n = strlen(text);
	return text;
}

bool
laras_text_is(LarasText t, const char *word)
{
	return t.s != NULL && t.n == strlen(word) && memcmp(t.s, word, t.n) == 0;
}
