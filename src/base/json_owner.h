/*
 * json_owner.h
 *		Keeps JSON documents and other malloc'd memory of libraries from leaking
 *		when an error is raised.
 */
#ifndef LARAS_JSON_OWNER_H
#define LARAS_JSON_OWNER_H

#include "base/json.h"
#include "datatype/timestamp.h"

/*
 * Give a document to CurrentMemoryContext: it is released when the context is
 * reset or deleted. Returns it; NULL stays NULL. May raise (out of memory), in
 * which case the document is released first.
 */
extern json_t *laras_json_own(json_t *document);

/*
 * laras_json_parse for many documents that are only read: every value lies in
 * CurrentMemoryContext, carved from large chunks, and goes with it; nothing is
 * to be released. Others may hold references to its values as long as the
 * context lives; what is set into the document itself would leak. Does not
 * raise: NULL with *reason, as laras_json_parse.
 */
extern json_t *laras_json_read(const char *bytes, size_t n, const char **reason);

/*
 * Memory for plain C (a LarasAllocator's alloc): zero-filled, of the context
 * given, NULL where there is none. Never raises.
 */
extern void *laras_context_alloc(void *context, size_t n);

/* once a process, before anything else uses jansson */
extern void laras_json_init(void);

/* Sets a member; the value is taken over, also where it fails. Raises 53200, for a value that is NULL too. */
extern void laras_json_put(json_t *object, const char *key, json_t *value);

/* A time as the session writes it, a text; null for nothing (0, NULL). */
extern json_t *laras_json_time(TimestampTz time);
extern json_t *laras_json_word(const char *text);

/*
 * laras_json_dump into CurrentMemoryContext, with a terminating zero. Raises
 * 53200 when memory is short.
 */
extern char *laras_json_text_of(const json_t *j, size_t *n);

#endif /* LARAS_JSON_OWNER_H */
