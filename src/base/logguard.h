/*
 * logguard.h
 *		Keeps what looks like a provider's token, and statements that carry a
 *		secret, out of the server log.
 */
#ifndef LARAS_LOGGUARD_H
#define LARAS_LOGGUARD_H

#include <stddef.h>

/* In _PG_init: from now on every record of this server passes the guard. */
extern void laras_log_guard_init(void);

/*
 * Texts of this form are tokens: prefix, then at least `least` letters and
 * digits. In _PG_init alone; prefix must last. Letters and digits only.
 */
extern void laras_log_guard_shape(const char *prefix, size_t least);

/*
 * At the start of a function that takes a secret: what pg_stat_activity shows
 * of this statement from now on names the function and not its arguments.
 */
extern void laras_hide_statement(const char *function);

#endif /* LARAS_LOGGUARD_H */
