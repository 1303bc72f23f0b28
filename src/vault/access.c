/*
 * access.c
 *		From slot numbers to working keys, in one process: descriptors on the
 *		mirrors, reading slots, the cache of derived keys.
 *
 * Invariant: the shared destroyed bit is tested before every use of a key,
 * cached or not, so a destruction that has committed stops every process at
 * its next value; and no derived key outlives the transaction that needed it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "vault/derive.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"
#include "worker/worker.h"

/* ------------------------------------------------------------------------
 * Descriptors on the mirrors
 * ------------------------------------------------------------------------
 */

static LarasMirrors mirrors;
static LarasMirrorMask mirrors_opened;
static uint64 mirrors_generation; /* of the page when they were opened, 0: not */
static LarasVault *mirrors_vault;
static bool descriptors_reserved;

LarasMirrorMask
laras_vault_in_sync(LarasVault *v)
{
	LarasMirrorMask mask = 0;

	for (int i = 0; i < v->nmirrors; i++)
	{
		if (pg_atomic_read_u32(&v->mirror[i].state) == LARAS_MIRROR_IN_SYNC)
			mask |= (LarasMirrorMask) 1 << i;
	}
	return mask;
}

LarasMirrors *
laras_vault_mirrors_noraise(LarasVault *v, LarasMirrorMask *usable, LarasKeyError *err)
{
	uint64 generation = pg_atomic_read_u64(&v->page->generation);

	if (mirrors_generation != generation || mirrors_vault != v)
	{
		LarasKeyring k;

		if (mirrors_generation != 0)
			laras_mirrors_close(&mirrors);
		mirrors_generation = 0;
		mirrors_opened = 0;
		if (!descriptors_reserved)
		{
			/* tell the server's own file cache how many we may hold */
			for (int i = 0; i < LARAS_MIRROR_OPEN_SLABS + 2 * LARAS_MAX_MIRRORS; i++)
				ReserveExternalFD();
			descriptors_reserved = true;
		}
		if (!laras_mirrors_parse(laras_keyring_mirrors, &mirrors, err) ||
			!laras_mirrors_open(&mirrors, (uint16) v->index, &k, &mirrors_opened, err))
			return NULL;
		if (memcmp(k.uuid, v->keyring.uuid, LARAS_UUID_LEN) != 0)
		{
			laras_mirrors_close(&mirrors);
			laras_keyerror(err, LARAS_KEYERR_ABSENT, 0,
						   "another keyring lies in the mirrors' directories");
			return NULL;
		}
		mirrors_generation = generation;
		mirrors_vault = v;
	}
	*usable = mirrors_opened & laras_vault_in_sync(v);
	if (*usable == 0)
	{
		for (int i = 0; i < v->nmirrors; i++)
		{
			if (pg_atomic_read_u32(&v->mirror[i].was_in_sync) != 0 &&
				pg_atomic_read_u32(&v->mirror[i].state) == LARAS_MIRROR_BEHIND)
				*usable |= mirrors_opened & ((LarasMirrorMask) 1 << i);
		}
	}
	if (*usable == 0)
	{
		laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "no mirror can be read");
		return NULL;
	}
	return &mirrors;
}

LarasMirrors *
laras_vault_mirrors(LarasVault *v, LarasMirrorMask *usable)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrors *m = laras_vault_mirrors_noraise(v, usable, &err);

	if (m == NULL)
		laras_vault_raise(&err);
	return m;
}

/* Ask the vault worker to look at a slot that some mirror could not give. */
static void
ask_repair(LarasVault *v, uint32 slot)
{
	bool asked = false;

	SpinLockAcquire(&v->lease_lock);
	for (uint32 i = 0; i < v->nrepairs; i++)
	{
		if (v->repairs[i] == slot)
			asked = true;
	}
	if (!asked && v->nrepairs < LARAS_VAULT_REPAIRS)
		v->repairs[v->nrepairs++] = slot;
	SpinLockRelease(&v->lease_lock);
	if (!asked)
		laras_work_now(LARAS_WORK_VAULT);
}

/* Raise LRK03 or LRK04 for a slot. */
static void
raise_slot(LarasKeyErrorCode code, uint32 slot, const LarasKeyError *seen)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (seen != NULL)
		err = *seen;
	err.code = code;
	if (err.what == NULL)
		err.what = code == LARAS_KEYERR_ABSENT ? "no mirror holds the slab"
											   : "neither a live key nor the mark of a destruction";
	err.slot = slot;
	laras_vault_raise(&err);
}

/* A slot known to be bad: the worker looks once more, it may have been put right. */
static void
raise_damaged(LarasVault *v, uint32 slot)
{
	ask_repair(v, slot);
	raise_slot(LARAS_KEYERR_DAMAGED, slot, NULL);
}

bool
laras_slot_secret(LarasVault *v, uint32 slot, uint8 out[LARAS_KEY_LEN])
{
	LarasMirrorMask usable;
	LarasMirrorMask repair = 0;
	LarasMirrors *m;
	LarasWrapSet wraps;
	LarasSlotState state;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint64 generation;

	if (slot >= v->max_slots)
		raise_slot(LARAS_KEYERR_ABSENT, slot, NULL);
	if (laras_bit_test(v->destroyed, slot))
		return false;
	if (laras_vault_phase(v) != LARAS_VAULT_OPEN)
		laras_vault_raise_closed(v);
	if (laras_bit_test(v->damaged, slot))
		raise_damaged(v, slot);
	do
	{
		generation = pg_atomic_read_u64(&v->page->generation);
		m = laras_vault_mirrors(v, &usable);
		LWLockAcquire(v->lock, LW_SHARED);
		wraps = v->page->wraps;
		LWLockRelease(v->lock);
		state =
			laras_mirrors_read(m, usable, slot, &wraps, LARAS_DOMAIN_CONTENT, out, &repair, &err);
		laras_wipe(&wraps, sizeof(wraps));
		/* wrapped anew under us, with a key that came after we looked? */
	} while (state == LARAS_SLOT_WRAPPED &&
			 pg_atomic_read_u64(&v->page->generation) != generation &&
			 laras_vault_phase(v) == LARAS_VAULT_OPEN);

	if (repair != 0)
		ask_repair(v, slot);
	switch (state)
	{
		case LARAS_SLOT_LIVE:
			/* a destruction may have been committed while we read */
			if (laras_bit_test(v->destroyed, slot))
			{
				laras_wipe(out, LARAS_KEY_LEN);
				return false;
			}
			return true;
		case LARAS_SLOT_DESTROYED:
			laras_bit_set(v->destroyed, slot);
			return false;
		case LARAS_SLOT_DAMAGED:
			/* until the vault worker has repaired it */
			if (err.code == LARAS_KEYERR_DAMAGED)
				laras_bit_set(v->damaged, slot);
			ask_repair(v, slot);
			raise_slot(err.code == LARAS_KEYERR_NONE ? LARAS_KEYERR_DAMAGED : err.code, slot, &err);
			break;
		case LARAS_SLOT_ABSENT:
			raise_slot(err.code == LARAS_KEYERR_NONE ? LARAS_KEYERR_ABSENT : err.code, slot, &err);
			break;
		case LARAS_SLOT_WRAPPED:
			/* the page was shut under us, or the slot names an epoch that never was */
			if (laras_vault_phase(v) != LARAS_VAULT_OPEN)
				laras_vault_raise_closed(v);
			raise_damaged(v, slot);
			break;
	}
	pg_unreachable();
}

/* ------------------------------------------------------------------------
 * The cache of derived keys
 * ------------------------------------------------------------------------
 */

#define CACHE_SMALL 512  /* to begin with */
#define CACHE_KEYS 16384 /* at most; then it starts afresh */

typedef struct CacheEntry
{
	uint32 use; /* LarasKeyUse, 0: free */
	uint32 w;
	uint32 s;
	uint8 key[LARAS_KEY_LEN];
} CacheEntry;

static CacheEntry *cache = NULL;
static uint32 *cache_used = NULL; /* places taken, for wiping few of many */
static uint32 cache_keys = 0;     /* may be held before it grows or restarts */
static uint32 cache_mask = 0;     /* places - 1; places = 2 * keys */
static uint32 cache_count = 0;
static LarasVault *cache_vault = NULL;
static uint64 cache_generation = 0;
static bool callback_registered = false;

static void
wipe_cache(void)
{
	if (cache_count == 0)
		return;
	if (cache_count > cache_keys / 8)
		laras_wipe(cache, sizeof(CacheEntry) * (cache_mask + 1));
	else
	{
		for (uint32 i = 0; i < cache_count; i++)
			laras_wipe(&cache[cache_used[i]], sizeof(CacheEntry));
	}
	cache_count = 0;
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			wipe_cache();
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			break;
	}
}

/* Make room for keys keys; what was there is wiped. */
static void
size_cache(uint32 keys)
{
	CacheEntry *fresh;
	uint32 *fresh_used;

	fresh = MemoryContextAllocZero(TopMemoryContext, sizeof(CacheEntry) * keys * 2);
	fresh_used = MemoryContextAlloc(TopMemoryContext, sizeof(uint32) * keys);
	wipe_cache();
	if (cache != NULL)
	{
		pfree(cache);
		pfree(cache_used);
	}
	cache = fresh;
	cache_used = fresh_used;
	cache_keys = keys;
	cache_mask = keys * 2 - 1;
}

static inline uint32
cache_place(uint32 use, uint32 w, uint32 s)
{
	return murmurhash32(s ^ murmurhash32(w + use * 0x9e3779b9U)) & cache_mask;
}

static const uint8 *
cache_find(uint32 use, uint32 w, uint32 s)
{
	uint32 i;

	if (cache_count == 0)
		return NULL;
	for (i = cache_place(use, w, s); cache[i].use != 0; i = (i + 1) & cache_mask)
	{
		if (cache[i].s == s && cache[i].w == w && cache[i].use == use)
			return cache[i].key;
	}
	return NULL;
}

static const uint8 *
cache_add(uint32 use, uint32 w, uint32 s, const uint8 *key)
{
	uint32 i;

	/* outside a transaction nothing would wipe it, so the next call does */
	if (!callback_registered)
	{
		RegisterXactCallback(end_of_transaction, NULL);
		callback_registered = true;
	}
	if (cache == NULL)
		size_cache(CACHE_SMALL);
	else if (cache_count >= cache_keys)
	{
		if (cache_keys < CACHE_KEYS)
			size_cache(CACHE_KEYS);
		else
			wipe_cache();
	}
	for (i = cache_place(use, w, s); cache[i].use != 0; i = (i + 1) & cache_mask)
		;
	cache[i].use = use;
	cache[i].w = w;
	cache[i].s = s;
	memcpy(cache[i].key, key, LARAS_KEY_LEN);
	cache_used[cache_count++] = i;
	return cache[i].key;
}

/* A W or P slot's secret, through the cache. False: destroyed. */
static bool
first_secret(LarasVault *v, uint32 slot, uint8 out[LARAS_KEY_LEN])
{
	const uint8 *cached = cache_find(LARAS_USE_SECRET, slot, 0);

	if (cached != NULL)
	{
		memcpy(out, cached, LARAS_KEY_LEN);
		return true;
	}
	if (!laras_slot_secret(v, slot, out))
		return false;
	cache_add(LARAS_USE_SECRET, slot, 0, out);
	return true;
}

/* Derive what is not cached. False: a slot is destroyed. */
static bool
derive(LarasVault *v, LarasKeyUse use, uint32 w, uint32 s, uint8 out[LARAS_KEY_LEN])
{
	uint8 first[LARAS_KEY_LEN];
	uint8 second[LARAS_KEY_LEN];
	uint8 prk[LARAS_KEY_LEN];
	bool live;
	bool ok = true;

	switch (use)
	{
		case LARAS_USE_SECRET:
			return first_secret(v, w, out);

		case LARAS_USE_SEAL:
		case LARAS_USE_SALT:
			/* a workspace's own text is sealed under (W, W) */
			live = first_secret(v, w, first) &&
				   (s == w ? first_secret(v, s, second) : laras_slot_secret(v, s, second));
			if (live)
				ok = laras_derive_prk(first, second, prk) &&
					 (use == LARAS_USE_SEAL ? laras_derive_seal(prk, v->keyring.uuid, w, s, out)
											: laras_derive_salt(prk, v->keyring.uuid, w, s, out));
			break;

		case LARAS_USE_INDEX:
		case LARAS_USE_OPTOUT:
		case LARAS_USE_CALLBACK:
			live = first_secret(v, LARAS_SLOT_PLATFORM, first) && first_secret(v, w, second);
			if (live)
				ok = laras_derive_prk(first, second, prk) &&
					 (use == LARAS_USE_INDEX ? laras_derive_index(prk, v->keyring.uuid, w, 1, out)
					  : use == LARAS_USE_OPTOUT
						  ? laras_derive_optout(prk, v->keyring.uuid, w, out)
						  : laras_derive_callback(prk, v->keyring.uuid, w, out));
			break;

		default:
			live = first_secret(v, LARAS_SLOT_PLATFORM, first);
			if (live)
				ok = laras_derive_platform_prk(v->keyring.uuid, first, prk) &&
					 (use == LARAS_USE_ROUTE   ? laras_derive_route(prk, out)
					  : use == LARAS_USE_LOGIN ? laras_derive_login(prk, out)
											   : laras_derive_authorizer(prk, out));
			break;
	}
	laras_wipe(first, sizeof(first));
	laras_wipe(second, sizeof(second));
	laras_wipe(prk, sizeof(prk));
	if (!ok)
	{
		LarasKeyError err;

		laras_keyerror(&err, LARAS_KEYERR_CRYPTO, 0, "deriving a key");
		laras_vault_raise(&err);
	}
	return live;
}

const uint8 *
laras_derived_key(LarasVault *v, LarasKeyUse use, uint32 w, uint32 s)
{
	uint64 generation = pg_atomic_read_u64(&v->page->generation);
	const uint8 *cached;
	uint8 key[LARAS_KEY_LEN];
	const uint8 *kept;

	if (w >= v->max_slots || s >= v->max_slots)
		raise_slot(LARAS_KEYERR_ABSENT, w >= v->max_slots ? w : s, NULL);
	if (cache_vault != v || cache_generation != generation || !IsTransactionState())
	{
		wipe_cache();
		cache_vault = v;
		cache_generation = generation;
	}

	/* both bits of both slots, whatever the cache holds */
	if (laras_bit_test(v->destroyed, w) || laras_bit_test(v->destroyed, s))
		return NULL;
	if (laras_vault_phase(v) != LARAS_VAULT_OPEN)
		laras_vault_raise_closed(v);
	if (laras_bit_test(v->damaged, w) || laras_bit_test(v->damaged, s))
		raise_damaged(v, laras_bit_test(v->damaged, w) ? w : s);

	cached = cache_find(use, w, s);
	if (cached != NULL)
		return cached;
	if (!derive(v, use, w, s, key))
		return NULL;
	kept = cache_find(use, w, s); /* a secret is cached by its own derivation */
	if (kept == NULL)
		kept = cache_add(use, w, s, key);
	laras_wipe(key, sizeof(key));
	return kept;
}

/* ------------------------------------------------------------------------
 * States
 * ------------------------------------------------------------------------
 */

bool
laras_slot_is_destroyed(uint32 slot)
{
	LarasVault *v = laras_vault_here();

	return v != NULL && slot < v->max_slots && laras_bit_test(v->destroyed, slot);
}

LarasKeyState
laras_key_state(uint32 slot)
{
	LarasVault *v = laras_vault_here();
	LarasMirrorMask usable;
	LarasMirrors *m;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasWrapSet wraps;
	LarasMirrorMask repair = 0;
	uint8 secret[LARAS_KEY_LEN];
	LarasSlotState state;
	uint64 position;
	uint64 until;

	if (v == NULL || pg_atomic_read_u32(&v->known) == 0)
		laras_vault_raise_closed(v);
	if (slot >= v->max_slots)
		return LARAS_KEY_ABSENT;
	if (laras_bit_test(v->destroyed, slot))
		return LARAS_KEY_DESTROYED;
	m = laras_vault_mirrors_noraise(v, &usable, &err);
	if (m == NULL)
		laras_vault_raise(&err);

	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	if (slot == LARAS_SLOT_COURIER)
		wraps.n = 0; /* its wrapping key is not ours: look only */
	state = laras_mirrors_read(m, usable, slot, &wraps, 0, secret, &repair, &err);
	laras_wipe(secret, sizeof(secret));
	laras_wipe(&wraps, sizeof(wraps));

	switch (state)
	{
		case LARAS_SLOT_DESTROYED:
			return LARAS_KEY_DESTROYED;
		case LARAS_SLOT_DAMAGED:
			return LARAS_KEY_DAMAGED;
		case LARAS_SLOT_ABSENT:
			return LARAS_KEY_ABSENT;
		case LARAS_SLOT_WRAPPED:
		case LARAS_SLOT_LIVE:
			break;
	}
	if (slot < LARAS_SLOT_FIRST_LEASED || !laras_slot_position(v->keyring.uuid, slot, &position))
		return LARAS_KEY_LIVE;
	SpinLockAcquire(&v->lease_lock);
	until = v->lease_until;
	SpinLockRelease(&v->lease_lock);
	return position >= until ? LARAS_KEY_UNUSED : LARAS_KEY_LIVE;
}

const char *
laras_key_state_name(LarasKeyState state)
{
	switch (state)
	{
		case LARAS_KEY_UNUSED:
			return "unused";
		case LARAS_KEY_LIVE:
			return "live";
		case LARAS_KEY_DESTROYED:
			return "destroyed";
		case LARAS_KEY_DAMAGED:
			return "damaged";
		case LARAS_KEY_ABSENT:
			return "absent";
	}
	pg_unreachable();
}
