/*
 * tenancy_private.h
 *		What the files of this room share with each other and nobody else.
 */
#ifndef LARAS_TENANCY_PRIVATE_H
#define LARAS_TENANCY_PRIVATE_H

#include "datatype/timestamp.h"

#include "tenancy/tenancy.h"
#include "worker/worker.h"

/* binding.c */
extern void laras_binding_init(void);
extern void laras_binding_saw_hold(void);

/* guard.c */
struct DropStmt;
extern void laras_guard_before_drop(const struct DropStmt *statement);
extern void laras_guard_init(void);

/* roles.c */
extern bool laras_is_reserved_role(const char *name);
extern void laras_roles_before_utility(const LarasUtility *utility);

/*
 * lookup.c: reads by exact key, below row security and without SQL, for the
 * moment before a workspace is known.  Each finds at most what the key names.
 */
#define LARAS_TOKEN_BYTES 32
#define LARAS_HASH_BYTES 32

typedef enum LarasTokenKind
{
	LARAS_TOKEN_SESSION,
	LARAS_TOKEN_KEY
} LarasTokenKind;

typedef struct LarasTokenRow
{
	int64 workspace_id;
	int64 id;
	int64 member_id;        /* session only */
	uint32 scopes;          /* key only */
	TimestampTz expires_at; /* infinity when it never does */
	bool revoked;
} LarasTokenRow;

typedef struct LarasMemberRow
{
	int64 workspace_id;
	int64 id;
	LarasMemberRole role;
	bool active;
	char *password_hash; /* palloc'd; NULL when there is none */
} LarasMemberRow;

typedef struct LarasWorkspaceRow
{
	int64 workspace_id;
	uint32 slot;
	bool active;
} LarasWorkspaceRow;

extern bool
laras_find_token(LarasTokenKind kind, const uint8 hash[LARAS_HASH_BYTES], LarasTokenRow *row);
extern bool laras_find_member(int64 workspace_id, int64 member_id, LarasMemberRow *row);
extern bool laras_find_workspace(int64 workspace_id, LarasWorkspaceRow *row);

/* All active members with that log-in hash, in order of workspace; palloc'd. */
extern int laras_find_logins(const uint8 login_hash[16], LarasMemberRow **rows);

/* True when laras.workspace holds a row that this transaction can see. */
extern bool laras_workspaces_exist(void);

/* Oid of a relation of the extension; InvalidOid where it is not installed. */
extern Oid laras_relation(const char *name);

/* token.c */
extern char *laras_token_new(LarasTokenKind kind, const char *prefix, uint8 hash[LARAS_HASH_BYTES]);
extern void laras_token_hash(const char *token, size_t n, uint8 hash[LARAS_HASH_BYTES]);
extern int64 laras_entered_session(void);
extern void laras_count_failed_login(void);

/* tenancy.c: minutes */
extern int laras_session_lifetime;

/* password.c */
extern char *laras_password_hash(const char *password);
extern bool laras_password_matches(const char *password, const char *hash);
extern void laras_password_check(const char *password);
extern void laras_password_init(void);

/* member.c */
extern void laras_name_check(const char *name);
extern char *laras_email_normalise(const char *email);
extern int64 laras_member_insert(int64 workspace_id, uint32 w, const char *email, const char *name,
								 LarasMemberRole role, const char *password);

#endif /* LARAS_TENANCY_PRIVATE_H */
