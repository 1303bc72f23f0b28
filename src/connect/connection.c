/*
 * connection.c
 *		A connection comes into being whole: slot, row, token, routes,
 *		authorizer and evidence in one transaction, or nothing of it.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"

LARAS_PLAN(
	add_connection,
	"INSERT INTO laras.connection (workspace_id, id, channel, slot, provider_app_id, display_name, account_ids, "
	"profile, account_index, scopes, authorizer_known, token_expires_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID, LARAS_SEALED, LARAS_SEALED, LARAS_SEALED, BYTEAOID,
	TEXTARRAYOID, BOOLOID, TIMESTAMPTZOID);

LARAS_PLAN(
	add_token,
	"INSERT INTO laras.channel_token (workspace_id, connection_id, token, expires_at) VALUES ($1, $2, $3, $4)",
	INT8OID, INT8OID, LARAS_SEALED, TIMESTAMPTZOID);

LARAS_PLAN(
	add_route,
	"INSERT INTO laras.route (route_hash, provider_app_id, workspace_id, workspace_slot, connection_id, role) "
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
	BYTEAOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	find_route,
	"SELECT r.workspace_id, r.role FROM laras.route r WHERE r.route_hash OPERATOR(pg_catalog.=) $1 "
	"ORDER BY r.role DESC LIMIT 1",
	BYTEAOID);

LARAS_PLAN(
	add_authorizer,
	"INSERT INTO laras.authorizer (authorizer_hash, workspace_id, connection_id, provider_app_id) "
	"VALUES ($1, $2, $3, $4)",
	BYTEAOID, INT8OID, INT8OID, INT8OID);

LARAS_PLAN(finish_attempt,
		   "UPDATE laras.connection_attempt SET state = 'done', connection_id = $3, launch = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT8OID);

LARAS_PLAN(name_consent,
		   "UPDATE laras.consent_grant SET connection_id = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND attempt_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	needs_reauth,
	"UPDATE laras.connection SET state = 'needs_reauth', stopped_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'connected' RETURNING id",
	INT8OID, INT8OID);

LARAS_PLAN(
	park_connection,
	"UPDATE laras.outbox SET state = 'parked', reason = 'needs_reauth' "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND connection_id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) 'queued'",
	INT8OID, INT8OID);

/* and those that hang from the same business account */
LARAS_PLAN(
	lose,
	"UPDATE laras.connection c SET state = 'lost' WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.state OPERATOR(pg_catalog.=) ANY ('{connected,needs_reauth}'::pg_catalog.text[]) "
	"AND (c.id OPERATOR(pg_catalog.=) $2 OR c.id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT o.connection_id "
	"FROM laras.route r JOIN laras.route o ON o.route_hash OPERATOR(pg_catalog.=) r.route_hash "
	"WHERE r.workspace_id OPERATOR(pg_catalog.=) $1 AND r.connection_id OPERATOR(pg_catalog.=) $2 "
	"AND r.role OPERATOR(pg_catalog.=) 'business' AND o.role OPERATOR(pg_catalog.=) 'business' "
	"AND o.workspace_id OPERATOR(pg_catalog.=) $1))) RETURNING c.id",
	INT8OID, INT8OID);

LARAS_PLAN(
	give_up,
	"UPDATE laras.connection SET state = 'lost' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) 'needs_reauth' RETURNING id",
	INT8OID, INT8OID);

LARAS_PLAN(find_waiting,
		   "SELECT c.id FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.account_index OPERATOR(pg_catalog.=) $2 AND c.channel OPERATOR(pg_catalog.=) $3 "
		   "AND c.state OPERATOR(pg_catalog.=) 'needs_reauth'",
		   INT8OID, BYTEAOID, TEXTOID);

LARAS_PLAN(
	renew_connection,
	"UPDATE laras.connection SET state = 'connected', provider_app_id = $3, scopes = $4, token_expires_at = $5, "
	"authorizer_known = $6, profile = coalesce($7, profile), account_ids = $8, health = NULL, checked_at = laras.now(), stopped_at = NULL "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 RETURNING slot",
	INT8OID, INT8OID, INT8OID, TEXTARRAYOID, TIMESTAMPTZOID, BOOLOID, LARAS_SEALED, LARAS_SEALED);

LARAS_PLAN(
	set_beside_app,
	"UPDATE laras.connection SET beside_app = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND beside_app IS DISTINCT FROM $3 "
	"AND state OPERATOR(pg_catalog.<>) 'disconnected'",
	INT8OID, INT8OID, BOOLOID);

LARAS_PLAN(find_connection_slot,
		   "SELECT c.slot FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
		   INT8OID, INT8OID);

LARAS_PLAN(
	renew_token,
	"INSERT INTO laras.channel_token (workspace_id, connection_id, token, expires_at) VALUES ($1, $2, $3, $4) "
	"ON CONFLICT (workspace_id, connection_id) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at, "
	"created_at = laras.now()",
	INT8OID, INT8OID, LARAS_SEALED, TIMESTAMPTZOID);

LARAS_PLAN(forget_routes,
		   "DELETE FROM laras.route WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(forget_authorizers,
		   "DELETE FROM laras.authorizer WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	unpark_connection,
	"UPDATE laras.outbox SET state = 'queued', reason = NULL, not_before = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND connection_id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) 'parked'",
	INT8OID, INT8OID);

int64
laras_account_holder(const char *channel, LarasText account)
{
	int64 holder = 0;

	laras_spi_open();
	if (laras_spi_read(&find_route,
					   (Datum[]){PointerGetDatum(
						   laras_route_bytea(LARAS_INDEX_ACCOUNT, channel, account.s, account.n))},
					   NULL) > 0)
	{
		char *role = laras_spi_cstring(0, 2);

		if (strcmp(role, "number") == 0)
			holder = laras_spi_int8(0, 1);
	}
	laras_spi_close();
	return holder;
}

/* One text for whoever holds the account, so that nobody learns of another workspace. */
static void
in_use(void)
{
	ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION), errmsg("the account is connected already"),
					errhint("Disconnect it where it is connected, then connect it here.")));
}

static void
store_routes(int64 workspace_id, uint32 w, const LarasNewConnection *c)
{
	bytea *number = laras_route_bytea(LARAS_INDEX_ACCOUNT, c->channel, c->account.s, c->account.n);

	if (laras_spi_run(&add_route,
					  (Datum[]){PointerGetDatum(number), Int64GetDatum(c->app_id),
								Int64GetDatum(workspace_id), Int64GetDatum((int64) w),
								Int64GetDatum(c->id), CStringGetTextDatum("number")},
					  NULL) == 0)
		in_use();
	/* where events come to the connection under its own id */
	if (laras_channel_driver(c->channel)->path_is_connection)
	{
		char id[24];
		int n = snprintf(id, sizeof(id), INT64_FORMAT, c->id);

		laras_spi_run_one(&add_route,
						  (Datum[]){PointerGetDatum(
										laras_route_bytea(LARAS_INDEX_ACCOUNT, c->channel, id, n)),
									Int64GetDatum(c->app_id), Int64GetDatum(workspace_id),
									Int64GetDatum((int64) w), Int64GetDatum(c->id),
									CStringGetTextDatum("number")},
						  NULL);
	}
	if (c->above.s != NULL)
	{
		bytea *above = laras_route_bytea(LARAS_INDEX_ACCOUNT, c->channel, c->above.s, c->above.n);

		if (laras_spi_read(&find_route, (Datum[]){PointerGetDatum(above)}, NULL) > 0 &&
			laras_spi_int8(0, 1) != workspace_id)
			in_use();
		laras_spi_run(&add_route,
					  (Datum[]){PointerGetDatum(above), Int64GetDatum(c->app_id),
								Int64GetDatum(workspace_id), Int64GetDatum((int64) w),
								Int64GetDatum(c->id), CStringGetTextDatum("business")},
					  NULL);
	}
}

static void
store_authorizer(int64 workspace_id, int64 connection_id, const LarasNewConnection *c)
{
	if (c->app_user.s != NULL)
		laras_spi_run_one(&add_authorizer,
						  (Datum[]){PointerGetDatum(laras_authorizer_bytea(
										LARAS_INDEX_APP_USER, laras_channel_authorizer(c->channel),
										c->app_user.s, c->app_user.n)),
									Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
									Int64GetDatum(c->app_id)},
						  NULL);
}

/* The attempt has led to the connection, and so has the consent. */
static void
finish_log_in(int64 workspace_id, int64 connection_id, const LarasNewConnection *c)
{
	if (c->attempt_id != 0)
	{
		laras_spi_run(&finish_attempt,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(c->attempt_id),
								Int64GetDatum(connection_id)},
					  NULL);
		laras_spi_run(&name_consent,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(c->attempt_id),
								Int64GetDatum(connection_id)},
					  NULL);
	}
}

/* The scopes as an array. */
static Datum
scopes_of(const LarasNewConnection *c)
{
	Datum *scopes = palloc(sizeof(Datum) * (c->scope_count + 1));

	for (int i = 0; i < c->scope_count; i++)
		scopes[i] = CStringGetTextDatum(c->scopes[i]);
	return PointerGetDatum(
		construct_array(scopes, c->scope_count, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
record_connected(int64 workspace_id, uint32 w, uint32 slot, int64 connection_id, const char *path,
				 const LarasNewConnection *c)
{
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_CHANNEL, c->channel),
		LARAS_EV_CODE(LARAS_EVF_PATH, path),
		LARAS_EV_COMMIT(LARAS_EVF_ACCOUNT, slot, c->account.s, c->account.n),
	};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.workspace_slot = w,
		.action = LARAS_ACT_CONNECTION_CONNECTED,
		.subject_kind = LARAS_SUBJECT_CONNECTION,
		.subject_id = connection_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

void
laras_connection_beside_app(int64 workspace_id, int64 connection_id, LarasBesideApp beside_app)
{
	if (beside_app != LARAS_BESIDE_APP_UNKNOWN)
		laras_spi_run(&set_beside_app,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
								BoolGetDatum(beside_app == LARAS_BESIDE_APP_YES)},
					  NULL);
}

int64
laras_connection_create(int64 workspace_id, const LarasNewConnection *c)
{
	uint32 w = laras_workspace_slot(workspace_id);
	uint32 slot = laras_slot_lease();
	char *text;
	size_t n;
	bytea *ids;
	bytea *profile = NULL;
	bytea *name = NULL;
	bytea *token;
	char nulls[13] = "            ";

	laras_key_owner_add(workspace_id, slot, "connection", c->id);
	text = laras_json_text_of(c->account_ids, &n);
	ids = laras_seal(w, slot, LARAS_FIELD_connection_account_ids, workspace_id, c->id, text, n);
	if (c->profile != NULL)
	{
		text = laras_json_text_of(c->profile, &n);
		profile = laras_seal(w, slot, LARAS_FIELD_connection_profile, workspace_id, c->id, text, n);
	}
	if (c->display_name.s != NULL)
		name = laras_seal(w, slot, LARAS_FIELD_connection_display_name, workspace_id, c->id,
						  c->display_name.s, c->display_name.n);
	token = laras_seal_token(w, slot, LARAS_FIELD_channel_token_token, workspace_id, c->id,
							 c->token.s, c->token.n);
	nulls[5] = name == NULL ? 'n' : ' ';
	nulls[7] = profile == NULL ? 'n' : ' ';
	nulls[11] = c->token_expires_at == 0 ? 'n' : ' ';

	laras_spi_open();
	laras_spi_run_one(&add_connection,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(c->id),
								CStringGetTextDatum(c->channel), Int64GetDatum((int64) slot),
								Int64GetDatum(c->app_id), PointerGetDatum(name),
								PointerGetDatum(ids), PointerGetDatum(profile),
								PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_ACCOUNT,
																  c->channel, c->account.s,
																  c->account.n)),
								scopes_of(c), BoolGetDatum(c->app_user.s != NULL),
								TimestampTzGetDatum(c->token_expires_at)},
					  nulls);
	laras_spi_run_one(&add_token,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(c->id),
								PointerGetDatum(token), TimestampTzGetDatum(c->token_expires_at)},
					  c->token_expires_at == 0 ? "   n" : NULL);
	laras_connection_beside_app(workspace_id, c->id, c->beside_app);
	store_routes(workspace_id, w, c);
	store_authorizer(workspace_id, c->id, c);
	finish_log_in(workspace_id, c->id, c);
	laras_spi_close();
	record_connected(workspace_id, w, slot, c->id, c->path, c);
	return c->id;
}

int64
laras_connection_waiting(int64 workspace_id, const char *channel, LarasText account)
{
	int64 id = 0;

	laras_spi_open();
	if (laras_spi_run(&find_waiting,
					  (Datum[]){Int64GetDatum(workspace_id),
								PointerGetDatum(laras_index_bytea(
									laras_workspace_slot(workspace_id), LARAS_INDEX_ACCOUNT,
									channel, account.s, account.n)),
								CStringGetTextDatum(channel)},
					  NULL) > 0)
		id = laras_spi_int8(0, 1);
	laras_spi_close();
	return id;
}

LARAS_PLAN(find_any,
		   "SELECT 1 FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

void
laras_connection_set(int64 connection_id, LarasPlan *set, Datum value, LarasAction action,
					 LarasEvidenceField detail)
{
	Datum key[3] = {Int64GetDatum(laras_bound_workspace()), Int64GetDatum(connection_id), value};
	LarasEvidence act = {
		.workspace_id = laras_bound_workspace(),
		.action = action,
		.subject_kind = LARAS_SUBJECT_CONNECTION,
		.subject_id = connection_id,
		.nfields = 1,
		.fields = &detail,
	};

	laras_spi_open();
	if (laras_spi_run(set, key, NULL) == 0)
	{
		bool there = laras_spi_read(&find_any, key, NULL) > 0;

		ereport(ERROR,
				(errcode(there ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_NO_DATA_FOUND),
				 there ? errmsg("the connection is disconnected") : errmsg("no such connection")));
	}
	laras_spi_close();
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

void
laras_connection_renew(int64 workspace_id, int64 connection_id, const LarasNewConnection *c)
{
	Datum key[2] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id)};
	uint32 w = laras_workspace_slot(workspace_id);
	uint32 slot;
	bytea *profile = NULL;
	bytea *ids;
	LarasNewConnection own = *c;
	char *ids_text;
	size_t ids_n;
	char nulls[9] = "        ";

	own.id = connection_id;
	laras_spi_open();
	laras_spi_run_one(&find_connection_slot, key, NULL);
	slot = (uint32) laras_spi_int8(0, 1);
	if (c->profile != NULL)
	{
		size_t n;
		char *text = laras_json_text_of(c->profile, &n);

		profile = laras_seal(w, slot, LARAS_FIELD_connection_profile, workspace_id, connection_id,
							 text, n);
	}
	/* what goes with the account may be new, such as the server of an address */
	ids_text = laras_json_text_of(c->account_ids, &ids_n);
	ids = laras_seal(w, slot, LARAS_FIELD_connection_account_ids, workspace_id, connection_id,
					 ids_text, ids_n);
	nulls[4] = c->token_expires_at == 0 ? 'n' : ' ';
	nulls[6] = profile == NULL ? 'n' : ' ';
	laras_spi_run_one(&renew_connection,
					  (Datum[]){key[0], key[1], Int64GetDatum(c->app_id), scopes_of(c),
								TimestampTzGetDatum(c->token_expires_at),
								BoolGetDatum(c->app_user.s != NULL), PointerGetDatum(profile),
								PointerGetDatum(ids)},
					  nulls);
	laras_spi_run_one(&renew_token,
					  (Datum[]){key[0], key[1],
								PointerGetDatum(laras_seal_token(w, slot,
																 LARAS_FIELD_channel_token_token,
																 workspace_id, connection_id,
																 c->token.s, c->token.n)),
								TimestampTzGetDatum(c->token_expires_at)},
					  c->token_expires_at == 0 ? "   n" : NULL);
	laras_connection_beside_app(workspace_id, connection_id, c->beside_app);
	/* it may have been another app */
	laras_spi_run(&forget_routes, key, NULL);
	store_routes(workspace_id, w, &own);
	laras_spi_run(&forget_authorizers, key, NULL);
	store_authorizer(workspace_id, connection_id, c);
	finish_log_in(workspace_id, connection_id, c);
	laras_spi_run(&unpark_connection, key, NULL);
	laras_spi_close();
	laras_work_queued(LARAS_WORK_COURIER);
	record_connected(workspace_id, w, slot, connection_id, "renewed", c);
}

void
laras_connection_stop(int64 workspace_id, int64 connection_id, int code)
{
	Datum key[2] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id)};

	laras_spi_open();
	if (laras_spi_run(&needs_reauth, key, NULL) > 0)
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_ERROR_CODE, code)};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.workspace_slot = laras_workspace_slot(workspace_id),
			.action = LARAS_ACT_CONNECTION_NEEDS_REAUTH,
			.actor_kind = LARAS_ACTOR_PROVIDER,
			.actor_id = connection_id,
			.subject_kind = LARAS_SUBJECT_CONNECTION,
			.subject_id = connection_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_notice(workspace_id, "needs_reauth", connection_id, 0, 0, code);
		laras_evidence_append(&act);
	}
	laras_spi_run(&park_connection, key, NULL);
	laras_spi_close();
}

/* The plan makes connections lost and returns them: their owner is told, the keeper cuts them. */
static void
lose_by(LarasPlan *plan, int64 workspace_id, int64 connection_id, LarasActorKind who, int code)
{
	uint64 found;
	int64 *ids;

	laras_spi_open();
	found =
		laras_spi_run(plan, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id)},
					  NULL);
	ids = palloc(sizeof(int64) * (found + 1));
	for (uint64 i = 0; i < found; i++)
		ids[i] = laras_spi_int8(i, 1);
	for (uint64 i = 0; i < found; i++)
	{
		LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_ERROR_CODE, code)};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.workspace_slot = laras_workspace_slot(workspace_id),
			.action = LARAS_ACT_CONNECTION_LOST,
			.actor_kind = who,
			.actor_id = who == LARAS_ACTOR_PROVIDER ? ids[i] : 0,
			.subject_kind = LARAS_SUBJECT_CONNECTION,
			.subject_id = ids[i],
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_notice(workspace_id, "access_lost", ids[i], 0, 0, code);
		laras_evidence_append(&act);
	}
	laras_spi_close();
	if (found > 0)
		laras_work_queued(LARAS_WORK_KEEPER);
}

void
laras_connection_lost(int64 workspace_id, int64 connection_id, int code)
{
	lose_by(&lose, workspace_id, connection_id, LARAS_ACTOR_PROVIDER, code);
}

void
laras_connection_give_up(int64 workspace_id, int64 connection_id)
{
	lose_by(&give_up, workspace_id, connection_id, LARAS_ACTOR_WORKER, 0);
}
