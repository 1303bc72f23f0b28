/*
 * pair.c
 *		Pairing an account by its ids and a token that the business made itself.
 *
 * With verify (always, but for a DBA who migrates) the ids and the token are
 * proven at the provider by the courier before anything of a connection is
 * written; the id returned is the one the connection will have.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/logguard.h"
#include "base/spi.h"
#include "channel/channel.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "courier/task.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_pair_connection);

/* An id of the account; every channel's are short and plain. */
static LarasText
required(const LarasChannelDriver *driver, const json_t *account, const LarasAccountName *name)
{
	LarasText t = laras_json_text_at(account, name->member);

	if (!laras_account_name_fits(name, t))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the account lacks an id"),
						errdetail("Key \"%s\" must be a string of %s.", name->member,
								  name->address ? "the form of an address" : "digits"),
						errhint("Give %s.", driver->connect->example)));
	return t;
}

/*
 * laras.pair_connection(channel text, account jsonb, access_token text,
 *		verify boolean) returns bigint
 */
Datum
laras_pair_connection(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *account_text = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(1)));
	text *token = PG_GETARG_TEXT_PP(2);
	bool verify = PG_GETARG_BOOL(3);
	int64 workspace_id;
	int64 id;
	int64 app_id = 0;
	int64 waiting;
	json_t *account;
	const LarasChannelDriver *driver;
	json_t *named;
	LarasText ids[2] = {{NULL, 0}, {NULL, 0}}; /* by role */
	LarasProviderApp app;

	laras_require_preload();
	laras_hide_statement("pair_connection");
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	laras_vault_require_open();
	workspace_id = laras_bound_workspace();
	if (!verify && !has_privs_of_role(GetSessionUserId(), get_role_oid("laras_dba", false)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a member of laras_dba may pair without verification"),
				 errhint(
					 "Leave verify at its default; the token is then proven at the provider.")));
	driver = laras_require_channel(channel);
	account = laras_json_own(laras_json_parse(account_text, strlen(account_text), NULL));
	named = laras_json_own(laras_json_object());
	for (const LarasAccountName *name = driver->connect->accounts; name->member != NULL; name++)
	{
		ids[name->role] = required(driver, account, name);
		json_object_set(named, name->member, laras_json_get(account, name->member));
	}
	for (const char *const *asked = driver->connect->asked; asked != NULL && *asked != NULL;
		 asked++)
		if (laras_json_text_at(account, *asked).s != NULL)
			json_object_set(named, *asked, laras_json_get(account, *asked));
	if (VARSIZE_ANY_EXHDR(token) == 0 || VARSIZE_ANY_EXHDR(token) > LARAS_LONGEST_TOKEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the access token must have 1 to %d bytes", LARAS_LONGEST_TOKEN)));
	if (driver->app_of_account)
		app_id = laras_provider_app_of(channel, ids[LARAS_ACCOUNT_NUMBER]);
	if ((driver->app_of_account && app_id == 0) ||
		!laras_provider_app(channel, app_id, false, &app))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no provider app serves this channel"),
						errhint("The operator registers one with laras.register_provider_app().")));
	waiting = laras_connection_waiting(workspace_id, channel, ids[LARAS_ACCOUNT_NUMBER]);
	if (laras_account_holder(channel, ids[LARAS_ACCOUNT_NUMBER]) != 0 && (waiting == 0 || !verify))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION), errmsg("the account is connected already"),
				 errhint("Disconnect it where it is connected, then connect it here.")));
	if (!verify)
	{
		LarasNewConnection c = {
			.id = laras_new_id(),
			.channel = channel,
			.app_id = app.id,
			.account = ids[LARAS_ACCOUNT_NUMBER],
			.above = ids[LARAS_ACCOUNT_BUSINESS],
			.account_ids = account,
			.display_name = laras_json_text_at(account, "display_phone_number"),
			.token = {VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token)},
			.path = "migration",
		};

		id = laras_connection_create(workspace_id, &c);
	}
	else
	{
		LarasText words = {VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token)};

		id = laras_attempt_by_token(driver, &app, named, words, NULL);
	}
	PG_RETURN_INT64(id);
}
