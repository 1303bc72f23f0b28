/*
 * hours.h
 *		Answers about opening hours from laras.opening_hours, by the clock of the
 *		workspace's time zone.
 *
 *		The clock is laras_now(): the same rows and the same moment give the same
 *		answer.  What is said of today, tomorrow or now is cited with the moment
 *		until which it is so.
 */
#ifndef LARAS_ANSWER_HOURS_H
#define LARAS_ANSWER_HOURS_H

#include "answer/drafter.h"
#include "answer/question.h"

/* seven weekdays, and dates of the week to come */
#define LARAS_HOURS_SOURCES 14

typedef struct LarasHoursAnswer
{
	char *text;
	LarasSource source[LARAS_HOURS_SOURCES];
	int n;
	bool sure;
	bool unknown; /* no answer: the day that was asked for is one that no row knows */
} LarasHoursAnswer;

/*
 * What the rows say to a question about opening hours. False where they say
 * nothing to it: there are none, or not of the day that is asked for, or a word
 * asks about something that only other rows know: is_known tells of a word
 * that is no word of time whether such a row has it.  Runs SQL as whoever calls, a
 * workspace being bound.
 */
extern bool laras_answer_hours(int64 workspace_id, const LarasQuestion *question,
							   bool (*is_known)(const void *context, const LarasWord *word),
							   const void *context, LarasHoursAnswer *answer);

#endif /* LARAS_ANSWER_HOURS_H */
