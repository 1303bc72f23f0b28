/*
 * apply.c
 *		A batch of events becomes contacts, conversations and messages.
 *
 * Every statement takes arrays over the whole batch, of however many
 * workspaces. What makes a repeat harmless is the unique blind index of the
 * provider's event key on the rows.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "inbox/identity.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "inbox/status.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

LARAS_PLAN(
	find_conversations,
	"SELECT u.n, c.id FROM unnest($1, $2, $3, $4) AS u (n, w, cn, ct) "
	"JOIN laras.conversation c ON c.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND c.connection_id OPERATOR(pg_catalog.=) u.cn AND c.contact_id OPERATOR(pg_catalog.=) u.ct",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	add_conversations,
	"INSERT INTO laras.conversation (workspace_id, id, connection_id, contact_id, channel) "
	"SELECT u.w, u.i, u.cn, u.ct, u.ch FROM unnest($1, $2, $3, $4, $5) AS u (w, i, cn, ct, ch)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID);

LARAS_PLAN(
	add_messages,
	"INSERT INTO laras.message (workspace_id, id, conversation_id, contact_id, connection_id, slot, channel, "
	"direction, kind, body, element, provider_message_id, provider_message_index, event_index, "
	"provider_timestamp, created_at, status, author_kind) "
	"SELECT u.w, u.i, u.cv, u.ct, u.cn, u.s, u.ch, 'in', u.k, u.b, u.e, u.p, u.px, u.ex, u.t, laras.now(), 'received', 'contact' "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
	"AS u (w, i, cv, ct, cn, s, ch, k, b, e, p, px, ex, t) "
	"ON CONFLICT DO NOTHING RETURNING id",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, LARAS_SEALED_ARRAY, LARAS_SEALED_ARRAY, LARAS_SEALED_ARRAY,
	BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID);

/* The window opens from the provider's time, never from the future. */
LARAS_PLAN(touch_conversations,
		   "UPDATE laras.conversation c SET last_inbound_at = greatest(c.last_inbound_at, u.t), "
		   "last_message_at = greatest(c.last_message_at, u.t, u.r), "
		   "unread = c.unread OPERATOR(pg_catalog.+) u.n, state = 'open' "
		   "FROM unnest($1, $2, $3, $4, $5) AS u (w, i, t, r, n) "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID);

LARAS_PLAN(want_drafts,
		   "INSERT INTO laras.draft_wanted (workspace_id, message_id, contact_id) "
		   "SELECT u.w, u.i, u.c FROM unnest($1, $2, $3) AS u (w, i, c) ON CONFLICT DO NOTHING",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

typedef struct ConversationKey
{
	int64 workspace_id;
	int64 connection_id;
	int64 contact_id;
} ConversationKey;

typedef struct Conversation
{
	ConversationKey key;
	const char *channel;
	int64 id; /* 0: not stored yet */
	TimestampTz last_inbound_at;
	TimestampTz last_received_at;
	int inbound;
} Conversation;

/* one inbound message on its way to a row */
typedef struct Inbound
{
	LarasInboxEvent *event;
	const LarasRecord *record;
	LarasSender *sender;
	Conversation *conversation;
	int64 id;
	TimestampTz time; /* 0: the provider gave none */
	bool stored;
} Inbound;

typedef struct Stored
{
	int64 id;
	Inbound *message;
} Stored;

/* The provider's time, at most the time of receipt: a window never opens from the future. */
static TimestampTz
provider_time(const LarasRecord *record, TimestampTz received_at)
{
	TimestampTz time;

	if (record->provider_time == 0)
		return 0;
	time = time_t_to_timestamptz((pg_time_t) record->provider_time);
	return time > received_at ? received_at : time;
}

static void
find_conversation_rows(Conversation **list, int n)
{
	LarasColumn columns[5];
	uint64 found;
	int missing = 0;

	laras_columns_init(columns, 5, n);
	for (int i = 0; i < n; i++)
	{
		columns[0].values[i] = Int32GetDatum(i);
		columns[1].values[i] = Int64GetDatum(list[i]->key.workspace_id);
		columns[2].values[i] = Int64GetDatum(list[i]->key.connection_id);
		columns[3].values[i] = Int64GetDatum(list[i]->key.contact_id);
	}
	laras_spi_open();
	found = laras_spi_run(&find_conversations,
						  (Datum[]){laras_column_array(&columns[0], n, INT4OID),
									laras_column_array(&columns[1], n, INT8OID),
									laras_column_array(&columns[2], n, INT8OID),
									laras_column_array(&columns[3], n, INT8OID)},
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
		missing++;
	}
	if (missing > 0)
		laras_spi_run(&add_conversations,
					  (Datum[]){laras_column_array(&columns[0], missing, INT8OID),
								laras_column_array(&columns[1], missing, INT8OID),
								laras_column_array(&columns[2], missing, INT8OID),
								laras_column_array(&columns[3], missing, INT8OID),
								laras_column_array(&columns[4], missing, TEXTOID)},
					  NULL);
	laras_spi_close();
}

/* Join every message to its conversation, making those that are new. */
static void
find_conversations_of(Inbound *messages, int n)
{
	HASHCTL control = {.keysize = sizeof(ConversationKey),
					   .entrysize = sizeof(Conversation),
					   .hcxt = CurrentMemoryContext};
	HTAB *table =
		hash_create("laras conversations", n, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Conversation **list = palloc(sizeof(Conversation *) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		ConversationKey key = {messages[i].event->workspace_id, messages[i].event->connection_id,
							   messages[i].sender->contact.id};
		bool found;
		Conversation *conversation = hash_search(table, &key, HASH_ENTER, &found);

		if (!found)
		{
			conversation->channel = messages[i].event->driver->channel;
			conversation->id = 0;
			conversation->last_inbound_at = 0;
			conversation->last_received_at = 0;
			conversation->inbound = 0;
			list[count++] = conversation;
		}
		messages[i].conversation = conversation;
	}
	find_conversation_rows(list, count);
}

static int
compare_stored(const void *a, const void *b)
{
	int64 x = ((const Stored *) a)->id;
	int64 y = ((const Stored *) b)->id;

	return x < y ? -1 : x > y;
}

/* Seal and store the messages; marks those that were new. */
static void
store_messages(Inbound *messages, int n)
{
	LarasColumn c[14];
	bool *no_body = palloc0(sizeof(bool) * n);
	bool *no_element = palloc0(sizeof(bool) * n);
	bool *no_time = palloc0(sizeof(bool) * n);
	Stored *order = palloc(sizeof(Stored) * n);
	Oid sealed = laras_sealed_type();
	uint64 stored;

	laras_columns_init(c, 14, n);
	for (int i = 0; i < n; i++)
	{
		Inbound *m = &messages[i];
		const LarasRecord *r = m->record;
		int64 ws = m->event->workspace_id;
		uint32 w = m->event->workspace_slot;
		uint32 s = m->sender->contact.slot;
		const char *channel = m->event->driver->channel;

		m->id = laras_new_id();
		m->time = provider_time(r, m->event->received_at);
		order[i].id = m->id;
		order[i].message = m;
		c[0].values[i] = Int64GetDatum(ws);
		c[1].values[i] = Int64GetDatum(m->id);
		c[2].values[i] = Int64GetDatum(m->conversation->id);
		c[3].values[i] = Int64GetDatum(m->sender->contact.id);
		c[4].values[i] = Int64GetDatum(m->event->connection_id);
		c[5].values[i] = Int64GetDatum((int64) s);
		c[6].values[i] = CStringGetTextDatum(channel);
		c[7].values[i] = CStringGetTextDatum(r->message_kind);
		no_body[i] = r->text.s == NULL;
		if (!no_body[i])
			c[8].values[i] = PointerGetDatum(
				laras_seal(w, s, LARAS_FIELD_message_body, ws, m->id, r->text.s, r->text.n));
		no_element[i] = !r->keep_element;
		if (!no_element[i])
		{
			size_t length;
			char *text = laras_json_text_of(r->element, &length);

			c[9].values[i] = PointerGetDatum(
				laras_seal(w, s, LARAS_FIELD_message_element, ws, m->id, text, length));
			pfree(text);
		}
		c[10].values[i] =
			PointerGetDatum(laras_seal(w, s, LARAS_FIELD_message_provider_message_id, ws, m->id,
									   r->provider_id.s, r->provider_id.n));
		c[11].values[i] =
			PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_PROVIDER_MESSAGE, channel,
											  r->provider_id.s, r->provider_id.n));
		c[12].values[i] = PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_PROVIDER_EVENT, channel,
															r->event_key.s, r->event_key.n));
		no_time[i] = m->time == 0;
		c[13].values[i] = TimestampTzGetDatum(m->time);
	}
	c[8].nulls = no_body;
	c[9].nulls = no_element;
	c[13].nulls = no_time;
	laras_spi_open();
	stored = laras_spi_run(
		&add_messages,
		(Datum[]){laras_column_array(&c[0], n, INT8OID), laras_column_array(&c[1], n, INT8OID),
				  laras_column_array(&c[2], n, INT8OID), laras_column_array(&c[3], n, INT8OID),
				  laras_column_array(&c[4], n, INT8OID), laras_column_array(&c[5], n, INT8OID),
				  laras_column_array(&c[6], n, TEXTOID), laras_column_array(&c[7], n, TEXTOID),
				  laras_column_array(&c[8], n, sealed), laras_column_array(&c[9], n, sealed),
				  laras_column_array(&c[10], n, sealed), laras_column_array(&c[11], n, BYTEAOID),
				  laras_column_array(&c[12], n, BYTEAOID),
				  laras_column_array(&c[13], n, TIMESTAMPTZOID)},
		NULL);
	qsort(order, n, sizeof(Stored), compare_stored);
	for (uint64 i = 0; i < stored; i++)
	{
		Stored key = {laras_spi_int8(i, 1), NULL};
		Stored *found = bsearch(&key, order, n, sizeof(Stored), compare_stored);

		found->message->stored = true;
	}
	laras_spi_close();
}

/* What new messages do to their conversations, to drafting and to the log. */
static void
follow_up(Inbound *messages, int n)
{
	LarasColumn touch[5];
	LarasColumn wanted[3];
	bool *no_time = palloc0(sizeof(bool) * n);
	LarasEvidence *entries = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 4);
	int touched = 0;
	int acts = 0;

	laras_columns_init(touch, 5, n);
	laras_columns_init(wanted, 3, n);
	for (int i = 0; i < n; i++)
	{
		Inbound *m = &messages[i];
		Conversation *conversation = m->conversation;
		LarasEvidenceField *f = &fields[acts * 4];
		int nf = 0;

		if (!m->stored)
			continue;
		conversation->inbound++;
		conversation->last_inbound_at = Max(conversation->last_inbound_at, m->time);
		conversation->last_received_at = Max(conversation->last_received_at, m->event->received_at);
		wanted[0].values[acts] = Int64GetDatum(m->event->workspace_id);
		wanted[1].values[acts] = Int64GetDatum(m->id);
		wanted[2].values[acts] = Int64GetDatum(m->sender->contact.id);
		if (m->record->text.s != NULL)
			f[nf++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_BODY, m->sender->contact.slot,
														   m->record->text.s, m->record->text.n);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, m->event->driver->channel);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, m->record->message_kind);
		f[nf++] =
			(LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_PROVIDER_MESSAGE_ID,
												 m->sender->contact.slot, m->record->provider_id.s,
												 m->record->provider_id.n);
		entries[acts] = (LarasEvidence){
			.workspace_id = m->event->workspace_id,
			.workspace_slot = m->event->workspace_slot,
			.action = LARAS_ACT_MESSAGE_RECEIVED,
			.actor_kind = LARAS_ACTOR_CUSTOMER,
			.actor_id = m->sender->contact.id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = m->id,
			.nfields = nf,
			.fields = f,
		};
		acts++;
	}
	for (int i = 0; i < n; i++)
	{
		Conversation *conversation = messages[i].conversation;

		if (conversation->inbound == 0)
			continue;
		touch[0].values[touched] = Int64GetDatum(conversation->key.workspace_id);
		touch[1].values[touched] = Int64GetDatum(conversation->id);
		no_time[touched] = conversation->last_inbound_at == 0;
		touch[2].values[touched] = TimestampTzGetDatum(conversation->last_inbound_at);
		touch[3].values[touched] = TimestampTzGetDatum(conversation->last_received_at);
		touch[4].values[touched] = Int32GetDatum(conversation->inbound);
		touched++;
		conversation->inbound = 0;
	}
	touch[2].nulls = no_time;
	if (acts == 0)
		return;
	laras_spi_open();
	laras_spi_run(&touch_conversations,
				  (Datum[]){laras_column_array(&touch[0], touched, INT8OID),
							laras_column_array(&touch[1], touched, INT8OID),
							laras_column_array(&touch[2], touched, TIMESTAMPTZOID),
							laras_column_array(&touch[3], touched, TIMESTAMPTZOID),
							laras_column_array(&touch[4], touched, INT4OID)},
				  NULL);
	laras_spi_run(&want_drafts,
				  (Datum[]){laras_column_array(&wanted[0], acts, INT8OID),
							laras_column_array(&wanted[1], acts, INT8OID),
							laras_column_array(&wanted[2], acts, INT8OID)},
				  NULL);
	laras_work_queued(LARAS_WORK_KEEPER);
	laras_spi_close();
	laras_evidence_append_many(entries, acts);
}

/* One entry for every contact met for the first time. */
static void
record_contacts(const LarasSender *senders, int n)
{
	LarasEvidence *entries = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n);
	int acts = 0;

	for (int i = 0; i < n; i++)
	{
		if (senders[i].created_contact == 0)
			continue;
		fields[acts] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, senders[i].channel);
		entries[acts] = (LarasEvidence){
			.workspace_id = senders[i].workspace_id,
			.workspace_slot = senders[i].workspace_slot,
			.action = LARAS_ACT_CONTACT_CREATED,
			.actor_kind = LARAS_ACTOR_CUSTOMER,
			.actor_id = senders[i].created_contact,
			.subject_kind = LARAS_SUBJECT_CONTACT,
			.subject_id = senders[i].created_contact,
			.nfields = 1,
			.fields = &fields[acts],
		};
		acts++;
	}
	if (acts > 0)
		laras_evidence_append_many(entries, acts);
}

void
laras_inbox_apply(LarasInboxEvent *events, int n)
{
	int messages = 0;
	int statuses = 0;
	int m = 0;
	int s = 0;
	LarasSender *senders;
	Inbound *inbound;
	LarasStatusEvent *status;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < events[i].record_count; k++)
		{
			messages += events[i].records[k].kind == LARAS_RECORD_MESSAGE;
			statuses += events[i].records[k].kind == LARAS_RECORD_STATUS;
		}
	senders = palloc0(sizeof(LarasSender) * (messages + 1));
	inbound = palloc0(sizeof(Inbound) * (messages + 1));
	status = palloc0(sizeof(LarasStatusEvent) * (statuses + 1));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < events[i].record_count; k++)
		{
			LarasInboxEvent *event = &events[i];
			LarasRecord *record = &event->records[k];

			if (record->kind == LARAS_RECORD_MESSAGE)
			{
				senders[m].workspace_id = event->workspace_id;
				senders[m].workspace_slot = event->workspace_slot;
				senders[m].channel = event->driver->channel;
				senders[m].record = record;
				inbound[m].event = event;
				inbound[m].record = record;
				inbound[m].sender = &senders[m];
				m++;
			}
			else if (record->kind == LARAS_RECORD_STATUS)
			{
				status[s].workspace_id = event->workspace_id;
				status[s].workspace_slot = event->workspace_slot;
				status[s].connection_id = event->connection_id;
				status[s].channel = event->driver->channel;
				status[s].received_at = event->received_at;
				status[s].record = record;
				s++;
			}
		}
	if (messages > 0)
	{
		laras_find_contacts(senders, messages);
		record_contacts(senders, messages);
		find_conversations_of(inbound, messages);
		store_messages(inbound, messages);
		follow_up(inbound, messages);
	}
	if (statuses > 0)
		laras_apply_statuses(status, statuses);
}
