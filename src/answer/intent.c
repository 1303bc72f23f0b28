/*
 * intent.c
 *		What a question wants, told by the cues of cues.def.
 *
 * The same words always give the same intent: there is no state and no chance.
 */
#include "postgres.h"

#include "answer/lexicon.h"
#include "answer/order.h"
#include "answer/question.h"

/* What is off the scope whatever else is asked. */
#define REFUSES 9
/* Words that a "*" of a cue may stand for, at most. */
#define GAP 4

typedef struct Cue
{
	LarasIntent intent;
	int weight;
	const char *phrase;
} Cue;

static const Cue cues[] = {
#define CUE(intent, weight, phrase) {LARAS_INTENT_##intent, weight, phrase},
#include "answer/cues.def"
#undef CUE
};

static const char *const names[LARAS_INTENTS] = {"unclear",  "price",     "stock",
												 "product",  "hours",     "delivery",
												 "payment",  "warranty",  "returns",
												 "location", "complaint", "order_status",
												 "human",    "off_scope", "thanks",
												 "greeting"};

/* Words by which policies and FAQs of a topic name it, in both languages. */
static const char *const topic_words[LARAS_INTENTS] = {
	[LARAS_INTENT_HOURS] = "jam buka tutup operasional hours opening open closed",
	[LARAS_INTENT_DELIVERY] =
		"kirim pengiriman antar pengantaran jemput penjemputan ongkir ekspedisi kurir delivery shipping ship courier",
	[LARAS_INTENT_PAYMENT] = "bayar pembayaran transfer rekening payment pay cod",
	[LARAS_INTENT_RETURNS] =
		"tukar penukaran pengembalian retur return returns exchange exchanges refund refunds "
		"pembatalan batal cancellation cancellations",
	[LARAS_INTENT_WARRANTY] = "garansi jaminan klaim warranty guarantee",
	[LARAS_INTENT_LOCATION] = "alamat lokasi mana address location located where",
};

const char *
laras_intent_name(LarasIntent intent)
{
	return names[intent];
}

bool
laras_intent_is_topic(LarasIntent intent)
{
	return intent >= LARAS_INTENT_HOURS && intent <= LARAS_INTENT_LOCATION;
}

const char *
laras_intent_topic_words(LarasIntent intent)
{
	return topic_words[intent];
}

/* Is it a sum of money ("50000", "2jt")? */
static bool
is_sum(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits > 0 && (word[digits] == '\0' ? digits >= 4
											   : strcmp(word + digits, "jt") == 0 ||
													 strcmp(word + digits, "juta") == 0);
}

/* Does one of the alternatives in [pattern, end) name the word? */
static bool
names_word(const char *pattern, const char *end, const char *word)
{
	size_t n = strlen(word);

	while (pattern < end)
	{
		const char *slash = memchr(pattern, '/', end - pattern);
		size_t length = (slash != NULL ? slash : end) - pattern;

		if (length == 1 && *pattern == '#' && is_sum(word))
			return true;
		if (pattern[length - 1] == '~' ? n >= length - 1 && memcmp(pattern, word, length - 1) == 0
									   : n == length && memcmp(pattern, word, n) == 0)
			return true;
		pattern += length + 1;
	}
	return false;
}

/*
 * Does the phrase stand at word i?  Marks the words that it names, and not
 * those that a "*" passes over.  As deep as the phrase has words, at most.
 */
static bool
stands_at(const char *phrase, LarasIntent intent, LarasQuestion *question, int i)
{
	const char *end;

	phrase += strspn(phrase, " ");
	if (*phrase == '\0')
		return true;
	end = phrase + strcspn(phrase, " ");
	if (*phrase == '*')
	{
		for (int skip = 0; skip <= GAP; skip++)
			if (stands_at(end, intent, question, i + skip))
				return true;
		return false;
	}
	if (i >= question->n ||
		!(names_word(phrase, end, question->word[i].text) ||
		  (question->word[i].bare != NULL && names_word(phrase, end, question->word[i].bare)) ||
		  (question->word[i].root != NULL && names_word(phrase, end, question->word[i].root))) ||
		!stands_at(end, intent, question, i + 1))
		return false;
	question->word[i].cues |= LARAS_CUE(intent);
	return true;
}

/* The bit of a word's first byte; letters beyond ASCII share one. */
static uint32
first_letter(const char *word)
{
	return *word >= 'a' && *word <= 'z' ? 1u << (*word - 'a') : 1u << 26;
}

/* First letters of what each cue may begin with: most words of a text begin no cue. */
static uint32 begins_with[lengthof(cues)];

static void
note_first_letters(void)
{
	if (begins_with[0] != 0)
		return;
	for (int c = lengthof(cues) - 1; c >= 0; c--)
	{
		const char *s = cues[c].phrase;

		if (*s == '*')
			begins_with[c] = ~0u;
		for (; *s != '\0' && *s != ' '; s += strcspn(s, "/ "), s += *s == '/')
			begins_with[c] |= first_letter(s);
	}
}

/* Looks for every cue; each counts once, however often it stands there. */
static void
find_cues(LarasQuestion *question)
{
	note_first_letters();
	for (int c = 0; c < lengthof(cues); c++)
	{
		for (int i = 0; i < question->n; i++)
		{
			const LarasWord *word = &question->word[i];

			if (!(begins_with[c] &
				  (first_letter(word->text) | (word->root != NULL ? first_letter(word->root) : 0))))
				continue;
			if (!stands_at(cues[c].phrase, cues[c].intent, question, i))
				continue;
			question->weight[cues[c].intent] += cues[c].weight;
			break;
		}
	}
}

/* "brp, dan brp kali": what one of several numbers is asked of says nothing of the others. */
static void
count_how_much(LarasQuestion *question)
{
	int asked = 0;

	for (int i = 0; i < question->n; i++)
		asked += strcmp(question->word[i].text, "berapa") == 0;
	if (asked > 1 && question->weight[LARAS_INTENT_PRICE] >= 0)
		question->weight[LARAS_INTENT_PRICE] =
			Max(question->weight[LARAS_INTENT_PRICE], LARAS_WEIGHT_HINTS);
}

/* The heaviest of a range of intents; the first of equal ones. */
static LarasIntent
heaviest(const int *weight, LarasIntent from, LarasIntent to)
{
	LarasIntent best = from;

	for (int i = from + 1; i <= to; i++)
		if (weight[i] > weight[best])
			best = i;
	return best;
}

static bool
has_matter(const LarasQuestion *question)
{
	bool thanks = question->weight[LARAS_INTENT_THANKS] >= LARAS_WEIGHT_DECIDES;

	for (int i = 0; i < question->n; i++)
		if (!question->word[i].filler && question->word[i].cues == 0 &&
			!(thanks && question->word[i].aside))
			return true;
	return false;
}

/*
 * What must not be answered from rows comes first, whatever else is asked;
 * then what is asked of the business; courtesy only where nothing else is said.
 */
void
laras_read_intent(LarasQuestion *question)
{
	const int *weight = question->weight;
	LarasIntent asked;

	find_cues(question);
	count_how_much(question);
	asked = heaviest(weight, LARAS_INTENT_PRICE, LARAS_INTENT_LOCATION);

	if (weight[LARAS_INTENT_OFF_SCOPE] >= REFUSES)
		question->intent = LARAS_INTENT_OFF_SCOPE;
	else if (weight[LARAS_INTENT_HUMAN] >= LARAS_WEIGHT_DECIDES)
		question->intent = LARAS_INTENT_HUMAN;
	else if (weight[LARAS_INTENT_COMPLAINT] >= LARAS_WEIGHT_DECIDES)
		question->intent = LARAS_INTENT_COMPLAINT;
	else if (weight[LARAS_INTENT_ORDER_STATUS] >= LARAS_WEIGHT_DECIDES)
		question->intent = LARAS_INTENT_ORDER_STATUS;
	else if (weight[LARAS_INTENT_OFF_SCOPE] >= LARAS_WEIGHT_DECIDES &&
			 weight[asked] < LARAS_WEIGHT_DECIDES)
		question->intent = LARAS_INTENT_OFF_SCOPE;
	else if (laras_cancels(question))
		question->intent = LARAS_INTENT_ORDER_STATUS;
	else if (laras_orders(question))
		question->intent = LARAS_INTENT_HUMAN;
	/* thanks and praise name what they are for, and ask nothing */
	else if (weight[LARAS_INTENT_THANKS] > LARAS_WEIGHT_DECIDES && weight[asked] == 0)
		question->intent = LARAS_INTENT_THANKS;
	else if (weight[asked] > 0)
		question->intent = asked;
	else if (has_matter(question))
		question->intent = LARAS_INTENT_UNCLEAR;
	else if (weight[LARAS_INTENT_THANKS] >= LARAS_WEIGHT_DECIDES)
		question->intent = LARAS_INTENT_THANKS;
	else if (weight[LARAS_INTENT_GREETING] > 0)
		question->intent = LARAS_INTENT_GREETING;
	else
		question->intent = LARAS_INTENT_UNCLEAR;
}
