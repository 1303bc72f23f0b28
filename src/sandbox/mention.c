/*
 * mention.c
 *		Mentions of pretended Instagram accounts, in comments and captions of others:
 *		the event that brings ids alone, what the account may ask of them, and its
 *		answers.
 *
 * Sources: Instagram Platform, "Mentions" (webhook `mentions`), "IG User, Mentioned
 * Comment", "Mentioned Media", "IG User, Mentions". Fields that are not documented
 * are refused, as is what does not mention the account; neither comment nor post
 * can be read by its id, since they are somebody else's.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/account_internal.h"
#include "sandbox/content.h"
#include "sandbox/control.h"
#include "sandbox/play.h"
#include "sandbox/refusal.h"

#define LONGEST_ANSWER 2200
#define LONGEST_FIELDS 512

typedef struct Mention
{
	char *id;    /* of the comment; of the post where it stands in the caption */
	char *media; /* the post, of somebody else */
	SbAccount *account;
	bool caption;
	char *name;
	char *text;
	int64_t made;
	bool gone;
} Mention;

static SbTable mentions;

static void
drop_mention(void *p)
{
	Mention *m = p;

	free(m->id);
	free(m->media);
	free(m->name);
	free(m->text);
	free(m);
}

void
sb_mentions_reset(void)
{
	sb_table_clear(&mentions, drop_mention);
}

/* The mention of that account in a comment or a caption; NULL: there is none. */
static Mention *
mention_of(const SbAccount *a, const char *id, bool caption)
{
	Mention *m = id ? sb_table_get(&mentions, id) : NULL;

	return m != NULL && m->account == a && m->caption == caption && !m->gone ? m : NULL;
}

static json_t *
moment(int64_t at)
{
	time_t seconds = (time_t) (at / SB_SECOND);
	struct tm tm;
	char text[40];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+0000", &tm);
	return json_string(text);
}

/* Members of the answer for those fields; NULL and a refusal where one is none. */
static json_t *
fields_of(SbCall *call, const Mention *m, char *fields)
{
	static const char *const of_comment[] = {"id", "like_count", "media", "text", "timestamp"};
	static const char *const of_media[] = {"caption",    "comments_count", "id",
										   "like_count", "media_type",     "media_url",
										   "timestamp",  "username"};
	const char *const *known = m->caption ? of_media : of_comment;
	size_t n = m->caption ? sizeof(of_media) / sizeof(of_media[0])
						  : sizeof(of_comment) / sizeof(of_comment[0]);
	json_t *answer = json_object();
	char *rest;

	for (char *field = strtok_r(fields, ",", &rest); field != NULL;
		 field = strtok_r(NULL, ",", &rest))
	{
		size_t i = 0;

		while (i < n && strcmp(known[i], field) != 0)
			i++;
		if (i == n)
		{
			sb_refuse(call, 100, 0, "(#100) Tried accessing nonexisting field", NULL);
			json_decref(answer);
			return NULL;
		}
		if (strcmp(field, "text") == 0 || strcmp(field, "caption") == 0)
			json_object_set_new(answer, field, json_string(m->text));
		else if (strcmp(field, "username") == 0)
			json_object_set_new(answer, field, json_string(m->name));
		else if (strcmp(field, "media") == 0)
			json_object_set_new(answer, field, json_pack("{s:s}", "id", m->media));
		else if (strcmp(field, "timestamp") == 0)
			json_object_set_new(answer, field, moment(m->made));
		else if (strcmp(field, "media_type") == 0)
			json_object_set_new(answer, field, json_string("IMAGE"));
		else if (strstr(field, "count") != NULL)
			json_object_set_new(answer, field, json_integer(0));
	}
	json_object_set_new(answer, "id", json_string(m->id));
	return answer;
}

bool
sb_read_mention(SbCall *call, SbGrant *g)
{
	static const char comment[] = "mentioned_comment.comment_id(";
	static const char media[] = "mentioned_media.media_id(";
	const char *given = sb_param(call, "fields");
	char fields[LONGEST_FIELDS];
	bool caption;
	char *id;
	char *end;
	Mention *m;
	json_t *answer;

	if (given == NULL || strncmp(given, "mentioned_", 10) != 0 || g->account->page ||
		g->account->threads)
		return false;
	call->note.route = "mention";
	call->note.number = g->account->id;
	snprintf(call->note.type, sizeof(call->note.type), "mention_read");
	caption = strncmp(given, media, sizeof(media) - 1) == 0;
	snprintf(fields, sizeof(fields), "%s", given);
	id = fields + (caption ? sizeof(media) : sizeof(comment)) - 1;
	end = strlen(given) < sizeof(fields) &&
				  (caption || strncmp(given, comment, sizeof(comment) - 1) == 0)
			  ? strstr(id, "){")
			  : NULL;
	if (end == NULL || end[strlen(end) - 1] != '}')
	{
		sb_refuse(call, 2500, 0, "Syntax error in the field specification.", NULL);
		return true;
	}
	*end = '\0';
	snprintf(call->note.to, sizeof(call->note.to), "%s", id);
	end[strlen(end + 2) + 1] = '\0';
	m = mention_of(g->account, id, caption);
	if (!sb_granted(g, SB_IG_COMMENTS))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (m == NULL)
		sb_refuse_object(call, id);
	else if ((answer = fields_of(call, m, end + 2)) != NULL)
		sb_answer_json(call, 200,
					   json_pack("{s:o,s:s}", caption ? "mentioned_media" : "mentioned_comment",
								 answer, "id", g->account->id));
	return true;
}

void
sb_answer_mention(SbCall *call, SbGrant *g)
{
	const json_t *message = json_object_get(call->json, "message");
	const char *text = json_string_value(message);
	const char *comment = json_string_value(json_object_get(call->json, "comment_id"));
	const char *media = json_string_value(json_object_get(call->json, "media_id"));
	Mention *m = mention_of(g->account, comment ? comment : media, comment == NULL);
	char *id;

	call->note.route = "mentions";
	call->note.number = g->account->id;
	snprintf(call->note.type, sizeof(call->note.type), "mention_answer");
	if (!sb_granted(g, SB_IG_COMMENTS))
		sb_refuse(call, 10, 0, NULL, NULL);
	else if (media == NULL || text == NULL || text[0] == '\0')
		sb_refuse(call, 100, 0, "(#100) The parameters media_id and message are required.", NULL);
	else if (sb_characters(message) > LONGEST_ANSWER)
		sb_refuse(call, 100, 0, "(#100) The comment is too long.", NULL);
	else if (m == NULL || strcmp(m->media, media) != 0)
		sb_refuse_object(call, comment ? comment : media);
	else
	{
		id = sb_new_id();
		snprintf(call->note.to, sizeof(call->note.to), "%s", m->id);
		snprintf(call->note.wamid, sizeof(call->note.wamid), "%s", id);
		call->note.accepted = true;
		call->note.content = sb_hash(text, strlen(text)) ^ sb_hash(m->id, strlen(m->id)) * 3;
		g->account->accepted++;
		sb_answer_json(call, 200, json_pack("{s:s}", "id", id));
		free(id);
	}
}

/* Somebody mentions an account, in a comment or in a caption; or takes it back. */
void
sb_play_mention(SbCall *call)
{
	static const char *const names[] = {"account", "name", "text", "caption", "silent",
										"id",      "gone", "wait", NULL};
	SbAccount *a = sb_account(sb_text_of(call, "account"));
	const char *text = sb_text_of(call, "text");
	const char *name = sb_text_of(call, "name");
	Mention *m = sb_text_of(call, "id") ? sb_table_get(&mentions, sb_text_of(call, "id")) : NULL;
	json_t *value;
	json_t *answer;
	SbWait *wait;

	if (!sb_only(call, names))
		return;
	if (m == NULL && (a == NULL || a->page || a->threads || text == NULL))
	{
		sb_unknown(call, "account or mention");
		return;
	}
	if (m == NULL)
	{
		m = sb_alloc(sizeof(Mention));
		m->caption = sb_flag_of(call, "caption", false);
		m->media = sb_new_id();
		m->id = m->caption ? sb_strdup(m->media) : sb_new_id();
		m->account = a;
		m->name = sb_strdup(name ? name : "somebody");
		m->text = sb_strdup(text);
		m->made = sb_now();
		sb_table_put(&mentions, m->id, m);
	}
	sb_update_flag(call, "gone", &m->gone);
	answer = json_pack("{s:s,s:s}", "id", m->id, "media_id", m->media);
	if (sb_flag_of(call, "silent", false))
	{
		sb_answer_json(call, 200, answer);
		return;
	}
	value = json_pack("{s:s}", "media_id", m->media);
	if (!m->caption)
		json_object_set_new(value, "comment_id", json_string(m->id));
	wait = sb_play_begin(call);
	json_object_set_new(answer, "told",
						json_boolean(sb_account_change(m->account, "mentions", value, wait)));
	sb_play_end(call, wait, answer);
}
