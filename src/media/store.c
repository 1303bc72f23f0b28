/*
 * store.c
 *		Rows of media and the pieces of their bytes.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "evidence/evidence.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"
#include "media/media.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* before the bytes of a piece: its number and the count */
#define HEADER 8

/* tries before a media is given up; the last comes some eleven hours after the first */
#define MAX_TRIES 7

static int quota_mb = 0;

LARAS_PLAN(
	want,
	"INSERT INTO laras.media (workspace_id, id, message_id, part_id, contact_id, connection_id, slot, direction, kind, state, reason) "
	"SELECT m.workspace_id, u.i, m.id, u.p, m.contact_id, m.connection_id, m.slot, m.direction, u.k, "
	"CASE WHEN u.h THEN 'not_fetched' ELSE 'wanted' END, CASE WHEN u.h THEN 'historical' END "
	"FROM unnest($1, $2, $3, $4, $5, $6) AS u (w, i, m, p, k, h) "
	"JOIN laras.message m ON m.workspace_id OPERATOR(pg_catalog.=) u.w AND m.id OPERATOR(pg_catalog.=) u.m",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, BOOLARRAYOID);

LARAS_PLAN(
	drop_chunks,
	"DELETE FROM laras.media_chunk WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND media_id IN "
	"(SELECT m.id FROM laras.media m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.message_id OPERATOR(pg_catalog.=) $2)",
	INT8OID, INT8OID);

LARAS_PLAN(
	begin_storing,
	"INSERT INTO laras.media (workspace_id, id, message_id, part_id, contact_id, connection_id, slot, direction, kind, state, size) "
	"SELECT m.workspace_id, $2, m.id, $4, m.contact_id, m.connection_id, m.slot, m.direction, $5, 'fetching', $6 "
	"FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $3",
	INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID);

LARAS_PLAN(
	set_stored,
	"UPDATE laras.media SET state = 'stored', reason = NULL, details = $3, size = $4, chunks = $5, task_id = NULL, "
	"stored_at = laras.now() WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID, LARAS_SEALED, INT8OID, INT4OID);

LARAS_PLAN(drop_media,
		   "DELETE FROM laras.media WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND message_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(hand_over,
		   "UPDATE laras.media SET message_id = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND message_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT8OID);

LARAS_PLAN(
	cancel_chunks,
	"DELETE FROM laras.media_chunk WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND media_id IN "
	"(SELECT m.id FROM laras.media m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.connection_id OPERATOR(pg_catalog.=) $2 AND m.state OPERATOR(pg_catalog.=) 'fetching')",
	INT8OID, INT8OID);

LARAS_PLAN(
	cancel,
	"UPDATE laras.media SET state = 'cancelled', reason = 'disconnected', task_id = NULL "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND connection_id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) ANY ('{wanted,fetching}'::pg_catalog.text[])",
	INT8OID, INT8OID);

LARAS_PLAN(put,
		   "INSERT INTO laras.media_chunk (workspace_id, media_id, number, content) "
		   "VALUES ($1, $2, $3, $4)",
		   INT8OID, INT8OID, INT4OID, LARAS_SEALED);

LARAS_PLAN(get,
		   "SELECT c.content FROM laras.media_chunk c WHERE c.workspace_id OPERATOR(pg_catalog.=) "
		   "$1 AND c.media_id OPERATOR(pg_catalog.=) $2 AND c.number OPERATOR(pg_catalog.=) $3",
		   INT8OID, INT8OID, INT4OID);

LARAS_PLAN(put_again,
		   "UPDATE laras.media_chunk SET content = $4 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND media_id OPERATOR(pg_catalog.=) $2 AND number OPERATOR(pg_catalog.=) $3",
		   INT8OID, INT8OID, INT4OID, LARAS_SEALED);

LARAS_PLAN(forget_chunks,
		   "DELETE FROM laras.media_chunk WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND media_id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

LARAS_PLAN(
	load,
	"SELECT coalesce(m.message_id, 0), m.contact_id, m.connection_id, m.slot, m.kind, m.state, "
	"coalesce(m.size, 0), coalesce(m.chunks, 0), m.details FROM laras.media m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	read_room,
	"SELECT coalesce(w.media_quota, -1), coalesce((SELECT pg_catalog.sum(m.size) FROM laras.media m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.<>) $2 "
	"AND m.state OPERATOR(pg_catalog.=) ANY ('{fetching,stored}'::pg_catalog.text[])), 0)::pg_catalog.int8 "
	"FROM laras.workspace w WHERE w.workspace_id OPERATOR(pg_catalog.=) $1",
	INT8OID, INT8OID);

/* the wait grows fourfold, with a fifth of it up to chance, so that what failed together is not tried together */
LARAS_PLAN(
	try_again,
	"UPDATE laras.media SET attempts = attempts OPERATOR(pg_catalog.+) 1, reason = $4, task_id = NULL, "
	"state = CASE WHEN $3 IS NOT NULL THEN $3 WHEN attempts OPERATOR(pg_catalog.+) 1 OPERATOR(pg_catalog.>=) $5 "
	"THEN 'failed' ELSE 'wanted' END, next_at = laras.now() OPERATOR(pg_catalog.+) ((pg_catalog.power(4::pg_catalog.float8, "
	"attempts::pg_catalog.float8) OPERATOR(pg_catalog.*) (9 OPERATOR(pg_catalog.+) (2 OPERATOR(pg_catalog.*) pg_catalog.random()))) "
	"OPERATOR(pg_catalog.*) '1 second'::pg_catalog.interval) "
	"WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2 "
	"AND state OPERATOR(pg_catalog.=) 'fetching' RETURNING state, coalesce(message_id, 0), connection_id, kind",
	INT8OID, INT8OID, TEXTOID, TEXTOID, INT4OID);

/* of one reason once, until somebody has seen it */
LARAS_PLAN(
	told,
	"SELECT 1 FROM laras.notice n WHERE n.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND n.kind OPERATOR(pg_catalog.=) $2 AND n.connection_id OPERATOR(pg_catalog.=) $3 AND n.seen_at IS NULL LIMIT 1",
	INT8OID, TEXTOID, INT8OID);

void
laras_media_init(void)
{
	DefineCustomIntVariable("laras.media_quota", "Megabytes of media that a workspace may store.",
							"What set_media_quota says of a workspace comes first. What is over it "
							"is not fetched and stands as over_quota.",
							&quota_mb, 10240, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL,
							NULL);
}

/* --------------------------------------------------------------------- rows */

void
laras_media_want(const LarasMediaWanted *list, int n)
{
	LarasColumn c[6];

	if (n == 0)
		return;
	laras_columns_init(c, 6, n);
	for (int i = 0; i < n; i++)
	{
		c[0].values[i] = Int64GetDatum(list[i].workspace_id);
		c[1].values[i] = Int64GetDatum(laras_new_id());
		c[2].values[i] = Int64GetDatum(list[i].message_id);
		c[3].values[i] = Int64GetDatum(list[i].part_id);
		c[4].values[i] = CStringGetTextDatum(list[i].kind);
		c[5].values[i] = BoolGetDatum(list[i].historical);
	}
	laras_spi_run(
		&want,
		(Datum[]){laras_column_array(&c[0], n, INT8OID), laras_column_array(&c[1], n, INT8OID),
				  laras_column_array(&c[2], n, INT8OID), laras_column_array(&c[3], n, INT8OID),
				  laras_column_array(&c[4], n, TEXTOID), laras_column_array(&c[5], n, BOOLOID)},
		NULL);
	laras_work_queued(LARAS_WORK_KEEPER);
}

void
laras_media_begin(int64 workspace_id, int64 media_id, int64 message_id, int64 part_id,
				  const char *kind, int64 size)
{
	laras_spi_run_one(&begin_storing,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media_id),
								Int64GetDatum(message_id), Int64GetDatum(part_id),
								CStringGetTextDatum(kind), Int64GetDatum(size)},
					  NULL);
}

void
laras_media_stored(const LarasMediaPlace *place, LarasText mime, LarasText filename,
				   const uint8 sha256[32], int64 size)
{
	laras_spi_run_one(&set_stored,
					  (Datum[]){Int64GetDatum(place->workspace_id), Int64GetDatum(place->media_id),
								PointerGetDatum(laras_media_details(place, mime, filename, sha256)),
								Int64GetDatum(size), Int32GetDatum(LARAS_MEDIA_CHUNKS(size))},
					  NULL);
}

void
laras_media_drop(int64 workspace_id, int64 message_id)
{
	Datum message[2] = {Int64GetDatum(workspace_id), Int64GetDatum(message_id)};

	laras_spi_run(&drop_chunks, message, NULL);
	laras_spi_run(&drop_media, message, NULL);
}

void
laras_media_hand_over(int64 workspace_id, int64 from, int64 to)
{
	laras_spi_run(&hand_over,
				  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(from), Int64GetDatum(to)},
				  NULL);
}

void
laras_media_cancel(int64 workspace_id, int64 connection_id)
{
	Datum connection[2] = {Int64GetDatum(workspace_id), Int64GetDatum(connection_id)};

	laras_spi_run(&cancel_chunks, connection, NULL);
	laras_spi_run(&cancel, connection, NULL);
}

static char *
text_member(const json_t *details, const char *member)
{
	LarasText t = laras_json_text_at(details, member);

	return t.s == NULL ? NULL : pnstrdup(t.s, t.n);
}

bool
laras_media_load(int64 workspace_id, int64 media_id, LarasMedia *media)
{
	bytea *sealed;
	char *text;
	size_t n;

	memset(media, 0, sizeof(*media));
	if (laras_spi_run(&load, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media_id)},
					  NULL) == 0)
		return false;
	media->workspace_id = workspace_id;
	media->id = media_id;
	media->message_id = laras_spi_int8(0, 1);
	media->contact_id = laras_spi_int8(0, 2);
	media->connection_id = laras_spi_int8(0, 3);
	media->slot = (uint32) laras_spi_int8(0, 4);
	media->kind = laras_spi_cstring(0, 5);
	media->state = laras_spi_cstring(0, 6);
	media->size = laras_spi_int8(0, 7);
	media->chunks = laras_spi_int4(0, 8);
	sealed = (bytea *) laras_spi_varlena(0, 9);
	if (sealed != NULL && laras_open(sealed, workspace_id, media_id, LARAS_FIELD_media_details,
									 &text, &n) == LARAS_OPENED)
	{
		const json_t *details = laras_json_own(laras_json_parse(text, n, NULL));

		media->mime = text_member(details, "mime_type");
		media->filename = text_member(details, "filename");
	}
	return true;
}

struct varlena *
laras_media_details(const LarasMediaPlace *place, LarasText mime, LarasText filename,
					const uint8 sha256[32])
{
	json_t *details = laras_json_own(laras_json_object());
	char hex[65];
	char *text;
	size_t n;

	if (details == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	laras_hex_write(sha256, 32, hex);
	if (mime.s != NULL)
		json_object_set_new(details, "mime_type", json_stringn(mime.s, mime.n));
	if (filename.s != NULL)
		json_object_set_new(details, "filename", json_stringn(filename.s, filename.n));
	json_object_set_new(details, "sha256", json_string(hex));
	text = laras_json_text_of(details, &n);
	return (struct varlena *) laras_seal(place->workspace_slot, place->slot,
										 LARAS_FIELD_media_details, place->workspace_id,
										 place->media_id, text, n);
}

/* ------------------------------------------------------------------- pieces */

/* A piece with its number and the count before the bytes, sealed. */
static bytea *
seal_piece(const LarasMediaPlace *place, int32 number, int32 count, const char *bytes, size_t n)
{
	char *piece = palloc(HEADER + n);
	uint32 word = pg_hton32((uint32) number);
	bytea *sealed;

	memcpy(piece, &word, 4);
	word = pg_hton32((uint32) count);
	memcpy(piece + 4, &word, 4);
	memcpy(piece + HEADER, bytes, n);
	sealed = laras_seal(place->workspace_slot, place->slot, LARAS_FIELD_media_chunk_content,
						place->workspace_id, place->media_id, piece, HEADER + n);
	laras_wipe(piece, HEADER + n);
	pfree(piece);
	return sealed;
}

void
laras_media_put(const LarasMediaPlace *place, int32 number, int32 count, const char *bytes,
				size_t n)
{
	bytea *sealed = seal_piece(place, number, count, bytes, n);

	laras_spi_run_one(&put,
					  (Datum[]){Int64GetDatum(place->workspace_id), Int64GetDatum(place->media_id),
								Int32GetDatum(number), PointerGetDatum(sealed)},
					  NULL);
	pfree(sealed);
}

void
laras_media_put_all(const LarasMediaPlace *place, const char *bytes, int64 size)
{
	int32 count = LARAS_MEDIA_CHUNKS(size);

	for (int32 i = 0; i < count; i++)
	{
		int64 at = (int64) i * LARAS_MEDIA_CHUNK;

		laras_media_put(place, i, count, bytes + at, (size_t) Min(LARAS_MEDIA_CHUNK, size - at));
	}
}

/*
 * A piece that is what was stored in that place, without what stands before its
 * bytes; NULL where the key is destroyed.
 */
static char *
open_piece(int64 workspace_id, int64 media_id, int32 number, int32 count, size_t *n)
{
	bytea *sealed = NULL;
	char *piece = NULL;
	uint32 word[2];

	if (laras_spi_run(&get,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media_id),
								Int32GetDatum(number)},
					  NULL) == 1)
		sealed = (bytea *) laras_spi_varlena(0, 1);
	if (sealed != NULL && laras_open(sealed, workspace_id, media_id,
									 LARAS_FIELD_media_chunk_content, &piece, n) != LARAS_OPENED)
		return NULL;
	if (piece != NULL && *n >= HEADER)
		memcpy(word, piece, HEADER);
	if (piece == NULL || *n < HEADER || pg_ntoh32(word[0]) != (uint32) number ||
		pg_ntoh32(word[1]) != (uint32) count)
		ereport(ERROR, (errcode(LARAS_ERRCODE_VALUE_MISPLACED),
						errmsg("a piece of media is not the one that was stored in its place"),
						errhint("The table was changed, or restored in part.")));
	pfree(sealed);
	*n -= HEADER;
	return piece + HEADER;
}

void
laras_media_count(const LarasMediaPlace *place, int32 count)
{
	for (int32 i = 0; i < count; i++)
	{
		size_t n;
		char *bytes = open_piece(place->workspace_id, place->media_id, i, 0, &n);
		bytea *sealed;

		CHECK_FOR_INTERRUPTS();
		if (bytes == NULL)
			return;
		sealed = seal_piece(place, i, count, bytes, n);
		laras_spi_run_one(&put_again,
						  (Datum[]){Int64GetDatum(place->workspace_id),
									Int64GetDatum(place->media_id), Int32GetDatum(i),
									PointerGetDatum(sealed)},
						  NULL);
		pfree(sealed);
		laras_wipe(bytes, n);
		pfree(bytes - HEADER);
	}
}

void
laras_media_forget(int64 workspace_id, int64 media_id)
{
	laras_spi_run(&forget_chunks, (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media_id)},
				  NULL);
}

char *
laras_media_bytes(const LarasMedia *media, int64 first, int64 most, int64 *n)
{
	int64 end = first >= media->size         ? first
				: most < media->size - first ? first + most
											 : media->size;
	char *bytes = palloc_extended(end - first + 1, MCXT_ALLOC_HUGE);
	int64 at = first;

	if (media->chunks != LARAS_MEDIA_CHUNKS(media->size))
		ereport(ERROR, (errcode(LARAS_ERRCODE_VALUE_MISPLACED),
						errmsg("media is not as long as its pieces")));
	while (at < end)
	{
		int32 number = (int32) (at / LARAS_MEDIA_CHUNK);
		int64 offset = at % LARAS_MEDIA_CHUNK;
		size_t have;
		size_t take;
		char *piece = open_piece(media->workspace_id, media->id, number, media->chunks, &have);

		CHECK_FOR_INTERRUPTS();
		if (piece == NULL)
			return NULL;
		if (have != (size_t) Min((int64) LARAS_MEDIA_CHUNK,
								 media->size - (int64) number * LARAS_MEDIA_CHUNK))
			ereport(ERROR, (errcode(LARAS_ERRCODE_VALUE_MISPLACED),
							errmsg("a piece of media is not as long as it was")));
		take = Min(have - (size_t) offset, (size_t) (end - at));
		memcpy(bytes + (at - first), piece + offset, take);
		at += (int64) take;
		laras_wipe(piece, have);
		pfree(piece - HEADER);
	}
	*n = end - first;
	return bytes;
}

/* ---------------------------------------------------------------------- room */

int64
laras_media_room(int64 workspace_id, int64 but_media_id)
{
	int64 quota;
	int64 used;

	if (laras_spi_run(&read_room,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(but_media_id)},
					  NULL) == 0)
		return 0;
	quota = laras_spi_int8(0, 1);
	used = laras_spi_int8(0, 2);
	if (quota < 0)
		quota = (int64) quota_mb * 1024 * 1024;
	return used >= quota ? 0 : quota - used;
}

/* ------------------------------------------------------------------- outcomes */

void
laras_media_record(int64 workspace_id, int64 media_id, int64 message_id, int action,
				   const char *kind, const char *reason)
{
	LarasEvidenceField fields[3];
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.action = (LarasAction) action,
		.subject_kind = LARAS_SUBJECT_MEDIA,
		.subject_id = media_id,
		.fields = fields,
	};

	if (reason != NULL)
		fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_REASON, reason);
	fields[act.nfields++] = (LarasEvidenceField) LARAS_EV_CODE(LARAS_EVF_KIND, kind);
	if (message_id != 0)
		fields[act.nfields++] =
			(LarasEvidenceField) LARAS_EV_NUMBER(LARAS_EVF_MESSAGE_ID, message_id);
	if (laras_bound_workspace() == 0)
		act.actor_kind = LARAS_ACTOR_WORKER;
	else
		laras_evidence_actor(&act);
	laras_evidence_append(&act);
}

void
laras_media_failed(int64 workspace_id, int64 media_id, const char *state, const char *reason)
{
	int64 message_id;
	int64 connection_id;
	char *now;
	char *kind;
	const char *notice;

	laras_media_forget(workspace_id, media_id);
	if (laras_spi_run(&try_again,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(media_id),
								state == NULL ? (Datum) 0 : CStringGetTextDatum(state),
								CStringGetTextDatum(reason), Int32GetDatum(MAX_TRIES)},
					  state == NULL ? "  n  " : NULL) == 0)
		return;
	now = laras_spi_cstring(0, 1);
	message_id = laras_spi_int8(0, 2);
	connection_id = laras_spi_int8(0, 3);
	kind = laras_spi_cstring(0, 4);
	if (strcmp(now, "wanted") == 0)
		return;
	laras_media_record(workspace_id, media_id, message_id, LARAS_ACT_MEDIA_REFUSED, kind, reason);
	notice = strcmp(now, "over_quota") == 0 ? "media_over_quota" : "media_failed";
	if (laras_spi_run(&told,
					  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(notice),
								Int64GetDatum(connection_id)},
					  NULL) == 0)
		laras_notice(workspace_id, notice, connection_id, 0, message_id, 0);
}
