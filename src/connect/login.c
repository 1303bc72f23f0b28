/*
 * login.c
 *		Connecting an account: the courier's task that takes a driver through its
 *		steps (channel/login.h), keeps the token meanwhile, and makes the
 *		connection.
 *
 * The token lives in the courier's memory between the steps and is sealed with
 * the connection, which comes into being whole after the last one. A failure at
 * any step leaves nothing of a connection behind; what was done at the provider
 * is taken back by one request more.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/connect.h"
#include "connect/connect.h"
#include "connect/login.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "intake/signature.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"

/* what is carried from step to step; plain bytes, wiped by the courier */
typedef struct Memory
{
	LarasLoginMemory login;
	bool undoing;
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

/* The driver that a task is about, with the app and all that was begun. */
static const LarasChannelDriver *
open_login(LarasTask *task, const LarasAllocator *allocator, LarasProviderApp *app,
		   LarasLogin *login)
{
	Memory *m = task->memory;
	LarasText channel = laras_json_text_at(task->request, "channel");
	const LarasChannelDriver *driver =
		channel.s == NULL ? NULL : laras_channel_driver(pnstrdup(channel.s, channel.n));
	const char *base = GetConfigOption("laras.public_url", true, false);

	if (driver == NULL || driver->connect->login == NULL ||
		!laras_provider_app(driver->channel, laras_task_id(task, "app"), true, app))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the provider app of a connect attempt is gone")));
	memset(login, 0, sizeof(*login));
	login->allocator = allocator;
	login->memory = &m->login;
	login->base_url = app->graph_url;
	login->api_version = app->api_version;
	login->app_id = app->app_id;
	login->secret = (LarasText){app->secret, app->secret_n};
	login->options = app->options;
	login->code = laras_json_text_at(task->request, "code");
	login->named = task->request;
	login->now = (int64_t) timestamptz_to_time_t(laras_now());
	if (driver->connect->finish_path != NULL && base != NULL && base[0] != '\0')
		login->callback = laras_text_print(allocator, "%s%s", base, driver->connect->finish_path);
	return driver;
}

/* Why the account cannot be connected, in a word that tells its own workspace alone; NULL: it can. */
static const char *
in_use(const LarasTask *task, const LarasChannelDriver *driver, LarasText account)
{
	int64 holder = laras_account_holder(driver->channel, account);

	if (holder == 0)
		return NULL;
	return holder == task->workspace_id ? LARAS_LOGIN_IN_USE "_here" : LARAS_LOGIN_IN_USE;
}

/* The account is known: where its events go, and what they carry. False after login->failure was set. */
static bool
place_account(const LarasTask *task, const LarasChannelDriver *driver, const LarasProviderApp *app,
			  LarasLogin *login)
{
	const char *base = GetConfigOption("laras.public_url", true, false);
	LarasText account = laras_text(login->memory->account);
	const char *taken = in_use(task, driver, account);
	int64_t connection_id = 0;

	if (taken != NULL &&
		laras_connection_waiting(task->workspace_id, driver->channel, account) == 0)
		laras_login_fail(login, 409, taken);
	else if (driver->account_in_path && (base == NULL || base[0] == '\0'))
		laras_login_fail(login, 500, "no_public_url");
	else if (driver->path_is_connection &&
			 laras_json_integer(laras_json_get(task->request, "connection_id"), &connection_id))
		login->webhook = laras_text_print(login->allocator, "%s/api/webhooks/%s/" INT64_FORMAT,
										  base, driver->path, (int64) connection_id);
	else if (driver->account_in_path)
		login->webhook = laras_text_print(login->allocator, "%s/api/webhooks/%s/%s", base,
										  driver->path, account.s);
	if (driver->signed_by_token)
	{
		char *token = palloc(LARAS_WEBHOOK_TOKEN + 1);

		if (!laras_webhook_token(app->secret, app->secret_n, driver->channel, account.s, account.n,
								 token))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("the crypto library could not derive a token")));
		login->webhook_secret = (LarasText){token, LARAS_WEBHOOK_TOKEN};
	}
	login->answer = NULL;
	return login->failure == NULL;
}

/* What the driver asked for becomes the task's next request. */
static LarasTaskNext
ask(LarasTask *task, const LarasProviderApp *app, const LarasLogin *login,
	LarasTaskRequest *request)
{
	Memory *m = task->memory;

	request->purpose = login->purpose;
	request->method = login->request.method;
	request->url = pnstrdup(login->request.url.s, login->request.url.n);
	request->content_type = login->request.type;
	request->body = login->request.body.s;
	request->body_n = login->request.body.n;
	request->token_at = login->request.token_at;
	request->envelope = login->request.envelope;
	if (login->with == LARAS_WITH_TOKEN)
	{
		request->token = m->login.token;
		request->token_n = m->login.token_n;
	}
	else if (login->with == LARAS_WITH_APP)
	{
		request->token = psprintf("%s|%s", app->app_id, app->secret);
		request->token_n = strlen(request->token);
	}
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
finish_failed(LarasTask *task, LarasTaskResult *result)
{
	Memory *m = task->memory;
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
	int64 told;

	laras_spi_open();
	laras_spi_run(&fail_attempt,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->attempt_id),
							CStringGetTextDatum(m->failure)},
				  NULL);
	laras_spi_close();
	laras_evidence_append(&act);
	/* nobody waits for a pairing's answer: it is found here, under the connection that was named to whoever asked */
	told = laras_task_id(task, "told");
	laras_notice(task->workspace_id, "connect_failed",
				 told != 0 ? told : laras_task_id(task, "connection_id"), 0, 0, 0);
	result->http_status = m->failure_status;
	result->result = pstrdup(m->failure);
	return LARAS_TASK_FAILED;
}

/* The attempt fails; what was done at the provider is taken back first. */
static LarasTaskNext
fail(LarasTask *task, const LarasChannelDriver *driver, const LarasProviderApp *app,
	 LarasLogin *login, LarasTaskRequest *request, LarasTaskResult *result)
{
	Memory *m = task->memory;

	m->failure_status = login->failure_status;
	strlcpy(m->failure, login->failure, sizeof(m->failure));
	memset(&login->request, 0, sizeof(login->request));
	if (driver->connect->undo == NULL || !driver->connect->undo(login))
		return finish_failed(task, result);
	m->undoing = true;
	login->purpose = "revoke";
	login->with = LARAS_WITH_TOKEN;
	return ask(task, app, login, request);
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
	LarasLoginMemory *m = &((Memory *) task->memory)->login;

	if (token.n >= 10 && memcmp(token.s, "laras-box:", 10) == 0 && !open_box(task, &token))
		return false;
	if (token.n == 0 || token.n > sizeof(m->token))
		return false;
	memcpy(m->token, token.s, token.n);
	m->token_n = token.n;
	return true;
}

/* Words between commas as a list that ends with NULL. */
static const char *const *
words_of(const char *words)
{
	const char **list = palloc0(sizeof(char *) * (strlen(words) / 2 + 2));
	char *rest;
	int n = 0;

	for (char *word = strtok_r(pstrdup(words), ", ", &rest); word != NULL;
		 word = strtok_r(NULL, ", ", &rest))
		list[n++] = word;
	return list;
}

/* The provider has confirmed everything: the connection comes into being. False after login->failure was set. */
static bool
create(LarasTask *task, const LarasChannelDriver *driver, int64 app_id, LarasLogin *login)
{
	LarasLoginMemory *m = login->memory;
	const char *above = laras_account_member(driver, LARAS_ACCOUNT_BUSINESS);
	const char *taken;
	int64 waiting;
	bool standing;
	LarasNewConnection c = {
		.channel = driver->channel,
		.app_id = app_id,
		.account =
			laras_json_text_at(login->accounts, laras_account_member(driver, LARAS_ACCOUNT_NUMBER)),
		.account_ids = login->accounts,
		.token = {m->token, m->token_n},
		.scopes = login->scopes,
		.beside_app = m->beside_app,
		.attempt_id = task->attempt_id,
		.path = login->code.s != NULL ? driver->connect->by_code : "pair",
	};

	if (c.account.s == NULL)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a log-in named no account")));
	if (m->granted[0] != '\0')
		c.scopes = words_of(m->granted);
	while (c.scopes != NULL && c.scopes[c.scope_count] != NULL)
		c.scope_count++;
	c.id = laras_task_id(task, "connection_id");
	if (above != NULL)
		c.above = laras_json_text_at(login->accounts, above);
	if (m->profile[0] != '\0')
		c.profile = laras_json_own(laras_json_parse(m->profile, strlen(m->profile), NULL));
	c.display_name = m->display[0] != '\0' ? laras_text(m->display) : c.account;
	if (m->user[0] != '\0')
		c.app_user = laras_text(m->user);
	if (m->expires_at != 0)
		c.token_expires_at = time_t_to_timestamptz((pg_time_t) m->expires_at);
	laras_spi_open();
	standing =
		laras_spi_run(&lock_attempt,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(task->attempt_id)},
					  NULL) == 1;
	laras_spi_close();
	waiting = laras_connection_waiting(task->workspace_id, driver->channel, c.account);
	if (!standing)
		laras_login_fail(login, 409, "superseded");
	else if (waiting != 0)
		laras_connection_renew(task->workspace_id, waiting, &c);
	else if ((taken = in_use(task, driver, c.account)) != NULL)
		laras_login_fail(login, 409, taken);
	else
		laras_connection_create(task->workspace_id, &c);
	return login->failure == NULL;
}

/*
 * Of a provider that could not be asked, or had a fault, nothing is known: that
 * the token or the account are not what they should be would send the owner
 * looking in the wrong place. A mail server's 535 is a word about the password.
 */
static bool
is_unasked(const LarasTaskAnswer *answer, const LarasLogin *login)
{
	if (answer == NULL || strcmp(login->failure, "server_unreachable") == 0)
		return false;
	return answer->end != LARAS_HTTP_ANSWERED ||
		   (answer->http_status >= 500 && login->failure_status == 422 &&
			strcmp(login->failure, "credentials_refused") != 0);
}

/* One step of the driver: with an answer, or without one at the start. */
static LarasTaskNext
step(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
	 LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasProviderApp app;
	LarasLogin login;
	const LarasChannelDriver *driver = open_login(task, &allocator, &app, &login);
	LarasLoginNext next;
	LarasTaskNext then;

	if (answer == NULL && login.code.s == NULL)
	{
		LarasText token = laras_json_text_at(task->request, "token");

		if (token.s == NULL || !take_token(task, token))
		{
			laras_login_fail(&login, 422, "bad_token");
			then = fail(task, driver, &app, &login, request, result);
			laras_wipe(app.secret, app.secret_n);
			return then;
		}
	}
	if (answer != NULL)
	{
		login.answer = answer->document;
		login.status = answer->end == LARAS_HTTP_ANSWERED ? answer->http_status : 0;
		login.ok = laras_task_succeeded(answer);
	}
	next = driver->connect->login(&login);
	if (next == LARAS_LOGIN_KNOWN)
		next = place_account(task, driver, &app, &login) ? driver->connect->login(&login)
														 : LARAS_LOGIN_FAIL;
	if (login.accounts != NULL)
		laras_json_own(login.accounts);
	if (next == LARAS_LOGIN_DONE && !create(task, driver, app.id, &login))
		next = LARAS_LOGIN_FAIL;
	if (next == LARAS_LOGIN_FAIL && login.failure != NULL && is_unasked(answer, &login))
		laras_login_fail(&login, 502, "provider_unreachable");
	switch (next)
	{
		case LARAS_LOGIN_ASK:
			then = ask(task, &app, &login, request);
			break;
		case LARAS_LOGIN_DONE:
			result->http_status = 200;
			result->result = "connected";
			then = LARAS_TASK_DONE;
			break;
		default:
			then = fail(task, driver, &app, &login, request, result);
	}
	laras_wipe(app.secret, app.secret_n);
	return then;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	return step(task, NULL, request, result);
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	/* whether the taking back succeeded changes nothing here */
	if (((Memory *) task->memory)->undoing)
		return finish_failed(task, result);
	return step(task, answer, request, result);
}

const LarasTaskKind laras_login_task = {
	.name = "connect",
	.memory_size = sizeof(Memory),
	.repeatable = false,
	.first = first,
	.answered = answered,
};
