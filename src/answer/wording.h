/*
 * wording.h
 *		The drafter's own words around the facts of the business, in both
 *		languages, and how a price is written.
 *
 *		These texts hold no number, price, link or promise: whatever a customer
 *		could hold the business to comes from a row.
 */
#ifndef LARAS_ANSWER_WORDING_H
#define LARAS_ANSWER_WORDING_H

#include "answer/question.h"
#include "lib/stringinfo.h"

typedef enum LarasWording
{
	LARAS_SAY_PRICE,        /* name, price */
	LARAS_SAY_PRICE_EACH,   /* so, where several are wanted */
	LARAS_SAY_IN_STOCK,     /* name, number */
	LARAS_SAY_OUT_OF_STOCK, /* name */
	LARAS_SAY_BUT_OUT,      /* behind a price */
	LARAS_SAY_ITS_PRICE,    /* behind a description: price */
	LARAS_SAY_ITS_STOCK,    /* behind a description: number */
	LARAS_SAY_WHICH,        /* names; all that fit */
	LARAS_SAY_AMONG,        /* names; some of those that fit */
	LARAS_SAY_OR,           /* between the last two names */
	LARAS_SAY_THANKS,
	LARAS_SAY_GREETING,
	LARAS_SAY_HELP, /* behind a greeting */
	LARAS_WORDINGS
} LarasWording;

/*
 * With the customer called by this address (empty: by no name). as_format: what
 * stands in it is printed, whatever signs it has.
 */
extern const char *
laras_wording(LarasWording wording, bool english, const char *address, bool as_format);

/* What the customer is told when a person answers. */
extern const char *laras_hand_over_wording(LarasIntent intent, bool english, const char *address);

/* How a customer is called where the business says nothing of it. */
extern const char *laras_usual_address(bool english);

/*
 * Appends a price as people write it: "Rp 25.000", "IDR 25,000",
 * "USD 12.50".  amount is the digits of numeric(18,2) with their point.
 */
extern void
laras_append_price(StringInfo out, const char *amount, const char *currency, bool english);

/*
 * Appends whole sentences of the body, at most limit bytes: all of it where it fits, else
 * those from the one on that shares most words with the question.  *whole says
 * which.  False, and nothing appended, where that sentence alone is longer:
 * half a sentence may say the opposite.
 */
extern bool laras_append_sentences(StringInfo out, const char *body, size_t limit,
								   const LarasQuestion *question, bool *whole);

#endif /* LARAS_ANSWER_WORDING_H */
