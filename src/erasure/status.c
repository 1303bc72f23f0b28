/*
 * status.c
 *		What a confirmation code shows to whoever holds it: words, times, counts;
 *		nobody's name and no workspace.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "erasure/erasure.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"

PG_FUNCTION_INFO_V1(laras_erasure_status);

LARAS_PLAN(
	find_status,
	"SELECT r.scope, r.path, r.state, r.requested_at, r.unreadable_at, r.removed_at, r.raw_events_until, "
	"r.connections, r.slots, r.policy_version, (SELECT pg_catalog.max(c.expires_at) FROM laras.keyring_copies c "
	"WHERE c.state OPERATOR(pg_catalog.=) ANY (ARRAY['being made', 'kept', 'expired']) "
	"AND c.registered_at OPERATOR(pg_catalog.<=) r.unreadable_at) FROM laras.erasure_request r "
	"WHERE r.code_hash OPERATOR(pg_catalog.=) ANY (ARRAY[$1, $2]) "
	"ORDER BY r.state OPERATOR(pg_catalog.=) 'no_data_held' LIMIT 1",
	BYTEAOID, BYTEAOID);

/* the state in words for a reader */
static const char *
words(const char *state)
{
	if (strcmp(state, "no_data_held") == 0)
		return "No data was held for this request.";
	if (strcmp(state, "unreadable") == 0)
		return "The keys were destroyed: the data cannot be read any more, anywhere. Its rows are being removed.";
	if (strcmp(state, "removed") == 0)
		return "The data was made unreadable and removed.";
	if (strcmp(state, "final") == 0)
		return "The data was removed, and no old copy of the keys can open it.";
	if (strcmp(state, "refused") == 0)
		return "The request was refused.";
	return "The request was received.";
}

json_t *
laras_erasure_status_json(const char *code, size_t n)
{
	LarasPiece piece = {code, n};
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);
	bytea *half = palloc0(VARHDRSZ + LARAS_HASH_LEN);
	char *state;
	json_t *json;

	/* the same work for every text, so that time tells nothing */
	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a code")));
	/* what resume() knows of a code whose request was not in the dump */
	SET_VARSIZE(half, VARHDRSZ + LARAS_HASH_LEN);
	memcpy(VARDATA(half), VARDATA(hash), LARAS_HASH_LEN / 2);
	laras_spi_open();
	if (laras_spi_read(&find_status, (Datum[]){PointerGetDatum(hash), PointerGetDatum(half)},
					   NULL) == 0)
	{
		laras_spi_close();
		return NULL;
	}
	state = laras_spi_cstring(0, 3);
	json = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:s, s:[{s:s, s:s}, {s:s, s:s}]}",
		"state", state, "summary", words(state), "scope", laras_spi_cstring(0, 1), "received_at",
		laras_json_time(laras_spi_time(0, 4)), "unreadable_at",
		laras_json_time(laras_spi_time(0, 5)), "removed_at", laras_json_time(laras_spi_time(0, 6)),
		"raw_events_until", laras_json_time(laras_spi_time(0, 7)), "key_copies_until",
		laras_json_time(laras_spi_time(0, 11)), "connections_cut", laras_spi_int4(0, 8),
		"keys_destroyed", laras_spi_int4(0, 9), "policy_version", laras_spi_cstring(0, 10),
		"retained", "what", "a log of acts and times without names, numbers or text", "basis",
		"security", "what", "this request, without identifiers", "basis", "proof");
	laras_spi_close();
	return json;
}

/*
 * laras.erasure_status(code text) returns jsonb
 */
Datum
laras_erasure_status(PG_FUNCTION_ARGS)
{
	text *code = PG_GETARG_TEXT_PP(0);
	json_t *json =
		laras_json_own(laras_erasure_status_json(VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code)));

	if (json == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(laras_json_text_of(json, NULL))));
}
