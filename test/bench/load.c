/*
 * load.c
 *		Load for the benchmarks of intake: signed WhatsApp text webhooks with ids
 *		of their own, over keep-alive connections, from one thread.
 *
 * Every request is rendered and signed before the clock starts, so that what
 * is measured beside it gets as much of the machine as can be. Two ways:
 *
 *		closed	(--rate=0) each connection sends its next request as soon as it
 *				has the answer to the last: the most that can be had
 *		open	request i is due at i/rate seconds, whatever became of those
 *				before it; its latency counts from when it was due, so that a
 *				stall is felt by all that it kept waiting
 *
 * The last line of output is "sent=.. ok=.. errors=.. seconds=.. rate=.. p50=..
 * p90=.. p99=.. max=..", latencies in milliseconds.
 *
 * Built by the benchmarks alone: cc -O2 load.c -lcrypto
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 8192

typedef struct Request
{
	char *bytes;
	int length;
	int64_t due; /* ns; when it was sent, in a closed run */
} Request;

typedef struct Connection
{
	int fd;
	Request *request; /* NULL: idle */
	int written;
	char answer[ANSWER_BYTES + 1];
	int got;
} Connection;

static int port = 8080;
static const char *path = "/api/webhooks/wa";
static int connection_count = 64;
static int seconds = 5;
static int rate;
static int count; /* 0: as many as the seconds take */
static const char *secret = "secret";
static const char *numbers = "1";  /* phone number ids, parted by commas */
static const char *accounts = "2"; /* the business account of each */
static int senders = 5000;
static long first;       /* number of the first message */
static long sender_from; /* number of the first sender */

static Request *requests;
static int request_count;
static int next_request;
static double *latencies; /* of answered requests, ms */
static int answered;
static int errors;
static Connection *connections;
static Connection **idle;
static int idle_count;
static int epoll_fd;

static void
fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The i-th word of a list parted by commas, in turn; its length. */
static int
pick(const char *list, long i, const char **start)
{
	int many = 1;
	const char *at = list;

	for (const char *p = list; *p; p++)
		many += *p == ',';
	for (long skip = i % many; skip > 0; skip--)
		at = strchr(at, ',') + 1;
	*start = at;
	return (int) strcspn(at, ",");
}

static void
render(Request *request, long i)
{
	char body[2048];
	char head[1024];
	unsigned char mac[32];
	unsigned mac_length = sizeof(mac);
	char digits[65];
	long sender = sender_from + i % senders;
	const char *number;
	int number_length = pick(numbers, i, &number);
	const char *account;
	int account_length = pick(accounts, i, &account);
	int body_length;
	int head_length;

	body_length = snprintf(
		body, sizeof(body),
		"{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"%.*s\",\"changes\":"
		"[{\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":"
		"{\"display_phone_number\":\"6221555010\",\"phone_number_id\":\"%.*s\"},"
		"\"contacts\":[{\"profile\":{\"name\":\"Pembeli %ld\"},\"wa_id\":\"62812%08ld\"}],"
		"\"messages\":[{\"from\":\"62812%08ld\",\"id\":\"wamid.LOAD%012ld\","
		"\"timestamp\":\"%ld\",\"text\":{\"body\":\"Selamat siang, barang nomor %ld masih "
		"ada? Berapa ongkos kirim ke Bandung?\"},\"type\":\"text\"}]},"
		"\"field\":\"messages\"}]}]}",
		account_length, account, number_length, number, sender, sender, sender, i,
		(long) time(NULL), i);
	if (HMAC(EVP_sha256(), secret, (int) strlen(secret), (unsigned char *) body,
			 (size_t) body_length, mac, &mac_length) == NULL)
		fail("HMAC");
	for (int k = 0; k < 32; k++)
		snprintf(digits + 2 * k, 3, "%02x", mac[k]);
	head_length = snprintf(head, sizeof(head),
						   "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\n"
						   "Content-Type: application/json\r\nX-Hub-Signature-256: sha256=%s\r\n"
						   "Content-Length: %d\r\n\r\n",
						   path, digits, body_length);
	request->length = head_length + body_length;
	request->bytes = malloc((size_t) request->length);
	if (request->bytes == NULL)
		fail("malloc");
	memcpy(request->bytes, head, (size_t) head_length);
	memcpy(request->bytes + head_length, body, (size_t) body_length);
}

static void
watch(Connection *connection, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = connection};

	if (epoll_ctl(epoll_fd, operation, connection->fd, &event) != 0)
		fail("epoll_ctl");
}

static void
open_connection(Connection *connection)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
		connect(connection->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		fail("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->request = NULL;
	connection->got = 0;
	watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

/* The peer went away: whatever was asked counts as an error. */
static void
reopen(Connection *connection)
{
	if (connection->request)
		errors++;
	close(connection->fd);
	open_connection(connection);
	idle[idle_count++] = connection;
}

/* Requests are small: a loopback socket that is idle takes one whole. */
static void
send_request(Connection *connection, Request *request)
{
	connection->request = request;
	connection->got = 0;
	if (send(connection->fd, request->bytes, (size_t) request->length, MSG_NOSIGNAL) !=
		request->length)
		reopen(connection);
}

/* Is the answer whole? Its status, 0 when more is to come, -1 when it makes no sense. */
static int
answer_status(Connection *connection)
{
	char *end;
	char *field;
	long length = 0;

	connection->answer[connection->got] = '\0';
	end = strstr(connection->answer, "\r\n\r\n");
	if (end == NULL)
		return connection->got == ANSWER_BYTES ? -1 : 0;
	field = strcasestr(connection->answer, "\r\ncontent-length:");
	if (field && field < end)
		length = strtol(field + strlen("\r\ncontent-length:"), NULL, 10);
	if (connection->got < end + 4 - connection->answer + length)
		return 0;
	return (int) strtol(connection->answer + strlen("HTTP/1.1 "), NULL, 10);
}

static void
receive(Connection *connection)
{
	ssize_t n = recv(connection->fd, connection->answer + connection->got,
					 (size_t) (ANSWER_BYTES - connection->got), MSG_DONTWAIT);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || connection->request == NULL)
	{
		reopen(connection);
		return;
	}
	connection->got += (int) n;
	status = answer_status(connection);
	if (status == 0)
		return;
	if (status < 0)
	{
		reopen(connection);
		return;
	}
	if (status == 200)
		latencies[answered++] = (double) (now_ns() - connection->request->due) / 1e6;
	else
		errors++;
	connection->request = NULL;
	idle[idle_count++] = connection;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The two ways of the head of this file; returns the time it took. */
static double
run(void)
{
	int64_t start = now_ns();
	int64_t stop = start + (int64_t) seconds * 1000000000;
	struct epoll_event events[256];

	for (;;)
	{
		int64_t now = now_ns();
		bool over = next_request == request_count || (rate == 0 && count == 0 && now >= stop);
		int timeout = 100;
		int n;

		while (!over && idle_count > 0 && next_request < request_count)
		{
			Request *request = &requests[next_request];

			if (rate > 0)
			{
				request->due = start + (int64_t) next_request * 1000000000 / rate;
				if (request->due > now)
				{
					timeout = request->due - now > 1000000 ? 1 : 0;
					break;
				}
			}
			else
				request->due = now_ns();
			next_request++;
			send_request(idle[--idle_count], request);
		}
		if (over && idle_count == connection_count)
			break;
		if (over && now > stop + 30 * INT64_C(1000000000) && count == 0)
		{
			errors += connection_count - idle_count;
			break;
		}
		n = epoll_wait(epoll_fd, events, 256, timeout);
		for (int i = 0; i < n; i++)
			receive(events[i].data.ptr);
	}
	return (double) (now_ns() - start) / 1e9;
}

static bool
take_option(const char *name, const char *value)
{
	const struct
	{
		const char *name;
		int *number;
		long *large;
		const char **text;
	} options[] = {{"port", &port, NULL, NULL},
				   {"path", NULL, NULL, &path},
				   {"connections", &connection_count, NULL, NULL},
				   {"seconds", &seconds, NULL, NULL},
				   {"rate", &rate, NULL, NULL},
				   {"count", &count, NULL, NULL},
				   {"secret", NULL, NULL, &secret},
				   {"numbers", NULL, NULL, &numbers},
				   {"accounts", NULL, NULL, &accounts},
				   {"senders", &senders, NULL, NULL},
				   {"first", NULL, &first, NULL},
				   {"sender-from", NULL, &sender_from, NULL}};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
	{
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].number)
			*options[i].number = (int) strtol(value, NULL, 10);
		else if (options[i].large)
			*options[i].large = strtol(value, NULL, 10);
		else
			*options[i].text = value;
		return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	double took;

	for (int i = 1; i < argc; i++)
	{
		char *value = strchr(argv[i], '=');

		if (strncmp(argv[i], "--", 2) != 0 || value == NULL)
			value = NULL;
		else
			*value++ = '\0';
		if (value == NULL || !take_option(argv[i] + 2, value))
		{
			fprintf(stderr, "load: no such option: %s\n", argv[i]);
			return 2;
		}
	}
	/* in a closed run, more than any server here answers */
	request_count = count > 0 ? count : seconds * (rate > 0 ? rate : 60000);
	requests = calloc((size_t) request_count, sizeof(*requests));
	latencies = calloc((size_t) request_count, sizeof(*latencies));
	connections = calloc((size_t) connection_count, sizeof(*connections));
	idle = calloc((size_t) connection_count, sizeof(*idle));
	if (!requests || !latencies || !connections || !idle)
		fail("calloc");
	for (int i = 0; i < request_count; i++)
		render(&requests[i], first + i);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < connection_count; i++)
	{
		open_connection(&connections[i]);
		idle[idle_count++] = &connections[i];
	}
	took = run();
	qsort(latencies, (size_t) answered, sizeof(double), compare);
	printf("sent=%d ok=%d errors=%d seconds=%.3f rate=%.0f p50=%.3f p90=%.3f p99=%.3f max=%.3f\n",
		   next_request, answered, errors, took, answered / took,
		   answered ? latencies[(int) (0.50 * (answered - 1))] : 0,
		   answered ? latencies[(int) (0.90 * (answered - 1))] : 0,
		   answered ? latencies[(int) (0.99 * (answered - 1))] : 0,
		   answered ? latencies[answered - 1] : 0);
	return errors > 0 ? 1 : 0;
}
