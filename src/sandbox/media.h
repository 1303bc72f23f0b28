/*
 * media.h
 *		The pretended providers' store of media: what customers sent, what was
 *		uploaded, the links that lead to it.
 */
#ifndef LARAS_SANDBOX_MEDIA_H
#define LARAS_SANDBOX_MEDIA_H

#include "sandbox/graph.h"

typedef struct SbMedia
{
	char *id;
	char *number; /* phone number it belongs to; NULL: none */
	char *bot;    /* bot it was sent to; NULL: none */
	char *mime;
	char *filename; /* NULL: none */
	char *sha256;   /* hexadecimal digits, as stated */
	char *bytes;
	size_t n;
	int64_t expires; /* the id */
	char *key;       /* of the link that leads to it; NULL: none was asked for */
	int64_t key_expires;
	bool open;      /* the link needs no token */
	bool unsized;   /* its answer says no length */
	char *redirect; /* the link leads there instead; NULL: nowhere */
	uint64_t links; /* asked for so far */
	uint64_t reads; /* of the bytes */
} SbMedia;

/* Of that id, where it has not expired; NULL. */
extern SbMedia *sb_media(const char *id);

/* New media of these bytes, which are copied; whose it is, is the caller's to set. */
extern SbMedia *sb_new_media(const char *mime, const char *bytes, size_t n);

/* A link to it that needs no token. */
extern json_t *sb_media_open_link(const SbCall *call, SbMedia *m);

/* Answers with its bytes. */
extern void sb_media_bytes(SbCall *call, SbMedia *m);

/* GET and DELETE {media}, GET _media/{key}; false: it is none of them. */
extern bool sb_media_call(SbCall *call);

/* POST {number}/media. */
extern void sb_upload_media(SbCall *call, SbNumber *number);

/* A file of a multipart form and its fields. */
typedef struct SbUpload
{
	const char *field; /* what the file's field is called */
	const char *filename;
	const char *mime; /* of the file's own head */
	const char *bytes;
	size_t n;
} SbUpload;

/*
 * Reads a body of multipart/form-data: its fields become parameters of the call,
 * its one file *file. False where it is none.
 */
extern bool sb_read_multipart(SbCall *call, SbUpload *file);

/* Control call: POST media. */
extern void sb_put_media(SbCall *call);

extern void sb_media_reset(void);

#endif
