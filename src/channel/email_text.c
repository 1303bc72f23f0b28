/*
 * email_text.c
 *		What of a mail's text is to be read: without stray bytes, without markup,
 *		without the mail that it answers.
 *
 * Plain C over bytes: any input is read to its end in one pass a function, and
 * what comes out is well-formed UTF-8.
 */
#include "channel/email.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------ growing texts */

void
laras_mail_add(LarasMailText *t, const char *s, size_t n)
{
	if (t->cut || n == 0)
		return;
	if (n > t->limit - t->n)
	{
		n = t->limit - t->n;
		/* not within a character */
		while (n > 0 && ((unsigned char) s[n] & 0xC0) == 0x80)
			n--;
		t->cut = true;
	}
	if (t->n + n + 1 > t->room)
	{
		size_t room = t->room == 0 ? 1024 : t->room;
		char *grown;

		while (room < t->n + n + 1)
			room *= 2;
		grown = realloc(t->s, room);
		if (grown == NULL)
		{
			t->cut = true;
			return;
		}
		t->s = grown;
		t->room = room;
	}
	memcpy(t->s + t->n, s, n);
	t->n += n;
	t->s[t->n] = '\0';
}

void
laras_mail_free(LarasMailText *t)
{
	free(t->s);
	memset(t, 0, sizeof(*t));
}

static void
add_word(LarasMailText *t, const char *word)
{
	laras_mail_add(t, word, strlen(word));
}

/* Bytes of the character that begins here; 0 where none does. */
static size_t
character(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	unsigned code;

	if (length == 1)
		return 1;
	if (s[0] < 0xC2 || s[0] > 0xF4 || length > n)
		return 0;
	code = s[0] & (0x7F >> length);
	for (size_t i = 1; i < length; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3F);
	}
	/* too long for what it says, half of a pair, beyond the last */
	if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000) || code > 0x10FFFF ||
		(code >= 0xD800 && code <= 0xDFFF))
		return 0;
	return length;
}

/* Does nobody see it: a mark of order, a joiner of nothing, a byte-order mark? */
static bool
is_invisible(const unsigned char *s, size_t n)
{
	return n == 3 && ((s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF) ||
					  (s[0] == 0xE2 && s[1] == 0x80 && (s[2] == 0x8B || s[2] >= 0xAA) &&
					   (s[2] == 0x8B || s[2] <= 0xAE)) ||
					  (s[0] == 0xE2 && s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9));
}

void
laras_mail_clean(LarasMailText *to, const char *s, size_t n)
{
	size_t blanks = 0; /* of this line, not written yet */
	size_t breaks = 0;
	bool begun = to->n > 0;

	for (size_t at = 0; at < n && !to->cut;)
	{
		const unsigned char *c = (const unsigned char *) s + at;
		size_t length = character(c, n - at);

		at += length > 0 ? length : 1;
		if (length == 1 && *c == '\n')
		{
			blanks = 0;
			breaks++;
			continue;
		}
		if (length == 1 && (*c == ' ' || *c == '\t'))
		{
			blanks++;
			continue;
		}
		if ((length == 1 && (*c < ' ' || *c == 0x7F)) || (length > 0 && is_invisible(c, length)))
			continue;
		/* blank lines: at the beginning none, between others one */
		for (size_t i = 0; begun && i < breaks && i < 2; i++)
			laras_mail_add(to, "\n", 1);
		for (size_t i = 0; i < blanks && i < 200; i++)
			laras_mail_add(to, " ", 1);
		breaks = blanks = 0;
		begun = true;
		if (length == 0)
			add_word(to, "\xEF\xBF\xBD");
		else
			laras_mail_add(to, (const char *) c, length);
	}
}

/* ------------------------------------------------------------ flowed format */

void
laras_mail_unflow(LarasMailText *to, const char *s, size_t n, bool delsp)
{
	size_t quoted_before = 0;
	bool flows = false;

	for (size_t at = 0; at < n;)
	{
		const char *end = memchr(s + at, '\n', n - at);
		size_t next = end == NULL ? n : (size_t) (end - s) + 1;
		size_t stop = end == NULL ? n : (size_t) (end - s);
		size_t quoted = 0;
		bool signature;

		if (stop > at && s[stop - 1] == '\r')
			stop--;
		while (at < stop && s[at] == '>')
		{
			at++;
			quoted++;
		}
		if (at < stop && s[at] == ' ')
			at++;
		signature = stop - at == 3 && memcmp(s + at, "-- ", 3) == 0;
		if (!flows || quoted != quoted_before || signature)
		{
			if (to->n > 0 || at > 0)
				laras_mail_add(to, "\n", 1);
			for (size_t i = 0; i < quoted && i < 20; i++)
				laras_mail_add(to, ">", 1);
			if (quoted > 0)
				laras_mail_add(to, " ", 1);
		}
		flows = !signature && stop > at && s[stop - 1] == ' ';
		laras_mail_add(to, s + at, stop - at - (flows && delsp ? 1 : 0));
		quoted_before = quoted;
		at = next;
	}
}

/* --------------------------------------------------------------------- HTML */

#define LONGEST_NAME 16

typedef struct Html
{
	const char *s;
	size_t n;
	size_t at;
	LarasMailText *to;
	int quotes; /* blockquotes around */
	int breaks; /* newlines due before the next word */
	bool space; /* a blank is due before it */
	bool line_begun;
	char hidden[LONGEST_NAME]; /* the element whose content nobody sees; "": none */
	int hidden_depth;          /* of elements of that name within it */
} Html;

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static void
break_line(Html *h, int lines)
{
	if (h->breaks < lines)
		h->breaks = lines;
	h->space = false;
}

/* What is due before a word: newlines with their quote marks, or a blank. */
static void
begin_word(Html *h)
{
	for (int i = 0; i < h->breaks && h->to->n > 0; i++)
	{
		laras_mail_add(h->to, "\n", 1);
		h->line_begun = false;
	}
	if (!h->line_begun)
	{
		for (int i = 0; i < h->quotes && i < 20; i++)
			add_word(h->to, "> ");
		h->line_begun = true;
	}
	else if (h->space)
		laras_mail_add(h->to, " ", 1);
	h->breaks = 0;
	h->space = false;
}

static void
add_code(LarasMailText *to, unsigned code)
{
	char out[4];
	size_t n;

	if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		code = 0xFFFD;
	if (code < 0x80)
	{
		out[0] = (char) code;
		n = 1;
	}
	else if (code < 0x800)
	{
		out[0] = (char) (0xC0 | code >> 6);
		out[1] = (char) (0x80 | (code & 0x3F));
		n = 2;
	}
	else if (code < 0x10000)
	{
		out[0] = (char) (0xE0 | code >> 12);
		out[1] = (char) (0x80 | (code >> 6 & 0x3F));
		out[2] = (char) (0x80 | (code & 0x3F));
		n = 3;
	}
	else
	{
		out[0] = (char) (0xF0 | code >> 18);
		out[1] = (char) (0x80 | (code >> 12 & 0x3F));
		out[2] = (char) (0x80 | (code >> 6 & 0x3F));
		out[3] = (char) (0x80 | (code & 0x3F));
		n = 4;
	}
	laras_mail_add(to, out, n);
}

/* The entity that begins at an ampersand: its code and length; length 0 where there is none. */
static unsigned
entity(const char *s, size_t n, size_t *length)
{
	static const struct
	{
		const char *name;
		unsigned code;
	} names[] = {{"amp", '&'},       {"lt", '<'},       {"gt", '>'},       {"quot", '"'},
				 {"apos", '\''},     {"nbsp", ' '},     {"copy", 0xA9},    {"reg", 0xAE},
				 {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
				 {"rsquo", 0x2019},  {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"bull", 0x2022},
				 {"euro", 0x20AC},   {"pound", 0xA3},   {"yen", 0xA5},     {"deg", 0xB0},
				 {"times", 0xD7},    {"eacute", 0xE9},  {"egrave", 0xE8},  {"agrave", 0xE0},
				 {"uuml", 0xFC},     {"ouml", 0xF6},    {"auml", 0xE4},    {"ccedil", 0xE7},
				 {"ntilde", 0xF1},   {"szlig", 0xDF},   {"laquo", 0xAB},   {"raquo", 0xBB},
				 {"middot", 0xB7},   {"zwnj", 0x200C},  {"shy", 0xAD},     {"trade", 0x2122}};
	size_t at = 1;
	unsigned code = 0;

	*length = 0;
	if (n > 2 && s[1] == '#')
	{
		bool hex = s[2] == 'x' || s[2] == 'X';
		size_t first = at = hex ? 3 : 2;

		for (; at < n && at < first + 8; at++)
		{
			char c = lower(s[at]);
			unsigned digit = c >= '0' && c <= '9'          ? (unsigned) (c - '0')
							 : hex && c >= 'a' && c <= 'f' ? (unsigned) (c - 'a') + 10
														   : 99;

			if (digit == 99)
				break;
			code = code > 0x110000 ? code : code * (hex ? 16 : 10) + digit;
		}
		if (at == first)
			return 0;
		*length = at + (at < n && s[at] == ';');
		return code == 0xA0 ? ' ' : code;
	}
	while (at < n && at < 10 && is_alnum(s[at]))
		at++;
	if (at >= n || s[at] != ';')
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == at - 1 && memcmp(names[i].name, s + 1, at - 1) == 0)
		{
			*length = at + 1;
			return names[i].code;
		}
	return 0;
}

/* Does this text of attributes hide the element from who reads? */
static bool
hides(const char *s, size_t n)
{
	static const char *const ways[] = {"display:none",
									   "display: none",
									   "visibility:hidden",
									   "mso-hide:all",
									   "font-size:0px",
									   "max-height:0px",
									   NULL};

	for (size_t at = 0; at < n; at++)
		for (const char *const *way = ways; *way != NULL; way++)
		{
			size_t k = 0;

			while ((*way)[k] != '\0' && at + k < n && lower(s[at + k]) == (*way)[k])
				k++;
			if ((*way)[k] == '\0')
				return true;
		}
	return false;
}

static const char *const silent[] = {"script",   "style",    "head", "title",
									 "noscript", "template", NULL};
static const char *const blocks[] = {"div",     "tr",     "table",  "ul",      "ol", "li",
									 "section", "header", "footer", "dl",      "dt", "dd",
									 "pre",     "hr",     "form",   "address", NULL};
static const char *const paragraphs[] = {"p",  "h1", "h2",         "h3", "h4",
										 "h5", "h6", "blockquote", NULL};
static const char *const voids[] = {"br", "img", "hr", "meta", "link", "input", "wbr", "col", NULL};

static void
element(Html *h, const char *name, bool closing, const char *attributes, size_t n)
{
	if (h->hidden[0] != '\0')
	{
		if (strcmp(name, h->hidden) != 0)
			return;
		h->hidden_depth += closing ? -1 : 1;
		if (h->hidden_depth == 0)
			h->hidden[0] = '\0';
		return;
	}
	if (!closing && !is_one_of(name, voids) && (is_one_of(name, silent) || hides(attributes, n)))
	{
		memcpy(h->hidden, name, LONGEST_NAME);
		h->hidden_depth = 1;
		return;
	}
	if (strcmp(name, "br") == 0)
	{
		/* of two in a row each counts */
		h->breaks++;
		h->space = false;
	}
	else if (strcmp(name, "blockquote") == 0)
	{
		break_line(h, 1);
		h->quotes += closing ? (h->quotes > 0 ? -1 : 0) : 1;
	}
	else if (is_one_of(name, paragraphs))
		break_line(h, 2);
	else if (is_one_of(name, blocks))
	{
		break_line(h, 1);
		if (strcmp(name, "li") == 0 && !closing)
		{
			begin_word(h);
			add_word(h->to, "- ");
		}
	}
	else if (strcmp(name, "td") == 0 || strcmp(name, "th") == 0)
		h->space = true;
}

/* A tag, a comment or a lone angle bracket; at stands on it. */
static void
markup(Html *h)
{
	const char *s = h->s + h->at;
	size_t n = h->n - h->at;
	char name[LONGEST_NAME] = {0};
	bool closing = n > 1 && s[1] == '/';
	size_t at = closing ? 2 : 1;
	size_t length = 0;
	size_t attributes;
	char quote = '\0';

	if (n >= 4 && memcmp(s, "<!--", 4) == 0)
	{
		for (at = 4; at < n; at++)
			if (n - at >= 3 && memcmp(s + at, "-->", 3) == 0)
				break;
		h->at += at < n ? at + 3 : n;
		return;
	}
	if (at >= n || !(is_alnum(s[at]) || s[at] == '!' || s[at] == '?'))
	{
		if (h->hidden[0] == '\0')
		{
			begin_word(h);
			laras_mail_add(h->to, "<", 1);
		}
		h->at++;
		return;
	}
	while (at < n && is_alnum(s[at]) && length < LONGEST_NAME - 1)
		name[length++] = lower(s[at++]);
	attributes = at;
	for (; at < n && (quote != '\0' || s[at] != '>'); at++)
	{
		if (quote != '\0' && s[at] == quote)
			quote = '\0';
		else if (quote == '\0' && (s[at] == '"' || s[at] == '\''))
			quote = s[at];
	}
	/* a quote that never ends would swallow the rest: such a tag ends where it could */
	if (at >= n && quote != '\0')
		for (at = attributes; at < n && s[at] != '>'; at++)
			;
	element(h, name, closing, s + attributes, at - attributes);
	h->at += at < n ? at + 1 : n;
}

void
laras_mail_of_html(LarasMailText *to, const char *s, size_t n)
{
	Html h = {.s = s, .n = n, .to = to};

	while (h.at < n && !to->cut)
	{
		char c = s[h.at];
		size_t length;
		unsigned code;

		if (c == '<')
		{
			markup(&h);
			continue;
		}
		if (h.hidden[0] != '\0' || is_blank(c))
		{
			h.space = h.space || h.hidden[0] == '\0';
			h.at++;
			continue;
		}
		code = c == '&' ? entity(s + h.at, n - h.at, &length) : 0;
		if (c == '&' && length > 0)
		{
			h.at += length;
			if (code == ' ')
				h.space = true;
			else
			{
				begin_word(&h);
				add_code(to, code);
			}
			continue;
		}
		begin_word(&h);
		laras_mail_add(to, &c, 1);
		h.at++;
	}
}

/* ------------------------------------------------------------------- quotes */

static bool
line_begins(const char *s, size_t n, const char *word)
{
	size_t length = strlen(word);

	if (n < length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (lower(s[i]) != word[i])
			return false;
	return true;
}

static bool
line_ends(const char *s, size_t n, const char *word)
{
	size_t length = strlen(word);

	return n >= length && line_begins(s + n - length, length, word);
}

/* "On Thu, 20 Nov 2025 at 08:00, Sari <sari@example.net> wrote:", in the languages that are met here. */
static bool
is_attribution(const char *s, size_t n)
{
	static const char *const ends[] = {"wrote:",
									   "menulis:",
									   "escreveu:",
									   "schrieb:",
									   "schreef:",
									   "\xC3\xA9"
									   "crit :",
									   "\xC3\xA9"
									   "crit:",
									   "escribi\xC3\xB3:",
									   "ha scritto:",
									   NULL};

	for (const char *const *end = ends; *end != NULL; end++)
		if (line_ends(s, n, *end))
			return true;
	return false;
}

/* A line that a mail program puts between the answer and what is answered. */
static bool
is_divider(const char *s, size_t n)
{
	static const char *const dividers[] = {
		"-----original message-----",         "-----pesan asli-----",
		"---------- forwarded message",       "---------- pesan diteruskan",
		"-------- original message --------", "________________________________",
		"begin forwarded message:",           NULL};

	for (const char *const *divider = dividers; *divider != NULL; divider++)
		if (line_begins(s, n, *divider))
			return true;
	return false;
}

/* "From: ..." directly followed by "Sent:", "Date:" or "To:": the head of a mail that is answered. */
static bool
is_head(const char *s, size_t n, const char *next, size_t next_n)
{
	static const char *const froms[] = {"from: ", "dari: ", "*from:* ", NULL};
	static const char *const nexts[] = {"sent: ",    "date: ",    "to: ",
										"dikirim: ", "tanggal: ", "kepada: ",
										"*sent:* ",  "*date:* ",  NULL};

	for (const char *const *from = froms; *from != NULL; from++)
		if (line_begins(s, n, *from))
			for (const char *const *word = nexts; *word != NULL; word++)
				if (line_begins(next, next_n, *word))
					return true;
	return false;
}

static size_t
line_length(const char *s, size_t n, size_t at)
{
	const char *end = at < n ? memchr(s + at, '\n', n - at) : NULL;

	return end == NULL ? n - at : (size_t) (end - s) - at;
}

/* Are all lines from here on quoted or empty? */
static bool
only_quotes(const char *s, size_t n, size_t at)
{
	while (at < n)
	{
		size_t length = line_length(s, n, at);

		if (length > 0 && s[at] != '>')
			return false;
		at += length + 1;
	}
	return true;
}

static size_t
without_end(const char *s, size_t n)
{
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	return n;
}

size_t
laras_mail_own_part(const char *s, size_t n)
{
	size_t own = n;

	for (size_t at = 0; at < n && own == n;)
	{
		size_t length = line_length(s, n, at);
		size_t next = at + length + 1 < n ? at + length + 1 : n;
		size_t next_length = line_length(s, n, next);

		if (is_divider(s + at, length) || is_head(s + at, length, s + next, next_length))
			own = at;
		/* a signature; blanks at the end of a line are gone already */
		else if (length == 2 && s[at] == '-' && s[at + 1] == '-')
			own = at;
		else if (length > 0 && s[at] == '>' && only_quotes(s, n, at))
			own = at;
		else if (is_attribution(s + at, length) && only_quotes(s, n, next))
			own = at;
		/* an attribution that was broken over two lines */
		else if (next < n &&
				 (line_begins(s + at, length, "on ") || line_begins(s + at, length, "pada ")) &&
				 is_attribution(s + next, next_length) &&
				 only_quotes(s, n, next + next_length + 1 < n ? next + next_length + 1 : n))
			own = at;
		at += length + 1;
	}
	own = without_end(s, own);
	return own == 0 ? n : own;
}
