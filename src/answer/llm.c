/*
 * llm.c
 *		Drafts by a language model, see llm.h.
 *
 * One row of llm_call for each message that a model is asked about: it is the
 * log of the conversation, the state of the asking, and, found by the blind
 * index of its prompt, the cache of its workspace.  Blind index and key are the
 * workspace's own, so that no other one can ever find it.
 */
#include "postgres.h"

#include "answer/drafterrole.h"
#include "answer/holdreason.h"
#include "answer/llm.h"
#include "answer/manner.h"
#include "answer/question.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "courier/presence.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	read_endpoint,
	"SELECT e.model, e.on_failure, e.daily_calls, e.cache_minutes, "
	"e.request_options::pg_catalog.text, e.no_train AND e.no_train_header IS NOT NULL, "
	"EXISTS (SELECT 1 FROM laras.ai_rules r WHERE r.channel OPERATOR(pg_catalog.=) $2 "
	"AND r.rule OPERATOR(pg_catalog.=) 'no_training' AND r.enabled) FROM laras.llm_endpoint e "
	"WHERE e.workspace_id OPERATOR(pg_catalog.=) $1 AND e.enabled",
	INT8OID, TEXTOID);

/* a call whose task was lost is given up */
LARAS_PLAN(
	read_call,
	"SELECT c.id, CASE WHEN c.state OPERATOR(pg_catalog.=) 'queued' AND c.created_at OPERATOR(pg_catalog.<) "
	"(laras.now() OPERATOR(pg_catalog.-) '15 minutes'::pg_catalog.interval) THEN 'no_answer' ELSE c.state END, "
	"c.reason, c.model, c.response, c.given::pg_catalog.text FROM laras.llm_call c "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.inbound_message_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* the latest usable response to the same prompt */
LARAS_PLAN(
	find_same,
	"SELECT c.id, c.response FROM laras.llm_call c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.prompt_index OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.=) 'answered' "
	"AND c.response IS NOT NULL AND c.finished_at OPERATOR(pg_catalog.>) (laras.now() OPERATOR(pg_catalog.-) "
	"($3 OPERATOR(pg_catalog.*) '1 minute'::pg_catalog.interval)) ORDER BY c.finished_at DESC, c.id DESC LIMIT 1",
	INT8OID, BYTEAOID, INT4OID);

/* may another request be made today? Each is counted when it is made (llmtask.c) */
LARAS_PLAN(
	ask_budget,
	"SELECT coalesce((SELECT u.calls FROM laras.llm_usage u WHERE u.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND u.day OPERATOR(pg_catalog.=) (laras.now() AT TIME ZONE 'UTC')::pg_catalog.date), 0) OPERATOR(pg_catalog.<) $2",
	INT8OID, INT4OID);

/*
 * The breaker of a workspace's endpoint, read from the log of calls: after $2
 * without an answer in a row it is left alone for a while from the last one on,
 * longer the more there were; then one call is a probe, and no other is made
 * until it ended. Nothing else need survive a restart.
 */
LARAS_PLAN(
	rests,
	"SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>=) $2 AND (EXISTS (SELECT 1 FROM laras.llm_call q "
	"WHERE q.workspace_id OPERATOR(pg_catalog.=) $1 AND q.state OPERATOR(pg_catalog.=) 'queued' "
	"AND q.created_at OPERATOR(pg_catalog.>) (laras.now() OPERATOR(pg_catalog.-) '15 minutes'::pg_catalog.interval)) "
	"OR pg_catalog.max(r.finished_at) OPERATOR(pg_catalog.>) (laras.now() OPERATOR(pg_catalog.-) "
	"(least($3 OPERATOR(pg_catalog.*) (2 OPERATOR(pg_catalog.^) least(pg_catalog.count(*) OPERATOR(pg_catalog.-) $2, 10)), $4) "
	"OPERATOR(pg_catalog.*) '1 second'::pg_catalog.interval))) FROM ("
	"SELECT c.finished_at, pg_catalog.bool_and(c.state OPERATOR(pg_catalog.=) 'no_answer') OVER (ORDER BY c.id DESC) AS silent "
	"FROM (SELECT y.id, y.state, y.finished_at FROM laras.llm_call y WHERE y.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND y.state OPERATOR(pg_catalog.<>) 'queued' AND y.attempts OPERATOR(pg_catalog.>) 0 ORDER BY y.id DESC LIMIT 20) c) r WHERE r.silent",
	INT8OID, INT4OID, FLOAT8OID, FLOAT8OID);

LARAS_PLAN(
	add_call,
	"INSERT INTO laras.llm_call (workspace_id, id, conversation_id, contact_id, inbound_message_id, state, model, "
	"prompt, prompt_index, response, given, cached, purpose, finished_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::pg_catalog.jsonb, $12, $13, CASE WHEN $12 THEN laras.now() END)",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, LARAS_SEALED, BYTEAOID,
	LARAS_SEALED, TEXTOID, BOOLOID, TEXTOID);

/* calls without an answer in a row, after which an endpoint rests; for how many seconds at first, and at most */
#define SILENT_CALLS 5
#define FIRST_REST 15.0
#define LONGEST_REST 900.0

typedef struct Endpoint
{
	char *model;
	bool to_queue; /* on failure */
	int daily_calls;
	int cache_minutes;
	char *options;
	bool says_no_train; /* by its header */
	bool must_say_so;   /* by the terms of the channel's provider */
} Endpoint;

static bool
read_the_endpoint(int64 workspace_id, const char *channel, Endpoint *e)
{
	bool found;

	laras_spi_open();
	found = laras_spi_run(&read_endpoint,
						  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel)},
						  NULL) == 1;
	if (found)
	{
		e->model = laras_spi_cstring(0, 1);
		e->to_queue = strcmp(laras_spi_cstring(0, 2), "queue") == 0;
		e->daily_calls = laras_spi_int4(0, 3);
		e->cache_minutes = laras_spi_int4(0, 4);
		e->options = laras_spi_cstring(0, 5);
		e->says_no_train = laras_spi_bool(0, 6);
		e->must_say_so = laras_spi_bool(0, 7);
	}
	laras_spi_close();
	return found;
}

/*
 * Is the question one for a model? What a person must answer stays with the
 * person, and courtesy needs nobody.
 */
static bool
is_for_model(const LarasComposed *composed)
{
	static const char *const others[] = {"off_scope", "complaint", "order_status",
										 "human",     "thanks",    "greeting"};

	if (composed->text == NULL)
		return false;
	for (int i = 0; i < lengthof(others); i++)
		if (strcmp(composed->intent, others[i]) == 0)
			return false;
	return true;
}

/* No answer: the built-in draft goes its way, or a person decides. */
static void
fall_back(LarasDrafting *d, const Endpoint *e, const char *reason)
{
	if (e->to_queue)
		d->llm_reason = reason;
}

/* Would a request tell the provider not to train on it? What it carried is written down when it is made. */
static bool
tells_no_train(const Endpoint *e)
{
	return e->says_no_train || laras_llm_tells_no_train(laras_json_own(
								   laras_json_parse(e->options, strlen(e->options), NULL)));
}

/* A response that came: the draft, or the reason why it is none. */
static void
use(LarasDrafting *d, const char *model, const char *response, size_t n, const char *given)
{
	LarasComposed composed = d->composed;
	json_t *rows = laras_json_own(laras_json_parse(given, strlen(given), NULL));

	d->llm_reason =
		laras_llm_read(response, n, rows, strcmp(composed.language, "en") == 0, &composed);
	if (d->llm_reason != NULL)
		return;
	d->composed = composed;
	d->drafter = psprintf("llm %.*s", 200, model);
	/* a text that rests on nothing is no answer of the business */
	if (composed.n_sources == 0 && !composed.hand_over)
		d->llm_reason = LARAS_HOLD_LLM_NO_GROUND;
	/* nor is what the customer put into the model's mouth */
	else if (laras_says_again(composed.text, strlen(composed.text), d->question.data,
							  d->question.len))
		d->llm_reason = LARAS_HOLD_LLM_ECHO;
}

/* The response to the same prompt of this workspace, if one is kept. */
static bool
find_response(const LarasDrafting *d, const Endpoint *e, bytea *prompt_index, char **response,
			  size_t *n)
{
	bytea *sealed = NULL;
	int64 id = 0;

	if (e->cache_minutes == 0)
		return false;
	laras_spi_open();
	if (laras_spi_run(&find_same,
					  (Datum[]){Int64GetDatum(d->workspace_id), PointerGetDatum(prompt_index),
								Int32GetDatum(e->cache_minutes)},
					  NULL) == 1)
	{
		id = laras_spi_int8(0, 1);
		sealed = (bytea *) laras_spi_varlena(0, 2);
	}
	laras_spi_close();
	return sealed != NULL &&
		   laras_try_open(sealed, d->workspace_id, id, LARAS_FIELD_llm_call_response, response,
						  n) == LARAS_OPENED;
}

static bool
is_resting(const LarasDrafting *d)
{
	bool resting;

	laras_spi_open();
	resting = laras_spi_run(&rests,
							(Datum[]){Int64GetDatum(d->workspace_id), Int32GetDatum(SILENT_CALLS),
									  Float8GetDatum(FIRST_REST), Float8GetDatum(LONGEST_REST)},
							NULL) == 1 &&
			  laras_spi_bool(0, 1);
	laras_spi_close();
	return resting;
}

static bool
within_budget(const LarasDrafting *d, const Endpoint *e)
{
	bool left;

	laras_spi_open();
	left = laras_spi_run(&ask_budget,
						 (Datum[]){Int64GetDatum(d->workspace_id), Int32GetDatum(e->daily_calls)},
						 NULL) == 1 &&
		   laras_spi_bool(0, 1);
	laras_spi_close();
	return left;
}

/* Queues the call, or answers it from the cache. */
static void
ask(LarasDrafting *d, const Endpoint *e)
{
	LarasDrafterRole role;
	int64 id = laras_new_id();
	json_t *given;
	json_t *request;
	char *prompt;
	char *rows;
	char *response = NULL;
	size_t response_n = 0;
	bytea *prompt_index;
	bytea *sealed = NULL;
	bool cached;
	char nulls[14] = "             ";

	laras_drafter_begin(&role, d->workspace_id, d->conversation_id);
	prompt = laras_llm_prompt(d->workspace_id, e->model, e->options, d->question.data,
							  d->question.len, strcmp(d->composed.language, "en") == 0, &given);
	laras_drafter_end(&role);
	rows = laras_json_text_of(given, NULL);
	prompt_index =
		laras_index_bytea(d->workspace_slot, LARAS_INDEX_PROMPT, NULL, prompt, strlen(prompt));
	cached = find_response(d, e, prompt_index, &response, &response_n);
	if (!cached && is_resting(d))
	{
		fall_back(d, e, LARAS_HOLD_LLM_RESTING);
		return;
	}
	if (!cached && !within_budget(d, e))
	{
		fall_back(d, e, LARAS_HOLD_LLM_BUDGET);
		return;
	}
	if (cached)
		sealed = laras_seal(d->workspace_slot, d->slot, LARAS_FIELD_llm_call_response,
							d->workspace_id, id, response, response_n);
	nulls[9] = sealed == NULL ? 'n' : ' ';
	laras_spi_open();
	laras_spi_run_one(&add_call,
					  (Datum[]){Int64GetDatum(d->workspace_id), Int64GetDatum(id),
								Int64GetDatum(d->conversation_id), Int64GetDatum(d->contact_id),
								Int64GetDatum(d->inbound_id),
								CStringGetTextDatum(cached ? "answered" : "queued"),
								CStringGetTextDatum(e->model),
								PointerGetDatum(laras_seal_cstring(d->workspace_slot, d->slot,
																   LARAS_FIELD_llm_call_prompt,
																   d->workspace_id, id, prompt)),
								PointerGetDatum(prompt_index), PointerGetDatum(sealed),
								CStringGetTextDatum(rows), BoolGetDatum(cached),
								CStringGetTextDatum(LARAS_PURPOSE_SERVICE)},
					  nulls);
	laras_spi_close();
	if (cached)
	{
		use(d, e->model, response, response_n, rows);
		return;
	}
	request = laras_json_own(json_pack("{s:o}", "call", json_string(psprintf(INT64_FORMAT, id))));
	(void) laras_task_add(d->workspace_id, LARAS_LLM_TASK, 0, 0, request, NULL);
	/* it takes seconds */
	if (d->shows && d->auto_send)
		(void) laras_presence_show(d->workspace_id, d->conversation_id, true);
	d->waits = true;
}

void
laras_llm_draft(LarasDrafting *d)
{
	Endpoint e;
	char *state;
	char *reason;
	char *model;
	char *given;
	bytea *sealed;
	int64 id;
	char *response;
	size_t n;
	bool known;

	if (!is_for_model(&d->composed) || d->damaged ||
		!read_the_endpoint(d->workspace_id, d->channel, &e))
		return;
	laras_spi_open();
	known = laras_spi_run(&read_call,
						  (Datum[]){Int64GetDatum(d->workspace_id), Int64GetDatum(d->inbound_id)},
						  NULL) == 1;
	if (known)
	{
		id = laras_spi_int8(0, 1);
		state = laras_spi_cstring(0, 2);
		reason = laras_spi_cstring(0, 3);
		model = laras_spi_cstring(0, 4);
		sealed = (bytea *) laras_spi_varlena(0, 5);
		given = laras_spi_cstring(0, 6);
	}
	laras_spi_close();
	if (!known && e.must_say_so && !tells_no_train(&e))
		fall_back(d, &e, LARAS_HOLD_LLM_TRAINS);
	else if (!known)
		ask(d, &e);
	else if (strcmp(state, "queued") == 0)
		d->waits = true;
	else if (strcmp(state, "bad_answer") == 0)
		d->llm_reason = reason;
	else if (strcmp(state, "answered") == 0 && sealed != NULL &&
			 laras_try_open(sealed, d->workspace_id, id, LARAS_FIELD_llm_call_response, &response,
							&n) == LARAS_OPENED)
		use(d, model, response, n, given);
	else
		fall_back(d, &e, reason != NULL ? reason : LARAS_HOLD_LLM_NO_ANSWER);
}
