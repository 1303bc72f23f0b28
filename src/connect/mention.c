/*
 * mention.c
 *		The words of mentions whose events bring ids alone.
 *
 * The mention is in the inbox at once, without a text; the courier asks for that
 * with the account's token, and seals it under the person's slot. message.text_state
 * says how it stands: `asked` until there is an answer, then null, or in one word
 * why there never will be a text. What has ended is not asked for again. A task
 * that ends without a word (by an error, or cut off with its connection) leaves
 * `asked` behind: the keeper ends it after a day.
 */
#include "postgres.h"

#include "answer/wanted.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/health.h"
#include "connect/mention.h"
#include "connect/reach.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/person.h"
#include "inbox/processing.h"
#include "inbox/sentiment.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/installation.h"

/* after a failure it is asked again, each time five times as late: in the end some ten minutes after the first time */
#define TRY_AGAIN_MS 4000

#define BATCH 100

LARAS_PLAN(
	begin_asking,
	"UPDATE laras.message SET text_state = 'asked' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	lock_asked,
	"SELECT m.contact_id, m.slot, m.conversation_id, p.id, p.content FROM laras.message m "
	"LEFT JOIN LATERAL (SELECT x.id, x.content FROM laras.message_part x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND x.message_id OPERATOR(pg_catalog.=) m.id "
	"AND x.kind OPERATOR(pg_catalog.=) 'thread' LIMIT 1) AS p ON true "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
	"AND m.text_state OPERATOR(pg_catalog.=) 'asked' AND m.unsent_at IS NULL FOR UPDATE OF m",
	INT8OID, INT8OID);

LARAS_PLAN(set_text,
		   "UPDATE laras.message SET body = $3, sentiment = $4, text_state = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, LARAS_SEALED, LARAS_SEALED);

LARAS_PLAN(end_asking,
		   "UPDATE laras.message SET text_state = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2 AND text_state OPERATOR(pg_catalog.=) 'asked' "
		   "RETURNING conversation_id, connection_id, channel",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	find_left,
	"SELECT m.workspace_id, m.id FROM laras.message m WHERE m.text_state OPERATOR(pg_catalog.=) 'asked' "
	"AND m.created_at OPERATOR(pg_catalog.<) (laras.now() OPERATOR(pg_catalog.-) '1 day'::pg_catalog.interval) "
	"ORDER BY m.workspace_id, m.id LIMIT $1 FOR UPDATE OF m SKIP LOCKED",
	INT4OID);

/* what is carried from the question to its answer */
typedef struct Memory
{
	LarasReachToken token;
} Memory;

/* the message of a task, locked */
typedef struct Asked
{
	LarasReach reach;
	int64 message_id;
	int64 contact_id;
	uint32 slot;
	json_t *thread; /* NULL: gone */
} Asked;

bool
laras_mention_is_readable(const LarasChannelDriver *driver, const LarasRecord *record)
{
	return strcmp(record->message_kind, "mention") == 0 && record->text.s == NULL &&
		   record->effect == LARAS_EFFECT_NONE && driver->connect->build_read_mention != NULL;
}

void
laras_mention_ask(int64 workspace_id, int64 connection_id, int64 message_id)
{
	json_t *request = laras_json_own(json_pack("{s:I}", "message", (json_int_t) message_id));

	laras_spi_open();
	laras_spi_run_one(&begin_asking,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id)}, NULL);
	laras_spi_close();
	laras_task_add(workspace_id, laras_mention_task.name, connection_id, 0, request, NULL);
}

/* There will be no text, and why: the owner is told. */
static void
give_up(int64 workspace_id, int64 message_id, const char *state, int code)
{
	LarasEvidenceField fields[2];
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = LARAS_ACT_MENTION_UNREAD,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = message_id,
		.fields = fields,
	};
	int64 conversation_id;
	int64 connection_id;
	char *channel;

	laras_spi_open();
	if (laras_spi_run(&end_asking,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(message_id),
								CStringGetTextDatum(state)},
					  NULL) == 0)
	{
		laras_spi_close();
		return;
	}
	conversation_id = laras_spi_int8(0, 1);
	connection_id = laras_spi_int8(0, 2);
	channel = laras_spi_cstring(0, 3);
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_REASON, state);
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel);
	laras_evidence_append(&act);
	laras_notice(workspace_id, "mention_unread", connection_id, conversation_id, message_id, code);
	laras_spi_close();
}

static LarasTaskNext
end(const LarasTask *task, LarasTaskResult *result, const char *state, int code)
{
	give_up(task->workspace_id, laras_task_id(task, "message"), state, code);
	return laras_task_ends(result, LARAS_TASK_FAILED, state);
}

/* It may be otherwise in a while; in the end it is not. */
static LarasTaskNext
later(const LarasTask *task, LarasTaskResult *result, int code)
{
	if (task->attempts >= LARAS_TASK_ATTEMPTS)
		return end(task, result, "failed", code);
	result->delay_ms = TRY_AGAIN_MS;
	for (int i = 1; i < task->attempts; i++)
		result->delay_ms *= 5;
	return LARAS_TASK_AGAIN;
}

/*
 * The message of a task, if its text is still asked for. The connection is locked
 * first, as a disconnect does it. LARAS_TASK_REQUEST: go on; else the task's end.
 */
static LarasTaskNext
open_task(LarasTask *task, Asked *a, LarasTaskResult *result)
{
	Memory *m = task->memory;
	bool reached = laras_reach(task, &m->token, &a->reach) &&
				   a->reach.driver->connect->build_read_mention != NULL;
	MemoryContext caller = CurrentMemoryContext;
	bytea *sealed;
	char *text;
	size_t n;

	a->message_id = laras_task_id(task, "message");
	a->thread = NULL;
	laras_spi_open();
	if (laras_spi_run(&lock_asked,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(a->message_id)},
					  NULL) == 0)
	{
		laras_spi_close();
		return laras_task_ends(result, LARAS_TASK_DONE, "not_asked");
	}
	a->contact_id = laras_spi_int8(0, 1);
	a->slot = (uint32) laras_spi_int8(0, 2);
	sealed = (bytea *) laras_spi_varlena(0, 5);
	MemoryContextSwitchTo(caller);
	if (sealed != NULL && !laras_slot_is_destroyed(a->slot) &&
		laras_open(sealed, task->workspace_id, laras_spi_int8(0, 4),
				   LARAS_FIELD_message_part_content, &text, &n) == LARAS_OPENED)
		a->thread = laras_json_own(laras_json_parse(text, n, NULL));
	laras_spi_close();
	if (a->thread == NULL)
		return laras_task_ends(result, LARAS_TASK_DONE, "erased");
	return reached ? LARAS_TASK_REQUEST : later(task, result, 0);
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	LarasProviderRequest made = {0};
	Asked a;
	LarasTaskNext next = open_task(task, &a, result);

	if (next != LARAS_TASK_REQUEST)
		return next;
	if (!a.reach.driver->connect->build_read_mention(&a.reach.about, a.reach.number, a.thread,
													 &allocator, &made))
		return end(task, result, "failed", 0);
	return laras_reach_ask(&made, &m->token, "read_mention", request);
}

/* The text is there: from now on the message is like any other. */
static void
settle(const LarasTask *task, const Asked *a, const LarasMention *mention)
{
	uint32 w = laras_workspace_slot(task->workspace_id);
	const char *channel = a->reach.driver->channel;
	LarasText text = mention->text;
	LarasRecord person = {.kind = LARAS_RECORD_PERSON, .name = mention->name};
	LarasSender sender = {
		.workspace_id = task->workspace_id,
		.workspace_slot = w,
		.channel = channel,
		.record = &person,
		.contact = {.id = a->contact_id, .slot = a->slot},
	};
	LarasEvidenceField fields[] = {LARAS_EV_COMMIT(LARAS_EVF_BODY, a->slot, text.s, text.n),
								   LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel)};
	LarasEvidence act = {
		.workspace_id = task->workspace_id,
		.workspace_slot = w,
		.action = LARAS_ACT_MENTION_READ,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = a->message_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};
	bytea *sentiment = NULL;
	bool processed;

	laras_spi_open();
	processed = laras_is_processed(task->workspace_id, channel);
	if (processed)
		sentiment =
			laras_sentiment_seal(w, a->slot, task->workspace_id, a->message_id, text.s, text.n);
	laras_spi_run_one(&set_text,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(a->message_id),
								PointerGetDatum(laras_seal(w, a->slot, LARAS_FIELD_message_body,
														   task->workspace_id, a->message_id,
														   text.s, text.n)),
								PointerGetDatum(sentiment)},
					  sentiment == NULL ? "   n" : NULL);
	if (processed && mention->asks)
	{
		LarasColumn wanted[3];

		laras_columns_init(wanted, 3, 1);
		wanted[0].values[0] = Int64GetDatum(task->workspace_id);
		wanted[1].values[0] = Int64GetDatum(a->message_id);
		wanted[2].values[0] = Int64GetDatum(a->contact_id);
		laras_wanted_add(wanted, 1);
	}
	laras_spi_close();
	laras_follow_persons(&sender, 1);
	laras_evidence_append(&act);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	const LarasConnectDriver *connect;
	LarasMention mention = {{NULL, 0}};
	const char *why;
	Asked a;
	LarasTaskNext next = open_task(task, &a, result);

	if (next != LARAS_TASK_REQUEST)
		return next;
	connect = a.reach.driver->connect;
	if (laras_task_succeeded(answer))
	{
		if (!connect->read_mention(answer->document, &mention))
			return later(task, result, 0);
		if (mention.text.s == NULL || mention.text.n == 0)
			return end(task, result, "gone", 0);
		settle(task, &a, &mention);
		return laras_task_ends(result, LARAS_TASK_DONE, "read");
	}
	if (laras_token_refused(task->workspace_id, task->connection_id, a.reach.driver,
							answer->error_code, answer->error_subcode))
		return later(task, result, answer->error_code);
	why = answer->end == LARAS_HTTP_ANSWERED
			  ? connect->refused_mention(answer->http_status, answer->error_code)
			  : NULL;
	return why != NULL ? end(task, result, why, answer->error_code)
					   : later(task, result, answer->error_code);
}

const LarasTaskKind laras_mention_task = {
	.name = "read_mention",
	.memory_size = sizeof(Memory),
	/* to read twice is to read once */
	.repeatable = true,
	.first = first,
	.answered = answered,
};

LarasTurn
laras_mention_duty(void)
{
	uint64 found;
	int64(*left)[2];

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	found = laras_spi_run(&find_left, (Datum[]){Int32GetDatum(BATCH)}, NULL);
	left = palloc(sizeof(*left) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		left[i][0] = laras_spi_int8(i, 1);
		left[i][1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < found; i++)
		give_up(left[i][0], left[i][1], "failed", 0);
	laras_spi_close();
	return found == BATCH ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
