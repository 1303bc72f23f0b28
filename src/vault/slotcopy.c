/*
 * slotcopy.c
 *		A slot's wrapped bytes, taken along to where its token is used once more.
 *
 * At a disconnect the key of the token is destroyed while the provider is
 * still to be told with it. The disconnecting backend takes the slot as it
 * lies in the keyring (wrapped), the courier unwraps that copy. Both need the
 * vault open; the copy is worth nothing without the master key.
 */
#include "postgres.h"

#include "vault/sealedbytes.h"
#include "vault/slot.h"
#include "vault/vault.h"
#include "vault/vaultshared.h"

bool
laras_slot_copy(uint32 slot, uint8 out[64])
{
	LarasVault *v = laras_vault_here();
	LarasMirrorMask usable;
	LarasMirrors *m;
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (v == NULL || !laras_vault_is_open() || laras_slot_is_destroyed(slot))
		return false;
	m = laras_vault_mirrors_noraise(v, &usable, &err);
	if (m == NULL)
		return false;
	for (int i = 0; i < LARAS_MAX_MIRRORS; i++)
		if ((usable & (UINT32_C(1) << i)) != 0 &&
			laras_mirrors_look(m, i, slot, out, NULL, &err) == LARAS_SLOT_WRAPPED)
			return true;
	return false;
}

bool
laras_open_token_from_copy(const bytea *value, int64 workspace_id, int64 row_id, uint16 field,
						   const uint8 slot_copy[64], char **out, size_t *n)
{
	LarasVault *v = laras_vault_here();
	const uint8 *data = (const uint8 *) VARDATA_ANY(value);
	size_t len = VARSIZE_ANY_EXHDR(value);
	LarasSealedHeader h;
	LarasSealedPlace place = {workspace_id, row_id, field};
	LarasSlotPlace where;
	LarasWrapSet wraps;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8 first[LARAS_KEY_LEN];
	uint8 second[LARAS_KEY_LEN];
	uint8 prk[LARAS_KEY_LEN];
	char *plain;
	bool ok;

	*out = NULL;
	*n = 0;
	if (v == NULL || !laras_vault_is_open() || !laras_sealed_parse(data, len, &h) ||
		h.suite != LARAS_SUITE_BOX || h.field != field || laras_slot_is_destroyed(h.w) ||
		h.s >= v->max_slots || !laras_slot_secret(v, h.w, first))
		return false;
	where.keyring = v->keyring.uuid;
	where.slab = v->slabs[LARAS_SLAB_OF(h.s)].uuid;
	where.id = h.s;
	LWLockAcquire(v->lock, LW_SHARED);
	wraps = v->page->wraps;
	LWLockRelease(v->lock);
	ok = laras_slot_open(&where, slot_copy, &wraps, LARAS_DOMAIN_CONTENT, second) ==
			 LARAS_SLOT_LIVE &&
		 laras_derive_prk(first, second, prk);
	laras_wipe(&wraps, sizeof(wraps));
	laras_wipe(first, sizeof(first));
	laras_wipe(second, sizeof(second));
	if (!ok)
		return false;
	plain = palloc(laras_sealed_plain_bound(&h, len) + 1);
	ok = laras_box_open(prk, v->keyring.uuid, laras_courier_seed(v), v->keyring.courier_public,
						data, len, &place, (uint8 *) plain, n, &err);
	laras_wipe(prk, sizeof(prk));
	if (ok && laras_is_transport_text(plain, *n))
	{
		uint8 *box = palloc(*n);
		size_t boxlen;
		size_t inner;

		ok = laras_transport_decode(plain, *n, box, &boxlen) &&
			 laras_transport_open(v->keyring.uuid, laras_courier_seed(v), v->keyring.courier_public,
								  box, boxlen, (uint8 *) plain, &inner, &err);
		pfree(box);
		if (ok)
			*n = inner;
	}
	if (!ok)
		return false;
	plain[*n] = '\0';
	*out = plain;
	return true;
}
