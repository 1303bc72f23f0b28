/*
 * template.c
 *		Message templates as their owner handles them.
 *
 * Invariant: a row has an author only where somebody of the business wrote it or
 * took it on; the courier sends no other.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "connect/template.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_create_template);
PG_FUNCTION_INFO_V1(laras_submit_template);
PG_FUNCTION_INFO_V1(laras_sync_templates);
PG_FUNCTION_INFO_V1(laras_adopt_template);

LARAS_PLAN(find_connection,
		   "SELECT c.channel, c.state FROM laras.connection c "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2 FOR SHARE OF c",
		   INT8OID, INT8OID);

LARAS_PLAN(add_template,
		   "INSERT INTO laras.message_template (workspace_id, id, connection_id, name, language, "
		   "category, components, author) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
		   "ON CONFLICT (workspace_id, connection_id, name, language) DO NOTHING",
		   INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID);

LARAS_PLAN(lock_template,
		   "SELECT t.connection_id, t.status FROM laras.message_template t "
		   "WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2 "
		   "FOR UPDATE OF t",
		   INT8OID, INT8OID);

LARAS_PLAN(mark_submitted,
		   "UPDATE laras.message_template SET status = 'submitted', reason = NULL, "
		   "status_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(set_author,
		   "UPDATE laras.message_template SET author = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID);

const LarasTemplateDriver *
laras_templates_of(const char *channel)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);

	if (driver == NULL || driver->send == NULL || driver->send->templates == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this channel has no message templates")));
	return driver->send->templates;
}

static void
require_owner(void)
{
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
}

/* The connection, locked; its channel must have templates. Inside SPI. */
static const LarasTemplateDriver *
take_connection(int64 connection_id, bool *connected)
{
	char *channel;

	if (laras_spi_run(&find_connection,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()),
								Int64GetDatum(connection_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such connection")));
	channel = laras_spi_cstring(0, 1);
	*connected = strcmp(laras_spi_cstring(0, 2), "connected") == 0;
	return laras_templates_of(channel);
}

static void
require_connected(bool connected)
{
	if (!connected)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the account is not connected")));
}

static LarasText
text_of(const text *t)
{
	return (LarasText){VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
}

/*
 * laras.create_template(connection_id bigint, name text, language text,
 *		category text, components jsonb) returns bigint
 */
Datum
laras_create_template(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	char *written = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(4)));
	LarasTemplate t = {
		.name = text_of(PG_GETARG_TEXT_PP(1)),
		.language = text_of(PG_GETARG_TEXT_PP(2)),
		.category = text_of(PG_GETARG_TEXT_PP(3)),
	};
	const LarasTemplateDriver *driver;
	const char *why;
	bool connected;
	int64 id;

	require_owner();
	t.components = laras_json_own(laras_json_parse(written, strlen(written), NULL));
	laras_spi_open();
	driver = take_connection(connection_id, &connected);
	require_connected(connected);
	why = driver->check(&t);
	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the provider would not take this template: %s", why)));
	id = laras_new_id();
	if (laras_spi_run(&add_template,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(id),
								Int64GetDatum(connection_id), PG_GETARG_DATUM(1),
								PG_GETARG_DATUM(2), PG_GETARG_DATUM(3), PG_GETARG_DATUM(4),
								CStringGetTextDatum(laras_principal_text(laras_principal()))},
					  NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("the account has a template of that name and language already"),
				 errhint("It is in laras.message_templates. Providers change no approved words: "
						 "give the new ones another name.")));
	laras_spi_close();
	laras_evidence_act(laras_bound_workspace(), LARAS_ACT_TEMPLATE_CREATED, LARAS_SUBJECT_TEMPLATE,
					   id);
	PG_RETURN_INT64(id);
}

/*
 * laras.submit_template(template_id bigint) returns void
 */
Datum
laras_submit_template(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 id = PG_GETARG_INT64(0);
	Datum key[2];
	int64 connection_id;
	bool connected;
	char *status;

	require_owner();
	laras_vault_require_open();
	key[0] = Int64GetDatum(laras_bound_workspace());
	key[1] = Int64GetDatum(id);
	laras_spi_open();
	if (laras_spi_run(&lock_template, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such template")));
	connection_id = laras_spi_int8(0, 1);
	status = laras_spi_cstring(0, 2);
	(void) take_connection(connection_id, &connected);
	require_connected(connected);
	if (strcmp(status, "draft") != 0 && strcmp(status, "deleted") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the provider has this template already"),
						errdetail("Its status is \"%s\".", status)));
	laras_spi_run_one(&mark_submitted, key, NULL);
	laras_task_add(laras_bound_workspace(), laras_template_submit_task.name, connection_id, 0,
				   laras_json_own(json_pack("{s:I}", "template", (json_int_t) id)), NULL);
	laras_spi_close();
	laras_evidence_act(laras_bound_workspace(), LARAS_ACT_TEMPLATE_SUBMITTED,
					   LARAS_SUBJECT_TEMPLATE, id);
	PG_RETURN_VOID();
}

/*
 * laras.sync_templates(connection_id bigint) returns void
 */
Datum
laras_sync_templates(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	bool connected;

	require_owner();
	laras_vault_require_open();
	laras_spi_open();
	(void) take_connection(connection_id, &connected);
	require_connected(connected);
	laras_task_add(laras_bound_workspace(), laras_template_sync_task.name, connection_id, 0,
				   laras_json_own(laras_json_object()), NULL);
	laras_spi_close();
	PG_RETURN_VOID();
}

/*
 * laras.adopt_template(template_id bigint) returns void
 */
Datum
laras_adopt_template(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 id = PG_GETARG_INT64(0);

	require_owner();
	laras_spi_open();
	if (laras_spi_run(&set_author,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(id),
								CStringGetTextDatum(laras_principal_text(laras_principal()))},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such template")));
	laras_spi_close();
	laras_evidence_act(laras_bound_workspace(), LARAS_ACT_TEMPLATE_ADOPTED, LARAS_SUBJECT_TEMPLATE,
					   id);
	PG_RETURN_VOID();
}
