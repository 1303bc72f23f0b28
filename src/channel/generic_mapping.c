/*
 * generic_mapping.c
 *		Is a mapping of generic webhooks one that can be followed?
 *
 * Asked when it is registered: a member that is mistyped, or a pointer that is
 * none, would show in messages that lack something, or in none at all.
 */
#include "channel/generic.h"

#include <string.h>

/* what is read at a pointer from an event, or from the body */
static const char *const pointers[] = {"items", "id",   "from",  "phone", "email",
									   "name",  "text", "about", "time",  "event"};
static const char *const word_lists[] = {"messages", "edits", "removals"};
static const char *const of_files[] = {"list", "url", "type", "name", "size", "sha256"};

const char *const laras_generic_parts[LARAS_GENERIC_PARTS] = {"image",   "video",    "audio",
															  "voice",   "document", "location",
															  "contact", "order",    "link",
															  "choice",  "context",  "referral",
															  "extra"};

#define COUNT(list) ((int) (sizeof(list) / sizeof((list)[0])))

static bool
is_named(const char *name, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i] != NULL && strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* Empty, which is the whole, or steps that each begin with a slash. */
static bool
is_pointer(const json_t *value)
{
	LarasText t = laras_json_text(value);

	return t.s != NULL && t.n <= LARAS_LONGEST_POINTER && (t.n == 0 || t.s[0] == '/');
}

static bool
are_words(const json_t *value)
{
	if (!json_is_array(value) || json_array_size(value) == 0)
		return false;
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return true;
}

/* An object of pointers, each under a name of the list. */
static bool
are_pointers(const json_t *value, const char *const *list, int n)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *) value, name, member)
	{
		if (!is_named(name, list, n) || !is_pointer(member))
			return false;
	}
	return true;
}

static const char *
check_member(const char *name, const json_t *value)
{
	if (is_named(name, pointers, COUNT(pointers)))
		return is_pointer(value) ? NULL
								 : "What a member names is a JSON Pointer, such as /author/id.";
	if (is_named(name, word_lists, COUNT(word_lists)))
		return are_words(value) ? NULL : "messages, edits and removals are lists of words.";
	if (strcmp(name, "identity") == 0)
	{
		LarasText word = laras_json_text(value);

		return laras_text_is(word, "email") || laras_text_is(word, "phone")
				   ? NULL
				   : "identity is email or phone.";
	}
	if (strcmp(name, "outbound") == 0)
		return json_object_size(value) == 2 && is_pointer(laras_json_get(value, "at")) &&
					   are_words(laras_json_get(value, "is"))
				   ? NULL
				   : "outbound has a pointer, at, and a list of words, is.";
	if (strcmp(name, "parts") == 0)
		return are_pointers(value, laras_generic_parts, LARAS_GENERIC_PARTS)
				   ? NULL
				   : "parts has pointers alone, each under the kind of a part.";
	if (strcmp(name, "media") == 0)
		return are_pointers(value, of_files, COUNT(of_files)) &&
					   laras_json_get(value, "url") != NULL
				   ? NULL
				   : "media has pointers: url, and as needed list, type, name, size, sha256.";
	return "The mapping has a member that is not known.";
}

const char *
laras_generic_check(const json_t *options)
{
	const json_t *mapping = laras_json_get(options, "mapping");
	const char *name;
	json_t *value;

	if (!json_is_object(mapping))
		return "A mapping says what the members of a body mean.";
	json_object_foreach((json_t *) mapping, name, value)
	{
		const char *why = check_member(name, value);

		if (why != NULL)
			return why;
	}
	if (laras_json_get(mapping, "id") == NULL || laras_json_get(mapping, "from") == NULL)
		return "The mapping must name id and from.";
	if (laras_json_get(mapping, "event") != NULL && laras_json_get(mapping, "messages") == NULL &&
		laras_json_get(mapping, "edits") == NULL && laras_json_get(mapping, "removals") == NULL)
		return "Beside event stand its words: messages, edits, removals.";
	return NULL;
}
