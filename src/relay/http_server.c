/*
 * http_server.c
 *		The loop: epoll, deadlines, timers, the program's descriptors, signals
 *		and the orderly end. Connections are in http_connection.c, listeners in
 *		http_listen.c.
 */
#include "relay/http_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"

#define SWEEP_MS 50
#define EVENTS 256

void
laras_http_log(const char *format, ...)
{
	char line[540];
	struct timespec ts;
	struct tm tm;
	va_list args;
	size_t head;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	head = strftime(line, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	head += (size_t) snprintf(line + head, 8, ".%03ldZ ", ts.tv_nsec / 1000000);
	va_start(args, format);
	vsnprintf(line + head, 500, format, args);
	va_end(args);
	n = strlen(line);
	for (size_t i = head; i < n; i++)
		if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[n++] = '\n';
	/* one write a line; a log that cannot be written must not stop the server */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void
laras_http_defaults(LarasHttpConfig *config)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", NULL};

	memset(config, 0, sizeof(*config));
	config->limits.methods = methods;
	config->limits.head_bytes = LARAS_HTTP_HEAD_BYTES;
	config->limits.body_bytes = 4 << 20;
	config->max_connections = 12000;
	config->max_per_address = 11000;
	config->max_bytes = 24 << 20;
	config->head_ms = 5000;
	config->body_ms = 10000;
	config->min_rate = 1024;
	config->total_ms = 20000;
	config->write_ms = 10000;
	config->write_total_ms = 60000;
	config->idle_ms = 60000;
	config->linger_ms = 1000;
	config->drain_ms = 30000;
	config->retry_after_s = 2;
}

LarasHttpServer *
laras_http_create(const LarasHttpConfig *config)
{
	LarasHttpServer *server = calloc(1, sizeof(*server));

	if (server == NULL)
	{
		laras_http_log("out of memory");
		return NULL;
	}
	server->config = *config;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
	{
		laras_http_log("epoll_create1: %s", strerror(errno));
		free(server);
		return NULL;
	}
	server->signal.kind = POLL_SIGNAL;
	server->signal.fd = -1;
	server->timers.next = server->timers.prev = &server->timers;
	server->now = laras_monotonic_ms();
	if (getrandom(&server->seed, sizeof(server->seed), 0) != sizeof(server->seed))
		server->seed = (uint64_t) server->now * 0x9E3779B97F4A7C15u;
	return server;
}

int
laras_http_port(const LarasHttpServer *server)
{
	return server->port;
}

const LarasHttpStats *
laras_http_stats(const LarasHttpServer *server)
{
	return &server->stats;
}

int64_t
laras_http_now(const LarasHttpServer *server)
{
	return server->now;
}

bool
laras_http_is_draining(const LarasHttpServer *server)
{
	return server->draining;
}

void
laras_http_stop(LarasHttpServer *server)
{
	server->stop = true;
}

void
laras_http_drain(LarasHttpServer *server)
{
	if (server->draining)
	{
		server->stop = true;
		return;
	}
	server->draining = true;
	server->drain_until = server->now + server->config.drain_ms;
	laras_http_listeners_close(server);
	while (server->phases[PHASE_IDLE].first)
		laras_http_connection_close(server->phases[PHASE_IDLE].first, false);
	if (server->config.on_drain)
		server->config.on_drain(server->config.arg);
}

/* ---- timers ---- */

void
laras_http_timer_clear(LarasHttpServer *server, LarasHttpTimer *timer)
{
	(void) server; /* the ring needs no head to be left */
	if (timer->at == 0)
		return;
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->at = 0;
}

void
laras_http_timer_set(LarasHttpServer *server, LarasHttpTimer *timer, int ms)
{
	LarasHttpTimer *before;

	laras_http_timer_clear(server, timer);
	timer->at = server->now + (ms > 0 ? ms : 1);
	/* most timers are the latest: look from the end */
	before = server->timers.prev;
	while (before != &server->timers && before->at > timer->at)
		before = before->prev;
	timer->prev = before;
	timer->next = before->next;
	before->next->prev = timer;
	before->next = timer;
}

static void
run_timers(LarasHttpServer *server)
{
	LarasHttpTimer *timer;

	while ((timer = server->timers.next) != &server->timers && timer->at <= server->now)
	{
		laras_http_timer_clear(server, timer);
		timer->fire(timer->arg);
	}
}

/* ---- descriptors of the program ---- */

static unsigned
epoll_bits(int want)
{
	return (want & LARAS_HTTP_READABLE ? EPOLLIN : 0) | (want & LARAS_HTTP_WRITABLE ? EPOLLOUT : 0);
}

LarasHttpWatch *
laras_http_watch(LarasHttpServer *server, int fd, int want, LarasHttpReady ready, void *arg)
{
	LarasHttpWatch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = {.events = epoll_bits(want), .data.ptr = watch};

	if (watch == NULL || epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
	{
		laras_http_log("cannot watch descriptor %d: %s", fd, strerror(errno));
		free(watch);
		return NULL;
	}
	watch->item.kind = POLL_WATCH;
	watch->item.fd = fd;
	watch->server = server;
	watch->ready = ready;
	watch->arg = arg;
	return watch;
}

bool
laras_http_rewatch(LarasHttpWatch *watch, int want)
{
	struct epoll_event event = {.events = epoll_bits(want), .data.ptr = watch};

	return epoll_ctl(watch->server->epoll_fd, EPOLL_CTL_MOD, watch->item.fd, &event) == 0;
}

void
laras_http_unwatch(LarasHttpWatch *watch)
{
	LarasHttpServer *server = watch->server;

	epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, watch->item.fd, NULL);
	/* this turn's events may still hold the pointer: free it afterwards */
	watch->item.fd = -1;
	watch->next = server->dead_watches;
	server->dead_watches = watch;
}

static void
watch_event(LarasHttpWatch *watch, unsigned events)
{
	int ready = 0;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		ready |= LARAS_HTTP_READABLE;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		ready |= LARAS_HTTP_WRITABLE;
	watch->ready(watch->item.fd, ready, watch->arg);
}

static void
reap_watches(LarasHttpServer *server)
{
	while (server->dead_watches)
	{
		LarasHttpWatch *watch = server->dead_watches;

		server->dead_watches = watch->next;
		free(watch);
	}
}

/* ---- the loop ---- */

/*
 * A phase's list is in order of entering. Where all deadlines are a constant
 * after that, the first that has not passed ends the search; in BODY and WRITE
 * progress lengthens them, so those lists (only requests under way) are walked.
 */
static void
sweep(LarasHttpServer *server)
{
	for (int phase = 0; phase < PHASE_DEAD; phase++)
	{
		LarasHttpExchange *exchange = server->phases[phase].first;

		if (phase == PHASE_ANSWER)
			continue; /* the program's time, not the client's */
		while (exchange)
		{
			LarasHttpExchange *next = exchange->next;

			if (exchange->deadline <= server->now)
			{
				/* expiring one connection closes or moves no other */
				server->stats.timeouts++;
				laras_http_connection_expire(exchange);
			}
			else if (phase != PHASE_BODY && phase != PHASE_WRITE)
				break;
			exchange = next;
		}
	}
	if (server->listen_again && server->listen_again <= server->now)
	{
		server->listen_again = 0;
		laras_http_listeners_arm(server, true);
	}
}

static int
wait_ms(const LarasHttpServer *server)
{
	int64_t ms = 1000;

	if (server->timers.next != &server->timers)
		ms = server->timers.next->at - server->now;
	if ((server->stats.connections > 0 || server->listen_again) &&
		ms > server->next_sweep - server->now)
		ms = server->next_sweep - server->now;
	return ms < 0 ? 0 : (int) ms;
}

static bool
watch_signals(LarasHttpServer *server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->signal};
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	server->signal.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (server->signal.fd < 0 ||
		epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->signal.fd, &event) != 0)
	{
		laras_http_log("signalfd: %s", strerror(errno));
		return false;
	}
	return true;
}

static void
handle_event(LarasHttpServer *server, const struct epoll_event *event)
{
	PollItem *item = event->data.ptr;
	struct signalfd_siginfo info;

	if (item->fd < 0)
		return;
	switch (item->kind)
	{
		case POLL_LISTENER:
			laras_http_accept(server, (Listener *) item);
			break;
		case POLL_CONNECTION:
			laras_http_connection_event((LarasHttpExchange *) item, event->events);
			break;
		case POLL_WATCH:
			watch_event((LarasHttpWatch *) item, event->events);
			break;
		case POLL_SIGNAL:
			while (read(item->fd, &info, sizeof(info)) == sizeof(info))
				laras_http_drain(server);
			break;
	}
}

bool
laras_http_run(LarasHttpServer *server)
{
	struct epoll_event events[EVENTS];

	if (server->signal.fd < 0 && !watch_signals(server))
		return false;
	laras_http_listeners_arm(server, true);
	while (!server->stop)
	{
		int n;

		server->now = laras_monotonic_ms();
		n = epoll_wait(server->epoll_fd, events, EVENTS, wait_ms(server));
		server->now = laras_monotonic_ms();
		if (n < 0 && errno != EINTR)
		{
			laras_http_log("epoll_wait: %s", strerror(errno));
			return false;
		}
		for (int i = 0; i < n && !server->stop; i++)
			handle_event(server, &events[i]);
		run_timers(server);
		if (server->config.on_turn)
			server->config.on_turn(server->config.arg);
		if (server->now >= server->next_sweep)
		{
			server->next_sweep = server->now + SWEEP_MS;
			sweep(server);
		}
		laras_http_connection_reap(server);
		reap_watches(server);
		if (server->draining &&
			(server->stats.connections == 0 || server->now >= server->drain_until))
			break;
	}
	return server->phases[PHASE_ANSWER].first == NULL && server->phases[PHASE_WRITE].first == NULL;
}

void
laras_http_destroy(LarasHttpServer *server)
{
	laras_http_listeners_close(server);
	for (int phase = 0; phase < PHASE_DEAD; phase++)
		while (server->phases[phase].first)
		{
			LarasHttpExchange *exchange = server->phases[phase].first;

			/* the program will not answer any more */
			if (phase == PHASE_ANSWER)
				laras_http_abort(exchange, false);
			else
				laras_http_connection_close(exchange, false);
		}
	laras_http_connection_reap(server);
	while (server->free_exchanges)
	{
		LarasHttpExchange *exchange = server->free_exchanges;

		server->free_exchanges = exchange->next;
		free(exchange);
	}
	while (server->free_peers)
	{
		PeerCount *peer = server->free_peers;

		server->free_peers = peer->next;
		free(peer);
	}
	reap_watches(server);
	if (server->signal.fd >= 0)
		close(server->signal.fd);
	close(server->epoll_fd);
	free(server);
}
