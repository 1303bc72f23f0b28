/*
 * slot.c
 *		The 64 bytes of a slot.  See slot.h for the invariant.
 */
#include "vault/slot.h"

#include <string.h>

#include "vault/bytes.h"

#define LIVE_MARK 0xA1
#define TOMB_MARK 0xDD
#define NONCE_AT 4
#define SECRET_AT 16
#define TAG_AT 48

static const char slot_label[] = "laras/1/slot";
static const char tomb_label[] = "laras/1/tomb";

const uint8_t *
laras_wrap_find(const LarasWrapSet *set, uint8_t domain, uint16_t epoch)
{
	if (set == NULL)
		return NULL;
	for (int i = 0; i < set->n; i++)
		if (set->wrap[i].domain == domain && set->wrap[i].epoch == epoch && domain != 0)
			return set->wrap[i].key;
	return NULL;
}

/* "laras/1/slot" || keyring uuid || slab uuid || u32 slot id || bytes 0-3 */
static void
slot_aad(const LarasSlotPlace *place, const uint8_t *raw, uint8_t id[4], LarasPiece aad[5])
{
	laras_put32(id, place->id);
	aad[0] = (LarasPiece){slot_label, sizeof(slot_label) - 1};
	aad[1] = (LarasPiece){place->keyring, LARAS_UUID_LEN};
	aad[2] = (LarasPiece){place->slab, LARAS_UUID_LEN};
	aad[3] = (LarasPiece){id, 4};
	aad[4] = (LarasPiece){raw, 4};
}

bool
laras_slot_seal(const LarasSlotPlace *place, uint8_t domain, uint16_t epoch,
				const uint8_t wrap[LARAS_KEY_LEN], const uint8_t *nonce,
				const uint8_t secret[LARAS_KEY_LEN], uint8_t raw[LARAS_SLOT_LEN])
{
	LarasPiece aad[5];
	uint8_t id[4];

	if ((domain != LARAS_DOMAIN_CONTENT && domain != LARAS_DOMAIN_COURIER) || epoch == 0)
		return false;
	raw[0] = LIVE_MARK;
	raw[1] = domain;
	laras_put16(raw + 2, epoch);
	if (nonce != NULL)
		memcpy(raw + NONCE_AT, nonce, LARAS_GCM_NONCE_LEN);
	else if (!laras_random_bytes(raw + NONCE_AT, LARAS_GCM_NONCE_LEN))
		return false;
	slot_aad(place, raw, id, aad);
	return laras_gcm_seal(wrap, raw + NONCE_AT, aad, 5, secret, LARAS_KEY_LEN, raw + SECRET_AT,
						  raw + TAG_AT);
}

static bool
tomb_checksum(const LarasSlotPlace *place, const uint8_t *raw, uint8_t out[LARAS_HASH_LEN])
{
	LarasPiece pieces[4] = {{tomb_label, sizeof(tomb_label) - 1},
							{place->keyring, LARAS_UUID_LEN},
							{place->slab, LARAS_UUID_LEN},
							{raw, TAG_AT}};

	return laras_sha256(pieces, 4, out);
}

bool
laras_slot_bury(const LarasSlotPlace *place, const LarasTomb *tomb, uint8_t raw[LARAS_SLOT_LEN])
{
	uint8_t sum[LARAS_HASH_LEN];

	memset(raw, 0, LARAS_SLOT_LEN);
	raw[0] = TOMB_MARK;
	raw[1] = tomb->reason;
	laras_put32(raw + 4, place->id);
	laras_put64(raw + 8, (uint64_t) tomb->time);
	memcpy(raw + 16, tomb->order, LARAS_ORDER_LEN);
	if (!tomb_checksum(place, raw, sum))
		return false;
	memcpy(raw + TAG_AT, sum, 16);
	return true;
}

/*
 * A tomb: the checksum holds and the slot id is its own.  The checksum covers
 * the reserved bytes, so they need no test of their own.
 */
static bool
is_tomb(const LarasSlotPlace *place, const uint8_t *raw)
{
	uint8_t sum[LARAS_HASH_LEN];

	return raw[0] == TOMB_MARK && laras_get32(raw + 4) == place->id &&
		   tomb_checksum(place, raw, sum) && memcmp(sum, raw + TAG_AT, 16) == 0;
}

bool
laras_slot_epoch(const uint8_t raw[LARAS_SLOT_LEN], uint8_t *domain, uint16_t *epoch)
{
	if (raw[0] != LIVE_MARK || (raw[1] != LARAS_DOMAIN_CONTENT && raw[1] != LARAS_DOMAIN_COURIER) ||
		laras_get16(raw + 2) == 0)
		return false;
	*domain = raw[1];
	*epoch = laras_get16(raw + 2);
	return true;
}

LarasSlotState
laras_slot_look(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN], LarasTomb *tomb)
{
	uint8_t domain;
	uint16_t epoch;

	if (laras_slot_epoch(raw, &domain, &epoch))
		return LARAS_SLOT_WRAPPED;
	if (!is_tomb(place, raw))
		return LARAS_SLOT_DAMAGED;
	if (tomb != NULL)
	{
		tomb->reason = raw[1];
		tomb->time = (int64_t) laras_get64(raw + 8);
		memcpy(tomb->order, raw + 16, LARAS_ORDER_LEN);
	}
	return LARAS_SLOT_DESTROYED;
}

LarasSlotState
laras_slot_open(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN],
				const LarasWrapSet *keys, uint8_t domain, uint8_t secret[LARAS_KEY_LEN])
{
	uint8_t own_domain;
	uint16_t epoch;
	uint8_t clear[LARAS_KEY_LEN];
	uint8_t id[4];
	LarasPiece aad[5];
	const uint8_t *wrap;

	if (!laras_slot_epoch(raw, &own_domain, &epoch))
		return laras_slot_look(place, raw, NULL);
	if (domain != 0 && own_domain != domain)
		return LARAS_SLOT_DAMAGED;
	wrap = laras_wrap_find(keys, own_domain, epoch);
	if (wrap == NULL || !laras_crypto_init())
		return LARAS_SLOT_WRAPPED;
	slot_aad(place, raw, id, aad);
	if (!laras_gcm_open(wrap, raw + NONCE_AT, aad, 5, raw + SECRET_AT, LARAS_KEY_LEN, clear,
						raw + TAG_AT))
		return LARAS_SLOT_DAMAGED;
	if (secret != NULL)
		memcpy(secret, clear, LARAS_KEY_LEN);
	laras_wipe(clear, sizeof(clear));
	return LARAS_SLOT_LIVE;
}

/* Of two tombs the earlier one counts, then the smaller bytes. */
static LarasMerge
merge_tombs(const uint8_t *a, const uint8_t *b)
{
	int64_t time_a = (int64_t) laras_get64(a + 8);
	int64_t time_b = (int64_t) laras_get64(b + 8);

	if (time_a != time_b)
		return time_a < time_b ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
	return memcmp(a, b, LARAS_SLOT_LEN) < 0 ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
}

bool
laras_slot_is_void(const LarasSlotPlace *place, const uint8_t raw[LARAS_SLOT_LEN],
				   const LarasWrapSet *keys)
{
	uint8_t domain;
	uint16_t epoch;
	bool have = false;

	if (!laras_slot_epoch(raw, &domain, &epoch))
		return false;
	if (domain != (place->id == LARAS_SLOT_COURIER ? LARAS_DOMAIN_COURIER : LARAS_DOMAIN_CONTENT))
		return true;
	for (int i = 0; i < keys->n; i++)
	{
		if (keys->wrap[i].domain == domain && keys->wrap[i].epoch == epoch)
			return false;
		have |= keys->wrap[i].domain == domain;
	}
	return have;
}

LarasMerge
laras_slot_merge(const LarasSlotPlace *place, const uint8_t *a, const uint8_t *b,
				 const LarasWrapSet *keys, LarasSlotState *state)
{
	uint8_t secret_a[LARAS_KEY_LEN];
	uint8_t secret_b[LARAS_KEY_LEN];
	LarasSlotState sa = LARAS_SLOT_ABSENT;
	LarasSlotState sb = LARAS_SLOT_ABSENT;
	LarasSlotState won = LARAS_SLOT_DAMAGED;
	LarasMerge result;

	if (a != NULL)
		sa = laras_slot_open(place, a, keys, 0, secret_a);
	if (b != NULL)
		sb = laras_slot_open(place, b, keys, 0, secret_b);
	if (sa == LARAS_SLOT_WRAPPED && laras_slot_is_void(place, a, keys))
		sa = LARAS_SLOT_DAMAGED;
	if (sb == LARAS_SLOT_WRAPPED && laras_slot_is_void(place, b, keys))
		sb = LARAS_SLOT_DAMAGED;

	if (a != NULL && b != NULL && memcmp(a, b, LARAS_SLOT_LEN) == 0)
	{
		result = LARAS_MERGE_SAME;
		won = sa;
	}
	else if (sa == LARAS_SLOT_DESTROYED || sb == LARAS_SLOT_DESTROYED)
	{
		if (sa == sb)
			result = merge_tombs(a, b);
		else
			result = sa == LARAS_SLOT_DESTROYED ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
		won = LARAS_SLOT_DESTROYED;
	}
	else if (sa == LARAS_SLOT_WRAPPED || sb == LARAS_SLOT_WRAPPED)
	{
		result = LARAS_MERGE_NEEDS_KEY;
		won = LARAS_SLOT_WRAPPED;
	}
	else if (sa == LARAS_SLOT_LIVE && sb == LARAS_SLOT_LIVE)
	{
		uint16_t epoch_a = laras_get16(a + 2);
		uint16_t epoch_b = laras_get16(b + 2);

		won = LARAS_SLOT_LIVE;
		if (a[1] != b[1] || !laras_same_bytes(secret_a, secret_b, LARAS_KEY_LEN))
			result = LARAS_MERGE_CONFLICT;
		else if (epoch_a != epoch_b)
			result = epoch_a > epoch_b ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
		else
			result = memcmp(a, b, LARAS_SLOT_LEN) < 0 ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
	}
	else if (sa == LARAS_SLOT_LIVE || sb == LARAS_SLOT_LIVE)
	{
		result = sa == LARAS_SLOT_LIVE ? LARAS_MERGE_TAKE_A : LARAS_MERGE_TAKE_B;
		won = LARAS_SLOT_LIVE;
	}
	else
	{
		result = LARAS_MERGE_NEITHER;
		won = (sa == LARAS_SLOT_ABSENT && sb == LARAS_SLOT_ABSENT) ? LARAS_SLOT_ABSENT
																   : LARAS_SLOT_DAMAGED;
	}
	laras_wipe(secret_a, sizeof(secret_a));
	laras_wipe(secret_b, sizeof(secret_b));
	if (state != NULL)
		*state = won;
	return result;
}
