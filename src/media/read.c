/*
 * read.c
 *		laras.read_media, laras.fetch_media, laras.set_media_quota.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_read_media);
PG_FUNCTION_INFO_V1(laras_fetch_media);
PG_FUNCTION_INFO_V1(laras_set_media_quota);

/* bytes that one call gives */
#define MOST_AT_ONCE (8 * 1024 * 1024)

LARAS_PLAN(
	want_again,
	"UPDATE laras.media m SET state = 'wanted', reason = NULL, attempts = 0, next_at = laras.now() "
	"FROM laras.connection c WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
	"AND m.part_id IS NOT NULL "
	"AND m.state OPERATOR(pg_catalog.=) ANY ('{not_fetched,over_quota,failed,gone}'::pg_catalog.text[]) "
	"AND c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) m.connection_id "
	"AND c.state OPERATOR(pg_catalog.<>) 'disconnected'",
	INT8OID, INT8OID);

LARAS_PLAN(find_channel,
		   "SELECT c.channel FROM laras.connection c WHERE c.workspace_id OPERATOR(pg_catalog.=) "
		   "$1 AND c.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(set_quota,
		   "UPDATE laras.workspace SET media_quota = nullif($2, -1) "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1",
		   INT8OID, INT8OID);

/* The media of that id, for whoever reads the inbox. Inside SPI. */
static void
load(int64 media_id, LarasMedia *media)
{
	if (!laras_media_load(laras_bound_workspace(), media_id, media))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no such media")));
}

/* What came along with its message lies nowhere else. Inside SPI. */
static bool
lies_at_provider(const LarasMedia *media)
{
	const LarasChannelDriver *driver;

	if (laras_spi_run(&find_channel,
					  (Datum[]){Int64GetDatum(media->workspace_id),
								Int64GetDatum(media->connection_id)},
					  NULL) == 0)
		return false;
	driver = laras_channel_driver(laras_spi_cstring(0, 1));
	return driver != NULL && driver->media != NULL;
}

static void
require_reader(void)
{
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
}

/*
 * laras.read_media(media_id bigint, first_byte bigint, most_bytes integer) returns bytea
 */
Datum
laras_read_media(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	int64 first = PG_GETARG_INT64(1);
	int32 most = PG_GETARG_INT32(2);
	MemoryContext caller = CurrentMemoryContext;
	LarasMedia media;
	int64 n = 0;
	char *bytes;
	bytea *answer = NULL;

	require_reader();
	if (first < 0 || most < 0 || most > MOST_AT_ONCE)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("a range begins at 0 and has at most %d bytes", MOST_AT_ONCE)));
	laras_spi_open();
	load(PG_GETARG_INT64(0), &media);
	if (strcmp(media.state, "stored") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the bytes of the media are not stored"),
						errdetail("Its state is \"%s\".", media.state)));
	bytes = laras_media_bytes(&media, first, most, &n);
	if (bytes != NULL)
	{
		answer = MemoryContextAlloc(caller, VARHDRSZ + n);
		SET_VARSIZE(answer, VARHDRSZ + n);
		memcpy(VARDATA(answer), bytes, n);
		laras_wipe(bytes, n);
	}
	laras_spi_close();
	if (answer == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(answer);
}

/*
 * laras.fetch_media(media_id bigint) returns boolean
 */
Datum
laras_fetch_media(PG_FUNCTION_ARGS)
{
	LARAS_NO_NULLS(fcinfo);
	LarasMedia media;
	bool again;

	require_reader();
	laras_spi_open();
	load(PG_GETARG_INT64(0), &media);
	again = lies_at_provider(&media) &&
			laras_spi_run(&want_again,
						  (Datum[]){Int64GetDatum(media.workspace_id), Int64GetDatum(media.id)},
						  NULL) > 0;
	if (again)
	{
		laras_media_record(media.workspace_id, media.id, media.message_id, LARAS_ACT_MEDIA_WANTED,
						   media.kind, NULL);
		laras_work_queued(LARAS_WORK_KEEPER);
	}
	laras_spi_close();
	PG_RETURN_BOOL(again);
}

/*
 * laras.set_media_quota(workspace_id bigint, bytes bigint) returns void
 */
Datum
laras_set_media_quota(PG_FUNCTION_ARGS)
{
	static const LarasPrincipal service = {.kind = LARAS_PRINCIPAL_SERVICE,
										   .scopes = LARAS_SCOPE_ALL};
	int64 workspace_id = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	int64 bytes = PG_ARGISNULL(1) ? -1 : PG_GETARG_INT64(1);
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_SETTING, "media_quota"),
								   LARAS_EV_NUMBER(LARAS_EVF_COUNT, bytes)};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = LARAS_ACT_WORKSPACE_SETTING_SET,
		.actor_kind = LARAS_ACTOR_OPERATOR,
		.subject_kind = LARAS_SUBJECT_WORKSPACE,
		.subject_id = workspace_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};
	int level;

	laras_require_preload();
	laras_refuse_null(fcinfo, 0);
	if (!PG_ARGISNULL(1) && bytes < 0)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("a quota must not be less than 0")));
	/* raises where there is none */
	laras_workspace_slot(workspace_id);
	level = laras_bind_scope_begin(workspace_id, &service);
	laras_spi_open();
	laras_spi_run_one(&set_quota, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(bytes)},
					  NULL);
	laras_spi_close();
	laras_evidence_append(&act);
	laras_bind_scope_end(level);
	PG_RETURN_VOID();
}
