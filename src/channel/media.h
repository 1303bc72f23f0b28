/*
 * media.h
 *		Pictures, films, voices and documents: where their bytes are to be had at
 *		a provider, or in the body that told of them.
 *
 * Plain C like channel.h: nothing here raises, memory is the caller's.
 */
#ifndef LARAS_CHANNEL_MEDIA_H
#define LARAS_CHANNEL_MEDIA_H

#include "channel/connect.h"

/* what a part of a message says of its bytes; texts point into it or into the allocator */
typedef struct LarasMediaSource
{
	LarasText id;       /* at the provider; absent: url is all there is */
	LarasText url;      /* absolute; absent: it is asked for by id */
	LarasText mime;     /* absent where nobody says */
	LarasText filename; /* absent where nobody says */
	int64_t size;       /* bytes; -1 where nobody says */
	bool has_sha256;
	uint8_t sha256[32];
} LarasMediaSource;

typedef struct LarasMediaDriver
{
	/* kinds of parts that have bytes; ends with NULL */
	const char *const *kinds;
	/*
	 * Hosts that the bytes come from beside the interface's own; ".host" stands
	 * for all below it; ends with NULL. SQL's laras.provider_host has them too.
	 */
	const char *const *hosts;
	/*
	 * Those hosts, and no others, are the ones of the app's options, a list of
	 * names in the member media_hosts; then a redirect stays on the host that it
	 * comes from, and no address is spoken to that is not public.
	 */
	bool hosts_of_app;
	/* the longest that the provider gives */
	int64_t most;

	/* Where the bytes of a part are; false where it says nothing of them, or they may not be kept. */
	bool (*read)(const json_t *part, const LarasAllocator *allocator, LarasMediaSource *source);

	/*
	 * Asks with the account's token where they are, and fills in what the answer
	 * says: a URL that is good for some minutes. NULL: parts have URLs. number is
	 * the account that webhooks carry.
	 */
	bool (*build_locate)(const LarasAccountRequest *about, LarasText number,
						 const LarasMediaSource *source, const LarasAllocator *allocator,
						 LarasProviderRequest *request);
	bool (*read_locate)(const LarasAccountRequest *about, const json_t *answer,
						const LarasAllocator *allocator, LarasMediaSource *source);
	/* the URL is asked with the account's token, which goes where token_at says; see LarasProviderRequest */
	bool with_token;
	size_t (*token_at)(const LarasAccountRequest *about);
} LarasMediaDriver;

/* a file out of a body; its bytes are good until the next is asked for */
typedef struct LarasEnclosedFile
{
	LarasText bytes;
	bool cut; /* the body ends within it: there was more */
} LarasEnclosedFile;

/*
 * Bodies that bring files along. One file at a time is decoded, and nothing of
 * them is held beside it once they are closed.
 */
typedef struct LarasEnclosedDriver
{
	/* the longest that is kept */
	int64_t most;
	/* The files of a body as it came; NULL: it cannot be read, or memory is short. */
	void *(*open)(const char *bytes, size_t n);
	/*
	 * The next one, in the order of the parts that parse() said are enclosed;
	 * false after the last.
	 */
	bool (*next)(void *files, LarasEnclosedFile *file);
	void (*close)(void *files);
} LarasEnclosedDriver;

extern const LarasEnclosedDriver laras_email_enclosed;

extern const LarasMediaDriver laras_whatsapp_media;
extern const LarasMediaDriver laras_meta_media;
extern const LarasMediaDriver laras_telegram_media;
extern const LarasMediaDriver laras_threads_media;
extern const LarasMediaDriver laras_generic_media;

/* Does a part of that kind have bytes to be had? media may be NULL. */
extern bool laras_media_has_bytes(const LarasMediaDriver *media, const char *kind);

/*
 * Does the URL lead to the interface's own host, or to one of the driver's? By
 * https, or as the interface itself is spoken to.
 */
extern bool laras_media_is_own(const LarasMediaDriver *media, const char *base_url, LarasText url);

/* Does the URL's host stand on that list of names, or below one that begins with a full stop? */
extern bool laras_media_is_listed(const json_t *hosts, LarasText url);

/* Is that a name as such a list has it? Lower case, of two parts at least, and no address. */
extern bool laras_media_host_fits(LarasText host);

/* Do both lead to one host? */
extern bool laras_media_same_host(LarasText url, LarasText other);

/* For drivers: a SHA-256 as 64 hexadecimal digits or in base64; false where it is neither. */
extern bool laras_media_read_sha256(LarasText t, LarasMediaSource *source);

/* For drivers: size out of a number or digits; -1 where it is neither. */
extern int64_t laras_media_read_size(const json_t *j);

#endif /* LARAS_CHANNEL_MEDIA_H */
