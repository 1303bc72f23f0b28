/*
 * binding.c
 *		The binding of a transaction to a workspace and a principal.
 *
 * Invariant: laras.workspace and laras.principal take a value only from
 * bind_settings() below, or in a parallel worker that is being initialised
 * with its leader's settings.  Everything else, whoever asks, is refused by
 * the check hook: SET, set_config, ALTER ROLE or DATABASE SET, a configuration
 * file, PGOPTIONS, a granted SET privilege.  RESET can only unbind.
 *
 * The values are set with PGC_S_SESSION and GUC_ACTION_LOCAL, so the server's
 * own machinery ends them with the transaction, rolls them back with
 * savepoints and carries them to parallel workers; the assign hooks keep the
 * parsed form in statics beside them.
 *
 * That a transaction stays with its first workspace is kept apart, by local
 * transaction id, because a rolled-back savepoint must not forget it.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "tenancy/permission.h"
#include "tenancy/tenancy.h"
#include "tenancy/tenancy_private.h"

PG_FUNCTION_INFO_V1(laras_current_workspace);
PG_FUNCTION_INFO_V1(laras_current_principal);
PG_FUNCTION_INFO_V1(laras_in_worker_set_sql);
PG_FUNCTION_INFO_V1(laras_may);

static char *workspace_setting;
static char *principal_setting;

/* what the settings say, parsed */
static int64 bound_workspace = 0;
static LarasPrincipal bound_principal = {LARAS_PRINCIPAL_NONE};

/* true only inside bind_settings() */
static bool binding = false;

/* the first workspace of the transaction with this id; survives savepoints */
static LocalTransactionId first_lxid = InvalidLocalTransactionId;
static int64 first_workspace = 0;

/* the transaction with this id declared a cursor WITH HOLD */
static LocalTransactionId held_lxid = InvalidLocalTransactionId;

/* the worker set of the transaction with this id, sorted */
static LocalTransactionId set_lxid = InvalidLocalTransactionId;
static bool set_all = false;
static int64 *set_ids = NULL;
static int set_count = 0;

/* ------------------------------------------------------------- settings */

static bool
setter_is_trusted(GucSource source)
{
	if (binding || InitializingParallelWorker)
		return true;
	if (source == PGC_S_DEFAULT)
		return true; /* the boot value, at definition */
	GUC_check_errcode(LARAS_ERRCODE_BINDING_FORGED);
	GUC_check_errmsg("a workspace is bound by laras itself only");
	GUC_check_errhint("Call laras.enter with a session token or an API key.");
	return false;
}

static bool
check_workspace(char **newval, void **extra, GucSource source)
{
	int64 *id;

	if (!setter_is_trusted(source))
		return false;
	id = guc_malloc(LOG, sizeof(int64));
	if (id == NULL)
		return false;
	*id = 0;
	if (**newval != '\0')
	{
		char *end;

		errno = 0;
		*id = strtoi64(*newval, &end, 10);
		if (errno != 0 || *end != '\0' || *id <= 0)
		{
			guc_free(id);
			return false;
		}
	}
	*extra = id;
	return true;
}

static void
assign_workspace(const char *newval, void *extra)
{
	bound_workspace = extra ? *(int64 *) extra : 0;
}

static bool
check_principal(char **newval, void **extra, GucSource source)
{
	LarasPrincipal *p;

	if (!setter_is_trusted(source))
		return false;
	p = guc_malloc(LOG, sizeof(LarasPrincipal));
	if (p == NULL)
		return false;
	if (!laras_principal_parse(*newval, p))
	{
		guc_free(p);
		return false;
	}
	*extra = p;
	return true;
}

static void
assign_principal(const char *newval, void *extra)
{
	if (extra)
		bound_principal = *(LarasPrincipal *) extra;
	else
		memset(&bound_principal, 0, sizeof(bound_principal));
}

void
laras_binding_init(void)
{
	const int flags = GUC_NO_RESET_ALL | GUC_SUPERUSER_ONLY | GUC_DISALLOW_IN_FILE |
					  GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL;

	DefineCustomStringVariable("laras.principal", "Who acts in this transaction.",
							   "Set by laras itself; see laras.enter.", &principal_setting, "",
							   PGC_SUSET, flags, check_principal, assign_principal, NULL);
	DefineCustomStringVariable("laras.workspace", "The workspace this transaction is bound to.",
							   "Set by laras itself; see laras.enter.", &workspace_setting, "",
							   PGC_SUSET, flags, check_workspace, assign_workspace, NULL);
}

/* The only place that opens the check hooks. */
static void
bind_settings(int64 workspace_id, const LarasPrincipal *p, GucAction action)
{
	char id[32];
	char *who = laras_principal_text(p);

	snprintf(id, sizeof(id), INT64_FORMAT, workspace_id);
	binding = true;
	PG_TRY();
	{
		(void) set_config_option("laras.workspace", id, PGC_SUSET, PGC_S_SESSION, action, true,
								 ERROR, false);
		(void) set_config_option("laras.principal", who, PGC_SUSET, PGC_S_SESSION, action, true,
								 ERROR, false);
	}
	PG_FINALLY();
	{
		binding = false;
	}
	PG_END_TRY();
	pfree(who);
}

static bool
same_principal(const LarasPrincipal *a, const LarasPrincipal *b)
{
	return a->kind == b->kind && a->id == b->id && a->role == b->role && a->scopes == b->scopes;
}

/* -------------------------------------------------------------- binding */

int64
laras_bound_workspace(void)
{
	return bound_workspace;
}

const LarasPrincipal *
laras_principal(void)
{
	return &bound_principal;
}

void
laras_bind(int64 workspace_id, const LarasPrincipal *p)
{
	if (workspace_id <= 0 || p->kind == LARAS_PRINCIPAL_NONE)
		elog(ERROR, "a binding needs a workspace and a principal");
	if (IsInParallelMode() || IsParallelWorker())
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
						errmsg("cannot bind a workspace during a parallel operation")));
	if (held_lxid == LARAS_MY_LXID)
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_HELD_CURSOR),
			 errmsg("cannot bind a workspace after DECLARE ... WITH HOLD"),
			 errdetail(
				 "The cursor would be filled at commit and read by whoever uses the connection next.")));
	if ((bound_workspace != 0 &&
		 (bound_workspace != workspace_id || !same_principal(&bound_principal, p))) ||
		(first_lxid == LARAS_MY_LXID && first_workspace != workspace_id))
		ereport(ERROR, (errcode(LARAS_ERRCODE_BOUND_ELSEWHERE),
						errmsg("this transaction is bound to another workspace or principal"),
						errhint("Enter each workspace in a transaction of its own.")));
	if (bound_workspace == workspace_id)
		return;

	first_lxid = LARAS_MY_LXID;
	first_workspace = workspace_id;
	bind_settings(workspace_id, p, GUC_ACTION_LOCAL);
}

int
laras_bind_scope_begin(int64 workspace_id, const LarasPrincipal *p)
{
	int level = NewGUCNestLevel();

	bind_settings(workspace_id, p, GUC_ACTION_SAVE);
	return level;
}

void
laras_bind_scope_end(int level)
{
	AtEOXact_GUC(true, level);
}

void
laras_require_workspace(void)
{
	if (bound_workspace == 0)
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_NOT_BOUND), errmsg("no workspace is bound in this transaction"),
			 errhint("Call laras.enter in this transaction first, as a statement of its own.")));
}

/* Remembered by the utility hook; see laras_bind. */
void
laras_binding_saw_hold(void)
{
	held_lxid = LARAS_MY_LXID;
}

/* ----------------------------------------------------------- worker set */

static int
compare_ids(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

void
laras_worker_bind(const int64 *ids, int n)
{
	set_all = false;
	set_count = 0;
	set_ids = MemoryContextAllocHuge(TopTransactionContext, sizeof(int64) * Max(n, 1));
	if (n > 0)
		memcpy(set_ids, ids, sizeof(int64) * n);
	qsort(set_ids, n, sizeof(int64), compare_ids);
	set_count = n;
	set_lxid = LARAS_MY_LXID;
}

void
laras_worker_bind_all(void)
{
	set_all = true;
	set_ids = NULL;
	set_count = 0;
	set_lxid = LARAS_MY_LXID;
}

bool
laras_in_worker_set(int64 workspace_id)
{
	if (set_lxid == InvalidLocalTransactionId || set_lxid != LARAS_MY_LXID)
		return false;
	if (set_all)
		return true;
	if (set_count == 0)
		return false;
	return bsearch(&workspace_id, set_ids, set_count, sizeof(int64), compare_ids) != NULL;
}

bool
laras_workspace_in_reach(int64 workspace_id)
{
	return workspace_id != 0 &&
		   (workspace_id == bound_workspace || laras_in_worker_set(workspace_id));
}

/* -------------------------------------------------------- SQL callables */

/* laras.current_workspace(): null when unbound.  STABLE, never IMMUTABLE. */
Datum
laras_current_workspace(PG_FUNCTION_ARGS)
{
	if (bound_workspace == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(bound_workspace);
}

/* laras.current_principal(): "member:12:agent", null when unbound */
Datum
laras_current_principal(PG_FUNCTION_ARGS)
{
	if (bound_workspace == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(laras_principal_text(&bound_principal)));
}

/* laras.in_worker_set(bigint) */
Datum
laras_in_worker_set_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(laras_in_worker_set(PG_GETARG_INT64(0)));
}

/* laras.may(scope text): does the principal hold the scope; false when unbound */
Datum
laras_may(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	uint32 scope = laras_scope_by_name(name, strlen(name));

	if (scope == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown scope"),
				 errhint("Scopes are inbox, knowledge, crm, connect, erase, export and admin.")));
	PG_RETURN_BOOL(bound_workspace != 0 && (bound_principal.scopes & scope) == scope);
}
