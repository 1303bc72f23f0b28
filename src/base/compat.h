/*
 * compat.h
 *		Differences between PostgreSQL 15 and 18, behind names of the newer
 *		interface, so that an old branch can be deleted with the old release.
 *		No other file tests PG_VERSION_NUM.
 */
#ifndef LARAS_BASE_COMPAT_H
#define LARAS_BASE_COMPAT_H

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"

#if PG_VERSION_NUM < 150000
#error "laras needs PostgreSQL 15 or later"
#endif

/* What reads values of variable length moved out of postgres.h in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Before a declaration, as C has it now, instead of behind it. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* What pg_b64_encode reads and pg_b64_decode writes. */
#if PG_VERSION_NUM >= 180000
typedef uint8 LarasBase64Byte;
#else
typedef char LarasBase64Byte;
#endif

/* The local transaction id moved into a struct in 17. */
#if PG_VERSION_NUM >= 170000
#define LARAS_MY_LXID (MyProc->vxid.lxid)
#else
#define LARAS_MY_LXID (MyProc->lxid)
#endif

/* Values of check hooks are freed by the server with its own allocator. */
#if PG_VERSION_NUM < 160000
#define guc_malloc(elevel, size) malloc(size)
#define guc_free(ptr) free(ptr)
#endif

/* Before 16 every role with CREATEROLE could take any role but a superuser. */
#if PG_VERSION_NUM < 160000
#define LARAS_CREATEROLE_TAKES_ALL true
#else
#define LARAS_CREATEROLE_TAKES_ALL false
#endif

/* Wait events of our own have names from 17 on. */
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 170000
#define LARAS_WAIT_EVENT(name) WaitEventExtensionNew(name)
#else
#define LARAS_WAIT_EVENT(name) PG_WAIT_EXTENSION
#endif

/* Index scans name their own statistics target from 18 on. */
#if PG_VERSION_NUM >= 180000
#define laras_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, norderbys)
#else
#define laras_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#endif

/* One function for all kinds of objects from 16 on. */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "utils/acl.h"
#define pg_database_ownercheck(object, role) object_ownercheck(DatabaseRelationId, (object), (role))
#define pg_extension_ownercheck(object, role) \
	object_ownercheck(ExtensionRelationId, (object), (role))
#endif

#endif /* LARAS_BASE_COMPAT_H */
