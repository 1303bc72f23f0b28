/*
 * http_connection.c
 *		One connection's life: idle, head, body, answer, write, linger; what it sends
 *		is http_answer.c's.
 *
 * A connection that ends after an answer shuts its write side first and reads
 * on for a moment, because closing with unread input makes the kernel send a
 * reset, which can overtake the answer.
 */
#include "relay/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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

/* The deadlines that progress moves are those of body and write. */
void
laras_http_connection_progress(LarasHttpExchange *exchange)
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

void
laras_http_connection_enter(LarasHttpExchange *exchange, Phase phase)
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
	laras_http_connection_progress(exchange);
}

bool
laras_http_connection_account(LarasHttpExchange *exchange)
{
	LarasHttpStats *stats = &exchange->server->stats;
	size_t most = exchange->server->config.max_bytes;
	size_t bytes = exchange->reader.capacity + exchange->out_length + exchange->body_length;
	bool grew = bytes > exchange->counted;

	stats->bytes += bytes - exchange->counted;
	exchange->counted = bytes;
	return !grew || stats->bytes <= (bytes > LARGE_BYTES ? most / 4 * 3 : most);
}

void
laras_http_connection_release(LarasHttpExchange *exchange)
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
	/* the first request is awaited like a head */
	laras_http_connection_enter(exchange, PHASE_HEAD);
	return exchange;
}

void
laras_http_connection_bury(LarasHttpExchange *exchange)
{
	laras_http_connection_release(exchange);
	laras_http_reader_free(&exchange->reader);
	laras_http_connection_account(exchange);
	laras_http_connection_enter(exchange, PHASE_DEAD);
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
		laras_http_connection_bury(exchange);
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

void
laras_http_connection_arm(LarasHttpExchange *exchange, bool read, bool write)
{
	struct epoll_event event = {.events = (read ? EPOLLIN : 0) | (write ? EPOLLOUT : 0),
								.data.ptr = &exchange->item};

	if (exchange->no_read == !read && exchange->want_write == write)
		return;
	exchange->no_read = !read;
	exchange->want_write = write;
	epoll_ctl(exchange->server->epoll_fd, EPOLL_CTL_MOD, exchange->item.fd, &event);
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
	laras_http_connection_enter(exchange, PHASE_BODY);
	status = config->on_head ? config->on_head(exchange, config->arg) : 0;
	if (status < 0)
	{
		laras_http_connection_close(exchange, true);
		return;
	}
	if (status != 0)
	{
		laras_http_send_refusal(exchange, status);
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
			laras_http_send_refusal(exchange, exchange->reader.status);
			return;
		}
		if (!laras_http_connection_account(exchange))
		{
			laras_http_send_refusal(exchange, 503);
			return;
		}
		if (event == LARAS_HTTP_MORE)
		{
			laras_http_connection_progress(exchange);
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
	laras_http_connection_enter(exchange, PHASE_ANSWER);
	server->stats.requests++;
	server->config.on_request(exchange, server->config.arg);
}

/* The client spoke, or ended, while its request is being answered. */
static void
spoke_early(LarasHttpExchange *exchange, ssize_t n)
{
	exchange->close_after = true;
	exchange->eof = n == 0;
	laras_http_connection_arm(exchange, false, exchange->want_write);
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
				laras_http_connection_enter(exchange, PHASE_HEAD);
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
		laras_http_send_more(exchange);
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
		laras_http_send_status(exchange, 408);
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
