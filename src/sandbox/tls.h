/*
 * tls.h
 *		TLS over a socket that does not block, as a server with one certificate.
 */
#ifndef LARAS_SANDBOX_TLS_H
#define LARAS_SANDBOX_TLS_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct SbTls SbTls;

/* What is shown to all, in PEM. False, and a line in the log, where it cannot be read. */
extern bool sb_tls_load(const char *certificate, const char *key);
extern bool sb_tls_is_loaded(void);

/* The server's half over that socket, which stays the caller's; NULL where memory is short. */
extern SbTls *sb_tls_begin(int fd);
extern void sb_tls_end(SbTls *tls);

/*
 * As recv and send: 0 at the end, -1 with errno. EAGAIN: *wants is what the socket
 * must be ready for first (LARAS_HTTP_...), which may be the other direction.
 */
extern ssize_t sb_tls_recv(SbTls *tls, void *buffer, size_t n, int *wants);
extern ssize_t sb_tls_send(SbTls *tls, const void *bytes, size_t n, int *wants);

#endif
