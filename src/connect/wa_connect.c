/*
 * wa_connect.c
 *		Connecting a WhatsApp number: the courier's steps at the Graph API.
 *
 *		exchange	code -> token (Embedded Signup alone; the code lives 30 s)
 *		debug		the token is ours and reaches the WABA
 *		numbers		the WABA lists the number; its display data
 *		subscribe	webhooks of the WABA come to this app
 *		(create)	the connection, whole
 *		revoke		after a failure past the exchange: the token is given back
 *
 * Ids from the browser are believed only once the provider has confirmed them.
 * The token lives in the courier's memory between the steps and is sealed with
 * the connection; a failure at any step leaves nothing of a connection behind.
 * Sources: Embedded Signup v4, "Implementation"; debug_token; WABA edges.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "channel/whatsapp.h"
#include "connect/connect.h"
#include "connect/wa_tasks.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "lib/stringinfo.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"

enum
{
	STEP_START,
	STEP_EXCHANGE,
	STEP_DEBUG,
	STEP_NUMBERS,
	STEP_SUBSCRIBE,
	STEP_REVOKE
};

#define LONGEST_TOKEN 2048

/* what is carried from step to step; plain bytes, wiped by the courier */
typedef struct Memory
{
	char token[LONGEST_TOKEN];
	size_t token_n;
	bool exchanged; /* the token is ours to give back */
	char display[64];
	char verified_name[256];
	char quality[32];
	char user[64];    /* app-scoped id of who authorised; "" unknown */
	int64 expires_at; /* Unix seconds; 0: never */
	int failure_status;
	char failure[48];
} Memory;

LARAS_PLAN(fail_attempt,
		   "UPDATE laras.connection_attempt SET state = 'failed', failure = $3, launch = NULL "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
		   "AND state OPERATOR(pg_catalog.=) 'exchanging'",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(
	lock_attempt,
	"SELECT 1 FROM laras.connection_attempt a WHERE a.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 AND a.state OPERATOR(pg_catalog.=) 'exchanging' FOR UPDATE",
	INT8OID, INT8OID);

static bool
keep(char *to, size_t room, LarasText t)
{
	if (t.s == NULL || t.n >= room)
		return false;
	memcpy(to, t.s, t.n);
	to[t.n] = '\0';
	return true;
}

/* Percent-encode what goes into a query. */
static void
append_encoded(StringInfo url, const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			appendStringInfoChar(url, (char) c);
		else
		{
			appendStringInfoChar(url, '%');
			appendStringInfoChar(url, hex[c >> 4]);
			appendStringInfoChar(url, hex[c & 15]);
		}
	}
}

static void
app_of(const LarasTask *task, LarasProviderApp *app)
{
	int64_t id = 0;

	laras_json_integer(laras_json_get(task->request, "app"), &id);
	if (!laras_provider_app("whatsapp", id, true, app))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the provider app of a connect attempt is gone")));
}

static LarasTaskNext
finish_failed(LarasTask *task, LarasTaskResult *result)
{
	Memory *m = task->memory;
	int64_t connection_id = 0; /* the one a pairing would have made */
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_REASON, m->failure)};
	LarasEvidence act = {
		.workspace_id = task->workspace_id,
		.action = LARAS_ACT_CONNECT_FAILED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_ATTEMPT,
		.subject_id = task->attempt_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_spi_open();
	laras_spi_run(&fail_attempt,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->attempt_id),
							CStringGetTextDatum(m->failure)},
				  NULL);
	laras_spi_close();
	laras_evidence_append(&act);
	/* nobody waits for a pairing's answer: it is found here */
	laras_json_integer(laras_json_get(task->request, "connection_id"), &connection_id);
	laras_notice(task->workspace_id, "connect_failed", connection_id, 0, 0, 0);
	result->http_status = m->failure_status;
	result->result = pstrdup(m->failure);
	return LARAS_TASK_FAILED;
}

/* The attempt fails; a token that we obtained is given back first. */
static LarasTaskNext
fail(LarasTask *task, int http_status, const char *reason, LarasTaskRequest *request,
	 LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasProviderApp app;

	m->failure_status = http_status;
	strlcpy(m->failure, reason, sizeof(m->failure));
	if (!m->exchanged)
		return finish_failed(task, result);
	app_of(task, &app);
	laras_wipe(app.secret, app.secret_n);
	task->step = STEP_REVOKE;
	request->purpose = "revoke";
	request->method = "DELETE";
	request->url = psprintf("%s/%s/me/permissions", app.graph_url, app.api_version);
	request->token = m->token;
	request->token_n = m->token_n;
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
ask_debug(LarasTask *task, LarasTaskRequest *request)
{
	Memory *m = task->memory;
	LarasProviderApp app;
	StringInfoData url;
	char *app_token;

	app_of(task, &app);
	initStringInfo(&url);
	appendStringInfo(&url, "%s/%s/debug_token?input_token=", app.graph_url, app.api_version);
	append_encoded(&url, m->token, m->token_n);
	app_token = psprintf("%s|%s", app.app_id, app.secret);
	laras_wipe(app.secret, app.secret_n);
	task->step = STEP_DEBUG;
	request->purpose = "debug_token";
	request->method = "GET";
	request->url = url.data;
	request->token = app_token;
	request->token_n = strlen(app_token);
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
ask_with_token(LarasTask *task, int step, const char *purpose, const char *method, const char *edge,
			   LarasTaskRequest *request)
{
	Memory *m = task->memory;
	LarasProviderApp app;
	LarasText waba = laras_json_text_at(task->request, "waba_id");

	app_of(task, &app);
	laras_wipe(app.secret, app.secret_n);
	task->step = step;
	request->purpose = purpose;
	request->method = method;
	request->url = psprintf("%s/%s/%s/%s", app.graph_url, app.api_version, waba.s, edge);
	if (strcmp(method, "POST") == 0)
	{
		request->body = "{}";
		request->body_n = 2;
	}
	request->token = m->token;
	request->token_n = m->token_n;
	return LARAS_TASK_REQUEST;
}

/* Our app is to hear of the business account. */
static LarasTaskNext
ask_to_subscribe(LarasTask *task, LarasTaskRequest *request)
{
	Memory *m = task->memory;
	LarasProviderApp app;
	LarasProviderRequest built = {NULL};
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasAccountRequest about = {.account = laras_json_text_at(task->request, "waba_id")};

	app_of(task, &app);
	laras_wipe(app.secret, app.secret_n);
	about.base_url = app.graph_url;
	about.api_version = app.api_version;
	if (!laras_whatsapp_connect.build_subscribe(&about, &allocator, &built))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	task->step = STEP_SUBSCRIBE;
	request->purpose = "subscribe";
	request->method = built.method;
	request->url = built.url.s;
	request->body = built.body.s;
	request->body_n = built.body.n;
	request->token = m->token;
	request->token_n = m->token_n;
	return LARAS_TASK_REQUEST;
}

/* Open both layers of a transport box; false when it is not one of ours, or was altered. */
static bool
open_box(const LarasTask *task, LarasText *token)
{
	MemoryContext caller = CurrentMemoryContext;
	uint32 w = laras_workspace_slot(task->workspace_id);
	bytea *sealed = laras_seal_token(w, w, LARAS_FIELD_courier_task_request, task->workspace_id,
									 task->id, token->s, token->n);
	volatile bool opened = false;
	char *volatile plain = NULL;
	volatile size_t length = 0;

	/* opening holds nothing that an error would leave behind */
	PG_TRY();
	{
		char *p;
		size_t n;

		opened = laras_open_token(sealed, task->workspace_id, task->id,
								  LARAS_FIELD_courier_task_request, &p, &n) == LARAS_OPENED;
		if (opened)
		{
			plain = p;
			length = n;
		}
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (error->sqlerrcode != LARAS_ERRCODE_VALUE_MISPLACED)
			PG_RE_THROW();
		FlushErrorState();
		FreeErrorData(error);
	}
	PG_END_TRY();
	token->s = plain;
	token->n = length;
	return opened;
}

/* A token from a client may be a transport box: seal it as it is, open both layers. */
static bool
take_token(LarasTask *task, LarasText token)
{
	Memory *m = task->memory;

	if (token.n >= 10 && memcmp(token.s, "laras-box:", 10) == 0 && !open_box(task, &token))
		return false;
	if (token.n == 0 || token.n >= sizeof(m->token))
		return false;
	memcpy(m->token, token.s, token.n);
	m->token_n = token.n;
	return true;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasText code = laras_json_text_at(task->request, "code");
	LarasText token = laras_json_text_at(task->request, "token");
	LarasProviderApp app;
	StringInfoData url;

	if (code.s == NULL)
	{
		if (token.s == NULL || !take_token(task, token))
			return fail(task, 422, "bad_token", request, result);
		return ask_debug(task, request);
	}
	app_of(task, &app);
	initStringInfo(&url);
	appendStringInfo(&url, "%s/%s/oauth/access_token?client_id=", app.graph_url, app.api_version);
	append_encoded(&url, app.app_id, strlen(app.app_id));
	appendStringInfoString(&url, "&client_secret=");
	append_encoded(&url, app.secret, app.secret_n);
	appendStringInfoString(&url, "&code=");
	append_encoded(&url, code.s, code.n);
	laras_wipe(app.secret, app.secret_n);
	task->step = STEP_EXCHANGE;
	request->purpose = "exchange_code";
	request->method = "GET";
	request->url = url.data;
	return LARAS_TASK_REQUEST;
}

/* Does the token's grant reach that WABA? Granular targets may be absent (then it reaches all). */
static bool
reaches(const json_t *data, LarasText waba)
{
	const json_t *granular = laras_json_get(data, "granular_scopes");
	json_t *scope;
	size_t i;

	if (json_array_size(granular) == 0)
		return true;
	json_array_foreach(granular, i, scope)
	{
		const json_t *targets = laras_json_get(scope, "target_ids");
		json_t *target;
		size_t k;

		if (!laras_text_is(laras_json_text_at(scope, "scope"), "whatsapp_business_management"))
			continue;
		if (targets == NULL)
			return true;
		json_array_foreach(targets, k, target)
		{
			char buffer[32];
			LarasText id = laras_json_id(target, buffer, sizeof(buffer));

			if (id.s != NULL && id.n == waba.n && memcmp(id.s, waba.s, id.n) == 0)
				return true;
		}
	}
	return false;
}

static bool
check_debug(LarasTask *task, const json_t *data)
{
	Memory *m = task->memory;
	LarasProviderApp app;
	char buffer[32];
	LarasText app_id = laras_json_id(laras_json_get(data, "app_id"), buffer, sizeof(buffer));
	char user_buffer[32];
	LarasText user =
		laras_json_id(laras_json_get(data, "user_id"), user_buffer, sizeof(user_buffer));
	int64_t expires = 0;
	bool ours;

	app_of(task, &app);
	laras_wipe(app.secret, app.secret_n);
	ours = app_id.s != NULL && strlen(app.app_id) == app_id.n &&
		   memcmp(app.app_id, app_id.s, app_id.n) == 0;
	if (!laras_json_true(laras_json_get(data, "is_valid")) || !ours ||
		!reaches(data, laras_json_text_at(task->request, "waba_id")))
		return false;
	if (laras_json_integer(laras_json_get(data, "expires_at"), &expires) && expires > 0)
		m->expires_at = expires;
	if (!keep(m->user, sizeof(m->user), user))
		m->user[0] = '\0';
	return true;
}

static bool
find_number(LarasTask *task, const json_t *document)
{
	Memory *m = task->memory;
	LarasText wanted = laras_json_text_at(task->request, "phone_number_id");
	json_t *number;
	size_t i;

	json_array_foreach(laras_json_get(document, "data"), i, number)
	{
		char buffer[32];
		LarasText id = laras_json_id(laras_json_get(number, "id"), buffer, sizeof(buffer));

		if (id.s == NULL || id.n != wanted.n || memcmp(id.s, wanted.s, id.n) != 0)
			continue;
		keep(m->display, sizeof(m->display), laras_json_text_at(number, "display_phone_number"));
		keep(m->verified_name, sizeof(m->verified_name),
			 laras_json_text_at(number, "verified_name"));
		keep(m->quality, sizeof(m->quality), laras_json_text_at(number, "quality_rating"));
		return true;
	}
	return false;
}

static LarasTaskNext
create(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	Memory *m = task->memory;
	static const char *const scopes[] = {"whatsapp_business_management",
										 "whatsapp_business_messaging"};
	LarasText number = laras_json_text_at(task->request, "phone_number_id");
	LarasText waba = laras_json_text_at(task->request, "waba_id");
	json_t *ids = laras_json_own(json_pack("{s:s, s:s, s:s}", "phone_number_id", number.s,
										   "waba_id", waba.s, "display_phone_number", m->display));
	json_t *profile =
		laras_json_own(json_pack("{s:s, s:s, s:s}", "display_phone_number", m->display,
								 "verified_name", m->verified_name, "quality_rating", m->quality));
	int64_t app = 0;
	int64_t connection_id = 0;
	bool standing;
	LarasNewConnection c = {
		.channel = "whatsapp",
		.account = number,
		.above = waba,
		.account_ids = ids,
		.profile = profile,
		.token = {m->token, m->token_n},
		.scopes = scopes,
		.scope_count = lengthof(scopes),
		.attempt_id = task->attempt_id,
		.path = m->exchanged ? "embedded_signup" : "pair",
	};

	laras_json_integer(laras_json_get(task->request, "app"), &app);
	laras_json_integer(laras_json_get(task->request, "connection_id"), &connection_id);
	c.app_id = app;
	c.id = connection_id;
	c.display_name.s = m->display[0] ? m->display : number.s;
	c.display_name.n = strlen(c.display_name.s);
	if (m->user[0])
	{
		c.app_user.s = m->user;
		c.app_user.n = strlen(m->user);
	}
	if (m->expires_at != 0)
		c.token_expires_at = time_t_to_timestamptz((pg_time_t) m->expires_at);
	laras_spi_open();
	standing =
		laras_spi_run(&lock_attempt,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->attempt_id)},
					  NULL) == 1;
	laras_spi_close();
	if (!standing)
		return fail(task, 409, "superseded", request, result);
	if (laras_account_in_use("whatsapp", number))
		return fail(task, 409, "account_in_use", request, result);
	laras_connection_create(task->workspace_id, &c);
	result->http_status = 200;
	result->result = "connected";
	return LARAS_TASK_DONE;
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	Memory *m = task->memory;
	bool ok = answer->end == LARAS_HTTP_ANSWERED && answer->http_status == 200 &&
			  answer->document != NULL && answer->error_code == 0;

	switch (task->step)
	{
		case STEP_EXCHANGE:
		{
			LarasText token = laras_json_text_at(answer->document, "access_token");

			if (!ok || token.s == NULL || token.n == 0 || token.n >= sizeof(m->token))
				return fail(task, 502, "exchange_refused", request, result);
			memcpy(m->token, token.s, token.n);
			m->token_n = token.n;
			m->exchanged = true;
			return ask_debug(task, request);
		}
		case STEP_DEBUG:
			if (!ok || !check_debug(task, laras_json_get(answer->document, "data")))
				return fail(task, 422, "token_not_for_account", request, result);
			return ask_with_token(
				task, STEP_NUMBERS, "read_numbers", "GET",
				"phone_numbers?fields=id,display_phone_number,verified_name,quality_rating",
				request);
		case STEP_NUMBERS:
			if (!ok || !find_number(task, answer->document))
				return fail(task, 422, "number_not_of_account", request, result);
			if (laras_account_in_use("whatsapp",
									 laras_json_text_at(task->request, "phone_number_id")))
				return fail(task, 409, "account_in_use", request, result);
			return ask_to_subscribe(task, request);
		case STEP_SUBSCRIBE:
			if (!ok || !laras_json_true(laras_json_get(answer->document, "success")))
				return fail(task, 502, "subscribe_refused", request, result);
			return create(task, request, result);
		case STEP_REVOKE:
			return finish_failed(task, result);
	}
	return fail(task, 500, "unknown_step", request, result);
}

const LarasTaskKind laras_wa_connect_task = {
	.name = "wa_connect",
	.memory_size = sizeof(Memory),
	.repeatable = false,
	.first = first,
	.answered = answered,
};
