/*
 * settings.c
 *		The integrations page as JSON, and what its buttons do.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "gateway/gateway.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

LARAS_PLAN(
	read_tiles,
	"SELECT p.channel, p.display_name, c.id, c.state, c.display_name, c.profile, c.scopes, c.token_expires_at, "
	"c.auto_send, c.authorizer_known, c.disconnected_at, coalesce(c.health, ''), "
	"EXISTS (SELECT 1 FROM laras.provider_app a WHERE p.channel OPERATOR(pg_catalog.=) ANY (a.channels)) "
	"FROM laras.provider p LEFT JOIN LATERAL (SELECT x.* FROM laras.connection x "
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) $1 AND x.channel OPERATOR(pg_catalog.=) p.channel "
	"ORDER BY (x.state OPERATOR(pg_catalog.=) 'disconnected'), x.connected_at DESC, x.id LIMIT 20) c ON true "
	"ORDER BY p.channel, (c.state OPERATOR(pg_catalog.=) 'disconnected'), c.connected_at DESC, c.id",
	INT8OID);

LARAS_PLAN(auto_send, "SELECT laras.set_auto_send($1, $2)", INT8OID, BOOLOID);

/* the exact words of the page that describes the flow */
#define CANCELLED "Signup was cancelled before it finished"

static json_t *
revealed(uint64 row, int col, int64 connection_id, uint16 field)
{
	bytea *value = laras_spi_bytes(row, col);
	char *text;
	size_t n;

	if (value == NULL ||
		laras_open(value, laras_bound_workspace(), connection_id, field, &text, &n) != LARAS_OPENED)
		return json_null();
	return json_stringn(text, n);
}

static json_t *
connection_json(uint64 row)
{
	int64 id = laras_spi_int8(row, 3);
	char *state = laras_spi_cstring(row, 4);
	char number[24];
	bool cut = strcmp(state, "disconnected") == 0;

	snprintf(number, sizeof(number), INT64_FORMAT, id);
	return json_pack("{s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:s}", "id", number, "state", state,
					 "display_name",
					 cut ? json_null() : revealed(row, 5, id, LARAS_FIELD_connection_display_name),
					 "auto_send", laras_spi_bool(row, 9), "authorizer_known",
					 laras_spi_bool(row, 10), "token_expires_at",
					 laras_json_time(laras_spi_time(row, 8)), "disconnected_at",
					 laras_json_time(laras_spi_time(row, 11)), "health",
					 cut ? "disconnected"
					 : strcmp(state, "connected") == 0 &&
							 strcmp(laras_spi_cstring(row, 12), "unsubscribed") != 0
						 ? "ok"
						 : "needs_attention");
}

void
laras_http_integrations(LarasHttp *h)
{
	json_t *tiles = laras_json_own(json_array());
	json_t *tile = NULL;
	char *last = NULL;
	uint64 found;

	laras_spi_open();
	found = laras_spi_read(&read_tiles, (Datum[]){Int64GetDatum(laras_bound_workspace())}, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		char *channel = laras_spi_cstring(i, 1);

		if (last == NULL || strcmp(last, channel) != 0)
		{
			const LarasChannelDriver *driver = laras_channel_driver(channel);

			tile =
				json_pack("{s:s, s:s, s:s, s:b, s:[]}", "channel", channel, "name",
						  laras_spi_cstring(i, 2), "state", "not_connected", "can_connect",
						  driver != NULL && driver->connect->login != NULL && laras_spi_bool(i, 13),
						  "connections");
			json_array_append_new(tiles, tile);
			last = channel;
		}
		if (!laras_spi_isnull(i, 3))
		{
			char *state = laras_spi_cstring(i, 4);

			if (strcmp(state, "disconnected") != 0 &&
				laras_text_is(laras_json_text_at(tile, "state"), "not_connected"))
				json_object_set_new(tile, "state", json_string(state));
			json_array_append_new(json_object_get(tile, "connections"), connection_json(i));
		}
	}
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O}", "integrations", tiles));
}

void
laras_http_disconnect(LarasHttp *h)
{
	int64 id;
	LarasDisconnectReceipt receipt;
	LarasText reason = laras_json_text_at(h->document, "reason");

	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (!laras_http_id(h->capture[0], &id))
	{
		laras_http_error(h, 404, "not_found", "no such connection");
		return;
	}
	laras_disconnect(laras_bound_workspace(), id, LARAS_CUT_OWNER, reason.s, NULL, &receipt);
	if (!receipt.found)
		laras_http_error(h, 404, "not_found", "no such connection");
	else
		laras_http_json(h, 200, laras_disconnect_receipt(id, &receipt));
}

void
laras_http_auto_send(LarasHttp *h)
{
	json_t *enabled = laras_json_get(h->document, "enabled");
	int64 id;

	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (!laras_http_id(h->capture[0], &id))
	{
		laras_http_error(h, 404, "not_found", "no such connection");
		return;
	}
	if (!json_is_boolean(enabled))
	{
		laras_http_error(h, 422, "incomplete", "enabled must be true or false");
		return;
	}
	laras_spi_open();
	laras_spi_run(&auto_send, (Datum[]){Int64GetDatum(id), BoolGetDatum(json_is_true(enabled))},
				  NULL);
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O}", "auto_send", enabled));
}

void
laras_http_webhook_secret(LarasHttp *h)
{
	int64 id;

	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (!laras_http_id(h->capture[0], &id))
		laras_http_error(h, 404, "not_found", "no such connection");
	else
		laras_http_json(h, 200, laras_webhook_secret(id));
}

/* The channel of a path /api/SEGMENT/...; the route table has none without a driver. */
static const LarasChannelDriver *
driver_of(const LarasHttp *h)
{
	const char *segment = h->path.s + strlen("/api/");
	const char *end = memchr(segment, '/', h->path.n - strlen("/api/"));
	const LarasChannelDriver *driver =
		end == NULL ? NULL : laras_channel_by_segment(segment, end - segment);

	if (driver == NULL)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a route names no channel")));
	return driver;
}

void
laras_http_begin_connect(LarasHttp *h)
{
	laras_require_scope(LARAS_SCOPE_CONNECT);
	laras_vault_require_open();
	laras_http_json(h, 200, laras_attempt_begin(driver_of(h)));
}

static void
attempt_error(LarasHttp *h, LarasAttemptState state)
{
	switch (state)
	{
		case LARAS_ATTEMPT_UNKNOWN:
			laras_http_error(h, 404, "unknown_attempt",
							 "no such attempt; launch it again from Integrations");
			break;
		case LARAS_ATTEMPT_EXPIRED:
			laras_http_error(h, 410, "expired_attempt",
							 "the attempt has expired; launch it again from Integrations");
			laras_http_add_header(h, "location", "/app/settings/integrations");
			break;
		case LARAS_ATTEMPT_CONNECTED:
			laras_http_error(h, 409, "already_connected",
							 "the attempt connected an account; to end that, disconnect it");
			break;
		case LARAS_ATTEMPT_CANCELLED:
			laras_http_error(h, 409, "used_attempt",
							 "the attempt was cancelled; launch it again from Integrations");
			break;
		case LARAS_ATTEMPT_SUPERSEDED:
			laras_http_error(h, 409, "used_attempt", "a newer launch has replaced the attempt");
			break;
		default:
			laras_http_error(h, 409, "used_attempt",
							 "the attempt is being finished, or failed; Integrations shows which");
	}
}

/*
 * The accounts that a log-in in the browser names, by the driver's members;
 * NULL where one is missing.
 */
static json_t *
named_accounts(const LarasChannelDriver *driver, const json_t *session)
{
	json_t *accounts = laras_json_own(laras_json_object());

	for (const LarasAccountName *name = driver->connect->accounts; name->member != NULL; name++)
	{
		LarasText id = laras_json_text_at(session, name->member);

		if (id.s == NULL || id.n == 0 || id.n > 32 || strspn(id.s, "0123456789") != id.n)
			return NULL;
		json_object_set(accounts, name->member, laras_json_get(session, name->member));
	}
	return accounts;
}

/*
 * Given up, for good. Also of an attempt that had expired or was cancelled before:
 * none of these finished.
 */
static void
cancel(LarasHttp *h, LarasText state)
{
	LarasAttemptState found = laras_attempt_cancel(driver_of(h), state);

	if (found == LARAS_ATTEMPT_OPEN || found == LARAS_ATTEMPT_EXPIRED ||
		found == LARAS_ATTEMPT_CANCELLED)
		laras_http_outcome(h, 200, "cancelled", CANCELLED);
	else
		attempt_error(h, found);
}

/* The courier goes on; the relay asks again with this ticket. */
static void
wait_for_courier(LarasHttp *h, const uint8 ticket[32])
{
	h->status = 102;
	h->answer = MemoryContextAlloc(h->memory, LARAS_TICKET_BYTES);
	for (int i = 0; i < 8; i++)
		h->answer[i] = (char) ((uint64) laras_bound_workspace() >> (56 - 8 * i));
	memcpy(h->answer + 8, ticket, 32);
	h->answer[8 + 32] = h->page ? 1 : 0;
	h->answer_n = LARAS_TICKET_BYTES;
}

void
laras_http_finish_connect(LarasHttp *h)
{
	json_t *body = h->document;
	json_t *session = laras_json_get(body, "session_info");
	LarasText state = laras_json_text_at(body, "state");
	LarasText code = laras_json_text_at(body, "code");
	const LarasChannelDriver *driver = driver_of(h);
	json_t *accounts;
	uint8 ticket[32];
	LarasAttemptState found;

	laras_require_scope(LARAS_SCOPE_CONNECT);
	accounts = named_accounts(driver, session ? session : body);
	if (code.s == NULL || code.n == 0 || code.n > 1024 || accounts == NULL)
	{
		laras_http_error(h, 422, "incomplete",
						 "the code and the ids of the account are all needed");
		return;
	}
	laras_vault_require_open();
	found = laras_attempt_finish(driver, state, code, accounts, ticket);
	if (found != LARAS_ATTEMPT_OPEN)
	{
		attempt_error(h, found);
		return;
	}
	wait_for_courier(h, ticket);
}

void
laras_http_connect_by_token(LarasHttp *h)
{
	const LarasChannelDriver *driver = driver_of(h);
	json_t *body = h->document;
	LarasText token = laras_json_text_at(body, "token");
	json_t *named = laras_json_own(laras_json_object());
	LarasProviderApp app;
	uint8 ticket[32];

	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (token.s == NULL || token.n == 0 || token.n > LARAS_LONGEST_TOKEN)
	{
		laras_http_error(h, 422, "incomplete", "the token of the account is needed");
		return;
	}
	for (const LarasAccountName *name = driver->connect->accounts; name->member != NULL; name++)
		if (laras_json_text_at(body, name->member).s != NULL)
			json_object_set(named, name->member, laras_json_get(body, name->member));
	for (const char *const *asked = driver->connect->asked; asked != NULL && *asked != NULL;
		 asked++)
		if (laras_json_text_at(body, *asked).s != NULL)
			json_object_set(named, *asked, laras_json_get(body, *asked));
	laras_vault_require_open();
	if (!laras_provider_app(driver->channel, 0, false, &app))
	{
		laras_http_error(h, 409, "no_app", "the operator has registered no app for this channel");
		return;
	}
	laras_attempt_by_token(driver, &app, named, token, ticket);
	wait_for_courier(h, ticket);
}

/*
 * The provider sends the browser back here: with a code, or with an error where
 * the person did not consent. That it was this session which began is what the
 * state proves.
 */
void
laras_http_connect_callback(LarasHttp *h)
{
	const LarasChannelDriver *driver = driver_of(h);
	LarasText state = laras_http_parameter(h->query, "state");
	LarasText code = laras_http_parameter(h->query, "code");
	uint8 ticket[32];
	LarasAttemptState found;

	laras_require_scope(LARAS_SCOPE_CONNECT);
	if (code.s == NULL && laras_http_parameter(h->query, "error").s != NULL)
	{
		cancel(h, state);
		return;
	}
	/* Instagram appends it to every code */
	if (code.n >= 2 && memcmp(code.s + code.n - 2, "#_", 2) == 0)
		code.n -= 2;
	if (code.s == NULL || code.n == 0 || code.n > 1024)
	{
		laras_http_error(h, 422, "incomplete", "the code is needed");
		return;
	}
	laras_vault_require_open();
	found = laras_attempt_finish(driver, state, code, laras_json_own(laras_json_object()), ticket);
	if (found != LARAS_ATTEMPT_OPEN)
		attempt_error(h, found);
	else
		wait_for_courier(h, ticket);
}

void
laras_http_cancel_connect(LarasHttp *h)
{
	LarasText state = laras_json_text_at(h->document, "state");

	laras_require_scope(LARAS_SCOPE_CONNECT);
	cancel(h, state);
}
