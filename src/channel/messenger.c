/*
 * messenger.c
 *		Facebook Messenger, and comments on the posts of a Page.
 *
 * Sources: "Webhook events reference" of the Messenger Platform, "Page feed" of
 * the Graph reference. The field `feed` brings everything that happens on a
 * Page; only comments are conversations. Names differ between versions
 * (sender_id for from, camel case in some libraries' relays).
 */
#include "channel/media.h"
#include "channel/messenger.h"
#include "channel/meta.h"
#include "channel/meta_send.h"
#include "vault/numbers.h"

#include <string.h>

static const LarasMetaChannel messenger;

/* An id that goes by one of two names. */
static LarasText
id_of(LarasReader *r, const json_t *value, const char *name, const char *other)
{
	LarasText id = laras_reader_id(r, laras_json_get(value, name));

	if (!laras_text_given(id) && other != NULL)
		id = laras_reader_id(r, laras_json_get(value, other));
	return id;
}

static void
read_comment(LarasReader *r, const json_t *entry, const char *kind, const json_t *value)
{
	const json_t *from = laras_json_get(value, "from");
	LarasText account = laras_reader_id(r, laras_json_get(entry, "id"));
	LarasMetaComment comment = {.kind = kind};

	comment.id = id_of(r, value, "comment_id", "commentId");
	comment.post = id_of(r, value, "post_id", "postId");
	if (!laras_text_given(comment.id) && strcmp(kind, "mention") == 0)
		comment.id = comment.post;
	comment.parent = id_of(r, value, "parent_id", "parentId");
	comment.text = laras_json_text_at(value, "message");
	comment.person = from != NULL ? id_of(r, from, "id", NULL) : id_of(r, value, "sender_id", NULL);
	comment.name = laras_json_text_at(from, "name");
	if (comment.name.s == NULL)
		comment.name = laras_json_text_at(value, "sender_name");
	comment.own = laras_text_same(comment.person, account);
	/* "<page>_<post>" */
	if (laras_text_given(comment.post) && laras_text_given(account) &&
		memchr(comment.post.s, '_', comment.post.n) != NULL)
		comment.owner = comment.post.n > account.n && comment.post.s[account.n] == '_' &&
								memcmp(comment.post.s, account.s, account.n) == 0
							? LARAS_POST_OWN
							: LARAS_POST_FOREIGN;
	comment.verb = laras_json_text_at(value, "verb");
	comment.time = laras_record_moment(laras_json_get(value, "created_time"));
	if (comment.time == 0)
		comment.time = laras_record_moment(laras_json_get(value, "createdTime"));
	if (comment.time == 0)
		comment.time = laras_record_moment(laras_json_get(entry, "time"));
	comment.media = laras_json_get(value, "photo");
	if (comment.media == NULL)
		comment.media = laras_json_get(value, "video");
	laras_meta_comment(r, &messenger, value, &comment);
}

/* What happens on a Page and is no conversation needs no record. */
static bool
is_page_news(LarasText item)
{
	static const char *const items[] = {"post",  "status",   "photo", "video", "share",
										"like",  "reaction", "album", "event", "link",
										"story", "note",     "offer"};

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (laras_text_is(item, items[i]))
			return true;
	return false;
}

static bool
read_change(LarasReader *r, const json_t *entry, LarasText field, const json_t *value)
{
	LarasText item = laras_json_text_at(value, "item");

	if (laras_text_is(field, "mention"))
		read_comment(r, entry, "mention", value);
	else if (laras_text_is(field, "feed") && laras_text_is(item, "comment"))
		read_comment(r, entry, "comment", value);
	else
		return laras_text_is(field, "feed") && is_page_news(item);
	return true;
}

static const LarasMetaChannel messenger = {
	.object = "page",
	.person = LARAS_INDEX_PSID,
	.read_change = read_change,
};

static int
split(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces, int *nameless,
	  const char **reason)
{
	return laras_meta_split(&messenger, body, allocator, pieces, nameless, reason);
}

static int
parse(const json_t *piece, const LarasPieceSource *source, const LarasAllocator *allocator,
	  LarasRecord **records, const char **reason)
{
	return laras_meta_parse(&messenger, piece, allocator, records, reason);
}

static int
parse_element(const json_t *element, const LarasAllocator *allocator, LarasRecord **records,
			  const char **reason)
{
	return laras_meta_parse_element(&messenger, element, allocator, records, reason);
}

const LarasChannelDriver laras_messenger_driver = {
	.channel = "messenger",
	.path = "messenger",
	.base_url = "https://graph.facebook.com",
	.api_version = "v23.0",
	.split = split,
	.parse = parse,
	.parse_element = parse_element,
	.version = 1,
	.token_prefix = "EAA",
	.token_least = 24,
	/* the main app's, which may serve WhatsApp too */
	.deauthorize_path = "/api/meta/deauthorize",
	.deletion_path = "/api/meta/data-deletion",
	.authorizer = "whatsapp",
	.scopes = {[LARAS_SURFACE_MESSAGE] = {"pages_messaging", "pages_messaging"},
			   [LARAS_SURFACE_COMMENT] = {"pages_manage_engagement", "pages_manage_engagement"},
			   [LARAS_SURFACE_MENTION] = {"pages_manage_engagement", "pages_manage_engagement"}},
	.send = &laras_messenger_send,
	.connect = &laras_messenger_connect,
	.media = &laras_meta_media,
};
