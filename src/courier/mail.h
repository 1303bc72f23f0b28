/*
 * mail.h
 *		What is different where a request of http.h goes to a mail server.
 *
 * libcurl connects, turns to TLS and logs in, under its multi handle like any
 * request; then it lends the connection, over which mail.c says the rest. (It
 * could say that too, but waits for the reply to a mail where it stands, and
 * every other request of the process with it.)
 *
 * For http.c alone. Nothing here raises or pallocs.
 */
#ifndef LARAS_COURIER_MAIL_H
#define LARAS_COURIER_MAIL_H

#include "channel/send.h"
#include "courier/http.h"

#include <curl/curl.h>

#define LARAS_MAIL_SOCKETS 4
#define LARAS_MAIL_REPLY 1024

typedef enum LarasMailPhase
{
	LARAS_MAIL_LOGIN, /* libcurl's */
	LARAS_MAIL_SENDER,
	LARAS_MAIL_RECIPIENT,
	LARAS_MAIL_DATA,
	LARAS_MAIL_BODY,
	LARAS_MAIL_OVER
} LarasMailPhase;

typedef struct LarasMail
{
	LarasEnvelope envelope;
	LarasMailPhase phase;
	int sockets[LARAS_MAIL_SOCKETS]; /* open ones; -1: none */
	char *out;                       /* what is being sent; the mail itself, or a command */
	size_t out_n;
	size_t out_at;
	char *body; /* the mail as it goes over the wire, until it is sent */
	size_t body_n;
	bool ended;                   /* some of the mail's last bytes may have left */
	int code;                     /* of the last reply; 0: none */
	char reply[LARAS_MAIL_REPLY]; /* its text, of all its lines */
	size_t reply_n;
	bool reply_open;             /* more lines of it follow */
	char line[LARAS_MAIL_REPLY]; /* what has come of a line */
	size_t line_n;
	bool broken; /* the connection is */
} LarasMail;

/* What the connection waits for. */
typedef enum LarasMailWant
{
	LARAS_MAIL_READ,
	LARAS_MAIL_WRITE,
	LARAS_MAIL_NOTHING /* it is over */
} LarasMailWant;

/* mail may be NULL: only the log-in is tried. NULL when memory is short. */
extern LarasMail *laras_mail_new(const LarasEnvelope *envelope, const char *mail, size_t mail_n);
extern void laras_mail_forget(LarasMail *mail);

/*
 * Tell a new handle. Without TLS only where plain says so, which is for a
 * stand-in on this machine. libcurl copies the password.
 */
extern bool laras_mail_configure(LarasMail *mail, CURL *easy, const char *url, bool plain,
								 const char *password);

/* The log-in is over: the socket that is lent, or -1 where nothing is to be said over it. */
extern int laras_mail_begin(LarasMail *mail, CURL *easy);

/*
 * Go on: send and read as much as goes without waiting. may_go is asked before
 * bytes leave; false ends it.
 */
extern LarasMailWant
laras_mail_go_on(LarasMail *mail, CURL *easy, bool (*may_go)(void *owner), void *owner);

/* Nothing is waited for any more: libcurl's QUIT will not be either. */
extern void laras_mail_hang_up(LarasMail *mail);

/* The end of a call: what is certain of it, and the reply's code. */
extern LarasHttpEnd laras_mail_end(const LarasMail *mail, CURLcode code, int *status);

#endif /* LARAS_COURIER_MAIL_H */
