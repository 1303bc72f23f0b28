/*
 * lacks.c
 *		What a question asks that a row does not say, see lacks.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/choose.h"
#include "answer/clause.h"
#include "answer/lacks.h"
#include "base/lower.h"
#include "port/pg_bitutils.h"

/* Letters of a word that names something, at least. */
#define LEAST_LETTERS 3

static bool
is_one_of(const char *word, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, lengthof(list))

/* A question, and the bit of each of its words in a search; 0: it was not looked for. */
typedef struct Asked
{
	const LarasQuestion *question;
	const LarasFindings *items;
	uint64 *bit;
} Asked;

static Asked
read_asked(const LarasQuestion *question, const LarasFindings *items)
{
	Asked asked = {question, items, palloc0(sizeof(uint64) * Max(question->n, 1))};

	for (int i = 0; i < question->n; i++)
		for (int k = 0; k < items->words && asked.bit[i] == 0; k++)
			if (strcmp(items->word[k]->text, question->word[i].text) == 0)
				asked.bit[i] = UINT64CONST(1) << k;
	return asked;
}

/* Does the row have word i? */
static bool
has(const Asked *a, const LarasFound *row, int i)
{
	return (row->matched & a->bit[i]) != 0;
}

/* Does a clause of word i name the row? */
static bool
names_in_clause(const Asked *a, const LarasFound *row, int i)
{
	for (int k = 0; k < a->question->n; k++)
		if (a->question->word[k].clause == a->question->word[i].clause && has(a, row, k))
			return true;
	return false;
}

/* Does the clause of word i name the row before it? */
static bool
names_before(const Asked *a, const LarasFound *row, int i)
{
	for (int k = 0; k < i; k++)
		if (a->question->word[k].clause == a->question->word[i].clause &&
			(row->named & a->bit[k]) != 0)
			return true;
	return false;
}

/* "kulit sapi apa sintetis": one of the two is what the row has. */
static bool
is_other_choice(const Asked *a, const LarasFound *row, int i)
{
	static const char *const or [] = {"apa", "atau", "or"};

	return i >= 2 && IS_ONE_OF(a->question->word[i - 1].text, or) && has(a, row, i - 2);
}

/* How it is put up names nothing beside what is in it. */
static bool
is_pack(const LarasWord *word)
{
	static const char *const packs[] = {"paket", "pack", "package", "packet"};

	return IS_ONE_OF(word->text, packs);
}

/* "yang besar" says which, where there are several: so does the question back. */
static bool
is_size(const LarasWord *word)
{
	static const char *const sizes[] = {"besar", "gede", "kecil", "big", "large", "small"};

	return IS_ONE_OF(word->text, sizes);
}

/* "anak saya" tells of a person. */
static bool
is_kin(const LarasQuestion *question, int i)
{
	static const char *const kin[] = {"anak", "bayi", "kid", "kids", "child", "children", "baby"};
	static const char *const whose[] = {"saya", "aku", "gue", "gua", "kami", "my", "our", "ku"};

	return IS_ONE_OF(question->word[i].text, kin) &&
		   ((i > 0 && IS_ONE_OF(question->word[i - 1].text, whose)) ||
			(i + 1 < question->n && IS_ONE_OF(question->word[i + 1].text, whose)));
}

/* Does word i name something that no row has? */
static bool
is_unknown(const Asked *a, uint64 unknown, int i)
{
	const LarasWord *word = &a->question->word[i];

	return (a->bit[i] & unknown & ~a->items->asides & ~a->items->numbers) != 0 && word->cues == 0 &&
		   strlen(word->text) >= LEAST_LETTERS && !is_size(word) && !is_pack(word) &&
		   !is_kin(a->question, i);
}

/* A word that no row has, in a clause that names the item. */
static bool
says_unknown(const Asked *a, uint64 unknown, const LarasFound *row)
{
	for (int i = 0; i < a->question->n; i++)
		if (is_unknown(a, unknown, i) && names_in_clause(a, row, i) && !is_other_choice(a, row, i))
			return true;
	return false;
}

/* Is the row called by a number of these ("Tumpeng 20 Porsi")? */
static bool
is_named_by(const LarasFound *row, const char *unit)
{
	const char *low = laras_lower(row->heading, strlen(row->heading));
	const char *s = strstr(low, unit);

	return s != NULL && s - low >= 2 && s[-1] == ' ' && isdigit((unsigned char) s[-2]);
}

/*
 * A size that the row does not have ("yang 30 cm", "ukuran 44"), unless it lists
 * those that there are.
 */
static bool
says_other_size(const Asked *a, const LarasFound *row)
{
	static const char *const before[] = {"ukuran", "size", "nomor", "nomer", "no"};
	static const char *const days[] = {"hari", "day", "days"};
	static const char *const listed[] = {"ukuran: ", "size: ", "sizes: "};

	for (int i = 0; i < lengthof(listed); i++)
	{
		const char *sizes = row->attributes != NULL ? strstr(row->attributes, listed[i]) : NULL;

		if (sizes != NULL && memchr(sizes, ',', strcspn(sizes, ";")) != NULL)
			return false;
	}
	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];

		if (word->pieces && i + 1 < a->question->n && !has(a, row, i) &&
			is_named_by(row, a->question->word[i + 1].text))
			return true;
		if (!(a->bit[i] & a->items->numbers) || has(a, row, i) ||
			(i + 1 < a->question->n && IS_ONE_OF(a->question->word[i + 1].text, days)))
			continue;
		if ((word->joined != NULL || (i > 0 && IS_ONE_OF(a->question->word[i - 1].text, before))) &&
			names_in_clause(a, row, i))
			return true;
	}
	return false;
}

/*
 * What is in it or on it, or which of its kinds ("ada kejunya ga", "warna navy"):
 * a word behind one that says so, which the row does not have.
 */
static bool
says_other_content(const Asked *a, const LarasFound *row)
{
	static const char *const content[] = {"ada",      "pakai",  "pake",       "memakai",  "dengan",
										  "isi",      "isinya", "mengandung", "campur",   "rasa",
										  "topping",  "warna",  "motif",      "model",    "bahan",
										  "ukuran",   "with",   "contain",    "contains", "include",
										  "includes", "has",    "have",       "flavour",  "flavor",
										  "colour",   "color",  "size"};

	for (int i = 1; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];
		int before = i - 1;

		if (word->filler || word->aside || word->cues != 0 || word->counted || word->pieces ||
			strlen(word->text) < LEAST_LETTERS || is_size(word) || is_pack(word) ||
			is_kin(a->question, i) || a->bit[i] == 0 || has(a, row, i))
			continue;
		while (before > 0 && a->question->word[before].filler &&
			   !IS_ONE_OF(a->question->word[before].text, content))
			before--;
		if (a->question->word[before].clause == word->clause &&
			IS_ONE_OF(a->question->word[before].text, content) && names_before(a, row, before))
			return true;
	}
	return false;
}

/* "Snack Box C" where there are A and B. */
static bool
says_other_letter(const Asked *a, const LarasFound *row)
{
	size_t n = strlen(row->heading);

	if (n < 2 || row->heading[n - 2] != ' ' || !isalpha((unsigned char) row->heading[n - 1]))
		return false;
	for (int i = 1; i < a->question->n; i++)
		if (strlen(a->question->word[i].text) == 1 && !a->question->word[i].filler &&
			isalpha((unsigned char) a->question->word[i].text[0]) && !has(a, row, i) &&
			has(a, row, i - 1))
			return true;
	return false;
}

/* "bukan pandan", "selain pandan": what the row has is not wanted. */
static bool
is_denied(const Asked *a, const LarasFound *row)
{
	static const char *const denying[] = {"bukan", "selain", "kecuali", "except", "jangan"};

	for (int i = 0; i + 1 < a->question->n; i++)
	{
		int next = i + 1;

		if (!IS_ONE_OF(a->question->word[i].text, denying))
			continue;
		while (next + 1 < a->question->n && a->question->word[next].filler)
			next++;
		if (a->question->word[next].clause == a->question->word[i].clause && has(a, row, next))
			return true;
	}
	return false;
}

/* How long it keeps or lasts, or takes. */
static bool
asks_duration(const LarasQuestion *question)
{
	static const char *const keeps[] = {"tahan", "bertahan", "awet", "kuat",
										"last",  "lasts",    "keep", "keeps"};
	static const char *const spans[] = {"lama",   "hari",    "minggu",   "bulan",   "tahun",
										"jam",    "menit",   "seminggu", "sebulan", "setahun",
										"sehari", "semalam", "long",     "day",     "days",
										"week",   "weeks",   "month",    "months",  "year",
										"years",  "hour",    "hours"};
	bool kept = false;
	bool span = false;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];
		const char *bare = word->bare != NULL ? word->bare : word->text;

		kept |= IS_ONE_OF(word->text, keeps) || IS_ONE_OF(bare, keeps);
		span |= IS_ONE_OF(word->text, spans) || IS_ONE_OF(bare, spans);
	}
	return kept && span;
}

/* Does the text tell a span of time: a number and its unit? */
static bool
tells_duration(const char *text)
{
	static const char *const spans[] = {"hari",  "minggu", "bulan", "tahun", "jam",
										"menit", "malam",  "day",   "week",  "month",
										"year",  "hour",   "minute"};
	const char *low;

	if (text == NULL)
		return false;
	low = laras_lower(text, strlen(text));
	for (const char *s = low; *s != '\0'; s++)
	{
		const char *unit;

		if (!isdigit((unsigned char) *s) || isdigit((unsigned char) s[1]))
			continue;
		unit = s + 1 + strspn(s + 1, " -");
		for (int i = 0; i < lengthof(spans); i++)
			if (strncmp(unit, spans[i], strlen(spans[i])) == 0)
				return true;
	}
	return false;
}

/* What is asked by the name of a matter that no row is without, if it is told at all. */
static bool
asks_matter(const Asked *a, const LarasFound *row)
{
	static const char *const matters[] = {"merek", "merk", "brand"};

	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];
		const char *bare = word->bare != NULL ? word->bare : word->text;

		if ((IS_ONE_OF(word->text, matters) || IS_ONE_OF(bare, matters)) && !has(a, row, i))
			return true;
	}
	return false;
}

/* A place abroad, of which a rule for this country says nothing. */
static bool
says_abroad(const Asked *a, const LarasFound *text)
{
	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];

		if (word->related != NULL && strncmp(word->related, "abroad ", 7) == 0 && !has(a, text, i))
			return true;
	}
	return false;
}

/* Does a clause that has a word of the text ask anything? */
static bool
asks(const Asked *a, const LarasFound *text)
{
	LarasClause clause = {0};

	for (int i = 0; i < a->question->n; i++)
	{
		if (i > 0 && a->question->word[i].clause != a->question->word[i - 1].clause)
			clause.from = i;
		clause.to = i + 1;
		if (i + 1 < a->question->n &&
			a->question->word[i + 1].clause == a->question->word[i].clause)
			continue;
		if (laras_clause_asks(a->question, &clause) && names_in_clause(a, text, clause.from))
			return true;
	}
	return false;
}

bool
laras_text_lacks(const LarasQuestion *question, const LarasFindings *texts, uint64 unknown,
				 const LarasFound *text)
{
	Asked asked = read_asked(question, texts);

	if (says_abroad(&asked, text))
		return true;
	return !text->on_topic && pg_popcount64(text->matter) < 2 &&
		   (text->heading_coverage <= LARAS_RIVAL_COVERAGE || !asks(&asked, text)) &&
		   says_unknown(&asked, unknown, text);
}

/*
 * A rule on the topic, and a word beside it that nothing of the shop's has: a place
 * that the rule may not be of, goods that have no warranty. One that speaks of all
 * of them is of these, too.
 */
bool
laras_text_may_miss(const LarasQuestion *question, const LarasFindings *texts, uint64 unknown,
					const LarasFound *text)
{
	static const char *const all[] = {"semua",    "seluruh", "mana saja", "manapun", "mana pun",
									  "segala",   "setiap",  "luar kota", "all ",    "any ",
									  "anywhere", "every",   "nationwide"};
	const char *low = text->body == NULL ? "" : laras_lower(text->body, strlen(text->body));
	Asked asked = read_asked(question, texts);

	for (int i = 0; i < (int) lengthof(all); i++)
		if (strstr(low, all[i]) != NULL)
			return false;
	for (int i = 0; i < question->n; i++)
		if (is_unknown(&asked, unknown, i))
			return true;
	return false;
}

bool
laras_row_lacks(const LarasQuestion *question, const LarasFindings *items, uint64 unknown,
				const LarasFound *row)
{
	Asked asked = read_asked(question, items);

	if (asks_duration(question) && !tells_duration(row->body) && !tells_duration(row->attributes))
		return true;
	return says_unknown(&asked, unknown, row) || says_other_size(&asked, row) ||
		   says_other_content(&asked, row) || says_other_letter(&asked, row) ||
		   is_denied(&asked, row) || asks_matter(&asked, row);
}
