/*
 * contain.c
 *		Steps in subtransactions, see contain.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/contain.h"

bool
laras_any_error(int sqlstate)
{
	return true;
}

bool
laras_no_wish_to_stop(int sqlstate)
{
	return sqlstate != ERRCODE_QUERY_CANCELED && sqlstate != ERRCODE_ADMIN_SHUTDOWN;
}

ErrorData *
laras_contain(void (*step)(void *arg), void *arg, bool (*answers)(int sqlstate))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!answers(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
