/*
 * keyowner.c
 *		Who owns which slot, and the slots that belong to a stretch of time.
 *
 * key_owner is the only list from which an erasure takes its slots, so every
 * leased slot gets its row in the transaction that took it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/errors.h"
#include "vault/keyowner.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

#define WEEK_HORIZON_HOURS (30 * 24)
#define HOURS_OF_WEEK (7 * 24)
#define LONGEST_HOUR (7 * 24) /* an hour's slot is spared no longer */

bool (*laras_hour_in_use)(int64 hour) = NULL;
void (*laras_keys_destroyed)(void) = NULL;

LARAS_PLAN(insert_owners,
		   "INSERT INTO laras.key_owner (workspace_id, slot, kind, owner_id)"
		   " SELECT u.w, u.s, $3, u.o FROM unnest($1, $2, $4) AS u (w, s, o)",
		   INT8ARRAYOID, INT8ARRAYOID, TEXTOID, INT8ARRAYOID);

LARAS_PLAN(find_time_slot,
		   "SELECT k.slot FROM laras.key_owner k"
		   " WHERE k.workspace_id = 0 AND k.kind = $1 AND k.owner_id = $2",
		   TEXTOID, INT8OID);

LARAS_PLAN(insert_time_slot,
		   "INSERT INTO laras.key_owner (workspace_id, slot, kind, owner_id)"
		   " VALUES (0, $2, $1, $3)"
		   " ON CONFLICT (workspace_id, kind, owner_id) WHERE kind IN ('hour', 'week') DO NOTHING",
		   TEXTOID, INT8OID, INT8OID);

LARAS_PLAN(old_time_slots,
		   "SELECT k.slot, k.owner_id, k.kind = 'hour' FROM laras.key_owner k"
		   " WHERE k.workspace_id = 0 AND ((k.kind = 'hour' AND k.owner_id <= $1)"
		   " OR (k.kind = 'week' AND k.owner_id <= $2))"
		   " ORDER BY k.kind, k.owner_id LIMIT 1000",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_time_slot,
		   "DELETE FROM laras.key_owner k WHERE k.workspace_id = 0 AND k.slot = $1", INT8OID);

void
laras_vault_run_as(LarasRunAs *saved)
{
	if (!laras_in_worker())
	{
		laras_run_as_owner(saved);
		return;
	}
	GetUserIdAndSecContext(&saved->userid, &saved->context);
	saved->guc_level = NewGUCNestLevel();
}

static Datum
int8_array(Datum *values, int n)
{
	return PointerGetDatum(
		construct_array(values, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void
laras_key_owners_add(const char *kind, const LarasKeyOwner *owners, int n)
{
	LarasRunAs saved;
	Datum *columns[3];

	if (n == 0)
		return;
	for (int k = 0; k < 3; k++)
		columns[k] = palloc(sizeof(Datum) * n);
	for (int i = 0; i < n; i++)
	{
		columns[0][i] = Int64GetDatum(owners[i].workspace_id);
		columns[1][i] = Int64GetDatum((int64) owners[i].slot);
		columns[2][i] = Int64GetDatum(owners[i].owner_id);
	}
	laras_vault_run_as(&saved);
	laras_spi_open();
	laras_spi_run(&insert_owners,
				  (Datum[]){int8_array(columns[0], n), int8_array(columns[1], n),
							CStringGetTextDatum(kind), int8_array(columns[2], n)},
				  NULL);
	laras_spi_close();
	laras_run_as_end(&saved);
	for (int k = 0; k < 3; k++)
		pfree(columns[k]);
}

void
laras_key_owner_add(int64 workspace_id, uint32 slot, const char *kind, int64 owner_id)
{
	LarasKeyOwner owner = {.workspace_id = workspace_id, .owner_id = owner_id, .slot = slot};

	laras_key_owners_add(kind, &owner, 1);
}

/* ------------------------------------------------------------------------
 * Time slots
 * ------------------------------------------------------------------------
 */

/* the last period of each kind that this session asked for */
typedef struct KnownSlot
{
	int64 period;
	uint32 slot;
	LarasVault *vault; /* NULL: nothing known */
} KnownSlot;

static KnownSlot known[2];
static bool callbacks_registered = false;

/* a slot that this transaction made goes with it */
static void
forget_known(void)
{
	known[0].vault = known[1].vault = NULL;
}

static void
transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		forget_known();
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_known();
}

/* hours since 1970 of a moment */
static int64
hour_of(TimestampTz at)
{
	int64 unix_us = at + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	return unix_us / USECS_PER_HOUR;
}

static bool
read_time_slot(Datum kind, int64 period, uint32 *slot)
{
	if (laras_spi_read(&find_time_slot, (Datum[]){kind, Int64GetDatum(period)}, NULL) == 0)
		return false;
	*slot = (uint32) laras_spi_int8(0, 1);
	return true;
}

uint32
laras_time_slot(LarasTimeSlotKind kind, TimestampTz at)
{
	LarasVault *v = laras_vault_here();
	KnownSlot *k = &known[kind];
	int64 period = kind == LARAS_TIME_SLOT_HOUR ? hour_of(at) : hour_of(at) / HOURS_OF_WEEK;
	Datum name;
	LarasRunAs saved;
	uint32 slot;

	laras_vault_require_open();
	if (k->vault == v && k->period == period)
		return k->slot;
	if (!callbacks_registered)
	{
		RegisterXactCallback(transaction_event, NULL);
		RegisterSubXactCallback(subtransaction_event, NULL);
		callbacks_registered = true;
	}

	name = CStringGetTextDatum(kind == LARAS_TIME_SLOT_HOUR ? "hour" : "week");
	laras_vault_run_as(&saved);
	laras_spi_open();
	if (!read_time_slot(name, period, &slot))
	{
		slot = laras_slot_lease();
		if (laras_spi_run(&insert_time_slot,
						  (Datum[]){name, Int64GetDatum((int64) slot), Int64GetDatum(period)},
						  NULL) == 0)
		{
			/* somebody else made it first, and has committed */
			laras_slot_discard(slot);
			CommandCounterIncrement();
			PushActiveSnapshot(GetLatestSnapshot());
			if (!read_time_slot(name, period, &slot))
				ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
								errmsg("could not serialize access to the key of this hour")));
			PopActiveSnapshot();
		}
	}
	laras_spi_close();
	laras_run_as_end(&saved);

	k->period = period;
	k->slot = slot;
	k->vault = v;
	return slot;
}

int
laras_expire_time_slots(void)
{
	int64 hour = hour_of(laras_now());
	int64 horizon = (laras_intake_key_horizon + 59) / 60;
	uint64 n;
	int destroyed = 0;
	uint32 *slots;
	int64 *periods;
	bool *hours;
	uint8 order[LARAS_ORDER_LEN];

	/* a period ends when the first moment of it is over its time */
	laras_spi_open();
	n = laras_spi_read(&old_time_slots,
					   (Datum[]){Int64GetDatum(hour - horizon),
								 Int64GetDatum((hour - WEEK_HORIZON_HOURS) / HOURS_OF_WEEK)},
					   NULL);
	slots = SPI_palloc(sizeof(uint32) * Max(n, 1));
	periods = SPI_palloc(sizeof(int64) * Max(n, 1));
	hours = SPI_palloc(sizeof(bool) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		slots[i] = (uint32) laras_spi_int8(i, 1);
		periods[i] = laras_spi_int8(i, 2);
		hours[i] = laras_spi_bool(i, 3);
	}
	laras_spi_close();

	if (n > 0)
		laras_new_order(order);
	for (uint64 i = 0; i < n; i++)
	{
		if (hours[i] && laras_hour_in_use != NULL && hour - periods[i] < LONGEST_HOUR &&
			laras_hour_in_use(periods[i]))
		{
			ereport(
				WARNING,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("raw events are older than laras.intake_key_horizon and not applied yet"),
				 errhint(
					 "Their key is spared for at most 7 days; see laras.quarantine and laras.worker_status.")));
			continue;
		}
		laras_destroy_slot(0, slots[i], LARAS_REASON_RETENTION, order);
		laras_spi_open();
		laras_spi_run_one(&delete_time_slot, (Datum[]){Int64GetDatum((int64) slots[i])}, NULL);
		laras_spi_close();
		destroyed++;
	}
	return destroyed;
}
