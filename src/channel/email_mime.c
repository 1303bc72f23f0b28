/*
 * email_mime.c
 *		A mail, by RFC 5322 and MIME, as a JSON document.
 *
 *		from, sender, reply_to, to, cc	lists of {name, address}
 *		from_fields						how many From lines there are
 *		subject, message_id, date		date: seconds since 1970
 *		in_reply_to, references			lists of ids
 *		auto_submitted, precedence, ...	header fields that tell machines from people
 *		text, text_kind, text_cut		what is said; plain or html
 *		attachments						lists of {kind, filename, mime_type, size, sha256, ...}
 *		report							of a bounce or a receipt: {kind, message_id, ...}
 *		digest							of what a repetition has in common with the first
 *		cut								more parts, levels or lines than are read
 *
 * A mail within the mail is a file like others: GMime is told to leave it as it
 * stands, so that what is kept are its own bytes, and nobody reads levels of it. Of
 * the mail that a report gives back nothing is kept: who got it wrote it.
 *
 * GMime reads the structure, decodes and converts. It takes memory by itself and
 * ends the process where there is none, so what it is given is bounded first: the
 * bytes by the webhook, the fields and boundaries by bounded(), which cuts a mail
 * where it has more of them than any honest one. A part that is broken loses
 * nothing but itself. Nothing in here raises, and no GMime object outlives a call,
 * those of files apart, which live until they are closed.
 */
#include "channel/email_header.h"
#include "channel/media.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 20000         /* lines that look like header fields, anywhere */
#define MOST_BOUNDARIES 2000      /* lines that look like boundaries, anywhere */
#define LONGEST_FIELD (64 * 1024) /* of the mail's own header, folded lines together */
#define MOST_PARTS 200
#define DEEPEST 20
#define LONGEST_TEXT (256 * 1024)
#define LONGEST_SOURCE (1024 * 1024) /* of a text, before it is decoded */
#define LONGEST_WITHIN (64 * 1024)   /* of the header of a mail within the mail */

typedef struct Mail
{
	json_t *document;
	json_t *attachments;
	int parts;
	int reports; /* that what is read lies in */
	bool cut;
	GChecksum *digest;
	bool whole;       /* nothing was left off its end, by bounded() or by who posts mails */
	bool open;        /* no boundary closes the part that is read: it goes to the end of the mail */
	GPtrArray *files; /* collects parts that are files; NULL: everything is read and told */
	bool file_cut;    /* the mail ends within the last of them */
} Mail;

/* ------------------------------------------------------------------- bounds */

static bool
is_field_name(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* How much of a mail is read, and its header with long fields cut short and no NUL bytes. */
static char *
bounded(Mail *mail, const char *bytes, size_t n, size_t *length)
{
	char *copy = malloc(n + 1);
	size_t out = 0;
	size_t field = 0; /* bytes of the field so far */
	int fields = 0;
	int boundaries = 0;
	bool header = true;

	mail->whole = n < LARAS_MAX_BODY;
	for (size_t at = 0; copy != NULL && at < n;)
	{
		const char *end = memchr(bytes + at, '\n', n - at);
		size_t line = (end == NULL ? n : (size_t) (end - bytes) + 1) - at;
		size_t name = 0;

		while (name < line && is_field_name(bytes[at + name]))
			name++;
		fields += name > 0 && name < line && bytes[at + name] == ':';
		boundaries += line > 3 && bytes[at] == '-' && bytes[at + 1] == '-';
		if (fields > MOST_FIELDS || boundaries > MOST_BOUNDARIES)
		{
			mail->cut = true;
			mail->whole = false;
			break;
		}
		if (header)
		{
			bool folded = bytes[at] == ' ' || bytes[at] == '\t';

			if (line == 1 || (line == 2 && bytes[at] == '\r'))
				header = false;
			field = folded ? field + line : line;
			if (header && field > LONGEST_FIELD)
			{
				/* a line that goes on for ever is a field like others, whose rest is left out */
				mail->cut = true;
				if (!folded)
				{
					memcpy(copy + out, bytes + at, LONGEST_FIELD);
					out += LONGEST_FIELD;
					copy[out - 1] = '\n';
				}
				at += line;
				continue;
			}
		}
		memcpy(copy + out, bytes + at, line);
		if (header)
			for (size_t i = 0; i < line; i++)
				if (copy[out + i] == '\0')
					copy[out + i] = ' ';
		out += line;
		at += line;
	}
	*length = out;
	return copy;
}

/* ------------------------------------------------------------------ parsing */

static GMimeMessage *
parse(const char *bytes, size_t n)
{
	GMimeStream *memory = g_mime_stream_mem_new_with_buffer(bytes, n);
	GMimeParser *parser = g_mime_parser_new_with_stream(memory);
	GMimeParserOptions *loose = laras_mail_options();
	GMimeMessage *message;

	/* contents are copied out of the stream, which goes before they do */
	g_mime_parser_set_persist_stream(parser, FALSE);
	message = g_mime_parser_construct_message(parser, loose);
	g_mime_parser_options_free(loose);
	g_object_unref(parser);
	g_object_unref(memory);
	return message;
}

/* -------------------------------------------------------------------- texts */

/* Is it well-formed UTF-8 all through, but for a character that was cut at the end? */
static bool
is_utf8(const char *s, size_t n)
{
	const char *end;

	return g_utf8_validate(s, (gssize) n, &end) || (size_t) (end - s) + 4 > n;
}

/*
 * From what it says it is to UTF-8. What it says is believed unless that is
 * nothing that is known; then UTF-8 where it is, else Windows-1252, in which
 * every byte means something. A byte that cannot be converted becomes U+FFFD.
 */
static void
to_utf8(LarasMailText *to, const char *charset, const char *s, size_t n)
{
	iconv_t converter = (iconv_t) -1;
	char *in = (char *) s;
	size_t left = n;

	if (charset != NULL && g_ascii_strcasecmp(charset, "us-ascii") != 0 &&
		g_ascii_strcasecmp(charset, "utf-8") != 0)
		converter = g_mime_iconv_open("UTF-8", charset);
	if (converter == (iconv_t) -1)
	{
		if (is_utf8(s, n))
		{
			laras_mail_add(to, s, n);
			return;
		}
		converter = g_mime_iconv_open("UTF-8", "windows-1252");
		if (converter == (iconv_t) -1)
			return;
	}
	while (left > 0 && !to->cut)
	{
		char buffer[4096];
		char *out = buffer;
		size_t room = sizeof(buffer);
		size_t before = left;

		iconv(converter, &in, &left, &out, &room);
		laras_mail_add(to, buffer, sizeof(buffer) - room);
		if (left == before && room == sizeof(buffer))
		{
			laras_mail_add(to, "\xEF\xBF\xBD", 3);
			in++;
			left--;
			iconv(converter, NULL, NULL, NULL, NULL);
		}
	}
	g_mime_iconv_close(converter);
}

/* What a text part says, cleaned; added to *text. */
static void
read_text(Mail *mail, GMimePart *part, bool html, LarasMailText *text)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *format = g_mime_content_type_get_parameter(type, "format");
	const char *delsp = g_mime_content_type_get_parameter(type, "delsp");
	bool cut = false;
	GByteArray *bytes = laras_mail_content(part, LONGEST_SOURCE, &cut);
	LarasMailText converted = {.limit = 2 * LONGEST_SOURCE};
	LarasMailText read = {.limit = 2 * LONGEST_SOURCE};
	LarasMailText *plain = &converted;

	if (bytes == NULL)
		return;
	to_utf8(&converted, g_mime_content_type_get_parameter(type, "charset"), (char *) bytes->data,
			bytes->len);
	g_byte_array_free(bytes, TRUE);
	if (html)
	{
		laras_mail_of_html(&read, converted.s, converted.n);
		plain = &read;
	}
	else if (format != NULL && g_ascii_strcasecmp(format, "flowed") == 0)
	{
		laras_mail_unflow(&read, converted.s, converted.n,
						  delsp != NULL && g_ascii_strcasecmp(delsp, "yes") == 0);
		plain = &read;
	}
	if (text->n > 0 && plain->n > 0)
		laras_mail_add(text, "\n\n", 2);
	laras_mail_clean(text, plain->s, plain->n);
	text->cut |= cut; /* nothing is added to a text that was cut */
	mail->cut |= text->cut;
	laras_mail_free(&converted);
	laras_mail_free(&read);
}

/* -------------------------------------------------------------- attachments */

static const char *
kind_of(GMimeContentType *type)
{
	const char *media = g_mime_content_type_get_media_type(type);

	if (media == NULL)
		return "document";
	if (g_ascii_strcasecmp(media, "image") == 0)
		return "image";
	if (g_ascii_strcasecmp(media, "video") == 0)
		return "video";
	if (g_ascii_strcasecmp(media, "audio") == 0)
		return "audio";
	return "document";
}

/* Who wrote a mail within the mail, and about what; the name it is to have, where it has none. */
static void
read_within(json_t *file, const char *bytes, size_t n, bool named)
{
	GMimeMessage *within;
	const char *subject;
	size_t header = 0;

	/* up to the empty line */
	while (header < n && header < LONGEST_WITHIN &&
		   !(bytes[header] == '\n' &&
			 (header == 0 || bytes[header - 1] == '\n' ||
			  (header > 1 && bytes[header - 1] == '\r' && bytes[header - 2] == '\n'))))
		header++;
	within = parse(bytes, header);
	if (within == NULL)
		return;
	subject = g_mime_message_get_subject(within);
	if (!named && subject != NULL && subject[0] != '\0')
	{
		char *name = g_strconcat(subject, ".eml", NULL);

		laras_mail_put_word(file, "filename", name);
		g_free(name);
	}
	laras_mail_put(file, "from", laras_mail_addresses(g_mime_message_get_from(within)));
	laras_mail_put(file, "message_id", laras_mail_word(g_mime_message_get_message_id(within)));
	g_object_unref(within);
}

/* What is known of a file beside its bytes; given back: by a report, of which none are kept. */
static void
read_attachment(Mail *mail, GMimePart *part, bool given_back)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	bool cut = false;
	GByteArray *bytes = laras_mail_content(part, SIZE_MAX, &cut);
	char *mime = g_mime_content_type_get_mime_type(type);
	json_t *file = laras_json_object();

	if (file != NULL && bytes != NULL)
	{
		char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes->data, bytes->len);

		laras_mail_put_word(file, "kind", kind_of(type));
		laras_mail_put_word(file, "filename", name);
		laras_mail_put_word(file, "mime_type", mime);
		if (!given_back)
		{
			laras_mail_put(file, "size", json_integer((json_int_t) bytes->len));
			laras_mail_put_word(file, "sha256", sum);
		}
		laras_mail_put_word(file, "content_id", g_mime_object_get_content_id(GMIME_OBJECT(part)));
		if (disposition != NULL && g_ascii_strcasecmp(disposition, "inline") == 0)
			laras_mail_put(file, "inline", json_true());
		if (laras_mail_is_within(type))
			read_within(file, (char *) bytes->data, bytes->len, name != NULL);
		json_array_append(mail->attachments, file);
		g_checksum_update(mail->digest, (guchar *) sum, -1);
		g_free(sum);
	}
	json_decref(file);
	g_free(mime);
	if (bytes != NULL)
		g_byte_array_free(bytes, TRUE);
}

/* ---------------------------------------------------------------- structure */

/* what a part and all within it say */
typedef struct Words
{
	LarasMailText text;
	bool html; /* some of it was markup */
} Words;

static void walk(Mail *mail, GMimeObject *object, int depth, Words *words);

/* A part of several; only the last of those that nothing closes goes to the end of the mail. */
static void
walk_child(Mail *mail, GMimeMultipart *multipart, int i, int depth, Words *words)
{
	bool open = mail->open;

	mail->open =
		open && !multipart->write_end_boundary && i == g_mime_multipart_get_count(multipart) - 1;
	walk(mail, g_mime_multipart_get_part(multipart, i), depth + 1, words);
	mail->open = open;
}

static bool
is_attached(GMimeObject *object)
{
	const char *disposition = g_mime_object_get_disposition(object);

	return disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
}

static void
take_words(Words *to, const Words *from)
{
	if (from->text.n == 0)
		return;
	if (to->text.n > 0)
		laras_mail_add(&to->text, "\n\n", 2);
	laras_mail_add(&to->text, from->text.s, from->text.n);
	to->text.cut |= from->text.cut;
	to->html |= from->html;
}

/*
 * Ways to say the same: the first plain one is taken, else the first with markup.
 * Files that belong to any are noted all the same.
 */
static void
walk_alternatives(Mail *mail, GMimeMultipart *multipart, int depth, Words *words)
{
	Words best = {.html = true};
	int n = g_mime_multipart_get_count(multipart);

	for (int i = 0; i < n; i++)
	{
		Words one = {.text.limit = LONGEST_TEXT};

		walk_child(mail, multipart, i, depth, &one);
		if (one.text.n > 0 && (best.text.n == 0 || (best.html && !one.html)))
		{
			laras_mail_free(&best.text);
			best = one;
		}
		else
			laras_mail_free(&one.text);
	}
	take_words(words, &best);
	laras_mail_free(&best.text);
}

static void
walk_multipart(Mail *mail, GMimeMultipart *multipart, int depth, Words *words)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
	const char *prologue = g_mime_multipart_get_prologue(multipart);
	int n = g_mime_multipart_get_count(multipart);
	bool report = g_mime_content_type_is_type(type, "multipart", "report");

	if (g_mime_content_type_is_type(type, "multipart", "alternative"))
	{
		walk_alternatives(mail, multipart, depth, words);
		return;
	}
	if (mail->files == NULL && report && depth <= 1)
		laras_mail_put(mail->document, "report", laras_mail_report(multipart));
	mail->reports += report;
	for (int i = 0; i < n; i++)
		walk_child(mail, multipart, i, depth, words);
	mail->reports -= report;
	/* the boundary never came: what stands there is the mail */
	if (n == 0 && prologue != NULL)
		laras_mail_clean(&words->text, prologue, strlen(prologue));
}

static void
walk(Mail *mail, GMimeObject *object, int depth, Words *words)
{
	GMimeContentType *type;
	bool html;

	if (object == NULL)
		return;
	if (++mail->parts > MOST_PARTS || depth > DEEPEST)
	{
		mail->cut = true;
		return;
	}
	type = g_mime_object_get_content_type(object);
	html = g_mime_content_type_is_type(type, "text", "html");
	if (GMIME_IS_MULTIPART(object))
		walk_multipart(mail, GMIME_MULTIPART(object), depth, words);
	else if (!GMIME_IS_PART(object))
		mail->cut = true;
	else if (!is_attached(object) && (html || g_mime_content_type_is_type(type, "text", "plain")))
	{
		if (mail->files == NULL)
			read_text(mail, GMIME_PART(object), html, &words->text);
		words->html |= html;
	}
	else if (!g_mime_content_type_is_type(type, "message", "delivery-status") &&
			 !g_mime_content_type_is_type(type, "message", "disposition-notification") &&
			 !g_mime_content_type_is_type(type, "text", "rfc822-headers"))
	{
		bool given_back = mail->reports > 0 && laras_mail_is_within(type);

		if (mail->files == NULL)
			read_attachment(mail, GMIME_PART(object), given_back);
		else if (!given_back)
			g_ptr_array_add(mail->files, object);
		mail->file_cut = mail->open && !mail->whole && !given_back;
	}
}

/* ---------------------------------------------------------------- the whole */

/* What the same mail has wherever it passed through: not Received, not Return-Path. */
static void
digest(Mail *mail, LarasMailText *text)
{
	static const char *const members[] = {"from", "to", "subject", "date"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
	{
		size_t n = 0;
		json_t *value = json_object_get(mail->document, members[i]);
		json_t *wrapped = value == NULL ? NULL : json_pack("[O]", value);
		char *dumped = wrapped == NULL ? NULL : laras_json_dump(wrapped, &n);

		if (dumped != NULL)
			g_checksum_update(mail->digest, (guchar *) dumped, (gssize) n);
		g_checksum_update(mail->digest, (guchar *) "\n", 1);
		free(dumped);
		json_decref(wrapped);
	}
	if (text->n > 0)
		g_checksum_update(mail->digest, (guchar *) text->s, (gssize) text->n);
	laras_mail_put_word(mail->document, "digest", g_checksum_get_string(mail->digest));
}

void
laras_email_begin(void)
{
	static bool begun = false;

	if (begun)
		return;
	g_mime_init();
	/* not GMimeMessagePart, which takes its bytes apart and puts others together; a few bytes are lost */
	for (int i = 0; laras_mail_within[i] != NULL; i++)
		g_mime_object_register_type("message", laras_mail_within[i], g_mime_part_get_type());
	begun = true;
}

json_t *
laras_email_read(const char *bytes, size_t n, const char **reason)
{
	Words words = {.text.limit = LONGEST_TEXT};
	Mail mail = {.document = laras_json_object(), .attachments = json_array(), .open = true};
	GMimeMessage *message = NULL;
	size_t length = 0;
	char *copy = bounded(&mail, bytes, n, &length);

	*reason = NULL;
	if (copy == NULL || mail.document == NULL || mail.attachments == NULL)
		*reason = "out_of_memory";
	else
	{
		laras_email_begin();
		message = parse(copy, length);
	}
	free(copy);
	if (message != NULL)
	{
		mail.digest = g_checksum_new(G_CHECKSUM_SHA256);
		laras_mail_header(mail.document, message);
		walk(&mail, g_mime_message_get_mime_part(message), 0, &words);
		if (words.text.n > 0)
		{
			laras_mail_put(mail.document, "text", json_stringn(words.text.s, words.text.n));
			laras_mail_put_word(mail.document, "text_kind", words.html ? "html" : "plain");
			if (words.text.cut)
				laras_mail_put(mail.document, "text_cut", json_true());
		}
		if (json_array_size(mail.attachments) > 0)
			json_object_set(mail.document, "attachments", mail.attachments);
		if (mail.cut)
			laras_mail_put(mail.document, "cut", json_true());
		digest(&mail, &words.text);
		g_checksum_free(mail.digest);
		g_object_unref(message);
	}
	/* no header, no text: nothing of a mail could be read */
	if (*reason == NULL && json_object_get(mail.document, "from") == NULL && words.text.n == 0 &&
		json_object_get(mail.document, "subject") == NULL && json_array_size(mail.attachments) == 0)
		*reason = "not_a_mail";
	laras_mail_free(&words.text);
	json_decref(mail.attachments);
	if (*reason != NULL)
	{
		json_decref(mail.document);
		mail.document = NULL;
	}
	return mail.document;
}

/* -------------------------------------------------------------------- files */

/* the files of a mail, each decoded when it is asked for */
typedef struct Files
{
	GMimeMessage *message;
	GPtrArray *parts; /* the message's */
	guint at;
	bool cut;          /* the mail ends within the last one */
	GByteArray *bytes; /* of the one that was given last */
} Files;

static void *
open_files(const char *bytes, size_t n)
{
	Words words = {.text.limit = LONGEST_TEXT};
	Mail mail = {.open = true};
	Files *files = calloc(1, sizeof(Files));
	size_t length = 0;
	char *copy = files == NULL ? NULL : bounded(&mail, bytes, n, &length);

	if (copy != NULL)
	{
		laras_email_begin();
		files->message = parse(copy, length);
	}
	free(copy);
	if (files == NULL || files->message == NULL)
	{
		free(files);
		return NULL;
	}
	files->parts = mail.files = g_ptr_array_new();
	walk(&mail, g_mime_message_get_mime_part(files->message), 0, &words);
	files->cut = mail.file_cut;
	laras_mail_free(&words.text);
	return files;
}

static void
let_go(Files *files)
{
	if (files->bytes != NULL)
		g_byte_array_free(files->bytes, TRUE);
	files->bytes = NULL;
}

static bool
next_file(void *handle, LarasEnclosedFile *file)
{
	Files *files = handle;
	bool cut = false;

	let_go(files);
	if (files->at >= files->parts->len)
		return false;
	files->bytes = laras_mail_content(g_ptr_array_index(files->parts, files->at++), SIZE_MAX, &cut);
	file->bytes.s = files->bytes == NULL ? NULL : (char *) files->bytes->data;
	file->bytes.n = files->bytes == NULL ? 0 : files->bytes->len;
	file->cut = files->cut && files->at == files->parts->len;
	return true;
}

static void
close_files(void *handle)
{
	Files *files = handle;

	let_go(files);
	g_ptr_array_free(files->parts, TRUE);
	g_object_unref(files->message);
	free(files);
}

const LarasEnclosedDriver laras_email_enclosed = {
	.most = LARAS_MAX_BODY,
	.open = open_files,
	.next = next_file,
	.close = close_files,
};
