/*
 * laras_test.c
 *		What tests need of laras's C interface and SQL must not have: sealing,
 *		leasing, destroying. Built for tests, never installed by `make install`.
 *
 * The functions are superuser's: the extension grants nobody anything.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "answer/ground.h"
#include "base/json_owner.h"
#include "channel/channel.h"
#include "channel/send.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(laras_test_lease);
PG_FUNCTION_INFO_V1(laras_test_key_owner_add);
PG_FUNCTION_INFO_V1(laras_test_seal);
PG_FUNCTION_INFO_V1(laras_test_seal_token);
PG_FUNCTION_INFO_V1(laras_test_open);
PG_FUNCTION_INFO_V1(laras_test_open_token);
PG_FUNCTION_INFO_V1(laras_test_destroy);
PG_FUNCTION_INFO_V1(laras_test_time_slot);
PG_FUNCTION_INFO_V1(laras_test_blind_index);
PG_FUNCTION_INFO_V1(laras_test_hash);
PG_FUNCTION_INFO_V1(laras_test_callback_mac);
PG_FUNCTION_INFO_V1(laras_test_evidence_salt);
PG_FUNCTION_INFO_V1(laras_test_bind);
PG_FUNCTION_INFO_V1(laras_test_ground);
PG_FUNCTION_INFO_V1(laras_test_read_answer);

static bytea *
bytes(const void *p, size_t n)
{
	bytea *result = palloc(VARHDRSZ + n);

	SET_VARSIZE(result, VARHDRSZ + n);
	memcpy(VARDATA(result), p, n);
	return result;
}

Datum
laras_test_bind(PG_FUNCTION_ARGS)
{
	LarasPrincipal service = {.kind = LARAS_PRINCIPAL_SERVICE, .scopes = LARAS_SCOPE_ALL};

	laras_bind(PG_GETARG_INT64(0), &service);
	PG_RETURN_VOID();
}

Datum
laras_test_lease(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) laras_slot_lease());
}

Datum
laras_test_key_owner_add(PG_FUNCTION_ARGS)
{
	laras_key_owner_add(PG_GETARG_INT64(0), (uint32) PG_GETARG_INT64(1),
						text_to_cstring(PG_GETARG_TEXT_PP(2)), PG_GETARG_INT64(3));
	PG_RETURN_VOID();
}

Datum
laras_test_seal(PG_FUNCTION_ARGS)
{
	bytea *plain = PG_GETARG_BYTEA_PP(5);

	PG_RETURN_BYTEA_P(laras_seal((uint32) PG_GETARG_INT64(0), (uint32) PG_GETARG_INT64(1),
								 (uint16) PG_GETARG_INT32(2), PG_GETARG_INT64(3),
								 PG_GETARG_INT64(4), VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain)));
}

Datum
laras_test_seal_token(PG_FUNCTION_ARGS)
{
	bytea *plain = PG_GETARG_BYTEA_PP(5);

	PG_RETURN_BYTEA_P(laras_seal_token((uint32) PG_GETARG_INT64(0), (uint32) PG_GETARG_INT64(1),
									   (uint16) PG_GETARG_INT32(2), PG_GETARG_INT64(3),
									   PG_GETARG_INT64(4), VARDATA_ANY(plain),
									   VARSIZE_ANY_EXHDR(plain)));
}

Datum
laras_test_open(PG_FUNCTION_ARGS)
{
	char *out;
	size_t n;

	if (laras_open((const bytea *) PG_GETARG_POINTER(0), PG_GETARG_INT64(1), PG_GETARG_INT64(2),
				   (uint16) PG_GETARG_INT32(3), &out, &n) == LARAS_OPEN_DESTROYED)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(bytes(out, n));
}

/* Plays the courier in this session. */
Datum
laras_test_open_token(PG_FUNCTION_ARGS)
{
	char *out;
	size_t n;

	if (PG_GETARG_BOOL(4))
		(void) laras_courier_unlock();
	if (laras_open_token((const bytea *) PG_GETARG_POINTER(0), PG_GETARG_INT64(1),
						 PG_GETARG_INT64(2), (uint16) PG_GETARG_INT32(3), &out,
						 &n) == LARAS_OPEN_DESTROYED)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(bytes(out, n));
}

Datum
laras_test_destroy(PG_FUNCTION_ARGS)
{
	bytea *order = PG_ARGISNULL(3) ? NULL : PG_GETARG_BYTEA_PP(3);

	if (order != NULL && VARSIZE_ANY_EXHDR(order) != 16)
		elog(ERROR, "an order has 16 bytes");
	laras_destroy_slot(PG_GETARG_INT64(0), (uint32) PG_GETARG_INT64(1),
					   (LarasDestroyReason) PG_GETARG_INT32(2),
					   order == NULL ? NULL : (const uint8 *) VARDATA_ANY(order));
	PG_RETURN_VOID();
}

Datum
laras_test_time_slot(PG_FUNCTION_ARGS)
{
	char *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_INT64((int64) laras_time_slot(strcmp(kind, "week") == 0 ? LARAS_TIME_SLOT_WEEK
																	  : LARAS_TIME_SLOT_HOUR,
											PG_GETARG_TIMESTAMPTZ(1)));
}

Datum
laras_test_blind_index(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(3);

	PG_RETURN_BYTEA_P(
		laras_index_bytea((uint32) PG_GETARG_INT64(0), (uint8) PG_GETARG_INT32(1),
						  PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
						  VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

/* use: route, login, authorizer, or optout of workspace slot w */
Datum
laras_test_hash(PG_FUNCTION_ARGS)
{
	char *use = text_to_cstring(PG_GETARG_TEXT_PP(0));
	uint8 kind = (uint8) PG_GETARG_INT32(2);
	char *channel = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	text *value = PG_GETARG_TEXT_PP(4);
	const char *p = VARDATA_ANY(value);
	size_t n = VARSIZE_ANY_EXHDR(value);

	if (strcmp(use, "route") == 0)
		PG_RETURN_BYTEA_P(laras_route_bytea(kind, channel, p, n));
	if (strcmp(use, "login") == 0)
		PG_RETURN_BYTEA_P(laras_login_bytea(kind, channel, p, n));
	if (strcmp(use, "authorizer") == 0)
		PG_RETURN_BYTEA_P(laras_authorizer_bytea(kind, channel, p, n));
	PG_RETURN_BYTEA_P(laras_optout_bytea((uint32) PG_GETARG_INT64(1), kind, channel, p, n));
}

Datum
laras_test_callback_mac(PG_FUNCTION_ARGS)
{
	bytea *data = PG_GETARG_BYTEA_PP(1);
	uint8 mac[32];

	laras_callback_mac((uint32) PG_GETARG_INT64(0), VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data),
					   mac);
	PG_RETURN_BYTEA_P(bytes(mac, sizeof(mac)));
}

Datum
laras_test_evidence_salt(PG_FUNCTION_ARGS)
{
	uint8 salt[32];

	laras_evidence_salt((uint32) PG_GETARG_INT64(0), (uint32) PG_GETARG_INT64(1),
						PG_GETARG_INT64(2), (uint16) PG_GETARG_INT32(3), salt);
	PG_RETURN_BYTEA_P(bytes(salt, sizeof(salt)));
}

/* ground(text, facts text, price text, currency text, stock text): reasons, or an empty string */
Datum
laras_test_ground(PG_FUNCTION_ARGS)
{
	text *said = PG_GETARG_TEXT_PP(0);
	LarasFact fact = {
		.text = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1)),
		.price = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
		.currency = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)),
		.stock = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4)),
	};
	const char *reasons[LARAS_GROUND_REASONS];
	int n = laras_ground(VARDATA_ANY(said), VARSIZE_ANY_EXHDR(said), &fact, 1, reasons);
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < n; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? "," : "", reasons[i]);
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* read_answer(channel text, status int, body text): what the channel's driver takes an answer to a send for */
Datum
laras_test_read_answer(PG_FUNCTION_ARGS)
{
	static const char *const words[] = {
		[LARAS_ANSWER_SENT] = "sent",           [LARAS_ANSWER_RETRY] = "retry",
		[LARAS_ANSWER_THROTTLED] = "throttled", [LARAS_ANSWER_REFUSED] = "refused",
		[LARAS_ANSWER_WINDOW] = "window",       [LARAS_ANSWER_ACCOUNT] = "account",
		[LARAS_ANSWER_UNCERTAIN] = "uncertain",
	};
	const LarasChannelDriver *driver = laras_channel_driver(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	text *body = PG_GETARG_TEXT_PP(2);
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasSendAnswer answer = {.answer = LARAS_ANSWER_UNCERTAIN};

	if (driver == NULL || driver->send == NULL)
		PG_RETURN_NULL();
	driver->send->read_answer(PG_GETARG_INT32(1), VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body),
							  &allocator, &answer);
	PG_RETURN_TEXT_P(cstring_to_text(words[answer.answer]));
}
