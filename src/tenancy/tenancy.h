/*
 * tenancy.h
 *		Who acts, and in which workspace.
 *
 * A transaction is bound to at most one workspace.  The binding is the value
 * of two settings that only this room can set (see binding.c): it ends with
 * the transaction, is rolled back with savepoints, reaches parallel workers,
 * and decides what every row-security policy lets through.
 */
#ifndef LARAS_TENANCY_H
#define LARAS_TENANCY_H

#include "catalog/objectaccess.h"

typedef enum LarasPrincipalKind
{
	LARAS_PRINCIPAL_NONE = 0,
	LARAS_PRINCIPAL_MEMBER,  /* a person, by session token or act_as */
	LARAS_PRINCIPAL_KEY,     /* a program, by API key */
	LARAS_PRINCIPAL_SERVICE, /* the trusted application server */
	LARAS_PRINCIPAL_WORKER   /* one of laras's own workers */
} LarasPrincipalKind;

typedef enum LarasMemberRole
{
	LARAS_ROLE_NONE = 0,
	LARAS_ROLE_OWNER,
	LARAS_ROLE_ADMIN,
	LARAS_ROLE_AGENT,
	LARAS_ROLE_AUDITOR
} LarasMemberRole;

/* What a principal may do; a member's come from the role, see permission.c. */
#define LARAS_SCOPE_INBOX (1u << 0)
#define LARAS_SCOPE_KNOWLEDGE (1u << 1)
#define LARAS_SCOPE_CRM (1u << 2)
#define LARAS_SCOPE_CONNECT (1u << 3)
#define LARAS_SCOPE_ERASE (1u << 4)
#define LARAS_SCOPE_EXPORT (1u << 5)
#define LARAS_SCOPE_ADMIN (1u << 6)
#define LARAS_SCOPE_ALL ((1u << 7) - 1)

typedef struct LarasPrincipal
{
	LarasPrincipalKind kind;
	int64 id;             /* of member or key; 0 for service, worker */
	LarasMemberRole role; /* of a member, else NONE */
	uint32 scopes;
} LarasPrincipal;

/* The bound workspace, or 0.  Cheap: a static variable. */
extern int64 laras_bound_workspace(void);

/* The acting principal; kind NONE when unbound.  Never NULL. */
extern const LarasPrincipal *laras_principal(void);

/*
 * Binds the transaction.  Raises LRT02 when the transaction is, or before a
 * rolled-back savepoint was, bound to another workspace, or acts for another
 * principal.  The caller has established the right to do so.
 */
extern void laras_bind(int64 workspace_id, const LarasPrincipal *p);

/*
 * Binds by a session token or an API key.  False, and counted, when the token
 * is not valid, whatever the reason; raises only what laras_bind raises.
 */
extern bool laras_enter_token(const char *token, size_t n);

/*
 * Logs in and returns the session token (palloc'd), or NULL when address or
 * password is wrong; commit then too, since the failure is evidence.  Binds
 * nothing.  Runs SQL: laras_owner, search_path pinned.  Raises LRK01 while the
 * vault is shut.
 */
extern char *laras_log_in(const char *email, const char *password);

/* Ends the session that bound this transaction; false when none did. */
extern bool laras_log_out(void);

/*
 * Binds for the length of a C call, for trusted code that visits several
 * workspaces in turn (create_workspace, a provider's callback).  End restores
 * what was bound before; an error needs no cleaning.
 */
extern int laras_bind_scope_begin(int64 workspace_id, const LarasPrincipal *p);
extern void laras_bind_scope_end(int level);

/* Raise LRT01 when unbound; 42501 when the principal lacks the scope or role. */
extern void laras_require_workspace(void);
extern void laras_require_scope(uint32 scope);
extern void laras_require_role(LarasMemberRole at_least);

/* The principal as evidence and logs write it: "member:12:agent" (palloc'd). */
extern char *laras_principal_text(const LarasPrincipal *p);
extern const char *laras_principal_kind_name(LarasPrincipalKind kind);

/*
 * SQL has the same question: laras.may('inbox') is a STABLE boolean for views
 * and for restrictive policies of tables with plain DML, such as
 *	 CREATE POLICY scope ON laras.faq AS RESTRICTIVE TO laras_app, laras_service
 *	   USING ((SELECT laras.may('knowledge')));
 */

/*
 * The workspace's key slot; cached in the session.  Raises 42704 for a
 * workspace that does not exist.  Reads by primary key below row security, so
 * it works in workers and unbound callbacks; the answer names no person.
 */
extern uint32 laras_workspace_slot(int64 workspace_id);

/* Is there one of that id whose key stands? Read like the slot, each time. */
extern bool laras_workspace_stands(int64 workspace_id);

/*
 * Workers act on sets of workspaces.  The set holds for the current
 * transaction and only in C code of laras; policies TO laras_worker read it
 * through laras.in_worker_set(bigint).  ids is copied.
 */
extern void laras_worker_bind(const int64 *ids, int n);
extern void laras_worker_bind_all(void);
extern bool laras_in_worker_set(int64 workspace_id);

/* True for the bound workspace and for every member of the worker set. */
extern bool laras_workspace_in_reach(int64 workspace_id);

/*
 * The guard against DROP and TRUNCATE (guard.c) lets TRUNCATE of this
 * relation pass for the rest of the transaction: for the keeper's own purges.
 */
extern void laras_guard_permit_truncate(Oid relid);

/* doctor(): a room adds its function to the list in doctor.c. */
typedef struct LarasDoctorSink LarasDoctorSink;
typedef void (*LarasDoctorCheck)(LarasDoctorSink *sink);

/* state: "ok", "warn" or "fail".  detail and hint may be NULL. */
extern void laras_doctor_row(LarasDoctorSink *sink, const char *check, const char *state,
							 const char *detail, const char *hint);
extern void laras_doctor_tenancy(LarasDoctorSink *sink);

/* Counters since the start of the server, for metrics. */
extern uint64 laras_refused_tokens(void);
extern uint64 laras_failed_logins(void);

/* Settings, in _PG_init; and the parts of LarasSharedRoom and LarasHookRoom. */
extern void laras_tenancy_init(void);
extern void laras_tenancy_shmem_request(void);
extern void laras_tenancy_shmem_startup(void);
struct LarasUtility;
extern void laras_tenancy_before_utility(const struct LarasUtility *utility);
extern void laras_guard_object_access(ObjectAccessType access, Oid class_id, Oid object_id,
									  int sub_id, void *arg);

#endif /* LARAS_TENANCY_H */
