/*
 * outside.c
 *		What is no business of a shop's, see outside.h and outside.def.
 *
 * Words are known with the affixes of both languages: "buatkan", "dibuatin",
 * "membuatkan" are "buat", "translating" is "translate".  The kinds of a text's
 * words are worked out once, then every rule looks for its kinds; there is no
 * state but the table of words, which is built once a process.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/clause.h"
#include "answer/lexicon.h"
#include "answer/outside.h"
#include "answer/root.h"
#include "answer/spelling.h"
#include "base/lower.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* What decides whatever else is asked, as intent.c weighs it. */
#define REFUSES 9
/* Kinds that a rule names, at most. */
#define TOKENS 4
#define KINDS 320
#define NAME_BYTES 16
/* Entries of several words, at most. */
#define PHRASES 64
#define PHONE_DIGITS 9
/* Words behind a number in which a yes is asked for it. */
#define YES_BEHIND 3

/* A set of kinds. */
typedef struct Kinds
{
	uint64 bits[KINDS / 64];
} Kinds;

typedef struct WordList
{
	const char *kind;
	const char *words;
} WordList;

typedef struct RuleLine
{
	LarasIntent intent;
	bool ordered;
	int gap; /* words between two of its kinds, at most */
	const char *kinds;
} RuleLine;

static const WordList word_lists[] = {
#define KIND(kind, words) {kind, words},
#define THEN(intent, gap, kinds)
#define NEAR(intent, gap, kinds)
#define PLAIN(phrase)
#include "answer/outside.def"
};

static const RuleLine rule_lines[] = {
#define KIND(kind, words)
#define THEN(intent, gap, kinds) {LARAS_INTENT_##intent, true, gap, kinds},
#define NEAR(intent, gap, kinds) {LARAS_INTENT_##intent, false, gap, kinds},
#define PLAIN(phrase)
#include "answer/outside.def"
};

static const char *const plain_phrases[] = {
#define KIND(kind, words)
#define THEN(intent, gap, kinds)
#define NEAR(intent, gap, kinds)
#define PLAIN(phrase) phrase,
#include "answer/outside.def"
};

/* Kinds that are worked out instead of listed. */
#define NAME_KIND "a-name"     /* a word that neither the lexicon nor a list knows */
#define NUMBER_KIND "a-number" /* a number */
#define PHONE_KIND "a-phone"   /* as long as a telephone number */
#define OUTSIDE_KIND "outside" /* of another field: an answer must have it */
#define ASIDE_KIND "aside"     /* so, and one that people mention by the way */
#define ASKS_KIND "asks"
#define ASKS_FIRST_KIND "asks-first" /* at the beginning of a clause */
#define ASKS_LAST_KIND "asks-last"   /* at its end */
#define CLAIM_KIND "claims"          /* holds somebody to a sum */
#define YES_KIND "yes"               /* so, behind a number */
#define RANGE_KIND "range"           /* tells what may be spent, or about how much */

typedef struct KnownWord
{
	char word[LARAS_WORD_BYTES]; /* the key */
	Kinds exact;                 /* kinds of the word as it stands */
	Kinds root;                  /* kinds that it has with affixes, too */
} KnownWord;

typedef struct Rule
{
	LarasIntent intent;
	bool ordered;
	int gap;
	int n;
	Kinds kind[TOKENS];
} Rule;

static HTAB *known_words = NULL;
static Rule rules[lengthof(rule_lines)];
static char names[KINDS][NAME_BYTES];
static int named = 0;

static void
join(Kinds *kinds, Kinds more)
{
	for (int i = 0; i < lengthof(kinds->bits); i++)
		kinds->bits[i] |= more.bits[i];
}

static bool
share(const Kinds *one, const Kinds *other)
{
	for (int i = 0; i < lengthof(one->bits); i++)
		if (one->bits[i] & other->bits[i])
			return true;
	return false;
}

/* The n bytes of a kind's name as a set of it alone; each has a bit from when it is first named. */
static Kinds
kind_of(const char *name, size_t n)
{
	Kinds found = {0};
	int i = 0;

	while (i < named && !(strlen(names[i]) == n && memcmp(names[i], name, n) == 0))
		i++;
	if (i == KINDS || n >= NAME_BYTES)
		elog(ERROR, "laras: a kind of words too many, or of too long a name");
	if (i == named)
		strlcpy(names[named++], pnstrdup(name, n), NAME_BYTES);
	found.bits[i / 64] = UINT64CONST(1) << (i % 64);
	return found;
}

/* "a|b" */
static Kinds
kinds_named(const char *list, size_t n)
{
	Kinds found = {0};
	const char *end = list + n;

	while (list < end)
	{
		const char *bar = memchr(list, '|', end - list);

		join(&found, kind_of(list, (bar != NULL ? bar : end) - list));
		list = bar != NULL ? bar + 1 : end;
	}
	return found;
}

/* Which three letters words of the lists begin with: most forms of a word are none of them. */
static uint64 beginnings[512];

static uint32
beginning(const char *word)
{
	uint32 hash = 0;

	for (int i = 0; i < 3 && word[i] != '\0'; i++)
		hash = hash * 31 + (unsigned char) word[i];
	return hash % (lengthof(beginnings) * 64);
}

static bool
may_be_known(const char *word)
{
	uint32 place = beginning(word);

	return (beginnings[place / 64] & (UINT64CONST(1) << (place % 64))) != 0;
}

/* Entries of several words, joined by "-": each word of them is of the kind where all stand together. */
typedef struct KnownPhrase
{
	char words[NAME_BYTES * 3]; /* parted by blanks */
	Kinds kind;
} KnownPhrase;

static KnownPhrase known_phrases[PHRASES];
static int phrases = 0;

static void
add_phrase(const char *joined, Kinds kind)
{
	KnownPhrase *phrase = &known_phrases[phrases];

	if (phrases == PHRASES || strlen(joined) >= sizeof(phrase->words))
		elog(ERROR, "laras: an entry of several words too many, or too long");
	strlcpy(phrase->words, joined, sizeof(phrase->words));
	for (char *sign = phrase->words; (sign = strchr(sign, '-')) != NULL;)
		*sign = ' ';
	phrase->kind = kind;
	phrases++;
}

static void
read_word_lists(HTAB *table)
{
	phrases = 0;
	for (int i = 0; i < lengthof(word_lists); i++)
	{
		Kinds kind = kind_of(word_lists[i].kind, strlen(word_lists[i].kind));
		const char *list = word_lists[i].words;
		char word[LARAS_WORD_BYTES];

		while (laras_lexicon_next(&list, word))
		{
			bool as_it_stands = word[0] == '=';
			bool found;
			KnownWord *entry;

			if (strchr(word, '-') != NULL)
			{
				add_phrase(word + (as_it_stands ? 1 : 0), kind);
				continue;
			}
			entry = hash_search(table, word + (as_it_stands ? 1 : 0), HASH_ENTER, &found);
			if (!found)
				entry->exact = entry->root = (Kinds){0};
			beginnings[beginning(entry->word) / 64] |= UINT64CONST(1)
													   << (beginning(entry->word) % 64);
			join(&entry->exact, kind);
			if (!as_it_stands)
				join(&entry->root, kind);
		}
	}
}

static void
read_rules(void)
{
	for (int i = 0; i < lengthof(rule_lines); i++)
	{
		const char *s = rule_lines[i].kinds;
		Rule *rule = &rules[i];

		*rule = (Rule){.intent = rule_lines[i].intent,
					   .ordered = rule_lines[i].ordered,
					   .gap = rule_lines[i].gap};
		for (s += strspn(s, " "); *s != '\0' && rule->n < TOKENS; s += strspn(s, " "))
		{
			size_t n = strcspn(s, " ");

			rule->kind[rule->n++] = kinds_named(s, n);
			s += n;
		}
	}
}

static void
prepare(void)
{
	HASHCTL control = {.keysize = LARAS_WORD_BYTES, .entrysize = sizeof(KnownWord)};
	HTAB *table;

	if (known_words != NULL)
		return;
	/* A table of its own context: what an error leaves half filled is found by nobody. */
	control.hcxt =
		AllocSetContextCreate(CurrentMemoryContext, "laras outside", ALLOCSET_DEFAULT_SIZES);
	table = hash_create("laras outside", 2048, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	read_word_lists(table);
	read_rules();
	MemoryContextSetParent(control.hcxt, TopMemoryContext);
	known_words = table;
}

/* The kinds of a word as it stands, and of what it may be made from. */
static Kinds
kinds_of_word(const char *word)
{
	const KnownWord *entry = hash_search(known_words, word, HASH_FIND, NULL);
	Kinds found = entry != NULL ? entry->exact : (Kinds){0};

	for (int english = 0; english < 2; english++)
	{
		LarasRoots roots;

		laras_find_roots(word, english, &roots);
		for (int i = 0; i < roots.n; i++)
		{
			if (!may_be_known(roots.form[i]))
				continue;
			entry = hash_search(known_words, roots.form[i], HASH_FIND, NULL);
			if (entry != NULL)
				join(&found, entry->root);
		}
	}
	return found;
}

static bool
is_number(const char *word)
{
	return strspn(word, "0123456789") == strlen(word);
}

/* How many words the phrase has, where it stands at word i; else 0. */
static int
phrase_at(const LarasQuestion *question, int i, const char *phrase)
{
	char word[LARAS_WORD_BYTES];
	int n = 0;

	/* most words begin no phrase */
	if (question->word[i].text[0] != phrase[0])
		return 0;
	while (laras_lexicon_next(&phrase, word))
	{
		if (i + n >= question->n || strcmp(question->word[i + n].text, word) != 0)
			return 0;
		n++;
	}
	return n;
}

/* The kinds of each word; what plain phrases hold is of none. */
static Kinds *
read_kinds(const LarasQuestion *question)
{
	static const Kinds none = {0};
	Kinds *found = palloc0(sizeof(Kinds) * Max(question->n, 1));

	for (int i = 0; i < question->n; i++)
	{
		const char *word = question->word[i].text;

		if (is_number(word))
			found[i] = strlen(word) < PHONE_DIGITS ? kind_of(NUMBER_KIND, strlen(NUMBER_KIND))
												   : kind_of(PHONE_KIND, strlen(PHONE_KIND));
		else
			found[i] = kinds_of_word(word);
		if (memcmp(&found[i], &none, sizeof(Kinds)) == 0 && laras_lexicon_find(word) == NULL)
			found[i] = kind_of(NAME_KIND, strlen(NAME_KIND));
	}
	for (int k = 0; k < phrases; k++)
		for (int i = 0; i < question->n; i++)
			for (int n = phrase_at(question, i, known_phrases[k].words); n > 0; n--)
				join(&found[i + n - 1], known_phrases[k].kind);
	for (int k = 0; k < lengthof(plain_phrases); k++)
		for (int i = 0; i < question->n; i++)
			for (int n = phrase_at(question, i, plain_phrases[k]); n > 0; n--)
				found[i + n - 1] = none;
	return found;
}

/* Do the kinds of a rule from its k-th on stand behind word i, in their order? */
static bool
follows(const Rule *rule, int k, const Kinds *found, int n, int i)
{
	if (k == rule->n)
		return true;
	for (int j = i + 1; j <= i + 1 + rule->gap && j < n; j++)
		if (share(&found[j], &rule->kind[k]) && follows(rule, k + 1, found, n, j))
			return true;
	return false;
}

/*
 * Do the kinds of a rule from its k-th on stand about word i, on whichever side?
 * Each is another word.
 */
static bool
surrounds(const Rule *rule, int k, const Kinds *found, int n, int i, int taken[TOKENS])
{
	taken[k - 1] = i;
	if (k == rule->n)
		return true;
	for (int j = Max(0, i - rule->gap - 1); j <= i + rule->gap + 1 && j < n; j++)
	{
		bool again = false;

		for (int m = 0; m < k; m++)
			again |= taken[m] == j;
		if (!again && share(&found[j], &rule->kind[k]) &&
			surrounds(rule, k + 1, found, n, j, taken))
			return true;
	}
	return false;
}

static bool
holds(const Rule *rule, const Kinds *found, int n, const Kinds *all)
{
	int taken[TOKENS];

	for (int k = 0; k < rule->n; k++)
		if (!share(all, &rule->kind[k]))
			return false;
	for (int i = 0; i < n; i++)
		if (share(&found[i], &rule->kind[0]) &&
			(rule->ordered ? follows(rule, 1, found, n, i)
						   : surrounds(rule, 1, found, n, i, taken)))
			return true;
	return false;
}

/* A word and a colon where a line or sentence begins: who is to have said it. */
static bool
is_label(const char *s)
{
	static const char *const labels[] = {"system",       "assistant", "developer", "instruction",
										 "instructions", "sistem",    "asisten",   "instruksi",
										 "prompt",       "user",      "perintah",  "command",
										 "role",         "content"};

	for (int i = 0; i < lengthof(labels); i++)
	{
		size_t n = strlen(labels[i]);

		if (strncmp(s, labels[i], n) != 0)
			continue;
		s += n;
		s += strspn(s, " \"'*]");
		return *s == ':';
	}
	return false;
}

/*
 * Marks of programs, prompts and databases, in lower case: a tag or comment, the
 * brackets of a model's turns, a key of JSON, a fence of code, a shell's words.
 */
static bool
has_marks(const char *low)
{
	static const char *const marks[] = {
		"<!--", "<|",     "|>",    "</",     "[/",    "[inst",   "[system",  "[admin", "{\"",
		"{{",   "${",     "$(",    "```",    "###",   "\":",     "':",       "/etc/",  "sudo ",
		"rm -", "eval(",  "exec(", "print(", "curl ", "==",      "=>",       "&&",     "; --",
		"';",   "or 1=1", "' or ", "/*",     "*/",    "<script", "</system", "---\n"};
	bool begins = true;

	for (int i = 0; i < lengthof(marks); i++)
		if (strstr(low, marks[i]) != NULL)
			return true;
	for (const char *s = low; *s != '\0'; s++)
	{
		if (begins && isalpha((unsigned char) *s) && is_label(s))
			return true;
		/* <tag>, and no mail address */
		if (*s == '<' && isalpha((unsigned char) s[1]))
		{
			size_t n = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz_-0123456789 /");

			if (s[1 + n] == '>')
				return true;
		}
		if (isalnum((unsigned char) *s) || IS_HIGHBIT_SET(*s))
			begins = false;
		else if (!isspace((unsigned char) *s) || *s == '\n')
			begins = true;
	}
	return false;
}

/* Words that may stand behind one that asks at the end of a clause ("ga sih kak"). */
#define BEHIND 2

/* Words by the way that are still by the way. */
#define ASIDES 2

/* Does the clause of word i ask, or order something? */
static bool
clause_asks(const LarasQuestion *question, const Kinds *found, int i)
{
	Kinds asks = kind_of(ASKS_KIND, strlen(ASKS_KIND));
	Kinds first = kind_of(ASKS_FIRST_KIND, strlen(ASKS_FIRST_KIND));
	Kinds last = kind_of(ASKS_LAST_KIND, strlen(ASKS_LAST_KIND));
	int from = i;
	int to = i;

	while (from > 0 && question->word[from - 1].clause == question->word[i].clause)
		from--;
	while (to + 1 < question->n && question->word[to + 1].clause == question->word[i].clause)
		to++;
	for (int k = from; k <= to; k++)
		if (share(&found[k], &asks) || (k == from && share(&found[k], &first)) ||
			(k + BEHIND >= to && share(&found[k], &last)))
			return true;
	return false;
}

/*
 * Marks the words of other fields. One that people mention by the way, in a clause that asks nothing,
 * is why somebody asks the rest ("lembur nih, masih buka?"); several of them, or
 * one where nothing else is said, are what the message is about.
 */
static void
mark_outside(LarasQuestion *question, const Kinds *found)
{
	Kinds outside = kind_of(OUTSIDE_KIND, strlen(OUTSIDE_KIND));
	Kinds aside = kind_of(ASIDE_KIND, strlen(ASIDE_KIND));
	int fields = 0;
	int asides = 0;
	bool one_clause =
		question->n > 0 && question->word[0].clause == question->word[question->n - 1].clause;

	for (int i = 0; i < question->n; i++)
	{
		fields += share(&found[i], &outside);
		asides += share(&found[i], &aside);
	}
	for (int i = 0; i < question->n; i++)
		question->word[i].outside =
			share(&found[i], &outside) ||
			(share(&found[i], &aside) &&
			 (fields > 0 || asides > ASIDES || one_clause || clause_asks(question, found, i)));
}

void
laras_read_outside(LarasQuestion *question, const char *text, size_t n)
{
	Kinds *found;
	Kinds all = {0};

	prepare();
	found = read_kinds(question);
	for (int i = 0; i < question->n; i++)
		join(&all, found[i]);
	mark_outside(question, found);
	for (int i = 0; i < lengthof(rules); i++)
		if (holds(&rules[i], found, question->n, &all))
			question->weight[rules[i].intent] += REFUSES;
	if (has_marks(laras_lower(text, Min(n, LARAS_QUESTION_BYTES))))
		question->weight[LARAS_INTENT_OFF_SCOPE] += REFUSES;
}

bool
laras_leaves_other_field(const LarasQuestion *question, bool timed, LarasHasWord has,
						 const void *context)
{
	for (int i = 0; i < question->n; i++)
		if (question->word[i].outside && (timed || !has(context, &question->word[i])))
			return true;
	return false;
}

bool
laras_asks_time_of_else(const LarasQuestion *question, LarasHasWord has, const void *context)
{
	static const char opening[] =
		" operasional operasi layanan libur hours order pesan checkin check checkout "
		"online istirahat dilayani melayani diambil ambil pickup ";
	bool else_named = false;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];
		const char *text = word->bare != NULL ? word->bare : word->text;

		if (laras_word_opens(word) || strstr(opening, psprintf(" %s ", text)) != NULL)
			return false;
		if (word->filler || word->aside || word->cues != 0 || word->text[0] <= '9')
			continue;
		if (has(context, word))
			return false;
		else_named = true;
	}
	return else_named;
}

/* ---- sums ---- */

/* Sums of one message that are looked at. */
#define SUMS 16

/* The digits of a number, without what groups them; false where it has none. */
static bool
read_digits(const char **s, char out[32])
{
	int n = 0;

	while (isdigit((unsigned char) **s) ||
		   ((**s == '.' || **s == ',') && isdigit((unsigned char) (*s)[1])))
	{
		if (isdigit((unsigned char) **s) && n < 30)
			out[n++] = **s;
		(*s)++;
	}
	out[n] = '\0';
	return n > 0;
}

static bool
begins_with_one(const char *s, const char *const *words, int n, size_t *length)
{
	for (int i = 0; i < n; i++)
	{
		*length = strlen(words[i]);
		if (strncmp(s, words[i], *length) == 0 && !isalpha((unsigned char) s[*length]))
			return true;
	}
	return false;
}

/* Does the answer hold the number, however it groups it? */
static bool
states(const char *answer, const char *digits)
{
	char number[32];

	for (const char *s = answer; *s != '\0';)
	{
		if (!isdigit((unsigned char) *s))
			s++;
		else if (read_digits(&s, number) && (strcmp(number, digits) == 0 ||
											 /* "IDR 25,000.00" */
											 (strlen(number) == strlen(digits) + 2 &&
											  strncmp(number, digits, strlen(digits)) == 0 &&
											  strcmp(number + strlen(digits), "00") == 0)))
			return true;
	}
	return false;
}

/*
 * Does the message hold somebody to a sum: by a word of claiming, or by one that
 * asks for a yes behind the number ("50rb ya")? What may be spent, or about how
 * much, is no claim.
 */
static bool
claims(const LarasQuestion *question)
{
	Kinds range;
	Kinds claim;
	Kinds yes;
	bool claimed = false;
	int number = -YES_BEHIND - 1;

	prepare();
	range = kind_of(RANGE_KIND, strlen(RANGE_KIND));
	claim = kind_of(CLAIM_KIND, strlen(CLAIM_KIND));
	yes = kind_of(YES_KIND, strlen(YES_KIND));
	for (int i = 0; i < question->n; i++)
	{
		const char *word = question->word[i].text;
		Kinds kinds = kinds_of_word(word);

		if (share(&kinds, &range))
			return false;
		if (is_number(word))
			number = i;
		claimed |= share(&kinds, &claim) || (share(&kinds, &yes) && i - number <= YES_BEHIND);
	}
	return claimed;
}

bool
laras_names_other_sum(const LarasQuestion *question, const char *text, size_t n, const char *answer)
{
	static const char *const thousands[] = {"rb", "ribu", "rbu", "rebu", "k", "ewu"};
	static const char *const millions[] = {"jt", "juta", "million", "mio"};
	static const char *const currencies[] = {"rupiah", "usd",   "dollar", "dollars",
											 "dolar",  "bucks", "euro",   "perak"};
	static const char *const taking[] = {"aja",   "saja", "deh",    "dapet", "dapat", "dpt", "lah",
										 "boleh", "bole", "gimana", "ya",    "yah",   "oke", "ok"};
	static const char *const shares[] = {"persen", "percent", "pct", "prosen"};
	const char *low = laras_lower(text, Min(n, LARAS_QUESTION_BYTES));
	int looked = 0;

	for (const char *s = low; *s != '\0' && looked < SUMS;)
	{
		char digits[32];
		const char *from = s;
		const char *rest;
		size_t length;
		bool sum;

		if (!isdigit((unsigned char) *s) || (s > low && isalnum((unsigned char) s[-1]) &&
											 !(s - low >= 2 && s[-1] == 'p' && s[-2] == 'r')))
		{
			s++;
			continue;
		}
		(void) read_digits(&s, digits);
		rest = s + strspn(s, " ");
		/* behind "Rp" or "$" */
		sum = (from > low && from[-1] == '$') ||
			  (from - low >= 2 && strncmp(from - 2, "rp", 2) == 0) ||
			  (from - low >= 3 &&
			   (strncmp(from - 3, "rp ", 3) == 0 || strncmp(from - 3, "rp.", 3) == 0));
		if (begins_with_one(rest, thousands, lengthof(thousands), &length))
		{
			const char *behind = rest + length + strspn(rest + length, " ");

			strlcat(digits, "000", sizeof(digits));
			sum = strncmp(behind, "mah", 3) != 0;
		}
		else if (begins_with_one(rest, millions, lengthof(millions), &length))
		{
			strlcat(digits, "000000", sizeof(digits));
			sum = true;
		}
		else if (begins_with_one(rest, currencies, lengthof(currencies), &length))
			sum = true;
		else if (*rest == '%' || begins_with_one(rest, shares, lengthof(shares), &length))
			sum = strcmp(digits, "100") != 0;
		/* "16.500" */
		else if (s - from > 4 && s[-4] == '.' && digits[0] != '0' && strlen(digits) >= 4)
			sum = true;
		/* "600 aja ya": of thousands, as it is said */
		if (!sum && strlen(digits) == 3 && digits[2] == '0' &&
			begins_with_one(rest, taking, lengthof(taking), &length))
		{
			char thousand[32];

			snprintf(thousand, sizeof(thousand), "%s000", digits);
			if (!states(answer, digits) && !states(answer, thousand))
				return true;
		}
		if (!sum)
			continue;
		looked++;
		if (!states(answer, digits))
			return claims(question);
	}
	return false;
}
