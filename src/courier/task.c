/*
 * task.c
 *		Runs tasks: claim and commit, a request, its answer, the next request.
 *
 * A task under way is a flight in the courier's own memory, with what it must
 * carry from step to step; the row says only `claimed`. A new run of the
 * courier finds such rows and ends them as interrupted, or queues them again
 * where the kind is repeatable.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "base/clock.h"
#include "base/contain.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/again.h"
#include "courier/carry.h"
#include "courier/courier.h"
#include "courier/egress.h"
#include "courier/task.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* until one that an earlier run left is begun anew */
#define RESUME_AFTER_MS 1000

/* tasks under way at once; messages keep the rest of the flights */
#define MAX_TASKS 32
/* of them fleeting, beside the others */
#define MAX_FLEETING 8

LARAS_PLAN(
	add_task,
	"INSERT INTO laras.courier_task (workspace_id, id, kind, connection_id, attempt_id, request, ticket_hash) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7)",
	INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID, LARAS_SEALED, BYTEAOID);

LARAS_PLAN(
	cancel_tasks,
	"UPDATE laras.courier_task SET state = 'cancelled', result = 'cancelled', http_status = 409, request = NULL, "
	"finished_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND (connection_id OPERATOR(pg_catalog.=) $2 OR attempt_id OPERATOR(pg_catalog.=) $3) "
	"AND state OPERATOR(pg_catalog.=) 'queued'",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	claim_tasks,
	"WITH due AS (SELECT t.workspace_id, t.id FROM laras.courier_task t "
	"WHERE t.state OPERATOR(pg_catalog.=) 'queued' AND t.run_after OPERATOR(pg_catalog.<=) laras.now() "
	"AND t.kind OPERATOR(pg_catalog.<>) '" LARAS_PRESENCE_TASK "' "
	"ORDER BY t.run_after, t.id LIMIT $1 FOR UPDATE SKIP LOCKED), "
	"fleeting AS (SELECT t.workspace_id, t.id FROM laras.courier_task t "
	"WHERE t.state OPERATOR(pg_catalog.=) 'queued' AND t.run_after OPERATOR(pg_catalog.<=) laras.now() "
	"AND t.kind OPERATOR(pg_catalog.=) '" LARAS_PRESENCE_TASK "' "
	"ORDER BY t.run_after, t.id LIMIT $3 FOR UPDATE SKIP LOCKED) "
	"UPDATE laras.courier_task t SET state = 'claimed', incarnation = $2, "
	"attempts = t.attempts OPERATOR(pg_catalog.+) 1, "
	"lease_until = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '5 minutes'::pg_catalog.interval "
	"FROM (SELECT * FROM due UNION ALL SELECT * FROM fleeting) d "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND t.id OPERATOR(pg_catalog.=) d.id "
	"RETURNING t.workspace_id, t.id, t.kind, coalesce(t.connection_id, 0), coalesce(t.attempt_id, 0), t.request, t.attempts",
	INT4OID, INT8OID, INT4OID);

LARAS_PLAN(
	end_task,
	"UPDATE laras.courier_task SET state = $3, http_status = $4, result = $5, request = NULL, lease_until = NULL, "
	"finished_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) 'claimed'",
	INT8OID, INT8OID, TEXTOID, INT4OID, TEXTOID);

LARAS_PLAN(drop_task,
		   "DELETE FROM laras.courier_task WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'claimed'",
		   INT8OID, INT8OID);

LARAS_PLAN(
	requeue_task,
	"UPDATE laras.courier_task SET state = 'queued', lease_until = NULL, incarnation = NULL, "
	"run_after = laras.now() OPERATOR(pg_catalog.+) ($3 OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval) "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) 'claimed'",
	INT8OID, INT8OID, FLOAT8OID);

LARAS_PLAN(
	find_interrupted,
	"SELECT t.workspace_id, t.id, t.kind, t.attempts FROM laras.courier_task t "
	"WHERE t.state OPERATOR(pg_catalog.=) 'claimed' AND t.incarnation IS DISTINCT FROM $1 LIMIT 500 FOR UPDATE",
	INT8OID);

LARAS_PLAN(
	begin_call,
	"INSERT INTO laras.outbound_call (workspace_id, id, connection_id, task_id, purpose, host, started_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, laras.now())",
	INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID);

LARAS_PLAN(
	end_call,
	"UPDATE laras.outbound_call SET http_status = $3, error_code = $4, curl_code = $5, finished_at = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, INT4OID, INT4OID, INT4OID);

struct LarasTaskFlight
{
	LarasFlightKind flight_kind; /* first, as in LarasFlight */
	LarasTask task;
	json_t *request;
	bool begun;
	int64 call_id;
	size_t part; /* of the request under way; 0: its answer comes whole */
	LarasHttpCall *call;
	struct LarasTaskFlight *next;
};

static struct LarasTaskFlight *under_way = NULL;
static int under_way_count = 0;
static int fleeting_count = 0; /* of these */

/*
 * Under what a request is sealed beside the workspace's key: that of an attempt has
 * codes, tokens and ids of an account that nobody may have connected yet. It is
 * over within the hour, so what is left of its rows in WAL and backups dies with the
 * hour's key, and not only with the workspace's.
 */
static uint32
slot_for(uint32 w, int64 attempt_id)
{
	return attempt_id == 0 ? w : laras_time_slot(LARAS_TIME_SLOT_HOUR, laras_now());
}

int64
laras_task_add(int64 workspace_id, const char *kind, int64 connection_id, int64 attempt_id,
			   json_t *request, uint8 ticket[32])
{
	int64 id = laras_new_id();
	uint32 w = laras_workspace_slot(workspace_id);
	bytea *sealed = NULL;
	bytea *hash = NULL;
	char nulls[8] = "       ";

	if (request != NULL)
	{
		size_t n;
		char *text = laras_json_text_of(request, &n);

		sealed = laras_seal_token(w, slot_for(w, attempt_id), LARAS_FIELD_courier_task_request,
								  workspace_id, id, text, n);
		laras_wipe(text, n);
	}
	if (ticket != NULL)
	{
		uint8 digest[LARAS_HASH_LEN];
		LarasPiece piece;

		if (!laras_random_bytes(ticket, 32))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("the crypto library gave no random bytes")));
		piece.p = ticket;
		piece.n = 32;
		if (!laras_sha256(&piece, 1, digest))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("the crypto library could not hash a ticket")));
		hash = palloc(VARHDRSZ + sizeof(digest));
		SET_VARSIZE(hash, VARHDRSZ + sizeof(digest));
		memcpy(VARDATA(hash), digest, sizeof(digest));
	}
	nulls[3] = connection_id == 0 ? 'n' : ' ';
	nulls[4] = attempt_id == 0 ? 'n' : ' ';
	nulls[5] = sealed == NULL ? 'n' : ' ';
	nulls[6] = hash == NULL ? 'n' : ' ';
	laras_spi_open();
	laras_spi_run_one(&add_task,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								CStringGetTextDatum(kind), Int64GetDatum(connection_id),
								Int64GetDatum(attempt_id), PointerGetDatum(sealed),
								PointerGetDatum(hash)},
					  nulls);
	laras_spi_close();
	laras_work_queued(LARAS_WORK_COURIER);
	return id;
}

bool
laras_task_succeeded(const LarasTaskAnswer *answer)
{
	return answer->end == LARAS_HTTP_ANSWERED && answer->http_status == 200 &&
		   answer->document != NULL && answer->error_code == 0;
}

int64
laras_task_id(const LarasTask *task, const char *name)
{
	int64_t id = 0;

	(void) laras_json_integer(laras_json_get(task->request, name), &id);
	return id;
}

void
laras_task_cancel(int64 workspace_id, int64 connection_id, int64 attempt_id)
{
	laras_spi_open();
	laras_spi_run(&cancel_tasks,
				  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
							Int64GetDatum(attempt_id)},
				  NULL);
	laras_spi_close();
}

/* ------------------------------------------------------------------ flights */

static void
forget(struct LarasTaskFlight *flight)
{
	struct LarasTaskFlight **at = &under_way;

	while (*at != NULL && *at != flight)
		at = &(*at)->next;
	if (*at == flight)
	{
		*at = flight->next;
		under_way_count--;
		fleeting_count -= flight->task.kind->fleeting;
	}
	if (flight->task.memory != NULL)
		laras_http_give_back(flight->task.memory, flight->task.kind->memory_size);
	json_decref(flight->request);
	laras_http_free(flight->call);
	laras_http_give_back(flight, sizeof(*flight));
}

void
laras_task_stop(void)
{
	while (under_way != NULL)
	{
		/* libcurl's handle is not touched in an exit callback; secrets are */
		struct LarasTaskFlight *flight = under_way;

		under_way = flight->next;
		if (flight->task.memory != NULL)
			laras_wipe(flight->task.memory, flight->task.kind->memory_size);
	}
	under_way_count = fleeting_count = 0;
}

static void
write_end(const LarasTask *task, const char *state, int http_status, const char *result)
{
	laras_spi_open();
	if (task->kind != NULL && task->kind->fleeting)
		laras_spi_run(&drop_task,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->id)}, NULL);
	else
		laras_spi_run(&end_task,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->id),
								CStringGetTextDatum(state), Int32GetDatum(http_status),
								CStringGetTextDatum(result)},
					  NULL);
	laras_spi_close();
}

static void
write_again(const struct LarasTaskFlight *flight, int delay_ms)
{
	if (flight->task.attempts >= LARAS_TASK_ATTEMPTS)
	{
		write_end(&flight->task, "failed", 502, "gave_up");
		return;
	}
	laras_spi_open();
	laras_spi_run(&requeue_task,
				  (Datum[]){Int64GetDatum(flight->task.workspace_id),
							Int64GetDatum(flight->task.id), Float8GetDatum((double) delay_ms)},
				  NULL);
	laras_spi_close();
	laras_again_in(delay_ms);
}

char *
laras_host_of(const char *url)
{
	const char *start = strstr(url, "://");
	size_t n;

	start = start == NULL ? url : start + 3;
	n = strcspn(start, "/:?#");
	return pnstrdup(start, n);
}

static void
write_call(struct LarasTaskFlight *flight, const LarasTaskRequest *request)
{
	flight->call_id = laras_new_id();
	laras_spi_open();
	laras_spi_run_one(&begin_call,
					  (Datum[]){Int64GetDatum(flight->task.workspace_id),
								Int64GetDatum(flight->call_id),
								Int64GetDatum(flight->task.connection_id),
								Int64GetDatum(flight->task.id),
								CStringGetTextDatum(request->purpose),
								CStringGetTextDatum(laras_host_of(request->url))},
					  flight->task.connection_id == 0 ? "  n   " : NULL);
	laras_spi_close();
}

static void
write_call_end(const struct LarasTaskFlight *flight, const LarasTaskAnswer *answer)
{
	laras_spi_open();
	laras_spi_run(&end_call,
				  (Datum[]){Int64GetDatum(flight->task.workspace_id),
							Int64GetDatum(flight->call_id), Int32GetDatum(answer->http_status),
							Int32GetDatum(answer->error_code),
							Int32GetDatum(flight->call->curl_code)},
				  NULL);
	laras_spi_close();
}

/* A step of a kind, and what it decided. */
typedef struct Step
{
	struct LarasTaskFlight *flight;
	const LarasTaskAnswer *answer;
	LarasHttpCall *part; /* a part of the answer is taken, and no step; NULL: a step */
	LarasTaskRequest *request;
	LarasTaskNext next;
} Step;

static void
take_step(void *arg)
{
	Step *step = arg;
	LarasTask *task = &step->flight->task;
	LarasTaskResult result = {.http_status = 502, .result = "failed"};

	if (step->part != NULL)
		step->next = task->kind->part(task, step->part->body, step->part->length, &result);
	else
	{
		memset(step->request, 0, sizeof(*step->request));
		step->next = step->answer == NULL
						 ? task->kind->first(task, step->request, &result)
						 : task->kind->answered(task, step->answer, step->request, &result);
	}
	switch (step->next)
	{
		case LARAS_TASK_REQUEST:
			if (step->part == NULL)
				write_call(step->flight, step->request);
			break;
		case LARAS_TASK_DONE:
			write_end(task, "done", result.http_status, result.result);
			break;
		case LARAS_TASK_FAILED:
			write_end(task, "failed", result.http_status, result.result);
			break;
		case LARAS_TASK_AGAIN:
			write_again(step->flight, result.delay_ms);
			break;
	}
}

/*
 * Run one step of the kind in a transaction, or let it take a part of an answer,
 * and write down what it decided. True: *request is to be sent, or the answer
 * goes on. False: the task has ended, or waits; the flight is to be forgotten. An
 * error undoes the step and ends the task as failed. The transaction is left
 * open: the caller commits it.
 */
static bool
run_step(struct LarasTaskFlight *flight, const LarasTaskAnswer *answer, LarasHttpCall *part,
		 LarasTaskRequest *request)
{
	Step step = {flight, answer, part, request, LARAS_TASK_FAILED};
	ErrorData *error;

	laras_worker_begin("carrying a task");
	laras_worker_bind_all();
	if (answer != NULL)
		write_call_end(flight, answer);
	error = laras_contain(take_step, &step, laras_any_error);
	if (error == NULL)
		return step.next == LARAS_TASK_REQUEST;
	ereport(LOG, (errcode(error->sqlerrcode),
				  errmsg("a task of kind %s failed", flight->task.kind->name),
				  errdetail("The error was SQLSTATE %s.", unpack_sql_state(error->sqlerrcode))));
	write_end(&flight->task, "failed", error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION ? 409 : 500,
			  "error");
	return false;
}

/* Start the request that a step asked for. The transaction is still open: what it names lives in its memory. */
static void
go_on(struct LarasTaskFlight *flight, const LarasTaskAnswer *answer)
{
	LarasTaskRequest request;
	bool goes = run_step(flight, answer, NULL, &request);
	LarasHttpCall *call = NULL;
	LarasHttpCall *old = flight->call;

	flight->begun = true;
	flight->call = NULL;
	laras_http_free(old);
	if (!goes)
	{
		laras_worker_commit();
		forget(flight);
		return;
	}
	{
		/* copies that outlive the transaction: the request begins after its commit */
		size_t url_n = strlen(request.url);
		char *url = laras_http_copy(request.url, url_n);
		char *body = request.body == NULL ? NULL : laras_http_copy(request.body, request.body_n);
		char *token =
			request.token == NULL ? NULL : laras_http_copy(request.token, request.token_n);
		char type[96] = "";
		char header[300] = "";
		char method[8];
		LarasEnvelope envelope = {""};
		bool mail = request.envelope != NULL;

		if (request.content_type != NULL)
			strlcpy(type, request.content_type, sizeof(type));
		if (request.header != NULL)
			strlcpy(header, request.header, sizeof(header));
		strlcpy(method, request.method, sizeof(method));
		if (mail)
			envelope = *request.envelope;
		flight->part = request.part;
		laras_worker_commit();
		if (url != NULL && (request.body == NULL || body != NULL) &&
			(request.token == NULL || token != NULL) &&
			(header[0] == '\0' || laras_http_with_header(header)))
		{
			if (request.only_public)
				laras_http_with_public();
			if (flight->part > 0)
				laras_http_with_parts(flight->part, request.most);
			call = mail ? laras_http_start_mail(url, url_n, &envelope, body, request.body_n, token,
												request.token_n, flight)
						: laras_http_start(method, url, url_n, type[0] ? type : NULL, body,
										   request.body_n, token, request.token_n, request.token_at,
										   flight);
		}
		laras_http_give_back(token, request.token_n);
		laras_http_give_back(body, request.body_n);
		laras_http_give_back(url, url_n);
	}
	flight->call = call;
	if (call == NULL)
	{
		laras_worker_begin("ending a task");
		laras_worker_bind_all();
		write_end(&flight->task, "failed", 502, "not_started");
		laras_worker_commit();
		forget(flight);
	}
}

void
laras_task_answered(struct LarasTaskFlight *flight, LarasHttpCall *call)
{
	LarasTaskAnswer answer = {.end = call->end,
							  .too_long = call->curl_code == CURLE_WRITE_ERROR ||
										  call->curl_code == CURLE_FILESIZE_EXCEEDED,
							  .http_status = call->http_status,
							  .body = call->body,
							  .body_n = call->body_n,
							  .length = call->length,
							  .redirect = call->redirect};
	int64_t number;

	flight->call = call;
	if (call->end == LARAS_HTTP_ANSWERED && call->body != NULL &&
		(flight->part == 0 || call->http_status != 200))
		answer.document = laras_json_parse(call->body, call->body_n, NULL);
	/* in an error object, or beside the answer as the Bot API has it */
	if ((laras_json_integer(laras_json_get(laras_json_get(answer.document, "error"), "code"),
							&number) ||
		 laras_json_integer(laras_json_get(answer.document, "error_code"), &number)) &&
		number > 0 && number < INT32_MAX)
		answer.error_code = (int) number;
	if (laras_json_integer(laras_json_get(laras_json_get(answer.document, "error"),
										  "error_subcode"),
						   &number) &&
		number > 0 && number < INT32_MAX)
		answer.error_subcode = (int) number;
	PG_TRY();
	{
		go_on(flight, &answer);
	}
	PG_FINALLY();
	{
		json_decref(answer.document);
	}
	PG_END_TRY();
}

void
laras_task_part(struct LarasTaskFlight *flight, LarasHttpCall *call)
{
	bool goes = run_step(flight, NULL, call, NULL);

	laras_worker_commit();
	if (goes)
	{
		laras_http_go_on(call, flight->part);
		return;
	}
	flight->call = NULL;
	laras_http_drop(call);
	forget(flight);
}

int
laras_task_dispatch(int room)
{
	struct LarasTaskFlight *begun[MAX_TASKS + MAX_FLEETING];
	int n = 0;
	uint64 found;

	room = Min(room, MAX_TASKS - (under_way_count - fleeting_count));
	if (room <= 0)
		return 0;
	laras_worker_begin("claiming tasks");
	laras_worker_bind_all();
	laras_spi_open();
	found = laras_spi_run(&claim_tasks,
						  (Datum[]){Int32GetDatum(room), Int64GetDatum(laras_courier_run),
									Int32GetDatum(Max(MAX_FLEETING - fleeting_count, 0))},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		struct LarasTaskFlight *flight = laras_http_memory(sizeof(struct LarasTaskFlight));
		char *kind = laras_spi_cstring(i, 3);
		bytea *sealed = laras_spi_bytes(i, 6);

		if (flight == NULL)
			break; /* stays claimed by this run; swept by the next */
		flight->flight_kind = LARAS_FLIGHT_TASK;
		flight->task.workspace_id = laras_spi_int8(i, 1);
		flight->task.id = laras_spi_int8(i, 2);
		flight->task.kind = laras_task_kind(kind);
		flight->task.connection_id = laras_spi_int8(i, 4);
		flight->task.attempt_id = laras_spi_int8(i, 5);
		flight->task.attempts = laras_spi_int4(i, 7);
		if (sealed != NULL)
		{
			char *text;
			size_t length;

			if (laras_open_token(sealed, flight->task.workspace_id, flight->task.id,
								 LARAS_FIELD_courier_task_request, &text, &length) == LARAS_OPENED)
			{
				flight->request = laras_json_parse(text, length, NULL);
				laras_wipe(text, length);
			}
		}
		flight->task.request = flight->request;
		if (flight->task.kind != NULL)
			flight->task.memory = laras_http_memory(flight->task.kind->memory_size);
		if (flight->task.kind == NULL || flight->task.memory == NULL ||
			(sealed != NULL && flight->request == NULL))
		{
			write_end(&flight->task, "failed", 410,
					  flight->task.kind == NULL ? "unknown_kind" : "unreadable");
			json_decref(flight->request);
			laras_http_give_back(flight->task.memory, 0);
			laras_http_give_back(flight, sizeof(*flight));
			continue;
		}
		begun[n++] = flight;
	}
	laras_spi_close();
	if (found > 0)
		laras_egress_refresh();
	laras_worker_commit();
	for (int i = 0; i < n; i++)
	{
		begun[i]->next = under_way;
		under_way = begun[i];
		under_way_count++;
		fleeting_count += begun[i]->task.kind->fleeting;
	}
	for (int i = 0; i < n; i++)
		if (!begun[i]->task.kind->fleeting)
			go_on(begun[i], NULL);
	return (int) found;
}

int
laras_task_dispatch_fleeting(void)
{
	struct LarasTaskFlight *next[MAX_FLEETING];
	int n = 0;

	if (fleeting_count == 0)
		return 0;
	for (struct LarasTaskFlight *f = under_way; f != NULL && n < MAX_FLEETING; f = f->next)
		if (f->task.kind->fleeting && !f->begun)
			next[n++] = f;
	for (int i = 0; i < n; i++)
		go_on(next[i], NULL);
	return n;
}

void
laras_task_sweep(void)
{
	uint64 found;

	do
	{
		laras_worker_begin("settling tasks that an earlier run left");
		laras_worker_bind_all();
		laras_spi_open();
		found = laras_spi_run(&find_interrupted, (Datum[]){Int64GetDatum(laras_courier_run)}, NULL);
		{
			LarasTask *tasks = palloc0(sizeof(LarasTask) * (found + 1));
			bool *again = palloc0(sizeof(bool) * (found + 1));

			for (uint64 i = 0; i < found; i++)
			{
				const LarasTaskKind *kind = laras_task_kind(laras_spi_cstring(i, 3));

				tasks[i].workspace_id = laras_spi_int8(i, 1);
				tasks[i].id = laras_spi_int8(i, 2);
				tasks[i].kind = kind;
				again[i] =
					kind != NULL && kind->repeatable && laras_spi_int4(i, 4) < LARAS_TASK_ATTEMPTS;
			}
			for (uint64 i = 0; i < found; i++)
			{
				if (again[i])
				{
					laras_spi_run(&requeue_task,
								  (Datum[]){Int64GetDatum(tasks[i].workspace_id),
											Int64GetDatum(tasks[i].id),
											Float8GetDatum((double) RESUME_AFTER_MS)},
								  NULL);
					laras_again_in(RESUME_AFTER_MS);
				}
				else
					write_end(&tasks[i], "failed", 503, "interrupted");
			}
		}
		laras_spi_close();
		laras_worker_commit();
	} while (found == 500);
}
