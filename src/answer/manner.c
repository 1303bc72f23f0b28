/*
 * manner.c
 *		Promises, days, tone, and the marks of obeyed orders; see manner.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/holdreason.h"
#include "answer/manner.h"
#include "answer/question.h"
#include "base/lower.h"

/* so many letters of a text, most of them capitals, are shouted; so many signs, too */
#define SHOUTED 20
#define SIGNS 4
/* words below which nobody can say what language it is */
#define WORDS 6

typedef enum Kind
{
	PROMISES,
	DAYS,
	RUDENESS,
	OBEDIENCE
} Kind;

static const struct
{
	Kind kind;
	const char *phrase;
} phrases[] = {
#define PROMISE(phrase) {PROMISES, phrase},
#define DAY(phrase) {DAYS, phrase},
#define RUDE(phrase) {RUDENESS, phrase},
#define ORDERED(phrase) {OBEDIENCE, phrase},
#include "answer/manner.def"
};

static const char *const reason_of[] = {
	[PROMISES] = LARAS_HOLD_UNGROUNDED_PROMISE,
	[DAYS] = LARAS_HOLD_UNGROUNDED_DATE,
	[RUDENESS] = LARAS_HOLD_TONE,
	[OBEDIENCE] = LARAS_HOLD_INJECTION_SYMPTOM,
};

/* Lower case, every sign a blank, one blank between words and at both ends. */
static char *
plain(const char *text, size_t n)
{
	char *low = laras_lower(text, n);
	char *out = palloc(strlen(low) + 3);
	char *to = out;

	*to++ = ' ';
	for (const char *s = low; *s != '\0'; s++)
	{
		bool letter = IS_HIGHBIT_SET(*s) || isalnum((unsigned char) *s) || *s == '_';

		if (letter)
			*to++ = *s;
		else if (to[-1] != ' ')
			*to++ = ' ';
	}
	if (to[-1] != ' ')
		*to++ = ' ';
	*to = '\0';
	return out;
}

static bool
holds(const char *plain_text, const char *phrase)
{
	size_t n = strlen(phrase);

	for (const char *s = strstr(plain_text, phrase); s != NULL; s = strstr(s + 1, phrase))
		if (s[-1] == ' ' && s[n] == ' ')
			return true;
	return false;
}

static bool
is_shouted(const char *text, size_t n)
{
	int letters = 0;
	int capitals = 0;
	int signs = 0;

	for (size_t i = 0; i < n; i++)
	{
		letters += isalpha((unsigned char) text[i]) != 0;
		capitals += isupper((unsigned char) text[i]) != 0;
		signs = text[i] == '!' ? signs + 1 : 0;
		if (signs >= SIGNS)
			return true;
	}
	return letters >= SHOUTED && capitals * 10 >= letters * 7;
}

/* Code, mark-up and the forms of a model's own speech are no text for a customer. */
static bool
is_no_text(const char *text, size_t n)
{
	static const char *const marks[] = {"```", "</", "<|", "{\"", "[INST", "###"};

	for (int i = 0; i < lengthof(marks); i++)
		if (memmem(text, n, marks[i], strlen(marks[i])) != NULL)
			return true;
	return false;
}

static void
add_reason(const char *reasons[LARAS_MANNER_REASONS], int *count, const char *reason)
{
	for (int i = 0; i < *count; i++)
		if (strcmp(reasons[i], reason) == 0)
			return;
	if (*count < LARAS_MANNER_REASONS)
		reasons[(*count)++] = reason;
}

int
laras_manner(const char *text, size_t n, const LarasFact *facts, int n_facts,
			 const char *reasons[LARAS_MANNER_REASONS])
{
	char *said = plain(text, n);
	char **known = palloc(sizeof(char *) * (n_facts + 1));
	int count = 0;

	for (int i = 0; i < n_facts; i++)
		known[i] = plain(facts[i].text, strlen(facts[i].text));
	for (int p = 0; p < lengthof(phrases); p++)
	{
		bool stands = false;

		if (!holds(said, phrases[p].phrase))
			continue;
		if (phrases[p].kind == PROMISES || phrases[p].kind == DAYS)
			for (int i = 0; i < n_facts && !stands; i++)
				stands = holds(known[i], phrases[p].phrase);
		if (!stands)
			add_reason(reasons, &count, reason_of[phrases[p].kind]);
	}
	if (is_shouted(text, n))
		add_reason(reasons, &count, reason_of[RUDENESS]);
	if (is_no_text(text, n))
		add_reason(reasons, &count, reason_of[OBEDIENCE]);
	return count;
}

bool
laras_says_again(const char *text, size_t n, const char *before, size_t before_n)
{
	/* both with a blank at their ends, so that words are whole */
	return strstr(plain(before, before_n), plain(text, n)) != NULL;
}

bool
laras_other_language(const char *text, size_t n, bool english)
{
	LarasQuestion *read = laras_read_question(text, n);

	return read->spoken >= WORDS && read->english != english;
}
