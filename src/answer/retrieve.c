/*
 * retrieve.c
 *		Finds rows of knowledge by the words of a question, see retrieve.h.
 *
 * Invariant: every statement names the workspace and reads through row
 * security.  What is asked enters as parameters only: words of letters and
 * digits, quoted in a tsquery.
 *
 * The stored vectors are read by primary key, workspace first, and compared
 * one by one: under row security the server puts no operator that might leak,
 * and @@ is one, before the policy, so that an inverted index would never be
 * used (docs/decisions/built-in-drafter.md has the measurements).
 */
#include "postgres.h"

#include <math.h>

#include "answer/lexicon.h"
#include "answer/retrieve.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

/* What the parts of a row weigh beside its heading; MASKS below ranks by the same. */
#define LISTED_WEIGHT 0.9
#define TOLD_WEIGHT 0.7
/* A word that no row has, beside 1 for one that a single row has. */
#define ABSENT_WEIGHT 0.8
/* A word taken for another one. */
#define CORRECTED_FACTOR 0.8

/* Stems of words, each with the number of the word it stands for. */
LARAS_PLAN(stem_words,
		   "SELECT f.ord, string_agg(quote_literal(f.form), ' | ') "
		   "FROM (SELECT w.ord, w.word FROM unnest($1, $2) AS w (ord, word) "
		   "UNION SELECT w.ord, unnest(ts_lexize('pg_catalog.indonesian_stem', w.word)) "
		   "FROM unnest($1, $2) AS w (ord, word) "
		   "UNION SELECT w.ord, unnest(ts_lexize('pg_catalog.english_stem', w.word)) "
		   "FROM unnest($1, $2) AS w (ord, word)) AS f (ord, form) "
		   "WHERE f.form <> '' GROUP BY f.ord ORDER BY f.ord",
		   INT4ARRAYOID, TEXTARRAYOID);

/*
 * $2 a query for each word, $3 the same for the heading only, $4 for heading
 * and attributes, $5 all of them.  The weights of the words come with every
 * row, since they are made of the same pass.
 */
#define WORDS                                                                     \
	"word AS MATERIALIZED (SELECT w.ord::integer - 1 AS ord, w.q::tsquery AS q, " \
	"w.a::tsquery AS a, w.b::tsquery AS b "                                       \
	"FROM unnest($2, $3, $4) WITH ORDINALITY AS w (q, a, b, ord)), "
#define WEIGHTS                                                \
	"weight AS MATERIALIZED (SELECT s.ord, greatest(0.3, "     \
	"ln(1 + t.n::float8 / count(*)) / ln(1 + t.n)) AS weight " \
	"FROM seen s CROSS JOIN total t GROUP BY s.ord, t.n), "
#define MASKS                                                                                     \
	"bit_or(1::bigint << s.ord) AS matched, "                                                     \
	"coalesce(bit_or(1::bigint << s.ord) FILTER (WHERE s.named), 0) AS named, "                   \
	"coalesce(bit_or(1::bigint << s.ord) FILTER (WHERE s.listed AND NOT s.named), 0) AS listed, " \
	"sum(w.weight * CASE WHEN s.named THEN 1 WHEN s.listed THEN 0.9 ELSE 0.7 END) AS score "
#define WEIGHT_ARRAY                                           \
	"(SELECT array_agg(coalesce(v.weight, 0) ORDER BY u.ord) " \
	"FROM word u LEFT JOIN weight v ON v.ord = u.ord)"

LARAS_PLAN(find_items,
		   "WITH " WORDS "total AS MATERIALIZED (SELECT count(*) AS n FROM laras.catalog_item i "
		   "WHERE i.workspace_id = $1 AND i.state = 'active'), "
		   "hit AS MATERIALIZED (SELECT i.id, i.terms, length(i.name) AS size "
		   "FROM laras.catalog_item i "
		   "WHERE i.workspace_id = $1 AND i.state = 'active' AND i.terms @@ $5::tsquery), "
		   "seen AS MATERIALIZED (SELECT h.id, h.size, w.ord, h.terms @@ w.a AS named, "
		   "h.terms @@ w.b AS listed FROM hit h JOIN word w ON h.terms @@ w.q), " WEIGHTS
		   "best AS MATERIALIZED (SELECT s.id, s.size, " MASKS
		   "FROM seen s JOIN weight w ON w.ord = s.ord GROUP BY s.id, s.size "
		   "ORDER BY score DESC, s.size, s.id LIMIT $6) "
		   "SELECT i.id, i.version, i.name, left(i.description, 2000), "
		   "(SELECT left(string_agg(e.key || ': ' || left(CASE "
		   "WHEN jsonb_typeof(e.value) IN ('array', 'object') "
		   "THEN translate(e.value::text, '[]{}\"', '') ELSE e.value #>> '{}' END, 200), "
		   "'; ' ORDER BY e.key), 600) FROM jsonb_each(CASE "
		   "WHEN jsonb_typeof(i.attributes) = 'object' THEN i.attributes ELSE '{}' END) AS e), "
		   "i.price::text, i.currency, i.stock, "
		   "b.matched, b.named, b.listed, " WEIGHT_ARRAY
		   " FROM best b JOIN laras.catalog_item i ON i.workspace_id = $1 AND i.id = b.id "
		   "ORDER BY b.score DESC, b.size, b.id",
		   INT8OID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, INT4OID);

/* $7 the topic's words in a heading; a row on the topic is found without any other word. */
LARAS_PLAN(
	find_texts,
	"WITH " WORDS "text AS MATERIALIZED (SELECT 0 AS kind, p.id, p.terms FROM laras.policy_text p "
	"WHERE p.workspace_id = $1 "
	"UNION ALL SELECT 1, f.id, f.terms FROM laras.faq f WHERE f.workspace_id = $1), "
	"total AS MATERIALIZED (SELECT count(*) AS n FROM text), "
	"hit AS MATERIALIZED (SELECT t.kind, t.id, t.terms, coalesce(t.terms @@ $7::tsquery, false) AS on_topic "
	"FROM text t WHERE t.terms @@ $5::tsquery OR t.terms @@ $7::tsquery), "
	"seen AS MATERIALIZED (SELECT h.kind, h.id, w.ord, h.terms @@ w.a AS named, "
	"h.terms @@ w.b AS listed FROM hit h JOIN word w ON h.terms @@ w.q), " WEIGHTS
	"mask AS MATERIALIZED (SELECT s.kind, s.id, " MASKS
	"FROM seen s JOIN weight w ON w.ord = s.ord GROUP BY s.kind, s.id), "
	"best AS MATERIALIZED (SELECT h.kind, h.id, h.on_topic, coalesce(m.matched, 0) AS matched, "
	"coalesce(m.named, 0) AS named, coalesce(m.listed, 0) AS listed, "
	"coalesce(m.score, 0) + h.on_topic::integer AS score "
	"FROM hit h LEFT JOIN mask m ON m.kind = h.kind AND m.id = h.id "
	"ORDER BY score DESC, h.id LIMIT $6) "
	"SELECT r.id, r.version, r.heading, left(r.body, 8000), r.language, b.kind, b.on_topic, "
	"b.matched, b.named, b.listed, " WEIGHT_ARRAY " FROM best b CROSS JOIN LATERAL ("
	"SELECT p.id, p.version, p.topic, p.body, p.language FROM laras.policy_text p "
	"WHERE b.kind = 0 AND p.workspace_id = $1 AND p.id = b.id "
	"UNION ALL SELECT f.id, f.version, f.question, f.answer, f.language FROM laras.faq f "
	"WHERE b.kind = 1 AND f.workspace_id = $1 AND f.id = b.id"
	") AS r (id, version, heading, body, language) ORDER BY b.score DESC, b.id",
	INT8OID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, INT4OID, TEXTOID);

/* Words in names of items that begin as one of $2. */
LARAS_PLAN(known_names,
		   "SELECT t.lexeme, count(*) FROM laras.catalog_item i CROSS JOIN unnest(i.terms) AS t "
		   "WHERE i.workspace_id = $1 AND i.state = 'active' AND 'A' = ANY (t.weights) "
		   "AND left(t.lexeme, 1) = ANY ($2) GROUP BY t.lexeme ORDER BY 2 DESC, 1 LIMIT 20000",
		   INT8OID, TEXTARRAYOID);

typedef struct Search
{
	int n;
	const LarasWord *word[LARAS_SEARCH_WORDS];
	const char *instead[LARAS_SEARCH_WORDS]; /* spelled alike, or NULL */
	const char *query[LARAS_SEARCH_WORDS];   /* quoted forms, joined by | */
	bool corrected;
} Search;

/* Adds a word that is not yet there, and while there is room. */
static void
want(Search *search, const LarasWord *word)
{
	for (int i = 0; i < search->n; i++)
		if (strcmp(search->word[i]->text, word->text) == 0)
			return;
	if (search->n < LARAS_SEARCH_WORDS)
		search->word[search->n++] = word;
}

static ArrayType *
text_array(const char *const *value, int n)
{
	Datum *datum = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datum[i] = CStringGetTextDatum(value[i]);
	return construct_array(datum, n, TEXTOID, -1, false, TYPALIGN_INT);
}

typedef struct Forms
{
	Datum *number;
	Datum *word;
	int n;
	int max;
} Forms;

static void
add_form(Forms *forms, int number, const char *word)
{
	if (word == NULL || forms->n >= forms->max)
		return;
	forms->number[forms->n] = Int32GetDatum(number);
	forms->word[forms->n++] = CStringGetTextDatum(word);
}

/* Stems the forms; row i of the result is the query of one number. Inside SPI. */
static uint64
stem(const Forms *forms)
{
	return laras_spi_read(&stem_words,
						  (Datum[]){PointerGetDatum(construct_array(
										forms->number, forms->n, INT4OID, 4, true, TYPALIGN_INT)),
									PointerGetDatum(construct_array(forms->word, forms->n, TEXTOID,
																	-1, false, TYPALIGN_INT))},
						  NULL);
}

/* Makes the query of each word: itself, its stems, and what is found for it with theirs. */
static void
make_queries(Search *search)
{
	const int max = LARAS_SEARCH_WORDS * 16;
	Forms forms = {palloc(sizeof(Datum) * max), palloc(sizeof(Datum) * max), 0, max};
	uint64 n;

	/* Every word has a query, whatever room is left for more. */
	for (int i = 0; i < search->n; i++)
		add_form(&forms, i, search->word[i]->text);
	for (int i = 0; i < search->n; i++)
	{
		const char *list = search->word[i]->same;
		char word[LARAS_WORD_BYTES];

		add_form(&forms, i, search->word[i]->joined);
		add_form(&forms, i, search->instead[i]);
		while (list != NULL && laras_lexicon_next(&list, word))
			add_form(&forms, i, word);
	}
	n = stem(&forms);
	for (uint64 i = 0; i < n; i++)
		search->query[laras_spi_int4(i, 1)] = laras_spi_cstring(i, 2);
}

/* The forms of a word, all of them with a weight label of text search ("A", "AB", or none). */
static const char *
labelled(const char *query, const char *label)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *s = query; *s != '\0'; s++)
	{
		appendStringInfoChar(&out, *s);
		/* A form holds no quote: the second one of a pair ends it. */
		if (*s == '\'' && (s[1] == ' ' || s[1] == '\0'))
			appendStringInfo(&out, ":%s", label);
	}
	return out.data;
}

/* The first six parameters of a search. */
static void
make_parameters(int64 workspace_id, const Search *search, Datum *value)
{
	const char *named[LARAS_SEARCH_WORDS];
	const char *listed[LARAS_SEARCH_WORDS];
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < search->n; i++)
	{
		named[i] = labelled(search->query[i], "A");
		listed[i] = labelled(search->query[i], "AB");
		appendStringInfo(&all, "%s%s", i > 0 ? " | " : "", search->query[i]);
	}
	value[0] = Int64GetDatum(workspace_id);
	value[1] = PointerGetDatum(text_array(search->query, search->n));
	value[2] = PointerGetDatum(text_array(named, search->n));
	value[3] = PointerGetDatum(text_array(listed, search->n));
	value[4] = CStringGetTextDatum(all.data);
	value[5] = Int32GetDatum(LARAS_SEARCH_ROWS);
}

/* Weights of the words, from an array of the last result; a word that no row has gets its own. */
static void
read_weights(int column, double weight[LARAS_SEARCH_WORDS], int n)
{
	bool isnull = true;
	Datum value = SPI_processed > 0 ? laras_spi_value(0, column, &isnull) : (Datum) 0;
	Datum *element = NULL;
	int count = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(value), FLOAT8OID, 8, true, TYPALIGN_DOUBLE, &element,
						  NULL, &count);
	for (int i = 0; i < n; i++)
	{
		weight[i] = i < count ? DatumGetFloat8(element[i]) : 0;
		if (weight[i] <= 0)
			weight[i] = ABSENT_WEIGHT;
	}
}

/* Fills what a row's masks and the weights say of it. */
static void
measure(LarasFound *row, const Search *search, const double weight[LARAS_SEARCH_WORDS])
{
	double has = 0;
	double all = 0;

	for (int i = 0; i < search->n; i++)
	{
		uint64 bit = UINT64CONST(1) << i;
		double part = 0;

		if (row->named & bit)
			part = weight[i];
		else if (row->listed & bit)
			part = weight[i] * LISTED_WEIGHT;
		else if (row->matched & bit)
			part = weight[i] * TOLD_WEIGHT;
		has += search->instead[i] != NULL ? part * CORRECTED_FACTOR : part;
		all += weight[i];
	}
	row->coverage = all > 0 ? (float) (has / all) : 0;
	row->heading_words = laras_count_matter(row->heading, strlen(row->heading));
	row->heading_coverage = 0;
	if (row->heading_words > 0)
		row->heading_coverage =
			Min(1.0f, (float) pg_popcount64(row->named) / (float) row->heading_words);
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

static LarasFindings *
make_findings(const Search *search, uint64 n)
{
	LarasFindings *findings = palloc0(sizeof(LarasFindings));

	findings->row = palloc0(sizeof(LarasFound) * Max(n, 1));
	findings->n = (int) n;
	findings->words = search->n;
	for (int i = 0; i < search->n; i++)
	{
		if (search->instead[i] != NULL)
			findings->corrected |= UINT64CONST(1) << i;
		if (strspn(search->word[i]->text, "0123456789") == strlen(search->word[i]->text))
			findings->numbers |= UINT64CONST(1) << i;
	}
	return findings;
}

/* One search of the items. Inside SPI; the result is made in the context outside it. */
static LarasFindings *
search_items(int64 workspace_id, const Search *search, MemoryContext outside)
{
	Datum value[6];
	double weight[LARAS_SEARCH_WORDS];
	LarasFindings *findings;
	MemoryContext inside;
	uint64 n;

	make_parameters(workspace_id, search, value);
	n = laras_spi_read(&find_items, value, NULL);
	read_weights(12, weight, search->n);
	inside = MemoryContextSwitchTo(outside);
	findings = make_findings(search, n);
	for (uint64 i = 0; i < n; i++)
	{
		LarasFound *row = &findings->row[i];
		bool isnull;
		Datum stock = laras_spi_value(i, 8, &isnull);

		row->source.table = "catalog_item";
		row->source.id = laras_spi_int8(i, 1);
		row->source.version = laras_spi_int8(i, 2);
		row->heading = laras_spi_cstring(i, 3);
		row->body = laras_spi_cstring(i, 4);
		row->attributes = laras_spi_cstring(i, 5);
		row->price = laras_spi_cstring(i, 6);
		row->currency = laras_spi_cstring(i, 7);
		row->stock = isnull ? -1 : DatumGetInt32(stock);
		row->matched = (uint64) laras_spi_int8(i, 9);
		row->named = (uint64) laras_spi_int8(i, 10);
		row->listed = (uint64) laras_spi_int8(i, 11);
		measure(row, search, weight);
		findings->named |= row->named;
	}
	qsort(findings->row, findings->n, sizeof(LarasFound), better_first);
	MemoryContextSwitchTo(inside);
	return findings;
}

/* A word without its vowels, of which chat leaves out some or all: "jkt" or "jket" of "jaket". */
static int
consonants(const char *word, char *out)
{
	int n = 0;

	for (; *word != '\0'; word++)
		if (strchr("aiueo", *word) == NULL)
			out[n++] = *word;
	out[n] = '\0';
	return n;
}

/*
 * Is the word a slip of the finger, or the name with vowels left out?  Never
 * of a very short word, nor with another first letter.
 */
static bool
spelled_alike(const char *word, const char *name)
{
	size_t n = strlen(word);
	size_t m = strlen(name);
	char bare_word[LARAS_WORD_BYTES];
	char bare_name[LARAS_WORD_BYTES];
	int slips = n >= 8 ? 2 : 1;

	if (m >= LARAS_WORD_BYTES || m < 4 || n < 3 || word[0] != name[0])
		return false;
	if (n < m && consonants(word, bare_word) >= 3 && consonants(name, bare_name) >= 3 &&
		strcmp(bare_word, bare_name) == 0)
		return true;
	if (n < 5 || m + slips < n || n + slips < m)
		return false;
	return varstr_levenshtein_less_equal(word, (int) n, name, (int) m, 1, 1, 1, slips, true) <=
		   slips;
}

/*
 * Looks among the names of the items for words spelled like those that no item
 * has; the commonest is taken.  Words with digits are what they are.
 */
static bool
correct_spelling(int64 workspace_id, Search *search, uint64 absent)
{
	const char *initial[LARAS_SEARCH_WORDS];
	int initials = 0;
	bool corrected = false;
	uint64 n;

	for (int i = 0; i < search->n; i++)
	{
		const char *text = search->word[i]->text;

		if (!(absent & (UINT64CONST(1) << i)))
			continue;
		if (strlen(text) < 3 || strcspn(text, "0123456789") < strlen(text) || search->word[i]->same)
			absent &= ~(UINT64CONST(1) << i);
		else
			initial[initials++] = pnstrdup(text, pg_mblen(text));
	}
	if (initials == 0)
		return false;
	n = laras_spi_read(&known_names,
					   (Datum[]){Int64GetDatum(workspace_id),
								 PointerGetDatum(text_array(initial, initials))},
					   NULL);
	for (uint64 k = 0; k < n; k++)
	{
		const char *name = laras_spi_cstring(k, 1);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < search->n; i++)
		{
			if (!(absent & (UINT64CONST(1) << i)) || search->instead[i] != NULL ||
				!spelled_alike(search->word[i]->text, name))
				continue;
			search->instead[i] = name;
			corrected = true;
		}
	}
	return corrected;
}

/* Bits of the words that no row has. */
static uint64
absent_words(const Search *search, const LarasFindings *findings)
{
	uint64 present = 0;

	for (int i = 0; i < findings->n; i++)
		present |= findings->row[i].matched;
	return ~present & ((UINT64CONST(1) << search->n) - 1);
}

static const uint32 told_by_cues = LARAS_CUE(LARAS_INTENT_PRICE) | LARAS_CUE(LARAS_INTENT_STOCK) |
								   LARAS_CUE(LARAS_INTENT_PRODUCT) | LARAS_CUE(LARAS_INTENT_HOURS) |
								   LARAS_CUE(LARAS_INTENT_DELIVERY) |
								   LARAS_CUE(LARAS_INTENT_PAYMENT) |
								   LARAS_CUE(LARAS_INTENT_RETURNS);
static const uint32 courtesy = LARAS_CUE(LARAS_INTENT_THANKS) | LARAS_CUE(LARAS_INTENT_GREETING);

LarasFindings *
laras_find_items(int64 workspace_id, const LarasQuestion *question)
{
	MemoryContext outside = CurrentMemoryContext;
	Search search = {0};
	LarasFindings *findings;
	uint64 absent;

	for (int i = 0; i < question->n; i++)
		if (!question->word[i].filler && !(question->word[i].cues & (told_by_cues | courtesy)))
			want(&search, &question->word[i]);
	if (search.n == 0)
		return make_findings(&search, 0);
	laras_spi_open();
	make_queries(&search);
	findings = search_items(workspace_id, &search, outside);
	absent = absent_words(&search, findings);
	if (absent != 0 && correct_spelling(workspace_id, &search, absent))
	{
		make_queries(&search);
		findings = search_items(workspace_id, &search, outside);
	}
	laras_spi_close();
	return findings;
}

/* The topic's words in a heading, as a query; NULL where there is no topic. Inside SPI. */
static const char *
topic_query(LarasIntent topic)
{
	const char *list = laras_intent_topic_words(topic);
	Forms forms = {palloc(sizeof(Datum) * 64), palloc(sizeof(Datum) * 64), 0, 64};
	char word[LARAS_WORD_BYTES];
	uint64 n;

	if (list == NULL)
		return NULL;
	while (laras_lexicon_next(&list, word))
		add_form(&forms, 0, word);
	n = stem(&forms);
	return n > 0 ? labelled(laras_spi_cstring(0, 2), "A") : NULL;
}

LarasFindings *
laras_find_texts(int64 workspace_id, const LarasQuestion *question, LarasIntent topic)
{
	MemoryContext outside = CurrentMemoryContext;
	MemoryContext inside;
	Search search = {0};
	double weight[LARAS_SEARCH_WORDS];
	LarasFindings *findings;
	Datum value[7];
	/* An empty query would be a notice to whoever asks: none is null. */
	char nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};
	const char *topic_words;
	uint64 n;

	for (int i = 0; i < question->n; i++)
		if (!question->word[i].filler && !(question->word[i].cues & courtesy))
			want(&search, &question->word[i]);
	if (search.n == 0 && !laras_intent_is_topic(topic))
		return make_findings(&search, 0);
	laras_spi_open();
	make_queries(&search);
	make_parameters(workspace_id, &search, value);
	topic_words = topic_query(topic);
	value[6] = topic_words != NULL ? CStringGetTextDatum(topic_words) : (Datum) 0;
	nulls[6] = topic_words != NULL ? ' ' : 'n';
	nulls[4] = search.n > 0 ? ' ' : 'n';
	n = laras_spi_read(&find_texts, value, nulls);
	read_weights(11, weight, search.n);
	inside = MemoryContextSwitchTo(outside);
	findings = make_findings(&search, n);
	for (uint64 i = 0; i < n; i++)
	{
		LarasFound *row = &findings->row[i];

		row->source.id = laras_spi_int8(i, 1);
		row->source.version = laras_spi_int8(i, 2);
		row->heading = laras_spi_cstring(i, 3);
		row->body = laras_spi_cstring(i, 4);
		row->english = strcmp(laras_spi_cstring(i, 5), "en") == 0;
		row->source.table = laras_spi_int4(i, 6) == 0 ? "policy_text" : "faq";
		row->on_topic = laras_spi_bool(i, 7);
		row->stock = -1;
		row->matched = (uint64) laras_spi_int8(i, 8);
		row->named = (uint64) laras_spi_int8(i, 9);
		row->listed = (uint64) laras_spi_int8(i, 10);
		measure(row, &search, weight);
		findings->named |= row->named;
	}
	qsort(findings->row, findings->n, sizeof(LarasFound), better_first);
	MemoryContextSwitchTo(inside);
	laras_spi_close();
	return findings;
}
