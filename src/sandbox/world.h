/*
 * world.h
 *		What the pretended provider knows: apps, business accounts, numbers,
 *		templates, tokens, codes, customers. Made and changed by control calls,
 *		and by the Graph calls that would change them at the provider.
 *
 * Objects live until sb_world_reset(). Nothing that outlives a turn of the
 * event loop keeps a pointer to one, except pending statuses of messages,
 * which the reset ends first.
 */
#ifndef LARAS_SANDBOX_WORLD_H
#define LARAS_SANDBOX_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/table.h"
#include "sandbox/timer.h"

#define SB_MAX_TARGETS 16
#define SB_WINDOW (24 * 3600 * SB_SECOND)

/* permissions of a token */
#define SB_SCOPE_MESSAGING 0x01  /* whatsapp_business_messaging */
#define SB_SCOPE_MANAGEMENT 0x02 /* whatsapp_business_management */
#define SB_SCOPE_BUSINESS 0x04   /* business_management */

typedef struct SbApp
{
	char *id;
	char *secret;
	char *name;
	char *callback_url;
	char *verify_token;
	char *deauthorize_url;
	char *deletion_url;
	bool require_proof; /* demands appsecret_proof */
} SbApp;

typedef struct SbSubscription
{
	SbApp *app;
	char *url; /* override, or NULL */
} SbSubscription;

typedef struct SbTemplate
{
	char *key; /* name, a line feed, language */
	char *name;
	char *language;
	char *category; /* MARKETING, UTILITY, AUTHENTICATION */
	char *status;   /* APPROVED, PENDING, PAUSED, ... */
	char *id;
	char *header_format; /* TEXT, IMAGE, VIDEO, DOCUMENT, or NULL */
	char *header_text;
	char *body;
	char *button_url; /* of a URL button, or NULL */
	int header_params;
	int body_params;
	int button_params;
	bool named;
} SbTemplate;

typedef struct SbWaba
{
	char *id;
	char *name;
	char *business_id;
	SbSubscription subs[SB_MAX_TARGETS];
	int nsubs;
	SbTable templates;
	int refuse; /* every send is refused with this code, or 0 */
} SbWaba;

/* What the provider keeps of one customer towards one number. */
typedef struct SbPair
{
	int64_t last_inbound; /* opens the 24-hour window; 0: never */
	int64_t tat;          /* pair limit: theoretical arrival time */
	uint32_t inbound;
	uint32_t outbound;
	char key[]; /* phone digits, or the business-scoped user id */
} SbPair;

typedef struct SbNumber
{
	char *id;
	char *display; /* as shown, with spaces and signs */
	char *digits;
	char *verified_name;
	char *pin; /* two-step verification, once registered */
	char *quality;
	char *override_url; /* number-level webhook override */
	SbWaba *waba;
	bool registered;
	bool deleted;
	bool coexistence; /* also used in the business app */
	bool test;        /* only `allowed` may be written to */
	bool late;        /* refusals about the recipient come as a status */
	int refuse;       /* every send is refused with this code, or 0 */
	char **allowed;
	int nallowed;
	int rate;        /* messages a second */
	int64_t *recent; /* ring of the last `rate` acceptances */
	uint32_t recent_at;
	int pair_burst;
	int64_t pair_interval; /* microseconds a message to one customer */
	SbTable pairs;
	int64_t pins[10]; /* times of register attempts, newest last */
	int npins;
	uint64_t accepted;
	uint64_t over_rate; /* sends beyond the number limit */
	uint64_t over_pair;
	uint64_t outside_window;
} SbNumber;

typedef struct SbToken
{
	char *token;
	char *label; /* stands for the token in ledger and answers */
	SbApp *app;
	char *user_id; /* app-scoped */
	uint32_t scopes;
	SbWaba *wabas[SB_MAX_TARGETS]; /* granted targets */
	int nwabas;
	int64_t issued;
	int64_t expires; /* 0: never */
	int dead;        /* subcode of 190 once invalid, or 0 */
} SbToken;

typedef struct SbCode
{
	char *code;
	SbApp *app;
	char *user_id;
	char *redirect_uri; /* as given to the dialog, or NULL */
	uint32_t scopes;
	SbWaba *wabas[SB_MAX_TARGETS];
	int nwabas;
	int64_t issued;
	bool used;
} SbCode;

typedef struct SbCustomer
{
	char *phone; /* digits */
	char *name;
	char *username;
	char *user_id; /* business-scoped id; NULL: derived */
	char *identity_hash;
	bool on_whatsapp;
	bool hidden;  /* webhooks carry no phone number */
	bool stopped; /* no marketing messages (131050) */
	bool reads;   /* sends read receipts */
	int refuse;   /* sends to this customer are refused so */
} SbCustomer;

typedef struct SbWorld
{
	SbTable apps;
	SbTable wabas;
	SbTable numbers;
	SbTable tokens;
	SbTable codes;
	SbTable customers; /* by phone */
	SbTable user_ids;  /* the same customers by explicit user_id */
	uint64_t last_id;
	uint64_t npairs;
} SbWorld;

/* Knobs that are not part of an object. Times in milliseconds. */
typedef struct SbSettings
{
	int sent_after; /* -1: no such status */
	int delivered_after;
	int read_after;
	bool enforce_limits; /* else exceeding is only counted */
	bool strangers;      /* unknown phones have WhatsApp */
	bool user_ids;       /* webhooks carry business-scoped ids */
	int tolerance;       /* of the limits, for transit jitter */
	int usage;           /* percent in X-App-Usage of sends that are taken; 0: no header */
	int retry_first;     /* first webhook retry; doubles up to 6 h */
	int webhook_timeout;
	int webhook_flights; /* concurrent deliveries per callback */
	int webhook_batch;   /* updates in one body, at most 1000 */
	int64_t queue_bytes; /* waiting webhook bytes in all */
	int ledger_entries;
	int64_t ledger_bytes;
} SbSettings;

extern SbWorld sb_world;
extern SbSettings sb_settings;

extern void sb_world_reset(void);
extern void sb_settings_reset(void);

/* A new 15-digit object id, and random text. */
extern char *sb_new_id(void);
extern void sb_random_text(char *out, int n, const char *alphabet);

extern SbApp *sb_app(const char *id);
extern SbWaba *sb_waba(const char *id);
extern SbNumber *sb_number(const char *id);

/* By id, or else by its phone digits. */
extern SbNumber *sb_number_any(const char *id_or_phone);
extern SbToken *sb_token(const char *token);
extern SbCustomer *sb_customer(const char *phone);
extern SbCustomer *sb_customer_by_user_id(const char *user_id, const char *business_id);

/* The customer's business-scoped id towards a business, into out. */
extern void sb_user_id(const char *phone, const char *business_id, char out[64]);

/* Keeps the digits of a phone number; false unless 7 to 15 of them remain. */
extern bool sb_digits(const char *text, char out[16]);

/*
 * The pair of a number and a customer. With make, a missing one is made,
 * NULL only when the bound on pairs is reached and none can be dropped.
 */
extern SbPair *sb_pair(SbNumber *number, const char *key, bool make);

extern bool sb_token_reaches(const SbToken *token, const SbWaba *waba);

/* Counts {{placeholders}} of a template text; *named when they are names. */
extern int sb_count_params(const char *text, bool *named);

extern SbTemplate *sb_template(const SbWaba *waba, const char *name, const char *language);

/* Message ids: make one and remember it; was this one ever made here? */
extern void sb_new_wamid(const char *phone, bool inbound, char out[128]);
extern bool sb_wamid_known(const char *wamid);

/* "whatsapp_business_messaging" -> SB_SCOPE_MESSAGING; 0 when unknown. */
extern uint32_t sb_scope(const char *name);
extern const char *sb_scope_name(uint32_t bit);

#endif
