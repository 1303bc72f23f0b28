/*
 * request.c
 *		Accepting a request to erase.
 *
 * Acceptance is the erasure: the transaction that records the request unlinks
 * the subject and orders its keys destroyed; when it has committed nothing of
 * the subject opens any more. How much data there is does not matter. What can
 * fail happens before the commit; the rows follow by the keeper's batches.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "erasure/accept.h"
#include "erasure/plan.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "funcapi.h"
#include "inbox/lookup.h"
#include "inbox/phone.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_request_erasure);
PG_FUNCTION_INFO_V1(laras_explain_erasure);

LARAS_PLAN(lock_contact,
		   "SELECT c.state FROM laras.contact c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
		   INT8OID, INT8OID);

LARAS_PLAN(
	find_slots,
	"SELECT k.slot FROM laras.key_owner k WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND k.kind OPERATOR(pg_catalog.=) $2 AND k.owner_id OPERATOR(pg_catalog.=) $3 ORDER BY k.slot",
	INT8OID, TEXTOID, INT8OID);

LARAS_PLAN(find_connections,
		   "SELECT c.id FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.state OPERATOR(pg_catalog.<>) 'disconnected' ORDER BY c.id",
		   INT8OID);

LARAS_PLAN(
	find_request,
	"SELECT r.id FROM laras.erasure_request r WHERE r.request_digest OPERATOR(pg_catalog.=) $1",
	BYTEAOID);

LARAS_PLAN(
	find_authorized,
	"SELECT a.workspace_id, a.connection_id FROM laras.authorizer a "
	"WHERE a.authorizer_hash OPERATOR(pg_catalog.=) $1 AND a.provider_app_id OPERATOR(pg_catalog.=) $2 "
	"ORDER BY a.workspace_id, a.connection_id",
	BYTEAOID, INT8OID);

/* ----------------------------------------------------------------- subjects */

static int64
id_at(const json_t *subject, const char *key)
{
	int64_t id = 0;
	const json_t *value = laras_json_get(subject, key);

	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_string(value))
	{
		const char *s = json_string_value(value);
		char *end;

		errno = 0;
		id = strtoll(s, &end, 10);
		if (errno == 0 && *s != '\0' && *end == '\0')
			return id;
	}
	return 0;
}

/* The contact a subject names; 0: it names none. Inside SPI. */
static int64
contact_of(const json_t *subject)
{
	const json_t *identity = laras_json_get(subject, "identity");
	LarasText channel = laras_json_text_at(identity, "channel");
	LarasText value = laras_json_text_at(identity, "value");
	uint8 kind = laras_identity_kind(laras_json_text_at(identity, "kind"));
	LarasIdentityKey keys[LARAS_MOST_KEYS];
	LarasKnownContact *found;
	int n;

	if (identity == NULL)
		return id_at(subject, "contact_id");
	if (channel.s == NULL || value.s == NULL || kind == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an identity needs channel, kind and value"),
						errhint("Kinds are phone, wa_id, bsuid, igsid, psid, username, threads_id, "
								"telegram_id, email and external.")));
	n = laras_identity_keys(laras_bound_workspace(), kind, value, keys);
	n = laras_contacts_by_keys(laras_bound_workspace(), channel.s, keys, n, &found);
	/* what is no number may still be what a system called one: it is looked for first */
	if (n == 0 && (kind == LARAS_INDEX_PHONE || kind == LARAS_INDEX_WA_ID) &&
		!laras_phone_is_number(laras_bound_workspace(), value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("that is no phone number"),
						errhint("Write it with a plus sign and its country code, or as people of "
								"the workspace's region do.")));
	for (int i = 1; i < n; i++)
		if (found[i].contact_id != found[0].contact_id)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("more than one contact has the number"),
					 errhint("Name one by its contact_id: laras.contacts_by_phone() lists them.")));
	return n == 0 ? 0 : found[0].contact_id;
}

/* ------------------------------------------------------------------- scopes */

/*
 * A subject says exactly what its scope asks for: what would be passed over in
 * silence may be what the caller meant, and an erasure cannot be taken back.
 */
static void
check_subject(const char *scope, const json_t *subject)
{
	static const struct
	{
		const char *scope;
		const char *key;
		const char *or_key;
		const char *shape;
	} shapes[] = {
		{"contact", "contact_id", "identity",
		 "The subject of a contact is {\"contact_id\": \"...\"} or {\"identity\": {\"channel\": "
		 "\"...\", \"kind\": \"...\", \"value\": \"...\"}}."},
		{"connection", "connection_id", NULL,
		 "The subject of a connection is {\"connection_id\": \"...\"}."},
		{"workspace", NULL, NULL,
		 "The workspace is the one that is bound: its subject is {}, and nothing else."},
	};

	for (int i = 0; i < lengthof(shapes); i++)
	{
		const char *key = shapes[i].key;

		if (strcmp(scope, shapes[i].scope) != 0)
			continue;
		if (shapes[i].or_key != NULL && laras_json_get(subject, shapes[i].or_key) != NULL)
			key = shapes[i].or_key;
		if (json_is_object(subject) && json_object_size(subject) == (key != NULL ? 1 : 0) &&
			(key == NULL || (laras_json_get(subject, key) != NULL &&
							 (key == shapes[i].or_key || id_at(subject, key) != 0))))
			return;
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the subject does not fit the scope \"%s\"", shapes[i].scope),
						errhint("%s", shapes[i].shape)));
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("scope must be contact, connection or workspace")));
}

static void
erase_contact(LarasAcceptance *a, const json_t *subject)
{
	a->subject_id = contact_of(subject);
	if (!laras_erase_contact(a))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such contact")));
}

static void
erase_connection(LarasAcceptance *a, const json_t *subject)
{
	LarasDisconnectReceipt receipt;

	a->subject_id = id_at(subject, "connection_id");
	laras_disconnect(a->workspace_id, a->subject_id, LARAS_CUT_OWNER, NULL, a->order, &receipt);
	if (!receipt.found)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such connection")));
	a->connections = receipt.was_connected ? 1 : 0;
	a->slots = a->connections;
	a->state = "removed";
}

/*
 * laras.request_erasure(scope text, subject jsonb, options jsonb) returns text
 */
Datum
laras_request_erasure(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *scope = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *text = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(1)));
	json_t *subject;
	char code[LARAS_CODE_LENGTH + 1];
	LarasAcceptance a = {.path = "sql"};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ERASE);
	(void) laras_options_read(PG_GETARG_DATUM(2), NULL, 0);
	subject = laras_json_own(laras_json_parse(text, strlen(text), NULL));
	a.id = laras_new_id();
	a.workspace_id = laras_bound_workspace();
	a.requested_by = laras_principal_text(laras_principal());
	a.at = laras_now();
	laras_erasure_code(&a, code);
	check_subject(scope, subject);
	laras_spi_open();
	if (strcmp(scope, "contact") == 0)
	{
		a.scope = "contact";
		erase_contact(&a, subject);
	}
	else if (strcmp(scope, "connection") == 0)
	{
		a.scope = "connection";
		erase_connection(&a, subject);
	}
	else
	{
		a.scope = "workspace";
		laras_require_role(LARAS_ROLE_OWNER);
		laras_erase_workspace(&a);
	}
	laras_erasure_store(&a);
	laras_spi_close();
	laras_erasure_evidence(&a, LARAS_ACT_ERASURE_REQUESTED);
	laras_erasure_evidence(&a, LARAS_ACT_ERASURE_UNREADABLE);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(code, LARAS_CODE_LENGTH));
}

/* ---------------------------------------------------------------- callbacks */

/*
 * The code of a provider's request is keyed bits over the request itself, so
 * that a repetition is answered with the same one without storing it.
 */
static void
callback_code(const char *channel, LarasText text, char *code)
{
	uint8 raw[LARAS_INDEX_BYTES];

	laras_authorizer_hash(LARAS_INDEX_APP_USER, laras_channel_authorizer(channel), text.s, text.n,
						  raw);
	laras_hex_write(raw, sizeof(raw), code);
}

static const char *
callback_path(bool deletion)
{
	return deletion ? "data_deletion" : "deauthorize";
}

/* A request is the same only on the same path: Meta may send one text to each. */
static LarasText
callback_text(const char *channel, bool deletion, LarasText request)
{
	LarasText text;

	text.s = psprintf("%s|%s|%.*s", channel, callback_path(deletion), (int) request.n, request.s);
	text.n = strlen(text.s);
	return text;
}

bool
laras_erasure_answered(const char *channel, bool deletion, LarasText request)
{
	LarasText text = callback_text(channel, deletion, request);
	bool found;

	laras_spi_open();
	found =
		laras_spi_read(&find_request,
					   (Datum[]){PointerGetDatum(laras_erasure_digest(text.s, text.n))}, NULL) > 0;
	laras_spi_close();
	return found;
}

void
laras_erasure_from_callback(const char *channel, int64 app_id, LarasText user_id, LarasText request,
							bool deletion, char *code)
{
	LarasAcceptance a = {.scope = "provider_user", .channel = channel, .requested_by = "provider"};
	LarasPrincipal who = {.kind = LARAS_PRINCIPAL_SERVICE, .scopes = LARAS_SCOPE_ALL};
	uint64 n;
	int64 *pairs;

	callback_code(channel, callback_text(channel, deletion, request), code);
	laras_erasure_name(&a, code);
	{
		LarasText text = callback_text(channel, deletion, request);

		a.request_digest = laras_erasure_digest(text.s, text.n);
	}
	a.path = callback_path(deletion);
	a.id = laras_new_id();
	a.at = laras_now();
	laras_spi_open();
	if (laras_spi_read(&find_request, (Datum[]){PointerGetDatum(a.request_digest)}, NULL) > 0)
	{
		laras_spi_close();
		return;
	}
	n = laras_spi_run(&find_authorized,
					  (Datum[]){PointerGetDatum(laras_authorizer_bytea(
									LARAS_INDEX_APP_USER, laras_channel_authorizer(channel),
									user_id.s, user_id.n)),
								Int64GetDatum(app_id)},
					  NULL);
	pairs = palloc(sizeof(int64) * 2 * (n + 1));
	for (uint64 i = 0; i < n; i++)
	{
		pairs[2 * i] = laras_spi_int8(i, 1);
		pairs[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < n; i++)
	{
		LarasDisconnectReceipt receipt;
		int level = laras_bind_scope_begin(pairs[2 * i], &who);

		laras_disconnect(pairs[2 * i], pairs[2 * i + 1],
						 deletion ? LARAS_CUT_DELETION_CALLBACK : LARAS_CUT_DEAUTHORIZE, NULL,
						 a.order, &receipt);
		if (receipt.was_connected)
		{
			a.connections++;
			a.slots++;
		}
		if (a.workspace_id == 0)
			a.workspace_id = pairs[2 * i];
		laras_bind_scope_end(level);
	}
	a.state = a.connections > 0 ? "removed" : "no_data_held";
	laras_erasure_store(&a);
	laras_spi_close();
	a.workspace_id = 0;
	laras_erasure_evidence(&a, a.connections > 0 ? LARAS_ACT_ERASURE_UNREADABLE
												 : LARAS_ACT_ERASURE_NO_DATA_HELD);
}

/* ------------------------------------------------------------------ explain */

static void
put(ReturnSetInfo *rsinfo, const char *table, const char *action, int64 rows, int64 keys,
	const char *stays, const char *basis, const char *term)
{
	Datum values[7];
	bool nulls[7] = {false};

	values[0] = CStringGetTextDatum(table);
	values[1] = CStringGetTextDatum(action);
	values[2] = Int64GetDatum(rows);
	values[3] = Int64GetDatum(keys);
	nulls[4] = stays == NULL;
	values[4] = stays ? CStringGetTextDatum(stays) : (Datum) 0;
	nulls[5] = basis == NULL;
	values[5] = basis ? CStringGetTextDatum(basis) : (Datum) 0;
	nulls[6] = term == NULL;
	values[6] = term ? CStringGetTextDatum(term) : (Datum) 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * laras.explain_erasure(scope text, subject jsonb)
 */
Datum
laras_explain_erasure(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *scope = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *text = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(1)));
	json_t *subject;
	int64 workspace_id;
	int64 contact_id = 0;
	LarasEraseStep *steps;
	uint64 keys;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ERASE);
	subject = laras_json_own(laras_json_parse(text, strlen(text), NULL));
	if (strcmp(scope, "connection") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("only the scopes contact and workspace have a plan of rows"),
						errdetail("A connection is cut at once and leaves a tombstone.")));
	check_subject(scope, subject);
	InitMaterializedSRF(fcinfo, 0);
	workspace_id = laras_bound_workspace();
	laras_spi_open();
	if (strcmp(scope, "contact") == 0)
	{
		contact_id = contact_of(subject);
		if (contact_id == 0 ||
			laras_spi_run(&lock_contact,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id)},
						  NULL) == 0)
			ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such contact")));
		steps = laras_contact_steps;
		keys = laras_spi_read(&find_slots,
							  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum("contact"),
										Int64GetDatum(contact_id)},
							  NULL);
	}
	else
	{
		steps = laras_workspace_steps;
		keys = 1 + laras_spi_read(&find_connections, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	}
	put(rsinfo, "key_destruction", "destroy", 0, (int64) keys, NULL, NULL, NULL);
	for (LarasEraseStep *s = steps; s->table != NULL; s++)
	{
		laras_spi_read(&s->count, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id)},
					   NULL);
		put(rsinfo, s->table, s->action, laras_spi_int8(0, 1), 0, NULL, NULL, NULL);
	}
	put(rsinfo, "evidence_entry", "keep", 0, 0,
		"acts and times; committed values become unlinkable", "security", "12 months");
	put(rsinfo, "erasure_request", "keep", 1, 0, "that it was asked and done; no identifier",
		"proof", NULL);
	if (contact_id == 0)
		put(rsinfo, "terms_acceptance", "keep", 0, 0,
			"which terms were accepted, when and by which random id", "legal", "law");
	if (contact_id != 0)
		put(rsinfo, "suppression", "keep", 0, 0,
			"that these ids want nothing unasked, where they said so, as keyed hashes", "optout",
			"workspace");
	if (contact_id != 0)
		put(rsinfo, "webhook_event", "keep", 0, 0, "raw bodies until their hour key dies",
			"operations", "72 hours");
	laras_spi_close();
	return (Datum) 0;
}
