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
#include "answer/root.h"
#include "answer/spelling.h"
#include "base/lower.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

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

/* Does a clause end in the signs before the next word, and with a question mark? */
static bool
clause_ends(const char *s, const char *end, bool *asked)
{
	*asked = false;
	for (const char *sign = s;
		 sign < end && !IS_HIGHBIT_SET(*sign) && !isalnum((unsigned char) *sign); sign++)
		*asked |= *sign == '?';
	for (; s < end && !IS_HIGHBIT_SET(*s) && !isalnum((unsigned char) *s); s++)
		if (strchr("?!;\n&+", *s) != NULL ||
			((*s == '.' || *s == ',') && (s + 1 == end || isspace((unsigned char) s[1]))))
			return true;
	return false;
}

/* Words of a text as they are written, in lower case, at most max, and the clause of each. */
static int
split(const char *text, size_t n, char **words, int *clauses, bool *mark, int max)
{
	int clause = 0;
	char *low;
	const char *s;
	const char *end;
	char word[LARAS_WORD_BYTES];
	int count = 0;
	int length;

	n = pg_mbcliplen(text, (int) Min(n, (size_t) LARAS_QUESTION_BYTES + MAX_MULTIBYTE_CHAR_LEN),
					 LARAS_QUESTION_BYTES);
	low = laras_lower(text, n);
	s = low;
	end = low + strlen(low);
	while (count < max)
	{
		bool asked;
		bool ended = clause_ends(s, end, &asked);

		if (count > 0)
			mark[clause] |= asked;
		if ((length = next_word(&s, end, word)) == 0)
			break;
		if (ended && count > 0)
			clause++;
		clauses[count] = clause;
		words[count++] = pnstrdup(word, length);
	}
	return count;
}

/* More function words of English than of Indonesian; a tie is Indonesian, and not told. */
static bool
is_english(char **words, int n, bool *told)
{
	int indonesian = 0;
	int english = 0;
	int borrowed = 0;

	for (int i = 0; i < n; i++)
	{
		const LarasLexeme *entry = laras_lexicon_find(words[i]);

		if (entry == NULL || !(entry->flags & (LARAS_WORD_INDONESIAN | LARAS_WORD_ENGLISH)))
		{
			int aside = laras_lexicon_aside(words[i]);

			if (aside != (LARAS_WORD_ASIDE | LARAS_WORD_INDONESIAN | LARAS_WORD_ENGLISH))
			{
				indonesian += (aside & LARAS_WORD_INDONESIAN) != 0;
				english += (aside & LARAS_WORD_ENGLISH) != 0;
			}
		}
		if (entry == NULL)
		{
			indonesian += laras_spelling_find(words[i], false) != NULL;
			english += laras_spelling_find(words[i], true) != NULL;
			continue;
		}
		/* words of both languages, unless others say that it is English ("stock f310?") */
		if (strcmp(words[i], "stock") == 0 || strcmp(words[i], "order") == 0)
		{
			borrowed++;
			continue;
		}
		/* "no 36", "nomor 36"; "ada a": they say nothing of the language */
		if (strcmp(words[i], "no") == 0 || (strcmp(words[i], "a") == 0 && i + 1 == n))
			continue;
		indonesian += (entry->flags & LARAS_WORD_INDONESIAN) != 0;
		english += (entry->flags & LARAS_WORD_ENGLISH) != 0;
	}
	if (english > 0)
		english += borrowed;
	*told = english != indonesian;
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
	const char **said; /* as it was written, where that is another word; or NULL */
	int *clause;
	int n;
	int max;
	int at; /* clause of what is added */
} Words;

static void
add(Words *words, const char *word)
{
	if (words->n < words->max)
	{
		words->clause[words->n] = words->at;
		words->said[words->n] = NULL;
		words->word[words->n++] = word;
	}
}

static void
add_list(Words *words, const char *list)
{
	char word[LARAS_WORD_BYTES];

	while (laras_lexicon_next(&list, word))
		add(words, pstrdup(word));
}

static void
make_words(int max, Words *made)
{
	made->word = palloc(sizeof(char *) * max);
	made->said = palloc(sizeof(char *) * max);
	made->clause = palloc(sizeof(int) * max);
	made->n = 0;
	made->max = max;
	made->at = 0;
}

/* "10rb", "10 ribu", "10k": the number in figures, or NULL. */
static const char *
in_thousands(const char *number, const char *unit)
{
	static const char *const thousands[] = {"rb", "ribu", "rbu", "k"};

	for (int i = 0; i < lengthof(thousands); i++)
		if (strcmp(unit, thousands[i]) == 0 && strlen(number) < 10)
			return psprintf("%s000", number);
	return NULL;
}

/* Letters held for long ("adaaa", "kakkk") stand once, where nobody knows the word. */
static const char *
without_runs(const char *word)
{
	char *shorter = palloc(strlen(word) + 1);
	int n = 0;

	for (int i = 0; word[i] != '\0'; i++)
		if (i < 2 || word[i] != word[i - 1] || word[i] != word[i - 2] ||
			isdigit((unsigned char) word[i]))
			shorter[n++] = word[i];
	shorter[n] = '\0';
	if (n == (int) strlen(word))
		return word;
	/* a run of three is two by now */
	for (int i = n - 1; i > 0; i--)
		if (shorter[i] == shorter[i - 1])
		{
			memmove(shorter + i, shorter + i + 1, n - i);
			n--;
		}
	return shorter;
}

/* Words that join clauses. */
static bool
is_joint(const char *word)
{
	static const char *const joints[] = {"dan", "sama", "plus", "serta", "terus", "and"};

	for (int i = 0; i < lengthof(joints); i++)
		if (strcmp(word, joints[i]) == 0)
			return true;
	return false;
}

/* "180x200" is two numbers: the length of the first, else 0. */
static int
by_number(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits > 0 && word[digits] == 'x' && is_number(word + digits + 1) ? (int) digits : 0;
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
	const char *meaning;
	const char *thousands;
	int digits;

	if (entry == NULL && laras_spelling_find(word, english) == NULL)
		word = without_runs(word);
	n = strlen(word);
	if (after_number && (thousands = in_thousands(out->word[out->n - 1], word)) != NULL)
		out->word[out->n - 1] = thousands;
	else if ((digits = strspn(word, "0123456789")) > 0 &&
			 (thousands = in_thousands(pnstrdup(word, digits), word + digits)) != NULL)
		add(out, thousands);
	else if (after_number && entry != NULL && (entry->flags & LARAS_WORD_UNIT))
		add(out, word);
	else if ((meaning = laras_spelling_find(word, english)) != NULL)
	{
		add_list(out, meaning);
		/* a name may be spelled so */
		if (strchr(meaning, ' ') == NULL && out->n > 0)
			out->said[out->n - 1] = word;
	}
	else if (!english && n > 3 && word[n - 1] == '2' && strcspn(word, "0123456789") == n - 1)
	{
		const char *once = pnstrdup(word, n - 1);

		add(out, once);
		add(out, once);
	}
	else if ((digits = by_number(word)) > 0)
	{
		add(out, pnstrdup(word, digits));
		add(out, word + digits + 1);
	}
	else if ((digits = number_with_unit(word)) > 0)
	{
		add(out, pnstrdup(word, digits));
		add(out, word + digits);
	}
	else
		add(out, word);
}

/* Does it tell why somebody asks? In the language that is written: "second" is of goods elsewhere. */
static bool
is_aside(const char *word, bool english)
{
	return (laras_lexicon_aside(word) & (english ? LARAS_WORD_ENGLISH : LARAS_WORD_INDONESIAN)) !=
		   0;
}

/*
 * What the lexicon knows of a word that is none of its own by what it is made
 * from: words found for it, and whether it tells why somebody asks.
 */
static void
read_root(LarasWord *word, bool english)
{
	LarasRoots roots;

	laras_find_roots(word->text, english, &roots);
	for (int i = 0; i < roots.n; i++)
	{
		const LarasLexeme *entry = laras_lexicon_find(roots.form[i]);

		word->aside |= is_aside(roots.form[i], english) ||
					   (entry != NULL && (entry->flags & LARAS_WORD_FILLER) &&
						(entry->flags & (english ? LARAS_WORD_ENGLISH : LARAS_WORD_INDONESIAN)));
		if (word->root == NULL && entry != NULL && strlen(roots.form[i]) > 3)
		{
			word->root = pstrdup(roots.form[i]);
			word->same = entry->same;
			word->related = entry->related;
		}
	}
}

/* Behind a number: it says how many, or the time; before one: that it is a time or an age. */
static bool
is_one_of(const char *word, const char *list)
{
	size_t n = strlen(word);

	for (const char *s = list; (s = strstr(s, word)) != NULL; s++)
		if ((s == list || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0'))
			return true;
	return false;
}

static bool
counts(const LarasQuestion *question, int i)
{
	static const char before[] =
		"jam pukul tanggal tgl umur usia umurnya usianya at age aged is lantai lt";
	static const char behind[] =
		"x kali menit jam minggu bulan tahun thn th am pm oclock pagi siang "
		"sore wib wita wit weeks week month months year years yo hours hour "
		"minutes minute times km kilometer juta jt rupiah persen percent";

	return is_number(question->word[i].text) &&
		   ((i > 0 && is_one_of(question->word[i - 1].text, before)) ||
			(i + 1 < question->n && is_one_of(question->word[i + 1].text, behind)));
}

/* Is it the number of pieces or people that are wanted? A name may hold it ("20 Porsi"). */
static bool
tells_how_many(const LarasQuestion *question, int i)
{
	static const char behind[] =
		"pcs pc biji bijik buah orang org porsi kotak kardus dus pak pack bungkus lembar potong helai "
		"pasang set stel box boxes people persons person pax guests guest adults adult kids pieces "
		"piece items orders tamu anak malam nights night loyang cup gelas botol ekor tusuk "
		"toples sachet bungkusan mangkok mangkuk piring slice keping sak karung jar jars bottle bottles "
		"bags packs cups pairs";

	static const char before[] = "beli membeli ambil pesan order buy";

	if (!is_number(question->word[i].text))
		return false;
	return (i + 1 < question->n && is_one_of(question->word[i + 1].text, behind)) ||
		   (i > 0 && question->word[i].joined == NULL &&
			is_one_of(question->word[i - 1].text, before));
}

/* Puts what phrases stand for into their place. */
static void
rephrase(const Words *in, Words *out)
{
	for (int i = 0; i < in->n;)
	{
		const char *meant;
		int taken = laras_lexicon_phrase(in->word + i, in->n - i, &meant);

		out->at = in->clause[i];
		if (taken > 0)
			add_list(out, meant);
		else
		{
			add(out, in->word[i]);
			if (out->n > 0)
				out->said[out->n - 1] = in->said[i];
		}
		i += Max(taken, 1);
	}
}

LarasQuestion *
laras_read_question(const char *text, size_t n)
{
	LarasQuestion *question = palloc0(sizeof(LarasQuestion));
	/* A letter may be a word, and stand for two. */
	int max = (int) Min((size_t) LARAS_QUESTION_WORDS, 2 * n + 1);
	char **written = palloc(sizeof(char *) * max);
	int *clauses = palloc(sizeof(int) * max);
	bool *mark = palloc0(sizeof(bool) * (max + 1)); /* clauses that end in a question mark */
	int joints = 0;
	Words spelled;
	Words meant;

	question->spoken = split(text, n, written, clauses, mark, max);
	question->english = is_english(written, question->spoken, &question->told);
	make_words(max, &spelled);
	for (int i = 0; i < question->spoken; i++)
	{
		spelled.at = clauses[i];
		respell(written[i], question->english,
				spelled.n > 0 && is_number(spelled.word[spelled.n - 1]), &spelled);
	}
	make_words(max, &meant);
	rephrase(&spelled, &meant);

	question->n = meant.n;
	question->word = palloc0(sizeof(LarasWord) * Max(meant.n, 1));
	for (int i = 0; i < meant.n; i++)
	{
		LarasWord *word = &question->word[i];
		const LarasLexeme *entry;

		word->text = meant.word[i];
		word->written = meant.said[i];
		joints += is_joint(word->text);
		word->joined_clause = is_joint(word->text);
		word->clause = meant.clause[i] + joints;
		word->bare = without_enclitic(word->text);
		entry = laras_lexicon_find(word->text);
		if (entry == NULL && word->bare != NULL)
			entry = laras_lexicon_find(word->bare);
		word->filler = entry != NULL && (entry->flags & LARAS_WORD_FILLER);
		word->aside = is_aside(word->text, question->english) ||
					  (word->bare != NULL && is_aside(word->bare, question->english));
		word->asked = mark[meant.clause[i]];
		/* "Snack Box A": behind a name, and not before one, it is no article */
		if (strcmp(word->text, "a") == 0 && i > 0 && meant.clause[i - 1] == meant.clause[i] &&
			!question->word[i - 1].filler &&
			(!question->english || i + 1 == meant.n || meant.clause[i + 1] != meant.clause[i]))
			word->filler = false;
		/* "2 pasang" counts; "ongkos pasang" is work that has a price of its own */
		if (strcmp(word->bare != NULL ? word->bare : word->text, "pasang") == 0 &&
			!(i > 0 && is_number(question->word[i - 1].text)))
			word->filler = false;
		word->nod = entry != NULL && (entry->flags & LARAS_WORD_NOD);
		word->same = entry != NULL ? entry->same : NULL;
		word->related = entry != NULL ? entry->related : NULL;
		if (entry == NULL && !word->aside)
			read_root(word, question->english);
		if (i > 0 && entry != NULL && (entry->flags & LARAS_WORD_UNIT) &&
			is_number(question->word[i - 1].text))
		{
			word->filler = true;
			question->word[i - 1].joined = psprintf("%s%s", question->word[i - 1].text, word->text);
		}
	}
	for (int i = 0; i < question->n; i++)
	{
		question->word[i].counted = counts(question, i);
		/* "jam 3": the time is told, and hours are not looked for */
		if (question->word[i].counted && i > 0 &&
			is_one_of(question->word[i - 1].text, "jam pukul"))
			question->word[i - 1].aside = question->word[i - 1].filler = true;
		question->word[i].pieces = tells_how_many(question, i);
	}
	return question;
}

LarasQuestion *
laras_part_of_question(const LarasQuestion *question, int from, int to)
{
	LarasQuestion *part = palloc0(sizeof(LarasQuestion));

	part->english = question->english;
	part->told = question->told;
	part->spoken = part->n = to - from;
	part->word = palloc0(sizeof(LarasWord) * Max(part->n, 1));
	for (int i = from; i < to; i++)
	{
		part->word[i - from] = question->word[i];
		part->word[i - from].cues = 0;
	}
	return part;
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

/* Of more pieces than these a word says that they are pieces. */
#define FEW 12

bool
laras_asks_sum(const LarasQuestion *question)
{
	static const char people[] =
		"orang org porsi people persons person pax guests guest adults adult kids tamu anak";
	static const char sums[] = "total totalnya semua semuanya altogether jatuhnya jatohnya";

	for (int i = 0; i < question->n; i++)
	{
		const char *next = i + 1 < question->n ? question->word[i + 1].text : "";

		if (is_one_of(question->word[i].text, sums) ||
			(question->word[i].pieces && !is_one_of(next, people)) ||
			(is_one_of(question->word[i].text, "jadi jadinya") && strcmp(next, "berapa") == 0))
			return true;
	}
	return false;
}

int
laras_count_amounts(const LarasQuestion *question)
{
	int amounts = 0;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];

		amounts += word->pieces ||
				   (strlen(word->text) < 3 && is_number(word->text) &&
					strtol(word->text, NULL, 10) <= FEW && !word->counted && word->joined == NULL);
	}
	return amounts;
}
