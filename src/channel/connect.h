/*
 * connect.h
 *		The connecting half of a channel: how its accounts are named, what an app
 *		asks for, how events are subscribed to and given up.
 *
 * Plain C like channel.h: nothing here raises, memory is the caller's. The
 * steps of a log-in are in login.h.
 */
#ifndef LARAS_CHANNEL_CONNECT_H
#define LARAS_CHANNEL_CONNECT_H

#include "channel/login.h"

/* an id by which an account is named, in pair_connection and in what is kept of it */
typedef struct LarasAccountName
{
	const char *member; /* "phone_number_id" */
	LarasAccountRole role;
	bool address; /* of a mailbox; else digits */
} LarasAccountName;

#define LARAS_MAX_ACCOUNT_NAMES 3

/* where a request about an account goes */
typedef struct LarasAccountRequest
{
	const char *base_url;    /* "https://graph.facebook.com" */
	const char *api_version; /* "v23.0" */
	LarasText account;       /* the account of role `subscribed` */
} LarasAccountRequest;

/* The account that a log-in has come to know. */
extern LarasAccountRequest laras_login_about(const LarasLogin *login);

/* what an error says of the token it came with */
typedef enum LarasTokenState
{
	LARAS_TOKEN_FINE,     /* nothing */
	LARAS_TOKEN_DEAD,     /* it is worth nothing: the owner has to log in again */
	LARAS_TOKEN_WITHDRAWN /* the owner took the access away */
} LarasTokenState;

/* what was said of the account, elsewhere; texts point into the answer */
typedef struct LarasMention
{
	LarasText text; /* absent: nothing is left of it */
	LarasText name; /* of who said it; absent: the provider does not tell */
	bool asks;      /* it is said to the account, and not only of it */
} LarasMention;

typedef struct LarasConnectDriver
{
	/* ends with a NULL member; the first is the id that webhooks carry */
	LarasAccountName accounts[LARAS_MAX_ACCOUNT_NAMES + 1];
	/* of these, the one whose events are subscribed to */
	LarasAccountRole subscribed;
	/* what else somebody gives to connect one, texts; ends with NULL, may be NULL */
	const char *const *asked;
	const char *example; /* the accounts as somebody writes them, for a hint */

	/*
	 * Why the options of an app do not suit the channel, a sentence; NULL: they do.
	 * The member NULL: every option that fits its type does.
	 */
	const char *(*check_options)(const json_t *options);

	/*
	 * Connects an account step by step: by a code, or by a token to be proven.
	 * NULL: only a migration can connect such accounts.
	 */
	LarasLoginNext (*login)(LarasLogin *login);
	/* After a failure: the one request that takes back what was done; false: nothing is to be. */
	bool (*undo)(LarasLogin *login);
	/*
	 * Renews the account's token: asked once for the request, then with its
	 * answer, when memory has the new token and when that expires
	 * (LARAS_LOGIN_DONE). NULL: the channel's tokens do not expire, or cannot be
	 * renewed.
	 */
	LarasLoginNext (*refresh)(LarasLogin *login);
	const char *by_code;       /* what evidence calls a log-in by code */
	const char *const *scopes; /* what an app asks for by itself; ends with NULL */

	/* /api/SEGMENT/connect and what else follows; and where a launch ends, below the public URL */
	const char *segment;
	const char *finish_path;

	/*
	 * The page on which the person consents, where that is opened by a link: it
	 * sends the browser to finish_path with a code. A stand-in has it at its own
	 * address. NULL: a popup does it.
	 */
	const char *dialog_url;
	const char *dialog_path;

	/* false when memory is short; where the token goes, request says */
	bool (*build_subscribe)(const LarasAccountRequest *about, const LarasAllocator *allocator,
							LarasProviderRequest *request);
	bool (*build_unsubscribe)(const LarasAccountRequest *about, const LarasAllocator *allocator,
							  LarasProviderRequest *request);

	/*
	 * Do the account's events still come to this app? Asked with its token, and
	 * what the answer says. NULL: nobody can be asked.
	 */
	bool (*build_read_subscription)(const LarasAccountRequest *about,
									const LarasAllocator *allocator, LarasProviderRequest *request);
	bool (*is_subscribed)(const json_t *answer, LarasText app_id);

	/*
	 * Is the account that webhooks carry used in the provider's own app too? Asked with
	 * its token, and what the answer says. NULL: the channel has no such thing.
	 */
	bool (*build_read_account)(const LarasAccountRequest *about, LarasText number,
							   const LarasAllocator *allocator, LarasProviderRequest *request);
	LarasBesideApp (*read_account)(const json_t *answer);

	/* NULL: no error of the provider is about the token */
	LarasTokenState (*read_token)(int code, int subcode);

	/*
	 * Whose post is that, where events do not say: asked with the account's token,
	 * and what the answer means. NULL: no such question.
	 */
	bool (*build_read_post)(const LarasAccountRequest *about, LarasText post,
							const LarasAllocator *allocator, LarasProviderRequest *request);
	LarasPostOwner (*read_post)(const json_t *answer, LarasText account);

	/*
	 * What was said in a mention whose event has ids alone: asked with the
	 * account's token by the part `thread` of the message, and what the answer says
	 * (false: it is no such answer). refused_mention: why there is none, or NULL
	 * where asking again may help. NULL: nobody can be asked.
	 */
	bool (*build_read_mention)(const LarasAccountRequest *about, LarasText account,
							   const json_t *thread, const LarasAllocator *allocator,
							   LarasProviderRequest *request);
	bool (*read_mention)(const json_t *answer, LarasMention *mention);
	const char *(*refused_mention)(int http_status, int code);
} LarasConnectDriver;

/* The driver of /api/SEGMENT/...; NULL when there is none. */
extern const LarasChannelDriver *laras_channel_by_segment(const char *segment, size_t n);

/* Is this a name that an account of the channel can have? */
extern bool laras_account_name_fits(const LarasAccountName *name, LarasText t);

/* The member that names the account of a role; NULL when the channel has none. */
extern const char *laras_account_member(const LarasChannelDriver *driver, LarasAccountRole role);

#endif /* LARAS_CHANNEL_CONNECT_H */
