/*
 * json_owner.c
 *		Ties jansson documents to memory contexts.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "utils/memutils.h"

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
