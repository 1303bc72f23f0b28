/*
 * kept.h
 *		Hash tables that a process keeps for its life.
 */
#ifndef LARAS_KEPT_H
#define LARAS_KEPT_H

#include "postgres.h"

#include "utils/hsearch.h"

/*
 * The entry of that key in *table, which is made when it is first asked for (name is
 * for the memory contexts' view). An entry begins with its key, compared byte by byte:
 * no padding may be left undefined in it. HASH_ENTER: a new entry is zeroed but for
 * its key. HASH_FIND, HASH_REMOVE: NULL where there is none; what was removed is
 * readable until the next call. Raises what hash_search raises: out of memory.
 */
extern void *laras_kept_entry(HTAB **table, const char *name, Size key_size, Size entry_size,
							  const void *key, HASHACTION action);

#endif /* LARAS_KEPT_H */
