/*
 * pause.c
 *		Accounts that are left alone, as rows.
 *
 * The breaker and the pauses of a lane are memory of the courier (limit.c). A
 * crash ends that memory, and shared memory with it, so what is worth to be
 * known by a successor is written beside the outcomes that led to it: that the
 * breaker is open, and until when nothing is to be sent. The courier reads it
 * once. A pause is counted by the clock of the server, which somebody may set:
 * none that is read lasts longer than LONGEST.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/limit.h"
#include "courier/pause.h"
#include "inbox/rows.h"
#include "utils/builtins.h"

/* hours: what a provider may ask for at most */
#define LONGEST 24

/* none for a connection that was cut meanwhile; waits for one that is being cut */
LARAS_PLAN(
	write_pauses,
	"INSERT INTO laras.send_pause (workspace_id, connection_id, breaker_open, rests, reach, rests_until) "
	"SELECT u.w, u.c, u.o, u.r, u.s, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) "
	"(u.l OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval) FROM unnest($1, $2, $3, $4, $5, $6) AS u (w, c, o, r, l, s) "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.c "
	"WHERE c.state OPERATOR(pg_catalog.<>) 'disconnected' ORDER BY u.w, u.c FOR KEY SHARE OF c "
	"ON CONFLICT (workspace_id, connection_id) DO UPDATE SET breaker_open = excluded.breaker_open, "
	"rests = excluded.rests, reach = excluded.reach, rests_until = excluded.rests_until",
	INT8ARRAYOID, INT8ARRAYOID, BOOLARRAYOID, INT4ARRAYOID, FLOAT8ARRAYOID, TEXTARRAYOID);

LARAS_PLAN(end_pauses,
		   "DELETE FROM laras.send_pause p USING unnest($1, $2) AS u (w, c) "
		   "WHERE p.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND p.connection_id OPERATOR(pg_catalog.=) u.c",
		   INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	read_pauses,
	"SELECT s.workspace_id, s.connection_id, s.breaker_open, s.rests, (EXTRACT(epoch FROM "
	"greatest(least(s.rests_until OPERATOR(pg_catalog.-) pg_catalog.clock_timestamp(), "
	"pg_catalog.make_interval(hours => $1)), pg_catalog.make_interval())) "
	"OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8, s.reach, coalesce(p.app, 0), p.business "
	"FROM laras.send_pause s " LARAS_LANE_ABOVE("s.workspace_id", "s.connection_id"),
	INT4OID);

void
laras_pauses_write(void)
{
	int n = laras_limit_changed(NULL, 0);
	LarasPause *pauses;
	LarasColumn resting[6];
	LarasColumn others[2];
	int rest = 0;
	int ended = 0;

	if (n == 0)
		return;
	pauses = palloc(sizeof(LarasPause) * n);
	laras_limit_changed(pauses, n);
	laras_columns_init(resting, 6, n);
	laras_columns_init(others, 2, n);
	for (int i = 0; i < n; i++)
	{
		const LarasPause *p = &pauses[i];

		if (!p->rests_on)
		{
			others[0].values[ended] = Int64GetDatum(p->workspace_id);
			others[1].values[ended++] = Int64GetDatum(p->connection_id);
			continue;
		}
		resting[0].values[rest] = Int64GetDatum(p->workspace_id);
		resting[1].values[rest] = Int64GetDatum(p->connection_id);
		resting[2].values[rest] = BoolGetDatum(p->open);
		resting[3].values[rest] = Int32GetDatum(p->rests);
		resting[4].values[rest] = Float8GetDatum((double) p->left);
		resting[5].values[rest++] = CStringGetTextDatum(p->reach);
	}
	laras_spi_open();
	if (rest > 0)
		laras_spi_run(&write_pauses,
					  (Datum[]){laras_column_array(&resting[0], rest, INT8OID),
								laras_column_array(&resting[1], rest, INT8OID),
								laras_column_array(&resting[2], rest, BOOLOID),
								laras_column_array(&resting[3], rest, INT4OID),
								laras_column_array(&resting[4], rest, FLOAT8OID),
								laras_column_array(&resting[5], rest, TEXTOID)},
					  NULL);
	if (ended > 0)
		laras_spi_run(&end_pauses,
					  (Datum[]){laras_column_array(&others[0], ended, INT8OID),
								laras_column_array(&others[1], ended, INT8OID)},
					  NULL);
	laras_spi_close();
	pfree(pauses);
}

void
laras_pauses_read(void)
{
	uint64 found = laras_spi_run(&read_pauses, (Datum[]){Int32GetDatum(LONGEST)}, NULL);

	for (uint64 i = 0; i < found; i++)
		laras_limit_resume(&(LarasPause){
			.workspace_id = laras_spi_int8(i, 1),
			.connection_id = laras_spi_int8(i, 2),
			.open = laras_spi_bool(i, 3),
			.rests = laras_spi_int4(i, 4),
			.left = laras_spi_int8(i, 5),
			.reach = laras_spi_cstring(i, 6),
			.above = {laras_spi_int8(i, 7), laras_lane_business(laras_spi_bytes(i, 8))},
		});
}
