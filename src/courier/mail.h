/*
 * mail.h
 *		What is different where a request of http.h goes to a mail server: how
 *		libcurl is told, and what the end of it means.
 *
 * For http.c alone. Nothing here raises or pallocs.
 */
#ifndef LARAS_COURIER_MAIL_H
#define LARAS_COURIER_MAIL_H

#include "channel/send.h"
#include "courier/http.h"

#include <curl/curl.h>

#define LARAS_MAIL_SOCKETS 4

typedef struct LarasMail
{
	LarasEnvelope envelope;
	struct curl_slist *recipients;
	int sockets[LARAS_MAIL_SOCKETS]; /* open ones; -1: none */
	bool commanded;                  /* what we came for has begun: the log-in is over */
	bool ended;                      /* the last byte of the mail was given to libcurl */
	bool answered;                   /* a reply came after that */
	int code;                        /* of the last reply; 0: none */
	char reply[1024];                /* its text */
	size_t reply_n;
	bool reply_open; /* more lines of it follow */
} LarasMail;

/* Zero-filled; NULL when memory is short. */
extern LarasMail *laras_mail_new(const LarasEnvelope *envelope);
extern void laras_mail_forget(LarasMail *mail);

/*
 * Tell a new handle. Without TLS only where plain says so, which is for a
 * stand-in on this machine. libcurl copies the password.
 */
extern bool laras_mail_configure(LarasMail *mail, CURL *easy, const char *url, bool plain,
								 const char *password, size_t mail_n);

/* The end of a call: what is certain of it, and the reply's code. */
extern LarasHttpEnd laras_mail_end(const LarasMail *mail, CURLcode code, int *status);

#endif /* LARAS_COURIER_MAIL_H */
