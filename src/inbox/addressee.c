/*
 * addressee.c
 *		Who is written to in a conversation, and whether anything may be.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/handling.h"
#include "inbox/addressee.h"
#include "tenancy/tenancy.h"

LARAS_PLAN(find_conversation,
		   "SELECT v.connection_id, v.contact_id, v.channel, p.slot, c.state, p.state, v.surface "
		   "FROM laras.conversation v "
		   "JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
		   "AND p.id OPERATOR(pg_catalog.=) v.contact_id "
		   "JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
		   "AND c.id OPERATOR(pg_catalog.=) v.connection_id "
		   "WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $2 "
		   "FOR SHARE OF c FOR KEY SHARE OF p",
		   INT8OID, INT8OID);

void
laras_addressee(int64 conversation_id, LarasAddressee *to)
{
	int64 workspace_id = laras_bound_workspace();

	if (laras_spi_run(&find_conversation,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such conversation")));
	to->connection_id = laras_spi_int8(0, 1);
	to->contact_id = laras_spi_int8(0, 2);
	to->channel = laras_spi_cstring(0, 3);
	to->slot = (uint32) laras_spi_int8(0, 4);
	to->in_public = strcmp(laras_spi_cstring(0, 7), "comment") == 0;
	if (strcmp(laras_spi_cstring(0, 5), "disconnected") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the conversation's channel is disconnected"),
				 errhint("Connect the account again; the customer's next message opens a new "
						 "conversation.")));
	if (strcmp(laras_spi_cstring(0, 6), "active") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the contact is being erased or is restricted")));
	laras_require_processing(workspace_id, to->channel, LARAS_PURPOSE_SERVICE);
}
