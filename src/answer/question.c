/*
 * question.c
 *		Reads a text into words: cut, lower case, chat spellings undone, words
 *		without matter marked, language guessed.  See question.h.
 *
 * Invariant: a word holds letters and digits only (ASCII ones, or characters
 * beyond ASCII that are neither blanks nor signs), so that it can stand in
 * quotes in a tsquery; the number of words and their lengths are bounded.
 */
#include "postgres.h"

#include "answer/lexicon.h"
#include "answer/question.h"
#include "catalog/pg_collation_d.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/formatting.h"

/*
 * Does a character beyond ASCII belong to a word?  General punctuation, arrows,
 * dingbats, emoji and their modifiers, CJK punctuation and the controls of
 * direction do not.  In encodings other than UTF-8 every one does.
 */
static bool
is_letter(const char *s)
{
	pg_wchar c;

	if (GetDatabaseEncoding() != PG_UTF8)
		return true;
	c = utf8_to_unicode((const unsigned char *) s);
	return !(c < 0xC0 || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3004) ||
			 (c >= 0x3008 && c <= 0x3020) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF ||
			 c == 0x061C || c >= 0x1F000 || (c >= 0xE000 && c <= 0xF8FF) ||
			 (c >= 0xFFF0 && c <= 0xFFFF));
}

/* Is this an apostrophe inside a word ("don't")? Its length, else 0. */
static int
apostrophe(const char *s, const char *end)
{
	if (*s == '\'')
		return 1;
	if (end - s >= 3 && memcmp(s, "\xE2\x80\x99", 3) == 0)
		return 3;
	return 0;
}

/*
 * Takes the next word of [*s, end) into word; 0 at the end, else its length.
 * A word longer than there is room for is cut at a character.
 */
static int
next_word(const char **s, const char *end, char word[LARAS_WORD_BYTES])
{
	int n = 0;

	while (*s < end)
	{
		unsigned char c = (unsigned char) **s;
		int length = c < 0x80 ? 1 : Min(pg_mblen(*s), (int) (end - *s));
		bool part = c < 0x80 ? isalnum(c) : is_letter(*s);

		if (part)
		{
			/* What does not fit is skipped, to the end of the word. */
			if (n + length < LARAS_WORD_BYTES)
			{
				memcpy(word + n, *s, length);
				n += length;
			}
		}
		else if (n > 0)
		{
			int skip = apostrophe(*s, end);

			if (skip == 0 || *s + skip >= end || !isalpha((unsigned char) (*s)[skip]))
				break;
			length = skip;
		}
		*s += length;
	}
	word[n] = '\0';
	return n;
}

/* Words of a text as they are written, in lower case, at most max. */
static int
split(const char *text, size_t n, char **words, int max)
{
	char *low;
	const char *s;
	const char *end;
	char word[LARAS_WORD_BYTES];
	int count = 0;
	int length;

	n = pg_mbcliplen(text, (int) Min(n, (size_t) LARAS_QUESTION_BYTES + MAX_MULTIBYTE_CHAR_LEN),
					 LARAS_QUESTION_BYTES);
	low = str_tolower(text, n, DEFAULT_COLLATION_OID);
	s = low;
	end = low + strlen(low);
	while (count < max && (length = next_word(&s, end, word)) > 0)
		words[count++] = pnstrdup(word, length);
	return count;
}

/* More function words of English than of Indonesian; a tie is Indonesian. */
static bool
is_english(char **words, int n)
{
	int indonesian = 0;
	int english = 0;

	for (int i = 0; i < n; i++)
	{
		const LarasLexeme *entry = laras_lexicon_find(words[i]);

		if (entry == NULL)
			continue;
		indonesian += (entry->flags & LARAS_WORD_INDONESIAN) != 0;
		english += (entry->flags & LARAS_WORD_ENGLISH) != 0;
	}
	return english > indonesian;
}

static bool
is_number(const char *word)
{
	return word[0] != '\0' && strspn(word, "0123456789") == strlen(word);
}

/*
 * Is it a number and its unit written as one ("500ml")?  The length of the
 * number, else 0.
 */
static int
number_with_unit(const char *word)
{
	size_t digits = strspn(word, "0123456789");
	const LarasLexeme *unit;

	if (digits == 0 || word[digits] == '\0')
		return 0;
	unit = laras_lexicon_find(word + digits);
	return unit != NULL && (unit->flags & LARAS_WORD_UNIT) ? (int) digits : 0;
}

/* The word without an enclitic of Indonesian ("harga" of "harganya"), or NULL. */
static const char *
without_enclitic(const char *word)
{
	static const char *const endings[] = {"nya", "kah", "lah", "ku", "mu"};
	size_t n = strlen(word);

	for (int i = 0; i < lengthof(endings); i++)
	{
		size_t ending = strlen(endings[i]);

		if (n >= ending + 3 && strcmp(word + n - ending, endings[i]) == 0)
			return pnstrdup(word, n - ending);
	}
	return NULL;
}

typedef struct Words
{
	const char **word;
	int n;
	int max;
} Words;

static void
add(Words *words, const char *word)
{
	if (words->n < words->max)
		words->word[words->n++] = word;
}

static void
add_list(Words *words, const char *list)
{
	char word[LARAS_WORD_BYTES];

	while (laras_lexicon_next(&list, word))
		add(words, pstrdup(word));
}

/*
 * Undoes spellings: chat words of Indonesian, "abu2" for a word said twice, a
 * number and its unit written as one.
 */
static void
respell(const char *word, bool english, bool after_number, Words *out)
{
	const LarasLexeme *entry = laras_lexicon_find(word);
	size_t n = strlen(word);
	int digits;

	if (after_number && entry != NULL && (entry->flags & LARAS_WORD_UNIT))
		add(out, word);
	else if (!english && entry != NULL && entry->meant != NULL)
		add_list(out, entry->meant);
	else if (!english && n > 3 && word[n - 1] == '2' && strcspn(word, "0123456789") == n - 1)
	{
		const char *once = pnstrdup(word, n - 1);

		add(out, once);
		add(out, once);
	}
	else if ((digits = number_with_unit(word)) > 0)
	{
		add(out, pnstrdup(word, digits));
		add(out, word + digits);
	}
	else
		add(out, word);
}

/* Puts what phrases stand for into their place. */
static void
rephrase(const Words *in, Words *out)
{
	for (int i = 0; i < in->n;)
	{
		const char *meant;
		int taken = laras_lexicon_phrase(in->word + i, in->n - i, &meant);

		if (taken > 0)
			add_list(out, meant);
		else
			add(out, in->word[i]);
		i += Max(taken, 1);
	}
}

static void
make_words(const char **words, int max, Words *made)
{
	made->word = words;
	made->n = 0;
	made->max = max;
}

LarasQuestion *
laras_read_question(const char *text, size_t n)
{
	LarasQuestion *question = palloc0(sizeof(LarasQuestion));
	/* A letter may be a word, and stand for two. */
	int max = (int) Min((size_t) LARAS_QUESTION_WORDS, 2 * n + 1);
	char **written = palloc(sizeof(char *) * max);
	Words spelled;
	Words meant;

	question->spoken = split(text, n, written, max);
	question->english = is_english(written, question->spoken);
	make_words(palloc(sizeof(char *) * max), max, &spelled);
	for (int i = 0; i < question->spoken; i++)
		respell(written[i], question->english,
				spelled.n > 0 && is_number(spelled.word[spelled.n - 1]), &spelled);
	make_words(palloc(sizeof(char *) * max), max, &meant);
	rephrase(&spelled, &meant);

	question->n = meant.n;
	question->word = palloc0(sizeof(LarasWord) * Max(meant.n, 1));
	for (int i = 0; i < meant.n; i++)
	{
		LarasWord *word = &question->word[i];
		const LarasLexeme *entry;

		word->text = meant.word[i];
		word->bare = without_enclitic(word->text);
		entry = laras_lexicon_find(word->text);
		if (entry == NULL && word->bare != NULL)
			entry = laras_lexicon_find(word->bare);
		word->filler = entry != NULL && (entry->flags & LARAS_WORD_FILLER);
		word->nod = entry != NULL && (entry->flags & LARAS_WORD_NOD);
		word->same = entry != NULL ? entry->same : NULL;
		if (i > 0 && entry != NULL && (entry->flags & LARAS_WORD_UNIT) &&
			is_number(question->word[i - 1].text))
		{
			word->filler = true;
			question->word[i - 1].joined = psprintf("%s%s", question->word[i - 1].text, word->text);
		}
	}
	return question;
}

int
laras_count_matter(const char *text, size_t n)
{
	const LarasQuestion *heading = laras_read_question(text, n);
	int count = 0;

	for (int i = 0; i < heading->n; i++)
	{
		bool again = heading->word[i].filler;

		for (int j = 0; j < i && !again; j++)
			again = strcmp(heading->word[i].text, heading->word[j].text) == 0;
		count += !again;
	}
	return count;
}
