/*
 * messages.c
 *		POST /{phone-number-id}/messages: the order in which Meta finds out what
 *		is wrong with a message. Content, sender, recipient, template, limits,
 *		window: the first rule that is broken answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/content.h"
#include "sandbox/fault.h"
#include "sandbox/limits.h"
#include "sandbox/media.h"
#include "sandbox/refusal.h"
#include "sandbox/traffic.h"

/* Who the message is for. */
typedef struct Recipient
{
	const char *input;    /* as given */
	const char *phone;    /* digits, or NULL */
	const char *user_id;  /* or NULL */
	const char *key;      /* of the pair */
	SbCustomer *customer; /* or NULL */
	char digits[16];
	char own_id[64];
} Recipient;

static char last_wamid[128]; /* for the fault same_id */

/* ---------- sender ---------- */

static bool
check_sender(SbCall *call, SbNumber *number)
{
	int refuse = number->refuse ? number->refuse : number->waba->refuse;

	if (number->deleted)
		refuse = 33;
	else if (refuse == 0 && !number->registered)
		refuse = 133010;
	if (refuse == 0)
		return true;
	sb_refuse(call, refuse, 0, NULL, NULL);
	return false;
}

/* ---------- recipient ---------- */

static bool
find_recipient(SbCall *call, SbNumber *number, json_t *root, const SbContent *c, Recipient *r)
{
	const json_t *to = json_object_get(root, "to");
	const json_t *user = json_object_get(root, "recipient");

	memset(r, 0, sizeof(*r));
	if (to == NULL && user == NULL)
		return sb_missing(call, "to");
	if (to != NULL) /* with both, the phone wins */
	{
		if (!json_is_string(to))
		{
			sb_refuse(call, 100, 0, "(#100) Param to must be a string.", NULL);
			return false;
		}
		r->input = json_string_value(to);
		snprintf(call->note.to, sizeof(call->note.to), "%s", r->input);
		if (!sb_digits(r->input, r->digits))
			return sb_invalid(call, "Recipient phone number is not a valid phone number.");
		r->phone = r->key = r->digits;
		snprintf(call->note.to, sizeof(call->note.to), "%s", r->phone);
		r->customer = sb_customer(r->phone);
		if (strcmp(r->phone, number->digits) == 0)
		{
			sb_refuse(call, 131021, 0, NULL, NULL);
			return false;
		}
		if (sb_settings.user_ids)
		{
			sb_user_id(r->phone, number->waba->business_id, r->own_id);
			r->user_id = r->own_id;
		}
		return true;
	}
	r->input = json_string_value(user);
	if (r->input == NULL || strlen(r->input) < 4 || strlen(r->input) > 132 ||
		strchr(r->input, '.') == NULL)
		return sb_invalid(call, "recipient is not a business-scoped user id.");
	snprintf(call->note.to, sizeof(call->note.to), "%s", r->input);
	r->user_id = r->key = r->input;
	r->customer = sb_customer_by_user_id(r->input, number->waba->business_id);
	if (r->customer == NULL)
	{
		sb_refuse(call, 131063, 0, NULL, NULL);
		return false;
	}
	r->key = r->customer->phone;
	if (strcmp(c->type, "template") == 0)
	{
		SbTemplate *t =
			sb_template(number->waba, json_string_value(json_object_get(c->part, "name")),
						json_string_value(
							json_object_get(json_object_get(c->part, "language"), "code")));

		if (t != NULL && strcmp(t->category, "AUTHENTICATION") == 0)
		{
			sb_refuse(call, 131062, 0, NULL, NULL);
			return false;
		}
	}
	return true;
}

static bool
in_test_list(const SbNumber *number, const char *phone)
{
	for (int i = 0; i < number->nallowed; i++)
		if (phone != NULL && strcmp(number->allowed[i], phone) == 0)
			return true;
	return false;
}

/* ---------- templates ---------- */

static size_t
hydrated_length(const SbTemplate *t, const json_t *parameters)
{
	size_t n = t->body ? strlen(t->body) : 0;
	size_t i;
	json_t *p;

	json_array_foreach(parameters, i, p)
	{
		const json_t *text = json_object_get(p, "text");

		if (json_is_string(text))
			n += sb_characters(text);
	}
	return n;
}

static bool
check_parameters(SbCall *call, const SbTemplate *t, const char *where, const json_t *parameters,
				 int expected)
{
	size_t i;
	json_t *p;

	if ((int) json_array_size(parameters) != expected)
	{
		sb_refusef(
			call, 132000, 0, NULL,
			"%s: number of localizable_params (%zu) does not match the expected number of params (%d)",
			where, json_array_size(parameters), expected);
		return false;
	}
	json_array_foreach(parameters, i, p)
	{
		const char *type = json_string_value(json_object_get(p, "type"));
		const json_t *text = json_object_get(p, "text");
		const char *s;

		if (type == NULL || (strcmp(type, "text") != 0 && strcmp(type, "currency") != 0 &&
							 strcmp(type, "date_time") != 0 && strcmp(where, "button") != 0))
		{
			sb_refuse(call, 132012, 0, NULL, NULL);
			return false;
		}
		if (strcmp(type, "text") != 0)
			continue;
		if (!json_is_string(text) || json_string_length(text) == 0)
		{
			sb_refuse(call, 100, 0, NULL,
					  "Parameter 'text' is mandatory for component parameter type 'text'");
			return false;
		}
		if (t->named && strcmp(where, "body") == 0 && json_object_get(p, "parameter_name") == NULL)
		{
			sb_refuse(call, 132012, 0, NULL, "Parameter name is missing or empty");
			return false;
		}
		s = json_string_value(text);
		if (strpbrk(s, "\n\t\r") != NULL || strstr(s, "     ") != NULL)
		{
			sb_refuse(
				call, 132007, 0, NULL,
				"Param text cannot have new-line/tab characters or more than 4 consecutive spaces");
			return false;
		}
	}
	return true;
}

static bool
check_template(SbCall *call, SbNumber *number, const SbContent *c, const char **category)
{
	const char *name = json_string_value(json_object_get(c->part, "name"));
	const char *language =
		json_string_value(json_object_get(json_object_get(c->part, "language"), "code"));
	SbTemplate *t = sb_template(number->waba, name, language);
	const json_t *header = NULL, *body = NULL, *button = NULL;
	bool has_header = false;
	size_t i;
	json_t *one;

	if (t == NULL)
	{
		sb_refusef(call, 132001, 0, NULL, "template name (%.100s) does not exist in %.16s", name,
				   language);
		return false;
	}
	if (strcmp(t->status, "PAUSED") == 0 || strcmp(t->status, "DISABLED") == 0)
	{
		sb_refuse(call, t->status[0] == 'P' ? 132015 : 132016, 0, NULL, NULL);
		return false;
	}
	if (strcmp(t->status, "APPROVED") != 0)
	{
		sb_refusef(call, 132001, 0, NULL, "template name (%.100s) is not approved in %.16s", name,
				   language);
		return false;
	}
	json_array_foreach(json_object_get(c->part, "components"), i, one)
	{
		const char *type = json_string_value(json_object_get(one, "type"));
		const json_t *parameters = json_object_get(one, "parameters");

		if (type == NULL)
			return sb_missing(call, "template['components'][]['type']");
		if (parameters != NULL && !json_is_array(parameters))
			return sb_invalid(call, "component parameters are an array");
		if (strcasecmp(type, "header") == 0)
		{
			header = parameters;
			has_header = true;
		}
		else if (strcasecmp(type, "body") == 0)
			body = parameters;
		else if (strcasecmp(type, "button") == 0)
			button = parameters;
		else
			return sb_invalid(call, "component type is not valid");
	}
	if (t->header_format != NULL && strcmp(t->header_format, "TEXT") != 0)
	{
		const json_t *first = json_array_get(header, 0);
		const char *type = json_string_value(json_object_get(first, "type"));

		if (json_array_size(header) != 1)
		{
			sb_refusef(call, 132012, 0, NULL,
					   "header: Format mismatch, expected %s, received UNKNOWN", t->header_format);
			return false;
		}
		if (type == NULL || strcasecmp(type, t->header_format) != 0)
		{
			sb_refuse(call, 132008, 0, NULL, NULL);
			return false;
		}
	}
	else if ((has_header || t->header_params > 0) &&
			 !check_parameters(call, t, "header", header, t->header_params))
		return false;
	if (!check_parameters(call, t, "body", body, t->body_params) ||
		!check_parameters(call, t, "button", button, t->button_params))
		return false;
	if (hydrated_length(t, body) > 1024 + 64)
	{
		sb_refuse(call, 132005, 0, NULL, NULL);
		return false;
	}
	*category = strcmp(t->category, "MARKETING") == 0        ? "marketing"
				: strcmp(t->category, "AUTHENTICATION") == 0 ? "authentication"
															 : "utility";
	return true;
}

/* ---------- media ---------- */

/* An id of media belongs to the number that it was uploaded to, and lives thirty days. */
static bool
check_media_id(SbCall *call, const SbNumber *number, const SbContent *c)
{
	static const char *const types[] = {"image", "video", "audio", "document", "sticker"};
	const char *id = json_string_value(json_object_get(c->part, "id"));
	const SbMedia *m = sb_media(id);

	for (size_t i = 0; id != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(c->type, types[i]) == 0 &&
			(m == NULL || m->number == NULL || strcmp(m->number, number->id) != 0))
			return sb_invalid(call, "The media id does not exist or has expired.");
	return true;
}

/* ---------- read receipts ---------- */

static void
mark_read(SbCall *call, json_t *root)
{
	static const char *const names[] = {"messaging_product", "status", "message_id",
										"typing_indicator", NULL};
	const char *status = json_string_value(json_object_get(root, "status"));
	const char *id = json_string_value(json_object_get(root, "message_id"));
	const char *product = json_string_value(json_object_get(root, "messaging_product"));
	const json_t *typing = json_object_get(root, "typing_indicator");
	const char *type = json_string_value(json_object_get(typing, "type"));

	snprintf(call->note.type, sizeof(call->note.type), typing ? "typing" : "read");
	if (id != NULL)
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", id);
	if (product == NULL)
	{
		sb_missing(call, "messaging_product");
		return;
	}
	if (!sb_known_keys(call, root, "message", names))
		return;
	if (status == NULL || strcmp(status, "read") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) Param status must be one of {READ}.", NULL);
		return;
	}
	if (id == NULL)
	{
		sb_missing(call, "message_id");
		return;
	}
	if (typing != NULL && (type == NULL || strcmp(type, "text") != 0))
	{
		sb_refuse(call, 100, 0, "(#100) Param typing_indicator['type'] must be one of {TEXT}.",
				  NULL);
		return;
	}
	if (!sb_wamid_known(id))
	{
		sb_refuse(call, 131009, 0, NULL, "The message to mark as read does not exist.");
		return;
	}
	sb_answer_success(call);
}

/* ---------- the call ---------- */

/* What makes two sends the same message to the customer. */
static uint64_t
content_hash(const SbNumber *number, const Recipient *r, const SbContent *c)
{
	uint64_t h = sb_hash(number->id, strlen(number->id)) ^ sb_hash(r->key, strlen(r->key)) * 3;
	const char *text =
		strcmp(c->type, "text") == 0 ? json_string_value(json_object_get(c->part, "body")) : NULL;
	char *dump;

	if (text != NULL)
		return h ^ sb_hash(text, strlen(text)) * 5;
	dump = json_dumps(c->part, JSON_COMPACT | JSON_SORT_KEYS);
	if (dump != NULL)
	{
		h ^= sb_hash(dump, strlen(dump)) * 7;
		free(dump);
	}
	return h;
}

static void
answer_accepted(SbCall *call, const Recipient *r, const char *wamid)
{
	SbBuffer *b = &call->answer;

	call->status = 200;
	sb_adds(b, "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":");
	sb_addj(b, r->input);
	if (r->phone != NULL)
		sb_addf(b, ",\"wa_id\":\"%s\"", r->phone);
	else
	{
		sb_adds(b, ",\"user_id\":");
		sb_addj(b, r->user_id);
	}
	if (call->fault != NULL && call->fault->action == SB_FAULT_NO_ID)
		sb_adds(b, "}],\"messages\":[]}");
	else
		sb_addf(b, "}],\"messages\":[{\"id\":\"%s\"}]}", wamid);
}

static void
first_status_delivered(SbWait *wait)
{
	SbCall *call = wait->arg;

	call->waiting = NULL;
	free(wait);
	sb_call_finish(call);
}

void
sb_send_message(SbCall *call, SbNumber *number)
{
	json_t *root = call->json;
	SbContent c;
	Recipient r;
	SbPair *pair;
	SbWait *first = NULL;
	const char *category = "service";
	const char *hash;
	int64_t now = sb_now();
	bool is_template;
	bool open;
	int late = 0;
	int code = 0;

	call->note.route = "messages";
	if (!json_is_object(root))
	{
		sb_missing(call, "messaging_product"); /* nothing could be read from the body */
		return;
	}
	if (json_object_get(root, "status") != NULL)
	{
		if (check_sender(call, number))
			mark_read(call, root);
		return;
	}
	if (!sb_read_content(call, root, &c) || !check_sender(call, number) ||
		!find_recipient(call, number, root, &c, &r))
		return;
	if (number->test && !in_test_list(number, r.customer ? r.customer->phone : r.phone))
	{
		sb_refuse(call, 131030, 0, NULL, NULL);
		return;
	}
	hash = json_string_value(json_object_get(root, "recipient_identity_key_hash"));
	if (hash != NULL && r.customer != NULL && r.customer->identity_hash != NULL &&
		strcmp(hash, r.customer->identity_hash) != 0)
	{
		sb_refuse(call, 137000, 0, NULL, NULL);
		return;
	}
	if (!check_media_id(call, number, &c))
		return;
	is_template = strcmp(c.type, "template") == 0;
	if (is_template && !check_template(call, number, &c, &category))
		return;

	pair = sb_pair(number, r.key, true);
	if (sb_over_rate(number, now))
	{
		number->over_rate++;
		call->note.over_rate = true;
		if (sb_settings.enforce_limits)
		{
			sb_refuse(call, 130429, 0, NULL, NULL);
			return;
		}
	}
	if (sb_over_pair(number, pair, now))
	{
		number->over_pair++;
		call->note.over_pair = true;
		if (sb_settings.enforce_limits)
		{
			sb_refuse(call, 131056, 0, NULL, NULL);
			return;
		}
	}

	/* refusals about the recipient: now, or (number.late) as a status */
	open = pair != NULL && pair->last_inbound != 0 && now - pair->last_inbound < SB_WINDOW;
	if (r.customer ? !r.customer->on_whatsapp : !sb_settings.strangers)
		code = 131026;
	else if (r.customer != NULL && r.customer->refuse != 0)
		code = r.customer->refuse;
	else if (!open && !is_template)
	{
		number->outside_window++;
		call->note.outside_window = true;
		code = 131047;
	}
	else if (is_template && strcmp(category, "marketing") == 0 && r.customer != NULL &&
			 r.customer->stopped)
		code = 131050;
	if (code != 0)
	{
		const SbRefusal *refusal = sb_refusal(code, 0);

		if (!number->late || refusal == NULL || !refusal->recipient)
		{
			sb_refuse(call, code, 0, NULL, NULL);
			return;
		}
		late = code;
	}

	/* taken */
	sb_count_send(number, pair, now);
	call->note.accepted = late == 0;
	call->note.content = content_hash(number, &r, &c);
	if (call->fault != NULL && call->fault->action == SB_FAULT_SAME_ID && last_wamid[0] != '\0')
		memcpy(call->note.wamid, last_wamid, sizeof(last_wamid));
	else
		sb_new_wamid(r.phone ? r.phone : r.customer->phone, false, call->note.wamid);
	memcpy(last_wamid, call->note.wamid, sizeof(last_wamid));
	answer_accepted(call, &r, call->note.wamid);
	if (sb_settings.usage > 0)
	{
		call->extra_name = "X-App-Usage";
		sb_clear(&call->extra_value);
		sb_addf(&call->extra_value, "{\"call_count\":%d,\"total_cputime\":1,\"total_time\":2}",
				sb_settings.usage);
	}
	if (call->fault != NULL && call->fault->statuses == SB_STATUS_FIRST)
	{
		first = sb_alloc(sizeof(SbWait));
		first->done = first_status_delivered;
		first->arg = call;
		call->held = true;
		call->waiting = first;
		first->pending = 1; /* so that it is not done before all are raised */
	}
	sb_sent(
		&(SbSent){
			.number = number,
			.wamid = call->note.wamid,
			.phone = r.customer && r.customer->hidden ? NULL : r.phone,
			.user_id = r.user_id,
			.callback_data = call->note.callback_data,
			.category = category,
			.free = open && strcmp(category, "service") == 0,
			.reads = r.customer == NULL || r.customer->reads,
			.failed = late,
		},
		call->fault, first);
	if (first != NULL && --first->pending == 0)
	{
		/* no app is told: nothing to wait for */
		call->held = false;
		call->waiting = NULL;
		free(first);
	}
}
