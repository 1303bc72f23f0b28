/*
 * lookup.h
 *		Contacts by the ids under which they are known, however these are written.
 */
#ifndef LARAS_INBOX_LOOKUP_H
#define LARAS_INBOX_LOOKUP_H

#include "postgres.h"

#include "base/json.h"

/* what one id may stand under in the blind indexes: a phone number under three */
#define LARAS_MOST_KEYS 3

typedef struct LarasIdentityKey
{
	uint8 kind; /* an index kind of vault/numbers.def */
	bytea *index;
} LarasIdentityKey;

typedef struct LarasKnownContact
{
	int64 contact_id;
	const char *channel;
	uint8 kind; /* of the identity it was found by */
} LarasKnownContact;

/* The index kind of a word such as phone or igsid; 0: there is none of that name. */
extern uint8 laras_identity_kind(LarasText name);

/*
 * The keys of an id, as drivers store it: numbers in E.164 by the workspace's
 * region and as WhatsApp's ids, addresses and user names in lower case. Returns
 * how many. Needs the workspace's key; opens SPI.
 */
extern int laras_identity_keys(int64 workspace_id, uint8 kind, LarasText value,
							   LarasIdentityKey keys[LARAS_MOST_KEYS]);

/*
 * The contacts that have one of the keys, on one channel or (NULL) on any; a
 * contact once for each identity. Returns how many. Inside SPI, as laras_owner
 * with the workspace bound or as laras_worker with it in reach.
 */
extern int laras_contacts_by_keys(int64 workspace_id, const char *channel,
								  const LarasIdentityKey *keys, int n, LarasKnownContact **found);

#endif /* LARAS_INBOX_LOOKUP_H */
