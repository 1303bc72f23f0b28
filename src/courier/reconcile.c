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
	"SELECT u.n FROM unnest($1, $2, $3) AS u (n, w, a) JOIN laras.send_attempt a "
	"ON a.workspace_id OPERATOR(pg_catalog.=) u.w AND a.id OPERATOR(pg_catalog.=) u.a "
	"JOIN laras.outbox o ON o.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND o.id OPERATOR(pg_catalog.=) a.outbox_id "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"WHERE a.outcome OPERATOR(pg_catalog.<>) 'sent' OR m.provider_message_index IS NULL ORDER BY o.workspace_id, o.message_id FOR UPDATE OF o",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

/* what they say now; their messages are locked in the same order */
LARAS_PLAN(
	find_attempts,
	"SELECT u.n, a.outbox_id, a.outcome OPERATOR(pg_catalog.=) 'sent', o.message_id, o.state OPERATOR(pg_catalog.=) 'sent', o.resent, "
	"a.resolved_by IS NOT DISTINCT FROM 'member', m.slot, m.connection_id "
	"FROM unnest($1, $2, $3) AS u (n, w, a) JOIN laras.send_attempt a "
	"ON a.workspace_id OPERATOR(pg_catalog.=) u.w AND a.id OPERATOR(pg_catalog.=) u.a "
	"JOIN laras.outbox o ON o.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND o.id OPERATOR(pg_catalog.=) a.outbox_id "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) a.workspace_id AND m.id OPERATOR(pg_catalog.=) o.message_id "
	"ORDER BY m.workspace_id, m.id, a.id FOR UPDATE OF m",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID);

LARAS_PLAN(settle_attempts,
		   "UPDATE laras.send_attempt a SET outcome = 'sent', resolved_by = $3, "
		   "finished_at = coalesce(a.finished_at, laras.now()) FROM unnest($1, $2) AS u (w, a) "
		   "WHERE a.workspace_id OPERATOR(pg_catalog.=) u.w AND a.id OPERATOR(pg_catalog.=) u.a",
		   INT8ARRAYOID, INT8ARRAYOID, TEXTOID);

LARAS_PLAN(settle_rows,
		   "UPDATE laras.outbox o SET state = 'sent', reason = NULL, finished_at = laras.now() "
		   "FROM unnest($1, $2) AS u (w, i) "
		   "WHERE o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i",
		   INT8ARRAYOID, INT8ARRAYOID);

/* that it was not sent was a person's word, which a proof takes back; what failed by the provider's has a code */
LARAS_PLAN(
	take_back_failure,
	"UPDATE laras.message SET status = 'sent' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'failed' AND error_code IS NULL",
	INT8OID, INT8OID);

/* the drafts that the messages came from, where they came from one */
LARAS_PLAN(
	settle_drafts,
	"UPDATE laras.draft d SET state = 'sent' FROM unnest($1, $2) AS u (w, i) JOIN laras.outbox o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) u.w AND o.id OPERATOR(pg_catalog.=) u.i "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) o.workspace_id AND d.id OPERATOR(pg_catalog.=) o.draft_id "
	"AND d.state OPERATOR(pg_catalog.=) 'approved'",
	INT8ARRAYOID, INT8ARRAYOID);

/* which of these ids another message has, or an earlier one of them */
LARAS_PLAN(
	find_others,
	"SELECT u.n FROM (SELECT v.n, v.w, v.m, v.x, pg_catalog.row_number() OVER (PARTITION BY v.w, v.x ORDER BY v.n) AS nth "
	"FROM unnest($1, $2, $3, $4) AS v (n, w, m, x)) AS u WHERE u.nth OPERATOR(pg_catalog.>) 1 "
	"OR EXISTS (SELECT 1 FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND m.provider_message_index OPERATOR(pg_catalog.=) u.x AND m.id OPERATOR(pg_catalog.<>) u.m)",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

/* what a mark proves, and what stood in the rows before */
typedef struct Proof
{
	const LarasMark *mark;
	int64 attempt_id;
	int64 outbox_id; /* 0: nothing is to be settled */
	int64 message_id;
	int64 connection_id; /* of the message */
	uint32 contact_slot;
	bool known;   /* the attempt was known to have been sent */
	bool decided; /* by somebody's word, which a proof outweighs */
	bool sent;    /* the row of the outbox said so */
	bool resent;
	LarasText id; /* of the message at the provider; absent: none */
	bytea *index; /* of that id */
} Proof;

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
 * The ids that marks give their messages, but for those which a provider gave to
 * another one before: the mark proves the send, the id says nothing. Inside SPI.
 */
static void
find_ids(Proof **proofs, int n)
{
	LarasColumn c[4];
	int named = 0;
	uint64 others;

	laras_columns_init(c, 4, n);
	for (int i = 0; i < n; i++)
	{
		Proof *p = proofs[i];

		p->id = p->mark->provider_id;
		if (p->id.s == NULL)
			continue;
		p->index = laras_index_bytea(p->mark->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE,
									 p->mark->channel, p->id.s, p->id.n);
		c[0].values[named] = Int32GetDatum(i);
		c[1].values[named] = Int64GetDatum(p->mark->workspace_id);
		c[2].values[named] = Int64GetDatum(p->message_id);
		c[3].values[named++] = PointerGetDatum(p->index);
	}
	if (named == 0)
		return;
	others = laras_spi_run(&find_others,
						   (Datum[]){laras_column_array(&c[0], named, INT4OID),
									 laras_column_array(&c[1], named, INT8OID),
									 laras_column_array(&c[2], named, INT8OID),
									 laras_column_array(&c[3], named, BYTEAOID)},
						   NULL);
	for (uint64 i = 0; i < others; i++)
	{
		Proof *p = proofs[laras_spi_int4(i, 1)];

		p->id = (LarasText){NULL, 0};
		p->index = NULL;
	}
	for (int i = 0; i < n; i++)
		if (proofs[i]->id.s == NULL && proofs[i]->mark->provider_id.s != NULL)
			laras_count_ignored(&(LarasIgnored){proofs[i]->mark->channel, "id_twice", 1}, 1);
}

/* The rows of the outbox, workspaces beside their ids, end 'sent', and so do their drafts. */
static void
end_rows(LarasColumn c[2], int n)
{
	Datum rows[2];

	if (n == 0)
		return;
	rows[0] = laras_column_array(&c[0], n, INT8OID);
	rows[1] = laras_column_array(&c[1], n, INT8OID);
	laras_spi_run(&settle_rows, rows, NULL);
	laras_spi_run(&settle_drafts, rows, NULL);
}

void
laras_outbox_known_sent(int64 workspace_id, int64 outbox_id)
{
	LarasColumn c[2];

	laras_columns_init(c, 2, 1);
	c[0].values[0] = Int64GetDatum(workspace_id);
	c[1].values[0] = Int64GetDatum(outbox_id);
	end_rows(c, 1);
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

static void
settle_rows_of(Proof **proofs, int n, const char *by)
{
	LarasColumn attempts[2];
	LarasColumn rows[2];
	int count = 0;
	int open = 0;

	laras_columns_init(attempts, 2, n);
	laras_columns_init(rows, 2, n);
	for (int i = 0; i < n; i++)
	{
		const Proof *p = proofs[i];

		if (p->known && !p->decided)
			continue;
		attempts[0].values[count] = Int64GetDatum(p->mark->workspace_id);
		attempts[1].values[count++] = Int64GetDatum(p->attempt_id);
		if (p->sent)
			continue;
		rows[0].values[open] = Int64GetDatum(p->mark->workspace_id);
		rows[1].values[open++] = Int64GetDatum(p->outbox_id);
	}
	if (count > 0)
		laras_spi_run(&settle_attempts,
					  (Datum[]){laras_column_array(&attempts[0], count, INT8OID),
								laras_column_array(&attempts[1], count, INT8OID),
								CStringGetTextDatum(by)},
					  NULL);
	end_rows(rows, open);
}

/* The messages are sent; one that was known to be so without an id (the provider was asked) has one now. */
static void
settle_messages(Proof **proofs, int n)
{
	LarasSentMessage *sent = palloc(sizeof(LarasSentMessage) * n);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		const Proof *p = proofs[i];

		if (!p->known || p->decided || p->id.s != NULL)
			sent[count++] = (LarasSentMessage){
				.workspace_id = p->mark->workspace_id,
				.workspace_slot = p->mark->workspace_slot,
				.message_id = p->message_id,
				.contact_slot = p->contact_slot,
				.connection_id = p->connection_id,
				.channel = p->mark->channel,
				.provider_id = p->id,
				.provider_index = p->index,
			};
	}
	if (count > 0)
		laras_messages_sent(sent, count, laras_now());
}

static void
write_evidence(Proof **proofs, int n, const char *by)
{
	LarasEvidence *acts = palloc0(sizeof(LarasEvidence) * n);
	LarasEvidenceField *fields = palloc(sizeof(LarasEvidenceField) * n * 2);
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		const Proof *p = proofs[i];
		LarasEvidenceField *f = &fields[count * 2];

		if (p->known && !p->decided)
			continue;
		f[0] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_REASON, by);
		f[1] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_STATUS, p->mark->status);
		acts[count++] = (LarasEvidence){
			.workspace_id = p->mark->workspace_id,
			.workspace_slot = p->mark->workspace_slot,
			.action = LARAS_ACT_MESSAGE_SENT,
			.actor_kind = LARAS_ACTOR_PROVIDER,
			.actor_id = p->mark->connection_id,
			.subject_kind = LARAS_SUBJECT_MESSAGE,
			.subject_id = p->message_id,
			.nfields = 2,
			.fields = f,
		};
	}
	if (count > 0)
		laras_evidence_append_many(acts, count);
}

/* What these marks prove, of as many messages, whose rows are locked. Inside SPI. */
static void
settle(Proof **proofs, int n, const char *by)
{
	find_ids(proofs, n);
	settle_rows_of(proofs, n, by);
	for (int i = 0; i < n; i++)
		if (proofs[i]->decided)
			correct(proofs[i]->mark, proofs[i]->message_id, proofs[i]->known);
	settle_messages(proofs, n);
	for (int i = 0; i < n; i++)
	{
		const Proof *p = proofs[i];

		if (p->resent && (!p->known || p->decided))
			laras_resend_settled(p->mark->workspace_id, p->outbox_id, p->message_id,
								 p->mark->connection_id);
	}
	write_evidence(proofs, n, by);
}

/* By workspace and attempt, and among marks of one attempt as they came. */
static int
compare_proof(const void *a, const void *b)
{
	const Proof *x = a;
	const Proof *y = b;

	if (x->mark->workspace_id != y->mark->workspace_id)
		return x->mark->workspace_id < y->mark->workspace_id ? -1 : 1;
	if (x->attempt_id != y->attempt_id)
		return x->attempt_id < y->attempt_id ? -1 : 1;
	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

/* One of each attempt that is ours (0: of none), its first mark. */
static int
distinct_proofs(const LarasMark *marks, const int64 *attempt, int n, Proof *proofs)
{
	int ours = 0;
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (attempt[i] != 0)
			proofs[ours++] = (Proof){.mark = &marks[i], .attempt_id = attempt[i]};
	qsort(proofs, ours, sizeof(Proof), compare_proof);
	for (int i = 0; i < ours; i++)
		if (i == 0 || proofs[i].attempt_id != proofs[i - 1].attempt_id ||
			proofs[i].mark->workspace_id != proofs[i - 1].mark->workspace_id)
			proofs[kept++] = proofs[i];
	return kept;
}

/*
 * Lock what is open of these attempts and read what it says. Returns how many
 * there are, sets order[] to them by workspace and message: the order in which
 * the courier locks. Inside SPI.
 */
static int
lock_proofs(Proof *proofs, int n, Proof **order)
{
	LarasColumn c[3];
	uint64 found;

	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(proofs[i].mark->workspace_id);
		c[2].values[i] = Int64GetDatum(proofs[i].attempt_id);
	}
	found = laras_spi_run(&lock_open,
						  (Datum[]){laras_column_array(&c[0], n, INT4OID),
									laras_column_array(&c[1], n, INT8OID),
									laras_column_array(&c[2], n, INT8OID)},
						  NULL);
	if (found == 0)
		return 0;
	for (uint64 i = 0; i < found; i++)
	{
		int k = laras_spi_int4(i, 1);

		c[0].values[i] = Int32GetDatum(k);
		c[1].values[i] = Int64GetDatum(proofs[k].mark->workspace_id);
		c[2].values[i] = Int64GetDatum(proofs[k].attempt_id);
	}
	found = laras_spi_run(&find_attempts,
						  (Datum[]){laras_column_array(&c[0], (int) found, INT4OID),
									laras_column_array(&c[1], (int) found, INT8OID),
									laras_column_array(&c[2], (int) found, INT8OID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		Proof *p = order[i] = &proofs[laras_spi_int4(i, 1)];

		p->outbox_id = laras_spi_int8(i, 2);
		p->known = laras_spi_bool(i, 3);
		p->message_id = laras_spi_int8(i, 4);
		p->sent = laras_spi_bool(i, 5);
		p->resent = laras_spi_bool(i, 6);
		p->decided = laras_spi_bool(i, 7);
		p->contact_slot = (uint32) laras_spi_int8(i, 8);
		p->connection_id = laras_spi_int8(i, 9);
	}
	return (int) found;
}

/*
 * All by a few statements, since one body of a provider that was away may tell of
 * thousands. Two attempts of one message are settled one after the other.
 */
void
laras_reconcile_attempts(const LarasMark *marks, const int64 *attempt, int n, const char *by)
{
	Proof *proofs = palloc(sizeof(Proof) * (n + 1));
	Proof **order = palloc(sizeof(Proof *) * (n + 1));
	Proof **turn = palloc(sizeof(Proof *) * (n + 1));
	int count = distinct_proofs(marks, attempt, n, proofs);

	if (count == 0)
		return;
	laras_spi_open();
	count = lock_proofs(proofs, count, order);
	while (count > 0)
	{
		int now = 0;
		int later = 0;

		for (int i = 0; i < count; i++)
		{
			bool again = now > 0 && turn[now - 1]->message_id == order[i]->message_id &&
						 turn[now - 1]->mark->workspace_id == order[i]->mark->workspace_id;

			if (again)
			{
				order[i]->sent = true;
				order[later++] = order[i];
			}
			else
				turn[now++] = order[i];
		}
		settle(turn, now, by);
		count = later;
	}
	laras_spi_close();
}

void
laras_reconcile_checked(const LarasMark *mark, int64_t attempt_id)
{
	int64 attempt = attempt_id;

	laras_reconcile_attempts(mark, &attempt, 1, "status");
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
	laras_reconcile_attempts(marks, attempt, n, "status");
}
