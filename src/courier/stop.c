/*
 * stop.c
 *		Connections of which the end of a send says that they are dead.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "connect/health.h"
#include "courier/stop.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "worker/worker.h"

/* in the order in which they are locked; a cut under way is waited for */
LARAS_PLAN(lock_parking,
		   "SELECT u.n, c.state FROM unnest($1, $2, $3) AS u (n, w, i) JOIN laras.connection c "
		   "ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i "
		   "ORDER BY u.w, u.i FOR SHARE OF c",
		   INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* What the error says of the token, or else that the account does not send. */
static void
stop_connection(const LarasOutcome *o)
{
	const LarasFlight *f = o->flight;

	if (!laras_token_refused(f->workspace_id, f->connection_id, f->driver, o->error_code,
							 o->error_subcode))
		laras_connection_stop(f->workspace_id, f->connection_id, o->error_code);
}

bool
laras_outcome_stops(const LarasOutcome *o)
{
	return o->withdrawn || strcmp(o->outbox_state, "parked") == 0;
}

/*
 * Stop the connections of which these outcomes say that they are dead. By
 * itself and before the rows are written: whoever holds a connection may be
 * waiting for a row of the outbox, not the other way round.
 */
void
laras_stop_connections(const LarasOutcome *outcomes, int n)
{
	laras_worker_begin("stopping connections");
	laras_worker_bind_all();
	for (int i = 0; i < n; i++)
	{
		bool again = false;

		if (!laras_outcome_stops(&outcomes[i]))
			continue;
		for (int k = 0; k < i && !again; k++)
			again = laras_outcome_stops(&outcomes[k]) &&
					outcomes[k].flight->connection_id == outcomes[i].flight->connection_id;
		if (!again)
			stop_connection(&outcomes[i]);
	}
	laras_worker_commit();
}

/*
 * What would be parked through a connection that was cut since its answer came
 * ends like what waited there: nobody would look for it. Connections are locked
 * before rows of the outbox, as a disconnect does.
 */
void
laras_cancel_cut(LarasOutcome *outcomes, int n)
{
	LarasColumn c[3];
	int count = 0;
	uint64 found;

	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(outcomes[i].outbox_state, "parked") != 0)
			continue;
		c[0].values[count] = Int32GetDatum(i);
		c[1].values[count] = Int64GetDatum(outcomes[i].flight->workspace_id);
		c[2].values[count++] = Int64GetDatum(outcomes[i].flight->connection_id);
	}
	if (count == 0)
		return;
	laras_spi_open();
	found = laras_spi_run(&lock_parking,
						  (Datum[]){laras_column_array(&c[0], count, INT4OID),
									laras_column_array(&c[1], count, INT8OID),
									laras_column_array(&c[2], count, INT8OID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		LarasOutcome *o = &outcomes[laras_spi_int4(i, 1)];
		char *state = laras_spi_cstring(i, 2);

		if (strcmp(state, "disconnected") != 0)
			continue;
		o->outbox_state = "cancelled";
		o->reason = "disconnected";
		o->message_status = "cancelled";
	}
	laras_spi_close();
}
