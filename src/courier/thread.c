/*
 * thread.c
 *		What a message answers, for channels whose messages name it.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "courier/thread.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	find_answered,
	"SELECT m.id, m.provider_message_id, p.id, p.content FROM laras.message m "
	"LEFT JOIN laras.draft d ON d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $3 "
	"LEFT JOIN LATERAL (SELECT x.id, x.content FROM laras.message_part x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND x.message_id OPERATOR(pg_catalog.=) m.id "
	"AND x.kind OPERATOR(pg_catalog.=) 'thread' LIMIT 1) AS p ON true "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.conversation_id OPERATOR(pg_catalog.=) $2 "
	"AND m.direction OPERATOR(pg_catalog.=) 'in' AND m.provider_message_id IS NOT NULL "
	"ORDER BY (m.id IS NOT DISTINCT FROM d.inbound_message_id) DESC, m.id DESC LIMIT 1",
	INT8OID, INT8OID, INT8OID);

/* A sealed value of the only row; absent where it is null or its key is gone. */
static LarasText
opened(int64 workspace_id, int id_column, int value_column, uint16 field)
{
	LarasText text = {NULL, 0};
	bytea *value = laras_spi_bytes(0, value_column);
	char *s;

	if (value != NULL && laras_try_open(value, workspace_id, laras_spi_int8(0, id_column), field,
										&s, &text.n) == LARAS_OPENED)
		text.s = s;
	return text;
}

void
laras_thread_read(const LarasFlight *flight, LarasSendText *send)
{
	MemoryContext caller = CurrentMemoryContext;
	LarasText id = {NULL, 0};
	LarasText part = {NULL, 0};

	laras_spi_open();
	if (laras_spi_read(&find_answered,
					   (Datum[]){Int64GetDatum(flight->workspace_id),
								 Int64GetDatum(flight->conversation_id),
								 Int64GetDatum(flight->draft_id)},
					   NULL) == 1)
	{
		MemoryContext inner = MemoryContextSwitchTo(caller);

		id = opened(flight->workspace_id, 1, 2, LARAS_FIELD_message_provider_message_id);
		part = opened(flight->workspace_id, 3, 4, LARAS_FIELD_message_part_content);
		MemoryContextSwitchTo(inner);
	}
	laras_spi_close();
	send->answers = id;
	if (part.s != NULL)
		send->thread = laras_json_own(laras_json_parse(part.s, part.n, NULL));
}
