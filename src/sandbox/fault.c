/*
 * fault.c
 *		Scripted faults: reading, matching, using up.
 */
#include "sandbox/fault.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/refusal.h"

static const struct
{
	const char *name;
	SbAction action;
	bool accept; /* by default */
} actions[] = {
	{"none", SB_FAULT_NONE, true},
	{"reset_before_body", SB_FAULT_RESET_BEFORE_BODY, false},
	{"reset_after_body", SB_FAULT_RESET_AFTER_BODY, true},
	{"reset_mid_answer", SB_FAULT_RESET_MID_ANSWER, true},
	{"close_unanswered", SB_FAULT_CLOSE_UNANSWERED, true},
	{"close_after_answer", SB_FAULT_CLOSE_AFTER_ANSWER, true},
	{"http_error", SB_FAULT_HTTP_ERROR, false},
	{"refuse", SB_FAULT_REFUSE, false},
	{"malformed", SB_FAULT_MALFORMED, true},
	{"no_id", SB_FAULT_NO_ID, true},
	{"same_id", SB_FAULT_SAME_ID, true},
	{"hang", SB_FAULT_HANG, true},
};

static const char *const status_faults[] = {"normal", "never",  "twice",
											"first",  "failed", "reversed"};

static SbFault *faults;
static int last_id;

#define LENGTH(a) ((int) (sizeof(a) / sizeof((a)[0])))

const char *
sb_fault_name(const SbFault *fault)
{
	for (int i = 0; i < LENGTH(actions); i++)
		if (actions[i].action == fault->action)
			return actions[i].name;
	return "none";
}

bool
sb_fault_before_body(void)
{
	for (SbFault *f = faults; f != NULL; f = f->next)
		if (f->action == SB_FAULT_RESET_BEFORE_BODY)
			return true;
	return false;
}

static bool
contains(const char *data, size_t n, const char *what)
{
	return memmem(data, n, what, strlen(what)) != NULL;
}

static bool
matches(const SbFault *f, const SbCall *call, bool complete)
{
	if ((f->action == SB_FAULT_RESET_BEFORE_BODY) == complete)
		return false;
	if (f->method && strcmp(f->method, call->method) != 0)
		return false;
	if (f->path && strstr(call->raw_path, f->path) == NULL)
		return false;
	if (f->route && (call->nparts == 0 || strcmp(f->route, call->parts[call->nparts - 1]) != 0))
		return false;
	if (f->number && (call->nparts == 0 || strcmp(f->number, call->parts[0]) != 0))
		return false;
	if (f->reused && call->nth < 2)
		return false;
	if (f->to != NULL)
	{
		const char *to = call->json ? json_string_value(json_object_get(call->json, "to")) : NULL;

		if (to == NULL || strcmp(to[0] == '+' ? to + 1 : to, f->to) != 0)
			return false;
	}
	if (f->text && !contains(call->body, call->body_length, f->text))
		return false;
	return true;
}

static void
drop(SbFault *f)
{
	free(f->callback_data);
	free(f->method);
	free(f->route);
	free(f->path);
	free(f->number);
	free(f->to);
	free(f->text);
	free(f);
}

static void
unlink_fault(SbFault *fault)
{
	for (SbFault **p = &faults; *p != NULL; p = &(*p)->next)
	{
		if (*p == fault)
		{
			*p = fault->next;
			break;
		}
	}
	fault->next = NULL;
	fault->spent = true;
	if (fault->users == 0)
		drop(fault);
}

SbFault *
sb_fault_for(const SbCall *call, bool complete)
{
	for (SbFault *f = faults; f != NULL; f = f->next)
	{
		if (!matches(f, call, complete))
			continue;
		if (f->skip > 0)
		{
			f->skip--;
			continue;
		}
		f->hits++;
		f->users++;
		if (f->times > 0 && f->hits >= f->times)
			unlink_fault(f);
		return f;
	}
	return NULL;
}

void
sb_fault_release(SbFault *fault)
{
	if (--fault->users == 0 && fault->spent)
		drop(fault);
}

static char *
text_of(const json_t *spec, const char *name)
{
	return sb_strdup(json_string_value(json_object_get(spec, name)));
}

static int
int_of(const json_t *spec, const char *name, int otherwise)
{
	const json_t *v = json_object_get(spec, name);

	return json_is_integer(v) ? (int) json_integer_value(v) : otherwise;
}

SbFault *
sb_fault_add(const json_t *spec, const char **why)
{
	static const char *const names[] = {"action",  "statuses",    "delay_ms",
										"accept",  "http_status", "code",
										"subcode", "status_code", "callback_data",
										"match",   "skip",        "times",
										NULL};
	static const char *const match_names[] = {"method", "route", "path",   "number",
											  "to",     "text",  "reused", NULL};
	const char *action = json_string_value(json_object_get(spec, "action"));
	const char *statuses = json_string_value(json_object_get(spec, "statuses"));
	const json_t *match = json_object_get(spec, "match");
	const json_t *accept = json_object_get(spec, "accept");
	const json_t *data = json_object_get(spec, "callback_data");
	const char *key;
	json_t *value;
	SbFault *f;
	SbFault **tail;
	int i, s = 0;

	json_object_foreach((json_t *) spec, key, value)
	{
		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] == NULL)
		{
			*why = "unknown key in the fault";
			return NULL;
		}
	}
	json_object_foreach((json_t *) match, key, value)
	{
		for (i = 0; match_names[i] != NULL && strcmp(match_names[i], key) != 0; i++)
			;
		if (match_names[i] == NULL)
		{
			*why = "unknown key in match";
			return NULL;
		}
	}
	for (i = 0; i < LENGTH(actions); i++)
		if (strcmp(actions[i].name, action ? action : "none") == 0)
			break;
	if (i == LENGTH(actions))
	{
		*why = "unknown action";
		return NULL;
	}
	if (statuses != NULL)
	{
		for (s = 0; s < LENGTH(status_faults) && strcmp(status_faults[s], statuses) != 0; s++)
			;
		if (s == LENGTH(status_faults))
		{
			*why = "unknown statuses";
			return NULL;
		}
	}
	f = sb_alloc(sizeof(SbFault));
	f->id = ++last_id;
	f->action = actions[i].action;
	f->accept = accept ? json_is_true(accept) : actions[i].accept;
	f->statuses = (SbStatusFault) s;
	f->delay_ms = int_of(spec, "delay_ms", 0);
	f->http_status = int_of(spec, "http_status", 502);
	f->code = int_of(spec, "code", 131000);
	f->subcode = int_of(spec, "subcode", 0);
	f->status_code = int_of(spec, "status_code", 131026);
	f->change_callback_data = data != NULL;
	f->callback_data = sb_strdup(json_string_value(data));
	f->skip = int_of(spec, "skip", 0);
	f->times = int_of(spec, "times", 1);
	f->method = text_of(match, "method");
	f->route = text_of(match, "route");
	f->path = text_of(match, "path");
	f->number = text_of(match, "number");
	f->to = text_of(match, "to");
	f->text = text_of(match, "text");
	f->reused = json_is_true(json_object_get(match, "reused"));
	if (f->http_status < 200 || f->http_status > 599)
	{
		*why = "http_status is between 200 and 599";
		drop(f);
		return NULL;
	}
	for (tail = &faults; *tail != NULL; tail = &(*tail)->next)
		;
	*tail = f;
	return f;
}

bool
sb_fault_remove(int id)
{
	SbFault *f = faults;
	bool found = false;

	while (f != NULL)
	{
		SbFault *next = f->next;

		if (id == 0 || f->id == id)
		{
			unlink_fault(f);
			found = true;
		}
		f = next;
	}
	return found || id == 0;
}

json_t *
sb_fault_list(void)
{
	json_t *list = json_array();

	for (SbFault *f = faults; f != NULL; f = f->next)
		json_array_append_new(list,
							  json_pack("{s:i,s:s,s:s,s:i,s:i,s:i}", "id", f->id, "action",
										sb_fault_name(f), "statuses", status_faults[f->statuses],
										"skip", f->skip, "times", f->times, "hits", f->hits));
	return list;
}
