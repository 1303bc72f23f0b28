/*
 * http.c
 *		libcurl multi on one epoll descriptor: calls begin, go on and end here.
 *
 * libcurl's resolver starts threads; a thread must never run one of the
 * server's signal handlers, so every call that may start one runs with all
 * signals blocked, which the thread inherits.
 *
 * How a call is made is in call.c, what it carries in body.c; what is different
 * of a mail is in talk.c and mail.c.
 */
#include "courier/http.h"

#include "base/fault.h"
#include "base/monotonic.h"
#include "courier/body.h"
#include "courier/fence.h"
#include "courier/talk.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static CURLM *multi = NULL;
static int epoll_fd = -1;
static int64_t deadline_ms = -1; /* when libcurl wants to be called */
static int in_flight = 0;        /* begun and not given back */
static int running = 0;          /* of these, given to libcurl */
static LarasHttpCall *waiting_first = NULL;
static LarasHttpCall *waiting_last = NULL;
static LarasHttpCall *ended_first = NULL;
static LarasHttpCall *ended_last = NULL;

/* a peer that keeps answering at once does not keep us here for ever */
#define DRIVE_ROUNDS 32

void
laras_http_block_signals(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, saved);
}

void
laras_http_restore_signals(const sigset_t *saved)
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

/* Let libcurl act on a socket. What it begins, it begins inside the fence. */
static void
act(curl_socket_t socket, int mask)
{
	int running;

	laras_fence_hold();
	curl_multi_socket_action(multi, socket, mask, &running);
	laras_fence_release();
}

/* ------------------------------------------------------------ open and close */

bool
laras_http_open(void)
{
	sigset_t saved;
	bool ok;

	if (multi != NULL)
		return true;
	laras_http_block_signals(&saved);
	ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (multi = curl_multi_init()) != NULL;
	laras_http_restore_signals(&saved);
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

int
laras_http_in_flight(void)
{
	return in_flight;
}

/* ------------------------------------------------------------------- begin */

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

bool
laras_http_begin(LarasHttpCall *call)
{
	return running >= LARAS_HTTP_CONNECTIONS ? wait_for_connection(call) : run(call);
}

void
laras_http_begun(void)
{
	in_flight++;
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
	laras_http_block_signals(&saved);
	while (drive_once() && --rounds > 0)
		;
	laras_http_restore_signals(&saved);
}

void
laras_http_drop(LarasHttpCall *call)
{
	sigset_t saved;

	laras_http_block_signals(&saved);
	curl_multi_remove_handle(multi, call->state->easy);
	running--;
	in_flight--;
	run_next();
	laras_http_free(call);
	laras_http_restore_signals(&saved);
}

bool
laras_http_has_ended(void)
{
	return ended_first != NULL || laras_body_part() != NULL;
}

LarasHttpCall *
laras_http_next(void)
{
	LarasHttpCall *call = ended_first;

	if (call == NULL)
	{
		call = laras_body_part();
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
