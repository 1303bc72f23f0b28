/*
 * order.c
 *		Orders and what is taken back, see order.h.
 */
#include "postgres.h"

#include "answer/asked.h"
#include "answer/clause.h"
#include "answer/order.h"

/* Of more pieces than these a word says that they are pieces. */
#define FEW 50

static bool
is_word(const LarasWord *word, const char *const *list, int n)
{
	return laras_is_one_of(word->text, list, n) ||
		   (word->bare != NULL && laras_is_one_of(word->bare, list, n));
}

#define IS_WORD(word, list) is_word(word, list, lengthof(list))

/* Is anything asked, or supposed? Then a row may answer it. */
static bool
asks(const LarasQuestion *question)
{
	static const char *const supposing[] = {"kalau",   "jika",        "bila",    "apabila",
											"misal",   "misalnya",    "minimal", "syarat",
											"cara",    "harus",       "harga",   "if",
											"whether", "tanya",       "nanya",   "ongkir",
											"info",    "rekomendasi", "cari",    "looking"};
	LarasClause all = {.from = 0, .to = question->n};

	if (laras_clause_asks(question, &all))
		return true;
	for (int i = 0; i < question->n; i++)
		if (IS_WORD(&question->word[i], supposing))
			return true;
	/* "dikirim hari ini ga" */
	for (int i = question->n - 1; i >= 0; i--)
		if (!question->word[i].nod)
			return strcmp(question->word[i].text, "tidak") == 0 ||
				   strcmp(question->word[i].text, "belum") == 0;
	return false;
}

/* Does word i tell how many are wanted? */
static bool
is_amount(const LarasQuestion *question, int i)
{
	static const char *const said[] = {"satu",    "dua",     "tiga",      "empat",    "lima",
									   "enam",    "tujuh",   "delapan",   "sembilan", "sepuluh",
									   "selusin", "sekotak", "sebungkus", "sebiji",   "sebuah",
									   "one",     "two",     "three",     "four",     "five",
									   "six",     "dozen"};
	const LarasWord *word = &question->word[i];

	if (word->pieces || LARAS_IS_ONE_OF(word->text, said))
		return true;
	return !word->counted && word->joined == NULL && strlen(word->text) < 3 &&
		   strspn(word->text, "0123456789") == strlen(word->text) &&
		   strtol(word->text, NULL, 10) <= FEW;
}

/*
 * "pesan monstera 2", "mau yang besar satu ya", "I'll take two": a word of ordering,
 * and how many, for whom or where to; nothing is asked.
 */
bool
laras_orders(const LarasQuestion *question)
{
	static const char *const ordering[] = {"pesan",   "memesan", "mesan",   "pesen",     "order",
										   "beli",    "membeli", "ambil",   "checkout",  "co",
										   "booking", "book",    "bungkus", "bungkusin", "borong",
										   "jadiin",  "take",    "buy"};
	static const char *const wanting[] = {"mau",  "minta", "ingin", "pengen", "tambah", "nambah",
										  "jadi", "fix",   "want",  "tolong", "catat",  "dicatat"};
	static const char *const urging[] = {"ya", "dong", "deh", "yuk", "please", "pls"};
	static const char *const whither[] = {"nama",  "kirim",   "dikirim", "antar",  "diantar",
										  "anter", "dianter", "alamat",  "jemput", "dijemput"};
	bool verb = false;
	bool wants = false;
	bool amount = false;
	bool urges = false;
	bool where = false;

	if (asks(question))
		return false;
	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];

		verb |= IS_WORD(word, ordering);
		wants |= IS_WORD(word, wanting);
		amount |= is_amount(question, i);
		urges |= IS_WORD(word, urging);
		where |= IS_WORD(word, whither);
	}
	return (verb && (amount || urges || where)) || (amount && (wants || urges));
}

/* "batal aja ya", "the booking is cancelled": told, not asked. */
bool
laras_cancels(const LarasQuestion *question)
{
	static const char *const cancelling[] = {"batal",      "batalin",    "batalkan",   "dibatalin",
											 "dibatalkan", "cancel",     "cancelled",  "canceled",
											 "dicancel",   "ngebatalin", "membatalkan"};

	if (asks(question))
		return false;
	for (int i = 0; i < question->n; i++)
	{
		const LarasWord *word = &question->word[i];

		if (IS_WORD(word, cancelling) || (i > 0 && strcmp(word->text, "jadi") == 0 &&
										  strcmp(question->word[i - 1].text, "tidak") == 0))
			return true;
	}
	return false;
}
