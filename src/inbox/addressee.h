/*
 * addressee.h
 *		Who is written to in a conversation, and whether anything may be.
 */
#ifndef LARAS_ADDRESSEE_H
#define LARAS_ADDRESSEE_H

#include "postgres.h"

typedef struct LarasAddressee
{
	int64 connection_id;
	int64 contact_id;
	uint32 slot; /* the contact's */
	char *channel;
	bool in_public; /* the conversation is a thread of comments */
} LarasAddressee;

/*
 * The bound workspace's conversation; its connection and contact stay as they are
 * until the transaction ends. Raises P0002 where there is none, 55000 where it is
 * disconnected, the contact is being erased, or the channel may not be processed
 * yet. Inside SPI, whose memory channel is in.
 */
extern void laras_addressee(int64 conversation_id, LarasAddressee *to);

#endif /* LARAS_ADDRESSEE_H */
