/*
 * llmanswer.c
 *		Reads what a language model wrote, see llm.h.
 *
 * The form is held to strictly: an object with a reply, the rows that it rests
 * on, each of which was given, and whether a person is wanted.  What the reply
 * says is for the classifier.
 */
#include "postgres.h"

#include "answer/holdreason.h"
#include "answer/llm.h"
#include "answer/voice.h"
#include "answer/question.h"
#include "mb/pg_wchar.h"

/* Is it a row that was given? Fills the source. */
static bool
was_given(const char *id, const json_t *given, LarasSource *source)
{
	static const char *const tables[] = {"catalog_item", "policy_text", "faq", "opening_hours"};
	const json_t *row;
	size_t i;

	json_array_foreach(given, i, row)
	{
		const char *known = json_string_value(laras_json_get(row, "id"));
		const char *slash;

		if (known == NULL || strcmp(known, id) != 0 || (slash = strchr(known, '/')) == NULL)
			continue;
		for (int t = 0; t < lengthof(tables); t++)
			if (strncmp(tables[t], known, slash - known) == 0 && tables[t][slash - known] == '\0')
			{
				const char *version = json_string_value(laras_json_get(row, "version"));

				memset(source, 0, sizeof(*source));
				source->table = tables[t];
				source->id = strtoi64(slash + 1, NULL, 10);
				source->version = version == NULL ? 0 : strtoi64(version, NULL, 10);
				source->quoted_for = (int32) json_integer_value(laras_json_get(row, "for"));
				source->valid_until = json_integer_value(laras_json_get(row, "until"));
				return true;
			}
	}
	return false;
}

static bool
is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/*
 * How sure a model is it does not say. A reply without a word of matter ("iya
 * boleh") agrees with whatever the customer wrote, and no row can be held
 * against it: a person looks, unless a rule of the workspace lets it go.
 */
static float
confidence(const LarasText *reply, int cited, bool hand_over)
{
	if (hand_over)
		return 0.2f;
	if (cited == 0)
		return 0.3f;
	return laras_count_matter(reply->s, reply->n) == 0 ? 0.5f : 0.8f;
}

/* The voice, if it was given and the reply speaks by it: ground of nothing, but it may change. */
static bool
cite_voice(const LarasText *reply, const json_t *given, LarasSource *source)
{
	const json_t *row;
	size_t i;

	json_array_foreach(given, i, row)
	{
		const char *id = json_string_value(laras_json_get(row, "voice"));
		const char *version = json_string_value(laras_json_get(row, "version"));
		const char *greeting = json_string_value(laras_json_get(row, "greeting"));
		const char *sign_off = json_string_value(laras_json_get(row, "sign_off"));

		if (id == NULL || version == NULL || greeting == NULL || sign_off == NULL ||
			!laras_voice_speaks(greeting, sign_off, reply->s, reply->n))
			continue;
		*source = (LarasSource){.table = "brand_voice",
								.id = strtoi64(id, NULL, 10),
								.version = strtoi64(version, NULL, 10)};
		return true;
	}
	return false;
}

const char *
laras_llm_read(const char *response, size_t n, const json_t *given, bool english,
			   LarasComposed *composed)
{
	json_t *document = laras_json_own(laras_json_parse(response, n, NULL));
	const json_t *cites = laras_json_get(document, "cites");
	const json_t *hand_over = laras_json_get(document, "hand_over");
	LarasText reply = laras_json_text_at(document, "reply");
	LarasSource *sources;
	const json_t *cite;
	size_t i;
	int count = 0;

	if (document == NULL)
		return LARAS_HOLD_LLM_UNREADABLE;
	if (!json_is_object(document) || reply.s == NULL || !json_is_array(cites) ||
		(hand_over != NULL && !json_is_boolean(hand_over)) || strlen(reply.s) != reply.n ||
		is_blank(reply.s) || !pg_verify_mbstr(PG_UTF8, reply.s, (int) reply.n, true))
		return LARAS_HOLD_LLM_WRONG_SHAPE;
	if (reply.n > LARAS_LLM_REPLY_BYTES || json_array_size(cites) > 16)
		return LARAS_HOLD_LLM_TOO_LONG;
	sources = palloc(sizeof(LarasSource) * (json_array_size(cites) + 2));
	json_array_foreach(cites, i, cite)
	{
		bool again = false;

		if (!json_is_string(cite))
			return LARAS_HOLD_LLM_WRONG_SHAPE;
		if (!was_given(json_string_value(cite), given, &sources[count]))
			return LARAS_HOLD_LLM_FOREIGN_ROW;
		for (int k = 0; k < count; k++)
			again |= sources[k].id == sources[count].id &&
					 strcmp(sources[k].table, sources[count].table) == 0;
		count += !again;
	}
	composed->language = english ? "en" : "id";
	composed->hand_over = json_is_true(hand_over);
	composed->confidence = confidence(&reply, count, composed->hand_over);
	composed->text = pnstrdup(reply.s, reply.n);
	composed->sources = sources;
	composed->n_sources = count;
	/* a reply that rests on nothing rests on no voice either */
	if (count > 0 && cite_voice(&reply, given, &sources[count]))
		composed->n_sources++;
	return NULL;
}
