/*
 * wording.c
 *		Words around facts, see wording.h.
 */
#include "postgres.h"

#include "answer/wording.h"

/*
 * Indonesian, English. What stands in <> is left out where a customer is called by
 * no name; @ is the name, ~ the customer as it is spoken of.
 */
static const char *const wordings[LARAS_WORDINGS][2] = {
	[LARAS_SAY_PRICE] = {"Harga %s %s.", "%s is %s."},
	[LARAS_SAY_PRICE_EACH] = {"Harga satuan %s %s.", "%s is %s each."},
	[LARAS_SAY_IN_STOCK] = {"%s masih ada, stok %d.", "%s is in stock, %d left."},
	[LARAS_SAY_OUT_OF_STOCK] = {"%s saat ini habis.", "%s is out of stock at the moment."},
	[LARAS_SAY_BUT_OUT] = {" Saat ini stoknya habis.", " It is out of stock at the moment."},
	[LARAS_SAY_ITS_PRICE] = {" Harganya %s.", " It costs %s."},
	[LARAS_SAY_ITS_STOCK] = {" Stok %d.", " %d in stock."},
	[LARAS_SAY_WHICH] = {"Maksud ~ %s?", "Do you mean %s?"},
	[LARAS_SAY_AMONG] = {"Ada beberapa yang cocok, di antaranya %s. Yang mana<, @>?",
						 "There are several that fit, among them %s. Which one do you mean?"},
	[LARAS_SAY_OR] = {" atau ", " or "},
	[LARAS_SAY_THANKS] = {"Sama-sama<, @>.", "You are welcome<, @>."},
	[LARAS_SAY_GREETING] = {"Halo<, @>.", "Hello<, @>."},
	[LARAS_SAY_HELP] = {"Ada yang bisa kami bantu?", "How can we help you?"},
};

static const char *const no_ground[2] = {
	"Terima kasih pesannya<, @>. Kami tanyakan dulu ke tim kami, ya.",
	"Thank you for your message<, @>. We are passing your question on to our team."};

static const char *const hand_overs[LARAS_INTENTS][2] = {
	[LARAS_INTENT_COMPLAINT] =
		{"Mohon maaf atas ketidaknyamanannya<, @>. Tim kami akan membantu ~ langsung.",
		 "We are sorry about this<, @>. Someone from our team will help you personally."},
	[LARAS_INTENT_ORDER_STATUS] =
		{"Terima kasih pesannya<, @>. Tim kami akan memeriksa pesanan ~.",
		 "Thank you for your message<, @>. Our team will look into your order."},
	[LARAS_INTENT_HUMAN] = {"Baik<, @>. Kami teruskan ke tim kami.",
							"Of course<, @>. We are passing you on to our team."},
	[LARAS_INTENT_OFF_SCOPE] =
		{"Maaf<, @>, kami hanya bisa membantu soal barang dan layanan toko kami.",
		 "Sorry<, @>, we can only help with the products and services of our shop."},
};

const char *
laras_usual_address(bool english)
{
	return english ? "" : "Kak";
}

/* The customer as it is spoken of, by the address. */
static const char *
spoken_of(const char *address, bool english)
{
	if (english)
		return "you";
	return address[0] == '\0' ? "Anda" : strcmp(address, "Kak") == 0 ? "Kakak" : address;
}

static void
append_name(StringInfo out, const char *name, bool as_format)
{
	for (; *name != '\0'; name++)
	{
		appendStringInfoChar(out, *name);
		if (*name == '%' && as_format)
			appendStringInfoChar(out, '%');
	}
}

static const char *
addressed(const char *pattern, bool english, const char *address, bool as_format)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *s = pattern; *s != '\0'; s++)
	{
		if (*s == '<' && address[0] == '\0')
			s = strchr(s, '>');
		else if (*s == '@')
			append_name(&out, address, as_format);
		else if (*s == '~')
			append_name(&out, spoken_of(address, english), as_format);
		else if (*s != '<' && *s != '>')
			appendStringInfoChar(&out, *s);
	}
	return out.data;
}

const char *
laras_wording(LarasWording wording, bool english, const char *address, bool as_format)
{
	return addressed(wordings[wording][english], english, address, as_format);
}

const char *
laras_hand_over_wording(LarasIntent intent, bool english, const char *address)
{
	const char *own = hand_overs[intent][english];

	return addressed(own != NULL ? own : no_ground[english], english, address, false);
}

/* Currencies that are not written with two digits behind the point. */
static bool
is_whole(const char *currency)
{
	static const char *const whole[] = {"IDR", "JPY", "KRW", "VND", "CLP",
										"ISK", "UGX", "XAF", "XOF"};

	for (int i = 0; i < lengthof(whole); i++)
		if (strcmp(currency, whole[i]) == 0)
			return true;
	return false;
}

void
laras_append_price(StringInfo out, const char *amount, const char *currency, bool english)
{
	size_t digits = strcspn(amount, ".");
	const char *fraction = amount[digits] == '.' ? amount + digits + 1 : "";
	bool rupiah = strcmp(currency, "IDR") == 0;

	appendStringInfo(out, "%s ", rupiah && !english ? "Rp" : currency);
	for (size_t i = 0; i < digits; i++)
	{
		if (i > 0 && (digits - i) % 3 == 0)
			appendStringInfoChar(out, english ? ',' : '.');
		appendStringInfoChar(out, amount[i]);
	}
	if (fraction[0] != '\0' && !(is_whole(currency) && strspn(fraction, "0") == strlen(fraction)))
		appendStringInfo(out, "%c%s", english ? '.' : ',', fraction);
}

/* The end of the sentence that begins at s: behind its last sign, or the end of the text. */
static const char *
sentence_end(const char *s, const char *end)
{
	while (s < end)
	{
		if (*s == '\n')
			return s + 1;
		if (strchr(".!?", *s) != NULL && (s + 1 == end || isspace((unsigned char) s[1])))
			return s + 1;
		s++;
	}
	return end;
}

/* Words with matter that a sentence shares with the question. */
static int
shared_words(const char *sentence, size_t n, const LarasQuestion *question)
{
	const LarasQuestion *said = laras_read_question(sentence, n);
	int shared = 0;

	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *asked = &question->word[i];

		for (int j = 0; j < said->n && !asked->filler; j++)
		{
			const LarasWord *word = &said->word[j];

			/* Five letters that begin alike are mostly one word with different endings. */
			if (strcmp(word->text, asked->text) == 0 ||
				(word->same != NULL && word->same == asked->same) ||
				(strlen(asked->text) >= 5 && strncmp(word->text, asked->text, 5) == 0))
			{
				shared++;
				break;
			}
		}
	}
	return shared;
}

bool
laras_append_sentences(StringInfo out, const char *body, size_t limit,
					   const LarasQuestion *question, bool *whole)
{
	const char *end = body + strlen(body);
	const char *from;
	const char *to;
	const char *next;
	int most = -1;

	while (body < end && isspace((unsigned char) *body))
		body++;
	while (end > body && isspace((unsigned char) end[-1]))
		end--;
	*whole = end - body <= limit;
	from = body;
	to = end;
	for (const char *s = body; !*whole && s < end; s = next)
	{
		int shared;

		next = sentence_end(s, end);
		shared = shared_words(s, next - s, question);
		if (shared > most)
		{
			most = shared;
			from = s;
			to = next;
		}
	}
	/* What follows it often completes it; all that fits would bury it. */
	while (to < end && (next = sentence_end(to, end)) - from <= limit / 4)
		to = next;
	while (from < to && isspace((unsigned char) *from))
		from++;
	while (to > from && isspace((unsigned char) to[-1]))
		to--;
	if (to - from > limit)
		return false;
	appendBinaryStringInfo(out, from, (int) (to - from));
	return true;
}
