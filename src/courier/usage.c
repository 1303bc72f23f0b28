/*
 * usage.c
 *		What an answer's headers tell of the quota that is used up.
 *
 * Source: "Rate limits" of the Graph API. X-App-Usage has call_count,
 * total_cputime and total_time, percents of a rolling hour; X-Business-Use-Case-
 * Usage has the same for each business object, and estimated_time_to_regain_access
 * in minutes. Who goes on calling while throttled stays throttled longer; so from
 * 80 percent on there is a pause after each answer, the longer the fuller.
 */
#include "courier/usage.h"

#include <string.h>
#include <strings.h>

#define SLOW_FROM 80
#define FULL 100
#define LONGEST_WAIT (60 * 60)

/* the most that a header of thousands of objects makes us read */
#define LONGEST_HEADER (64 * 1024)

static int
number_at(const char *s, const char *end)
{
	int n = 0;

	while (s < end && (*s == ' ' || *s == ':'))
		s++;
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		if (n < 1000000)
			n = n * 10 + (*s - '0');
	return n;
}

/* The largest number that follows this member anywhere; objects are nested, names are not ambiguous. */
static int
largest(const char *s, const char *end, const char *member)
{
	size_t n = strlen(member);
	int found = 0;

	for (; s + n < end; s++)
		if (*s == '"' && memcmp(s, member, n) == 0)
		{
			int value = number_at(s + n, end);

			found = value > found ? value : found;
		}
	return found;
}

static int
most(int a, int b)
{
	return a > b ? a : b;
}

void
laras_usage_read(LarasUsage *usage, const char *line, size_t n)
{
	static const char *const names[] = {"x-app-usage:", "x-business-use-case-usage:"};
	LarasQuota *const quotas[] = {&usage->app, &usage->business};
	const char *end = line + (n > LONGEST_HEADER ? LONGEST_HEADER : n);
	size_t i;
	int percent;
	int wait;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (n > strlen(names[i]) && strncasecmp(line, names[i], strlen(names[i])) == 0)
			break;
	if (i == sizeof(names) / sizeof(names[0]))
		return;
	percent =
		most(largest(line, end, "\"call_count\""),
			 most(largest(line, end, "\"total_cputime\""), largest(line, end, "\"total_time\"")));
	wait = largest(line, end, "\"estimated_time_to_regain_access\"");
	quotas[i]->percent = most(quotas[i]->percent, percent > FULL ? FULL : percent);
	quotas[i]->wait_s =
		most(quotas[i]->wait_s, wait > LONGEST_WAIT / 60 ? LONGEST_WAIT : wait * 60);
}

int
laras_usage_rest(const LarasQuota *quota)
{
	if (quota->wait_s > 0)
		return quota->wait_s * 1000;
	return quota->percent < SLOW_FROM ? 0 : (quota->percent - SLOW_FROM + 1) * 1000;
}
