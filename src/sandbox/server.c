/*
 * server.c
 *		The sandbox as an HTTP server: exchanges become calls, scripted faults
 *		are carried out, answers leave.
 *
 * A call is processed when its request is complete, and is written to the
 * ledger then, whatever happens to its answer afterwards: the ledger tells
 * what the provider has, the answer what the client may know.
 */
#include "sandbox/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "relay/http_server.h"
#include "sandbox/account.h"
#include "sandbox/bot.h"
#include "sandbox/chat.h"
#include "sandbox/deliver.h"
#include "sandbox/fault.h"
#include "sandbox/ledger.h"
#include "sandbox/media.h"
#include "sandbox/refusal.h"
#include "sandbox/smtp.h"
#include "sandbox/traffic.h"

#define HANG_MS 60000

static LarasHttpServer *server;
static LarasHttpTimer tick;
static SbCall *free_calls;

/* ---------- calls ---------- */

static SbCall *
take_call(void)
{
	SbCall *call = free_calls;
	SbBuffer kept[4];

	if (call == NULL)
		return sb_alloc(sizeof(SbCall));
	free_calls = call->next_free;
	kept[0] = call->answer;
	kept[1] = call->extra_value;
	kept[2] = call->storage;
	kept[3] = call->hidden_path;
	memset(call, 0, sizeof(*call));
	call->answer = kept[0];
	call->extra_value = kept[1];
	call->storage = kept[2];
	call->hidden_path = kept[3];
	sb_clear(&call->answer);
	sb_clear(&call->extra_value);
	sb_clear(&call->storage);
	return call;
}

static void
give_call(SbCall *call)
{
	if (call->json != NULL)
		json_decref(call->json);
	if (call->fault != NULL)
		sb_fault_release(call->fault);
	call->json = NULL;
	call->fault = NULL;
	call->next_free = free_calls;
	free_calls = call;
}

/* ---------- reading ---------- */

/* Decodes %XX (and + when form) in place. A decoded NUL becomes a blank. */
static void
decode(char *s, bool form)
{
	char *out = s;

	for (; *s != '\0'; s++)
	{
		if (*s == '%' && laras_hex_digit(s[1]) >= 0 && laras_hex_digit(s[2]) >= 0)
		{
			*out = (char) (laras_hex_digit(s[1]) << 4 | laras_hex_digit(s[2]));
			if (*out == '\0')
				*out = ' ';
			out++;
			s += 2;
		}
		else
			*out++ = form && *s == '+' ? ' ' : *s;
	}
	*out = '\0';
}

/* Copies into the call's storage, whose room was reserved before. */
static char *
store(SbCall *call, const char *p, size_t n)
{
	char *copy = call->storage.data + call->storage.len;

	sb_add(&call->storage, p, n);
	sb_add(&call->storage, "", 1);
	return copy;
}

static void
read_params(SbCall *call, char *s)
{
	char *next;

	for (char *pair = strtok_r(s, "&", &next); pair != NULL && call->nparams < SB_MAX_PARAMS;
		 pair = strtok_r(NULL, "&", &next))
	{
		SbParam *p = &call->params[call->nparams++];

		p->name = pair;
		p->value = strchr(pair, '=');
		if (p->value != NULL)
			*p->value++ = '\0';
		else
			p->value = pair + strlen(pair);
		decode(p->name, true);
		decode(p->value, true);
	}
}

/* "v23.0" or "v23" */
static bool
is_version(const char *s)
{
	return s[0] == 'v' && s[1] >= '0' && s[1] <= '9' && s[strspn(s + 1, "0123456789.") + 1] == '\0';
}

static void
read_path(SbCall *call, char *s)
{
	char *next;

	for (char *part = strtok_r(s, "/", &next); part != NULL; part = strtok_r(NULL, "/", &next))
	{
		decode(part, false);
		if (call->nparts == 0 && call->version == NULL && is_version(part))
			call->version = part;
		else if (call->nparts < SB_MAX_PARTS)
			call->parts[call->nparts++] = part;
	}
}

static bool
from_here(const LarasHttpExchange *x, const LarasHttpReader *r)
{
	const char *peer = laras_http_peer(x);

	/* a page in a browser on this machine may not drive the sandbox */
	if (laras_http_field(r, "origin") != NULL)
		return false;
	return peer == NULL || strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
		   strncmp(peer, "::ffff:127.", 11) == 0;
}

/* A call for the exchange; with complete, its body too. */
static SbCall *
read_call(LarasHttpExchange *x, bool complete)
{
	const LarasHttpReader *r = laras_http_request(x);
	SbCall *call = take_call();
	const char *type = laras_http_field(r, "content-type");
	const char *query = laras_http_query(r);
	bool form =
		complete && type != NULL && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
	char *copy;

	call->started = sb_real();
	call->transport = x;
	call->method = r->method;
	call->raw_path = laras_http_path(r);
	call->authorization = laras_http_field(r, "authorization");
	call->host = laras_http_field(r, "host");
	call->type = type;
	call->no_train = laras_http_field(r, "x-no-train");
	call->connection = laras_http_connection(x, &call->nth);
	call->status = 200;
	if (complete)
	{
		call->body = laras_http_body(r);
		call->body_length = r->body_length;
	}
	sb_reserve(&call->storage,
			   strlen(call->raw_path) + strlen(query) + (form ? call->body_length : 0) + 8);
	copy = store(call, call->raw_path, strlen(call->raw_path));
	read_path(call, copy);
	if (query[0] != '\0')
	{
		copy = store(call, query, strlen(query));
		read_params(call, copy);
	}
	if (form)
	{
		copy = store(call, call->body, call->body_length);
		read_params(call, copy);
	}
	else if (call->body_length > 0 && (type == NULL || strncasecmp(type, "multipart/", 10) != 0))
		call->json = json_loadb(call->body, call->body_length, JSON_REJECT_DUPLICATES, NULL);
	return call;
}

/* ---------- answering ---------- */

static void
answer_raw(SbCall *call, bool whole)
{
	SbBuffer raw = {0};
	size_t length;

	sb_addf(&raw, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", call->status,
			laras_http_status_text(call->status),
			call->content_type ? call->content_type : "application/json; charset=UTF-8");
	if (call->unsized)
		sb_adds(&raw, "Connection: close\r\n\r\n");
	else
		sb_addf(&raw, "Content-Length: %zu\r\n\r\n", call->answer.len);
	length = raw.len;
	sb_add(&raw, call->answer.data ? call->answer.data : "", call->answer.len);
	laras_http_answer_raw(call->transport, raw.data,
						  whole ? raw.len : length + call->answer.len / 2);
	sb_release(&raw);
}

static void
answer(SbCall *call)
{
	LarasHttpField fields[4];
	LarasHttpAnswer a = {0};

	fields[a.nfields++] =
		(LarasHttpField){"Content-Type", call->content_type ? call->content_type
															: "application/json; charset=UTF-8"};
	if (call->version != NULL)
		fields[a.nfields++] = (LarasHttpField){"facebook-api-version", call->version};
	if (call->extra_name != NULL && call->extra_value.len > 0)
		fields[a.nfields++] = (LarasHttpField){call->extra_name, call->extra_value.data};
	a.status = call->status;
	a.fields = fields;
	a.body = call->answer.data ? call->answer.data : "";
	a.body_length = call->answer.len;
	laras_http_answer(call->transport, &a);
}

static void
send_answer(SbCall *call)
{
	switch (call->fault ? call->fault->action : SB_FAULT_NONE)
	{
		case SB_FAULT_RESET_BEFORE_BODY:
		case SB_FAULT_RESET_AFTER_BODY:
			laras_http_abort(call->transport, true);
			break;
		case SB_FAULT_CLOSE_UNANSWERED:
		case SB_FAULT_HANG:
			laras_http_abort(call->transport, false);
			break;
		case SB_FAULT_RESET_MID_ANSWER:
			answer_raw(call, false);
			break;
		case SB_FAULT_CLOSE_AFTER_ANSWER:
			answer_raw(call, true);
			break;
		default:
			if (call->unsized)
				answer_raw(call, true);
			else
				answer(call);
			break;
	}
	give_call(call);
}

static void
delay_over(SbTimer *timer)
{
	send_answer((SbCall *) ((char *) timer - offsetof(SbCall, delay)));
}

/* What the fault leaves of the answer; what the ledger is told of it. */
static void
spoil_answer(SbCall *call)
{
	switch (call->fault->action)
	{
		case SB_FAULT_RESET_AFTER_BODY:
		case SB_FAULT_CLOSE_UNANSWERED:
		case SB_FAULT_HANG:
			call->status = 0;
			break;
		case SB_FAULT_MALFORMED:
			call->status = 200;
			if (call->answer.len > 0)
				call->answer.data[call->answer.len /= 2] = '\0';
			break;
		case SB_FAULT_HTTP_ERROR:
			call->status = call->fault->http_status;
			call->content_type = "text/html; charset=utf-8";
			sb_clear(&call->answer);
			sb_addf(&call->answer, "<html><body>%d %s</body></html>", call->status,
					laras_http_status_text(call->status));
			break;
		case SB_FAULT_REFUSE:
			if (sb_is_bot_call(call))
				sb_bot_refuse(call, call->fault->code, NULL, call->fault->subcode);
			else
				sb_refuse(call, call->fault->code, call->fault->subcode, NULL, NULL);
			break;
		default:
			break;
	}
}

void
sb_call_finish(SbCall *call)
{
	int delay = 0;

	call->held = false;
	if (call->fault != NULL)
	{
		spoil_answer(call);
		delay = call->fault->delay_ms;
		if (call->fault->action == SB_FAULT_HANG && delay == 0)
			delay = HANG_MS;
	}
	if (!call->local || call->nparts == 0 || strcmp(call->parts[0], "_sandbox") != 0)
		sb_ledger_add(call);
	if (delay > 0)
	{
		call->delay.real = true;
		call->delay.fire = delay_over;
		sb_timer_set(&call->delay, (int64_t) delay * 1000);
		return;
	}
	send_answer(call);
}

/* ---------- the server's callbacks ---------- */

static int
on_head(LarasHttpExchange *x, void *arg)
{
	SbCall *call;
	int verdict = 0;

	(void) arg;
	if (!sb_fault_before_body())
		return 0;
	call = read_call(x, false);
	call->fault = sb_fault_for(call, false);
	if (call->fault != NULL)
	{
		call->status = 0;
		sb_ledger_add(call);
		verdict = -1;
	}
	give_call(call);
	return verdict;
}

/* What the ledger says of a message that a fault kept from being looked at. */
static void
note_unread(SbCall *call)
{
	const char *to = json_string_value(json_object_get(call->json, "to"));

	if (sb_is_bot_call(call))
	{
		sb_bot_note(call);
		return;
	}
	if (call->nparts != 2 || strcmp(call->parts[1], "messages") != 0)
		return;
	call->note.number = call->parts[0];
	call->note.callback_data =
		json_string_value(json_object_get(call->json, "biz_opaque_callback_data"));
	if (to != NULL)
		snprintf(call->note.to, sizeof(call->note.to), "%s", to);
}

/* The path of the ledger for a call whose path holds the token: "/bot300/getMe". */
static void
hide_token(SbCall *call)
{
	const char *end = strpbrk(call->raw_path, ":%");
	const char *rest = end ? strchr(end, '/') : NULL;

	sb_clear(&call->hidden_path);
	sb_add(&call->hidden_path, call->raw_path, end ? (size_t) (end - call->raw_path) : 0);
	sb_adds(&call->hidden_path, rest ? rest : "");
	call->note.path = call->hidden_path.data;
}

static void
on_request(LarasHttpExchange *x, void *arg)
{
	SbCall *call = read_call(x, true);

	(void) arg;
	call->local = from_here(x, laras_http_request(x));
	if (call->nparts > 0 && strcmp(call->parts[0], "_sandbox") == 0 && call->version == NULL)
	{
		if (call->local)
			sb_control(call);
		else
			sb_answer_json(call, 403,
						   json_pack("{s:s}", "error", "control calls come from this machine"));
	}
	else
	{
		call->fault = sb_fault_for(call, true);
		if (sb_is_bot_call(call))
			hide_token(call);
		if (call->fault == NULL || call->fault->accept)
		{
			if (sb_is_bot_call(call))
				sb_bot_call(call);
			else if (sb_is_chat_call(call))
				sb_chat_call(call);
			else
				sb_graph(call);
		}
		else
			note_unread(call);
	}
	if (!call->held)
		sb_call_finish(call);
}

static void
run_timers(void *arg)
{
	(void) arg;
	sb_timer_run();
	sb_timer_changed();
}

static void
rearm(void)
{
	laras_http_timer_set(server, &tick, sb_timer_wait(60000));
}

void
sb_reset_all(void)
{
	sb_deliver_reset();
	sb_traffic_reset();
	sb_bots_reset();
	sb_smtp_reset();
	sb_accounts_reset();
	sb_media_reset();
	sb_fault_remove(0);
	sb_world_reset();
	sb_settings_reset();
	sb_ledger_reset();
}

int
sb_serve(const char *listen, const char *smtp, const char *smtps)
{
	static const char *const methods[] = {"GET", "POST", "DELETE", NULL};
	LarasHttpConfig config;
	bool clean;

	laras_http_defaults(&config);
	config.limits.methods = methods;
	config.max_per_address = config.max_connections;
	config.max_bytes = (size_t) 512 << 20;
	config.limits.body_bytes = 110u << 20;
	config.on_head = on_head;
	config.on_request = on_request;
	config.drain_ms = 1000;
	sb_settings_reset();
	server = laras_http_create(&config);
	if (server == NULL || !sb_deliver_init(server) || !laras_http_listen(server, listen) ||
		(smtp != NULL && !sb_smtp_listen(server, smtp, false)) ||
		(smtps != NULL && !sb_smtp_listen(server, smtps, true)))
		return 1;
	tick.fire = run_timers;
	sb_timer_changed = rearm;
	rearm();
	clean = laras_http_run(server);
	sb_smtp_reset();
	sb_deliver_reset();
	laras_http_destroy(server);
	return clean ? 0 : 2;
}
