/*
 * identity.h
 *		From the ids in a batch of messages to contacts, old and new.
 */
#ifndef LARAS_IDENTITY_H
#define LARAS_IDENTITY_H

#include "inbox/inbox.h"

/* the contact a record belongs to; slot is its key slot */
typedef struct LarasContactRef
{
	int64 id;
	uint32 slot;
} LarasContactRef;

/* one record of the batch that speaks of a person, with what it needs to find them */
typedef struct LarasSender
{
	int64 workspace_id;
	uint32 workspace_slot;
	const char *channel;
	const LarasRecord *record;
	LarasPreference wish; /* given, or said by a message that is new */
	TimestampTz said_at;  /* by the provider's time, never in the future */
	LarasContactRef
		contact; /* out, unless it is known before; id 0: a PERSON record of somebody unknown */
	bool nobody; /* named by nothing: a contact is made for this record alone */
	int64 created_contact; /* out: the id, where it was made here */
} LarasSender;

/*
 * Find the contact of every sender by blind index, locking it FOR KEY SHARE
 * against an erasure; make contacts for those who are new, and add identities
 * that a known contact showed for the first time. A PERSON record makes a
 * contact only where it forbids something: that must be kept. As laras_worker. Where the
 * ids of one record belong to two contacts, the first id's contact is taken:
 * drivers put the id they trust most first.
 */
extern void laras_find_contacts(LarasSender *senders, int n);

#endif /* LARAS_IDENTITY_H */
