/*
 * http_connection.c
 *		One connection's life: idle, head, body, answer, write, linger.
 *
 * A connection that ends after an answer shuts its write side first and reads
 * on for a moment, because closing with unread input makes the kernel send a
 * reset, which can overtake the answer.
 */
#include "relay/http_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * Buffers larger than this may fill only three quarters of max_bytes, so that
 * a few slow large bodies cannot shut out the small ones.
 */
#define LARGE_BYTES 65536

/* ---- phases and accounts ---- */

static void
list_remove(PhaseList *list, LarasHttpExchange *exchange)
{
	*(exchange->prev ? &exchange->prev->next : &list->first) = exchange->next;
	*(exchange->next ? &exchange->next->prev : &list->last) = exchange->prev;
}

static void
list_append(PhaseList *list, LarasHttpExchange *exchange)
{
	exchange->next = NULL;
	exchange->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = exchange;
	list->last = exchange;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Deadlines that progress moves: body and write. */
static void
progress(LarasHttpExchange *exchange)
{
	const LarasHttpConfig *config = &exchange->server->config;

	if (exchange->phase == PHASE_BODY)
		exchange->deadline =
			earlier(exchange->started + config->total_ms,
					exchange->entered + config->body_ms +
						(int64_t) exchange->reader.body_length * 1000 / config->min_rate);
	else if (exchange->phase == PHASE_WRITE)
		exchange->deadline = earlier(exchange->entered + config->write_total_ms,
									 exchange->entered + config->write_ms +
										 (int64_t) (exchange->out_sent + exchange->body_sent) *
											 1000 / config->min_rate);
}

static void
enter(LarasHttpExchange *exchange, Phase phase)
{
	LarasHttpServer *server = exchange->server;
	const LarasHttpConfig *config = &server->config;

	list_remove(&server->phases[exchange->phase], exchange);
	list_append(&server->phases[phase], exchange);
	exchange->phase = (uint8_t) phase;
	exchange->entered = server->now;
	exchange->deadline = server->now + (phase == PHASE_IDLE   ? config->idle_ms
										: phase == PHASE_HEAD ? config->head_ms
															  : config->linger_ms);
	progress(exchange);
}

/* Brings stats.bytes up to date; false when this connection asks too much. */
static bool
account(LarasHttpExchange *exchange)
{
	LarasHttpStats *stats = &exchange->server->stats;
	size_t most = exchange->server->config.max_bytes;
	size_t bytes = exchange->reader.capacity + exchange->out_length + exchange->body_length;
	bool grew = bytes > exchange->counted;

	stats->bytes += bytes - exchange->counted;
	exchange->counted = bytes;
	return !grew || stats->bytes <= (bytes > LARGE_BYTES ? most / 4 * 3 : most);
}

static void
release_body(LarasHttpExchange *exchange)
{
	if (exchange->release)
		exchange->release(exchange->release_arg);
	exchange->release = NULL;
	exchange->body = NULL;
	exchange->body_length = exchange->body_sent = 0;
	free(exchange->out);
	exchange->out = NULL;
	exchange->out_length = exchange->out_sent = 0;
}

LarasHttpExchange *
laras_http_connection_open(LarasHttpServer *server, int fd)
{
	LarasHttpExchange *exchange = server->free_exchanges;
	struct epoll_event event = {.events = EPOLLIN};

	if (exchange)
		server->free_exchanges = exchange->next;
	else if ((exchange = malloc(sizeof(*exchange))) == NULL)
	{
		close(fd);
		return NULL;
	}
	memset(exchange, 0, offsetof(LarasHttpExchange, reader));
	exchange->item.kind = POLL_CONNECTION;
	exchange->item.fd = fd;
	exchange->server = server;
	exchange->number = server->stats.accepted;
	exchange->started = server->now;
	laras_http_reader_init(&exchange->reader, &server->config.limits);
	event.data.ptr = &exchange->item;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
	{
		close(fd);
		exchange->next = server->free_exchanges;
		server->free_exchanges = exchange;
		return NULL;
	}
	server->stats.connections++;
	exchange->phase = PHASE_IDLE;
	list_append(&server->phases[PHASE_IDLE], exchange);
	enter(exchange, PHASE_HEAD); /* the first request is awaited like a head */
	return exchange;
}

static void
bury(LarasHttpExchange *exchange)
{
	release_body(exchange);
	laras_http_reader_free(&exchange->reader);
	account(exchange);
	enter(exchange, PHASE_DEAD);
	exchange->server->stats.connections--;
}

/*
 * Closes the socket. An exchange that the program still has to answer stays
 * until it does; any other is dead.
 */
void
laras_http_connection_close(LarasHttpExchange *exchange, bool reset)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};

	if (exchange->item.fd >= 0)
	{
		if (reset)
			setsockopt(exchange->item.fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
		close(exchange->item.fd);
		exchange->item.fd = -1;
		laras_http_peer_leave(exchange->server, exchange->peer_count);
		exchange->peer_count = NULL;
	}
	exchange->peer_gone = true;
	if (exchange->phase != PHASE_ANSWER)
		bury(exchange);
}

/* Frees what was closed in this turn: queued events may have pointed to it. */
void
laras_http_connection_reap(LarasHttpServer *server)
{
	LarasHttpExchange *exchange;

	while ((exchange = server->phases[PHASE_DEAD].first) != NULL)
	{
		list_remove(&server->phases[PHASE_DEAD], exchange);
		exchange->next = server->free_exchanges;
		server->free_exchanges = exchange;
	}
}

bool
laras_http_connection_evict(LarasHttpServer *server)
{
	LarasHttpExchange *exchange = server->phases[PHASE_IDLE].first;

	if (exchange == NULL)
		exchange = server->phases[PHASE_LINGER].first;
	if (exchange == NULL)
		exchange = server->phases[PHASE_HEAD].first;
	if (exchange == NULL)
		return false;
	server->stats.evicted++;
	laras_http_connection_close(exchange, false);
	return true;
}

/* Tells epoll what this connection waits for. */
static void
arm(LarasHttpExchange *exchange, bool read, bool write)
{
	struct epoll_event event = {.events = (read ? EPOLLIN : 0) | (write ? EPOLLOUT : 0),
								.data.ptr = &exchange->item};

	if (exchange->no_read == !read && exchange->want_write == write)
		return;
	exchange->no_read = !read;
	exchange->want_write = write;
	epoll_ctl(exchange->server->epoll_fd, EPOLL_CTL_MOD, exchange->item.fd, &event);
}

/* ---- answering ---- */

static const struct
{
	int status;
	const char *text;
} status_texts[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

const char *
laras_http_status_text(int status)
{
	for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	if (status < 300)
		return "Success";
	return status < 400 ? "Redirect" : status < 500 ? "Client Error" : "Server Error";
}

static const char *
date_now(LarasHttpServer *server)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != server->date_second)
	{
		server->date_second = now;
		gmtime_r(&now, &tm);
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return server->date;
}

/* Nothing that could end the line or the head early. */
static bool
field_is_valid(const LarasHttpField *field, char *lower, size_t size)
{
	size_t n = 0;

	for (const char *c = field->name; *c; c++)
	{
		bool alnum =
			(*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if ((!alnum && !strchr("!#$%&'*+-.^_`|~", *c)) || n + 1 == size)
			return false;
		lower[n++] = *c >= 'A' && *c <= 'Z' ? (char) (*c - 'A' + 'a') : *c;
	}
	lower[n] = '\0';
	for (const char *c = field->value; *c; c++)
		if ((unsigned char) *c < 0x20 ? *c != '\t' : *c == 0x7f)
			return false;
	return n > 0;
}

/* Length of the head made in server->head, 0 when a field is not valid or does not fit. */
static size_t
make_head(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	LarasHttpServer *server = exchange->server;
	char *head = server->head;
	size_t size = sizeof(server->head);
	size_t n;
	char lower[128];

	n = (size_t) snprintf(head, size, "HTTP/1.1 %d %s\r\nDate: %s\r\n", answer->status,
						  laras_http_status_text(answer->status), date_now(server));
	if (answer->status != 204 && answer->status != 304)
		n += (size_t) snprintf(head + n, size - n, "Content-Length: %zu\r\n", answer->body_length);
	if (exchange->close_after)
		n += (size_t) snprintf(head + n, size - n, "Connection: close\r\n");
	for (int i = 0; i < answer->nfields; i++)
	{
		const LarasHttpField *field = &answer->fields[i];
		size_t name = strlen(field->name);
		size_t value = strlen(field->value);

		if (!field_is_valid(field, lower, sizeof(lower)))
			return 0;
		if (laras_http_is_hop_by_hop(lower) || strcmp(lower, "date") == 0)
			continue;
		if (n + name + value + 8 > size)
			return 0;
		memcpy(head + n, field->name, name);
		n += name;
		head[n++] = ':';
		head[n++] = ' ';
		memcpy(head + n, field->value, value);
		n += value;
		head[n++] = '\r';
		head[n++] = '\n';
	}
	head[n++] = '\r';
	head[n++] = '\n';
	return n;
}

/* All is sent: on to the next request, or to the end of the connection. */
static void
finish(LarasHttpExchange *exchange)
{
	release_body(exchange);
	exchange->server->stats.answers++;
	if (!exchange->close_after)
	{
		laras_http_reader_reset(&exchange->reader);
		account(exchange);
		exchange->user = NULL;
		enter(exchange, PHASE_IDLE);
		arm(exchange, true, false);
		return;
	}
	laras_http_reader_free(&exchange->reader);
	account(exchange);
	enter(exchange, PHASE_LINGER);
	if (exchange->eof || shutdown(exchange->item.fd, SHUT_WR) != 0)
		laras_http_connection_close(exchange, false);
	else
		arm(exchange, true, false);
}

/* A body that was only lent: keeps what is left of it. */
static bool
own_body(LarasHttpExchange *exchange)
{
	size_t left = exchange->body_length - exchange->body_sent;
	char *copy = malloc(left + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, exchange->body + exchange->body_sent, left);
	exchange->body = copy;
	exchange->body_length = left;
	exchange->body_sent = 0;
	exchange->release = free;
	exchange->release_arg = copy;
	return true;
}

/*
 * Sends head and body now as far as the socket takes them; the rest follows
 * when it is writable. head is copied where it has to wait.
 */
static void
send_bytes(LarasHttpExchange *exchange, const char *head, size_t head_length)
{
	struct iovec parts[2] = {{(void *) head, head_length},
							 {(void *) exchange->body, exchange->body_length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = exchange->body_length ? 2 : 1};
	ssize_t sent;
	size_t of_head;

	enter(exchange, PHASE_WRITE);
	do
		sent = sendmsg(exchange->item.fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
	{
		laras_http_connection_close(exchange, false);
		return;
	}
	if (sent < 0)
		sent = 0;
	if ((size_t) sent == head_length + exchange->body_length)
	{
		finish(exchange);
		return;
	}
	of_head = (size_t) sent < head_length ? (size_t) sent : head_length;
	exchange->body_sent = (size_t) sent - of_head;
	exchange->out_length = head_length - of_head;
	if (exchange->out_length)
	{
		exchange->out = malloc(exchange->out_length);
		if (exchange->out == NULL)
		{
			exchange->out_length = 0;
			laras_http_connection_close(exchange, false);
			return;
		}
		memcpy(exchange->out, head + of_head, exchange->out_length);
	}
	if (exchange->body_length && exchange->release == NULL && !own_body(exchange))
	{
		laras_http_connection_close(exchange, false);
		return;
	}
	account(exchange);
	arm(exchange, !exchange->no_read, true);
}

static void
write_more(LarasHttpExchange *exchange)
{
	struct iovec parts[2] = {{exchange->out + exchange->out_sent,
							  exchange->out_length - exchange->out_sent},
							 {(void *) (exchange->body + exchange->body_sent),
							  exchange->body_length - exchange->body_sent}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t sent = sendmsg(exchange->item.fd, &message, MSG_NOSIGNAL);
	size_t of_head;

	if (sent < 0)
	{
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			laras_http_connection_close(exchange, false);
		return;
	}
	of_head = (size_t) sent < parts[0].iov_len ? (size_t) sent : parts[0].iov_len;
	exchange->out_sent += of_head;
	exchange->body_sent += (size_t) sent - of_head;
	if (exchange->out_sent == exchange->out_length && exchange->body_sent == exchange->body_length)
		finish(exchange);
	else
		progress(exchange);
}

/* Sends an answer on a connection in any phase before WRITE. */
static void
answer_now(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	static const LarasHttpAnswer broken = {.status = 500};
	bool bodiless = answer->status == 204 || answer->status == 304 || exchange->is_head;
	size_t head;

	exchange->release = answer->release;
	exchange->release_arg = answer->release_arg;
	if (!exchange->reader.keep_alive || answer->close || exchange->server->draining ||
		exchange->eof)
		exchange->close_after = true;
	head = answer->status < 200 || answer->status > 599 ? 0 : make_head(exchange, answer);
	if (head == 0)
	{
		laras_http_log("an answer had a status or a field that HTTP does not allow; sent 500");
		head = make_head(exchange, &broken);
		bodiless = true;
	}
	if (!bodiless && answer->body_length)
	{
		exchange->body = answer->body;
		exchange->body_length = answer->body_length;
	}
	send_bytes(exchange, exchange->server->head, head);
}

/* An answer of the server's own. */
static void
status_now(LarasHttpExchange *exchange, int status)
{
	LarasHttpField fields[2] = {{"Content-Type", "text/plain"}, {"Retry-After", NULL}};
	LarasHttpAnswer answer = {.status = status, .fields = fields, .nfields = status == 503 ? 2 : 1};
	char body[64];
	char seconds[12];

	snprintf(seconds, sizeof(seconds), "%d", exchange->server->config.retry_after_s);
	fields[1].value = seconds;
	answer.body = body;
	answer.body_length =
		(size_t) snprintf(body, sizeof(body), "%d %s\n", status, laras_http_status_text(status));
	answer_now(exchange, &answer);
}

/* The request is not taken: answer and close, whatever else the client sends. */
static void
refuse(LarasHttpExchange *exchange, int status)
{
	exchange->server->stats.refused++;
	exchange->close_after = true;
	status_now(exchange, status);
}

/* True when the exchange may be answered; otherwise it is finished here. */
static bool
may_answer(LarasHttpExchange *exchange, void (*release)(void *), void *release_arg)
{
	if (!exchange->peer_gone)
		return true;
	if (release)
		release(release_arg);
	bury(exchange);
	return false;
}

void
laras_http_answer(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	if (may_answer(exchange, answer->release, answer->release_arg))
		answer_now(exchange, answer);
}

void
laras_http_answer_status(LarasHttpExchange *exchange, int status)
{
	if (may_answer(exchange, NULL, NULL))
		status_now(exchange, status);
}

void
laras_http_abort(LarasHttpExchange *exchange, bool reset)
{
	if (!may_answer(exchange, NULL, NULL))
		return;
	enter(exchange, PHASE_LINGER); /* nothing is owed any more */
	laras_http_connection_close(exchange, reset);
}

void
laras_http_answer_raw(LarasHttpExchange *exchange, const char *bytes, size_t length)
{
	if (!may_answer(exchange, NULL, NULL))
		return;
	exchange->close_after = true;
	send_bytes(exchange, bytes, length);
}

/* ---- reading ---- */

static void
begin_body(LarasHttpExchange *exchange, bool more_is_here)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const LarasHttpConfig *config = &exchange->server->config;
	int status;

	exchange->is_head = strcmp(exchange->reader.method, "HEAD") == 0;
	exchange->requests++;
	enter(exchange, PHASE_BODY);
	status = config->on_head ? config->on_head(exchange, config->arg) : 0;
	if (status < 0)
	{
		laras_http_connection_close(exchange, true);
		return;
	}
	if (status != 0)
	{
		refuse(exchange, status);
		return;
	}
	if (exchange->reader.expects_continue && !more_is_here &&
		(exchange->reader.chunked || exchange->reader.content_length > 0) &&
		send(exchange->item.fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) !=
			(ssize_t) sizeof(go_on) - 1)
		laras_http_connection_close(exchange, false);
}

/* Feeds what was received; the reader says what it is. */
static void
take(LarasHttpExchange *exchange, const char *data, size_t length)
{
	LarasHttpServer *server = exchange->server;

	for (;;)
	{
		size_t taken;
		LarasHttpEvent event = laras_http_reader_feed(&exchange->reader, data, length, &taken);

		data += taken;
		length -= taken;
		if (event == LARAS_HTTP_REFUSED)
		{
			refuse(exchange, exchange->reader.status);
			return;
		}
		if (!account(exchange))
		{
			refuse(exchange, 503);
			return;
		}
		if (event == LARAS_HTTP_MORE)
		{
			progress(exchange);
			return;
		}
		if (event == LARAS_HTTP_COMPLETE)
			break;
		begin_body(exchange, length > 0);
		if (exchange->phase != PHASE_BODY)
			return;
	}
	/* bytes beyond the request's end: its answer is the last one here */
	if (length > 0)
		exchange->close_after = true;
	enter(exchange, PHASE_ANSWER);
	server->stats.requests++;
	server->config.on_request(exchange, server->config.arg);
}

/* The client spoke, or ended, while its request is being answered. */
static void
spoke_early(LarasHttpExchange *exchange, ssize_t n)
{
	exchange->close_after = true;
	exchange->eof = n == 0;
	arm(exchange, false, exchange->want_write);
}

static void
readable(LarasHttpExchange *exchange)
{
	LarasHttpServer *server = exchange->server;
	ssize_t n = recv(exchange->item.fd, server->scratch, sizeof(server->scratch), 0);

	if (n < 0)
	{
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			laras_http_connection_close(exchange, false);
		return;
	}
	switch (exchange->phase)
	{
		case PHASE_ANSWER:
		case PHASE_WRITE:
			spoke_early(exchange, n);
			return;
		case PHASE_LINGER:
			if (n == 0)
				laras_http_connection_close(exchange, false);
			return;
		case PHASE_IDLE:
			if (n > 0)
			{
				exchange->started = server->now;
				enter(exchange, PHASE_HEAD);
			}
			break;
	}
	if (n == 0)
		laras_http_connection_close(exchange, false);
	else
	{
		if (laras_http_reader_idle(&exchange->reader))
			exchange->started = server->now;
		take(exchange, server->scratch, (size_t) n);
	}
}

void
laras_http_connection_event(LarasHttpExchange *exchange, unsigned events)
{
	if (events & (EPOLLERR | EPOLLHUP) && exchange->phase != PHASE_WRITE)
	{
		/* reset, or closed both ways: nobody is there to read an answer */
		laras_http_connection_close(exchange, false);
		return;
	}
	if (events & EPOLLOUT && exchange->phase == PHASE_WRITE)
		write_more(exchange);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && exchange->item.fd >= 0)
		readable(exchange);
}

/* The phase's deadline has passed. */
void
laras_http_connection_expire(LarasHttpExchange *exchange)
{
	if ((exchange->phase == PHASE_HEAD && !laras_http_reader_idle(&exchange->reader)) ||
		exchange->phase == PHASE_BODY)
	{
		exchange->reader.keep_alive = false;
		exchange->close_after = true;
		status_now(exchange, 408);
	}
	else
		laras_http_connection_close(exchange, exchange->phase == PHASE_WRITE);
}

/* ---- what the program may ask ---- */

const LarasHttpReader *
laras_http_request(const LarasHttpExchange *exchange)
{
	return &exchange->reader;
}

const char *
laras_http_peer(const LarasHttpExchange *exchange)
{
	return exchange->has_peer ? exchange->peer : NULL;
}

uint64_t
laras_http_connection(const LarasHttpExchange *exchange, uint32_t *nth)
{
	*nth = exchange->requests;
	return exchange->number;
}

bool
laras_http_peer_is_gone(const LarasHttpExchange *exchange)
{
	return exchange->peer_gone;
}

void
laras_http_set_user(LarasHttpExchange *exchange, void *user)
{
	exchange->user = user;
}

void *
laras_http_user(const LarasHttpExchange *exchange)
{
	return exchange->user;
}
