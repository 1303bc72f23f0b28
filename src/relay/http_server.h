/*
 * http_server.h
 *		A small HTTP/1.1 server on one epoll loop, for one thread: listeners,
 *		connections with limits and deadlines, answers given whenever the
 *		program has them, and the program's own descriptors and timers.
 *
 * Invariants
 *	- one request at a time on a connection; bytes that arrive after a
 *	  request's end and before its answer was sent are never read as a request:
 *	  the answer goes out and the connection is closed;
 *	- every phase of a connection has a deadline, counted from its begin and
 *	  not from the last byte;
 *	- the buffers of all connections together stay within max_bytes;
 *	- an exchange stays valid from on_request until laras_http_answer(), also
 *	  when the client has gone; it must be answered exactly once.
 *
 * All functions are for the thread that runs laras_http_run(), from its
 * callbacks or before it. Those that can fail say so on stderr, through
 * laras_http_log(), and return NULL or false.
 */
#ifndef LARAS_HTTP_SERVER_H
#define LARAS_HTTP_SERVER_H

#include "relay/http_request.h"

typedef struct LarasHttpServer LarasHttpServer;
typedef struct LarasHttpExchange LarasHttpExchange;
typedef struct LarasHttpWatch LarasHttpWatch;

/* Start from laras_http_defaults(). Milliseconds unless said otherwise. */
typedef struct LarasHttpConfig
{
	LarasHttpLimits limits; /* methods and sizes of a request */
	int max_connections;    /* overall; when full the longest waiting idle or
									 * half-received head gives way */
	int max_per_address;    /* TCP peers (IPv6: per /64); unix sockets are not counted */
	size_t max_bytes;       /* buffers of all connections; beyond it: 503 */
	int head_ms;            /* first byte (or accept) to end of head */
	int body_ms;            /* end of head to end of body, longer by ... */
	int min_rate;           /* ... a second for each that many bytes received */
	int total_ms;           /* first byte to end of body, whatever the rate */
	int write_ms;           /* answer to last byte sent, longer by min_rate too ... */
	int write_total_ms;     /* ... up to this */
	int idle_ms;            /* keep-alive without a byte */
	int linger_ms;          /* after a refusal: read and forget for so long */
	int drain_ms;           /* after SIGTERM: time for requests under way */
	int retry_after_s;      /* Retry-After of every 503 */

	/*
	 * Optional. Called at the end of a head, before any body is taken: 0 goes
	 * on, a positive number is the status to refuse with at once, a negative
	 * one resets the connection without a word (a fault of the sandbox). It
	 * must not answer.
	 */
	int (*on_head)(LarasHttpExchange *exchange, void *arg);

	/* A request is complete. Answer now or later. */
	void (*on_request)(LarasHttpExchange *exchange, void *arg);

	/* Optional. The end of each turn of the loop: act on what gathered in it. */
	void (*on_turn)(void *arg);

	/* Optional. SIGTERM or SIGINT came; listeners are closed already. */
	void (*on_drain)(void *arg);
	void *arg;
} LarasHttpConfig;

typedef struct LarasHttpField
{
	const char *name;
	const char *value;
} LarasHttpField;

/*
 * An answer. Status 200..599. Fields of framing and hop-by-hop are left out
 * (the server makes its own); a field that is no valid field turns the answer
 * into a 500. The body is copied unless release is given: then it must stay as
 * it is until release(release_arg), which is called exactly once, at the latest
 * when the connection ends, and may be called before laras_http_answer returns.
 */
typedef struct LarasHttpAnswer
{
	int status;
	const LarasHttpField *fields;
	int nfields;
	const char *body;
	size_t body_length;
	void (*release)(void *arg);
	void *release_arg;
	bool close; /* close the connection afterwards */
} LarasHttpAnswer;

typedef struct LarasHttpStats
{
	uint64_t accepted;
	uint64_t refused_address; /* closed at accept: too many from one address */
	uint64_t evicted;         /* gave way to a newer connection */
	uint64_t requests;        /* handed to on_request */
	uint64_t refused;         /* answered by the server itself: bad requests, on_head */
	uint64_t timeouts;        /* a deadline passed */
	uint64_t answers;
	int connections; /* now */
	size_t bytes;    /* buffers of connections, now */
} LarasHttpStats;

extern void laras_http_defaults(LarasHttpConfig *config);

/* NULL when epoll or memory is not to be had. The config is copied. */
extern LarasHttpServer *laras_http_create(const LarasHttpConfig *config);

/*
 * Listens on "host:port" (numeric; "[::1]:8080"; port 0 takes a free one),
 * "unix:/path" (a stale socket file is replaced; mode 0660) or "systemd" (all
 * sockets passed by LISTEN_FDS). Logs "listening on ..." with the real port.
 */
extern bool laras_http_listen(LarasHttpServer *server, const char *address);

/* The port of the first TCP listener, 0 if there is none. */
extern int laras_http_port(const LarasHttpServer *server);

/*
 * Runs until laras_http_stop() or, after SIGTERM or SIGINT, until all requests
 * under way are answered or drain_ms have passed (a second signal: at once).
 * True when every accepted request was answered. Blocks those signals and
 * ignores SIGPIPE and SIGHUP.
 */
extern bool laras_http_run(LarasHttpServer *server);
extern void laras_http_drain(LarasHttpServer *server); /* as SIGTERM does */
extern void laras_http_stop(LarasHttpServer *server);  /* at once */
extern bool laras_http_is_draining(const LarasHttpServer *server);

/* Closes everything and frees the server. Unanswered exchanges become invalid. */
extern void laras_http_destroy(LarasHttpServer *server);

extern const LarasHttpStats *laras_http_stats(const LarasHttpServer *server);

/* ---- exchanges ---- */
extern const LarasHttpReader *laras_http_request(const LarasHttpExchange *exchange);

/* The peer's address without port; NULL for a unix socket. Lives as the exchange does. */
extern const char *laras_http_peer(const LarasHttpExchange *exchange);

/* Which connection of this server it came on, from 1, and as which of its requests. */
extern uint64_t laras_http_connection(const LarasHttpExchange *exchange, uint32_t *nth);

/* The client closed or reset; answering is still owed, the work need not be. */
extern bool laras_http_peer_is_gone(const LarasHttpExchange *exchange);

/* A pointer for the program, NULL at on_head/on_request. */
extern void laras_http_set_user(LarasHttpExchange *exchange, void *user);
extern void *laras_http_user(const LarasHttpExchange *exchange);

extern void laras_http_answer(LarasHttpExchange *exchange, const LarasHttpAnswer *answer);

/* An answer with a one-line text body ("503 Service Unavailable") of its own. */
extern void laras_http_answer_status(LarasHttpExchange *exchange, int status);

/*
 * Closes the connection (reset: with a TCP reset) instead of answering, for the
 * sandbox's faults. Counts as the answer.
 */
extern void laras_http_abort(LarasHttpExchange *exchange, bool reset);

/*
 * For the sandbox's faults as well: sends these bytes as they are instead of an
 * answer (copied), then closes.
 */
extern void laras_http_answer_raw(LarasHttpExchange *exchange, const char *bytes, size_t length);

/* ---- the program's own descriptors: level triggered ---- */
#define LARAS_HTTP_READABLE 1
#define LARAS_HTTP_WRITABLE 2

/* Told with READABLE and/or WRITABLE; an error or hang-up is told as both. */
typedef void (*LarasHttpReady)(int fd, int ready, void *arg);

extern LarasHttpWatch *
laras_http_watch(LarasHttpServer *server, int fd, int want, LarasHttpReady ready, void *arg);
extern bool laras_http_rewatch(LarasHttpWatch *watch, int want);

/* Does not close fd; call it before closing fd. The watch is freed. */
extern void laras_http_unwatch(LarasHttpWatch *watch);

/* ---- timers: one shot, embedded in the program's structures ---- */
typedef struct LarasHttpTimer
{
	void (*fire)(void *arg); /* the program sets these two */
	void *arg;
	int64_t at; /* 0: not set */
	struct LarasHttpTimer *next;
	struct LarasHttpTimer *prev;
} LarasHttpTimer;

/* Sets, or sets anew. fire runs in the loop, never inside this call. */
extern void laras_http_timer_set(LarasHttpServer *server, LarasHttpTimer *timer, int ms);
extern void laras_http_timer_clear(LarasHttpServer *server, LarasHttpTimer *timer);

/* Monotonic milliseconds, read once a turn of the loop. */
extern int64_t laras_http_now(const LarasHttpServer *server);

/* One line to stderr with the time, at most 500 bytes, controls replaced. */
extern void laras_http_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "Service Unavailable" for 503, and so on. */
extern const char *laras_http_status_text(int status);

#endif /* LARAS_HTTP_SERVER_H */
