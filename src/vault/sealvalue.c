/*
 * sealvalue.c
 *		Sealing and opening values for the other rooms' C code.
 *
 * The bytes are made by sealedbytes.c; here the pair of slots becomes a key,
 * and what the caller states (workspace, row, field) is held against what is
 * bound. Invariant: a destroyed key is an answer, every other failure an
 * error, and no error carries a byte of the value.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "base/errors.h"
#include "tenancy/tenancy.h"
#include "vault/sealedbytes.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

/* The open vault of this database, or the error that says why not. */
static LarasVault *
open_vault(void)
{
	LarasVault *v = laras_vault_here();

	if (unlikely(v == NULL || laras_vault_phase(v) != LARAS_VAULT_OPEN))
		laras_vault_raise_closed(v);
	return v;
}

static void
raise_crypto(const char *what)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, what);
	laras_vault_raise(&err);
}

static void
raise_destroyed(void)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the key of this subject has been destroyed"),
					errdetail("Nothing can be sealed or looked up under a destroyed key."),
					errhidestmt(true)));
}

static void
raise_misplaced(const char *what)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_keyerror(&err, LARAS_KEYERR_FOREIGN_VALUE, 0, what);
	laras_vault_raise(&err);
}

/* Memory of n bytes for one sealed value, with its length word. */
static bytea *
new_value(uint8 suite, size_t n, size_t *size)
{
	bytea *result;

	*size = n <= LARAS_SEALED_MAX_PLAIN ? laras_sealed_size(suite, n) : 0;
	if (*size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value is too long to be sealed"),
				 errdetail("At most 16 MB are sealed in one value.")));
	result = palloc(VARHDRSZ + *size);
	SET_VARSIZE(result, VARHDRSZ + *size);
	return result;
}

static void
fill_header(LarasVault *v, LarasSealedHeader *h, uint8 suite, uint16 field, uint32 w, uint32 s)
{
	h->suite = suite;
	h->field = field;
	h->keyring = (uint16) v->index;
	h->w = w;
	h->s = s;
}

bytea *
laras_seal(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id, const void *p,
		   size_t n)
{
	LarasVault *v = open_vault();
	LarasSealedHeader h;
	const uint8 *key;
	bytea *result;
	size_t size;

	result = new_value(LARAS_SUITE_VALUE, n, &size);
	key = laras_derived_key(v, LARAS_USE_SEAL, w, s);
	if (key == NULL)
		raise_destroyed();
	fill_header(v, &h, LARAS_SUITE_VALUE, field, w, s);
	if (!laras_sealed_seal(key, &h, workspace_id, row_id, p == NULL ? "" : p, n, NULL,
						   (uint8 *) VARDATA(result)))
		raise_crypto("sealing a value");
	return result;
}

bytea *
laras_seal_cstring(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id,
				   const char *text)
{
	return laras_seal(w, s, field, workspace_id, row_id, text, strlen(text));
}

bytea *
laras_seal_token(uint32 w, uint32 s, uint16 field, int64 workspace_id, int64 row_id, const void *p,
				 size_t n)
{
	LarasVault *v = open_vault();
	LarasSealedHeader h;
	uint8 first[LARAS_KEY_LEN];
	uint8 second[LARAS_KEY_LEN];
	uint8 prk[LARAS_KEY_LEN];
	bytea *result;
	size_t size;
	bool ok;

	result = new_value(LARAS_SUITE_BOX, n, &size);
	if (!laras_slot_secret(v, w, first) || !laras_slot_secret(v, s, second))
	{
		laras_wipe(first, sizeof(first));
		raise_destroyed();
	}
	fill_header(v, &h, LARAS_SUITE_BOX, field, w, s);
	ok = laras_derive_prk(first, second, prk) &&
		 laras_box_seal(prk, v->keyring.uuid, v->keyring.courier_public, &h, workspace_id, row_id,
						p == NULL ? "" : p, n, NULL, NULL, (uint8 *) VARDATA(result));
	laras_wipe(first, sizeof(first));
	laras_wipe(second, sizeof(second));
	laras_wipe(prk, sizeof(prk));
	if (!ok)
		raise_crypto("sealing a token");
	return result;
}

/*
 * Hold a value's header against what the caller states, and both against what
 * is bound. NULL, or what is wrong with the value. Raises LRK05 where the
 * caller has no business with that workspace; never reads the ciphertext.
 */
static const char *
misplacement(LarasVault *v, const uint8 *data, size_t n, uint8 suite, int64 workspace_id,
			 uint16 field, LarasSealedHeader *h)
{
	if (!laras_sealed_parse(data, n, h))
		return "not the form of a sealed value";
	if (h->suite != suite)
		return suite == LARAS_SUITE_VALUE ? "sealed for the courier alone"
										  : "not sealed for the courier";
	if (h->field != field)
		return "sealed for another column";
	if (h->keyring != v->index)
		return "sealed under another keyring";
	if (workspace_id == 0)
		return h->w != LARAS_SLOT_PLATFORM ? "sealed for a workspace" : NULL;
	if (workspace_id != laras_bound_workspace() && !laras_workspace_in_reach(workspace_id))
		raise_misplaced("the workspace is not the bound one");
	if (h->w != LARAS_SLOT_PLATFORM && h->w != laras_workspace_slot(workspace_id))
		return "sealed for another workspace";
	return NULL;
}

static void
refuse_maintenance(void)
{
	if (unlikely(InSecurityRestrictedOperation()))
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_REVEAL_IN_MAINTENANCE),
			 errmsg("sealed content is not revealed to maintenance commands"),
			 errdetail(
				 "ANALYZE, indexes, statistics and materialized views would store it in clear.")));
	if (unlikely(!laras_standby_reveal && RecoveryInProgress()))
		ereport(ERROR, (errcode(LARAS_ERRCODE_VAULT_CLOSED),
						errmsg("sealed content is not revealed on a standby"),
						errhint("Set laras.standby_reveal to allow it.")));
}

/* laras_open, with damage as an answer: what is wrong is in *err then. */
static LarasOpen
open_value(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
		   size_t *n, LarasKeyError *err)
{
	LarasVault *v;
	struct varlena *flat = pg_detoast_datum_packed((struct varlena *) value);
	const uint8 *data = (const uint8 *) VARDATA_ANY(flat);
	size_t len = VARSIZE_ANY_EXHDR(flat);
	LarasSealedHeader h;
	LarasSealedPlace place = {workspace_id, row_id, field};
	const uint8 *key;
	const char *wrong;
	char *plain;

	*out = NULL;
	*n = 0;
	refuse_maintenance();
	v = open_vault();
	wrong = misplacement(v, data, len, LARAS_SUITE_VALUE, workspace_id, field, &h);
	if (wrong != NULL)
	{
		laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, wrong);
		return LARAS_OPEN_DAMAGED;
	}
	key = laras_derived_key(v, LARAS_USE_SEAL, h.w, h.s);
	if (key == NULL)
	{
		if (flat != (const struct varlena *) value)
			pfree(flat);
		return LARAS_OPEN_DESTROYED;
	}
	plain = palloc(laras_sealed_plain_bound(&h, len) + 1);
	if (!laras_sealed_open(key, data, len, &place, (uint8 *) plain, n, err))
	{
		*n = 0;
		return LARAS_OPEN_DAMAGED;
	}
	plain[*n] = '\0';
	*out = plain;
	if (flat != (const struct varlena *) value)
		pfree(flat);
	return LARAS_OPENED;
}

/* Damage of the value is an answer where the caller asked for that; all else raises. */
static LarasOpen
answer_or_raise(LarasOpen answer, const LarasKeyError *err, bool damage_is_answer)
{
	if (answer == LARAS_OPEN_DAMAGED &&
		!(damage_is_answer && err->code == LARAS_KEYERR_FOREIGN_VALUE))
		laras_vault_raise(err);
	return answer;
}

LarasOpen
laras_open(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
		   size_t *n)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	return answer_or_raise(open_value(value, workspace_id, row_id, field, out, n, &err), &err,
						   false);
}

LarasOpen
laras_try_open(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
			   size_t *n)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	return answer_or_raise(open_value(value, workspace_id, row_id, field, out, n, &err), &err,
						   true);
}

/* laras_open_token, with damage as an answer: what is wrong is in *err then. */
static LarasOpen
open_token(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
		   size_t *n, LarasKeyError *err)
{
	LarasVault *v = open_vault();
	struct varlena *flat = pg_detoast_datum_packed((struct varlena *) value);
	const uint8 *data = (const uint8 *) VARDATA_ANY(flat);
	size_t len = VARSIZE_ANY_EXHDR(flat);
	LarasSealedHeader h;
	LarasSealedPlace place = {workspace_id, row_id, field};
	const uint8 *seed = laras_courier_seed(v);
	uint8 first[LARAS_KEY_LEN];
	uint8 second[LARAS_KEY_LEN];
	uint8 prk[LARAS_KEY_LEN];
	const char *wrong;
	char *plain;
	bool ok;

	*out = NULL;
	*n = 0;
	wrong = misplacement(v, data, len, LARAS_SUITE_BOX, workspace_id, field, &h);
	if (wrong != NULL)
	{
		laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, wrong);
		return LARAS_OPEN_DAMAGED;
	}
	if (!laras_slot_secret(v, h.w, first))
		return LARAS_OPEN_DESTROYED;
	if (!laras_slot_secret(v, h.s, second))
	{
		laras_wipe(first, sizeof(first));
		return LARAS_OPEN_DESTROYED;
	}
	plain = palloc(laras_sealed_plain_bound(&h, len) + 1);
	ok = laras_derive_prk(first, second, prk);
	laras_wipe(first, sizeof(first));
	laras_wipe(second, sizeof(second));
	if (!ok)
		raise_crypto("opening a token");
	ok = laras_box_open(prk, v->keyring.uuid, seed, v->keyring.courier_public, data, len, &place,
						(uint8 *) plain, n, err);
	laras_wipe(prk, sizeof(prk));
	if (!ok)
	{
		*n = 0;
		return LARAS_OPEN_DAMAGED;
	}

	/* a client's own box lies within ours: open that layer too */
	if (laras_is_transport_text(plain, *n))
	{
		uint8 *box = palloc(*n);
		size_t boxlen;
		size_t inner;

		ok = laras_transport_decode(plain, *n, box, &boxlen) &&
			 laras_transport_open(v->keyring.uuid, seed, v->keyring.courier_public, box, boxlen,
								  (uint8 *) plain, &inner, err);
		pfree(box);
		if (!ok)
		{
			laras_wipe(plain, *n);
			*n = 0;
			laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "the client's box does not open");
			return LARAS_OPEN_DAMAGED;
		}
		*n = inner;
	}
	plain[*n] = '\0';
	*out = plain;
	return LARAS_OPENED;
}

LarasOpen
laras_open_token(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
				 size_t *n)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	return answer_or_raise(open_token(value, workspace_id, row_id, field, out, n, &err), &err,
						   false);
}

LarasOpen
laras_try_open_token(const bytea *value, int64 workspace_id, int64 row_id, uint16 field, char **out,
					 size_t *n)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	return answer_or_raise(open_token(value, workspace_id, row_id, field, out, n, &err), &err,
						   true);
}

static LarasSealedHeader
parse(const bytea *value)
{
	struct varlena *flat = pg_detoast_datum_packed((struct varlena *) value);
	LarasSealedHeader h;

	if (!laras_sealed_parse((const uint8 *) VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat), &h))
		raise_misplaced("not the form of a sealed value");
	if (flat != (const struct varlena *) value)
		pfree(flat);
	return h;
}

uint32
laras_sealed_subject(const bytea *value)
{
	return parse(value).s;
}

uint32
laras_sealed_workspace_slot(const bytea *value)
{
	return parse(value).w;
}

/* ------------------------------------------------------------------------
 * Blind indexes, hashes, salts
 * ------------------------------------------------------------------------
 */

static void
hash_value(LarasKeyUse use, uint32 w, uint8 kind, const char *channel, const char *value, size_t n,
		   uint8 out[LARAS_INDEX_BYTES])
{
	LarasVault *v = open_vault();
	const uint8 *key = laras_derived_key(v, use, w, LARAS_SLOT_PLATFORM);

	if (key == NULL)
		raise_destroyed();
	if (!laras_blind_hash(key, kind, channel, value, n, out))
	{
		if (laras_index_kind_has_channel(kind) != (channel != NULL))
			elog(ERROR, "index kind %u is hashed %s its channel", kind,
				 channel == NULL ? "with" : "without");
		raise_crypto("hashing a value");
	}
}

static bytea *
hash_bytea(LarasKeyUse use, uint32 w, uint8 kind, const char *channel, const char *value, size_t n)
{
	bytea *result = palloc(VARHDRSZ + LARAS_INDEX_BYTES);

	SET_VARSIZE(result, VARHDRSZ + LARAS_INDEX_BYTES);
	hash_value(use, w, kind, channel, value, n, (uint8 *) VARDATA(result));
	return result;
}

void
laras_blind_index(uint32 w, uint8 kind, const char *channel, const char *value, size_t n,
				  uint8 out[LARAS_INDEX_BYTES])
{
	hash_value(LARAS_USE_INDEX, w, kind, channel, value, n, out);
}

bytea *
laras_index_bytea(uint32 w, uint8 kind, const char *channel, const char *value, size_t n)
{
	return hash_bytea(LARAS_USE_INDEX, w, kind, channel, value, n);
}

void
laras_route_hash(uint8 kind, const char *channel, const char *value, size_t n,
				 uint8 out[LARAS_INDEX_BYTES])
{
	hash_value(LARAS_USE_ROUTE, LARAS_SLOT_PLATFORM, kind, channel, value, n, out);
}

void
laras_login_hash(uint8 kind, const char *channel, const char *value, size_t n,
				 uint8 out[LARAS_INDEX_BYTES])
{
	hash_value(LARAS_USE_LOGIN, LARAS_SLOT_PLATFORM, kind, channel, value, n, out);
}

void
laras_authorizer_hash(uint8 kind, const char *channel, const char *value, size_t n,
					  uint8 out[LARAS_INDEX_BYTES])
{
	hash_value(LARAS_USE_AUTHORIZER, LARAS_SLOT_PLATFORM, kind, channel, value, n, out);
}

bytea *
laras_route_bytea(uint8 kind, const char *channel, const char *value, size_t n)
{
	return hash_bytea(LARAS_USE_ROUTE, LARAS_SLOT_PLATFORM, kind, channel, value, n);
}

bytea *
laras_login_bytea(uint8 kind, const char *channel, const char *value, size_t n)
{
	return hash_bytea(LARAS_USE_LOGIN, LARAS_SLOT_PLATFORM, kind, channel, value, n);
}

bytea *
laras_authorizer_bytea(uint8 kind, const char *channel, const char *value, size_t n)
{
	return hash_bytea(LARAS_USE_AUTHORIZER, LARAS_SLOT_PLATFORM, kind, channel, value, n);
}

void
laras_optout_hash(uint32 w, uint8 kind, const char *channel, const char *value, size_t n,
				  uint8 out[LARAS_INDEX_BYTES])
{
	hash_value(LARAS_USE_OPTOUT, w, kind, channel, value, n, out);
}

bytea *
laras_optout_bytea(uint32 w, uint8 kind, const char *channel, const char *value, size_t n)
{
	return hash_bytea(LARAS_USE_OPTOUT, w, kind, channel, value, n);
}

void
laras_callback_mac(uint32 w, const void *p, size_t n, uint8 out[32])
{
	LarasVault *v = open_vault();
	const uint8 *key = laras_derived_key(v, LARAS_USE_CALLBACK, w, LARAS_SLOT_PLATFORM);
	LarasPiece piece = {p, n};

	if (key == NULL)
		raise_destroyed();
	if (!laras_hmac(key, LARAS_KEY_LEN, &piece, 1, out))
		raise_crypto("computing a callback's MAC");
}

void
laras_evidence_salt(uint32 w, uint32 s, int64 entry_id, uint16 fieldno, uint8 out[32])
{
	LarasVault *v = open_vault();
	const uint8 *key = laras_derived_key(v, LARAS_USE_SALT, w, s);

	if (key == NULL)
		raise_destroyed();
	if (!laras_commitment_salt(key, (uint64) entry_id, fieldno, out))
		raise_crypto("deriving an evidence salt");
}
