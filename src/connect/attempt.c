/*
 * attempt.c
 *		Attempts to connect: launched by the owner, single use, one hour long.
 *
 * A launch supersedes what the workspace launched before on that channel, so
 * that ids captured by an earlier launch can never be submitted. Beside the
 * attempt and the consent nothing is written before the provider has confirmed
 * everything.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/logguard.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "connect/health.h"
#include "connect/login.h"
#include "courier/task.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_begin_connect);

#define NONCE_BYTES 32

static char *public_url = NULL;

LARAS_PLAN(supersede,
		   "UPDATE laras.connection_attempt SET state = 'superseded', launch = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND channel OPERATOR(pg_catalog.=) $2 "
		   "AND state OPERATOR(pg_catalog.=) 'open'",
		   INT8OID, TEXTOID);

LARAS_PLAN(
	add_attempt,
	"INSERT INTO laras.connection_attempt (workspace_id, id, channel, provider_app_id, nonce_hash, actor) "
	"VALUES ($1, $2, $3, $4, $5, $6) RETURNING expires_at",
	INT8OID, INT8OID, TEXTOID, INT8OID, BYTEAOID, TEXTOID);

LARAS_PLAN(add_consent,
		   "INSERT INTO laras.consent_grant (workspace_id, id, channel, attempt_id, scopes, actor) "
		   "VALUES ($1, $2, $3, $4, $5, $6)",
		   INT8OID, INT8OID, TEXTOID, INT8OID, TEXTARRAYOID, TEXTOID);

LARAS_PLAN(
	find_attempt,
	"SELECT a.id, a.state, a.expires_at OPERATOR(pg_catalog.<=) laras.now(), a.provider_app_id "
	"FROM laras.connection_attempt a WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND a.nonce_hash OPERATOR(pg_catalog.=) $2 AND a.channel OPERATOR(pg_catalog.=) $3 FOR UPDATE",
	INT8OID, BYTEAOID, TEXTOID);

LARAS_PLAN(set_attempt,
		   "UPDATE laras.connection_attempt SET state = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID);

void
laras_connect_init(void)
{
	DefineCustomStringVariable(
		"laras.public_url", "Address under which the relay is reached from outside.",
		"Links that leave the house are made from this alone, never from a request.", &public_url,
		"", PGC_SIGHUP, 0, NULL, NULL, NULL);
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
		if (laras_channel_nth(i)->token_prefix != NULL)
			laras_log_guard_shape(laras_channel_nth(i)->token_prefix,
								  laras_channel_nth(i)->token_least);
	laras_health_init();
}

/* The scopes an app asks for: its options, or the channel's usual ones. */
static json_t *
scopes_of(const LarasChannelDriver *driver, const LarasProviderApp *app)
{
	json_t *scopes = laras_json_get(app->options, "scopes");
	json_t *list;

	if (json_array_size(scopes) > 0)
		return json_incref(scopes);
	list = json_array();
	for (const char *const *scope = driver->connect->scopes; scope != NULL && *scope != NULL;
		 scope++)
		json_array_append_new(list, json_string(*scope));
	return list;
}

static bytea *
nonce_hash(const char *p, size_t n)
{
	LarasPiece piece = {p, n};
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);

	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a nonce")));
	return hash;
}

/* The page on which the person consents; null as long as nobody knows where it would lead back to. */
static json_t *
dialog(const LarasChannelDriver *driver, const LarasProviderApp *app, const json_t *scopes,
	   LarasText callback, LarasText state)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasText id = laras_text_encoded(&allocator, laras_text(app->app_id));
	LarasText back = laras_text_encoded(&allocator, callback);
	StringInfoData words;
	json_t *scope;
	size_t i;

	if (back.s == NULL)
		return json_null();
	initStringInfo(&words);
	json_array_foreach(scopes, i, scope)
		appendStringInfo(&words, "%s%s", i > 0 ? "," : "",
						 json_is_string(scope) ? json_string_value(scope) : "");
	scope = json_sprintf("%s%s?client_id=%s&redirect_uri=%s&response_type=code&scope=%s&state=%.*s",
						 strcmp(app->graph_url, driver->base_url) == 0 ? driver->connect->dialog_url
																	   : app->graph_url,
						 driver->connect->dialog_path, id.s, back.s,
						 laras_text_encoded(&allocator, (LarasText){words.data, words.len}).s,
						 (int) state.n, state.s);
	return scope == NULL ? json_null() : scope;
}

json_t *
laras_attempt_begin(const LarasChannelDriver *driver)
{
	const char *channel = driver->channel;
	int64 workspace_id = laras_bound_workspace();
	char *actor = laras_principal_text(laras_principal());
	LarasProviderApp app;
	int64 id = laras_new_id();
	uint8 raw[NONCE_BYTES];
	char nonce[2 * NONCE_BYTES + 1];
	json_t *scopes;
	json_t *scope;
	json_t *result;
	Datum *words;
	size_t i;
	TimestampTz expires;

	if (driver->connect->login == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("accounts of this channel cannot be connected by log-in"),
						errhint("A member of laras_dba pairs one with verify => false.")));
	if (!laras_provider_app(channel, 0, false, &app))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no provider app serves this channel"),
						errhint("The operator registers one with laras.register_provider_app().")));
	if (!laras_random_bytes(raw, sizeof(raw)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library gave no random bytes")));
	laras_hex_write(raw, NONCE_BYTES, nonce);
	scopes = laras_json_own(scopes_of(driver, &app));
	words = palloc(sizeof(Datum) * (json_array_size(scopes) + 1));
	json_array_foreach(scopes, i, scope)
		words[i] = CStringGetTextDatum(json_is_string(scope) ? json_string_value(scope) : "");

	laras_spi_open();
	laras_spi_run(&supersede, (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel)},
				  NULL);
	laras_spi_run_one(&add_attempt,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
								CStringGetTextDatum(channel), Int64GetDatum(app.id),
								PointerGetDatum(nonce_hash(nonce, 2 * NONCE_BYTES)),
								CStringGetTextDatum(actor)},
					  NULL);
	expires = laras_spi_time(0, 1);
	laras_spi_run_one(&add_consent,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(laras_new_id()),
								CStringGetTextDatum(channel), Int64GetDatum(id),
								PointerGetDatum(construct_array(words,
																(int) json_array_size(scopes),
																TEXTOID, -1, false, TYPALIGN_INT)),
								CStringGetTextDatum(actor)},
					  NULL);
	laras_spi_close();
	{
		LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_CHANNEL, channel)};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.action = LARAS_ACT_CONSENT_GRANTED,
			.subject_kind = LARAS_SUBJECT_ATTEMPT,
			.subject_id = id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_actor(&act);
		laras_evidence_append(&act);
	}
	result = json_pack("{s:s#, s:s, s:s, s:O, s:{s:s, s:s*, s:s, s:s, s:b}}", "state", nonce,
					   2 * NONCE_BYTES, "channel", channel, "expires_at",
					   timestamptz_to_str(expires), "scopes", scopes, "launch", "app_id",
					   app.app_id, "config_id", app.config_id, "api_version", app.api_version,
					   "response_type", "code", "override_default_response_type", 1);
	if (result != NULL && public_url != NULL && public_url[0] != '\0')
		json_object_set_new(result, "callback",
							json_sprintf("%s%s", public_url, driver->connect->finish_path));
	if (result != NULL && driver->connect->dialog_url != NULL)
		json_object_set_new(result, "authorize_url",
							dialog(driver, &app, scopes, laras_json_text_at(result, "callback"),
								   laras_json_text_at(result, "state")));
	return result;
}

/*
 * laras.begin_connect(channel text, options jsonb) returns jsonb
 */
Datum
laras_begin_connect(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const LarasChannelDriver *driver;
	json_t *launch;
	char *text;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	(void) laras_options_read(PG_GETARG_DATUM(1), NULL, 0);
	laras_vault_require_open();
	driver = laras_require_channel(channel);
	launch = laras_json_own(laras_attempt_begin(driver));
	text = laras_json_text_of(launch, NULL);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* Find and lock the attempt that a nonce names. Inside SPI. */
static LarasAttemptState
look_up(const char *channel, LarasText nonce, int64 *id, int64 *app)
{
	char *state;

	if (nonce.s == NULL || nonce.n != 2 * NONCE_BYTES)
		return LARAS_ATTEMPT_UNKNOWN;
	if (laras_spi_run(&find_attempt,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()),
								PointerGetDatum(nonce_hash(nonce.s, nonce.n)),
								CStringGetTextDatum(channel)},
					  NULL) == 0)
		return LARAS_ATTEMPT_UNKNOWN;
	*id = laras_spi_int8(0, 1);
	*app = laras_spi_int8(0, 4);
	state = laras_spi_cstring(0, 2);
	if (strcmp(state, "done") == 0)
		return LARAS_ATTEMPT_CONNECTED;
	if (strcmp(state, "cancelled") == 0)
		return LARAS_ATTEMPT_CANCELLED;
	if (strcmp(state, "superseded") == 0)
		return LARAS_ATTEMPT_SUPERSEDED;
	if (strcmp(state, "open") != 0 && strcmp(state, "expired") != 0)
		return LARAS_ATTEMPT_USED;
	return laras_spi_bool(0, 3) ? LARAS_ATTEMPT_EXPIRED : LARAS_ATTEMPT_OPEN;
}

LarasAttemptState
laras_attempt_finish(const LarasChannelDriver *driver, LarasText nonce, LarasText code,
					 const json_t *accounts, uint8 ticket[32])
{
	int64 workspace_id = laras_bound_workspace();
	int64 id = 0;
	int64 app = 0;
	LarasAttemptState state;
	json_t *request;

	laras_spi_open();
	state = look_up(driver->channel, nonce, &id, &app);
	if (state == LARAS_ATTEMPT_OPEN)
	{
		laras_spi_run_one(&set_attempt,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
									CStringGetTextDatum("exchanging")},
						  NULL);
		request = laras_json_own(json_pack("{s:s, s:I, s:I, s:s%}", "channel", driver->channel,
										   "app", (json_int_t) app, "connection_id",
										   (json_int_t) laras_new_id(), "code", code.s, code.n));
		if (request == NULL || json_object_update(request, (json_t *) accounts) != 0)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		laras_task_add(workspace_id, laras_login_task.name, 0, id, request, ticket);
	}
	laras_spi_close();
	return state;
}

int64
laras_attempt_by_token(const LarasChannelDriver *driver, const LarasProviderApp *app,
					   const json_t *named, LarasText token, uint8 *ticket)
{
	int64 workspace_id = laras_bound_workspace();
	json_t *launch = laras_json_own(laras_attempt_begin(driver));
	int64 connection_id = laras_new_id();
	int64 waiting = laras_connection_waiting(
		workspace_id, driver->channel,
		laras_json_text_at(named, laras_account_member(driver, LARAS_ACCOUNT_NUMBER)));
	int64 told = waiting != 0 ? waiting : connection_id; /* that one is renewed */
	int64 id = 0;
	int64 latest = 0;
	json_t *request =
		laras_json_own(json_pack("{s:s, s:I, s:I, s:I, s:s%}", "channel", driver->channel, "app",
								 (json_int_t) app->id, "connection_id", (json_int_t) connection_id,
								 "told", (json_int_t) told, "token", token.s, token.n));

	if (request == NULL || json_object_update(request, (json_t *) named) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the access token is not valid text")));
	laras_spi_open();
	if (look_up(driver->channel, laras_json_text_at(launch, "state"), &id, &latest) ==
		LARAS_ATTEMPT_OPEN)
	{
		laras_spi_run_one(&set_attempt,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
									CStringGetTextDatum("exchanging")},
						  NULL);
		laras_task_add(workspace_id, laras_login_task.name, 0, id, request, ticket);
	}
	laras_spi_close();
	return told;
}

LarasAttemptState
laras_attempt_cancel(const LarasChannelDriver *driver, LarasText nonce)
{
	int64 id = 0;
	int64 app = 0;
	LarasAttemptState state;

	laras_spi_open();
	state = look_up(driver->channel, nonce, &id, &app);
	if (state == LARAS_ATTEMPT_OPEN || state == LARAS_ATTEMPT_EXPIRED)
		laras_spi_run_one(&set_attempt,
						  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(id),
									CStringGetTextDatum("cancelled")},
						  NULL);
	laras_spi_close();
	return state;
}
