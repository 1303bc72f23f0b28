/*
 * lower.c
 *		Lower case, see lower.h.
 *
 * The server's own goes through wide characters. Of ASCII letters the result is
 * the plain one wherever the collation has no rule of its own for them (Turkish
 * and Azeri have one), which is asked once a session: a database's default
 * collation never changes.
 */
#include "base/lower.h"

#include "catalog/pg_collation_d.h"
#include "utils/formatting.h"

#define UPPER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz"

static bool
ascii_is_plain(void)
{
	static int plain = -1;

	if (plain < 0)
	{
		char *low = str_tolower(UPPER_CASE, strlen(UPPER_CASE), DEFAULT_COLLATION_OID);

		plain = strcmp(low, LOWER_CASE) == 0;
		pfree(low);
	}
	return plain > 0;
}

char *
laras_lower(const char *text, size_t n)
{
	char *low;

	if (!ascii_is_plain())
		return str_tolower(text, n, DEFAULT_COLLATION_OID);
	low = palloc(n + 1);
	for (size_t i = 0; i < n; i++)
	{
		char c = text[i];

		if (IS_HIGHBIT_SET(c))
		{
			pfree(low);
			return str_tolower(text, n, DEFAULT_COLLATION_OID);
		}
		low[i] = c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
	}
	low[n] = '\0';
	return low;
}
