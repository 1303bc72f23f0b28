/*
 * shared.h
 *		The worker room's shared memory, private to src/worker/.
 *
 * One LarasDatabaseSlot for each database the launcher looks after, in it one
 * LarasWorkerSlot for each kind of worker.  A slot is named by its index, and
 * keeps it as long as its database is looked after.
 *
 * Locking: everything is read and written under laras_workers->lock, but for
 * the atomic counters, which anybody may read at any time.  Latch pointers
 * are valid while the lock is held and are cleared by their owner's exit
 * callback under the lock, so a latch is only ever set under the lock.
 * `changed` is broadcast whenever a state, a counter or a pause changed.
 *
 * Deadlines are int64 milliseconds of laras_monotonic_ms(), so that a clock
 * that is set moves none of them; TimestampTz values are for show.
 */
#ifndef LARAS_WORKER_SHARED_H
#define LARAS_WORKER_SHARED_H

#include "base/monotonic.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "worker/worker.h"

#define LARAS_MAX_DATABASES 64
#define LARAS_ERROR_TEXT_SIZE 192

typedef enum LarasWorkerState
{
	LARAS_WORKER_EMPTY,    /* no process */
	LARAS_WORKER_STARTING, /* registered, has not attached yet */
	LARAS_WORKER_RUNNING   /* attached; pid and latch are set */
} LarasWorkerState;

typedef enum LarasExtensionState
{
	LARAS_EXTENSION_UNKNOWN,
	LARAS_EXTENSION_PRESENT,
	LARAS_EXTENSION_ABSENT,
	LARAS_EXTENSION_OTHER_VERSION
} LarasExtensionState;

typedef struct LarasWorkerSlot
{
	LarasWorkerState state;
	uint32 incarnation; /* a late starter of an older one goes away */
	pid_t pid;
	Latch *latch;
	bool stop;   /* end quietly, at once */
	bool paused; /* run no turn */
	bool in_turn;

	/* Work: queued so far, and how much of it was seen by a finished turn. */
	pg_atomic_uint64 requested;
	pg_atomic_uint64 served;
	pg_atomic_uint64 pending;       /* begun, not finished */
	pg_atomic_uint64 waiting_since; /* TimestampTz of the oldest not served */
	uint32 forgiven;                /* grows when resume_workers ends backoffs */
	bool all_duties;                /* the keeper runs those that are not due too */

	/* When the launcher may start it again, and why it has to wait. */
	int64 not_before;
	int exits;   /* unasked ends in a row */
	int crashes; /* crashes in a row, see crash.c */

	/* What worker_status shows. */
	int64 started_ms;
	TimestampTz started_at;
	TimestampTz last_turn_at;
	TimestampTz last_success_at;
	int64 turns;
	int64 failures;
	int failures_in_a_row;
	int64 next_attempt; /* 0: whenever there is work */
	TimestampTz last_error_at;
	int last_error_code;
	char last_error[LARAS_ERROR_TEXT_SIZE];
} LarasWorkerSlot;

typedef struct LarasDatabaseSlot
{
	Oid database; /* InvalidOid: free */
	NameData name;
	int holds; /* transactions that want it without workers */
	LarasExtensionState extension;
	uint32 extension_changes; /* grows when somebody created or changed it */
	int64 probe_at;           /* when to look for the extension again */
	LarasWorkerSlot worker[LARAS_WORK_KINDS];
} LarasDatabaseSlot;

/*
 * A record of crash.c's file.  The first is the launcher's (database 0, kind
 * -1), the others stand in the order of the slots.
 */
typedef struct LarasCrashRecord
{
	uint32 magic; /* 0: nothing here */
	Oid database;
	int32 kind;
	int32 alive; /* pid; here in shared memory: of the process that crashed */
	int32 in_a_row;
} LarasCrashRecord;

#define LARAS_CRASH_RECORDS (1 + LARAS_MAX_DATABASES * LARAS_WORK_KINDS)

typedef struct LarasWorkers
{
	LWLock *lock;
	ConditionVariable changed;

	pid_t launcher_pid;
	Latch *launcher_latch;
	TimestampTz launcher_started_at;
	int64 launcher_started_ms;
	int64 launcher_waits_until; /* after crashes or ends of its own */
	int launcher_crashes;
	int launcher_exits; /* ends by error or signal in a row */

	bool crashes_read; /* the file is in `crash` since shared memory was made */
	LarasCrashRecord crash[LARAS_CRASH_RECORDS];
	int slots_refused; /* registrations refused in a row */

	LarasDatabaseSlot database[LARAS_MAX_DATABASES];
} LarasWorkers;

/* NULL without preload. */
extern LarasWorkers *laras_workers;

extern void laras_workers_shmem_request(void);
extern void laras_workers_shmem_startup(void);

/* This database's slot or NULL; the lock must be held. */
extern LarasDatabaseSlot *laras_database_slot(Oid database);

/* Wakes the launcher; the lock must be held (shared is enough). */
extern void laras_wake_launcher(void);

extern void laras_wakeups_init(void);

/*
 * A delay of base doubled per attempt after the first, capped, with a quarter
 * of it either way by chance, so that workers that failed together do not
 * come back together.
 */
extern int64 laras_backoff_ms(int attempt, int64 base_ms, int64 cap_ms);

/* tables of rooms.c, each ended by a line whose name is NULL */
extern const LarasSharedRoom laras_shared_rooms[];
extern const LarasHookRoom laras_hook_rooms[];
extern const LarasWorkerSpec laras_worker_specs[];
extern const LarasKeeperDuty laras_keeper_duties[];

/* The line for that kind, or NULL when the build has none. */
extern const LarasWorkerSpec *laras_find_worker(LarasWork kind);

/* database.c: lets databases and the extension be altered under workers */
extern void laras_database_before_utility(const LarasUtility *utility);
extern void laras_database_after_utility(const LarasUtility *utility);
extern void laras_database_init(void);

/* launcher.c */
extern void laras_launcher_init(void);

/* A database that is to have workers. */
typedef struct LarasWanted
{
	Oid database;
	NameData name;
} LarasWanted;

/*
 * wanted.c: fills wanted, which has room for LARAS_MAX_DATABASES, with the
 * databases of laras.databases that there are, and role with the role that
 * workers connect as (InvalidOid: none). Returns how many. The shared
 * catalogues are enough.
 */
extern int laras_wanted_databases(LarasWanted *wanted, Oid *role);
/* How many databases laras.databases names. */
extern int laras_wanted_named(void);
extern void laras_wanted_init(void);

/*
 * extension.c: looks for the extension in this database. Ends the process
 * quietly when it is not there in this library's version; the launcher tries
 * again when somebody creates or updates it, or after a while. Outside a
 * transaction.
 */
extern void laras_extension_check(LarasDatabaseSlot *database);


/*
 * crash.c: which workers are alive, in a file that survives a crash restart.
 * read: who was alive and did not say good-bye is counted as crashed; called
 * by the launcher only, once.  The count of a worker is taken when its
 * database gets a slot, and written back when it changes.
 */
typedef struct LarasCrashes
{
	int in_a_row;
	bool just_now; /* the last process of that name crashed */
} LarasCrashes;

extern void laras_crash_read(void);
extern LarasCrashes laras_crash_take(Oid database, int kind);
extern void laras_crash_alive(Oid database, int kind, int index, int in_a_row);
extern void laras_crash_gone(void);
extern void laras_crash_quit(SIGNAL_ARGS);

/* loop.c */
extern PGDLLEXPORT void laras_worker_main(Datum arg);

/* What the launcher hands a worker, in bgw_extra. */
typedef struct LarasWorkerStart
{
	Oid database;
	Oid role;
	uint32 incarnation;
} LarasWorkerStart;

/* control.c, in the build with fault points */
extern LarasTurn laras_test_duty(void);

/* keeper.c */
extern LarasTurn laras_keeper_turn(void);

/* A contained failure of a turn or of a duty, see loop.c. */
typedef struct LarasFailures
{
	const char *what; /* for the log: "intake" */
	int in_a_row;
	int last_code;
	int64 not_before; /* see laras_worker_not_before */
	uint32 forgiven;
} LarasFailures;

/* failure.c: a piece of work failed; or it did well, perhaps again. */
extern void
laras_failure_note(LarasFailures *run, const LarasDatabaseSlot *database, const ErrorData *error);
extern void laras_failure_over(LarasFailures *run, const LarasDatabaseSlot *database);

/*
 * Runs work(arg) and contains what it raises: rolls back, notes the failure
 * in this worker's slot, logs the first of a run, sets not_before.  Returns
 * whether it succeeded.  With transaction, opens one around it.
 */
extern bool
laras_worker_contain(LarasFailures *failures, bool transaction, void (*work)(void *arg), void *arg);

/* When the next attempt may be made; 0: now. */
extern int64 laras_worker_not_before(const LarasFailures *failures);

/* Whether work was queued since a turn last left nothing to do. */
extern bool laras_worker_was_woken(void);

/* The slot of this process; NULL where it is no worker. */
extern LarasWorkerSlot *laras_my_worker;

/* Settings of this room. */
extern int laras_poll_interval;

/* What this library was built as. */
#ifndef LARAS_VERSION
#error "LARAS_VERSION comes from laras.control by way of the Makefile"
#endif

#endif /* LARAS_WORKER_SHARED_H */
