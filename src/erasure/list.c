/*
 * list.c
 *		Lists of ids to erase: taking them.
 *
 * Of an id only keyed hashes are kept, from the call on, and these until its
 * line is worked off (listwork.c). So a list costs its caller no waiting, and a
 * crash no line.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "answer/knowledgetext.h"
#include "base/arguments.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/channel.h"
#include "erasure/accept.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/lookup.h"
#include "inbox/rows.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_erase_listed);
PG_FUNCTION_INFO_V1(laras_import_deletion_list);

#define MOST_LINES 50000
#define MOST_BYTES (16 * 1024 * 1024)
#define LONGEST_ID 256

LARAS_PLAN(
	add_list,
	"INSERT INTO laras.deletion_list (id, workspace_id, channel, digest, requested_by, lines) "
	"VALUES ($1, $2, $3, $4, $5, $6)",
	INT8OID, INT8OID, TEXTOID, BYTEAOID, TEXTOID, INT4OID);

/* Lines with up to three hashes; without any they are refused, and so is a second one of the same id. */
LARAS_PLAN(
	add_lines,
	"INSERT INTO laras.deletion_line (list_id, workspace_id, line, channel, kinds, indexes, outcome, reason) "
	"SELECT $1, $2, u.n, u.c, CASE WHEN u.o IS NULL THEN pg_catalog.array_remove(ARRAY[u.k1, u.k2, u.k3], NULL) END, "
	"CASE WHEN u.o IS NULL THEN pg_catalog.array_remove(ARRAY[u.x1, u.x2, u.x3], NULL) END, u.o, "
	"CASE WHEN u.o IS NOT NULL THEN coalesce(u.r, 'repeated') END FROM (SELECT l.*, "
	"CASE WHEN l.x1 IS NULL OR pg_catalog.row_number() OVER (PARTITION BY l.c, l.k1, l.x1 ORDER BY l.n) "
	"OPERATOR(pg_catalog.>) 1 THEN 'refused' END AS o "
	"FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11) AS l (n, c, r, k1, k2, k3, x1, x2, x3)) AS u",
	INT8OID, INT8OID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT2ARRAYOID, INT2ARRAYOID,
	INT2ARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(
	count_refused,
	"UPDATE laras.deletion_list SET refused = (SELECT pg_catalog.count(*) FROM laras.deletion_line n "
	"WHERE n.list_id OPERATOR(pg_catalog.=) $1 AND n.outcome OPERATOR(pg_catalog.=) 'refused') "
	"WHERE id OPERATOR(pg_catalog.=) $1",
	INT8OID);

typedef struct Line
{
	int number;
	const char *channel; /* NULL: any */
	const char *refused; /* why; NULL: keys has n */
	int n;
	LarasIdentityKey keys[LARAS_MOST_KEYS];
} Line;

enum
{
	COLUMN_NUMBER,
	COLUMN_CHANNEL,
	COLUMN_REASON,
	COLUMN_KIND,
	COLUMN_INDEX = COLUMN_KIND + LARAS_MOST_KEYS,
	COLUMNS = COLUMN_INDEX + LARAS_MOST_KEYS
};

static void
put(LarasColumn *column, int row, Datum value, bool isnull)
{
	column->values[row] = value;
	column->nulls[row] = isnull;
}

static void
note_receipt(int64 id, int64 workspace_id, int n)
{
	LarasEvidenceField fields[] = {LARAS_EV_NUMBER(LARAS_EVF_COUNT, n)};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = LARAS_ACT_DELETION_LIST_RECEIVED,
		.subject_kind = LARAS_SUBJECT_ERASURE,
		.subject_id = id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_actor(&act);
	if (workspace_id == 0)
		act.actor_kind = LARAS_ACTOR_OPERATOR;
	laras_evidence_append(&act);
}

/* Keep a list and its lines. workspace_id 0: of a provider, on that channel. Inside SPI. */
static int64
store(int64 workspace_id, const char *channel, bytea *digest, const Line *lines, int n)
{
	int64 id = laras_new_id();
	LarasColumn columns[COLUMNS];
	Datum values[2 + COLUMNS] = {Int64GetDatum(id), Int64GetDatum(workspace_id)};

	laras_spi_run_one(&add_list,
					  (Datum[]){Int64GetDatum(id), Int64GetDatum(workspace_id),
								channel ? CStringGetTextDatum(channel) : (Datum) 0,
								PointerGetDatum(digest),
								CStringGetTextDatum(workspace_id == 0
														? "operator"
														: laras_principal_text(laras_principal())),
								Int32GetDatum(n)},
					  workspace_id == 0 ? " n    " : "  n   ");
	laras_columns_init(columns, COLUMNS, n);
	for (int c = 0; c < COLUMNS; c++)
		columns[c].nulls = palloc0(sizeof(bool) * n);
	for (int i = 0; i < n; i++)
	{
		const Line *line = &lines[i];

		put(&columns[COLUMN_NUMBER], i, Int32GetDatum(line->number), false);
		put(&columns[COLUMN_CHANNEL], i,
			line->channel ? CStringGetTextDatum(line->channel) : (Datum) 0, line->channel == NULL);
		put(&columns[COLUMN_REASON], i,
			line->refused ? CStringGetTextDatum(line->refused) : (Datum) 0, line->refused == NULL);
		for (int k = 0; k < LARAS_MOST_KEYS; k++)
		{
			bool absent = line->refused != NULL || k >= line->n;

			put(&columns[COLUMN_KIND + k], i,
				absent ? (Datum) 0 : Int16GetDatum((int16) line->keys[k].kind), absent);
			put(&columns[COLUMN_INDEX + k], i,
				absent ? (Datum) 0 : PointerGetDatum(line->keys[k].index), absent);
		}
	}
	for (int c = 0; c < COLUMNS; c++)
		values[2 + c] = laras_column_array(&columns[c], n,
										   c == COLUMN_NUMBER ? INT4OID
										   : c < COLUMN_KIND  ? TEXTOID
										   : c < COLUMN_INDEX ? INT2OID
															  : BYTEAOID);
	if (n > 0)
		laras_spi_run(&add_lines, values, workspace_id == 0 ? " n         " : NULL);
	laras_spi_run_one(&count_refused, (Datum[]){Int64GetDatum(id)}, NULL);
	note_receipt(id, workspace_id, n);
	laras_work_queued(LARAS_WORK_KEEPER);
	return id;
}

/* A word that holds for lines which name none; NULL: there is none. Refused where it means nothing. */
static char *
word(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static LarasText
member_or(const json_t *values, const char *name, const char *otherwise)
{
	LarasText given = laras_json_text_at(values, name);

	if (given.s == NULL && otherwise != NULL)
		given = laras_text(otherwise);
	return given;
}

static void
read_line(Line *line, const LarasKnowledgeRecord *record, const char *channel, const char *kind)
{
	LarasText on = member_or(record->values, "channel", channel);
	LarasText value = laras_json_text_at(record->values, "value");
	uint8 known = laras_identity_kind(member_or(record->values, "kind", kind));

	line->number = record->line;
	if (record->problem != NULL)
		line->refused = "bad_line";
	else if (on.s != NULL && laras_channel_driver(on.s) == NULL)
		line->refused = "no_channel";
	else if (known == 0)
		line->refused = "no_kind";
	else if (value.s == NULL || value.n == 0 || value.n > LONGEST_ID)
		line->refused = "no_id";
	else
	{
		line->channel = on.s == NULL ? NULL : pnstrdup(on.s, on.n);
		line->n = laras_identity_keys(laras_bound_workspace(), known, value, line->keys);
	}
}

/*
 * A list whose lines name no value at all is none: its header may have been left
 * out, or names the column otherwise.
 */
static void
require_values(const LarasKnowledgeRecord *records, int n)
{
	bool any = false;

	for (int i = 0; i < n; i++)
	{
		if (laras_json_get(records[i].values, "value") != NULL)
			return;
		any |= records[i].values != NULL;
	}
	if (any)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the list has no column \"value\""),
						errhint("The first line of csv names the columns: value, and perhaps "
								"channel and kind. In json these are members of each object.")));
}

/* A JSON array may hold the ids themselves: they become objects. */
static char *
as_objects(const char *text, size_t n, size_t *length)
{
	json_t *list = laras_json_own(laras_json_parse(text, n, NULL));
	json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
		if (json_is_string(element))
			json_array_set_new(list, i, json_pack("{s:O}", "value", element));
	if (list == NULL)
	{
		*length = n;
		return pnstrdup(text, n);
	}
	return laras_json_text_of(list, length);
}

/*
 * laras.erase_listed(list text, format text, channel text, kind text)
 *		returns bigint
 */
Datum
laras_erase_listed(PG_FUNCTION_ARGS)
{
	char *format;
	char *channel = word(fcinfo, 2);
	char *kind = word(fcinfo, 3);
	text *list;
	LarasKnowledgeRecord *records;
	Line *lines;
	int64 id;
	int n;

	laras_refuse_null(fcinfo, 0);
	laras_refuse_null(fcinfo, 1);
	format = text_to_cstring(PG_GETARG_TEXT_PP(1));
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_ERASE);
	laras_vault_require_open();
	if (strcmp(format, "csv") != 0 && strcmp(format, "json") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such format"),
						errhint("Formats are csv and json.")));
	if (channel != NULL && laras_channel_driver(channel) == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such channel")));
	if (kind != NULL && laras_identity_kind(laras_text(kind)) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such kind of id")));
	if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > MOST_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the list is too large"),
						errdetail("At most 16 MB are read by one call.")));
	list = PG_GETARG_TEXT_PP(0);
	if (strcmp(format, "csv") == 0)
		records = laras_knowledge_csv(VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list), MOST_LINES, NULL,
									  NULL, &n);
	else
	{
		size_t length;
		char *objects = as_objects(VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list), &length);

		records = laras_knowledge_json(objects, length, MOST_LINES, &n);
	}
	require_values(records, n);
	lines = palloc0(sizeof(Line) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_line(&lines[i], &records[i], channel, kind);
	}
	laras_spi_open();
	id = store(laras_bound_workspace(), NULL,
			   laras_erasure_digest(VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list)), lines, n);
	laras_spi_close();
	PG_RETURN_INT64(id);
}

/*
 * laras.import_deletion_list(channel text, user_ids text[]) returns bigint
 */
Datum
laras_import_deletion_list(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	char *channel = text_to_cstring(PG_GETARG_TEXT_PP(0));
	StringInfoData all;
	Datum *ids;
	bool *nulls;
	Line *lines;
	int64 id;
	int n;

	laras_require_preload();
	if (laras_bound_workspace() != 0)
		ereport(ERROR, (errcode(LARAS_ERRCODE_BOUND_ELSEWHERE),
						errmsg("a provider's list belongs to no workspace"),
						errhint("Call it in a transaction that is bound to nothing.")));
	laras_vault_require_open();
	if (laras_channel_driver(channel) == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such channel")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &ids, &nulls, &n);
	if (n > MOST_LINES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the list is too long"),
						errdetail("At most %d ids are taken by one call.", MOST_LINES)));
	initStringInfo(&all);
	lines = palloc0(sizeof(Line) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		char *user = nulls[i] ? "" : TextDatumGetCString(ids[i]);
		size_t length = strlen(user);

		CHECK_FOR_INTERRUPTS();
		appendStringInfo(&all, "%s\n", user);
		lines[i].number = i + 1;
		if (length == 0 || length > LONGEST_ID)
		{
			lines[i].refused = "no_id";
			continue;
		}
		lines[i].n = 1;
		lines[i].keys[0] =
			(LarasIdentityKey){LARAS_INDEX_APP_USER,
							   laras_authorizer_bytea(LARAS_INDEX_APP_USER,
													  laras_channel_authorizer(channel), user,
													  length)};
	}
	laras_spi_open();
	id = store(0, channel, laras_erasure_digest(all.data, all.len), lines, n);
	laras_spi_close();
	PG_RETURN_INT64(id);
}
