/*
 * smtp_internal.h
 *		What the files of the pretended mail server share.
 *
 * smtp.c		sockets: connections, TLS, lines in and out.
 * dialog.c	what is said: log-ins and mails, and what scripted faults make of them.
 * mailbox.c	who may log in.
 */
#ifndef LARAS_SANDBOX_SMTP_INTERNAL_H
#define LARAS_SANDBOX_SMTP_INTERNAL_H

#include "sandbox/smtp.h"
#include "sandbox/tls.h"

typedef struct SbMailbox
{
	char *address;
	char *user;
	char *password;
	bool dead; /* the password is not taken any more */
	uint64_t accepted;
} SbMailbox;

/* Who logs in by that name; NULL: nobody. */
extern SbMailbox *sb_mailbox(const char *user);

extern void sb_mailboxes_reset(void);

typedef enum SbMailPhase
{
	PHASE_COMMAND,
	PHASE_PLAIN,    /* the answer to AUTH PLAIN */
	PHASE_USER,     /* to AUTH LOGIN: the user */
	PHASE_PASSWORD, /* and the password */
	PHASE_DATA,
	PHASE_SILENT /* a fault: nothing is answered any more */
} SbMailPhase;

typedef struct SbMailSession
{
	struct SbMailSession *next;
	int fd;
	LarasHttpWatch *watch;
	SbTls *tls;   /* NULL: in clear */
	bool turning; /* into TLS, once all is written */
	int wants;    /* what TLS waits for to write */
	SbMailPhase phase;
	SbBuffer in;
	SbBuffer out;
	SbBuffer mail;
	SbBuffer clear;  /* the commands that were given in clear, by their first words */
	SbBuffer secure; /* and those within TLS */
	char user[256];
	char sender[256];
	char recipient[256];
	SbMailbox *mailbox; /* who has logged in, or NULL */
	bool mail_begun;
	bool closing; /* once all is written */
	uint64_t number;
	uint32_t commands;
	SbTimer delay; /* before what is in out is written */
	bool held;
} SbMailSession;

#define SB_LARGEST_MAIL (1024 * 1024)

/* dialog.c: a line of the client, without its end; ends with a NUL. */
extern void sb_mail_line(SbMailSession *s, char *line, size_t n);

/* dialog.c: what was said before is forgotten, as STARTTLS has it. */
extern void sb_mail_begin(SbMailSession *s);

/* smtp.c: a reply, given when it is time. */
extern void sb_mail_say(SbMailSession *s, const char *line);

/* smtp.c: nothing is written for so long. */
extern void sb_mail_hold(SbMailSession *s, int delay_ms);

/* smtp.c: what was to be said is not, and the connection is reset. */
extern void sb_mail_reset(SbMailSession *s);

#endif
