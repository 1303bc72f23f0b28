/*
 * roles.h
 *		The role set, for whoever checks it.
 */
#ifndef LARAS_TENANCY_ROLES_H
#define LARAS_TENANCY_ROLES_H

typedef struct LarasRoleSpec
{
	const char *name;
	bool login;
	bool bypassrls;
	int connlimit;
	bool quiet; /* carries the log settings */
	const char *create;
	bool group; /* people are meant to become members */
} LarasRoleSpec;

typedef struct LarasQuietSetting
{
	const char *name;
	const char *value;
} LarasQuietSetting;

extern const LarasRoleSpec laras_roles[];
extern const int laras_roles_count;
extern const LarasQuietSetting laras_quiet_settings[];
extern const int laras_quiet_settings_count;

/*
 * What is wrong with a role, or NULL.  Before the installation nothing but our
 * own is accepted; once installed, client roles may have a password and group
 * roles members.  Uses SPI; the text is palloc'd or static.
 */
extern const char *laras_role_problem(const LarasRoleSpec *spec, bool installed);

/* False on a minor release below the first that closed the known holes. */
extern bool laras_server_is_patched(void);

#endif /* LARAS_TENANCY_ROLES_H */
