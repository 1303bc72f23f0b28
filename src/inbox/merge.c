/*
 * merge.c
 *		laras.merge_contacts: two contacts turn out to be one person.
 *
 * Everything of the other contact becomes the kept one's; nothing is sealed
 * anew: the other's key stays as it is and gets a new owner, so that whoever
 * erases the kept contact destroys both. Where both talked over one connection
 * their conversations become one.
 *
 * The workspace's connections are locked first, as intake and courier lock them
 * before contacts: a batch that knows the other contact comes wholly before.
 */
#include "postgres.h"

#include "answer/draft.h"
#include "base/arguments.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/names.h"
#include "inbox/suppression.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_merge_contacts);

#define REASON_BYTES 1000

LARAS_PLAN(lock_connections,
		   "SELECT 1 FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "ORDER BY c.id FOR NO KEY UPDATE",
		   INT8OID);

LARAS_PLAN(lock_contacts,
		   "SELECT c.id, c.slot, c.state, c.name, c.opt_out_at, c.opt_in_at FROM laras.contact c "
		   "WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND c.id OPERATOR(pg_catalog.=) ANY (ARRAY[$2, $3]) ORDER BY c.id FOR UPDATE",
		   INT8OID, INT8OID, INT8OID);

/* conversations of the other, and the kept one's over the same connection and thread */
LARAS_PLAN(
	find_conversations,
	"SELECT o.id, coalesce(k.id, 0) FROM laras.conversation o LEFT JOIN laras.conversation k "
	"ON k.workspace_id OPERATOR(pg_catalog.=) $1 AND k.contact_id OPERATOR(pg_catalog.=) $2 "
	"AND k.connection_id OPERATOR(pg_catalog.=) o.connection_id AND k.thread_index OPERATOR(pg_catalog.=) o.thread_index "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.contact_id OPERATOR(pg_catalog.=) $3 ORDER BY o.id",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	join_conversation,
	"UPDATE laras.conversation k SET last_inbound_at = greatest(k.last_inbound_at, o.last_inbound_at), "
	"last_message_at = greatest(k.last_message_at, o.last_message_at), unread = k.unread OPERATOR(pg_catalog.+) o.unread, "
	"state = CASE WHEN o.state OPERATOR(pg_catalog.=) 'open' THEN 'open' ELSE k.state END, "
	"created_at = least(k.created_at, o.created_at) FROM laras.conversation o "
	"WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 AND k.id OPERATOR(pg_catalog.=) $2 "
	"AND o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(drop_conversation,
		   "DELETE FROM laras.conversation WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

/* what was stated of the other holds for both, where nothing was of the kept one */
LARAS_PLAN(
	keep_basis,
	"UPDATE laras.contact k SET consent_basis = o.consent_basis, consent_stated_at = o.consent_stated_at "
	"FROM laras.contact o WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 AND k.id OPERATOR(pg_catalog.=) $2 "
	"AND o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $3 "
	"AND k.consent_basis IS NULL AND o.consent_basis IS NOT NULL",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(drop_contact,
		   "DELETE FROM laras.contact WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(keep_name,
		   "UPDATE laras.contact SET name = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, LARAS_SEALED);

LARAS_PLAN(
	keep_first,
	"UPDATE laras.contact k SET created_at = least(k.created_at, o.created_at) FROM laras.contact o "
	"WHERE k.workspace_id OPERATOR(pg_catalog.=) $1 AND k.id OPERATOR(pg_catalog.=) $2 "
	"AND o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(own_keys,
		   "UPDATE laras.key_owner SET owner_id = $2 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND kind OPERATOR(pg_catalog.=) 'contact' AND owner_id OPERATOR(pg_catalog.=) $3",
		   INT8OID, INT8OID, INT8OID);

/* who was merged into the other before is merged into the kept one now */
LARAS_PLAN(
	own_merges,
	"UPDATE laras.contact_merge SET contact_id = $2 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND contact_id OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	add_merge,
	"INSERT INTO laras.contact_merge (workspace_id, id, contact_id, merged_id, slot, reason) "
	"VALUES ($1, $2, $3, $4, $5, $6)",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, LARAS_SEALED);

/*
 * Every table whose rows name a contact: the contact itself last, by its own
 * statement, and the words of names by laras_names_join. A test compares the list with the catalogue.
 */
#define GIVE(table)                                                              \
	{                                                                            \
		"give_" table,                                                           \
			"UPDATE laras." table                                                \
			" SET contact_id = $2 WHERE workspace_id OPERATOR(pg_catalog.=) $1 " \
			"AND contact_id OPERATOR(pg_catalog.=) $3",                          \
			3,                                                                   \
		{                                                                        \
			INT8OID, INT8OID, INT8OID                                            \
		}                                                                        \
	}
static LarasPlan give[] = {
	GIVE("contact_identity"),
	GIVE("conversation"),
	GIVE("message"),
	GIVE("message_part"),
	GIVE("message_status"),
	GIVE("verdict"),
	GIVE("draft"),
	GIVE("draft_wanted"),
	GIVE("llm_call"),
	GIVE("outbox"),
	GIVE("send_attempt"),
	GIVE("private_reply"),
	GIVE("media"),
};

/* and those that name a conversation */
#define MOVE(table)                                                                   \
	{                                                                                 \
		"move_" table,                                                                \
			"UPDATE laras." table                                                     \
			" SET conversation_id = $2 WHERE workspace_id OPERATOR(pg_catalog.=) $1 " \
			"AND conversation_id OPERATOR(pg_catalog.=) $3",                          \
			3,                                                                        \
		{                                                                             \
			INT8OID, INT8OID, INT8OID                                                 \
		}                                                                             \
	}
static LarasPlan move[] = {MOVE("message"), MOVE("draft"), MOVE("llm_call"), MOVE("outbox"),
						   MOVE("notice")};

typedef struct Person
{
	int64 id;
	uint32 slot;
	bytea *name;         /* sealed; NULL: none */
	TimestampTz opt_out; /* 0: no */
	TimestampTz opt_in;
} Person;

/* Lock and read both; raises where one is not there, or is being erased. Inside SPI. */
static void
read_persons(int64 workspace_id, Person *keep, Person *other)
{
	laras_spi_run(&lock_connections, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	if (laras_spi_run(&lock_contacts,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(keep->id),
								Int64GetDatum(other->id)},
					  NULL) < (keep->id == other->id ? 1 : 2))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such contact")));
	/* only of one that is there: an id that is not answers as any other does */
	if (keep->id == other->id)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a contact is not merged with itself")));
	for (uint64 i = 0; i < 2; i++)
	{
		Person *p = laras_spi_int8(i, 1) == keep->id ? keep : other;

		if (strcmp(laras_spi_cstring(i, 3), "active") != 0)
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("the contact is being erased or is restricted")));
		p->slot = (uint32) laras_spi_int8(i, 2);
		p->name = (bytea *) laras_spi_varlena(i, 4);
		p->opt_out = laras_spi_time(i, 5);
		p->opt_in = laras_spi_time(i, 6);
	}
}

/* The kept contact has a name of its own, or takes the other's under its own key. Inside SPI. */
static void
take_name(int64 workspace_id, uint32 w, const Person *keep, const Person *other)
{
	char *name;
	size_t n;

	if (keep->name != NULL || other->name == NULL ||
		laras_open(other->name, workspace_id, other->id, LARAS_FIELD_contact_name, &name, &n) !=
			LARAS_OPENED)
		return;
	laras_spi_run_one(&keep_name,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(keep->id),
								PointerGetDatum(laras_seal(w, keep->slot, LARAS_FIELD_contact_name,
														   workspace_id, keep->id, name, n))},
					  NULL);
}

/* Drafts that wait see half of what was said; conversations of both become one. Inside SPI. */
static void
join_conversations(int64 workspace_id, const Person *keep, const Person *other, const char *by)
{
	uint64 found = laras_spi_run(&find_conversations,
								 (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(keep->id),
										   Int64GetDatum(other->id)},
								 NULL);
	int64 *pairs = palloc(sizeof(int64) * 2 * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		pairs[2 * i] = laras_spi_int8(i, 1);
		pairs[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < found; i++)
	{
		Datum key[3] = {Int64GetDatum(workspace_id), Int64GetDatum(pairs[2 * i + 1]),
						Int64GetDatum(pairs[2 * i])};

		laras_drafts_answered(workspace_id, pairs[2 * i], by);
		if (pairs[2 * i + 1] == 0)
			continue;
		laras_drafts_answered(workspace_id, pairs[2 * i + 1], by);
		for (int t = 0; t < lengthof(move); t++)
			laras_spi_run(&move[t], key, NULL);
		laras_spi_run_one(&join_conversation, key, NULL);
		laras_spi_run_one(&drop_conversation, (Datum[]){key[0], key[2]}, NULL);
	}
}

/* The last wish of either counts for all ids of the person. */
static void
join_wishes(int64 workspace_id, uint32 w, const Person *keep, const Person *other)
{
	TimestampTz out = Max(keep->opt_out, other->opt_out);
	TimestampTz in = Max(keep->opt_in, other->opt_in);

	if (out != 0 && out >= in)
	{
		/* a wish that is known already reaches no id that came since */
		laras_suppression_wish(workspace_id, w, keep->id, true,
							   keep->opt_out == out ? out + 1 : out);
	}
	else if (in != 0)
		laras_suppression_wish(workspace_id, w, keep->id, false, keep->opt_in == in ? in + 1 : in);
}

/*
 * laras.merge_contacts(keep bigint, other bigint, reason text) returns bigint
 *
 * Returns the id of the merge.
 */
Datum
laras_merge_contacts(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	Person keep = {.id = PG_GETARG_INT64(0)};
	Person other = {.id = PG_GETARG_INT64(1)};
	text *reason = PG_GETARG_TEXT_PP(2);
	size_t n = VARSIZE_ANY_EXHDR(reason);
	int64 workspace_id;
	uint32 w;
	int64 id;
	Datum key[3];
	LarasEvidenceField fields[2];
	LarasEvidence act = {.action = LARAS_ACT_CONTACT_MERGED,
						 .subject_kind = LARAS_SUBJECT_CONTACT,
						 .subject_id = keep.id,
						 .fields = fields};

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	if (n == 0 || n > REASON_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a reason of 1 to %d bytes is needed", REASON_BYTES)));
	act.workspace_id = workspace_id = laras_bound_workspace();
	w = laras_workspace_slot(workspace_id);
	id = laras_new_id();
	key[0] = Int64GetDatum(workspace_id);
	key[1] = Int64GetDatum(keep.id);
	key[2] = Int64GetDatum(other.id);
	laras_spi_open();
	read_persons(workspace_id, &keep, &other);
	take_name(workspace_id, w, &keep, &other);
	join_conversations(workspace_id, &keep, &other, laras_principal_text(laras_principal()));
	for (int t = 0; t < lengthof(give); t++)
		laras_spi_run(&give[t], key, NULL);
	laras_names_join(workspace_id, keep.id, other.id);
	laras_spi_run(&own_keys, key, NULL);
	laras_spi_run(&own_merges, key, NULL);
	laras_spi_run(&keep_first, key, NULL);
	laras_spi_run(&keep_basis, key, NULL);
	laras_spi_run_one(&drop_contact, (Datum[]){key[0], key[2]}, NULL);
	laras_spi_run_one(
		&add_merge,
		(Datum[]){key[0], Int64GetDatum(id), key[1], key[2], Int64GetDatum((int64) other.slot),
				  PointerGetDatum(laras_seal(w, keep.slot, LARAS_FIELD_contact_merge_reason,
											 workspace_id, id, VARDATA_ANY(reason), n))},
		NULL);
	join_wishes(workspace_id, w, &keep, &other);
	laras_spi_close();
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_MERGED_ID, other.id);
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_REASON_TEXT, keep.slot,
																 VARDATA_ANY(reason), n);
	laras_evidence_actor(&act);
	laras_evidence_append(&act);
	PG_RETURN_INT64(id);
}
