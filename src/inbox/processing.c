/*
 * processing.c
 *		Which messages may be more than kept: asked once for a batch.
 */
#include "postgres.h"

#include "base/spi.h"
#include "inbox/processing.h"
#include "inbox/rows.h"
#include "utils/builtins.h"

LARAS_PLAN(
	find_processed,
	"SELECT u.n FROM unnest($1, $2, $3) AS u (n, w, c) WHERE laras.processes(u.w, u.c, 'service')",
	INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID);

LARAS_PLAN(ask_processed, "SELECT laras.processes($1, $2, 'service')", INT8OID, TEXTOID);

void
laras_mark_processed(LarasInboxEvent *events, int n)
{
	int *first = palloc(sizeof(int) * (n + 1)); /* of the same workspace and channel */
	LarasColumn c[3];
	int asked = 0;
	uint64 found;

	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		events[i].processed = false;
		/* events of one account stand together more often than not */
		first[i] = i > 0 && events[i].workspace_id == events[i - 1].workspace_id &&
						   events[i].driver == events[i - 1].driver
					   ? first[i - 1]
					   : i;
		if (first[i] != i)
			continue;
		c[0].values[asked] = Int32GetDatum(i);
		c[1].values[asked] = Int64GetDatum(events[i].workspace_id);
		c[2].values[asked++] = CStringGetTextDatum(events[i].driver->channel);
	}
	if (asked == 0)
		return;
	laras_spi_open();
	found = laras_spi_run(&find_processed,
						  (Datum[]){laras_column_array(&c[0], asked, INT4OID),
									laras_column_array(&c[1], asked, INT8OID),
									laras_column_array(&c[2], asked, TEXTOID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
		events[laras_spi_int4(i, 1)].processed = true;
	laras_spi_close();
	for (int i = 0; i < n; i++)
		events[i].processed = events[first[i]].processed;
}

bool
laras_is_processed(int64 workspace_id, const char *channel)
{
	laras_spi_run(&ask_processed,
				  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel)}, NULL);
	return laras_spi_bool(0, 1);
}
