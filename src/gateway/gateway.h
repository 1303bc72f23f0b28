/*
 * gateway.h
 *		HTTP requests that the relay passes on, and the answers to them.
 *
 * The relay knows no route and no rule: it hands over method, path, query,
 * headers, body and peer and sends back what it is given. A room that answers
 * requests exports handlers and has a line each in routes.c.
 */
#ifndef LARAS_GATEWAY_H
#define LARAS_GATEWAY_H

#include "base/json.h"
#include "fmgr.h"
#include "utils/inet.h"

/* what the caller of a route must be */
typedef enum LarasHttpAuth
{
	LARAS_HTTP_PUBLIC, /* anybody; the handler checks what it needs */
	LARAS_HTTP_MEMBER  /* a session cookie or a bearer token: bound before the handler runs */
} LarasHttpAuth;

#define LARAS_HTTP_MAX_CAPTURES 2
#define LARAS_HTTP_MAX_HEADERS 8

/*
 * A request and the answer under construction. Texts point into the call's
 * memory and are not zero-terminated unless said. Handlers run in a
 * subtransaction as laras_owner: an error rolls back what they did and becomes
 * an answer (see request.c for the statuses).
 */
typedef struct LarasHttp
{
	/* the request */
	LarasText method;
	LarasText path;
	LarasText query;
	LarasText body;
	LarasText capture[LARAS_HTTP_MAX_CAPTURES]; /* of the route's pattern */
	int header_count;                           /* names and values in turn */
	const LarasText *headers;
	const inet *peer; /* who is at the other end of the relay's connection; NULL: not known */

	/* the answer, in memory of its own: it may be given within SPI and outlives it */
	MemoryContext memory;
	int status;
	int answer_header_count;
	char *answer_headers[2 * LARAS_HTTP_MAX_HEADERS];
	char *answer;
	size_t answer_n;
} LarasHttp;

typedef void (*LarasHttpHandler)(LarasHttp *h);

typedef struct LarasRoute
{
	const char *method;
	const char *pattern; /* segments; {} captures one */
	LarasHttpAuth auth;
	LarasHttpHandler handler;
} LarasRoute;

/* The value of a request header (name in lower case); absent if there is none. */
extern LarasText laras_http_header(const LarasHttp *h, const char *name);

/* A decoded parameter of a query or form; palloc'd and zero-terminated, absent if not there or malformed. */
extern LarasText laras_http_parameter(LarasText form, const char *name);

/* The body as JSON, owned by the call; NULL when it is none. */
extern json_t *laras_http_json_body(const LarasHttp *h);

/*
 * Guessing is limited for each client (limiter.c). wait: seconds until this
 * client may guess again, 0 for now; charge: it guessed, and wrongly. A client
 * whose address is not known is not limited.
 */
extern int laras_limiter_wait(const LarasHttp *h);
extern void laras_limiter_charge(const LarasHttp *h);
extern void laras_limiter_shmem_request(void);
extern void laras_limiter_shmem_startup(void);

/* In _PG_init: the settings of this room. */
extern void laras_gateway_init(void);

/* Answers. A document is taken over. */
extern void laras_http_json(LarasHttp *h, int status, json_t *document);
extern void laras_http_text(LarasHttp *h, int status, const char *content_type, const char *text);
extern void laras_http_error(LarasHttp *h, int status, const char *code, const char *message);
extern void laras_http_add_header(LarasHttp *h, const char *name, const char *value);

/* Does the caller prefer a page to JSON? */
extern bool laras_http_wants_html(const LarasHttp *h);

/* The record that http_request and http_continue return. */
extern Datum laras_http_answer(FunctionCallInfo fcinfo, const LarasHttp *h);

/* the table */
extern const LarasRoute laras_routes[];

/* handlers of this room */
extern void laras_http_handshake(LarasHttp *h);
extern void laras_http_login(LarasHttp *h);
extern void laras_http_logout(LarasHttp *h);
extern void laras_http_integrations(LarasHttp *h);
extern void laras_http_disconnect(LarasHttp *h);
extern void laras_http_terms(LarasHttp *h);
extern void laras_http_accept_terms(LarasHttp *h);
extern void laras_http_configure_channel(LarasHttp *h);
extern void laras_http_webhook_secret(LarasHttp *h);
extern void laras_http_begin_connect(LarasHttp *h);
extern void laras_http_finish_connect(LarasHttp *h);
extern void laras_http_cancel_connect(LarasHttp *h);
extern void laras_http_connect_by_token(LarasHttp *h);
extern void laras_http_connect_callback(LarasHttp *h);
extern void laras_http_message(LarasHttp *h);
extern void laras_http_deauthorize(LarasHttp *h);
extern void laras_http_data_deletion(LarasHttp *h);
extern void laras_http_deletion_page(LarasHttp *h);
extern void laras_http_deletion_status(LarasHttp *h);
extern void laras_http_health(LarasHttp *h);
extern void laras_http_metrics(LarasHttp *h);

#endif /* LARAS_GATEWAY_H */
