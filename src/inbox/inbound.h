/*
 * inbound.h
 *		Messages of a batch on their way to rows, and the conversations that they
 *		belong to; of apply.c and conversation.c.
 */
#ifndef LARAS_INBOUND_H
#define LARAS_INBOUND_H

#include "datatype/timestamp.h"
#include "inbox/comment.h"
#include "inbox/identity.h"

typedef struct LarasInboundThread
{
	int64 workspace_id;
	int64 connection_id;
	int64 contact_id;
	uint8 thread[LARAS_INDEX_BYTES]; /* of comments; else zero */
} LarasInboundThread;

typedef struct LarasInboundConversation
{
	LarasInboundThread key;
	const char *channel;
	const LarasComment *comment; /* one of them; NULL: direct messages */
	int64 id;                    /* 0: not stored yet */
	TimestampTz last_inbound_at;
	TimestampTz last_message_at;
	int unread;    /* since it was answered, where it was */
	bool answered; /* by the business, in its own app */
	bool touched;
} LarasInboundConversation;

/* one message on its way to a row */
typedef struct LarasInbound
{
	LarasInboxEvent *event;
	const LarasRecord *record;
	LarasSender *sender;
	LarasComment *comment; /* NULL: a direct message */
	LarasInboundConversation *conversation;
	int64 id;
	TimestampTz time; /* 0: the provider gave none */
	Datum index;      /* of the provider's id; 0 where that names more than this message */
	bool stored;
} LarasInbound;

/*
 * Joins each message to its conversation, of which event, sender and comment say
 * which it is; those that are new are stored. As laras_worker.
 */
extern void laras_inbound_join(LarasInbound *messages, int n);

/* What a stored message does to its conversation, in the order of the batch. */
extern void laras_inbound_note(LarasInbound *message);

/* Stores what was noted, of each conversation once. Inside SPI, as laras_worker. */
extern void laras_inbound_touch(LarasInbound *messages, int n);

#endif /* LARAS_INBOUND_H */
