/*
 * llmtask.c
 *		The courier's part of a draft by a language model: one request, its
 *		answer written down as it came.
 *
 * A call that got no answer is made again as often as the workspace allows; one
 * that got an answer is not, whatever it says.  The key is opened here and
 * nowhere else; prompt and response pass through sealed.  What came and cannot
 * be used is kept like a response, as far as one is kept, since nobody can look
 * into what was not written down.
 */
#include "postgres.h"

#include "answer/holdreason.h"
#include "answer/llm.h"
#include "base/clock.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "common/pg_prng.h"
#include "inbox/rows.h"
#include "mb/pg_wchar.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

#define KEY_BYTES 1024
/* how long after a call that got no answer the next one begins, at most, at first */
#define AGAIN_MS 2000

LARAS_PLAN(
	read_call,
	"SELECT e.url, c.prompt, e.api_key, CASE WHEN e.no_train THEN e.no_train_header END, p.slot, c.attempts, e.retries, e.daily_calls "
	"FROM laras.llm_call c JOIN laras.llm_endpoint e ON e.workspace_id OPERATOR(pg_catalog.=) c.workspace_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) c.workspace_id AND p.id OPERATOR(pg_catalog.=) c.contact_id "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $2 "
	"AND c.state OPERATOR(pg_catalog.=) 'queued' AND e.enabled FOR UPDATE OF c",
	INT8OID, INT8OID);

/* no row where the day's budget is spent: each request costs one, a repeated one too */
LARAS_PLAN(
	spend,
	"INSERT INTO laras.llm_usage AS u (workspace_id, day, calls) "
	"SELECT $1, (laras.now() AT TIME ZONE 'UTC')::pg_catalog.date, 1 WHERE $2 OPERATOR(pg_catalog.>) 0 "
	"ON CONFLICT (workspace_id, day) DO UPDATE SET calls = u.calls OPERATOR(pg_catalog.+) 1 "
	"WHERE u.calls OPERATOR(pg_catalog.<) $2",
	INT8OID, INT4OID);

/* of several requests each must have said it */
LARAS_PLAN(count_attempt,
		   "UPDATE laras.llm_call SET attempts = attempts OPERATOR(pg_catalog.+) 1, "
		   "no_train = coalesce(no_train, true) AND $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, BOOLOID);

LARAS_PLAN(
	end_call,
	"UPDATE laras.llm_call SET state = $3, reason = $4, http_status = $5, response = $6, finished_at = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'queued'",
	INT8OID, INT8OID, TEXTOID, TEXTOID, INT4OID, LARAS_SEALED);

LARAS_PLAN(
	count_tokens,
	/* of a day that began while the model wrote there is no row yet */
	"INSERT INTO laras.llm_usage AS u (workspace_id, day, prompt_tokens, answer_tokens) "
	"VALUES ($1, (laras.now() AT TIME ZONE 'UTC')::pg_catalog.date, $2, $3) "
	"ON CONFLICT (workspace_id, day) DO UPDATE SET prompt_tokens = u.prompt_tokens OPERATOR(pg_catalog.+) $2, "
	"answer_tokens = u.answer_tokens OPERATOR(pg_catalog.+) $3",
	INT8OID, INT8OID, INT8OID);

typedef struct Memory
{
	char key[KEY_BYTES];
	size_t key_n;
} Memory;

typedef struct Call
{
	int64 id;
	char *url;
	bytea *prompt;
	bytea *key;
	char *header;
	uint32 slot;
	int attempts;
	int retries;
	int daily_calls;
} Call;

/* The call, locked, as it is now; false where it ended, went, or the endpoint is off. */
static bool
open_call(const LarasTask *task, Call *call)
{
	char buffer[24];
	LarasText id = laras_json_id(laras_json_get(task->request, "call"), buffer, sizeof(buffer));
	bool found;

	call->id = id.s == NULL ? 0 : strtoi64(id.s, NULL, 10);
	laras_spi_open();
	found = laras_spi_run(&read_call,
						  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(call->id)},
						  NULL) == 1;
	if (found)
	{
		call->url = laras_spi_cstring(0, 1);
		call->prompt = (bytea *) laras_spi_varlena(0, 2);
		call->key = (bytea *) laras_spi_varlena(0, 3);
		call->header = laras_spi_cstring(0, 4);
		call->slot = (uint32) laras_spi_int8(0, 5);
		call->attempts = laras_spi_int4(0, 6);
		call->retries = laras_spi_int4(0, 7);
		call->daily_calls = laras_spi_int4(0, 8);
	}
	laras_spi_close();
	return found;
}

/*
 * As much of what came as is kept of a response, with a "?" in place of each
 * byte that no text of this server can have: a log that cannot be read is none.
 */
static LarasText
readable(const char *body, size_t n)
{
	size_t kept = Min(n, LARAS_LLM_RESPONSE_BYTES);
	char *text;

	if (body == NULL || n == 0)
		return (LarasText){0};
	text = palloc(kept + 1);
	memcpy(text, body, kept);
	for (size_t at = 0; at < kept;)
	{
		int length = text[at] == '\0' ? -1
									  : pg_encoding_verifymbchar(GetDatabaseEncoding(), text + at,
																 (int) (kept - at));

		if (length < 0)
			text[at] = '?';
		at += Max(length, 1);
	}
	text[kept] = '\0';
	return (LarasText){text, kept};
}

/* Writes down how the call ended, and wakes who drafts. */
static LarasTaskNext
end(const LarasTask *task, const Call *call, const char *state, const char *reason,
	const LarasTaskAnswer *answer, LarasText response, LarasTaskResult *result)
{
	bool answered = strcmp(state, "answered") == 0;
	bytea *sealed = NULL;
	char nulls[7] = "      ";

	/* what a person wrote into a prompt is not kept beyond the person */
	if (response.s != NULL && !laras_slot_is_destroyed(call->slot))
		sealed = laras_seal(laras_workspace_slot(task->workspace_id), call->slot,
							LARAS_FIELD_llm_call_response, task->workspace_id, call->id, response.s,
							response.n);
	nulls[3] = reason == NULL ? 'n' : ' ';
	nulls[4] = answer == NULL || answer->http_status == 0 ? 'n' : ' ';
	nulls[5] = sealed == NULL ? 'n' : ' ';
	laras_spi_open();
	laras_spi_run(&end_call,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(call->id),
							CStringGetTextDatum(state),
							reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason),
							Int32GetDatum(answer == NULL ? 0 : answer->http_status),
							PointerGetDatum(sealed)},
				  nulls);
	laras_spi_close();
	laras_work_queued(LARAS_WORK_KEEPER);
	result->http_status = answered ? 200 : 502;
	result->result = answered ? "answered" : reason;
	return answered ? LARAS_TASK_DONE : LARAS_TASK_FAILED;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasText none = {0};
	Call call;
	bool told;
	char *text;
	size_t n;

	if (!open_call(task, &call))
	{
		result->result = "not_wanted";
		return LARAS_TASK_FAILED;
	}
	if (laras_open(call.prompt, task->workspace_id, call.id, LARAS_FIELD_llm_call_prompt, &text,
				   &n) != LARAS_OPENED)
		return end(task, &call, "no_answer", "erased", NULL, none, result);
	request->body = text;
	request->body_n = n;
	told = call.header != NULL ||
		   laras_llm_tells_no_train(laras_json_own(laras_json_parse(text, n, NULL)));
	if (call.key != NULL)
	{
		if (laras_open_token(call.key, task->workspace_id, task->workspace_id,
							 LARAS_FIELD_llm_endpoint_api_key, &text, &n) != LARAS_OPENED ||
			n >= sizeof(m->key))
			return end(task, &call, "no_answer", LARAS_HOLD_LLM_NO_ANSWER, NULL, none, result);
		memcpy(m->key, text, n);
		m->key_n = n;
		laras_wipe(text, n);
		request->token = m->key;
		request->token_n = m->key_n;
	}
	laras_spi_open();
	/* before the request, and committed before it: what a crash interrupts has cost its call */
	if (laras_spi_run(&spend,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int32GetDatum(call.daily_calls)},
					  NULL) == 0)
	{
		laras_spi_close();
		return end(task, &call, "no_answer", LARAS_HOLD_LLM_BUDGET, NULL, none, result);
	}
	laras_spi_run(&count_attempt,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(call.id),
							BoolGetDatum(told)},
				  NULL);
	laras_spi_close();
	request->purpose = LARAS_LLM_TASK;
	request->method = "POST";
	request->url = call.url;
	request->header = call.header;
	return LARAS_TASK_REQUEST;
}

static void
add_tokens(const LarasTask *task, const json_t *document)
{
	const json_t *usage = laras_json_get(document, "usage");
	int64_t prompt = 0;
	int64_t answer = 0;

	(void) laras_json_integer(laras_json_get(usage, "prompt_tokens"), &prompt);
	(void) laras_json_integer(laras_json_get(usage, "completion_tokens"), &answer);
	laras_spi_open();
	laras_spi_run(&count_tokens,
				  (Datum[]){Int64GetDatum(task->workspace_id),
							Int64GetDatum(Max(0, Min(prompt, PG_INT32_MAX))),
							Int64GetDatum(Max(0, Min(answer, PG_INT32_MAX)))},
				  NULL);
	laras_spi_close();
}

/* Was nothing said that could be read, and may it be asked again? */
static bool
is_no_answer(const LarasTaskAnswer *answer)
{
	return answer->end != LARAS_HTTP_ANSWERED || answer->http_status == 408 ||
		   answer->http_status == 429 || answer->http_status >= 500;
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	LarasText content;
	LarasText came = readable(answer->body, answer->body_n);
	Call call;

	if (!open_call(task, &call))
	{
		result->result = "not_wanted";
		return LARAS_TASK_FAILED;
	}
	if (answer->too_long)
		return end(task, &call, "bad_answer", LARAS_HOLD_LLM_TOO_LONG, answer, came, result);
	if (is_no_answer(answer))
	{
		if (call.attempts > call.retries)
			return end(task, &call, "no_answer", LARAS_HOLD_LLM_NO_ANSWER, answer, came, result);
		/* full jitter */
		result->delay_ms =
			(int) (pg_prng_double(&pg_global_prng_state) * (AGAIN_MS << call.attempts));
		return LARAS_TASK_AGAIN;
	}
	if (answer->http_status != 200)
		return end(task, &call, "no_answer", LARAS_HOLD_LLM_REFUSED, answer, came, result);
	if (answer->document == NULL)
		return end(task, &call, "bad_answer", LARAS_HOLD_LLM_UNREADABLE, answer, came, result);
	add_tokens(task, answer->document);
	content = laras_json_text_at(
		laras_json_get(laras_json_first(laras_json_get(answer->document, "choices")), "message"),
		"content");
	if (content.s == NULL)
		return end(task, &call, "bad_answer", LARAS_HOLD_LLM_WRONG_SHAPE, answer, came, result);
	if (content.n > LARAS_LLM_RESPONSE_BYTES)
		return end(task, &call, "bad_answer", LARAS_HOLD_LLM_TOO_LONG, answer, came, result);
	return end(task, &call, "answered", NULL, answer, readable(content.s, content.n), result);
}

const LarasTaskKind laras_llm_task = {
	.name = LARAS_LLM_TASK,
	.memory_size = sizeof(Memory),
	/* asked twice, the later answer counts */
	.repeatable = true,
	.first = first,
	.answered = answered,
};
