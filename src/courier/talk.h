/*
 * talk.h
 *		What http.c, call.c, body.c and talk.c share: the inside of a call, and
 *		mails whose log-in is over.
 *
 * For these alone.
 */
#ifndef LARAS_COURIER_TALK_H
#define LARAS_COURIER_TALK_H

#include "courier/mail.h"

#include <signal.h>

struct LarasHttpState
{
	CURL *easy;
	bool pooled; /* configured as all POSTs are: may be used again */
	struct curl_slist *headers;
	char *request;
	size_t request_n;
	size_t request_at;
	size_t room;
	bool too_large;
	LarasMail *mail; /* NULL: it is HTTP */
	int socket;      /* that libcurl lends for it */
	int64_t until_ms;
	LarasHttpCall *next;
	size_t part;             /* the answer comes in parts of so many bytes; 0: whole */
	uint64_t most;           /* bytes of it in all */
	uint64_t taken;          /* given away as parts so far */
	bool paused;             /* nothing is read until the part is taken */
	LarasHttpCall *in_parts; /* the next of those calls */
};

/* libcurl may start a thread, which is to hear no signal. */
extern void laras_http_block_signals(sigset_t *saved);
extern void laras_http_restore_signals(const sigset_t *saved);

/*
 * A call that is made waits for a connection or has one; false: neither, when
 * memory is short. Signals are blocked. Then, once nothing more can fail, it counts.
 */
extern bool laras_http_begin(LarasHttpCall *call);
extern void laras_http_begun(void);

/* What the guard says of an owner. */
extern bool laras_http_may_go(void *owner);

/* The call is over, as libcurl says. */
extern void laras_http_settle(LarasHttpCall *call, CURLcode code);

/* libcurl has logged in: what follows is said over its connection, or the call is settled. */
extern void laras_talk_begin(LarasHttpCall *call, int epoll);

/* Something happened on that socket: is it a mail's? Then it goes on. */
extern bool laras_talk_over(int fd);

/* Mails whose time is over end as they stand. False: there was none. */
extern bool laras_talk_end_late(void);

/* The earlier of that moment (-1: none) and the end of the next mail's time. */
extern int64_t laras_talk_until(int64_t until);

/* What the mail server said becomes the answer. */
extern void laras_talk_settle(LarasHttpCall *call, CURLcode code);

#endif /* LARAS_COURIER_TALK_H */
