/*
 * record.c
 *		What became of messages, written down.
 *
 * A batch of outcomes goes in by a few set-based statements. A row is only
 * changed while it is still the attempt's: what a status webhook settled in
 * the meantime stays.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "common/pg_prng.h"
#include "courier/again.h"
#include "courier/carry.h"
#include "courier/check.h"
#include "courier/conversation.h"
#include "courier/courier.h"
#include "courier/enclosed.h"
#include "courier/limit.h"
#include "courier/pause.h"
#include "courier/repeated.h"
#include "courier/resend.h"
#include "courier/stop.h"
#include "courier/templated.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "inbox/suppression.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

/* a message that was certainly not sent is tried this often */
#define MAX_ATTEMPTS 8
#define FIRST_DELAY_MS 1000
#define LONGEST_DELAY_MS (10 * 60 * 1000)
#define LONGEST_WAIT (24 * 60 * 60) /* seconds, of what a provider asks for */

/* CASE, because plain conditions on the state would offer the partial indexes of the queue */
LARAS_PLAN(
	settle_rows,
	"UPDATE laras.outbox o SET state = u.s, reason = u.r, error_code = u.e, "
	"not_before = CASE WHEN u.s OPERATOR(pg_catalog.=) 'queued' AND u.d OPERATOR(pg_catalog.>) 0 THEN laras.now() OPERATOR(pg_catalog.+) "
	"(u.d OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval) ELSE o.not_before END, "
	"stage = CASE WHEN u.s OPERATOR(pg_catalog.=) 'cancelled' THEN NULL ELSE o.stage END, "
	"finished_at = CASE WHEN u.s OPERATOR(pg_catalog.=) ANY ('{queued,parked}'::pg_catalog.text[]) THEN NULL ELSE laras.now() END "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS u (n, w, i, a, s, r, e, d) "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i "
	"AND CASE WHEN o.state OPERATOR(pg_catalog.=) 'sending' THEN o.attempt_id OPERATOR(pg_catalog.=) u.a "
	"ELSE o.state OPERATOR(pg_catalog.=) 'queued' AND u.a OPERATOR(pg_catalog.=) 0 END "
	"RETURNING u.n",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	INT4ARRAYOID, FLOAT8ARRAYOID);

LARAS_PLAN(
	settle_attempts,
	"UPDATE laras.send_attempt a SET outcome = u.o, http_status = u.h, error_code = u.e, error_subcode = u.s, "
	"curl_code = u.c, finished_at = laras.now(), resolved_by = u.r "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS u (w, a, o, h, e, s, c, r) "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) u.w AND a.id OPERATOR(pg_catalog.=) u.a "
	"AND a.outcome OPERATOR(pg_catalog.=) 'sending'",
	INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
	INT4ARRAYOID, TEXTARRAYOID);

LARAS_PLAN(end_drafts,
		   "UPDATE laras.draft d SET state = $3 FROM unnest($1, $2) AS u (w, i) "
		   "WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID, TEXTOID);

LARAS_PLAN(sent_drafts,
		   "UPDATE laras.draft d SET state = $3 FROM unnest($1, $2) AS u (w, i) "
		   "WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.id OPERATOR(pg_catalog.=) u.i "
		   "AND d.state OPERATOR(pg_catalog.=) 'approved'",
		   INT8ARRAYOID, INT8ARRAYOID, TEXTOID);

LARAS_PLAN(
	find_abandoned,
	"SELECT o.workspace_id, o.id, o.message_id, o.conversation_id, o.contact_id, o.connection_id, "
	"coalesce(o.draft_id, 0), coalesce(o.attempt_id, 0), m.slot, m.channel, o.stage IS NOT NULL, o.kind, o.resent FROM laras.outbox o "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"WHERE o.state OPERATOR(pg_catalog.=) 'sending' AND o.incarnation IS DISTINCT FROM $1 LIMIT 500 FOR UPDATE OF o",
	INT8OID);

LARAS_PLAN(keep_stage,
		   "UPDATE laras.outbox SET stage = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, LARAS_SEALED);

/* full jitter: anything between 0 and a doubling bound */
static int
backoff(int attempts)
{
	int bound = FIRST_DELAY_MS;

	for (int i = 1; i < attempts && bound < LONGEST_DELAY_MS; i++)
		bound *= 2;
	if (bound > LONGEST_DELAY_MS)
		bound = LONGEST_DELAY_MS;
	return (int) (pg_prng_double(&pg_global_prng_state) * bound) + 1;
}

static void
settle_attempt_rows(LarasOutcome *outcomes, int n)
{
	LarasColumn c[8];
	int count = 0;

	laras_columns_init(c, 8, n);
	for (int i = 0; i < n; i++)
	{
		LarasOutcome *o = &outcomes[i];

		if (o->attempt_outcome == NULL || o->flight->attempt_id == 0)
			continue;
		c[0].values[count] = Int64GetDatum(o->flight->workspace_id);
		c[1].values[count] = Int64GetDatum(o->flight->attempt_id);
		c[2].values[count] = CStringGetTextDatum(o->attempt_outcome);
		c[3].values[count] = Int32GetDatum(o->http_status);
		c[4].values[count] = Int32GetDatum(o->error_code);
		c[5].values[count] = Int32GetDatum(o->error_subcode);
		c[6].values[count] = Int32GetDatum(o->curl_code);
		c[7].values[count] =
			CStringGetTextDatum(o->curl_code < 0                               ? "restart"
								: strcmp(o->attempt_outcome, "uncertain") == 0 ? "timeout"
																			   : "answer");
		count++;
	}
	if (count == 0)
		return;
	laras_spi_run(&settle_attempts,
				  (Datum[]){laras_column_array(&c[0], count, INT8OID),
							laras_column_array(&c[1], count, INT8OID),
							laras_column_array(&c[2], count, TEXTOID),
							laras_column_array(&c[3], count, INT4OID),
							laras_column_array(&c[4], count, INT4OID),
							laras_column_array(&c[5], count, INT4OID),
							laras_column_array(&c[6], count, INT4OID),
							laras_column_array(&c[7], count, TEXTOID)},
				  NULL);
}

static LarasAction
action_of(const LarasOutcome *o)
{
	const char *state = o->outbox_state;

	if (o->reason != NULL && strcmp(o->reason, "opted_out") == 0)
		return LARAS_ACT_SEND_SUPPRESSED;
	if (o->reason != NULL && strcmp(o->reason, "scope_missing") == 0)
		return LARAS_ACT_SCOPE_REFUSED;
	if (strcmp(state, "sent") == 0)
		return LARAS_ACT_MESSAGE_SENT;
	if (strcmp(state, "uncertain") == 0)
		return LARAS_ACT_MESSAGE_UNCERTAIN;
	if (strcmp(state, "parked") == 0)
		return LARAS_ACT_MESSAGE_PARKED;
	if (strcmp(state, "cancelled") == 0)
		return LARAS_ACT_MESSAGE_CANCELLED;
	return LARAS_ACT_MESSAGE_REFUSED;
}

/* The entries of what changed; a row queued again leaves none, its attempt tells. */
static void
write_evidence(LarasOutcome *outcomes, int n, const bool *changed)
{
	LarasEvidence *entries = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * n * 3);
	int acts = 0;

	for (int i = 0; i < n; i++)
	{
		LarasOutcome *o = &outcomes[i];
		LarasEvidenceField *f = &fields[acts * 3];
		int nf = 0;

		if (!changed[i] || strcmp(o->outbox_state, "queued") == 0)
			continue;
		if (o->provider_id.s != NULL && !laras_slot_is_destroyed(o->flight->contact_slot))
			f[nf++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_PROVIDER_MESSAGE_ID,
														   o->flight->contact_slot,
														   o->provider_id.s, o->provider_id.n);
		if (o->reason != NULL)
			f[nf++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_REASON, o->reason);
		if (o->error_code != 0)
			f[nf++] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_ERROR_CODE, o->error_code);
		entries[acts] = (LarasEvidence){
			.workspace_id = o->flight->workspace_id,
			.workspace_slot = o->flight->workspace_slot,
			.action = action_of(o),
			.actor_kind = LARAS_ACTOR_WORKER,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = o->flight->message_id,
			.nfields = nf,
			.fields = f,
		};
		acts++;
	}
	if (acts > 0)
		laras_evidence_append_many(entries, acts);
}

typedef struct Drafts
{
	int64 *workspace;
	int64 *draft;
	int n;
} Drafts;

/* The drafts of messages that came to this state, for this reason (NULL: any). */
static Drafts
drafts_of(const LarasOutcome *outcomes, int n, const bool *changed, const char *state,
		  const char *reason)
{
	Drafts found = {palloc(sizeof(int64) * n), palloc(sizeof(int64) * n), 0};

	for (int i = 0; i < n; i++)
	{
		const LarasOutcome *o = &outcomes[i];

		if (!changed[i] || o->flight->draft_id == 0 || strcmp(o->outbox_state, state) != 0 ||
			(reason != NULL && (o->reason == NULL || strcmp(o->reason, reason) != 0)))
			continue;
		found.workspace[found.n] = o->flight->workspace_id;
		found.draft[found.n++] = o->flight->draft_id;
	}
	return found;
}

static void
set_drafts(LarasPlan *plan, Drafts drafts, const char *state)
{
	LarasColumn c[2];

	if (drafts.n == 0)
		return;
	laras_columns_init(c, 2, drafts.n);
	for (int i = 0; i < drafts.n; i++)
	{
		c[0].values[i] = Int64GetDatum(drafts.workspace[i]);
		c[1].values[i] = Int64GetDatum(drafts.draft[i]);
	}
	laras_spi_run(plan,
				  (Datum[]){laras_column_array(&c[0], drafts.n, INT8OID),
							laras_column_array(&c[1], drafts.n, INT8OID),
							CStringGetTextDatum(state)},
				  NULL);
}

/* What became of the drafts that these messages came from. */
static void
settle_drafts(const LarasOutcome *outcomes, int n, const bool *changed)
{
	Drafts altered = drafts_of(outcomes, n, changed, "refused", "text_differs");
	Drafts late = drafts_of(outcomes, n, changed, "refused", "window_closed");

	set_drafts(&sent_drafts, drafts_of(outcomes, n, changed, "sent", NULL), "sent");
	set_drafts(&end_drafts, drafts_of(outcomes, n, changed, "cancelled", "draft_stale"), "stale");
	set_drafts(&end_drafts, drafts_of(outcomes, n, changed, "cancelled", "overtaken"),
			   "superseded");
	/* what is not the text that was judged is nobody's answer any more */
	laras_drafts_refused(altered.workspace, altered.draft, altered.n, "worker");
	/* what was approved too late for its window waits for a person again */
	laras_drafts_held_again(late.workspace, late.draft, late.n);
}

/* The rows of the outbox; sets changed[] for those that were still the attempt's. */
static void
settle_outbox_rows(const LarasOutcome *outcomes, int n, bool *changed)
{
	LarasColumn c[8];
	bool *no_reason = palloc0(sizeof(bool) * n);
	bool *no_code = palloc0(sizeof(bool) * n);
	uint64 count;

	laras_columns_init(c, 8, n);
	for (int i = 0; i < n; i++)
	{
		const LarasOutcome *o = &outcomes[i];

		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(o->flight->workspace_id);
		c[2].values[i] = Int64GetDatum(o->flight->outbox_id);
		c[3].values[i] = Int64GetDatum(o->attempt_outcome == NULL ? 0 : o->flight->attempt_id);
		c[4].values[i] = CStringGetTextDatum(o->outbox_state);
		no_reason[i] = o->reason == NULL;
		c[5].values[i] = o->reason == NULL ? (Datum) 0 : CStringGetTextDatum(o->reason);
		no_code[i] = o->error_code == 0;
		c[6].values[i] = Int32GetDatum(o->error_code);
		c[7].values[i] = Float8GetDatum((double) o->delay_ms);
	}
	c[5].nulls = no_reason;
	c[6].nulls = no_code;
	count = laras_spi_run(
		&settle_rows,
		(Datum[]){laras_column_array(&c[0], n, INT4OID), laras_column_array(&c[1], n, INT8OID),
				  laras_column_array(&c[2], n, INT8OID), laras_column_array(&c[3], n, INT8OID),
				  laras_column_array(&c[4], n, TEXTOID), laras_column_array(&c[5], n, TEXTOID),
				  laras_column_array(&c[6], n, INT4OID), laras_column_array(&c[7], n, FLOAT8OID)},
		NULL);
	for (uint64 i = 0; i < count; i++)
		changed[laras_spi_int4(i, 1)] = true;
}

/* What the first of two requests led to: the next one is made with it. */
static void
settle_stages(const LarasOutcome *outcomes, int n, const bool *changed)
{
	for (int i = 0; i < n; i++)
	{
		const LarasFlight *f = outcomes[i].flight;

		if (changed[i] && outcomes[i].stage.s != NULL && !laras_flight_is_cut(f))
			laras_spi_run_one(&keep_stage,
							  (Datum[]){Int64GetDatum(f->workspace_id), Int64GetDatum(f->outbox_id),
										PointerGetDatum(
											laras_seal(f->workspace_slot, f->contact_slot,
													   LARAS_FIELD_outbox_stage, f->workspace_id,
													   f->outbox_id, outcomes[i].stage.s,
													   outcomes[i].stage.n))},
							  NULL);
	}
}

/* Messages that were sent, also those that a status webhook had settled before. */
static void
settle_sent_messages(const LarasOutcome *outcomes, int n)
{
	LarasSentMessage *sent = palloc(sizeof(LarasSentMessage) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		const LarasFlight *f = outcomes[i].flight;

		if (strcmp(outcomes[i].outbox_state, "sent") == 0)
			sent[count++] = (LarasSentMessage){
				.workspace_id = f->workspace_id,
				.workspace_slot = f->workspace_slot,
				.message_id = f->message_id,
				.contact_slot = f->contact_slot,
				.connection_id = f->connection_id,
				.channel = f->driver->channel,
				.provider_id = outcomes[i].provider_id,
				.provider_index = outcomes[i].provider_index,
			};
	}
	if (count > 0)
		laras_messages_sent(sent, count, laras_now());
}

/* By workspace and message: the order in which everybody locks several messages. */
static int
compare_outcome(const void *a, const void *b)
{
	const LarasFlight *x = ((const LarasOutcome *) a)->flight;
	const LarasFlight *y = ((const LarasOutcome *) b)->flight;

	if (x->workspace_id != y->workspace_id)
		return x->workspace_id < y->workspace_id ? -1 : 1;
	return x->message_id < y->message_id ? -1 : x->message_id > y->message_id;
}

void
laras_courier_settle(LarasOutcome *outcomes, int n)
{
	bool *changed = palloc0(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
		laras_resend_keep_doubt(&outcomes[i]);
	qsort(outcomes, n, sizeof(LarasOutcome), compare_outcome);
	laras_spi_open();
	settle_outbox_rows(outcomes, n, changed);
	settle_attempt_rows(outcomes, n);
	settle_sent_messages(outcomes, n);
	settle_stages(outcomes, n, changed);
	for (int i = 0; i < n; i++)
	{
		LarasOutcome *o = &outcomes[i];
		LarasFlight *f = o->flight;

		if (f->resent && o->attempt_outcome != NULL && strcmp(o->attempt_outcome, "sent") == 0)
			laras_resend_settled(f->workspace_id, f->outbox_id, f->message_id, f->connection_id);
		/* what cannot be judged stands back, and nobody waits for it */
		laras_conversation_hold(f,
								changed[i] && (o->reason == NULL || strcmp(o->reason, "error") != 0)
									? o->delay_ms
									: 0);
		if (!changed[i])
			continue;
		if (o->delay_ms > 0)
			laras_again_in(o->delay_ms);
		laras_templated_refused(f, o->error_code);
		if (o->message_status != NULL)
			/* that it was cancelled is no error of the message, whoever found it out */
			laras_message_set_status(f->workspace_id, f->message_id, o->message_status,
									 strcmp(o->message_status, "cancelled") == 0 ? 0
																				 : o->error_code);
		if (o->notice != NULL)
			laras_send_notice(f->workspace_id, o->notice, f->connection_id, f->conversation_id,
							  f->message_id, o->error_code, o->reason);
	}
	settle_drafts(outcomes, n, changed);
	laras_check_uncertain(outcomes, n, changed);
	laras_spi_close();
	write_evidence(outcomes, n, changed);
}

/* What the end of a request means for its row. */
static LarasOutcome
outcome_of(LarasFlight *f)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasOutcome o = {.flight = f};
	LarasSendAnswer answer = {.answer = LARAS_ANSWER_UNCERTAIN};

	/* an end that could not be written down is known no better than one that was never seen */
	if (f->records > 1)
		answer.answer = LARAS_ANSWER_UNCERTAIN;
	else if (f->call == NULL || f->call->end == LARAS_HTTP_NOT_SENT)
		answer.answer = LARAS_ANSWER_RETRY;
	else if (f->call->end == LARAS_HTTP_ANSWERED)
		(f->uploads ? f->driver->send->media->read_upload
					: f->driver->send->read_answer)(f->call->http_status,
													f->call->body ? f->call->body : "",
													f->call->body_n, &allocator, &answer);
	if (f->call != NULL)
	{
		o.http_status = f->call->http_status;
		o.curl_code = f->call->curl_code;
	}
	o.throttle = answer.throttle;
	o.error_code = answer.error_code;
	o.error_subcode = answer.error_subcode;
	/* what came of the first of two requests is seen by nobody */
	if (f->first_step)
	{
		if (answer.answer == LARAS_ANSWER_UNCERTAIN)
			answer.answer = LARAS_ANSWER_RETRY;
		if (answer.answer == LARAS_ANSWER_SENT && !laras_flight_is_cut(f))
		{
			o.outbox_state = "queued";
			o.attempt_outcome = "staged";
			o.stage = answer.provider_id;
			return o;
		}
	}
	switch (answer.answer)
	{
		case LARAS_ANSWER_SENT:
			o.outbox_state = "sent";
			o.attempt_outcome = "sent";
			o.provider_id = answer.provider_id;
			if (o.provider_id.s == NULL && f->call != NULL && f->call->name != NULL)
				o.provider_id = laras_text(f->call->name);
			break;
		case LARAS_ANSWER_RETRY:
		case LARAS_ANSWER_THROTTLED:
			o.attempt_outcome = answer.error_code == 0 ? "not_sent" : "retry";
			if (laras_flight_is_cut(f))
			{
				o.outbox_state = "cancelled";
				o.reason = laras_slot_is_destroyed(f->connection_slot) ? "disconnected" : "erased";
				o.message_status = "cancelled";
				break;
			}
			if (f->attempts < MAX_ATTEMPTS)
			{
				o.outbox_state = "queued";
				o.reason = answer.answer == LARAS_ANSWER_THROTTLED ? "throttled" : "retry";
				o.delay_ms =
					backoff(f->attempts + (answer.answer == LARAS_ANSWER_THROTTLED ? 2 : 0));
				/* what the provider says is the least; it may say a day */
				if (answer.retry_after > 0)
					o.delay_ms += Min(answer.retry_after, LONGEST_WAIT) * 1000;
				break;
			}
			o.outbox_state = "refused";
			o.reason = "gave_up";
			o.message_status = "failed";
			o.notice = "send_failed";
			break;
		case LARAS_ANSWER_WINDOW:
			o.outbox_state = "refused";
			o.attempt_outcome = "refused";
			o.reason = "window_closed";
			o.message_status = "failed";
			o.notice = "window_closed";
			break;
		case LARAS_ANSWER_REFUSED:
			o.outbox_state = "refused";
			o.attempt_outcome = "refused";
			o.reason = "provider_refused";
			o.message_status = "failed";
			o.notice = "send_failed";
			break;
		case LARAS_ANSWER_ACCOUNT:
			o.attempt_outcome = "refused";
			o.withdrawn = f->driver->connect->read_token != NULL &&
						  f->driver->connect->read_token(o.error_code, o.error_subcode) ==
							  LARAS_TOKEN_WITHDRAWN;
			if (o.withdrawn || laras_flight_is_cut(f))
			{
				o.outbox_state = "cancelled";
				o.reason = "disconnected";
				o.message_status = "cancelled";
				break;
			}
			o.outbox_state = "parked";
			o.reason = "needs_reauth";
			break;
		case LARAS_ANSWER_UNCERTAIN:
			laras_outcome_doubt(&o);
			break;
	}
	return o;
}

/* Does the end of a message say that the person wants nothing unasked? */
static bool
opts_out(const LarasOutcome *o)
{
	return laras_error_opts_out(o->flight->driver->channel, o->error_code);
}

/* By itself and before rows of the outbox are locked, as whoever erases a person locks them. */
static void
note_wishes(const LarasOutcome *outcomes, int n)
{
	laras_worker_begin("noting who wants nothing unasked");
	laras_worker_bind_all();
	for (int i = 0; i < n; i++)
		if (opts_out(&outcomes[i]))
			laras_suppression_reported(outcomes[i].flight->workspace_id,
									   outcomes[i].flight->workspace_slot,
									   outcomes[i].flight->contact_id,
									   outcomes[i].flight->driver->channel,
									   outcomes[i].flight->connection_id, outcomes[i].error_code,
									   laras_now());
	laras_worker_commit();
}

void
laras_courier_record(LarasFlight **flights, int n)
{
	LarasOutcome *outcomes = palloc(sizeof(LarasOutcome) * n);
	bool stopping = false;
	bool wishing = false;

	for (int i = 0; i < n; i++)
	{
		outcomes[i] = outcome_of(flights[i]);
		if (!flights[i]->counted)
			flights[i]->opened_breaker = laras_limit_ended(flights[i], &outcomes[i]);
		flights[i]->counted = true;
		stopping = stopping || laras_outcome_stops(&outcomes[i]);
		wishing = wishing || opts_out(&outcomes[i]);
	}
	if (stopping)
		laras_stop_connections(outcomes, n);
	if (wishing)
		note_wishes(outcomes, n);
	LARAS_FAULT("courier_before_record");
	laras_worker_begin("recording sends");
	laras_worker_bind_all();
	laras_pauses_write();
	laras_cancel_cut(outcomes, n);
	laras_doubt_repeated(outcomes, n);
	laras_courier_settle(outcomes, n);
	for (int i = 0; i < n; i++)
		if (flights[i]->opened_breaker)
			laras_notice(flights[i]->workspace_id, "sending_paused", flights[i]->connection_id, 0,
						 0, 0);
	LARAS_FAULT("courier_before_record_commit");
	laras_worker_commit();
	laras_limit_written();
	LARAS_FAULT("courier_after_record_commit");
	for (int i = 0; i < n; i++)
	{
		laras_conversation_free(flights[i]->workspace_id, flights[i]->conversation_id);
		laras_http_free(flights[i]->call);
		laras_http_give_back(flights[i], sizeof(LarasFlight));
	}
}

void
laras_courier_sweep(void)
{
	uint64 found;

	do
	{
		LarasOutcome *outcomes;
		LarasFlight *flights;

		laras_worker_begin("settling what an earlier run left");
		laras_worker_bind_all();
		laras_spi_open();
		found = laras_spi_run(&find_abandoned, (Datum[]){Int64GetDatum(laras_courier_run)}, NULL);
		outcomes = palloc0(sizeof(LarasOutcome) * (found + 1));
		flights = palloc0(sizeof(LarasFlight) * (found + 1));
		for (uint64 i = 0; i < found; i++)
		{
			LarasFlight *f = &flights[i];

			laras_flight_of_row(i, f);
			f->attempt_id = laras_spi_int8(i, 8);
			f->contact_slot = (uint32) laras_spi_int8(i, 9);
			f->workspace_slot = laras_workspace_slot(f->workspace_id);
			f->driver = laras_channel_driver(laras_spi_cstring(i, 10));
			f->staged = laras_spi_bool(i, 11);
			f->resent = laras_spi_bool(i, 13);
			f->first_step = f->driver != NULL && f->driver->send != NULL && !f->staged &&
							(strcmp(laras_spi_cstring(i, 12), "media") == 0
								 ? laras_enclosed_two_steps(f->driver)
								 : f->driver->send->two_steps);
			outcomes[i] = f->first_step ? (LarasOutcome){.flight = f,
														 .outbox_state = "queued",
														 .attempt_outcome = "not_sent",
														 .reason = "retry",
														 .curl_code = -1}
										: (LarasOutcome){.flight = f,
														 .outbox_state = "uncertain",
														 .attempt_outcome = "uncertain",
														 .message_status = "uncertain",
														 .reason = "outcome_unknown",
														 .notice = "uncertain",
														 .curl_code = -1};
		}
		if (found > 0)
			laras_courier_settle(outcomes, (int) found);
		laras_spi_close();
		if (found > 0)
			LARAS_FAULT("courier_sweep");
		laras_worker_commit();
		if (found > 0)
			LARAS_FAULT("courier_swept");
	} while (found == 500);
}
