/*
 * tap.h
 *		"ok" and "not ok" lines for the programs under test/c; the Perl test
 *		that runs one counts them.  The last line, "done N", says that the program
 *		came to its end.
 */
#ifndef LARAS_TEST_TAP_H
#define LARAS_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count = 0;

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool good, const char *format, ...)
{
	va_list args;

	tap_count++;
	fputs(good ? "ok - " : "not ok - ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return good;
}

static inline int
tap_done(void)
{
	printf("done %d\n", tap_count);
	return 0;
}

#endif /* LARAS_TEST_TAP_H */
