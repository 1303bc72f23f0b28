/*
 * numerals.c
 *		Numbers written in words; see numerals.h.
 *
 * A number is read word by word, as it is said: digits and tens are gathered
 * below a hundred, hundreds below a thousand, and a scale (ribu, million) takes
 * all that was gathered. Words that are written together (limaribu) are taken
 * apart, and only where nothing is left over: enamel is no six.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "answer/numerals.h"

/* a lone word up to this counts as often as it states */
#define SMALL 12
/* letters of a longer word are no number */
#define LONGEST 40

typedef enum Kind
{
	DIGIT,
	TEEN,
	TENS,      /* takes a digit behind it */
	ADDS_TEN,  /* delapan belas */
	TIMES_TEN, /* delapan puluh */
	HUNDRED,
	ONE_HUNDRED,
	SCALE,
	ONE_SCALE,
	PACK,
	PART,
	WHOLE,
	MARKET,
	NOTHING
} Kind;

typedef struct Word
{
	const char *text;
	Kind kind;
	double value;
} Word;

static const Word words[] = {
#define NUMERAL(word, kind, value) {word, kind, value},
#include "answer/numerals.def"
#undef NUMERAL
};

/* What was read so far. */
typedef struct Reading
{
	double total;   /* of the scales */
	double hundred; /* below a thousand */
	double below;   /* below a hundred */
	double scale;   /* the last one; 0: none */
	Kind last;
	int n;        /* words */
	double packs; /* of which there are so many; 0: they are none */
} Reading;

static double
gathered(const Reading *r)
{
	return r->total + r->hundred + r->below;
}

static bool
add_digits(Reading *r, const Word *word)
{
	if (r->last == NOTHING || r->last == HUNDRED || r->last == ONE_HUNDRED || r->last == SCALE ||
		r->last == ONE_SCALE || (word->kind == DIGIT && (r->last == TENS || r->last == TIMES_TEN)))
	{
		r->below += word->value;
		return true;
	}
	return false;
}

/* Takes the word in; false where it does not go on with the number. */
static bool
take(Reading *r, const Word *word)
{
	bool ok = true;

	switch (word->kind)
	{
		case DIGIT:
		case TEEN:
		case TENS:
			ok = add_digits(r, word);
			break;
		case ADDS_TEN:
			ok = r->last == DIGIT;
			r->below += ok ? 10 : 0;
			break;
		case TIMES_TEN:
			ok = r->last == DIGIT && r->below < 10;
			r->below *= ok ? 10 : 1;
			break;
		case HUNDRED:
			/* a hundred; ratus alone is none ("ratusan", "per ratus") */
			ok = r->last == DIGIT || r->last == TEEN || r->last == TENS ||
				 (r->last == NOTHING && strcmp(word->text, "hundred") == 0);
			if (ok)
			{
				r->hundred += Max(r->below, 1) * word->value;
				r->below = 0;
			}
			break;
		case ONE_HUNDRED:
			ok = r->last == NOTHING || r->last == SCALE || r->last == ONE_SCALE;
			r->hundred += ok ? word->value : 0;
			break;
		case SCALE:
			ok = (r->last != NOTHING && r->last != WHOLE && r->last != MARKET && r->last != PACK &&
				  r->hundred + r->below > 0) ||
				 (r->last == NOTHING &&
				  (strcmp(word->text, "thousand") == 0 || strcmp(word->text, "million") == 0));
			if (ok)
			{
				double before = r->hundred + r->below;

				r->total += (before > 0 ? before : 1) * word->value;
				r->hundred = r->below = 0;
				r->scale = word->value;
			}
			break;
		case ONE_SCALE:
			ok = r->last == NOTHING || (r->last == SCALE && r->scale > word->value);
			r->total += ok ? word->value : 0;
			r->scale = ok ? word->value : r->scale;
			break;
		case PACK:
			ok = r->last != PACK && r->last != WHOLE && r->last != MARKET;
			if (ok)
			{
				double packs = gathered(r);

				r->packs = r->last == NOTHING ? 0 : packs;
				r->total = (r->last == NOTHING ? 1 : packs) * word->value;
				r->hundred = r->below = 0;
			}
			break;
		case PART:
			ok = r->last == NOTHING || r->last == DIGIT;
			r->below += ok ? word->value : 0;
			break;
		case WHOLE:
		case MARKET:
			ok = r->last == NOTHING;
			r->total = ok ? word->value : r->total;
			break;
		case NOTHING:
			break;
	}
	if (!ok)
		return false;
	r->last = word->kind;
	r->n++;
	return true;
}

/* The letters at s: a word's end. */
static size_t
letters(const char *s, size_t n)
{
	size_t end = 0;

	while (end < n && (isalnum((unsigned char) s[end]) || IS_HIGHBIT_SET(s[end])))
		end++;
	return end;
}

/* Blanks and a hyphen between words that belong together. */
static size_t
gap(const char *s, size_t n)
{
	size_t end = 0;

	while (end < n && s[end] == ' ')
		end++;
	if (end < n && s[end] == '-')
		end++;
	while (end < n && s[end] == ' ')
		end++;
	return end;
}

static bool
is_word(const char *s, size_t n, const char *word)
{
	/* the first letter tells most of them apart */
	return n > 0 && s[0] == word[0] && strlen(word) == n && memcmp(s, word, n) == 0;
}

/* Takes all of the n letters in, as one word or several written together. */
static bool
take_letters(Reading *r, const char *s, size_t n)
{
	Reading before = *r;

	for (int i = 0; i < lengthof(words); i++)
		if (is_word(s, n, words[i].text))
			return take(r, &words[i]);
	for (int i = 0; i < lengthof(words); i++)
	{
		size_t m;

		if (words[i].text[0] != s[0])
			continue;
		m = strlen(words[i].text);
		/* of two letters nobody writes one at the beginning of another */
		if (m < 3 || m >= n || memcmp(s, words[i].text, m) != 0)
			continue;
		if (take(r, &words[i]) && take_letters(r, s + m, n - m))
			return true;
		*r = before;
	}
	return false;
}

/* A roman number of the n letters at s, 0 where it is none. */
static int
roman(const char *s, size_t n)
{
	static const char signs[] = "ivxlcdm";
	static const int values[] = {1, 5, 10, 50, 100, 500, 1000};
	int sum = 0;
	int last = 0;

	for (size_t i = n; i > 0; i--)
	{
		const char *sign = strchr(signs, s[i - 1]);
		int value;

		if (s[i - 1] == '\0' || sign == NULL)
			return 0;
		value = values[sign - signs];
		sum += value < last ? -value : value;
		last = Max(last, value);
	}
	return sum;
}

static void
write_value(char out[LARAS_NUMERAL_BYTES], double value)
{
	size_t n = snprintf(out, LARAS_NUMERAL_BYTES, "%.2f", value);

	/* a number too long to be one is cut, and stands nowhere */
	n = Min(n, LARAS_NUMERAL_BYTES - 1);
	if (memchr(out, '.', n) == NULL)
		return;
	/* as digits are written in their canonical form */
	while (n > 0 && out[n - 1] == '0')
		n--;
	if (n > 0 && out[n - 1] == '.')
		n--;
	out[n] = '\0';
}

/* Words that go on behind those taken; where the number ends. */
static size_t
take_on(Reading *r, const char *s, size_t n, size_t at)
{
	for (;;)
	{
		size_t from = at + gap(s + at, n - at);
		size_t m = letters(s + from, n - from);
		Reading before = *r;

		if (m == 0 || from == at)
			return at;
		/* two hundred and five; one and a half million; half a million */
		if (is_word(s + from, m, "and") || is_word(s + from, m, "a"))
		{
			size_t next = from + m + gap(s + from + m, n - from - m);
			size_t k = letters(s + next, n - next);

			if (is_word(s + from, m, "and") && is_word(s + next, k, "a"))
			{
				next += k + gap(s + next + k, n - next - k);
				k = letters(s + next, n - next);
				if (!is_word(s + next, k, "half"))
					return at;
			}
			else if (is_word(s + from, m, "and") ? r->last != HUNDRED && r->last != SCALE
												 : r->last != PART)
				return at;
			from = next;
			m = k;
		}
		if (m == 0 || m > LONGEST || !take_letters(r, s + from, m))
		{
			*r = before;
			return at;
		}
		at = from + m;
	}
}

bool
laras_numeral_at(const char *s, size_t n, LarasNumeral *numeral)
{
	Reading r = {.last = NOTHING};
	size_t m = letters(s, n);
	size_t end = m;
	size_t next;
	bool clock = false;
	bool small;
	int sign;

	if (m == 0 || m > LONGEST || !isalpha((unsigned char) s[0]))
		return false;
	if (!take_letters(&r, s, m))
	{
		/* a roman number is read where thousands stand behind it */
		if (m > 6 || (sign = roman(s, m)) == 0)
			return false;
		r = (Reading){.below = sign, .last = TEEN, .n = 1};
		end = take_on(&r, s, n, m);
		if (r.scale == 0)
			return false;
	}
	else
	{
		next = m + gap(s + m, n - m);
		/* setengah delapan and half past seven are times */
		if (r.n == 1 && r.last == PART && r.below == 0.5)
		{
			Reading hour = {.last = NOTHING};
			size_t k = letters(s + next, n - next);
			bool past = is_word(s + next, k, "past");

			if (past)
			{
				next += k + gap(s + next + k, n - next - k);
				k = letters(s + next, n - next);
			}
			if (k > 0 && k <= LONGEST && next > m && take_letters(&hour, s + next, k) &&
				hour.n == 1 && (hour.last == DIGIT || hour.last == TEEN) && hour.below > 0 &&
				hour.below <= SMALL && take_on(&hour, s, n, next + k) == next + k)
			{
				double at = past ? hour.below : hour.below > 1 ? hour.below - 1 : SMALL;

				r.below = at + 0.3;
				end = next + k;
				clock = true;
			}
		}
		if (!clock)
			end = take_on(&r, s, n, m);
	}
	/* dua-duanya, satu-satu, sehari-hari */
	if (end == m && end < n && s[end] == '-' &&
		((n - end > m && memcmp(s + end + 1, s, Min(m, n - end - 1)) == 0) ||
		 (m > 2 && n - end > m - 2 && memcmp(s + end + 1, s + 2, m - 2) == 0)))
		return false;
	small = r.n == 1 && !clock && (r.last == DIGIT || r.last == TEEN) && gathered(&r) <= SMALL;
	*numeral = (LarasNumeral){.bytes = end, .small = small};
	write_value(numeral->value, gathered(&r));
	if (r.packs > 0)
		write_value(numeral->packs, r.packs);
	if (r.last == MARKET && gathered(&r) < 1000)
		write_value(numeral->other, gathered(&r) * 1000);
	else if (r.n == 1 && !clock && r.last == PART)
		/* a half is fifty of a hundred */
		write_value(numeral->other, gathered(&r) * 100);
	return true;
}

bool
laras_numeral_behind(const char *value, const char *s, size_t n, LarasNumeral *numeral)
{
	double number = strtod(value, NULL);
	size_t at = 0;

	*numeral = (LarasNumeral){.bytes = 0};
	for (;;)
	{
		size_t from = at;
		size_t m;
		const Word *found = NULL;

		while (from < n && s[from] == ' ')
			from++;
		m = letters(s + from, n - from);
		for (int i = 0; i < lengthof(words) && found == NULL; i++)
			if (is_word(s + from, m, words[i].text) &&
				(words[i].kind == TIMES_TEN || words[i].kind == HUNDRED || words[i].kind == SCALE ||
				 (words[i].kind == PACK && strncmp(words[i].text, "se", 2) != 0)))
				found = &words[i];
		if (m == 0 || found == NULL)
			break;
		if (found->kind == PACK)
			write_value(numeral->packs, number);
		number *= found->value;
		at = from + m;
	}
	if (at == 0)
		return false;
	numeral->bytes = at;
	write_value(numeral->value, number);
	return true;
}

/* ---- what a small number says */

/* before it: a price, what is left, a time, a share */
static const char *const stated_before[] = {
	"harga",  "harganya", "stok",    "stoknya", "stock",    "tinggal", "sisa",    "sisanya",
	"cuma",   "cuman",    "hanya",   "only",    "ada",      "jam",     "pukul",   "at",
	"until",  "till",     "sampai",  "diskon",  "potong",   "umur",    "usia",    "isi",
	"isinya", "min",      "minimal", "maks",    "maksimal", "minimum", "maximum", "have",
	"has",    "rp",       "lantai",  "nomor",   "are",      "is",      "costs",   "cost",
};

/* behind it: money, time, a share, a measure, an end of what there is */
static const char *const stated_behind[] = {
	"rupiah", "perak",   "ringgit", "dollar", "dollars", "dolar", "euro",   "euros",
	"persen", "percent", "menit",   "minute", "minutes", "jam",   "hour",   "hours",
	"hari",   "day",     "days",    "minggu", "week",    "weeks", "bulan",  "month",
	"months", "tahun",   "year",    "years",  "kali",    "times", "kilo",   "kg",
	"gram",   "gr",      "ons",     "liter",  "meter",   "cm",    "mm",     "ml",
	"left",   "aja",     "saja",    "doang",  "pcs",     "buah",  "biji",   "pieces",
	"in",     "lagi",    "pagi",    "siang",  "sore",    "malam", "am",     "pm",
	"lembar", "porsi",   "kotak",   "toples", "bungkus", "botol", "pasang", "oclock",
};

/* counted are the answers themselves */
static const char *const choices[] = {
	"pilihan", "varian",  "variant", "variants", "macam",    "jenis",   "ukuran", "warna",
	"rasa",    "options", "kinds",   "sizes",    "colours",  "colors",  "types",  "cara",
	"ways",    "produk",  "choices", "model",    "flavours", "flavors",
};

static bool
among(const char *const *list, int count, const char *s, size_t n)
{
	for (int i = 0; i < count; i++)
		if (is_word(s, n, list[i]))
			return true;
	return false;
}

bool
laras_numeral_states(const char *s, size_t n, size_t from, size_t to)
{
	size_t next = to + gap(s + to, n - to);
	size_t m = letters(s + next, n - next);
	size_t end = from;
	size_t begin;

	if (m > 0 && among(choices, lengthof(choices), s + next, m))
		return false;
	while (end > 0 && s[end - 1] == ' ')
		end--;
	begin = end;
	while (begin > 0 && isalnum((unsigned char) s[begin - 1]))
		begin--;
	/* one of them */
	if (is_word(s + begin, end - begin, "salah") || (m > 0 && is_word(s + next, m, "of")))
		return false;
	return (m > 0 && among(stated_behind, lengthof(stated_behind), s + next, m)) ||
		   (end > begin && among(stated_before, lengthof(stated_before), s + begin, end - begin));
}
