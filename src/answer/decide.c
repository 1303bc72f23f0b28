/*
 * decide.c
 *		A person's word on a draft: approve_draft, reject_draft, set_auto_send.
 *
 * The draft's row is locked before it is read, so that of two who decide at
 * once the second finds the decision of the first. Approving twice gives the same
 * message, unless the words are others: those given, or the draft's own where
 * somebody gave theirs; every other second decision is refused by name.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/draft.h"
#include "answer/holdreason.h"
#include "answer/written.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "connect/connect.h"
#include "connect/handling.h"
#include "courier/courier.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_approve_draft);
PG_FUNCTION_INFO_V1(laras_reject_draft);
PG_FUNCTION_INFO_V1(laras_set_auto_send);

#define REASON_BYTES 2000

/*
 * What an approval writes to or relies on, in the order in which every other
 * room locks it: an approval never waits for one that waits for it.
 */
LARAS_PLAN(
	lock_around,
	"SELECT v.id FROM laras.draft d "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND v.id OPERATOR(pg_catalog.=) d.conversation_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND p.id OPERATOR(pg_catalog.=) d.contact_id "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id AND c.id OPERATOR(pg_catalog.=) v.connection_id "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $2 "
	"FOR SHARE OF c FOR KEY SHARE OF p FOR NO KEY UPDATE OF v",
	INT8OID, INT8OID);

LARAS_PLAN(lock_draft,
		   "SELECT d.id FROM laras.draft d WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND d.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
		   INT8OID, INT8OID);

LARAS_PLAN(
	read_draft,
	"SELECT d.state, d.conversation_id, d.contact_id, v.connection_id, v.channel, p.slot, c.state, p.state, "
	"d.message_id, coalesce(d.verdict_id, 0), coalesce(j.outcome, ''), d.body, d.text_digest, "
	"EXISTS (SELECT 1 FROM laras.message i JOIN laras.message q "
	"ON q.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND q.id OPERATOR(pg_catalog.=) d.inbound_message_id "
	"WHERE i.workspace_id OPERATOR(pg_catalog.=) d.workspace_id "
	"AND i.conversation_id OPERATOR(pg_catalog.=) d.conversation_id AND i.direction OPERATOR(pg_catalog.=) 'in' "
	"AND NOT i.historical "
	"AND i.unsent_at IS NULL AND i.hidden_at IS NULL "
	"AND i.kind OPERATOR(pg_catalog.<>) ALL ('{" LARAS_KINDS_UNASKED "}'::pg_catalog.text[]) "
	"AND (i.created_at, i.id) OPERATOR(pg_catalog.>) (q.created_at, q.id)), "
	"EXISTS (SELECT 1 FROM laras.draft_source s " LARAS_CITED_ROWS
	"WHERE s.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND s.draft_id OPERATOR(pg_catalog.=) d.id "
	"AND " LARAS_NO_LONGER_HOLDS
	"), d.purpose, coalesce(d.template_id, 0), d.template_values, v.surface, "
	"CASE WHEN v.surface OPERATOR(pg_catalog.=) 'comment' THEN coalesce(b.provider_timestamp, b.created_at) ELSE v.last_inbound_at END, "
	"p.opt_out_at IS NOT NULL, '" LARAS_HOLD_WINDOW_CLOSED
	"' OPERATOR(pg_catalog.=) ANY (d.hold_reasons), coalesce(d.intent, ''), "
	"EXISTS (SELECT 1 FROM laras.draft_source s WHERE s.workspace_id OPERATOR(pg_catalog.=) d.workspace_id "
	"AND s.draft_id OPERATOR(pg_catalog.=) d.id AND s.source_table OPERATOR(pg_catalog.<>) 'brand_voice') "
	"FROM laras.draft d "
	"JOIN laras.conversation v ON v.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND v.id OPERATOR(pg_catalog.=) d.conversation_id "
	"JOIN laras.contact p ON p.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND p.id OPERATOR(pg_catalog.=) d.contact_id "
	"JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) v.workspace_id AND c.id OPERATOR(pg_catalog.=) v.connection_id "
	"LEFT JOIN laras.message b ON b.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND b.id OPERATOR(pg_catalog.=) d.inbound_message_id "
	"LEFT JOIN laras.verdict j ON j.workspace_id OPERATOR(pg_catalog.=) d.workspace_id AND j.id OPERATOR(pg_catalog.=) d.verdict_id "
	"WHERE d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(find_edit,
		   "SELECT 1 FROM laras.draft_decision e WHERE e.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND e.draft_id OPERATOR(pg_catalog.=) $2 AND e.act OPERATOR(pg_catalog.=) 'edited'",
		   INT8OID, INT8OID);

LARAS_PLAN(
	read_departure,
	"SELECT o.state, coalesce(o.reason, '') FROM laras.outbox o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.message_id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	approve,
	"UPDATE laras.draft SET state = 'approved', body = coalesce($3, body), text_digest = $4, verdict_id = $5, "
	"decided_at = laras.now(), decided_by = $6 "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, LARAS_SEALED, BYTEAOID, INT8OID, TEXTOID);

LARAS_PLAN(reject,
		   "UPDATE laras.draft SET state = 'rejected', decided_at = laras.now(), decided_by = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID);

LARAS_PLAN(add_decision,
		   "INSERT INTO laras.draft_decision (workspace_id, id, draft_id, act, actor, reason) "
		   "VALUES ($1, $2, $3, $4, $5, $6)",
		   INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, LARAS_SEALED);

LARAS_PLAN(
	set_auto_send,
	"UPDATE laras.connection SET auto_send = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.<>) 'disconnected'",
	INT8OID, INT8OID, BOOLOID);

typedef struct Draft
{
	int64 workspace_id;
	int64 id;
	char *state;
	char *channel;
	uint32 slot;
	bool connected;
	bool contact_active;
	bool newer_message;
	bool sources_changed;
	bool passed; /* the verdict on the text as it stands */
	bytea *body;
	int64 template_id; /* 0: the text goes as it is */
	bytea *template_values;
	char *surface;
	TimestampTz since;  /* what the window counts from; 0: they never wrote */
	bool opted_out;     /* and did not opt in since */
	bool window_missed; /* a follow-up that nobody approved in time */
	char *topic;
	bool cites; /* rows, the voice apart */
	LarasOutboxRow row;
} Draft;

/*
 * Locks the draft and what is around it, then reads, with a snapshot of after
 * that, all that a decision depends on. Inside SPI.
 */
static void
take_draft(int64 id, Draft *d)
{
	bytea *digest;
	Datum key[2];

	memset(d, 0, sizeof(*d));
	d->workspace_id = laras_bound_workspace();
	d->id = id;
	key[0] = Int64GetDatum(d->workspace_id);
	key[1] = Int64GetDatum(id);
	if (laras_spi_run(&lock_around, key, NULL) == 0 || laras_spi_run(&lock_draft, key, NULL) == 0 ||
		laras_spi_run(&read_draft, key, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such draft")));
	d->state = laras_spi_cstring(0, 1);
	d->row.conversation_id = laras_spi_int8(0, 2);
	d->row.contact_id = laras_spi_int8(0, 3);
	d->row.connection_id = laras_spi_int8(0, 4);
	d->channel = laras_spi_cstring(0, 5);
	d->slot = (uint32) laras_spi_int8(0, 6);
	d->connected = strcmp(laras_spi_cstring(0, 7), "disconnected") != 0;
	d->contact_active = strcmp(laras_spi_cstring(0, 8), "active") == 0;
	d->row.message_id = laras_spi_int8(0, 9);
	d->row.verdict_id = laras_spi_int8(0, 10);
	d->passed = strcmp(laras_spi_cstring(0, 11), "pass") == 0;
	d->body = (bytea *) laras_spi_varlena(0, 12);
	digest = laras_spi_bytes(0, 13);
	if (digest != NULL)
		memcpy(d->row.text_digest, VARDATA_ANY(digest), LARAS_TEXT_DIGEST);
	d->newer_message = laras_spi_bool(0, 14);
	d->sources_changed = laras_spi_bool(0, 15);
	d->row.purpose = laras_spi_cstring(0, 16);
	d->template_id = laras_spi_int8(0, 17);
	d->template_values = (bytea *) laras_spi_varlena(0, 18);
	d->surface = laras_spi_cstring(0, 19);
	d->since = laras_spi_time(0, 20);
	d->opted_out = laras_spi_bool(0, 21);
	d->window_missed = laras_spi_bool(0, 22);
	d->topic = laras_spi_cstring(0, 23);
	d->cites = laras_spi_bool(0, 24);
	d->row.draft_id = id;
	d->row.kind = "text";
}

static bool
waits(const Draft *d)
{
	return strcmp(d->state, "held") == 0 || strcmp(d->state, "pending") == 0;
}

static bool
was_approved(const Draft *d)
{
	return strcmp(d->state, "approved") == 0 || strcmp(d->state, "sent") == 0;
}

/* It was approved, and its message will never leave: its id would promise that. Inside SPI. */
static void
refuse_departed(const Draft *d)
{
	const char *state;

	if ((strcmp(d->state, "approved") != 0 && strcmp(d->state, "rejected") != 0) ||
		laras_spi_run(&read_departure,
					  (Datum[]){Int64GetDatum(d->workspace_id), Int64GetDatum(d->row.message_id)},
					  NULL) == 0)
		return;
	state = laras_spi_cstring(0, 1);
	if (strcmp(state, "cancelled") != 0 && strcmp(state, "refused") != 0)
		return;
	ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_CLOSED),
					errmsg("the draft was approved, and its message will not be sent"),
					errdetail("The message is \"%s\", for the reason \"%s\".", state,
							  laras_spi_cstring(0, 2)),
					errhint("Say it anew by laras.reply.")));
}

static void
refuse_closed(const Draft *d)
{
	if (strcmp(d->state, "stale") == 0 && d->window_missed)
		ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_CLOSED),
						errmsg("the window closed before anybody approved the draft"),
						errhint("Where the rule has a template, that is proposed in its place.")));
	if (strcmp(d->state, "stale") == 0)
		ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_STALE),
						errmsg("a row that the draft cites has changed"),
						errhint("Reply in your own words, or wait for the next message's draft.")));
	ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_CLOSED),
					errmsg("the draft no longer waits for a decision"),
					errdetail("Its state is \"%s\".", d->state),
					d->opted_out ? errhint("The customer asked not to be written to; nothing is "
										   "sent before they write or opt in again.")
								 : 0));
}

/*
 * The courier would refuse it, and the draft would come back. The longer window
 * is for what a person writes, so no draft leaves in it: the hint names that way.
 */
static void
require_window(const Draft *d)
{
	bool comment = strcmp(d->surface, "comment") == 0;
	bool longer;

	if (d->template_id != 0)
		return;
	laras_window_refresh();
	if (laras_window(d->channel, comment ? LARAS_WINDOW_PUBLIC_REPLY : LARAS_WINDOW_REPLY, d->since,
					 0, laras_now())
			.state != LARAS_WINDOW_CLOSED)
		return;
	longer = !comment &&
			 laras_window(d->channel, LARAS_WINDOW_HUMAN_AGENT, d->since, 0, laras_now()).state ==
				 LARAS_WINDOW_OPEN;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the window for this draft has closed"),
			 errdetail("The customer last wrote longer ago than the channel lets a draft answer."),
			 longer ? errhint("A member may still answer in their own words, by laras.reply.")
			 : comment
				 ? errhint("Wait until they write again.")
				 : errhint("Send an approved template (laras.send_template) where the channel has "
						   "them, or wait until they write again.")));
}

/* Everything that may stand between a draft and its sending. */
static void
require_approvable(const Draft *d)
{
	if (!waits(d) && strcmp(d->state, "withheld") != 0)
		refuse_closed(d);
	if (d->newer_message && d->opted_out)
		ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_CLOSED),
						errmsg("the customer has opted out since the draft was made"),
						errhint("Nothing is sent to them before they write or opt in again.")));
	if (d->newer_message)
		ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_CLOSED),
						errmsg("the customer has written again since the draft was made"),
						errhint("Look for a draft of the newer message, or reply to it.")));
	if (d->sources_changed)
		ereport(ERROR, (errcode(LARAS_ERRCODE_DRAFT_STALE),
						errmsg("a row that the draft cites has changed"),
						errhint("Reply in your own words, or wait for the next message's draft.")));
	if (!d->connected)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the conversation's channel is disconnected"),
				 errhint("Connect the account again; the customer's next message opens a new "
						 "conversation.")));
	if (!d->contact_active)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the contact is being erased or is restricted")));
	laras_require_processing(d->workspace_id, d->channel, d->row.purpose);
	require_window(d);
}

static void
add_decision_of(const Draft *d, const char *act, const char *actor, const char *reason, size_t n)
{
	int64 id = laras_new_id();
	bytea *sealed = NULL;

	if (reason != NULL)
		sealed = laras_seal(laras_workspace_slot(d->workspace_id), d->slot,
							LARAS_FIELD_draft_decision_reason, d->workspace_id, id, reason, n);
	laras_spi_run_one(&add_decision,
					  (Datum[]){Int64GetDatum(d->workspace_id), Int64GetDatum(id),
								Int64GetDatum(d->id), CStringGetTextDatum(act),
								CStringGetTextDatum(actor), PointerGetDatum(sealed)},
					  sealed == NULL ? "     n" : NULL);
}

static void
record(const Draft *d, LarasAction action, const LarasEvidenceField *fields, int n)
{
	LarasEvidence act = {
		.workspace_id = d->workspace_id,
		.action = action,
		.subject_kind = LARAS_SUBJECT_DRAFT,
		.subject_id = d->id,
		.nfields = n,
		.fields = fields,
	};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

static void
require_decider(void)
{
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
}

/* A follow-up outside the window leaves as its template, in the provider's approved words alone. */
static void
queue_template(Draft *d, bool edited)
{
	LarasTemplateMessage as = {
		.message_id = d->row.message_id,
		.draft_id = d->id,
		.approved_by = d->row.approved_by,
		.author_kind = "draft",
		.author_id = d->id,
		.purpose = d->row.purpose,
	};
	char *values;
	size_t n;

	if (edited)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the words of a template cannot be changed"),
						errhint("Approve it as it stands, or use laras.send_template.")));
	if (d->template_values == NULL ||
		laras_open(d->template_values, d->workspace_id, d->id, LARAS_FIELD_draft_template_values,
				   &values, &n) != LARAS_OPENED)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the values of the draft's template cannot be had"),
						errhint("Send the template by laras.send_template.")));
	laras_template_queue(d->workspace_id, d->row.conversation_id, d->template_id,
						 laras_json_own(laras_json_parse(values, n, NULL)), &as);
	d->row.verdict_id = as.verdict_id;
	memcpy(d->row.text_digest, as.digest, sizeof(d->row.text_digest));
}

/*
 * Was it approved in just these words? Once the person is erased nobody can tell.
 * Of a template nobody gives words.
 */
static bool
is_what_was_approved(const Draft *d, const text *words)
{
	uint8 digest[LARAS_TEXT_DIGEST];

	if (d->template_id != 0 || laras_slot_is_destroyed(d->slot))
		return false;
	laras_text_digest(laras_workspace_slot(d->workspace_id), d->slot, d->row.message_id,
					  VARDATA_ANY(words), VARSIZE_ANY_EXHDR(words), digest);
	return laras_same_bytes(digest, d->row.text_digest, sizeof(digest));
}

/* Whoever approves other words than are sent would see them go, and they do not. */
static void
refuse_other_words(const char *what, const char *instead)
{
	ereport(ERROR,
			(errcode(LARAS_ERRCODE_DRAFT_CLOSED), errmsg("the draft was approved in other words"),
			 errdetail("%s", what), errhint("%s", instead)));
}

/*
 * laras.approve_draft(draft_id bigint, edited_body text) returns bigint
 *
 * Returns the id of the message.
 */
Datum
laras_approve_draft(PG_FUNCTION_ARGS)
{
	const LarasPrincipal *who;
	Draft d;
	char *words;
	size_t n;
	bool edited = !PG_ARGISNULL(1);
	bytea *sealed = NULL;

	require_decider();
	laras_refuse_null(fcinfo, 0);
	who = laras_principal();
	laras_spi_open();
	take_draft(PG_GETARG_INT64(0), &d);
	refuse_departed(&d);
	if (was_approved(&d))
	{
		if (edited && !is_what_was_approved(&d, PG_GETARG_TEXT_PP(1)))
			refuse_other_words("What was approved first is sent, and these words are not.",
							   "Send them by laras.reply.");
		if (!edited &&
			laras_spi_run(&find_edit, (Datum[]){Int64GetDatum(d.workspace_id), Int64GetDatum(d.id)},
						  NULL) > 0)
			refuse_other_words("A person's words are sent, and not those of the drafter.",
							   "laras.drafts has them. To say more, use laras.reply.");
		laras_spi_close();
		PG_RETURN_INT64(d.row.message_id);
	}
	require_approvable(&d);
	laras_classifier_require();
	if (edited)
	{
		text *body = PG_GETARG_TEXT_PP(1);

		words = VARDATA_ANY(body);
		n = VARSIZE_ANY_EXHDR(body);
	}
	else if (d.body == NULL || laras_open(d.body, d.workspace_id, d.id, LARAS_FIELD_draft_body,
										  &words, &n) != LARAS_OPENED)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the draft has no text"),
						errhint("Give the text as edited_body.")));
	laras_require_shown((LarasText){words, n}, "a reply");
	d.row.approved_by = laras_principal_text(who);
	if (d.template_id != 0)
		queue_template(&d, edited);
	/* a text that the classifier only held is the approver's own word from here on */
	else if (edited || !d.passed)
	{
		LarasTextVerdict verdict;

		laras_judge_text(d.workspace_id,
						 &(LarasOutgoing){.channel = d.channel,
										  .contact_slot = d.slot,
										  .message_id = d.row.message_id,
										  .contact_id = d.row.contact_id,
										  .purpose = d.row.purpose,
										  .text = words,
										  .n = n,
										  .own_words = true},
						 &verdict);
		laras_require_let_through(d.channel, &verdict);
		d.row.verdict_id = verdict.id;
		memcpy(d.row.text_digest, verdict.digest, sizeof(d.row.text_digest));
	}
	else
		laras_require_phrases(d.workspace_id, d.channel, d.cites ? d.topic : NULL, words, n);
	if (edited)
		sealed = laras_seal(laras_workspace_slot(d.workspace_id), d.slot, LARAS_FIELD_draft_body,
							d.workspace_id, d.id, words, n);
	laras_spi_run_one(&approve,
					  (Datum[]){Int64GetDatum(d.workspace_id), Int64GetDatum(d.id),
								PointerGetDatum(sealed),
								laras_bytea_datum(d.row.text_digest, sizeof(d.row.text_digest)),
								Int64GetDatum(d.row.verdict_id),
								CStringGetTextDatum(d.row.approved_by)},
					  sealed == NULL ? "  n   " : NULL);
	add_decision_of(&d, edited ? "edited" : "approved", d.row.approved_by, NULL, 0);
	if (d.template_id == 0)
	{
		laras_outbound_message(d.workspace_id, d.row.message_id, d.row.conversation_id, "text",
							   words, n,
							   edited && who->kind == LARAS_PRINCIPAL_MEMBER ? "member" : "draft",
							   edited && who->kind == LARAS_PRINCIPAL_MEMBER ? who->id : d.id);
		laras_outbox_add(d.workspace_id, &d.row);
	}
	{
		LarasEvidenceField fields[] = {
			LARAS_EV_NUMBER(LARAS_EVF_MESSAGE_ID, d.row.message_id),
			LARAS_EV_COMMIT(LARAS_EVF_BODY, d.slot, words, n),
		};

		record(&d, edited ? LARAS_ACT_DRAFT_EDITED : LARAS_ACT_DRAFT_APPROVED, fields,
			   lengthof(fields));
	}
	/* whatever else waited in this conversation has been answered */
	laras_drafts_answered(d.workspace_id, d.row.conversation_id, d.row.approved_by);
	laras_spi_close();
	PG_RETURN_INT64(d.row.message_id);
}

/*
 * laras.reject_draft(draft_id bigint, reason text) returns boolean
 */
Datum
laras_reject_draft(PG_FUNCTION_ARGS)
{
	Draft d;
	const char *reason = NULL;
	size_t n = 0;
	char *by;

	require_decider();
	laras_refuse_null(fcinfo, 0);
	if (!PG_ARGISNULL(1))
	{
		text *given = PG_GETARG_TEXT_PP(1);

		reason = VARDATA_ANY(given);
		n = VARSIZE_ANY_EXHDR(given);
		if (n > REASON_BYTES)
			ereport(ERROR, (errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
							errmsg("the reason is too long"),
							errdetail("At most %d bytes are kept.", REASON_BYTES)));
	}
	laras_spi_open();
	take_draft(PG_GETARG_INT64(0), &d);
	if (strcmp(d.state, "rejected") == 0)
	{
		laras_spi_close();
		PG_RETURN_BOOL(false);
	}
	if (!waits(&d) && strcmp(d.state, "withheld") != 0 && strcmp(d.state, "stale") != 0)
		refuse_closed(&d);
	by = laras_principal_text(laras_principal());
	laras_spi_run_one(&reject,
					  (Datum[]){Int64GetDatum(d.workspace_id), Int64GetDatum(d.id),
								CStringGetTextDatum(by)},
					  NULL);
	add_decision_of(&d, "rejected", by, laras_slot_is_destroyed(d.slot) ? NULL : reason, n);
	record(&d, LARAS_ACT_DRAFT_REJECTED, NULL, 0);
	laras_spi_close();
	PG_RETURN_BOOL(true);
}

/*
 * laras.set_auto_send(connection_id bigint, enabled boolean) returns void
 */
Datum
laras_set_auto_send(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 connection_id = PG_GETARG_INT64(0);
	bool enabled = PG_GETARG_BOOL(1);

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_CONNECT);
	laras_connection_set(connection_id, &set_auto_send, BoolGetDatum(enabled),
						 LARAS_ACT_AUTO_SEND_SET,
						 (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_ENABLED, enabled));
	PG_RETURN_VOID();
}
