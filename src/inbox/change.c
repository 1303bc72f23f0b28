/*
 * change.c
 *		Edits and unsends: what a message does to the one it is about.
 *
 * A change is a message of its own (kind edit, unsend), found by the blind
 * index of what it is about. So it does not matter which of the two comes
 * first, nor how often: a change is applied when either has become a row.
 * Only who said a message may change it: the same contact, the same direction.
 * A comment stands in public, where whoever moderates may change it as well.
 * An unsent message keeps its row, without text, parts and element; what an
 * edit had said goes with it.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "inbox/change.h"
#include "inbox/processing.h"
#include "inbox/rows.h"
#include "inbox/sentiment.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/*
 * Pairs of a change and its target, where one of the two is among the new
 * rows $3 and the other has the index $4; oldest change first, unsends last.
 */
#define PAIR_COLUMNS                                                                              \
	"SELECT c.workspace_id, c.id, c.kind, c.body, coalesce(c.provider_timestamp, c.created_at), " \
	"t.id, t.slot, t.conversation_id, t.contact_id, t.direction, c.connection_id, c.channel "
#define PAIR_CONDITION                                                                        \
	"WHERE c.kind OPERATOR(pg_catalog.=) ANY ('{edit,unsend,hide,show}'::pg_catalog.text[]) " \
	"AND t.contact_id OPERATOR(pg_catalog.=) c.contact_id "                                   \
	"AND (t.direction OPERATOR(pg_catalog.=) c.direction OR (t.kind OPERATOR(pg_catalog.=) "  \
	"ANY ('{comment,live_comment,mention}'::pg_catalog.text[]) "                              \
	"AND t.connection_id OPERATOR(pg_catalog.=) c.connection_id)) "                           \
	"AND t.unsent_at IS NULL AND t.id OPERATOR(pg_catalog.<>) c.id "                          \
	"AND (t.edited_at IS NULL OR c.kind OPERATOR(pg_catalog.<>) 'edit' "                      \
	"OR t.edited_at OPERATOR(pg_catalog.<=) coalesce(c.provider_timestamp, c.created_at)) "   \
	"ORDER BY c.kind OPERATOR(pg_catalog.=) 'unsend', 5, c.id FOR UPDATE OF t"

/* the new rows are changes */
LARAS_PLAN(
	targets_of_changes,
	PAIR_COLUMNS
	"FROM unnest($1, $2, $3) AS u (w, i, x) "
	"JOIN laras.message c ON c.workspace_id OPERATOR(pg_catalog.=) u.w AND c.id OPERATOR(pg_catalog.=) u.i "
	"JOIN laras.message t ON t.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND t.provider_message_index OPERATOR(pg_catalog.=) u.x " PAIR_CONDITION,
	INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

/* the new rows are targets */
LARAS_PLAN(
	changes_of_targets,
	PAIR_COLUMNS
	"FROM unnest($1, $2, $3) AS u (w, i, x) "
	"JOIN laras.message t ON t.workspace_id OPERATOR(pg_catalog.=) u.w AND t.id OPERATOR(pg_catalog.=) u.i "
	"JOIN laras.message c ON c.workspace_id OPERATOR(pg_catalog.=) u.w "
	"AND c.about_index OPERATOR(pg_catalog.=) u.x " PAIR_CONDITION,
	INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(rewrite,
		   "UPDATE laras.message SET body = $3, edited_at = $4, sentiment = $5 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, LARAS_SEALED, TIMESTAMPTZOID, LARAS_SEALED);

/* what stands about a message stays; what it consists of is replaced */
LARAS_PLAN(
	drop_content,
	"DELETE FROM laras.message_part WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND message_id OPERATOR(pg_catalog.=) $2 "
	"AND kind OPERATOR(pg_catalog.<>) ALL ('{context,referral,identity,group,extra}'::pg_catalog.text[])",
	INT8OID, INT8OID);

LARAS_PLAN(
	hand_over_parts,
	"UPDATE laras.message_part SET message_id = $3 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND message_id OPERATOR(pg_catalog.=) $2 "
	"AND kind OPERATOR(pg_catalog.<>) ALL ('{context,referral,identity,group,extra}'::pg_catalog.text[])",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(withdraw,
		   "UPDATE laras.message SET body = NULL, element = NULL, sentiment = NULL, unsent_at = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TIMESTAMPTZOID);

/* the latest word counts, in whatever order they come */
LARAS_PLAN(
	set_hidden,
	"UPDATE laras.message t SET hidden_at = (SELECT CASE c.kind WHEN 'hide' THEN coalesce(c.provider_timestamp, c.created_at) END "
	"FROM laras.message c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.about_index OPERATOR(pg_catalog.=) t.provider_message_index "
	"AND c.kind OPERATOR(pg_catalog.=) ANY ('{hide,show}'::pg_catalog.text[]) "
	"ORDER BY coalesce(c.provider_timestamp, c.created_at) DESC, c.id DESC LIMIT 1) "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2 RETURNING hidden_at IS NOT NULL",
	INT8OID, INT8OID);

LARAS_PLAN(
	withdraw_edits,
	"UPDATE laras.message e SET body = NULL, element = NULL, sentiment = NULL FROM laras.message t "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2 "
	"AND e.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND e.about_index OPERATOR(pg_catalog.=) t.provider_message_index "
	"AND e.kind OPERATOR(pg_catalog.=) 'edit'",
	INT8OID, INT8OID);

LARAS_PLAN(
	drop_parts,
	"DELETE FROM laras.message_part WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND message_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	drop_wanted,
	"DELETE FROM laras.draft_wanted WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND message_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* a change and the message it is about, both rows */
typedef struct Pair
{
	int64 workspace_id;
	int64 change_id;
	bool unsend;
	bool hides;  /* or shows again */
	bytea *body; /* of the change, sealed; NULL: none */
	TimestampTz time;
	int64 target_id;
	uint32 slot;
	int64 conversation_id;
	int64 contact_id;
	bool outbound;
	int64 connection_id;
	char *channel;
} Pair;

static void
record_change(const Pair *p, LarasAction action, const char *text, size_t n)
{
	LarasEvidenceField fields[3];
	LarasEvidence act = {
		.workspace_id = p->workspace_id,
		.action = action,
		.actor_kind = p->outbound ? LARAS_ACTOR_PROVIDER : LARAS_ACTOR_CUSTOMER,
		.actor_id = p->outbound ? p->connection_id : p->contact_id,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = p->target_id,
		.fields = fields,
	};

	if (text != NULL)
		fields[act.nfields++] =
			(LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_BODY, p->slot, text, n);
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_CHANNEL, p->channel);
	fields[act.nfields++] =
		(LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_MESSAGE_ID, p->change_id);
	laras_evidence_append(&act);
}

static void
edit_target(const Pair *p)
{
	uint32 w = laras_workspace_slot(p->workspace_id);
	bytea *sealed = NULL;
	bytea *sentiment = NULL;
	char *text = NULL;
	size_t n = 0;
	char nulls[6] = "     ";

	if (p->body != NULL)
	{
		if (laras_open(p->body, p->workspace_id, p->change_id, LARAS_FIELD_message_body, &text,
					   &n) != LARAS_OPENED)
			return;
		sealed = laras_seal(w, p->slot, LARAS_FIELD_message_body, p->workspace_id, p->target_id,
							text, n);
		if (!p->outbound && laras_is_processed(p->workspace_id, p->channel))
			sentiment = laras_sentiment_seal(w, p->slot, p->workspace_id, p->target_id, text, n);
	}
	nulls[2] = sealed == NULL ? 'n' : ' ';
	nulls[4] = sentiment == NULL ? 'n' : ' ';
	laras_spi_run(&rewrite,
				  (Datum[]){Int64GetDatum(p->workspace_id), Int64GetDatum(p->target_id),
							PointerGetDatum(sealed), TimestampTzGetDatum(p->time),
							PointerGetDatum(sentiment)},
				  nulls);
	laras_media_drop(p->workspace_id, p->target_id);
	laras_media_hand_over(p->workspace_id, p->change_id, p->target_id);
	laras_spi_run(&drop_content,
				  (Datum[]){Int64GetDatum(p->workspace_id), Int64GetDatum(p->target_id)}, NULL);
	laras_spi_run(&hand_over_parts,
				  (Datum[]){Int64GetDatum(p->workspace_id), Int64GetDatum(p->change_id),
							Int64GetDatum(p->target_id)},
				  NULL);
	record_change(p, LARAS_ACT_MESSAGE_EDITED, text, n);
}

static void
unsend_target(const Pair *p)
{
	Datum target[2] = {Int64GetDatum(p->workspace_id), Int64GetDatum(p->target_id)};

	/* before the index is needed no more: edits are found by it */
	laras_spi_run(&withdraw_edits, target, NULL);
	laras_spi_run(&withdraw, (Datum[]){target[0], target[1], TimestampTzGetDatum(p->time)}, NULL);
	laras_media_drop(p->workspace_id, p->target_id);
	laras_spi_run(&drop_parts, target, NULL);
	laras_spi_run(&drop_wanted, target, NULL);
	if (!p->outbound)
		laras_drafts_withdrawn(p->workspace_id, p->conversation_id, p->target_id);
	record_change(p, LARAS_ACT_MESSAGE_DELETED, NULL, 0);
}

/* A comment that nobody sees is not answered in public. */
static void
hide_target(const Pair *p)
{
	Datum target[2] = {Int64GetDatum(p->workspace_id), Int64GetDatum(p->target_id)};
	bool hidden;

	laras_spi_run_one(&set_hidden, target, NULL);
	hidden = laras_spi_bool(0, 1);
	if (hidden && !p->outbound)
	{
		laras_spi_run(&drop_wanted, target, NULL);
		laras_drafts_withdrawn(p->workspace_id, p->conversation_id, p->target_id);
	}
	record_change(p, hidden ? LARAS_ACT_COMMENT_HIDDEN : LARAS_ACT_COMMENT_SHOWN, NULL, 0);
}

/* Read the pairs of a plan and apply them. Inside SPI. */
static void
apply_pairs(LarasPlan *plan, LarasColumn *c, int n)
{
	uint64 found = laras_spi_run(plan,
								 (Datum[]){laras_column_array(&c[0], n, INT8OID),
										   laras_column_array(&c[1], n, INT8OID),
										   laras_column_array(&c[2], n, BYTEAOID)},
								 NULL);
	Pair *pairs = palloc0(sizeof(Pair) * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		char *kind = laras_spi_cstring(i, 3);
		char *direction = laras_spi_cstring(i, 10);

		pairs[i].workspace_id = laras_spi_int8(i, 1);
		pairs[i].change_id = laras_spi_int8(i, 2);
		pairs[i].unsend = strcmp(kind, "unsend") == 0;
		pairs[i].hides = strcmp(kind, "hide") == 0 || strcmp(kind, "show") == 0;
		pairs[i].body = (bytea *) laras_spi_varlena(i, 4);
		pairs[i].time = laras_spi_time(i, 5);
		pairs[i].target_id = laras_spi_int8(i, 6);
		pairs[i].slot = (uint32) laras_spi_int8(i, 7);
		pairs[i].conversation_id = laras_spi_int8(i, 8);
		pairs[i].contact_id = laras_spi_int8(i, 9);
		pairs[i].outbound = strcmp(direction, "out") == 0;
		pairs[i].connection_id = laras_spi_int8(i, 11);
		pairs[i].channel = laras_spi_cstring(i, 12);
	}
	for (uint64 i = 0; i < found; i++)
	{
		if (laras_slot_is_destroyed(pairs[i].slot))
			continue;
		if (pairs[i].unsend)
			unsend_target(&pairs[i]);
		else if (pairs[i].hides)
			hide_target(&pairs[i]);
		else
			edit_target(&pairs[i]);
	}
}

void
laras_apply_changes(const LarasStoredMessage *messages, int n)
{
	LarasColumn changes[3];
	LarasColumn targets[3];
	int change_count = 0;
	int target_count = 0;

	laras_columns_init(changes, 3, n);
	laras_columns_init(targets, 3, n);
	for (int i = 0; i < n; i++)
	{
		const LarasStoredMessage *m = &messages[i];
		const LarasRecord *r = m->record;

		if (r->effect != LARAS_EFFECT_NONE && r->about.s != NULL)
		{
			changes[0].values[change_count] = Int64GetDatum(m->workspace_id);
			changes[1].values[change_count] = Int64GetDatum(m->id);
			changes[2].values[change_count++] =
				PointerGetDatum(laras_index_bytea(m->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE,
												  m->channel, r->about.s, r->about.n));
		}
		else if (m->index != (Datum) 0)
		{
			targets[0].values[target_count] = Int64GetDatum(m->workspace_id);
			targets[1].values[target_count] = Int64GetDatum(m->id);
			targets[2].values[target_count++] = m->index;
		}
	}
	laras_spi_open();
	if (target_count > 0)
		apply_pairs(&changes_of_targets, targets, target_count);
	if (change_count > 0)
		apply_pairs(&targets_of_changes, changes, change_count);
	laras_spi_close();
}
