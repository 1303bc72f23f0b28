/*
 * conversation.c
 *		Which conversation each message of a batch belongs to, and what the messages
 *		do to it: its times, how much of it is unread, whether it is open again.
 */
#include "postgres.h"

#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "inbox/inbound.h"
#include "inbox/rows.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

typedef LarasInboundConversation Conversation;

LARAS_PLAN(
	find_conversations,
	"SELECT u.n, c.id FROM unnest($1, $2, $3, $4, $5) AS u (n, w, cn, ct, th) "
	"JOIN laras.conversation c ON c.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND c.connection_id OPERATOR(pg_catalog.=) u.cn AND c.contact_id OPERATOR(pg_catalog.=) u.ct "
	"AND c.thread_index OPERATOR(pg_catalog.=) u.th",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(
	add_conversations,
	"INSERT INTO laras.conversation (workspace_id, id, connection_id, contact_id, channel, surface, thread_index, post_id) "
	"SELECT u.w, u.i, u.cn, u.ct, u.ch, CASE WHEN pg_catalog.octet_length(u.th) OPERATOR(pg_catalog.>) 0 "
	"THEN 'comment' ELSE 'message' END, u.th, CASE WHEN u.po IS NOT NULL THEN (SELECT p.id FROM laras.post p "
	"WHERE p.workspace_id OPERATOR(pg_catalog.=) u.w AND p.connection_id OPERATOR(pg_catalog.=) u.cn "
	"AND p.post_index OPERATOR(pg_catalog.=) u.po) END "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7) AS u (w, i, cn, ct, ch, th, po)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, BYTEAARRAYOID,
	BYTEAARRAYOID);

/* The window opens from the provider's time, never from the future. */
LARAS_PLAN(touch_conversations,
		   "UPDATE laras.conversation c SET last_inbound_at = greatest(c.last_inbound_at, u.t), "
		   "last_message_at = greatest(c.last_message_at, u.t, u.r), "
		   "unread = CASE WHEN u.a THEN 0 ELSE c.unread END OPERATOR(pg_catalog.+) u.n, "
		   "state = CASE WHEN u.n OPERATOR(pg_catalog.>) 0 THEN 'open' ELSE c.state END "
		   "FROM unnest($1, $2, $3, $4, $5, $6) AS u (w, i, t, r, n, a) "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID,
		   BOOLARRAYOID);

/* The thread as the column has it: nothing for direct messages. */
static Datum
thread_of(const Conversation *conversation)
{
	return laras_bytea_datum(conversation->key.thread,
							 conversation->comment != NULL ? LARAS_INDEX_BYTES : 0);
}

static void
find_conversation_rows(Conversation **list, int n)
{
	LarasColumn columns[7];
	bool *no_post = palloc0(sizeof(bool) * n);
	uint64 found;
	int missing = 0;

	laras_columns_init(columns, 7, n);
	for (int i = 0; i < n; i++)
	{
		columns[0].values[i] = Int32GetDatum(i);
		columns[1].values[i] = Int64GetDatum(list[i]->key.workspace_id);
		columns[2].values[i] = Int64GetDatum(list[i]->key.connection_id);
		columns[3].values[i] = Int64GetDatum(list[i]->key.contact_id);
		columns[4].values[i] = thread_of(list[i]);
	}
	laras_spi_open();
	found = laras_spi_run(&find_conversations,
						  (Datum[]){laras_column_array(&columns[0], n, INT4OID),
									laras_column_array(&columns[1], n, INT8OID),
									laras_column_array(&columns[2], n, INT8OID),
									laras_column_array(&columns[3], n, INT8OID),
									laras_column_array(&columns[4], n, BYTEAOID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
		list[laras_spi_int4(i, 1)]->id = laras_spi_int8(i, 2);
	for (int i = 0; i < n; i++)
	{
		if (list[i]->id != 0)
			continue;
		list[i]->id = laras_new_id();
		columns[0].values[missing] = Int64GetDatum(list[i]->key.workspace_id);
		columns[1].values[missing] = Int64GetDatum(list[i]->id);
		columns[2].values[missing] = Int64GetDatum(list[i]->key.connection_id);
		columns[3].values[missing] = Int64GetDatum(list[i]->key.contact_id);
		columns[4].values[missing] = CStringGetTextDatum(list[i]->channel);
		columns[5].values[missing] = thread_of(list[i]);
		no_post[missing] = list[i]->comment == NULL || list[i]->comment->given->post.s == NULL;
		columns[6].values[missing] =
			no_post[missing] ? (Datum) 0
							 : laras_bytea_datum(list[i]->comment->post, LARAS_INDEX_BYTES);
		missing++;
	}
	columns[6].nulls = no_post;
	if (missing > 0)
		laras_spi_run(&add_conversations,
					  (Datum[]){laras_column_array(&columns[0], missing, INT8OID),
								laras_column_array(&columns[1], missing, INT8OID),
								laras_column_array(&columns[2], missing, INT8OID),
								laras_column_array(&columns[3], missing, INT8OID),
								laras_column_array(&columns[4], missing, TEXTOID),
								laras_column_array(&columns[5], missing, BYTEAOID),
								laras_column_array(&columns[6], missing, BYTEAOID)},
					  NULL);
	laras_spi_close();
}

void
laras_inbound_join(LarasInbound *messages, int n)
{
	HASHCTL control = {.keysize = sizeof(LarasInboundThread),
					   .entrysize = sizeof(Conversation),
					   .hcxt = CurrentMemoryContext};
	HTAB *table =
		hash_create("laras conversations", n, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Conversation **list = palloc(sizeof(Conversation *) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		LarasInboundThread key = {messages[i].event->workspace_id,
								  messages[i].event->connection_id,
								  messages[i].sender->contact.id,
								  {0}};
		bool found;
		Conversation *conversation;

		if (messages[i].comment != NULL)
			memcpy(key.thread, messages[i].comment->thread, sizeof(key.thread));
		conversation = hash_search(table, &key, HASH_ENTER, &found);
		if (!found)
		{
			conversation->comment = messages[i].comment;
			conversation->channel = messages[i].event->driver->channel;
			conversation->id = 0;
			conversation->last_inbound_at = 0;
			conversation->last_message_at = 0;
			conversation->unread = 0;
			conversation->answered = false;
			conversation->touched = false;
			list[count++] = conversation;
		}
		messages[i].conversation = conversation;
	}
	find_conversation_rows(list, count);
}

void
laras_inbound_note(LarasInbound *m)
{
	Conversation *conversation = m->conversation;
	unsigned flags = m->record->flags;

	if (flags & LARAS_OPENS_WINDOW)
		conversation->last_inbound_at = Max(conversation->last_inbound_at, m->time);
	/* of the past nothing is known but the provider's time */
	conversation->last_message_at =
		Max(conversation->last_message_at,
			(flags & LARAS_HISTORICAL) ? m->time : m->event->received_at);
	if ((flags & LARAS_OUTBOUND) && !(flags & LARAS_HISTORICAL) &&
		m->record->effect == LARAS_EFFECT_NONE)
	{
		conversation->answered = true;
		conversation->unread = 0;
	}
	conversation->unread += (flags & LARAS_COUNTS) != 0;
	conversation->touched = true;
}

void
laras_inbound_touch(LarasInbound *messages, int n)
{
	LarasColumn touch[6];
	bool *no_time = palloc0(sizeof(bool) * n);
	bool *no_message = palloc0(sizeof(bool) * n);
	int touched = 0;

	laras_columns_init(touch, 6, n);
	for (int i = 0; i < n; i++)
	{
		Conversation *conversation = messages[i].conversation;

		if (!conversation->touched)
			continue;
		conversation->touched = false;
		touch[0].values[touched] = Int64GetDatum(conversation->key.workspace_id);
		touch[1].values[touched] = Int64GetDatum(conversation->id);
		no_time[touched] = conversation->last_inbound_at == 0;
		touch[2].values[touched] = TimestampTzGetDatum(conversation->last_inbound_at);
		no_message[touched] = conversation->last_message_at == 0;
		touch[3].values[touched] = TimestampTzGetDatum(conversation->last_message_at);
		touch[4].values[touched] = Int32GetDatum(conversation->unread);
		touch[5].values[touched] = BoolGetDatum(conversation->answered);
		touched++;
	}
	touch[2].nulls = no_time;
	touch[3].nulls = no_message;
	laras_spi_run(&touch_conversations,
				  (Datum[]){laras_column_array(&touch[0], touched, INT8OID),
							laras_column_array(&touch[1], touched, INT8OID),
							laras_column_array(&touch[2], touched, TIMESTAMPTZOID),
							laras_column_array(&touch[3], touched, TIMESTAMPTZOID),
							laras_column_array(&touch[4], touched, INT4OID),
							laras_column_array(&touch[5], touched, BOOLOID)},
				  NULL);
}
