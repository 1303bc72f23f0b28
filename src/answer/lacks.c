/*
 * lacks.c
 *		What a question asks that a row does not say, see lacks.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/asked.h"
#include "answer/lacks.h"
#include "answer/lexicon.h"
#include "base/lower.h"
#include "port/pg_bitutils.h"

/* Letters of a word that names something, at least. */
#define LEAST_LETTERS 3

/* Does the clause of word i name the row before it? */
static bool
names_before(const LarasAsked *a, const LarasFound *row, int i)
{
	for (int k = 0; k < i; k++)
		if (a->question->word[k].clause == a->question->word[i].clause &&
			(row->named & a->bit[k]) != 0)
			return true;
	return false;
}

/* Is the row called by a number of these ("Tumpeng 20 Porsi")? */
static bool
is_named_by(const LarasFound *row, const char *unit)
{
	const char *low = laras_lower(row->heading, strlen(row->heading));
	const char *s = strstr(low, unit);

	return s != NULL && s - low >= 2 && s[-1] == ' ' && isdigit((unsigned char) s[-2]);
}

bool
laras_is_priced_by(const LarasFound *row)
{
	return row->attributes != NULL && (strstr(row->attributes, "satuan: ") != NULL ||
									   strstr(row->attributes, "unit: ") != NULL);
}

/*
 * A size that the row does not have ("yang 30 cm", "ukuran 44"), unless it lists
 * those that there are.
 */
static bool
says_other_size(const LarasAsked *a, const LarasFound *row)
{
	static const char *const before[] = {"ukuran", "size", "nomor", "nomer", "no"};
	static const char *const days[] = {"hari", "day", "days"};
	static const char *const listed[] = {"ukuran: ", "size: ", "sizes: "};

	if (laras_is_priced_by(row))
		return false;
	for (int i = 0; i < lengthof(listed); i++)
	{
		const char *sizes = row->attributes != NULL ? strstr(row->attributes, listed[i]) : NULL;

		if (sizes != NULL && memchr(sizes, ',', strcspn(sizes, ";")) != NULL)
			return false;
	}
	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];

		if (word->pieces && i + 1 < a->question->n && !laras_asked_has(a, row, i) &&
			is_named_by(row, a->question->word[i + 1].text))
			return true;
		if (!(a->bit[i] & a->items->numbers) || laras_asked_has(a, row, i) ||
			(i + 1 < a->question->n && LARAS_IS_ONE_OF(a->question->word[i + 1].text, days)))
			continue;
		if ((word->joined != NULL ||
			 (i > 0 && LARAS_IS_ONE_OF(a->question->word[i - 1].text, before))) &&
			laras_names_in_clause(a, row, i))
			return true;
	}
	return false;
}

/*
 * What is in it or on it, or which of its kinds ("ada kejunya ga", "warna navy"):
 * a word behind one that says so, which the row does not have.
 */
static bool
says_other_content(const LarasAsked *a, const LarasFound *row)
{
	static const char *const content[] = {"ada",      "pakai",  "pake",       "memakai",  "dengan",
										  "isi",      "isinya", "mengandung", "campur",   "rasa",
										  "topping",  "warna",  "motif",      "model",    "bahan",
										  "ukuran",   "with",   "contain",    "contains", "include",
										  "includes", "has",    "have",       "flavour",  "flavor",
										  "colour",   "color",  "size"};

	for (int i = 1; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];
		int before = i - 1;

		if (word->filler || word->aside || word->cues != 0 || word->counted || word->pieces ||
			strlen(word->text) < LEAST_LETTERS || laras_is_size(word) || laras_is_pack(word) ||
			laras_is_kin(a->question, i) || a->bit[i] == 0 || laras_asked_has(a, row, i))
			continue;
		while (before > 0 && a->question->word[before].filler &&
			   !LARAS_IS_ONE_OF(a->question->word[before].text, content))
			before--;
		if (a->question->word[before].clause == word->clause &&
			LARAS_IS_ONE_OF(a->question->word[before].text, content) &&
			names_before(a, row, before))
			return true;
	}
	return false;
}

static const char *const colours[] = {"hitam",  "putih",   "merah",   "biru",  "hijau",  "kuning",
									  "coklat", "cokelat", "abu",     "krem",  "ungu",   "jingga",
									  "oranye", "orange",  "emas",    "gold",  "perak",  "silver",
									  "pink",   "navy",    "maroon",  "tosca", "toska",  "army",
									  "lilac",  "salem",   "mustard", "khaki", "beige",  "black",
									  "white",  "red",     "blue",    "green", "yellow", "brown",
									  "grey",   "gray",    "purple",  "cream"};

bool
laras_is_colour(const LarasWord *word)
{
	return LARAS_IS_ONE_OF(word->text, colours);
}

/* A colour or a size of clothes that the row has not ("jaket hitam"). */
static bool
says_other_variant(const LarasAsked *a, const LarasFound *row)
{
	static const char *const clothes[] = {"xs", "xl", "xxl", "xxxl", "2xl", "3xl", "4xl", "jumbo"};
	static const char *const letters[] = {"s", "m", "l"};
	static const char *const before[] = {"ukuran", "size"};

	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];

		if (laras_asked_has(a, row, i) || !laras_names_in_clause(a, row, i) ||
			laras_is_other_choice(a, row, i))
			continue;
		if (LARAS_IS_ONE_OF(word->text, colours) || LARAS_IS_ONE_OF(word->text, clothes) ||
			(i > 0 && LARAS_IS_ONE_OF(word->text, letters) &&
			 LARAS_IS_ONE_OF(a->question->word[i - 1].text, before)))
			return true;
	}
	return false;
}

static bool
tells_colour(const LarasFound *row)
{
	static const char *const told[] = {"warna", "colour", "color", "colours", "colors"};
	const char *const part[] = {row->heading, row->attributes, row->body};

	for (int i = 0; i < lengthof(part); i++)
		if (laras_tells_one_of(part[i], colours, lengthof(colours)) ||
			laras_tells_one_of(part[i], told, lengthof(told)))
			return true;
	return false;
}

/*
 * Which colours, or how big, long or heavy it is ("warna apa aja", "berat brp"), of
 * which the row says nothing.
 */
static bool
asks_aspect(const LarasAsked *a, const LarasFound *row)
{
	static const struct
	{
		const char *asked;
		const char *told; /* where NULL: a colour */
	} aspects[] = {
		{" warna warnanya colour color colours colors ", NULL},
		{" ukuran ukurannya size sizes ",
		 " ukuran size sizes cm mm m meter inch inci ml liter l gram gr g kg kilo s xl xs feet ft besar "
		 "kecil sedang large small medium jumbo mini porsi orang tinggi lebar panjang diameter gb mah "
		 "kamar slice isi "},
		{" tinggi tingginya lebar lebarnya panjang panjangnya diameter diameternya tall wide ",
		 " cm mm meter inch inci feet ft tinggi lebar panjang diameter height width length "},
		{" berat beratnya weight weigh ", " g gr gram kg kilo kilogram ons ton berat weight "}};
	static const char *const asking[] = {"apa", "berapa", "what", "which", "mana", "how"};
	bool asks = false;

	for (int i = 0; i < a->question->n; i++)
		asks |= LARAS_IS_ONE_OF(a->question->word[i].text, asking);
	for (int i = 0; i < a->question->n && asks; i++)
		for (int k = 0; k < lengthof(aspects); k++)
		{
			const char *word = psprintf(" %s ", a->question->word[i].text);

			if (strstr(aspects[k].asked, word) == NULL || laras_asked_has(a, row, i))
				continue;
			if (aspects[k].told == NULL
					? !tells_colour(row)
					: !laras_tells_family(row->heading, aspects[k].told) &&
						  !laras_tells_family(row->attributes, aspects[k].told) &&
						  !laras_tells_family(row->body, aspects[k].told))
				return true;
		}
	return false;
}

/* "Snack Box C" where there are A and B. */
static bool
says_other_letter(const LarasAsked *a, const LarasFound *row)
{
	size_t n = strlen(row->heading);

	if (n < 2 || row->heading[n - 2] != ' ' || !isalpha((unsigned char) row->heading[n - 1]))
		return false;
	for (int i = 1; i < a->question->n; i++)
		if (strlen(a->question->word[i].text) == 1 && !a->question->word[i].filler &&
			isalpha((unsigned char) a->question->word[i].text[0]) && !laras_asked_has(a, row, i) &&
			laras_asked_has(a, row, i - 1))
			return true;
	return false;
}

/* "bukan pandan", "selain pandan": what the row has is not wanted. */
static bool
is_denied(const LarasAsked *a, const LarasFound *row)
{
	static const char *const denying[] = {"bukan", "selain", "kecuali", "except", "jangan"};

	for (int i = 0; i + 1 < a->question->n; i++)
	{
		int next = i + 1;

		if (!LARAS_IS_ONE_OF(a->question->word[i].text, denying))
			continue;
		while (next + 1 < a->question->n && a->question->word[next].filler)
			next++;
		if (a->question->word[next].clause == a->question->word[i].clause &&
			laras_asked_has(a, row, next))
			return true;
	}
	return false;
}

/* How long it keeps or lasts, or takes. */
static bool
asks_duration(const LarasQuestion *question)
{
	static const char *const keeps[] = {"tahan", "bertahan", "awet", "kuat",
										"last",  "lasts",    "keep", "keeps"};
	static const char *const spans[] = {"lama",   "hari",    "minggu",   "bulan",   "tahun",
										"jam",    "menit",   "seminggu", "sebulan", "setahun",
										"sehari", "semalam", "long",     "day",     "days",
										"week",   "weeks",   "month",    "months",  "year",
										"years",  "hour",    "hours"};
	bool kept = false;
	bool span = false;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];
		const char *bare = word->bare != NULL ? word->bare : word->text;

		kept |= LARAS_IS_ONE_OF(word->text, keeps) || LARAS_IS_ONE_OF(bare, keeps);
		span |= LARAS_IS_ONE_OF(word->text, spans) || LARAS_IS_ONE_OF(bare, spans);
	}
	return kept && span;
}

/* Does the text tell a span of time: a number and its unit? */
static bool
tells_duration(const char *text)
{
	static const char *const spans[] = {"hari",  "minggu", "bulan", "tahun", "jam",
										"menit", "malam",  "day",   "week",  "month",
										"year",  "hour",   "minute"};
	const char *low;

	if (text == NULL)
		return false;
	low = laras_lower(text, strlen(text));
	for (const char *s = low; *s != '\0'; s++)
	{
		const char *unit;

		if (!isdigit((unsigned char) *s) || isdigit((unsigned char) s[1]))
			continue;
		unit = s + 1 + strspn(s + 1, " -");
		for (int i = 0; i < lengthof(spans); i++)
			if (strncmp(unit, spans[i], strlen(spans[i])) == 0)
				return true;
	}
	return false;
}

/*
 * How many of a unit are asked for ("berapa menit", "berapa kali"), of which kind
 * the row tells nothing.
 */
static bool
asks_unit(const LarasAsked *a, const LarasFound *row)
{
	static const char *const families[] = {
		" menit jam hari minggu bulan tahun malam detik day days week weeks month months year years hour "
		"hours minute minutes night nights lama ",
		" km kilometer ",
		" kali x times ",
		" psi ",
		" sendok sdm sdt ",
		" orang porsi pax people persons person guests tamu kepala serving servings ",
		" cm m mm meter inch inci feet ft ",
		" watt w ",
		" volt v ",
		" lapis ",
		" sesi ",
		" derajat ",
		" kg kilo kilogram g gr gram ons ton ",
		" ml liter ltr l cc "};

	/* how long it takes to be sent is told elsewhere */
	if (a->question->weight[LARAS_INTENT_DELIVERY] >= LARAS_WEIGHT_DECIDES)
		return false;
	for (int i = 0; i + 1 < a->question->n; i++)
	{
		const char *unit = a->question->word[i + 1].text;
		char wanted[LARAS_WORD_BYTES + 2];

		if (strcmp(a->question->word[i].text, "berapa") != 0 &&
			strcmp(a->question->word[i].text, "many") != 0)
			continue;
		snprintf(wanted, sizeof(wanted), " %s ", unit);
		for (int k = 0; k < lengthof(families); k++)
			if (strstr(families[k], wanted) != NULL)
				return !laras_tells_family(row->heading, families[k]) &&
					   !laras_tells_family(row->body, families[k]) &&
					   !laras_tells_family(row->attributes, families[k]);
	}
	return false;
}

/* What is asked by the name of a matter that no row is without, if it is told at all. */
static bool
asks_matter(const LarasAsked *a, const LarasFound *row)
{
	static const char *const matters[] = {"merek", "merk", "brand"};

	for (int i = 0; i < a->question->n; i++)
	{
		const LarasWord *word = &a->question->word[i];
		const char *bare = word->bare != NULL ? word->bare : word->text;

		if ((LARAS_IS_ONE_OF(word->text, matters) || LARAS_IS_ONE_OF(bare, matters)) &&
			!laras_asked_has(a, row, i))
			return true;
	}
	return false;
}

bool
laras_row_lacks(const LarasQuestion *question, const LarasFindings *items, uint64 unknown,
				const LarasFound *row)
{
	static const char keeping[] =
		" tahan bertahan awet simpan disimpan kuat kulkas freezer suhu masa expired exp kedaluwarsa kadaluarsa "
		"last lasts keep keeps shelf fresh baterai battery ";
	LarasAsked asked = laras_read_asked(question, items);

	if (asks_duration(question) &&
		((!tells_duration(row->body) && !tells_duration(row->attributes)) ||
		 (!laras_tells_family(row->body, keeping) &&
		  !laras_tells_family(row->attributes, keeping))))
		return true;
	return laras_says_unknown(&asked, unknown, row) || says_other_size(&asked, row) ||
		   says_other_content(&asked, row) || says_other_letter(&asked, row) ||
		   is_denied(&asked, row) || asks_matter(&asked, row) || says_other_variant(&asked, row) ||
		   asks_aspect(&asked, row) || asks_unit(&asked, row);
}

bool
laras_row_has_no_such_size(const LarasQuestion *question, const LarasFindings *items,
						   const LarasFound *row)
{
	static const char *const comparing[] = {"paling", "lebih", "most", "more", "ter"};
	LarasAsked asked = laras_read_asked(question, items);

	for (int i = 0; i < question->n; i++)
		if (laras_is_size(&question->word[i]) && !laras_asked_has(&asked, row, i) &&
			laras_names_in_clause(&asked, row, i) &&
			!(i > 0 && LARAS_IS_ONE_OF(question->word[i - 1].text, comparing)))
			return true;
	return false;
}

bool
laras_row_prices_variants(const LarasFound *row)
{
	static const char *const thousands[] = {"rb", "ribu", "k"};
	const char *low;

	if (row->listed == 0 || row->attributes == NULL)
		return false;
	low = laras_lower(row->attributes, strlen(row->attributes));
	if (strstr(low, "rp") != NULL || strstr(low, "harga") != NULL || strstr(low, "price") != NULL ||
		strstr(low, "usd") != NULL || strchr(low, '+') != NULL)
		return true;
	for (const char *s = low; *s != '\0'; s++)
	{
		const char *unit;

		if (!isdigit((unsigned char) *s) || (s > low && isdigit((unsigned char) s[-1])))
			continue;
		unit = s + strspn(s, "0123456789");
		/* "20rb", "175 ribu", "66000", "66.000" */
		if ((unit - s >= 5 && unit - s <= 7) ||
			(*unit == '.' && strspn(unit + 1, "0123456789") == 3))
			return true;
		unit += *unit == ' ';
		for (int i = 0; i < lengthof(thousands); i++)
			if (strncmp(unit, thousands[i], strlen(thousands[i])) == 0 &&
				!isalpha((unsigned char) unit[strlen(thousands[i])]))
				return true;
	}
	return false;
}
