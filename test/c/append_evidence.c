/*
 * append_evidence.c
 *		SQL functions for the tests of evidence: what the rooms do in C, from
 *		SQL. Built and loaded by the tests alone, after the library itself.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(test_bind);
PG_FUNCTION_INFO_V1(test_append);
PG_FUNCTION_INFO_V1(test_append_many);
PG_FUNCTION_INFO_V1(test_append_code);

/* test_bind(workspace bigint): binds as the service */
Datum
test_bind(PG_FUNCTION_ARGS)
{
	LarasPrincipal service = {.kind = LARAS_PRINCIPAL_SERVICE, .scopes = LARAS_SCOPE_ALL};

	laras_bind(PG_GETARG_INT64(0), &service);
	PG_RETURN_VOID();
}

/*
 * test_append(workspace bigint, action int, subject bigint, slot bigint, body text)
 * One entry; slot 0: without the committed field.
 */
Datum
test_append(PG_FUNCTION_ARGS)
{
	text *body = PG_GETARG_TEXT_PP(4);
	uint32 slot = (uint32) PG_GETARG_INT64(3);
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_STATUS, "delivered"),
		LARAS_EV_NUMBER(LARAS_EVF_CONTACT_ID, PG_GETARG_INT64(2)),
		LARAS_EV_COMMIT(LARAS_EVF_BODY, slot, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)),
	};
	LarasEvidence e = {
		.workspace_id = PG_GETARG_INT64(0),
		.action = PG_GETARG_INT32(1),
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = PG_GETARG_INT64(2),
		.nfields = slot == 0 ? 2 : 3,
		.fields = fields,
	};

	laras_evidence_actor(&e);
	PG_RETURN_INT64(laras_evidence_append(&e));
}

/*
 * test_append_many(workspace bigint, workspaces int, n int, slot bigint)
 * n entries in turn over workspaces workspace, workspace + 1, ...; the number
 * of each stands in its "count".
 */
Datum
test_append_many(PG_FUNCTION_ARGS)
{
	int64 first = PG_GETARG_INT64(0);
	int workspaces = PG_GETARG_INT32(1);
	int n = PG_GETARG_INT32(2);
	uint32 slot = (uint32) PG_GETARG_INT64(3);
	LarasEvidence *e = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc0(sizeof(LarasEvidenceField) * 3 * n);
	int64 *set = palloc(sizeof(int64) * workspaces);
	int i;

	for (i = 0; i < workspaces; i++)
		set[i] = first + i;
	laras_worker_bind(set, workspaces);
	for (i = 0; i < n; i++)
	{
		LarasEvidenceField *f = fields + 3 * i;

		f[0] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, "whatsapp");
		f[1] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_COUNT, i);
		f[2] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_BODY, slot, "halo, apa kabar?", 16);
		e[i] = (LarasEvidence){
			.workspace_id = first + i % workspaces,
			.action = LARAS_ACT_MESSAGE_RECEIVED,
			.actor_kind = LARAS_ACTOR_CUSTOMER,
			.actor_id = 4711,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = i + 1,
			.nfields = slot == 0 ? 2 : 3,
			.fields = f,
		};
	}
	laras_evidence_append_many(e, n);
	PG_RETURN_VOID();
}

/* test_append_code(workspace bigint, field int, value text): any value in any field */
Datum
test_append_code(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(2);
	LarasEvidenceField field = {
		.no = PG_GETARG_INT32(1),
		.value = VARDATA_ANY(value),
		.len = VARSIZE_ANY_EXHDR(value),
	};
	LarasEvidence e = {
		.workspace_id = PG_GETARG_INT64(0),
		.action = LARAS_ACT_DRAFT_APPROVED,
		.subject_kind = LARAS_SUBJECT_DRAFT,
		.nfields = 1,
		.fields = &field,
	};

	laras_evidence_actor(&e);
	PG_RETURN_INT64(laras_evidence_append(&e));
}
