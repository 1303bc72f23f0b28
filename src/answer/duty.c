/*
 * duty.c
 *		Keeper's duties: a draft for each message that waits for one, and the
 *		end of drafts whose ground changed.
 *
 * A batch is one transaction with a statement for each table. What cannot be
 * drafted is held for a person with the reason, alone; nothing of it hurts the
 * messages beside it, and nothing here ever hurts intake. Contacts whose row
 * is locked by an erasure are left for the next turn: an erasure comes wholly
 * before or wholly after a draft.
 */
#include "postgres.h"

#include "access/xact.h"
#include "answer/answer.h"
#include "answer/draft.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "courier/courier.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "lib/stringinfo.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define BATCH 200

/* bytes of a customer's earlier messages that are read with the newest one */
#define QUESTION_BYTES 8192

/* without a rule of its own a workspace sends by itself from here on */
#define DEFAULT_CONFIDENCE 0.7f

LARAS_PLAN(
	read_wanted,
	"WITH head AS (SELECT w.workspace_id, w.message_id, w.created_at FROM laras.draft_wanted w "
	"ORDER BY w.created_at, w.workspace_id, w.message_id LIMIT $1) "
	"SELECT m.workspace_id, m.id, m.conversation_id, m.contact_id, m.connection_id, m.slot, m.channel, m.body, "
	"v.last_inbound_at, c.state, c.auto_send, p.state, p.opt_out_at, "
	"EXISTS (SELECT 1 FROM laras.draft d WHERE d.workspace_id OPERATOR(pg_catalog.=) m.workspace_id "
	"AND d.inbound_message_id OPERATOR(pg_catalog.=) m.id), "
	/* a caption says something, but not what the picture shows */
	"m.kind OPERATOR(pg_catalog.=) ANY ('{text,button,list}'::pg_catalog.text[]) "
	"FROM head h "
	"JOIN laras.draft_wanted w ON w.workspace_id OPERATOR(pg_catalog.=) h.workspace_id AND w.message_id OPERATOR(pg_catalog.=) h.message_id "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) h.workspace_id AND m.id OPERATOR(pg_catalog.=) h.message_id "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND v.id OPERATOR(pg_catalog.=) m.conversation_id "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND c.id OPERATOR(pg_catalog.=) m.connection_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND p.id OPERATOR(pg_catalog.=) m.contact_id "
	"ORDER BY m.workspace_id, m.conversation_id, m.created_at, m.id "
	"FOR UPDATE OF w SKIP LOCKED FOR SHARE OF c SKIP LOCKED FOR KEY SHARE OF p SKIP LOCKED",
	INT4OID);

/* of messages that are gone */
LARAS_PLAN(
	drop_orphans,
	"DELETE FROM laras.draft_wanted WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT w.ctid FROM (SELECT x.ctid, x.workspace_id, x.message_id FROM laras.draft_wanted x "
	"ORDER BY x.created_at, x.workspace_id, x.message_id LIMIT $1) w "
	"WHERE NOT EXISTS (SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) w.workspace_id "
	"AND m.id OPERATOR(pg_catalog.=) w.message_id)))",
	INT4OID);

LARAS_PLAN(
	drop_wanted,
	"DELETE FROM laras.draft_wanted w USING unnest($1, $2) AS u (w, m) "
	"WHERE w.workspace_id OPERATOR(pg_catalog.=) u.w AND w.message_id OPERATOR(pg_catalog.=) u.m",
	INT8ARRAYOID, INT8ARRAYOID);

/* The rule that decides: by priority, and of two alike the one that asks a person. */
LARAS_PLAN(find_rule,
		   "SELECT r.act FROM laras.review_rule r WHERE r.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND (r.channel IS NULL OR r.channel OPERATOR(pg_catalog.=) $2) "
		   "AND (r.topic IS NULL OR r.topic OPERATOR(pg_catalog.=) $3) "
		   "AND (r.minimum_confidence IS NULL OR (r.act OPERATOR(pg_catalog.=) 'review') "
		   "OPERATOR(pg_catalog.=) ($4 OPERATOR(pg_catalog.<) r.minimum_confidence)) "
		   "ORDER BY r.priority DESC, r.act DESC, r.id LIMIT 1",
		   INT8OID, TEXTOID, TEXTOID, FLOAT4OID);

LARAS_PLAN(
	add_verdicts,
	"INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, outcome, reasons, classifier) "
	"SELECT u.w, u.i, u.m, u.c, u.d, u.o, pg_catalog.string_to_array(u.r, ','), $8 "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7) AS u (w, i, m, c, d, o, r)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TEXTOID);

LARAS_PLAN(
	add_drafts,
	"INSERT INTO laras.draft (workspace_id, id, conversation_id, contact_id, inbound_message_id, message_id, state, "
	"body, text_digest, verdict_id, intent, confidence, hold_reasons, drafter, decided_at, decided_by) "
	"SELECT u.w, u.i, u.cv, u.ct, u.im, u.m, u.s, u.b, u.d, u.v, u.it, u.cf, pg_catalog.string_to_array(u.h, ','), $14, "
	"CASE WHEN u.s OPERATOR(pg_catalog.=) 'approved' THEN laras.now() END, "
	"CASE WHEN u.s OPERATOR(pg_catalog.=) 'approved' THEN 'auto' END "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
	"AS u (w, i, cv, ct, im, m, s, b, d, v, it, cf, h)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	TEXTARRAYOID, LARAS_SEALED_ARRAY, BYTEAARRAYOID, INT8ARRAYOID, TEXTARRAYOID, FLOAT8ARRAYOID,
	TEXTARRAYOID, TEXTOID);

LARAS_PLAN(
	add_sources,
	"INSERT INTO laras.draft_source (workspace_id, draft_id, ordinal, source_table, source_id, source_version) "
	"SELECT u.w, u.d, u.o, u.t, u.i, u.v FROM unnest($1, $2, $3, $4, $5, $6) AS u (w, d, o, t, i, v)",
	INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* of those that are to be written to, the ones that nobody else is writing to */
LARAS_PLAN(lock_conversations,
		   "SELECT v.workspace_id, v.id FROM unnest($1, $2) AS u (w, i) "
		   "JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND v.id OPERATOR(pg_catalog.=) u.i FOR NO KEY UPDATE OF v SKIP LOCKED",
		   INT8ARRAYOID, INT8ARRAYOID);

/* whose draft was in somebody's hands when the newer one was made */
LARAS_PLAN(
	find_overtaken,
	"SELECT d.workspace_id, d.id FROM laras.draft d "
	"WHERE d.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) "
	"AND EXISTS (SELECT 1 FROM laras.draft n WHERE n.workspace_id OPERATOR(pg_catalog.=) d.workspace_id "
	"AND n.conversation_id OPERATOR(pg_catalog.=) d.conversation_id "
	"AND (n.created_at, n.id) OPERATOR(pg_catalog.>) (d.created_at, d.id)) "
	"ORDER BY d.workspace_id, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED",
	INT4OID);

LARAS_PLAN(
	find_stale,
	"SELECT d.workspace_id, d.id FROM laras.draft d WHERE d.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) "
	"AND EXISTS (SELECT 1 FROM laras.draft_source s "
	"LEFT JOIN laras.catalog_item c ON s.source_table OPERATOR(pg_catalog.=) 'catalog_item' "
	"AND c.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND c.id OPERATOR(pg_catalog.=) s.source_id "
	"LEFT JOIN laras.policy_text t ON s.source_table OPERATOR(pg_catalog.=) 'policy_text' "
	"AND t.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND t.id OPERATOR(pg_catalog.=) s.source_id "
	"LEFT JOIN laras.faq f ON s.source_table OPERATOR(pg_catalog.=) 'faq' "
	"AND f.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND f.id OPERATOR(pg_catalog.=) s.source_id "
	"WHERE s.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND s.draft_id OPERATOR(pg_catalog.=) d.id "
	"AND coalesce(c.version, t.version, f.version) IS DISTINCT FROM s.source_version) "
	"ORDER BY d.workspace_id, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED",
	INT4OID);

/* one message that gets a draft */
typedef struct Drafting
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 inbound_id;
	int64 conversation_id;
	int64 contact_id;
	int64 connection_id;
	uint32 slot;
	char *channel;
	bool auto_send;
	TimestampTz last_inbound_at;
	StringInfoData question;
	bool not_text; /* a message among them is a picture, a place, ...: nobody read it */

	LarasComposed composed;
	LarasJudgement judgement;
	bool judged; /* there is a text, and a verdict on it */
	int64 draft_id;
	int64 message_id;
	int64 verdict_id;
	uint8 digest[LARAS_TEXT_DIGEST];
	const char *state;
	StringInfoData reasons;
} Drafting;

static void
give_reason(Drafting *d, const char *reason)
{
	appendStringInfo(&d->reasons, "%s%s", d->reasons.len > 0 ? "," : "", reason);
}

/*
 * The messages of the batch as conversations to be answered; each conversation
 * once, by its newest message. *wanted holds what is done with afterwards.
 */
static int
read_batch(Drafting *list, LarasColumn *wanted, int *wanted_count)
{
	uint64 found = laras_spi_run(&read_wanted, (Datum[]){Int32GetDatum(BATCH)}, NULL);
	SPITupleTable *rows = SPI_tuptable;
	int n = 0;

	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;
		bool no_text;
		bool opted_out;
		TimestampTz opt_out;
		TimestampTz last_inbound;
		Datum body;
		char *text = NULL;
		size_t length = 0;
		int64 workspace_id = laras_spi_int8(row, 1);
		int64 id = laras_spi_int8(row, 2);
		int64 conversation_id = laras_spi_int8(row, 3);
		uint32 slot = (uint32) laras_spi_int8(row, 6);
		char *channel = laras_spi_cstring(row, 7);
		const LarasChannelDriver *driver = laras_channel_driver(channel);
		Drafting *d;

		SPI_tuptable = rows;
		wanted[0].values[*wanted_count] = Int64GetDatum(workspace_id);
		wanted[2].values[*wanted_count] = Int64GetDatum(conversation_id);
		wanted[1].values[(*wanted_count)++] = Int64GetDatum(id);
		last_inbound = DatumGetTimestampTz(laras_spi_value(row, 9, &isnull));
		if (isnull)
			last_inbound = 0;
		opt_out = DatumGetTimestampTz(laras_spi_value(row, 13, &isnull));
		opted_out = !isnull && last_inbound <= opt_out;
		body = laras_spi_value(row, 8, &isnull);
		no_text = isnull;
		if (opted_out || laras_spi_bool(row, 14) || driver == NULL || driver->send == NULL ||
			strcmp(laras_spi_cstring(row, 10), "connected") != 0 ||
			strcmp(laras_spi_cstring(row, 12), "active") != 0 ||
			laras_window(driver, last_inbound, laras_now()) != LARAS_WINDOW_OPEN ||
			laras_slot_is_destroyed(slot) ||
			(!no_text && laras_open(DatumGetByteaPP(body), workspace_id, id,
									LARAS_FIELD_message_body, &text, &length) != LARAS_OPENED))
			continue;
		d = n > 0 ? &list[n - 1] : NULL;
		if (d == NULL || d->workspace_id != workspace_id || d->conversation_id != conversation_id)
		{
			d = &list[n++];
			memset(d, 0, sizeof(*d));
			initStringInfo(&d->question);
			initStringInfo(&d->reasons);
		}
		else if (d->question.len + length >= QUESTION_BYTES)
			resetStringInfo(&d->question);
		else if (!no_text && d->question.len > 0)
			appendStringInfoChar(&d->question, '\n');
		if (!no_text)
			appendBinaryStringInfo(&d->question, text, (int) length);
		d->workspace_id = workspace_id;
		d->workspace_slot = laras_workspace_slot(workspace_id);
		d->inbound_id = id;
		d->conversation_id = conversation_id;
		SPI_tuptable = rows;
		d->not_text |= !laras_spi_bool(row, 15);
		d->contact_id = laras_spi_int8(row, 4);
		d->connection_id = laras_spi_int8(row, 5);
		d->slot = slot;
		d->channel = channel;
		d->auto_send = laras_spi_bool(row, 11);
		d->last_inbound_at = last_inbound;
	}
	return n;
}

/* Compose and judge, seeing this workspace only. */
static void
compose_one(Drafting *d)
{
	laras_worker_bind(&d->workspace_id, 1);
	laras_compose(d->workspace_id, d->question.data, d->question.len, &d->composed);
	d->judged = d->composed.text != NULL && d->composed.text[0] != '\0';
	if (d->judged)
		laras_judge_draft(d->workspace_id, d->channel, d->composed.text, strlen(d->composed.text),
						  d->composed.sources, d->composed.n_sources, &d->judgement);
}

/*
 * A drafter or classifier that raises costs its own draft only: it is held, and
 * a person answers. What asks the worker to stop goes on up.
 */
static void
compose_contained(Drafting *d)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		compose_one(d);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ereport(LOG, (errcode(error->sqlerrcode), errmsg("a message could not be drafted"),
					  errdetail("Its draft is held for a person; SQLSTATE %s.",
								unpack_sql_state(error->sqlerrcode))));
		FreeErrorData(error);
		memset(&d->composed, 0, sizeof(d->composed));
		d->composed.intent = "unclear";
		d->judged = false;
		give_reason(d, "drafter_failed");
	}
	PG_END_TRY();
	laras_worker_bind_all();
}

/* May it go out by itself, and if not, why? */
static void
decide(Drafting *d)
{
	const char *rule = NULL;

	if (d->reasons.len > 0)
	{
		d->state = "held";
		return;
	}
	if (d->not_text)
		give_reason(d, "not_text");
	if (!d->judged)
	{
		d->state = d->not_text ? "held" : "withheld";
		give_reason(d, "no_ground");
		return;
	}
	if (d->composed.hand_over)
		give_reason(d, "hand_over");
	for (int i = 0; i < d->judgement.n_reasons; i++)
		give_reason(d, d->judgement.reasons[i]);
	if (!d->auto_send)
		give_reason(d, "auto_send_off");
	if (laras_spi_read(&find_rule,
					   (Datum[]){Int64GetDatum(d->workspace_id), CStringGetTextDatum(d->channel),
								 CStringGetTextDatum(d->composed.intent),
								 Float4GetDatum(d->composed.confidence)},
					   NULL) > 0)
		rule = laras_spi_cstring(0, 1);
	if (rule != NULL ? strcmp(rule, "review") == 0 : d->composed.confidence < DEFAULT_CONFIDENCE)
		give_reason(d, rule != NULL ? "review_rule" : "low_confidence");
	d->state = d->reasons.len > 0 ? "held" : "approved";
}

static void
store_verdicts(Drafting *list, int n)
{
	LarasColumn c[7];
	int count = 0;

	laras_columns_init(c, 7, n);
	for (int i = 0; i < n; i++)
	{
		Drafting *d = &list[i];
		StringInfoData reasons;

		if (!d->judged)
			continue;
		laras_text_digest(d->workspace_slot, d->slot, d->message_id, d->composed.text,
						  strlen(d->composed.text), d->digest);
		initStringInfo(&reasons);
		for (int r = 0; r < d->judgement.n_reasons; r++)
			appendStringInfo(&reasons, "%s%s", r > 0 ? "," : "", d->judgement.reasons[r]);
		c[0].values[count] = Int64GetDatum(d->workspace_id);
		c[1].values[count] = Int64GetDatum(d->verdict_id);
		c[2].values[count] = Int64GetDatum(d->message_id);
		c[3].values[count] = Int64GetDatum(d->contact_id);
		c[4].values[count] = laras_bytea_datum(d->digest, sizeof(d->digest));
		c[5].values[count] = CStringGetTextDatum(laras_outcome_name(d->judgement.outcome));
		c[6].values[count++] = CStringGetTextDatum(reasons.data);
	}
	if (count > 0)
		laras_spi_run(&add_verdicts,
					  (Datum[]){laras_column_array(&c[0], count, INT8OID),
								laras_column_array(&c[1], count, INT8OID),
								laras_column_array(&c[2], count, INT8OID),
								laras_column_array(&c[3], count, INT8OID),
								laras_column_array(&c[4], count, BYTEAOID),
								laras_column_array(&c[5], count, TEXTOID),
								laras_column_array(&c[6], count, TEXTOID),
								CStringGetTextDatum(LARAS_CLASSIFIER_DRAFTS)},
					  NULL);
}

static void
store_drafts(Drafting *list, int n)
{
	LarasColumn c[13];
	bool *no_text = palloc0(sizeof(bool) * n);

	laras_columns_init(c, 13, n);
	for (int i = 0; i < n; i++)
	{
		Drafting *d = &list[i];

		c[0].values[i] = Int64GetDatum(d->workspace_id);
		c[1].values[i] = Int64GetDatum(d->draft_id);
		c[2].values[i] = Int64GetDatum(d->conversation_id);
		c[3].values[i] = Int64GetDatum(d->contact_id);
		c[4].values[i] = Int64GetDatum(d->inbound_id);
		c[5].values[i] = Int64GetDatum(d->message_id);
		c[6].values[i] = CStringGetTextDatum(d->state);
		no_text[i] = !d->judged;
		if (d->judged)
		{
			c[7].values[i] = PointerGetDatum(
				laras_seal(d->workspace_slot, d->slot, LARAS_FIELD_draft_body, d->workspace_id,
						   d->draft_id, d->composed.text, strlen(d->composed.text)));
			c[8].values[i] = laras_bytea_datum(d->digest, sizeof(d->digest));
		}
		c[9].values[i] = Int64GetDatum(d->verdict_id);
		c[10].values[i] = CStringGetTextDatum(d->composed.intent);
		c[11].values[i] = Float8GetDatum(d->composed.confidence);
		c[12].values[i] = CStringGetTextDatum(d->reasons.data);
	}
	c[7].nulls = c[8].nulls = c[9].nulls = no_text;
	laras_spi_run(
		&add_drafts,
		(Datum[]){laras_column_array(&c[0], n, INT8OID), laras_column_array(&c[1], n, INT8OID),
				  laras_column_array(&c[2], n, INT8OID), laras_column_array(&c[3], n, INT8OID),
				  laras_column_array(&c[4], n, INT8OID), laras_column_array(&c[5], n, INT8OID),
				  laras_column_array(&c[6], n, TEXTOID),
				  laras_column_array(&c[7], n, laras_sealed_type()),
				  laras_column_array(&c[8], n, BYTEAOID), laras_column_array(&c[9], n, INT8OID),
				  laras_column_array(&c[10], n, TEXTOID), laras_column_array(&c[11], n, FLOAT8OID),
				  laras_column_array(&c[12], n, TEXTOID), CStringGetTextDatum(LARAS_DRAFTER_NAME)},
		NULL);
}

static void
store_sources(Drafting *list, int n)
{
	LarasColumn c[6];
	int room = 0;
	int count = 0;

	for (int i = 0; i < n; i++)
		room += list[i].composed.n_sources;
	if (room == 0)
		return;
	laras_columns_init(c, 6, room);
	for (int i = 0; i < n; i++)
		for (int s = 0; s < list[i].composed.n_sources; s++)
		{
			const LarasSource *source = &list[i].composed.sources[s];

			c[0].values[count] = Int64GetDatum(list[i].workspace_id);
			c[1].values[count] = Int64GetDatum(list[i].draft_id);
			c[2].values[count] = Int32GetDatum(s + 1);
			c[3].values[count] = CStringGetTextDatum(source->table);
			c[4].values[count] = Int64GetDatum(source->id);
			c[5].values[count++] = Int64GetDatum(source->version);
		}
	laras_spi_run(&add_sources,
				  (Datum[]){laras_column_array(&c[0], count, INT8OID),
							laras_column_array(&c[1], count, INT8OID),
							laras_column_array(&c[2], count, INT4OID),
							laras_column_array(&c[3], count, TEXTOID),
							laras_column_array(&c[4], count, INT8OID),
							laras_column_array(&c[5], count, INT8OID)},
				  NULL);
}

static void
send_by_itself(const Drafting *d)
{
	LarasOutboxRow row = {
		.connection_id = d->connection_id,
		.conversation_id = d->conversation_id,
		.contact_id = d->contact_id,
		.message_id = d->message_id,
		.draft_id = d->draft_id,
		.verdict_id = d->verdict_id,
		.approved_by = "auto",
		.kind = "text",
	};

	memcpy(row.text_digest, d->digest, sizeof(row.text_digest));
	laras_outbound_message(d->workspace_id, d->message_id, d->conversation_id, "text",
						   d->composed.text, strlen(d->composed.text), "draft", d->draft_id);
	laras_outbox_add(d->workspace_id, &row);
}

static void
record(Drafting *list, int n)
{
	LarasEvidence *acts = palloc0(sizeof(LarasEvidence) * n * 2);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 7);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		Drafting *d = &list[i];
		LarasEvidenceField *f = &fields[i * 7];
		int nf = 0;
		bool sent = strcmp(d->state, "approved") == 0;

		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, d->composed.intent);
		f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_STATUS, d->state);
		f[nf++] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_MESSAGE_ID, d->inbound_id);
		f[nf++] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_ROWS, d->composed.n_sources);
		if (d->judged)
		{
			f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_VERDICT,
														 laras_outcome_name(d->judgement.outcome));
			f[nf++] =
				(LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_BODY, d->slot, d->composed.text,
													 strlen(d->composed.text));
		}
		acts[count] = (LarasEvidence){
			.workspace_id = d->workspace_id,
			.workspace_slot = d->workspace_slot,
			.action = LARAS_ACT_DRAFT_CREATED,
			.actor_kind = LARAS_ACTOR_WORKER,
			.subject_kind = LARAS_SUBJECT_DRAFT,
			.subject_id = d->draft_id,
			.nfields = nf,
			.fields = f,
		};
		count++;
		if (!sent)
			continue;
		f[6] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_METHOD, "auto");
		acts[count] = acts[count - 1];
		acts[count].action = LARAS_ACT_DRAFT_APPROVED;
		acts[count].nfields = 1;
		acts[count].fields = &f[6];
		count++;
	}
	laras_evidence_append_many(acts, count);
}

/*
 * Locks the conversations that something is to be sent in. Those in which
 * somebody else's transaction is writing are left for the next turn, so that it
 * keeps nobody waiting: taken out of the list, and out of what is done with.
 * Returns how many stay in the list.
 */
static int
leave_busy(Drafting *list, int n, LarasColumn *wanted, int *wanted_count)
{
	LarasColumn c[2];
	int sending = 0;
	int kept = 0;
	uint64 free_ones;

	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(list[i].state, "approved") != 0)
			continue;
		c[0].values[sending] = Int64GetDatum(list[i].workspace_id);
		c[1].values[sending++] = Int64GetDatum(list[i].conversation_id);
	}
	if (sending == 0)
		return n;
	free_ones = laras_spi_run(&lock_conversations,
							  (Datum[]){laras_column_array(&c[0], sending, INT8OID),
										laras_column_array(&c[1], sending, INT8OID)},
							  NULL);
	for (int i = 0; i < n; i++)
	{
		bool stays = strcmp(list[i].state, "approved") != 0;
		int w = 0;

		for (uint64 row = 0; row < free_ones && !stays; row++)
			stays = laras_spi_int8(row, 1) == list[i].workspace_id &&
					laras_spi_int8(row, 2) == list[i].conversation_id;
		if (stays)
		{
			list[kept++] = list[i];
			continue;
		}
		for (int j = 0; j < *wanted_count; j++)
		{
			if (DatumGetInt64(wanted[0].values[j]) == list[i].workspace_id &&
				DatumGetInt64(wanted[2].values[j]) == list[i].conversation_id)
				continue;
			for (int k = 0; k < 3; k++)
				wanted[k].values[w] = wanted[k].values[j];
			w++;
		}
		*wanted_count = w;
	}
	return kept;
}

LarasTurn
laras_answer_duty(void)
{
	Drafting *list = palloc(sizeof(Drafting) * BATCH);
	LarasColumn wanted[3];
	int wanted_count = 0;
	bool full;
	int n;

	if (!laras_vault_is_open())
		return LARAS_TURN_IDLE;
	laras_columns_init(wanted, 3, BATCH);
	laras_worker_bind_all();
	laras_spi_open();
	n = read_batch(list, wanted, &wanted_count);
	if (wanted_count == 0)
	{
		uint64 dropped = laras_spi_run(&drop_orphans, (Datum[]){Int32GetDatum(BATCH)}, NULL);

		laras_spi_close();
		return dropped > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
	}
	for (int i = 0; i < n; i++)
	{
		Drafting *d = &list[i];

		d->draft_id = laras_new_id();
		d->message_id = laras_new_id();
		d->verdict_id = laras_new_id();
		compose_contained(d);
		decide(d);
	}
	full = wanted_count == BATCH;
	n = leave_busy(list, n, wanted, &wanted_count);
	if (n > 0)
	{
		for (int i = 0; i < n; i++)
			laras_drafts_overtaken(list[i].workspace_id, list[i].conversation_id);
		store_verdicts(list, n);
		store_drafts(list, n);
		store_sources(list, n);
		for (int i = 0; i < n; i++)
			if (strcmp(list[i].state, "approved") == 0)
				send_by_itself(&list[i]);
		record(list, n);
	}
	laras_spi_run(&drop_wanted,
				  (Datum[]){laras_column_array(&wanted[0], wanted_count, INT8OID),
							laras_column_array(&wanted[1], wanted_count, INT8OID)},
				  NULL);
	laras_spi_close();
	return full && wanted_count > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}

static bool
close_found(LarasPlan *plan, LarasDraftEnd end)
{
	uint64 found = laras_spi_run(plan, (Datum[]){Int32GetDatum(BATCH)}, NULL);
	int64 *ids = palloc(sizeof(int64) * 2 * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		ids[2 * i] = laras_spi_int8(i, 1);
		ids[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < found; i++)
		laras_draft_close(ids[2 * i], ids[2 * i + 1], end, "worker");
	return found == BATCH;
}

LarasTurn
laras_stale_duty(void)
{
	bool more;

	laras_worker_bind_all();
	laras_spi_open();
	more = close_found(&find_overtaken, LARAS_DRAFT_SUPERSEDED);
	more |= close_found(&find_stale, LARAS_DRAFT_STALE);
	laras_spi_close();
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
