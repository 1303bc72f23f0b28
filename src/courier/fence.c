/*
 * fence.c
 *		The lock between destroying keys and sending; see fence.h.
 *
 * A lightweight lock, which the couriers share and a destroyer takes alone for
 * an instant: it may be waited for in a commit callback, since its holders do
 * nothing but hand bytes to the kernel, raise nothing and take no other lock.
 */
#include "postgres.h"

#include "courier/fence.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "vault/vault.h"

#define TRANCHE "laras_fence"

static LWLock *fence = NULL;

void
laras_fence_shmem_request(void)
{
	RequestNamedLWLockTranche(TRANCHE, 1);
}

void
laras_fence_shmem_startup(void)
{
	fence = &GetNamedLWLockTranche(TRANCHE)->lock;
}

void
laras_fence_hold(void)
{
	if (fence != NULL)
		LWLockAcquire(fence, LW_SHARED);
}

void
laras_fence_release(void)
{
	if (fence != NULL)
		LWLockRelease(fence);
}

/* The bits are set: wait until no request begins that was allowed before. */
static void
pass(void)
{
	if (fence == NULL)
		return;
	LWLockAcquire(fence, LW_EXCLUSIVE);
	LWLockRelease(fence);
}

void
laras_fence_init(void)
{
	laras_keys_destroyed = pass;
}
