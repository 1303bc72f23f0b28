/*
 * member.c
 *		Members of a workspace: adding, removing, changing their role.
 *
 * Invariant: a workspace has at least one active owner, and only an owner
 * makes, changes or removes an owner.  All changes to members of a workspace
 * take the lock of its row first, so two owners cannot remove each other.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "base/arguments.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h" /* lint allows evidence: each act here leaves it */
#include "tenancy/permission.h"
#include "tenancy/tenancy_private.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_add_member);
PG_FUNCTION_INFO_V1(laras_remove_member);
PG_FUNCTION_INFO_V1(laras_set_member_role);

#define MAX_EMAIL_BYTES 254
#define MAX_NAME_BYTES 200

LARAS_PLAN(lock_workspace,
		   "SELECT 1 FROM laras.workspace WHERE workspace_id = $1 FOR NO KEY UPDATE", INT8OID);

LARAS_PLAN(address_is_taken,
		   "SELECT 1 FROM laras.member WHERE workspace_id = $1 AND login_hash = $2", INT8OID,
		   BYTEAOID);

LARAS_PLAN(
	insert_member,
	"INSERT INTO laras.member (workspace_id, id, slot, email, name, login_hash, password_hash, role) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	INT8OID, INT8OID, INT8OID, LARAS_SEALED, LARAS_SEALED, BYTEAOID, TEXTOID, TEXTOID);

LARAS_PLAN(read_member,
		   "SELECT m.role, (SELECT pg_catalog.count(*) FROM laras.member o "
		   "WHERE o.workspace_id = $1 AND o.role = 'owner' AND o.state = 'active') "
		   "FROM laras.member m WHERE m.workspace_id = $1 AND m.id = $2 AND m.state = 'active'",
		   INT8OID, INT8OID);

LARAS_PLAN(update_role, "UPDATE laras.member SET role = $3 WHERE workspace_id = $1 AND id = $2",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(mark_removed,
		   "UPDATE laras.member SET state = 'removed', removed_at = laras.now(), "
		   "login_hash = NULL, password_hash = NULL WHERE workspace_id = $1 AND id = $2",
		   INT8OID, INT8OID);

LARAS_PLAN(revoke_sessions,
		   "UPDATE laras.session SET revoked_at = laras.now() "
		   "WHERE workspace_id = $1 AND member_id = $2 AND revoked_at IS NULL",
		   INT8OID, INT8OID);

/* Lower case, without blanks around; palloc'd.  Judges nothing. */
char *
laras_email_normalise(const char *email)
{
	const char *end = email + strlen(email);

	while (*email == ' ')
		email++;
	while (end > email && end[-1] == ' ')
		end--;
	return asc_tolower(email, end - email);
}

/* The address in its normal form, or 22023; the text never quotes it. */
static char *
checked_email(const char *email)
{
	char *address = laras_email_normalise(email);
	const char *at = strrchr(address, '@');
	bool good = at != NULL && at != address && at[1] != '\0' && strlen(address) <= MAX_EMAIL_BYTES;

	for (const char *p = address; good && *p; p++)
		if ((unsigned char) *p <= ' ' || *p == 0x7f)
			good = false;
	if (!good)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not an e-mail address"),
						errhidestmt(true), errhidecontext(true)));
	return address;
}

void
laras_name_check(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > MAX_NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name must have between 1 and %d bytes", MAX_NAME_BYTES),
						errhidestmt(true), errhidecontext(true)));
}

static void
note_member(LarasAction action, int64 workspace_id, int64 member_id, LarasMemberRole role,
			LarasMemberRole previous)
{
	LarasEvidenceField fields[2];
	LarasEvidence e = {
		.workspace_id = workspace_id,
		.action = action,
		.subject_kind = LARAS_SUBJECT_MEMBER,
		.subject_id = member_id,
		.fields = fields,
	};

	if (role != LARAS_ROLE_NONE)
		fields[e.nfields++] =
			(LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_ROLE, laras_role_name(role));
	if (previous != LARAS_ROLE_NONE)
		fields[e.nfields++] =
			(LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_PREVIOUS, laras_role_name(previous));
	laras_evidence_actor(&e);
	laras_evidence_append(&e);
}

/*
 * Adds a member; the workspace is bound and w its slot.  Runs as laras_owner,
 * in SPI of its own.
 */
int64
laras_member_insert(int64 workspace_id, uint32 w, const char *email, const char *name,
					LarasMemberRole role, const char *password)
{
	char *address = checked_email(email);
	int64 id = laras_new_id();
	bytea *login;
	uint32 slot;

	laras_name_check(name);
	laras_password_check(password);
	login = laras_login_bytea(LARAS_INDEX_LOGIN_EMAIL, NULL, address, strlen(address));

	laras_spi_open();
	laras_spi_run(&lock_workspace, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	if (laras_spi_read(&address_is_taken,
					   (Datum[]){Int64GetDatum(workspace_id), PointerGetDatum(login)}, NULL) > 0)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("the workspace has a member with this e-mail address"),
						errhidestmt(true), errhidecontext(true)));

	slot = laras_slot_lease();
	laras_key_owner_add(workspace_id, slot, "member", id);
	laras_spi_run_one(
		&insert_member,
		(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id), Int64GetDatum(slot),
				  PointerGetDatum(laras_seal_cstring(w, slot, LARAS_FIELD_member_email,
													 workspace_id, id, address)),
				  PointerGetDatum(
					  laras_seal_cstring(w, slot, LARAS_FIELD_member_name, workspace_id, id, name)),
				  PointerGetDatum(login), CStringGetTextDatum(laras_password_hash(password)),
				  CStringGetTextDatum(laras_role_name(role))},
		NULL);
	laras_spi_close();
	note_member(LARAS_ACT_MEMBER_ADDED, workspace_id, id, role, LARAS_ROLE_NONE);
	return id;
}

static LarasMemberRole
role_argument(text *value)
{
	LarasMemberRole role = laras_role_by_name(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (role == LARAS_ROLE_NONE)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown role"),
						errhint("Roles are owner, admin, agent and auditor.")));
	return role;
}

/* laras.add_member(email, name, role, password) returns bigint */
Datum
laras_add_member(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *email = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LarasMemberRole role = role_argument(PG_GETARG_TEXT_PP(2));
	char *password = text_to_cstring(PG_GETARG_TEXT_PP(3));
	int64 workspace_id = laras_bound_workspace();

	laras_require_scope(LARAS_SCOPE_ADMIN);
	if (role == LARAS_ROLE_OWNER)
		laras_require_role(LARAS_ROLE_OWNER);
	PG_RETURN_INT64(laras_member_insert(workspace_id, laras_workspace_slot(workspace_id), email,
										name, role, password));
}

/*
 * The role of an active member of the bound workspace, under the workspace's
 * lock, and how many owners there are.  A member of another workspace does not
 * exist here.  SPI is open.
 */
static LarasMemberRole
member_for_change(int64 member_id, int64 *owners)
{
	int64 workspace_id = laras_bound_workspace();
	LarasMemberRole role;
	char *name;

	laras_spi_run(&lock_workspace, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	/* not laras_spi_read: what the lock waited for must be seen */
	if (laras_spi_run(&read_member,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(member_id)}, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("member does not exist")));
	name = laras_spi_cstring(0, 1);
	*owners = laras_spi_int8(0, 2);
	role = laras_role_by_name(name, strlen(name));
	if (role == LARAS_ROLE_OWNER)
		laras_require_role(LARAS_ROLE_OWNER);
	return role;
}

static void
keep_an_owner(LarasMemberRole role, int64 owners)
{
	if (role == LARAS_ROLE_OWNER && owners <= 1)
		ereport(ERROR, (errcode(LARAS_ERRCODE_LAST_OWNER),
						errmsg("the last owner of a workspace stays its owner"),
						errhint("Make another member owner first.")));
}

/* laras.remove_member(member_id bigint) returns void */
Datum
laras_remove_member(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 member_id = PG_GETARG_INT64(0);
	Datum who[2] = {Int64GetDatum(laras_bound_workspace()), Int64GetDatum(member_id)};
	LarasMemberRole role;
	int64 owners;

	laras_require_scope(LARAS_SCOPE_ADMIN);
	laras_spi_open();
	role = member_for_change(member_id, &owners);
	keep_an_owner(role, owners);
	laras_spi_run_one(&mark_removed, who, NULL);
	laras_spi_run(&revoke_sessions, who, NULL);
	laras_spi_close();
	note_member(LARAS_ACT_MEMBER_REMOVED, laras_bound_workspace(), member_id, LARAS_ROLE_NONE,
				role);
	PG_RETURN_VOID();
}

/* laras.set_member_role(member_id bigint, role text) returns void */
Datum
laras_set_member_role(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 member_id = PG_GETARG_INT64(0);
	LarasMemberRole role = role_argument(PG_GETARG_TEXT_PP(1));
	LarasMemberRole previous;
	int64 owners;

	laras_require_scope(LARAS_SCOPE_ADMIN);
	if (role == LARAS_ROLE_OWNER)
		laras_require_role(LARAS_ROLE_OWNER);
	laras_spi_open();
	previous = member_for_change(member_id, &owners);
	if (role != previous)
	{
		keep_an_owner(previous, owners);
		laras_spi_run_one(&update_role,
						  (Datum[]){Int64GetDatum(laras_bound_workspace()),
									Int64GetDatum(member_id),
									CStringGetTextDatum(laras_role_name(role))},
						  NULL);
	}
	laras_spi_close();
	if (role != previous)
		note_member(LARAS_ACT_MEMBER_ROLE_SET, laras_bound_workspace(), member_id, role, previous);
	PG_RETURN_VOID();
}
