/*
 * revoke.c
 *		Telling the provider that a connection was cut, with the token that has
 *		just been destroyed here.
 *
 * Not a task row: the token exists in the hand-off alone. What came of it is
 * written to the tombstone; a courier that dies meanwhile leaves `pending`,
 * which the next run turns into `not_told`.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "connect/revoke.h"
#include "courier/carry.h"
#include "courier/courier.h"
#include "courier/egress.h"
#include "courier/handoff.h"
#include "courier/task.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"

LARAS_PLAN(
	record_told,
	"UPDATE laras.connection SET remote_revoke = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND remote_revoke OPERATOR(pg_catalog.=) 'pending' RETURNING id",
	INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	give_up_pending,
	"UPDATE laras.connection SET remote_revoke = 'not_told' "
	"WHERE remote_revoke OPERATOR(pg_catalog.=) 'pending' AND state OPERATOR(pg_catalog.=) 'disconnected'",
	INT4OID);

LARAS_PLAN(
	log_call,
	"INSERT INTO laras.outbound_call (workspace_id, id, connection_id, purpose, host, started_at) "
	"VALUES ($1, $2, $3, 'unsubscribe', $4, laras.now())",
	INT8OID, INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	log_end,
	"UPDATE laras.outbound_call SET http_status = $3, curl_code = $4, finished_at = laras.now() "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, INT4OID, INT4OID);

typedef struct RevokeFlight
{
	LarasFlightKind kind; /* first, as in LarasFlight */
	int64 workspace_id;
	int64 connection_id;
	int64 call_id;
} RevokeFlight;

static void
record(int64 workspace_id, int64 connection_id, const char *result)
{
	bool changed;

	laras_spi_open();
	changed = laras_spi_run(&record_told,
							(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
									  CStringGetTextDatum(result)},
							NULL) > 0;
	laras_spi_close();
	if (changed)
	{
		LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_STATUS, result)};
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.action =
				strcmp(result, "done") == 0 ? LARAS_ACT_PROVIDER_TOLD : LARAS_ACT_PROVIDER_NOT_TOLD,
			.actor_kind = LARAS_ACTOR_WORKER,
			.subject_kind = LARAS_SUBJECT_CONNECTION,
			.subject_id = connection_id,
			.nfields = lengthof(fields),
			.fields = fields,
		};

		laras_evidence_append(&act);
	}
}

/* What ends the subscription; false where the channel has no such call. */
static bool
build_request(const LarasHandoff *handoff, const LarasProviderApp *app,
			  LarasProviderRequest *request)
{
	const LarasChannelDriver *driver = laras_channel_driver(handoff->channel);
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasAccountRequest about = {.base_url = app->graph_url,
								 .api_version = app->api_version,
								 .account = {handoff->account, handoff->account_n}};

	return driver != NULL && driver->connect->build_unsubscribe != NULL &&
		   driver->connect->build_unsubscribe(&about, &allocator, request);
}

int
laras_revoke_dispatch(void)
{
	LarasHandoff handoff;
	int begun = 0;

	while (laras_handoff_take(&handoff))
	{
		RevokeFlight *flight = laras_http_memory(sizeof(RevokeFlight));
		LarasProviderApp app;
		char *token = NULL;
		size_t token_n = 0;
		LarasProviderRequest request = {NULL};
		bytea *sealed;

		laras_worker_begin("telling a provider");
		laras_worker_bind_all();
		laras_egress_refresh();
		sealed = palloc(VARHDRSZ + handoff.token_n);
		SET_VARSIZE(sealed, VARHDRSZ + handoff.token_n);
		memcpy(VARDATA(sealed), handoff.token, handoff.token_n);
		if (flight != NULL && laras_provider_app(handoff.channel, handoff.app_id, false, &app) &&
			build_request(&handoff, &app, &request) &&
			laras_open_token_from_copy(sealed, handoff.workspace_id, handoff.connection_id,
									   LARAS_FIELD_channel_token_token, handoff.slot_copy, &token,
									   &token_n))
		{
			flight->kind = LARAS_FLIGHT_REVOKE;
			flight->workspace_id = handoff.workspace_id;
			flight->connection_id = handoff.connection_id;
			flight->call_id = laras_new_id();
			laras_spi_open();
			laras_spi_run_one(&log_call,
							  (Datum[]){Int64GetDatum(flight->workspace_id),
										Int64GetDatum(flight->call_id),
										Int64GetDatum(flight->connection_id),
										CStringGetTextDatum(laras_host_of(request.url.s))},
							  NULL);
			laras_spi_close();
			/* the request may begin now: what it does does not depend on this commit */
			if (laras_http_start(request.method, request.url.s, request.url.n, request.type,
								 request.body.s, request.body.n, token, token_n, request.token_at,
								 flight) != NULL)
			{
				begun++;
				flight = NULL;
			}
			laras_wipe(token, token_n);
		}
		if (flight != NULL)
			record(handoff.workspace_id, handoff.connection_id, "not_told");
		laras_http_give_back(flight, sizeof(RevokeFlight));
		laras_wipe(&handoff, sizeof(handoff));
		laras_worker_commit();
	}
	return begun;
}

void
laras_revoke_answered(void *owner, LarasHttpCall *call)
{
	RevokeFlight *flight = owner;
	bool told = call->end == LARAS_HTTP_ANSWERED && call->http_status == 200;

	laras_worker_begin("recording that a provider was told");
	laras_worker_bind_all();
	laras_spi_open();
	laras_spi_run(&log_end,
				  (Datum[]){Int64GetDatum(flight->workspace_id), Int64GetDatum(flight->call_id),
							Int32GetDatum(call->http_status), Int32GetDatum(call->curl_code)},
				  NULL);
	laras_spi_close();
	record(flight->workspace_id, flight->connection_id, told ? "done" : "failed");
	laras_worker_commit();
	laras_http_free(call);
	laras_http_give_back(flight, sizeof(RevokeFlight));
}

void
laras_revoke_sweep(void)
{
	laras_worker_begin("settling revocations that an earlier run left");
	laras_worker_bind_all();
	laras_spi_open();
	laras_spi_run(&give_up_pending, (Datum[]){Int32GetDatum(0)}, NULL);
	laras_spi_close();
	laras_worker_commit();
}
