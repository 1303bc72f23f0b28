/*
 * others.c
 *		Does a text name another person of the workspace?  See others.h.
 *
 * Candidates are words that may be a name: nothing of the drafter's lexicon,
 * nothing of the rows that the text cites.  Their blind indexes are looked up
 * at once; a text without candidates, as the built-in drafter's mostly are,
 * costs no statement.  What is found is a name of a customer, and may all the
 * same be the business's own: that is asked only then.
 */
#include "postgres.h"

#include "answer/lexicon.h"
#include "answer/others.h"
#include "base/spi.h"
#include "inbox/names.h"
#include "inbox/rows.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* letters of a name that is told by itself; words between it and what tells that it is one */
#define LETTERS 3
#define BEFORE 3
#define AFTER 2

/* which of them are names of others, and not of whom the text is for */
LARAS_PLAN(
	find_others,
	"SELECT u.o FROM unnest($3) WITH ORDINALITY AS u (x, o) "
	"CROSS JOIN LATERAL (SELECT 1 FROM laras.contact_name_word k WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND k.word_index OPERATOR(pg_catalog.=) u.x AND k.contact_id OPERATOR(pg_catalog.<>) $2 LIMIT 1) other "
	"LEFT JOIN LATERAL (SELECT k.contact_id FROM laras.contact_name_word k "
	"WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 AND k.word_index OPERATOR(pg_catalog.=) u.x "
	"AND k.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1) own ON true WHERE own.contact_id IS NULL ORDER BY u.o",
	INT8OID, INT8OID, BYTEAARRAYOID);

LARAS_PLAN(
	read_own_names,
	"SELECT m.name, m.id, $2 FROM laras.member m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.name IS NOT NULL "
	"UNION ALL SELECT w.name, w.workspace_id, $3 FROM laras.workspace w WHERE w.workspace_id OPERATOR(pg_catalog.=) $1 "
	"UNION ALL SELECT c.display_name, c.id, $4 FROM laras.connection c "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.display_name IS NOT NULL",
	INT8OID, INT4OID, INT4OID, INT4OID);

#define PHRASE                                                                     \
	"OPERATOR(pg_catalog.@@) "                                                     \
	"(pg_catalog.phraseto_tsquery('pg_catalog.simple'::pg_catalog.regconfig, $2) " \
	"OPERATOR(pg_catalog.||) "                                                     \
	"pg_catalog.phraseto_tsquery('pg_catalog.simple'::pg_catalog.regconfig, $3))) "
LARAS_PLAN(
	find_knowledge,
	"SELECT 1 WHERE EXISTS (SELECT 1 FROM laras.catalog_item i WHERE i.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND i.state OPERATOR(pg_catalog.=) 'active' AND i.terms " PHRASE
	"OR EXISTS (SELECT 1 FROM laras.policy_text p WHERE p.workspace_id OPERATOR(pg_catalog.=) $1 AND p.terms " PHRASE
	"OR EXISTS (SELECT 1 FROM laras.faq f WHERE f.workspace_id OPERATOR(pg_catalog.=) $1 AND f.terms " PHRASE,
	INT8OID, TEXTOID, TEXTOID);

static const char *const before_name[] = {
#define BEFORE_NAME(word) word,
#include "answer/manner.def"
};

static const char *const after_name[] = {
#define AFTER_NAME(word) word,
#include "answer/manner.def"
};

typedef struct Candidate
{
	const char *one;
	const char *other; /* NULL: a word by itself */
} Candidate;

/* The rows' words as one text with a blank around each. */
static char *
plain_facts(const LarasFact *facts, int n)
{
	StringInfoData all;

	initStringInfo(&all);
	appendStringInfoChar(&all, ' ');
	for (int i = 0; i < n; i++)
	{
		LarasNameWord *words;
		int count = laras_name_words(facts[i].text, strlen(facts[i].text), &words);

		for (int w = 0; w < count; w++)
			appendStringInfo(&all, "%s ", words[w].text);
		/* the end of one row and the beginning of the next are no phrase */
		appendStringInfoString(&all, "| ");
	}
	return all.data;
}

static bool
stands_there(const char *all, StringInfo scratch, const char *one, const char *other)
{
	resetStringInfo(scratch);
	appendStringInfo(scratch, other != NULL ? " %s %s " : " %s ", one, other);
	return strstr(all, scratch->data) != NULL;
}

static bool
is_told(const Candidate *c, const char *all, StringInfo scratch)
{
	return stands_there(all, scratch, c->one, c->other) ||
		   (c->other != NULL && stands_there(all, scratch, c->other, c->one));
}

/* Two words side by side that may be a name: not both ordinary ones, none of them empty. */
static bool
may_be_pair(const LarasNameWord *one, const LarasNameWord *other)
{
	const LarasLexeme *a = laras_lexicon_find(one->text);
	const LarasLexeme *b = laras_lexicon_find(other->text);

	if (one->digits || other->digits || strlen(one->text) < 2 || strlen(other->text) < 2 ||
		strlen(one->text) >= LARAS_WORD_BYTES || strlen(other->text) >= LARAS_WORD_BYTES)
		return false;
	if (a == NULL && b == NULL)
		return true;
	return one->capital && other->capital && (a == NULL || b == NULL) &&
		   !(a != NULL && (a->flags & (LARAS_WORD_FILLER | LARAS_WORD_UNIT))) &&
		   !(b != NULL && (b->flags & (LARAS_WORD_FILLER | LARAS_WORD_UNIT)));
}

static bool
is_among(const char *const *list, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

/*
 * A word by itself is a name where it looks like one and the text says what its
 * bearer has or did.
 */
static bool
may_be_single(const LarasNameWord *words, int n, int i)
{
	const char *word = words[i].text;

	if (words[i].digits || strlen(word) < LETTERS || strlen(word) >= LARAS_WORD_BYTES ||
		laras_lexicon_find(word) != NULL ||
		!(words[i].capital || (i > 0 && laras_name_is_title(words[i - 1].text))))
		return false;
	for (int k = Max(0, i - BEFORE); k < i; k++)
		if (is_among(before_name, lengthof(before_name), words[k].text))
			return true;
	for (int k = i + 1; k < Min(n, i + 1 + AFTER); k++)
		if (is_among(after_name, lengthof(after_name), words[k].text))
			return true;
	return false;
}

/* Words of the text that may name somebody and stand in none of the rows it cites. */
static int
find_candidates(const char *text, size_t n, const LarasFact *facts, int n_facts, Candidate **found)
{
	LarasNameWord *words;
	int count = laras_name_words(text, n, &words);
	Candidate *list = palloc(sizeof(Candidate) * (2 * count + 1));
	char *all = NULL;
	StringInfoData scratch;
	int kept = 0;

	initStringInfo(&scratch);
	for (int i = 0; i < count; i++)
	{
		if (i + 1 < count && may_be_pair(&words[i], &words[i + 1]))
			list[kept++] = (Candidate){words[i].text, words[i + 1].text};
		if (may_be_single(words, count, i))
			list[kept++] = (Candidate){words[i].text, NULL};
		CHECK_FOR_INTERRUPTS();
	}
	*found = list;
	if (kept == 0)
		return 0;
	all = plain_facts(facts, n_facts);
	count = kept;
	kept = 0;
	for (int i = 0; i < count; i++)
		if (!is_told(&list[i], all, &scratch))
			list[kept++] = list[i];
	return kept;
}

static Datum
indexes_of(uint32 w, const Candidate *list, int n)
{
	LarasColumn column;
	StringInfoData pair;

	laras_columns_init(&column, 1, n);
	initStringInfo(&pair);
	for (int i = 0; i < n; i++)
	{
		const char *value = list[i].one;

		if (list[i].other != NULL)
		{
			laras_name_pair(&pair, list[i].one, list[i].other);
			value = pair.data;
		}
		column.values[i] =
			PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_NAME, NULL, value, strlen(value)));
	}
	return laras_column_array(&column, n, BYTEAOID);
}

/* Is it a name of the business: of a member, a connected account, or its own? */
static bool
is_own_name(int64 workspace_id, const Candidate *c)
{
	uint64 n =
		laras_spi_run(&read_own_names,
					  (Datum[]){Int64GetDatum(workspace_id), Int32GetDatum(LARAS_FIELD_member_name),
								Int32GetDatum(LARAS_FIELD_workspace_name),
								Int32GetDatum(LARAS_FIELD_connection_display_name)},
					  NULL);

	for (uint64 i = 0; i < n; i++)
	{
		bytea *sealed = laras_spi_bytes(i, 1);
		char *name;
		size_t length;
		LarasNameWord *words;
		int count;
		bool has_one = false;
		bool has_other = c->other == NULL;

		if (laras_try_open(sealed, workspace_id, laras_spi_int8(i, 2),
						   (uint16) laras_spi_int4(i, 3), &name, &length) != LARAS_OPENED)
			continue;
		count = laras_name_words(name, length, &words);
		for (int w = 0; w < count; w++)
		{
			has_one |= strcmp(words[w].text, c->one) == 0;
			has_other |= c->other != NULL && strcmp(words[w].text, c->other) == 0;
		}
		if (has_one && has_other)
			return true;
	}
	return false;
}

/* Does any row of the knowledge say it, be it cited or not? */
static bool
is_knowledge(int64 workspace_id, const Candidate *c)
{
	const char *one = c->other == NULL ? c->one : psprintf("%s %s", c->one, c->other);
	const char *other = c->other == NULL ? c->one : psprintf("%s %s", c->other, c->one);

	return laras_spi_run(&find_knowledge,
						 (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(one),
								   CStringGetTextDatum(other)},
						 NULL) > 0;
}

bool
laras_names_another(int64 workspace_id, int64 contact_id, const char *text, size_t n,
					const LarasFact *facts, int n_facts)
{
	Candidate *list;
	int count = find_candidates(text, n, facts, n_facts, &list);
	uint64 found;
	int *hit;

	if (count == 0)
		return false;
	found = laras_spi_run(&find_others,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id),
									indexes_of(laras_workspace_slot(workspace_id), list, count)},
						  NULL);
	hit = palloc(sizeof(int) * (found + 1));
	for (uint64 i = 0; i < found; i++)
		hit[i] = (int) laras_spi_int8(i, 1) - 1;
	for (uint64 i = 0; i < found; i++)
		if (!is_own_name(workspace_id, &list[hit[i]]) && !is_knowledge(workspace_id, &list[hit[i]]))
			return true;
	return false;
}
