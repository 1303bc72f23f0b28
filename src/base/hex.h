/*
 * hex.h
 *		Hexadecimal digits, read and written. Plain C: programs use it too.
 */
#ifndef LARAS_HEX_H
#define LARAS_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The value of a digit in either case; -1 when it is none. Looked up: digits of
 * a signature are random, and every second branch on one would be foretold
 * wrongly.
 */
static inline int
laras_hex_digit(char c)
{
	static const uint8_t one_more[256] = {
		['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	};

	return one_more[(unsigned char) c] - 1;
}

/* Reads 2n digits into n bytes; false when one is no digit, out then holds what came before it. */
static inline bool
laras_hex_read(const char *s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		int high = laras_hex_digit(s[2 * i]);
		int low = high < 0 ? -1 : laras_hex_digit(s[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}

/* The same of lower-case digits alone: one way to write each value. */
static inline bool
laras_hex_read_lower(const char *s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < 2 * n; i++)
		if (s[i] >= 'A' && s[i] <= 'F')
			return false;
	return laras_hex_read(s, out, n);
}

/* Writes n bytes as 2n lower-case digits and a zero. */
static inline void
laras_hex_write(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++)
	{
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

#endif /* LARAS_HEX_H */
