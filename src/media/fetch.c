/*
 * fetch.c
 *		The courier's task that fetches the bytes of one media from its provider.
 *
 * Where they are is asked anew at each try, so that a link that has expired
 * meanwhile is no matter; one that expires between the two requests is asked
 * for once more. What comes is sealed piece by piece, each in a transaction of
 * its own: never more than a piece is held in memory. Only when the last piece
 * is there, and the digest is the one that the provider stated, does the media
 * count as stored; a try that ends otherwise leaves no piece behind.
 *
 * A request goes to the interface's own host or to those of the driver; a
 * redirect is followed there and nowhere else, and takes no token along. Hosts
 * that an operator lists for a system of their own are asked at public addresses
 * alone, and redirect to themselves.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/media.h"
#include "connect/health.h"
#include "connect/reach.h"
#include "courier/egress.h"
#include "evidence/evidence.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define MAX_REDIRECTS 3
/* links asked for in one try */
#define MAX_LINKS 2

/* what the provider says of the bytes, and what is kept of it */
#define LONGEST_MIME 127
#define LONGEST_NAME 255

LARAS_PLAN(
	lock_media,
	"SELECT m.part_id, m.slot, m.kind, coalesce(m.message_id, 0), p.content FROM laras.media m "
	"LEFT JOIN laras.message_part p ON p.workspace_id OPERATOR(pg_catalog.=) m.workspace_id AND p.id OPERATOR(pg_catalog.=) m.part_id "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
	"AND m.task_id OPERATOR(pg_catalog.=) $3 AND m.state OPERATOR(pg_catalog.=) 'fetching' FOR UPDATE OF m",
	INT8OID, INT8OID, INT8OID);

LARAS_PLAN(expect,
		   "UPDATE laras.media SET size = $3 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT8OID);

enum
{
	STEP_LOCATE,
	STEP_DOWNLOAD
};

/* what is carried from step to step */
typedef struct Memory
{
	LarasReachToken token;
	LarasSha256 sha;
	uint8 stated[32];
	bool is_stated;
	int64 size;   /* as stated; -1: nobody says */
	int64 most;   /* what may come */
	int64 length; /* of the answer, as its head says; -1: it does not */
	int64 have;
	int32 pieces;
	int links;
	int redirects;
	char mime[LONGEST_MIME + 1];
	char filename[LONGEST_NAME + 1];
} Memory;

/* the media of a task, locked, and what is said of it */
typedef struct Fetched
{
	LarasMediaPlace place;
	int64 message_id;
	char *kind;
	json_t *part; /* NULL: erased, or gone */
	LarasReach reach;
} Fetched;

/*
 * The connection first and then the media, as a disconnect locks them. False
 * where there is nothing to go on with: the media was removed or cut meanwhile,
 * or the connection does not work.
 */
static bool
open_task(LarasTask *task, Fetched *f, bool *cut)
{
	Memory *m = task->memory;
	bool reached = laras_reach(task, &m->token, &f->reach);
	bytea *sealed;
	char *text;
	size_t n;

	f->place.workspace_id = task->workspace_id;
	f->place.media_id = laras_task_id(task, "media");
	f->part = NULL;
	*cut = laras_spi_run(&lock_media,
						 (Datum[]){Int64GetDatum(task->workspace_id),
								   Int64GetDatum(f->place.media_id), Int64GetDatum(task->id)},
						 NULL) == 0;
	if (*cut)
		return false;
	f->place.slot = (uint32) laras_spi_int8(0, 2);
	f->kind = laras_spi_cstring(0, 3);
	f->message_id = laras_spi_int8(0, 4);
	sealed = (bytea *) laras_spi_varlena(0, 5);
	if (laras_slot_is_destroyed(f->place.slot))
	{
		*cut = true;
		return false;
	}
	f->place.workspace_slot = laras_workspace_slot(task->workspace_id);
	if (sealed != NULL && laras_open(sealed, task->workspace_id, laras_spi_int8(0, 1),
									 LARAS_FIELD_message_part_content, &text, &n) == LARAS_OPENED)
		f->part = laras_json_own(laras_json_parse(text, n, NULL));
	return reached && f->reach.driver->media != NULL;
}

/* The end of a try in one word, written to the media as well. */
static LarasTaskNext
fail(const LarasTask *task, LarasTaskResult *result, const char *state, const char *reason)
{
	laras_media_failed(task->workspace_id, laras_task_id(task, "media"), state, reason);
	laras_spi_close();
	return laras_task_ends(result, LARAS_TASK_FAILED, reason);
}

/* Nothing is written: the media is not this task's any more. */
static LarasTaskNext
leave(LarasTaskResult *result)
{
	laras_spi_close();
	return laras_task_ends(result, LARAS_TASK_FAILED, "cancelled");
}

static LarasAllocator
allocator_here(void)
{
	return (LarasAllocator){laras_context_alloc, CurrentMemoryContext};
}

static void
keep_text(char *to, size_t size, LarasText t)
{
	if (t.s == NULL || t.n >= size || memchr(t.s, '\0', t.n) != NULL)
		return;
	memcpy(to, t.s, t.n);
	to[t.n] = '\0';
}

static void
note_source(Memory *m, const LarasMediaSource *source)
{
	keep_text(m->mime, sizeof(m->mime), source->mime);
	keep_text(m->filename, sizeof(m->filename), source->filename);
	if (source->size >= 0)
		m->size = source->size;
	if (source->has_sha256)
	{
		memcpy(m->stated, source->sha256, sizeof(m->stated));
		m->is_stated = true;
	}
}

/* May bytes be fetched from there? */
static bool
is_own(const Fetched *f, LarasText url)
{
	const LarasMediaDriver *media = f->reach.driver->media;

	if (media->hosts_of_app)
		return laras_media_is_listed(laras_json_get(f->reach.options, "media_hosts"), url) &&
			   laras_egress_sound(url.s, url.n) && !laras_egress_is_mail(url.s, url.n);
	return laras_media_is_own(media, f->reach.about.base_url, url);
}

/* May an answer send on to there? */
static bool
may_redirect(const Fetched *f, LarasText to)
{
	LarasAllocator allocator = allocator_here();
	LarasMediaSource source = {.size = -1};

	return !f->reach.driver->media->hosts_of_app ||
		   (f->part != NULL && f->reach.driver->media->read(f->part, &allocator, &source) &&
			laras_media_same_host(source.url, to));
}

/* Ask for bytes. NULL: the request is filled; else why it is not. */
static const char *
download(LarasTask *task, const Fetched *f, LarasText url, bool with_token,
		 LarasTaskRequest *request)
{
	Memory *m = task->memory;
	const LarasMediaDriver *media = f->reach.driver->media;
	LarasProviderRequest made = {.method = "GET", .url = url};

	if (!is_own(f, url))
		return "foreign_host";
	if (with_token && media->token_at != NULL)
		made.token_at = media->token_at(&f->reach.about);
	laras_media_forget(task->workspace_id, f->place.media_id);
	m->have = 0;
	m->pieces = 0;
	m->length = -1;
	laras_sha256_begin(&m->sha);
	task->step = STEP_DOWNLOAD;
	laras_reach_ask(&made, &m->token, "fetch_media", request);
	if (!with_token)
	{
		request->token = NULL;
		request->token_n = 0;
	}
	request->only_public = media->hosts_of_app;
	request->part = LARAS_MEDIA_CHUNK;
	request->most = (uint64) m->most;
	return NULL;
}

/*
 * May that much come? The driver's limit and the workspace's room decide; what is
 * left is what may come at most. NULL: yes.
 */
static LarasTaskNext
begin_download(LarasTask *task, const Fetched *f, LarasText url, bool with_token,
			   LarasTaskRequest *request, LarasTaskResult *result)
{
	Memory *m = task->memory;
	int64 room = laras_media_room(task->workspace_id, f->place.media_id);
	int64 limit = Min(f->reach.driver->media->most, LARAS_MEDIA_MOST);
	const char *why;

	if (m->size > limit)
		return fail(task, result, "refused", "too_long");
	if (room == 0 || m->size > room)
		return fail(task, result, "over_quota", "over_quota");
	m->most = Min(limit, room);
	if (m->size >= 0)
		laras_spi_run(&expect,
					  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(f->place.media_id),
								Int64GetDatum(m->size)},
					  NULL);
	why = download(task, f, url, with_token, request);
	if (why != NULL)
		return fail(task, result, "refused", why);
	laras_spi_close();
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
locate(LarasTask *task, const Fetched *f, LarasTaskRequest *request, LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasAllocator allocator = allocator_here();
	const LarasMediaDriver *media = f->reach.driver->media;
	LarasMediaSource source = {.size = -1};
	LarasProviderRequest made = {0};

	if (f->part == NULL || !media->read(f->part, &allocator, &source))
		return fail(task, result, "refused", "nothing_to_fetch");
	m->size = -1;
	note_source(m, &source);
	if (media->build_locate == NULL)
		return begin_download(task, f, source.url, media->with_token, request, result);
	if (!media->build_locate(&f->reach.about, f->reach.number, &source, &allocator, &made))
		return fail(task, result, "refused", "nothing_to_fetch");
	task->step = STEP_LOCATE;
	m->links++;
	laras_reach_ask(&made, &m->token, "locate_media", request);
	laras_spi_close();
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	Fetched f;
	bool cut;

	LARAS_FAULT("media_locate");
	laras_spi_open();
	if (!open_task(task, &f, &cut))
		return cut ? leave(result) : fail(task, result, NULL, "not_connected");
	return locate(task, &f, request, result);
}

/* ----------------------------------------------------------------- the pieces */

/* Seal what came. The whole is counted where its length is known. */
static void
store_piece(LarasTask *task, const Fetched *f, const char *bytes, size_t n)
{
	Memory *m = task->memory;

	laras_sha256_add(&m->sha, bytes, n);
	laras_media_put(&f->place, m->pieces, m->length < 0 ? 0 : LARAS_MEDIA_CHUNKS(m->length), bytes,
					n);
	m->pieces++;
	m->have += (int64) n;
}

static LarasTaskNext
part(LarasTask *task, const char *bytes, int64 length, LarasTaskResult *result)
{
	Memory *m = task->memory;
	Fetched f;
	bool cut;

	LARAS_FAULT("media_part");
	laras_spi_open();
	if (!open_task(task, &f, &cut))
		return cut ? leave(result) : fail(task, result, NULL, "not_connected");
	m->length = length;
	store_piece(task, &f, bytes, LARAS_MEDIA_CHUNK);
	laras_spi_close();
	return LARAS_TASK_REQUEST;
}

static LarasTaskNext
finish(LarasTask *task, const Fetched *f, const LarasTaskAnswer *answer, LarasTaskResult *result)
{
	Memory *m = task->memory;
	uint8 digest[LARAS_HASH_LEN];
	size_t at = 0;

	m->length = answer->length;
	while (at < answer->body_n)
	{
		size_t n = Min(answer->body_n - at, LARAS_MEDIA_CHUNK);

		store_piece(task, f, answer->body + at, n);
		at += n;
	}
	laras_sha256_end(&m->sha, digest);
	if (m->have == 0)
		return fail(task, result, NULL, "empty");
	if ((m->length >= 0 && m->have != m->length) || (m->size >= 0 && m->have != m->size))
		return fail(task, result, NULL, "wrong_length");
	if (m->is_stated && memcmp(digest, m->stated, sizeof(digest)) != 0)
		return fail(task, result, NULL, "wrong_sha256");
	if (m->length < 0)
		laras_media_count(&f->place, m->pieces);
	LARAS_FAULT("media_stored");
	laras_media_stored(&f->place, (LarasText){m->mime[0] ? m->mime : NULL, strlen(m->mime)},
					   (LarasText){m->filename[0] ? m->filename : NULL, strlen(m->filename)},
					   digest, m->have);
	laras_media_record(task->workspace_id, f->place.media_id, f->message_id,
					   LARAS_ACT_MEDIA_FETCHED, f->kind, NULL);
	laras_spi_close();
	return laras_task_ends(result, LARAS_TASK_DONE, "stored");
}

/* ----------------------------------------------------------------- the answers */

/* An answer that is neither the bytes nor where they are. */
static LarasTaskNext
refused(LarasTask *task, const Fetched *f, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		LarasTaskResult *result)
{
	Memory *m = task->memory;
	const LarasMediaDriver *media = f->reach.driver->media;
	bool gone = answer->end == LARAS_HTTP_ANSWERED &&
				(answer->http_status == 404 || answer->http_status == 410);

	if (answer->too_long)
		return m->most < Min(media->most, LARAS_MEDIA_MOST)
				   ? fail(task, result, "over_quota", "over_quota")
				   : fail(task, result, "refused", "too_long");
	if (task->step == STEP_LOCATE &&
		laras_token_refused(task->workspace_id, task->connection_id, f->reach.driver,
							answer->error_code, answer->error_subcode))
		return fail(task, result, NULL, "token_dead");
	/* the link was good for some minutes: a new one is asked for by id */
	if (task->step == STEP_DOWNLOAD && media->build_locate != NULL && m->links < MAX_LINKS &&
		answer->end == LARAS_HTTP_ANSWERED && answer->http_status >= 400 &&
		answer->http_status < 500)
		return locate(task, f, request, result);
	if (media->build_locate == NULL && answer->end == LARAS_HTTP_ANSWERED &&
		(gone || answer->http_status == 403))
		return fail(task, result, "gone", "link_expired");
	if (task->step == STEP_LOCATE &&
		(gone || answer->error_code == 100 ||
		 (answer->end == LARAS_HTTP_ANSWERED && answer->http_status == 400)))
		return fail(task, result, "gone", "id_expired");
	if (answer->end != LARAS_HTTP_ANSWERED)
		return fail(task, result, NULL, "no_answer");
	return fail(task, result, NULL, answer->http_status == 429 ? "throttled" : "provider_refused");
}

static LarasTaskNext
answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasAllocator allocator = allocator_here();
	LarasMediaSource source = {.size = -1};
	Fetched f;
	bool cut;

	LARAS_FAULT("media_answered");
	laras_spi_open();
	if (!open_task(task, &f, &cut))
		return cut ? leave(result) : fail(task, result, NULL, "not_connected");
	if (answer->end == LARAS_HTTP_ANSWERED && answer->http_status == 200)
	{
		if (task->step == STEP_DOWNLOAD)
			return finish(task, &f, answer, result);
		if (answer->document != NULL && answer->error_code == 0 &&
			f.reach.driver->media->read_locate(&f.reach.about, answer->document, &allocator,
											   &source))
		{
			note_source(m, &source);
			return begin_download(task, &f, source.url, f.reach.driver->media->with_token, request,
								  result);
		}
		return fail(task, result, NULL, "not_understood");
	}
	if (answer->end == LARAS_HTTP_ANSWERED && answer->redirect != NULL &&
		task->step == STEP_DOWNLOAD && m->redirects < MAX_REDIRECTS)
	{
		if (!may_redirect(&f, laras_text(answer->redirect)))
			return fail(task, result, "refused", "foreign_host");
		m->redirects++;
		return begin_download(task, &f, laras_text(answer->redirect), false, request, result);
	}
	return refused(task, &f, answer, request, result);
}

const LarasTaskKind laras_media_task = {
	.name = "fetch_media",
	.memory_size = sizeof(Memory),
	/* what a try left is forgotten by the next */
	.repeatable = true,
	.first = first,
	.answered = answered,
	.part = part,
};
