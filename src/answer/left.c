/*
 * left.c
 *		What an answer leaves aside, see left.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/lacks.h"
#include "answer/left.h"
#include "base/lower.h"

/* Words of a clause that asks by being there ("ongkir Depok"), at most. */
#define SHORT_CLAUSE 4

/* Is a word of the question one that the answer's rows have, or that told their topic? */
bool
laras_is_covered(const void *context, const LarasWord *word)
{
	const LarasLeft *left = context;

	if (laras_intent_is_topic(left->said->intent) && (word->cues & LARAS_CUE(left->said->intent)))
		return true;
	for (int i = 0; i < left->looked->words; i++)
		if (strcmp(left->looked->word[i]->text, word->text) == 0)
			return (left->said->covered & (UINT64CONST(1) << i)) != 0;
	return false;
}

/* Is the word one of a list in blanks? */
static bool
stands_in(const char *list, const char *word)
{
	return word != NULL && word[0] != '\0' && strstr(list, psprintf(" %s ", word)) != NULL;
}

/* Is something asked for sale that the heading of the text does not name? */
bool
laras_asks_to_buy_other(const LarasQuestion *question, const LarasFindings *texts,
						const LarasFound *text)
{
	static const char selling[] = " jual jualan menjual jualin punya sell stock ";

	if (question->weight[LARAS_INTENT_STOCK] < LARAS_WEIGHT_HINTS)
		return false;
	for (int i = 0; i < question->n; i++)
	{
		int goods = i + 1;

		if (!stands_in(selling, question->word[i].text))
			continue;
		while (goods < question->n && question->word[goods].filler)
			goods++;
		for (int k = 0; k < texts->words && goods < question->n; k++)
			if (strcmp(texts->word[k]->text, question->word[goods].text) == 0)
				return (text->named & (UINT64CONST(1) << k)) == 0;
	}
	return (text->named & text->matter) == 0;
}

/* Does no row have the word? */
static bool
is_unknown(const LarasLeft *left, const LarasWord *word)
{
	for (int i = 0; i < left->looked->words; i++)
		if (strcmp(left->looked->word[i]->text, word->text) == 0)
			return (left->looked->unknown & (UINT64CONST(1) << i)) != 0;
	return true;
}

static bool
is_aside(const LarasLeft *left, const LarasWord *word)
{
	for (int i = 0; i < left->looked->words; i++)
		if (strcmp(left->looked->word[i]->text, word->text) == 0)
			return (left->looked->asides & (UINT64CONST(1) << i)) != 0;
	return word->aside;
}

/*
 * Does a clause say anything to answer?  A story does not ("saya di Cibubur"): it
 * has no word that any row has, and asks nothing.
 */
static bool
says_something(const LarasLeft *left, const LarasClause *clause)
{
	bool asked = laras_clause_asks(left->said->question, clause);
	bool told = false; /* a topic */
	bool known = false;
	bool matter = false;

	for (int i = clause->from; i < clause->to; i++)
	{
		const LarasWord *word = &left->said->question->word[i];

		told |= laras_word_opens(word);
		for (int k = LARAS_INTENT_HOURS + 1; k <= LARAS_INTENT_LOCATION; k++)
			told |= (word->cues & LARAS_CUE(k)) != 0;
		if (word->filler || is_aside(left, word) || word->counted || word->pieces ||
			word->cues != 0)
			continue;
		known |= !is_unknown(left, word);
		matter = true;
	}
	if (told)
		return asked || clause->joined || clause->to - clause->from <= SHORT_CLAUSE;
	return (known && (clause->joined || !laras_intent_is_topic(left->said->intent))) ||
		   (matter && asked);
}

/*
 * Does a clause speak to the one who writes for the shop, or of other people ("kamu
 * aja ya", "siapa saja")? That is no story.
 */
static bool
speaks_of_persons(const LarasLeft *left, const LarasClause *clause)
{
	static const char said[] = " kamu kau lu lo elu loe elo kowe maneh siapa who whose dia beliau ";

	for (int i = clause->from; i < clause->to; i++)
		if (stands_in(said, left->said->question->word[i].text))
			return true;
	return false;
}

/* Does it tell them what to do ("tulis ulang")? */
static bool
commands(const LarasLeft *left, const LarasClause *clause)
{
	static const char said[] =
		" jawab jawablah tulis tuliskan ketik sebutin sebutkan sebut panggil "
		"cetak ulangi ulang bacakan ceritain ceritakan jelasin jelaskan terangkan buatkan buatin bikinin "
		"bikinkan kasih kasihin turuti ikuti abaikan anggap pura hitungin hitungkan terjemahin terjemahkan "
		"nyanyiin temani write tell print repeat ignore pretend explain translate act answer say call "
		"give describe summarize list show reveal treat follow ";

	for (int i = clause->from; i < clause->to; i++)
		if (stands_in(said, left->said->question->word[i].text))
			return true;
	return false;
}

static bool
is_number(const char *word)
{
	return strspn(word, "0123456789") == strlen(word);
}

/*
 * Does the answer leave a clause of the question aside: one that names something
 * of which the rows have no word, or one of two things that are joined, where
 * one row is all that was found?
 */
LarasLeftBy
laras_leaves(const LarasLeft *left)
{
	LarasClause clause[LARAS_CLAUSES];
	int n = laras_find_clauses(left->said->question, clause, LARAS_CLAUSES);
	LarasLeftBy most = LARAS_LEAVES_NOTHING;

	for (int i = 0; i < n && n > 1; i++)
	{
		bool persons = speaks_of_persons(left, &clause[i]);
		bool orders = commands(left, &clause[i]);
		bool says = says_something(left, &clause[i]);
		bool covered = !says && !orders && !persons;
		bool known = false;
		int matter = 0;

		for (int k = clause[i].from; k < clause[i].to; k++)
		{
			const LarasWord *word = &left->said->question->word[k];

			/* of who asks after people no word of daily life in a row is an answer */
			covered |= !word->filler && !(persons && word->aside) && laras_is_covered(left, word);
			known |= !word->filler && word->cues == 0 && !is_unknown(left, word);
			for (int m = LARAS_INTENT_PRICE; m <= LARAS_INTENT_LOCATION; m++)
				known |= (word->cues & LARAS_CUE(m)) != 0 && m != LARAS_INTENT_PRODUCT;
			matter +=
				!word->filler && (orders || (!is_aside(left, word) && !is_number(word->text)));
		}
		if (!covered && (persons || (!known && matter > 1)))
			return LARAS_LEAVES_STRANGE;
		/* "terus" goes on about the same */
		if (!covered || (clause[i].joined && says && left->said->n_sources == 1 &&
						 strcmp(left->said->question->word[clause[i].from].text, "terus") != 0))
			most = LARAS_LEAVES_SOMETHING;
	}
	return most;
}

/* Has the text, in lower case, one of a list in blanks? */
static bool
has_one_of(const char *text, const char *list)
{
	for (const char *word = list + 1; *word != '\0';)
	{
		size_t n = strcspn(word, " ");

		for (const char *s = text; (s = strstr(s, pnstrdup(word, n))) != NULL; s++)
			if ((s == text || !isalpha((unsigned char) s[-1])) && !isalpha((unsigned char) s[n]))
				return true;
		word += n + 1;
	}
	return false;
}

/*
 * What must not be passed over: how many there have to be, what is cheaper, what
 * goods are certified to be. A row that does not say it would seem to.
 */
bool
laras_passes_over(const LarasLeft *left)
{
	/* what asks for it, and what else tells it */
	static const struct
	{
		const char *asked;
		const char *told;
	} must[] = {{" minimal minimum ", " minimal minimum mulai least "},
				{" diskon didiskon promo promosi discount discounts ",
				 " diskon potongan promo discount hemat khusus percent persen "},
				{" gratis free ", " gratis free bebas termasuk included complimentary "},
				{" pasang pasangnya dipasang pemasangan pasangin memasang ",
				 " pasang dipasang pemasangan memasang bongkar "},
				{" online ", " online zoom "},
				{" halal ", " halal "},
				{" bpom ", " bpom "},
				{" sni ", " sni "},
				{" original ori orisinil asli kw palsu authentic genuine ",
				 " original asli resmi authentic genuine "},
				{" sertifikat bersertifikat certified certificate ",
				 " sertifikat bersertifikat certified certificate certification "},
				{" bekas second preloved ", " bekas second preloved "},
				{" waterproof ", " waterproof air water "},
				{" cashback ", " cashback "},
				{" voucher ", " voucher "},
				{" grosir wholesale ", " grosir partai wholesale potongan "},
				{" reseller dropship ", " reseller dropship "},
				{" vegan vegetarian ", " vegan vegetarian "},
				{" organik organic ", " organik organic "}};
	static const char lending[] = " sewa nyewa rent hire ";
	const char *text = laras_lower(left->said->text.data, left->said->text.len);

	for (int i = 0; i < left->said->question->n; i++)
	{
		const LarasWord *word = &left->said->question->word[i];

		if (laras_is_colour(word) && !laras_is_covered(left, word))
			return true;
		/* a house that lends says so somewhere */
		if (stands_in(lending, word->root != NULL ? word->root : word->text) &&
			is_unknown(left, word))
			return true;
		for (int k = 0; k < lengthof(must); k++)
			if ((stands_in(must[k].asked, word->text) || stands_in(must[k].asked, word->bare) ||
				 stands_in(must[k].asked, word->written)) &&
				!laras_is_covered(left, word) && !has_one_of(text, must[k].told))
				return true;
	}
	return false;
}

/* Does a word that no cue told stand in no row of the answer, but above a rule of the business? */
bool
laras_points_elsewhere(const LarasLeft *left)
{
	for (int i = 0; i < left->looked->words; i++)
		if (left->looked->word[i]->cues == 0 && !left->looked->word[i]->aside &&
			(left->looked->elsewhere & ~left->said->covered & (UINT64CONST(1) << i)))
			return true;
	return false;
}
