/*
 * ground.c
 *		Does a text state only what the cited rows state?  See ground.h.
 *
 * Both sides are read alike into claims: numbers in one canonical way of
 * writing, phone numbers as their digits, links and addresses in lower case.
 * Every claim of the text must be among those of the facts.
 *
 * An hour with a word for its half of the day (9 pm, jam 9 malam) is the hour
 * of the whole day, 21; a text that says 9 alone may mean it.
 *
 * Of a separator followed by exactly three digits (25.000, 25,000) the
 * thousands reading is taken on both sides; a digit that is not ASCII has no
 * canonical form and so no ground.
 *
 * Numbers in words are read into the same claims (numerals.h).  A small one
 * ("satu", "two") is a claim where what stands beside it makes it one; of a
 * fact, always.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "answer/ground.h"
#include "answer/holdreason.h"
#include "answer/numerals.h"
#include "base/lower.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* digits of a number that is compared by value; longer ones by their spelling */
#define NUMBER_BYTES 48
#define PHONE_DIGITS 9

typedef enum ClaimKind
{
	CLAIM_NUMBER,
	CLAIM_FACE, /* of a fact: an hour as it is written, where a word tells which half of the day */
	CLAIM_PHONE,
	CLAIM_LINK
} ClaimKind;

typedef struct Claim
{
	ClaimKind kind;
	const char *value;
	const char *other;    /* what a word may mean as well, or NULL */
	const char *currency; /* of a number that is marked with one */
	bool of_half;         /* an hour with a word that tells which half of the day */
} Claim;

typedef struct Claims
{
	Claim *list;
	int n;
	int room;
} Claims;

static const struct
{
	const char *mark; /* lower case, as it stands before the number */
	const char *code;
} currencies[] = {
	{"rp", "IDR"},  {"idr", "IDR"},      {"us$", "USD"}, {"usd", "USD"}, {"s$", "SGD"},
	{"sgd", "SGD"}, {"rm", "MYR"},       {"myr", "MYR"}, {"eur", "EUR"}, {"\xe2\x82\xac", "EUR"},
	{"gbp", "GBP"}, {"\xc2\xa3", "GBP"}, {"jpy", "JPY"}, {"aud", "AUD"}, {"$", "USD"},
};

/* words behind a number; of several countries' dollars each may be meant */
#define ANY_DOLLAR "D"

static const struct
{
	const char *word;
	const char *code;
} currency_words[] = {
	{"rupiah", "IDR"}, {"perak", "IDR"},       {"idr", "IDR"},          {"ringgit", "MYR"},
	{"myr", "MYR"},    {"rm", "MYR"},          {"usd", "USD"},          {"sgd", "SGD"},
	{"aud", "AUD"},    {"dollar", ANY_DOLLAR}, {"dollars", ANY_DOLLAR}, {"dolar", ANY_DOLLAR},
	{"eur", "EUR"},    {"euro", "EUR"},        {"euros", "EUR"},        {"yen", "JPY"},
	{"jpy", "JPY"},    {"baht", "THB"},        {"yuan", "CNY"},         {"peso", "PHP"},
	{"pesos", "PHP"},  {"gbp", "GBP"},         {"bucks", "USD"},        {"rupee", "INR"},
	{"rupees", "INR"},
};

/* words behind an hour of twelve, and from which to which of them twelve are added */
static const struct
{
	const char *word;
	int from;
	int to;
} halves[] = {
	{"am", 0, 0},   {"a.m", 0, 0},   {"pm", 1, 11},  {"p.m", 1, 11},
	{"pagi", 0, 0}, {"siang", 1, 4}, {"sore", 1, 7}, {"malam", 6, 12},
};

/* the last part of a name that makes it a link without a scheme */
static const char *const domains[] = {
	"com",   "id",   "net",  "org", "info", "biz", "me",  "io",   "co",     "shop",
	"store", "link", "ly",   "gg",  "app",  "dev", "xyz", "site", "online", "web",
	"tv",    "to",   "page", "sg",  "my",   "au",  "uk",  "us",   "eu",     "asia",
};

static void
add_claim(Claims *claims, ClaimKind kind, const char *value, const char *currency)
{
	if (claims->n == claims->room)
	{
		claims->room = Max(16, claims->room * 2);
		claims->list = claims->list == NULL ? palloc(sizeof(Claim) * claims->room)
											: repalloc(claims->list, sizeof(Claim) * claims->room);
	}
	claims->list[claims->n++] = (Claim){.kind = kind, .value = value, .currency = currency};
}

/* ---- numbers */

/* Digits before and after the decimal mark, without zeros that say nothing. */
static char *
canonical(const char *whole, int whole_n, const char *part, int part_n)
{
	while (whole_n > 1 && *whole == '0')
	{
		whole++;
		whole_n--;
	}
	while (part_n > 0 && part[part_n - 1] == '0')
		part_n--;
	return part_n > 0 ? psprintf("%.*s.%.*s", whole_n, whole, part_n, part)
					  : psprintf("%.*s", whole_n, whole);
}

/*
 * The canonical form of n bytes of digits with . , and : between them.  Three
 * numbers or more in one token (a date, a version) stay as they are written.
 */
static char *
number_value(const char *s, int n)
{
	char digits[NUMBER_BYTES];
	int digit_n = 0;
	int marks = 0;
	int last = -1;      /* of the last mark */
	bool mixed = false; /* marks of two kinds */
	bool thousands = true;
	int group = 0;

	if (n >= NUMBER_BYTES)
		return pnstrdup(s, n);
	for (int i = 0; i < n; i++)
	{
		if (isdigit((unsigned char) s[i]))
		{
			digits[digit_n++] = s[i];
			group++;
			continue;
		}
		if (last >= 0 && s[i] != s[last])
			mixed = true;
		if (marks == 0 ? (group > 3 || s[0] == '0') : group != 3)
			thousands = false;
		if (s[i] == ':')
			thousands = false;
		marks++;
		last = i;
		group = 0;
	}
	if (marks == 0)
		return canonical(digits, digit_n, "", 0);
	if (group != 3)
		thousands = false;
	if (!mixed && thousands)
		return canonical(digits, digit_n, "", 0);
	if (marks == 1 || mixed)
	{
		int part = n - last - 1;

		return canonical(digits, digit_n - part, digits + digit_n - part, part);
	}
	{
		char *kept = pnstrdup(s, n);

		for (int i = 0; i < n; i++)
			if (!isdigit((unsigned char) kept[i]))
				kept[i] = '.';
		return kept;
	}
}

static const char *
currency_before(const char *low, int at)
{
	while (at > 0 && (low[at - 1] == ' ' || low[at - 1] == '.'))
		at--;
	for (int i = 0; i < lengthof(currencies); i++)
	{
		int n = strlen(currencies[i].mark);

		if (at < n || memcmp(low + at - n, currencies[i].mark, n) != 0)
			continue;
		if (at > n && isalpha((unsigned char) currencies[i].mark[0]) &&
			isalpha((unsigned char) low[at - n - 1]))
			continue;
		return currencies[i].code;
	}
	return NULL;
}

static const char *
currency_behind(const char *low, int at, int n)
{
	while (at < n && low[at] == ' ')
		at++;
	for (int i = 0; i < lengthof(currency_words); i++)
	{
		int m = strlen(currency_words[i].word);

		if (n - at >= m && memcmp(low + at, currency_words[i].word, m) == 0 &&
			(at + m == n || !isalnum((unsigned char) low[at + m])))
			return currency_words[i].code;
	}
	return NULL;
}

/*
 * An hour of twelve by the clock of a day ("9.30 pm" is 21.30), where a word
 * behind it tells; else NULL.
 */
static const char *
by_the_clock(const char *value, const char *low, int at, int n)
{
	int hour = (int) strtol(value, NULL, 10);
	const char *part = value + strcspn(value, ".");

	if (hour < 1 || hour > 12 || strlen(part) > 3)
		return NULL;
	while (at < n && low[at] == ' ')
		at++;
	for (int i = 0; i < lengthof(halves); i++)
	{
		int m = strlen(halves[i].word);

		if (n - at < m || memcmp(low + at, halves[i].word, m) != 0 ||
			(at + m < n && isalnum((unsigned char) low[at + m])))
			continue;
		if (hour >= halves[i].from && hour <= halves[i].to)
			hour += 12;
		/* midnight begins a day */
		else if (hour == 12 && halves[i].word[0] == 'a')
			hour = 0;
		return psprintf("%d%s", hour, part);
	}
	return NULL;
}

/* A number that ends before end, with what its currency and its half of the day make of it. */
static void
add_number(Claims *claims, const char *low, int n, int from, int end, const char *value)
{
	const char *hour = by_the_clock(value, low, end, n);
	const char *currency = currency_before(low, from);

	if (currency == NULL)
		currency = currency_behind(low, end, n);
	add_claim(claims, CLAIM_NUMBER, hour != NULL ? hour : value, currency);
	claims->list[claims->n - 1].of_half = hour != NULL;
	if (hour != NULL)
		add_claim(claims, CLAIM_FACE, value, NULL);
}

/* ---- phone numbers */

/*
 * A phone number at the start of s: +, 0 or 62 first, spaces, dashes and
 * parentheses between, nine digits or more.  Returns its length, 0 for none.
 */
static int
phone_at(const char *s, int n, char *digits)
{
	int digit_n = 0;
	int end = 0;

	if (!(s[0] == '+' || s[0] == '0' || (n > 1 && s[0] == '6' && s[1] == '2')))
		return 0;
	for (int i = 0; i < n; i++)
	{
		if (isdigit((unsigned char) s[i]))
		{
			if (digit_n == NUMBER_BYTES - 1)
				break;
			digits[digit_n++] = s[i];
			end = i + 1;
		}
		else if (!(i == 0 && s[i] == '+') && strchr(" -()", s[i]) == NULL)
			break;
		else if (i > 1 && s[i] == ' ' && s[i - 1] == ' ')
			break;
	}
	digits[digit_n] = '\0';
	if (digit_n < PHONE_DIGITS || (end < n && (s[end] == '.' || s[end] == ',') && end + 1 < n &&
								   isdigit((unsigned char) s[end + 1])))
		return 0;
	/* +62 812, 62 812 and 0812 are one number */
	if (strncmp(digits, "62", 2) == 0)
	{
		digits[1] = '0';
		memmove(digits, digits + 1, digit_n);
	}
	return end;
}

/* ---- links and addresses */

static bool
is_link(const char *word, int n)
{
	const char *end = word + n;
	const char *slash;
	const char *dot;
	char *host;

	if (n > 4 && strncmp(word, "www.", 4) == 0)
		return true;
	for (const char *p = word; p + 3 <= end; p++)
		if (memcmp(p, "://", 3) == 0)
			return true;
	if (memchr(word, '@', n) != NULL && memchr(word, '.', n) != NULL)
		return true;
	slash = memchr(word, '/', n);
	host = pnstrdup(word, slash != NULL ? slash - word : n);
	dot = strrchr(host, '.');
	if (dot == NULL || dot == host || !isalpha((unsigned char) host[strcspn(host, ".") + 1]))
		return false;
	for (int i = 0; i < lengthof(domains); i++)
		if (strcmp(dot + 1, domains[i]) == 0)
			return true;
	return false;
}

/* Takes the links out of the text, so that their digits are not read again. */
static void
read_links(Claims *claims, char *low, int n)
{
	for (int i = 0; i < n;)
	{
		int start;
		int end;

		while (i < n && isspace((unsigned char) low[i]))
			i++;
		start = i;
		while (i < n && !isspace((unsigned char) low[i]))
			i++;
		end = i;
		while (start < end && strchr("(\"'<[*_", low[start]) != NULL)
			start++;
		while (end > start && strchr(".,;:!?)\"'>]*_/", low[end - 1]) != NULL)
			end--;
		if (end - start < 4 || !is_link(low + start, end - start))
			continue;
		add_claim(claims, CLAIM_LINK, pnstrdup(low + start, end - start), NULL);
		memset(low + start, ' ', end - start);
	}
}

/* Is there a digit, a fraction or a roman number at s that is none of ASCII? */
static bool
foreign_digit(const char *s, int length)
{
	pg_wchar c;

	if (GetDatabaseEncoding() != PG_UTF8 || length < 2)
		return false;
	c = utf8_to_unicode((const unsigned char *) s);
	/* the blocks of decimal digits that keyboards and fonts bring */
	return (c >= 0x0660 && c <= 0x0669) || (c >= 0x06F0 && c <= 0x06F9) ||
		   (c >= 0x07C0 && c <= 0x07C9) || (c >= 0x0966 && c <= 0x096F) ||
		   (c >= 0x09E6 && c <= 0x09EF) || (c >= 0x0E50 && c <= 0x0E59) ||
		   (c >= 0x1040 && c <= 0x1049) || (c >= 0x17E0 && c <= 0x17E9) ||
		   (c >= 0xA9D0 && c <= 0xA9D9) || (c >= 0x1B50 && c <= 0x1B59) ||
		   (c >= 0xFF10 && c <= 0xFF19) || (c >= 0x2460 && c <= 0x249B) ||
		   (c >= 0x00B2 && c <= 0x00B3) || c == 0x00B9 || (c >= 0x2070 && c <= 0x2089) ||
		   (c >= 0x00BC && c <= 0x00BE) || (c >= 0x2150 && c <= 0x218B) ||
		   (c >= 0x24EA && c <= 0x24FF) || (c >= 0x2776 && c <= 0x2793) ||
		   (c >= 0x1D7CE && c <= 0x1D7FF);
}

/* A number in words where a word begins; how many bytes it has, 0: none. */
static int
read_words(Claims *claims, const char *low, int n, int at, bool of_fact)
{
	LarasNumeral numeral;
	int end;

	if (!laras_numeral_at(low + at, n - at, &numeral))
		return 0;
	end = at + (int) numeral.bytes;
	if (numeral.small && !of_fact && !laras_numeral_states(low, n, at, end))
		return end - at;
	add_number(claims, low, n, at, end, pstrdup(numeral.value));
	if (numeral.other[0] != '\0')
		for (int i = claims->n - 1; i >= 0 && claims->list[i].other == NULL; i--)
			if (claims->list[i].kind == CLAIM_NUMBER)
			{
				claims->list[i].other = pstrdup(numeral.other);
				break;
			}
	if (numeral.packs[0] != '\0')
		add_claim(claims, CLAIM_FACE, pstrdup(numeral.packs), NULL);
	return end - at;
}

/* A number in digits; how many bytes it has, with the words that multiply it. */
static int
read_digits(Claims *claims, const char *low, int n, int at)
{
	int end = at + 1;
	char *value;
	LarasNumeral times;

	while (end < n &&
		   (isdigit((unsigned char) low[end]) || (strchr(".,:", low[end]) != NULL && end + 1 < n &&
												  isdigit((unsigned char) low[end + 1]))))
		end++;
	value = number_value(low + at, end - at);
	if (laras_numeral_behind(value, low + end, n - end, &times))
	{
		end += (int) times.bytes;
		value = pstrdup(times.value);
		if (times.packs[0] != '\0')
			add_claim(claims, CLAIM_FACE, pstrdup(times.packs), NULL);
	}
	add_number(claims, low, n, at, end, value);
	return end - at;
}

static void
read_claims(Claims *claims, const char *text, size_t length, bool of_fact)
{
	char *low = laras_lower(text, length);
	int n = strlen(low);
	char digits[NUMBER_BYTES];
	bool within = false; /* a word */

	read_links(claims, low, n);
	for (int i = 0; i < n;)
	{
		int m = pg_mblen(low + i);
		int taken;

		if (m > 1 && foreign_digit(low + i, m))
		{
			add_claim(claims, CLAIM_NUMBER, pnstrdup(low + i, m), NULL);
			within = false;
		}
		else if (m > 1 || isalpha((unsigned char) low[i]))
		{
			taken = within ? 0 : read_words(claims, low, n, i, of_fact);
			m = taken > 0 ? taken : m;
			within = true;
		}
		else if (isdigit((unsigned char) low[i]) || low[i] == '+')
		{
			within = false;
			taken = phone_at(low + i, n - i, digits);
			if (taken > 0)
				add_claim(claims, CLAIM_PHONE, pstrdup(digits), NULL);
			else if (low[i] != '+')
				taken = read_digits(claims, low, n, i);
			m = Max(taken, 1);
			/* "5ribu" was read; of "5lusin2" a new number begins */
			within = taken > 0 && i + m < n && isalpha((unsigned char) low[i + m]);
		}
		else
			within = false;
		i += m;
	}
}

/* A link without what may be left out before it. */
static const char *
bare_link(const char *link)
{
	const char *scheme = strstr(link, "://");

	if (scheme != NULL)
		link = scheme + 3;
	return strncmp(link, "www.", 4) == 0 ? link + 4 : link;
}

/* Is the link the fact's, or the beginning of its path? A part of a name is another name. */
static bool
link_leads_to(const char *said, const char *known)
{
	size_t n;

	said = bare_link(said);
	known = bare_link(known);
	n = strlen(said);
	return strncmp(known, said, n) == 0 && (known[n] == '\0' || strchr("/?#", known[n]) != NULL);
}

static bool
same_currency(const char *said, const char *known)
{
	if (known == NULL)
		return false;
	if (strcmp(said, ANY_DOLLAR) == 0)
		return known[strlen(known) - 1] == 'D';
	return strcmp(said, known) == 0 || (strcmp(known, ANY_DOLLAR) == 0 && said[2] == 'D');
}

static bool
same_number(const Claim *said, const Claim *known)
{
	return strcmp(said->value, known->value) == 0 ||
		   (said->other != NULL && strcmp(said->other, known->value) == 0) ||
		   (known->other != NULL && strcmp(said->value, known->other) == 0);
}

/* What is called a price must be one; a number without a currency may be any. */
static bool
stands_in(const Claim *claim, const Claims *facts)
{
	for (int i = 0; i < facts->n; i++)
	{
		const Claim *fact = &facts->list[i];

		if (fact->kind != claim->kind &&
			(fact->kind != CLAIM_FACE || claim->kind != CLAIM_NUMBER || claim->of_half))
			continue;
		if (claim->kind == CLAIM_LINK)
		{
			if (link_leads_to(claim->value, fact->value))
				return true;
		}
		else if (same_number(claim, fact) &&
				 (claim->currency == NULL || same_currency(claim->currency, fact->currency)))
			return true;
	}
	return false;
}

int
laras_ground(const char *text, size_t n, const LarasFact *facts, int n_facts,
			 const char *reasons[LARAS_GROUND_REASONS])
{
	Claims stated = {0};
	Claims known = {0};
	int count = 0;

	read_claims(&stated, text, n, false);
	if (stated.n == 0)
		return 0;
	for (int i = 0; i < n_facts; i++)
	{
		read_claims(&known, facts[i].text, strlen(facts[i].text), true);
		if (facts[i].price != NULL)
			add_claim(&known, CLAIM_NUMBER, number_value(facts[i].price, strlen(facts[i].price)),
					  facts[i].currency);
		if (facts[i].stock != NULL)
			add_claim(&known, CLAIM_NUMBER, facts[i].stock, NULL);
	}
	for (int i = 0; i < stated.n; i++)
	{
		const Claim *claim = &stated.list[i];
		const char *reason;
		bool told = false;

		CHECK_FOR_INTERRUPTS();
		if (claim->kind == CLAIM_FACE || stands_in(claim, &known))
			continue;
		reason = claim->kind == CLAIM_LINK    ? LARAS_HOLD_UNGROUNDED_LINK
				 : claim->kind == CLAIM_PHONE ? LARAS_HOLD_UNGROUNDED_PHONE
				 : claim->currency != NULL    ? LARAS_HOLD_UNGROUNDED_PRICE
											  : LARAS_HOLD_UNGROUNDED_NUMBER;
		for (int r = 0; r < count; r++)
			told |= strcmp(reasons[r], reason) == 0;
		if (!told)
			reasons[count++] = reason;
	}
	return count;
}
