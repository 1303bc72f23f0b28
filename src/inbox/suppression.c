/*
 * suppression.c
 *		The suppression list, and the wishes that fill it.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "channel/send.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/rows.h"
#include "inbox/suppression.h"
#include "tenancy/tenancy.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_set_opt_out);

/* the last wish counts, in whatever order they are heard of */
LARAS_PLAN(opt_out,
		   "UPDATE laras.contact SET opt_out_at = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2 "
		   "AND (opt_out_at IS NULL OR opt_out_at OPERATOR(pg_catalog.<) $3) "
		   "AND (opt_in_at IS NULL OR opt_in_at OPERATOR(pg_catalog.<=) $3) RETURNING id",
		   INT8OID, INT8OID, TIMESTAMPTZOID);

LARAS_PLAN(opt_in,
		   "UPDATE laras.contact SET opt_out_at = NULL, opt_in_at = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
		   "AND (opt_out_at IS NULL OR opt_out_at OPERATOR(pg_catalog.<=) $3) "
		   "AND (opt_in_at IS NULL OR opt_in_at OPERATOR(pg_catalog.<) $3) RETURNING id",
		   INT8OID, INT8OID, TIMESTAMPTZOID);

LARAS_PLAN(read_identities,
		   "SELECT i.id, i.kind, i.value FROM laras.contact_identity i "
		   "WHERE i.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND i.contact_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(suppress,
		   "INSERT INTO laras.suppression (workspace_id, hash, opted_out_at) "
		   "SELECT DISTINCT $1, u.h, $3 FROM unnest($2) AS u (h) "
		   "ON CONFLICT (workspace_id, hash) DO UPDATE "
		   "SET opted_out_at = greatest(laras.suppression.opted_out_at, excluded.opted_out_at)",
		   INT8OID, BYTEAARRAYOID, TIMESTAMPTZOID);

LARAS_PLAN(release,
		   "DELETE FROM laras.suppression WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND hash OPERATOR(pg_catalog.=) ANY ($2)",
		   INT8OID, BYTEAARRAYOID);

/* those of whom the list knows, by the ids they were given just now */
LARAS_PLAN(
	meet_list,
	"UPDATE laras.contact c SET opt_out_at = u.t FROM (SELECT g.w, g.c, max(s.opted_out_at) AS t "
	"FROM unnest($1, $2, $3) AS g (w, c, h) JOIN laras.suppression s "
	"ON s.workspace_id OPERATOR(pg_catalog.=) g.w AND s.hash OPERATOR(pg_catalog.=) g.h "
	"GROUP BY g.w, g.c) AS u WHERE c.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND c.id OPERATOR(pg_catalog.=) u.c AND c.opt_out_at IS NULL "
	"AND (c.opt_in_at IS NULL OR c.opt_in_at OPERATOR(pg_catalog.<) u.t)",
	INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(
	meet_contacts,
	"INSERT INTO laras.suppression (workspace_id, hash, opted_out_at) "
	"SELECT DISTINCT ON (g.w, g.h) g.w, g.h, c.opt_out_at FROM unnest($1, $2, $3) AS g (w, c, h) "
	"JOIN laras.contact c ON c.workspace_id OPERATOR(pg_catalog.=) g.w "
	"AND c.id OPERATOR(pg_catalog.=) g.c WHERE c.opt_out_at IS NOT NULL "
	"ON CONFLICT (workspace_id, hash) DO NOTHING",
	INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(lock_contact,
		   "SELECT 1 FROM laras.contact c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.=) 'active' "
		   "FOR NO KEY UPDATE OF c",
		   INT8OID, INT8OID);

/*
 * The hash of one id. A WhatsApp id of digits is the number without its plus
 * sign: both are one entry, so that a number keeps its wish on every way in.
 */
static Datum
hash_of(uint32 w, uint8 kind, LarasText value)
{
	bytea *hash;

	if (kind == LARAS_INDEX_WA_ID && value.n > 0 && strspn(value.s, "0123456789") >= value.n)
	{
		char *number = palloc(value.n + 1);

		number[0] = '+';
		memcpy(number + 1, value.s, value.n);
		hash = laras_optout_bytea(w, LARAS_INDEX_PHONE, NULL, number, value.n + 1);
		pfree(number);
	}
	else
		hash = laras_optout_bytea(w, kind, NULL, value.s, value.n);
	return PointerGetDatum(hash);
}

/* The hashes of all ids of a contact whose key lives. Inside SPI. */
static Datum
hashes_of(int64 workspace_id, uint32 w, int64 contact_id)
{
	uint64 n =
		laras_spi_run(&read_identities,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id)}, NULL);
	LarasColumn hashes;
	int count = 0;

	laras_columns_init(&hashes, 1, (int) n + 1);
	for (uint64 i = 0; i < n; i++)
	{
		uint8 kind = (uint8) laras_spi_int2(i, 2);
		char *value;
		size_t length;

		if (laras_try_open(laras_spi_bytes(i, 3), workspace_id, laras_spi_int8(i, 1),
						   LARAS_FIELD_contact_identity_value, &value, &length) == LARAS_OPENED)
			hashes.values[count++] = hash_of(w, kind, (LarasText){value, length});
	}
	return laras_column_array(&hashes, count, BYTEAOID);
}

bool
laras_suppression_wish(int64 workspace_id, uint32 workspace_slot, int64 contact_id, bool stop,
					   TimestampTz at)
{
	bool changed;

	laras_spi_open();
	changed = laras_spi_run(stop ? &opt_out : &opt_in,
							(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id),
									  TimestampTzGetDatum(at)},
							NULL) > 0;
	if (changed)
	{
		Datum hashes = hashes_of(workspace_id, workspace_slot, contact_id);

		laras_spi_run(stop ? &suppress : &release,
					  (Datum[]){Int64GetDatum(workspace_id), hashes, TimestampTzGetDatum(at)},
					  NULL);
		/* nobody is asked about what could not leave any more */
		if (stop)
			laras_drafts_unwanted(workspace_id, contact_id, at);
	}
	laras_spi_close();
	return changed;
}

bool
laras_error_opts_out(const char *channel, int error_code)
{
	const LarasChannelDriver *driver = error_code == 0 ? NULL : laras_channel_driver(channel);

	return driver != NULL && driver->send != NULL && driver->send->opted_out_code == error_code;
}

void
laras_suppression_reported(int64 workspace_id, uint32 workspace_slot, int64 contact_id,
						   const char *channel, int64 connection_id, int error_code, TimestampTz at)
{
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel),
		LARAS_EV_NUMBER(LARAS_EVF_ERROR_CODE, error_code),
	};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.workspace_slot = workspace_slot,
		.action = LARAS_ACT_CONTACT_OPTED_OUT,
		.actor_kind = LARAS_ACTOR_PROVIDER,
		.actor_id = connection_id,
		.subject_kind = LARAS_SUBJECT_CONTACT,
		.subject_id = contact_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	if (laras_error_opts_out(channel, error_code) &&
		laras_suppression_wish(workspace_id, workspace_slot, contact_id, true, at))
		laras_evidence_append(&act);
}

void
laras_suppression_meet(const LarasGivenIdentity *given, int n)
{
	LarasColumn c[3];
	Datum arrays[3];

	laras_columns_init(c, 3, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(given[i].workspace_id);
		c[1].values[i] = Int64GetDatum(given[i].contact_id);
		c[2].values[i] = hash_of(given[i].workspace_slot, given[i].kind, given[i].value);
	}
	arrays[0] = laras_column_array(&c[0], n, INT8OID);
	arrays[1] = laras_column_array(&c[1], n, INT8OID);
	arrays[2] = laras_column_array(&c[2], n, BYTEAOID);
	laras_spi_run(&meet_list, arrays, NULL);
	laras_spi_run(&meet_contacts, arrays, NULL);
}

/*
 * laras.set_opt_out(contact_id bigint, opted_out boolean) returns boolean
 *
 * What a person said on another way, noted by a member.
 */
Datum
laras_set_opt_out(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 contact_id = PG_GETARG_INT64(0);
	bool stop = PG_GETARG_BOOL(1);
	int64 workspace_id;
	bool changed;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	workspace_id = laras_bound_workspace();
	laras_spi_open();
	if (laras_spi_run(&lock_contact,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id)}, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such contact")));
	changed = laras_suppression_wish(workspace_id, laras_workspace_slot(workspace_id), contact_id,
									 stop, laras_now());
	if (changed)
		laras_evidence_act(workspace_id,
						   stop ? LARAS_ACT_CONTACT_OPTED_OUT : LARAS_ACT_CONTACT_OPTED_IN,
						   LARAS_SUBJECT_CONTACT, contact_id);
	laras_spi_close();
	PG_RETURN_BOOL(changed);
}
