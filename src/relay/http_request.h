/*
 * http_request.h
 *		A strict, incremental reader of HTTP/1.0 and HTTP/1.1 requests.
 *
 * Framing is an allow-list: what is not named here is refused and the
 * connection has to be closed, because a reader that guesses where a request
 * ends lets one client speak in the name of the next (request smuggling).
 *
 *	request line	METHOD SP /path[?query] SP HTTP/1.0|HTTP/1.1 CRLF, single
 *					spaces, origin form only, RFC 3986 characters (in the query
 *					also [ and ]), every % followed by two hex digits
 *	fields			token ":" OWS value OWS CRLF; no space before the colon, no
 *					folding, value of visible ASCII, space and tab only
 *	host			exactly one Host, in both versions
 *	body			exactly one Content-Length (digits, no sign, no leading
 *					zero) or exactly one "Transfer-Encoding: chunked" (exactly
 *					so, lower case, HTTP/1.1 only), never both; POST, PUT and
 *					PATCH need one of them (411), others may have it
 *	chunks			1*8 hex digits without leading zero, CRLF; no extension, no
 *					trailer
 *	lines			end with CRLF; a bare CR, a bare LF or a NUL is refused
 *
 * Refusals: 400 malformed, 411 no length, 413 body too large, 414 request line
 * too long, 417 unknown expectation, 431 head too large or too many fields,
 * 501 unknown method or transfer coding, 503 out of memory, 505 version.
 *
 * The reader may be fed its bytes in any split: events, offsets and contents
 * are the same for one write as for one byte at a time.
 *
 * No PostgreSQL, no I/O, no clock, no global state. Memory: one buffer a
 * reader, at most head_bytes + body_bytes + 1, freed by
 * laras_http_reader_free(); everything the accessors return points into it and
 * lives until the next reset or free.
 */
#ifndef LARAS_HTTP_REQUEST_H
#define LARAS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LARAS_HTTP_MAX_FIELDS 64
#define LARAS_HTTP_HEAD_BYTES 16384 /* default and upper bound is 65535 */
#define LARAS_HTTP_KEEP_BYTES 2048  /* a larger buffer is freed on reset */

/* What a program accepts. Must outlive its readers. */
typedef struct LarasHttpLimits
{
	const char *const *methods; /* NULL-terminated; others are 501 */
	uint32_t head_bytes;        /* request line and fields, all line ends too */
	uint32_t body_bytes;        /* decoded body */
} LarasHttpLimits;

typedef enum LarasHttpEvent
{
	LARAS_HTTP_MORE,     /* all bytes taken, more are needed */
	LARAS_HTTP_HEAD,     /* the head is complete; told once a request */
	LARAS_HTTP_COMPLETE, /* the request is complete; further bytes are not taken */
	LARAS_HTTP_REFUSED   /* not a request; answer status, close */
} LarasHttpEvent;

/* Offsets into buffer; both strings end with NUL. */
typedef struct LarasHttpSpan
{
	uint16_t name;
	uint16_t name_length;
	uint16_t value;
	uint16_t value_length;
} LarasHttpSpan;

/*
 * The fields above the line may be read by the program once the head is
 * complete; those below belong to the reader.
 */
typedef struct LarasHttpReader
{
	const char *method;    /* the entry of limits->methods */
	uint8_t minor;         /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;       /* version and Connection allow another request */
	bool expects_continue; /* HTTP/1.1 with Expect: 100-continue */
	bool chunked;
	bool has_length;         /* a Content-Length was given */
	uint16_t status;         /* after REFUSED: the status to answer */
	const char *reason;      /* after REFUSED: static text, never input */
	uint32_t content_length; /* when has_length */
	uint32_t body_length;    /* bytes of body read so far */
	uint16_t nfields;
	/* ---------------------------------------------------------------- */
	uint8_t state;
	uint8_t matched;
	bool host_seen;
	bool close_seen;
	bool expect_seen;
	bool expect_bad;
	bool coding_seen;
	bool coding_bad;
	uint16_t path;
	uint16_t path_length;
	uint16_t query;
	uint16_t query_length;
	uint32_t head_read;
	uint32_t body;
	uint32_t left;
	uint32_t length;
	uint32_t capacity;
	char *buffer;
	const LarasHttpLimits *limits;
	LarasHttpSpan fields[LARAS_HTTP_MAX_FIELDS];
} LarasHttpReader;

/* An empty reader, waiting for a first request. Allocates nothing. */
extern void laras_http_reader_init(LarasHttpReader *reader, const LarasHttpLimits *limits);

/* Ready for the next request of the connection; keeps a small buffer. */
extern void laras_http_reader_reset(LarasHttpReader *reader);

/* Frees the buffer; the reader may be initialised again. */
extern void laras_http_reader_free(LarasHttpReader *reader);

/*
 * Takes bytes up to the next event and says in *taken how many. After HEAD
 * call again with the rest (also when there is none: a request without a body
 * completes with zero further bytes). After COMPLETE and REFUSED nothing more
 * is taken until reset.
 */
extern LarasHttpEvent
laras_http_reader_feed(LarasHttpReader *reader, const char *data, size_t length, size_t *taken);

/* True while no byte of a request has been taken. */
extern bool laras_http_reader_idle(const LarasHttpReader *reader);

/* Valid from HEAD on. Path as received, not decoded; query without "?". */
extern const char *laras_http_path(const LarasHttpReader *reader);
extern const char *laras_http_query(const LarasHttpReader *reader); /* "" when absent */

/* Field i in order of arrival, name in lower case; value trimmed. */
extern const char *laras_http_field_name(const LarasHttpReader *reader, int i);
extern const char *laras_http_field_value(const LarasHttpReader *reader, int i);

/* The first field of that (lower case) name, or NULL. */
extern const char *laras_http_field(const LarasHttpReader *reader, const char *name);

/* Valid after COMPLETE: body_length bytes, then a NUL. Never NULL. */
extern const char *laras_http_body(const LarasHttpReader *reader);

/*
 * Field names that speak about one connection or about framing: neither passed
 * on from a request nor taken over from an answer. Name in lower case.
 */
extern bool laras_http_is_hop_by_hop(const char *name);

#endif /* LARAS_HTTP_REQUEST_H */
