/*
 * table.h
 *		Hash table from text to pointer.
 *
 * A key is not copied: it is normally a field of the value it leads to, and
 * must stay where it is and unchanged while the entry is in the table.
 */
#ifndef LARAS_SANDBOX_TABLE_H
#define LARAS_SANDBOX_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct SbSlot
{
	const char *key; /* NULL: empty */
	void *value;
	uint64_t hash;
} SbSlot;

typedef struct SbTable
{
	SbSlot *slots;
	size_t cap; /* power of two, or 0 */
	size_t count;
} SbTable;

extern uint64_t sb_hash(const void *p, size_t n);
extern void *sb_table_get(const SbTable *t, const char *key);

/* Adds or replaces; returns the value that stood there before, or NULL. */
extern void *sb_table_put(SbTable *t, const char *key, void *value);
extern void *sb_table_remove(SbTable *t, const char *key);

/* Walks all values: start with *pos = 0; NULL at the end. No changes meanwhile. */
extern void *sb_table_next(const SbTable *t, size_t *pos);

/* Forgets all entries, giving each value to drop (may be NULL). */
extern void sb_table_clear(SbTable *t, void (*drop)(void *));

#endif
