/*
 * retrieve.c
 *		Finds rows of knowledge by the words of a question, see retrieve.h.
 *
 * Invariant: what is found stands on a shelf that was filled through row
 * security, and what is read of it is read through row security again.  What is
 * asked enters as words of letters and digits that are looked up, and as ids.
 */
#include "postgres.h"

#include <math.h>

#include "answer/forms.h"
#include "answer/lexicon.h"
#include "answer/retrieve.h"
#include "answer/root.h"
#include "answer/shelf.h"
#include "answer/spelling.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"

/* What the parts of a row weigh beside its heading. */
#define LISTED_WEIGHT 0.9
#define TOLD_WEIGHT 0.7
/* A word that no row has, beside 1 for one that a single row has; the least of a common one. */
#define ABSENT_WEIGHT 0.8
#define LEAST_WEIGHT 0.3
/* One that does not stand beside what a row has; of a story, where the row has it not. */
#define DISTANT_WEIGHT 0.4
#define ASIDE_WEIGHT 0.2
#define NUMBER_LISTED 0.5
/* A word taken for another one; one that told an intent and is a name as well. */
#define CORRECTED_FACTOR 0.8
#define OPTIONAL_FACTOR 0.3
/* Letters of each of two words that were written as one, at least. */
#define JOINED_LETTERS 3
/* of a chat spelling that a name may have as it stands */
#define WRITTEN_LETTERS 4
/* and of a word that names end in */
#define COMPOUND_LETTERS 4

/*
 * One row a statement: of scalars the server keeps one plan, of an array it
 * makes one each time.
 */
LARAS_PLAN(read_item,
		   "SELECT i.version, CASE WHEN i.language = $3 THEN i.name "
		   "ELSE coalesce(nullif(i.translations -> $3 ->> 'name', ''), i.name) END, "
		   "left(CASE WHEN i.language = $3 THEN i.description ELSE coalesce(nullif("
		   "i.translations -> $3 ->> 'description', ''), i.description) END, 2000), "
		   "(SELECT left(string_agg(e.key || ': ' || left(CASE "
		   "WHEN jsonb_typeof(e.value) IN ('array', 'object') "
		   "THEN translate(e.value::text, '[]{}\"', '') ELSE e.value #>> '{}' END, 200), "
		   "'; ' ORDER BY e.key), 600) FROM jsonb_each(CASE "
		   "WHEN jsonb_typeof(i.attributes) = 'object' THEN i.attributes ELSE '{}' END) AS e), "
		   "i.price::text, i.currency, i.stock FROM laras.catalog_item i "
		   "WHERE i.workspace_id = $1 AND i.id = $2 AND i.state = 'active'",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(read_policy,
		   "SELECT p.version, p.topic, left(p.body, 8000) FROM laras.policy_text p "
		   "WHERE p.workspace_id = $1 AND p.id = $2",
		   INT8OID, INT8OID);

LARAS_PLAN(read_faq,
		   "SELECT f.version, f.question, left(f.answer, 8000) FROM laras.faq f "
		   "WHERE f.workspace_id = $1 AND f.id = $2",
		   INT8OID, INT8OID);

typedef struct Search
{
	int n;
	const LarasWord *word[LARAS_SEARCH_WORDS];
	const char *instead[LARAS_SEARCH_WORDS];   /* spelled alike, or NULL */
	const char *made_from[LARAS_SEARCH_WORDS]; /* what it is made from, where only that is known */
	int before[LARAS_SEARCH_WORDS]; /* numbers of the words that stand beside it, or -1 */
	int behind[LARAS_SEARCH_WORDS];
	bool named[LARAS_SEARCH_WORDS];      /* a heading has it */
	bool as_written[LARAS_SEARCH_WORDS]; /* so, and no English word is meant by it */
	bool absent[LARAS_SEARCH_WORDS];     /* no row has it */
	bool optional[LARAS_SEARCH_WORDS];   /* told an intent: helps a row that it names */
	bool texts;                          /* policies and FAQs are searched */
	bool english;                        /* is the question */
	double weight[LARAS_SEARCH_WORDS];
	int *touched; /* numbers of the rows that have a word */
	int touched_count;
} Search;

/* Adds a word that is not yet there, and while there is room. */
static void
want(Search *search, const LarasWord *word, bool optional)
{
	for (int i = 0; i < search->n; i++)
		if (strcmp(search->word[i]->text, word->text) == 0)
			return;
	if (search->n == LARAS_SEARCH_WORDS)
		return;
	search->optional[search->n] = optional;
	search->word[search->n++] = word;
}

static bool
is_number(const LarasWord *word)
{
	return strspn(word->text, "0123456789") == strlen(word->text);
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

static void
clear_marks(LarasShelfRow *row)
{
	row->touched = false;
	row->matched = row->named = row->listed = 0;
	row->on_topic = false;
}

/* Marks a row as one that has something. */
static LarasShelfRow *
touch(LarasShelf *shelf, Search *search, uint32 number)
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
mark(LarasShelf *shelf, Search *search, int i, const char *form, bool related)
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
		if (search->texts && !names && is_number(search->word[i]))
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
look_for(LarasShelf *shelf, Search *search, int i)
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
	search->weight[i] = rows == 0 ? ABSENT_WEIGHT : weight_of(shelf, rows);
}

/*
 * A word of which names are made ("board" of "softboard" and "longboard"), where
 * no name is called just so: rows with such names have it.  Of one name alone
 * nothing is told.
 */
static bool
look_for_end(LarasShelf *shelf, Search *search, int i)
{
	const char *text = search->word[i]->text;
	size_t n = strlen(text);
	int families = 0;
	int rows = 0;
	int first;
	int count;

	if (n < COMPOUND_LETTERS || search->word[i]->aside || is_number(search->word[i]))
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
mark_both(LarasShelf *shelf, Search *search, int i, const LarasShelfWord *one,
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
look_for_joined(LarasShelf *shelf, Search *search, int i)
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
begin(int64 workspace_id, LarasShelfKind kind, Search *search)
{
	LarasShelf *shelf = laras_shelf(workspace_id, kind);

	search->touched = palloc(sizeof(int) * Max(shelf->n, 1));
	/* an error ended the search before */
	if (shelf->searching)
		for (int i = 0; i < shelf->n; i++)
			clear_marks(&shelf->row[i]);
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
mark_topic(LarasShelf *shelf, Search *search, LarasIntent topic)
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

/* What one word gives to a row that has these; 0 where the row has it not. */
static double
part_of_word(uint64 matched, uint64 named, uint64 listed, const Search *search, int i)
{
	uint64 bit = UINT64CONST(1) << i;

	if (named & bit)
		return search->weight[i];
	/* A number says which of several names is meant; beside the name it says little. */
	if (listed & bit)
		return search->weight[i] * (is_number(search->word[i]) ? NUMBER_LISTED : LISTED_WEIGHT);
	return matched & bit ? search->weight[i] * TOLD_WEIGHT : 0;
}

/* The words that told an intent. */
static uint64
optional_words(const Search *search)
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
score_of(const LarasShelfRow *row, const Search *search, uint64 optional)
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
is_aside(const Search *search, int i)
{
	return search->word[i]->aside && !(search->texts && search->named[i]);
}

/* Does a word that no row has stand beside one that the row has ("mesin cuci")? */
static bool
stands_beside(const LarasFound *row, const Search *search, int i)
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
lacking(const LarasFound *row, const Search *search, int i)
{
	if (search->word[i]->pieces)
		return search->absent[i] || search->texts ? 0 : search->weight[i];
	if (search->word[i]->aside)
		return search->absent[i] ? 0 : Min(search->weight[i], ASIDE_WEIGHT);
	/* how many there are of something is hardly what a rule is found by */
	if (search->texts && is_number(search->word[i]))
		return 0;
	if (!search->absent[i])
		return search->weight[i];
	return stands_beside(row, search, i) ? ABSENT_WEIGHT : DISTANT_WEIGHT;
}

/* What of the question a row has, and of its heading the question. */
static void
measure(LarasFound *row, const Search *search, uint64 optional)
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
		row->beside |=
			!search->optional[i] && !is_number(search->word[i]) && stands_beside(row, search, i);
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
rank(const LarasShelf *shelf, const Search *search, uint64 optional,
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

/* The best of the rows that were marked, and the marks gone. */
static LarasFindings *
end(LarasShelf *shelf, const Search *search)
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
		clear_marks(&shelf->row[search->touched[i]]);
	shelf->searching = false;
	for (int i = 0; i < search->n; i++)
	{
		uint64 bit = UINT64CONST(1) << i;

		if (search->instead[i] != NULL)
			findings->corrected |= bit;
		if (is_number(search->word[i]) && !search->optional[i] && !search->word[i]->counted &&
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

/* Which words that are looked for stand side by side in the question. */
static void
note_neighbours(Search *search, const LarasQuestion *question)
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
	Search search = {0};
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
	return end(begin(workspace_id, LARAS_SHELF_ITEMS, &search), &search);
}

LarasFindings *
laras_find_texts(int64 workspace_id, const LarasQuestion *question, LarasIntent topic)
{
	Search search = {.texts = true};
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
	return end(shelf, &search);
}

bool
laras_read_items(int64 workspace_id, bool english, LarasFound *const *rows, int n)
{
	int found = 0;

	if (n == 0)
		return true;
	laras_spi_open();
	for (int i = 0; i < n; i++)
	{
		LarasFound *row = rows[i];
		bool isnull;
		Datum stock;

		if (laras_spi_read(&read_item,
						   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->source.id),
									 CStringGetTextDatum(english ? "en" : "id")},
						   NULL) == 0)
			continue;
		found++;
		stock = laras_spi_value(0, 7, &isnull);
		row->source.version = laras_spi_int8(0, 1);
		row->heading = laras_spi_cstring(0, 2);
		row->body = laras_spi_cstring(0, 3);
		row->attributes = laras_spi_cstring(0, 4);
		row->price = laras_spi_cstring(0, 5);
		row->currency = laras_spi_cstring(0, 6);
		row->stock = isnull ? -1 : DatumGetInt32(stock);
	}
	laras_spi_close();
	return found == n;
}

bool
laras_read_text(int64 workspace_id, LarasFound *row)
{
	bool policy = strcmp(row->source.table, "policy_text") == 0;
	bool found;

	laras_spi_open();
	found = laras_spi_read(policy ? &read_policy : &read_faq,
						   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row->source.id)},
						   NULL) == 1;
	if (found)
	{
		row->source.version = laras_spi_int8(0, 1);
		row->heading = laras_spi_cstring(0, 2);
		row->body = laras_spi_cstring(0, 3);
	}
	laras_spi_close();
	return found;
}
