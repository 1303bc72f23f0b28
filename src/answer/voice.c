/*
 * voice.c
 *		How a business speaks, see voice.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/answer.h"
#include "answer/question.h"
#include "answer/voice.h"
#include "base/compat.h"
#include "base/spi.h"
#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "utils/memutils.h"

LARAS_PLAN(read_voices,
		   "SELECT v.id, v.version, v.language OPERATOR(pg_catalog.=) 'en', "
		   "v.address, v.greeting, v.sign_off, v.manner, v.emoji FROM laras.brand_voice v "
		   "WHERE v.workspace_id OPERATOR(pg_catalog.=) $1",
		   INT8OID);

/* of the batch's transaction, that of the workspace that was asked about last */
static LocalTransactionId batch_lxid = InvalidLocalTransactionId;
static int64 batch_workspace = 0;
static const LarasVoices *batch_voices;

static char *
trimmed(uint64 row, int col, MemoryContext keep)
{
	char *text = laras_spi_cstring(row, col);
	size_t n;

	text += strspn(text, " \t\r\n");
	n = strlen(text);
	while (n > 0 && isspace((unsigned char) text[n - 1]))
		n--;
	return MemoryContextStrdup(keep, pnstrdup(text, n));
}

static void
read_into(LarasVoices *voices, int64 workspace_id, MemoryContext keep)
{
	uint64 n;

	laras_spi_open();
	n = laras_spi_read(&read_voices, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	for (uint64 i = 0; i < n; i++)
		voices->of[laras_spi_bool(i, 3)] = (LarasVoice){
			.given = true,
			.id = laras_spi_int8(i, 1),
			.version = laras_spi_int8(i, 2),
			.address = trimmed(i, 4, keep),
			.greeting = trimmed(i, 5, keep),
			.sign_off = trimmed(i, 6, keep),
			.manner = trimmed(i, 7, keep),
			.emoji = laras_spi_bool(i, 8),
		};
	laras_spi_close();
}

const LarasVoices *
laras_voices_of(int64 workspace_id)
{
	bool batch = laras_judging_batch();
	LarasVoices *voices;

	if (batch && batch_lxid == LARAS_MY_LXID && batch_workspace == workspace_id)
		return batch_voices;
	batch_lxid = InvalidLocalTransactionId;
	voices = MemoryContextAllocZero(batch ? TopTransactionContext : CurrentMemoryContext,
									sizeof(LarasVoices));
	read_into(voices, workspace_id, batch ? TopTransactionContext : CurrentMemoryContext);
	if (batch)
	{
		batch_voices = voices;
		batch_workspace = workspace_id;
		batch_lxid = LARAS_MY_LXID;
	}
	return voices;
}

/* Bytes of the text before which the greeting ends, blanks behind it included; 0: it does not begin so. */
static size_t
greeted(const char *greeting, const char *text, size_t n)
{
	size_t length = strlen(greeting);

	if (length == 0 || length > n || memcmp(text, greeting, length) != 0 ||
		(length < n && isalnum((unsigned char) text[length])))
		return 0;
	while (length < n && isspace((unsigned char) text[length]))
		length++;
	return length;
}

/* Where the text ends before the sign-off, without the blanks there; n: it does not end so. */
static size_t
signed_off(const char *sign_off, const char *text, size_t n)
{
	size_t length = strlen(sign_off);
	size_t end = n;

	while (end > 0 && isspace((unsigned char) text[end - 1]))
		end--;
	if (length == 0 || length > end || memcmp(text + end - length, sign_off, length) != 0)
		return n;
	end -= length;
	if (end > 0 && isalnum((unsigned char) text[end - 1]))
		return n;
	while (end > 0 && isspace((unsigned char) text[end - 1]))
		end--;
	return end;
}

bool
laras_voice_speaks(const char *greeting, const char *sign_off, const char *text, size_t n)
{
	return greeted(greeting, text, n) > 0 || signed_off(sign_off, text, n) < n;
}

const char *
laras_without_voice(const LarasVoices *voices, const char *text, size_t *n)
{
	for (int i = 0; i < lengthof(voices->of); i++)
	{
		const LarasVoice *voice = &voices->of[i];
		size_t before;

		if (!voice->given)
			continue;
		before = greeted(voice->greeting, text, *n);
		text += before;
		*n -= before;
		*n = signed_off(voice->sign_off, text, *n);
	}
	return text;
}

static bool
has_emoji(const char *text, size_t n)
{
	const char *end = text + n;

	if (GetDatabaseEncoding() != PG_UTF8)
		return false;
	for (const char *s = text; s < end; s += pg_mblen(s))
	{
		pg_wchar c = IS_HIGHBIT_SET(*s) ? utf8_to_unicode((const unsigned char *) s) : 0;

		if ((c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0x2600 && c <= 0x27BF) ||
			(c >= 0x2B00 && c <= 0x2BFF) || c == 0xFE0F)
			return true;
	}
	return false;
}

bool
laras_emoji_unwanted(const LarasVoices *voices, const char *text, size_t n)
{
	const LarasVoice *voice;

	if ((!voices->of[0].given || voices->of[0].emoji) &&
		(!voices->of[1].given || voices->of[1].emoji))
		return false;
	voice = &voices->of[laras_read_question(text, n)->english];
	return voice->given && !voice->emoji && has_emoji(text, n);
}
