/*
 * request.c
 *		laras.http_request: find the route, see who asks, run the handler.
 *
 * A handler runs in a subtransaction. What it raises is rolled back and
 * answered by a status and a word; message, detail and hint of an error go out
 * where laras wrote them for callers. Of the server's own errors no detail or
 * hint does, and no message that may quote data.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/contain.h"
#include "base/errors.h"
#include "base/hex.h"
#include "base/json_owner.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "gateway/gateway.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "vault/vault.h"
#include "worker/installation.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_http_request);

#define COOKIE "laras_session="

/* ---------------------------------------------------------------- helpers */

LarasText
laras_http_header(const LarasHttp *h, const char *name)
{
	LarasText absent = {NULL, 0};

	for (int i = 0; i + 1 < h->header_count; i += 2)
		if (laras_text_is(h->headers[i], name))
			return h->headers[i + 1];
	return absent;
}

/* Decode %XX and +; absent when malformed or holding a zero byte. */
static LarasText
decoded(const char *s, size_t n)
{
	LarasText t = {NULL, 0};
	char *out = palloc(n + 1);
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
	{
		char c = s[i];

		if (c == '+')
			c = ' ';
		else if (c == '%')
		{
			int high = i + 2 < n ? laras_hex_digit(s[i + 1]) : -1;
			int low = i + 2 < n ? laras_hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				return t;
			c = (char) (high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return t;
		out[at++] = c;
	}
	out[at] = '\0';
	t.s = out;
	t.n = at;
	return t;
}

LarasText
laras_http_parameter(LarasText form, const char *name)
{
	LarasText absent = {NULL, 0};
	size_t at = 0;
	size_t length = strlen(name);

	while (form.s != NULL && at < form.n)
	{
		const char *start = form.s + at;
		const char *end = memchr(start, '&', form.n - at);
		size_t n = end ? (size_t) (end - start) : form.n - at;

		if (n > length && memcmp(start, name, length) == 0 && start[length] == '=')
			return decoded(start + length + 1, n - length - 1);
		at += n + 1;
	}
	return absent;
}

void
laras_http_add_header(LarasHttp *h, const char *name, const char *value)
{
	if (h->answer_header_count + 2 > 2 * LARAS_HTTP_MAX_HEADERS)
		elog(ERROR, "too many headers in an answer");
	h->answer_headers[h->answer_header_count++] = MemoryContextStrdup(h->memory, name);
	h->answer_headers[h->answer_header_count++] = MemoryContextStrdup(h->memory, value);
}

void
laras_http_bytes(LarasHttp *h, int status, const char *content_type, const void *bytes, size_t n)
{
	h->status = status;
	laras_http_add_header(h, "content-type", content_type);
	laras_http_add_header(h, "cache-control", "no-store");
	laras_http_add_header(h, "x-content-type-options", "nosniff");
	h->answer = MemoryContextAlloc(h->memory, n + 1);
	memcpy(h->answer, bytes, n);
	h->answer_n = n;
}

void
laras_http_text(LarasHttp *h, int status, const char *content_type, const char *text)
{
	laras_http_bytes(h, status, content_type, text, strlen(text));
}

void
laras_http_json(LarasHttp *h, int status, json_t *document)
{
	char *text = laras_json_text_of(laras_json_own(document), NULL);

	laras_json_shorten_reals(text);
	laras_http_text(h, status, "application/json", text);
}

/* detail, hint: NULL where there is none */
static void
answer_error(LarasHttp *h, int status, const char *code, const char *message, const char *detail,
			 const char *hint)
{
	if (h->page)
		laras_http_notice(h, status, "Not connected", message, hint);
	else
		laras_http_json(h, status,
						json_pack("{s:{s:s, s:s, s:s*, s:s*}}", "error", "code", code, "message",
								  message, "detail", detail, "hint", hint));
}

void
laras_http_error(LarasHttp *h, int status, const char *code, const char *message)
{
	answer_error(h, status, code, message, NULL, NULL);
}

void
laras_http_refuse(LarasHttp *h, int status, const char *code, const char *message, const char *hint)
{
	answer_error(h, status, code, message, NULL, hint);
}

void
laras_http_outcome(LarasHttp *h, int status, const char *word, const char *message)
{
	if (status >= 400)
		laras_http_error(h, status, word, message);
	else if (h->page)
		laras_http_notice(h, status, strcmp(word, "connected") == 0 ? "Connected" : "Not connected",
						  message, NULL);
	else
		laras_http_json(h, status, json_pack("{s:s, s:s}", "state", word, "message", message));
}

bool
laras_http_wants_html(const LarasHttp *h)
{
	LarasText accept = laras_http_header(h, "accept");

	for (size_t i = 0; accept.s != NULL && i + 9 <= accept.n; i++)
		if (memcmp(accept.s + i, "text/html", 9) == 0)
			return true;
	return false;
}

/* ----------------------------------------------------------------- routing */

/* Does a path match a pattern? {} matches one segment that is not empty. */
static bool
matches(const char *pattern, LarasText path, LarasText *captures)
{
	size_t at = 0;
	int n = 0;

	while (*pattern != '\0')
	{
		if (pattern[0] == '{' && pattern[1] == '}')
		{
			size_t start = at;

			while (at < path.n && path.s[at] != '/')
				at++;
			if (at == start)
				return false;
			captures[n].s = path.s + start;
			captures[n++].n = at - start;
			pattern += 2;
		}
		else if (at < path.n && path.s[at] == *pattern)
		{
			at++;
			pattern++;
		}
		else
			return false;
	}
	return at == path.n;
}

/* The session token of the cookie header, absent if there is none. */
static LarasText
cookie_of(LarasText header)
{
	LarasText token = {NULL, 0};

	for (size_t i = 0; header.s != NULL && i + strlen(COOKIE) <= header.n; i++)
		if ((i == 0 || header.s[i - 1] == ' ' || header.s[i - 1] == ';') &&
			memcmp(header.s + i, COOKIE, strlen(COOKIE)) == 0)
		{
			const char *start = header.s + i + strlen(COOKIE);
			const char *end = memchr(start, ';', header.n - (start - header.s));

			token.s = start;
			token.n = end ? (size_t) (end - start) : header.n - (size_t) (start - header.s);
			return token;
		}
	return token;
}

/* Bind the transaction for a route that asks for it. False: answered. */
static bool
authenticate(LarasHttp *h)
{
	LarasText bearer = laras_http_header(h, "authorization");
	LarasText token = cookie_of(laras_http_header(h, "cookie"));

	if (bearer.s != NULL && bearer.n > 7 && memcmp(bearer.s, "Bearer ", 7) == 0)
	{
		token.s = bearer.s + 7;
		token.n = bearer.n - 7;
	}
	else if (token.s != NULL && !laras_text_is(h->method, "GET") &&
			 laras_http_header(h, "x-laras-csrf").n == 0)
	{
		laras_http_error(h, 403, "csrf",
						 "requests that change something need the header X-Laras-CSRF");
		return false;
	}
	if (token.s == NULL || !laras_enter_token(token.s, token.n))
	{
		laras_http_error(h, 401, "not_signed_in", "sign in first");
		return false;
	}
	return true;
}

static void
dispatch(LarasHttp *h)
{
	bool path_known = false;
	bool head = laras_text_is(h->method, "HEAD");
	bool closed = laras_resume_needed();

	for (const LarasRoute *r = laras_routes; r->method != NULL; r++)
	{
		memset(h->capture, 0, sizeof(h->capture));
		if (!matches(r->pattern, h->path, h->capture))
			continue;
		path_known = true;
		if (closed && r->handler != laras_http_health && r->handler != laras_http_metrics)
			ereport(ERROR, (errcode(LARAS_ERRCODE_VAULT_CLOSED),
							errmsg("the database was restored and is not resumed")));
		if (!laras_text_is(h->method, r->method) && !(head && strcmp(r->method, "GET") == 0))
			continue;
		h->page = r->visited && laras_http_wants_html(h);
		if (r->auth == LARAS_HTTP_MEMBER && !authenticate(h))
			return;
		if (!laras_http_fits(h, r))
			return;
		r->handler(h);
		return;
	}
	if (path_known)
		laras_http_error(h, 405, "method_not_allowed", "this path does not take that method");
	else
		laras_http_error(h, 404, "not_found", "there is nothing at this path");
}

/* ------------------------------------------------------------------ errors */

/* The HTTP status of an error, and whether its message was written for callers. */
static int
status_of(int sqlstate, bool *speak)
{
	*speak = true;
	switch (sqlstate)
	{
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return 403;
		case ERRCODE_NO_DATA_FOUND:
		case ERRCODE_UNDEFINED_OBJECT:
			return 404;
		case ERRCODE_UNIQUE_VIOLATION:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_DUPLICATE_OBJECT:
		case LARAS_ERRCODE_DRAFT_STALE:
		case LARAS_ERRCODE_DRAFT_CLOSED:
			return 409;
		case ERRCODE_INVALID_PASSWORD:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
			return 401;
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			return 422;
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return 413;
	}
	if (ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION))
		return 422;
	*speak = false;
	if (sqlstate == LARAS_ERRCODE_VAULT_CLOSED || sqlstate == LARAS_ERRCODE_WRONG_MASTER_KEY ||
		sqlstate == LARAS_ERRCODE_KEYRING_FOREIGN || sqlstate == LARAS_ERRCODE_KEYRING_OLD ||
		sqlstate == LARAS_ERRCODE_NO_SLOT || sqlstate == LARAS_ERRCODE_KEY_FILE_UNSAFE ||
		sqlstate == LARAS_ERRCODE_MIRROR_UNWRITABLE || sqlstate == LARAS_ERRCODE_CLASSIFIER_OFF ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK))
		return 503;
	return 500;
}

static void
dispatch_contained(void *h)
{
	dispatch(h);
}

/* What is said of an error whose own message is not. */
static const char *
words_for(int status)
{
	switch (status)
	{
		case 409:
			return "it contradicts what is there";
		case 422:
			return "a value will not do";
		case 404:
			return "there is nothing of that kind";
		case 503:
			return "not available now, try again";
	}
	return "internal error";
}

static void
run(LarasHttp *h)
{
	ErrorData *error = laras_contain(dispatch_contained, h, laras_no_wish_to_stop);
	bool speak;
	bool own;
	int status;

	if (error == NULL)
		return;
	status = status_of(error->sqlerrcode, &speak);
	own = speak && laras_error_is_own(error);
	h->answer_header_count = 0;
	if (status >= 500)
	{
		ereport(LOG,
				(errcode(error->sqlerrcode), errmsg("a request could not be answered"),
				 errdetail("The error was SQLSTATE %s.", unpack_sql_state(error->sqlerrcode))));
		if (status == 503)
			laras_http_add_header(h, "retry-after", "5");
	}
	answer_error(h, status, unpack_sql_state(error->sqlerrcode),
				 speak && !laras_error_may_quote_data(error) ? error->message : words_for(status),
				 own ? error->detail : NULL, own ? error->hint : NULL);
}

/* ------------------------------------------------------------------- entry */

static LarasText
text_of(FunctionCallInfo fcinfo, int argument)
{
	LarasText t = {NULL, 0};

	if (!PG_ARGISNULL(argument))
	{
		struct varlena *v = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument));

		t.s = VARDATA_ANY(v);
		t.n = VARSIZE_ANY_EXHDR(v);
	}
	return t;
}

/* status, headers and body as the record that both functions return */
Datum
laras_http_answer(FunctionCallInfo fcinfo, const LarasHttp *h)
{
	TupleDesc desc;
	Datum values[3];
	bool nulls[3] = {false, false, false};
	Datum headers[2 * LARAS_HTTP_MAX_HEADERS];
	bytea *body = palloc(VARHDRSZ + h->answer_n);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < h->answer_header_count; i++)
		headers[i] = CStringGetTextDatum(h->answer_headers[i]);
	SET_VARSIZE(body, VARHDRSZ + h->answer_n);
	if (h->answer_n > 0)
		memcpy(VARDATA(body), h->answer, h->answer_n);
	values[0] = Int32GetDatum(h->status);
	values[1] = PointerGetDatum(
		construct_array(headers, h->answer_header_count, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(body);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * laras.http_request(method text, path text, query text, headers text[],
 *		body bytea, peer inet) returns (status int, headers text[], body bytea)
 */
Datum
laras_http_request(PG_FUNCTION_ARGS)
{
	LarasHttp h;
	LarasText *headers = NULL;

	laras_require_preload();
	memset(&h, 0, sizeof(h));
	h.memory = CurrentMemoryContext;
	h.method = text_of(fcinfo, 0);
	h.path = text_of(fcinfo, 1);
	h.query = text_of(fcinfo, 2);
	h.body = text_of(fcinfo, 4);
	if (!PG_ARGISNULL(3))
	{
		ArrayType *array = PG_GETARG_ARRAYTYPE_P(3);
		Datum *values;
		bool *nulls;
		int n;

		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
		if (n % 2 != 0)
			ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
							errmsg("headers must be names and values in turn")));
		headers = palloc0(sizeof(LarasText) * (n + 1));
		for (int i = 0; i < n; i++)
			if (!nulls[i])
			{
				text *t = DatumGetTextPP(values[i]);

				headers[i].s = VARDATA_ANY(t);
				headers[i].n = VARSIZE_ANY_EXHDR(t);
			}
		h.headers = headers;
		h.header_count = n;
	}
	if (!PG_ARGISNULL(5))
		h.peer = PG_GETARG_INET_PP(5);
	if (h.method.s == NULL || h.path.s == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("method and path must not be null")));
	run(&h);
	return laras_http_answer(fcinfo, &h);
}
