/*
 * asked.c
 *		A question beside the rows that were found for it, see asked.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/asked.h"
#include "answer/lexicon.h"
#include "base/lower.h"

/* Letters of a word that names something, at least. */
#define LEAST_LETTERS 3

bool
laras_is_one_of(const char *word, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

LarasAsked
laras_read_asked(const LarasQuestion *question, const LarasFindings *items)
{
	LarasAsked asked = {question, items, palloc0(sizeof(uint64) * Max(question->n, 1))};

	for (int i = 0; i < question->n; i++)
		for (int k = 0; k < items->words && asked.bit[i] == 0; k++)
			if (strcmp(items->word[k]->text, question->word[i].text) == 0)
				asked.bit[i] = UINT64CONST(1) << k;
	return asked;
}

bool
laras_asked_has(const LarasAsked *a, const LarasFound *row, int i)
{
	return (row->matched & a->bit[i]) != 0;
}

bool
laras_names_in_clause(const LarasAsked *a, const LarasFound *row, int i)
{
	for (int k = 0; k < a->question->n; k++)
		if (a->question->word[k].clause == a->question->word[i].clause &&
			laras_asked_has(a, row, k))
			return true;
	return false;
}

bool
laras_is_other_choice(const LarasAsked *a, const LarasFound *row, int i)
{
	static const char *const or [] = {"apa", "atau", "or"};

	return i >= 2 && LARAS_IS_ONE_OF(a->question->word[i - 1].text, or) &&
		   laras_asked_has(a, row, i - 2);
}

bool
laras_is_pack(const LarasWord *word)
{
	static const char *const packs[] = {"paket", "pack", "package", "packet"};

	return LARAS_IS_ONE_OF(word->text, packs);
}

bool
laras_is_size(const LarasWord *word)
{
	static const char *const sizes[] = {"besar", "gede", "kecil", "big", "large", "small"};

	return LARAS_IS_ONE_OF(word->text, sizes);
}

bool
laras_is_kin(const LarasQuestion *question, int i)
{
	static const char *const kin[] = {"anak", "bayi", "kid", "kids", "child", "children", "baby"};
	static const char *const whose[] = {"saya", "aku", "gue", "gua", "kami", "my", "our", "ku"};

	return LARAS_IS_ONE_OF(question->word[i].text, kin) &&
		   ((i > 0 && LARAS_IS_ONE_OF(question->word[i - 1].text, whose)) ||
			(i + 1 < question->n && LARAS_IS_ONE_OF(question->word[i + 1].text, whose)));
}

bool
laras_is_unknown(const LarasAsked *a, uint64 unknown, int i)
{
	const LarasWord *word = &a->question->word[i];

	return (a->bit[i] & unknown & ~a->items->asides & ~a->items->numbers) != 0 && word->cues == 0 &&
		   strlen(word->text) >= LEAST_LETTERS && !laras_is_size(word) && !laras_is_pack(word) &&
		   !laras_is_kin(a->question, i);
}

bool
laras_says_unknown(const LarasAsked *a, uint64 unknown, const LarasFound *row)
{
	for (int i = 0; i < a->question->n; i++)
		if (laras_is_unknown(a, unknown, i) && laras_names_in_clause(a, row, i) &&
			!laras_is_other_choice(a, row, i))
			return true;
	return false;
}

bool
laras_tells_one_of(const char *text, const char *const *list, int n)
{
	const char *low = text == NULL ? "" : laras_lower(text, strlen(text));

	for (int i = 0; i < n; i++)
		for (const char *s = low; (s = strstr(s, list[i])) != NULL; s++)
			if ((s == low || !isalpha((unsigned char) s[-1])) &&
				!isalpha((unsigned char) s[strlen(list[i])]))
				return true;
	return false;
}

bool
laras_tells_family(const char *text, const char *family)
{
	const char *low = text == NULL ? "" : laras_lower(text, strlen(text));
	char word[LARAS_WORD_BYTES + 2] = " ";
	size_t n = 1;

	for (const char *s = low;; s++)
	{
		if (isalpha((unsigned char) *s) && n < LARAS_WORD_BYTES)
		{
			word[n++] = *s;
			continue;
		}
		if (n > 1)
		{
			word[n] = ' ';
			word[n + 1] = '\0';
			if (strstr(family, word) != NULL)
				return true;
			n = 1;
		}
		if (*s == '\0')
			return false;
	}
}
