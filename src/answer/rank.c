/*
 * rank.c
 *		Which of the rows that have words of a question have most of it, see search.h.
 */
#include "postgres.h"

#include "answer/search.h"
#include "port/pg_bitutils.h"

/* What the parts of a row weigh beside its heading. */
#define LISTED_WEIGHT 0.9
#define TOLD_WEIGHT 0.7
/* One that does not stand beside what a row has; of a story, where the row has it not. */
#define DISTANT_WEIGHT 0.4
#define ASIDE_WEIGHT 0.2
#define NUMBER_LISTED 0.5
/* A word taken for another one; one that told an intent and is a name as well. */
#define CORRECTED_FACTOR 0.8
#define OPTIONAL_FACTOR 0.3

void
laras_clear_marks(LarasShelfRow *row)
{
	row->touched = false;
	row->matched = row->named = row->listed = 0;
	row->on_topic = false;
}

bool
laras_is_digits(const LarasWord *word)
{
	return strspn(word->text, "0123456789") == strlen(word->text);
}

/* What one word gives to a row that has these; 0 where the row has it not. */
static double
part_of_word(uint64 matched, uint64 named, uint64 listed, const LarasSearch *search, int i)
{
	uint64 bit = UINT64CONST(1) << i;

	if (named & bit)
		return search->weight[i];
	/* A number says which of several names is meant; beside the name it says little. */
	if (listed & bit)
		return search->weight[i] *
			   (laras_is_digits(search->word[i]) ? NUMBER_LISTED : LISTED_WEIGHT);
	return matched & bit ? search->weight[i] * TOLD_WEIGHT : 0;
}

/* The words that told an intent. */
static uint64
optional_words(const LarasSearch *search)
{
	uint64 optional = 0;

	for (int i = 0; i < search->n; i++)
		if (search->optional[i])
			optional |= UINT64CONST(1) << i;
	return optional;
}

/*
 * How much a row weighs.  A word that told an intent ("rasa", "transfer") lifts
 * a row of which it is a name or attribute, beside another word; no row is worse
 * without it.
 */
static double
score_of(const LarasShelfRow *row, const LarasSearch *search, uint64 optional)
{
	double score = row->on_topic;
	uint64 listed = row->listed & ~row->named;
	uint64 words = row->matched & ~optional;

	if (words == 0)
		return score;
	words |= (row->named | listed) & optional;
	for (; words != 0; words &= words - 1)
	{
		int i = pg_rightmost_one_pos64(words);

		score += part_of_word(row->matched, row->named, listed, search, i) *
				 (search->optional[i] ? OPTIONAL_FACTOR : 1);
	}
	return score;
}

static bool
has_word(const LarasFound *row, int i)
{
	return i >= 0 && (row->matched & (UINT64CONST(1) << i)) != 0;
}

/*
 * Does the word tell why somebody asks?  One that stands above a rule is what is
 * asked about ("is breakfast included").
 */
static bool
is_aside(const LarasSearch *search, int i)
{
	return search->word[i]->aside && !(search->texts && search->named[i]);
}

/* Does a word that no row has stand beside one that the row has ("mesin cuci")? */
static bool
stands_beside(const LarasFound *row, const LarasSearch *search, int i)
{
	return search->absent[i] && !search->word[i]->aside &&
		   (has_word(row, search->before[i]) || has_word(row, search->behind[i]));
}

/*
 * What a word takes from a row that has it not.  Beside a word that the row has
 * it may say that another thing is meant; elsewhere, that the question says more;
 * of a story it takes nothing.
 */
static double
lacking(const LarasFound *row, const LarasSearch *search, int i)
{
	if (search->word[i]->pieces)
		return search->absent[i] || search->texts ? 0 : search->weight[i];
	if (search->word[i]->aside)
		return search->absent[i] ? 0 : Min(search->weight[i], ASIDE_WEIGHT);
	/* how many there are of something is hardly what a rule is found by */
	if (search->texts && laras_is_digits(search->word[i]))
		return 0;
	if (!search->absent[i])
		return search->weight[i];
	return stands_beside(row, search, i) ? LARAS_ABSENT_WEIGHT : DISTANT_WEIGHT;
}

/* What of the question a row has, and of its heading the question. */
static void
measure(LarasFound *row, const LarasSearch *search, uint64 optional)
{
	uint64 counted = 0;
	double has = 0;
	double all = 0;

	for (int i = 0; i < search->n; i++)
	{
		double part;

		if (search->optional[i])
			continue;
		part = part_of_word(row->matched, row->named, row->listed, search, i);
		has += search->instead[i] != NULL ? part * CORRECTED_FACTOR : part;
		all += part == 0 ? lacking(row, search, i) : search->weight[i];
	}
	/* nor does how many are wanted name anything */
	for (int i = 0; i < search->n; i++)
		if (search->word[i]->pieces)
			counted |= UINT64CONST(1) << i;
	if ((row->matched & ~optional & ~counted) == 0)
	{
		row->matched = 0;
		row->named = 0;
		row->listed = 0;
	}
	for (int i = 0; i < search->n && row->matched != 0; i++)
		if (search->optional[i] && ((row->named | row->listed) & (UINT64CONST(1) << i)))
			has += part_of_word(row->matched, row->named, row->listed, search, i) * OPTIONAL_FACTOR;
	for (int i = 0; i < search->n; i++)
		if (has_word(row, i) && !is_aside(search, i))
			row->matter |= UINT64CONST(1) << i;
	row->coverage = all > 0 ? (float) (has / all) : 0;
	for (int i = 0; i < search->n; i++)
		row->beside |= !search->optional[i] && !laras_is_digits(search->word[i]) &&
					   stands_beside(row, search, i);
	row->heading_coverage = 0;
	if (row->heading_words > 0)
		row->heading_coverage =
			Min(1.0f, (float) pg_popcount64(row->named) / (float) row->heading_words);
}

/* A row among the best: where it stands, and how the best are told. */
typedef struct Ranked
{
	int number;
	int size;
	int64 id;
	double score;
} Ranked;

static bool
is_higher(const Ranked *one, const Ranked *two)
{
	if (one->score != two->score)
		return one->score > two->score;
	if (one->size != two->size)
		return one->size < two->size;
	return one->id < two->id;
}

/* The best of the rows that were marked, the highest first; returns how many. */
static int
rank(const LarasShelf *shelf, const LarasSearch *search, uint64 optional,
	 Ranked best[LARAS_SEARCH_ROWS + 1])
{
	int n = 0;

	for (int i = 0; i < search->touched_count; i++)
	{
		const LarasShelfRow *row = &shelf->row[search->touched[i]];
		Ranked ranked = {search->touched[i], row->size, row->id, score_of(row, search, optional)};
		int place = n;
		int same = 0;

		/* an item is found by its name in either language, and once */
		while (same < n &&
			   !(best[same].id == ranked.id && shelf->row[best[same].number].table == row->table))
			same++;
		if (same < n && !is_higher(&ranked, &best[same]))
			continue;
		if (same < n)
		{
			memmove(&best[same], &best[same + 1], sizeof(Ranked) * (n - same - 1));
			place = --n;
		}
		while (place > 0 && is_higher(&ranked, &best[place - 1]))
		{
			best[place] = best[place - 1];
			place--;
		}
		if (place == LARAS_SEARCH_ROWS)
			continue;
		best[place] = ranked;
		n = Min(n + 1, LARAS_SEARCH_ROWS);
	}
	return n;
}

/* By coverage, then by how much of the heading was said, then as they came. */
static int
better_first(const void *a, const void *b)
{
	const LarasFound *one = a;
	const LarasFound *two = b;

	if (one->coverage != two->coverage)
		return one->coverage > two->coverage ? -1 : 1;
	if (one->heading_coverage != two->heading_coverage)
		return one->heading_coverage > two->heading_coverage ? -1 : 1;
	return one->source.id < two->source.id ? -1 : one->source.id > two->source.id;
}

LarasFindings *
laras_rank_found(LarasShelf *shelf, const LarasSearch *search)
{
	LarasFindings *findings = palloc0(sizeof(LarasFindings));
	Ranked best[LARAS_SEARCH_ROWS + 1];
	uint64 optional = optional_words(search);
	int n = rank(shelf, search, optional, best);

	findings->row = palloc0(sizeof(LarasFound) * Max(n, 1));
	findings->n = n;
	findings->words = search->n;
	findings->word = palloc(sizeof(LarasWord *) * Max(search->n, 1));
	memcpy(findings->word, search->word, sizeof(LarasWord *) * search->n);
	for (int i = 0; i < n; i++)
	{
		const LarasShelfRow *marked = &shelf->row[best[i].number];
		LarasFound *row = &findings->row[i];

		row->source.table = marked->table;
		row->source.id = marked->id;
		row->english = marked->english;
		row->heading_words = marked->heading_words;
		row->numbered = marked->numbered;
		row->matched = marked->matched;
		row->named = marked->named;
		row->listed = marked->listed & ~marked->named;
		row->on_topic = marked->on_topic;
		row->stock = -1;
		measure(row, search, optional);
		findings->named |= row->named;
	}
	for (int i = 0; i < search->touched_count; i++)
		laras_clear_marks(&shelf->row[search->touched[i]]);
	shelf->searching = false;
	for (int i = 0; i < search->n; i++)
	{
		uint64 bit = UINT64CONST(1) << i;

		if (search->instead[i] != NULL)
			findings->corrected |= bit;
		if (laras_is_digits(search->word[i]) && !search->optional[i] && !search->word[i]->counted &&
			!search->word[i]->pieces)
			findings->numbers |= bit;
		if (search->absent[i])
			findings->absent |= bit;
		if (is_aside(search, i))
			findings->asides |= bit;
		if (search->optional[i])
			findings->named &= ~bit;
		for (int k = 0; k < LARAS_INTENTS; k++)
			if (search->word[i]->cues & LARAS_CUE(k))
				findings->told[k] |= bit;
	}
	qsort(findings->row, findings->n, sizeof(LarasFound), better_first);
	return findings;
}
