/*
 * connect.h
 *		Connecting an account of a channel, and cutting it.
 *
 * app.c			register_provider_app: the operator's apps at providers.
 * connection.c		the row of a connection with its token and routes, all or nothing.
 * attempt.c		single-use attempts: begin, finish, cancel.
 * pair.c			pairing by ids.
 * secret.c			the secret that events are signed with, given out once.
 * login.c			the courier's task that takes a driver through its log-in.
 * reach.c			a connection as tasks of the courier speak through it.
 * health.c			do events come, and may we still speak for the account?
 * post.c			whose a post is that people comment on.
 * revoke.c			telling the provider that a connection was cut.
 * disconnect.c		cutting: one transaction, one key.
 */
#ifndef LARAS_CONNECT_H
#define LARAS_CONNECT_H

#include "base/json.h"
#include "base/spi.h"
#include "channel/channel.h"
#include "channel/login.h"
#include "datatype/timestamp.h"
#include "evidence/evidence.h"

/* an app of the operator, with what a call to the provider needs */
typedef struct LarasProviderApp
{
	int64 id;
	char *app_id;
	char *secret; /* opened: wipe after use; NULL unless asked for */
	size_t secret_n;
	char *graph_url;
	char *api_version;
	char *config_id; /* NULL: none */
	json_t *options;
} LarasProviderApp;

/*
 * The app that serves a channel (the latest registered), or the one with that
 * id where app is not 0. False when there is none. As laras_owner or
 * laras_worker; with_secret needs the vault.
 */
extern bool
laras_provider_app(const char *channel, int64 app, bool with_secret, LarasProviderApp *out);

/* The app of a channel that has one an account (app_of_account); 0: none. In the same roles. */
extern int64 laras_provider_app_of(const char *channel, LarasText account);

/* everything a new connection is made of */
typedef struct LarasNewConnection
{
	int64 id; /* chosen before: from laras_new_id() */
	const char *channel;
	int64 app_id;        /* row of provider_app */
	LarasText account;   /* id that webhooks carry (phone_number_id) */
	LarasText above;     /* business account (waba_id), absent where there is none */
	json_t *account_ids; /* JSON of all ids */
	json_t *profile;     /* JSON, may be NULL */
	LarasText display_name;
	LarasText token;
	const char *const *scopes;
	int scope_count;
	TimestampTz token_expires_at; /* 0: does not */
	LarasText app_user;           /* app-scoped id of who authorised; absent: unknown */
	LarasBesideApp beside_app;
	int64 attempt_id; /* 0: none */
	const char *path; /* for evidence: "pair", "embedded_signup", "migration" */
} LarasNewConnection;

/*
 * Make a connection: slot, row, token, routes, authorizer, evidence. As
 * laras_owner with the workspace bound, or laras_worker. Raises 23505 when the
 * account is connected already, with one text whoever has it. Returns its id.
 */
extern int64 laras_connection_create(int64 workspace_id, const LarasNewConnection *connection);

/* What the provider says of it, where it says anything. As laras_owner or laras_worker, SPI open. */
extern void
laras_connection_beside_app(int64 workspace_id, int64 connection_id, LarasBesideApp beside_app);

/* The driver of a channel that somebody named; raises 42704 where there is none. */
extern const LarasChannelDriver *laras_require_channel(const char *channel);

/* The workspace in which this account is connected; 0: in none. In the same roles. */
extern int64 laras_account_holder(const char *channel, LarasText account);

/*
 * The connection of this workspace that waits for exactly this log-in: of that
 * account, in state needs_reauth. 0: none. In the same roles.
 */
extern int64 laras_connection_waiting(int64 workspace_id, const char *channel, LarasText account);

/*
 * Set something of a connection of the bound workspace, and record who did. set
 * updates the row of workspace $1 and id $2 to $3, unless it is disconnected;
 * raises P0002 and 55000. As laras_owner.
 */
extern void laras_connection_set(int64 connection_id, LarasPlan *set, Datum value,
								 LarasAction action, LarasEvidenceField detail);

/*
 * It works again, with the new token and what was granted now; what was parked
 * waits to be sent. connection->id is not looked at. As laras_worker.
 */
extern void laras_connection_renew(int64 workspace_id, int64 connection_id,
								   const LarasNewConnection *connection);

/*
 * A dead token or account: nothing more leaves through it until its owner
 * connects it anew; what waits is parked, and a notice says so. code is the
 * provider's, 0: none. As laras_worker. Idempotent.
 */
extern void laras_connection_stop(int64 workspace_id, int64 connection_id, int code);

/*
 * The access was taken away at the provider: this connection, and those of other
 * numbers below the same business account, are lost, and cut by the keeper. As
 * laras_worker. Idempotent.
 */
extern void laras_connection_lost(int64 workspace_id, int64 connection_id, int code);

/*
 * The owner of a connection in needs_reauth has not logged in for too long: it
 * is lost as if the access had been taken away, it alone. As laras_worker.
 * Idempotent.
 */
extern void laras_connection_give_up(int64 workspace_id, int64 connection_id);

/* ---------------------------------------------------------------- attempts */

typedef enum LarasAttemptState
{
	LARAS_ATTEMPT_OPEN,
	LARAS_ATTEMPT_UNKNOWN,    /* 404 */
	LARAS_ATTEMPT_USED,       /* 409: being finished, or it failed */
	LARAS_ATTEMPT_CONNECTED,  /* 409 */
	LARAS_ATTEMPT_CANCELLED,  /* 409 */
	LARAS_ATTEMPT_SUPERSEDED, /* 409: by a newer launch */
	LARAS_ATTEMPT_EXPIRED     /* 410 */
} LarasAttemptState;

/*
 * Finish a log-in: hand the code to the courier, with the accounts that the
 * browser named (the driver's members). nonce is what begin_connect returned as
 * state. In a bound transaction as laras_owner. On
 * OPEN the attempt is used up and ticket names the courier's task; nothing
 * changes otherwise.
 */
extern LarasAttemptState
laras_attempt_finish(const LarasChannelDriver *driver, LarasText nonce, LarasText code,
					 const json_t *accounts, uint8 ticket[32]);

/*
 * Cancel an attempt that is open or expired; no row is written, none is removed.
 * Returns what it was.
 */
extern LarasAttemptState laras_attempt_cancel(const LarasChannelDriver *driver, LarasText nonce);

/*
 * Begin and finish in one: the courier proves a token, and that it reaches the
 * accounts named (the driver's members, or none). ticket may be NULL where
 * nobody waits. Returns the id that the connection will have.
 */
extern int64 laras_attempt_by_token(const LarasChannelDriver *driver, const LarasProviderApp *app,
									const json_t *named, LarasText token, uint8 *ticket);

/* The owner asked for a launch: the JSON that begin_connect returns. */
extern json_t *laras_attempt_begin(const LarasChannelDriver *driver);

/*
 * Where whoever connected has their system post to, and the secret to sign with:
 * {"url", "secret"}. Raises where it was given before, or the channel has none. As
 * laras_owner with the workspace bound; the caller has checked the scope.
 */
extern json_t *laras_webhook_secret(int64 connection_id);

/* -------------------------------------------------------------- disconnect */

typedef enum LarasDisconnectTrigger
{
	LARAS_CUT_OWNER,
	LARAS_CUT_DEAUTHORIZE,
	LARAS_CUT_DELETION_CALLBACK,
	LARAS_CUT_LOST_ACCESS,
	LARAS_CUT_WORKSPACE_ERASURE,
	LARAS_CUT_RESTORE /* it had been cut when the dump that brought it back was older */
} LarasDisconnectTrigger;

typedef struct LarasDisconnectReceipt
{
	bool found;
	bool was_connected; /* false: it was cut before, nothing changed */
	char *channel;
	TimestampTz disconnected_at;
	int tokens;
	int routes;
	uint64 cancelled;          /* messages that were waiting */
	const char *remote_revoke; /* pending, skipped, not_told */
} LarasDisconnectReceipt;

/*
 * Cut a connection in this transaction: token, routes, authorizers, attempts
 * and tasks are deleted, what waits is cancelled, the row becomes a tombstone
 * without content, the key is ordered destroyed. Needs no key: works while the
 * vault is shut. Idempotent. As laras_owner with the workspace bound. order
 * groups the destruction with others, may be NULL. reason (may be NULL) is the
 * words of the person; kept sealed where the vault is open, else dropped.
 */
extern void
laras_disconnect(int64 workspace_id, int64 connection_id, LarasDisconnectTrigger trigger,
				 const char *reason, const uint8 *order, LarasDisconnectReceipt *receipt);

/* The receipt as SQL and HTTP show it. */
extern json_t *laras_disconnect_receipt(int64 connection_id, const LarasDisconnectReceipt *receipt);

extern void laras_connect_init(void);

#endif /* LARAS_CONNECT_H */
