/*
 * kept.c
 *		Hash tables that a process keeps for its life, see kept.h.
 */
#include "postgres.h"

#include "base/kept.h"
#include "utils/memutils.h"

#define FIRST_SIZE 256 /* of the directory; the table grows by itself */

void *
laras_kept_entry(LarasKept *kept, const void *key, HASHACTION action)
{
	void *entry;
	bool found = false;

	if (kept->table == NULL)
	{
		HASHCTL control = {.keysize = kept->key_size,
						   .entrysize = kept->entry_size,
						   .hcxt = TopMemoryContext};

		kept->table =
			hash_create(kept->name, FIRST_SIZE, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(kept->table, key, action, &found);
	if (!found && entry != NULL)
		memset((char *) entry + kept->key_size, 0, kept->entry_size - kept->key_size);
	return entry;
}

void
laras_kept_sweep(LarasKept *kept, long more, int64 now,
				 bool (*is_idle)(const void *entry, int64 now), void (*release)(void *entry))
{
	HASH_SEQ_STATUS scan;
	void *entry;

	if (kept->table == NULL || hash_get_num_entries(kept->table) < kept->left + more)
		return;
	hash_seq_init(&scan, kept->table);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (!is_idle(entry, now))
			continue;
		if (release != NULL)
			release(entry);
		/* an entry begins with its key; the one just returned may be removed from a scan */
		(void) hash_search(kept->table, entry, HASH_REMOVE, NULL);
	}
	kept->left = hash_get_num_entries(kept->table);
}

void
laras_kept_clear(LarasKept *kept)
{
	if (kept->table != NULL)
		hash_destroy(kept->table);
	kept->table = NULL;
	kept->left = 0;
}
