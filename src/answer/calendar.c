/*
 * calendar.c
 *		Reads laras.opening_hours and the clock of the workspace, see calendar.h.
 */
#include "postgres.h"

#include "answer/calendar.h"
#include "base/clock.h"
#include "base/spi.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* for a model, and for whoever is judged by them */
#define DAYS_LISTED 31

LARAS_PLAN(read_zone, "SELECT laras.time_zone()");

/* dates as days since 2000, as the server counts them */
LARAS_PLAN(
	read_hours,
	"SELECT o.id, o.version, o.weekday, o.on_date, o.hours, o.note FROM laras.opening_hours o "
	"WHERE o.workspace_id = $1 AND (o.on_date IS NULL OR o.on_date BETWEEN $2 - 1 AND $2 + $3) "
	"ORDER BY o.on_date NULLS FIRST",
	INT8OID, DATEOID, INT4OID);

const char *const laras_day_names[7][2] = {{"Senin", "Monday"},   {"Selasa", "Tuesday"},
										   {"Rabu", "Wednesday"}, {"Kamis", "Thursday"},
										   {"Jumat", "Friday"},   {"Sabtu", "Saturday"},
										   {"Minggu", "Sunday"}};

int
laras_weekday_of(DateADT date)
{
	return (j2day(date + POSTGRES_EPOCH_JDATE) + 6) % 7;
}

TimestampTz
laras_moment_of(const LarasCalendar *c, DateADT date, int minute)
{
	struct pg_tm tm = {0};
	int zone;

	date += minute / LARAS_DAY_MINUTES;
	minute %= LARAS_DAY_MINUTES;
	j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	tm.tm_hour = minute / 60;
	tm.tm_min = minute % 60;
	zone = DetermineTimeZoneOffset(&tm, c->zone);
	return ((int64) date * LARAS_DAY_MINUTES + minute) * USECS_PER_MINUTE +
		   (int64) zone * USECS_PER_SEC;
}

/* False where the zone or the time is none that the server can reckon with. */
static bool
read_clock(LarasCalendar *c)
{
	struct pg_tm tm;
	fsec_t fraction;
	int offset;

	laras_spi_open();
	c->zone_name = laras_spi_read(&read_zone, NULL, NULL) == 1 ? laras_spi_cstring(0, 1) : NULL;
	laras_spi_close();
	c->zone = c->zone_name != NULL ? pg_tzset(c->zone_name) : NULL;
	if (c->zone == NULL || timestamp2tm(laras_now(), &offset, &tm, &fraction, NULL, c->zone) != 0)
		return false;
	c->today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
	c->minute = tm.tm_hour * 60 + tm.tm_min;
	return true;
}

const LarasDayRow *
laras_day_row(const LarasCalendar *c, DateADT date)
{
	for (int i = 0; i < c->dates; i++)
		if (c->date[i].date == date)
			return &c->date[i];
	return c->weekday[laras_weekday_of(date)];
}

bool
laras_read_calendar(int64 workspace_id, int ahead, LarasCalendar *c)
{
	MemoryContext outside = CurrentMemoryContext;
	LarasDayRow *rows;
	uint64 n;

	memset(c, 0, sizeof(*c));
	if (!read_clock(c))
		return false;
	laras_spi_open();
	n = laras_spi_read(&read_hours,
					   (Datum[]){Int64GetDatum(workspace_id), DateADTGetDatum(c->today),
								 Int32GetDatum(ahead)},
					   NULL);
	rows = MemoryContextAllocZero(outside, sizeof(LarasDayRow) * (n + 1));
	for (uint64 i = 0; i < n; i++)
	{
		LarasDayRow *row = &rows[i];
		bool isnull;
		Datum date = laras_spi_value(i, 4, &isnull);

		row->id = laras_spi_int8(i, 1);
		row->version = laras_spi_int8(i, 2);
		row->hours = laras_spi_cstring(i, 5);
		row->note = laras_spi_cstring(i, 6);
		(void) laras_read_spans(row->hours, &row->day);
		if (isnull)
			c->weekday[laras_weekday(laras_spi_cstring(i, 3))] = row;
		else
		{
			row->date = DatumGetDateADT(date);
			if (c->dates++ == 0)
				c->date = row;
		}
	}
	laras_spi_close();
	return n > 0;
}

TimestampTz
laras_end_of_day(const LarasCalendar *c, DateADT date)
{
	return laras_moment_of(c, date + 1, 0);
}

DateADT
laras_coming_day(const LarasCalendar *c, int weekday, bool not_today)
{
	DateADT date = c->today + not_today;

	while (laras_weekday_of(date) != weekday)
		date++;
	return date;
}

const LarasSpan *
laras_going_on(const LarasCalendar *c, const LarasDayRow **row, DateADT *date)
{
	for (int back = 0; back <= 1; back++)
	{
		*date = c->today - back;
		*row = laras_day_row(c, *date);
		for (int i = 0; *row != NULL && i < (*row)->day.n; i++)
		{
			const LarasSpan *span = &(*row)->day.span[i];
			int minute = c->minute + back * LARAS_DAY_MINUTES;

			if (span->from <= minute && minute < span->to)
				return span;
		}
	}
	return NULL;
}

int
laras_list_hours(int64 workspace_id, LarasHoursRow **rows, const char **now)
{
	LarasCalendar c;
	int n = 0;
	int year;
	int month;
	int day;

	if (!laras_read_calendar(workspace_id, DAYS_LISTED, &c))
		return 0;
	*rows = palloc0(sizeof(LarasHoursRow) * (7 + c.dates));
	for (int i = 0; i < 7; i++)
		if (c.weekday[i] != NULL)
		{
			(*rows)[n].day = laras_weekday_name(i);
			(*rows)[n].source = (LarasSource){
				.table = "opening_hours",
				.id = c.weekday[i]->id,
				.version = c.weekday[i]->version,
				.quoted_for = laras_coming_day(&c, i, false),
			};
			(*rows)[n].hours = c.weekday[i]->hours;
			(*rows)[n++].note = c.weekday[i]->note;
		}
	for (int i = 0; i < c.dates; i++)
	{
		j2date(c.date[i].date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
		(*rows)[n].day = psprintf("%04d-%02d-%02d", year, month, day);
		(*rows)[n].source = (LarasSource){.table = "opening_hours",
										  .id = c.date[i].id,
										  .version = c.date[i].version};
		(*rows)[n].hours = c.date[i].hours;
		(*rows)[n++].note = c.date[i].note;
	}
	/* a model may say of now what is over when the doors open or close */
	{
		const LarasDayRow *row;
		DateADT date;
		const LarasSpan *span = laras_going_on(&c, &row, &date);
		TimestampTz until = laras_end_of_day(&c, c.today);

		if (span != NULL)
			until = Min(until, laras_moment_of(&c, date, span->to));
		row = laras_day_row(&c, c.today);
		for (int i = 0; row != NULL && i < row->day.n; i++)
			if (row->day.span[i].from > c.minute)
				until = Min(until, laras_moment_of(&c, c.today, row->day.span[i].from));
		for (int i = 0; i < n; i++)
			(*rows)[i].source.valid_until = until;
	}
	j2date(c.today + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	*now =
		psprintf("%s %04d-%02d-%02d %02d:%02d (%s)", laras_day_names[laras_weekday_of(c.today)][1],
				 year, month, day, c.minute / 60, c.minute % 60, c.zone_name);
	return n;
}

int
laras_hours_sources(int64 workspace_id, LarasSource *sources, int max)
{
	LarasHoursRow *rows;
	const char *now;
	int n = Min(laras_list_hours(workspace_id, &rows, &now), max);

	for (int i = 0; i < n; i++)
		sources[i] = rows[i].source;
	return n;
}
