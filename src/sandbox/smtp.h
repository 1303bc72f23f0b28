/*
 * smtp.h
 *		The pretended mail server: addresses that may log in and send.
 */
#ifndef LARAS_SANDBOX_SMTP_H
#define LARAS_SANDBOX_SMTP_H

#include "relay/http_server.h"
#include "sandbox/sandbox.h"

/* Listens on "127.0.0.1:PORT", in the server's loop. */
extern bool sb_smtp_listen(LarasHttpServer *server, const char *address);

/* Control call: POST mailbox. */
extern void sb_put_mailbox(SbCall *call);

extern void sb_smtp_reset(void);

#endif
