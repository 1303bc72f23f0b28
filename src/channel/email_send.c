/*
 * email_send.c
 *		Email: a mail of ours, and what a mail server answers.
 *
 * Sources: RFC 5322 (the mail), 5321 (the server's replies), 3463 (their
 * enhanced codes), 3834 (what an answer of a machine says of itself). A mail is
 * named after its attempt: whatever comes back, a bounce or a copy, names the
 * attempt by it. One mail goes to one address, the one that the person wrote
 * from; it is an answer, so it bears no List-Unsubscribe.
 *
 * GMime writes the mail. Whatever goes into a header has its control characters
 * taken out first, so that no text can begin a line of its own.
 */
#include "channel/email.h"
#include "channel/record.h"
#include "channel/sendmedia.h"
#include "vault/numbers.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_TEXT (256 * 1024)
#define MOST_REFERENCES 20

/* ------------------------------------------------------------------ a mail */

/* On one line, without what no line may hold; g_free. NULL for an absent text. */
static char *
one_line(LarasText t)
{
	LarasMailText clean = {.limit = 900};
	char *line;

	if (!laras_text_given(t))
		return NULL;
	laras_mail_clean(&clean, t.s, t.n);
	for (size_t i = 0; i < clean.n; i++)
		if (clean.s[i] == '\n')
			clean.s[i] = ' ';
	line = clean.n == 0 ? NULL : g_strndup(clean.s, clean.n);
	laras_mail_free(&clean);
	return line;
}

/* Of printable ASCII alone, as ids and addresses are. */
static bool
is_ascii(LarasText t)
{
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] <= ' ' || (unsigned char) t.s[i] >= 0x7F)
			return false;
	return t.n > 0;
}

static void
add_id(GString *list, LarasText id)
{
	if (is_ascii(id) && id.n < 900 && memchr(id.s, '<', id.n) == NULL &&
		memchr(id.s, '>', id.n) == NULL)
		g_string_append_printf(list, "%s<%.*s>", list->len > 0 ? " " : "", (int) id.n, id.s);
}

/* RFC 5322, 3.6.4: the chain so far, and the mail that is answered at its end. */
static void
set_thread(GMimeObject *message, const LarasSendText *send)
{
	const json_t *chain = laras_json_get(send->thread, "references");
	size_t n = json_array_size(chain);
	GString *references = g_string_new(NULL);
	GString *answers = g_string_new(NULL);

	if (n == 0)
	{
		chain = laras_json_get(send->thread, "in_reply_to");
		n = json_array_size(chain) == 1 ? 1 : 0;
	}
	add_id(answers, send->answers);
	if (answers->len > 0)
	{
		for (size_t i = n > MOST_REFERENCES ? n - MOST_REFERENCES : 0; i < n; i++)
			add_id(references, laras_json_text(json_array_get(chain, i)));
		add_id(references, send->answers);
		g_mime_object_set_header(message, "In-Reply-To", answers->str, NULL);
		g_mime_object_set_header(message, "References", references->str, NULL);
	}
	g_string_free(references, TRUE);
	g_string_free(answers, TRUE);
}

static void
set_subject(GMimeMessage *message, const LarasSendText *send)
{
	char *line = one_line(laras_json_text_at(send->thread, "subject"));
	bool again = line != NULL && (g_ascii_strncasecmp(line, "re:", 3) == 0 ||
								  g_ascii_strncasecmp(line, "bls:", 4) == 0);
	char *subject = g_strdup_printf("%s%s", again ? "" : "Re: ", line == NULL ? "" : line);

	g_mime_message_set_subject(message, g_strchomp(subject), "utf-8");
	g_free(subject);
	g_free(line);
}

/* The text as it was judged, to the letter, and the end of its last line. */
static GMimeTextPart *
text_part(LarasText text)
{
	GMimeTextPart *part = g_mime_text_part_new_with_subtype("plain");
	char *copy = g_strdup_printf("%.*s\n", (int) text.n, text.s);

	g_mime_text_part_set_charset(part, "utf-8");
	g_mime_text_part_set_text(part, copy);
	g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	g_free(copy);
	return part;
}

/* The bytes that go to the server, with CRLF at the ends of lines. */
static LarasText
bytes_of(GMimeMessage *message, const LarasAllocator *allocator)
{
	GMimeFormatOptions *format = g_mime_format_options_clone(NULL);
	LarasText bytes = {NULL, 0};
	char *copy;
	char *text;

	g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
	text = g_mime_object_to_string(GMIME_OBJECT(message), format);
	g_mime_format_options_free(format);
	bytes.n = strlen(text);
	copy = laras_allocate(allocator, bytes.n + 1);
	if (copy != NULL)
		memcpy(copy, text, bytes.n + 1);
	bytes.s = copy;
	g_free(text);
	return bytes;
}

/* What goes with the text, in base64. */
static GMimePart *
file_part(const LarasSendMedia *media)
{
	char *type = one_line(media->mime);
	char *slash = type == NULL ? NULL : strchr(type, '/');
	char *end = slash == NULL ? NULL : slash + 1 + strcspn(slash + 1, "; ");
	char *name = one_line(media->filename);
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(media->bytes.s, media->bytes.n);
	GMimeDataWrapper *content =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	GMimePart *part;

	if (end != NULL)
		*end = '\0';
	if (slash != NULL)
		*slash = '\0';
	part = slash == NULL ? g_mime_part_new_with_type("application", "octet-stream")
						 : g_mime_part_new_with_type(type, slash + 1);
	g_mime_part_set_content(part, content);
	g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
	g_mime_object_set_disposition(GMIME_OBJECT(part), GMIME_DISPOSITION_ATTACHMENT);
	if (name != NULL)
		g_mime_part_set_filename(part, name);
	g_object_unref(content);
	g_object_unref(stream);
	g_free(name);
	g_free(type);
	return part;
}

/* The text, and what goes with it where something does. */
static GMimeObject *
content_of(const LarasSendText *send, const LarasSendMedia *media)
{
	GMimeTextPart *text = text_part(send->text);
	GMimeMultipart *both;
	GMimePart *file;

	if (media == NULL)
		return GMIME_OBJECT(text);
	both = g_mime_multipart_new_with_subtype("mixed");
	file = file_part(media);
	g_mime_multipart_add(both, GMIME_OBJECT(text));
	g_mime_multipart_add(both, GMIME_OBJECT(file));
	g_object_unref(file);
	g_object_unref(text);
	return GMIME_OBJECT(both);
}

static LarasText
compose(const LarasSendText *send, const LarasSendMedia *media, const LarasEnvelope *envelope,
		const LarasAllocator *allocator)
{
	GMimeMessage *message = g_mime_message_new(FALSE);
	GMimeObject *content = content_of(send, media);
	GDateTime *now = g_date_time_new_from_unix_utc(send->now);
	char *name = one_line(laras_json_text_at(send->accounts, "name"));
	LarasText bytes;

	g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_FROM, name, envelope->sender);
	g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_TO, NULL, envelope->recipient);
	set_subject(message, send);
	if (now != NULL)
		g_mime_message_set_date(message, now);
	g_mime_message_set_message_id(message, envelope->id);
	set_thread(GMIME_OBJECT(message), send);
	if (send->automatic)
		g_mime_object_set_header(GMIME_OBJECT(message), "Auto-Submitted", "auto-replied", NULL);
	g_mime_message_set_mime_part(message, content);
	bytes = bytes_of(message, allocator);
	g_object_unref(content);
	g_object_unref(message);
	if (now != NULL)
		g_date_time_unref(now);
	g_free(name);
	return bytes;
}

/* Into a field of the envelope; false where it does not fit. */
static bool
keep(char *to, size_t room, LarasText t)
{
	if (t.s == NULL || t.n == 0 || t.n >= room)
		return false;
	memcpy(to, t.s, t.n);
	to[t.n] = '\0';
	return true;
}

static bool
build(const LarasSendText *send, const LarasSendMedia *media, const LarasAllocator *allocator,
	  LarasProviderRequest *request)
{
	LarasEnvelope *envelope = laras_allocate(allocator, sizeof(LarasEnvelope));
	LarasText to = laras_mail_address(allocator, send->to.value, false);
	LarasText server = laras_json_text_at(send->accounts, "server");
	LarasText user = laras_json_text_at(send->accounts, "user");
	const char *at = send->account.s == NULL ? NULL : memchr(send->account.s, '@', send->account.n);
	int n;

	/* an address beyond ASCII needs servers that few have (RFC 6531) */
	if (envelope == NULL || at == NULL || send->to.kind != LARAS_INDEX_EMAIL || !is_ascii(to) ||
		!keep(envelope->recipient, sizeof(envelope->recipient), to) ||
		!keep(envelope->sender, sizeof(envelope->sender), send->account) ||
		!keep(envelope->user, sizeof(envelope->user), user.s == NULL ? send->account : user) ||
		server.s == NULL)
		return false;
	n = snprintf(envelope->id, sizeof(envelope->id), LARAS_MAIL_MARK "%.*s%.*s",
				 (int) send->callback_data.n, send->callback_data.s,
				 (int) (send->account.n - (size_t) (at - send->account.s)), at);
	if (n < 0 || (size_t) n >= sizeof(envelope->id))
		return false;
	laras_email_begin();
	request->method = "MAIL";
	request->url = laras_text_print(allocator, "%.*s", (int) server.n, server.s);
	request->body = compose(send, media, envelope, allocator);
	request->envelope = envelope;
	return request->url.s != NULL && request->body.s != NULL;
}

static bool
build_text(const LarasSendText *send, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	return build(send, NULL, allocator, request);
}

/* ------------------------------------------------------------------ answers */

/* The enhanced code of a reply, "5.7.1" as 571; 0 where it has none. */
static int
enhanced(const char *reply, size_t n)
{
	int code = 0;
	int digits = 0;
	int dots = 0;

	for (size_t at = 4; at < n && at < 14; at++)
	{
		if (reply[at] >= '0' && reply[at] <= '9')
		{
			code = code * 10 + (reply[at] - '0');
			digits++;
		}
		else if (reply[at] == '.' && digits > 0)
			dots++;
		else
			break;
	}
	return dots == 2 && digits >= 3 && digits <= 7 ? code : 0;
}

static LarasAnswer
meaning(int code, int subcode)
{
	switch (code)
	{
		/* the log-in is missing, too weak, wrong, or not to be had without TLS */
		case 530:
		case 534:
		case 535:
		case 538:
			return LARAS_ANSWER_ACCOUNT;
		/* busy, or we send too much */
		case 421:
		case 452:
			return LARAS_ANSWER_THROTTLED;
	}
	if (code >= 200 && code < 300)
		return LARAS_ANSWER_SENT;
	if (code >= 400 && code < 500)
		/* 4.7.x: a policy, which in practice is a rate */
		return subcode / 10 == 47 ? LARAS_ANSWER_THROTTLED : LARAS_ANSWER_RETRY;
	return code >= 500 && code < 600 ? LARAS_ANSWER_REFUSED : LARAS_ANSWER_UNCERTAIN;
}

static void
read_answer(int status, const char *body, size_t n, const LarasAllocator *allocator,
			LarasSendAnswer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->error_subcode = enhanced(body, n);
	answer->answer = meaning(status, answer->error_subcode);
	if (answer->answer == LARAS_ANSWER_SENT)
		answer->error_subcode = 0;
	else
		answer->error_code = status;
	if (answer->answer == LARAS_ANSWER_THROTTLED)
		answer->throttle = LARAS_THROTTLE_NUMBER;
}

/* a mail of more than some 20 MB is refused by many; base64 makes four bytes of three */
#define LARGEST_FILE (INT64_C(14) * 1024 * 1024)

static const LarasMediaLimit limits[] = {
	{"image/jpeg", "image", LARGEST_FILE, true}, {"image/png", "image", LARGEST_FILE, true},
	{"image/gif", "image", LARGEST_FILE, true},  {"image/webp", "image", LARGEST_FILE, true},
	{"video/mp4", "video", LARGEST_FILE, true},  {"audio/mpeg", "audio", LARGEST_FILE, true},
	{"audio/ogg", "audio", LARGEST_FILE, true},  {"audio/mp4", "audio", LARGEST_FILE, true},
	{"", "document", LARGEST_FILE, true},        {NULL, NULL, 0, false},
};

const LarasSendMediaDriver laras_email_send_media = {
	.limits = limits,
	.way = LARAS_MEDIA_WITHIN,
	.build = build,
};

const struct LarasSendDriver laras_email_send = {
	.media = &laras_email_send_media,
	.build_text = build_text,
	.read_answer = read_answer,
	.wants_thread = true,
	.text_limit = LONGEST_TEXT,
	.text_unit = LARAS_TEXT_BYTES,
};
