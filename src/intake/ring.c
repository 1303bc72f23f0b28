/*
 * ring.c
 *		The ring of daily partitions of webhook_event, and the counters of what
 *		was dropped.
 *
 * A partition is purged by TRUNCATE once its day is past the horizon and every
 * event in it was applied. The hour slots make the bodies unreadable before
 * that; this removes the rows.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/spi.h"
#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "intake/intake.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

/* days a partition keeps its rows after its day: the longest life of an hour slot */
#define KEEP_DAYS 4

/* concurrent receivers spread their counters over this many rows */
#define COUNTER_BUCKETS 16

static int64
day_number(TimestampTz at)
{
	/* TimestampTz counts from 2000-01-01; any fixed origin serves a ring */
	return at / USECS_PER_DAY;
}

int
laras_ring_day(TimestampTz at)
{
	return (int) (day_number(at) % LARAS_RING_DAYS);
}

LARAS_PLAN(count_ignored,
		   "INSERT INTO laras.ignored_event AS e (day, channel, reason, bucket, count) "
		   "SELECT $1, u.c, u.r, $2, u.n FROM unnest($3, $4, $5) AS u (c, r, n) "
		   "ORDER BY u.c, u.r "
		   "ON CONFLICT (day, channel, reason, bucket) "
		   "DO UPDATE SET count = e.count OPERATOR(pg_catalog.+) excluded.count",
		   DATEOID, INT2OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID);

static int
compare_ignored(const void *a, const void *b)
{
	const LarasIgnored *x = a;
	const LarasIgnored *y = b;
	int order = strcmp(x->channel, y->channel);

	return order != 0 ? order : strcmp(x->reason, y->reason);
}

void
laras_count_ignored(LarasIgnored *ignored, int n)
{
	int distinct = 0;
	Datum *channels;
	Datum *reasons;
	Datum *counts;
	Datum values[5];

	if (n <= 0)
		return;
	qsort(ignored, n, sizeof(LarasIgnored), compare_ignored);
	for (int i = 1; i < n; i++)
	{
		if (compare_ignored(&ignored[distinct], &ignored[i]) == 0)
			ignored[distinct].count += ignored[i].count;
		else
			ignored[++distinct] = ignored[i];
	}
	distinct++;

	laras_spi_open();
	channels = palloc(sizeof(Datum) * distinct);
	reasons = palloc(sizeof(Datum) * distinct);
	counts = palloc(sizeof(Datum) * distinct);
	for (int i = 0; i < distinct; i++)
	{
		channels[i] = CStringGetTextDatum(ignored[i].channel);
		reasons[i] = CStringGetTextDatum(ignored[i].reason);
		counts[i] = Int64GetDatum(ignored[i].count);
	}
	values[0] = Int32GetDatum((int32) day_number(laras_now()));
	values[1] = Int16GetDatum((int16) (MyProcPid % COUNTER_BUCKETS));
	values[2] =
		PointerGetDatum(construct_array(channels, distinct, TEXTOID, -1, false, TYPALIGN_INT));
	values[3] =
		PointerGetDatum(construct_array(reasons, distinct, TEXTOID, -1, false, TYPALIGN_INT));
	values[4] = PointerGetDatum(
		construct_array(counts, distinct, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	laras_spi_run(&count_ignored, values, NULL);
	laras_spi_close();
}

/*
 * Is anything in this partition? The events themselves, not statistics: the
 * answer decides about a TRUNCATE. Only what every snapshot sees applied
 * counts as applied: the cursor's position.
 */
LARAS_PLAN(
	partition_state,
	"SELECT pg_catalog.count(*), "
	"pg_catalog.count(*) FILTER (WHERE NOT pg_catalog.pg_visible_in_snapshot(e.txid, c.position)), "
	"coalesce(pg_catalog.max(e.received_at) OPERATOR(pg_catalog.>=) $2, false) "
	"FROM (SELECT w.txid, w.received_at FROM laras.webhook_event w "
	"WHERE w.ring_day OPERATOR(pg_catalog.=) $1 LIMIT 1000000) e, "
	"laras.event_cursor c WHERE c.name OPERATOR(pg_catalog.=) 'intake'",
	INT2OID, TIMESTAMPTZOID);

LarasTurn
laras_intake_purge(void)
{
	TimestampTz now = laras_now();
	TimestampTz term = now - KEEP_DAYS * USECS_PER_DAY;

	laras_worker_bind_all();
	for (int ring_day = 0; ring_day < LARAS_RING_DAYS; ring_day++)
	{
		int64 rows;
		int64 waiting;
		bool young;
		char name[NAMEDATALEN];
		Oid relation;
		int level;

		/* the day that is being written to is never looked into */
		if (ring_day == laras_ring_day(now))
			continue;
		laras_spi_open();
		if (laras_spi_read(&partition_state,
						   (Datum[]){Int16GetDatum((int16) ring_day), TimestampTzGetDatum(term)},
						   NULL) == 0)
		{
			laras_spi_close();
			return LARAS_TURN_IDLE;
		}
		rows = laras_spi_int8(0, 1);
		waiting = laras_spi_int8(0, 2);
		young = laras_spi_bool(0, 3);
		laras_spi_close();
		if (rows == 0 || young)
			continue;
		if (waiting > 0)
		{
			ereport(LOG,
					(errmsg("raw events of an expired day are not applied yet"),
					 errdetail("Ring day %d holds %lld of them.", ring_day, (long long) waiting)));
			continue;
		}
		snprintf(name, sizeof(name), "webhook_event_%d", ring_day);
		relation = get_relname_relid(name, get_namespace_oid("laras", false));
		if (!OidIsValid(relation))
			continue;
		laras_guard_permit_truncate(relation);
		level = NewGUCNestLevel();
		(void) set_config_option("lock_timeout", "100ms", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		laras_spi_open();
		{
			static const char *const statements[LARAS_RING_DAYS] = {
				"TRUNCATE laras.webhook_event_0", "TRUNCATE laras.webhook_event_1",
				"TRUNCATE laras.webhook_event_2", "TRUNCATE laras.webhook_event_3",
				"TRUNCATE laras.webhook_event_4", "TRUNCATE laras.webhook_event_5",
				"TRUNCATE laras.webhook_event_6", "TRUNCATE laras.webhook_event_7",
				"TRUNCATE laras.webhook_event_8", "TRUNCATE laras.webhook_event_9",
			};

			if (SPI_execute(statements[ring_day], false, 0) != SPI_OK_UTILITY)
				ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
								errmsg("a partition of raw events could not be emptied")));
		}
		laras_spi_close();
		AtEOXact_GUC(true, level);
		return LARAS_TURN_MORE;
	}
	return LARAS_TURN_IDLE;
}

LARAS_PLAN(
	hour_waits,
	"SELECT EXISTS (SELECT 1 FROM laras.webhook_event e, laras.event_cursor c "
	"WHERE c.name OPERATOR(pg_catalog.=) 'intake' AND e.ring_day OPERATOR(pg_catalog.=) $1 "
	"AND e.received_at OPERATOR(pg_catalog.>=) $2 AND e.received_at OPERATOR(pg_catalog.<) $3 "
	"AND NOT pg_catalog.pg_visible_in_snapshot(e.txid, c.position))",
	INT2OID, TIMESTAMPTZOID, TIMESTAMPTZOID);

/*
 * Does that hour (since 1970) hold events that are not applied? Then its key is
 * spared a while: see laras_hour_in_use of the vault.
 */
static bool
hour_in_use(int64 hour)
{
	TimestampTz start =
		(hour - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(24)) * USECS_PER_HOUR;
	bool waits;

	laras_spi_open();
	waits = laras_spi_read(&hour_waits,
						   (Datum[]){Int16GetDatum((int16) laras_ring_day(start)),
									 TimestampTzGetDatum(start),
									 TimestampTzGetDatum(start + USECS_PER_HOUR)},
						   NULL) > 0 &&
			laras_spi_bool(0, 1);
	laras_spi_close();
	return waits;
}

void
laras_intake_init(void)
{
	laras_hour_in_use = hour_in_use;
}
