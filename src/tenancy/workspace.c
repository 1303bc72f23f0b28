/*
 * workspace.c
 *		Making a workspace.
 *
 * Invariant: a workspace comes into being with its key slot, its owner and the
 * evidence of both, or not at all.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/arguments.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/tenancy_private.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_create_workspace);

LARAS_PLAN(insert_workspace,
		   "INSERT INTO laras.workspace (workspace_id, slot, name, preset) VALUES ($1, $2, $3, $4)",
		   INT8OID, INT8OID, LARAS_SEALED, TEXTOID);

/* how long what is kept and what is allowed: there is one set of rules, and a name for it */
static void
check_preset(const char *preset)
{
	if (strcmp(preset, "laras") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such preset"),
						errhint("The only preset is \"laras\".")));
}

/*
 * laras.create_workspace(name, owner_email, owner_password, preset) returns
 * bigint.  For the service role, in a transaction that is bound to nothing;
 * leaves it so.
 */
Datum
laras_create_workspace(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *email = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *password = text_to_cstring(PG_GETARG_TEXT_PP(2));
	char *preset = text_to_cstring(PG_GETARG_TEXT_PP(3));
	LarasPrincipal service = {LARAS_PRINCIPAL_SERVICE, 0, LARAS_ROLE_NONE, LARAS_SCOPE_ALL};
	int64 id;
	uint32 slot;
	int level;

	if (laras_bound_workspace() != 0)
		ereport(ERROR, (errcode(LARAS_ERRCODE_BOUND_ELSEWHERE),
						errmsg("this transaction is bound to another workspace or principal"),
						errhint("Make a workspace in a transaction that has not entered one.")));
	laras_name_check(name);
	check_preset(preset);

	id = laras_new_id();
	slot = laras_slot_lease();
	level = laras_bind_scope_begin(id, &service);
	laras_key_owner_add(id, slot, "workspace", id);
	laras_spi_open();
	laras_spi_run_one(&insert_workspace,
					  (Datum[]){Int64GetDatum(id), Int64GetDatum(slot),
								PointerGetDatum(laras_seal_cstring(
									slot, slot, LARAS_FIELD_workspace_name, id, id, name)),
								CStringGetTextDatum(preset)},
					  NULL);
	laras_spi_close();
	laras_evidence_act(id, LARAS_ACT_WORKSPACE_CREATED, LARAS_SUBJECT_WORKSPACE, id);
	(void) laras_member_insert(id, slot, email, name, LARAS_ROLE_OWNER, password);
	laras_bind_scope_end(level);
	PG_RETURN_INT64(id);
}
