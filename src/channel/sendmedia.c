/*
 * sendmedia.c
 *		What drivers share in sending media: limits by type, and forms.
 */
#include "channel/sendmedia.h"

#include <stdio.h>
#include <string.h>

#define OFFICE "application/vnd.openxmlformats-officedocument."
#define OLE "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

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

/*
 * How files of a type begin: a run of bytes at a place, and perhaps another.
 * Sources: "MIME Sniffing" of the WHATWG; RFC 3533 (Ogg), RFC 4867 (AMR), ISO/IEC
 * 14496-12 (the box "ftyp"), 13818-7 (ADTS), ISO 32000 (PDF). Of types in one
 * container the first row is what bytes are said to look like.
 */
static const struct
{
	const char *mime;
	size_t at;
	const char *bytes;
	size_t n;
	size_t then_at;
	const char *then; /* four bytes; NULL: nothing more */
} beginnings[] = {
	{"image/jpeg", 0, "\xff\xd8\xff", 3, 0, NULL},
	{"image/png", 0, "\x89PNG\r\n\x1a\n", 8, 0, NULL},
	{"image/gif", 0, "GIF87a", 6, 0, NULL},
	{"image/gif", 0, "GIF89a", 6, 0, NULL},
	{"image/webp", 0, "RIFF", 4, 8, "WEBP"},
	{"video/mp4", 4, "ftyp", 4, 0, NULL},
	{"audio/mp4", 4, "ftyp", 4, 0, NULL},
	{"video/3gpp", 4, "ftyp", 4, 0, NULL},
	{"video/quicktime", 4, "ftyp", 4, 0, NULL},
	{"video/quicktime", 4, "moov", 4, 0, NULL},
	{"video/quicktime", 4, "mdat", 4, 0, NULL},
	{"video/quicktime", 4, "wide", 4, 0, NULL},
	{"video/quicktime", 4, "free", 4, 0, NULL},
	{"video/quicktime", 4, "skip", 4, 0, NULL},
	{"video/webm", 0, "\x1a\x45\xdf\xa3", 4, 0, NULL},
	{"audio/ogg", 0, "OggS", 4, 0, NULL},
	{"video/ogg", 0, "OggS", 4, 0, NULL},
	{"audio/wav", 0, "RIFF", 4, 8, "WAVE"},
	{"audio/amr", 0, "#!AMR", 5, 0, NULL},
	{"audio/mpeg", 0, "ID3", 3, 0, NULL},
	{"audio/aac", 0, "ADIF", 4, 0, NULL},
	{"audio/aac", 0, "ID3", 3, 0, NULL},
	{"application/pdf", 0, "%PDF-", 5, 0, NULL},
	{"application/msword", 0, OLE, 8, 0, NULL},
	{"application/msword", 0, "{\\rtf", 5, 0, NULL},
	{"application/vnd.ms-excel", 0, OLE, 8, 0, NULL},
	{"application/vnd.ms-powerpoint", 0, OLE, 8, 0, NULL},
	{"application/zip", 0, "PK\x03\x04", 4, 0, NULL},
	{"application/zip", 0, "PK\x05\x06", 4, 0, NULL},
	{OFFICE "wordprocessingml.document", 0, "PK\x03\x04", 4, 0, NULL},
	{OFFICE "spreadsheetml.sheet", 0, "PK\x03\x04", 4, 0, NULL},
	{OFFICE "presentationml.presentation", 0, "PK\x03\x04", 4, 0, NULL},
};

static bool
stands_at(LarasText bytes, size_t at, const char *what, size_t n)
{
	return at + n <= bytes.n && memcmp(bytes.s + at, what, n) == 0;
}

/* A frame of MPEG sound begins with eleven bits; two that tell its layer are 0 in AAC alone. */
static bool
is_frame(LarasText bytes, bool aac)
{
	unsigned char second = bytes.n > 1 ? (unsigned char) bytes.s[1] : 0;

	return bytes.n > 1 && (unsigned char) bytes.s[0] == 0xFF &&
		   (aac ? (second & 0xF6) == 0xF0 : (second & 0xE0) == 0xE0 && (second & 0x06) != 0);
}

/* Before its first line a PDF may have something else, of a kilobyte at most. */
static bool
is_pdf(LarasText bytes)
{
	for (size_t at = 0; at < 1024 && at < bytes.n; at++)
		if (stands_at(bytes, at, "%PDF-", 5))
			return true;
	return false;
}

/* Without a byte that no text has, in its first kilobyte; or of two bytes a letter, as its mark says. */
static bool
is_text(LarasText bytes)
{
	if (stands_at(bytes, 0, "\xff\xfe", 2) || stands_at(bytes, 0, "\xfe\xff", 2))
		return true;
	for (size_t i = 0; i < 1024 && i < bytes.n; i++)
	{
		unsigned char c = (unsigned char) bytes.s[i];

		if (c == '\0' || (c < 0x20 && strchr("\t\n\f\r\x1b", c) == NULL))
			return false;
	}
	return !stands_at(bytes, 0, "%PDF-", 5);
}

bool
laras_media_begins_as(LarasText mime, LarasText bytes, const char **looks)
{
	bool known = is_type(mime, "text/plain");

	*looks = NULL;
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
	{
		bool its = is_type(mime, beginnings[i].mime);

		known = known || its;
		if (!stands_at(bytes, beginnings[i].at, beginnings[i].bytes, beginnings[i].n) ||
			(beginnings[i].then != NULL &&
			 !stands_at(bytes, beginnings[i].then_at, beginnings[i].then, 4)))
			continue;
		if (its)
			return true;
		/* a word behind four letters may be anybody's */
		if (*looks == NULL && (beginnings[i].at == 0 || strcmp(beginnings[i].bytes, "ftyp") == 0))
			*looks = beginnings[i].mime;
	}
	if (!known || (is_type(mime, "audio/mpeg") && is_frame(bytes, false)) ||
		(is_type(mime, "audio/aac") && is_frame(bytes, true)) ||
		(is_type(mime, "application/pdf") && is_pdf(bytes)))
		return true;
	return is_type(mime, "text/plain") && is_text(bytes);
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
