/*
 * instagram.c
 *		Instagram: messages, comments and mentions of a professional account.
 *
 * Sources: "Instagram Platform Webhook Notification Examples" (Nov 2025), the
 * Graph field reference. The field reference, the dashboard's test and real
 * deliveries call a comment's id `id`, one of Meta's examples `comment_id`.
 * What the account itself comments comes back as an event.
 */
#include "channel/media.h"
#include "channel/meta.h"
#include "channel/meta_connect.h"
#include "channel/meta_send.h"
#include "vault/numbers.h"

#include <string.h>

static void
read_comment(LarasReader *r, const LarasMetaChannel *channel, const json_t *entry, const char *kind,
			 const json_t *value)
{
	const json_t *from = laras_json_get(value, "from");
	const json_t *media = laras_json_get(value, "media");
	LarasText account = laras_reader_id(r, laras_json_get(entry, "id"));
	LarasMetaComment comment = {.kind = kind, .media = media};

	comment.id = laras_reader_id(r, laras_json_get(value, "id"));
	if (!laras_text_given(comment.id))
		comment.id = laras_reader_id(r, laras_json_get(value, "comment_id"));
	comment.parent = laras_reader_id(r, laras_json_get(value, "parent_id"));
	comment.post = laras_reader_id(r, laras_json_get(media, "id"));
	if (comment.post.s == NULL)
		comment.post = laras_reader_id(r, laras_json_get(value, "media_id"));
	comment.text = laras_json_text_at(value, "text");
	comment.person = laras_reader_id(r, laras_json_get(from, "id"));
	comment.name = laras_json_text_at(from, "username");
	/* self_ig_scoped_id tells nothing: the dashboard's test has it with a stranger's comment */
	comment.own = laras_text_same(comment.person, account);
	comment.time = laras_record_moment(laras_json_get(entry, "time"));
	laras_meta_comment(r, channel, value, &comment);
}

/* A mention in a comment has that comment's id, one in a caption the post's. */
static void
read_mention(LarasReader *r, const LarasMetaChannel *channel, const json_t *entry,
			 const json_t *value)
{
	LarasMetaComment comment = {.kind = "mention", .thread = value};

	comment.post = laras_reader_id(r, laras_json_get(value, "media_id"));
	comment.id = laras_reader_id(r, laras_json_get(value, "comment_id"));
	if (!laras_text_given(comment.id))
		comment.id = comment.post;
	comment.time = laras_record_moment(laras_json_get(entry, "time"));
	laras_meta_comment(r, channel, value, &comment);
}

static bool read_change(LarasReader *r, const json_t *entry, LarasText field, const json_t *value);

static const LarasMetaChannel instagram = {
	.object = "instagram",
	.person = LARAS_INDEX_IGSID,
	.read_change = read_change,
};

static bool
read_change(LarasReader *r, const json_t *entry, LarasText field, const json_t *value)
{
	LarasText none = {NULL, 0};

	if (laras_text_is(field, "comments"))
		read_comment(r, &instagram, entry, "comment", value);
	else if (laras_text_is(field, "live_comments"))
		read_comment(r, &instagram, entry, "live_comment", value);
	else if (laras_text_is(field, "mentions"))
		read_mention(r, &instagram, entry, value);
	else if (laras_text_is(field, "story_insights"))
		laras_meta_account(r, "insight_event", entry, field, none, value);
	else
		return false;
	return true;
}

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	return laras_meta_split(&instagram, body, allocator, pieces, nameless, reason);
}

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	return laras_meta_parse(&instagram, piece, allocator, records, reason);
}

static int
parse_element(const json_t *element, const LarasAllocator *allocator, LarasRecord **records,
			  const char **reason)
{
	return laras_meta_parse_element(&instagram, element, allocator, records, reason);
}

const LarasChannelDriver laras_instagram_driver = {
	.channel = "instagram",
	.path = "instagram",
	.base_url = "https://graph.instagram.com",
	.api_version = "v23.0",
	.split = split,
	.parse = parse,
	.parse_element = parse_element,
	.version = 1,
	.token_prefix = "IGAA",
	.token_least = 24,
	.deauthorize_path = "/api/meta/instagram/deauthorize",
	.deletion_path = "/api/meta/instagram/data-deletion",
	.scopes = {[LARAS_SURFACE_MESSAGE] = {"instagram_business_manage_messages",
										  "instagram_business_manage_messages"},
			   [LARAS_SURFACE_COMMENT] = {"instagram_business_manage_comments",
										  "instagram_business_manage_comments"},
			   [LARAS_SURFACE_MENTION] = {"instagram_business_manage_comments",
										  "instagram_business_manage_comments"}},
	.send = &laras_instagram_send,
	.connect = &laras_instagram_connect,
	.media = &laras_meta_media,
};
