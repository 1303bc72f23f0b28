/*
 * http.c
 *		libcurl multi on one epoll descriptor.
 *
 * libcurl's resolver starts threads; a thread must never run one of the
 * server's signal handlers, so every call that may start one runs with all
 * signals blocked, which the thread inherits.
 *
 * Invariant: a request goes out at most once. A POST body is given through a
 * read callback without a seek callback, which makes libcurl fail
 * (CURLE_SEND_FAIL_REWIND) where it would otherwise repeat the request on a
 * fresh connection; requests without a body are forbidden to reuse a
 * connection that could be dead (seen with libcurl 7.88: one call, two POSTs).
 * What is different of a mail is in talk.c and mail.c.
 */
#include "courier/http.h"

#include "base/fault.h"
#include "base/monotonic.h"
#include "courier/egress.h"
#include "courier/fence.h"
#include "courier/talk.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define CONNECT_MS 5000L
#define LARGEST_ANSWER (1024 * 1024)

/* a long body has longer, as if it went that fast */
#define BYTES_A_MS 128

/* of an answer in parts: in all, and bytes a second that count as something */
#define PARTS_MS (15L * 60 * 1000)
#define HARDLY_ANYTHING 512L

static CURLM *multi = NULL;
static int epoll_fd = -1;
static int64_t deadline_ms = -1; /* when libcurl wants to be called */
static int in_flight = 0;        /* begun and not given back */
static int64_t held = 0;         /* bytes of bodies to be sent */
static int running = 0;          /* of these, given to libcurl */
static LarasHttpCall *waiting_first = NULL;
static LarasHttpCall *waiting_last = NULL;
static LarasHttpCall *ended_first = NULL;
static LarasHttpCall *ended_last = NULL;
static long total_ms = 30000;

/* a peer that keeps answering at once does not keep us here for ever */
#define DRIVE_ROUNDS 32

/* handles that wait for their next POST */
#define POOL LARAS_HTTP_CONNECTIONS

static CURL *pool[POOL];
static int pool_count = 0;

static void
block_signals(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, saved);
}

static void
restore_signals(const sigset_t *saved)
{
	sigprocmask(SIG_SETMASK, saved, NULL);
}

/* ------------------------------------------------------ libcurl's callbacks */

static int
on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known)
{
	struct epoll_event event = {0};

	(void) easy;
	(void) user;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, socket, NULL);
		curl_multi_assign(multi, socket, NULL);
		return 0;
	}
	if (known == NULL)
		LARAS_FAULT("courier_connecting");
	/* newer releases of libcurl tell of a socket only when they await the answer */
	if (what == CURL_POLL_IN)
		LARAS_FAULT("courier_asked");
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
	deadline_ms = ms < 0 ? -1 : laras_monotonic_ms() + ms;
	return 0;
}

#ifdef LARAS_FAULTS
/* a host's address is about to be looked for */
static int
on_resolve(void *resolver, void *reserved, void *user)
{
	(void) resolver;
	(void) reserved;
	(void) user;
	LARAS_FAULT("courier_resolving");
	return 0;
}
#endif

static bool (*guard)(void *owner) = NULL;

void
laras_http_set_guard(bool (*may_go)(void *owner))
{
	guard = may_go;
}

bool
laras_http_may_go(void *owner)
{
	return guard == NULL || guard(owner);
}

void
laras_http_set_timeout(int ms)
{
	total_ms = ms;
}

/* Let libcurl act on a socket. What it begins, it begins inside the fence. */
static void
act(curl_socket_t socket, int mask)
{
	int running;

	laras_fence_hold();
	curl_multi_socket_action(multi, socket, mask, &running);
	laras_fence_release();
}

/* the connection stands; the request may go, unless what it speaks for was cut meanwhile */
static int
on_request(void *user, char *to, char *from, int to_port, int from_port)
{
	LarasHttpCall *call = user;

	(void) to;
	(void) from;
	(void) to_port;
	(void) from_port;
	return laras_http_may_go(call->owner) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* a line of the answer's head */
static size_t
on_header(char *line, size_t size, size_t count, void *user)
{
	LARAS_FAULT("courier_head");
	laras_usage_read(&((LarasHttpCall *) user)->usage, line, size * count);
	return size * count;
}

static size_t
on_read(char *buffer, size_t size, size_t count, void *user)
{
	struct LarasHttpState *state = ((LarasHttpCall *) user)->state;
	size_t n = size * count;

	LARAS_FAULT("courier_body");
	if (n > state->request_n - state->request_at)
		n = state->request_n - state->request_at;
	memcpy(buffer, state->request + state->request_at, n);
	state->request_at += n;
	return n;
}

/* calls whose answers come in parts */
static LarasHttpCall *in_parts = NULL;

/* Is this the answer that was asked for in parts, and not word of why there is none? */
static bool
comes_in_parts(const struct LarasHttpState *state)
{
	long status = 0;

	if (state->part == 0)
		return false;
	curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 200;
}

static size_t
on_write(char *bytes, size_t size, size_t count, void *user)
{
	LarasHttpCall *call = user;
	struct LarasHttpState *state = call->state;
	size_t n = size * count;
	bool parts = comes_in_parts(state);

	LARAS_FAULT("courier_answer");
	if (parts && call->body_n >= state->part)
	{
		state->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (parts ? n > state->most - state->taken - call->body_n : n > LARGEST_ANSWER - call->body_n)
	{
		state->too_large = true;
		return 0;
	}
	if (call->body_n + n + 1 > state->room)
	{
		size_t room = state->room == 0 ? 2048 : state->room;
		char *grown;

		while (room < call->body_n + n + 1)
			room *= 2;
		grown = realloc(call->body, room);
		if (grown == NULL)
			return 0;
		call->body = grown;
		state->room = room;
	}
	memcpy(call->body + call->body_n, bytes, n);
	call->body_n += n;
	call->body[call->body_n] = '\0';
	return n;
}

/* ------------------------------------------------------------ open and close */

bool
laras_http_open(void)
{
	sigset_t saved;
	bool ok;

	if (multi != NULL)
		return true;
	block_signals(&saved);
	ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (multi = curl_multi_init()) != NULL;
	restore_signals(&saved);
	if (!ok)
		return false;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return false;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) LARAS_HTTP_CONNECTIONS);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) LARAS_HTTP_CONNECTIONS);
	return true;
}

void
laras_http_close(void)
{
	/* the process ends: sockets close with it, secrets were wiped per call */
	if (epoll_fd >= 0)
		close(epoll_fd);
	epoll_fd = -1;
}

int
laras_http_descriptor(void)
{
	return epoll_fd;
}

int
laras_http_timeout(void)
{
	int64_t until = laras_talk_until(deadline_ms);
	int64_t left;

	if (until < 0)
		return -1;
	left = until - laras_monotonic_ms();
	return left < 0 ? 0 : (int) left;
}

int64_t
laras_http_held(void)
{
	return held;
}

int
laras_http_in_flight(void)
{
	return in_flight;
}

/* ------------------------------------------------------------------- start */

static bool
add_header(struct LarasHttpState *state, const char *header)
{
	struct curl_slist *list = curl_slist_append(state->headers, header);

	if (list == NULL)
		return false;
	state->headers = list;
	return true;
}

/* curl_slist copies what it is given: the copy of a secret is wiped too */
static void
wipe_headers(struct LarasHttpState *state)
{
	for (struct curl_slist *h = state->headers; h != NULL; h = h->next)
		if (strncmp(h->data, "Authorization:", 14) == 0)
			OPENSSL_cleanse(h->data, strlen(h->data));
	curl_slist_free_all(state->headers);
	state->headers = NULL;
}

/* Only after a whole answer: what else a handle remembers of a failure is unknown. */
static void
give_back_easy(const LarasHttpCall *call, struct LarasHttpState *state)
{
	if (state->pooled && call->end == LARAS_HTTP_ANSWERED && pool_count < POOL)
	{
		curl_easy_setopt(state->easy, CURLOPT_HTTPHEADER, NULL);
		pool[pool_count++] = state->easy;
	}
	else
		curl_easy_cleanup(state->easy);
}

void
laras_http_free(LarasHttpCall *call)
{
	struct LarasHttpState *state;

	if (call == NULL)
		return;
	state = call->state;
	if (state != NULL)
	{
		if (state->easy != NULL)
			give_back_easy(call, state);
		wipe_headers(state);
		laras_mail_forget(state->mail);
		for (LarasHttpCall **at = &in_parts; *at != NULL; at = &(*at)->state->in_parts)
			if (*at == call)
			{
				*at = state->in_parts;
				break;
			}
		if (state->request != NULL)
			OPENSSL_cleanse(state->request, state->request_n);
		held -= (int64_t) state->request_n;
		free(state->request);
		free(state);
	}
	if (call->body != NULL)
		OPENSSL_cleanse(call->body, call->body_n);
	free(call->body);
	free(call);
}

/* Where a name of somebody else's choosing leads inside, there is no socket. */
static curl_socket_t
on_public_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *to)
{
	if (!laras_egress_is_public(&to->addr))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* What holds for every request. */
static void
configure_all(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
#ifdef LARAS_FAULTS
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
#endif
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

/* A handle for this request: one that has made such a request before, or a new one. */
static bool
take_easy(struct LarasHttpState *state, const char *method)
{
	bool post = state->request != NULL && strcmp(method, "POST") == 0;

	if (post && pool_count > 0)
		state->easy = pool[--pool_count];
	else
	{
		state->easy = curl_easy_init();
		if (state->easy == NULL)
			return false;
		configure_all(state->easy);
		if (state->request != NULL)
			curl_easy_setopt(state->easy, CURLOPT_POST, 1L);
		else
			/* nothing to rewind, so libcurl could repeat it: use a connection of its own */
			curl_easy_setopt(state->easy, CURLOPT_FRESH_CONNECT, 1L);
		if (strcmp(method, state->request != NULL ? "POST" : "GET") != 0)
			curl_easy_setopt(state->easy, CURLOPT_CUSTOMREQUEST, method);
	}
	state->pooled = post;
	return true;
}

static char next_header[300];

bool
laras_http_with_header(const char *header)
{
	size_t n = strlen(header);

	next_header[0] = '\0';
	if (n >= sizeof(next_header) || strpbrk(header, "\r\n") != NULL)
		return false;
	memcpy(next_header, header, n + 1);
	return true;
}

static size_t next_part = 0;
static uint64_t next_most = 0;

void
laras_http_with_parts(size_t n, uint64_t most)
{
	next_part = n;
	next_most = most;
}

static bool next_public = false;

void
laras_http_with_public(void)
{
	next_public = true;
}

/* What was said of the next call was said of this one. */
static void
forget_next(void)
{
	next_header[0] = '\0';
	next_part = 0;
	next_public = false;
}

/* The answer is to come in parts. */
static void
configure_parts(LarasHttpCall *call)
{
	CURL *easy = call->state->easy;

	call->state->part = next_part;
	call->state->most = next_most;
	call->state->in_parts = in_parts;
	in_parts = call;
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, PARTS_MS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, HARDLY_ANYTHING);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, total_ms < 1000 ? 1L : total_ms / 1000);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) next_most);
}

/* What belongs to one call. */
static void
configure_call(LarasHttpCall *call)
{
	CURL *easy = call->state->easy;

	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
					 total_ms + (long) (call->state->request_n / BYTES_A_MS));
}

static bool
configure(LarasHttpCall *call, const char *url, const char *content_type)
{
	struct LarasHttpState *state = call->state;
	CURL *easy = state->easy;
	char type[128];

	snprintf(type, sizeof(type), "Content-Type: %s",
			 content_type ? content_type : "application/json");
	if (next_header[0] != '\0' && !add_header(state, next_header))
		return false;
	if (!add_header(state, "Expect:") || (state->request != NULL && !add_header(state, type)))
		return false;
	if (state->request != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) state->request_n);
	configure_call(call);
	if (next_part > 0)
		configure_parts(call);
	if (next_public && !laras_egress_plain(url, strlen(url)))
	{
		/* and the handle serves no other request */
		state->pooled = false;
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_public_socket);
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, state->headers);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, strncmp(url, "http:", 5) == 0 ? "http" : "https");
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

/* Hand the call to libcurl, which begins it at the next drive. */
static bool
run(LarasHttpCall *call)
{
	if (curl_multi_add_handle(multi, call->state->easy) != CURLM_OK)
		return false;
	running++;
	return true;
}

static bool
wait_for_connection(LarasHttpCall *call)
{
	if (waiting_last != NULL)
		waiting_last->state->next = call;
	else
		waiting_first = call;
	waiting_last = call;
	return true;
}

/*
 * The URL with the token at its place; malloc'd, and *n grows by it. NULL where
 * memory is short, or the token holds what would be more than a piece of a path.
 */
static char *
address_of(const char *url, size_t *n, const char *token, size_t token_n, size_t token_at)
{
	char *address;
	size_t url_n = *n;

	if (token_at == 0 || token == NULL)
		token_n = token_at = 0;
	else if (token_at > url_n)
		return NULL;
	for (size_t i = 0; i < token_n; i++)
	{
		char c = token[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  c == '-' || c == '_' || c == '.' || c == ':' || c == '~'))
			return NULL;
	}
	address = malloc(url_n + token_n + 1);
	if (address == NULL)
		return NULL;
	memcpy(address, url, token_at);
	if (token_n > 0)
		memcpy(address + token_at, token, token_n);
	memcpy(address + token_at + token_n, url + token_at, url_n - token_at);
	*n = url_n + token_n;
	address[*n] = '\0';
	return address;
}

LarasHttpCall *
laras_http_start(const char *method, const char *url, size_t url_n, const char *content_type,
				 const char *body, size_t body_n, const char *token, size_t token_n,
				 size_t token_at, void *owner)
{
	LarasHttpCall *call = calloc(1, sizeof(LarasHttpCall));
	size_t address_n = url_n;
	char *address = address_of(url, &address_n, token, token_n, token_at);
	sigset_t saved;
	bool ok = false;

	if (call == NULL || address == NULL || (call->state = calloc(1, sizeof(*call->state))) == NULL)
	{
		forget_next();
		laras_http_give_back(address, address_n);
		laras_http_free(call);
		return NULL;
	}
	call->owner = owner;
	block_signals(&saved);
	if (laras_egress_allowed(url, url_n))
	{
		ok = true;
		if (body != NULL)
		{
			call->state->request = malloc(body_n + 1);
			ok = call->state->request != NULL;
			if (ok)
				memcpy(call->state->request, body, body_n);
			call->state->request_n = body_n;
			held += (int64_t) body_n;
		}
		ok = ok && take_easy(call->state, method);
		/* the next request of a handle does not begin with this one's URL */
		if (ok && token_at != 0)
			call->state->pooled = false;
		if (ok && token != NULL && token_at == 0)
		{
			size_t room = token_n + sizeof("Authorization: Bearer ");
			char *header = malloc(room);

			ok = header != NULL;
			if (ok)
			{
				snprintf(header, room, "Authorization: Bearer %.*s", (int) token_n, token);
				ok = add_header(call->state, header);
				OPENSSL_cleanse(header, room);
			}
			free(header);
		}
		ok = ok && configure(call, address, content_type);
		ok = ok && (running >= LARAS_HTTP_CONNECTIONS ? wait_for_connection(call) : run(call));
	}
	restore_signals(&saved);
	forget_next();
	laras_http_give_back(address, address_n);
	if (!ok)
	{
		laras_http_free(call);
		return NULL;
	}
	in_flight++;
	return call;
}

LarasHttpCall *
laras_http_start_mail(const char *url, size_t url_n, const LarasEnvelope *envelope,
					  const char *mail, size_t mail_n, const char *token, size_t token_n,
					  void *owner)
{
	LarasHttpCall *call = calloc(1, sizeof(LarasHttpCall));
	struct LarasHttpState *state = call == NULL ? NULL : calloc(1, sizeof(*state));
	char *address = laras_http_copy(url, url_n);
	char *password = token == NULL ? NULL : laras_http_copy(token, token_n);
	sigset_t saved;
	bool ok = state != NULL && address != NULL && (token == NULL || password != NULL);

	if (call != NULL)
		call->state = state;
	block_signals(&saved);
	if (ok && laras_egress_allowed(url, url_n))
	{
		call->owner = owner;
		state->mail = laras_mail_new(envelope, mail, mail_n);
		state->easy = curl_easy_init();
		state->socket = -1;
		state->until_ms = laras_monotonic_ms() + total_ms;
		ok = state->mail != NULL && state->easy != NULL;
		if (ok)
		{
			configure_all(state->easy);
			configure_call(call);
			ok = laras_mail_configure(state->mail, state->easy, address,
									  laras_egress_plain(url, url_n), password);
			call->name = state->mail->envelope.id;
		}
		ok = ok && (running >= LARAS_HTTP_CONNECTIONS ? wait_for_connection(call) : run(call));
	}
	else
		ok = false;
	restore_signals(&saved);
	laras_http_give_back(address, url_n);
	laras_http_give_back(password, token_n);
	if (!ok)
	{
		laras_http_free(call);
		return NULL;
	}
	in_flight++;
	return call;
}

/* ------------------------------------------------------------------ memory */

void *
laras_http_memory(size_t n)
{
	return calloc(1, n > 0 ? n : 1);
}

void *
laras_http_copy(const void *p, size_t n)
{
	char *copy = calloc(1, n + 1);

	if (copy != NULL && n > 0)
		memcpy(copy, p, n);
	return copy;
}

void
laras_http_give_back(void *p, size_t n)
{
	if (p != NULL)
		OPENSSL_cleanse(p, n);
	free(p);
}

void
laras_http_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* -------------------------------------------------------------------- ends */

static void
append_ended(LarasHttpCall *call)
{
	call->state->next = NULL;
	if (ended_last != NULL)
		ended_last->state->next = call;
	else
		ended_first = call;
	ended_last = call;
}

/* A connection is free: the next request may have it. */
static void
run_next(void)
{
	while (waiting_first != NULL && running < LARAS_HTTP_CONNECTIONS)
	{
		LarasHttpCall *call = waiting_first;

		waiting_first = call->state->next;
		if (waiting_first == NULL)
			waiting_last = NULL;
		call->state->next = NULL;
		if (!run(call))
		{
			call->end = LARAS_HTTP_NOT_SENT;
			call->curl_code = (int) CURLE_OUT_OF_MEMORY;
			append_ended(call);
		}
	}
}

/* What the answer's head says that a caller may want to know. */
static void
note_head(LarasHttpCall *call)
{
	curl_off_t length = -1;
	char *redirect = NULL;

	curl_easy_getinfo(call->state->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(call->state->easy, CURLINFO_REDIRECT_URL, &redirect);
	call->length = length;
	call->redirect = redirect;
}

void
laras_http_settle(LarasHttpCall *call, CURLcode code)
{
	long status = 0;
	long request_size = 0;

	LARAS_FAULT("courier_answered");
	call->curl_code = (int) code;
	call->state->paused = false;
	note_head(call);
	curl_easy_getinfo(call->state->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->state->easy, CURLINFO_REQUEST_SIZE, &request_size);
	if (call->state->mail != NULL)
		laras_talk_settle(call, code);
	else if (code == CURLE_OK)
	{
		call->end = LARAS_HTTP_ANSWERED;
		call->http_status = (int) status;
	}
	else if (request_size == 0 &&
			 (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
			  code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
			  code == CURLE_OPERATION_TIMEDOUT || code == CURLE_COULDNT_RESOLVE_PROXY ||
			  code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_ABORTED_BY_CALLBACK ||
			  code == CURLE_URL_MALFORMAT))
		call->end = LARAS_HTTP_NOT_SENT;
	else
		call->end = LARAS_HTTP_UNKNOWN;
	curl_multi_remove_handle(multi, call->state->easy);
	running--;
	append_ended(call);
}

/* ------------------------------------------------------------------- drive */

/* One look at timers, sockets and ends. False when there was nothing. */
static bool
drive_once(void)
{
	struct epoll_event events[64];
	bool due = deadline_ms >= 0 && laras_monotonic_ms() >= deadline_ms;
	bool ended = laras_talk_end_late();
	int n;
	int left;
	CURLMsg *message;

	if (due)
	{
		deadline_ms = -1;
		act(CURL_SOCKET_TIMEOUT, 0);
	}
	n = epoll_wait(epoll_fd, events, (int) (sizeof(events) / sizeof(events[0])), 0);
	for (int i = 0; i < n; i++)
	{
		int mask = (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
				   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				   (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

		if (!laras_talk_over(events[i].data.fd))
			act(events[i].data.fd, mask);
	}
	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		char *call = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		if (code == CURLE_OK && ((LarasHttpCall *) call)->state->mail != NULL)
			laras_talk_begin((LarasHttpCall *) call, epoll_fd);
		else
			laras_http_settle((LarasHttpCall *) call, code);
		ended = true;
	}
	run_next();
	return due || n > 0 || ended;
}

void
laras_http_drive(void)
{
	sigset_t saved;
	int rounds = DRIVE_ROUNDS;

	if (multi == NULL)
		return;
	block_signals(&saved);
	while (drive_once() && --rounds > 0)
		;
	restore_signals(&saved);
}

/* A call whose part waits to be taken, and is told of by nobody yet; NULL: none. */
static LarasHttpCall *
next_part_of(void)
{
	for (LarasHttpCall *call = in_parts; call != NULL; call = call->state->in_parts)
		if (call->state->paused && !call->part)
			return call;
	return NULL;
}

void
laras_http_go_on(LarasHttpCall *call, size_t taken)
{
	struct LarasHttpState *state = call->state;
	sigset_t saved;

	memmove(call->body, call->body + taken, call->body_n - taken);
	OPENSSL_cleanse(call->body + call->body_n - taken, taken);
	call->body_n -= taken;
	state->taken += taken;
	call->part = false;
	state->paused = false;
	block_signals(&saved);
	laras_fence_hold();
	curl_easy_pause(state->easy, CURLPAUSE_CONT);
	laras_fence_release();
	restore_signals(&saved);
}

void
laras_http_drop(LarasHttpCall *call)
{
	sigset_t saved;

	block_signals(&saved);
	curl_multi_remove_handle(multi, call->state->easy);
	running--;
	in_flight--;
	run_next();
	laras_http_free(call);
	restore_signals(&saved);
}

bool
laras_http_has_ended(void)
{
	return ended_first != NULL || next_part_of() != NULL;
}

LarasHttpCall *
laras_http_next(void)
{
	LarasHttpCall *call = ended_first;

	if (call == NULL)
	{
		call = next_part_of();
		if (call != NULL)
		{
			call->part = true;
			note_head(call);
		}
		return call;
	}
	ended_first = call->state->next;
	if (ended_first == NULL)
		ended_last = NULL;
	in_flight--;
	return call;
}
