/*
 * writers.c
 *		Whether everybody who wrote when an erasure began has ended; see
 *		writers.h.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "erasure/writers.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static int64 request;
static VirtualTransactionId *writers;
static int count;

static void
forget(void)
{
	request = 0;
	count = 0;
	if (writers != NULL)
		pfree(writers);
	writers = NULL;
}

/* Who holds a lock that a writer of the table takes. Never this process itself. */
static void
add_writers_of(Oid relation)
{
	LOCKTAG tag;
	VirtualTransactionId *found;
	int n;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
	found = GetLockConflicts(&tag, ShareLock, &n);
	writers = writers == NULL
				  ? MemoryContextAlloc(TopMemoryContext, sizeof(VirtualTransactionId) * (n + 1))
				  : repalloc(writers, sizeof(VirtualTransactionId) * (count + n + 1));
	memcpy(writers + count, found, sizeof(VirtualTransactionId) * n);
	count += n;
	pfree(found);
}

bool
laras_writers_ended(int64 request_id, const LarasEraseStep *steps)
{
	int left = 0;

	if (request != request_id)
	{
		Oid schema = get_namespace_oid("laras", false);

		forget();
		for (const LarasEraseStep *s = steps; s->table != NULL; s++)
		{
			Oid relation = get_relname_relid(s->table, schema);

			if (OidIsValid(relation))
				add_writers_of(relation);
		}
		request = request_id;
	}
	for (int i = 0; i < count; i++)
		if (!VirtualXactLock(writers[i], false))
			writers[left++] = writers[i];
	count = left;
	return left == 0;
}
