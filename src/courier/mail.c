/*
 * mail.c
 *		A mail through libcurl's multi handle.
 *
 * Invariants: a mail leaves at most once, since libcurl repeats no upload but
 * HTTP's and the handle has a connection of its own. Before the end of the mail
 * is given to libcurl nothing can have been taken by the server: whatever happens
 * until then is certain. After it the server's reply is, and only that.
 *
 * libcurl ends a connection with QUIT and waits for the answer where it stands,
 * which would stop every other request of the process for as long as a server
 * likes. So the reading side of the socket is shut as soon as the last reply has
 * come: QUIT goes out, and its answer is not waited for.
 */
#include "courier/mail.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

LarasMail *
laras_mail_new(const LarasEnvelope *envelope)
{
	LarasMail *mail = calloc(1, sizeof(LarasMail));

	if (mail == NULL)
		return NULL;
	mail->envelope = *envelope;
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		mail->sockets[i] = -1;
	return mail;
}

void
laras_mail_forget(LarasMail *mail)
{
	if (mail == NULL)
		return;
	curl_slist_free_all(mail->recipients);
	OPENSSL_cleanse(mail, sizeof(*mail));
	free(mail);
}

/* ------------------------------------------------------ libcurl's callbacks */

static int
on_open(void *user, curl_socket_t fd, curlsocktype purpose)
{
	LarasMail *mail = user;

	(void) purpose;
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (mail->sockets[i] < 0)
		{
			mail->sockets[i] = fd;
			return CURL_SOCKOPT_OK;
		}
	return CURL_SOCKOPT_ERROR;
}

static int
on_close(void *user, curl_socket_t fd)
{
	LarasMail *mail = user;

	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (mail->sockets[i] == fd)
			mail->sockets[i] = -1;
	return close(fd);
}

static void
stop_listening(LarasMail *mail)
{
	for (int i = 0; i < LARAS_MAIL_SOCKETS; i++)
		if (mail->sockets[i] >= 0)
			shutdown(mail->sockets[i], SHUT_RD);
}

/* Is that the last reply we need? */
static bool
is_last(const LarasMail *mail)
{
	if (mail->code >= 400)
		return true;
	if (mail->envelope.recipient[0] != '\0')
		return mail->ended;
	return mail->commanded;
}

/* A line of a reply, as libcurl passes it on: three digits, then a hyphen where more follow. */
static size_t
on_reply(char *bytes, size_t size, size_t count, void *user)
{
	LarasMail *mail = user;
	size_t n = size * count;
	size_t kept = n;

	if (n < 4 || bytes[0] < '2' || bytes[0] > '5' || bytes[1] < '0' || bytes[1] > '9' ||
		bytes[2] < '0' || bytes[2] > '9')
		return n;
	if (!mail->reply_open)
		mail->reply_n = 0;
	if (kept > sizeof(mail->reply) - mail->reply_n)
		kept = sizeof(mail->reply) - mail->reply_n;
	memcpy(mail->reply + mail->reply_n, bytes, kept);
	mail->reply_n += kept;
	mail->reply_open = bytes[3] == '-';
	if (mail->reply_open)
		return n;
	mail->code = (bytes[0] - '0') * 100 + (bytes[1] - '0') * 10 + (bytes[2] - '0');
	mail->answered = mail->ended;
	if (is_last(mail))
		stop_listening(mail);
	return n;
}

/* ------------------------------------------------------------------- handle */

bool
laras_mail_configure(LarasMail *mail, CURL *easy, const char *url, bool plain, const char *password,
					 size_t mail_n)
{
	const LarasEnvelope *e = &mail->envelope;
	char sender[sizeof(e->sender) + 2];

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long) (plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, mail);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, mail);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, mail);
	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
		(e->user[0] != '\0' && curl_easy_setopt(easy, CURLOPT_USERNAME, e->user) != CURLE_OK) ||
		(password != NULL && curl_easy_setopt(easy, CURLOPT_PASSWORD, password) != CURLE_OK))
		return false;
	if (e->recipient[0] == '\0')
		return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "NOOP") == CURLE_OK;
	snprintf(sender, sizeof(sender), "<%s>", e->sender);
	mail->recipients = curl_slist_append(NULL, e->recipient);
	return mail->recipients != NULL &&
		   curl_easy_setopt(easy, CURLOPT_MAIL_FROM, sender) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, mail->recipients) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) mail_n) == CURLE_OK;
}

LarasHttpEnd
laras_mail_end(const LarasMail *mail, CURLcode code, int *status)
{
	*status = mail->code;
	if (code == CURLE_OK)
		return LARAS_HTTP_ANSWERED;
	if (mail->ended)
		return mail->answered && mail->code >= 400 ? LARAS_HTTP_ANSWERED : LARAS_HTTP_UNKNOWN;
	/* a server that offers no way to log in has refused it too */
	if (code == CURLE_LOGIN_DENIED && mail->code < 400)
		*status = 535;
	return *status >= 400 ? LARAS_HTTP_ANSWERED : LARAS_HTTP_NOT_SENT;
}
