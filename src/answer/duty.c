/*
 * duty.c
 *		Keeper's duties: a draft for each message that waits for one, and the
 *		end of drafts whose ground changed.
 *
 * A batch is one transaction with a statement for each table. Drafts are made
 * without a lock; then what they depend on is locked and looked at once more,
 * and they are stored. What another transaction has locked is passed over, so
 * that nothing here waits for a person: an erasure, a cut or a reply comes
 * wholly before or wholly after a draft, and waits for no drafter.
 *
 * What cannot be drafted is held for a person with the reason, alone; nothing
 * of it hurts the messages beside it, and nothing here ever hurts intake.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "answer/drafterrole.h"
#include "answer/drafting.h"
#include "answer/earlier.h"
#include "answer/ellipsis.h"
#include "answer/holdreason.h"
#include "answer/llm.h"
#include "answer/wanted.h"
#include "base/clock.h"
#include "base/contain.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/spi.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/*
 * A turn holds locks that a disconnect waits for, but only while it stores: so
 * many drafts take some twenty milliseconds.
 */
#define BATCH 50

/* messages that are read for a batch, at most */
#define MESSAGES 1000

/* after so long no further message of the batch is begun */
#define TURN_MS 250

/* bytes of a customer's earlier messages that are read with the newest one */
#define QUESTION_BYTES 8192

/*
 * With each message, all that its customer wrote and nobody read yet, wherever
 * in the order it stands: one draft answers them. $3 bounds what a flood may
 * bring. Each row is looked up by its whole key: a limit keeps the planner from
 * joining on the workspace alone while the tables have no statistics.
 */
#define ONE(columns, relation, key)                                 \
	"(SELECT " columns " FROM laras." relation " AS y "             \
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) who.workspace_id " \
	"AND y.id OPERATOR(pg_catalog.=) " key " LIMIT 1)"
LARAS_PLAN(
	read_wanted,
	"WITH who AS MATERIALIZED (SELECT DISTINCT x.workspace_id, x.contact_id FROM unnest($1, $2) AS h (w, m) "
	"CROSS JOIN LATERAL (SELECT y.workspace_id, y.contact_id FROM laras.draft_wanted y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) h.w AND y.message_id OPERATOR(pg_catalog.=) h.m LIMIT 1) x) "
	"SELECT who.workspace_id, m.id, m.conversation_id, m.contact_id, m.connection_id, p.slot, m.channel, m.body, "
	"v.last_inbound_at, c.state, c.auto_send, p.state, p.opt_out_at, "
	"EXISTS (SELECT 1 FROM laras.draft d WHERE d.workspace_id OPERATOR(pg_catalog.=) who.workspace_id "
	"AND d.inbound_message_id OPERATOR(pg_catalog.=) m.id), "
	/* a caption says something, but not what the picture shows */
	"m.kind OPERATOR(pg_catalog.=) ANY ('{text,button,list,comment,mention}'::pg_catalog.text[]), v.surface, c.presence OPERATOR(pg_catalog.<>) 'off' "
	"FROM who CROSS JOIN LATERAL (SELECT y.message_id FROM laras.draft_wanted y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) who.workspace_id "
	"AND y.contact_id OPERATOR(pg_catalog.=) who.contact_id LIMIT $3) w "
	"CROSS JOIN LATERAL " ONE(
		"y.id, y.conversation_id, y.contact_id, y.connection_id, y.channel, y.body, y.kind, y.created_at",
		"message",
		"w.message_id") " m "
						"CROSS JOIN LATERAL " ONE(
							"y.last_inbound_at, y.surface", "conversation",
							"m.conversation_id") " v "
												 "CROSS JOIN LATERAL " ONE(
													 "CASE WHEN laras.processes(y.workspace_id, y.channel, 'service') THEN y.state ELSE 'kept' END AS state, y.auto_send, y.presence",
													 "connection",
													 "m.connection_id") " c "
																		"CROSS JOIN LATERAL " ONE(
																			"y.slot, y.state, y.opt_out_at",
																			"contact",
																			"m.contact_id") " p "
																							"ORDER BY who.workspace_id, m.conversation_id, m.created_at, m.id LIMIT $3",
	INT8ARRAYOID, INT8ARRAYOID, INT4OID);

/* of messages that are gone */
LARAS_PLAN(
	drop_orphans,
	"DELETE FROM laras.draft_wanted w USING unnest($1, $2) AS u (w, m) "
	"WHERE w.workspace_id OPERATOR(pg_catalog.=) u.w AND w.message_id OPERATOR(pg_catalog.=) u.m "
	"AND NOT EXISTS (SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND m.id OPERATOR(pg_catalog.=) u.m)",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	drop_wanted,
	"DELETE FROM laras.draft_wanted w USING unnest($1, $2) AS u (w, m) "
	"WHERE w.workspace_id OPERATOR(pg_catalog.=) u.w AND w.message_id OPERATOR(pg_catalog.=) u.m",
	INT8ARRAYOID, INT8ARRAYOID);

/*
 * Of the messages that get a draft, those that still may have it and that nobody
 * else is at work on: $3 says of each whether it is to go by itself. Each row is
 * locked by its whole key, in the order in which everybody locks them.
 */
LARAS_PLAN(
	lock_open,
	"SELECT u.w, u.m FROM unnest($1, $2, $3) AS u (w, m, s) "
	"CROSS JOIN LATERAL (SELECT y.conversation_id, y.connection_id, y.contact_id FROM laras.message y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) u.w AND y.id OPERATOR(pg_catalog.=) u.m LIMIT 1) m "
	"CROSS JOIN LATERAL (SELECT 1 FROM laras.connection x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND x.id OPERATOR(pg_catalog.=) m.connection_id AND x.state OPERATOR(pg_catalog.=) 'connected' "
	"AND (x.auto_send OR NOT u.s) FOR SHARE OF x SKIP LOCKED) c "
	"CROSS JOIN LATERAL (SELECT x.opt_out_at FROM laras.contact x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND x.id OPERATOR(pg_catalog.=) m.contact_id AND x.state OPERATOR(pg_catalog.=) 'active' "
	"FOR KEY SHARE OF x SKIP LOCKED) p "
	"CROSS JOIN LATERAL (SELECT 1 FROM laras.conversation x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND x.id OPERATOR(pg_catalog.=) m.conversation_id "
	"AND (p.opt_out_at IS NULL OR x.last_inbound_at OPERATOR(pg_catalog.>) p.opt_out_at) "
	"FOR NO KEY UPDATE OF x SKIP LOCKED) v "
	"CROSS JOIN LATERAL (SELECT 1 FROM laras.draft_wanted x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND x.message_id OPERATOR(pg_catalog.=) u.m FOR UPDATE OF x SKIP LOCKED) w",
	INT8ARRAYOID, INT8ARRAYOID, BOOLARRAYOID);

/* the last message of which a person has answered already; asked when they are locked */
LARAS_PLAN(
	find_answered,
	"SELECT q.workspace_id, q.id FROM unnest($1, $2) AS u (w, i) "
	"JOIN laras.message q ON q.workspace_id OPERATOR(pg_catalog.=) u.w AND q.id OPERATOR(pg_catalog.=) u.i "
	"WHERE EXISTS (SELECT 1 FROM laras.message o WHERE o.workspace_id OPERATOR(pg_catalog.=) q.workspace_id "
	"AND o.conversation_id OPERATOR(pg_catalog.=) q.conversation_id AND o.direction OPERATOR(pg_catalog.=) 'out' "
	"AND o.author_kind OPERATOR(pg_catalog.<>) 'draft' AND NOT o.historical "
	"AND (o.created_at, o.id) OPERATOR(pg_catalog.>) (q.created_at, q.id))",
	INT8ARRAYOID, INT8ARRAYOID);

static void
give_reason(LarasDrafting *d, const char *reason)
{
	appendStringInfo(&d->reasons, "%s%s", d->reasons.len > 0 ? "," : "", reason);
}

/*
 * After a turn that raised, as many messages as it had are taken alone, each
 * passed over if it raises again: what nobody foresaw in one message does not
 * keep all others waiting.
 */
static bool unfinished = false;
static int alone = 0;

/* messages of a turn: of which workspace and conversation */
typedef enum WantedColumn
{
	WANTED_WORKSPACE,
	WANTED_MESSAGE,
	WANTED_CONVERSATION,
	WANTED_COLUMNS
} WantedColumn;

/* Runs a statement on the workspaces and messages of n of these. */
static uint64
run_on(LarasPlan *plan, const LarasColumn *wanted, int n)
{
	return laras_spi_run(plan,
						 (Datum[]){laras_column_array(&wanted[WANTED_WORKSPACE], n, INT8OID),
								   laras_column_array(&wanted[WANTED_MESSAGE], n, INT8OID)},
						 NULL);
}

/* Adds words to what a conversation is answered by; the latest count where it gets long. */
static void
add_words(LarasDrafting *d, const char *text, size_t n)
{
	if (d->question.len + n >= QUESTION_BYTES)
		resetStringInfo(&d->question);
	if (d->question.len > 0)
		appendStringInfoChar(&d->question, '\n');
	appendBinaryStringInfo(&d->question, text, (int) n);
}

/* A draft in a thread of comments is a public answer. */
static const char *
purpose_of(const char *surface)
{
	return strcmp(surface, "comment") == 0 ? LARAS_WINDOW_PUBLIC_REPLY : LARAS_WINDOW_REPLY;
}

/*
 * The messages of the batch as conversations to be answered; each conversation
 * once, by its newest message. *wanted holds what is done with afterwards.
 */
static int
read_batch(const LarasColumn *head, int head_count, LarasDrafting *list, LarasColumn *wanted,
		   int *wanted_count)
{
	uint64 found;
	int n = 0;

	laras_window_refresh();
	found =
		laras_spi_run(&read_wanted,
					  (Datum[]){laras_column_array(&head[WANTED_WORKSPACE], head_count, INT8OID),
								laras_column_array(&head[WANTED_MESSAGE], head_count, INT8OID),
								Int32GetDatum(MESSAGES)},
					  NULL);

	for (uint64 row = 0; row < found; row++)
	{
		TimestampTz opt_out = laras_spi_time(row, 13);
		TimestampTz last_inbound = laras_spi_time(row, 9);
		bytea *body = laras_spi_bytes(row, 8);
		char *text = NULL;
		size_t length = 0;
		LarasOpen opened = LARAS_OPENED;
		int64 workspace_id = laras_spi_int8(row, 1);
		int64 id = laras_spi_int8(row, 2);
		int64 conversation_id = laras_spi_int8(row, 3);
		uint32 slot = (uint32) laras_spi_int8(row, 6);
		char *channel = laras_spi_cstring(row, 7);
		const LarasChannelDriver *driver = laras_channel_driver(channel);
		LarasDrafting *d = n > 0 ? &list[n - 1] : NULL;

		wanted[WANTED_WORKSPACE].values[*wanted_count] = Int64GetDatum(workspace_id);
		wanted[WANTED_CONVERSATION].values[*wanted_count] = Int64GetDatum(conversation_id);
		wanted[WANTED_MESSAGE].values[(*wanted_count)++] = Int64GetDatum(id);
		if ((opt_out != 0 && last_inbound <= opt_out) || laras_spi_bool(row, 14) ||
			driver == NULL || driver->send == NULL ||
			strcmp(laras_spi_cstring(row, 10), "connected") != 0 ||
			strcmp(laras_spi_cstring(row, 12), "active") != 0 ||
			laras_window(channel, purpose_of(laras_spi_cstring(row, 16)), last_inbound, 0,
						 laras_now())
					.state != LARAS_WINDOW_OPEN ||
			laras_slot_is_destroyed(slot))
			continue;
		if (body != NULL)
			opened =
				laras_try_open(body, workspace_id, id, LARAS_FIELD_message_body, &text, &length);
		if (opened == LARAS_OPEN_DESTROYED)
			continue;
		if (d == NULL || d->workspace_id != workspace_id || d->conversation_id != conversation_id)
		{
			d = &list[n++];
			memset(d, 0, sizeof(*d));
			initStringInfo(&d->question);
			initStringInfo(&d->reasons);
			d->workspace_id = workspace_id;
			d->conversation_id = conversation_id;
			d->contact_id = laras_spi_int8(row, 4);
			d->connection_id = laras_spi_int8(row, 5);
			d->slot = slot;
			d->channel = channel;
			d->auto_send = laras_spi_bool(row, 11);
			d->shows = laras_spi_bool(row, 17);
			d->workspace_slot = laras_workspace_slot(workspace_id);
		}
		if (opened == LARAS_OPEN_DAMAGED)
			d->damaged = true;
		else if (body != NULL)
			add_words(d, text, length);
		d->not_text |= !laras_spi_bool(row, 15);
		d->inbound_id = id;
	}
	laras_read_earlier(list, n);
	return n;
}

/* Compose and judge, seeing this workspace only. */
static void
compose_one(void *arg)
{
	LarasDrafting *d = arg;
	LarasDrafterRole role;

	laras_worker_bind(&d->workspace_id, 1);
	LARAS_FAULT("answer_compose");
	laras_drafter_begin(&role, d->workspace_id, d->conversation_id);
	laras_compose(d->workspace_id, d->question.data, d->question.len, &d->composed);
	/* a model is asked about both questions, too */
	if (laras_compose_after(d->workspace_id,
							&(LarasAskedBefore){.text = d->before.data,
												.n = d->before.len,
												.cited = d->cited,
												.n_cited = d->n_cited},
							d->question.data, d->question.len, &d->composed))
	{
		appendStringInfo(&d->before, "\n%s", d->question.data);
		d->question = d->before;
	}
	laras_drafter_end(&role);
	laras_llm_draft(d);
	if (d->waits)
		return;
	d->is_composed = true;
	if (d->composed.text == NULL || d->composed.text[0] == '\0')
		return;
	LARAS_FAULT("answer_judge");
	laras_judge_draft(d->workspace_id, d->contact_id, d->channel, &d->composed,
					  strcmp(d->drafter, LARAS_DRAFTER_NAME) != 0, &d->judgement);
	d->judged = true;
}

/* The drafter raised: no text. The classifier raised: nothing that it passed. */
static void
hold_after_error(LarasDrafting *d)
{
	if (d->is_composed)
	{
		d->judgement.outcome = LARAS_VERDICT_HOLD;
		d->judgement.reasons[0] = LARAS_HOLD_CLASSIFIER_UNAVAILABLE;
		d->judgement.n_reasons = 1;
		d->judged = true;
		return;
	}
	memset(&d->composed, 0, sizeof(d->composed));
	d->composed.intent = "unclear";
	give_reason(d, LARAS_HOLD_DRAFTER_FAILED);
}

/*
 * A drafter or classifier that raises costs its own draft only: it is held, and
 * a person answers. What asks the worker to stop goes on up.
 */
static void
compose_contained(LarasDrafting *d)
{
	ErrorData *error = laras_contain(compose_one, d, laras_no_wish_to_stop);

	if (error != NULL)
	{
		ereport(LOG, (errcode(error->sqlerrcode),
					  d->is_composed ? errmsg("a draft could not be judged")
									 : errmsg("a message could not be drafted"),
					  errdetail("The draft is held for a person; SQLSTATE %s.",
								unpack_sql_state(error->sqlerrcode))));
		FreeErrorData(error);
		hold_after_error(d);
	}
	laras_worker_bind_all();
}

/* May it go out by itself, and if not, why? */
static void
decide(LarasDrafting *d)
{
	const char *rule = NULL;

	if (!d->is_composed)
	{
		d->state = "held";
		return;
	}
	if (d->not_text)
		give_reason(d, LARAS_HOLD_NOT_TEXT);
	if (d->damaged)
		give_reason(d, LARAS_HOLD_DAMAGED);
	if (!d->judged)
	{
		/* "ok" needs no answer, but what was asked before it does: that draft is superseded now */
		if (d->unanswered)
			give_reason(d, LARAS_HOLD_EARLIER_UNANSWERED);
		d->state = d->not_text || d->damaged || d->unanswered ? "held" : "withheld";
		give_reason(d, LARAS_HOLD_NO_GROUND);
		return;
	}
	if (d->composed.hand_over)
		give_reason(d, d->composed.namesakes ? LARAS_HOLD_NAMESAKES : LARAS_HOLD_HAND_OVER);
	if (d->llm_reason != NULL)
		give_reason(d, d->llm_reason);
	for (int i = 0; i < d->judgement.n_reasons; i++)
		give_reason(d, d->judgement.reasons[i]);
	/* where nothing goes by itself it would tell nobody anything */
	if (!d->auto_send)
		give_reason(d, LARAS_HOLD_AUTO_SEND_OFF);
	else if (d->unanswered)
		give_reason(d, LARAS_HOLD_EARLIER_UNANSWERED);
	rule = laras_review_reason(d->workspace_id, d->channel, &d->composed);
	if (rule != NULL)
		give_reason(d, rule);
	d->state = d->reasons.len > 0 ? "held" : "approved";
}

/* Is the pair among the n rows of the last result? */
static bool
is_among(uint64 n, int64 workspace_id, int64 id)
{
	for (uint64 row = 0; row < n; row++)
		if (laras_spi_int8(row, 1) == workspace_id && laras_spi_int8(row, 2) == id)
			return true;
	return false;
}

/* Takes a conversation's messages out of what is done with. Returns how many are left. */
static int
leave_waiting(LarasColumn *wanted, int count, const LarasDrafting *d)
{
	int kept = 0;

	for (int i = 0; i < count; i++)
	{
		if (DatumGetInt64(wanted[WANTED_WORKSPACE].values[i]) == d->workspace_id &&
			DatumGetInt64(wanted[WANTED_CONVERSATION].values[i]) == d->conversation_id)
			continue;
		for (int k = 0; k < WANTED_COLUMNS; k++)
			wanted[k].values[kept] = wanted[k].values[i];
		kept++;
	}
	return kept;
}

/*
 * Locks what the drafts of the list depend on, and looks once more: while they
 * were made nothing was locked. Where somebody else's transaction is at work, or
 * the answer to a question asked before is another one by now, the messages
 * wait for a later turn; those that a person has answered meanwhile are done
 * with. Returns how many stay in the list.
 */
static int
lock_open_ones(LarasDrafting *list, int n, LarasColumn *wanted, int *wanted_count)
{
	LarasColumn c[3];
	uint64 found;
	int kept = 0;
	int open = 0;

	if (n == 0)
		return 0;
	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(list[i].workspace_id);
		c[1].values[i] = Int64GetDatum(list[i].inbound_id);
		c[2].values[i] = BoolGetDatum(strcmp(list[i].state, "approved") == 0);
	}
	found = laras_spi_run(&lock_open,
						  (Datum[]){laras_column_array(&c[0], n, INT8OID),
									laras_column_array(&c[1], n, INT8OID),
									laras_column_array(&c[2], n, BOOLOID)},
						  NULL);
	for (int i = 0; i < n; i++)
	{
		if (is_among(found, list[i].workspace_id, list[i].inbound_id))
			list[kept++] = list[i];
		else
			*wanted_count = leave_waiting(wanted, *wanted_count, &list[i]);
	}
	if (kept == 0)
		return 0;
	for (int i = 0; i < kept; i++)
	{
		c[0].values[i] = Int64GetDatum(list[i].workspace_id);
		c[1].values[i] = Int64GetDatum(list[i].inbound_id);
	}
	found = laras_spi_run(&find_answered,
						  (Datum[]){laras_column_array(&c[0], kept, INT8OID),
									laras_column_array(&c[1], kept, INT8OID)},
						  NULL);
	for (int i = 0; i < kept; i++)
		if (!is_among(found, list[i].workspace_id, list[i].inbound_id))
			list[open++] = list[i];
	return open;
}

LarasTurn
laras_answer_duty(void)
{
	LarasDrafting *list = palloc(sizeof(LarasDrafting) * MESSAGES);
	LarasColumn head[WANTED_COLUMNS];
	LarasColumn wanted[WANTED_COLUMNS];
	int limit;
	int waiting;
	int wanted_count = 0;
	int drafted = 0;
	bool cut_short = false;
	TimestampTz began = GetCurrentTimestamp();
	int done;
	int n;

	if (!laras_vault_is_open())
		return LARAS_TURN_IDLE;
	if (unfinished)
		alone = BATCH;
	unfinished = true;
	limit = alone > 0 ? 1 : BATCH;
	laras_spi_plan_by_keys(false);
	laras_judge_batch();
	laras_columns_init(head, WANTED_COLUMNS, BATCH);
	laras_columns_init(wanted, WANTED_COLUMNS, MESSAGES);
	laras_worker_bind_all();
	laras_spi_open();
	waiting = laras_wanted_next(&head[WANTED_WORKSPACE], &head[WANTED_MESSAGE], limit);
	if (waiting == 0)
	{
		bool over = laras_wanted_is_all();

		laras_spi_close();
		if (over)
			laras_wanted_again();
		unfinished = false;
		return over ? LARAS_TURN_IDLE : LARAS_TURN_MORE;
	}
	if (alone > 0)
	{
		alone--;
		laras_wanted_pass();
	}
	n = read_batch(head, waiting, list, wanted, &wanted_count);
	done = wanted_count < waiting ? (int) run_on(&drop_orphans, head, waiting) : 0;
	for (int i = 0; i < n; i++)
	{
		LarasDrafting *d = &list[i];

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && TimestampDifferenceExceeds(began, GetCurrentTimestamp(), TURN_MS))
		{
			for (int k = i; k < n; k++)
				wanted_count = leave_waiting(wanted, wanted_count, &list[k]);
			cut_short = true;
			break;
		}
		d->draft_id = laras_new_id();
		d->message_id = laras_new_id();
		d->verdict_id = laras_new_id();
		d->drafter = LARAS_DRAFTER_NAME;
		compose_contained(d);
		if (d->waits)
			wanted_count = leave_waiting(wanted, wanted_count, d);
		else
		{
			decide(d);
			list[drafted++] = *d;
		}
	}
	n = lock_open_ones(list, drafted, wanted, &wanted_count);
	laras_drafting_store(list, n);
	if (wanted_count > 0)
		done += (int) run_on(&drop_wanted, wanted, wanted_count);
	laras_spi_close();
	/* what was passed over is asked for again when the end has been reached */
	unfinished = false;
	if (cut_short)
		return LARAS_TURN_MORE;
	if (laras_wanted_is_all())
	{
		laras_wanted_again();
		return LARAS_TURN_IDLE;
	}
	if (done < waiting)
		laras_wanted_pass();
	return LARAS_TURN_MORE;
}

LarasTurn
laras_stale_duty(void)
{
	uint64 closed;

	laras_worker_bind_all();
	laras_spi_open();
	closed = laras_drafts_close_stale(BATCH);
	laras_spi_close();
	return closed == BATCH ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
