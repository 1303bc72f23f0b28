/*
 * http_internal.h
 *		What http_server.c, http_listen.c, http_connection.c and http_answer.c
 *		share; nobody else includes it.
 */
#ifndef LARAS_HTTP_INTERNAL_H
#define LARAS_HTTP_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "relay/http_server.h"

/* What epoll's pointer points at begins with this. */
typedef enum PollKind
{
	POLL_LISTENER,
	POLL_CONNECTION,
	POLL_WATCH,
	POLL_SIGNAL
} PollKind;

typedef struct PollItem
{
	PollKind kind;
	int fd; /* -1: closed; events that are still queued are ignored */
} PollItem;

/* Where a connection is. Each phase has a list in the order of entering it. */
typedef enum Phase
{
	PHASE_IDLE, /* between requests: no byte yet */
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_ANSWER, /* with the program */
	PHASE_WRITE,
	PHASE_LINGER, /* answered, write side shut; reading to forget */
	PHASE_DEAD,   /* closed; freed at the end of the turn */
	PHASES
} Phase;

/* Connections from one address; chained in a hash table. */
typedef struct PeerCount
{
	struct PeerCount *next;
	unsigned char key[16];
	int connections;
} PeerCount;

struct LarasHttpExchange
{
	PollItem item;
	uint8_t phase;
	bool no_read;    /* EPOLLIN is off */
	bool want_write; /* EPOLLOUT is on */
	bool peer_gone;
	bool close_after; /* no further request on this connection */
	bool eof;         /* the client sends no more */
	bool is_head;     /* answer without body */
	bool has_peer;
	LarasHttpServer *server;
	LarasHttpExchange *next; /* in the phase's list */
	LarasHttpExchange *prev;
	PeerCount *peer_count;
	uint64_t number;   /* of the connection */
	uint32_t requests; /* heads read on it */
	int64_t started;   /* first byte of the request */
	int64_t entered;   /* this phase */
	int64_t deadline;
	size_t counted; /* bytes of this connection in stats.bytes */
	void *user;
	char *out; /* what is left of head (and copied body) */
	size_t out_length;
	size_t out_sent;
	const char *body; /* body that is not copied, or NULL */
	size_t body_length;
	size_t body_sent;
	void (*release)(void *arg);
	void *release_arg;
	char peer[INET6_ADDRSTRLEN];
	LarasHttpReader reader;
};

typedef struct PhaseList
{
	LarasHttpExchange *first;
	LarasHttpExchange *last;
} PhaseList;

typedef struct Listener
{
	PollItem item;
	bool passed;    /* by systemd: neither unlinked nor ours */
	char path[108]; /* unix socket to unlink, or "" */
	struct Listener *next;
} Listener;

struct LarasHttpWatch
{
	PollItem item;
	LarasHttpServer *server;
	LarasHttpReady ready;
	void *arg;
	LarasHttpWatch *next; /* list of the dead */
};

#define PEER_BUCKETS 4096

struct LarasHttpServer
{
	LarasHttpConfig config;
	LarasHttpStats stats;
	int epoll_fd;
	bool stop;
	bool draining;
	bool listening; /* listeners are armed */
	int64_t now;
	int64_t next_sweep;
	int64_t drain_until;
	int64_t listen_again; /* listeners are off until then: no descriptors */
	PollItem signal;
	Listener *listeners;
	int port;
	PhaseList phases[PHASES];
	LarasHttpExchange *free_exchanges;
	LarasHttpWatch *dead_watches;
	LarasHttpTimer timers; /* sentinel of a ring, soonest first */
	PeerCount *peers[PEER_BUCKETS];
	PeerCount *free_peers;
	uint64_t seed;
	time_t date_second;
	char date[40];
	char head[LARAS_HTTP_HEAD_BYTES]; /* of the answer being made */
	char scratch[65536];
};

/* http_listen.c */
extern void laras_http_accept(LarasHttpServer *server, Listener *listener);
extern void laras_http_listeners_arm(LarasHttpServer *server, bool on);
extern void laras_http_listeners_close(LarasHttpServer *server);
extern void laras_http_peer_leave(LarasHttpServer *server, PeerCount *peer);

/* http_connection.c */
extern LarasHttpExchange *laras_http_connection_open(LarasHttpServer *server, int fd);
extern void laras_http_connection_close(LarasHttpExchange *exchange, bool reset);
extern void laras_http_connection_event(LarasHttpExchange *exchange, unsigned events);
extern void laras_http_connection_expire(LarasHttpExchange *exchange);
extern void laras_http_connection_reap(LarasHttpServer *server);
extern bool laras_http_connection_evict(LarasHttpServer *server);

/* The same, for http_answer.c: on to a phase; its deadline moved by what was sent. */
extern void laras_http_connection_enter(LarasHttpExchange *exchange, Phase phase);
extern void laras_http_connection_progress(LarasHttpExchange *exchange);

/* Brings stats.bytes up to date; false when this connection asks too much. */
extern bool laras_http_connection_account(LarasHttpExchange *exchange);

/* Tells epoll what this connection waits for. */
extern void laras_http_connection_arm(LarasHttpExchange *exchange, bool read, bool write);

/* Lets go of the answer's bytes; of the whole exchange, whose socket is closed. */
extern void laras_http_connection_release(LarasHttpExchange *exchange);
extern void laras_http_connection_bury(LarasHttpExchange *exchange);

/* http_answer.c: answers of the server's own; after a refusal nothing more is taken. */
extern void laras_http_send_status(LarasHttpExchange *exchange, int status);
extern void laras_http_send_refusal(LarasHttpExchange *exchange, int status);

/* The socket takes more of an answer. */
extern void laras_http_send_more(LarasHttpExchange *exchange);

#endif /* LARAS_HTTP_INTERNAL_H */
