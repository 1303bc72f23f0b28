/*
 * keyring.c
 *		What a person states about copies of keys: acts on the keyring that are
 *		evidence.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "evidence/evidence.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_remove_mirror);

static void
write_act(LarasAction action, LarasEvidenceField *fields, int n)
{
	LarasEvidence act = {.action = action,
						 .subject_kind = LARAS_SUBJECT_KEYRING,
						 .nfields = n,
						 .fields = fields};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

/* laras.remove_mirror(name text, statement text) returns boolean */
Datum
laras_remove_mirror(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 pending;

	PreventCommandIfReadOnly("laras.remove_mirror()");
	PreventCommandDuringRecovery("laras.remove_mirror()");
	laras_require_preload();
	if (!laras_vault_remove_mirror(text_to_cstring(PG_GETARG_TEXT_PP(0)),
								   text_to_cstring(PG_GETARG_TEXT_PP(1)), &pending))
		PG_RETURN_BOOL(false);
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, pending)};

		write_act(LARAS_ACT_MIRROR_REMOVED, fields, lengthof(fields));
	}
	PG_RETURN_BOOL(true);
}
