/*
 * refresh.c
 *		Tokens that expire are renewed when half of their time is over.
 *
 * The keeper looks, the courier asks. A token that the provider refuses, or that
 * expired all the same, stops its connection until the owner connects it anew;
 * a call that merely failed is made again after some hours.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "connect/health.h"
#include "connect/reach.h"
#include "connect/refresh.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/installation.h"

#define BATCH 100

LARAS_PLAN(
	find_due,
	"SELECT c.workspace_id, c.id FROM laras.connection c JOIN laras.channel_token t "
	"ON t.workspace_id OPERATOR(pg_catalog.=) c.workspace_id AND t.connection_id OPERATOR(pg_catalog.=) c.id "
	"WHERE c.state OPERATOR(pg_catalog.=) 'connected' AND c.channel OPERATOR(pg_catalog.=) $1 "
	"AND t.expires_at OPERATOR(pg_catalog.-) laras.now() OPERATOR(pg_catalog.<) "
	"(laras.now() OPERATOR(pg_catalog.-) t.created_at) AND NOT EXISTS (SELECT 1 FROM laras.courier_task k "
	"WHERE k.workspace_id OPERATOR(pg_catalog.=) c.workspace_id AND k.connection_id OPERATOR(pg_catalog.=) c.id "
	"AND k.kind OPERATOR(pg_catalog.=) 'refresh' AND coalesce(k.finished_at OPERATOR(pg_catalog.>) "
	"(laras.now() OPERATOR(pg_catalog.-) '6 hours'::pg_catalog.interval), true)) "
	"ORDER BY t.expires_at LIMIT $2",
	TEXTOID, INT4OID);

LARAS_PLAN(
	find_expired,
	"SELECT c.workspace_id, c.id FROM laras.connection c WHERE c.state OPERATOR(pg_catalog.=) 'connected' "
	"AND c.token_expires_at OPERATOR(pg_catalog.<=) laras.now() ORDER BY c.workspace_id, c.id LIMIT $1",
	INT4OID);

LARAS_PLAN(
	read_token,
	"SELECT c.channel, coalesce(c.provider_app_id, 0), c.slot, t.token FROM laras.connection c "
	"JOIN laras.channel_token t ON t.workspace_id OPERATOR(pg_catalog.=) c.workspace_id "
	"AND t.connection_id OPERATOR(pg_catalog.=) c.id WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.=) 'connected' FOR UPDATE OF c",
	INT8OID, INT8OID);

LARAS_PLAN(
	store_token,
	"UPDATE laras.channel_token SET token = $3, expires_at = $4, created_at = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND connection_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, LARAS_SEALED, TIMESTAMPTZOID);

LARAS_PLAN(store_expiry,
		   "UPDATE laras.connection SET token_expires_at = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TIMESTAMPTZOID);

/* what is carried from the request to its answer */
typedef struct Memory
{
	LarasLoginMemory login;
} Memory;

/* The connection as it is now, locked; NULL where it was cut or stopped meanwhile. Opens its token at the start. */
static const LarasChannelDriver *
open_connection(LarasTask *task, const LarasAllocator *allocator, LarasLogin *login, uint32 *slot)
{
	LarasLoginMemory *m = &((Memory *) task->memory)->login;
	const LarasChannelDriver *driver;
	LarasProviderApp app;
	int64 app_id;
	bytea *sealed;

	laras_spi_open();
	if (laras_spi_run(&read_token,
					  (Datum[]){Int64GetDatum(task->workspace_id),
								Int64GetDatum(task->connection_id)},
					  NULL) == 0)
	{
		laras_spi_close();
		return NULL;
	}
	driver = laras_channel_driver(laras_spi_cstring(0, 1));
	app_id = laras_spi_int8(0, 2);
	*slot = (uint32) laras_spi_int8(0, 3);
	sealed = (bytea *) laras_spi_varlena(0, 4);
	if (driver == NULL || driver->connect->refresh == NULL || laras_slot_is_destroyed(*slot) ||
		!laras_provider_app(driver->channel, app_id, false, &app) ||
		!laras_reach_open(task, sealed, m->token, sizeof(m->token), &m->token_n))
		driver = NULL;
	else
	{
		memset(login, 0, sizeof(*login));
		login->allocator = allocator;
		login->memory = m;
		login->base_url = app.graph_url;
		login->api_version = app.api_version;
		login->app_id = app.app_id;
		login->now = (int64_t) timestamptz_to_time_t(laras_now());
	}
	laras_spi_close();
	return driver;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasLogin login;
	uint32 slot;
	const LarasChannelDriver *driver = open_connection(task, &allocator, &login, &slot);

	if (driver == NULL)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	if (driver->connect->refresh(&login) != LARAS_LOGIN_ASK)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_refreshed");
	request->purpose = "refresh";
	request->method = login.request.method;
	request->url = pnstrdup(login.request.url.s, login.request.url.n);
	request->token = login.memory->token;
	request->token_n = login.memory->token_n;
	request->token_at = login.request.token_at;
	return LARAS_TASK_REQUEST;
}

/* The new token takes the place of the old one. */
static void
store(const LarasTask *task, uint32 slot, const LarasLoginMemory *m)
{
	uint32 w = laras_workspace_slot(task->workspace_id);
	TimestampTz expires = time_t_to_timestamptz((pg_time_t) m->expires_at);
	LarasEvidence act = {
		.workspace_id = task->workspace_id,
		.workspace_slot = w,
		.action = LARAS_ACT_TOKEN_REFRESHED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_CONNECTION,
		.subject_id = task->connection_id,
	};

	laras_spi_open();
	laras_spi_run_one(
		&store_token,
		(Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->connection_id),
				  PointerGetDatum(laras_seal_token(w, slot, LARAS_FIELD_channel_token_token,
												   task->workspace_id, task->connection_id,
												   m->token, m->token_n)),
				  TimestampTzGetDatum(expires)},
		NULL);
	laras_spi_run_one(&store_expiry,
					  (Datum[]){Int64GetDatum(task->workspace_id),
								Int64GetDatum(task->connection_id), TimestampTzGetDatum(expires)},
					  NULL);
	laras_spi_close();
	laras_evidence_append(&act);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasLogin login;
	uint32 slot;
	const LarasChannelDriver *driver = open_connection(task, &allocator, &login, &slot);

	if (driver == NULL)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	login.answer = answer->document;
	login.ok = laras_task_succeeded(answer);
	if (driver->connect->refresh(&login) == LARAS_LOGIN_DONE)
	{
		store(task, slot, login.memory);
		return laras_task_ends(result, LARAS_TASK_DONE, "refreshed");
	}
	/* the provider does not know the token any more */
	if (laras_token_refused(task->workspace_id, task->connection_id, driver, answer->error_code,
							answer->error_subcode))
		return laras_task_ends(result, LARAS_TASK_FAILED, "token_dead");
	return laras_task_ends(result, LARAS_TASK_FAILED, "not_refreshed");
}

const LarasTaskKind laras_refresh_task = {
	.name = "refresh",
	.memory_size = sizeof(Memory),
	/* asked twice, the later token counts; the earlier lives on beside it */
	.repeatable = true,
	.first = first,
	.answered = answered,
};

static uint64
stop_expired(void)
{
	uint64 found;
	int64 *list;

	laras_spi_open();
	found = laras_spi_run(&find_expired, (Datum[]){Int32GetDatum(BATCH)}, NULL);
	list = palloc(sizeof(int64) * 2 * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		list[2 * i] = laras_spi_int8(i, 1);
		list[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < found; i++)
		laras_connection_stop(list[2 * i], list[2 * i + 1], 0);
	laras_spi_close();
	return found;
}

static uint64
begin_due(const LarasChannelDriver *driver)
{
	uint64 found;
	int64 *list;

	laras_spi_open();
	found =
		laras_spi_run(&find_due,
					  (Datum[]){CStringGetTextDatum(driver->channel), Int32GetDatum(BATCH)}, NULL);
	list = palloc(sizeof(int64) * 2 * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		list[2 * i] = laras_spi_int8(i, 1);
		list[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < found; i++)
		laras_task_add(list[2 * i], laras_refresh_task.name, list[2 * i + 1], 0, NULL, NULL);
	laras_spi_close();
	return found;
}

LarasTurn
laras_refresh_duty(void)
{
	bool more = false;

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	more = stop_expired() == BATCH;
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
		if (laras_channel_nth(i)->connect->refresh != NULL)
			more = begin_due(laras_channel_nth(i)) == BATCH || more;
	return more ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
