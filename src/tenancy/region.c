/*
 * region.c
 *		The region whose habits a workspace follows where somebody writes a phone
 *		number without its country code.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/arguments.h"
#include "base/phone.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/tenancy_private.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_set_region);

LARAS_PLAN(update_region,
		   "UPDATE laras.workspace w SET region = $2 FROM laras.workspace o "
		   "WHERE w.workspace_id = $1 AND o.workspace_id = $1 RETURNING o.region",
		   INT8OID, TEXTOID);

/*
 * laras.set_region(region text) returns void
 */
Datum
laras_set_region(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *region = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *previous;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ADMIN);
	if (!laras_phone_region(region))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not a region"),
						errhint("Regions are two capital letters, such as ID.")));
	laras_spi_open();
	laras_spi_run_one(&update_region,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()),
								CStringGetTextDatum(region)},
					  NULL);
	previous = laras_spi_cstring(0, 1);
	laras_spi_close();
	if (strcmp(previous, region) != 0)
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_CODE(LARAS_EVF_SETTING, "region"),
			LARAS_EV_CODE(LARAS_EVF_STATUS, region),
			LARAS_EV_CODE(LARAS_EVF_PREVIOUS, previous),
		};
		LarasEvidence e = {
			.workspace_id = laras_bound_workspace(),
			.action = LARAS_ACT_WORKSPACE_SETTING_SET,
			.subject_kind = LARAS_SUBJECT_WORKSPACE,
			.subject_id = laras_bound_workspace(),
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_actor(&e);
		laras_evidence_append(&e);
	}
	PG_RETURN_VOID();
}
