/*
 * echo.c
 *		Which of our messages an echo is of.
 *
 * Some providers tell of what the account sent by itself, whoever sent it: what
 * we sent is known among that by its callback data, else by its text.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/carry.h"
#include "courier/echo.h"
#include "courier/reconcile.h"
#include "vault/vault.h"

/*
 * What may have been sent to that person, the likeliest first; nothing where the
 * id is known already. In public an answer may come back below another person's
 * comment, the top one of the thread: there everybody's count.
 */
LARAS_PLAN(
	find_unanswered,
	"SELECT o.attempt_id, o.message_id, o.text_digest, x.slot FROM laras.outbox o JOIN laras.message x "
	"ON x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.id OPERATOR(pg_catalog.=) o.message_id "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.connection_id OPERATOR(pg_catalog.=) $2 "
	"AND (o.contact_id OPERATOR(pg_catalog.=) $3 OR $5) AND o.attempt_id IS NOT NULL "
	"AND (o.state OPERATOR(pg_catalog.=) ANY ('{sending,uncertain}'::pg_catalog.text[]) "
	"OR (o.resent AND o.state OPERATOR(pg_catalog.=) ANY ('{queued,parked}'::pg_catalog.text[])) "
	"OR (o.state OPERATOR(pg_catalog.=) 'sent' AND o.stage IS NOT NULL AND EXISTS (SELECT 1 FROM laras.message s "
	"WHERE s.workspace_id OPERATOR(pg_catalog.=) $1 AND s.id OPERATOR(pg_catalog.=) o.message_id "
	"AND s.provider_message_index IS NULL)) "
	"OR (o.state OPERATOR(pg_catalog.=) ANY ('{sent,refused}'::pg_catalog.text[]) AND x.provider_message_index IS NULL "
	"AND EXISTS (SELECT 1 FROM laras.send_attempt a WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND a.outbox_id OPERATOR(pg_catalog.=) o.id AND a.resolved_by OPERATOR(pg_catalog.=) 'member'))) "
	"AND NOT EXISTS (SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.provider_message_index OPERATOR(pg_catalog.=) $4) "
	"AND (o.kind OPERATOR(pg_catalog.=) 'comment') OPERATOR(pg_catalog.=) $5 "
	"ORDER BY o.state, o.message_id DESC LIMIT 50",
	INT8OID, INT8OID, INT8OID, BYTEAOID, BOOLOID);

/* Is it among those that other echoes are of? */
static bool
is_taken(const int64 *attempt, int n, int64 id)
{
	for (int i = 0; i < n; i++)
		if (attempt[i] == id)
			return true;
	return false;
}

/* The attempt that an echo without callback data of ours is of, but for those taken; 0: none. Inside SPI. */
static int64
attempt_by_text(const LarasEcho *echo, const int64 *taken, int n)
{
	uint64 found;

	if (echo->text.s == NULL || laras_slot_is_destroyed(echo->contact_slot))
		return 0;
	found =
		laras_spi_run(&find_unanswered,
					  (Datum[]){Int64GetDatum(echo->workspace_id),
								Int64GetDatum(echo->connection_id), Int64GetDatum(echo->contact_id),
								PointerGetDatum(
									laras_index_bytea(echo->workspace_slot,
													  LARAS_INDEX_PROVIDER_MESSAGE, echo->channel,
													  echo->provider_id.s, echo->provider_id.n)),
								BoolGetDatum(echo->comment)},
					  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		bytea *judged = laras_spi_bytes(i, 3);
		uint8 digest[LARAS_TEXT_DIGEST];
		uint32 slot = (uint32) laras_spi_int8(i, 4);

		if (is_taken(taken, n, laras_spi_int8(i, 1)) || laras_slot_is_destroyed(slot))
			continue;
		laras_text_digest(echo->workspace_slot, slot, laras_spi_int8(i, 2), echo->text.s,
						  echo->text.n, digest);
		if (VARSIZE_ANY_EXHDR(judged) == sizeof(digest) &&
			memcmp(VARDATA_ANY(judged), digest, sizeof(digest)) == 0)
			return laras_spi_int8(i, 1);
	}
	return 0;
}

void
laras_reconcile_echoes(const LarasEcho *echoes, int n)
{
	LarasMark *marks = palloc0(sizeof(LarasMark) * n);
	int64 *attempt = palloc0(sizeof(int64) * n);

	laras_spi_open();
	for (int i = 0; i < n; i++)
	{
		const LarasEcho *echo = &echoes[i];
		int64_t id;

		marks[i].workspace_id = echo->workspace_id;
		marks[i].workspace_slot = echo->workspace_slot;
		marks[i].connection_id = echo->connection_id;
		marks[i].channel = echo->channel;
		marks[i].provider_id = echo->provider_id;
		marks[i].status = "sent";
		if (echo->provider_id.s == NULL)
			continue;
		/* data of somebody else's is no matter: the text may still be ours */
		if (echo->callback_data.s != NULL &&
			laras_callback_attempt(echo->workspace_slot, echo->callback_data.s,
								   echo->callback_data.n, &id))
			attempt[i] = id;
		else
			attempt[i] = attempt_by_text(echo, attempt, i);
	}
	laras_reconcile_attempts(marks, attempt, n, "echo");
	laras_spi_close();
}
