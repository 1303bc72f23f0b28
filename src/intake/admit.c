/*
 * admit.c
 *		Which comments are processed at all.
 *
 * The owner's grant is the connection's list of scopes; whose post a comment
 * stands below is said by the event, or else by the provider, once for each
 * post (connect/post.c). What is not admitted leaves no trace but a count.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "connect/mention.h"
#include "connect/post.h"
#include "inbox/rows.h"
#include "intake/admit.h"
#include "intake/intake.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* of each event, whether its connection has the scopes to hear comments and mentions */
LARAS_PLAN(
	find_grants,
	"SELECT u.n, c.scopes OPERATOR(pg_catalog.@>) ARRAY[u.co], c.scopes OPERATOR(pg_catalog.@>) ARRAY[u.me] "
	"FROM unnest($1, $2, $3, $4, $5) AS u (n, w, i, co, me) JOIN laras.connection c "
	"ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID);

typedef struct Grants
{
	bool comments;
	bool mentions;
} Grants;

static Datum
hearing(const LarasChannelDriver *driver, LarasSurface surface)
{
	const char *scope = driver->scopes[surface].hear;

	return CStringGetTextDatum(scope != NULL ? scope : "");
}

static Grants *
read_grants(const LarasCommented *list, int n)
{
	Grants *grants = palloc0(sizeof(Grants) * n);
	LarasColumn c[5];
	uint64 found;

	laras_columns_init(c, 5, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int32GetDatum(i);
		c[1].values[i] = Int64GetDatum(list[i].event->workspace_id);
		c[2].values[i] = Int64GetDatum(list[i].event->connection_id);
		c[3].values[i] = hearing(list[i].event->driver, LARAS_SURFACE_COMMENT);
		c[4].values[i] = hearing(list[i].event->driver, LARAS_SURFACE_MENTION);
	}
	laras_spi_open();
	found = laras_spi_run(&find_grants,
						  (Datum[]){laras_column_array(&c[0], n, INT4OID),
									laras_column_array(&c[1], n, INT8OID),
									laras_column_array(&c[2], n, INT8OID),
									laras_column_array(&c[3], n, TEXTOID),
									laras_column_array(&c[4], n, TEXTOID)},
						  NULL);
	for (uint64 row = 0; row < found; row++)
	{
		grants[laras_spi_int4(row, 1)].comments = laras_spi_bool(row, 2);
		grants[laras_spi_int4(row, 1)].mentions = laras_spi_bool(row, 3);
	}
	laras_spi_close();
	return grants;
}

/* Only ids are said of it: the owner is told, and finds it at the provider. */
static void
tell_mention(LarasRecord *record)
{
	size_t n;
	char *element = laras_json_text_of(record->element, &n);

	record->kind = LARAS_RECORD_ACCOUNT;
	record->topic = "mention_event";
	record->details.s = psprintf("{\"field\":\"mentions\",\"value\":%s}", element);
	record->details.n = strlen(record->details.s);
}

/* Why a comment is not kept; NULL: it is, or *waits for the provider to say whose post it is below. */
static const char *
judge(const LarasCommented *in, const Grants *grants, LarasRecord *record, bool *waits)
{
	const LarasInboxEvent *event = in->event;
	bool mention = strcmp(record->message_kind, "mention") == 0;
	LarasPostState state;

	if (!(mention ? grants->mentions : grants->comments))
		return "comment_not_authorised";
	if (mention)
		return NULL;
	if (record->owner == LARAS_POST_FOREIGN)
		return "comment_on_foreign_post";
	/* a change has an effect on what we have alone */
	if (record->effect != LARAS_EFFECT_NONE && record->owner == LARAS_POST_UNKNOWN)
		return NULL;
	if (record->post.s == NULL)
		return record->owner == LARAS_POST_OWN ? NULL : "comment_without_post";
	state = laras_post_state(event->workspace_id, event->workspace_slot, event->connection_id,
							 event->driver, record->post, record->owner == LARAS_POST_OWN);
	if (state == LARAS_POST_IS_FOREIGN)
		return "comment_on_foreign_post";
	*waits = state == LARAS_POST_IS_ASKED;
	return NULL;
}

void
laras_comments_admit(LarasCommented *list, int n)
{
	Grants *grants = read_grants(list, n);
	LarasIgnored *ignored;
	int records = 0;
	int ignored_count = 0;

	for (int i = 0; i < n; i++)
		records += list[i].event->record_count;
	ignored = palloc(sizeof(LarasIgnored) * (records + 1));
	for (int i = 0; i < n; i++)
	{
		LarasCommented *in = &list[i];
		bool aside = false;

		for (int k = 0; k < in->event->record_count; k++)
		{
			LarasRecord *record = &in->event->records[k];
			bool waits = false;
			const char *why;

			if (record->kind != LARAS_RECORD_COMMENT)
				continue;
			why = judge(in, &grants[i], record, &waits);
			if (why != NULL)
				ignored[ignored_count++] = (LarasIgnored){in->channel, why, 1};
			if (why != NULL || waits)
			{
				record->kind = LARAS_RECORD_OTHER;
				record->reason = why;
			}
			else if (strcmp(record->message_kind, "mention") == 0 && record->identity_count == 0 &&
					 !laras_mention_is_readable(in->event->driver, record))
				tell_mention(record);
			aside |= waits;
		}
		if (aside)
			laras_quarantine_event(in->event->workspace_id, in->event->connection_id, in->channel,
								   in->event->received_at, "00000", LARAS_POST_UNKNOWN_YET,
								   in->body, in->n);
	}
	laras_count_ignored(ignored, ignored_count);
}
