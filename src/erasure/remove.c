/*
 * remove.c
 *		The keeper's part: rows of accepted requests go, in bounded batches.
 *
 * Their content has been unreadable since the acceptance; this is housekeeping
 * that may be interrupted anywhere and goes on there. A request is `removed`
 * when every step of its plan finds nothing and nobody is left who wrote when
 * it was accepted.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "erasure/erasure.h"
#include "erasure/plan.h"
#include "erasure/writers.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

/* rows removed in one transaction */
#define ROWS_A_TURN 5000

/* keys destroyed in one transaction */
#define KEYS_A_TURN 256

LARAS_PLAN(
	next_request,
	"SELECT r.id, r.workspace_id, r.scope, coalesce(r.subject_id, 0), r.removed_rows, r.subject "
	"FROM laras.erasure_request r WHERE r.state OPERATOR(pg_catalog.=) 'unreadable' "
	"ORDER BY r.requested_at, r.id LIMIT 1 FOR UPDATE SKIP LOCKED",
	INT4OID);

LARAS_PLAN(note_progress,
		   "UPDATE laras.erasure_request SET removed_rows = $2 WHERE id OPERATOR(pg_catalog.=) $1",
		   INT8OID, JSONBOID);

LARAS_PLAN(
	finish,
	"UPDATE laras.erasure_request SET state = 'removed', removed_at = laras.now(), subject = NULL "
	"WHERE id OPERATOR(pg_catalog.=) $1",
	INT8OID);

/* keys that a workspace's erasure destroys after the workspace's own */
LARAS_PLAN(
	next_keys,
	"SELECT k.slot FROM laras.key_owner k WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND k.kind OPERATOR(pg_catalog.<>) 'workspace' "
	"AND NOT EXISTS (SELECT 1 FROM laras.key_destruction d WHERE d.workspace_id OPERATOR(pg_catalog.=) k.workspace_id "
	"AND d.slot OPERATOR(pg_catalog.=) k.slot) ORDER BY k.slot LIMIT $2",
	INT8OID, INT4OID);

LARAS_PLAN(
	read_quarantined,
	"SELECT q.id, q.body FROM laras.quarantined_event q WHERE q.workspace_id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(delete_quarantined,
		   "DELETE FROM laras.quarantined_event WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* Plain search: the server's headers hide memmem, and the bodies are few. */
static bool
contains(const char *body, size_t n, const char *needle, size_t length)
{
	const char *at = body;

	while (length <= n - (size_t) (at - body) &&
		   (at = memchr(at, needle[0], n - (size_t) (at - body) - length + 1)) != NULL)
	{
		if (memcmp(at, needle, length) == 0)
			return true;
		at++;
	}
	return false;
}

static bool
mentions(const char *body, size_t n, const json_t *values)
{
	size_t i;
	json_t *value;

	json_array_foreach(values, i, value)
	{
		const char *needle = json_string_value(value);
		size_t length = json_string_length(value);

		if (length > 0 && length <= n && contains(body, n, needle, length))
			return true;
	}
	return false;
}

/* Bodies that were set aside and name the person go too. Returns how many. */
static uint64
search_quarantine(int64 workspace_id, int64 request_id, bytea *subject)
{
	char *text;
	size_t length;
	json_t *values;
	uint64 found;
	int64 *gone;
	uint64 n = 0;

	if (laras_open(subject, workspace_id, request_id, LARAS_FIELD_erasure_request_subject, &text,
				   &length) != LARAS_OPENED)
		return 0;
	values = laras_json_own(laras_json_parse(text, length, NULL));
	laras_wipe(text, length);
	found = laras_spi_read(&read_quarantined, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	gone = palloc(sizeof(int64) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		int64 id = laras_spi_int8(i, 1);

		if (laras_open(laras_spi_bytes(i, 2), workspace_id, id, LARAS_FIELD_quarantined_event_body,
					   &text, &length) != LARAS_OPENED)
			continue;
		if (mentions(text, length, values))
			gone[n++] = id;
		laras_wipe(text, length);
		pfree(text);
	}
	for (uint64 i = 0; i < n; i++)
		laras_spi_run(&delete_quarantined,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(gone[i])}, NULL);
	return n;
}

static void
add_count(json_t *counts, const char *table, uint64 n)
{
	json_t *before = laras_json_get(counts, table);

	json_object_set_new(counts, table,
						json_integer((json_int_t) n + (before ? json_integer_value(before) : 0)));
}

/* Destroy a batch of the keys a workspace still owns. True: there were some. */
static bool
destroy_keys(int64 workspace_id)
{
	uint64 n =
		laras_spi_read(&next_keys,
					   (Datum[]){Int64GetDatum(workspace_id), Int32GetDatum(KEYS_A_TURN)}, NULL);
	uint32 *slots = palloc(sizeof(uint32) * (n + 1));

	for (uint64 i = 0; i < n; i++)
		slots[i] = (uint32) laras_spi_int8(i, 1);
	for (uint64 i = 0; i < n; i++)
		laras_destroy_slot(workspace_id, slots[i], LARAS_REASON_ERASURE, NULL);
	return n > 0;
}

static void
write_end(int64 workspace_id, int64 request_id, const char *scope, int64 rows)
{
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_KIND, scope),
		LARAS_EV_NUMBER(LARAS_EVF_COUNT, rows),
	};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = LARAS_ACT_ERASURE_REMOVED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_ERASURE,
		.subject_id = request_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_append(&act);
}

LarasTurn
laras_erasure_duty(void)
{
	int64 id;
	int64 workspace_id;
	int64 subject_id;
	char *scope;
	char *text;
	bytea *subject = NULL;
	json_t *counts;
	uint64 removed = 0;
	LarasEraseStep *steps;
	bool workspace;
	bool alone;
	json_t *number;
	const char *table;
	int64 total = 0;

	laras_worker_bind_all();
	laras_spi_open();
	if (laras_spi_run(&next_request, (Datum[]){Int32GetDatum(0)}, NULL) == 0)
	{
		laras_spi_close();
		return LARAS_TURN_IDLE;
	}
	id = laras_spi_int8(0, 1);
	workspace_id = laras_spi_int8(0, 2);
	scope = laras_spi_cstring(0, 3);
	subject_id = laras_spi_int8(0, 4);
	text = laras_spi_cstring(0, 5);
	counts = laras_json_own(laras_json_parse(text, strlen(text), NULL));
	subject = (bytea *) laras_spi_varlena(0, 6);
	workspace = strcmp(scope, "workspace") == 0;
	steps = workspace ? laras_workspace_steps : laras_contact_steps;

	if (workspace && destroy_keys(workspace_id))
	{
		laras_spi_close();
		return LARAS_TURN_MORE;
	}
	if (subject != NULL && laras_json_get(counts, "quarantined_event") == NULL &&
		laras_vault_is_open())
		add_count(counts, "quarantined_event", search_quarantine(workspace_id, id, subject));
	/* asked before looking: what ended by now is seen below */
	alone = laras_writers_ended(id, steps);
	for (LarasEraseStep *s = steps; s->table != NULL && removed < ROWS_A_TURN; s++)
	{
		uint64 n;

		/* a nulled row is found no more, so both actions end at zero */
		do
		{
			n = laras_spi_run(&s->run,
							  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(subject_id)},
							  NULL);
			if (n > 0)
				add_count(counts, s->table, n);
			removed += n;
		} while (n == LARAS_ERASE_BATCH && removed < ROWS_A_TURN);
	}
	text = laras_json_text_of(counts, NULL);
	laras_spi_run_one(&note_progress,
					  (Datum[]){Int64GetDatum(id),
								DirectFunctionCall1(jsonb_in, CStringGetDatum(text))},
					  NULL);
	if (removed > 0 || !alone)
	{
		laras_spi_close();
		return removed > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
	}
	laras_spi_run_one(&finish, (Datum[]){Int64GetDatum(id)}, NULL);
	laras_spi_close();
	json_object_foreach(counts, table, number)
		total += json_integer_value(number);
	write_end(workspace_id, id, scope, total);
	return LARAS_TURN_MORE;
}
