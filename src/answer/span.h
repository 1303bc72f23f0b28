/*
 * span.h
 *		When a day is open, as laras.opening_hours writes it: "closed", or times
 *		as 08:00-12:00, 13:00-17:00.
 *
 *		Pure: no SQL, no clock.
 */
#ifndef LARAS_ANSWER_SPAN_H
#define LARAS_ANSWER_SPAN_H

#include "lib/stringinfo.h"

#define LARAS_SPANS 4
#define LARAS_DAY_MINUTES (24 * 60)

/* Minutes since the day began; to is more than a day's where it ends on the next. */
typedef struct LarasSpan
{
	int from;
	int to;
} LarasSpan;

/* A date without other hours than its weekday's has none of its own. */
typedef struct LarasOpenDay
{
	LarasSpan span[LARAS_SPANS];
	int n; /* 0: closed */
} LarasOpenDay;

/* NULL, or what is wrong with the text: a constant, a whole sentence. */
extern const char *laras_read_spans(const char *text, LarasOpenDay *day);

/* monday is 0; -1: it names no weekday. */
extern int laras_weekday(const char *name);
extern const char *laras_weekday_name(int weekday);

/*
 * Appends when a day is open, as people of the language say it: "pukul 08.00
 * sampai 12.00 dan 13.00 sampai 17.00", "24 jam", "8 am to 12 pm", without what
 * comes before a time where bare.
 */
extern void laras_append_spans(StringInfo out, const LarasOpenDay *day, bool english, bool bare);

/* Appends one time of day: "08.00", "8 am", "midnight". */
extern void laras_append_time(StringInfo out, int minutes, bool english);

#endif /* LARAS_ANSWER_SPAN_H */
