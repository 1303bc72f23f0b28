/*
 * media.c
 *		The bytes of media over HTTP.
 *
 * They come from strangers. Whatever a browser does with an answer, it must not
 * run it as a page of this origin: the type is one of a few that are pictures,
 * sound, films or a plain document, or no type at all; nobody may guess another;
 * it is to be saved and not shown; and shown all the same, it may do nothing.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "media/give.h"
#include "media/link.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "vault/crypto.h"
#include "vault/vault.h"

/* of a range at most; who asks for more gets the first of it (RFC 9110, 15.3.7) and asks on */
#define RANGE_BYTES (INT64CONST(4) * 1024 * 1024)
/* without a range; what is longer is asked for in ranges */
#define WHOLE_BYTES (INT64CONST(16) * 1024 * 1024)

LARAS_PLAN(
	find_media,
	"SELECT a.id, a.kind, a.state, a.reason, a.mime_type, a.filename, a.size::pg_catalog.int4 FROM laras.attachments a "
	"WHERE a.message_id OPERATOR(pg_catalog.=) $1 ORDER BY a.id LIMIT 100",
	INT8OID);

LARAS_PLAN(find_message,
		   "SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND m.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* of a connection that stands, and not settled as refused or withdrawn */
LARAS_PLAN(
	find_queued,
	"SELECT 1 FROM laras.outbox o JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) o.connection_id WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND o.message_id OPERATOR(pg_catalog.=) $2 AND o.kind OPERATOR(pg_catalog.=) 'media' "
	"AND o.state OPERATOR(pg_catalog.=) ANY ('{sending,sent,uncertain}'::pg_catalog.text[]) "
	"AND c.state OPERATOR(pg_catalog.=) 'connected'",
	INT8OID, INT8OID);

static const char *const plain_types[] = {"image/jpeg",      "image/png",  "image/gif",
										  "image/webp",      "audio/aac",  "audio/amr",
										  "audio/mpeg",      "audio/mp4",  "audio/ogg",
										  "audio/wav",       "video/mp4",  "video/3gpp",
										  "video/ogg",       "video/webm", "video/quicktime",
										  "application/pdf", NULL};

/* The type that an answer states: of what was said, what stands before its parameters, or none. */
static const char *
type_of(const char *mime)
{
	size_t n = mime == NULL ? 0 : strcspn(mime, "; ");

	for (int i = 0; n > 0 && plain_types[i] != NULL; i++)
		if (strlen(plain_types[i]) == n && pg_strncasecmp(plain_types[i], mime, n) == 0)
			return plain_types[i];
	return "application/octet-stream";
}

/* attachment, and what the file is to be called (RFC 6266, RFC 8187). */
static char *
disposition(const LarasMedia *media)
{
	static const char digits[] = "0123456789ABCDEF";
	StringInfoData s;

	initStringInfo(&s);
	if (media->filename == NULL || media->filename[0] == '\0')
	{
		appendStringInfo(&s, "attachment; filename=\"%s-" INT64_FORMAT "\"", media->kind,
						 media->id);
		return s.data;
	}
	appendStringInfoString(&s, "attachment; filename*=UTF-8''");
	for (const unsigned char *p = (const unsigned char *) media->filename; *p != '\0'; p++)
	{
		if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			*p == '.' || *p == '-' || *p == '_')
			appendStringInfoChar(&s, (char) *p);
		else
		{
			appendStringInfoChar(&s, '%');
			appendStringInfoChar(&s, digits[*p >> 4]);
			appendStringInfoChar(&s, digits[*p & 15]);
		}
	}
	return s.data;
}

/* Digits up to anything else; false where there are none, or too many. */
static bool
read_number(const char **at, const char *end, int64 *number)
{
	const char *start = *at;

	*number = 0;
	while (*at < end && **at >= '0' && **at <= '9' && *at - start < 18)
		*number = *number * 10 + (*(*at)++ - '0');
	return *at > start;
}

typedef enum Range
{
	RANGE_NONE, /* none was asked for, or nothing that is understood */
	RANGE_GOOD,
	RANGE_BAD /* it lies outside */
} Range;

/* One range of bytes; several at once are not given, which means: the whole. */
static Range
read_range(LarasText header, int64 size, int64 *first, int64 *n)
{
	const char *at = header.s;
	const char *end = at + header.n;
	int64 last;

	if (header.s == NULL || header.n < 7 || memcmp(at, "bytes=", 6) != 0)
		return RANGE_NONE;
	at += 6;
	if (*at == '-')
	{
		at++;
		if (!read_number(&at, end, n) || at != end)
			return RANGE_NONE;
		*n = Min(*n, size);
		*first = size - *n;
		return *n == 0 ? RANGE_BAD : RANGE_GOOD;
	}
	if (!read_number(&at, end, first) || at == end || *at++ != '-')
		return RANGE_NONE;
	if (at == end)
		last = size - 1;
	else if (!read_number(&at, end, &last) || at != end || last < *first)
		return RANGE_NONE;
	if (*first >= size)
		return RANGE_BAD;
	*n = Min(last, size - 1) - *first + 1;
	return RANGE_GOOD;
}

/* What a browser may do with it: nothing. */
static void
answer_bytes(LarasHttp *h, int status, const LarasMedia *media, int64 first, const char *bytes,
			 int64 n)
{
	laras_http_bytes(h, status, type_of(media->mime), bytes, (size_t) n);
	laras_http_add_header(h, "content-disposition", disposition(media));
	laras_http_add_header(h, "content-security-policy", "default-src 'none'; sandbox");
	laras_http_add_header(h, "cross-origin-resource-policy", "same-origin");
	laras_http_add_header(h, "accept-ranges", "bytes");
	if (status == 206)
		laras_http_add_header(h, "content-range",
							  psprintf("bytes " INT64_FORMAT "-" INT64_FORMAT "/" INT64_FORMAT,
									   first, first + n - 1, media->size));
}

/* A range, or the whole where it is not longer than that. Inside SPI. */
static void
give_media(LarasHttp *h, const LarasMedia *media, int64 whole)
{
	int64 first = 0;
	int64 n = media->size;
	int64 got;
	Range range = read_range(laras_http_header(h, "range"), media->size, &first, &n);
	char *bytes;

	if (range == RANGE_BAD)
	{
		laras_http_error(h, 416, "out_of_range", "the media is not as long as that");
		laras_http_add_header(h, "content-range", psprintf("bytes */" INT64_FORMAT, media->size));
		return;
	}
	if (range == RANGE_NONE)
	{
		first = 0;
		n = media->size;
	}
	if (range == RANGE_NONE && n > whole)
	{
		laras_http_error(h, 413, "too_long", "ask for it in ranges of bytes");
		laras_http_add_header(h, "accept-ranges", "bytes");
		return;
	}
	bytes = laras_media_bytes(media, first, range == RANGE_GOOD ? Min(n, RANGE_BYTES) : n, &got);
	if (bytes == NULL)
	{
		laras_http_error(h, 410, "erased", "the media was erased");
		return;
	}
	answer_bytes(h, range == RANGE_GOOD ? 206 : 200, media, first, bytes, got);
	laras_wipe(bytes, (size_t) got);
}

void
laras_http_media(LarasHttp *h)
{
	LarasMedia media;
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	if (!laras_http_id(h->capture[0], &id) ||
		!laras_media_load(laras_bound_workspace(), id, &media))
		laras_http_error(h, 404, "not_found", "no such media");
	else if (strcmp(media.state, "stored") != 0)
		laras_http_error(h, 409, media.state, "its bytes are not stored");
	else
		give_media(h, &media, WHOLE_BYTES);
	laras_spi_close();
}

void
laras_http_message_media(LarasHttp *h)
{
	json_t *list = laras_json_own(json_array());
	uint64 found;
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	if (!laras_http_id(h->capture[0], &id) ||
		laras_spi_read(&find_message,
					   (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(id)},
					   NULL) == 0)
	{
		laras_spi_close();
		laras_http_error(h, 404, "not_found", "no such message");
		return;
	}
	found = laras_spi_read(&find_media, (Datum[]){Int64GetDatum(id)}, NULL);
	for (uint64 i = 0; i < found; i++)
		json_array_append(list, laras_http_row(i));
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O}", "media", list));
}

/*
 * POST /api/conversations/{}/media: the body is the file as it is, content-type
 * its type, and the parameter filename what it is called.
 */
void
laras_http_upload_media(LarasHttp *h)
{
	LarasText type = laras_http_header(h, "content-type");
	LarasText name = laras_http_parameter(h->query, "filename");
	int64 conversation_id;
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	if (!laras_http_id(h->capture[0], &conversation_id))
	{
		laras_http_error(h, 404, "not_found", "no such conversation");
		return;
	}
	if (type.s == NULL || h->body.s == NULL)
	{
		laras_http_error(h, 422, "incomplete", "the file is needed, as body, and its type");
		return;
	}
	id = laras_media_give(conversation_id, h->body, type, name);
	laras_http_json(h, 201, json_pack("{s:o}", "media_id", json_sprintf(INT64_FORMAT, id)));
}

/* What a link leads to: media of a message that waits to be delivered. */
static bool
find_linked(LarasHttp *h, int64 workspace_id, int64 media_id, LarasMedia *media)
{
	return laras_media_load(workspace_id, media_id, media) && strcmp(media->state, "stored") == 0 &&
		   media->message_id != 0 &&
		   laras_spi_read(&find_queued,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media->message_id)},
						  NULL) > 0;
}

/* GET /media/{}: a provider fetches what it is to deliver. */
void
laras_http_linked_media(LarasHttp *h)
{
	static const LarasPrincipal service = {.kind = LARAS_PRINCIPAL_SERVICE,
										   .scopes = LARAS_SCOPE_INBOX};
	LarasMedia media;
	int64 workspace_id;
	int64 media_id;
	int level;

	if (!laras_media_ticket(h->capture[0], &workspace_id, &media_id))
	{
		laras_http_error(h, 404, "not_found", "no such link, or it has ended");
		return;
	}
	level = laras_bind_scope_begin(workspace_id, &service);
	laras_spi_open();
	if (find_linked(h, workspace_id, media_id, &media))
		give_media(h, &media, LARAS_MEDIA_MOST);
	else
		laras_http_error(h, 404, "not_found", "no such link, or it has ended");
	laras_spi_close();
	laras_bind_scope_end(level);
}
