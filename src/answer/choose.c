/*
 * choose.c
 *		Which of the rows that were found a question means, see choose.h.
 */
#include "postgres.h"

#include "answer/choose.h"
#include "port/pg_bitutils.h"

/* From here on a row is taken to be what was asked about. */
#define ITEM_COVERAGE 0.55f
#define NAMED_COVERAGE 0.75f /* of its name, whatever else was written */
#define TEXT_COVERAGE 0.6f
#define HEADING_COVERAGE 0.6f
#define LONE_WORD_COVERAGE 0.65f
#define MOST_OF_HEADING 0.75f /* that names of items alone must be */
#define HEADING_NEEDS 0.3f
/* Half of a heading, and nearly half of what was asked: enough to show it to a person. */
#define HALF 0.5f
#define HALF_MATTER 0.45f
/* Items no further apart than this match alike; policies and FAQs that fit about as well. */
#define ALIKE 0.04f
#define RIVAL_FIT 0.15f
/* Items answered in one text, at most; of more it is asked which. */
#define ANSWERED_ITEMS 3

bool
laras_fully_named(const LarasFound *row)
{
	return row->heading_coverage >= 1 && (row->heading_words > 1 || row->coverage >= TEXT_COVERAGE);
}

/* One more that may be meant; those beyond what an answer can name are only told of. */
static void
add(LarasChoice *choice, LarasFound *row)
{
	if (choice->n < LARAS_NAMED_ITEMS)
		choice->row[choice->n++] = row;
	else
		choice->more = true;
}

static bool
is_meant(const LarasFound *row)
{
	/* One word somewhere in a description says nothing. */
	if (((row->named | row->listed) == 0 && pg_popcount64(row->matched) < 2) ||
		(row->matter == 0 && row->heading_coverage < 1))
		return false;
	return row->coverage >= ITEM_COVERAGE ||
		   (row->heading_words > 1 && row->heading_coverage >= NAMED_COVERAGE);
}

/* Is the row's name part of what another one's name covers ("Mug" beside "Mug Besar")? */
static bool
is_part_of_another(const LarasFindings *items, int i)
{
	uint64 named = items->row[i].named;

	for (int j = 0; j < items->n; j++)
		if (j != i && laras_fully_named(&items->row[j]) && (named & ~items->row[j].named) == 0 &&
			named != items->row[j].named)
			return true;
	return false;
}

/*
 * One item matches best.  Where a word of the question names other items and is
 * nowhere in this one, those that have it may be meant too; where one word of
 * its name is all that was written, it is a guess.
 */
static void
doubt(LarasChoice *choice, const LarasFindings *items)
{
	const LarasFound *best = choice->row[0];
	uint64 missing = items->named & ~best->matched;

	for (int i = 0; i < items->n && missing != 0; i++)
	{
		LarasFound *row = &items->row[i];

		/* a number alone may be a size of anything */
		if (row == best || !(row->named & missing) || (row->matched & ~items->numbers) == 0 ||
			row->coverage < best->coverage * LARAS_RIVAL_COVERAGE)
			continue;
		add(choice, row);
	}
	choice->ask = missing != 0;
	/* One word of a long name is a guess, unless no other item is called so. */
	if (pg_popcount64(best->matched) == 1 && best->heading_coverage < LARAS_RIVAL_COVERAGE)
		for (int i = 0; i < items->n; i++)
			choice->ask |= &items->row[i] != best && (items->row[i].named & best->named) != 0;
	choice->ask |= best->named == 0;
}

/*
 * One item's whole name was written, and others are called the same with a size
 * ("Es Teh" beside "Es Teh 1 liter"): where nothing that was written parts them,
 * any of them may be meant.
 */
static void
doubt_fuller_names(LarasChoice *choice, const LarasFindings *items)
{
	const LarasFound *best = choice->row[0];

	for (int i = 0; i < items->n; i++)
	{
		LarasFound *row = &items->row[i];

		if (row == best || !row->numbered || best->numbered || (best->named & ~row->named) != 0 ||
			(best->matched & ~row->matched) != 0 || row->heading_words <= best->heading_words)
			continue;
		add(choice, row);
		choice->ask = true;
	}
}

/*
 * The best is called by nothing that was written but a number: those that are
 * called so are meant, if there are any.
 */
static void
prefer_names(LarasChoice *choice, const LarasFindings *items)
{
	const LarasFound *best = choice->row[0];
	LarasChoice named = {.ask = true};

	for (int i = 0; i < items->n; i++)
	{
		LarasFound *row = &items->row[i];

		if (!(row->named & best->matched & ~items->numbers) ||
			(best->matched & ~items->numbers & ~row->matched) != 0 ||
			row->coverage < best->coverage * LARAS_RIVAL_COVERAGE)
			continue;
		add(&named, row);
	}
	if (named.n > 0)
		*choice = named;
}

void
laras_take_joined(LarasChoice *choice, const LarasFindings *items, const LarasQuestion *question)
{
	uint64 all = 0;
	bool joined = false;

	if (choice->n < 2 || choice->n > ANSWERED_ITEMS)
		return;
	for (int i = 0; i < question->n; i++)
		joined |= question->word[i].joined_clause ||
				  (i > 0 && question->word[i].clause != question->word[i - 1].clause);
	for (int i = 0; i < choice->n; i++)
	{
		uint64 others = 0;

		for (int k = 0; k < choice->n; k++)
			if (k != i)
				others |= choice->row[k]->matched;
		joined &=
			(choice->row[i]->named & ~others & ~items->numbers) != 0 && !choice->row[i]->beside;
		all |= choice->row[i]->matched;
	}
	if (joined && (items->named & ~all) == 0)
		choice->ask = false;
}

LarasChoice
laras_choose_items(const LarasFindings *items)
{
	LarasChoice choice = {0};

	for (int i = 0; i < items->n; i++)
	{
		if (!laras_fully_named(&items->row[i]) || is_part_of_another(items, i))
			continue;
		choice.named = true;
		add(&choice, &items->row[i]);
	}
	if (choice.n == 1 && choice.row[0]->heading_words > 1)
		doubt_fuller_names(&choice, items);
	else if (choice.n == 0)
	{
		for (int i = 0; i < items->n; i++)
		{
			LarasFound *row = &items->row[i];

			if (!is_meant(row) || (choice.n > 0 && row->coverage < choice.row[0]->coverage - ALIKE))
				continue;
			add(&choice, row);
		}
		if (choice.n == 1)
		{
			doubt(&choice, items);
			if ((choice.row[0]->named & ~items->numbers) == 0)
				prefer_names(&choice, items);
		}
		else
			choice.ask = choice.n > 1;
		choice.named = choice.n > 0 && choice.row[0]->heading_coverage >= 0.5f;
	}
	if (choice.n > ANSWERED_ITEMS)
		choice.ask = true;
	return choice;
}

static bool
is_same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool
says_the_same(const LarasFound *a, const LarasFound *b)
{
	return a->stock == b->stock && is_same_text(a->price, b->price) &&
		   is_same_text(a->currency, b->currency) && is_same_text(a->body, b->body) &&
		   is_same_text(a->attributes, b->attributes);
}

static void
leave_out(LarasChoice *choice, int i)
{
	memmove(&choice->row[i], &choice->row[i + 1], sizeof(LarasFound *) * (choice->n - i - 1));
	choice->n--;
	choice->ask &= choice->n > 1;
}

bool
laras_part_namesakes(LarasChoice *choice)
{
	for (int i = 0; i < choice->n; i++)
		for (int j = i + 1; j < choice->n; j++)
		{
			const LarasFound *a = choice->row[i];
			const LarasFound *b = choice->row[j];

			if (pg_strcasecmp(a->heading, b->heading) != 0)
				continue;
			if (a->matched != b->matched && (b->matched & ~a->matched) == 0)
				leave_out(choice, j--);
			else if (a->matched != b->matched && (a->matched & ~b->matched) == 0)
			{
				leave_out(choice, i--);
				break;
			}
			else if (says_the_same(a, b))
				leave_out(choice, j--);
			else
				return false;
		}
	return true;
}

/* How well a policy or FAQ fits; below 0: not at all. */
static float
text_fits(const LarasFound *row, const LarasQuestion *question, uint64 names)
{
	bool by_heading = row->heading_coverage >= HEADING_COVERAGE &&
					  row->coverage >= (row->heading_words > 1 ? HEADING_NEEDS : TEXT_COVERAGE);
	/* One word alone counts where it is most of the heading, or all that was asked about. */
	bool one_word = pg_popcount64(row->matched) == 1 &&
					row->heading_coverage < LARAS_RIVAL_COVERAGE &&
					row->coverage < LONE_WORD_COVERAGE;

	/* Half of what was asked and half of the heading: enough to propose it to a person. */
	bool half = row->heading_coverage >= HALF && row->coverage >= HALF_MATTER;
	/* A heading that says more than the topic is about a part of it: nobody asked about that. */
	bool narrow = row->on_topic && row->heading_words > 1 &&
				  row->heading_coverage < HEADING_COVERAGE && pg_popcount64(row->matched) < 2;

	if (!row->on_topic && (row->matter == 0 ? row->heading_coverage < 1
											: (row->matched & ~names) == 0 &&
												  row->heading_coverage < MOST_OF_HEADING))
		return -1;
	/* "jual mesin cuci?" asks for another thing than how to wash */
	if (!row->on_topic && row->beside && question->weight[LARAS_INTENT_STOCK] > 0 &&
		row->heading_coverage < HEADING_COVERAGE)
		return -1;
	if (!row->on_topic && !by_heading && !half && (one_word || row->coverage < TEXT_COVERAGE))
		return -1;
	return 0.4f * row->on_topic - 0.1f * narrow + 0.6f * row->coverage +
		   0.2f * row->heading_coverage + 0.15f * (row->english == question->english);
}

LarasFound *
laras_choose_text(const LarasFindings *texts, const LarasQuestion *question, uint64 names)
{
	LarasFound *best = NULL;
	float most = -1;

	for (int i = 0; i < texts->n; i++)
	{
		float fits = text_fits(&texts->row[i], question, names);

		if (fits >= 0 && fits > most)
		{
			most = fits;
			best = &texts->row[i];
		}
	}
	/* of what both languages say, the customer's is taken */
	for (int i = 0; i < texts->n && best != NULL && best->english != question->english; i++)
		if (texts->row[i].english == question->english &&
			text_fits(&texts->row[i], question, names) >= 0 &&
			texts->row[i].on_topic == best->on_topic && (best->matter & ~texts->row[i].matter) == 0)
			best = &texts->row[i];
	return best;
}

bool
laras_text_has_rival(const LarasFindings *texts, const LarasFound *best,
					 const LarasQuestion *question, uint64 names)
{
	for (int i = 0; i < texts->n; i++)
	{
		const LarasFound *row = &texts->row[i];

		if (row != best && row->english == best->english && (best->matched & ~row->matched) == 0 &&
			text_fits(row, question, names) >= text_fits(best, question, names) - RIVAL_FIT)
			return true;
	}
	return false;
}
