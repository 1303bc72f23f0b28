/*
 * textlacks.c
 *		What a question asks that a policy or FAQ does not say, see lacks.h.
 */
#include "postgres.h"

#include "answer/asked.h"
#include "answer/choose.h"
#include "answer/clause.h"
#include "answer/lacks.h"
#include "base/lower.h"
#include "port/pg_bitutils.h"

/* So many ways to pay or to send are a list of all. */
#define SEVERAL 3

/* A place abroad, of which a rule for this country says nothing. */
static bool
says_abroad(const LarasAsked *a, const LarasFound *text)
{
	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];

		if (word->related != NULL && strncmp(word->related, "abroad ", 7) == 0 &&
			!laras_asked_has(a, text, i))
			return true;
	}
	return false;
}

/* Does a clause that has a word of the text ask anything? */
static bool
asks(const LarasAsked *a, const LarasFound *text)
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
		if (laras_clause_asks(a->question, &clause) && laras_names_in_clause(a, text, clause.from))
			return true;
	}
	return false;
}

/* An account's number, or to pay in parts, of which the text says nothing. */
static bool
asks_term(const LarasAsked *a, const LarasFound *text, int i)
{
	static const char *const number[] = {"no", "nomor", "nomer", "number"};
	static const char *const parts[] = {"cicil",    "angsur", "kredit",
										"paylater", "instal", "credit"};
	static const char *const before[] = {"dp", "deposit", "down", "muka"};
	static const struct
	{
		const char *const *told;
		int n;
	} terms[] = {{parts, lengthof(parts)}, {before, lengthof(before)}};
	const char *word = a->question->word[i].text;
	const char *low = laras_lower(text->body, strlen(text->body));

	if (i > 0 && strcmp(word, "rekening") == 0 &&
		LARAS_IS_ONE_OF(a->question->word[i - 1].text, number))
		return strpbrk(low, "0123456789") == NULL;
	for (int k = 0; k < lengthof(terms); k++)
	{
		bool asked = false;
		bool told = false;

		for (int m = 0; m < terms[k].n; m++)
		{
			asked |= strstr(word, terms[k].told[m]) != NULL &&
					 (k == 0 || strcmp(word, terms[k].told[m]) == 0);
			told |= strstr(low, terms[k].told[m]) != NULL;
		}
		if (asked && !told)
			return true;
	}
	return false;
}

/* A way to pay or a carrier that is asked for by its name, of which the text says nothing. */
static bool
asks_by_name(const LarasAsked *a, LarasIntent topic, const LarasFound *text)
{
	static const char *const ways[] = {"gopay",  "ovo",  "dana", "shopeepay",  "linkaja",
									   "paypal", "cod",  "visa", "mastercard", "amex",
									   "qris",   "wise", "cash", "tunai",      "transfer"};
	static const char *const carriers[] = {"gosend",   "grab",     "gojek", "grabexpress",
										   "jne",      "sicepat",  "pos",   "jnt",
										   "anteraja", "lalamove", "tiki",  "ninja"};
	const char *const *list = topic == LARAS_INTENT_DELIVERY ? carriers : ways;
	int n = topic == LARAS_INTENT_DELIVERY ? lengthof(carriers) : lengthof(ways);
	int listed = 0;

	if (topic != LARAS_INTENT_DELIVERY && topic != LARAS_INTENT_PAYMENT)
		return false;
	/* of several ways all are told */
	for (int i = 0; i < n; i++)
		listed += laras_tells_one_of(text->body, &list[i], 1);
	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];
		const char *bare = word->bare != NULL ? word->bare : word->text;

		if (listed < SEVERAL &&
			(laras_is_one_of(word->text, list, n) || laras_is_one_of(bare, list, n)) &&
			!laras_asked_has(a, text, i) && !laras_tells_one_of(text->body, &word->text, 1) &&
			!laras_tells_one_of(text->body, &bare, 1))
			return true;
		if (topic == LARAS_INTENT_PAYMENT && asks_term(a, text, i))
			return true;
	}
	return false;
}

/* Of the house that the text tells the address of another one is asked for. */
static bool
asks_other_branch(const LarasAsked *a, const LarasFound *text)
{
	static const char *const branches[] = {"cabang", "cabangnya", "branch", "branches"};
	static const char *const houses[] = {"toko",  "tokonya", "outlet", "outletnya", "gerai",
										 "kedai", "shop",    "store",  "salon",     "bengkel"};
	static const char *const others[] = {"lain", "lainnya", "selain", "other", "another"};
	static const char *const all[] = {"cabang", "branch", "branches", "outlet", "gerai"};

	for (int i = 0; i < a->question->n; i++)
	{
		const char *word = a->question->word[i].text;
		const char *next = i + 1 < a->question->n ? a->question->word[i + 1].text : "";
		const char *last = i > 0 ? a->question->word[i - 1].text : "";

		if (LARAS_IS_ONE_OF(word, branches) ||
			(LARAS_IS_ONE_OF(word, houses) &&
			 (LARAS_IS_ONE_OF(next, others) || LARAS_IS_ONE_OF(last, others))))
			return !laras_tells_one_of(text->body, all, lengthof(all)) &&
				   !laras_tells_one_of(text->heading, all, lengthof(all));
	}
	return false;
}

bool
laras_text_lacks(const LarasQuestion *question, const LarasFindings *texts, uint64 unknown,
				 const LarasFound *text)
{
	LarasAsked asked = laras_read_asked(question, texts);

	if (says_abroad(&asked, text) || asks_other_branch(&asked, text))
		return true;
	return !text->on_topic && pg_popcount64(text->matter) < 2 &&
		   (text->heading_coverage <= LARAS_RIVAL_COVERAGE || !asks(&asked, text)) &&
		   laras_says_unknown(&asked, unknown, text);
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
	static const char *const all[] = {"semua ",
									  "seluruh indonesia",
									  "seluruh nusantara",
									  "seluruh kota",
									  "seluruh daerah",
									  "seluruh wilayah",
									  "seluruh barang",
									  "seluruh produk",
									  "mana saja",
									  "manapun",
									  "mana pun",
									  "segala",
									  "luar kota",
									  "luar pulau",
									  "luar jawa",
									  "all ",
									  "any ",
									  "anywhere",
									  "every",
									  "nationwide"};
	const char *low = text->body == NULL ? "" : laras_lower(text->body, strlen(text->body));
	LarasAsked asked = laras_read_asked(question, texts);

	for (int i = 0; i < (int) lengthof(all); i++)
		if (strstr(low, all[i]) != NULL)
			return false;
	for (int i = 0; i < question->n; i++)
		if (laras_is_unknown(&asked, unknown, i))
			return true;
	return false;
}

bool
laras_text_not_of(const LarasQuestion *question, const LarasFindings *texts, LarasIntent topic,
				  const LarasFound *text)
{
	LarasAsked asked = laras_read_asked(question, texts);

	return asks_by_name(&asked, topic, text);
}
