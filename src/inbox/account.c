/*
 * account.c
 *		What a provider says about the connected account, as notices: templates
 *		judged, quality fallen, names decided, limits raised, errors of no message.
 *
 * Details concern the business and name no customer; they are sealed under the
 * connection's slot, and so end with it. News that the access was taken away ends
 * the connection.
 */
#include "postgres.h"

#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "connect/template.h"
#include "inbox/account.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(find_slots,
		   "SELECT u.n, c.slot FROM unnest($1, $2, $3) AS u (n, w, i) "
		   "JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND c.id OPERATOR(pg_catalog.=) u.i",
		   INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	add_notices,
	"INSERT INTO laras.notice (workspace_id, id, kind, connection_id, code, details, event_index) "
	"SELECT u.w, u.i, u.k, u.c, nullif(u.e, 0), u.d, u.x FROM unnest($1, $2, $3, $4, $5, $6, $7) "
	"AS u (w, i, k, c, e, d, x) ON CONFLICT DO NOTHING",
	INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, LARAS_SEALED_ARRAY,
	BYTEAARRAYOID);

LARAS_PLAN(add_told,
		   "INSERT INTO laras.notice (workspace_id, id, kind, connection_id, details) "
		   "VALUES ($1, $2, $3, $4, $5)",
		   INT8OID, INT8OID, TEXTOID, INT8OID, LARAS_SEALED);

/* A template was judged: its row says so too. Inside SPI. */
static void
tell_template(const LarasStatusEvent *e)
{
	const LarasChannelDriver *driver = laras_channel_driver(e->channel);
	LarasTemplateNews news;
	const json_t *details;

	if (strcmp(e->record->topic, "template_event") != 0 || driver == NULL || driver->send == NULL ||
		driver->send->templates == NULL)
		return;
	details = laras_json_own(laras_json_parse(e->record->details.s, e->record->details.n, NULL));
	if (driver->send->templates->read_event(details, &news))
		laras_template_told(e->workspace_id, e->workspace_slot, e->connection_id, e->channel,
							&news);
}

void
laras_apply_account_events(const LarasStatusEvent *events, int n)
{
	LarasColumn c[7];
	uint32 *slots = palloc0(sizeof(uint32) * n);
	uint64 found;
	int count = 0;

	laras_columns_init(c, 7, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(events[i].workspace_id);
		c[2].values[i] = Int64GetDatum(events[i].connection_id);
	}
	laras_spi_open();
	found = laras_spi_run(&find_slots,
						  (Datum[]){laras_column_array(&c[0], n, INT4OID),
									laras_column_array(&c[1], n, INT8OID),
									laras_column_array(&c[2], n, INT8OID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
		slots[laras_spi_int4(i, 1)] = (uint32) laras_spi_int8(i, 2);
	for (int i = 0; i < n; i++)
	{
		const LarasStatusEvent *e = &events[i];
		int64 id;

		/* disconnected meanwhile: there is nobody to tell */
		if (slots[i] == 0 || laras_slot_is_destroyed(slots[i]))
			continue;
		id = laras_new_id();
		c[0].values[count] = Int64GetDatum(e->workspace_id);
		c[1].values[count] = Int64GetDatum(id);
		c[2].values[count] = CStringGetTextDatum(e->record->topic);
		c[3].values[count] = Int64GetDatum(e->connection_id);
		c[4].values[count] = Int32GetDatum(e->record->error_code);
		c[5].values[count] = PointerGetDatum(
			laras_seal(e->workspace_slot, slots[i], LARAS_FIELD_notice_details, e->workspace_id, id,
					   e->record->details.s, e->record->details.n));
		c[6].values[count++] = PointerGetDatum(
			laras_index_bytea(e->workspace_slot, LARAS_INDEX_PROVIDER_EVENT, e->channel,
							  e->record->event_key.s, e->record->event_key.n));
	}
	for (int i = 0; i < n; i++)
		if (slots[i] != 0)
			tell_template(&events[i]);
	if (count > 0)
		laras_spi_run(&add_notices,
					  (Datum[]){laras_column_array(&c[0], count, INT8OID),
								laras_column_array(&c[1], count, INT8OID),
								laras_column_array(&c[2], count, TEXTOID),
								laras_column_array(&c[3], count, INT8OID),
								laras_column_array(&c[4], count, INT4OID),
								laras_column_array(&c[5], count, laras_sealed_type()),
								laras_column_array(&c[6], count, BYTEAOID)},
					  NULL);
	laras_spi_close();
	for (int i = 0; i < n; i++)
		if (events[i].record->lost && slots[i] != 0)
			laras_connection_lost(events[i].workspace_id, events[i].connection_id, 0);
}

void
laras_account_notice(int64 workspace_id, const char *kind, int64 connection_id, uint32 slot,
					 LarasText details)
{
	int64 id = laras_new_id();
	bool told = slot != 0 && !laras_slot_is_destroyed(slot);
	char nulls[6] = "     ";

	nulls[3] = connection_id == 0 ? 'n' : ' ';
	nulls[4] = told ? ' ' : 'n';
	laras_spi_open();
	laras_spi_run_one(&add_told,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								CStringGetTextDatum(kind), Int64GetDatum(connection_id),
								told ? PointerGetDatum(
										   laras_seal(laras_workspace_slot(workspace_id), slot,
													  LARAS_FIELD_notice_details, workspace_id, id,
													  details.s, details.n))
									 : (Datum) 0},
					  nulls);
	laras_spi_close();
}
