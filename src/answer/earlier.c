/*
 * earlier.c
 *		What stands in a conversation before the messages that are drafted for;
 *		see earlier.h.
 *
 * A draft that waits is superseded when the customer writes again, because the
 * question is another one by then. The message that it was for has no answer all
 * the same: what comes next is read together with it, as if both had come at
 * once, and does not go out by itself.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "answer/earlier.h"
#include "answer/question.h"
#include "base/spi.h"
#include "inbox/rows.h"
#include "inbox/wish.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* messages of a conversation that are looked at, of both sides: the newest */
#define MESSAGES 16

/* of what was asked and answered before, so many bytes are read */
#define BEFORE_BYTES 1024

/*
 * What was answered by itself so lately is what the customer still speaks of. A chat
 * that rests for longer is begun anew: then "yang 250" may be of anything, and a
 * person looks.
 */
#define LATELY "'30 minutes'::pg_catalog.interval"

/*
 * Of each conversation the newest messages, as they were read: those of the
 * customer that a draft was made for, or that were let be read for one (only then
 * is the sentiment measured), and those of the business that no draft wrote.
 * What still waits for its draft belongs to the question itself. Beside them the
 * message whose draft waits for a person: however much came after it, that one
 * is found. A row for each conversation at least.
 */
LARAS_PLAN(
	read_earlier,
	"SELECT u.w, u.v, h.inbound_message_id, m.id, m.inbound, m.state, m.plain, m.body, m.draft_id, m.lately "
	"FROM unnest($1, $2) AS u (w, v) "
	"LEFT JOIN LATERAL (SELECT z.inbound_message_id FROM laras.draft z "
	"WHERE z.workspace_id OPERATOR(pg_catalog.=) u.w AND z.conversation_id OPERATOR(pg_catalog.=) u.v "
	"AND z.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) "
	"AND z.purpose OPERATOR(pg_catalog.=) 'service' LIMIT 1) h ON true "
	"LEFT JOIN LATERAL (SELECT y.id, y.created_at, y.direction OPERATOR(pg_catalog.=) 'in' AS inbound, d.state, d.id AS draft_id, "
	"coalesce(d.decided_by OPERATOR(pg_catalog.=) 'auto' AND d.decided_at OPERATOR(pg_catalog.>) (laras.now() OPERATOR(pg_catalog.-) " LATELY
	"), false) AS lately, "
	"y.kind OPERATOR(pg_catalog.=) ANY ('{text,button,list,comment,mention}'::pg_catalog.text[]) AS plain, y.body "
	"FROM (SELECT * FROM laras.message q WHERE q.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND q.conversation_id OPERATOR(pg_catalog.=) u.v "
	"ORDER BY (CASE WHEN q.provider_timestamp IS NULL THEN q.created_at ELSE q.provider_timestamp END) DESC, q.created_at DESC, q.id DESC LIMIT $3) y "
	"LEFT JOIN LATERAL (SELECT z.id, z.state, z.decided_by, z.decided_at FROM laras.draft z WHERE z.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND z.inbound_message_id OPERATOR(pg_catalog.=) y.id AND z.purpose OPERATOR(pg_catalog.=) 'service' LIMIT 1) d ON true "
	"WHERE NOT y.historical AND y.unsent_at IS NULL AND y.hidden_at IS NULL "
	"AND CASE y.direction WHEN 'in' THEN (d.state IS NOT NULL OR y.sentiment IS NOT NULL) "
	"AND y.kind OPERATOR(pg_catalog.<>) ALL ('{" LARAS_KINDS_UNASKED ",edit}'::pg_catalog.text[]) "
	"AND NOT EXISTS (SELECT 1 FROM laras.draft_wanted x WHERE x.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND x.message_id OPERATOR(pg_catalog.=) y.id) "
	"ELSE y.author_kind OPERATOR(pg_catalog.<>) 'draft' END) m ON true "
	"ORDER BY u.w, u.v, m.created_at, m.id",
	INT8ARRAYOID, INT8ARRAYOID, INT4OID);

/* The rows that drafts cited, or asked back about. */
LARAS_PLAN(
	read_cited,
	"SELECT s.workspace_id, s.draft_id, s.source_table, s.source_id FROM unnest($1, $2) AS u (w, d) "
	"JOIN laras.draft_source s ON s.workspace_id OPERATOR(pg_catalog.=) u.w AND s.draft_id OPERATOR(pg_catalog.=) u.d "
	"WHERE s.source_table OPERATOR(pg_catalog.<>) 'brand_voice' ORDER BY s.workspace_id, s.draft_id, s.ordinal",
	INT8ARRAYOID, INT8ARRAYOID);

/* a message of the customer that has no answer yet */
typedef struct Open
{
	int64 id;
	bytea *body; /* NULL: it has no words */
	bool plain;  /* words are all that it is */
	bool waits;  /* a draft for it was left to a person, who did not decide */
} Open;

typedef struct Before
{
	Open open[MESSAGES];
	int n;
	int64 held; /* the message whose draft waits for a person; 0: none */
	bool held_seen;
	/* what was answered by itself a short while ago, and nobody wrote since but the customer */
	Open asked[MESSAGES];
	int n_asked;
	int64 draft_id; /* the answer; 0: none */
} Before;

static bool
is_one_of(const char *state, const char *const *states)
{
	for (; *states != NULL; states++)
		if (strcmp(state, *states) == 0)
			return true;
	return false;
}

/*
 * One row, in the order in which they came: what a person wrote answers all that
 * came before, and what was decided on a draft all that was read for it.
 */
static void
take(Before *before, uint64 row)
{
	static const char *const decided[] = {"approved", "sent", "rejected", NULL};
	static const char *const left[] = {"pending", "held", "superseded", "stale", NULL};
	char *state = laras_spi_cstring(row, 6);
	int64 id = laras_spi_int8(row, 4);

	before->held_seen |= id == before->held;
	if (laras_spi_bool(row, 5))
		before->open[before->n++] = (Open){
			.id = id,
			.body = laras_spi_bytes(row, 8),
			.plain = laras_spi_bool(row, 7),
			.waits = state != NULL && is_one_of(state, left),
		};
	if (laras_spi_bool(row, 5) && (state == NULL || !is_one_of(state, decided)))
		return;
	before->draft_id = 0;
	if (laras_spi_bool(row, 10) && strcmp(state, "rejected") != 0)
	{
		memcpy(before->asked, before->open, sizeof(Open) * before->n);
		before->n_asked = before->n;
		before->draft_id = laras_spi_int8(row, 9);
	}
	before->n = 0;
}

/* "STOP" and "MULAI" were understood as they came: nobody has to answer them. */
static bool
is_wish(const char *text, size_t n)
{
	LarasRecord said = {
		.kind = LARAS_RECORD_MESSAGE,
		.message_kind = "text",
		.text = {text, n},
	};

	return laras_wish_in(&said) != LARAS_PREFERENCE_NONE;
}

/* Puts a text before what is read, where there is room. */
static bool
put_before(StringInfo read, const char *text, size_t n, size_t most)
{
	StringInfoData joined;

	if (read->len + n + 1 >= most)
		return false;
	initStringInfo(&joined);
	appendBinaryStringInfo(&joined, text, (int) n);
	if (read->len > 0)
		appendStringInfo(&joined, "\n%s", read->data);
	*read = joined;
	return true;
}

/*
 * Joins what has no answer to the question, before what came last, as if all had
 * come at once. Where it is too much to be read the newest counts; that somebody
 * waits counts all the same.
 */
static void
join(LarasDrafting *d, const Before *before)
{
	bool room = true;

	d->unanswered = before->held != 0 && !before->held_seen;
	for (int i = before->n - 1; i >= 0; i--)
	{
		const Open *open = &before->open[i];
		char *text = NULL;
		size_t n = 0;

		if (open->body != NULL &&
			laras_try_open(open->body, d->workspace_id, open->id, LARAS_FIELD_message_body, &text,
						   &n) != LARAS_OPENED)
			text = NULL;
		if (text != NULL && is_wish(text, n))
			continue;
		d->unanswered |= open->waits;
		d->not_text |= open->waits && !open->plain;
		room = room && (text == NULL || put_before(&d->question, text, n, LARAS_QUESTION_BYTES));
	}
}

/* What was asked last, of what was answered by itself. */
static void
remember(LarasDrafting *d, const Before *before)
{
	initStringInfo(&d->before);
	for (int i = before->n_asked - 1; i >= 0 && before->draft_id != 0; i--)
	{
		const Open *asked = &before->asked[i];
		char *text;
		size_t n;

		if (asked->body != NULL &&
			laras_try_open(asked->body, d->workspace_id, asked->id, LARAS_FIELD_message_body, &text,
						   &n) == LARAS_OPENED &&
			!put_before(&d->before, text, n, BEFORE_BYTES))
			return;
	}
}

/* The rows of the answers to those. */
static void
read_cited_rows(LarasDrafting *list, const Before *before, int n)
{
	LarasColumn c[2];
	uint64 found;
	int count = 0;

	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		if (list[i].before.len == 0)
			continue;
		c[0].values[count] = Int64GetDatum(list[i].workspace_id);
		c[1].values[count++] = Int64GetDatum(before[i].draft_id);
	}
	if (count == 0)
		return;
	found = laras_spi_run(&read_cited,
						  (Datum[]){laras_column_array(&c[0], count, INT8OID),
									laras_column_array(&c[1], count, INT8OID)},
						  NULL);
	for (int i = 0; i < n; i++)
	{
		LarasDrafting *d = &list[i];

		for (uint64 row = 0; row < found && d->before.len > 0; row++)
		{
			if (laras_spi_int8(row, 1) != d->workspace_id ||
				laras_spi_int8(row, 2) != before[i].draft_id)
				continue;
			if (d->cited == NULL)
				d->cited = palloc0(sizeof(LarasSource) * found);
			d->cited[d->n_cited++] = (LarasSource){
				.table = laras_spi_cstring(row, 3),
				.id = laras_spi_int8(row, 4),
			};
		}
	}
}

void
laras_read_earlier(LarasDrafting *list, int n)
{
	LarasColumn c[2];
	Before *before;
	uint64 found;
	int at = 0;

	if (n == 0)
		return;
	before = palloc0(sizeof(Before) * n);
	laras_columns_init(c, 2, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(list[i].workspace_id);
		c[1].values[i] = Int64GetDatum(list[i].conversation_id);
	}
	found = laras_spi_run(&read_earlier,
						  (Datum[]){laras_column_array(&c[0], n, INT8OID),
									laras_column_array(&c[1], n, INT8OID), Int32GetDatum(MESSAGES)},
						  NULL);
	for (uint64 row = 0; row < found; row++)
	{
		while (list[at].workspace_id != laras_spi_int8(row, 1) ||
			   list[at].conversation_id != laras_spi_int8(row, 2))
			at++;
		Assert(at < n);
		if (!laras_spi_isnull(row, 3))
			before[at].held = laras_spi_int8(row, 3);
		if (!laras_spi_isnull(row, 4))
			take(&before[at], row);
	}
	for (int i = 0; i < n; i++)
	{
		join(&list[i], &before[i]);
		remember(&list[i], &before[i]);
	}
	read_cited_rows(list, before, n);
}
