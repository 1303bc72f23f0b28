/*
 * strict.c
 *		What a route takes, held against what it was sent, before its handler runs.
 *
 * A member or a parameter that is misspelled, of the wrong type or cut off must
 * not be taken for one that was left out: a person who sends an edited text in
 * the wrong member would see the unedited one leave. So the route table says
 * what there is, and all that is something else is refused here, for every route
 * in the same way. Nothing that was sent is repeated in an answer.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/json_owner.h"
#include "channel/channel.h"
#include "gateway/gateway.h"
#include "lib/stringinfo.h"

/* ------------------------------------------------------- what a route knows */

/* The next word of a list with blanks between them; false: there is none. */
static bool
next_word(const char **list, LarasText *word)
{
	while (**list == ' ')
		(*list)++;
	word->s = *list;
	word->n = strcspn(*list, " ");
	*list += word->n;
	return word->n > 0;
}

static bool
same(LarasText a, LarasText b)
{
	return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

/* "The members are body and options." */
static char *
names_of(const char *what, const char *list)
{
	StringInfoData names;
	LarasText word;
	LarasText next;
	bool more = next_word(&list, &word);

	if (!more)
		return psprintf("This path takes no %ss.", what);
	initStringInfo(&names);
	for (int i = 0; more; i++)
	{
		const char *colon = memchr(word.s, ':', word.n);

		more = next_word(&list, &next);
		if (i == 0)
			appendStringInfo(&names, "The %s%s ", what, more ? "s are" : " is");
		else
			appendStringInfoString(&names, more ? ", " : " and ");
		appendBinaryStringInfo(&names, word.s, (int) (colon ? colon - word.s : word.n));
		word = next;
	}
	appendStringInfoChar(&names, '.');
	return names.data;
}

/* ------------------------------------------------------------------- bodies */

/* Is that a member of the list "name:type name:type", of its type? */
static bool
is_member(const char *members, const char *name, const json_t *value)
{
	LarasText word;

	while (next_word(&members, &word))
		if (same((LarasText){word.s, word.n - 2}, laras_text(name)))
			return laras_json_is_of_type(value, word.s[word.n - 1]);
	return false;
}

static bool
begins(LarasText t, const char *with)
{
	return t.s != NULL && t.n >= strlen(with) && memcmp(t.s, with, strlen(with)) == 0;
}

/* Does the body claim to be something else that the handler reads by itself? */
static bool
is_other_form(const LarasHttp *h, LarasHttpBody form)
{
	LarasText type = laras_http_header(h, "content-type");

	switch (form)
	{
		case LARAS_BODY_RAW:
			return true;
		case LARAS_BODY_OBJECT_OR_CSV:
			return begins(type, "text/csv");
		case LARAS_BODY_OBJECT_OR_FORM:
			return !begins(type, "application/json") && !begins(h->body, "{");
		default:
			return false;
	}
}

static bool
body_fits(LarasHttp *h, const LarasRoute *route)
{
	const char *name;
	json_t *value;

	if (is_other_form(h, route->body))
		return true;
	if (h->body.n == 0)
	{
		if (route->body != LARAS_BODY_PIECES)
			return true; /* the handler knows what it cannot do without */
	}
	else
		h->document = laras_json_own(laras_json_parse_once(h->body.s, h->body.n, NULL));
	if (!json_is_object(h->document))
	{
		if (route->body == LARAS_BODY_PIECES)
			laras_http_error(h, 400, "bad_request", "the body is no JSON object");
		else
			laras_http_refuse(h, 422, "bad_body", "the body must be a JSON object, whole and alone",
							  names_of("member", route->members));
		return false;
	}
	json_object_foreach(h->document, name, value)
	{
		if (is_member(route->members, name, value))
			continue;
		laras_http_refuse(h, 422, "bad_body",
						  "the body has a member that is not known, or not of its type",
						  names_of("member", route->members));
		return false;
	}
	return true;
}

/* --------------------------------------------------------------- parameters */

/* Is every parameter known, with a value that can be read, and there once? */
static bool
query_fits(LarasHttp *h, const LarasRoute *route)
{
	const char *at = h->query.s;
	const char *end = h->query.s + h->query.n;
	unsigned seen = 0;

	if (route->query == NULL)
		return true;
	while (h->query.s != NULL && at < end)
	{
		const char *stop = memchr(at, '&', (size_t) (end - at));
		const char *equals;
		const char *known = route->query;
		LarasText word;
		int which = -1;

		if (stop == NULL)
			stop = end;
		equals = memchr(at, '=', (size_t) (stop - at));
		for (int i = 0; equals != NULL && which < 0 && next_word(&known, &word); i++)
			if (same(word, (LarasText){at, (size_t) (equals - at)}))
				which = i;
		if (stop > at &&
			(which < 0 || (seen & 1U << which) != 0 ||
			 laras_http_parameter((LarasText){at, (size_t) (stop - at)}, pnstrdup(word.s, word.n))
					 .s == NULL))
		{
			laras_http_refuse(
				h, 422, "bad_query",
				"the query has a parameter that is not known, cannot be read, or is there twice",
				names_of("parameter", route->query));
			return false;
		}
		if (which >= 0)
			seen |= 1U << which;
		at = stop + 1;
	}
	return true;
}

bool
laras_http_fits(LarasHttp *h, const LarasRoute *route)
{
	return query_fits(h, route) && body_fits(h, route);
}

/* ------------------------------------------------------ values of parameters */

bool
laras_http_known_channel(LarasHttp *h, LarasText channel)
{
	StringInfoData names;

	if (channel.s == NULL)
		return true;
	initStringInfo(&names);
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
	{
		const char *name = laras_channel_nth(i)->channel;

		if (laras_text_is(channel, name))
			return true;
		appendStringInfo(&names, "%s%s", i == 0 ? "The channels are " : ", ", name);
	}
	appendStringInfoChar(&names, '.');
	laras_http_refuse(h, 422, "bad_query", "no such channel", names.data);
	return false;
}

bool
laras_http_known_word(LarasHttp *h, LarasText word, const char *what, const char *words)
{
	const char *known = words;
	LarasText one;

	if (word.s == NULL)
		return true;
	while (next_word(&known, &one))
		if (same(one, word))
			return true;
	laras_http_refuse(h, 422, "bad_query", psprintf("no such %s", what), names_of(what, words));
	return false;
}
