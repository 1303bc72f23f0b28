/*
 * email.h
 *		What the files of the email driver share.
 *
 * email.c			records of a mail that was read.
 * email_mime.c		bytes of a mail to a document, through GMime.
 * email_header.c	its header in the document.
 * email_report.c	what became of another mail.
 * email_text.c		what of a text is to be read: markup, quotes, stray bytes.
 * email_send.c		a mail of ours, and what a mail server answers.
 * email_connect.c	credentials of a mail server, tried before they are kept.
 */
#ifndef LARAS_EMAIL_H
#define LARAS_EMAIL_H

#include "channel/channel.h"
#include "channel/connect.h"

extern const struct LarasSendDriver laras_email_send;
extern const struct LarasConnectDriver laras_email_connect;

/*
 * A mail as a document (its members stand in email_mime.c), or NULL with
 * *reason. Holds nothing of GMime's when it returns. The caller's to release.
 */
extern json_t *laras_email_read(const char *bytes, size_t n, const char **reason);

/* The library is ready; once a process. */
extern void laras_email_begin(void);

/* ------------------------------------------------------------------- texts */

/* a growing text; malloc'd. Once memory was short, or the limit reached, it grows no more. */
typedef struct LarasMailText
{
	char *s; /* NULL: empty */
	size_t n;
	size_t room;
	size_t limit;
	bool cut; /* something did not fit */
} LarasMailText;

extern void laras_mail_add(LarasMailText *t, const char *s, size_t n);
extern void laras_mail_free(LarasMailText *t);

/* Well-formed UTF-8 without control characters but newline and tab, lines without blanks at their ends. */
extern void laras_mail_clean(LarasMailText *to, const char *s, size_t n);

/* RFC 3676: lines that were broken to fit are one again. */
extern void laras_mail_unflow(LarasMailText *to, const char *s, size_t n, bool delsp);

/* Text of HTML: quotations get "> " before their lines. */
extern void laras_mail_of_html(LarasMailText *to, const char *s, size_t n);

/*
 * How many bytes of a text are the writer's own: what follows is the mail that
 * is answered, or a signature. All of it, where an answer stands between quoted
 * lines or nothing would be left.
 */
extern size_t laras_mail_own_part(const char *s, size_t n);

/* --------------------------------------------------------------- addresses */

/*
 * One address: as it is written to (the domain in lower case), and as it is
 * compared (all of it). Absent where it is none that we could write to.
 */
extern LarasText laras_mail_address(const LarasAllocator *allocator, LarasText t, bool compared);

/* what a Message-ID of ours begins with; the callback data of the attempt follows, then an at sign */
#define LARAS_MAIL_MARK "laras."
/* The callback data in a Message-ID of that form; absent in any other. */
extern LarasText laras_mail_mark(LarasText message_id);

#endif /* LARAS_EMAIL_H */
