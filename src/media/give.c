/*
 * give.c
 *		laras.upload_media: bytes that the business gives to be sent, and what a
 *		reply is told of them.
 *
 * They are given for one conversation and sealed under the person's key at once,
 * so that an erasure between the two reaches them like any other word to that
 * person.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/sendmedia.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "inbox/addressee.h"
#include "lib/stringinfo.h"
#include "media/give.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_upload_media);

#define LONGEST_MIME 127
#define LONGEST_NAME 255

LARAS_PLAN(
	add_media,
	"INSERT INTO laras.media (workspace_id, id, contact_id, connection_id, slot, direction, kind, state, details, size, chunks, stored_at) "
	"VALUES ($1, $2, $3, $4, $5, 'out', $6, 'stored', $7, $8, $9, laras.now())",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, LARAS_SEALED, INT8OID, INT4OID);

/* once, unless the message that it went with certainly did not arrive */
LARAS_PLAN(
	take,
	"UPDATE laras.media m SET message_id = $3 WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.id OPERATOR(pg_catalog.=) $2 AND m.direction OPERATOR(pg_catalog.=) 'out' "
	"AND m.state OPERATOR(pg_catalog.=) 'stored' AND m.part_id IS NULL "
	"AND (m.message_id IS NULL OR EXISTS (SELECT 1 FROM laras.message o WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND o.id OPERATOR(pg_catalog.=) m.message_id AND o.status OPERATOR(pg_catalog.=) ANY ('{failed,cancelled}'::pg_catalog.text[])))",
	INT8OID, INT8OID, INT8OID);

static LarasText
text_argument(const text *t)
{
	return (LarasText){VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
}

/* "type/subtype", perhaps with parameters: what a header may hold. */
static bool
is_mime(LarasText t)
{
	const char *slash = memchr(t.s, '/', t.n);

	if (t.n == 0 || t.n > LONGEST_MIME || slash == NULL || slash == t.s || slash + 1 == t.s + t.n)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] < ' ' || (unsigned char) t.s[i] >= 0x7F || t.s[i] == '"' ||
			t.s[i] == '\\')
			return false;
	return true;
}

/* A name without a path, and without what no name on a screen should hold. */
static bool
is_filename(LarasText t)
{
	if (t.n == 0 || t.n > LONGEST_NAME)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char) t.s[i] < ' ' || t.s[i] == 0x7F || t.s[i] == '/' || t.s[i] == '\\')
			return false;
	return true;
}

/* The types that a channel takes, for a person to read. */
static char *
taken_types(const LarasSendMediaDriver *media)
{
	StringInfoData types;

	initStringInfo(&types);
	for (const LarasMediaLimit *l = media->limits; l->mime != NULL; l++)
		appendStringInfo(&types, "%s%s", types.len > 0 ? ", " : "",
						 l->mime[0] == '\0' ? "any other" : l->mime);
	return types.data;
}

/* What the channel takes of that type, so long; raises where it takes none. */
static const LarasMediaLimit *
require_taken(const char *channel, LarasText mime, int64 size)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);
	const LarasMediaLimit *limit = NULL;

	if (driver == NULL || driver->send == NULL || driver->send->media == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("the channel carries no media")));
	limit = laras_media_limit(driver->send->media, mime);
	if (limit == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the channel does not take media of that type"),
						errhint("It takes %s.", taken_types(driver->send->media))));
	if (size > limit->most)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the channel takes at most " INT64_FORMAT " bytes of that type",
							   limit->most)));
	return limit;
}

/* A picture that is none arrives as nothing, or is refused when it is too late to tell who gave it. */
static void
require_type(LarasText mime, LarasText bytes)
{
	const char *looks;

	if (laras_media_begins_as(mime, bytes, &looks))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the media is not of the type that it is given as"),
					looks != NULL ? errdetail("Its bytes begin like those of %s.", looks)
								  : errdetail("Its bytes do not begin as files of that type do."),
					errhint("Give the type of the file itself; its name may say another.")));
}

int64
laras_media_give(int64 conversation_id, LarasText bytes, LarasText mime, LarasText filename)
{
	LarasMediaPlace place = {.workspace_id = laras_bound_workspace(), .media_id = laras_new_id()};
	LarasPiece piece = {bytes.s, bytes.n};
	uint8 sha256[LARAS_HASH_LEN];
	const LarasMediaLimit *limit;
	LarasAddressee to;

	if (!is_mime(mime))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the type of the media is none"),
				 errhint("Types are of the form image/jpeg.")));
	if (filename.s != NULL && !is_filename(filename))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the name of the media is none"),
				 errdetail("It has 1 to %d bytes, and no slash or control character.",
						   LONGEST_NAME),
				 errhint("Give the name alone, without the folder that it lies in.")));
	if (bytes.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("media must not be empty")));
	laras_spi_open();
	laras_addressee(conversation_id, &to);
	if (to.in_public)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("media are sent to a person, not below a post")));
	limit = require_taken(to.channel, mime, (int64) bytes.n);
	require_type(mime, bytes);
	place.slot = to.slot;
	if (laras_media_room(place.workspace_id, 0) < (int64) bytes.n)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the workspace has no room left for media")));
	place.workspace_slot = laras_workspace_slot(place.workspace_id);
	laras_sha256(&piece, 1, sha256);
	laras_spi_run_one(&add_media,
					  (Datum[]){Int64GetDatum(place.workspace_id), Int64GetDatum(place.media_id),
								Int64GetDatum(to.contact_id), Int64GetDatum(to.connection_id),
								Int64GetDatum((int64) place.slot), CStringGetTextDatum(limit->kind),
								PointerGetDatum(
									laras_media_details(&place, mime, filename, sha256)),
								Int64GetDatum((int64) bytes.n),
								Int32GetDatum(LARAS_MEDIA_CHUNKS((int64) bytes.n))},
					  NULL);
	laras_media_put_all(&place, bytes.s, (int64) bytes.n);
	laras_media_record(place.workspace_id, place.media_id, 0, LARAS_ACT_MEDIA_GIVEN, limit->kind,
					   NULL);
	laras_spi_close();
	return place.media_id;
}

const char *
laras_media_for_reply(int64 media_id, int64 contact_id, const char *channel, LarasText caption,
					  char **filename)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);
	const LarasMediaLimit *limit;
	LarasMedia media;

	if (!laras_media_load(laras_bound_workspace(), media_id, &media) ||
		media.contact_id != contact_id || strcmp(media.state, "stored") != 0 || media.mime == NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("no such media given for that conversation")));
	limit = require_taken(channel, laras_text(media.mime), media.size);
	if (caption.n > 0 && !limit->captioned)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no text goes with such media on that channel"),
				 errhint(
					 "Send the text as a message of its own, and the media with an empty one.")));
	if (driver->send->media->caption_limit > 0 &&
		laras_text_measure(driver->send->text_unit, caption.s, caption.n) >
			(size_t) driver->send->media->caption_limit)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the text that goes with media has at most %d characters there",
							   driver->send->media->caption_limit)));
	*filename = media.filename;
	return limit->kind;
}

void
laras_media_take(int64 media_id, int64 message_id)
{
	if (laras_spi_run(&take,
					  (Datum[]){Int64GetDatum(laras_bound_workspace()), Int64GetDatum(media_id),
								Int64GetDatum(message_id)},
					  NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the media went with a message already")));
}

/*
 * laras.upload_media(conversation_id bigint, content bytea, mime_type text,
 *		filename text) returns bigint
 */
Datum
laras_upload_media(PG_FUNCTION_ARGS)
{
	LarasText none = {NULL, 0};

	for (int i = 0; i < 3; i++)
		laras_refuse_null(fcinfo, i);
	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	PG_RETURN_INT64(laras_media_give(PG_GETARG_INT64(0), text_argument(PG_GETARG_BYTEA_PP(1)),
									 text_argument(PG_GETARG_TEXT_PP(2)),
									 PG_ARGISNULL(3) ? none : text_argument(PG_GETARG_TEXT_PP(3))));
}
