/*
 * sealedtype.c
 *		The SQL face of sealed values: the type laras.sealed, reveal, key_state,
 *		public_key, describe_sealed.
 *
 * Invariant: no error message here contains a byte of the input, and there is
 * no SQL function that seals: sealed values come from laras's own C code.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/base64.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/sealedbytes.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"

#define TEXT_PREFIX "sealed:"
#define TEXT_PREFIX_LEN (sizeof(TEXT_PREFIX) - 1)

PG_FUNCTION_INFO_V1(laras_sealed_in);
PG_FUNCTION_INFO_V1(laras_sealed_out);
PG_FUNCTION_INFO_V1(laras_sealed_recv);
PG_FUNCTION_INFO_V1(laras_sealed_send);
PG_FUNCTION_INFO_V1(laras_reveal);
PG_FUNCTION_INFO_V1(laras_reveal_bytes);
PG_FUNCTION_INFO_V1(laras_show_key_state);
PG_FUNCTION_INFO_V1(laras_show_public_key);
PG_FUNCTION_INFO_V1(laras_describe_sealed);

static void
refuse_input(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input for type laras.sealed"),
			 errdetail("A sealed value is \"sealed:\" and the base64 form of what laras sealed."),
			 errhidestmt(true)));
}

Datum
laras_sealed_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	size_t len = strlen(text);
	bytea *result;
	int size;
	int got;
	LarasSealedHeader h;

	if (len < TEXT_PREFIX_LEN || memcmp(text, TEXT_PREFIX, TEXT_PREFIX_LEN) != 0)
		refuse_input();
	text += TEXT_PREFIX_LEN;
	len -= TEXT_PREFIX_LEN;
	size = pg_b64_dec_len((int) len);
	result = palloc(VARHDRSZ + size);
	got = pg_b64_decode(text, (int) len, (LarasBase64Byte *) VARDATA(result), size);
	if (got < 0 || !laras_sealed_parse((uint8 *) VARDATA(result), (size_t) got, &h))
		refuse_input();
	SET_VARSIZE(result, VARHDRSZ + got);
	PG_RETURN_BYTEA_P(result);
}

Datum
laras_sealed_out(PG_FUNCTION_ARGS)
{
	bytea *value = PG_GETARG_BYTEA_PP(0);
	int len = (int) VARSIZE_ANY_EXHDR(value);
	int size = pg_b64_enc_len(len);
	char *result = palloc(TEXT_PREFIX_LEN + size + 1);
	int got;

	memcpy(result, TEXT_PREFIX, TEXT_PREFIX_LEN);
	got =
		pg_b64_encode((LarasBase64Byte *) VARDATA_ANY(value), len, result + TEXT_PREFIX_LEN, size);
	if (got < 0)
		elog(ERROR, "base64 form of a sealed value does not fit");
	result[TEXT_PREFIX_LEN + got] = '\0';
	PG_RETURN_CSTRING(result);
}

Datum
laras_sealed_recv(PG_FUNCTION_ARGS)
{
	StringInfo buf = (StringInfo) PG_GETARG_POINTER(0);
	int len = buf->len - buf->cursor;
	const char *data = pq_getmsgbytes(buf, len);
	LarasSealedHeader h;
	bytea *result;

	if (!laras_sealed_parse((const uint8 *) data, (size_t) len, &h))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("invalid input for type laras.sealed"), errhidestmt(true)));
	result = palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), data, len);
	PG_RETURN_BYTEA_P(result);
}

Datum
laras_sealed_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

/*
 * reveal, common part: NULL once a key is destroyed. The workspace is always
 * the bound one.
 */
static bytea *
reveal(FunctionCallInfo fcinfo)
{
	struct varlena *value = (struct varlena *) PG_GETARG_POINTER(0);
	int64 row_id = PG_GETARG_INT64(1);
	uint16 field = (uint16) PG_GETARG_INT16(2);
	char *out;
	size_t n;
	bytea *result;

	laras_require_workspace();
	if (laras_open((const bytea *) value, laras_bound_workspace(), row_id, field, &out, &n) ==
		LARAS_OPEN_DESTROYED)
		return NULL;
	result = palloc(VARHDRSZ + n);
	SET_VARSIZE(result, VARHDRSZ + n);
	memcpy(VARDATA(result), out, n);
	pfree(out);
	return result;
}

Datum
laras_reveal(PG_FUNCTION_ARGS)
{
	bytea *result = reveal(fcinfo);

	if (result == NULL)
		PG_RETURN_NULL();
	if (!pg_verifymbstr(VARDATA(result), (int) VARSIZE(result) - VARHDRSZ, true))
		ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
						errmsg("the sealed value is not text in this database's encoding"),
						errhint("Use laras.reveal_bytes.")));
	PG_RETURN_TEXT_P((text *) result);
}

Datum
laras_reveal_bytes(PG_FUNCTION_ARGS)
{
	bytea *result = reveal(fcinfo);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(result);
}

Datum
laras_show_key_state(PG_FUNCTION_ARGS)
{
	int64 slot = PG_GETARG_INT64(0);

	if (slot < 0 || slot > PG_UINT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("slot is out of range"),
						errdetail("Slots are numbers from 0 to 4294967295.")));
	PG_RETURN_TEXT_P(cstring_to_text(laras_key_state_name(laras_key_state((uint32) slot))));
}

/* keyring uuid || the courier's public key: what a client needs to seal a token */
Datum
laras_show_public_key(PG_FUNCTION_ARGS)
{
	LarasVault *v = laras_vault_here();
	bytea *result;

	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		laras_vault_raise_closed(v);
	result = palloc(VARHDRSZ + LARAS_UUID_LEN + LARAS_KEY_LEN);
	SET_VARSIZE(result, VARHDRSZ + LARAS_UUID_LEN + LARAS_KEY_LEN);
	memcpy(VARDATA(result), v->keyring.uuid, LARAS_UUID_LEN);
	memcpy(VARDATA(result) + LARAS_UUID_LEN, v->keyring.courier_public, LARAS_KEY_LEN);
	PG_RETURN_BYTEA_P(result);
}

/* What can be read off a sealed value without any key; it names no person. */
Datum
laras_describe_sealed(PG_FUNCTION_ARGS)
{
	bytea *value = PG_GETARG_BYTEA_PP(0);
	const uint8 *data = (const uint8 *) VARDATA_ANY(value);
	size_t len = VARSIZE_ANY_EXHDR(value);
	size_t nonce_at;
	LarasSealedHeader h;
	TupleDesc desc;
	Datum values[9];
	bool nulls[9] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!laras_sealed_parse(data, len, &h))
		refuse_input();
	nonce_at = h.suite == LARAS_SUITE_BOX ? LARAS_SEALED_BOX_HEADER - LARAS_GCM_NONCE_LEN
										  : LARAS_SEALED_VALUE_HEADER - LARAS_GCM_NONCE_LEN;
	values[0] = Int32GetDatum(data[0]);
	values[1] = Int32GetDatum(h.suite);
	values[2] = CStringGetTextDatum("A256GCM");
	values[3] = Int32GetDatum(h.field);
	values[4] = Int32GetDatum(h.keyring);
	values[5] = Int64GetDatum((int64) h.w);
	values[6] = Int64GetDatum((int64) h.s);
	values[7] = laras_bytea_datum(data + nonce_at, LARAS_GCM_NONCE_LEN);
	values[8] = laras_bytea_datum(data + len - LARAS_GCM_TAG_LEN, LARAS_GCM_TAG_LEN);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
