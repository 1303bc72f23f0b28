/*
 * part.h
 *		What belongs to messages beside their text.
 */
#ifndef LARAS_PART_H
#define LARAS_PART_H

#include "inbox/identity.h"

/* a message that has just become a row, or is one and is read again */
typedef struct LarasStoredMessage
{
	int64 workspace_id;
	uint32 workspace_slot;
	const char *channel;
	const LarasRecord *record;
	int64 id;
	LarasContactRef contact;
	LarasText body; /* as it came, where it may bring files along; absent: it is not at hand */
	Datum index;    /* blind index of its provider id; 0 where it is not found by that */
} LarasStoredMessage;

/* Seal and store the parts of these messages. As laras_worker. */
extern void laras_store_parts(const LarasStoredMessage *messages, int n);

#endif /* LARAS_PART_H */
