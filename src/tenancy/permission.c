/*
 * permission.c
 *		What each role of a member may do, and the text form of a principal.
 *
 * Invariant: a right is a scope; a role is a set of scopes.  Functions ask for
 * the scope they need and never for a role by name, but for what only an
 * owner may do (laras_require_role).
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/errors.h"
#include "tenancy/permission.h"

static const struct
{
	uint32 scope;
	const char *name;
} scopes[] = {
	{LARAS_SCOPE_INBOX, "inbox"}, {LARAS_SCOPE_KNOWLEDGE, "knowledge"},
	{LARAS_SCOPE_CRM, "crm"},     {LARAS_SCOPE_CONNECT, "connect"},
	{LARAS_SCOPE_ERASE, "erase"}, {LARAS_SCOPE_EXPORT, "export"},
	{LARAS_SCOPE_ADMIN, "admin"},
};

/*
 * The permission table.  An agent answers customers and keeps knowledge and
 * CRM; an admin also connects, erases, exports and manages members.  An
 * auditor reads evidence and certificates, for which no scope is needed, and
 * no message.
 */
static const struct
{
	LarasMemberRole role;
	const char *name;
	uint32 scopes;
} roles[] = {
	{LARAS_ROLE_OWNER, "owner", LARAS_SCOPE_ALL},
	{LARAS_ROLE_ADMIN, "admin", LARAS_SCOPE_ALL},
	{LARAS_ROLE_AGENT, "agent", LARAS_SCOPE_INBOX | LARAS_SCOPE_KNOWLEDGE | LARAS_SCOPE_CRM},
	{LARAS_ROLE_AUDITOR, "auditor", 0},
};

static bool
same_name(const char *a, const char *name, size_t n)
{
	return strlen(a) == n && memcmp(a, name, n) == 0;
}

uint32
laras_scope_by_name(const char *name, size_t n)
{
	for (int i = 0; i < lengthof(scopes); i++)
		if (same_name(scopes[i].name, name, n))
			return scopes[i].scope;
	return 0;
}

const char *
laras_scope_name(uint32 scope)
{
	for (int i = 0; i < lengthof(scopes); i++)
		if (scopes[i].scope == scope)
			return scopes[i].name;
	return NULL;
}

LarasMemberRole
laras_role_by_name(const char *name, size_t n)
{
	for (int i = 0; i < lengthof(roles); i++)
		if (same_name(roles[i].name, name, n))
			return roles[i].role;
	return LARAS_ROLE_NONE;
}

const char *
laras_role_name(LarasMemberRole role)
{
	for (int i = 0; i < lengthof(roles); i++)
		if (roles[i].role == role)
			return roles[i].name;
	return NULL;
}

uint32
laras_role_scopes(LarasMemberRole role)
{
	for (int i = 0; i < lengthof(roles); i++)
		if (roles[i].role == role)
			return roles[i].scopes;
	return 0;
}

void
laras_require_scope(uint32 scope)
{
	uint32 missing;

	laras_require_workspace();
	missing = scope & ~laras_principal()->scopes;
	if (missing == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied"),
			 errdetail("This needs the scope \"%s\", which the acting principal does not have.",
					   laras_scope_name(missing & -missing))));
}

void
laras_require_role(LarasMemberRole at_least)
{
	const LarasPrincipal *p = laras_principal();

	laras_require_workspace();
	if (p->kind == LARAS_PRINCIPAL_SERVICE || p->kind == LARAS_PRINCIPAL_WORKER)
		return;
	if (p->kind == LARAS_PRINCIPAL_MEMBER && p->role != LARAS_ROLE_NONE && p->role <= at_least)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied"),
			 errdetail("This needs a member with the role \"%s\".", laras_role_name(at_least))));
}

/* ---------------------------------------------------- text of principals */

const char *
laras_principal_kind_name(LarasPrincipalKind kind)
{
	switch (kind)
	{
		case LARAS_PRINCIPAL_NONE:
			return "none";
		case LARAS_PRINCIPAL_MEMBER:
			return "member";
		case LARAS_PRINCIPAL_KEY:
			return "key";
		case LARAS_PRINCIPAL_SERVICE:
			return "service";
		case LARAS_PRINCIPAL_WORKER:
			return "worker";
	}
	return "none";
}

char *
laras_principal_text(const LarasPrincipal *p)
{
	StringInfoData out;
	const char *separator = "";

	initStringInfo(&out);
	if (p->kind == LARAS_PRINCIPAL_NONE)
		return out.data;
	appendStringInfoString(&out, laras_principal_kind_name(p->kind));
	if (p->kind == LARAS_PRINCIPAL_MEMBER)
		appendStringInfo(&out, ":" INT64_FORMAT ":%s", p->id, laras_role_name(p->role));
	if (p->kind == LARAS_PRINCIPAL_KEY)
	{
		appendStringInfo(&out, ":" INT64_FORMAT ":", p->id);
		for (int i = 0; i < lengthof(scopes); i++)
		{
			if ((p->scopes & scopes[i].scope) == 0)
				continue;
			appendStringInfo(&out, "%s%s", separator, scopes[i].name);
			separator = ",";
		}
	}
	return out.data;
}

/* Reads "<digits>:" and leaves *text behind it. */
static bool
parse_id(const char **text, int64 *id)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*id = strtoi64(*text, &end, 10);
	if (errno != 0 || *id <= 0 || *end != ':')
		return false;
	*text = end + 1;
	return true;
}

bool
laras_principal_parse(const char *text, LarasPrincipal *p)
{
	memset(p, 0, sizeof(*p));
	if (*text == '\0')
		return true;
	if (strcmp(text, "service") == 0 || strcmp(text, "worker") == 0)
	{
		p->kind = *text == 's' ? LARAS_PRINCIPAL_SERVICE : LARAS_PRINCIPAL_WORKER;
		p->scopes = LARAS_SCOPE_ALL;
		return true;
	}
	if (strncmp(text, "member:", 7) == 0)
	{
		text += 7;
		p->kind = LARAS_PRINCIPAL_MEMBER;
		if (!parse_id(&text, &p->id))
			return false;
		p->role = laras_role_by_name(text, strlen(text));
		p->scopes = laras_role_scopes(p->role);
		return p->role != LARAS_ROLE_NONE;
	}
	if (strncmp(text, "key:", 4) == 0)
	{
		text += 4;
		p->kind = LARAS_PRINCIPAL_KEY;
		if (!parse_id(&text, &p->id))
			return false;
		while (*text)
		{
			const char *end = strchrnul(text, ',');
			uint32 scope = laras_scope_by_name(text, end - text);

			if (scope == 0)
				return false;
			p->scopes |= scope;
			text = *end ? end + 1 : end;
		}
		return true;
	}
	return false;
}
