/*
 * model_server.c
 *		What stands in for PostgreSQL under the vault's server half in the model
 *		test. One process is session and vault worker in turn.
 */
#include "model_server.h"

#include <setjmp.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/condition_variable.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/s_lock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/uuid.h"
#include "utils/varlena.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/fault.h"
#include "base/spi.h"
#include "tenancy/tenancy.h"
#include "vault/journalring.h"
#include "vault/keyowner.h"
#include "vault/masterkey.h"
#include "vault/vault.h"
#include "vault_model.h"
#include "worker/worker.h"

/* ---- settings and globals of the server */

volatile sig_atomic_t InterruptPending = false;
bool IsUnderPostmaster = false;
Oid MyDatabaseId = MODEL_DATABASE;
int synchronous_commit = SYNCHRONOUS_COMMIT_ON;
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;
MemoryContext TopMemoryContext = NULL;
MemoryContext TopTransactionContext = NULL;

char *laras_keyring_mirrors = NULL;
int laras_keyring_max_slots = 65536 * 4;
int laras_keyring_slabs_ahead = 16;
int laras_keyring_scrub_hour = -1;
int laras_mirror_timeout = 100;
bool laras_single_mirror = false;
void (*laras_keys_destroyed)(void) = NULL;

TimestampTz *model_clock = NULL;
int *model_first_epoch = NULL;
int *model_last_epoch = NULL;
int model_wake_in = -1;

void
model_settings(const char *mirrors)
{
	laras_keyring_mirrors = strdup(mirrors);
}

/* ---- memory: what the process leaves behind goes with it */

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

void *
ShmemInitStruct(const char *name, Size size, bool *found)
{
	*found = false;
	return palloc0(size);
}

LWLockPadded *
GetNamedLWLockTranche(const char *name)
{
	return palloc0(sizeof(LWLockPadded) * 16);
}

void
RequestAddinShmemSpace(Size size)
{
}

void
RequestNamedLWLockTranche(const char *name, int n)
{
}

void
ReserveExternalFD(void)
{
}

/* ---- locks: one process takes turns, so that nobody ever waits */

bool
LWLockAcquire(LWLock *lock, LWLockMode mode)
{
	uint32 state = pg_atomic_read_u32(&lock->state);

	if (state == UINT32_MAX || (mode == LW_EXCLUSIVE && state != 0))
		model_fatal("a lock would wait for itself");
	pg_atomic_write_u32(&lock->state, mode == LW_EXCLUSIVE ? UINT32_MAX : state + 1);
	return true;
}

void
LWLockRelease(LWLock *lock)
{
	uint32 state = pg_atomic_read_u32(&lock->state);

	if (state == 0)
		model_fatal("a lock is released that nobody holds");
	pg_atomic_write_u32(&lock->state, state == UINT32_MAX ? 0 : state - 1);
}

int
s_lock(volatile slock_t *lock, const char *file, int line, const char *func)
{
	model_fatal("a spinlock would wait for itself");
}

void
ConditionVariableInit(ConditionVariable *cv)
{
}

void
ConditionVariableBroadcast(ConditionVariable *cv)
{
}

bool
ConditionVariableTimedSleep(ConditionVariable *cv, long timeout, uint32 event)
{
	*model_clock += timeout * 1000;
	return true;
}

/* answers whether it was asleep, or nothing: as the release declares it */
__typeof__(ConditionVariableCancelSleep())
ConditionVariableCancelSleep(void)
{
	return (__typeof__(ConditionVariableCancelSleep())) 0;
}

/* ---- time: it passes by being asked for */

TimestampTz
GetCurrentTimestamp(void)
{
	return ++*model_clock;
}

TimestampTz
laras_now(void)
{
	return GetCurrentTimestamp();
}

/* A committer waits for the other mirrors: the vault worker has its turn, mostly. */
void
pg_usleep(long us)
{
	*model_clock += us;
	if (model_random(8) != 0 && laras_vault_work.v != NULL)
		laras_vault_flush_mirrors();
}

/* ---- errors */

static char error_text[1024];
static int error_code;
static int error_level;

bool
errstart(int elevel, const char *domain)
{
	if (elevel < ERROR)
		return getenv("MODEL_LOG") != NULL && elevel >= DEBUG1 ? (error_level = elevel, true)
															   : false;
	error_level = elevel;
	error_text[0] = '\0';
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	error_code = sqlerrcode;
	return 0;
}

static void
add_text(const char *format, va_list args)
{
	size_t n = strlen(error_text);

	snprintf(error_text + n, sizeof(error_text) - n, "%s", n > 0 ? "; " : "");
	n = strlen(error_text);
	vsnprintf(error_text + n, sizeof(error_text) - n, format, args);
}

#define ERROR_PART(name)              \
	int name(const char *format, ...) \
	{                                 \
		va_list args;                 \
                                      \
		va_start(args, format);       \
		add_text(format, args);       \
		va_end(args);                 \
		return 0;                     \
	}
ERROR_PART(errmsg)
ERROR_PART(errmsg_internal)
ERROR_PART(errdetail)

int
errhint(const char *format, ...)
{
	return 0;
}

int
errhidestmt(bool hide)
{
	return 0;
}

void
pg_re_throw(void)
{
	if (PG_exception_stack == NULL)
		model_fatal("an error where none may be raised: %s", error_text);
	siglongjmp(*PG_exception_stack, 1);
}

void
errfinish(const char *file, int line, const char *func)
{
	if (error_level >= ERROR)
		pg_re_throw();
	model_log("  %s", error_text);
	error_text[0] = '\0';
}

const char *
model_error(void)
{
	return error_text;
}

int
model_sqlstate(void)
{
	return error_code;
}

void
ProcessInterrupts(void)
{
}

/* ---- transactions */

#define MAX_CALLBACKS 8

static XactCallback callbacks[MAX_CALLBACKS];
static SubXactCallback sub_callbacks[MAX_CALLBACKS];
static int ncallbacks = 0;
static int nsub_callbacks = 0;

ModelWork model_work;

static SubTransactionId current_sub = 1;
static SubTransactionId last_sub = 1;
static bool in_transaction = false;

void
RegisterXactCallback(XactCallback callback, void *arg)
{
	callbacks[ncallbacks++] = callback;
}

void
RegisterSubXactCallback(SubXactCallback callback, void *arg)
{
	sub_callbacks[nsub_callbacks++] = callback;
}

static void
call_back(XactEvent event)
{
	for (int i = ncallbacks - 1; i >= 0; i--)
		callbacks[i](event, NULL);
}

void
model_begin(void)
{
	model_work.norders = model_work.nowners = 0;
	current_sub = last_sub = 1;
	in_transaction = true;
}

void
model_own(uint32 slot)
{
	if (model_work.nowners == MODEL_WORK_ROWS)
		model_fatal("too many owners in a transaction");
	model_work.owners[model_work.nowners].slot = slot;
	model_work.owners[model_work.nowners++].sub = current_sub;
}

static void
make_durable(void)
{
	ModelDatabase *db = model_database;

	if (db->norders + model_work.norders > MODEL_ROWS ||
		db->nowners + model_work.nowners > MODEL_ROWS)
		model_fatal("the model's tables are full");
	for (int i = 0; i < model_work.norders; i++)
		db->orders[db->norders++] = model_work.orders[i].row;
	for (int i = 0; i < model_work.nowners; i++)
		db->owners[db->nowners++] = model_work.owners[i].slot;
	db->wal += 100;
}

bool
model_commit(void (*then)(void))
{
	sigjmp_buf here;
	sigjmp_buf *outer = PG_exception_stack;

	if (sigsetjmp(here, 0) != 0)
	{
		PG_exception_stack = outer;
		model_rollback();
		return false;
	}
	PG_exception_stack = &here;
	call_back(XACT_EVENT_PRE_COMMIT);
	PG_exception_stack = NULL; /* from here on an error would be a panic */
	make_durable();
	if (then != NULL)
		then();
	in_transaction = false;
	call_back(XACT_EVENT_COMMIT);
	PG_exception_stack = outer;
	return true;
}

void
model_rollback(void)
{
	if (!in_transaction)
		return;
	in_transaction = false;
	call_back(XACT_EVENT_ABORT);
}

void
model_begin_sub(void)
{
	current_sub = ++last_sub;
}

void
model_end_sub(bool commit)
{
	SubTransactionId mine = current_sub;
	int n = 0;

	current_sub = 1;
	for (int i = nsub_callbacks - 1; i >= 0; i--)
		sub_callbacks[i](commit ? SUBXACT_EVENT_COMMIT_SUB : SUBXACT_EVENT_ABORT_SUB, mine, 1,
						 NULL);
	for (int i = 0; i < model_work.norders; i++)
		if (commit || model_work.orders[i].sub != mine)
			model_work.orders[n++] = model_work.orders[i];
	model_work.norders = n;
	n = 0;
	for (int i = 0; i < model_work.nowners; i++)
		if (commit || model_work.owners[i].sub != mine)
			model_work.owners[n++] = model_work.owners[i];
	model_work.nowners = n;
}

bool
model_try(void (*what)(void *), void *arg)
{
	sigjmp_buf here;
	sigjmp_buf *outer = PG_exception_stack;

	if (sigsetjmp(here, 0) != 0)
	{
		PG_exception_stack = outer;
		model_rollback();
		return false;
	}
	PG_exception_stack = &here;
	what(arg);
	PG_exception_stack = outer;
	return true;
}

SubTransactionId
GetCurrentSubTransactionId(void)
{
	return current_sub;
}

TransactionId
GetCurrentTransactionId(void)
{
	return 3;
}

bool
IsTransactionState(void)
{
	return in_transaction;
}

bool
IsInParallelMode(void)
{
	return false;
}

void
PreventCommandIfReadOnly(const char *command)
{
}

void
PreventCommandDuringRecovery(const char *command)
{
}

void
ForceSyncCommit(void)
{
}

int
set_config_option(const char *name, const char *value, GucContext context, GucSource source,
				  GucAction action, bool change, int elevel, bool reload)
{
	return 1;
}

const char *
GetConfigOption(const char *name, bool missing_ok, bool restrict_privileged)
{
	return "model";
}

char *
get_database_name(Oid database)
{
	return pstrdup("model");
}

bool
SplitIdentifierString(char *text, char separator, List **names)
{
	static ListCell cell;
	static List list = {T_List, 1, 1, &cell};

	cell.ptr_value = text;
	*names = &list;
	return true;
}

XLogRecPtr
GetFlushRecPtr(TimeLineID *timeline)
{
	return model_database->wal;
}

TimeLineID
GetWALInsertionTimeLine(void)
{
	return (TimeLineID) model_database->timeline;
}

uint64
GetSystemIdentifier(void)
{
	return MODEL_SYSTEM;
}

/* ---- what SQL functions need; none is called here */

TypeFuncClass
get_call_result_type(FunctionCallInfo fcinfo, Oid *type, TupleDesc *desc)
{
	model_fatal("an SQL function was called");
}

TupleDesc
BlessTupleDesc(TupleDesc desc)
{
	model_fatal("an SQL function was called");
}

/* by its name alone: releases declare its arguments differently */
HeapTuple model_form_tuple(void) __asm__("heap_form_tuple");

HeapTuple
model_form_tuple(void)
{
	model_fatal("an SQL function was called");
}

Datum
HeapTupleHeaderGetDatum(HeapTupleHeader tuple)
{
	model_fatal("an SQL function was called");
}

/* ---- the worker room, and the vault's own parts that the model leaves out */

void
laras_worker_begin(const char *activity)
{
	model_begin();
}

void
laras_worker_commit(void)
{
	if (!model_commit(NULL))
		pg_re_throw();
}

void
laras_worker_bind_all(void)
{
}

void
laras_worker_set_pending(uint64 n)
{
}

void
laras_worker_wake_in(int ms)
{
	if (model_wake_in < 0 || ms < model_wake_in)
		model_wake_in = ms;
}

bool
laras_in_worker(void)
{
	return false;
}

const LarasWorkerSpec *
laras_worker_spec(void)
{
	return NULL;
}

void
laras_work_queued(LarasWork kind)
{
}

void
laras_work_now(LarasWork kind)
{
}

bool
laras_is_preloaded(void)
{
	return true;
}

void
laras_require_preload(void)
{
}

void
laras_vault_run_as(LarasRunAs *saved)
{
}

void
laras_run_as_end(const LarasRunAs *saved)
{
}

int
laras_vault_ndatabases(void)
{
	return 1;
}

bool
laras_vault_path_check(const char *path, LarasKeyError *err)
{
	return true;
}

int
laras_expire_time_slots(void)
{
	return 0;
}

LarasMirrorMask
laras_vault_removed_mirrors(void)
{
	return 0;
}

void
laras_vault_apply_removals(void)
{
}

void
laras_vault_make_copies(void)
{
}

void
model_master_key(int epoch, uint8 key[LARAS_KEY_LEN])
{
	memset(key, 0, LARAS_KEY_LEN);
	memcpy(key, &epoch, sizeof(epoch));
	key[LARAS_KEY_LEN - 1] = 0x5a;
}

/* The key store answers with the epochs that it holds. */
bool
laras_fetch_master_keys(const char *purpose, LarasMasterKeys *keys, LarasKeyError *err)
{
	memset(keys, 0, sizeof(*keys));
	for (int e = *model_first_epoch; e <= *model_last_epoch; e++)
	{
		if (keys->n == LARAS_MAX_MASTERS)
			model_fatal("too many epochs in the key store");
		keys->master[keys->n].epoch = (uint16) e;
		model_master_key(e, keys->master[keys->n++].key);
	}
	return true;
}

void
laras_fault_hit(const char *name)
{
	model_crash_point(name);
}
