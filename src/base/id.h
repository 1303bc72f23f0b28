/*
 * id.h
 *		Ids: 42 bits of milliseconds, 9 bits of node, 12 bits of a shared
 *		counter under a keyed bijection that changes with the millisecond.
 *		Positive, unique in the cluster and, by laras.node, between clusters;
 *		for identity, never for order of arrival; above 2^53, so JSON carries
 *		them as strings.
 */
#ifndef LARAS_BASE_ID_H
#define LARAS_BASE_ID_H

#include "datatype/timestamp.h"

/*
 * A new id.  Needs shared memory (LRB01 without preload); may write and sync
 * the high-water file beside the keyring, every ten seconds (LRB03 when no mirror
 * takes it).  Needs no open vault.
 */
extern int64 laras_new_id(void);

/* An id below all that were made from that time on: an id may be ahead of its time, never behind. */
extern int64 laras_id_since(TimestampTz time);

extern void laras_id_init(void);
extern void laras_id_shmem_request(void);
extern void laras_id_shmem_startup(void);

#endif /* LARAS_BASE_ID_H */
