/*
 * buffer.c
 *		Growing byte buffers and text encodings of the sandbox.
 */
#include "sandbox/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
sb_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (p == NULL)
	{
		fputs("laras-sandbox: out of memory\n", stderr);
		abort();
	}
	return p;
}

char *
sb_strdup(const char *s)
{
	char *copy;
	size_t n;

	if (s == NULL)
		return NULL;
	n = strlen(s) + 1;
	copy = sb_alloc(n);
	memcpy(copy, s, n);
	return copy;
}

void
sb_replace(char **field, const char *s)
{
	char *copy = sb_strdup(s);

	free(*field);
	*field = copy;
}

void
sb_reserve(SbBuffer *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;

	if (b->data != NULL && b->cap - b->len > more)
		return;
	while (cap - b->len <= more)
		cap *= 2;
	b->data = realloc(b->data, cap);
	if (b->data == NULL)
	{
		fputs("laras-sandbox: out of memory\n", stderr);
		abort();
	}
	b->cap = cap;
}

void
sb_clear(SbBuffer *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
sb_release(SbBuffer *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
sb_add(SbBuffer *b, const void *p, size_t n)
{
	sb_reserve(b, n + 1);
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
sb_adds(SbBuffer *b, const char *s)
{
	sb_add(b, s, strlen(s));
}

void
sb_addf(SbBuffer *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	sb_reserve(b, 128);
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if ((size_t) n >= b->cap - b->len)
	{
		sb_reserve(b, (size_t) n + 1);
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t) n;
}

void
sb_addu(SbBuffer *b, uint64_t v)
{
	char digits[24];
	int pos = sizeof(digits);

	do
	{
		digits[--pos] = (char) ('0' + v % 10);
		v /= 10;
	} while (v > 0);
	sb_add(b, digits + pos, sizeof(digits) - (size_t) pos);
}

/* One code point from valid UTF-8; moves *s past it. */
static uint32_t
next_code_point(const unsigned char **s)
{
	const unsigned char *p = *s;
	uint32_t c = p[0];
	int more;

	if (c < 0x80)
		more = 0;
	else if (c < 0xE0)
	{
		c &= 0x1F;
		more = 1;
	}
	else if (c < 0xF0)
	{
		c &= 0x0F;
		more = 2;
	}
	else
	{
		c &= 0x07;
		more = 3;
	}
	p++;
	while (more-- > 0 && (*p & 0xC0) == 0x80)
		c = c << 6 | (*p++ & 0x3F);
	*s = p;
	return c;
}

void
sb_addj(SbBuffer *b, const char *s)
{
	const unsigned char *p = (const unsigned char *) s;
	const unsigned char *plain;

	sb_add(b, "\"", 1);
	for (;;)
	{
		plain = p;
		while (*p >= 0x20 && *p < 0x7F && *p != '"' && *p != '\\' && *p != '/')
			p++;
		if (p > plain)
			sb_add(b, plain, (size_t) (p - plain));
		if (*p == '\0')
			break;
		if (*p == '"' || *p == '\\' || *p == '/')
		{
			char pair[2] = {'\\', (char) *p++};

			sb_add(b, pair, 2);
		}
		else if (*p == '\n')
		{
			sb_add(b, "\\n", 2);
			p++;
		}
		else
		{
			uint32_t c = next_code_point(&p);

			if (c >= 0x10000)
			{
				c -= 0x10000;
				sb_addf(b, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
			}
			else
				sb_addf(b, "\\u%04x", c);
		}
	}
	sb_add(b, "\"", 1);
}

void
sb_lower_escapes(char *json)
{
	for (; *json != '\0'; json++)
	{
		if (*json != '\\')
			continue;
		json++;
		for (int i = 1; *json == 'u' && i <= 4; i++)
			if (json[i] >= 'A' && json[i] <= 'F')
				json[i] = (char) (json[i] - 'A' + 'a');
	}
}

static void
add_base64(SbBuffer *b, const unsigned char *p, size_t n, const char *alphabet, int pad)
{
	size_t i;

	sb_reserve(b, n / 3 * 4 + 8);
	for (i = 0; i < n; i += 3)
	{
		uint32_t v = (uint32_t) p[i] << 16;
		char quad[4];
		size_t have = n - i >= 3 ? 3 : n - i;

		if (have > 1)
			v |= (uint32_t) p[i + 1] << 8;
		if (have > 2)
			v |= p[i + 2];
		quad[0] = alphabet[v >> 18];
		quad[1] = alphabet[v >> 12 & 63];
		quad[2] = have > 1 ? alphabet[v >> 6 & 63] : '=';
		quad[3] = have > 2 ? alphabet[v & 63] : '=';
		sb_add(b, quad, pad ? 4 : have + 1);
	}
}

void
sb_add_base64(SbBuffer *b, const void *p, size_t n)
{
	add_base64(b, p, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 1);
}

void
sb_add_base64url(SbBuffer *b, const void *p, size_t n)
{
	add_base64(b, p, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 0);
}

void
sb_add_hex(SbBuffer *b, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = p;

	sb_reserve(b, n * 2 + 1);
	while (n-- > 0)
	{
		char pair[2] = {digits[*s >> 4], digits[*s & 15]};

		sb_add(b, pair, 2);
		s++;
	}
}

void
sb_add_urlencoded(SbBuffer *b, const char *s)
{
	for (; *s != '\0'; s++)
	{
		unsigned char c = (unsigned char) *s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			sb_add(b, s, 1);
		else
			sb_addf(b, "%%%02X", c);
	}
}
