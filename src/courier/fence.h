/*
 * fence.h
 *		Between the last look at a key and the first byte of a request nothing
 *		may be destroyed unnoticed.
 *
 * The courier holds the fence while libcurl works: it asks whether the keys of
 * a message stand and writes the first byte of its request without letting go.
 * Whoever destroys keys sets their destroyed bits and then passes through the
 * fence before its COMMIT returns. So a request either began before, or its
 * look finds the bit and it never begins.
 */
#ifndef LARAS_FENCE_H
#define LARAS_FENCE_H

/* The courier, around each call that may begin requests: short, and never blocking on a peer. */
extern void laras_fence_hold(void);
extern void laras_fence_release(void);

extern void laras_fence_shmem_request(void);
extern void laras_fence_shmem_startup(void);
extern void laras_fence_init(void);

#endif /* LARAS_FENCE_H */
