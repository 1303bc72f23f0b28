/*
 * json_owner.c
 *		Ties jansson documents to memory contexts.
 *
 * jansson asks for memory value by value. While laras_json_read() parses, it
 * gets it from an arena of the current memory context; at all other times from
 * where it took it before. Invariant: what lies in a chunk of a living arena is
 * never given back there; arenas unlink themselves when their context goes.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define FIRST_CHUNK ((size_t) 16 * 1024)
#define LARGEST_CHUNK ((size_t) 1024 * 1024)

typedef struct Chunk
{
	struct Chunk *next;
	char *at; /* where the next value goes */
	char *end;
	max_align_t first[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

typedef struct Arena
{
	struct Arena *next;
	MemoryContext context;
	Chunk *chunks; /* the newest first */
	size_t size;   /* of the next chunk */
	MemoryContextCallback callback;
} Arena;

static json_malloc_t former_malloc; /* what jansson took its memory from */
static json_free_t former_free;

static Arena *arenas; /* of living contexts */
static Arena *active; /* while a document is parsed */

static void *
take(size_t n)
{
	Chunk *chunk;
	void *taken;

	if (active == NULL)
		return former_malloc(n);
	if (n > MaxAllocHugeSize / 2)
		return NULL;
	n = TYPEALIGN(_Alignof(max_align_t), n);
	chunk = active->chunks;
	if (chunk == NULL || n > (size_t) (chunk->end - chunk->at))
	{
		size_t size = offsetof(Chunk, first) + Max(active->size, n);

		chunk =
			MemoryContextAllocExtended(active->context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
		if (chunk == NULL)
			return NULL;
		chunk->at = (char *) chunk->first;
		chunk->end = (char *) chunk + size;
		chunk->next = active->chunks;
		active->chunks = chunk;
		active->size = Min(active->size * 2, LARGEST_CHUNK);
	}
	taken = chunk->at;
	chunk->at += n;
	return taken;
}

static void
give_back(void *p)
{
	for (Arena *arena = arenas; arena != NULL; arena = arena->next)
		for (Chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next)
			if ((char *) p >= (char *) chunk->first && (char *) p < chunk->end)
				return;
	former_free(p);
}

void *
laras_context_alloc(void *context, size_t n)
{
	if (!AllocHugeSizeIsValid(n))
		return NULL;
	return MemoryContextAllocExtended(context, n,
									  MCXT_ALLOC_ZERO | MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

void
laras_json_init(void)
{
	json_get_alloc_funcs(&former_malloc, &former_free);
	json_set_alloc_funcs(take, give_back);
}

static void
unlink_arena(void *arg)
{
	for (Arena **at = &arenas; *at != NULL; at = &(*at)->next)
		if (*at == arg)
		{
			*at = (*at)->next;
			return;
		}
}

/* The arena of the current context; NULL when memory is short. */
static Arena *
arena_here(void)
{
	Arena *arena;

	for (arena = arenas; arena != NULL; arena = arena->next)
		if (arena->context == CurrentMemoryContext)
			return arena;
	arena = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(Arena),
									   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (arena == NULL)
		return NULL;
	arena->context = CurrentMemoryContext;
	arena->size = FIRST_CHUNK;
	arena->callback.func = unlink_arena;
	arena->callback.arg = arena;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &arena->callback);
	arena->next = arenas;
	arenas = arena;
	return arena;
}

json_t *
laras_json_read(const char *bytes, size_t n, const char **reason)
{
	json_t *document;

	active = arena_here();
	if (active == NULL)
	{
		if (reason)
			*reason = "out_of_memory";
		return NULL;
	}
	document = laras_json_parse(bytes, n, reason);
	active = NULL;
	return document;
}

static void
release(void *document)
{
	json_decref((json_t *) document);
}

json_t *
laras_json_own(json_t *document)
{
	MemoryContextCallback *callback;

	if (document == NULL)
		return NULL;
	callback = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(MemoryContextCallback),
										  MCXT_ALLOC_NO_OOM);
	if (callback == NULL)
	{
		json_decref(document);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	callback->func = release;
	callback->arg = document;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return document;
}

void
laras_json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

json_t *
laras_json_word(const char *text)
{
	return text == NULL ? json_null() : json_string(text);
}

json_t *
laras_json_time(TimestampTz time)
{
	return laras_json_word(time == 0 ? NULL : timestamptz_to_str(time));
}

char *
laras_json_text_of(const json_t *j, size_t *n)
{
	size_t size = 0;
	char *dumped = laras_json_dump(j, &size);
	char *text;

	if (dumped == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	text = MemoryContextAllocExtended(CurrentMemoryContext, size + 1,
									  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
	if (text != NULL)
		memcpy(text, dumped, size + 1);
	free(dumped);
	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (n != NULL)
		*n = size;
	return text;
}
