/*
 * listwork.c
 *		Lists of ids to erase: the keeper works them off.
 *
 * A batch of lines is a transaction, whose commit destroys the keys of those who
 * were found: a crash leaves whole batches behind and goes on with the next. A
 * line's hashes go with its outcome.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "connect/connect.h"
#include "erasure/accept.h"
#include "evidence/evidence.h"
#include "inbox/lookup.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/installation.h"
#include "worker/worker.h"

#define LINES_A_TURN 50

LARAS_PLAN(next_list,
		   "SELECT l.id, coalesce(l.workspace_id, 0), l.channel, l.requested_by "
		   "FROM laras.deletion_list l WHERE l.state OPERATOR(pg_catalog.=) 'open' "
		   "ORDER BY l.received_at, l.id LIMIT $1 FOR UPDATE SKIP LOCKED",
		   INT4OID);

LARAS_PLAN(
	next_lines,
	"SELECT n.line, n.channel, n.kinds, n.indexes FROM laras.deletion_line n "
	"WHERE n.list_id OPERATOR(pg_catalog.=) $1 AND n.outcome IS NULL ORDER BY n.line LIMIT $2",
	INT8OID, INT4OID);

LARAS_PLAN(
	end_line,
	"UPDATE laras.deletion_line SET outcome = $3, subjects = $4, kinds = NULL, indexes = NULL "
	"WHERE list_id OPERATOR(pg_catalog.=) $1 AND line OPERATOR(pg_catalog.=) $2",
	INT8OID, INT4OID, TEXTOID, INT4OID);

LARAS_PLAN(
	count_lines,
	"UPDATE laras.deletion_list SET found = found OPERATOR(pg_catalog.+) $2, "
	"not_found = not_found OPERATOR(pg_catalog.+) $3, subjects = subjects OPERATOR(pg_catalog.+) $4, "
	"keys = keys OPERATOR(pg_catalog.+) $5 WHERE id OPERATOR(pg_catalog.=) $1",
	INT8OID, INT4OID, INT4OID, INT4OID, INT4OID);

LARAS_PLAN(
	find_authorized,
	"SELECT a.workspace_id, a.connection_id FROM laras.authorizer a JOIN laras.provider_app p "
	"ON p.id OPERATOR(pg_catalog.=) a.provider_app_id WHERE a.authorizer_hash OPERATOR(pg_catalog.=) $1 "
	"AND $2 OPERATOR(pg_catalog.=) ANY (p.channels) ORDER BY 1, 2",
	BYTEAOID, TEXTOID);

LARAS_PLAN(
	read_report,
	"SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat(n.line, ' ', n.outcome, ' ', n.reason, E'\\n'), '' "
	"ORDER BY n.line), ''), (SELECT l.found FROM laras.deletion_list l WHERE l.id OPERATOR(pg_catalog.=) $1), "
	"(SELECT l.keys FROM laras.deletion_list l WHERE l.id OPERATOR(pg_catalog.=) $1) "
	"FROM laras.deletion_line n WHERE n.list_id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(
	finish,
	"UPDATE laras.deletion_list SET state = 'done', finished_at = laras.now(), report_digest = $2, "
	"evidence_id = $3 WHERE id OPERATOR(pg_catalog.=) $1",
	INT8OID, BYTEAOID, INT8OID);

typedef struct DeletionList
{
	int64 id;
	int64 workspace_id; /* 0: of a provider */
	const char *channel;
	const char *requested_by;
} DeletionList;

/* What a batch did. */
typedef struct Done
{
	int found;
	int not_found;
	int subjects;
	int keys;
} Done;

typedef struct Waiting
{
	int line;
	const char *channel;
	int n;
	LarasIdentityKey keys[LARAS_MOST_KEYS];
} Waiting;

static void
begin(LarasAcceptance *a, const DeletionList *list)
{
	char code[LARAS_CODE_LENGTH + 1];

	a->id = laras_new_id();
	a->path = "list";
	a->requested_by = list->requested_by;
	a->at = laras_now();
	laras_erasure_code(a, code);
}

/* A person of the workspace. Returns how many contacts they were. */
static int
erase_person(const DeletionList *list, const Waiting *line, Done *done)
{
	LarasKnownContact *found;
	int n = laras_contacts_by_keys(list->workspace_id, line->channel, line->keys, line->n, &found);
	int erased = 0;

	for (int i = 0; i < n; i++)
	{
		LarasAcceptance a = {.scope = "contact"};

		if (i > 0 && found[i].contact_id == found[i - 1].contact_id)
			continue;
		begin(&a, list);
		a.workspace_id = list->workspace_id;
		a.subject_id = found[i].contact_id;
		if (!laras_erase_contact(&a))
			continue;
		laras_erasure_store(&a);
		laras_erasure_evidence(&a, LARAS_ACT_ERASURE_REQUESTED);
		laras_erasure_evidence(&a, LARAS_ACT_ERASURE_UNREADABLE);
		done->keys += a.slots;
		erased++;
	}
	return erased;
}

/* Who authorised connections through a provider's app. Returns how many were cut. */
static int
cut_authorized(const DeletionList *list, const Waiting *line, Done *done)
{
	LarasAcceptance a = {.scope = "provider_user", .channel = list->channel};
	uint64 n = laras_spi_read(&find_authorized,
							  (Datum[]){PointerGetDatum(line->keys[0].index),
										CStringGetTextDatum(list->channel)},
							  NULL);
	int64 *pairs = palloc(sizeof(int64) * 2 * (n + 1));

	begin(&a, list);
	for (uint64 i = 0; i < n; i++)
	{
		pairs[2 * i] = laras_spi_int8(i, 1);
		pairs[2 * i + 1] = laras_spi_int8(i, 2);
	}
	for (uint64 i = 0; i < n; i++)
	{
		LarasDisconnectReceipt receipt;

		laras_disconnect(pairs[2 * i], pairs[2 * i + 1], LARAS_CUT_DELETION_CALLBACK, NULL, a.order,
						 &receipt);
		if (!receipt.was_connected)
			continue;
		a.connections++;
		a.slots++;
		if (a.workspace_id == 0)
			a.workspace_id = pairs[2 * i];
	}
	a.state = a.connections > 0 ? "removed" : "no_data_held";
	laras_erasure_store(&a);
	a.workspace_id = 0;
	laras_erasure_evidence(&a, a.connections > 0 ? LARAS_ACT_ERASURE_UNREADABLE
												 : LARAS_ACT_ERASURE_NO_DATA_HELD);
	done->keys += a.slots;
	return a.connections;
}

/* The next lines, out of SPI's rows, which do not outlive the statements below. */
static int
read_lines(const DeletionList *list, Waiting *lines)
{
	uint64 n =
		laras_spi_read(&next_lines, (Datum[]){Int64GetDatum(list->id), Int32GetDatum(LINES_A_TURN)},
					   NULL);

	for (uint64 i = 0; i < n; i++)
	{
		Waiting *line = &lines[i];
		bool isnull;
		Datum *kinds;
		Datum *indexes;
		int count;

		line->line = laras_spi_int4(i, 1);
		line->channel = laras_spi_cstring(i, 2);
		deconstruct_array(DatumGetArrayTypePCopy(laras_spi_value(i, 3, &isnull)), INT2OID, 2, true,
						  TYPALIGN_SHORT, &kinds, NULL, &line->n);
		deconstruct_array(DatumGetArrayTypePCopy(laras_spi_value(i, 4, &isnull)), BYTEAOID, -1,
						  false, TYPALIGN_INT, &indexes, NULL, &count);
		if (count != line->n || count < 1 || count > LARAS_MOST_KEYS)
			elog(ERROR, "a line of a list has no hashes that fit");
		for (int k = 0; k < count; k++)
			line->keys[k] =
				(LarasIdentityKey){(uint8) DatumGetInt16(kinds[k]), DatumGetByteaP(indexes[k])};
	}
	return (int) n;
}

static void
finish_list(const DeletionList *list)
{
	int64 entry;
	char *report;
	LarasEvidenceField fields[3];
	LarasEvidence act = {
		.workspace_id = list->workspace_id,
		.action = LARAS_ACT_DELETION_LIST_FINISHED,
		.actor_kind = LARAS_ACTOR_WORKER,
		.subject_kind = LARAS_SUBJECT_ERASURE,
		.subject_id = list->id,
		.nfields = lengthof(fields),
		.fields = fields,
	};
	bytea *digest;

	laras_spi_read(&read_report, (Datum[]){Int64GetDatum(list->id)}, NULL);
	report = laras_spi_cstring(0, 1);
	digest = laras_erasure_digest(report, strlen(report));
	fields[0] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_COUNT, laras_spi_int4(0, 2));
	fields[1] = (LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_KEYS, laras_spi_int4(0, 3));
	fields[2] = (LarasEvidenceField) LARAS_EV_DIGEST(LARAS_EVF_REPORT_DIGEST, VARDATA(digest), 32);
	entry = laras_evidence_append(&act);
	laras_spi_run_one(&finish,
					  (Datum[]){Int64GetDatum(list->id), PointerGetDatum(digest),
								Int64GetDatum(entry)},
					  NULL);
}

LarasTurn
laras_list_duty(void)
{
	DeletionList list;
	Waiting *lines = palloc(sizeof(Waiting) * LINES_A_TURN);
	Done done = {0};
	int n;

	if (laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	if (laras_spi_run(&next_list, (Datum[]){Int32GetDatum(1)}, NULL) == 0)
	{
		laras_spi_close();
		return LARAS_TURN_IDLE;
	}
	list = (DeletionList){laras_spi_int8(0, 1), laras_spi_int8(0, 2), laras_spi_cstring(0, 3),
						  laras_spi_cstring(0, 4)};
	n = read_lines(&list, lines);
	for (int i = 0; i < n; i++)
	{
		int subjects = list.workspace_id == 0 ? cut_authorized(&list, &lines[i], &done)
											  : erase_person(&list, &lines[i], &done);

		if (subjects > 0)
			done.found++;
		else
			done.not_found++;
		done.subjects += subjects;
		laras_spi_run_one(&end_line,
						  (Datum[]){Int64GetDatum(list.id), Int32GetDatum(lines[i].line),
									CStringGetTextDatum(subjects > 0 ? "found" : "not_found"),
									Int32GetDatum(subjects)},
						  NULL);
	}
	LARAS_FAULT("deletion_list_batch");
	if (n > 0)
		laras_spi_run_one(&count_lines,
						  (Datum[]){Int64GetDatum(list.id), Int32GetDatum(done.found),
									Int32GetDatum(done.not_found), Int32GetDatum(done.subjects),
									Int32GetDatum(done.keys)},
						  NULL);
	else
		finish_list(&list);
	laras_spi_close();
	return LARAS_TURN_MORE;
}
