/*
 * lexicon.h
 *		The words that the drafter knows by itself: lexicon.def, made quick to
 *		look up.  Nothing here depends on a workspace.
 */
#ifndef LARAS_ANSWER_LEXICON_H
#define LARAS_ANSWER_LEXICON_H

/* Longer words are cut to this many bytes when they are read. */
#define LARAS_WORD_BYTES 48

#define LARAS_WORD_INDONESIAN 0x01 /* speaks for Indonesian */
#define LARAS_WORD_ENGLISH 0x02    /* speaks for English */
#define LARAS_WORD_FILLER 0x04     /* carries no matter: never searched for */
#define LARAS_WORD_NOD 0x10        /* agrees or addresses: asks nothing */
#define LARAS_WORD_UNIT 0x08       /* belongs to the number before it */
#define LARAS_WORD_ASIDE 0x20      /* of daily life: tells why somebody asks */

typedef struct LarasLexeme
{
	char word[LARAS_WORD_BYTES]; /* the key */
	int flags;
	const char *same;    /* words found for it, itself included; NULL: none */
	const char *related; /* words of policies and FAQs on the same matter; NULL: none */
} LarasLexeme;

/* The entry of a word in lower case, or NULL. Builds the table at its first use in a session. */
extern const LarasLexeme *laras_lexicon_find(const char *word);

/*
 * Flags of a word of daily life (aside.def), in lower case: ASIDE and its
 * languages; 0 where it is none.  Of a table of its own: such a word may well be
 * a name, or one of goods.
 */
extern int laras_lexicon_aside(const char *word);

/*
 * If the words begin with a phrase of the lexicon, its number of words (else
 * 0), and in *meant what it stands for.
 */
extern int laras_lexicon_phrase(const char *const *words, int n, const char **meant);

/*
 * Copies the next word of a list separated by blanks into word (terminated,
 * cut to LARAS_WORD_BYTES) and moves *list behind it; false at the end.
 */
extern bool laras_lexicon_next(const char **list, char word[LARAS_WORD_BYTES]);

#endif /* LARAS_ANSWER_LEXICON_H */
