/*
 * permission.h
 *		Roles and scopes: their names and what a role may do.
 */
#ifndef LARAS_TENANCY_PERMISSION_H
#define LARAS_TENANCY_PERMISSION_H

#include "tenancy/tenancy.h"

/* 0 for a name that is no scope; n counts its bytes */
extern uint32 laras_scope_by_name(const char *name, size_t n);
extern const char *laras_scope_name(uint32 scope);

/* NONE for a name that is no role */
extern LarasMemberRole laras_role_by_name(const char *name, size_t n);
extern const char *laras_role_name(LarasMemberRole role);

/* The permission table. */
extern uint32 laras_role_scopes(LarasMemberRole role);

/*
 * The text form of a principal and back.  False for text that no principal
 * has; the empty text is kind NONE.  Allocates nothing, raises nothing.
 */
extern bool laras_principal_parse(const char *text, LarasPrincipal *p);

#endif /* LARAS_TENANCY_PERMISSION_H */
