/*
 * compare.c
 *		What a question compares, see compare.h.
 */
#include "postgres.h"

#include "answer/compare.h"
#include "base/lower.h"

/* Words between "not" and what it denies, at most ("bukan yang mahal"). */
#define NOT_GAP 2

typedef struct Degree
{
	LarasOrder order;
	const char *words; /* how something is, beside "paling", "lebih", "more" */
	const char *first; /* words that say the order by themselves */
	const char *more;
} Degree;

static const Degree degrees[] = {
	{LARAS_ORDER_CHEAPEST, " murah cheap affordable terjangkau ekonomis ",
	 " termurah cheapest terjangkau ", " murahan cheaper "},
	{LARAS_ORDER_DEAREST, " mahal expensive pricey ", " termahal priciest ", " pricier "},
	{LARAS_ORDER_SMALLEST, " kecil mungil small pendek short ",
	 " terkecil smallest shortest terpendek ", " kecilan smaller shorter "},
	{LARAS_ORDER_LARGEST, " besar gede large big panjang long ",
	 " terbesar tergede biggest largest longest terpanjang ",
	 " gedean besaran bigger larger longer "},
	{LARAS_ORDER_OTHER,
	 " enak bagus laris laku favorit populer popular recommended rekomen strong kuat pahit manis pedas asam "
	 "asem awet tebal tipis ringan berat lembut halus adem nyaman cocok kencang cepat-habis baru ",
	 " terlaris terenak terbaik terbagus terfavorit terpopuler terbaru strongest bestseller best-seller ",
	 " bagusan enakan mending mendingan better stronger lighter heavier thicker "},
};

static bool
is_of_price(LarasOrder order)
{
	return order == LARAS_ORDER_CHEAPEST || order == LARAS_ORDER_DEAREST;
}

static bool
is_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list; n > 0 && (s = strstr(s, word)) != NULL; s++)
		if (s > list && s[-1] == ' ' && s[n] == ' ')
			return true;
	return false;
}

static const char *
word_at(const LarasQuestion *question, int i)
{
	return i >= 0 && i < question->n ? question->word[i].text : "";
}

static void
mark(LarasCompared *compared, const LarasFindings *items, const char *word)
{
	for (int i = 0; i < items->words; i++)
		if (strcmp(items->word[i]->text, word) == 0)
			compared->words |= UINT64CONST(1) << i;
}

/* What one word compares by, and the words before it; false where it does not. */
static bool
read_degree(const LarasQuestion *question, int i, const Degree *degree, LarasCompared *compared)
{
	static const char most[] = " paling most least ";
	static const char comparing[] = " lebih more less agak rada ";
	static const char denying[] = " bukan not jangan tidak selain ";
	const char *word = word_at(question, i);
	const char *bare = question->word[i].bare != NULL ? question->word[i].bare : word;
	bool first = is_in(degree->first, word);
	bool more = is_in(degree->more, word);
	bool denied = false;

	if (i > 0 && (is_in(degree->words, word) || is_in(degree->words, bare)))
	{
		first |= is_in(most, word_at(question, i - 1));
		more |= is_in(comparing, word_at(question, i - 1));
		/* of how something is, a row may say that it is not so */
		for (int gap = 1; gap <= NOT_GAP && is_of_price(degree->order); gap++)
			denied |= is_in(denying, word_at(question, i - gap)) &&
					  (gap == 1 || question->word[i - 1].filler);
	}
	if (!first && !more && !denied)
		return false;
	compared->order = degree->order;
	compared->more |= more;
	compared->denied |= denied;
	return true;
}

void
laras_read_compared(const LarasQuestion *question, const LarasFindings *items,
					LarasCompared *compared)
{
	memset(compared, 0, sizeof(*compared));
	for (int i = 0; i < question->n; i++)
		for (int k = 0; k < lengthof(degrees); k++)
			if (read_degree(question, i, &degrees[k], compared))
			{
				mark(compared, items, word_at(question, i));
				mark(compared, items, word_at(question, i - 1));
			}
}

/* The words by which the items that are compared are called. */
static uint64
wanted_words(const LarasFindings *items, const LarasCompared *compared)
{
	uint64 wanted = 0;

	for (int i = 0; i < items->words; i++)
	{
		uint64 bit = UINT64CONST(1) << i;

		if (!(compared->words & bit) && items->word[i]->cues == 0 &&
			!((items->asides & items->absent) & bit))
			wanted |= bit;
	}
	return wanted;
}

int
laras_compared_items(const LarasFindings *items, const LarasCompared *compared, LarasFound **row)
{
	uint64 wanted = wanted_words(items, compared);
	int n = 0;
	int told = 0;

	if (wanted == 0 || items->n == LARAS_SEARCH_ROWS)
		return 0;
	for (int i = 0; i < items->n; i++)
	{
		LarasFound *found = &items->row[i];

		if ((found->matched & wanted) != wanted)
			continue;
		/* in a description the words may call it, too */
		if ((found->named & wanted) != wanted)
			told++;
		else if (n == LARAS_NAMED_ITEMS)
			return 0;
		else
			row[n++] = found;
	}
	return told < n ? n : 0;
}

bool
laras_is_called_so(const LarasFindings *items, const LarasCompared *compared, const LarasFound *row)
{
	uint64 wanted = wanted_words(items, compared);
	const char *name = laras_lower(row->heading, strlen(row->heading));

	for (int i = 0; i < items->words; i++)
	{
		const LarasWord *word = items->word[i];

		if ((wanted & (UINT64CONST(1) << i)) && strstr(name, word->text) == NULL &&
			(word->bare == NULL || strstr(name, word->bare) == NULL) &&
			!(items->corrected & (UINT64CONST(1) << i)) && word->same == NULL)
			return false;
	}
	return true;
}

/* ---- sizes in names ---- */

typedef struct Extent
{
	double value;
	const char *unit; /* of its dimension; empty: a letter */
	char rest[128];   /* of the name */
} Extent;

static const struct
{
	const char *word;
	const char *unit;
	double factor;
} units[] = {{"g", "g", 1},         {"gr", "g", 1},        {"gram", "g", 1},
			 {"kg", "g", 1000},     {"kilo", "g", 1000},   {"ml", "ml", 1},
			 {"l", "ml", 1000},     {"ltr", "ml", 1000},   {"liter", "ml", 1000},
			 {"litre", "ml", 1000}, {"cm", "cm", 1},       {"m", "cm", 100},
			 {"meter", "cm", 100},  {"mm", "cm", 0.1},     {"inci", "inch", 1},
			 {"inch", "inch", 1},   {"mah", "mah", 1},     {"mb", "gb", 0.001},
			 {"gb", "gb", 1},       {"tb", "gb", 1000},    {"w", "w", 1},
			 {"watt", "w", 1},      {"porsi", "porsi", 1}, {"feet", "feet", 1}};

static const char *const letters[] = {"xs", "s", "m", "l", "xl", "xxl", "xxxl"};

/*
 * The one size that a name tells: a number with its unit, or the letter or the
 * word for a half or a whole that it ends in or before. False where it tells none
 * or several.
 */
static bool
read_size(const char *name, Extent *size)
{
	char *low = laras_lower(name, strlen(name));
	int found = 0;
	size_t rest = 0;
	char *save = NULL;
	double number = -1;

	size->rest[0] = '\0';
	for (char *word = strtok_r(low, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
	{
		size_t digits = strspn(word, "0123456789.,");
		const char *unit = word + digits;
		bool told = false;

		if (digits > 0 && *unit == '\0')
		{
			number = strtod(word, NULL);
			continue;
		}
		if (digits > 0)
			number = strtod(word, NULL);
		for (int i = 0; i < lengthof(units) && number >= 0 && !told; i++)
			if (strcmp(unit, units[i].word) == 0)
			{
				size->value = number * units[i].factor;
				size->unit = units[i].unit;
				told = true;
			}
		/* a number that counts no unit is part of the name */
		if (number >= 0 && !told)
			return false;
		number = -1;
		for (int i = 0; i < lengthof(letters) && !told; i++)
			if (strcmp(word, letters[i]) == 0)
			{
				size->value = i;
				size->unit = "";
				told = true;
			}
		if (!told && (strcmp(word, "setengah") == 0 || strcmp(word, "half") == 0))
		{
			size->value = 0.5;
			size->unit = "whole";
			told = true;
		}
		else if (!told && (strcmp(word, "satu") == 0 || strcmp(word, "whole") == 0))
		{
			size->value = 1;
			size->unit = "whole";
			told = true;
		}
		found += told;
		if (!told)
		{
			size_t n = strlen(word);

			if (rest + n + 2 > sizeof(size->rest))
				return false;
			memcpy(size->rest + rest, word, n);
			rest += n;
			size->rest[rest++] = ' ';
			size->rest[rest] = '\0';
		}
	}
	return found == 1 && number < 0;
}

LarasFound *
laras_first_of(LarasFound *const *row, int n, LarasOrder order)
{
	bool by_price = is_of_price(order);
	bool largest = order == LARAS_ORDER_DEAREST || order == LARAS_ORDER_LARGEST;
	LarasFound *first = NULL;
	double most = 0;
	Extent one;
	bool alone = false;

	if (n < 2 || order == LARAS_ORDER_NONE || order == LARAS_ORDER_OTHER)
		return NULL;
	if (!by_price && !read_size(row[0]->heading, &one))
		return NULL;
	for (int i = 0; i < n; i++)
	{
		double value;
		Extent size;

		if (by_price)
		{
			if (row[i]->price == NULL || strcmp(row[i]->currency, row[0]->currency) != 0)
				return NULL;
			value = strtod(row[i]->price, NULL);
		}
		else
		{
			if (!read_size(row[i]->heading, &size) || strcmp(size.unit, one.unit) != 0 ||
				strcmp(size.rest, one.rest) != 0)
				return NULL;
			value = size.value;
		}
		value = largest ? -value : value;
		if (first == NULL || value < most)
		{
			first = row[i];
			most = value;
			alone = true;
		}
		else if (value == most)
			alone = false;
	}
	return alone ? first : NULL;
}
