/*
 * whenasked.h
 *		Of which time does a question about opening hours ask?
 *
 *		Pure: by the words alone, without the clock.
 */
#ifndef LARAS_ANSWER_WHENASKED_H
#define LARAS_ANSWER_WHENASKED_H

#include "answer/question.h"

typedef enum LarasWhenKind
{
	LARAS_WHEN_WEEK,     /* what the hours are */
	LARAS_WHEN_NOW,      /* whether it is open now */
	LARAS_WHEN_CLOSING,  /* until when, without saying which day: the one that goes on */
	LARAS_WHEN_DAY,      /* so many days from today on */
	LARAS_WHEN_WEEKDAYS, /* of certain weekdays */
	LARAS_WHEN_DATE
} LarasWhenKind;

typedef struct LarasWhen
{
	LarasWhenKind kind;
	bool opening;   /* it says of something that it opens or closes */
	bool closing;   /* that it closes, or is closed */
	int days;       /* of LARAS_WHEN_DAY: 0 today, 1 tomorrow, 2 */
	uint8 weekdays; /* of LARAS_WHEN_WEEKDAYS: 1 << 0 is monday */
	bool coming;    /* the next one, not today's */
	bool past;      /* of what is over, which no row tells */
	bool doubtful;  /* "jam 7 malam minggu": the evening of that day, or the one before? */
	int day;        /* of LARAS_WHEN_DATE */
	int month;      /* 0: not said */
	int year;       /* 0: not said */
	bool *read;     /* of each word: it tells the time, or a shop, and asks for nothing else */
} LarasWhen;

extern void laras_read_when(const LarasQuestion *question, LarasWhen *when);

#endif /* LARAS_ANSWER_WHENASKED_H */
