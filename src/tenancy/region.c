/*
 * region.c
 *		Where a business is: the region whose habits it follows where somebody
 *		writes a phone number without its country code, and the time zone by
 *		whose clock it opens.
 */
#include "postgres.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"

#include "base/arguments.h"
#include "base/phone.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/tenancy_private.h"
#include "worker/worker.h"

/* as the column takes it */
#define ZONE_BYTES 64

PG_FUNCTION_INFO_V1(laras_set_region);
PG_FUNCTION_INFO_V1(laras_set_time_zone);

LARAS_PLAN(update_region,
		   "UPDATE laras.workspace w SET region = $2 FROM laras.workspace o "
		   "WHERE w.workspace_id = $1 AND o.workspace_id = $1 RETURNING o.region",
		   INT8OID, TEXTOID);

LARAS_PLAN(update_time_zone,
		   "UPDATE laras.workspace w SET time_zone = $2 FROM laras.workspace o "
		   "WHERE w.workspace_id = $1 AND o.workspace_id = $1 RETURNING o.time_zone",
		   INT8OID, TEXTOID);

/* what drafts say by a clock that is no longer the business's */
LARAS_PLAN(end_quotes,
		   "UPDATE laras.draft_source s SET valid_until = laras.now() WHERE s.workspace_id = $1 "
		   "AND s.source_table = 'opening_hours' AND s.valid_until > laras.now()",
		   INT8OID);

/* Sets it, and leaves the act in the evidence where it was another. Returns whether it was. */
static bool
set_habit(LarasPlan *update, const char *name, const char *value)
{
	char *previous;

	laras_spi_open();
	laras_spi_run_one(update,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), CStringGetTextDatum(value)},
					  NULL);
	previous = laras_spi_cstring(0, 1);
	laras_spi_close();
	if (strcmp(previous, value) == 0)
		return false;
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_CODE(LARAS_EVF_SETTING, name),
			LARAS_EV_CODE(LARAS_EVF_STATUS, value),
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
	return true;
}

/*
 * laras.set_region(region text) returns void
 */
Datum
laras_set_region(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *region = text_to_cstring(PG_GETARG_TEXT_PP(0));

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ADMIN);
	if (!laras_phone_region(region))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not a region"),
						errhint("Regions are two capital letters, such as ID.")));
	(void) set_habit(&update_region, "region", region);
	PG_RETURN_VOID();
}

/*
 * laras.set_time_zone(time_zone text) returns void
 */
Datum
laras_set_time_zone(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *zone = text_to_cstring(PG_GETARG_TEXT_PP(0));

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ADMIN);
	/* an offset in digits is no place, whose clock may change */
	if (strlen(zone) > ZONE_BYTES ||
		(strchr(zone, '/') == NULL && strpbrk(zone, "0123456789") != NULL) ||
		pg_tzset(zone) == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the server knows no such time zone"),
						errhint("Names such as Asia/Jakarta are in pg_timezone_names.")));
	if (set_habit(&update_time_zone, "time_zone", zone))
	{
		laras_spi_open();
		laras_spi_run(&end_quotes, (Datum[]){Int64GetDatum(laras_bound_workspace())}, NULL);
		laras_spi_close();
	}
	PG_RETURN_VOID();
}
