/*
 * comment.c
 *		Which thread a comment belongs to, and whom it concerns.
 *
 * A thread is named by the comment that it hangs from. An answer joins the
 * thread of what it answers; where laras does not have that, it is taken for
 * the top of one. What the business says itself concerns the person it
 * answers, and a change whoever wrote what it changes: so neither needs a person
 * of its own, and where the event names another (the moderator who hid a
 * comment) that is no matter.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "inbox/comment.h"
#include "inbox/rows.h"
#include "vault/numbers.h"

LARAS_PLAN(
	find_comments,
	"SELECT u.n, p.id, p.slot, v.thread_index FROM unnest($1, $2, $3, $4) AS u (n, w, cn, x) "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND m.provider_message_index OPERATOR(pg_catalog.=) u.x AND m.connection_id OPERATOR(pg_catalog.=) u.cn "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND v.id OPERATOR(pg_catalog.=) m.conversation_id AND v.surface OPERATOR(pg_catalog.=) 'comment' "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND p.id OPERATOR(pg_catalog.=) m.contact_id FOR KEY SHARE OF p",
	INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

/* what a comment hangs from: itself as it was before (a change), and what it answers */
typedef enum Link
{
	LINK_ITSELF,
	LINK_PARENT,
	LINKS
} Link;

typedef struct Linked
{
	uint8 index[LINKS][LARAS_INDEX_BYTES]; /* of provider ids */
	bool given[LINKS];
	LarasContactRef contact[LINKS]; /* of the rows found */
	uint8 thread[LINKS][LARAS_INDEX_BYTES];
} Linked;

static void
index_of(const LarasComment *c, uint8 kind, LarasText value, uint8 out[LARAS_INDEX_BYTES])
{
	laras_blind_index(c->event->workspace_slot, kind, c->event->driver->channel, value.s, value.n,
					  out);
}

/* The record as the inbox keeps it: what changes a comment is a message about it. */
static void
take_record(LarasComment *c)
{
	LarasRecord *r = &c->record;

	*r = *c->given;
	r->kind = LARAS_RECORD_MESSAGE;
	if (r->effect != LARAS_EFFECT_NONE)
	{
		r->message_kind = r->effect == LARAS_EFFECT_EDIT     ? "edit"
						  : r->effect == LARAS_EFFECT_UNSEND ? "unsend"
						  : r->effect == LARAS_EFFECT_HIDE   ? "hide"
															 : "show";
		r->about = r->provider_id;
		r->unnamed = true;
		r->flags &= ~(unsigned) LARAS_COUNTS;
		if (r->effect == LARAS_EFFECT_EDIT)
			r->flags |= r->flags & LARAS_OUTBOUND ? 0 : LARAS_WANTS_ANSWER;
		else
		{
			r->text = (LarasText){NULL, 0};
			r->part_count = 0;
		}
	}
	else if ((r->flags & LARAS_OUTBOUND) == 0)
	{
		r->flags |= LARAS_OPENS_WINDOW;
		/* a live comment takes no answer in public, a mention speaks of us and not to us */
		if (strcmp(r->message_kind, "comment") == 0)
			r->flags |= LARAS_WANTS_ANSWER;
	}
	/* the account is no person */
	if (r->flags & LARAS_OUTBOUND)
	{
		r->identity_count = 0;
		r->name = (LarasText){NULL, 0};
	}
}

/* Ask for all that these comments hang from in one statement. */
static void
look_up(LarasComment *list, Linked *linked, int n)
{
	LarasColumn c[4];
	int count = 0;
	uint64 found;

	laras_columns_init(c, 4, n * LINKS);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < LINKS; k++)
		{
			if (!linked[i].given[k])
				continue;
			c[0].values[count] = Int32GetDatum(i * LINKS + k);
			c[1].values[count] = Int64GetDatum(list[i].event->workspace_id);
			c[2].values[count] = Int64GetDatum(list[i].event->connection_id);
			c[3].values[count++] = laras_bytea_datum(linked[i].index[k], LARAS_INDEX_BYTES);
		}
	if (count == 0)
		return;
	laras_spi_open();
	found = laras_spi_run(&find_comments,
						  (Datum[]){laras_column_array(&c[0], count, INT4OID),
									laras_column_array(&c[1], count, INT8OID),
									laras_column_array(&c[2], count, INT8OID),
									laras_column_array(&c[3], count, BYTEAOID)},
						  NULL);
	for (uint64 row = 0; row < found; row++)
	{
		int at = laras_spi_int4(row, 1);
		Linked *l = &linked[at / LINKS];
		bytea *thread = laras_spi_bytes(row, 4);

		l->contact[at % LINKS].id = laras_spi_int8(row, 2);
		l->contact[at % LINKS].slot = (uint32) laras_spi_int8(row, 3);
		memcpy(l->thread[at % LINKS], VARDATA_ANY(thread), LARAS_INDEX_BYTES);
	}
	laras_spi_close();
}

/* The comment before i in the list that has that id; -1: none. */
static int
earlier(const LarasComment *list, const Linked *linked, int i, Link link)
{
	for (int k = i - 1; k >= 0; k--)
		if (list[k].event->workspace_id == list[i].event->workspace_id &&
			list[k].event->connection_id == list[i].event->connection_id &&
			memcmp(linked[k].index[LINK_ITSELF], linked[i].index[link], LARAS_INDEX_BYTES) == 0)
			return k;
	return -1;
}

static void
place(LarasComment *list, const Linked *linked, int i)
{
	LarasComment *c = &list[i];
	const Linked *l = &linked[i];
	bool change = c->record.effect != LARAS_EFFECT_NONE;

	c->base = -1;
	/* said by nobody, and here already: it is the same again, and nobody else */
	if (!change && l->given[LINK_ITSELF])
	{
		c->contact = l->contact[LINK_ITSELF];
		c->base = c->contact.id != 0 ? -1 : earlier(list, linked, i, LINK_ITSELF);
		if (c->contact.id != 0 || c->base >= 0)
			return;
	}
	for (int k = change ? LINK_ITSELF : LINK_PARENT; k < LINKS; k++)
	{
		int before = l->given[k] ? earlier(list, linked, i, k) : -1;
		/* whom it concerns: of a change whoever wrote it, of an answer of ours whom it answers */
		bool concerns = k == LINK_ITSELF ? change : (c->record.flags & LARAS_OUTBOUND) != 0;

		if (l->contact[k].id != 0)
		{
			memcpy(c->thread, l->thread[k], LARAS_INDEX_BYTES);
			if (concerns)
				c->contact = l->contact[k];
		}
		else if (before >= 0)
		{
			memcpy(c->thread, list[before].thread, LARAS_INDEX_BYTES);
			if (concerns)
				c->base = before;
		}
		else
			continue;
		if (concerns)
			c->record.identity_count = 0;
		break;
	}
	if (c->contact.id == 0 && c->base < 0)
		c->nobody = c->record.identity_count == 0 && (c->record.flags & LARAS_OUTBOUND) == 0;
}

void
laras_comments_place(LarasComment *list, int n)
{
	Linked *linked = palloc0(sizeof(Linked) * n);

	for (int i = 0; i < n; i++)
	{
		LarasComment *c = &list[i];
		const LarasRecord *given = c->given;

		take_record(c);
		index_of(c, LARAS_INDEX_PROVIDER_MESSAGE, given->provider_id, linked[i].index[LINK_ITSELF]);
		linked[i].given[LINK_ITSELF] =
			given->effect != LARAS_EFFECT_NONE ||
			(c->record.identity_count == 0 && (c->record.flags & LARAS_OUTBOUND) == 0);
		linked[i].given[LINK_PARENT] = given->about.s != NULL;
		if (given->about.s != NULL)
			index_of(c, LARAS_INDEX_PROVIDER_MESSAGE, given->about, linked[i].index[LINK_PARENT]);
		index_of(c, LARAS_INDEX_COMMENT, given->about.s != NULL ? given->about : given->provider_id,
				 c->thread);
		if (given->post.s != NULL)
			index_of(c, LARAS_INDEX_POST, given->post, c->post);
	}
	look_up(list, linked, n);
	for (int i = 0; i < n; i++)
		place(list, linked, i);
}
