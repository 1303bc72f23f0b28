/*
 * retrieve.c
 *		Finds rows of knowledge by the words of a question, see retrieve.h.
 *
 * Invariant: what is found stands on a shelf that was filled through row
 * security.  What is asked enters as words of letters and digits that are looked
 * up.
 */
#include "postgres.h"

#include <math.h>

#include "answer/forms.h"
#include "answer/lexicon.h"
#include "answer/root.h"
#include "answer/search.h"
#include "answer/spelling.h"
#include "miscadmin.h"

/* The least that a common word weighs. */
#define LEAST_WEIGHT 0.3
/* Letters of each of two words that were written as one, at least. */
#define JOINED_LETTERS 3
/* of a chat spelling that a name may have as it stands */
#define WRITTEN_LETTERS 4
/* and of a word that names end in */
#define COMPOUND_LETTERS 4

/* Adds a word that is not yet there, and while there is room. */
static void
want(LarasSearch *search, const LarasWord *word, bool optional)
{
	for (int i = 0; i < search->n; i++)
		if (strcmp(search->word[i]->text, word->text) == 0)
			return;
	if (search->n == LARAS_SEARCH_WORDS)
		return;
	search->optional[search->n] = optional;
	search->word[search->n++] = word;
}

/*
 * All that is looked for where a word of the question is.  named: it is a word of
 * names as it stands, and no plural.
 */
static void
forms_of(LarasForms *forms, const LarasWord *word, const char *instead, const char *made_from,
		 bool named)
{
	forms->n = 0;
	laras_forms_add_stems(forms, word->text, !(named && word->text[strlen(word->text) - 1] == 's'));
	laras_forms_add_word(forms, word->joined);
	if (word->written != NULL && strlen(word->written) >= WRITTEN_LETTERS)
		laras_forms_add(forms, word->written);
	laras_forms_add_word(forms, instead);
	laras_forms_add_word(forms, made_from);
	laras_forms_add_list(forms, word->same);
}

/* Marks a row as one that has something. */
static LarasShelfRow *
touch(LarasShelf *shelf, LarasSearch *search, uint32 number)
{
	LarasShelfRow *row = &shelf->row[number];

	if (!row->touched)
	{
		row->touched = true;
		search->touched[search->touched_count++] = (int) number;
	}
	return row;
}

/* Marks the rows that have a form of word i; returns how many have it that had not. */
static int
mark(LarasShelf *shelf, LarasSearch *search, int i, const char *form, bool related)
{
	const LarasShelfWord *word = laras_shelf_find(shelf, form);
	uint64 bit = UINT64CONST(1) << i;
	int fresh = 0;

	if (word == NULL)
		return 0;
	CHECK_FOR_INTERRUPTS();
	for (int k = 0; k < word->n; k++)
	{
		bool names = LARAS_PLACE_NAMES(word->place[k]);
		LarasShelfPart part = LARAS_PLACE_PART(word->place[k]);
		LarasShelfRow *row;

		/* Indonesian ends no plural in "s": a name that is written just so is meant ("polo", "polos") */
		if (part == LARAS_PART_STEM && search->as_written[i] && form == search->word[i]->text)
			continue;
		row = touch(shelf, search, word->place[k] >> 2);
		/* how many are wanted is a matter of names alone ("20 Porsi") */
		if (search->word[i]->pieces && (search->texts || !names))
			continue;
		/* and a time or a sum in a rule says nothing of a number that is asked */
		if (search->texts && !names && laras_is_digits(search->word[i]))
			continue;
		fresh += (row->matched & bit) == 0;
		row->matched |= bit;
		if (related)
			continue;
		search->named[i] |= names;
		if (names)
			row->named |= bit;
		else if (part == LARAS_PART_LISTED)
			row->listed |= bit;
	}
	return fresh;
}

static double
weight_of(const LarasShelf *shelf, int rows)
{
	return Max(LEAST_WEIGHT, log(1 + (double) shelf->n / rows) / log(1 + (double) shelf->n));
}

/* Does a name have the word just so? */
static bool
is_written_name(const LarasShelf *shelf, const LarasWord *word)
{
	const LarasShelfWord *found = laras_shelf_find(shelf, word->text);

	return found != NULL && found->written > 0;
}

/* Looks for word i; its weight is the less, the more rows have it. */
static void
look_for(LarasShelf *shelf, LarasSearch *search, int i)
{
	LarasForms forms;
	int rows = 0;

	search->as_written[i] = !search->english && is_written_name(shelf, search->word[i]);
	forms_of(&forms, search->word[i], search->instead[i], search->made_from[i],
			 search->as_written[i]);
	for (int k = 0; k < forms.n; k++)
		rows += mark(shelf, search, i, forms.form[k], false);
	if (search->texts && search->word[i]->related != NULL)
	{
		forms.n = 0;
		laras_forms_add_list(&forms, search->word[i]->related);
		for (int k = 0; k < forms.n; k++)
			rows += mark(shelf, search, i, forms.form[k], true);
	}
	search->absent[i] = rows == 0;
	search->weight[i] = rows == 0 ? LARAS_ABSENT_WEIGHT : weight_of(shelf, rows);
}

/*
 * A word of which names are made ("board" of "softboard" and "longboard"), where
 * no name is called just so: rows with such names have it.  Of one name alone
 * nothing is told.
 */
static bool
look_for_end(LarasShelf *shelf, LarasSearch *search, int i)
{
	const char *text = search->word[i]->text;
	size_t n = strlen(text);
	int families = 0;
	int rows = 0;
	int first;
	int count;

	if (n < COMPOUND_LETTERS || search->word[i]->aside || laras_is_digits(search->word[i]))
		return false;
	count = laras_shelf_ends(shelf, text, &first);
	for (int k = first; k < first + count; k++)
		families += strlen(shelf->ends[k]->word) >= n + JOINED_LETTERS;
	if (families < 2)
		return false;
	CHECK_FOR_INTERRUPTS();
	for (int k = first; k < first + count; k++)
		if (strlen(shelf->ends[k]->word) >= n + JOINED_LETTERS)
			rows += mark(shelf, search, i, shelf->ends[k]->word, false);
	search->absent[i] = false;
	search->weight[i] = weight_of(shelf, Max(rows, 1));
	return true;
}

/*
 * Is there a name spelled like word i, of which no row has anything?  Of names
 * alike the one in most headings is taken.  Words with digits are what they are.
 */
static const char *
spelled_like(const LarasShelf *shelf, const LarasWord *word, const char *text)
{
	int first = (unsigned char) text[0];
	const LarasShelfWord *best = NULL;
	float most = 0;

	if (strlen(text) < 3 || strcspn(text, "0123456789") < strlen(text) || word->same != NULL ||
		word->aside)
		return NULL;
	CHECK_FOR_INTERRUPTS();
	for (int k = shelf->names_from[first]; k < shelf->names_from[first + 1]; k++)
	{
		const LarasShelfWord *name = shelf->names[k];
		float likeness = laras_spelling_likeness(text, name->word);

		if (likeness < LARAS_SPELLED_ALIKE || likeness < most)
			continue;
		if (likeness > most || name->named > best->named ||
			(name->named == best->named && strcmp(name->word, best->word) < 0))
			best = name;
		most = likeness;
	}
	return best != NULL ? best->word : NULL;
}

/* Marks the rows whose name has both words; how many there are. */
static int
mark_both(LarasShelf *shelf, LarasSearch *search, int i, const LarasShelfWord *one,
		  const LarasShelfWord *other)
{
	uint64 bit = UINT64CONST(1) << i;
	int rows = 0;

	for (int k = 0; k < one->n; k++)
		for (int m = 0; m < other->n; m++)
			if (one->place[k] >> 2 == other->place[m] >> 2 && LARAS_PLACE_NAMES(one->place[k]) &&
				LARAS_PLACE_NAMES(other->place[m]))
			{
				LarasShelfRow *row = touch(shelf, search, one->place[k] >> 2);

				row->matched |= bit;
				row->named |= bit;
				rows++;
			}
	return rows;
}

/*
 * Two words of names written as one ("powerbank", "slimfit"), where no row has
 * word i as it stands.
 */
static bool
look_for_joined(LarasShelf *shelf, LarasSearch *search, int i)
{
	const char *text = search->word[i]->text;
	size_t n = strlen(text);

	for (size_t cut = 1; cut < n; cut++)
	{
		bool number = strspn(text + cut, "0123456789") == n - cut;

		const LarasShelfWord *one = laras_shelf_find(shelf, pnstrdup(text, cut));
		const LarasShelfWord *other = laras_shelf_find(shelf, text + cut);
		int rows;

		/* "vbelt" of "V-Belt", "spf50" of "SPF 50" */
		if ((cut > 1 && cut < JOINED_LETTERS) || (cut + JOINED_LETTERS > n && !number) ||
			one == NULL || other == NULL || one->named == 0 || other->named == 0)
			continue;
		rows = mark_both(shelf, search, i, one, other);
		if (rows == 0)
			continue;
		search->absent[i] = false;
		search->weight[i] = weight_of(shelf, rows);
		return true;
	}
	return false;
}

/*
 * What word i, which no row has, is made from, where a row has that
 * ("njahitke", "botolan").
 */
static const char *
made_from(const LarasShelf *shelf, const LarasWord *word, bool english)
{
	LarasRoots roots;

	if (word->aside || word->same != NULL)
		return NULL;
	laras_find_roots(word->text, english, &roots);
	for (int i = 0; i < roots.n; i++)
		if (strlen(roots.form[i]) > 3 && laras_shelf_find(shelf, roots.form[i]) != NULL)
			return pstrdup(roots.form[i]);
	return NULL;
}

static bool
is_name(const LarasShelf *shelf, const LarasWord *word)
{
	const LarasShelfWord *found = laras_shelf_find(shelf, word->text);

	return found != NULL && found->named > 0;
}

static LarasShelf *
begin(int64 workspace_id, LarasShelfKind kind, LarasSearch *search)
{
	LarasShelf *shelf = laras_shelf(workspace_id, kind);

	search->touched = palloc(sizeof(int) * Max(shelf->n, 1));
	/* an error ended the search before */
	if (shelf->searching)
		for (int i = 0; i < shelf->n; i++)
			laras_clear_marks(&shelf->row[i]);
	shelf->searching = true;
	for (int i = 0; i < search->n; i++)
	{
		look_for(shelf, search, i);
		if (!search->texts && !is_name(shelf, search->word[i]))
			(void) look_for_end(shelf, search, i);
		if (!search->absent[i])
			continue;
		search->made_from[i] = made_from(shelf, search->word[i], search->english);
		if (search->made_from[i] != NULL)
		{
			look_for(shelf, search, i);
			continue;
		}
		if (search->optional[i] || look_for_joined(shelf, search, i))
			continue;
		search->instead[i] = spelled_like(shelf, search->word[i], search->word[i]->text);
		if (search->instead[i] == NULL && search->word[i]->bare != NULL)
			search->instead[i] = spelled_like(shelf, search->word[i], search->word[i]->bare);
		if (search->instead[i] != NULL)
			look_for(shelf, search, i);
	}
	return shelf;
}

/* Rows whose heading has a word of the topic. */
static void
mark_topic(LarasShelf *shelf, LarasSearch *search, LarasIntent topic)
{
	LarasForms forms = {.n = 0};

	laras_forms_add_list(&forms, laras_intent_topic_words(topic));
	for (int i = 0; i < forms.n; i++)
	{
		const LarasShelfWord *word = laras_shelf_find(shelf, forms.form[i]);

		for (int k = 0; word != NULL && k < word->n; k++)
			if (LARAS_PLACE_NAMES(word->place[k]))
				touch(shelf, search, word->place[k] >> 2)->on_topic = true;
	}
}

/* Which words that are looked for stand side by side in the question. */
static void
note_neighbours(LarasSearch *search, const LarasQuestion *question)
{
	const LarasWord *end = question->word + question->n;

	search->english = question->english;
	for (int i = 0; i < search->n; i++)
	{
		const LarasWord *word = search->word[i];

		search->before[i] = search->behind[i] = -1;
		for (int k = 0; k < search->n; k++)
		{
			if (search->word[k] + 1 == word && search->word[k]->clause == word->clause)
				search->before[i] = k;
			if (word + 1 < end && word + 1 == search->word[k] &&
				search->word[k]->clause == word->clause)
				search->behind[i] = k;
		}
	}
}

static const uint32 told_by_cues =
	LARAS_CUE(LARAS_INTENT_PRICE) | LARAS_CUE(LARAS_INTENT_STOCK) |
	LARAS_CUE(LARAS_INTENT_PRODUCT) | LARAS_CUE(LARAS_INTENT_HOURS) |
	LARAS_CUE(LARAS_INTENT_DELIVERY) | LARAS_CUE(LARAS_INTENT_PAYMENT) |
	LARAS_CUE(LARAS_INTENT_WARRANTY) | LARAS_CUE(LARAS_INTENT_RETURNS) |
	LARAS_CUE(LARAS_INTENT_LOCATION);
static const uint32 courtesy = LARAS_CUE(LARAS_INTENT_THANKS) | LARAS_CUE(LARAS_INTENT_GREETING);

LarasFindings *
laras_find_items(int64 workspace_id, const LarasQuestion *question)
{
	LarasSearch search = {0};
	bool matter = false;

	for (int i = 0; i < question->n; i++)
		if (!question->word[i].filler && !(question->word[i].cues & courtesy) &&
			(!question->word[i].counted || question->word[i].joined != NULL))
			want(&search, &question->word[i], (question->word[i].cues & told_by_cues) != 0);
	note_neighbours(&search, question);
	for (int i = 0; i < search.n; i++)
		matter |= !search.optional[i];
	if (!matter)
		return palloc0(sizeof(LarasFindings));
	return laras_rank_found(begin(workspace_id, LARAS_SHELF_ITEMS, &search), &search);
}

LarasFindings *
laras_find_texts(int64 workspace_id, const LarasQuestion *question, LarasIntent topic)
{
	LarasSearch search = {.texts = true};
	LarasShelf *shelf;

	for (int i = 0; i < question->n; i++)
		if (!question->word[i].filler && !(question->word[i].cues & courtesy) &&
			(!question->word[i].counted || question->word[i].joined != NULL))
			want(&search, &question->word[i], false);
	note_neighbours(&search, question);
	if (search.n == 0 && !laras_intent_is_topic(topic))
		return palloc0(sizeof(LarasFindings));
	shelf = begin(workspace_id, LARAS_SHELF_TEXTS, &search);
	mark_topic(shelf, &search, topic);
	return laras_rank_found(shelf, &search);
}
