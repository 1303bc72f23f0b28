/*
 * reply.c
 *		laras.reply: a person's own words, judged, stored and queued in one
 *		transaction. The window and opt-out are decided at hand-off.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/courier.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_reply);

LARAS_PLAN(find_conversation,
		   "SELECT v.connection_id, v.contact_id, v.channel, p.slot, c.state, p.state "
		   "FROM laras.conversation v "
		   "JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
		   "AND p.id OPERATOR(pg_catalog.=) v.contact_id "
		   "JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
		   "AND c.id OPERATOR(pg_catalog.=) v.connection_id "
		   "WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $2 "
		   "FOR SHARE OF c FOR KEY SHARE OF p",
		   INT8OID, INT8OID);

/*
 * laras.reply(conversation_id bigint, body text, options jsonb) returns bigint
 *
 * Returns the id of the message.
 */
Datum
laras_reply(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 conversation_id = PG_GETARG_INT64(0);
	text *body = PG_GETARG_TEXT_PP(1);
	const LarasPrincipal *who;
	int64 workspace_id;
	int64 message_id;
	char *channel;
	char *state;
	char *contact_state;
	uint32 slot;
	LarasTextVerdict verdict;
	LarasOutboxRow row = {.kind = "text"};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	if (VARSIZE_ANY_EXHDR(body) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a reply must not be empty")));
	workspace_id = laras_bound_workspace();
	who = laras_principal();
	laras_spi_open();
	if (laras_spi_run(&find_conversation,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such conversation")));
	row.connection_id = laras_spi_int8(0, 1);
	row.contact_id = laras_spi_int8(0, 2);
	channel = laras_spi_cstring(0, 3);
	slot = (uint32) laras_spi_int8(0, 4);
	state = laras_spi_cstring(0, 5);
	contact_state = laras_spi_cstring(0, 6);
	if (strcmp(state, "disconnected") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the conversation's channel is disconnected"),
				 errhint("Connect the account again; the customer's next message opens a new "
						 "conversation.")));
	if (strcmp(contact_state, "active") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the contact is being erased or is restricted")));
	message_id = laras_new_id();
	laras_judge_text(workspace_id, channel, slot, message_id, row.contact_id, VARDATA_ANY(body),
					 VARSIZE_ANY_EXHDR(body), &verdict);
	if (verdict.outcome != LARAS_VERDICT_PASS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the reply was not let through"),
				 errdetail("The classifier gave the reason \"%s\".", verdict.reason)));
	laras_outbound_message(workspace_id, message_id, conversation_id, "text", VARDATA_ANY(body),
						   VARSIZE_ANY_EXHDR(body),
						   who->kind == LARAS_PRINCIPAL_MEMBER ? "member"
						   : who->kind == LARAS_PRINCIPAL_KEY  ? "key"
															   : "service",
						   who->id);
	row.conversation_id = conversation_id;
	row.message_id = message_id;
	row.verdict_id = verdict.id;
	memcpy(row.text_digest, verdict.digest, sizeof(row.text_digest));
	row.approved_by = laras_principal_text(who);
	laras_outbox_add(workspace_id, &row);
	laras_drafts_superseded(workspace_id, conversation_id);
	laras_spi_close();
	PG_RETURN_INT64(message_id);
}
