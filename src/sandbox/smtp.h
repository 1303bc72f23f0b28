/*
 * smtp.h
 *		The pretended mail server: addresses that may log in and send.
 */
#ifndef LARAS_SANDBOX_SMTP_H
#define LARAS_SANDBOX_SMTP_H

#include "relay/http_server.h"
#include "sandbox/sandbox.h"

/*
 * Listens on "127.0.0.1:PORT", in the server's loop; secure: for TLS from the first
 * byte, else STARTTLS is offered where a certificate was given (tls.h).
 */
extern bool sb_smtp_listen(LarasHttpServer *server, const char *address, bool secure);

/* Control calls: POST mailbox, GET dialogs. */
extern void sb_put_mailbox(SbCall *call);
extern void sb_list_dialogs(SbCall *call);

extern void sb_smtp_reset(void);

#endif
