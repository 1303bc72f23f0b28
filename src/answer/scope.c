/*
 * scope.c
 *		Is a text about what its cited rows are about?
 *
 * A shop's reply speaks of the shop's things: most of its words with matter
 * stand in the rows that it cites.  A poem, an essay, a chat about the world
 * does not, whatever rows are named beside it.
 */
#include "postgres.h"

#include "answer/ground.h"
#include "answer/question.h"
#include "base/lower.h"
#include "mb/pg_wchar.h"

/* of a shorter text nobody can say how much; letters by which words with endings are one */
#define WORDS 5
#define LETTERS 5
#define SHARE 0.3

static const char *const served[] = {
#define SERVICE(stem) stem,
#include "answer/scope.def"
};

/* Is it a word of serving customers? A short stem is the whole word. */
static bool
is_service(const LarasWord *word)
{
	for (int i = 0; i < lengthof(served); i++)
		if (strlen(served[i]) >= LETTERS
				? strstr(word->text, served[i]) != NULL
				: strcmp(word->text, served[i]) == 0 ||
					  (word->bare != NULL && strcmp(word->bare, served[i]) == 0))
			return true;
	return false;
}

/* Does the beginning of the word stand in one of the facts, in lower case? */
static bool
is_known(const char *word, char *const *facts, int n)
{
	int length = (int) strlen(word);
	char *begins = pnstrdup(word, pg_mbcliplen(word, length, LETTERS));

	for (int i = 0; i < n; i++)
		if (strstr(facts[i], begins) != NULL)
			return true;
	return false;
}

bool
laras_in_scope(const char *text, size_t n, const LarasFact *facts, int n_facts,
			   LarasAuthorOfText author)
{
	LarasQuestion *read = laras_read_question(text, n);
	char **low = palloc(sizeof(char *) * (n_facts + 1));
	int words = 0;
	int known = 0;

	for (int i = 0; i < n_facts; i++)
		low[i] = laras_lower(facts[i].text, strlen(facts[i].text));
	for (int i = 0; i < read->n; i++)
	{
		const char *word = read->word[i].text;

		if (read->word[i].filler || strlen(word) < 3 || strcspn(word, "0123456789") < strlen(word))
			continue;
		words++;
		known += is_known(word, low, n_facts) ||
				 (author == LARAS_BY_PERSON && is_service(&read->word[i]));
	}
	if (author == LARAS_BY_MODEL && words > 0 && known == 0)
		return false;
	return words < WORDS || known >= words * SHARE;
}
