/*
 * kept.c
 *		Hash tables that a process keeps for its life, see kept.h.
 */
#include "postgres.h"

#include "base/kept.h"
#include "utils/memutils.h"

#define FIRST_SIZE 256 /* of the directory; the table grows by itself */

void *
laras_kept_entry(HTAB **table, const char *name, Size key_size, Size entry_size, const void *key,
				 HASHACTION action)
{
	void *entry;
	bool found = false;

	if (*table == NULL)
	{
		HASHCTL control = {.keysize = key_size, .entrysize = entry_size, .hcxt = TopMemoryContext};

		*table = hash_create(name, FIRST_SIZE, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(*table, key, action, &found);
	if (!found && entry != NULL)
		memset((char *) entry + key_size, 0, entry_size - key_size);
	return entry;
}
