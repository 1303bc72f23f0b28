/*
 * root.c
 *		Takes prefixes and endings off a word, see root.h.
 *
 * The stemmers of the server know the written language.  They neither give back
 * the consonant that a prefix swallowed ("mengirim" is from "kirim") nor know
 * how people speak ("ngirimin", "njahitke").
 */
#include "postgres.h"

#include "answer/root.h"

/* Letters of a root, at least. */
#define LEAST 3

typedef struct Prefix
{
	const char *written;
	const char *swallowed; /* each letter may have stood behind it; "" none */
} Prefix;

/* "-" stands for nothing swallowed, beside the letters. */
static const Prefix prefixes[] = {{"menge", ""}, {"meng", "-k"}, {"meny", "s"}, {"mem", "-p"},
								  {"men", "-t"}, {"me", ""},     {"penge", ""}, {"peng", "-k"},
								  {"peny", "s"}, {"pem", "-p"},  {"pen", "-t"}, {"per", ""},
								  {"pe", ""},    {"diper", ""},  {"di", ""},    {"ber", ""},
								  {"be", ""},    {"ter", ""},    {"ke", ""},    {"se", ""},
								  {"nge", ""},   {"ng", "-k"},   {"ny", "sc"},  {"n", "-t"},
								  {"m", "-p"},   {"ku", ""},     {"kau", ""}};

static const char *const indonesian[] = {"nya", "kannya", "annya", "innya", "kan", "in",
										 "an",  "i",      "kah",   "lah",   "ku",  "mu",
										 "pun", "ne",     "ke",    "e",     "nye", "ny"};
static const char *const english[] = {"s", "es", "ed", "ing", "ly", "d", "est"};

static void
propose(LarasRoots *roots, const char *word, const char *form, size_t n)
{
	if (n < LEAST || n >= LARAS_WORD_BYTES || roots->n == LARAS_ROOTS)
		return;
	if (strlen(word) == n && memcmp(word, form, n) == 0)
		return;
	for (int i = 0; i < roots->n; i++)
		if (strlen(roots->form[i]) == n && memcmp(roots->form[i], form, n) == 0)
			return;
	memcpy(roots->form[roots->n], form, n);
	roots->form[roots->n++][n] = '\0';
}

/* The first n bytes of a form without each ending that it has. */
static void
without_endings(LarasRoots *roots, const char *word, const char *form, size_t n,
				const char *const *endings, int count)
{
	for (int i = 0; i < count; i++)
	{
		size_t ending = strlen(endings[i]);

		if (n < ending + LEAST || memcmp(form + n - ending, endings[i], ending) != 0)
			continue;
		propose(roots, word, form, n - ending);
		/* "batteries", "planning" */
		if (strcmp(endings[i], "es") == 0 && n > ending + LEAST && form[n - 3] == 'i')
		{
			char with_y[LARAS_WORD_BYTES];

			snprintf(with_y, sizeof(with_y), "%.*sy", (int) (n - 3), form);
			propose(roots, word, with_y, strlen(with_y));
		}
		if ((strcmp(endings[i], "ing") == 0 || strcmp(endings[i], "ed") == 0) && n > ending + LEAST)
		{
			char with_e[LARAS_WORD_BYTES];
			size_t stem = n - ending;

			snprintf(with_e, sizeof(with_e), "%.*se", (int) stem, form);
			propose(roots, word, with_e, strlen(with_e));
			if (form[stem - 1] == form[stem - 2])
				propose(roots, word, form, stem - 1);
		}
	}
}

void
laras_find_roots(const char *word, bool is_english, LarasRoots *roots)
{
	size_t n = strlen(word);

	roots->n = 0;
	if (n <= LEAST || n >= LARAS_WORD_BYTES - 2 || strpbrk(word, "013456789") != NULL)
		return;
	/* "sambel", "sendal": as it is spoken */
	for (size_t i = 1; i + 1 < n; i++)
		if (word[i] == 'e' && n > 4 && !is_english)
		{
			char form[LARAS_WORD_BYTES];

			strlcpy(form, word, sizeof(form));
			form[i] = 'a';
			propose(roots, word, form, n);
		}
	if (is_english)
	{
		without_endings(roots, word, word, n, english, lengthof(english));
		return;
	}
	without_endings(roots, word, word, n, indonesian, lengthof(indonesian));
	for (int i = 0; i < lengthof(prefixes); i++)
	{
		size_t prefix = strlen(prefixes[i].written);
		const char *swallowed = prefixes[i].swallowed;

		if (n < prefix + LEAST || memcmp(word, prefixes[i].written, prefix) != 0)
			continue;
		if (*swallowed == '\0' || *swallowed == '-')
		{
			propose(roots, word, word + prefix, n - prefix);
			without_endings(roots, word, word + prefix, n - prefix, indonesian,
							lengthof(indonesian));
		}
		for (; *swallowed != '\0'; swallowed++)
		{
			char form[LARAS_WORD_BYTES];

			if (*swallowed == '-')
				continue;
			snprintf(form, sizeof(form), "%c%s", *swallowed, word + prefix);
			propose(roots, word, form, strlen(form));
			without_endings(roots, word, form, strlen(form), indonesian, lengthof(indonesian));
		}
	}
}
