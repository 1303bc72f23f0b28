/*
 * mail.c
 *		A mail over a connection that libcurl has opened and logged in on.
 *
 * MAIL, RCPT, DATA, the mail, each after the reply to what was before (RFC
 * 5321). Invariant: until the last piece of the mail is given to the socket
 * nothing can have been taken by the server, and whatever happens is certain;
 * after it only the server's reply is.
 *
 * libcurl ends a connection with QUIT and waits for the answer where it stands,
 * which would stop every other request of the process for as long as a server
 * likes. So the reading side of the socket is shut as soon as nothing is waited
 * for: QUIT goes out, and its answer is not looked for.
 */
#include "courier/mail.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* handed to the socket at once: as long as it is not the last, the mail is not complete */
#define LARGEST_PIECE 16384

/* The mail with dots doubled at the beginnings of lines, and its end (RFC 5321, 4.5.2). */
static bool
set_body(LarasMail *m, const char *mail, size_t n)
{
	size_t room = n + 8;
	bool begins = true;

	for (size_t i = 0; i < n; i++)
		room += mail[i] == '.';
	m->body = malloc(room);
	if (m->body == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		if (begins && mail[i] == '.')
			m->body[m->body_n++] = '.';
		m->body[m->body_n++] = mail[i];
		begins = mail[i] == '\n';
	}
	if (!begins)
	{
		memcpy(m->body + m->body_n, "\r\n", 2);
		m->body_n += 2;
	}
	memcpy(m->body + m->body_n, ".\r\n", 3);
	m->body_n += 3;
	return true;
}

LarasMail *
laras_mail_new(const LarasEnvelope *envelope, const char *mail, size_t mail_n)
{
	LarasMail *m = calloc(1, sizeof(LarasMail));

	if (m == NULL)
		return NULL;
	m->envelope = *envelope;
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		m->sockets[i] = -1;
	if (mail != NULL && !set_body(m, mail, mail_n))
	{
		free(m);
		return NULL;
	}
	return m;
}

void
laras_mail_forget(LarasMail *m)
{
	if (m == NULL)
		return;
	if (m->body != NULL)
		OPENSSL_cleanse(m->body, m->body_n);
	free(m->body);
	free(m->out);
	OPENSSL_cleanse(m, sizeof(*m));
	free(m);
}

/* ------------------------------------------------------ libcurl's callbacks */

static int
on_open(void *user, curl_socket_t fd, curlsocktype purpose)
{
	LarasMail *m = user;

	(void) purpose;
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (m->sockets[i] < 0)
		{
			m->sockets[i] = fd;
			return CURL_SOCKOPT_OK;
		}
	return CURL_SOCKOPT_ERROR;
}

static int
on_close(void *user, curl_socket_t fd)
{
	LarasMail *m = user;

	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (m->sockets[i] == fd)
			m->sockets[i] = -1;
	return close(fd);
}

void
laras_mail_hang_up(LarasMail *m)
{
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (m->sockets[i] >= 0)
			shutdown(m->sockets[i], SHUT_RD);
}

/* A line of a reply: three digits, then a hyphen where more follow. True: the reply is whole. */
static bool
take_line(LarasMail *m, const char *line, size_t n)
{
	if (n < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '9' ||
		line[2] < '0' || line[2] > '9')
		return false;
	if (!m->reply_open)
		m->reply_n = 0;
	if (n > sizeof(m->reply) - m->reply_n)
		n = sizeof(m->reply) - m->reply_n;
	memcpy(m->reply + m->reply_n, line, n);
	m->reply_n += n;
	m->reply_open = n > 3 && line[3] == '-';
	if (!m->reply_open)
		m->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	return !m->reply_open;
}

/* Replies while libcurl logs in. */
static size_t
on_reply(char *bytes, size_t size, size_t count, void *user)
{
	LarasMail *m = user;

	if (take_line(m, bytes, size * count) && m->code >= 400)
		laras_mail_hang_up(m);
	return size * count;
}

bool
laras_mail_configure(LarasMail *m, CURL *easy, const char *url, bool plain, const char *password)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long) (plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, m);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, m);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, m);
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_USERNAME, m->envelope.user) == CURLE_OK &&
		   (password == NULL || curl_easy_setopt(easy, CURLOPT_PASSWORD, password) == CURLE_OK);
}

/* --------------------------------------------------------------- the dialog */

/* What is to be sent next; an absent memory breaks it. */
static void
set_command(LarasMail *m, const char *word, const char *address)
{
	size_t room = strlen(word) + strlen(address) + 8;

	free(m->out);
	m->out = malloc(room);
	m->out_at = 0;
	m->out_n = 0;
	if (m->out == NULL)
		m->broken = true;
	else if (address[0] != '\0')
		m->out_n = (size_t) snprintf(m->out, room, "%s<%s>\r\n", word, address);
	else
		m->out_n = (size_t) snprintf(m->out, room, "%s\r\n", word);
}

int
laras_mail_begin(LarasMail *m, CURL *easy)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (m->body == NULL || curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
		fd == CURL_SOCKET_BAD)
		return -1;
	m->phase = LARAS_MAIL_SENDER;
	set_command(m, "MAIL FROM:", m->envelope.sender);
	return fd;
}

/* A reply came: what is said next. */
static void
answer(LarasMail *m)
{
	bool well = m->code >= 200 && m->code < 300;

	switch (m->phase)
	{
		case LARAS_MAIL_SENDER:
			m->phase = well ? LARAS_MAIL_RECIPIENT : LARAS_MAIL_OVER;
			if (well)
				set_command(m, "RCPT TO:", m->envelope.recipient);
			break;
		case LARAS_MAIL_RECIPIENT:
			m->phase = well ? LARAS_MAIL_DATA : LARAS_MAIL_OVER;
			if (well)
				set_command(m, "DATA", "");
			break;
		case LARAS_MAIL_DATA:
			m->phase = m->code == 354 ? LARAS_MAIL_BODY : LARAS_MAIL_OVER;
			if (m->code != 354)
				break;
			free(m->out);
			m->out = m->body;
			m->out_n = m->body_n;
			m->out_at = 0;
			m->body = NULL;
			break;
		default:
			m->phase = LARAS_MAIL_OVER;
	}
}

/* False: not all of it went. */
static bool
send_some(LarasMail *m, CURL *easy)
{
	while (m->out_at < m->out_n)
	{
		size_t sent = 0;
		size_t n = m->out_n - m->out_at < LARGEST_PIECE ? m->out_n - m->out_at : LARGEST_PIECE;
		bool last = m->phase == LARAS_MAIL_BODY && m->out_at + n == m->out_n;
		CURLcode code;

		m->ended = last;
		code = curl_easy_send(easy, m->out + m->out_at, n, &sent);
		if (code == CURLE_AGAIN)
		{
			m->ended = false;
			return false;
		}
		if (code != CURLE_OK)
		{
			m->broken = true;
			return false;
		}
		m->out_at += sent;
	}
	return true;
}

/* Reads lines until a reply is whole; false: none is yet. */
static bool
read_reply(LarasMail *m, CURL *easy)
{
	for (;;)
	{
		size_t n = 0;
		char c;
		CURLcode code = curl_easy_recv(easy, &c, 1, &n);

		if (code == CURLE_AGAIN)
			return false;
		if (code != CURLE_OK || n == 0)
		{
			m->broken = true;
			return false;
		}
		if (m->line_n < sizeof(m->line))
			m->line[m->line_n++] = c;
		if (c != '\n')
			continue;
		n = m->line_n;
		m->line_n = 0;
		if (take_line(m, m->line, n))
			return true;
	}
}

LarasMailWant
laras_mail_go_on(LarasMail *m, CURL *easy, bool (*may_go)(void *owner), void *owner)
{
	while (m->phase != LARAS_MAIL_OVER && !m->broken)
	{
		if (m->out_at < m->out_n)
		{
			if (may_go != NULL && !may_go(owner))
				break;
			if (!send_some(m, easy))
			{
				if (m->broken)
					break;
				return LARAS_MAIL_WRITE;
			}
			/* what came before an answer to this is none: nothing is said twice */
			m->code = 0;
		}
		if (!read_reply(m, easy))
		{
			if (m->broken)
				break;
			return LARAS_MAIL_READ;
		}
		answer(m);
	}
	return LARAS_MAIL_NOTHING;
}

LarasHttpEnd
laras_mail_end(const LarasMail *m, CURLcode code, int *status)
{
	bool wanted = m->envelope.recipient[0] != '\0';

	*status = m->code;
	if (code == CURLE_OK && !wanted)
		return LARAS_HTTP_ANSWERED;
	if (m->phase == LARAS_MAIL_OVER && m->code != 0)
		return LARAS_HTTP_ANSWERED;
	if (m->ended)
		return LARAS_HTTP_UNKNOWN;
	/* a server that offers no way to log in has refused it too */
	if (code == CURLE_LOGIN_DENIED && m->code < 400)
		*status = 535;
	return *status >= 400 ? LARAS_HTTP_ANSWERED : LARAS_HTTP_NOT_SENT;
}
