/*
 * http_story.c
 *		Feeding the request reader in different ways, and a reference that frames
 *		requests without it; see http_story.h.
 */
#include "http_story.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
static const LarasHttpLimits limits = {methods, LARAS_HTTP_HEAD_BYTES, STORY_BODY_LIMIT};

static unsigned long long state = 1;

unsigned
laras_story_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned) (state >> 32);
}

static void
mix(unsigned long long *hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		*hash = (*hash ^ (unsigned char) bytes[i]) * 1099511628211ull;
	*hash = (*hash ^ 256) * 1099511628211ull;
}

static unsigned long long
contents(const LarasHttpReader *reader, bool whole)
{
	unsigned long long hash = 14695981039346656037ull;

	mix(&hash, reader->method, strlen(reader->method));
	mix(&hash, laras_http_path(reader), strlen(laras_http_path(reader)));
	mix(&hash, laras_http_query(reader), strlen(laras_http_query(reader)));
	for (int i = 0; i < reader->nfields; i++)
	{
		mix(&hash, laras_http_field_name(reader, i), strlen(laras_http_field_name(reader, i)));
		mix(&hash, laras_http_field_value(reader, i), reader->fields[i].value_length);
	}
	if (whole)
		mix(&hash, laras_http_body(reader), reader->body_length + 1);
	return hash;
}

LarasStory
laras_story_feed(const char *bytes, size_t length, size_t first, size_t rest)
{
	LarasHttpReader reader;
	LarasStory story = {.last = LARAS_HTTP_MORE};
	size_t at = 0;

	laras_http_reader_init(&reader, &limits);
	while (story.last != LARAS_HTTP_COMPLETE && story.last != LARAS_HTTP_REFUSED)
	{
		size_t want = at == 0 ? first : rest ? rest : 1 + laras_story_random() % 7;
		size_t piece = want < length - at ? want : length - at;
		size_t end = at + piece;
		size_t taken;

		/* a copy of its own, so that reading beyond the piece is seen by the sanitizer */
		char *copy = malloc(piece + 1);

		if (copy == NULL)
			exit(2);
		memcpy(copy, bytes + at, piece);
		copy = realloc(copy, piece ? piece : 1);
		do
		{
			size_t from = piece - (end - at);

			story.last = laras_http_reader_feed(&reader, copy + from, end - at, &taken);
			at += taken;
			if (story.last == LARAS_HTTP_HEAD)
			{
				story.head_at = at;
				story.contents = contents(&reader, false);
			}
		} while (story.last == LARAS_HTTP_HEAD || (story.last == LARAS_HTTP_MORE && at < end));
		free(copy);
		if (at == length && story.last == LARAS_HTTP_MORE)
			break;
	}
	story.end_at = at;
	story.status = story.last == LARAS_HTTP_REFUSED ? reader.status : 0;
	story.reason = story.last == LARAS_HTTP_REFUSED ? reader.reason : "";
	story.keep_alive = reader.keep_alive;
	story.body_length = reader.body_length;
	if (story.last == LARAS_HTTP_COMPLETE)
	{
		unsigned long long again = contents(&reader, true);
		size_t taken = 1;

		/* what comes after a request is not its own */
		if (laras_http_reader_feed(&reader, "x", 1, &taken) != LARAS_HTTP_COMPLETE || taken != 0)
			story.last = LARAS_HTTP_MORE;
		story.contents = again;
	}
	laras_http_reader_free(&reader);
	return story;
}

static bool
same(const LarasStory *a, const LarasStory *b)
{
	return a->last == b->last && a->head_at == b->head_at && a->end_at == b->end_at &&
		   a->status == b->status && strcmp(a->reason, b->reason) == 0 &&
		   a->contents == b->contents && a->keep_alive == b->keep_alive;
}

long
laras_story_differs(const char *bytes, size_t length, const LarasStory *whole, bool every_split)
{
	LarasStory other;

	for (size_t split = 1; every_split && split < length; split++)
	{
		other = laras_story_feed(bytes, length, split, length);
		if (!same(whole, &other))
			return (long) split;
	}
	other = laras_story_feed(bytes, length, 1, 1);
	if (!same(whole, &other))
		return 0;
	for (int i = 0; i < 5; i++)
	{
		other = laras_story_feed(bytes, length, 1 + laras_story_random() % 5, 0);
		if (!same(whole, &other))
			return 0;
	}
	return -1;
}

/* ---- the reference ---- */

#define ALNUM "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

typedef struct Line
{
	char *name;
	char *value;
} Line;

static bool
only(const char *text, const char *set)
{
	return text[strspn(text, set)] == '\0';
}

static bool
escapes_fine(const char *text)
{
	for (text = strchr(text, '%'); text; text = strchr(text + 1, '%'))
		if (strspn(text + 1, "0123456789abcdefABCDEF") < 2)
			return false;
	return true;
}

static bool
request_line_fine(char *line, const char **method, int *minor)
{
	char *target = strchr(line, ' ');
	char *version = strrchr(line, ' ');
	char *query;

	if (target == NULL || version == target)
		return false;
	*target++ = '\0';
	*version++ = '\0';
	*method = NULL;
	for (int i = 0; methods[i]; i++)
		if (strcmp(methods[i], line) == 0)
			*method = methods[i];
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return false;
	*minor = version[7] - '0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	return *method && target[0] == '/' && only(target, ALNUM "-._~!$&'()*+,;=:@%/") &&
		   escapes_fine(target) &&
		   (query == NULL || (only(query, ALNUM "-._~!$&'()*+,;=:@%/?[]") && escapes_fine(query)));
}

/* Name in lower case, value trimmed; the number of fields or -1. */
static int
fields_fine(char *at, Line *lines)
{
	int n = 0;

	while (*at)
	{
		char *end = strstr(at, "\r\n");
		char *colon = strchr(at, ':');
		char *value;

		*end = '\0';
		if (n == 64 || colon == NULL || colon >= end || colon == at)
			return -1;
		*colon = '\0';
		if (!only(at, ALNUM "!#$%&'*+-.^_`|~"))
			return -1;
		for (char *c = at; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char) (*c + 32);
		value = colon + 1 + strspn(colon + 1, " \t");
		for (char *c = end; c > value && (c[-1] == ' ' || c[-1] == '\t'); c--)
			c[-1] = '\0';
		lines[n].name = at;
		lines[n++].value = value;
		at = end + 2;
	}
	return n;
}

/* The only line of that name; NULL with *count 0 or more than 1. */
static const char *
single(const Line *lines, int n, const char *name, int *count)
{
	const char *value = NULL;

	*count = 0;
	for (int i = 0; i < n; i++)
		if (strcmp(lines[i].name, name) == 0)
		{
			value = lines[i].value;
			++*count;
		}
	return *count == 1 ? value : NULL;
}

static bool
chunks_fine(const char *at, const char *end, const char **after, size_t *body_length)
{
	*body_length = 0;
	for (;;)
	{
		const char *line = memmem(at, (size_t) (end - at), "\r\n", 2);
		char size[9];
		size_t digits = line ? (size_t) (line - at) : 0;
		size_t n;

		if (digits < 1 || digits > 8)
			return false;
		memcpy(size, at, digits);
		size[digits] = '\0';
		if (strlen(size) != digits || !only(size, "0123456789abcdefABCDEF") ||
			(size[0] == '0' && digits > 1))
			return false;
		n = strtoul(size, NULL, 16);
		at = line + 2;
		if (n + *body_length > STORY_BODY_LIMIT || n + 2 > (size_t) (end - at) ||
			memcmp(at + n, "\r\n", 2) != 0)
			return false;
		*body_length += n;
		at += n + 2;
		*after = at;
		if (n == 0)
			return true;
	}
}

bool
laras_story_reference(const char *bytes, size_t length, size_t *end, size_t *body_length)
{
	const char *head_end = memmem(bytes, length, "\r\n\r\n", 4);
	static char head[LARAS_HTTP_HEAD_BYTES + 1];
	Line lines[64];
	char *fields;
	size_t head_length;
	const char *method;
	const char *host;
	const char *size;
	const char *coding;
	const char *after;
	int minor;
	int n;
	int hosts;
	int sizes;
	int codings;
	int expects;

	if (head_end == NULL || head_end == bytes)
		return false;
	head_length = (size_t) (head_end - bytes) + 2;
	if (head_length + 2 > LARAS_HTTP_HEAD_BYTES)
		return false;
	for (size_t i = 0; i < head_length; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (c == '\r'   ? bytes[i + 1] != '\n'
			: c == '\n' ? i == 0 || bytes[i - 1] != '\r'
						: c != '\t' && (c < 0x20 || c > 0x7e))
			return false;
	}
	memcpy(head, bytes, head_length);
	head[head_length] = '\0';
	fields = strstr(head, "\r\n");
	*fields = '\0';
	if (!request_line_fine(head, &method, &minor))
		return false;
	n = fields_fine(fields + 2, lines);
	if (n < 0)
		return false;
	host = single(lines, n, "host", &hosts);
	size = single(lines, n, "content-length", &sizes);
	coding = single(lines, n, "transfer-encoding", &codings);
	if (host == NULL || *host == '\0' || !only(host, ALNUM ".-_:[]") || sizes + codings > 1)
		return false;
	single(lines, n, "expect", &expects);
	for (int i = 0; i < n; i++)
		if (strcmp(lines[i].name, "expect") == 0 &&
			(expects > 1 || (minor == 1 && strcasecmp(lines[i].value, "100-continue") != 0)))
			return false;
	bytes = head_end + 4;
	if (coding)
	{
		if (minor == 0 || strcmp(coding, "chunked") != 0 ||
			!chunks_fine(bytes, bytes + (length - head_length - 2), &after, body_length))
			return false;
		*end = head_length + 2 + (size_t) (after - bytes);
		return true;
	}
	if (size == NULL && method[0] == 'P')
		return false;
	*body_length = 0;
	if (size)
	{
		if (*size == '\0' || !only(size, "0123456789") || (size[0] == '0' && size[1]) ||
			strlen(size) > 9)
			return false;
		*body_length = strtoul(size, NULL, 10);
		if (*body_length > STORY_BODY_LIMIT)
			return false;
	}
	*end = head_length + 2 + *body_length;
	return *end <= length;
}

bool
laras_story_agrees(const char *bytes, size_t length, const LarasStory *whole)
{
	size_t end = 0;
	size_t body_length = 0;
	bool is_request = laras_story_reference(bytes, length, &end, &body_length);

	return is_request == (whole->last == LARAS_HTTP_COMPLETE) &&
		   (!is_request || (end == whole->end_at && body_length == whole->body_length));
}
