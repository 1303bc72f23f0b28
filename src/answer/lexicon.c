/*
 * lexicon.c
 *		The drafter's own words, see lexicon.h and lexicon.def.
 *
 * Invariant: each table is built whole or not at all, and never changes after;
 * its entries may be kept for the session.
 */
#include "postgres.h"

#include "answer/lexicon.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef enum LineKind
{
	LINE_WORDS,  /* flags for each of a list of words */
	LINE_SAME,   /* words found for each other */
	LINE_RELATED /* in policies and FAQs */
} LineKind;

typedef struct Line
{
	LineKind kind;
	int flags;
	const char *words;
} Line;

#define FIRST_SIZE 2048 /* of the directory: as many words as the longer table has, about */

#define LANGUAGE_ID LARAS_WORD_INDONESIAN
#define LANGUAGE_EN LARAS_WORD_ENGLISH

static const Line lines[] = {
#define FUNCTION_WORDS(language, words) \
	{LINE_WORDS, LANGUAGE_##language | LARAS_WORD_FILLER, words},
#define LANGUAGE_WORDS(language, words) {LINE_WORDS, LANGUAGE_##language, words},
#define FILLER_WORDS(words) {LINE_WORDS, LARAS_WORD_FILLER, words},
#define NOD_WORDS(words) {LINE_WORDS, LARAS_WORD_NOD | LARAS_WORD_FILLER, words},
#define UNITS(words) {LINE_WORDS, LARAS_WORD_UNIT, words},
#define PHRASE(written, meant)
#define SAME(words) {LINE_SAME, 0, words},
#define RELATED(words) {LINE_RELATED, 0, words},
#include "answer/lexicon.def"
};

static const struct
{
	const char *written;
	const char *meant;
} phrases[] = {
#define FUNCTION_WORDS(language, words)
#define LANGUAGE_WORDS(language, words)
#define FILLER_WORDS(words)
#define NOD_WORDS(words)
#define UNITS(words)
#define PHRASE(written, meant) {written, meant},
#define SAME(words)
#define RELATED(words)
#include "answer/lexicon.def"
};

static const Line asides[] = {
#define ASIDE(language, words) {LINE_WORDS, LARAS_WORD_ASIDE | LANGUAGE_##language, words},
#include "answer/aside.def"
};

static HTAB *lexicon = NULL;
static HTAB *aside_table = NULL;

bool
laras_lexicon_next(const char **list, char word[LARAS_WORD_BYTES])
{
	size_t n;

	*list += strspn(*list, " ");
	n = strcspn(*list, " ");
	if (n == 0)
		return false;
	memcpy(word, *list, Min(n, LARAS_WORD_BYTES - 1));
	word[Min(n, LARAS_WORD_BYTES - 1)] = '\0';
	*list += n;
	return true;
}

/* Fills a table: what an earlier line said of a word stays. */
static void
fill(HTAB *table, const Line *line, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *list = line[i].words;
		char word[LARAS_WORD_BYTES];

		while (laras_lexicon_next(&list, word))
		{
			bool found;
			LarasLexeme *entry = hash_search(table, word, HASH_ENTER, &found);

			if (!found)
			{
				entry->flags = 0;
				entry->same = NULL;
				entry->related = NULL;
			}
			if (entry->flags == 0 || line[i].kind == LINE_WORDS)
				entry->flags |= line[i].flags;
			if (line[i].kind == LINE_SAME && entry->same == NULL)
				entry->same = line[i].words;
			if (line[i].kind == LINE_RELATED && entry->related == NULL)
				entry->related = line[i].words;
		}
	}
}

/* The entry of a word in *table, which is made of these lines when it is first asked for. */
static const LarasLexeme *
find(HTAB **table, const char *name, const Line *line, int n, const char *word)
{
	if (*table == NULL)
	{
		HASHCTL control = {.keysize = LARAS_WORD_BYTES, .entrysize = sizeof(LarasLexeme)};
		HTAB *made;

		/* A table of its own context: what an error leaves half filled is found by nobody. */
		control.hcxt =
			AllocSetContextCreate(CurrentMemoryContext, "laras words", ALLOCSET_DEFAULT_SIZES);
		made = hash_create(name, FIRST_SIZE, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
		fill(made, line, n);
		MemoryContextSetParent(control.hcxt, TopMemoryContext);
		*table = made;
	}
	return hash_search(*table, word, HASH_FIND, NULL);
}

const LarasLexeme *
laras_lexicon_find(const char *word)
{
	return find(&lexicon, "laras lexicon", lines, lengthof(lines), word);
}

int
laras_lexicon_aside(const char *word)
{
	const LarasLexeme *entry = find(&aside_table, "laras asides", asides, lengthof(asides), word);

	return entry != NULL ? entry->flags : 0;
}

int
laras_lexicon_phrase(const char *const *words, int n, const char **meant)
{
	for (int i = 0; i < lengthof(phrases); i++)
	{
		const char *list = phrases[i].written;
		char word[LARAS_WORD_BYTES];
		int matched = 0;

		while (laras_lexicon_next(&list, word))
		{
			if (matched >= n || strcmp(words[matched], word) != 0)
			{
				matched = 0;
				break;
			}
			matched++;
		}
		if (matched > 0)
		{
			*meant = phrases[i].meant;
			return matched;
		}
	}
	return 0;
}
