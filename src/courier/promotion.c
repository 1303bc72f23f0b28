/*
 * promotion.c
 *		Messages that another server may have sent; see promotion.h.
 *
 * A message is `sending` in a durable commit before its request begins, and that
 * commit reaches a synchronous standby before the request does. An asynchronous one
 * may lack the primary's last commits when it is promoted: a message that is queued
 * here may have been handed over. It is no better known than one whose answer was
 * lost, and there is no attempt here that a status could settle; so it waits until
 * somebody who knows calls resume(true).
 *
 * That a server was promoted is told by the timeline of its WAL. What was queued
 * after the last commit that it replayed is its own and waits for nobody.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "catalog/pg_type_d.h"
#include "courier/promotion.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

static bool send_after_promotion = false;

LARAS_PLAN(park_sends,
		   "UPDATE laras.outbox SET state = 'parked', reason = $1, incarnation = NULL "
		   "WHERE state OPERATOR(pg_catalog.=) 'queued' AND created_at OPERATOR(pg_catalog.<=) $2",
		   TEXTOID, TIMESTAMPTZOID);

/* What it may have settled, or sent again already. */
LARAS_PLAN(hold_sends,
		   "UPDATE laras.outbox SET uncertain_policy = 'hold' "
		   "WHERE state OPERATOR(pg_catalog.=) ANY ('{sending,uncertain}'::pg_catalog.text[]) "
		   "AND uncertain_policy OPERATOR(pg_catalog.=) 'resend_once' AND NOT resent");

LARAS_PLAN(count_parked,
		   "UPDATE laras.installation SET parked_sends = parked_sends "
		   "OPERATOR(pg_catalog.+) $1",
		   INT8OID);

LARAS_PLAN(release_sends,
		   "UPDATE laras.outbox SET state = 'queued', reason = NULL "
		   "WHERE state OPERATOR(pg_catalog.=) 'parked' "
		   "AND reason OPERATOR(pg_catalog.=) ANY ('{restored,promoted}'::pg_catalog.text[])");

LARAS_PLAN(none_parked, "UPDATE laras.installation SET parked_sends = 0 "
						"WHERE parked_sends OPERATOR(pg_catalog.<>) 0");

LARAS_PLAN(read_timeline, "SELECT i.timeline FROM laras.installation i FOR UPDATE");

LARAS_PLAN(write_timeline, "UPDATE laras.installation SET timeline = $1", INT8OID);

uint64
laras_sends_park(const char *reason, TimestampTz until)
{
	uint64 n =
		laras_spi_run(&park_sends,
					  (Datum[]){CStringGetTextDatum(reason), TimestampTzGetDatum(until)}, NULL);

	laras_spi_run(&hold_sends, NULL, NULL);
	laras_spi_run(&count_parked, (Datum[]){Int64GetDatum((int64) n)}, NULL);
	return n;
}

uint64
laras_sends_release(void)
{
	laras_spi_run(&none_parked, NULL, NULL);
	return laras_spi_run(&release_sends, NULL, NULL);
}

/* It was: what the server before may have sent waits. Inside SPI. */
static void
take_over(void)
{
	TimestampTz replayed = GetLatestXTime();
	uint64 n;
	LarasEvidenceField fields[1];
	LarasEvidence act = {
		.action = LARAS_ACT_DATABASE_PROMOTED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	/* not known any more after a restart */
	n = laras_sends_park("promoted", replayed == 0 ? laras_now() : replayed + laras_clock_offset());
	fields[0] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_COUNT, (int64) n);
	laras_evidence_append(&act);
	if (n > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("this server was promoted, and " UINT64_FORMAT
						" messages that waited are parked",
						n),
				 errdetail("The server before may have sent them in its last moments."),
				 errhint(
					 "Call laras.resume(true) where it did not, or set laras.send_after_promotion "
					 "on standbys that are synchronous.")));
}

void
laras_promotion_look(void)
{
	int64 timeline = (int64) GetWALInsertionTimeLine();
	bool known;

	laras_worker_begin("looking whether the server was promoted");
	laras_worker_bind_all();
	laras_spi_open();
	laras_spi_run_one(&read_timeline, NULL, NULL);
	known = !laras_spi_isnull(0, 1);
	if (!known || laras_spi_int8(0, 1) != timeline)
	{
		if (known && !send_after_promotion)
			take_over();
		laras_spi_run(&write_timeline, (Datum[]){Int64GetDatum(timeline)}, NULL);
	}
	laras_spi_close();
	laras_worker_commit();
}

void
laras_promotion_init(void)
{
	DefineCustomBoolVariable(
		"laras.send_after_promotion", "Send what waited when this server was promoted.",
		"Only where every standby that may be promoted is synchronous: the commits that an "
		"asynchronous one lacks may have sent it, and it would be sent twice.",
		&send_after_promotion, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
}
