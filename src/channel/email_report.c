/*
 * email_report.c
 *		What became of another mail, as a report tells it: a bounce (RFC 3464) or a
 *		receipt (RFC 3798).
 */
#include "channel/email_header.h"

#include <string.h>

#define LONGEST_REPORT (64 * 1024)

/* Fields of a part that consists of them, as a header does. */
static GMimeObject *
fields_of(GMimePart *part)
{
	bool cut = false;
	GByteArray *bytes = laras_mail_content(part, LONGEST_REPORT, &cut);
	GMimeStream *memory;
	GMimeParser *parser;
	GMimeObject *fields;

	if (bytes == NULL)
		return NULL;
	memory = g_mime_stream_mem_new_with_buffer((char *) bytes->data, bytes->len);
	g_byte_array_free(bytes, TRUE);
	parser = g_mime_parser_new_with_stream(memory);
	g_object_unref(memory);
	fields = g_mime_parser_construct_part(parser, NULL);
	g_object_unref(parser);
	return fields;
}

/* The fields of one recipient of a bounce; the first of several is enough. */
static void
read_delivery(json_t *report, GMimePart *part)
{
	bool cut = false;
	GByteArray *bytes = laras_mail_content(part, LONGEST_REPORT, &cut);
	char *text = bytes == NULL ? NULL : g_strndup((char *) bytes->data, bytes->len);
	char **lines = text == NULL ? NULL : g_strsplit(text, "\n", 1000);

	for (int i = 0; lines != NULL && lines[i] != NULL; i++)
	{
		static const struct
		{
			const char *field;
			const char *member;
		} wanted[] = {{"action:", "action"},
					  {"status:", "status"},
					  {"diagnostic-code:", "diagnostic"},
					  {"final-recipient:", "recipient"}};

		for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
			if (g_ascii_strncasecmp(lines[i], wanted[k].field, strlen(wanted[k].field)) == 0 &&
				json_object_get(report, wanted[k].member) == NULL)
				laras_mail_put_word(report, wanted[k].member,
									g_strstrip(lines[i] + strlen(wanted[k].field)));
	}
	g_strfreev(lines);
	g_free(text);
	if (bytes != NULL)
		g_byte_array_free(bytes, TRUE);
}

json_t *
laras_mail_report(GMimeMultipart *multipart)
{
	json_t *report = laras_json_object();
	int n = g_mime_multipart_get_count(multipart);

	for (int i = 0; report != NULL && i < n && i < 10; i++)
	{
		GMimeObject *child = g_mime_multipart_get_part(multipart, i);
		GMimeContentType *type = child == NULL ? NULL : g_mime_object_get_content_type(child);

		if (type == NULL)
			continue;
		if (g_mime_content_type_is_type(type, "message", "delivery-status") && GMIME_IS_PART(child))
		{
			laras_mail_put_word(report, "kind", "bounce");
			read_delivery(report, GMIME_PART(child));
		}
		else if (g_mime_content_type_is_type(type, "message", "disposition-notification") &&
				 GMIME_IS_PART(child))
		{
			GMimeObject *fields = fields_of(GMIME_PART(child));

			laras_mail_put_word(report, "kind", "receipt");
			if (fields != NULL)
			{
				laras_mail_put(report, "message_id",
							   laras_mail_id(
								   g_mime_object_get_header(fields, "Original-Message-ID")));
				laras_mail_put_word(report, "disposition",
									g_mime_object_get_header(fields, "Disposition"));
				g_object_unref(fields);
			}
		}
		else if ((g_mime_content_type_is_type(type, "text", "rfc822-headers") ||
				  laras_mail_is_within(type)) &&
				 GMIME_IS_PART(child))
		{
			GMimeObject *fields = fields_of(GMIME_PART(child));

			if (fields != NULL && json_object_get(report, "message_id") == NULL)
				laras_mail_put(report, "message_id",
							   laras_mail_id(g_mime_object_get_header(fields, "Message-ID")));
			if (fields != NULL)
				g_object_unref(fields);
		}
	}
	if (json_object_size(report) > 0)
		return report;
	json_decref(report);
	return NULL;
}
