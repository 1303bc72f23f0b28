/*
 * ellipsis.c
 *		Composes an answer to a question that leaves out what was said before; see
 *		ellipsis.h.
 *
 * What was left out is put back in the drafter's own words: the name of the item
 * that is meant, or the words of the question before. What is made so is composed
 * like any text, and taken only where its rows have each word of the new question.
 */
#include "postgres.h"

#include "answer/choose.h"
#include "answer/ellipsis.h"
#include "answer/question.h"
#include "answer/retrieve.h"
#include "answer/whenasked.h"
#include "lib/stringinfo.h"

/* cues of this weight ask for something */
#define ASKS 2
/* an answer below is looked at by a person, and worth another look here */
#define SURE 0.7f
/* half of an item's name is a name */
#define HALF_A_NAME 0.5f
/* words of the question before that are tried to be the ones that the new one replaces */
#define REPLACED 4
/* items that one question back names, at most (choose.h) */
#define ORDINALS LARAS_NAMED_ITEMS

typedef struct Exchange
{
	int64 workspace_id;
	const LarasAskedBefore *before;
	LarasQuestion *was;
	LarasQuestion *now;
	bool now_asks;              /* a cue says what for */
	const LarasComposed *alone; /* what the new question is answered by itself */
} Exchange;

static bool
is_cue(const LarasWord *word)
{
	for (int i = LARAS_INTENT_PRICE; i <= LARAS_INTENT_LOCATION; i++)
		if (word->cues & LARAS_CUE(i))
			return true;
	return false;
}

/* Does the word name something, other than what is asked about it? */
static bool
has_matter(const LarasWord *word)
{
	return !word->filler && !word->aside && word->cues == 0;
}

static bool
is_number(const LarasWord *word)
{
	return strspn(word->text, "0123456789") == strlen(word->text);
}

static int
count_matter(const LarasQuestion *question)
{
	int n = 0;

	for (int i = 0; i < question->n; i++)
		n += has_matter(&question->word[i]);
	return n;
}

/* Word i of a question, and its unit, once. */
static void
put(StringInfo text, const LarasQuestion *question, int i)
{
	const char *word = question->word[i].text;
	size_t n = strlen(word);

	for (const char *s = text->data; (s = strstr(s, word)) != NULL; s += n)
		if ((s == text->data || s[-1] == ' ') && (s[n] == '\0' || s[n] == ' '))
			return;
	appendStringInfo(text, "%s%s", text->len > 0 ? " " : "", word);
	if (question->word[i].joined != NULL && i + 1 < question->n)
		appendStringInfo(text, " %s", question->word[i + 1].text);
}

/* What the question before asked for, where it is asked for again. */
static void
put_cues(StringInfo text, const Exchange *e)
{
	for (int i = 0; i < e->was->n; i++)
		if (is_cue(&e->was->word[i]))
			put(text, e->was, i);
}

/* What the question before named, but word left_out, and no numbers where the new one has others. */
static void
put_matter(StringInfo text, const Exchange *e, int left_out, bool numbers)
{
	for (int i = 0; i < e->was->n; i++)
		if (has_matter(&e->was->word[i]) && i != left_out &&
			(numbers || !is_number(&e->was->word[i])))
			put(text, e->was, i);
}

/* The new question, of one clause. */
static void
put_new(StringInfo text, const Exchange *e)
{
	for (int i = 0; i < e->now->n; i++)
		if (!e->now->word[i].joined_clause)
			put(text, e->now, i);
}

/* Has the row each word of the search that names something? There is one at least. */
static bool
has_all(const LarasFindings *found, const LarasFound *row)
{
	int n = 0;

	for (int i = 0; i < found->words; i++)
	{
		if (!has_matter(found->word[i]))
			continue;
		if (!(row->matched & (UINT64CONST(1) << i)))
			return false;
		n++;
	}
	return n > 0;
}

static const LarasFound *
row_of(const LarasFindings *found, const LarasSource *source)
{
	for (int i = 0; i < found->n; i++)
		if (found->row[i].source.id == source->id &&
			strcmp(found->row[i].source.table, source->table) == 0)
			return &found->row[i];
	return NULL;
}

static bool
is_of(const LarasSource *source, const char *table)
{
	return strcmp(source->table, table) == 0;
}

static bool
is_cited(const LarasAskedBefore *before, const LarasSource *source)
{
	for (int i = 0; i < before->n_cited; i++)
		if (before->cited[i].id == source->id && is_of(&before->cited[i], source->table))
			return true;
	return false;
}

/* Does the answer stand on rows of that table, and of no other? */
static bool
stands_on(const LarasComposed *c, const char *table)
{
	int n = 0;

	for (int i = 0; i < c->n_sources; i++)
	{
		if (is_of(&c->sources[i], "brand_voice"))
			continue;
		if (!is_of(&c->sources[i], table))
			return false;
		n++;
	}
	return n > 0;
}

static bool
stands_on_cited(const Exchange *e, const LarasComposed *c)
{
	int n = 0;

	for (int i = 0; i < c->n_sources; i++)
	{
		if (is_of(&c->sources[i], "brand_voice"))
			continue;
		if (!is_cited(e->before, &c->sources[i]))
			return false;
		n++;
	}
	return n > 0;
}

/* Composes the text; true where that is an answer, and better than what there is. */
static bool
answers(const Exchange *e, const StringInfoData *text, LarasComposed *c)
{
	memset(c, 0, sizeof(*c));
	laras_compose(e->workspace_id, text->data, text->len, c);
	return !c->hand_over && !c->asks && c->text != NULL && c->n_sources > 0 &&
		   (e->alone->hand_over || e->alone->asks || c->confidence > e->alone->confidence);
}

/* Have all rows of the answer each word of the question? */
static bool
is_all_of(const Exchange *e, const LarasQuestion *question, const LarasComposed *c)
{
	const LarasFindings *items = laras_find_items(e->workspace_id, question);
	const LarasFindings *texts = laras_find_texts(e->workspace_id, question, LARAS_INTENT_UNCLEAR);

	for (int i = 0; i < c->n_sources; i++)
	{
		const LarasFindings *found = is_of(&c->sources[i], "catalog_item") ? items : texts;
		const LarasFound *row = row_of(found, &c->sources[i]);

		if (is_of(&c->sources[i], "brand_voice"))
			continue;
		if (row == NULL || !has_all(found, row))
			return false;
	}
	return true;
}

static LarasQuestion *
read_text(const char *text, size_t n)
{
	LarasQuestion *read = laras_read_question(text, n);

	laras_read_intent(read);
	return read;
}

/*
 * The item that is meant, where it is one of those that were cited: the only one,
 * or the only one that has each word of the new question. NULL where none is.
 */
static LarasFound *
meant_item(const Exchange *e, const LarasFindings *found, bool *several)
{
	LarasFound *meant = NULL;
	bool names = count_matter(e->now) > 0;

	*several = false;
	for (int i = 0; i < e->before->n_cited; i++)
	{
		const LarasSource *source = &e->before->cited[i];
		const LarasFound *row = row_of(found, source);

		if (!is_of(source, "catalog_item") || (names && (row == NULL || !has_all(found, row))))
			continue;
		*several |= meant != NULL;
		meant = palloc0(sizeof(LarasFound));
		if (row != NULL)
			*meant = *row;
		meant->source = *source;
	}
	if (meant == NULL || *several || !laras_read_items(e->workspace_id, e->was->english, &meant, 1))
		return NULL;
	return meant;
}

/* Does the new question name an item that was not spoken of? */
static bool
names_another(const Exchange *e, const LarasFindings *found)
{
	for (int i = 0; i < found->n; i++)
		if ((found->row[i].named & ~found->numbers) != 0 &&
			found->row[i].heading_coverage >= HALF_A_NAME &&
			!is_cited(e->before, &found->row[i].source))
			return true;
	return false;
}

/* "yang pertama", "nomor 2", "the last one": of those that were named, counted from 0; -1: none is said. */
static int
ordinal_of(const LarasQuestion *now, int named)
{
	static const char *const ordinals[] = {" pertama kesatu satu 1 first 1st ",
										   " kedua dua 2 second 2nd ", " ketiga tiga 3 third 3rd ",
										   " keempat empat 4 fourth 4th "};
	static const char last[] = " terakhir last ";
	static const char plain[] =
		" pertama kesatu kedua ketiga keempat first second third fourth 1st 2nd 3rd 4th ";
	static const char before[] = " yang the nomor nomer no number opsi pilihan option ";
	static const char numbering[] = " nomor nomer no number opsi pilihan option ";
	int found = -1;

	for (int i = 0; i < now->n; i++)
	{
		const char *word = psprintf(" %s ", now->word[i].text);
		bool led = i > 0 && strstr(before, psprintf(" %s ", now->word[i - 1].text)) != NULL;

		/* "hari pertama", "dua kotak" */
		if (!led && !(i == 0 && strstr(plain, word) != NULL))
			continue;
		/* "yang 1 kilo" is a size */
		if (strstr(plain, word) == NULL && strstr(last, word) == NULL &&
			strstr(numbering, psprintf(" %s ", now->word[i - 1].text)) == NULL)
			continue;
		for (int k = 0; k < lengthof(ordinals); k++)
			if (strstr(ordinals[k], word) != NULL)
				found = found < 0 ? k : named;
		if (strstr(last, word) != NULL)
			found = found < 0 ? named - 1 : named;
	}
	return found < named ? found : -1;
}

/* "the first one" of the items that were asked back about, in the order of the question. */
static LarasFound *
item_in_order(const Exchange *e)
{
	const LarasSource *item[ORDINALS];
	LarasFound *meant;
	int n = 0;
	int which;

	for (int i = 0; i < e->before->n_cited; i++)
		if (is_of(&e->before->cited[i], "catalog_item") && n < ORDINALS)
			item[n++] = &e->before->cited[i];
		else
			return NULL;
	which = n > 1 ? ordinal_of(e->now, n) : -1;
	if (which < 0)
		return NULL;
	meant = palloc0(sizeof(LarasFound));
	meant->source = *item[which];
	return laras_read_items(e->workspace_id, e->was->english, &meant, 1) ? meant : NULL;
}

/* The item's name, and what is asked about it. */
static bool
answer_about(const Exchange *e, const LarasFindings *found, const LarasFound *item,
			 LarasComposed *c)
{
	/* what the new question asks for comes first; "berapa" may ask for what was asked before */
	for (int cues = e->now_asks ? 0 : 1; cues < 2; cues++)
	{
		StringInfoData text;

		initStringInfo(&text);
		appendStringInfoString(&text, item->heading);
		for (int i = 0; i < e->now->n; i++)
		{
			bool named = e->now->word[i].joined_clause;

			for (int k = 0; k < found->words && !named; k++)
				named = strcmp(found->word[k]->text, e->now->word[i].text) == 0 &&
						(item->named & (UINT64CONST(1) << k)) != 0;
			/* neither what the name says nor the unit of its number once more */
			if (!named && !(i > 0 && e->now->word[i - 1].joined != NULL))
				put(&text, e->now, i);
		}
		if (cues > 0)
			put_cues(&text, e);
		/* "mahal ya" asks nothing that was not answered just now */
		if (answers(e, &text, c) && stands_on(c, "catalog_item") && stands_on_cited(e, c) &&
			(count_matter(e->now) > 0 || strcmp(c->intent, laras_intent_name(e->was->intent)) != 0))
			return true;
	}
	return false;
}

/* The item's name, with what is asked for now, or else was before. */
static bool
answer_item(const Exchange *e, const LarasFound *item, LarasComposed *c)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, item->heading);
	for (int i = 0; e->now_asks && i < e->now->n; i++)
		if (is_cue(&e->now->word[i]))
			put(&text, e->now, i);
	if (!e->now_asks)
		put_cues(&text, e);
	return answers(e, &text, c) && stands_on(c, "catalog_item") && c->n_sources > 0 &&
		   c->sources[0].id == item->source.id;
}

/* The words of the question before, but the one that the new question replaces. */
static bool
answer_instead(const Exchange *e, LarasComposed *c)
{
	bool numbers = true;
	int tried = 0;

	for (int i = 0; i < e->now->n; i++)
		numbers &= !(has_matter(&e->now->word[i]) && is_number(&e->now->word[i]));
	/* the last one first: what is said nearer comes behind the name */
	for (int left_out = e->was->n; left_out >= 0 && tried < REPLACED; left_out--)
	{
		if (left_out < e->was->n && !has_matter(&e->was->word[left_out]))
			continue;
		tried++;
		for (int cues = e->now_asks ? 0 : 1; cues < 2; cues++)
		{
			StringInfoData text;
			LarasQuestion *read;

			initStringInfo(&text);
			put_matter(&text, e, left_out, numbers);
			/* nothing of what was named is left */
			if (text.len == 0)
				continue;
			put_new(&text, e);
			if (cues > 0)
				put_cues(&text, e);
			if (!answers(e, &text, c))
				continue;
			read = read_text(text.data, text.len);
			if (is_all_of(e, read, c) && (count_matter(e->now) > 0 || stands_on_cited(e, c)))
				return true;
		}
	}
	return false;
}

/* What was asked before, of what the new question names: another place, another day. */
static bool
answer_the_same(const Exchange *e, LarasComposed *c)
{
	StringInfoData text;
	LarasWhen when;

	initStringInfo(&text);
	put_cues(&text, e);
	if (text.len == 0)
		return false;
	put_new(&text, e);
	if (!answers(e, &text, c))
		return false;
	if (!stands_on(c, "opening_hours"))
		return !stands_on(c, "catalog_item") && is_all_of(e, e->now, c);
	/* of a day, and of nothing else */
	laras_read_when(e->now, &when);
	for (int i = 0; i < e->now->n; i++)
		if (has_matter(&e->now->word[i]) && !when.read[i])
			return false;
	return true;
}

/* Is what the question alone gives no answer that goes out, where a person was not asked for? */
static bool
is_wanting(const LarasComposed *c)
{
	static const char *const others[] = {"complaint", "order_status", "human",
										 "off_scope", "thanks",       "greeting"};

	/* nothing was asked */
	if (c->text == NULL || c->namesakes)
		return false;
	for (int i = 0; i < lengthof(others); i++)
		if (strcmp(c->intent, others[i]) == 0)
			return false;
	return c->hand_over || c->asks || c->confidence < SURE;
}

bool
laras_compose_after(int64 workspace_id, const LarasAskedBefore *before, const char *question,
					size_t n, LarasComposed *composed)
{
	Exchange e = {.workspace_id = workspace_id, .before = before, .alone = composed};
	LarasFindings *found;
	LarasFound *item;
	LarasComposed c;
	bool several;
	bool named;

	if (before->n == 0 || before->n_cited == 0 || !is_wanting(composed))
		return false;
	e.was = read_text(before->text, before->n);
	e.now = read_text(question, n);
	for (int i = LARAS_INTENT_PRICE; i <= LARAS_INTENT_LOCATION; i++)
		e.now_asks |= e.now->weight[i] >= ASKS;
	named = count_matter(e.now) > 0;
	item = item_in_order(&e);
	if (item != NULL)
	{
		if (!answer_item(&e, item, &c))
			return false;
		*composed = c;
		return true;
	}
	if (!named && !e.now_asks)
		return false;
	found = laras_find_items(workspace_id, e.now);
	item = meant_item(&e, found, &several);
	if (item != NULL ? answer_about(&e, found, item, &c)
					 : !several && !(named && names_another(&e, found)) &&
						   ((named && answer_the_same(&e, &c)) || answer_instead(&e, &c)))
	{
		*composed = c;
		return true;
	}
	return false;
}
