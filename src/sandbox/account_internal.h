/*
 * account_internal.h
 *		What the files about accounts share: the accounts (account.c), who writes
 *		to them (direct.c), what was granted (grant.c), what is said below posts
 *		(comment.c, mention.c).
 */
#ifndef LARAS_SANDBOX_ACCOUNT_INTERNAL_H
#define LARAS_SANDBOX_ACCOUNT_INTERNAL_H

#include "sandbox/account.h"
#include "sandbox/deliver.h"
#include "sandbox/limits.h"

#define SB_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

#define SB_IG_BASIC "instagram_business_basic"
#define SB_IG_MESSAGES "instagram_business_manage_messages"
#define SB_IG_COMMENTS "instagram_business_manage_comments"
#define SB_PAGE_MESSAGES "pages_messaging"

/* a person, as the account knows them */
typedef struct SbPerson
{
	char *id;
	int64_t last_inbound; /* opens the 24-hour window; 0: never wrote */
} SbPerson;

typedef struct SbAccount
{
	char *id;     /* that webhooks carry */
	bool page;    /* of Facebook; */
	bool threads; /* or a profile of Threads; else an account of Instagram */
	char *username;
	char *name;
	char *type; /* BUSINESS, MEDIA_CREATOR, PERSONAL */
	SbApp *app;
	bool subscribed;
	bool echoes; /* what it sends comes back */
	uint64_t accepted;
	SbTable persons;
	/* limits: of all messages and of those with media a second; in private below comments, in public */
	SbRolling messages;
	SbRolling media;
	SbRolling private_replies;
	SbRolling replies;
} SbAccount;

/* a code or a token of an account */
typedef struct SbGrant
{
	char *text;
	char *label;   /* stands for a token in ledger and answers; NULL: a code */
	char *user_id; /* app-scoped id of who granted */
	char *redirect_uri;
	char *permissions;  /* words between commas */
	char *pages;        /* ids between commas that a person granted; NULL: the account's own */
	SbAccount *account; /* of a person's: one of the Pages */
	int64_t issued;
	int64_t expires;
	bool used; /* a code's */
	bool is_long;
	int dead; /* subcode of 190 once invalid, or 0 */
} SbGrant;

/* By id, or NULL. */
extern SbAccount *sb_account(const char *id);

/* One that belongs to the app: whose owner is at the browser, or any; NULL: it is no app of this product. */
extern SbAccount *sb_account_of_app(const SbApp *app);

/* By its text, code or token; NULL. */
extern SbGrant *sb_grant(const char *text);

/* The live token of the call; NULL after a refusal. */
extern SbGrant *sb_account_token(SbCall *call);

/* Is the permission among those of the grant? */
extern bool sb_granted(const SbGrant *g, const char *word);

/*
 * May the account send one more, of that kind (NULL: a text)? Counts it; false after a
 * refusal, which comes only where limits are enforced.
 */
extern bool sb_account_may_send(SbCall *call, SbAccount *a, SbRolling *kind);

/* Somebody the account knows; NULL, or made. */
extern SbPerson *sb_person(SbAccount *a, const char *id, bool make);

/*
 * Sends one change of a field to the app (of Threads a body of its own); false
 * where it goes nowhere. Takes value over.
 */
extern bool sb_account_change(SbAccount *a, const char *field, json_t *value, SbWait *wait);

/* grant.c: a call of a log-in or about a token; of_app: of its app, or NULL. false: it is none. */
extern bool sb_log_in_call(SbCall *call, SbApp *app, SbAccount *of_app);

/* grant.c: GET /me/permissions, GET /me/accounts */
extern void sb_get_permissions(SbCall *call, SbGrant *g);
extern void sb_get_pages(SbCall *call, SbGrant *g);

extern void sb_grants_reset(void);

/* direct.c: POST /{account}/messages */
extern void sb_send_direct(SbCall *call, SbGrant *g);

/* comment.c: a call about a post or a comment; false: it is about none. */
extern bool sb_comment_call(SbCall *call);

/* comment.c: a message in private answer to a comment, whose id the call names. */
extern void sb_private_reply(SbCall *call, SbGrant *g, const char *comment, const char *text);

/* comment.c: of Threads, POST /{user}/threads and /{user}/threads_publish */
extern void sb_make_container(SbCall *call, SbGrant *g);
extern void sb_publish_container(SbCall *call, SbGrant *g);

extern void sb_comments_reset(void);

/* mention.c: GET /{account}?fields=mentioned_...; false: the call asks for something else */
extern bool sb_read_mention(SbCall *call, SbGrant *g);
/* mention.c: POST /{account}/mentions */
extern void sb_answer_mention(SbCall *call, SbGrant *g);

extern void sb_mentions_reset(void);

#endif
