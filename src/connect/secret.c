/*
 * secret.c
 *		The secret with which whoever connected has their system sign what it
 *		posts: given out once.
 *
 * It is derived from the app's secret and the connection's id (signature.h), so
 * that nothing of it is stored, none of an earlier connection holds for a later
 * one, and it is worth nothing once the connection is cut. That it was given is
 * a time in the connection's row.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/errors.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "channel/channel.h"
#include "connect/connect.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "intake/signature.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_take_webhook_secret);

LARAS_PLAN(
	lock_connection,
	"SELECT c.channel, c.state, c.provider_app_id, c.secret_given_at IS NOT NULL FROM laras.connection c "
	"WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
	INT8OID, INT8OID);

LARAS_PLAN(note_given,
		   "UPDATE laras.connection SET secret_given_at = laras.now() "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* {"url", "secret"}: where to post, and what to sign with. */
static json_t *
derive(const LarasChannelDriver *driver, int64 app_id, int64 connection_id)
{
	const char *base = GetConfigOption("laras.public_url", true, false);
	LarasProviderApp app;
	char token[LARAS_WEBHOOK_TOKEN + 1];
	char id[24];
	bool derived;
	json_t *answer;

	if (!laras_provider_app(driver->channel, app_id, true, &app))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the provider app of the connection is gone")));
	snprintf(id, sizeof(id), INT64_FORMAT, connection_id);
	derived = laras_webhook_token(app.secret, app.secret_n, driver->channel, id, strlen(id), token);
	laras_wipe(app.secret, app.secret_n);
	if (!derived)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not derive a token")));
	answer =
		json_pack("{s:o, s:s}", "url",
				  json_sprintf("%s/api/webhooks/%s/%s", base == NULL ? "" : base, driver->path, id),
				  "secret", token);
	laras_wipe(token, sizeof(token));
	return answer;
}

json_t *
laras_webhook_secret(int64 connection_id)
{
	int64 workspace_id = laras_bound_workspace();
	Datum key[2] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id)};
	const LarasChannelDriver *driver;
	int64 app_id;
	json_t *answer;

	laras_vault_require_open();
	laras_spi_open();
	if (laras_spi_run(&lock_connection, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such connection")));
	driver = laras_channel_driver(laras_spi_cstring(0, 1));
	if (driver == NULL || !driver->keyed_by_account ||
		strcmp(laras_spi_cstring(0, 2), "disconnected") == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the connection has no secret to sign with"),
						errhint("Channels whose events come from a system of yours have one, as "
								"long as they are connected.")));
	if (laras_spi_bool(0, 4))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the secret was given out already"),
				 errhint("Disconnect the account and connect it anew: that makes another.")));
	app_id = laras_spi_int8(0, 3);
	laras_spi_run_one(&note_given, key, NULL);
	laras_spi_close();
	answer = derive(driver, app_id, connection_id);
	{
		LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_CHANNEL, driver->channel)};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.workspace_slot = laras_workspace_slot(workspace_id),
			.action = LARAS_ACT_WEBHOOK_SECRET_GIVEN,
			.subject_kind = LARAS_SUBJECT_CONNECTION,
			.subject_id = connection_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_actor(&act);
		laras_evidence_append(&act);
	}
	return answer;
}

/*
 * laras.take_webhook_secret(connection_id bigint) returns jsonb
 */
Datum
laras_take_webhook_secret(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	json_t *answer;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	answer = laras_json_own(laras_webhook_secret(PG_GETARG_INT64(0)));
	PG_RETURN_DATUM(
		DirectFunctionCall1(jsonb_in, CStringGetDatum(laras_json_text_of(answer, NULL))));
}
