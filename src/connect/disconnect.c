/*
 * disconnect.c
 *		Cutting a connection, in the caller's transaction.
 *
 * What is left is a tombstone: a random id, the channel, when and by whom.
 * Token, account references, profile, automation state and routes go in this
 * very transaction; its commit destroys the connection's key, which makes the
 * sealed values unreadable wherever a copy of them lies. Nothing here needs a
 * key, the network or a worker.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "courier/handoff.h"
#include "courier/task.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_disconnect_connection);

LARAS_PLAN(
	lock_connection,
	"SELECT c.channel, c.state, c.slot, coalesce(c.provider_app_id, 0), c.account_ids, c.disconnected_at, "
	"c.remote_revoke FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
	INT8OID, INT8OID);

LARAS_PLAN(
	read_token,
	"SELECT t.token FROM laras.channel_token t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND t.connection_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(delete_token,
		   "DELETE FROM laras.channel_token WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_routes,
		   "DELETE FROM laras.route WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_authorizers,
		   "DELETE FROM laras.authorizer WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* attempts that led here, and the tasks of both; consent stays, without scope of an account */
LARAS_PLAN(delete_tasks,
		   "DELETE FROM laras.courier_task t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND (t.connection_id OPERATOR(pg_catalog.=) $2 OR t.attempt_id IN (SELECT a.id "
		   "FROM laras.connection_attempt a WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND a.connection_id OPERATOR(pg_catalog.=) $2))",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_attempts,
		   "DELETE FROM laras.connection_attempt WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_unmatched,
		   "DELETE FROM laras.unmatched_status WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(forget_templates,
		   "UPDATE laras.message_template SET provider_index = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2 AND provider_index IS NOT NULL",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_pause,
		   "DELETE FROM laras.send_pause WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(delete_posts,
		   "DELETE FROM laras.post WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND connection_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	bury,
	"UPDATE laras.connection SET state = 'disconnected', provider_app_id = NULL, display_name = NULL, "
	"account_ids = NULL, profile = NULL, account_index = NULL, scopes = '{}', auto_send = false, "
	"send_rate = NULL, beside_app = NULL, presence = 'off', uncertain_policy = 'hold', secret_given_at = NULL, stopped_at = NULL, "
	"token_expires_at = NULL, health = NULL, checked_at = NULL, disconnected_at = laras.now(), disconnect_trigger = $3, "
	"disconnect_reason = $4, remote_revoke = $5 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, TEXTOID, LARAS_SEALED, TEXTOID);

static const char *
trigger_name(LarasDisconnectTrigger trigger)
{
	switch (trigger)
	{
		case LARAS_CUT_OWNER:
			return "owner";
		case LARAS_CUT_DEAUTHORIZE:
			return "deauthorize";
		case LARAS_CUT_DELETION_CALLBACK:
			return "deletion_callback";
		case LARAS_CUT_LOST_ACCESS:
			return "lost_access";
		case LARAS_CUT_WORKSPACE_ERASURE:
			return "workspace_erasure";
		case LARAS_CUT_RESTORE:
			return "restore";
	}
	return "owner";
}

/*
 * Leave the sealed token where the courier finds it after the commit, so that
 * the provider can be told. Everything that is missing means "not told".
 */
static bool
hand_off(int64 workspace_id, int64 connection_id, const char *channel, uint32 slot, int64 app_id,
		 bytea *account_ids)
{
	LarasHandoff handoff;
	bytea *token;
	char *opened;
	size_t n;
	LarasText subscribed;
	const LarasChannelDriver *driver = laras_channel_driver(channel);
	bool put = false;

	if (!laras_vault_is_open() || account_ids == NULL || app_id == 0 || driver == NULL)
		return false;
	if (laras_spi_read(&read_token,
					   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id)},
					   NULL) == 0)
		return false;
	token = laras_spi_bytes(0, 1);
	memset(&handoff, 0, sizeof(handoff));
	if (VARSIZE_ANY_EXHDR(token) > sizeof(handoff.token) ||
		laras_open(account_ids, workspace_id, connection_id, LARAS_FIELD_connection_account_ids,
				   &opened, &n) != LARAS_OPENED)
		return false;
	subscribed = laras_json_text_at(laras_json_own(laras_json_parse(opened, n, NULL)),
									laras_account_member(driver, driver->connect->subscribed));
	if (subscribed.s != NULL && subscribed.n < sizeof(handoff.account) &&
		laras_slot_copy(slot, handoff.slot_copy))
	{
		handoff.workspace_id = workspace_id;
		handoff.connection_id = connection_id;
		handoff.app_id = app_id;
		strlcpy(handoff.channel, channel, sizeof(handoff.channel));
		handoff.token_n = VARSIZE_ANY_EXHDR(token);
		memcpy(handoff.token, VARDATA_ANY(token), handoff.token_n);
		handoff.account_n = (uint32) subscribed.n;
		memcpy(handoff.account, subscribed.s, subscribed.n);
		put = laras_handoff_put(&handoff);
	}
	laras_wipe(&handoff, sizeof(handoff));
	return put;
}

void
laras_disconnect(int64 workspace_id, int64 connection_id, LarasDisconnectTrigger trigger,
				 const char *reason, const uint8 *order, LarasDisconnectReceipt *receipt)
{
	Datum key[2] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id)};
	char *state;
	uint32 slot;
	int64 app_id;
	bytea *account_ids;
	bytea *words = NULL;

	memset(receipt, 0, sizeof(*receipt));
	laras_spi_open();
	if (laras_spi_run(&lock_connection, key, NULL) == 0)
	{
		laras_spi_close();
		return;
	}
	receipt->found = true;
	receipt->channel = laras_spi_cstring(0, 1);
	state = laras_spi_cstring(0, 2);
	slot = (uint32) laras_spi_int8(0, 3);
	app_id = laras_spi_int8(0, 4);
	account_ids = (bytea *) laras_spi_varlena(0, 5);
	if (strcmp(state, "disconnected") == 0)
	{
		receipt->disconnected_at = laras_spi_time(0, 6);
		receipt->remote_revoke = laras_spi_cstring(0, 7);
		laras_spi_close();
		return;
	}
	receipt->was_connected = true;
	receipt->disconnected_at = laras_now();
	/* after a provider's own callback the token is dead and the provider knows */
	if (trigger == LARAS_CUT_DEAUTHORIZE || trigger == LARAS_CUT_DELETION_CALLBACK ||
		trigger == LARAS_CUT_LOST_ACCESS)
		receipt->remote_revoke = "skipped";
	else
		receipt->remote_revoke =
			hand_off(workspace_id, connection_id, receipt->channel, slot, app_id, account_ids)
				? "pending"
				: "not_told";

	receipt->tokens = (int) laras_spi_run(&delete_token, key, NULL);
	receipt->routes = (int) laras_spi_run(&delete_routes, key, NULL);
	laras_spi_run(&delete_authorizers, key, NULL);
	laras_spi_run(&delete_tasks, key, NULL);
	laras_media_cancel(workspace_id, connection_id);
	laras_spi_run(&delete_attempts, key, NULL);
	laras_spi_run(&delete_unmatched, key, NULL);
	laras_spi_run(&delete_pause, key, NULL);
	laras_spi_run(&delete_posts, key, NULL);
	laras_spi_run(&forget_templates, key, NULL);
	receipt->cancelled =
		laras_outbox_cancel_connection(workspace_id, connection_id, "disconnected");
	if (reason != NULL && reason[0] != '\0' && laras_vault_is_open())
	{
		uint32 w = laras_workspace_slot(workspace_id);

		words = laras_seal_cstring(w, w, LARAS_FIELD_connection_disconnect_reason, workspace_id,
								   connection_id, reason);
	}
	laras_spi_run_one(&bury,
					  (Datum[]){key[0], key[1], CStringGetTextDatum(trigger_name(trigger)),
								PointerGetDatum(words),
								CStringGetTextDatum(receipt->remote_revoke)},
					  words == NULL ? "   n " : NULL);
	laras_destroy_slot(workspace_id, slot, LARAS_REASON_DISCONNECT, order);
	laras_spi_close();
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_CODE(LARAS_EVF_CHANNEL, receipt->channel),
			LARAS_EV_CODE(LARAS_EVF_PATH, trigger_name(trigger)),
			LARAS_EV_NUMBER(LARAS_EVF_COUNT, (int64) receipt->cancelled),
			LARAS_EV_CODE(LARAS_EVF_STATUS, receipt->remote_revoke),
		};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.action = LARAS_ACT_CONNECTION_DISCONNECTED,
			.subject_kind = LARAS_SUBJECT_CONNECTION,
			.subject_id = connection_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_actor(&act);
		if (trigger != LARAS_CUT_OWNER && trigger != LARAS_CUT_WORKSPACE_ERASURE)
		{
			act.actor_kind =
				trigger == LARAS_CUT_RESTORE ? LARAS_ACTOR_OPERATOR : LARAS_ACTOR_PROVIDER;
			act.actor_id = 0;
		}
		laras_evidence_append(&act);
	}
}

json_t *
laras_disconnect_receipt(int64 connection_id, const LarasDisconnectReceipt *r)
{
	char id[24];

	snprintf(id, sizeof(id), INT64_FORMAT, connection_id);
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:{s:i, s:i}, s:I, s:s*, s:s}", "connection_id", id,
					 "channel", r->channel, "state", "disconnected", "already", !r->was_connected,
					 "disconnected_at", timestamptz_to_str(r->disconnected_at), "removed", "tokens",
					 r->tokens, "routes", r->routes, "cancelled_messages",
					 (json_int_t) r->cancelled, "provider_told", r->remote_revoke, "key",
					 "destroyed");
}

/*
 * laras.disconnect(connection_id bigint, reason text) returns jsonb
 */
Datum
laras_disconnect_connection(PG_FUNCTION_ARGS)
{
	int64 connection_id;
	char *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	LarasDisconnectReceipt receipt;
	json_t *json;

	laras_refuse_null(fcinfo, 0);
	connection_id = PG_GETARG_INT64(0);
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	laras_disconnect(laras_bound_workspace(), connection_id, LARAS_CUT_OWNER, reason, NULL,
					 &receipt);
	if (!receipt.found)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such connection")));
	json = laras_json_own(laras_disconnect_receipt(connection_id, &receipt));
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(laras_json_text_of(json, NULL))));
}
