/*
 * login.h
 *		How an account is connected: what a driver asks of its provider, one
 *		request after the other, and what the answers mean.
 *
 * Plain C like channel.h: nothing here raises, memory is the caller's. Rows,
 * keys and the token's custody belong to the courier's task (connect/login.c),
 * which calls the driver once without an answer and then with each. What an
 * account is called is believed from the provider alone.
 */
#ifndef LARAS_LOGIN_H
#define LARAS_LOGIN_H

#include "channel/send.h"

#define LARAS_LONGEST_TOKEN 2048

typedef enum LarasLoginNext
{
	LARAS_LOGIN_ASK, /* request, purpose and with are set */
	LARAS_LOGIN_KNOWN, /* memory->account is set: where it may be connected, the driver is called again at once */
	LARAS_LOGIN_DONE, /* accounts and scopes are set, and what memory has of the account */
	LARAS_LOGIN_FAIL  /* failure and failure_status are set */
} LarasLoginNext;

/* what goes into a request as its token */
typedef enum LarasLoginWith
{
	LARAS_WITH_NOTHING,
	LARAS_WITH_TOKEN, /* the account's */
	LARAS_WITH_APP    /* the app's own: its id, a bar, its secret */
} LarasLoginWith;

/* is an account used in the provider's own app too? */
typedef enum LarasBesideApp
{
	LARAS_BESIDE_APP_UNKNOWN,
	LARAS_BESIDE_APP_NO,
	LARAS_BESIDE_APP_YES
} LarasBesideApp;

/* what is carried from step to step: plain bytes, zero at the start, wiped by their keeper */
typedef struct LarasLoginMemory
{
	int step; /* the driver's */
	char token[LARAS_LONGEST_TOKEN];
	size_t token_n;
	bool exchanged;    /* the token was made for us, by a code */
	bool subscribed;   /* events come to us */
	char account[256]; /* that webhooks carry, once the provider has confirmed it; "" before */
	char granted[512]; /* permissions, words between commas; "": nothing was said */
	char user[64];     /* app-scoped id of who authorised; "": unknown */
	char display[256];
	char profile[1024]; /* JSON text; "": none */
	int64_t expires_at; /* seconds since 1970; 0: never */
	LarasBesideApp beside_app;
} LarasLoginMemory;

typedef struct LarasLogin
{
	const LarasAllocator *allocator;
	LarasLoginMemory *memory;

	/* the app */
	const char *base_url;
	const char *api_version;
	const char *app_id;
	LarasText secret;
	const json_t *options;

	/* what was begun */
	LarasText code;           /* absent: the token was given */
	const json_t *named;      /* ids somebody gave, by the driver's members; may be empty */
	LarasText callback;       /* where the provider sent the browser back to */
	LarasText webhook;        /* where events of the account go, once it is known */
	LarasText webhook_secret; /* that they carry, where the provider sends it as it is */

	/* the answer to the request before; NULL at the start, and after LARAS_LOGIN_KNOWN */
	const json_t *answer;
	bool ok;    /* it is 200, JSON and no error */
	int status; /* of HTTP or SMTP; 0: none came */
	int64_t now;

	/* LARAS_LOGIN_ASK */
	LarasProviderRequest request;
	const char *purpose; /* a word for the log of calls */
	LarasLoginWith with;

	/* LARAS_LOGIN_DONE */
	json_t *accounts; /* all ids, by member; the caller's to release */
	const char *const *scopes;

	/* LARAS_LOGIN_FAIL */
	const char *failure;
	int failure_status; /* of the HTTP answer to who waits */
} LarasLogin;

/* For drivers: a failure, with its word and HTTP status. */
extern LarasLoginNext laras_login_fail(LarasLogin *login, int status, const char *failure);

/*
 * The account is connected already, elsewhere or (with more behind the word) in the
 * same workspace: what stands there is not to be taken back.
 */
#define LARAS_LOGIN_IN_USE "account_in_use"
extern bool laras_login_in_use(const LarasLogin *login);

/*
 * For drivers: a request; the URL was printed before. Memory that was short
 * makes it a failure.
 */
extern LarasLoginNext laras_login_ask(LarasLogin *login, int step, const char *purpose,
									  const char *method, LarasText url, LarasLoginWith with);

/* For drivers: copy into a field of the memory; false, and the field empty, where it does not fit. */
extern bool laras_login_keep(char *to, size_t room, LarasText t);

/* For drivers: keep access_token of the answer, which a code was exchanged for; false where there is none. */
extern bool laras_login_take_token(LarasLogin *login);

/* For drivers: the id that was given by this member; absent where none was. */
extern LarasText laras_login_named(const LarasLogin *login, const char *member);

/* For drivers: percent-encoded for a query or form. */
extern LarasText laras_text_encoded(const LarasAllocator *allocator, LarasText t);
extern LarasText laras_login_encoded(const LarasLogin *login, LarasText t);

#endif /* LARAS_LOGIN_H */
