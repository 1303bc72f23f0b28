/*
 * handoff.h
 *		A token that outlives its destruction just long enough to tell the
 *		provider.
 *
 * At a disconnect the provider should be told with the very token that is
 * being destroyed. The disconnecting backend copies the sealed token and the
 * connection's wrapped slot into one of a few fixed places in shared memory;
 * the courier takes them once the disconnect has committed. Neither is clear
 * text: opening needs the courier's own key. A place is wiped on abort, when
 * it was used, and after its time; its memory is kept out of core dumps.
 */
#ifndef LARAS_HANDOFF_H
#define LARAS_HANDOFF_H

#include "base/json.h"

/* places, and how long one may be held */
#define LARAS_HANDOFFS 32
#define LARAS_HANDOFF_SECONDS 60

#define LARAS_HANDOFF_VALUE 4096 /* sealed token and ids */

/* what the courier takes out; wipe after use */
typedef struct LarasHandoff
{
	int64 workspace_id;
	int64 connection_id;
	int64 app_id;
	char channel[16];
	uint8 slot_copy[64]; /* the slot as it lay in the keyring, wrapped */
	uint32 token_n;
	uint32 account_n;
	uint8 token[LARAS_HANDOFF_VALUE]; /* sealed, suite 2 */
	char account[256];                /* account whose subscription ends, in clear */
} LarasHandoff;

/*
 * Copy into a free place, to be readable when this transaction commits.
 * False when every place is taken or the values do not fit: the provider is
 * then not told, and the caller records that. Raises nothing.
 */
extern bool laras_handoff_put(const LarasHandoff *handoff);

/* The courier: take one that is readable. False when there is none. */
extern bool laras_handoff_take(LarasHandoff *out);

extern void laras_handoff_shmem_request(void);
extern void laras_handoff_shmem_startup(void);

#endif /* LARAS_HANDOFF_H */
