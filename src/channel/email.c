/*
 * email.c
 *		Email: mails that a mail server's pipe posts, one a body.
 *
 * Sources: RFC 5322 (messages), 3464 (bounces), 3798 (receipts), 3834 (answers
 * of machines), 2919 and 2369 (lists). What each rule here is for stands in
 * docs/explanation/email.md. An address is compared in lower case and written
 * to as its owner wrote it.
 *
 * Nothing in a mail proves who sent it. So a mail never counts as ours because
 * its From says so: only one that bears a mark of ours (a Message-ID made from an
 * attempt, whose MAC intake checks) tells of something that we sent.
 */
#include "channel/email.h"
#include "channel/media.h"
#include "channel/record.h"
#include "vault/numbers.h"

#include <string.h>

#define LONGEST_ID 998 /* of a Message-ID: a line */

/* --------------------------------------------------------------- addresses */

LarasText
laras_mail_address(const LarasAllocator *allocator, LarasText t, bool compared)
{
	LarasText none = {NULL, 0};
	const char *at = t.s == NULL ? NULL : memchr(t.s, '@', t.n);
	char *copy;

	/* one at sign with something on both sides, nothing that would end an address in a command or a header */
	if (at == NULL || at == t.s || t.n > 254 || at == t.s + t.n - 1 ||
		memchr(at + 1, '@', t.n - (size_t) (at + 1 - t.s)) != NULL)
		return none;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] <= ' ' || t.s[i] == 0x7F ||
			strchr("<>()[],;:\\\"", t.s[i]) != NULL)
			return none;
	copy = laras_allocate(allocator, t.n + 1);
	if (copy == NULL)
		return none;
	for (size_t i = 0; i < t.n; i++)
	{
		char c = t.s[i];

		copy[i] = (compared || t.s + i > at) && c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
	}
	return (LarasText){copy, t.n};
}

LarasText
laras_mail_mark(LarasText message_id)
{
	LarasText none = {NULL, 0};
	size_t mark = strlen(LARAS_MAIL_MARK);
	const char *at = message_id.s == NULL ? NULL : memchr(message_id.s, '@', message_id.n);

	if (at == NULL || message_id.n <= mark || memcmp(message_id.s, LARAS_MAIL_MARK, mark) != 0 ||
		at == message_id.s + mark)
		return none;
	return (LarasText){message_id.s + mark, (size_t) (at - message_id.s) - mark};
}

/* Can it be told apart and written back? What is no id of a mail counts as none. */
static bool
is_id(LarasText id)
{
	if (!laras_text_given(id) || id.n > LONGEST_ID)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char) id.s[i] <= ' ' || (unsigned char) id.s[i] >= 0x7F || id.s[i] == '<' ||
			id.s[i] == '>')
			return false;
	return true;
}

/* The first of a list that is an address; *name is what stands beside it. */
static LarasText
first_address(LarasReader *r, const json_t *list, LarasText *name, bool compared)
{
	LarasText address = {NULL, 0};
	json_t *entry;
	size_t i;

	json_array_foreach((json_t *) list, i, entry)
	{
		LarasText given = laras_json_text_at(entry, "address");

		address = laras_mail_address(r->allocator, given, compared);
		if (address.s == NULL)
			continue;
		if (name != NULL)
			*name = laras_json_text_at(entry, "name");
		break;
	}
	return address;
}

/* ---------------------------------------------------------- kinds of mails */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
begins(LarasText t, const char *word)
{
	size_t n = strlen(word);

	if (t.s == NULL || t.n < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(t.s[i]) != word[i])
			return false;
	return true;
}

/*
 * Mail that no person wrote to us: a word of message.kind, or NULL. None of it
 * is ever answered by itself (RFC 3834, 2).
 */
static const char *
machine_kind(const json_t *mail, LarasText from)
{
	static const char *const senders[] = {"mailer-daemon@", "postmaster@", "noreply@",
										  "no-reply@",      "donotreply@", "do-not-reply@",
										  "bounce@",        "bounces@"};
	static const char *const bulk[] = {"bulk", "junk", "list"};
	LarasText submitted = laras_json_text_at(mail, "auto_submitted");
	LarasText precedence = laras_json_text_at(mail, "precedence");
	LarasText returns = laras_json_text_at(mail, "return_path");

	if (laras_text_is(laras_json_text_at(laras_json_get(mail, "report"), "kind"), "bounce"))
		return "bounce";
	if (laras_json_get(mail, "list_id") != NULL || laras_json_get(mail, "list_unsubscribe") != NULL)
		return "list_mail";
	for (size_t i = 0; i < sizeof(bulk) / sizeof(bulk[0]); i++)
		if (begins(precedence, bulk[i]))
			return "list_mail";
	if (laras_text_is(returns, "<>"))
		return begins(from, "mailer-daemon@") ? "bounce" : "auto_reply";
	if ((submitted.s != NULL && !begins(submitted, "no")) || begins(precedence, "auto_reply") ||
		laras_json_get(mail, "autoreply") != NULL || laras_json_get(mail, "autorespond") != NULL)
		return "auto_reply";
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
		if (begins(from, senders[i]))
			return i < 2 ? "bounce" : "auto_reply";
	return NULL;
}

/* ----------------------------------------------------- what became of ours */

/* 5.1.1 as 511; what is no such code is 0. */
static int
enhanced_code(LarasText t)
{
	int code = 0;
	int digits = 0;

	for (size_t i = 0; i < t.n && digits < 5 && (t.s[i] == '.' || (t.s[i] >= '0' && t.s[i] <= '9'));
		 i++)
		if (t.s[i] != '.')
		{
			code = code * 10 + (t.s[i] - '0');
			digits++;
		}
	return digits >= 3 ? code : 0;
}

/* A bounce, a receipt, or a copy of a mail of ours: what it says of that. False where it says nothing. */
static bool
read_status(LarasReader *r, const json_t *mail)
{
	const json_t *report = laras_json_get(mail, "report");
	LarasText id = report != NULL ? laras_json_text_at(report, "message_id")
								  : laras_json_text_at(mail, "message_id");
	LarasText mark = laras_mail_mark(id);
	LarasText action = laras_json_text_at(report, "action");
	const char *status = "sent";
	LarasRecord *record;

	if (mark.s == NULL || !is_id(id))
		return false;
	if (laras_text_is(laras_json_text_at(report, "kind"), "receipt"))
		status = begins(laras_json_text_at(report, "disposition"),
						"manual-action/mdn-sent-manually; displayed") ||
						 begins(laras_json_text_at(report, "disposition"),
								"automatic-action/mdn-sent-automatically; displayed") ||
						 begins(laras_json_text_at(report, "disposition"),
								"manual-action/mdn-sent-automatically; displayed")
					 ? "read"
					 : "sent";
	else if (report != NULL)
		status = begins(action, "failed")                                    ? "failed"
				 : begins(action, "delivered") || begins(action, "expanded") ? "delivered"
																			 : "sent";
	record = laras_reader_next(r, LARAS_RECORD_STATUS, mail);
	record->provider_id = id;
	record->callback_data = mark;
	record->status = status;
	record->provider_time = laras_record_seconds(laras_json_get(mail, "date"));
	if (strcmp(status, "failed") == 0)
	{
		record->error_code = enhanced_code(laras_json_text_at(report, "status"));
		record->error_details = laras_json_text_at(report, "diagnostic");
	}
	record->event_key = laras_reader_print(r, "status|%s|%.*s", status, (int) id.n, id.s);
	return true;
}

/* ------------------------------------------------------------------ a mail */

/* The mail that this one answers: the nearest that it names. */
static LarasText
answered(const json_t *mail)
{
	const json_t *list = laras_json_get(mail, "in_reply_to");
	LarasText id;

	if (json_array_size(list) == 0)
	{
		list = laras_json_get(mail, "references");
		id = laras_json_text(json_array_get(list, json_array_size(list) - 1));
	}
	else
		id = laras_json_text(json_array_get(list, 0));
	if (!is_id(id))
		id.s = NULL;
	return id;
}

/* Its own words and, apart, what they answer. */
static void
read_words(LarasReader *r, LarasRecord *record, const json_t *mail)
{
	LarasText text = laras_json_text_at(mail, "text");
	size_t own;

	if (!laras_text_given(text))
		return;
	own = laras_mail_own_part(text.s, text.n);
	record->text = (LarasText){text.s, own};
	if (own < text.n)
	{
		while (own < text.n && text.s[own] == '\n')
			own++;
		laras_record_new_part(r, record, "quoted",
							  json_pack("{s:s%}", "text", text.s + own, text.n - own));
	}
}

/* What an answer of ours continues, and whoever else has the mail. */
static void
read_around(LarasReader *r, LarasRecord *record, const json_t *mail)
{
	static const char *const around[] = {
		"to",       "cc",    "sender",         "reply_to",       "text_kind",
		"text_cut", "cut",   "authentication", "auto_submitted", "precedence",
		"list_id",  "report"};
	json_t *thread = json_pack("{s:O*, s:O*, s:O*}", "subject", laras_json_get(mail, "subject"),
							   "in_reply_to", laras_json_get(mail, "in_reply_to"), "references",
							   laras_json_get(mail, "references"));
	json_t *extra = laras_json_object();
	json_t *file;
	size_t i;

	if (json_object_size(thread) > 0)
		laras_record_part(r, record, "thread", thread);
	json_decref(thread);
	json_array_foreach(laras_json_get(mail, "attachments"), i, file)
	{
		LarasText kind = laras_json_text_at(file, "kind");
		const char *word = laras_text_is(kind, "image")   ? "image"
						   : laras_text_is(kind, "video") ? "video"
						   : laras_text_is(kind, "audio") ? "audio"
														  : "document";
		int before = record->part_count;

		laras_record_new_part(r, record, word, laras_json_without(file, "kind"));
		/* what has a digest has bytes; of the mail that a report gives back neither is kept */
		if (record->part_count > before)
			record->parts[before].enclosed = laras_json_get(file, "sha256") != NULL;
		if (record->message_kind == NULL)
			record->message_kind = word;
	}
	for (i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		if (laras_json_get(mail, around[i]) != NULL)
			json_object_set(extra, around[i], laras_json_get(mail, around[i]));
	if (json_object_size(extra) > 0)
		laras_record_part(r, record, "extra", extra);
	json_decref(extra);
}

static void
read_mail(LarasReader *r, const json_t *mail, LarasText account)
{
	LarasText id = laras_json_text_at(mail, "message_id");
	LarasText name = {NULL, 0};
	LarasText from = first_address(r, laras_json_get(mail, "from"), &name, true);
	LarasText spelled = first_address(r, laras_json_get(mail, "from"), NULL, false);
	LarasText digest = laras_json_text_at(mail, "digest");
	int64_t fields = 1;
	const char *machine;
	LarasRecord *record;

	if (read_status(r, mail))
		return;
	if (from.s == NULL)
	{
		laras_reader_fault(r, mail, "message_without_sender");
		return;
	}
	if (account.s != NULL && laras_text_same(from, laras_mail_address(r->allocator, account, true)))
	{
		laras_reader_other(r, mail, "from_own_address");
		return;
	}
	laras_json_integer(laras_json_get(mail, "from_fields"), &fields);
	machine = machine_kind(mail, from);
	record = laras_reader_next(r, LARAS_RECORD_MESSAGE, mail);
	record->identities[0].kind = LARAS_INDEX_EMAIL;
	record->identities[0].value = from;
	record->identities[0].spelled = spelled;
	record->identity_count = 1;
	record->name = name;
	record->provider_time = laras_record_seconds(laras_json_get(mail, "date"));
	record->flags = machine == NULL ? LARAS_LIVE : 0;
	/* who wrote it is not certain: somebody may look, nothing is answered by itself */
	if (fields > 1)
		record->flags &= ~(unsigned) LARAS_WANTS_ANSWER;
	record->provider_id =
		is_id(id) ? id
				  : laras_reader_print(r, "sha256:%.*s", (int) digest.n, digest.s ? digest.s : "");
	record->event_key = laras_reader_print(r, "mail|%.*s", (int) record->provider_id.n,
										   record->provider_id.s ? record->provider_id.s : "");
	record->about = answered(mail);
	read_words(r, record, mail);
	if (record->text.s != NULL)
		record->message_kind = "text";
	read_around(r, record, mail);
	/* what stands in the subject alone was said there */
	if (record->message_kind == NULL && laras_text_given(laras_json_text_at(mail, "subject")))
	{
		record->text = laras_json_text_at(mail, "subject");
		record->message_kind = "text";
	}
	if (record->message_kind == NULL)
	{
		record->message_kind = "unsupported";
		record->keep_element = true;
		record->flags &= ~(unsigned) LARAS_WANTS_ANSWER;
	}
	if (machine != NULL)
		record->message_kind = machine;
}

/* ------------------------------------------------------------------ driver */

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	LarasReader r = {.allocator = allocator};

	read_mail(&r, piece, source->account);
	return laras_reader_end(&r, records, reason);
}

static int
parse_element(const json_t *element, const LarasAllocator *allocator, LarasRecord **records,
			  const char **reason)
{
	LarasReader r = {.allocator = allocator};
	LarasText nobody = {NULL, 0};

	read_mail(&r, element, nobody);
	return laras_reader_end(&r, records, reason);
}

const LarasChannelDriver laras_email_driver = {
	.channel = "email",
	.path = "email",
	.account_in_path = true,
	.path_is_connection = true,
	.keyed_by_account = true,
	.wants_source = true,
	.read = laras_email_read,
	.split = laras_split_whole,
	.parse = parse,
	.parse_element = parse_element,
	.version = 1,
	.send = &laras_email_send,
	.connect = &laras_email_connect,
	.enclosed = &laras_email_enclosed,
};
