/*
 * hex.h
 *		Hexadecimal digits, read and written. Plain C: programs use it too.
 */
#ifndef LARAS_HEX_H
#define LARAS_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a digit in either case; -1 when it is none. */
static inline int
laras_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
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
