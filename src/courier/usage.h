/*
 * usage.h
 *		What an answer's headers tell of the quota that is used up.
 *
 * Plain C: nothing here allocates or raises, so that libcurl's callbacks may call it.
 */
#ifndef LARAS_USAGE_H
#define LARAS_USAGE_H

#include <stddef.h>

typedef struct LarasQuota
{
	int percent; /* of the fullest of all that is counted; 0: nothing is told */
	int wait_s;  /* until the provider answers again, as it estimates; 0: nothing is told */
} LarasQuota;

typedef struct LarasUsage
{
	LarasQuota app;      /* of all that the app asks, whatever the account */
	LarasQuota business; /* of the business account */
} LarasUsage;

/*
 * Read one header line. X-App-Usage and X-Business-Use-Case-Usage each raise what is
 * there of theirs, every other line leaves it; figures beyond reason count as their bound.
 */
extern void laras_usage_read(LarasUsage *usage, const char *line, size_t n);

/* Milliseconds for which whoever used so much of it is left alone; 0: none. */
extern int laras_usage_rest(const LarasQuota *quota);

#endif /* LARAS_USAGE_H */
