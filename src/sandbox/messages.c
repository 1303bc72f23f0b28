/*
 * messages.c
 *		POST /{phone-number-id}/messages: what Meta demands of a message, in the
 *		order in which it is found out: shape, content, sender, recipient,
 *		limits, window, template. The first rule that is broken answers.
 *
 * Lengths of texts are counted in characters, as Meta does for WhatsApp.
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/fault.h"
#include "sandbox/ledger.h"
#include "sandbox/limits.h"
#include "sandbox/refusal.h"
#include "sandbox/traffic.h"

#define MAX_TEXT		4096
#define MAX_CAPTION		1024
#define MAX_CALLBACK_DATA 512

/* Who the message is for. */
typedef struct Recipient
{
	const char *input;			/* as given */
	const char *phone;			/* digits, or NULL */
	const char *user_id;		/* or NULL */
	const char *key;			/* of the pair */
	SbCustomer *customer;		/* or NULL */
	char		digits[16];
	char		own_id[64];
} Recipient;

/* A message of a type that stands in the type table below. */
typedef struct Content
{
	const char *type;
	json_t	   *part;			/* the member of that name */
	json_t	   *root;
} Content;

static char last_wamid[128];	/* for the fault same_id */

/* ---------- helpers ---------- */

static size_t
characters(const json_t *s)
{
	const char *p = json_string_value(s);
	size_t		n = 0;

	for (; *p != '\0'; p++)
		if (((unsigned char) *p & 0xC0) != 0x80)
			n++;
	return n;
}

static bool
missing(SbCall *call, const char *path)
{
	char		message[160];

	snprintf(message, sizeof(message), "(#100) The parameter %s is required.", path);
	sb_refuse(call, 100, 0, message, NULL);
	return false;
}

static bool
invalid(SbCall *call, const char *details)
{
	sb_refuse(call, 131009, 0, NULL, details);
	return false;
}

/* A string of min..max characters at object[name], else a refusal. */
static bool
text_within(SbCall *call, const json_t *object, const char *name, const char *path, size_t min, size_t max)
{
	const json_t *s = json_object_get(object, name);
	char		message[200];

	if (s == NULL || json_is_null(s) || (json_is_string(s) && json_string_length(s) == 0 && min > 0))
		return missing(call, path);
	if (!json_is_string(s))
	{
		snprintf(message, sizeof(message), "(#100) Param %s must be a string.", path);
		sb_refuse(call, 100, 0, message, NULL);
		return false;
	}
	if (characters(s) > max)
	{
		snprintf(message, sizeof(message), "(#100) Param %s must be at most %zu characters long.", path, max);
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
	char		details[160];

	if (!json_is_string(s) || json_string_length(s) == 0 || characters(s) > max)
	{
		snprintf(details, sizeof(details), "%s length invalid. Min length: 1, Max length: %zu", what, max);
		return invalid(call, details);
	}
	return true;
}

static bool
known_keys(SbCall *call, const json_t *object, const char *path, const char *const *names)
{
	const char *key;
	json_t	   *value;

	json_object_foreach((json_t *) object, key, value)
	{
		int			i;

		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] == NULL)
		{
			char		message[200];

			snprintf(message, sizeof(message), "(#100) Unexpected key \"%.60s\" on param \"%s\".", key, path);
			sb_refuse(call, 100, 0, message, NULL);
			return false;
		}
	}
	return true;
}

/* ---------- content, by type ---------- */

static bool
check_text(SbCall *call, const Content *c)
{
	static const char *const names[] = {"body", "preview_url", NULL};
	const json_t *preview = json_object_get(c->part, "preview_url");

	if (!known_keys(call, c->part, "text", names) ||
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
check_media(SbCall *call, const Content *c)
{
	static const char *const names[] = {"id", "link", "caption", "filename", "provider", "voice", NULL};
	const json_t *id = json_object_get(c->part, "id");
	const json_t *link = json_object_get(c->part, "link");
	char		path[64];

	if (!known_keys(call, c->part, c->type, names))
		return false;
	if ((id == NULL) == (link == NULL))
	{
		snprintf(path, sizeof(path), "%s['id'] or ['link'] (exactly one)", c->type);
		return missing(call, path);
	}
	if ((id != NULL && !json_is_string(id)) || (link != NULL && !json_is_string(link)))
		return invalid(call, "media id and link are strings");
	if (link != NULL && strncmp(json_string_value(link), "https://", 8) != 0)
	{
		sb_refuse(call, 131053, 0, NULL, "The media link is not a public https address.");
		return false;
	}
	if (json_object_get(c->part, "caption") != NULL)
	{
		if (strcmp(c->type, "audio") == 0 || strcmp(c->type, "sticker") == 0)
		{
			snprintf(path, sizeof(path), "(#100) Unexpected key \"caption\" on param \"%s\".", c->type);
			sb_refuse(call, 100, 0, path, NULL);
			return false;
		}
		snprintf(path, sizeof(path), "%s['caption']", c->type);
		return text_within(call, c->part, "caption", path, 0, MAX_CAPTION);
	}
	return true;
}

static bool
check_location(SbCall *call, const Content *c)
{
	const char *names[] = {"latitude", "longitude"};
	double		bound[] = {90, 180};

	for (int i = 0; i < 2; i++)
	{
		const json_t *v = json_object_get(c->part, names[i]);
		char		path[48];
		double		value;

		snprintf(path, sizeof(path), "location['%s']", names[i]);
		if (v == NULL)
			return missing(call, path);
		if (json_is_string(v))
		{
			if (sscanf(json_string_value(v), "%lf", &value) != 1)
				return invalid(call, "latitude and longitude are numbers");
		}
		else if (json_is_number(v))
			value = json_number_value(v);
		else
			return invalid(call, "latitude and longitude are numbers");
		if (!(value >= -bound[i] && value <= bound[i]))
			return invalid(call, "latitude or longitude out of range");
	}
	return true;
}

static bool
check_contacts(SbCall *call, const Content *c)
{
	size_t		i;
	json_t	   *one;

	if (!json_is_array(c->part) || json_array_size(c->part) == 0)
		return missing(call, "contacts");
	json_array_foreach(c->part, i, one)
		if (!text_within(call, json_object_get(one, "name"), "formatted_name", "contacts[]['name']['formatted_name']", 1, 256))
		return false;
	return true;
}

static bool
check_reaction(SbCall *call, const Content *c)
{
	const char *id;

	if (!text_within(call, c->part, "message_id", "reaction['message_id']", 1, 256) ||
		!text_within(call, c->part, "emoji", "reaction['emoji']", 0, 16))
		return false;
	id = json_string_value(json_object_get(c->part, "message_id"));
	if (!sb_wamid_known(id))
		return invalid(call, "The message to react to does not exist.");
	return true;
}

static bool
check_interactive_list(SbCall *call, const json_t *action)
{
	const json_t *sections = json_object_get(action, "sections");
	size_t		nsections = json_array_size(sections);
	size_t		rows = 0;
	size_t		i,
				k;
	json_t	   *section,
			   *row;

	if (!label_within(call, action, "button", "Button label", 20))
		return false;
	if (nsections == 0 || nsections > 10)
		return invalid(call, "Sections number invalid. Min: 1, Max: 10");
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
		return invalid(call, "Total row count invalid. Min: 1, Max: 10");
	return true;
}

static bool
check_interactive_buttons(SbCall *call, const json_t *action)
{
	const json_t *buttons = json_object_get(action, "buttons");
	size_t		n = json_array_size(buttons);
	size_t		i,
				k;
	json_t	   *button,
			   *other;

	if (n == 0 || n > 3)
		return invalid(call, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3");
	json_array_foreach(buttons, i, button)
	{
		const json_t *reply = json_object_get(button, "reply");
		const char *type = json_string_value(json_object_get(button, "type"));

		if (type == NULL || strcmp(type, "reply") != 0)
			return invalid(call, "Button type is reply");
		if (!label_within(call, reply, "id", "Button id", 256) ||
			!label_within(call, reply, "title", "Button title", 20))
			return false;
		json_array_foreach(buttons, k, other)
			if (k != i && json_equal(json_object_get(json_object_get(other, "reply"), "title"),
									 json_object_get(reply, "title")))
			return invalid(call, "Button titles have to be different");
	}
	return true;
}

static bool
check_interactive(SbCall *call, const Content *c)
{
	static const char *const others[] = {
		"cta_url", "flow", "product", "product_list", "catalog_message", "location_request_message", "address_message",
		NULL
	};
	const char *type = json_string_value(json_object_get(c->part, "type"));
	const json_t *action = json_object_get(c->part, "action");
	int			i;

	if (type == NULL)
		return missing(call, "interactive['type']");
	if (!json_is_object(action))
		return missing(call, "interactive['action']");
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
	return invalid(call, "Interactive type is not valid");
}

static bool
check_template_shape(SbCall *call, const Content *c)
{
	static const char *const names[] = {"name", "language", "components", "namespace", NULL};
	static const char *const languages[] = {"code", "policy", NULL};
	const json_t *language = json_object_get(c->part, "language");
	const json_t *components = json_object_get(c->part, "components");

	if (!known_keys(call, c->part, "template", names) ||
		!text_within(call, c->part, "name", "template['name']", 1, 512))
		return false;
	if (!json_is_object(language))
		return missing(call, "template['language']");
	if (!known_keys(call, language, "template['language']", languages) ||
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
	bool		(*check) (SbCall *call, const Content *content);
}			types[] = {
	{"text", check_text},
	{"template", check_template_shape},
	{"image", check_media},
	{"video", check_media},
	{"audio", check_media},
	{"document", check_media},
	{"sticker", check_media},
	{"location", check_location},
	{"contacts", check_contacts},
	{"interactive", check_interactive},
	{"reaction", check_reaction},
};

#define NTYPES ((int) (sizeof(types) / sizeof(types[0])))

/* ---------- shape ---------- */

static bool
check_shape(SbCall *call, json_t *root, Content *c)
{
	static const char *const inbound_only[] = {"order", "system", "button", "unsupported", "unknown", "edit", "revoke", NULL};
	static const char *const names[] = {
		"messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data",
		"recipient_identity_key_hash", "message_activity_sharing", "ttl", "product_policy",
		"text", "template", "image", "video", "audio", "document", "sticker", "location", "contacts", "interactive", "reaction",
		NULL
	};
	const char *product = json_string_value(json_object_get(root, "messaging_product"));
	const json_t *recipient_type = json_object_get(root, "recipient_type");
	const json_t *type = json_object_get(root, "type");
	const json_t *data = json_object_get(root, "biz_opaque_callback_data");
	const json_t *context = json_object_get(root, "context");
	int			i;

	if (product == NULL)
		return missing(call, "messaging_product");
	if (strcmp(product, "whatsapp") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) Param messaging_product must be one of {WHATSAPP}.", NULL);
		return false;
	}
	if (!known_keys(call, root, "message", names))
		return false;
	if (recipient_type != NULL)
	{
		const char *s = json_string_value(recipient_type);

		if (s == NULL || strcmp(s, "individual") != 0)
		{
			sb_refuse(call, 100, 0, "(#100) Param recipient_type must be one of {INDIVIDUAL}.", NULL);
			return false;
		}
	}
	if (type != NULL && !json_is_string(type))
	{
		sb_refuse(call, 100, 0, "(#100) Param type must be a string.", NULL);
		return false;
	}
	c->root = root;
	c->type = type ? json_string_value(type) : "text";	/* Meta's default */
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
		sb_refuse(call, 100, 0, "(#100) Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO}.", NULL);
		return false;
	}
	c->part = json_object_get(root, c->type);
	if (c->part == NULL)
		return missing(call, c->type);
	if (!json_is_object(c->part) && strcmp(c->type, "contacts") != 0)
	{
		sb_refusef(call, 100, 0, NULL, "Param %s must be a JSON object.", c->type);
		return false;
	}
	if (data != NULL)
	{
		if (!json_is_string(data) || characters(data) > MAX_CALLBACK_DATA)
		{
			sb_refuse(call, 100, 0, "(#100) Param biz_opaque_callback_data must be a string of at most 512 characters.", NULL);
			return false;
		}
		call->note.callback_data = json_string_value(data);
	}
	if (context != NULL)
	{
		const char *id = json_string_value(json_object_get(context, "message_id"));

		if (id == NULL)
			return missing(call, "context['message_id']");
		if (strncmp(id, "wamid.", 6) != 0)
			return invalid(call, "context message_id is not a message id.");
	}
	return types[i].check(call, c);
}

/* ---------- sender ---------- */

static bool
check_sender(SbCall *call, SbNumber *number)
{
	int			refuse = number->refuse ? number->refuse : number->waba->refuse;

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
find_recipient(SbCall *call, SbNumber *number, json_t *root, const Content *c, Recipient *r)
{
	const json_t *to = json_object_get(root, "to");
	const json_t *user = json_object_get(root, "recipient");

	memset(r, 0, sizeof(*r));
	if (to == NULL && user == NULL)
		return missing(call, "to");
	if (to != NULL)				/* with both, the phone wins */
	{
		if (!json_is_string(to))
		{
			sb_refuse(call, 100, 0, "(#100) Param to must be a string.", NULL);
			return false;
		}
		r->input = json_string_value(to);
		snprintf(call->note.to, sizeof(call->note.to), "%s", r->input);
		if (!sb_digits(r->input, r->digits))
			return invalid(call, "Recipient phone number is not a valid phone number.");
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
	if (r->input == NULL || strlen(r->input) < 4 || strlen(r->input) > 132 || strchr(r->input, '.') == NULL)
		return invalid(call, "recipient is not a business-scoped user id.");
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
		SbTemplate *t = sb_template(number->waba, json_string_value(json_object_get(c->part, "name")),
									json_string_value(json_object_get(json_object_get(c->part, "language"), "code")));

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
	size_t		n = t->body ? strlen(t->body) : 0;
	size_t		i;
	json_t	   *p;

	json_array_foreach(parameters, i, p)
	{
		const json_t *text = json_object_get(p, "text");

		if (json_is_string(text))
			n += characters(text);
	}
	return n;
}

static bool
check_parameters(SbCall *call, const SbTemplate *t, const char *where, const json_t *parameters, int expected)
{
	size_t		i;
	json_t	   *p;

	if ((int) json_array_size(parameters) != expected)
	{
		sb_refusef(call, 132000, 0, NULL, "%s: number of localizable_params (%zu) does not match the expected number of params (%d)",
				   where, json_array_size(parameters), expected);
		return false;
	}
	json_array_foreach(parameters, i, p)
	{
		const char *type = json_string_value(json_object_get(p, "type"));
		const json_t *text = json_object_get(p, "text");
		const char *s;

		if (type == NULL || (strcmp(type, "text") != 0 && strcmp(type, "currency") != 0 && strcmp(type, "date_time") != 0 &&
							 strcmp(where, "button") != 0))
		{
			sb_refuse(call, 132012, 0, NULL, NULL);
			return false;
		}
		if (strcmp(type, "text") != 0)
			continue;
		if (!json_is_string(text) || json_string_length(text) == 0)
		{
			sb_refuse(call, 100, 0, NULL, "Parameter 'text' is mandatory for component parameter type 'text'");
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
			sb_refuse(call, 132007, 0, NULL, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces");
			return false;
		}
	}
	return true;
}

static bool
check_template(SbCall *call, SbNumber *number, const Content *c, const char **category)
{
	const char *name = json_string_value(json_object_get(c->part, "name"));
	const char *language = json_string_value(json_object_get(json_object_get(c->part, "language"), "code"));
	SbTemplate *t = sb_template(number->waba, name, language);
	const json_t *header = NULL,
			   *body = NULL,
			   *button = NULL;
	bool		has_header = false;
	size_t		i;
	json_t	   *one;

	if (t == NULL)
	{
		sb_refusef(call, 132001, 0, NULL, "template name (%.100s) does not exist in %.16s", name, language);
		return false;
	}
	if (strcmp(t->status, "PAUSED") == 0 || strcmp(t->status, "DISABLED") == 0)
	{
		sb_refuse(call, t->status[0] == 'P' ? 132015 : 132016, 0, NULL, NULL);
		return false;
	}
	if (strcmp(t->status, "APPROVED") != 0)
	{
		sb_refusef(call, 132001, 0, NULL, "template name (%.100s) is not approved in %.16s", name, language);
		return false;
	}
	json_array_foreach(json_object_get(c->part, "components"), i, one)
	{
		const char *type = json_string_value(json_object_get(one, "type"));
		const json_t *parameters = json_object_get(one, "parameters");

		if (type == NULL)
			return missing(call, "template['components'][]['type']");
		if (parameters != NULL && !json_is_array(parameters))
			return invalid(call, "component parameters are an array");
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
			return invalid(call, "component type is not valid");
	}
	if (t->header_format != NULL && strcmp(t->header_format, "TEXT") != 0)
	{
		const json_t *first = json_array_get(header, 0);
		const char *type = json_string_value(json_object_get(first, "type"));

		if (json_array_size(header) != 1)
		{
			sb_refusef(call, 132012, 0, NULL, "header: Format mismatch, expected %s, received UNKNOWN", t->header_format);
			return false;
		}
		if (type == NULL || strcasecmp(type, t->header_format) != 0)
		{
			sb_refuse(call, 132008, 0, NULL, NULL);
			return false;
		}
	}
	else if ((has_header || t->header_params > 0) && !check_parameters(call, t, "header", header, t->header_params))
		return false;
	if (!check_parameters(call, t, "body", body, t->body_params) ||
		!check_parameters(call, t, "button", button, t->button_params))
		return false;
	if (hydrated_length(t, body) > 1024 + 64)
	{
		sb_refuse(call, 132005, 0, NULL, NULL);
		return false;
	}
	*category = strcmp(t->category, "MARKETING") == 0 ? "marketing" :
		strcmp(t->category, "AUTHENTICATION") == 0 ? "authentication" : "utility";
	return true;
}

/* ---------- read receipts ---------- */

static void
mark_read(SbCall *call, json_t *root)
{
	static const char *const names[] = {"messaging_product", "status", "message_id", "typing_indicator", NULL};
	const char *status = json_string_value(json_object_get(root, "status"));
	const char *id = json_string_value(json_object_get(root, "message_id"));
	const char *product = json_string_value(json_object_get(root, "messaging_product"));

	snprintf(call->note.type, sizeof(call->note.type), "read");
	if (product == NULL)
	{
		missing(call, "messaging_product");
		return;
	}
	if (!known_keys(call, root, "message", names))
		return;
	if (status == NULL || strcmp(status, "read") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) Param status must be one of {READ}.", NULL);
		return;
	}
	if (id == NULL)
	{
		missing(call, "message_id");
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
content_hash(const SbNumber *number, const Recipient *r, const Content *c)
{
	uint64_t	h = sb_hash(number->id, strlen(number->id)) ^ sb_hash(r->key, strlen(r->key)) * 3;
	const char *text = strcmp(c->type, "text") == 0 ? json_string_value(json_object_get(c->part, "body")) : NULL;
	char	   *dump;

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
	SbBuffer   *b = &call->answer;

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
	SbCall	   *call = wait->arg;

	call->waiting = NULL;
	free(wait);
	sb_call_finish(call);
}

void
sb_send_message(SbCall *call, SbNumber *number)
{
	json_t	   *root = call->json;
	Content		c;
	Recipient	r;
	SbPair	   *pair;
	SbWait	   *first = NULL;
	const char *category = "service";
	const char *hash;
	int64_t		now = sb_now();
	bool		is_template;
	bool		open;
	int			late = 0;
	int			code = 0;

	call->note.route = "messages";
	if (!json_is_object(root))
	{
		missing(call, "messaging_product");	/* nothing could be read from the body */
		return;
	}
	if (json_object_get(root, "status") != NULL)
	{
		if (check_sender(call, number))
			mark_read(call, root);
		return;
	}
	if (!check_shape(call, root, &c) || !check_sender(call, number) ||
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
	else if (is_template && strcmp(category, "marketing") == 0 && r.customer != NULL && r.customer->stopped)
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
	if (call->fault != NULL && call->fault->statuses == SB_STATUS_FIRST)
	{
		first = sb_alloc(sizeof(SbWait));
		first->done = first_status_delivered;
		first->arg = call;
		call->held = true;
		call->waiting = first;
		first->pending = 1;		/* so that it is not done before all are raised */
	}
	sb_sent(&(SbSent)
	{
		.number = number,
			.wamid = call->note.wamid,
			.phone = r.customer && r.customer->hidden ? NULL : r.phone,
			.user_id = r.user_id,
			.callback_data = call->note.callback_data,
			.category = category,
			.free = open && strcmp(category, "service") == 0,
			.reads = r.customer == NULL || r.customer->reads,
			.failed = late,
	}, call->fault, first);
	if (first != NULL && --first->pending == 0)
	{
		/* no app is told: nothing to wait for */
		call->held = false;
		call->waiting = NULL;
		free(first);
	}
}
