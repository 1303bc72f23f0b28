/*
 * http_listen.c
 *		Listening sockets (TCP, unix, passed by systemd) and accepting, with the
 *		limits per address and overall.
 */
#include "relay/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPTS_A_TURN 64
#define FIRST_PASSED_FD 3 /* SD_LISTEN_FDS_START */
#define PAUSE_MS 100

typedef union SocketAddress
{
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
} SocketAddress;

static bool
add_listener(LarasHttpServer *server, int fd, bool passed, const char *path)
{
	Listener *listener = calloc(1, sizeof(*listener));
	SocketAddress address;
	socklen_t length = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "";

	memset(&address, 0, sizeof(address));
	if (listener == NULL || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || getsockname(fd, &address.sa, &length) < 0)
	{
		laras_http_log("cannot use listening socket %d: %s", fd, strerror(errno));
		free(listener);
		close(fd);
		return false;
	}
	listener->item.kind = POLL_LISTENER;
	listener->item.fd = fd;
	listener->passed = passed;
	listener->next = server->listeners;
	snprintf(listener->path, sizeof(listener->path), "%s", path);
	server->listeners = listener;
	if (address.sa.sa_family == AF_INET || address.sa.sa_family == AF_INET6)
	{
		bool v4 = address.sa.sa_family == AF_INET;
		int port = ntohs(v4 ? address.in.sin_port : address.in6.sin6_port);

		inet_ntop(address.sa.sa_family,
				  v4 ? (void *) &address.in.sin_addr : (void *) &address.in6.sin6_addr, text,
				  sizeof(text));
		laras_http_log(v4 ? "listening on %s:%d" : "listening on [%s]:%d", text, port);
		if (server->port == 0)
			server->port = port;
	}
	else
		laras_http_log("listening on unix:%s", address.un.sun_path);
	return true;
}

static bool
listen_unix(LarasHttpServer *server, const char *path)
{
	SocketAddress address;
	struct stat st;
	int fd;

	memset(&address, 0, sizeof(address));
	address.un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address.un.sun_path))
	{
		laras_http_log("socket path is too long");
		return false;
	}
	memcpy(address.un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
	{
		laras_http_log("socket: %s", strerror(errno));
		return false;
	}

	/* a socket file that nobody answers on is left over from a crash */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
	{
		if (connect(fd, &address.sa, sizeof(address.un)) == 0)
		{
			laras_http_log("another server listens on unix:%s", path);
			close(fd);
			return false;
		}
		unlink(path);
	}
	if (bind(fd, &address.sa, sizeof(address.un)) != 0 || chmod(path, 0660) != 0 ||
		listen(fd, BACKLOG) != 0)
	{
		laras_http_log("cannot listen on unix:%s: %s", path, strerror(errno));
		close(fd);
		return false;
	}
	return add_listener(server, fd, false, path);
}

static bool
listen_tcp(LarasHttpServer *server, const char *text)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
							 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t length;
	int fd;
	int on = 1;

	if (colon == NULL || colon == text || (size_t) (colon - text) >= sizeof(host))
	{
		laras_http_log("not an address: expected host:port, unix:/path or systemd");
		return false;
	}
	length = (size_t) (colon - text);
	if (text[0] == '[' && text[length - 1] == ']')
	{
		text++;
		length -= 2;
	}
	memcpy(host, text, length);
	host[length] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
	{
		laras_http_log("not a numeric address and port");
		return false;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
	{
		laras_http_log("cannot listen on port %s: %s", colon + 1, strerror(errno));
		if (fd >= 0)
			close(fd);
		freeaddrinfo(found);
		return false;
	}
	freeaddrinfo(found);
	return add_listener(server, fd, false, "");
}

/* Socket activation: LISTEN_PID is us, LISTEN_FDS descriptors from 3 on. */
static bool
listen_passed(LarasHttpServer *server)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	long n = fds ? strtol(fds, NULL, 10) : 0;

	if (pid == NULL || strtol(pid, NULL, 10) != (long) getpid() || n < 1 || n > 64)
	{
		laras_http_log("no socket was passed (LISTEN_PID, LISTEN_FDS)");
		return false;
	}
	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + (int) n; fd++)
	{
		int type = 0;
		int accepts = 0;
		socklen_t length = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM ||
			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) != 0 || !accepts)
		{
			laras_http_log("passed descriptor %d is not a listening stream socket", fd);
			return false;
		}
		if (!add_listener(server, fd, true, ""))
			return false;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return true;
}

bool
laras_http_listen(LarasHttpServer *server, const char *address)
{
	if (strcmp(address, "systemd") == 0)
		return listen_passed(server);
	if (strncmp(address, "unix:", 5) == 0)
		return listen_unix(server, address + 5);
	return listen_tcp(server, address);
}

void
laras_http_listeners_arm(LarasHttpServer *server, bool on)
{
	if (server->listening == on)
		return;
	server->listening = on;
	for (Listener *listener = server->listeners; listener; listener = listener->next)
	{
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener->item};

		if (epoll_ctl(server->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->item.fd,
					  &event) != 0)
			laras_http_log("epoll_ctl: %s", strerror(errno));
	}
}

void
laras_http_listeners_close(LarasHttpServer *server)
{
	laras_http_listeners_arm(server, false);
	server->listen_again = 0;
	while (server->listeners)
	{
		Listener *listener = server->listeners;

		server->listeners = listener->next;
		close(listener->item.fd);
		if (listener->path[0])
			unlink(listener->path);
		free(listener);
	}
}

/* ---- counting per address ---- */

static PeerCount **
peer_bucket(LarasHttpServer *server, const unsigned char *key)
{
	uint64_t a, b;

	/* the seed keeps a client from choosing addresses that share a bucket */
	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	a = (a ^ server->seed) * 0x9E3779B97F4A7C15u;
	b = (b ^ (a >> 29) ^ a) * 0xBF58476D1CE4E5B9u;
	return &server->peers[(b >> 40) % PEER_BUCKETS];
}

/* Counts one more connection of that address; NULL when it has its share or memory is out. */
static PeerCount *
peer_enter(LarasHttpServer *server, const SocketAddress *address)
{
	unsigned char key[16] = {0};
	PeerCount **bucket;
	PeerCount *peer;

	if (address->sa.sa_family == AF_INET)
	{
		key[10] = key[11] = 0xff;
		memcpy(key + 12, &address->in.sin_addr, 4);
	}
	else if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
		memcpy(key, &address->in6.sin6_addr, 16);
	else
		memcpy(key, &address->in6.sin6_addr, 8);
	bucket = peer_bucket(server, key);
	for (peer = *bucket; peer; peer = peer->next)
		if (memcmp(peer->key, key, 16) == 0)
			break;
	if (peer == NULL)
	{
		peer = server->free_peers;
		if (peer)
			server->free_peers = peer->next;
		else if ((peer = malloc(sizeof(*peer))) == NULL)
			return NULL;
		memcpy(peer->key, key, 16);
		peer->connections = 0;
		peer->next = *bucket;
		*bucket = peer;
	}
	else if (peer->connections >= server->config.max_per_address)
		return NULL;
	peer->connections++;
	return peer;
}

void
laras_http_peer_leave(LarasHttpServer *server, PeerCount *peer)
{
	PeerCount **at;

	if (peer == NULL || --peer->connections > 0)
		return;
	at = peer_bucket(server, peer->key);
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	peer->next = server->free_peers;
	server->free_peers = peer;
}

/* ---- accepting ---- */

static bool
accept_one(LarasHttpServer *server, Listener *listener)
{
	SocketAddress address;
	socklen_t length = sizeof(address);
	LarasHttpExchange *exchange;
	PeerCount *peer = NULL;
	bool tcp;
	int fd;
	int on = 1;

	address.sa.sa_family = AF_UNSPEC;
	fd = accept4(listener->item.fd, &address.sa, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
	{
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		{
			/* level triggered: without a descriptor this would spin */
			if (!laras_http_connection_evict(server))
			{
				laras_http_listeners_arm(server, false);
				server->listen_again = server->now + PAUSE_MS;
			}
			return false;
		}
		/* the others concern one connection that is gone already */
		return errno == EINTR || errno == ECONNABORTED;
	}
	server->stats.accepted++;
	tcp = address.sa.sa_family == AF_INET || address.sa.sa_family == AF_INET6;
	if (tcp)
	{
		peer = peer_enter(server, &address);
		if (peer == NULL)
		{
			server->stats.refused_address++;
			close(fd);
			return true;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (server->stats.connections >= server->config.max_connections &&
		!laras_http_connection_evict(server))
	{
		/* everybody is being served: the newcomer has to come again */
		laras_http_peer_leave(server, peer);
		close(fd);
		return true;
	}
	exchange = laras_http_connection_open(server, fd);
	if (exchange == NULL)
	{
		laras_http_peer_leave(server, peer);
		return true;
	}
	exchange->peer_count = peer;
	exchange->has_peer = tcp;
	if (tcp)
		inet_ntop(address.sa.sa_family,
				  address.sa.sa_family == AF_INET ? (void *) &address.in.sin_addr
												  : (void *) &address.in6.sin6_addr,
				  exchange->peer, sizeof(exchange->peer));
	return true;
}

void
laras_http_accept(LarasHttpServer *server, Listener *listener)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++)
		if (!accept_one(server, listener))
			return;
}
