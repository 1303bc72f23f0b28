/*
 * reach.c
 *		A connection as a task of the courier speaks through it.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/connect.h"
#include "connect/reach.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	read_connection,
	"SELECT c.channel, coalesce(c.provider_app_id, 0), c.slot, c.account_ids, t.token FROM laras.connection c "
	"JOIN laras.channel_token t ON t.workspace_id OPERATOR(pg_catalog.=) c.workspace_id "
	"AND t.connection_id OPERATOR(pg_catalog.=) c.id WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.=) 'connected' FOR SHARE OF c",
	INT8OID, INT8OID);

bool
laras_reach_open(const LarasTask *task, const bytea *sealed, char *token, size_t room, size_t *n)
{
	char *opened;
	size_t length;
	bool fits;

	if (*n > 0)
		return true;
	if (laras_open_token(sealed, task->workspace_id, task->connection_id,
						 LARAS_FIELD_channel_token_token, &opened, &length) != LARAS_OPENED)
		return false;
	fits = length > 0 && length <= room;
	if (fits)
	{
		memcpy(token, opened, length);
		*n = length;
	}
	laras_wipe(opened, length);
	return fits;
}

bool
laras_reach(const LarasTask *task, LarasReachToken *token, LarasReach *out)
{
	LarasProviderApp app;
	bytea *ids;
	bytea *sealed;
	int64 app_id;
	char *opened;
	size_t n;
	const json_t *accounts;

	memset(out, 0, sizeof(*out));
	laras_spi_open();
	if (laras_spi_run(&read_connection,
					  (Datum[]){Int64GetDatum(task->workspace_id),
								Int64GetDatum(task->connection_id)},
					  NULL) == 0)
	{
		laras_spi_close();
		return false;
	}
	out->driver = laras_channel_driver(laras_spi_cstring(0, 1));
	app_id = laras_spi_int8(0, 2);
	out->slot = (uint32) laras_spi_int8(0, 3);
	ids = (bytea *) laras_spi_varlena(0, 4);
	sealed = (bytea *) laras_spi_varlena(0, 5);
	laras_spi_close();
	if (out->driver == NULL || ids == NULL || laras_slot_is_destroyed(out->slot) ||
		!laras_provider_app(out->driver->channel, app_id, false, &app) ||
		laras_open(ids, task->workspace_id, task->connection_id, LARAS_FIELD_connection_account_ids,
				   &opened, &n) != LARAS_OPENED ||
		!laras_reach_open(task, sealed, token->token, sizeof(token->token), &token->n))
		return false;
	accounts = laras_json_own(laras_json_parse(opened, n, NULL));
	out->app_id = app.app_id;
	out->options = app.options;
	out->number =
		laras_json_text_at(accounts, laras_account_member(out->driver, LARAS_ACCOUNT_NUMBER));
	out->about.base_url = app.graph_url;
	out->about.api_version = app.api_version;
	out->about.account =
		laras_json_text_at(accounts,
						   laras_account_member(out->driver, out->driver->connect->subscribed));
	return out->number.s != NULL && out->about.account.s != NULL;
}

LarasTaskNext
laras_reach_ask(const LarasProviderRequest *made, LarasReachToken *token, const char *purpose,
				LarasTaskRequest *request)
{
	request->purpose = purpose;
	request->method = made->method;
	request->url = pnstrdup(made->url.s, made->url.n);
	request->content_type = made->type;
	request->body = made->body.s;
	request->body_n = made->body.n;
	request->token = token->token;
	request->token_n = token->n;
	request->token_at = made->token_at;
	return LARAS_TASK_REQUEST;
}

LarasTaskNext
laras_task_ends(LarasTaskResult *result, LarasTaskNext next, const char *word)
{
	result->http_status = next == LARAS_TASK_DONE ? 200 : 502;
	result->result = word;
	return next;
}
