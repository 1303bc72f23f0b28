/*
 * hours.c
 *		Answers about opening hours, see hours.h.
 *
 * Invariant: whatever is said of a day is said beside the citation of the row
 * that says it.  A date's own row comes before its weekday's; where a weekday's is
 * told of a date, the citation names that date, so that hours written for it
 * later make the draft stale.
 */
#include "postgres.h"

#include "answer/calendar.h"
#include "answer/hours.h"
#include "answer/whenasked.h"
#include "utils/datetime.h"

/* dates further away are not read */
#define DAYS_AHEAD 400
/* of a list of hours, other hours so many days ahead are told with it */
#define DAYS_TOLD 7

/* How a day is called. */
typedef enum Naming
{
	BY_NEARNESS, /* today, tomorrow; a weekday further away */
	BY_WEEKDAY,
	BY_DATE,
	BY_THAT_DAY /* of a date that was asked for */
} Naming;

/* An answer while it is made. */
typedef struct Telling
{
	const LarasCalendar *calendar;
	bool english;
	bool asks_closed; /* "is it closed already?" */
	StringInfoData text;
	LarasHoursAnswer *answer;
} Telling;

static const char *const month_names[12][2] = {
	{"Januari", "January"}, {"Februari", "February"}, {"Maret", "March"},
	{"April", "April"},     {"Mei", "May"},           {"Juni", "June"},
	{"Juli", "July"},       {"Agustus", "August"},    {"September", "September"},
	{"Oktober", "October"}, {"November", "November"}, {"Desember", "December"}};

/* ------------------------------------------------------------------ telling */

/* Cites a row; of a weekday's, for which date, where it was told of one. until: 0, as long as it is. */
static void
cite(Telling *t, const LarasDayRow *row, DateADT date, TimestampTz until)
{
	LarasHoursAnswer *answer = t->answer;
	LarasSource *source = NULL;

	for (int i = 0; i < answer->n; i++)
		if (answer->source[i].id == row->id)
			source = &answer->source[i];
	if (source == NULL)
	{
		Assert(answer->n < LARAS_HOURS_SOURCES);
		source = &answer->source[answer->n++];
		*source = (LarasSource){.table = "opening_hours", .id = row->id, .version = row->version};
	}
	if (row->date == 0 && date != 0)
		source->quoted_for = date;
	if (until != 0 && (source->valid_until == 0 || until < source->valid_until))
		source->valid_until = until;
}

/* "25 Desember 2026", "25 December 2026" */
static void
append_date(Telling *t, DateADT date)
{
	int year;
	int month;
	int day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	appendStringInfo(&t->text, "%d %s %d", day, month_names[month - 1][t->english], year);
}

/* "Hari ini (Minggu)", "On Friday, 25 December 2026,". */
static void
append_day(Telling *t, DateADT date, Naming naming, bool begins)
{
	const char *weekday = laras_day_names[laras_weekday_of(date)][t->english];
	int ahead = date - t->calendar->today;

	if (naming == BY_DATE)
	{
		appendStringInfo(&t->text, t->english ? "%s %s, " : "%s%s, ",
						 t->english ? (begins ? "On" : "on") : "", weekday);
		append_date(t, date);
		appendStringInfoString(&t->text, t->english || begins ? "," : "");
	}
	else if (naming == BY_THAT_DAY)
		appendStringInfo(&t->text, "%s (%s)",
						 t->english ? (begins ? "That day" : "that day")
									: (begins ? "Hari itu" : "hari itu"),
						 weekday);
	else if (naming == BY_NEARNESS && (ahead == 0 || ahead == 1))
	{
		const char *const name[2][2][2] = {{{"hari ini", "today"}, {"besok", "tomorrow"}},
										   {{"Hari ini", "Today"}, {"Besok", "Tomorrow"}}};

		appendStringInfo(&t->text, "%s (%s)", name[begins][ahead][t->english], weekday);
	}
	else if (t->english)
		appendStringInfo(&t->text, "%s %s", begins ? "On" : "on", weekday);
	else
		appendStringInfo(&t->text, "%s %s", begins ? "Hari" : "hari", weekday);
}

static void
append_note(Telling *t, const LarasDayRow *row)
{
	if (row->note[0] != '\0')
		appendStringInfo(&t->text, " (%s)", row->note);
}

static void
next_sentence(Telling *t)
{
	if (t->text.len > 0)
		appendStringInfoChar(&t->text, ' ');
}

/*
 * "Hari Minggu kami buka pukul 08.00 sampai 18.00." The words today and tomorrow
 * hold until the day is over, and so does what is said of a date.
 */
static void
tell_date(Telling *t, const LarasDayRow *row, DateADT date, Naming naming)
{
	DateADT today = t->calendar->today;

	if (date == today && naming == BY_DATE)
		naming = BY_NEARNESS;
	/* a date that the row does not hold is the customer's, and not repeated */
	else if (naming == BY_DATE && row->date == 0)
		naming = BY_THAT_DAY;
	else if (row->date != 0 && !(date == today && naming == BY_NEARNESS))
		naming = BY_DATE;
	next_sentence(t);
	append_day(t, date, naming, true);
	if (row->day.n == 0)
		appendStringInfoString(&t->text, t->english ? " we are closed" : " kami tutup");
	else
	{
		appendStringInfoString(&t->text, t->english ? " we are open " : " kami buka ");
		laras_append_spans(&t->text, &row->day, t->english, false);
	}
	append_note(t, row);
	appendStringInfoChar(&t->text, '.');
	cite(t, row, date,
		 laras_end_of_day(t->calendar, naming == BY_NEARNESS && date == today + 1 ? today : date));
}

/* Are the hours of two weekdays the same? */
static bool
are_alike(const LarasDayRow *one, const LarasDayRow *two)
{
	return one != NULL && two != NULL && strcmp(one->hours, two->hours) == 0;
}

/* "Senin sampai Jumat 08.00 sampai 17.00, Sabtu dan Minggu tutup": of the weekdays of the set. */
static void
tell_weekdays(Telling *t, uint8 set)
{
	const LarasCalendar *c = t->calendar;
	bool all = set == 0x7f;
	const char *separator = "";

	for (int i = 1; i < 7 && all; i++)
		all = are_alike(c->weekday[0], c->weekday[i]);
	next_sentence(t);
	if (all)
	{
		appendStringInfoString(&t->text, c->weekday[0]->day.n == 0
											 ? (t->english ? "We are " : "Kami ")
										 : t->english ? "We are open every day "
													  : "Kami buka setiap hari ");
		laras_append_spans(&t->text, &c->weekday[0]->day, t->english, false);
		if (c->weekday[0]->day.n == 0)
			appendStringInfoString(&t->text, t->english ? " every day" : " setiap hari");
	}
	else
		appendStringInfoString(&t->text, t->english ? "Our opening hours: " : "Jam buka kami: ");
	for (int i = 0; i < 7; i++)
	{
		int last = i;

		if (!(set & (1 << i)) || c->weekday[i] == NULL)
			continue;
		cite(t, c->weekday[i], 0, 0);
		if (all)
			continue;
		while (last < 6 && (set & (1 << (last + 1))) &&
			   are_alike(c->weekday[i], c->weekday[last + 1]))
			cite(t, c->weekday[++last], 0, 0);
		appendStringInfo(&t->text, "%s%s", separator, laras_day_names[i][t->english]);
		if (last > i)
			appendStringInfo(&t->text, "%s%s",
							 last == i + 1 ? (t->english ? " and " : " dan ")
							 : t->english  ? " to "
										   : " sampai ",
							 laras_day_names[last][t->english]);
		appendStringInfoChar(&t->text, ' ');
		laras_append_spans(&t->text, &c->weekday[i]->day, t->english, true);
		separator = ", ";
		i = last;
	}
	appendStringInfoChar(&t->text, '.');
}

/* Other hours in the days to come, so that nobody stands before a closed door. */
static void
tell_exceptions(Telling *t)
{
	const LarasCalendar *c = t->calendar;

	for (int i = 0; i < c->dates; i++)
		if (c->date[i].date >= c->today && c->date[i].date < c->today + DAYS_TOLD)
			tell_date(t, &c->date[i], c->date[i].date, BY_DATE);
}

/* Until when it is open; all day long is told as such. */
static void
tell_open_now(Telling *t, const LarasDayRow *row, DateADT date, const LarasSpan *span)
{
	if (t->asks_closed)
		appendStringInfoString(&t->text, t->english ? "We are open now" : "Sekarang kami buka");
	else
		appendStringInfoString(&t->text,
							   t->english ? "Yes, we are open now" : "Ya, sekarang kami buka");
	if (span->from == 0 && span->to == LARAS_DAY_MINUTES)
		appendStringInfoString(&t->text, t->english ? ", 24 hours today" : ", hari ini 24 jam");
	else
	{
		appendStringInfoString(&t->text, t->english ? ", until " : ", sampai pukul ");
		laras_append_time(&t->text, span->to, t->english);
	}
	append_note(t, row);
	appendStringInfoChar(&t->text, '.');
	cite(t, row, date, laras_moment_of(t->calendar, date, span->to));
}

/*
 * Closed now: later today, or the next day on which it opens. False where one of
 * the days until then is not known.
 */
static bool
tell_closed_now(Telling *t)
{
	const LarasCalendar *c = t->calendar;
	const LarasDayRow *today = laras_day_row(c, c->today);
	TimestampTz until = laras_end_of_day(c, c->today);

	if (today == NULL)
		return false;
	if (today->day.n == 0)
		tell_date(t, today, c->today, BY_NEARNESS);
	else
		appendStringInfoString(&t->text, t->english ? "We are closed at the moment."
													: "Saat ini kami tutup.");
	for (int i = 0; i < today->day.n; i++)
		if (today->day.span[i].from > c->minute)
		{
			tell_date(t, today, c->today, BY_NEARNESS);
			cite(t, today, c->today, laras_moment_of(c, c->today, today->day.span[i].from));
			return true;
		}
	cite(t, today, c->today, until);
	for (DateADT date = c->today + 1; date <= c->today + 7; date++)
	{
		const LarasDayRow *row = laras_day_row(c, date);

		if (row == NULL)
			return false;
		/* a closed day is passed over, and is ground as well */
		cite(t, row, date, until);
		if (row->day.n == 0)
			continue;
		next_sentence(t);
		appendStringInfoString(&t->text, t->english ? "We open again " : "Kami buka lagi ");
		append_day(t, date, row->date != 0 ? BY_DATE : BY_NEARNESS, false);
		appendStringInfoChar(&t->text, ' ');
		laras_append_spans(&t->text, &row->day, t->english, false);
		append_note(t, row);
		appendStringInfoChar(&t->text, '.');
		return true;
	}
	return true;
}

static bool
tell_now(Telling *t)
{
	const LarasDayRow *row;
	DateADT date;
	const LarasSpan *span = laras_going_on(t->calendar, &row, &date);

	if (span == NULL)
		return tell_closed_now(t);
	tell_open_now(t, row, date, span);
	return true;
}

/* ------------------------------------------------------------------ choosing */

/* The date that was asked for by its day, the next one from today on; 0: there is none. */
static DateADT
date_asked(const LarasCalendar *c, const LarasWhen *when)
{
	int year;
	int month;
	int day;

	j2date(c->today + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	/* a 29th of February comes in eight years at the latest, and further away nothing is read */
	for (int i = 0; i < 24; i++)
	{
		int y = when->year > 0 ? when->year : year;
		int m = when->month > 0 ? when->month : month;

		if (when->day <= day_tab[isleap(y)][m - 1])
		{
			DateADT date = date2j(y, m, when->day) - POSTGRES_EPOCH_JDATE;

			if (date >= c->today && date <= c->today + DAYS_AHEAD)
				return date;
		}
		if (when->year > 0)
			return 0;
		if (when->month > 0 || ++month > 12)
		{
			month = 1;
			year++;
		}
	}
	return 0;
}

/* One day, or several as a list where each is as always. */
static bool
tell_asked_weekdays(Telling *t, const LarasWhen *when)
{
	const LarasCalendar *c = t->calendar;
	bool listed = (when->weekdays & (when->weekdays - 1)) != 0;

	for (int i = 0; i < 7; i++)
		if (when->weekdays & (1 << i))
		{
			const LarasDayRow *row = laras_day_row(c, laras_coming_day(c, i, when->coming));

			if (row == NULL)
				return false;
			listed &= row->date == 0;
		}
	if (listed)
		tell_weekdays(t, when->weekdays);
	for (int i = 0; i < 7 && !listed; i++)
		if (when->weekdays & (1 << i))
		{
			DateADT date = laras_coming_day(c, i, when->coming);

			tell_date(t, laras_day_row(c, date), date, BY_WEEKDAY);
		}
	return true;
}

static bool
tell_day(Telling *t, DateADT date, Naming naming)
{
	const LarasDayRow *row = laras_day_row(t->calendar, date);

	if (row == NULL)
		return false;
	/* closed all day: when it opens again is asked next */
	if (date == t->calendar->today && row->day.n == 0)
		return tell_now(t);
	/* what is asked for by its date is mostly no day like others */
	if (naming == BY_DATE && row->date == 0)
		t->answer->sure = false;
	tell_date(t, row, date, naming);
	return true;
}

static bool
tell_week(Telling *t)
{
	const LarasCalendar *c = t->calendar;
	uint8 known = 0;

	for (int i = 0; i < 7; i++)
		known |= (c->weekday[i] != NULL) << i;
	if (known == 0)
		return false;
	tell_weekdays(t, known);
	tell_exceptions(t);
	return true;
}

/* Until when, of no day in particular: of the day that goes on, unless all are alike. */
static bool
tell_closing(Telling *t)
{
	const LarasCalendar *c = t->calendar;
	const LarasDayRow *row;
	DateADT date;
	bool alike = laras_day_row(c, c->today) == c->weekday[laras_weekday_of(c->today)];

	for (int i = 1; i < 7 && alike; i++)
		alike = are_alike(c->weekday[0], c->weekday[i]);
	if (alike)
		return tell_week(t);
	if (laras_going_on(c, &row, &date) != NULL && date < c->today)
		return tell_now(t);
	return tell_day(t, c->today, BY_NEARNESS);
}

static bool
tell(Telling *t, const LarasWhen *when)
{
	DateADT date;

	switch (when->kind)
	{
		case LARAS_WHEN_NOW:
			return tell_now(t);
		case LARAS_WHEN_CLOSING:
			return tell_closing(t);
		case LARAS_WHEN_DAY:
			return tell_day(t, t->calendar->today + when->days, BY_NEARNESS);
		case LARAS_WHEN_WEEKDAYS:
			return tell_asked_weekdays(t, when);
		case LARAS_WHEN_DATE:
			date = date_asked(t->calendar, when);
			return date != 0 && tell_day(t, date, BY_DATE);
		case LARAS_WHEN_WEEK:
			break;
	}
	return tell_week(t);
}

/* Does the word stand in the note of a date? */
static bool
is_noted(const LarasDayRow *row, const LarasWord *word)
{
	const LarasQuestion *note = laras_read_question(row->note, strlen(row->note));

	for (int i = 0; i < note->n; i++)
		if (strcmp(note->word[i].text, word->text) == 0 ||
			(word->bare != NULL && strcmp(note->word[i].text, word->bare) == 0))
			return true;
	return false;
}

/* Dates to come of which the note has all these words: "lebaran buka?". False where there is none. */
static bool
tell_noted(Telling *t, const LarasWord *const *word, int n)
{
	const LarasCalendar *c = t->calendar;
	int told = 0;

	for (int i = 0; i < c->dates && told < DAYS_TOLD; i++)
	{
		bool all = c->date[i].date >= c->today;

		for (int k = 0; k < n && all; k++)
			all = is_noted(&c->date[i], word[k]);
		if (!all)
			continue;
		tell_date(t, &c->date[i], c->date[i].date, BY_DATE);
		told++;
	}
	return told > 0;
}

/* Days that are a feast each year, whose hours no weekday tells. */
static bool
is_feast(const LarasWord *word)
{
	static const char *const feasts[] = {"lebaran",    "natal",    "imlek",    "nyepi",
										 "waisak",     "idul",     "fitri",    "adha",
										 "tahun",      "puasa",    "ramadan",  "ramadhan",
										 "merah",      "nasional", "kenaikan", "christmas",
										 "easter",     "eid",      "holiday",  "holidays",
										 "year",       "galungan", "kuningan", "merdeka",
										 "kemerdekaan"};

	for (int i = 0; i < lengthof(feasts); i++)
		if (strcmp(word->text, feasts[i]) == 0)
			return true;
	return false;
}

/* Has the clause a word that told of hours? What else is said may be a story. */
static bool
asks_hours(const LarasQuestion *question, int clause)
{
	for (int i = 0; i < question->n; i++)
		if (question->word[i].clause == clause &&
			(question->word[i].cues & LARAS_CUE(LARAS_INTENT_HOURS)))
			return true;
	return false;
}

static bool
speaks_of_fetching(const LarasQuestion *question)
{
	static const char *const fetching[] = {"ambil",    "diambil",   "pickup", "jemput",
										   "dijemput", "mengambil", "antar",  "diantar"};

	for (int i = 0; i < question->n; i++)
		for (int k = 0; k < lengthof(fetching); k++)
			if (strcmp(question->word[i].text, fetching[k]) == 0)
				return true;
	return false;
}

bool
laras_answer_hours(int64 workspace_id, const LarasQuestion *question,
				   bool (*is_known)(const void *context, const LarasWord *word),
				   const void *context, LarasHoursAnswer *answer)
{
	static const uint32 of_hours = LARAS_CUE(LARAS_INTENT_HOURS) | LARAS_CUE(LARAS_INTENT_THANKS) |
								   LARAS_CUE(LARAS_INTENT_GREETING);
	const LarasWord **left = palloc(sizeof(LarasWord *) * (question->n + 1));
	int n = 0;
	LarasCalendar calendar;
	LarasWhen when;
	Telling t = {&calendar, question->english, .answer = answer};

	memset(answer, 0, sizeof(*answer));
	if (!laras_read_calendar(workspace_id, DAYS_AHEAD, &calendar))
		return false;
	laras_read_when(question, &when);
	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];

		if (!when.read[i] && !word->counted && asks_hours(question, word->clause) &&
			(is_feast(word) || (!word->filler && !word->aside && !(word->cues & of_hours))))
			left[n++] = word;
	}
	initStringInfo(&t.text);
	t.asks_closed = when.closing;
	answer->sure = n == 0;
	if (n > 0 && tell_noted(&t, left, n))
	{
		answer->sure = true;
		answer->text = t.text.data;
		return true;
	}
	for (int i = 0; i < n; i++)
	{
		bool known = is_known(context, left[i]);

		answer->unknown |= !known && is_feast(left[i]);
		if (known || is_feast(left[i]))
			return false;
	}
	/* "when can I come" is about something else, unless nothing else is said */
	if (n > 0 && !when.opening)
		return false;
	/* until when something is fetched or brought is no matter of the hours */
	if (!when.opening && speaks_of_fetching(question))
	{
		answer->unknown = true;
		return false;
	}
	answer->sure &= !when.doubtful;
	answer->unknown = when.past || !tell(&t, &when);
	answer->text = t.text.data;
	return !answer->unknown;
}
