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
 * Whether a text has more opening brackets than nesting is allowed, eight
 * bytes at a time: [ and { differ by one bit, 0x20.
 */
static bool
has_many_brackets(const char *p, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	size_t brackets = 0;
	size_t i = 0;

	for (; i + 8 <= n && brackets <= LARAS_JSON_DEPTH; i += 8)
	{
		uint64_t x;

		memcpy(&x, p + i, 8);
		x = (x | ones * 0x20) ^ ones * '{';
		/* the high bit of every byte that is zero, and of no other; then their sum */
		x = ~(((x & low) + low) | x | low);
		brackets += (size_t) (((x >> 7) * ones) >> 56);
	}
	for (; i < n; i++)
		brackets += p[i] == '[' || p[i] == '{';
	return brackets > LARAS_JSON_DEPTH;
}

/*
 * The nesting of a text, by counting brackets outside strings: jansson parses
 * recursively and has a limit of its own (2048) that is deeper than the small
 * stacks of fuzzers and workers deserve. Where it is too deep, or NULL.
 */
static const char *
too_deep(const char *p, size_t n)
{
	int depth = 0;
	bool in_string = false;

	if (!has_many_brackets(p, n))
		return NULL;
	for (size_t i = 0; i < n; i++)
	{
		char c = p[i];

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
				return p + i;
		}
		else if (c == ']' || c == '}')
			depth--;
	}
	return NULL;
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
		case json_error_duplicate_key:
			return "repeated_key";
		default:
			return "invalid_json";
	}
}

/* The characters that a JSON number may consist of. */
static bool
in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/*
 * Whether these n characters are an integer, in JSON's notation, of so many
 * digits that it may not fit into 64 bits.
 */
static bool
is_long_integer(const char *p, size_t n)
{
	size_t sign = (n > 0 && p[0] == '-') ? 1 : 0;

	if (n - sign < 19 || p[sign] == '0')
		return false;
	for (size_t i = sign; i < n; i++)
	{
		if (p[i] < '0' || p[i] > '9')
			return false;
	}
	return true;
}

/*
 * A copy of the text in which every long integer that is a value has become a
 * string of its digits. malloc'd; NULL when memory is short.
 */
static char *
quote_long_integers(const char *bytes, size_t n, size_t *new_n)
{
	/* each takes 19 characters at least and gains two */
	char *copy = malloc(n + n / 8 + 3);
	char *out = copy;
	bool in_string = false;

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < n;)
	{
		size_t end = i + 1;
		size_t next;
		bool quote = false;

		if (in_string)
		{
			if (bytes[i] == '\\' && end < n)
				end++;
			else if (bytes[i] == '"')
				in_string = false;
		}
		else if (bytes[i] == '"')
			in_string = true;
		else if (in_number(bytes[i]))
		{
			while (end < n && in_number(bytes[end]))
				end++;
			/* what stands where a member's name should is left to be an error */
			for (next = end;
				 next < n && strchr(" \t\r\n", bytes[next]) != NULL && bytes[next] != '\0';)
				next++;
			quote = is_long_integer(bytes + i, end - i) && (next == n || bytes[next] != ':');
		}
		if (quote)
			*out++ = '"';
		memcpy(out, bytes + i, end - i);
		out += end - i;
		if (quote)
			*out++ = '"';
		i = end;
	}
	*new_n = (size_t) (out - copy);
	return copy;
}

static int
line_of(const char *bytes, const char *at)
{
	int line = 1;

	for (; bytes < at; bytes++)
		line += *bytes == '\n';
	return line;
}

static json_t *
parse(const char *bytes, size_t n, size_t flags, const char **reason, int *line)
{
	const char *deep = too_deep(bytes, n);
	json_error_t error;
	json_t *document;
	const char *why = NULL;

	if (deep != NULL)
	{
		if (reason)
			*reason = "too_deep";
		if (line)
			*line = line_of(bytes, deep);
		return NULL;
	}
	document = json_loadb(bytes, n, flags, &error);
	if (document == NULL && json_error_code(&error) == json_error_numeric_overflow)
	{
		size_t quoted_n;
		char *quoted = quote_long_integers(bytes, n, &quoted_n);

		if (quoted == NULL)
		{
			if (reason)
				*reason = "out_of_memory";
			if (line)
				*line = error.line;
			return NULL;
		}
		document = json_loadb(quoted, quoted_n, flags, &error);
		free(quoted);
	}
	if (document == NULL)
		why = word_of(&error);
	if (reason)
		*reason = why;
	if (line)
		*line = document == NULL ? error.line : 0;
	return document;
}

json_t *
laras_json_parse(const char *bytes, size_t n, const char **reason)
{
	return parse(bytes, n, 0, reason, NULL);
}

json_t *
laras_json_parse_file(const char *bytes, size_t n, const char **reason, int *line)
{
	return parse(bytes, n, 0, reason, line);
}

size_t
laras_json_length(const char *bytes, size_t n)
{
	json_error_t error;
	json_t *value =
		json_loadb(bytes, n, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
				   &error);

	if (value == NULL)
		return 0;
	json_decref(value);
	return (size_t) error.position;
}

json_t *
laras_json_parse_once(const char *bytes, size_t n, const char **reason)
{
	return parse(bytes, n, JSON_REJECT_DUPLICATES, reason, NULL);
}

bool
laras_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return n > 0 && n <= 24 && text[n] == '\0';
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
	LarasText t = {NULL, 0};

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
	LarasText t = laras_json_text(j);

	if (json_is_integer(j))
	{
		int n = snprintf(buffer, size, "%" JSON_INTEGER_FORMAT, json_integer_value(j));

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
		size_t n = json_string_length(j);
		int64_t value = 0;

		if (n == 0 || n > 19)
			return false;
		for (size_t i = 0; i < n; i++)
		{
			if (s[i] < '0' || s[i] > '9' || value > (INT64_MAX - (s[i] - '0')) / 10)
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
	char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text != NULL && n != NULL)
		*n = strlen(text);
	return text;
}

/* A number in the fewest digits that read as the same number; no longer than it was. */
static size_t
shortened(char *out, const char *number, size_t n)
{
	char given[32];
	char shorter[40];

	if (n >= sizeof(given) || strcspn(number, ".eE") >= n)
	{
		memmove(out, number, n);
		return n;
	}
	memcpy(given, number, n);
	given[n] = '\0';
	for (int digits = 1; digits < 17; digits++)
	{
		size_t length =
			(size_t) snprintf(shorter, sizeof(shorter), "%.*g", digits, strtod(given, NULL));

		/* 250000.0 has no more digits than it needs, and 2.5e+05 is no easier to read */
		if (strtod(shorter, NULL) != strtod(given, NULL) ||
			(strchr(shorter, 'e') != NULL && strpbrk(given, "eE") == NULL))
			continue;
		/* it stays a real number for who tells them apart */
		if (strpbrk(shorter, ".e") == NULL)
			length += (size_t) snprintf(shorter + length, sizeof(shorter) - length, ".0");
		if (length <= n)
		{
			memcpy(out, shorter, length);
			return length;
		}
		break;
	}
	memmove(out, number, n);
	return n;
}

void
laras_json_shorten_reals(char *text)
{
	char *out = text;
	bool in_string = false;

	while (*text != '\0')
	{
		size_t n = 1;

		if (in_string && *text == '\\' && text[1] != '\0')
			n = 2;
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string && in_number(*text) && *text != 'e' && *text != 'E')
		{
			while (in_number(text[n]))
				n++;
			out += shortened(out, text, n);
			text += n;
			continue;
		}
		memmove(out, text, n);
		out += n;
		text += n;
	}
	*out = '\0';
}

bool
laras_text_is(LarasText t, const char *word)
{
	return t.s != NULL && t.n == strlen(word) && memcmp(t.s, word, t.n) == 0;
}
