/*
 * evidence.c
 *		Appending entries. Invariant: an entry is inserted by the transaction
 *		that acts and by nothing else, takes no lock anybody waits for, and holds
 *		no value that its field's class does not admit.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/id.h"
#include "base/spi.h"
#include "evidence/evidence.h"
#include "evidence/leaf.h"
#include "evidence/log.h"
#include "evidence/sink.h"
#include "tenancy/tenancy.h"
#include "vault/derive.h"
#include "vault/vault.h"
#include "worker/worker.h"

/* entries of one INSERT: bounds memory, not what callers may pass */
#define CHUNK 2048

char *laras_evidence_key_file;

/* What goes into a row. */
typedef struct Row
{
	LarasLeafHeader header;
	TimestampTz at;
	uint8 *fields;
	size_t length;
	LarasHash leaf_hash;
	int ordinal;
} Row;

#define COLUMNS                                                                \
	"workspace_id, entry_id, at, action, actor_kind, actor_id, subject_kind, " \
	"subject_id, workspace_slot, fields, leaf_hash, ordinal"

LARAS_PLAN(insert_entry,
		   "INSERT INTO laras.evidence_entry (" COLUMNS ")"
		   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		   INT8OID, INT8OID, TIMESTAMPTZOID, INT2OID, INT2OID, INT8OID, INT2OID, INT8OID, INT8OID,
		   BYTEAOID, BYTEAOID, INT4OID);
LARAS_PLAN(insert_entries,
		   "INSERT INTO laras.evidence_entry (" COLUMNS ")"
		   " SELECT u.w, u.e, $3, u.a, u.ak, u.ai, u.sk, u.si, u.ws, u.f, u.h, u.o"
		   " FROM unnest($1, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
		   " AS u (w, e, a, ak, ai, sk, si, ws, f, h, o)",
		   INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID, INT2ARRAYOID, INT2ARRAYOID, INT8ARRAYOID,
		   INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, INT4ARRAYOID);

typedef struct NameOf
{
	int no;
	const char *name;
} NameOf;

static const NameOf actions[] = {
#define LARAS_ACTION(no, constant, name) {no, name},
#include "evidence/actions.def"
#undef LARAS_ACTION
};

static const char *const actors[] = {
	NULL, "member", "key", "service", "worker", "provider", "customer", "system", "operator",
};

static const char *const subjects[] = {
	"none",         "workspace",    "member",      "session",  "api_key",   "connection", "attempt",
	"contact",      "conversation", "message",     "draft",    "erasure",   "hold",       "export",
	"provider_app", "knowledge",    "review_rule", "event",    "retention", "keyring",    "review",
	"opportunity",  "segment",      "order",       "campaign", "note",      "template",   "media",
};

StaticAssertDecl(lengthof(subjects) == LARAS_SUBJECT_MAX + 1, "every subject kind has a name");
StaticAssertDecl(lengthof(actors) == LARAS_ACTOR_OPERATOR + 1, "every actor kind has a name");
StaticAssertDecl(LARAS_EVIDENCE_MAX_CODE == LARAS_LEAF_MAX_CODE, "one limit for codes");

/* actions.def ascends by number */
const char *
laras_action_name(int action)
{
	size_t low = 0, high = lengthof(actions);

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (actions[middle].no == action)
			return actions[middle].name;
		if (actions[middle].no < action)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *
laras_actor_kind_name(int kind)
{
	return kind > 0 && kind < (int) lengthof(actors) ? actors[kind] : NULL;
}

const char *
laras_subject_kind_name(int kind)
{
	return kind >= 0 && kind < (int) lengthof(subjects) ? subjects[kind] : NULL;
}

int64
laras_evidence_time(TimestampTz t)
{
	return t + ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * USECS_PER_DAY;
}

void
laras_evidence_hash_failed(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
					errdetail("The crypto library failed to hash.")));
}

/* The position of the next entry within its transaction, savepoints included. */
static int
next_ordinal(void)
{
	static LocalTransactionId lxid = InvalidLocalTransactionId;
	static int ordinal = 0;

	if (lxid != LARAS_MY_LXID)
	{
		lxid = LARAS_MY_LXID;
		ordinal = 0;
	}
	return ordinal++;
}

pg_noreturn static void
field_refused(const LarasFieldInfo *info)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("evidence field \"%s\" does not admit this value", info->name),
					errdetail("Its class decides what may stand in clear.")));
}

/* The bytes a field takes. */
static size_t
field_size(const LarasEvidenceField *field, const LarasFieldInfo *info)
{
	switch (info->field_class)
	{
		case LARAS_CLASS_COMMITTED:
			return LARAS_LEAF_FIELD_HEADER + LARAS_LEAF_COMMITTED_BYTES;
		case LARAS_CLASS_CODE:
			if (!laras_leaf_is_code(field->value, field->len))
				field_refused(info);
			return LARAS_LEAF_FIELD_HEADER + field->len;
		case LARAS_CLASS_DIGEST:
			if (field->len != 16 && field->len != 32)
				field_refused(info);
			return LARAS_LEAF_FIELD_HEADER + field->len;
		case LARAS_CLASS_NUMBER:
		case LARAS_CLASS_TIME:
			return LARAS_LEAF_FIELD_HEADER + 8;
	}
	elog(ERROR, "unknown class of evidence field %d", (int) field->no);
}

static size_t
write_field(uint8 *out, const LarasEvidence *e, const LarasEvidenceField *field,
			const LarasFieldInfo *info, const LarasLeafHeader *header)
{
	switch (info->field_class)
	{
		case LARAS_CLASS_COMMITTED:
		{
			uint8 salt[LARAS_HASH_LEN];
			LarasHash commitment;

			laras_evidence_salt(header->workspace_slot, field->slot, header->entry_id, info->no,
								salt);
			if (!laras_commitment(info->name, salt, field->value, field->len, commitment.b))
				laras_evidence_hash_failed();
			laras_wipe(salt, sizeof(salt));
			return laras_leaf_put_committed(out, info->no, field->slot, &commitment);
		}
		case LARAS_CLASS_CODE:
		case LARAS_CLASS_DIGEST:
			return laras_leaf_put_bytes(out, info->no, info->field_class, field->value, field->len);
		case LARAS_CLASS_NUMBER:
		case LARAS_CLASS_TIME:
			return laras_leaf_put_number(out, info->no, info->field_class, field->number);
	}
	return 0;
}

/* Makes the leaf of one act; memory in the current context. */
static void
make_row(const LarasEvidence *e, TimestampTz at, Row *row)
{
	const LarasEvidenceField *sorted[LARAS_EVIDENCE_MAX_FIELDS];
	const LarasFieldInfo *info[LARAS_EVIDENCE_MAX_FIELDS];
	size_t size = 0;
	bool committed = false;
	int i;

	if (laras_action_name(e->action) == NULL || laras_actor_kind_name(e->actor_kind) == NULL ||
		laras_subject_kind_name(e->subject_kind) == NULL)
		elog(ERROR, "unknown act, actor or subject of evidence: %d, %d, %d", (int) e->action,
			 (int) e->actor_kind, (int) e->subject_kind);
	if (e->nfields < 0 || e->nfields > LARAS_EVIDENCE_MAX_FIELDS)
		elog(ERROR, "an evidence entry has %d fields", e->nfields);

	for (i = 0; i < e->nfields; i++)
	{
		int at_place = i;

		while (at_place > 0 && sorted[at_place - 1]->no > e->fields[i].no)
		{
			sorted[at_place] = sorted[at_place - 1];
			at_place--;
		}
		sorted[at_place] = &e->fields[i];
	}
	for (i = 0; i < e->nfields; i++)
	{
		info[i] = laras_field_info(sorted[i]->no);
		if (info[i] == NULL)
			elog(ERROR, "unknown evidence field %d", (int) sorted[i]->no);
		if (i > 0 && sorted[i - 1]->no == sorted[i]->no)
			elog(ERROR, "evidence field \"%s\" stands twice", info[i]->name);
		if (info[i]->field_class == LARAS_CLASS_COMMITTED)
		{
			if (e->workspace_id == 0)
				field_refused(info[i]);
			committed = true;
		}
		size += field_size(sorted[i], info[i]);
	}

	memset(row, 0, sizeof(*row));
	row->at = at;
	row->ordinal = next_ordinal();
	row->header = (LarasLeafHeader){
		.action = e->action,
		.workspace_id = e->workspace_id,
		.entry_id = e->entry_id != 0 ? e->entry_id : laras_new_id(),
		.time = laras_evidence_time(at),
		.actor_kind = e->actor_kind,
		.subject_kind = e->subject_kind,
		.actor_id = e->actor_id,
		.subject_id = e->subject_id,
	};
	if (committed)
		row->header.workspace_slot =
			e->workspace_slot != 0 ? e->workspace_slot : laras_workspace_slot(e->workspace_id);

	row->fields = palloc(size + 1);
	for (i = 0; i < e->nfields; i++)
		row->length += write_field(row->fields + row->length, e, sorted[i], info[i], &row->header);
	if (!laras_leaf_hash(&row->header, e->nfields, row->fields, row->length, &row->leaf_hash))
		laras_evidence_hash_failed();
}

static void
insert_one(const Row *row)
{
	const LarasLeafHeader *h = &row->header;
	Datum values[] = {
		Int64GetDatum(h->workspace_id),
		Int64GetDatum(h->entry_id),
		TimestampTzGetDatum(row->at),
		Int16GetDatum(h->action),
		Int16GetDatum(h->actor_kind),
		Int64GetDatum(h->actor_id),
		Int16GetDatum(h->subject_kind),
		Int64GetDatum(h->subject_id),
		Int64GetDatum((int64) h->workspace_slot),
		laras_bytea_datum(row->fields, row->length),
		laras_bytea_datum(row->leaf_hash.b, LARAS_HASH_LEN),
		Int32GetDatum(row->ordinal),
	};

	laras_spi_run_one(&insert_entry, values, NULL);
}

static void
insert_many(const Row *rows, int n)
{
	Datum *column[12];
	Datum values[12];
	int i;
	int c;

	for (c = 0; c < 12; c++)
		column[c] = palloc(sizeof(Datum) * n);
	for (i = 0; i < n; i++)
	{
		const LarasLeafHeader *h = &rows[i].header;

		column[0][i] = Int64GetDatum(h->workspace_id);
		column[1][i] = Int64GetDatum(h->entry_id);
		column[3][i] = Int16GetDatum(h->action);
		column[4][i] = Int16GetDatum(h->actor_kind);
		column[5][i] = Int64GetDatum(h->actor_id);
		column[6][i] = Int16GetDatum(h->subject_kind);
		column[7][i] = Int64GetDatum(h->subject_id);
		column[8][i] = Int64GetDatum((int64) h->workspace_slot);
		column[9][i] = laras_bytea_datum(rows[i].fields, rows[i].length);
		column[10][i] = laras_bytea_datum(rows[i].leaf_hash.b, LARAS_HASH_LEN);
		column[11][i] = Int32GetDatum(rows[i].ordinal);
	}
	for (c = 0; c < 12; c++)
	{
		switch (c)
		{
			case 2:
				values[c] = TimestampTzGetDatum(rows[0].at);
				break;
			case 3:
			case 4:
			case 6:
				values[c] = PointerGetDatum(
					construct_array(column[c], n, INT2OID, 2, true, TYPALIGN_SHORT));
				break;
			case 9:
			case 10:
				values[c] = PointerGetDatum(
					construct_array(column[c], n, BYTEAOID, -1, false, TYPALIGN_INT));
				break;
			case 11:
				values[c] =
					PointerGetDatum(construct_array(column[c], n, INT4OID, 4, true, TYPALIGN_INT));
				break;
			default:
				values[c] = PointerGetDatum(
					construct_array(column[c], n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
				break;
		}
	}
	if (laras_spi_run(&insert_entries, values, NULL) != n)
		elog(ERROR, "evidence was not inserted");
}

/*
 * Whoever the current user is, rows are written under the forced policies: as
 * the tables' owner where the workspace is bound, else as laras_worker, whose
 * policy reads the set of workspaces that C code has bound. The platform's own
 * log is nobody's workspace, so a backend binds {0} for it.
 */
void
laras_evidence_act_for(int64 workspace_id, LarasRunAs *saved)
{
	int64 platform = 0;

	laras_run_as_owner(saved);
	if (workspace_id != 0 && workspace_id == laras_bound_workspace())
		return;
	if (workspace_id == 0 && !laras_in_worker_set(0))
		laras_worker_bind(&platform, 1);
	SetUserIdAndSecContext(get_role_oid("laras_worker", false),
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

static void
append(const LarasEvidence *e, int n, int64 *first_id)
{
	bool in_worker = laras_in_worker();
	TimestampTz at = laras_now();
	LarasRunAs saved;
	int done = 0;

	if (n == 0)
		return;
	if (!in_worker)
		laras_evidence_act_for(e[0].workspace_id, &saved);
	while (done < n)
	{
		int count = Min(n - done, CHUNK);
		Row *rows;

		/* SPI's context takes what is made here, and goes with it */
		laras_spi_open();
		rows = palloc(sizeof(Row) * count);
		for (int i = 0; i < count; i++)
			make_row(&e[done + i], at, &rows[i]);
		if (done == 0 && first_id != NULL)
			*first_id = rows[0].header.entry_id;
		if (count == 1)
			insert_one(&rows[0]);
		else
			insert_many(rows, count);
		laras_spi_close();
		done += count;
	}
	if (!in_worker)
		laras_run_as_end(&saved);
}

int64
laras_evidence_append(const LarasEvidence *e)
{
	int64 id = 0;

	append(e, 1, &id);
	return id;
}

void
laras_evidence_append_many(const LarasEvidence *e, int n)
{
	append(e, n, NULL);
}

void
laras_evidence_actor(LarasEvidence *e)
{
	const LarasPrincipal *p = laras_principal();

	e->actor_id = p->id;
	switch (p->kind)
	{
		case LARAS_PRINCIPAL_MEMBER:
			e->actor_kind = LARAS_ACTOR_MEMBER;
			break;
		case LARAS_PRINCIPAL_KEY:
			e->actor_kind = LARAS_ACTOR_KEY;
			break;
		case LARAS_PRINCIPAL_SERVICE:
			e->actor_kind = LARAS_ACTOR_SERVICE;
			break;
		case LARAS_PRINCIPAL_WORKER:
			e->actor_kind = LARAS_ACTOR_WORKER;
			break;
		case LARAS_PRINCIPAL_NONE:
			e->actor_kind = laras_in_worker() ? LARAS_ACTOR_WORKER : LARAS_ACTOR_OPERATOR;
			e->actor_id = 0;
			break;
	}
}

void
laras_evidence_act(int64 workspace_id, LarasAction action, LarasSubjectKind subject_kind,
				   int64 subject_id)
{
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = action,
		.subject_kind = subject_kind,
		.subject_id = subject_id,
	};

	laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

void
laras_evidence_init(void)
{
	DefineCustomStringVariable(
		"laras.checkpoint_directory",
		"Directory in which signed checkpoints are kept outside the database.",
		"On a medium that no backup or snapshot of this machine takes along. A keyring that is older than the newest checkpoint in it stays closed. Empty: none are kept.",
		&laras_checkpoint_directory, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"laras.evidence_key_file", "File with the key that signs evidence checkpoints.",
		"Outside the data directory; mode 0400; made when it is absent and nothing was signed yet. Empty: nothing is signed.",
		&laras_evidence_key_file, "", laras_guc_context(PGC_POSTMASTER), GUC_SUPERUSER_ONLY, NULL,
		NULL, NULL);
	laras_sink_init();
}
