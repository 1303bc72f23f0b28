/*
 * token.c
 *		Session tokens and API keys, and binding by them.
 *
 * A token is 32 random bytes in base64url behind "ls_" (a session) or
 * "lk_<prefix>_" (an API key).  Only the SHA-256 of its text is stored, so
 * neither a reader of the tables nor of a backup can present one.
 *
 * Invariant: whatever is wrong with a token (form, unknown, revoked, expired,
 * member removed, workspace closed), the caller sees one error with one text.
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/errors.h"
#include "tenancy/permission.h"
#include "tenancy/tenancy_private.h"

PG_FUNCTION_INFO_V1(laras_enter);
PG_FUNCTION_INFO_V1(laras_act_as);

#define SESSION_MARK "ls_"
#define KEY_MARK "lk_"

/* counters since the start of the server; NULL without preload */
typedef struct TenancyShared
{
	pg_atomic_uint64 refused_tokens;
	pg_atomic_uint64 failed_logins;
} TenancyShared;

static TenancyShared *shared = NULL;

/* the session entered in the transaction with this id */
static LocalTransactionId entered_lxid = InvalidLocalTransactionId;
static int64 entered_session = 0;

void
laras_tenancy_shmem_request(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(TenancyShared)));
}

void
laras_tenancy_shmem_startup(void)
{
	bool found;

	shared = ShmemInitStruct("laras tenancy", sizeof(TenancyShared), &found);
	if (!found)
	{
		pg_atomic_init_u64(&shared->refused_tokens, 0);
		pg_atomic_init_u64(&shared->failed_logins, 0);
	}
}

void
laras_count_failed_login(void)
{
	if (shared)
		pg_atomic_fetch_add_u64(&shared->failed_logins, 1);
}

uint64
laras_refused_tokens(void)
{
	return shared ? pg_atomic_read_u64(&shared->refused_tokens) : 0;
}

uint64
laras_failed_logins(void)
{
	return shared ? pg_atomic_read_u64(&shared->failed_logins) : 0;
}

/* ---------------------------------------------------------------- tokens */

/* out has room for n * 4 / 3 + 2 bytes; no padding, terminated */
static void
base64url(const uint8 *in, int n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32 bits = 0;
	int have = 0;

	for (int i = 0; i < n; i++)
	{
		bits = bits << 8 | in[i];
		have += 8;
		while (have >= 6)
		{
			have -= 6;
			*out++ = digits[bits >> have & 63];
		}
	}
	if (have > 0)
		*out++ = digits[bits << (6 - have) & 63];
	*out = '\0';
}

void
laras_token_hash(const char *token, size_t n, uint8 hash[LARAS_HASH_BYTES])
{
	if (EVP_Digest(token, n, hash, NULL, EVP_sha256(), NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not hash a token")));
}

/* The token's text (palloc'd) and its hash; prefix only for a key. */
char *
laras_token_new(LarasTokenKind kind, const char *prefix, uint8 hash[LARAS_HASH_BYTES])
{
	uint8 secret[LARAS_TOKEN_BYTES];
	char text[LARAS_TOKEN_BYTES * 4 / 3 + 2];
	char *token;

	if (!pg_strong_random(secret, sizeof(secret)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not draw random bytes for a token")));
	base64url(secret, sizeof(secret), text);
	if (kind == LARAS_TOKEN_SESSION)
		token = psprintf(SESSION_MARK "%s", text);
	else
		token = psprintf(KEY_MARK "%s_%s", prefix, text);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, sizeof(text));
	laras_token_hash(token, strlen(token), hash);
	return token;
}

/*
 * Finds what a token stands for.  Judged by the wall clock, not the
 * transaction's: a session that runs out during a long transaction cannot be
 * entered again in it.
 */
static bool
token_principal(const char *token, size_t n, int64 *workspace_id, LarasPrincipal *p, int64 *session)
{
	LarasTokenKind kind =
		n >= 3 && memcmp(token, KEY_MARK, 3) == 0 ? LARAS_TOKEN_KEY : LARAS_TOKEN_SESSION;
	uint8 hash[LARAS_HASH_BYTES];
	LarasTokenRow row;
	LarasWorkspaceRow workspace;
	LarasMemberRow member;

	laras_token_hash(token, n, hash);
	if (!laras_find_token(kind, hash, &row) || row.revoked || row.expires_at <= laras_clock())
		return false;
	if (!laras_find_workspace(row.workspace_id, &workspace) || !workspace.active)
		return false;

	memset(p, 0, sizeof(*p));
	*session = 0;
	if (kind == LARAS_TOKEN_KEY)
	{
		p->kind = LARAS_PRINCIPAL_KEY;
		p->id = row.id;
		p->scopes = row.scopes;
	}
	else
	{
		if (!laras_find_member(row.workspace_id, row.member_id, &member) || !member.active)
			return false;
		p->kind = LARAS_PRINCIPAL_MEMBER;
		p->id = member.id;
		p->role = member.role;
		p->scopes = laras_role_scopes(member.role);
		*session = row.id;
	}
	*workspace_id = row.workspace_id;
	return true;
}

bool
laras_enter_token(const char *token, size_t n)
{
	int64 workspace_id;
	int64 session;
	LarasPrincipal p;

	if (!token_principal(token, n, &workspace_id, &p, &session))
	{
		if (shared)
			pg_atomic_fetch_add_u64(&shared->refused_tokens, 1);
		return false;
	}
	laras_bind(workspace_id, &p);
	entered_lxid = LARAS_MY_LXID;
	entered_session = session;
	return true;
}

/* The session by which this transaction was bound, or 0. */
int64
laras_entered_session(void)
{
	if (laras_bound_workspace() == 0 || entered_lxid != LARAS_MY_LXID)
		return 0;
	return entered_session;
}

/* laras.enter(token text) returns bigint: the workspace */
Datum
laras_enter(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	text *token = PG_GETARG_TEXT_PP(0);

	if (!laras_enter_token(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
						errmsg("the token is not valid"), errhidestmt(true), errhidecontext(true)));
	PG_RETURN_INT64(laras_bound_workspace());
}

/*
 * laras.act_as(workspace_id bigint, member_id bigint default null): for the
 * trusted service role alone, which the grant decides.
 */
Datum
laras_act_as(PG_FUNCTION_ARGS)
{
	LarasPrincipal p = {LARAS_PRINCIPAL_SERVICE, 0, LARAS_ROLE_NONE, LARAS_SCOPE_ALL};
	LarasWorkspaceRow workspace;
	LarasMemberRow member;
	int64 workspace_id;

	laras_refuse_null(fcinfo, 0);
	workspace_id = PG_GETARG_INT64(0);
	if (!laras_find_workspace(workspace_id, &workspace) || !workspace.active)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("workspace does not exist")));
	if (!PG_ARGISNULL(1))
	{
		if (!laras_find_member(workspace_id, PG_GETARG_INT64(1), &member) || !member.active)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("member does not exist")));
		p.kind = LARAS_PRINCIPAL_MEMBER;
		p.id = member.id;
		p.role = member.role;
		p.scopes = laras_role_scopes(member.role);
	}
	laras_bind(workspace_id, &p);
	PG_RETURN_INT64(workspace_id);
}
