/*
 * ground.h
 *		Does a text state only what the cited rows state?
 *
 * Pure: no SQL, no tables.  Numbers (prices, times, dates and percentages
 * among them), links, e-mail addresses and phone numbers of the text must
 * stand in the facts; their way of writing does not matter, so that Rp 25.000,
 * 25000.00 and 25rb are one number.
 */
#ifndef LARAS_ANSWER_GROUND_H
#define LARAS_ANSWER_GROUND_H

/* One cited row, as it now stands. */
typedef struct LarasFact
{
	const char *text;     /* all of the row that may be quoted */
	const char *price;    /* as numeric writes it; NULL: none */
	const char *currency; /* ISO 4217 code of price; NULL: none */
	const char *stock;    /* as integer writes it; NULL: none */
} LarasFact;

#define LARAS_GROUND_REASONS 4

/*
 * Writes the reasons why the text of n bytes in the server's encoding has no
 * ground, each once: ungrounded_number, ungrounded_price, ungrounded_link,
 * ungrounded_phone.  Returns how many; 0: all stands in the facts.  Works in
 * the caller's memory context.
 */
extern int laras_ground(const char *text, size_t n, const LarasFact *facts, int n_facts,
						const char *reasons[LARAS_GROUND_REASONS]);

typedef enum LarasAuthorOfText
{
	LARAS_BY_DRAFTER, /* the built-in one: phrases of its own around the facts */
	LARAS_BY_MODEL,   /* a language model, of which nothing is trusted */
	LARAS_BY_PERSON   /* in words of their own */
} LarasAuthorOfText;

/*
 * scope.c: do the words of the text stand in the facts, so far that it is about
 * them? Short texts are; of a model's, one word at least must be theirs, if there
 * are words with matter. What people say of serving a customer (scope.def) is
 * about the business, too.
 */
extern bool laras_in_scope(const char *text, size_t n, const LarasFact *facts, int n_facts,
						   LarasAuthorOfText author);

#endif /* LARAS_ANSWER_GROUND_H */
