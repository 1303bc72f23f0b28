/*
 * span.c
 *		Reads and writes when a day is open, see span.h; and says what is wrong
 *		with a row of laras.opening_hours before it is stored.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/span.h"
#include "answer/written.h"
#include "base/compat.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(laras_check_opening_hours);

static const char *const weekdays[] = {"monday", "tuesday",  "wednesday", "thursday",
									   "friday", "saturday", "sunday"};

int
laras_weekday(const char *name)
{
	for (int i = 0; i < lengthof(weekdays); i++)
		if (strcmp(name, weekdays[i]) == 0)
			return i;
	return -1;
}

const char *
laras_weekday_name(int weekday)
{
	return weekdays[weekday];
}

/* "08:00" at *s, which moves behind it; -1: it is none. 24:00 is the end of a day. */
static int
read_time(const char **s)
{
	const char *t = *s;
	int minutes;

	if (!isdigit((unsigned char) t[0]) || !isdigit((unsigned char) t[1]) || t[2] != ':' ||
		!isdigit((unsigned char) t[3]) || !isdigit((unsigned char) t[4]) || t[3] > '5')
		return -1;
	minutes = ((t[0] - '0') * 10 + t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0';
	*s = t + 5;
	return minutes <= LARAS_DAY_MINUTES ? minutes : -1;
}

const char *
laras_read_spans(const char *text, LarasOpenDay *day)
{
	const char *s = text;

	day->n = 0;
	if (strcmp(text, "closed") == 0)
		return NULL;
	for (;;)
	{
		LarasSpan *span = &day->span[day->n];

		if (day->n == LARAS_SPANS)
			return "A day is open four times at most.";
		span->from = read_time(&s);
		if (span->from < 0 || span->from == LARAS_DAY_MINUTES || *s++ != '-' ||
			(span->to = read_time(&s)) < 0)
			return "Hours are closed, or times as 08:00-12:00, 13:00-17:00.";
		if (day->n > 0 && span->from <= day->span[day->n - 1].to)
			return "Times of one day stand in order and do not meet.";
		if (span->to == span->from)
			return "A time to open and to close are the same; all day is 00:00-24:00.";
		if (span->to < span->from)
			span->to += LARAS_DAY_MINUTES;
		day->n++;
		if (span->to - LARAS_DAY_MINUTES > day->span[0].from)
			return "A day that ends on the next one ends before it opened.";
		if (*s == '\0')
			return NULL;
		if (span->to > LARAS_DAY_MINUTES)
			return "Only the last time of a day may end on the next one.";
		if (*s++ != ',')
			return "Hours are closed, or times as 08:00-12:00, 13:00-17:00.";
		s += *s == ' ';
	}
}

void
laras_append_time(StringInfo out, int minutes, bool english)
{
	int hour;

	if (!english)
	{
		if (minutes > LARAS_DAY_MINUTES)
			minutes -= LARAS_DAY_MINUTES;
		appendStringInfo(out, "%02d.%02d", minutes / 60, minutes % 60);
		return;
	}
	minutes %= LARAS_DAY_MINUTES;
	if (minutes == 0)
	{
		appendStringInfoString(out, "midnight");
		return;
	}
	hour = minutes / 60 % 12;
	appendStringInfo(out, "%d", hour == 0 ? 12 : hour);
	if (minutes % 60 != 0)
		appendStringInfo(out, ".%02d", minutes % 60);
	appendStringInfoString(out, minutes < LARAS_DAY_MINUTES / 2 ? " am" : " pm");
}

void
laras_append_spans(StringInfo out, const LarasOpenDay *day, bool english, bool bare)
{
	if (day->n == 0)
	{
		appendStringInfoString(out, english ? "closed" : "tutup");
		return;
	}
	if (day->n == 1 && day->span[0].from == 0 && day->span[0].to == LARAS_DAY_MINUTES)
	{
		appendStringInfoString(out, english ? "24 hours" : "24 jam");
		return;
	}
	if (!bare)
		appendStringInfoString(out, english ? "from " : "pukul ");
	for (int i = 0; i < day->n; i++)
	{
		if (i > 0)
			appendStringInfoString(out, i < day->n - 1 ? ", " : english ? " and " : " dan ");
		laras_append_time(out, day->span[i].from, english);
		appendStringInfoString(out, english ? " to " : " sampai ");
		laras_append_time(out, day->span[i].to, english);
	}
}

/*
 * laras.check_opening_hours(weekday text, on_date date, hours text, note text)
 *		returns boolean
 *
 * True or an error; nulls where the columns have them.
 */
Datum
laras_check_opening_hours(PG_FUNCTION_ARGS)
{
	LarasOpenDay day;
	const char *problem;

	if (PG_ARGISNULL(0) == PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("opening hours are of a weekday or of a date"),
						errdetail("Exactly one of weekday and on_date is given.")));
	if (!PG_ARGISNULL(0) && laras_weekday(text_to_cstring(PG_GETARG_TEXT_PP(0))) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such weekday"),
						errdetail("It is one of monday, tuesday, wednesday, thursday, friday, "
								  "saturday, sunday.")));
	if (!PG_ARGISNULL(3))
	{
		text *note = PG_GETARG_TEXT_PP(3);

		laras_require_short("opening_hours", "note",
							(LarasText){VARDATA_ANY(note), VARSIZE_ANY_EXHDR(note)}, 200);
	}
	if (PG_ARGISNULL(2))
		PG_RETURN_BOOL(true);
	problem = laras_read_spans(text_to_cstring(PG_GETARG_TEXT_PP(2)), &day);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("hours cannot be read"),
				 errdetail("%s", problem),
				 errhint("Write what is open over midnight as one time, such as 18:00-02:00.")));
	PG_RETURN_BOOL(true);
}
