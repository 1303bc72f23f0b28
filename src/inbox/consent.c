/*
 * consent.c
 *		laras.set_consent_basis: on what the partner says that it may know and
 *		write to a person.
 *
 * The partner answers for the consent of its customers; laras keeps what it
 * said, of whom, when, and who said it. A person of whom nothing was said and who
 * wrote to the business is known because they wrote.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_set_consent_basis);

LARAS_PLAN(lock_contact,
		   "SELECT coalesce(c.consent_basis, 'wrote') FROM laras.contact c "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $2 "
		   "AND c.state OPERATOR(pg_catalog.<>) 'erasing' FOR NO KEY UPDATE OF c",
		   INT8OID, INT8OID);

LARAS_PLAN(set_basis,
		   "UPDATE laras.contact SET consent_basis = nullif($3, 'wrote'), "
		   "consent_stated_at = CASE WHEN $3 OPERATOR(pg_catalog.<>) 'wrote' THEN laras.now() END "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID);

static bool
is_basis(const char *word)
{
	static const char *const known[] = {"wrote", "consent", "contract", "legitimate_interest"};

	for (int i = 0; i < lengthof(known); i++)
		if (strcmp(word, known[i]) == 0)
			return true;
	return false;
}

/*
 * laras.set_consent_basis(contact_id bigint, basis text) returns boolean
 */
Datum
laras_set_consent_basis(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	Datum key[3] = {0, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	char *basis = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool changed;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	if (!is_basis(basis))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such consent basis"),
						errhint("It is \"consent\", \"contract\" or \"legitimate_interest\", or "
								"\"wrote\" where nothing else is said.")));
	key[0] = Int64GetDatum(laras_bound_workspace());
	laras_spi_open();
	if (laras_spi_run(&lock_contact, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such contact")));
	changed = strcmp(laras_spi_cstring(0, 1), basis) != 0;
	if (changed)
	{
		LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_BASIS, basis)};
		LarasEvidence act = {
			.workspace_id = laras_bound_workspace(),
			.action = LARAS_ACT_CONTACT_CONSENT_STATED,
			.subject_kind = LARAS_SUBJECT_CONTACT,
			.subject_id = PG_GETARG_INT64(0),
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_spi_run_one(&set_basis, key, NULL);
		laras_evidence_actor(&act);
		laras_evidence_append(&act);
	}
	laras_spi_close();
	PG_RETURN_BOOL(changed);
}
