/*
 * status.c
 *		Statuses that only climb, with every one kept as history.
 *
 * Order of arrival is not order of happening: delivered may come before sent,
 * read without delivered, failed beside delivered. A message shows the highest
 * rank that was ever reported; message_status holds them all. A status can
 * come before we know the id of what we sent (the answer is still on its way,
 * or was lost): by the callback data that we had asked to be echoed it names
 * the attempt, and so the message; else it waits in unmatched_status.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/reconcile.h"
#include "evidence/evidence.h"
#include "inbox/rows.h"
#include "inbox/status.h"
#include "inbox/suppression.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(find_messages,
		   "SELECT u.n, m.id, m.contact_id, m.slot, m.conversation_id "
		   "FROM unnest($1, $2, $3) AS u (n, w, x) "
		   "JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND m.provider_message_index OPERATOR(pg_catalog.=) u.x "
		   "WHERE m.direction OPERATOR(pg_catalog.=) 'out'",
		   INT4ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(find_message,
		   "SELECT m.contact_id, m.slot, m.conversation_id, m.channel FROM laras.message m "
		   "WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	add_statuses,
	"INSERT INTO laras.message_status (workspace_id, id, message_id, contact_id, status, provider_timestamp, "
	"received_at, error_code, error_details, event_index, billable, pricing_category, pricing_type) "
	"SELECT u.w, u.i, u.m, u.c, u.s, u.t, u.r, u.e, u.d, u.x, u.b, u.pc, u.pt "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
	"AS u (w, i, m, c, s, t, r, e, d, x, b, pc, pt) "
	"ON CONFLICT DO NOTHING RETURNING id",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, INT4ARRAYOID, LARAS_SEALED_ARRAY, BYTEAARRAYOID, BOOLARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID);

/* rank of a status word; failed ends what was not delivered */
#define RANK(expression)                                                                                                         \
	"pg_catalog.array_position('{queued,cancelled,uncertain,sent,failed,delivered,read,played}'::pg_catalog.text[], " expression \
	")"

LARAS_PLAN(
	climb,
	"UPDATE laras.message m SET status = u.s, "
	"error_code = CASE WHEN u.s OPERATOR(pg_catalog.=) 'failed' THEN u.e ELSE m.error_code END "
	"FROM (SELECT DISTINCT ON (v.w, v.i) v.w, v.i, v.s, v.e "
	"FROM unnest($1, $2, $3, $4) AS v (w, i, s, e) "
	"ORDER BY v.w, v.i, " RANK(
		"v.s") " DESC) AS u "
			   "WHERE m.workspace_id OPERATOR(pg_catalog.=) u.w AND m.id OPERATOR(pg_catalog.=) u.i "
			   "AND m.direction OPERATOR(pg_catalog.=) 'out' "
			   "AND " RANK("u.s") " OPERATOR(pg_catalog.>) " RANK("m.status"),
	INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID);

LARAS_PLAN(
	keep_unmatched,
	"INSERT INTO laras.unmatched_status (workspace_id, id, connection_id, provider_message_index, event_index, "
	"status, provider_timestamp, received_at, error_code, billable, pricing_category, pricing_type) "
	"SELECT u.w, u.i, u.c, u.px, u.ex, u.s, u.t, u.r, u.e, u.b, u.pc, u.pt "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
	"AS u (w, i, c, px, ex, s, t, r, e, b, pc, pt) "
	"ON CONFLICT DO NOTHING",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TEXTARRAYOID,
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID, BOOLARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID);

LARAS_PLAN(take_unmatched,
		   "DELETE FROM laras.unmatched_status s WHERE s.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND s.provider_message_index OPERATOR(pg_catalog.=) $2 "
		   "RETURNING s.status, s.provider_timestamp, s.received_at, s.error_code, s.event_index, "
		   "s.billable, s.pricing_category, s.pricing_type",
		   INT8OID, BYTEAOID);

/* what the provider says of the price */
typedef struct LarasPrice
{
	int billable; /* -1: nothing */
	LarasText category;
	LarasText type;
} LarasPrice;

/* three columns of a statement */
typedef struct PriceColumns
{
	LarasColumn c[3];
	bool *null[3];
} PriceColumns;

static void
init_prices(PriceColumns *columns, int n)
{
	laras_columns_init(columns->c, 3, n);
	for (int k = 0; k < 3; k++)
		columns->c[k].nulls = columns->null[k] = palloc0(sizeof(bool) * (n + 1));
}

static void
set_price(PriceColumns *columns, int i, const LarasPrice *price)
{
	columns->null[0][i] = price->billable < 0;
	columns->c[0].values[i] = BoolGetDatum(price->billable > 0);
	columns->null[1][i] = price->category.s == NULL;
	columns->c[1].values[i] = laras_text_datum(price->category.s, price->category.n);
	columns->null[2][i] = price->type.s == NULL;
	columns->c[2].values[i] = laras_text_datum(price->type.s, price->type.n);
}

/* a status whose message is known */
typedef struct Matched
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 message_id;
	int64 contact_id;
	uint32 slot;
	int64 conversation_id;
	int64 connection_id;
	const char *channel;
	int64 id;
	const char *status;
	TimestampTz provider_time; /* 0: none */
	TimestampTz received_at;
	int error_code;
	LarasText error_details;
	Datum event_index;
	LarasText provider_id; /* for evidence, where at hand */
	LarasPrice price;
} Matched;

static LarasAction
action_of(const char *status)
{
	static const struct
	{
		const char *status;
		LarasAction action;
	} actions[] = {
		{"sent", LARAS_ACT_MESSAGE_SENT},     {"delivered", LARAS_ACT_MESSAGE_DELIVERED},
		{"read", LARAS_ACT_MESSAGE_READ},     {"played", LARAS_ACT_MESSAGE_PLAYED},
		{"failed", LARAS_ACT_MESSAGE_FAILED}, {"deleted", LARAS_ACT_MESSAGE_DELETED},
	};

	for (int i = 0; i < (int) lengthof(actions); i++)
		if (strcmp(actions[i].status, status) == 0)
			return actions[i].action;
	return LARAS_ACT_MESSAGE_FAILED;
}

static int
compare_id(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/*
 * A failure may say that the person wants nothing unasked. Before any row of a
 * message is locked, as whoever erases a person does.
 */
static void
follow_wishes(const Matched *list, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].status, "failed") == 0)
			laras_suppression_reported(list[i].workspace_id, list[i].workspace_slot,
									   list[i].contact_id, list[i].channel, list[i].connection_id,
									   list[i].error_code,
									   list[i].provider_time != 0 ? list[i].provider_time
																  : list[i].received_at);
}

/* Store the history, climb, write evidence, tell the owner of failures. */
static void
store_matched(Matched *list, int n)
{
	LarasColumn c[10];
	PriceColumns prices;
	LarasColumn up[4];
	bool *no_time = palloc0(sizeof(bool) * n);
	bool *no_code = palloc0(sizeof(bool) * n);
	bool *no_details = palloc0(sizeof(bool) * n);
	int64 *stored;
	uint64 stored_count;
	int climbing = 0;
	LarasEvidence *entries = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 3);
	int acts = 0;

	laras_columns_init(c, 10, n);
	init_prices(&prices, n);
	laras_columns_init(up, 4, n);
	for (int i = 0; i < n; i++)
	{
		Matched *m = &list[i];

		m->id = laras_new_id();
		c[0].values[i] = Int64GetDatum(m->workspace_id);
		c[1].values[i] = Int64GetDatum(m->id);
		c[2].values[i] = Int64GetDatum(m->message_id);
		c[3].values[i] = Int64GetDatum(m->contact_id);
		c[4].values[i] = CStringGetTextDatum(m->status);
		no_time[i] = m->provider_time == 0;
		c[5].values[i] = TimestampTzGetDatum(m->provider_time);
		c[6].values[i] = TimestampTzGetDatum(m->received_at);
		no_code[i] = m->error_code == 0;
		c[7].values[i] = Int32GetDatum(m->error_code);
		no_details[i] = m->error_details.s == NULL || laras_slot_is_destroyed(m->slot);
		if (!no_details[i])
			c[8].values[i] = PointerGetDatum(
				laras_seal(m->workspace_slot, m->slot, LARAS_FIELD_message_status_error_details,
						   m->workspace_id, m->id, m->error_details.s, m->error_details.n));
		c[9].values[i] = m->event_index;
		set_price(&prices, i, &m->price);
	}
	c[5].nulls = no_time;
	c[7].nulls = no_code;
	c[8].nulls = no_details;
	laras_spi_open();
	follow_wishes(list, n);
	stored_count = laras_spi_run(&add_statuses,
								 (Datum[]){laras_column_array(&c[0], n, INT8OID),
										   laras_column_array(&c[1], n, INT8OID),
										   laras_column_array(&c[2], n, INT8OID),
										   laras_column_array(&c[3], n, INT8OID),
										   laras_column_array(&c[4], n, TEXTOID),
										   laras_column_array(&c[5], n, TIMESTAMPTZOID),
										   laras_column_array(&c[6], n, TIMESTAMPTZOID),
										   laras_column_array(&c[7], n, INT4OID),
										   laras_column_array(&c[8], n, laras_sealed_type()),
										   laras_column_array(&c[9], n, BYTEAOID),
										   laras_column_array(&prices.c[0], n, BOOLOID),
										   laras_column_array(&prices.c[1], n, TEXTOID),
										   laras_column_array(&prices.c[2], n, TEXTOID)},
								 NULL);
	stored = palloc(sizeof(int64) * (stored_count + 1));
	for (uint64 i = 0; i < stored_count; i++)
		stored[i] = laras_spi_int8(i, 1);
	qsort(stored, stored_count, sizeof(int64), compare_id);

	for (int i = 0; i < n; i++)
	{
		Matched *m = &list[i];
		LarasEvidenceField *f = &fields[acts * 3];
		int nf = 0;

		if (bsearch(&m->id, stored, stored_count, sizeof(int64), compare_id) == NULL)
			continue;
		if (strcmp(m->status, "deleted") != 0)
		{
			up[0].values[climbing] = Int64GetDatum(m->workspace_id);
			up[1].values[climbing] = Int64GetDatum(m->message_id);
			up[2].values[climbing] = CStringGetTextDatum(m->status);
			up[3].values[climbing] = Int32GetDatum(m->error_code);
			climbing++;
		}
		if (m->provider_id.s != NULL && !laras_slot_is_destroyed(m->slot))
			f[nf++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_PROVIDER_MESSAGE_ID, m->slot,
														   m->provider_id.s, m->provider_id.n);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_STATUS, m->status);
		if (m->error_code != 0)
			f[nf++] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_ERROR_CODE, m->error_code);
		entries[acts] = (LarasEvidence){
			.workspace_id = m->workspace_id,
			.workspace_slot = m->workspace_slot,
			.action = action_of(m->status),
			.actor_kind = LARAS_ACTOR_PROVIDER,
			.actor_id = m->connection_id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = m->message_id,
			.nfields = nf,
			.fields = f,
		};
		acts++;
	}
	if (climbing > 0)
		laras_spi_run(&climb,
					  (Datum[]){laras_column_array(&up[0], climbing, INT8OID),
								laras_column_array(&up[1], climbing, INT8OID),
								laras_column_array(&up[2], climbing, TEXTOID),
								laras_column_array(&up[3], climbing, INT4OID)},
					  NULL);
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].status, "failed") == 0 &&
			bsearch(&list[i].id, stored, stored_count, sizeof(int64), compare_id) != NULL)
			laras_notice(list[i].workspace_id, "send_failed", list[i].connection_id,
						 list[i].conversation_id, list[i].message_id, list[i].error_code);
	laras_spi_close();
	if (acts > 0)
		laras_evidence_append_many(entries, acts);
}

static void
store_unmatched(LarasStatusEvent **list, const Datum *provider_index, const Datum *event_index,
				int n)
{
	LarasColumn c[9];
	PriceColumns prices;
	bool *no_time = palloc0(sizeof(bool) * n);
	bool *no_code = palloc0(sizeof(bool) * n);

	laras_columns_init(c, 9, n);
	init_prices(&prices, n);
	for (int i = 0; i < n; i++)
	{
		const LarasRecord *r = list[i]->record;

		c[0].values[i] = Int64GetDatum(list[i]->workspace_id);
		c[1].values[i] = Int64GetDatum(laras_new_id());
		c[2].values[i] = Int64GetDatum(list[i]->connection_id);
		c[3].values[i] = provider_index[i];
		c[4].values[i] = event_index[i];
		c[5].values[i] = CStringGetTextDatum(r->status);
		no_time[i] = r->provider_time == 0;
		c[6].values[i] = TimestampTzGetDatum(time_t_to_timestamptz((pg_time_t) r->provider_time));
		c[7].values[i] = TimestampTzGetDatum(list[i]->received_at);
		no_code[i] = r->error_code == 0;
		c[8].values[i] = Int32GetDatum(r->error_code);
		set_price(&prices, i, &(LarasPrice){r->billable, r->pricing_category, r->pricing_type});
	}
	c[6].nulls = no_time;
	c[8].nulls = no_code;
	laras_spi_open();
	laras_spi_run(
		&keep_unmatched,
		(Datum[]){laras_column_array(&c[0], n, INT8OID), laras_column_array(&c[1], n, INT8OID),
				  laras_column_array(&c[2], n, INT8OID), laras_column_array(&c[3], n, BYTEAOID),
				  laras_column_array(&c[4], n, BYTEAOID), laras_column_array(&c[5], n, TEXTOID),
				  laras_column_array(&c[6], n, TIMESTAMPTZOID),
				  laras_column_array(&c[7], n, TIMESTAMPTZOID),
				  laras_column_array(&c[8], n, INT4OID),
				  laras_column_array(&prices.c[0], n, BOOLOID),
				  laras_column_array(&prices.c[1], n, TEXTOID),
				  laras_column_array(&prices.c[2], n, TEXTOID)},
		NULL);
	laras_spi_close();
}

void
laras_apply_statuses(LarasStatusEvent *events, int n)
{
	Matched *matched = palloc0(sizeof(Matched) * n);
	Datum *provider_index = palloc(sizeof(Datum) * n);
	Datum *event_index = palloc(sizeof(Datum) * n);
	LarasStatusEvent **unmatched = palloc(sizeof(LarasStatusEvent *) * n);
	LarasMark *marks = palloc(sizeof(LarasMark) * n);
	LarasColumn c[3];
	uint64 found;
	int mark_count = 0;
	int matched_count = 0;
	int unmatched_count = 0;

	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		const LarasRecord *r = events[i].record;

		provider_index[i] = PointerGetDatum(
			laras_index_bytea(events[i].workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE,
							  events[i].channel, r->provider_id.s, r->provider_id.n));
		event_index[i] =
			PointerGetDatum(laras_index_bytea(events[i].workspace_slot, LARAS_INDEX_PROVIDER_EVENT,
											  events[i].channel, r->event_key.s, r->event_key.n));
		if (r->callback_data.s != NULL)
			marks[mark_count++] = (LarasMark){
				.workspace_id = events[i].workspace_id,
				.workspace_slot = events[i].workspace_slot,
				.connection_id = events[i].connection_id,
				.channel = events[i].channel,
				.callback_data = r->callback_data,
				.provider_id = r->provider_id,
				.status = r->status,
			};
		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(events[i].workspace_id);
		c[2].values[i] = provider_index[i];
	}
	/* our own mark in a status settles a send whose answer was lost */
	laras_reconcile_statuses(marks, mark_count);
	laras_spi_open();
	found = laras_spi_run(&find_messages,
						  (Datum[]){laras_column_array(&c[0], n, INT4OID),
									laras_column_array(&c[1], n, INT8OID),
									laras_column_array(&c[2], n, BYTEAOID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		Matched *m = &matched[laras_spi_int4(i, 1)];

		m->message_id = laras_spi_int8(i, 2);
		m->contact_id = laras_spi_int8(i, 3);
		m->slot = (uint32) laras_spi_int8(i, 4);
		m->conversation_id = laras_spi_int8(i, 5);
	}
	laras_spi_close();
	for (int i = 0; i < n; i++)
	{
		const LarasRecord *r = events[i].record;
		Matched *m = &matched[matched_count];

		if (matched[i].message_id == 0)
		{
			provider_index[unmatched_count] = provider_index[i];
			unmatched[unmatched_count] = &events[i];
			event_index[unmatched_count++] = event_index[i];
			continue;
		}
		*m = matched[i];
		m->workspace_id = events[i].workspace_id;
		m->workspace_slot = events[i].workspace_slot;
		m->connection_id = events[i].connection_id;
		m->channel = events[i].channel;
		m->status = r->status;
		m->provider_time =
			r->provider_time == 0 ? 0 : time_t_to_timestamptz((pg_time_t) r->provider_time);
		m->received_at = events[i].received_at;
		m->error_code = r->error_code;
		m->error_details = r->error_details;
		m->event_index = event_index[i];
		m->provider_id = r->provider_id;
		m->price = (LarasPrice){r->billable, r->pricing_category, r->pricing_type};
		matched_count++;
	}
	if (matched_count > 0)
		store_matched(matched, matched_count);
	if (unmatched_count > 0)
		store_unmatched(unmatched, provider_index, event_index, unmatched_count);
}

/*
 * Sent before the end of that second: the provider counts in milliseconds, we
 * note when we handed over.
 */
LARAS_PLAN(
	find_below,
	"SELECT m.id, m.slot, m.conversation_id FROM laras.message m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=) $2 "
	"AND m.connection_id OPERATOR(pg_catalog.=) $3 AND m.direction OPERATOR(pg_catalog.=) 'out' "
	"AND NOT m.historical AND m.status OPERATOR(pg_catalog.=) ANY ($4) "
	"AND m.provider_timestamp OPERATOR(pg_catalog.<) $5 ORDER BY m.id LIMIT 1000",
	INT8OID, INT8OID, INT8OID, TEXTARRAYOID, TIMESTAMPTZOID);

void
laras_apply_watermark(const LarasStatusEvent *event, int64 contact_id)
{
	bool read = strcmp(event->record->status, "read") == 0;
	Datum words[2] = {CStringGetTextDatum("sent"), CStringGetTextDatum("delivered")};
	TimestampTz time = time_t_to_timestamptz((pg_time_t) event->record->provider_time);
	Matched *list;
	uint64 found;

	if (contact_id == 0)
		return;
	laras_spi_open();
	found = laras_spi_run(&find_below,
						  (Datum[]){Int64GetDatum(event->workspace_id), Int64GetDatum(contact_id),
									Int64GetDatum(event->connection_id),
									PointerGetDatum(construct_array(words, read ? 2 : 1, TEXTOID,
																	-1, false, TYPALIGN_INT)),
									TimestampTzGetDatum(time + USECS_PER_SEC)},
						  NULL);
	list = palloc0(sizeof(Matched) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		Matched *m = &list[i];
		char key[64];

		m->workspace_id = event->workspace_id;
		m->workspace_slot = event->workspace_slot;
		m->connection_id = event->connection_id;
		m->contact_id = contact_id;
		m->message_id = laras_spi_int8(i, 1);
		m->slot = (uint32) laras_spi_int8(i, 2);
		m->conversation_id = laras_spi_int8(i, 3);
		m->status = event->record->status;
		m->provider_time = time;
		m->received_at = event->received_at;
		m->price.billable = -1;
		snprintf(key, sizeof(key), "watermark|%s|" INT64_FORMAT, m->status, m->message_id);
		m->event_index =
			PointerGetDatum(laras_index_bytea(event->workspace_slot, LARAS_INDEX_PROVIDER_EVENT,
											  event->channel, key, strlen(key)));
	}
	if (found > 0)
		store_matched(list, (int) found);
	laras_spi_close();
}

void
laras_join_unmatched(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
					 int64 message_id, Datum provider_index)
{
	Matched *list;
	uint64 found;
	int64 contact_id;
	int64 conversation_id;
	uint32 slot;
	char *channel;

	laras_spi_open();
	found = laras_spi_run(&take_unmatched, (Datum[]){Int64GetDatum(workspace_id), provider_index},
						  NULL);
	if (found == 0)
	{
		laras_spi_close();
		return;
	}
	list = palloc0(sizeof(Matched) * found);
	for (uint64 i = 0; i < found; i++)
	{
		list[i].status = laras_spi_cstring(i, 1);
		list[i].provider_time = laras_spi_time(i, 2);
		list[i].received_at = laras_spi_time(i, 3);
		list[i].error_code = laras_spi_isnull(i, 4) ? 0 : laras_spi_int4(i, 4);
		list[i].event_index = PointerGetDatum(laras_spi_varlena(i, 5));
		list[i].price.billable = laras_spi_isnull(i, 6) ? -1 : laras_spi_bool(i, 6);
		list[i].price.category = laras_text(laras_spi_cstring(i, 7));
		list[i].price.type = laras_text(laras_spi_cstring(i, 8));
	}
	if (laras_spi_read(&find_message,
					   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id)},
					   NULL) != 1)
	{
		laras_spi_close();
		return;
	}
	contact_id = laras_spi_int8(0, 1);
	slot = (uint32) laras_spi_int8(0, 2);
	conversation_id = laras_spi_int8(0, 3);
	channel = laras_spi_cstring(0, 4);
	for (uint64 i = 0; i < found; i++)
	{
		list[i].workspace_id = workspace_id;
		list[i].workspace_slot = workspace_slot;
		list[i].message_id = message_id;
		list[i].contact_id = contact_id;
		list[i].slot = slot;
		list[i].conversation_id = conversation_id;
		list[i].connection_id = connection_id;
		list[i].channel = channel;
	}
	store_matched(list, (int) found);
	laras_spi_close();
}
