/*
 * content.c
 *		What Meta demands of a message by itself, whoever sends it to whom: the
 *		shape of the request and the content of its type.
 *
 * Lengths of texts are counted in characters, as Meta does for WhatsApp.
 */
#include "sandbox/content.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/refusal.h"
#include "sandbox/world.h"

#define MAX_TEXT 4096
#define MAX_CAPTION 1024
#define MAX_CALLBACK_DATA 512

/* ---------- helpers ---------- */

size_t
sb_characters(const json_t *s)
{
	const char *p = json_string_value(s);
	size_t n = 0;

	for (; *p != '\0'; p++)
		if (((unsigned char) *p & 0xC0) != 0x80)
			n++;
	return n;
}

bool
sb_missing(SbCall *call, const char *path)
{
	char message[160];

	snprintf(message, sizeof(message), "(#100) The parameter %s is required.", path);
	sb_refuse(call, 100, 0, message, NULL);
	return false;
}

bool
sb_invalid(SbCall *call, const char *details)
{
	sb_refuse(call, 131009, 0, NULL, details);
	return false;
}

/* A string of min..max characters at object[name], else a refusal. */
static bool
text_within(SbCall *call, const json_t *object, const char *name, const char *path, size_t min,
			size_t max)
{
	const json_t *s = json_object_get(object, name);
	char message[200];

	if (s == NULL || json_is_null(s) ||
		(json_is_string(s) && json_string_length(s) == 0 && min > 0))
		return sb_missing(call, path);
	if (!json_is_string(s))
	{
		snprintf(message, sizeof(message), "(#100) Param %s must be a string.", path);
		sb_refuse(call, 100, 0, message, NULL);
		return false;
	}
	if (sb_characters(s) > max)
	{
		snprintf(message, sizeof(message), "(#100) Param %s must be at most %zu characters long.",
				 path, max);
		sb_refuse(call, 100, 0, message, NULL);
		return false;
	}
	return true;
}

/* A string of 1..max characters inside an interactive object (131009). */
static bool
label_within(SbCall *call, const json_t *object, const char *name, const char *what, size_t max)
{
	const json_t *s = json_object_get(object, name);
	char details[160];

	if (!json_is_string(s) || json_string_length(s) == 0 || sb_characters(s) > max)
	{
		snprintf(details, sizeof(details), "%s length invalid. Min length: 1, Max length: %zu",
				 what, max);
		return sb_invalid(call, details);
	}
	return true;
}

bool
sb_known_keys(SbCall *call, const json_t *object, const char *path, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *) object, key, value)
	{
		int i;

		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] == NULL)
		{
			char message[200];

			snprintf(message, sizeof(message), "(#100) Unexpected key \"%.60s\" on param \"%s\".",
					 key, path);
			sb_refuse(call, 100, 0, message, NULL);
			return false;
		}
	}
	return true;
}

/* ---------- content, by type ---------- */

static bool
check_text(SbCall *call, const SbContent *c)
{
	static const char *const names[] = {"body", "preview_url", NULL};
	const json_t *preview = json_object_get(c->part, "preview_url");

	if (!sb_known_keys(call, c->part, "text", names) ||
		!text_within(call, c->part, "body", "text['body']", 1, MAX_TEXT))
		return false;
	if (preview != NULL && !json_is_boolean(preview) && !json_is_null(preview))
	{
		sb_refuse(call, 100, 0, "(#100) Param text['preview_url'] must be a boolean.", NULL);
		return false;
	}
	return true;
}

static bool
check_media(SbCall *call, const SbContent *c)
{
	static const char *const names[] = {"id",       "link",  "caption", "filename",
										"provider", "voice", NULL};
	const json_t *id = json_object_get(c->part, "id");
	const json_t *link = json_object_get(c->part, "link");
	char path[64];

	if (!sb_known_keys(call, c->part, c->type, names))
		return false;
	if ((id == NULL) == (link == NULL))
	{
		snprintf(path, sizeof(path), "%s['id'] or ['link'] (exactly one)", c->type);
		return sb_missing(call, path);
	}
	if ((id != NULL && !json_is_string(id)) || (link != NULL && !json_is_string(link)))
		return sb_invalid(call, "media id and link are strings");
	if (link != NULL && strncmp(json_string_value(link), "https://", 8) != 0)
	{
		sb_refuse(call, 131053, 0, NULL, "The media link is not a public https address.");
		return false;
	}
	if (json_object_get(c->part, "caption") != NULL)
	{
		if (strcmp(c->type, "audio") == 0 || strcmp(c->type, "sticker") == 0)
		{
			snprintf(path, sizeof(path), "(#100) Unexpected key \"caption\" on param \"%s\".",
					 c->type);
			sb_refuse(call, 100, 0, path, NULL);
			return false;
		}
		snprintf(path, sizeof(path), "%s['caption']", c->type);
		return text_within(call, c->part, "caption", path, 0, MAX_CAPTION);
	}
	return true;
}

static bool
check_location(SbCall *call, const SbContent *c)
{
	const char *names[] = {"latitude", "longitude"};
	double bound[] = {90, 180};

	for (int i = 0; i < 2; i++)
	{
		const json_t *v = json_object_get(c->part, names[i]);
		char path[48];
		double value;

		snprintf(path, sizeof(path), "location['%s']", names[i]);
		if (v == NULL)
			return sb_missing(call, path);
		if (json_is_string(v))
		{
			if (sscanf(json_string_value(v), "%lf", &value) != 1)
				return sb_invalid(call, "latitude and longitude are numbers");
		}
		else if (json_is_number(v))
			value = json_number_value(v);
		else
			return sb_invalid(call, "latitude and longitude are numbers");
		if (!(value >= -bound[i] && value <= bound[i]))
			return sb_invalid(call, "latitude or longitude out of range");
	}
	return true;
}

static bool
check_contacts(SbCall *call, const SbContent *c)
{
	size_t i;
	json_t *one;

	if (!json_is_array(c->part) || json_array_size(c->part) == 0)
		return sb_missing(call, "contacts");
	json_array_foreach(c->part, i, one)
		if (!text_within(call, json_object_get(one, "name"), "formatted_name",
						 "contacts[]['name']['formatted_name']", 1, 256))
			return false;
	return true;
}

static bool
check_reaction(SbCall *call, const SbContent *c)
{
	const char *id;

	if (!text_within(call, c->part, "message_id", "reaction['message_id']", 1, 256) ||
		!text_within(call, c->part, "emoji", "reaction['emoji']", 0, 16))
		return false;
	id = json_string_value(json_object_get(c->part, "message_id"));
	if (!sb_wamid_known(id))
		return sb_invalid(call, "The message to react to does not exist.");
	return true;
}

static bool
check_interactive_list(SbCall *call, const json_t *action)
{
	const json_t *sections = json_object_get(action, "sections");
	size_t nsections = json_array_size(sections);
	size_t rows = 0;
	size_t i, k;
	json_t *section, *row;

	if (!label_within(call, action, "button", "Button label", 20))
		return false;
	if (nsections == 0 || nsections > 10)
		return sb_invalid(call, "Sections number invalid. Min: 1, Max: 10");
	json_array_foreach(sections, i, section)
	{
		if (nsections > 1 && !label_within(call, section, "title", "Section title", 24))
			return false;
		json_array_foreach(json_object_get(section, "rows"), k, row)
		{
			rows++;
			if (!label_within(call, row, "id", "Row id", 200) ||
				!label_within(call, row, "title", "Row title", 24))
				return false;
			if (json_object_get(row, "description") != NULL &&
				!label_within(call, row, "description", "Row description", 72))
				return false;
		}
	}
	if (rows == 0 || rows > 10)
		return sb_invalid(call, "Total row count invalid. Min: 1, Max: 10");
	return true;
}

static bool
check_interactive_buttons(SbCall *call, const json_t *action)
{
	const json_t *buttons = json_object_get(action, "buttons");
	size_t n = json_array_size(buttons);
	size_t i, k;
	json_t *button, *other;

	if (n == 0 || n > 3)
		return sb_invalid(call,
						  "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3");
	json_array_foreach(buttons, i, button)
	{
		const json_t *reply = json_object_get(button, "reply");
		const char *type = json_string_value(json_object_get(button, "type"));

		if (type == NULL || strcmp(type, "reply") != 0)
			return sb_invalid(call, "Button type is reply");
		if (!label_within(call, reply, "id", "Button id", 256) ||
			!label_within(call, reply, "title", "Button title", 20))
			return false;
		json_array_foreach(buttons, k, other)
			if (k != i && json_equal(json_object_get(json_object_get(other, "reply"), "title"),
									 json_object_get(reply, "title")))
				return sb_invalid(call, "Button titles have to be different");
	}
	return true;
}

static bool
check_interactive(SbCall *call, const SbContent *c)
{
	static const char *const others[] = {"cta_url",         "flow",
										 "product",         "product_list",
										 "catalog_message", "location_request_message",
										 "address_message", NULL};
	const char *type = json_string_value(json_object_get(c->part, "type"));
	const json_t *action = json_object_get(c->part, "action");
	int i;

	if (type == NULL)
		return sb_missing(call, "interactive['type']");
	if (!json_is_object(action))
		return sb_missing(call, "interactive['action']");
	if (strcmp(type, "product") != 0 &&
		!label_within(call, json_object_get(c->part, "body"), "text", "Body text", 1024))
		return false;
	if (strcmp(type, "button") == 0)
		return check_interactive_buttons(call, action);
	if (strcmp(type, "list") == 0)
		return check_interactive_list(call, action);
	for (i = 0; others[i] != NULL; i++)
		if (strcmp(others[i], type) == 0)
			return true;
	return sb_invalid(call, "Interactive type is not valid");
}

static bool
check_template_shape(SbCall *call, const SbContent *c)
{
	static const char *const names[] = {"name", "language", "components", "namespace", NULL};
	static const char *const languages[] = {"code", "policy", NULL};
	const json_t *language = json_object_get(c->part, "language");
	const json_t *components = json_object_get(c->part, "components");

	if (!sb_known_keys(call, c->part, "template", names) ||
		!text_within(call, c->part, "name", "template['name']", 1, 512))
		return false;
	if (!json_is_object(language))
		return sb_missing(call, "template['language']");
	if (!sb_known_keys(call, language, "template['language']", languages) ||
		!text_within(call, language, "code", "template['language']['code']", 1, 16))
		return false;
	if (components != NULL && !json_is_array(components))
	{
		sb_refuse(call, 100, 0, "(#100) Param template['components'] must be an array.", NULL);
		return false;
	}
	return true;
}

static const struct
{
	const char *type;
	bool (*check)(SbCall *call, const SbContent *content);
} types[] = {
	{"text", check_text},         {"template", check_template_shape},
	{"image", check_media},       {"video", check_media},
	{"audio", check_media},       {"document", check_media},
	{"sticker", check_media},     {"location", check_location},
	{"contacts", check_contacts}, {"interactive", check_interactive},
	{"reaction", check_reaction},
};

#define NTYPES ((int) (sizeof(types) / sizeof(types[0])))

/* ---------- shape ---------- */

bool
sb_read_content(SbCall *call, json_t *root, SbContent *c)
{
	static const char *const inbound_only[] = {"order",   "system", "button", "unsupported",
											   "unknown", "edit",   "revoke", NULL};
	static const char *const names[] = {"messaging_product",
										"recipient_type",
										"to",
										"recipient",
										"type",
										"context",
										"biz_opaque_callback_data",
										"recipient_identity_key_hash",
										"message_activity_sharing",
										"ttl",
										"product_policy",
										"text",
										"template",
										"image",
										"video",
										"audio",
										"document",
										"sticker",
										"location",
										"contacts",
										"interactive",
										"reaction",
										NULL};
	const char *product = json_string_value(json_object_get(root, "messaging_product"));
	const json_t *recipient_type = json_object_get(root, "recipient_type");
	const json_t *type = json_object_get(root, "type");
	const json_t *data = json_object_get(root, "biz_opaque_callback_data");
	const json_t *context = json_object_get(root, "context");
	int i;

	if (product == NULL)
		return sb_missing(call, "messaging_product");
	if (strcmp(product, "whatsapp") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) Param messaging_product must be one of {WHATSAPP}.", NULL);
		return false;
	}
	if (recipient_type != NULL)
	{
		const char *s = json_string_value(recipient_type);

		if (s == NULL || strcmp(s, "individual") != 0)
		{
			sb_refuse(call, 100, 0, "(#100) Param recipient_type must be one of {INDIVIDUAL}.",
					  NULL);
			return false;
		}
	}
	if (type != NULL && !json_is_string(type))
	{
		sb_refuse(call, 100, 0, "(#100) Param type must be a string.", NULL);
		return false;
	}
	c->root = root;
	c->type = type ? json_string_value(type) : "text"; /* Meta's default */
	snprintf(call->note.type, sizeof(call->note.type), "%s", c->type);
	for (i = 0; i < NTYPES && strcmp(types[i].type, c->type) != 0; i++)
		;
	if (i == NTYPES)
	{
		for (int k = 0; inbound_only[k] != NULL; k++)
			if (strcmp(inbound_only[k], c->type) == 0)
			{
				sb_refuse(call, 131051, 0, NULL, NULL);
				return false;
			}
		sb_refuse(
			call, 100, 0,
			"(#100) Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO}.",
			NULL);
		return false;
	}
	if (!sb_known_keys(call, root, "message", names))
		return false;
	c->part = json_object_get(root, c->type);
	if (c->part == NULL)
		return sb_missing(call, c->type);
	if (!json_is_object(c->part) && strcmp(c->type, "contacts") != 0)
	{
		sb_refusef(call, 100, 0, NULL, "Param %s must be a JSON object.", c->type);
		return false;
	}
	if (data != NULL)
	{
		if (!json_is_string(data) || sb_characters(data) > MAX_CALLBACK_DATA)
		{
			sb_refuse(
				call, 100, 0,
				"(#100) Param biz_opaque_callback_data must be a string of at most 512 characters.",
				NULL);
			return false;
		}
		call->note.callback_data = json_string_value(data);
	}
	if (context != NULL)
	{
		const char *id = json_string_value(json_object_get(context, "message_id"));

		if (id == NULL)
			return sb_missing(call, "context['message_id']");
		if (strncmp(id, "wamid.", 6) != 0)
			return sb_invalid(call, "context message_id is not a message id.");
	}
	return types[i].check(call, c);
}
