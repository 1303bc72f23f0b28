/*
 * tls.c
 *		TLS over a socket that does not block, as a server with one certificate.
 */
#include "sandbox/tls.h"

#include <errno.h>
#include <signal.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "relay/http_server.h"

static SSL_CTX *shown;

bool
sb_tls_load(const char *certificate, const char *key)
{
	shown = SSL_CTX_new(TLS_server_method());
	if (shown != NULL && SSL_CTX_use_certificate_chain_file(shown, certificate) == 1 &&
		SSL_CTX_use_PrivateKey_file(shown, key, SSL_FILETYPE_PEM) == 1)
	{
		/* what is to be sent moves in its buffer, and may go in pieces */
		SSL_CTX_set_mode(shown,
						 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		signal(SIGPIPE, SIG_IGN);
		return true;
	}
	laras_http_log("cannot read %s and %s: %s", certificate, key,
				   ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_free(shown);
	shown = NULL;
	return false;
}

bool
sb_tls_is_loaded(void)
{
	return shown != NULL;
}

SbTls *
sb_tls_begin(int fd)
{
	SSL *ssl = SSL_new(shown);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
	{
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return (SbTls *) ssl;
}

void
sb_tls_end(SbTls *tls)
{
	SSL_free((SSL *) tls);
}

/* What a call came to, of which OpenSSL said that. */
static ssize_t
came_to(SSL *ssl, int n, int *wants)
{
	*wants = 0;
	if (n > 0)
		return n;
	switch (SSL_get_error(ssl, n))
	{
		case SSL_ERROR_WANT_READ:
			*wants = LARAS_HTTP_READABLE;
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_WANT_WRITE:
			*wants = LARAS_HTTP_WRITABLE;
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_ZERO_RETURN:
			return 0;
		default:
			errno = ECONNRESET;
			return -1;
	}
}

ssize_t
sb_tls_recv(SbTls *tls, void *buffer, size_t n, int *wants)
{
	SSL *ssl = (SSL *) tls;

	ERR_clear_error();
	return came_to(ssl, SSL_read(ssl, buffer, (int) n), wants);
}

ssize_t
sb_tls_send(SbTls *tls, const void *bytes, size_t n, int *wants)
{
	SSL *ssl = (SSL *) tls;

	ERR_clear_error();
	return came_to(ssl, SSL_write(ssl, bytes, (int) n), wants);
}
