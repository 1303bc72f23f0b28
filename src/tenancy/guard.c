/*
 * guard.c
 *		Nothing of laras is dropped or truncated while a workspace exists.
 *
 * Invariant: once the library is loaded in a session, every way that removes a
 * table or column of schema laras, or the extension itself, meets the
 * object-access hook below before anything is gone: DROP TABLE, DROP EXTENSION
 * pgcrypto CASCADE, DROP SCHEMA, DROP OWNED, ALTER EXTENSION ... DROP followed
 * by DROP.  Where the library is not preloaded, a member event trigger loads
 * it at the start of any such command, and a BEFORE TRUNCATE trigger on every
 * table stands in for the hook that TRUNCATE has.
 *
 * laras.allow_drop (superuser) lets everything pass; the keeper's purges pass
 * for one relation and one transaction by laras_guard_permit_truncate().
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/errors.h"
#include "tenancy/tenancy_private.h"

PG_FUNCTION_INFO_V1(laras_refuse_truncate);
PG_FUNCTION_INFO_V1(laras_arm_guard);

#define MAX_PERMITTED 64

static bool allow_drop = false;

/* relations the keeper truncates in the transaction with this id */
static LocalTransactionId permitted_lxid = InvalidLocalTransactionId;
static Oid permitted[MAX_PERMITTED];
static int permitted_count = 0;

void
laras_guard_init(void)
{
	DefineCustomBoolVariable(
		"laras.allow_drop", "Lets laras's tables be dropped and truncated while workspaces exist.",
		"For taking a server apart on purpose; set it in a session, never in a file.", &allow_drop,
		false, PGC_SUSET, GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

void
laras_guard_permit_truncate(Oid relid)
{
	if (permitted_lxid != LARAS_MY_LXID)
	{
		permitted_lxid = LARAS_MY_LXID;
		permitted_count = 0;
	}
	if (permitted_count >= MAX_PERMITTED)
		elog(ERROR, "too many relations to purge in one transaction");
	permitted[permitted_count++] = relid;
}

static bool
is_permitted(Oid relid)
{
	if (permitted_lxid != LARAS_MY_LXID)
		return false;
	for (int i = 0; i < permitted_count; i++)
		if (permitted[i] == relid)
			return true;
	return false;
}

/* A table (not a view or index) in the schema of the installed extension. */
static bool
is_our_table(Oid relid)
{
	Oid schema = get_namespace_oid("laras", true);
	char kind;

	if (!OidIsValid(schema) || get_rel_namespace(relid) != schema)
		return false;
	kind = get_rel_relkind(relid);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		return false;
	return OidIsValid(get_extension_oid("laras", true));
}

static void
refuse_while_workspaces_exist(const char *what)
{
	if (allow_drop || !laras_workspaces_exist())
		return;
	ereport(
		ERROR,
		(errcode(LARAS_ERRCODE_WORKSPACES_EXIST), errmsg("cannot %s while workspaces exist", what),
		 errdetail("Customers' data and its keys would lose each other."),
		 errhint(
			 "To take laras apart on purpose, erase its workspaces, or set laras.allow_drop = on in this session as a superuser.")));
}

/*
 * DROP EXTENSION and DROP SCHEMA that would take our tables along are refused
 * before they lock anything: on their way to the first object they would meet
 * the workers' locks in another order, and end in a deadlock instead.
 */
void
laras_guard_before_drop(const DropStmt *statement)
{
	ListCell *lc;

	if (!IsTransactionState() || !OidIsValid(get_extension_oid("laras", true)))
		return;
	foreach(lc, statement->objects)
	{
		Node *object = (Node *) lfirst(lc);
		const char *name;

		if (!IsA(object, String))
			continue;
		name = strVal(object);
		if ((statement->removeType == OBJECT_EXTENSION &&
			 (strcmp(name, "laras") == 0 ||
			  (strcmp(name, "pgcrypto") == 0 && statement->behavior == DROP_CASCADE))) ||
			(statement->removeType == OBJECT_SCHEMA && strcmp(name, "laras") == 0 &&
			 statement->behavior == DROP_CASCADE))
			refuse_while_workspaces_exist("drop what laras stands on");
	}
}

/* A room's object_access hook, see worker.h. */
void
laras_guard_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
						  void *arg)
{
	if (access == OAT_DROP)
	{
		ObjectAccessDrop *drop = (ObjectAccessDrop *) arg;

		/* the server's own housekeeping: rewritten heaps, temporary tables */
		if (drop != NULL && (drop->dropflags & PERFORM_DELETION_INTERNAL) != 0)
			return;
		/* an update script of ours */
		if (creating_extension && CurrentExtensionObject == get_extension_oid("laras", true))
			return;
		if (class_id == RelationRelationId && is_our_table(object_id))
			refuse_while_workspaces_exist(sub_id == 0 ? "drop a table of laras"
													  : "drop a column of laras");
		else if (class_id == ExtensionRelationId && object_id == get_extension_oid("laras", true))
			refuse_while_workspaces_exist("drop the extension laras");
	}
	else if (access == OAT_TRUNCATE && class_id == RelationRelationId)
	{
		/* who may not truncate at all is told so by the server, and no more */
		if (is_our_table(object_id) && !is_permitted(object_id) &&
			pg_class_aclcheck(object_id, GetUserId(), ACL_TRUNCATE) == ACLCHECK_OK)
			refuse_while_workspaces_exist("truncate a table of laras");
	}
}

/* laras.refuse_truncate(): the BEFORE TRUNCATE trigger of every table */
Datum
laras_refuse_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("laras.refuse_truncate is a BEFORE TRUNCATE trigger")));
	if (!is_permitted(RelationGetRelid(data->tg_relation)))
		refuse_while_workspaces_exist("truncate a table of laras");
	return PointerGetDatum(NULL);
}

/*
 * laras.arm_guard(): the event trigger.  Being called is its whole work: it
 * loads the library, and with it the hook, before the command runs.
 */
Datum
laras_arm_guard(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("laras.arm_guard is an event trigger")));
	return PointerGetDatum(NULL);
}
