/*
 * reconcile.c
 *		The mark we ask providers to echo, and what its return proves.
 *
 * A provider without idempotency keys leaves one way to learn what became of a
 * send whose answer was lost: its status webhook echoes the callback data of
 * the attempt, which nobody else can have made. Others tell of what the account
 * sent by itself, whoever sent it: what we sent is known among that by its text.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/clock.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/carry.h"
#include "courier/echo.h"
#include "courier/reconcile.h"
#include "courier/resend.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "intake/intake.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"

#define MAC_BYTES 8
#define RAW_BYTES (8 + MAC_BYTES)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* attempts whose end is not known yet; in the order in which the courier locks them */
LARAS_PLAN(
	lock_open,
	"SELECT a.workspace_id, a.id FROM unnest($1, $2) AS u (w, a) JOIN laras.send_attempt a "
	"ON a.workspace_id OPERATOR(pg_catalog.=) u.w AND a.id OPERATOR(pg_catalog.=) u.a "
	"JOIN laras.outbox o ON o.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND o.id OPERATOR(pg_catalog.=) a.outbox_id "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"WHERE a.outcome OPERATOR(pg_catalog.<>) 'sent' OR m.provider_message_index IS NULL ORDER BY o.workspace_id, o.message_id FOR UPDATE OF o",
	INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(
	find_attempt,
	"SELECT a.outbox_id, a.outcome, o.message_id, o.state, o.resent, a.resolved_by IS NOT DISTINCT FROM 'member' "
	"FROM laras.send_attempt a JOIN laras.outbox o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND o.id OPERATOR(pg_catalog.=) a.outbox_id "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 AND a.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(settle_attempt,
		   "UPDATE laras.send_attempt SET outcome = 'sent', resolved_by = $3, "
		   "finished_at = coalesce(finished_at, laras.now()) "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(settle_row,
		   "UPDATE laras.outbox SET state = 'sent', reason = NULL, finished_at = laras.now() "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* that it was not sent was a person's word, which a proof takes back; what failed by the provider's has a code */
LARAS_PLAN(
	take_back_failure,
	"UPDATE laras.message SET status = 'sent' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'failed' AND error_code IS NULL",
	INT8OID, INT8OID);

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

/* the draft that the message came from, where it came from one */
LARAS_PLAN(
	settle_draft,
	"UPDATE laras.draft d SET state = 'sent' FROM laras.outbox o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $2 "
	"AND d.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND d.id OPERATOR(pg_catalog.=) o.draft_id "
	"AND d.state OPERATOR(pg_catalog.=) 'approved'",
	INT8OID, INT8OID);

LARAS_PLAN(
	find_other,
	"SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.provider_message_index OPERATOR(pg_catalog.=) $2 AND m.id OPERATOR(pg_catalog.<>) $3",
	INT8OID, BYTEAOID, INT8OID);

static void
raw_of(uint32_t workspace_slot, int64_t attempt_id, uint8 raw[RAW_BYTES])
{
	uint64 id = pg_hton64((uint64) attempt_id);
	uint8 mac[32];

	memcpy(raw, &id, 8);
	laras_callback_mac(workspace_slot, raw, 8, mac);
	memcpy(raw + 8, mac, MAC_BYTES);
}

void
laras_callback_data(uint32_t workspace_slot, int64_t attempt_id, char out[LARAS_CALLBACK_DATA])
{
	uint8 raw[RAW_BYTES];
	uint32 bits = 0;
	int have = 0;
	int n = 0;

	raw_of(workspace_slot, attempt_id, raw);
	for (int i = 0; i < RAW_BYTES; i++)
	{
		bits = bits << 8 | raw[i];
		have += 8;
		while (have >= 6)
		{
			have -= 6;
			out[n++] = alphabet[bits >> have & 63];
		}
	}
	if (have > 0)
		out[n++] = alphabet[bits << (6 - have) & 63];
	out[n] = '\0';
}

bool
laras_callback_attempt(uint32_t workspace_slot, const char *data, size_t n, int64_t *attempt_id)
{
	uint8 raw[RAW_BYTES + 2] = {0};
	uint8 expected[RAW_BYTES];
	uint32 bits = 0;
	int have = 0;
	int at = 0;
	uint64 id;

	if (n != LARAS_CALLBACK_DATA - 1)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		const char *found = data[i] == '\0' ? NULL : strchr(alphabet, data[i]);

		if (found == NULL)
			return false;
		bits = bits << 6 | (uint32) (found - alphabet);
		have += 6;
		if (have >= 8 && at < RAW_BYTES)
		{
			have -= 8;
			raw[at++] = (uint8) (bits >> have);
		}
	}
	memcpy(&id, raw, 8);
	*attempt_id = (int64_t) pg_ntoh64(id);
	raw_of(workspace_slot, *attempt_id, expected);
	return laras_same_bytes(raw, expected, RAW_BYTES);
}

/*
 * The id that a mark gives its message, or none where a provider gave the id to
 * another one before: the mark proves the send, the id says nothing. Inside SPI.
 */
static LarasText
id_of(const LarasMark *mark, int64 message_id)
{
	LarasIgnored twice = {mark->channel, "id_twice", 1};

	if (mark->provider_id.s == NULL ||
		laras_spi_run(&find_other,
					  (Datum[]){Int64GetDatum(mark->workspace_id),
								PointerGetDatum(laras_index_bytea(
									mark->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE,
									mark->channel, mark->provider_id.s, mark->provider_id.n)),
								Int64GetDatum(message_id)},
					  NULL) == 0)
		return mark->provider_id;
	laras_count_ignored(&twice, 1);
	return (LarasText){NULL, 0};
}

void
laras_outbox_known_sent(int64 workspace_id, int64 outbox_id)
{
	Datum row[2] = {Int64GetDatum(workspace_id), Int64GetDatum(outbox_id)};

	laras_spi_run_one(&settle_row, row, NULL);
	laras_spi_run(&settle_draft, row, NULL);
}

/*
 * A person had decided of this attempt, and here is the provider's word, which
 * counts for more. Where it is another the owner is told. Inside SPI.
 */
static void
correct(const LarasMark *mark, int64 message_id, bool decided_sent)
{
	bool failed = strcmp(mark->status, "failed") == 0;

	laras_spi_run(&take_back_failure,
				  (Datum[]){Int64GetDatum(mark->workspace_id), Int64GetDatum(message_id)}, NULL);
	if (decided_sent == failed)
		laras_notice(mark->workspace_id, "settled_otherwise", mark->connection_id, 0, message_id,
					 0);
}

/* The row is locked: settle it, unless the courier was faster. */
static void
settle(const LarasMark *mark, int64_t attempt_id, const char *by)
{
	int64 outbox_id;
	int64 message_id;
	char *outcome;
	char *state;
	bool resent;
	bool decided;
	LarasText id;

	laras_spi_open();
	if (laras_spi_run(&find_attempt,
					  (Datum[]){Int64GetDatum(mark->workspace_id), Int64GetDatum(attempt_id)},
					  NULL) == 0)
	{
		laras_spi_close();
		return;
	}
	outbox_id = laras_spi_int8(0, 1);
	outcome = laras_spi_cstring(0, 2);
	message_id = laras_spi_int8(0, 3);
	state = laras_spi_cstring(0, 4);
	resent = laras_spi_bool(0, 5);
	decided = laras_spi_bool(0, 6);
	id = id_of(mark, message_id);
	if (strcmp(outcome, "sent") == 0 && !decided)
	{
		/* settled without an id (the provider was asked): now it has one */
		if (id.s != NULL)
			laras_message_sent(mark->workspace_id, message_id, mark->channel, id.s, id.n,
							   laras_now());
		laras_spi_close();
		return;
	}
	laras_spi_run_one(&settle_attempt,
					  (Datum[]){Int64GetDatum(mark->workspace_id), Int64GetDatum(attempt_id),
								CStringGetTextDatum(by)},
					  NULL);
	if (decided)
		correct(mark, message_id, strcmp(outcome, "sent") == 0);
	if (strcmp(state, "sent") != 0)
		laras_outbox_known_sent(mark->workspace_id, outbox_id);
	laras_message_sent(mark->workspace_id, message_id, mark->channel, id.s, id.n, laras_now());
	if (resent)
		laras_resend_settled(mark->workspace_id, outbox_id, message_id, mark->connection_id);
	laras_spi_close();
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_CODE(LARAS_EVF_REASON, by),
			LARAS_EV_CODE(LARAS_EVF_STATUS, mark->status),
		};
		LarasEvidence act = {
			.workspace_id = mark->workspace_id,
			.workspace_slot = mark->workspace_slot,
			.action = LARAS_ACT_MESSAGE_SENT,
			.actor_kind = LARAS_ACTOR_PROVIDER,
			.actor_id = mark->connection_id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = message_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_append(&act);
	}
}

/*
 * Settle what these marks are of: attempt[i], 0 where a mark is of none. Rows
 * are locked in the order in which the courier locks them, and settled in it
 * too, since their messages are locked one after the other.
 */
static void
settle_all(const LarasMark *marks, const int64 *attempt, int n, const char *by)
{
	LarasColumn c[2];
	int64 *open;
	uint64 open_count;
	int ours = 0;

	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		if (attempt[i] == 0)
			continue;
		c[0].values[ours] = Int64GetDatum(marks[i].workspace_id);
		c[1].values[ours++] = Int64GetDatum(attempt[i]);
	}
	if (ours == 0)
		return;
	laras_spi_open();
	open_count = laras_spi_run(&lock_open,
							   (Datum[]){laras_column_array(&c[0], ours, INT8OID),
										 laras_column_array(&c[1], ours, INT8OID)},
							   NULL);
	open = palloc(sizeof(int64) * 2 * (open_count + 1));
	for (uint64 i = 0; i < open_count; i++)
	{
		open[2 * i] = laras_spi_int8(i, 1);
		open[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < open_count; i++)
		for (int k = 0; k < n; k++)
			if (attempt[k] == open[2 * i + 1] && marks[k].workspace_id == open[2 * i])
			{
				settle(&marks[k], attempt[k], by);
				break;
			}
	laras_spi_close();
}

void
laras_reconcile_checked(const LarasMark *mark, int64_t attempt_id)
{
	int64 attempt = attempt_id;

	settle_all(mark, &attempt, 1, "status");
}

void
laras_reconcile_statuses(const LarasMark *marks, int n)
{
	int64 *attempt = palloc0(sizeof(int64) * (n + 1)); /* 0: not ours */

	for (int i = 0; i < n; i++)
	{
		int64_t id;

		if (laras_callback_attempt(marks[i].workspace_slot, marks[i].callback_data.s,
								   marks[i].callback_data.n, &id))
			attempt[i] = id;
		else
		{
			LarasIgnored ignored = {marks[i].channel, "wrong_mark", 1};

			laras_count_ignored(&ignored, 1);
		}
	}
	settle_all(marks, attempt, n, "status");
}

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
	settle_all(marks, attempt, n, "echo");
	laras_spi_close();
}
