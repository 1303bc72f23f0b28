/*
 * enclosure.c
 *		Files that came along with their message: a mail's attachments.
 *
 * There is nobody to fetch them from, so they are stored with the message, in its
 * transaction, or not at all. One file at a time is decoded; it is sealed in
 * pieces under the person's slot like any other media.
 */
#include "postgres.h"

#include "base/id.h"
#include "base/json_owner.h"
#include "channel/media.h"
#include "evidence/evidence.h"
#include "media/media.h"
#include "miscadmin.h"
#include "vault/crypto.h"

/* Why a file is not kept; NULL: it is. *state is how it ends. */
static const char *
refusal(const LarasEnclosedDriver *driver, const LarasMediaEnclosed *e, const json_t *part,
		const LarasEnclosedFile *file, const uint8 *sha256, const char **state)
{
	LarasMediaSource stated = {0};

	*state = "refused";
	if (file->bytes.n == 0)
		return "empty";
	if (file->cut || file->bytes.n > (size_t) driver->most)
		return "too_long";
	/* the part and the file were counted by two readings of the body */
	if (!laras_media_read_sha256(laras_json_text_at(part, "sha256"), &stated) ||
		memcmp(stated.sha256, sha256, LARAS_HASH_LEN) != 0)
		return "wrong_sha256";
	*state = "over_quota";
	if (laras_media_room(e->place.workspace_id, e->place.media_id) < (int64) file->bytes.n)
		return "over_quota";
	return NULL;
}

static void
keep(const LarasEnclosedDriver *driver, const LarasMediaEnclosed *given,
	 const LarasEnclosedFile *file)
{
	LarasMediaEnclosed e = *given;
	const json_t *part = laras_json_own(laras_json_parse(e.content.s, e.content.n, NULL));
	LarasPiece piece = {file->bytes.s, file->bytes.n};
	uint8 sha256[LARAS_HASH_LEN];
	const char *state;
	const char *why;

	e.place.media_id = laras_new_id();
	if (!laras_sha256(&piece, 1, sha256))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a file")));
	laras_media_begin(e.place.workspace_id, e.place.media_id, e.message_id, e.part_id, e.kind,
					  (int64) file->bytes.n);
	why = refusal(driver, &e, part, file, sha256, &state);
	if (why != NULL)
	{
		laras_media_failed(e.place.workspace_id, e.place.media_id, state, why);
		return;
	}
	laras_media_put_all(&e.place, file->bytes.s, (int64) file->bytes.n);
	laras_media_stored(&e.place, laras_json_text_at(part, "mime_type"),
					   laras_json_text_at(part, "filename"), sha256, (int64) file->bytes.n);
	laras_media_record(e.place.workspace_id, e.place.media_id, e.message_id,
					   LARAS_ACT_MEDIA_RECEIVED, e.kind, NULL);
}

void
laras_media_keep(const LarasEnclosedDriver *driver, LarasText body, const LarasMediaEnclosed *list,
				 int n)
{
	void *files = driver->open(body.s, body.n);

	PG_TRY();
	{
		for (int i = 0; i < n; i++)
		{
			LarasEnclosedFile file = {{NULL, 0}, false};

			CHECK_FOR_INTERRUPTS();
			if (files != NULL && !driver->next(files, &file))
				file = (LarasEnclosedFile){{NULL, 0}, false};
			keep(driver, &list[i], &file);
		}
	}
	PG_FINALLY();
	{
		if (files != NULL)
			driver->close(files);
	}
	PG_END_TRY();
}
