/*
 * names.c
 *		Words of people's names, see names.h.
 *
 * What is indexed and what is looked up go through the same reading, so that
 * neither case, accents, ornamental letters nor hidden signs part them.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/lower.h"
#include "base/spi.h"
#include "common/unicode_norm.h"
#include "inbox/names.h"
#include "inbox/rows.h"
#include "mb/pg_wchar.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* of a longer name no more is looked at */
#define NAME_BYTES 200
#define NAME_WORDS 6
/* its words, those that stand side by side, and the first with the last */
#define NAME_INDEXES (2 * NAME_WORDS)

/* of one letter there are too few to tell anybody by */
#define LEAST_LETTERS 2

LARAS_PLAN(keep_words,
		   "INSERT INTO laras.contact_name_word (workspace_id, word_index, contact_id) "
		   "SELECT u.w, u.x, u.c FROM unnest($1, $2, $3) AS u (w, x, c) "
		   "ON CONFLICT (workspace_id, word_index, contact_id) DO NOTHING",
		   INT8ARRAYOID, BYTEAARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	give_words,
	"UPDATE laras.contact_name_word k SET contact_id = $2 WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND k.contact_id OPERATOR(pg_catalog.=) $3 AND NOT EXISTS (SELECT 1 FROM laras.contact_name_word o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.contact_id OPERATOR(pg_catalog.=) $2 "
	"AND o.word_index OPERATOR(pg_catalog.=) k.word_index)",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(drop_words,
		   "DELETE FROM laras.contact_name_word WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND contact_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

bool
laras_name_is_title(const char *word)
{
	static const char *const titles[] = {"bu",    "ibu", "pak",  "bapak", "bpk",  "mas",
										 "mbak",  "mba", "kak",  "kakak", "bang", "om",
										 "tante", "hj",  "haji", "hajah", "dr",   "drs",
										 "prof",  "mr",  "mrs",  "ms",    "miss", "sir"};

	for (int i = 0; i < lengthof(titles); i++)
		if (strcmp(word, titles[i]) == 0)
			return true;
	return false;
}

typedef enum Sign
{
	SIGN_PARTS, /* ends a word */
	SIGN_JOINS, /* stands within a word and is none of it */
	SIGN_LETTER
} Sign;

static Sign
sign_of(pg_wchar c)
{
	if (c < 0x80)
		return isalnum((int) c) ? SIGN_LETTER : c == '\'' || c == '`' ? SIGN_JOINS : SIGN_PARTS;
	/* marks above and below letters, the apostrophe that telephones write, and what nobody sees */
	if ((c >= 0x0300 && c <= 0x036F) || c == 0x2018 || c == 0x2019 || c == 0x02BC || c == 0xAD ||
		c == 0x061C || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
		(c >= 0x2060 && c <= 0x206F) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF)
		return SIGN_JOINS;
	/* blanks, punctuation, arrows and drawings, pictures */
	if (c < 0xAA || (c > 0xAA && c < 0xC0 && c != 0xB5 && c != 0xBA) ||
		(c >= 0x2000 && c <= 0x206F) || (c >= 0x2190 && c <= 0x2BFF) ||
		(c >= 0x3000 && c <= 0x303F) || (c >= 0xE000 && c <= 0xF8FF) ||
		(c >= 0x1F000 && c <= 0x1FAFF) || c >= 0xE0000)
		return SIGN_PARTS;
	return SIGN_LETTER;
}

/* Letters alone, as plain as the script has them: accents apart, ornament gone. */
static pg_wchar *
code_points(const char *text, size_t n)
{
	pg_wchar *points = palloc(sizeof(pg_wchar) * (n + 1));
	int count = pg_mb2wchar_with_len(text, points, (int) n);

	points[count] = 0;
	return GetDatabaseEncoding() == PG_UTF8 ? unicode_normalize(UNICODE_NFKD, points) : points;
}

static void
append_point(StringInfo to, pg_wchar c)
{
	unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN + 1] = {0};
	pg_wchar point[2] = {c, 0};

	appendBinaryStringInfo(to, (char *) bytes, pg_wchar2mb_with_len(point, (char *) bytes, 1));
}

static bool
is_plain(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	return true;
}

/* What is read: decoded, or ASCII as it stands; 0 at the end. */
typedef struct Reading
{
	const char *text;
	const pg_wchar *points;
	int end;
} Reading;

static pg_wchar
point_at(const Reading *r, int at)
{
	if (at >= r->end)
		return 0;
	return r->points != NULL ? r->points[at] : (pg_wchar) (unsigned char) r->text[at];
}

/* Does the sign at this place, and an "s" behind it, end the word? Budi's is Budi. */
static bool
is_genitive(const Reading *r, int at)
{
	pg_wchar sign = point_at(r, at);
	pg_wchar next = point_at(r, at + 1);

	return (sign == '\'' || sign == 0x2019) && (next == 's' || next == 'S') &&
		   sign_of(point_at(r, at + 2)) == SIGN_PARTS;
}

/* Reads the word at *at, and moves behind it. */
static LarasNameWord
read_word(const Reading *r, int *at, StringInfo word)
{
	LarasNameWord read = {0};
	bool plain = true;
	Sign sign;

	resetStringInfo(word);
	read.capital = point_at(r, *at) >= 0x80 || isupper((int) point_at(r, *at));
	for (; (sign = sign_of(point_at(r, *at))) != SIGN_PARTS; (*at)++)
	{
		pg_wchar c = point_at(r, *at);

		if (sign == SIGN_JOINS && is_genitive(r, *at))
			(*at)++;
		if (sign == SIGN_JOINS)
			continue;
		if (c >= 0x80)
			append_point(word, c);
		else
			appendStringInfoChar(word, (char) pg_tolower((unsigned char) c));
		plain &= c < 0x80;
		read.digits |= c < 0x80 && isdigit((int) c);
	}
	read.text = plain ? pnstrdup(word->data, word->len) : laras_lower(word->data, word->len);
	return read;
}

int
laras_name_words(const char *text, size_t n, LarasNameWord **words)
{
	/* most texts are ASCII, and need no decoding */
	Reading r = {text, is_plain(text, n) ? NULL : code_points(text, n), (int) n};
	StringInfoData word;
	int count = 0;

	if (r.points != NULL)
		for (r.end = 0; r.points[r.end] != 0;)
			r.end++;
	*words = palloc(sizeof(LarasNameWord) * (r.end / 2 + 1));
	initStringInfo(&word);
	for (int at = 0; at < r.end; at++)
		if (sign_of(point_at(&r, at)) == SIGN_LETTER)
			(*words)[count++] = read_word(&r, &at, &word);
	return count;
}

void
laras_name_pair(StringInfo pair, const char *one, const char *other)
{
	bool first = strcmp(one, other) <= 0;

	resetStringInfo(pair);
	appendStringInfo(pair, "%s %s", first ? one : other, first ? other : one);
}

/* The words of a name that tell whose it is. */
static int
words_of(LarasText name, LarasNameWord kept[NAME_WORDS])
{
	LarasNameWord *words;
	int n = laras_name_words(name.s, pg_mbcliplen(name.s, (int) name.n, NAME_BYTES), &words);
	int count = 0;

	for (int i = 0; i < n && count < NAME_WORDS; i++)
		if (!words[i].digits && strlen(words[i].text) >= LEAST_LETTERS &&
			!laras_name_is_title(words[i].text))
			kept[count++] = words[i];
	return count;
}

static void
add_index(LarasColumn *columns, int *count, const LarasNamed *named, const char *value)
{
	columns[0].values[*count] = Int64GetDatum(named->workspace_id);
	columns[1].values[*count] = PointerGetDatum(
		laras_index_bytea(named->workspace_slot, LARAS_INDEX_NAME, NULL, value, strlen(value)));
	columns[2].values[(*count)++] = Int64GetDatum(named->contact_id);
}

void
laras_names_keep(const LarasNamed *named, int n)
{
	LarasColumn columns[3];
	StringInfoData pair;
	int count = 0;

	laras_columns_init(columns, 3, n * NAME_INDEXES);
	initStringInfo(&pair);
	for (int i = 0; i < n; i++)
	{
		LarasNameWord words[NAME_WORDS];
		int k = named[i].name.s != NULL ? words_of(named[i].name, words) : 0;

		for (int w = 0; w < k; w++)
		{
			add_index(columns, &count, &named[i], words[w].text);
			if (w == 0)
				continue;
			laras_name_pair(&pair, words[w - 1].text, words[w].text);
			add_index(columns, &count, &named[i], pair.data);
		}
		if (k < 3)
			continue;
		laras_name_pair(&pair, words[0].text, words[k - 1].text);
		add_index(columns, &count, &named[i], pair.data);
	}
	if (count > 0)
		laras_spi_run(&keep_words,
					  (Datum[]){laras_column_array(&columns[0], count, INT8OID),
								laras_column_array(&columns[1], count, BYTEAOID),
								laras_column_array(&columns[2], count, INT8OID)},
					  NULL);
}

void
laras_names_join(int64 workspace_id, int64 keep_id, int64 other_id)
{
	laras_spi_run(&give_words,
				  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(keep_id),
							Int64GetDatum(other_id)},
				  NULL);
	laras_spi_run(&drop_words, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(other_id)},
				  NULL);
}
