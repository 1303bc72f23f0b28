/*
 * http.h
 *		Requests to providers through libcurl multi, behind one epoll
 *		descriptor. Nothing here raises or pallocs: memory is malloc'd, because
 *		a request outlives transactions and memory contexts.
 */
#ifndef LARAS_COURIER_HTTP_H
#define LARAS_COURIER_HTTP_H

#include "courier/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* how far a request got */
/* connections at once; requests beyond wait here for one that is free, and their time has not begun */
#define LARAS_HTTP_CONNECTIONS 256

typedef enum LarasHttpEnd
{
	LARAS_HTTP_ANSWERED, /* an answer arrived whole */
	LARAS_HTTP_NOT_SENT, /* certainly: no byte of the request left */
	LARAS_HTTP_UNKNOWN   /* anything may have happened */
} LarasHttpEnd;

struct LarasEnvelope; /* channel/send.h */

typedef struct LarasHttpCall
{
	/* set by the caller, before laras_http_start; all copied */
	void *owner; /* given back with the call */

	/* set at the end */
	LarasHttpEnd end;
	int curl_code;
	int http_status; /* 0 unless ANSWERED; of a mail the code of the server's reply */
	char *body;      /* answer, zero-terminated; valid until freed */
	size_t body_n;
	const char *name; /* what the caller called a mail; NULL: it is none */
	bool part;        /* not the end: body is a part of the answer (laras_http_with_parts) */
	int64_t length;   /* of the answer, as its head says; -1: nothing is said */
	const char
		*redirect;    /* where the answer sends one, absolute; NULL: nowhere. Never followed here */
	LarasUsage usage; /* what its headers told of the quota */

	struct LarasHttpState *state;
} LarasHttpCall;

/*
 * A file of certificates whose holders may vouch for servers, in place of the
 * system's; NULL or empty: the system's. Not changed while there are calls.
 */
extern char *laras_http_authorities;

/* Once a process; false when libcurl cannot start. */
extern bool laras_http_open(void);
extern void laras_http_close(void);

/* The descriptor to wait on, and ms until libcurl wants to be called (-1: no). */
extern int laras_http_descriptor(void);
extern int laras_http_timeout(void);

/* How long a request may take from now on, in all; those under way keep what they had. */
extern void laras_http_set_timeout(int ms);

/*
 * Begin a request. token (may be NULL) goes into Authorization: Bearer and is
 * wiped from memory when the request ends; where token_at is not 0 it goes into
 * the URL at that place instead, is held to letters, digits and - _ . : ~, and
 * libcurl, which keeps copies of a URL, leaves them where they were. body may be NULL. content_type NULL
 * means application/json. NULL when memory is short or the URL leads to no host
 * of laras.provider_host (egress.h).
 *
 * A request is never repeated by libcurl on its own: the body is read without
 * a way to rewind, so a dead kept-alive connection ends the call as UNKNOWN.
 * Limits: connect 5 s, whole as set, answer 1 MB, no redirects.
 */
extern LarasHttpCall *
laras_http_start(const char *method, const char *url, size_t url_n, const char *content_type,
				 const char *body, size_t body_n, const char *token, size_t token_n,
				 size_t token_at, void *owner);

/*
 * Begin a mail, or the trial of a log-in where the envelope has no recipient. The
 * URL is "smtp://host:port" or "smtps://host:port"; the first becomes TLS by
 * STARTTLS before anything is said, or ends, but for a loopback address in
 * laras.test_mode. The token is the password; mail (may be NULL) has CRLF at its
 * lines' ends. The answer's body is the text of the last reply. In all else like
 * laras_http_start.
 */
extern LarasHttpCall *
laras_http_start_mail(const char *url, size_t url_n, const struct LarasEnvelope *envelope,
					  const char *mail, size_t mail_n, const char *token, size_t token_n,
					  void *owner);

/*
 * A header ("Name: value") that goes with the next call of laras_http_start, and
 * with no other. Copied; one that does not fit is left out, and false is returned.
 */
extern bool laras_http_with_header(const char *header);

/*
 * The next call of laras_http_start, and no other, asks for an answer that may
 * be long: where its status is 200, laras_http_next gives the call back each
 * time that n bytes or a little more have come, as a part, and nothing more is
 * read until laras_http_go_on is told how many of them were taken. What is left
 * at the end comes with the end. Of an answer longer than most bytes, as it
 * says or as it turns out, the call ends UNKNOWN. Instead of the time for the
 * whole it has as much for every moment in which hardly anything comes, and a
 * quarter of an hour.
 */
extern void laras_http_with_parts(size_t n, uint64_t most);
extern void laras_http_go_on(LarasHttpCall *call, size_t taken);

/*
 * The next call of laras_http_start, and no other, connects to a public address
 * or to none (address.h): a name that leads elsewhere ends it as NOT_SENT.
 */
extern void laras_http_with_public(void);

/* Give up a call that was given back as a part. It is freed. */
extern void laras_http_drop(LarasHttpCall *call);

/*
 * Asked for each call when its connection stands and before the first byte of
 * the request: false ends the call as NOT_SENT. Runs in laras_http_drive with
 * signals blocked, inside the fence (fence.h): it may read memory and nothing
 * else.
 */
extern void laras_http_set_guard(bool (*may_go)(void *owner));

/* Let libcurl work; never blocks. */
extern void laras_http_drive(void);

/* The next call that has ended, or NULL. The caller frees it. */
extern LarasHttpCall *laras_http_next(void);
extern void laras_http_free(LarasHttpCall *call);

/*
 * Memory that outlives transactions and contexts, for what travels with a
 * request: zero-filled, NULL when there is none. Given back wiped.
 */
extern void *laras_http_memory(size_t n);
extern void *laras_http_copy(const void *p, size_t n); /* with a terminating zero */
extern void laras_http_give_back(void *p, size_t n);

/*
 * Nothing is in flight: give the system back what malloc keeps free. Requests
 * come and go between pieces that stay, and what lies free between those grows
 * for as long as nobody looks.
 */
extern void laras_http_trim(void);

/* bytes of bodies that calls not yet freed were begun with; of mails, none */
extern int64_t laras_http_held(void);

/* calls begun and not yet returned by laras_http_next */
extern int laras_http_in_flight(void);

/* Has a call ended that laras_http_next has not returned yet? */
extern bool laras_http_has_ended(void);

#endif /* LARAS_COURIER_HTTP_H */
