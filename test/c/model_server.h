/*
 * model_server.h
 *		What stands in for PostgreSQL under the vault's server half in the model
 *		test: memory, errors, transactions, and the few tables that it reads.
 *
 * The database is a struct in memory that outlives the process, so that a
 * crash keeps what was committed and nothing else. A statement of the vault is
 * recognised by the name of its plan; one that nobody knows ends the test.
 */
#ifndef LARAS_TEST_MODEL_SERVER_H
#define LARAS_TEST_MODEL_SERVER_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "vault/vaultwork.h"

#define MODEL_ROWS 8192
#define MODEL_WORKSPACE 7
#define MODEL_SYSTEM UINT64CONST(42)
#define MODEL_DATABASE 5
#define MODEL_EPOCHS 60000

/* a row of key_destruction */
typedef struct ModelOrder
{
	uint8 order[LARAS_ORDER_LEN];
	uint32 slot;
	int16 reason;
	int mirrors; /* read back from so many */
	bool verified;
} ModelOrder;

typedef struct ModelDatabase
{
	uint64 wal; /* flushed position */
	int64 timeline;
	bool marked; /* keyring_mark has its row */
	uint8 keyring[LARAS_UUID_LEN];
	int64 mark_timeline;
	int64 sweep_from;
	int64 leased; /* the end of the lease, as far as the database knows */
	bool traffic; /* laras.installation has its row */
	int norders;
	ModelOrder orders[MODEL_ROWS];
	int nowners;
	uint32 owners[MODEL_ROWS]; /* slots of key_owner */
	int epoch_destroyed;       /* every epoch up to it */
	int epoch_journalled;
} ModelDatabase;

/* what the open transaction will have done to the database */
#define MODEL_WORK_ROWS 1024

typedef struct ModelWork
{
	int norders;
	struct
	{
		ModelOrder row;
		uint32 sub;
	} orders[MODEL_WORK_ROWS];
	int nowners;
	struct
	{
		uint32 slot;
		uint32 sub;
	} owners[MODEL_WORK_ROWS];
} ModelWork;

extern ModelWork model_work;

/* in memory that outlives a crash */
extern ModelDatabase *model_database;
extern TimestampTz *model_clock;

/* the epochs that the key store holds: first..last */
extern int *model_first_epoch;
extern int *model_last_epoch;
extern void model_master_key(int epoch, uint8 key[LARAS_KEY_LEN]);

/* settings of the vault, allocated before it starts */
extern void model_settings(const char *mirrors);

/*
 * A transaction of a session. What commit makes durable it makes durable at
 * once, together with what then() does; then come the callbacks. False: it
 * failed before that and is rolled back, model_error() says why.
 */
extern void model_begin(void);
extern void model_own(uint32 slot); /* a key_owner row */
extern bool model_commit(void (*then)(void));
extern void model_rollback(void);
extern void model_begin_sub(void);
extern void model_end_sub(bool commit);

/* Run something that may raise: false where it did; then the transaction is rolled back. */
extern bool model_try(void (*what)(void *), void *arg);
extern const char *model_error(void);
extern int model_sqlstate(void);

/* what the vault worker has asked for: ms until its next turn, -1: nothing */
extern int model_wake_in;

#endif /* LARAS_TEST_MODEL_SERVER_H */
