/*
 * apply.c
 *		A batch of events becomes contacts, conversations and messages: what is in it,
 *		in which order it is stored, and what else follows from it.
 *
 * Every statement takes arrays over the whole batch, of however many
 * workspaces. What makes a repeat harmless is the unique blind index of the
 * provider's event key on the rows.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "answer/wanted.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/mention.h"
#include "courier/echo.h"
#include "evidence/evidence.h"
#include "inbox/account.h"
#include "inbox/change.h"
#include "inbox/comment.h"
#include "inbox/identity.h"
#include "inbox/inbound.h"
#include "inbox/inbox.h"
#include "inbox/part.h"
#include "inbox/person.h"
#include "inbox/processing.h"
#include "inbox/rows.h"
#include "inbox/sentiment.h"
#include "inbox/status.h"
#include "inbox/wish.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

/* In the order in which they came: providers tell whole seconds, and ids tell no order. */
LARAS_PLAN(
	add_messages,
	"INSERT INTO laras.message (workspace_id, id, conversation_id, contact_id, connection_id, slot, channel, "
	"direction, kind, body, element, provider_message_id, provider_message_index, event_index, "
	"provider_timestamp, created_at, status, author_kind, about_index, historical, parsed_by, sentiment) "
	"SELECT u.w, u.i, u.cv, u.ct, u.cn, u.s, u.ch, CASE WHEN u.o THEN 'out' ELSE 'in' END, u.k, u.b, u.e, u.p, u.px, u.ex, "
	"u.t, laras.now() OPERATOR(pg_catalog.+) (u.n OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval), u.st, CASE WHEN u.o THEN 'app' ELSE 'contact' END, u.ax, u.h, u.v, u.se "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) "
	"WITH ORDINALITY AS u (w, i, cv, ct, cn, s, ch, k, b, e, p, px, ex, t, st, ax, o, h, v, se, n) "
	"ON CONFLICT DO NOTHING RETURNING id",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, LARAS_SEALED_ARRAY, LARAS_SEALED_ARRAY, LARAS_SEALED_ARRAY,
	BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, BOOLARRAYOID,
	BOOLARRAYOID, INT2ARRAYOID, LARAS_SEALED_ARRAY);

/* up to when a person has what we sent, and who that is */
typedef struct Watermark
{
	LarasStatusEvent event;
	const LarasSender *sender;
} Watermark;

typedef struct Stored
{
	int64 id;
	LarasInbound *message;
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

static int
compare_stored(const void *a, const void *b)
{
	int64 x = ((const Stored *) a)->id;
	int64 y = ((const Stored *) b)->id;

	return x < y ? -1 : x > y;
}

/* Seal and store the messages; marks those that were new. */
static void
store_messages(LarasInbound *messages, int n)
{
	LarasColumn c[20];
	bool *no_body = palloc0(sizeof(bool) * n);
	bool *no_element = palloc0(sizeof(bool) * n);
	bool *no_id = palloc0(sizeof(bool) * n);
	bool *no_index = palloc0(sizeof(bool) * n);
	bool *no_time = palloc0(sizeof(bool) * n);
	bool *no_about = palloc0(sizeof(bool) * n);
	bool *no_version = palloc0(sizeof(bool) * n);
	bool *no_sentiment = palloc0(sizeof(bool) * n);
	Datum received = CStringGetTextDatum("received");
	Datum sent = CStringGetTextDatum("sent");
	Stored *order = palloc(sizeof(Stored) * n);
	Oid sealed = laras_sealed_type();
	uint64 stored;

	laras_columns_init(c, 20, n);
	for (int i = 0; i < n; i++)
	{
		LarasInbound *m = &messages[i];
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
		no_id[i] = r->provider_id.s == NULL;
		if (!no_id[i])
			c[10].values[i] =
				PointerGetDatum(laras_seal(w, s, LARAS_FIELD_message_provider_message_id, ws, m->id,
										   r->provider_id.s, r->provider_id.n));
		no_index[i] = r->unnamed;
		if (!no_index[i])
			m->index = PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_PROVIDER_MESSAGE, channel,
														 r->provider_id.s, r->provider_id.n));
		c[11].values[i] = m->index;
		c[12].values[i] = PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_PROVIDER_EVENT, channel,
															r->event_key.s, r->event_key.n));
		no_time[i] = m->time == 0;
		c[13].values[i] = TimestampTzGetDatum(m->time);
		c[14].values[i] = r->status != NULL             ? CStringGetTextDatum(r->status)
						  : (r->flags & LARAS_OUTBOUND) ? sent
														: received;
		no_about[i] = r->about.s == NULL;
		if (!no_about[i])
			c[15].values[i] = PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_PROVIDER_MESSAGE,
																channel, r->about.s, r->about.n));
		c[16].values[i] = BoolGetDatum((r->flags & LARAS_OUTBOUND) != 0);
		c[17].values[i] = BoolGetDatum((r->flags & LARAS_HISTORICAL) != 0);
		no_version[i] = !r->keep_element;
		c[18].values[i] = Int16GetDatum((int16) m->event->driver->version);
		if (!no_body[i] && (r->flags & LARAS_OUTBOUND) == 0 && m->event->processed)
			c[19].values[i] =
				PointerGetDatum(laras_sentiment_seal(w, s, ws, m->id, r->text.s, r->text.n));
		no_sentiment[i] = DatumGetPointer(c[19].values[i]) == NULL;
	}
	c[8].nulls = no_body;
	c[9].nulls = no_element;
	c[10].nulls = no_id;
	c[11].nulls = no_index;
	c[13].nulls = no_time;
	c[15].nulls = no_about;
	c[18].nulls = no_version;
	c[19].nulls = no_sentiment;
	laras_spi_open();
	stored = laras_spi_run(
		&add_messages,
		(Datum[]){
			laras_column_array(&c[0], n, INT8OID),   laras_column_array(&c[1], n, INT8OID),
			laras_column_array(&c[2], n, INT8OID),   laras_column_array(&c[3], n, INT8OID),
			laras_column_array(&c[4], n, INT8OID),   laras_column_array(&c[5], n, INT8OID),
			laras_column_array(&c[6], n, TEXTOID),   laras_column_array(&c[7], n, TEXTOID),
			laras_column_array(&c[8], n, sealed),    laras_column_array(&c[9], n, sealed),
			laras_column_array(&c[10], n, sealed),   laras_column_array(&c[11], n, BYTEAOID),
			laras_column_array(&c[12], n, BYTEAOID), laras_column_array(&c[13], n, TIMESTAMPTZOID),
			laras_column_array(&c[14], n, TEXTOID),  laras_column_array(&c[15], n, BYTEAOID),
			laras_column_array(&c[16], n, BOOLOID),  laras_column_array(&c[17], n, BOOLOID),
			laras_column_array(&c[18], n, INT2OID),  laras_column_array(&c[19], n, sealed)},
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
follow_up(LarasInbound *messages, int n)
{
	LarasColumn wanted[3];
	LarasEvidence *entries = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 4);
	int64 *workspaces = palloc(sizeof(int64) * n);
	int64 *answered = palloc(sizeof(int64) * n);
	int count = 0;
	int drafts = 0;
	int acts = 0;

	laras_columns_init(wanted, 3, n);
	for (int i = 0; i < n; i++)
	{
		LarasInbound *m = &messages[i];
		const LarasRecord *r = m->record;
		bool outbound = (r->flags & LARAS_OUTBOUND) != 0;
		LarasEvidenceField *f = &fields[acts * 4];
		int nf = 0;

		if (!m->stored)
			continue;
		laras_inbound_note(m);
		if ((r->flags & LARAS_WANTS_ANSWER) && m->event->processed)
		{
			wanted[0].values[drafts] = Int64GetDatum(m->event->workspace_id);
			wanted[1].values[drafts] = Int64GetDatum(m->id);
			wanted[2].values[drafts++] = Int64GetDatum(m->sender->contact.id);
		}
		if (r->text.s != NULL)
			f[nf++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_BODY, m->sender->contact.slot,
														   r->text.s, r->text.n);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, m->event->driver->channel);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, r->message_kind);
		if (r->provider_id.s != NULL)
			f[nf++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_PROVIDER_MESSAGE_ID,
														   m->sender->contact.slot,
														   r->provider_id.s, r->provider_id.n);
		entries[acts] = (LarasEvidence){
			.workspace_id = m->event->workspace_id,
			.workspace_slot = m->event->workspace_slot,
			.action = (r->flags & LARAS_HISTORICAL) ? LARAS_ACT_MESSAGE_IMPORTED
					  : outbound                    ? LARAS_ACT_MESSAGE_ECHOED
													: LARAS_ACT_MESSAGE_RECEIVED,
			.actor_kind = outbound ? LARAS_ACTOR_PROVIDER : LARAS_ACTOR_CUSTOMER,
			.actor_id = outbound ? m->event->connection_id : m->sender->contact.id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = m->id,
			.nfields = nf,
			.fields = f,
		};
		acts++;
	}
	if (acts == 0)
		return;
	laras_spi_open();
	laras_inbound_touch(messages, n);
	laras_wanted_add(wanted, drafts);
	/* who has been answered needs no draft of ours */
	for (int i = 0; i < n; i++)
	{
		if (!messages[i].conversation->answered)
			continue;
		messages[i].conversation->answered = false;
		answered[count] = messages[i].conversation->id;
		workspaces[count++] = messages[i].event->workspace_id;
	}
	laras_drafts_overtaken(workspaces, answered, count);
	laras_spi_close();
	laras_evidence_append_many(entries, acts);
}

/* Parts, and what the messages do to those they are about. */
static void
store_around(LarasInbound *messages, int n)
{
	LarasStoredMessage *stored = palloc(sizeof(LarasStoredMessage) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
		if (messages[i].stored)
			stored[count++] = (LarasStoredMessage){
				.workspace_id = messages[i].event->workspace_id,
				.workspace_slot = messages[i].event->workspace_slot,
				.channel = messages[i].event->driver->channel,
				.record = messages[i].record,
				.id = messages[i].id,
				.contact = messages[i].sender->contact,
				.body = messages[i].event->body,
				.index = messages[i].index,
			};
	if (count == 0)
		return;
	laras_store_parts(stored, count);
	laras_apply_changes(stored, count);
	for (int i = 0; i < n; i++)
		if (messages[i].stored && messages[i].comment != NULL &&
			laras_mention_is_readable(messages[i].event->driver, messages[i].record))
			laras_mention_ask(messages[i].event->workspace_id, messages[i].event->connection_id,
							  messages[i].id);
}

/* What new messages say their writers want. */
static void
note_wishes(LarasInbound *messages, int n)
{
	for (int i = 0; i < n; i++)
		if (messages[i].stored)
			messages[i].sender->wish = laras_wish_in(messages[i].record);
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

/* Media without a word were sent with an empty text. */
static LarasText
text_of_echo(const LarasRecord *record)
{
	static const char *const kinds[] = {"image", "video", "audio", "voice", "document", "sticker"};
	LarasText empty = {"", 0};

	for (int i = 0; record->text.s == NULL && record->message_kind != NULL && i < lengthof(kinds);
		 i++)
		if (strcmp(record->message_kind, kinds[i]) == 0)
			return empty;
	return record->text;
}

/* What the account sent may be what we sent, not known to have been taken yet. */
static void
settle_echoes(const LarasInbound *messages, int n)
{
	LarasEcho *echoes = palloc(sizeof(LarasEcho) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		const LarasInbound *m = &messages[i];

		if ((m->record->flags & (LARAS_OUTBOUND | LARAS_HISTORICAL)) == LARAS_OUTBOUND &&
			m->record->effect == LARAS_EFFECT_NONE)
			echoes[count++] = (LarasEcho){
				.workspace_id = m->event->workspace_id,
				.workspace_slot = m->event->workspace_slot,
				.connection_id = m->event->connection_id,
				.contact_id = m->sender->contact.id,
				.contact_slot = m->sender->contact.slot,
				.channel = m->event->driver->channel,
				.comment = m->comment != NULL,
				.callback_data = m->record->callback_data,
				.provider_id = m->record->provider_id,
				.text = text_of_echo(m->record),
			};
	}
	if (count > 0)
		laras_reconcile_echoes(echoes, count);
}

/* Is this a record of a person, said or not? */
static bool
has_person(const LarasRecord *record)
{
	return record->kind == LARAS_RECORD_MESSAGE || record->kind == LARAS_RECORD_PERSON ||
		   record->kind == LARAS_RECORD_WATERMARK || record->kind == LARAS_RECORD_COMMENT;
}

/* The comments of the batch in order, each in its place. */
static LarasComment *
list_comments(LarasInboxEvent *events, int n, int room)
{
	LarasComment *list = palloc0(sizeof(LarasComment) * (room + 1));
	int count = 0;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < events[i].record_count; k++)
			if (events[i].records[k].kind == LARAS_RECORD_COMMENT)
			{
				list[count].event = &events[i];
				list[count++].given = &events[i].records[k];
			}
	if (count > 0)
		laras_comments_place(list, count);
	return list;
}

/*
 * Comments that concern whoever said another one of this batch: their contact is
 * known by now. What the business says to nobody we know is no conversation and
 * leaves the list. Returns how many are left.
 */
static int
concern(LarasInbound *messages, int n, const LarasComment *comments)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
	{
		LarasInbound *m = &messages[i];

		if (m->comment != NULL && m->comment->base >= 0)
			for (int k = 0; k < i; k++)
				if (messages[k].comment == &comments[m->comment->base])
					m->sender->contact = messages[k].sender->contact;
		if (m->sender->contact.id != 0)
			messages[kept++] = *m;
	}
	return kept;
}

void
laras_inbox_apply(LarasInboxEvent *events, int n)
{
	int persons = 0;
	int others = 0;
	int p = 0;
	int m = 0;
	int s = 0;
	int a = 0;
	int u = 0;
	int c = 0;
	LarasSender *senders;
	LarasComment *comments;
	LarasInbound *inbound;
	LarasStatusEvent *status;
	LarasStatusEvent *account;
	Watermark *watermarks;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < events[i].record_count; k++)
		{
			persons += has_person(&events[i].records[k]);
			others += !has_person(&events[i].records[k]);
		}
	laras_mark_processed(events, n);
	senders = palloc0(sizeof(LarasSender) * (persons + 1));
	inbound = palloc0(sizeof(LarasInbound) * (persons + 1));
	status = palloc0(sizeof(LarasStatusEvent) * (others + 1));
	account = palloc0(sizeof(LarasStatusEvent) * (others + 1));
	watermarks = palloc0(sizeof(Watermark) * (persons + 1));
	comments = list_comments(events, n, persons);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < events[i].record_count; k++)
		{
			LarasInboxEvent *event = &events[i];
			LarasRecord *record = &event->records[k];
			LarasStatusEvent other = {event->workspace_id,  event->workspace_slot,
									  event->connection_id, event->driver->channel,
									  event->received_at,   record};

			if (has_person(record))
			{
				senders[p].workspace_id = event->workspace_id;
				senders[p].workspace_slot = event->workspace_slot;
				senders[p].channel = event->driver->channel;
				senders[p].record = record;
				senders[p].wish = record->preference;
				senders[p].said_at = provider_time(record, event->received_at);
				if (senders[p].said_at == 0)
					senders[p].said_at = event->received_at;
				if (record->kind == LARAS_RECORD_COMMENT)
				{
					senders[p].record = &comments[c].record;
					senders[p].contact = comments[c].contact;
					senders[p].nobody = comments[c].nobody;
					inbound[m].event = event;
					inbound[m].record = &comments[c].record;
					inbound[m].comment = &comments[c++];
					inbound[m++].sender = &senders[p];
				}
				else if (record->kind == LARAS_RECORD_MESSAGE)
				{
					inbound[m].event = event;
					inbound[m].record = record;
					inbound[m++].sender = &senders[p];
				}
				else if (record->kind == LARAS_RECORD_WATERMARK)
					watermarks[u++] = (Watermark){other, &senders[p]};
				p++;
			}
			else if (record->kind == LARAS_RECORD_STATUS)
				status[s++] = other;
			else if (record->kind == LARAS_RECORD_ACCOUNT)
				account[a++] = other;
		}
	if (p > 0)
	{
		laras_find_contacts(senders, p);
		record_contacts(senders, p);
	}
	if (c > 0)
		m = concern(inbound, m, comments);
	if (m > 0)
	{
		settle_echoes(inbound, m);
		laras_inbound_join(inbound, m);
		store_messages(inbound, m);
		follow_up(inbound, m);
		store_around(inbound, m);
		note_wishes(inbound, m);
	}
	if (p > 0)
		laras_follow_persons(senders, p);
	if (s > 0)
		laras_apply_statuses(status, s);
	for (int i = 0; i < u; i++)
		laras_apply_watermark(&watermarks[i].event, watermarks[i].sender->contact.id);
	if (a > 0)
		laras_apply_account_events(account, a);
}
