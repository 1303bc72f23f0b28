/*
 * sends.c
 *		The bare loop beside which the courier is measured: the same WhatsApp
 *		text sends to the same sandbox by libcurl's multi interface on epoll,
 *		from one thread, over the same number of kept-alive connections - and
 *		nothing else. Nothing is read from a table, decided, sealed or written
 *		down; handles, headers and connections are used again and again.
 *
 * The output is "sent=.. ok=.. connections=.. seconds=.. rate=..".
 *
 * Built by the benchmark alone: cc -O2 sends.c -lcurl
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

typedef struct Send
{
	CURL *easy;
	char body[1024];
	char answer[4096];
	size_t answer_n;
} Send;

static const char *url;
static const char *token;
static const char *text = "halo";
static long count = 10000;
static long connection_count = 256;
static long people = 1000;
static long long first_person; /* phone number of the first */

static CURLM *multi;
static int epoll_fd;
static int64_t deadline_ms = -1;
static long begun;
static long ok;
static long connects;

static void
fail(const char *what)
{
	fprintf(stderr, "sends: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int
on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known)
{
	struct epoll_event event = {0};

	(void) easy;
	(void) user;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, socket, NULL);
		return 0;
	}
	event.data.fd = socket;
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0 &&
		errno == EEXIST)
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, socket, &event);
	curl_multi_assign(multi, socket, &epoll_fd);
	return 0;
}

static int
on_timer(CURLM *m, long ms, void *user)
{
	(void) m;
	(void) user;
	deadline_ms = ms < 0 ? -1 : now_us() / 1000 + ms;
	return 0;
}

static size_t
on_write(char *bytes, size_t size, size_t n, void *user)
{
	Send *send = user;

	n *= size;
	if (n >= sizeof(send->answer) - send->answer_n)
		return 0;
	memcpy(send->answer + send->answer_n, bytes, n);
	send->answer_n += n;
	send->answer[send->answer_n] = '\0';
	return n;
}

/* The next message through this handle; the callback data has the courier's length. */
static void
begin(Send *send)
{
	int n = snprintf(send->body, sizeof(send->body),
					 "{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\","
					 "\"to\":\"%lld\",\"type\":\"text\",\"text\":{\"body\":\"%s %ld\","
					 "\"preview_url\":false},\"biz_opaque_callback_data\":\"bare%018ld\"}",
					 first_person + begun % people, text, begun, begun);

	send->answer_n = 0;
	curl_easy_setopt(send->easy, CURLOPT_POSTFIELDSIZE, (long) n);
	if (curl_multi_add_handle(multi, send->easy) != CURLM_OK)
		fail("curl_multi_add_handle");
	begun++;
}

static void
end(Send *send, CURLcode code)
{
	long status = 0;
	long opened = 0;

	curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(send->easy, CURLINFO_NUM_CONNECTS, &opened);
	connects += opened;
	if (code == CURLE_OK && status == 200 && strstr(send->answer, "\"wamid.") != NULL)
		ok++;
	else if (ok == begun - connection_count)
		fprintf(stderr, "sends: %s, status %ld: %s\n", curl_easy_strerror(code), status,
				send->answer);
	curl_multi_remove_handle(multi, send->easy);
}

static void
options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		char *value = strchr(argv[i], '=');

		if (strncmp(argv[i], "--", 2) != 0 || value == NULL)
			fail(argv[i]);
		*value++ = '\0';
		if (strcmp(argv[i], "--url") == 0)
			url = value;
		else if (strcmp(argv[i], "--token") == 0)
			token = value;
		else if (strcmp(argv[i], "--text") == 0)
			text = value;
		else if (strcmp(argv[i], "--count") == 0)
			count = strtol(value, NULL, 10);
		else if (strcmp(argv[i], "--connections") == 0)
			connection_count = strtol(value, NULL, 10);
		else if (strcmp(argv[i], "--people") == 0)
			people = strtol(value, NULL, 10);
		else if (strcmp(argv[i], "--first-person") == 0)
			first_person = strtoll(value, NULL, 10);
		else
			fail(argv[i]);
	}
	if (url == NULL || token == NULL || count < connection_count)
		fail("--url, --token and --count are needed");
}

int
main(int argc, char **argv)
{
	char header[1024];
	struct curl_slist *headers = NULL;
	Send *sends;
	long done = 0;
	int64_t start;
	double seconds;

	options(argc, argv);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (multi = curl_multi_init()) == NULL ||
		(epoll_fd = epoll_create1(0)) < 0)
		fail("libcurl");
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connection_count);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connection_count);
	snprintf(header, sizeof(header), "Authorization: Bearer %s", token);
	headers = curl_slist_append(headers, header);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	sends = calloc((size_t) connection_count, sizeof(Send));
	if (sends == NULL)
		fail("memory");
	for (long i = 0; i < connection_count; i++)
	{
		CURL *easy = curl_easy_init();

		if (easy == NULL)
			fail("curl_easy_init");
		sends[i].easy = easy;
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, sends[i].body);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
		curl_easy_setopt(easy, CURLOPT_WRITEDATA, &sends[i]);
		curl_easy_setopt(easy, CURLOPT_PRIVATE, &sends[i]);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	}
	start = now_us();
	for (long i = 0; i < connection_count; i++)
		begin(&sends[i]);
	while (done < count)
	{
		struct epoll_event events[64];
		int64_t wait = deadline_ms < 0 ? 1000 : deadline_ms - now_us() / 1000;
		CURLMsg *message;
		int running;
		int left;
		int n = epoll_wait(epoll_fd, events, 64, wait < 0 ? 0 : (int) wait);

		for (int i = 0; i < n; i++)
			curl_multi_socket_action(multi, events[i].data.fd,
									 (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN
																			  : 0) |
										 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
										 (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0),
									 &running);
		if (deadline_ms >= 0 && now_us() / 1000 >= deadline_ms)
		{
			deadline_ms = -1;
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			char *send = NULL;
			CURLcode code = message->data.result;

			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &send);
			end((Send *) send, code);
			done++;
			if (begun < count)
				begin((Send *) send);
		}
	}
	seconds = (double) (now_us() - start) / 1000000;
	printf("sent=%ld ok=%ld connections=%ld seconds=%.3f rate=%.0f\n", done, ok, connects, seconds,
		   (double) done / seconds);
	return ok == count ? 0 : 1;
}
