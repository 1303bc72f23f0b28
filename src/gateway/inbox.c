/*
 * inbox.c
 *		The inbox over HTTP: conversations, their messages, a person's answers.
 *
 * What is read are the views that applications read, so that the rules about who
 * sees what stand there alone; what is done are the functions of SQL.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define CONVERSATION                                                                    \
	"SELECT i.conversation_id AS id, i.last_message_at, i.contact_id, i.contact_name, " \
	"i.channel, i.connection_id, i.kind, i.state, i.unread FROM laras.inbox i "

LARAS_PLAN(read_conversations,
		   CONVERSATION
		   "WHERE ROW(i.last_message_at, i.conversation_id) OPERATOR(pg_catalog.<) ROW($1, $2) "
		   "AND ($4 IS NULL OR i.channel OPERATOR(pg_catalog.=) $4) "
		   "AND ($5 IS NULL OR i.state OPERATOR(pg_catalog.=) $5) "
		   "ORDER BY i.last_message_at DESC, i.conversation_id DESC LIMIT $3",
		   TIMESTAMPTZOID, INT8OID, INT4OID, TEXTOID, TEXTOID);

LARAS_PLAN(read_conversation, CONVERSATION "WHERE i.conversation_id OPERATOR(pg_catalog.=) $1",
		   INT8OID);

LARAS_PLAN(read_windows,
		   "SELECT w.purpose, w.reason, w.closes_at FROM laras.conversation_windows w "
		   "WHERE w.conversation_id OPERATOR(pg_catalog.=) $1 ORDER BY w.purpose",
		   INT8OID);

/* when a message was written, as the index message_conversation has it */
#define WRITTEN_AT \
	"CASE WHEN x.provider_timestamp IS NULL THEN x.created_at ELSE x.provider_timestamp END"

/*
 * The page is found before anything of it is revealed; each message by its key:
 * a limit keeps the planner from joining on the workspace alone.
 */
LARAS_PLAN(
	read_messages,
	"SELECT m.id, p.at, m.direction, m.kind, m.body, m.status, m.error_code, m.author_kind, "
	"m.author_id, m.about_message_id, m.provider_timestamp, m.created_at, m.historical, m.edited_at, "
	"m.unsent_at, coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('kind', t.kind, "
	"'content', t.content::jsonb) ORDER BY t.position) FROM laras.message_parts t "
	"WHERE t.message_id OPERATOR(pg_catalog.=) m.id), '[]') AS parts "
	"FROM (SELECT x.id, " WRITTEN_AT " AS at FROM laras.messages x "
	"WHERE x.conversation_id OPERATOR(pg_catalog.=) $1 "
	"AND ROW(" WRITTEN_AT ", x.id) OPERATOR(pg_catalog.<) ROW($2, $3) "
	"ORDER BY 2 DESC, 1 DESC LIMIT $4) p "
	"CROSS JOIN LATERAL (SELECT y.* FROM laras.messages y WHERE y.id OPERATOR(pg_catalog.=) p.id LIMIT 1) m "
	"ORDER BY p.at DESC, p.id DESC",
	INT8OID, TIMESTAMPTZOID, INT8OID, INT4OID);

LARAS_PLAN(send_reply, "SELECT laras.reply($1, $2, $3::jsonb) AS message_id", INT8OID, TEXTOID,
		   TEXTOID);

LARAS_PLAN(send_private_reply, "SELECT laras.private_reply($1, $2) AS message_id", INT8OID,
		   TEXTOID);

static Datum
word_datum(LarasText word)
{
	return laras_text_datum(word.s, word.n);
}

void
laras_http_conversations(LarasHttp *h)
{
	LarasText channel = laras_http_parameter(h->query, "channel");
	LarasText state = laras_http_parameter(h->query, "state");
	char nulls[] = {' ', ' ', ' ', channel.s ? ' ' : 'n', state.s ? ' ' : 'n', '\0'};
	LarasPage page;
	uint64 found;

	laras_require_scope(LARAS_SCOPE_INBOX);
	if (!laras_http_page(h, true, &page) || !laras_http_known_channel(h, channel) ||
		!laras_http_known_word(h, state, "state", "open waiting closed"))
		return;
	laras_spi_open();
	found = laras_spi_read(&read_conversations,
						   (Datum[]){TimestampTzGetDatum(page.at), Int64GetDatum(page.id),
									 Int32GetDatum(page.limit + 1), word_datum(channel),
									 word_datum(state)},
						   nulls);
	laras_http_rows(h, "conversations", found, &page);
	laras_spi_close();
}

/* The id of a path's conversation that there is; false: answered. Inside SPI, its row read. */
static bool
known_conversation(LarasHttp *h, int64 *id)
{
	if (laras_http_id(h->capture[0], id) &&
		laras_spi_read(&read_conversation, (Datum[]){Int64GetDatum(*id)}, NULL) > 0)
		return true;
	laras_http_error(h, 404, "not_found", "no such conversation");
	return false;
}

void
laras_http_conversation(LarasHttp *h)
{
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	if (known_conversation(h, &id))
	{
		json_t *conversation = laras_http_row(0);
		json_t *windows = laras_json_own(json_array());
		uint64 found = laras_spi_read(&read_windows, (Datum[]){Int64GetDatum(id)}, NULL);

		for (uint64 i = 0; i < found; i++)
			json_array_append(windows, laras_http_row(i));
		json_object_set(conversation, "windows", windows);
		laras_http_json(h, 200, json_incref(conversation));
	}
	laras_spi_close();
}

void
laras_http_messages(LarasHttp *h)
{
	LarasPage page;
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	if (!laras_http_page(h, true, &page))
		return;
	laras_spi_open();
	if (known_conversation(h, &id))
	{
		uint64 found =
			laras_spi_read(&read_messages,
						   (Datum[]){Int64GetDatum(id), TimestampTzGetDatum(page.at),
									 Int64GetDatum(page.id), Int32GetDatum(page.limit + 1)},
						   NULL);

		laras_http_rows(h, "messages", found, &page);
	}
	laras_spi_close();
}

/* Something that a person says: to whom is in the path, what in the body's member "body". */
static void
say(LarasHttp *h, LarasPlan *plan, const char *options, const char *nobody)
{
	LarasText text = laras_json_text_at(h->document, "body");
	int64 id;

	laras_require_scope(LARAS_SCOPE_INBOX);
	if (!laras_http_id(h->capture[0], &id))
	{
		laras_http_error(h, 404, "not_found", nobody);
		return;
	}
	if (text.s == NULL)
	{
		laras_http_error(h, 422, "incomplete", "the text is needed, as body");
		return;
	}
	laras_spi_open();
	laras_http_found(h,
					 laras_spi_run(plan,
								   (Datum[]){Int64GetDatum(id), word_datum(text),
											 CStringGetTextDatum(options)},
								   NULL),
					 nobody);
	laras_spi_close();
}

void
laras_http_reply(LarasHttp *h)
{
	json_t *options = laras_json_get(h->document, "options");

	say(h, &send_reply, json_is_object(options) ? laras_json_text_of(options, NULL) : "{}",
		"no such conversation");
}

void
laras_http_private_reply(LarasHttp *h)
{
	say(h, &send_private_reply, "{}", "no such comment");
}
