/*
 * email_header.c
 *		Header fields of a mail in its document.
 */
#include "channel/email_header.h"

#include <string.h>

#define MOST_ADDRESSES 50
#define MOST_REFERENCES 20
#define LONGEST_VALUE 998

GByteArray *
laras_mail_content(GMimePart *part, size_t limit, bool *cut)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *memory = g_mime_stream_mem_new();
	GByteArray *bytes;

	if (content != NULL)
		g_mime_data_wrapper_write_to_stream(content, memory);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(memory), FALSE);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
	g_object_unref(memory);
	if (bytes != NULL && bytes->len > limit)
	{
		*cut = true;
		g_byte_array_set_size(bytes, (guint) limit);
	}
	return bytes;
}

const char *const laras_mail_within[] = {"rfc822", "rfc2822", "global", "news", NULL};

bool
laras_mail_is_within(GMimeContentType *type)
{
	for (int i = 0; laras_mail_within[i] != NULL; i++)
		if (g_mime_content_type_is_type(type, "message", laras_mail_within[i]))
			return true;
	return false;
}

json_t *
laras_mail_word(const char *s)
{
	LarasMailText clean = {.limit = LONGEST_VALUE};
	json_t *j;

	if (s == NULL)
		return NULL;
	laras_mail_clean(&clean, s, strlen(s));
	for (size_t i = 0; i < clean.n; i++)
		if (clean.s[i] == '\n' || clean.s[i] == '\t')
			clean.s[i] = ' ';
	j = clean.n == 0 ? NULL : json_stringn(clean.s, clean.n);
	laras_mail_free(&clean);
	return j;
}

void
laras_mail_put(json_t *to, const char *member, json_t *value)
{
	if (value != NULL)
		json_object_set_new(to, member, value);
}

void
laras_mail_put_word(json_t *to, const char *member, const char *s)
{
	laras_mail_put(to, member, laras_mail_word(s));
}

json_t *
laras_mail_addresses(InternetAddressList *list)
{
	json_t *array = NULL;
	int n = list == NULL ? 0 : internet_address_list_length(list);

	for (int i = 0; i < n && i < MOST_ADDRESSES; i++)
	{
		InternetAddress *entry = internet_address_list_get_address(list, i);
		json_t *one;

		if (!INTERNET_ADDRESS_IS_MAILBOX(entry) || (one = laras_json_object()) == NULL)
			continue;
		laras_mail_put_word(one, "name", internet_address_get_name(entry));
		laras_mail_put_word(one, "address",
							internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(entry)));
		if (array == NULL)
			array = json_array();
		json_array_append_new(array, one);
	}
	return array;
}

/* Ids between angle brackets; the last ones, which are the nearest. */
static json_t *
ids_json(const char *value)
{
	GMimeReferences *references;
	json_t *array = NULL;
	int n;

	if (value == NULL)
		return NULL;
	references = g_mime_references_parse(NULL, value);
	n = references == NULL ? 0 : g_mime_references_length(references);
	for (int i = n > MOST_REFERENCES ? n - MOST_REFERENCES : 0; i < n; i++)
	{
		json_t *id = laras_mail_word(g_mime_references_get_message_id(references, i));

		if (id == NULL)
			continue;
		if (array == NULL)
			array = json_array();
		json_array_append_new(array, id);
	}
	if (references != NULL)
		g_mime_references_free(references);
	return array;
}

json_t *
laras_mail_id(const char *value)
{
	char *id = value == NULL ? NULL : g_mime_utils_decode_message_id(value);
	json_t *j = laras_mail_word(id);

	g_free(id);
	return j;
}

static json_t *
date_json(const char *value)
{
	GDateTime *date = value == NULL ? NULL : g_mime_utils_header_decode_date(value);
	gint64 seconds = 0;

	if (date != NULL)
	{
		seconds = g_date_time_to_unix(date);
		g_date_time_unref(date);
	}
	return seconds > 0 ? json_integer((json_int_t) seconds) : NULL;
}

GMimeParserOptions *
laras_mail_options(void)
{
	static const char *fallbacks[] = {"utf-8", "iso-8859-1", NULL};
	GMimeParserOptions *loose = g_mime_parser_options_new();

	g_mime_parser_options_set_address_compliance_mode(loose, GMIME_RFC_COMPLIANCE_LOOSE);
	g_mime_parser_options_set_parameter_compliance_mode(loose, GMIME_RFC_COMPLIANCE_LOOSE);
	g_mime_parser_options_set_rfc2047_compliance_mode(loose, GMIME_RFC_COMPLIANCE_LOOSE);
	g_mime_parser_options_set_fallback_charsets(loose, fallbacks);
	return loose;
}

/* How many fields of that name there are. */
static int
count_fields(GMimeObject *object, const char *name)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	int n = list == NULL ? 0 : g_mime_header_list_get_count(list);
	int found = 0;

	for (int i = 0; i < n; i++)
		found +=
			g_ascii_strcasecmp(g_mime_header_get_name(g_mime_header_list_get_header_at(list, i)),
							   name) == 0;
	return found;
}

/*
 * Who a From field names. Where it is too broken for that, what stands between
 * its last angle brackets.
 */
static json_t *
senders_json(const char *raw)
{
	GMimeParserOptions *loose = laras_mail_options();
	InternetAddressList *list = raw == NULL ? NULL : internet_address_list_parse(loose, raw);
	json_t *senders = laras_mail_addresses(list);
	const char *open = raw == NULL ? NULL : strrchr(raw, '<');
	const char *close = open == NULL ? NULL : strchr(open, '>');

	if (close != NULL && json_object_get(json_array_get(senders, 0), "address") == NULL)
	{
		char *address = g_strndup(open + 1, (gsize) (close - open - 1));
		json_t *one = laras_json_object();

		laras_mail_put_word(one, "address", address);
		json_decref(senders);
		senders = json_array();
		json_array_append_new(senders, one);
		g_free(address);
	}
	if (list != NULL)
		g_object_unref(list);
	g_mime_parser_options_free(loose);
	return senders;
}

void
laras_mail_header(json_t *document, GMimeMessage *message)
{
	static const struct
	{
		const char *field;
		const char *member;
	} machines[] = {
		{"Auto-Submitted", "auto_submitted"},
		{"Precedence", "precedence"},
		{"Return-Path", "return_path"},
		{"List-Id", "list_id"},
		{"List-Unsubscribe", "list_unsubscribe"},
		{"X-Auto-Response-Suppress", "auto_response_suppress"},
		{"X-Autoreply", "autoreply"},
		{"X-Autorespond", "autorespond"},
		{"Authentication-Results", "authentication"},
	};
	GMimeObject *object = GMIME_OBJECT(message);
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	GMimeHeader *from = list == NULL ? NULL : g_mime_header_list_get_header(list, "From");

	/* of several From fields the first, which is what mail programs show */
	laras_mail_put(document, "from",
				   senders_json(from == NULL ? NULL : g_mime_header_get_raw_value(from)));
	laras_mail_put(document, "from_fields", json_integer(count_fields(object, "From")));
	laras_mail_put(document, "sender", laras_mail_addresses(g_mime_message_get_sender(message)));
	laras_mail_put(document, "reply_to",
				   laras_mail_addresses(g_mime_message_get_reply_to(message)));
	laras_mail_put(document, "to", laras_mail_addresses(g_mime_message_get_to(message)));
	laras_mail_put(document, "cc", laras_mail_addresses(g_mime_message_get_cc(message)));
	laras_mail_put_word(document, "subject", g_mime_message_get_subject(message));
	laras_mail_put(document, "message_id",
				   laras_mail_id(g_mime_object_get_header(object, "Message-ID")));
	laras_mail_put(document, "date", date_json(g_mime_object_get_header(object, "Date")));
	laras_mail_put(document, "in_reply_to",
				   ids_json(g_mime_object_get_header(object, "In-Reply-To")));
	laras_mail_put(document, "references",
				   ids_json(g_mime_object_get_header(object, "References")));
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		laras_mail_put_word(document, machines[i].member,
							g_mime_object_get_header(object, machines[i].field));
}
