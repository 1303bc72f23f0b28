/*
 * table.c
 *		Hash table from text to pointer: linear probing, at most 70 % full,
 *		removal by shifting back, so that there are no tombstones.
 */
#include "sandbox/table.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/buffer.h"

uint64_t
sb_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = UINT64_C(0x9E3779B97F4A7C15) ^ n;

	while (n >= 8)
	{
		uint64_t w;

		memcpy(&w, s, 8);
		h = (h ^ w) * UINT64_C(0xFF51AFD7ED558CCD);
		h ^= h >> 32;
		s += 8;
		n -= 8;
	}
	while (n-- > 0)
		h = (h ^ *s++) * UINT64_C(0x100000001B3);
	h ^= h >> 33;
	h *= UINT64_C(0xC4CEB9FE1A85EC53);
	return h ^ h >> 29;
}

/* The slot of key, or the empty slot where it belongs. */
static size_t
find(const SbTable *t, const char *key, uint64_t hash)
{
	size_t i = hash & (t->cap - 1);

	while (t->slots[i].key != NULL &&
		   (t->slots[i].hash != hash || strcmp(t->slots[i].key, key) != 0))
		i = (i + 1) & (t->cap - 1);
	return i;
}

void *
sb_table_get(const SbTable *t, const char *key)
{
	if (t->count == 0)
		return NULL;
	return t->slots[find(t, key, sb_hash(key, strlen(key)))].value;
}

static void
grow(SbTable *t)
{
	SbTable bigger = {0};
	size_t i;

	bigger.cap = t->cap ? t->cap * 2 : 16;
	bigger.slots = sb_alloc(bigger.cap * sizeof(SbSlot));
	bigger.count = t->count;
	for (i = 0; i < t->cap; i++)
		if (t->slots[i].key != NULL)
			bigger.slots[find(&bigger, t->slots[i].key, t->slots[i].hash)] = t->slots[i];
	free(t->slots);
	*t = bigger;
}

void *
sb_table_put(SbTable *t, const char *key, void *value)
{
	uint64_t hash = sb_hash(key, strlen(key));
	size_t i;
	void *old;

	if ((t->count + 1) * 10 > t->cap * 7)
		grow(t);
	i = find(t, key, hash);
	old = t->slots[i].value;
	if (t->slots[i].key == NULL)
		t->count++;
	t->slots[i].key = key;
	t->slots[i].value = value;
	t->slots[i].hash = hash;
	return old;
}

void *
sb_table_remove(SbTable *t, const char *key)
{
	size_t hole, i;
	void *old;

	if (t->count == 0)
		return NULL;
	hole = find(t, key, sb_hash(key, strlen(key)));
	old = t->slots[hole].value;
	if (t->slots[hole].key == NULL)
		return NULL;
	t->count--;
	for (i = (hole + 1) & (t->cap - 1); t->slots[i].key != NULL; i = (i + 1) & (t->cap - 1))
	{
		size_t home = t->slots[i].hash & (t->cap - 1);

		/* move back unless its home lies cyclically after the hole */
		if (((i - home) & (t->cap - 1)) >= ((i - hole) & (t->cap - 1)))
		{
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	memset(&t->slots[hole], 0, sizeof(SbSlot));
	return old;
}

void *
sb_table_next(const SbTable *t, size_t *pos)
{
	while (*pos < t->cap)
	{
		size_t i = (*pos)++;

		if (t->slots[i].key != NULL)
			return t->slots[i].value;
	}
	return NULL;
}

void
sb_table_clear(SbTable *t, void (*drop)(void *))
{
	size_t pos = 0;
	void *value;

	if (drop != NULL)
		while ((value = sb_table_next(t, &pos)) != NULL)
			drop(value);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}
