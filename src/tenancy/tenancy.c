/*
 * tenancy.c
 *		Puts the room together: settings, shared memory, hooks.
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "utils/guc.h"

#include "base/errors.h"
#include "tenancy/tenancy_private.h"

int laras_session_lifetime = 720;

void
laras_tenancy_init(void)
{
	laras_binding_init();
	laras_guard_init();
	laras_password_init();
	DefineCustomIntVariable("laras.session_lifetime", "How long a session lasts after its log-in.",
							NULL, &laras_session_lifetime, 720, 5, 43200, PGC_SUSET, GUC_UNIT_MIN,
							NULL, NULL, NULL);
}

/*
 * A cursor WITH HOLD is filled at commit, while the workspace is still bound,
 * and is read afterwards by whoever uses the connection next.
 */
static void
refuse_hold(const DeclareCursorStmt *stmt)
{
	if ((stmt->options & CURSOR_OPT_HOLD) == 0)
		return;
	if (laras_bound_workspace() != 0)
		ereport(ERROR,
				(errcode(LARAS_ERRCODE_HELD_CURSOR),
				 errmsg("cannot declare a cursor WITH HOLD while a workspace is bound"),
				 errdetail(
					 "Its rows would outlive the transaction that was allowed to see them.")));
	laras_binding_saw_hold();
}

void
laras_tenancy_before_utility(const LarasUtility *utility)
{
	if (IsA(utility->statement, DeclareCursorStmt))
		refuse_hold((DeclareCursorStmt *) utility->statement);
	else if (IsA(utility->statement, DropStmt))
		laras_guard_before_drop((DropStmt *) utility->statement);
	else
		laras_roles_before_utility(utility);
}
