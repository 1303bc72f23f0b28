/*
 * whatsapp_template.c
 *		Message templates of the WhatsApp Business Management API.
 *
 * Sources: "Message templates" and "Template components" of the Business
 * Management API; "Send message templates" of the Cloud API; webhook fields
 * message_template_status_update, message_template_quality_update and
 * template_category_update. The limits below are those pages'.
 */
#include "channel/template.h"
#include "channel/whatsapp.h"
#include "vault/numbers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_LIMIT 512
#define HEADER_LIMIT 60
#define BODY_LIMIT 1024
#define FOOTER_LIMIT 60
#define BUTTONS 10
#define MAX_PLACES 64
#define PLACE_NAME 64

/* the places of a text: {{1}}, {{2}} or {{first_name}} */
typedef struct Places
{
	int count; /* -1: they are not well made */
	bool named;
	LarasText names[MAX_PLACES];
} Places;

static const struct
{
	const char *theirs;
	const char *ours;
} statuses[] = {
	{"APPROVED", "approved"},       {"REINSTATED", "approved"},      {"UNARCHIVED", "approved"},
	{"PENDING", "pending"},         {"IN_APPEAL", "pending"},        {"REJECTED", "rejected"},
	{"PAUSED", "paused"},           {"DISABLED", "disabled"},        {"LOCKED", "disabled"},
	{"DELETED", "deleted"},         {"PENDING_DELETION", "deleted"}, {"ARCHIVED", "deleted"},
	{"LIMIT_EXCEEDED", "disabled"},
};

static const char *
status_of(LarasText word)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (laras_text_is(word, statuses[i].theirs))
			return statuses[i].ours;
	return NULL;
}

/* The word of a list that the provider writes in capitals; NULL: none of them. */
static const char *
small_word(LarasText word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (word.s != NULL && word.n == strlen(*words) && strncasecmp(word.s, *words, word.n) == 0)
			return *words;
	return NULL;
}

static const char *
category_of(LarasText word)
{
	static const char *const words[] = {"marketing", "utility", "authentication", NULL};

	return small_word(word, words);
}

static const char *
quality_of(LarasText word)
{
	static const char *const words[] = {"green", "yellow", "red", "unknown", NULL};

	return small_word(word, words);
}

/* ------------------------------------------------------------------ components */

static const json_t *
component(const json_t *components, const char *type)
{
	size_t i;
	json_t *one;

	json_array_foreach(components, i, one)
	{
		LarasText t = laras_json_text_at(one, "type");

		if (t.s != NULL && t.n == strlen(type) && strncasecmp(t.s, type, t.n) == 0)
			return one;
	}
	return NULL;
}

/* The provider takes each kind of component once. */
static const char *
check_components(const json_t *components)
{
	static const char *const kinds[] = {"header", "body", "footer", "buttons", NULL};
	static const char *const files[] = {"video", "image", "document", NULL};
	size_t i;
	json_t *one;

	if (!json_is_array(components))
		return "components are an array";
	json_array_foreach(components, i, one)
	{
		char type[32];
		LarasText t = laras_json_text_at(one, "type");

		if (t.s == NULL || t.n == 0 || t.n >= sizeof(type))
			return "every component has a type";
		memcpy(type, t.s, t.n);
		type[t.n] = '\0';
		if (small_word(t, files) != NULL)
			return "a file stands in the header: {\"type\": \"HEADER\", \"format\": \"VIDEO\"}, or "
				   "\"IMAGE\" or \"DOCUMENT\"";
		if (small_word(t, kinds) == NULL)
			return "every component is a HEADER, BODY, FOOTER or BUTTONS";
		if (component(components, type) != one)
			return "every component stands once";
	}
	return NULL;
}

/* The formats that build_send gives values for: a place on a map is none of them. */
static const char *
check_format(const json_t *header)
{
	static const char *const formats[] = {"text", "image", "video", "document", NULL};
	LarasText format = laras_json_text_at(header, "format");

	return header == NULL || format.s == NULL || small_word(format, formats) != NULL
			   ? NULL
			   : "the format of a header is TEXT, IMAGE, VIDEO or DOCUMENT";
}

/* Is the header a file? */
static bool
is_file(const json_t *header)
{
	LarasText format = laras_json_text_at(header, "format");

	static const char *const text[] = {"text", NULL};

	return format.s != NULL && small_word(format, text) == NULL;
}

static bool
find_name(const Places *places, LarasText name)
{
	for (int i = 0; i < places->count; i++)
		if (places->names[i].n == name.n && memcmp(places->names[i].s, name.s, name.n) == 0)
			return true;
	return false;
}

/* All digits, and the number they make; 0: none. */
static int
number_of(LarasText name)
{
	int n = 0;

	for (size_t i = 0; i < name.n; i++)
	{
		if (name.s[i] < '0' || name.s[i] > '9' || n > MAX_PLACES)
			return 0;
		n = n * 10 + (name.s[i] - '0');
	}
	return n;
}

static void
add_place(Places *places, LarasText name)
{
	bool named = number_of(name) == 0;

	if (find_name(places, name))
		return;
	if (places->count == MAX_PLACES || (places->count > 0 && named != places->named) ||
		(!named && number_of(name) != places->count + 1))
	{
		places->count = -1;
		return;
	}
	places->named = named;
	places->names[places->count++] = name;
}

/* The next {{place}} from *at on; false: no more. Malformed braces are text. */
static bool
next_place(LarasText text, size_t *at, size_t *begin, LarasText *name)
{
	for (size_t i = *at; i + 3 < text.n; i++)
	{
		size_t end;

		if (text.s[i] != '{' || text.s[i + 1] != '{')
			continue;
		for (end = i + 2;
			 end < text.n && (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", text.s[end]) != NULL);
			 end++)
			;
		if (end == i + 2 || end - i > PLACE_NAME || end + 1 >= text.n || text.s[end] != '}' ||
			text.s[end + 1] != '}')
			continue;
		*begin = i;
		*name = (LarasText){text.s + i + 2, end - i - 2};
		*at = end + 2;
		return true;
	}
	return false;
}

/* In the order in which they first stand; numbers must be 1, 2, 3. */
static Places
places_of(LarasText text)
{
	Places places = {0};
	size_t at = 0;
	size_t begin;
	LarasText name;

	while (text.s != NULL && places.count >= 0 && next_place(text, &at, &begin, &name))
		add_place(&places, name);
	return places;
}

static size_t
characters(LarasText text)
{
	return text.s == NULL ? 0 : laras_text_measure(LARAS_TEXT_CHARACTERS, text.s, text.n);
}

static const char *
check_buttons(const json_t *buttons)
{
	const json_t *list = laras_json_get(buttons, "buttons");
	size_t i;
	json_t *one;

	if (buttons == NULL)
		return NULL;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > BUTTONS)
		return "a template has at most 10 buttons";
	json_array_foreach(list, i, one)
	{
		Places places = places_of(laras_json_text_at(one, "url"));

		if (laras_json_text_at(one, "type").s == NULL)
			return "every button has a type";
		if (characters(laras_json_text_at(one, "text")) > 25)
			return "the label of a button has at most 25 characters";
		if (places.count > 1 || places.count < 0)
			return "the address of a button has at most one place";
	}
	return NULL;
}

/* Two or three small letters, as a language; then perhaps a country: en_US. */
static bool
is_language(LarasText t)
{
	size_t small = 0;

	while (small < t.n && t.s[small] >= 'a' && t.s[small] <= 'z')
		small++;
	if (small < 2 || small > 3)
		return false;
	return small == t.n ||
		   (t.n == small + 3 && t.s[small] == '_' && t.s[small + 1] >= 'A' &&
			t.s[small + 1] <= 'Z' && t.s[small + 2] >= 'A' && t.s[small + 2] <= 'Z');
}

/* Does a place stand first or last, but for blanks? Refused with code 100, subcode 2388299. */
static bool
is_at_an_end(LarasText text)
{
	size_t at = 0;
	size_t end = 0;
	size_t begin;
	LarasText name;

	while (next_place(text, &at, &begin, &name))
	{
		if (end == 0 && !laras_text_shows((LarasText){text.s, begin}))
			return true;
		end = at;
	}
	return end > 0 && !laras_text_shows((LarasText){text.s + end, text.n - end});
}

static const char *
check(const LarasTemplate *t)
{
	const json_t *header = component(t->components, "HEADER");
	const json_t *body = component(t->components, "BODY");
	LarasText text = laras_json_text_at(body, "text");
	const char *why = check_components(t->components);

	if (t->name.n == 0 || t->name.n > NAME_LIMIT)
		return "the name has 1 to 512 characters";
	for (size_t i = 0; i < t->name.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", t->name.s[i]) == NULL)
			return "the name consists of a-z, 0-9 and _";
	if (!is_language(t->language))
		return "the language is a code such as id or en_US";
	if (category_of(t->category) == NULL)
		return "the category is marketing, utility or authentication";
	if (why != NULL)
		return why;
	if (!laras_text_shows(text))
		return "a template has a body";
	if (characters(text) > BODY_LIMIT)
		return "the body has at most 1,024 characters";
	if (places_of(text).count < 0)
		return "places of the body are {{1}}, {{2}} and so on, or names";
	/* the words of a code for logging in are the provider's own */
	if (strcmp(category_of(t->category), "authentication") != 0 && is_at_an_end(text))
		return "the body neither begins nor ends with a place: words stand before and after each";
	if (check_format(header) != NULL)
		return check_format(header);
	if (header != NULL && !is_file(header))
	{
		LarasText title = laras_json_text_at(header, "text");
		Places places = places_of(title);

		if (title.s == NULL || title.n == 0 || characters(title) > HEADER_LIMIT)
			return "a header of text has 1 to 60 characters";
		if (places.count < 0 || places.count > 1)
			return "a header has at most one place";
	}
	if (characters(laras_json_text_at(component(t->components, "FOOTER"), "text")) > FOOTER_LIMIT)
		return "the footer has at most 60 characters";
	return check_buttons(component(t->components, "BUTTONS"));
}

/* ---------------------------------------------------------------------- values */

/* What the provider takes in a place: no line breaks, no tabs, no row of five spaces. */
static const char *
check_value(LarasText value)
{
	size_t spaces = 0;

	if (!laras_text_shows(value))
		return "every place needs a value of text";
	for (size_t i = 0; i < value.n; i++)
	{
		if (value.s[i] == '\n' || value.s[i] == '\r' || value.s[i] == '\t')
			return "a value holds no line break and no tab";
		spaces = value.s[i] == ' ' ? spaces + 1 : 0;
		if (spaces > 4)
			return "a value holds at most four spaces in a row";
	}
	return NULL;
}

/* The i-th value of the places, from a list or by name. */
static LarasText
value_at(const json_t *values, const Places *places, int i)
{
	char name[PLACE_NAME + 1];

	if (!places->named)
		return laras_json_text(json_array_get(values, (size_t) i));
	memcpy(name, places->names[i].s, places->names[i].n);
	name[places->names[i].n] = '\0';
	return laras_json_text_at(values, name);
}

static const char *
check_values(const json_t *values, const Places *places)
{
	size_t given = json_is_array(values) ? json_array_size(values) : json_object_size(values);

	if (places->count < 0)
		return "the template's places are not well made";
	if (given != (size_t) places->count)
		return "the number of values is not that of the places";
	if (given > 0 && json_is_object(values) != places->named)
		return places->named ? "values are given by name" : "values are given in order";
	for (int i = 0; i < places->count; i++)
	{
		const char *why = check_value(value_at(values, places, i));

		if (why != NULL)
			return why;
	}
	return NULL;
}

/* The text with its values, into a buffer of room; returns how long it would be. */
static size_t
fill_text(LarasText text, const json_t *values, const Places *places, char *out, size_t room)
{
	size_t n = 0;
	size_t at = 0;
	size_t from = 0;
	size_t begin;
	LarasText name;

	while (text.s != NULL)
	{
		bool more = next_place(text, &at, &begin, &name);
		size_t end = more ? begin : text.n;
		LarasText value = {NULL, 0};

		if (n + (end - from) <= room)
			memcpy(out + n, text.s + from, end - from);
		n += end - from;
		if (!more)
			return n;
		for (int i = 0; i < places->count; i++)
			if (places->names[i].n == name.n && memcmp(places->names[i].s, name.s, name.n) == 0)
				value = value_at(values, places, i);
		if (value.s != NULL && n + value.n <= room)
			memcpy(out + n, value.s, value.n);
		n += value.n;
		from = at;
	}
	return n;
}

/* Every button with a place takes one value, in order. */
static const char *
check_button_values(const json_t *components, const json_t *values)
{
	const json_t *list = laras_json_get(component(components, "BUTTONS"), "buttons");
	size_t wanted = 0;
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
	{
		if (places_of(laras_json_text_at(one, "url")).count != 1)
			continue;
		if (check_value(laras_json_text(json_array_get(values, wanted))) != NULL)
			return "every button with a place needs a value";
		wanted++;
	}
	return json_array_size(values) == wanted ? NULL
											 : "there are more values than buttons with places";
}

static const char *
check_header_values(const json_t *header, const json_t *values)
{
	Places places = places_of(laras_json_text_at(header, "text"));
	LarasText link = laras_json_text_at(values, "link");

	if (!is_file(header))
		return check_values(values, &places);
	if (link.s == NULL || link.n < 9 || strncmp(link.s, "https://", 8) != 0)
		return "a header that is a file needs the link of one, by https: "
			   "{\"header\": {\"link\": \"https://...\"}}";
	return NULL;
}

/* What is misspelled would be missing elsewhere, under another name. */
static const char *
check_members(const json_t *values, const LarasAllocator *allocator)
{
	static const char members[] = "\"header\", \"body\" and \"buttons\"";
	const char *name;
	json_t *value;

	if (!json_is_object(values))
		return laras_text_print(allocator, "values are an object with %s", members).s;
	json_object_foreach((json_t *) values, name, value)
	{
		LarasText word = laras_text(name);

		if (laras_text_is(word, "header") || laras_text_is(word, "body") ||
			laras_text_is(word, "buttons"))
			continue;
		if (!laras_is_name(name))
			return laras_text_print(allocator, "a member is not known; values are for %s", members)
				.s;
		return laras_text_print(allocator, "there is no \"%s\"; values are for %s", name, members)
			.s;
	}
	return NULL;
}

static LarasText
fill(const json_t *components, const json_t *values, const LarasAllocator *allocator,
	 const char **why)
{
	const json_t *header = component(components, "HEADER");
	const json_t *body_values = laras_json_get(values, "body");
	const json_t *header_values = laras_json_get(values, "header");
	LarasText title = is_file(header) ? (LarasText){NULL, 0} : laras_json_text_at(header, "text");
	LarasText body = laras_json_text_at(component(components, "BODY"), "text");
	LarasText footer = laras_json_text_at(component(components, "FOOTER"), "text");
	Places title_places = places_of(title);
	Places places = places_of(body);
	LarasText out = {NULL, 0};
	char *room;
	size_t n;

	*why = check_members(values, allocator);
	if (*why == NULL)
		*why = check_values(body_values, &places);
	if (*why == NULL)
		*why = check_header_values(header, header_values);
	if (*why == NULL)
		*why = check_button_values(components, laras_json_get(values, "buttons"));
	if (*why != NULL)
		return out;
	n = fill_text(title, header_values, &title_places, NULL, 0) +
		fill_text(body, body_values, &places, NULL, 0) + footer.n + 4;
	room = laras_allocate(allocator, n + 1);
	if (room == NULL)
	{
		*why = "out of memory";
		return out;
	}
	out.s = room;
	if (title.s != NULL)
	{
		out.n = fill_text(title, header_values, &title_places, room, n);
		memcpy(room + out.n, "\n\n", 2);
		out.n += 2;
	}
	out.n += fill_text(body, body_values, &places, room + out.n, n - out.n);
	if (laras_text_measure(LARAS_TEXT_CHARACTERS, room, out.n) > BODY_LIMIT + HEADER_LIMIT)
	{
		*why = "the text is too long once it is filled in";
		return (LarasText){NULL, 0};
	}
	if (footer.s != NULL)
	{
		memcpy(room + out.n, "\n\n", 2);
		memcpy(room + out.n + 2, footer.s, footer.n);
		out.n += footer.n + 2;
	}
	room[out.n] = '\0';
	return out;
}

/* ---------------------------------------------------------------------- requests */

static json_t *
parameter(LarasText value, const Places *places, int i)
{
	json_t *p = json_pack("{s:s, s:s%}", "type", "text", "text", value.s, value.n);

	if (p != NULL && places->named)
		json_object_set_new(p, "parameter_name",
							json_stringn(places->names[i].s, places->names[i].n));
	return p;
}

static void
add_texts(json_t *list, const char *type, LarasText text, const json_t *values)
{
	Places places = places_of(text);
	json_t *parameters;

	if (places.count <= 0)
		return;
	parameters = json_array();
	for (int i = 0; i < places.count; i++)
		json_array_append_new(parameters, parameter(value_at(values, &places, i), &places, i));
	json_array_append_new(list, json_pack("{s:s, s:o}", "type", type, "parameters", parameters));
}

static void
add_file(json_t *list, const json_t *header, const json_t *values)
{
	LarasText format = laras_json_text_at(header, "format");
	LarasText link = laras_json_text_at(values, "link");
	char kind[16] = {0};

	for (size_t i = 0; i < format.n && i < sizeof(kind) - 1; i++)
		kind[i] = (char) (format.s[i] | 0x20);
	json_array_append_new(list,
						  json_pack("{s:s, s:[{s:s, s:{s:s%}}]}", "type", "header", "parameters",
									"type", kind, kind, "link", link.s, link.n));
}

static json_t *
filled_components(const json_t *components, const json_t *values)
{
	json_t *list = json_array();
	const json_t *header = component(components, "HEADER");
	const json_t *buttons = laras_json_get(component(components, "BUTTONS"), "buttons");
	size_t taken = 0;
	size_t i;
	json_t *one;

	if (list == NULL)
		return NULL;
	if (is_file(header))
		add_file(list, header, laras_json_get(values, "header"));
	else
		add_texts(list, "header", laras_json_text_at(header, "text"),
				  laras_json_get(values, "header"));
	add_texts(list, "body", laras_json_text_at(component(components, "BODY"), "text"),
			  laras_json_get(values, "body"));
	json_array_foreach(buttons, i, one)
	{
		char index[24];
		LarasText value;

		if (places_of(laras_json_text_at(one, "url")).count != 1)
			continue;
		value = laras_json_text(json_array_get(laras_json_get(values, "buttons"), taken++));
		snprintf(index, sizeof(index), "%zu", i);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:[{s:s, s:s%}]}", "type", "button",
											  "sub_type", "url", "index", index, "parameters",
											  "type", "text", "text", value.s, value.n));
	}
	return list;
}

/* Takes the document over. */
static bool
as_body(json_t *document, const LarasAllocator *allocator, LarasProviderRequest *request)
{
	char *dumped = document == NULL ? NULL : laras_json_dump(document, &request->body.n);

	json_decref(document);
	if (dumped == NULL)
		return false;
	request->method = "POST";
	request->body.s = laras_allocate(allocator, request->body.n + 1);
	if (request->body.s != NULL)
		memcpy((char *) request->body.s, dumped, request->body.n + 1);
	free(dumped);
	return request->body.s != NULL;
}

static bool
build_send(const LarasSendText *send, const LarasTemplate *t, const json_t *values,
		   const LarasAllocator *allocator, LarasProviderRequest *request)
{
	const char *key = send->to.kind == LARAS_INDEX_BSUID ? "recipient" : "to";
	json_t *body;

	if (send->to.kind != LARAS_INDEX_BSUID && send->to.kind != LARAS_INDEX_WA_ID &&
		send->to.kind != LARAS_INDEX_PHONE)
		return false;
	body = json_pack("{s:s, s:s, s:s%, s:s, s:{s:s%, s:{s:s%}, s:o}}", "messaging_product",
					 "whatsapp", "recipient_type", "individual", key, send->to.value.s,
					 send->to.value.n, "type", "template", "template", "name", t->name.s, t->name.n,
					 "language", "code", t->language.s, t->language.n, "components",
					 filled_components(t->components, values));
	if (body != NULL && send->callback_data.s != NULL)
		json_object_set_new(body, "biz_opaque_callback_data",
							json_stringn(send->callback_data.s, send->callback_data.n));
	request->url = laras_text_print(allocator, "%s/%s/%.*s/messages", send->base_url,
									send->api_version, (int) send->account.n, send->account.s);
	return as_body(body, allocator, request) && request->url.s != NULL;
}

static bool
build_submit(const LarasAccountRequest *about, const LarasTemplate *t,
			 const LarasAllocator *allocator, LarasProviderRequest *request)
{
	Places places = places_of(laras_json_text_at(component(t->components, "BODY"), "text"));
	const char *category = category_of(t->category);
	char capitals[16] = {0};
	json_t *body;

	for (size_t i = 0; category != NULL && category[i] != '\0' && i < sizeof(capitals) - 1; i++)
		capitals[i] = (char) (category[i] & ~0x20);
	body = json_pack("{s:s%, s:s%, s:s, s:s, s:O}", "name", t->name.s, t->name.n, "language",
					 t->language.s, t->language.n, "category", capitals, "parameter_format",
					 places.named ? "NAMED" : "POSITIONAL", "components", (json_t *) t->components);
	request->url = laras_text_print(allocator, "%s/%s/%.*s/message_templates", about->base_url,
									about->api_version, (int) about->account.n, about->account.s);
	return as_body(body, allocator, request) && request->url.s != NULL;
}

static void
read_one(const json_t *one, LarasTemplateNews *news)
{
	memset(news, 0, sizeof(*news));
	news->id = laras_json_text_at(one, "id");
	news->name = laras_json_text_at(one, "name");
	news->language = laras_json_text_at(one, "language");
	news->status = status_of(laras_json_text_at(one, "status"));
	news->category = category_of(laras_json_text_at(one, "category"));
	news->quality = quality_of(laras_json_text_at(laras_json_get(one, "quality_score"), "score"));
	news->reason = laras_json_text_at(one, "rejected_reason");
	news->components = laras_json_get(one, "components");
}

static bool
read_submit(const json_t *answer, LarasTemplateNews *news)
{
	read_one(answer, news);
	return news->id.s != NULL && news->id.n > 0;
}

static bool
build_list(const LarasAccountRequest *about, LarasText after, const LarasAllocator *allocator,
		   LarasProviderRequest *request)
{
	request->method = "GET";
	request->url = laras_text_print(
		allocator,
		"%s/%s/%.*s/message_templates?limit=%d&fields=id,name,language,status,category,"
		"components,quality_score,rejected_reason%s%.*s",
		about->base_url, about->api_version, (int) about->account.n, about->account.s,
		LARAS_TEMPLATE_PAGE, after.s == NULL ? "" : "&after=", (int) after.n,
		after.s == NULL ? "" : after.s);
	return request->url.s != NULL;
}

/* Only what may stand in a URL as it is. */
static bool
is_cursor(LarasText t)
{
	if (t.s == NULL || t.n == 0 || t.n > 512)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", t.s[i]) ==
			NULL)
			return false;
	return true;
}

static int
read_list(const json_t *answer, LarasTemplateNews news[LARAS_TEMPLATE_PAGE], LarasText *after)
{
	const json_t *data = laras_json_get(answer, "data");
	const json_t *paging = laras_json_get(answer, "paging");
	size_t i;
	json_t *one;
	int n = 0;

	*after = (LarasText){NULL, 0};
	if (!json_is_array(data))
		return -1;
	json_array_foreach(data, i, one)
	{
		if (n == LARAS_TEMPLATE_PAGE)
			break;
		read_one(one, &news[n]);
		if (news[n].name.s != NULL && news[n].language.s != NULL)
			n++;
	}
	if (laras_json_get(paging, "next") != NULL)
	{
		*after = laras_json_text_at(laras_json_get(paging, "cursors"), "after");
		if (!is_cursor(*after))
			*after = (LarasText){NULL, 0};
	}
	return n;
}

static bool
read_event(const json_t *details, LarasTemplateNews *news)
{
	LarasText field = laras_json_text_at(details, "field");
	const json_t *value = laras_json_get(details, "value");

	memset(news, 0, sizeof(*news));
	news->id = laras_json_id(laras_json_get(value, "message_template_id"), news->number,
							 sizeof(news->number));
	news->name = laras_json_text_at(value, "message_template_name");
	news->language = laras_json_text_at(value, "message_template_language");
	if (laras_text_is(field, "message_template_status_update"))
	{
		news->status = status_of(laras_json_text_at(value, "event"));
		news->reason = laras_json_text_at(value, "reason");
	}
	else if (laras_text_is(field, "message_template_quality_update"))
		news->quality = quality_of(laras_json_text_at(value, "new_quality_score"));
	else if (laras_text_is(field, "template_category_update"))
		news->category = category_of(laras_json_text_at(value, "new_category"));
	return news->name.s != NULL && news->language.s != NULL &&
		   (news->status != NULL || news->quality != NULL || news->category != NULL);
}

static const char *
status_of_error(int code)
{
	return code == 132015 ? "paused" : code == 132016 ? "disabled" : NULL;
}

const LarasTemplateDriver laras_whatsapp_templates = {
	.check = check,
	.fill = fill,
	.build_send = build_send,
	.build_submit = build_submit,
	.read_submit = read_submit,
	.build_list = build_list,
	.read_list = read_list,
	.read_event = read_event,
	.status_of_error = status_of_error,
};
