/*
 * courier.h
 *		Everything that leaves: the outbox, tasks at providers, and the worker
 *		that carries them.
 *
 * outbox.c		rows of the outbox: queued, cancelled.
 * carry.c		the worker: claim and commit, HTTP, record and commit.
 * claim.c		takes what is due, marks what leaves, begins the requests.
 * prepare.c	decides at hand-off whether a message may leave, and builds it.
 * record.c		writes down what became of it; stop.c whose connection ended with it.
 * reconcile.c	what a status webhook tells about a send whose answer was lost.
 * settle.c		what a person decides of one of which nobody tells.
 * http.c		libcurl multi on one epoll descriptor: call.c how a call is made, body.c
 *				what it carries.
 * limit.c		how much may leave now; pause.c what of it outlives the courier.
 * allowance.c	how much of a kind; defer.c what waits for that. rule.c: the limits as data.
 * promotion.c	what the server before this one may have sent.
 * talk.c		mails on it, once libcurl has logged in; mail.c what is said.
 * thread.c		what a message answers, for channels whose messages name it.
 * task.c		other requests to providers, in steps.
 * presence.c	read marks and typing indicators.
 * handoff.c	tokens that outlive their destruction just long enough to revoke.
 *
 * A message is sent at most once: a row is `sending` before its request
 * begins, and a row found `sending` by a new run of the courier is
 * `uncertain`, never sent again by itself.
 */
#ifndef LARAS_COURIER_H
#define LARAS_COURIER_H

#include "datatype/timestamp.h"
#include "worker/worker.h"

/* which leave first; laras.outbox.priority */
#define LARAS_PRIORITY_REPLY 0
#define LARAS_PRIORITY_BULK 10

typedef struct LarasOutboxRow
{
	int64 connection_id;
	int64 conversation_id;
	int64 contact_id;
	int64 message_id;
	int64 draft_id; /* 0: written by a person */
	int64 verdict_id;
	uint8 text_digest[32];   /* what the verdict is bound to */
	const char *approved_by; /* "auto", or the principal */
	const char *kind;        /* "text", "template", "media", "private_reply" */
	const char *purpose;     /* of connect/handling.h */
	int64 template_id;       /* of a template; else 0 */
	int64 media_id;          /* of a message with media (kind "media"); else 0 */
	int64 target_id;         /* the comment it answers; 0: the one the draft is for, or the last */
	const char *uncertain_policy; /* "hold" or "resend_once"; NULL: what the connection says */
} LarasOutboxRow;

/*
 * What a row that waits becomes when it is withdrawn: cancelled, but where it
 * was handed over before with an unknown end it stays uncertain.
 */
#define LARAS_OUTBOX_WITHDRAWN(reason)                                 \
	"state = CASE WHEN resent THEN 'uncertain' ELSE 'cancelled' END, " \
	"stage = CASE WHEN resent THEN stage END, "                        \
	"reason = CASE WHEN resent THEN 'not_resent' ELSE " reason " END"

/*
 * Queue a message for sending; returns the row's id. The foreign key refuses
 * (23503) a text without a passing verdict on exactly that text. Where the
 * person opted out, and wrote nothing since, the row is cancelled as it begins,
 * with its message, evidence and a notice. A text of a conversation in public is
 * a comment. What sells, and every template, is bulk, which leaves behind replies. As
 * laras_owner with the workspace bound, or laras_worker. The courier is woken
 * at commit.
 */
extern int64 laras_outbox_add(int64 workspace_id, const LarasOutboxRow *row);

/*
 * Cancel what waits for a connection (or a contact): rows queued or parked
 * become cancelled with that reason, their messages too. A row already
 * `sending` is left to its end. Returns how many. Needs no key. As laras_owner
 * with the workspace bound, or laras_worker.
 */
extern uint64
laras_outbox_cancel_connection(int64 workspace_id, int64 connection_id, const char *reason);
extern uint64 laras_outbox_cancel_contact(int64 workspace_id, int64 contact_id, const char *reason);

/* the worker, for the table in worker/rooms.c */
extern void laras_courier_start(void);
extern LarasTurn laras_courier_turn(void);
extern void laras_courier_stop(int code);
extern void laras_courier_init(void);

#endif /* LARAS_COURIER_H */
