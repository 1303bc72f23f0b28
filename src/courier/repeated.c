/*
 * repeated.c
 *		Answers that give a message the id of another.
 *
 * The index on ids would refuse to store such an answer, and with it the whole
 * batch in which it stands. An answer that names another message proves nothing
 * of this one, so what became of it is not known.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/repeated.h"
#include "inbox/rows.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* What the customer's own app sent and came back as an echo may have the id already. */
LARAS_PLAN(
	find_repeated,
	"SELECT u.n FROM (SELECT v.n, v.w, v.m, v.x, pg_catalog.row_number() OVER (PARTITION BY v.w, v.x ORDER BY v.n) AS nth "
	"FROM unnest($1, $2, $3, $4) AS v (n, w, m, x)) AS u WHERE u.nth OPERATOR(pg_catalog.>) 1 "
	"OR EXISTS (SELECT 1 FROM laras.message d WHERE d.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND d.provider_message_index OPERATOR(pg_catalog.=) u.x AND d.id OPERATOR(pg_catalog.<>) u.m "
	"AND d.author_kind OPERATOR(pg_catalog.<>) 'app')",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

void
laras_outcome_doubt(LarasOutcome *o)
{
	o->outbox_state = "uncertain";
	o->attempt_outcome = "uncertain";
	o->reason = "outcome_unknown";
	o->message_status = "uncertain";
	o->notice = "uncertain";
	o->provider_id = (LarasText){NULL, 0};
	o->provider_index = NULL;
}

void
laras_doubt_repeated(LarasOutcome *outcomes, int n)
{
	LarasColumn c[4];
	int named = 0;
	uint64 found;

	laras_columns_init(c, 4, n);
	for (int i = 0; i < n; i++)
	{
		LarasOutcome *o = &outcomes[i];
		const LarasFlight *f = o->flight;

		if (strcmp(o->outbox_state, "sent") != 0 || o->provider_id.s == NULL ||
			laras_flight_is_cut(f))
			continue;
		c[0].values[named] = Int32GetDatum(i);
		c[1].values[named] = Int64GetDatum(f->workspace_id);
		c[2].values[named] = Int64GetDatum(f->message_id);
		o->provider_index =
			laras_index_bytea(f->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE, f->driver->channel,
							  o->provider_id.s, o->provider_id.n);
		c[3].values[named++] = PointerGetDatum(o->provider_index);
	}
	if (named == 0)
		return;
	laras_spi_open();
	found = laras_spi_run(&find_repeated,
						  (Datum[]){laras_column_array(&c[0], named, INT4OID),
									laras_column_array(&c[1], named, INT8OID),
									laras_column_array(&c[2], named, INT8OID),
									laras_column_array(&c[3], named, BYTEAOID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
		laras_outcome_doubt(&outcomes[laras_spi_int4(i, 1)]);
	laras_spi_close();
}
