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
#include "base/spi.h"
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
	json_t *document; /* the body as the JSON object that the route takes; NULL: there is none */
	LarasText capture[LARAS_HTTP_MAX_CAPTURES]; /* of the route's pattern */
	int header_count;                           /* names and values in turn */
	const LarasText *headers;
	bool page;        /* it is a person's browser that asks: by HTML, not by JSON */
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

/* what a route's body is */
typedef enum LarasHttpBody
{
	LARAS_BODY_OBJECT,         /* a JSON object of the route's members, or nothing */
	LARAS_BODY_PIECES,         /* such an object; anything else is no request (400) */
	LARAS_BODY_OBJECT_OR_CSV,  /* such an object, or text/csv */
	LARAS_BODY_OBJECT_OR_FORM, /* such an object, or a form */
	LARAS_BODY_RAW             /* what the handler reads by itself, or nothing that is read */
} LarasHttpBody;

typedef struct LarasRoute
{
	const char *method;
	const char *pattern; /* segments; {} captures one */
	LarasHttpAuth auth;
	LarasHttpHandler handler;
	/* the parameters of the query; NULL: whatever others append to the address */
	const char *query;
	LarasHttpBody body;
	/* "name:type ...": s a text, b true or false, a an array, o an object, l a list or its text */
	const char *members;
	bool visited; /* a person's browser is sent here: answered by a page where it wants one */
} LarasRoute;

/* The value of a request header (name in lower case); absent if there is none. */
extern LarasText laras_http_header(const LarasHttp *h, const char *name);

/* A decoded parameter of a query or form; palloc'd and zero-terminated, absent if not there or malformed. */
extern LarasText laras_http_parameter(LarasText form, const char *name);

/*
 * Are query and body what the route takes (strict.c)? False: answered. h->document
 * is the body's object from then on.
 */
extern bool laras_http_fits(LarasHttp *h, const LarasRoute *route);

/* Is a parameter's value, where it is given, a channel, one of these words? False: answered. */
extern bool laras_http_known_channel(LarasHttp *h, LarasText channel);
extern bool
laras_http_known_word(LarasHttp *h, LarasText word, const char *what, const char *words);

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
/* Bytes of that type, copied. */
extern void
laras_http_bytes(LarasHttp *h, int status, const char *content_type, const void *bytes, size_t n);
extern void laras_http_error(LarasHttp *h, int status, const char *code, const char *message);
extern void laras_http_refuse(LarasHttp *h, int status, const char *code, const char *message,
							  const char *hint);
/* How an attempt ended, in a word and a sentence of the house: an error from 400 on, a page where h->page. */
extern void laras_http_outcome(LarasHttp *h, int status, const char *word, const char *message);
extern void laras_http_add_header(LarasHttp *h, const char *name, const char *value);

/* An id of a path or a body: a positive number of at most 63 bits. */
extern bool laras_http_id(LarasText t, int64 *id);

/* the part of a list that is asked for: by ?after= and ?limit= */
typedef struct LarasPage
{
	int64 at; /* rows beyond this time, or of it beyond this id: in the list's order */
	int64 id;
	int limit; /* ask for one more, which tells whether there is another page */
} LarasPage;

/* False: the parameters are none, and that was answered. */
extern bool laras_http_page(LarasHttp *h, bool newest_first, LarasPage *page);

/*
 * Answer by rows of the last result, inside SPI. A row is an object with a member
 * for each column under its name: a bigint as a string, a time, a list of words,
 * jsonb as it is. In a list, column 1 is the id and 2 the time by which it is
 * ordered.
 */
extern json_t *laras_http_row(uint64 row);
extern void laras_http_rows(LarasHttp *h, const char *name, uint64 found, const LarasPage *page);
extern void laras_http_found(LarasHttp *h, uint64 found, const char *what);

/* A whole list: the plan takes the page's time, its id, and how many rows. */
extern void
laras_http_list(LarasHttp *h, LarasPlan *plan, uint32 scope, bool newest_first, const char *name);

/* Answer that data are erased: the code, and where what became of it is seen. */
extern void laras_http_confirmation(LarasHttp *h, const char *code);

/*
 * What http_continue is given for a request that waits for the courier: the
 * workspace, the task's ticket, and whether a page is wanted. Nobody else reads it.
 */
#define LARAS_TICKET_BYTES (8 + 32 + 1)

/* A page that says one thing; the texts are escaped. */
extern void laras_http_notice(LarasHttp *h, int status, const char *heading, const char *text,
							  const char *more);

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
extern void laras_http_auto_send(LarasHttp *h);
extern void laras_http_message(LarasHttp *h);
extern void laras_http_cancel_message(LarasHttp *h);
extern void laras_http_settle_message(LarasHttp *h);
extern void laras_http_conversations(LarasHttp *h);
extern void laras_http_conversation(LarasHttp *h);
extern void laras_http_messages(LarasHttp *h);
extern void laras_http_reply(LarasHttp *h);
extern void laras_http_private_reply(LarasHttp *h);
extern void laras_http_drafts(LarasHttp *h);
extern void laras_http_draft(LarasHttp *h);
extern void laras_http_approve_draft(LarasHttp *h);
extern void laras_http_reject_draft(LarasHttp *h);
extern void laras_http_request_erasure(LarasHttp *h);
extern void laras_http_erasures(LarasHttp *h);
extern void laras_http_media(LarasHttp *h);
extern void laras_http_message_media(LarasHttp *h);
extern void laras_http_deletion_lists(LarasHttp *h);
extern void laras_http_take_deletion_list(LarasHttp *h);
extern void laras_http_deletion_list(LarasHttp *h);
extern void laras_http_deletion_report(LarasHttp *h);
extern void laras_http_upload_media(LarasHttp *h);
extern void laras_http_linked_media(LarasHttp *h);
extern void laras_http_deauthorize(LarasHttp *h);
extern void laras_http_data_deletion(LarasHttp *h);
extern void laras_http_deletion_page(LarasHttp *h);
extern void laras_http_deletion_status(LarasHttp *h);
extern void laras_http_health(LarasHttp *h);
extern void laras_http_metrics(LarasHttp *h);

#endif /* LARAS_GATEWAY_H */
