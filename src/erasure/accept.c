/*
 * accept.c
 *		Accepting an erasure: subjects unlinked, keys ordered destroyed, the
 *		request on record. See accept.h.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "erasure/accept.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

/* version of the policy that requests are pinned to until policies have tables of their own */
#define POLICY_VERSION "laras-1"

/* raw events live this long: laras.intake_key_horizon, in days and hours of the setting's default */
#define RAW_EVENT_HOURS 73

LARAS_PLAN(lock_contact,
		   "SELECT c.state FROM laras.contact c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
		   INT8OID, INT8OID);

LARAS_PLAN(
	find_slots,
	"SELECT k.slot FROM laras.key_owner k WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND k.kind OPERATOR(pg_catalog.=) $2 AND k.owner_id OPERATOR(pg_catalog.=) $3 ORDER BY k.slot",
	INT8OID, TEXTOID, INT8OID);

LARAS_PLAN(
	read_identities,
	"SELECT i.id, i.value FROM laras.contact_identity i WHERE i.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND i.contact_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(unlink_identities,
		   "DELETE FROM laras.contact_identity WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND contact_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(unlink_names,
		   "DELETE FROM laras.contact_name_word WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND contact_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(empty_contact,
		   "UPDATE laras.contact SET state = 'erasing', name = NULL, profile = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(find_connections,
		   "SELECT c.id FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.state OPERATOR(pg_catalog.<>) 'disconnected' ORDER BY c.id",
		   INT8OID);

LARAS_PLAN(
	close_workspace,
	"UPDATE laras.workspace SET state = 'erased', name = NULL WHERE workspace_id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(
	end_sessions,
	"UPDATE laras.session SET revoked_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND revoked_at IS NULL",
	INT8OID);

LARAS_PLAN(
	end_keys,
	"UPDATE laras.api_key SET revoked_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND revoked_at IS NULL",
	INT8OID);

LARAS_PLAN(
	forget_logins,
	"UPDATE laras.member SET state = 'removed', removed_at = laras.now(), login_hash = NULL, password_hash = NULL "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND state OPERATOR(pg_catalog.=) 'active'",
	INT8OID);

LARAS_PLAN(
	add_request,
	"INSERT INTO laras.erasure_request (id, code_hash, request_digest, workspace_id, scope, subject_id, path, channel, "
	"state, requested_by, policy_version, subject, connections, slots, slot_digest, unreadable_at, removed_at, raw_events_until, requested_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	"CASE WHEN $9 OPERATOR(pg_catalog.=) 'no_data_held' THEN NULL ELSE $17 END, "
	"CASE WHEN $9 OPERATOR(pg_catalog.=) 'removed' THEN laras.now() END, $16, $17)",
	INT8OID, BYTEAOID, BYTEAOID, INT8OID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID, LARAS_SEALED, INT4OID, INT4OID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

bytea *
laras_erasure_digest(const void *p, size_t n)
{
	LarasPiece piece = {p, n};
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);

	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("the crypto library could not hash")));
	return hash;
}

void
laras_erasure_name(LarasAcceptance *a, const char *code)
{
	a->code_hash = laras_erasure_digest(code, LARAS_CODE_LENGTH);
	memcpy(a->order, VARDATA(a->code_hash), sizeof(a->order));
}

void
laras_erasure_code(LarasAcceptance *a, char code[LARAS_CODE_LENGTH + 1])
{
	uint8 raw[LARAS_CODE_LENGTH / 2];

	if (!laras_random_bytes(raw, sizeof(raw)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library gave no random bytes")));
	laras_hex_write(raw, sizeof(raw), code);
	laras_erasure_name(a, code);
}

/* Order the keys of one owner destroyed; remembers their numbers for the certificate. */
static void
destroy_owned(LarasAcceptance *a, const char *kind, int64 owner_id)
{
	uint64 n;
	uint32 *slots;

	n = laras_spi_read(&find_slots,
					   (Datum[]){Int64GetDatum(a->workspace_id), CStringGetTextDatum(kind),
								 Int64GetDatum(owner_id)},
					   NULL);
	slots = palloc(sizeof(uint32) * (n + 1));
	for (uint64 i = 0; i < n; i++)
		slots[i] = (uint32) laras_spi_int8(i, 1);
	for (uint64 i = 0; i < n; i++)
		laras_destroy_slot(a->workspace_id, slots[i], LARAS_REASON_ERASURE, a->order);
	a->slots += (int) n;
	a->slot_digest = laras_erasure_digest(slots, sizeof(uint32) * n);
}

void
laras_erasure_store(const LarasAcceptance *a)
{
	char nulls[18] = "                 ";
	TimestampTz raw_until =
		TimestampTzPlusMilliseconds(a->at, INT64CONST(3600000) * RAW_EVENT_HOURS);

	nulls[2] = a->request_digest == NULL ? 'n' : ' ';
	nulls[3] = a->workspace_id == 0 ? 'n' : ' ';
	nulls[5] = a->subject_id == 0 ? 'n' : ' ';
	nulls[7] = a->channel == NULL ? 'n' : ' ';
	nulls[11] = a->subject == NULL ? 'n' : ' ';
	nulls[14] = a->slot_digest == NULL ? 'n' : ' ';
	nulls[15] = strcmp(a->scope, "contact") == 0 || strcmp(a->scope, "workspace") == 0 ? ' ' : 'n';
	laras_spi_run_one(&add_request,
					  (Datum[]){Int64GetDatum(a->id), PointerGetDatum(a->code_hash),
								PointerGetDatum(a->request_digest), Int64GetDatum(a->workspace_id),
								CStringGetTextDatum(a->scope), Int64GetDatum(a->subject_id),
								CStringGetTextDatum(a->path),
								a->channel ? CStringGetTextDatum(a->channel) : (Datum) 0,
								CStringGetTextDatum(a->state), CStringGetTextDatum(a->requested_by),
								CStringGetTextDatum(POLICY_VERSION), PointerGetDatum(a->subject),
								Int32GetDatum(a->connections), Int32GetDatum(a->slots),
								PointerGetDatum(a->slot_digest), TimestampTzGetDatum(raw_until),
								TimestampTzGetDatum(a->at)},
					  nulls);
	laras_work_queued(LARAS_WORK_KEEPER);
}

void
laras_erasure_evidence(const LarasAcceptance *a, LarasAction action)
{
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_KIND, a->scope),
		LARAS_EV_CODE(LARAS_EVF_PATH, a->path),
		LARAS_EV_NUMBER(LARAS_EVF_COUNT, a->slots),
	};
	LarasEvidence act = {
		.workspace_id = a->workspace_id,
		.action = action,
		.subject_kind = LARAS_SUBJECT_ERASURE,
		.subject_id = a->id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_actor(&act);
	if (a->channel != NULL || strcmp(a->path, "restore") == 0)
	{
		act.actor_kind = a->channel != NULL ? LARAS_ACTOR_PROVIDER : LARAS_ACTOR_OPERATOR;
		act.actor_id = 0;
	}
	laras_evidence_append(&act);
}

/* The identities, sealed under the workspace, for the search of quarantined bodies. */
static bytea *
remember_identities(const LarasAcceptance *a)
{
	json_t *list = laras_json_own(json_array());
	uint64 n;
	uint32 w = laras_workspace_slot(a->workspace_id);
	char *text;
	size_t length;

	if (!laras_vault_is_open())
		return NULL;
	n = laras_spi_read(&read_identities,
					   (Datum[]){Int64GetDatum(a->workspace_id), Int64GetDatum(a->subject_id)},
					   NULL);
	for (uint64 i = 0; i < n; i++)
	{
		char *value;

		if (laras_open(laras_spi_bytes(i, 2), a->workspace_id, laras_spi_int8(i, 1),
					   LARAS_FIELD_contact_identity_value, &value, &length) == LARAS_OPENED)
			json_array_append_new(list, json_stringn(value, length));
	}
	text = laras_json_text_of(list, &length);
	return laras_seal(w, w, LARAS_FIELD_erasure_request_subject, a->workspace_id, a->id, text,
					  length);
}

bool
laras_erase_contact(LarasAcceptance *a)
{
	Datum key[2] = {Int64GetDatum(a->workspace_id), Int64GetDatum(a->subject_id)};

	if (a->subject_id == 0 || laras_spi_run(&lock_contact, key, NULL) == 0)
		return false;
	a->subject = remember_identities(a);
	laras_outbox_cancel_contact(a->workspace_id, a->subject_id, "erased");
	destroy_owned(a, "contact", a->subject_id);
	laras_spi_run(&unlink_identities, key, NULL);
	laras_spi_run(&unlink_names, key, NULL);
	laras_spi_run_one(&empty_contact, key, NULL);
	a->state = "unreadable";
	return true;
}

void
laras_erase_workspace(LarasAcceptance *a)
{
	Datum key[1] = {Int64GetDatum(a->workspace_id)};
	uint64 n;
	int64 *connections;

	n = laras_spi_run(&find_connections, key, NULL);
	connections = palloc(sizeof(int64) * (n + 1));
	for (uint64 i = 0; i < n; i++)
		connections[i] = laras_spi_int8(i, 1);
	for (uint64 i = 0; i < n; i++)
	{
		LarasDisconnectReceipt receipt;

		laras_disconnect(a->workspace_id, connections[i], LARAS_CUT_WORKSPACE_ERASURE, NULL,
						 a->order, &receipt);
		a->connections++;
		a->slots++;
	}
	laras_spi_run(&end_sessions, key, NULL);
	laras_spi_run(&end_keys, key, NULL);
	laras_spi_run(&forget_logins, key, NULL);
	laras_spi_run_one(&close_workspace, key, NULL);
	destroy_owned(a, "workspace", a->workspace_id);
	a->state = "unreadable";
}
