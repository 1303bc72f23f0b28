/*
 * followvalues.c
 *		Placeholders in the values of a follow-up rule.
 *
 * A brace opens a placeholder, and nothing else: so a slip of the pen is refused
 * when the rule is written, and no customer reads it. What a person is called was
 * written by that person: blanks and line breaks become
 * one blank, and what is too long for a name counts as none.
 */
#include "postgres.h"

#include "answer/followvalues.h"
#include "base/json_owner.h"
#include "lib/stringinfo.h"

/* bytes; longer than any name by which somebody is addressed */
#define LONGEST_NAME 80

/* one placeholder, as it stands in a value */
typedef struct Place
{
	LarasText word;
	LarasText fallback; /* absent: none */
} Place;

/* Reads the placeholder at *at, a brace, and steps behind it. False: it is none. */
static bool
read_place(LarasText text, size_t *at, Place *place)
{
	const char *begin = text.s + *at + 1;
	const char *end = memchr(begin, '}', text.n - *at - 1);
	const char *bar;

	if (end == NULL || memchr(begin, '{', end - begin) != NULL)
		return false;
	bar = memchr(begin, '|', end - begin);
	place->word = (LarasText){begin, (bar == NULL ? end : bar) - begin};
	place->fallback = bar == NULL ? (LarasText){NULL, 0} : (LarasText){bar + 1, end - bar - 1};
	*at = end - text.s + 1;
	return (laras_text_is(place->word, "name") || laras_text_is(place->word, "business")) &&
		   (bar == NULL || place->fallback.n > 0);
}

/* A name in one line; false: it is none that one could write into a text. */
static bool
add_name(StringInfo out, LarasText name)
{
	int from = out->len;
	bool between = false;

	if (name.s == NULL || name.n > LONGEST_NAME)
		return false;
	for (size_t i = 0; i < name.n; i++)
	{
		unsigned char c = (unsigned char) name.s[i];

		if (c <= ' ' || c == 0x7F)
		{
			between = out->len > from;
			continue;
		}
		if (between)
			appendStringInfoChar(out, ' ');
		between = false;
		appendStringInfoChar(out, (char) c);
	}
	return out->len > from;
}

/* One value with its placeholders replaced; false: something is not known. */
static bool
replace(StringInfo out, LarasText text, const LarasFollowNames *names)
{
	for (size_t at = 0; at < text.n;)
	{
		Place place;

		if (text.s[at] != '{' || !read_place(text, &at, &place))
		{
			appendStringInfoChar(out, text.s[at++]);
			continue;
		}
		if (add_name(out, laras_text_is(place.word, "name") ? names->name : names->business))
			continue;
		if (place.fallback.s == NULL)
			return false;
		appendBinaryStringInfo(out, place.fallback.s, (int) place.fallback.n);
	}
	return true;
}

/* A copy of the value and of all in it; NULL: something is not known. */
static json_t *
replaced(const json_t *value, const LarasFollowNames *names)
{
	json_t *out;
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_string(value))
	{
		StringInfoData text;

		initStringInfo(&text);
		return replace(&text, laras_json_text(value), names) ? json_stringn(text.data, text.len)
															 : NULL;
	}
	if (!json_is_array(value) && !json_is_object(value))
		return json_deep_copy(value);
	out = json_is_array(value) ? json_array() : json_pack("{}");
	if (json_is_array(value))
	{
		json_array_foreach(value, i, one)
		{
			json_t *copy = replaced(one, names);

			if (copy == NULL || json_array_append_new(out, copy) != 0)
			{
				json_decref(out);
				return NULL;
			}
		}
		return out;
	}
	json_object_foreach((json_t *) value, key, one)
	{
		json_t *copy = replaced(one, names);

		if (copy == NULL || json_object_set_new(out, key, copy) != 0)
		{
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

json_t *
laras_follow_values(const json_t *values, const LarasFollowNames *names)
{
	json_t *out = values == NULL ? NULL : replaced(values, names);

	return out == NULL ? NULL : laras_json_own(out);
}

/* Has the text a brace that is none of a placeholder? */
static bool
has_stray(LarasText text)
{
	for (size_t at = 0; at < text.n;)
	{
		Place place;

		if (text.s[at] == '}' || (text.s[at] == '{' && !read_place(text, &at, &place)))
			return true;
		/* behind a placeholder may stand another */
		if (at < text.n && text.s[at] != '{' && text.s[at] != '}')
			at++;
	}
	return false;
}

bool
laras_follow_has_stray(const json_t *values)
{
	const char *key;
	json_t *one;
	size_t i;
	bool found = json_is_string(values) && has_stray(laras_json_text(values));

	if (json_is_array(values))
		json_array_foreach(values, i, one)
		{
			found = found || laras_follow_has_stray(one);
		}
	if (json_is_object(values))
		json_object_foreach((json_t *) values, key, one)
		{
			found = found || laras_follow_has_stray(one);
		}
	return found;
}
