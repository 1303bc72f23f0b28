/*
 * drafterrole.c
 *		Drafting as laras_drafter, see drafterrole.h.
 *
 * The conversation is kept by local transaction id: a transaction that ended
 * in between leaves none behind.
 */
#include "postgres.h"

#include "answer/drafterrole.h"
#include "base/compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "tenancy/tenancy.h"
#include "utils/acl.h"

PG_FUNCTION_INFO_V1(laras_drafting_conversation);

static LocalTransactionId drafting_lxid = InvalidLocalTransactionId;
static int64 drafting_conversation = 0;

void
laras_drafter_begin(LarasDrafterRole *saved, int64 workspace_id, int64 conversation_id)
{
	const LarasPrincipal drafter = {.kind = LARAS_PRINCIPAL_WORKER};

	GetUserIdAndSecContext(&saved->userid, &saved->context);
	saved->binding = laras_bind_scope_begin(workspace_id, &drafter);
	drafting_lxid = LARAS_MY_LXID;
	drafting_conversation = conversation_id;
	SetUserIdAndSecContext(get_role_oid("laras_drafter", false),
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

void
laras_drafter_end(const LarasDrafterRole *saved)
{
	SetUserIdAndSecContext(saved->userid, saved->context);
	drafting_lxid = InvalidLocalTransactionId;
	drafting_conversation = 0;
	laras_bind_scope_end(saved->binding);
}

/* laras.drafting_conversation() returns bigint: null unless a draft is being made */
Datum
laras_drafting_conversation(PG_FUNCTION_ARGS)
{
	if (drafting_lxid == InvalidLocalTransactionId || drafting_lxid != LARAS_MY_LXID ||
		drafting_conversation == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(drafting_conversation);
}
