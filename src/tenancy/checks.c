/*
 * checks.c
 *		This room's rows of laras.doctor(): what the install script sets and a
 *		person may have changed since, and the revokes that reach beyond the
 *		schema, which laras asks for and never makes silently.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/clock.h"
#include "base/spi.h"
#include "tenancy/roles.h"
#include "tenancy/tenancy_private.h"

/* The first column of all rows, joined; NULL when there is none. */
static char *
offenders(LarasPlan *plan, const Datum *args)
{
	StringInfoData list;
	uint64 n;
	char *joined = NULL;

	laras_spi_open();
	n = laras_spi_read(plan, args, NULL);
	if (n > 0)
	{
		initStringInfo(&list);
		for (uint64 i = 0; i < n; i++)
			appendStringInfo(&list, "%s%s", i ? ", " : "", laras_spi_cstring(i, 1));
		joined = SPI_palloc(list.len + 1);
		memcpy(joined, list.data, list.len + 1);
	}
	laras_spi_close();
	return joined;
}

/* One row: ok when the plan finds nothing, else the state with what it found. */
static void
report(LarasDoctorSink *sink, const char *check, const char *bad_state, const char *found,
	   const char *hint)
{
	if (found == NULL)
		laras_doctor_row(sink, check, "ok", NULL, NULL);
	else
		laras_doctor_row(sink, check, bad_state, found, hint);
}

static void
setting_given(LarasDoctorSink *sink, const char *check, const char *setting, const char *otherwise)
{
	const char *value = GetConfigOption(setting, true, false);
	bool given = value != NULL && *value != '\0';

	laras_doctor_row(sink, check, given ? "ok" : "warn", given ? NULL : otherwise,
					 given ? NULL : psprintf("Set %s.", setting));
}

static void
check_server(LarasDoctorSink *sink)
{
	const char *directory = GetConfigOption("laras.keyring_directory", true, false);

	laras_doctor_row(
		sink, "server version", laras_server_is_patched() ? "ok" : "fail",
		GetConfigOption("server_version", false, false),
		laras_server_is_patched()
			? NULL
			: "Update to the newest minor release: older ones have holes that reach laras.");
	if (laras_is_preloaded())
		laras_doctor_row(sink, "preload", "ok", NULL, NULL);
	else
		laras_doctor_row(
			sink, "preload", "fail", "laras is not in shared_preload_libraries",
			"Add it and restart: without it there are no workers, no ids, and the roles are not protected.");
	laras_doctor_row(sink, "clock", laras_test_mode ? "warn" : "ok",
					 laras_test_mode
						 ? "laras.test_mode is on, so that a superuser can move the clock"
						 : NULL,
					 laras_test_mode ? "Never run it with customers' data." : NULL);
	if (directory == NULL || *directory == '\0')
		laras_doctor_row(
			sink, "ids", "warn",
			"no high-water mark of ids is kept, so that a clock that steps back could repeat one",
			"Set laras.keyring_directory.");
	else
		laras_doctor_row(sink, "ids", "ok", NULL, NULL);
	setting_given(sink, "evidence key", "laras.evidence_key_file",
				  "no checkpoint of the evidence is signed, so that nobody outside can check it");
	setting_given(
		sink, "public address", "laras.public_url",
		"links to be followed from outside cannot be made, and logs begin under the name laras.invalid");
}

static void
check_roles(LarasDoctorSink *sink)
{
	for (int i = 0; i < laras_roles_count; i++)
	{
		const char *problem = laras_role_problem(&laras_roles[i], true);

		report(
			sink, psprintf("role %s", laras_roles[i].name), "fail", problem,
			"Set it back by ALTER ROLE, or REVOKE the membership; docs/explanation/tenancy says what each role is for.");
	}
}

LARAS_PLAN(
	missing_quiet,
	"SELECT r.rolname || ': ' || q.entry "
	"FROM pg_catalog.pg_roles r, pg_catalog.unnest($1) AS q (entry) "
	"WHERE r.rolname::text = ANY ($2) AND NOT EXISTS ("
	"SELECT FROM pg_catalog.pg_db_role_setting s "
	"WHERE s.setrole = r.oid AND s.setdatabase = 0 AND q.entry = ANY (s.setconfig)) "
	"UNION ALL "
	"SELECT r.rolname || ' in one database: ' || c.entry "
	"FROM pg_catalog.pg_roles r "
	"JOIN pg_catalog.pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase <> 0, "
	"pg_catalog.unnest(s.setconfig) AS c (entry) "
	"WHERE r.rolname::text = ANY ($2) AND NOT c.entry = ANY ($1) "
	"AND pg_catalog.split_part(c.entry, '=', 1) IN "
	"(SELECT pg_catalog.split_part(q.entry, '=', 1) FROM pg_catalog.unnest($1) AS q (entry)) "
	"ORDER BY 1",
	TEXTARRAYOID, TEXTARRAYOID);

static void
check_log_settings(LarasDoctorSink *sink)
{
	Datum *entries = palloc(laras_quiet_settings_count * sizeof(Datum));
	Datum *names = palloc(laras_roles_count * sizeof(Datum));
	int n = 0;

	for (int i = 0; i < laras_quiet_settings_count; i++)
		entries[i] = CStringGetTextDatum(
			psprintf("%s=%s", laras_quiet_settings[i].name, laras_quiet_settings[i].value));
	for (int i = 0; i < laras_roles_count; i++)
		if (laras_roles[i].quiet)
			names[n++] = CStringGetTextDatum(laras_roles[i].name);
	report(
		sink, "log settings", "fail",
		offenders(&missing_quiet,
				  (Datum[]){PointerGetDatum(construct_array(entries, laras_quiet_settings_count,
															TEXTOID, -1, false, TYPALIGN_INT)),
							PointerGetDatum(
								construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT))}),
		"Tokens and customers' words could reach the server log. Set each again: ALTER ROLE ... SET ....");
}

LARAS_PLAN(temp_holders,
		   "SELECT r.rolname::text FROM pg_catalog.pg_roles r "
		   "WHERE r.rolname IN ('laras_app', 'laras_relay', 'laras_service') "
		   "AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'TEMP') "
		   "ORDER BY 1");

LARAS_PLAN(create_holders,
		   "SELECT r.rolname || ' in ' || n.nspname "
		   "FROM pg_catalog.pg_roles r, pg_catalog.pg_namespace n "
		   "WHERE r.rolname IN ('laras_app', 'laras_relay', 'laras_service', 'laras_owner') "
		   "AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast%' "
		   "AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE') ORDER BY 1");

/* Large objects outlive a transaction; signals reach other tenants' sessions. */
LARAS_PLAN(open_functions,
		   "SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p "
		   "WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace "
		   "AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', "
		   "'pg_terminate_backend', 'pg_cancel_backend') "
		   "AND pg_catalog.has_function_privilege('laras_app', p.oid, 'EXECUTE') ORDER BY 1");

static void
check_revokes(LarasDoctorSink *sink)
{
	report(
		sink, "temporary tables", "warn", offenders(&temp_holders, NULL),
		"A temporary table outlives the transaction that was allowed to read. REVOKE TEMP ON DATABASE ... FROM PUBLIC, and grant it to those who need it.");
	report(
		sink, "making objects", "fail", offenders(&create_holders, NULL),
		"These roles make nothing in any schema. REVOKE CREATE ON SCHEMA ... FROM PUBLIC or from the role.");
	report(
		sink, "functions open to everybody", "warn", offenders(&open_functions, NULL),
		"Sessions of one login role share these between tenants. REVOKE EXECUTE ON FUNCTION ... FROM PUBLIC.");
}

LARAS_PLAN(
	owner_members,
	"SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE NOT r.rolsuper AND r.rolcanlogin "
	"AND pg_catalog.pg_has_role(r.oid, 'laras_owner', 'MEMBER') ORDER BY 1");

LARAS_PLAN(
	open_tables,
	"SELECT c.relname::text FROM pg_catalog.pg_class c "
	"WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace AND ("
	"(c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)) "
	"OR (c.relkind IN ('r', 'p', 'v') AND c.relowner <> "
	"(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = 'laras_owner'))) ORDER BY 1");

LARAS_PLAN(strong_definers,
		   "SELECT p.proname::text FROM pg_catalog.pg_proc p "
		   "JOIN pg_catalog.pg_roles r ON r.oid = p.proowner "
		   "WHERE p.pronamespace = 'laras'::pg_catalog.regnamespace AND p.prosecdef "
		   "AND (r.rolsuper OR r.rolbypassrls) ORDER BY 1");

LARAS_PLAN(public_rights,
		   "SELECT p.proname::text FROM pg_catalog.pg_proc p, "
		   "pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a "
		   "WHERE p.pronamespace = 'laras'::pg_catalog.regnamespace AND a.grantee = 0 "
		   "UNION "
		   "SELECT c.relname::text FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a "
		   "WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace AND a.grantee = 0 ORDER BY 1");

LARAS_PLAN(
	unguarded,
	"SELECT c.relname::text FROM pg_catalog.pg_class c "
	"WHERE c.relnamespace = 'laras'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid "
	"AND t.tgfoid = 'laras.refuse_truncate'::pg_catalog.regproc AND t.tgenabled = 'A') "
	"UNION ALL "
	"SELECT 'event trigger laras_guard' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e "
	"WHERE e.evtname = 'laras_guard' AND e.evtenabled = 'A') ORDER BY 1");

static void
check_schema(LarasDoctorSink *sink)
{
	report(sink, "members of laras_owner", "fail", offenders(&owner_members, NULL),
		   "Nobody logs in as the owner of the tables. REVOKE laras_owner FROM ....");
	report(sink, "row security", "fail", offenders(&open_tables, NULL),
		   "Every table belongs to laras_owner, with row security enabled and forced.");
	report(sink, "definer functions", "fail", offenders(&strong_definers, NULL),
		   "A function that runs as its owner belongs to a role whom row security binds.");
	report(sink, "rights of PUBLIC", "fail", offenders(&public_rights, NULL),
		   "REVOKE ALL ... FROM PUBLIC.");
	report(
		sink, "guard", "fail", offenders(&unguarded, NULL),
		"ALTER TABLE ... ENABLE ALWAYS TRIGGER refuse_truncate; ALTER EVENT TRIGGER laras_guard ENABLE ALWAYS.");
}

void
laras_doctor_tenancy(LarasDoctorSink *sink)
{
	check_server(sink);
	check_roles(sink);
	check_log_settings(sink);
	check_revokes(sink);
	check_schema(sink);
}
