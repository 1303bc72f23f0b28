/*
 * driver.c
 *		The table of drivers, and the little they share.
 */
#include "channel/connect.h"
#include "channel/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const LarasChannelDriver *const drivers[] = {
	&laras_whatsapp_driver, &laras_instagram_driver, &laras_messenger_driver, &laras_threads_driver,
	&laras_telegram_driver, &laras_email_driver,     &laras_generic_driver,
};

#define DRIVER_COUNT (sizeof(drivers) / sizeof(drivers[0]))

const LarasChannelDriver *
laras_channel_driver(const char *channel)
{
	for (size_t i = 0; i < DRIVER_COUNT; i++)
		if (strcmp(drivers[i]->channel, channel) == 0)
			return drivers[i];
	return NULL;
}

const LarasChannelDriver *
laras_channel_by_path(const char *path, size_t n, LarasText *account)
{
	for (size_t i = 0; i < DRIVER_COUNT; i++)
	{
		size_t own = strlen(drivers[i]->path);

		account->s = NULL;
		account->n = 0;
		if (n < own || memcmp(drivers[i]->path, path, own) != 0)
			continue;
		if (!drivers[i]->account_in_path && n == own)
			return drivers[i];
		if (drivers[i]->account_in_path && n > own + 1 && path[own] == '/' &&
			memchr(path + own + 1, '/', n - own - 1) == NULL)
		{
			account->s = path + own + 1;
			account->n = n - own - 1;
			return drivers[i];
		}
	}
	return NULL;
}

const LarasChannelDriver *
laras_channel_by_segment(const char *segment, size_t n)
{
	for (size_t i = 0; i < DRIVER_COUNT; i++)
	{
		const char *own = drivers[i]->connect->segment;

		if (own != NULL && strlen(own) == n && memcmp(own, segment, n) == 0)
			return drivers[i];
	}
	return NULL;
}

bool
laras_account_name_fits(const LarasAccountName *name, LarasText t)
{
	if (!name->address)
		return t.s != NULL && t.n > 0 && t.n <= 64 && strspn(t.s, "0123456789") == t.n;
	if (t.s == NULL || t.n < 3 || t.n > 254 || memchr(t.s, '@', t.n) == NULL)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] <= ' ' || (unsigned char) t.s[i] >= 0x7F)
			return false;
	return true;
}

const char *
laras_account_member(const LarasChannelDriver *driver, LarasAccountRole role)
{
	for (const LarasAccountName *name = driver->connect->accounts; name->member != NULL; name++)
		if (name->role == role)
			return name->member;
	return NULL;
}

const LarasChannelDriver *
laras_channel_nth(size_t i)
{
	return i < DRIVER_COUNT ? drivers[i] : NULL;
}

json_t *
laras_channel_read(const LarasChannelDriver *driver, const char *bytes, size_t n,
				   const char **reason)
{
	return driver->read != NULL ? driver->read(bytes, n, reason)
								: laras_json_parse(bytes, n, reason);
}

int
laras_split_whole(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces,
				  int *nameless, const char **reason)
{
	*nameless = 0;
	*reason = NULL;
	*pieces = laras_allocate(allocator, sizeof(LarasBodyPart));
	if (*pieces == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	(*pieces)->role = LARAS_ACCOUNT_NUMBER;
	(*pieces)->document = body;
	(*pieces)->whole = true;
	return 1;
}

const char *
laras_channel_authorizer(const char *channel)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);

	return driver != NULL && driver->authorizer != NULL ? driver->authorizer : channel;
}

size_t
laras_text_measure(LarasTextUnit unit, const char *s, size_t n)
{
	size_t length = 0;

	if (unit == LARAS_TEXT_BYTES)
		return n;
	for (size_t i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) s[i];

		/* a code point begins with any byte but 10xxxxxx; beyond 16 bits with 11110xxx */
		if ((c & 0xC0) != 0x80)
			length += unit == LARAS_TEXT_UTF16 && c >= 0xF0 ? 2 : 1;
	}
	return length;
}

void *
laras_allocate(const LarasAllocator *allocator, size_t n)
{
	return allocator->alloc(allocator->context, n);
}

/* Most texts are short: they are printed once, and copied. */
LarasText
laras_text_vprint(const LarasAllocator *allocator, const char *format, va_list arguments)
{
	LarasText text = {NULL, 0};
	char small[512];
	va_list again;
	int n;
	char *buffer;

	va_copy(again, arguments);
	n = vsnprintf(small, sizeof(small), format, arguments);
	if (n >= 0 && (buffer = laras_allocate(allocator, (size_t) n + 1)) != NULL)
	{
		if ((size_t) n < sizeof(small))
			memcpy(buffer, small, (size_t) n + 1);
		else
			vsnprintf(buffer, (size_t) n + 1, format, again);
		text.s = buffer;
		text.n = (size_t) n;
	}
	va_end(again);
	return text;
}

LarasText
laras_text_print(const LarasAllocator *allocator, const char *format, ...)
{
	LarasText text;
	va_list arguments;

	va_start(arguments, format);
	text = laras_text_vprint(allocator, format, arguments);
	va_end(arguments);
	return text;
}

LarasText
laras_account_id(const LarasAllocator *allocator, const json_t *j)
{
	LarasText t = laras_json_text(j);

	if (json_is_integer(j))
		t = laras_text_print(allocator, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	if (!laras_text_plain(t))
		t.s = NULL;
	return t;
}
