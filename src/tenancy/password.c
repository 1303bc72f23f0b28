/*
 * password.c
 *		Passwords: bcrypt by pgcrypto, which DBAs know and can audit.
 *
 * Invariant: a check takes one bcrypt whether there is a hash or not, so the
 * time of a refused log-in does not tell an unknown address from a wrong
 * password.
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/spi.h"
#include "tenancy/tenancy_private.h"

/* bcrypt reads no more */
#define MAX_PASSWORD_BYTES 72
#define MIN_PASSWORD_BYTES 8

static int password_cost = 10;

void
laras_password_init(void)
{
	DefineCustomIntVariable("laras.password_cost",
							"Work factor of bcrypt for new passwords, as a power of two.",
							"Each step doubles the time of a log-in.", &password_cost, 10, 10, 16,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

LARAS_PLAN(
	pgcrypto_member,
	"SELECT p.oid FROM pg_catalog.pg_proc p "
	"JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
	"AND d.objid = p.oid AND d.deptype = 'e' "
	"JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass "
	"AND d.refobjid = e.oid AND e.extname = 'pgcrypto' "
	"WHERE p.proname = $1 AND p.proargtypes = $2",
	NAMEOID, OIDVECTOROID);

/* A function of the extension pgcrypto, wherever that was installed. */
static Oid
pgcrypto_function(const char *name, int nargs, const Oid *argtypes)
{
	NameData wanted;
	Oid function;

	namestrcpy(&wanted, name);
	laras_spi_open();
	if (laras_spi_read(&pgcrypto_member,
					   (Datum[]){NameGetDatum(&wanted),
								 PointerGetDatum(buildoidvector(argtypes, nargs))},
					   NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("function \"%s\" of the extension pgcrypto is missing", name)));
	function = (Oid) laras_spi_int4(0, 1);
	laras_spi_close();
	return function;
}

static char *
crypt_with(const char *password, const char *salt)
{
	Oid argtypes[2] = {TEXTOID, TEXTOID};
	text *secret = cstring_to_text(password);
	Datum hash;

	hash = OidFunctionCall2(pgcrypto_function("crypt", 2, argtypes), PointerGetDatum(secret),
							CStringGetTextDatum(salt));
	OPENSSL_cleanse(VARDATA(secret), VARSIZE(secret) - VARHDRSZ);
	return TextDatumGetCString(hash);
}

/* Raises 22023 for a password that will not do; the text never quotes it. */
void
laras_password_check(const char *password)
{
	size_t n = strlen(password);

	if (n < MIN_PASSWORD_BYTES || n > MAX_PASSWORD_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("password must have between %d and %d bytes", MIN_PASSWORD_BYTES,
							   MAX_PASSWORD_BYTES),
						errhidestmt(true), errhidecontext(true)));
}

/* palloc'd */
char *
laras_password_hash(const char *password)
{
	Oid argtypes[2] = {TEXTOID, INT4OID};
	Datum salt;

	salt = OidFunctionCall2(pgcrypto_function("gen_salt", 2, argtypes), CStringGetTextDatum("bf"),
							Int32GetDatum(password_cost));
	return crypt_with(password, TextDatumGetCString(salt));
}

/* hash NULL: as much work, and never a match. */
bool
laras_password_matches(const char *password, const char *hash)
{
	char nobody[32];
	char *computed;
	bool fits = strlen(password) <= MAX_PASSWORD_BYTES;

	if (hash == NULL)
		snprintf(nobody, sizeof(nobody), "$2a$%02d$nobodyhasthispassword.", password_cost);
	computed = crypt_with(fits ? password : "", hash ? hash : nobody);
	return fits && hash != NULL && strlen(computed) == strlen(hash) &&
		   CRYPTO_memcmp(computed, hash, strlen(hash)) == 0;
}
