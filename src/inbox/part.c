/*
 * part.c
 *		What belongs to messages beside their text, sealed under the person's
 *		slot like the text.
 */
#include "postgres.h"

#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/media.h"
#include "inbox/part.h"
#include "inbox/rows.h"
#include "media/media.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	add_parts,
	"INSERT INTO laras.message_part (workspace_id, id, message_id, contact_id, position, kind, content) "
	"SELECT u.w, u.i, u.m, u.c, u.n, u.k, u.p FROM unnest($1, $2, $3, $4, $5, $6, $7) "
	"AS u (w, i, m, c, n, k, p)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT2ARRAYOID, TEXTARRAYOID,
	LARAS_SEALED_ARRAY);

/* Of a message of the connected account's past nothing is fetched unasked. */
static bool
is_historical(const LarasRecord *record)
{
	return (record->flags & LARAS_HISTORICAL) != 0;
}

/* The files that came along with these messages, of each body at once. Inside SPI. */
static void
keep_enclosed(const LarasStoredMessage *messages, int n, const Datum *part_ids)
{
	int part = 0;

	for (int i = 0; i < n; i++)
	{
		const LarasStoredMessage *m = &messages[i];
		const LarasChannelDriver *driver = laras_channel_driver(m->channel);
		LarasMediaEnclosed *list = palloc(sizeof(LarasMediaEnclosed) * (m->record->part_count + 1));
		int count = 0;

		for (int k = 0; k < m->record->part_count; k++, part++)
			if (m->record->parts[k].enclosed)
				list[count++] = (LarasMediaEnclosed){
					.place = {.workspace_id = m->workspace_id,
							  .workspace_slot = m->workspace_slot,
							  .slot = m->contact.slot},
					.message_id = m->id,
					.part_id = DatumGetInt64(part_ids[part]),
					.kind = m->record->parts[k].kind,
					.content = m->record->parts[k].content,
				};
		if (count > 0 && m->body.s != NULL && driver != NULL && driver->enclosed != NULL)
			laras_media_keep(driver->enclosed, m->body, list, count);
		pfree(list);
	}
}

void
laras_store_parts(const LarasStoredMessage *messages, int n)
{
	LarasColumn c[7];
	LarasMediaWanted *wanted;
	int room = 0;
	int count = 0;
	int wanted_count = 0;

	for (int i = 0; i < n; i++)
		room += messages[i].record->part_count;
	if (room == 0)
		return;
	laras_columns_init(c, 7, room);
	wanted = palloc(sizeof(LarasMediaWanted) * room);
	for (int i = 0; i < n; i++)
	{
		const LarasStoredMessage *m = &messages[i];
		const LarasChannelDriver *driver = laras_channel_driver(m->channel);

		for (int k = 0; k < m->record->part_count; k++)
		{
			const LarasRecordPart *part = &m->record->parts[k];
			int64 id = laras_new_id();

			if (driver != NULL && !part->untold && laras_media_has_bytes(driver->media, part->kind))
				wanted[wanted_count++] = (LarasMediaWanted){m->workspace_id, m->id, id, part->kind,
															is_historical(m->record)};
			c[0].values[count] = Int64GetDatum(m->workspace_id);
			c[1].values[count] = Int64GetDatum(id);
			c[2].values[count] = Int64GetDatum(m->id);
			c[3].values[count] = Int64GetDatum(m->contact.id);
			c[4].values[count] = Int16GetDatum((int16) Min(k, PG_INT16_MAX));
			c[5].values[count] = CStringGetTextDatum(part->kind);
			c[6].values[count++] = PointerGetDatum(
				laras_seal(m->workspace_slot, m->contact.slot, LARAS_FIELD_message_part_content,
						   m->workspace_id, id, part->content.s, part->content.n));
		}
	}
	laras_spi_open();
	laras_spi_run(&add_parts,
				  (Datum[]){laras_column_array(&c[0], count, INT8OID),
							laras_column_array(&c[1], count, INT8OID),
							laras_column_array(&c[2], count, INT8OID),
							laras_column_array(&c[3], count, INT8OID),
							laras_column_array(&c[4], count, INT2OID),
							laras_column_array(&c[5], count, TEXTOID),
							laras_column_array(&c[6], count, laras_sealed_type())},
				  NULL);
	laras_media_want(wanted, wanted_count);
	keep_enclosed(messages, n, c[1].values);
	laras_spi_close();
}
