/*
 * llmconfigure.c
 *		laras.configure_llm: which chat endpoint drafts for a workspace.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/llm.h"
#include "answer/written.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/logguard.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/egress.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/jsonb.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_configure_llm);

/* what is not named takes the column's default */
LARAS_PLAN(
	configure,
	"INSERT INTO laras.llm_endpoint AS e (workspace_id, url, host, model, api_key, enabled, on_failure, daily_calls, "
	"retries, keep_days, cache_minutes, no_train, no_train_header, request_options) "
	"SELECT $1, $2, $3, $4, $5, coalesce((o ->> 'enabled')::pg_catalog.bool, true), "
	"coalesce(o ->> 'on_failure', 'queue'), coalesce((o ->> 'daily_calls')::pg_catalog.int4, 1000), "
	"coalesce((o ->> 'retries')::pg_catalog.int4, 2), coalesce((o ->> 'keep_days')::pg_catalog.int4, 30), "
	"coalesce((o ->> 'cache_minutes')::pg_catalog.int4, 60), coalesce((o ->> 'no_train')::pg_catalog.bool, true), "
	"o ->> 'no_train_header', coalesce(o -> 'request_options', '{\"store\": false}'::pg_catalog.jsonb) "
	"FROM (SELECT $6) AS given (o) ON CONFLICT (workspace_id) DO UPDATE SET url = excluded.url, host = excluded.host, "
	"model = excluded.model, api_key = excluded.api_key, enabled = excluded.enabled, on_failure = excluded.on_failure, "
	"daily_calls = excluded.daily_calls, retries = excluded.retries, keep_days = excluded.keep_days, "
	"cache_minutes = excluded.cache_minutes, no_train = excluded.no_train, no_train_header = excluded.no_train_header, "
	"request_options = excluded.request_options, changed_at = laras.now()",
	INT8OID, TEXTOID, TEXTOID, TEXTOID, LARAS_SEALED, JSONBOID);

static void
refuse(const char *message, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
					hint != NULL ? errhint("%s", hint) : 0));
}

/* An option that is a number, from 0 on. */
static void
check_number(const json_t *options, const char *name, int most)
{
	const json_t *value = laras_json_get(options, name);

	if (value != NULL && (json_integer_value(value) < 0 || json_integer_value(value) > most))
		refuse(psprintf("%s is out of range", name), psprintf("It must be 0 to %d.", most));
}

/* "Name: value", of what the table takes: 64 letters, digits and hyphens, 200 characters of ASCII. */
static bool
is_header(LarasText t)
{
	static const char *const own[] = {"Authorization",
									  "Proxy-Authorization",
									  "Host",
									  "Cookie",
									  "Content-Length",
									  "Content-Type",
									  "Transfer-Encoding",
									  "Content-Encoding",
									  "Connection",
									  "Accept-Encoding",
									  "Expect",
									  "TE"};
	size_t name = 0;

	while (name < t.n && (isalnum((unsigned char) t.s[name]) || t.s[name] == '-') &&
		   (unsigned char) t.s[name] < 0x80)
		name++;
	/* what the request says of itself is not said twice */
	for (int i = 0; i < lengthof(own); i++)
		if (strlen(own[i]) == name && pg_strncasecmp(t.s, own[i], name) == 0)
			return false;
	if (name < 1 || name > 64 || t.n < name + 3 || t.n > name + 202 || t.s[name] != ':' ||
		t.s[name + 1] != ' ')
		return false;
	for (size_t i = name + 2; i < t.n; i++)
		if (t.s[i] < ' ' || t.s[i] > '~')
			return false;
	return true;
}

static void
check_options(Datum given)
{
	static const LarasOption known[] = {{"enabled", 'b'},        {"on_failure", 's'},
										{"daily_calls", 'i'},    {"retries", 'i'},
										{"keep_days", 'i'},      {"cache_minutes", 'i'},
										{"no_train", 'b'},       {"no_train_header", 's'},
										{"request_options", 'o'}};
	const json_t *options = laras_options_read(given, known, lengthof(known));
	const json_t *value;
	LarasText header = laras_json_text_at(options, "no_train_header");
	LarasText on_failure = laras_json_text_at(options, "on_failure");

	if (on_failure.s != NULL && !laras_text_is(on_failure, "queue") &&
		!laras_text_is(on_failure, "built_in"))
		refuse("on_failure has no such value", "It is queue or built_in.");
	check_number(options, "daily_calls", PG_INT32_MAX);
	check_number(options, "retries", 4);
	check_number(options, "keep_days", 3650);
	check_number(options, "cache_minutes", 10080);
	if (header.s != NULL && !is_header(header))
		refuse(
			"no_train_header is no header of a request",
			"Write its name, a colon, a blank and its value, as in X-No-Train: 1; none that the request has itself, as Authorization.");
	value = laras_json_get(options, "request_options");
	if (laras_json_get(value, "messages") != NULL || laras_json_get(value, "model") != NULL ||
		laras_json_get(value, "stream") != NULL)
		refuse("request_options must not hold model, messages or stream", NULL);
	/* without options of its own a request says it (configure above) */
	if (!json_is_false(laras_json_get(options, "no_train")) && value != NULL &&
		laras_json_get(options, "no_train_header") == NULL && !laras_llm_tells_no_train(value))
		refuse("no_train needs something that tells the provider",
			   "Give no_train_header, or {\"store\": false} or {\"provider\": "
			   "{\"data_collection\": \"deny\"}} in request_options, or say no_train false.");
}

/*
 * laras.configure_llm(workspace_id bigint, url text, model text, api_key text,
 *		options jsonb) returns void
 */
Datum
laras_configure_llm(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 workspace_id = PG_GETARG_INT64(0);
	char *url = text_to_cstring(PG_GETARG_TEXT_PP(1));
	text *model = PG_GETARG_TEXT_PP(2);
	text *key = PG_GETARG_TEXT_PP(3);
	Datum options = PG_GETARG_DATUM(4);
	const LarasPrincipal operator= {.kind = LARAS_PRINCIPAL_SERVICE};
	bytea *sealed = NULL;
	uint32 w;
	int level;

	laras_require_preload();
	laras_hide_statement("configure_llm");
	laras_vault_require_open();
	if (!laras_egress_sound(url, strlen(url)) || strpbrk(url, "?#") != NULL)
		refuse("url must be the https address of a chat endpoint",
			   "Plain http is accepted in laras.test_mode alone, for a loopback address such as "
			   "that of laras-sandbox.");
	if (strlen(url) > 1000)
		refuse("url must have at most 1000 bytes", NULL);
	laras_require_shown((LarasText){VARDATA_ANY(model), VARSIZE_ANY_EXHDR(model)}, "model");
	if (VARSIZE_ANY_EXHDR(model) > 200)
		refuse("model must have at most 200 bytes", NULL);
	if (VARSIZE_ANY_EXHDR(key) > 1000)
		refuse("api_key must have at most 1000 characters", NULL);
	check_options(options);
	w = laras_workspace_slot(workspace_id);
	if (VARSIZE_ANY_EXHDR(key) > 0)
		sealed = laras_seal_token(w, w, LARAS_FIELD_llm_endpoint_api_key, workspace_id,
								  workspace_id, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	level = laras_bind_scope_begin(workspace_id, &operator);
	laras_spi_open();
	laras_spi_run_one(&configure,
					  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(url),
								CStringGetTextDatum(
									asc_tolower(laras_host_of(url), strlen(laras_host_of(url)))),
								PointerGetDatum(model), PointerGetDatum(sealed), options},
					  sealed == NULL ? "    n " : NULL);
	laras_spi_close();
	{
		LarasEvidence act = {
			.workspace_id = workspace_id,
			.workspace_slot = w,
			.action = LARAS_ACT_LLM_CONFIGURED,
			.actor_kind = LARAS_ACTOR_OPERATOR,
			.subject_kind = LARAS_SUBJECT_WORKSPACE,
			.subject_id = workspace_id,
		};

		laras_evidence_append(&act);
	}
	laras_bind_scope_end(level);
	PG_RETURN_VOID();
}
