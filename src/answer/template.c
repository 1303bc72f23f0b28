/*
 * template.c
 *		laras.send_template: a template with its values, judged as the text that
 *		the person will read, stored and queued in one transaction.
 *
 * Whether it may leave is decided at hand-off (courier/templated.c). What is
 * refused here is what cannot become right by waiting.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "connect/template.h"
#include "courier/courier.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_send_template);

/* a template of another connection is none of this conversation */
LARAS_PLAN(
	find_conversation,
	"SELECT v.connection_id, v.contact_id, v.channel, p.slot, c.state, p.state, coalesce(t.category, ''), t.components, "
	"coalesce(t.name, ''), coalesce(t.language, '') FROM laras.conversation v "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) v.workspace_id AND p.id OPERATOR(pg_catalog.=) v.contact_id "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id AND c.id OPERATOR(pg_catalog.=) v.connection_id "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND t.connection_id OPERATOR(pg_catalog.=) v.connection_id AND t.id OPERATOR(pg_catalog.=) $3 "
	"WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $2 "
	"AND v.surface OPERATOR(pg_catalog.=) 'message' FOR SHARE OF c FOR KEY SHARE OF p",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(keep_values,
		   "UPDATE laras.message SET element = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, LARAS_SEALED);

void
laras_template_queue(int64 workspace_id, int64 conversation_id, int64 template_id,
					 const json_t *values, LarasTemplateMessage *as)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasOutboxRow row = {.kind = "template", .template_id = template_id};
	LarasTextVerdict verdict;
	LarasText text;
	const char *why = NULL;
	const char *purpose;
	char *channel;
	char *state;
	char *contact_state;
	char *category;
	char *written;
	json_t *components;
	json_t *element;
	size_t n;
	uint32 slot;
	bool isnull;
	Datum value;

	laras_spi_open();
	if (laras_spi_run(&find_conversation,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id),
								Int64GetDatum(template_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such conversation")));
	row.conversation_id = conversation_id;
	row.connection_id = laras_spi_int8(0, 1);
	row.contact_id = laras_spi_int8(0, 2);
	channel = laras_spi_cstring(0, 3);
	slot = (uint32) laras_spi_int8(0, 4);
	state = laras_spi_cstring(0, 5);
	contact_state = laras_spi_cstring(0, 6);
	category = laras_spi_cstring(0, 7);
	value = laras_spi_value(0, 8, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("no such template of the account that the conversation goes through")));
	written = DatumGetCString(DirectFunctionCall1(jsonb_out, value));
	components = laras_json_own(laras_json_parse(written, strlen(written), NULL));
	element = laras_json_own(json_pack("{s:{s:s, s:s, s:O}}", "template", "name",
									   laras_spi_cstring(0, 9), "language",
									   laras_spi_cstring(0, 10), "values", (json_t *) values));
	if (strcmp(state, "disconnected") == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the conversation's channel is disconnected")));
	if (strcmp(contact_state, "active") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the contact is being erased or is restricted")));
	purpose = as->purpose                          ? as->purpose
			  : strcmp(category, "marketing") == 0 ? LARAS_PURPOSE_SALES
												   : LARAS_PURPOSE_SERVICE;
	laras_require_processing(workspace_id, channel, purpose);
	text = laras_templates_of(channel)->fill(components, values, &allocator, &why);
	if (text.s == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the values do not fit the template: %s", why)));
	row.message_id = as->message_id != 0 ? as->message_id : laras_new_id();
	row.purpose = purpose;
	row.draft_id = as->draft_id;
	row.approved_by = as->approved_by;
	laras_judge_text(workspace_id,
					 &(LarasOutgoing){.channel = channel,
									  .contact_slot = slot,
									  .message_id = row.message_id,
									  .contact_id = row.contact_id,
									  .purpose = purpose,
									  .text = text.s,
									  .n = text.n},
					 &verdict);
	if (verdict.judgement.outcome != LARAS_VERDICT_PASS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the message was not let through"),
						errdetail("The classifier gave the reason %s.",
								  laras_reasons_quoted(&verdict.judgement))));
	row.verdict_id = verdict.id;
	memcpy(row.text_digest, verdict.digest, sizeof(row.text_digest));
	as->verdict_id = verdict.id;
	memcpy(as->digest, verdict.digest, sizeof(as->digest));
	laras_outbound_message(workspace_id, row.message_id, conversation_id, "template", text.s,
						   text.n, as->author_kind, as->author_id);
	written = laras_json_text_of(element, &n);
	laras_spi_run_one(&keep_values,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(row.message_id),
								PointerGetDatum(laras_seal(laras_workspace_slot(workspace_id), slot,
														   LARAS_FIELD_message_element,
														   workspace_id, row.message_id, written,
														   n))},
					  NULL);
	laras_outbox_add(workspace_id, &row);
	laras_spi_close();
}

/*
 * laras.send_template(conversation_id bigint, template_id bigint, parameters jsonb)
 *		returns bigint
 *
 * Returns the id of the message.
 */
Datum
laras_send_template(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *given = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(2)));
	const LarasPrincipal *who;
	LarasTemplateMessage as = {.message_id = laras_new_id()};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	who = laras_principal();
	as.approved_by = laras_principal_text(who);
	as.author_kind = who->kind == LARAS_PRINCIPAL_MEMBER ? "member"
					 : who->kind == LARAS_PRINCIPAL_KEY  ? "key"
														 : "service";
	as.author_id = who->id;
	laras_template_queue(laras_bound_workspace(), PG_GETARG_INT64(0), PG_GETARG_INT64(1),
						 laras_json_own(laras_json_parse(given, strlen(given), NULL)), &as);
	PG_RETURN_INT64(as.message_id);
}
