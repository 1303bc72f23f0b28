/*
 * health.c
 *		Connected accounts are looked at once an hour: a provider whose deliveries
 *		failed for a while ends the subscription by itself and says nothing. It is
 *		made again, and the owner is told. Asked with that: is the account used in
 *		the provider's own app too? Then it may send less; nobody tells when that
 *		begins or ends.
 *
 * An access that the owner took away at the provider (a token refused for that
 * reason, an event of the account) ends as a disconnect does: the connection is
 * `lost` from the moment it is known, and cut by the keeper. A token that is
 * merely dead may be a password changed: its connection waits for the owner's
 * log-in, and is lost once that has not come for laras.reauth_grace.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "connect/health.h"
#include "connect/reach.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "vault/vault.h"
#include "worker/installation.h"

#define BATCH 100

/* of laras.reauth_grace: days, 0 for ever */
static int reauth_grace = 30;

LARAS_PLAN(
	take_due,
	"UPDATE laras.connection c SET checked_at = laras.now() FROM (SELECT x.workspace_id, x.id FROM laras.connection x "
	"WHERE x.state OPERATOR(pg_catalog.=) 'connected' AND x.channel OPERATOR(pg_catalog.=) $1 "
	"AND coalesce(x.checked_at, x.connected_at) OPERATOR(pg_catalog.<) "
	"(laras.now() OPERATOR(pg_catalog.-) '1 hour'::pg_catalog.interval) "
	"ORDER BY coalesce(x.checked_at, x.connected_at) LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) d "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND c.id OPERATOR(pg_catalog.=) d.id "
	"RETURNING c.workspace_id, c.id",
	TEXTOID, INT4OID);

/* True where it was otherwise before. */
LARAS_PLAN(
	set_health,
	"UPDATE laras.connection c SET health = $3 FROM laras.connection o WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $2 "
	"AND c.state OPERATOR(pg_catalog.=) 'connected' RETURNING o.health IS DISTINCT FROM $3",
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	find_lost,
	"SELECT c.workspace_id, c.id FROM laras.connection c WHERE c.state OPERATOR(pg_catalog.=) 'lost' "
	"ORDER BY c.workspace_id, c.id LIMIT $1",
	INT4OID);

LARAS_PLAN(
	find_forgotten,
	"SELECT c.workspace_id, c.id FROM laras.connection c WHERE c.state OPERATOR(pg_catalog.=) 'needs_reauth' "
	"AND c.stopped_at OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) "
	"pg_catalog.make_interval(days => $2)) ORDER BY c.stopped_at, c.workspace_id, c.id LIMIT $1",
	INT4OID, INT4OID);

/* what is carried from step to step */
typedef struct Memory
{
	LarasReachToken token;
} Memory;

enum
{
	STEP_READ,
	STEP_SUBSCRIBE,
	STEP_ACCOUNT
};

bool
laras_token_refused(int64 workspace_id, int64 connection_id, const LarasChannelDriver *driver,
					int code, int subcode)
{
	switch (driver->connect->read_token == NULL ? LARAS_TOKEN_FINE
												: driver->connect->read_token(code, subcode))
	{
		case LARAS_TOKEN_FINE:
			return false;
		case LARAS_TOKEN_DEAD:
			laras_connection_stop(workspace_id, connection_id, code);
			break;
		case LARAS_TOKEN_WITHDRAWN:
			laras_connection_lost(workspace_id, connection_id, code);
			break;
	}
	return true;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	LarasProviderRequest made = {0};
	LarasReach reach;

	if (!laras_reach(task, &m->token, &reach) ||
		reach.driver->connect->build_read_subscription == NULL)
		return laras_task_ends(result, LARAS_TASK_DONE, "not_connected");
	if (!reach.driver->connect->build_read_subscription(&reach.about, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	return laras_reach_ask(&made, &m->token, "read_subscription", request);
}

/* The new state of the connection's health; the owner hears of a change, under that name. */
static void
note(const LarasTask *task, const char *health, const char *notice, LarasAction action)
{
	bool changed;
	LarasEvidence act = {
		.workspace_id = task->workspace_id,
		.action = action,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_CONNECTION,
		.subject_id = task->connection_id,
	};

	laras_spi_open();
	changed =
		laras_spi_run(&set_health,
					  (Datum[]){Int64GetDatum(task->workspace_id),
								Int64GetDatum(task->connection_id), CStringGetTextDatum(health)},
					  NULL) > 0 &&
		laras_spi_bool(0, 1);
	laras_spi_close();
	/* a subscription made again is news each time */
	if (notice == NULL || (!changed && action == LARAS_ACT_SUBSCRIPTION_LOST))
		return;
	laras_notice(task->workspace_id, notice, task->connection_id, 0, 0, 0);
	laras_evidence_append(&act);
}

/* The end of the task in that word, or one question more. */
static LarasTaskNext
ask_account(LarasTask *task, const LarasReach *reach, LarasTaskRequest *request,
			LarasTaskResult *result, const char *word)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	LarasProviderRequest made = {0};

	if (reach->driver->connect->build_read_account == NULL)
		return laras_task_ends(result, LARAS_TASK_DONE, word);
	if (!reach->driver->connect->build_read_account(&reach->about, reach->number, &allocator,
													&made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	task->step = STEP_ACCOUNT;
	return laras_reach_ask(&made, &m->token, "read_number", request);
}

static void
note_account(const LarasTask *task, const LarasReach *reach, const LarasTaskAnswer *answer)
{
	laras_spi_open();
	laras_connection_beside_app(task->workspace_id, task->connection_id,
								reach->driver->connect->read_account(answer->document));
	laras_spi_close();
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	bool ok = laras_task_succeeded(answer);
	LarasProviderRequest made = {0};
	LarasReach reach;

	if (!laras_reach(task, &m->token, &reach))
		return laras_task_ends(result, LARAS_TASK_DONE, "not_connected");
	if (laras_token_refused(task->workspace_id, task->connection_id, reach.driver,
							answer->error_code, answer->error_subcode))
		return laras_task_ends(result, LARAS_TASK_FAILED, "token_dead");
	if (task->step == STEP_ACCOUNT)
	{
		if (ok)
			note_account(task, &reach, answer);
		return laras_task_ends(result, LARAS_TASK_DONE, ok ? "subscribed" : "not_answered");
	}
	if (task->step == STEP_SUBSCRIBE)
	{
		if (!ok)
		{
			note(task, "unsubscribed", "unsubscribed", LARAS_ACT_SUBSCRIPTION_LOST);
			return laras_task_ends(result, LARAS_TASK_FAILED, "unsubscribed");
		}
		note(task, "ok", "resubscribed", LARAS_ACT_SUBSCRIPTION_RESTORED);
		return ask_account(task, &reach, request, result, "resubscribed");
	}
	/* asked again in an hour */
	if (!ok)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_answered");
	if (reach.driver->connect->is_subscribed(answer->document, laras_text(reach.app_id)))
	{
		note(task, "ok", NULL, 0);
		return ask_account(task, &reach, request, result, "subscribed");
	}
	/* where that needs the log-in, the owner has to do it */
	if (reach.driver->connect->build_subscribe == NULL)
	{
		note(task, "unsubscribed", "unsubscribed", LARAS_ACT_SUBSCRIPTION_LOST);
		return laras_task_ends(result, LARAS_TASK_FAILED, "unsubscribed");
	}
	if (!reach.driver->connect->build_subscribe(&reach.about, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	task->step = STEP_SUBSCRIBE;
	return laras_reach_ask(&made, &m->token, "subscribe", request);
}

const LarasTaskKind laras_health_task = {
	.name = "check_health",
	.memory_size = sizeof(Memory),
	/* to subscribe twice is to subscribe once */
	.repeatable = true,
	.first = first,
	.answered = answered,
};

/* Pairs of workspace and connection of the last result. */
static int64 *
pairs_of(uint64 found)
{
	int64 *list = palloc(sizeof(int64) * 2 * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		list[2 * i] = laras_spi_int8(i, 1);
		list[2 * i + 1] = laras_spi_int8(i, 2);
	}
	return list;
}

void
laras_health_init(void)
{
	DefineCustomIntVariable(
		"laras.reauth_grace", "Days for which a connection waits for its owner's log-in.",
		"A connection in needs_reauth that nobody has logged in to for so long is "
		"cut as one whose access was taken away. 0 lets it wait for ever.",
		&reauth_grace, 30, 0, 3650, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

LarasTurn
laras_health_duty(void)
{
	bool more = false;

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
	{
		const LarasChannelDriver *driver = laras_channel_nth(i);
		uint64 found;
		int64 *list;

		if (driver->connect->build_read_subscription == NULL)
			continue;
		found = laras_spi_run(&take_due,
							  (Datum[]){CStringGetTextDatum(driver->channel), Int32GetDatum(BATCH)},
							  NULL);
		list = pairs_of(found);
		for (uint64 k = 0; k < found; k++)
			laras_task_add(list[2 * k], laras_health_task.name, list[2 * k + 1], 0, NULL, NULL);
		more = more || found == BATCH;
	}
	laras_spi_close();
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}

LarasTurn
laras_lost_duty(void)
{
	LarasDisconnectReceipt receipt;
	uint64 forgotten = 0;
	uint64 found;
	int64 *list;

	if (laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	if (reauth_grace > 0)
	{
		/* not in this transaction's snapshot of those that are lost: cut in the next turn */
		forgotten =
			laras_spi_run(&find_forgotten,
						  (Datum[]){Int32GetDatum(BATCH), Int32GetDatum(reauth_grace)}, NULL);
		list = pairs_of(forgotten);
		for (uint64 i = 0; i < forgotten; i++)
			laras_connection_give_up(list[2 * i], list[2 * i + 1]);
	}
	found = laras_spi_run(&find_lost, (Datum[]){Int32GetDatum(1)}, NULL);
	list = pairs_of(found);
	/* one a transaction: its end destroys a key */
	for (uint64 i = 0; i < found; i++)
		laras_disconnect(list[2 * i], list[2 * i + 1], LARAS_CUT_LOST_ACCESS, NULL, NULL, &receipt);
	laras_spi_close();
	return found + forgotten > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
