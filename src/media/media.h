/*
 * media.h
 *		The bytes of pictures, films, voices and documents.
 *
 * store.c		rows and their pieces: written, read back, removed.
 * fetch.c		the courier's task that fetches one from its provider.
 * duty.c		which are fetched next, and what became of those that were not.
 * enclosure.c	files that came along with their message.
 * read.c		what people may ask: read_media, fetch_media, set_media_quota.
 *
 * The bytes lie in pieces of LARAS_MEDIA_CHUNK, each sealed under the person's
 * slot for the id of the media, with its number and the count of all before the
 * bytes: pieces cannot be exchanged, moved to another media or cut off unseen.
 */
#ifndef LARAS_MEDIA_H
#define LARAS_MEDIA_H

#include "base/json.h"
#include "channel/media.h"
#include "worker/worker.h"

#define LARAS_MEDIA_CHUNK (256 * 1024)

/* how many pieces so many bytes are */
#define LARAS_MEDIA_CHUNKS(size) ((int32) (((size) + LARAS_MEDIA_CHUNK - 1) / LARAS_MEDIA_CHUNK))

/* longer than anything a provider gives or takes */
#define LARAS_MEDIA_MOST (INT64CONST(100) * 1024 * 1024)

/* a part that has just become a row and has bytes at the provider */
typedef struct LarasMediaWanted
{
	int64 workspace_id;
	int64 message_id;
	int64 part_id;
	const char *kind;
	bool historical; /* of the past: kept known, and fetched when somebody asks */
} LarasMediaWanted;

/* Note what is to be fetched, and wake the keeper. Inside SPI, as laras_worker. */
extern void laras_media_want(const LarasMediaWanted *list, int n);

/* The message's media go, with all their pieces. Inside SPI. */
extern void laras_media_drop(int64 workspace_id, int64 message_id);
/* They belong to the other message from now on. Inside SPI. */
extern void laras_media_hand_over(int64 workspace_id, int64 from, int64 to);

/* Nothing more is fetched through that connection. Needs no key. Inside SPI. */
extern void laras_media_cancel(int64 workspace_id, int64 connection_id);

/* where pieces are stored */
typedef struct LarasMediaPlace
{
	int64 workspace_id;
	uint32 workspace_slot;
	uint32 slot; /* the person's */
	int64 media_id;
} LarasMediaPlace;

/*
 * Store a piece of at most LARAS_MEDIA_CHUNK bytes. count 0: it is not known
 * yet, and laras_media_count follows when it is. Inside SPI; raises as
 * laras_seal.
 */
extern void laras_media_put(const LarasMediaPlace *place, int32 number, int32 count,
							const char *bytes, size_t n);
extern void laras_media_put_all(const LarasMediaPlace *place, const char *bytes, int64 size);
extern void laras_media_count(const LarasMediaPlace *place, int32 count);
extern void laras_media_forget(int64 workspace_id, int64 media_id);

/*
 * A row whose bytes are put by this transaction, or not: laras_media_stored or
 * laras_media_failed ends it. Inside SPI.
 */
extern void laras_media_begin(int64 workspace_id, int64 media_id, int64 message_id, int64 part_id,
							  const char *kind, int64 size);

/* All pieces are there. Texts may be absent. Inside SPI. */
extern void laras_media_stored(const LarasMediaPlace *place, LarasText mime, LarasText filename,
							   const uint8 sha256[32], int64 size);

/* a part that has just become a row, and whose bytes came along in the body */
typedef struct LarasMediaEnclosed
{
	LarasMediaPlace place; /* the id of the media is given by laras_media_keep */
	int64 message_id;
	int64 part_id;
	const char *kind;
	LarasText content; /* of the part */
} LarasMediaEnclosed;

/*
 * Keep the files of a body, which are those of the list in that order. One that
 * cannot be kept ends as media does that cannot be had, and costs none of the others
 * anything. Inside SPI, as laras_worker.
 */
extern void laras_media_keep(const LarasEnclosedDriver *driver, LarasText body,
							 const LarasMediaEnclosed *list, int n);

/* media as it lies here */
typedef struct LarasMedia
{
	int64 workspace_id;
	int64 id;
	int64 message_id; /* 0: none */
	int64 contact_id;
	int64 connection_id;
	uint32 slot;
	char *kind;
	char *state;
	int64 size;
	int32 chunks;
	char *mime;     /* NULL: erased, or nobody said */
	char *filename; /* likewise */
} LarasMedia;

/* False where there is none of that id. Inside SPI; in CurrentMemoryContext. */
extern bool laras_media_load(int64 workspace_id, int64 media_id, LarasMedia *media);

/*
 * The bytes of stored media from there on, at most so many; *n is how many.
 * NULL where the key is destroyed. Raises LRK05 where a piece is not the one that
 * was stored. Inside SPI; palloc'd.
 */
extern char *laras_media_bytes(const LarasMedia *media, int64 first, int64 most, int64 *n);

/* What is said of stored bytes, sealed. Texts may be absent. */
extern struct varlena *laras_media_details(const LarasMediaPlace *place, LarasText mime,
										   LarasText filename, const uint8 sha256[32]);

/*
 * How many bytes the workspace may still store, those under way counted; never
 * less than 0. Inside SPI.
 */
extern int64 laras_media_room(int64 workspace_id, int64 but_media_id);

/* An act on media. Inside SPI or outside; code may be NULL. */
extern void laras_media_record(int64 workspace_id, int64 media_id, int64 message_id, int action,
							   const char *kind, const char *reason);

/*
 * That try came to nothing: it is tried again later, or ends in that state, of
 * which the owner is told. state NULL: try again, while tries are left. Inside
 * SPI.
 */
extern void
laras_media_failed(int64 workspace_id, int64 media_id, const char *state, const char *reason);

/* the keeper's duty */
extern LarasTurn laras_media_duty(void);

extern const struct LarasTaskKind laras_media_task;

/* In _PG_init. */
extern void laras_media_init(void);

#endif /* LARAS_MEDIA_H */
