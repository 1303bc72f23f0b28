/*
 * session.c
 *		Logging in and out.
 *
 * Invariant: a failed log-in leaves no session and one text, whether the
 * address is unknown, the password wrong, the member removed or the workspace
 * closed.
 *
 * One address may be a member of several workspaces, each with a password of
 * its own, since nobody may learn from adding a member that another workspace
 * has that address.  A log-in enters the first one, in order of age, whose
 * password it is.
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/permission.h"
#include "tenancy/tenancy_private.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_log_in_sql);
PG_FUNCTION_INFO_V1(laras_log_out_sql);

LARAS_PLAN(
	insert_session,
	"INSERT INTO laras.session (workspace_id, id, member_id, token_hash, created_at, expires_at) "
	"VALUES ($1, $2, $3, $4, $5, $6)",
	INT8OID, INT8OID, INT8OID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

LARAS_PLAN(revoke_session,
		   "UPDATE laras.session SET revoked_at = laras.now() "
		   "WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL",
		   INT8OID, INT8OID);

static void
note_login(const LarasMemberRow *member, LarasAction action, int64 session)
{
	LarasEvidence e = {
		.workspace_id = member->workspace_id,
		.action = action,
		.actor_kind = LARAS_ACTOR_MEMBER,
		.actor_id = member->id,
		.subject_kind = session ? LARAS_SUBJECT_SESSION : LARAS_SUBJECT_MEMBER,
		.subject_id = session ? session : member->id,
	};

	laras_evidence_append(&e);
}

static void
member_principal(const LarasMemberRow *member, LarasPrincipal *p)
{
	memset(p, 0, sizeof(*p));
	p->kind = LARAS_PRINCIPAL_MEMBER;
	p->id = member->id;
	p->role = member->role;
	p->scopes = laras_role_scopes(member->role);
}

static char *
new_session(const LarasMemberRow *member)
{
	uint8 hash[LARAS_HASH_BYTES];
	char *token = laras_token_new(LARAS_TOKEN_SESSION, NULL, hash);
	bytea *stored = palloc(VARHDRSZ + LARAS_HASH_BYTES);
	TimestampTz now = laras_clock();
	int64 id = laras_new_id();
	LarasPrincipal p;
	int level;

	SET_VARSIZE(stored, VARHDRSZ + LARAS_HASH_BYTES);
	memcpy(VARDATA(stored), hash, LARAS_HASH_BYTES);
	member_principal(member, &p);
	level = laras_bind_scope_begin(member->workspace_id, &p);
	laras_spi_open();
	laras_spi_run_one(
		&insert_session,
		(Datum[]){Int64GetDatum(member->workspace_id), Int64GetDatum(id), Int64GetDatum(member->id),
				  PointerGetDatum(stored), TimestampTzGetDatum(now),
				  TimestampTzGetDatum(now + laras_session_lifetime * (int64) USECS_PER_MINUTE)},
		NULL);
	laras_spi_close();
	note_login(member, LARAS_ACT_LOGIN_SUCCEEDED, id);
	laras_bind_scope_end(level);
	return token;
}

/*
 * See tenancy.h.  The failed attempt is evidence in each workspace that has
 * the address; it stays when the caller commits, as the gateway does.
 */
char *
laras_log_in(const char *email, const char *password)
{
	char *address = laras_email_normalise(email);
	uint8 hash[LARAS_INDEX_BYTES];
	LarasMemberRow *members;
	LarasWorkspaceRow workspace;
	int n;
	int match = -1;

	laras_login_hash(LARAS_INDEX_LOGIN_EMAIL, NULL, address, strlen(address), hash);
	n = laras_find_logins(hash, &members);
	for (int i = 0; i < n && match < 0; i++)
		if (laras_password_matches(password, members[i].password_hash) &&
			laras_find_workspace(members[i].workspace_id, &workspace) && workspace.active)
			match = i;
	if (n == 0)
		(void) laras_password_matches(password, NULL);

	if (match >= 0)
		return new_session(&members[match]);

	laras_count_failed_login();
	for (int i = 0; i < n; i++)
	{
		LarasPrincipal p = {LARAS_PRINCIPAL_SERVICE, 0, LARAS_ROLE_NONE, 0};
		int level = laras_bind_scope_begin(members[i].workspace_id, &p);

		note_login(&members[i], LARAS_ACT_LOGIN_FAILED, 0);
		laras_bind_scope_end(level);
	}
	return NULL;
}

/* laras.log_in(email text, password text) returns text */
Datum
laras_log_in_sql(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *token =
		laras_log_in(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (token == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PASSWORD), errmsg("e-mail address or password is wrong"),
				 errhidestmt(true), errhidecontext(true)));
	PG_RETURN_TEXT_P(cstring_to_text(token));
}

bool
laras_log_out(void)
{
	int64 session = laras_entered_session();
	uint64 n;

	if (session == 0)
		return false;
	laras_spi_open();
	n = laras_spi_run(&revoke_session,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(session)},
					  NULL);
	laras_spi_close();
	if (n > 0)
		laras_evidence_act(laras_bound_workspace(), LARAS_ACT_LOGOUT, LARAS_SUBJECT_SESSION,
						   session);
	return true;
}

/* laras.log_out() returns void: ends the session that bound this transaction */
Datum
laras_log_out_sql(PG_FUNCTION_ARGS)
{
	laras_require_workspace();
	if (!laras_log_out())
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("this transaction was not bound by a session"),
			 errhint(
				 "Enter with the session's token first. An API key is ended by laras.revoke_api_key.")));
	PG_RETURN_VOID();
}
