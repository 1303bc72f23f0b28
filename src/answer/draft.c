/*
 * draft.c
 *		The end of drafts that wait: a newer message, a reply, a changed row.
 *
 * Whoever decides on a draft holds its conversation first, and so does whoever
 * closes the drafts of a conversation: they are put in line there. The workers'
 * statements pass over a draft that is held all the same; approve_draft refuses
 * it, because of what overtook it.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "answer/holdreason.h"
#include "answer/wanted.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define WAITS "state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[])"

/* the drafts that f names get this end */
#define CLOSE(end, by)                                                                  \
	"UPDATE laras.draft d SET state = " end ", decided_at = laras.now(), decided_by = " \
	"" by " FROM f WHERE d.workspace_id OPERATOR(pg_catalog.=) f.workspace_id "         \
	"AND d.id OPERATOR(pg_catalog.=) f.id RETURNING d.workspace_id, d.id"

LARAS_PLAN(
	close_answered,
	"WITH f AS (SELECT o.workspace_id, o.id FROM laras.draft o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND o." WAITS " ORDER BY o.id FOR UPDATE) " CLOSE("'superseded'", "$3"),
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	close_overtaken,
	"WITH f AS (SELECT o.workspace_id, o.id FROM unnest($1, $2) AS u (w, c) JOIN laras.draft o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.conversation_id OPERATOR(pg_catalog.=) u.c "
	"WHERE o." WAITS " FOR UPDATE OF o SKIP LOCKED) " CLOSE("'superseded'", "'worker'"),
	INT8ARRAYOID, INT8ARRAYOID);

/* for the message, or for what it was edited to */
LARAS_PLAN(
	close_withdrawn,
	"WITH f AS (SELECT o.workspace_id, o.id FROM laras.draft o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND (o.inbound_message_id OPERATOR(pg_catalog.=) $3 OR EXISTS (SELECT 1 FROM laras.message t JOIN laras.message e "
	"ON e.workspace_id OPERATOR(pg_catalog.=) $1 AND e.about_index OPERATOR(pg_catalog.=) t.provider_message_index "
	"AND e.kind OPERATOR(pg_catalog.=) 'edit' WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $3 "
	"AND e.id OPERATOR(pg_catalog.=) o.inbound_message_id)) AND o." WAITS
	" FOR UPDATE SKIP LOCKED) " CLOSE("'superseded'", "'worker'"),
	INT8OID, INT8OID, INT8OID);

/* for which the message may have been read, too */
LARAS_PLAN(
	hold_withdrawn,
	"UPDATE laras.draft d SET state = 'held', hold_reasons = pg_catalog.array_append(d.hold_reasons, '" LARAS_HOLD_MESSAGE_UNSENT
	"') "
	"FROM laras.message x WHERE x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.id OPERATOR(pg_catalog.=) $3 "
	"AND d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.conversation_id OPERATOR(pg_catalog.=) $2 AND d." WAITS
	" "
	"AND d.purpose OPERATOR(pg_catalog.=) 'service' AND d.created_at OPERATOR(pg_catalog.>=) x.created_at "
	"AND NOT ('" LARAS_HOLD_MESSAGE_UNSENT
	"' OPERATOR(pg_catalog.=) ANY (d.hold_reasons)) RETURNING d.workspace_id, d.id",
	INT8OID, INT8OID, INT8OID);

/*
 * The newest message that is left, where it has no answer and no draft that waits:
 * the draft for it that the withdrawn one overtook, 0 for none. One that was never
 * let be read for a draft has no sentiment.
 */
LARAS_PLAN(
	find_left,
	"SELECT m.id, m.contact_id, coalesce(d.id, 0) FROM (SELECT q.id, q.contact_id, q.created_at, q.sentiment IS NOT NULL AS read "
	"FROM laras.message q WHERE q.workspace_id OPERATOR(pg_catalog.=) $1 AND q.conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND q.direction OPERATOR(pg_catalog.=) 'in' AND NOT q.historical AND q.unsent_at IS NULL AND q.hidden_at IS NULL "
	"AND q.kind OPERATOR(pg_catalog.<>) ALL ('{" LARAS_KINDS_UNASKED ",edit}'::pg_catalog.text[]) "
	"ORDER BY q.created_at DESC, q.id DESC LIMIT 1) m "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) $1 AND p.id OPERATOR(pg_catalog.=) m.contact_id "
	"AND p.opt_out_at IS NULL AND p.state OPERATOR(pg_catalog.=) 'active' "
	"LEFT JOIN laras.draft d ON d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.inbound_message_id OPERATOR(pg_catalog.=) m.id "
	"AND d.purpose OPERATOR(pg_catalog.=) 'service' AND d.template_id IS NULL "
	"WHERE CASE WHEN d.id IS NULL THEN m.read ELSE d.state OPERATOR(pg_catalog.=) 'superseded' "
	"AND d.decided_by OPERATOR(pg_catalog.=) 'worker' END "
	"AND NOT EXISTS (SELECT 1 FROM laras.message o WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND o.conversation_id OPERATOR(pg_catalog.=) $2 AND o.direction OPERATOR(pg_catalog.=) 'out' AND NOT o.historical "
	"AND (o.created_at, o.id) OPERATOR(pg_catalog.>) (m.created_at, m.id)) "
	"AND NOT EXISTS (SELECT 1 FROM laras.draft z WHERE z.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND z.conversation_id OPERATOR(pg_catalog.=) $2 AND z." WAITS
	" AND z.purpose OPERATOR(pg_catalog.=) 'service')",
	INT8OID, INT8OID);

LARAS_PLAN(
	reopen,
	"UPDATE laras.draft d SET state = 'held', decided_at = NULL, decided_by = NULL, "
	"hold_reasons = pg_catalog.array_append(pg_catalog.array_remove(d.hold_reasons, '" LARAS_HOLD_MESSAGE_UNSENT
	"'), '" LARAS_HOLD_MESSAGE_UNSENT "') "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $2 RETURNING d.workspace_id, d.id",
	INT8OID, INT8OID);

LARAS_PLAN(refuse_approved,
		   "UPDATE laras.draft d SET state = 'rejected', decided_at = laras.now(), decided_by = $3 "
		   "FROM unnest($1, $2) AS u (w, i) "
		   "WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.id OPERATOR(pg_catalog.=) u.i "
		   "AND d.state OPERATOR(pg_catalog.=) 'approved' RETURNING d.workspace_id, d.id",
		   INT8ARRAYOID, INT8ARRAYOID, TEXTOID);

/* whoever opts out and writes again afterwards waits for an answer to that */
LARAS_PLAN(
	close_unwanted,
	"WITH f AS (SELECT o.workspace_id, o.id FROM laras.draft o JOIN laras.conversation v "
	"ON v.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND v.id OPERATOR(pg_catalog.=) o.conversation_id "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.contact_id OPERATOR(pg_catalog.=) $2 "
	"AND coalesce(v.last_inbound_at OPERATOR(pg_catalog.<=) $3, true) "
	"AND o." WAITS " FOR UPDATE OF o SKIP LOCKED) " CLOSE("'superseded'", "$4"),
	INT8OID, INT8OID, TIMESTAMPTZOID, TEXTOID);

/* its message keeps the id it ended under */
LARAS_PLAN(
	hold_again,
	"UPDATE laras.draft d SET state = CASE WHEN n.newer THEN 'superseded' ELSE 'held' END, "
	"hold_reasons = pg_catalog.array_append(pg_catalog.array_remove(d.hold_reasons, '" LARAS_HOLD_NEEDS_TEMPLATE
	"'), '" LARAS_HOLD_NEEDS_TEMPLATE "'), "
	"message_id = u.m, text_digest = NULL, verdict_id = NULL, "
	"decided_at = CASE WHEN n.newer THEN laras.now() END, decided_by = CASE WHEN n.newer THEN 'worker' END "
	"FROM unnest($1, $2, $3) AS u (w, i, m) CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM laras.draft x "
	"JOIN laras.message q ON q.workspace_id OPERATOR(pg_catalog.=) x.workspace_id AND q.id OPERATOR(pg_catalog.=) x.inbound_message_id "
	"JOIN laras.message y ON y.workspace_id OPERATOR(pg_catalog.=) x.workspace_id "
	"AND y.conversation_id OPERATOR(pg_catalog.=) x.conversation_id AND y.direction OPERATOR(pg_catalog.=) 'in' AND NOT y.historical "
	"AND y.unsent_at IS NULL AND y.hidden_at IS NULL "
	"AND y.kind OPERATOR(pg_catalog.<>) ALL ('{" LARAS_KINDS_UNASKED "}'::pg_catalog.text[]) "
	"AND (y.created_at, y.id) OPERATOR(pg_catalog.>) (q.created_at, q.id) "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w AND x.id OPERATOR(pg_catalog.=) u.i) AS newer) n "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w AND d.id OPERATOR(pg_catalog.=) u.i "
	"AND d.state OPERATOR(pg_catalog.=) 'approved' RETURNING d.workspace_id, d.id, n.newer",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	close_stale,
	"WITH f AS (SELECT o.workspace_id, o.id FROM laras.draft o WHERE o." WAITS " "
	"AND EXISTS (SELECT 1 FROM laras.draft_source s " LARAS_CITED_ROWS
	"WHERE s.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND s.draft_id OPERATOR(pg_catalog.=) o.id "
	"AND " LARAS_NO_LONGER_HOLDS ") "
	"LIMIT $1 FOR UPDATE OF o SKIP LOCKED) " CLOSE("'stale'", "'worker'"),
	INT4OID);

/* who decides on one holds its conversation, and so does this */
LARAS_PLAN(
	close_missed,
	"WITH f AS (SELECT o.workspace_id, o.id FROM unnest($1, $2, $3) AS u (w, i, t) JOIN laras.draft o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"AND v.id OPERATOR(pg_catalog.=) o.conversation_id AND v.last_inbound_at OPERATOR(pg_catalog.=) u.t "
	"WHERE o." WAITS " FOR NO KEY UPDATE OF v SKIP LOCKED FOR UPDATE OF o SKIP LOCKED) "
	"UPDATE laras.draft d SET state = 'stale', hold_reasons = pg_catalog.array_append(d.hold_reasons, '" LARAS_HOLD_WINDOW_CLOSED
	"'), "
	"decided_at = laras.now(), decided_by = 'worker' FROM f WHERE d.workspace_id OPERATOR(pg_catalog.=) f.workspace_id "
	"AND d.id OPERATOR(pg_catalog.=) f.id RETURNING d.workspace_id, d.id",
	INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID);

LARAS_PLAN(add_decisions,
		   "INSERT INTO laras.draft_decision (workspace_id, id, draft_id, act, actor) "
		   "SELECT u.w, u.i, u.d, $4, $5 FROM unnest($1, $2, $3) AS u (w, i, d)",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTOID, TEXTOID);

void
laras_decisions_add(const int64 *workspace_ids, const int64 *draft_ids, int n, const char *act,
					const char *by)
{
	LarasColumn c[3];

	if (n == 0)
		return;
	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(workspace_ids[i]);
		c[1].values[i] = Int64GetDatum(laras_new_id());
		c[2].values[i] = Int64GetDatum(draft_ids[i]);
	}
	laras_spi_run(&add_decisions,
				  (Datum[]){laras_column_array(&c[0], n, INT8OID),
							laras_column_array(&c[1], n, INT8OID),
							laras_column_array(&c[2], n, INT8OID), CStringGetTextDatum(act),
							CStringGetTextDatum(by)},
				  NULL);
}

/* Decisions and evidence for the n drafts that the last statement closed. */
static void
write_down(uint64 n, LarasAction action, const char *end, const char *by)
{
	int64 *workspaces;
	int64 *drafts;
	LarasEvidence *acts;

	if (n == 0)
		return;
	workspaces = palloc(sizeof(int64) * n);
	drafts = palloc(sizeof(int64) * n);
	acts = palloc0(sizeof(LarasEvidence) * n);
	for (uint64 i = 0; i < n; i++)
	{
		workspaces[i] = laras_spi_int8(i, 1);
		drafts[i] = laras_spi_int8(i, 2);
		acts[i].workspace_id = workspaces[i];
		acts[i].action = action;
		acts[i].subject_kind = LARAS_SUBJECT_DRAFT;
		acts[i].subject_id = drafts[i];
		laras_evidence_actor(&acts[i]);
	}
	laras_decisions_add(workspaces, drafts, (int) n, end, by);
	laras_evidence_append_many(acts, (int) n);
}

void
laras_drafts_answered(int64 workspace_id, int64 conversation_id, const char *by)
{
	uint64 n = laras_spi_run(&close_answered,
							 (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id),
									   CStringGetTextDatum(by)},
							 NULL);

	write_down(n, LARAS_ACT_DRAFT_SUPERSEDED, "superseded", by);
}

void
laras_drafts_overtaken(const int64 *workspace_ids, const int64 *conversation_ids, int n)
{
	LarasColumn c[2];
	uint64 closed;

	if (n == 0)
		return;
	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(workspace_ids[i]);
		c[1].values[i] = Int64GetDatum(conversation_ids[i]);
	}
	closed = laras_spi_run(&close_overtaken,
						   (Datum[]){laras_column_array(&c[0], n, INT8OID),
									 laras_column_array(&c[1], n, INT8OID)},
						   NULL);
	write_down(closed, LARAS_ACT_DRAFT_SUPERSEDED, "superseded", "worker");
}

void
laras_drafts_unwanted(int64 workspace_id, int64 contact_id, TimestampTz since)
{
	const LarasPrincipal *who = laras_principal();
	const char *by = who->kind == LARAS_PRINCIPAL_NONE ? "worker" : laras_principal_text(who);
	uint64 n;

	laras_spi_open();
	n = laras_spi_run(&close_unwanted,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id),
								TimestampTzGetDatum(since), CStringGetTextDatum(by)},
					  NULL);
	write_down(n, LARAS_ACT_DRAFT_SUPERSEDED, "superseded", by);
	laras_spi_close();
}

/* One decision and one entry of what became of a draft, and why. */
static void
write_one(int64 workspace_id, int64 draft_id, LarasAction action, const char *act,
		  const char *reason)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_REASON, reason)};
	LarasEvidence entry = {
		.workspace_id = workspace_id,
		.action = action,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_DRAFT,
		.subject_id = draft_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_decisions_add(&workspace_id, &draft_id, 1, act, "worker");
	laras_evidence_append(&entry);
}

void
laras_drafts_held_again(const int64 *workspace_ids, const int64 *draft_ids, int n)
{
	LarasColumn c[3];
	int64 *workspaces;
	int64 *drafts;
	bool *newer;
	uint64 held;

	if (n == 0)
		return;
	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(workspace_ids[i]);
		c[1].values[i] = Int64GetDatum(draft_ids[i]);
		c[2].values[i] = Int64GetDatum(laras_new_id());
	}
	held = laras_spi_run(&hold_again,
						 (Datum[]){laras_column_array(&c[0], n, INT8OID),
								   laras_column_array(&c[1], n, INT8OID),
								   laras_column_array(&c[2], n, INT8OID)},
						 NULL);
	workspaces = palloc(sizeof(int64) * (held + 1));
	drafts = palloc(sizeof(int64) * (held + 1));
	newer = palloc(sizeof(bool) * (held + 1));
	for (uint64 i = 0; i < held; i++)
	{
		workspaces[i] = laras_spi_int8(i, 1);
		drafts[i] = laras_spi_int8(i, 2);
		newer[i] = laras_spi_bool(i, 3);
	}
	for (uint64 i = 0; i < held; i++)
		write_one(workspaces[i], drafts[i],
				  newer[i] ? LARAS_ACT_DRAFT_SUPERSEDED : LARAS_ACT_DRAFT_HELD,
				  newer[i] ? "superseded" : "held", LARAS_HOLD_NEEDS_TEMPLATE);
}

/* The drafts that the last statement let wait for a person. */
static void
write_held(uint64 n)
{
	int64 *drafts = palloc(sizeof(int64) * 2 * (n + 1));

	for (uint64 i = 0; i < n; i++)
	{
		drafts[2 * i] = laras_spi_int8(i, 1);
		drafts[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < n; i++)
		write_one(drafts[2 * i], drafts[2 * i + 1], LARAS_ACT_DRAFT_HELD, "held",
				  LARAS_HOLD_MESSAGE_UNSENT);
}

void
laras_drafts_withdrawn(int64 workspace_id, int64 conversation_id, int64 message_id)
{
	Datum message[3] = {Int64GetDatum(workspace_id), Int64GetDatum(conversation_id),
						Int64GetDatum(message_id)};
	LarasColumn wanted[3];
	int64 draft_id;

	write_down(laras_spi_run(&close_withdrawn, message, NULL), LARAS_ACT_DRAFT_SUPERSEDED,
			   "superseded", "worker");
	write_held(laras_spi_run(&hold_withdrawn, message, NULL));
	if (laras_spi_run(&find_left, message, NULL) == 0)
		return;
	draft_id = laras_spi_int8(0, 3);
	if (draft_id != 0)
	{
		write_held(laras_spi_run(&reopen,
								 (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(draft_id)},
								 NULL));
		return;
	}
	laras_columns_init(wanted, 3, 1);
	wanted[0].values[0] = Int64GetDatum(workspace_id);
	wanted[1].values[0] = Int64GetDatum(laras_spi_int8(0, 1));
	wanted[2].values[0] = Int64GetDatum(laras_spi_int8(0, 2));
	laras_wanted_add(wanted, 1);
}

uint64
laras_drafts_missed(const int64 *workspace_ids, const int64 *draft_ids,
					const TimestampTz *last_inbound, int n)
{
	LarasColumn c[3];
	uint64 closed;

	if (n == 0)
		return 0;
	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(workspace_ids[i]);
		c[1].values[i] = Int64GetDatum(draft_ids[i]);
		c[2].values[i] = TimestampTzGetDatum(last_inbound[i]);
	}
	closed = laras_spi_run(&close_missed,
						   (Datum[]){laras_column_array(&c[0], n, INT8OID),
									 laras_column_array(&c[1], n, INT8OID),
									 laras_column_array(&c[2], n, TIMESTAMPTZOID)},
						   NULL);
	write_down(closed, LARAS_ACT_DRAFT_STALE, "stale", "worker");
	return closed;
}

void
laras_drafts_refused(const int64 *workspace_ids, const int64 *draft_ids, int n, const char *by)
{
	LarasColumn c[2];
	uint64 refused;

	if (n == 0)
		return;
	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(workspace_ids[i]);
		c[1].values[i] = Int64GetDatum(draft_ids[i]);
	}
	refused =
		laras_spi_run(&refuse_approved,
					  (Datum[]){laras_column_array(&c[0], n, INT8OID),
								laras_column_array(&c[1], n, INT8OID), CStringGetTextDatum(by)},
					  NULL);
	write_down(refused, LARAS_ACT_DRAFT_REJECTED, "rejected", by);
}

uint64
laras_drafts_close_stale(int limit)
{
	uint64 n = laras_spi_run(&close_stale, (Datum[]){Int32GetDatum(limit)}, NULL);

	write_down(n, LARAS_ACT_DRAFT_STALE, "stale", "worker");
	return n;
}

void
laras_drafts_superseded(int64 workspace_id, int64 conversation_id)
{
	laras_spi_open();
	laras_drafts_answered(workspace_id, conversation_id, laras_principal_text(laras_principal()));
	laras_spi_close();
}
