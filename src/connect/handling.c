/*
 * handling.c
 *		Terms that a partner agrees to, and what messages of a channel are
 *		processed for.
 *
 * Invariant: a channel is configured only after the terms in force, the
 * operator's and the provider's, were accepted. So that a channel has a purpose
 * says all of it, and every processing asks that one question.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/spi.h"
#include "channel/channel.h"
#include "connect/handling.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_accept_terms);
PG_FUNCTION_INFO_V1(laras_configure_channel);
PG_FUNCTION_INFO_V1(laras_check_terms);

LARAS_PLAN(
	find_terms,
	"SELECT t.accepted_at FROM laras.terms_in_force t WHERE t.party OPERATOR(pg_catalog.=) $1 "
	"AND t.version OPERATOR(pg_catalog.=) $2",
	TEXTOID, TEXTOID);

/* two who accept at once: the first one counts */
LARAS_PLAN(add_acceptance,
		   "INSERT INTO laras.terms_acceptance AS a (workspace_id, party, version, accepted_by) "
		   "VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, party, version) "
		   "DO UPDATE SET accepted_by = a.accepted_by "
		   "RETURNING a.accepted_at, a.xmax OPERATOR(pg_catalog.=) 0",
		   INT8OID, TEXTOID, TEXTOID, TEXTOID);

LARAS_PLAN(
	find_readiness,
	"SELECT pg_catalog.array_to_string(r.missing_terms, ', ') FROM laras.channel_readiness r "
	"WHERE r.channel OPERATOR(pg_catalog.=) $1",
	TEXTOID);

LARAS_PLAN(
	set_handling,
	"INSERT INTO laras.channel_handling AS h (workspace_id, channel, purposes, configured_by) "
	"SELECT $1, $2, ARRAY(SELECT DISTINCT p FROM pg_catalog.unnest($3) AS p ORDER BY p), $4 "
	"ON CONFLICT (workspace_id, channel) DO UPDATE SET purposes = excluded.purposes, "
	"configured_by = excluded.configured_by, configured_at = excluded.configured_at",
	INT8OID, TEXTOID, TEXTARRAYOID, TEXTOID);

LARAS_PLAN(find_processing, "SELECT laras.processes($1, $2, $3)", INT8OID, TEXTOID, TEXTOID);

/*
 * laras.accept_terms(party text, version text) returns timestamptz
 */
Datum
laras_accept_terms(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *party = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *version = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const LarasPrincipal *who;
	Datum accepted_at;
	bool isnull;
	LarasEvidenceField fields[2];
	LarasEvidence act = {
		.action = LARAS_ACT_TERMS_ACCEPTED,
		.subject_kind = LARAS_SUBJECT_WORKSPACE,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ADMIN);
	who = laras_principal();
	if (who->kind == LARAS_PRINCIPAL_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("a program cannot accept terms"),
				 errhint("An owner or admin who signed in can.")));
	act.workspace_id = act.subject_id = laras_bound_workspace();
	laras_spi_open();
	if (laras_spi_run(&find_terms,
					  (Datum[]){CStringGetTextDatum(party), CStringGetTextDatum(version)},
					  NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such terms are in force"),
				 errhint("Party and version of those that are stand in laras.terms_in_force.")));
	laras_spi_run_one(&add_acceptance,
					  (Datum[]){Int64GetDatum(act.workspace_id), CStringGetTextDatum(party),
								CStringGetTextDatum(version),
								CStringGetTextDatum(laras_principal_text(who))},
					  NULL);
	accepted_at = laras_spi_value(0, 1, &isnull);
	if (laras_spi_bool(0, 2))
	{
		char code[LARAS_EVIDENCE_MAX_CODE + 1];

		/* a code begins with a letter, a version may not */
		snprintf(code, sizeof(code), "v%s", version);
		fields[0] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, party);
		fields[1] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_BASIS, code);
		laras_evidence_actor(&act);
		laras_evidence_append(&act);
	}
	laras_spi_close();
	PG_RETURN_DATUM(accepted_at);
}

static void
refuse_terms(const char *column, const char *wrong, const char *rule)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s of terms %s", column, wrong), errdetail("%s", rule)));
}

/* Whom terms are with: a party that no channel has would bind nobody. */
static void
check_party(const char *party)
{
	StringInfoData known;

	initStringInfo(&known);
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
	{
		if (strcmp(party, laras_channel_nth(i)->channel) == 0)
			return;
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", laras_channel_nth(i)->channel);
	}
	if (strcmp(party, "partner") != 0)
		refuse_terms("party", "has no such value",
					 psprintf("It is partner, or a channel: %s.", known.data));
}

/*
 * laras.check_terms(party text, version text, effective_from date,
 *		required_from date, title text) returns boolean
 *
 * True or an error; nulls where the columns have them.
 */
Datum
laras_check_terms(PG_FUNCTION_ARGS)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char *version = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (!PG_ARGISNULL(0))
		check_party(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (version != NULL && (strspn(version, letters) == 0 || strlen(version) > 32 ||
							strspn(version, psprintf("%s._-", letters)) != strlen(version)))
		refuse_terms("version", "is no name",
					 "It is 1 to 32 letters, digits, points, hyphens and underscores, and begins "
					 "with a letter or digit.");
	if (!PG_ARGISNULL(2) && !PG_ARGISNULL(3) && PG_GETARG_DATEADT(3) < PG_GETARG_DATEADT(2))
		refuse_terms("required_from", "is too early",
					 "Terms are required from effective_from on, or later.");
	if (!PG_ARGISNULL(4) && VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(4)) == 0)
		refuse_terms("title", "must not be empty", "It is what the terms are called.");
	PG_RETURN_BOOL(true);
}

/* One or both of the purposes there are; anything else is an error. */
static void
check_purposes(ArrayType *purposes)
{
	Datum *values;
	bool *nulls;
	int n;

	if (ARR_NDIM(purposes) > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("purposes must be a list of words")));
	deconstruct_array(purposes, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char *purpose = nulls[i] ? NULL : TextDatumGetCString(values[i]);

		if (purpose == NULL || (strcmp(purpose, LARAS_PURPOSE_SERVICE) != 0 &&
								strcmp(purpose, LARAS_PURPOSE_SALES) != 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("messages are processed for no such purpose"),
					 errdetail(
						 "They serve the business they were sent to: purposes are \"service\" "
						 "and \"sales\".")));
	}
}

/*
 * laras.configure_channel(channel text, purposes text[]) returns void
 */
Datum
laras_configure_channel(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ArrayType *purposes = PG_GETARG_ARRAYTYPE_P(1);
	char *missing;
	LarasEvidenceField fields[2];
	LarasEvidence act = {
		.action = LARAS_ACT_CHANNEL_CONFIGURED,
		.subject_kind = LARAS_SUBJECT_WORKSPACE,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	check_purposes(purposes);
	act.workspace_id = act.subject_id = laras_bound_workspace();
	laras_spi_open();
	if (laras_spi_run(&find_readiness, (Datum[]){CStringGetTextDatum(channel)}, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no such channel"),
				 errhint("See laras.provider for the channels this installation can connect.")));
	missing = laras_spi_cstring(0, 1);
	/* ending it needs nobody's terms */
	if (missing[0] != '\0' && ArrayGetNItems(ARR_NDIM(purposes), ARR_DIMS(purposes)) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("terms that bind this channel are not accepted yet"),
				 errdetail("These are in force: %s.", missing),
				 errhint("Accept each with laras.accept_terms(party, version) and configure the "
						 "channel again.")));
	laras_spi_run_one(&set_handling,
					  (Datum[]){Int64GetDatum(act.workspace_id), CStringGetTextDatum(channel),
								PointerGetDatum(purposes),
								CStringGetTextDatum(laras_principal_text(laras_principal()))},
					  NULL);
	laras_spi_close();
	fields[0] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel);
	fields[1] =
		(LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_COUNT, ArrayGetNItems(ARR_NDIM(purposes),
																			 ARR_DIMS(purposes)));
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
	PG_RETURN_VOID();
}

void
laras_require_processing(int64 workspace_id, const char *channel, const char *purpose)
{
	laras_spi_run(&find_processing,
				  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel),
							CStringGetTextDatum(purpose)},
				  NULL);
	if (laras_spi_bool(0, 1))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the channel is not configured for this"),
			 errdetail("Its messages are not processed for the purpose \"%s\".", purpose),
			 errhint("What is missing stands in laras.channel_readiness; purposes are set by "
					 "laras.configure_channel.")));
}
