/*
 * inbox.h
 *		Contacts, conversations and messages: how events become rows, and what
 *		other rooms do with them.
 *
 * apply.c		a batch of events of many workspaces, set-based.
 * comment.c	which thread a comment belongs to, and whom it concerns.
 * merge.c		two contacts that are one person.
 * identity.c	who a person is: blind indexes to contacts.
 * person.c		what is new about a person: ids, name, wishes.
 * wish.c		words that are such a wish.
 * suppression.c	who wants nothing unasked, beyond the contact's erasure.
 * part.c		pictures, places, cards, choices: what belongs to a message.
 * change.c		edits and unsends.
 * account.c	what the provider says about the account.
 * again.c		reads again what an older driver could not.
 * status.c		statuses that only climb, with their history.
 * message.c	outbound messages.
 * window.c		may a free-form message be sent now?
 */
#ifndef LARAS_INBOX_H
#define LARAS_INBOX_H

#include "channel/channel.h"
#include "datatype/timestamp.h"
#include "worker/worker.h"

/* the records of one event, to be applied to one connection */
typedef struct LarasInboxEvent
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
	const LarasChannelDriver *driver;
	TimestampTz received_at;
	LarasText body; /* as it came; files are read out of it */
	LarasRecord *records;
	int record_count;
	bool
		processed; /* set by laras_inbox_apply: messages are drafted for and measured, not only kept */
} LarasInboxEvent;

/*
 * Apply events of many workspaces in set-based statements. In a transaction
 * as laras_worker whose set holds the workspaces, with the connections locked
 * FOR SHARE. A message or status that was applied before changes nothing.
 * Raises on the first thing that cannot be applied, leaving the caller to roll
 * back; what is in the events is never quoted.
 */
extern void laras_inbox_apply(LarasInboxEvent *events, int n);

/*
 * Keeper duty: unsupported messages that a newer driver may understand are read
 * again, in bounded batches.
 */
extern LarasTurn laras_again_duty(void);

/* ---------------------------------------------------------------- window */

typedef enum LarasWindowState
{
	LARAS_WINDOW_OPEN,
	LARAS_WINDOW_CLOSED,     /* longer ago than the rule allows */
	LARAS_WINDOW_NEVER,      /* the person never did what opens it */
	LARAS_WINDOW_USED,       /* made use of as often as the rule allows */
	LARAS_WINDOW_NOT_ENABLED /* no rule, or one that is switched off */
} LarasWindowState;

typedef struct LarasWindow
{
	LarasWindowState state;
	TimestampTz closes_at; /* 0: never, or it was never open */
} LarasWindow;

/* purposes of table window_rule */
#define LARAS_WINDOW_REPLY "reply"
#define LARAS_WINDOW_HUMAN_AGENT "human_agent" /* later, by a person alone */
#define LARAS_WINDOW_PUBLIC_REPLY "public_reply"
#define LARAS_WINDOW_PRIVATE_REPLY "private_reply"
#define LARAS_WINDOW_LIVE_PRIVATE_REPLY "live_private_reply"

/*
 * Read the rules, once for a batch of decisions. Opens SPI itself. In a
 * transaction as laras_worker or laras_owner.
 */
extern void laras_window_refresh(void);

/*
 * May a free-form message leave at that moment for that purpose? since is the
 * provider's time of what opened the window (the person's last message, the
 * comment), 0 for never; used: how many such messages it has seen since. Closed
 * at exactly the end of the window. By the rules read last.
 */
extern LarasWindow laras_window(const char *channel, const char *purpose, TimestampTz since,
								int used, TimestampTz now);

/*
 * "open", "window_closed", "never_wrote", "window_used", "window_not_enabled":
 * for reason columns
 */
extern const char *laras_window_reason(LarasWindowState state);

/* --------------------------------------------------------------- messages */

/*
 * The row of a message that is going to be sent: status queued, direction out.
 * id comes from laras_new_id() before (the verdict's digest names it). As
 * laras_owner with the workspace bound, or laras_worker. author_kind as the
 * column's words; author_id 0 for none.
 */
extern void
laras_outbound_message(int64 workspace_id, int64 id, int64 conversation_id, const char *kind,
					   const char *body, size_t n, const char *author_kind, int64 author_id);

/*
 * What became of an outbound message. provider_id may be absent; where it is
 * given, it is stored (once) and statuses that came before it are joined. Only
 * climbs: queued < uncertain < sent < delivered < read < played; failed and
 * cancelled end a message that has not been delivered. error_code 0: none.
 */
extern void laras_message_sent(int64 workspace_id, int64 message_id, const char *channel,
							   const char *provider_id, size_t n, TimestampTz at);

/* The same for many at once, of which the caller knows more. */
typedef struct LarasSentMessage
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 message_id;
	uint32 contact_slot;
	int64 connection_id;
	const char *channel;
	LarasText provider_id; /* s NULL: absent */
	bytea *provider_index; /* blind index of that; NULL: made here */
} LarasSentMessage;

extern void laras_messages_sent(const LarasSentMessage *list, int n, TimestampTz at);
extern void
laras_message_set_status(int64 workspace_id, int64 message_id, const char *status, int error_code);

/*
 * Show the owner something: kind as column notice.kind describes. Ids may be
 * 0. As laras_owner with the workspace bound, or laras_worker.
 */
extern void laras_notice(int64 workspace_id, const char *kind, int64 connection_id,
						 int64 conversation_id, int64 message_id, int code);

/* The same about a message, with the reason in the words of laras.send_reason; NULL: none. */
extern void
laras_send_notice(int64 workspace_id, const char *kind, int64 connection_id, int64 conversation_id,
				  int64 message_id, int code, const char *reason);

/*
 * The same about an account, with details: JSON without a customer in it, sealed
 * under the connection's slot, and left out where that is destroyed or 0.
 */
extern void laras_account_notice(int64 workspace_id, const char *kind, int64 connection_id,
								 uint32 slot, LarasText details);

#endif /* LARAS_INBOX_H */
