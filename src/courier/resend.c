/*
 * resend.c
 *		A second sending of messages of which nobody knows whether they were sent.
 *
 * The message stays `uncertain` all the while, so that the inbox never says
 * better than is known; only its row of the outbox is queued again.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/fault.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "courier/resend.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(laras_set_uncertain_policy);

/* rows of one turn */
#define BATCH 200

/* seconds */
static int uncertain_wait;

LARAS_PLAN(
	set_policy,
	"UPDATE laras.connection c SET uncertain_policy = $3 WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.<>) 'disconnected'",
	INT8OID, INT8OID, TEXTOID);

/*
 * A template that the provider calls marketing by now is not sent again, nor
 * what goes through a connection that is no more. What nobody sent yet goes first
 * (5: behind replies, before bulk): while the breaker is open one message a probe
 * leaves, and those whose answers were lost are the likeliest to be lost again.
 */
LARAS_PLAN(
	queue_again,
	"UPDATE laras.outbox o SET state = 'queued', reason = 'resend', resent = true, not_before = laras.now(), "
	"priority = GREATEST(o.priority, 5::pg_catalog.int2), finished_at = NULL FROM (SELECT x.workspace_id, x.id FROM laras.outbox x "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) x.workspace_id AND c.id OPERATOR(pg_catalog.=) x.connection_id "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) x.workspace_id AND t.id OPERATOR(pg_catalog.=) x.template_id "
	"WHERE x.state OPERATOR(pg_catalog.=) 'uncertain' AND x.uncertain_policy OPERATOR(pg_catalog.=) 'resend_once' AND NOT x.resent "
	"AND x.finished_at OPERATOR(pg_catalog.<=) (laras.now() OPERATOR(pg_catalog.-) ($1 OPERATOR(pg_catalog.*) '1 second'::pg_catalog.interval)) "
	"AND c.state OPERATOR(pg_catalog.<>) 'disconnected' AND t.category IS DISTINCT FROM 'marketing' "
	"ORDER BY x.finished_at LIMIT $2 FOR UPDATE OF x SKIP LOCKED) AS due "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) due.workspace_id AND o.id OPERATOR(pg_catalog.=) due.id "
	"RETURNING o.workspace_id, o.message_id",
	FLOAT8OID, INT4OID);

/* by proofs: what a person takes for sent is none */
LARAS_PLAN(
	mark_twice,
	"UPDATE laras.outbox o SET reason = 'sent_twice' WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND o.id OPERATOR(pg_catalog.=) $2 AND o.state OPERATOR(pg_catalog.=) 'sent' AND o.reason IS NULL "
	"AND (SELECT pg_catalog.count(*) FROM laras.send_attempt a WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND a.outbox_id OPERATOR(pg_catalog.=) $2 AND a.outcome OPERATOR(pg_catalog.=) 'sent' "
	"AND a.resolved_by IS DISTINCT FROM 'member') OPERATOR(pg_catalog.>) 1",
	INT8OID, INT8OID);

void
laras_uncertain_policy_check(const char *policy)
{
	if (strcmp(policy, "hold") != 0 && strcmp(policy, "resend_once") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("uncertain_policy must be hold or resend_once")));
}

void
laras_resend_keep_doubt(LarasOutcome *outcome)
{
	if (!outcome->flight->resent || (strcmp(outcome->outbox_state, "refused") != 0 &&
									 strcmp(outcome->outbox_state, "cancelled") != 0))
		return;
	outcome->outbox_state = "uncertain";
	outcome->message_status = NULL;
	outcome->reason = "not_resent";
	outcome->notice = "uncertain";
}

void
laras_resend_settled(int64_t workspace_id, int64_t outbox_id, int64_t message_id,
					 int64_t connection_id)
{
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.workspace_slot = laras_workspace_slot(workspace_id),
		.action = LARAS_ACT_MESSAGE_SENT_TWICE,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = message_id,
	};

	if (laras_spi_run(&mark_twice, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(outbox_id)},
					  NULL) == 0)
		return;
	laras_notice(workspace_id, "sent_twice", connection_id, 0, message_id, 0);
	laras_evidence_append(&act);
}

LarasTurn
laras_resend_duty(void)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_REASON, "resend")};
	LarasEvidence *acts;
	uint64 n;

	laras_worker_bind_all();
	laras_spi_open();
	n = laras_spi_run(&queue_again,
					  (Datum[]){Float8GetDatum((double) uncertain_wait), Int32GetDatum(BATCH)},
					  NULL);
	acts = palloc0(sizeof(LarasEvidence) * (n + 1));
	for (uint64 i = 0; i < n; i++)
		acts[i] = (LarasEvidence){
			.workspace_id = laras_spi_int8(i, 1),
			.workspace_slot = laras_workspace_slot(laras_spi_int8(i, 1)),
			.action = LARAS_ACT_MESSAGE_QUEUED,
			.actor_kind = LARAS_ACTOR_WORKER,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = laras_spi_int8(i, 2),
			.nfields = lengthof(fields),
			.fields = fields,
		};
	if (n > 0)
	{
		laras_evidence_append_many(acts, (int) n);
		laras_work_queued(LARAS_WORK_COURIER);
		LARAS_FAULT("resend_before_commit");
	}
	laras_spi_close();
	return n == BATCH ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}

/*
 * laras.set_uncertain_policy(connection_id bigint, policy text) returns void
 */
Datum
laras_set_uncertain_policy(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	char *policy = text_to_cstring(PG_GETARG_TEXT_PP(1));

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	laras_uncertain_policy_check(policy);
	laras_connection_set(connection_id, &set_policy, CStringGetTextDatum(policy),
						 LARAS_ACT_UNCERTAIN_POLICY_SET,
						 (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, policy));
	PG_RETURN_VOID();
}

void
laras_resend_init(void)
{
	DefineCustomIntVariable(
		"laras.uncertain_wait",
		"How long a message is uncertain before it may be sent a second time.",
		"Only where that was chosen (set_uncertain_policy); the provider's word settles it before.",
		&uncertain_wait, 15 * 60, 1, 7 * 24 * 60 * 60, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}
