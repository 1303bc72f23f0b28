/*
 * draft.c
 *		The end of a draft that waits: a newer message, a reply, a changed row.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"

LARAS_PLAN(
	close_of_conversation,
	"UPDATE laras.draft SET state = $3, decided_at = laras.now(), decided_by = $4 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) RETURNING id",
	INT8OID, INT8OID, TEXTOID, TEXTOID);

LARAS_PLAN(
	close_free,
	"UPDATE laras.draft SET state = $3, decided_at = laras.now(), decided_by = $4 "
	"WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT d.ctid FROM laras.draft d "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND d.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) FOR UPDATE SKIP LOCKED)) RETURNING id",
	INT8OID, INT8OID, TEXTOID, TEXTOID);

LARAS_PLAN(
	close_one,
	"UPDATE laras.draft SET state = $3, decided_at = laras.now(), decided_by = $4 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) RETURNING id",
	INT8OID, INT8OID, TEXTOID, TEXTOID);

LARAS_PLAN(add_decision,
		   "INSERT INTO laras.draft_decision (workspace_id, id, draft_id, act, actor) "
		   "VALUES ($1, $2, $3, $4, $5)",
		   INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID);

static void
close_by(LarasPlan *plan, int64 workspace_id, int64 subject, LarasDraftEnd end, const char *by)
{
	const char *state = end == LARAS_DRAFT_STALE ? "stale" : "superseded";
	uint64 n = laras_spi_run(plan,
							 (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(subject),
									   CStringGetTextDatum(state), CStringGetTextDatum(by)},
							 NULL);
	int64 *ids = palloc(sizeof(int64) * (n + 1));

	for (uint64 i = 0; i < n; i++)
		ids[i] = laras_spi_int8(i, 1);
	for (uint64 i = 0; i < n; i++)
	{
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.action = end == LARAS_DRAFT_STALE ? LARAS_ACT_DRAFT_STALE : LARAS_ACT_DRAFT_SUPERSEDED,
			.subject_kind = LARAS_SUBJECT_DRAFT,
			.subject_id = ids[i],
		};

		laras_spi_run_one(&add_decision,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(laras_new_id()),
									Int64GetDatum(ids[i]), CStringGetTextDatum(state),
									CStringGetTextDatum(by)},
						  NULL);
		laras_evidence_actor(&act);
		laras_evidence_append(&act);
	}
}

void
laras_drafts_close(int64 workspace_id, int64 conversation_id, LarasDraftEnd end, const char *by)
{
	close_by(&close_of_conversation, workspace_id, conversation_id, end, by);
}

void
laras_drafts_overtaken(int64 workspace_id, int64 conversation_id)
{
	close_by(&close_free, workspace_id, conversation_id, LARAS_DRAFT_SUPERSEDED, "worker");
}

void
laras_draft_close(int64 workspace_id, int64 draft_id, LarasDraftEnd end, const char *by)
{
	close_by(&close_one, workspace_id, draft_id, end, by);
}

void
laras_drafts_superseded(int64 workspace_id, int64 conversation_id)
{
	laras_spi_open();
	laras_drafts_close(workspace_id, conversation_id, LARAS_DRAFT_SUPERSEDED,
					   laras_principal_text(laras_principal()));
	laras_spi_close();
}
