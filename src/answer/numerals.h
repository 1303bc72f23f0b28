/*
 * numerals.h
 *		Numbers written in words: "delapan ribu", "goceng", "two and a half million".
 *
 *		Pure: no SQL, no tables.
 */
#ifndef LARAS_ANSWER_NUMERALS_H
#define LARAS_ANSWER_NUMERALS_H

#define LARAS_NUMERAL_BYTES 48

typedef struct LarasNumeral
{
	size_t bytes; /* of the words */
	char value[LARAS_NUMERAL_BYTES];
	char other[LARAS_NUMERAL_BYTES]; /* what they may mean as well; empty: nothing */
	/*
	 * A lone word up to twelve, which counts ("pesan dua") or is an article ("one
	 * moment") as often as it states anything: what stands beside it tells.
	 */
	bool small;
	/* the number without the dozen behind it ("2 lusin"); empty: there is none */
	char packs[LARAS_NUMERAL_BYTES];
} LarasNumeral;

/*
 * Is there a number in words at the n bytes of s, in lower case, where a word
 * begins?
 */
extern bool laras_numeral_at(const char *s, size_t n, LarasNumeral *numeral);

/*
 * The words behind the number value that multiply it ("8 ratus ribu", "2
 * lusin"); false where there are none.
 */
extern bool laras_numeral_behind(const char *value, const char *s, size_t n, LarasNumeral *numeral);

/* Does a small one at from, to, of the n bytes of s state something, by the words beside it? */
extern bool laras_numeral_states(const char *s, size_t n, size_t from, size_t to);

#endif /* LARAS_ANSWER_NUMERALS_H */
