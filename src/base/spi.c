/*
 * spi.c
 *		SQL from C, see spi.h.
 *
 * Invariant: the text of a plan is a constant of the program; whatever comes
 * from outside is a typed parameter.  A kept plan is tied to no oid but those
 * that the plan cache itself watches, and to laras.sealed, which is compared
 * at every use: an extension dropped and made again gives the type a new one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/errors.h"
#include "base/spi.h"

Oid
laras_sealed_type(void)
{
	Oid schema = get_namespace_oid("laras", true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("sealed"),
						   ObjectIdGetDatum(schema));
}

void
laras_spi_open(void)
{
	int rc = SPI_connect();

	if (rc != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(rc));
}

void
laras_spi_close(void)
{
	int rc = SPI_finish();

	if (rc != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed: %s", SPI_result_code_string(rc));
}

/* Prepares the plan where that was not done yet in this session. */
static void
prepare(LarasPlan *plan)
{
	Oid argtypes[LARAS_SPI_MAX_ARGS];
	Oid sealed = InvalidOid;

	Assert(plan->nargs <= LARAS_SPI_MAX_ARGS);

	for (int i = 0; i < plan->nargs; i++)
	{
		argtypes[i] = plan->argtypes[i];
		if (argtypes[i] != LARAS_SEALED && argtypes[i] != LARAS_SEALED_ARRAY)
			continue;
		if (!OidIsValid(sealed))
			sealed = laras_sealed_type();
		argtypes[i] = argtypes[i] == LARAS_SEALED ? sealed : get_array_type(sealed);
		if (!OidIsValid(argtypes[i]))
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("type laras.sealed does not exist")));
	}

	if (plan->plan != NULL && plan->sealed == sealed)
		return;
	if (plan->plan != NULL)
	{
		SPI_freeplan(plan->plan);
		plan->plan = NULL;
	}

	plan->plan = SPI_prepare(plan->sql, plan->nargs, argtypes);
	if (plan->plan == NULL)
		elog(ERROR, "could not prepare plan \"%s\": %s", plan->name,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan->plan) != 0)
		elog(ERROR, "could not keep plan \"%s\"", plan->name);
	plan->sealed = sealed;
}

void
laras_spi_plan_by_keys(bool for_session)
{
	static const char *const set[][2] = {
		{"enable_seqscan", "off"},   {"enable_bitmapscan", "off"}, {"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"}, {"enable_memoize", "off"},
	};

	for (int i = 0; i < lengthof(set); i++)
		(void) set_config_option(set[i][0], set[i][1], PGC_USERSET, PGC_S_SESSION,
								 for_session ? GUC_ACTION_SET : GUC_ACTION_LOCAL, true, 0, false);
	if (!for_session)
		(void) set_config_option("plan_cache_mode", "force_generic_plan", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

static uint64
execute(LarasPlan *plan, const Datum *values, const char *nulls, bool read_only)
{
	int rc;

	prepare(plan);
	rc = SPI_execute_plan(plan->plan, (Datum *) values, nulls, read_only, 0);
	if (rc < 0)
		elog(ERROR, "could not run plan \"%s\": %s", plan->name, SPI_result_code_string(rc));
	return SPI_processed;
}

uint64
laras_spi_run(LarasPlan *plan, const Datum *values, const char *nulls)
{
	return execute(plan, values, nulls, false);
}

uint64
laras_spi_read(LarasPlan *plan, const Datum *values, const char *nulls)
{
	return execute(plan, values, nulls, true);
}

void
laras_spi_run_one(LarasPlan *plan, const Datum *values, const char *nulls)
{
	uint64 n = execute(plan, values, nulls, false);

	if (n != 1)
		elog(ERROR, "plan \"%s\" processed " UINT64_FORMAT " rows instead of one", plan->name, n);
}

Datum
laras_spi_value(uint64 row, int col, bool *isnull)
{
	Assert(SPI_tuptable != NULL && row < SPI_tuptable->numvals);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, isnull);
}

static Datum
not_null(uint64 row, int col)
{
	bool isnull;
	Datum value = laras_spi_value(row, col, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d", col);
	return value;
}

int64
laras_spi_int8(uint64 row, int col)
{
	return DatumGetInt64(not_null(row, col));
}

int32
laras_spi_int4(uint64 row, int col)
{
	return DatumGetInt32(not_null(row, col));
}

int16
laras_spi_int2(uint64 row, int col)
{
	return DatumGetInt16(not_null(row, col));
}

bool
laras_spi_bool(uint64 row, int col)
{
	return DatumGetBool(not_null(row, col));
}

TimestampTz
laras_spi_time(uint64 row, int col)
{
	bool isnull;
	Datum value = laras_spi_value(row, col, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

bytea *
laras_spi_bytes(uint64 row, int col)
{
	bool isnull;
	Datum value = laras_spi_value(row, col, &isnull);

	return isnull ? NULL : DatumGetByteaPP(value);
}

bool
laras_spi_isnull(uint64 row, int col)
{
	bool isnull;

	(void) laras_spi_value(row, col, &isnull);
	return isnull;
}

char *
laras_spi_cstring(uint64 row, int col)
{
	char *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col);
	char *copy;

	if (value == NULL)
		return NULL;
	copy = SPI_palloc(strlen(value) + 1);
	memcpy(copy, value, strlen(value) + 1);
	return copy;
}

struct varlena *
laras_spi_varlena(uint64 row, int col)
{
	bool isnull;
	Datum value = laras_spi_value(row, col, &isnull);
	struct varlena *plain;
	struct varlena *copy;

	if (isnull)
		return NULL;
	plain = PG_DETOAST_DATUM(value);
	copy = SPI_palloc(VARSIZE(plain));
	memcpy(copy, plain, VARSIZE(plain));
	return copy;
}

Datum
laras_bytea_datum(const void *p, size_t n)
{
	bytea *b;

	if (p == NULL)
		return (Datum) 0;
	b = palloc(VARHDRSZ + n);
	SET_VARSIZE(b, VARHDRSZ + n);
	memcpy(VARDATA(b), p, n);
	return PointerGetDatum(b);
}

void
laras_run_as_owner(LarasRunAs *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->context);
	SetUserIdAndSecContext(get_role_oid("laras_owner", false),
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
laras_run_as_end(const LarasRunAs *saved)
{
	AtEOXact_GUC(true, saved->guc_level);
	SetUserIdAndSecContext(saved->userid, saved->context);
}
