/*
 * manner.c
 *		Promises, days, tone, stock, what nobody may ask for, and the marks of obeyed
 *		orders; see manner.h.
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

/* words before one that says whether there is any, among which another sense is looked for */
#define BEFORE 5

typedef enum Kind
{
	PROMISES,
	DEEDS,
	DAYS,
	PLACES,
	RUDENESS,
	FONDNESS,
	OBEDIENCE,
	SECRETS,
	HANDS_IN,
	FORBIDS,
	IS_THERE,
	IS_GONE,
	IS_OTHER
} Kind;

static const struct
{
	Kind kind;
	const char *phrase;
} phrases[] = {
#define PROMISE(phrase) {PROMISES, phrase},
#define DONE(phrase) {DEEDS, phrase},
#define DAY(phrase) {DAYS, phrase},
#define ELSEWHERE(phrase) {PLACES, phrase},
#define RUDE(phrase) {RUDENESS, phrase},
#define FOND(phrase) {FONDNESS, phrase},
#define ORDERED(phrase) {OBEDIENCE, phrase},
#define SECRET(phrase) {SECRETS, phrase},
#define HAND_IN(phrase) {HANDS_IN, phrase},
#define NEVER(phrase) {FORBIDS, phrase},
#define THERE(phrase) {IS_THERE, phrase},
#define GONE(phrase) {IS_GONE, phrase},
#define UNLESS(phrase) {IS_OTHER, phrase},
#include "answer/manner.def"
};

/* those that one phrase is enough for; must it stand in a row? */
static const struct
{
	const char *reason;
	bool may_stand;
} told_by[] = {
	[PROMISES] = {LARAS_HOLD_UNGROUNDED_PROMISE, true},
	[DEEDS] = {LARAS_HOLD_UNGROUNDED_PROMISE, true},
	[DAYS] = {LARAS_HOLD_UNGROUNDED_DATE, true},
	[PLACES] = {LARAS_HOLD_UNGROUNDED_LINK, true},
	[RUDENESS] = {LARAS_HOLD_TONE, false},
	[FONDNESS] = {LARAS_HOLD_TONE, true},
	[OBEDIENCE] = {LARAS_HOLD_INJECTION_SYMPTOM, false},
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

static bool
holds_any(const char *plain_text, Kind kind)
{
	for (int p = 0; p < lengthof(phrases); p++)
		if (phrases[p].kind == kind && holds(plain_text, phrases[p].phrase))
			return true;
	return false;
}

static bool
stands(char *const *known, int n_facts, const char *phrase)
{
	for (int i = 0; i < n_facts; i++)
		if (holds(known[i], phrase))
			return true;
	return false;
}

/* The end of the sentence, or of the clause, that begins at from. */
static size_t
part_end(const char *text, size_t n, size_t from, const char *signs)
{
	size_t end = from;

	while (end < n && text[end] != '\n' &&
		   (text[end] == '\0' || strchr(signs, text[end]) == NULL ||
			(end + 1 < n && !isspace((unsigned char) text[end + 1]))))
		end++;
	return Min(end + 1, n);
}

/*
 * Does the text ask for what a customer must give to nobody? A row may name it,
 * and the text may warn of it.
 */
static bool
asks_secret(const char *text, size_t n, char *const *known, int n_facts)
{
	for (size_t from = 0; from < n;)
	{
		size_t end = part_end(text, n, from, ".!?");
		char *said = plain(text + from, end - from);

		for (int p = 0; p < lengthof(phrases); p++)
		{
			bool named;

			if (phrases[p].kind != SECRETS || !holds(said, phrases[p].phrase) ||
				holds_any(said, FORBIDS))
				continue;
			named = stands(known, n_facts, phrases[p].phrase);
			/* a pin is a thing as well */
			if (!named || (strcmp(phrases[p].phrase, "pin") != 0 && holds_any(said, HANDS_IN)))
				return true;
		}
		from = end;
	}
	return false;
}

/* Does it stand in what is said, without a word shortly before it that makes it another? */
static bool
says(const char *said, const char *phrase)
{
	size_t n = strlen(phrase);

	for (const char *s = strstr(said, phrase); s != NULL; s = strstr(s + 1, phrase))
	{
		const char *from = s;
		char *before;

		if (s[-1] != ' ' || s[n] != ' ')
			continue;
		for (int words = 0; words < BEFORE && from - 1 > said; words++)
			for (from--; from - 1 >= said && from[-1] != ' ';)
				from--;
		before = psprintf(" %.*s", (int) (s - from), from);
		if (!holds_any(before, IS_OTHER))
			return true;
	}
	return false;
}

/* One of the phrases of the kind that no fact has. */
static bool
says_of_stock(const char *said, Kind kind, char *const *known, int n_facts)
{
	for (int p = 0; p < lengthof(phrases); p++)
		if (phrases[p].kind == kind && says(said, phrases[p].phrase) &&
			!stands(known, n_facts, phrases[p].phrase))
			return true;
	return false;
}

/*
 * Does the text say that an item is there whose row has none left, or that it is
 * gone where there are some? Each clause speaks of the items that it names, else of
 * those that were named last, else of all; of several, all must gainsay it.
 */
static bool
gainsays_stock(const char *text, size_t n, const LarasFact *facts, char *const *known, int n_facts)
{
	bool *meant = palloc(sizeof(bool) * (n_facts + 1));
	char **name = palloc0(sizeof(char *) * (n_facts + 1));
	int items = 0;

	for (int i = 0; i < n_facts; i++)
	{
		meant[i] = facts[i].currency != NULL || facts[i].stock != NULL;
		if (!meant[i])
			continue;
		name[i] = plain(facts[i].text, strcspn(facts[i].text, "\n"));
		items += facts[i].stock != NULL;
	}
	if (items == 0)
		return false;
	for (size_t from = 0; from < n;)
	{
		size_t end = part_end(text, n, from, ".!?,;");
		char *said = plain(text + from, end - from);
		bool names = false;
		bool none = true; /* is left of those that are meant */
		bool some = true;
		int count = 0;

		for (int i = 0; i < n_facts && !names; i++)
			names = name[i] != NULL && strstr(said, name[i]) != NULL;
		for (int i = 0; i < n_facts; i++)
		{
			if (name[i] != NULL && names)
				meant[i] = strstr(said, name[i]) != NULL;
			if (!meant[i])
				continue;
			count++;
			none &= facts[i].stock != NULL && strcmp(facts[i].stock, "0") == 0;
			some &= facts[i].stock != NULL && strcmp(facts[i].stock, "0") != 0;
		}
		if (count > 0 && ((none && says_of_stock(said, IS_THERE, known, n_facts)) ||
						  (some && says_of_stock(said, IS_GONE, known, n_facts))))
			return true;
		from = end;
	}
	return false;
}

int
laras_manner(const char *text, size_t n, const LarasFact *facts, int n_facts,
			 LarasAuthorOfText author, const char *reasons[LARAS_MANNER_REASONS])
{
	char *said = plain(text, n);
	char **known = palloc(sizeof(char *) * (n_facts + 1));
	int count = 0;

	for (int i = 0; i < n_facts; i++)
		known[i] = plain(facts[i].text, strlen(facts[i].text));
	for (int p = 0; p < lengthof(phrases); p++)
	{
		Kind kind = phrases[p].kind;

		if (kind > OBEDIENCE || !holds(said, phrases[p].phrase))
			continue;
		/* of what no row can know, an order on its way, people may write; not beside goods */
		if (kind == DEEDS && author == LARAS_BY_PERSON && n_facts == 0)
			continue;
		if (!told_by[kind].may_stand || !stands(known, n_facts, phrases[p].phrase))
			add_reason(reasons, &count, told_by[kind].reason);
	}
	if (is_shouted(text, n))
		add_reason(reasons, &count, told_by[RUDENESS].reason);
	if (is_no_text(text, n))
		add_reason(reasons, &count, told_by[OBEDIENCE].reason);
	if (asks_secret(text, n, known, n_facts))
		add_reason(reasons, &count, LARAS_HOLD_ASKS_SECRET);
	if (gainsays_stock(text, n, facts, known, n_facts))
		add_reason(reasons, &count, LARAS_HOLD_UNGROUNDED_STOCK);
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

	return read->spoken >= WORDS && read->told && read->english != english;
}
