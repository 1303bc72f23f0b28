/*
 * presence.c
 *		Read marks and typing indicators: tasks of the courier that keep nobody
 *		waiting.
 *
 * They are begun when no message leaves in the same turn, a few at a time, once,
 * and only while they still say something. Their rows go with them.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/presence.h"
#include "connect/connect.h"
#include "connect/reach.h"
#include "courier/presence.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_set_presence);
PG_FUNCTION_INFO_V1(laras_show_presence);

/* later, a mark says what is no longer so */
#define LONGEST_MS 20000

LARAS_PLAN(
	set_presence,
	"UPDATE laras.connection c SET presence = $3 WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.<>) 'disconnected'",
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	find_conversation,
	"SELECT v.connection_id, c.presence, c.channel, c.state OPERATOR(pg_catalog.=) 'connected' "
	"AND v.surface OPERATOR(pg_catalog.=) 'message' AND laras.processes(v.workspace_id, c.channel, 'service') "
	"FROM laras.conversation v JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) v.connection_id WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND v.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* the person, and the last that they wrote, while the task is young */
LARAS_PLAN(
	read_person,
	"SELECT m.id, m.provider_message_id, i.id, i.kind, i.value, v.last_inbound_at FROM laras.courier_task t "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $3 "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) $1 AND p.id OPERATOR(pg_catalog.=) v.contact_id "
	"CROSS JOIN LATERAL (SELECT x.id, x.provider_message_id FROM laras.message x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.conversation_id OPERATOR(pg_catalog.=) $3 "
	"AND x.direction OPERATOR(pg_catalog.=) 'in' AND x.provider_message_id IS NOT NULL "
	"ORDER BY CASE WHEN x.provider_timestamp IS NULL THEN x.created_at ELSE x.provider_timestamp END DESC, x.id DESC LIMIT 1) m "
	"CROSS JOIN LATERAL (SELECT y.id, y.kind, y.value FROM laras.contact_identity y "
	"WHERE y.workspace_id OPERATOR(pg_catalog.=) $1 AND y.contact_id OPERATOR(pg_catalog.=) p.id "
	"AND y.channel OPERATOR(pg_catalog.=) v.channel ORDER BY y.kind, y.id LIMIT 1) i "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2 "
	"AND p.state OPERATOR(pg_catalog.=) 'active' AND t.created_at OPERATOR(pg_catalog.>) "
	"(laras.now() OPERATOR(pg_catalog.-) ($4 OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval))",
	INT8OID, INT8OID, INT8OID, FLOAT8OID);

/* what is carried from one request to the next */
typedef struct Memory
{
	LarasReachToken token;
	unsigned left; /* of LARAS_SHOWS_... */
} Memory;

bool
laras_presence_show(int64 workspace_id, int64 conversation_id, bool typing)
{
	int64 connection_id = 0;
	unsigned what = 0;

	laras_spi_open();
	if (laras_spi_run(&find_conversation,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(conversation_id)},
					  NULL) == 1 &&
		laras_spi_bool(0, 4))
	{
		const char *presence = laras_spi_cstring(0, 2);
		const LarasChannelDriver *driver = laras_channel_driver(laras_spi_cstring(0, 3));

		connection_id = laras_spi_int8(0, 1);
		if (strcmp(presence, "off") != 0 && driver != NULL && driver->send != NULL)
			what = driver->send->shows &
				   (LARAS_SHOWS_READ |
					(typing && strcmp(presence, "typing") == 0 ? LARAS_SHOWS_TYPING : 0));
	}
	laras_spi_close();
	if (what == 0)
		return false;
	laras_task_add(workspace_id, LARAS_PRESENCE_TASK, connection_id, 0,
				   laras_json_own(json_pack("{s:I, s:i}", "conversation",
											(json_int_t) conversation_id, "what", (int) what)),
				   NULL);
	return true;
}

/* The next request; ends the task where there is nothing (more) to be shown. */
static LarasTaskNext
show(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	Memory *m = task->memory;
	LarasProviderRequest made = {0};
	LarasSendText send = {0};
	LarasReach reach;
	LarasOpen message;
	LarasOpen person;
	bytea *sealed_message;
	bytea *sealed_address;
	int64 message_id;
	int64 identity_id;
	TimestampTz last_inbound;
	unsigned shown;
	char *id;
	char *address;

	if (!laras_reach(task, &m->token, &reach) || reach.driver->send == NULL ||
		reach.driver->send->build_presence == NULL)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	laras_spi_open();
	if (laras_spi_run(&read_person,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->id),
								Int64GetDatum(laras_task_id(task, "conversation")),
								Float8GetDatum(LONGEST_MS)},
					  NULL) != 1)
	{
		laras_spi_close();
		return laras_task_ends(result, LARAS_TASK_DONE, "late");
	}
	message_id = laras_spi_int8(0, 1);
	sealed_message = (bytea *) laras_spi_varlena(0, 2);
	identity_id = laras_spi_int8(0, 3);
	send.to.kind = (uint8) laras_spi_int2(0, 4);
	sealed_address = (bytea *) laras_spi_varlena(0, 5);
	last_inbound = laras_spi_time(0, 6);
	laras_spi_close();
	message = laras_try_open(sealed_message, task->workspace_id, message_id,
							 LARAS_FIELD_message_provider_message_id, &id, &send.answers.n);
	person = laras_try_open(sealed_address, task->workspace_id, identity_id,
							LARAS_FIELD_contact_identity_value, &address, &send.to.value.n);
	if (message != LARAS_OPENED || person != LARAS_OPENED)
		return laras_task_ends(result, LARAS_TASK_DONE, "erased");
	laras_window_refresh();
	if (laras_window(reach.driver->channel, LARAS_WINDOW_REPLY, last_inbound, 0, laras_now())
			.state != LARAS_WINDOW_OPEN)
		return laras_task_ends(result, LARAS_TASK_DONE, "window_closed");
	send.answers.s = id;
	send.to.value.s = address;
	send.base_url = reach.about.base_url;
	send.api_version = reach.about.api_version;
	send.account = reach.number;
	shown = reach.driver->send->build_presence(&send, m->left, &allocator, &made);
	if (shown == 0)
		return laras_task_ends(result, LARAS_TASK_FAILED, "no_address");
	m->left &= ~shown;
	return laras_reach_ask(&made, &m->token, LARAS_PRESENCE_TASK, request);
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	int64_t what = 0;

	laras_json_integer(laras_json_get(task->request, "what"), &what);
	((Memory *) task->memory)->left = (unsigned) what;
	return show(task, request, result);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	if (answer->end != LARAS_HTTP_ANSWERED || answer->http_status != 200)
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_shown");
	if (((Memory *) task->memory)->left == 0)
		return laras_task_ends(result, LARAS_TASK_DONE, "shown");
	return show(task, request, result);
}

const LarasTaskKind laras_presence_task = {
	.name = LARAS_PRESENCE_TASK,
	.memory_size = sizeof(Memory),
	.fleeting = true,
	.first = first,
	.answered = answered,
};

/*
 * laras.show_presence(conversation_id bigint, typing boolean) returns boolean
 */
Datum
laras_show_presence(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	PG_RETURN_BOOL(
		laras_presence_show(laras_bound_workspace(), PG_GETARG_INT64(0), PG_GETARG_BOOL(1)));
}

/*
 * laras.set_presence(connection_id bigint, presence text) returns void
 */
Datum
laras_set_presence(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	char *presence = text_to_cstring(PG_GETARG_TEXT_PP(1));

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (strcmp(presence, "off") != 0 && strcmp(presence, "read") != 0 &&
		strcmp(presence, "typing") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("presence must be off, read or typing")));
	laras_connection_set(connection_id, &set_presence, CStringGetTextDatum(presence),
						 LARAS_ACT_PRESENCE_SET,
						 (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, presence));
	PG_RETURN_VOID();
}
