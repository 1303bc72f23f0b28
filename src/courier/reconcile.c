/*
 * reconcile.c
 *		The mark we ask providers to echo, and what its return proves.
 *
 * A provider without idempotency keys leaves one way to learn what became of a
 * send whose answer was lost: its status webhook echoes the callback data of
 * the attempt, which nobody else can have made.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/carry.h"
#include "courier/reconcile.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "intake/intake.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"

#define MAC_BYTES 8
#define RAW_BYTES (8 + MAC_BYTES)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

LARAS_PLAN(
	find_attempt,
	"SELECT a.outbox_id, a.outcome, o.message_id, o.state, o.attempt_id "
	"FROM laras.send_attempt a JOIN laras.outbox o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND o.id OPERATOR(pg_catalog.=) a.outbox_id "
	"WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 AND a.id OPERATOR(pg_catalog.=) $2 FOR UPDATE OF o",
	INT8OID, INT8OID);

LARAS_PLAN(settle_attempt,
		   "UPDATE laras.send_attempt SET outcome = 'sent', resolved_by = 'status', "
		   "finished_at = coalesce(finished_at, laras.now()) "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(settle_row,
		   "UPDATE laras.outbox SET state = 'sent', reason = NULL, finished_at = laras.now() "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

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

void
laras_reconcile_status(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
					   const char *channel, const char *callback_data, size_t callback_n,
					   const char *provider_id, size_t provider_n, const char *status)
{
	int64_t attempt_id;
	int64 outbox_id;
	int64 message_id;
	char *outcome;
	char *state;

	if (!laras_callback_attempt(workspace_slot, callback_data, callback_n, &attempt_id))
	{
		LarasIgnored ignored = {channel, "wrong_mark", 1};

		laras_count_ignored(&ignored, 1);
		return;
	}
	laras_spi_open();
	if (laras_spi_run(&find_attempt,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(attempt_id)}, NULL) == 0)
	{
		laras_spi_close();
		return;
	}
	outbox_id = laras_spi_int8(0, 1);
	outcome = laras_spi_cstring(0, 2);
	message_id = laras_spi_int8(0, 3);
	state = laras_spi_cstring(0, 4);
	if (strcmp(outcome, "sent") == 0)
	{
		laras_spi_close();
		return;
	}
	laras_spi_run_one(&settle_attempt,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(attempt_id)}, NULL);
	if (strcmp(state, "sent") != 0)
		laras_spi_run_one(&settle_row,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(outbox_id)}, NULL);
	laras_message_sent(workspace_id, message_id, channel, provider_id, provider_n, laras_now());
	laras_spi_close();
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_CODE(LARAS_EVF_REASON, "status"),
			LARAS_EV_CODE(LARAS_EVF_STATUS, status),
		};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.workspace_slot = workspace_slot,
			.action = LARAS_ACT_MESSAGE_SENT,
			.actor_kind = LARAS_ACTOR_PROVIDER,
			.actor_id = connection_id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = message_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_append(&act);
	}
}
