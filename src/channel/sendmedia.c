/*
 * sendmedia.c
 *		What drivers share in sending media: limits by type, and forms.
 */
#include "channel/sendmedia.h"

#include <stdio.h>
#include <string.h>

/* Is that the type, before its parameters? */
static bool
is_type(LarasText mime, const char *type)
{
	size_t n = 0;

	while (n < mime.n && mime.s[n] != ';' && mime.s[n] != ' ')
		n++;
	if (strlen(type) != n)
		return type[0] == '\0';
	for (size_t i = 0; i < n; i++)
	{
		char c = mime.s[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != type[i])
			return false;
	}
	return true;
}

const LarasMediaLimit *
laras_media_limit(const LarasSendMediaDriver *media, LarasText mime)
{
	for (const LarasMediaLimit *l = media->limits; l->mime != NULL; l++)
		if (is_type(mime, l->mime))
			return l;
	return NULL;
}

/* A growing text in memory whose size was reckoned before. */
typedef struct Form
{
	char *s;
	size_t n;
	size_t room;
} Form;

static void
put(Form *form, const char *p, size_t n)
{
	if (n > form->room - form->n)
		return;
	memcpy(form->s + form->n, p, n);
	form->n += n;
}

static void
put_text(Form *form, const char *text)
{
	put(form, text, strlen(text));
}

/* A name in quotes: what would end them, or the line, is left out (RFC 7578, 4.2). */
static void
put_name(Form *form, LarasText name)
{
	put_text(form, "\"");
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char) name.s[i] >= ' ' && name.s[i] != '"' && name.s[i] != '\\' &&
			name.s[i] != 0x7F)
			put(form, name.s + i, 1);
	put_text(form, "\"");
}

static bool
holds(LarasText t, const char *what)
{
	size_t n = strlen(what);
	const char *at = t.s;
	size_t left = t.s == NULL ? 0 : t.n;

	while (left >= n && (at = memchr(t.s + t.n - left, what[0], left - n + 1)) != NULL)
	{
		if (memcmp(at, what, n) == 0)
			return true;
		left = t.n - (size_t) (at + 1 - t.s);
	}
	return false;
}

/* What parts the form's pieces stands in none of them. */
static void
find_boundary(const LarasFormField *fields, LarasText bytes, char *out, size_t size)
{
	bool taken = true;

	for (unsigned n = 1; taken; n++)
	{
		snprintf(out, size, "laras-piece-%u", n);
		taken = holds(bytes, out);
		for (const LarasFormField *f = fields; f->name != NULL; f++)
			taken = taken || holds(f->value, out);
	}
}

bool
laras_build_form(const LarasFormField *fields, const char *file_field, const LarasSendMedia *media,
				 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	char boundary[32];
	LarasText unnamed = {"file", 4};
	LarasText name = media->filename.s != NULL ? media->filename : unnamed;
	Form form = {NULL, 0, 512 + name.n + media->mime.n + media->bytes.n};

	find_boundary(fields, media->bytes, boundary, sizeof(boundary));
	for (const LarasFormField *f = fields; f->name != NULL; f++)
		form.room += 160 + strlen(f->name) + f->value.n;
	form.s = laras_allocate(allocator, form.room);
	if (form.s == NULL)
		return false;
	for (const LarasFormField *f = fields; f->name != NULL; f++)
	{
		if (f->value.s == NULL)
			continue;
		put_text(&form, "--");
		put_text(&form, boundary);
		put_text(&form, "\r\nContent-Disposition: form-data; name=\"");
		put_text(&form, f->name);
		put_text(&form, "\"\r\n\r\n");
		put(&form, f->value.s, f->value.n);
		put_text(&form, "\r\n");
	}
	put_text(&form, "--");
	put_text(&form, boundary);
	put_text(&form, "\r\nContent-Disposition: form-data; name=\"");
	put_text(&form, file_field);
	put_text(&form, "\"; filename=");
	put_name(&form, name);
	put_text(&form, "\r\nContent-Type: ");
	put(&form, media->mime.s, media->mime.n);
	put_text(&form, "\r\n\r\n");
	put(&form, media->bytes.s, media->bytes.n);
	put_text(&form, "\r\n--");
	put_text(&form, boundary);
	put_text(&form, "--\r\n");
	request->method = "POST";
	request->body = (LarasText){form.s, form.n};
	request->type = laras_text_print(allocator, "multipart/form-data; boundary=%s", boundary).s;
	return request->type != NULL;
}
