/*
 * check.c
 *		What became of a send whose answer was lost, where the provider can be
 *		asked: it was sent, or it certainly was not and is queued again.
 *
 * Asked a while after the end of the request, so that what the provider was
 * still at work on is done by then.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/health.h"
#include "connect/reach.h"
#include "courier/check.h"
#include "courier/reconcile.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define ASK_AFTER_MS 10000
#define ASK_AGAIN_MS 60000

LARAS_PLAN(
	read_row,
	"SELECT o.stage, coalesce(o.attempt_id, 0), o.message_id, o.finished_at OPERATOR(pg_catalog.>) "
	"(laras.now() OPERATOR(pg_catalog.-) ($3 OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval)) "
	"FROM laras.outbox o WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $2 "
	"AND o.state OPERATOR(pg_catalog.=) 'uncertain' AND o.stage IS NOT NULL FOR UPDATE",
	INT8OID, INT8OID, FLOAT8OID);

LARAS_PLAN(queue_again,
		   "UPDATE laras.outbox SET state = 'queued', reason = 'retry', finished_at = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	wait_again,
	"UPDATE laras.message SET status = 'queued' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'uncertain'",
	INT8OID, INT8OID);

LARAS_PLAN(give_up,
		   "UPDATE laras.outbox SET state = 'refused', reason = 'provider_refused' "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* what is carried from the question to its answer */
typedef struct Memory
{
	LarasReachToken token;
} Memory;

/* the row that is uncertain */
typedef struct Uncertain
{
	int64 outbox_id;
	int64 attempt_id;
	int64 message_id;
	bytea *stage;
	bool fresh;
} Uncertain;

void
laras_check_uncertain(const LarasOutcome *outcomes, int n, const bool *changed)
{
	for (int i = 0; i < n; i++)
	{
		const LarasFlight *f = outcomes[i].flight;

		if (changed[i] && f->staged && f->driver != NULL && f->driver->send->build_check != NULL &&
			strcmp(outcomes[i].outbox_state, "uncertain") == 0)
			laras_task_add(f->workspace_id, laras_check_task.name, f->connection_id, 0,
						   laras_json_own(json_pack("{s:I}", "outbox", (json_int_t) f->outbox_id)),
						   NULL);
	}
}

/* The row of the task, locked; false where something else has settled it. */
static bool
read_uncertain(const LarasTask *task, Uncertain *u)
{
	bool found;

	u->outbox_id = laras_task_id(task, "outbox");
	laras_spi_open();
	found = laras_spi_run(&read_row,
						  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(u->outbox_id),
									Float8GetDatum(ASK_AFTER_MS)},
						  NULL) > 0;
	if (found)
	{
		u->stage = (bytea *) laras_spi_varlena(0, 1);
		u->attempt_id = laras_spi_int8(0, 2);
		u->message_id = laras_spi_int8(0, 3);
		u->fresh = laras_spi_bool(0, 4);
	}
	laras_spi_close();
	return found;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	LarasProviderRequest made = {0};
	LarasSendText send = {0};
	LarasReach reach;
	Uncertain u;
	char *opened;

	if (!read_uncertain(task, &u))
		return laras_task_ends(result, LARAS_TASK_DONE, "settled");
	if (u.fresh)
	{
		result->delay_ms = ASK_AFTER_MS;
		return LARAS_TASK_AGAIN;
	}
	if (!laras_reach(task, &m->token, &reach) || reach.driver->send == NULL ||
		reach.driver->send->build_check == NULL ||
		laras_open(u.stage, task->workspace_id, u.outbox_id, LARAS_FIELD_outbox_stage, &opened,
				   &send.stage.n) != LARAS_OPENED)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	send.stage.s = opened;
	send.base_url = reach.about.base_url;
	send.api_version = reach.about.api_version;
	send.account = reach.number;
	if (!reach.driver->send->build_check(&send, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	return laras_reach_ask(&made, &m->token, "check_send", request);
}

static void
record(const LarasTask *task, const Uncertain *u, LarasAction action)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_REASON, "checked")};
	LarasEvidence act = {
		.workspace_id = task->workspace_id,
		.action = action,
		.actor_kind = LARAS_ACTOR_PROVIDER,
		.actor_id = task->connection_id,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = u->message_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_append(&act);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasCheck check = LARAS_CHECK_UNKNOWN;
	LarasReach reach;
	Uncertain u;
	Datum key[2];

	if (!laras_reach(task, &m->token, &reach))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	if (!read_uncertain(task, &u))
		return laras_task_ends(result, LARAS_TASK_DONE, "settled");
	if (laras_token_refused(task->workspace_id, task->connection_id, reach.driver,
							answer->error_code, answer->error_subcode))
		return laras_task_ends(result, LARAS_TASK_FAILED, "token_dead");
	if (laras_task_succeeded(answer))
		check = reach.driver->send->read_check(answer->document);
	key[0] = Int64GetDatum(task->workspace_id);
	key[1] = Int64GetDatum(u.outbox_id);
	laras_spi_open();
	switch (check)
	{
		case LARAS_CHECK_SENT:
			laras_reconcile_checked(&(LarasMark){.workspace_id = task->workspace_id,
												 .workspace_slot =
													 laras_workspace_slot(task->workspace_id),
												 .connection_id = task->connection_id,
												 .channel = reach.driver->channel,
												 .status = "sent"},
									u.attempt_id);
			break;
		case LARAS_CHECK_NOT_SENT:
			laras_spi_run_one(&queue_again, key, NULL);
			laras_spi_run(&wait_again, (Datum[]){key[0], Int64GetDatum(u.message_id)}, NULL);
			record(task, &u, LARAS_ACT_MESSAGE_QUEUED);
			laras_work_queued(LARAS_WORK_COURIER);
			break;
		case LARAS_CHECK_LOST:
			laras_spi_run_one(&give_up, key, NULL);
			laras_message_set_status(task->workspace_id, u.message_id, "failed", 0);
			laras_send_notice(task->workspace_id, "send_failed", task->connection_id, 0,
							  u.message_id, 0, "provider_refused");
			record(task, &u, LARAS_ACT_MESSAGE_REFUSED);
			break;
		case LARAS_CHECK_UNKNOWN:
			break;
	}
	laras_spi_close();
	if (check == LARAS_CHECK_UNKNOWN)
	{
		result->delay_ms = ASK_AGAIN_MS;
		return LARAS_TASK_AGAIN;
	}
	return laras_task_ends(result, LARAS_TASK_DONE,
						   check == LARAS_CHECK_SENT       ? "sent"
						   : check == LARAS_CHECK_NOT_SENT ? "queued"
														   : "refused");
}

const LarasTaskKind laras_check_task = {
	.name = "check_send",
	.memory_size = sizeof(Memory),
	.repeatable = true,
	.first = first,
	.answered = answered,
};
