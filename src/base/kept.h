/*
 * kept.h
 *		Hash tables that a process keeps for its life.
 */
#ifndef LARAS_KEPT_H
#define LARAS_KEPT_H

#include "postgres.h"

#include "utils/hsearch.h"

/*
 * Such a table, which is made when an entry is first asked for. An entry begins with
 * its key, compared byte by byte: no padding may be left undefined in it.
 */
typedef struct LarasKept
{
	const char *name; /* for the memory contexts' view */
	Size key_size;
	Size entry_size;
	HTAB *table;
	long left; /* entries that the last sweep left */
} LarasKept;

/* One of entries of that type, whose first member has that name and is the key. */
#define LARAS_KEPT(label, type, member)                                                        \
	{                                                                                          \
		.name = label, .key_size = sizeof(((type *) NULL)->member), .entry_size = sizeof(type) \
	}

/*
 * The entry of that key. HASH_ENTER: a new entry is zeroed but for its key.
 * HASH_FIND, HASH_REMOVE: NULL where there is none; what was removed is readable
 * until the next call. Raises what hash_search raises: out of memory.
 */
extern void *laras_kept_entry(LarasKept *kept, const void *key, HASHACTION action);

/*
 * Forgets the entries that are idle at that time, once there are `more` of them more
 * than the last sweep left: a look at all of them costs each new entry little. release,
 * which may be NULL, frees what an entry owns before it goes.
 */
extern void
laras_kept_sweep(LarasKept *kept, long more, int64 now,
				 bool (*is_idle)(const void *entry, int64 now), void (*release)(void *entry));

/* Forgets them all; what they own is the caller's matter. */
extern void laras_kept_clear(LarasKept *kept);

#endif /* LARAS_KEPT_H */
