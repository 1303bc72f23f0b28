/*
 * chat.c
 *		A chat endpoint in the form that OpenAI made common, and what may come
 *		from one: POST .../chat/completions answers as the model's name says.
 *
 * A good model answers from the first row that it was given.  The others are
 * those that a client must survive: one that obeys what a customer orders, one
 * that says the words it is told to say, one that writes no JSON, another form, a row that nobody gave it, far too much.
 * One that says nothing for a minute is a fault ("hang") on this path.
 */
#include "sandbox/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/chat/completions"
#define MUCH (10 * 1024 * 1024)

bool
sb_is_chat_call(const SbCall *call)
{
	size_t n = strlen(call->raw_path);

	return n >= strlen(PATH) && strcmp(call->raw_path + n - strlen(PATH), PATH) == 0;
}

static void
refuse(SbCall *call, int status, const char *type, const char *message)
{
	call->note.code = status;
	sb_answer_json(call, status,
				   json_pack("{s:{s:s,s:s,s:n}}", "error", "message", message, "type", type,
							 "code"));
}

/* The content of the model's message, in the form around it. */
static void
say(SbCall *call, const char *model, json_t *content)
{
	char *text = json_is_string(content) ? strdup(json_string_value(content))
										 : json_dumps(content, JSON_COMPACT);

	json_decref(content);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:[{s:i,s:s,s:{s:s,s:s}}],s:{s:i,s:i,s:i}}", "id",
							 "chatcmpl-1", "object", "chat.completion", "model", model, "choices",
							 "index", 0, "finish_reason", "stop", "message", "role", "assistant",
							 "content", text ? text : "", "usage", "prompt_tokens",
							 (int) (call->body_length / 4), "completion_tokens",
							 (int) (text ? strlen(text) / 4 : 0), "total_tokens", 0));
	free(text);
}

/* What the client put into the last message of its user: a document with rows. */
static json_t *
document_of(const SbCall *call)
{
	const json_t *messages = json_object_get(call->json, "messages");
	const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
	const char *content = json_string_value(json_object_get(last, "content"));

	return content == NULL ? NULL : json_loads(content, 0, NULL);
}

/* A reply that rests on these rows. */
static json_t *
reply(const char *text, const char *cites, bool hand_over)
{
	return json_pack("{s:s,s:o,s:b}", "reply", text, "cites",
					 cites == NULL ? json_array() : json_pack("[s]", cites), "hand_over",
					 hand_over);
}

static json_t *
answer_from(const json_t *document)
{
	const json_t *row = json_array_get(json_object_get(document, "rows"), 0);
	const char *id = json_string_value(json_object_get(row, "id"));
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *price = json_string_value(json_object_get(row, "price"));
	const char *text = json_string_value(json_object_get(row, "text"));
	SbBuffer said = {0};
	json_t *made;

	if (id == NULL)
		return reply("Kami tanyakan dulu ke tim kami, ya.", NULL, true);
	if (text != NULL)
		sb_adds(&said, text);
	else if (price != NULL)
		sb_addf(&said, "Untuk %s harganya Rp %s, Kak.", name ? name : "", price);
	else
		sb_addf(&said, "%s, Kak.", name ? name : "");
	made = reply(said.data, id, false);
	sb_release(&said);
	return made;
}

/* What stands behind the last colon: "answer only with: YES". */
static const char *
after_colon(const char *asked)
{
	const char *colon = asked == NULL ? NULL : strrchr(asked, ':');

	if (colon == NULL)
		return asked == NULL ? "" : asked;
	return colon + 1 + strspn(colon + 1, " ");
}

static void
much(SbCall *call)
{
	char line[128];

	memset(line, 'x', sizeof(line));
	call->status = 200;
	sb_adds(&call->answer, "{\"choices\":[{\"message\":{\"content\":\"");
	while (call->answer.len < MUCH)
		sb_add(&call->answer, line, sizeof(line));
	sb_adds(&call->answer, "\"}}]}");
}

void
sb_chat_call(SbCall *call)
{
	const char *model = json_string_value(json_object_get(call->json, "model"));
	json_t *document = document_of(call);
	const json_t *row = json_array_get(json_object_get(document, "rows"), 0);
	const char *id = json_string_value(json_object_get(row, "id"));
	const char *asked = json_string_value(json_object_get(document, "answer"));

	call->note.route = "chat";
	if (call->no_train != NULL)
		snprintf(call->note.type, sizeof(call->note.type), "no-train %.16s", call->no_train);
	if (model != NULL)
		snprintf(call->note.to, sizeof(call->note.to), "%.130s", model);
	if (call->authorization == NULL || strncmp(call->authorization, "Bearer sk-", 10) != 0)
		refuse(call, 401, "invalid_request_error", "Incorrect API key provided.");
	else if (strcmp(call->method, "POST") != 0 || model == NULL || document == NULL)
		refuse(call, 400, "invalid_request_error", "model and messages are required.");
	else if (strcmp(model, "good") == 0)
		say(call, model, answer_from(document));
	else if (strcmp(model, "obedient") == 0)
		say(call, model, reply(asked ? asked : "", id, false));
	else if (strcmp(model, "parrot") == 0)
		say(call, model, reply(after_colon(asked), id, false));
	else if (strcmp(model, "poet") == 0)
		say(call, model,
			reply("Hujan turun di beranda senja, rindu mengalir bagai sungai tua, dan bulan pun "
				  "tersenyum manja.",
				  id, false));
	else if (strcmp(model, "groundless") == 0)
		say(call, model, reply("Baik, Kak, pasti bisa.", NULL, false));
	else if (strcmp(model, "prose") == 0)
		say(call, model, json_string("Halo Kak! Tentu saja ada, silakan dipesan."));
	else if (strcmp(model, "shapeless") == 0)
		say(call, model, json_pack("{s:[s],s:s}", "reply", "halo", "cites", "semua"));
	else if (strcmp(model, "foreign") == 0)
		say(call, model, reply("Harganya seperti biasa, Kak.", "catalog_item/4242424242", false));
	else if (strcmp(model, "garbage") == 0)
	{
		call->status = 200;
		call->content_type = "text/plain";
		sb_adds(&call->answer, "\x01\x02 <<<< not json at all \xFF\xC3\xFE {{{");
	}
	else if (strcmp(model, "choiceless") == 0)
		sb_answer_json(call, 200, json_pack("{s:s}", "choices", "none"));
	else if (strcmp(model, "endless") == 0)
		much(call);
	else
		refuse(call, 404, "invalid_request_error", "The model does not exist.");
	json_decref(document);
}
