/*
 * roles.c
 *		laras's roles: made at the start of the install script, kept from
 *		whoever has CREATEROLE, described once for all who check them.
 *
 * Invariant: a role of a reserved name is taken over only when it has exactly
 * the attributes below, no password, no setting but ours, and no membership
 * with a role that is neither ours nor a superuser.  Whoever could make such a
 * role beforehand gains nothing from having made it.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/spi.h"
#include "tenancy/roles.h"
#include "tenancy/tenancy_private.h"

PG_FUNCTION_INFO_V1(laras_make_roles);

const LarasRoleSpec laras_roles[] = {
	{"laras_owner", false, false, -1, false, "CREATE ROLE laras_owner NOLOGIN"},
	{"laras_worker", true, false, 0, false, "CREATE ROLE laras_worker LOGIN CONNECTION LIMIT 0"},
	{"laras_intake", false, false, -1, false, "CREATE ROLE laras_intake NOLOGIN"},
	{"laras_service", true, false, -1, true, "CREATE ROLE laras_service LOGIN"},
	{"laras_app", true, false, -1, true, "CREATE ROLE laras_app LOGIN"},
	{"laras_drafter", false, false, -1, false, "CREATE ROLE laras_drafter NOLOGIN"},
	{"laras_relay", true, false, -1, true, "CREATE ROLE laras_relay LOGIN"},
	{"laras_standby", true, false, -1, false, "CREATE ROLE laras_standby LOGIN"},
	{"laras_dba", false, false, -1, false, "CREATE ROLE laras_dba NOLOGIN", true},
	{"laras_auditor", false, false, -1, false, "CREATE ROLE laras_auditor NOLOGIN", true},
	{"laras_backup", false, true, -1, false, "CREATE ROLE laras_backup NOLOGIN BYPASSRLS", true},
};
const int laras_roles_count = lengthof(laras_roles);

/*
 * What keeps tokens and customers' words, which arrive as bind parameters, out
 * of the server log.  One statement for each setting of each quiet role.
 */
#define QUIET_SETTINGS(X)                       \
	X("log_statement", "none")                  \
	X("log_min_duration_statement", "-1")       \
	X("log_min_duration_sample", "-1")          \
	X("log_transaction_sample_rate", "0")       \
	X("log_parameter_max_length", "0")          \
	X("log_parameter_max_length_on_error", "0") \
	X("log_min_error_statement", "panic")       \
	X("debug_print_parse", "off")               \
	X("debug_print_rewritten", "off")           \
	X("debug_print_plan", "off")                \
	X("auto_explain.log_min_duration", "-1")

const LarasQuietSetting laras_quiet_settings[] = {
#define QUIET_ROW(name, value) {name, value},
	QUIET_SETTINGS(QUIET_ROW)
#undef QUIET_ROW
};
const int laras_quiet_settings_count = lengthof(laras_quiet_settings);

static const char *const quiet_statements[] = {
#define QUIET_STATEMENTS(name, value)                          \
	"ALTER ROLE laras_relay SET " name " = '" value "'",       \
		"ALTER ROLE laras_service SET " name " = '" value "'", \
		"ALTER ROLE laras_app SET " name " = '" value "'",
	QUIET_SETTINGS(QUIET_STATEMENTS)
#undef QUIET_STATEMENTS
};

/* The minor releases below which a known hole reaches us. */
static const int minimum_minor[][2] = {{15, 18}, {16, 14}, {17, 10}, {18, 4}};

bool
laras_server_is_patched(void)
{
	int version = pg_strtoint32(GetConfigOption("server_version_num", false, false));

	for (int i = 0; i < lengthof(minimum_minor); i++)
		if (version / 10000 == minimum_minor[i][0])
			return version % 10000 >= minimum_minor[i][1];
	return true;
}

bool
laras_is_reserved_role(const char *name)
{
	for (int i = 0; i < laras_roles_count; i++)
		if (strcmp(laras_roles[i].name, name) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------- checking */

LARAS_PLAN(
	foreign_membership,
	"SELECT r.rolname::text FROM pg_catalog.pg_auth_members m "
	"JOIN pg_catalog.pg_roles r ON r.oid = CASE WHEN m.roleid = $1 THEN m.member ELSE m.roleid END "
	"WHERE $1 IN (m.roleid, m.member) AND NOT r.rolname::text = ANY ($2) "
	"AND NOT (r.rolsuper AND m.roleid = $1) "
	"ORDER BY 1 LIMIT 1",
	OIDOID, TEXTARRAYOID);

LARAS_PLAN(foreign_setting,
		   "SELECT pg_catalog.split_part(c.entry, '=', 1) "
		   "FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS c (entry) "
		   "WHERE s.setrole = $1 "
		   "AND NOT pg_catalog.split_part(c.entry, '=', 1) = ANY ($2) "
		   "ORDER BY 1 LIMIT 1",
		   OIDOID, TEXTARRAYOID);

static ArrayType *
text_array(const char *(*name_of)(int), int n)
{
	Datum *names = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		names[i] = CStringGetTextDatum(name_of(i));
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static const char *
role_name(int i)
{
	return laras_roles[i].name;
}

static const char *
setting_name(int i)
{
	return laras_quiet_settings[i].name;
}

static bool
attributes_match(const LarasRoleSpec *spec, Form_pg_authid role)
{
	return !role->rolsuper && role->rolinherit && !role->rolcreaterole && !role->rolcreatedb &&
		   !role->rolreplication && role->rolcanlogin == spec->login &&
		   role->rolbypassrls == spec->bypassrls && role->rolconnlimit == spec->connlimit;
}

const char *
laras_role_problem(const LarasRoleSpec *spec, bool installed)
{
	HeapTuple tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(spec->name));
	const char *problem = NULL;
	Datum args[2];
	bool isnull;
	Oid roleid;

	if (!HeapTupleIsValid(tuple))
		return "it does not exist";
	roleid = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	if (!attributes_match(spec, (Form_pg_authid) GETSTRUCT(tuple)))
		problem = "its attributes differ";
	(void) SysCacheGetAttr(AUTHNAME, tuple, Anum_pg_authid_rolpassword, &isnull);
	if (!isnull && !(installed && spec->login && spec->connlimit != 0))
		problem = "it has a password";
	(void) SysCacheGetAttr(AUTHNAME, tuple, Anum_pg_authid_rolvaliduntil, &isnull);
	if (!isnull && !installed)
		problem = "it expires";
	ReleaseSysCache(tuple);
	if (problem != NULL)
		return problem;

	args[0] = ObjectIdGetDatum(roleid);
	args[1] = PointerGetDatum(text_array(role_name, laras_roles_count));
	laras_spi_open();
	if (!(installed && spec->group) && laras_spi_read(&foreign_membership, args, NULL) > 0)
		problem = psprintf("it shares a membership with role \"%s\"", laras_spi_cstring(0, 1));
	args[1] = PointerGetDatum(text_array(setting_name, laras_quiet_settings_count));
	if (problem == NULL && laras_spi_read(&foreign_setting, args, NULL) > 0)
		problem = psprintf("it carries the setting \"%s\"", laras_spi_cstring(0, 1));
	if (problem != NULL)
	{
		char *copy = SPI_palloc(strlen(problem) + 1);

		memcpy(copy, problem, strlen(problem) + 1);
		problem = copy;
	}
	laras_spi_close();
	return problem;
}

/* --------------------------------------------------------------- making */

/* Nobody may have put anything into the schema before the script does. */
LARAS_PLAN(schema_strangers,
		   "SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = 'laras' AND ("
		   "n.nspowner <> (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) "
		   "OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid) "
		   "OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid) "
		   "OR EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oprnamespace = n.oid) "
		   "OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid "
		   "AND p.proname <> 'make_roles'))");

static void
run(const char *statement)
{
	if (SPI_execute(statement, false, 0) < 0)
		elog(ERROR, "could not run a statement of the role set");
}

/*
 * laras.make_roles(): first in the install script, dropped at its end.
 */
Datum
laras_make_roles(PG_FUNCTION_ARGS)
{
	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only a superuser installs laras")));
	if (!laras_server_is_patched())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this release of PostgreSQL has known holes that reach laras"),
						errhint("Update to 15.18, 16.14, 17.10, 18.4 or later.")));

	laras_spi_open();
	if (laras_spi_read(&schema_strangers, NULL, NULL) > 0)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_SCHEMA),
						errmsg("schema laras exists and is not empty, or belongs to somebody else"),
						errhint("Drop it, or install laras into another database.")));

	for (int i = 0; i < laras_roles_count; i++)
	{
		const LarasRoleSpec *spec = &laras_roles[i];
		const char *problem;

		if (!OidIsValid(get_role_oid(spec->name, true)))
		{
			run(spec->create);
			continue;
		}
		problem = laras_role_problem(spec, false);
		if (problem != NULL)
			ereport(
				ERROR,
				(errcode(LARAS_ERRCODE_RESERVED_ROLE),
				 errmsg("role \"%s\" exists, but not as laras makes it", spec->name),
				 errdetail("It would be taken over with rights of its own: %s.", problem),
				 errhint(
					 "Drop it, or undo that. A password or a member that you gave it for laras in another database can be given again after the installation.")));
	}
	for (int i = 0; i < lengthof(quiet_statements); i++)
		run(quiet_statements[i]);
	laras_spi_close();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------ protecting */

static bool
spec_is_reserved(const RoleSpec *role)
{
	if (role == NULL)
		return false;
	switch (role->roletype)
	{
		case ROLESPEC_CSTRING:
			return laras_is_reserved_role(role->rolename);
		case ROLESPEC_CURRENT_ROLE:
		case ROLESPEC_CURRENT_USER:
			return laras_is_reserved_role(GetUserNameFromId(GetUserId(), false));
		case ROLESPEC_SESSION_USER:
			return laras_is_reserved_role(GetUserNameFromId(GetSessionUserId(), false));
		case ROLESPEC_PUBLIC:
			return false;
	}
	return false;
}

static bool
any_reserved(List *role_specs)
{
	ListCell *lc;

	foreach(lc, role_specs)
		if (spec_is_reserved(lfirst_node(RoleSpec, lc)))
			return true;
	return false;
}

static bool
creates_reserved(CreateRoleStmt *stmt)
{
	ListCell *lc;

	if (laras_is_reserved_role(stmt->role))
		return true;
	foreach(lc, stmt->options)
	{
		DefElem *option = lfirst_node(DefElem, lc);

		if ((strcmp(option->defname, "addroleto") == 0 ||
			 strcmp(option->defname, "rolemembers") == 0 ||
			 strcmp(option->defname, "adminmembers") == 0) &&
			option->arg != NULL && any_reserved((List *) option->arg))
			return true;
	}
	return false;
}

static bool
grants_reserved(GrantRoleStmt *stmt)
{
	ListCell *lc;

	/* from 16 on who holds ADMIN OPTION of a role of ours was given it by a superuser */
	foreach(lc, LARAS_CREATEROLE_TAKES_ALL ? stmt->granted_roles : NIL)
	{
		AccessPriv *granted = lfirst_node(AccessPriv, lc);

		if (granted->priv_name && laras_is_reserved_role(granted->priv_name))
			return true;
	}
	/* on every release whoever makes a role may lend it: ours take none */
	return any_reserved(stmt->grantee_roles);
}

/*
 * Only superusers touch our roles: below 16 whoever has CREATEROLE could take
 * them, and on every release a login role may change its own settings and
 * password, which a pool of many sessions shares.
 */
void
laras_roles_before_utility(const LarasUtility *utility)
{
	bool reserved = false;

	switch (nodeTag(utility->statement))
	{
		case T_CreateRoleStmt:
			reserved = creates_reserved((CreateRoleStmt *) utility->statement);
			break;
		case T_AlterRoleStmt:
			reserved = spec_is_reserved(((AlterRoleStmt *) utility->statement)->role);
			/* ALTER GROUP ... ADD USER arrives here too */
			if (!reserved)
			{
				ListCell *lc;

				foreach(lc, ((AlterRoleStmt *) utility->statement)->options)
				{
					DefElem *option = lfirst_node(DefElem, lc);

					if (strcmp(option->defname, "rolemembers") == 0 && option->arg != NULL &&
						any_reserved((List *) option->arg))
						reserved = true;
				}
			}
			break;
		case T_AlterRoleSetStmt:
			reserved = spec_is_reserved(((AlterRoleSetStmt *) utility->statement)->role);
			break;
		case T_DropRoleStmt:
			reserved = any_reserved(((DropRoleStmt *) utility->statement)->roles);
			break;
		case T_GrantRoleStmt:
			reserved = grants_reserved((GrantRoleStmt *) utility->statement);
			break;
		case T_RenameStmt:
		{
			RenameStmt *stmt = (RenameStmt *) utility->statement;

			reserved = stmt->renameType == OBJECT_ROLE && (laras_is_reserved_role(stmt->subname) ||
														   laras_is_reserved_role(stmt->newname));
			break;
		}
		default:
			return;
	}
	if (reserved && !superuser())
		ereport(ERROR,
				(errcode(LARAS_ERRCODE_RESERVED_ROLE),
				 errmsg("only a superuser makes, changes, grants or drops a role of laras")));
}
