/*
 * talk.c
 *		Mails whose log-in is over, beside libcurl's requests on the same
 *		descriptor: their sockets are watched here, and mail.c says what is said.
 */
#include "courier/talk.h"

#include "base/monotonic.h"
#include "courier/fence.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static LarasHttpCall *talking = NULL;
static int epoll_fd = -1;

void
laras_talk_settle(LarasHttpCall *call, CURLcode code)
{
	LarasMail *mail = call->state->mail;

	laras_mail_hang_up(mail);
	call->end = laras_mail_end(mail, code, &call->http_status);
	free(call->body);
	call->body = laras_http_copy(mail->reply, mail->reply_n);
	call->body_n = call->body == NULL ? 0 : mail->reply_n;
	if (call->end != LARAS_HTTP_ANSWERED)
		call->http_status = 0;
}

static void
stop_talking(LarasHttpCall *call, CURLcode code)
{
	LarasHttpCall **at = &talking;

	while (*at != call)
		at = &(*at)->state->next;
	*at = call->state->next;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, call->state->socket, NULL);
	laras_http_settle(call, code);
}

/* Say and hear what goes without waiting. What leaves, leaves inside the fence. */
static void
talk(LarasHttpCall *call)
{
	struct epoll_event event = {0};
	LarasMailWant want;

	laras_fence_hold();
	want = laras_mail_go_on(call->state->mail, call->state->easy, laras_http_may_go, call->owner);
	laras_fence_release();
	event.data.fd = call->state->socket;
	event.events = want == LARAS_MAIL_WRITE ? EPOLLOUT : EPOLLIN;
	if (want == LARAS_MAIL_NOTHING ||
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, call->state->socket, &event) != 0)
		stop_talking(call, CURLE_OK);
}

void
laras_talk_begin(LarasHttpCall *call, int epoll)
{
	struct epoll_event event = {.events = EPOLLOUT};
	int fd = laras_mail_begin(call->state->mail, call->state->easy);

	epoll_fd = epoll;
	event.data.fd = fd;
	if (fd < 0 || (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 &&
				   (errno != EEXIST || epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)))
	{
		laras_http_settle(call, CURLE_OK);
		return;
	}
	call->state->socket = fd;
	call->state->next = talking;
	talking = call;
}

bool
laras_talk_over(int fd)
{
	for (LarasHttpCall *call = talking; call != NULL; call = call->state->next)
		if (call->state->socket == fd)
		{
			talk(call);
			return true;
		}
	return false;
}

bool
laras_talk_end_late(void)
{
	int64_t now = talking == NULL ? 0 : laras_monotonic_ms();
	bool ended = false;

	for (LarasHttpCall *call = talking; call != NULL;)
	{
		LarasHttpCall *next = call->state->next;

		if (call->state->until_ms <= now)
		{
			stop_talking(call, CURLE_OPERATION_TIMEDOUT);
			ended = true;
		}
		call = next;
	}
	return ended;
}

int64_t
laras_talk_until(int64_t until)
{
	for (const LarasHttpCall *call = talking; call != NULL; call = call->state->next)
		if (until < 0 || call->state->until_ms < until)
			until = call->state->until_ms;
	return until;
}
