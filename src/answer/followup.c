/*
 * followup.c
 *		Keeper's duty: where a customer was answered and said no more, the words
 *		of the business's own rule are proposed, once a silence.
 *
 * Inside the window it is a draft, outside a template that the provider approved
 * and the business wrote; neither ever leaves without a person's approval, and
 * at hand-off all is asked once more. A draft names the customer's last message,
 * and that has at most one of this purpose that anybody could approve: so a silence
 * is followed up once. A draft that nobody approved before the window closed goes
 * stale, and the template may take its place.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "answer/followrule.h"
#include "answer/followvalues.h"
#include "answer/holdreason.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/template.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define BATCH 50

/* follow-ups that are looked at at once */
#define PAGE 500

/* microseconds between two looks */
#define LOOK_EVERY (60 * USECS_PER_SEC)

/*
 * Conversations of which the business had the last word so long ago, and whose
 * customer's last message has no follow-up yet; one that went stale because nobody
 * approved it in time reached nobody, and counts for none. Silences of more than two months
 * are left alone. Behind ($2, $3): what nothing can be said to keeps nobody waiting.
 */
LARAS_PLAN(
	find_idle,
	"SELECT v.workspace_id, v.id, v.contact_id, v.channel, v.last_inbound_at, p.slot, q.id, r.body, "
	"r.template_id, r.template_values::text, t.components::text, "
	"t.status IS NOT DISTINCT FROM 'approved' AND t.author IS NOT NULL, p.name, (SELECT s.name FROM laras.workspace s "
	"WHERE s.workspace_id OPERATOR(pg_catalog.=) v.workspace_id) FROM laras.follow_up_rule r "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) r.workspace_id "
	"AND v.last_message_at OPERATOR(pg_catalog.<=) (laras.now() OPERATOR(pg_catalog.-) "
	"pg_catalog.make_interval(hours => r.idle_hours)) "
	"AND v.last_message_at OPERATOR(pg_catalog.>) (laras.now() OPERATOR(pg_catalog.-) '60 days'::pg_catalog.interval) "
	"AND v.surface OPERATOR(pg_catalog.=) 'message' AND (r.channel IS NULL OR r.channel OPERATOR(pg_catalog.=) v.channel) "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) v.connection_id AND c.state OPERATOR(pg_catalog.=) 'connected' "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND p.id OPERATOR(pg_catalog.=) v.contact_id AND p.state OPERATOR(pg_catalog.=) 'active' AND p.opt_out_at IS NULL "
	"CROSS JOIN LATERAL (SELECT m.id, m.created_at FROM laras.message m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) v.workspace_id AND m.conversation_id OPERATOR(pg_catalog.=) v.id "
	"AND m.direction OPERATOR(pg_catalog.=) 'in' AND NOT m.historical ORDER BY m.created_at DESC, m.id DESC LIMIT 1) q "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) r.workspace_id "
	"AND t.id OPERATOR(pg_catalog.=) r.template_id AND t.connection_id OPERATOR(pg_catalog.=) v.connection_id "
	"WHERE r.enabled AND ROW(v.workspace_id, v.id) OPERATOR(pg_catalog.>) ROW($2, $3) AND laras.processes(v.workspace_id, v.channel, 'sales') "
	"AND EXISTS (SELECT 1 FROM laras.message o WHERE o.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND o.conversation_id OPERATOR(pg_catalog.=) v.id AND o.direction OPERATOR(pg_catalog.=) 'out' "
	"AND o.status OPERATOR(pg_catalog.=) ANY ('{sent,delivered,read,played}'::pg_catalog.text[]) "
	"AND o.created_at OPERATOR(pg_catalog.>=) q.created_at) "
	"AND NOT EXISTS (SELECT 1 FROM laras.draft d WHERE d.workspace_id OPERATOR(pg_catalog.=) v.workspace_id "
	"AND d.conversation_id OPERATOR(pg_catalog.=) v.id AND (d.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) "
	"OR d.inbound_message_id OPERATOR(pg_catalog.=) q.id AND d.purpose OPERATOR(pg_catalog.=) 'sales' "
	"AND d.state OPERATOR(pg_catalog.<>) 'stale')) "
	"ORDER BY v.workspace_id, v.id, r.channel IS NULL, r.idle_hours, r.id LIMIT $1 "
	"FOR SHARE OF c SKIP LOCKED FOR KEY SHARE OF p SKIP LOCKED FOR NO KEY UPDATE OF v SKIP LOCKED",
	INT4OID, INT8OID, INT8OID);

/* Follow-ups that wait in a text of their own, behind ($2, $3), and what their window counts from. */
LARAS_PLAN(
	find_waiting,
	"SELECT d.workspace_id, d.id, v.channel, v.last_inbound_at FROM laras.draft d "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) d.workspace_id "
	"AND v.id OPERATOR(pg_catalog.=) d.conversation_id "
	"WHERE d.state OPERATOR(pg_catalog.=) ANY ('{pending,held}'::pg_catalog.text[]) "
	"AND d.purpose OPERATOR(pg_catalog.=) 'sales' AND d.template_id IS NULL "
	"AND ROW(d.workspace_id, d.id) OPERATOR(pg_catalog.>) ROW($2, $3) ORDER BY d.workspace_id, d.id LIMIT $1",
	INT4OID, INT8OID, INT8OID);

LARAS_PLAN(
	add_draft,
	"INSERT INTO laras.draft (workspace_id, id, conversation_id, contact_id, inbound_message_id, message_id, state, "
	"body, confidence, hold_reasons, drafter, purpose, template_id, template_values) "
	"VALUES ($1, $2, $3, $4, $5, $6, 'held', $7, 1, '{" LARAS_HOLD_FOLLOW_UP
	"}', 'laras-1 follow-up', 'sales', nullif($8, 0), $9) "
	"ON CONFLICT DO NOTHING",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, LARAS_SEALED, INT8OID, LARAS_SEALED);

typedef struct Silence
{
	int64 workspace_id;
	int64 conversation_id;
	int64 contact_id;
	char *channel;
	TimestampTz last_inbound;
	uint32 slot;
	int64 inbound_id;
	char *body; /* NULL: none for the window */
	int64 template_id;
	char *values;
	char *components; /* NULL: no template of this account */
	bool sendable;
	bytea *name;     /* of the person; NULL: none */
	bytea *business; /* of the workspace */
} Silence;

static void
read_silence(uint64 row, Silence *s)
{
	bool isnull;

	s->workspace_id = laras_spi_int8(row, 1);
	s->conversation_id = laras_spi_int8(row, 2);
	s->contact_id = laras_spi_int8(row, 3);
	s->channel = laras_spi_cstring(row, 4);
	s->last_inbound = laras_spi_time(row, 5);
	s->slot = (uint32) laras_spi_int8(row, 6);
	s->inbound_id = laras_spi_int8(row, 7);
	s->body = laras_spi_cstring(row, 8);
	s->template_id = DatumGetInt64(laras_spi_value(row, 9, &isnull));
	s->values = laras_spi_cstring(row, 10);
	s->components = laras_spi_cstring(row, 11);
	s->sendable = laras_spi_bool(row, 12);
	s->name = (bytea *) laras_spi_varlena(row, 13);
	s->business = (bytea *) laras_spi_varlena(row, 14);
}

/* A name that is sealed; absent where there is none. */
static LarasText
open_name(const Silence *s, bytea *sealed, int64 id, uint16 field)
{
	LarasText name = {NULL, 0};
	char *opened;
	size_t n;

	if (sealed != NULL &&
		laras_try_open(sealed, s->workspace_id, id, field, &opened, &n) == LARAS_OPENED)
		name = (LarasText){opened, n};
	return name;
}

/*
 * What the template says with the rule's values for this person, which *values
 * gets; absent where they do not fit, or the person has no name and needs one.
 */
static LarasText
filled(const Silence *s, const LarasChannelDriver *driver, json_t **values)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasFollowNames names;
	const char *why = NULL;

	if (s->components == NULL || !s->sendable || driver->send->templates == NULL)
		return (LarasText){NULL, 0};
	names.name = open_name(s, s->name, s->contact_id, LARAS_FIELD_contact_name);
	names.business = open_name(s, s->business, s->workspace_id, LARAS_FIELD_workspace_name);
	*values =
		laras_follow_values(laras_json_own(laras_json_parse(s->values, strlen(s->values), NULL)),
							&names);
	if (*values == NULL)
		return (LarasText){NULL, 0};
	return driver->send->templates->fill(
		laras_json_own(laras_json_parse(s->components, strlen(s->components), NULL)), *values,
		&allocator, &why);
}

static void
record(const Silence *s, int64 draft_id, const char *kind, LarasText text)
{
	LarasEvidenceField fields[] = {
		LARAS_EV_CODE(LARAS_EVF_KIND, kind),
		LARAS_EV_CODE(LARAS_EVF_STATUS, "held"),
		LARAS_EV_NUMBER(LARAS_EVF_MESSAGE_ID, s->inbound_id),
		LARAS_EV_COMMIT(LARAS_EVF_BODY, s->slot, text.s, text.n),
	};
	LarasEvidence act = {
		.workspace_id = s->workspace_id,
		.action = LARAS_ACT_DRAFT_CREATED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_DRAFT,
		.subject_id = draft_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_append(&act);
}

/* A draft of what may be said now; nothing where nothing may. Inside SPI. */
static void
follow_up(const Silence *s)
{
	const LarasChannelDriver *driver = laras_channel_driver(s->channel);
	uint32 w = laras_workspace_slot(s->workspace_id);
	LarasText text = {NULL, 0};
	int64 template_id = 0;
	int64 id = laras_new_id();
	bytea *sealed_values = NULL;
	json_t *values = NULL;
	bool open;

	if (driver == NULL || driver->send == NULL || laras_slot_is_destroyed(s->slot))
		return;
	open = laras_window(s->channel, LARAS_WINDOW_REPLY, s->last_inbound, 0, laras_now()).state ==
		   LARAS_WINDOW_OPEN;
	if (open && s->body != NULL)
		text = laras_text(s->body);
	else if (!open)
	{
		text = filled(s, driver, &values);
		template_id = s->template_id;
	}
	if (text.s == NULL)
		return;
	if (template_id != 0)
	{
		size_t n;
		char *written = laras_json_text_of(values, &n);

		/* with the person's name in them they are the person's */
		sealed_values = laras_seal(w, s->slot, LARAS_FIELD_draft_template_values, s->workspace_id,
								   id, written, n);
	}
	if (laras_spi_run(&add_draft,
					  (Datum[]){Int64GetDatum(s->workspace_id), Int64GetDatum(id),
								Int64GetDatum(s->conversation_id), Int64GetDatum(s->contact_id),
								Int64GetDatum(s->inbound_id), Int64GetDatum(laras_new_id()),
								PointerGetDatum(laras_seal(w, s->slot, LARAS_FIELD_draft_body,
														   s->workspace_id, id, text.s, text.n)),
								Int64GetDatum(template_id), PointerGetDatum(sealed_values)},
					  sealed_values == NULL ? "        n" : NULL) > 0)
		record(s, id, template_id == 0 ? "follow_up" : "follow_up_template", text);
}

/*
 * End the follow-ups over which the window has closed before anybody approved
 * them: the rules are asked anew, and may have a template. Inside SPI.
 */
static void
close_missed(void)
{
	int64 *workspaces = palloc(sizeof(int64) * PAGE);
	int64 *drafts = palloc(sizeof(int64) * PAGE);
	TimestampTz *since = palloc(sizeof(TimestampTz) * PAGE);
	int64 workspace_id = 0;
	int64 id = 0;
	uint64 found;

	do
	{
		int n = 0;

		CHECK_FOR_INTERRUPTS();
		found = laras_spi_run(&find_waiting,
							  (Datum[]){Int32GetDatum(PAGE), Int64GetDatum(workspace_id),
										Int64GetDatum(id)},
							  NULL);
		for (uint64 i = 0; i < found; i++)
		{
			TimestampTz last_inbound = laras_spi_time(i, 4);

			workspace_id = laras_spi_int8(i, 1);
			id = laras_spi_int8(i, 2);
			if (laras_window(laras_spi_cstring(i, 3), LARAS_WINDOW_REPLY, last_inbound, 0,
							 laras_now())
					.state != LARAS_WINDOW_CLOSED)
				continue;
			workspaces[n] = workspace_id;
			drafts[n] = id;
			since[n++] = last_inbound;
		}
		laras_drafts_missed(workspaces, drafts, since, n);
	} while (found == PAGE);
}

LarasTurn
laras_follow_up_duty(void)
{
	static TimestampTz looked_at = 0;
	static int64 behind_workspace = 0;
	static int64 behind_conversation = 0;
	Silence *list = palloc(sizeof(Silence) * BATCH);
	uint64 found;

	/* by the product's clock, by which silences are measured */
	if (!laras_vault_is_open() ||
		(behind_workspace == 0 && laras_now() - looked_at < LOOK_EVERY && laras_now() >= looked_at))
		return LARAS_TURN_IDLE;
	looked_at = laras_now();
	laras_worker_bind_all();
	if (behind_workspace == 0)
		laras_follow_rules_look();
	laras_spi_open();
	laras_window_refresh();
	if (behind_workspace == 0)
		close_missed();
	found = laras_spi_run(&find_idle,
						  (Datum[]){Int32GetDatum(BATCH), Int64GetDatum(behind_workspace),
									Int64GetDatum(behind_conversation)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
		read_silence(i, &list[i]);
	behind_workspace = found == BATCH ? list[found - 1].workspace_id : 0;
	behind_conversation = found == BATCH ? list[found - 1].conversation_id : 0;
	for (uint64 i = 0; i < found; i++)
	{
		CHECK_FOR_INTERRUPTS();
		follow_up(&list[i]);
	}
	laras_spi_close();
	return found == BATCH ? LARAS_TURN_MORE : LARAS_TURN_IDLE;
}
