/*
 * store.c
 *		Drafts become rows: a statement for each table, whatever the batch. All of
 *		them answer somebody, so what they are for is service.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "answer/drafting.h"
#include "base/fault.h"
#include "base/spi.h"
#include "connect/handling.h"
#include "courier/courier.h"
#include "courier/presence.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	add_verdicts,
	"INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, outcome, reasons, classifier, purpose) "
	"SELECT u.w, u.i, u.m, u.c, u.d, u.o, pg_catalog.string_to_array(u.r, ','), $8, $9 "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7) AS u (w, i, m, c, d, o, r)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TEXTOID, TEXTOID);

LARAS_PLAN(
	add_drafts,
	"INSERT INTO laras.draft (workspace_id, id, conversation_id, contact_id, inbound_message_id, message_id, state, "
	"body, text_digest, verdict_id, intent, confidence, hold_reasons, drafter, purpose, decided_at, decided_by) "
	"SELECT u.w, u.i, u.cv, u.ct, u.im, u.m, u.s, u.b, u.d, u.v, u.it, u.cf, pg_catalog.string_to_array(u.h, ','), u.dr, $15, "
	"CASE WHEN u.s OPERATOR(pg_catalog.=) 'approved' THEN laras.now() END, "
	"CASE WHEN u.s OPERATOR(pg_catalog.=) 'approved' THEN 'auto' END "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
	"AS u (w, i, cv, ct, im, m, s, b, d, v, it, cf, h, dr)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	TEXTARRAYOID, LARAS_SEALED_ARRAY, BYTEAARRAYOID, INT8ARRAYOID, TEXTARRAYOID, FLOAT8ARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTOID);

LARAS_PLAN(
	add_sources,
	"INSERT INTO laras.draft_source (workspace_id, draft_id, ordinal, source_table, source_id, source_version, "
	"quoted_for, valid_until) SELECT u.w, u.d, u.o, u.t, u.i, u.v, u.q, u.l "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS u (w, d, o, t, i, v, q, l)",
	INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	DATEARRAYOID, TIMESTAMPTZARRAYOID);

static void
store_verdicts(LarasDrafting *list, int n)
{
	LarasColumn c[7];
	int count = 0;

	laras_columns_init(c, 7, n);
	for (int i = 0; i < n; i++)
	{
		LarasDrafting *d = &list[i];
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
								CStringGetTextDatum(LARAS_CLASSIFIER_DRAFTS),
								CStringGetTextDatum(LARAS_PURPOSE_SERVICE)},
					  NULL);
}

static void
store_drafts(LarasDrafting *list, int n)
{
	LarasColumn c[14];
	bool *no_text = palloc0(sizeof(bool) * n);

	laras_columns_init(c, 14, n);
	for (int i = 0; i < n; i++)
	{
		LarasDrafting *d = &list[i];

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
		c[13].values[i] = CStringGetTextDatum(d->drafter);
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
				  laras_column_array(&c[12], n, TEXTOID), laras_column_array(&c[13], n, TEXTOID),
				  CStringGetTextDatum(LARAS_PURPOSE_SERVICE)},
		NULL);
}

static void
store_sources(LarasDrafting *list, int n)
{
	LarasColumn c[8];
	int room = 0;
	int count = 0;

	for (int i = 0; i < n; i++)
		room += list[i].composed.n_sources;
	if (room == 0)
		return;
	laras_columns_init(c, 8, room);
	c[6].nulls = palloc0(sizeof(bool) * room);
	c[7].nulls = palloc0(sizeof(bool) * room);
	for (int i = 0; i < n; i++)
		for (int s = 0; s < list[i].composed.n_sources; s++)
		{
			const LarasSource *source = &list[i].composed.sources[s];

			c[0].values[count] = Int64GetDatum(list[i].workspace_id);
			c[1].values[count] = Int64GetDatum(list[i].draft_id);
			c[2].values[count] = Int32GetDatum(s + 1);
			c[3].values[count] = CStringGetTextDatum(source->table);
			c[4].values[count] = Int64GetDatum(source->id);
			c[5].values[count] = Int64GetDatum(source->version);
			c[6].values[count] = DateADTGetDatum(source->quoted_for);
			c[6].nulls[count] = source->quoted_for == 0;
			c[7].values[count] = TimestampTzGetDatum(source->valid_until);
			c[7].nulls[count++] = source->valid_until == 0;
		}
	laras_spi_run(&add_sources,
				  (Datum[]){laras_column_array(&c[0], count, INT8OID),
							laras_column_array(&c[1], count, INT8OID),
							laras_column_array(&c[2], count, INT4OID),
							laras_column_array(&c[3], count, TEXTOID),
							laras_column_array(&c[4], count, INT8OID),
							laras_column_array(&c[5], count, INT8OID),
							laras_column_array(&c[6], count, DATEOID),
							laras_column_array(&c[7], count, TIMESTAMPTZOID)},
				  NULL);
}

static void
send_by_itself(const LarasDrafting *d)
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
		.purpose = LARAS_PURPOSE_SERVICE,
	};

	memcpy(row.text_digest, d->digest, sizeof(row.text_digest));
	laras_outbound_message(d->workspace_id, d->message_id, d->conversation_id, "text",
						   d->composed.text, strlen(d->composed.text), "draft", d->draft_id);
	laras_outbox_add(d->workspace_id, &row);
	if (d->shows)
		(void) laras_presence_show(d->workspace_id, d->conversation_id, false);
}

static void
record(LarasDrafting *list, int n)
{
	LarasEvidence *acts = palloc0(sizeof(LarasEvidence) * n * 2);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 7);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		LarasDrafting *d = &list[i];
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

void
laras_drafting_store(LarasDrafting *list, int n)
{
	int64 *workspaces;
	int64 *conversations;
	int64 *drafts;
	int sent = 0;

	if (n == 0)
		return;
	workspaces = palloc(sizeof(int64) * n);
	conversations = palloc(sizeof(int64) * n);
	drafts = palloc(sizeof(int64) * n);
	for (int i = 0; i < n; i++)
	{
		workspaces[i] = list[i].workspace_id;
		conversations[i] = list[i].conversation_id;
	}
	laras_drafts_overtaken(workspaces, conversations, n);
	LARAS_FAULT("answer_store");
	store_verdicts(list, n);
	store_drafts(list, n);
	store_sources(list, n);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(list[i].state, "approved") != 0)
			continue;
		send_by_itself(&list[i]);
		workspaces[sent] = list[i].workspace_id;
		drafts[sent++] = list[i].draft_id;
	}
	laras_decisions_add(workspaces, drafts, sent, "auto_sent", "auto");
	record(list, n);
}
