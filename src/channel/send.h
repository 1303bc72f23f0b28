/*
 * send.h
 *		The outbound half of a channel: building a send and reading its answer.
 *
 * Plain C like channel.h: nothing here raises, memory is the caller's.
 */
#ifndef LARAS_SEND_H
#define LARAS_SEND_H

#include "channel/channel.h"

/* what a mail server is told of a mail before the mail itself */
typedef struct LarasEnvelope
{
	char user[256]; /* who logs in; the token is the password */
	char sender[256];
	char recipient[256]; /* "": only the log-in is tried */
	char id[256];        /* what we call the mail: it names it from then on */
} LarasEnvelope;

/* a request to a provider; texts are allocated, the token is not in it */
typedef struct LarasProviderRequest
{
	const char *method;            /* GET, POST, DELETE */
	LarasText url;                 /* absolute; never holds a token */
	LarasText body;                /* or absent */
	const char *type;              /* of the body; NULL: JSON; allocated, or a constant */
	size_t token_at;               /* where in the URL the token goes; 0: it goes into a header */
	const LarasEnvelope *envelope; /* the URL is a mail server's, the body a mail; NULL: HTTP */
} LarasProviderRequest;

/* where a text goes */
typedef enum LarasSendKind
{
	LARAS_SEND_MESSAGE,       /* to a person directly */
	LARAS_SEND_COMMENT,       /* in public, below a comment */
	LARAS_SEND_PRIVATE_REPLY, /* to whoever commented, directly */
	LARAS_SEND_TEMPLATE       /* to a person directly, approved beforehand */
} LarasSendKind;

/* a text to one person, or below what they said */
typedef struct LarasSendText
{
	LarasSendKind kind;
	LarasText target;        /* of a comment or private reply: the comment's id */
	const char *base_url;    /* "https://graph.facebook.com" */
	const char *api_version; /* "v23.0" */
	LarasText account;       /* the connection's sending account (phone_number_id) */
	LarasRecordIdentity to;  /* of a message: who; the kind decides the field */
	LarasText text;          /* UTF-8 */
	LarasText stage; /* of a send in two steps: what the first one led to; absent: it is to come */
	LarasText callback_data; /* to be echoed in statuses */
	bool human_agent;        /* a person's words, in the longer window that is theirs alone */

	LarasText answers; /* provider id of the message that is answered; absent: none is known */

	/* for drivers whose wants_thread is set, as is that id of a text */
	const json_t *accounts; /* all that is kept of the account's names */
	const json_t *thread;   /* its part of kind "thread"; NULL: none */
	bool automatic;         /* nobody approved it */
	int64_t now;            /* seconds since 1970 */
} LarasSendText;

/* what an answer means for the message */
typedef enum LarasAnswer
{
	LARAS_ANSWER_SENT,      /* accepted; provider_id is set */
	LARAS_ANSWER_RETRY,     /* certainly not sent; try again later (R) */
	LARAS_ANSWER_THROTTLED, /* certainly not sent; pause the scope (T) */
	LARAS_ANSWER_REFUSED,   /* certainly not sent, and never will be (P) */
	LARAS_ANSWER_WINDOW,    /* certainly not sent: outside the window (W) */
	LARAS_ANSWER_ACCOUNT,   /* certainly not sent: token or account is dead (A) */
	LARAS_ANSWER_UNCERTAIN  /* nobody knows */
} LarasAnswer;

/* of what the provider wants less, where it says so */
typedef enum LarasThrottle
{
	LARAS_THROTTLE_NONE,
	LARAS_THROTTLE_PAIR,     /* of messages to this person */
	LARAS_THROTTLE_NUMBER,   /* of messages through this account; it is a matter of seconds */
	LARAS_THROTTLE_ACCOUNT,  /* of all requests about this account; it may take minutes */
	LARAS_THROTTLE_BUSINESS, /* about all accounts of the business account above it */
	LARAS_THROTTLE_APP       /* about all accounts that were connected through the app */
} LarasThrottle;

typedef struct LarasSendAnswer
{
	LarasAnswer answer;
	LarasThrottle throttle;
	LarasText provider_id;
	int error_code; /* 0: none */
	int error_subcode;
	int retry_after; /* seconds to wait at least; 0: nothing is said */
} LarasSendAnswer;

/* what the provider says of a send whose answer was lost */
typedef enum LarasCheck
{
	LARAS_CHECK_SENT,
	LARAS_CHECK_NOT_SENT, /* certainly, nor on its way: it may be sent again */
	LARAS_CHECK_LOST,     /* it never will be */
	LARAS_CHECK_UNKNOWN
} LarasCheck;

/* in what a provider measures a text */
typedef enum LarasTextUnit
{
	LARAS_TEXT_CHARACTERS, /* Unicode code points */
	LARAS_TEXT_UTF16,      /* units of UTF-16: an emoji is two */
	LARAS_TEXT_BYTES       /* of UTF-8 */
} LarasTextUnit;

/* what a channel can be asked to send beside direct messages */
enum
{
	LARAS_ALSO_COMMENTS = 1,
	LARAS_ALSO_PRIVATE_REPLIES = 2
};

/* what a person can be shown beside messages */
enum
{
	LARAS_SHOWS_READ = 1,  /* that theirs was read */
	LARAS_SHOWS_TYPING = 2 /* that somebody writes */
};

struct LarasTemplateDriver;  /* channel/template.h */
struct LarasSendMediaDriver; /* channel/sendmedia.h */

typedef struct LarasSendDriver
{
	unsigned also;
	/*
	 * A text leaves by two requests: the first changes nothing that anybody sees,
	 * may be repeated, and leads to an id (read_answer gives it as provider_id)
	 * that the second is made with.
	 */
	bool two_steps;
	/* false when memory is short or the identity cannot be addressed */
	bool (*build_text)(const LarasSendText *send, const LarasAllocator *allocator,
					   LarasProviderRequest *request);
	/* status of HTTP or SMTP and body of an answer that arrived whole; what we named ourselves needs no id */
	void (*read_answer)(int http_status, const char *body, size_t n,
						const LarasAllocator *allocator, LarasSendAnswer *answer);
	/* asks what became of the second request, by the id of the first; NULL: nobody can be asked */
	bool (*build_check)(const LarasSendText *send, const LarasAllocator *allocator,
						LarasProviderRequest *request);
	LarasCheck (*read_check)(const json_t *answer);
	/* the error that says that the person wants nothing unasked; 0: there is none */
	int opted_out_code;
	bool wants_thread;
	/* longest text; 0: no limit known */
	int text_limit;
	LarasTextUnit text_unit;
	const struct LarasTemplateDriver *templates; /* NULL: the channel has none */
	unsigned shows;                              /* bits of LARAS_SHOWS_... */
	/* a request for some of `what`, and which; see presence.h. NULL where it shows nothing */
	unsigned (*build_presence)(const LarasSendText *send, unsigned what,
							   const LarasAllocator *allocator, LarasProviderRequest *request);
	const struct LarasSendMediaDriver *media; /* NULL: it carries text alone */
} LarasSendDriver;

/* The length of a text, well-formed UTF-8, as that channel measures it. */
extern size_t laras_text_measure(LarasTextUnit unit, const char *s, size_t n);

/* Does a text in UTF-8 show anything (visible.c)? */
extern bool laras_text_shows(LarasText t);

/* Does it hold a letter, or any character beyond ASCII that shows? */
extern bool laras_text_has_letter(LarasText t);

/* Does it hold control characters beside line breaks and tabs, or such as turn the direction of writing? */
extern bool laras_text_has_control(LarasText t);

#endif /* LARAS_SEND_H */
