/*
 * sendmedia.h
 *		Sending pictures, films, voices and documents: what a channel takes, and
 *		how.
 *
 * Plain C like send.h: nothing here raises, memory is the caller's.
 */
#ifndef LARAS_SENDMEDIA_H
#define LARAS_SENDMEDIA_H

#include "channel/send.h"

/* what is sent beside the text */
typedef struct LarasSendMedia
{
	const char *kind; /* of the channel's limits */
	LarasText mime;
	LarasText filename; /* absent: it has none */
	LarasText bytes;    /* absent where the driver is not given them */
	LarasText url;      /* where they are to be had for some minutes; likewise */
} LarasSendMedia;

/* one type that a channel takes */
typedef struct LarasMediaLimit
{
	const char *mime; /* "image/jpeg"; "" stands for all that none before it is */
	const char *kind; /* as what it arrives */
	int64_t most;     /* bytes */
	bool captioned;   /* a text may go with it */
} LarasMediaLimit;

/* how the bytes come to the provider */
typedef enum LarasMediaWay
{
	LARAS_MEDIA_WITHIN, /* in the send itself: build is given them */
	LARAS_MEDIA_UPLOADED, /* by a request before it, which leads to an id: build has it as send->stage */
	LARAS_MEDIA_LINKED /* the provider fetches them from us: build is given a URL */
} LarasMediaWay;

typedef struct LarasSendMediaDriver
{
	const LarasMediaLimit *limits; /* ends with a NULL mime */
	LarasMediaWay way;
	int caption_limit; /* longest text that may go with it, in the channel's unit; 0: as a text */

	/* the send; send->text may be empty. false when memory is short or nobody can be addressed */
	bool (*build)(const LarasSendText *send, const LarasSendMedia *media,
				  const LarasAllocator *allocator, LarasProviderRequest *request);
	/* UPLOADED alone: the request before it, and its answer, whose provider_id is the id */
	bool (*build_upload)(const LarasSendText *send, const LarasSendMedia *media,
						 const LarasAllocator *allocator, LarasProviderRequest *request);
	void (*read_upload)(int http_status, const char *body, size_t n,
						const LarasAllocator *allocator, LarasSendAnswer *answer);
} LarasSendMediaDriver;

/* What the channel takes of that type; NULL: nothing. */
extern const LarasMediaLimit *laras_media_limit(const LarasSendMediaDriver *media, LarasText mime);

/*
 * Do these bytes begin as files of that type do? True for a type that nothing is
 * known of. Else *looks is the type that they begin like, or NULL.
 */
extern bool laras_media_begins_as(LarasText mime, LarasText bytes, const char **looks);

/* for drivers: one field of a form */
typedef struct LarasFormField
{
	const char *name;
	LarasText value;
} LarasFormField;

/*
 * For drivers: a body of multipart/form-data (RFC 7578) of those fields, which
 * end with a NULL name, and one file; and its type. False when memory is short.
 */
extern bool
laras_build_form(const LarasFormField *fields, const char *file_field, const LarasSendMedia *media,
				 const LarasAllocator *allocator, LarasProviderRequest *request);

extern const LarasSendMediaDriver laras_whatsapp_send_media;
extern const LarasSendMediaDriver laras_instagram_send_media;
extern const LarasSendMediaDriver laras_messenger_send_media;
extern const LarasSendMediaDriver laras_telegram_send_media;
extern const LarasSendMediaDriver laras_email_send_media;

#endif /* LARAS_SENDMEDIA_H */
