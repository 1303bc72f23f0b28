/*
 * person.c
 *		What is new about persons: other ids, a name, a wish.
 *
 * A number or id that was given up may be given to somebody else, so it leaves
 * the person's identities at once. Such events are few: each is handled alone.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "inbox/names.h"
#include "inbox/person.h"
#include "inbox/suppression.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(
	retire_identity,
	"DELETE FROM laras.contact_identity WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND channel OPERATOR(pg_catalog.=) $2 AND kind OPERATOR(pg_catalog.=) $3 "
	"AND value_index OPERATOR(pg_catalog.=) $4 AND contact_id OPERATOR(pg_catalog.=) $5 RETURNING id",
	INT8OID, TEXTOID, INT2OID, BYTEAOID, INT8OID);

LARAS_PLAN(give_name,
		   "UPDATE laras.contact SET name = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2 AND name IS NULL RETURNING id",
		   INT8OID, INT8OID, LARAS_SEALED);

static void
record_act(const LarasSender *sender, LarasAction action, const LarasRecordIdentity *identity)
{
	LarasEvidenceField fields[2] = {LARAS_EV_CODE(LARAS_EVF_CHANNEL, sender->channel)};
	LarasEvidence act = {
		.workspace_id = sender->workspace_id,
		.workspace_slot = sender->workspace_slot,
		.action = action,
		.actor_kind = LARAS_ACTOR_CUSTOMER,
		.actor_id = sender->contact.id,
		.subject_kind = LARAS_SUBJECT_CONTACT,
		.subject_id = sender->contact.id,
		.nfields = 1,
		.fields = fields,
	};

	if (identity != NULL)
		fields[act.nfields++] =
			(LarasEvidenceField) LARAS_EV_COMMIT(LARAS_EVF_IDENTITY, sender->contact.slot,
												 identity->value.s, identity->value.n);
	laras_evidence_append(&act);
}

/* The id that replaced this one, for the log. */
static const LarasRecordIdentity *
successor(const LarasRecord *record, const LarasRecordIdentity *retired)
{
	for (int k = 0; k < record->identity_count; k++)
		if (record->identities[k].kind == retired->kind && !record->identities[k].retired)
			return &record->identities[k];
	return NULL;
}

static void
retire(const LarasSender *sender)
{
	for (int k = 0; k < sender->record->identity_count; k++)
	{
		const LarasRecordIdentity *identity = &sender->record->identities[k];
		Datum index;

		if (!identity->retired)
			continue;
		index = PointerGetDatum(laras_index_bytea(sender->workspace_slot, identity->kind, NULL,
												  identity->value.s, identity->value.n));
		if (laras_spi_run(&retire_identity,
						  (Datum[]){Int64GetDatum(sender->workspace_id),
									CStringGetTextDatum(sender->channel),
									Int16GetDatum((int16) identity->kind), index,
									Int64GetDatum(sender->contact.id)},
						  NULL) > 0)
			record_act(sender, LARAS_ACT_CONTACT_CHANGED, successor(sender->record, identity));
	}
}

static void
follow_wish(const LarasSender *sender)
{
	bool stop = sender->wish == LARAS_PREFERENCE_STOP;

	if (laras_suppression_wish(sender->workspace_id, sender->workspace_slot, sender->contact.id,
							   stop, sender->said_at))
		record_act(sender, stop ? LARAS_ACT_CONTACT_OPTED_OUT : LARAS_ACT_CONTACT_OPTED_IN, NULL);
}

static void
follow_name(const LarasSender *sender)
{
	const LarasNamed named = {sender->workspace_id, sender->workspace_slot, sender->contact.id,
							  sender->record->name};
	bytea *sealed;

	if (laras_slot_is_destroyed(sender->contact.slot))
		return;
	sealed = laras_seal(sender->workspace_slot, sender->contact.slot, LARAS_FIELD_contact_name,
						sender->workspace_id, sender->contact.id, sender->record->name.s,
						sender->record->name.n);
	if (laras_spi_run(&give_name,
					  (Datum[]){Int64GetDatum(sender->workspace_id),
								Int64GetDatum(sender->contact.id), PointerGetDatum(sealed)},
					  NULL) == 0)
		return;
	laras_names_keep(&named, 1);
	record_act(sender, LARAS_ACT_CONTACT_CHANGED, NULL);
}

static bool
has_retired(const LarasRecord *record)
{
	for (int k = 0; k < record->identity_count; k++)
		if (record->identities[k].retired)
			return true;
	return false;
}

void
laras_follow_persons(const LarasSender *senders, int n)
{
	bool open = false;

	for (int i = 0; i < n; i++)
	{
		const LarasSender *sender = &senders[i];
		const LarasRecord *record = sender->record;
		bool retired = has_retired(record);
		bool named = record->kind == LARAS_RECORD_PERSON && record->name.s != NULL &&
					 record->name.n > 0 && sender->created_contact == 0;

		if (sender->contact.id == 0 || !(retired || named || sender->wish != LARAS_PREFERENCE_NONE))
			continue;
		if (!open)
			laras_spi_open();
		open = true;
		if (retired)
			retire(sender);
		if (sender->wish != LARAS_PREFERENCE_NONE)
			follow_wish(sender);
		if (named)
			follow_name(sender);
	}
	if (open)
		laras_spi_close();
}
