/*
 * visible.c
 *		Does a text show anything? White space, control and format characters, and
 *		letters that fonts draw as nothing are no text to whoever gets it.
 *
 * Source: the Unicode Character Database, properties White_Space and
 * Default_Ignorable_Code_Point and the categories Cc and Cf; U+2800, the braille
 * pattern without dots, is drawn as a blank, too.
 */
#include "channel/send.h"

typedef struct Range
{
	uint32_t first;
	uint32_t last;
} Range;

/* in their order */
static const Range invisible[] = {
	{0x0000, 0x0020},   {0x007F, 0x00A0},   {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
	{0x115F, 0x1160},   {0x1680, 0x1680},   {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},
	{0x2028, 0x202F},   {0x205F, 0x206F},   {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
	{0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
	{0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

/* what turns the direction in which others are read */
static const Range turning[] = {{0x202A, 0x202E}, {0x2066, 0x2069}};

static bool
is_in(uint32_t c, const Range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* The next character of a text in UTF-8; what is none counts as one that shows. */
static uint32_t
next_character(LarasText t, size_t *at)
{
	unsigned char first = (unsigned char) t.s[(*at)++];
	int more = first < 0xC0 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
	uint32_t c = more == 0 ? first : first & (0x3Fu >> more);

	if (first >= 0x80 && first < 0xC0)
		return 0xFFFD;
	for (; more > 0; more--)
	{
		if (*at >= t.n || ((unsigned char) t.s[*at] & 0xC0) != 0x80)
			return 0xFFFD;
		c = c << 6 | ((unsigned char) t.s[(*at)++] & 0x3F);
	}
	return c;
}

bool
laras_text_shows(LarasText t)
{
	for (size_t at = 0; t.s != NULL && at < t.n;)
		if (!is_in(next_character(t, &at), invisible, sizeof(invisible) / sizeof(invisible[0])))
			return true;
	return false;
}

bool
laras_text_has_letter(LarasText t)
{
	for (size_t at = 0; t.s != NULL && at < t.n;)
	{
		uint32_t c = next_character(t, &at);

		if (c < 0x80 ? (c | 0x20) >= 'a' && (c | 0x20) <= 'z'
					 : !is_in(c, invisible, sizeof(invisible) / sizeof(invisible[0])))
			return true;
	}
	return false;
}

bool
laras_text_has_control(LarasText t)
{
	for (size_t at = 0; t.s != NULL && at < t.n;)
	{
		uint32_t c = next_character(t, &at);

		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0) ||
			is_in(c, turning, sizeof(turning) / sizeof(turning[0])))
			return true;
	}
	return false;
}
