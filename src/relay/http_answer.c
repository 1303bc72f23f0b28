/*
 * http_answer.c
 *		Answers: their heads, and sending them as far as the socket takes them.
 *
 * What is sent in one call is never copied; only what has to wait is.
 */
#include "relay/http_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

static const struct
{
	int status;
	const char *text;
} status_texts[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

const char *
laras_http_status_text(int status)
{
	for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	if (status < 300)
		return "Success";
	return status < 400 ? "Redirect" : status < 500 ? "Client Error" : "Server Error";
}

static const char *
date_now(LarasHttpServer *server)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != server->date_second)
	{
		server->date_second = now;
		gmtime_r(&now, &tm);
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return server->date;
}

/* Nothing that could end the line or the head early. */
static bool
field_is_valid(const LarasHttpField *field, char *lower, size_t size)
{
	size_t n = 0;

	for (const char *c = field->name; *c; c++)
	{
		bool alnum =
			(*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if ((!alnum && !strchr("!#$%&'*+-.^_`|~", *c)) || n + 1 == size)
			return false;
		lower[n++] = *c >= 'A' && *c <= 'Z' ? (char) (*c - 'A' + 'a') : *c;
	}
	lower[n] = '\0';
	for (const char *c = field->value; *c; c++)
		if ((unsigned char) *c < 0x20 ? *c != '\t' : *c == 0x7f)
			return false;
	return n > 0;
}

/* Length of the head made in server->head, 0 when a field is not valid or does not fit. */
static size_t
make_head(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	LarasHttpServer *server = exchange->server;
	char *head = server->head;
	size_t size = sizeof(server->head);
	size_t n;
	char lower[128];

	n = (size_t) snprintf(head, size, "HTTP/1.1 %d %s\r\nDate: %s\r\n", answer->status,
						  laras_http_status_text(answer->status), date_now(server));
	if (answer->status != 204 && answer->status != 304)
		n += (size_t) snprintf(head + n, size - n, "Content-Length: %zu\r\n", answer->body_length);
	if (exchange->close_after)
		n += (size_t) snprintf(head + n, size - n, "Connection: close\r\n");
	for (int i = 0; i < answer->nfields; i++)
	{
		const LarasHttpField *field = &answer->fields[i];
		size_t name = strlen(field->name);
		size_t value = strlen(field->value);

		if (!field_is_valid(field, lower, sizeof(lower)))
			return 0;
		if (laras_http_is_hop_by_hop(lower) || strcmp(lower, "date") == 0)
			continue;
		if (n + name + value + 8 > size)
			return 0;
		memcpy(head + n, field->name, name);
		n += name;
		head[n++] = ':';
		head[n++] = ' ';
		memcpy(head + n, field->value, value);
		n += value;
		head[n++] = '\r';
		head[n++] = '\n';
	}
	head[n++] = '\r';
	head[n++] = '\n';
	return n;
}

/* All is sent: on to the next request, or to the end of the connection. */
static void
finish(LarasHttpExchange *exchange)
{
	laras_http_connection_release(exchange);
	exchange->server->stats.answers++;
	if (!exchange->close_after)
	{
		laras_http_reader_reset(&exchange->reader);
		laras_http_connection_account(exchange);
		exchange->user = NULL;
		laras_http_connection_enter(exchange, PHASE_IDLE);
		laras_http_connection_arm(exchange, true, false);
		return;
	}
	laras_http_reader_free(&exchange->reader);
	laras_http_connection_account(exchange);
	laras_http_connection_enter(exchange, PHASE_LINGER);
	if (exchange->eof || shutdown(exchange->item.fd, SHUT_WR) != 0)
		laras_http_connection_close(exchange, false);
	else
		laras_http_connection_arm(exchange, true, false);
}

/* A body that was only lent: keeps what is left of it. */
static bool
own_body(LarasHttpExchange *exchange)
{
	size_t left = exchange->body_length - exchange->body_sent;
	char *copy = malloc(left + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, exchange->body + exchange->body_sent, left);
	exchange->body = copy;
	exchange->body_length = left;
	exchange->body_sent = 0;
	exchange->release = free;
	exchange->release_arg = copy;
	return true;
}

/*
 * Sends head and body now as far as the socket takes them; the rest follows
 * when it is writable. head is copied where it has to wait.
 */
static void
send_bytes(LarasHttpExchange *exchange, const char *head, size_t head_length)
{
	struct iovec parts[2] = {{(void *) head, head_length},
							 {(void *) exchange->body, exchange->body_length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = exchange->body_length ? 2 : 1};
	ssize_t sent;
	size_t of_head;

	laras_http_connection_enter(exchange, PHASE_WRITE);
	do
		sent = sendmsg(exchange->item.fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
	{
		laras_http_connection_close(exchange, false);
		return;
	}
	if (sent < 0)
		sent = 0;
	if ((size_t) sent == head_length + exchange->body_length)
	{
		finish(exchange);
		return;
	}
	of_head = (size_t) sent < head_length ? (size_t) sent : head_length;
	exchange->body_sent = (size_t) sent - of_head;
	exchange->out_length = head_length - of_head;
	if (exchange->out_length)
	{
		exchange->out = malloc(exchange->out_length);
		if (exchange->out == NULL)
		{
			exchange->out_length = 0;
			laras_http_connection_close(exchange, false);
			return;
		}
		memcpy(exchange->out, head + of_head, exchange->out_length);
	}
	if (exchange->body_length && exchange->release == NULL && !own_body(exchange))
	{
		laras_http_connection_close(exchange, false);
		return;
	}
	laras_http_connection_account(exchange);
	laras_http_connection_arm(exchange, !exchange->no_read, true);
}

void
laras_http_send_more(LarasHttpExchange *exchange)
{
	struct iovec parts[2] = {{exchange->out + exchange->out_sent,
							  exchange->out_length - exchange->out_sent},
							 {(void *) (exchange->body + exchange->body_sent),
							  exchange->body_length - exchange->body_sent}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t sent = sendmsg(exchange->item.fd, &message, MSG_NOSIGNAL);
	size_t of_head;

	if (sent < 0)
	{
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			laras_http_connection_close(exchange, false);
		return;
	}
	of_head = (size_t) sent < parts[0].iov_len ? (size_t) sent : parts[0].iov_len;
	exchange->out_sent += of_head;
	exchange->body_sent += (size_t) sent - of_head;
	if (exchange->out_sent == exchange->out_length && exchange->body_sent == exchange->body_length)
		finish(exchange);
	else
		laras_http_connection_progress(exchange);
}

/* Sends an answer on a connection in any phase before WRITE. */
static void
answer_now(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	static const LarasHttpAnswer broken = {.status = 500};
	bool bodiless = answer->status == 204 || answer->status == 304 || exchange->is_head;
	size_t head;

	exchange->release = answer->release;
	exchange->release_arg = answer->release_arg;
	if (!exchange->reader.keep_alive || answer->close || exchange->server->draining ||
		exchange->eof)
		exchange->close_after = true;
	head = answer->status < 200 || answer->status > 599 ? 0 : make_head(exchange, answer);
	if (head == 0)
	{
		laras_http_log("an answer had a status or a field that HTTP does not allow; sent 500");
		head = make_head(exchange, &broken);
		bodiless = true;
	}
	if (!bodiless && answer->body_length)
	{
		exchange->body = answer->body;
		exchange->body_length = answer->body_length;
	}
	send_bytes(exchange, exchange->server->head, head);
}

void
laras_http_send_status(LarasHttpExchange *exchange, int status)
{
	LarasHttpField fields[2] = {{"Content-Type", "text/plain"}, {"Retry-After", NULL}};
	LarasHttpAnswer answer = {.status = status, .fields = fields, .nfields = status == 503 ? 2 : 1};
	char body[64];
	char seconds[12];

	snprintf(seconds, sizeof(seconds), "%d", exchange->server->config.retry_after_s);
	fields[1].value = seconds;
	answer.body = body;
	answer.body_length =
		(size_t) snprintf(body, sizeof(body), "%d %s\n", status, laras_http_status_text(status));
	answer_now(exchange, &answer);
}

void
laras_http_send_refusal(LarasHttpExchange *exchange, int status)
{
	exchange->server->stats.refused++;
	exchange->close_after = true;
	laras_http_send_status(exchange, status);
}

/* True when the exchange may be answered; otherwise it is finished here. */
static bool
may_answer(LarasHttpExchange *exchange, void (*release)(void *), void *release_arg)
{
	if (!exchange->peer_gone)
		return true;
	if (release)
		release(release_arg);
	laras_http_connection_bury(exchange);
	return false;
}

void
laras_http_answer(LarasHttpExchange *exchange, const LarasHttpAnswer *answer)
{
	if (may_answer(exchange, answer->release, answer->release_arg))
		answer_now(exchange, answer);
}

void
laras_http_answer_status(LarasHttpExchange *exchange, int status)
{
	if (may_answer(exchange, NULL, NULL))
		laras_http_send_status(exchange, status);
}

void
laras_http_abort(LarasHttpExchange *exchange, bool reset)
{
	if (!may_answer(exchange, NULL, NULL))
		return;
	laras_http_connection_enter(exchange, PHASE_LINGER); /* nothing is owed any more */
	laras_http_connection_close(exchange, reset);
}

void
laras_http_answer_raw(LarasHttpExchange *exchange, const char *bytes, size_t length)
{
	if (!may_answer(exchange, NULL, NULL))
		return;
	exchange->close_after = true;
	send_bytes(exchange, bytes, length);
}
