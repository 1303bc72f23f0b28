/*
 * whatsapp.c
 *		WhatsApp Cloud API: the driver, and splitting a webhook by account.
 *
 * whatsapp_parse.c reads the pieces, whatsapp_message.c their messages,
 * whatsapp_send.c sends.
 */
#include "channel/media.h"
#include "channel/record.h"
#include "channel/whatsapp.h"

#include <string.h>

/* ------------------------------------------------------------- splitting */

/* Find or add the piece of an account; NULL when there are too many. */
static LarasBodyPart *
piece_of(LarasBodyPart *pieces, int *count, int room, LarasText account, LarasAccountRole role,
		 LarasText above)
{
	LarasBodyPart *piece;

	for (int i = *count - 1; i >= 0; i--)
		if (pieces[i].role == role && pieces[i].account.n == account.n &&
			memcmp(pieces[i].account.s, account.s, account.n) == 0 &&
			pieces[i].above.n == above.n &&
			(above.n == 0 || memcmp(pieces[i].above.s, above.s, above.n) == 0))
			return &pieces[i];
	if (*count == room)
		return NULL;
	piece = &pieces[(*count)++];
	piece->account = account;
	piece->role = role;
	piece->above = above;
	return piece;
}

/*
 * One change of an entry goes into the piece of its account. Returns false
 * when memory or room is short.
 */
static bool
add_change(json_t *body, json_t *entry, json_t *change, LarasBodyPart *piece)
{
	json_t *entries;
	json_t *last;

	if (piece->document == NULL)
	{
		piece->document = laras_json_object();
		if (piece->document == NULL)
			return false;
		json_object_set(piece->document, "object", json_object_get(body, "object"));
		json_object_set_new(piece->document, "entry", json_array());
	}
	entries = json_object_get(piece->document, "entry");
	last = json_array_get(entries, json_array_size(entries) - 1);
	if (last == NULL || json_object_get(last, "laras_entry") != entry)
	{
		const char *key;
		json_t *value;

		/* the marker keeps the source entry recognisable; dropped below */
		last = laras_json_object();
		json_object_foreach(entry, key, value)
			if (strcmp(key, "changes") != 0)
				json_object_set(last, key, value);
		json_object_set(last, "laras_entry", entry);
		json_object_set_new(last, "changes", json_array());
		if (json_array_append_new(entries, last) != 0)
			return false;
	}
	return json_array_append(json_object_get(last, "changes"), change) == 0;
}

static void
drop_markers(LarasBodyPart *piece)
{
	size_t i;
	json_t *entry;

	json_array_foreach(json_object_get(piece->document, "entry"), i, entry)
		json_object_del(entry, "laras_entry");
}

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	json_t *entries = json_object_get(body, "entry");
	json_t *entry;
	size_t i;
	size_t changes = 0;
	size_t routed = 0;
	int count = 0;
	int room;
	LarasBodyPart *found;

	*nameless = 0;
	*pieces = NULL;
	if (!json_is_object(body))
	{
		*reason = "not_an_object";
		return -1;
	}
	if (!laras_text_is(laras_json_text_at(body, "object"), "whatsapp_business_account"))
	{
		*reason = "unknown_object";
		return -1;
	}
	json_array_foreach(entries, i, entry)
		changes += json_array_size(json_object_get(entry, "changes"));
	room = changes < LARAS_MAX_PARTS ? (int) changes : LARAS_MAX_PARTS;
	if (room == 0)
		return 0;
	found = laras_allocate(allocator, sizeof(LarasBodyPart) * (size_t) room);
	if (found == NULL)
	{
		*reason = "out_of_memory";
		return -1;
	}
	json_array_foreach(entries, i, entry)
	{
		LarasText business = laras_account_id(allocator, json_object_get(entry, "id"));
		json_t *change;
		size_t k;

		json_array_foreach(json_object_get(entry, "changes"), k, change)
		{
			json_t *metadata = laras_json_get(laras_json_get(change, "value"), "metadata");
			LarasText number =
				laras_account_id(allocator, laras_json_get(metadata, "phone_number_id"));
			LarasText absent = {NULL, 0};
			LarasBodyPart *piece;

			if (number.s == NULL && business.s == NULL)
			{
				(*nameless)++;
				continue;
			}
			if (number.s != NULL)
				piece = piece_of(found, &count, room, number, LARAS_ACCOUNT_NUMBER,
								 business.s != NULL ? business : absent);
			else
				piece = piece_of(found, &count, room, business, LARAS_ACCOUNT_BUSINESS, absent);
			/* a lone change needs no body made for it */
			if (piece == NULL || (changes > 1 && !add_change(body, entry, change, piece)))
			{
				for (int p = 0; p < count; p++)
					json_decref(found[p].document);
				*reason = piece == NULL ? "too_many_accounts" : "out_of_memory";
				return -1;
			}
			routed++;
		}
	}
	for (int p = 0; p < count; p++)
		drop_markers(&found[p]);
	if (count == 1 && routed == changes)
	{
		/* the usual case: the bytes as received are the piece */
		json_decref(found[0].document);
		found[0].document = body;
		found[0].whole = true;
	}
	*pieces = found;
	return count;
}

const LarasChannelDriver laras_whatsapp_driver = {
	.channel = "whatsapp",
	.path = "wa",
	.base_url = "https://graph.facebook.com",
	.api_version = "v23.0",
	.split = split,
	.parse = laras_whatsapp_parse,
	.parse_element = laras_whatsapp_parse_element,
	/* 1: text alone; 2: every kind that the corpus has */
	.version = 2,
	/* every token of the Graph API begins so and has a hundred and more */
	.token_prefix = "EAA",
	.token_least = 24,
	.deauthorize_path = "/api/meta/deauthorize",
	.deletion_path = "/api/meta/data-deletion",
	.scopes = {[LARAS_SURFACE_MESSAGE] = {"whatsapp_business_messaging",
										  "whatsapp_business_messaging"}},
	.send = &laras_whatsapp_send,
	.connect = &laras_whatsapp_connect,
	.media = &laras_whatsapp_media,
};
