/*
 * usage.h
 *		What an answer's headers tell of the quota that is used up.
 *
 * Plain C: nothing here allocates or raises, so that libcurl's callbacks may call it.
 */
#ifndef LARAS_USAGE_H
#define LARAS_USAGE_H

#include <stddef.h>

typedef struct LarasUsage
{
	int percent; /* of the fullest of all that is counted; 0: nothing is told */
	int wait_s;  /* until the provider answers again, as it estimates; 0: nothing is told */
} LarasUsage;

/*
 * Read one header line. X-App-Usage and X-Business-Use-Case-Usage raise what is
 * there, every other line leaves it; figures beyond reason count as their bound.
 */
extern void laras_usage_read(LarasUsage *usage, const char *line, size_t n);

/* Milliseconds for which an account that used so much is left alone; 0: none. */
extern int laras_usage_rest(const LarasUsage *usage);

#endif /* LARAS_USAGE_H */
