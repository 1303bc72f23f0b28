/*
 * smtp.c
 *		A mail server that takes mails and delivers none: what it took stands in
 *		the ledger. Here are its sockets: in clear, in clear until STARTTLS, or TLS
 *		from the first byte.
 */
#include "sandbox/smtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/control.h"
#include "sandbox/smtp_internal.h"

#define LONGEST_LINE 4096

/* of so many connections it is kept what was said */
#define KEPT 32

static LarasHttpServer *loop;
static SbMailSession *sessions;
static uint64_t session_count;
static json_t *ended; /* what was said in those that are over, oldest first */

/* ---------- objects ---------- */

/* What was said: the first word of each command, in clear and within TLS. */
static json_t *
said(const SbMailSession *s)
{
	return json_pack("{s:I,s:s,s:s}", "number", (json_int_t) s->number, "clear",
					 s->clear.data ? s->clear.data : "", "secure",
					 s->secure.data ? s->secure.data : "");
}

static void
end_session(SbMailSession *s)
{
	for (SbMailSession **p = &sessions; *p != NULL; p = &(*p)->next)
		if (*p == s)
		{
			*p = s->next;
			break;
		}
	if (ended == NULL)
		ended = json_array();
	json_array_append_new(ended, said(s));
	if (json_array_size(ended) > KEPT)
		json_array_remove(ended, 0);
	sb_timer_cancel(&s->delay);
	if (s->watch != NULL)
		laras_http_unwatch(s->watch);
	if (s->tls != NULL)
		sb_tls_end(s->tls);
	close(s->fd);
	sb_release(&s->in);
	sb_release(&s->out);
	sb_release(&s->mail);
	sb_release(&s->clear);
	sb_release(&s->secure);
	free(s);
}

void
sb_smtp_reset(void)
{
	while (sessions != NULL)
		end_session(sessions);
	json_decref(ended);
	ended = NULL;
	sb_mailboxes_reset();
}

void
sb_list_dialogs(SbCall *call)
{
	static const char *const names[] = {NULL};
	json_t *list;

	if (!sb_only(call, names))
		return;
	list = ended != NULL ? json_copy(ended) : json_array();
	for (const SbMailSession *s = sessions; s != NULL; s = s->next)
		json_array_append_new(list, said(s));
	sb_answer_json(call, 200, json_pack("{s:o}", "dialogs", list));
}

/* ---------- writing ---------- */

static ssize_t
put_bytes(SbMailSession *s)
{
	s->wants = LARAS_HTTP_WRITABLE;
	if (s->tls != NULL)
		return sb_tls_send(s->tls, s->out.data, s->out.len, &s->wants);
	return send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL);
}

/* From here on all is TLS; what was said in clear behind the command counts for nothing. */
static void
turn(SbMailSession *s)
{
	s->turning = false;
	s->tls = sb_tls_begin(s->fd);
	s->closing |= s->tls == NULL;
	sb_clear(&s->in);
	sb_mail_begin(s);
}

static void
write_out(SbMailSession *s)
{
	while (s->out.len > 0 && !s->held)
	{
		ssize_t n = put_bytes(s);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		memmove(s->out.data, s->out.data + n, s->out.len - (size_t) n);
		s->out.len -= (size_t) n;
	}
	if (s->turning && s->out.len == 0)
		turn(s);
	laras_http_rewatch(s->watch, LARAS_HTTP_READABLE | (s->out.len > 0 && !s->held ? s->wants : 0));
}

void
sb_mail_say(SbMailSession *s, const char *line)
{
	sb_adds(&s->out, line);
	sb_adds(&s->out, "\r\n");
}

void
sb_mail_reset(SbMailSession *s)
{
	struct linger hard = {1, 0};

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	s->closing = true;
	s->out.len = 0;
}

static void take_lines(SbMailSession *s);

static void
delay_over(SbTimer *timer)
{
	SbMailSession *s = (SbMailSession *) ((char *) timer - offsetof(SbMailSession, delay));

	s->held = false;
	take_lines(s);
	write_out(s);
	if (s->closing && s->out.len == 0)
		end_session(s);
}

void
sb_mail_hold(SbMailSession *s, int delay_ms)
{
	s->held = true;
	s->delay.real = true;
	s->delay.fire = delay_over;
	sb_timer_set(&s->delay, (int64_t) delay_ms * 1000);
}

/* ---------- reading ---------- */

static void
take_lines(SbMailSession *s)
{
	size_t at = 0;

	while (at < s->in.len && !s->closing && !s->held && !s->turning)
	{
		char *line = s->in.data + at;
		char *end = memchr(line, '\n', s->in.len - at);
		size_t n;

		if (end == NULL)
			break;
		at = (size_t) (end - s->in.data) + 1;
		n = (size_t) (end - line);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		line[n] = '\0';
		sb_mail_line(s, line, n);
	}
	memmove(s->in.data, s->in.data + at, s->in.len - at);
	s->in.len -= at;
	if (s->in.len > (s->phase == PHASE_DATA ? SB_LARGEST_MAIL : LONGEST_LINE))
	{
		sb_mail_say(s, "500 5.5.6 line too long");
		s->closing = true;
	}
}

static void
on_ready(int fd, int ready, void *arg)
{
	SbMailSession *s = arg;
	char buffer[16384];
	int wants;

	(void) fd;
	(void) ready;
	/* TLS may have taken more from the socket than it gave at once, and may have to read to write */
	for (bool more = true; more;)
	{
		ssize_t n = s->tls != NULL ? sb_tls_recv(s->tls, buffer, sizeof(buffer), &wants)
								   : recv(s->fd, buffer, sizeof(buffer), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		{
			end_session(s);
			return;
		}
		if (n > 0)
			sb_add(&s->in, buffer, (size_t) n);
		more = n > 0 && s->tls != NULL;
	}
	take_lines(s);
	write_out(s);
	if (s->closing && s->out.len == 0)
		end_session(s);
}

static void
on_connect(int fd, int ready, void *arg)
{
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	SbMailSession *s;

	(void) ready;
	if (peer < 0)
		return;
	s = sb_alloc(sizeof(SbMailSession));
	s->fd = peer;
	s->number = ++session_count;
	s->watch = laras_http_watch(loop, peer, LARAS_HTTP_READABLE, on_ready, s);
	if (s->watch == NULL)
	{
		close(peer);
		free(s);
		return;
	}
	s->next = sessions;
	sessions = s;
	/* arg: TLS from the first byte */
	if (arg != NULL && (s->tls = sb_tls_begin(peer)) == NULL)
	{
		end_session(s);
		return;
	}
	sb_mail_say(s, "220 sandbox.example ESMTP");
	write_out(s);
}

bool
sb_smtp_listen(LarasHttpServer *server, const char *address, bool secure)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strrchr(address, ':');
	char host[64];
	int listening;
	int on = 1;

	if (colon == NULL || (size_t) (colon - address) >= sizeof(host))
	{
		laras_http_log("no address to listen on for mail: %s", address);
		return false;
	}
	snprintf(host, sizeof(host), "%.*s", (int) (colon - address), address);
	a.sin_port = htons((uint16_t) strtol(colon + 1, NULL, 10));
	loop = server;
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
		(listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0 ||
		setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(listening, (struct sockaddr *) &a, sizeof(a)) != 0 || listen(listening, 64) != 0 ||
		laras_http_watch(server, listening, LARAS_HTTP_READABLE, on_connect,
						 secure ? server : NULL) == NULL)
	{
		laras_http_log("cannot listen on %s: %s", address, strerror(errno));
		return false;
	}
	laras_http_log("listening for mail on %s%s", address,
				   secure ? ", TLS from the first byte" : "");
	return true;
}
