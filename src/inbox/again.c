/*
 * again.c
 *		Messages that an older driver could not read are read again.
 *
 * An unsupported message keeps its element and the version of the driver that
 * gave up on it. A driver that has learned since reads it once more; what it
 * still cannot read is marked with its own version and left alone until the
 * next. What is read so is no news: it opens no window and asks for no answer.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "inbox/change.h"
#include "inbox/inbox.h"
#include "inbox/person.h"
#include "inbox/processing.h"
#include "inbox/rows.h"
#include "inbox/sentiment.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/installation.h"

/* messages read in one transaction */
#define BATCH 200

LARAS_PLAN(
	find_unsupported,
	"SELECT m.workspace_id, m.id, m.contact_id, m.slot, m.element, m.provider_message_index, "
	"m.direction OPERATOR(pg_catalog.=) 'in' FROM laras.message m "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND p.id OPERATOR(pg_catalog.=) m.contact_id "
	"WHERE m.kind OPERATOR(pg_catalog.=) 'unsupported' AND m.channel OPERATOR(pg_catalog.=) $1 "
	"AND (m.parsed_by IS NULL OR m.parsed_by OPERATOR(pg_catalog.<) $2) "
	"ORDER BY m.parsed_by, m.workspace_id, m.id LIMIT $3 FOR UPDATE OF m SKIP LOCKED FOR KEY SHARE OF p SKIP LOCKED",
	TEXTOID, INT2OID, INT4OID);

LARAS_PLAN(give_up,
		   "UPDATE laras.message SET parsed_by = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT2OID);

LARAS_PLAN(
	read_now,
	"UPDATE laras.message SET kind = $3, body = $4, about_index = $5, sentiment = $6, element = NULL, parsed_by = NULL "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, TEXTOID, LARAS_SEALED, BYTEAOID, LARAS_SEALED);

/* an unsupported message and what it turned out to be */
typedef struct Unread
{
	LarasStoredMessage message;
	bytea *element;
	bool inbound;
} Unread;

/* The record of an element; NULL where it still cannot be read. */
static const LarasRecord *
parse(const LarasChannelDriver *driver, const LarasStoredMessage *m, bytea *element)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasRecord *records = NULL;
	const char *reason = NULL;
	json_t *document;
	char *text;
	size_t n;

	if (element == NULL || laras_open(element, m->workspace_id, m->id, LARAS_FIELD_message_element,
									  &text, &n) != LARAS_OPENED)
		return NULL;
	document = laras_json_own(laras_json_parse(text, n, &reason));
	if (document == NULL || driver->parse_element(document, &allocator, &records, &reason) != 1 ||
		records[0].kind != LARAS_RECORD_MESSAGE || records[0].keep_element)
		return NULL;
	return &records[0];
}

static void
record_reading(const LarasStoredMessage *m)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_CHANNEL, m->channel),
								   LARAS_EV_CODE(LARAS_EVF_KIND, m->record->message_kind)};
	LarasEvidence act = {
		.workspace_id = m->workspace_id,
		.workspace_slot = m->workspace_slot,
		.action = LARAS_ACT_MESSAGE_READ_AGAIN,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_MESSAGE,
		.subject_id = m->id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_append(&act);
}

static void
store_reading(const LarasStoredMessage *m, bool inbound)
{
	const LarasRecord *r = m->record;
	bytea *body = NULL;
	bytea *about = NULL;
	bytea *sentiment = NULL;
	char nulls[7] = "      ";

	if (r->text.s != NULL)
		body = laras_seal(m->workspace_slot, m->contact.slot, LARAS_FIELD_message_body,
						  m->workspace_id, m->id, r->text.s, r->text.n);
	if (r->about.s != NULL)
		about = laras_index_bytea(m->workspace_slot, LARAS_INDEX_PROVIDER_MESSAGE, m->channel,
								  r->about.s, r->about.n);
	nulls[3] = body == NULL ? 'n' : ' ';
	if (inbound && r->text.s != NULL && laras_is_processed(m->workspace_id, m->channel))
		sentiment = laras_sentiment_seal(m->workspace_slot, m->contact.slot, m->workspace_id, m->id,
										 r->text.s, r->text.n);
	nulls[5] = sentiment == NULL ? 'n' : ' ';
	nulls[4] = about == NULL ? 'n' : ' ';
	laras_spi_run_one(&read_now,
					  (Datum[]){Int64GetDatum(m->workspace_id), Int64GetDatum(m->id),
								CStringGetTextDatum(r->message_kind), PointerGetDatum(body),
								PointerGetDatum(about), PointerGetDatum(sentiment)},
					  nulls);
	record_reading(m);
}

/* A change of number or id is followed, late as it is. */
static void
follow_persons(LarasSender *senders, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < senders[i].record->identity_count; k++)
			if (senders[i].record->identities[k].retired)
			{
				senders[count++] = senders[i];
				break;
			}
	if (count == 0)
		return;
	laras_find_contacts(senders, count);
	laras_follow_persons(senders, count);
}

/* Those of one channel; returns how many rows were looked at. */
static uint64
read_channel(const LarasChannelDriver *driver)
{
	uint64 found;
	Unread *list;
	LarasStoredMessage *read;
	LarasSender *senders;
	int n = 0;

	laras_spi_open();
	found = laras_spi_run(&find_unsupported,
						  (Datum[]){CStringGetTextDatum(driver->channel),
									Int16GetDatum((int16) driver->version), Int32GetDatum(BATCH)},
						  NULL);
	list = palloc0(sizeof(Unread) * (found + 1));
	read = palloc0(sizeof(LarasStoredMessage) * (found + 1));
	senders = palloc0(sizeof(LarasSender) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		LarasStoredMessage *m = &list[i].message;

		m->workspace_id = laras_spi_int8(i, 1);
		m->id = laras_spi_int8(i, 2);
		m->contact.id = laras_spi_int8(i, 3);
		m->contact.slot = (uint32) laras_spi_int8(i, 4);
		list[i].element = (bytea *) laras_spi_varlena(i, 5);
		m->index = PointerGetDatum(laras_spi_varlena(i, 6));
		list[i].inbound = laras_spi_bool(i, 7);
		m->channel = driver->channel;
	}
	for (uint64 i = 0; i < found; i++)
	{
		LarasStoredMessage *m = &list[i].message;

		CHECK_FOR_INTERRUPTS();
		m->workspace_slot = laras_workspace_slot(m->workspace_id);
		if (!laras_slot_is_destroyed(m->contact.slot))
			m->record = parse(driver, m, list[i].element);
		if (m->record == NULL)
		{
			laras_spi_run(&give_up,
						  (Datum[]){Int64GetDatum(m->workspace_id), Int64GetDatum(m->id),
									Int16GetDatum((int16) driver->version)},
						  NULL);
			continue;
		}
		store_reading(m, list[i].inbound);
		senders[n].workspace_id = m->workspace_id;
		senders[n].workspace_slot = m->workspace_slot;
		senders[n].channel = m->channel;
		senders[n].record = m->record;
		read[n++] = *m;
	}
	if (n > 0)
	{
		laras_store_parts(read, n);
		laras_apply_changes(read, n);
		follow_persons(senders, n);
	}
	/* all of the above lives until here */
	laras_spi_close();
	return found;
}

LarasTurn
laras_again_duty(void)
{
	uint64 found = 0;

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	for (size_t i = 0; laras_channel_nth(i) != NULL; i++)
		if (laras_channel_nth(i)->parse_element != NULL)
			found += read_channel(laras_channel_nth(i));
	return found > 0 ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
