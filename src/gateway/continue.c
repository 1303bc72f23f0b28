/*
 * continue.c
 *		laras.http_continue: has the courier finished what a request waits for?
 *
 * The ticket names the workspace and proves itself: 32 random bytes whose hash
 * stands with the task. Nothing is changed here, and nothing of the task is
 * shown but its result.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "gateway/gateway.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_http_continue);

LARAS_PLAN(
	find_task,
	"SELECT t.state, t.http_status, t.result FROM laras.courier_task t "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.ticket_hash OPERATOR(pg_catalog.=) $2",
	INT8OID, BYTEAOID);

/* what the words of a task mean to a person */
static const struct
{
	const char *result;
	const char *text;
} texts[] = {
	{"connected", "the account is connected"},
	{"exchange_refused", "the provider did not accept the authorisation; launch it again"},
	{"bad_token", "that is no token of this provider"},
	{"permission_missing",
	 "a permission is missing that is needed to read and answer messages; launch it again and grant all"},
	{"account_not_eligible",
	 "that account cannot be connected: it is a personal one, or not yours to answer for"},
	{"several_accounts",
	 "more than one Page was granted; launch it again and choose the one to connect"},
	{"no_public_url", "the operator has not said under which address this server is reached"},
	{"token_not_for_account", "the authorisation does not reach that account"},
	{"bad_address", "the address cannot be used"},
	{"unknown_server", "the operator has not listed that mail server"},
	{"credentials_refused", "the mail server does not take that user and password"},
	{"server_unreachable", "the mail server could not be reached, or offers no TLS"},
	{"provider_unreachable", "the provider could not be reached, or has a fault; try again later"},
	{"number_not_of_account", "that WhatsApp account does not hold the number"},
	{"account_in_use_here",
	 "this workspace has connected the account already; to have other permissions granted, disconnect it and connect it again: "
	 "customers' next messages open new conversations"},
	{"account_in_use",
	 "the account is connected already; disconnect it where it is connected, then connect it here"},
	{"subscribe_refused",
	 "the provider did not subscribe us to the account; nothing was connected"},
	{"superseded", "a newer launch has replaced this one"},
	{"interrupted", "the connection was interrupted; launch it again"},
	{"cancelled", "the connection was cancelled"},
};

static const char *
text_of(const char *result)
{
	for (int i = 0; i < (int) lengthof(texts); i++)
		if (strcmp(texts[i].result, result) == 0)
			return texts[i].text;
	return "the account could not be connected";
}

Datum
laras_http_continue(PG_FUNCTION_ARGS)
{
	bytea *ticket = PG_GETARG_BYTEA_PP(0);
	LarasHttp h;
	LarasPrincipal who = {.kind = LARAS_PRINCIPAL_SERVICE};
	LarasPiece piece;
	uint64 workspace = 0;
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);
	int level;
	bool found;

	laras_require_preload();
	memset(&h, 0, sizeof(h));
	h.memory = CurrentMemoryContext;
	if (VARSIZE_ANY_EXHDR(ticket) != LARAS_TICKET_BYTES)
	{
		laras_http_error(&h, 404, "not_found", "no such ticket");
		return laras_http_answer(fcinfo, &h);
	}
	h.page = VARDATA_ANY(ticket)[LARAS_TICKET_BYTES - 1] != 0;
	for (int i = 0; i < 8; i++)
		workspace = workspace << 8 | (uint8) VARDATA_ANY(ticket)[i];
	piece.p = VARDATA_ANY(ticket) + 8;
	piece.n = 32;
	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a ticket")));
	level = laras_bind_scope_begin((int64) workspace, &who);
	laras_spi_open();
	found = laras_spi_read(&find_task,
						   (Datum[]){Int64GetDatum((int64) workspace), PointerGetDatum(hash)},
						   NULL) == 1;
	if (!found)
		laras_http_error(&h, 404, "not_found", "no such ticket");
	else
	{
		char *state = laras_spi_cstring(0, 1);

		if (strcmp(state, "queued") == 0 || strcmp(state, "claimed") == 0)
		{
			h.status = 102;
			h.answer_n = LARAS_TICKET_BYTES;
			h.answer = MemoryContextAlloc(h.memory, LARAS_TICKET_BYTES);
			memcpy(h.answer, VARDATA_ANY(ticket), LARAS_TICKET_BYTES);
		}
		else
		{
			int status = laras_spi_int4(0, 2);
			char *result = laras_spi_cstring(0, 3);

			laras_http_outcome(&h, status, result, text_of(result));
		}
	}
	laras_spi_close();
	laras_bind_scope_end(level);
	return laras_http_answer(fcinfo, &h);
}
