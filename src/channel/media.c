/*
 * media.c
 *		What drivers share about bytes that lie at a provider.
 */
#include "channel/media.h"

#include "base/hex.h"

#include <string.h>

bool
laras_media_has_bytes(const LarasMediaDriver *media, const char *kind)
{
	for (int i = 0; media != NULL && media->kinds[i] != NULL; i++)
		if (strcmp(media->kinds[i], kind) == 0)
			return true;
	return false;
}

/* Scheme and host of a URL that has no user part; false for all else. */
static bool
take_apart(LarasText url, LarasText *scheme, LarasText *host)
{
	size_t at = 0;

	while (at < url.n && url.s[at] >= 'a' && url.s[at] <= 'z')
		at++;
	*scheme = (LarasText){url.s, at};
	if (at == 0 || url.n - at < 3 || memcmp(url.s + at, "://", 3) != 0)
		return false;
	at += 3;
	host->s = url.s + at;
	host->n = 0;
	while (at < url.n && memchr("/:?#", url.s[at], 4) == NULL)
	{
		unsigned char c = (unsigned char) url.s[at++];

		if (c <= ' ' || c >= 0x7F || c == '@' || c == '\\' || c == '%')
			return false;
		host->n++;
	}
	/* a port, and nothing that hides a user before it */
	while (at < url.n && memchr("/?#", url.s[at], 3) == NULL)
		if (url.s[at++] == '@')
			return false;
	return host->n > 0;
}

static bool
same_name(LarasText host, const char *name, size_t n)
{
	if (host.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		char c = host.s[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != name[i])
			return false;
	}
	return true;
}

/* Is the host that name, or below it where that begins with a full stop? */
static bool
is_below(LarasText host, const char *name, size_t n)
{
	LarasText end = host;

	if (n > 0 && name[0] == '.' && host.n > n)
		end = (LarasText){host.s + host.n - n, n};
	return same_name(end, name, n);
}

bool
laras_media_is_listed(const json_t *hosts, LarasText url)
{
	LarasText scheme;
	LarasText host;
	json_t *one;
	size_t i;

	if (url.s == NULL || !take_apart(url, &scheme, &host))
		return false;
	json_array_foreach((json_t *) hosts, i, one)
	{
		LarasText name = laras_json_text(one);

		if (name.s != NULL && is_below(host, name.s, name.n))
			return true;
	}
	return false;
}

bool
laras_media_host_fits(LarasText host)
{
	size_t dots = 0;
	size_t label = 0;
	bool letters = false; /* in the last label: an address has none */

	if (host.s == NULL || host.n == 0 || host.n > 253)
		return false;
	for (size_t i = 0; i < host.n; i++)
	{
		char c = host.s[i];

		if (c == '.')
		{
			/* the first may stand alone before all */
			if (label == 0 && i > 0)
				return false;
			dots += i > 0;
			label = 0;
			letters = false;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
		letters = letters || (c >= 'a' && c <= 'z');
		label++;
	}
	return label > 0 && dots > 0 && letters;
}

bool
laras_media_same_host(LarasText url, LarasText other)
{
	LarasText scheme;
	LarasText host;
	LarasText other_host;

	return url.s != NULL && other.s != NULL && take_apart(url, &scheme, &host) &&
		   take_apart(other, &scheme, &other_host) && host.n == other_host.n &&
		   memcmp(host.s, other_host.s, host.n) == 0;
}

bool
laras_media_is_own(const LarasMediaDriver *media, const char *base_url, LarasText url)
{
	LarasText scheme;
	LarasText host;
	LarasText base_scheme;
	LarasText base_host;

	if (url.s == NULL || !take_apart(url, &scheme, &host))
		return false;
	if (take_apart(laras_text(base_url), &base_scheme, &base_host) && scheme.n == base_scheme.n &&
		memcmp(scheme.s, base_scheme.s, scheme.n) == 0 && same_name(host, base_host.s, base_host.n))
		return true;
	if (!laras_text_is(scheme, "https"))
		return false;
	for (int i = 0; media->hosts[i] != NULL; i++)
		if (is_below(host, media->hosts[i], strlen(media->hosts[i])))
			return true;
	return false;
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool
laras_media_read_sha256(LarasText t, LarasMediaSource *source)
{
	size_t at = 0;
	unsigned bits = 0;
	int held = 0;

	source->has_sha256 = false;
	if (t.s == NULL)
		return false;
	if (t.n == 64)
		return source->has_sha256 = laras_hex_read(t.s, source->sha256, 32);
	if (t.n == 44 && t.s[43] == '=')
		t.n = 43;
	if (t.n != 43)
		return false;
	for (size_t i = 0; i < t.n; i++)
	{
		int six = sextet(t.s[i]);

		if (six < 0)
			return false;
		bits = bits << 6 | (unsigned) six;
		held += 6;
		if (held >= 8 && at < 32)
		{
			held -= 8;
			source->sha256[at++] = (uint8_t) (bits >> held);
		}
	}
	return source->has_sha256 = at == 32;
}

int64_t
laras_media_read_size(const json_t *j)
{
	int64_t size;

	return laras_json_integer(j, &size) && size >= 0 ? size : -1;
}
