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

#include "answer/lexicon.h"
#include "answer/retrieve.h"
#include "answer/shelf.h"
#include "answer/spelling.h"
#include "base/spi.h"
#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "port/pg_bitutils.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_public.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* What the parts of a row weigh beside its heading. */
#define LISTED_WEIGHT 0.9
#define TOLD_WEIGHT 0.7
/* A word that no row has, beside 1 for one that a single row has; the least of a common one. */
#define ABSENT_WEIGHT 0.8
#define LEAST_WEIGHT 0.3
#define NUMBER_LISTED 0.5
/* A word taken for another one; one that told an intent and is a name as well. */
#define CORRECTED_FACTOR 0.8
#define OPTIONAL_FACTOR 0.3
/* Ways in which one word may be written: itself, stems, words found for it. */
#define FORMS 96
/* Letters of each of two words that were written as one, at least. */
#define JOINED_LETTERS 3

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
	const char *instead[LARAS_SEARCH_WORDS]; /* spelled alike, or NULL */
	bool optional[LARAS_SEARCH_WORDS];       /* told an intent: helps a row that it names */
	bool texts;                              /* policies and FAQs are searched */
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

typedef struct Forms
{
	const char *form[FORMS];
	int n;
} Forms;

static void
add_form(Forms *forms, const char *form)
{
	if (form == NULL || form[0] == '\0' || forms->n == FORMS)
		return;
	for (int i = 0; i < forms->n; i++)
		if (strcmp(forms->form[i], form) == 0)
			return;
	forms->form[forms->n++] = form;
}

/* What a dictionary of the server makes of a word. */
static void
add_stem(Forms *forms, const char *dictionary, const char *word)
{
	Oid oid = get_ts_dict_oid(list_make2(makeString(pstrdup("pg_catalog")),
										 makeString(pstrdup(dictionary))),
							  false);
	TSDictionaryCacheEntry *cache = lookup_ts_dictionary_cache(oid);
	DictSubState state = {false};
	TSLexeme *stems;

	stems = (TSLexeme *) DatumGetPointer(
		FunctionCall4(&cache->lexize, PointerGetDatum(cache->dictData), PointerGetDatum(word),
					  Int32GetDatum(strlen(word)), PointerGetDatum(&state)));
	for (TSLexeme *stem = stems; stem != NULL && stem->lexeme != NULL; stem++)
		add_form(forms, stem->lexeme);
}

/* The word itself and its stems in both languages. */
static void
add_word(Forms *forms, const char *word)
{
	if (word == NULL)
		return;
	add_form(forms, word);
	add_stem(forms, "indonesian_stem", word);
	add_stem(forms, "english_stem", word);
}

/* Forms of a list of the lexicon, which stands still as long as the process: made once. */
typedef struct ListForms
{
	const char *list; /* the key: where it stands */
	const char **form;
	int n;
} ListForms;

static HTAB *lists = NULL;

static const ListForms *
make_list(const char *list)
{
	const char *rest = list;
	char word[LARAS_WORD_BYTES];
	Forms forms = {.n = 0};
	const char **kept;
	ListForms *entry;

	while (laras_lexicon_next(&rest, word))
		add_word(&forms, pstrdup(word));
	kept = MemoryContextAlloc(TopMemoryContext, sizeof(char *) * (forms.n + 1));
	for (int i = 0; i < forms.n; i++)
		kept[i] = MemoryContextStrdup(TopMemoryContext, forms.form[i]);
	entry = hash_search(lists, &list, HASH_ENTER, NULL);
	entry->form = kept;
	entry->n = forms.n;
	return entry;
}

static void
add_list(Forms *forms, const char *list)
{
	const ListForms *known;

	if (list == NULL)
		return;
	if (lists == NULL)
		lists = hash_create("laras forms of lists", 256,
							&(HASHCTL){.keysize = sizeof(char *),
									   .entrysize = sizeof(ListForms),
									   .hcxt = TopMemoryContext},
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	known = hash_search(lists, &list, HASH_FIND, NULL);
	if (known == NULL)
		known = make_list(list);
	for (int i = 0; i < known->n; i++)
		add_form(forms, known->form[i]);
}

/* All that is looked for where a word of the question is. */
static void
forms_of(Forms *forms, const LarasWord *word, const char *instead)
{
	forms->n = 0;
	add_word(forms, word->text);
	add_word(forms, word->joined);
	add_word(forms, instead);
	add_list(forms, word->same);
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
mark(LarasShelf *shelf, Search *search, int i, const char *form)
{
	const LarasShelfWord *word = laras_shelf_find(shelf, form);
	uint64 bit = UINT64CONST(1) << i;
	int fresh = 0;

	if (word == NULL)
		return 0;
	CHECK_FOR_INTERRUPTS();
	for (int k = 0; k < word->n; k++)
	{
		LarasShelfRow *row = touch(shelf, search, word->place[k] >> 2);
		LarasShelfPart part = word->place[k] & 3;

		fresh += (row->matched & bit) == 0;
		row->matched |= bit;
		if (part == LARAS_PART_NAMED)
			row->named |= bit;
		else if (part == LARAS_PART_LISTED)
			row->listed |= bit;
	}
	return fresh;
}

/* Looks for word i; its weight is the less, the more rows have it. */
static void
look_for(LarasShelf *shelf, Search *search, int i)
{
	Forms forms;
	int rows = 0;

	forms_of(&forms, search->word[i], search->instead[i]);
	for (int k = 0; k < forms.n; k++)
		rows += mark(shelf, search, i, forms.form[k]);
	search->weight[i] =
		rows == 0
			? ABSENT_WEIGHT
			: Max(LEAST_WEIGHT, log(1 + (double) shelf->n / rows) / log(1 + (double) shelf->n));
}

/*
 * Is there a name spelled like word i, of which no row has anything?  Of names
 * alike the one in most headings is taken.  Words with digits are what they are.
 */
static const char *
spelled_like(const LarasShelf *shelf, const LarasWord *word)
{
	const char *text = word->text;
	int first = (unsigned char) text[0];
	const LarasShelfWord *best = NULL;
	float most = 0;

	if (strlen(text) < 3 || strcspn(text, "0123456789") < strlen(text) || word->same != NULL)
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
			if (one->place[k] == other->place[m] && (one->place[k] & 3) == LARAS_PART_NAMED)
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

	for (size_t cut = JOINED_LETTERS; cut + JOINED_LETTERS <= n; cut++)
	{
		const LarasShelfWord *one = laras_shelf_find(shelf, pnstrdup(text, cut));
		const LarasShelfWord *other = laras_shelf_find(shelf, text + cut);
		int rows;

		if (one == NULL || other == NULL || one->named == 0 || other->named == 0)
			continue;
		rows = mark_both(shelf, search, i, one, other);
		if (rows == 0)
			continue;
		search->weight[i] =
			Max(LEAST_WEIGHT, log(1 + (double) shelf->n / rows) / log(1 + (double) shelf->n));
		return true;
	}
	return false;
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
		if (search->weight[i] != ABSENT_WEIGHT || search->optional[i] ||
			look_for_joined(shelf, search, i))
			continue;
		search->instead[i] = spelled_like(shelf, search->word[i]);
		if (search->instead[i] != NULL)
			look_for(shelf, search, i);
	}
	return shelf;
}

/* Rows whose heading has a word of the topic. */
static void
mark_topic(LarasShelf *shelf, Search *search, LarasIntent topic)
{
	Forms forms = {.n = 0};

	add_list(&forms, laras_intent_topic_words(topic));
	for (int i = 0; i < forms.n; i++)
	{
		const LarasShelfWord *word = laras_shelf_find(shelf, forms.form[i]);

		for (int k = 0; word != NULL && k < word->n; k++)
			if ((word->place[k] & 3) == LARAS_PART_NAMED)
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

/* What of the question a row has, and of its heading the question. */
static void
measure(LarasFound *row, const Search *search, uint64 optional)
{
	double has = 0;
	double all = 0;

	for (int i = 0; i < search->n; i++)
	{
		double part;

		if (search->optional[i])
			continue;
		part = part_of_word(row->matched, row->named, row->listed, search, i);
		has += search->instead[i] != NULL ? part * CORRECTED_FACTOR : part;
		/* how many there are of something is hardly what a rule is found by */
		all += part == 0 && search->texts && is_number(search->word[i])
				   ? search->weight[i] * NUMBER_LISTED
				   : search->weight[i];
	}
	if ((row->matched & ~optional) == 0)
	{
		row->matched = 0;
		row->named = 0;
		row->listed = 0;
	}
	for (int i = 0; i < search->n && row->matched != 0; i++)
		if (search->optional[i] && ((row->named | row->listed) & (UINT64CONST(1) << i)))
			has += part_of_word(row->matched, row->named, row->listed, search, i) * OPTIONAL_FACTOR;
	row->coverage = all > 0 ? (float) (has / all) : 0;
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
		if (is_number(search->word[i]) && !search->optional[i])
			findings->numbers |= bit;
		if (search->optional[i])
			findings->named &= ~bit;
		for (int k = 0; k < LARAS_INTENTS; k++)
			if (search->word[i]->cues & LARAS_CUE(k))
				findings->told[k] |= bit;
	}
	qsort(findings->row, findings->n, sizeof(LarasFound), better_first);
	return findings;
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
		if (!question->word[i].filler && !(question->word[i].cues & courtesy))
			want(&search, &question->word[i], (question->word[i].cues & told_by_cues) != 0);
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
		if (!question->word[i].filler && !(question->word[i].cues & courtesy))
			want(&search, &question->word[i], false);
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
