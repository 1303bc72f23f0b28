/*
 * http_request.c
 *		The strict HTTP/1.x request reader; see http_request.h for what it
 *		accepts.
 *
 * One byte, one step: the head and the chunk lines go through a state machine
 * that looks at one byte at a time and at nothing beside it, so that the split
 * of the input cannot matter; only body bytes are copied in bulk. The buffer
 * holds, in this order and each ended by NUL: path, query, name and value of
 * each field, body.
 */
#include "relay/http_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum
{
	ST_METHOD,
	ST_PATH,
	ST_QUERY,
	ST_VERSION,
	ST_LINE_LF,
	ST_FIELD, /* first byte of a line */
	ST_NAME,
	ST_VALUE_START,
	ST_VALUE,
	ST_VALUE_LF,
	ST_HEAD_LF,
	ST_HEAD_DONE, /* HEAD was told, body not begun */
	ST_FIXED,
	ST_CHUNK, /* first digit of a size */
	ST_CHUNK_SIZE,
	ST_CHUNK_LF,
	ST_CHUNK_DATA,
	ST_CHUNK_END_CR,
	ST_CHUNK_END_LF,
	ST_LAST_CR,
	ST_LAST_LF,
	ST_COMPLETE,
	ST_REFUSED
};

#define C_TOKEN 1 /* RFC 9110 tchar */
#define C_PATH 2  /* RFC 3986 pchar and "/" */
#define C_QUERY 4 /* the same, "?", "[" and "]" */
#define C_VALUE 8 /* visible ASCII, space, tab */
#define C_HOST 16

static uint8_t
class_of(unsigned char c)
{
	bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
	uint8_t k = 0;

	if (c == '\0' || c > 0x7e)
		return 0;
	if (alnum || strchr("!#$%&'*+-.^_`|~", c))
		k |= C_TOKEN;
	if (alnum || strchr("-._~!$&'()*+,;=:@%/", c))
		k |= C_PATH | C_QUERY;
	if (strchr("?[]", c))
		k |= C_QUERY;
	if (c >= 0x20 || c == '\t')
		k |= C_VALUE;
	if (alnum || strchr(".-_:[]", c))
		k |= C_HOST;
	return k;
}

static uint8_t classes[256];

static inline bool
is(char c, uint8_t k)
{
	return (classes[(unsigned char) c] & k) != 0;
}

static bool
refuse(LarasHttpReader *reader, int status, const char *reason)
{
	reader->status = (uint16_t) status;
	reader->reason = reason;
	reader->keep_alive = false;
	reader->state = ST_REFUSED;
	return false;
}

/* Room for n more bytes. Doubles, but never beyond what the request may need. */
static bool
reserve(LarasHttpReader *reader, uint32_t n)
{
	uint64_t need = (uint64_t) reader->length + n;
	uint64_t capacity = reader->capacity ? reader->capacity : 512;
	uint64_t most = (uint64_t) reader->limits->head_bytes + reader->limits->body_bytes + 1;
	char *grown;

	if (need <= reader->capacity)
		return true;
	while (capacity < need)
		capacity *= 2;
	if (reader->has_length && reader->state == ST_FIXED)
		most = (uint64_t) reader->body + reader->content_length + 1;
	if (capacity > most && need <= most)
		capacity = most;
	grown = realloc(reader->buffer, capacity);
	if (grown == NULL)
		return refuse(reader, 503, "out of memory");
	reader->buffer = grown;
	reader->capacity = (uint32_t) capacity;
	return true;
}

static inline bool
put(LarasHttpReader *reader, char c)
{
	if (reader->length == reader->capacity && !reserve(reader, 1))
		return false;
	reader->buffer[reader->length++] = c;
	return true;
}

void
laras_http_reader_init(LarasHttpReader *reader, const LarasHttpLimits *limits)
{
	if (classes['a'] == 0)
		for (int c = 0; c < 256; c++)
			classes[c] = class_of((unsigned char) c);
	memset(reader, 0, offsetof(LarasHttpReader, fields));
	reader->limits = limits;
}

void
laras_http_reader_reset(LarasHttpReader *reader)
{
	char *buffer = reader->buffer;
	uint32_t capacity = reader->capacity;

	if (capacity > LARAS_HTTP_KEEP_BYTES)
	{
		free(buffer);
		buffer = NULL;
		capacity = 0;
	}
	laras_http_reader_init(reader, reader->limits);
	reader->buffer = buffer;
	reader->capacity = capacity;
}

void
laras_http_reader_free(LarasHttpReader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
	reader->capacity = 0;
	reader->length = 0;
}

bool
laras_http_reader_idle(const LarasHttpReader *reader)
{
	return reader->state == ST_METHOD && reader->head_read == 0;
}

/* Every "%" must be followed by two hex digits, in buffer[from .. length). */
static bool
escapes_are_whole(const LarasHttpReader *reader, uint32_t from)
{
	for (uint32_t i = from; i < reader->length; i++)
		if (reader->buffer[i] == '%' &&
			(i + 2 >= reader->length || laras_hex_digit(reader->buffer[i + 1]) < 0 ||
			 laras_hex_digit(reader->buffer[i + 2]) < 0))
			return false;
	return true;
}

/* Ends path or query at the space or "?" that was just read. */
static bool
end_target_part(LarasHttpReader *reader)
{
	bool query = reader->state == ST_QUERY;
	uint32_t from = query ? reader->query : reader->path;

	if (!escapes_are_whole(reader, from))
		return refuse(reader, 400, "broken percent escape");
	if (query)
		reader->query_length = (uint16_t) (reader->length - from);
	else
		reader->path_length = (uint16_t) (reader->length - from);
	return put(reader, '\0');
}

static bool
end_method(LarasHttpReader *reader)
{
	const char *const *method = reader->limits->methods;

	if (reader->length == 0)
		return refuse(reader, 400, "empty method");
	if (!put(reader, '\0'))
		return false;
	while (*method && strcmp(*method, reader->buffer) != 0)
		method++;
	if (*method == NULL)
		return refuse(reader, 501, "unknown method");
	reader->method = *method;
	reader->length = 0;
	reader->path = 0;
	reader->state = ST_PATH;
	return true;
}

static bool
version_byte(LarasHttpReader *reader, char c)
{
	static const char shape[] = "HTTP/d.d\r";
	char want = shape[reader->matched];

	if (want == 'd' ? (c < '0' || c > '9') : c != want)
		return refuse(reader, 400, "malformed version");
	if (reader->matched == 5 && c != '1')
		return refuse(reader, 505, "unsupported version");
	if (reader->matched == 7)
	{
		if (c > '1')
			return refuse(reader, 505, "unsupported version");
		reader->minor = (uint8_t) (c - '0');
	}
	if (c == '\r')
		reader->state = ST_LINE_LF;
	reader->matched++;
	return true;
}

/* Does the comma list in text hold that (lower case) token? */
static bool
list_holds(const char *text, const char *token)
{
	size_t length = strlen(token);

	while (*text)
	{
		size_t n, i;

		text += strspn(text, " \t,");
		n = strcspn(text, " \t,");
		for (i = 0; i < n && i < length; i++)
		{
			char c = text[i];

			if (c >= 'A' && c <= 'Z')
				c = (char) (c - 'A' + 'a');
			if (c != token[i])
				break;
		}
		if (n == length && i == length)
			return true;
		text += n;
	}
	return false;
}

static bool
read_content_length(LarasHttpReader *reader, const char *value, size_t length)
{
	uint64_t number = 0;

	if (reader->has_length)
		return refuse(reader, 400, "more than one content-length");
	if (length == 0 || strspn(value, "0123456789") != length || (value[0] == '0' && length > 1))
		return refuse(reader, 400, "malformed content-length");
	for (size_t i = 0; i < length && number <= UINT32_MAX; i++)
		number = number * 10 + (uint64_t) (value[i] - '0');
	reader->has_length = true;
	/* too large is judged at the end of the head: 400 goes before 413 */
	reader->content_length = number > UINT32_MAX ? UINT32_MAX : (uint32_t) number;
	return true;
}

/* The fields that framing hangs on are judged as soon as their line ends. */
static bool
end_field(LarasHttpReader *reader)
{
	LarasHttpSpan *field = &reader->fields[reader->nfields];
	const char *name;
	const char *value;

	while (reader->length > field->value && (reader->buffer[reader->length - 1] == ' ' ||
											 reader->buffer[reader->length - 1] == '\t'))
		reader->length--;
	field->value_length = (uint16_t) (reader->length - field->value);
	if (!put(reader, '\0'))
		return false;
	reader->nfields++;
	reader->state = ST_VALUE_LF;
	name = reader->buffer + field->name;
	value = reader->buffer + field->value;

	if (strcmp(name, "host") == 0)
	{
		if (reader->host_seen)
			return refuse(reader, 400, "more than one host");
		reader->host_seen = true;
		if (field->value_length == 0)
			return refuse(reader, 400, "empty host");
		for (; *value; value++)
			if (!is(*value, C_HOST))
				return refuse(reader, 400, "malformed host");
	}
	else if (strcmp(name, "content-length") == 0)
		return read_content_length(reader, value, field->value_length);
	else if (strcmp(name, "transfer-encoding") == 0)
	{
		if (reader->coding_seen)
			return refuse(reader, 400, "more than one transfer-encoding");
		reader->coding_seen = true;
		reader->coding_bad = strcmp(value, "chunked") != 0;
	}
	else if (strcmp(name, "connection") == 0)
		reader->close_seen |= list_holds(value, "close");
	else if (strcmp(name, "expect") == 0)
	{
		if (reader->expect_seen)
			return refuse(reader, 400, "more than one expect");
		reader->expect_seen = true;
		reader->expect_bad = !list_holds(value, "100-continue") || field->value_length != 12;
	}
	return true;
}

/* The head is whole: decide how the body is framed, or refuse. */
static bool
end_head(LarasHttpReader *reader)
{
	const char *m = reader->method;

	if (!reader->host_seen)
		return refuse(reader, 400, "no host");
	if (reader->coding_seen && reader->has_length)
		return refuse(reader, 400, "content-length beside transfer-encoding");
	if (reader->coding_seen && reader->minor == 0)
		return refuse(reader, 400, "transfer-encoding in HTTP/1.0");
	if (reader->coding_bad)
		return refuse(reader, 501, "unknown transfer coding");
	if (reader->minor > 0 && reader->expect_bad)
		return refuse(reader, 417, "unknown expectation");
	if (!reader->coding_seen && !reader->has_length &&
		(strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0))
		return refuse(reader, 411, "no length");
	if (reader->has_length && reader->content_length > reader->limits->body_bytes)
		return refuse(reader, 413, "body too large");
	reader->chunked = reader->coding_seen;
	reader->expects_continue = reader->expect_seen && reader->minor > 0;
	reader->keep_alive = reader->minor > 0 && !reader->close_seen;
	reader->body = reader->length;
	reader->left = reader->content_length;
	reader->state = ST_HEAD_DONE;
	return true;
}

/* One byte of the head. False when refused. */
static bool
head_byte(LarasHttpReader *reader, char c)
{
	if (reader->head_read++ >= reader->limits->head_bytes)
		return reader->state <= ST_VERSION ? refuse(reader, 414, "request line too long")
										   : refuse(reader, 431, "head too large");
	switch (reader->state)
	{
		case ST_METHOD:
			if (c == ' ')
				return end_method(reader);
			if (!is(c, C_TOKEN))
				return refuse(reader, 400, "malformed method");
			if (reader->length == 31)
				return refuse(reader, 501, "unknown method");
			return put(reader, c);
		case ST_PATH:
			if (reader->length == 0 && c != '/')
				return refuse(reader, 400, "target is not an absolute path");
			if (c == '?' || c == ' ')
			{
				if (!end_target_part(reader))
					return false;
				reader->query = (uint16_t) reader->length;
				if (c == '?')
					reader->state = ST_QUERY;
				else
				{
					reader->state = ST_VERSION;
					return put(reader, '\0');
				}
				return true;
			}
			return is(c, C_PATH) ? put(reader, c) : refuse(reader, 400, "malformed target");
		case ST_QUERY:
			if (c == ' ')
			{
				if (!end_target_part(reader))
					return false;
				reader->state = ST_VERSION;
				return true;
			}
			return is(c, C_QUERY) ? put(reader, c) : refuse(reader, 400, "malformed target");
		case ST_VERSION:
			return version_byte(reader, c);
		case ST_LINE_LF:
		case ST_VALUE_LF:
			if (c != '\n')
				return refuse(reader, 400, "bare CR");
			reader->state = ST_FIELD;
			return true;
		case ST_FIELD:
			if (c == '\r')
			{
				reader->state = ST_HEAD_LF;
				return true;
			}
			if (reader->nfields == LARAS_HTTP_MAX_FIELDS)
				return refuse(reader, 431, "too many fields");
			reader->fields[reader->nfields].name = (uint16_t) reader->length;
			reader->state = ST_NAME;
			/* FALLTHROUGH */
		case ST_NAME:
			if (c == ':' && reader->length > reader->fields[reader->nfields].name)
			{
				LarasHttpSpan *field = &reader->fields[reader->nfields];

				field->name_length = (uint16_t) (reader->length - field->name);
				if (!put(reader, '\0'))
					return false;
				field->value = (uint16_t) reader->length;
				reader->state = ST_VALUE_START;
				return true;
			}
			if (!is(c, C_TOKEN))
				return refuse(reader, 400, "malformed field name");
			return put(reader, c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c);
		case ST_VALUE_START:
			if (c == ' ' || c == '\t')
				return true;
			reader->state = ST_VALUE;
			/* FALLTHROUGH */
		case ST_VALUE:
			if (c == '\r')
				return end_field(reader);
			return is(c, C_VALUE) ? put(reader, c) : refuse(reader, 400, "malformed field value");
		case ST_HEAD_LF:
			return c == '\n' ? end_head(reader) : refuse(reader, 400, "bare CR");
	}
	return refuse(reader, 400, "malformed request");
}

/* One byte of chunk framing. False when refused. */
static bool
chunk_byte(LarasHttpReader *reader, char c)
{
	int digit = laras_hex_digit(c);

	switch (reader->state)
	{
		case ST_CHUNK:
			if (digit < 0)
				return refuse(reader, 400, "malformed chunk size");
			reader->left = (uint32_t) digit;
			reader->matched = 1;
			reader->state = ST_CHUNK_SIZE;
			return true;
		case ST_CHUNK_SIZE:
			if (c == '\r')
			{
				if (reader->left > reader->limits->body_bytes - reader->body_length)
					return refuse(reader, 413, "body too large");
				reader->state = ST_CHUNK_LF;
				return true;
			}
			if (digit < 0 || reader->left == 0 || reader->matched == 8)
				return refuse(reader, 400, "malformed chunk size");
			reader->left = reader->left * 16 + (uint32_t) digit;
			reader->matched++;
			return true;
		case ST_CHUNK_LF:
			reader->state = reader->left ? ST_CHUNK_DATA : ST_LAST_CR;
			return c == '\n' ? true : refuse(reader, 400, "bare CR");
		case ST_CHUNK_END_CR:
			reader->state = ST_CHUNK_END_LF;
			return c == '\r' ? true : refuse(reader, 400, "chunk longer than its size");
		case ST_CHUNK_END_LF:
			reader->state = ST_CHUNK;
			return c == '\n' ? true : refuse(reader, 400, "bare CR");
		case ST_LAST_CR:
			reader->state = ST_LAST_LF;
			return c == '\r' ? true : refuse(reader, 400, "trailer");
		case ST_LAST_LF:
			reader->state = ST_COMPLETE;
			return c == '\n' ? true : refuse(reader, 400, "bare CR");
	}
	return refuse(reader, 400, "malformed request");
}

LarasHttpEvent
laras_http_reader_feed(LarasHttpReader *reader, const char *data, size_t length, size_t *taken)
{
	size_t at = 0;

	*taken = 0;
	if (reader->state < ST_HEAD_DONE)
	{
		while (at < length && reader->state < ST_HEAD_DONE)
			if (!head_byte(reader, data[at++]))
				break;
		*taken = at;
		if (reader->state == ST_REFUSED)
			return LARAS_HTTP_REFUSED;
		return reader->state == ST_HEAD_DONE ? LARAS_HTTP_HEAD : LARAS_HTTP_MORE;
	}
	if (reader->state == ST_HEAD_DONE)
		reader->state = reader->chunked ? ST_CHUNK : ST_FIXED;
	for (;;)
	{
		if (reader->state == ST_FIXED || reader->state == ST_CHUNK_DATA)
		{
			uint32_t n = length - at < reader->left ? (uint32_t) (length - at) : reader->left;

			if (n > 0)
			{
				if (!reserve(reader, n))
					break;
				memcpy(reader->buffer + reader->length, data + at, n);
				reader->length += n;
				reader->body_length += n;
				reader->left -= n;
				at += n;
			}
			if (reader->left == 0)
				reader->state = reader->state == ST_FIXED ? ST_COMPLETE : ST_CHUNK_END_CR;
		}
		if (reader->state >= ST_COMPLETE || at == length)
			break;
		if (!chunk_byte(reader, data[at++]))
			break;
	}
	*taken = at;
	/* the body ends with a NUL that does not count; told again if fed again */
	if (reader->state == ST_COMPLETE && reader->length == reader->body + reader->body_length)
		if (put(reader, '\0'))
			reader->length = reader->body + reader->body_length;
	if (reader->state == ST_REFUSED)
		return LARAS_HTTP_REFUSED;
	return reader->state == ST_COMPLETE ? LARAS_HTTP_COMPLETE : LARAS_HTTP_MORE;
}

const char *
laras_http_path(const LarasHttpReader *reader)
{
	return reader->buffer + reader->path;
}

const char *
laras_http_query(const LarasHttpReader *reader)
{
	return reader->buffer + reader->query;
}

const char *
laras_http_field_name(const LarasHttpReader *reader, int i)
{
	return reader->buffer + reader->fields[i].name;
}

const char *
laras_http_field_value(const LarasHttpReader *reader, int i)
{
	return reader->buffer + reader->fields[i].value;
}

const char *
laras_http_field(const LarasHttpReader *reader, const char *name)
{
	for (int i = 0; i < reader->nfields; i++)
		if (strcmp(laras_http_field_name(reader, i), name) == 0)
			return laras_http_field_value(reader, i);
	return NULL;
}

const char *
laras_http_body(const LarasHttpReader *reader)
{
	return reader->buffer + reader->body;
}

bool
laras_http_is_hop_by_hop(const char *name)
{
	static const char *const names[] = {"connection",
										"content-length",
										"expect",
										"keep-alive",
										"proxy-authenticate",
										"proxy-authorization",
										"proxy-connection",
										"te",
										"trailer",
										"transfer-encoding",
										"upgrade"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}
