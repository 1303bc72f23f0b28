/*
 * wish.c
 *		Opt-out and opt-in words. A question that holds such a word ("stop kontak
 *		ada?") is no wish: the message must be the word, said plainly or with courtesy.
 */
#include "inbox/wish.h"

#include <stdbool.h>
#include <string.h>

/* no word of the list, with what people put around it, is longer */
#define LONGEST 96

typedef struct Wish
{
	LarasPreference preference;
	const char *word;
} Wish;

static const Wish wishes[] = {
#define LARAS_COURTESY(words)
#define LARAS_WAYS(name, words)
#define LARAS_WISH(preference, word) {LARAS_PREFERENCE_##preference, word},
#include "inbox/wish.def"
#undef LARAS_WAYS
#undef LARAS_WISH
};

/* the same thing in several words, parted by | */
static const struct
{
	const char *name;
	const char *words;
} ways[] = {
#define LARAS_WAYS(name, words) {#name, words},
#define LARAS_WISH(preference, word)
#include "inbox/wish.def"
#undef LARAS_COURTESY
#undef LARAS_WAYS
};

static const char courtesy[] =
#define LARAS_COURTESY(words) words
#define LARAS_WAYS(name, words)
#include "inbox/wish.def"
#undef LARAS_COURTESY
#undef LARAS_WAYS
#undef LARAS_WISH
	;

static bool
is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/*
 * Lower case, one blank for all that stands between words, nothing before the
 * first and after the last. Bytes beyond ASCII count as letters: with any of
 * them it is no word of the list.
 */
static size_t
normalise(LarasText text, char *out)
{
	size_t n = 0;
	bool between = false;

	for (size_t i = 0; i < text.n; i++)
	{
		unsigned char c = (unsigned char) text.s[i];

		if (!is_letter(c))
		{
			between = n > 0;
			continue;
		}
		if (between)
			out[n++] = ' ';
		between = false;
		out[n++] = (char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	return n;
}

/* Is the word one of those that say nothing, parted by |? */
static bool
is_courtesy(const char *word, size_t n)
{
	for (const char *way = courtesy; *way != '\0';)
	{
		size_t m = strcspn(way, "|");

		if (m == n && memcmp(way, word, n) == 0)
			return true;
		way += m + (way[m] == '|');
	}
	return false;
}

/* Takes the words of courtesy out of what is said; how much is left. */
static size_t
without_courtesy(char *said, size_t n)
{
	size_t kept = 0;

	for (size_t at = 0; at < n;)
	{
		size_t end = at;

		while (end < n && said[end] != ' ')
			end++;
		if (!is_courtesy(said + at, end - at))
		{
			if (kept > 0)
				said[kept++] = ' ';
			memmove(said + kept, said + at, end - at);
			kept += end - at;
		}
		at = end + 1;
	}
	return kept;
}

/* Do the words begin what is said, and whole? Then what is behind them, else NULL. */
static const char *
behind(const char *said, const char *end, const char *words, size_t n)
{
	if ((size_t) (end - said) < n || memcmp(said, words, n) != 0)
		return NULL;
	said += n;
	if (said == end)
		return said;
	return *said == ' ' ? said + 1 : NULL;
}

/* Is all of what is said what the pattern says? */
static bool
is_said(const char *said, const char *end, const char *pattern)
{
	size_t n = strcspn(pattern, " ");
	const char *next = pattern + n + (pattern[n] == ' ');
	const char *rest;

	if (n == 0)
		return said == end;
	if (*pattern != '<')
	{
		rest = behind(said, end, pattern, n);
		return rest != NULL && is_said(rest, end, next);
	}
	if (pattern[n - 1] == '?')
	{
		if (is_said(said, end, next))
			return true;
		n--;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
	{
		if (strlen(ways[i].name) != n - 2 || memcmp(ways[i].name, pattern + 1, n - 2) != 0)
			continue;
		for (const char *way = ways[i].words; *way != '\0';)
		{
			size_t m = strcspn(way, "|");

			rest = behind(said, end, way, m);
			if (rest != NULL && is_said(rest, end, next))
				return true;
			way += m + (way[m] == '|');
		}
	}
	return false;
}

LarasPreference
laras_wish_in(const LarasRecord *record)
{
	char said[LONGEST];
	size_t n;

	if (record->kind != LARAS_RECORD_MESSAGE || record->effect != LARAS_EFFECT_NONE ||
		(record->flags & (LARAS_OUTBOUND | LARAS_HISTORICAL)) != 0 ||
		(strcmp(record->message_kind, "text") != 0 &&
		 strcmp(record->message_kind, "button") != 0) ||
		record->text.s == NULL || record->text.n == 0 || record->text.n > LONGEST)
		return LARAS_PREFERENCE_NONE;
	n = without_courtesy(said, normalise(record->text, said));
	if (n == 0)
		return LARAS_PREFERENCE_NONE;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (is_said(said, said + n, wishes[i].word))
			return wishes[i].preference;
	return LARAS_PREFERENCE_NONE;
}
