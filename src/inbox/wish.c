/*
 * wish.c
 *		Opt-out and opt-in words. A question that holds such a word ("stop kontak
 *		ada?") is no wish: the message must be the word.
 */
#include "inbox/wish.h"

#include <stdbool.h>
#include <string.h>

/* no word of the list, with what people put around it, is longer */
#define LONGEST 64

typedef struct Wish
{
	LarasPreference preference;
	const char *word;
} Wish;

static const Wish wishes[] = {
#define LARAS_WISH(preference, word) {LARAS_PREFERENCE_##preference, word},
#include "inbox/wish.def"
#undef LARAS_WISH
};

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
	n = normalise(record->text, said);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (strlen(wishes[i].word) == n && memcmp(wishes[i].word, said, n) == 0)
			return wishes[i].preference;
	return LARAS_PREFERENCE_NONE;
}
