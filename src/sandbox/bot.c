/*
 * bot.c
 *		Telegram's Bot API as it answers a bot: getMe, setWebhook, deleteWebhook,
 *		getWebhookInfo, sendMessage, sendChatAction; and the control calls that play the people
 *		who write to it.
 *
 * Source: core.telegram.org/bots/api, "Making requests", "getMe", "setWebhook",
 * "sendMessage", "ResponseParameters". Descriptions are those commonly seen; a
 * client decides on error_code.
 */
#include "sandbox/bot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/control.h"
#include "sandbox/deliver.h"
#include "sandbox/fault.h"
#include "sandbox/media.h"
#include "sandbox/play.h"
#include "sandbox/table.h"

#define LONGEST_TEXT 4096
#define LONGEST_CAPTION 1024

typedef struct Chat
{
	char *id;
	char *name;
	bool blocked; /* the person stopped the bot */
	bool started; /* the person wrote, or pressed start */
	int64_t last_message;
} Chat;

typedef struct Bot
{
	char *id;
	char *token;
	char *label; /* stands for the token in ledger and answers */
	char *username;
	char *name;
	char *url; /* webhook, or NULL */
	char *secret;
	json_t *allowed; /* NULL: the usual ones */
	bool dead;       /* the token was revoked */
	int retry_after; /* sends are refused with 429 */
	int64_t last_update;
	uint64_t accepted;
	SbTable chats;
} Bot;

static SbTable bots; /* by id */

/* ---------- objects ---------- */

static void
drop_chat(void *p)
{
	Chat *c = p;

	free(c->id);
	free(c->name);
	free(c);
}

static void
drop_bot(void *p)
{
	Bot *b = p;

	sb_table_clear(&b->chats, drop_chat);
	json_decref(b->allowed);
	free(b->id);
	free(b->token);
	free(b->label);
	free(b->username);
	free(b->name);
	free(b->url);
	free(b->secret);
	free(b);
}

void
sb_bots_reset(void)
{
	sb_table_clear(&bots, drop_bot);
}

static Bot *
bot_of(const char *id)
{
	return id == NULL ? NULL : sb_table_get(&bots, id);
}

static Chat *
chat_of(Bot *bot, const char *id, bool make)
{
	Chat *c = sb_table_get(&bot->chats, id);

	if (c == NULL && make)
	{
		c = sb_alloc(sizeof(Chat));
		c->id = sb_strdup(id);
		sb_table_put(&bot->chats, c->id, c);
	}
	return c;
}

static bool
is_number(const char *s, size_t longest)
{
	return s != NULL && s[0] != '\0' && strlen(s) <= longest &&
		   strspn(s, "0123456789") == strlen(s);
}

/* ---------- answers ---------- */

static void
answer_result(SbCall *call, json_t *result)
{
	sb_answer_json(call, 200, json_pack("{s:b,s:o}", "ok", 1, "result", result));
}

void
sb_bot_refuse(SbCall *call, int code, const char *description, int retry_after)
{
	json_t *o;

	if (code == 429 && retry_after == 0)
		retry_after = 1;
	if (description == NULL)
		description = code == 401   ? "Unauthorized"
					  : code == 403 ? "Forbidden: bot was blocked by the user"
					  : code == 404 ? "Not Found"
					  : code == 429 ? "Too Many Requests"
					  : code >= 500 ? "Internal Server Error"
									: "Bad Request";
	o = json_pack("{s:b,s:i,s:s}", "ok", 0, "error_code", code, "description", description);
	if (retry_after > 0)
	{
		json_object_set_new(o, "description",
							json_sprintf("Too Many Requests: retry after %d", retry_after));
		json_object_set_new(o, "parameters", json_pack("{s:i}", "retry_after", retry_after));
	}
	call->note.code = code;
	call->note.accepted = false;
	sb_answer_json(call, code >= 400 && code < 600 ? code : 400, o);
}

/* ---------- the methods ---------- */

static json_t *
me_json(const Bot *bot)
{
	return json_pack("{s:I,s:b,s:s,s:s,s:b,s:b,s:b}", "id", (json_int_t) strtoll(bot->id, NULL, 10),
					 "is_bot", 1, "first_name", bot->name, "username", bot->username,
					 "can_join_groups", 1, "can_read_all_group_messages", 0,
					 "supports_inline_queries", 0);
}

static void
set_webhook(SbCall *call, Bot *bot)
{
	const char *url = json_string_value(json_object_get(call->json, "url"));
	const char *secret = json_string_value(json_object_get(call->json, "secret_token"));
	json_t *allowed = json_object_get(call->json, "allowed_updates");

	if (url != NULL && url[0] != '\0' && strncmp(url, "https://", 8) != 0 &&
		strncmp(url, "http://127.0.0.1", 16) != 0)
	{
		sb_bot_refuse(call, 400,
					  "Bad Request: bad webhook: An HTTPS URL must be provided for webhook", 0);
		return;
	}
	if (secret != NULL &&
		(secret[0] == '\0' || strlen(secret) > 256 ||
		 strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") !=
			 strlen(secret)))
	{
		sb_bot_refuse(call, 400, "Bad Request: secret token contains unallowed characters", 0);
		return;
	}
	if (allowed != NULL && !json_is_array(allowed))
	{
		sb_bot_refuse(call, 400, "Bad Request: can't parse allowed updates", 0);
		return;
	}
	sb_replace(&bot->url, url != NULL && url[0] != '\0' ? url : NULL);
	sb_replace(&bot->secret, secret);
	if (allowed != NULL)
	{
		json_decref(bot->allowed);
		bot->allowed = json_incref(allowed);
	}
	sb_answer_json(call, 200,
				   json_pack("{s:b,s:b,s:s}", "ok", 1, "result", 1, "description",
							 "Webhook was set"));
}

static void
delete_webhook(SbCall *call, Bot *bot)
{
	sb_replace(&bot->url, NULL);
	sb_replace(&bot->secret, NULL);
	sb_answer_json(call, 200,
				   json_pack("{s:b,s:b,s:s}", "ok", 1, "result", 1, "description",
							 "Webhook was deleted"));
}

static json_t *
webhook_json(const Bot *bot)
{
	json_t *o = json_pack("{s:s,s:b,s:i}", "url", bot->url ? bot->url : "",
						  "has_custom_certificate", 0, "pending_update_count", 0);

	if (bot->allowed != NULL)
		json_object_set(o, "allowed_updates", bot->allowed);
	return o;
}

/* chat_id is a number, or a string of digits; "@channel" is not played */
static bool
read_chat_id(const SbCall *call, char out[24])
{
	const json_t *id = json_object_get(call->json, "chat_id");

	if (json_is_integer(id))
		snprintf(out, 24, "%lld", (long long) json_integer_value(id));
	else if (is_number(json_string_value(id), 20))
		snprintf(out, 24, "%s", json_string_value(id));
	else
		return false;
	return true;
}

/* Length as the Bot API counts it: units of UTF-16. */
static size_t
units(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		if (((unsigned char) *s & 0xC0) != 0x80)
			n += (unsigned char) *s >= 0xF0 ? 2 : 1;
	return n;
}

/* The chat, where the bot may write into it; NULL after a refusal. */
static Chat *
open_chat(SbCall *call, Bot *bot, const char *id)
{
	Chat *chat = chat_of(bot, id, false);

	if (chat == NULL)
		sb_bot_refuse(call, 400, "Bad Request: chat not found", 0);
	else if (chat->blocked)
		sb_bot_refuse(call, 403, NULL, 0);
	else if (!chat->started)
		sb_bot_refuse(call, 403, "Forbidden: bot can't initiate conversation with a user", 0);
	else if (bot->retry_after > 0 && sb_settings.enforce_limits)
		sb_bot_refuse(call, 429, NULL, bot->retry_after);
	else
		return chat;
	return NULL;
}

static void
send_action(SbCall *call, Bot *bot)
{
	static const char *const actions[] = {
		"typing",        "upload_photo",      "record_video",      "upload_video",
		"record_voice",  "upload_voice",      "upload_document",   "choose_sticker",
		"find_location", "record_video_note", "upload_video_note", NULL};
	const char *action = json_string_value(json_object_get(call->json, "action"));
	char id[24];
	int i = 0;

	snprintf(call->note.type, sizeof(call->note.type), "%.16s", action ? action : "");
	if (!read_chat_id(call, id))
	{
		sb_bot_refuse(call, 400, "Bad Request: chat_id is empty", 0);
		return;
	}
	snprintf(call->note.to, sizeof(call->note.to), "%s", id);
	while (actions[i] != NULL && (action == NULL || strcmp(actions[i], action) != 0))
		i++;
	if (actions[i] == NULL)
		sb_bot_refuse(call, 400, "Bad Request: wrong parameter action in request", 0);
	else if (open_chat(call, bot, id) != NULL)
		answer_result(call, json_true());
}

static void
send_message(SbCall *call, Bot *bot)
{
	const char *text = json_string_value(json_object_get(call->json, "text"));
	char id[24];
	Chat *chat;

	snprintf(call->note.type, sizeof(call->note.type), "text");
	if (!read_chat_id(call, id))
	{
		sb_bot_refuse(call, 400, "Bad Request: chat_id is empty", 0);
		return;
	}
	snprintf(call->note.to, sizeof(call->note.to), "%s", id);
	if (text == NULL || text[strspn(text, " \n\t\r")] == '\0')
	{
		sb_bot_refuse(call, 400, "Bad Request: message text is empty", 0);
		return;
	}
	if (units(text) > LONGEST_TEXT)
	{
		sb_bot_refuse(call, 400, "Bad Request: message is too long", 0);
		return;
	}
	chat = open_chat(call, bot, id);
	if (chat != NULL)
	{
		json_t *message;

		chat->last_message++;
		bot->accepted++;
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s:%lld", id,
				 (long long) chat->last_message);
		call->note.accepted = true;
		call->note.content = sb_hash(text, strlen(text)) ^ sb_hash(id, strlen(id)) * 3 ^
							 sb_hash(bot->id, strlen(bot->id)) * 5;
		message = json_pack("{s:I,s:o,s:{s:I,s:s},s:I,s:s}", "message_id",
							(json_int_t) chat->last_message, "from", me_json(bot), "chat", "id",
							(json_int_t) strtoll(id, NULL, 10), "type", "private", "date",
							(json_int_t) (sb_now() / SB_SECOND), "text", text);
		if (call->fault != NULL && call->fault->action == SB_FAULT_NO_ID)
			json_object_del(message, "message_id");
		answer_result(call, message);
	}
}

/* ---------- files that a bot sends ---------- */

static const struct
{
	const char *method;
	const char *field;
	size_t most;
} uploads[] = {
	{"sendPhoto", "photo", 10 << 20},       {"sendVideo", "video", 50 << 20},
	{"sendAudio", "audio", 50 << 20},       {"sendVoice", "voice", 50 << 20},
	{"sendDocument", "document", 50 << 20},
};

/* Sends what a form holds; false: that is no such method. */
static bool
send_file(SbCall *call, Bot *bot, const char *method)
{
	size_t i = 0;
	SbUpload file;
	const char *id;
	const char *caption;
	Chat *chat;
	json_t *message;

	while (i < sizeof(uploads) / sizeof(uploads[0]) && strcmp(uploads[i].method, method) != 0)
		i++;
	if (i == sizeof(uploads) / sizeof(uploads[0]))
		return false;
	snprintf(call->note.type, sizeof(call->note.type), "%s", uploads[i].field);
	if (!sb_read_multipart(call, &file) || (id = sb_param(call, "chat_id")) == NULL ||
		!is_number(id, 20))
	{
		sb_bot_refuse(call, 400, "Bad Request: chat_id is empty", 0);
		return true;
	}
	snprintf(call->note.to, sizeof(call->note.to), "%s", id);
	caption = sb_param(call, "caption");
	chat = chat_of(bot, id, false);
	if (file.field == NULL || strcmp(file.field, uploads[i].field) != 0 || file.n == 0)
		sb_bot_refuse(call, 400, "Bad Request: there is no file in the request", 0);
	else if (file.n > uploads[i].most)
		sb_bot_refuse(call, 413, "Request Entity Too Large", 0);
	else if (caption != NULL && units(caption) > LONGEST_CAPTION)
		sb_bot_refuse(call, 400, "Bad Request: message caption is too long", 0);
	else if (chat == NULL)
		sb_bot_refuse(call, 400, "Bad Request: chat not found", 0);
	else if (chat->blocked)
		sb_bot_refuse(call, 403, NULL, 0);
	else
	{
		SbMedia *m = sb_new_media(file.mime, file.bytes, file.n);

		m->bot = sb_strdup(bot->id);
		m->filename = sb_strdup(file.filename);
		chat->last_message++;
		bot->accepted++;
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s:%lld", id,
				 (long long) chat->last_message);
		call->note.accepted = true;
		call->note.content = sb_hash(file.bytes, file.n) ^ sb_hash(id, strlen(id)) * 3;
		message =
			json_pack("{s:I,s:o,s:{s:I,s:s},s:I,s:{s:s,s:s,s:I},s:s*}", "message_id",
					  (json_int_t) chat->last_message, "from", me_json(bot), "chat", "id",
					  (json_int_t) strtoll(id, NULL, 10), "type", "private", "date",
					  (json_int_t) (sb_now() / SB_SECOND), uploads[i].field, "file_id", m->id,
					  "mime_type", m->mime, "file_size", (json_int_t) m->n, "caption", caption);
		answer_result(call, message);
	}
	return true;
}

/* ---------- files ---------- */

/* a bot is given files of up to 20 MB */
#define LARGEST_FILE (20 << 20)

static SbMedia *
file_of(const Bot *bot, const char *id)
{
	SbMedia *m = sb_media(id);

	return m != NULL && m->bot != NULL && strcmp(m->bot, bot->id) == 0 ? m : NULL;
}

static void
get_file(SbCall *call, Bot *bot)
{
	const SbMedia *m = file_of(bot, json_string_value(json_object_get(call->json, "file_id")));

	if (m == NULL)
		sb_bot_refuse(call, 400,
					  "Bad Request: wrong file_id or the file is temporarily unavailable", 0);
	else if (m->n > LARGEST_FILE)
		sb_bot_refuse(call, 400, "Bad Request: file is too big", 0);
	else
		answer_result(call, json_pack("{s:s,s:s,s:I,s:o}", "file_id", m->id, "file_unique_id",
									  m->id, "file_size", (json_int_t) m->n, "file_path",
									  json_sprintf("documents/file_%s.bin", m->id)));
}

/* GET /file/bot{token}/documents/file_{id}.bin */
static void
give_file(SbCall *call, Bot *bot)
{
	char id[32] = "";
	SbMedia *m;

	call->note.route = "file";
	if (call->nparts == 4)
		sscanf(call->parts[3], "file_%31[0-9].bin", id);
	m = file_of(bot, id);
	if (m == NULL)
		sb_bot_refuse(call, 404, NULL, 0);
	else
		sb_media_bytes(call, m);
}

/* ---------- the call ---------- */

/* Where the token stands: of a call first, of a file second. */
static const char *
token_part(const SbCall *call)
{
	bool file = call->nparts > 1 && strcmp(call->parts[0], "file") == 0;
	const char *part = call->nparts == 0 ? "" : call->parts[file ? 1 : 0];

	return strncmp(part, "bot", 3) == 0 && strchr(part, ':') != NULL ? part + 3 : NULL;
}

bool
sb_is_bot_call(const SbCall *call)
{
	return token_part(call) != NULL;
}

/* The bot that a token names, dead or alive; NULL where no bot has that token. */
static Bot *
bot_of_call(const SbCall *call)
{
	const char *token = token_part(call);
	char id[24];
	size_t n = strcspn(token, ":");
	Bot *bot;

	if (n == 0 || n >= sizeof(id))
		return NULL;
	memcpy(id, token, n);
	id[n] = '\0';
	bot = bot_of(id);
	return bot != NULL && strcmp(bot->token, token) == 0 ? bot : NULL;
}

void
sb_bot_note(SbCall *call)
{
	Bot *bot = bot_of_call(call);
	char id[24];

	if (bot != NULL)
	{
		call->note.number = bot->id;
		call->note.token = bot->label;
	}
	if (read_chat_id(call, id))
		snprintf(call->note.to, sizeof(call->note.to), "%s", id);
}

void
sb_bot_call(SbCall *call)
{
	const char *method = call->nparts == 2 ? call->parts[1] : "";
	Bot *bot = bot_of_call(call);

	call->note.route = "bot";
	if (bot == NULL || bot->dead)
	{
		sb_bot_refuse(call, 401, NULL, 0);
		return;
	}
	call->note.number = bot->id;
	call->note.token = bot->label;
	if (strcmp(call->parts[0], "file") == 0)
		give_file(call, bot);
	else if (strcmp(method, "getMe") == 0)
		answer_result(call, me_json(bot));
	else if (strcmp(method, "setWebhook") == 0)
		set_webhook(call, bot);
	else if (strcmp(method, "deleteWebhook") == 0)
		delete_webhook(call, bot);
	else if (strcmp(method, "getWebhookInfo") == 0)
		answer_result(call, webhook_json(bot));
	else if (strcmp(method, "sendMessage") == 0)
		send_message(call, bot);
	else if (strcmp(method, "sendChatAction") == 0)
		send_action(call, bot);
	else if (strcmp(method, "getFile") == 0)
		get_file(call, bot);
	else if (!send_file(call, bot, method))
		sb_bot_refuse(call, 404, NULL, 0);
}

/* ---------- control calls ---------- */

void
sb_put_bot(SbCall *call)
{
	static const char *const names[] = {"id",   "token",       "username", "name",
										"dead", "retry_after", NULL};
	const char *id = sb_text_of(call, "id");
	Bot *bot = bot_of(id);
	static unsigned made;

	if (!sb_only(call, names))
		return;
	if (id != NULL && !is_number(id, 19))
	{
		sb_wrong(call, "the id of a bot is a number");
		return;
	}
	if (bot == NULL)
	{
		char letters[36];
		SbBuffer text = {0};

		bot = sb_alloc(sizeof(Bot));
		bot->id = id ? sb_strdup(id) : sb_new_id();
		sb_random_text(letters, 33,
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
		sb_addf(&text, "%s:AA%.33s", bot->id, letters);
		bot->token = sb_strdup(text.data);
		sb_clear(&text);
		sb_addf(&text, "bot-%u", ++made);
		bot->label = sb_strdup(text.data);
		sb_clear(&text);
		sb_addf(&text, "shop%s_bot", bot->id);
		bot->username = sb_strdup(text.data);
		sb_release(&text);
		bot->name = sb_strdup("Sandbox bot");
		sb_table_put(&bots, bot->id, bot);
	}
	if (sb_text_of(call, "token") != NULL)
		sb_replace(&bot->token, sb_text_of(call, "token"));
	if (sb_text_of(call, "username") != NULL)
		sb_replace(&bot->username, sb_text_of(call, "username"));
	if (sb_text_of(call, "name") != NULL)
		sb_replace(&bot->name, sb_text_of(call, "name"));
	sb_update_flag(call, "dead", &bot->dead);
	sb_update_int(call, "retry_after", &bot->retry_after);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:s,s:o,s:I}", "id", bot->id, "token", bot->token,
							 "label", bot->label, "username", bot->username, "webhook",
							 webhook_json(bot), "accepted", (json_int_t) bot->accepted));
}

/* The bot and chat of a control call; false after an answer. */
static bool
read_bot_and_chat(SbCall *call, Bot **bot, Chat **chat)
{
	const char *id = sb_text_of(call, "from");

	*bot = bot_of(sb_text_of(call, "bot"));
	if (*bot == NULL)
		sb_unknown(call, "bot");
	else if (!is_number(id, 18))
		sb_wrong(call, "from is the number of a person");
	else
	{
		*chat = chat_of(*bot, id, true);
		sb_update_text(call, "name", &(*chat)->name);
		return true;
	}
	return false;
}

void
sb_put_chat(SbCall *call)
{
	static const char *const names[] = {"bot", "from", "name", "blocked", "started", NULL};
	Bot *bot;
	Chat *chat;

	if (!sb_only(call, names) || !read_bot_and_chat(call, &bot, &chat))
		return;
	sb_update_flag(call, "blocked", &chat->blocked);
	sb_update_flag(call, "started", &chat->started);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:b,s:b}", "from", chat->id, "blocked", chat->blocked, "started",
							 chat->started));
}

/* Is an update of that kind sent to the bot? */
static bool
is_allowed(const Bot *bot, const char *kind)
{
	size_t i;
	json_t *one;

	if (bot->allowed == NULL || json_array_size(bot->allowed) == 0)
		return strcmp(kind, "message_reaction") != 0;
	json_array_foreach(bot->allowed, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), kind) == 0)
			return true;
	return false;
}

/* Sends an update, which is taken over, and answers the control call. */
static void
deliver(SbCall *call, Bot *bot, json_t *update, json_t *answer)
{
	SbWait *wait = sb_play_begin(call);
	bool told = false;
	const char *key;
	json_t *value;
	bool allowed = false;

	json_object_foreach(update, key, value)
		allowed = allowed || is_allowed(bot, key);
	json_object_set_new(update, "update_id", json_integer(++bot->last_update + 500000000));
	if (bot->url != NULL && allowed)
	{
		char *text = json_dumps(update, JSON_COMPACT);

		told = sb_update(bot->url, bot->secret, text, wait);
		free(text);
	}
	json_decref(update);
	json_object_set_new(answer, "told", json_boolean(told));
	sb_play_end(call, wait, answer);
}

void
sb_play_bot_message(SbCall *call)
{
	static const char *const names[] = {"bot", "from", "name", "text", "message", "wait", NULL};
	const char *text = sb_text_of(call, "text");
	const json_t *body = json_object_get(call->json, "message");
	Bot *bot;
	Chat *chat;
	json_t *message;
	json_int_t id;

	if (!sb_only(call, names) || !read_bot_and_chat(call, &bot, &chat))
		return;
	if ((text == NULL) == !json_is_object(body))
	{
		sb_wrong(call, "give text, or message as an object");
		return;
	}
	chat->started = true;
	id = (json_int_t) strtoll(chat->id, NULL, 10);
	message = json_pack("{s:I,s:{s:I,s:b,s:s},s:{s:I,s:s,s:s},s:I}", "message_id",
						(json_int_t) ++chat->last_message, "from", "id", id, "is_bot", 0,
						"first_name", chat->name ? chat->name : chat->id, "chat", "id", id, "type",
						"private", "first_name", chat->name ? chat->name : chat->id, "date",
						(json_int_t) (sb_now() / SB_SECOND));
	if (text != NULL)
		json_object_set_new(message, "text", json_string(text));
	else
		json_object_update(message, (json_t *) body);
	deliver(call, bot, json_pack("{s:o}", "message", message),
			json_pack("{s:o}", "id",
					  json_sprintf("%s:%lld", chat->id, (long long) chat->last_message)));
}

/* Any update, as it stands in a webhook but for its number. */
void
sb_play_bot_update(SbCall *call)
{
	static const char *const names[] = {"bot", "update", "wait", NULL};
	Bot *bot = bot_of(sb_text_of(call, "bot"));
	const json_t *update = json_object_get(call->json, "update");

	if (!sb_only(call, names))
		return;
	if (bot == NULL)
		sb_unknown(call, "bot");
	else if (!json_is_object(update))
		sb_wrong(call, "update is an object");
	else
		deliver(call, bot, json_deep_copy(update), json_object());
}
