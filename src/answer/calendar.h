/*
 * calendar.h
 *		The opening hours of a workspace, and its clock.
 *
 *		The clock is laras_now() in the time zone of the workspace. Dates are days
 *		since 2000, as the server counts them; a day's minutes are counted from its
 *		midnight.
 */
#ifndef LARAS_ANSWER_CALENDAR_H
#define LARAS_ANSWER_CALENDAR_H

#include "answer/drafter.h"
#include "answer/span.h"
#include "pgtime.h"
#include "utils/date.h"

typedef struct LarasDayRow
{
	int64 id;
	int64 version;
	DateADT date; /* of a date's row; 0: a weekday's */
	const char *hours;
	const char *note;
	LarasOpenDay day;
} LarasDayRow;

typedef struct LarasCalendar
{
	pg_tz *zone;
	const char *zone_name;
	DateADT today;
	int minute;                    /* of today */
	const LarasDayRow *weekday[7]; /* monday is 0; NULL: not known */
	LarasDayRow *date;             /* from yesterday on, by their order */
	int dates;
} LarasCalendar;

/* Indonesian and English, monday first */
extern const char *const laras_day_names[7][2];

/*
 * The hours of a bound workspace, with the dates of so many days ahead. False
 * where there is no row.  Runs SQL as whoever calls.
 */
extern bool laras_read_calendar(int64 workspace_id, int ahead, LarasCalendar *c);

/* monday is 0 */
extern int laras_weekday_of(DateADT date);

/* The row of a date: its own, or the weekday's; NULL: not known. */
extern const LarasDayRow *laras_day_row(const LarasCalendar *c, DateADT date);

/* The next date of a weekday: today may be it, or not. */
extern DateADT laras_coming_day(const LarasCalendar *c, int weekday, bool not_today);

/* The span that goes on now, among today's and what yesterday's left; NULL: it is closed. */
extern const LarasSpan *
laras_going_on(const LarasCalendar *c, const LarasDayRow **row, DateADT *date);

/* The moment at which the clock of the zone shows this minute of the date. */
extern TimestampTz laras_moment_of(const LarasCalendar *c, DateADT date, int minute);
extern TimestampTz laras_end_of_day(const LarasCalendar *c, DateADT date);

/* The rows of the week and of the month to come, each with what is cited of it. */
typedef struct LarasHoursRow
{
	LarasSource source;
	const char *day; /* monday, or 2026-12-25 */
	const char *hours;
	const char *note;
} LarasHoursRow;

/* *now: the local time, as "Sunday 2026-11-22 15:04 (Asia/Jakarta)". Returns how many rows. */
extern int laras_list_hours(int64 workspace_id, LarasHoursRow **rows, const char **now);

/* The same rows as sources, at most max of them. Returns how many. */
extern int laras_hours_sources(int64 workspace_id, LarasSource *sources, int max);

#endif /* LARAS_ANSWER_CALENDAR_H */
