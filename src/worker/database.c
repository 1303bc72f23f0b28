/*
 * database.c
 *		Lets databases and the extension be altered while workers are connected.
 *
 * DROP DATABASE, RENAME, SET TABLESPACE and CREATE DATABASE ... TEMPLATE want
 * a database without sessions; DROP EXTENSION and ALTER EXTENSION want locks
 * that a worker's turn would hold up.  Before such a statement runs, this
 * takes a hold on the database: its workers are asked to end, and none is
 * started until the transaction that holds has ended either way.
 *
 * A hold is counted in the database's slot and remembered here, and given
 * back by the end of the transaction.  A backend that ends aborts its
 * transaction first; one that crashes takes the shared memory with it.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lwlock.h"
#include "utils/acl.h"

#include "base/compat.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define POLITE_MS 500     /* then the workers are terminated */
#define PATIENCE_MS 10000 /* then the statement has to see for itself */
#define MAX_HELD 16

/* Databases this transaction holds. */
static Oid held[MAX_HELD];
static int n_held = 0;

/* This transaction changed what the launcher should look at. */
static bool look_again = false;
static bool extension_changed = false;

/*
 * Asks the workers of that slot to end, with or without force; answers
 * whether any is left.
 */
static bool
ask_workers(Oid oid, bool force)
{
	LarasDatabaseSlot *database;
	bool left = false;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	database = laras_database_slot(oid);
	for (int k = 0; database != NULL && k < LARAS_WORK_KINDS; k++)
	{
		LarasWorkerSlot *slot = &database->worker[k];

		if (slot->state == LARAS_WORKER_EMPTY)
			continue;
		left = true;
		slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
		if (force && slot->pid != 0)
			kill(slot->pid, SIGTERM);
	}
	LWLockRelease(laras_workers->lock);
	return left;
}

/*
 * Holds that database until the end of the transaction and waits until its
 * workers are gone.  Interruptible.
 */
static void
hold_database(Oid oid)
{
	LarasDatabaseSlot *database;
	int64 began = laras_monotonic_ms();
	bool forced = false;

	for (int i = 0; i < n_held; i++)
	{
		if (held[i] == oid)
			return;
	}
	if (n_held == MAX_HELD)
		return; /* sixteen in one transaction: then as without us */

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	database = laras_database_slot(oid);
	if (database != NULL)
	{
		database->holds++;
		held[n_held++] = oid;
	}
	LWLockRelease(laras_workers->lock);
	if (database == NULL)
		return;

	ConditionVariablePrepareToSleep(&laras_workers->changed);
	while (ask_workers(oid, forced))
	{
		int64 passed = laras_monotonic_ms() - began;

		if (passed > PATIENCE_MS)
			break;
		forced = passed > POLITE_MS;
		ConditionVariableTimedSleep(&laras_workers->changed, 100,
									LARAS_WAIT_EVENT("LarasWorkersStop"));
	}
	ConditionVariableCancelSleep();
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	LarasDatabaseSlot *database;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (n_held == 0 && !look_again && !extension_changed)
		return;

	LWLockAcquire(laras_workers->lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_held; i++)
	{
		database = laras_database_slot(held[i]);
		if (database == NULL)
			continue;
		database->holds--;
		database->extension = LARAS_EXTENSION_UNKNOWN;
		database->extension_changes++;
		database->probe_at = 0;
	}
	if (extension_changed && event == XACT_EVENT_COMMIT)
	{
		database = laras_database_slot(MyDatabaseId);
		if (database != NULL)
			database->extension_changes++;
		if (database != NULL && database->extension != LARAS_EXTENSION_PRESENT)
		{
			database->extension = LARAS_EXTENSION_UNKNOWN;
			database->probe_at = 0;
		}
	}
	laras_wake_launcher();
	LWLockRelease(laras_workers->lock);
	n_held = 0;
	look_again = false;
	extension_changed = false;
}

/*
 * Holds the named database if the user owns it: who may not do what the
 * statement says must not be able to stop workers either.
 */
static void
hold_named(const char *name)
{
	Oid oid;

	if (name == NULL || !IsTransactionState())
		return;
	oid = get_database_oid(name, true);
	if (OidIsValid(oid) && pg_database_ownercheck(oid, GetUserId()))
		hold_database(oid);
}

static void
hold_for_extension(const char *name)
{
	Oid oid;

	if (strcmp(name, "laras") != 0 || !IsTransactionState())
		return;
	oid = get_extension_oid(name, true);
	if (OidIsValid(oid) && pg_extension_ownercheck(oid, GetUserId()))
		hold_database(MyDatabaseId);
}

static DefElem *
find_option(List *options, const char *name)
{
	ListCell *cell;

	foreach(cell, options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/*
 * Whether workers should be gone for an ALTER DATABASE with these options: a
 * move needs it, and after the other two a worker that is just starting would
 * be refused.
 */
static bool
wants_quiet(List *options)
{
	return find_option(options, "tablespace") != NULL ||
		   find_option(options, "allow_connections") != NULL ||
		   find_option(options, "is_template") != NULL;
}

void
laras_database_before_utility(const LarasUtility *utility)
{
	Node *statement = utility->statement;

	if (laras_workers == NULL)
		return;
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			hold_named(((DropdbStmt *) statement)->dbname);
			break;
		case T_CreatedbStmt:
		{
			DefElem *option = find_option(((CreatedbStmt *) statement)->options, "template");

			if (option != NULL && option->arg != NULL)
				hold_named(defGetString(option));
			break;
		}
		case T_AlterDatabaseStmt:
			if (wants_quiet(((AlterDatabaseStmt *) statement)->options))
				hold_named(((AlterDatabaseStmt *) statement)->dbname);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				hold_named(((RenameStmt *) statement)->subname);
			break;
		case T_DropStmt:
			if (((DropStmt *) statement)->removeType == OBJECT_EXTENSION)
			{
				ListCell *cell;

				foreach(cell, ((DropStmt *) statement)->objects)
					hold_for_extension(strVal(lfirst(cell)));
			}
			break;
		case T_AlterExtensionStmt:
			hold_for_extension(((AlterExtensionStmt *) statement)->extname);
			break;
		default:
			break;
	}
}

/* What may make workers possible, or unwanted, from the commit on. */
void
laras_database_after_utility(const LarasUtility *utility)
{
	Node *statement = utility->statement;

	if (laras_workers == NULL)
		return;
	switch (nodeTag(statement))
	{
		case T_CreatedbStmt:
		case T_DropdbStmt:
		case T_AlterDatabaseStmt:
			look_again = true;
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				look_again = true;
			break;
		case T_CreateExtensionStmt:
			if (strcmp(((CreateExtensionStmt *) statement)->extname, "laras") == 0)
				extension_changed = true;
			break;
		case T_AlterExtensionStmt:
			if (strcmp(((AlterExtensionStmt *) statement)->extname, "laras") == 0)
				extension_changed = true;
			break;
		default:
			break;
	}
}

/* Called once by laras_worker_init, while preloading. */
void
laras_database_init(void)
{
	RegisterXactCallback(end_of_transaction, NULL);
}
