/*
 * channel.h
 *		What a channel is: one driver a provider behind one struct.
 *
 * Intake, inbox, courier, connect and erasure know drivers, never a channel's
 * name. A new channel is one driver file and one line in driver.c.
 *
 * Drivers are plain C without PostgreSQL headers: they read and write memory
 * that comes from the caller's allocator and never raise, so that each can be
 * fuzzed. Everything a driver returns points into the parsed document or into
 * memory of the allocator; it lives as long as both.
 */
#ifndef LARAS_CHANNEL_H
#define LARAS_CHANNEL_H

#include "base/json.h"

#include <stdarg.h>

/*
 * The thin allocator. alloc returns memory that the caller frees as a whole
 * (a memory context, an arena), zero-filled, or NULL when there is none.
 */
typedef struct LarasAllocator
{
	void *(*alloc)(void *context, size_t n);
	void *context;
} LarasAllocator;

/* ------------------------------------------------------------- splitting */

/* the two kinds of account a piece can name; table route knows both */
typedef enum LarasAccountRole
{
	LARAS_ACCOUNT_NUMBER,  /* the id that messages carry */
	LARAS_ACCOUNT_BUSINESS /* the account above it (a WABA) */
} LarasAccountRole;

/*
 * The part of one verified body that belongs to one account. above is the
 * business account the body names for it, absent where there is none: both
 * must belong to one workspace.
 */
typedef struct LarasBodyPart
{
	LarasText account; /* absent where it stands in the path */
	LarasAccountRole role;
	LarasText above;
	json_t *document; /* a body of its own; borrowed when whole */
	bool whole;       /* the piece is the body as received */
} LarasBodyPart;

/* bytes of one body that are accepted; Meta's largest is 3 MB */
#define LARAS_MAX_BODY (4 * 1024 * 1024)

/* a body may hold up to 1,000 updates (Meta); more accounts than this are refused */
#define LARAS_MAX_PARTS 1000

/* --------------------------------------------------------------- parsing */

typedef enum LarasRecordKind
{
	LARAS_RECORD_MESSAGE,   /* something said, by a person or by the business elsewhere */
	LARAS_RECORD_STATUS,    /* what became of a message of ours */
	LARAS_RECORD_PERSON,    /* something new about a person who may be known */
	LARAS_RECORD_ACCOUNT,   /* something new about the connected account */
	LARAS_RECORD_COMMENT,   /* said in public, below something of ours */
	LARAS_RECORD_WATERMARK, /* all messages of ours to a person up to a moment */
	LARAS_RECORD_OTHER,     /* understood as an event, not parsed yet */
	LARAS_RECORD_FAULT      /* an element that cannot be read */
} LarasRecordKind;

/* how a person is known; kind is an index kind of vault/numbers.def */
typedef struct LarasRecordIdentity
{
	uint8_t kind;
	LarasText value;   /* normalised */
	LarasText spelled; /* as it is written to, where that differs; absent: as the value */
	bool retired;      /* no longer theirs: somebody else may get it */
} LarasRecordIdentity;

#define LARAS_MAX_IDENTITIES 6

/*
 * What belongs to a message beside its text: a picture, a place, a card, the
 * choice that was tapped, the advertisement it came from. content is JSON text
 * in the provider's own members (so members laras does not know are kept).
 */
typedef struct LarasRecordPart
{
	const char *kind;
	LarasText content;
	bool enclosed; /* its bytes came along in the body: the next of LarasEnclosedDriver's */
	bool untold;   /* nothing is said of where its bytes are */
} LarasRecordPart;

/* what a message is in the conversation; LARAS_LIVE is what a person says */
enum
{
	LARAS_OPENS_WINDOW = 1, /* the person may be answered freely from now */
	LARAS_COUNTS = 2,       /* as unread */
	LARAS_WANTS_ANSWER = 4, /* somebody, or the drafter, should answer it */
	LARAS_OUTBOUND = 8,     /* written by the business, elsewhere */
	LARAS_HISTORICAL = 16,  /* imported: it was said before laras listened */
	LARAS_LIVE = LARAS_OPENS_WINDOW | LARAS_COUNTS | LARAS_WANTS_ANSWER
};

/* what a message does to the one it is about */
typedef enum LarasRecordEffect
{
	LARAS_EFFECT_NONE,
	LARAS_EFFECT_EDIT, /* text and parts are replaced by those of this one */
	LARAS_EFFECT_UNSEND,
	LARAS_EFFECT_HIDE, /* from the public */
	LARAS_EFFECT_SHOW
} LarasRecordEffect;

/* whose post a comment stands below, as far as the event says */
typedef enum LarasPostOwner
{
	LARAS_POST_UNKNOWN,
	LARAS_POST_OWN,
	LARAS_POST_FOREIGN
} LarasPostOwner;

typedef enum LarasPreference
{
	LARAS_PREFERENCE_NONE,
	LARAS_PREFERENCE_STOP,
	LARAS_PREFERENCE_RESUME
} LarasPreference;

typedef struct LarasRecord
{
	LarasRecordKind kind;
	const char *reason;    /* OTHER, FAULT: a word for quarantine */
	const json_t *element; /* the element itself */

	/* all but OTHER and FAULT */
	LarasText provider_id; /* id of the message at the provider */
	LarasText event_key;   /* the same event again has the same key */
	int64_t provider_time; /* seconds since 1970, 0: absent or absurd */
	int identity_count;    /* not ACCOUNT */
	LarasRecordIdentity identities[LARAS_MAX_IDENTITIES];
	LarasText name; /* the person's, where given */

	/* MESSAGE and COMMENT */
	const char *message_kind; /* "text", "image", ... "unsupported": column message.kind */
	LarasText text;
	LarasText about; /* provider id of the message it answers, changes or reacts to */
	LarasText post;  /* COMMENT: what it stands below */
	LarasPostOwner owner;
	unsigned flags;
	LarasRecordEffect effect;
	int part_count;
	LarasRecordPart *parts;
	bool unnamed;      /* provider_id names more than this message: it is not found by it */
	bool keep_element; /* the element must be stored whole */

	/* STATUS, WATERMARK; a MESSAGE of the past that was ours has a status too */
	const char *status;      /* sent, delivered, read, played, failed, deleted */
	LarasText callback_data; /* what we had asked to be echoed */
	int error_code;          /* 0: none; ACCOUNT too */
	LarasText error_details;
	int billable; /* 1, 0, or -1 where nothing is said */
	LarasText pricing_category;
	LarasText pricing_type;

	/* PERSON */
	LarasPreference preference;

	/* ACCOUNT */
	const char *topic; /* column notice.kind */
	bool lost;         /* the owner, or the provider, has taken the access away */
	LarasText details; /* JSON text, no customer in it */
} LarasRecord;

/* where a piece came from; filled for drivers that want it, else empty */
typedef struct LarasPieceSource
{
	LarasText account;     /* the id that webhooks carry */
	const json_t *options; /* of the provider app */
} LarasPieceSource;

/* ------------------------------------------------------------- the driver */

/* where a connection hears people and answers them */
typedef enum LarasSurface
{
	LARAS_SURFACE_MESSAGE, /* direct messages */
	LARAS_SURFACE_COMMENT, /* in public, below the account's posts */
	LARAS_SURFACE_MENTION, /* of the account, anywhere */
	LARAS_SURFACES
} LarasSurface;

/* what the owner must have granted; NULL: the provider knows no permission for it */
typedef struct LarasSurfaceScopes
{
	const char *hear;
	const char *speak;
} LarasSurfaceScopes;

struct LarasSendDriver;     /* channel/send.h: how it is spoken to */
struct LarasConnectDriver;  /* channel/connect.h: how accounts come and go */
struct LarasMediaDriver;    /* channel/media.h: where the bytes of a part are to be had */
struct LarasEnclosedDriver; /* channel/media.h: those that came along in the body */

typedef struct LarasChannelDriver
{
	const char *channel; /* as in table provider */
	const char *path;    /* rest of /api/webhooks/ */

	/* where its interface is, unless an app says otherwise */
	const char *base_url;
	const char *api_version;

	/*
	 * The account follows in the path (/api/webhooks/telegram/123) and is named
	 * nowhere else: split leaves it out.
	 */
	bool account_in_path;
	/* what stands there is the connection's id, since the account's name is nobody's business in a URL */
	bool path_is_connection;
	/* there is one app an account, whose app_id is the account's */
	bool app_of_account;
	/*
	 * The header holds a secret of the account, derived from the app's
	 * (intake/signature.h); otherwise a MAC of the body under the app's.
	 */
	bool signed_by_token;
	/*
	 * The MAC is made with that secret as its key: whoever connected was given
	 * it, once, to sign with.
	 */
	bool keyed_by_account;
	/* parse reads its source: what members mean stands in the app's options */
	bool wants_source;

	/*
	 * Read a body that is no JSON into a document, or NULL with *reason; what is
	 * stored is the body as it came, whole, and only the intake worker reads it.
	 * NULL: bodies are JSON.
	 */
	json_t *(*read)(const char *bytes, size_t n, const char **reason);

	/*
	 * Cut a body into pieces, at most one an account. *pieces is allocated.
	 * Returns how many (0: nothing for anybody), or -1 with *reason: then the
	 * body is set aside whole. Elements that name no account are in no piece
	 * and are counted in *nameless.
	 */
	int (*split)(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces,
				 int *nameless, const char **reason);

	/*
	 * Read a piece into records, in the order of the body. *records is
	 * allocated. Returns how many, or -1 with *reason. An element that cannot
	 * be read becomes a FAULT record and never loses its siblings.
	 */
	int (*parse)(const json_t *piece, const LarasPieceSource *source,
				 const LarasAllocator *allocator, LarasRecord **records, const char **reason);

	/*
	 * Read an element that an older driver kept whole: one MESSAGE record or
	 * more, or -1 with *reason. version grows whenever a driver learns to read
	 * what it kept before.
	 */
	int (*parse_element)(const json_t *element, const LarasAllocator *allocator,
						 LarasRecord **records, const char **reason);
	int version;

	/* how an access token begins, and how many letters, digits, - and _ follow at least; NULL: no two alike */
	const char *token_prefix;
	size_t token_least;

	/* callbacks of the provider about persons who connected: paths of POSTs, or NULL */
	const char *deauthorize_path;
	const char *deletion_path;
	/*
	 * The channel under whose name the ids of who authorised are kept: channels
	 * that one app serves share them, since a callback is the app's. NULL: its own.
	 */
	const char *authorizer;

	/* a comment or mention on a channel that has none here is never kept */
	LarasSurfaceScopes scopes[LARAS_SURFACES];

	const struct LarasSendDriver *send;         /* NULL: nothing can be sent yet */
	const struct LarasConnectDriver *connect;   /* never NULL */
	const struct LarasMediaDriver *media;       /* NULL: nothing is to be fetched */
	const struct LarasEnclosedDriver *enclosed; /* NULL: bodies bring no files along */
} LarasChannelDriver;

/*
 * By name, or by what follows /api/webhooks/; NULL when there is none. *account
 * is what stands in the path, absent for channels whose bodies name it.
 */
extern const LarasChannelDriver *laras_channel_driver(const char *channel);
extern const LarasChannelDriver *
laras_channel_by_path(const char *path, size_t n, LarasText *account);
/* all of them in turn; NULL after the last */
extern const LarasChannelDriver *laras_channel_nth(size_t i);

/* The document of a body, or NULL with *reason. The caller's to release. */
extern json_t *laras_channel_read(const LarasChannelDriver *driver, const char *bytes, size_t n,
								  const char **reason);

/* For drivers: split of bodies that are whole for the account of their path. */
extern int laras_split_whole(json_t *body, const LarasAllocator *allocator, LarasBodyPart **pieces,
							 int *nameless, const char **reason);

/* Under whose name ids of who authorised are kept for that channel. */
extern const char *laras_channel_authorizer(const char *channel);

/* for drivers: zero-filled memory, or NULL */
extern void *laras_allocate(const LarasAllocator *allocator, size_t n);
/* for drivers: printf into allocated memory; absent when memory is short */
extern LarasText laras_text_print(const LarasAllocator *allocator, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
extern LarasText laras_text_vprint(const LarasAllocator *allocator, const char *format,
								   va_list arguments) __attribute__((format(printf, 2, 0)));
/* for drivers: an account's id, a string or a number, where it is short and plain; absent otherwise */
extern LarasText laras_account_id(const LarasAllocator *allocator, const json_t *j);

extern const LarasChannelDriver laras_whatsapp_driver;
extern const LarasChannelDriver laras_instagram_driver;
extern const LarasChannelDriver laras_messenger_driver;
extern const LarasChannelDriver laras_threads_driver;
extern const LarasChannelDriver laras_telegram_driver;
extern const LarasChannelDriver laras_email_driver;
extern const LarasChannelDriver laras_generic_driver;

#endif /* LARAS_CHANNEL_H */
