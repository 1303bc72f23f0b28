/*
 * egress.h
 *		The hosts that may be spoken to: those of laras.provider_host, and no
 *		other.
 */
#ifndef LARAS_EGRESS_H
#define LARAS_EGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Nothing here but laras_egress_refresh raises or pallocs. */

/*
 * Is this the URL of a provider, as far as its form says? https, smtps or smtp,
 * or http to a loopback address in test mode; no user part, no other scheme.
 */
extern bool laras_egress_sound(const char *url, size_t n);

/* Is it sound, and a mail server's? */
extern bool laras_egress_is_mail(const char *url, size_t n);

/* May that mail server be spoken to without TLS? A loopback address in test mode. */
extern bool laras_egress_plain(const char *url, size_t n);

/* And does its host stand on the list, as it was last read? */
extern bool laras_egress_allowed(const char *url, size_t n);

/* Read the list. In a transaction of the courier. */
extern void laras_egress_refresh(void);

#endif /* LARAS_EGRESS_H */
