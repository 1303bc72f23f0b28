/*
 * reply.c
 *		laras.reply and laras.private_reply: a person's own words, judged, stored
 *		and queued in one transaction. The window and opt-out are decided at
 *		hand-off.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/written.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "courier/courier.h"
#include "courier/resend.h"
#include "fmgr.h"
#include "inbox/addressee.h"
#include "inbox/inbox.h"
#include "media/give.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_reply);
PG_FUNCTION_INFO_V1(laras_private_reply);

LARAS_PLAN(
	find_comment,
	"SELECT m.conversation_id, m.connection_id, m.contact_id, m.channel, m.unsent_at IS NOT NULL, "
	"EXISTS (SELECT 1 FROM laras.window_rules w WHERE w.channel OPERATOR(pg_catalog.=) m.channel "
	"AND w.purpose OPERATOR(pg_catalog.=) ANY ('{private_reply,live_private_reply}'::pg_catalog.text[])) FROM laras.message m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
	"AND m.direction OPERATOR(pg_catalog.=) 'in' "
	"AND m.kind OPERATOR(pg_catalog.=) ANY ('{comment,live_comment,mention}'::pg_catalog.text[])",
	INT8OID, INT8OID);

LARAS_PLAN(
	find_direct,
	"SELECT v.id FROM laras.conversation v WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND v.connection_id OPERATOR(pg_catalog.=) $2 AND v.contact_id OPERATOR(pg_catalog.=) $3 "
	"AND v.surface OPERATOR(pg_catalog.=) 'message'",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(add_direct,
		   "INSERT INTO laras.conversation (workspace_id, id, connection_id, contact_id, channel) "
		   "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		   INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID);

/* one row a comment; another message may take the place of one that certainly was not sent */
LARAS_PLAN(
	log_private_reply,
	"INSERT INTO laras.private_reply AS r (workspace_id, comment_id, message_id, connection_id, contact_id) "
	"VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, comment_id) DO UPDATE SET message_id = excluded.message_id, "
	"tries = r.tries OPERATOR(pg_catalog.+) 1, created_at = laras.now() "
	"WHERE EXISTS (SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) r.workspace_id "
	"AND m.id OPERATOR(pg_catalog.=) r.message_id "
	"AND m.status OPERATOR(pg_catalog.=) ANY ('{failed,cancelled}'::pg_catalog.text[]))",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID);

/* where a text of a person goes; to.channel is in SPI's memory */
typedef struct Addressee
{
	LarasOutboxRow row;
	LarasAddressee to;
} Addressee;

static void
require_writer(const text *body, bool may_be_empty)
{
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	if (VARSIZE_ANY_EXHDR(body) > 0 || !may_be_empty)
		laras_require_shown((LarasText){VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)}, "a reply");
}

/* Lock what the text goes through, and see that it may. Inside SPI. */
static void
address(int64 conversation_id, Addressee *to)
{
	laras_addressee(conversation_id, &to->to);
	to->row.conversation_id = conversation_id;
	to->row.connection_id = to->to.connection_id;
	to->row.contact_id = to->to.contact_id;
}

/* Raises unless the classifier lets it pass. */
static void
judge(const Addressee *to, const char *text, size_t n, LarasTextVerdict *verdict)
{
	laras_judge_text(laras_bound_workspace(),
					 &(LarasOutgoing){.channel = to->to.channel,
									  .contact_slot = to->to.slot,
									  .message_id = to->row.message_id,
									  .contact_id = to->row.contact_id,
									  .purpose = to->row.purpose,
									  .text = text,
									  .n = n,
									  .own_words = true},
					 verdict);
	laras_require_let_through(to->to.channel, verdict);
}

/*
 * Judge the text and store it as a message that to->row is about. What media is
 * called is read by whoever gets it, and judged like the text. Inside SPI.
 */
static void
write_message(Addressee *to, const text *body)
{
	int64 workspace_id = laras_bound_workspace();
	const LarasPrincipal *who = laras_principal();
	const char *kind = "text";
	LarasTextVerdict verdict;

	to->row.message_id = laras_new_id();
	to->row.purpose = LARAS_PURPOSE_SERVICE;
	if (to->row.media_id != 0)
	{
		LarasText caption = {VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)};
		char *filename;

		kind = laras_media_for_reply(to->row.media_id, to->row.contact_id, to->to.channel, caption,
									 &filename);
		if (filename != NULL)
			judge(to, filename, strlen(filename), &verdict);
	}
	judge(to, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &verdict);
	laras_outbound_message(workspace_id, to->row.message_id, to->row.conversation_id, kind,
						   VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body),
						   who->kind == LARAS_PRINCIPAL_MEMBER ? "member"
						   : who->kind == LARAS_PRINCIPAL_KEY  ? "key"
															   : "service",
						   who->id);
	to->row.verdict_id = verdict.id;
	memcpy(to->row.text_digest, verdict.digest, sizeof(to->row.text_digest));
	to->row.approved_by = laras_principal_text(who);
	if (to->row.media_id != 0)
		laras_media_take(to->row.media_id, to->row.message_id);
}

static const json_t *
read_options(Datum options)
{
	static const LarasOption known[] = {{"comment_id", 'n'},
										{"media_id", 'n'},
										{"uncertain_policy", 's'}};

	return laras_options_read(options, known, lengthof(known));
}

/* The comment that options name, for an answer in public; 0: the last one. Inside SPI. */
static int64
named_comment(const json_t *options, const Addressee *to)
{
	int64_t id = 0;

	if (laras_json_get(options, "comment_id") == NULL)
		return 0;
	if (!to->to.in_public || !laras_json_integer(laras_json_get(options, "comment_id"), &id) ||
		laras_spi_run(&find_comment,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(id)},
					  NULL) == 0 ||
		laras_spi_int8(0, 1) != to->row.conversation_id)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such comment in the conversation")));
	return id;
}

/* The media that options name; 0: none. */
static int64
named_media(const json_t *options)
{
	int64_t id = 0;

	if (laras_json_get(options, "media_id") != NULL &&
		(!laras_json_integer(laras_json_get(options, "media_id"), &id) || id <= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("media_id must be an id")));
	return id;
}

/* What is to become of it while nobody knows whether it was sent; NULL: not said. */
static const char *
named_policy(const json_t *options)
{
	const json_t *given = laras_json_get(options, "uncertain_policy");

	if (given != NULL)
		laras_uncertain_policy_check(json_string_value(given));
	return json_string_value(given);
}

/*
 * laras.reply(conversation_id bigint, body text, options jsonb) returns bigint
 *
 * Returns the id of the message.
 */
Datum
laras_reply(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	text *body = PG_GETARG_TEXT_PP(1);
	const json_t *options = read_options(PG_GETARG_DATUM(2));
	Addressee to = {.row = {.kind = "text",
							.media_id = named_media(options),
							.uncertain_policy = named_policy(options)}};

	require_writer(body, to.row.media_id != 0);
	laras_spi_open();
	address(PG_GETARG_INT64(0), &to);
	to.row.target_id = named_comment(options, &to);
	if (to.row.media_id != 0)
	{
		to.row.kind = "media";
		if (to.to.in_public)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("media are sent to a person, not below a post")));
	}
	write_message(&to, body);
	laras_outbox_add(laras_bound_workspace(), &to.row);
	laras_drafts_superseded(laras_bound_workspace(), to.row.conversation_id);
	laras_spi_close();
	PG_RETURN_INT64(to.row.message_id);
}

/* The direct messages with whoever commented over that connection: there, or begun now. Inside SPI. */
static int64
direct_messages(int64 connection_id, int64 contact_id, const char *channel)
{
	Datum key[3] = {Int64GetDatum(laras_bound_workspace()), Int64GetDatum(connection_id),
					Int64GetDatum(contact_id)};

	if (laras_spi_run(&find_direct, key, NULL) == 0)
	{
		laras_spi_run(&add_direct,
					  (Datum[]){key[0], Int64GetDatum(laras_new_id()), key[1], key[2],
								CStringGetTextDatum(channel)},
					  NULL);
		if (laras_spi_run(&find_direct, key, NULL) == 0)
			ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such conversation")));
	}
	return laras_spi_int8(0, 1);
}

/*
 * laras.private_reply(comment_id bigint, body text) returns bigint
 *
 * Returns the id of the message.
 */
Datum
laras_private_reply(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 comment_id = PG_GETARG_INT64(0);
	text *body = PG_GETARG_TEXT_PP(1);
	Addressee to = {.row = {.kind = "private_reply", .target_id = comment_id}};
	int64 thread;
	int64 connection_id;
	int64 contact_id;
	char *channel;

	require_writer(body, false);
	laras_spi_open();
	if (laras_spi_run(&find_comment,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(comment_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such comment")));
	thread = laras_spi_int8(0, 1);
	connection_id = laras_spi_int8(0, 2);
	contact_id = laras_spi_int8(0, 3);
	channel = laras_spi_cstring(0, 4);
	if (!laras_spi_bool(0, 6))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("comments of this channel are not answered in private"),
						errhint("Answer in public, by laras.reply.")));
	if (laras_spi_bool(0, 5))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the comment was deleted")));
	/* what may not be written to is refused before a conversation is begun */
	address(thread, &to);
	address(direct_messages(connection_id, contact_id, channel), &to);
	write_message(&to, body);
	if (laras_spi_run(&log_private_reply,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(comment_id),
								Int64GetDatum(to.row.message_id), Int64GetDatum(connection_id),
								Int64GetDatum(contact_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
						errmsg("the comment was answered in private already"),
						errhint("Providers allow one private reply to a comment.")));
	laras_outbox_add(laras_bound_workspace(), &to.row);
	laras_drafts_superseded(laras_bound_workspace(), thread);
	laras_spi_close();
	PG_RETURN_INT64(to.row.message_id);
}
