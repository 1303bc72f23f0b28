/*
 * email_header.h
 *		What a mail's header says, as GMime reads it, in the document of
 *		email_mime.c. Absent values are NULL, and leave no member behind.
 */
#ifndef LARAS_EMAIL_HEADER_H
#define LARAS_EMAIL_HEADER_H

#include "channel/email.h"

#include <gmime/gmime.h>

/* A value as it stands, cleaned and cut to a length that honest ones do not reach. */
extern json_t *laras_mail_word(const char *s);

/* The id between the angle brackets of a field. */
extern json_t *laras_mail_id(const char *value);

/* {name, address} of each mailbox. */
extern json_t *laras_mail_addresses(InternetAddressList *list);

/* Set a member; takes the value over. */
extern void laras_mail_put(json_t *to, const char *member, json_t *value);
extern void laras_mail_put_word(json_t *to, const char *member, const char *s);

/* The members that tell of the header. */
extern void laras_mail_header(json_t *document, GMimeMessage *message);

/* Subtypes of message/ that are a mail, and is it one of these? GMime takes them for files. */
extern const char *const laras_mail_within[];
extern bool laras_mail_is_within(GMimeContentType *type);

/*
 * Decoded bytes of a part, at most limit, else *cut; the caller's, of GMime's
 * allocator. NULL: it has none.
 */
extern GByteArray *laras_mail_content(GMimePart *part, size_t limit, bool *cut);

/*
 * {kind, message_id, action, status, diagnostic, recipient, disposition} of the mail
 * that a report is about, which names itself in the copy of its header that comes
 * along; NULL where nothing is said of any.
 */
extern json_t *laras_mail_report(GMimeMultipart *multipart);

/* Read what others wrote wrongly; the caller's to free. */
extern GMimeParserOptions *laras_mail_options(void);

#endif /* LARAS_EMAIL_HEADER_H */
