/*
 * key.c
 *		API keys: made, shown once, revoked.
 *
 * Invariant: a key never holds a scope that whoever made it did not hold.
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/permission.h"
#include "tenancy/tenancy_private.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_create_api_key);
PG_FUNCTION_INFO_V1(laras_revoke_api_key);

#define PREFIX_LENGTH 10

LARAS_PLAN(insert_key,
		   "INSERT INTO laras.api_key (workspace_id, id, prefix, token_hash, name, scopes, "
		   "created_by_kind, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		   INT8OID, INT8OID, TEXTOID, BYTEAOID, LARAS_SEALED, TEXTARRAYOID, TEXTOID, INT8OID,
		   TIMESTAMPTZOID);

LARAS_PLAN(revoke_key,
		   "UPDATE laras.api_key SET revoked_at = laras.now() "
		   "WHERE workspace_id = $1 AND prefix = $2 AND revoked_at IS NULL RETURNING id",
		   INT8OID, TEXTOID);

static uint32
scopes_argument(ArrayType *array)
{
	Datum *elements;
	bool *nulls;
	int n;
	uint32 scopes = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		text *name = nulls[i] ? NULL : DatumGetTextPP(elements[i]);
		uint32 scope =
			name == NULL ? 0 : laras_scope_by_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

		if (scope == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown scope"),
					 errhint(
						 "Scopes are inbox, knowledge, crm, connect, erase, export and admin.")));
		scopes |= scope;
	}
	if (scopes == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an API key needs at least one scope")));
	return scopes;
}

static ArrayType *
scopes_array(uint32 scopes)
{
	Datum names[32];
	int n = 0;

	for (uint32 scope = 1; scope <= LARAS_SCOPE_ALL; scope <<= 1)
		if (scopes & scope)
			names[n++] = CStringGetTextDatum(laras_scope_name(scope));
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
random_prefix(char out[PREFIX_LENGTH + 1])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8 bytes[PREFIX_LENGTH];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not draw random bytes for a key")));
	for (int i = 0; i < PREFIX_LENGTH; i++)
		out[i] = digits[bytes[i] & 31];
	out[PREFIX_LENGTH] = '\0';
}

/*
 * laras.create_api_key(name text, scopes text[], expires_at timestamptz
 * default null) returns text: the key, shown this once
 */
Datum
laras_create_api_key(PG_FUNCTION_ARGS)
{
	int64 workspace_id = laras_bound_workspace();
	const LarasPrincipal *p = laras_principal();
	uint32 w;
	uint32 scopes;
	char *name;
	char *token;
	char prefix[PREFIX_LENGTH + 1];
	char nulls[] = "         ";
	uint8 hash[LARAS_HASH_BYTES];
	bytea *stored = palloc(VARHDRSZ + LARAS_HASH_BYTES);
	int64 id;
	TimestampTz expires_at = 0;

	laras_require_scope(LARAS_SCOPE_ADMIN);
	laras_refuse_null(fcinfo, 0);
	laras_refuse_null(fcinfo, 1);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	laras_name_check(name);
	scopes = scopes_argument(PG_GETARG_ARRAYTYPE_P(1));
	laras_require_scope(scopes);
	if (PG_ARGISNULL(2))
		nulls[8] = 'n';
	else
	{
		expires_at = PG_GETARG_TIMESTAMPTZ(2);
		if (expires_at <= laras_clock())
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("expires_at lies in the past")));
	}
	if (p->kind == LARAS_PRINCIPAL_SERVICE)
		nulls[7] = 'n';

	w = laras_workspace_slot(workspace_id);
	id = laras_new_id();
	random_prefix(prefix);
	token = laras_token_new(LARAS_TOKEN_KEY, prefix, hash);
	SET_VARSIZE(stored, VARHDRSZ + LARAS_HASH_BYTES);
	memcpy(VARDATA(stored), hash, LARAS_HASH_BYTES);

	laras_spi_open();
	laras_spi_run_one(&insert_key,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								CStringGetTextDatum(prefix), PointerGetDatum(stored),
								PointerGetDatum(laras_seal_cstring(w, w, LARAS_FIELD_api_key_name,
																   workspace_id, id, name)),
								PointerGetDatum(scopes_array(scopes)),
								CStringGetTextDatum(laras_principal_kind_name(p->kind)),
								Int64GetDatum(p->id), TimestampTzGetDatum(expires_at)},
					  nulls);
	laras_spi_close();
	laras_evidence_act(laras_bound_workspace(), LARAS_ACT_API_KEY_CREATED, LARAS_SUBJECT_API_KEY,
					   id);
	PG_RETURN_TEXT_P(cstring_to_text(token));
}

/*
 * laras.revoke_api_key(prefix text) returns void.  The prefix is what stands
 * between lk_ and the next underscore; the whole key is taken too.
 */
Datum
laras_revoke_api_key(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *prefix = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64 id;

	laras_require_scope(LARAS_SCOPE_ADMIN);
	if (strncmp(prefix, "lk_", 3) == 0)
		prefix += 3;
	if (strlen(prefix) > PREFIX_LENGTH && prefix[PREFIX_LENGTH] == '_')
		prefix[PREFIX_LENGTH] = '\0';

	laras_spi_open();
	if (laras_spi_run(&revoke_key,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()),
								CStringGetTextDatum(prefix)},
					  NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("API key does not exist or is revoked already"), errhidestmt(true),
						errhidecontext(true)));
	id = laras_spi_int8(0, 1);
	laras_spi_close();
	laras_evidence_act(laras_bound_workspace(), LARAS_ACT_API_KEY_REVOKED, LARAS_SUBJECT_API_KEY,
					   id);
	PG_RETURN_VOID();
}
