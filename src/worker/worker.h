/*
 * worker.h
 *		What rooms need of the background workers: shared memory, hooks,
 *		wake-ups, and how to be a worker or a keeper's duty.
 *
 * There is one place where rooms are wired in: src/worker/rooms.c holds four
 * static tables (shared memory, hooks, workers, keeper duties).  A room adds
 * one line to the tables that concern it and declares its functions in its
 * own header.  A room that is not in the tables does not exist for this one.
 *
 * Processes: the launcher (attached to no database) starts, for each database
 * of laras.databases that has the extension in this library's version, one
 * process for every line of the worker table.  They connect as laras_worker.
 * One worker of a kind and database exists at a time; everything below relies
 * on that.
 */
#ifndef LARAS_WORKER_H
#define LARAS_WORKER_H

#include "catalog/objectaccess.h"
#include "nodes/plannodes.h"
#include "tcop/utility.h"
#include "utils/guc.h"

/* ------------------------------------------------------------------------
 * Preload and shared memory
 * ------------------------------------------------------------------------
 */

/*
 * A room's part of the main shared memory segment.
 *
 * request: runs in the postmaster's shmem_request_hook; calls
 *		RequestAddinShmemSpace and, if wanted, RequestNamedLWLockTranche.
 * startup: runs in shmem_startup_hook, AddinShmemInitLock not held; takes it,
 *		calls ShmemInitStruct, keeps the pointer in a static, and initialises
 *		the memory when it was not found.  It runs again after a crash restart.
 *		GetNamedLWLockTranche is allowed here.
 *
 * Neither runs when the library was not preloaded: then the room's static
 * stays NULL, and what needs it calls laras_require_preload() first.
 */
typedef struct LarasSharedRoom
{
	const char *name;
	void (*request)(void);
	void (*startup)(void);
} LarasSharedRoom;

/* True in every process of a server that has laras in shared_preload_libraries. */
extern bool laras_is_preloaded(void);

/*
 * Raises LRB01 with a hint when the library was not preloaded.  For SQL
 * functions that need shared memory or a worker.
 */
extern void laras_require_preload(void);

/*
 * The context in which a room defines a setting that it wants to be
 * PGC_POSTMASTER.  Such settings can only be defined while preloading; in a
 * server without preload this answers PGC_SIGHUP, so that the value of the
 * configuration file is still seen and no session can change it.  Other
 * contexts are answered unchanged.
 */
extern GucContext laras_guc_context(GucContext wanted);

/* ------------------------------------------------------------------------
 * Hooks
 * ------------------------------------------------------------------------
 */

/* One utility statement, as ProcessUtility_hook sees it. */
typedef struct LarasUtility
{
	PlannedStmt *pstmt; /* read only */
	Node *statement;    /* pstmt->utilityStmt */
	const char *query;
	ProcessUtilityContext context;
	QueryEnvironment *environment;
	ParamListInfo params;
} LarasUtility;

/*
 * A room's callbacks in the hooks that laras owns once for all rooms (each
 * chains to whoever was there before).  Unused members are NULL.  The order
 * is that of the table.
 *
 * before_utility: before the statement runs, at every nesting level; raises
 *		to refuse it.  Must be cheap: look at nodeTag first.  Runs also for
 *		statements outside a transaction that sees catalogues (check
 *		IsTransactionState() before any look-up).
 * after_utility: after it succeeded; not called when it raised.
 * object_access: as object_access_hook, before the chained hook; raises to
 *		refuse (OAT_DROP, OAT_TRUNCATE ...).
 *
 * The hooks are set whenever the library is loaded, preloaded or not.
 */
typedef struct LarasHookRoom
{
	const char *name;
	void (*before_utility)(const LarasUtility *utility);
	void (*after_utility)(const LarasUtility *utility);
	void (*object_access)(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
						  void *arg);
} LarasHookRoom;

/* ------------------------------------------------------------------------
 * Wake-ups
 * ------------------------------------------------------------------------
 */

typedef enum LarasWork
{
	LARAS_WORK_VAULT,
	LARAS_WORK_INTAKE,
	LARAS_WORK_COURIER,
	LARAS_WORK_KEEPER
} LarasWork;

#define LARAS_WORK_KINDS 4

/*
 * This transaction queues work for that worker of this database.  Remembered
 * until the transaction ends; at commit the worker's flag and latch are set,
 * after the rows have become visible.  Forgotten at abort; a rolled-back
 * subtransaction may leave a needless wake-up, never a missing one.  Neither
 * allocates nor raises; does nothing without preload.  PREPARE TRANSACTION
 * leaves the work to the poll.  A worker that is so woken sees the rows; its
 * relation and catalogue caches may learn of a change of catalogues a moment
 * later, since invalidations follow the callbacks of a commit.
 */
extern void laras_work_queued(LarasWork kind);

/*
 * Wakes that worker of this database now, whatever becomes of the
 * transaction.  For work that is not in a table (shared memory, files).
 */
extern void laras_work_now(LarasWork kind);

/* ------------------------------------------------------------------------
 * Being a worker
 * ------------------------------------------------------------------------
 */

typedef enum LarasTurn
{
	LARAS_TURN_IDLE, /* nothing left that can be done now */
	LARAS_TURN_MORE  /* there is more: call again at once */
} LarasTurn;

/*
 * A worker.  The loop (src/worker/loop.c) calls turn whenever it was woken by
 * laras_work_queued, its descriptor became readable, the time asked for with
 * laras_worker_wake_in came, or the period passed.
 *
 * With in_transaction the loop opens a transaction with an active snapshot
 * around turn and commits it; CurrentMemoryContext is a scratch context that
 * is reset after every turn.  Without, turn runs outside any transaction and
 * opens its own by laras_worker_begin/commit (the courier: claim and commit,
 * HTTP, record and commit).  Between turns no transaction is open, ever.
 *
 * An error raised in a turn is contained: the transaction is rolled back, the
 * error goes to worker_status, is logged once a run of failures, and the next
 * turn waits (100 ms, doubling to 60 s, with jitter).  FATAL ends the process
 * and the launcher starts another.
 *
 * start runs once, outside a transaction, after connecting: allocate what
 * lives as long as the process (TopMemoryContext), watch a descriptor.  stop
 * runs at exit with the exit code, from a before_shmem_exit callback: close
 * handles, wipe secrets, no SQL.  Either may be NULL.
 *
 * A room that wants a loop of its own gives main instead of turn.  It must
 * call laras_worker_wait() between pieces of work, without a transaction: a
 * piece of work counts as done for drain() once the wait is entered.  What it
 * returns is the exit code: 0 quietly until something changes, others with a
 * delay; an error it does not catch is contained as above and main is called
 * again.
 */
typedef struct LarasWorkerSpec
{
	LarasWork kind;
	const char *name; /* "intake"; the process shows "laras intake" */
	int period_ms;    /* the safety net; 0: laras.poll_interval */
	bool in_transaction;
	void (*start)(void);
	LarasTurn (*turn)(void);
	void (*stop)(int code);
	int (*main)(const char *database, int database_index);
} LarasWorkerSpec;

/*
 * A worker that is none of the launcher's, with a name and no slot: settings,
 * and memory that laras_worker_rest empties. Then transactions as in a turn.
 */
extern void laras_worker_prepare(const LarasWorkerSpec *spec);

/* Wait so long, or until the latch is set; 0: not at all. Serves interrupts. */
extern void laras_worker_rest(int ms);

/*
 * Waits until this worker is woken, its descriptor is readable or the time
 * has passed (ms; -1: no limit; 0: serves interrupts and returns).  Serves
 * interrupts, reloads the configuration, stays inside while the worker is
 * paused, ends the process when asked to stop or when the postmaster died.
 * Must be called without a transaction.
 */
extern void laras_worker_wait(long ms);

/*
 * For turns that run outside a transaction, and for those that need several.
 * begin: statement timestamp, transaction, snapshot, activity shown.  commit:
 * the reverse, with statistics reported.  Both reset CurrentMemoryContext to
 * the turn's scratch context, which outlives the transactions of the turn.
 */
extern void laras_worker_begin(const char *activity);
extern void laras_worker_commit(void);

/* Commits, serves interrupts and begins again: for work done in batches. */
extern void laras_worker_next_transaction(void);

/* The next turn comes in at most that many ms (counted from its end). */
extern void laras_worker_wake_in(int ms);

/*
 * The loop also wakes when fd is readable; -1 ends that.  One descriptor only:
 * put several behind an epoll descriptor.
 */
extern void laras_worker_watch(int fd);

/*
 * What is begun but not finished when a turn says IDLE (requests in flight,
 * rows that are due).  laras.drain() waits until it is 0.  Stays as set.
 */
extern void laras_worker_set_pending(uint64 n);

/*
 * True when the turn should come to an end: somebody wants this process to
 * stop or pause.  For turns that last longer than half a second.
 */
extern bool laras_worker_should_yield(void);

/* True in a process that runs a LarasWorkerSpec; and which. */
extern bool laras_in_worker(void);
extern const LarasWorkerSpec *laras_worker_spec(void);

/* ------------------------------------------------------------------------
 * Being a duty of the keeper
 * ------------------------------------------------------------------------
 */

/*
 * The keeper runs each duty when its period has passed since it last ended,
 * or, with on_wake, also when LARAS_WORK_KEEPER was queued.  run is called in
 * a transaction of its own with an active snapshot (laras_worker_next_transaction
 * is allowed) and says whether it left something to do; then it is called
 * again after the other duties had their turn.  A duty that raises is backed
 * off alone; the others go on.  Wake-ups are gathered: 20 ms lie between two
 * runs of a duty that left nothing to do.
 */
typedef struct LarasKeeperDuty
{
	const char *name;
	int period_ms;
	bool on_wake;
	LarasTurn (*run)(void);
} LarasKeeperDuty;

/* For _PG_init: first of all, the hooks and whether we are preloaded ... */
extern void laras_hooks_init(void);

/* ... then this room's settings, callbacks and, while preloading, the launcher. */
extern void laras_worker_init(void);

/* This room's rows of laras.doctor(). */
struct LarasDoctorSink;
extern void laras_doctor_workers(struct LarasDoctorSink *sink);

#endif /* LARAS_WORKER_H */
