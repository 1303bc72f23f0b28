/*
 * spi.h
 *		SQL from C: named plans, prepared once a session, with typed
 *		parameters.  Every statement is written with its schemas; the caller's
 *		SQL function pins search_path (SET search_path = pg_catalog, pg_temp), a
 *		worker pins it once a session.  Rows are read as whoever runs the
 *		statement: a SECURITY DEFINER function of laras_owner stays under the
 *		forced policies.
 *
 *		LARAS_PLAN(find_member,
 *				   "SELECT m.id FROM laras.member m WHERE m.workspace_id = $1",
 *				   INT8OID);
 *		laras_spi_open();
 *		if (laras_spi_read(&find_member, (Datum[]) {Int64GetDatum(w)}, NULL) > 0)
 *			id = laras_spi_int8(0, 1);
 *		laras_spi_close();
 */
#ifndef LARAS_BASE_SPI_H
#define LARAS_BASE_SPI_H

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type_d.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"

#define LARAS_SPI_MAX_ARGS 32

/* Stand-ins for laras.sealed and laras.sealed[], whose oids no header knows. */
#define LARAS_SEALED ((Oid) 1)
#define LARAS_SEALED_ARRAY ((Oid) 2)

typedef struct LarasPlan
{
	const char *name; /* for error contexts */
	const char *sql;  /* a constant; never built from input */
	int nargs;
	Oid argtypes[LARAS_SPI_MAX_ARGS];
	SPIPlanPtr plan; /* NULL until first used */
	Oid sealed;      /* oid of laras.sealed at preparation */
} LarasPlan;

/* Declares a static plan: variable, query, parameter types. */
#define LARAS_PLAN(var, query, ...)                                             \
	static LarasPlan var = {                                                    \
		#var,          query, sizeof((const Oid[]){__VA_ARGS__}) / sizeof(Oid), \
		{__VA_ARGS__}, NULL,  InvalidOid}

/* SPI_connect and SPI_finish, raising where these return a code. */
extern void laras_spi_open(void);
extern void laras_spi_close(void);

/*
 * Runs the plan and returns the number of rows processed; rows returned stay
 * in SPI's memory until laras_spi_close().  nulls is NULL or one ' ' or 'n'
 * for each argument.  laras_spi_read is for statements that change nothing:
 * it uses the active snapshot and takes no command id.
 */
extern uint64 laras_spi_run(LarasPlan *plan, const Datum *values, const char *nulls);
extern uint64 laras_spi_read(LarasPlan *plan, const Datum *values, const char *nulls);

/* Like laras_spi_run, but an error unless exactly one row was processed. */
extern void laras_spi_run_one(LarasPlan *plan, const Datum *values, const char *nulls);

/*
 * For workers whose statements look all rows up by key: what the statistics say
 * of tables that are empty at one moment and long at the next must not lead the
 * planner to read all of one instead. For the session, or for the transaction;
 * in that, a statement is planned once for all values too.
 */
extern void laras_spi_plan_by_keys(bool for_session);

/* A value of the last result; row from 0, column from 1. */
extern Datum laras_spi_value(uint64 row, int col, bool *isnull);

/* Typed readers; raise where the value is null. */
extern int64 laras_spi_int8(uint64 row, int col);
extern int32 laras_spi_int4(uint64 row, int col);
extern int16 laras_spi_int2(uint64 row, int col);
extern bool laras_spi_bool(uint64 row, int col);

/* The same for columns that may be null: 0 and NULL then. The bytes stay in SPI's memory. */
extern TimestampTz laras_spi_time(uint64 row, int col);
extern bytea *laras_spi_bytes(uint64 row, int col);
extern bool laras_spi_isnull(uint64 row, int col);

/*
 * Copies into the context that was current at laras_spi_open(), so that the
 * value lives on after laras_spi_close().  Null reads as NULL.
 */
extern char *laras_spi_cstring(uint64 row, int col);
extern struct varlena *laras_spi_varlena(uint64 row, int col);

/* A copy of n bytes as a bytea parameter; p NULL gives datum 0. */
extern Datum laras_bytea_datum(const void *p, size_t n);

/*
 * For code that is called by whoever (a helper of another room, a utility
 * hook) but must read as the tables' owner, under the forced policies.  An
 * error between the two needs no cleaning: the transaction restores the user.
 */
typedef struct LarasRunAs
{
	Oid userid;
	int context;
	int guc_level;
} LarasRunAs;

extern void laras_run_as_owner(LarasRunAs *saved); /* also pins search_path */
extern void laras_run_as_end(const LarasRunAs *saved);

/* Oid of laras.sealed; InvalidOid where the extension is not installed. */
extern Oid laras_sealed_type(void);

#endif /* LARAS_BASE_SPI_H */
