/*
 * whenasked.c
 *		Reads of which time a question asks, see whenasked.h.
 */
#include "postgres.h"

#include "answer/whenasked.h"

/* a word of each kind, in both languages, as question.c leaves it */
static const char *const weekdays[7] = {"senin monday mondays mon",
										"selasa tuesday tuesdays tue tues",
										"rabu wednesday wednesdays wed",
										"kamis thursday thursdays thu thurs",
										"jumat friday fridays fri",
										"sabtu saturday saturdays sat",
										"minggu ahad sunday sundays sun"};
static const char *const months[12] = {"januari january jan",
									   "februari february feb pebruari",
									   "maret march mar",
									   "april apr",
									   "mei may",
									   "juni june jun",
									   "juli july jul",
									   "agustus august agu aug agt",
									   "september sept sep",
									   "oktober october okt oct",
									   "november nov nopember",
									   "desember december des dec"};
static const char now_words[] = "sekarang now currently";
static const char going_on[] = "masih sudah belum lagi still yet already again reopen";
static const char today_words[] = "today tonight nanti";
static const char tomorrow_words[] = "besok besoknya esok tomorrow";
static const char past_words[] =
	"kemarin kemaren yesterday semalam semalem tadi lalu ago last were was";
static const char day_parts[] = "pagi siang sore malam subuh morning afternoon evening night noon "
								"midnight";
static const char closing[] = "tutup close closes closing closed sampai hingga until till til";
static const char shut[] = "tutup close closes closed libur";
static const char opening[] = "buka tutup open opens opening close closes closing closed libur "
							  "hours operasional jadwal";
/* the hours as such are asked for, not whether it is open */
static const char as_such[] =
	"jam pukul time hours hour kapan when jadwal schedule operasional "
	"setiap tiap every daily week weekdays biasanya usually normally berapa";
static const char of_a_clock[] = "jam pukul at around sekitar";
static const char after_a_clock[] = "am pm pagi siang sore malam oclock wib wita wit";
static const char joints[] = "sampai hingga to until till through";
static const char besides[] =
	"hari harian day days tanggal date jam pukul time times hour "
	"wib wita wit am pm oclock libur mulai dari depan ini itu next this "
	"biasanya usually normally jadwal schedule weekday weekdays kerja "
	"weekend weekends week moment pekan akhir setiap tiap daily every early late "
	"kok tetap tetep";
static const char shops[] = "toko tokonya showroom kedai warung gerai outlet resto restoran kafe "
							"cafe dapur kantor shop store stall place office restaurant bakery "
							"tempat tempatnya";

/* Is the word, or what it is without its enclitic, on the list? */
static bool
is_one_of(const LarasWord *word, const char *list)
{
	const char *forms[2] = {word->text, word->bare};

	for (int i = 0; i < 2; i++)
	{
		size_t n = forms[i] == NULL ? 0 : strlen(forms[i]);

		for (const char *s = list; n > 0 && (s = strstr(s, forms[i])) != NULL; s++)
			if ((s == list || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0'))
				return true;
	}
	return false;
}

static int
which_of(const LarasWord *word, const char *const *lists, int n)
{
	for (int i = 0; i < n; i++)
		if (is_one_of(word, lists[i]))
			return i;
	return -1;
}

static int
number_of(const LarasWord *word)
{
	size_t n = strlen(word->text);

	return n > 0 && n <= 4 && strspn(word->text, "0123456789") == n
			   ? (int) strtol(word->text, NULL, 10)
			   : -1;
}

/* The words of a question, while it is read. */
typedef struct Reading
{
	const LarasWord *word;
	int n;
	LarasWhen *when;
} Reading;

static bool
at(const Reading *r, int i, const char *list)
{
	return i >= 0 && i < r->n && is_one_of(&r->word[i], list);
}

static int
month_at(const Reading *r, int i)
{
	return i >= 0 && i < r->n ? which_of(&r->word[i], months, 12) + 1 : 0;
}

static int
number_at(const Reading *r, int i)
{
	return i >= 0 && i < r->n ? number_of(&r->word[i]) : -1;
}

/* "tanggal 25 desember 2026", "december 25", "tgl 25" at word i, a number. */
static bool
read_date(Reading *r, int i)
{
	LarasWhen *when = r->when;
	int day = number_of(&r->word[i]);
	int before = month_at(r, i - 1);
	int after = month_at(r, i + 1);
	int year = number_at(r, after > 0 ? i + 2 : i + 1);

	if (day < 1 || day > 31 || (before == 0 && after == 0 && !at(r, i - 1, "tanggal tgl date")))
		return false;
	when->kind = LARAS_WHEN_DATE;
	when->day = day;
	when->month = after > 0 ? after : before;
	when->year = year >= 2000 ? year : 0;
	when->read[i] = true;
	if (i > 0)
		when->read[i - 1] |= before > 0 || at(r, i - 1, "tanggal tgl date");
	if (after > 0)
		when->read[i + 1] = true;
	if (when->year > 0)
		when->read[after > 0 ? i + 2 : i + 1] = true;
	return true;
}

/* "jam 8", "8 pm", "jam 7 30": a time of day, of which nothing more is kept. */
static bool
read_clock(Reading *r, int i)
{
	int hour = number_of(&r->word[i]);

	if (hour < 0 || hour > 24 ||
		!(at(r, i - 1, of_a_clock) || at(r, i + 1, after_a_clock) || at(r, i + 2, after_a_clock)))
		return false;
	r->when->read[i] = true;
	if (number_at(r, i + 1) >= 0 && number_at(r, i + 1) < 60)
		r->when->read[i + 1] = true;
	return true;
}

/* Weekdays, one by one or from one to another. Is a week as such meant ("minggu ini")? */
static bool
read_weekdays(Reading *r)
{
	LarasWhen *when = r->when;
	int last = -1;
	int last_at = -1;
	bool week = false;

	for (int i = 0; i < r->n; i++)
	{
		int day = which_of(&r->word[i], weekdays, 7);

		if (at(r, i, "weekend weekends") || (at(r, i, "akhir") && at(r, i + 1, "pekan minggu")))
		{
			when->weekdays |= 1 << 5 | 1 << 6;
			when->read[i] = true;
			if (at(r, i, "akhir"))
				when->read[++i] = true;
			continue;
		}
		if (day < 0)
			continue;
		when->read[i] = true;
		if (strcmp(r->word[i].text, "minggu") == 0 && at(r, i + 1, "ini depan") &&
			!at(r, i - 1, "hari"))
		{
			week = true;
			continue;
		}
		/* the evening before a day is called by that day: "malam minggu" is Saturday's */
		if (at(r, i - 1, "malam"))
		{
			if (number_at(r, i - 2) >= 0)
				when->doubtful = true;
			else
				day = (day + 6) % 7;
		}
		if (last >= 0 && last_at == i - 2 && at(r, i - 1, joints))
			for (int k = last; k != day; k = (k + 1) % 7)
				when->weekdays |= 1 << k;
		when->weekdays |= 1 << day;
		when->coming |= at(r, i + 1, "depan") || at(r, i - 1, "next");
		last = day;
		last_at = i;
	}
	return week;
}

void
laras_read_when(const LarasQuestion *question, LarasWhen *when)
{
	Reading r = {question->word, question->n, when};
	bool now = false;
	bool goes_on = false;
	bool today = false;
	bool tomorrow = false;
	bool later = false;
	bool past = false;
	bool closes = false;
	bool which_day;
	bool hours;
	bool clock = false;
	bool date = false;

	memset(when, 0, sizeof(*when));
	when->read = palloc0(sizeof(bool) * Max(question->n, 1));
	which_day = hours = read_weekdays(&r);
	for (int i = 0; i < r.n; i++)
	{
		if (when->read[i])
			continue;
		when->opening |= at(&r, i, opening);
		when->closing |= at(&r, i, shut);
		when->read[i] = at(&r, i, opening) || at(&r, i, besides) || at(&r, i, shops) ||
						at(&r, i, day_parts) || at(&r, i, joints) || at(&r, i, now_words) ||
						at(&r, i, going_on) || at(&r, i, today_words) ||
						at(&r, i, tomorrow_words) || at(&r, i, "lusa after");
		now |= at(&r, i, now_words) || (at(&r, i, "saat") && at(&r, i + 1, "ini")) ||
			   (at(&r, i, "the") && at(&r, i + 1, "moment"));
		goes_on |= at(&r, i, going_on);
		today |= at(&r, i, today_words) || (at(&r, i, "ini") && at(&r, i - 1, day_parts)) ||
				 (at(&r, i, "ini") && at(&r, i - 1, "hari")) ||
				 (at(&r, i, "this") && at(&r, i + 1, day_parts));
		tomorrow |= at(&r, i, tomorrow_words);
		past |= at(&r, i, past_words);
		later |= at(&r, i, "lusa") || (at(&r, i, "after") && at(&r, i + 1, tomorrow_words));
		closes |= at(&r, i, closing);
		which_day |= (at(&r, i, "hari") && at(&r, i + 1, "apa")) ||
					 (at(&r, i, "what which") && at(&r, i + 1, "day days"));
		hours |= at(&r, i, as_such) || which_day;
		if (number_of(&r.word[i]) >= 0)
		{
			if (!date && read_date(&r, i))
				date = true;
			else
				clock |= read_clock(&r, i);
		}
	}
	/* of several days one would be told */
	when->doubtful |= later + tomorrow + today > 1;
	when->past = past && !date && !now && !today && !tomorrow && !later;
	if (date)
		return;
	if (when->weekdays != 0)
		when->kind = LARAS_WHEN_WEEKDAYS;
	else if (later || tomorrow || today || (clock && !now))
	{
		when->kind = LARAS_WHEN_DAY;
		when->days = later ? 2 : tomorrow ? 1 : 0;
	}
	else if (now || goes_on)
		when->kind = LARAS_WHEN_NOW;
	else if (closes && hours && !which_day)
		when->kind = LARAS_WHEN_CLOSING;
	else
		when->kind = hours ? LARAS_WHEN_WEEK : LARAS_WHEN_NOW;
}
