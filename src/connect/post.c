/*
 * post.c
 *		Whose a post is that people comment on: a row for each, and the courier's
 *		question where no event says it.
 *
 * The provider is asked once. Meanwhile events about the post wait in
 * quarantine, sealed; the answer brings them back, to be applied or dropped. A
 * post that the account's token cannot read is not the account's.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/health.h"
#include "connect/post.h"
#include "connect/reach.h"
#include "intake/intake.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* after a failure the question is tried again, as often as any task; then with the next comment */
#define TRY_AGAIN_MS 10000

LARAS_PLAN(
	find_post,
	"SELECT p.id, p.state, p.asked_at OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) "
	"'1 hour'::pg_catalog.interval) FROM laras.post p WHERE p.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND p.connection_id OPERATOR(pg_catalog.=) $2 AND p.post_index OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, BYTEAOID);

LARAS_PLAN(find_slot,
		   "SELECT c.slot FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	add_post,
	"INSERT INTO laras.post (workspace_id, id, connection_id, post_index, provider_post_id, state, asked_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $6 OPERATOR(pg_catalog.=) 'asked' THEN laras.now() END)",
	INT8OID, INT8OID, INT8OID, BYTEAOID, LARAS_SEALED, TEXTOID);

LARAS_PLAN(
	ask_again,
	"UPDATE laras.post SET asked_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	read_post,
	"SELECT p.provider_post_id FROM laras.post p WHERE p.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND p.id OPERATOR(pg_catalog.=) $2 AND p.state OPERATOR(pg_catalog.=) 'asked' FOR UPDATE",
	INT8OID, INT8OID);

LARAS_PLAN(settle_post,
		   "UPDATE laras.post SET state = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'asked'",
		   INT8OID, INT8OID, TEXTOID);

static void
ask(int64 workspace_id, int64 connection_id, int64 post_id)
{
	json_t *request = laras_json_own(json_pack("{s:I}", "post", (json_int_t) post_id));

	laras_task_add(workspace_id, laras_post_task.name, connection_id, 0, request, NULL);
}

LarasPostState
laras_post_state(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
				 const LarasChannelDriver *driver, LarasText post, bool own)
{
	Datum index = PointerGetDatum(
		laras_index_bytea(workspace_slot, LARAS_INDEX_POST, driver->channel, post.s, post.n));
	Datum key[3] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id), index};
	LarasPostState state = own ? LARAS_POST_IS_OWN : LARAS_POST_IS_ASKED;
	bool found;

	/* who cannot be asked has no post of unknown owner */
	if (!own && driver->connect->build_read_post == NULL)
		return LARAS_POST_IS_FOREIGN;
	laras_spi_open();
	found = laras_spi_run(&find_post, key, NULL) > 0;
	if (found)
	{
		int64 id = laras_spi_int8(0, 1);
		char *known = laras_spi_cstring(0, 2);
		bool stale = !laras_spi_isnull(0, 3) && laras_spi_bool(0, 3);

		if (strcmp(known, "own") == 0)
			state = LARAS_POST_IS_OWN;
		else if (strcmp(known, "foreign") == 0)
			state = LARAS_POST_IS_FOREIGN;
		else if (!own && stale)
		{
			laras_spi_run_one(&ask_again, (Datum[]){key[0], Int64GetDatum(id)}, NULL);
			ask(workspace_id, connection_id, id);
		}
	}
	else if (laras_spi_run(&find_slot, key, NULL) > 0)
	{
		uint32 slot = (uint32) laras_spi_int8(0, 1);
		int64 id = laras_new_id();

		laras_spi_run_one(&add_post,
						  (Datum[]){key[0], Int64GetDatum(id), key[1], index,
									PointerGetDatum(laras_seal(workspace_slot, slot,
															   LARAS_FIELD_post_provider_post_id,
															   workspace_id, id, post.s, post.n)),
									CStringGetTextDatum(own ? "own" : "asked")},
						  NULL);
		if (!own)
			ask(workspace_id, connection_id, id);
	}
	laras_spi_close();
	return state;
}

/* what is carried from the question to its answer */
typedef struct Memory
{
	LarasReachToken token;
} Memory;

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	int64 id = laras_task_id(task, "post");
	LarasProviderRequest made = {0};
	LarasReach reach;
	bytea *sealed = NULL;
	LarasText post;
	char *opened;

	laras_spi_open();
	if (laras_spi_run(&read_post, (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(id)},
					  NULL) > 0)
		sealed = (bytea *) laras_spi_varlena(0, 1);
	laras_spi_close();
	if (sealed == NULL || !laras_reach(task, &m->token, &reach) ||
		reach.driver->connect->build_read_post == NULL ||
		laras_open(sealed, task->workspace_id, id, LARAS_FIELD_post_provider_post_id, &opened,
				   &post.n) != LARAS_OPENED)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	post.s = opened;
	if (!reach.driver->connect->build_read_post(&reach.about, post, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	return laras_reach_ask(&made, &m->token, "read_post", request);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasReach reach;
	LarasPostOwner owner = LARAS_POST_UNKNOWN;

	if (!laras_reach(task, &m->token, &reach))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	if (laras_task_succeeded(answer))
		owner = reach.driver->connect->read_post(answer->document, reach.number);
	/* 100: there is no such object for this token */
	else if (answer->error_code == 100)
		owner = LARAS_POST_FOREIGN;
	else if (laras_token_refused(task->workspace_id, task->connection_id, reach.driver,
								 answer->error_code, answer->error_subcode))
		return laras_task_ends(result, LARAS_TASK_FAILED, "token_dead");
	if (owner == LARAS_POST_UNKNOWN)
	{
		result->delay_ms = TRY_AGAIN_MS;
		return LARAS_TASK_AGAIN;
	}
	laras_spi_open();
	laras_spi_run(&settle_post,
				  (Datum[]){Int64GetDatum(task->workspace_id),
							Int64GetDatum(laras_task_id(task, "post")),
							CStringGetTextDatum(owner == LARAS_POST_OWN ? "own" : "foreign")},
				  NULL);
	laras_spi_close();
	laras_quarantine_return(task->workspace_id, task->connection_id, LARAS_POST_UNKNOWN_YET);
	return laras_task_ends(result, LARAS_TASK_DONE, owner == LARAS_POST_OWN ? "own" : "foreign");
}

const LarasTaskKind laras_post_task = {
	.name = "read_post",
	.memory_size = sizeof(Memory),
	.repeatable = true,
	.first = first,
	.answered = answered,
};
