/*
 * clause.c
 *		Parts a question into clauses, and tells which of them ask; see clause.h.
 */
#include "postgres.h"

#include "answer/clause.h"

/* Does the word say that something opens or closes? */
bool
laras_word_opens(const LarasWord *word)
{
	static const char *const begins[] = {"buka", "tutup", "open", "clos", "libur", "operasi"};

	for (int i = 0; i < lengthof(begins); i++)
		if ((word->cues & LARAS_CUE(LARAS_INTENT_HOURS)) &&
			strncmp(word->text, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/*
 * The clauses of a question, at most max; one that names nothing of its own
 * ("halo kak", "brp ya") belongs to the one before, the first to the next.
 */
int
laras_find_clauses(const LarasQuestion *question, LarasClause *clause, int max)
{
	int n = 0;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];
		bool topic = false;

		if (n == 0 || (word->clause != question->word[i - 1].clause && n < max))
			clause[n++] = (LarasClause){.from = i, .joined = word->joined_clause};
		for (int k = LARAS_INTENT_HOURS + 1; k <= LARAS_INTENT_LOCATION; k++)
			topic |= (word->cues & LARAS_CUE(k)) != 0;
		/* "jam berapa?" asks of what was named before */
		topic |= laras_word_opens(word);
		clause[n - 1].to = i + 1;
		clause[n - 1].matter |= topic || (!word->filler && !word->aside && word->cues == 0);
	}
	for (int i = 0; i < n && n > 1;)
	{
		int with = i > 0 ? i - 1 : i;

		if (clause[i].matter)
		{
			i++;
			continue;
		}
		clause[with].to = clause[with + 1].to;
		clause[with].matter |= clause[with + 1].matter;
		memmove(&clause[with + 1], &clause[with + 2], sizeof(LarasClause) * (n - with - 2));
		n--;
		i = with;
		if (with == 0 && !clause[0].matter && n == 1)
			break;
	}
	return n;
}

/* Does the clause ask at all, or does it tell? */
bool
laras_clause_asks(const LarasQuestion *question, const LarasClause *clause)
{
	static const char *const words[] = {"apa",       "apakah",   "berapa",   "mana",   "kapan",
										"bagaimana", "siapa",    "kenapa",   "bisa",   "bisakah",
										"boleh",     "bolehkah", "dapatkah", "adakah", "ada",
										"what",      "how",      "when",     "where",  "which",
										"can",       "could",    "do",       "does",   "is",
										"are",       "any",      "will",     "ready",  "stok",
										"masih",     "habis",    "available"};
	for (int i = clause->from; i < clause->to; i++)
	{
		const LarasWord *word = &question->word[i];

		if (word->asked || (word->cues & LARAS_CUE(LARAS_INTENT_PRICE)))
			return true;
		for (int k = 0; k < lengthof(words); k++)
			if (strcmp(word->text, words[k]) == 0)
				return true;
	}
	return false;
}

/* Does the clause ask, though no cue says what about ("bisa digiling?")? */
bool
laras_asks_by_itself(const LarasQuestion *part)
{
	static const char *const asking[] = {"bisa",   "bisakah", "boleh", "bolehkah",
										 "apakah", "dapat",   "can",   "could"};
	static const char *const asking_first[] = {"do", "does", "is", "are"};
	bool first = true;

	for (int i = 0; i < part->n; i++)
	{
		for (int k = 0; k < lengthof(asking); k++)
			if (strcmp(part->word[i].text, asking[k]) == 0)
				return true;
		for (int k = 0; k < lengthof(asking_first) && first; k++)
			if (strcmp(part->word[i].text, asking_first[k]) == 0)
				return true;
		first &= part->word[i].nod;
	}
	return false;
}

/* Is nothing asked by any cue ("casing iphone 15")? */
bool
laras_says_name_alone(const LarasQuestion *question)
{
	for (int i = LARAS_INTENT_PRICE; i <= LARAS_INTENT_LOCATION; i++)
		if (question->weight[i] > 0)
			return false;
	return true;
}

/* Is it asked what there is of a kind ("sambal apa saja", "which tours")? */
bool
laras_wants_list(const LarasQuestion *question)
{
	for (int i = 0; i < question->n; i++)
	{
		const char *word = question->word[i].text;
		const char *next = i + 1 < question->n ? question->word[i + 1].text : "";

		if (strcmp(word, "which") == 0 || strcmp(word, "any") == 0 ||
			((strcmp(word, "apa") == 0 || strcmp(word, "mana") == 0) &&
			 (strcmp(next, "saja") == 0 || strcmp(next, "aja") == 0)))
			return true;
	}
	return false;
}
