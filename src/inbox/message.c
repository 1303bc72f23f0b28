/*
 * message.c
 *		Outbound messages, and what the owner is told.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "inbox/status.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_mark_notices_seen);

LARAS_PLAN(
	find_conversation,
	"SELECT c.contact_id, c.connection_id, c.channel, p.slot FROM laras.conversation c "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) c.workspace_id "
	"AND p.id OPERATOR(pg_catalog.=) c.contact_id "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $2 FOR KEY SHARE OF p",
	INT8OID, INT8OID);

/* $12: not the transaction's time, of which several of one transaction would have the same and no order */
LARAS_PLAN(
	add_outbound,
	"INSERT INTO laras.message (workspace_id, id, conversation_id, contact_id, connection_id, slot, channel, "
	"direction, kind, body, created_at, status, author_kind, author_id) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, 'out', $8, $9, $12, 'queued', $10, $11)",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, LARAS_SEALED, TEXTOID,
	INT8OID, TIMESTAMPTZOID);

LARAS_PLAN(
	answered,
	"UPDATE laras.conversation SET last_message_at = greatest(last_message_at, laras.now()), unread = 0 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	find_sent,
	"SELECT m.slot, m.connection_id FROM laras.message m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
	INT8OID, INT8OID);

/* An echo that came first has the id already; an id that another message of ours has is an error. */
LARAS_PLAN(
	mark_sent,
	"UPDATE laras.message m SET provider_message_id = coalesce(m.provider_message_id, u.p), "
	"provider_message_index = coalesce(m.provider_message_index, CASE WHEN NOT EXISTS (SELECT 1 FROM laras.message d "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.provider_message_index OPERATOR(pg_catalog.=) u.x "
	"AND d.author_kind OPERATOR(pg_catalog.=) 'app') THEN u.x END), "
	"provider_timestamp = coalesce(m.provider_timestamp, $5), "
	"status = CASE WHEN m.status OPERATOR(pg_catalog.=) ANY ('{queued,uncertain,cancelled}'::pg_catalog.text[]) "
	"THEN 'sent' ELSE m.status END FROM unnest($1, $2, $3, $4) AS u (w, i, p, x) "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) u.w AND m.id OPERATOR(pg_catalog.=) u.i",
	INT8ARRAYOID, INT8ARRAYOID, LARAS_SEALED_ARRAY, BYTEAARRAYOID, TIMESTAMPTZOID);

/* which of these ids statuses wait for */
LARAS_PLAN(find_waiting,
		   "SELECT u.n FROM unnest($1, $2, $3) AS u (n, w, x) CROSS JOIN LATERAL (SELECT 1 "
		   "FROM laras.unmatched_status s WHERE s.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND s.provider_message_index OPERATOR(pg_catalog.=) u.x LIMIT 1) AS s",
		   INT4ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(set_status,
		   "UPDATE laras.message SET status = $3, error_code = coalesce($4, error_code) "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
		   "AND status OPERATOR(pg_catalog.=) ANY ('{queued,uncertain}'::pg_catalog.text[])",
		   INT8OID, INT8OID, TEXTOID, INT4OID);

LARAS_PLAN(
	add_notice,
	"INSERT INTO laras.notice (workspace_id, id, kind, connection_id, conversation_id, message_id, code, reason) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT4OID, TEXTOID);

void
laras_outbound_message(int64 workspace_id, int64 id, int64 conversation_id, const char *kind,
					   const char *body, size_t n, const char *author_kind, int64 author_id)
{
	bool isnull;
	int64 contact_id;
	int64 connection_id;
	Datum channel;
	uint32 slot;
	bytea *sealed;

	laras_spi_open();
	if (laras_spi_run(&find_conversation,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such conversation")));
	contact_id = laras_spi_int8(0, 1);
	connection_id = laras_spi_int8(0, 2);
	channel = PointerGetDatum(DatumGetTextPCopy(laras_spi_value(0, 3, &isnull)));
	slot = (uint32) laras_spi_int8(0, 4);
	sealed = laras_seal(laras_workspace_slot(workspace_id), slot, LARAS_FIELD_message_body,
						workspace_id, id, body, n);
	laras_spi_run_one(&add_outbound,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								Int64GetDatum(conversation_id), Int64GetDatum(contact_id),
								Int64GetDatum(connection_id), Int64GetDatum((int64) slot), channel,
								CStringGetTextDatum(kind), PointerGetDatum(sealed),
								CStringGetTextDatum(author_kind), Int64GetDatum(author_id),
								TimestampTzGetDatum(laras_clock())},
					  author_id == 0 ? "          n " : NULL);
	laras_spi_run_one(&answered,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id)}, NULL);
	laras_spi_close();
}

void
laras_message_sent(int64 workspace_id, int64 message_id, const char *channel,
				   const char *provider_id, size_t n, TimestampTz at)
{
	LarasSentMessage message = {
		.workspace_id = workspace_id,
		.workspace_slot = laras_workspace_slot(workspace_id),
		.message_id = message_id,
		.channel = channel,
		.provider_id = {provider_id, n},
	};
	uint64 found;

	laras_spi_open();
	found = laras_spi_run(&find_sent,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id)}, NULL);
	if (found > 0)
	{
		message.contact_slot = (uint32) laras_spi_int8(0, 1);
		message.connection_id = laras_spi_int8(0, 2);
	}
	laras_spi_close();
	/* else erased meanwhile: there is nothing to write to */
	if (found > 0)
		laras_messages_sent(&message, 1, at);
}

void
laras_messages_sent(const LarasSentMessage *list, int n, TimestampTz at)
{
	LarasColumn c[4];
	LarasColumn known[3];
	bool *none = palloc0(sizeof(bool) * n);
	int indexed = 0;
	uint64 waiting;
	int *joined;

	laras_columns_init(c, 4, n);
	laras_columns_init(known, 3, n);
	laras_spi_open();
	for (int i = 0; i < n; i++)
	{
		const LarasSentMessage *m = &list[i];

		c[0].values[i] = Int64GetDatum(m->workspace_id);
		c[1].values[i] = Int64GetDatum(m->message_id);
		none[i] = m->provider_id.s == NULL || laras_slot_is_destroyed(m->contact_slot) ||
				  laras_slot_is_destroyed(m->workspace_slot);
		if (none[i])
			continue;
		c[2].values[i] = PointerGetDatum(
			laras_seal(m->workspace_slot, m->contact_slot, LARAS_FIELD_message_provider_message_id,
					   m->workspace_id, m->message_id, m->provider_id.s, m->provider_id.n));
		c[3].values[i] = PointerGetDatum(
			m->provider_index != NULL
				? m->provider_index
				: laras_index_bytea(m->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE, m->channel,
									m->provider_id.s, m->provider_id.n));
		known[0].values[indexed] = Int32GetDatum(i);
		known[1].values[indexed] = c[0].values[i];
		known[2].values[indexed++] = c[3].values[i];
	}
	c[2].nulls = none;
	c[3].nulls = none;
	laras_spi_run(&mark_sent,
				  (Datum[]){laras_column_array(&c[0], n, INT8OID),
							laras_column_array(&c[1], n, INT8OID),
							laras_column_array(&c[2], n, laras_sealed_type()),
							laras_column_array(&c[3], n, BYTEAOID), TimestampTzGetDatum(at)},
				  NULL);
	if (indexed == 0)
	{
		laras_spi_close();
		return;
	}
	waiting = laras_spi_run(&find_waiting,
							(Datum[]){laras_column_array(&known[0], indexed, INT4OID),
									  laras_column_array(&known[1], indexed, INT8OID),
									  laras_column_array(&known[2], indexed, BYTEAOID)},
							NULL);
	joined = palloc(sizeof(int) * (waiting + 1));
	for (uint64 i = 0; i < waiting; i++)
		joined[i] = laras_spi_int4(i, 1);
	for (uint64 i = 0; i < waiting; i++)
	{
		const LarasSentMessage *m = &list[joined[i]];

		laras_join_unmatched(m->workspace_id, m->workspace_slot, m->connection_id, m->message_id,
							 c[3].values[joined[i]]);
	}
	laras_spi_close();
}

void
laras_message_set_status(int64 workspace_id, int64 message_id, const char *status, int error_code)
{
	laras_spi_open();
	laras_spi_run(&set_status,
				  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id),
							CStringGetTextDatum(status), Int32GetDatum(error_code)},
				  error_code == 0 ? "   n" : NULL);
	laras_spi_close();
}

void
laras_send_notice(int64 workspace_id, const char *kind, int64 connection_id, int64 conversation_id,
				  int64 message_id, int code, const char *reason)
{
	char nulls[9] = "        ";

	nulls[3] = connection_id == 0 ? 'n' : ' ';
	nulls[4] = conversation_id == 0 ? 'n' : ' ';
	nulls[5] = message_id == 0 ? 'n' : ' ';
	nulls[6] = code == 0 ? 'n' : ' ';
	nulls[7] = reason == NULL ? 'n' : ' ';
	laras_spi_open();
	laras_spi_run_one(&add_notice,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(laras_new_id()),
								CStringGetTextDatum(kind), Int64GetDatum(connection_id),
								Int64GetDatum(conversation_id), Int64GetDatum(message_id),
								Int32GetDatum(code),
								reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason)},
					  nulls);
	laras_spi_close();
}

void
laras_notice(int64 workspace_id, const char *kind, int64 connection_id, int64 conversation_id,
			 int64 message_id, int code)
{
	laras_send_notice(workspace_id, kind, connection_id, conversation_id, message_id, code, NULL);
}

LARAS_PLAN(
	mark_seen,
	"UPDATE laras.notice SET seen_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) ANY ($2) AND seen_at IS NULL",
	INT8OID, INT8ARRAYOID);

/* laras.mark_notices_seen(notice_ids bigint[]) returns integer */
Datum
laras_mark_notices_seen(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	uint64 n;

	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_spi_open();
	n = laras_spi_run(&mark_seen,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), PG_GETARG_DATUM(0)}, NULL);
	laras_spi_close();
	PG_RETURN_INT32((int32) n);
}
