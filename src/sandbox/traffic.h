/*
 * traffic.h
 *		What passes between customers and the number: inbound messages, and the
 *		statuses of messages that were taken.
 */
#ifndef LARAS_SANDBOX_TRAFFIC_H
#define LARAS_SANDBOX_TRAFFIC_H

#include "sandbox/deliver.h"
#include "sandbox/fault.h"
#include "sandbox/world.h"

/* A message that was taken, as its statuses will tell of it. */
typedef struct SbSent
{
	SbNumber *number;
	const char *wamid;
	const char *phone;         /* NULL when only the user id is known */
	const char *user_id;       /* NULL: not told */
	const char *callback_data; /* NULL: none */
	const char *category;      /* service, marketing, utility, authentication */
	bool free;                 /* in the customer service window */
	bool reads;
	int failed; /* code: one status, "failed" */
} SbSent;

/*
 * Plans the statuses. first (may be NULL) is raised when the fault asks for a
 * status before the answer: then the first status leaves at once and the
 * wait's done is called after it was delivered.
 */
extern void sb_sent(const SbSent *sent, const SbFault *fault, SbWait *first);

/*
 * A customer writes: body is the message's own part, such as
 * {"type":"text","text":{"body":"halo"}}, to which id, from and timestamp are
 * added where they are missing. Opens the window. Returns the number of apps
 * told; wamid gets the id.
 */
extern int
sb_inbound(SbNumber *number, const char *phone, json_t *body, SbWait *wait, char wamid[128]);

/* {"messaging_product":"whatsapp","metadata":{...} : the start of every value of the field "messages" */
extern void sb_value_head(SbBuffer *b, const SbNumber *number);

/* Forgets statuses that have not left yet. */
extern void sb_traffic_reset(void);

extern uint64_t sb_statuses_waiting(void);
extern uint64_t sb_statuses_lost(void);

#endif
